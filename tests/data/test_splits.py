import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlcourse.data.splits import split, standardise


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.integers(0, 1000),
)
@example(counts=[1, 1, 55, 1], shares=[1.0, 1.0, 1.0], seed=507)
def test_parts_are_disjoint_of_their_size_and_stratified(counts, shares, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    sizes = [int(share / max(sum(shares), 1) * len(labels)) for share in shares]
    parts = split(labels, sizes, seed=seed)
    assert [len(part) for part in parts] == sizes
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    within = 2 if len(set(counts)) == 1 else max(1, len(counts) - 1)
    for part in parts:
        for c, count in enumerate(counts):
            off = (labels[part] == c).sum() - count * len(part) / len(labels)
            assert abs(off) <= within + 1e-9


def test_balanced_classes_are_split_evenly_to_the_item():
    labels = np.repeat(np.arange(10), 50)
    for part in split(labels, (300, 100, 100), seed=1):
        assert len(set(np.bincount(labels[part]))) == 1


def test_the_seed_decides_and_nothing_else():
    labels = np.repeat([0, 1], 20)
    one, same, other = (split(labels, (20, 10), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one[0], same[0])
    assert set(one[0]) != set(other[0])


def test_parts_are_not_in_the_order_of_the_classes():
    labels = np.repeat([0, 1], 100)
    part = split(labels, (100,), seed=0)[0]
    assert 0.3 < labels[part][:50].mean() < 0.7
    assert (labels[part][1:] == labels[part][:-1]).any()  # nor taken in turns


def test_a_number_of_items_stands_for_data_without_classes():
    parts = split(10, (4, 6), seed=0)
    assert sorted(np.concatenate(parts)) == list(range(10))


@pytest.mark.parametrize("sizes", [(8, 3), (-1, 3)])
def test_impossible_sizes_are_refused_with_both_numbers(sizes):
    with pytest.raises(ValueError, match="10 items"):
        split(np.zeros(10), sizes, seed=0)


def test_one_hot_labels_are_refused():
    with pytest.raises(ValueError, match=r"\(10, 2\)"):
        split(np.zeros((10, 2)), (3,), seed=0)


def test_the_training_part_alone_decides_the_scale():
    train, test = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[5.0, 2.0]])
    a, b = standardise(train, test)
    np.testing.assert_allclose(a, [[-1, -1], [1, 1]])
    np.testing.assert_allclose(b, [[4, 0]])
    np.testing.assert_allclose(standardise(train, 100 * test)[0], a)


def test_a_constant_column_is_centred_and_nothing_more():
    train = np.full((7, 1), 0.1)
    a, b = standardise(train, train + 1)
    np.testing.assert_allclose(a, 0, atol=1e-15)
    np.testing.assert_allclose(b, 1)


def test_an_empty_test_part_is_fine():
    assert standardise(np.array([[1.0], [2.0]]), np.empty((0, 1)))[1].shape == (0, 1)


@pytest.mark.parametrize(
    ("train", "other", "message"),
    [
        (np.empty((0, 2)), np.ones((1, 2)), r"\(0, 2\)"),
        (np.ones(3), np.ones(3), r"\(3,\)"),
        (np.ones((3, 2)), np.ones((3, 1)), r"\(3, 2\) and \(3, 1\)"),
        (np.array([[1.0], [np.nan]]), np.ones((1, 1)), "NaN"),
        (np.ones((2, 1)), np.array([[np.inf]]), "infinite"),
    ],
)
def test_what_would_spoil_the_scale_is_refused(train, other, message):
    with pytest.raises(ValueError, match=message):
        standardise(train, other)
