"""Chapters as sources: their headers, what they may not print, and who asks what they promise."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from outcomes import FRONT_MATTER, front_matter

from dlcourse.checks.core import registry

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.md"))
CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
PYOBJECT = re.compile(r"^\s*:pyobject:\s*(\S+)\s*$", re.MULTILINE)
INCLUDED = re.compile(r"^`{3,}\{literalinclude\}\s*(\S+)\n((?::[^\n]*\n)*)", re.MULTILINE)


def chapter(path: Path):
    return pytest.param(path, id=path.stem)


each_chapter = pytest.mark.parametrize("path", [chapter(path) for path in CHAPTERS])


def printed(text: str, folder: Path) -> set[str]:
    """Names of functions and classes whose code a chapter shows: included, or defined in a cell."""
    names = {name.rpartition(".")[2] for name in PYOBJECT.findall(text)}
    for file, options in INCLUDED.findall(text):
        if ":pyobject:" not in options:  # the whole file, or lines of it
            names |= defined((folder / file).read_text("utf-8"))
    for _fence, code in CELL.findall(text):
        names |= defined(re.sub(r"(?m)^(\s*)[%!].*$", r"\1pass", code))
    return names


def defined(code: str) -> set[str]:
    code = re.sub(r"\A(---\n.*?^---\n|(:[^\n]*\n)+)", "", code, flags=re.DOTALL | re.MULTILINE)
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in ast.walk(ast.parse(code)) if isinstance(node, kinds)}


def test_what_is_printed_is_seen_in_every_form(tmp_path):
    (tmp_path / "m.py").write_text("class Whole:\n    def inner(self): ...\n")
    text = """
```{literalinclude} ../a.py
:pyobject: Layer.backward
```
```{literalinclude} m.py
:lines: 1-2
```
```{code-cell} ipython3
:tags: [hide-input]
%matplotlib inline
def in_a_cell(x):
    return x
```
```{code-cell} ipython3
---
tags: [hide-input]
---
def below_a_block(x):
    return x
```
"""
    assert printed(text, tmp_path) == {"backward", "Whole", "inner", "in_a_cell", "below_a_block"}


def test_there_are_chapters():
    assert CHAPTERS


@each_chapter
def test_the_header_makes_it_a_notebook(path):
    """Without all of it a chapter is shown, but silently not executed."""
    header = yaml.safe_load(FRONT_MATTER.match(path.read_text("utf-8"))[1])
    form = header["jupytext"]["text_representation"]
    assert (form["extension"], form["format_name"]) == (".md", "myst")
    assert form["format_version"]
    spec = header["kernelspec"]
    assert (spec["name"], spec["language"]) == ("python3", "python")
    assert spec["display_name"]


@each_chapter
def test_minutes_outcomes_and_needs_are_given(path):
    text = path.read_text("utf-8")
    data = front_matter(text)
    assert 10 <= data["minutes"] <= 20
    assert all(name.startswith(f"{path.stem}-") for name in data["outcomes"])
    assert len(re.findall(r"^```\{outcomes\}$", text, re.MULTILINE)) == 1


@each_chapter
def test_tags_and_a_block_of_options_are_not_mixed(path):
    for _fence, code in CELL.findall(path.read_text("utf-8")):
        assert not (code.startswith("---") and re.search(r"^---\n:tags:", code, re.MULTILINE))
        assert not re.match(r"(:[^\n]*\n)+---\n", code)


@each_chapter
def test_no_chapter_prints_what_a_sheet_asks_for(path):
    asked = {name for slug in registry.units() for name in registry.unit(slug).exercises}
    assert not printed(path.read_text("utf-8"), path.parent) & asked


@each_chapter
def test_each_outcome_is_assessed_and_each_exercise_serves_one(path):
    promised = set(front_matter(path.read_text("utf-8"))["outcomes"])
    unit = registry.unit(path.stem)
    tasks = [*unit.exercises.values(), *unit.questions.values()]
    assert {outcome for task in tasks for outcome in task.outcomes} == promised
    assert all(task.outcomes for task in tasks)


@each_chapter
def test_five_recall_questions_close_it(path):
    text = path.read_text("utf-8")
    assert len(re.findall(r"^`{3,}\{recall\} \S+$", text, re.MULTILINE)) >= 5


@each_chapter
def test_it_leads_to_its_sheet_and_its_sources(path):
    text = path.read_text("utf-8")
    assert f"../exercises/{path.stem}/{path.stem}.ipynb" in text
    assert re.search(r"^`{3,}\{(foot)?bibliography\}", text, re.MULTILINE)


def test_every_claim_names_the_section_that_tests_it_and_a_verdict():
    text = (ROOT / "pages" / "claims.md").read_text("utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith('| "')]
    assert rows
    for claim, tested, verdict in rows:
        assert re.search(r"\]\(\.\./chapters/[a-z-]+\.md#[a-z-]+\)", tested), claim
        assert re.search(r"\*\*(Holds|Holds when|Doesn't hold\.?)\*\*", verdict), claim
