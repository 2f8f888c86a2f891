from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.bpe import Tokenizer, merge, pieces, train_bpe

TEXT = "the cat and the hat and the bat sat; the cat sat on the mat, 12 mats and 112 hats.\n" * 3
STRANGE = "  Grüße 😀😀👩‍👩‍👧 ２３ ½ _x_\t\n\nĳ\u0301 \x00 \u200b\u3000end "

# few letters make many repetitions, and many ties
texts = st.one_of(st.text(), st.text(alphabet="ab \n", max_size=60))


def slowly(text, count):
    """The docstring's rule with nothing clever: all is counted anew for each merge."""
    words = [list(piece.encode()) for piece in pieces(text)]
    merges = []
    for new in range(256, 256 + count):
        counts = Counter(pair for word in words for pair in pairwise(word))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if not ranked or ranked[0][1] < 2:
            break
        best = ranked[0][0]
        merges.append(best)
        for k, word in enumerate(words):
            joined, i = [], 0
            while i < len(word):
                both = tuple(word[i : i + 2]) == best
                joined.append(new if both else word[i])
                i += 1 + both
            words[k] = joined
    return merges, [token for word in words for token in word]


@given(texts)
def test_pieces_joined_are_the_text(text):
    assert "".join(pieces(text)) == text
    assert all(pieces(text))


def test_words_keep_their_space_and_kinds_of_signs_are_apart():
    assert pieces("The cat's 12th mat.  No\n") == [
        *("The", " cat", "'", "s", " 12", "th", " mat", ".", " ", " No", "\n")
    ]
    assert pieces("_a__b") == ["_", "a", "__", "b"]
    assert pieces("a\n\n  b") == ["a", "\n\n ", " b"]


def test_the_paper_s_words():
    """e r stands 9 times, l o and then lo w 7 times; of those with 6 " n" is the smallest."""
    text = "low low low low low lowest lowest " + "newer " * 6 + "wider " * 3
    assert train_bpe(text, 4) == [(101, 114), (108, 111), (257, 119), (32, 110)]


@settings(max_examples=60)
@given(texts, st.integers(0, 12))
def test_learning_is_counting_anew_for_each_merge(text, count):
    assert train_bpe(text, count) == slowly(text, count)[0]


@settings(max_examples=60)
@given(texts, st.integers(0, 12))
def test_encoding_what_was_learned_from_is_what_learning_left(text, count):
    merges, left = slowly(text, count)
    assert Tokenizer(merges).encode(text).tolist() == left


def test_merges_are_found_in_longer_text():
    assert train_bpe(TEXT, 40) == slowly(TEXT, 40)[0]
    assert len(set(train_bpe(TEXT, 40))) > 20


def test_of_equally_frequent_pairs_the_smaller_is_first():
    assert train_bpe("ba ab cd", 9) == []
    assert train_bpe("dc dc ab ab", 1) == [(32, 97)]
    assert train_bpe("dc,dc,ab,ab", 4) == [(97, 98), (100, 99)]


def test_overlapping_places_count_and_runs_are_joined_from_the_left():
    assert train_bpe("aaa", 5) == [(97, 97)]
    assert Tokenizer([(97, 97)]).encode("aaaaa").tolist() == [256, 256, 97]
    assert merge([1, 1, 1, 2], (1, 1), 7) == [7, 1, 2]


def test_learning_ends_where_no_pair_stands_twice():
    assert train_bpe("", 3) == train_bpe("abcdef", 3) == []
    assert train_bpe("ab,ab", 9) == [(97, 98)]


def test_no_merge_crosses_the_border_of_pieces():
    learned = Tokenizer(train_bpe("dog. dog. dog. dog! dog! 7dog 7dog", 50))
    whole = [learned.decode([t]) for t in range(256, learned.vocab_size)]
    assert whole and all(len(pieces(each)) == 1 for each in whole)


@settings(max_examples=200)
@given(texts)
def test_any_text_comes_back(text):
    learned = Tokenizer(train_bpe(TEXT + STRANGE * 2, 60))
    tokens = learned.encode(text)
    assert tokens.dtype == np.int64 and tokens.ndim == 1
    assert len(tokens) <= len(text.encode())
    assert learned.decode(tokens) == text


def test_strange_text_comes_back_with_many_merges_and_none():
    for count in (0, 5, 500):
        learned = Tokenizer(train_bpe(STRANGE * 4, count))
        assert learned.decode(learned.encode(STRANGE)) == STRANGE
    assert Tokenizer([]).encode("é").tolist() == [0xC3, 0xA9]
    assert Tokenizer([]).vocab_size == 256


@given(st.lists(st.integers(0, 257)))
def test_any_tokens_have_a_text(tokens):
    assert isinstance(Tokenizer([(97, 98), (0xF0, 0x9F)]).decode(tokens), str)


def test_half_a_character_is_the_replacement_character():
    assert Tokenizer([]).decode([97, 0xC3]) == "a\ufffd"
    assert Tokenizer([]).decode(np.array([], np.int64)) == ""


def test_earlier_merges_come_first():
    """Greedy for the longest token would take "abc" for what the order of learning splits."""
    bc_first = Tokenizer([(98, 99), (97, 98), (257, 99)])  # bc, ab, "ab" then c
    assert bc_first.encode("abc").tolist() == [97, 256]
    assert Tokenizer([(97, 98), (98, 99), (256, 99)]).encode("abc").tolist() == [258]


def test_what_was_encoded_before_makes_no_difference():
    one, other = Tokenizer(train_bpe(TEXT, 30)), Tokenizer(train_bpe(TEXT, 30))
    one.encode(TEXT)
    again = one.encode("the cat")
    again[:] = 0  # an answer is the caller's own
    assert one.encode("the cat").tolist() == other.encode("the cat").tolist()


@pytest.mark.parametrize(
    "merges, said",
    [
        ([(97, 256)], "256"),
        ([(-1, 97)], "-1"),
        ([(97, 98), (97, 98)], "twice"),
        ([(0, 300)], "300"),
    ],
)
def test_impossible_merges_are_refused(merges, said):
    with pytest.raises(ValueError, match=said):
        Tokenizer(merges)


def test_unknown_tokens_and_negative_counts_are_refused():
    for token in (-1, 256):
        with pytest.raises(ValueError, match="0 to 255"):
            Tokenizer([]).decode([token])
    with pytest.raises(ValueError, match="-1"):
        train_bpe("a", -1)
    for broken in (train_bpe, lambda text, _: Tokenizer([]).encode(text)):
        with pytest.raises(UnicodeEncodeError):
            broken("\ud800", 1)
