"""An ``observe`` that travels by source does there what it does here; one that can't is refused."""

import numpy as np
import pytest

from dlcourse.checks.core.exercise import Exercise
from dlcourse.checks.core.shipping import NotSelfContained, rebuilt, source_of

OUTSIDE = 3


def sums(candidate, x):
    import math as m

    class Doubled:
        factor = 2
        twice = factor * 1

        def of(self, v):
            return [self.twice * each for each in v]

    return {"sum": np.sum(Doubled().of(candidate(x))), "root": m.sqrt(4), "name": Doubled.__name__}


def test_what_is_rebuilt_does_the_same():
    name, source = source_of(sums)
    again = rebuilt(name, source)
    assert again(list, [1, 2]) == sums(list, [1, 2]) == {"sum": 6, "root": 2, "name": "Doubled"}


def test_decorators_annotations_and_comments_stay_behind():
    exercise = Exercise("e", "E", {"value": 1}, minutes=1, difficulty=1, outcomes=())

    @exercise.observe
    def looked(candidate, x: "np.ndarray") -> dict:
        return {"value": candidate(x)}  # right is 42

    assert source_of(looked)[1] == "def looked(candidate, x):\n    return {'value': candidate(x)}"


def uses_a_global(candidate):
    return {"value": OUTSIDE}


def uses_one_in_a_function_within(candidate):
    return {"value": [(lambda: OUTSIDE)() for _ in range(2)]}


def uses_one_in_a_class_within(candidate):
    class Inner:
        value = OUTSIDE

    return {"value": Inner.value}


def has_a_default(candidate, x=1):
    return {"value": x}


def imports_the_course(candidate):
    from dlcourse.scratch import losses

    return {"value": losses}


def within():
    y = 1

    def uses_the_function_around_it(candidate):
        return {"value": y}

    return uses_the_function_around_it


REFUSED = {
    uses_a_global: "OUTSIDE from outside",
    uses_one_in_a_function_within: "OUTSIDE from outside",
    uses_one_in_a_class_within: "OUTSIDE from outside",
    has_a_default: "has defaults",
    imports_the_course: "imports dlcourse.scratch",
    within(): "uses y of the function around it",
    np.sum: "plain `def`",
    (lambda candidate: {}): "plain `def`",
}


@pytest.mark.parametrize("fn", REFUSED, ids=lambda fn: fn.__name__)
def test_a_description_says_at_once_what_is_not_self_contained(fn):
    exercise = Exercise("e", "E", {"value": 1}, minutes=1, difficulty=1, outcomes=())
    with pytest.raises(NotSelfContained, match=REFUSED[fn]):
        exercise.observe(fn)
