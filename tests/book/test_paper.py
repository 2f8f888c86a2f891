"""Pages on paper: folds open, light, nothing that leads elsewhere; and the course as one PDF.

Needs _build/html, and Chromium of the system.
"""

import re
import unicodedata
from io import BytesIO

import paper
import pytest
from bs4 import BeautifulSoup
from findable import homepage
from pypdf import PdfReader

pytestmark = pytest.mark.browser

TOC = """\
format: jb-book
root: index
parts:
  - caption: Foundations
    chapters:
      - file: chapters/capstone
        sections:
          - file: exercises/capstone/capstone
  - caption: Words
    chapters:
      - file: pages/glossary
      - file: pages/review
"""


def words(text: str) -> str:
    """Letters and digits alone: lines, signs and ligatures are Chromium's and the font's affair."""
    return re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKC", text))


def printed(tab) -> str:
    pdf = PdfReader(BytesIO(tab.pdf(prefer_css_page_size=True, print_background=True)))
    return "".join(words(sheet.extract_text()) for sheet in pdf.pages)


def whole(soup: BeautifulSoup, selector: str) -> list[str]:
    """The text of what is selected, where it has no formula: those are drawn twice in HTML."""
    found = soup.select(selector)
    return [words(each.get_text()) for each in found if not each.find(class_="math")]


def test_a_chapter_on_paper_has_its_title_and_every_fold_open(browser, address, site):
    soup = BeautifulSoup((site / "chapters/capstone.html").read_text("utf-8"), "html.parser")
    tab = browser.new_context(color_scheme="dark").new_page()
    tab.goto(f"{address}chapters/capstone.html")
    assert tab.locator("article details:not([open])").count() > 10
    text = printed(tab)
    assert words(soup.select_one("article h1").find(string=True)) in text[:20]
    assert text.count(max(whole(soup, "article h2"), key=len)) == 1  # no list of sections
    folded = whole(soup, ".recall-why") + whole(soup, "details.hide pre")
    assert len(folded) > 15 and [fold for fold in folded if fold not in text] == []
    assert not tab.evaluate("localStorage.getItem('dlcourse:recall')")  # opened isn't answered
    tab.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_on_paper_is_nothing_to_click(browser, address, scripts):
    tab = browser.new_context(java_script_enabled=scripts).new_page()
    tab.goto(f"{address}exercises/neurons/neurons.html")
    for media, shown in (("screen", True), ("print", False)):
        tab.emulate_media(media=media)
        for selector in (".bd-sidebar-primary", ".prev-next-footer", ".notebook-links"):
            assert tab.locator(selector).first.is_visible() == shown, (media, selector)
        buttons = tab.locator("button:visible").count()
        assert bool(buttons) == shown, (media, buttons)
    tab.context.close()


def test_a_dark_page_is_printed_light_and_stays_dark(browser, address):
    tab = browser.new_context(color_scheme="dark").new_page()
    tab.goto(f"{address}chapters/capstone.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    tab.evaluate(f"addEventListener('beforeprint', () => window.ground = {ground})")
    dark = tab.evaluate(ground)
    tab.pdf()
    assert tab.evaluate("window.ground") == "rgb(255, 255, 255)" != dark
    tab.wait_for_function(f"{ground} === {dark!r}")
    tab.context.close()


def test_where_a_link_to_elsewhere_leads_can_be_read(browser, address, site):
    soup = BeautifulSoup((site / "pages/prerequisites.html").read_text("utf-8"), "html.parser")
    links = soup.select("article p a.external")
    tab = browser.new_context().new_page()
    tab.goto(f"{address}pages/prerequisites.html")
    text = printed(tab)
    elsewhere = [words(link.get_text() + link["href"]) for link in links if not footnote(link)]
    assert elsewhere and all(each in text for each in elsewhere)
    tab.context.close()


def footnote(link) -> bool:
    return link.find_parent(class_="footnote") is not None


@pytest.fixture(scope="module")
def course(browser, site, tmp_path_factory) -> PdfReader:
    """A course of a few pages, as one PDF."""
    folder = tmp_path_factory.mktemp("paper")
    (folder / "_toc.yml").write_text(TOC, "utf-8")
    paper.course(browser, site, folder / "_toc.yml").write(folder / "course.pdf")
    return PdfReader(folder / "course.pdf")


def flat(course: PdfReader, items: list, depth: int = 0) -> list[tuple[int, str, int]]:
    """Depth, title and index of the page for each entry of an outline."""
    found = []
    for item in items:
        if isinstance(item, list):
            found += flat(course, item, depth + 1)
        else:
            found.append((depth, item.title, course.get_destination_page_number(item)))
    return found


def test_all_of_the_toc_but_the_review_is_printed(root, toc):
    names = [entry.name for entry in paper.entries(root / "_toc.yml")]
    assert names == [name for name in toc if name != "pages/review"]


def test_the_outline_has_parts_chapters_sections_and_sheets(course):
    entries = flat(course, course.outline)
    assert [title for depth, title, _ in entries if depth == 0][1:] == ["Foundations", "Words"]
    chapters = [title for depth, title, _ in entries if depth == 1]
    assert chapters[-2:] == ["A study of your own", "Glossary"]
    below = [title for depth, title, _ in entries if depth == 2]
    assert {"Two kinds of luck", "A study of your own: exercises"} <= set(below)
    for _, title, index in entries:
        if title in chapters[-2:]:
            assert words(title) in words(course.pages[index].extract_text())[:30]


def test_the_contents_name_the_numbers_that_stand_on_the_sheets(course):
    contents = course.pages[1].extract_text()
    last = len(course.pages) - 1
    assert course.page_labels[:3] == ["i", "ii", "1"]
    for _, title, index in flat(course, course.outline):
        if title in ("A study of your own", "Glossary"):
            number = course.page_labels[index]
            assert words(title) + number in words(contents)
            drawn = words(course.pages[index + 1].extract_text())
            assert str(int(number) + 1) in (drawn[:20] + drawn[-20:])
    assert course.page_labels[last] == str(last - 1)


def links(course: PdfReader) -> list[tuple[int, dict]]:
    """Each link, and the index of the page that it stands on."""
    sheets = enumerate(course.pages)
    return [(k, link.get_object()) for k, sheet in sheets for link in sheet.get("/Annots", [])]


def test_a_link_to_what_was_printed_leads_there(course):
    begins = {title: index for _, title, index in flat(course, course.outline)}
    numbers = {sheet.indirect_reference.idnum: k for k, sheet in enumerate(course.pages)}
    inside = set()
    for index, link in links(course):
        if "/Dest" in link:
            sheet, _, _, top, _ = link["/Dest"]
            inside.add((index, numbers[sheet.indirect_reference.idnum], float(top)))
        else:  # to what wasn't
            address = link["/A"]["/URI"].removeprefix(homepage(paper.ROOT))
            assert not address.startswith(
                ("chapters/capstone", "exercises/capstone", "pages/gloss")
            )
    named = {to for k, to, _ in inside if k == 1}  # by the contents
    assert {begins["A study of your own"], begins["Glossary"]} <= named
    terms = {(to, top) for k, to, top in inside if 1 < k < begins["Glossary"] <= to}
    assert len(terms) > 3  # each has its own place


def test_every_sheet_and_link_of_the_joined_pdf_has_its_tags(course):
    tree = course.trailer["/Root"]["/StructTreeRoot"]
    entries = tree["/ParentTree"]["/Nums"]
    parents = dict(zip(entries[::2], entries[1::2], strict=True))
    assert len(parents) == len(entries) / 2 and len(tree["/K"]) == 5  # title, and four pages
    numbers = {sheet.indirect_reference.idnum: k for k, sheet in enumerate(course.pages)}
    for k, sheet in enumerate(course.pages):
        owners = [owner.get_object() for owner in parents[sheet["/StructParents"]]]
        on = {numbers[owner.raw_get("/Pg").idnum] for owner in owners if owner}
        assert k in on and on <= {k - 1, k}  # what began on the sheet before goes on here
    for _, link in links(course):
        owner = parents[link["/StructParent"]].get_object()
        kids = [kid.get_object() for kid in owner["/K"]]  # numbers of text, and the link
        assert link.indirect_reference in [kid.get("/Obj") for kid in kids if "/Obj" in kid]
