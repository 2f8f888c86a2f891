"""Tensors as values: judged as arrays are, and told apart from them."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from dlcourse.checks.core import registry
from dlcourse.checks.core.exercise import Exercise
from dlcourse.checks.core.values import Refused, Tensor, alike, describe, difference, identical
from dlcourse.checks.core.values import plain as plain_

ARRAYS = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=0, min_side=0, max_side=4), elements=st.floats(-1e6, 1e6)
)


def wrong(got, want):
    return difference(plain_(got), plain_(want), 1e-10)


@given(ARRAYS)
def test_a_tensor_differs_from_itself_in_nothing_and_from_its_array_in_type(a):
    t = torch.tensor(a)
    assert wrong(t, t) is None and identical(plain_(t), plain_(t)) and alike(plain_(t), plain_(t))
    assert "should be a tensor" in wrong(a, t) and wrong(t, a) is not None
    assert not identical(plain_(a), plain_(t))


@given(ARRAYS.filter(lambda a: a.size > 0), st.randoms())
def test_a_moved_entry_of_a_tensor_is_found(a, random):
    b = np.array(a)
    b[random.choice(list(np.ndindex(a.shape)))] += 1
    assert "differ" in wrong(torch.tensor(b), torch.tensor(a))
    assert not alike(plain_(torch.tensor([0.0])), plain_(torch.tensor([1.0])))


@pytest.mark.parametrize(
    "got, want, said",
    [
        (torch.ones(2), torch.ones(2, dtype=torch.float64), "dtype torch.float32"),
        (torch.ones((), dtype=torch.float32), torch.ones((), dtype=torch.float64), "torch.float64"),
        (torch.ones(2, dtype=torch.int32), torch.ones(2, dtype=torch.int64), "torch.int64"),
        (torch.ones(2), torch.ones(1, 2), r"shape (2,); it should be (1, 2)"),
        (torch.ones(2, requires_grad=True), torch.ones(2), "hangs on a graph"),
        (torch.ones(2), torch.ones(2, requires_grad=True), "cut off from the graph"),
        (2.0, torch.tensor(2.0), "should be a tensor of shape ()"),
        (torch.tensor(2.0), 2.0, "is a tensor of shape (); it should be a number"),
        (torch.tensor([True]), torch.tensor([False]), "differ"),
        (torch.tensor(True), torch.tensor(False), "differs"),
    ],
)
def test_what_is_wrong_with_a_tensor_is_said(got, want, said):
    assert said in wrong(got, want)


class Yes(torch.Tensor):
    """Claims to be equal to everything."""

    def __eq__(self, other):
        return torch.tensor(True)


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2).as_subclass(Yes),
        torch.ones(2, device="meta"),
        torch.ones(2, dtype=torch.bfloat16),
        torch.eye(2).to_sparse(),
        torch.float32,
        nn.Linear(1, 1),
    ],
    ids=["subclass", "meta", "bfloat16", "sparse", "dtype", "module"],
)
def test_what_numpy_cannot_hold_or_what_could_speak_for_itself_is_refused(value):
    assert isinstance(plain_(value), Refused)


def test_a_plain_tensor_is_a_copy_and_keeps_its_dtype():
    t = torch.arange(4, dtype=torch.float16)
    kept = plain_(t[1:])
    t += 1
    assert kept.array.tolist() == [1, 2, 3] and kept.array.dtype == np.float16
    assert plain_(nn.Parameter(torch.ones(2))).requires_grad and not kept.requires_grad
    assert describe(kept) == "a tensor of shape (3,)"


def test_strides_of_an_argument_survive_the_copy_that_each_answer_gets():
    t = torch.arange(6.0).reshape(2, 3).T
    assert copy.deepcopy(t).stride() == t.stride()


def test_views_conjugates_and_gradients_become_plain_too():
    assert plain_(torch.ones(2, dtype=torch.complex64).conj()).array.dtype == np.complex64
    assert plain_(torch.ones(2, requires_grad=True) * 2).requires_grad


exercise = Exercise("twice", "Twice", parts={"y": 1}, minutes=5, difficulty=1, outcomes=())


@exercise.cases
def _(rng):
    while True:
        yield (torch.from_numpy(rng.normal(size=3)),)


@exercise.answer
def _(x):
    return torch.add(x, x)


@exercise.mistake("In place.")
def in_place(x):
    return x.mul_(2)


@exercise.mistake("On a graph.")
def on_a_graph(x):
    return (2 * x).requires_grad_()


@exercise.mistake("An array.")
def as_array(x):
    return 2 * x.numpy()


def test_an_exercise_may_be_about_tensors():
    right = exercise.from_source()  # on the sheet's imports, torch among them
    assert exercise.score(right).right
    for name in exercise.mistakes:
        verdict = exercise.score(exercise.from_source(name))
        assert verdict.earned == 0 and verdict.mistakes == [name]
    text = exercise.score(exercise.from_source("as_array")).text()
    assert "x = [ 0.1257" in text, "small tensors are shown as arrays are"


def test_without_torch_nothing_is_a_tensor_and_nothing_imports_it():
    code = (
        "import sys; from dlcourse.checks.core import values, registry; import numpy as np;"
        "registry.unit('neurons').exercises['neuron_forward'].score(print);"
        "assert isinstance(values.plain(object()), values.Refused) and 'torch' not in sys.modules;"
        "assert not isinstance(values.plain(np.ones(2)), values.Tensor)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_plain_tensors_are_compared_by_identical_and_never_by_equality():
    assert Tensor.__eq__ is object.__eq__


def test_the_name_of_a_class_may_stand_in_a_sheet():
    assert registry.unit("pytorch").exercises["RaggedSet"].of == "class"


counts = Exercise("counts", "Counts", parts={"y": 1}, minutes=5, difficulty=1, outcomes=())


@counts.cases
def _(rng):
    while True:
        weights = {"a": torch.from_numpy(rng.normal(size=(5, 5)))}
        yield weights, [torch.from_numpy(rng.integers(1, 9, size=3))]


@counts.observe
def _(candidate, weights, batches):
    return {"y": [candidate(b) for b in batches]}


@counts.answer
def _(batch):
    return batch * 2


@counts.mistake("Floats.")
def in_floats(batch):
    return batch * 2.0


def test_a_mistake_of_type_is_recognised_by_its_type_inside_a_list_too():
    assert counts.score(lambda b: b * 2.0).mistakes == ["in_floats"]
    assert counts.score(lambda b: (b * 2).int()).mistakes == []
    assert "with" not in counts.score(lambda b: b).text(), "too many tensors to print"


def test_a_shape_is_a_tuple_whoever_gives_it():
    assert wrong(torch.zeros(2, 3).shape, (2, 3)) is None
    assert wrong(torch.zeros(2, 3).shape, (3, 2)) is not None


def test_what_another_cell_switched_off_is_no_fault_of_this_answer():
    exercise = registry.unit("pytorch").exercises["mended_regressor"]
    trial = exercise.trial(3)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    try:
        with np.errstate(all="raise"):
            assert trial.verdict(exercise.from_source("reference")).right
        assert not torch.is_grad_enabled() and torch.get_default_dtype() == torch.float64
    finally:
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
