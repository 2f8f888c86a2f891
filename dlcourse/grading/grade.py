"""Grades a class: one writer to the gradebook, and as many workers as one has.

One broken submission never stops the others: it is reported in plain words, its earlier grade and
files stay, and the result says that not everybody was graded. A run that is stopped or killed goes
on with ``resume``, and ends as if nothing had happened.
"""

import contextlib
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from dlcourse.grading.backends import Backend, InProcess
from dlcourse.grading.course import database, writable
from dlcourse.grading.drive import drive, watched
from dlcourse.grading.errors import CourseError
from dlcourse.grading.isolation import known
from dlcourse.grading.lock import locked
from dlcourse.grading.once import done_once
from dlcourse.grading.pipeline import Pipeline, recover
from dlcourse.grading.scores import graded_notebook, is_released, read
from dlcourse.grading.submissions import chosen
from dlcourse.grading.writer import Result, Run


class Interrupted(CourseError):
    """Somebody stopped the run. What it had finished is in the gradebook."""


def grade(
    slug: str,
    home: str | Path = ".",
    student: str | None = None,
    console: Console | None = None,
    *,
    isolation: str = "auto",
    resume: bool = False,
    backend: Backend | None = None,
    max_bytes: int | None = None,
) -> Result:
    """Grade ``<home>/submitted/*/<slug>``, or one student's; progress goes to ``console``.

    ``max_bytes`` is the largest file that is accepted (``intake.MAX_BYTES`` where None).
    ``backend`` executes the notebooks: in this process where there is none. With ``resume`` those
    are skipped whose grade is in journal and gradebook already, and was made from the same bytes.
    """
    home = Path(home).resolve()
    known(isolation)
    is_released(slug, home)
    students = chosen(slug, home, student)
    writable(home / "autograded")
    backend = backend or InProcess()

    def say(name: str, what: str, style: str) -> None:
        if console:
            console.print(name, style=style, end="", markup=False, highlight=False)
            console.print(f": {what}", markup=False, highlight=False)

    with done_once(), contextlib.closing(backend), locked(home, url := database(home)):
        run = Run(slug, home, url, isolation, say, max_bytes)
        for name in students:
            recover(graded_notebook(slug, home, name).parent)
        if resume:
            students = [name for name in students if not run.is_done(name)]
            run.result.skipped = sorted(set(chosen(slug, home, student)) - set(students))
        with (
            Pipeline.opened(slug, home) as run.pipeline,
            watched(len(students), console) as watch,
        ):
            try:
                drive(students, run.prepare, backend, run.finished, watch)
            except KeyboardInterrupt:
                done = len(run.result.skipped) + run.count
                raise Interrupted(
                    f"Stopped. {done} of {done + len(students) - run.count} are done, and their "
                    f"grades are in the gradebook. Go on with: dlcourse grade {slug} --resume"
                ) from None
    run.result.rows = read(slug, home)
    return run.result


def summary(result: Result) -> Group:
    """The class for the terminal: a table, and below it who isn't graded, or not all was run."""
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
    lines = [Text(f"{s}: not all was run: {why}", "yellow") for s, why in result.stopped.items()]
    lines += [Text(f"{s}: not graded: {why}", "red") for s, why in result.failed.items()]
    if result.skipped:
        lines.append(Text(f"{len(result.skipped)} of them had been graded before this run."))
    return Group(table, *lines)
