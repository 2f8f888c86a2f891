import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.gated import GRU, LSTM, GRUCell, LSTMCell
from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.recurrent import RNN, RNNCell

KINDS = {  # cell, layer, torch's options
    "rnn": (RNNCell, RNN, {}),
    "rnn of relu": (RNNCell, RNN, {"nonlinearity": "relu"}),
    "lstm": (LSTMCell, LSTM, {}),
    "lstm without bias": (LSTMCell, LSTM, {"bias": False}),
    "gru": (GRUCell, GRU, {}),
    "gru without bias": (GRUCell, GRU, {"bias": False}),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
SIZES = [(2, 4, 3, 2), (1, 1, 1, 1), (3, 5, 2, 4), (0, 3, 2, 3), (4, 1, 3, 3)]  # N, L, D, H
each_size = pytest.mark.parametrize("n, steps, d, size", SIZES)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Within 1e-12 of the array's largest entry."""
    assert found.shape == expected.shape, name
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


def make(kind, d, size, rng, cell=False, **more):
    cell_kind, layer_kind, options = KINDS[kind]
    layer = (cell_kind if cell else layer_kind)(d, size, **options, rng=rng, **more)
    for param in layer.params.values():  # away from 0, where gates are flat
        param *= 2
    return layer


def torchs(kind, layer, d, size):
    more = {} if type(layer).__name__.endswith("Cell") else {"batch_first": True}
    oracle = getattr(torch.nn, type(layer).__name__)(d, size, **KINDS[kind][2], **more).double()
    oracle.load_state_dict({name: torch.from_numpy(p.copy()) for name, p in layer.params.items()})
    return oracle


def states(kind, shape, rng):
    """A state as the layer takes it: an array, or two for an LSTM."""
    pair = rng.normal(size=shape), rng.normal(size=shape)
    return pair if "lstm" in kind else pair[0]


def listed(state):
    return list(state) if isinstance(state, tuple) else [state]


def as_torch(state):
    tensors = [torch.from_numpy(each).requires_grad_() for each in listed(state)]
    return (tuple(tensors) if isinstance(state, tuple) else tensors[0]), tensors


def inputs(kind, n, steps, d, size, rng):
    """x, first state, and gradients of output and last state."""
    first, d_last = states(kind, (1, n, size), rng), states(kind, (1, n, size), rng)
    return rng.normal(size=(n, steps, d)), first, rng.normal(size=(n, steps, size)), d_last


# central differences ---------------------------------------------------------------------


def check_gradients(forward, backward, layer, wrt, dys):
    """``forward()`` lists outputs, ``backward()`` the gradients of ``wrt``, the inputs."""

    def objective():
        return sum((dy * y).sum() for dy, y in zip(dys, forward(), strict=True))

    forward()
    found = backward()
    for name, grad, array in zip(["dx", "dh", "dc"][: len(wrt)], found, wrt, strict=True):
        assert grad.shape == array.shape
        expected = numerical_gradient(objective, array)
        np.testing.assert_allclose(grad, expected, atol=1e-8, err_msg=name)
    for name, param in layer.params.items():
        expected = numerical_gradient(objective, param)
        np.testing.assert_allclose(layer.grads[name], expected, atol=1e-8, err_msg=name)


def flat(pair):
    """(array, state) as one list of arrays."""
    return [pair[0], *listed(pair[1])]


@each_kind
@each_size
def test_backward_through_time_matches_central_differences(kind, n, steps, d, size, rng):
    layer = make(kind, d, size, rng)
    x, first, dy, d_last = inputs(kind, n, steps, d, size, rng)
    check_gradients(
        lambda: flat(layer.forward(x, first)),
        lambda: flat(layer.backward(dy, d_last)),
        layer,
        flat((x, first)),
        flat((dy, d_last)),
    )


@each_kind
@pytest.mark.parametrize("n, d, size", [(3, 2, 4), (1, 1, 1), (0, 2, 3)])
def test_a_cells_backward_matches_central_differences(kind, n, d, size, rng):
    cell = make(kind, d, size, rng, cell=True)
    x, old, d_new = rng.normal(size=(n, d)), *(states(kind, (n, size), rng) for _ in range(2))
    check_gradients(
        lambda: listed(cell.forward(x, old)),
        lambda: flat(cell.backward(d_new)),
        cell,
        flat((x, old)),
        listed(d_new),
    )


# torch as oracle -------------------------------------------------------------------------


@each_kind
@each_size
@pytest.mark.parametrize("given_state", [True, False])
def test_layer_matches_torch(kind, n, steps, d, size, given_state, rng):
    layer = make(kind, d, size, rng)
    oracle = torchs(kind, layer, d, size)
    x, first, dy, d_last = inputs(kind, n, steps, d, size, rng)
    x_torch = torch.from_numpy(x).requires_grad_()
    first_torch, tensors = as_torch(first)
    expected = flat(oracle(x_torch, first_torch) if given_state else oracle(x_torch))
    torch.autograd.backward(expected, [torch.from_numpy(g) for g in flat((dy, d_last))])
    found = layer.forward(x, first) if given_state else layer.forward(x)
    assert isinstance(found[1], tuple) == ("lstm" in kind)
    for ours, theirs in zip(flat(found), expected, strict=True):
        close(ours, theirs.detach().numpy(), "output")
    dx, d_first = layer.backward(dy, d_last)
    close(dx, x_torch.grad.numpy(), "dx")
    if given_state:
        for ours, theirs in zip(listed(d_first), tensors, strict=True):
            close(ours, theirs.grad.numpy(), "d_state")
    named = dict(oracle.named_parameters())
    assert [*layer.params] == [*layer.grads] == [*named]
    for name, param in named.items():
        close(layer.grads[name], param.grad.numpy(), name)


@each_kind
@pytest.mark.parametrize("n, d, size", [(3, 2, 4), (1, 1, 1), (0, 2, 3)])
def test_cell_matches_torch(kind, n, d, size, rng):
    cell = make(kind, d, size, rng, cell=True)
    oracle = torchs(kind, cell, d, size)
    x, old, d_new = rng.normal(size=(n, d)), *(states(kind, (n, size), rng) for _ in range(2))
    x_torch = torch.from_numpy(x).requires_grad_()
    old_torch, tensors = as_torch(old)
    expected = listed(oracle(x_torch, old_torch))
    torch.autograd.backward(expected, [torch.from_numpy(g) for g in listed(d_new)])
    for ours, theirs in zip(listed(cell.forward(x, old)), expected, strict=True):
        close(ours, theirs.detach().numpy(), "state")
    found = flat(cell.backward(d_new))
    for ours, theirs in zip(found, [x_torch, *tensors], strict=True):
        close(ours, theirs.grad.numpy(), "dx or d_state")
    for name, param in oracle.named_parameters():
        close(cell.grads[name], param.grad.numpy(), name)
    for ours, theirs in zip(listed(cell.forward(x)), listed(oracle(x_torch)), strict=True):
        close(ours, theirs.detach().numpy(), "from zeros")


@each_kind
@pytest.mark.parametrize("cell", [True, False])
def test_initialisation_is_torchs_uniform_law(kind, cell, rng):
    made = KINDS[kind][0 if cell else 1]
    layer = made(30, 100, **KINDS[kind][2], rng=rng)
    for name, param in torchs(kind, layer, 30, 100).named_parameters():
        ours = layer.params[name]
        assert ours.shape == tuple(param.shape) and np.abs(ours).max() <= 0.1
        np.testing.assert_allclose(ours.std(), 0.1 / np.sqrt(3), rtol=0.15)
    theirs = getattr(torch.nn, made.__name__)(30, 100, **KINDS[kind][2])
    for name, param in theirs.named_parameters():
        np.testing.assert_allclose(layer.params[name].std(), param.std().item(), rtol=0.25)


# properties ------------------------------------------------------------------------------


def step_by_step(cell, x, first, dy, d_last):
    """What a layer does, with a cell and clear loops: there, and back through time."""
    state = first[0] if isinstance(first, np.ndarray) else tuple(each[0] for each in first)
    before, outputs, dx = [], [], np.empty_like(x)
    for t in range(x.shape[1]):
        before.append(state)
        state = cell.forward(x[:, t], state)
        outputs.append(listed(state)[0])
    d_state = [each[0] for each in listed(d_last)]
    for t in reversed(range(x.shape[1])):
        d_state[0] = d_state[0] + dy[:, t]
        cell.forward(x[:, t], before[t])  # a cell remembers its last step only
        dx[:, t], d = cell.backward(tuple(d_state) if len(d_state) > 1 else d_state[0])
        d_state = listed(d)
    return np.stack(outputs, axis=1), listed(state), dx, d_state


@each_kind
@settings(max_examples=15)
@given(
    n=st.integers(0, 4),
    steps=st.integers(1, 5),
    d=st.integers(1, 4),
    size=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_a_layer_is_its_cell_at_every_step(kind, n, steps, d, size, seed):
    rng = np.random.default_rng(seed)
    layer, cell = make(kind, d, size, rng), make(kind, d, size, rng, cell=True)
    assert [*layer.params] == [f"{name}_l0" for name in cell.params]
    for name, param in cell.params.items():
        param[...] = layer.params[f"{name}_l0"]
    x, first, dy, d_last = inputs(kind, n, steps, d, size, rng)
    output, last = layer.forward(x, first)
    dx, d_first = layer.backward(dy, d_last)
    outputs, state, dxs, d_state = step_by_step(cell, x, first, dy, d_last)
    close(output, outputs)
    close(dx, dxs)
    for ours, theirs in zip(listed(last) + listed(d_first), state + d_state, strict=True):
        close(ours[0], theirs)
    for name, grad in cell.grads.items():
        close(layer.grads[f"{name}_l0"], grad, name)


@each_kind
@settings(max_examples=15)
@given(steps=st.integers(2, 6), at=st.integers(1, 5), seed=st.integers(0, 1000))
def test_the_future_cannot_change_the_past(kind, steps, at, seed):
    rng, at = np.random.default_rng(seed), min(at, steps - 1)
    layer = make(kind, 2, 3, rng)
    x = rng.normal(size=(2, steps, 2))
    other = x.copy()
    other[:, at:] = rng.normal(size=(2, steps - at, 2))
    y, _ = layer.forward(other)
    past, _ = layer.forward(x)
    np.testing.assert_array_equal(past[:, :at], y[:, :at])
    assert "relu" in kind or (past[:, at] != y[:, at]).all()
    dy = rng.normal(size=past.shape)
    dy[:, at:] = 0  # a loss of the past alone
    assert not layer.backward(dy)[0][:, at:].any()


@each_kind
@settings(max_examples=15)
@given(steps=st.integers(2, 6), at=st.integers(1, 5), seed=st.integers(0, 1000))
def test_two_parts_with_the_state_handed_on_are_one_sequence(kind, steps, at, seed):
    rng, at = np.random.default_rng(seed), min(at, steps - 1)
    layer = make(kind, 2, 3, rng)
    x = rng.normal(size=(2, steps, 2))
    whole, last = layer.forward(x)
    start, state = layer.forward(x[:, :at])
    end, last_of_two = layer.forward(x[:, at:], state)
    close(np.concatenate([start, end], axis=1), whole)
    for ours, theirs in zip(listed(last_of_two), listed(last), strict=True):
        close(ours, theirs)
    np.testing.assert_array_equal(listed(last_of_two)[0][0], end[:, -1])


@each_kind
def test_examples_do_not_see_each_other(kind, rng):
    layer = make(kind, 2, 3, rng)
    x = rng.normal(size=(4, 5, 2))
    close(layer.forward(x)[0][1:2], layer.forward(x[1:2])[0])


def test_an_lstm_that_forgets_nothing_carries_its_cell_and_its_gradient(rng):
    layer = LSTM(1, 1, rng=rng)
    layer.params["weight_ih_l0"][...] = layer.params["weight_hh_l0"][...] = 0
    layer.params["bias_hh_l0"][...] = 0
    layer.params["bias_ih_l0"][...] = [-50, 50, 0, 50]  # i shut, f and o open
    _, (h, c) = layer.forward(np.zeros((1, 200, 1)), (np.zeros((1, 1, 1)), np.ones((1, 1, 1))))
    close(c, np.ones((1, 1, 1)))
    close(h, np.full((1, 1, 1), np.tanh(1)))
    _, (_, dc) = layer.backward(None, (np.zeros((1, 1, 1)), np.ones((1, 1, 1))))
    close(dc, np.ones((1, 1, 1)))


def test_huge_inputs_shut_the_gates_without_a_warning(rng):
    for kind in ("lstm", "gru"):
        layer = make(kind, 1, 3, rng, dtype=np.float32)
        x = np.array([[[1e30], [-1e30]]], np.float32)
        assert np.isfinite(layer.forward(x)[0]).all()
        assert np.isfinite(layer.backward(np.ones((1, 2, 3), np.float32))[0]).all()


@each_kind
def test_a_gradient_that_is_missing_is_zero_and_gradients_add_up(kind, rng):
    layer = make(kind, 3, 2, rng)
    x, first, dy, d_last = inputs(kind, 2, 4, 3, 2, rng)
    layer.forward(x, first)
    both = flat(layer.backward(dy, d_last))
    total = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()
    of_output, of_state = flat(layer.backward(dy)), flat(layer.backward(None, d_last))
    for one, other, whole in zip(of_output, of_state, both, strict=True):
        close(one + other, whole)
    for name, grad in layer.grads.items():
        close(grad, total[name], name)
    cell = make(kind, 3, 2, rng, cell=True)
    old = states(kind, (2, 2), rng)
    cell.forward(x[:, 0], old)
    cell.backward(old)
    once = {name: grad.copy() for name, grad in cell.grads.items()}
    cell.backward(old)
    for name, grad in cell.grads.items():
        np.testing.assert_array_equal(grad, 2 * once[name])


@each_kind
def test_inputs_stay_as_they_were_and_views_are_as_copies(kind, rng):
    layer = make(kind, 3, 2, rng)
    view = np.asfortranarray(rng.normal(size=(4, 8, 6)))[::2, ::-2, ::2]
    _, first, dy, d_last = inputs(kind, 2, 4, 3, 2, rng)
    dy = np.asfortranarray(dy)
    arrays = [view, *listed(first), dy, *listed(d_last)]
    before = [each.copy() for each in arrays]
    found = flat(layer.forward(view, first)) + flat(layer.backward(dy, d_last))
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
    again = make(kind, 3, 2, np.random.default_rng(0))
    copies = again.forward(view.copy(order="C"), first), again.backward(dy.copy(order="C"), d_last)
    for one, other in zip(found, flat(copies[0]) + flat(copies[1]), strict=True):
        close(one, other)


@each_kind
def test_an_output_that_is_changed_later_does_not_change_the_gradient(kind, rng):
    layer = make(kind, 3, 2, rng)
    x, first, dy, _ = inputs(kind, 2, 4, 3, 2, rng)
    layer.forward(x, first)
    expected = layer.backward(dy)[0]
    y, last = layer.forward(x, first)
    y *= 0
    for each in listed(last):
        each *= 0
    np.testing.assert_array_equal(layer.backward(dy)[0], expected)


@each_kind
def test_float32_stays_float32_and_nan_reaches_all_that_follows(kind, rng):
    layer = make(kind, 3, 2, rng, dtype=np.float32)
    x = rng.normal(size=(2, 4, 3)).astype(np.float32)
    y, last = layer.forward(x)
    dx, d_first = layer.backward(y, last)
    grads = layer.grads.values()
    found = {a.dtype for a in (y, *listed(last), dx, *listed(d_first), *grads)}
    assert found == {np.dtype(np.float32)}
    x[1, 2, 0] = np.nan
    y, _ = layer.forward(x)
    assert np.isnan(y[1, 2:]).all() and np.isfinite(y[0]).all() and np.isfinite(y[1, :2]).all()


# refusals --------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 2), (4, 3), (), (2, 4, 3, 1)])
def test_inputs_of_another_width_are_refused_by_both_shapes(kind, shape, rng):
    layer = make(kind, 3, 2, rng)
    with pytest.raises(ValueError) as error:
        layer.forward(np.ones(shape))
    weight = layer.params["weight_ih_l0"].shape
    assert str(shape) in str(error.value) and str(weight) in str(error.value)
    if shape != (4, 3):
        with pytest.raises(ValueError) as error:
            make(kind, 3, 2, rng, cell=True).forward(np.ones(shape))
        assert str(shape) in str(error.value) and str(weight) in str(error.value)


@each_kind
def test_a_sequence_of_no_steps_is_refused_as_by_torch(kind, rng):
    layer = make(kind, 3, 2, rng)
    with pytest.raises(ValueError, match=r"at least 1 step.*\(2, 0, 3\)"):
        layer.forward(np.ones((2, 0, 3)))
    with pytest.raises(RuntimeError):
        torchs(kind, layer, 3, 2)(torch.ones(2, 0, 3, dtype=torch.float64))


@each_kind
def test_states_and_gradients_that_do_not_fit_are_refused(kind, rng):
    layer, cell = make(kind, 3, 2, rng), make(kind, 3, 2, rng, cell=True)
    x, first, dy, d_last = inputs(kind, 2, 4, 3, 2, rng)
    both = "lstm" in kind
    for made in (layer, cell):
        with pytest.raises(ValueError, match="forward before"):
            made.backward(dy)
    layer.forward(x, first)
    cell.forward(x[:, 0])
    for wrong in ((2, 2), (1, 1, 2), (1, 2, 3)):
        bad = (np.ones(wrong), np.ones(wrong)) if both else np.ones(wrong)
        for call in (
            lambda bad=bad: layer.forward(x, bad),
            lambda bad=bad: layer.backward(dy, bad),
        ):
            with pytest.raises(ValueError) as error:
                call()
            assert str(wrong) in str(error.value) and "(1, 2, 2)" in str(error.value)
    bad = (np.ones((1, 2)), np.ones((1, 2))) if both else np.ones((1, 2))
    for call in (lambda: cell.forward(x[:, 0], bad), lambda: cell.backward(bad)):
        with pytest.raises(ValueError, match=r"\(2, 2\), not \(1, 2\)"):
            call()
    layer.forward(x, first)
    for wrong in ((2, 4), (2, 4, 3), (2, 1, 2)):
        with pytest.raises(ValueError, match=r"\(2, 4, 2\)") as error:
            layer.backward(np.ones(wrong), d_last)
        assert str(wrong) in str(error.value)
    with pytest.raises(ValueError, match="backward needs a gradient"):
        layer.backward(None)
    with pytest.raises(ValueError, match="backward needs a gradient"):
        cell.backward(None)
    count = "2 arrays make a state here, not 1" if both else "1 arrays make a state here, not 2"
    with pytest.raises(ValueError, match=count):
        layer.forward(x, first[0] if both else (first, first))
    for made in (layer, cell):
        assert not any(grad.any() for grad in made.grads.values()), "refused, and added"


@each_kind
def test_bytes_lists_and_settings_that_make_no_layer_are_refused(kind, rng):
    for cell in (True, False):
        layer, shape = make(kind, 3, 2, rng, cell=cell), (2, 3) if cell else (2, 4, 3)
        with pytest.raises(ValueError, match="uint8"):
            layer.forward(np.ones(shape, np.uint8))
        with pytest.raises(ValueError, match="not with a list"):
            layer.forward(np.ones(shape).tolist())
        with pytest.raises(ValueError, match="int64"):
            whole = np.ones((2, 2) if cell else (1, 2, 2), np.int64)
            layer.forward(np.ones(shape), (whole, whole) if "lstm" in kind else whole)
        for sizes in ((0, 2), (3, -1)):
            with pytest.raises(ValueError, match=f"{sizes[0]}, {sizes[1]}"):
                make(kind, *sizes, rng, cell=cell)
        with pytest.raises(ValueError, match="parameters are floats, not int64"):
            make(kind, 3, 2, rng, cell=cell, dtype=np.int64)
    for made in (RNN, RNNCell):
        with pytest.raises(ValueError, match="tanh, relu, not 'sigmoid'"):
            made(3, 2, nonlinearity="sigmoid", rng=rng)
