"""Light pages: one small stylesheet, scripts that wait, figures that load when they come near.

The theme and its extensions bring eight stylesheets, most of whose rules no page uses, an icon font
of which some twenty icons are shown, scripts that a browser runs before it draws, and the whole
search index. Here the stylesheets become ``styles/site.css`` (esbuild joins them, PurgeCSS takes
out what no page and no script names), scripts are deferred, and the font keeps what that sheet
names. ``templates/layout.html`` loads the result; ``_static/search.js`` loads search when asked.
Figures say their size, so that nothing moves when they come.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import npm
import pydata_sphinx_theme
from docutils import nodes
from fontTools import subset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

SITE_CSS = "styles/site.css"
# in the order in which the theme loads them
THEME = "styles/theme.css", "styles/pydata-sphinx-theme.css"
COURSE = "course.css", "print.css"  # ours, as they are
PARTIAL = ("katex/", "live/")  # of some pages only
FONTS = Path("vendor/fontawesome/webfonts")
ICONS = "fa-solid-900.woff2"
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"')  # as matplotlib says it
TOOL = Path(__file__).parent / "browser" / "style.cjs"


def lighten(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Replace a page's list of stylesheets, and let its scripts wait for its text."""
    sheets = app.env.__dict__.setdefault("light_sheets", [])
    kept = []
    for sheet in context["css_files"]:
        name = str(sheet.filename).partition("?")[0].removeprefix("_static/")
        if name.startswith(PARTIAL):
            kept.append(sheet)
        elif name not in sheets:
            sheets.append(name)
    context["css_files"] = kept
    if page == "search":  # its template adds scripts that don't wait, and need those before them
        return
    context["script_files"] = [waiting(script) for script in context["script_files"]]


def waiting(script: Any) -> Any:
    """A script that lets the text come first; a new one, because pages share theirs."""
    attributes = dict(getattr(script, "attributes", {}))
    if not attributes and not getattr(script, "filename", None):
        return script
    if script.filename:
        attributes.setdefault("defer", "defer")
    elif "body" in attributes:  # an inline module runs in turn with scripts that are deferred
        attributes["type"] = "module"
    return type(script)(script.filename, priority=script.priority, **attributes)


def visit_image(self: Any, node: nodes.image) -> None:
    """A figure is loaded when it comes near, and has its place before."""
    path = Path(self.builder.srcdir, node["uri"])
    type(self).visit_image(self, node)
    place = ""
    if path.suffix == ".svg" and (size := SIZE.search(path.read_text("utf-8")[:2000])):
        width, height = (round(float(points) * 4 / 3) for points in size.groups())
        place = f' width="{width}" height="{height}"'
    self.body[-1] = self.body[-1].replace("<img ", f'<img loading="lazy"{place} ', 1)


def depart_image(self: Any, node: nodes.image) -> None:
    type(self).depart_image(self, node)


def publish(app: Sphinx, error: Exception | None) -> None:
    """Make the stylesheet from what was built, then the font from the stylesheet."""
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    sheets = [*THEME, *getattr(app.env, "light_sheets", [])]
    purged = [static / name for name in sheets if name not in COURSE]
    command = [npm.node(), str(TOOL), str(app.outdir), str(static / SITE_CSS)]
    command += [*map(str, purged), "--", *(str(static / name) for name in COURSE)]
    environment = {"NODE_PATH": str(npm.install())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise ExtensionError(f"the site's stylesheet couldn't be made:\n{done.stderr}")
    icons(static)


def icons(static: Path) -> None:
    """The theme's icon font with only those icons that the stylesheet names."""
    css = (static / SITE_CSS).read_text("utf-8")
    used = {int(code, 16) for code in re.findall(r'"\\([0-9a-f]{4})"', css)}
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
    options = subset.Options(flavor="woff2")
    font = subset.load_font(theme / FONTS / ICONS, options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=used)
    cutter.subset(font)
    (static / FONTS).mkdir(parents=True, exist_ok=True)
    subset.save_font(font, static / FONTS / ICONS, options)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.connect("html-page-context", lighten, priority=990)  # after all that add to the lists
    app.connect("build-finished", publish, priority=900)
    return {"version": "1", "parallel_read_safe": True}
