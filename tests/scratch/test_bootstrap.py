import numpy as np
import pytest

from dlcourse.scratch.bootstrap import Interval, bootstrap


def mean_of(values):
    return lambda rows: values[rows].mean()


def test_the_interval_of_a_mean_is_nearly_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(size=2000)
    found = bootstrap(mean_of(values), np.arange(2000), rng=np.random.default_rng(1), draws=4000)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.value == values.mean()
    assert abs(found.low - (values.mean() - half)) < 0.1 * half
    assert abs(found.high - (values.mean() + half)) < 0.1 * half


def test_rows_of_a_cluster_come_together():
    clusters = np.array([3, 1, 3, 2, 1, 1])

    def whole(rows):
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[2] and counts[1] == counts[4] == counts[5]
        assert counts[0] + counts[1] + counts[3] == 3  # as many clusters as there are
        return 0.0

    bootstrap(whole, clusters, rng=np.random.default_rng(0), draws=200)


def test_copies_in_a_cluster_do_not_make_it_surer():
    values = np.random.default_rng(0).normal(size=100)
    alone = bootstrap(mean_of(values), np.arange(100), rng=np.random.default_rng(1))
    copied = np.repeat(values, 5)
    together = bootstrap(
        mean_of(copied), np.repeat(np.arange(100), 5), rng=np.random.default_rng(1)
    )
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-15)


def test_the_generator_decides_the_interval():
    values = np.random.default_rng(0).random(30)
    runs = [bootstrap(mean_of(values), np.arange(30), rng=np.random.default_rng(s), draws=50)
            for s in (1, 1, 2)]  # fmt: skip
    assert runs[0] == runs[1] != runs[2]


def test_an_interval_says_whether_it_leaves_out_zero():
    assert Interval(1, 0.1, 2).leaves_out_zero and Interval(-1, -2, -0.1).leaves_out_zero
    assert not Interval(1, -0.1, 2).leaves_out_zero


@pytest.mark.parametrize(
    ("clusters", "draws", "message"),
    [
        (np.array([]), 10, r"\(0,\)"),
        (np.ones((2, 2)), 10, r"\(2, 2\)"),
        ([1, 2], 10, "list"),
        (np.array([4, 4]), 10, "one cluster"),
        (np.array([1, 2]), 1, "not 1"),
    ],
)
def test_what_cannot_be_drawn_anew_is_refused(clusters, draws, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(lambda rows: 0.0, clusters, rng=np.random.default_rng(0), draws=draws)


def test_numbers_that_are_none_are_refused_if_they_are_many():
    with pytest.raises(ValueError, match="itself is NaN"):
        bootstrap(lambda rows: np.nan, np.arange(5), rng=np.random.default_rng(0))
    rare = np.array([1, 0, 0, 0])

    def only_with_one(rows):
        return 1.0 if rare[rows].any() else np.nan

    with pytest.raises(ValueError, match="too few people"):
        bootstrap(only_with_one, np.arange(4), rng=np.random.default_rng(0))
