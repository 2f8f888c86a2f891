"""Each chapter as a notebook that Jupyter, Colab and VS Code show: no directive is left in it.

The text is written from the page as Sphinx has resolved it, so that numbers, citations, terms and
references stand there as on the page; the code cells are the chapter's own, those too that the page
doesn't show, because later cells need them. Outputs are left out: whoever runs it makes them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import nbformat
from docutils import nodes
from findable import homepage
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from recall import fold, foldhead
from sphinx import addnodes
from sphinx.application import Sphinx

from dlcourse.wheel import requirement

FOLDER = "chapters"
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
SPECIAL = re.compile(r"([\\`*_$<\[\]])")
BLOCK_START = re.compile(r"^(\s*\d+)?([-+#>]+|[.)])(?=\s|$)")
FIRST = """\
# Installs the course if it isn't there yet (in Colab, say).
try:
    import {modules}
except ImportError:
    %pip install -q "{requirement}"
"""


class Markdown:
    """CommonMark of a page's nodes; ``url`` is where the page is published."""

    def __init__(self, url: str):
        self.url = url

    # inline ---------------------------------------------------------------------------------------

    def inline(self, node: nodes.Node) -> str:
        """The text of a node within a line."""
        if isinstance(node, nodes.Text):
            return SPECIAL.sub(r"\\\1", str(node)).replace("\n", " ")
        text = "".join(map(self.inline, node.children))
        match node:
            case nodes.math():
                return f"${node.astext().strip()}$"
            case nodes.literal():
                return code(node.astext())
            case nodes.emphasis():
                return f"*{text}*"
            case nodes.strong():
                return f"**{text}**"
            case nodes.footnote_reference():
                return rf"\[{node.astext()}\]"
            case nodes.reference():
                return f"[{text}]({self.target(node)})"
            case nodes.image():
                return f"![{node.get('alt', '')}]({urljoin(self.url, node['uri'])})"
            case nodes.raw() | nodes.comment() | nodes.target() | addnodes.index():
                return ""
        return text

    def target(self, node: nodes.reference) -> str:
        """The published address that a link leads to."""
        address = node.get("refuri") or f"#{node.get('refid', '')}"
        return urljoin(self.url, address).replace(" ", "%20")

    def line(self, node: nodes.Element) -> str:
        """All of a node in one line; what would begin a list or a heading doesn't."""
        text = "".join(map(self.inline, node.children)).strip()
        return BLOCK_START.sub(lambda found: f"{found[1] or ''}\\{found[2]}", text)

    # blocks ---------------------------------------------------------------------------------------

    def blocks(self, node: nodes.Element) -> str:
        """The blocks within a node, an empty line between them."""
        return "\n\n".join(filter(None, map(self.block, node.children)))

    def block(self, node: nodes.Node) -> str:
        match node:
            case nodes.title():
                return f"{'#' * self.depth(node)} {self.line(node)}"
            case nodes.paragraph() | nodes.rubric() | nodes.caption():
                return self.line(node)
            case nodes.math_block():
                number = rf" \tag{{{node['number']}}}" if node.get("number") else ""
                return f"$$\n{node.astext().strip()}{number}\n$$"
            case nodes.literal_block():
                return fenced(node.astext(), node.get("language", ""))
            case nodes.bullet_list() if "notebook-links" in node["classes"]:
                return ""
            case nodes.bullet_list():
                return "\n".join(self.item("- ", item) for item in node.children)
            case nodes.enumerated_list():
                first = node.get("start", 1)
                return "\n".join(
                    self.item(f"{k}. ", item) for k, item in enumerate(node.children, first)
                )
            case nodes.term():
                return f"**{self.line(node)}**"
            case nodes.table():
                return self.table(node)
            case nodes.Admonition() | nodes.topic() | nodes.block_quote():
                return quoted(self.admonition(node))
            case fold():
                return self.fold(node)
            case nodes.footnote() | nodes.citation():
                label, *rest = node.children
                text = " ".join(self.line(each) for each in rest if isinstance(each, nodes.Element))
                return rf"\[{label.astext()}\] {text}"
            case nodes.image():
                return self.inline(node)
            case nodes.raw() | nodes.comment() | nodes.target() | nodes.Invisible():
                return ""
            case nodes.Element():
                return self.blocks(node) if node.children else ""
        return self.inline(node)

    def depth(self, title: nodes.title) -> int:
        depth, parent = 0, title.parent
        while parent is not None:
            depth += isinstance(parent, nodes.section)
            parent = parent.parent
        return max(1, depth)

    def item(self, mark: str, item: nodes.Element) -> str:
        lines = self.blocks(item).splitlines()
        rest = (" " * len(mark) + line if line else "" for line in lines[1:])
        return "\n".join([mark + (lines[0] if lines else ""), *rest])

    def admonition(self, node: nodes.Element) -> str:
        head, rest = "", list(node.children)
        if rest and isinstance(rest[0], nodes.title):
            head = f"**{self.line(rest.pop(0))}**"
        return "\n\n".join(filter(None, [head, *map(self.block, rest)]))

    def fold(self, node: nodes.Element) -> str:
        """``<details>``, whose summary is HTML: Markdown isn't read within it."""
        head = next(each for each in node.children if isinstance(each, foldhead))
        rest = [each for each in node.children if each is not head]
        text = "\n\n".join(filter(None, map(self.block, rest)))
        return f"<details><summary>{html(head)}</summary>\n\n{text}\n\n</details>"

    def table(self, node: nodes.table) -> str:
        """A pipe table; a bar within a formula would end its cell, so it is written as a name."""
        rows = [
            [self.cell(entry) for entry in row.findall(nodes.entry)]
            for row in node.findall(nodes.row)
        ]
        columns = max(map(len, rows))
        head, *body = [row + [""] * (columns - len(row)) for row in rows]
        lines = [head, ["---"] * columns, *body]
        title = next(node.findall(nodes.title), None)
        caption = f"{self.line(title)}\n\n" if title is not None else ""
        return caption + "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def cell(self, entry: nodes.entry) -> str:
        text = " ".join(self.block(each).replace("\n", " ") for each in entry.children)
        parts = re.split(r"(\$[^$]*\$)", text)
        for k, part in enumerate(parts):
            if k % 2:
                parts[k] = part.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
            else:
                parts[k] = part.replace("|", r"\|")
        return "".join(parts)


def code(text: str) -> str:
    """A code span, whatever backticks are in it."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    if not longest:
        return f"`{text}`"
    mark = "`" * (longest + 1)
    return f"{mark} {text} {mark}"


def fenced(text: str, language: str) -> str:
    mark = "`" * max(3, 1 + max(map(len, re.findall(r"`{3,}", text)), default=0))
    return f"{mark}{'' if language in ('none', 'default') else language}\n{text.rstrip()}\n{mark}"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def html(node: nodes.Node) -> str:
    """The text of a node as HTML, in one line; formulas between dollars, which MathJax reads."""
    if isinstance(node, nodes.Text):
        return str(node).replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    if isinstance(node, nodes.math):
        return f"${node.astext().strip().replace('<', '&lt;')}$"
    text = "".join(map(html, node.children))
    names = {nodes.literal: "code", nodes.emphasis: "em", nodes.strong: "strong"}
    name = names.get(type(node))
    return f"<{name}>{text}</{name}>" if name else text


def pieces(writer: Markdown, node: nodes.Element) -> Iterator[tuple[int, str | None, int | None]]:
    """What a page consists of, in order: its line in the source, and a text or a cell's index."""
    for child in node.children:
        if isinstance(child, nodes.section):
            yield from pieces(writer, child)
        elif isinstance(child, nodes.Element) and "cell_index" in child:
            if child.get("nb_element") == "cell_code":
                yield child.line or 0, None, child["cell_index"]
        elif text := writer.block(child):
            yield getattr(child, "line", None) or 0, text, None


def notebook(app: Sphinx, page: str, doctree: nodes.document) -> nbformat.NotebookNode:
    """The chapter as a notebook."""
    root = Path(app.srcdir)
    source = (root / f"{page}.md").read_text("utf-8")
    cells = read_myst_markdown_notebook(source, MdParserConfig()).cells
    todo = {k: cell for k, cell in enumerate(cells) if cell.cell_type == "code"}
    imports = ("torch",) if "torch" in source else ()
    modules = ", ".join(("dlcourse", *imports))
    first = FIRST.format(modules=modules, requirement=requirement(root, imports))
    made = [new_code_cell(first, id="setup")]
    text: list[str] = []

    def flush() -> None:
        if text:
            made.append(new_markdown_cell("\n\n".join(text), id=f"text-{len(made)}"))
            text.clear()

    def add(index: int) -> None:
        cell = todo.pop(index)
        hidden = HIDDEN & set(cell.metadata.get("tags", ()))
        about = {"jupyter": {"source_hidden": True}} if hidden else {}
        made.append(new_code_cell(cell.source, metadata=about, id=f"code-{index}"))

    for _, block, index in pieces(Markdown(urljoin(homepage(root), f"{page}.html")), doctree):
        if block is not None:
            text.append(block)
            continue
        flush()
        for earlier in [k for k in todo if k <= index]:  # with those that the page doesn't show
            add(earlier)
    flush()
    for rest in list(todo):
        add(rest)
    if made[1].cell_type == "markdown":  # the title first
        made[:2] = made[1::-1]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=made, metadata={"kernelspec": kernel})


def write(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Write the notebook beside the page."""
    if doctree is None or not page.startswith(f"{FOLDER}/"):
        return
    path = Path(app.outdir) / f"{page}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(app, page, doctree), path)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", write)
    return {"version": "1", "parallel_read_safe": True}
