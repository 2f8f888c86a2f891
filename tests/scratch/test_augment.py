import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.augment import random_shift, shift


def slowly(images, offsets):
    moved = np.zeros_like(images)
    n, height, width = images.shape
    for k in range(n):
        for i in range(height):
            for j in range(width):
                a, b = i - offsets[k, 0], j - offsets[k, 1]
                if 0 <= a < height and 0 <= b < width:
                    moved[k, i, j] = images[k, a, b]
    return moved


IMAGE = np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8)


def test_down_and_right_are_positive_and_zeros_come_in():
    down_right = shift(IMAGE, np.array([[1, 1]]))
    np.testing.assert_array_equal(down_right, [[[0, 0, 0], [0, 1, 2]]])
    up = shift(IMAGE, np.array([[-1, 0]]))
    np.testing.assert_array_equal(up, [[[4, 5, 6], [0, 0, 0]]])
    assert up.dtype == np.uint8
    assert (
        not shift(IMAGE, np.array([[2, 0]])).any() and not shift(IMAGE, np.array([[0, -3]])).any()
    )


@given(
    n=st.integers(0, 4),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
def test_the_fast_way_agrees_with_loops(n, height, width, seed):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n, height, width))
    offsets = rng.integers(-7, 8, size=(n, 2))
    before = images.copy()
    np.testing.assert_array_equal(shift(images, offsets), slowly(images, offsets))
    np.testing.assert_array_equal(images, before)


@given(seed=st.integers(0, 10**6), down=st.integers(-2, 2), right=st.integers(-2, 2))
def test_a_digit_with_a_margin_comes_back_whole(seed, down, right):
    images = np.zeros((3, 8, 8))
    images[:, 2:6, 2:6] = np.random.default_rng(seed).random((3, 4, 4))
    offsets = np.tile([down, right], (3, 1))
    np.testing.assert_array_equal(shift(shift(images, offsets), -offsets), images)


def test_unsigned_offsets_and_strided_images_are_fine():
    images = np.random.default_rng(0).normal(size=(4, 6, 5))[::2, ::-1].transpose(0, 2, 1)
    offsets = np.array([[1, 0], [0, 2]], dtype=np.uint8)
    np.testing.assert_array_equal(shift(images, offsets), slowly(images, offsets.astype(int)))


def test_random_shifts_reach_every_place_and_no_further():
    images = np.zeros((2000, 7, 7))
    images[:, 3, 3] = 1
    moved = random_shift(images, 2, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(moved.sum(axis=(1, 2)), 1)
    counts = moved.sum(axis=0)
    assert (counts[1:6, 1:6] > 40).all() and counts[1:6, 1:6].sum() == 2000  # 80 each on average
    again = random_shift(images, 2, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(moved, again)
    np.testing.assert_array_equal(random_shift(images, 0, rng=np.random.default_rng(0)), images)


@pytest.mark.parametrize(
    "images, offsets",
    [
        (IMAGE[0], np.array([[1, 1]])),
        (IMAGE, np.array([1, 1])),
        (IMAGE, np.array([[1, 1], [0, 0]])),
        (IMAGE, np.array([[1, 1, 1]])),
        (IMAGE, np.array([[1.0, 1.0]])),
        (IMAGE, np.array([[np.nan, 1.0]])),
        (IMAGE.tolist(), np.array([[1, 1]])),
        (IMAGE, [[1, 1]]),
    ],
)
def test_what_doesnt_fit_is_refused(images, offsets):
    with pytest.raises(ValueError):
        shift(images, offsets)


def test_both_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(1, 2, 3\), \(2, 2\)"):
        shift(IMAGE, np.zeros((2, 2), dtype=int))


@pytest.mark.parametrize("most", [-1, 1.5, True, None, "2"])
def test_a_shift_that_is_no_whole_number_is_refused(most):
    with pytest.raises(ValueError, match="whole number"):
        random_shift(IMAGE, most, rng=np.random.default_rng(0))


def test_what_is_no_generator_and_no_images_is_refused():
    with pytest.raises(ValueError, match="rng must be a numpy Generator, not a NoneType"):
        random_shift(IMAGE, 1, rng=None)
    with pytest.raises(ValueError, match=r"images must be \(N, H, W\), not \(\)"):
        random_shift(np.array(1.0), 1, rng=np.random.default_rng(0))


def test_a_move_too_long_for_int64_leaves_nothing():
    far = np.full((1, 2), 2**64 - 1, dtype=np.uint64)
    assert not shift(IMAGE, far).any()


def test_a_list_of_images_is_refused():
    with pytest.raises(ValueError, match="list"):
        random_shift(IMAGE.tolist(), 1, rng=np.random.default_rng(0))
