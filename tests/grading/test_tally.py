import pytest

from dlcourse.checks.core import registry
from dlcourse.grading.tally import tally


@pytest.fixture(scope="module")
def data(graded):
    return tally("neurons", graded.home)


def test_an_exercise_is_described_by_what_the_class_earned(data):
    students = data["students"]
    for exercise in data["exercises"]:
        points = [student["exercises"][exercise["name"]] for student in students]
        assert exercise["mean"] == pytest.approx(sum(points) / 20)
        assert exercise["difficulty"] == pytest.approx(exercise["mean"] / exercise["of"])
        assert -1 <= exercise["discrimination"] <= 1
        assert all(0 <= share <= 1 for share in exercise["parts"].values())


def test_an_exercise_is_held_against_the_others_without_itself(data):
    from dlcourse.grading.items import discrimination

    exercise = data["exercises"][0]
    points = [student["exercises"][exercise["name"]] for student in data["students"]]
    rest = [s["automatic"] - p for s, p in zip(data["students"], points, strict=True)]
    assert exercise["discrimination"] == discrimination(points, rest)


def test_automatic_and_written_points_are_apart(data):
    assert sum(bar["count"] for bar in data["automatic"]["bars"]) == 20
    waits = sum(bool(student["to_be_graded"]) for student in data["students"])
    assert 0 < waits < 20
    assert sum(bar["count"] for bar in data["written"]["bars"]) == 20 - waits
    assert (data["automatic"]["of"], data["written"]["of"]) == (27, 4)


def test_all_known_mistakes_of_the_sample_class_are_counted(data):
    names = [(made["exercise"], made["mistake"]) for made in data["mistakes"]]
    unit = registry.unit("neurons")
    assert set(names) == {(e.name, m) for e in unit.exercises.values() for m in e.mistakes}
    assert len(names) == len(set(names)) and all(made["hint"] for made in data["mistakes"])
    assert all(made["count"] == len(made["students"]) >= 1 for made in data["mistakes"])


def test_who_has_no_grade_is_listed_with_the_reason(slips):
    assert tally("neurons", slips.home)["not_graded"] == slips.result.failed


def test_without_isolation_the_report_says_so_first(slips):
    data = tally("neurons", slips.home)
    assert set(data["isolation"]) == {"same-process"}
    assert any("without isolation" in warning for warning in data["warnings"])
