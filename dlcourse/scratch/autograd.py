r"""Reverse-mode differentiation: a tensor that remembers how it was made, and walks back by itself.

Every operation computes its result and keeps, beside it, the rule that takes the gradient of the
result, ``dy``, to the gradients of what went in. :meth:`Tensor.backward` walks the record
once, as :mod:`dlcourse.scratch.graph` says.

Arrays are float32 or float64, never both in one operation. What a tensor holds can't be written to,
because the rules still need it: a parameter moves by ``p.data = p.data - lr * p.grad``, which gives
it a new array. Where an operation has no value, such as the logarithm of 0, and for NaN in what is
handed over, there is a ValueError, and for gradients of leaves that aren't finite, such as that of
a root at 0; what overflows on the way forwards is inf, as in NumPy.

Sources: Baydin and others, *Automatic Differentiation in Machine Learning: a Survey* (JMLR 18(153),
2018), section 3.2; Griewank and Walther, *Evaluating Derivatives* (2nd edition, 2008), chapter 3.
"""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from dlcourse.scratch.graph import Backward, CycleError, gradients, owned, unbroadcast
from dlcourse.scratch.losses import log_softmax

__all__ = ["CycleError", "Tensor", "no_grad", "record"]

Axis = int | tuple[int, ...] | None

_recording = True


@contextmanager
def no_grad() -> Iterator[None]:
    """Within the block nothing is recorded: results have no parents and need no gradient."""
    global _recording
    before, _recording = _recording, False
    try:
        yield
    finally:
        _recording = before


class Tensor:
    """An array with the record of how it was made.

    ``parents`` are the tensors it was made from, none for a leaf; ``op`` names the operation.
    ``grad`` is None or, after :meth:`backward`, an array of the shape of ``data``; only leaves made
    with ``requires_grad`` get one. ``data`` is copied, and then read-only. Raises ValueError unless
    it is a finite float32 or float64 array, or a Python number, which becomes float64.
    """

    __array_ufunc__ = None  # so that array * tensor asks the tensor, not each entry of the array

    def __init__(self, data: np.ndarray | float, *, requires_grad: bool = False):
        self._data = owned(data)
        self.requires_grad = requires_grad
        self.grad: np.ndarray | None = None
        self.parents: tuple[Tensor, ...] = ()
        self.op = ""
        self._backward: Backward | None = None  # set by record

    @property
    def data(self) -> np.ndarray:
        return self._data

    @data.setter
    def data(self, new: np.ndarray) -> None:
        new = owned(new)
        if self.parents:
            raise ValueError(f"a result of {self.op} can't be given another value: make it anew")
        if new.shape != self.shape or new.dtype != self._data.dtype:
            raise ValueError(
                f"new data must be as before, {self.shape} of {self._data.dtype}: it is "
                f"{new.shape} of {new.dtype}"
            )
        self._data = new

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    def __repr__(self) -> str:
        made = f", op={self.op!r}" if self.parents else ""
        return f"Tensor({self._data!r}{made})"

    def item(self) -> float:
        """The number, if it is one."""
        if self._data.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is not one number")
        return self._data.item()

    def detach(self) -> "Tensor":
        """The same values without their past: a constant, to which no gradient goes."""
        return Tensor(self._data)

    def zero_grad(self) -> None:
        """Forget the gradient. Without it that of the next backward is added to it."""
        self.grad = None

    def backward(self, dy: np.ndarray | None = None) -> None:
        """Add to ``grad`` of every leaf below this tensor its gradient of the sum of dy times it.

        ``dy`` may be left out for one number. Raises what
        :func:`~dlcourse.scratch.graph.gradients` raises, and then has changed nothing.
        """
        leaves = {t: g for t, g in gradients(self, dy).items() if not t.parents}
        for tensor, gradient in leaves.items():
            if not np.isfinite(gradient).all():
                raise ValueError(
                    f"the gradient of a leaf of shape {tensor.shape} has entries that are NaN or "
                    "infinite: some slope on the way has no value, or overflows"
                )
        for tensor, gradient in leaves.items():
            tensor.grad = gradient.copy() if tensor.grad is None else tensor.grad + gradient

    # entry by entry, with broadcasting -------------------------------------------

    def __add__(self, other):
        a, b = _pair(self, other)
        return record("+", a.data + b.data, (a, b), lambda dy: _fit_both(dy, dy, a.shape, b.shape))

    def __mul__(self, other):
        a, b = _pair(self, other)
        x, y = a.data, b.data
        return record(
            "×",
            x * y,
            (a, b),
            lambda dy: (unbroadcast(dy * y, x.shape), unbroadcast(dy * x, y.shape)),
        )

    def __truediv__(self, other):
        a, b = _pair(self, other)
        x, y = a.data, b.data
        if not y.all():
            raise ValueError(f"division by a tensor of shape {b.shape} that holds a 0")
        return record(
            "/", x / y, (a, b), lambda dy: _fit_both(dy / y, -dy * x / y / y, x.shape, y.shape)
        )

    def __neg__(self):
        return record("neg", -self.data, (self,), lambda dy: (-dy,))

    def __sub__(self, other):
        return self + -_pair(self, other)[1]

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return _pair(self, other)[1] / self

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, power: float):
        r""":math:`x^p` for a number p; ValueError where there is none. A root has no slope at 0."""
        x, p = self.data, _number(power)
        if (not p.is_integer() and (x < 0).any()) or (p < 0 and not x.all()):
            raise ValueError(f"{x.min()} to {x.max()} can't all be raised to the power of {p}")
        return record("pow", x**p, (self,), lambda dy: (dy * p * x ** (p - 1) if p else dy * 0,))

    def __rpow__(self, base: float):
        if not _number(base) > 0:
            raise ValueError(f"the base of a power must be positive, not {base}")
        return (self * math.log(base)).exp()

    def exp(self) -> "Tensor":
        y = np.exp(self.data)
        return record("exp", y, (self,), lambda dy: (dy * y,))

    def log(self) -> "Tensor":
        x = self.data
        if (x <= 0).any():
            raise ValueError(f"only positive numbers have a logarithm: the smallest is {x.min()}")
        return record("log", np.log(x), (self,), lambda dy: (dy / x,))

    def tanh(self) -> "Tensor":
        y = np.tanh(self.data)
        return record("tanh", y, (self,), lambda dy: (dy * (1 - y**2),))

    def relu(self) -> "Tensor":
        """Slope 0 at the kink, as in torch."""
        x = self.data
        return record("relu", np.maximum(x, 0), (self,), lambda dy: (np.where(x <= 0, 0, dy),))

    # over axes -----------------------------------------------------------------

    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Sum over ``axis``, over all of them if None."""
        x = self.data
        y = x.sum(axis=_axes(axis, x), keepdims=keepdims)
        return record(
            "sum", y, (self,), lambda dy: (np.broadcast_to(_with_axes(dy, axis, x), x.shape),)
        )

    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        total = self.sum(axis, keepdims)
        count = math.prod(self.shape[i] for i in _axes(axis, self.data))
        if not count:
            raise ValueError(f"no entries along axis {axis} of {self.shape}: no mean")
        return total * (1 / count)

    def max(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Largest entry; entries that tie share the gradient equally, as in ``torch.amax``."""
        x = self.data
        if not math.prod(x.shape[i] for i in _axes(axis, x)):
            raise ValueError(f"no entries along axis {axis} of {self.shape}: no maximum")
        largest = x == x.max(axis=_axes(axis, x), keepdims=True)
        share = largest / largest.sum(axis=_axes(axis, x), keepdims=True, dtype=x.dtype)
        y = x.max(axis=_axes(axis, x), keepdims=keepdims)
        return record("max", y, (self,), lambda dy: (_with_axes(dy, axis, x) * share,))

    def log_softmax(self) -> "Tensor":
        """Logarithms of the softmax along the last axis, whatever the size of the logits."""
        y = log_softmax(self.data)
        return record(
            "log_softmax", y, (self,), lambda dy: (dy - np.exp(y) * dy.sum(axis=-1, keepdims=True),)
        )

    # shapes ----------------------------------------------------------------------

    def reshape(self, *shape: int) -> "Tensor":
        x = self.data
        return record("reshape", x.reshape(*shape), (self,), lambda dy: (dy.reshape(x.shape),))

    def transpose(self, *axes: int) -> "Tensor":
        """Axes in a new order, reversed if none is given."""
        order = _axes(axes, self.data) if axes else tuple(reversed(range(len(self.shape))))
        y = self.data.transpose(order)
        return record("transpose", y, (self,), lambda dy: (dy.transpose(np.argsort(order)),))

    def __getitem__(self, index) -> "Tensor":
        """Entries by NumPy's rules; one that is taken twice adds up the gradients of both."""
        x, index = self.data, copy.deepcopy(index)

        def back(dy):
            dx = np.zeros_like(x)
            np.add.at(dx, index, dy)
            return (dx,)

        return record("getitem", x[index], (self,), back)

    # matrices ----------------------------------------------------------------------

    def __matmul__(self, other):
        """By NumPy's rules: the last two axes multiply, the others broadcast."""
        a, b = _pair(self, other)
        x, y = a.data, b.data
        if not x.ndim or not y.ndim:
            raise ValueError(f"@ needs axes on both sides: {x.shape} and {y.shape}")

        def back(dy):
            dy = np.expand_dims(dy, tuple([-2] * (x.ndim == 1) + [-1] * (y.ndim == 1)))
            rows, columns = x[None] if x.ndim == 1 else x, y[:, None] if y.ndim == 1 else y
            dx = unbroadcast(dy @ columns.swapaxes(-1, -2), rows.shape)
            return dx.reshape(x.shape), unbroadcast(
                rows.swapaxes(-1, -2) @ dy, columns.shape
            ).reshape(y.shape)

        return record("@", x @ y, (a, b), back)

    def __rmatmul__(self, other):
        return _pair(self, other)[1] @ self


def record(op: str, data: np.ndarray, parents: tuple[Tensor, ...], backward: Backward) -> Tensor:
    """The result ``data`` of an operation on ``parents``, with its rule for the way back.

    ``backward(dy)`` returns a gradient for each parent, in its shape. It should hold on to arrays
    and not to the result, which it would keep alive. This is how new operations are made.
    """
    result = Tensor.__new__(Tensor)  # past __init__, which copies
    result._data = np.asarray(data).view()
    result._data.flags.writeable = False  # of the view: whoever made the array may go on with it
    result.grad, result.op = None, op
    result.requires_grad = _recording and any(p.requires_grad for p in parents)
    result.parents = parents if result.requires_grad else ()
    result._backward = backward if result.requires_grad else None
    return result


def _fit_both(da, db, a_shape, b_shape):
    return unbroadcast(da, a_shape), unbroadcast(db, b_shape)


def _number(value: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"needs a finite Python number here, not {value!r}")
    return float(value)


def _pair(a: Tensor, b) -> tuple[Tensor, Tensor]:
    """Both as tensors of one type; a Python number takes the type of the tensor beside it."""
    if not isinstance(b, Tensor):
        plain = isinstance(b, int | float) and not isinstance(b, bool | np.generic)
        b = Tensor(np.asarray(b, dtype=a.data.dtype) if plain else b)
    if a.data.dtype != b.data.dtype:
        raise ValueError(f"one is {a.data.dtype} and the other {b.data.dtype}: convert one of them")
    return a, b


def _axes(axis: Axis, x: np.ndarray) -> tuple[int, ...]:
    """The axes meant, counted from 0; ValueError for one that isn't there or is named twice."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if any(isinstance(i, bool) or not isinstance(i, int | np.integer) for i in axes):
        raise ValueError(f"an axis is a whole number, or a tuple of them, not {axis!r}")
    if any(not -x.ndim <= i < x.ndim for i in axes) or len({i % x.ndim for i in axes}) < len(axes):
        raise ValueError(f"axes {axes} don't fit the shape {x.shape}")
    return tuple(i % x.ndim for i in axes)


def _with_axes(dy: np.ndarray, axis: Axis, x: np.ndarray) -> np.ndarray:
    """``dy`` with the axes of ``x`` that were reduced, each of length 1."""
    axes = _axes(axis, x)
    return dy.reshape([1 if i in axes else n for i, n in enumerate(x.shape)])
