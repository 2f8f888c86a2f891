"""The checks of the course are themselves checked: the matrix over every exercise of every unit."""

import numpy as np
import pytest
import torch

from dlcourse.checks.core import registry
from dlcourse.checks.core.matrix import verify
from dlcourse.checks.core.shipping import source_of

EXERCISES = [e for slug in registry.units() for e in registry.unit(slug).exercises.values()]
QUESTIONS = [q for slug in registry.units() for q in registry.unit(slug).questions.values()]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)


@each_exercise
def test_every_mistake_loses_its_parts_and_gets_its_hint(exercise):
    """On few seeds; the gate's step "check matrix" tries more of them."""
    row = verify(exercise, seeds=2)
    assert row.faults == []
    assert row.mistakes == row.mistakes_rejected == row.mistakes_recognised
    assert row.alternatives == row.alternatives_accepted
    assert row.stub_points == 0


@each_exercise
def test_there_are_mistakes_alternatives_and_a_hint_each(exercise):
    assert len(exercise.mistakes) >= (3 if exercise.of == "value" else 6)
    assert len(exercise.alternatives) >= 2
    hints = [m.hint for m in exercise.mistakes.values()]
    assert len(set(hints)) == len(hints) and all(hints)
    lost = {part for m in exercise.mistakes.values() for part in m.loses}
    assert lost == set(exercise.parts), "a part that no mistake loses isn't tested"


@each_exercise
def test_observe_needs_nothing_but_itself(exercise):
    if exercise.look is None:
        return
    assert "candidate" in source_of(exercise.look)[1]  # raises where it needs anything else


def entries(value):
    """How many numbers an argument holds; lists may be of arrays of different shapes."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, torch.Tensor):
        return value.numel()
    return sum(map(entries, value)) if isinstance(value, list | tuple) else np.size(value)


@each_exercise
def test_a_check_is_quick(exercise):
    """12 cases well within the 2 s that a check may take: by counting cases, not seconds."""
    assert exercise.n <= 12
    assert all(entries(a) < 1e5 for case in exercise.draw(0) for a in case.args)


@pytest.mark.parametrize("slug", [s for s in registry.units() if not s.endswith("-inventory")])
def test_a_sheet_mixes_kinds_and_has_a_written_question(slug):
    unit = registry.unit(slug)
    assert len(unit.exercises) >= 3
    assert len({e.kind for e in unit.exercises.values()}) >= 3
    assert unit.questions


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_a_rubric_accounts_for_every_point(question):
    import re

    given = sum(int(n) for n in re.findall(r"^- (\d+) points?", question.rubric, re.MULTILINE))
    assert given == question.points
