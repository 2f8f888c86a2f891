r"""Recurrent networks: the same layer at every step, with a memory of what came before.

Sequences are (N, L, D), N examples of L steps with D features each: torch with
``batch_first=True``. A cell does one step. A layer does all of them, forwards in time, and back
through time for the gradients: one layer, one direction. Names, shapes, first values and the order
of the gates as in ``torch.nn``. All parameters start uniformly between :math:`\pm 1/\sqrt{H}`, H
the ``hidden_size``. NaN in is NaN out, at its step and at all later ones.

Sources: Elman, *Finding Structure in Time* (1990); Werbos, *Backpropagation Through Time: What It
Does and How to Do It* (1990); Hochreiter and Schmidhuber, *Long Short-Term Memory* (1997), section
4; Gers, Schmidhuber and Cummins, *Learning to Forget* (2000), section 3, for the forget gate; Cho
and others, *Learning Phrase Representations using RNN Encoder-Decoder* (2014), section 2.3, for the
GRU.
"""

import math
from typing import Any

import numpy as np

from dlcourse.scratch.given import fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer

State = np.ndarray | tuple[np.ndarray, np.ndarray]  # h, or of an LSTM (h, c)


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


STEPS: dict[str, Any] = {"tanh": _Tanh, "relu": _ReLU}


class _Recurrent(Layer):
    """Parameters and checks of cells and layers; ``_suffix`` ends the names of a layer's."""

    _step: Any
    _suffix = ""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype=np.float64,
    ):
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"a layer needs sizes of at least 1: {input_size}, {hidden_size}")
        dtype = float_type(dtype)
        self.input_size, self.hidden_size = input_size, hidden_size
        bound, rows = 1 / math.sqrt(hidden_size), self._step.gates * hidden_size
        shapes: dict[str, tuple[int, ...]]
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        super().__init__(
            **{
                name + self._suffix: rng.uniform(-bound, bound, shape).astype(dtype)
                for name, shape in shapes.items()
            }
        )

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        return self.params["weight_ih" + self._suffix], self.params["weight_hh" + self._suffix]

    def _biases(self) -> tuple[np.ndarray | float, np.ndarray | float]:
        of_input = self.params.get("bias_ih" + self._suffix, 0.0)
        return of_input, self.params.get("bias_hh" + self._suffix, 0.0)

    def _add(self, of: str, da: np.ndarray, from_: np.ndarray) -> None:
        """Gradients of ``weight`` and ``bias``, ``da`` and what they were multiplied by as rows."""
        self.grads[f"weight_{of}{self._suffix}"] += da.T @ from_
        if f"bias_{of}{self._suffix}" in self.grads:
            self.grads[f"bias_{of}{self._suffix}"] += da.sum(axis=0)

    def _input(self, x: np.ndarray, form: str, ndim: int) -> np.ndarray:
        if floats(x).ndim != ndim or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x {form} and weight_ih{self._suffix} (…, input_size) don't fit: "
                f"{x.shape} and {self._weights()[0].shape}"
            )
        return x

    def _states(
        self, state: State | None, shape: tuple[int, ...], of: str, dtype: np.dtype
    ) -> tuple[np.ndarray, ...]:
        """h, or h and c, as a tuple: those given, checked, or zeros."""
        count = self._step.states
        if state is None:
            return (np.zeros(shape, dtype),) * count
        given = state if isinstance(state, tuple) else (state,)
        if len(given) != count:
            raise ValueError(f"{of}: {count} arrays make a state here, not {len(given)}")
        for each in given:
            if floats(each).shape != shape:
                raise ValueError(f"{of} must have shape {shape}, not {each.shape}")
        return given

    @staticmethod
    def _as_given(state: tuple[np.ndarray, ...]) -> State:
        return state[0] if len(state) == 1 else (state[0], state[1])


class _Cell(_Recurrent):
    """One step at a time, in plain view; the layers calculate the same for all steps."""

    _cache: tuple | None = None  # x, h and what the step keeps

    # the state comes in beside x: no Layer that stands in a row
    def forward(self, x: np.ndarray, state: State | None = None) -> State:  # type: ignore[override]
        """The next state, for ``x`` (N, input_size) and ``state`` (N, hidden_size), or zeros.

        ``state`` is h, of an LSTM (h, c). ValueError for other shapes and types.
        """
        (w_x, w_h), (b_x, b_h) = self._weights(), self._biases()
        self._input(x, "(N, input_size)", 2)
        old = self._states(state, (len(x), self.hidden_size), "state", np.result_type(x, w_h))
        new, kept = self._step.forward(x @ w_x.T + b_x, old[0] @ w_h.T + b_h, old)
        self._cache = x, old[0], kept
        return self._as_given(new)

    def backward(  # type: ignore[override]
        self, d_state: State
    ) -> tuple[np.ndarray, State]:
        """Add to ``grads`` and return dx and the gradient of the old state, for that of the new.

        It belongs to the last step only: to go back through several, do them again one by one.
        """
        x, h, kept = seen(self._cache)
        w_x, w_h = self._weights()
        if d_state is None:
            raise ValueError("backward needs a gradient: that of the new state")
        d_new = self._states(d_state, h.shape, "the gradient of the state", h.dtype)
        dax, dah, past = self._step.backward(d_new, kept)
        self._add("ih", dax, x)
        self._add("hh", dah, h)
        return dax @ w_x, self._as_given((past[0] + dah @ w_h, *past[1:]))


class _Unrolled(_Recurrent):
    """All steps of a sequence. What the inputs contribute is one product for all of them."""

    _suffix = "_l0"
    _cache: tuple | None = None  # x, all h from h_0 on, what the steps keep

    # the state comes in and goes out beside x: no Layer that stands in a row
    def forward(  # type: ignore[override]
        self, x: np.ndarray, state: State | None = None
    ) -> tuple[np.ndarray, State]:
        """``output`` (N, L, hidden_size), h of every step, and the last state, for ``x`` (N, L, D).

        States are (1, N, hidden_size), as torch's of one layer in one direction, of an LSTM
        (h, c); the first is zeros if it isn't given. ValueError for other shapes and types, and
        for sequences of no steps.
        """
        (w_x, w_h), (b_x, b_h) = self._weights(), self._biases()
        self._input(x, "(N, L, input_size)", 3)
        n, steps, _ = x.shape
        if not steps:
            raise ValueError(f"a sequence needs at least 1 step, and x is {x.shape}")
        dtype = np.result_type(x, w_h)
        first = self._states(state, (1, n, self.hidden_size), "state", dtype)
        now = tuple(each[0] for each in first)
        by_time = np.ascontiguousarray(x.transpose(1, 0, 2))  # a step's rows lie together
        ax = (by_time.reshape(steps * n, self.input_size) @ w_x.T + b_x).reshape(steps, n, len(w_x))
        hs = np.empty((steps + 1, n, self.hidden_size), np.result_type(ax, *now))
        hs[0] = now[0]
        w_hT = np.ascontiguousarray(w_h.T)
        kept = []
        for t in range(steps):
            now, keep = self._step.forward(ax[t], now[0] @ w_hT + b_h, now)
            hs[t + 1] = now[0]
            kept.append(keep)
        self._cache = by_time, hs, kept
        last = self._as_given(tuple(each[None].copy() for each in now))
        return hs[1:].transpose(1, 0, 2).copy(), last

    def backward(  # type: ignore[override]
        self, d_output: np.ndarray | None, d_state: State | None = None
    ) -> tuple[np.ndarray, State]:
        """Add to ``grads`` and return dx (N, L, D) and the gradient of the first state.

        For the gradients of ``output`` and of the last state; None stands for zeros, when only one
        of the two was used.
        """
        by_time, hs, kept = seen(self._cache)
        w_x, w_h = self._weights()
        steps, n, _ = by_time.shape
        size, dtype = self.hidden_size, hs.dtype
        if d_output is None and d_state is None:
            raise ValueError("backward needs a gradient: of output, of the last state, or both")
        if d_output is not None:
            fits(d_output, (n, steps, size))
        d_last = self._states(d_state, (1, n, size), "the gradient of the state", dtype)
        d_now = tuple(each[0] for each in d_last)
        dax = np.empty((steps, n, len(w_x)), dtype)
        dah = np.empty_like(dax)
        for t in reversed(range(steps)):
            if d_output is not None:
                d_now = (d_now[0] + d_output[:, t], *d_now[1:])
            dax[t], dah[t], past = self._step.backward(d_now, kept[t])
            d_now = (past[0] + dah[t] @ w_h, *past[1:])
        rows = dax.reshape(steps * n, len(w_x))
        self._add("ih", rows, by_time.reshape(steps * n, self.input_size))
        self._add("hh", dah.reshape(steps * n, len(w_h)), hs[:-1].reshape(steps * n, size))
        dx = (rows @ w_x).reshape(by_time.shape).transpose(1, 0, 2).copy()
        return dx, self._as_given(tuple(each[None] for each in d_now))


class RNNCell(_Cell):
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


class RNN(_Unrolled):
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


class LSTMCell(_Cell):
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


class LSTM(_Unrolled):
    """:class:`LSTMCell` at every step; its parameters end in ``_l0``, as torch's first layer's."""

    _step = _LSTM


class GRUCell(_Cell):
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


class GRU(_Unrolled):
    """:class:`GRUCell` at every step; its parameters end in ``_l0``, as torch's first layer's."""

    _step = _GRU


def _plain(nonlinearity: str) -> Any:
    if nonlinearity not in STEPS:
        raise ValueError(f"nonlinearity must be one of {', '.join(STEPS)}, not {nonlinearity!r}")
    return STEPS[nonlinearity]


def _sigmoid(a: np.ndarray) -> np.ndarray:
    """By tanh, which can't overflow: exact to the rounding of 1, which is all that a gate needs."""
    return 0.5 * np.tanh(0.5 * a) + 0.5
