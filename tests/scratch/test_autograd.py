import gc
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from dlcourse.scratch.autograd import CycleError, Tensor, no_grad, record
from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.graph import gradients, topological_order, unbroadcast


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Of the same type, and within 1e-12 of the array's largest entry."""
    assert found.dtype == expected.dtype and found.shape == expected.shape, name
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


PICK = np.array([2, 0, 2])
OPERATIONS = {  # name: what both engines understand, and the shapes that go in
    "+": (lambda a, b: a + b, [(3, 4), (3, 4)]),
    "+ stretched": (lambda a, b: a + b, [(3, 1), (2, 1, 4)]),
    "+ number": (lambda a: 2 + a + 3, [(3,)]),
    "-": (lambda a, b: a - b, [(3, 4), (4,)]),
    "- number": (lambda a: 1 - (a - 0.5), [(2, 3)]),
    "*": (lambda a, b: a * b, [(3, 4), (1, 4)]),
    "* number": (lambda a: 2 * a * 3.5, [()]),
    "* itself": (lambda a: a * a, [(3,)]),
    "/": (lambda a, b: a / b, [(4,), (3, 1)]),
    "/ number": (lambda a: 1 / a + a / 2, [(3,)]),
    "neg": (lambda a: -a, [(2, 2)]),
    "pow 3": (lambda a: a**3, [(5,)]),
    "pow -1.5": (lambda a: (a * a) ** -1.5, [(5,)]),
    "pow 0": (lambda a: a**0, [(3,)]),
    "base": (lambda a: 2**a, [(3,)]),
    "@": (lambda a, b: a @ b, [(3, 4), (4, 2)]),
    "@ stacks": (lambda a, b: a @ b, [(5, 1, 3, 4), (2, 4, 2)]),
    "@ one stack": (lambda a, b: a @ b, [(2, 3, 4), (4, 5)]),
    "@ vectors": (lambda a, b: a @ b, [(4,), (4,)]),
    "vector @ matrix": (lambda a, b: a @ b, [(4,), (4, 3)]),
    "matrix @ vector": (lambda a, b: a @ b, [(3, 4), (4,)]),
    "vector @ stacks": (lambda a, b: a @ b, [(4,), (2, 5, 4, 3)]),
    "stacks @ vector": (lambda a, b: a @ b, [(2, 5, 3, 4), (4,)]),
    "@ nobody": (lambda a, b: a @ b, [(0, 4), (4, 2)]),
    "exp": (lambda a: a.exp(), [(3, 2)]),
    "log": (lambda a: (a * a).log(), [(3, 2)]),
    "tanh": (lambda a: a.tanh(), [(3, 2)]),
    "relu": (lambda a: a.relu(), [(3, 2)]),
    "sum": (lambda a: a.sum(), [(3, 2)]),
    "sum 0": (lambda a: a.sum(0), [(3, 2)]),
    "sum kept": (lambda a: a.sum((0, -1), True), [(3, 2, 4)]),
    "mean": (lambda a: a.mean(), [(3, 2)]),
    "mean 1": (lambda a: a.mean(-1), [(3, 2)]),
    "mean kept": (lambda a: a - a.mean((0, 2), True), [(3, 2, 4)]),
    "log_softmax": (lambda a: torch_or_ours(a), [(3, 4)]),
    "reshape": (lambda a: a.reshape(3, -1), [(2, 6)]),
    "getitem": (lambda a: a[1:, None, 2], [(3, 4)]),
    "getitem twice": (lambda a: a[PICK], [(3, 4)]),
    "getitem pairs": (lambda a: a[np.arange(3), PICK], [(3, 4)]),
    "getitem mask": (lambda a: a[np.array([True, False, True])], [(3, 2)]),
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


def torch_or_ours(a):
    return a.log_softmax() if isinstance(a, Tensor) else a.log_softmax(-1)


def inputs(name, rng, dtype=np.float64):
    """Away from 0, where ReLU bends and the logarithm ends."""
    away = lambda s: rng.choice([-1, 1], size=s) * rng.uniform(0.3, 2, size=s)  # noqa: E731
    return [np.asarray(away(shape), dtype) for shape in OPERATIONS[name][1]]


def run(name, arrays, dy_rng):
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = OPERATIONS[name][0](*leaves)
    dy = np.asarray(dy_rng.normal(size=y.shape), y.data.dtype)
    y.backward(dy)
    return y, dy, leaves


@each_operation
def test_operation_matches_torch(name, rng):
    arrays = inputs(name, rng)
    y, dy, leaves = run(name, arrays, rng)
    theirs = [torch.from_numpy(a).requires_grad_() for a in arrays]
    y_torch = OPERATIONS[name][0](*theirs)
    y_torch.backward(torch.from_numpy(dy))
    close(y.data, y_torch.detach().numpy())
    for leaf, other in zip(leaves, theirs, strict=True):
        close(leaf.grad, other.grad.numpy())


@each_operation
def test_operation_matches_central_differences(name, rng):
    arrays = inputs(name, rng)
    _, dy, leaves = run(name, arrays, rng)
    for i, leaf in enumerate(leaves):

        def moved():
            return OPERATIONS[name][0](*map(Tensor, arrays)).data  # noqa: B023

        expected = numerical_gradient(moved, arrays[i], dy)
        np.testing.assert_allclose(leaf.grad, expected, rtol=0, atol=1e-8)


@each_operation
def test_float32_stays_float32(name, rng):
    y, _, leaves = run(name, inputs(name, rng, np.float32), rng)
    assert y.data.dtype == np.float32
    assert all(leaf.grad.dtype == np.float32 for leaf in leaves)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_max_shares_among_ties_as_torch_does(axis, keepdims):
    array = np.array([[[1.0, 3.0, 3.0], [2.0, 3.0, 0.0]], [[1.0, 3.0, 5.0], [5.0, 5.0, 0.0]]])
    leaf = Tensor(array, requires_grad=True)
    y = leaf.max(axis, keepdims)
    dy = np.random.default_rng(1).normal(size=y.shape)
    y.backward(dy)
    theirs = torch.from_numpy(array).requires_grad_()
    y_torch = torch.amax(theirs, () if axis is None else axis, keepdims)
    y_torch.backward(torch.from_numpy(dy).reshape(y_torch.shape))
    close(leaf.grad, theirs.grad.numpy())


@pytest.mark.parametrize("axes", [(), (0, 2, 1), (2, 0, 1), (-1, 0, 1)])
def test_transpose_matches_torch(axes, rng):
    array = rng.normal(size=(2, 3, 4))
    leaf, theirs = Tensor(array, requires_grad=True), torch.from_numpy(array).requires_grad_()
    y, y_torch = leaf.transpose(*axes), theirs.permute(axes or (2, 1, 0))
    dy = rng.normal(size=y.shape)
    y.backward(dy)
    y_torch.backward(torch.from_numpy(dy))
    close(y.data, y_torch.detach().numpy())
    close(leaf.grad, theirs.grad.numpy())


@settings(max_examples=40, deadline=None)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), st.integers(0, 99))
def test_broadcasting_gives_torchs_gradients_for_all_shapes(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (np.asarray(rng.normal(size=s)) for s in shapes.input_shapes)
    leaves = [Tensor(v, requires_grad=True) for v in (a, b)]
    theirs = [torch.from_numpy(v).requires_grad_() for v in (a, b)]
    (leaves[0] * leaves[1] - leaves[1] / 3).sum().backward()
    (theirs[0] * theirs[1] - theirs[1] / 3).sum().backward()
    for ours, other in zip(leaves, theirs, strict=True):
        close(ours.grad, other.grad.numpy())


@settings(max_examples=40, deadline=None)
@given(mutually_broadcastable_shapes(signature="(n?,k),(k,m?)->(n?,m?)", max_dims=2, max_side=3))
def test_matrix_products_give_torchs_gradients_for_all_shapes(shapes):
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.normal(size=s)) for s in shapes.input_shapes)
    leaves = [Tensor(v, requires_grad=True) for v in (a, b)]
    theirs = [torch.from_numpy(v).requires_grad_() for v in (a, b)]
    y, y_torch = leaves[0] @ leaves[1], theirs[0] @ theirs[1]
    dy = np.asarray(rng.normal(size=y.shape))
    y.backward(dy)
    y_torch.backward(torch.from_numpy(dy))
    for ours, other in zip(leaves, theirs, strict=True):
        close(ours.grad, other.grad.numpy())


def test_relu_has_slope_0_at_its_kink():
    x = Tensor(np.array([-0.0, 0.0, 1.0]), requires_grad=True)
    x.relu().sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 1])


def test_logits_of_any_size_have_a_log_softmax():
    z = Tensor(np.array([[1000.0, 0.0, -1000.0]]), requires_grad=True)
    (-z.log_softmax()[np.array([0]), np.array([1])]).sum().backward()
    np.testing.assert_array_equal(z.grad, [[1, -1, 0]])


# the walk ---------------------------------------------------------------------


def test_ways_that_meet_add_up():
    x = Tensor(3.0, requires_grad=True)
    h = x.tanh()
    (h * h + h * x + x).backward()
    t = math.tanh(3)
    assert x.grad == pytest.approx((2 * t + 3) * (1 - t * t) + t + 1, rel=1e-14)


def test_a_chain_of_ten_thousand_operations_is_walked():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y + 0.001
    y.backward()
    assert x.grad == 1


def test_a_result_used_twice_a_hundred_times_over_is_walked_once_each():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100):
        y = y + y
    y.backward()
    assert x.grad == 2.0**100 and len(topological_order(y)) == 101


def test_backward_adds_up_until_zero_grad():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()
    np.testing.assert_array_equal(x.grad, [4, 8])
    x.zero_grad()
    assert x.grad is None


def test_two_leaves_never_share_one_gradient():
    a, b = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    (a + b).sum().backward()
    a.grad[:] = 7
    np.testing.assert_array_equal(b.grad, [1, 1])


def test_only_leaves_that_ask_get_a_gradient():
    x, c = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2))
    h = x * c
    h.sum().backward()
    assert c.grad is None and h.grad is None and x.grad is not None


def test_nothing_is_recorded_without_need_or_within_no_grad():
    x = Tensor(np.ones(2), requires_grad=True)
    assert (Tensor(np.ones(2)) * 2).parents == ()
    with no_grad():
        y = x * 2
        with no_grad():
            pass
        z = x * 2  # the inner block must not turn recording on again
    assert not y.requires_grad and y.parents == () and z.parents == ()
    assert (x * 2).requires_grad
    with pytest.raises(RuntimeError, match="mine"), no_grad():
        raise RuntimeError("mine")
    assert (x * 2).requires_grad


def test_what_is_detached_is_a_constant():
    x = Tensor(3.0, requires_grad=True)
    (x * (x * x).detach()).backward()
    assert x.grad == 9


def test_a_cycle_is_a_named_error_and_changes_no_gradient():
    x = Tensor(1.0, requires_grad=True)
    a = x * 2
    b = a + 1
    a.parents = (b,)
    with pytest.raises(CycleError, match="made from itself"):
        b.backward()
    assert x.grad is None and issubclass(CycleError, ValueError)


def test_each_tensor_stands_once_and_after_its_parents():
    x = Tensor(2.0, requires_grad=True)
    h = x * x
    y = h + x * h
    order = topological_order(y)
    place = {t: i for i, t in enumerate(order)}
    assert len(place) == len(order) == 4 and order[-1] is y
    assert all(place[p] < place[t] for t in order for p in t.parents)


def test_the_past_is_freed_with_its_last_result():
    """Without waiting for the garbage collector: nothing in a record points forwards."""
    import weakref

    x = Tensor(np.ones(3), requires_grad=True)
    y = ((x * 2).tanh() @ x).exp()
    seen = [weakref.ref(t) for t in topological_order(y) if t is not x]
    gc.disable()
    try:
        del y
        assert all(ref() is None for ref in seen)
    finally:
        gc.enable()


# what a tensor holds ---------------------------------------------------------------


def test_a_tensor_holds_a_copy_that_nobody_can_write_to():
    mine = np.ones(3)
    x = Tensor(mine, requires_grad=True)
    mine[:] = 5
    np.testing.assert_array_equal(x.data, 1)
    y = x * 2
    for tensor in (x, y, y.reshape(3, 1), y.transpose(), y[1:]):
        with pytest.raises(ValueError, match="read-only"):
            tensor.data[...] = 0


def test_a_parameter_moves_to_a_new_array_and_what_was_recorded_stays_right():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = (x * x).sum()
    x.data = x.data + 10
    y.backward()
    np.testing.assert_array_equal(x.grad, [2, 4])
    np.testing.assert_array_equal(x.data, [11, 12])


def test_an_index_that_changes_later_changes_nothing():
    x, rows = Tensor(np.arange(3.0), requires_grad=True), np.array([0, 0])
    y = x[rows].sum()
    rows[:] = 2
    y.backward()
    np.testing.assert_array_equal(x.grad, [2, 0, 0])


X = Tensor(np.ones((2, 3)), requires_grad=True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Tensor([1.0, 2.0]),
        lambda: Tensor(np.arange(3)),
        lambda: Tensor(np.ones(3, np.float16)),
        lambda: Tensor(np.ones(3, complex)),
        lambda: Tensor(np.ones(3, bool)),
        lambda: Tensor(True),
        lambda: Tensor(None),
        lambda: Tensor(np.array([1.0, np.nan])),
        lambda: Tensor(math.inf),
        lambda: X + np.ones(4),
        lambda: X * np.ones(3, np.float32),
        lambda: np.arange(3) * X,
        lambda: X + [1.0, 2.0, 3.0],
        lambda: X + np.nan,
        lambda: X @ np.ones((2, 3)),
        lambda: X @ 2.0,
        lambda: X / 0,
        lambda: X / np.array([1.0, 0.0, 1.0]),
        lambda: X**X,
        lambda: (X - 1) ** -1,
        lambda: (X - 2) ** 0.5,
        lambda: (-2) ** X,
        lambda: (X - 1).log(),
        lambda: X.sum(2),
        lambda: X.sum((0, -2)),
        lambda: Tensor(np.ones((0, 3))).mean(0),
        lambda: Tensor(np.ones((0, 3))).max(),
        lambda: X.reshape(4),
        lambda: X.transpose(0, 0),
        lambda: X.transpose(0),
        lambda: X.item(),
        lambda: X.backward(),
        lambda: X.backward(np.ones(3)),
        lambda: X.backward(np.ones((2, 3), np.float32)),
        lambda: X.backward(np.full((2, 3), np.nan)),
        lambda: X.detach().sum().backward(),
        lambda: setattr(X, "data", np.ones(3)),
        lambda: setattr(X, "data", np.ones((2, 3), np.float32)),
        lambda: setattr(X, "data", np.full((2, 3), np.inf)),
        lambda: setattr(X * 1, "data", np.ones((2, 3))),
    ],
)
def test_what_makes_no_sense_is_a_value_error(wrong):
    before = X.data.copy()
    with pytest.raises(ValueError):
        wrong()
    np.testing.assert_array_equal(X.data, before)
    assert X.grad is None


def test_the_message_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(3,\).*\(2, 3\)|\(2, 3\).*\(3,\)"):
        X.backward(np.ones(3))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(4,\)|\(4,\).*\(2, 3\)"):
        X.data = np.ones(4)


def test_a_root_that_overflowed_has_no_gradient():
    x = Tensor(1e3, requires_grad=True)
    with np.errstate(over="ignore"):
        y = x.exp()
    with pytest.raises(ValueError, match="NaN or infinite"):
        y.backward()


def test_an_operation_of_ones_own_is_checked():
    def double(t):
        return record("double", 2 * t.data, (t,), lambda dy: (2 * dy,))

    x = Tensor(np.ones(3), requires_grad=True)
    double(x).sum().backward()
    np.testing.assert_array_equal(x.grad, 2)
    wrong = record("wrong", x.data.sum(), (x,), lambda dy: (dy,))
    with pytest.raises(ValueError, match=r"wrong hands \(\) back to \(3,\)"):
        wrong.backward()


def test_gradients_names_every_tensor_that_needs_one():
    x, c = Tensor(np.ones(3), requires_grad=True), Tensor(np.ones(3))
    h = x * c
    y = h.sum()
    found = gradients(y)
    assert set(found) == {x, h, y}
    np.testing.assert_array_equal(found[h], [1, 1, 1])


def test_a_tensor_says_what_it_is():
    assert "op='tanh'" in repr(Tensor(1.0, requires_grad=True).tanh())
    assert repr(Tensor(1.0)) == "Tensor(array(1.))" and Tensor(np.ones(1)).item() == 1


def test_a_slope_that_has_no_value_is_refused_and_nothing_changed():
    x = Tensor(np.zeros(2), requires_grad=True)
    message = r"leaf of shape \(2,\) has entries that are NaN or inf"
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        ((x * x).sum() ** 0.5).backward()
    assert x.grad is None


def test_what_the_caller_made_a_result_of_stays_the_callers():
    mine = np.ones(2)
    made = record("mine", mine, (Tensor(mine, requires_grad=True),), lambda dy: (dy,))
    mine[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        made.data[0] = 1


@pytest.mark.parametrize("rule", [lambda dy: dy, lambda dy: (1.0,), lambda dy: [dy]])
def test_a_rule_that_returns_no_tuple_of_arrays_is_refused(rule):
    x = Tensor(np.ones(1), requires_grad=True)
    with pytest.raises(ValueError, match="the rule of odd must return a tuple of arrays"):
        record("odd", x.data, (x,), rule).backward()


@pytest.mark.parametrize("axis", [1.0, "a", True, [0]])
def test_an_axis_that_is_no_whole_number_is_refused(axis):
    with pytest.raises(ValueError, match="axis"):
        Tensor(np.ones((2, 2))).sum(axis=axis)


def test_an_axis_may_be_numpys():
    assert Tensor(np.ones((2, 3))).sum(axis=np.int64(1)).shape == (2,)


@pytest.mark.parametrize("data", [10**400, np.ma.array([1.0, 2.0], mask=[0, 1])])
def test_a_number_too_large_and_a_mask_are_refused(data):
    with pytest.raises(ValueError):
        Tensor(data)


@pytest.mark.parametrize(("dy", "shape"), [([[1.0]], (1,)), (1.0, ()), (np.ones(3), 3)])
def test_unbroadcast_takes_an_array_and_a_tuple(dy, shape):
    with pytest.raises(ValueError, match="dy must be an array and shape a tuple"):
        unbroadcast(dy, shape)
