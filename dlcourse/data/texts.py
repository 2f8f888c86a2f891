"""Text to model: the manual that comes with Python, without what it says twice."""

import platform
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dlcourse.data.provenance import DataError, Provenance, fingerprint

TRIED = "3.11.7"  # the Python whose manual the course was written with
PROVENANCE = Provenance(
    name="Python's manual",
    source=f"pydoc_data.topics of Python {TRIED}; paragraphs that came before are left out",
    licence="PSF-2.0",
    citation="Python Software Foundation (2023), The Python Language Reference, version 3.11",
    items=0,
    real=True,
    sha256="",
)
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def load_manual(repeats: bool = False) -> tuple[dict[str, str], Provenance]:
    """The topics of Python's manual, name to text, and where they come from.

    The manual says much of it under several names: 465,000 characters of which 373,000 are left
    once each paragraph is kept where it comes first, topics in the order of their names. Whoever
    holds some of it out needs that. With ``repeats`` all of it, as it is.

    Each Python has a text of its own: the provenance says so where it isn't the course's. Raises
    DataError where Python has come without it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            "this Python has come without its manual (pydoc_data): install one from python.org"
        ) from None
    texts = {name: topics[name] for name in sorted(topics)}
    if not repeats:
        texts = without_repeats(texts)
    whole = "".join(texts.values())
    found = fingerprint(np.frombuffer(whole.encode(), np.uint8))
    about = replace(PROVENANCE, items=len(whole), sha256=found)
    if platform.python_version() != TRIED:
        about = replace(
            about,
            source=f"pydoc_data.topics of Python {platform.python_version()}: another text than "
            f"that of Python {TRIED}, with which the course's numbers were made",
        )
    return texts, about


def paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Each paragraph of ``text``, and its words, by which it is known again. Empty lines end it."""
    for paragraph in re.split(r"\n\s*\n", text):
        if words := " ".join(paragraph.split()):
            yield paragraph.strip("\n"), words


def without_repeats(texts: dict[str, str]) -> dict[str, str]:
    """Each paragraph where it comes first; a text of which nothing is left is left out."""
    seen, left = set(), {}
    for name, text in texts.items():
        kept = []
        for paragraph, words in paragraphs(text):
            if words not in seen:
                seen.add(words)
                kept.append(paragraph)
        if kept:
            left[name] = "\n\n".join(kept) + "\n\n"
    return left


def drawn(texts: dict[str, str], seed: int = 0) -> dict[str, list[str]]:
    """The names of the ``texts`` of each part: train, validation and test, about 8, 1 and 1 tenths.

    Whole texts go into a part, in an order drawn by ``seed``: test and validation are filled up
    first. Raises ValueError for fewer than three texts.
    """
    names = list(texts)
    if len(names) < 3:
        raise ValueError(f"three parts need three texts, not {len(names)}")
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    total = sum(map(len, texts.values()))
    found: dict[str, list[str]] = {part: [] for part in SHARES}
    for part in ("test", "validation"):
        size = 0
        while size < SHARES[part] * total and len(order) > 1:
            found[part].append(order.pop())
            size += len(texts[found[part][-1]])
    found["train"] = order
    return found


def parts(texts: dict[str, str], seed: int = 0) -> dict[str, str]:
    """``texts`` in three, joined: to train on, to choose by and to test (:func:`drawn`)."""
    names = drawn(texts, seed)
    return {part: "".join(texts[name] for name in each) for part, each in names.items()}
