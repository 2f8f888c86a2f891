"""Dropout: in training, units are silenced at random; in evaluation, nothing happens."""

import math

import numpy as np

from dlcourse.scratch.given import fits, floats, seen
from dlcourse.scratch.layers import Layer


class Dropout(Layer):
    r"""Each entry is 0 with probability p, else divided by 1 - p: :math:`y = x \odot m / (1 - p)`.

    Of :math:`m`, each entry is 1 with probability :math:`1 - p`, else 0, drawn anew from ``rng`` in
    every forward. The division keeps the mean of y at x (*inverted* dropout), so that evaluation
    hands x on as it is. As ``torch.nn.Dropout``: p is the share that goes; p = 0 changes nothing
    and draws nothing; p = 1 makes everything 0. A dropped NaN stays NaN in x and y, as in torch.
    ValueError if p is no number from 0 to 1.

    Source: Srivastava et al., *Dropout* (JMLR 15, 2014), sections 4 and 10, where p is the share
    that stays, and the weights are multiplied by it in evaluation.
    """

    _factor: np.ndarray | None = None  # m / (1 - p) of the last forward, needed by backward

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator):
        if isinstance(p, bool | np.bool_) or not isinstance(
            p, int | float | np.integer | np.floating
        ):
            raise ValueError(f"p is a number from 0 to 1, not a {type(p).__name__}")
        if not (math.isfinite(p) and 0 <= p <= 1):
            raise ValueError(f"p must be from 0 to 1, not {p}")
        if not isinstance(rng, np.random.Generator):
            raise ValueError(f"rng must be a numpy Generator, not a {type(rng).__name__}")
        super().__init__()
        self.p, self.rng = float(p), rng

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` of the shape and type of ``x``, which may have any shape."""
        x = floats(x)
        if not self.training or self.p == 0:
            self._factor = np.ones(x.shape, x.dtype)
        elif self.p == 1:
            self._factor = np.zeros(x.shape, x.dtype)
        else:
            kept = self.rng.random(x.shape) >= self.p
            self._factor = (kept / (1 - self.p)).astype(x.dtype)
        return x * self._factor

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dx = dy \odot m / (1 - p)`, with the mask of the last forward."""
        factor = seen(self._factor)
        return fits(dy, factor.shape) * factor
