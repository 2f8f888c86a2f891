"""Graded cells of plain asserts, seen from outside: what is asked for, what is made of the answer.

They are judged in the process of the learner's code, so all that comes back is that process's word.
"""

import ast
import json
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.grading import shown
from dlcourse.grading.judging import checked

NAMES, NAME = 8, 80  # of what was changed, how many are said, and how much of each


def is_plain(cell: NotebookNode) -> bool:
    """A cell that nbgrader grades by whether it runs: locked tests, but not of one ``check``."""
    about = cell.metadata.get("nbgrader", {})
    graded = about.get("grade") and not about.get("solution")
    return bool(cell.cell_type == "code" and graded and checked(cell.source) is None)


def given(cell: NotebookNode) -> list[str]:
    """The functions, classes and modules that the sheet itself defines in a locked cell."""
    about = cell.metadata.get("nbgrader", {})
    return defined(cell.source, imports=True) if about.get("locked") else []


def answers(notebook: NotebookNode) -> list[str]:
    """The functions and classes that stand where the sheet asks for some."""
    cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
    return sorted({name for c in cells if c.cell_type == "code" for name in defined(c.source)})


def defined(source: str, imports: bool = False) -> list[str]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = []
    for statement in body:
        match statement:
            case ast.FunctionDef(name) | ast.ClassDef(name):
                names.append(name)
            case ast.Import(aliases) | ast.ImportFrom(_, aliases) if imports:
                names += [each.asname or each.name.partition(".")[0] for each in aliases]
    return names


def outcome(said: Any, points: float) -> tuple[list[NotebookNode], list[str], str]:
    """Its outputs, what should be looked at, and why it earns nothing ("" where it may).

    nbgrader takes the first value that is shown for partial credit, and anything on stderr for an
    error. So what is left is the cell's own number, or an error, and text that counts for nothing.
    """
    try:
        about = json.loads(said, parse_constant=str)
        ended, value = about["ended"] is True, about["value"]
        before, during, strangers = (_names(about[k]) for k in ("before", "during", "strangers"))
        threads = int(about["threads"])
        listed = json.dumps(about["outputs"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return [], [shown.BROKEN], "what came back of it can't be read"
    outputs, flags = shown.outputs(listed)
    values = [each for each in outputs if each.output_type == "execute_result"]
    outputs = [each for each in outputs if each.output_type != "execute_result"]
    for each in outputs:
        if each.output_type == "stream":
            each.name = "stdout"
    why = ""
    if during:
        why = f"while the tests ran, the code changed {during}"
    elif values:
        why = "the code displayed a value, which only the tests may"
    elif value is not None and not (type(value) is float and 0 <= value <= points):
        why = f"the tests ended in {value!r:.40}, which isn't from 0 to {points:g}"
    elif ended and value is not None:
        outputs.append(new_output("execute_result", data={"text/plain": repr(value)}))
    if before:
        flags.append(f"changed what tests rely on: {before}")
    if strangers:
        flags.append(f"the tests met objects that say themselves what they equal: {strangers}")
    if threads > 0:
        flags.append("threads of the code's own ran beside the tests")
    if not (ended or why or any(each.output_type == "error" for each in outputs)):
        why = "the tests did not come to their end"
    return outputs, [*flags, *([why] if why else [])], why


def _names(listed: Any) -> str:
    names = [f"{name:.{NAME}}" for name in listed if type(name) is str]
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more
