"""Whose a file is: what its name says, held against the roster. A doubt is a refusal."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.grading.errors import CourseError
from dlcourse.grading.names import Name, same_person
from dlcourse.grading.students import SAFE, Student, students
from dlcourse.grading.table import read_table


@dataclass(frozen=True)
class Match:
    """A student's id, or why there is none."""

    id: str | None
    why: str = ""


@dataclass
class Class:
    """The roster, by everything that names of files can say."""

    ids: set[str]
    by_lms: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, list[str]] = field(default_factory=dict)
    by_participant: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, home: Path, worksheet: Path | None = None) -> "Class":
        """From the gradebook, and Moodle's grading worksheet if there is one."""
        people = students(home)
        out = cls({one.id for one in people})
        names: dict[str, set[str]] = defaultdict(set)
        for one in people:
            if one.lms:
                out.by_lms[one.lms] = one.id
            for name in (f"{one.first}{one.last}", f"{one.last}{one.first}"):
                if same_person(name):
                    names[same_person(name)].add(one.id)
        out.by_name = {name: sorted(ids) for name, ids in names.items()}
        if worksheet is not None:
            out.by_participant = participants(worksheet, people)
        return out

    def whose(self, name: Name) -> Match:
        """The one student of the roster whose file this is."""
        if name.kind == "canvas":
            return self._canvas(name)
        if name.kind == "moodle":
            return self._moodle(name)
        if name.key in self.ids:
            return Match(name.key)
        if name.kind == "folder" and not self.ids and SAFE.fullmatch(name.key):
            return Match(name.key)  # without a roster the folders' names are the ids
        return Match(None, f"'{name.key}' is not in the roster.{_AGAIN}")

    def _canvas(self, name: Name) -> Match:
        if name.key in self.by_lms:
            return Match(self.by_lms[name.key])
        if not self.by_lms:  # the roster came from elsewhere: names are all there is
            return self._named(name.label, f"Canvas's user {name.key}")
        return Match(None, f"Canvas's user {name.key} is not in the roster.{_AGAIN}")

    def _moodle(self, name: Name) -> Match:
        if name.participant in self.by_participant:
            return Match(self.by_participant[name.participant])
        if self.by_participant:
            return Match(None, f"participant {name.participant} is not in the worksheet.")
        return self._named(name.key, f"'{name.key}'")

    def _named(self, name: str, shown: str) -> Match:
        ids = self.by_name.get(same_person(name), [])
        if len(ids) == 1:
            return Match(ids[0])
        if ids:
            return Match(
                None,
                f"{len(ids)} students are called {name}: {', '.join(ids)}. Download the "
                "assignment's grading worksheet from Moodle, and name it with --worksheet.",
            )
        return Match(None, f"{shown} is not in the roster.{_AGAIN}")


_AGAIN = " Export the gradebook again, and run: dlcourse roster FILE --write"


def participants(worksheet: Path, people: list[Student]) -> dict[str, str]:
    """Moodle's number of a participant -> our id, by the e-mail addresses in its worksheet.

    Its columns Identifier ("Participant 123"), Full name and Email address are those of
    mod/assign/gradingtable.php; which number belongs to whom differs from assignment to assignment.
    """
    header, rows = read_table(worksheet)
    names = [name.strip().casefold() for name in header]
    if "identifier" not in names or "email address" not in names:
        raise CourseError(
            f"{worksheet.name} is no grading worksheet of Moodle: it needs the columns Identifier "
            f"and Email address, and has {', '.join(header)}."
        )
    at, mail = names.index("identifier"), names.index("email address")
    by_mail = {one.email.casefold(): one.id for one in people if one.email}
    found = {}
    for row in rows:
        number = "".join(c for c in row[at] if c.isdigit())
        if number and len(row) > mail and row[mail].strip().casefold() in by_mail:
            found[number] = by_mail[row[mail].strip().casefold()]
    return found
