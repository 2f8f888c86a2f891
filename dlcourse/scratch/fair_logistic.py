"""Logistic regression with a weight for each sample, and a penalty on a gap between two groups.

The two ways into a training that the unit on fairness compares: change what an example weighs, or
ask something of the answer. Labels are 0 and 1, as in :mod:`dlcourse.scratch.logistic`.
"""

import numpy as np

from dlcourse.scratch import logistic
from dlcourse.scratch.fairness import members, zeros_and_ones
from dlcourse.scratch.given import at_least_zero, floats


def mean_difference(x: np.ndarray, group: np.ndarray) -> np.ndarray:
    r"""Mean of x (N, D) in the second of two groups less that in the first, (D,).

    A linear score :math:`w \cdot x + b` then has the means' difference :math:`w \cdot d` between
    the groups. Raises ValueError unless there are two groups.
    """
    _inputs(x)
    names, place = members(group, len(x))
    if len(names) != 2:
        raise ValueError(f"a difference is one of two groups, and here are {len(names)}")
    return x[place == 1].mean(axis=0) - x[place == 0].mean(axis=0)


def objective(
    weight: np.ndarray,
    bias: float,
    x: np.ndarray,
    labels: np.ndarray,
    sample_weight: np.ndarray,
    decay: float,
    direction: np.ndarray,
    strength: float,
) -> float:
    r"""What :func:`fit` makes small.

    :math:`\frac{\sum_n \omega_n \ell_n}{\sum_n \omega_n} + \frac{\lambda}{2} |w|^2 +
    \frac{\mu}{2} (w \cdot d)^2`, with the cross-entropy :math:`\ell_n` of each sample.
    """
    z = logistic.logits(x, weight, bias)
    losses = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - labels * z
    penalty = 0.5 * decay * (weight @ weight) + 0.5 * strength * (weight @ direction) ** 2
    return float(sample_weight @ losses / sample_weight.sum() + penalty)


def fit(
    x: np.ndarray,
    labels: np.ndarray,
    sample_weight: np.ndarray | None = None,
    *,
    decay: float,
    direction: np.ndarray | None = None,
    strength: float = 0.0,
) -> tuple[np.ndarray, float]:
    r"""Weight (D,) and bias at the minimum of :func:`objective`, by Newton's method.

    ``sample_weight`` (N,) is 1 for each unless given; ``decay`` :math:`\lambda > 0` makes the
    minimum one and finite; ``direction`` d (D,) and ``strength`` :math:`\mu` press
    :math:`w \cdot d` to 0. A step that doesn't make the objective smaller is halved. Raises
    ValueError for shapes that don't fit, for weights that aren't positive and finite, and if one
    of the labels is missing.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.3; the penalty is
    a soft form of the constraint of Zafar et al., *Fairness Constraints* (2017).
    """
    _inputs(x)
    labels = zeros_and_ones("labels", labels)
    n, d = x.shape
    if len(labels) != n:
        raise ValueError(f"x and labels differ in number: {x.shape} and {labels.shape}")
    if not 0 < labels.sum() < n:
        raise ValueError("all labels are the same: there is nothing to tell apart")
    omega = np.ones(n) if sample_weight is None else floats(sample_weight)
    if omega.shape != (n,) or not (np.isfinite(omega) & (omega > 0)).all():
        raise ValueError(f"sample weights must be {(n,)}, positive and finite, not {omega.shape}")
    way = np.zeros(d) if direction is None else floats(direction)
    if way.shape != (d,) or not np.isfinite(way).all():
        raise ValueError(f"direction must be {(d,)} and finite, not {way.shape}")
    if at_least_zero("decay", decay) == 0:
        raise ValueError("decay must be above 0: without it the minimum may lie at infinity")
    at_least_zero("strength", strength)

    ones = np.c_[x, np.ones(n)]
    penalty = np.zeros((d + 1, d + 1))
    penalty[:d, :d] = decay * np.eye(d) + strength * np.outer(way, way)

    def value(theta):
        return objective(theta[:d], theta[d], x, labels, omega, decay, way, strength)

    theta = np.zeros(d + 1)
    now = value(theta)
    for _ in range(100):
        p = logistic.sigmoid(ones @ theta)
        gradient = ones.T @ (omega * (p - labels)) / omega.sum() + penalty @ theta
        curvature = (ones.T * (omega * p * (1 - p) / omega.sum())) @ ones + penalty
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < 1e-24:  # twice what is left to win
            break
        length = 1.0
        while value(theta - length * step) > now and length > 1e-6:
            length /= 2
        theta = theta - length * step
        now = value(theta)
    return theta[:d], float(theta[d])


def _inputs(x: np.ndarray) -> None:
    if floats(x).ndim != 2 or not x.size:
        raise ValueError(f"x must be (N, D) with some of each, not {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("some inputs are NaN or infinite")
