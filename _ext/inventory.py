"""The ``{inventory}`` directive: all questions of a concept inventory, as a form.

    ```{inventory} foundations-inventory
    ```

The questions are those of ``dlcourse/checks/<name>.py``, from which the sheet is made too. Without
scripts each question has a fold with its answer and the reasons; ``_static/inventory.js`` hides the
folds until all is answered, counts by unit, and remembers the counts in the reader's own browser.
"""

import inspect
import sys
from typing import Any

from docutils import nodes
from recall import tag
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class inventory_form(nodes.General, nodes.Element):
    """All questions."""


class inventory_question(nodes.General, nodes.Element):
    """``<fieldset>``, with the unit that it asks about."""


class inventory_legend(nodes.General, nodes.TextElement):
    """A question's number and title."""


class inventory_option(nodes.General, nodes.TextElement):
    """``<label>`` with its radio button."""


class inventory_reasons(nodes.General, nodes.Element):
    """``<details>``: the right letter, and why of each."""


class inventory_result(nodes.General, nodes.Element):
    """Where the script writes; hidden without it."""


class Inventory(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from dlcourse.checks.core import registry
        from dlcourse.checks.core.choice import Choice

        unit = registry.unit(self.arguments[0])
        module = sys.modules[f"dlcourse.checks.{unit.slug.replace('-', '_')}"]
        self.env.note_dependency(inspect.getfile(module))
        choices = [e for e in unit.exercises.values() if isinstance(e, Choice)]
        box = inventory_form("", name=unit.slug)
        box += [self.question(k, choice) for k, choice in enumerate(choices, 1)]
        box += inventory_result()
        return [box]

    def question(self, number: int, choice: Any) -> nodes.Node:
        box = inventory_question("", unit=choice.unit, right=choice.right)
        box += inventory_legend("", f"{number}. {choice.title}")
        box += self.parse_text_to_nodes(choice.text)
        whys = inventory_reasons("", right=choice.right)
        for letter, each in choice.options.items():
            head = [nodes.strong("", letter), nodes.Text(" "), *self.inline(each.text)]
            box += inventory_option("", "", *head, name=choice.name, letter=letter)
            why = self.inline(f"**{letter}.** {each.why}")
            whys += nodes.paragraph("", "", *why, classes=[f"why-{letter}"])
        box += whys
        return box

    def inline(self, text: str) -> list[nodes.Node]:
        (paragraph,) = self.parse_text_to_nodes(text)
        return paragraph.children


def visit_option(self: Any, node: nodes.Element) -> None:
    radio = f'<input type="radio" name="{node["name"]}" value="{node["letter"]}" />'
    self.body.append(f"<label>{radio} <span>")


def visit_question(self: Any, node: nodes.Element) -> None:
    self.body.append(f'<fieldset data-unit="{node["unit"]}" data-right="{node["right"]}">')


def visit_form(self: Any, node: nodes.Element) -> None:
    self.body.append(f'<form class="inventory" data-name="{node["name"]}">\n')


def visit_reasons(self: Any, node: nodes.Element) -> None:
    self.body.append(
        f"<details><summary>The answer, and why</summary><p>Right: {node['right']}.</p>"
    )


def visit_result(self: Any, node: nodes.Element) -> None:
    self.body.append(
        '<div class="inventory-result" hidden><button type="submit">Show my result</button>'
        '<button type="button">Forget my results</button><div role="status"></div></div>'
    )


def _closing(tag: str) -> Any:
    return lambda self, node: self.body.append(f"</{tag}>\n")


def _nothing(self: Any, node: nodes.Element) -> None:
    """Other builders print everything, unfolded."""


def setup(app: Sphinx) -> dict[str, Any]:
    for node, html in (
        (inventory_form, (visit_form, _closing("form"))),
        (inventory_question, (visit_question, _closing("fieldset"))),
        (inventory_legend, tag("legend")),
        (inventory_option, (visit_option, _closing("span></label"))),
        (inventory_reasons, (visit_reasons, _closing("details"))),
        (inventory_result, (visit_result, _nothing)),
    ):
        app.add_node(node, html=html, latex=(_nothing, _nothing), text=(_nothing, _nothing))
    app.add_directive("inventory", Inventory)
    return {"version": "1", "parallel_read_safe": True}
