from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.ngram import NGram, discounts_of

SMOOTHINGS = ("witten-bell", "kneser-ney")
both = pytest.mark.parametrize("smoothing", SMOOTHINGS)


def witten_bell(order, vocab_size, train, context):
    """Witten and Bell's recursion, as it is written."""
    if order == 0:
        return np.full(vocab_size, 1 / vocab_size)
    shorter = witten_bell(order - 1, vocab_size, train, context)
    if len(context) < order - 1:
        return shorter
    c = list(context[len(context) - order + 1 :])
    after = [train[i] for i in range(order - 1, len(train)) if train[i - order + 1 : i] == c]
    if not after:
        return shorter
    counts, distinct = np.bincount(after, minlength=vocab_size), len(set(after))
    return (counts + distinct * shorter) / (len(after) + distinct)


def kneser_ney(order, vocab_size, train, context, longest=None):
    """Chen and Goodman's recursion, with dictionaries."""
    if order == 0:
        return np.full(vocab_size, 1 / vocab_size)
    longest = longest or order
    shorter = kneser_ney(order - 1, vocab_size, train, context, longest)
    if len(context) < order - 1:
        return shorter
    grams = Counter(tuple(train[i : i + order]) for i in range(len(train) - order + 1))
    if order < longest:
        before = defaultdict(set)
        for i in range(1, len(train) - order + 1):
            before[tuple(train[i : i + order])].add(train[i - 1])
        grams = Counter({gram: len(before[gram]) for gram in grams})
    having = Counter(grams.values())
    discount = {0: 0.0, 1: 0.5, 2: 0.5, 3: 0.5}
    for a in (1, 2, 3):
        if all(having[k] for k in (1, 2, a)) and (more := having[a + 1]):
            y = having[1] / (having[1] + 2 * having[2])
            discount[a] = min(max(a - (a + 1) * y * more / having[a], 0.1), a)
    here = tuple(context[len(context) - order + 1 :])
    after = {gram[-1]: count for gram, count in grams.items() if gram[:-1] == here}
    total = sum(after.values())
    if not total:
        return shorter
    given_up = sum(discount[min(count, 3)] for count in after.values())
    kept = np.zeros(vocab_size)
    for token, count in after.items():
        kept[token] = count - discount[min(count, 3)]
    return (kept + given_up * shorter) / total


@pytest.mark.parametrize("by_hand", [witten_bell, kneser_ney])
@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_probabilities_and_bits_are_those_of_the_recursion(by_hand, order):
    rng = np.random.default_rng(order)
    train, text = (rng.choice(4, size=n, p=[0.6, 0.2, 0.2, 0.0]) for n in (200, 25))
    text[[3, 9]] = 3  # never counted
    model = NGram(order, 4, by_hand.__name__.replace("_", "-")).fit(train)
    for t in range(len(text)):
        wanted = by_hand(order, 4, train.tolist(), text[:t].tolist())
        np.testing.assert_allclose(model.probabilities(text[:t]), wanted, rtol=0, atol=1e-12)
        assert abs(model.bits(text)[t] + np.log2(wanted[text[t]])) < 1e-12


@both
def test_they_add_up_to_one_and_none_is_zero_in_any_context(smoothing):
    model = NGram(3, 3, smoothing).fit(np.array([0, 1, 0, 1, 1, 0]))
    for context in product(range(3), repeat=4):
        p = model.probabilities(np.array(context))
        assert abs(p.sum() - 1) < 1e-12 and p.min() > 0


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 4), st.sampled_from(SMOOTHINGS))
def test_what_comes_later_changes_nothing_before(text, order, smoothing):
    model = NGram(order, 5, smoothing).fit(np.array([0, 1, 2, 3, 4, 0, 1, 2]))
    tokens = np.array(text, np.int64)
    whole = model.bits(tokens)
    assert whole.shape == tokens.shape
    np.testing.assert_array_equal(model.bits(tokens[: len(text) // 2]), whole[: len(text) // 2])


@both
def test_a_text_that_repeats_itself_costs_next_to_nothing_with_context(smoothing):
    text = np.tile([0, 1, 2, 2], 500)
    assert NGram(1, 3, smoothing).fit(text).bits(text).mean() > 1.4
    assert NGram(3, 3, smoothing).fit(text).bits(text)[10:].max() < 0.01


def test_a_token_that_follows_one_context_only_is_not_expected_after_others():
    """Kneser and Ney's point: *Francisco* is frequent, but after *San* alone."""
    san, francisco, last = 0, 1, 30
    rng, text = np.random.default_rng(0), []
    for _ in range(2000):
        text += [san, francisco] if rng.random() < 0.1 else [int(rng.integers(2, last))]
    new = np.array([last])  # a context that never came
    chances = {s: NGram(2, last + 1, s).fit(np.array(text)).probabilities(new) for s in SMOOTHINGS}
    assert chances["witten-bell"][francisco] > 2 * chances["witten-bell"][5]
    assert chances["kneser-ney"][francisco] < chances["kneser-ney"][5] / 2


def test_discounts_are_those_of_the_formula_and_a_half_where_it_has_nothing_to_go_by():
    counts = np.repeat([1, 2, 3, 4, 7], [100, 50, 30, 20, 5])
    y = 100 / (100 + 2 * 50)
    wanted = [0, 1 - 2 * y * 50 / 100, 2 - 3 * y * 30 / 50, 3 - 4 * y * 20 / 30]
    np.testing.assert_allclose(discounts_of(counts), wanted)
    np.testing.assert_array_equal(discounts_of(np.array([2, 2, 5])), [0, 0.5, 0.5, 0.5])


@both
def test_without_text_all_are_equally_likely(smoothing):
    model = NGram(3, 8, smoothing).fit(np.array([], np.int64))
    np.testing.assert_array_equal(model.bits(np.arange(8)), np.full(8, 3.0))
    assert model.bits(np.array([], np.int64)).shape == (0,)


@pytest.mark.parametrize("asked", [(0, 3), (2, 0), (2, 3, "laplace")])
def test_what_is_impossible_is_refused(asked):
    with pytest.raises(ValueError, match="at least 1|witten-bell or kneser-ney"):
        NGram(*asked)


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
