"""Grades a class, one submission after the other, with stock kernels through nbgrader.

One broken submission never stops the others: it is reported in plain words, its earlier grade and
files stay, and the result says that not everybody was graded.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dlcourse.grading.course import did_you_mean, session, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.log import captured, reason
from dlcourse.grading.scores import Row, is_released, read, verdict_errors

with needs("grading"):
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory


@dataclass
class Result:
    """The class after a run: a row for each student, and why some weren't graded."""

    slug: str
    rows: list[Row] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.failed


def grade(
    slug: str,
    home: str | Path = ".",
    student: str | None = None,
    console: Console | None = None,
) -> Result:
    """Grade ``<home>/submitted/*/<slug>``, or one student's; progress goes to ``console``."""
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
            if why := grade_one(slug, home, name):
                result.failed[name] = why
                quiet.print(f"[red]{name}[/red]: {why}", highlight=False)
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


def grade_one(slug: str, home: Path, student: str) -> str | None:
    """Grade one submission: None, or in plain words why it has no (new) grade."""
    place = home / "autograded" / student
    note = failure_note(slug, home, student)
    why = unreadable(home / "submitted" / student / slug / f"{slug}.ipynb")
    if why is None:
        why = _autograde(slug, home, student)
    why = why or verdict_errors(slug, home, student)
    if why:
        place.mkdir(parents=True, exist_ok=True)
        note.write_text(why + "\n", encoding="utf-8")  # for the report
    else:
        note.unlink(missing_ok=True)
    return why


def failure_note(slug: str, home: Path, student: str) -> Path:
    """Where the reason is kept why a submission could not be graded."""
    return home / "autograded" / student / f"{slug}.failed.txt"


def unreadable(path: Path) -> str | None:
    """What keeps a file from being a notebook, in plain words; None if it is one."""
    if not path.exists():
        others = sorted(p.name for p in path.parent.glob("*.ipynb"))
        found = f" Found: {', '.join(others)}." if others else ""
        return f"there is no file {path.name} in the submission.{found}"
    if not (data := path.read_bytes()).strip():
        return f"{path.name} is empty."
    try:
        notebook = json.loads(data.decode("utf-8"))  # nbformat reads no other encoding
    except (UnicodeDecodeError, ValueError, RecursionError):
        return f"{path.name} is not a notebook: it can't be read as JSON."
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return f"{path.name} is JSON, but not a notebook: it has no list of cells."
    return None


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
