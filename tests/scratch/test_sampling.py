import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.sampling import draw, top_k, top_p, with_temperature


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def distributions(shape, seed, ties=False):
    rng = np.random.default_rng(seed)
    p = rng.integers(1, 4, size=shape) if ties else rng.gamma(0.5, size=shape) + 1e-9
    return p / p.sum(axis=-1, keepdims=True)


shapes = st.sampled_from([(1,), (2,), (5,), (3, 4), (2, 3, 7), (0, 3)])
cut = settings(max_examples=60)


@cut
@given(shapes, st.floats(0.01, 100), st.integers(0, 99))
def test_temperature_is_torch_s_softmax_of_divided_logits(shape, t, seed):
    logits = 5 * np.random.default_rng(seed).normal(size=shape)
    expected = torch.softmax(torch.tensor(logits) / t, dim=-1).numpy()
    np.testing.assert_allclose(with_temperature(logits, t), expected, rtol=0, atol=1e-12)


def test_a_temperature_of_almost_0_takes_the_largest():
    for dtype in (np.float32, np.float64):
        found = with_temperature(np.array([1e4, 1e4 - 1, -1e4], dtype), 1e-12)
        assert found.dtype == dtype and found.tolist() == [1, 0, 0]
    for dtype in (np.float32, np.float64):  # beyond what either can hold
        found = with_temperature(np.array([1e4, 1e4, -1e4], dtype), 5e-324)
        assert found.tolist() == [0.5, 0.5, 0]


@cut
@given(shapes, st.integers(1, 9), st.integers(0, 99), st.booleans())
def test_top_k_keeps_the_k_largest_in_proportion(shape, k, seed, ties):
    p = distributions(shape, seed, ties)
    found = top_k(p, k)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-12)
    assert ((found > 0).sum(axis=-1) == min(k, shape[-1])).all()
    for before, after in zip(p.reshape(-1, shape[-1]), found.reshape(-1, shape[-1]), strict=True):
        kept = after > 0
        assert before[kept].min() >= before[~kept].max(initial=0)
        np.testing.assert_allclose(after[kept], before[kept] / before[kept].sum(), atol=1e-15)


@cut
@given(shapes, st.floats(1e-6, 1), st.integers(0, 99), st.booleans())
def test_top_p_keeps_the_fewest_that_reach_it(shape, p_keep, seed, ties):
    p = distributions(shape, seed, ties)
    found = top_p(p, p_keep)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-12)
    for before, after in zip(p.reshape(-1, shape[-1]), found.reshape(-1, shape[-1]), strict=True):
        kept = after > 0
        assert before[kept].min() >= before[~kept].max(initial=0)
        assert before[kept].sum() >= p_keep - 1e-12
        assert before[kept].sum() - before[kept].min() < p_keep + 1e-12
        np.testing.assert_allclose(after[kept], before[kept] / before[kept].sum(), atol=1e-15)


def test_the_token_that_crosses_is_kept_and_no_more():
    p = np.array([0.125, 0.5, 0.25, 0.125])
    assert top_p(p, 0.5).tolist() == [0, 1, 0, 0]
    assert top_p(p, 0.500001).tolist() == [0, 2 / 3, 1 / 3, 0]
    assert top_p(p, 0.76).tolist() == [1 / 7, 4 / 7, 2 / 7, 0]  # of equals the first
    assert top_p(p, 1e-9).tolist() == [0, 1, 0, 0]


def test_of_equals_the_smaller_number_is_kept():
    equal = np.full((2, 4), 0.25)
    assert top_k(equal, 2).tolist() == top_p(equal, 0.5).tolist() == [[0.5, 0.5, 0, 0]] * 2


def test_1_keeps_all_though_a_sum_rounds_to_1_before_its_end():
    p = np.array([1 - 1e-17, 1e-17, 1e-18])
    assert (top_p(p, 1.0) > 0).all()
    assert np.array_equal(top_p(p, 1), p)


def test_types_and_arguments_stay_as_they_were(rng):
    p = distributions((3, 4), 0).astype(np.float32)
    before = p.copy()
    for found in (top_k(p, 2), top_p(p, 0.7), with_temperature(p, 2.0)):
        assert found.dtype == np.float32 and not np.shares_memory(found, p)
    assert np.array_equal(p, before)
    assert draw(p, np.zeros(3)).dtype == np.int64


def test_a_draw_s_frequencies_are_the_probabilities(rng):
    p = np.array([0.1, 0.0, 0.6, 0.3])
    u = (np.arange(100_000) + 0.5) / 100_000  # evenly spread: no luck in it
    tokens = draw(np.broadcast_to(p, (len(u), 4)), u)
    np.testing.assert_allclose(np.bincount(tokens, minlength=4) / len(u), p, atol=1e-5)


def test_a_draw_at_the_borders():
    p = np.array([0.0, 0.25, 0.0, 0.75, 0.0])
    assert [int(draw(p, u)) for u in (0.0, 0.2499, 0.25, np.nextafter(1, 0))] == [1, 1, 3, 3]
    assert draw(np.ones((2, 1)), np.array([0.0, 0.99])).tolist() == [0, 0]
    short = np.array([0.5, 0.49995, 0.0], np.float32)  # as sums of single precision may be
    assert draw(short, 0.99999) == 1


@cut
@given(st.integers(1, 30), st.integers(0, 999))
def test_no_draw_is_of_probability_0(size, seed):
    p = distributions((size,), seed)
    p[p < 0.1 * p.max()] = 0
    p = p / p.sum()
    for u in (0.0, np.nextafter(1, 0)):
        assert p[draw(p, u)] > 0


@pytest.mark.parametrize("t", [0, -1.0, np.nan, np.inf])
def test_impossible_temperatures_are_refused(t):
    with pytest.raises(ValueError, match="temperature"):
        with_temperature(np.ones(2), t)


def test_what_is_no_distribution_is_refused():
    for p in ([0.5, 0.6], [-0.1, 1.1], [np.nan, 1.0], []):
        for use in (lambda p: top_k(p, 1), lambda p: top_p(p, 0.5), lambda p: draw(p, 0.5)):
            with pytest.raises(ValueError, match="p must"):
                use(np.array(p))
    for logits in ([np.nan, 1.0], [np.inf, 0.0], []):
        with pytest.raises(ValueError, match="finite"):
            with_temperature(np.array(logits), 1.0)


def test_impossible_k_p_and_u_are_refused():
    p = np.array([0.5, 0.5])
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        top_k(p, 0)
    for p_keep in (0.0, 1.1, np.nan):
        with pytest.raises(ValueError, match="p_keep"):
            top_p(p, p_keep)
    for u in (1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="at least 0 and below 1"):
            draw(p, u)
    with pytest.raises(ValueError, match="don't fit"):
        draw(p, np.zeros(2))
