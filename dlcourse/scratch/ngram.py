r"""Language models that count: what came after the last n - 1 tokens, and how often.

Long contexts are rare, so each order leans on the next shorter one:

.. math:: p_n(x \mid c) = s_n(x \mid c) + r_n(c)\; p_{n-1}(x \mid c'),

where c are the last n - 1 tokens, c' is c without its first, s the share of a token that was
counted there, and r(c) the rest, which is left to the shorter context. Below order 1 all V tokens
are equally likely. A context that never came leaves everything to the shorter one.

``"witten-bell"``: #(c, x) is how often x came after c, #(c) their sum, and T(c) how many
*different* tokens came after c, for a context that was followed by many will be followed by new
ones:

.. math:: s = \frac{\#(c, x)}{\#(c) + T(c)}, \qquad r = \frac{T(c)}{\#(c) + T(c)}.

``"kneser-ney"``, modified: each count a gives up a discount D(a), and what all of them gave up is
the rest:

.. math:: s = \frac{a(c, x) - D(a(c, x))}{\sum_y a(c, y)}, \qquad
   r = \frac{\sum_y D(a(c, y))}{\sum_y a(c, y)}.

Of the longest order, a(c, x) is #(c, x); of the shorter ones, how many *different* tokens came
before c x, since they are asked only where the longer one doesn't know. For 1, 2, and 3 or more,
D(a) = a - (a + 1) Y n_{a+1} / n_a with Y = n_1 / (n_1 + 2 n_2), where n_a grams have the count a.

Sources: Witten and Bell, *The Zero-Frequency Problem* (IEEE Transactions on Information Theory 37,
1991), method C; Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language
Modeling* (1999), section 2.5 for the former in this form, and for the latter, which is theirs,
section 3.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Smoothing = Literal["witten-bell", "kneser-ney"]


@dataclass(frozen=True)
class _Order:
    """What was counted of one order. A gram's key is V times its context's row, plus its token."""

    keys: np.ndarray  # (G,), in their order: a gram's row is its place here
    shares: np.ndarray  # (G,) s of each gram
    rests: np.ndarray  # (C,) r of each gram of the order before, as a context


class NGram:
    """An n-gram model of the given ``order`` over tokens 0 to ``vocab_size`` - 1.

    ``fit`` counts, ``bits`` judges, ``probabilities`` predicts. Raises ValueError for sizes below 1
    and for another ``smoothing`` than the two above.
    """

    def __init__(self, order: int, vocab_size: int, smoothing: Smoothing = "witten-bell"):
        if order < 1 or vocab_size < 1:
            raise ValueError(f"order and vocab_size are at least 1, not {order} and {vocab_size}")
        if smoothing not in ("witten-bell", "kneser-ney"):
            raise ValueError(f"smoothing is witten-bell or kneser-ney, not {smoothing!r}")
        self.order, self.vocab_size, self.smoothing = order, vocab_size, smoothing
        self.counted: list[_Order] = []

    def fit(self, tokens: np.ndarray) -> "NGram":
        """Count the ``tokens`` (N,), for all orders up to this one; what was counted is gone."""
        tokens = self._tokens(tokens)
        # rows[i]: of the gram that ends at place i; before order 1 there is one context, of nothing
        rows, contexts = np.zeros(len(tokens), np.int64), 1
        keys: list[np.ndarray] = []
        counts: list[np.ndarray] = []
        belongs: list[np.ndarray] = []
        for n in range(1, self.order + 1):
            before = np.zeros(1, np.int64) if n == 1 else rows[:-1]
            made = before[: len(tokens) - n + 1] * self.vocab_size + tokens[n - 1 :]
            found, first, longer, times = np.unique(
                made, return_index=True, return_inverse=True, return_counts=True
            )
            if n > 1 and self.smoothing == "kneser-ney":  # what came before the shorter gram
                counts[-1] = np.bincount(rows[1:][first], minlength=contexts)
            keys.append(found)
            counts.append(times)
            belongs.append(found // self.vocab_size)
            rows, contexts = longer, len(found)
        sizes = [1, *map(len, keys)]
        self.counted = [
            _Order(k, *self._smoothed(c, b, size))
            for k, c, b, size in zip(keys, counts, belongs, sizes, strict=False)
        ]
        return self

    def bits(self, tokens: np.ndarray) -> np.ndarray:
        """:math:`-\\log_2 p` of each of ``tokens`` (N,), given those before it: (N,).

        The first tokens have shorter contexts, the first one none. Raises ValueError before `fit`.
        """
        tokens = self._tokens(tokens)
        p = np.full(len(tokens), 1 / self.vocab_size)
        context = np.zeros(len(tokens), np.int64)  # its row, -1 for one that never came
        for n, order in enumerate(self._fitted(), start=1):
            here = slice(n - 1, None)
            p[here], found = self._longer(order, context, tokens[here], p[here])
            context = found[:-1]
        return -np.log2(p)

    def probabilities(self, context: np.ndarray) -> np.ndarray:
        """Of each token that may follow ``context`` (T,), (V,): they add up to 1."""
        context = self._tokens(context)
        every = np.arange(self.vocab_size)
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for n, order in enumerate(self._fitted(), start=1):
            if len(context) < n - 1:
                break
            row = self._row(context[len(context) - (n - 1) :])
            p, _ = self._longer(order, np.full(self.vocab_size, row), every, p)
        return p

    def _smoothed(self, counts: np.ndarray, contexts: np.ndarray, size: int):
        """The share of each gram (G,), and the rest of each of ``size`` contexts."""
        total = np.bincount(contexts, counts, size)
        if self.smoothing == "witten-bell":
            given_up = np.bincount(contexts, minlength=size).astype(float)
            kept, whole = counts, total + given_up
        else:
            discounts = discounts_of(counts)[np.minimum(counts, 3)]
            given_up = np.bincount(contexts, discounts, size)
            kept, whole = counts - discounts, total
        # nothing is counted after the text's end, nor before its beginning
        rests = np.divide(given_up, whole, out=np.ones(size), where=whole > 0)
        of_gram = whole[contexts]
        return np.divide(kept, of_gram, out=np.zeros(len(kept)), where=of_gram > 0), rests

    def _longer(self, order: _Order, context: np.ndarray, tokens: np.ndarray, p: np.ndarray):
        """Probabilities with one token of context more, and the rows of the grams or -1."""
        if not len(order.keys):
            return p, np.full(len(tokens), -1)
        keys = context * self.vocab_size + tokens
        at = np.minimum(np.searchsorted(order.keys, keys), len(order.keys) - 1)
        found = np.where((context >= 0) & (order.keys[at] == keys), at, -1)
        rest = np.where(context >= 0, order.rests[context], 1.0)
        return np.where(found >= 0, order.shares[at], 0.0) + rest * p, found

    def _row(self, tokens: np.ndarray) -> int:
        """Of the gram ``tokens`` among those of its order, -1 where it never came."""
        row = 0
        for order, token in zip(self.counted, tokens.tolist(), strict=False):
            key = row * self.vocab_size + token
            at = int(np.searchsorted(order.keys, key))
            if row < 0 or at == len(order.keys) or order.keys[at] != key:
                return -1
            row = at
        return row

    def _fitted(self) -> list[_Order]:
        if not self.counted:
            raise ValueError("nothing has been counted yet: call fit first")
        return self.counted

    def _tokens(self, tokens: np.ndarray) -> np.ndarray:
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
            raise ValueError(f"tokens are whole numbers (N,), not {tokens.dtype} {tokens.shape}")
        if tokens.size and not (tokens.min() >= 0 and tokens.max() < self.vocab_size):
            raise ValueError(
                f"tokens are 0 to {self.vocab_size - 1}: not {tokens.min()} to {tokens.max()}"
            )
        return tokens.astype(np.int64)


def discounts_of(counts: np.ndarray) -> np.ndarray:
    """D(0), D(1), D(2), and D of 3 or more (4,), for grams with these counts (G,).

    Where too few were counted to tell, a half.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    found = np.full(4, 0.5)
    found[0] = 0.0
    for a in (1, 2, 3):
        if n[1] and n[2] and n[a] and n[a + 1]:
            found[a] = a - (a + 1) * n[1] / (n[1] + 2 * n[2]) * n[a + 1] / n[a]
    return np.clip(found, [0, 0.1, 0.1, 0.1], [0, 1, 2, 3])
