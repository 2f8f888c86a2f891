"""Does the matrix see what a check lets slip? Sound exercises pass it, broken ones don't."""

import dataclasses

import pytest

from dlcourse.checks.core.matrix import verify
from tests.checks.core.examples import ALL, linear_backward


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.name)
def test_an_exercise_of_each_kind_stands_the_test(exercise):
    row = verify(exercise, seeds=20)
    assert row.faults == []
    assert row.mistakes == row.mistakes_rejected == row.mistakes_recognised > 0
    assert row.alternatives == row.alternatives_accepted > 0
    assert row.stub_points == 0


def changed(name, **fields):
    """linear_backward with one mistake described differently."""
    mistakes = dict(linear_backward.mistakes)
    mistakes[name] = dataclasses.replace(mistakes[name], **fields)
    return dataclasses.replace(linear_backward, mistakes=mistakes)


def test_a_mistake_that_keeps_a_part_it_should_lose_is_reported():
    row = verify(changed("mean_of_bias", loses=("dx", "dbias")), seeds=1)
    assert row.mistakes_rejected == row.mistakes - 1
    assert "mean_of_bias loses ['dbias'], not ['dbias', 'dx']" in row.faults[0]


def test_a_mistake_that_is_right_is_reported():
    row = verify(changed("mean_of_bias", fn=linear_backward.reference), seeds=1)
    assert row.mistakes_rejected == row.mistakes - 1
    assert "mean_of_bias loses nothing" in row.faults[0]


def test_a_mistake_taken_for_another_is_reported():
    row = verify(changed("mean_of_bias", fn=linear_backward.mistakes["downhill"].fn), seeds=1)
    assert row.mistakes_recognised == row.mistakes - 1
    assert any("mean_of_bias is recognised as ['downhill']" in fault for fault in row.faults)


def test_an_alternative_that_loses_a_part_is_reported():
    wrong = {"worse": linear_backward.mistakes["transposed"].fn}
    row = verify(dataclasses.replace(linear_backward, alternatives=wrong), seeds=1)
    assert (row.alternatives, row.alternatives_accepted) == (1, 0)
    assert "worse loses ['dweight']" in row.faults[0]


def test_a_check_that_accepts_everything_gives_the_stub_points_and_is_reported():
    lazy = dataclasses.replace(linear_backward, verdict_of=lambda case, parts: None)
    lazy.look = lambda candidate, *case: dict.fromkeys(linear_backward.parts, 0.0)
    row = verify(lazy, seeds=1)
    assert row.stub_points == 3
    assert row.mistakes_rejected == 0
