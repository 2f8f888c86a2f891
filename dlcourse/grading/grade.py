"""Grades a class, one submission after the other, with stock kernels through nbgrader.

One broken submission never stops the others: it is reported in plain words, its earlier grade and
files stay, and the result says that not everybody was graded.
"""

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dlcourse.grading.course import database, did_you_mean, session, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.identify import SheetCell
from dlcourse.grading.intake import take
from dlcourse.grading.log import captured, reason
from dlcourse.grading.restore import sheet_cells
from dlcourse.grading.scores import Row, is_released, read, verdict_errors

with needs("grading"):
    import nbformat
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory

STAGE = "build/intake"  # what nbgrader reads in place of submitted/, while it grades


@dataclass
class Result:
    """The class after a run: a row for each student, and why some weren't graded."""

    slug: str
    rows: list[Row] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)  # what was repaired, by student

    @property
    def ok(self) -> bool:
        return not self.failed


def grade(
    slug: str,
    home: str | Path = ".",
    student: str | None = None,
    console: Console | None = None,
    max_bytes: int | None = None,
) -> Result:
    """Grade ``<home>/submitted/*/<slug>``, or one student's; progress goes to ``console``.

    ``max_bytes`` is the largest file that is accepted (``intake.MAX_BYTES`` where None).
    """
    home = Path(home).resolve()
    is_released(slug, home)
    students = submitted(slug, home)
    if student is not None:
        if student not in students:
            raise CourseError(
                f"'{student}' has submitted nothing for '{slug}' in {home / 'submitted'}."
                + did_you_mean(student, students)
            )
        students = [student]
    writable(home / "autograded")
    result = Result(slug)
    sheet = sheet_cells(database(home), slug, slug)
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[who]}"),
    )
    quiet = console or Console(quiet=True)
    with Progress(*columns, console=quiet, disable=console is None) as progress:
        task = progress.add_task("grade", total=len(students), who="")
        for name in students:
            progress.update(task, who=name)
            if why := grade_one(slug, home, name, sheet, max_bytes):
                result.failed[name] = why
                quiet.print(f"[red]{name}[/red]: {why}", highlight=False)
            if notes := read_notes(slug, home, name):
                result.notes[name] = notes
                quiet.print(*(f"{name}: {n}" for n in notes), sep="\n", markup=False, style="dim")
            progress.advance(task)
        progress.update(task, who="")
    result.rows = read(slug, home)
    return result


def submitted(slug: str, home: Path) -> list[str]:
    """The students with a folder ``submitted/<student>/<slug>``; CourseError if there are none."""
    students = sorted(p.parent.name for p in (home / "submitted").glob(f"*/{slug}") if p.is_dir())
    if not students:
        raise CourseError(
            f"Nobody has submitted '{slug}'. Put the notebooks where they belong: "
            f"{home / 'submitted' / 'STUDENT' / slug / f'{slug}.ipynb'}"
        )
    return students


def grade_one(
    slug: str, home: Path, student: str, sheet: list[SheetCell], max_bytes: int | None = None
) -> str | None:
    """Grade one submission: None, or in plain words why it has no (new) grade."""
    place = home / "autograded" / student
    place.mkdir(parents=True, exist_ok=True)
    folder = home / "submitted" / student / slug
    taken = take(folder, slug, sheet, max_bytes)
    why = taken.reason
    if why is None:
        stage(folder, home / STAGE / student / slug, slug, taken.notebook)
        try:
            why = _autograde(slug, home, student)
        finally:
            shutil.rmtree(home / STAGE / student, ignore_errors=True)
    why = why or verdict_errors(slug, home, student)
    _keep(failure_note(slug, home, student), [why] if why else [])  # for the report
    _keep(notes_file(slug, home, student), taken.notes)
    return why


def stage(folder: Path, to: Path, slug: str, notebook: nbformat.NotebookNode) -> None:
    """What nbgrader grades: the notebook as it was taken in, and the ordinary files beside it.

    The file that was handed in stays as it is, and no link is followed.
    """
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for where, _, files in os.walk(folder):
        for item in (Path(where, name) for name in files if not name.endswith(".ipynb")):
            if stat.S_ISREG(item.lstat().st_mode):
                copy = to / item.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(item, copy)
    nbformat.write(notebook, to / f"{slug}.ipynb")


def _keep(path: Path, lines: list[str]) -> None:
    if lines:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def failure_note(slug: str, home: Path, student: str) -> Path:
    """Where the reason is kept why a submission could not be graded."""
    return home / "autograded" / student / f"{slug}.failed.txt"


def notes_file(slug: str, home: Path, student: str) -> Path:
    """Where it is kept what was repaired before a submission was graded."""
    return home / "autograded" / student / f"{slug}.notes.txt"


def read_notes(slug: str, home: Path, student: str) -> list[str]:
    """What was repaired in this student's submission, a sentence each."""
    path = notes_file(slug, home, student)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _autograde(slug: str, home: Path, student: str) -> str | None:
    """nbgrader's Autograde for one submission. It removes the graded copy before it starts and
    after it fails, so the earlier copy waits beside it until there is a new one."""
    copy = home / "autograded" / student / slug
    kept = copy.with_name(f".{slug}.before")
    if kept.exists() and not copy.exists():  # an earlier run was killed
        kept.rename(copy)
    shutil.rmtree(kept, ignore_errors=True)
    if copy.exists():
        copy.rename(kept)
    done = False
    with session(home) as config, captured() as log:
        config.CourseDirectory.submitted_directory = STAGE
        directory = CourseDirectory(config=config, assignment_id=slug, student_id=student)
        try:
            Autograde(coursedir=directory, config=config).start()
            done = True
        except Exception:  # nbgrader logged what happened; this one only says "see above"
            return reason(log)
        finally:
            if kept.exists():
                shutil.rmtree(kept if done else copy, ignore_errors=True)
            if kept.exists():
                kept.rename(copy)
    return None


def summary(result: Result) -> Table:
    """The class as a table for the terminal."""
    table = Table(title=f"{result.slug}: {len(result.rows)} graded", title_justify="left")
    table.add_column("student")
    for column in ("automatic", "written", "to be graded"):
        table.add_column(column, justify="right")
    for row in result.rows:
        pending = str(row.to_be_graded) if row.to_be_graded else ""
        table.add_row(
            row.student,
            f"{row.automatic:g} of {row.automatic_max:g}",
            f"{row.written:g} of {row.written_max:g}",
            pending,
        )
    for student, why in result.failed.items():
        table.add_row(f"[red]{student}[/red]", f"[red]not graded: {why}[/red]")
    return table
