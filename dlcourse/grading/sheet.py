"""The format of a sheet's source: what its cells may hold, and refusing what they may not.

Percent format, read by jupytext. A cell's header says what the cell is (``role``) and whose
(``grade_id``), nothing else.
"""

import re
from dataclasses import dataclass
from typing import Any

from dlcourse.grading.errors import SheetError, needs

with needs("grading"):
    import jupytext

# role: (the cell is Markdown, the nbgrader id it gets, nbgrader's flags or none)
ROLES: dict[str, tuple[bool, str, dict[str, bool] | None]] = {
    "statement": (True, "{}_statement", None),
    "given": (False, "{}", {"locked": True}),
    "solution": (False, "{}", {"solution": True}),
    "check": (False, "{}_check", {"grade": True, "locked": True}),
    "question": (True, "{}_question", {"locked": True}),
    "answer": (True, "{}", {"grade": True, "solution": True}),
}
# The cells of one exercise, and of one question: each exactly once, in this order.
EXERCISE_ROLES: tuple[str, ...] = ("statement", "solution", "check")
QUESTION_ROLES: tuple[str, ...] = ("question", "answer")

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
# nbgrader acts on these words wherever they stand, so only the converter may place them.
DELIMITER = re.compile(r"\b(BEGIN|END) (SOLUTION|MARK SCHEME|HIDDEN TESTS)\b")
# Directives and roles are MyST's: Jupyter, Colab and VS Code show their source instead.
MYST = re.compile(r"^\s*(?:`{3,}|~{3,}|:{3,})\{[^}]*\}?|\{[a-z][\w:+-]*\}`", re.MULTILINE)


@dataclass
class Cell:
    """One cell of the source, and where its header stands."""

    line: int
    markdown: bool
    text: str
    role: str | None = None
    name: str = ""  # its grade_id


def read(source: str, file: str) -> list[Cell]:
    """The cells of a percent-format text, each with the line of its header."""
    try:
        parsed = jupytext.reads(source, fmt="py:percent").cells
    except Exception as error:  # jupytext lets YAML's and nbformat's own errors through
        raise SheetError(f"{file}:1: this is no percent-format notebook: {error}") from error
    lines = [n for n, line in enumerate(source.splitlines(), 1) if re.match(r"\s*# ?%%", line)]
    if len(lines) != len(parsed):
        raise SheetError(f"{file}:1: text stands before the first '# %%' line.")
    cells = []
    for line, cell in zip(lines, parsed, strict=True):
        header = {k: v for k, v in cell.metadata.items() if k != "lines_to_next_cell"}
        role, name = header.pop("role", None), header.pop("grade_id", "")
        if header:
            raise SheetError(f"{file}:{line}: unknown in a cell's header: {', '.join(header)}.")
        cells.append(Cell(line, cell.cell_type == "markdown", cell.source, role, name))
    return cells


def verify(cells: list[Cell], file: str, unit: Any) -> None:
    """Raise ``SheetError`` at the first cell that breaks a rule of the format."""

    def refuse(cell: Cell, message: str) -> None:
        raise SheetError(f"{file}:{cell.line}: {message}")

    if not cells:
        raise SheetError(f"{file}:1: the sheet has no cells.")
    if cells[0].role or not (cells[0].markdown and cells[0].text.startswith("# ")):
        refuse(cells[0], 'the first cell must be Markdown and start with "# Title".')
    seen: dict[tuple[str, str], int] = {}
    for cell in cells:
        if found := cell.markdown and MYST.search(cell.text):
            refuse(
                cell, f"'{found[0].strip()}' is MyST; a sheet is CommonMark, $maths$, <details>."
            )
        if cell.role is None:
            if cell.name:
                refuse(cell, f"grade_id '{cell.name}' without a role.")
            if DELIMITER.search(cell.text):
                refuse(cell, f"'{DELIMITER.search(cell.text)[0]}' in a cell without a role.")  # type: ignore[index]
            continue
        if cell.role not in ROLES:
            refuse(cell, f"unknown role '{cell.role}'; there are {', '.join(ROLES)}.")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,50}", cell.name):  # CapWords: a class
            refuse(cell, f"a role needs a grade_id that is a name in Python, not '{cell.name}'.")
        if cell.markdown != ROLES[cell.role][0]:
            refuse(cell, f"'{cell.role}' must be {'Markdown' if not cell.markdown else 'code'}.")
        if (cell.role, cell.name) in seen:
            before = seen[cell.role, cell.name]
            refuse(cell, f"a second {cell.role} '{cell.name}'; the first is in line {before}.")
        seen[cell.role, cell.name] = cell.line
        if message := _contents(cell, unit):
            refuse(cell, message)
    known = dict.fromkeys(unit.exercises, EXERCISE_ROLES)
    known |= dict.fromkeys(unit.questions, QUESTION_ROLES)
    for name, roles in known.items():
        missing = [role for role in roles if (role, name) not in seen]
        if missing:
            line = min((seen[r, name] for r in roles if (r, name) in seen), default=1)
            raise SheetError(f"{file}:{line}: '{name}' lacks its {' and its '.join(missing)} cell.")
        places = [seen[role, name] for role in roles]
        if places != sorted(places):
            raise SheetError(
                f"{file}:{min(places)}: the cells of '{name}' must come in the order "
                f"{', '.join(roles)}."
            )
    ids = [c for c in cells if c.role]
    for cell in ids:
        clash = [c for c in ids if c is not cell and grade_id(c) == grade_id(cell)]
        if clash or grade_id(cell) in ("setup", "overview"):
            refuse(cell, f"the id '{grade_id(cell)}' is taken.")


def grade_id(cell: Cell) -> str:
    """The id of the notebook's cell, for nbgrader and for Jupyter."""
    return ROLES[cell.role or ""][1].format(cell.name)


def _contents(cell: Cell, unit: Any) -> str | None:
    """What is wrong with the name or the text of a cell that has a role; None if nothing is."""
    if cell.role in EXERCISE_ROLES and cell.name not in unit.exercises:
        return f"unknown exercise '{cell.name}'; {unit.slug} has {', '.join(unit.exercises)}."
    if cell.role in QUESTION_ROLES and cell.name not in unit.questions:
        return f"unknown question '{cell.name}'; {unit.slug} has {', '.join(unit.questions)}."
    if cell.role in ("statement", "question") and not cell.text.startswith("## "):
        return f"the {cell.role} of '{cell.name}' must start with \"## \"."
    if cell.role == "check" and cell.text != (line := f'check("{cell.name}", {cell.name})'):
        return f"a check cell is exactly one line: {line}"
    lines = [line.strip() for line in cell.text.splitlines()]
    marks = [line for line in lines if DELIMITER.search(line)]
    if cell.role == "answer" and not cell.text:
        return None  # the converter writes the full exemplar
    if cell.role in ("solution", "answer"):
        if marks != [BEGIN, END]:
            return f"needs one '{BEGIN}' and, after it, one '{END}', each on a line of its own."
        if cell.role == "answer" and (lines[0], lines[-1]) != (BEGIN, END):
            return f"text of the answer outside '{BEGIN}' and '{END}': learners would get it."
    elif marks:
        return f"'{marks[0]}' doesn't belong into a cell with the role {cell.role}."
    return None
