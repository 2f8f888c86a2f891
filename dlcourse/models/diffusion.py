r"""A denoiser: a small network that guesses the noise in an image, with its label or without.

Residual blocks of two linear layers each; step and label act on every block as scale and shift.
The network's own output stands beside :math:`\sqrt{1 - \bar\alpha_t}\, x_t`, which is the best
guess there is where the data are normal with variance 1, so that what is left to learn is small
where there is little but noise.

Sources: Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models* (2020), section 3.2, for
what is guessed; Vaswani et al., *Attention Is All You Need* (2017), section 3.5, for sinusoids of
the step; Perez et al., *FiLM* (2018), section 2, for scale and shift; Ho and Salimans,
*Classifier-Free Diffusion Guidance* (2022), section 3.2, for the label that stands for none.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DenoiserConfig:
    """What a denoiser is built from. Raises ValueError where sizes contradict each other."""

    pixels: int = 144  # numbers in an image
    num_classes: int = 10  # labels 0 to 9; the next one, 10, stands for none
    hidden_size: int = 256  # units of every hidden layer
    num_blocks: int = 3
    embedding_size: int = 64  # numbers that stand for step and label, an even number

    def __post_init__(self):
        sizes = (self.pixels, self.num_classes, self.hidden_size, self.num_blocks)
        if min(sizes) < 1:
            raise ValueError(f"sizes are at least 1, not {sizes}")
        if self.embedding_size < 2 or self.embedding_size % 2:
            raise ValueError(
                f"embedding_size is even and at least 2, half sines, half cosines: not "
                f"{self.embedding_size}"
            )

    @property
    def null(self) -> int:
        """The label that stands for none."""
        return self.num_classes


# Dimensions: B batch, D pixels, T steps, H hidden_size, E embedding_size


class StepEmbedding(nn.Module):
    r"""Maps steps ``t`` (B,) to (B, E): sines, then cosines, of :math:`t\,\omega_k`.

    The frequencies :math:`\omega_k` fall from 1 in equal proportion to almost 1/1000. Raises
    ValueError for odd sizes.
    """

    rates: Tensor  # (E/2,)

    def __init__(self, size: int):
        super().__init__()
        if size < 2 or size % 2:
            raise ValueError(f"the size is even and at least 2, not {size}")
        rates = torch.exp(-math.log(1000) * torch.arange(size // 2) / (size // 2))
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        angle = t[:, None] * self.rates  # (B, E/2)
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class Block(nn.Module):
    """Adds to ``h`` (B, H) what two linear layers make of it; ``e`` (B, E) says how."""

    def __init__(self, hidden_size: int, embedding_size: int):
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size)
        self.first = nn.Linear(hidden_size, hidden_size)
        self.condition = nn.Linear(embedding_size, 2 * hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        nn.init.zeros_(self.second.weight)  # at first a block adds next to nothing

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        scale, shift = self.condition(e).chunk(2, dim=1)  # (B, H) each
        return h + self.second(nn.functional.silu(self.first(self.norm(h)) * (1 + scale) + shift))


class Denoiser(nn.Module):
    """Maps ``x_t`` (B, D), steps ``t`` (B,) and labels (B,) to a guess at the noise (B, D).

    ``alpha_bars`` (T,) is the schedule, and a step an index into it, from 0. Labels go up to
    ``config.null``, which stands for none. Raises ValueError for any other shape, and IndexError
    for steps and labels that don't exist.
    """

    alpha_bars: Tensor  # (T,)

    def __init__(self, alpha_bars: Tensor, config: DenoiserConfig | None = None):
        super().__init__()
        self.config = c = config or DenoiserConfig()
        if alpha_bars.ndim != 1 or not len(alpha_bars):
            raise ValueError(f"alpha_bars are (T,), not {tuple(alpha_bars.shape)}")
        if not ((alpha_bars > 0) & (alpha_bars < 1)).all():
            raise ValueError(
                f"alpha-bars lie between 0 and 1: not {alpha_bars.min()} to {alpha_bars.max()}"
            )
        self.register_buffer("alpha_bars", alpha_bars.to(torch.get_default_dtype()))
        self.step = StepEmbedding(c.embedding_size)
        self.step_layers = nn.Sequential(
            nn.Linear(c.embedding_size, c.embedding_size),
            nn.SiLU(),
            nn.Linear(c.embedding_size, c.embedding_size),
        )
        self.label = nn.Embedding(c.num_classes + 1, c.embedding_size)
        self.first = nn.Linear(c.pixels, c.hidden_size)
        self.blocks = nn.ModuleList(
            Block(c.hidden_size, c.embedding_size) for _ in range(c.num_blocks)
        )
        self.norm = nn.LayerNorm(c.hidden_size)
        self.head = nn.Linear(c.hidden_size, c.pixels)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.config.pixels:
            raise ValueError(f"images are (B, {self.config.pixels}), not {tuple(x.shape)}")
        if t.shape != x.shape[:1] or labels.shape != x.shape[:1]:
            raise ValueError(
                f"steps and labels are {tuple(x.shape[:1])}, not {tuple(t.shape)} and "
                f"{tuple(labels.shape)}"
            )
        e = self.step_layers(self.step(t)) + self.label(labels)  # (B, E)
        e = nn.functional.silu(e)
        h = self.first(x)  # (B, H)
        for block in self.blocks:
            h = block(h, e)
        left = (1 - self.alpha_bars.index_select(0, t)).sqrt()[:, None]  # (B, 1); -1 is an error
        return left * x + self.head(self.norm(h))


def denoising_loss(
    model: Denoiser, x0: Tensor, labels: Tensor, t: Tensor, noise: Tensor, drop: Tensor
) -> Tensor:
    r"""The mean squared error of the guess at ``noise`` (B, D) in images ``x0`` after steps ``t``.

    :math:`\lVert \epsilon - \epsilon_\theta(\sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t}
    \epsilon, t, y) \rVert^2`, as a mean over all entries; where ``drop`` (B,) is True the label is
    replaced by ``null``. Raises ValueError for noise of another shape and for no image, whose mean
    would be NaN, and as the model does.

    Sources: Ho, Jain and Abbeel (2020), equation 14; Ho and Salimans (2022), algorithm 1.
    """
    if noise.shape != x0.shape or drop.shape != labels.shape:
        raise ValueError(
            f"noise and images, drop and labels go together: {tuple(noise.shape)} and "
            f"{tuple(x0.shape)}, {tuple(drop.shape)} and {tuple(labels.shape)}"
        )
    if not len(x0):
        raise ValueError("there must be an image: the mean over none is no number")
    bar = model.alpha_bars.index_select(0, t)[:, None]
    x_t = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    seen = labels.masked_fill(drop, model.config.null)
    return nn.functional.mse_loss(model(x_t, t, seen), noise)
