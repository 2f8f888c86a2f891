import json

import numpy as np
import pytest
import torch

from dlcourse.closure import ROOT
from dlcourse.recipes import gpt as recipe

RECORDED = ROOT / "chapters" / "results" / "gpt.json"


@pytest.fixture
def small(monkeypatch):
    """Trainings of a few steps."""
    short = {part: text[:6000] for part, text in recipe.texts().items()}
    monkeypatch.setattr(recipe, "texts", lambda: short)
    for name, value in (("LSTM_STATE", 8), ("LSTM_WIDTH", 8), ("CONTEXT", 16)):
        monkeypatch.setattr(recipe, name, value)
    for cached in (recipe.prepared, recipe.tokenizer):
        cached.cache_clear()
    yield
    for cached in (recipe.prepared, recipe.tokenizer):
        cached.cache_clear()


def test_no_topic_is_in_two_parts():
    texts = recipe.texts()
    topics = recipe.load_manual()[0].values()
    assert all(sum(topic in text for text in texts.values()) == 1 for topic in topics)
    assert sum(map(len, texts.values())) == sum(map(len, topics))


def test_byte_pairs_are_learned_from_the_training_part_and_give_the_text_back():
    pairs = recipe.prepared("GPT, byte pairs")
    assert recipe.tokenizer().merges == recipe.train_bpe(recipe.texts()["train"], recipe.MERGES)
    for part, text in recipe.texts().items():
        assert recipe.tokenizer().decode(pairs.tokens[part]) == text
        assert pairs.lengths[part].sum() == len(text.encode())
        assert recipe.prepared().lengths[part].sum() == len(text.encode())


def test_networks_have_about_the_same_budget_in_their_layers():
    result = json.loads(RECORDED.read_text("utf8"))
    layers = [row["in_layers"] for row in result["rows"][-3:]]
    assert max(layers) / min(layers) < 1.05
    sizes = [row["in_layers"] for row in result["scaling"]["sizes"]]
    assert all(3.5 < b / a < 4.1 for a, b in zip(sizes, sizes[1:], strict=False))
    gpt = recipe.network("GPT", 0)
    assert layers[1] == sizes[-1] == sum(p.numel() for p in gpt.blocks.parameters()) + 2 * 96


def test_windows_lie_end_to_end_and_every_token_is_a_target_once():
    tokens = np.arange(1000)
    rows = recipe.windows(tokens, np.random.default_rng(0))
    targets = np.concatenate([row[1:] for row in rows])
    assert len(set(targets.tolist())) == len(targets) > 1000 - 2 * recipe.CONTEXT
    assert all(len(row) == recipe.CONTEXT + 1 and (np.diff(row) == 1).all() for row in rows)
    firsts = {recipe.windows(tokens, np.random.default_rng(s))[0][0] for s in range(20)}
    assert len(firsts) > 10


class Foretelling(torch.nn.Module):
    """Knows that numbers rise by one, as far as it was told two of them."""

    def forward(self, tokens):
        logits = torch.full((*tokens.shape, 600), -50.0)
        logits.scatter_(2, (tokens[..., None] + 1).clamp(max=599), 50.0)
        return logits


@pytest.mark.parametrize("length", [1, 2, 65, 66, 128, 129, 130, 400, 600])
def test_each_token_is_judged_once_and_the_first_as_if_all_were_alike(length):
    cost = recipe.bits(Foretelling(), np.arange(length), 600)
    assert cost.shape == (length,) and cost[0] == np.log2(600)
    np.testing.assert_allclose(cost[1:], 0, atol=1e-6)


def test_bits_are_those_of_a_direct_count_and_see_nothing_to_come(small):
    text = recipe.prepared()
    net, tokens = recipe.network("GPT", 0, 8).double().eval(), text.tokens["test"][:60]
    cost = recipe.bits(net, tokens, text.vocab_size)
    for t in (1, 7, 16, 17, 24, 40, 59):
        start = 0 if t <= 16 else 8 * ((t - 1) // 8 - 1)
        row = torch.from_numpy(tokens[start:t])[None]
        wanted = -net(row)[0, -1].log_softmax(-1)[tokens[t]].item() / np.log(2)
        assert abs(cost[t] - wanted) < 1e-9, t
    changed = tokens.copy()
    changed[50:] = 0
    np.testing.assert_array_equal(recipe.bits(net, changed, text.vocab_size)[:50], cost[:50])


def test_blocks_are_runs_of_bytes_whatever_the_tokens():
    cost, lengths = np.array([1.0, 2.0, 4.0, 8.0]), np.array([300, 300, 399, 10])
    np.testing.assert_array_equal(recipe.blocks(cost, lengths), [3.0, 12.0])


def test_the_bootstrap_tells_apart_what_is_and_does_not_what_is_not():
    rng = np.random.default_rng(0)
    blocks = rng.normal(1000, 100, size=60)
    first, same = (blocks + rng.normal(0, 5, size=(3, 60)) for _ in range(2))
    found = recipe.bootstrap(first, first - 20, 60 * 500)
    assert abs(found["mean"] + 20 / 500) < 1e-12
    assert found["told_apart"] and found["low"] < found["mean"] < found["high"] < 0
    assert not recipe.bootstrap(first, same, 60 * 500)["told_apart"]


def test_a_power_law_is_found_again():
    sizes = np.array([1e3, 4e3, 16e3])
    exponent, factor = recipe.power_law(sizes, 5 * sizes**-0.07)
    assert abs(exponent - 0.07) < 1e-12 and abs(factor - 5) < 1e-9


@pytest.mark.parametrize("kind", recipe.KINDS)
def test_the_seed_decides_a_training_and_torchs_generator_stays(small, kind):
    state = torch.get_rng_state()
    one, same, other = (recipe.fit(kind, 0.003, seed, width=8, epochs=1) for seed in (0, 0, 1))
    assert one[1] == same[1] != other[1] and len(one[1]) > 5
    assert all(map(torch.equal, one[0].parameters(), same[0].parameters()))
    assert torch.equal(state, torch.get_rng_state())


def test_what_is_chosen_is_chosen_without_the_test_part(small, monkeypatch):
    short = {
        part: text if part == "train" else text[:1500] for part, text in recipe.texts().items()
    }
    other = short | {"test": short["test"][::-1]}
    for name, value in (("WIDTH", 12), ("SIZES", (4, 8, 12))):
        monkeypatch.setattr(recipe, name, value)
    monkeypatch.setattr(recipe, "RATES", dict.fromkeys(recipe.KINDS, (0.001, 0.01)))
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    monkeypatch.setattr(recipe, "TUNING_EPOCHS", 1)
    found = []
    for texts in (short, other):
        monkeypatch.setattr(recipe, "texts", lambda texts=texts: texts)
        recipe.prepared.cache_clear()
        found.append(recipe.run(range(2)))
    first, second = found
    assert [row.get("lr") for row in first["rows"]] == [row.get("lr") for row in second["rows"]]
    assert first["best_order"] == second["best_order"]
    assert [each["validation"] for each in first["ngrams"]] == [
        each["validation"] for each in second["ngrams"]
    ]
    assert first["rows"][-1]["bits"] != second["rows"][-1]["bits"]
    assert abs(first["rows"][0]["bits"] - np.log2(len(recipe.alphabet()))) < 0.01
    json.dumps(first, allow_nan=False)


def test_what_is_recorded_has_what_the_chapter_reads():
    result = json.loads(RECORDED.read_text("utf8"))
    names = [row["name"] for row in result["rows"]]
    best = result["best_order"]
    assert names == ["uniform", "1-gram", "3-gram", f"{best}-gram", *recipe.KINDS]
    assert result["seeds"] == list(recipe.SEEDS)
    for row in result["rows"][-3:]:
        assert len(row["each"]) == 3 and abs(np.mean(row["each"]) - row["bits"]) < 1e-9
        assert row["lr"] == min(row["tried"], key=lambda each: each["validation"])["lr"]
        rates = [each["lr"] for each in row["tried"]]
        assert min(rates) < row["lr"] < max(rates)  # none at the edge of its grid


def test_others_work_in_the_order_that_was_asked_for():
    with recipe.side_by_side(0) as here, recipe.side_by_side(1) as elsewhere:
        assert list(here(len, ["ab", "c"])) == list(elsewhere(len, ["ab", "c"])) == [2, 1]
