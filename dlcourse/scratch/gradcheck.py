r"""Gradient check: every hand-written gradient against differences that know nothing of it.

A derivative is a limit, so any program that computes :math:`F` can estimate its gradient: move one
number up and down a little, and divide. It costs two evaluations for every number, which is far
too slow to train with and just right to test with.

Sources: Goodfellow, Bengio and Courville, *Deep Learning* (2016), section 11.5; Baydin and others,
*Automatic Differentiation in Machine Learning: a Survey* (JMLR 18(153), 2018), section 2.1, for the
two errors that trade against each other.
"""

from collections.abc import Callable

import numpy as np

from dlcourse.scratch.layers import Layer


def numerical_gradient(
    f: Callable[[], np.ndarray | float],
    wrt: np.ndarray,
    dy: np.ndarray | float = 1.0,
    eps: float = 1e-6,
) -> np.ndarray:
    r"""Gradient of :math:`\sum dy \cdot f()` with respect to ``wrt``, which ``f`` reads.

    Entry :math:`i` is :math:`\frac{F(w_i + \epsilon) - F(w_i - \epsilon)}{2 \epsilon}`, off by
    :math:`O(\epsilon^2)` where :math:`F` is smooth; across a kink it is the mean of the slopes that
    the step reaches over. The denominator is the step as the floats took it. ``wrt`` is changed in
    place, one entry at a time, and restored, even if ``f`` raises.

    Raises ValueError unless ``wrt`` is finite and float64 (smaller floats round the difference
    away, integers all of it), unless ``eps`` is positive and large enough to change every entry,
    for a ``dy`` that hasn't the shape of what ``f`` returns, and where either isn't finite.
    """
    if not isinstance(wrt, np.ndarray):
        raise ValueError(f"wrt must be an array, which can be changed, not a {type(wrt).__name__}")
    if wrt.dtype != np.float64:
        raise ValueError(f"central differences need float64, and wrt is {wrt.dtype}")
    if not np.isfinite(wrt).all():
        raise ValueError("wrt has entries that are NaN or infinite")
    if not (np.isfinite(eps) and eps > 0):
        raise ValueError(f"eps must be a positive number, not {eps}")
    grad = np.zeros_like(wrt)
    for i in np.ndindex(wrt.shape):
        old = wrt[i]
        high, low = old + eps, old - eps
        if not low < old < high:
            raise ValueError(f"a step of {eps} doesn't change an entry of {old}")
        try:
            wrt[i] = high
            up = _weighted(f(), dy)
            wrt[i] = low
            down = _weighted(f(), dy)
        finally:
            wrt[i] = old
        if not np.isfinite(up - down):
            raise ValueError(f"f isn't finite near entry {i}: {up} above and {down} below")
        grad[i] = (up - down) / (high - low)
    return grad


def _weighted(y: np.ndarray | float, dy: np.ndarray | float) -> float:
    """The sum of dy times y; a dy of another shape would broadcast to a wrong number."""
    if np.shape(dy) not in ((), np.shape(y)):
        raise ValueError(f"dy has not the shape of what f returns: {np.shape(dy)}, {np.shape(y)}")
    return np.sum(np.multiply(dy, y), dtype=np.float64)


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    r"""How far two gradients differ, :math:`\max_i |a_i - b_i| / \max_i \max(|a_i|, |b_i|)`.

    From 0 to 2, and 0 where both are 0 everywhere. One size for the whole array: entry by entry, an
    entry that ought to be 0 would count its rounding as an error of 1. Raises ValueError for shapes
    that differ, for no entries, and for NaN and infinities, of which no comparison is ever true.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        raise ValueError(f"gradients of different shapes: {found.shape} and {expected.shape}")
    if not found.size:
        raise ValueError(f"no entries to compare, of shape {found.shape}")
    for name, array in (("found", found), ("expected", expected)):
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise ValueError(f"{name} has entries that are not finite real numbers")
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    size = max(np.abs(found).max(), np.abs(expected).max())
    return float(np.abs(found / size - expected / size).max()) if size else 0.0


def check_layer(layer: Layer, x: np.ndarray, dy: np.ndarray, eps: float = 1e-6) -> dict[str, float]:
    """The :func:`relative_error` of a layer's or a network's ``backward``: of dx and parameters.

    ``x`` and ``dy``, in the shapes of the layer's input and output, are float64, and ``x`` keeps
    away from kinks by more than ``eps``. ``layer.grads`` is as before afterwards. Raises ValueError
    as :func:`numerical_gradient` and the layer do.
    """
    x = x.copy()  # moved below
    before = {name: grad.copy() for name, grad in layer.grads.items()}
    try:
        for grad in layer.grads.values():
            grad[...] = 0
        layer.forward(x)
        found = {"dx": layer.backward(dy)} | {k: g.copy() for k, g in layer.grads.items()}
    finally:
        for name, grad in layer.grads.items():
            grad[...] = before[name]
    return {
        name: relative_error(
            found[name], numerical_gradient(lambda: layer.forward(x), array, dy, eps)
        )
        for name, array in ({"dx": x} | layer.params).items()
    }
