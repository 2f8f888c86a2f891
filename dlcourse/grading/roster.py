"""The class's students into nbgrader's gradebook: what that would change first, then the change.

Nobody is removed, and nothing is written while one id is ambiguous: a grade that goes to the wrong
person is worse than a command that stops.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.table import Table

from dlcourse.grading.course import database, session
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.students import Student, read_students, students

with needs("grading"):
    import nbgrader.api
    from nbgrader.api import Gradebook


@dataclass
class Plan:
    """What a roster would do: nothing is written while anything is refused."""

    kind: str  # Canvas, Moodle or CSV
    id_column: str
    new: list[Student] = field(default_factory=list)
    changed: list[tuple[Student, Student]] = field(default_factory=list)  # before, after
    same: list[Student] = field(default_factory=list)
    kept: list[Student] = field(default_factory=list)  # in the gradebook, not in the file
    refused: list[str] = field(default_factory=list)

    def table(self) -> Table:
        """The plan for the terminal."""
        out = Table(box=None, title=f"{self.kind}: ids from '{self.id_column}'")
        out.title_justify = "left"
        for column in ("", "id", "name", "email"):
            out.add_column(column, overflow="fold")
        for one in self.new:
            out.add_row("new", one.id, one.name, one.email)
        for before, one in self.changed:
            out.add_row(
                "changed", one.id, _from(before.name, one.name), _from(before.email, one.email)
            )
        for one in self.kept:
            out.add_row("kept", one.id, one.name, one.email)
        for why in self.refused:
            out.add_row("[red]refused[/red]", "", why.replace("[", r"\["))
        return out


def _from(before: str, after: str) -> str:
    return after if before == after or not before else f"{after} (was {before})"


def plan(file: str | Path, home: str | Path = ".", id_column: str | None = None) -> Plan:
    """Read the file, compare it with the gradebook, change nothing."""
    read = read_students(Path(file), id_column)
    out, found = Plan(read.kind, read.id_column, refused=read.refused), read.students
    there = {one.id: one for one in students(home)}
    _refuse_ambiguous(out, found, there)
    for one in found:
        before = there.get(one.id)
        if before is None:
            out.new.append(one)
            continue
        filled = {  # a column that the file doesn't have empties nothing
            key: getattr(one, key) or getattr(before, key)
            for key in ("first", "last", "email", "lms")
        }
        one = replace(one, **filled)
        if one == before:
            out.same.append(one)
        else:
            out.changed.append((before, one))
    ids = {one.id for one in found}
    out.kept = [one for one in there.values() if one.id not in ids]
    return out


def write(made: Plan, home: str | Path = ".") -> None:
    """Put the plan's students into the gradebook; nobody is removed."""
    if made.refused:
        raise CourseError("Nothing was written. " + " ".join(made.refused))
    home = Path(home).resolve()
    with session(home), Gradebook(database(home)) as gradebook:
        for one in [*made.new, *(after for _, after in made.changed)]:
            row = gradebook.db.get(nbgrader.api.Student, one.id)
            if row is None:
                gradebook.db.add(row := nbgrader.api.Student(id=one.id))
            row.first_name, row.last_name = one.first or None, one.last or None
            row.email, row.lms_user_id = one.email or None, one.lms or None
        gradebook.db.commit()  # all of them or none


def _refuse_ambiguous(out: Plan, found: list[Student], there: dict[str, Student]) -> None:
    for id_, count in Counter(one.id.casefold() for one in found).items():
        if count > 1:
            who = ", ".join(one.name or "?" for one in found if one.id.casefold() == id_)
            out.refused.append(
                f"{count} students have the id '{id_}': {who}. Name another column "
                "with --id, or correct the file."
            )
    for what in ("lms", "email"):
        held = {getattr(one, what).casefold(): one for one in there.values() if getattr(one, what)}
        for value, count in Counter(getattr(one, what).casefold() for one in found).items():
            if value and count > 1:
                out.refused.append(f"{count} students have the {LABEL[what]} '{value}'.")
        for one in found:
            other = held.get(getattr(one, what).casefold())
            if other and other.id != one.id:
                out.refused.append(
                    f"{one.name or one.id} is in the gradebook as '{other.id}' already (the same "
                    f"{LABEL[what]}), and would be there a second time as '{one.id}'. Use --id to "
                    "name the column that the ids were taken from before."
                )
    folded = {id_.casefold(): id_ for id_ in there}
    for one in found:
        before = folded.get(one.id.casefold())
        if before and before != one.id:
            out.refused.append(f"'{one.id}' and '{before}' differ in capital letters only.")
        elif before and one.lms and there[before].lms not in ("", one.lms):
            out.refused.append(
                f"'{one.id}' is user {there[before].lms} in the gradebook and {one.lms} in the "
                "file: two people?"
            )


LABEL = {"lms": "Canvas ID", "email": "email address"}
