import numpy as np
import pytest
import torch

from dlcourse.models.diffusion import Denoiser, DenoiserConfig, StepEmbedding, denoising_loss
from dlcourse.scratch.diffusion import Schedule, linear_betas, q_sample

SCHEDULE = Schedule(linear_betas(20, 0.01, 0.4))
BARS = torch.tensor(SCHEDULE.alpha_bars)
TINY = DenoiserConfig(pixels=6, num_classes=3, hidden_size=32, num_blocks=2, embedding_size=8)


def denoiser(seed=0, touched=True):
    """A tiny one; ``touched``: with a head that isn't 0, as after training."""
    torch.manual_seed(seed)
    model = Denoiser(BARS, TINY)
    if touched:
        for part in (model.head, *(block.second for block in model.blocks)):
            torch.nn.init.normal_(part.weight, std=0.3)
    return model


def batch(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, n, 6, generator=generator)
    return x, torch.arange(n) % 3, torch.arange(n) * 3 % 20, noise


def test_number_of_parameters():
    count = sum(p.numel() for p in denoiser().parameters())
    embedding = 2 * (8 * 8 + 8) + 4 * 8
    block = 2 * 32 + 2 * (32 * 32 + 32) + 8 * 64 + 64
    assert count == embedding + 6 * 32 + 32 + 2 * block + 2 * 32 + 32 * 6 + 6


def test_at_first_the_guess_is_that_for_normal_data():
    x, labels, t, _ = batch()
    model = denoiser(touched=False)
    wanted = (1 - model.alpha_bars[t]).sqrt()[:, None] * x + model.head.bias
    torch.testing.assert_close(model(x, t, labels), wanted, rtol=0, atol=0)


def test_step_and_label_matter_and_so_does_having_none():
    model, (x, labels, t, _) = denoiser(), batch()
    guess = model(x, t, labels)
    assert (model(x, (t + 1) % 20, labels) - guess).abs().amax(1).min() > 1e-3
    assert (model(x, t, (labels + 1) % 3) - guess).abs().amax(1).min() > 1e-3
    none = model(x, t, torch.full_like(labels, TINY.null))
    assert (none - guess).abs().amax(1).min() > 1e-3


def test_an_example_does_not_see_its_neighbours():
    model, (x, labels, t, _) = denoiser().double(), batch()
    x = x.double()
    torch.testing.assert_close(model(x, t, labels)[2:3], model(x[2:3], t[2:3], labels[2:3]))


def test_steps_are_told_apart_by_sines_and_cosines():
    found = StepEmbedding(4)(torch.tensor([0, 7]))
    slow = 7 * 1000**-0.5
    wanted = [[0, 0, 1, 1], [np.sin(7), np.sin(slow), np.cos(7), np.cos(slow)]]
    torch.testing.assert_close(found, torch.tensor(wanted).float(), rtol=0, atol=1e-6)
    many = StepEmbedding(16)(torch.arange(1000))
    gaps = torch.cdist(many, many) + 9 * torch.eye(1000)
    assert gaps.min() > 0.1


def test_the_loss_is_that_of_the_reference_on_what_q_sample_makes():
    torch.set_default_dtype(torch.float64)
    try:
        model, (x, labels, t, noise) = denoiser(), batch()
        drop = torch.tensor([False, True, False, False, True])
        x_t = q_sample(x.numpy(), t.numpy(), noise.numpy(), SCHEDULE)
        seen = torch.where(drop, 3, labels)
        guess = model(torch.from_numpy(x_t), t, seen).detach().numpy()
        found = denoising_loss(model, x, labels, t, noise, drop).item()
    finally:
        torch.set_default_dtype(torch.float32)
    assert abs(found - np.mean((guess - noise.numpy()) ** 2)) < 1e-12
    assert labels.max() == 2  # the caller's labels are as they were


def test_one_batch_overfits():
    model, (x, labels, t, noise) = denoiser(touched=False), batch(4)
    drop = torch.zeros(4, dtype=torch.bool)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        loss = denoising_loss(model, x, labels, t, noise, drop)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


def test_the_schedule_travels_with_the_weights_and_single_precision_is_the_default():
    model = denoiser()
    assert model.alpha_bars.dtype == torch.float32 and "alpha_bars" in model.state_dict()
    assert not model.alpha_bars.requires_grad


def test_shapes_that_do_not_fit_are_refused():
    model, (x, labels, t, noise) = denoiser(), batch()
    with pytest.raises(ValueError, match=r"images are \(B, 6\), not \(5, 5\)"):
        model(x[:, :5], t, labels)
    with pytest.raises(ValueError, match=r"steps and labels are \(5,\), not \(4,\) and \(5,\)"):
        model(x, t[:4], labels)
    with pytest.raises(ValueError, match=r"not \(5,\) and \(1,\)"):
        model(x, t, labels[:1])
    with pytest.raises(ValueError, match=r"\(5, 5\) and \(5, 6\)"):
        denoising_loss(model, x, labels, t, noise[:, :5], labels > 0)
    with pytest.raises(ValueError, match=r"\(4,\) and \(5,\)"):
        denoising_loss(model, x, labels, t, noise, labels[:4] > 0)


@pytest.mark.parametrize("wrong", [-1, 20])
def test_steps_and_labels_that_do_not_exist_are_refused(wrong):
    model, (x, labels, t, noise) = denoiser(), batch()
    with pytest.raises(IndexError):
        model(x, torch.full_like(t, wrong), labels)
    with pytest.raises(IndexError):
        model(x, t, torch.full_like(labels, wrong))
    with pytest.raises(IndexError):
        denoising_loss(model, x, labels, torch.full_like(t, wrong), noise, labels < 0)


def test_no_image_has_no_loss_but_a_guess():
    model, (x, labels, t, noise) = denoiser(), batch(0)
    assert model(x, t, labels).shape == (0, 6)
    with pytest.raises(ValueError, match="there must be an image"):
        denoising_loss(model, x, labels, t, noise, labels > 0)


@pytest.mark.parametrize("bars", [[], [[0.5]], [1.0, 0.5], [0.5, 0.0], [0.5, float("nan")]])
def test_impossible_schedules_are_refused(bars):
    with pytest.raises(ValueError, match="alpha_bars are|alpha-bars lie"):
        Denoiser(torch.tensor(bars), TINY)


@pytest.mark.parametrize("name", ["pixels", "num_classes", "hidden_size", "num_blocks"])
def test_impossible_sizes_are_refused(name):
    with pytest.raises(ValueError, match="at least 1"):
        DenoiserConfig(**{name: 0})
    for size in (0, 7):
        with pytest.raises(ValueError, match=f"even and at least 2.*{size}"):
            DenoiserConfig(embedding_size=size)
        with pytest.raises(ValueError, match=f"even and at least 2.*{size}"):
            StepEmbedding(size)
