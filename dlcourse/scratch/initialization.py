"""First values of weights, so that a signal neither dies nor explodes on its way through a network.

Names, arguments and numbers as in ``torch.nn.init``; but these return a new array of ``shape``,
which is (fan_out, fan_in) for a linear layer, and the generator is an argument. For a convolution,
``(out_channels, in_channels, *kernel)``, each fan is multiplied by the kernel's size, as in torch.

Sources: Glorot and Bengio, *Understanding the Difficulty of Training Deep Feedforward Neural
Networks* (2010), section 4.2, called xavier; He, Zhang, Ren and Sun, *Delving Deep into Rectifiers*
(2015), section 2.2, called kaiming.
"""

import math
from typing import Literal

import numpy as np

from dlcourse.scratch.given import float_type

GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""By how much the weights before an activation are wider than :math:`1/\sqrt{\text{fan}}`.

    :math:`\sqrt2` for ReLU, since half of what comes in is lost; 5/3 for tanh; 3/4 for SELU; 1
    where nothing is. For a leaky ReLU of slope a, which is ``param`` or else 0.01,
    :math:`\sqrt{2/(1 + a^2)}`. ValueError for other names, and for a slope that isn't finite.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if not math.isfinite(slope):
            raise ValueError(f"the slope of a leaky ReLU must be finite, not {slope}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        known = ", ".join([*GAINS, "leaky_relu"])
        raise ValueError(f"no gain is known for {nonlinearity!r}, only for {known}")
    return GAINS[nonlinearity]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out): how many numbers a unit of ``shape`` reads, and how many units read it."""
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(
            f"weights are (fan_out, fan_in), or that and a kernel, all at least 1: {shape}"
        )
    fan_out, fan_in, *kernel = shape
    return fan_in * math.prod(kernel), fan_out * math.prod(kernel)


def xavier_uniform(
    shape: tuple[int, ...], gain: float = 1.0, *, rng: np.random.Generator, dtype=np.float64
) -> np.ndarray:
    r"""Uniform between :math:`\pm a`, :math:`a = g \sqrt{6 / (n + m)}`, fans n, m."""
    return _uniform(shape, _xavier(shape, gain), rng, dtype)


def xavier_normal(
    shape: tuple[int, ...], gain: float = 1.0, *, rng: np.random.Generator, dtype=np.float64
) -> np.ndarray:
    r"""Normal around 0 with deviation :math:`g \sqrt{2 / (n + m)}`, fans n and m."""
    return _normal(shape, _xavier(shape, gain), rng, dtype)


def kaiming_uniform(
    shape: tuple[int, ...],
    a: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: np.random.Generator,
    dtype=np.float64,
) -> np.ndarray:
    r"""Uniform between :math:`\pm g \sqrt{3 / \text{fan}}`, with the gain g of ``nonlinearity``.

    ``a`` is the slope of a leaky ReLU; the defaults are those of a plain one. ``mode`` "fan_in"
    keeps the size of the signal on its way forward, "fan_out" that of the gradient on its way back.
    """
    return _uniform(shape, _kaiming(shape, a, mode, nonlinearity), rng, dtype)


def kaiming_normal(
    shape: tuple[int, ...],
    a: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: np.random.Generator,
    dtype=np.float64,
) -> np.ndarray:
    r"""Normal around 0 with deviation :math:`g / \sqrt{\text{fan}}`; else as kaiming_uniform."""
    return _normal(shape, _kaiming(shape, a, mode, nonlinearity), rng, dtype)


def _xavier(shape: tuple[int, ...], gain: float) -> float:
    if not (math.isfinite(gain) and gain > 0):
        raise ValueError(f"a gain must be positive and finite, not {gain}")
    return gain * math.sqrt(2 / sum(fans(shape)))


def _kaiming(shape: tuple[int, ...], a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is 'fan_in' or 'fan_out', not {mode!r}")
    fan = fans(shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _uniform(shape: tuple[int, ...], std: float, rng: np.random.Generator, dtype) -> np.ndarray:
    bound = math.sqrt(3) * std  # a uniform law on ±b has deviation b / √3
    return rng.uniform(-bound, bound, shape).astype(float_type(dtype))


def _normal(shape: tuple[int, ...], std: float, rng: np.random.Generator, dtype) -> np.ndarray:
    return rng.normal(0, std, shape).astype(float_type(dtype))
