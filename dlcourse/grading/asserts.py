"""Runs a graded cell of plain asserts, in the process of the learner's code, under the guard.

Statement by statement, by Python itself: no transformer, hook or history of IPython sees it. The
cell's last value is taken where it arises, so nothing that is displayed stands in for it.
"""

import ast
import builtins
import contextlib
import linecache
import math
import operator
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.testing
from IPython.core.displayhook import DisplayHook
from IPython.core.inputtransformer2 import TransformerManager

from dlcourse.grading.guard import FREE, Guard, members, parents
from dlcourse.grading.outputs import LINE, LINES, Shell, captured
from dlcourse.grading.seeing import FILE, MEANT, SEEN, Seeing, bound, run, used

# by these an object says itself how it compares, or what a comparison says of it
ANSWERS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__"}
ANSWERS |= {"__sub__", "__rsub__", "__abs__", "__float__", "__array__", "__contains__"}
ANSWERS |= {"__array_ufunc__", "__array_function__", "__torch_function__", "__getattribute__"}
DEEP = 1000  # elements of a list that are looked at


class Asserts:
    """One submission's cells of asserts, and what it may not change on its way to them."""

    def __init__(self, shell: Shell, guard: Guard):
        self.shell, self.guard = shell, guard
        self.given: dict[str, Any] = {}  # what the sheet's own cells define, by name
        self.own = set(shell.user_ns)  # IPython's
        self.known: set[type] = set()
        self.strangers: list[str] = []
        self.settings = np.geterr(), np.get_printoptions(), warnings.filters[:]

    def watch(self, names: list[str]) -> None:
        """After another cell: mend what it changed; ``names`` are what the sheet defines in it."""
        self.guard.restore()
        space = self.shell.user_ns
        self.given |= {name: space[name] for name in names if name in space}

    def run(self, source: str, answers: list[str]) -> dict[str, Any]:
        """What became of a cell; ``answers`` are functions that the learner was to write."""
        self.guard.restore()
        self.strangers.clear()
        found = self.guard.names[:]
        out: dict[str, Any] = {"ended": False, "value": None, "before": found}
        with captured(self.shell) as outputs, self.usual(), self.guard.hooks.displaying():
            _show_lines(source)
            try:
                body = ast.parse(TransformerManager().transform_cell(source)).body
                with self.names(body, set(answers), found) as meant:
                    out["value"] = self._all(body, source, meant)
                out["ended"] = True
            except BaseException as error:
                outputs.add(self._shown(error))
            out["during"] = self.guard.restore()
        out["threads"] = len(sys._current_frames()) - 1
        out["strangers"] = self.strangers
        out["outputs"] = outputs.end()
        return out

    def _all(self, body: list[ast.stmt], source: str, meant: dict[str, Any]) -> float | None:
        """Run the statements; the number that the last one is, if it is one and is shown."""
        space, value = self.shell.user_ns, None
        space |= {SEEN: self.seen, MEANT: meant}
        try:
            for each in body:
                value = run(Seeing(meant).visit(each), space)
                if changed := self.guard.restore():
                    raise AssertionError(f"the code changed {changed[0]} while the tests ran")
        finally:
            for name in (SEEN, MEANT):
                space.pop(name, None)
        hidden = DisplayHook.semicolon_at_end_of_expression(source)
        return None if hidden else number(value)

    @contextlib.contextmanager
    def names(
        self, body: list[ast.stmt], answers: set[str], found: list[str]
    ) -> Iterator[dict[str, Any]]:
        """Names that the tests use mean what they mean to who wrote them: what some stand for.

        What the sheet's own functions use has to be changed in the learner's namespace; what only
        the tests use is left to the learner's code as it is.
        """
        nodes = [node for each in body for node in ast.walk(each)]
        own = {name for node in nodes for name in bound(node)}
        direct = {node.id for node in nodes if isinstance(node, ast.Name)} - own
        through = set[str]()
        todo = [name for name in direct & self.given.keys() if name not in answers]
        while todo:
            new = set(used(self.given.get(todo.pop()))) - through
            through |= new
            todo += new
        space, meant, before = self.shell.user_ns, {}, {}
        for name in sorted((direct | through) & space.keys()):
            if name in self.given:
                right, whose = self.given[name], "which the sheet defines"
            elif name in USUAL:
                right, whose = USUAL[name], "which the tests take for another"
            elif name in BUILT_IN and name not in self.own:
                right, whose = BUILT_IN[name], "which Python defines"
            else:
                continue
            if space[name] is not right:
                found.append(f"{name}, {whose}")
                if name in answers:  # asked for: it is what is tested
                    continue
                meant[name] = right
                if name in through or name in self.given:
                    before[name], space[name] = space[name], right
        try:
            yield meant
        finally:
            space |= before

    @contextlib.contextmanager
    def usual(self) -> Iterator[None]:
        """Settings that learners change for good reasons, as they were, while the tests run."""
        floating, printing, filters = self.settings
        with warnings.catch_warnings(), np.errstate(**floating), np.printoptions(**printing):
            warnings.filters[:] = filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]
            yield

    def seen(self, value: Any) -> Any:
        """The value; it is noted where its class, a learner's own, answers for itself."""
        kind = type(value)
        inside: Any = ()
        if kind is list or kind is tuple:
            inside = value[:DEEP]
        elif kind is dict:
            inside = list(value.values())[:DEEP]
        for each in (value, *inside):
            kind = type(each)
            if kind not in self.known:
                if name := self._stranger(kind):
                    if name not in self.strangers:
                        self.strangers.append(name)
                else:
                    self.known.add(kind)
        return value

    def _stranger(self, kind: type) -> str:
        for cls in parents(kind):
            space = members(cls)
            mine = cls in self.given.values() or self.guard.knows(cls)
            if not mine and any(name in space for name in ANSWERS):
                return str(space.get("__qualname__") or type.__dict__["__name__"].__get__(kind))
        return ""

    def _shown(self, error: BaseException) -> dict[str, Any]:
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename in (__file__, run.__code__.co_filename):
            trace = trace.tb_next
        kind = type.__dict__["__name__"].__get__(type(error))
        said = traceback.format_exception(type(error), error, trace, limit=LINES)
        lines = [line[:LINE].rstrip("\n") for line in said]
        words = "" if lines[-1] == kind else lines[-1].removeprefix(f"{kind}: ")
        return {"output_type": "error", "ename": kind, "evalue": words, "traceback": lines}


def _show_lines(source: str) -> None:
    """In a traceback the tests' lines are shown, but for hidden ones."""
    lines, hidden = source.splitlines(keepends=True), False
    for n, line in enumerate(lines):
        hidden = hidden or "BEGIN HIDDEN TESTS" in line
        if hidden:
            lines[n] = "# a hidden test\n"
        hidden = hidden and "END HIDDEN TESTS" not in line
    linecache.cache[FILE] = len(source), None, lines, FILE


def number(value: Any) -> float | None:
    """What nbgrader would take for partial credit, if it really is a number."""
    if type(value) is int or type(value) is float:
        return float(value) if math.isfinite(value) else -1.0
    if isinstance(value, np.number) and type(value).__module__ == "numpy":
        return number(value.item())
    return None


BUILT_IN = {k: v for k, v in vars(builtins).items() if callable(v) and k not in FREE}
USUAL: dict[str, Any] = {"np": np, "numpy": np, "math": math, "operator": operator}
USUAL |= {k: v for k, v in vars(numpy.testing).items() if k.startswith("assert_")}
if "torch" in sys.modules:
    USUAL["torch"] = sys.modules["torch"]
