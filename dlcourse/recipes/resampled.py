"""Is one method better than another, on data of this kind? Asked by splitting one data set again
and again.

The splits share their items, so their differences aren't independent, and the usual interval is too
narrow: the more splits, the worse.
"""

import math

import numpy as np
from scipy.stats import t as student

from dlcourse.recipes.compare import Difference


def over_splits(
    first: np.ndarray, second: np.ndarray, train_size: int, test_size: int
) -> Difference:
    r"""Mean of ``second - first`` over splits, with the corrected 95 % interval.

    ``first`` and ``second`` are (splits,): the scores of the two methods on the test part of each
    split, after training on ``train_size`` items of it. With the differences :math:`d_j` of
    :math:`k` splits and their sample deviation :math:`s`, the interval is

    .. math:: \bar d \pm t_{k-1}\, s\, \sqrt{\frac{1}{k} + \frac{\text{test}}{\text{train}}}.

    Without the second fraction it is that of independent measurements. Raises ValueError for scores
    that don't come in pairs, fewer than two of them, scores that aren't finite, and sizes below 1.

    Source: Nadeau and Bengio, *Inference for the generalization error* (Machine Learning 52, 2003):
    the corrected resampled t-test.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise ValueError(f"needs pairs of scores, two at least: {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a score is NaN or infinite")
    if train_size < 1 or test_size < 1:
        raise ValueError(f"sizes must be 1 at least, not {train_size} and {test_size}")
    differences = second - first
    k, mean = len(differences), float(differences.mean())
    spread = float(differences.std(ddof=1)) * math.sqrt(1 / k + test_size / train_size)
    half = float(student.ppf(0.975, k - 1)) * spread
    return Difference(mean, mean - half, mean + half)
