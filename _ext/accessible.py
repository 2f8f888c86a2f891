"""What the theme and its extensions leave out for those who listen, and for those with a keyboard.

Each override calls the writer's own method first and mends what it wrote.
"""

from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode, depart_HideCellInput, visit_HideCellInput
from sphinx import addnodes
from sphinx.application import Sphinx


def visit_entry(self: Any, node: nodes.entry) -> None:
    """A blank corner of a table heads nothing: it is no header."""
    type(self).visit_entry(self, node)
    if isinstance(node.parent.parent, nodes.thead) and not node.astext().strip():
        self.body[-1] = self.body[-1].replace("<th", "<td", 1)
        self.context[-1] = self.context[-1].replace("th>", "td>")


def visit_parameters(self: Any, node: addnodes.desc_parameterlist) -> None:
    """A signature over several lines is laid out as a list of definitions, and is none."""
    before = len(self.body)
    type(self).visit_desc_parameterlist(self, node)
    for k in range(before, len(self.body)):
        self.body[k] = self.body[k].replace("<dl", '<dl role="presentation"')


def visit_fold(self: Any, node: HideCodeCellNode) -> None:
    """A fold is called what it shows: "Show the source"."""
    before = len(self.body)
    visit_HideCellInput(self, node)
    for k in range(before, len(self.body)):
        self.body[k] = self.body[k].replace(' aria-label="Toggle hidden content"', "")


def setup(app: Sphinx) -> dict[str, Any]:
    for node, visit, depart in (
        (nodes.entry, visit_entry, lambda self, node: type(self).depart_entry(self, node)),
        (
            addnodes.desc_parameterlist,
            visit_parameters,
            lambda self, node: type(self).depart_desc_parameterlist(self, node),
        ),
        (HideCodeCellNode, visit_fold, depart_HideCellInput),
    ):
        app.add_node(node, override=True, html=(visit, depart))
    return {"version": "1", "parallel_read_safe": True}
