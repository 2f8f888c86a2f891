import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from dlcourse.closure import ROOT
from dlcourse.models.lstm import LSTM
from dlcourse.recipes import lstm as recipe

if not find_spec("sktime"):
    pytest.skip("the data is in the package sktime", allow_module_level=True)
pytest.importorskip("sklearn")
RECORDED = ROOT / "chapters" / "results" / "lstm.json"
TRAIN = np.arange(recipe.TRAIN)


def test_steps_are_scaled_by_the_training_part_and_padding_is_zero():
    x, lengths, speakers = recipe.utterances()
    there = torch.arange(29) < lengths[:, None]
    steps = x[:270][there[:270]]
    assert steps.mean(0).abs().max() < 1e-5 and (steps.std(0) - 1).abs().max() < 1e-3
    assert not x[~there].any() and len(speakers) == 640
    assert x[270:][there[270:]].mean(0).abs().max() > 0.05  # the test part isn't its own measure


def test_shuffling_moves_steps_within_their_utterance():
    x, lengths, _ = recipe.utterances()
    for row, other, length in zip(x[:50], recipe.shuffled()[:50], lengths[:50], strict=True):
        assert not torch.equal(row, other) and not other[length:].any()
        assert torch.equal(row[:length].sort(0)[0], other[:length].sort(0)[0])


def test_folds_are_disjoint_and_hold_ten_of_each_speaker():
    _, _, speakers = recipe.utterances()
    seen = []
    for train, validation in recipe.folds():
        assert not set(train) & set(validation) and len(train) + len(validation) == 270
        assert np.bincount(speakers[torch.from_numpy(validation)]).tolist() == [10] * 9
        seen.extend(validation)
    assert sorted(seen) == list(range(270))


def test_a_summary_knows_no_order():
    x, lengths, _ = recipe.utterances()
    found = recipe.summary()
    row = x[3, : lengths[3]].numpy()
    np.testing.assert_allclose(found[3], np.r_[row.mean(0), row.std(0)], rtol=1e-6)


def test_additions_are_the_sum_of_two_marked_numbers_one_in_each_half():
    x, y = recipe.additions(np.random.default_rng(0), 200, 10)
    assert (x[:, :5, 1].sum(1) == 1).all() and (x[:, 5:, 1].sum(1) == 1).all()
    torch.testing.assert_close((x[:, :, 0] * x[:, :, 1]).sum(1), y)
    assert abs(y.var().item() - 1 / 6) < 0.03  # what the mean as an answer costs


def test_a_latch_tells_the_value_stored_last_and_only_when_asked():
    x, y = recipe.latches(np.random.default_rng(0), 20)
    for (value, store, tell), answers in zip(x.transpose(1, 2), y, strict=True):
        held = None
        for t in range(len(answers)):
            held = value[t] if store[t] else held
            assert answers[t] == (held if tell[t] else 0)


@pytest.mark.parametrize("gate", recipe.GATES)
def test_an_open_gate_is_one_whatever_its_weights(gate):
    torch.manual_seed(0)
    net, whole = recipe.OpenGate(2, 3, gate), LSTM(2, 3)
    whole.load_state_dict(net.state_dict())
    if gate != "none":
        k = "ifgo".index(gate) * 3
        with torch.no_grad():
            whole.weight_ih_l0[k : k + 3] = whole.weight_hh_l0[k : k + 3] = 0
            whole.bias_ih_l0[k : k + 3] = 50
    x = torch.randn(2, 6, 2)
    torch.testing.assert_close(net(x)[0], whole(x)[0])


def test_the_seed_decides_a_training_and_torchs_generator_stays(monkeypatch):
    for name in ("EPOCHS", "ADDINGS", "LATCHES"):
        monkeypatch.setattr(recipe, name, 1 if name == "EPOCHS" else 10)
    state = torch.get_rng_state()
    for fit in (
        lambda seed: [
            p.sum().item() for p in recipe.fit_reader("LSTM", 0.01, seed, TRAIN).parameters()
        ],
        lambda seed: recipe.fit_adder("GRU", 0.01, seed),
        lambda seed: recipe.fit_latch("f", 0.01, seed),
    ):
        assert fit(0) == fit(0) != fit(1)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", recipe.READERS)
def test_each_reader_learns_something_in_an_epoch_or_two(name, monkeypatch):
    monkeypatch.setattr(recipe, "EPOCHS", 2)
    net = recipe.fit_reader(name, 0.01, 0, TRAIN)
    assert recipe.right(name, net, TRAIN).mean() > 2 / 9


def test_an_adder_with_a_forget_bias_begins_one_higher():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        plain = recipe.Adder("LSTM").layer
        torch.manual_seed(0)
        moved = recipe.Adder("LSTM, forget bias 1").layer
    shift = moved.bias_ih_l0 - plain.bias_ih_l0
    torch.testing.assert_close(shift, torch.eye(4)[1].repeat_interleave(recipe.HIDDEN))


def test_the_baselines_read_summaries():
    train, validation = recipe.folds()[0]
    assert recipe.linear(1.0, train, validation).mean() > 0.8
    assert recipe.linear(1.0, train, validation).shape == validation.shape


def test_no_chosen_rate_is_at_the_edge_of_its_grid():
    recorded = json.loads(RECORDED.read_text("utf-8"))
    for part in ("rows", "adding", "latch"):
        for row in recorded[part]:
            learns = (part, row["name"]) != ("adding", "RNN")  # at no rate
            if "tried" in row and learns and row["name"] != "linear discriminant":  # see below
                tried = [each["setting"] for each in row["tried"]]
                assert min(tried) < row["setting"] < max(tried), row["name"]


def test_the_start_that_keeps_hands_a_state_on_as_it_is():
    torch.manual_seed(0)
    layer = recipe.Adder(recipe.KEEPING).layer
    states, _ = layer(torch.tensor([[[0.5, 1.0], [0.0, 0.0], [0.0, 0.0]]]))
    assert torch.equal(states[0, 0], states[0, 2]) and states[0, 0].max() > 0


def test_all_readers_are_compared_with_each_other():
    result = json.loads(RECORDED.read_text("utf-8"))
    names = [row["name"] for row in result["rows"]]
    assert len(result["pairs"]) == len(names) * (len(names) - 1) / 2


def test_a_discriminant_that_shrinks_nothing_and_one_that_shrinks_all_differ():
    first, validation = recipe.folds()[0]
    one, other = (recipe.discriminant(c, first, validation) for c in (0.0, 1.0))
    assert one.mean() > 0.9 and other.mean() > 0.5 and (one != other).any()


def test_a_shrinkage_at_the_edge_of_its_grid_would_not_be_better_beyond():
    rows = {row["name"]: row for row in json.loads(RECORDED.read_text("utf-8"))["rows"]}
    best = max(each["score"] for each in rows["linear discriminant"]["tried"])
    for less in (0.0, 0.01, 0.05):
        assert np.mean([recipe.discriminant(less, *fold).mean() for fold in recipe.folds()]) < best
