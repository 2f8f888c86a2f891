"""Recorded run of the unit on depth: which networks of fifty layers learn handwritten digits.

    python -m dlcourse.recipes.depth

The split is that of the unit on the neuron. Each network is trained by mini-batches with momentum
at each of ``RATES`` with seed 0; the rate with the best validation accuracy is kept, and the
network trained with every seed at it. Then, once, the test part.
"""

import time
from collections.abc import Iterator

import numpy as np

from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.neurons import digits
from dlcourse.recipes.record import write
from dlcourse.scratch import initialization
from dlcourse.scratch.layers import Layer, Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss
from dlcourse.scratch.norm import BatchNorm1d, LayerNorm
from dlcourse.scratch.optim import SGD
from dlcourse.scratch.residual import Residual

WIDTH, LAYERS, EPOCHS, BATCH = 64, 50, 5, 64
RATES = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
MOMENTUM = 0.9
NORMS = {"batch": BatchNorm1d, "layer": LayerNorm}
NETWORKS: dict[str, dict] = {
    "2 layers, He": {"layers": 2},
    "50 layers, weights of deviation 0.01": {"deviation": 0.01},
    "50 layers, He": {},
    "50 layers, He, batch norm": {"norm": "batch"},
    "50 layers, He, layer norm": {"norm": "layer"},
    "50 layers, He, way round": {"residual": True},
    "50 layers, He, batch norm, way round": {"norm": "batch", "residual": True},
    "50 layers, He, layer norm, way round": {"norm": "layer", "residual": True},
}
Part = tuple[np.ndarray, np.ndarray]


def parts() -> tuple[Part, Part, Part]:
    """Training, validation and test part: pixels (N, 784) in float32, of deviation 1, and labels.

    Centred pixel by pixel and scaled by one number, both of the training part.
    """
    task = digits()
    scale = task.train[0].std()
    train, validation, test = (
        ((x / scale).astype(np.float32), labels)
        for x, labels in (task.train, task.validation, task.test)
    )
    return train, validation, test


def network(
    *,
    rng: np.random.Generator,
    layers: int = LAYERS,
    deviation: float | None = None,
    norm: str | None = None,
    residual: bool = False,
) -> Sequential:
    """784 inputs, ``layers`` linear layers with ReLU between them, 10 logits; He's weights.

    ``deviation`` replaces He's in the layers between the first and the last; ``norm`` is put before
    each of their ReLUs; ``residual`` leads a way round each ReLU and the layer after it.
    """

    def linear(inputs: int, outputs: int, std: float | None = None) -> Linear:
        layer = Linear(inputs, outputs, rng=rng, dtype=np.float32)
        weight = layer.params["weight"]
        if std is None:
            weight[...] = initialization.kaiming_normal(weight.shape, rng=rng)
        else:
            weight[...] = rng.normal(0, std, weight.shape)
        layer.params["bias"][...] = 0
        return layer

    def normalised() -> list[Layer]:
        return [NORMS[norm](WIDTH, dtype=np.float32)] if norm else []

    net: list[Layer] = [linear(784, WIDTH)]
    for _ in range(layers - 2):
        block = [*normalised(), ReLU(), linear(WIDTH, WIDTH, deviation)]
        net += [Residual(*block)] if residual else block
    return Sequential(*net, *normalised(), ReLU(), linear(WIDTH, 10))


def training(net: Sequential, train: Part, *, lr: float, seed: int) -> Iterator[float]:
    """Epoch after epoch, the mean loss of its batches; ends early once a logit isn't finite."""
    x, labels = train
    rng = np.random.default_rng(seed)
    optimizer = SGD(net.params, net.grads, lr=lr, momentum=MOMENTUM)
    criterion = CrossEntropyLoss()
    for _ in range(EPOCHS):
        net.train()
        losses, order = [], rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            with np.errstate(over="ignore", invalid="ignore"):
                logits = net.forward(x[batch])
                if not np.isfinite(logits).all():
                    return
                losses.append(float(criterion.forward(logits, labels[batch])))
                net.zero_grad()
                net.backward(criterion.backward().astype(np.float32))
                optimizer.step()
        yield float(np.mean(losses))


def hits(net: Sequential, part: Part) -> np.ndarray:
    """Which items (N,) of ``part`` the network, in evaluation mode, gets right."""
    net.eval()
    with np.errstate(over="ignore", invalid="ignore"):
        return net.forward(part[0]).argmax(axis=1) == part[1]


def trained(name: str, train: Part, *, lr: float, seed: int) -> tuple[Sequential, list[float]]:
    """A network of ``NETWORKS`` after training, and the loss of each epoch that it lived through.

    First weights and order of the batches both follow from ``seed``.
    """
    net = network(rng=np.random.default_rng(seed), **NETWORKS[name])
    return net, list(training(net, train, lr=lr, seed=1000 + seed))


def run(seeds: range = range(5)) -> dict:
    """Rows (accuracy of each network) and pairs (differences, with intervals)."""
    train, validation, test = parts()
    rows, right = [], {}
    for name in NETWORKS:
        first = {lr: trained(name, train, lr=lr, seed=seeds[0]) for lr in RATES}
        scores = {lr: hits(net, validation).mean() for lr, (net, _) in first.items()}
        lr = max(scores, key=lambda rate: scores[rate])  # the first, largest, of equals
        runs = [first[lr], *(trained(name, train, lr=lr, seed=seed) for seed in seeds[1:])]
        right[name] = np.array([hits(net, test) for net, _ in runs])
        accuracy = right[name].mean(axis=1)
        rows.append(
            {
                "network": name,
                "lr": lr,
                "losses": [losses for _, losses in runs],
                "accuracy": accuracy.tolist(),
                "mean": float(accuracy.mean()),
                "sd": float(accuracy.std(ddof=1)) if len(seeds) > 1 else 0.0,
            }
        )
    pairs = []
    for one, other in ((0, 6), (0, 7), (6, 7), (2, 6)):
        first_name, second_name = list(NETWORKS)[one], list(NETWORKS)[other]
        found = paired_bootstrap(
            right[first_name], right[second_name], rng=np.random.default_rng(0)
        )
        pairs.append(
            {
                "first": first_name,
                "second": second_name,
                "difference": found.mean,
                "low": found.low,
                "high": found.high,
                "told_apart": found.told_apart,
            }
        )
    sizes = {"train": len(train[1]), "validation": len(validation[1]), "test": len(test[1])}
    return {"sizes": sizes, "epochs": EPOCHS, "rows": rows, "pairs": pairs}


if __name__ == "__main__":
    start = time.perf_counter()
    seeds = range(5)
    result = run(seeds)
    path = write(
        "depth",
        result,
        seeds=seeds,
        seconds=time.perf_counter() - start,
        packages=("numpy", "mlxtend"),
    )
    print(f"wrote {path}")
