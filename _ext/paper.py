"""The whole course on paper: ``python _ext/paper.py`` prints the built site as one PDF.

Chromium prints the pages of _toc.yml in their order, by ``_static/print.css`` and with numbers that
go on from page to page; then title and contents, which by now can name those numbers. pypdf joins
them, with an outline. A link to what was printed leads there in the PDF, any other to the web.
"""

import json
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from findable import homepage
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, Page, Route, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, FloatObject, NameObject, NullObject
from sphinx_external_toc.parsing import parse_toc_yaml
from tagged import carry_over

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = {"pages/review"}  # the chapters' questions again, in the order of a browser's memory
HEADER = "@page { @top-left { content: %s; color: #555; font: 8pt system-ui, sans-serif; } }"
HEADER += "@page :first { @top-left { content: none; } } :root { counter-reset: page %d; }"
PREPARE = """(style) => {
    document.documentElement.dataset.theme = "light";
    document.head.appendChild(document.createElement("style")).textContent = style;
}"""

Places = dict[tuple[str, str], tuple[int, float, float]]  # page and id: index in the PDF, left, top


@dataclass
class Entry:
    """A page of the course, and the place that _toc.yml gives it."""

    name: str
    part: str  # its caption; the front page is of none
    depth: int  # 1 where it belongs to a chapter


@dataclass
class Printed:
    """A page of the course on paper; the sheets before it number ``before``."""

    entry: Entry
    before: int
    pdf: PdfReader

    @cached_property
    def title(self) -> str:
        return str(self.pdf.outline[0].title)  # its h1


def entries(toc: Path) -> Iterator[Entry]:
    """What is printed, in order."""
    book = parse_toc_yaml(toc)

    def below(name: str, part: str, depth: int) -> Iterator[Entry]:
        for tree in book[name].subtrees:
            for item in tree.items:
                if item not in LEFT_OUT:
                    yield Entry(str(item), tree.caption or part, depth)
                yield from below(str(item), tree.caption or part, depth + 1)

    yield Entry(book.root.docname, "", 0)
    yield from below(book.root.docname, "", 0)


class Press:
    """Chromium, which sees the site at its published address and nothing else of the web."""

    def __init__(self, browser: Browser, site: Path) -> None:
        self.site, self.home = site, homepage(ROOT)
        # without scripts: nothing that waits for a reader, and nothing loaded late
        self.page: Page = browser.new_context(java_script_enabled=False).new_page()
        self.page.set_default_timeout(120_000)
        self.page.route("**/*", self.serve)

    def serve(self, route: Route) -> None:
        address = route.request.url.partition("?")[0].partition("#")[0]
        file = self.site / unquote(address.removeprefix(self.home))
        if address.startswith(self.home) and file.is_file():
            route.fulfill(path=file)
        else:
            route.abort()

    def chapter(self, entry: Entry, before: int) -> Printed:
        """Print a page of the site after ``before`` sheets of paper."""
        self.page.goto(f"{self.home}{entry.name}.html")
        title = self.page.locator("article h1").first.evaluate("h1 => h1.firstChild.textContent")
        self.page.evaluate(PREPARE, HEADER % (json.dumps(title, ensure_ascii=False), before))
        return Printed(entry, before, self.sheets())

    def front(self, printed: list[Printed]) -> PdfReader:
        """Title and contents."""
        config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        templates = Environment(loader=FileSystemLoader(ROOT / "_ext/templates"), autoescape=True)
        html = templates.get_template("paper.html").render(
            config=config, version=project["version"], home=self.home, printed=printed
        )
        self.page.goto(f"{self.home}index.html")  # so that relative addresses are the site's
        self.page.set_content(html)
        return self.sheets()

    def sheets(self) -> PdfReader:
        options = {"prefer_css_page_size": True, "print_background": True}
        # without tags Chromium writes no outline
        return PdfReader(BytesIO(self.page.pdf(**options, outline=True, tagged=True)))


def places(front: int, printed: list[Printed]) -> Places:
    """Where in the PDF, after ``front`` sheets, each page begins and each heading, term, … stands.

    Chromium notes the ids that a page itself links to; all that others link to are among them.
    """
    found: Places = {}
    for each in printed:
        name, first = each.entry.name, front + each.before
        for key, place in each.pdf.named_destinations.items():
            index = first + each.pdf.get_destination_page_number(place)
            found[name, key.removeprefix("/")] = (index, place.left or 0, place.top or 0)
        found[name, ""] = (first, 0, float(each.pdf.pages[0].mediabox.top))
    return found


def redirect(link: Any, name: str, home: str, found: Places, writer: PdfWriter) -> None:
    """Let a link on page ``name`` lead to a place in the PDF, if its target was printed."""
    if "/Dest" in link:
        page, mark = name, link["/Dest"].removeprefix("/")
    elif (address := link.get("/A", {}).get("/URI", "")).startswith(home):
        path, _, mark = address.removeprefix(home).partition("#")
        page = path.removesuffix(".html") or "index"
    else:
        return
    if place := found.get((page, unquote(mark))) or found.get((page, "")):
        index, left, top = place
        link.pop("/A", None)
        spot = [NameObject("/XYZ"), FloatObject(left), FloatObject(top), NullObject()]
        sheet = writer.pages[index].indirect_reference
        link[NameObject("/Dest")] = ArrayObject([sheet, *spot])


def outline(writer: PdfWriter, front: int, printed: list[Printed]) -> None:
    """Parts, their chapters, a chapter's sections and its sheet."""

    def sections(items: list, first: int, pdf: PdfReader, parent: Any) -> Any:
        last = parent
        for item in items:
            if isinstance(item, list):
                sections(item, first, pdf, last)
            else:
                index = first + pdf.get_destination_page_number(item)
                last = writer.add_outline_item(
                    title=item.title, page_number=index, parent=parent, is_open=False
                )
        return last

    above: dict[int, Any] = {}
    part = ""
    for each in printed:
        first, depth = front + each.before, each.entry.depth
        if each.entry.part != part:
            part = each.entry.part
            above = {-1: writer.add_outline_item(title=part, page_number=first)}
        parent = above.get(depth - 1)
        above[depth] = sections(each.pdf.outline[:1], first, each.pdf, parent)
        sections(each.pdf.outline[1:], first, each.pdf, above[depth])


def join(front: PdfReader, printed: list[Printed], home: str) -> PdfWriter:
    """One PDF of title, contents and pages."""
    writer = PdfWriter()
    pdfs = [front, *(each.pdf for each in printed)]
    for sheet in (sheet for pdf in pdfs for sheet in pdf.pages):
        writer.add_page(sheet)
    carry_over(writer, pdfs)
    found = places(len(front.pages), printed)
    names = ["index"] * len(front.pages)
    names += [each.entry.name for each in printed for _ in each.pdf.pages]
    for name, sheet in zip(names, writer.pages, strict=True):
        for link in sheet.get("/Annots", []):
            redirect(link.get_object(), name, home, found, writer)
    outline(writer, len(front.pages), printed)
    writer.set_page_label(0, len(front.pages) - 1, style="/r")
    writer.set_page_label(len(front.pages), len(writer.pages) - 1, style="/D")
    writer.add_metadata({"/Title": printed[0].title})
    return writer


def course(browser: Browser, site: Path, toc: Path) -> PdfWriter:
    """The pages that ``toc`` names, printed and joined."""
    press = Press(browser, site)
    printed: list[Printed] = []
    before = 0
    for entry in entries(toc):
        printed.append(press.chapter(entry, before))
        before += len(printed[-1].pdf.pages)
    front = press.front(printed)
    press.page.context.close()
    return join(front, printed, press.home)


def main() -> None:
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("Printing needs Chromium: apt-get install chromium")
    target = ROOT / "build" / "course.pdf"
    target.parent.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        # in a container there is no sandbox, and what is printed is our own
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        whole = course(browser, ROOT / "_build" / "html", ROOT / "_toc.yml")
        browser.close()
    whole.write(target)
    print(f"{target.relative_to(ROOT)}: {len(whole.pages)} pages")


if __name__ == "__main__":
    main()
