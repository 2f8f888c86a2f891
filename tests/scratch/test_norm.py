import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.norm import BatchNorm1d, LayerNorm, RMSNorm

KINDS = {"batch": BatchNorm1d, "layer": LayerNorm, "rms": RMSNorm}
each_kind = pytest.mark.parametrize("kind", KINDS)
SHAPES = [(2, 3), (5, 3), (4, 1), (3, 3), (7, 4)]
PER_EXAMPLE = [  # shape of x, normalized_shape
    ((3,), 3),
    ((1, 3), 3),
    ((0, 3), 3),
    ((4, 1), 1),
    ((2, 5, 3), (3,)),
    ((2, 5, 3), (5, 3)),
    ((2, 3), (2, 3)),
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name="", size=1e-3):
    """Within 1e-12 of the array's largest entry, or of ``size`` where that is larger."""
    size = max(np.abs(expected).max(initial=0), size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


def shuffled(layer, rng):
    """``layer`` with parameters of its own, so that 1 and 0 hide nothing."""
    for param in layer.params.values():
        param[...] = rng.normal(size=param.shape)
    return layer


def oracle_of(layer, *arguments, **options):
    oracle = getattr(torch.nn, type(layer).__name__)(*arguments, **options).double()
    state = {name: torch.from_numpy(p.copy()) for name, p in layer.params.items()}
    oracle.load_state_dict(state, strict=False)
    return oracle


def agree(layer, oracle, x, dy):
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = oracle(x_torch)
    oracle.zero_grad()
    layer.zero_grad()
    y_torch.backward(torch.from_numpy(dy))
    close(layer.forward(x), y_torch.detach().numpy(), "y")
    # of two examples, or of one feature, all of dy cancels: what is left has the rounding of dy
    size = np.abs(dy).max(initial=0)
    close(layer.backward(dy), x_torch.grad.numpy(), "dx", size)
    named = dict(oracle.named_parameters())
    assert named.keys() == layer.params.keys() == layer.grads.keys()
    for name, param in named.items():
        close(layer.grads[name], param.grad.numpy(), name, size)


# central differences ----------------------------------------------------------------


def check_gradients(layer, x, dy):
    layer.forward(x)
    layer.zero_grad()
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    np.testing.assert_allclose(dx, numerical_gradient(lambda: layer.forward(x), x, dy), atol=1e-8)
    for name, param in layer.params.items():
        expected = numerical_gradient(lambda: layer.forward(x), param, dy)
        np.testing.assert_allclose(layer.grads[name], expected, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n, d", SHAPES)
def test_batch_norm_backward_matches_central_differences(n, d, training, rng):
    # two examples are always at ±1, so eps must be felt: else dx is all but 0
    layer = shuffled(BatchNorm1d(d, eps=0.1), rng)
    layer.forward(rng.normal(2, 3, size=(6, d)))
    layer.train(training)
    check_gradients(layer, rng.normal(size=(n, d)), rng.normal(size=(n, d)))


@pytest.mark.parametrize("kind", ["layer", "rms"])
@pytest.mark.parametrize("shape, normalized", PER_EXAMPLE)
def test_layer_and_rms_norm_backward_match_central_differences(kind, shape, normalized, rng):
    layer = shuffled(KINDS[kind](normalized, eps=0.1), rng)
    check_gradients(layer, rng.normal(size=shape), rng.normal(size=shape))


# torch as oracle --------------------------------------------------------------------


@pytest.mark.parametrize("n, d", SHAPES)
@pytest.mark.parametrize("options", [{}, {"eps": 0.1, "momentum": 0.3}, {"momentum": 1.0}])
def test_batch_norm_matches_torch_over_batches_and_in_evaluation(n, d, options, rng):
    layer = shuffled(BatchNorm1d(d, **options), rng)
    oracle = oracle_of(layer, d, **options)
    for step in range(4):
        spread = rng.uniform(0.5, 3)
        agree(layer, oracle, rng.normal(step, spread, size=(n, d)), rng.normal(size=(n, d)))
        close(layer.running_mean, oracle.running_mean.numpy(), "running_mean")
        close(layer.running_var, oracle.running_var.numpy(), "running_var")
    layer.eval()
    oracle.eval()
    for size in (n, 1):
        agree(layer, oracle, rng.normal(size=(size, d)), rng.normal(size=(size, d)))
    close(layer.running_mean, oracle.running_mean.numpy(), "changed by evaluation")


@pytest.mark.parametrize("kind", ["layer", "rms"])
@pytest.mark.parametrize("shape, normalized", PER_EXAMPLE)
@pytest.mark.parametrize("options", [{}, {"eps": 0.1}])
def test_layer_and_rms_norm_match_torch(kind, shape, normalized, options, rng):
    layer = shuffled(KINDS[kind](normalized, **options), rng)
    oracle = oracle_of(layer, normalized, **options)
    agree(layer, oracle, rng.normal(1, 3, size=shape), rng.normal(size=shape))


@each_kind
def test_first_values_are_torchs(kind):
    layer = KINDS[kind](4)
    oracle = getattr(torch.nn, type(layer).__name__)(4)
    for name, param in oracle.named_parameters():
        np.testing.assert_array_equal(layer.params[name], param.detach().numpy(), name)
    assert layer.eps == oracle.eps
    if kind == "batch":
        assert layer.momentum == oracle.momentum and layer.training
        for name in ("running_mean", "running_var"):
            np.testing.assert_array_equal(getattr(layer, name), getattr(oracle, name).numpy())


# properties -------------------------------------------------------------------------

SIZES = {"n": st.integers(3, 8), "d": st.integers(3, 8), "seed": st.integers(0, 10**6)}


@given(**SIZES, scale=st.floats(0.1, 100), shift=st.floats(-50, 50))
def test_shift_and_scale_of_what_is_averaged_over_change_nothing(n, d, seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    scales, shifts = scale * rng.uniform(0.5, 2, size=n), shift * rng.normal(size=n)
    moved = scales[:, None] * x + shifts[:, None]  # each example by its own
    layer = LayerNorm(d, eps=0)
    np.testing.assert_allclose(layer.forward(moved), layer.forward(x), atol=1e-8)
    batch = BatchNorm1d(n, eps=0)  # the same on its side: each feature by its own
    np.testing.assert_allclose(batch.forward(moved.T), batch.forward(x.T), atol=1e-8)
    rms = RMSNorm(d, eps=0)
    np.testing.assert_allclose(rms.forward(scales[:, None] * x), rms.forward(x), atol=1e-8)
    assert np.abs(rms.forward(x + 5) - rms.forward(x)).max() > 0.01  # a shift it feels


@given(**SIZES)
def test_outputs_have_the_mean_and_size_they_promise(n, d, seed):
    x = np.random.default_rng(seed).normal(3, 2, size=(n, d))
    y = BatchNorm1d(d, eps=0).forward(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(y.std(axis=0), 1, atol=1e-10)
    y = LayerNorm(d, eps=0).forward(x)
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-10)
    np.testing.assert_allclose(y.std(axis=1), 1, atol=1e-10)
    y = RMSNorm(d, eps=0).forward(x)
    np.testing.assert_allclose((y**2).mean(axis=1), 1, atol=1e-10)


@given(**SIZES)
def test_an_input_gradient_has_no_part_along_what_is_divided_out(n, d, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(n, d)), rng.normal(size=(n, d))
    for layer, axis in ((BatchNorm1d(d, eps=0), 0), (LayerNorm(d, eps=0), 1)):
        x_hat = layer.forward(x)
        dx = layer.backward(dy)
        size = np.abs(dx).max()
        np.testing.assert_allclose(dx.sum(axis=axis) / size, 0, atol=1e-9)
        np.testing.assert_allclose((dx * x_hat).sum(axis=axis) / size, 0, atol=1e-9)


def test_an_example_of_layer_norm_never_sees_another_and_one_of_batch_norm_does(rng):
    x = rng.normal(size=(5, 4))
    other = x.copy()
    other[1:] = rng.normal(size=(4, 4))
    for layer in (LayerNorm(4), RMSNorm(4)):
        np.testing.assert_array_equal(layer.forward(x)[0], layer.forward(other)[0])
    batch = BatchNorm1d(4)
    assert (batch.forward(x)[0] != batch.forward(other)[0]).all()
    batch.eval()
    np.testing.assert_array_equal(batch.forward(x)[0], batch.forward(other)[0])


def test_running_statistics_find_mean_and_variance_of_the_data(rng):
    layer = BatchNorm1d(2)
    for _ in range(300):
        layer.forward(rng.normal([3, -1], [0.5, 4], size=(200, 2)))
    np.testing.assert_allclose(layer.running_mean, [3, -1], atol=0.3)
    np.testing.assert_allclose(layer.running_var, [0.25, 16], rtol=0.1)


def test_backward_belongs_to_the_mode_of_its_forward(rng):
    layer, same = BatchNorm1d(3), BatchNorm1d(3)
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    layer.forward(x)
    same.forward(x)
    layer.eval()
    np.testing.assert_array_equal(layer.backward(dy), same.backward(dy))


def test_a_network_switches_all_its_layers_however_deep(rng):
    inner = Sequential(BatchNorm1d(4), ReLU())
    net = Sequential(Linear(3, 4, rng=rng), inner)
    net.eval()
    assert not any(layer.training for layer in (net, *net.layers, *inner.layers))
    before = inner.layers[0].running_mean.copy()
    net.forward(rng.normal(size=(5, 3)))
    np.testing.assert_array_equal(inner.layers[0].running_mean, before)
    net.train()
    net.forward(rng.normal(size=(5, 3)))
    assert (inner.layers[0].running_mean != before).all()


def test_float32_stays_float32(rng):
    for layer in (k(3, dtype=np.float32) for k in KINDS.values()):
        y = layer.forward(rng.normal(size=(4, 3)).astype(np.float32))
        dx = layer.backward(y)
        assert y.dtype == dx.dtype == np.float32
        assert {g.dtype for g in layer.grads.values()} == {np.dtype(np.float32)}


@each_kind
def test_a_layer_leaves_its_input_alone_and_views_are_as_copies(kind, rng):
    layer = KINDS[kind](3)
    view = np.asfortranarray(rng.normal(size=(8, 6)))[::2, ::2]
    before = view.copy()
    y = layer.forward(view)
    layer.backward(y)
    np.testing.assert_array_equal(view, before)
    close(y, KINDS[kind](3).forward(before))


# refusals ---------------------------------------------------------------------------


def test_torch_refuses_a_batch_of_one_in_training():
    with pytest.raises(ValueError):
        torch.nn.BatchNorm1d(3)(torch.ones(1, 3))


@pytest.mark.parametrize("n", [0, 1])
def test_a_batch_without_variance_is_refused_in_training(n):
    x = np.ones((n, 3))
    layer = BatchNorm1d(3)
    with pytest.raises(ValueError, match=f"a batch of {n} .* at least 2"):
        layer.forward(x)
    np.testing.assert_array_equal(layer.running_var, 1)
    layer.eval()
    assert layer.forward(x).shape == (n, 3)


@each_kind
@pytest.mark.parametrize("shape", [(4, 2), (3, 4), (), (2,), (3, 1)])
def test_inputs_of_another_width_are_refused_by_both_shapes(kind, shape):
    with pytest.raises(ValueError) as error:
        KINDS[kind](3).forward(np.ones(shape))
    assert str(shape) in str(error.value) and "3" in str(error.value)


def test_batch_norm_refuses_more_axes():
    with pytest.raises(ValueError, match=r"\(N, 3\), not \(2, 4, 3\)"):
        BatchNorm1d(3).forward(np.ones((2, 4, 3)))


@each_kind
def test_bytes_gradients_that_do_not_fit_and_no_forward_are_refused(kind):
    layer = KINDS[kind](3)
    with pytest.raises(ValueError, match="forward before"):
        layer.backward(np.ones((4, 3)))
    with pytest.raises(ValueError, match="uint8"):
        layer.forward(np.ones((4, 3), dtype=np.uint8))
    layer.forward(np.arange(12.0).reshape(4, 3) ** 2)
    for wrong in ((3,), (4, 1), (3, 4)):
        with pytest.raises(ValueError, match=r"\(4, 3\)") as error:
            layer.backward(np.ones(wrong))
        assert str(wrong) in str(error.value)
    assert not layer.grads["weight"].any(), "a refused gradient has been added"


def test_settings_that_make_no_layer_are_refused():
    for kind in KINDS.values():
        for size in (0, -2):
            with pytest.raises(ValueError, match=str(size)):
                kind(size)
        for eps in (-1e-5, float("nan"), float("inf")):
            with pytest.raises(ValueError, match=str(eps)):
                kind(3, eps=eps)
    for shape in ((), (3, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            LayerNorm(shape)
    for momentum in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=str(momentum)):
            BatchNorm1d(3, momentum=momentum)


@each_kind
def test_nan_in_is_nan_out(kind):
    x = np.arange(12.0).reshape(4, 3)
    x[1, 2] = np.nan
    assert np.isnan(KINDS[kind](3).forward(x)[1, 2])


@pytest.mark.parametrize("norm", [BatchNorm1d, LayerNorm, RMSNorm])
def test_types_that_would_round_everything_away_are_refused_or_widened(norm):
    with pytest.raises(ValueError, match="parameters are floats, not int64"):
        norm(3, dtype=np.int64)
    with pytest.raises(ValueError, match="not with a list"):
        norm(3).forward([[1.0, 2.0, 3.0]])
    x = np.array([[300.0, -400.0, 500.0], [1.0, 2.0, 3.0]])  # squares don't fit float16
    found = norm(3, dtype=np.float16).forward(x.astype(np.float16))
    np.testing.assert_allclose(found, norm(3).forward(x), rtol=1e-3, atol=1e-3)
