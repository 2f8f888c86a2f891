import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.next_token import NextTokenLoss, bits_per_character, perplexity

SHAPES = [(1, 2, 2), (2, 3, 4), (3, 5, 1), (1, 1, 3), (4, 2, 6)]
each_shape = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def batch(shape, padding, rng):
    """Logits, and tokens of which a row is padded behind its end where there is padding."""
    n, length, vocabulary = shape
    tokens = rng.integers(0, vocabulary, size=(n, length))
    if padding is not None:
        tokens[-1, max(2, length // 2) :] = padding
    return rng.normal(size=shape), tokens


@each_shape
@pytest.mark.parametrize("padding", [None, -1, 0])
def test_loss_and_gradient_are_torch_s(shape, padding, rng):
    logits, tokens = batch(shape, padding, rng)
    if padding == 0:  # else one of the real tokens may happen to be 0, as in torch
        tokens[0, :] = shape[2] - 1
    targets = tokens[:, 1:].ravel()
    real = targets != padding if padding is not None else np.ones(len(targets), bool)
    if not real.any():
        with pytest.raises(ValueError, match="no target"):
            NextTokenLoss(padding).forward(logits, tokens)
        return
    z = torch.tensor(logits, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(
        z[:, :-1].reshape(-1, shape[2]),
        torch.tensor(targets),
        ignore_index=-100 if padding is None else padding,
    )
    loss.backward()
    ours = NextTokenLoss(padding)
    assert ours.forward(logits, tokens) == pytest.approx(loss.item(), abs=1e-12)
    assert ours.targets == real.sum()
    np.testing.assert_allclose(ours.backward(), z.grad.numpy(), rtol=0, atol=1e-13)


def test_the_gradient_is_that_of_central_differences(rng):
    logits, tokens = batch((2, 4, 3), -1, rng)
    loss = NextTokenLoss(-1)
    loss.forward(logits, tokens)
    expected = numerical_gradient(lambda: NextTokenLoss(-1).forward(logits, tokens), logits)
    np.testing.assert_allclose(loss.backward(), expected, rtol=0, atol=1e-8)


@settings(max_examples=40)
@given(st.integers(0, 999))
def test_what_has_no_target_makes_no_difference(seed):
    rng = np.random.default_rng(seed)
    logits, tokens = batch((3, 6, 4), -1, rng)
    expected = NextTokenLoss(-1).forward(logits, tokens)
    other = logits.copy()
    other[:, -1] = rng.normal(size=(3, 4))  # nothing comes behind the last place
    other[-1, 2:] = rng.normal(size=(4, 4))  # padding, and the place before it
    assert NextTokenLoss(-1).forward(other, tokens) == expected
    tokens[:, 0] = 0  # the first token is seen but not foretold
    assert NextTokenLoss(-1).forward(logits, tokens) == expected


def test_rows_count_by_their_targets_and_not_alike():
    logits, tokens = np.zeros((2, 4, 2)), np.array([[0, 1, 1, 1], [0, 1, -1, -1]])
    logits[1, 0] = [0.0, math.log(3)]  # 3/4 on the one target of the second row
    expected = (3 * math.log(2) + math.log(4 / 3)) / 4
    assert NextTokenLoss(-1).forward(logits, tokens) == pytest.approx(expected, abs=1e-15)


def test_equal_logits_cost_the_vocabulary_s_logarithm():
    loss = NextTokenLoss()
    found = loss.forward(np.full((2, 3, 7), 1e4), np.zeros((2, 3), int))
    assert found == pytest.approx(math.log(7), abs=1e-12)
    assert perplexity(found * loss.targets, loss.targets) == pytest.approx(7)


def test_large_logits_stay_finite(rng):
    logits = np.array([[[1e30, -1e30], [0.0, 0.0]]])
    assert NextTokenLoss().forward(logits, np.array([[0, 0]])) == 0
    loss = NextTokenLoss()
    assert loss.forward(logits, np.array([[0, 1]])) == pytest.approx(2e30)
    assert loss.backward()[0, 0].tolist() == [1, -1]


def test_single_precision_stays_single(rng):
    logits, tokens = batch((2, 3, 4), None, rng)
    loss = NextTokenLoss()
    loss.forward(logits.astype(np.float32), tokens)
    assert loss.backward().dtype == np.float32


def test_nothing_to_foretell_is_refused():
    for tokens, padding in (
        ([[1]], None),
        ([[1, 0, 0], [0, 0, 0]], 0),
        (np.empty((0, 3), int), None),
    ):
        tokens = np.array(tokens)
        with pytest.raises(ValueError, match="no target"):
            NextTokenLoss(padding).forward(np.zeros((*tokens.shape, 2)), tokens)


def test_what_does_not_fit_is_refused():
    loss = NextTokenLoss()
    with pytest.raises(ValueError, match="don't fit"):
        loss.forward(np.zeros((1, 3, 2)), np.zeros((1, 2), int))
    with pytest.raises(ValueError, match="0 to 1"):
        loss.forward(np.zeros((1, 2, 2)), np.array([[0, 2]]))
    with pytest.raises(ValueError, match="integers"):
        loss.forward(np.zeros((1, 2, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="before"):
        NextTokenLoss().backward()


def test_bits_and_perplexity_of_a_text():
    assert bits_per_character(8 * math.log(2), 4) == pytest.approx(2)
    assert perplexity(3 * math.log(10), 3) == pytest.approx(10)
    assert perplexity(0, 5) == 1 and bits_per_character(0.0, 1) == 0


def test_another_cut_of_the_same_text_changes_perplexity_and_no_bits():
    """A model that gives one text one probability, told of in long tokens and in short ones."""
    nats = 120.0
    assert perplexity(nats, 20) != pytest.approx(perplexity(nats, 60))
    assert bits_per_character(nats, 100) == pytest.approx(
        math.log2(perplexity(nats, 20)) * 20 / 100
    )
    assert bits_per_character(nats, 100) == pytest.approx(
        math.log2(perplexity(nats, 60)) * 60 / 100
    )


@pytest.mark.parametrize("of", [perplexity, bits_per_character])
def test_impossible_counts_and_nats_are_refused(of):
    for nats, count in ((1.0, 0), (-1.0, 2), (math.nan, 2), (math.inf, 2)):
        with pytest.raises(ValueError, match="at least"):
            of(nats, count)
