"""The ``{outcomes}`` directive: what a chapter teaches, needs and takes, from its front matter.

    dlcourse:
      minutes: 15
      outcomes:
        neurons-compute: compute what a neuron does for a batch
        neurons-train: …
        neurons-limits: …
      needs: [matrix products]

The directive has no body and stands where the box is to be. Sentences are Markdown. Three outcomes:
each is assessed by an exercise or a question, and a test says so.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from located import Located, Malformed
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)
FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)


def front_matter(text: str) -> dict[str, Any]:
    """The checked ``dlcourse`` data of a chapter's text; Malformed, with its line, if wrong."""
    found = FRONT_MATTER.match(text)
    if not found:
        raise Malformed("the page has no front matter between --- lines")
    try:
        return _checked(Located(found[1]))
    except Malformed as error:
        error.line += 1  # for the --- above
        raise


def about(page: Path) -> dict[str, Any]:
    """The same of a page's file; {} where there is none: the directive says what is wrong."""
    try:
        return front_matter(page.read_text("utf-8"))
    except Malformed:
        return {}


def _checked(data: Located) -> dict[str, Any]:
    if not isinstance(data.value, dict) or "dlcourse" not in data.value:
        raise data.fail("the front matter has no 'dlcourse' (minutes, outcomes, needs)")
    ours = data.keys("dlcourse", required={"minutes", "outcomes", "needs"})
    at = ("dlcourse", "minutes")
    if type(ours["minutes"]) is not int or not 1 <= ours["minutes"] <= 60:
        raise data.fail(
            f"minutes must be a whole number from 1 to 60, not {ours['minutes']!r}", *at
        )
    if not isinstance(ours["outcomes"], dict) or len(ours["outcomes"]) != 3:
        raise data.fail("outcomes must be three, as id: sentence", "dlcourse", "outcomes")
    for name in ours["outcomes"]:
        data.text("dlcourse", "outcomes", name)
    if not isinstance(ours["needs"], list):
        raise data.fail("needs must be a list, empty if nothing is needed", "dlcourse", "needs")
    for k in range(len(ours["needs"])):
        data.text("dlcourse", "needs", k)
    return ours


class Outcomes(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        path = Path(self.env.doc2path(self.env.docname))
        try:
            data = front_matter(path.read_text("utf-8"))
        except Malformed as error:
            where = (self.env.docname, error.line + 1)
            LOGGER.error(f"outcomes: {error}", location=where, type="outcomes")
            return []
        box = nodes.container("", classes=["outcomes"])
        can = self.list_of(data["outcomes"].values())
        for item, name in zip(can, data["outcomes"], strict=True):
            item["ids"] = [f"outcome-{name}"]
        box += [self.head("You will be able to"), can]
        needs = data["needs"]
        box += [self.head("You need"), self.list_of(needs or ["nothing from earlier chapters"])]
        minutes = nodes.paragraph("", f"About {data['minutes']} minutes to read.")
        box += [self.head("It takes"), minutes]
        return [box]

    def head(self, text: str) -> nodes.Node:
        return nodes.paragraph("", "", nodes.strong("", text), classes=["outcomes-head"])

    def list_of(self, sentences: Any) -> nodes.bullet_list:
        node = nodes.bullet_list()
        source = self.env.doc2path(self.env.docname)
        for sentence in sentences:
            item = nodes.list_item()
            self.state.nested_parse(StringList(sentence.splitlines(), source), 0, item)
            node += item
        return node


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("outcomes", Outcomes)
    return {"version": "1", "parallel_read_safe": True}
