"""For nbgrader's own pages, which show Markdown and outputs as they come, scripts included.

Formgrader shows them on the instructor's Jupyter server, where a script has the instructor's
rights. ``dlcourse feedback`` needs none of this: its page cleans whatever it shows.
"""

import re

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.grading.displayed import one
from dlcourse.grading.errors import needs
from dlcourse.grading.prose import prose

with needs("grading"):
    from nbgrader.preprocessors import NbGraderPreprocessor
    from nbgrader.utils import is_locked


class Harmless(NbGraderPreprocessor):
    """Cleans what a learner wrote and displayed; the sheet's own text stays Markdown."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        nb.metadata.pop("widgets", None)
        for cell in nb.cells:
            if comment := cell.metadata.get("nbgrader", {}).get("comment"):
                cell.metadata.nbgrader["comment"] = _block(prose(comment))
            if cell.cell_type == "code":
                cell.outputs = [_display(shown) for o in cell.outputs if (shown := one(o))]
            elif cell.cell_type == "raw":
                cell.cell_type, cell.source = "markdown", _block(prose(f"```\n{cell.source}\n```"))
            elif not is_locked(cell):
                cell.source = _block(prose(cell.source, cell.pop("attachments", None)))
        return nb, resources


def _display(html: str) -> NotebookNode:
    return new_output("display_data", data={"text/html": html})


def _block(html: str) -> str:
    """HTML that Markdown hands on as it is: one block, for a blank line would end it."""
    return "<div>" + re.sub(r"\n\s*\n", "\n", html) + "</div>"
