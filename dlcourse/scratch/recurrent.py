r"""Recurrent networks: the same layer at every step, with a memory of what came before.

Sequences are (N, L, D), N examples of L steps with D features each: torch with
``batch_first=True``. A cell does one step. A layer does all of them, forwards in time, and back
through time for the gradients: one layer, one direction. Names, shapes and first values as in
``torch.nn``. All parameters start uniformly between :math:`\pm 1/\sqrt{H}`, H the
``hidden_size``. NaN in is NaN out, at its step and at all later ones. Layers with gates, which
share what stands here, are in :mod:`dlcourse.scratch.gated`.

Sources: Elman, *Finding Structure in Time* (1990); Werbos, *Backpropagation Through Time: What It
Does and How to Do It* (1990); Goodfellow, Bengio and Courville, *Deep Learning* (2016), section
10.2.
"""

from typing import Any

import numpy as np

from dlcourse.scratch.recurrence import Cell, Unrolled


class _Tanh:
    r"""One step of a plain RNN, :math:`h' = \tanh(a)`, :math:`a = a_x + a_h`.

    The three steps share their form. ``forward`` takes what input and state contribute, each
    already multiplied and shifted, and returns the new state and what ``backward`` needs. That
    returns the gradients of both contributions, and of the old state as far as it acts past them.
    """

    gates = 1
    states = 1

    @staticmethod
    def forward(ax: np.ndarray, ah: np.ndarray, state: tuple) -> tuple[tuple, Any]:
        h = np.tanh(ax + ah)
        return (h,), h

    @staticmethod
    def backward(d_state: tuple, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple]:
        da = d_state[0] * (1 - h**2)
        return da, da, (np.zeros_like(h),)


class _ReLU(_Tanh):
    r"""One step of a plain RNN, :math:`h' = \max(a, 0)`."""

    @staticmethod
    def forward(ax, ah, state):
        h = np.maximum(ax + ah, 0)
        return (h,), h

    @staticmethod
    def backward(d_state, h):
        da = np.where(h > 0, d_state[0], 0)
        return da, da, (np.zeros_like(h),)


STEPS: dict[str, Any] = {"tanh": _Tanh, "relu": _ReLU}


class RNNCell(Cell):
    r"""A plain recurrent step, :math:`h' = \tanh(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})`.

    ``nonlinearity`` is ``"tanh"`` or ``"relu"``. ``weight_ih`` is (hidden_size, input_size),
    ``weight_hh`` (hidden_size, hidden_size), both biases (hidden_size,) or missing with
    ``bias=False``. Source: Elman (1990), as Goodfellow, Bengio and Courville, *Deep Learning*
    (2016), section 10.2, write it.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        rng: np.random.Generator,
        dtype=np.float64,
    ):
        self._step = _plain(nonlinearity)
        super().__init__(input_size, hidden_size, bias, rng=rng, dtype=dtype)


class RNN(Unrolled):
    """:class:`RNNCell` at every step; its parameters end in ``_l0``, as torch's first layer's."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        nonlinearity: str = "tanh",
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype=np.float64,
    ):
        self._step = _plain(nonlinearity)
        super().__init__(input_size, hidden_size, bias, rng=rng, dtype=dtype)


def _plain(nonlinearity: str) -> Any:
    if nonlinearity not in STEPS:
        raise ValueError(f"nonlinearity must be one of {', '.join(STEPS)}, not {nonlinearity!r}")
    return STEPS[nonlinearity]
