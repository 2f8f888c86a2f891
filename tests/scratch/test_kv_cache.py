import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.attention import scaled_dot_product_attention
from dlcourse.scratch.kv_cache import KVCache


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def sequence(n, heads, groups, length, size, wide, rng, dtype=np.float64):
    """Queries (N, H, T, E), keys (N, G, T, E) and values (N, G, T, Ev)."""
    shapes = ((heads, size), (groups, size), (groups, wide))
    return [rng.normal(size=(n, h, length, e)).astype(dtype) for h, e in shapes]


def one_by_one(cache, query, key, value):
    steps = range(query.shape[2])
    return np.stack([cache.step(query[:, :, t], key[:, :, t], value[:, :, t]) for t in steps], 2)


@settings(max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 4)
)
def test_one_by_one_is_causal_attention_over_everything(n, groups, share, length, size):
    rng = np.random.default_rng(n + groups + share + length + size)
    query, key, value = sequence(n, groups * share, groups, length, size, size + 1, rng)
    found = one_by_one(KVCache(length), query, key, value)
    repeated = (np.repeat(each, share, axis=1) for each in (key, value))
    expected = scaled_dot_product_attention(query, *repeated, is_causal=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_what_comes_later_does_not_change_what_came(rng):
    query, key, value = sequence(1, 2, 2, 5, 3, 3, rng)
    cache = KVCache(5)
    first = cache.step(query[:, :, 0], key[:, :, 0], value[:, :, 0])
    kept = first.copy(), cache.keys.copy()
    one_by_one(cache, *(each[:, :, 1:] for each in (query, key, value)))
    assert np.array_equal(first, kept[0])
    assert np.array_equal(cache.keys[:, :, :1], kept[1])
    np.testing.assert_array_equal(cache.keys, key)
    np.testing.assert_array_equal(cache.values, value)


def test_the_first_token_gets_its_own_value(rng):
    query, key, value = sequence(2, 4, 2, 1, 3, 2, rng)
    found = one_by_one(KVCache(3), query, key, value)
    np.testing.assert_allclose(found, np.repeat(value, 2, axis=1), atol=1e-15)


def test_a_caller_s_arrays_are_copied_and_stay_as_they_are(rng):
    query, key, value = (each[:, :, 0] for each in sequence(1, 2, 2, 1, 3, 3, rng))
    before = [each.copy() for each in (query, key, value)]
    cache = KVCache(2)
    cache.step(query, key, value)
    assert all(np.array_equal(a, b) for a, b in zip((query, key, value), before, strict=True))
    key[:] = 99
    assert np.array_equal(cache.keys[:, :, 0], before[1])


def test_it_counts_its_numbers(rng):
    cache = KVCache(7)
    assert cache.numbers == 0
    one_by_one(cache, *sequence(2, 6, 3, 4, 5, 8, rng))
    assert cache.numbers == 2 * 3 * 4 * (5 + 8)
    assert cache.length == 4


def test_large_scores_and_single_precision(rng):
    query, key, value = sequence(1, 1, 1, 4, 2, 2, rng, np.float32)
    found = one_by_one(KVCache(4), 1e4 * query, key, value)
    assert np.isfinite(found).all() and found.dtype == np.float32


def test_what_does_not_fit_is_refused_and_changes_nothing(rng):
    query, key, value = (each[:, :, 0] for each in sequence(2, 4, 2, 1, 3, 5, rng))
    cache = KVCache(1)
    with pytest.raises(ValueError, match="nothing is kept"):
        _ = cache.keys
    wrong = [
        (query[:, :3], key, value),  # 3 heads of queries for 2 of keys
        (query[:, :, :2], key, value),
        (query, key, value[:, :1]),
        (query, key, value[:1]),
        (query[0], key[0], value[0]),
        (query[:, :0], key, value),
        (query.astype(int), key, value),
    ]
    for each in wrong:
        with pytest.raises(ValueError):
            cache.step(*each)
        assert cache.length == 0 and cache.numbers == 0
    cache.step(query, key, value)
    with pytest.raises(ValueError, match="full: it has 1"):
        cache.step(query, key, value)
    with pytest.raises(ValueError, match="max_length"):
        KVCache(0)


def test_a_step_unlike_the_first_is_refused(rng):
    query, key, value = (each[:, :, 0] for each in sequence(2, 2, 2, 1, 3, 3, rng))
    cache = KVCache(3)
    cache.step(query, key, value)
    others = [
        (query[:1], key[:1], value[:1]),
        tuple(e.astype(np.float32) for e in (query, key, value)),
    ]
    for other in others:
        with pytest.raises(ValueError, match="the cache holds"):
            cache.step(*other)
    assert cache.length == 1
