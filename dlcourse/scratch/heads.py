"""Attention with several heads, as one layer with parameters.

Sequences and masks are those of :mod:`dlcourse.scratch.attention`.
"""

import math
from typing import Any

import numpy as np

from dlcourse.scratch.attention import ScaledDotProductAttention
from dlcourse.scratch.given import fits, float_type, floats, seen
from dlcourse.scratch.layers import Layer, Linear


class MultiHeadAttention(Layer):
    r"""Attention in ``num_heads`` subspaces at once, :math:`y = W_o\,[Y_1; \dots; Y_h] + b_o`.

    Head k takes its ``embed_dim / num_heads`` features of :math:`W_q\,x_q + b_q`,
    :math:`W_k\,x_k + b_k` and :math:`W_v\,x_v + b_v` as query, key and value of
    :func:`~dlcourse.scratch.attention.scaled_dot_product_attention`. Parameters are those of
    ``torch.nn.MultiheadAttention``:
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
