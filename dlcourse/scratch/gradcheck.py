"""Central differences: the ground truth for every hand-written gradient."""

from collections.abc import Callable

import numpy as np


def numerical_gradient(
    f: Callable[[], np.ndarray | float],
    wrt: np.ndarray,
    dy: np.ndarray | float = 1.0,
    eps: float = 1e-6,
) -> np.ndarray:
    r"""Gradient of :math:`\sum dy \cdot f()` with respect to ``wrt``, which ``f`` reads.

    Entry :math:`i` is :math:`\frac{F(w_i + \epsilon) - F(w_i - \epsilon)}{2 \epsilon}`, off by
    :math:`O(\epsilon^2)`. ``wrt`` is changed in place, one entry at a time, and restored, even if
    ``f`` raises. Raises ValueError unless ``wrt`` is float64: smaller floats round the difference
    away, integers all of it.
    """
    if wrt.dtype != np.float64:
        raise ValueError(f"central differences need float64, and wrt is {wrt.dtype}")
    grad = np.zeros_like(wrt)
    for i in np.ndindex(wrt.shape):
        old = wrt[i]
        try:
            wrt[i] = old + eps
            up = np.sum(dy * f())
            wrt[i] = old - eps
            down = np.sum(dy * f())
        finally:
            wrt[i] = old
        grad[i] = (up - down) / (2 * eps)
    return grad
