"""The ``{review}`` directive: every recall question of the course, to be answered again.

    ```{review}
    ```

Without scripts all questions stand there, page by page. ``_static/recall.js`` notes in the reader's
own browser which choice was opened first, and shows what is due. The same questions are written to
``anki.txt``, which Anki imports as it is.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from recall import Recall, parse, place, tag
from sphinx.application import Sphinx
from syllabus import course

PAGE = "pages/review"
FIRST = "pages/prerequisites"  # before the units, in their order
BLOCK = re.compile(r"^```\{recall\} (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
CARDS = "anki.txt"
HEAD = """\
#separator:Tab
#html:true
#notetype:Basic
#deck:A deep learning course
#guid column:1
#tags column:4
"""


class review_box(nodes.General, nodes.Element):
    """Where the script says what is due; hidden without it."""


def asked(root: Path) -> dict[str, tuple[str, dict[str, dict[str, Any]]]]:
    """For each page with questions its title and the questions by their ids."""
    units = course(root).units.values()
    pages = [FIRST, *(f"chapters/{unit.slug}" for unit in units if unit.is_here)]
    found = {}
    for page in pages:
        text = (root / f"{page}.md").read_text("utf-8")
        blocks = {name: parse(block) for name, block in BLOCK.findall(text)}
        if blocks and (title := TITLE.search(text)):
            found[page] = title[1], blocks
    return found


class Review(Recall):
    has_content = False
    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        link = nodes.reference("", "the same questions for Anki", refuri=f"../{CARDS}")
        words = nodes.Text("Whoever uses Anki finds them as cards here: "), link, nodes.Text(".")
        sections: list[nodes.Node] = [review_box(), nodes.paragraph("", "", *words)]
        for page, (title, questions) in asked(Path(self.env.srcdir)).items():
            self.env.note_dependency(self.env.doc2path(page))
            name = nodes.make_id(f"review-{page}")
            section = nodes.section("", nodes.title("", title), ids=[name])
            section += [self.rendered(each, data) for each, data in questions.items()]
            sections.append(section)
        return sections


def cards(root: Path) -> str:
    """All questions as a text that Anki imports: an id, front, back, and the page as its tag."""
    written = MarkdownIt("commonmark").use(dollarmath_plugin, renderer=_mathjax)

    def html(text: str) -> str:
        return " ".join(written.renderInline(text).split())

    lines = []
    for page, (_, questions) in asked(root).items():
        for name, data in questions.items():
            choices = sorted(data["choices"], key=lambda choice: place(name, choice["text"]))
            items = "".join(f"<li>{html(choice['text'])}</li>" for choice in choices)
            reasons = "".join(
                f"<li><b>{'Right' if choice['right'] else 'Wrong'}.</b> {html(choice['why'])}</li>"
                for choice in choices
            )
            front = f"{html(data['question'])}<ol>{items}</ol>"
            slug = page.rpartition("/")[2]
            lines.append("\t".join((f"dlcourse-{name}", front, f"<ol>{reasons}</ol>", slug)))
    return HEAD + "\n".join(lines) + "\n"


def _mathjax(text: str, options: dict[str, Any]) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return rf"\[{escaped}\]" if options.get("display_mode") else rf"\({escaped}\)"


def publish(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html" and PAGE in app.env.found_docs:
        (Path(app.outdir) / CARDS).write_text(cards(Path(app.srcdir)), "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(review_box, html=tag("div", CLASS="review", hidden="hidden"))
    app.add_directive("review", Review)
    app.connect("build-finished", publish)
    return {"version": "1", "parallel_read_safe": True}
