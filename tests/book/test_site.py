"""The built site: what Sphinx found, what was executed, where links lead, what is fetched.

It needs _build/html.
"""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from findable import homepage

ROOT = Path(__file__).parents[2]
FETCHED = {  # element: attributes whose value a browser loads without being asked
    "audio": ["src"],
    "embed": ["src"],
    "iframe": ["src"],
    "img": ["src", "srcset"],
    "input": ["src"],
    "object": ["data"],
    "script": ["src"],
    "source": ["src", "srcset"],
    "track": ["src"],
    "video": ["src", "poster"],
}
LOADING_RELS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "manifest",
}
LOADING_RELS |= {"modulepreload", "apple-touch-icon"}


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@cache
def anchors(path: Path) -> set[str]:
    soup = parsed(path)
    return {tag["id"] for tag in soup.find_all(id=True)} | {
        tag["name"] for tag in soup.find_all("a", attrs={"name": True})
    }


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Path]:
    """Every HTML page, by its path without .html; the theme leaves templates in _static."""
    found = {p.relative_to(site).with_suffix("").as_posix(): p for p in site.rglob("*.html")}
    return {name: path for name, path in found.items() if not name.startswith("_static/")}


def fetched(soup: BeautifulSoup) -> list[str]:
    """The addresses that a page's tags make a browser load."""
    found = []
    for name, attributes in FETCHED.items():
        for tag in soup.find_all(name):
            found += [tag[a].split()[0] for a in attributes if tag.get(a, "").strip()]
    for tag in soup.find_all("link", href=True):
        if LOADING_RELS & set(tag.get("rel", [])):
            found.append(tag["href"])
    for tag in [*soup.find_all("style"), *soup.find_all(style=True)]:
        text = tag.get("style") or tag.get_text()
        found += re.findall(r"""url\(\s*['"]?([^)'"]+)""", text)
    return found


def meant(site: Path, page: Path, address: str) -> Path:
    """The file of an address: on the page for wrong ones from where the site is published."""
    published = urlsplit(homepage(ROOT)).path
    if page.stem == "404" and address.startswith(published):
        return site / (unquote(address.removeprefix(published)) or "index.html")
    return page.parent / unquote(address)


def is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def test_sphinx_found_what_the_toc_names(site, toc):
    text = (site / "searchindex.js").read_text("utf-8")
    found = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))["docnames"]
    assert sorted(found) == sorted(toc)


def test_every_page_of_the_toc_was_built(pages, toc):
    assert set(toc) <= set(pages)


def test_internal_links_lead_to_a_page_and_to_an_anchor_in_it(site, pages):
    broken = []
    for name, path in pages.items():
        for tag in parsed(path).find_all("a", href=True):
            parts = urlsplit(tag["href"])
            if parts.scheme or parts.netloc or tag["href"] == "#":
                continue
            target = meant(site, path, parts.path).resolve() if parts.path else path
            if not target.is_file():
                broken.append(f"{name}: {tag['href']} (no such file)")
            elif parts.fragment and target.suffix == ".html":
                if unquote(parts.fragment) not in anchors(target):
                    broken.append(f"{name}: {tag['href']} (no such anchor)")
    assert not broken


def test_what_a_page_loads_is_there(site, pages):
    missing = []
    for name, path in pages.items():
        for address in fetched(parsed(path)):
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            target = meant(site, path, parts.path)
            if is_elsewhere(address) or not target.is_file():
                missing.append(f"{name}: {address}")
    assert not missing


def test_stylesheets_load_nothing_from_elsewhere_and_nothing_missing(site):
    wrong = []
    for path in site.rglob("*.css"):
        css = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        imported = re.findall(r"""@import\s+['"]([^'"]+)""", css)
        for address in [*imported, *re.findall(r"""url\(\s*['"]?([^)'"]+)""", css)]:
            if address.startswith(("data:", "#")):
                continue
            local = path.parent / unquote(urlsplit(address).path)
            if is_elsewhere(address) or not local.is_file():
                wrong.append(f"{path.relative_to(site)}: {address}")
    assert not wrong


def test_every_image_of_the_text_has_alt_text(pages):
    silent = [
        f"{name}: {tag.get('src')}"
        for name, path in pages.items()
        for tag in parsed(path).find_all("img")
        if tag.get("alt") is None or (tag.find_parent("article") and not tag["alt"].strip())
    ]
    assert not silent


def test_every_fold_has_a_name_to_be_read_aloud(pages):
    nameless = [
        name
        for name, path in pages.items()
        for fold in parsed(path).find_all("summary")
        if not (fold.get("aria-label") or fold.get_text(strip=True))
    ]
    assert not nameless


def test_every_page_says_its_language_title_and_viewport(pages, toc):
    for name in toc:
        soup = parsed(pages[name])
        assert soup.html.get("lang") == "en", name
        assert soup.title and soup.title.get_text(strip=True), name
        assert soup.find("meta", attrs={"name": "viewport"}), name
        assert len(soup.select("article h1")) == 1, name


def test_every_page_has_one_description(pages, toc):
    for name in toc:
        found = parsed(pages[name]).find_all("meta", attrs={"name": "description"})
        assert [40 <= len(tag["content"]) <= 200 for tag in found] == [True], name


def test_no_page_shows_a_traceback_or_a_numpy_scalar(pages):
    for name, path in pages.items():
        article = BeautifulSoup(str(parsed(path).find("article") or ""), "html.parser")
        # source code and text about it may name them; prose and outputs may not
        for code in article.select("p code, li code, dd code, div[class*=highlight-]"):
            if not code.find_parent(class_="cell_output"):
                code.extract()
        text = article.get_text()
        assert "Traceback (most recent call last)" not in text, name
        assert not re.search(r"\bnp\.(float|int|str_|bool)\d*\(", text), name


def test_exactly_the_pages_with_code_were_executed(root, pages, toc):
    executed = {name for name in toc if parsed(pages[name]).select(".cell_output")}
    sources = {name: root / f"{name}.md" for name in toc}
    with_code = {
        n for n, p in sources.items() if p.is_file() and "{code-cell}" in p.read_text("utf8")
    }
    assert executed == with_code
    assert with_code >= {name for name in toc if name.startswith("chapters/")}


def test_sheets_and_chapters_offer_colab_and_a_notebook_and_no_other_page_does(pages, toc):
    branches = {"exercises": "main", "chapters": "notebooks"}
    for name in toc:
        links = [tag["href"] for tag in parsed(pages[name]).find_all("a", href=True)]
        offered = [link for link in links if urlsplit(link).path.endswith(".ipynb")]
        if branch := branches.get(name.partition("/")[0]):
            assert any(f"/blob/{branch}/{name}.ipynb" in link for link in offered), name
            assert any(not urlsplit(link).netloc for link in offered), name
        else:
            assert not offered, name


def test_the_notebook_offered_is_the_sheet(root, site, pages, toc):
    for name in toc:
        if name.startswith("exercises/"):
            tag = parsed(pages[name]).select_one(".notebook-links a.download")
            served = (pages[name].parent / unquote(tag["href"])).resolve()
            assert served.read_bytes() == (root / f"{name}.ipynb").read_bytes()


def test_the_wheel_is_served_if_it_was_built(root, site):
    for wheel in (root / "build" / "wheels").glob("*.whl"):
        assert (site / "wheels" / wheel.name).read_bytes() == wheel.read_bytes()
