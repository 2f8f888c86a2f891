import pytest

from dlcourse.checks.core import registry
from dlcourse.grading.scores import Row
from dlcourse.grading.tally import correlation, describe, tally


def test_correlation_of_what_does_not_vary_is_none():
    assert correlation([1, 1, 1], [1, 2, 3]) is None
    assert correlation([1], [2]) is None
    assert correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_an_exercise_is_described_by_what_the_class_earned(graded):
    data = tally("neurons", graded.home)
    students = data["students"]
    for exercise in data["exercises"]:
        points = [student["exercises"][exercise["name"]] for student in students]
        assert exercise["mean"] == pytest.approx(sum(points) / 20)
        assert exercise["difficulty"] == pytest.approx(exercise["mean"] / exercise["of"])
        assert -1 <= exercise["discrimination"] <= 1
        assert all(0 <= share <= 1 for share in exercise["parts"].values())


def test_who_has_no_verdict_got_no_part_right():
    rows = [Row(who, {"a": points}, {}, {"a": 2}) for who, points in (("ada", 2), ("bob", 0))]
    said = {"ada": {"a": {"parts": {"x": True, "y": True}}}, "bob": {}}
    assert describe("a", rows, said)["parts"] == {"x": 0.5, "y": 0.5}


def test_mistakes_are_counted_the_most_frequent_first(graded):
    mistakes = tally("neurons", graded.home)["mistakes"]
    counts = [mistake["count"] for mistake in mistakes]
    assert counts == sorted(counts, reverse=True) and min(counts) >= 1
    names = [(mistake["exercise"], mistake["mistake"]) for mistake in mistakes]
    assert len(names) == len(set(names)) and all(mistake["hint"] for mistake in mistakes)
    unit = registry.unit("neurons")
    assert set(names) == {(e.name, m) for e in unit.exercises.values() for m in e.mistakes}


def test_who_has_no_grade_is_listed_with_the_reason(slips):
    assert tally("neurons", slips.home)["not_graded"] == slips.result.failed
