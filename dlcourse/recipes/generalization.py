"""Recorded run of the unit on generalisation: wrong labels, and five ways to live with them.

    python -m dlcourse.recipes.generalization

The split is that of the unit on the neuron; the network sees the first ``IMAGES`` of the training
part. A share of *their* labels is made wrong; validation and test labels stay right. For every
share, a setting of each method is chosen by the mean validation accuracy over ``TUNING`` seeds.
Then each method trains with other seeds, and the test part is used, once. A seed decides first
weights, batches and which labels are wrong, so the methods of one seed share them.

The learning curves train the plain network on more and more images, and look at validation only.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.record import write
from dlcourse.scratch.augment import random_shift
from dlcourse.scratch.dropout import Dropout
from dlcourse.scratch.early_stopping import EarlyStopping
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss
from dlcourse.scratch.optim import SGD

IMAGES, HIDDEN, BATCH, EPOCHS, PATIENCE = 1000, 128, 50, 40, 5
LR, MOMENTUM = 0.1, 0.9
NOISE = (0.0, 0.2, 0.4)
TUNING = (100, 101)
PLAIN, STOPPED = "plain", "early stopping"
GRIDS: dict[str, tuple] = {
    "weight decay": (0.001, 0.003, 0.01, 0.03, 0.1),
    "dropout": (0.3, 0.5, 0.7, 0.8, 0.9),
    "shifts": (1, 2, 3, 4, 6),
}
SETTING = {"weight decay": "weight_decay", "dropout": "p", "shifts": "most"}
METHODS = (PLAIN, *GRIDS, STOPPED)
SIZES, LABELS = (100, 300, 1000, 3000), ("right", "random", "rule")
Part = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28) from 0 to 1, labels (N,)


@dataclass(frozen=True)
class Digits:
    """Three parts of MNIST-5k in float32, and the average training image."""

    train: Part
    validation: Part
    test: Part
    mean: np.ndarray

    def rows(self, images: np.ndarray) -> np.ndarray:
        """What the network is given: (N, 784), less the average training image."""
        return (images - self.mean).reshape(len(images), -1)


@cache
def digits(count: int = IMAGES) -> Digits:
    """The first ``count`` images of the training part; 1,000 to choose and 1,000 to report."""
    images, labels, _ = load_mnist5k()
    train, validation, test = split(labels, (3000, 1000, 1000), seed=0)
    pixels = (images / 255).astype(np.float32)
    seen = train[:count]
    return Digits(
        (pixels[seen], labels[seen]),
        (pixels[validation], labels[validation]),
        (pixels[test], labels[test]),
        pixels[seen].mean(axis=0),
    )


def wrong(labels: np.ndarray, share: float, *, rng: np.random.Generator) -> np.ndarray:
    """A copy of ``labels`` of which the ``share`` is replaced by one of the nine other digits."""
    labels = labels.copy()
    chosen = rng.permutation(len(labels))[: round(share * len(labels))]
    labels[chosen] = (labels[chosen] + rng.integers(1, 10, size=len(chosen))) % 10
    return labels


def wrong_by_rule(labels: np.ndarray) -> np.ndarray:
    """0, 2, 4 and 6 called 1, 3, 5 and 7, always: about as many as 40 % at random."""
    return np.where((labels % 2 == 0) & (labels < 8), labels + 1, labels)


def network(*, rng: np.random.Generator, p: float = 0.0) -> Sequential:
    """784 pixels, a hidden layer of ReLUs, dropout, ten logits; in float32."""
    return Sequential(
        Linear(784, HIDDEN, rng=rng, dtype=np.float32),
        ReLU(),
        Dropout(p, rng=rng),
        Linear(HIDDEN, 10, rng=rng, dtype=np.float32),
    )


def hits(net: Sequential, data: Digits, part: Part) -> np.ndarray:
    """Which images (N,) of ``part`` the network, in evaluation mode, gets right."""
    net.eval()
    return net.forward(data.rows(part[0])).argmax(axis=1) == part[1]


def loss_of(net: Sequential, data: Digits, part: Part) -> float:
    """Cross-entropy on ``part``, in evaluation mode."""
    net.eval()
    return float(CrossEntropyLoss().forward(net.forward(data.rows(part[0])), part[1]))


def training(
    net: Sequential,
    data: Digits,
    labels: np.ndarray,
    *,
    rng: np.random.Generator,
    weight_decay: float = 0.0,
    most: int = 0,
    epochs: int = EPOCHS,
) -> Iterator[int]:
    """Epochs of mini-batches with momentum, on a rate that falls in a straight line to 0.

    Weight decay is of the weights, not of the biases. With ``most`` above 0 every image is moved
    anew, by up to so many pixels, each time that it comes by.
    """
    images, criterion = data.train[0], CrossEntropyLoss()
    optimizers = [
        SGD(
            {name: p for name, p in net.params.items() if name.endswith(kind)},
            {name: g for name, g in net.grads.items() if name.endswith(kind)},
            lr=LR,
            momentum=MOMENTUM,
            weight_decay=decay,
        )
        for kind, decay in (("weight", weight_decay), ("bias", 0.0))
    ]
    steps = epochs * -(-len(labels) // BATCH)
    for epoch in range(epochs):
        net.train()
        order = rng.permutation(len(labels))
        for start in range(0, len(labels), BATCH):
            batch = order[start : start + BATCH]
            seen = random_shift(images[batch], most, rng=rng) if most else images[batch]
            criterion.forward(net.forward(data.rows(seen)), labels[batch])
            net.zero_grad()
            net.backward(criterion.backward().astype(np.float32))
            for optimizer in optimizers:
                optimizer.lr = LR * (1 - optimizer.steps / steps)
                optimizer.step()
        yield epoch


def trained(data: Digits, share: float, method: str, value: float | None, seed: int) -> dict:
    """A network trained by ``method``, the labels it saw, and the epochs it ran and was kept at."""
    rng = np.random.default_rng(seed)
    labels = wrong(data.train[1], share, rng=np.random.default_rng(1000 + seed))
    chosen: dict[str, Any] = {SETTING[method]: value} if method in SETTING else {}
    net = network(rng=rng, p=chosen.pop("p", 0.0))
    watch = EarlyStopping(PATIENCE if method == STOPPED else EPOCHS)
    for _ in training(net, data, labels, rng=rng, **chosen):
        if method == STOPPED:
            watch.update(loss_of(net, data, data.validation), net)
            if watch.stop:
                break
    if method == STOPPED:
        watch.restore(net)
    return {"net": net, "labels": labels, "kept": watch.best_epoch, "epochs": watch.epochs}


def choose(data: Digits, share: float, method: str) -> tuple[float | None, list[dict]]:
    """The setting with the best mean validation accuracy, and what each setting did.

    ``given`` is how much of the training part's own labels, wrong ones included, was learnt.
    """
    tried = []
    for value in GRIDS.get(method, ()):
        runs = [trained(data, share, method, value, seed) for seed in TUNING]
        scores = [hits(r["net"], data, data.validation).mean() for r in runs]
        fits = [hits(r["net"], data, (data.train[0], r["labels"])).mean() for r in runs]
        tried.append(
            {"setting": value, "validation": float(np.mean(scores)), "given": float(np.mean(fits))}
        )
    best = max(tried, key=lambda each: each["validation"], default={"setting": None})
    return best["setting"], tried


def curve(label: str, size: int, seed: int) -> float:
    """Validation accuracy of the plain network after training on ``size`` images."""
    data, rng = digits(size), np.random.default_rng(seed)
    labels = data.train[1]
    if label == "random":
        labels = wrong(labels, 0.4, rng=np.random.default_rng(1000 + seed))
    elif label == "rule":
        labels = wrong_by_rule(labels)
    net = network(rng=rng)
    epochs = max(EPOCHS, EPOCHS * IMAGES // size)  # at least as many steps as 1,000 images get
    for _ in training(net, data, labels, rng=rng, epochs=epochs):
        pass
    return float(hits(net, data, data.validation).mean())


def run(seeds: range = range(5)) -> dict:
    """Rows (each method at each share of wrong labels), pairs with intervals, learning curves."""
    data = digits()
    rows, pairs = [], []
    for share in NOISE:
        right = {}
        for method in METHODS:
            value, tried = choose(data, share, method)
            runs = [trained(data, share, method, value, seed) for seed in seeds]
            right[method] = np.array([hits(r["net"], data, data.test) for r in runs])
            accuracy = right[method].mean(axis=1)
            fit = [hits(r["net"], data, (data.train[0], r["labels"])).mean() for r in runs]
            rows.append(
                {
                    "noise": share,
                    "method": method,
                    "setting": value,
                    "tried": tried,
                    "kept": [r["kept"] for r in runs],
                    "epochs": [r["epochs"] for r in runs],
                    "train": [float(f) for f in fit],
                    "accuracy": accuracy.tolist(),
                    "mean": float(accuracy.mean()),
                    "sd": float(accuracy.std(ddof=1)) if len(seeds) > 1 else 0.0,
                }
            )
        for first, second in itertools.combinations(METHODS, 2):
            found = paired_bootstrap(right[first], right[second], rng=np.random.default_rng(0))
            pairs.append(
                {
                    "noise": share,
                    "first": first,
                    "second": second,
                    "difference": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "told_apart": found.told_apart,
                }
            )
    curves = [
        {"labels": label, "size": size, "accuracy": [curve(label, size, s) for s in seeds[:3]]}
        for label in LABELS
        for size in SIZES
    ]
    return {"images": IMAGES, "epochs": EPOCHS, "rows": rows, "pairs": pairs, "curves": curves}


if __name__ == "__main__":
    start = time.perf_counter()
    seeds = range(5)
    result = run(seeds)
    path = write(
        "generalization",
        result,
        seeds=seeds,
        seconds=time.perf_counter() - start,
        packages=("numpy", "mlxtend"),
    )
    print(f"wrote {path}")
