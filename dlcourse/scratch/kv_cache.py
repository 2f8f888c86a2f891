r"""Attention for one new token at a time, whose predecessors' keys and values have been kept.

Under a causal mask a token's output depends on its own query and on the keys and values up to it,
and these don't change when another token comes:

.. math:: y_t = \sum_{s \le t} \mathrm{softmax}_s\!\left(\frac{q_t^\top k_s}{\sqrt E}\right) v_s .

So generating T tokens costs T queries and not T (T + 1) / 2; what it costs instead is memory.

Sources: Vaswani and others, *Attention Is All You Need* (2017), section 3.2; Shazeer, *Fast
Transformer Decoding: One Write-Head is All You Need* (2019), section 2.4, for the cache; Ainslie
and others, *GQA* (2023), section 2.2, for queries that share keys.
"""

import numpy as np

from dlcourse.scratch.attention import scaled_dot_product_attention
from dlcourse.scratch.given import floats


class KVCache:
    """The keys and values of up to ``max_length`` tokens, and attention of the newest to them.

    Space is taken at the first step, all at once: to make the arrays longer at each step would copy
    all of them each time. Batch size, heads, widths and types stay those of the first step.
    """

    def __init__(self, max_length: int):
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1, not {max_length}")
        self.max_length = max_length
        self.length = 0  # tokens so far
        self._kept: tuple[np.ndarray, np.ndarray] | None = None  # (N, G, max_length, E or Ev)

    @property
    def keys(self) -> np.ndarray:
        """(N, G, length, E), those so far; to be looked at."""
        return self._so_far(0)

    @property
    def values(self) -> np.ndarray:
        """(N, G, length, Ev), those so far; to be looked at."""
        return self._so_far(1)

    @property
    def numbers(self) -> int:
        """How many numbers the tokens so far hold: N G length (E + Ev), for each layer."""
        return self.keys.size + self.values.size if self._kept else 0

    def step(self, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
        """``y`` (N, H, Ev) for the ``query`` (N, H, E) of one new token, which sees itself too.

        ``key`` is (N, G, E) and ``value`` (N, G, Ev), for G heads of keys and values; H is a
        multiple of G, and each of them serves H / G heads of queries that stand side by side.
        ValueError where shapes or types don't fit, and for more than ``max_length`` tokens; what
        was kept is then as it was.
        """
        self._check(query, key, value)
        if self._kept is None:
            self._kept = self._space(key), self._space(value)
        for kept, new in zip(self._kept, (key, value), strict=True):
            kept[:, :, self.length] = new
        self.length += 1
        n, heads, size = query.shape
        by_group = query.reshape(n, key.shape[1], heads // key.shape[1], size)
        y = scaled_dot_product_attention(by_group, self.keys, self.values)
        return y.reshape(n, heads, value.shape[2])

    def _so_far(self, which: int) -> np.ndarray:
        if self._kept is None:
            raise ValueError("nothing is kept before the first step")
        return self._kept[which][:, :, : self.length]

    def _space(self, new: np.ndarray) -> np.ndarray:
        n, groups, size = new.shape
        return np.empty((n, groups, self.max_length, size), new.dtype)

    def _check(self, query: np.ndarray, key: np.ndarray, value: np.ndarray) -> None:
        shapes = f"query {query.shape}, key {key.shape} and value {value.shape}"
        if any(floats(each).ndim != 3 or not each.size for each in (query, key, value)):
            raise ValueError(f"one token is (N, heads, width), nothing empty: {shapes}")
        fit = query.shape[::2] == key.shape[::2] and key.shape[:2] == value.shape[:2]
        if not fit or query.shape[1] % key.shape[1]:
            raise ValueError(f"query (N, H, E), key (N, G, E), value (N, G, Ev): {shapes}")
        for kept, new in zip(self._kept or (), (key, value), strict=False):
            if kept[:, :, 0].shape != new.shape or kept.dtype != new.dtype:
                raise ValueError(
                    f"the cache holds {kept[:, :, 0].shape} of {kept.dtype} a token, not "
                    f"{new.shape} of {new.dtype}"
                )
        if self.length == self.max_length:
            raise ValueError(f"the cache is full: it has {self.length} tokens already")
