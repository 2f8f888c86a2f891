r"""Choosing the next token: distributions made sharper or shorter, and a draw from them.

All functions work along the last axis: logits and probabilities are (…, V), for V tokens. Of tokens
with equal probability those with smaller numbers are kept first.

Source: Holtzman and others, *The Curious Case of Neural Text Degeneration* (2020), section 3.
"""

import math

import numpy as np

from dlcourse.scratch.given import floats
from dlcourse.scratch.losses import softmax

ROUNDING = {2: 1e-2, 4: 1e-4, 8: 1e-8}  # how far a sum may be from 1, by the bytes of a float


def with_temperature(logits: np.ndarray, t: float) -> np.ndarray:
    r""":math:`p_i = e^{z_i / t} / \sum_j e^{z_j / t}`, in the shape and type of ``logits``.

    Below 1 the temperature ``t`` sharpens, above 1 it flattens; towards 0 the largest logit takes
    all. ValueError for a ``t`` that isn't positive and finite, and for logits that aren't finite.
    """
    if not (math.isfinite(t) and t > 0):
        raise ValueError(f"the temperature must be positive and finite, not {t}")
    if floats(logits).ndim < 1 or not logits.shape[-1] or not np.isfinite(logits).all():
        raise ValueError(f"logits must be (…, V), all finite, of at least one token: {logits}")
    shifted = (logits - logits.max(axis=-1, keepdims=True)).astype(np.float64)
    with np.errstate(over="ignore"):  # a tiny t makes -inf of what is far below the largest
        p = softmax(np.maximum(shifted / t, np.finfo(np.float64).min))
    return p.astype(logits.dtype)


def top_k(p: np.ndarray, k: int) -> np.ndarray:
    """``p`` with all but its ``k`` largest entries 0, and those made to add up to 1.

    With ``k`` of V or more all are kept. ValueError for a ``k`` below 1, and where ``p`` is no
    distribution.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return _kept(_distribution(p), _rank(p) < k)


def top_p(p: np.ndarray, p_keep: float) -> np.ndarray:
    r"""``p`` on the smallest set of tokens whose probability reaches ``p_keep``, made to sum to 1.

    Tokens are taken from the most probable on, up to and with the one that crosses ``p_keep``: a
    token stays while those before it sum to less. With 1 all are kept. ValueError for a ``p_keep``
    that isn't above 0 and at most 1, and where ``p`` is no distribution.
    """
    if not 0 < p_keep <= 1:
        raise ValueError(f"p_keep must be above 0 and at most 1, not {p_keep}")
    _distribution(p)
    if p_keep == 1:  # a sum of many may be 1 by rounding before its end
        return _kept(p, np.ones(p.shape, bool))
    falling = -np.sort(-p, axis=-1)
    before = np.zeros(p.shape)
    before[..., 1:] = np.cumsum(falling, axis=-1, dtype=np.float64)[..., :-1]
    return _kept(p, np.take_along_axis(before, _rank(p), axis=-1) < p_keep)


def draw(p: np.ndarray, u: np.ndarray | float) -> np.ndarray:
    r"""The token at which the cumulative sum of ``p`` first exceeds ``u``, int64, of shape (…).

    With ``u`` (…) uniform on [0, 1), token i comes out with probability :math:`p_i`; one of
    probability 0 never does. ValueError for a ``u`` outside of [0, 1) or of another shape than
    ``p`` without its last axis, and where ``p`` is no distribution.
    """
    u = np.asarray(u, np.float64)
    if _distribution(p).shape[:-1] != u.shape:
        raise ValueError(f"p (…, V) and u (…) don't fit: {p.shape} and {u.shape}")
    if not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must be at least 0 and below 1: {u}")
    reached = np.cumsum(p, axis=-1, dtype=np.float64)
    total = reached[..., -1:]  # of all, which rounding may leave beside 1: u times it is below it
    return (reached <= u[..., None] * total).sum(axis=-1)


def _rank(p: np.ndarray) -> np.ndarray:
    """0 for the largest entry, 1 for the next, …; of equal ones, the one that stands first."""
    order = np.argsort(-p, axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable")


def _kept(p: np.ndarray, keep: np.ndarray) -> np.ndarray:
    kept = np.where(keep, p, p.dtype.type(0))
    return kept / kept.sum(axis=-1, keepdims=True)


def _distribution(p: np.ndarray) -> np.ndarray:
    if floats(p).ndim < 1 or not p.shape[-1]:
        raise ValueError(f"p must be (…, V), of at least one token, not {p.shape}")
    off = np.abs(p.sum(axis=-1, dtype=np.float64) - 1)
    if not ((p >= 0).all() and (off <= ROUNDING.get(p.itemsize, 1e-8)).all()):
        raise ValueError("p must be at least 0 everywhere and add up to 1")
    return p
