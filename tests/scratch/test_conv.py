import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch import conv
from dlcourse.scratch.conv import AvgPool2d, Conv2d, Conv2dLoop, Flatten, MaxPool2d
from dlcourse.scratch.gradcheck import check_layer, numerical_gradient
from dlcourse.scratch.layers import Linear, ReLU, Sequential

TWINS = [Conv2d, Conv2dLoop]
each_twin = pytest.mark.parametrize("kind", TWINS)
CONVOLUTIONS = [  # x, out_channels, what torch takes too
    ((2, 3, 5, 4), 2, {"kernel_size": 3}),
    ((1, 1, 1, 1), 1, {"kernel_size": 1}),
    ((3, 2, 7, 5), 4, {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}),
    ((2, 2, 7, 6), 3, {"kernel_size": (2, 3), "dilation": (3, 2), "padding": 2}),
    ((1, 2, 9, 8), 1, {"kernel_size": 2, "stride": 3, "dilation": 2, "padding": (0, 1)}),
    ((2, 1, 4, 4), 2, {"kernel_size": 4, "bias": False}),
    ((2, 2, 3, 3), 2, {"kernel_size": 1, "stride": 2, "padding": 3}),
    ((0, 2, 5, 5), 3, {"kernel_size": 3, "padding": 1}),
]
POOLINGS = [  # x, what torch takes too
    ((2, 3, 4, 6), {"kernel_size": 2}),
    ((1, 1, 7, 5), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 1)}),
    ((2, 2, 7, 7), {"kernel_size": 3, "stride": 2}),
    ((3, 1, 5, 4), {"kernel_size": 2, "stride": 3, "padding": 1}),
    ((0, 2, 4, 4), {"kernel_size": 2}),
]
each_pool = pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Within 1e-12 of the array's largest entry."""
    assert found.shape == expected.shape
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


def distinct(rng, shape):
    """Entries that a step of a difference can't bring past each other: max has kinks."""
    return rng.permutation(np.prod(shape, dtype=int)).reshape(shape) / 10


def agree(layer, oracle, x, dy):
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = oracle(x_torch)
    y_torch.backward(torch.from_numpy(dy))
    close(layer.forward(x), y_torch.detach().numpy(), "y")
    close(layer.backward(dy), x_torch.grad.numpy(), "dx")
    named = dict(oracle.named_parameters())
    assert [*layer.params] == [*layer.grads] == [*named]
    for name, param in named.items():
        close(layer.grads[name], param.grad.numpy(), name)


def check_gradients(layer, x, dy):
    layer.forward(x)
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    np.testing.assert_allclose(dx, numerical_gradient(lambda: layer.forward(x), x, dy), atol=1e-8)
    for name, param in layer.params.items():
        expected = numerical_gradient(lambda: layer.forward(x), param, dy)
        np.testing.assert_allclose(layer.grads[name], expected, atol=1e-8, err_msg=name)


def torchs(layer, shape, channels, options):
    oracle = torch.nn.Conv2d(shape[1], channels, **options, dtype=torch.float64)
    oracle.load_state_dict({name: torch.from_numpy(p.copy()) for name, p in layer.params.items()})
    return oracle


# convolution --------------------------------------------------------------------------


@each_twin
@pytest.mark.parametrize("shape, channels, options", CONVOLUTIONS)
def test_convolution_backward_matches_central_differences(kind, shape, channels, options, rng):
    layer = kind(shape[1], channels, **options, rng=rng)
    x = rng.normal(size=shape)
    check_gradients(layer, x, rng.normal(size=layer.forward(x).shape))


@each_twin
@pytest.mark.parametrize("shape, channels, options", CONVOLUTIONS)
def test_convolution_matches_torch(kind, shape, channels, options, rng):
    layer = kind(shape[1], channels, **options, rng=rng)
    x = rng.normal(size=shape)
    dy = rng.normal(size=layer.forward(x).shape)
    agree(layer, torchs(layer, shape, channels, options), x, dy)


@pytest.mark.parametrize("columns", [1, 100, 2**18])
@settings(max_examples=40)
@given(
    n=st.integers(0, 5),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    bias=st.booleans(),
)
def test_the_fast_twin_agrees_with_the_loop(
    columns, n, channels, size, kernel, stride, padding, bias
):
    rng = np.random.default_rng(0)
    fast, loop = (
        kind(*channels, kernel, stride, padding, bias=bias, rng=np.random.default_rng(1))
        for kind in (Conv2d, Conv2dLoop)
    )
    x = rng.normal(size=(n, channels[0], *size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "COLUMNS", columns)  # one image at a time, a few, all
        y = fast.forward(x)
        dy = rng.normal(size=y.shape)
        dx = fast.backward(dy)
    close(y, loop.forward(x), "y")
    close(dx, loop.backward(dy), "dx")
    for name, grad in loop.grads.items():
        close(fast.grads[name], grad, name)


@given(shift=st.tuples(st.integers(0, 4), st.integers(0, 4)), seed=st.integers(0, 1000))
def test_a_shifted_image_gives_the_shifted_output(shift, seed):
    rng = np.random.default_rng(seed)
    layer = Conv2d(2, 3, 3, padding=2, rng=rng)
    x = np.zeros((1, 2, 10, 9))
    x[:, :, :6, :5] = rng.normal(size=(1, 2, 6, 5))  # room to move
    moved = np.roll(x, shift, axis=(2, 3))
    close(layer.forward(moved), np.roll(layer.forward(x), shift, axis=(2, 3)))


@given(a=st.floats(-3, 3), b=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_convolution_is_linear_and_backward_its_transpose(a, b, seed):
    rng = np.random.default_rng(seed)
    layer = Conv2d(2, 3, (2, 3), stride=(1, 2), padding=1, bias=False, rng=rng)
    x, other = rng.normal(size=(2, 2, 2, 5, 6))
    y = layer.forward(a * x + b * other)
    np.testing.assert_allclose(y, a * layer.forward(x) + b * layer.forward(other), atol=1e-12)
    dy = rng.normal(size=y.shape)
    forwards, backwards = (dy * layer.forward(x)).sum(), (layer.backward(dy) * x).sum()
    np.testing.assert_allclose(forwards, backwards, rtol=1e-10, atol=1e-12)


def test_the_kernel_is_not_flipped_and_a_single_one_copies():
    layer = Conv2d(1, 1, 3, padding=1, bias=False, rng=np.random.default_rng(0))
    layer.params["weight"][...] = 0
    layer.params["weight"][0, 0, 1, 2] = 1  # sees its right neighbour
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    expected = np.pad(x, ((0, 0), (0, 0), (0, 0), (0, 1)))[..., 1:]
    np.testing.assert_array_equal(layer.forward(x), expected)


def test_a_window_of_the_whole_image_is_a_linear_layer(rng):
    layer, linear = Conv2d(2, 3, (4, 5), rng=rng), Linear(40, 3, rng=rng)
    linear.params["weight"][...] = layer.params["weight"].reshape(3, 40)
    linear.params["bias"][...] = layer.params["bias"]
    x = rng.normal(size=(6, 2, 4, 5))
    close(layer.forward(x)[:, :, 0, 0], linear.forward(Flatten().forward(x)))


@each_twin
def test_initialisation_is_torchs_uniform_law(kind, rng):
    layer, oracle = kind(20, 300, (5, 1), rng=rng), torch.nn.Conv2d(20, 300, (5, 1))
    for name, param in oracle.named_parameters():
        ours = layer.params[name]
        assert ours.shape == tuple(param.shape) and np.abs(ours).max() <= 0.1
        np.testing.assert_allclose(ours.std(), param.std().item(), rtol=0.15)
        np.testing.assert_allclose(ours.std(), 0.1 / np.sqrt(3), rtol=0.1)
    again = kind(20, 300, (5, 1), rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.params["weight"], layer.params["weight"])


# pooling and Flatten --------------------------------------------------------------------


@each_pool
@pytest.mark.parametrize("shape, options", POOLINGS)
def test_pooling_backward_matches_central_differences(kind, shape, options, rng):
    layer, x = kind(**options), distinct(rng, shape)
    check_gradients(layer, x, rng.normal(size=layer.forward(x).shape))


@each_pool
@pytest.mark.parametrize("shape, options", POOLINGS)
def test_pooling_matches_torch(kind, shape, options, rng):
    layer, x = kind(**options), rng.normal(size=shape)
    oracle = getattr(torch.nn, kind.__name__)(**options)
    agree(layer, oracle, x, rng.normal(size=layer.forward(x).shape))


def test_of_equal_entries_the_first_gets_the_gradient_as_in_torch(rng):
    x = rng.integers(0, 2, size=(2, 3, 7, 6)).astype(float)  # mostly ties
    layer = MaxPool2d(3, stride=2, padding=1)
    dy = rng.normal(size=layer.forward(x).shape)
    agree(layer, torch.nn.MaxPool2d(3, stride=2, padding=1), x, dy)
    close(layer.backward(dy).sum(axis=(2, 3)), dy.sum(axis=(2, 3)))


@given(
    kernel=st.integers(1, 3),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 1000),
)
def test_windows_side_by_side_are_a_reshaping(kernel, size, seed):
    x = np.random.default_rng(seed).normal(size=(2, 3, kernel * size[0], kernel * size[1]))
    blocks = x.reshape(2, 3, size[0], kernel, size[1], kernel)
    np.testing.assert_array_equal(MaxPool2d(kernel).forward(x), blocks.max(axis=(3, 5)))
    close(AvgPool2d(kernel).forward(x), blocks.mean(axis=(3, 5)))


def test_padding_never_wins():
    x = -np.ones((1, 1, 3, 3))
    np.testing.assert_array_equal(MaxPool2d(3, stride=1, padding=1).forward(x), x)


@given(shape=st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_flatten_keeps_the_examples_and_goes_back(shape):
    x = np.random.default_rng(0).normal(size=shape)
    layer = Flatten()
    y = layer.forward(x)
    assert y.shape == (shape[0], np.prod(shape[1:], dtype=int))
    if len(shape) > 1:
        np.testing.assert_array_equal(y, torch.nn.Flatten()(torch.from_numpy(x)).numpy())
    np.testing.assert_array_equal(layer.backward(y), x)


# together --------------------------------------------------------------------------------


def test_a_network_for_images_matches_torch_and_passes_its_gradient_check(rng):
    net = Sequential(
        Conv2d(1, 3, 3, padding=1, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(3, 2, 3, stride=2, rng=rng),
        AvgPool2d(2, stride=1, padding=1),
        Flatten(),
        Linear(2 * 3 * 3, 4, rng=rng),
    )
    nn = torch.nn
    oracle = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 2, 3, stride=2),
        nn.AvgPool2d(2, stride=1, padding=1),
        nn.Flatten(),
        nn.Linear(2 * 3 * 3, 4),
    ).double()
    oracle.load_state_dict({name: torch.from_numpy(p.copy()) for name, p in net.params.items()})
    x, dy = rng.normal(size=(2, 1, 10, 11)), rng.normal(size=(2, 4))
    agree(net, oracle, x, dy)
    assert max(check_layer(net, x, dy).values()) < 1e-7


def each_layer(rng, dtype=np.float64):
    twins = [kind(2, 3, 3, padding=1, rng=rng, dtype=dtype) for kind in TWINS]
    return [*twins, MaxPool2d(2), AvgPool2d(2), MaxPool2d(3, 1, 1), AvgPool2d(3, 1, 1), Flatten()]


def test_gradients_add_up_and_inputs_stay_as_they_were(rng):
    for layer in each_layer(rng):
        x = rng.normal(size=(2, 2, 4, 6))
        x_before = x.copy()
        y = layer.forward(x)
        dy = rng.normal(size=y.shape)
        dy_before = dy.copy()
        first = layer.backward(dy).copy()
        once = {name: grad.copy() for name, grad in layer.grads.items()}
        np.testing.assert_array_equal(layer.backward(dy), first)
        for name, grad in layer.grads.items():
            np.testing.assert_allclose(grad, 2 * once[name], rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(x, x_before)
        np.testing.assert_array_equal(dy, dy_before)


def test_views_give_what_their_copies_give(rng):
    for layer in each_layer(rng):
        view = np.asfortranarray(rng.normal(size=(4, 4, 8, 12)))[::2, ::2, ::-2, ::2]
        y = layer.forward(view)
        dy = np.asfortranarray(rng.normal(size=y.shape))
        dx = layer.backward(dy)
        close(y, layer.forward(view.copy(order="C")))
        close(dx, layer.backward(dy.copy(order="C")))


def test_float32_stays_float32(rng):
    for layer in each_layer(rng, np.float32):
        y = layer.forward(rng.normal(size=(2, 2, 4, 6)).astype(np.float32))
        dtypes = {y.dtype, layer.backward(y).dtype, *(g.dtype for g in layer.grads.values())}
        assert dtypes == {np.dtype(np.float32)}


def test_nan_in_is_nan_out_wherever_it_is_seen(rng):
    x = rng.normal(size=(2, 2, 4, 6))
    x[1, 0, 0, 0] = np.nan
    for layer in each_layer(rng):
        y = layer.forward(x)
        assert np.isfinite(y[0]).all() and np.isnan(y[1]).any()
        if not isinstance(layer, Flatten):
            assert np.isnan(y[1, 0, 0, 0]) and np.isfinite(y[1, :, -1, -1]).all()
    pool = MaxPool2d(2)
    pool.forward(x)
    assert pool.backward(np.ones((2, 2, 2, 3)))[1, 0, 0, 0] == 1  # to the NaN, as in torch


# refusals -------------------------------------------------------------------------------


@each_twin
@pytest.mark.parametrize(
    "shape", [(2, 4, 5, 5), (2, 5, 5), (3, 5), (), (1, 1, 2, 3, 5), (1, 0, 5, 5)]
)
def test_other_channels_or_axes_are_refused_by_both_shapes(kind, shape, rng):
    with pytest.raises(ValueError) as error:
        kind(3, 2, 3, rng=rng).forward(np.ones(shape))
    assert str(shape) in str(error.value) and "(2, 3, 3, 3)" in str(error.value)


@each_twin
def test_images_smaller_than_the_window_are_refused_by_both_sizes(kind, rng):
    with pytest.raises(ValueError, match=r"\(3, 3\).*dilation \(2, 2\).*\(1, 1, 2, 4\).*\(1, 1\)"):
        kind(1, 1, 3, padding=1, dilation=2, rng=rng).forward(np.ones((1, 1, 2, 4)))
    with pytest.raises(ValueError, match=r"\(1, 1, 0, 4\)"):
        kind(1, 1, 3, padding=2, rng=rng).forward(np.ones((1, 1, 0, 4)))


@each_pool
@pytest.mark.parametrize("shape", [(2, 5), (3, 5, 5), (1, 0, 5, 5), (2, 3, 5, 1)])
def test_what_cannot_be_pooled_is_refused(kind, shape):
    with pytest.raises(ValueError) as error:
        kind(2).forward(np.ones(shape))
    assert str(shape) in str(error.value)


def test_bytes_lists_gradients_that_do_not_fit_and_no_forward_are_refused(rng):
    for layer in each_layer(rng):
        with pytest.raises(ValueError, match="forward before"):
            layer.backward(np.ones((2, 3, 4, 6)))
        with pytest.raises(ValueError, match="uint8"):
            layer.forward(np.ones((2, 2, 4, 6), np.uint8))
        with pytest.raises(ValueError, match="not with a list"):
            layer.forward([[[[1.0]]]])
        shape = layer.forward(np.ones((2, 2, 4, 6))).shape
        for wrong in ((1, *shape[1:]), shape[:-1], (*shape, 1)):
            with pytest.raises(ValueError) as error:
                layer.backward(np.ones(wrong))
            assert str(wrong) in str(error.value) and str(shape) in str(error.value)
        assert not any(grad.any() for grad in layer.grads.values()), "refused, and added"
    with pytest.raises(ValueError, match=r"not \(\)"):
        Flatten().forward(np.array(1.0))


@each_twin
def test_settings_that_make_no_convolution_are_refused(kind, rng):
    for channels in ((0, 2), (3, -1)):
        with pytest.raises(ValueError, match=f"{channels[0]}, {channels[1]}"):
            kind(*channels, 3, rng=rng)
    for name, wrong in (
        ("kernel_size", 0),
        ("kernel_size", (1, 2, 3)),
        ("stride", 0),
        ("stride", 1.5),
        ("padding", -1),
        ("padding", "same"),
        ("dilation", (1, 0)),
    ):
        with pytest.raises(ValueError, match=name) as error:
            kind(1, 1, **({"kernel_size": 2} | {name: wrong}), rng=rng)
        assert str(wrong) in str(error.value)
    with pytest.raises(ValueError, match="parameters are floats, not int64"):
        kind(1, 1, 1, rng=rng, dtype=np.int64)


@each_pool
def test_more_padding_than_half_a_window_is_refused_as_by_torch(kind):
    with pytest.raises(ValueError, match=r"\(2, 2\) and \(3, 3\)"):
        kind(3, padding=2)
    with pytest.raises(RuntimeError):
        getattr(torch.nn, kind.__name__)(3, padding=2)(torch.ones(1, 1, 5, 5))
