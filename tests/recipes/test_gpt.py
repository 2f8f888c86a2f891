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


def test_bits_belong_to_the_topic_in_which_their_token_begins(monkeypatch):
    monkeypatch.setattr(recipe, "topics", lambda: ["äb", "cd", "e"])  # 3, 2 and 1 bytes
    cost, lengths = np.array([1.0, 2.0, 4.0, 8.0]), np.array([2, 2, 1, 1])
    np.testing.assert_array_equal(recipe.by_topic(cost, lengths), [3.0, 4.0, 8.0])


def test_the_test_part_is_its_topics_joined():
    assert "".join(recipe.topics()) == recipe.texts()["test"] and len(recipe.topics()) > 10


def test_the_bootstrap_tells_apart_what_is_and_does_not_what_is_not():
    rng = np.random.default_rng(0)
    sizes = rng.integers(100, 2000, size=15)
    each = 2 * sizes + rng.normal(0, 50, size=15)
    first, same = (each + rng.normal(0, 5, size=(3, 15)) for _ in range(2))
    found = recipe.bootstrap(first, first - 0.04 * sizes, sizes)
    assert abs(found["mean"] + 0.04) < 1e-12
    assert found["told_apart"] and found["low"] < -0.04 < found["high"] < 0
    assert not recipe.bootstrap(first, same, sizes)["told_apart"]


def test_one_topic_alone_tells_nothing_apart():
    """That is what drawing topics is for: a lead on the longest alone may not be there again."""
    sizes = np.array([5000, *[300] * 14])
    first = 2.0 * np.tile(sizes, (3, 1))
    second = first - np.eye(15)[0] * 2000
    found = recipe.bootstrap(first, second, sizes)
    assert found["mean"] < -0.2 and not found["told_apart"]


def test_a_power_law_is_found_again():
    sizes = np.array([1e3, 4e3, 16e3])
    exponent, factor = recipe.power_law(sizes, 5 * sizes**-0.07)
    assert abs(exponent - 0.07) < 1e-12 and abs(factor - 5) < 1e-9


def test_a_floor_is_found_again_and_none_where_there_is_none():
    sizes = np.array([5e3, 2e4, 8e4])
    found = recipe.with_floor(sizes, 1.2 + 9 * sizes**-0.3)
    np.testing.assert_allclose(found, (1.2, 0.3, 9), rtol=1e-6)
    assert recipe.with_floor(sizes, np.array([3.0, 2.9, 2.0])) is None


def test_who_goes_on_counting_needs_less_and_no_more_than_it_has_read(small):
    text = recipe.prepared()
    frozen = recipe.NGram(4, text.vocab_size, "kneser-ney").fit(text.tokens["train"])
    before = frozen.bits(text.tokens["test"])
    assert recipe.counting_on(4, "kneser-ney") < before.mean()
    many = recipe.REREAD * 100
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "REREAD", many)  # as never
        assert abs(recipe.counting_on(4, "kneser-ney") - before.mean()) < 1e-12


def test_a_compressor_that_has_read_the_text_packs_it_into_nearly_nothing(monkeypatch):
    found = []
    for test in (recipe.texts()["train"][:6000], recipe.texts()["test"][:6000]):
        parts = {"train": recipe.texts()["train"][:6000], "test": test}
        with monkeypatch.context() as patch:
            patch.setattr(recipe, "texts", lambda parts=parts: parts)
            found.append(recipe.compressed(recipe.lzma.compress))
    assert found[0] < 0.1 < 1 < found[1]


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
    for name, value in (
        ("WIDTH", 12),
        ("LONGER", 2),
        ("SIZES", (4, 8, 16, 12)),
        ("SMALL_RATES", (0.003, 0.03)),
        ("ORDERS", range(1, 6)),
    ):
        monkeypatch.setattr(recipe, name, value)
    monkeypatch.setattr(recipe, "RATES", dict.fromkeys(recipe.KINDS, (0.001, 0.01)))
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    monkeypatch.setattr(recipe, "TUNING_EPOCHS", 1)
    found = []
    for texts in (short, other):
        monkeypatch.setattr(recipe, "texts", lambda texts=texts: texts)
        topics = [texts["test"][i : i + 500] for i in range(0, 1500, 500)]
        monkeypatch.setattr(recipe, "topics", lambda topics=topics: topics)
        recipe.prepared.cache_clear()
        found.append(recipe.run(range(2)))
    first, second = found
    assert first["best_orders"] == second["best_orders"]
    for rows in ("rows", "longer"):
        chosen = [[(row.get("lr"), row.get("validation")) for row in f[rows]] for f in found]
        assert chosen[0] == chosen[1]
    for smoothing, counted in first["ngrams"].items():
        other = second["ngrams"][smoothing]
        assert [row["validation"] for row in counted] == [row["validation"] for row in other]
        assert counted[-1]["test"] != other[-1]["test"]
    assert first["rows"][-1]["bits"] != second["rows"][-1]["bits"]
    assert abs(first["rows"][0]["bits"] - np.log2(len(recipe.alphabet()))) < 0.01
    json.dumps(first, allow_nan=False)


def test_what_is_recorded_has_what_the_chapter_reads():
    result = json.loads(RECORDED.read_text("utf8"))
    names = [row["name"] for row in result["rows"]]
    counted = [f"{order}-gram" for order in result["best_orders"].values()]
    counted[1] += ", Kneser-Ney"
    assert names == ["uniform", "1-gram", "3-gram", *counted, *recipe.KINDS]
    assert result["seeds"] == list(recipe.SEEDS)
    for row in result["rows"][-3:]:
        assert len(row["each"]) == 3 and abs(np.mean(row["each"]) - row["bits"]) < 1e-9
        assert row["lr"] == min(row["tried"], key=lambda each: each["validation"])["lr"]
        rates = [each["lr"] for each in row["tried"]]
        assert min(rates) < row["lr"] < max(rates)  # none at the edge of its grid
