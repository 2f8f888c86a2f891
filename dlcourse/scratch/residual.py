"""The residual block: its layers learn what to change, and the input itself goes round them.

Source: He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition* (2016), section 3.1.
"""

import numpy as np

from dlcourse.scratch.given import fits, seen
from dlcourse.scratch.layers import Layer, Sequential


class Residual(Sequential):
    r"""Layers in a row with the input added to what they make of it: :math:`y = x + f(x)`.

    Parameters are named as in ``Sequential``, and it may stand inside one. ``f`` must keep the
    shape of ``x``. ValueError for no layers.
    """

    _shape: tuple[int, ...] | None = None  # of x, and so of y

    def __init__(self, *layers: Layer):
        if not layers:
            raise ValueError("a residual block needs at least one layer to go round")
        super().__init__(*layers)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` of the shape of ``x``; ValueError, with both shapes, where f(x) has another."""
        change = super().forward(x)
        if change.shape != x.shape:
            raise ValueError(f"x and f(x) can't be added: {x.shape} and {change.shape}")
        self._shape = x.shape
        return x + change

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dx = dy + J_f^\top dy`: one way back is through the layers, the other is free."""
        return fits(dy, seen(self._shape)) + super().backward(dy)
