import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.layers import GELU, LeakyReLU, Linear, ReLU, Sequential, Sigmoid, Tanh

SHAPES = [(3,), (4, 3), (2, 5, 3), (1, 3), (0, 3), (2, 0, 3)]  # (..., in_features)
ACTIVATIONS = {
    "sigmoid": (Sigmoid, torch.nn.Sigmoid),
    "tanh": (Tanh, torch.nn.Tanh),
    "relu": (ReLU, torch.nn.ReLU),
    "leaky": (lambda: LeakyReLU(0.2), lambda: torch.nn.LeakyReLU(0.2)),
    "leaky by default": (LeakyReLU, torch.nn.LeakyReLU),
    "leaky and steep": (lambda: LeakyReLU(1.7), lambda: torch.nn.LeakyReLU(1.7)),
    "gelu": (GELU, torch.nn.GELU),
}
each_activation = pytest.mark.parametrize("name", ACTIVATIONS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Within 1e-12 of the array's largest entry."""
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


def away_from_kinks(rng, shape):
    return rng.choice([-1, 1], size=shape) * rng.uniform(0.1, 3, size=shape)


# Linear -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_backward_matches_central_differences(shape, rng):
    layer = Linear(3, 2, rng=rng)
    x, dy = rng.normal(size=shape), rng.normal(size=(*shape[:-1], 2))
    layer.forward(x)
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    np.testing.assert_allclose(dx, numerical_gradient(lambda: layer.forward(x), x, dy), atol=1e-8)
    for name, param in layer.params.items():
        expected = numerical_gradient(lambda: layer.forward(x), param, dy)
        np.testing.assert_allclose(layer.grads[name], expected, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_matches_torch(shape, rng):
    layer = Linear(3, 2, rng=rng)
    oracle = torch.nn.Linear(3, 2, dtype=torch.float64)
    oracle.load_state_dict({name: torch.from_numpy(p) for name, p in layer.params.items()})
    x, dy = rng.normal(size=shape), rng.normal(size=(*shape[:-1], 2))
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = oracle(x_torch)
    y_torch.backward(torch.from_numpy(dy))
    close(layer.forward(x), y_torch.detach().numpy())
    close(layer.backward(dy), x_torch.grad.numpy())
    for name, param in oracle.named_parameters():
        close(layer.grads[name], param.grad.numpy(), name)


def test_linear_is_affine(rng):
    layer = Linear(4, 3, rng=rng)
    x, y, zero = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), np.zeros((5, 4))
    mixed = layer.forward(0.3 * x + 0.7 * y)
    np.testing.assert_allclose(mixed, 0.3 * layer.forward(x) + 0.7 * layer.forward(y), atol=1e-14)
    np.testing.assert_array_equal(layer.forward(zero), np.tile(layer.params["bias"], (5, 1)))


def test_gradients_add_up_until_they_are_set_to_zero(rng):
    net = Sequential(Linear(3, 4, rng=rng), ReLU(), Linear(4, 2, rng=rng))
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    net.forward(x)
    net.backward(dy)
    once = {name: g.copy() for name, g in net.grads.items()}
    net.backward(dy)
    for name, grad in net.grads.items():
        np.testing.assert_allclose(grad, 2 * once[name], err_msg=name)
    net.zero_grad()
    assert not any(grad.any() for grad in net.layers[0].grads.values())
    net.backward(dy)
    for name, grad in net.grads.items():
        np.testing.assert_array_equal(grad, once[name], err_msg=name)


def test_initialisation_is_torchs_uniform_law(rng):
    layer = Linear(100, 400, rng=rng)
    oracle = torch.nn.Linear(100, 400)
    for name, param in oracle.named_parameters():
        ours = layer.params[name]
        assert ours.shape == tuple(param.shape)
        assert np.abs(ours).max() <= 1 / np.sqrt(100)
        np.testing.assert_allclose(ours.std(), param.std().item(), rtol=0.15)
        np.testing.assert_allclose(ours.std(), 0.1 / np.sqrt(3), rtol=0.1)


def test_the_same_seed_gives_the_same_parameters():
    a, b = (Linear(3, 2, rng=np.random.default_rng(7)) for _ in range(2))
    for name in a.params:
        np.testing.assert_array_equal(a.params[name], b.params[name])


def test_views_give_what_their_copies_give(rng):
    layer = Linear(3, 2, rng=rng)
    view = np.asfortranarray(rng.normal(size=(6, 6)))[::2, ::2]
    dy = np.asfortranarray(rng.normal(size=(6, 2)))[::2]
    close(layer.forward(view), layer.forward(view.copy(order="C")))
    layer.forward(view)
    close(layer.backward(dy), layer.backward(dy.copy(order="C")))


# activations ----------------------------------------------------------------------


@each_activation
@pytest.mark.parametrize("shape", [(), (5,), (1, 3), (0, 3), (2, 3, 4)])
def test_activation_backward_matches_central_differences(name, shape, rng):
    layer = ACTIVATIONS[name][0]()
    z, dy = away_from_kinks(rng, shape), rng.normal(size=shape)
    z, dy = np.asarray(z), np.asarray(dy)
    layer.forward(z)
    dz = layer.backward(dy)
    expected = numerical_gradient(lambda: layer.forward(z), z, dy)
    assert np.shape(dz) == shape
    np.testing.assert_allclose(dz, expected, atol=1e-8)


@each_activation
def test_activation_matches_torch_at_zero_and_far_out_too(name, rng):
    ours, oracle = (make() for make in ACTIVATIONS[name])
    far = np.array([0.0, -0.0, 1e-9, -1e-9, 5.0, -5.0, 30.0, -30.0, 800.0, -800.0])
    z = np.concatenate([far, rng.normal(scale=2, size=50)])
    dy = rng.normal(size=z.shape)
    z_torch = torch.from_numpy(z).requires_grad_()
    y_torch = oracle(z_torch)
    y_torch.backward(torch.from_numpy(dy))
    near = np.abs(z) <= 30
    for found, expected in (
        (ours.forward(z), y_torch.detach().numpy()),
        (ours.backward(dy), z_torch.grad.numpy()),
    ):
        close(found[near], expected[near])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@each_activation
@given(z=arrays(np.float64, 6, elements=st.floats(-1e5, 1e5)))
def test_activations_keep_to_their_range_and_act_on_each_entry_alone(name, z):
    layer = ACTIVATIONS[name][0]()
    y = layer.forward(z)
    ranges = {"sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, np.inf), "gelu": (-0.17, np.inf)}
    low, high = ranges.get(name, (-np.inf, np.inf))
    assert (y >= low).all() and (y <= high).all()
    for one, whole in zip(z, y, strict=True):
        assert layer.forward(np.array(one)) == whole
    order = np.argsort(z)
    if name != "gelu":  # the only one that falls, left of -0.75
        assert (np.diff(y[order]) >= 0).all()


@given(z=arrays(np.float64, 6, elements=st.floats(-30, 30)))
def test_symmetries(z):
    def of(kind, at):
        return kind().forward(at)

    np.testing.assert_allclose(of(Sigmoid, z) + of(Sigmoid, -z), 1, atol=1e-15)
    np.testing.assert_allclose(of(Tanh, z), -of(Tanh, -z), atol=1e-15)
    np.testing.assert_allclose(of(Tanh, z), 2 * of(Sigmoid, 2 * z) - 1, atol=1e-14)
    for kind in (ReLU, GELU):  # z Φ(z) + z Φ(-z) = z
        np.testing.assert_allclose(of(kind, z) - of(kind, -z), z, atol=1e-13)


def test_gelu_keeps_the_digits_of_its_lower_tail():
    # z Φ(z) from the series of the tail, z = -10: Φ(-10) = 7.61985302416052...e-24
    found = GELU().forward(np.array([-10.0]))
    np.testing.assert_allclose(found, -10 * 7.619853024160526e-24, rtol=1e-12)


@each_activation
def test_float32_stays_float32_and_nan_stays_nan(name):
    layer = ACTIVATIONS[name][0]()
    z = np.array([-1, 0, 1, np.nan], dtype=np.float32)
    y = layer.forward(z)
    assert y.dtype == np.float32 and layer.backward(y).dtype == np.float32
    np.testing.assert_array_equal(np.isnan(layer.forward(z)), np.isnan(z))


@each_activation
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_integers_are_refused(name, dtype):
    with pytest.raises(ValueError, match=np.dtype(dtype).name):
        ACTIVATIONS[name][0]().forward(np.ones(3, dtype=dtype))


@each_activation
def test_a_gradient_of_another_shape_is_refused_by_both_shapes(name):
    layer = ACTIVATIONS[name][0]()
    with pytest.raises(ValueError, match="forward before"):
        layer.backward(np.ones(3))
    layer.forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"\(3,\) and \(4, 3\)"):  # would broadcast
        layer.backward(np.ones(3))


@each_activation
def test_an_activation_leaves_its_input_alone(name, rng):
    z = rng.normal(size=(3, 4))
    before = z.copy()
    layer = ACTIVATIONS[name][0]()
    y = layer.forward(z)
    layer.backward(y)
    np.testing.assert_array_equal(z, before)
    assert not np.shares_memory(z, y) and layer.params == layer.grads == {}


# Sequential -------------------------------------------------------------------------


def network(rng):
    return Sequential(
        Linear(5, 4, rng=rng), GELU(), Linear(4, 4, rng=rng), Tanh(), Linear(4, 2, rng=rng)
    )


def oracle_of(net):
    layers = [torch.nn.Linear(5, 4), torch.nn.GELU(), torch.nn.Linear(4, 4), torch.nn.Tanh()]
    oracle = torch.nn.Sequential(*layers, torch.nn.Linear(4, 2)).double()
    oracle.load_state_dict({name: torch.from_numpy(p) for name, p in net.params.items()})
    return oracle


@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_network_matches_torch_which_loads_its_parameters(n, rng):
    net = network(rng)
    oracle = oracle_of(net)
    x, dy = rng.normal(size=(n, 5)), rng.normal(size=(n, 2))
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = oracle(x_torch)
    y_torch.backward(torch.from_numpy(dy))
    close(net.forward(x), y_torch.detach().numpy())
    close(net.backward(dy), x_torch.grad.numpy())
    assert [*net.params] == [*net.grads] == [name for name, _ in oracle.named_parameters()]
    for name, param in oracle.named_parameters():
        close(net.grads[name], param.grad.numpy(), name)


def test_a_networks_backward_matches_central_differences(rng):
    net = network(rng)
    x, dy = rng.normal(size=(3, 5)), rng.normal(size=(3, 2))
    net.forward(x)
    dx = net.backward(dy)
    np.testing.assert_allclose(dx, numerical_gradient(lambda: net.forward(x), x, dy), atol=1e-8)
    for name, param in net.params.items():
        expected = numerical_gradient(lambda: net.forward(x), param, dy)
        np.testing.assert_allclose(net.grads[name], expected, atol=1e-8, err_msg=name)


def test_linear_layers_without_an_activation_are_one_layer(rng):
    first, second = Linear(5, 7, rng=rng), Linear(7, 2, rng=rng)
    merged = Linear(5, 2, rng=rng)
    merged.params["weight"][...] = second.params["weight"] @ first.params["weight"]
    merged.params["bias"][...] = (
        second.params["weight"] @ first.params["bias"] + second.params["bias"]
    )
    x = rng.normal(size=(6, 5))
    close(Sequential(first, second).forward(x), merged.forward(x))


def test_a_network_may_hold_a_network_and_none_is_the_identity(rng):
    inner = Sequential(Linear(3, 2, rng=rng), ReLU())
    outer = Sequential(inner, Linear(2, 2, rng=rng))
    assert [*outer.params] == ["0.0.weight", "0.0.bias", "1.weight", "1.bias"]
    x = rng.normal(size=(4, 3))
    assert outer.forward(x).shape == (4, 2) and outer.backward(np.ones((4, 2))).shape == x.shape
    assert Sequential().forward(x) is x


def test_parameters_of_a_network_are_its_layers_own(rng):
    net = network(rng)
    net.params["0.bias"] += 1
    np.testing.assert_array_equal(net.layers[0].params["bias"], net.params["0.bias"])


def test_a_network_of_single_precision_stays_single(rng):
    net = Sequential(
        Linear(3, 4, rng=rng, dtype=np.float32), GELU(), Linear(4, 2, rng=rng, dtype=np.float32)
    )
    y = net.forward(np.ones((5, 3), dtype=np.float32))
    assert y.dtype == net.backward(y).dtype == net.grads["0.weight"].dtype == np.float32


# refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize("x", [np.ones((4, 2)), np.ones(2), np.ones(()), np.ones((3, 1))])
def test_inputs_of_another_width_are_refused_by_both_shapes(x, rng):
    with pytest.raises(ValueError) as error:
        Linear(3, 2, rng=rng).forward(x)
    assert str(x.shape) in str(error.value) and "(2, 3)" in str(error.value)


def test_linear_refuses_bytes_gradients_that_do_not_fit_and_no_forward(rng):
    layer = Linear(3, 2, rng=rng)
    with pytest.raises(ValueError, match="forward before"):
        layer.backward(np.ones((4, 2)))
    with pytest.raises(ValueError, match="uint8"):
        layer.forward(np.ones((4, 3), dtype=np.uint8))
    layer.forward(np.ones((4, 3)))
    for wrong in ((2,), (4, 3), (3, 2), (4, 2, 1)):
        with pytest.raises(ValueError, match=r"\(4, 2\)") as error:
            layer.backward(np.ones(wrong))
        assert str(wrong) in str(error.value)
    assert not layer.grads["bias"].any(), "a refused gradient has been added"


def test_sizes_that_make_no_layer_are_refused(rng):
    for sizes in ((0, 2), (3, 0), (-1, 2)):
        with pytest.raises(ValueError, match=f"{sizes[0]}, {sizes[1]}"):
            Linear(*sizes, rng=rng)
    with pytest.raises(ValueError, match="nan"):
        LeakyReLU(float("nan"))


def test_layers_that_do_not_fit_are_refused_before_they_run(rng):
    with pytest.raises(ValueError, match="layer 2 takes 5 features, and 4 come out"):
        Sequential(Linear(3, 4, rng=rng), ReLU(), Linear(5, 2, rng=rng))


def test_what_would_be_silently_wrong_is_refused(rng):
    relu = ReLU()
    with pytest.raises(ValueError, match="layer 2 stands in the row already"):
        Sequential(relu, Linear(2, 2, rng=rng), relu)
    with pytest.raises(ValueError, match="type function, which is no Layer"):
        Sequential(lambda z: z)
    with pytest.raises(ValueError, match="parameters are floats, not int64"):
        Linear(2, 2, rng=rng, dtype=np.int64)
    for layer in (Linear(2, 2, rng=rng), ReLU(), Sigmoid(), Tanh(), GELU(), LeakyReLU()):
        with pytest.raises(ValueError, match="not with a list"):
            layer.forward([[1.0, 2.0]])


def test_gelu_of_infinite_and_huge_scores():
    gelu, z = GELU(), np.array([-np.inf, -1e200, -50.0, 50.0, 1e200, np.inf])
    np.testing.assert_array_equal(gelu.forward(z), [0, 0, 0, 50, 1e200, np.inf])
    np.testing.assert_array_equal(gelu.backward(np.ones(6)), [0, 0, 0, 1, 1, 1])
    assert np.isnan(gelu.forward(np.array([np.nan]))).all()
