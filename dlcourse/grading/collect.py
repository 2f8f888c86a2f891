"""Submissions from a Canvas or Moodle zip, a folder, or nbgrader's exchange to their places.

First a plan, which reads and changes nothing: whose each file is, which one counts, what is refused
and why. Then, if told so, the plan is carried out: each attempt is kept as it came
(``attempts.py``), and the newest one is copied to where nbgrader grades it.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path, PurePosixPath

from rich.table import Table

from dlcourse.grading import attempts as kept
from dlcourse.grading.archive import Entry, listing
from dlcourse.grading.attempts import EXCHANGE_FILES, Attempt, newest, submitted_file
from dlcourse.grading.errors import CourseError
from dlcourse.grading.intake import MAX_BYTES
from dlcourse.grading.match import Class
from dlcourse.grading.names import Name, copy_number, read_name
from dlcourse.grading.scores import is_released


@dataclass
class Handed:
    """One file that is somebody's."""

    student: str
    name: Name
    entry: Entry
    attempt: Attempt
    new: bool  # not among the kept attempts


@dataclass
class Plan:
    """What collecting would do."""

    slug: str
    home: Path
    handed: list[Handed] = field(default_factory=list)
    counts: dict[str, Attempt] = field(default_factory=dict)  # student -> the one to be graded
    by_hand: set[str] = field(default_factory=set)  # submitted/ has a file that wasn't collected
    refused: dict[str, str] = field(default_factory=dict)  # path -> why
    missing: list[str] = field(default_factory=list)  # of the roster
    beside: dict[str, Entry] = field(default_factory=dict)  # what nbgrader's exchange adds

    @property
    def new(self) -> list[Handed]:
        return [one for one in self.handed if one.new]

    def table(self) -> Table:
        """The plan for the terminal."""
        out = Table(box=None)
        for column in ("student", "file", "who it says", ""):
            out.add_column(column, overflow="fold")
        for one in self.handed:
            counts = same_file(self.counts[one.student], one.attempt)
            remarks = [
                "new" if one.new else "known",
                *(["late"] if one.name.late else []),
                *([] if counts else ["an earlier attempt: kept, not graded"]),
            ]
            out.add_row(one.student, one.name.file, one.name.label, ", ".join(remarks))
        for path, why in self.refused.items():
            out.add_row("[red]refused[/red]", _plain(path), "", _plain(why))
        for student in sorted(self.by_hand):
            out.add_row(student, "", "", "the file in submitted/ was put there by hand: kept")
        return out

    def summary(self) -> str:
        """How many of each, in one line."""
        return (
            f"{len(self.handed)} files of {len({one.student for one in self.handed})} students, "
            f"{len(self.new)} of them new; {len(self.refused)} refused; "
            f"{len(self.missing)} of the roster handed in nothing."
        )


def plan(
    slug: str,
    path: str | Path,
    home: str | Path = ".",
    worksheet: str | Path | None = None,
    any_name: bool = False,
    max_bytes: int | None = None,
) -> Plan:
    """Read ``path`` and say what would be done. Nothing is changed.

    ``worksheet`` is Moodle's grading worksheet of the assignment: it tells two students of one name
    apart. ``any_name`` takes a student's only notebook, whatever it is called.
    """
    home = Path(home).resolve()
    is_released(slug, home)
    out = Plan(slug, home)
    class_ = Class.read(home, Path(worksheet) if worksheet else None)
    found = listing(Path(path), MAX_BYTES if max_bytes is None else max_bytes)
    out.refused = dict(found.refused)
    out.beside = {e.path: e for e in found.entries if PurePosixPath(e.path).name in EXCHANGE_FILES}
    of: dict[str, list[tuple[Name, Entry]]] = defaultdict(list)
    for entry in found.entries:
        if PurePosixPath(entry.path).suffix.casefold() != ".ipynb":
            if entry.path.casefold().endswith(".zip"):
                out.refused[entry.path] = "it is a zip in the zip. Unpack it, and collect that."
            continue
        name = read_name(entry.path, class_.ids, slug)
        if isinstance(name, str):
            out.refused[entry.path] = name
            continue
        student = class_.whose(name)
        if student.id is None:
            out.refused[entry.path] = student.why
        else:
            of[student.id].append((name, entry))
    for student_id, files in sorted(of.items()):
        _one_student(out, student_id, files, str(Path(path).name), any_name)
    handed = {one.student for one in out.handed}
    out.missing = sorted(class_.ids - handed)
    if not out.handed and not out.refused:
        raise CourseError(f"{path} holds no notebooks (*.ipynb) at all.")
    return out


def write(made: Plan) -> None:
    """Carry the plan out. What is there already is left as it is, so it can be done again."""
    home, slug = made.home, made.slug
    for student in sorted(made.counts):
        new = [one for one in made.new if one.student == student]
        path = submitted_file(home, slug, student)
        if student in made.by_hand:
            if not new:
                continue
            kept.keep(home, slug, student, _by_hand(path), path.read_bytes(), {})
        for one in new:
            data = one.entry.read()
            if kept.digest(data) != one.attempt.sha256:
                raise CourseError(f"{one.entry.path} has changed meanwhile. Collect it again.")
            where = PurePosixPath(one.entry.path).parent
            beside = {name: made.beside.get(str(where / name)) for name in EXCHANGE_FILES}
            extra = {name: entry.read() for name, entry in beside.items() if entry}
            kept.keep(home, slug, student, one.attempt, data, extra)
        last = newest(kept.attempts(home, slug, student))
        if not path.exists() or kept.digest(path.read_bytes()) != last.sha256:
            kept.install(home, slug, student, last)


def _one_student(
    out: Plan, student: str, files: list[tuple[Name, Entry]], source: str, any_name: bool
) -> None:
    """Which of a student's files are theirs without doubt, and which of them counts."""
    fitting = _fitting(out, student, files, any_name)
    path = submitted_file(out.home, out.slug, student)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        for _, _, entry in fitting:
            out.refused[entry.path] = f"{path} is no ordinary file. Move it away."
        return
    earlier = kept.attempts(out.home, out.slug, student)
    fresh: list[Handed] = []
    latest = max((entry.time for _, _, entry in fitting), default=0.0)
    for _, name, entry in fitting:  # the one that counts comes last
        try:
            sha256 = kept.digest(entry.read())
        except OSError as error:
            out.refused[entry.path] = str(error)
            continue
        is_last = entry is fitting[-1][2]
        attempt = Attempt(
            sha256,
            name.file,
            name.kind,
            f"{source}: {entry.path}",
            name.answer,
            name.late,
            name.order,
            _seconds(name, latest if is_last else entry.time),
            name.participant,
        )
        before = [*earlier, *(one.attempt for one in fresh)]
        known = any(same_file(a, attempt) for a in before)
        if known and is_last and not attempt.order and attempt.time > newest(before).time:
            known = same_file(newest(before), attempt)  # else it was handed in a second time
        fresh.append(Handed(student, name, entry, attempt, not known))
    if not fresh:
        return
    new = [one.attempt for one in fresh if one.new]
    collected = {a.sha256 for a in [*earlier, *new]}
    if path.exists() and kept.digest(path.read_bytes()) not in collected:
        out.by_hand.add(student)
    hand = [_by_hand(path)] if student in out.by_hand else []
    out.counts[student] = newest([*earlier, *hand, *new])
    out.handed += fresh


def _fitting(
    out: Plan, student: str, files: list[tuple[Name, Entry]], any_name: bool
) -> list[tuple[tuple[int, ...], Name, Entry]]:
    """The files that are this sheet, with the copy's number; what is in doubt is refused."""
    fitting = []
    for name, entry in files:
        number = copy_number(name.file, out.slug)
        if number is None and any_name and len(files) == 1:
            number = ()
        if number is None:
            out.refused[entry.path] = (
                f"it is not called {out.slug}.ipynb. If it is that sheet, collect with --any-name, "
                "which takes a student's only notebook."
            )
        else:
            fitting.append((number, name, entry))
    owners = {(name.kind, name.key, name.participant) for _, name, _ in fitting}
    places: dict[tuple, list[str]] = defaultdict(list)
    for number, name, entry in fitting:
        places[name.order, number, name.time].append(entry.path)
    for paths in places.values():
        if len(owners) > 1:
            out.refused |= dict.fromkeys(paths, f"several people's files would go to '{student}'.")
        elif len(paths) > 1:
            why = f"'{student}' has {len(paths)} files of this name: which one counts?"
            out.refused |= dict.fromkeys(paths, why)
    sound = [one for one in fitting if one[2].path not in out.refused]
    return sorted(sound, key=lambda one: (one[1].order, one[0], one[2].time))


def same_file(one: Attempt, other: Attempt) -> bool:
    """Whether two are the same upload: equal bytes, and Canvas's number too where it gave one."""
    return one.sha256 == other.sha256 and one.order == other.order


def _by_hand(path: Path) -> Attempt:
    time = path.stat().st_mtime
    sha256 = kept.digest(path.read_bytes())
    return Attempt(sha256, path.name, "by hand", f"submitted: {path.name}", time=time)


def _seconds(name: Name, time: float) -> float:
    if not name.time:
        return time
    from nbgrader.utils import parse_utc

    try:
        return parse_utc(name.time).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return time


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
