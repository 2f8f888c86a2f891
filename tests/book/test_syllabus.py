"""The course's map: made of what is there, and refused where its source is wrong."""

import shutil
from pathlib import Path

import pytest
import syllabus
import yaml

from dlcourse.checks.core import registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def course():
    return syllabus.course(ROOT)


def test_every_chapter_is_in_the_map_once_and_in_the_order_of_the_book(course):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    chapters = [f.removeprefix("chapters/") for f in files if f.startswith("chapters/")]
    assert [unit.slug for unit in course.units.values() if unit.is_here] == chapters
    captions = [part["caption"] for part in toc["parts"] if part.get("numbered", True)]
    begun = [title for title, units in course.parts if any(unit.is_here for unit in units)]
    assert begun == captions


def test_the_map_has_each_units_own_numbers(course):
    unit, lines = course.units["neurons"], syllabus.the_map(course).splitlines()
    tasks = registry.unit("neurons")
    assert unit.exercises == len(tasks.exercises) + len(tasks.questions)
    (line,) = [line for line in lines if line.startswith("| [The neuron]")]
    assert f"| {unit.read} + {unit.work} |" in line and line.endswith("| What deep learning is |")
    assert f"| [{unit.exercises}](/exercises/neurons/neurons.ipynb) |" in line


def test_every_outcome_is_assessed(course):
    for unit in course.units.values():
        assert all(unit.assessed.values()), unit.slug
        assert len(unit.outcomes) == 3 * unit.is_here


def test_hours_say_what_is_still_to_come():
    here = syllabus.Unit("a", "A", [], True, 20, 100)
    planned = syllabus.Unit("b", "B", ["a"])
    assert syllabus.hours([here]) == "2.0"
    assert syllabus.hours([here, planned]) == "2.0, more to come"
    assert syllabus.hours([planned]) == "to come"


WRONG = {
    "a unit that builds on a later one": (
        "neurons: {after: [introduction]}",
        "neurons: {after: [losses]}",
        "neurons builds on ['losses'], which isn't earlier",
    ),
    "a written unit with a title": (
        "losses: {after: [layers]}",
        "losses: {after: [layers], title: Losses}",
        "losses is written and has a title here",
    ),
    "a planned unit without": (", title: Faces}", "}", "faces isn't written and lacks a title"),
    "a track with an unknown unit": ("[layers, losses]", "[layers, lossses]", "no unit lossses"),
    "a track that leaves out what it needs": (
        "- [backpropagation, optimization]\n",
        "- [optimization]\n",
        "optimization needs ['backpropagation'] first",
    ),
}


@pytest.mark.parametrize(("good", "bad", "said"), WRONG.values(), ids=WRONG)
def test_a_wrong_source_is_refused_with_the_reason(tmp_path, good, bad, said):
    shutil.copytree(ROOT / "chapters", tmp_path / "chapters")
    text = (ROOT / syllabus.SOURCE).read_text()
    assert good in text
    (tmp_path / "pages").mkdir()
    (tmp_path / syllabus.SOURCE).write_text(text.replace(good, bad, 1))
    with pytest.raises(ValueError) as error:
        syllabus.course(tmp_path)
    assert said in str(error.value)
