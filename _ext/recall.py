"""The ``{recall}`` directive: a question with choices, each of which says why it is right or wrong.

    ```{recall} neurons-xor
    question: Which of these can one threshold unit compute?
    choices:
      - text: AND
        right: true
        why: One line separates (1, 1) from the other three corners.
      - text: XOR
        why: The two classes sit on opposite corners.
    ```

The argument is an id, unique in the course. Each choice is a ``<details>`` fold: to open one is to
answer. Choices are shown in an order that follows from the id and their text alone, so that the
right one may be written first without always standing first. The data stays in
``env.recall_questions`` for whoever renders it differently.
"""

import hashlib
from string import ascii_uppercase
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from located import Located, Malformed
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


class recall(nodes.General, nodes.Element):
    """A question; its children are the question's text and ``fold`` nodes."""


class fold(nodes.General, nodes.Element):
    """``<details>``: a ``foldhead`` first, then what it uncovers."""


class foldhead(nodes.General, nodes.TextElement):
    """``<summary>``."""


def parse(text: str) -> dict[str, Any]:
    """The question described by YAML ``text``; Malformed with its line where it isn't one."""
    data = Located(text)
    data.keys(required={"question", "choices"})
    data.text("question")
    choices = data.value["choices"]
    if not isinstance(choices, list) or len(choices) < 2:
        raise data.fail("choices must be a list of two or more", "choices")
    for k in range(len(choices)):
        at = ("choices", k)
        choice = data.keys(*at, required={"text", "why"}, allowed={"right"})
        data.text(*at, "text"), data.text(*at, "why")
        if not isinstance(choice.setdefault("right", False), bool):
            raise data.fail(f"right must be true or false, not {choice['right']!r}", *at, "right")
        if choice["text"] in [other["text"] for other in choices[:k]]:
            raise data.fail(f"the choice {choice['text']!r} stands twice", *at, "text")
    if not any(choice["right"] for choice in choices):
        raise data.fail("no choice is right", "choices")
    return data.value


def place(name: str, text: str) -> bytes:
    """What choices are sorted by: mixed, and the same in every build."""
    return hashlib.sha256(f"{name}: {text}".encode()).digest()


class Recall(SphinxDirective):
    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        first = self.lineno + 1 + self.content_offset  # of the YAML, in the file
        known = self.env.__dict__.setdefault("recall_questions", {})
        try:
            data = parse("\n".join(self.content))
            if name in known and known[name]["where"] != (self.env.docname, self.lineno):
                page, line = known[name]["where"]
                raise Malformed(f"the id is taken: {self.env.doc2path(page, False)}:{line}", -1)
        except Malformed as error:
            where = (self.env.docname, first + error.line)
            LOGGER.error(f"recall {name!r}: {error}", location=where, type="recall")
            return []
        known[name] = {"where": (self.env.docname, self.lineno), **data}
        return [self.rendered(name, data)]

    def rendered(self, name: str, data: dict[str, Any]) -> nodes.Node:
        node = recall("", ids=[f"recall-{name}"])
        node += self.markdown(data["question"])
        choices = sorted(data["choices"], key=lambda choice: place(name, choice["text"]))
        for letter, choice in zip(ascii_uppercase, choices, strict=False):
            kind = "right" if choice["right"] else "wrong"
            # to speak of; and a choice that is a formula alone has a name
            head = foldhead("", "", nodes.strong("", f"{letter} "), *self.inline(choice["text"]))
            why = nodes.container("", classes=["recall-why"])
            why += self.markdown(f"**{kind.capitalize()}.** {choice['why']}")
            node += fold("", head, why, classes=[f"recall-{kind}"])
        return node

    def markdown(self, text: str) -> list[nodes.Node]:
        box = nodes.Element()
        source = self.env.doc2path(self.env.docname)
        self.state.nested_parse(StringList(text.splitlines(), source), self.content_offset, box)
        return box.children

    def inline(self, text: str) -> list[nodes.Node]:
        parsed = self.markdown(text)
        if len(parsed) == 1 and isinstance(parsed[0], nodes.paragraph):
            return parsed[0].children
        return [nodes.Text(text)]  # "1." or "- x" would be a list: shown as it is written


def purge(app: Sphinx, env: Any, docname: str) -> None:
    known = getattr(env, "recall_questions", {})
    env.recall_questions = {k: v for k, v in known.items() if v["where"][0] != docname}


def merge(app: Sphinx, env: Any, docnames: list[str], other: Any) -> None:
    env.recall_questions = getattr(env, "recall_questions", {})
    env.recall_questions |= getattr(other, "recall_questions", {})


def tag(name: str, **attributes: str) -> tuple:
    def visit(self: Any, node: nodes.Element) -> None:
        self.body.append(self.starttag(node, name, **attributes))

    def depart(self: Any, node: nodes.Element) -> None:
        self.body.append(f"</{name}>\n")

    return visit, depart


def _plain(self: Any, node: nodes.Element) -> None:
    """Other builders print everything, unfolded."""


def setup(app: Sphinx) -> dict[str, Any]:
    for node, html in (
        (recall, tag("div", CLASS="recall")),
        (fold, tag("details")),
        (foldhead, tag("summary")),
    ):
        app.add_node(node, html=html, latex=(_plain, _plain), text=(_plain, _plain))
    app.add_directive("recall", Recall)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    return {"version": "1", "env_version": 2, "parallel_read_safe": True}
