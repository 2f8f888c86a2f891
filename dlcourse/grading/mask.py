"""A graded notebook without what its student isn't to see: hidden tests, cases, mark schemes."""

from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.grading.errors import needs
from dlcourse.grading.strict import VERDICT

with needs("grading"):
    from nbgrader.preprocessors import (
        ClearHiddenTests,
        ClearMarkScheme,
        GetGrades,
        NbGraderPreprocessor,
    )
    from nbgrader.utils import is_grade, is_locked


class Marks(GetGrades):
    """nbgrader's points and comments; and which answers still wait for a person."""

    def _get_score(self, cell: NotebookNode, resources: dict) -> None:
        super()._get_score(cell, resources)
        name = cell.metadata.nbgrader.grade_id
        grade = self.gradebook.find_grade(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        cell.metadata.nbgrader["waits"] = bool(grade.needs_manual_grade)


class Mask(NbGraderPreprocessor):
    """Takes it out of the page's copy; the graded notebook stays as it is.

    A verdict's own text names the case that went wrong and the right values: of it only points,
    parts and hints stay. Only the sheet's own cells are looked through for hidden regions, for what
    a learner writes into theirs is theirs.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        tests, scheme = ClearHiddenTests(parent=self), ClearMarkScheme(parent=self)
        scheme.check_attachment_leakage = False  # it goes with the scheme
        for cell in nb.cells:
            if is_locked(cell):
                scheme._remove_mark_scheme_region(cell)
                hidden = tests._remove_hidden_test_region(cell)
                if is_grade(cell) and cell.cell_type == "code":
                    told = said(cell.outputs, hidden)
                    cell.metadata["dlcourse"] = {"said": told}
                    cell.outputs = [new_output("stream", name="stdout", text=words(told))]
        return nb, resources


def said(outputs: list[Any], hidden: bool) -> dict[str, Any]:
    """What a graded cell's student may know: ``parts``, ``hints``, and ``why`` there are none.

    All of it is plain text; a cell graded without isolation may have forged it.
    """
    for output in outputs:
        verdict = output.get("data", {}).get(VERDICT)
        if isinstance(verdict, dict):
            parts, hints = verdict.get("parts"), verdict.get("hints")
            return {
                "parts": {str(k): v is True for k, v in parts.items()}
                if isinstance(parts, dict)
                else {},
                "hints": [str(hint) for hint in hints] if isinstance(hints, list) else [],
                "why": "",
            }
    errors = [output for output in outputs if output.get("output_type") == "error"]
    why = ""
    if errors and hidden:
        why = "A test of this cell failed."  # which one, and on what, is hidden
    elif errors:
        why = f"{errors[-1].get('ename')}: {errors[-1].get('evalue')}"
        why = why.removeprefix("NoVerdict: 0 points: ")
    return {"parts": {}, "hints": [], "why": why}


def words(told: dict[str, Any]) -> str:
    """The same as text, for nbgrader's own page."""
    parts = [f"{'✓' if right else '✗'} {part}" for part, right in told["parts"].items()]
    lines = ["   ".join(parts), *(f"Hint: {hint}" for hint in told["hints"]), told["why"]]
    return "\n".join(filter(None, lines)) + "\n"
