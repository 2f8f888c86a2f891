"""Exercises as data: what a right answer is, which wrong ones learners give, what to tell them."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import numpy as np

from dlcourse.checks.core.shipping import source_of

# what a sheet's set-up cell imports beside NumPy, where its checks do
SHEET_IMPORTS = {"torch": "import torch", "nn": "from torch import nn"}
Kind = Literal["write", "mend", "predict", "derive", "design", "choose"]


@dataclass(frozen=True)
class Case:
    """One call of an answer: its arguments, what is special about it, the parts it judges."""

    args: tuple
    note: str = ""  # "a score of exactly 0": the learner reads it
    parts: tuple[str, ...] = ()  # none named: all


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners give, the parts it loses, and the sentence that helps."""

    name: str
    fn: Callable
    hint: str
    loses: tuple[str, ...]


@dataclass
class Exercise:
    """One thing that a learner writes. Fill it with the decorators below.

    ``parts`` names the parts of an answer and the points of each. ``of`` says what the learner's
    name holds: a function, a class (driven by ``observe``) or a value (``answer`` and ``mistake``
    then decorate functions without arguments that return one). Points are whole numbers.
    """

    name: str
    title: str
    parts: dict[str, int]
    minutes: int
    difficulty: int  # 1 to 3
    outcomes: tuple[str, ...]  # of the unit's learning outcomes, the ones it serves
    kind: Kind = "write"
    of: Literal["function", "class", "value"] = "function"
    forbids: tuple[str, ...] = ()  # modules that a solution may not use
    tolerance: float = 1e-10  # relative to the largest entry of the right answer's part
    rounding: float = 1e-4  # how far from a known mistake an answer is still recognised as it
    n: int = 12  # cases a check draws
    silent: bool = False  # a learner's check only notes the answer, for use before and after
    slug: str = ""  # the unit, filled in by the registry
    mistakes: dict[str, Mistake] = field(default_factory=dict, repr=False)
    alternatives: dict[str, Callable] = field(default_factory=dict, repr=False)
    reference: Callable | None = field(default=None, repr=False)
    make_cases: Callable[[np.random.Generator], Iterator] | None = field(default=None, repr=False)
    look: Callable | None = field(default=None, repr=False)
    verdict_of: Callable | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.parts or any(type(p) is not int or p < 1 for p in self.parts.values()):
            raise ValueError(f"{self.name}: each part needs whole points, not {self.parts}")
        if self.difficulty not in (1, 2, 3):
            raise ValueError(f"{self.name}: difficulty is 1, 2 or 3, not {self.difficulty}")

    @property
    def points(self) -> int:
        return sum(self.parts.values())

    # describing -------------------------------------------------------------

    def cases(self, make: Callable[[np.random.Generator], Iterator]) -> Callable:
        """``make(rng)`` yields argument tuples, or :class:`Case`: edge cases first, without end."""
        self.make_cases = make
        return make

    def answer(self, fn: Callable) -> Callable:
        """The right answer; where many are right, one of them."""
        self.reference = fn
        return fn

    def observe(self, fn: Callable) -> Callable:
        """``fn(candidate, *case)`` returns a dict of raw parts; classes are driven here.

        It imports what it needs itself and judges nothing: the only piece that runs beside the
        learner's code, to which it is sent as source. One that isn't self-contained is refused
        here. A value comes as a function without arguments that returns it.
        """
        source_of(fn)
        self.look = fn
        return fn

    def judge(self, fn: Callable) -> Callable:
        """``fn(case, parts)`` where many answers are right: None, or what is wrong of which part.

        ``case`` holds the arguments, ``parts`` the plain parts of the answer. It returns nothing, a
        sentence that stands for all parts, or a dict from part to sentence. A known mistake is
        recognised by its sentences, so they name the kind of fault and no sizes.
        """
        self.verdict_of = fn
        return fn

    def alternative(self, fn: Callable) -> Callable:
        """A right answer, written differently."""
        self.alternatives[self._new(fn.__name__)] = fn
        return fn

    def mistake(self, hint: str, *, loses: tuple[str, ...] = ()) -> Callable[[Callable], Callable]:
        """A wrong answer, the sentence that helps, and the parts it loses (all, unless named)."""
        if unknown := set(loses) - set(self.parts):
            raise ValueError(f"{self.name} has no part {sorted(unknown)}: it has {[*self.parts]}")

        def add(fn: Callable) -> Callable:
            name = self._new(fn.__name__)
            self.mistakes[name] = Mistake(name, fn, hint, loses or tuple(self.parts))
            return fn

        return add

    def _new(self, name: str) -> str:
        if name in self.alternatives or name in self.mistakes or name == "reference":
            raise ValueError(f"{self.name} has an answer called {name!r} already: rename one")
        return name

    # using ------------------------------------------------------------------

    def draw(self, seed: int, n: int | None = None) -> list[Case]:
        """The first ``n`` cases of ``seed``, edge cases first."""
        if self.make_cases is None:
            return [Case(())]
        made = islice(self.make_cases(np.random.default_rng(seed)), n or self.n)
        return [c if isinstance(c, Case) else Case(c) for c in made]

    def score(self, candidate: Any, key: bytes | None = None, n: int | None = None):
        """The :class:`~dlcourse.checks.core.verdict.Verdict` on ``candidate``.

        ``key`` is the secret of hidden cases, of which there are twice as many; without it they are
        the learners' own, of seed 0.
        """
        return self.trial(0 if key is None else int.from_bytes(key), n).verdict(candidate)

    def trial(self, seed: int, n: int | None = None):
        """The cases of a learner's own check for seed 0, of a class's hidden one for others."""
        from dlcourse.checks.core.trial import Trial

        return Trial(self, seed, n or (2 * self.n if seed else self.n))

    def functions(self) -> dict[str, Callable]:
        """Every answer of the description by name: ``reference``, alternatives, mistakes."""
        if self.reference is None:
            raise ValueError(f"{self.name}: no answer is given")
        return {
            "reference": self.reference,
            **self.alternatives,
            **{name: m.fn for name, m in self.mistakes.items()},
        }

    def source(self, which: str = "reference") -> str:
        """An answer as a learner would have typed it, under the exercise's own name."""
        fn = self.functions()[which]
        text = textwrap.dedent(inspect.getsource(fn))
        (node,) = ast.parse(text).body
        lines = text.splitlines()[node.lineno - 1 :]  # without the decorators
        name = f"make_{self.name}" if self.of == "value" else self.name
        lines[0] = re.sub(r"^(def|class)\s+\w+", rf"\1 {name}", lines[0])
        if self.of == "value":
            lines += ["", "", f"{self.name} = {name}()"]
        return "\n".join(lines) + "\n"

    def from_source(self, which: str = "reference") -> Any:
        """The answer made from its source on the sheet's own imports, like a learner's."""
        module = vars(sys.modules[self.functions()[which].__module__])
        namespace = {"np": np} | {name: module[name] for name in SHEET_IMPORTS if name in module}
        exec(compile(self.source(which), f"<{self.name}: {which}>", "exec"), namespace)
        return namespace[self.name]


@dataclass(frozen=True)
class Question:
    """A question answered in words and marked by a person with the rubric at hand."""

    name: str
    title: str
    points: int
    minutes: int
    rubric: str  # Markdown: what earns which points
    exemplars: dict[str, str]  # full, partial, typical (a wrong one that many give)
    outcomes: tuple[str, ...]
    slug: str = ""

    def __post_init__(self) -> None:
        if set(self.exemplars) != {"full", "partial", "typical"}:
            raise ValueError(f"{self.name}: exemplars are full, partial and typical")


@dataclass(frozen=True)
class Unit:
    """The exercises and questions of one unit, in the order of its file."""

    slug: str
    exercises: dict[str, Exercise]
    questions: dict[str, Question]
    imports: tuple[str, ...] = ()  # of SHEET_IMPORTS, what its file has and so its sheet
