"""How far a number would move if other people had been asked: the bootstrap.

Source: Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13 (percentile
intervals).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlcourse.scratch.given import array


class Interval(NamedTuple):
    """A number, and the two ends of its interval of 95 %."""

    value: float
    low: float
    high: float

    @property
    def leaves_out_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    clusters: np.ndarray,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
) -> Interval:
    """``statistic(rows)`` with the interval that holds 95 % of its values over new samples.

    ``clusters`` (N,) says which rows belong together: ``numpy.arange(N)`` if each stands by
    itself. A new sample draws as many clusters as there are, with replacement, and takes all rows
    of each, as indices; ``statistic`` makes a number of them. Draws of which it makes NaN are left
    out. Raises ValueError for no rows, for fewer than two clusters or two draws, and if the number
    of the sample itself, or of more than one draw in twenty, is NaN.

    A gap that can't be negative has an interval that never leaves out 0 by its lower end alone:
    give the difference with its sign.
    """
    array("clusters", clusters)
    if clusters.ndim != 1 or not len(clusters):
        raise ValueError(f"clusters must be (N,) with N > 0, not {clusters.shape}")
    if draws < 2:
        raise ValueError(f"an interval needs at least two draws, not {draws}")
    names, place = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        raise ValueError("there is one cluster: nothing can be drawn anew")
    value = float(statistic(np.arange(len(clusters))))
    if np.isnan(value):
        raise ValueError("the number of the sample itself is NaN")
    order = np.argsort(place, kind="stable")
    sizes = np.bincount(place)
    starts = np.cumsum(sizes) - sizes
    found = np.empty(draws)
    for d in range(draws):
        drawn = rng.integers(len(names), size=len(names))
        inside = np.arange(sizes[drawn].sum()) - np.repeat(
            np.cumsum(sizes[drawn]) - sizes[drawn], sizes[drawn]
        )
        found[d] = statistic(order[np.repeat(starts[drawn], sizes[drawn]) + inside])
    good = found[~np.isnan(found)]
    if len(good) < 0.95 * draws:
        raise ValueError(f"{draws - len(good)} of {draws} draws have no number: too few people")
    low, high = np.quantile(good, (0.025, 0.975))
    return Interval(value, float(low), float(high))
