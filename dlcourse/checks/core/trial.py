"""One trial of an exercise: its cases drawn once, answers judged on them, mistakes recognised."""

import inspect
import reprlib
from functools import cached_property
from typing import Any

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Mistake
from dlcourse.checks.core.observing import Outcome, outcome, wrong_form
from dlcourse.checks.core.values import (
    Refused,
    Tensor,
    alike,
    describe,
    difference,
    fresh,
    plain,
)
from dlcourse.checks.core.verdict import Failure, Verdict

SHOWN = 24  # arguments with more entries than this aren't printed


class Trial:
    """``n`` cases of ``seed``, and what answers make of them."""

    def __init__(self, exercise: Exercise, seed: int, n: int | None = None):
        self.exercise = exercise
        self.cases = exercise.draw(seed, n)
        self._of_mistakes: dict[str, list[Outcome]] = {}
        self._wrong_of_mistakes: dict[tuple[str, int], dict[str, str]] = {}

    def verdict(self, candidate: Any) -> Verdict:
        """Judge ``candidate`` part by part, and recognise what is wrong with it."""
        exercise = self.exercise
        if form := wrong_form(exercise.name, exercise.of, candidate):
            return self.no_answer(form)
        return self.judged(self.outcomes(candidate))

    def no_answer(self, why: str) -> Verdict:
        """The verdict where there is nothing to try."""
        return Verdict(self.exercise, dict.fromkeys(self.exercise.parts, False), [Failure(why)])

    def judged(self, outcomes: list[Outcome]) -> Verdict:
        """The verdict on what an answer did with each of the cases, wherever it did it."""
        exercise = self.exercise
        wrong = [
            self._wrong_parts(i, case, got)
            for i, (case, got) in enumerate(zip(self.cases, outcomes, strict=True))
        ]
        failures = self._failures(wrong)
        parts = {p: p not in failures for p in exercise.parts}
        first: list[Failure] = []
        for failure in failures.values():
            if failure not in first:
                first.append(failure)
        lost = {p for p, right in parts.items() if not right}
        known = self._recognised(outcomes, wrong, lost)
        return Verdict(exercise, parts, first, known, len(self.cases))

    def outcomes(self, candidate: Any) -> list[Outcome]:
        exercise = self.exercise
        parts = tuple(exercise.parts)
        return [outcome(exercise.look, exercise.of, parts, candidate, c.args) for c in self.cases]

    def remember(self, mistake: str, outcomes: list[Outcome]) -> None:
        """What a known mistake does with the cases, for one who has tried it already."""
        self._of_mistakes[mistake] = outcomes

    @cached_property
    def wanted(self) -> list[Outcome]:
        """What the right answer does."""
        assert self.exercise.reference is not None, "an exercise without an answer"
        reference = self.exercise.reference
        return self.outcomes(reference() if self.exercise.of == "value" else reference)

    # judging ------------------------------------------------------------------

    def _failures(self, wrong: list[dict[str, str]]) -> dict[str, Failure]:
        """The first failure of each part that has one."""
        failures: dict[str, Failure] = {}
        for i, (case, said) in enumerate(zip(self.cases, wrong, strict=True)):
            for part, text in said.items():
                if part not in failures:
                    shown = f"Case {i + 1} of {len(self.cases)}" if len(self.cases) > 1 else ""
                    failures[part] = Failure(text, shown, case.note, self._arguments(case))
        return failures

    def _wrong_parts(self, i: int, case: Case, got: Outcome) -> dict[str, str]:
        exercise = self.exercise
        judged = case.parts or tuple(exercise.parts)
        if exercise.verdict_of is not None and not got.raised and not got.changed:
            odd = {p: text for p in judged if (text := self._odd(i, p, got))}
            # what can't be shown to a judge mustn't keep the other parts from being judged
            shown = got.parts | {p: self.wanted[i].parts[p] for p in odd}
            said = exercise.verdict_of(fresh(case.args), shown)
            if isinstance(said, str):
                return dict.fromkeys(judged, said) | odd
            return {p: text for p, text in (said or {}).items() if p in judged} | odd
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

    def _recognised(
        self, got: list[Outcome], wrong: list[dict[str, str]], lost: set[str]
    ) -> list[Mistake]:
        """The known mistakes in an answer: each lost part is explained at most once.

        Looser than judging: exceptions compare by type, rounding is forgiven, and parts are
        compared one by one, so that two mistakes at once give two hints.
        """
        known = []
        for mistake in sorted(self.exercise.mistakes.values(), key=lambda m: -len(m.loses)):
            if set(mistake.loses) <= lost and self._does_what(mistake, got, wrong):
                known.append(mistake)
                lost = lost - set(mistake.loses)
        return known

    def _does_what(self, mistake: Mistake, got: list[Outcome], wrong: list[dict[str, str]]) -> bool:
        if mistake.name not in self._of_mistakes:
            self._of_mistakes[mistake.name] = self.outcomes(
                mistake.fn() if self.exercise.of == "value" else mistake.fn
            )
        did = self._of_mistakes[mistake.name]
        return all(
            self._same(i, mistake, a, b, said)
            for i, (a, b, said) in enumerate(zip(got, did, wrong, strict=True))
        )

    def _same(self, i: int, mistake: Mistake, a: Outcome, b: Outcome, said: dict[str, str]) -> bool:
        if a.raised or b.raised:
            return a.raised[:1] == b.raised[:1]
        if a.changed != b.changed:
            return False
        if self.exercise.verdict_of is not None:
            if (mistake.name, i) not in self._wrong_of_mistakes:
                meant = self._wrong_parts(i, self.cases[i], b)
                self._wrong_of_mistakes[mistake.name, i] = meant
            meant = self._wrong_of_mistakes[mistake.name, i]
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
