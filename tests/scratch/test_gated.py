"""What is special about gates. What all recurrent layers share is in ``test_recurrent.py``."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.gated import GRU, LSTM, GRUCell, LSTMCell


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def by_the_equations(kind, params, x, state):
    """A step written out block by block, as the docstrings have it."""
    a = params["weight_ih"] @ x + params["bias_ih"]
    u = params["weight_hh"] @ state[0] + params["bias_hh"]
    if kind is LSTMCell:
        i, f, g, o = np.split(a + u, 4)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3), np.split(u, 3)
    z = sigmoid(a_z + u_z)
    return ((1 - z) * np.tanh(a_n + sigmoid(a_r + u_r) * u_n) + z * state[0],)


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell])
@settings(max_examples=25)
@given(n=st.integers(1, 4), d=st.integers(1, 4), size=st.integers(1, 4), seed=st.integers(0, 999))
def test_a_cell_does_what_its_equations_say(kind, n, d, size, seed):
    rng = np.random.default_rng(seed)
    cell, x = kind(d, size, rng=rng), rng.normal(size=(n, d))
    old = tuple(rng.normal(size=(n, size)) for _ in range(2 if kind is LSTMCell else 1))
    new = cell.forward(x, old if kind is LSTMCell else old[0])
    new = new if isinstance(new, tuple) else (new,)
    for row in range(n):
        wanted = by_the_equations(kind, cell.params, x[row], [each[row] for each in old])
        for ours, theirs in zip(new, wanted, strict=True):
            np.testing.assert_allclose(ours[row], theirs, rtol=0, atol=1e-12)


def shut(cell, **gates):
    """Zero weights, so that a gate is what its bias says: a number, or 50 for open."""
    blocks = "ifgo" if isinstance(cell, LSTMCell) else "rzn"
    for param in cell.params.values():
        param[...] = 0
    for name, value in gates.items():
        block = slice(*(np.array([0, 1]) + blocks.index(name)) * cell.hidden_size)
        cell.params["bias_ih"][block] = value
    return cell


@pytest.mark.parametrize(
    "gates, c, h",
    [
        ({"i": -50, "f": 50, "o": 50}, 2.0, np.tanh(2.0)),  # keeps
        ({"i": -50, "f": -50, "o": 50}, 0.0, 0.0),  # forgets
        ({"i": 50, "f": 50, "g": 50, "o": 50}, 3.0, np.tanh(3.0)),  # adds
        ({"i": 50, "f": -50, "g": -50, "o": 50}, -1.0, np.tanh(-1.0)),  # replaces
        ({"i": -50, "f": 50, "o": -50}, 2.0, 0.0),  # keeps it to itself
    ],
)
def test_each_gate_of_an_lstm_does_its_own_work(gates, c, h, rng):
    cell = shut(LSTMCell(1, 1, rng=rng), **gates)
    found = cell.forward(np.zeros((1, 1)), (np.zeros((1, 1)), np.full((1, 1), 2.0)))
    np.testing.assert_allclose([each.item() for each in found], [h, c], atol=1e-12)


@pytest.mark.parametrize(
    "gates, h", [({"z": 50}, 0.5), ({"z": -50}, 0.0), ({"z": -50, "n": 50}, 1.0)]
)
def test_the_update_gate_is_the_share_of_the_old(gates, h, rng):
    cell = shut(GRUCell(1, 1, rng=rng), **gates)
    np.testing.assert_allclose(
        cell.forward(np.zeros((1, 1)), np.full((1, 1), 0.5)), [[h]], atol=1e-12
    )


def test_the_reset_gate_stands_before_the_product_and_its_bias(rng):
    cell = shut(GRUCell(1, 1, rng=rng), r=-50, z=-50)
    cell.params["weight_hh"][2], cell.params["bias_hh"][2] = 3.0, 1.0
    assert abs(cell.forward(np.zeros((1, 1)), np.ones((1, 1))).item()) < 1e-12
    cell.params["bias_ih"][0] = 50
    np.testing.assert_allclose(cell.forward(np.zeros((1, 1)), np.ones((1, 1))), np.tanh([[4.0]]))


@pytest.mark.parametrize("kind", [LSTM, GRU])
@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_a_gru_stays_within_1_and_an_lstms_output_too(kind, seed):
    rng = np.random.default_rng(seed)
    layer = kind(2, 3, rng=rng)
    for param in layer.params.values():
        param *= 20
    y, last = layer.forward(rng.normal(size=(2, 40, 2)))
    assert np.abs(y).max() <= 1
    if kind is LSTM:  # a cell may count far beyond 1
        assert last[1].shape == (1, 2, 3) and np.abs(last[1]).max() <= 40


@pytest.mark.parametrize("kind, own", [(LSTM, torch.nn.LSTM), (GRU, torch.nn.GRU)])
def test_a_long_sequence_is_torchs(kind, own, rng):
    layer = kind(3, 8, rng=rng)
    oracle = own(3, 8, batch_first=True).double()
    oracle.load_state_dict({k: torch.from_numpy(p.copy()) for k, p in layer.params.items()})
    x = rng.normal(size=(2, 300, 3))
    y, _ = layer.forward(x)
    np.testing.assert_allclose(
        y, oracle(torch.from_numpy(x))[0].detach().numpy(), rtol=0, atol=1e-12
    )
