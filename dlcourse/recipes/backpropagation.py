"""The headline run of ``backpropagation``: right gradients, wrong ones, and a baseline.

``python -m dlcourse.recipes.backpropagation``, from the repository's root, writes
``chapters/results/backpropagation.json`` in about two minutes.

All learners see the digits of :mod:`dlcourse.recipes.neurons` in the same split, the same order of
batches for the same seed, and are kept as they were after the epoch with the best validation
accuracy. The wrong ones start from the same weights as the right one and differ in one backward.
Then, once, the test part.
"""

import copy
import time
from collections.abc import Iterator

import numpy as np

from dlcourse.recipes.compare import mcnemar, paired_bootstrap
from dlcourse.recipes.neurons import Predict, Task, digits, keep_best
from dlcourse.recipes.record import write
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss

HIDDEN = 100
BATCH = 50
LR = 0.2
EPOCHS = 30


class LetsAllPass(ReLU):
    """A ReLU whose backward forgets which units were silent."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return dy


class WrongRow(ReLU):
    """A ReLU whose backward hands each sample the gradient of its neighbour in the batch."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return np.roll(super().backward(dy), 1, axis=0)


class Silent(ReLU):
    """A ReLU whose backward hands nothing on, so that what lies below never learns."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        return np.zeros_like(dy)


LEARNERS: dict[str, type[ReLU] | None] = {
    "no hidden layer": None,
    "right gradients": ReLU,
    "lets all pass": LetsAllPass,
    "neighbour's gradient": WrongRow,
    "hands nothing on": Silent,
}


def network(activation: type[ReLU] | None, seed: int) -> Sequential:
    """784 pixels to 10 logits, through ``HIDDEN`` units, or straight if there is no activation."""
    rng = np.random.default_rng(seed)
    if activation is None:
        return Sequential(Linear(784, 10, rng=rng))
    return Sequential(Linear(784, HIDDEN, rng=rng), activation(), Linear(HIDDEN, 10, rng=rng))


def train(learner: str, task: Task, seed: int, epochs: int = EPOCHS) -> Iterator[Predict]:
    """Plain gradient descent on batches of ``BATCH``; yields a predictor after every epoch."""
    net, loss = network(LEARNERS[learner], seed), CrossEntropyLoss()
    rng = np.random.default_rng([seed, 1])  # the batches: the same for all learners
    x, labels = task.train
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            net.zero_grad()
            loss.forward(net.forward(x[rows]), labels[rows])
            net.backward(loss.backward())
            for name, param in net.params.items():
                param -= LR * net.grads[name]
        frozen = copy.deepcopy(net)
        yield lambda x, frozen=frozen: frozen.forward(x).argmax(axis=1)  # type: ignore[misc]


def right_on_test(learner: str, task: Task, seed: int) -> tuple[int, np.ndarray]:
    """Train one learner with one seed: the epoch kept, and which test items (N,) it gets right."""
    chosen, predict = keep_best(train(learner, task, seed), task)
    x, labels = task.test
    return chosen, predict(x) == labels


PAIRS = [
    ("no hidden layer", "right gradients"),
    ("no hidden layer", "lets all pass"),
    ("lets all pass", "right gradients"),
    ("neighbour's gradient", "right gradients"),
    ("hands nothing on", "neighbour's gradient"),
]


def run(seeds: range = range(10)) -> dict:
    """Rows (accuracy of each learner) and pairs (differences, with intervals)."""
    task, rows, right = digits(), [], {}
    for learner in LEARNERS:
        results = [right_on_test(learner, task, seed) for seed in seeds]
        right[learner] = np.array([hits for _, hits in results])
        accuracy = right[learner].mean(axis=1)
        rows.append(
            {
                "learner": learner,
                "epochs": [chosen for chosen, _ in results],
                "accuracy": accuracy.tolist(),
                "mean": float(accuracy.mean()),
                "sd": float(accuracy.std(ddof=1)),
            }
        )
    pairs = []
    for first, second in PAIRS:
        found = paired_bootstrap(right[first], right[second], rng=np.random.default_rng(0))
        pairs.append(
            {
                "first": first,
                "second": second,
                "difference": found.mean,
                "low": found.low,
                "high": found.high,
                "told_apart": found.told_apart,
                "mcnemar_seed_0": mcnemar(right[first][0], right[second][0]),
            }
        )
    return {"rows": rows, "pairs": pairs}


if __name__ == "__main__":
    start = time.perf_counter()
    seeds = range(10)
    result = run(seeds)
    path = write(
        "backpropagation",
        result,
        seeds=seeds,
        seconds=time.perf_counter() - start,
        packages=("numpy", "mlxtend"),
    )
    print(f"wrote {path}")
