"""Every built page under axe-core: WCAG 2.2 A and AA and best practice.

Needs _build/html, Chromium, and axe-core, which is among the book's packages from npm. The gate
sees each page in light on a wide screen and in dark on a phone; the other two looks are slow.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import npm
import pytest

pytestmark = pytest.mark.browser

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


@pytest.fixture(scope="module")
def axe() -> str:
    return (npm.install() / "axe-core" / "axe.min.js").read_text("utf-8")


def barriers(tab) -> list[str]:
    """What axe finds on the page as it is."""
    result = tab.evaluate("rules => axe.run(document, rules)", RULES)
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(390, "light", marks=pytest.mark.slow),
    ],
)
def test_no_page_has_a_barrier(launched, address, toc, axe, width, theme):
    """With all folds open, and without transitions, which axe would see half done."""

    def walk(names: list[str]) -> list[str]:
        look = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
        found = []
        with launched() as browser:
            tab = browser.new_context(**look, reduced_motion="reduce").new_page()
            for name in names:
                tab.goto(f"{address}{name}.html", wait_until="load")
                tab.evaluate(axe)
                tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
                found += [f"{name}: {barrier}" for barrier in barriers(tab)]
        return found

    pages, beside = [*toc, "search", "genindex"], min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(beside) as pool:  # axe takes a second or two a page
        found = list(chain(*pool.map(walk, (pages[k::beside] for k in range(beside)))))
    assert not found, f"{len(found)}: " + "\n".join(found[:40])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_live_exercise_has_no_barrier_with_its_verdict(browser, address, axe, theme):
    context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
    tab = context.new_page()
    tab.goto(f"{address}exercises/neurons/neurons.html")
    tab.locator(".live-start button").first.click()
    tab.wait_for_selector(".live-output[data-kind=ran]", timeout=60_000)
    tab.get_by_role("button", name="Check", exact=True).click()
    tab.wait_for_selector(".live-output[data-kind=wrong]", timeout=60_000)
    tab.evaluate(axe)
    assert not barriers(tab)
    context.close()
