"""Who the students are: in a file that an LMS exported, and in nbgrader's gradebook.

Columns that are known by their names, in English:

- Canvas, gradebook export (lib/gradebook_exporter.rb in the public repository
  instructure/canvas-lms): ``Student`` as "Last, First", or ``LastName`` and ``FirstName``; ``ID``;
  ``SIS User ID``; ``SIS Login ID``; ``Section``. A row "Points Possible", one that says which
  assignments are posted by hand, and the test student are no students.
- Moodle, grade export (docs.moodle.org/311/en/Grade_import says that imports look like exports;
  the columns' names are Moodle's own strings): ``First name``, ``Last name`` or ``Surname``,
  ``ID number``, ``Email address``; the offline grading worksheet: ``Identifier``, ``Full name``.
- others: ``id`` or ``username``; ``name`` or ``first_name`` and ``last_name``; ``email``;
  ``lms_user_id``: the columns of ``nbgrader db student import``.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.grading.course import database
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.table import read_table

with needs("grading"):
    from nbgrader.api import Gradebook

SAFE = re.compile(r"\w[\w.@+'-]{0,119}")  # it becomes a folder's name
FIELDS = {  # what we want: the names that its column may have, the best first
    "id": ("id number", "sis login id", "student id", "username", "id", "email address", "email"),
    "first": ("first name", "firstname", "given name"),
    "last": ("last name", "lastname", "surname", "family name"),
    "name": ("full name", "student", "name", "student name"),
    "email": ("email address", "email", "e-mail", "mail"),
    "lms": ("lms user id",),
}


@dataclass(frozen=True)
class Student:
    """One student; ``lms`` is the user's number in Canvas."""

    id: str
    first: str = ""
    last: str = ""
    email: str = ""
    lms: str = ""

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}".strip()


@dataclass
class File:
    """What a file says: who is in it, and what of it can't be used."""

    kind: str  # Canvas, Moodle or CSV
    id_column: str
    students: list[Student] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def students(home: str | Path) -> list[Student]:
    """Who is in the gradebook."""
    home = Path(home).resolve()
    if not (home / "gradebook.db").exists():
        return []
    with Gradebook(database(home)) as gradebook:
        return [
            Student(s.id, s.first_name or "", s.last_name or "", s.email or "", s.lms_user_id or "")
            for s in gradebook.students
        ]


def read_students(path: Path, id_column: str | None = None) -> File:
    """The students of a file; CourseError where it has none, or no ids."""
    header, rows = read_table(path)
    file = path.name
    names = [_plain(name) for name in header]
    canvas = "section" in names and "id" in names and ({"student", "lastname"} & set(names))
    moodle = "email address" in names and ({"first name", "full name"} & set(names))
    columns = {
        what: next((names.index(name) for name in known if name in names), None)
        for what, known in FIELDS.items()
    }
    if canvas:
        columns["lms"] = names.index("id")
    candidates = [names.index(name) for name in FIELDS["id"] if name in names]
    if id_column is not None:
        if _plain(id_column) not in names:
            raise CourseError(f"{file} has no column '{id_column}'. It has: {', '.join(header)}.")
        candidates = [names.index(_plain(id_column))]
    people = [row for row in rows if any(row) and not (canvas and _no_student(row, columns))]
    # the first column that says something of everybody
    at = next((n for n in candidates if all(n < len(row) and row[n] for row in people)), None)
    if at is None and candidates:
        at = candidates[-1]
    if at is None or not people:
        what = "no students" if candidates else "no column with the students' ids"
        raise CourseError(
            f"{file} has {what}. Its columns are: {', '.join(header)}. Known are Canvas's and "
            "Moodle's gradebook exports in English, and a CSV with the columns id, name and email. "
            "Another column of ids is named with --id."
        )
    kind = "Canvas" if canvas else "Moodle" if moodle else "CSV"
    out = File(kind, header[at])
    for number, row in enumerate(people, 1):
        row = row + [""] * (len(header) - len(row))
        text = {what: "" if n is None else row[n].strip() for what, n in columns.items()}
        first, last = text["first"], text["last"]
        if not (first or last):
            first, last = _split(text["name"])
        one = Student(row[at].strip(), first, last, text["email"], text["lms"])
        if not SAFE.fullmatch(one.id):
            who = one.name or f"student {number} of the file"
            out.refused.append(
                f"{who} has the id '{one.id}', which can't be the name of a folder. Name another "
                "column with --id."
                if one.id
                else f"{who} has no id in '{header[at]}'. Name another column with --id."
            )
        else:
            out.students.append(one)
    return out


def _no_student(row: list[str], columns: dict[str, int | None]) -> bool:
    """Canvas's rows of points and of posting, and its test student."""
    at = columns["name"] if columns["name"] is not None else columns["last"]
    name = row[at or 0].strip()
    number = row[columns["lms"] or 0].strip() if len(row) > (columns["lms"] or 0) else ""
    return not number or "Points Possible" in name or name == "Student, Test"


def _split(name: str) -> tuple[str, str]:
    """First and last name: "Last, First", else the last word is the last name."""
    last, comma, first = name.partition(",")
    if comma:
        return first.strip(), last.strip()
    first, _, last = name.strip().rpartition(" ")
    return first, last


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.strip().casefold())
