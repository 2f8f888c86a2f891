"""Puts back the cells of the sheet, and their metadata, that a submission lacks.

nbgrader's own ``add_missing_cells`` looks for the cell before the missing one among the graded and
the solution cells only. Where that one is a locked text, or is missing too, it dies of a KeyError
and the submission gets no grade. It also leaves deleted set-up cells out.
"""

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from dlcourse.grading.errors import needs

with needs("grading"):
    from nbgrader.api import Gradebook, SourceCell
    from nbgrader.preprocessors import NbGraderPreprocessor


class Restore(NbGraderPreprocessor):
    """Every cell that the sheet locks, grades or asks for is there, after the one it follows.

    A cell that lost its metadata is known by its id, which the sheet made from the same name.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as gradebook:
            sheet = gradebook.find_notebook(about["notebook"], about["assignment"])
            points = {cell.name: cell.max_score for cell in sheet.grade_cells}
            solutions = {cell.name for cell in sheet.solution_cells}
            place = 0  # the next missing cell goes here
            for source in sheet.source_cells:
                told = _told(source, points.get(source.name), solutions)
                at = _find(nb, source.name)
                if at is None:
                    nb.cells.insert(at := place, _new_cell(source, told))
                elif not _grade_id(nb.cells[at]):
                    nb.cells[at].metadata["nbgrader"] = told
                place = at + 1
        return nb, resources


def _find(nb: NotebookNode, name: str) -> int | None:
    """Where the cell with this name is: by nbgrader's metadata, else by its own id."""
    for known_by in (_grade_id, lambda cell: cell.get("id")):
        for position, cell in enumerate(nb.cells):
            if known_by(cell) == name:
                return position
    return None


def _grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _told(source: SourceCell, points: float | None, solutions: set[str]) -> dict:
    """What the released sheet's metadata says about a cell, from the gradebook."""
    return {
        "cell_type": source.cell_type,
        "checksum": source.checksum,
        "grade": points is not None,
        "grade_id": source.name,
        "locked": source.locked,
        "schema_version": 3,
        "solution": source.name in solutions,
        "task": False,
        **({} if points is None else {"points": points}),
    }


def _new_cell(source: SourceCell, told: dict) -> NotebookNode:
    new = new_code_cell if source.cell_type == "code" else new_markdown_cell
    return new(source.source, id=source.name, metadata={"nbgrader": told})
