"""Ten ways to read a digit: rules, classical methods and networks, all used as black boxes.

A learner takes the data, the places of its training images, one setting and a seed, and returns a
function from places to digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split, standardise
from dlcourse.recipes.digits_by_hand import measure, rules, zones
from dlcourse.scratch.conv import Conv2d, Flatten
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss
from dlcourse.scratch.optim import Adam

PARTS = (4000, 300, 700)  # train, validation, test
BATCH, HIDDEN, STEPS = 25, 64, 1000
Predict = Callable[[np.ndarray], np.ndarray]  # places (N,) -> digits (N,)


@dataclass(frozen=True)
class Digits:
    """Images (5000, 28, 28) of bytes, digits (5000,), what was measured (5000, 24), three parts."""

    images: np.ndarray
    labels: np.ndarray
    measured: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def subset(self, size: int, seed: int) -> np.ndarray:
        """``size`` images of the training part, every digit equally often."""
        if size == len(self.train):
            return self.train
        (chosen,) = split(self.labels[self.train], (size,), seed=seed)
        return self.train[chosen]


@cache
def digits() -> Digits:
    images, labels, _ = load_mnist5k()
    measured = np.array([np.r_[measure(image), zones(image)] for image in images])
    return Digits(images, labels, measured, *split(labels, PARTS, seed=0))


def by_rules(data: Digits, train: np.ndarray, ink: float, seed: int) -> Predict:
    return lambda places: np.array([rules(*measure(data.images[i], int(ink))) for i in places])


def pixels(data: Digits, places: np.ndarray) -> np.ndarray:
    """(N, 784) from 0 to 1, float32."""
    return (data.images[places].reshape(len(places), -1) / 255).astype(np.float32)


def logistic(x: np.ndarray, labels: np.ndarray, strength: float):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=2000, tol=1e-3).fit(x, labels)


def boosting(x: np.ndarray, labels: np.ndarray, rate: float, seed: int):
    from sklearn.ensemble import GradientBoostingClassifier

    # A leaf of one image on which the others agree makes a step without bound: at high rates
    # accuracy then collapses for one seed in a few. Of few images no leaf could hold ten.
    leaf = min(10, max(1, len(x) // 25))
    return GradientBoostingClassifier(
        learning_rate=rate,
        n_estimators=100,
        max_depth=4,
        max_features="sqrt",
        subsample=0.5,
        min_samples_leaf=leaf,
        random_state=seed,
    ).fit(x, labels)


def support_vectors(x: np.ndarray, labels: np.ndarray, strength: float):
    """A support vector machine with curved borders (radial kernel)."""
    from sklearn.svm import SVC

    return SVC(C=strength, gamma="scale").fit(x, labels)


def logistic_on_features(data: Digits, train: np.ndarray, strength: float, seed: int) -> Predict:
    x, every = standardise(data.measured[train], data.measured)
    model = logistic(x, data.labels[train], strength)
    return lambda places: model.predict(every[places])


def boosting_on_features(data: Digits, train: np.ndarray, rate: float, seed: int) -> Predict:
    model = boosting(data.measured[train], data.labels[train], rate, seed)
    return lambda places: model.predict(data.measured[places])


def support_vectors_on_features(
    data: Digits, train: np.ndarray, strength: float, seed: int
) -> Predict:
    x, every = standardise(data.measured[train], data.measured)
    model = support_vectors(x, data.labels[train], strength)
    return lambda places: model.predict(every[places])


def support_vectors_on_pixels(
    data: Digits, train: np.ndarray, strength: float, seed: int
) -> Predict:
    model = support_vectors(pixels(data, train), data.labels[train], strength)
    return lambda places: model.predict(pixels(data, places))


def logistic_on_pixels(data: Digits, train: np.ndarray, strength: float, seed: int) -> Predict:
    model = logistic(pixels(data, train), data.labels[train], strength)
    return lambda places: model.predict(pixels(data, places))


def boosting_on_pixels(data: Digits, train: np.ndarray, rate: float, seed: int) -> Predict:
    model = boosting(pixels(data, train), data.labels[train], rate, seed)
    return lambda places: model.predict(pixels(data, places))


def mlp(*, rng: np.random.Generator, inputs: int = 784, classes: int = 10) -> Sequential:
    """One hidden layer: every unit of it looks at all inputs."""
    return Sequential(
        Linear(inputs, HIDDEN, rng=rng, dtype=np.float32),
        ReLU(),
        Linear(HIDDEN, classes, rng=rng, dtype=np.float32),
    )


def cnn(*, rng: np.random.Generator) -> Sequential:
    """Two convolutions, whose units look at 5 by 5 neighbours, and an output layer."""
    return Sequential(
        Conv2d(1, 8, 5, stride=2, padding=2, rng=rng, dtype=np.float32),  # (N, 8, 14, 14)
        ReLU(),
        Conv2d(8, 16, 5, stride=2, padding=2, rng=rng, dtype=np.float32),  # (N, 16, 7, 7)
        ReLU(),
        Flatten(),
        Linear(16 * 7 * 7, 10, rng=rng, dtype=np.float32),
    )


def train_network(
    net: Sequential,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    lr: float,
    steps: int,
    rng: np.random.Generator,
    watch: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Train ``net`` for so many ``steps``; the loss at each. ``watch`` is told when one begins.

    Raises ValueError for fewer images than a batch has, for as many labels as there aren't images,
    and for less than one step.
    """
    if len(x) != len(labels) or len(x) < BATCH:
        raise ValueError(f"{len(x)} inputs and {len(labels)} labels; a batch is {BATCH}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    criterion, losses = CrossEntropyLoss(), list[float]()
    optimizer = Adam(net.params, net.grads, lr=lr)
    batches: list[np.ndarray] = []
    for step in range(steps):
        watch(step)
        if not batches:  # an epoch is over: all images again, in a new order
            batches = [*rng.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH)]
        batch = batches.pop()
        scores = net.forward(x[batch])  # 1. predict
        losses.append(criterion.forward(scores, labels[batch]))  # 2. measure the loss
        net.zero_grad()  # forget the last step's gradient
        net.backward(criterion.backward().astype(np.float32))  # 3. ask every weight: which way?
        optimizer.lr = lr * (1 - step / steps)  # the steps get shorter
        optimizer.step()  # 4. move every weight a little
    return losses  # 5. was: again, with other images


def steps_for(size: int) -> int:
    """How long a network trains on ``size`` images: longer on more, but fewer passes."""
    return {50: STEPS // 5, 500: STEPS * 3 // 5}.get(size, STEPS)


def fitted(make, shape, data, train, lr, seed, order=slice(None)) -> tuple[Sequential, Predict]:
    rng = np.random.default_rng(seed)
    net = make(rng=rng)

    def inputs(places):
        return pixels(data, places)[:, order].reshape(-1, *shape)

    train_network(
        net, inputs(train), data.labels[train], lr=lr, steps=steps_for(len(train)), rng=rng
    )
    return net, lambda places: net.forward(inputs(places)).argmax(axis=1)


def mlp_on_pixels(data: Digits, train: np.ndarray, lr: float, seed: int) -> Predict:
    return fitted(mlp, (784,), data, train, lr, seed)[1]


def cnn_on_pixels(data: Digits, train: np.ndarray, lr: float, seed: int) -> Predict:
    return fitted(cnn, (1, 28, 28), data, train, lr, seed)[1]


def untrained_cnn(data: Digits, train: np.ndarray, strength: float, seed: int) -> Predict:
    """The convolutions as they were drawn, and a logistic regression on what they hand on."""
    front = Sequential(*cnn(rng=np.random.default_rng(seed)).layers[:-1])

    def features(places):
        return front.forward(pixels(data, places).reshape(-1, 1, 28, 28)).astype(np.float64)

    x = features(train)
    scale = x.std() or 1.0
    model = logistic(x / scale, data.labels[train], strength)
    return lambda places: model.predict(features(places) / scale)
