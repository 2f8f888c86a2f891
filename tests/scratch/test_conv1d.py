import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.conv import Conv2d
from dlcourse.scratch.conv1d import Conv1d
from dlcourse.scratch.gradcheck import numerical_gradient

SETTINGS = [  # x, out_channels, what torch takes too
    ((2, 3, 7), 2, {"kernel_size": 3}),
    ((1, 1, 1), 1, {"kernel_size": 1}),
    ((3, 2, 8), 4, {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 2, 9), 3, {"kernel_size": 3, "dilation": 3, "padding": 2}),
    ((1, 2, 9), 1, {"kernel_size": 2, "stride": 3, "dilation": 2}),
    ((2, 1, 4), 2, {"kernel_size": 4, "bias": False}),
    ((2, 2, 3), 2, {"kernel_size": 1, "stride": 2, "padding": 3}),
    ((0, 2, 5), 3, {"kernel_size": 3, "padding": 1}),
]
each_setting = pytest.mark.parametrize("shape, channels, options", SETTINGS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Within 1e-12 of the array's largest entry."""
    assert found.shape == expected.shape
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


@each_setting
def test_backward_matches_central_differences(shape, channels, options, rng):
    layer, x = Conv1d(shape[1], channels, **options, rng=rng), rng.normal(size=shape)
    dy = rng.normal(size=layer.forward(x).shape)
    dx = layer.backward(dy)
    expected = numerical_gradient(lambda: layer.forward(x), x, dy)
    np.testing.assert_allclose(dx, expected, rtol=0, atol=1e-8)
    for name, param in layer.params.items():
        expected = numerical_gradient(lambda: layer.forward(x), param, dy)
        np.testing.assert_allclose(layer.grads[name], expected, rtol=0, atol=1e-8, err_msg=name)


@each_setting
def test_it_is_torchs(shape, channels, options, rng):
    layer, x = Conv1d(shape[1], channels, **options, rng=rng), rng.normal(size=shape)
    oracle = torch.nn.Conv1d(shape[1], channels, **options, dtype=torch.float64)
    oracle.load_state_dict({name: torch.from_numpy(p.copy()) for name, p in layer.params.items()})
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = oracle(x_torch)
    dy = rng.normal(size=tuple(y_torch.shape))
    y_torch.backward(torch.from_numpy(dy))
    close(layer.forward(x), y_torch.detach().numpy(), "y")
    close(layer.backward(dy), x_torch.grad.numpy(), "dx")
    for name, param in oracle.named_parameters():
        close(layer.grads[name], param.grad.numpy(), name)


@settings(max_examples=40)
@given(
    n=st.integers(0, 3),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    rest=st.integers(0, 5),
)
def test_it_is_a_convolution_of_images_one_pixel_high(
    n, channels, kernel, stride, padding, dilation, rest
):
    rng = np.random.default_rng(0)
    layer = Conv1d(*channels, kernel, stride, padding, dilation, rng=rng)
    image = Conv2d(*channels, (1, kernel), (1, stride), (0, padding), (1, dilation), rng=rng)
    image.params["weight"][...] = layer.params["weight"][:, :, None]
    image.params["bias"][...] = layer.params["bias"]
    x = rng.normal(size=(n, channels[0], dilation * (kernel - 1) + 1 + rest))
    y = layer.forward(x)
    close(y, image.forward(x[:, :, None])[:, :, 0])
    dy = rng.normal(size=y.shape)
    close(layer.backward(dy), image.backward(dy[:, :, None])[:, :, 0])
    close(layer.grads["weight"], image.grads["weight"][:, :, 0])


@given(shift=st.integers(0, 4), seed=st.integers(0, 1000))
def test_a_shifted_series_gives_the_shifted_output(shift, seed):
    rng = np.random.default_rng(seed)
    layer = Conv1d(2, 3, 3, padding=2, rng=rng)
    x = np.zeros((1, 2, 12))
    x[:, :, :6] = rng.normal(size=(1, 2, 6))  # room to move
    moved = np.roll(x, shift, axis=2)
    close(layer.forward(moved), np.roll(layer.forward(x), shift, axis=2))


def test_the_kernel_is_not_flipped(rng):
    layer = Conv1d(1, 1, 3, padding=1, bias=False, rng=rng)
    layer.params["weight"][...] = [0, 0, 1]  # sees its right neighbour
    y = layer.forward(np.array([[[1.0, 2.0, 3.0]]]))
    np.testing.assert_array_equal(y, [[[2, 3, 0]]])


def test_first_values_are_of_torchs_law(rng):
    weight = Conv1d(20, 300, 5, rng=rng).params["weight"]
    oracle = torch.nn.Conv1d(20, 300, 5).weight
    assert weight.shape == tuple(oracle.shape) and np.abs(weight).max() <= 0.1
    np.testing.assert_allclose(weight.std(), oracle.std().item(), rtol=0.02)


def test_gradients_add_up_inputs_stay_and_float32_too(rng):
    layer = Conv1d(2, 3, 3, padding=1, rng=rng, dtype=np.float32)
    x = rng.normal(size=(2, 2, 5)).astype(np.float32)
    before = x.copy()
    y = layer.forward(x)
    dx = layer.backward(y)
    once = {name: g.copy() for name, g in layer.grads.items()}
    np.testing.assert_array_equal(layer.backward(y), dx)
    np.testing.assert_array_equal(x, before)
    for name, g in layer.grads.items():
        np.testing.assert_array_equal(g, 2 * once[name])
    assert {a.dtype for a in (y, dx, *layer.grads.values())} == {np.dtype(np.float32)}


def test_nan_is_seen_where_the_window_holds_it(rng):
    x = np.ones((1, 1, 8))
    x[0, 0, 2] = np.nan
    y = Conv1d(1, 1, 3, rng=rng).forward(x)
    np.testing.assert_array_equal(np.isnan(y[0, 0]), [True] * 3 + [False] * 3)


@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 5), (5,), (), (2, 3, 5, 1), (2, 0, 5)])
def test_other_shapes_are_refused_by_both(shape, rng):
    with pytest.raises(ValueError) as error:
        Conv1d(3, 2, 3, rng=rng).forward(np.ones(shape))
    assert str(shape) in str(error.value) and "(2, 3, 3)" in str(error.value)


@pytest.mark.parametrize("length", [0, 2])
def test_series_shorter_than_the_window_are_refused(length, rng):
    with pytest.raises(ValueError, match=rf"over 5 .*\(1, 1, {length}\).* 1"):
        Conv1d(1, 1, 3, padding=1, dilation=2, rng=rng).forward(np.ones((1, 1, length)))


def test_what_is_no_array_of_floats_is_refused(rng):
    layer = Conv1d(1, 1, 1, rng=rng)
    with pytest.raises(ValueError, match="forward before"):
        layer.backward(np.ones((1, 1, 1)))
    for wrong in ([[[1.0]]], np.ones((1, 1, 1), np.int64)):
        with pytest.raises(ValueError, match="list|int64"):
            layer.forward(wrong)
    layer.forward(np.ones((2, 1, 4)))
    with pytest.raises(ValueError, match=r"\(1, 1, 4\) and \(2, 1, 4\)"):
        layer.backward(np.ones((1, 1, 4)))


@pytest.mark.parametrize(
    "name, wrong",
    [
        ("in_channels", 0),
        ("out_channels", -1),
        ("kernel_size", 0),
        ("kernel_size", 2.5),
        ("stride", 0),
        ("stride", True),
        ("padding", -1),
        ("padding", "same"),
        ("dilation", 0),
    ],
)
def test_settings_that_make_no_convolution_are_refused(name, wrong, rng):
    with pytest.raises(ValueError, match=f"{name}.*{wrong}"):
        Conv1d(**{"in_channels": 1, "out_channels": 1, "kernel_size": 1, name: wrong}, rng=rng)


def test_a_seed_is_no_generator_and_integers_are_no_parameters(rng):
    with pytest.raises(ValueError, match="int"):
        Conv1d(1, 1, 1, rng=0)
    with pytest.raises(ValueError, match="int64"):
        Conv1d(1, 1, 1, rng=rng, dtype=np.int64)
