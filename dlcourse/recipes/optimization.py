"""The headline run of ``optimization``: steps that five optimisers need to one and the same loss.

``python -m dlcourse.recipes.optimization``, from the repository's root, writes
``chapters/results/optimization.json`` in about three minutes.

All train the same small network on MNIST-5k with mini-batches. Each gets its learning rate from the
same grid: the one that needs the fewest steps until the *validation* loss is at the target, on
average over seeds that are used for nothing else. Then, with other seeds, the steps are counted
until the loss of the *test* images is there. Runs of one seed share first weights and batches.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split
from dlcourse.recipes.record import write
from dlcourse.scratch.fit import fit
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss, log_softmax
from dlcourse.scratch.optim import SGD, Adam, AdamW, Optimizer, RMSProp

HIDDEN, BATCH, BUDGET, EVERY = 64, 32, 1500, 5  # units, images, steps, steps between two looks
TARGET = 0.35  # nats an image
GRID = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TUNING_SEEDS = (100, 101)
Data = tuple[np.ndarray, np.ndarray]  # x (N, D), class (N,)


@dataclass(frozen=True)
class Digits:
    """MNIST-5k, pixels from 0 to 1 less the average training image."""

    train: Data
    validation: Data
    test: Data


def digits() -> Digits:
    """3,000 images to train, 1,000 to choose, 1,000 to report: as in ``neurons``."""
    images, labels, _ = load_mnist5k()
    parts = split(labels, (3000, 1000, 1000), seed=0)
    pixels = images.reshape(len(images), -1) / 255
    mean = pixels[parts[0]].mean(axis=0)
    return Digits(*((pixels[part] - mean, labels[part]) for part in parts))


def network(seed: int, inputs: int = 784, classes: int = 10) -> Sequential:
    """One hidden layer of ReLUs; the seed decides its first weights."""
    rng = np.random.default_rng(seed)
    return Sequential(Linear(inputs, HIDDEN, rng=rng), ReLU(), Linear(HIDDEN, classes, rng=rng))


OPTIMISERS: dict[str, Callable[[Sequential, float], Optimizer]] = {
    "gradient descent": lambda net, lr: SGD(net.params, net.grads, lr=lr),
    "momentum": lambda net, lr: SGD(net.params, net.grads, lr=lr, momentum=0.9),
    "RMSProp": lambda net, lr: RMSProp(net.params, net.grads, lr=lr),
    "Adam": lambda net, lr: Adam(net.params, net.grads, lr=lr),
    "AdamW": lambda net, lr: AdamW(net.params, net.grads, lr=lr),
}


def losses_on(net: Sequential, data: Data) -> np.ndarray:
    """The loss of each image (N,); infinite where the network has diverged."""
    x, labels = data
    with np.errstate(over="ignore", invalid="ignore"):
        logits = net.forward(x)
    if _diverged(logits):
        return np.full(len(x), np.inf)
    return -log_softmax(logits)[np.arange(len(x)), labels]


def _diverged(logits: np.ndarray) -> bool:
    return not (np.abs(logits) < 1e100).all()  # so that sums of losses stay finite too


def follow(
    optimiser: str, lr: float, seed: int, train: Data, watched: Data, *, stop: bool = False
) -> np.ndarray:
    """Losses (looks, images) of ``watched`` after 0, EVERY, … BUDGET steps.

    With ``stop`` it ends with the first look at which the mean loss is at the target, and a run
    that diverges ends either way.
    """
    x, labels = train
    net, loss = network(seed, x.shape[1], int(labels.max()) + 1), CrossEntropyLoss()
    optimizer = OPTIMISERS[optimiser](net, lr)
    rng, looks, rows = np.random.default_rng([seed, 1]), [], np.empty(0, dtype=np.int64)
    for step in range(BUDGET + 1):
        if step % EVERY == 0:
            looks.append(losses_on(net, watched))
            mean = looks[-1].mean()
            if not np.isfinite(mean) or (stop and mean <= TARGET):
                break
        if len(rows) < BATCH:
            rows = rng.permutation(len(x))
        batch, rows = rows[:BATCH], rows[BATCH:]
        net.zero_grad()
        logits = net.forward(x[batch])
        if _diverged(logits):
            looks.append(np.full(len(watched[0]), np.inf))
            break
        loss.forward(logits, labels[batch])
        net.backward(loss.backward())
        optimizer.step()
    return np.array(looks)


def steps_to_target(mean_losses: np.ndarray) -> np.ndarray:
    """Steps until the losses (looks, ...) are first at the target; BUDGET where they never are."""
    there = mean_losses <= TARGET
    return np.where(there.any(axis=0), there.argmax(axis=0) * EVERY, BUDGET)


def tune(optimiser: str, data: Digits) -> list[float]:
    """Mean steps to the target on validation, for each learning rate of the grid."""
    return [
        float(
            np.mean(
                [
                    steps_to_target(
                        follow(optimiser, lr, seed, data.train, data.validation, stop=True).mean(1)
                    )
                    for seed in TUNING_SEEDS
                ]
            )
        )
        for lr in GRID
    ]


def curves_to_diagnose(data: Digits, looks: int = 12) -> dict[str, dict[str, list[float]]]:
    """Training and validation loss, at the start and ``looks`` times later, of six runs.

    Between two looks lie as many steps as an epoch of 3,000 images has. The sheet shows the runs as
    A to F; what is wrong with five of them stands in ``dlcourse.checks``.
    """
    x, labels = data.train
    shuffled = np.random.default_rng(5).permutation(labels)
    runs: dict[str, tuple[Data, Callable[[int], float], int]] = {
        "A": ((x, labels), lambda look: 0.1 if look < 2 else 0.0001, 1),
        "B": ((x, shuffled), lambda look: 0.1, 1),
        "C": ((x[:250], labels[:250]), lambda look: 0.3, 12),
        "D": ((x, labels), lambda look: 0.0005, 1),
        "E": ((x, labels), lambda look: 1.5, 1),
        "F": ((x, labels), lambda look: 0.05, 1),
    }
    found = {}
    for name, (train, lr, epochs) in runs.items():
        net, rng = network(seed=7), np.random.default_rng(8)
        optimizer, curve = SGD(net.params, net.grads, lr=0.0), []
        for look in range(looks + 1):
            if look:
                optimizer.lr = lr(look - 1)
                loss = CrossEntropyLoss()
                fit(net, loss, optimizer, train, epochs=epochs, batch_size=BATCH, rng=rng)
            curve.append([losses_on(net, part).mean() for part in (train, data.validation)])
        training, validation = np.round(np.transpose(curve), 3).tolist()
        found[name] = {"training": training, "validation": validation}
    return found


def run(seeds: range = range(5), resamples: int = 1000) -> dict:
    """Rows (steps of each optimiser), pairs (differences with intervals), curves (mean loss).

    The intervals resample test images, the same for all optimisers, and seeds, which are paired.
    """
    data, rows, drawn, curves = digits(), [], {}, {}
    rng = np.random.default_rng(0)
    images = rng.multinomial(
        len(data.test[0]), np.full(len(data.test[0]), 1 / len(data.test[0])), size=resamples
    )
    picked = rng.integers(len(seeds), size=(resamples, len(seeds)))
    for optimiser in OPTIMISERS:
        tuned = tune(optimiser, data)
        lr = GRID[int(np.argmin(tuned))]
        runs = [follow(optimiser, lr, seed, data.train, data.test) for seed in seeds]
        steps = [int(steps_to_target(losses.mean(axis=1))) for losses in runs]
        again = np.array([steps_to_target(losses @ images.T / images[0].sum()) for losses in runs])
        drawn[optimiser] = again[picked, np.arange(resamples)[:, None]].mean(axis=1)
        curves[optimiser] = np.mean([losses.mean(axis=1) for losses in runs], axis=0).tolist()
        rows.append(
            {
                "optimiser": optimiser,
                "lr": lr,
                "tuning": tuned,
                "steps": steps,
                "mean": float(np.mean(steps)),
                "sd": float(np.std(steps, ddof=1)),
                "finals": [float(losses[-1].mean()) for losses in runs],
            }
        )
    by_name = {row["optimiser"]: np.array(row["steps"]) for row in rows}
    names, pairs = list(OPTIMISERS), []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            low, high = np.percentile(drawn[first] - drawn[second], (2.5, 97.5))
            pairs.append(
                {
                    "first": first,
                    "second": second,
                    "difference": float((by_name[first] - by_name[second]).mean()),
                    "low": float(low),
                    "high": float(high),
                    "told_apart": bool(low > 0 or high < 0),
                }
            )
    settings: dict[str, object] = {
        "hidden": HIDDEN,
        "batch": BATCH,
        "budget": BUDGET,
        "every": EVERY,
    }
    settings |= {"target": TARGET, "grid": list(GRID), "tuning_seeds": list(TUNING_SEEDS)}
    return {
        "settings": settings,
        "rows": rows,
        "pairs": pairs,
        "curves": curves,
        "diagnose": curves_to_diagnose(data),
    }


if __name__ == "__main__":
    start = time.perf_counter()
    seeds = range(5)
    result = run(seeds)
    path = write(
        "optimization",
        result,
        seeds=seeds,
        seconds=time.perf_counter() - start,
        packages=("numpy", "mlxtend"),
    )
    print(f"wrote {path}")
