import pytest

from dlcourse.checks.core import registry
from dlcourse.grading.jobs import digest
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


def test_a_mistake_says_who_made_it(graded):
    for mistake in tally("neurons", graded.home)["mistakes"]:
        assert mistake["count"] == len(mistake["students"]) == len(set(mistake["students"]))
    first = {m["mistake"] for m in tally("neurons", graded.home)["mistakes"] if m["students"]}
    assert first


def test_what_was_repaired_or_not_run_is_remarked(slips):
    remarks = tally("neurons", slips.home)["remarks"]
    assert any("edited" in line for line in remarks["edited-check"])
    assert remarks["dies"][0].startswith("not all was run: its kernel died")
    assert "solution" not in remarks


def test_times_and_version_come_from_the_journal(graded):
    data = tally("neurons", graded.home)
    assert data["code"] == [digest()]
    for told in data["seconds"].values():
        assert 0 <= told["median"] <= told["most"]
    assert data["seconds"]["total"]["most"] > 0


def test_a_journal_that_is_gone_leaves_the_rest(graded, tmp_path):
    journal = graded.home / "journal"
    journal.rename(tmp_path / "journal")
    try:
        data = tally("neurons", graded.home)
    finally:
        (tmp_path / "journal").rename(journal)
    assert data["remarks"] == {} and data["seconds"] == {} and len(data["students"]) == 20
