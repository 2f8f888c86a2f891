"""Measures of fairness between groups, and weights that make label and group independent.

Conventions of the course: label and decision 1 are what the person hopes for (a loan, a call), 0 is
not. ``group`` has one entry for each person, of any type that can be sorted; results that have one
entry for each group stand in sorted order, that of ``numpy.unique``. A gap is the largest rate less
the smallest.

These functions say how groups differ. Whether a difference is a wrong, they can't say.
"""

from typing import NamedTuple

import numpy as np

from dlcourse.scratch.given import array


class ParityGap(NamedTuple):
    """Difference and ratio of the groups' shares of decision 1."""

    gap: float
    ratio: float


class OddsGap(NamedTuple):
    """Differences between groups among the people of label 1, of label 0, and the larger one."""

    true_positive: float
    false_positive: float
    worst: float


class Calibration(NamedTuple):
    """For each group (G) and bin (B): people, mean score, share of label 1; and the error (G,)."""

    counts: np.ndarray
    mean_score: np.ndarray
    rate: np.ndarray
    error: np.ndarray


def zeros_and_ones(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` (N,) with N > 0 as floats; ValueError if they are anything but 0 and 1."""
    array(name, values)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name} must be (N,) with N > 0, not {values.shape}")
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1, one for each person")
    return values.astype(np.float64)


def members(group: np.ndarray, people: int) -> tuple[np.ndarray, np.ndarray]:
    """The groups, sorted, and for each person the place of its group among them.

    Raises ValueError for another shape than ``(people,)`` and for a group that is NaN.
    """
    array("group", group)
    if group.shape != (people,):
        raise ValueError(f"group must be {(people,)}, one for each person, not {group.shape}")
    if group.dtype.kind not in "biufUS":
        raise ValueError(f"groups are numbers or strings, not {group.dtype}")
    if group.dtype.kind == "f" and np.isnan(group).any():
        raise ValueError("some people's group is NaN: leave them out, or give them a group")
    names, place = np.unique(group, return_inverse=True)
    return names, place


def _rates(decisions: np.ndarray, place: np.ndarray, groups: int) -> np.ndarray:
    """Share of decision 1 in each of the groups; NaN for one without people."""
    people = np.bincount(place, minlength=groups)
    taken = np.bincount(place, weights=decisions, minlength=groups)
    return np.divide(taken, people, out=np.full(groups, np.nan), where=people > 0)


def selection_rates(decisions: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Share of decision 1 in each group, in sorted order (G,). Raises ValueError as its parts."""
    decisions = zeros_and_ones("decisions", decisions)
    names, place = members(group, len(decisions))
    return _rates(decisions, place, len(names))


def demographic_parity_gap(decisions: np.ndarray, group: np.ndarray) -> ParityGap:
    r"""How far the groups' shares of decision 1 lie apart: difference, and smallest by largest.

    :math:`\max_g P(\hat y = 1 \mid g) - \min_g P(\hat y = 1 \mid g)`. The ratio is 1 if nobody gets
    decision 1. Both arrays are (N,). Raises ValueError for other shapes, for no people, and for
    decisions other than 0 and 1.

    Source: Barocas, Hardt and Narayanan, *Fairness and Machine Learning* (2023), chapter 3
    (independence).
    """
    rates = selection_rates(decisions, group)
    low, high = float(rates.min()), float(rates.max())
    return ParityGap(high - low, low / high if high > 0 else 1.0)


def equalized_odds_gap(labels: np.ndarray, decisions: np.ndarray, group: np.ndarray) -> OddsGap:
    r"""How far the groups' shares of decision 1 lie apart among people of equal label.

    :math:`\max_g P(\hat y = 1 \mid y, g) - \min_g P(\hat y = 1 \mid y, g)` for y = 1 and for y = 0,
    and the larger of the two. A group that has nobody of a label has no rate there, and is left
    out of that gap; a gap between fewer than two groups is NaN, and ``worst`` is NaN only if both
    are. All arrays are (N,). Raises ValueError for other shapes, for no people, and for labels or
    decisions other than 0 and 1.

    Source: Hardt, Price and Srebro, *Equality of Opportunity in Supervised Learning* (2016),
    definition 2.1.
    """
    labels = zeros_and_ones("labels", labels)
    decisions = zeros_and_ones("decisions", decisions)
    if labels.shape != decisions.shape:
        raise ValueError(f"labels and decisions differ: {labels.shape} and {decisions.shape}")
    names, place = members(group, len(labels))
    gaps = []
    for label in (1, 0):
        own = labels == label
        rates = _rates(decisions[own], place[own], len(names))
        rates = rates[~np.isnan(rates)]
        gaps.append(float(np.ptp(rates)) if len(rates) > 1 else np.nan)
    known = [gap for gap in gaps if not np.isnan(gap)]
    return OddsGap(gaps[0], gaps[1], max(known) if known else np.nan)


def calibration_by_group(
    scores: np.ndarray, labels: np.ndarray, group: np.ndarray, bins: int
) -> Calibration:
    r"""What became of people with equal scores, group by group.

    Bin b of B holds the scores :math:`b/B \le s < (b+1)/B`, the last one also a score of 1; by
    :math:`\lfloor sB \rfloor`. Mean score and share of label 1 are NaN where a group has nobody.
    The error of a group is :math:`\sum_b \frac{n_b}{n} |\bar s_b - \bar y_b|`. Arrays are (N,).
    Raises ValueError for other shapes, for scores outside of 0 to 1, and for fewer bins than 1.

    Source: Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural Networks* (2017),
    section 2, for all people together; here for each group.
    """
    labels = zeros_and_ones("labels", labels)
    array("scores", scores)
    if scores.shape != labels.shape:
        raise ValueError(f"scores and labels differ: {scores.shape} and {labels.shape}")
    if scores.dtype.kind != "f" or not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("scores must be floats from 0 to 1, and none of them NaN")
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins must be a whole number of at least 1, not {bins!r}")
    names, place = members(group, len(labels))
    shape = (len(names), int(bins))
    cell = place * bins + np.minimum(np.floor(scores * bins), bins - 1).astype(np.int64)
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    sums = [np.bincount(cell, weights=v, minlength=len(counts)) for v in (scores, labels)]
    mean_score, rate = (
        np.divide(s, counts, out=np.full(len(counts), np.nan), where=counts > 0).reshape(shape)
        for s in sums
    )
    counts = counts.reshape(shape)
    share = counts / counts.sum(axis=1, keepdims=True)
    error = np.nansum(share * np.abs(mean_score - rate), axis=1)
    return Calibration(counts, mean_score, rate, error)


def reweigh(labels: np.ndarray, group: np.ndarray) -> np.ndarray:
    r"""A weight for each person (N,) under which label and group are independent.

    :math:`w = \frac{P(g)\, P(y)}{P(g, y)}` by the shares among the N people: how often a pair of
    group and label would occur if the two had nothing to do with each other, by how often it does.
    A pair that never occurs gets no weight, and then independence isn't reached. Raises ValueError
    for other shapes, for no people, and for labels other than 0 and 1.

    Source: Kamiran and Calders, *Data preprocessing techniques for classification without
    discrimination* (2012), reweighing.
    """
    labels = zeros_and_ones("labels", labels)
    names, place = members(group, len(labels))
    pair = 2 * place + labels.astype(np.int64)
    people, of_label = np.bincount(place), np.bincount(labels.astype(np.int64), minlength=2)
    together = np.bincount(pair, minlength=2 * len(names))
    expected = people[place] * of_label[labels.astype(np.int64)] / len(labels)
    return expected / together[pair]


def forced_false_positive_rate(prevalence: float, ppv: float, tpr: float) -> float:
    r"""The false positive rate that a group must have, by its prevalence and the other two rates.

    Of people with prevalence p, a rule that finds the share ``tpr`` of the positives, and of whose
    positive decisions the share ``ppv`` is right, has
    :math:`\mathrm{FPR} = \frac{p}{1 - p} \cdot \frac{1 - \mathrm{PPV}}{\mathrm{PPV}} \cdot
    \mathrm{TPR}`. NaN where that exceeds 1: no rule is like that. Raises ValueError unless
    0 < p < 1, 0 < PPV <= 1 and 0 <= TPR <= 1.

    Source: Chouldechova, *Fair prediction with disparate impact* (2017).
    """
    if not (0 < prevalence < 1 and 0 < ppv <= 1 and 0 <= tpr <= 1):
        raise ValueError(
            "prevalence must lie between 0 and 1, ppv above 0 and tpr from 0, both up to 1: "
            f"{prevalence}, {ppv}, {tpr}"
        )
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr
    return rate if rate <= 1 + 1e-12 else np.nan
