import hashlib
import json
from itertools import islice

import pytest

from dlcourse.checks.core import registry
from dlcourse.grading.errors import CourseError
from dlcourse.grading.sample import Plan, expect, plans, sample_class, verify_sample
from dlcourse.grading.scores import read

from .conftest import OWN_FILES


def test_every_notebook_gets_the_grade_that_its_making_implies(graded):
    assert graded.differences == [] and graded.result.ok and graded.ok
    assert len(graded.result.rows) == 20


def test_the_solution_earns_all_automatic_points_and_the_untouched_sheet_none(graded):
    rows = {row.student: row for row in graded.result.rows}
    unit = registry.unit("neurons")
    full = sum(exercise.points for exercise in unit.exercises.values())
    solution, untouched = rows["01-solution"], rows["02-untouched"]
    assert (solution.automatic, solution.automatic_max) == (full, full)
    assert (untouched.automatic, untouched.written, untouched.to_be_graded) == (0, 0, 0)
    assert solution.to_be_graded == len(unit.questions)
    assert solution.written_max == sum(q.points for q in unit.questions.values())


def test_the_instructors_own_files_are_not_touched(graded, course):
    for mine in OWN_FILES:
        assert (course / mine).read_text() == f"the instructor's {mine}"
    assert not (course / ".dlcourse-seed").exists() and not (course / "exercises").exists()
    assert graded.home == course / "build" / "sample" / "neurons"


def test_its_hidden_cases_come_from_a_seed_of_its_own_the_same_on_every_run(graded, course):
    seeds = json.loads(graded.report.with_suffix(".json").read_text())["seeds"]
    assert len(seeds) == 1 and seeds != ["public"]
    seed = (graded.home / ".dlcourse-seed").read_bytes()
    assert seed == hashlib.sha256(b"sample class neurons").digest()


def test_every_mistake_and_every_alternative_is_in_some_notebook():
    unit = registry.unit("neurons")
    first = list(islice(plans(unit), 40))
    fixed = [plan for plan in first if "mixed" not in plan.student]
    for name, exercise in unit.exercises.items():
        found = {plan.answers[name] for plan in fixed}
        assert found == {"reference", None, *exercise.alternatives, *exercise.mistakes}
    assert first == list(islice(plans(unit), 40))
    assert len({plan.student for plan in first}) == 40


def test_expectations_come_from_the_description(tiny):
    exercise = tiny.exercises["twice"]
    exercise.mistake("Twice.", loses=("copy",))(in_place)
    grades = {
        which: expect(Plan("x", {"twice": which}, None), tiny) for which in (None, "in_place")
    }
    assert grades[None]["exercises"]["twice"]["parts"] == {"value": False, "copy": False}
    assert grades["in_place"]["exercises"]["twice"]["parts"] == {"value": True, "copy": False}
    assert (grades[None]["automatic"], grades["in_place"]["automatic"]) == (0, 2)
    assert grades["in_place"]["exercises"]["twice"]["mistakes"] == ["in_place"]


def in_place(x):
    x += x
    return x


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda e: e.update(automatic=1), "automatic is"),
        (lambda e: e.update(to_be_graded=5), "to_be_graded is"),
        (lambda e: e["exercises"]["neuron_forward"].update(points=1), "points of neuron_forward"),
        (lambda e: e["exercises"]["neuron_forward"]["parts"].update(label=0), "parts of neuron"),
        (lambda e: e["exercises"]["neuron_forward"].update(mistakes=["x"]), "mistakes of neuron"),
    ],
)
def test_a_grade_that_differs_is_found(graded, change, words):
    path = graded.home / "expected.json"
    text = path.read_text()
    expected = json.loads(text)
    change(expected["01-solution"])
    try:
        path.write_text(json.dumps(expected))
        (difference,) = verify_sample("neurons", graded.home)
    finally:
        path.write_text(text)
    assert difference.startswith("01-solution: ") and words in difference


def test_a_notebook_too_many_or_without_a_grade_is_found(graded):
    path = graded.home / "expected.json"
    text = path.read_text()
    expected = json.loads(text)
    expected["zoe"] = expected.pop("01-solution")
    try:
        path.write_text(json.dumps(expected))
        found = verify_sample("neurons", graded.home)
    finally:
        path.write_text(text)
    assert sorted(found) == ["01-solution: not expected", "zoe: has no grade"]


def test_an_empty_class_and_an_unknown_sheet_are_refused(course):
    with pytest.raises(CourseError, match="at least one"):
        sample_class("neurons", 0, course)
    with pytest.raises(CourseError, match="Did you mean 'neurons'"):
        sample_class("neuron", 3, course)


def test_making_a_class_again_replaces_the_old_one_and_grades_nothing(course, tmp_path):
    (tmp_path / "solutions").symlink_to(course / "solutions")
    (tmp_path / "pyproject.toml").symlink_to(course / "pyproject.toml")
    home = sample_class("neurons", 4, tmp_path)
    assert len(list(home.glob("submitted/*/neurons/neurons.ipynb"))) == 4
    assert sample_class("neurons", 2, tmp_path) == home
    assert len(list(home.glob("submitted/*/neurons/neurons.ipynb"))) == 2
    assert read("neurons", home) == []
