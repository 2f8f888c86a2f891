r"""Byte-pair encoding: the pairs of tokens that stand together most often become tokens.

A text is cut into pieces, and a piece into the bytes of its UTF-8: tokens 0 to 255, so that no text
has an unknown one. Learning then joins, again and again, the two neighbouring tokens that are
neighbours most often,

.. math::

    (a, b) = \arg\max_{(a, b)} \sum_{\text{pieces } w} n_w \cdot
    \#\{i : w_i = a,\ w_{i+1} = b\},

and calls the pair 256, 257, … Overlapping places count: ``aaaa`` holds ``aa`` three times, and
becomes two tokens, for runs are joined from the left. Of pairs that are equally frequent the
smaller one is joined: the smaller first token, then the smaller second one. No merge crosses the
border of pieces; else "dog.", "dog!" and "dog?" would each cost a token.

Sources: Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword Units*
(2016), section 3.2; Radford and others, *Language Models are Unsupervised Multitask Learners*
(2019), section 2.2, for bytes and pieces.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

Pair = tuple[int, int]

BYTES = 256  # tokens that there are before any merge

# Every character falls into one of these, so the pieces of a text are the text.
PIECE = re.compile(
    r"""
      \x20?[^\W\d_]+       # a word, with the one space before it
    | \x20?\d+             # digits
    | \x20?(?:[^\w\s]|_)+  # other signs
    | \s+(?!\S)            # white space, but for the last of it: a word may want that
    | \s+
    """,
    re.VERBOSE,
)


def pieces(text: str) -> list[str]:
    """``text`` cut at the borders that no merge crosses; joined again, it is ``text``."""
    return PIECE.findall(text)


def merge(tokens: Sequence[int], pair: Pair, new: int) -> list[int]:
    """``tokens`` with each ``pair`` of neighbours replaced by ``new``, from the left."""
    merged: list[int] = []
    i = 0
    while i < len(tokens):
        if i + 1 < len(tokens) and (tokens[i], tokens[i + 1]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    return merged


def train_bpe(text: str, count: int) -> list[Pair]:
    """The first ``count`` merges that ``text`` asks for; merge k makes the token 256 + k.

    It ends sooner where no pair stands twice in the text. The time goes with the number of distinct
    pieces, not with the length of the text. ValueError for a negative ``count``; a lone surrogate,
    which no UTF-8 can hold, is a UnicodeEncodeError.
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, not {count}")
    times_of = Counter(pieces(text))
    words = [list(piece.encode()) for piece in times_of]
    times = list(times_of.values())
    counts: Counter[Pair] = Counter()  # of each pair, in the whole text
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # the words that may hold it
    for k, word in enumerate(words):
        for pair in pairwise(word):
            counts[pair] += times[k]
            where[pair].add(k)
    merges: list[Pair] = []
    while len(merges) < count and (most := max(counts.values(), default=0)) > 1:
        best = min(pair for pair, n in counts.items() if n == most)
        for k in where.pop(best):
            for pair in pairwise(words[k]):
                counts[pair] -= times[k]
                if not counts[pair]:
                    del counts[pair]
            words[k] = merge(words[k], best, BYTES + len(merges))
            for pair in pairwise(words[k]):
                counts[pair] += times[k]
                where[pair].add(k)
        merges.append(best)
    return merges


class Tokenizer:
    """Text to tokens and back, by the merges of :func:`train_bpe`, in the order they were learned.

    ValueError for a merge of tokens that aren't there yet, or of a pair that was merged before.
    """

    def __init__(self, merges: Iterable[Pair]):
        self.merges = [(int(a), int(b)) for a, b in merges]
        self.tokens = [bytes([b]) for b in range(BYTES)]  # of each token
        self._new: dict[Pair, int] = {}
        for a, b in self.merges:
            if not (0 <= a < self.vocab_size and 0 <= b < self.vocab_size):
                raise ValueError(f"({a}, {b}) can't be merged: there are {self.vocab_size} tokens")
            if (a, b) in self._new:
                raise ValueError(f"({a}, {b}) is merged twice")
            self._new[a, b] = self.vocab_size
            self.tokens.append(self.tokens[a] + self.tokens[b])
        self._pieces: dict[str, list[int]] = {}  # a text has few distinct ones

    @property
    def vocab_size(self) -> int:
        """256 and one for each merge."""
        return len(self.tokens)

    def encode(self, text: str) -> np.ndarray:
        """The tokens of ``text``, int64, of shape (T,); UnicodeEncodeError for a lone surrogate."""
        return np.array([t for piece in pieces(text) for t in self._encoded(piece)], np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of ``tokens``; bytes that are no UTF-8 become U+FFFD, the replacement character.

        So any tokens have a text, and ``decode(encode(text))`` is ``text``. ValueError for a token
        that there isn't.
        """
        tokens = [int(token) for token in tokens]
        if unknown := [token for token in tokens if not 0 <= token < self.vocab_size]:
            raise ValueError(f"tokens are 0 to {self.vocab_size - 1}, and one is {unknown[0]}")
        return b"".join(self.tokens[token] for token in tokens).decode(errors="replace")

    def _encoded(self, piece: str) -> list[int]:
        if piece not in self._pieces:
            tokens = list(piece.encode())
            # A merge only makes pairs of merges that come later, so "the first that is there, again
            # and again" is the order of learning.
            while found := [self._new[p] for p in pairwise(tokens) if p in self._new]:
                new = min(found)
                tokens = merge(tokens, self.merges[new - BYTES], new)
            self._pieces[piece] = tokens
        return self._pieces[piece]
