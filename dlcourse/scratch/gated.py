r"""Recurrent layers with gates: LSTM and GRU, cell by cell and for whole sequences.

As :mod:`dlcourse.scratch.recurrent`, whose cells and layers they are with another step; the order
of the gates is that of ``torch.nn``.

Sources: Hochreiter and Schmidhuber, *Long Short-Term Memory* (1997), section 4; Gers, Schmidhuber
and Cummins, *Learning to Forget* (2000), section 3, for the forget gate; Cho and others, *Learning
Phrase Representations using RNN Encoder-Decoder* (2014), section 2.3, for the GRU.
"""

import numpy as np

from dlcourse.scratch.recurrence import Cell, Unrolled


class _LSTM:
    """One step of :class:`LSTM`; gates in the order i, f, g, o."""

    gates = 4
    states = 2

    @staticmethod
    def forward(ax, ah, state):
        a = ax + ah
        size = a.shape[1] // 4
        candidate = slice(2 * size, 3 * size)
        g = np.tanh(a[:, candidate])
        gates = _sigmoid(a)  # of all four in one go, though the candidate is no gate
        gates[:, candidate] = g
        i, f, g, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
        c = f * state[1] + i * g
        tanh_c = np.tanh(c)
        return (o * tanh_c, c), (gates, state[1], tanh_c)

    @staticmethod
    def backward(d_state, cache):
        gates, c_before, tanh_c = cache
        size = tanh_c.shape[1]
        i, f, g, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
        dh, dc = d_state
        dc = dc + dh * o * (1 - tanh_c**2)
        da = np.empty(gates.shape, dc.dtype)
        da[:, :size] = dc * g * (i * (1 - i))
        da[:, size : 2 * size] = dc * c_before * (f * (1 - f))
        da[:, 2 * size : 3 * size] = dc * i * (1 - g**2)
        da[:, 3 * size :] = dh * tanh_c * (o * (1 - o))
        return da, da, (np.zeros_like(dh), dc * f)


class _GRU:
    """One step of :class:`GRU`; gates in the order r, z, n."""

    gates = 3
    states = 1

    @staticmethod
    def forward(ax, ah, state):
        size = ax.shape[1] // 3
        gates = _sigmoid(ax[:, : 2 * size] + ah[:, : 2 * size])
        r, z = gates[:, :size], gates[:, size:]
        n = np.tanh(ax[:, 2 * size :] + r * ah[:, 2 * size :])
        h = state[0]
        return (n + z * (h - n),), (r, z, n, ah[:, 2 * size :], h)

    @staticmethod
    def backward(d_state, cache):
        r, z, n, ah_n, h = cache
        size = n.shape[1]
        dh = d_state[0]
        dn = dh * (1 - z) * (1 - n**2)  # before its tanh
        dx = np.empty((len(n), 3 * size), dn.dtype)
        dx[:, :size] = dn * ah_n * (r * (1 - r))
        dx[:, size : 2 * size] = dh * (h - n) * (z * (1 - z))
        dx[:, 2 * size :] = dn
        da_h = dx.copy()  # they differ in the candidate alone, where r stands before the state
        da_h[:, 2 * size :] *= r
        return dx, da_h, (dh * z,)


class LSTMCell(Cell):
    r"""Long short-term memory: a cell state c that is added to, behind gates from 0 to 1.

    With :math:`a = W_{ih} x + b_{ih} + W_{hh} h + b_{hh}` in four blocks of rows,

    .. math::

        i = \sigma(a_i), \quad f = \sigma(a_f), \quad g = \tanh(a_g), \quad o = \sigma(a_o), \\
        c' = f \odot c + i \odot g, \quad h' = o \odot \tanh(c').

    ``weight_ih`` is (4 hidden_size, input_size), ``weight_hh`` (4 hidden_size, hidden_size), both
    biases (4 hidden_size,). No peepholes. The state is (h, c). Sources: Hochreiter and Schmidhuber
    (1997), section 4; Gers, Schmidhuber and Cummins (2000), section 3, for f.
    """

    _step = _LSTM


class LSTM(Unrolled):
    """:class:`LSTMCell` at every step; its parameters end in ``_l0``, as torch's first layer's."""

    _step = _LSTM


class GRUCell(Cell):
    r"""Gated recurrent unit: the new state is a weighted mean of the old one and a candidate.

    With :math:`a = W_{ih} x + b_{ih}` and :math:`u = W_{hh} h + b_{hh}`, each in three blocks,

    .. math::

        r = \sigma(a_r + u_r), \quad z = \sigma(a_z + u_z), \quad n = \tanh(a_n + r \odot u_n), \\
        h' = (1 - z) \odot n + z \odot h.

    ``weight_ih`` is (3 hidden_size, input_size), ``weight_hh`` (3 hidden_size, hidden_size), both
    biases (3 hidden_size,). Source: Cho and others (2014), section 2.3, which resets h before
    :math:`W_{hh}`; torch, and so we, reset the product.
    """

    _step = _GRU


class GRU(Unrolled):
    """:class:`GRUCell` at every step; its parameters end in ``_l0``, as torch's first layer's."""

    _step = _GRU


def _sigmoid(a: np.ndarray) -> np.ndarray:
    """By tanh, which can't overflow: exact to the rounding of 1, which is all that a gate needs."""
    return 0.5 * np.tanh(0.5 * a) + 0.5
