import numpy as np
import pytest

from dlcourse.scratch.gated import GRUCell, LSTMCell
from dlcourse.scratch.jacobians import arriving, step_jacobians
from dlcourse.scratch.recurrent import RNNCell

CELLS = {"rnn": RNNCell, "gru": GRUCell, "lstm": LSTMCell}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def after(cell, x, first):
    """The last state, as one row, from the first one, as one row."""
    state = first[None]
    if isinstance(cell, LSTMCell):
        state = tuple(np.split(state, 2, axis=1))
    for step in x:
        state = cell.forward(step[None], state)
    return np.hstack(state)[0] if isinstance(state, tuple) else state[0]


@pytest.mark.parametrize("kind", CELLS)
def test_the_product_of_the_steps_is_the_derivative_by_the_first_state(kind, rng):
    cell, x = CELLS[kind](2, 3, rng=rng), rng.normal(size=(5, 2))
    jacobians = step_jacobians(cell, x)
    size = jacobians.shape[1]
    assert jacobians.shape == (5, size, size) and size == (6 if kind == "lstm" else 3)
    whole = np.linalg.multi_dot(list(jacobians[::-1]))
    by_differences = np.empty((size, size))
    for j in range(size):
        step = np.eye(size)[j] * 1e-6
        by_differences[:, j] = (after(cell, x, step) - after(cell, x, -step)) / 2e-6
    np.testing.assert_allclose(whole, by_differences, rtol=0, atol=1e-9)
    assert not any(grad.any() for grad in cell.grads.values())


def test_sizes_go_back_from_the_last_step(rng):
    jacobians = rng.normal(size=(4, 3, 3))
    sizes = arriving(jacobians)
    for k in range(1, 5):
        product = np.eye(3)
        for jacobian in jacobians[4 - k :]:
            product = jacobian @ product
        np.testing.assert_allclose(sizes[k - 1], np.linalg.svd(product)[1][0], rtol=1e-12)


def test_a_cell_that_forgets_nothing_hands_all_of_it_back(rng):
    cell = LSTMCell(1, 2, rng=rng)
    for param in cell.params.values():
        param[...] = 0
    cell.params["bias_ih"][...] = [-50, -50, 50, 50, 0, 0, 0, 0]  # i shut, f open
    sizes = arriving(step_jacobians(cell, np.zeros((50, 1))))
    # the last step also makes h of the cell: half of it, and a cell of 0 has a tanh of slope 1
    np.testing.assert_allclose(sizes, np.sqrt(1 + 0.5**2), rtol=1e-12)


@pytest.mark.parametrize("x", [np.ones(2), np.ones((3, 3)), np.ones((1, 3, 2)), [[1.0, 2.0]]])
def test_what_is_no_sequence_is_refused(x, rng):
    with pytest.raises(ValueError, match=r"x is one sequence \(T, 2\)"):
        step_jacobians(RNNCell(2, 3, rng=rng), x)
    with pytest.raises(ValueError, match="int64"):
        step_jacobians(RNNCell(2, 3, rng=rng), np.ones((3, 2), np.int64))
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        arriving(np.ones((3, 2)))
