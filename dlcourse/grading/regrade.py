"""Grades a class anew, and shows what would change before anything is written.

Also tries whether the checks themselves are steady: the same submissions under two other secrets,
and the parts whose verdict differs between the two.
"""

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from dlcourse.checks.core.secret import SIZE
from dlcourse.grading import jobs
from dlcourse.grading.backends import Backend, Finished, InProcess
from dlcourse.grading.course import database, writable
from dlcourse.grading.drive import drive, watched
from dlcourse.grading.isolation import known
from dlcourse.grading.jobs import Job
from dlcourse.grading.lock import locked
from dlcourse.grading.once import done_once
from dlcourse.grading.pipeline import Pipeline, scores
from dlcourse.grading.scores import is_released
from dlcourse.grading.submissions import chosen
from dlcourse.grading.writer import Run


@dataclass(frozen=True)
class Change:
    """One graded cell of one student: its automatic points before and after. None: no grade."""

    student: str
    cell: str
    before: float | None
    after: float | None


@dataclass
class Difference:
    """What a regrading changes. ``failed`` keep their grade."""

    changes: list[Change] = field(default_factory=list)
    graded: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    written: bool = False


def regrade(
    slug: str,
    home: str | Path = ".",
    student: str | None = None,
    console: Console | None = None,
    *,
    isolation: str = "auto",
    backend: Backend | None = None,
    agreed: Callable[[Difference], bool] = lambda difference: False,
) -> Difference:
    """Grade all anew, ask ``agreed`` with the difference in scores, and write where it says yes.

    Nothing is written before: neither grade nor file. Points given by hand stay, and nbgrader asks
    for a look at them where the cell is graded anew.
    """
    home, backend = Path(home).resolve(), backend or InProcess()
    known(isolation)
    with done_once(), closing(backend), locked(home, url := database(home)):
        is_released(slug, home)
        students = chosen(slug, home, student)
        run = Held(slug, home, url, isolation)
        with (
            Pipeline.opened(slug, home) as run.pipeline,
            watched(len(students), console) as watch,
        ):
            drive(students, run.prepare, backend, run.finished, watch)
        run.out.failed = {**run.result.failed}
        if run.back and agreed(run.out):
            writable(home / "autograded")
            with Pipeline.opened(slug, home) as run.pipeline:
                for back in run.back.values():
                    Run.finished(run, back)
            run.out.failed = {**run.result.failed}
            run.out.written = True
    return run.out


class Held(Run):
    """A run that holds back what it would write."""

    def __init__(self, slug: str, home: Path, url: str, isolation: str):
        super().__init__(slug, home, url, isolation)
        self.out = Difference()
        self.back: dict[str, Finished] = {}

    def finished(self, back: Finished) -> None:
        student = back.job.student
        if back.execution is None:
            return self.fail(student, back.why)
        self.back[student] = back
        after = scores(self.pipeline.finish(student, back.execution))
        before = self.recorded.get(student, {})
        self.out.graded += 1
        self.out.changes += [
            Change(student, cell, before.get(cell), points)
            for cell, points in after.items()
            if before.get(cell) != points
        ]

    def fail(self, student: str, why: str) -> None:
        if student in self.back:  # it could be executed, but not written
            return super().fail(student, why)
        self.result.failed[student] = why


# Steadiness ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unsteady:
    """A part of an exercise that was right under one secret and wrong under another."""

    student: str
    exercise: str
    part: str
    right: tuple[bool | None, bool | None]  # None: no verdict


def determinism(
    slug: str,
    home: str | Path = ".",
    student: str | None = None,
    console: Console | None = None,
    *,
    isolation: str = "auto",
    backend: Backend | None = None,
    seeds: tuple[bytes, bytes] | None = None,
) -> list[Unsteady]:
    """Execute all under two fresh secrets, and return what isn't the same. Nothing is written."""
    home, backend = Path(home).resolve(), backend or InProcess()
    known(isolation)
    seeds = seeds or (secrets.token_bytes(SIZE), secrets.token_bytes(SIZE))
    found: list[dict[str, dict[tuple[str, str], bool]]] = []
    with done_once(), closing(backend):
        is_released(slug, home)
        students = chosen(slug, home, student)
        run = Held(slug, home, database(home), isolation)
        with (
            Pipeline.opened(slug, home) as run.pipeline,
            watched(2 * len(students), console) as watch,
        ):
            for number, seed in enumerate(seeds):
                said: dict[str, dict[tuple[str, str], bool]] = {}
                sheet = jobs.settings(slug, home, seed, random_state=number + 1)

                def prepare(name: str, sheet=sheet, seed=seed) -> Job | None:
                    job = run.prepare(name)
                    return job and jobs.under(job, sheet, seed)

                def finished(back: Finished, said=said) -> None:
                    verdicts = back.execution.verdicts if back.execution else {}
                    said[back.job.student] = {
                        (name, part): right
                        for name, verdict in verdicts.items()
                        for part, right in verdict["parts"].items()
                    }

                def seen(done: int, running: list[str], number=number) -> None:
                    watch(number * len(students) + done, running)

                drive(students, prepare, backend, finished, seen)
                found.append(said)
    one, two = found
    return [
        Unsteady(name, *key, (one[name].get(key), two.get(name, {}).get(key)))
        for name in one
        for key in sorted({*one[name], *two.get(name, {})})
        if one[name].get(key) != two.get(name, {}).get(key)
    ]


# Tables ----------------------------------------------------------------------------------------


def table(difference: Difference) -> Group:
    """The difference in scores, for the terminal."""
    lines = Table(title=f"{difference.graded} graded anew", title_justify="left")
    lines.add_column("student")
    lines.add_column("cell")
    for column in ("before", "after"):
        lines.add_column(column, justify="right")
    for change in difference.changes:
        lines.add_row(change.student, change.cell, _points(change.before), _points(change.after))
    failed = [
        Text(f"{student}: {why} Its grade stays.", "red")
        for student, why in difference.failed.items()
    ]
    return Group(*([lines] if difference.changes else []), *failed)


def _points(points: float | None) -> str:
    return "–" if points is None else f"{points:g}"
