"""A small sheet, and a class in which most submissions are broken or hostile.

Each student is a :class:`Case`: what is done to a solved sheet, or the bytes handed in instead,
the points that the three exercises must get, and words that must be said of it.
"""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dlcourse.checks.core import registry, secret
from dlcourse.checks.core.exercise import Exercise, Question, Unit

from .enclosed import LIMITS
from .small import cell, told

SLUG = "sturdy"
FULL = (3, 2, 2)
MARK = "2719093172"  # stands in the hidden tests only
RIGHT = {
    "twice": "def twice(x):\n    return x + x",
    "thrice": "def thrice(x):\n    return 3 * x",
    "square": "def square(x):\n    return x * x",
}
TESTS = f"""\
assert square(3) == 9
### BEGIN HIDDEN TESTS
assert all(np.isclose(square(x), x**2) for x in (0.5, {MARK}))
np.testing.assert_allclose(square(np.arange(3.0)), [0, 1, 4])
### END HIDDEN TESTS
"""


@dataclass
class Case:
    """One student."""

    change: Callable | None = None  # of (notebook, cells by id); may return another notebook
    points: tuple | None = FULL  # of twice, thrice, square; None: no grade
    words: str = ""  # in what is said: reason, notes, flags, the graded cells' outputs
    data: bytes | None = None  # handed in instead of a notebook
    beside: Callable[[Path], Any] | None = None  # does more to the submission's folder
    name: str = f"{SLUG}.ipynb"


def make_unit() -> Unit:
    twice = Exercise("twice", "Twice", {"value": 3}, 5, 1, ("o",), slug=SLUG)
    twice.answer(lambda x: x + x)
    thrice = Exercise("thrice", "Thrice", {"value": 2}, 5, 1, ("o",), slug=SLUG)
    thrice.answer(lambda x: 3 * x)
    for exercise in (twice, thrice):
        exercise.cases(lambda rng: ((rng.normal(size=3),) for _ in iter(int, 1)))
    exemplars = {"full": "It is.", "partial": "Maybe.", "typical": "No."}
    why = Question("why", "Why", 4, 3, "2 points for the sum.", exemplars, ("o",))
    return Unit(SLUG, {"twice": twice, "thrice": thrice}, {"why": why})


def source() -> nbformat.NotebookNode:
    cells = [cell("setup", "import numpy as np\nfrom dlcourse.checks import check", locked=True)]
    for name, points in zip(RIGHT, FULL, strict=True):
        text = f"### BEGIN SOLUTION\n{RIGHT[name]}\n### END SOLUTION"
        cells.append(cell(name, text, solution=True))
        test = TESTS if name == "square" else f'check("{name}", {name})'
        cells.append(cell(f"{name}_check", test, grade=True, locked=True, points=points))
    words = new_markdown_cell("### BEGIN SOLUTION\nBecause.\n### END SOLUTION", id="why")
    words.metadata.nbgrader = told("why", grade=True, solution=True, points=4)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=[*cells, words], metadata={"kernelspec": kernel})


def release(home: Path) -> nbformat.NotebookNode:
    """The sheet as learners get it, solved."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    from dlcourse.grading.course import SEED_FILE, session

    path = home / "build" / "source" / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(source(), path)
    secret.create(home / SEED_FILE)
    with session(home) as config:
        directory = CourseDirectory(config=config, assignment_id=SLUG)
        GenerateAssignment(coursedir=directory, config=config).start()
    solved = nbformat.read(home / "exercises" / SLUG / f"{SLUG}.ipynb", 4)
    for each in solved.cells:
        each.source = RIGHT.get(each.id, each.source)
    return solved


def hand_in(home: Path, student: str, case: Case, solved: nbformat.NotebookNode) -> None:
    folder = home / "submitted" / student / SLUG
    folder.mkdir(parents=True)
    if case.data is not None:
        (folder / case.name).write_bytes(case.data)
    elif case.change is not None:
        notebook = copy.deepcopy(solved)
        changed = case.change(notebook, {each.id: each for each in notebook.cells})
        data = changed
        if not isinstance(changed, bytes):
            data = json.dumps(changed if isinstance(changed, dict) else notebook).encode()
        (folder / case.name).write_bytes(data.replace(b"{home}", str(home).encode()))
    if case.beside:
        case.beside(folder)


@contextlib.contextmanager
def unit() -> Iterator[None]:
    """The registry knows this sheet's exercises, and runs have tight limits."""
    from dlcourse.grading import jobs

    def limits(cell_seconds):
        return replace(LIMITS, cell_seconds=2, wall_seconds=12)

    with pytest.MonkeyPatch.context() as patch:
        known, made = registry.unit, make_unit()
        patch.setattr(registry, "unit", lambda slug: made if slug == SLUG else known(slug))
        patch.setattr(jobs, "Limits", limits)
        yield


# What a submission may hold ----------------------------------------------------------


def nothing(notebook, cells):
    pass


def sets(**sources):
    """Other sources; ``{right}`` is the right answer."""

    def change(notebook, cells):
        for name, text in sources.items():
            cells[name].source = text.replace("{right}", RIGHT.get(name, ""))

    return change


def first(text):
    """A cell of code before all others, but for the set-up."""
    return lambda notebook, cells: notebook.cells.insert(1, new_code_cell(text))


def last(text):
    return lambda notebook, cells: notebook.cells.append(new_code_cell(text))


WRONG = {
    "twice": "def twice(x): return x",
    "thrice": "def thrice(x): return x",
    "square": "def square(x): return x",
}


def wrong(text):
    """All answers are wrong, and this code runs before them."""

    def change(notebook, cells):
        sets(**WRONG)(notebook, cells)
        first(text)(notebook, cells)

    return change
