"""A unit has one slug and five places; hyphens become underscores in module names only.

An inventory has a page where a unit has its chapter.
"""

import re
from pathlib import Path

import yaml

from dlcourse.checks.core import registry

ROOT = Path(__file__).resolve().parents[1]


def in_the_toc(folder: str) -> dict[str, list[str]]:
    """Chapters of _toc.yml, or pages with sheets: each with the sheets under it."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    return {
        entry["file"].removeprefix(f"{folder}/"): [s["file"] for s in entry.get("sections", [])]
        for entry in entries
        if entry["file"].startswith(f"{folder}/") and (folder == "chapters" or "sections" in entry)
    }


UNITS, INVENTORIES = in_the_toc("chapters"), in_the_toc("pages")
SHEETS = UNITS | INVENTORIES


def stems(pattern: str) -> set[str]:
    return {path.stem for path in ROOT.glob(pattern)}


def test_the_five_places_agree():
    slugs = set(SHEETS)
    assert UNITS, "no unit in _toc.yml"
    assert stems("chapters/*.md") == set(UNITS)
    assert stems("solutions/*.py") == slugs
    assert stems("exercises/*/*.ipynb") == slugs
    modules = stems("dlcourse/checks/*.py") - {"__init__"}
    assert modules == {slug.replace("-", "_") for slug in slugs}
    assert set(registry.units()) == slugs


def test_a_sheet_lies_in_a_folder_of_its_name_and_under_its_page():
    for slug, sheets in SHEETS.items():
        assert sheets == [f"exercises/{slug}/{slug}"]
        assert [p.name for p in (ROOT / "exercises" / slug).glob("*.ipynb")] == [f"{slug}.ipynb"]


def test_recorded_runs_and_recipes_bear_slugs():
    assert stems("chapters/results/*.json") <= set(UNITS)


def test_a_slug_is_a_term_and_no_number():
    for slug in SHEETS:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug), slug
        assert not re.search(r"(^|-)\d+(-|$)", slug), slug


def test_every_unit_has_an_oral_question_in_the_course_s_order():
    text = (ROOT / "pages" / "grading-trust.md").read_text("utf-8")
    assert re.findall(r"^\| \[[^]]+\]\(\.\./chapters/([\w-]+)\.md\)", text, re.M) == list(UNITS)
