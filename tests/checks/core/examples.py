"""One worked exercise of each kind, for the tests and for whoever writes the next unit."""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise

COMMON = {"minutes": 5, "difficulty": 1, "outcomes": ()}

# a function of several parts --------------------------------------------------

linear_backward = Exercise(
    "linear_backward", "Function", parts={"dx": 1, "dweight": 1, "dbias": 1}, **COMMON
)


@linear_backward.cases
def _(rng):
    shapes = [(1, 1, 1), (1, 3, 2), (4, 3, 2), (3, 3, 3)]  # square: transposes hide there
    while True:
        n, d, m = shapes.pop(0) if shapes else rng.integers(1, 8, size=3)
        yield rng.normal(size=(n, m)), rng.normal(size=(n, d)), rng.normal(size=(m, d))


@linear_backward.answer
def _(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.sum(axis=0)


@linear_backward.alternative
def einsum(dy, x, weight):
    return np.einsum("nm,md->nd", dy, weight), np.einsum("nm,nd->md", dy, x), sum(dy)


@linear_backward.mistake("Has the loss taken its mean already?", loses=("dbias",))
def mean_of_bias(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.mean(axis=0)


@linear_backward.mistake("A gradient has the shape of its parameter.", loses=("dweight",))
def transposed(dy, x, weight):
    return dy @ weight, x.T @ dy, dy.sum(axis=0)


@linear_backward.mistake("Who subtracts?")
def downhill(dy, x, weight):
    return -(dy @ weight), -(dy.T @ x), -dy.sum(axis=0)


@linear_backward.mistake("You changed an argument.")
def in_place(dy, x, weight):
    dx, dweight = dy @ weight, dy.T @ x
    x[:] = dx
    return x, dweight, dy.sum(axis=0)


@linear_backward.mistake("float64 came in.")
def single_precision(dy, x, weight):
    return tuple(a.astype(np.float32) for a in (dy @ weight, dy.T @ x, dy.sum(axis=0)))


# a class, driven by observe -----------------------------------------------------

running_mean = Exercise("RunningMean", "Class", parts={"mean": 1, "count": 1}, of="class", **COMMON)


@running_mean.cases
def _(rng):
    yield (np.array([]),)
    while True:
        yield (rng.normal(size=rng.integers(1, 6)),)


@running_mean.observe
def _(candidate, values):
    stat = candidate()
    for value in values:
        stat.add(float(value))
    return {"mean": stat.mean, "count": stat.count}


@running_mean.answer
class _:
    def __init__(self):
        self.count, self.mean = 0, 0.0

    def add(self, value):
        self.count += 1
        self.mean += (value - self.mean) / self.count


@running_mean.alternative
class KeepsAll:
    def __init__(self):
        self.values = []

    def add(self, value):
        self.values.append(value)

    @property
    def count(self):
        return len(self.values)

    @property
    def mean(self):
        return sum(self.values) / len(self.values) if self.values else 0.0


@running_mean.mistake("Count from the first value on.", loses=("count",))
class CountsFromOne:
    def __init__(self):
        self.count, self.mean = 1, 0.0

    def add(self, value):
        self.mean += (value - self.mean) / self.count
        self.count += 1


@running_mean.mistake("A mean of no values divides by zero.")
class DividesByZero:
    def __init__(self):
        self.count, self.total = 0, 0.0

    def add(self, value):
        self.count += 1
        self.total += value

    @property
    def mean(self):
        return self.total / self.count


# an optimiser: k steps from given weights ---------------------------------------

momentum = Exercise("Momentum", "Optimiser", parts={"weights": 2}, of="class", **COMMON)


@momentum.cases
def _(rng):
    while True:
        yield rng.normal(size=3), rng.normal(size=(4, 3)), 0.1, 0.9


@momentum.observe
def _(candidate, weights, gradients, lr, beta):
    optimiser, path = candidate(lr, beta), []
    for gradient in gradients:
        weights = optimiser.step(weights, gradient)
        path.append(weights)
    import numpy as np

    return {"weights": np.array(path)}


@momentum.answer
class _Momentum:
    def __init__(self, lr, beta):
        self.lr, self.beta, self.velocity = lr, beta, 0.0

    def step(self, weights, gradient):
        self.velocity = self.beta * self.velocity + gradient
        return weights - self.lr * self.velocity


@momentum.alternative
class ScaledVelocity:
    def __init__(self, lr, beta):
        self.lr, self.beta, self.move = lr, beta, None

    def step(self, weights, gradient):
        before = 0 if self.move is None else self.move
        self.move = self.beta * before - self.lr * gradient
        return weights + self.move


@momentum.mistake("That is a moving average: the gradient's share is 1 here.")
class Averaged:
    def __init__(self, lr, beta):
        self.lr, self.beta, self.velocity = lr, beta, 0.0

    def step(self, weights, gradient):
        self.velocity = self.beta * self.velocity + (1 - self.beta) * gradient
        return weights - self.lr * self.velocity


# must raise ---------------------------------------------------------------------

one_hot = Exercise("one_hot", "Must raise", parts={"rows": 1, "refuses": 1}, **COMMON)


@one_hot.cases
def _(rng):
    yield Case((np.array([0, 3]), 3), "a label too large", ("refuses",))
    yield Case((np.array([-1, 0]), 3), "a negative label", ("refuses",))
    while True:
        k = int(rng.integers(1, 6))
        yield Case((rng.integers(0, k, size=4), k), "", ("rows",))


@one_hot.observe
def _(candidate, labels, k):
    return {"rows": candidate(labels, k)}


@one_hot.answer
def _(labels, k):
    if labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"labels must be 0 to {k - 1}")
    return np.eye(k)[labels]


@one_hot.alternative
def by_comparing(labels, k):
    rows = (labels[:, None] == np.arange(k)).astype(float)
    if not (rows.sum(axis=1) == 1).all():
        raise ValueError
    return rows


@one_hot.mistake("Python counts -1 from the end.", loses=("refuses",))
def negative_from_the_end(labels, k):
    if labels.max() >= k:
        raise ValueError
    return np.eye(k)[labels]


@one_hot.mistake("The statement asks for a ValueError.", loses=("refuses",))
def index_error(labels, k):
    if labels.min() < 0 or labels.max() >= k:
        raise IndexError
    return np.eye(k)[labels]


# any valid answer ---------------------------------------------------------------

topological = Exercise("topological_order", "Any valid answer", parts={"order": 2}, **COMMON)


@topological.cases
def _(rng):
    yield ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []},)
    while True:
        names = [f"n{i}" for i in rng.permutation(5)]
        yield ({n: [m for m in names[:i] if rng.random() < 0.5] for i, n in enumerate(names)},)


@topological.judge
def _(case, parts):
    (graph,), order = case, parts["order"]
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(graph):
        return "the order should hold every node once."
    place = {node: i for i, node in enumerate(order)}
    if any(place[child] > place[node] for node, children in graph.items() for child in children):
        return "a node stands before one that it needs."
    return None


@topological.answer
def _(graph):
    order = []

    def visit(node):
        if node not in order:
            for child in graph[node]:
                visit(child)
            order.append(node)

    for node in graph:
        visit(node)
    return order


@topological.alternative
def whatever_is_ready(graph):
    order = []
    while len(order) < len(graph):
        order += [n for n in reversed(graph) if n not in order and set(graph[n]) <= set(order)]
    return tuple(order)


@topological.mistake("You list a node before its children.")
def as_they_come(graph):
    order, todo = [], list(graph)
    while todo:
        node = todo.pop(0)
        if node not in order:
            order.append(node)
    return sorted(order, key=lambda n: -len(graph[n]))


@topological.mistake("Some nodes come twice.")
def without_a_memory(graph):
    order = []

    def visit(node):
        for child in graph[node]:
            visit(child)
        order.append(node)

    for node in graph:
        visit(node)
    return order


# randomised, judged by bounds -----------------------------------------------------

he_init = Exercise("he_init", "Randomised", parts={"weight": 2}, **COMMON)


@he_init.cases
def _(rng):
    while True:
        yield 200, int(rng.integers(50, 400)), rng.standard_normal((200, 400))


@he_init.judge
def _(case, parts):
    fan_out, fan_in, _ = case
    weight = parts["weight"]
    if weight.shape != (fan_out, fan_in):
        return "the weights should have shape (fan_out, fan_in)."
    six_sigma = 6 / np.sqrt(2 * weight.size)
    ratio = weight.std() / np.sqrt(2 / fan_in)
    if abs(ratio - 1) > six_sigma:
        return f"the weights are too {'wide' if ratio > 1 else 'narrow'}."
    return None


@he_init.answer
def _(fan_out, fan_in, noise):
    return noise[:fan_out, :fan_in] * np.sqrt(2 / fan_in)


@he_init.alternative
def from_the_other_end(fan_out, fan_in, noise):
    return -noise[:fan_out, -fan_in:] * (2 / fan_in) ** 0.5


@he_init.mistake("Xavier's width is for tanh.")
def xavier(fan_out, fan_in, noise):
    return noise[:fan_out, :fan_in] * np.sqrt(1 / fan_in)


@he_init.mistake("Which of the two fans?")
def square_forgotten(fan_out, fan_in, noise):
    return noise[:fan_out, :fan_in] * np.sqrt(2)


# training: k full-batch steps from given weights ----------------------------------

train = Exercise("descend", "Training", parts={"weight": 1, "losses": 1}, **COMMON)


@train.cases
def _(rng):
    while True:
        x = rng.normal(size=(6, 2))
        yield x, x @ rng.normal(size=2), rng.normal(size=2), 5


@train.answer
def _(x, y, weight, steps):
    losses = []
    for _ in range(steps):
        error = x @ weight - y
        losses.append(np.mean(error**2))
        weight = weight - 0.1 * 2 * x.T @ error / len(x)
    return weight, np.array(losses)


@train.alternative
def column_vectors(x, y, weight, steps):
    w, losses = weight[:, None].copy(), np.zeros(steps)
    for k in range(steps):
        error = x @ w - y[:, None]
        losses[k] = (error**2).mean()
        w -= 0.2 / len(x) * (x.T @ error)
    return w[:, 0], losses


@train.mistake("The loss before the step, or after it?", loses=("losses",))
def loss_after_the_step(x, y, weight, steps):
    losses = []
    for _ in range(steps):
        weight = weight - 0.2 * x.T @ (x @ weight - y) / len(x)
        losses.append(np.mean((x @ weight - y) ** 2))
    return weight, np.array(losses)


# a value ------------------------------------------------------------------------

forecast = Exercise("forecast", "Value", parts={"epochs": 1}, of="value", **COMMON)


@forecast.answer
def _():
    return 7


@forecast.alternative
def as_float():
    return 7.0


@forecast.mistake("The last one counts too.")
def one_less():
    return 6


diagnosis = Exercise("diagnosis", "Words", parts={"first": 1, "second": 1}, of="value", **COMMON)


@diagnosis.answer
def _():
    return {"first": "overfits", "second": "fine"}


@diagnosis.alternative
def in_another_order():
    return {"second": "fine", "first": "overfits"}


@diagnosis.mistake("Which of the two was trained on few images?", loses=("first",))
def rate_for_overfitting():
    return {"first": "rate too large", "second": "fine"}


ALL = [v for v in list(globals().values()) if isinstance(v, Exercise)]
