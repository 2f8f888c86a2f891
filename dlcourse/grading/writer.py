"""The one writer: what becomes of a submission before and after it is executed."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.grading import jobs
from dlcourse.grading.backends import Finished
from dlcourse.grading.drive import undisturbed
from dlcourse.grading.gradebooks import opened
from dlcourse.grading.intake import take
from dlcourse.grading.isolation import NONE
from dlcourse.grading.jobs import Job
from dlcourse.grading.journal import (
    FAILED,
    GRADED,
    Entry,
    Journal,
    Source,
    is_done,
    of_sheet,
    of_submission,
    recorded,
)
from dlcourse.grading.pipeline import NotGraded, Pipeline, scores
from dlcourse.grading.restore import sheet_cells
from dlcourse.grading.scores import Row, graded_notebook, verdict_errors
from dlcourse.grading.submissions import beside, failure_note, keep, notes_file, sayable


@dataclass
class Result:
    """The class after a run: a row for each student, and why some weren't graded."""

    slug: str
    rows: list[Row] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)  # graded, but some cells weren't run
    notes: dict[str, list[str]] = field(default_factory=dict)  # what was repaired, by student
    skipped: list[str] = field(default_factory=list)  # graded by the run that this one resumes

    @property
    def ok(self) -> bool:
        return not self.failed


class Run:
    """One run over a class. It alone touches gradebook, graded copies and journal."""

    pipeline: Pipeline

    def __init__(
        self,
        slug: str,
        home: Path,
        url: str,
        isolation: str,
        say: Callable[[str, str, str], None] = lambda student, what, style: None,
        max_bytes: int | None = None,
    ):
        self.slug, self.home, self.isolation, self.say = slug, home, isolation, say
        self.max_bytes, self.cells = max_bytes, sheet_cells(url, slug, slug)
        self.sheet = jobs.settings(slug, home)
        self.seed = jobs.class_seed(home) if isolation == NONE else None
        self.journal = Journal(slug, home)
        self.earlier = self.journal.last()
        with opened(url) as gradebook:
            self.recorded = recorded(gradebook, slug)
            self.sheet_hash = of_sheet(gradebook, slug)
        self.result = Result(slug)
        self.sources: dict[str, Source] = {}
        self.notes: dict[str, list[str]] = {}  # what intake repaired
        self.count = 0  # came to an end

    def folder(self, student: str) -> Path:
        return self.home / "submitted" / student / self.slug

    def source(self, student: str) -> Source:
        """The bytes that this student's grade is made from; none where they can't be read."""
        submission = ""
        with contextlib.suppress(OSError):
            submission = of_submission(self.folder(student))
        return Source(
            submission,
            self.sheet_hash,
            self.sheet.fingerprint,
            jobs.digest(),
            self.isolation,
        )

    def is_done(self, student: str) -> bool:
        source = self.source(student)
        return bool(source.submission) and is_done(
            self.earlier.get(student),
            source,
            self.recorded.get(student, {}),
            graded_notebook(self.slug, self.home, student),
        )

    def prepare(self, student: str) -> Job | None:
        """What is to be executed; None where the submission came to its end here."""
        self.sources[student] = self.source(student)
        taken = take(self.folder(student), self.slug, self.cells, self.max_bytes)
        try:
            left_out = beside(self.folder(student))[1]
            self.notes[student] = [sayable(note) for note in taken.notes + left_out]
            if taken.reason:
                raise NotGraded(taken.reason)
            clean = self.pipeline.clean(student, taken.notebook)
        except Exception as error:  # whatever a notebook holds, the class goes on
            self.fail(student, str(error))
            return None
        return Job(student, clean, self.sheet, self.isolation, self.seed, jobs.digest())

    def finished(self, back: Finished) -> None:
        """Score and save what came back, then note it: in this order, and each as a whole."""
        student, done = back.job.student, back.execution
        if done is None:
            return self.fail(student, back.why)
        done.stopped, done.flags = sayable(done.stopped), [sayable(flag) for flag in done.flags]
        try:
            notebook = self.pipeline.finish(student, done)
            with undisturbed():
                copy = self.pipeline.save(student, notebook)
                why = verdict_errors(self.slug, self.home, student)
                entry = self.entry(student, FAILED if why else GRADED, why or done.stopped)
                entry.scores, entry.copy, entry.isolation = scores(notebook), copy, done.isolation
                entry.flags, entry.seconds = done.flags, {"worker": back.seconds, **done.seconds}
                self.journal.add(entry)
                self._note(student, why)
                self.count += 1
                if done.stopped:
                    self.result.stopped[student] = done.stopped
        except NotGraded as error:
            return self.fail(student, str(error))

    def fail(self, student: str, why: str) -> None:
        """No new grade; the earlier one stays, and so does its copy."""
        why = sayable(why)
        with undisturbed():
            self.journal.add(self.entry(student, FAILED, why))
            self._note(student, why)
            self.count += 1

    def entry(self, student: str, outcome: str, why: str) -> Entry:
        return Entry(student, self.sources[student], outcome, why)

    def _note(self, student: str, why: str | None) -> None:
        """Keep for the report why there is no grade, and what was repaired."""
        keep(failure_note(self.slug, self.home, student), [why] if why else [])
        keep(notes_file(self.slug, self.home, student), notes := self.notes.get(student, []))
        if why:
            self.result.failed[student] = why
            self.say(student, why, "red")
        if notes:
            self.result.notes[student] = notes
        for each in notes:
            self.say(student, each, "dim")
