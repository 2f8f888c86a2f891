r"""How much of an earlier state arrives: the Jacobians of a recurrent layer, multiplied.

The state is all that a step hands on: h, of an LSTM h and c side by side. A loss reaches the state
s steps before it through a product of s matrices, :math:`\prod_t \partial s_t / \partial s_{t-1}`,
whose largest singular value says by how much at most.

Source: Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks*
(2013), section 2.1.
"""

import numpy as np

from dlcourse.scratch.recurrence import Cell, State


def step_jacobians(cell: Cell, x: np.ndarray) -> np.ndarray:
    """Of each step the new state by the old one, (T, S, S), along one sequence x (T, D).

    The first state is zeros. S is the hidden size, of an LSTM twice that, h first. Each row is a
    backward for one number of the new state; the cell's gradients are left at 0. Raises ValueError
    for x of another shape or type.
    """
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[1] != cell.input_size:
        shape = x.shape if isinstance(x, np.ndarray) else type(x).__name__
        raise ValueError(f"x is one sequence (T, {cell.input_size}), not {shape}")
    size, parts = cell.hidden_size, cell._step.states
    whole = parts * size
    rows = np.eye(whole)
    jacobians = np.empty((len(x), whole, whole))
    now = np.zeros((parts, size))
    for t, step in enumerate(x):
        # The same step once for each number of the state: one backward then gives all rows.
        new = cell.forward(np.tile(step, (whole, 1)), _state(np.repeat(now[:, None], whole, 1)))
        _, back = cell.backward(_state(rows.reshape(whole, parts, size).transpose(1, 0, 2)))
        jacobians[t] = np.hstack(_listed(back))
        now = np.stack([each[0] for each in _listed(new)])
    cell.zero_grad()
    return jacobians


def arriving(jacobians: np.ndarray) -> np.ndarray:
    """Largest singular value of the last state by that of k steps before, k = 1 … T, (T,)."""
    if jacobians.ndim != 3 or jacobians.shape[1] != jacobians.shape[2]:
        raise ValueError(f"jacobians are (T, S, S), not {jacobians.shape}")
    product, sizes = np.eye(jacobians.shape[1]), np.empty(len(jacobians))
    for k, jacobian in enumerate(jacobians[::-1]):
        product = product @ jacobian
        sizes[k] = np.linalg.norm(product, 2)
    return sizes


def _state(parts: np.ndarray) -> State:
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def _listed(state: State) -> list[np.ndarray]:
    return list(state) if isinstance(state, tuple) else [state]
