r"""Convolution and pooling: a window goes over an image and does the same at each of its places.

Images are (N, C, H, W): examples, channels, height, width. Names, shapes, first values and defaults
as in ``torch.nn``; a size is one number for both directions or a pair, (vertical, horizontal). A
window of ``kernel_size`` :math:`k` that moves by ``stride`` :math:`s` over a side of H, with
``padding`` :math:`p` on both ends and ``dilation`` :math:`d` from one entry of it to the next, has

.. math:: H' = \left\lfloor \frac{H + 2p - d (k - 1) - 1}{s} \right\rfloor + 1

places; where the window doesn't fit, that is a ValueError. A batch of 0 is fine, an image without
entries is not. NaN in is NaN out, in every window that holds it.

Sources: LeCun, Bottou, Bengio and Haffner, *Gradient-Based Learning Applied to Document
Recognition* (1998), section II.A; Goodfellow, Bengio and Courville, *Deep Learning* (2016), chapter
9; Dumoulin and Visin, *A Guide to Convolution Arithmetic for Deep Learning* (2016), chapters 2, 3
and 5, for the sizes.
"""

import math
from collections.abc import Iterator

import numpy as np

from dlcourse.scratch.given import fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer

Pair = tuple[int, int]  # vertical, horizontal
COLUMNS = 2**18  # entries: what is unfolded at once should fit the processor's cache


class Window:
    """Where a window of ``kernel_size`` stands: what the layers of this module have in common."""

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
    ):
        self.kernel_size = _pair("kernel_size", kernel_size, least=1)
        self.stride = _pair("stride", stride, least=1)
        self.padding = _pair("padding", padding, least=0)
        self.dilation = _pair("dilation", dilation, least=1)

    def places(self, shape: tuple[int, ...]) -> Pair:
        """H' and W', how often it fits into images of ``shape``; ValueError if it doesn't."""
        if len(shape) != 4 or 0 in shape[1:]:
            raise ValueError(f"x must be (N, C, H, W), all but N at least 1, not {shape}")
        of = zip(shape[2:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        down, across = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in of)
        if down < 1 or across < 1:
            raise ValueError(
                f"a window of {self.kernel_size} with dilation {self.dilation} doesn't fit into "
                f"x {shape} with padding {self.padding}"
            )
        return down, across

    def pad(self, x: np.ndarray, value: float = 0) -> np.ndarray:
        """``x`` with its border, or ``x`` itself where there is none."""
        if self.padding == (0, 0):
            return x
        n, channels, height, width = x.shape
        (above, left) = self.padding
        padded = np.full((n, channels, height + 2 * above, width + 2 * left), value, x.dtype)
        self.inside(padded)[...] = x
        return padded

    def inside(self, padded: np.ndarray) -> np.ndarray:
        """What ``pad`` was given, as a view."""
        above, left = self.padding
        height, width = padded.shape[2:]
        return padded[:, :, above : height - above, left : width - left]

    def offsets(self, places: Pair) -> Iterator[tuple[int, int, tuple]]:
        """For entry i, j of the window, where in the padded images it stands at all places."""
        for i in range(self.kernel_size[0]):
            for j in range(self.kernel_size[1]):
                yield i, j, (..., self._every(0, i, places), self._every(1, j, places))

    def _every(self, axis: int, entry: int, places: Pair) -> slice:
        first, step = entry * self.dilation[axis], self.stride[axis]
        return slice(first, first + step * (places[axis] - 1) + 1, step)

    def unfolded(self, padded: np.ndarray) -> np.ndarray:
        """(N, C, kh, kw, H', W'): all that the window sees, as a view without a copy."""
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(2, 3))
        (s, t), (d, e) = self.stride, self.dilation
        return seen[:, :, ::s, ::t, ::d, ::e].transpose(0, 1, 4, 5, 2, 3)


class _Convolution(Layer):
    """Parameters and checks of the two twins below, which calculate the same."""

    _x: np.ndarray | None = None  # padded, needed by backward

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        dtype=np.float64,
    ):
        if in_channels < 1 or out_channels < 1:
            raise ValueError(f"a layer needs channels, at least 1: {in_channels}, {out_channels}")
        dtype = float_type(dtype)
        self.window = Window(kernel_size, stride, padding, dilation)
        shape = (out_channels, in_channels, *self.window.kernel_size)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        params = {"weight": rng.uniform(-bound, bound, shape).astype(dtype)}
        if bias:
            params["bias"] = rng.uniform(-bound, bound, out_channels).astype(dtype)
        super().__init__(**params)

    def _padded(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``x`` with its border, which backward needs too, and room for y."""
        weight = self.params["weight"]
        if floats(x).ndim != 4 or x.shape[1] != weight.shape[1]:
            raise ValueError(
                "x (N, in_channels, H, W) and weight (out_channels, in_channels, kh, kw) don't "
                f"fit: {x.shape} and {weight.shape}"
            )
        self._y_shape = len(x), len(weight), *self.window.places(x.shape)
        self._x = self.window.pad(x)
        return self._x, np.empty(self._y_shape, np.result_type(x, weight))

    def _unpadded(self, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The padded ``x`` and zeros of its shape, where dx is gathered; ``dy`` is checked."""
        x = seen(self._x)
        fits(dy, self._y_shape)
        if "bias" in self.grads:
            self.grads["bias"] += dy.sum(axis=(0, 2, 3))
        return x, np.zeros(x.shape, np.result_type(dy, self.params["weight"]))


class Conv2dLoop(_Convolution):
    r"""The convolution as it reads, place by place: right, slow, and there to compare with.

    At place (i, j), with :math:`x_{n,ij}` the (C, kh, kw) entries of example n that the window
    covers there: :math:`y_{nfij} = b_f + \langle w_f, x_{n,ij} \rangle`. Everything else as in
    :class:`Conv2d`.
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, out_channels, H', W') for ``x`` (N, in_channels, H, W)."""
        padded, y = self._padded(x)
        for i, j, covered in self._covered(y):
            y[:, :, i, j] = np.einsum("fcab,ncab->nf", self.params["weight"], padded[covered])
        if "bias" in self.params:
            y += self.params["bias"][:, None, None]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dw_f = \sum_{nij} dy_{nfij}\, x_{n,ij}`; place by place
        :math:`\sum_f dy_{nfij}\, w_f` is added to the entries of dx that were covered there."""
        padded, dx = self._unpadded(dy)
        for i, j, covered in self._covered(dy):
            self.grads["weight"] += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[covered])
            dx[covered] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], self.params["weight"])
        return self.window.inside(dx)

    def _covered(self, y: np.ndarray) -> Iterator[tuple[int, int, tuple]]:
        window = self.window
        (k, m), (s, t), (d, e) = window.kernel_size, window.stride, window.dilation
        for i, j in np.ndindex(y.shape[2:]):
            rows = slice(s * i, s * i + d * (k - 1) + 1, d)
            yield i, j, (..., rows, slice(t * j, t * j + e * (m - 1) + 1, e))


class Conv2d(_Convolution):
    r"""Convolution of images, :math:`y_{nf} = b_f + \sum_c w_{fc} \star x_{nc}`.

    What deep learning calls so is the cross-correlation :math:`\star`: the kernel isn't flipped.
    With stride, padding and dilation 1, 0 and 1, :math:`(w \star x)_{ij} = \sum_{ab} w_{ab}\,
    x_{i+a,\,j+b}`. ``weight`` is (out_channels, in_channels, kh, kw), ``bias`` (out_channels,), or
    missing with ``bias=False``. Both start uniformly between :math:`\pm 1/\sqrt{D}`, D the
    in_channels · kh · kw entries that the window sees. Padding is with zeros. There are no groups.

    It does what :class:`Conv2dLoop` does as matrix products: what the window sees at each place
    becomes a column, and ``weight``, flattened to (out_channels, D), is multiplied by the (D, H'W')
    columns of an image. A few images at a time, so that the columns, D numbers for each place,
    stay in the cache; backward writes them anew, which takes less time than to keep them.

    Source of the columns: Chellapilla, Puri and Simard, *High Performance Convolutional Neural
    Networks for Document Processing* (2006), which calls it unrolling.
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, out_channels, H', W') for ``x`` (N, in_channels, H, W).

        ValueError for other shapes and types, and for images smaller than the window.
        """
        padded, y = self._padded(x)
        weight = self._rows()
        for some, columns in self._columns(padded):
            np.matmul(weight, columns, out=y[some].reshape(len(columns), len(weight), -1))
        if "bias" in self.params:
            y += self.params["bias"][:, None, None]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r"""Add to ``grads`` and return ``dx``, for ``dy`` of the shape of y.

        With columns X of an image, :math:`dW = dy\, X^\top`, summed over the images, and
        :math:`dX = W^\top dy`; every entry of dx is the sum of its copies in dX.
        """
        padded, dx = self._unpadded(dy)
        weight = self._rows()
        for some, columns in self._columns(padded):
            dy_rows = dy[some].reshape(len(columns), len(weight), -1)
            product = (dy_rows @ columns.transpose(0, 2, 1)).sum(axis=0)
            self.grads["weight"] += product.reshape(self.params["weight"].shape)
            d_columns = np.matmul(weight.T, dy_rows)
            in_window = (len(columns), *self.params["weight"].shape[1:], *dy.shape[2:])
            d_columns = d_columns.reshape(in_window)  # (n, C, kh, kw, H', W')
            for i, j, there in self.window.offsets(dy.shape[2:]):
                dx[some][there] += d_columns[:, :, i, j]
        return self.window.inside(dx)

    def _rows(self) -> np.ndarray:
        return self.params["weight"].reshape(len(self.params["weight"]), -1)

    def _columns(self, padded: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """A few images at a time, their columns (n, D, H'W'), always in the same memory."""
        unfolded = self.window.unfolded(padded)  # (N, C, kh, kw, H', W')
        channels, *kernel_and_places = unfolded.shape[1:]
        entries = math.prod(unfolded.shape[1:])
        at_once = max(1, min(COLUMNS // entries, len(padded)))
        memory = np.empty((at_once, channels, *kernel_and_places), padded.dtype)
        for first in range(0, len(padded), at_once):
            some = slice(first, min(first + at_once, len(padded)))
            columns = memory[: some.stop - first]
            columns[...] = unfolded[some]
            places = math.prod(unfolded.shape[4:])
            yield some, columns.reshape(len(columns), entries // places, places)


class _Pool(Layer):
    """One number for each place of the window and each channel; by default windows side by side."""

    _x: np.ndarray | None = None  # padded, needed by backward
    _edge = 0.0  # what stands in the padding

    def __init__(
        self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0
    ):
        super().__init__()
        self.window = Window(kernel_size, kernel_size if stride is None else stride, padding)
        kernel, border = self.window.kernel_size, self.window.padding
        if any(2 * p > k for k, p in zip(kernel, border, strict=True)):
            raise ValueError(f"padding may be half of the window at most: {border} and {kernel}")

    def _padded(self, x: np.ndarray) -> tuple[np.ndarray, Pair]:
        places = self.window.places(floats(x).shape)
        self._y_shape = (*x.shape[:2], *places)
        self._x = self.window.pad(x, self._edge)
        return self._x, places

    def _unpadded(self, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = seen(self._x)
        fits(dy, self._y_shape)
        return x, np.zeros(x.shape, dy.dtype)


class MaxPool2d(_Pool):
    r"""The largest entry under the window, :math:`y = \max_{ab} x_{ab}`, channel by channel.

    ``stride`` is by default the ``kernel_size``. Padding counts as :math:`-\infty`, so it never
    wins. Source: Goodfellow, Bengio and Courville (2016), section 9.3.
    """

    _y: np.ndarray | None = None  # needed by backward
    _edge = -np.inf

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, C, H', W') for ``x`` (N, C, H, W)."""
        padded, places = self._padded(x)
        self._y = np.full(self._y_shape, -np.inf, x.dtype)
        for _, _, there in self.window.offsets(places):
            np.maximum(self._y, padded[there], out=self._y)
        return self._y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dx: all of ``dy`` goes to the entry that was the largest, of equals to the first."""
        padded, dx = self._unpadded(dy)
        y = seen(self._y)
        left = np.ones(y.shape, bool)  # for whom no entry has been found yet
        for _, _, there in self.window.offsets(y.shape[2:]):
            entry = padded[there]
            largest = left & ((entry == y) | np.isnan(entry))
            dx[there] += np.where(largest, dy, 0)
            left &= ~largest
        return self.window.inside(dx)


class AvgPool2d(_Pool):
    r"""The mean of the entries under the window, :math:`y = \frac{1}{kh \cdot kw} \sum_{ab}
    x_{ab}`, channel by channel.

    ``stride`` is by default the ``kernel_size``. Padding counts as zeros and into the mean, as by
    torch's default. Source: LeCun and others (1998), section II.B, there with a learnt factor.
    """

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, C, H', W') for ``x`` (N, C, H, W)."""
        padded, places = self._padded(x)
        y = np.zeros(self._y_shape, x.dtype)
        for _, _, there in self.window.offsets(places):
            y += padded[there]
        return y / math.prod(self.window.kernel_size)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dx: every entry under a window gets the same share of ``dy``."""
        _, dx = self._unpadded(dy)
        share = dy / math.prod(self.window.kernel_size)
        for _, _, there in self.window.offsets(dy.shape[2:]):
            dx[there] += share
        return self.window.inside(dx)


class Flatten(Layer):
    """(N, …) to (N, D), each example in a row: from images to what ``Linear`` takes."""

    _shape: tuple[int, ...] | None = None  # of x

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, D) for ``x`` (N, …), the last axis moving fastest; ValueError without axes."""
        if not floats(x).ndim:
            raise ValueError("x must be (N, …), not ()")
        self._shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dx of the shape of x."""
        shape = seen(self._shape)
        return fits(dy, (shape[0], math.prod(shape[1:]))).reshape(shape)


def _pair(name: str, size: int | Pair, least: int) -> Pair:
    pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n >= least for n in pair):
        raise ValueError(f"{name} must be one or two whole numbers of at least {least}, not {size}")
    return int(pair[0]), int(pair[1])
