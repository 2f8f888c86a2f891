"""A unit has one slug and five places; hyphens become underscores in module names only."""

import re
from pathlib import Path

import yaml

from dlcourse.checks.core import registry

ROOT = Path(__file__).resolve().parents[1]


def in_the_toc() -> dict[str, list[str]]:
    """Chapters of _toc.yml, each with the sheets under it."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    return {
        chapter["file"].removeprefix("chapters/"): [s["file"] for s in chapter.get("sections", [])]
        for chapter in chapters
        if chapter["file"].startswith("chapters/")
    }


def stems(pattern: str) -> set[str]:
    return {path.stem for path in ROOT.glob(pattern)}


def test_the_five_places_agree():
    slugs = set(in_the_toc())
    assert slugs, "no unit in _toc.yml"
    assert stems("chapters/*.md") == slugs
    assert stems("solutions/*.py") == slugs
    assert stems("exercises/*/*.ipynb") == slugs
    modules = stems("dlcourse/checks/*.py") - {"__init__"}
    assert modules == {slug.replace("-", "_") for slug in slugs}
    assert set(registry.units()) == slugs


def test_a_sheet_lies_in_a_folder_of_its_name_and_under_its_chapter():
    for slug, sheets in in_the_toc().items():
        assert sheets == [f"exercises/{slug}/{slug}"]
        assert [p.name for p in (ROOT / "exercises" / slug).glob("*.ipynb")] == [f"{slug}.ipynb"]


def test_recorded_runs_and_recipes_bear_slugs():
    slugs = set(in_the_toc())
    assert stems("chapters/results/*.json") <= slugs


def test_a_slug_is_a_term_and_no_number():
    for slug in in_the_toc():
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug), slug
        assert not re.search(r"(^|-)\d+(-|$)", slug), slug
