"""``check("name", name)``, the one line of a graded cell."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

from dlcourse.checks.core import registry, secret
from dlcourse.checks.core.forbidden import used
from dlcourse.checks.core.verdict import Verdict

VERDICT_TYPE = "application/vnd.dlcourse.verdict+json"


class CheckFailed(AssertionError):
    """An answer that isn't right yet. A notebook shows the message alone, without a traceback."""

    def __init__(self, verdict: Verdict, shown: bool = False):
        super().__init__(verdict.text())
        self.verdict = verdict
        self._lines = verdict.headline if shown else verdict.text()

    def _render_traceback_(self) -> list[str]:  # IPython shows this list instead
        return [self._lines]


class CheckBroken(Exception):
    """The check itself crashed: our fault, never the learner's."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Points:
    """The value of a graded cell: nbgrader reads text/plain, people see text/html."""

    def __init__(self, verdict: Verdict):
        self._verdict = verdict

    def __repr__(self) -> str:  # must parse as a float from 0 to the points: else FULL marks
        return repr(min(max(float(self._verdict.earned), 0.0), float(self._verdict.of)))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:  # wins over %precision
        return {
            "text/plain": repr(self),
            "text/html": self._verdict.html(),
            VERDICT_TYPE: self._verdict.data(),
        }


def check(name: str, answer: Any) -> Points | None:
    """Check an answer to the exercise called ``name``.

    In a learner's notebook: says that it is right, or raises :class:`CheckFailed` with what is
    wrong and why; of a silent exercise only that its answer is noted; and what the answer uses that
    its sheet is graded without. Where nbgrader grades, the value is the points earned, its form of
    partial credit. Nothing that the answer prints or warns gets out: nbgrader takes all points for
    stderr.
    """
    exercise = registry.find(name)
    try:
        with _quiet():
            verdict = exercise.score(answer, secret.key(exercise.slug, name))
    except Exception as error:
        raise CheckBroken(
            f"{name}: the check itself failed, which is our fault and not yours "
            f"({type(error).__name__}: {error}). Please report it."
        ) from error
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        return Points(verdict)
    if found := used(answer, exercise.forbids):
        print(
            f"{name}: your answer uses {' and '.join(found)}. This sheet is graded without, where "
            "it would earn nothing."
        )
    if exercise.silent and (verdict.right or verdict.known):
        print(f"{name}: noted. It is judged when the sheet is graded.")
        return None
    shown = _show(verdict)
    if not verdict.right:
        raise CheckFailed(verdict, shown) from None
    return None


def _show(verdict: Verdict) -> bool:
    """Display the verdict where there is a notebook to show HTML; else print what is right."""
    try:
        from IPython import get_ipython
        from IPython.display import display

        in_notebook = getattr(get_ipython(), "kernel", None) is not None
    except ImportError:
        in_notebook = False
    if in_notebook:
        display({"text/plain": verdict.text(), "text/html": verdict.html()}, raw=True)
    elif verdict.right:
        print(verdict.headline)
    return in_notebook


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing that an answer writes reaches the cell, by Python or by file descriptor."""
    with contextlib.ExitStack() as stack:
        null = stack.enter_context(open(os.devnull, "w"))
        with contextlib.suppress(OSError):  # a browser has no descriptors to speak of
            kept = os.dup(2)
            stack.callback(os.close, kept)
            os.dup2(null.fileno(), 2)
            stack.callback(os.dup2, kept, 2)
        stack.enter_context(contextlib.redirect_stdout(null))
        stack.enter_context(contextlib.redirect_stderr(null))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield
