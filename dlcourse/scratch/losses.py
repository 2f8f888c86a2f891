r"""Losses, each with its gradient: what a prediction costs, and how the cost moves with it.

Names, arguments and the mean follow ``torch.nn`` with ``reduction="mean"``. Each loss is minus the
logarithm of a likelihood, up to constants: of a Gaussian (:class:`MSELoss`), of a Gaussian with
heavier, exponential tails (:class:`HuberLoss`), of a coin (:class:`BCEWithLogitsLoss`), of a die
(:class:`CrossEntropyLoss`). The last two take logits, because the logarithm of a rounded
probability has lost what the logit still knows.

Predictions are floats and decide the type of the gradient. Shapes that differ are refused, because
broadcasting would average over all pairs; so are NaN, infinities and a mean over nothing.

Sources: Bishop, *Pattern Recognition and Machine Learning* (2006), sections 1.2.5, 4.3.2 and 4.3.4;
Huber, *Robust Estimation of a Location Parameter* (Annals of Mathematical Statistics 35(1), 1964);
Blanchard, Higham and Higham, *Accurately computing the log-sum-exp and softmax functions* (IMA
Journal of Numerical Analysis 41(4), 2021), for the shift by the largest logit.
"""

import numpy as np

from dlcourse.scratch.given import array, seen


def log_softmax(logits: np.ndarray) -> np.ndarray:
    r"""Logarithms of :func:`softmax` along the last axis, for large ``logits`` (..., K) too.

    :math:`\log p_k = (z_k - m) - \log \sum_j e^{z_j - m}` with :math:`m = \max_j z_j`: no exponent
    is positive, and one of them is 0, so the sum neither overflows nor vanishes. Right for logits
    whose differences fit their type.
    """
    shifted = _shifted(logits)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(logits: np.ndarray) -> np.ndarray:
    r"""Probabilities :math:`p_k = e^{z_k} / \sum_j e^{z_j}` along the last axis of ``logits``.

    A number added to all logits of a row changes nothing, so the largest is subtracted first. What
    is smaller than the smallest float becomes 0: take :func:`log_softmax`, not the logarithm of
    this. Raises ValueError for integers, for NaN and infinities, and for no classes.
    """
    e = np.exp(_shifted(logits))
    return e / e.sum(axis=-1, keepdims=True)


def _shifted(logits: np.ndarray) -> np.ndarray:
    _check_floats("logits", logits)
    if not logits.ndim or not logits.shape[-1]:
        raise ValueError(f"logits must be (..., K) with K > 0 classes, not {logits.shape}")
    return logits - logits.max(axis=-1, keepdims=True)


def _check_floats(name: str, x: np.ndarray) -> None:
    if not np.issubdtype(array(name, x, scalars=True).dtype, np.floating):
        raise ValueError(f"{name} must be floats, not {x.dtype}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} has entries that are NaN or infinite")


def _checked(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``target`` in the type of ``prediction``, after both are found to fit."""
    array("prediction", prediction, scalars=True)
    array("target", target, scalars=True)
    if prediction.shape != target.shape:
        raise ValueError(
            f"prediction and target differ in shape: {prediction.shape} and {target.shape}"
        )
    if not prediction.size:
        raise ValueError(f"no entries, of shape {prediction.shape}: their mean is not a number")
    _check_floats("prediction", prediction)
    if target.dtype.kind not in "iufb":
        raise ValueError(f"target must be numbers, not {target.dtype}")
    target = target.astype(prediction.dtype)
    _check_floats("target", target)
    return target


def _mean(entries: np.ndarray) -> float:
    return float(np.mean(entries, dtype=np.float64))


class MSELoss:
    r"""Squared error, :math:`L = \frac{1}{n} \sum_i (\hat y_i - y_i)^2` over all n entries.

    Minus the log-likelihood of errors from a Gaussian, whatever its width, but for factor and
    constant. No 1/2: its gradient is :math:`\frac{2}{n} (\hat y - y)`.
    """

    _error: np.ndarray | None = None  # needed by backward

    def forward(self, prediction: np.ndarray, target: np.ndarray) -> float:
        """Loss of ``prediction`` against ``target`` of the same shape, whichever it is."""
        self._error = prediction - _checked(prediction, target)
        return _mean(np.square(self._error, dtype=np.float64))  # float16 ends at 65,504

    def backward(self) -> np.ndarray:
        """Gradient with respect to ``prediction``, in its shape and type."""
        error = seen(self._error)
        return 2 * error / error.size


class HuberLoss:
    r"""Squared near the target, linear far from it; mean over all n entries.

    With :math:`r = \hat y - y`, an entry costs :math:`\frac{1}{2} r^2` where :math:`|r| \le
    \delta`, else :math:`\delta (|r| - \frac{1}{2} \delta)`: value and slope agree where they meet.
    No single error pulls harder than :math:`\delta / n`. ``delta`` is in the unit of the target.
    """

    _error: np.ndarray | None = None  # needed by backward

    def __init__(self, delta: float = 1.0):
        if not (np.isfinite(delta) and delta > 0):
            raise ValueError(f"delta is {delta}: it must be a positive number")
        self.delta = delta

    def forward(self, prediction: np.ndarray, target: np.ndarray) -> float:
        """Loss of ``prediction`` against ``target`` of the same shape, whichever it is."""
        self._error = prediction - _checked(prediction, target)
        size = np.abs(self._error).astype(np.float64)
        near = np.minimum(size, self.delta)  # the part of the error that is squared
        return _mean(0.5 * near**2 + self.delta * (size - near))

    def backward(self) -> np.ndarray:
        """Gradient with respect to ``prediction``, in its shape and type."""
        error = seen(self._error)
        return np.clip(error, -self.delta, self.delta) / error.size


class BCEWithLogitsLoss:
    r"""Binary cross-entropy of logits, mean over all n entries.

    :math:`L = -\frac{1}{n} \sum_i y_i \log \sigma(z_i) + (1 - y_i) \log (1 - \sigma(z_i))`,
    for targets from 0 to 1, calculated as :math:`\max(z, 0) - y z + \log(1 + e^{-|z|})`. Entries
    are yes-or-no questions of their own, however many there are in a row.
    """

    _error: np.ndarray | None = None  # needed by backward

    def forward(self, prediction: np.ndarray, target: np.ndarray) -> float:
        """Loss of logits ``prediction`` against ``target`` of the same shape, from 0 to 1."""
        target = _checked(prediction, target)
        if target.min() < 0 or target.max() > 1:
            raise ValueError(
                f"targets must lie between 0 and 1, not between {target.min()} and {target.max()}"
            )
        small = np.exp(-np.abs(prediction))  # between 0 and 1: can't overflow
        probability = np.where(prediction >= 0, 1, small) / (1 + small)
        self._error = probability - target
        return _mean(np.maximum(prediction, 0) - target * prediction + np.log1p(small))

    def backward(self) -> np.ndarray:
        r"""Gradient with respect to ``prediction``: :math:`(\sigma(z) - y) / n`."""
        error = seen(self._error)
        return error / error.size


class CrossEntropyLoss:
    r"""Cross-entropy of K exclusive classes, mean over N samples.

    :math:`L = -\frac{1}{N} \sum_n \log p_{n, y_n}` with :math:`p_n` the :func:`softmax` of row n.
    Takes logits: a softmax before it would be a second one.
    """

    _cache: tuple[np.ndarray, np.ndarray] | None = None  # probabilities and targets

    def forward(self, prediction: np.ndarray, target: np.ndarray) -> float:
        """Loss of logits ``prediction`` (N, K) against class numbers ``target`` (N,), 0 to K-1."""
        array("prediction", prediction, scalars=True)
        array("target", target, scalars=True)
        if prediction.ndim != 2 or target.shape != prediction.shape[:1]:
            raise ValueError(
                "prediction (N, K) and target (N,) don't fit: "
                f"{prediction.shape} and {target.shape}"
            )
        if not prediction.size:
            raise ValueError(f"no entries, of shape {prediction.shape}: their mean is not a number")
        classes = prediction.shape[1]
        if not np.issubdtype(target.dtype, np.integer):
            raise ValueError(f"target must be class numbers, integers, not {target.dtype}")
        if target.min() < 0 or target.max() >= classes:
            raise ValueError(
                f"class numbers must be 0 to {classes - 1}, for prediction {prediction.shape}, "
                f"not {target.min()} to {target.max()}"
            )
        log_p = log_softmax(prediction)
        self._cache = np.exp(log_p), target.copy()
        return _mean(-log_p[np.arange(len(target)), target])

    def backward(self) -> np.ndarray:
        r"""Gradient with respect to ``prediction``: :math:`(p_{nk} - [k = y_n]) / N`."""
        p, target = seen(self._cache)
        grad = p.copy()
        grad[np.arange(len(grad)), target] -= 1
        return grad / len(grad)
