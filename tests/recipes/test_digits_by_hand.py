import numpy as np
import pytest

from dlcourse.recipes.digits_by_hand import MEASURED, measure, rules, zones

pytest.importorskip("scipy")


def drawn(*boxes, paper=()):
    """An image with ink in ``boxes``, (rows, columns) each, and none in those of ``paper``."""
    image = np.zeros((28, 28), dtype=np.uint8)
    for value, parts in ((255, boxes), (0, paper)):
        for (top, bottom), (left, right) in parts:
            image[top:bottom, left:right] = value
    return image


ONE = drawn(((4, 24), (13, 16)))
ZERO = drawn(((4, 24), (6, 22)), paper=[((7, 21), (9, 19))])
EIGHT = drawn(((4, 24), (8, 20)), paper=[((7, 12), (11, 17)), ((15, 21), (11, 17))])


@pytest.mark.parametrize("image, holes, digit", [(ONE, 0, 1), (ZERO, 1, 0), (EIGHT, 2, 8)])
def test_holes_are_counted_and_plain_digits_read(image, holes, digit):
    eight = measure(image)
    assert eight.shape == (len(MEASURED),) and eight[0] == holes
    assert rules(*eight) == digit


def test_shares_are_of_the_box_and_not_of_the_image():
    half = drawn(((10, 20), (10, 20)), paper=[((15, 20), (10, 19))])  # upper half, and an edge
    np.testing.assert_allclose(measure(half)[2], 50 / 55)
    np.testing.assert_allclose(measure(half)[1], 1)


@pytest.mark.parametrize("down, right", [(0, 3), (3, 0), (2, 2), (-3, -3)])
def test_a_digit_that_is_moved_measures_the_same(down, right):
    moved = np.roll(EIGHT, (down, right), axis=(0, 1))
    np.testing.assert_array_equal(measure(moved), measure(EIGHT))
    np.testing.assert_array_equal(zones(moved), zones(EIGHT))


def test_zones_say_where_the_ink_is():
    corner = drawn(((0, 8), (0, 8)), paper=[((2, 8), (2, 7))])
    cells = zones(corner).reshape(4, 4)
    assert cells[0].min() == 1 and cells[:, 0].min() == 1 and cells[2, 2] == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (28, 1)])
def test_small_digits_have_zones_and_measures(size):
    tiny = np.full(size, 255, dtype=np.uint8)
    assert np.isfinite(measure(tiny)).all() and (zones(tiny) == 1).all()


def test_an_empty_image_measures_nothing():
    empty = np.zeros((28, 28), dtype=np.uint8)
    assert not measure(empty).any() and not zones(empty).any()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros(784, np.uint8),
        np.zeros((2, 28, 28), np.uint8),
        np.ones((28, 28)),
        [[0, 255], [255, 0]],
        [],
    ],
)
def test_what_is_no_image_of_bytes_is_refused(bad):
    for function in (measure, zones):
        with pytest.raises(ValueError, match=r"bytes"):
            function(bad)


@pytest.mark.parametrize("ink", [0, -5, 256, 300, float("nan")])
def test_ink_that_no_byte_can_tell_is_refused(ink):
    with pytest.raises(ValueError, match="from 1 to 255"):
        measure(EIGHT, ink)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_rules_refuse_what_is_no_number(bad):
    eight = measure(EIGHT)
    for place in range(8):
        with pytest.raises(ValueError, match="NaN"):
            rules(*eight[:place], bad, *eight[place + 1 :])
