"""nbgrader's Autograde in three steps that are apart: clean, (executed elsewhere,) finish, save.

Its own preprocessors sanitise, put the sheet's cells back, score and save, in the order that the
configuration gives them; ``determine_grade`` is the only scorer. What is different is when things
are written: the graded copy is made beside the earlier one, the grades go to the gradebook in one
transaction, and the copies are swapped last. So whatever goes wrong, or whenever the process is
killed, the earlier grade and copy are there, or the new ones.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from dlcourse.grading.course import session
from dlcourse.grading.errors import needs
from dlcourse.grading.log import captured, reason
from dlcourse.grading.runner import Execution
from dlcourse.grading.submissions import stage

with needs("grading"):
    import nbformat
    from nbconvert.writers import FilesWriter
    from nbgrader.api import Gradebook
    from nbgrader.converters import Autograde
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
    from nbgrader.utils import determine_grade, is_grade

NEW = ".new"  # autograded/.new: where graded copies are made; nbgrader's own patterns don't see it
STAGE = "build/intake"  # what nbgrader reads in place of submitted/: the files beside the notebook
ELSEWHERE = {"Execute"}  # what the runner does in nbgrader's place
SAVING = {"SaveAutoGrades": "dlcourse.grading.pipeline.SaveAtOnce", "AssignLatePenalties": ""}


class NotGraded(Exception):
    """Why a submission has no new grade, in plain words. The earlier one stays."""


class SaveAtOnce(SaveAutoGrades):
    """All grades of a submission in one transaction, where nbgrader commits each by itself."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        about = resources["nbgrader"]
        self.notebook_id, self.assignment_id = about["notebook"], about["assignment"]
        self.student_id = about["student"]
        with Gradebook(about["db_url"]) as self.gradebook:
            session = self.gradebook.db
            commit, session.commit = session.commit, session.flush
            nb, resources = NbGraderPreprocessor.preprocess(self, nb, resources)
            commit()
        return nb, resources


class Pipeline(Autograde):
    """One class's sheet. Not for several threads: it is the one writer of the gradebook."""

    stage = "sanitise"

    @classmethod
    @contextmanager
    def opened(cls, slug: str, home: Path) -> Iterator["Pipeline"]:
        """The pipeline with the class's settings; afterwards the environment is as it was."""
        with session(home) as config:
            config.CourseDirectory.submitted_directory = STAGE
            directory = CourseDirectory(config=config, assignment_id=slug)
            pipeline = cls(coursedir=directory, config=config)
            pipeline.slug, pipeline.home = slug, home
            pipeline.writer = FilesWriter(parent=pipeline, config=config)
            pipeline.exporter = pipeline.exporter_class(parent=pipeline, config=config)
            pipeline.exporter.optimistic_validation = True  # behind all of them, not behind each
            yield pipeline

    # The steps ---------------------------------------------------------------------

    def clean(self, student: str, notebook: NotebookNode) -> str:
        """The notebook as it may be run: no outputs, the sheet's own cells, as JSON."""
        with self._told():
            return self._convert("sanitise", student, notebook)

    def finish(self, student: str, done: Execution) -> NotebookNode:
        """The graded notebook: outputs limited, and under which isolation each cell was judged."""
        with self._told():
            notebook = nbformat.reads(self._convert("finish", student, done.notebook), 4)
        for cell in notebook.cells:
            if is_grade(cell) and cell.cell_type == "code":
                name = cell.metadata.nbgrader.grade_id
                level = "same-process" if name in done.same_process else done.isolation
                cell.metadata["dlcourse"] = {"isolation": level}
        notebook.metadata["dlcourse"] = {
            "isolation": done.isolation,
            "stopped": done.stopped,
            "flags": list(done.flags),
        }
        return notebook

    def save(self, student: str, notebook: NotebookNode) -> str:
        """Put the graded notebook and its grades where nbgrader has them; the copy's hash."""
        copy = self.home / "autograded" / student / self.slug
        made = self.home / "autograded" / NEW / student / self.slug
        staged = self.home / STAGE / student / self.slug
        shutil.rmtree(made.parent, ignore_errors=True)
        with self._told():
            text = nbformat.writes(notebook) + "\n"
        self.coursedir.autograded_directory = f"autograded/{NEW}"
        try:
            with self._told():
                stage(self.home / "submitted" / student / self.slug, staged)
                (staged / f"{self.slug}.ipynb").touch()  # else nbgrader counts it as not handed in
                self.init_assignment(self.slug, student)
                made.mkdir(parents=True, exist_ok=True)
                (made / f"{self.slug}.ipynb").write_text(text, encoding="utf-8")
                self.set_permissions(self.slug, student)
                self._convert("save", student, notebook)
                swap(made, copy)
        finally:
            self.coursedir.autograded_directory = "autograded"
            shutil.rmtree(made.parent, ignore_errors=True)
            shutil.rmtree(staged.parent, ignore_errors=True)
        return hashlib.sha256(text.encode()).hexdigest()

    # How they are made of nbgrader's --------------------------------------------------

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """nbgrader's own; the notebook is the sheet's, whatever else lies beside it."""
        source = self._format_source(assignment_id, student_id)
        self.notebooks = [str(Path(source, f"{assignment_id}.ipynb"))]
        super().init_assignment(assignment_id, student_id)

    def _init_preprocessors(self) -> None:
        self.exporter._preprocessors = []
        for step in self._steps():
            self.exporter.register_preprocessor(step)

    def _steps(self) -> list[Any]:
        """The configured preprocessors of this stage, in their order."""
        if self.stage == "sanitise":
            return self.sanitize_preprocessors
        names = {_name(step): step for step in self.autograde_preprocessors}
        if self.stage == "save":
            return [SAVING[name] or step for name, step in names.items() if name in SAVING]
        return [step for name, step in names.items() if name not in ELSEWHERE | SAVING.keys()]

    def _convert(self, stage: str, student: str, notebook: NotebookNode) -> str:
        self.stage = stage
        self._init_preprocessors()
        about = {
            "student": student,
            "assignment": self.slug,
            "notebook": self.slug,
            "db_url": self.coursedir.db_url,
        }
        resources = {"unique_key": self.slug, "nbgrader": about}
        return self.exporter.from_notebook_node(notebook, resources=resources)[0]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """nbgrader's log is caught; what goes wrong becomes one plain sentence."""
        with captured() as log:
            try:
                yield
            except OSError as error:
                what = f"{error.strerror or error}: {error.filename or self.home}"
                raise NotGraded(f"it could not be written. {what}") from error
            except Exception as error:
                log.append(f"Traceback\n{type(error).__name__}: {error}")
                raise NotGraded(reason(log)) from error


def _name(step: Any) -> str:
    return step.rpartition(".")[2] if isinstance(step, str) else step.__name__


def scores(notebook: NotebookNode) -> dict[str, float | None]:
    """What each graded cell earns, as nbgrader scores it; None waits for a person."""
    return {
        cell.metadata.nbgrader.grade_id: determine_grade(cell)[0]
        for cell in notebook.cells
        if is_grade(cell)
    }


# Copies ------------------------------------------------------------------------------------


def before(copy: Path) -> Path:
    """Where the earlier copy waits for the moment in which the new one takes its place."""
    return copy.with_name(f".{copy.name}.before")


def swap(made: Path, copy: Path) -> None:
    """Put a graded copy in its place. Killed at any moment, ``recover`` mends it."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    kept = before(copy)
    recover(copy)
    if copy.exists():
        copy.rename(kept)
    made.rename(copy)
    shutil.rmtree(kept, ignore_errors=True)


def recover(copy: Path) -> None:
    """After a run that was killed: the earlier copy is back, unless the new one is there."""
    kept = before(copy)
    if kept.exists() and not copy.exists():
        kept.rename(copy)
    shutil.rmtree(kept, ignore_errors=True)
