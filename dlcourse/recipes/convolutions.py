"""Recorded run of the unit on convolutions: what a network is worth, and what a shift does to it.

    python -m dlcourse.recipes.convolutions

The split is that of the unit on the neuron. An MLP and a CNN of two convolutions, each in several
sizes; both once more on images that are moved anew each time they come by; and a CNN of three
convolutions with batch normalisation, whose last layer has a weight for every place, beside its
twin that takes the mean over all places before its last layer. A learning rate for each network is
chosen by its validation accuracy with the seed ``TUNING``, on images as they are; then it trains
with other seeds, and the test part is used: once as it is, and once with every image moved by
``MOVED`` pixels, in a direction drawn once and for all. It takes about ten minutes of one
processor's time.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.record import write
from dlcourse.scratch.augment import random_shift, shift

EPOCHS, BATCH, MOVED, MOST = 20, 64, 2, 3
TUNING = 100
RATES = {
    "MLP": (0.001, 0.003, 0.01, 0.03, 0.1),
    "CNN": (0.001, 0.003, 0.01, 0.03),
    "CNN of three": (0.003, 0.01, 0.03, 0.1),
    "CNN of three, mean": (0.01, 0.03, 0.1, 0.3),
}
Part = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) from 0 to 1 in float32, labels (N,)


@dataclass(frozen=True)
class Plan:
    """A network: its kind, its size, and whether its training images are moved."""

    kind: str  # one of RATES
    size: int  # hidden units; channels of the first convolution
    moved: bool = False  # training images move by up to MOST pixels

    def __post_init__(self):
        if self.kind not in RATES:
            raise ValueError(f"no network is called {self.kind!r}")
        if self.size < 1:
            raise ValueError(f"a network needs a size of at least 1, not {self.size}")

    @property
    def name(self) -> str:
        what = "units" if self.kind == "MLP" else "channels"
        return f"{self.kind}, {self.size} {what}" + (", moved images" if self.moved else "")


PLANS = (
    *(Plan("MLP", size) for size in (5, 12, 64, 512)),
    *(Plan("CNN", size) for size in (4, 8)),
    Plan("CNN of three", 8),
    Plan("CNN of three, mean", 8),
    Plan("MLP", 512, moved=True),
    Plan("CNN", 8, moved=True),
)


def network(plan: Plan) -> nn.Sequential:
    """Takes images (N, 1, 28, 28), returns logits (N, 10); first weights from torch's generator."""
    c = plan.size
    if plan.kind == "MLP":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, c), nn.ReLU(), nn.Linear(c, 10))
    if plan.kind == "CNN":
        body = [*_block(1, c), nn.MaxPool2d(2), *_block(c, 2 * c), nn.MaxPool2d(2)]  # (N, 2c, 7, 7)
        return nn.Sequential(*body, nn.Flatten(), nn.Linear(2 * c * 49, 10))
    body = [*_block(1, c, True), nn.MaxPool2d(2), *_block(c, 2 * c, True), nn.MaxPool2d(2)]
    body += _block(2 * c, 4 * c, True)  # (N, 4c, 7, 7)
    if plan.kind == "CNN of three":
        return nn.Sequential(*body, nn.Flatten(), nn.Linear(4 * c * 49, 10))
    return nn.Sequential(*body, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(4 * c, 10))


def _block(in_channels: int, out_channels: int, norm: bool = False) -> list[nn.Module]:
    block: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, padding=1)]
    return [*block, nn.BatchNorm2d(out_channels), nn.ReLU()] if norm else [*block, nn.ReLU()]


@cache
def parts() -> tuple[Part, Part, Part]:
    """Training, validation and test part, 3,000, 1,000 and 1,000 images."""
    images, labels, _ = load_mnist5k()
    pixels = (images / 255).astype(np.float32)
    train, validation, test = split(labels, (3000, 1000, 1000), seed=0)
    return tuple((pixels[part], labels[part]) for part in (train, validation, test))  # type: ignore


def moved(images: np.ndarray, by: int) -> np.ndarray:
    """Every image moved by ``by`` pixels in one of eight directions; 0 comes in behind it.

    Which of the eight is drawn once and for all: the same for all networks and all ``by``.
    """
    directions = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)])
    drawn = np.random.default_rng(0).integers(8, size=len(images))
    return shift(images, by * directions[drawn])


def tensor(images: np.ndarray) -> torch.Tensor:
    """(N, 28, 28) as what a network takes, (N, 1, 28, 28)."""
    return torch.from_numpy(images[:, None])


def training(net: nn.Sequential, train: Part, plan: Plan, lr: float, seed: int) -> Iterator[float]:
    """Epoch after epoch of Adam, on a rate that falls in a straight line to 0, its mean loss."""
    images, labels = train[0], torch.from_numpy(train[1].astype(np.int64))
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    steps = EPOCHS * -(-len(images) // BATCH)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(EPOCHS):
        net.train()
        losses, order = [], rng.permutation(len(images))
        for start in range(0, len(images), BATCH):
            batch = order[start : start + BATCH]
            seen = random_shift(images[batch], MOST, rng=rng) if plan.moved else images[batch]
            loss = nn.functional.cross_entropy(net(tensor(seen)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            falling.step()
            losses.append(loss.item())
        yield float(np.mean(losses))


def trained(plan: Plan, train: Part, *, lr: float, seed: int) -> tuple[nn.Sequential, list[float]]:
    """The network of ``plan`` after training, and the loss of each epoch.

    First weights, order of the batches and moves all follow from ``seed``. torch's generator is
    left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = network(plan)
    return net, list(training(net, train, plan, lr, seed=1000 + seed))


@torch.no_grad()
def answers(net: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """The class (N,) with the highest logit, in evaluation mode, of ``images`` (N, 28, 28)."""
    net.eval()
    return net(tensor(images)).argmax(dim=1).numpy()


def choose(plan: Plan) -> tuple[float, list[dict]]:
    """The rate with the best validation accuracy, the first of equals, and all that were tried."""
    train, (images, labels), _ = parts()
    tried = []
    for lr in RATES[plan.kind]:
        net, _ = trained(plan, train, lr=lr, seed=TUNING)
        tried.append({"lr": lr, "validation": float((answers(net, images) == labels).mean())})
    return max(tried, key=lambda each: each["validation"])["lr"], tried


def _spread(right: np.ndarray) -> dict:
    accuracy = right.mean(axis=1)
    sd = float(accuracy.std(ddof=1)) if len(accuracy) > 1 else 0.0
    return {"accuracy": accuracy.tolist(), "mean": float(accuracy.mean()), "sd": sd}


def run(seeds: range = range(5)) -> dict:
    """Rows (accuracy of each network, as it is and moved) and pairs (differences, intervals)."""
    torch.set_num_threads(1)
    train, _, (images, labels) = parts()
    views = {"still": images, "moved": moved(images, MOVED)}
    rows, right = [], {}
    for plan in PLANS:
        lr, tried = choose(plan)
        start = time.process_time()
        runs = [trained(plan, train, lr=lr, seed=seed) for seed in seeds]
        seconds = (time.process_time() - start) / len(seeds)
        net = runs[0][0]
        row = {
            "network": plan.name,
            "kind": plan.kind,
            "parameters": sum(p.numel() for p in net.parameters()),
            "lr": lr,
            "tried": tried,
            "seconds": round(seconds, 1),  # of one training
            "losses": [losses[-1] for _, losses in runs],
        }
        for view, pictures in views.items():
            hits = np.array([answers(net, pictures) == labels for net, _ in runs])
            right[plan, view] = hits
            row[view] = _spread(hits)
        rows.append(row)
    pairs = []
    for first, second in (
        (Plan("MLP", 12), Plan("CNN", 8)),
        (Plan("MLP", 512), Plan("CNN", 4)),
        (Plan("MLP", 512), Plan("CNN", 8)),
        (Plan("MLP", 512), Plan("CNN of three, mean", 8)),
        (Plan("CNN of three", 8), Plan("CNN of three, mean", 8)),
        (Plan("MLP", 512), Plan("MLP", 512, moved=True)),
        (Plan("CNN", 8), Plan("CNN", 8, moved=True)),
        (Plan("CNN of three, mean", 8), Plan("MLP", 512, moved=True)),
        (Plan("CNN of three, mean", 8), Plan("CNN", 8, moved=True)),
        (Plan("MLP", 512, moved=True), Plan("CNN", 8, moved=True)),
    ):
        for view in views:
            found = paired_bootstrap(
                right[first, view], right[second, view], rng=np.random.default_rng(0)
            )
            pairs.append(
                {
                    "first": first.name,
                    "second": second.name,
                    "view": view,
                    "difference": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "told_apart": found.told_apart,
                }
            )
    sizes = {"train": len(train[1]), "test": len(labels)}
    return {"sizes": sizes, "epochs": EPOCHS, "moved": MOVED, "rows": rows, "pairs": pairs}


if __name__ == "__main__":
    start = time.process_time()
    seeds = range(5)
    result = run(seeds)
    path = write(
        "convolutions",
        result,
        seeds=seeds,
        seconds=time.process_time() - start,
        packages=("numpy", "torch", "mlxtend"),
    )
    print(f"wrote {path}")
