"""Pages are light: what a reader's browser has to load before it draws, and what only on demand."""

import re

import light
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")


@pytest.fixture(scope="module")
def heads(site, toc) -> dict[str, BeautifulSoup]:
    return {
        name: BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser").head
        for name in toc
    }


def test_a_page_has_one_stylesheet_and_those_that_it_alone_needs(heads):
    for name, head in heads.items():
        sheets = [link["href"].split("_static/")[1] for link in head.select("[rel=stylesheet]")]
        assert sheets.pop() == light.SITE_CSS, name  # the last: the course's own rules win
        assert set(sheets) <= {"katex/katex.min.css", "live/live.css"}, name


def test_no_script_holds_up_the_text(heads):
    for name, head in heads.items():
        for script in head.find_all("script"):
            if script.get("src"):
                assert script.has_attr("defer"), f"{name}: {script}"
            elif script.get("type") not in ("module", "application/ld+json"):
                assert len(script.string) < 500, f"{name}: {script}"


def test_the_stylesheet_keeps_what_pages_and_scripts_use_and_little_else(site):
    text = (site / "_static" / light.SITE_CSS).read_text("utf-8")
    for rule in (".bd-article", ".recall", "[data-theme=dark]", "summary", "@media print"):
        assert rule in text
    theme = (site / "_static" / "styles" / "pydata-sphinx-theme.css").stat().st_size
    assert len(text) < theme / 2


def test_the_icon_font_has_the_icons_that_the_stylesheet_names(site):
    font = TTFont(site / "_static" / light.FONTS / light.ICONS)
    codes = set(font.getBestCmap())
    text = (site / "_static" / light.SITE_CSS).read_text("utf-8")
    named = {int(code, 16) for code in re.findall(r'\.fa-[^{]+\{content:"\\([0-9a-f]{4})"', text)}
    assert len(named) > 5 and named <= codes and len(codes) < 100


def test_figures_wait_until_they_come_near_and_have_their_place_before(site, toc):
    seen = 0
    for name in toc:
        page = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser")
        for image in page.select("article img"):
            seen += 1
            assert image["loading"] == "lazy", f"{name}: {image}"
            assert int(image["width"]) > 0 and int(image["height"]) > 0, f"{name}: {image}"
    assert seen > 50


@pytest.mark.browser
def test_search_is_loaded_with_the_first_word_and_answers(browser, address):
    tab = browser.new_context().new_page()
    loaded, errors = [], []
    tab.on("request", lambda request: loaded.append(request.url.split("/")[-1]))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"{address}chapters/neurons.html", wait_until="networkidle")
    assert not set(SEARCH) & set(loaded)
    tab.keyboard.press("Control+k")
    tab.keyboard.type("perceptron", delay=20)
    tab.wait_for_selector("#pst-search-dialog #search-results li a", timeout=10_000)
    assert set(SEARCH) <= set(loaded)
    found = tab.locator("#pst-search-dialog #search-results li a").first
    assert found.get_attribute("href")
    assert not errors
    tab.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_does_not_jump_while_it_loads(browser, address, scheme):
    """The theme's scripts, made to come late, find a page that is as they want it."""
    context = browser.new_context(viewport={"width": 412, "height": 823}, color_scheme=scheme)
    tab = context.new_page()
    tab.add_init_script("""
        window.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true });
    """)

    def late(route):
        tab.wait_for_timeout(700)
        route.continue_()

    tab.route("**/_static/scripts/*.js*", late)
    tab.goto(f"{address}chapters/gpt.html", wait_until="load")
    tab.wait_for_timeout(1000)
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    assert tab.evaluate("window.shift") < 0.05
    context.close()
