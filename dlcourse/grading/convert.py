"""``solutions/<slug>.py``, a percent-format notebook, to nbgrader's source notebook.

The source's cell headers say only what a cell is (``role``) and whose (``grade_id``). Everything
that can be computed is added here: the set-up cell, the overview, the line under each heading,
points, mark schemes, nbgrader's metadata, and cell ids that stay the same from run to run.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dlcourse.checks.core import registry
from dlcourse.checks.core.choice import Choice
from dlcourse.checks.core.exercise import SHEET_IMPORTS
from dlcourse.grading.course import find_sheet, overwrite
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.sheet import BEGIN, END, ROLES, Cell, grade_id, read, verify
from dlcourse.wheel import Homeless, requirement

with needs("grading"):
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def convert(slug: str, root: str | Path = ".", into: str | Path | None = None) -> Path:
    """Write ``<into>/<slug>/<slug>.ipynb`` (``into``: ``<root>/build/source``) and return its path.

    The same source gives the same bytes on every run, and an unchanged notebook isn't written.
    Raises ``SheetError`` with file and line where the source breaks a rule.
    """
    path = find_sheet(slug, root)
    try:
        unit = registry.unit(slug)
    except ValueError as error:
        raise CourseError(f"The sheet '{slug}' has no checks: {error}") from error
    try:
        wheel = requirement(root, unit.imports)
    except Homeless as error:
        raise CourseError(str(error)) from error
    shown = os.path.relpath(path, root)
    source = path.read_text(encoding="utf-8")
    notebook = build(source, shown, unit, wheel)
    out = Path(into or Path(root, "build", "source")) / slug / f"{slug}.ipynb"
    overwrite(out, nbformat.writes(notebook) + "\n")
    return out


def build(source: str, file: str, unit: Any, requirement: str) -> nbformat.NotebookNode:
    """The notebook of a sheet's source; ``file`` is how messages call it."""
    cells = [*read(source, file), *choices(unit)]
    verify(cells, file, unit)
    out: list[nbformat.NotebookNode] = []
    for position, cell in enumerate(cells):
        out.append(finish(cell, position, unit))
        if position == 0:
            out += [
                with_id(new_markdown_cell(overview(cells, unit)), "overview"),
                graded(new_code_cell(setup(requirement, unit.imports)), "setup", {"locked": True}),
            ]
    return new_notebook(
        cells=out,
        metadata={
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
    )


def choices(unit: Any) -> Iterator[Cell]:
    """The cells of an inventory's questions: all that they hold stands in their description."""
    for number, choice in enumerate(unit.exercises.values(), 1):
        if isinstance(choice, Choice):
            text = f"## {number}. {choice.title}\n{choice.statement()}"
            yield Cell(0, True, text, "statement", choice.name)
            yield Cell(0, False, f"{BEGIN}\n{choice.source()}{END}", "solution", choice.name)
            yield Cell(0, False, f'check("{choice.name}", {choice.name})', "check", choice.name)


# Writing ------------------------------------------------------------------------


def finish(cell: Cell, position: int, unit: Any) -> nbformat.NotebookNode:
    """The notebook cell: text completed, metadata and id set."""
    text = open_folds(cell.text) if cell.markdown else cell.text
    if cell.role == "statement":
        text = under_heading(text, describe(unit.exercises[cell.name], unit.slug))
    elif cell.role == "question":
        question = unit.questions[cell.name]
        text = under_heading(text, describe_question(question, unit.slug))
        text += "\n" + mark_scheme(question)  # a blank line would stay behind
    elif cell.role == "answer" and not text:
        text = f"{BEGIN}\n{unit.questions[cell.name].exemplars['full']}\n{END}"
    out = new_markdown_cell(text) if cell.markdown else new_code_cell(text)
    if cell.role is None:
        digest = hashlib.sha256(f"{position}\n{cell.text}".encode()).hexdigest()
        return with_id(out, digest[:12])
    flags = ROLES[cell.role][2]
    if flags is None:
        return with_id(out, grade_id(cell))
    described = unit.questions if cell.role == "answer" else unit.exercises
    points = described[cell.name].points if "grade" in flags else None
    return graded(out, grade_id(cell), flags, points)


def with_id(cell: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    cell.id = name
    return cell


def graded(
    cell: nbformat.NotebookNode, grade_id: str, flags: dict[str, bool], points: int | None = None
) -> nbformat.NotebookNode:
    """The cell with nbgrader's metadata, schema version 3."""
    cell.metadata.nbgrader = {
        "grade": False,
        "grade_id": grade_id,
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
        **flags,
        **({} if points is None else {"points": points}),
    }
    return with_id(cell, grade_id)


def setup(requirement: str, imports: Sequence[str] = ()) -> str:
    """The first code cell: installs what the sheet needs where that is missing.

    ``imports`` are the unit's own, beside NumPy. Where torch is among them, it is looked for too:
    somebody may have the course without it.
    """
    looked_for = "import dlcourse, torch" if "torch" in imports else "import dlcourse"
    loads = "".join(f"{SHEET_IMPORTS[name]}\n" for name in imports)
    return f'''\
# Installs the course if it isn't there yet (in Colab, say), then loads what this sheet uses.
try:
    {looked_for}
except ImportError:
    %pip install -q "{requirement}"

import numpy as np
{loads}from dlcourse.checks import check'''


def overview(cells: Iterable[Cell], unit: Any) -> str:
    """A table of the sheet's exercises and questions, in the order in which they come."""
    rows = []
    minutes = points = 0
    for cell in cells:
        if cell.role not in ("statement", "question"):
            continue
        item = (unit.exercises if cell.role == "statement" else unit.questions)[cell.name]
        written = cell.role == "question"
        kind, difficulty = ("explain", "") if written else (item.kind, stars(item.difficulty))
        title = cell.text.splitlines()[0].removeprefix("## ")
        rows.append(f"| {title} | {kind} | {item.minutes} | {item.points} | {difficulty} |")
        minutes, points = minutes + item.minutes, points + item.points
    return "\n".join(
        [
            "| Exercise | Kind | Minutes | Points | Difficulty |",
            "|:--|:--|--:|--:|:--|",
            *rows,
            f"| **Together** | | **{minutes}** | **{points}** | |",
        ]
    )


def describe(exercise: Any, slug: str) -> str:
    """One line: kind, minutes, points by part, difficulty, what it forbids, what it serves."""
    parts = exercise.parts
    split = "" if len(parts) == 1 else f" ({', '.join(f'{p} {n}' for p, n in parts.items())})"
    return " · ".join(
        [
            exercise.kind,
            _plural(exercise.minutes, "minute"),
            f"{_plural(exercise.points, 'point')}{split}",
            f"difficulty {stars(exercise.difficulty)}",
            *([f"without {', '.join(exercise.forbids)}"] if exercise.forbids else []),
            _serves(exercise.outcomes, slug),
        ]
    )


def describe_question(question: Any, slug: str) -> str:
    """The same line for a written question."""
    minutes, points = f"{question.minutes} minutes", _plural(question.points, "point")
    serves = _serves(question.outcomes, slug)
    return " · ".join(["explain", minutes, points, "marked by hand", serves])


def mark_scheme(question: Any) -> str:
    """What the graders see and learners don't: the rubric, and answers to hold others against."""
    kinds = {"full": "Full marks", "partial": "In part", "typical": "A typical wrong answer"}
    exemplars = [f"**{kinds[kind]}:** {text}" for kind, text in question.exemplars.items()]
    inside = "\n\n".join([question.rubric.strip(), *exemplars])
    # as comments, nbgrader finds the markers and formgrader doesn't show them
    begin, end = "<!-- BEGIN MARK SCHEME -->", "<!-- END MARK SCHEME -->"
    return f"{begin}\n**Mark scheme**\n\n{inside}\n\n{end}"


def under_heading(text: str, line: str) -> str:
    heading, _, rest = text.partition("\n")
    return f"{heading}\n\n*{line}*\n{rest}".rstrip()


def open_folds(text: str) -> str:
    """Blank lines around what a fold holds: without them CommonMark takes it for plain HTML."""
    text = re.sub(r"</summary>\n(?=[^\n])", "</summary>\n\n", text)
    return re.sub(r"(?<=[^\n])\n</details>", "\n\n</details>", text)


def stars(difficulty: int) -> str:
    return "★" * difficulty + "☆" * (3 - difficulty)


def _serves(outcomes: Iterable[str], slug: str) -> str:
    return "practises: " + ", ".join(outcome.removeprefix(slug + "-") for outcome in outcomes)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
