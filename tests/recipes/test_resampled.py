"""The interval over splits: its number, its properties, and that it holds what it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from dlcourse.recipes.resampled import over_splits


def test_a_number_worked_out_by_hand():
    # differences 1, 2, 3: mean 2, deviation 1; t of two degrees 4.302653; root of 1/3 + 2/3 is 1
    found = over_splits([0.0, 0.0, 0.0], [1.0, 2.0, 3.0], 30, 20)
    assert np.allclose(found, (2, 2 - 4.302653, 2 + 4.302653), rtol=0, atol=1e-6)


def test_with_a_tiny_test_part_it_is_the_paired_t_interval():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 12))
    usual = ttest_rel(second, first).confidence_interval(0.95)
    found = over_splits(first, second, 10**15, 1)
    assert np.allclose(found[1:], usual, rtol=0, atol=1e-9)


scores = st.lists(st.floats(-10, 10), min_size=3, max_size=8)


@given(scores, st.integers(1, 50), st.integers(1, 50), st.floats(-3, 3))
def test_exchanged_it_is_turned_round_and_a_shift_moves_it(values, train, test, shift):
    first, second = np.array(values), np.array(values[::-1])
    here, there = over_splits(first, second, train, test), over_splits(second, first, train, test)
    assert np.allclose(here, (-there.mean, -there.high, -there.low), rtol=0, atol=1e-9)
    moved = over_splits(first, second + shift, train, test)
    assert np.allclose(moved, np.array(here) + shift, rtol=0, atol=1e-9)


def test_it_holds_the_truth_nearly_as_often_as_it_says_and_the_usual_interval_does_not():
    """Predict a waiting time by the mean of 45 others, or by their median: whose error is less?"""
    rng = np.random.default_rng(1)
    fresh = rng.exponential(size=(4000, 46))
    centres = fresh[:, :45].mean(1), np.median(fresh[:, :45], axis=1)
    truth = np.subtract(*(np.abs(fresh[:, 45] - centre).mean() for centre in centres[::-1]))
    held, held_usual = 0, 0
    for _ in range(400):
        sample, errors = rng.exponential(size=60), []
        for _ in range(15):
            train, test = np.split(rng.permutation(sample), [45])
            errors.append([np.abs(test - centre(train)).mean() for centre in (np.mean, np.median)])
        found = over_splits(*np.array(errors).T, 45, 15)
        usual = (found.high - found.mean) / np.sqrt(1 / 15 + 15 / 45) * np.sqrt(1 / 15)
        held += found.low <= truth <= found.high
        held_usual += abs(found.mean - truth) <= usual
    assert held > 0.9 * 400 > 0.75 * 400 > held_usual, (held, held_usual)


@pytest.mark.parametrize(
    ("first", "second", "train", "test", "said"),
    [
        ([1.0], [2.0], 3, 1, "two at least"),
        ([1.0, 2.0], [2.0], 3, 1, "pairs"),
        ([1.0, np.nan], [2.0, 3.0], 3, 1, "NaN"),
        ([1.0, 2.0], [2.0, 3.0], 0, 1, "not 0 and 1"),
    ],
)
def test_bad_input_is_refused(first, second, train, test, said):
    with pytest.raises(ValueError, match=said):
        over_splits(first, second, train, test)
