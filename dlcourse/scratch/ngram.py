r"""Language models that count: what came after the last n - 1 tokens, and how often.

Long contexts are rare, so each order leans on the next shorter one:

.. math:: p_n(x \mid c) = \frac{\#(c, x) + T(c)\; p_{n-1}(x \mid c')}{\#(c) + T(c)},

where c are the last n - 1 tokens, c' is c without its first, #(c, x) how often x came after c,
#(c) their sum, and T(c) how many *different* tokens came after c: a context that was followed by
many will be followed by new ones. Below order 1 all V tokens are equally likely. A context that
never came leaves it to the shorter one.

Source: Witten and Bell, *The Zero-Frequency Problem* (IEEE Transactions on Information Theory 37,
1991), method C; in this form Chen and Goodman, *An Empirical Study of Smoothing Techniques for
Language Modeling* (1999), section 2.5.
"""

from dataclasses import dataclass

import numpy as np

LARGEST = 2**62  # a gram is one whole number


@dataclass(frozen=True)
class _Counts:
    """Of one order n: grams and contexts as sorted whole numbers, with how often each came."""

    grams: np.ndarray  # (G,)
    times: np.ndarray  # (G,)
    contexts: np.ndarray  # (C,)
    total: np.ndarray  # (C,) grams that begin with the context
    distinct: np.ndarray  # (C,) different ones


class NGram:
    """An n-gram model of the given ``order`` over tokens 0 to ``vocab_size`` - 1.

    ``fit`` counts, ``bits`` judges, ``probabilities`` foretells. Raises ValueError for sizes below
    1, and for grams too large to be one number of 64 bits.
    """

    def __init__(self, order: int, vocab_size: int):
        if order < 1 or vocab_size < 1:
            raise ValueError(f"order and vocab_size are at least 1, not {order} and {vocab_size}")
        if vocab_size**order > LARGEST:
            raise ValueError(f"{vocab_size} tokens are too many for an order of {order}")
        self.order, self.vocab_size = order, vocab_size
        self.counts: list[_Counts] = []

    def fit(self, tokens: np.ndarray) -> "NGram":
        """Count the ``tokens`` (N,), for all orders up to this one; what was counted is gone."""
        tokens = self._tokens(tokens)
        self.counts = []
        for n in range(1, self.order + 1):
            grams, times = np.unique(self._grams(tokens, n), return_counts=True)
            contexts, first, distinct = np.unique(
                grams // self.vocab_size, return_index=True, return_counts=True
            )
            total = np.add.reduceat(times, first) if len(times) else times
            self.counts.append(_Counts(grams, times, contexts, total, distinct))
        return self

    def bits(self, tokens: np.ndarray) -> np.ndarray:
        """:math:`-\\log_2 p` of each of ``tokens`` (N,), given those before it: (N,).

        The first tokens have shorter contexts, the first one none. Raises ValueError before `fit`.
        """
        tokens = self._tokens(tokens)
        p = np.full(len(tokens), 1 / self.vocab_size)
        for n, counts in enumerate(self._counted(), start=1):
            grams = self._grams(tokens, n)  # of the tokens from n - 1 on
            times, total, distinct = self._looked_up(counts, grams)
            seen = total > 0
            shorter = p[n - 1 :]
            longer = (times + distinct * shorter) / np.maximum(total + distinct, 1)
            p[n - 1 :] = np.where(seen, longer, shorter)
        return -np.log2(p)

    def probabilities(self, context: np.ndarray) -> np.ndarray:
        """Of each token that may follow ``context`` (T,), (V,): they add up to 1."""
        context = self._tokens(context)
        every = np.arange(self.vocab_size)
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for n, counts in enumerate(self._counted(), start=1):
            if len(context) < n - 1:
                break
            before = 0
            for token in context[len(context) - (n - 1) :].tolist():
                before = before * self.vocab_size + token
            times, total, distinct = self._looked_up(counts, before * self.vocab_size + every)
            if total[0]:
                p = (times + distinct * p) / (total + distinct)
        return p

    def _grams(self, tokens: np.ndarray, n: int) -> np.ndarray:
        """Each run of n tokens as one number, (N - n + 1,)."""
        size = max(len(tokens) - n + 1, 0)
        grams = np.zeros(size, np.int64)
        for i in range(n):
            grams = grams * self.vocab_size + tokens[i : i + size]
        return grams

    def _looked_up(self, counts: _Counts, grams: np.ndarray):
        """How often each gram came; how often its context did, and with how many different ends."""
        times = _found(counts.grams, counts.times, grams)
        contexts = grams // self.vocab_size
        total = _found(counts.contexts, counts.total, contexts)
        return times, total, _found(counts.contexts, counts.distinct, contexts)

    def _counted(self) -> list[_Counts]:
        if not self.counts:
            raise ValueError("nothing has been counted yet: call fit first")
        return self.counts

    def _tokens(self, tokens: np.ndarray) -> np.ndarray:
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
            raise ValueError(f"tokens are whole numbers (N,), not {tokens.dtype} {tokens.shape}")
        if tokens.size and not (tokens.min() >= 0 and tokens.max() < self.vocab_size):
            raise ValueError(
                f"tokens are 0 to {self.vocab_size - 1}: not {tokens.min()} to {tokens.max()}"
            )
        return tokens.astype(np.int64)


def _found(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The value of each wanted key, 0 where there is none."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)
