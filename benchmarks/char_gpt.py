"""A GPT of 0.8 million parameters learns characters: a published setting, and the same time better
spent.

The text is Python's help texts, the last tenth held out. ``baseline`` is the setting that nanoGPT's
README gives for a CPU (Karpathy, 2022), written afresh: ``dlcourse.models.gpt`` with 4 layers, 4
heads, width 128, context 64; 2,000 batches of 12; AdamW, rate 0.001 after 100 steps of warm-up, a
cosine down to a tenth of it, decay .1, gradients clipped to norm 1. ``tuned`` is the same with
another schedule: a rate of 0.004 that falls to 0 in a line, which anyone should try first.

``ours`` has the same sizes, contexts and batches. In the model: rotary positions (Su et al., 2021),
queries and keys of one length (Henry et al., 2020), RMS norm (Zhang and Sennrich, 2019), squared
ReLU (So et al., 2021), branches that start at 0, a head of its own. In training: Muon for the
matrices of the blocks (Jordan et al., 2024), AdamW for the rest, a rate that falls to 0 in a line.
``ours, AdamW`` leaves Muon out and has ``tuned``'s schedule: what the model gains alone.

``loss`` is the mean over all held-out characters, in nats, in windows of 64. Seconds are the
processor's on one thread, of training alone, Muon's products included; ``beside`` divides them by
``baseline``'s. Targets: a lower loss in the same time, and the same loss in at most half.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded, which looks once

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from _readme import machine, renew
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.recipes.char_gpt import held_out, read

CONTEXT, BATCH = 64, 12
SIZES = {"num_layers": 4, "num_heads": 4, "hidden_size": 128}


# the model -----------------------------------------------------------------------


def rms_norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:])


class Attention(nn.Module):
    """Causal, with rotary positions; ``x`` and the result are (B, T, C)."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: GPTConfig):
        super().__init__()
        size, self.num_heads = config.hidden_size, config.num_heads
        self.in_proj = nn.Linear(size, 3 * size, bias=False)
        self.out_proj = nn.Linear(size, size, bias=False)
        pairs = size // config.num_heads // 2
        angles = torch.outer(
            torch.arange(config.context), 10000.0 ** -(torch.arange(pairs) / pairs)
        )
        self.register_buffer("cos", angles.cos(), persistent=False)  # (context, pairs)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def turned(self, x: Tensor) -> Tensor:
        """Each pair of entries turned by an angle that grows with the place in the text."""
        cos, sin = self.cos[: x.shape[-2]], self.sin[: x.shape[-2]]
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.in_proj(x).unflatten(-1, (3, self.num_heads, -1))  # (B, T, 3, H, D)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
        q, k = self.turned(rms_norm(q)), self.turned(rms_norm(k))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.attention = Attention(config)
        self.linear1 = nn.Linear(config.hidden_size, 4 * config.hidden_size, bias=False)
        self.linear2 = nn.Linear(4 * config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(rms_norm(x))
        return x + self.linear2(F.relu(self.linear1(rms_norm(x))) ** 2)


class OurGPT(nn.Module):
    """Tokens (B, T) to logits (B, T, vocab_size)."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        for name, weight in self.named_parameters():
            if name.endswith(("out_proj.weight", "linear2.weight")):
                nn.init.zeros_(weight)
            else:
                inside = 0.7 / math.sqrt(config.hidden_size)
                nn.init.normal_(weight, std=inside if "blocks" in name else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(rms_norm(x))


# the optimiser --------------------------------------------------------------------


def orthogonalized(x: Tensor, steps: int = 5) -> Tensor:
    r"""Matrices (…, M, N), M ≤ N, with their singular values moved to about 1: from :math:`U S V^T`
    to about :math:`U V^T`, by an odd polynomial of degree 5 (Newton and Schulz), several times.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # chosen to rise steeply from 0 (Jordan et al., 2024)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        xxt = x @ x.mT
        x = a * x + (b * xxt + c * xxt @ xxt) @ x
    return x


class Muon(torch.optim.Optimizer):
    r"""Momentum, made orthogonal before the step, in float32.

    :math:`m \leftarrow \mu m + (1 - \mu) g`, then for W of shape (M, N) :math:`W \leftarrow W -
    \eta \sqrt{\max(1, M / N)} \cdot \mathrm{orthogonalized}((1 - \mu) g + \mu m)`. ``torch.optim``
    has a Muon too, one matrix after the other in bfloat16, which many CPUs only emulate.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            same: dict[torch.Size, list[tuple[Tensor, Tensor, float]]] = {}
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(m, group["momentum"])
                for w, u in zip(pieces(p), pieces(update), strict=True):
                    grow = math.sqrt(max(1.0, len(w) / len(w.T)))
                    w, u = (w.T, u.T) if grow > 1 else (w, u)
                    same.setdefault(w.shape, []).append((w, u, group["lr"] * grow))
            for matrices in same.values():  # those of one shape in one product
                steps = orthogonalized(torch.stack([u for _, u, _ in matrices]))
                for (w, _, lr), step in zip(matrices, steps, strict=True):
                    w.sub_(step, alpha=lr)


def pieces(matrix: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys and values are three matrices, though they are stored as one."""
    rows, columns = matrix.shape
    return matrix.split(columns) if rows == 3 * columns else (matrix,)


# the runs -------------------------------------------------------------------------


@dataclass
class Setting:
    """A model, its optimisers, the share of their rates in each step, and how many steps."""

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    share: Callable[[int], float]
    steps: int
    max_norm: float = math.inf


def adamw(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.99), fused=True)


def cosine(steps: int, warmup: int = 100) -> Callable[[int], float]:
    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = (step - warmup) / (steps - warmup)
        return 0.1 + 0.45 * (1 + math.cos(math.pi * done))

    return share


def line(steps: int, warmup: int = 0) -> Callable[[int], float]:
    return lambda step: min(1.0, (step + 1) / (warmup + 1)) * (1 - step / steps)


def published(vocab_size: int) -> nn.Module:
    config = GPTConfig(vocab_size, CONTEXT, **SIZES, bias=False, tie_weights=True)
    return GPT(config)


def baseline(vocab_size: int, steps: int) -> Setting:
    model = published(vocab_size)
    return Setting(model, [adamw(model, 1e-3)], cosine(steps, steps // 20), steps, max_norm=1.0)


def tuned(vocab_size: int, steps: int) -> Setting:
    model = published(vocab_size)
    return Setting(model, [adamw(model, 4e-3)], line(steps, steps // 20), steps, max_norm=1.0)


def ours(vocab_size: int, steps: int) -> Setting:
    model = OurGPT(GPTConfig(vocab_size, CONTEXT, **SIZES))
    outside = [*model.embedding.parameters(), *model.head.parameters()]
    adam = torch.optim.AdamW(outside, lr=5e-3, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    return Setting(model, [Muon(model.blocks.parameters(), lr=0.02), adam], line(steps), steps)


def ours_adamw(vocab_size: int, steps: int) -> Setting:
    model = OurGPT(GPTConfig(vocab_size, CONTEXT, **SIZES))
    return Setting(model, [adamw(model, 4e-3)], line(steps, steps // 20), steps, max_norm=1.0)


RUNS: list[tuple[str, Callable[[int, int], Setting], int]] = [
    ("baseline", baseline, 2000),
    ("tuned", tuned, 2000),
    ("ours, AdamW", ours_adamw, 1700),
    ("ours", ours, 1150),
    ("ours, short", ours, 400),
]


def train(setting: Setting, tokens: Tensor, seed: int = 1) -> float:
    """The processor's seconds of all steps."""
    model, optimizers = setting.model, setting.optimizers
    rates = [[group["lr"] for group in each.param_groups] for each in optimizers]
    generator = torch.Generator().manual_seed(seed)
    start = time.process_time()
    for step in range(setting.steps):
        for optimizer, of_groups in zip(optimizers, rates, strict=True):
            for group, rate in zip(optimizer.param_groups, of_groups, strict=True):
                group["lr"] = rate * setting.share(step)
        first = torch.randint(len(tokens) - CONTEXT, (BATCH, 1), generator=generator)
        window = tokens[first + torch.arange(CONTEXT + 1)]
        logits = model(window[:, :-1])
        F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten()).backward()
        if setting.max_norm < math.inf:
            nn.utils.clip_grad_norm_(model.parameters(), setting.max_norm)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return time.process_time() - start


@torch.no_grad()
def loss(model: nn.Module, tokens: Tensor) -> float:
    """Nats a character, over windows end to end."""
    count = (len(tokens) - 1) // CONTEXT
    x = tokens[: count * CONTEXT].view(count, CONTEXT)
    y = tokens[1 : count * CONTEXT + 1].view(count, CONTEXT)
    total = 0.0
    for some, targets in zip(x.split(64), y.split(64), strict=True):
        logits = model(some).flatten(0, 1)
        total += F.cross_entropy(logits, targets.flatten(), reduction="sum").item()
    return total / (count * CONTEXT)


def main(part: float = 1.0) -> None:
    """``part`` of the steps of each run, for a look at whether all of it works."""
    torch.set_num_threads(1)
    text = read(None)
    vocabulary = {c: i for i, c in enumerate(sorted(set(text)))}
    training, validation = (
        torch.tensor([vocabulary[c] for c in part_]) for part_ in held_out(text, CONTEXT)
    )
    lines = ["| run | parameters | steps | loss | seconds | beside |", "|---" + "|---:" * 5 + "|"]
    seconds: list[float] = []
    for name, make, steps in RUNS:
        torch.manual_seed(0)
        setting = make(len(vocabulary), max(1, round(part * steps)))
        seconds.append(train(setting, training))
        size = sum(p.numel() for p in setting.model.parameters())
        lines.append(
            f"| {name} | {size:,} | {setting.steps:,} | {loss(setting.model, validation):.3f} "
            f"| {seconds[-1]:.0f} | {seconds[-1] / seconds[0]:.2f} |"
        )
        print(lines[-1], flush=True)
    where = machine(torch.__version__)
    text = f"{len(training):,} characters to learn, {len(validation):,} held out."
    renew("char_gpt.py", f"On {where}. {text}\n\n{(__doc__ or '').strip()}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
