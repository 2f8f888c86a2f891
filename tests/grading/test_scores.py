import json

import pytest

from dlcourse.grading.errors import CourseError
from dlcourse.grading.isolation import offered
from dlcourse.grading.scores import Row, is_released, read, verdict_errors, verdicts


def test_sums_by_kind_and_written_answers_that_wait():
    row = Row("ada", {"a": 2, "b": 0.5}, {"q": None, "r": 3}, {"a": 2, "b": 1, "q": 4, "r": 4})
    assert (row.automatic, row.automatic_max) == (2.5, 3)
    assert (row.written, row.written_max, row.to_be_graded) == (3, 8, 1)
    assert (row.total, row.total_max) == (5.5, 11)


def test_rows_come_in_alphabetical_order_with_all_exercises(graded):
    rows = read("neurons", graded.home)
    assert [row.student for row in rows] == sorted(row.student for row in rows)
    assert len({tuple(row.exercises) for row in rows}) == 1


def test_a_verdict_says_exercise_parts_seed_and_isolation(graded):
    level = "bubblewrap" if offered() else "same-process"
    for name, verdict in verdicts("neurons", graded.home, "01-solution").items():
        assert verdict["exercise"] == name and all(verdict["parts"].values())
        assert verdict["isolation"] == level and verdict["seed"] != "public"


def test_a_sheet_that_is_not_released_is_refused_with_the_closest_name(graded):
    with pytest.raises(CourseError, match="'neuron' has not been released.*mean 'neurons'"):
        is_released("neuron", graded.home)


def test_a_check_of_ours_that_crashed_is_our_fault_and_said(tmp_path):
    path = tmp_path / "autograded" / "ada" / "neurons" / "neurons.ipynb"
    assert verdict_errors("neurons", tmp_path, "ada") is None
    path.parent.mkdir(parents=True)

    def write(name):
        output = {"output_type": "error", "ename": name, "evalue": "oh"}
        cell = {"metadata": {"nbgrader": {"grade": True}}, "outputs": [output]}
        path.write_text(json.dumps({"cells": [cell]}))

    write("NameError")
    assert verdict_errors("neurons", tmp_path, "ada") is None
    write("CheckBroken")
    assert "a check of ours crashed" in (verdict_errors("neurons", tmp_path, "ada") or "")
