import itertools

import numpy as np
import pytest

from dlcourse.checks.core.exercise import Exercise, Question
from tests.checks.core.examples import forecast, linear_backward, running_mean


def test_cases_of_a_seed_are_always_the_same_and_without_end():
    a, b = linear_backward.draw(3, 40), linear_backward.draw(3, 40)
    assert len(a) == 40
    for x, y in itertools.chain(zip(a, b, strict=True)):
        assert all(map(np.array_equal, x.args, y.args))


def test_source_is_what_a_learner_would_have_typed():
    assert linear_backward.source("mean_of_bias").startswith(
        "def linear_backward(dy, x, weight):\n"
    )
    assert running_mean.source("KeepsAll").startswith("class RunningMean:\n")
    assert forecast.source("one_less").endswith("\n\nforecast = make_forecast()\n")
    assert forecast.from_source("one_less") == 6


@pytest.mark.parametrize("parts", [{}, {"a": 0}, {"a": 0.5}])
def test_points_are_whole_and_positive(parts):
    with pytest.raises(ValueError, match="whole points"):
        Exercise("e", "E", parts=parts, minutes=1, difficulty=1, outcomes=())


def test_contradictions_in_a_description_are_refused():
    with pytest.raises(ValueError, match="difficulty is 1, 2 or 3, not 4"):
        Exercise("e", "E", parts={"a": 1}, minutes=1, difficulty=4, outcomes=())
    with pytest.raises(ValueError, match=r"has no part \['dy'\]"):
        linear_backward.mistake("hint", loses=("dy",))
    with pytest.raises(ValueError, match="exemplars are full, partial and typical"):
        Question("q", "Q", 2, 5, "rubric", {"full": ""}, ())
    with pytest.raises(ValueError, match="has an answer called 'downhill' already"):
        linear_backward.alternative(linear_backward.mistakes["downhill"].fn)
    bare = Exercise("e", "E", parts={"a": 1}, minutes=1, difficulty=1, outcomes=())
    with pytest.raises(ValueError, match="no answer is given"):
        bare.source()
