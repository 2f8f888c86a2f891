"""Layers: forward and backward side by side, with names, shapes and first values as in torch.nn.

Every layer has ``forward(x)``, ``backward(dy)``, which returns dx and adds to ``grads``, and three
dicts: ``params`` and ``grads`` with equal keys, and ``buffers``, what it keeps beside them.
``backward`` belongs to the last ``forward``, whose arrays must not have been changed since.
``train()`` and ``eval()`` say which of the two is going on; most layers do the same in both.
Forward, NaN in is NaN out. Floats only: bytes and integers would wrap around or lose their
fractions, so they are a ValueError.

Source: Goodfellow, Bengio and Courville, *Deep Learning* (2016), sections 6.3 and 6.5.
"""

import math

import numpy as np

from dlcourse.scratch.given import fits, float_type, floats, seen


class Layer:
    """What every layer offers; ``params`` and ``grads`` are empty where there is nothing to learn.

    ``buffers`` are arrays that training changes without a gradient, such as running statistics.

    A subclass writes ``forward`` and ``backward``, and names its parameters as it is made.
    """

    training = True  # torch's name and first value; batch normalisation asks

    def __init__(self, **params: np.ndarray):
        self.params = params
        self.grads = {name: np.zeros_like(p) for name, p in params.items()}
        self.buffers: dict[str, np.ndarray] = {}

    def forward(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def backward(self, dy: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def train(self, mode: bool = True) -> None:
        """Training from now on, or, with False, evaluation."""
        self.training = mode

    def eval(self) -> None:
        """Evaluation from now on: what a layer has learnt is used as it is."""
        self.train(False)

    def zero_grad(self) -> None:
        """Set all gradients to 0. Without it those of the next backward are added to them."""
        for grad in self.grads.values():
            grad[...] = 0


class Linear(Layer):
    r"""Affine map on the last axis, :math:`y = x W^\top + b`.

    ``weight`` is (out_features, in_features), ``bias`` (out_features,). Both start uniformly
    between :math:`\pm 1/\sqrt{D}`, where D is in_features, as those of ``torch.nn.Linear`` do.
    """

    _x: np.ndarray | None = None  # needed by backward

    def __init__(
        self, in_features: int, out_features: int, *, rng: np.random.Generator, dtype=np.float64
    ):
        if in_features < 1 or out_features < 1:
            raise ValueError(f"a layer needs sizes of at least 1: {in_features}, {out_features}")
        float_type(dtype)
        bound = 1 / math.sqrt(in_features)
        super().__init__(
            weight=rng.uniform(-bound, bound, (out_features, in_features)).astype(dtype),
            bias=rng.uniform(-bound, bound, out_features).astype(dtype),
        )

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map ``x`` (..., in_features) to ``y`` (..., out_features); ValueError if it can't."""
        weight, bias = self.params["weight"], self.params["bias"]
        self._x = floats(x)
        if x.shape[-1:] != weight.shape[1:]:
            raise ValueError(
                f"x (…, in_features) and weight (out_features, in_features) don't fit: "
                f"{x.shape} and {weight.shape}"
            )
        return x @ weight.T + bias

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r"""Add to ``grads`` and return ``dx`` (..., in_features), for ``dy`` (..., out_features).

        With all leading axes flattened to rows :math:`n`: :math:`dW = \sum_n dy_n x_n^\top`,
        :math:`db = \sum_n dy_n`, :math:`dx_n = W^\top dy_n`.
        """
        weight, x = self.params["weight"], seen(self._x)
        fits(dy, (*x.shape[:-1], len(weight)))
        x_rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        self.grads["weight"] += dy_rows.T @ x_rows
        self.grads["bias"] += dy_rows.sum(axis=0)
        return dy @ weight


class Sigmoid(Layer):
    r"""Entry by entry :math:`\sigma(z) = 1 / (1 + e^{-z})`: from 0 to 1, and 0.5 at 0."""

    _y: np.ndarray | None = None  # needed by backward

    def forward(self, z: np.ndarray) -> np.ndarray:
        """Of any shape and any size: :math:`e^{-|z|}` can't overflow."""
        e = np.exp(-np.abs(floats(z)))
        self._y = np.where(z >= 0, 1, e) / (1 + e)
        return self._y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dz = dy \odot y \odot (1 - y)`."""
        y = seen(self._y)
        return fits(dy, y.shape) * y * (1 - y)


class Tanh(Layer):
    r"""Entry by entry :math:`\tanh(z)`: from -1 to 1, and 0 at 0."""

    _y: np.ndarray | None = None  # needed by backward

    def forward(self, z: np.ndarray) -> np.ndarray:
        self._y = np.tanh(floats(z))
        return self._y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dz = dy \odot (1 - y^2)`."""
        y = seen(self._y)
        return fits(dy, y.shape) * (1 - y**2)


class ReLU(Layer):
    r"""Entry by entry :math:`\max(z, 0)`."""

    _z: np.ndarray | None = None  # needed by backward

    def forward(self, z: np.ndarray) -> np.ndarray:
        self._z = floats(z)
        return np.maximum(z, 0)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dz = dy` where z is positive, else 0; at the kink itself 0, as in torch."""
        z = seen(self._z)
        return np.where(z > 0, fits(dy, z.shape), 0)


class LeakyReLU(Layer):
    r"""Entry by entry z where z is positive, else ``negative_slope`` times z."""

    _z: np.ndarray | None = None  # needed by backward

    def __init__(self, negative_slope: float = 0.01):
        if not math.isfinite(negative_slope):
            raise ValueError(f"negative_slope must be finite, not {negative_slope}")
        super().__init__()
        self.negative_slope = float(negative_slope)

    def forward(self, z: np.ndarray) -> np.ndarray:
        self._z = floats(z)
        return np.where(z > 0, z, self.negative_slope * z)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dz = dy` where z is positive, else the slope times dy; so at 0, as in torch."""
        z = seen(self._z)
        return np.where(z > 0, fits(dy, z.shape), self.negative_slope * dy)


class GELU(Layer):
    r"""Entry by entry :math:`z\,\Phi(z)`, with :math:`\Phi` the normal distribution function.

    The exact form, which is ``torch.nn.GELU()``'s default; not the approximation by tanh. Source:
    Hendrycks and Gimpel, *Gaussian Error Linear Units* (2016), section 2.
    """

    _z: np.ndarray | None = None  # needed by backward

    def forward(self, z: np.ndarray) -> np.ndarray:
        self._z = floats(z)
        return np.maximum(z, -40) * _normal_cdf(z)  # at -40 it is 0 already; -inf times 0 is NaN

    def backward(self, dy: np.ndarray) -> np.ndarray:
        r""":math:`dz = dy \odot (\Phi(z) + z\,\varphi(z))`, with the density :math:`\varphi`."""
        z = seen(self._z)
        near = np.clip(z, -40, 40)  # beyond, the density is 0
        density = np.exp(-(near**2) / 2) / math.sqrt(2 * math.pi)
        return fits(dy, z.shape) * (_normal_cdf(z) + near * density)


class Sequential(Layer):
    """Layers one after the other; parameters are named as in torch: ``0.weight``, ``2.bias``.

    ``params``, ``grads`` and ``buffers`` hold the layers' own arrays: change them in place.
    """

    def __init__(self, *layers: Layer):
        width = None
        for i, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ValueError(f"layer {i} is of type {type(layer).__name__}, which is no Layer")
            if any(layer is other for other in layers[:i]):
                raise ValueError(
                    f"layer {i} stands in the row already: it remembers one forward, make another"
                )
            if not isinstance(layer, Linear):
                continue
            out_features, in_features = layer.params["weight"].shape
            if width not in (None, in_features):
                raise ValueError(
                    f"layer {i} takes {in_features} features, and {width} come out before it"
                )
            width = out_features
        self.layers = layers
        at = list(enumerate(layers))
        self.params = {f"{i}.{k}": p for i, layer in at for k, p in layer.params.items()}
        self.grads = {f"{i}.{k}": g for i, layer in at for k, g in layer.grads.items()}
        self.buffers = {f"{i}.{k}": b for i, layer in at for k, b in layer.buffers.items()}

    def forward(self, x: np.ndarray) -> np.ndarray:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: np.ndarray) -> np.ndarray:
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def train(self, mode: bool = True) -> None:
        super().train(mode)
        for layer in self.layers:
            layer.train(mode)


def _normal_cdf(z: np.ndarray) -> np.ndarray:
    """The normal distribution function, from erfc, which keeps the digits of the lower tail."""
    scaled = (np.ravel(z) / -math.sqrt(2)).tolist()
    values = np.fromiter(map(math.erfc, scaled), np.float64, len(scaled)) / 2
    return values.reshape(z.shape).astype(z.dtype)
