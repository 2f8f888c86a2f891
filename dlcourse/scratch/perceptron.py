"""The perceptron: a unit that fires or doesn't, and learns from its mistakes only.

Conventions of the course: labels are -1 and +1; a score of exactly 0 counts as +1, the unit fires;
a sample is a mistake, and changes the weights, when label times score is 0 or less. So a score of
exactly 0 is corrected even where the label is +1: it is right by no margin at all, and a perceptron
that starts with zero weights has to start somewhere.

Sources: Rosenblatt, *The Perceptron* (Psychological Review 65(6), 1958) for the machine; Novikoff,
*On Convergence Proofs on Perceptrons* (1962) for this rule and its bound; Freund and Schapire,
*Large Margin Classification Using the Perceptron Algorithm* (Machine Learning 37(3), 1999) for the
average of its weights.
"""

from typing import NamedTuple

import numpy as np


def _check(x: np.ndarray, weight: np.ndarray, y: np.ndarray | None = None) -> None:
    if x.ndim != 2 or weight.shape != x.shape[1:]:
        raise ValueError(f"x (N, D) and weight (D,) don't fit: {x.shape} and {weight.shape}")
    if not (np.issubdtype(weight.dtype, np.floating) and np.isfinite(weight).all()):
        raise ValueError("weight must be floats, all of them finite")
    if not np.isfinite(x).all():
        raise ValueError("x has entries that are NaN or infinite: no comparison with them is true")
    if y is None:
        return
    if y.shape != x.shape[:1]:
        raise ValueError(f"x (N, D) and labels (N,) don't fit: {x.shape} and {y.shape}")
    if np.issubdtype(y.dtype, np.unsignedinteger) or not np.isin(y, (-1, 1)).all():
        raise ValueError("labels must be -1 and +1, as signed integers or floats")


def predict(x: np.ndarray, weight: np.ndarray, bias: float) -> np.ndarray:
    r"""Labels (N,) int64 for ``x`` (N, D): :math:`+1` where :math:`w \cdot x + b \ge 0`, else -1.

    ``weight`` is (D,). Raises ValueError for shapes that don't fit and entries that aren't finite.
    """
    _check(x, weight)
    return np.where(x @ weight + bias >= 0, 1, -1)


def epoch(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: float, order: np.ndarray | None = None
) -> tuple[np.ndarray, float, int]:
    r"""One pass over ``x`` (N, D) with labels ``y`` (N,): new weight (D,), bias, and its mistakes.

    For each sample in turn, if :math:`y_i (w \cdot x_i + b) \le 0`:
    :math:`w \leftarrow w + y_i x_i` and :math:`b \leftarrow b + y_i`. ``order`` holds the indices
    to visit; without it samples come as they stand. The arrays given aren't changed.
    """
    _check(x, weight, y)
    weight, mistakes = weight.copy(), 0
    for i in range(len(x)) if order is None else order:
        if y[i] * (x[i] @ weight + bias) <= 0:
            weight += y[i] * x[i]
            bias += y[i]
            mistakes += 1
    return weight, float(bias), mistakes


def averaged_epoch(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: float, order: np.ndarray | None = None
) -> tuple[np.ndarray, float, np.ndarray, float]:
    r"""The same pass as :func:`epoch`: new weight (D,) and bias, then the means of both.

    The means are over the samples visited, of weight and bias as each sample leaves them. So
    weights count for as long as they make no mistake, where :func:`epoch` hands back those that the
    last mistake left. Raises ValueError if no sample is visited: there is nothing to average.
    """
    _check(x, weight, y)
    order = np.arange(len(x)) if order is None else order
    if not len(order):
        raise ValueError("no samples: a mean over no steps is not a number")
    weight, mean_weight, mean_bias = weight.copy(), np.zeros_like(weight), 0.0
    for i in order:
        if y[i] * (x[i] @ weight + bias) <= 0:
            weight += y[i] * x[i]
            bias += y[i]
        mean_weight += weight
        mean_bias += bias
    return weight, float(bias), mean_weight / len(order), float(mean_bias / len(order))


class Fit(NamedTuple):
    """What :func:`fit` hands back."""

    weight: np.ndarray  # (D,)
    bias: float
    mistakes: list[int]  # of each epoch; its last is 0 if and only if the perceptron settled

    @property
    def settled(self) -> bool:
        """Whether a whole epoch went by without a mistake: then no later one can have any."""
        return bool(self.mistakes) and self.mistakes[-1] == 0


def fit(
    x: np.ndarray,
    y: np.ndarray,
    *,
    max_epochs: int,
    rng: np.random.Generator | None = None,
) -> Fit:
    r"""Epochs from zero weights until one has no mistake, ``max_epochs`` at most.

    With ``rng`` every epoch visits ``x`` (N, D) in an order of its own. If some unit vector
    :math:`(u, c)` has :math:`y_i (u \cdot x_i + c) \ge \gamma > 0` for all samples, the mistakes
    sum to at most :math:`(R / \gamma)^2` over all epochs, where :math:`R^2` is the largest
    :math:`\|x_i\|^2 + 1` (Novikoff 1962, with the bias as one more weight, of a constant input 1).
    """
    if max_epochs < 1:
        raise ValueError(f"max_epochs is {max_epochs}; at least one epoch is needed to learn")
    if not len(x):
        raise ValueError("no samples: a perceptron that has seen nothing isn't right about all")
    weight, bias = np.zeros(x.shape[-1]), 0.0
    mistakes: list[int] = []
    while len(mistakes) < max_epochs and (not mistakes or mistakes[-1] > 0):
        order = None if rng is None else rng.permutation(len(x))
        weight, bias, missed = epoch(x, y, weight, bias, order)
        mistakes.append(missed)
    return Fit(weight, bias, mistakes)
