"""Normalisation layers: bring scores to mean 0 and deviation 1, then let the network rescale them.

They differ in what they average over. A batch is (N, D), N examples of D features: BatchNorm1d
averages over the N values of each feature, LayerNorm and RMSNorm over the D values of each example.
Names, shapes, first values and defaults as in ``torch.nn``. float16 is taken as float32, because
squares above 256 don't fit it. NaN in is NaN out, and a NaN stays in running statistics.
"""

import numpy as np

from dlcourse.scratch.given import at_least_zero, fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer


class BatchNorm1d(Layer):
    r"""Each feature by the mean and variance of its batch, :math:`y = \gamma \hat x + \beta`.

    :math:`\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}`, where in training :math:`\mu` and
    :math:`\sigma^2` are the mean and the biased variance (divided by N) over the batch; in
    evaluation, ``running_mean`` and ``running_var``. Training moves those towards the batch's,
    :math:`r \leftarrow (1 - m)\, r + m\, s` with ``momentum`` m; the variance that they take is the
    unbiased one (divided by N - 1). ``weight`` :math:`\gamma` starts at 1, ``bias`` :math:`\beta`
    at 0. For (N, D) only, not torch's (N, C, L).

    Source: Ioffe and Szegedy, *Batch Normalization* (2015), section 3 and algorithms 1 and 2.
    """

    _cache: tuple[np.ndarray, np.ndarray, bool] | None = None  # x_hat, 1 / deviation, training

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, *, dtype=np.float64
    ):
        _positive(num_features)
        dtype = float_type(dtype)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum is the batch's share, from 0 to 1, not {momentum}")
        super().__init__(
            weight=np.ones(num_features, dtype=dtype), bias=np.zeros(num_features, dtype=dtype)
        )
        self.eps, self.momentum = float(at_least_zero("eps", eps)), float(momentum)
        self.running_mean = np.zeros(num_features, dtype=dtype)
        self.running_var = np.ones(num_features, dtype=dtype)
        self.buffers = {"running_mean": self.running_mean, "running_var": self.running_var}

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` (N, D) for ``x`` (N, D). ValueError for other shapes; in training, for N < 2."""
        size = len(self.running_mean)
        x = _single_or_wider(x)
        if x.ndim != 2 or x.shape[1] != size:
            raise ValueError(f"x must be (N, {size}), not {x.shape}")
        if self.training:
            if len(x) < 2:
                raise ValueError(
                    f"a batch of {len(x)} has no variance: training needs at least 2 examples"
                )
            mean, var = x.mean(axis=0), x.var(axis=0)
            unbiased = var * (len(x) / (len(x) - 1))
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (unbiased - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        inverse = 1 / np.sqrt(var + self.eps)
        x_hat = (x - mean) * inverse
        self._cache = x_hat, inverse, self.training
        return self.params["weight"] * x_hat + self.params["bias"]

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r"""With :math:`g = \gamma\,dy` and means over the batch, in training

        :math:`dx = (g - \bar g - \hat x\, \overline{g \hat x}) / \sqrt{\sigma^2 + \epsilon}`,
        because every x moves mean and variance; in evaluation
        :math:`g / \sqrt{\sigma^2 + \epsilon}`. It belongs to the mode of its forward.
        """
        x_hat, inverse, training = seen(self._cache)
        fits(dy, x_hat.shape)
        self.grads["weight"] += (dy * x_hat).sum(axis=0)
        self.grads["bias"] += dy.sum(axis=0)
        g = dy * self.params["weight"]
        if not training:
            return g * inverse
        return inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))


class LayerNorm(Layer):
    r"""Each example by its own mean and variance, :math:`y = \gamma \hat x + \beta`.

    :math:`\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}` with mean and biased variance over the
    last axes, those of ``normalized_shape``. The same in training and evaluation: no example sees
    another.

    Source: Ba, Kiros and Hinton, *Layer Normalization* (2016), section 3.
    """

    _cache: tuple[np.ndarray, np.ndarray] | None = None  # x_hat, 1 / deviation

    def __init__(
        self, normalized_shape: int | tuple[int, ...], eps: float = 1e-5, *, dtype=np.float64
    ):
        shape, dtype = _shape(normalized_shape), float_type(dtype)
        super().__init__(weight=np.ones(shape, dtype=dtype), bias=np.zeros(shape, dtype=dtype))
        self.eps = float(at_least_zero("eps", eps))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` of the shape of ``x``, ``(..., *normalized_shape)``; else a ValueError."""
        x = _single_or_wider(x)
        axes = _last_axes(x, self.params["weight"].shape)
        inverse = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + self.eps)
        x_hat = (x - x.mean(axis=axes, keepdims=True)) * inverse
        self._cache = x_hat, inverse
        return self.params["weight"] * x_hat + self.params["bias"]

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r"""With :math:`g = \gamma\,dy` and means over each example,

        :math:`dx = (g - \bar g - \hat x\, \overline{g \hat x}) / \sqrt{\sigma^2 + \epsilon}`.
        """
        weight = self.params["weight"]
        x_hat, inverse = seen(self._cache)
        fits(dy, x_hat.shape)
        axes, rows = tuple(range(-weight.ndim, 0)), (-1, *weight.shape)
        self.grads["weight"] += (dy * x_hat).reshape(rows).sum(axis=0)
        self.grads["bias"] += dy.reshape(rows).sum(axis=0)
        g = dy * weight
        along = (g * x_hat).mean(axis=axes, keepdims=True)
        return inverse * (g - g.mean(axis=axes, keepdims=True) - x_hat * along)


class RMSNorm(Layer):
    r"""Each example by its own root mean square, :math:`y = \gamma \hat x`.

    :math:`\hat x = x / \sqrt{\overline{x^2} + \epsilon}`, the mean over the last axes, those of
    ``normalized_shape``. Nothing is subtracted, and there is no bias. ``eps`` is by default the
    spacing of floats at 1, of the type of x, as in torch.

    Source: Zhang and Sennrich, *Root Mean Square Layer Normalization* (2019), section 3.
    """

    _cache: tuple[np.ndarray, np.ndarray] | None = None  # x_hat, 1 / root mean square

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        *,
        dtype=np.float64,
    ):
        super().__init__(weight=np.ones(_shape(normalized_shape), dtype=float_type(dtype)))
        self.eps = None if eps is None else float(at_least_zero("eps", eps))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """``y`` of the shape of ``x``, ``(..., *normalized_shape)``; else a ValueError."""
        x = _single_or_wider(x)
        axes = _last_axes(x, self.params["weight"].shape)
        eps = np.finfo(x.dtype).eps if self.eps is None else self.eps
        inverse = 1 / np.sqrt((x**2).mean(axis=axes, keepdims=True) + eps)
        x_hat = x * inverse
        self._cache = x_hat, inverse
        return self.params["weight"] * x_hat

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r"""With :math:`g = \gamma\,dy` and means over each example,

        :math:`dx = (g - \hat x\, \overline{g \hat x}) / \sqrt{\overline{x^2} + \epsilon}`.
        """
        weight = self.params["weight"]
        x_hat, inverse = seen(self._cache)
        fits(dy, x_hat.shape)
        self.grads["weight"] += (dy * x_hat).reshape(-1, *weight.shape).sum(axis=0)
        g = dy * weight
        along = (g * x_hat).mean(axis=tuple(range(-weight.ndim, 0)), keepdims=True)
        return inverse * (g - x_hat * along)


def _positive(*sizes: int) -> tuple[int, ...]:
    if not sizes or min(sizes) < 1:
        raise ValueError(f"a normalisation needs sizes of at least 1: {sizes}")
    return sizes


def _shape(normalized_shape: int | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(normalized_shape, tuple | list):
        return _positive(*normalized_shape)
    return _positive(normalized_shape)


def _single_or_wider(x: np.ndarray) -> np.ndarray:
    return floats(x).astype(np.promote_types(x.dtype, np.float32), copy=False)


def _last_axes(x: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of ``x`` that are averaged over; ValueError if they haven't the sizes of shape."""
    if x.shape[-len(shape) :] != shape:
        raise ValueError(f"x (…, *normalized_shape) and normalized_shape: {x.shape} and {shape}")
    return tuple(range(-len(shape), 0))
