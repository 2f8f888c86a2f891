import pytest
import torch
from torch import distributions, nn

from dlcourse.models.vae import VAE, VAEConfig, vae_loss

TINY = VAEConfig(pixels=6, num_classes=3, hidden_size=16, latent_size=2)


def batch(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 6, generator=generator)
    return x, torch.arange(n) % 3, torch.randn(n, 2, generator=generator)


def test_number_of_parameters():
    count = sum(p.numel() for p in VAE(TINY).parameters())
    encoder = (6 + 3) * 16 + 16 + 16 * 16 + 16 + 16 * 4 + 4
    decoder = (2 + 3) * 16 + 16 + 16 * 16 + 16 + 16 * 6 + 6
    assert count == encoder + decoder


def test_the_loss_is_cross_entropy_and_the_divergence_that_torch_calculates():
    torch.manual_seed(0)
    x = torch.rand(4, 6, dtype=torch.float64)
    logits = torch.randn(4, 6, dtype=torch.float64)
    mean, log_variance = torch.randn(2, 4, 3, dtype=torch.float64)
    cloud = distributions.Normal(mean, torch.exp(log_variance / 2))
    code = distributions.kl_divergence(cloud, distributions.Normal(0.0, 1.0)).sum()
    ink = torch.sigmoid(logits)
    pixels = -(x * ink.log() + (1 - x) * (1 - ink).log()).sum()
    found = vae_loss(x, logits, mean, log_variance)
    torch.testing.assert_close(found, (pixels + code) / 4, rtol=0, atol=1e-12)


def test_without_noise_the_code_is_the_mean_and_decoding_gives_what_comes_back():
    torch.manual_seed(0)
    model, (x, labels, noise) = VAE(TINY), batch()
    logits, mean, _ = model(x, labels, torch.zeros_like(noise))
    torch.testing.assert_close(model.decode(mean, labels), torch.sigmoid(logits))


def test_noise_moves_the_code_by_its_deviation():
    torch.manual_seed(0)
    model, (x, labels, noise) = VAE(TINY), batch()
    logits, mean, log_variance = model(x, labels, noise)
    code = mean + torch.exp(0.5 * log_variance) * noise
    torch.testing.assert_close(model.decode(code, labels), torch.sigmoid(logits))


def test_both_sides_are_told_the_label():
    torch.manual_seed(0)
    model, (x, labels, noise) = VAE(TINY), batch()
    other = (labels + 1) % 3
    assert not torch.equal(model(x, labels, noise)[1], model(x, other, noise)[1])
    assert not torch.equal(model.decode(noise, labels), model.decode(noise, other))


def test_one_batch_overfits():
    torch.manual_seed(0)
    model, (x, labels, _) = VAE(VAEConfig(6, 3, 64, 4)), batch(4)
    x = x.round()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        logits, mean, _ = model(x, labels, torch.zeros(4, 4))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-2 and (torch.sigmoid(logits).round() == x).all()


def test_shapes_that_do_not_fit_are_refused():
    model, (x, labels, noise) = VAE(TINY), batch()
    with pytest.raises(ValueError, match=r"images are \(B, 6\), not \(5, 5\)"):
        model(x[:, :5], labels, noise)
    with pytest.raises(ValueError, match=r"labels are \(5,\), not \(4,\)"):
        model(x, labels[:4], noise)
    with pytest.raises(ValueError, match=r"the noise is \(5, 2\), not \(5, 3\)"):
        model(x, labels, torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"codes are \(B, 2\), not \(5, 3\)"):
        model.decode(torch.zeros(5, 3), labels)
    with pytest.raises(ValueError, match=r"\(5, 6\), \(5, 5\)"):
        vae_loss(x, x[:, :5], noise, noise)
    with pytest.raises(ValueError, match=r"\(4, 2\)"):
        vae_loss(x, x, noise[:4], noise[:4])


def test_pixels_that_are_no_ink_and_no_image_at_all_are_refused():
    x, _, codes = batch()
    for wrong in (2 * x - 1, x + 1, x * float("nan")):
        with pytest.raises(ValueError, match="pixels lie between 0 and 1"):
            vae_loss(wrong, x, codes, codes)
    with pytest.raises(ValueError, match="there must be an image"):
        vae_loss(x[:0], x[:0], codes[:0], codes[:0])


@pytest.mark.parametrize("name", ["pixels", "num_classes", "hidden_size", "latent_size"])
def test_impossible_sizes_are_refused(name):
    with pytest.raises(ValueError, match="at least 1"):
        VAEConfig(**{name: 0})
