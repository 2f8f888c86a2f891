r"""Convolution of series: a window goes along one axis and does the same at each of its places.

The one-dimensional twin of :mod:`dlcourse.scratch.conv`, in as few lines as it takes. Series are
(N, C, L): examples, channels, length. Names, shapes, first values and defaults as in ``torch.nn``.
"""

import math

import numpy as np

from dlcourse.scratch.given import fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer


class Conv1d(Layer):
    r"""Convolution of series, :math:`y_{nfi} = b_f + \sum_{ca} w_{fca}\, x_{nc,\,si + da - p}`.

    The kernel isn't flipped; s, p and d are ``stride``, ``padding`` (zeros on both ends) and
    ``dilation`` (1: next to each other). With a window of ``kernel_size`` k, y has :math:`\lfloor
    (L + 2p - d(k - 1) - 1) / s \rfloor + 1` places. ``weight`` is (out_channels, in_channels, k),
    ``bias`` (out_channels,), or missing with ``bias=False``; both start uniformly between
    :math:`\pm 1/\sqrt{D}`, D = in_channels · k.

    ValueError for settings that are no whole numbers in their range, for anything but floats, for
    other shapes, and for series that are shorter than the window. A batch of 0 is fine. NaN in is
    NaN out, in every window that holds it.

    Source: Goodfellow, Bengio and Courville, *Deep Learning* (2016), section 9.1 and, for stride,
    padding and the way back, 9.5.
    """

    _x: np.ndarray | None = None  # with its border, needed by backward

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype=np.float64,
    ):
        for name, value, least in (
            ("in_channels", in_channels, 1),
            ("out_channels", out_channels, 1),
            ("kernel_size", kernel_size, 1),
            ("stride", stride, 1),
            ("padding", padding, 0),
            ("dilation", dilation, 1),
        ):
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value}")
        if not isinstance(rng, np.random.Generator):
            raise ValueError(f"rng must be a numpy Generator, not a {type(rng).__name__}")
        dtype, bound = float_type(dtype), 1 / math.sqrt(in_channels * kernel_size)
        shapes: dict[str, tuple[int, ...]] = {"weight": (out_channels, in_channels, kernel_size)}
        if bias:
            shapes["bias"] = (out_channels,)
        params = {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
        super().__init__(**{name: p.astype(dtype) for name, p in params.items()})
        self.stride, self.padding, self.dilation = stride, padding, dilation

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, out_channels, L') for ``x`` (N, in_channels, L)."""
        weight, p = self.params["weight"], self.padding
        self._check(x)
        self._x = x = np.pad(x, ((0, 0), (0, 0), (p, p)))
        shape = len(x), len(weight), self._places
        y = np.zeros(shape, np.result_type(x, weight))
        for a in range(weight.shape[2]):
            y += weight[:, :, a] @ x[:, :, self._under(a)]
        if "bias" in self.params:
            y += self.params["bias"][:, None]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Add to ``grads`` and return ``dx``, for ``dy`` of the shape of y."""
        weight, x, p = self.params["weight"], seen(self._x), self.padding
        fits(dy, (len(x), len(weight), self._places))
        dx = np.zeros(x.shape, np.result_type(dy, weight))
        for a in range(weight.shape[2]):
            there = self._under(a)
            dx[:, :, there] += weight[:, :, a].T @ dy
            product = dy @ x[:, :, there].transpose(0, 2, 1)
            self.grads["weight"][:, :, a] += product.sum(axis=0)
        if "bias" in self.grads:
            self.grads["bias"] += dy.sum(axis=(0, 2))
        return dx[:, :, p : x.shape[2] - p]

    def _under(self, a: int) -> slice:
        """Where in the padded series entry ``a`` of the window stands."""
        first = a * self.dilation
        last = first + self.stride * (self._places - 1)
        return slice(first, last + 1, self.stride)

    def _check(self, x: np.ndarray) -> None:
        weight = self.params["weight"]
        if floats(x).ndim != 3 or x.shape[1] != weight.shape[1]:
            raise ValueError(
                "x (N, in_channels, L) and weight (out_channels, in_channels, k) don't fit: "
                f"{x.shape} and {weight.shape}"
            )
        reach = self.dilation * (weight.shape[2] - 1) + 1
        rest = x.shape[2] + 2 * self.padding - reach
        if rest < 0 or not x.shape[2]:
            raise ValueError(
                f"a window that reaches over {reach} doesn't fit into x {x.shape} with padding "
                f"{self.padding}"
            )
        self._places = rest // self.stride + 1
