"""The logistic unit: a neuron whose output is a probability, so that it has a slope to follow.

Conventions of the course: labels are 0 and 1; the loss is the mean over the samples, in nats.
Every function takes one unit, ``weight`` (D,) with labels (N,), or K units that look at the same
inputs side by side, ``weight`` (K, D) as in ``torch.nn.Linear`` with labels (N, K). K units learn
as each of them would alone, so their losses add up.

Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.2.
"""

import numpy as np


def sigmoid(z: np.ndarray) -> np.ndarray:
    r"""Probabilities :math:`\sigma(z) = 1 / (1 + e^{-z})` for logits of any shape and any size.

    Calculated from :math:`e^{-|z|}`, which can't overflow: :math:`\sigma(z) = e^z / (1 + e^z)`
    where z is negative.
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def logits(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | float) -> np.ndarray:
    r"""Scores :math:`z = x w^\top + b`: (N,) for weight (D,), (N, K) for weight (K, D).

    Raises ValueError for shapes that don't fit.
    """
    if x.ndim != 2 or weight.shape[-1:] != x.shape[1:] or weight.ndim not in (1, 2):
        raise ValueError(f"x (N, D) and weight (…, D) don't fit: {x.shape} and {weight.shape}")
    if np.shape(bias) != weight.shape[:-1]:
        raise ValueError(
            f"bias must be {weight.shape[:-1]}, one a unit, for weight {weight.shape}, "
            f"not {np.shape(bias)}"
        )
    return x @ weight.T + bias


def loss(z: np.ndarray, labels: np.ndarray) -> float:
    r"""Binary cross-entropy of logits ``z`` (N,) or (N, K), labels 0 or 1 of the same shape.

    :math:`\frac{1}{N} \sum_{n,k} \log(1 + e^{z_{nk}}) - y_{nk} z_{nk}`, which is
    :math:`-\log \sigma(z)` for a 1 and :math:`-\log(1 - \sigma(z))` for a 0, and finite for every
    finite logit. Raises ValueError for shapes that differ (broadcasting would average over all
    pairs), for no samples, and for labels other than 0 and 1.
    """
    _check_labels(z, labels)
    # log(1 + e^z), without e^z where that is large
    softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return float(np.sum(softplus - labels * z) / len(z))


def _check_labels(z: np.ndarray, labels: np.ndarray) -> None:
    if z.shape != labels.shape:
        raise ValueError(f"logits and labels differ in shape: {z.shape} and {labels.shape}")
    if not len(z):
        raise ValueError("no samples: their mean loss is not a number")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 and 1 (the perceptron's are -1 and +1)")


def gradient(
    x: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Gradient of the loss with respect to weight and bias, in their shapes.

    :math:`\frac{\partial L}{\partial w} = \frac{1}{N} \sum_n (\sigma(z_n) - y_n)\, x_n` and
    :math:`\frac{\partial L}{\partial b} = \frac{1}{N} \sum_n (\sigma(z_n) - y_n)`.
    """
    z = logits(x, weight, bias)
    _check_labels(z, labels)
    dz = (sigmoid(z) - labels) / len(x)
    return dz.T @ x, dz.sum(axis=0)


def fit(
    x: np.ndarray, labels: np.ndarray, *, lr: float, steps: int, weight_decay: float = 0.0
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    r"""Gradient descent from zero on all samples at once: weight, bias, and the loss at each step.

    :math:`w \leftarrow w - \eta (\partial L / \partial w + \lambda w)`; the bias isn't decayed. The
    losses are those before each step, without the decay's share. ``labels`` (N,) trains one unit,
    (N, K) trains K. The loss is convex: a small enough ``lr`` has one place to go. That place lies
    at infinity if the classes can be separated and ``weight_decay`` is 0.
    """
    units = labels.shape[1:]
    weight, bias = np.zeros((*units, x.shape[1])), np.zeros(units)
    losses = []
    for _ in range(steps):
        losses.append(loss(logits(x, weight, bias), labels))
        dweight, dbias = gradient(x, labels, weight, bias)
        weight = weight - lr * (dweight + weight_decay * weight)
        bias = bias - lr * dbias
    return weight, bias, losses
