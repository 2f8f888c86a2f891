"""The class's points as a CSV table: ours, or with the columns that Canvas and Moodle import.

Canvas, gradebook import (columns and order as lib/gradebook_importer.rb in the public repository
instructure/canvas-lms checks them): ``Student``, ``ID``, ``SIS User ID``, ``SIS Login ID``,
``Section``, then one column an assignment, called "Title (number)"; a row ``Points Possible``.
Students are found by ID. A title without number, if no assignment is called so, makes a new one.

Moodle, grade import (docs.moodle.org/311/en/Grade_import): any columns, which a person maps to
e-mail address and grade item; one unknown address stops the whole import. Or the assignment's
offline grading worksheet, filled in: mod/assign/feedback/offline/importgradeslib.php reads
``Identifier``, ``Grade`` and ``Last modified (grade)``, and an empty grade is skipped.

What isn't graded yet is an empty field in all of them, never a 0.
"""

from pathlib import Path

from dlcourse.grading.course import overwrite
from dlcourse.grading.errors import CourseError
from dlcourse.grading.match import participants
from dlcourse.grading.scores import Row, read
from dlcourse.grading.students import Student, students
from dlcourse.grading.table import harmless, read_table, table_text


def export(
    slug: str,
    home: str | Path = ".",
    out: str | Path | None = None,
    form: str = "csv",
    column: str | None = None,
    worksheet: str | Path | None = None,
) -> Path:
    """Write the points to ``<home>/build/reports/<slug>.csv`` (or ``-canvas``, ``-moodle``).

    ``column`` is what the LMS calls the assignment. ``worksheet`` is Moodle's, to be filled in.
    """
    rows = read(slug, home)
    people = students(home)
    if form == "canvas":
        table = _canvas(rows, people, column or slug)
    elif worksheet is not None:
        table = _worksheet(rows, people, Path(worksheet))
    elif form == "moodle":
        table = _moodle(rows, people, column or slug)
    else:
        table = _ours(rows, people)
    name = slug if form == "csv" else f"{slug}-{form}"
    path = Path(out) if out else Path(home, "build", "reports", f"{name}.csv")
    overwrite(path, table_text(table))
    return path


def _ours(rows: list[Row], people: list[Student]) -> list[list[str]]:
    """Student, points by exercise, automatic, written, to be graded, total and maximum."""
    names = list(dict.fromkeys(n for row in rows for n in [*row.exercises, *row.questions]))
    table = [["student", *names, "automatic", "written", "to be graded", "total", "max"]]
    graded = {row.student for row in rows}
    for row in rows:
        points = {**row.exercises, **row.questions}
        waits = row.questions and row.to_be_graded == len(row.questions)
        table.append(
            [harmless(row.student)]
            + [_number(points.get(name)) for name in names]
            + [_number(row.automatic), _number(None if waits else row.written)]
            + [str(row.to_be_graded), _number(row.total), _number(row.total_max)]
        )
    for one in people:
        if one.id not in graded:
            table.append([harmless(one.id), *[""] * (len(names) + 5)])
    return table


def _canvas(rows: list[Row], people: list[Student], column: str) -> list[list[str]]:
    known = [one for one in people if one.lms]
    if not known:
        raise CourseError(
            "The gradebook knows nobody's Canvas ID. Export the gradebook from Canvas, then run: "
            "dlcourse roster FILE --write"
        )
    points = final(rows)
    maximum = max((row.total_max for row in rows), default=0)
    table = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", column]]
    table.append(["    Points Possible", "", "", "", "", _number(maximum)])
    for one in known:
        name = f"{one.last}, {one.first}".strip(", ")
        table.append([harmless(name), one.lms, "", "", "", points.get(one.id, "")])
    return table


def _moodle(rows: list[Row], people: list[Student], column: str) -> list[list[str]]:
    known = [one for one in people if one.email]
    if not known:
        raise CourseError(
            "The gradebook knows nobody's e-mail address. Export the grades from Moodle, then run: "
            "dlcourse roster FILE --write"
        )
    points = final(rows)
    table = [["First name", "Last name", "Email address", column]]
    for one in known:
        name = [harmless(one.first), harmless(one.last)]
        table.append([*name, harmless(one.email), points.get(one.id, "")])
    return table


def _worksheet(rows: list[Row], people: list[Student], path: Path) -> list[list[str]]:
    """Moodle's own worksheet with the grades in it; every other field stays as it is."""
    header, lines = read_table(path)
    names = [name.strip().casefold() for name in header]
    whose = participants(path, people)
    if "grade" not in names:
        raise CourseError(f"{path.name} has no column Grade: download the worksheet again.")
    at, identifier = names.index("grade"), names.index("identifier")
    points = final(rows)
    for line in lines:
        line += [""] * (len(header) - len(line))
        student = whose.get("".join(c for c in line[identifier] if c.isdigit()), "")
        line[at] = points.get(student) or line[at]
    return [header, *lines]


def final(rows: list[Row]) -> dict[str, str]:
    """Student -> total, for those whose every answer is graded: half a grade is none."""
    return {row.student: _number(row.total) for row in rows if not row.to_be_graded}


def _number(points: float | None) -> str:
    return "" if points is None else f"{points:g}"
