"""What all recurrent layers share, whatever their step: parameters, checks, and the loop over time.

A step is a class with ``gates``, how many blocks of rows its weights have, ``states``, how many
arrays make its state, and ``forward`` and ``backward``: see :mod:`dlcourse.scratch.recurrent` for
the plain one and :mod:`dlcourse.scratch.gated` for those with gates.

Source: Werbos, *Backpropagation Through Time: What It Does and How to Do It* (1990).
"""

import math
from typing import Any

import numpy as np

from dlcourse.scratch.given import fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer

State = np.ndarray | tuple[np.ndarray, np.ndarray]  # h, or of an LSTM (h, c)


class Recurrent(Layer):
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


class Cell(Recurrent):
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


class Unrolled(Recurrent):
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
