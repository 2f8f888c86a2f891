import numpy as np
import pytest
from scipy.stats import binomtest

from dlcourse.recipes.compare import Difference, mcnemar, paired_bootstrap


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_interval_has_the_width_that_theory_gives(rng):
    n, p = 2000, 0.1  # the second is right on a tenth of the items more, the rest they share
    first, second = np.arange(n) < 1400, np.arange(n) < 1600
    found = paired_bootstrap(first[None], second[None], rng=rng, draws=4000)
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    assert abs(found.mean - p) < 1e-12
    np.testing.assert_allclose([found.low, found.high], [p - half, p + half], atol=0.15 * half)
    assert found.told_apart


def test_pairing_is_what_makes_the_interval_narrow(rng):
    items = rng.random(500) < 0.8
    found = paired_bootstrap(items[None], items[None], rng=rng, draws=500)
    assert found == Difference(0, 0, 0) and not found.told_apart
    shuffled = paired_bootstrap(items[None], rng.permutation(items)[None], rng=rng, draws=500)
    assert shuffled.high - shuffled.low > 0.05


def test_a_spread_over_seeds_widens_the_interval(rng):
    steady = np.tile(np.arange(400) < 300, (5, 1))
    wild = np.stack([np.arange(400) < k for k in (200, 250, 300, 350, 400)])
    narrow = paired_bootstrap(steady, steady, rng=rng, draws=500)
    wide = paired_bootstrap(steady, wild, rng=rng, draws=500)
    assert wide.mean == 0 and wide.high - wide.low > 0.1 > narrow.high - narrow.low


def test_the_second_being_better_is_positive(rng):
    worse, better = np.zeros((1, 50)), np.ones((2, 50))
    assert paired_bootstrap(worse, better, rng=rng, draws=50) == Difference(1, 1, 1)
    assert paired_bootstrap(better, worse, rng=rng, draws=50) == Difference(-1, -1, -1)


@pytest.mark.parametrize("ends", [(0.0, 0.1), (-0.1, 0.0), (-0.1, 0.1)])
def test_an_interval_that_touches_zero_tells_nothing_apart(ends):
    assert not Difference(0.0, *ends).told_apart


def test_different_items_can_not_be_paired(rng):
    with pytest.raises(ValueError, match=r"\(1, 3\) and \(1, 4\)"):
        paired_bootstrap(np.ones((1, 3)), np.ones((1, 4)), rng=rng)
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        mcnemar(np.ones(3), np.ones(4))


@pytest.mark.parametrize("right", [np.ones(3), np.ones((1, 0)), np.full((1, 3), 0.7)])
def test_what_is_not_right_or_wrong_is_refused(right, rng):
    with pytest.raises(ValueError):
        paired_bootstrap(right, right, rng=rng)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (0, 8), (3, 3), (9, 1), (40, 62)])
def test_mcnemar_is_the_exact_binomial_test(only_first, only_second):
    both = 5
    first = np.array([1] * only_first + [0] * only_second + [1] * both + [0] * both)
    second = np.array([0] * only_first + [1] * only_second + [1] * both + [0] * both)
    n = only_first + only_second
    expected = binomtest(only_first, n).pvalue if n else 1.0
    assert abs(mcnemar(first, second) - expected) < 1e-12
    assert mcnemar(second, first) == mcnemar(first, second)
