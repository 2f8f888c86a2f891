"""One trial of an exercise: its cases drawn once, answers judged on them, mistakes recognised."""

import inspect
import reprlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Mistake
from dlcourse.checks.core.values import (
    Refused,
    Tensor,
    alike,
    describe,
    difference,
    fresh,
    identical,
    plain,
)
from dlcourse.checks.core.verdict import Failure, Verdict

PACKAGE = str(Path(__file__).resolve().parents[2])
SHOWN = 24  # arguments with more entries than this aren't printed


@dataclass
class Outcome:
    """What an answer did with one case."""

    parts: dict[str, Any] = field(default_factory=dict)  # plain values
    raised: tuple[str, ...] = ()  # the exception's class and its bases, by name
    message: str = ""
    changed: tuple[int, ...] = ()  # arguments that came back different


class Trial:
    """``n`` cases of ``seed``, and what answers make of them."""

    def __init__(self, exercise: Exercise, seed: int, n: int | None = None):
        self.exercise = exercise
        self.cases = exercise.draw(seed, n)
        self._of_mistakes: dict[str, list[Outcome]] = {}

    def verdict(self, candidate: Any) -> Verdict:
        """Judge ``candidate`` part by part, and recognise what is wrong with it."""
        exercise = self.exercise
        if form := self._wrong_form(candidate):
            return Verdict(exercise, dict.fromkeys(exercise.parts, False), [Failure(form)])
        outcomes = self.outcomes(candidate)
        failures = self._failures(outcomes)
        parts = {p: p not in failures for p in exercise.parts}
        first: list[Failure] = []
        for failure in failures.values():
            if failure not in first:
                first.append(failure)
        known = self._recognised(outcomes, {p for p, right in parts.items() if not right})
        return Verdict(exercise, parts, first, known, len(self.cases))

    def outcomes(self, candidate: Any) -> list[Outcome]:
        if self.exercise.of == "value":
            candidate = _constant(candidate)
        return [self._outcome(candidate, case) for case in self.cases]

    @cached_property
    def wanted(self) -> list[Outcome]:
        """What the right answer does."""
        assert self.exercise.reference is not None, "an exercise without an answer"
        return [self._outcome(self.exercise.reference, case) for case in self.cases]

    # one answer, one case -----------------------------------------------------

    def _outcome(self, candidate: Callable, case: Case) -> Outcome:
        given = fresh(case.args)
        try:
            raw = (self.exercise.look or self._look)(candidate, *given)
        except (Exception, SystemExit) as error:
            names = tuple(c.__name__ for c in type(error).__mro__ if c is not object)
            return Outcome(raised=names, message=_what_happened(error))
        changed = [
            i
            for i, (was, now) in enumerate(zip(case.args, given, strict=True))
            if not identical(plain(was), plain(now))
        ]
        return Outcome({p: plain(v) for p, v in raw.items()}, changed=tuple(changed))

    def _look(self, candidate: Callable, *case: Any) -> dict[str, Any]:
        """The default way to observe: call it, and name what it returns."""
        out = candidate(*case)
        names = list(self.exercise.parts)
        if len(names) == 1:
            return {names[0]: out}
        if self.exercise.of == "value":
            said = f"should be a dict of {', '.join(names)}"
            if type(out) is not dict:
                raise WrongForm(f"{said}; it is {describe(plain(out))}")
            if missing := [f"`{name}`" for name in names if name not in out]:
                raise WrongForm(f"{said}; missing: {', '.join(missing)}")
            if unknown := [f"{key!r:.40}" for key in out if key not in names]:
                raise WrongForm(f"{said}; nothing was asked about {', '.join(unknown)}")
            return out
        if type(out) not in (tuple, list) or len(out) != len(names):
            said = f"should return {len(names)} values, {', '.join(names)}"
            raise WrongForm(f"{said}; it returned {describe(plain(out))}")
        return dict(zip(names, out, strict=True))

    def _wrong_form(self, candidate: Any) -> str:
        kind = self.exercise.of
        name = self.exercise.name
        if kind == "class" and not isinstance(candidate, type):
            return f"`{name}` should be a class; it is {describe(plain(candidate))}."
        if kind == "function" and not callable(candidate):
            return f"`{name}` should be a function; it is {describe(plain(candidate))}."
        return ""

    # judging ------------------------------------------------------------------

    def _failures(self, outcomes: list[Outcome]) -> dict[str, Failure]:
        """The first failure of each part that has one."""
        failures: dict[str, Failure] = {}
        for i, (case, got) in enumerate(zip(self.cases, outcomes, strict=True)):
            for part, text in self._wrong_parts(i, case, got).items():
                if part not in failures:
                    shown = f"Case {i + 1} of {len(self.cases)}" if len(self.cases) > 1 else ""
                    failures[part] = Failure(text, shown, case.note, self._arguments(case))
        return failures

    def _wrong_parts(self, i: int, case: Case, got: Outcome) -> dict[str, str]:
        exercise = self.exercise
        judged = case.parts or tuple(exercise.parts)
        if exercise.verdict_of is not None and not got.raised and not got.changed:
            if odd := {p: text for p in judged if (text := self._odd(i, p, got))}:
                return odd
            said = exercise.verdict_of(fresh(case.args), got.parts)
            if isinstance(said, str):
                return dict.fromkeys(judged, said)
            return {p: text for p, text in (said or {}).items() if p in judged}
        want = self.wanted[i]
        if want.raised:
            text = f"should raise {want.raised[0]}; it "
            if not got.raised:
                return dict.fromkeys(judged, text + "raised nothing.")
            right = want.raised[0] in got.raised
            return {} if right else dict.fromkeys(judged, f"{text}{got.message}.")
        if got.raised:
            return dict.fromkeys(judged, f"it {got.message}.")
        if got.changed:
            names = [f"`{n}`" for i, n in enumerate(self._names) if i in got.changed]
            text = f"changed its argument {', '.join(names)}, which whoever called still needs."
            return dict.fromkeys(judged, text)
        wrong = {}
        for part in judged:
            if part not in got.parts:
                wrong[part] = f"`{part}` is missing."
                continue
            given, wanted = got.parts[part], want.parts[part]
            reveal = exercise.of != "value"
            text_ = self._no_word(given, wanted)
            text_ = text_ or difference(given, wanted, exercise.tolerance, reveal) or ""
            if text_:
                wrong[part] = f"`{part}` {text_}."
        return wrong

    def _odd(self, i: int, part: str, got: Outcome) -> str:
        """Why a part can't even be shown to a judge: it is missing, or of another type."""
        if part not in got.parts:
            return f"`{part}` is missing."
        value, right = got.parts[part], self.wanted[i].parts.get(part)
        if isinstance(value, Refused):
            return f"`{part}` is {value.what}, which can't be judged."
        if type(value) is not type(right):
            return f"`{part}` is {describe(value)}; it should be {describe(right)}."
        return ""

    # recognising --------------------------------------------------------------

    def _recognised(self, got: list[Outcome], lost: set[str]) -> list[Mistake]:
        """The known mistakes in an answer: each lost part is explained at most once.

        Looser than judging: exceptions compare by type, rounding is forgiven, and parts are
        compared one by one, so that two mistakes at once give two hints.
        """
        known = []
        for mistake in sorted(self.exercise.mistakes.values(), key=lambda m: -len(m.loses)):
            if set(mistake.loses) <= lost and self._does_what(mistake, got):
                known.append(mistake)
                lost = lost - set(mistake.loses)
        return known

    def _does_what(self, mistake: Mistake, got: list[Outcome]) -> bool:
        if mistake.name not in self._of_mistakes:
            self._of_mistakes[mistake.name] = self.outcomes(
                mistake.fn() if self.exercise.of == "value" else mistake.fn
            )
        did = self._of_mistakes[mistake.name]
        return all(
            self._same(i, mistake, a, b) for i, (a, b) in enumerate(zip(got, did, strict=True))
        )

    def _same(self, i: int, mistake: Mistake, a: Outcome, b: Outcome) -> bool:
        case = self.cases[i]
        if a.raised or b.raised:
            return a.raised[:1] == b.raised[:1]
        if a.changed != b.changed:
            return False
        if self.exercise.verdict_of is not None:
            said, meant = self._wrong_parts(i, case, a), self._wrong_parts(i, case, b)
            return all(said.get(p) == meant.get(p) for p in mistake.loses)
        for part in mistake.loses:
            if (part in a.parts) != (part in b.parts):
                return False
            if part not in a.parts:
                continue
            x, y = a.parts[part], b.parts[part]
            if not alike(x, y, self.exercise.rounding):
                return False
            right = self.wanted[i].parts.get(part)
            about_dtype = _dtype(y) != _dtype(right)  # then the dtype is what the mistake is
            if about_dtype and _dtype(x) != _dtype(y):
                return False
        return True

    # words --------------------------------------------------------------------

    @cached_property
    def _words(self) -> set[str]:
        """The words that an answer in words is made of: those of the right one and the mistakes."""
        assert self.exercise.reference is not None
        answers = [self.exercise.reference, *(m.fn for m in self.exercise.mistakes.values())]
        given = [self.outcomes(fn())[0].parts.values() for fn in answers]
        return {word for parts in given for word in parts if isinstance(word, str)}

    def _no_word(self, given: Any, right: Any) -> str:
        """What is wrong with a word, where words are asked for, that no answer is made of."""
        asked = self.exercise.of == "value" and isinstance(right, str) and isinstance(given, str)
        if not asked or given in self._words:
            return ""
        return f"is {given!r:.40}; the words are {', '.join(map(repr, sorted(self._words)))}"

    @cached_property
    def _names(self) -> list[str]:
        """The names of a case's arguments, as the learner knows them."""
        if self.exercise.look is not None:
            return list(inspect.signature(self.exercise.look).parameters)[1:]
        assert self.exercise.reference is not None
        return list(inspect.signature(self.exercise.reference).parameters)

    def _arguments(self, case: Case) -> str:
        """The arguments, if they are small enough to read."""
        args = [a if type(a) in (list, tuple, dict) else (*_tensors(a), a)[0] for a in case.args]
        arrays = [a for a in args if isinstance(a, np.ndarray)]
        if sum(map(np.size, [*arrays, *_tensors(args)])) > SHOWN:
            return ""
        arrays = [a for a in args if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        tiny = any(np.any((a != 0) & (np.abs(a) < 1e-4)) for a in arrays)
        with np.printoptions(precision=4, suppress=not tiny, threshold=SHOWN):
            shown = [f"{n} = {_short(a)}" for n, a in zip(self._names, args, strict=True)]
        return ", ".join(shown)


class WrongForm(Exception):
    """An answer that doesn't return what it was asked for."""


def _constant(value: Any) -> Callable:
    return lambda: value


def _dtype(value: Any) -> Any:
    if isinstance(value, Tensor):  # to hang on a graph is a matter of type, as float32 is
        return value.array.dtype, value.requires_grad
    if isinstance(value, list):
        return [_dtype(v) for v in value]
    if isinstance(value, dict):
        return {k: _dtype(v) for k, v in value.items()}
    return value.dtype if isinstance(value, np.ndarray) else type(value)


def _tensors(value: Any) -> list[np.ndarray]:
    """The tensors in an argument, as arrays."""
    if type(value) in (list, tuple, dict):
        inside = value.values() if type(value) is dict else value
        return [array for v in inside for array in _tensors(v)]
    known = plain(value)
    return [known.array] if isinstance(known, Tensor) else []


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=", ").replace("\n", "")
    return reprlib.repr(value)


def _what_happened(error: BaseException) -> str:
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
