"""What search engines and link previews read: addresses, structured data, a map of the site.

Where the site lives comes from ``[project.urls]`` in pyproject.toml alone. Canonical addresses are
Sphinx's, the map sphinx-sitemap's, cards and their tags sphinxext-opengraph's, the page for a wrong
address sphinx-notfound-page's. Here they are told where they are, and each chapter and sheet says
in JSON-LD what it is (schema.org: Course, LearningResource).
"""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from outcomes import about
from sphinx.application import Sphinx
from sphinx.config import Config

from pages import urls

DESCRIPTION = re.compile(r'<meta (?=[^>]*name="description")[^>]*content="([^"]*)"')
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
NOT_FOUND = (
    "<h1>Page not found</h1><p>There is no page at this address. It may have moved: look for it "
    'with the search above, or begin at the <a href="{}">front page</a>.</p>'
)
KINDS = {"chapters": "chapter", "exercises": "exercise sheet"}


def homepage(root: Path) -> str:
    """The address of the published site."""
    return urls(root)["Homepage"]


def previewed(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """What a link's preview says is what the page's description says."""
    if found := DESCRIPTION.search(context.get("metatags", "")):
        said = unescape(found[1])
        context["meta"] = {**(context.get("meta") or {}), "og:description": said}
        context["meta"]["og:image:alt"] = f"A card with the page's title. {said}"


def addresses(app: Sphinx, config: Config) -> None:
    """Tell Sphinx and the extensions where the site lives."""
    home = homepage(Path(app.srcdir))
    config.html_baseurl = config.ogp_site_url = home
    config.notfound_urls_prefix = path = urlsplit(home).path
    config.notfound_context = {"title": "Page not found", "body": NOT_FOUND.format(path)}


def structured(root: Path, page: str, title: str, description: str) -> dict[str, Any] | None:
    """What the page is, as schema.org has it; None for pages about the course."""
    home = homepage(root)
    course = {"@type": "Course", "name": "A deep learning course", "url": home}
    common = {
        "@context": "https://schema.org",
        "description": description,
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "license": LICENCE,
    }
    if page == "index":
        provider = {"@type": "Organization", "name": "dlcourse", "url": home}
        return common | course | {"provider": provider}
    if (folder := page.partition("/")[0]) not in KINDS:
        return None
    found = common | {
        "@type": "LearningResource",
        "name": title,
        "url": urljoin(home, f"{page}.html"),
        "learningResourceType": KINDS[folder],
        "isPartOf": course,
    }
    if folder == "chapters" and (chapter := about(root / f"{page}.md")):
        found |= {
            "timeRequired": f"PT{chapter['minutes']}M",
            "teaches": list(chapter["outcomes"].values()),
            "competencyRequired": chapter["needs"],
        }
    return found


def reported(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Where a mistake on this page is reported, for ``templates/report.html``."""
    asked = urlencode({"title": f"{page}: ", "body": "What is wrong, and where on the page?"})
    context["report"] = f"{urls(Path(app.srcdir))['Repository']}/issues/new?{asked}"


def describe(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Add the structured data to the page's head."""
    if doctree is None:
        return
    tags = context.get("metatags", "")
    described = DESCRIPTION.search(tags)
    title = unescape(re.sub(r"<[^>]+>", "", context.get("title", "")))
    text = unescape(described[1]) if described else ""
    if data := structured(Path(app.srcdir), page, title, text):
        written = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
        context["metatags"] = f'{tags}\n<script type="application/ld+json">{written}</script>'


def robots(app: Sphinx, error: Exception | None) -> None:
    """All of it may be read; the map says what there is."""
    if error is None and app.builder.format == "html":
        site_map = urljoin(app.config.html_baseurl, "sitemap.xml")
        text = f"User-agent: *\nAllow: /\n\nSitemap: {site_map}\n"
        (Path(app.outdir) / "robots.txt").write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", addresses, priority=1)  # before they look
    app.connect("html-page-context", previewed, priority=490)  # before the previews' own
    app.connect("html-page-context", reported)
    app.connect("html-page-context", describe, priority=950)
    app.connect("build-finished", robots)
    return {"version": "1", "parallel_read_safe": True}
