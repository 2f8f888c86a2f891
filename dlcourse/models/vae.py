r"""A variational autoencoder of images that is told their labels.

An encoder turns an image into a small cloud of codes; a decoder turns a code drawn from it back
into the image. The loss asks for two things at once: the image should come back, and the cloud
should look like the normal distribution, so that new codes can be drawn from that.

Sources: Kingma and Welling, *Auto-Encoding Variational Bayes* (ICLR 2014), sections 2.3, 2.4 and
appendix B; Sohn, Lee and Yan, *Learning Structured Output Representation using Deep Conditional
Generative Models* (2015), for the label on both sides.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class VAEConfig:
    """What a VAE is built from. Raises ValueError for sizes below 1."""

    pixels: int = 144  # numbers in an image
    num_classes: int = 10
    hidden_size: int = 256  # units of both hidden layers, on either side
    latent_size: int = 16  # numbers in a code

    def __post_init__(self):
        sizes = (self.pixels, self.num_classes, self.hidden_size, self.latent_size)
        if min(sizes) < 1:
            raise ValueError(f"sizes are at least 1, not {sizes}")


# Dimensions: B batch, D pixels, K num_classes, H hidden_size, Z latent_size


class VAE(nn.Module):
    r"""Maps images ``x`` (B, D) from 0 to 1 and labels (B,) to what the loss needs.

    ``forward(x, labels, noise)`` returns logits (B, D) of the pixels that come back, and mean and
    log-variance (B, Z) of the codes; ``noise`` (B, Z) is standard normal: the code is
    :math:`\mu + \sigma \cdot` ``noise``. ``decode(codes, labels)`` makes pixels (B, D) from 0 to 1.
    Raises ValueError for arrays of any other shape.
    """

    def __init__(self, config: VAEConfig | None = None):
        super().__init__()
        self.config = c = config or VAEConfig()
        self.encoder = _two_layers(c.pixels + c.num_classes, c.hidden_size, 2 * c.latent_size)
        self.decoder = _two_layers(c.latent_size + c.num_classes, c.hidden_size, c.pixels)

    def forward(self, x: Tensor, labels: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        if x.ndim != 2 or x.shape[1] != c.pixels:
            raise ValueError(f"images are (B, {c.pixels}), not {tuple(x.shape)}")
        mean, log_variance = self.encoder(self._with(x, labels)).chunk(2, dim=1)  # (B, Z) each
        if noise.shape != mean.shape:
            raise ValueError(f"the noise is {tuple(mean.shape)}, not {tuple(noise.shape)}")
        code = mean + torch.exp(log_variance / 2) * noise  # (B, Z)
        return self.decoder(self._with(code, labels)), mean, log_variance

    def decode(self, codes: Tensor, labels: Tensor) -> Tensor:
        if codes.ndim != 2 or codes.shape[1] != self.config.latent_size:
            raise ValueError(f"codes are (B, {self.config.latent_size}), not {tuple(codes.shape)}")
        return torch.sigmoid(self.decoder(self._with(codes, labels)))

    def _with(self, x: Tensor, labels: Tensor) -> Tensor:
        if labels.shape != x.shape[:1]:
            raise ValueError(f"labels are {tuple(x.shape[:1])}, not {tuple(labels.shape)}")
        one_hot = nn.functional.one_hot(labels, self.config.num_classes).to(x.dtype)
        return torch.cat([x, one_hot], dim=1)  # (B, … + K)


def vae_loss(x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Nats that an image costs, the mean over the batch: how badly it comes back, and its code.

    :math:`-\sum_d [x_d \log p_d + (1 - x_d) \log (1 - p_d)] + \frac{1}{2} \sum_z (\mu_z^2 +
    \sigma_z^2 - \log \sigma_z^2 - 1)`. The second term is the divergence of the cloud of codes
    from the standard normal law. Pixels between 0 and 1 count as probabilities of ink. Raises
    ValueError where images and logits, or mean and log-variance, differ in shape, for no image, and
    for pixels outside of 0 to 1.

    Source: Kingma and Welling (2014), equation 10 and appendices B and C.1.
    """
    if x.shape != logits.shape or mean.shape != log_variance.shape or len(x) != len(mean):
        shapes = [tuple(each.shape) for each in (x, logits, mean, log_variance)]
        raise ValueError(f"shapes don't fit: {', '.join(map(str, shapes))}")
    if not len(x):
        raise ValueError("there must be an image: the mean over none is no number")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"pixels lie between 0 and 1: not {x.min():.3g} to {x.max():.3g}")
    pixels = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    code = (mean**2 + log_variance.exp() - log_variance - 1).sum() / 2
    return (pixels + code) / len(x)


def _two_layers(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.SiLU(),
        nn.Linear(hidden, hidden),
        nn.SiLU(),
        nn.Linear(hidden, out_features),
    )
