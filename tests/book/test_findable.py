"""What search engines and link previews find in the built site. It needs _build/html."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from findable import homepage, structured


@pytest.fixture(scope="module")
def heads(site, toc) -> dict[str, BeautifulSoup]:
    """What stands in the head of each page."""
    texts = {name: (site / f"{name}.html").read_text("utf-8") for name in toc}
    return {n: BeautifulSoup(t.partition("</head>")[0], "html.parser") for n, t in texts.items()}


def content(head: BeautifulSoup, name: str) -> str:
    (tag,) = head.find_all("meta", attrs={"property": name})
    return tag["content"]


def test_every_page_says_its_own_address(root, heads):
    for name, head in heads.items():
        own = urljoin(homepage(root), f"{name}.html")
        assert [tag["href"] for tag in head.find_all("link", rel="canonical")] == [own]
        assert content(head, "og:url") == own


def test_a_preview_says_what_the_page_says_of_itself_on_a_card_that_is_there(root, site, heads):
    for name, head in heads.items():
        said = head.find("meta", attrs={"name": "description"})["content"]
        assert content(head, "og:description") == said
        assert content(head, "og:title") in head.title.get_text()
        card = content(head, "og:image").removeprefix(homepage(root))
        assert (site / card).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", name


def test_chapters_and_sheets_say_what_they_are_and_the_front_page_is_the_course(heads):
    for name, head in heads.items():
        found = [json.loads(t.string) for t in head.find_all("script", type="application/ld+json")]
        if name != "index" and not name.startswith(("chapters/", "exercises/")):
            assert found == [], name
            continue
        (data,) = found
        said = head.find("meta", attrs={"name": "description"})["content"]
        assert (data["@context"], data["description"]) == ("https://schema.org", said)
        assert data["@type"] == ("Course" if name == "index" else "LearningResource")
        if name.startswith("chapters/"):
            assert re.fullmatch(r"PT[1-9]\d?M", data["timeRequired"])
            assert len(data["teaches"]) == 3 and data["name"] == content(head, "og:title")


def test_pages_about_the_course_are_no_learning_resource(root: Path):
    assert structured(root, "pages/glossary", "Glossary", "") is None
    chapter = structured(root, "chapters/neurons", "Neurons", "What a neuron does")
    assert chapter["isPartOf"]["url"] == homepage(root) and len(chapter["teaches"]) == 3


def test_the_map_names_every_page_and_robots_the_map(root, site, toc):
    found = ElementTree.parse(site / "sitemap.xml").getroot().iterfind(".//{*}loc")
    listed = {element.text for element in found}
    assert {urljoin(homepage(root), f"{name}.html") for name in toc} <= listed
    assert not any("404" in address or "search" in address for address in listed)
    assert f"Sitemap: {homepage(root)}sitemap.xml" in (site / "robots.txt").read_text("utf-8")


def test_a_wrong_address_leads_back_from_wherever_it_is(root, site):
    page = BeautifulSoup((site / "404.html").read_text("utf-8"), "html.parser")
    path = "/" + homepage(root).split("/", 3)[3]
    assert page.select_one(f'article a[href="{path}"]')
    for tag in page.select("link[rel=stylesheet][href], script[src], img[src]"):
        address = (tag.get("href") or tag.get("src")).partition("?")[0]
        assert address.startswith(path) and (site / address.removeprefix(path)).is_file(), address


def test_a_mistake_on_a_page_is_reported_with_its_name(site, toc):
    for name in toc:
        soup = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser")
        (link,) = soup.select("footer .report a")
        asked = parse_qs(urlsplit(link["href"]).query)
        assert asked["title"] == [f"{name}: "] and link["href"].startswith("https://")
