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
from typing import Any

import numpy as np

from dlcourse.scratch.given import fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer, Linear


def attention_weights(
    query: np.ndarray,
    key: np.ndarray,
    attn_mask: np.ndarray | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> np.ndarray:
    r""":math:`A = \mathrm{softmax}(s\, Q K^\top)`, each row a distribution over the keys.

    ``query`` is (…, L, E), ``key`` (…, S, E), A (…, L, S). The scale s is :math:`1 / \sqrt{E}` if
    it isn't given: products of E numbers of variance 1 have variance E. ``attn_mask``, of any shape
    that broadcasts to that of A, is True where the query may attend; ``is_causal`` lets query i
    attend to keys 0 to i only; with both, both must allow it. Where nothing is allowed the row
    is 0. ValueError for shapes that don't fit, types that aren't floats, masks that aren't Boolean.
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


class MultiHeadAttention(Layer):
    r"""Attention in ``num_heads`` subspaces at once, :math:`y = W_o\,[Y_1; \dots; Y_h] + b_o`.

    Head k takes its ``embed_dim / num_heads`` features of :math:`W_q\,x_q + b_q`,
    :math:`W_k\,x_k + b_k` and :math:`W_v\,x_v + b_v` as query, key and value of
    :func:`scaled_dot_product_attention`. Parameters are those of ``torch.nn.MultiheadAttention``:
    ``in_proj_weight`` (3 embed_dim, embed_dim) holds :math:`W_q`, :math:`W_k` and :math:`W_v` below
    each other, ``in_proj_bias`` (3 embed_dim,); ``out_proj.weight`` (embed_dim, embed_dim),
    ``out_proj.bias`` (embed_dim,); no biases with ``bias=False``. Biases start at 0,
    ``in_proj_weight`` uniformly between :math:`\pm\sqrt{6 / (4E)}`, and ``out_proj.weight`` as in
    ``Linear``. No dropout; key and value are as wide as the query.

    Source: Vaswani and others (2017), section 3.2.2; Glorot and Bengio, *Understanding the
    Difficulty of Training Deep Feedforward Neural Networks* (2010), section 4.2.1, for the bound.
    """

    _cache: tuple[tuple[np.ndarray, ...], np.ndarray] | None = None  # inputs, heads side by side

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        bias: bool = True,
        *,
        is_causal: bool = False,
        rng: np.random.Generator,
        dtype=np.float64,
    ):
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"embed_dim {embed_dim} can't be split among {num_heads} heads")
        dtype = float_type(dtype)
        bound = math.sqrt(6 / (4 * embed_dim))
        params = {
            "in_proj_weight": rng.uniform(-bound, bound, (3 * embed_dim, embed_dim)).astype(dtype)
        }
        if bias:
            params["in_proj_bias"] = np.zeros(3 * embed_dim, dtype)
        out = Linear(embed_dim, embed_dim, rng=rng, dtype=dtype)
        params["out_proj.weight"] = out.params["weight"]
        if bias:
            params["out_proj.bias"] = np.zeros(embed_dim, dtype)
        super().__init__(**params)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self._attention = ScaledDotProductAttention(is_causal)

    @property
    def weights(self) -> np.ndarray:
        """(N, num_heads, L, S), what each query of the last forward attended to, head by head."""
        if self._attention.weights is None:
            raise ValueError("there are no weights before a forward")
        return self._attention.weights

    def forward(
        self,
        query: np.ndarray,
        key: np.ndarray | None = None,
        value: np.ndarray | None = None,
        attn_mask: np.ndarray | None = None,
    ) -> np.ndarray:
        """``y`` (N, L, E) for ``query`` (N, L, E), and ``key`` and ``value`` (N, S, E).

        ``forward(x)`` is self-attention, all three are x. ``attn_mask`` is True where a query may
        attend: (L, S) for all alike, or four axes that broadcast to (N, num_heads, L, S), such as
        (N, 1, 1, S) to leave out padding of each example. ValueError for other shapes and types.
        """
        if (key is None) != (value is None):
            raise ValueError("key and value come together, or neither does: self-attention")
        inputs = (query,) if key is None or value is None else (query, key, value)
        for name, x in zip(("query", "key", "value"), inputs, strict=False):
            if floats(x).ndim != 3 or x.shape[2] != self.embed_dim:
                weight = self.params["in_proj_weight"].shape
                raise ValueError(
                    f"{name} (N, length, E) and in_proj_weight (3E, E) don't fit: "
                    f"{x.shape} and {weight}"
                )
        if len(inputs) == 3 and (
            inputs[1].shape != inputs[2].shape or len(query) != len(inputs[1])
        ):
            raise ValueError(
                "query (N, L, E), key and value (N, S, E) don't fit: "
                + ", ".join(str(x.shape) for x in inputs)
            )
        if (
            attn_mask is not None and np.ndim(attn_mask) == 3
        ):  # of N or of num_heads? broadcasting would guess
            raise ValueError(
                "attn_mask must be (L, S) or broadcast to (N, num_heads, L, S) with four axes, "
                f"not {np.shape(attn_mask)}"
            )
        size = self.embed_dim
        if len(inputs) == 1:  # one product for all three
            parts = np.split(self._project(query, slice(None)), 3, axis=-1)
        else:
            parts = [self._project(x, self._rows(at)) for at, x in enumerate(inputs)]
        q, k, v = map(self._heads, parts)
        y = self._attention.forward(q, k, v, attn_mask)
        merged = y.transpose(0, 2, 1, 3).reshape(-1, size)  # (N L, E)
        self._cache = inputs, merged
        out = merged @ self.params["out_proj.weight"].T + self.params.get("out_proj.bias", 0.0)
        return out.reshape(query.shape)

    def backward(self, dy: np.ndarray) -> Any:
        """Add to ``grads``, for ``dy`` (N, L, E); return dx after ``forward(x)``.

        After ``forward(query, key, value)`` it is three arrays: dquery, dkey, dvalue.
        """
        inputs, merged = seen(self._cache)
        size = self.embed_dim
        rows = fits(dy, inputs[0].shape).reshape(-1, size)
        self._add("out_proj.weight", "out_proj.bias", slice(None), rows, merged)
        d_heads = self._heads((rows @ self.params["out_proj.weight"]).reshape(dy.shape))
        parts = [
            d.transpose(0, 2, 1, 3).reshape(-1, size) for d in self._attention.backward(d_heads)
        ]
        if len(inputs) == 1:
            return self._unproject(np.concatenate(parts, axis=1), inputs[0], slice(None))
        return tuple(
            self._unproject(d, x, self._rows(at))
            for at, (d, x) in enumerate(zip(parts, inputs, strict=True))
        )

    def _rows(self, part: int) -> slice:
        return slice(part * self.embed_dim, (part + 1) * self.embed_dim)

    def _heads(self, x: np.ndarray) -> np.ndarray:
        """(N, length, E) as (N, num_heads, length, E / num_heads), a view."""
        n, length, size = x.shape
        return x.reshape(n, length, self.num_heads, size // self.num_heads).transpose(0, 2, 1, 3)

    def _project(self, x: np.ndarray, rows: slice) -> np.ndarray:
        weight = self.params["in_proj_weight"][rows]
        flat = x.reshape(-1, self.embed_dim) @ weight.T
        if "in_proj_bias" in self.params:
            flat += self.params["in_proj_bias"][rows]
        return flat.reshape(*x.shape[:2], len(weight))

    def _unproject(self, d: np.ndarray, x: np.ndarray, rows: slice) -> np.ndarray:
        self._add("in_proj_weight", "in_proj_bias", rows, d, x.reshape(-1, self.embed_dim))
        return (d @ self.params["in_proj_weight"][rows]).reshape(x.shape)

    def _add(self, weight: str, bias: str, rows: slice, d: np.ndarray, from_: np.ndarray) -> None:
        self.grads[weight][rows] += d.T @ from_
        if bias in self.grads:
            self.grads[bias][rows] += d.sum(axis=0)


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
