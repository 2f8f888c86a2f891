"""Formulas become HTML when the book is built, by KaTeX: no script runs in the reader's browser.

A formula that KaTeX refuses is an error with file and line.
"""

import atexit
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import npm
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)

# One request a line: {"tex", "display"}; one answer a line: {"html"} or {"error"}.
SERVER = """
const katex = require(process.argv[1] + "/katex.js");
require("readline").createInterface({input: process.stdin}).on("line", line => {
  const {tex, display} = JSON.parse(line);
  let answer;
  try {
    answer = {html: katex.renderToString(tex, {displayMode: display, strict: false, trust: false})};
  } catch (error) {
    answer = {error: error.message};
  }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});
"""


class Renderer:
    """One Node process for the whole build, spoken to over its pipes."""

    def __init__(self, dist: Path):
        self.dist = dist
        self.process: subprocess.Popen[str] | None = None
        self.known: dict[tuple[str, bool], dict[str, str]] = {}

    def __call__(self, tex: str, display: bool) -> dict[str, str]:
        if (tex, display) not in self.known:
            if self.process is None:
                command = [npm.node(), "-e", SERVER, str(self.dist)]
                pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
                self.process = subprocess.Popen(command, text=True, encoding="utf-8", **pipes)
                atexit.register(self.close)
            assert self.process.stdin and self.process.stdout
            self.process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
            self.process.stdin.flush()
            self.known[tex, display] = json.loads(self.process.stdout.readline())
        return self.known[tex, display]

    def close(self) -> None:
        if self.process is not None:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(10)
            self.process = None


def render(translator: Any, element: nodes.Element, tex: str, display: bool) -> str:
    answer = translator.builder.app.katex(tex.strip(), display)
    if "error" in answer:
        LOGGER.error(f"formula: {answer['error']}", location=element, type="maths")
        return translator.encode(tex)
    return answer["html"]


def visit_inline(self: Any, element: nodes.math) -> None:
    html = render(self, element, element.astext(), display=False)
    self.body.append(f'<span class="math notranslate nohighlight">{html}</span>')
    raise nodes.SkipNode


def visit_block(self: Any, element: nodes.math_block) -> None:
    tex = element.astext()
    if "\\\\" in tex and "\\begin" not in tex:  # several lines, as Sphinx's own renderers read them
        tex = f"\\begin{{aligned}}{tex}\\end{{aligned}}"
    self.body.append(self.starttag(element, "div", CLASS="math notranslate nohighlight"))
    if element.get("number"):
        number = get_node_equation_number(self, element)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(element, "Link to this equation")
        self.body.append("</span>")
    self.body.append(render(self, element, tex, display=True) + "</div>\n")
    raise nodes.SkipNode


def start(app: Sphinx) -> None:
    if app.builder.format == "html":
        app.katex = Renderer(npm.install() / "katex" / "dist")  # type: ignore[attr-defined]


def stylesheet(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Only pages with formulas load KaTeX's stylesheet and fonts."""
    if doctree is not None and any(
        doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block))
    ):
        app.add_css_file("katex/katex.min.css")


def finish(app: Sphinx, error: Exception | None) -> None:
    if not hasattr(app, "katex"):
        return
    app.katex.close()
    if error is None:
        target, dist = Path(app.outdir) / "_static" / "katex", app.katex.dist
        (target / "fonts").mkdir(parents=True, exist_ok=True)
        css = (dist / "katex.min.css").read_text("utf-8")
        # every browser that shows the rest of the site reads woff2: the older formats stay at home
        css = re.sub(r',url\([^)]*\.(woff|ttf)\) format\("\w+"\)', "", css)
        (target / "katex.min.css").write_text(css, "utf-8")
        for font in (dist / "fonts").glob("*.woff2"):
            shutil.copy(font, target / "fonts")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.connect("builder-inited", start)
    app.connect("html-page-context", stylesheet)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
