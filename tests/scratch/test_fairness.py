import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch import fairness

DECISIONS = np.array([1, 1, 1, 0, 1, 0, 0, 0])
LABELS = np.array([1, 1, 0, 0, 1, 1, 0, 0])
GROUP = np.array(["u"] * 4 + ["v"] * 4)


def drawn(n, seed):
    """Labels, decisions and groups of n people, of at most four groups."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, high, size=n) for high in (2, 2, rng.integers(1, 5))]


people = st.builds(drawn, st.integers(1, 40), st.integers(0, 2**32 - 1))


def test_the_parity_gap_by_hand():
    assert fairness.demographic_parity_gap(DECISIONS, GROUP) == (0.5, pytest.approx(1 / 3))
    np.testing.assert_array_equal(fairness.selection_rates(DECISIONS, GROUP), [0.75, 0.25])


def test_where_nobody_is_approved_there_is_no_gap_and_the_ratio_is_one():
    assert fairness.demographic_parity_gap(np.zeros(4, int), np.array([1, 1, 2, 2])) == (0, 1)


@given(people)
def test_a_gap_is_a_share_and_forgets_names_and_order(rows):
    labels, decisions, group = rows
    order = np.random.default_rng(0).permutation(len(labels))
    found = fairness.equalized_odds_gap(labels, decisions, group)
    again = fairness.equalized_odds_gap(labels[order], decisions[order], -group[order])
    np.testing.assert_array_equal(found, again)
    assert all(0 <= gap <= 1 or np.isnan(gap) for gap in found)
    parity = fairness.demographic_parity_gap(decisions, group)
    assert 0 <= parity.gap <= 1 and 0 <= parity.ratio <= 1


@given(people)
def test_decisions_that_are_the_labels_have_no_odds_gap_and_are_calibrated(rows):
    labels, _, group = rows
    gaps = fairness.equalized_odds_gap(labels, labels, group)
    assert np.nan_to_num(gaps.worst) == 0
    found = fairness.calibration_by_group(labels.astype(float), labels, group, 5)
    np.testing.assert_array_equal(found.error, 0)


def test_the_odds_gap_by_hand():
    assert fairness.equalized_odds_gap(LABELS, DECISIONS, GROUP) == (0.5, 0.5, 0.5)


def test_a_group_without_anybody_of_a_label_is_left_out():
    labels = np.array([1, 1, 0, 0, 0, 1, 0])
    decisions = np.array([1, 0, 1, 0, 1, 1, 0])
    group = np.array([1, 1, 1, 2, 2, 3, 3])
    assert fairness.equalized_odds_gap(labels, decisions, group) == (0.5, 1.0, 1.0)
    two = group < 3
    tpr, fpr, worst = fairness.equalized_odds_gap(labels[two], decisions[two], group[two])
    assert np.isnan(tpr) and fpr == worst == 0.5


def test_nobody_to_compare_is_nan_and_not_a_gap_of_nought():
    found = fairness.equalized_odds_gap(np.array([1, 0]), np.array([1, 0]), np.array([1, 2]))
    assert np.isnan(found).all()


def test_calibration_by_hand_with_edges_and_empty_bins():
    scores = np.array([0.25, 0.0, 1.0, 0.5])
    found = fairness.calibration_by_group(scores, np.array([1, 0, 0, 1]), np.array([1, 1, 1, 2]), 2)
    np.testing.assert_array_equal(found.counts, [[2, 1], [0, 1]])
    np.testing.assert_array_equal(found.mean_score, [[0.125, 1.0], [np.nan, 0.5]])
    np.testing.assert_array_equal(found.rate, [[0.5, 0.0], [np.nan, 1.0]])
    np.testing.assert_allclose(found.error, [(2 * 0.375 + 1) / 3, 0.5], rtol=1e-15)


@given(people)
def test_counts_of_the_bins_are_all_people(rows):
    labels, _, group = rows
    scores = np.random.default_rng(1).random(len(labels))
    counts = fairness.calibration_by_group(scores, labels, group, 4).counts
    np.testing.assert_array_equal(counts.sum(axis=1), np.unique(group, return_counts=True)[1])


@given(people)
def test_weighted_labels_are_independent_of_the_group_where_all_pairs_occur(rows):
    labels, _, group = rows
    names = np.unique(group)
    labels, group = np.r_[labels, 0 * names, 0 * names + 1], np.r_[group, names, names]
    weights = fairness.reweigh(labels, group)
    np.testing.assert_allclose(weights.sum(), len(labels), rtol=1e-12)
    for g in names:
        own = group == g
        np.testing.assert_allclose(weights[own].sum(), own.sum(), rtol=1e-12)
        np.testing.assert_allclose(
            weights[own] @ labels[own] / own.sum(), labels.mean(), rtol=1e-12
        )


def test_a_pair_that_never_occurs_gets_no_weight():
    weights = fairness.reweigh(np.array([1, 1, 1, 0]), np.array([1, 1, 2, 2]))
    np.testing.assert_allclose(weights, [0.75, 0.75, 1.5, 0.5], rtol=1e-15)
    assert weights.sum() < 4


@given(st.integers(1, 30), st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_the_forced_rate_is_that_of_a_table_of_people(tp, fn, fp, tn):
    n, positives = tp + fn + fp + tn, tp + fn
    rate = fairness.forced_false_positive_rate(positives / n, tp / (tp + fp), tp / positives)
    assert abs(rate - fp / (fp + tn)) < 1e-12


def test_a_rate_above_one_is_nan():
    assert np.isnan(fairness.forced_false_positive_rate(0.9, 0.5, 0.9))


TWO = np.array([1, 2])


@pytest.mark.parametrize(
    ("labels", "group", "message"),
    [
        (np.array([]), np.array([]), r"N > 0, not \(0,\)"),
        (np.array([[0, 1]]), TWO, r"\(1, 2\)"),
        (np.array([0, 2]), TWO, "0 or 1"),
        (np.array([0.0, np.nan]), TWO, "0 or 1"),
        (np.array(["0", "1"]), TWO, "0 or 1"),
        ([0, 1], TWO, "must be an array, not a list"),
        (np.array([0, 1]), [1, 2], "must be an array, not a list"),
        (np.array([0, 1]), np.array([1, 2, 3]), r"\(2,\).*\(3,\)"),
        (np.array([0, 1]), np.array([1.0, np.nan]), "NaN"),
        (np.array([0, 1]), np.array([1, None]), "object"),
    ],
)
def test_people_that_cannot_be_counted_are_refused(labels, group, message):
    for measure in (fairness.demographic_parity_gap, fairness.selection_rates, fairness.reweigh):
        with pytest.raises(ValueError, match=message):
            measure(labels, group)
    with pytest.raises(ValueError, match=message):
        fairness.equalized_odds_gap(labels, labels, group)


def test_labels_and_decisions_of_different_people_are_refused():
    with pytest.raises(ValueError, match=r"\(8,\) and \(7,\)"):
        fairness.equalized_odds_gap(LABELS, DECISIONS[:7], GROUP)


@pytest.mark.parametrize(
    ("scores", "bins", "message"),
    [
        (np.array([0.5, 1.1]), 2, "from 0 to 1"),
        (np.array([0.5, np.nan]), 2, "from 0 to 1"),
        (np.array([0, 1]), 2, "floats"),
        (np.array([0.5]), 2, r"\(1,\) and \(2,\)"),
        ([0.5, 0.5], 2, "list"),
        (np.array([0.5, 0.5]), 0, "at least 1, not 0"),
        (np.array([0.5, 0.5]), 2.0, "whole number"),
        (np.array([0.5, 0.5]), True, "whole number"),
    ],
)
def test_scores_and_bins_that_make_no_sense_are_refused(scores, bins, message):
    with pytest.raises(ValueError, match=message):
        fairness.calibration_by_group(scores, np.array([0, 1]), TWO, bins)


@pytest.mark.parametrize("wrong", [(0, 0.5, 0.5), (1, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 1.1)])
def test_rates_that_are_no_rates_are_refused(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        fairness.forced_false_positive_rate(*wrong)
