"""The pages that students get back: their notebook with points, comments and the checks' hints."""

from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from dlcourse.grading.course import session, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.feedback_page import page
from dlcourse.grading.log import captured, reason
from dlcourse.grading.mask import Marks, Mask
from dlcourse.grading.scores import is_released

with needs("grading"):
    from nbconvert.exporters import Exporter
    from nbgrader.converters import GenerateFeedback
    from nbgrader.coursedir import CourseDirectory
    from traitlets import Bool


class Page(Exporter):
    """Makes one page, after the preprocessors have put the points in and taken the secrets out."""

    file_extension = ".html"
    outputs = Bool(True)

    def from_notebook_node(  # type: ignore[override]  # an exporter of text, like nbconvert's own
        self, nb: NotebookNode, resources: Any = None, **options: Any
    ) -> tuple[str, Any]:
        nb, resources = super().from_notebook_node(nb, resources, **options)
        return page(nb, resources, self.outputs), resources


class Feedback(GenerateFeedback):
    """nbgrader's own converter, with our page in place of its template, which runs scripts."""

    def _exporter_class_default(self) -> type:
        return Page

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """nbgrader's own, less what lay beside the notebook: pages of a student's making, say."""
        super().init_assignment(assignment_id, student_id)
        folder = Path(self._format_dest(assignment_id, student_id))
        for path in folder.rglob("*"):
            if not path.is_dir() and path != folder / "timestamp.txt":
                path.unlink()


def feedback(slug: str, home: str | Path = ".", outputs: bool = True) -> list[Path]:
    """Write ``<home>/feedback/<student>/<slug>/<slug>.html`` for all who were graded.

    Without ``outputs`` the pages leave out what cells displayed: a learner's function is handed the
    hidden inputs, and could have printed them.
    """
    home = Path(home).resolve()
    is_released(slug, home)
    if not any(home.glob(f"autograded/*/{slug}")):
        raise CourseError(f"Nobody's '{slug}' is graded yet. Run: dlcourse grade {slug}")
    writable(home / "feedback")
    with session(home) as config, captured() as log:
        config.Page.outputs = outputs
        directory = CourseDirectory(config=config, assignment_id=slug)
        try:
            converter = Feedback(coursedir=directory, config=config)
            converter.force, converter.preprocessors = True, [Marks, Mask]
            converter.start()
        except Exception as error:  # nbgrader logged what happened
            raise CourseError(f"Some feedback could not be written: {reason(log)}") from error
    return sorted(home.glob(f"feedback/*/{slug}/{slug}.html"))
