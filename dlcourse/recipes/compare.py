"""Is one classifier better than another, or was it luck? Asked of the same test items."""

import math
from typing import NamedTuple

import numpy as np


class Difference(NamedTuple):
    """How much more often the second is right than the first, with a 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def _checked(right: np.ndarray) -> np.ndarray:
    right = np.asarray(right)
    if right.ndim != 2 or not right.size:
        raise ValueError(f"right must be (seeds, items), with some of each, not {right.shape}")
    if not np.isin(right, (0, 1)).all():
        raise ValueError("right must say for each answer whether it was right: True or False")
    return right.astype(np.float64)


def paired_bootstrap(
    first: np.ndarray, second: np.ndarray, *, rng: np.random.Generator, draws: int = 10_000
) -> Difference:
    """Difference in accuracy, with its spread over the test items *and* over the seeds.

    ``first`` and ``second`` are (seeds, items): whether that seed's model was right on that item.
    Each draw takes items with replacement, the same for both, and seeds with replacement, for each
    its own. Items are shared because both answered the same questions: a hard one is hard for both.
    Raises ValueError if the items differ in number.

    Source: Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13 (percentile
    intervals).
    """
    first, second = _checked(first), _checked(second)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"the two answered different items: {first.shape} and {second.shape}")
    items = first.shape[1]
    differences = np.empty(draws)
    for d in range(draws):
        chosen = rng.multinomial(items, np.full(items, 1 / items)) / items
        means = [
            rng.multinomial(len(right), np.full(len(right), 1 / len(right)))
            / len(right)
            @ (right @ chosen)
            for right in (first, second)
        ]
        differences[d] = means[1] - means[0]
    # Accuracies are fractions of small numbers; sums of floats miss them, and 0, by about 1e-16.
    ends = np.round([second.mean() - first.mean(), *np.quantile(differences, (0.025, 0.975))], 12)
    return Difference(*(float(end) + 0.0 for end in ends))  # + 0.0 turns -0.0 into 0.0


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    r"""Exact two-sided p-value that two models, right or wrong on the same items, are equally good.

    Of the :math:`n` items (N,) on which exactly one of them is right, under that hypothesis either
    is right on each with probability 1/2. Says nothing about other seeds: one model each.

    Source: McNemar, *Note on the sampling error of the difference between correlated proportions or
    percentages* (Psychometrika 12, 1947), with the binomial in place of its approximation.
    """
    first, second = _checked(np.atleast_2d(first))[0], _checked(np.atleast_2d(second))[0]
    if first.shape != second.shape:
        raise ValueError(f"the two answered different items: {first.shape} and {second.shape}")
    only_first, only_second = int(np.sum(first > second)), int(np.sum(second > first))
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1)) / 2**n
    return min(1.0, 2 * tail)
