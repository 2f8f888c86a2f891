"""Letters to phonemes by counting: what a network has to beat.

Each letter of a word makes a chunk of 0, 1 or 2 phonemes, and the chunks make the word, in order.
No dictionary says which letter makes what; expectation maximisation finds it from words as wholes:
Bisani and Ney, *Joint-sequence models for grapheme-to-phoneme conversion* (Speech Communication
50(5), 2008), section 3, in its simplest case. After that it is counted which chunk a letter makes
between which neighbours, and a new word takes the likeliest chunks.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

Chunk = tuple[str, ...]
MOST = 2  # phonemes of one letter, as x has in "box"
ITERATIONS = 8
EDGE = "."  # stands before and behind a word
BEAM = 8


def align(
    words: Sequence[str], spoken: Sequence[Chunk], iterations: int = ITERATIONS
) -> dict[str, list[Chunk]]:
    r"""The likeliest chunk of each letter of each word, where the probabilities are

    .. math:: p(c \mid \ell) \propto \text{the expected number of times that } \ell
        \text{ makes } c .

    They start equal. Words that have more than two phonemes a letter are left out.
    """
    pairs = [(w, s) for w, s in zip(words, spoken, strict=True) if len(s) <= MOST * len(w)]
    shares: dict[str, dict[Chunk, float]] = {}
    for _ in range(iterations):
        expected: dict[str, dict[Chunk, float]] = defaultdict(lambda: defaultdict(float))
        for word, sounds in pairs:
            for letter, chunk, share in _expected(word, sounds, shares):
                expected[letter][chunk] += share
        shares = {
            letter: {chunk: n / sum(found.values()) for chunk, n in found.items()}
            for letter, found in expected.items()
        }
    return {word: _likeliest(word, sounds, shares) for word, sounds in pairs}


def _steps(sounds: Chunk, j: int) -> Iterator[tuple[int, Chunk]]:
    """Chunks that end at ``j``, and where they begin."""
    for i in range(j, max(j - MOST, 0) - 1, -1):
        yield i, sounds[i:j]


def _probability(shares: dict[str, dict[Chunk, float]], letter: str, chunk: Chunk) -> float:
    return shares[letter].get(chunk, 0.0) if shares else 1.0


def _expected(
    word: str, sounds: Chunk, shares: dict[str, dict[Chunk, float]]
) -> Iterator[tuple[str, Chunk, float]]:
    """How likely each letter made each chunk, given the whole word: forwards and backwards."""
    n, m = len(word), len(sounds)
    before = [[0.0] * (m + 1) for _ in range(n + 1)]
    behind = [[0.0] * (m + 1) for _ in range(n + 1)]
    before[0][0] = behind[n][m] = 1.0
    moves = []
    for i, letter in enumerate(word):
        for j in range(m + 1):
            for k, chunk in _steps(sounds, j):
                p = _probability(shares, letter, chunk)
                if p and before[i][k]:
                    before[i + 1][j] += before[i][k] * p
                    moves.append((i, k, j, letter, chunk, p))
    for i, k, j, _, _, p in reversed(moves):
        behind[i][k] += p * behind[i + 1][j]
    for i, k, j, letter, chunk, p in moves:
        share = before[i][k] * p * behind[i + 1][j] / before[n][m]
        if share:
            yield letter, chunk, share


def _likeliest(word: str, sounds: Chunk, shares: dict[str, dict[Chunk, float]]) -> list[Chunk]:
    """The chunk of each letter on the best way through (Viterbi)."""
    m = len(sounds)
    best: list[tuple[float, list[Chunk]]] = [(1.0, []), *[(0.0, [])] * m]
    for letter in word:
        best = [
            max(
                (
                    (best[k][0] * _probability(shares, letter, chunk), [*best[k][1], chunk])
                    for k, chunk in _steps(sounds, j)
                ),
                key=lambda each: each[0],
            )
            for j in range(m + 1)
        ]
    return best[m][1]


def windows(word: str, at: int, said: Sequence[Chunk], reach: int) -> Iterator[tuple]:
    """What stands around a letter: itself, its right neighbour too, then its left one, and so on.

    There are ``reach + 1`` of them. A letter on the left counts with the chunk that it made, the
    last of ``said``.
    """
    for size in range(reach + 1):
        left, right = size // 2, (size + 1) // 2
        around = (EDGE * left + word + EDGE * right)[at : at + left + right + 1]
        yield left, around, tuple(said[max(at - left, 0) : at])


class LetterCounts:
    r"""The likeliest chunks of a word's letters; wider windows correct narrower ones.

    .. math::
        p_w(c) = \frac{n_w(c) + t_w\,p_{w-1}(c)}{n_w + t_w}

    for windows w up to ``reach`` letters beside a letter, whose own shares come first; n counts
    chunks, t how many different ones there were (Witten and Bell, *The zero-frequency problem*,
    IEEE Transactions on Information Theory 37(4), 1991, method C).
    """

    def __init__(self, aligned: dict[str, list[Chunk]], reach: int):
        self.reach = reach
        self.counts: dict[tuple, Counter[Chunk]] = defaultdict(Counter)
        for word, chunks in aligned.items():
            for at, chunk in enumerate(chunks):
                for window in windows(word, at, chunks, reach):
                    self.counts[window][chunk] += 1

    def chunks(self, word: str, at: int, said: Sequence[Chunk]) -> dict[Chunk, float]:
        """How likely each chunk is for one letter; for a letter never seen, none is certain."""
        p: dict[Chunk, float] = {}
        for window in windows(word, at, said, self.reach):
            found = self.counts.get(window)
            if not found:  # nor are wider ones there
                break
            total, kinds = found.total(), len(found) if p else 0
            p = {c: (found[c] + kinds * p.get(c, 0.0)) / (total + kinds) for c in p or found}
        return p or {(): 1.0}

    def speak(self, word: str, width: int = BEAM) -> Chunk:
        """The phonemes of a word: of the ``width`` likeliest beginnings, carried on, the best."""
        beam: list[tuple[float, list[Chunk]]] = [(0.0, [])]
        for at in range(len(word)):
            longer = [
                (log + math.log(p), [*said, chunk])
                for log, said in beam
                for chunk, p in self.chunks(word, at, said).items()
            ]
            beam = sorted(longer, key=lambda each: -each[0])[:width]
        return tuple(sound for chunk in beam[0][1] for sound in chunk)
