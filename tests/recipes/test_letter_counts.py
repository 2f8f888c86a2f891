import math
from itertools import combinations_with_replacement

import pytest

from dlcourse.recipes import letter_counts
from dlcourse.recipes.letter_counts import LetterCounts, align, windows

WORDS = {
    "at": ("AE", "T"),
    "tap": ("T", "AE", "P"),
    "box": ("B", "AA", "K", "S"),
    "axe": ("AE", "K", "S"),
    "bob": ("B", "AA", "B"),
    "pea": ("P", "IY"),
}


def ways(word, sounds):
    """All ways to give each letter 0, 1 or 2 phonemes, by enumeration."""
    for cuts in combinations_with_replacement(range(len(sounds) + 1), len(word) - 1):
        ends = [0, *cuts, len(sounds)]
        chunks = [sounds[a:b] for a, b in zip(ends, ends[1:], strict=False)]
        if all(len(chunk) <= 2 for chunk in chunks):
            yield chunks


def likelihood(shares):
    """Of all words: the sum over all ways, of the product of their letters' chunks."""
    total = 0.0
    for word, sounds in WORDS.items():
        products = (
            math.prod(shares[x].get(c, 0.0) for x, c in zip(word, chunks, strict=True))
            for chunks in ways(word, sounds)
        )
        total += math.log(sum(products))
    return total


def once(shares):
    """One iteration by enumeration."""
    expected = {}
    for word, sounds in WORDS.items():
        every = list(ways(word, sounds))
        weights = [
            math.prod(
                shares[x].get(c, 0.0) if shares else 1.0 for x, c in zip(word, way, strict=True)
            )
            for way in every
        ]
        for way, weight in zip(every, weights, strict=True):
            for x, c in zip(word, way, strict=True):
                found = expected.setdefault(x, {})
                found[c] = found.get(c, 0.0) + weight / sum(weights)
    return {x: {c: n / sum(f.values()) for c, n in f.items()} for x, f in expected.items()}


def test_expectations_are_those_of_all_ways_and_each_iteration_makes_the_words_likelier():
    shares, before = {}, -math.inf
    for _ in range(4):
        expected = {}
        for word, sounds in WORDS.items():
            for x, c, share in letter_counts._expected(word, sounds, shares):
                expected.setdefault(x, {}).setdefault(c, 0.0)
                expected[x][c] += share
        shares = once(shares)
        for x, found in expected.items():
            for c, n in found.items():
                assert n / sum(found.values()) == pytest.approx(shares[x][c], abs=1e-12)
        assert likelihood(shares) > before - 1e-12
        before = likelihood(shares)


def test_letters_find_their_sounds():
    aligned = align(list(WORDS), list(WORDS.values()), 20)
    assert aligned["box"] == [("B",), ("AA",), ("K", "S")]
    assert aligned["tap"] == [("T",), ("AE",), ("P",)]
    for word, chunks in aligned.items():
        assert sum(chunks, ()) == WORDS[word] and len(chunks) == len(word)


def test_words_with_more_than_two_phonemes_a_letter_are_left_out():
    assert align(["w", "at"], [("D", "AH", "B"), ("AE", "T")], 2).keys() == {"at"}


def test_windows_grow_to_the_right_first_and_know_what_was_said_on_the_left():
    said = [("K",), ("AE",)]
    assert list(windows("cat", 2, said, 3)) == [
        (0, "t", ()),
        (0, "t.", ()),
        (1, "at.", (("AE",),)),
        (1, "at..", (("AE",),)),
    ]
    assert [*windows("cat", 0, [], 2)][-1] == (1, ".ca", ())


def test_probabilities_are_witten_and_bells_by_hand_and_add_up_to_one():
    model = LetterCounts({"ab": [("X",), ()], "ac": [("X",), ()], "ad": [("Y",), ()]}, 1)
    found = model.chunks("ab", 0, [])
    # the letter alone: twice X, once Y; the window "ab": once X, of one kind
    assert found[("X",)] == pytest.approx((1 + 2 / 3) / 2)
    assert found[("Y",)] == pytest.approx((0 + 1 / 3) / 2)
    assert model.chunks("?", 0, []) == {(): 1.0}


def test_a_beam_finds_the_likeliest_word_where_the_first_chunk_alone_misleads():
    # of ten words six begin with X, and go on in six ways; four begin with Y, and go on with Z
    words = {f"{x}am": [(), ("X",), (x,)] for x in "bcdefg"}
    words |= {f"{x}am": [(), ("Y",), ("Z",)] for x in "hijk"}
    model = LetterCounts(words, 2)
    assert model.speak("zam", 1)[0] == "X" and model.speak("zam") == ("Y", "Z")


def test_what_was_learnt_is_spoken_again():
    aligned = align(list(WORDS), list(WORDS.values()), 20)
    model = LetterCounts(aligned, 5)
    assert all(model.speak(word) == sounds for word, sounds in WORDS.items())
