"""What an answer does with one case: the part of a check that runs beside the learner's code.

Nothing here knows what is right. In a learner's notebook it runs in the same process as the rest of
the check; at grading, alone in another one.
"""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from dlcourse.checks.core.values import describe, fresh, identical, plain

PACKAGE = str(Path(__file__).resolve().parents[2])


@dataclass
class Outcome:
    """What an answer did with one case."""

    parts: dict[str, Any] = field(default_factory=dict)  # plain values
    raised: tuple[str, ...] = ()  # the exception's class and its bases, by name
    message: str = ""
    changed: tuple[int, ...] = ()  # arguments that came back different


class WrongForm(Exception):
    """An answer that doesn't return what it was asked for."""


def wrong_form(name: str, of: str, candidate: Any) -> str:
    """Why ``candidate`` can't even be tried, as a sentence; "" if it can."""
    if of == "class" and not isinstance(candidate, type):
        return f"`{name}` should be a class; it is {describe(plain(candidate))}."
    if of == "function" and not callable(candidate):
        return f"`{name}` should be a function; it is {describe(plain(candidate))}."
    return ""


@contextmanager
def as_usual() -> Iterator[None]:
    """What another cell switched off, or on, is no fault of this answer."""
    torch = sys.modules.get("torch")
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        if torch is None:
            yield
            return
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            with torch.enable_grad():
                yield
        finally:
            torch.set_default_dtype(before)


def outcome(
    look: Callable | None, of: str, names: tuple[str, ...], candidate: Any, args: tuple
) -> Outcome:
    """What ``candidate`` does with ``args``, seen by ``look``.

    ``names`` are the exercise's parts; without a ``look``, what is returned is given their names.
    A value comes to ``look`` as a function that returns it.
    """
    given = fresh(args)
    called = (lambda: candidate) if of == "value" else candidate
    try:
        with as_usual():
            raw = look(called, *given) if look else _named(of, names, called(*given))
    except (Exception, SystemExit) as error:
        kinds = tuple(c.__name__ for c in type(error).__mro__ if c is not object)
        return Outcome(raised=kinds, message=what_happened(error))
    changed = [
        i
        for i, (was, now) in enumerate(zip(args, given, strict=True))
        if not identical(plain(was), plain(now))
    ]
    return Outcome({p: plain(raw[p]) for p in names if p in raw}, changed=tuple(changed))


def _named(of: str, names: tuple[str, ...], out: Any) -> dict[str, Any]:
    """The default way to observe: name what the call returned."""
    if len(names) == 1:
        return {names[0]: out}
    if of == "value":
        said = f"should be a dict of {', '.join(names)}"
        if type(out) is not dict:
            _refuse(f"{said}; it is {describe(plain(out))}")
        if missing := [f"`{name}`" for name in names if name not in out]:
            _refuse(f"{said}; missing: {', '.join(missing)}")
        if unknown := [f"{key!r:.40}" for key in out if key not in names]:
            _refuse(f"{said}; nothing was asked about {', '.join(unknown)}")
        return out
    if type(out) not in (tuple, list) or len(out) != len(names):
        said = f"should return {len(names)} values, {', '.join(names)}"
        _refuse(f"{said}; it returned {describe(plain(out))}")
    return dict(zip(names, out, strict=True))


def _refuse(why: str) -> NoReturn:
    raise WrongForm(why)


def what_happened(error: BaseException) -> str:
    """``raised ZeroDivisionError: division by zero (your line 4: return x / n)``."""
    if isinstance(error, WrongForm):
        return str(error)
    if isinstance(error, NotImplementedError) and not str(error):
        return "raised NotImplementedError: there is no answer here yet"
    text = f"raised {type(error).__name__}: {error}".strip(": ")
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith(PACKAGE) and "site-packages" not in f.filename
    ]
    if not frames:
        return text
    line = f": {frames[-1].line}" if frames[-1].line else ""
    return f"{text} (your line {frames[-1].lineno}{line})"
