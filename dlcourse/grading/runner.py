"""One submission: a notebook in, an executed notebook and its verdicts out.

:func:`run` touches no gradebook, no folder of the class and no other submission, so it may be
called in any process on any machine that has the course.
"""

import copy
import json
import re
import time
from dataclasses import replace
from typing import Any

from nbformat import NotebookNode

from dlcourse.grading import judging, plain, shown
from dlcourse.grading.execution import Execution, Sheet, exercises
from dlcourse.grading.limits import Limits
from dlcourse.grading.sandbox import Door, Sandbox, Submission
from dlcourse.grading.wire import Malformed

__all__ = ["Execution", "Limits", "Sheet", "run"]
CELL = 3_000_000  # characters of its source, as it is sent
GRACE = 3  # seconds that an interrupted cell has to come to its end


def run(notebook: NotebookNode, sheet: Sheet, sandbox: Sandbox | Door | None = None) -> Execution:
    """Execute ``notebook`` in ``sandbox`` and judge its graded ``check(...)`` cells from outside.

    ``notebook`` is clean: sanitised, with the sheet's own cells put back; it isn't changed.
    ``sandbox`` is an open one from ``sheet.sandbox()``, or a door to one, to be used for many
    submissions one after the other; without it one is opened for this call. Nothing that the
    notebook's code does raises here: what it earned before stays, and ``stopped`` or ``reasons``
    say what happened. Raises ``CourseError`` where no sandbox can be had.
    """
    if sandbox is None:
        with sheet.sandbox() as own:
            return run(notebook, sheet, own)
    started = time.monotonic()
    submission = sandbox.submission(sheet.random_state)
    done = Execution(copy.deepcopy(notebook), isolation=sandbox.isolation)
    done.seconds = {"start": time.monotonic() - started, "cells": 0.0, "checks": 0.0}
    try:
        _Conversation(submission, sheet, done).all_cells()
    finally:
        submission.close()
    if done.same_process:
        done.flags.append(f"same-process: {', '.join(done.same_process)}")
    done.seconds["total"] = time.monotonic() - started
    return done


class _Stopped(Exception):
    """The worker can't go on; the message says why, in a clause about the submission's code."""


class _Conversation:
    """The grader's side of one submission."""

    def __init__(self, submission: Submission, sheet: Sheet, done: Execution):
        self.submission, self.channel = submission, submission.channel
        self.sheet, self.done = sheet, done
        self.ends = time.monotonic() + sheet.limits.wall_seconds
        self.guarded = any(map(plain.is_plain, done.notebook.cells))
        self.answers = plain.answers(done.notebook) if self.guarded else []
        self.channel.header, self.channel.body = 8 * sheet.limits.output_bytes + (1 << 16), 0

    def all_cells(self) -> None:
        count = 0
        for cell in self.done.notebook.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], None
            name = self._graded(cell)
            if name in self.done.verdicts or name in self.done.reasons:
                self._no_points(cell, name, "this exercise is checked in an earlier cell already")
            elif self.done.stopped:
                self._no_points(cell, name, f"not run: before this cell, {self.done.stopped}")
            elif cell.source.strip():
                count += 1
                cell.execution_count = count
                self._one_cell(cell, name)

    def _graded(self, cell: NotebookNode) -> str | None:
        """The exercise that a cell is graded for."""
        about = cell.metadata.get("nbgrader", {})
        if not about.get("grade") or about.get("solution"):
            return None
        name = judging.checked(cell.source)
        if name is None:
            self.done.same_process.append(about.get("grade_id", ""))
        return name

    def _message(self, cell: NotebookNode) -> tuple[str, Any]:
        """How the worker is asked to run a cell."""
        if plain.is_plain(cell):
            return "asserts", (cell.source, self.answers)
        if self.guarded:
            return "watched", (cell.source, plain.given(cell))
        return "cell", cell.source

    def _one_cell(self, cell: NotebookNode, name: str | None) -> None:
        limit = self.sheet.limits.cell_seconds
        if name and name not in exercises(self.sheet.slug):
            return self._no_points(
                cell, name, f"the check itself failed: this sheet has no exercise {name!r}"
            )
        if len(json.dumps(cell.source)) > CELL:
            why = f"a cell of more than {CELL / 1e6:.0f} MB is not run"
            self._flag(why)
            return self._no_points(cell, name, why)
        trial = name and judging.trial(self.sheet.slug, name, self.sheet.keys.get(name))
        seen, why = None, ""
        started = time.monotonic()
        self.channel.deadline = min(started + limit, self.ends)
        try:
            op, value = self._message(cell)
            self.channel.send(op, value)
            try:
                said, seen = self._until_done(name, trial)
            except TimeoutError:
                why = f"this cell took longer than the {limit:g} seconds it has"
                said = self._interrupted(why)
            if op == "asserts":
                points = float(cell.metadata.nbgrader.get("points", 0))
                cell.outputs, flags, failed = plain.outcome(said, points)
                why = why or failed
            else:
                cell.outputs, flags = shown.outputs(said)
                if name and any(o.output_type == "execute_result" for o in cell.outputs):
                    flags.append(f"displayed a value in the check of {name}")
            for flag in flags:
                self._flag(flag)
            self._note_missing(cell)
            if self.submission.ran_out_of_memory():  # a process of its, but not the first
                self._flag(self._too_much_memory())
        except (_Stopped, Malformed, EOFError, OSError) as error:
            seen, why = None, self._what_stopped(error)
            self.done.stopped = why
            self._flag(why)
        self.done.seconds["cells"] += time.monotonic() - started
        if seen is not None:
            why = self._judged(cell, trial, seen)
        if why or name and seen is None:
            self._no_points(cell, name, why)

    def _judged(self, cell: NotebookNode, trial: Any, seen: Any) -> str:
        """Give the cell its verdict; why that failed, if it did."""
        started = time.monotonic()
        try:
            given = judging.judge(trial, seen)
        except Exception as error:
            why = f"the check itself failed ({type(error).__name__}: {error})"
            self._flag(f"{trial.exercise.name}: {why}")
            return why
        given = replace(given, isolation=self.done.isolation, seed=self.sheet.fingerprint)
        self.done.verdicts[given.exercise.name] = given.data()
        cell.outputs = [shown.verdict(given)]
        self.done.seconds["checks"] += time.monotonic() - started
        return ""

    def _until_done(self, name: str | None, trial: Any) -> tuple[str, Any]:
        """What the cell showed; and what its answer does, if it asked for its own check, once."""
        seen = None
        while (message := self.channel.receive()).op != "done":
            if message.op != "check":
                raise Malformed(f"{message.op!r:.40} out of turn")
            if not name or message.value != name or seen is not None:
                self.channel.send("end")  # of another cell, or for a second time
                continue
            started = time.monotonic()
            try:
                seen = judging.examine(self.channel, trial)
            except judging.Interrupted as error:
                return error.message.value, None
            self.done.seconds["checks"] += time.monotonic() - started
        return message.value, seen

    def _interrupted(self, why: str) -> str:
        """Interrupt the cell, as a notebook's stop button does; the next cells may go on."""
        if time.monotonic() >= self.ends:
            raise _Stopped(
                f"all cells together took longer than {self.sheet.limits.wall_seconds:g} s"
            )
        self.submission.interrupt()
        self.channel.deadline = time.monotonic() + GRACE
        try:
            while (message := self.channel.receive()).op != "done":
                self.channel.send("end")
        except TimeoutError:
            raise _Stopped(f"{why}, and could not be interrupted") from None
        except (EOFError, OSError):
            raise _Stopped(f"{why}, and ended when it was interrupted") from None
        return message.value

    def _what_stopped(self, error: Exception) -> str:
        if self.submission.ran_out_of_memory():
            return self._too_much_memory()
        if isinstance(error, _Stopped):
            return str(error)
        if isinstance(error, Malformed):
            return f"the code sent the grader a message of its own making: {error}"
        if isinstance(error, TimeoutError):
            return "the code stopped listening"
        return "the code ended its own process, or was ended for what it used"

    def _too_much_memory(self) -> str:
        size = self.sheet.limits.memory / (1 << 30)
        return f"the code used more than the {size:g} GB of memory it has"

    def _note_missing(self, cell: NotebookNode) -> None:
        """Say it where a cell wants what this sheet does without."""
        for output in cell.outputs:
            missing = re.match(r"No module named '([\w.]+)'", output.get("evalue", ""))
            if missing:
                self._flag(f"imports {missing[1]}, which isn't there when this sheet is graded")

    def _flag(self, what: str) -> None:
        if what not in self.done.flags:
            self.done.flags.append(what)

    def _no_points(self, cell: NotebookNode, name: str | None, why: str) -> None:
        """The error that a cell without a verdict ends in: its own, or one that says why."""
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if name and errors and not why:
            why = f"{errors[-1].ename}: {errors[-1].evalue}"[:500]
        elif not errors or why:
            why = why or "this cell didn't show its answer to the check"
            mark = "CheckBroken" if why.startswith("the check itself") else "NoVerdict"
            errors = [shown.error(mark, f"0 points: {why}")]
        if name:
            cell.outputs = errors
            self.done.reasons.setdefault(name, why)
        else:
            cell.outputs += [error for error in errors if error not in cell.outputs]
