"""After Execute: a graded check cell holds exactly one verdict of its own check, or it is 0.

Stock nbgrader gives full marks to a graded cell that printed nothing, printed the wrong thing or
ended in a value that isn't a number from 0 to its points; a larger number ends the whole notebook;
anything on stderr costs all marks. Here a cell keeps its one verdict or gets an error that says so.
What this can't see is a verdict forged with care in the same process.
"""

import math

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.checks.core.cell import VERDICT_TYPE as VERDICT
from dlcourse.grading.errors import needs
from dlcourse.grading.judging import checked

with needs("grading"):
    from nbgrader.preprocessors import NbGraderPreprocessor
    from nbgrader.utils import is_grade, is_solution


class Strict(NbGraderPreprocessor):
    """Leaves in each graded check cell its verdict, or the error that makes it 0."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        if cell.cell_type != "code" or not is_grade(cell) or is_solution(cell):
            return cell, resources
        name = checked(cell.source)
        if name is None:
            return cell, resources  # a plain assert cell, which nbgrader judges as ever
        if errors := [o for o in cell.outputs if o.output_type == "error"]:
            cell.outputs = errors  # 0; a value before it would have counted
            return cell, resources
        values = [o for o in cell.outputs if o.output_type == "execute_result"]
        if len(values) == 1 and sound(values[0].data, name, cell.metadata.nbgrader.points):
            cell.outputs = values  # without what went to stderr: a warning costs no marks
        else:
            say = f"0 points: this cell did not end in the verdict of check({name!r}, ...)."
            cell.outputs = [
                new_output("error", ename="NoVerdict", evalue=say, traceback=[f"NoVerdict: {say}"])
            ]
        return cell, resources


def sound(data: dict, name: str, points: float) -> bool:
    """Whether an output is what ``check`` returns: points as text, and the verdict beside them."""
    verdict = data.get(VERDICT)
    try:
        earned = float(data["text/plain"])
    except (KeyError, TypeError, ValueError):
        return False
    return (
        isinstance(verdict, dict)
        and math.isfinite(earned)
        and 0 <= earned <= points
        and (verdict.get("exercise"), verdict.get("earned"), verdict.get("of"))
        == (name, earned, points)
    )
