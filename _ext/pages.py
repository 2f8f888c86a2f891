"""What pages carry around their text: links to notebooks, descriptions; the wheel beside them.

A sheet can be opened in Colab or downloaded, and so can the notebook made of a chapter
(``notebooks.py``), which the workflow that publishes the site puts on a branch for Colab. Where the
course lives comes from ``[project.urls]`` in pyproject.toml alone.
"""

import shutil
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from outcomes import about
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

COLAB = "https://colab.research.google.com/github/"


@cache
def urls(root: Path) -> dict[str, str]:
    """Where the course lives."""
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["urls"]


def repository(root: Path) -> str:
    """``owner/name`` of the course's repository."""
    return urls(root)["Repository"].removesuffix("/").removeprefix("https://github.com/")


class NotebookLinks(SphinxTransform):
    """Under the title of a sheet or chapter: Colab, the notebook itself, the page it belongs to."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        docname = self.env.docname
        folder, _, slug = docname.rpartition("/")
        root = Path(self.env.srcdir)
        notebook: nodes.Element
        if docname.startswith("exercises/"):
            branch = "main"
            notebook = addnodes.download_reference(
                "", "Download the notebook", reftarget=f"/{docname}.ipynb", refdoc=docname
            )
            taught = (root / "chapters" / f"{slug}.md").exists()
            other = f"/{'chapters' if taught else 'pages'}/{slug}"
            words = "Read the chapter" if taught else "Take it on this site"
        elif folder == "chapters":
            branch = "notebooks"
            notebook = nodes.reference("", "Download as a notebook", refuri=f"{slug}.ipynb")
            other, words = f"/exercises/{slug}/{slug}", "Exercises"
        else:
            return
        url = f"{COLAB}{repository(root)}/blob/{branch}/{docname}.ipynb"
        links: list[nodes.Node] = [
            nodes.reference("", "Open in Colab", refuri=url, internal=False),
            notebook,
        ]
        if (root / f"{other[1:]}.md").exists() or (root / f"{other[1:]}.ipynb").exists():
            options = {"reftype": "doc", "refdomain": "std", "refexplicit": True, "refdoc": docname}
            label = nodes.inline("", words)
            links.append(addnodes.pending_xref("", label, reftarget=other, refwarn=True, **options))
        items = (nodes.list_item("", nodes.paragraph("", "", link)) for link in links)
        bar = nodes.bullet_list("", *items, classes=["notebook-links"])
        for section in self.document.findall(nodes.section):
            section.insert(1, bar)
            return


def long_paragraphs(doctree: nodes.document) -> Iterator[str]:
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) >= 40 and isinstance(paragraph.parent, nodes.section):
            yield text


def describe(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """A description for search engines, where a page gives none: what a chapter teaches, or the
    first paragraph."""
    if doctree is None or 'name="description"' in context.get("metatags", ""):
        return
    if page.startswith("chapters/") and (found := about(Path(app.srcdir, f"{page}.md"))):
        text = f"Learn to {'; '.join(found['outcomes'].values())}."
    else:
        text = next(long_paragraphs(doctree), "")
    if text:
        short = escape(textwrap.shorten(text, 160, placeholder=" …"), quote=True)
        context["metatags"] = (
            f'{context.get("metatags", "")}\n<meta name="description" content="{short}" />'
        )


def name_toggles(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """The sidebar's folds get a name: the theme gives them an arrow, which no one can hear."""
    if draw := context.get("generate_toctree_html"):

        def named(kind: str, **options: Any) -> Any:
            tree = draw(kind=kind, **options)
            if kind != "sidebar":
                return tree
            return str(tree).replace("<summary>", '<summary aria-label="Pages of this chapter">')

        context["generate_toctree_html"] = named


def publish_wheel(app: Sphinx, error: Exception | None) -> None:
    """Serve the wheel that sheets install, where it has been built."""
    wheels = Path(app.srcdir) / "build" / "wheels"
    if error is None and app.builder.format == "html":
        for wheel in wheels.glob("*.whl"):
            target = Path(app.outdir) / "wheels"
            target.mkdir(exist_ok=True)
            shutil.copy(wheel, target)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value(
        "comments_config", {}, ""
    )  # Jupyter Book sets it, for an extension we drop
    app.add_transform(NotebookLinks)
    app.connect("html-page-context", describe, priority=480)  # before the previews
    app.connect("html-page-context", name_toggles, priority=900)  # after the theme's own
    app.connect("build-finished", publish_wheel)
    return {"version": "1", "parallel_read_safe": True}
