r"""Attention: every position takes a weighted mean of values, and comparing sets the weights.

Sequences are (N, L, E), N examples of L positions of width E: torch with ``batch_first=True``. A
mask is Boolean, True where a query may attend to a key, as for torch's
``scaled_dot_product_attention``; ``torch.nn.MultiheadAttention`` has it the other way round. A
query that may attend to nothing gets 0 and sends no gradient back: a softmax over nothing would be
NaN. What is masked has no influence while it is finite: a NaN in a value is NaN out, for it is
multiplied by a weight of 0, and so is a NaN in a key that a query may attend to.

Source: Vaswani and others, *Attention Is All You Need* (2017), section 3.2.
"""

import math

import numpy as np

from dlcourse.scratch.given import fits, floats, seen
from dlcourse.scratch.layers import Layer


def attention_weights(
    query: np.ndarray,
    key: np.ndarray,
    attn_mask: np.ndarray | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> np.ndarray:
    r""":math:`A = \mathrm{softmax}(s\, Q K^\top)`, each row a distribution over the keys.

    ``query`` is (…, L, E), ``key`` (…, S, E), A (…, L, S). The scale s is :math:`1 / \sqrt{E}` if
    it isn't given: scores of entries with mean 0 and variance 1 have variance E. ``attn_mask``, of
    any shape that broadcasts to that of A, is True where the query may attend; ``is_causal`` lets
    query i attend to keys 0 to i only; with both, both must allow it. Where nothing is allowed the
    row is 0. ValueError for shapes that don't fit, types that aren't floats, masks that aren't
    Boolean.
    """
    for name, array in (("query", query), ("key", key)):
        if floats(array).ndim < 2:
            raise ValueError(f"{name} must be (…, length, width), not {array.shape}")
    if query.shape[:-2] != key.shape[:-2] or query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query (…, L, E) and key (…, S, E) don't fit: {query.shape} and {key.shape}"
        )
    if not query.shape[-1]:
        raise ValueError(f"query and key need a width of at least 1: {query.shape}")
    scores = (query * _scale(scale, query)) @ key.swapaxes(-1, -2)
    allowed = _allowed(attn_mask, is_causal, scores.shape)
    if allowed is not None:
        np.copyto(scores, -np.inf, where=~allowed)
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    if allowed is not None:  # where nothing is, -inf minus itself would be NaN, and 0 / 0
        nothing = ~np.atleast_1d(allowed).any(axis=-1, keepdims=True)
        top = np.where(nothing, 0, top)
    scores -= top
    np.exp(scores, out=scores)
    total = scores.sum(axis=-1, keepdims=True)
    if allowed is not None:
        total = np.where(nothing, 1, total)
    scores /= total
    return scores


def scaled_dot_product_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    attn_mask: np.ndarray | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> np.ndarray:
    r""":math:`Y = A V`, (…, L, Ev), with A of :func:`attention_weights`, ``value`` (…, S, Ev).

    Everything else as there; with a backward, it is :class:`ScaledDotProductAttention`.
    """
    return ScaledDotProductAttention(is_causal, scale).forward(query, key, value, attn_mask)


class ScaledDotProductAttention(Layer):
    """:func:`scaled_dot_product_attention` with its backward; nothing to learn.

    ``weights`` are those of the last forward, (…, L, S), to be looked at.
    """

    weights: np.ndarray | None = None
    _cache: tuple[np.ndarray, ...] | None = None  # query, key, value and y

    def __init__(self, is_causal: bool = False, scale: float | None = None):
        super().__init__()
        self.is_causal, self.scale = is_causal, scale

    # three arrays come in, so three gradients go out: no Layer that stands in a row
    def forward(  # type: ignore[override]
        self,
        query: np.ndarray,
        key: np.ndarray,
        value: np.ndarray,
        attn_mask: np.ndarray | None = None,
    ) -> np.ndarray:
        """``y`` (…, L, Ev) for query (…, L, E), key (…, S, E) and value (…, S, Ev)."""
        if floats(key).shape[:-1] != floats(value).shape[:-1]:
            raise ValueError(
                f"key (…, S, E) and value (…, S, Ev) don't fit: {key.shape} and {value.shape}"
            )
        self.weights = attention_weights(query, key, attn_mask, self.is_causal, self.scale)
        y = self.weights @ value
        self._cache = query, key, value, y
        return y

    def backward(  # type: ignore[override]
        self, dy: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r"""dquery, dkey and dvalue, for ``dy`` of the shape of y.

        :math:`dV = A^\top dY` and :math:`dA = dY V^\top`; through the softmax of a row,
        :math:`dS = A \odot (dA - \sum_j dA_j A_j)`, where the sum is that of :math:`dY \odot Y`
        too, over fewer numbers; then :math:`dQ = s\, dS\, K` and :math:`dK = s\, dS^\top Q`.
        """
        query, key, value, y = seen(self._cache)
        weights = seen(self.weights)
        fits(dy, y.shape)
        d_value = weights.swapaxes(-1, -2) @ dy
        d_scores = dy @ value.swapaxes(-1, -2)
        d_scores -= (dy * y).sum(axis=-1, keepdims=True)
        d_scores *= weights
        scale = _scale(self.scale, query)
        d_key = d_scores.swapaxes(-1, -2) @ (query * scale)
        return d_scores @ (key * scale), d_key, d_value


def _scale(scale: float | None, query: np.ndarray) -> float:
    if scale is None:
        return 1 / math.sqrt(query.shape[-1])
    if not math.isfinite(scale):
        raise ValueError(f"scale must be finite, not {scale}")
    return float(scale)


def _allowed(mask: np.ndarray | None, is_causal: bool, shape: tuple[int, ...]) -> np.ndarray | None:
    """Both rules in one mask that broadcasts to ``shape``, or None where all is allowed."""
    causal = np.tri(shape[-2], shape[-1], dtype=bool) if is_causal else None
    if mask is None:
        return causal
    if not isinstance(mask, np.ndarray | np.generic) or mask.dtype != bool:
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise ValueError(f"attn_mask is Boolean, True where a query may attend, not {kind}")
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"attn_mask doesn't broadcast to (…, L, S): {mask.shape} and {shape}")
    return mask if causal is None else mask & causal
