import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlcourse.checks.core.values import Refused, alike, difference, identical, plain

ARRAYS = hnp.arrays(
    hnp.floating_dtypes(sizes=(64,)),
    hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
    elements=st.floats(-1e6, 1e6),
)


class Yes:
    """Claims to be equal to everything, and to be an array."""

    shape, dtype, ndim = (2,), np.dtype(float), 1

    def __eq__(self, other):
        return True

    def __array__(self, dtype=None, copy=None):
        return np.ones(2)


class Lying(np.ndarray):
    def __eq__(self, other):
        return np.ones(self.shape, bool)


def wrong(got, want, **kwargs):
    return difference(plain(got), plain(want), kwargs.pop("tolerance", 1e-10), **kwargs)


@given(ARRAYS)
def test_an_array_differs_from_itself_in_nothing(a):
    assert wrong(a, a) is None
    assert identical(plain(a), plain(a)) and alike(plain(a), plain(a))


@given(ARRAYS.filter(lambda a: a.size > 0), st.floats(1e-3, 1e3), st.randoms())
def test_a_moved_entry_is_found_whichever_it_is(a, by, random):
    b = np.array(a)
    place = random.choice(list(np.ndindex(a.shape)))
    b[place] += by
    assert wrong(b, a) is not None


@pytest.mark.parametrize(
    "value",
    [
        Yes(),
        np.ones(2).view(Lying),
        np.ma.array([1.0, 2.0]),
        np.array([1, object()]),
        object(),
        2**80,
    ]
    + [{1.5: 2}, lambda: 1],
)
def test_what_could_speak_for_itself_is_refused(value):
    assert isinstance(plain(value), Refused)
    assert wrong(value, np.ones(2)).startswith("is a")


def test_what_could_speak_for_itself_is_refused_inside_a_list_too():
    assert "at [1]" in wrong([1.0, Yes()], [1.0, 2.0])


@pytest.mark.parametrize(
    "got, want",
    [
        (3, 3.0),
        (3.0, 3),
        (np.float64(3), 3.0),
        (np.array(3.0), 3.0),
        (np.int32([1, 2]), np.int64([1, 2])),
        ((1.0, "a"), [1.0, "a"]),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (1e-18, 0.0),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf])),
        (1 + 1e-12, 1.0),
        (None, None),
    ],
)
def test_these_are_the_same_answer(got, want):
    assert wrong(got, want) is None


@pytest.mark.parametrize(
    "got, want, words",
    [
        (np.float32([1, 2]), np.array([1.0, 2.0]), "has dtype float32; it should be float64"),
        (np.float32(1), 1.0, "has dtype float32"),
        ([1.0, 2.0], np.array([1.0, 2.0]), "is a list or tuple of 2; it should be an array"),
        (np.ones((2, 3)), np.ones((3, 2)), "has shape (2, 3); it should be (3, 2)"),
        (np.ones((3, 1)), np.ones(3), "has shape (3, 1); it should be (3,)"),
        (np.array([1.0]), 1.0, "is an array of shape (1,); it should be a number"),
        (np.array([1.0, 2.0]), np.array([1, 2]), "has dtype float64; it should be int64"),
        (np.array([True, False]), np.array([1, 0]), "has dtype bool; it should be int64"),
        (True, 1, "is True or False; it should be a number"),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "at [1]: yours is nan, right is 2.0"),
        (
            np.array([1.0, 5.5]),
            np.array([1.0, 2.0]),
            "1 of 2 entries differ, the most at [1] by 3.5",
        ),
        (1 + 1e-8, 1.0, "differs: yours is 1.00000001, right is 1.0"),
        ("b", "a", "is 'b'; right is 'a'"),
        ({"a": 1}, {"b": 1}, "has the keys ['a']; they should be ['b']"),
        ([1], [1, 2], "has 1 entries; it should have 2"),
        (None, 1.0, "is None; it should be a number"),
    ],
)
def test_the_difference_is_said_in_words(got, want, words):
    assert words in wrong(got, want)


def test_the_right_value_stays_hidden_where_it_is_the_answer():
    assert wrong(4, 3, reveal=False) == "differs: yours is 4"
    assert wrong("b", "a", reveal=False) == "is 'b'"


def test_tolerance_is_of_the_largest_entry():
    want = np.array([1e6, 1.0])
    assert wrong(want + [0, 5e-5], want) is None
    assert wrong(want + [0, 5e-4], want) is not None


def test_nan_is_identical_to_nan_so_that_a_case_may_hold_it():
    case = {"x": [np.array([1.0, np.nan])], "k": 3}
    assert identical(plain(case), plain(case))
    assert not identical(plain(case), plain({"x": [np.array([1.0, 2.0])], "k": 3}))


def test_plain_values_are_copies():
    a = np.ones(2)
    kept = plain([a])
    a[0] = 7
    assert kept[0][0] == 1


def test_alike_forgives_rounding_and_precision_but_not_kind():
    a = np.array([1.0, np.nan])
    assert alike(a, a.astype(np.float32))
    assert not alike(np.array([1, 0]), np.array([True, False]))
    assert not alike(np.ones(2), np.ones(3))
    assert not alike(np.array([1.0]), np.array([1.01]))
    assert alike({"a": [1, "b"]}, {"a": [1, "b"]}) and not alike([1], [1, 2])
