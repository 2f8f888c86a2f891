"""The exercises of ``gpt``: text to tokens and back, the loss of the next token, a draw, a cache.

Conventions: tokens 0 to 255 are the bytes of UTF-8, merge k makes the token 256 + k; no pieces;
overlapping places of a pair count, runs are joined from the left, and of equally frequent pairs the
smaller one is joined, which is how Python compares tuples; the logits at place t speak of the token
at t + 1; a loss is in nats; of tokens that are equally probable the smaller number is kept.
"""

from collections import Counter
from itertools import pairwise

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question
from dlcourse.scratch.bpe import merge

TOKENS, TRAIN, GENERATE = "gpt-tokens", "gpt-train", "gpt-generate"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch", "dlcourse.models")

# many merges, ties, runs, letters of several bytes, and an end: whatever goes wrong shows in it
LONG = (
    "          a naïve café: aaaa, aaa and aaaaa; the cat sat on the mat and the cat's hat sat. "
    "THE CAT THE MAT THE HAT\r\n\r\nbb bbb; 😀😀😀 😀! ææææ. The naïve cat, The fat cat, "
    "e\u0301e\u0301e\u0301, a cat at a mat at the cafe\u0301\x00\x00\x00\n\n\n"
    + "the dog saw it\nand "
    * 4  # tokens of many bytes, some with a line break
)
OTHER = "a hat at that; a cat at a mat, naïve: eat a tea at a sea, aaa bb. the café 😀 a tat. " * 2


# bpe_train --------------------------------------------------------------------

bpe_train = Exercise(
    "bpe_train",
    "Learn which bytes belong together",
    parts={"plain": 1, "unicode": 1, "ties": 1, "runs": 1, "ends": 1, "long": 2},
    minutes=25,
    difficulty=2,
    outcomes=(TOKENS,),
    forbids=FORBIDS,
)


def untied(text, count):
    """Whether no tie, no run of three and no pair that is rarer than 3 decides what is learned."""
    tokens = list(text.encode())
    for new in range(256, 256 + count):
        ranked = Counter(pairwise(tokens)).most_common(2)
        if len(ranked) < 2 or ranked[0][1] < 3 or ranked[0][1] == ranked[1][1]:
            return False
        if any(a == b == c for a, b, c in zip(tokens, tokens[1:], tokens[2:], strict=False)):
            return False
        tokens = merge(tokens, ranked[0][0], new)
    return True


@bpe_train.cases
def _(rng):
    def letters(alphabet, n):
        return "".join(rng.choice(list(alphabet), n))

    def drawn(alphabet, part, least):
        while True:
            text = letters(alphabet, 40)
            if len(set(text) & set(alphabet)) >= least and untied(text, 2):
                return Case((text, 2), "", (part,))

    def three(order):
        """Three pairs, three times each, in this order, and nothing else twice."""
        both = [order[k : k + 2] for k in (0, 2, 4)]
        return "".join(both[k % 3] + str(k) for k in range(9))

    yield Case(("yx 1yx 2yx 3x 4", 2), "a space is a byte like any other", ("plain",))
    yield Case(("éé1éé2éé3ü4ü", 2), "é and ü are two bytes each", ("unicode",))
    yield Case((three("efagbc"), 2), "three pairs tie", ("ties",))
    yield Case(("aaaaabc1bc2bc", 1), "a run: aa stands at four places", ("runs",))
    yield Case(("aaab1aaac2aaad", 2), "runs of three", ("runs",))
    last = "fewer merges than asked for; the last is of a pair that stands twice"
    yield Case(("abab1abab2abab3cdcd", 9), last, ("ends",))
    yield Case(("", 3), "no text", ("ends",))
    yield Case(("a", 1), "one byte", ("ends",))
    yield Case(("\ufeffab", 2), "a byte order mark, and no pair that stands twice", ("ends",))
    yield Case(("aaaa", 0), "no merge asked for", ("plain",))
    yield Case((LONG, 20), "a longer text", ("long",))
    yield Case((LONG, 200), "all there is to learn from it", ("long",))
    yield Case(("ab1ab2ab3ab4bc5bc6bc", 1), "one merge", ("plain",))
    yield Case((three("bcefab"), 2), "three other pairs tie", ("ties",))
    yield Case(("abab", 3), "the only pair to be merged stands twice", ("ends",))
    yield Case(("cabd1cab2cab3ab4", 2), "the second merge needs the first", ("plain",))
    while True:
        part = str(rng.choice(["plain", "unicode", "ties", "runs", "ends", "long"]))
        a, b, c, d, e, f = (str(each) for each in rng.permutation(list("abcdefgh"))[:6])
        if part == "plain":
            yield drawn("abc ", part, 4)
        elif part == "unicode":
            yield drawn("éèç1", part, 3)
        elif part == "ties":
            yield Case((three(a + b + c + d + e + f), 2), "", (part,))
        elif part == "runs" and rng.random() < 0.5:
            yield Case((f"{a * 5}{b}{c}1{b}{c}2{b}{c}", 1), "", (part,))
        elif part == "runs":
            yield Case((f"{a * 3}{b}1{a * 3}{c}2{a * 3}{d}", 2), "", (part,))
        elif part == "ends":
            yield Case((f"{a}{b}{c}{a}{b}", int(rng.integers(2, 9))), "", (part,))
        else:
            yield Case((letters("aab é", 60), int(rng.integers(5, 40))), "", (part,))


@bpe_train.observe
def _(candidate, text, count):
    merges = [[int(a), int(b)] for a, b in candidate(text, count)]
    return dict.fromkeys(("plain", "unicode", "ties", "runs", "ends", "long"), merges)


@bpe_train.answer
def _(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.alternative
def with_a_sorted_list(text, count):
    from collections import Counter
    from itertools import pairwise

    tokens, merges = [int(b) for b in bytes(text, "utf-8")], []
    for new in range(256, 256 + count):
        ranked = sorted((-n, pair) for pair, n in Counter(pairwise(tokens)).items())
        if not ranked or ranked[0][0] > -2:
            break
        a, b = ranked[0][1]
        joined: list[int] = []
        for token in tokens:
            if joined and joined[-1] == a and token == b:
                joined[-1] = new
            else:
                joined.append(token)
        tokens = joined
        merges.append((a, b))
    return merges


@bpe_train.alternative
def with_arrays(text, count):
    tokens = np.frombuffer(text.encode(), np.uint8).astype(int)
    merges: list[tuple] = []
    while len(merges) < count and len(tokens) > 1:
        pairs, counts = np.unique(
            np.stack([tokens[:-1], tokens[1:]], axis=1), axis=0, return_counts=True
        )
        a, b = pairs[counts.argmax()]
        if counts.max() < 2:
            break
        i, joined = 0, []
        while i < len(tokens):
            if i + 1 < len(tokens) and tokens[i] == a and tokens[i + 1] == b:
                joined.append(256 + len(merges))
                i += 2
            else:
                joined.append(tokens[i])
                i += 1
        tokens = np.array(joined)
        merges.append((a, b))
    return np.array(merges).reshape(-1, 2)


@bpe_train.mistake(
    "Right as long as a letter is one byte. How many bytes has é, and which tokens do you "
    "begin with?",
    loses=("unicode", "long"),
)
def characters_for_bytes(text, count):
    from collections import Counter

    tokens = [ord(letter) for letter in text]
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "Of equally frequent pairs you take the one that comes first in the text. Which one does "
    "the statement name?",
    loses=("ties", "long"),
)
def ties_by_the_first_in_the_text(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = counts.most_common(1)[0][0]
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "Of equally frequent pairs you take the larger one. `max` over (count, pair) does that: "
    "which is asked for?",
    loses=("ties", "long"),
)
def ties_by_the_larger(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "Of equally frequent pairs you take the one with the smaller *second* token. How does "
    "Python compare two tuples?",
    loses=("ties", "long"),
)
def ties_by_the_second_token(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair[::-1]))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "In a run you count only the places that don't overlap. How often does the statement let "
    "`aaaa` hold `aa`?",
    loses=("runs", "long"),
)
def places_that_overlap_left_out(text, count):
    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts: dict[tuple, int] = {}
        last: dict[tuple, int] = {}
        for i, pair in enumerate(zip(tokens, tokens[1:], strict=False)):
            if last.get(pair) != i - 1:
                counts[pair], last[pair] = counts.get(pair, 0) + 1, i
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You join runs from the right: of three equal bytes yours doesn't join the first. "
    "Which one should be left?",
    loses=("runs", "long"),
)
def joined_from_the_right(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined: list[int] = []
        i = len(tokens)
        while i > 0:
            both = i > 1 and tuple(tokens[i - 2 : i]) == best
            joined.append(256 + len(merges) if both else tokens[i - 1])
            i -= 1 + both
        tokens = joined[::-1]
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You also merge what stands only once. What would be saved by that?",
    loses=("ends", "long"),
)
def goes_on_with_pairs_that_stand_once(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 1:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You end while a pair still stands twice. How often must a pair stand to be merged?",
    loses=("ends", "long"),
)
def ends_too_early(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 3:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "A text may be empty, or all of it one token. What is the largest of no counts?",
    loses=("ends",),
)
def fails_where_no_pair_is_left(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values()) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You count once and take the most frequent pairs of the bytes. After a merge there are "
    "tokens that weren't there before: which pairs can they be in?",
    loses=("plain", "unicode", "runs", "ends", "long"),
)
def never_counted_again(text, count):
    from collections import Counter

    tokens = list(text.encode())
    counts = Counter(zip(tokens, tokens[1:], strict=False))
    ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
    return [pair for pair in ranked if counts[pair] > 1][:count]


@bpe_train.mistake(
    "You join a pair at one place only. Where else does it stand?",
    loses=("plain", "unicode", "runs", "ends", "long"),
)
def only_the_first_place_joined(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined: list[int] = []
        i = 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best and len(joined) == i
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "Your new tokens begin at 257. Which numbers have the bytes used up?",
    loses=("plain", "unicode", "runs", "ends", "long"),
)
def new_tokens_from_257(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(257 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "All of your merges make the same token, 256. Which pair does a 256 then stand for?",
    loses=("long",),
)
def the_same_token_for_all(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You cut the text at spaces, and lose pairs with a space in them. Others do that, and it "
    "saves time; but what is a space on this sheet?",
    loses=("plain", "long"),
)
def words_apart(text, count):
    from collections import Counter
    from itertools import pairwise

    words = [list(word.encode()) for word in text.split(" ")]
    merges: list[tuple] = []
    while len(merges) < count:
        counts = Counter(pair for tokens in words for pair in pairwise(tokens))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for k, tokens in enumerate(words):
            joined, i = [], 0
            while i < len(tokens):
                both = tuple(tokens[i : i + 2]) == best
                joined.append(256 + len(merges) if both else tokens[i])
                i += 1 + both
            words[k] = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You take `count` for the size of the whole vocabulary, and subtract the 256 bytes. What "
    "does the statement count?",
    loses=("plain", "unicode", "ties", "runs", "ends", "long"),
)
def the_size_of_the_vocabulary(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) < count - 256:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


@bpe_train.mistake(
    "You return one merge more than was asked for, where there is one. When does your loop "
    "look at its count?",
    loses=("plain", "unicode", "ties", "runs", "long"),
)
def one_merge_too_many(text, count):
    from collections import Counter

    tokens = list(text.encode())
    merges: list[tuple] = []
    while len(merges) <= count:
        counts = Counter(zip(tokens, tokens[1:], strict=False))
        if max(counts.values(), default=0) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(256 + len(merges) if both else tokens[i])
            i += 1 + both
        tokens = joined
        merges.append(best)
    return merges


# bpe_encode -------------------------------------------------------------------

bpe_encode = Exercise(
    "bpe_encode",
    "A text in the tokens that were learned",
    parts={"bytes": 1, "order": 2, "chained": 1, "runs": 1, "long": 1},
    minutes=15,
    difficulty=2,
    outcomes=(TOKENS,),
    forbids=FORBIDS,
)


def learned(text, count):
    """The merges that the exercise before asks for."""
    assert bpe_train.reference is not None
    return [(int(a), int(b)) for a, b in bpe_train.reference(text, count)]


@bpe_encode.cases
def _(rng):
    strange = [*"aé½ßœ€\n\t 中文ह😀👩", "\u200d", "\u0301", "\x00", "\U0010ffff"]

    def ids(letters):
        return [ord(letter) for letter in letters]

    a, b, c, d = ids("abcd")
    strangest = " \tÉé e\u0301 \u200d\ufeff\r\n\x00 "
    yield Case(("é😀", [(a, b)]), "letters of two and of four bytes, and no merge", ("bytes",))
    yield Case((strangest, []), "blanks, capitals and signs that can't be seen", ("bytes",))
    yield Case(("", [(a, b)]), "no text", ("bytes",))
    yield Case(("a", [(a, a)]), "one byte", ("bytes",))
    yield Case(
        ("abc", [(b, c), (a, b)]), "the pair that is further right was learned first", ("order",)
    )
    yield Case(("abc", [(a, b), (b, c), (a, 257)]), "and now the other one", ("order",))
    yield Case(
        ("abcabd", [(b, c), (a, b), (257, c)]), "a long token that is never made", ("order",)
    )
    yield Case(
        ("abcbc", [(a, b), (b, c)]), "the pair that is rarer here was learned first", ("order",)
    )
    yield Case(("abcabc", [(a, b), (256, c), (257, 257)]), "merges of merges", ("chained",))
    yield Case(
        ("d\nab ab\nab", [(a, b), (10, 256), (d, 257), (32, 256)]),
        "a space and line breaks inside of tokens",
        ("chained",),
    )
    yield Case(("aaaaaaa", [(a, a), (256, 256)]), "a run of seven", ("runs",))
    yield Case((LONG, learned(OTHER, 40)), "merges learned from another text", ("long",))
    yield Case(("aaa", [(a, a)]), "a run of three", ("runs",))
    while True:
        part = str(rng.choice(["bytes", "order", "chained", "runs", "long"]))
        a, b, c, d = ids(rng.permutation(list("abcdefgh"))[:4])
        word = "".join(map(chr, (a, b, c)))
        if part == "bytes":
            text = "".join(rng.choice(strange, int(rng.integers(1, 6))))
            yield Case((text, [(1, 2), (256, 3)]), "", (part,))
        elif part == "order":
            merges = [(b, c), (a, b), (257, c)] if rng.random() < 0.5 else [(a, b), (b, c)]
            yield Case((word + chr(d), merges), "", (part,))
        elif part == "chained":
            yield Case((word + chr(d), [(a, b), (256, c), (257, d)]), "", (part,))
        elif part == "runs":
            yield Case((chr(a) * int(rng.choice([3, 5, 7])), [(a, a)]), "", (part,))
        else:
            text = "".join(rng.choice([*"aab 😀é"], 60))
            other = "".join(rng.choice([*"aab 😀é€"], 30))
            yield Case((other, learned(text, int(rng.integers(1, 30)))), "", (part,))


@bpe_encode.observe
def _(candidate, text, merges):
    tokens = [int(token) for token in candidate(text, merges)]
    return dict.fromkeys(("bytes", "order", "chained", "runs", "long"), tokens)


@bpe_encode.answer
def _(text, merges):
    tokens = list(text.encode())
    for new, pair in enumerate(merges, 256):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.alternative
def the_earliest_that_is_there(text, merges):
    from itertools import pairwise

    ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
    tokens = list(bytes(text, "utf8"))
    while True:
        found = [ranks[pair] for pair in pairwise(tokens) if pair in ranks]
        if not found:
            return np.array(tokens, dtype=np.int64)
        a, b = merges[min(found)]
        i = 0
        while i + 1 < len(tokens):
            if tokens[i] == a and tokens[i + 1] == b:
                tokens[i : i + 2] = [min(found) + 256]
            i += 1


@bpe_encode.alternative
def as_letters_of_a_string(text, merges):
    text = "".join(chr(byte) for byte in text.encode())
    for k, (a, b) in enumerate(merges):
        text = text.replace(chr(a) + chr(b), chr(256 + k))
    return [ord(letter) for letter in text]


@bpe_encode.mistake(
    "You take the longest token that fits at each place. It is in the vocabulary, but do the "
    "merges, in their order, ever make it here?",
    loses=("order", "long"),
)
def longest_token_first(text, merges):
    words = {bytes([b]): b for b in range(256)}
    known = {b: bytes([b]) for b in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
        words[known[new]] = new
    rest, tokens = text.encode(), []
    while rest:
        size = max(n for n in range(1, len(rest) + 1) if rest[:n] in words)
        tokens.append(words[rest[:size]])
        rest = rest[size:]
    return tokens


@bpe_encode.mistake(
    "You join the first pair, from the left, that is any merge. Which of the pairs that are "
    "there was learned first?",
    loses=("order", "long"),
)
def from_left_to_right(text, merges):
    ranks = {tuple(pair): new for new, pair in enumerate(merges, 256)}
    tokens, i = list(text.encode()), 0
    while i + 1 < len(tokens):
        if tuple(tokens[i : i + 2]) in ranks:
            tokens[i : i + 2] = [ranks[tuple(tokens[i : i + 2])]]
            i = 0
        else:
            i += 1
    return tokens


@bpe_encode.mistake(
    "You join what is most frequent in *this* text. Then the same word would be cut in "
    "another way in another text. Whose order counts?",
    loses=("order", "long"),
)
def the_most_frequent_here(text, merges):
    from collections import Counter

    ranks = {tuple(pair): new for new, pair in enumerate(merges, 256)}
    tokens = list(text.encode())
    while True:
        counts = Counter(p for p in zip(tokens, tokens[1:], strict=False) if p in ranks)
        if not counts:
            return tokens
        best = min(counts, key=lambda pair: (-counts[pair], ranks[pair]))
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == best
            joined.append(ranks[best] if both else tokens[i])
            i += 1 + both
        tokens = joined


@bpe_encode.mistake(
    "You begin with the merge that was learned last. Which tokens does it need?",
    loses=("order", "chained", "runs", "long"),
)
def latest_merge_first(text, merges):
    tokens = list(text.encode())
    for new, pair in reversed(list(enumerate(merges, 256))):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.mistake(
    "A letter isn't always one byte: you begin with numbers of characters. Which tokens are "
    "there before any merge?",
    loses=("bytes", "long"),
)
def characters_encoded(text, merges):
    tokens = [ord(letter) for letter in text]
    for new, pair in enumerate(merges, 256):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.mistake(
    "Letters of several bytes have become a question mark, or something else of one byte. "
    "Which encoding holds every letter?",
    loses=("bytes", "long"),
)
def one_byte_for_a_letter(text, merges):
    tokens = list(text.encode("latin-1", "replace"))
    for new, pair in enumerate(merges, 256):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.mistake(
    "Each merge joins one place only. Where else does its pair stand?",
    loses=("chained", "runs", "long"),
)
def only_the_first_place(text, merges):
    tokens = list(text.encode())
    for new, pair in enumerate(merges, 256):
        joined: list[int] = []
        i = 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair) and len(joined) == i
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.mistake(
    "You join runs from the right. Which byte of three does `bpe_train` leave alone?",
    loses=("runs", "long"),
)
def runs_from_the_right(text, merges):
    tokens = list(text.encode())
    for new, pair in enumerate(merges, 256):
        joined: list[int] = []
        i = len(tokens)
        while i > 0:
            both = i > 1 and tuple(tokens[i - 2 : i]) == tuple(pair)
            joined.append(new if both else tokens[i - 1])
            i -= 1 + both
        tokens = joined[::-1]
    return tokens


@bpe_encode.mistake(
    "Your new tokens are numbered from 0. Which tokens have these numbers already?",
    loses=("order", "chained", "runs", "long"),
)
def numbered_from_0(text, merges):
    tokens = list(text.encode())
    for new, pair in enumerate(merges):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.mistake(
    "Your new tokens are numbered from 257. Which is the last number of a byte?",
    loses=("order", "chained", "runs", "long"),
)
def numbered_from_257(text, merges):
    tokens = list(text.encode())
    for new, pair in enumerate(merges, 257):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens


@bpe_encode.mistake(
    "Your last token is missing wherever it wasn't joined. Up to where does your loop go?",
    loses=("bytes", "order", "runs", "long"),
)
def last_byte_lost(text, merges):
    tokens = list(text.encode())
    for new, pair in enumerate(merges, 256):
        joined, i = [], 0
        while i < len(tokens):
            both = tuple(tokens[i : i + 2]) == tuple(pair)
            joined.append(new if both else tokens[i])
            i += 1 + both
        tokens = joined
    return tokens if tokens and tokens[-1] >= 256 else tokens[:-1]


@bpe_encode.mistake(
    "You return bytes: nothing is joined.",
    loses=("order", "chained", "runs", "long"),
)
def bytes_alone(text, merges):
    return list(text.encode())


@bpe_encode.mistake(
    "You look for pairs of bytes only. Of what can the pair of a later merge be made?",
    loses=("chained", "runs", "long"),
)
def merges_of_bytes_only(text, merges):
    known, ranks = list(text.encode()), {tuple(pair): new for new, pair in enumerate(merges, 256)}
    spots = [k for k in range(len(known) - 1) if tuple(known[k : k + 2]) in ranks]
    taken: set[int] = set()
    joined = {}
    for k in sorted(spots, key=lambda k: (ranks[tuple(known[k : k + 2])], k)):
        if not {k, k + 1} & taken:
            taken |= {k, k + 1}
            joined[k] = ranks[tuple(known[k : k + 2])]
    return [joined.get(k, known[k]) for k in range(len(known)) if k in joined or k not in taken]


# bpe_decode -------------------------------------------------------------------

bpe_decode = Exercise(
    "bpe_decode",
    "Find the faults: half of a letter",
    parts={"order": 1, "letters": 2, "broken": 1},
    minutes=12,
    difficulty=2,
    outcomes=(TOKENS,),
    kind="mend",
    forbids=FORBIDS,
)


@bpe_decode.cases
def _(rng):
    def cut(text, merges):
        assert bpe_encode.reference is not None
        return np.array(bpe_encode.reference(text, merges), dtype=np.int64)

    def case(text, merges, part, note="", drop=0):
        tokens = cut(text, merges)
        return Case((tokens[: len(tokens) - drop], merges), note, (part,))

    ba, cb = (98, 97), (256, 98)
    yield case("bab", [ba, cb], "order", "merges of merges, the larger pair first")
    yield case("zaxa", [(122, 97), (120, 97)], "order", "the larger pair was learned first")
    yield case("abc", [], "order", "no merges")
    yield case("é", [], "letters", "one letter in two tokens")
    yield case("a😀b", [(159, 152)], "letters", "one letter in three tokens")
    yield case("né né", [(110, 195), (256, 169)], "letters", "a letter cut off and joined again")
    yield case("", [ba], "letters", "no tokens")
    yield case("\ufeff\r\n e\u0301É\x00 ", [], "letters", "blanks and signs that don't show")
    yield case("a😀", [], "broken", "the last byte hasn't been generated yet", 1)
    yield case("aé", [(97, 195)], "broken", "half of the last letter is in a token with another", 1)
    yield Case((np.array([169, 97, 195]), []), "bytes that begin no letter", ("broken",))
    yield Case(
        (np.array([256, 256]), [(195, 195)]), "bytes that never meet the others", ("broken",)
    )
    while True:
        part = str(rng.choice(["order", "letters", "broken"]))
        if part == "order":
            a, b, c = (ord(letter) for letter in rng.permutation(list("abcdefgh"))[:3])
            text = "".join(chr(rng.choice([a, b, c])) for _ in range(8))
            yield case(text, sorted([(a, b), (b, c)])[::-1], part)
        else:
            text = "".join(rng.choice([*"aé€😀中"], int(rng.integers(2, 6)))) + "€"
            merges = [(195, 169)] if rng.random() < 0.5 else [(130, 172)]
            if part == "letters":
                yield case(text, merges, part)
            else:
                tokens = list(text.encode())
                del tokens[int(rng.integers(len(tokens)))]
                yield Case((np.array([*tokens, 226]), merges), "", (part,))


@bpe_decode.observe
def _(candidate, tokens, merges):
    return dict.fromkeys(("order", "letters", "broken"), candidate(tokens, merges))


@bpe_decode.answer
def _(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    return b"".join(known[int(token)] for token in tokens).decode("utf-8", errors="replace")


@bpe_decode.alternative
def token_by_token_down_to_bytes(tokens, merges):
    def spelled(token):
        if token < 256:
            return [token]
        a, b = merges[token - 256]
        return spelled(a) + spelled(b)

    return str(bytes(byte for token in tokens for byte in spelled(int(token))), "utf8", "replace")


@bpe_decode.alternative
def merges_undone_from_the_last(tokens, merges):
    tokens = [int(token) for token in tokens]
    for k in reversed(range(len(merges))):
        undone: list[int] = []
        for token in tokens:
            undone += merges[k] if token == 256 + k else [token]
        tokens = undone
    return bytearray(tokens).decode(errors="replace")


@bpe_decode.mistake(
    "That is the colleague's: both faults are still in it.",
)
def colleagues(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(sorted(merges), 256):
        known[new] = known[a] + known[b]
    return "".join(known[int(token)].decode("utf-8", errors="replace") for token in tokens)


@bpe_decode.mistake(
    "The numbers of the tokens are right now. But you decode each token by itself. What is a "
    "token that holds the first half of é?",
    loses=("letters", "broken"),
)
def still_letter_by_letter(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    return "".join(known[int(token)].decode("utf-8", errors="replace") for token in tokens)


@bpe_decode.mistake(
    "Letters are whole again. But which number does a merge get, that of its place in a "
    "sorted list?",
    loses=("order",),
)
def still_sorted(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(sorted(merges), 256):
        known[new] = known[a] + known[b]
    return b"".join(known[int(token)] for token in tokens).decode("utf-8", errors="replace")


@bpe_decode.mistake(
    "Whole letters are right. Bytes that are no letter vanish in yours. What should stand "
    "there, so that a reader sees that something is missing?",
    loses=("broken",),
)
def broken_bytes_left_out(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    return b"".join(known[int(token)] for token in tokens).decode("utf-8", errors="ignore")


@bpe_decode.mistake(
    "Whole letters are right. But a model can generate any bytes: what should come out of "
    "those that are no UTF-8?",
    loses=("broken",),
)
def broken_bytes_raise(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    return b"".join(known[int(token)] for token in tokens).decode("utf-8")


@bpe_decode.mistake(
    "You turn each byte into a character. That is another encoding, Latin-1: what does it "
    "make of é?",
    loses=("letters", "broken"),
)
def bytes_taken_for_letters(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    return b"".join(known[int(token)] for token in tokens).decode("latin-1")


@bpe_decode.mistake(
    "The halves of your merges stand in the wrong order. Which one of a pair comes first in "
    "the text?",
    loses=("order", "letters", "broken"),
)
def second_half_first(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[b] + known[a]
    return b"".join(known[int(token)] for token in tokens).decode("utf-8", errors="replace")


@bpe_decode.mistake(
    "You try each token by itself and put one sign where it is no text. How can two tokens "
    "that are no text be text together?",
    loses=("letters", "broken"),
)
def each_token_or_a_question_mark(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    text = ""
    for token in tokens:
        try:
            text += known[int(token)].decode()
        except UnicodeDecodeError:
            text += "?"
    return text


@bpe_decode.mistake(
    "Your first merge makes token 257. Which number comes after the bytes?",
    loses=("order", "letters", "broken"),
)
def numbers_from_257(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 257):
        known[new] = known[a] + known[b]
    return b"".join(known[int(token)] for token in tokens).decode("utf-8", errors="replace")


@bpe_decode.mistake(
    "You put a question mark where bytes are no letter. Which character stands for that in "
    "Unicode, and can't be mistaken for a question?",
    loses=("broken",),
)
def a_question_mark_for_the_sign(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    return (
        b"".join(known[int(token)] for token in tokens)
        .decode("utf-8", errors="replace")
        .replace("\ufffd", "?")
    )


@bpe_decode.mistake(
    "You put one sign for each byte that is wrong. How does `bytes.decode` count what is left "
    "of one letter?",
    loses=("broken",),
)
def one_sign_for_each_byte(tokens, merges):
    known = {byte: bytes([byte]) for byte in range(256)}
    for new, (a, b) in enumerate(merges, 256):
        known[new] = known[a] + known[b]
    text = b"".join(known[int(token)] for token in tokens).decode("utf-8", errors="surrogateescape")
    return "".join("\ufffd" if 0xDC80 <= ord(letter) <= 0xDCFF else letter for letter in text)


# next_token_loss --------------------------------------------------------------

next_token_loss = Exercise(
    "next_token_loss",
    "What the next token costs",
    parts={"loss": 2, "padded": 2, "perplexity": 1, "large": 1, "nothing": 1},
    minutes=20,
    difficulty=2,
    outcomes=(TRAIN,),
    forbids=FORBIDS,
)


@next_token_loss.cases
def _(rng):
    def case(lengths, steps, vocabulary, padding, part, note=""):
        n = len(lengths)
        logits = rng.normal(size=(n, steps, vocabulary))
        real = np.delete(np.arange(vocabulary), padding)
        tokens = rng.choice(real, size=(n, steps))
        if 0 in real and part != "nothing":
            tokens[0, 1] = 0  # a token like any other, where it isn't the padding
        tokens[np.arange(steps) >= np.array(lengths)[:, None]] = padding
        if part == "large":
            logits += 5000 * rng.choice([-1, 1], size=(n, steps, 1))
            other = (tokens[0, 1] + 1) % vocabulary
            logits[0, 0, other] += 900  # the model holds the target for all but impossible
        parts = (part, "perplexity") if part in ("loss", "padded") else (part,)
        return Case((logits, tokens, padding), note, parts)

    yield case([2], 2, 3, 2, "loss", "one target")
    yield case([4, 4], 4, 5, 3, "loss", "no padding")
    yield case([3], 3, 2, 1, "loss", "a vocabulary of two tokens, one of them padding")
    yield case([4, 2, 3], 5, 6, 5, "padded", "three lengths")
    yield case([5, 1, 2], 5, 4, 0, "padded", "a row of one token; padding is token 0")
    yield case([3, 0, 5], 6, 5, 2, "padded", "a row of padding alone, and a column of it")
    yield case([4, 4], 4, 5, 4, "large", "large logits, of both signs")
    yield case([1, 1], 1, 3, 0, "nothing", "rows of one token: nothing follows")
    yield case([1, 0, 1], 3, 4, 2, "nothing", "one token in a row at most, and padding")
    yield case([0, 0], 3, 4, 3, "nothing", "padding alone")
    yield case([1, 2, 0], 3, 4, 1, "nothing", "one target in the whole batch")
    yield case([6], 6, 3, 1, "large", "once more")
    while True:
        part = str(rng.choice(["loss", "padded", "large", "nothing"]))
        n, steps, vocabulary = (int(v) for v in rng.integers((1, 2, 3), (4, 7, 7)))
        padding = int(rng.integers(vocabulary))
        steps += 2 * (part == "large")  # one target among several: the perplexity is finite
        lengths = rng.integers(0, steps + 1, size=n) if part == "padded" else np.full(n, steps)
        lengths[0] = max(lengths[0], 2)
        if part == "nothing":
            lengths = np.array([rng.integers(1, 3), *np.ones(n - 1)])
        yield case([int(v) for v in lengths], steps, vocabulary, padding, part)


@next_token_loss.observe
def _(candidate, logits, tokens, padding):
    found = list(candidate(logits, tokens, padding))
    if len(found) != 2:
        raise TypeError(f"loss and perplexity are asked for, not {len(found)} things")
    judged = dict.fromkeys(("loss", "padded", "large", "nothing"), found[0])
    return judged | {"perplexity": found[1]}


@next_token_loss.answer
def _(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.alternative
def target_by_target(logits, tokens, padding):
    nats, count = 0.0, 0
    for row, sequence in zip(logits, tokens, strict=True):
        for t in range(len(sequence) - 1):
            target = sequence[t + 1]
            if target != padding:
                top = row[t].max()
                nats += top + np.log(np.exp(row[t] - top).sum()) - row[t, target]
                count += 1
    if not count:
        raise ValueError("nothing to be predicted")
    return float(nats / count), float(np.exp(nats / count))


@next_token_loss.alternative
def the_real_ones_alone(logits, tokens, padding):
    n, t = np.nonzero(tokens[:, 1:] != padding)
    if len(n) == 0:
        raise ValueError(f"no targets in {tokens.shape}")
    chosen = logits[n, t]
    total = np.logaddexp.reduce(chosen, axis=1)
    loss = (total - chosen[np.arange(len(n)), tokens[n, t + 1]]).mean()
    return loss, 2.0 ** (loss / np.log(2))


@next_token_loss.mistake(
    "You ask each place for the token that stands there, and it can see that. Of which token "
    "do the logits at t speak?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def no_shift(logits, tokens, padding):
    z, targets = logits, tokens
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "You ask each place for the token *before* it. Which end of the logits has no target, and "
    "which token is no target?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def shifted_the_wrong_way(logits, tokens, padding):
    z, targets = logits[:, 1:], tokens[:, :-1]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Right where there is no padding. Yours also asks for the padding, which is easy to "
    "predict. Which places should count?",
    loses=("padded", "perplexity", "nothing"),
)
def padding_predicted(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    if not targets.size:
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    loss = -np.take_along_axis(log_p, targets[:, :, None], axis=2).mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Padding costs nothing in yours, but it is counted: by how many do you divide?",
    loses=("padded", "perplexity", "nothing"),
)
def divided_by_all_places(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].sum() / max(1, real.size)
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "You take a mean of each row, and then of the rows: a target in a short row counts for "
    "more. What should each target count?",
    loses=("padded", "perplexity"),
)
def mean_of_the_rows(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = np.mean([c[r].mean() for c, r in zip(cost, real, strict=True) if r.any()])
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "You leave out the places that *stand* on padding. What about the last real token: what "
    "is it asked for?",
    loses=("padded", "perplexity", "nothing"),
)
def masked_by_the_token_that_is_seen(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = tokens[:, :-1] != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "You leave out token 0. Here it can be a word like any other: what says which number is "
    "the padding?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def padding_taken_for_0(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != 0
    if not real.any():
        return 0.0, 1.0
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Your perplexity is right. Your loss is in bits: which logarithm gives nats?",
    loses=("loss", "padded", "large", "nothing"),
)
def in_bits(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss / np.log(2), np.exp(loss)


@next_token_loss.mistake(
    "Your loss is right. Perplexity is 2 to the power of *bits*. Which number is it to "
    "the power of *nats*?",
    loses=("perplexity",),
)
def perplexity_of_2(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, 2.0**loss


@next_token_loss.mistake(
    "Your loss is right. You take the perplexity of each target, and then the mean. Which "
    "comes first?",
    loses=("perplexity",),
)
def mean_of_perplexities(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(np.minimum(cost[real], 700)).mean()


@next_token_loss.mistake(
    "Your loss is right. But your perplexity counts the padding as well. Which number is it the "
    "exponential of?",
    loses=("perplexity",),
)
def perplexity_with_the_padding(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    return cost[real].mean(), np.exp(cost.mean())


@next_token_loss.mistake(
    "Your loss is right. You divide 1 by the mean probability; perplexity is a mean of "
    "another kind, in which no other token makes up for an impossible one. Of what does the loss "
    "take the mean?",
    loses=("perplexity",),
)
def one_by_the_mean_probability(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, 1 / np.exp(-cost[real]).mean()


@next_token_loss.mistake(
    "That is the cost of all targets together. What is asked for?",
    loses=("loss", "padded", "perplexity", "large"),
)
def total_not_mean(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].sum()
    return loss, np.exp(min(loss, 700.0))


@next_token_loss.mistake(
    "Your loss is negative: a logarithm of a probability is. What is a *cost*?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def sign_left_out(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Right until logits are large: then an exponential is infinite, or all are 0. What may be "
    "subtracted from all logits of a place?",
    loses=("large",),
)
def naive_softmax(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    with np.errstate(all="ignore"):
        p = np.exp(z) / np.exp(z).sum(axis=2, keepdims=True)
        cost = -np.log(np.take_along_axis(p, targets[:, :, None], axis=2)[:, :, 0])
        loss = cost[real].mean()
        return loss, np.exp(loss)


@next_token_loss.mistake(
    "Right until a target is almost impossible: you keep its probability from being 0. Can "
    "you get the logarithm without the probability?",
    loses=("large",),
)
def probability_kept_from_0(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    p = np.exp(z - z.max(axis=2, keepdims=True))
    p = p / p.sum(axis=2, keepdims=True)
    p = np.take_along_axis(p, targets[:, :, None], axis=2)[:, :, 0]
    loss = -np.log(np.maximum(p[real], 1e-12)).mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Your probabilities add up to 1 over the places. Exactly one of which things comes next?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def softmax_over_the_places(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(min(loss, 700.0))


@next_token_loss.mistake(
    "You take the padding out of the softmax. The model doesn't know that it will never be "
    "asked for it. Over which tokens do its probabilities add up to 1?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def padding_out_of_the_vocabulary(logits, tokens, padding):
    z, targets = logits[:, :-1].copy(), tokens[:, 1:]
    z[:, :, padding] = -np.inf
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Right, except for a batch in which nothing is predicted: you call that a perfect prediction. "
    "What did the statement ask for?",
    loses=("nothing",),
)
def nothing_costs_0(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        return 0.0, 1.0
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Right, except for a batch in which nothing is predicted: NaN goes on without anybody noticing "
    "it. What did the statement ask for?",
    loses=("nothing",),
)
def nothing_is_nan(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        return np.nan, np.nan
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return loss, np.exp(loss)


@next_token_loss.mistake(
    "Both are there, in the wrong order. Which one does the statement name first?",
    loses=("loss", "padded", "perplexity", "large", "nothing"),
)
def perplexity_first(logits, tokens, padding):
    z, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != padding
    if not real.any():
        raise ValueError("no token has to be predicted")
    z = z - z.max(axis=2, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
    cost = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    loss = cost[real].mean()
    return np.exp(loss), loss


# top_p_distribution -----------------------------------------------------------

top_p_distribution = Exercise(
    "top_p_distribution",
    "What may be drawn",
    parts={"kept": 2, "shares": 1, "ties": 1, "temperature": 1, "ends": 1, "large": 1},
    minutes=18,
    difficulty=2,
    outcomes=(GENERATE,),
    forbids=FORBIDS,
)


@top_p_distribution.cases
def _(rng):
    def logits_of(p):
        """Logits of these probabilities, in another order, and not normalised."""
        return rng.permutation(np.log(p)) + rng.normal()

    def away(p, t, z, lo, hi):
        """A ``p`` that no sum of the largest comes near: rounding decides nothing."""
        shares = np.exp((z - z.max()) / t)
        sums = np.cumsum(-np.sort(-shares / shares.sum()))
        while p is None or np.abs(sums - p).min() < 1e-3:
            p = float(rng.uniform(lo, hi))
        return p

    def case(p, part, note="", t=1.0, size=5, shift=0.0):
        z = logits_of(rng.dirichlet(np.ones(size)))
        p = away(p, t, z, 0.3, 0.95)
        parts = ("kept", "shares") if part == "kept" else (part,)
        return Case((z + shift, t, p), note, parts)

    steps = np.array([0.55, 0.2, 0.15, 0.06, 0.04])
    tied = np.log(np.array([0.1, 0.2, 0.3, 0.2, 0.2]))
    # NumPy sorts few entries stably whatever it is asked for, and many only with kind="stable"
    many = np.tile([0.0, 1.0], 20)
    rare = np.array([-40.0, 0.0, -45.0])  # for a float the largest alone adds up to 1
    yield Case((logits_of(steps), 1.0, 0.8), "three of five tokens", ("kept", "shares"))
    one = "p is tiny: the largest alone reaches it"
    yield Case((logits_of(steps), 1.0, 1e-6), one, ("kept", "shares", "ends"))
    yield Case((tied, 1.0, 0.45), "three equal tokens, one of them kept", ("ties",))
    # exact in any form of the softmax: log 2 and its exponential round to one half again
    yield Case((np.zeros(2), 1.0, 0.5), "one of two equal tokens reaches exactly p", ("ties",))
    unstable = "twenty of forty tokens are equal: a sort that isn't stable mixes them"
    yield Case((many, 1.0, 0.21), unstable, ("ties",))
    # two tokens at temperature 1 and p = 0.7, but four at this
    yield Case((logits_of(steps), 5.0, 0.7), "flatter", ("temperature",))
    # one token here, two at temperature 0.3, all five at 1
    yield Case((logits_of(steps), 0.1, 0.99), "much sharper", ("temperature",))
    yield Case((np.zeros(10), 1.0, 1.0), "ten equal tokens, all of them kept", ("ends",))
    yield Case((rare, 1.0, 1.0), "p is 1, and two tokens are very rare", ("ends",))
    yield Case((np.array([2.0]), 1.0, 0.5), "one token", ("ends",))
    yield Case((logits_of(steps) + 5000, 1.0, 0.7), "logits in the thousands", ("large",))
    yield Case((logits_of(steps) - 5000, 1.0, 0.7), "and far below 0", ("large",))
    yield Case((logits_of(steps), 1.0, 0.7), "two of five tokens", ("kept", "shares"))
    yield Case((np.zeros(4), 1.0, 0.4), "four equal tokens", ("ties",))
    while True:
        part = str(rng.choice(["kept", "temperature", "large", "ties"]))
        size = int(rng.integers(3, 10))
        if part == "ties":
            z = rng.integers(0, 2, size=size + int(rng.choice([0, 30]))).astype(float)
            yield Case((z, 1.0, away(None, 1.0, z, 0.1, 0.95)), "", (part,))
        else:
            t = float(rng.choice([0.1, 0.3, 0.6, 2.0, 4.0])) if part == "temperature" else 1.0
            shift = float(rng.choice([-4000, 4000])) if part == "large" else 0.0
            yield case(None, part, t=t, size=size, shift=shift)


@top_p_distribution.observe
def _(candidate, logits, temperature, p):
    import numpy as np

    found = candidate(logits, temperature, p)
    if isinstance(found, (list, tuple)):
        found = np.array(found, dtype=float)
    if not isinstance(found, np.ndarray):
        raise TypeError("an array (V,) of probabilities is asked for")
    parts = dict.fromkeys(("shares", "ties", "temperature", "large"), found)
    # too rare for a sum to notice, but not cut off: that is seen by what is above 0
    return parts | {"kept": found > 0, "ends": {"probabilities": found, "above 0": found > 0}}


@top_p_distribution.answer
def _(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    if p == 1:
        return probability
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.alternative
def one_by_one(logits, temperature, p):
    weights = np.exp((logits - max(logits)) / temperature)
    weights /= weights.sum()
    left, kept, total = list(range(len(weights))), np.zeros(len(weights)), 0.0
    while left and (p == 1 or total < p):
        best = max(left, key=lambda token: (weights[token], -token))
        left.remove(best)
        kept[best] = weights[best]
        total += weights[best]
    return kept / total


@top_p_distribution.alternative
def by_ranks(logits, temperature, p):
    z = logits / temperature
    p_all = np.exp(z - np.logaddexp.reduce(z))
    tokens = np.arange(len(z))
    above = (z[None] > z[:, None]) | ((z[None] == z[:, None]) & (tokens[None] < tokens[:, None]))
    kept = np.where((above @ p_all < p) | (p == 1), p_all, 0.0)
    return kept / np.sum(kept)


@top_p_distribution.alternative
def an_index_counted(logits, temperature, p):
    z = (logits - logits.max()) / temperature
    probability = np.exp(z) / np.exp(z).sum()
    order = sorted(range(len(z)), key=lambda token: -probability[token])
    sums = np.cumsum([probability[token] for token in order])
    number = min(int(np.searchsorted(sums, p)) + 1, len(order))
    number = number if p < 1 else len(order)
    out = np.zeros_like(probability)
    out[order[:number]] = probability[order[:number]]
    return out / out.sum()


@top_p_distribution.mistake(
    "You drop the token with which the sum comes over p. Does the sum of those that you keep "
    "reach p?",
)
def crossing_token_dropped(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) <= p - 1e-12, falling, 0.0)
    return kept / max(kept.sum(), 1e-300)


@top_p_distribution.mistake(
    "You keep one token more than is needed. When has the sum reached p?",
)
def one_token_too_many(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    number = np.sum(np.cumsum(falling) - falling < p) + 1
    kept[order[:number]] = falling[:number]
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Where the sum of some tokens is exactly p, you keep one more. Has p been reached without it? "
    "Look at `<` and `<=`.",
    loses=("ties",),
)
def one_more_where_the_sum_is_exactly_p(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where((np.cumsum(falling) - falling <= p) | (p == 1), falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Right, except for p = 1: a float holds 1 - 4e-18 as 1, so your sum is 1 before the rare "
    "tokens come. What does the statement say about p = 1, and do you need a sum for it?",
    loses=("ends",),
)
def rare_tokens_cut_off_at_1(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "You keep the right tokens. What do the probabilities of those that are left add up to?",
    loses=("shares", "ties", "temperature", "ends", "large"),
)
def not_made_to_add_up(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    return kept


@top_p_distribution.mistake(
    "You keep the right tokens. But you take a softmax of what are probabilities already. In "
    "which ratio should two tokens stay?",
    loses=("shares", "ties", "temperature", "ends", "large"),
)
def softmax_of_probabilities(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    again = np.where(kept > 0, np.exp(kept), 0.0)
    return again / again.sum()


@top_p_distribution.mistake(
    "Right at temperature 1. You choose the tokens first and sharpen then. Whose "
    "probabilities have to reach p?",
    loses=("temperature",),
)
def top_p_before_the_temperature(logits, temperature, p):
    probability = np.exp(logits - logits.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(probability[order])[:-1]])
    z = (logits - logits.max()) / temperature
    kept = np.zeros(len(logits))
    kept[order] = np.where((before < p) | (p == 1), np.exp(z)[order], 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Right at temperature 1. Yours gets sharper when it should get flatter. What is divided, "
    "and by what?",
    loses=("temperature",),
)
def temperature_multiplied(logits, temperature, p):
    z = logits * temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where((np.cumsum(falling) - falling < p) | (p == 1), falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Your temperature does nothing: divide all probabilities by one number, make them add up "
    "to 1, and what is left of it? What does it divide?",
    loses=("temperature",),
)
def probabilities_divided(logits, temperature, p):
    z = logits
    probability = np.exp(z - z.max())
    probability = probability / probability.sum() / temperature
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where((np.cumsum(falling) - falling < p) | (p == 1), falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "You keep the right tokens, at any temperature, but give them their probabilities at "
    "temperature 1.",
    loses=("temperature",),
)
def temperature_of_the_answer_only(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    plain = np.exp(logits - logits.max())[order]
    kept[order] = np.where((np.cumsum(falling) - falling < p) | (p == 1), plain, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Your probabilities come in falling order. Which token does entry 0 belong to?",
    loses=("kept", "shares", "ties", "temperature", "ends", "large"),
)
def left_in_falling_order(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[:] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Of equally probable tokens you keep the later one. What does reversing an ascending "
    "order do to equals?",
    loses=("ties",),
)
def ties_from_the_end(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(probability, kind="stable")[::-1]
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where((np.cumsum(falling) - falling < p) | (p == 1), falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "You keep all tokens that are as probable as the last one kept. Is that the smallest set?",
    loses=("ties",),
)
def all_equals_kept(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    least = falling[(np.cumsum(falling) - falling < p) | (p == 1)].min()
    kept = np.where(probability >= least, probability, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Of tokens that are as probable as the last one you keep none. Does the sum still reach p?",
    loses=("ties",),
)
def equals_dropped_together(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    least = falling[(np.cumsum(falling) - falling < p) | (p == 1)].min()
    above = np.where(probability > least, probability, 0.0)
    last = np.sum(probability == least) == 1 or above.sum() == 0
    kept = np.where(probability >= least, probability, 0.0) if last else above
    return kept / kept.sum()


@top_p_distribution.mistake(
    "You keep each token whose own probability is at least p. Which sum has to reach p?",
)
def a_floor_for_each(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    kept = np.where(probability >= p, probability, 0.0)
    return kept / max(kept.sum(), 1e-300)


@top_p_distribution.mistake(
    "You keep a share p of the *tokens*. Does p count tokens, or add up probabilities?",
    loses=("kept", "shares", "ties", "temperature", "large"),
)
def a_share_of_the_tokens(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.arange(len(falling)) < np.ceil(p * len(falling)), falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "You begin with the least probable token. In which direction does `argsort` sort?",
)
def the_least_probable_kept(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(np.cumsum(falling) - falling < p, falling, 0.0)
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Right, except for p = 1: by rounding no sum of yours is 1, and `argmax` of nothing but "
    "False is 0. Which token is left then?",
    loses=("ends",),
)
def reached_nowhere(logits, temperature, p):
    z = logits / temperature
    probability = np.exp(z - z.max())
    probability = probability / probability.sum()
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    kept = np.zeros(len(logits))
    kept[order] = np.where(
        np.arange(len(falling)) <= np.argmax(np.cumsum(falling) >= p), falling, 0.0
    )
    return kept / kept.sum()


@top_p_distribution.mistake(
    "Right until logits are large: then all is infinite or 0. What may be subtracted from all "
    "logits?",
    loses=("large",),
)
def naive_exponentials(logits, temperature, p):
    with np.errstate(all="ignore"):
        probability = np.exp(logits / temperature)
        probability = probability / probability.sum()
        order = np.argsort(-probability, kind="stable")
        falling = probability[order]
        before = np.concatenate([[0.0], np.cumsum(falling)[:-1]])
        kept = np.zeros(len(logits))
        kept[order] = np.where((before < p) | (p == 1), falling, 0.0)
        return kept / kept.sum()


# kv_cache_step ----------------------------------------------------------------

kv_cache_step = Exercise(
    "kv_cache_step",
    "One more token, nothing done twice",
    parts={"output": 2, "caches": 1, "first": 1, "grouped": 2, "large": 1},
    minutes=22,
    difficulty=3,
    outcomes=(GENERATE,),
    forbids=FORBIDS,
)


@kv_cache_step.cases
def _(rng):
    def case(n, heads, groups, so_far, size, wide, note=""):
        query, key = rng.normal(size=(n, heads, size)), rng.normal(size=(n, groups, size))
        value, keys = (rng.normal(size=(n, groups, *e)) for e in ((wide,), (so_far, size)))
        values = rng.normal(size=(n, groups, so_far, wide))
        parts = ("grouped",) if heads > groups else ("output", "caches")
        if not so_far:
            parts = ("first",)
        return Case((query, key, value, keys, values), note, parts)

    def large(n, heads, groups, levels, size, wide, note=""):
        """Scores near ``levels``, one a token, the new one last: above 0 in every second head."""
        query, key, value, keys, values = case(n, heads, groups, len(levels) - 1, size, wide).args
        signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(heads))
        query = np.broadcast_to(signs[:, :, None], query.shape).copy()
        new = np.array(levels)[:, None] / np.sqrt(size)
        keys = new[:-1] + rng.uniform(0, 2, size=keys.shape)
        key = new[-1] + rng.uniform(0, 2, size=key.shape)
        return Case((query, key, value, keys, values), note, ("large",))

    # the first, the last and the mean are far from the largest, and it is another one by the sign
    apart = [2500.0, 4000.0, 1000.0, 4000.0, 1000.0, 2500.0]
    yield case(1, 2, 2, 3, 2, 2, "two heads, three tokens before")
    yield case(2, 3, 3, 4, 3, 5, "values wider than keys")
    yield case(2, 2, 2, 2, 4, 4, "as many heads as tokens before")
    yield case(2, 2, 2, 0, 3, 3, "no token before")
    yield case(1, 4, 2, 0, 2, 3, "no token before, and shared heads")
    yield case(1, 4, 2, 3, 2, 2, "four heads of queries share two of keys")
    yield case(2, 6, 2, 2, 3, 4, "three heads to each of two")
    yield case(1, 3, 1, 3, 2, 2, "all heads share one")
    yield case(1, 1, 1, 300, 2, 2, "three hundred tokens before")
    far = "scores in the thousands: above 0 in one head, below 0 in the next"
    yield large(2, 2, 2, [7000.0] * 3, 2, 3, far)
    yield large(2, 3, 1, apart, 2, 2, f"{far}; far apart in each, and the heads share keys")
    yield large(1, 2, 1, [7000.0], 2, 2, "a score in the thousands, and no token before")
    yield case(1, 1, 1, 1, 3, 3, "one head, one token before")
    while True:
        n, groups, share, so_far, size, wide = (int(v) for v in rng.integers(1, 4, size=6))
        kind = str(rng.choice(["near 0", "near 0", "near 0", "large", "apart"]))
        if kind == "near 0":
            yield case(n, groups * share, groups, so_far, size, wide)
        elif kind == "large":
            yield large(n, groups, groups, [7000.0] * (so_far + 1), size, wide)
        else:
            yield large(n, share + 1, 1, apart, size, wide)


@kv_cache_step.observe
def _(candidate, query, key, value, keys, values):
    found = list(candidate(query, key, value, keys, values))
    if len(found) != 3:
        raise TypeError(f"an output and two caches are asked for, not {len(found)} things")
    judged = dict.fromkeys(("output", "large"), found[0])
    return judged | {"caches": found[1:], "first": found, "grouped": found}


@kv_cache_step.answer
def _(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.alternative
def head_by_head(query, key, value, keys, values):
    n, heads, size = query.shape
    groups, wide = value.shape[1:]
    new_keys = np.empty((n, groups, keys.shape[2] + 1, size))
    new_values = np.empty((n, groups, keys.shape[2] + 1, wide))
    new_keys[:, :, :-1], new_keys[:, :, -1] = keys, key
    new_values[:, :, :-1], new_values[:, :, -1] = values, value
    out = np.zeros((n, heads, wide))
    for i in range(n):
        for h in range(heads):
            g = h * groups // heads
            z = new_keys[i, g] @ query[i, h] * size**-0.5
            e = np.exp(z - np.max(z))
            out[i, h] = e @ new_values[i, g] / np.sum(e)
    return out, new_keys, new_values


@kv_cache_step.alternative
def by_einsum(query, key, value, keys, values):
    keys = np.append(keys, np.expand_dims(key, 2), axis=2)
    values = np.append(values, np.expand_dims(value, 2), axis=2)
    n, heads, size = query.shape
    q = query.reshape(n, key.shape[1], -1, size) / np.sqrt(size)
    z = np.einsum("ngre,ngse->ngrs", q, keys)
    a = np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))
    return np.einsum("ngrs,ngsv->ngrv", a, values).reshape(n, heads, -1), keys, values


@kv_cache_step.mistake(
    "Your caches are right. But the new token doesn't see itself. Which keys may the query at "
    "place t attend to?",
    loses=("output", "first", "grouped", "large"),
)
def itself_left_out(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    if k.shape[2] == 1:
        return np.zeros((*query.shape[:2], value.shape[2])), keys, values
    k, v = k[:, :, :-1], v[:, :, :-1]
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your weights are sharper than they should be. By what is a product of E numbers divided?",
    loses=("output", "grouped", "large"),
)
def not_scaled(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0]
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your weights are flatter than they should be: you divide by E itself. What does the "
    "statement divide by?",
    loses=("output", "grouped", "large"),
)
def scaled_by_the_width(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / query.shape[2]
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "You divide by the root of the width of all heads together. Over how many numbers does "
    "one score add up?",
    loses=("output", "grouped", "large"),
)
def scaled_by_all_heads(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[1] * query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "You divide by the root of the number of tokens. Over how many numbers does one score add up?",
    loses=("output", "grouped", "large"),
)
def scaled_by_the_length(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(keys.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your output is right. But your new keys stand in front of the old ones. Where will the "
    "next step look for them, and a layer with positions?",
    loses=("caches", "grouped"),
)
def new_token_in_front(query, key, value, keys, values):
    keys = np.concatenate([key[:, :, None], keys], axis=2)
    values = np.concatenate([value[:, :, None], values], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your output is right. But the caches that you return don't hold the new token: what will "
    "the next one attend to?",
    loses=("caches", "first", "grouped"),
)
def old_caches_returned(query, key, value, keys, values):
    old = keys, values
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], *old


@kv_cache_step.mistake(
    "Your cache stays as long as it was: the oldest token falls out. That is a sliding "
    "window; was one asked for?",
    loses=("output", "caches", "grouped", "large"),
)
def oldest_dropped(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    if keys.shape[2] > 1:
        keys, values = keys[:, :, 1:], values[:, :, 1:]
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your new token sees the first token only. A triangle of one row begins at its left end: "
    "at which place does the new query stand?",
    loses=("output", "grouped", "large"),
)
def mask_from_the_wrong_corner(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    scores = np.where(np.tri(1, keys.shape[2], dtype=bool)[0], scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your weights add up to 1 over the heads. Over what should those of one head add up to 1?",
    loses=("output", "first", "grouped", "large"),
)
def softmax_over_the_heads(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = weights / weights.sum(axis=1, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Right until scores are large: then you divide infinity by infinity, or 0 by 0. What may "
    "be subtracted from all scores of a query?",
    loses=("large",),
)
def exponentials_too_large(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    with np.errstate(all="ignore"):
        weights = np.exp((k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2]))
        weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Right until scores are large and heads differ: you subtract the largest score of all heads. "
    "Where all scores of a head are far below it, what is left to divide by?",
    loses=("large",),
)
def one_largest_for_all_heads(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    with np.errstate(all="ignore"):
        weights = np.exp(scores - scores.max())
        weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Right, except where heads share. You give out the heads of keys in turns: 0, 1, 0, 1. Which "
    "heads of queries lie side by side?",
    loses=("first", "grouped"),
)
def groups_in_turns(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.tile(keys, (1, share, 1, 1)), np.tile(values, (1, share, 1, 1))
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Right, except where heads share: in yours all read the first of the heads of keys and "
    "values. Which ones should head 3 of four share?",
    loses=("grouped", "first"),
)
def all_read_the_first(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = keys, values
    if share > 1:
        k = np.repeat(keys[:, :1], query.shape[1], axis=1)
        v = np.repeat(values[:, :1], query.shape[1], axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your output is right. But where heads share, you keep a copy for each: how much does "
    "sharing then save?",
    loses=("first", "grouped"),
)
def copies_kept(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], k, v


@kv_cache_step.mistake(
    "You change the query that you were given. Who else may still need it?",
)
def scaled_in_place(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    query /= np.sqrt(query.shape[2])
    scores = (k @ query[:, :, :, None])[:, :, :, 0]
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "The right numbers, but all heads in one row. Which shape does the statement ask for?",
    loses=("output", "first", "grouped", "large"),
)
def heads_side_by_side(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0].reshape(len(query), -1), keys, values


@kv_cache_step.mistake(
    "All three are right, in another order. Which does the statement name first?",
)
def caches_first(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return keys, values, (weights[:, :, None] @ v)[:, :, 0]


@kv_cache_step.mistake(
    "Your output is the mean of all values. What decides how much of each?",
    loses=("output", "grouped", "large"),
)
def plain_mean(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] * 0.0
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None] @ v)[:, :, 0], keys, values


@kv_cache_step.mistake(
    "Your keys are all there, but the new value isn't used: the weight of the new token is lost.",
    loses=("output", "first", "grouped", "large"),
)
def values_before(query, key, value, keys, values):
    keys = np.concatenate([keys, key[:, :, None]], axis=2)
    values = np.concatenate([values, value[:, :, None]], axis=2)
    share = query.shape[1] // key.shape[1]
    k, v = np.repeat(keys, share, axis=1), np.repeat(values, share, axis=1)
    scores = (k @ query[:, :, :, None])[:, :, :, 0] / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights[:, :, None, :-1] @ v[:, :, :-1])[:, :, 0], keys, values


# gpt_forecast -----------------------------------------------------------------

gpt_forecast = Exercise(
    "gpt_forecast",
    "Predict: bits, odds and what a cache holds",
    parts=dict.fromkeys(
        ("tokens", "uniform", "bits", "better", "cache", "grouped", "anew", "odds"), 1
    ),
    minutes=15,
    difficulty=2,
    outcomes=(TOKENS, TRAIN, GENERATE),
    kind="predict",
    of="value",
)


@gpt_forecast.observe
def _(candidate):
    said = candidate()
    names = ("tokens", "uniform", "bits", "better", "cache", "grouped", "anew", "odds")
    if type(said) is not dict:
        raise TypeError(f"a dict of {', '.join(names)} is asked for")
    found = {name: said[name] for name in names if name in said}
    for name, given in found.items():
        if isinstance(given, np.generic):  # single precision, too: these numbers are exact in it
            found[name] = given.item()
    if isinstance(found.get("better"), str):
        word = found["better"].strip().casefold().removeprefix("model ")
        found["better"] = word.upper() if word in ("a", "b") else word
    return found


@gpt_forecast.answer
def _():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.alternative
def by_formula():
    layers, heads, size, tokens = 6, 8, 64, 1000
    bits = {"A": np.log2(32) / 5, "B": np.log2(8) / 2}
    numbers = 2 * layers * heads * size * tokens
    return {
        "tokens": len(["ban", "ana", " ", "ban", "d", "ana"]),
        "uniform": float(np.log2(512)),
        "bits": float(bits["B"]),
        "better": min(bits, key=lambda name: bits[name]),
        "cache": numbers,
        "grouped": numbers * 2 // heads,
        "anew": 100 * 101 * 102 // 6,
        "odds": 4 ** (1 / 0.5),
    }


@gpt_forecast.alternative
def by_counting():
    text = "banana bandana"
    for pair, new in (("an", "A"), ("bA", "B"), ("Aa", "C")):
        text = text.replace(pair, new)
    cache = sum(each.size for each in [np.zeros((8, 1000, 64))] * 2) * 6
    a, b = np.log([4.0, 1.0]) / 0.5
    return {
        "tokens": len(text),
        "uniform": -np.log2(1 / 512),
        "bits": 3 / 2,
        "better": "A" if 5 / 5 < 3 / 2 else "B",
        "cache": cache,
        "grouped": cache // 4,
        "anew": sum(sum(range(1, length + 1)) for length in range(1, 101)),
        "odds": float(np.exp(a - b)),
    }


@gpt_forecast.mistake(
    "`tokens`: these are the bytes. Which of them are joined?",
    loses=("tokens",),
)
def bytes_counted():
    return {
        "tokens": 14,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`tokens`: you have done the first merge only. What do the others join?",
    loses=("tokens",),
)
def first_merge_alone():
    return {
        "tokens": 10,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`tokens`: the first two merges are done. What does the third one join?",
    loses=("tokens",),
)
def two_merges_done():
    return {
        "tokens": 8,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`tokens`: do the merges one after the other, each over the whole text. What is left of "
    "`anana` when its turn comes?",
    loses=("tokens",),
)
def longest_first():
    return {
        "tokens": 7,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`uniform`: that is in nats. How many yes-or-no questions do you need to find one of 512?",
    loses=("uniform",),
)
def uniform_in_nats():
    return {
        "tokens": 6,
        "uniform": 6.24,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`uniform`: that is the perplexity. What is it in bits?",
    loses=("uniform",),
)
def perplexity_given():
    return {
        "tokens": 6,
        "uniform": 512,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`bits`: that is what a *token* costs. How many characters does it stand for?",
    loses=("bits",),
)
def bits_of_a_token():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 3,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`bits`: does a character cost more or less than the token it is in?",
    loses=("bits",),
)
def bits_times_characters():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 6,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`bits`: you divide the perplexity. What has to be divided, and what is the perplexity "
    "made of?",
    loses=("bits",),
)
def perplexity_by_characters():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 4,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`better`: the lower perplexity is one per token. Are the tokens of both alike?",
    loses=("better",),
)
def lower_perplexity_wins():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "B",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`better`: perplexities can't be compared here. But what can be calculated from each, for "
    "the same text?",
    loses=("better",),
)
def cannot_be_said():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "neither",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`cache`: you count keys or values. What else is kept?",
    loses=("cache",),
)
def keys_alone():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 3_072_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`cache`: that is one layer. Can a layer use the keys of another?",
    loses=("cache",),
)
def one_layer():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 1_024_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`cache`: that is one head of each layer.",
    loses=("cache",),
)
def one_head():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 768_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`cache`: you keep three things of each token. Does anybody ever need an old query?",
    loses=("cache",),
)
def queries_kept_too():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 9_216_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`grouped`: that is as much as before. Which heads have keys of their own now?",
    loses=("grouped",),
)
def nothing_saved():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 6_144_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`grouped`: you halve it. How many heads of keys are there for how many of queries?",
    loses=("grouped",),
)
def halved():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 3_072_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`grouped`: that is for one head of keys. How many are there?",
    loses=("grouped",),
)
def one_for_all():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 768_000,
        "anew": 171_700,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`anew`: that is with a cache. Without one, which scores are calculated at *every* step?",
    loses=("anew",),
)
def with_the_cache():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 5050,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`anew`: you calculate scores with the future as well. How many pairs does a causal mask "
    "allow for t tokens?",
    loses=("anew",),
)
def square_each_time():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 338_350,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`anew`: not every step has 100 tokens.",
    loses=("anew",),
)
def last_step_times_all():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 505_000,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`anew`: that is one pass over 100 tokens, the future included. How many passes are "
    "there, and how long is each?",
    loses=("anew",),
)
def all_pairs_once():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 10_000,
        "odds": 16,
    }


@gpt_forecast.mistake(
    "`odds`: a temperature below 1 sharpens.",
    loses=("odds",),
)
def odds_halved():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 2,
    }


@gpt_forecast.mistake(
    "`odds`: the *difference of the logits* is divided by 0.5. What becomes of the ratio then?",
    loses=("odds",),
)
def odds_doubled():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 8,
    }


@gpt_forecast.mistake(
    "`odds`: that is the ratio at temperature 1.",
    loses=("odds",),
)
def odds_unchanged():
    return {
        "tokens": 6,
        "uniform": 9,
        "bits": 1.5,
        "better": "A",
        "cache": 6_144_000,
        "grouped": 1_536_000,
        "anew": 171_700,
        "odds": 4,
    }


# written ----------------------------------------------------------------------

a_lower_perplexity = Question(
    "a_lower_perplexity",
    "A lower perplexity",
    points=5,
    minutes=12,
    outcomes=(TOKENS, TRAIN),
    rubric="""\
- 1 point: perplexities are per token, and the two cut text into other tokens: the model with longer
  tokens has fewer and harder ones. 14 and 18 can't be compared.
- 1 point: says what can: the nats of the whole text divided by its characters or bytes (bits per
  character), on the same characters, nothing left out as "unknown". Points out that it may reverse
  the order.
- 1 point: the text was public before B was trained, so B may have seen it, word for word or in
  quotations. Then a low loss shows memory, not knowledge of Finnish or law.
- 1 point: names a way to find out or to avoid it: rulings from after both models' cut-off, or never
  published ones; looking for long pieces of the text in the training data where that is open;
  comparing the loss on the text with that on a reworded one.
- 1 point: for the purpose: a loss is not the task. Compares both on what the court will do with
  them (summaries judged by people who don't know which model wrote them), or asks for a baseline
  and an interval over documents, because one text's difference can be luck.
- No point for "B is larger" or "use a bigger model" without saying what for.""",
    exemplars={
        "full": """\
The two numbers are perplexities per token, and the models don't share their tokens. If B cuts
Finnish words into short pieces, it has many easy tokens and a low perplexity even if it gives the
whole text a smaller probability than A does. I would add up the nats of all tokens for each model
and divide by the characters of the text; then both speak of the same thing, and the order may turn.
Even then B's number may be worth nothing: the rulings stood on the web for years before B was
trained, so it may have read these very pages. I would take rulings published after both were
trained, and look whether B's lead is gone, or compare the loss on the old rulings with that on
reworded ones. The bits per character need an interval, from drawing rulings, because a few long
ones can decide. And a court wants summaries, not predicted words: I would let clerks mark summaries
of both without telling them whose they are. Until then what is known is that nothing is known about
which is better.""",
        "partial": """\
B may have seen the test data during training, so one should use newer rulings. Also perplexity
isn't everything, people should look at the output.""",
        "typical": """\
B is better because its perplexity is lower: it is less surprised by the text, so it understands
Finnish law better. To be sure one could test it on more texts and train longer. 14 is still quite
high, so fine-tuning on rulings would help.""",
    },
)
