from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.ngram import NGram


def by_hand(order, vocab_size, train, context):
    """Witten and Bell's recursion, as it is written."""
    if order == 0:
        return np.full(vocab_size, 1 / vocab_size)
    shorter = by_hand(order - 1, vocab_size, train, context)
    if len(context) < order - 1:
        return shorter
    c = list(context[len(context) - order + 1 :])
    after = [train[i] for i in range(order - 1, len(train)) if train[i - order + 1 : i] == c]
    if not after:
        return shorter
    counts, distinct = np.bincount(after, minlength=vocab_size), len(set(after))
    return (counts + distinct * shorter) / (len(after) + distinct)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_and_bits_are_those_of_the_recursion(order):
    rng = np.random.default_rng(order)
    train, text = (rng.choice(4, size=n, p=[0.6, 0.2, 0.2, 0.0]) for n in (60, 25))
    text[[3, 9]] = 3  # never counted
    model = NGram(order, 4).fit(train)
    for t in range(len(text)):
        wanted = by_hand(order, 4, train.tolist(), text[:t].tolist())
        np.testing.assert_allclose(model.probabilities(text[:t]), wanted, rtol=0, atol=1e-12)
        assert abs(model.bits(text)[t] + np.log2(wanted[text[t]])) < 1e-12


def test_they_add_up_to_one_and_none_is_zero_in_any_context():
    model = NGram(3, 3).fit(np.array([0, 1, 0, 1, 1, 0]))
    for context in product(range(3), repeat=4):
        p = model.probabilities(np.array(context))
        assert abs(p.sum() - 1) < 1e-12 and p.min() > 0


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 4))
def test_what_comes_later_changes_nothing_before(text, order):
    model = NGram(order, 5).fit(np.array([0, 1, 2, 3, 4, 0, 1, 2]))
    tokens = np.array(text, np.int64)
    whole = model.bits(tokens)
    assert whole.shape == tokens.shape
    np.testing.assert_array_equal(model.bits(tokens[: len(text) // 2]), whole[: len(text) // 2])


def test_a_text_that_repeats_itself_costs_next_to_nothing_with_context():
    text = np.tile([0, 1, 2, 2], 500)
    assert NGram(1, 3).fit(text).bits(text).mean() > 1.4
    assert NGram(3, 3).fit(text).bits(text)[10:].max() < 0.01


def test_without_text_all_are_equally_likely():
    model = NGram(3, 8).fit(np.array([], np.int64))
    np.testing.assert_array_equal(model.bits(np.arange(8)), np.full(8, 3.0))
    assert model.bits(np.array([], np.int64)).shape == (0,)


@pytest.mark.parametrize("sizes", [(0, 3), (2, 0), (13, 100)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1|too many for an order"):
        NGram(*sizes)


@pytest.mark.parametrize("wrong", [[3], [-1], [0.5], [[0, 1]]])
def test_other_tokens_are_refused(wrong):
    model = NGram(2, 3).fit(np.array([0, 1]))
    for call in (model.fit, model.bits, model.probabilities):
        with pytest.raises(ValueError, match="tokens are"):
            call(np.array(wrong))


def test_nothing_can_be_said_before_counting():
    for call in (NGram(2, 3).bits, NGram(2, 3).probabilities):
        with pytest.raises(ValueError, match="call fit first"):
            call(np.array([0]))
