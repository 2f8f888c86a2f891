import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.dropout import Dropout
from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.layers import Linear, ReLU, Sequential

SHAPES = [(1, 1), (1, 5), (4, 3), (0, 3), (7,), (2, 3, 5)]
each_shape = pytest.mark.parametrize("shape", SHAPES)


class Fixed(np.random.Generator):
    """A generator that always draws the same numbers: the mask stays as it is."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size=None):
        return np.random.default_rng(5).random(size)


def dropout(p=0.5, seed=0):
    return Dropout(p, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("training", [True, False])
@each_shape
def test_backward_matches_central_differences_with_a_fixed_mask(shape, training, p):
    rng = np.random.default_rng(1)
    layer = Dropout(p, rng=Fixed())
    layer.train(training)
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    layer.forward(x)
    expected = numerical_gradient(lambda: layer.forward(x), x, dy)
    np.testing.assert_allclose(layer.backward(dy), expected, rtol=0, atol=1e-8)


def test_a_network_with_dropout_matches_central_differences():
    rng = np.random.default_rng(2)
    net = Sequential(
        Linear(3, 6, rng=rng), ReLU(), Dropout(0.4, rng=Fixed()), Linear(6, 2, rng=rng)
    )
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    net.forward(x)
    net.zero_grad()
    dx = net.backward(dy)
    found = {"dx": (dx, x)} | {name: (net.grads[name], p) for name, p in net.params.items()}
    for name, (grad, array) in found.items():
        expected = numerical_gradient(lambda: net.forward(x), array, dy)
        np.testing.assert_allclose(grad, expected, rtol=0, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 0.9, 1.0])
@each_shape
def test_matches_torch_given_torchs_mask(shape, p):
    rng = np.random.default_rng(3)
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    torch.manual_seed(0)
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = torch.nn.Dropout(p)(x_torch)
    y_torch.backward(torch.from_numpy(dy))
    y, dx = y_torch.detach().numpy(), x_torch.grad.numpy()

    layer = Dropout(p, rng=np.random.default_rng(0))
    kept = y != 0
    layer.rng = type(
        "Given", (), {"random": staticmethod(lambda size: np.where(kept, 1.0, -1.0))}
    )()
    size = max(np.abs(y).max(initial=0), 1e-3)
    np.testing.assert_allclose(layer.forward(x), y, rtol=0, atol=1e-12 * size)
    size = max(np.abs(dx).max(initial=0), 1e-3)
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=0, atol=1e-12 * size)


@each_shape
def test_evaluation_hands_on_what_comes_and_draws_nothing(shape):
    layer = dropout()
    before = layer.rng.bit_generator.state
    layer.eval()
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * x)
    assert layer.rng.bit_generator.state == before
    assert torch.nn.Dropout().p == layer.p == 0.5 and not layer.params and not layer.grads


@given(
    p=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 10**6),
    n=st.integers(0, 6),
    d=st.integers(1, 6),
)
def test_every_entry_is_dropped_or_divided_by_what_stays_the_same_way_back(p, seed, n, d):
    layer, rng = dropout(p, seed), np.random.default_rng(seed + 1)
    x, dy = rng.uniform(1, 2, size=(n, d)), rng.normal(size=(n, d))
    y = layer.forward(x)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / (1 - p), rtol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), np.where(kept, dy / (1 - p), 0), rtol=1e-12)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_share_that_goes_is_p_and_the_mean_stays(p):
    y = dropout(p).forward(np.ones((400, 400)))
    assert abs(np.mean(y == 0) - p) < 6 * np.sqrt(p * (1 - p) / y.size)
    assert abs(y.mean() - 1) < 6 * np.sqrt(p / (1 - p) / y.size)


def test_entries_go_independently_and_anew_each_time():
    layer, x = dropout(), np.ones((200, 200))
    first, second = layer.forward(x) > 0, layer.forward(x) > 0
    six_sigma = 6 * 0.5 / np.sqrt(first.size)
    assert abs(np.mean(first == second) - 0.5) < six_sigma
    assert abs(np.mean(first[:, 1:] == first[:, :-1]) - 0.5) < 1.1 * six_sigma
    assert abs(np.mean(first[1:] == first[:-1]) - 0.5) < 1.1 * six_sigma


def test_the_seed_decides_and_float32_stays_float32():
    x = np.ones((5, 5), dtype=np.float32)
    np.testing.assert_array_equal(dropout(seed=3).forward(x), dropout(seed=3).forward(x))
    for p in (0.0, 0.5, 1.0):
        layer = dropout(p)
        assert layer.forward(x).dtype == layer.backward(x).dtype == np.float32


def test_nan_in_is_nan_out_even_where_it_is_dropped():
    x = np.array([np.nan, 1.0])
    assert np.isnan(dropout(1.0).forward(x)[0])
    assert np.isnan(torch.nn.Dropout(1.0)(torch.from_numpy(x)).numpy()[0])


def test_arrays_without_an_order_in_memory_and_given_arrays_are_left_alone():
    x = np.random.default_rng(0).normal(size=(6, 8)).T[::2]
    before = x.copy()
    y = dropout().forward(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(y, dropout().forward(before))
    layer = dropout(0.0)
    assert not np.shares_memory(layer.forward(x), x)


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan, np.inf, "0.5", None, True, [0.5], 0.5j])
def test_a_p_that_is_no_share_is_refused(p):
    with pytest.raises(ValueError, match="from 0 to 1"):
        dropout(p)


@pytest.mark.parametrize("rng", [None, 0, np.random.RandomState(0)])
def test_what_draws_must_be_a_generator(rng):
    with pytest.raises(ValueError, match="Generator"):
        Dropout(0.5, rng=rng)


@pytest.mark.parametrize(
    "x", [[1.0, 2.0], np.array([1, 2]), np.array([True]), np.array(["a"]), np.array([1j]), None]
)
def test_what_is_no_array_of_floats_is_refused(x):
    with pytest.raises(ValueError):
        dropout().forward(x)


def test_backward_wants_a_forward_and_the_shape_of_the_output():
    layer = dropout()
    with pytest.raises(ValueError, match="forward"):
        layer.backward(np.ones((2, 2)))
    layer.forward(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"\(1, 2\) and \(3, 2\)"):
        layer.backward(np.ones((1, 2)))
