"""Which cell of a submission is which cell of the sheet, also where the metadata don't say.

Known by nbgrader's metadata; else by the cell's own id, which the sheet made from the same name;
else by what stands in it: a locked cell by its text, a solution by what it defines, a written
answer by its place after its question.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

# nbgrader takes these out of what learners get; the gradebook's copy has them
HIDDEN = re.compile(
    r"^[^\n]*BEGIN (MARK SCHEME|HIDDEN TESTS).*?END \1[^\n]*\n?", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class SheetCell:
    """A cell that the sheet locks, grades or asks for, from the gradebook."""

    name: str  # its grade_id
    cell_type: str
    source: str
    told: dict[str, Any]  # what the sheet's own metadata say about it

    @property
    def locked(self) -> bool:
        return self.told["locked"]

    @property
    def shown(self) -> str:
        """Its text as learners get it, spaces evened out."""
        return plain(HIDDEN.sub("", self.source))


def plain(text: str) -> str:
    """Text that is compared: without spaces at the ends of lines and of the text."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def position(nb: NotebookNode, cell: NotebookNode) -> int:
    """Where this very cell is; equal ones don't count."""
    return next(n for n, other in enumerate(nb.cells) if other is cell)


def identify(nb: NotebookNode, sheet: list[SheetCell]) -> tuple[dict[str, NotebookNode], list[str]]:
    """Name -> cell, for each of the sheet's cells that is there, and notes on what was odd.

    Each name ends with one cell. Of copies the locked ones that equal the sheet are removed, all
    others stay as ordinary cells without metadata.
    """
    names = {cell.name for cell in sheet}
    notes = _forget_strangers(nb, names)
    found: dict[str, NotebookNode] = {}
    by_content: list[str] = []

    def claim(cell: SheetCell, candidates: list[NotebookNode]) -> None:
        kept = _choose(nb, cell, candidates, found)
        found[cell.name] = kept
        if len(candidates) > 1:
            notes.append(f"'{cell.name}' was there {len(candidates)} times: one is kept.")
            _release(nb, cell, [c for c in candidates if c is not kept])

    # locked cells first: the place of the others is judged by them
    for cell in sorted(sheet, key=lambda cell: not cell.locked):
        if candidates := [c for c in nb.cells if grade_id(c) == cell.name]:
            claim(cell, candidates)
        elif candidates := [c for c in nb.cells if c.get("id") == cell.name and not grade_id(c)]:
            claim(cell, candidates)
    for cell in sheet:
        if cell.name in found:
            continue
        taken = {id(c) for c in found.values()}
        free = [c for c in nb.cells if id(c) not in taken and not grade_id(c)]
        if candidates := [c for c in free if _says_the_same(c, cell, nb, found, sheet)]:
            claim(cell, candidates)
            by_content.append(cell.name)
    if by_content:
        notes.append(
            f"known by what stands in them, as their metadata are gone: {', '.join(by_content)}."
        )
    return found, notes


def grade_id(cell: NotebookNode) -> str | None:
    told = cell.metadata.get("nbgrader")
    name = told.get("grade_id") if isinstance(told, dict) else None
    return name if isinstance(name, str) else None


def _forget_strangers(nb: NotebookNode, names: set[str]) -> list[str]:
    """Metadata that name no cell of this sheet make nbgrader fail, and could invent points."""
    strangers = []
    for cell in nb.cells:
        if "nbgrader" in cell.metadata and (name := grade_id(cell)) not in names:
            del cell.metadata["nbgrader"]
            strangers.append(name)
    called = sorted({name for name in strangers if name})
    return [f"not of this sheet, so not graded: {', '.join(called)}."] if called else []


def _choose(
    nb: NotebookNode,
    cell: SheetCell,
    candidates: list[NotebookNode],
    found: dict[str, NotebookNode],
) -> NotebookNode:
    """Of a locked cell's copies the first that is as in the sheet. Of a learner's cell the last
    that isn't the sheet's empty one and comes before its check: that is what the check judged."""
    if cell.locked:
        same = [c for c in candidates if plain(c.source) == cell.shown]
        return (same or candidates)[0]
    written = [c for c in candidates if plain(c.source) != cell.shown] or candidates
    check = found.get(f"{cell.name}_check")
    if check is not None:
        end = position(nb, check)
        written = [c for c in written if position(nb, c) < end] or written
    return written[-1]


def _release(nb: NotebookNode, cell: SheetCell, others: list[NotebookNode]) -> None:
    for other in others:
        if cell.locked and plain(other.source) == cell.shown:
            nb.cells = [c for c in nb.cells if c is not other]
        else:
            other.metadata.pop("nbgrader", None)


def _says_the_same(
    candidate: NotebookNode, cell: SheetCell, nb: NotebookNode, found: dict, sheet: list[SheetCell]
) -> bool:
    if plain(candidate.source) == cell.shown and cell.shown:
        return True
    if cell.locked:
        return False
    if cell.cell_type == "code":
        names = defined(cell.source)
        return candidate.cell_type == "code" and bool(names) and names <= defined(candidate.source)
    return _only_text_after_its_question(candidate, cell, nb, found, sheet)


def _only_text_after_its_question(
    candidate: NotebookNode, cell: SheetCell, nb: NotebookNode, found: dict, sheet: list[SheetCell]
) -> bool:
    """Whether this is the only text cell between the sheet's cell before and the one after."""

    def place(of: Callable[[int], bool], pick: Callable, none: int) -> int:
        near = [n for n, other in enumerate(sheet) if of(n) and other.name in found]
        return position(nb, found[sheet[pick(near)].name]) if near else none

    here = next(n for n, other in enumerate(sheet) if other is cell)
    start = place(lambda n: n < here, max, -1)
    end = place(lambda n: n > here, min, len(nb.cells))
    texts = [c for c in nb.cells[start + 1 : end] if c.cell_type != "code"]
    return bool(texts) and texts[0] is candidate and start >= 0 and len(texts) == 1


def defined(source: str) -> set[str]:
    """The functions, classes and variables that a cell defines at its top level."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for statement in body:
        match statement:
            case ast.FunctionDef(name) | ast.ClassDef(name):
                names.add(name)
            case ast.Assign(targets):
                names |= {t.id for t in targets if isinstance(t, ast.Name)}
    return names
