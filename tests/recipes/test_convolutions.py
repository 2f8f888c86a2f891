import json

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.closure import ROOT
from dlcourse.recipes import convolutions as recipe
from dlcourse.recipes.convolutions import Plan

pytest.importorskip("mlxtend")
RECORDED = ROOT / "chapters" / "results" / "convolutions.json"


@pytest.fixture
def toy(monkeypatch):
    """Ten classes, each a bright block in a place of its own: three parts; short trainings."""
    rng = np.random.default_rng(0)

    def draw(n):
        labels = np.arange(n) % 10
        images = rng.random((n, 28, 28)) / 10
        for image, k in zip(images, labels, strict=True):
            image[4 * (k % 5) + 4 :, 12 * (k // 5) + 4 :][:4, :8] = 1
        return images.astype(np.float32), labels

    parts = draw(320), draw(40), draw(40)
    monkeypatch.setattr(recipe, "parts", lambda: parts)
    return parts


@pytest.mark.parametrize("plan", recipe.PLANS, ids=lambda plan: plan.name)
def test_a_network_is_what_its_plan_says(plan):
    net, c = recipe.network(plan), plan.size
    convolutions = [layer for layer in net if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in net if isinstance(layer, nn.BatchNorm2d)]
    assert len(convolutions) == {"MLP": 0, "CNN": 2}.get(plan.kind, 3)
    assert len(norms) == (3 if "three" in plan.kind else 0)
    places = {"MLP": 784, "CNN": 2 * c * 49, "CNN of three": 4 * c * 49}.get(plan.kind, 4 * c)
    assert net[-1].in_features == (c if plan.kind == "MLP" else places)
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_smaller_networks_have_as_many_parameters_as_was_counted_by_hand():
    counts = {
        plan: sum(p.numel() for p in recipe.network(plan).parameters())
        for plan in (Plan("MLP", 512), Plan("CNN", 4))
    }
    by_hand = [784 * 512 + 512 + 5130, 4 * 9 + 4 + 8 * 4 * 9 + 8 + 8 * 49 * 10 + 10]
    assert [*counts.values()] == by_hand


@pytest.mark.parametrize("wrong", [("tree", 3), ("CNN", 0), ("MLP", -1)])
def test_plans_that_make_no_network_are_refused(wrong):
    with pytest.raises(ValueError, match="tree|0|-1"):
        Plan(*wrong)


def test_all_names_differ_and_all_pairs_are_plans():
    assert len({plan.name for plan in recipe.PLANS}) == len(recipe.PLANS)


def test_the_seed_decides_the_run_and_torchs_generator_stays(toy, monkeypatch):
    monkeypatch.setattr(recipe, "EPOCHS", 2)
    state = torch.get_rng_state()
    plan = Plan("CNN", 2, moved=True)
    net, losses = recipe.trained(plan, toy[0], lr=0.01, seed=3)
    same, same_losses = recipe.trained(plan, toy[0], lr=0.01, seed=3)
    _, others = recipe.trained(plan, toy[0], lr=0.01, seed=4)
    assert losses == same_losses != others and len(losses) == 2
    for p, q in zip(net.parameters(), same.parameters(), strict=True):
        assert torch.equal(p, q)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("kind, size", [("MLP", 32), ("CNN", 4), ("CNN of three, mean", 4)])
def test_what_is_easy_is_learnt(toy, monkeypatch, kind, size):
    monkeypatch.setattr(recipe, "EPOCHS", 8)
    images, labels = toy[1]
    net, losses = recipe.trained(Plan(kind, size), toy[0], lr=0.01, seed=0)
    assert losses[-1] < losses[0]
    # a block looks the same anywhere: the mean over all places can't tell ten of them apart
    assert (recipe.answers(net, images) == labels).mean() > (0.3 if "mean" in kind else 0.95)


def test_answers_are_given_in_evaluation_mode(toy):
    net = recipe.network(Plan("CNN of three", 2)).train()
    one_by_one = [recipe.answers(net, image[None])[0] for image in toy[1][0][:10]]
    np.testing.assert_array_equal(one_by_one, recipe.answers(net, toy[1][0][:10]))


def test_a_move_is_by_so_many_pixels_in_one_of_eight_directions():
    images = np.zeros((400, 28, 28), np.float32)
    images[:, 14, 14] = 1
    rows, columns = np.nonzero(recipe.moved(images, 2))[1:]
    found = {(int(i) - 14, int(j) - 14) for i, j in zip(rows, columns, strict=True)}
    assert found == {(i, j) for i in (-2, 0, 2) for j in (-2, 0, 2)} - {(0, 0)}
    rows_by_1, _ = np.nonzero(recipe.moved(images, 1))[1:]
    np.testing.assert_array_equal(2 * (rows_by_1 - 14), rows - 14)


def test_parts_don_t_overlap_and_pixels_are_shares():
    sizes = [len(labels) for _, labels in recipe.parts()]
    assert sizes == [3000, 1000, 1000]
    images = np.concatenate([images for images, _ in recipe.parts()])
    assert images.dtype == np.float32 and images.min() == 0 and images.max() == 1
    assert len(np.unique(images.reshape(5000, -1), axis=0)) > 4990


def test_a_short_run_has_the_form_of_the_recorded_one(toy, monkeypatch):
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    monkeypatch.setattr(recipe, "RATES", {kind: (0.01,) for kind in recipe.RATES})
    threads = torch.get_num_threads()
    try:
        short = recipe.run(range(2))
    finally:
        torch.set_num_threads(threads)
    recorded = json.loads(RECORDED.read_text("utf-8"))
    assert short.keys() <= recorded.keys()
    for part in ("rows", "pairs"):
        assert len(short[part]) == len(recorded[part])
        assert [set(row) for row in short[part]] == [set(row) for row in recorded[part]]


def test_no_chosen_rate_is_at_the_edge_of_its_grid():
    for row in json.loads(RECORDED.read_text("utf-8"))["rows"]:
        rates = recipe.RATES[row["kind"]]
        assert min(rates) < row["lr"] < max(rates), row["network"]


@pytest.mark.slow
def test_a_recorded_network_comes_out_again():
    train, _, (images, labels) = recipe.parts()
    rows = {row["network"]: row for row in json.loads(RECORDED.read_text("utf-8"))["rows"]}
    plan = Plan("CNN", 4)
    net, _ = recipe.trained(plan, train, lr=rows[plan.name]["lr"], seed=0)
    right = float((recipe.answers(net, images) == labels).mean())
    # other versions add in another order, and twenty epochs carry that far
    assert abs(right - rows[plan.name]["still"]["accuracy"][0]) <= 0.015
