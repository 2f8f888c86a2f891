"""The exercises of ``introduction``: arrays instead of loops, and how a classifier is judged.

Conventions: a batch ``x`` has shape (samples, features), one sample a row; classes are integers
from 0; of equals the first wins; in a confusion matrix rows are the true classes; accuracy is a
share from 0 to 1.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

ARRAYS, JUDGE, CHOOSE = "introduction-arrays", "introduction-judge", "introduction-choose"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse")


# shapes_forecast --------------------------------------------------------------

shapes_forecast = Exercise(
    "shapes_forecast",
    "Predict: shapes",
    parts={"flat": 1, "average": 1, "threes": 1, "ink": 1, "scores": 1},
    minutes=5,
    difficulty=1,
    outcomes=(ARRAYS,),
    kind="predict",
    of="value",
)


@shapes_forecast.answer
def _():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": (600,),
        "scores": (600, 10),
    }


@shapes_forecast.alternative
def as_lists():
    return {
        "scores": [600, 10],
        "ink": [600],
        "threes": [60, 28, 28],
        "average": [28, 28],
        "flat": [600, 28 * 28],
    }


@shapes_forecast.alternative
def as_numpy_integers():
    shapes = {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": (600,),
        "scores": (600, 10),
    }
    return {name: tuple(np.int64(n) for n in shape) for name, shape in shapes.items()}


@shapes_forecast.mistake(
    "`-1` stands for whatever is left to be filled: how many numbers has one image?",
    loses=("flat",),
)
def minus_one_is_one():
    return {
        "flat": (600, 1),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": (600,),
        "scores": (600, 10),
    }


@shapes_forecast.mistake(
    "The axis that is named is the one that goes. Which one is number 0?", loses=("average",)
)
def axis_zero_stays():
    return {
        "flat": (600, 784),
        "average": (600,),
        "threes": (60, 28, 28),
        "ink": (600,),
        "scores": (600, 10),
    }


@shapes_forecast.mistake(
    "A list of True and False picks images. What of each image that was picked is still there?",
    loses=("threes",),
)
def only_how_many():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60,),
        "ink": (600,),
        "scores": (600, 10),
    }


@shapes_forecast.mistake(
    "A mask leaves out what is False; it doesn't set it to 0. How many threes are there?",
    loses=("threes",),
)
def nothing_left_out():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (600, 28, 28),
        "ink": (600,),
        "scores": (600, 10),
    }


@shapes_forecast.mistake(
    "Two axes are named, so two go. Count what is left.",
    loses=("ink",),
)
def one_axis_goes():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": (600, 28),
        "scores": (600, 10),
    }


@shapes_forecast.mistake(
    "A shape with one axis is written with a comma, `(600,)`: `(600)` is just a number.",
    loses=("ink",),
)
def a_number():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": 600,
        "scores": (600, 10),
    }


@shapes_forecast.mistake(
    "In a matrix product the two inner lengths, here both 784, meet and vanish.",
    loses=("scores",),
)
def inner_lengths_stay():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": (600,),
        "scores": (600, 784, 10),
    }


@shapes_forecast.mistake(
    "Images come first in the product. Are they its rows or its columns?", loses=("scores",)
)
def product_turned():
    return {
        "flat": (600, 784),
        "average": (28, 28),
        "threes": (60, 28, 28),
        "ink": (600,),
        "scores": (10, 600),
    }


# vectorise --------------------------------------------------------------------

vectorise = Exercise(
    "vectorise",
    "From a loop to arrays",
    parts={"distance": 2, "nearest": 1},
    minutes=15,
    difficulty=2,
    outcomes=(ARRAYS,),
    forbids=FORBIDS,
)


@vectorise.cases
def _(rng):
    yield Case((np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [6.0, 8.0]])), "a tie")
    x = np.array([[200, 0, 0], [75, 0, 0], [0, 255, 90]], dtype=np.uint8)
    yield Case((x, np.array([[180.0, 0.5, 0.0], [60.0, 0.0, 0.25]])), "images of bytes")
    # nearer by squares, farther by absolute differences
    yield Case((np.zeros((1, 2)), np.array([[0.0, 5.0], [3.0, 3.0]])), "one image")
    yield Case((rng.normal(size=(3, 4)), rng.normal(size=(1, 4))), "one class")
    yield Case((rng.normal(size=(3, 3)), rng.normal(size=(3, 3))), "as many of everything")
    yield Case((rng.normal(size=(4, 1)), rng.normal(size=(2, 1))), "one pixel")
    yield Case(
        (np.array([[1.0, 0.0], [0.0, 2.0], [4.0, 4.0]]), np.array([[1.0, 1.0], [9.0, 9.0]])),
        "a mean that is large everywhere",
    )
    while True:
        n, k, d = rng.integers(2, 8, size=3)
        yield rng.normal(size=(n, d)), rng.normal(size=(k, d))


@vectorise.answer
def _(x, means):
    difference = x[:, None, :] - means[None, :, :]
    distance = (difference**2).sum(axis=2)
    return distance, distance.argmin(axis=1)


@vectorise.alternative
def loop_over_everything(x, means):
    distance = np.zeros((len(x), len(means)))
    nearest = np.zeros(len(x), dtype=int)
    for i in range(len(x)):
        for k in range(len(means)):
            for j in range(x.shape[1]):
                distance[i, k] += (float(x[i, j]) - means[k, j]) ** 2
            if distance[i, k] < distance[i, nearest[i]]:
                nearest[i] = k
    return distance, nearest


@vectorise.alternative
def loop_over_classes(x, means):
    distance = np.stack([np.einsum("nd,nd->n", x - m, x - m) for m in means], axis=1)
    return distance, np.argmin(distance, axis=-1)


@vectorise.alternative
def by_the_binomial_formula(x, means):
    x = x.astype(np.float64)
    distance = (x**2).sum(axis=1)[:, None] - 2 * x @ means.T + (means**2).sum(axis=1)
    return distance, np.argmin(np.round(distance, 9), axis=1)


@vectorise.mistake(
    "You have taken a root. The loop that you were given adds up squares and leaves it at that.",
    loses=("distance",),
)
def root(x, means):
    distance = np.sqrt(((x[:, None] - means) ** 2).sum(axis=2))
    return distance, distance.argmin(axis=1)


@vectorise.mistake(
    "Yours shrinks as images get more pixels. Does the loop divide?", loses=("distance",)
)
def mean_instead_of_sum(x, means):
    distance = ((x[:, None] - means) ** 2).mean(axis=2)
    return distance, ((x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)


@vectorise.mistake("You add up absolute differences. What does the loop do with each of them?")
def absolute_differences(x, means):
    distance = np.abs(x[:, None] - means).sum(axis=2)
    return distance, distance.argmin(axis=1)


@vectorise.mistake("Which is nearest: the class with the largest distance?", loses=("nearest",))
def farthest(x, means):
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return distance, distance.argmax(axis=1)


@vectorise.mistake(
    "One of your images is equally far from two classes. Which of them did the statement choose?",
    loses=("nearest",),
)
def last_of_equals(x, means):
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return distance, distance.shape[1] - 1 - distance[:, ::-1].argmin(axis=1)


@vectorise.mistake("Classes are counted from 0 here.", loses=("nearest",))
def classes_from_one(x, means):
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return distance, distance.argmin(axis=1) + 1


@vectorise.mistake(
    "`nearest` should be the number of the class, and yours is how far away it is.",
    loses=("nearest",),
)
def how_far(x, means):
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return distance, distance.min(axis=1)


@vectorise.mistake(
    "Your nearest image of each class is right; what was asked is the nearest class of each image. "
    "Which axis should go?",
    loses=("nearest",),
)
def nearest_image_of_each_class(x, means):
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return distance, distance.argmin(axis=0)


@vectorise.mistake(
    "One row for each image: your distances are turned on their side.", loses=("distance",)
)
def transposed(x, means):
    distance = ((means[:, None] - x) ** 2).sum(axis=2)
    return distance, distance.argmin(axis=0)


@vectorise.mistake(
    "A byte holds 0 to 255. What is the square of 200, as a byte? Make numbers with a fraction of "
    "the images first."
)
def bytes_run_over(x, means):
    distance = (x**2).sum(axis=1)[:, None] - 2 * x @ means.T + (means**2).sum(axis=1)
    return distance, np.argmin(np.round(distance, 9), axis=1)


@vectorise.mistake(
    "Bytes again: turned into bytes, the means lose their fractions and their signs."
)
def means_as_bytes(x, means):
    means = means.astype(x.dtype)
    difference = x[:, None].astype(float) - means if x.dtype.kind == "f" else x[:, None] - means
    distance = (difference**2).sum(axis=2).astype(float)
    return distance, distance.argmin(axis=1)


@vectorise.mistake(
    "That is how well image and mean agree, their product. A mean with much ink agrees with "
    "everything."
)
def product_instead(x, means):
    agreement = x @ means.T
    return agreement, agreement.argmax(axis=1)


@vectorise.mistake("You take the differences to be added before they are squared.")
def squared_too_late(x, means):
    distance = (x[:, None] - means).sum(axis=2) ** 2
    return distance, distance.argmin(axis=1)


@vectorise.mistake(
    "float64 is asked for: float32 keeps only about seven digits.", loses=("distance",)
)
def single_precision(x, means):
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return distance.astype(np.float32), distance.argmin(axis=1)


# train_test_split -------------------------------------------------------------

train_test_split = Exercise(
    "train_test_split",
    "Hold some back",
    parts={"train": 1, "test": 1, "refuses": 1},
    minutes=10,
    difficulty=1,
    outcomes=(JUDGE,),
    forbids=FORBIDS,
)


@train_test_split.cases
def _(rng):
    both = ("train", "test")
    x, labels = np.arange(10.0).reshape(5, 2), np.array([0, 0, 1, 1, 2])
    yield Case((x, labels, np.array([2, 0, 3, 1, 4]), 2), "sorted by label", both)
    yield Case((x, labels, np.array([4, 3, 2, 1, 0]), 1), "one to test with", both)
    yield Case((x, labels, np.array([1, 4, 0, 2, 3]), 4), "one to train with", both)
    yield Case((x, labels, np.array([2, 0, 2, 1, 4]), 2), "an index twice", ("refuses",))
    yield Case((x, labels, np.array([1, 1, 1, 3, 4]), 2), "an index three times", ("refuses",))
    yield Case((x, labels, np.array([2, 0, 3, 1]), 2), "an index missing", ("refuses",))
    yield Case(
        (x, labels, np.array([2, 0, 3, 1, 4, 2]), 2), "all there, and one again", ("refuses",)
    )
    yield Case((x, labels, np.array([1, 2, 3, 4, 5]), 2), "counted from 1", ("refuses",))
    yield Case((x, labels, np.array([0, 1, 2, 3, -1]), 2), "a negative index", ("refuses",))
    yield Case((x, labels[:4], np.array([2, 0, 3, 1, 4]), 2), "a label too few", ("refuses",))
    more = np.array([0, 0, 1, 1, 2, 2])
    yield Case((x, more, np.array([2, 0, 3, 1, 4]), 2), "a label too many", ("refuses",))
    yield Case(
        (rng.normal(size=(3, 2, 2)), np.array([1, 0, 1]), np.array([1, 2, 0]), 1), "images", both
    )
    while True:
        n = int(rng.integers(5, 12))
        order = rng.permutation(n)
        while np.array_equal(np.argsort(order), order):  # so that inverse and order differ
            order = rng.permutation(n)
        labels = rng.integers(0, 3, size=n)
        yield Case((rng.normal(size=(n, 3)), labels, order, int(rng.integers(1, n - 1))), "", both)


@train_test_split.observe
def _(candidate, x, labels, order, test):
    out = candidate(x, labels, order, test)
    if type(out) not in (tuple, list) or len(out) != 4:
        raise TypeError("it should return four arrays: x_train, y_train, x_test, y_test")
    x_train, y_train, x_test, y_test = out
    return {"train": [x_train, y_train], "test": [x_test, y_test], "refuses": "nothing raised"}


@train_test_split.answer
def _(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError("order must name every sample once")
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.alternative
def shuffled_first(x, labels, order, test):
    if len(x) != len(labels) or sorted(order.tolist()) != list(range(len(x))):
        raise ValueError(f"{len(x)} samples, {len(labels)} labels, and this order: {order}")
    x, labels = x[order], labels[order]
    return [x[test:].copy(), labels[test:].copy(), x[:test].copy(), labels[:test].copy()]


@train_test_split.alternative
def sample_by_sample(x, labels, order, test):
    if len(order) != len(x) or len(labels) != len(x) or {int(i) for i in order} != {*range(len(x))}:
        raise ValueError
    parts: tuple = [], [], [], []
    for place, i in enumerate(order):
        to = 2 if place < test else 0
        parts[to].append(x[i])
        parts[to + 1].append(labels[i])
    return tuple(np.array(part) for part in parts)


@train_test_split.mistake(
    "You cut the data as they lie. These are sorted by label: which labels has the test part?",
    loses=("train", "test"),
)
def unshuffled(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    return x[test:], labels[test:], x[:test], labels[:test]


@train_test_split.mistake(
    "The samples move and their labels stay. Whose label stands beside a sample now?",
    loses=("train", "test"),
)
def labels_stay(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    x = x[order]
    return x[test:], labels[test:], x[:test], labels[:test]


@train_test_split.mistake(
    "You take the test part from the end of `order`. From where does the statement take it?",
    loses=("train", "test"),
)
def test_from_the_end(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    train, held = order[:-test], order[-test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "Both parts are right and stand in each other's place. `test` counts which of them?",
    loses=("train", "test"),
)
def parts_exchanged(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    held, train = order[:test], order[test:]
    return x[held], labels[held], x[train], labels[train]


@train_test_split.mistake(
    "That is the order in which scikit-learn returns the four. Which one does the statement ask "
    "for?",
    loses=("train", "test"),
)
def as_scikit_learn(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    held, train = order[:test], order[test:]
    return x[train], x[held], labels[train], labels[held]


@train_test_split.mistake(
    "One sample is in both parts. Add up the sizes of the two.", loses=("train",)
)
def one_in_both(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    held, train = order[:test], order[test - 1 :]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake("One sample is in neither part. Add up the sizes.", loses=("train",))
def one_in_neither(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    held, train = order[:test], order[test + 1 :]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "You train on everything, the test part too: of course such a model does well.",
    loses=("train",),
)
def trains_on_all(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    return x[order], labels[order], x[order[:test]], labels[order[:test]]


@train_test_split.mistake(
    "You read `order` the other way round: as the place where each sample goes. Here it lists "
    "which sample comes first, second, and so on.",
    loses=("train", "test"),
)
def order_inverted(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    order = np.argsort(order)
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "The right samples, but sorted again. They should stay as `order` has them.",
    loses=("train", "test"),
)
def sorted_again(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    held, train = np.sort(order[:test]), np.sort(order[test:])
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "Hand it an order in which an index stands twice. Where does that sample end up?",
    loses=("refuses",),
)
def refuses_nothing(x, labels, order, test):
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "Every sample is in your order. Is each there only once?", loses=("refuses",)
)
def only_as_a_set(x, labels, order, test):
    if len(labels) != len(x) or set(order.tolist()) != set(range(len(x))):
        raise ValueError("order must name every sample")
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "It refuses, but not with the kind of error that the statement names.", loses=("refuses",)
)
def another_error(x, labels, order, test):
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise IndexError("order must name every sample once")
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "An order of the right length may still name a sample twice, and another one never.",
    loses=("refuses",),
)
def only_the_length(x, labels, order, test):
    if len(labels) != len(x) or len(order) != len(x):
        raise ValueError
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "Different orders can have the same sum, and some of them name a sample twice.",
    loses=("refuses",),
)
def only_the_sum(x, labels, order, test):
    if len(labels) != len(x) or len(order) != len(x) or order.sum() != np.arange(len(x)).sum():
        raise ValueError
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


@train_test_split.mistake(
    "The order is looked at well. But count the labels: is there one for each sample?",
    loses=("refuses",),
)
def labels_not_counted(x, labels, order, test):
    if not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]


# confusion_and_accuracy -------------------------------------------------------

confusion_and_accuracy = Exercise(
    "confusion_and_accuracy",
    "Who is taken for whom",
    parts={"confusion": 2, "accuracy": 1},
    minutes=10,
    difficulty=1,
    outcomes=(JUDGE,),
    forbids=FORBIDS,
)


@confusion_and_accuracy.cases
def _(rng):
    yield Case(
        (np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 0]), 3), "twice the same error"
    )
    yield Case((np.array([0, 2, 2]), np.array([0, 2, 0]), 4), "classes that never come")
    yield Case((np.array([1, 1, 1]), np.array([0, 0, 0]), 2), "nothing right")
    yield Case((np.array([3]), np.array([1]), 5), "one sample")
    yield Case((np.ones(300, dtype=int), np.ones(300, dtype=int), 2), "300 samples of one class")
    yield Case((np.array([0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 1]), 2), "a frequent class")
    while True:
        k = int(rng.integers(2, 6))
        n = int(rng.integers(8, 30))
        labels = rng.integers(0, k, size=n)
        wrong = rng.random(n) < 0.5
        yield labels, np.where(wrong, rng.integers(0, k, size=n), labels), k


@confusion_and_accuracy.answer
def _(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.mean(labels == predicted)


@confusion_and_accuracy.alternative
def count_in_a_loop(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=np.int64)
    for t, p in zip(labels, predicted, strict=True):
        confusion[t, p] += 1
    return confusion, float(np.trace(confusion) / np.sum(confusion))


@confusion_and_accuracy.alternative
def by_bincount(labels, predicted, classes):
    counts = np.bincount(classes * labels + predicted, minlength=classes**2)
    return counts.reshape(classes, classes), (labels == predicted).sum() / len(labels)


@confusion_and_accuracy.alternative
def one_hot_product(labels, predicted, classes):
    every = np.arange(classes)
    true, said = (labels[:, None] == every).astype(int), (predicted[:, None] == every).astype(int)
    return true.T @ said, np.count_nonzero(labels == predicted) / labels.size


@confusion_and_accuracy.mistake(
    "Rows and columns have changed places: your rows are what was predicted. Both ways are in use; "
    "which one does the statement name?",
    loses=("confusion",),
)
def rows_are_predictions(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (predicted, labels), 1)
    return confusion, np.mean(labels == predicted)


@confusion_and_accuracy.mistake(
    "No entry of yours is above 1. With a list of places, `+=` reads all before it writes any: "
    "what happens to a place that stands in it twice?",
    loses=("confusion",),
)
def counted_once(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    confusion[labels, predicted] += 1
    return confusion, np.mean(labels == predicted)


@confusion_and_accuracy.mistake(
    "A class that never comes still has a row and a column. Who tells you how many classes there "
    "are?",
    loses=("confusion",),
)
def only_those_that_come(labels, predicted, classes):
    size = max(labels.max(), predicted.max()) + 1
    confusion = np.zeros((size, size), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.mean(labels == predicted)


@confusion_and_accuracy.mistake(
    "You divide each row by its sum, which is useful, but not a count.", loses=("confusion",)
)
def shares_of_a_row(labels, predicted, classes):
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (labels, predicted), 1)
    return confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1), np.mean(
        labels == predicted
    )


@confusion_and_accuracy.mistake(
    "Counts are whole numbers. What dtype has `np.zeros`?", loses=("confusion",)
)
def counts_as_floats(labels, predicted, classes):
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.mean(labels == predicted)


@confusion_and_accuracy.mistake(
    "A byte counts to 255, and then begins again at 0.", loses=("confusion",)
)
def counts_in_bytes(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=np.uint8)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.mean(labels == predicted)


@confusion_and_accuracy.mistake(
    "The right ones count too. What stands on the diagonal?", loses=("confusion",)
)
def errors_only(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion - np.diag(np.diag(confusion)), np.mean(labels == predicted)


@confusion_and_accuracy.mistake(
    "A share from 0 to 1 is asked for, not percent.", loses=("accuracy",)
)
def percent(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, 100 * np.mean(labels == predicted)


@confusion_and_accuracy.mistake("That is the share that is wrong.", loses=("accuracy",))
def error_rate(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.mean(labels != predicted)


@confusion_and_accuracy.mistake(
    "How many are right is not yet how large a share.", loses=("accuracy",)
)
def how_many(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.sum(labels == predicted)


@confusion_and_accuracy.mistake(
    "You take the mean of the classes' own accuracies (balanced accuracy), so that a rare class "
    "weighs as much as a frequent one. Here every sample weighs the same.",
    loses=("accuracy",),
)
def balanced(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    own = [np.mean(predicted[labels == k] == k) for k in np.unique(labels)]
    return confusion, np.mean(own)


@confusion_and_accuracy.mistake(
    "You divide by the number of entries of the matrix. By what should a share of samples be "
    "divided?",
    loses=("accuracy",),
)
def over_all_entries(labels, predicted, classes):
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.trace(confusion) / confusion.size


# mended_selection -------------------------------------------------------------

mended_selection = Exercise(
    "mended_selection",
    "Find the leak",
    parts={"chosen": 2, "accuracy": 2},
    minutes=15,
    difficulty=2,
    outcomes=(JUDGE,),
    kind="mend",
    forbids=FORBIDS,
)


@mended_selection.cases
def _(rng):
    # Pixel 0 tells the classes apart in training, pixel 1 only among what is held back.
    x = np.array(
        [[4.0, 0, 0], [0, 0, 1], [5, 0, 1], [1, 0, 0], [2, 9, 0], [0, 0, 1], [0, 9, 1], [2, 0, 0]]
    )
    labels = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    train = np.array([True, True, True, True, False, False, False, False])
    yield Case((x, labels, train, 1), "a pixel that is only lucky where nobody may look")
    x = np.array([[0.0, 2], [6, 3], [1, 2], [7, 1], [6, 9], [7, 9], [8, 0], [5, 9]])
    labels = np.array([1, 0, 1, 0, 1, 1, 0, 1])
    yield Case((x, labels, train, 1), "ink that speaks for class 0")
    x = np.array([[2.0, 1], [2, 1], [2, 1], [8, 0], [2, 0], [8, 1]])
    labels = np.array([0, 0, 0, 1, 0, 1])
    few = np.array([True, True, True, True, False, False])
    yield Case((x, labels, few, 1), "three to one")
    x = np.array([[2.0, 1, 0], [5, 1, 9], [3, 2, 0], [4, 1, 9], [3, 0, 1], [5, 9, 6]])
    labels = np.array([0, 1, 0, 1, 0, 1])
    yield Case((x, labels, few, 2), "the last pixel tells most")
    two, labels = np.array([True, True, False, False]), np.array([0, 1, 0, 1])
    x = np.array([[0.0, 0, 0], [4, 4, 1], [1, 2, 0], [4, 1, 1]])
    yield Case((x, labels, two, 1), "two pixels that differ equally")
    x = np.array([[0.0], [4], [2], [3]])  # 2 is as far from 0 as from 4
    yield Case((x, labels, two, 1), "equally far from both")
    while True:
        n, d, k = int(rng.integers(10, 17)), int(rng.integers(8, 15)), int(rng.integers(2, 4))
        x = rng.normal(size=(n, d))
        labels = rng.permutation(np.arange(n) % 2)
        train = np.zeros(n, dtype=bool)
        for c in (0, 1):  # both classes on both sides
            train[rng.permutation(np.flatnonzero(labels == c))[: n // 4 + c]] = True
        yield x, labels, train, k


@mended_selection.answer
def _(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    right = distance.argmin(axis=1) == labels
    return chosen, right[~train].mean()


@mended_selection.alternative
def with_loops(x, labels, train, k):
    rows = [i for i in range(len(x)) if train[i]]
    means = [np.mean([x[i] for i in rows if labels[i] == c], axis=0) for c in (0, 1)]
    gap = abs(means[1] - means[0])
    chosen = sorted(sorted(range(x.shape[1]), key=lambda j: (-gap[j], j))[:k])
    right, tested = 0, 0
    for i in range(len(x)):
        if not train[i]:
            d0, d1 = (sum((x[i, j] - m[j]) ** 2 for j in chosen) for m in means)
            right += int(d1 < d0) == labels[i]
            tested += 1
    return np.array(chosen), right / tested


@mended_selection.alternative
def split_first(x, labels, train, k):
    inside, outside = x[train], x[~train]
    zero, one = (inside[labels[train] == c].mean(axis=0) for c in (0, 1))
    chosen = np.flatnonzero(
        np.isin(np.arange(x.shape[1]), np.argsort(-((one - zero) ** 2), kind="stable")[:k])
    )
    nearer = ((outside - one)[:, chosen] ** 2).sum(axis=1) < ((outside - zero)[:, chosen] ** 2).sum(
        axis=1
    )
    return chosen, float(np.mean(nearer == (labels[~train] == 1)))


@mended_selection.mistake(
    "This is still what your colleague has. Go through it line by line, and ask of each: which "
    "rows does it look at?"
)
def as_it_was(x, labels, train, k):
    gap = np.abs(x[labels == 1].mean(axis=0) - x[labels == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    x_train, y_train = x[train], labels[train]
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    right = distance.argmin(axis=1) == labels
    return chosen, right[~train].mean()


@mended_selection.mistake(
    "Now the pixels are chosen by the very rows that they will be tested on, and by no others."
)
def chosen_by_the_test_rows(x, labels, train, k):
    x_held, y_held = x[~train], labels[~train]
    gap = np.abs(x_held[y_held == 1].mean(axis=0) - x_held[y_held == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    x_train, y_train = x[train], labels[train]
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "The pixels are right now. But the accuracy is that on the rows it was trained with.",
    loses=("accuracy",),
)
def judged_on_training_rows(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[train].mean()


@mended_selection.mistake(
    "The pixels are right now. But the accuracy is over all rows, and half of them were seen.",
    loses=("accuracy",),
)
def judged_on_all_rows(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels).mean()


@mended_selection.mistake(
    "One leak closed, another one opened: by which rows are the two means taken now?",
    loses=("accuracy",),
)
def means_of_all_rows(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x[labels == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "You leave the pixels out of it: no leak, but no choice either. `k` says how many to keep."
)
def no_choice(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    means = np.array([x_train[y_train == c].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None] - means) ** 2).sum(axis=2)
    return np.arange(x.shape[1]), (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "The rows are right now. But a pixel with more ink in class 0 tells the classes apart as well: "
    "what happened to the sign?"
)
def sign_forgotten(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0)
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "The rows are right now. But you compare the classes' sums, and the larger class has more of "
    "everything."
)
def sums_instead_of_means(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].sum(axis=0) - x_train[y_train == 0].sum(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "The right pixels, in the order of their gap. The statement wants them in the order of their "
    "numbers.",
    loses=("chosen",),
)
def not_sorted(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.argsort(-gap, kind="stable")[:k]
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "Some pixels differ equally, and there is room for one of them only. Which does the statement "
    "keep?",
)
def larger_number_of_equals(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(gap, kind="stable")[::-1][:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, (distance.argmin(axis=1) == labels)[~train].mean()


@mended_selection.mistake(
    "A test image is equally far from both averages. Which class does the statement give it?",
    loses=("accuracy",),
)
def class_one_at_equal_distance(x, labels, train, k):
    x_train, y_train = x[train], labels[train]
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    means = np.array([x_train[y_train == c][:, chosen].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, chosen] - means) ** 2).sum(axis=2)
    return chosen, ((distance[:, 1] <= distance[:, 0]) == labels)[~train].mean()


# a question in words ----------------------------------------------------------

which_method = Question(
    "which_method",
    "Which would you try first?",
    points=4,
    minutes=10,
    outcomes=(CHOOSE,),
    rubric="""\
- 1 point: for the bank, a classical method is tried first (boosting or logistic regression), with
  a reason from the data: few rows, a table of a few columns, or a decision that must be explained.
- 1 point: for the photographs, a network with convolutions is tried, with a reason: raw pixels,
  many labelled examples; nobody knows how to write the features.
- 1 point: a simple method is asked for as a baseline in both, on the same held-back part.
- 1 point: one condition that would change the answer, said as something to measure (the learning
  curve as data grow, the seconds that an answer may take, who has to understand it).
- No point for "deep learning is more accurate" or "classical methods are more transparent" without
  saying when.""",
    exemplars={
        "full": """\
Bank: logistic regression and boosting first. 800 rows of 12 columns are little for a network, and a
refusal has to be explained. Photographs: a small convolutional network, because the input is pixels
and there are 60,000 labels, so it can learn features that I couldn't write. In both I would hold
back a test part first and put a simple method beside it, logistic regression for example, else 93 %
says nothing. If the bank had a million customers with their letters as text I would look at the
learning curve again and perhaps change my mind.""",
        "partial": """\
For the bank boosting, because there are only 800 customers in a table. For the photographs deep
learning, because images need it.""",
        "typical": """\
Deep learning for both: it is the most modern method and gives the highest accuracy. Older methods
are only needed if the computer is too slow.""",
    },
)
