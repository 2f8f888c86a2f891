"""Puts a submission's cells back as the sheet has them: all there, once each, in order, unedited.

nbgrader's own ``add_missing_cells`` looks for the cell before the missing one among the graded and
the solution cells only. Where that one is a locked text, or is missing too, it dies of a KeyError
and the submission gets no grade. It also leaves deleted set-up cells out, and a grade_id that is
there twice ends in no grade as well. What a learner wrote is never removed: a copy too many loses
its metadata and stays.
"""

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from dlcourse.grading.errors import needs
from dlcourse.grading.identify import SheetCell, identify, plain, position

with needs("grading"):
    from nbgrader.api import Gradebook
    from nbgrader.preprocessors import NbGraderPreprocessor


def sheet_cells(db_url: str, notebook: str, assignment: str) -> list[SheetCell]:
    """The released sheet's cells, in its order."""
    with Gradebook(db_url) as gradebook:
        sheet = gradebook.find_notebook(notebook, assignment)
        points = {cell.name: cell.max_score for cell in sheet.grade_cells}
        solutions = {cell.name for cell in sheet.solution_cells}
        return [
            SheetCell(
                cell.name,
                cell.cell_type,
                cell.source,
                {
                    "cell_type": cell.cell_type,
                    "checksum": cell.checksum,
                    "grade": cell.name in points,
                    "grade_id": cell.name,
                    "locked": cell.locked,
                    "schema_version": 3,
                    "solution": cell.name in solutions,
                    "task": False,
                    **({"points": points[cell.name]} if cell.name in points else {}),
                },
            )
            for cell in sheet.source_cells
        ]


class Restore(NbGraderPreprocessor):
    """The same for stock nbgrader, which reads the submission itself."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        about = resources["nbgrader"]
        notes, _ = restore(nb, sheet_cells(about["db_url"], about["notebook"], about["assignment"]))
        for note in notes:
            self.log.info(note)
        return nb, resources


def restore(nb: NotebookNode, sheet: list[SheetCell]) -> tuple[list[str], int]:
    """Mend ``nb`` in place: what was done, in words, and how many cells of the sheet it had."""
    found, notes = identify(nb, sheet)
    for cell in sheet:
        if cell.name in found:
            notes += _as_in_sheet(found[cell.name], cell)
    notes += _in_order(nb, sheet, found)
    place = 0  # the next missing cell goes here
    for cell in sheet:
        if cell.name not in found:
            nb.cells.insert(place, new := _new_cell(cell))
            found[cell.name] = new
            notes.append(
                f"'{cell.name}' had been deleted: put back."
                if cell.locked
                else f"'{cell.name}' is missing: the sheet's empty cell stands in its place."
            )
        place = position(nb, found[cell.name]) + 1
    return notes, len(sheet) - sum(": put back" in n or "stands in its" in n for n in notes)


def _as_in_sheet(cell: NotebookNode, sheet: SheetCell) -> list[str]:
    """Type, metadata and, where it is locked, text as the sheet has them."""
    notes = []
    if cell.cell_type != sheet.cell_type:
        notes.append(f"'{sheet.name}' had become {cell.cell_type}: {sheet.cell_type} again.")
        cell.cell_type = sheet.cell_type
        for key in ("outputs", "execution_count", "attachments"):
            cell.pop(key, None)
        if sheet.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if sheet.locked and plain(cell.source) not in (sheet.shown, plain(sheet.source)):
        notes.append(f"'{sheet.name}' had been edited: the sheet's text again.")
    if sheet.locked:
        cell.source = sheet.source
    before = cell.metadata.get("nbgrader") or {}
    changed = [key for key in ("points", "locked", "grade") if _differs(before, sheet.told, key)]
    if changed:
        notes.append(f"'{sheet.name}': {' and '.join(changed)} had been changed: as in the sheet.")
    cell.metadata["nbgrader"] = dict(sheet.told)
    return notes


def _differs(before: dict, told: dict, key: str) -> bool:
    return key in before and before[key] != told.get(key)


def _in_order(
    nb: NotebookNode, sheet: list[SheetCell], found: dict[str, NotebookNode]
) -> list[str]:
    """Move locked cells that left their place; what learners wrote stays where they put it."""
    names = [cell.name for cell in sheet if cell.name in found]
    stay = _longest_in_order([position(nb, found[name]) for name in names])
    locked = {cell.name for cell in sheet if cell.locked}
    notes, before = [], None
    for n, name in enumerate(names):
        cell = found[name]
        lost = n not in stay
        early = before is not None and position(nb, cell) < position(nb, found[before])
        graded = cell.metadata["nbgrader"]["grade"]
        if name in locked and (lost or (early and graded)):
            nb.cells.pop(position(nb, cell))
            nb.cells.insert(position(nb, found[before]) + 1 if before else 0, cell)
            notes.append(f"'{name}' had been moved: it follows '{before}' again.")
        before = name
    return notes


def _longest_in_order(places: list[int]) -> set[int]:
    """The indices of a longest increasing run of ``places``: those that need no move."""
    best: list[list[int]] = []
    for n, place in enumerate(places):
        runs: list[list[int]] = [[], *(run for run in best if places[run[-1]] < place)]
        best.append([*max(runs, key=len), n])
    longest: list[int] = max([[], *best], key=len)
    return set(longest)


def _new_cell(cell: SheetCell) -> NotebookNode:
    new = new_code_cell if cell.cell_type == "code" else new_markdown_cell
    return new(cell.source, id=cell.name, metadata={"nbgrader": dict(cell.told)})
