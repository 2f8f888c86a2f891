import json

import numpy as np
import pytest

from dlcourse.closure import ROOT
from dlcourse.recipes import depth
from dlcourse.scratch.layers import Linear, Sequential
from dlcourse.scratch.norm import BatchNorm1d
from dlcourse.scratch.residual import Residual

pytest.importorskip("mlxtend")


@pytest.fixture
def toy():
    """Two classes in 784 pixels, far apart: three parts."""
    rng = np.random.default_rng(0)

    def draw(n):
        labels = np.arange(n) % 2
        x = rng.normal(size=(n, 784)) + np.where(labels, 1, -1)[:, None]
        return x.astype(np.float32), labels

    return draw(256), draw(64), draw(64)


def linears(layer):
    if isinstance(layer, Linear):
        return [layer]
    return [found for part in getattr(layer, "layers", ()) for found in linears(part)]


@pytest.mark.parametrize("name", depth.NETWORKS)
def test_a_network_has_the_layers_that_its_name_says(name):
    net = depth.network(rng=np.random.default_rng(0), **depth.NETWORKS[name])
    found = linears(net)
    assert len(found) == int(name.split()[0])
    assert not any(layer.params["bias"].any() for layer in found)
    assert {p.dtype for p in net.params.values()} == {np.dtype(np.float32)}
    assert any(isinstance(layer, Residual) for layer in net.layers) == ("way round" in name)
    for layer in found[1:-1]:
        expected = 0.01 if "0.01" in name else np.sqrt(2 / 64)
        assert abs(layer.params["weight"].std() / expected - 1) < 0.1


def test_two_layers_learn_what_is_easy_and_the_seed_decides_the_run(toy):
    train, _, test = toy
    net, losses = depth.trained("2 layers, He", train, lr=0.01, seed=3)
    same, same_losses = depth.trained("2 layers, He", train, lr=0.01, seed=3)
    assert depth.hits(net, test).all() and losses == same_losses and len(losses) == depth.EPOCHS
    np.testing.assert_array_equal(net.params["0.weight"], same.params["0.weight"])


def test_training_ends_where_numbers_do(toy):
    name = "50 layers, He, way round"
    _, losses = depth.trained(name, toy[0], lr=0.1, seed=0)
    assert len(losses) < depth.EPOCHS


def test_a_network_is_judged_in_evaluation_mode(toy):
    net = Sequential(
        BatchNorm1d(784, dtype=np.float32), Linear(784, 2, rng=np.random.default_rng(0))
    )
    before = net.layers[0].running_mean.copy()
    depth.hits(net, toy[2])
    np.testing.assert_array_equal(net.layers[0].running_mean, before)


def test_pixels_are_scaled_by_the_training_part_alone():
    (x, labels), (x_validation, _), (x_test, _) = depth.parts()
    assert x.dtype == np.float32 and len(labels) == 3000
    np.testing.assert_allclose(x.std(), 1, rtol=1e-5)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    assert x_validation.std() != 1 and x_test.std() != 1


def test_a_short_run_has_the_form_of_the_recorded_one(monkeypatch, toy):
    monkeypatch.setattr(depth, "parts", lambda: toy)
    monkeypatch.setattr(depth, "RATES", (0.01,))
    monkeypatch.setattr(depth, "EPOCHS", 1)
    short = depth.run(range(2))
    recorded = json.loads((ROOT / "chapters" / "results" / "depth.json").read_text("utf-8"))
    assert short.keys() <= recorded.keys()
    for part in ("rows", "pairs"):
        assert len(short[part]) == len(recorded[part])
        assert [set(row) for row in short[part]] == [set(row) for row in recorded[part]]


@pytest.mark.slow
def test_the_recorded_networks_come_out_again():
    train, _, test = depth.parts()
    recorded = json.loads((ROOT / "chapters" / "results" / "depth.json").read_text("utf-8"))
    for row in recorded["rows"]:
        if row["mean"] > 0.9:
            net, _ = depth.trained(row["network"], train, lr=row["lr"], seed=0)
            # other versions add in another order; fifty layers carry that far
            assert abs(depth.hits(net, test).mean() - row["accuracy"][0]) <= 0.03, row["network"]
