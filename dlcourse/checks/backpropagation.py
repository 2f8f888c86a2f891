"""The exercises of ``backpropagation``: backward passes by hand, their check, and a training.

Conventions: ``dy`` is the gradient of the loss with respect to ``y``, in the shape of ``y``; a
batch has its samples in rows; a layer is ``x @ weight.T + bias``, as in ``torch.nn.Linear``; the
mean over the samples belongs to the loss, so layers only add up; gradients point uphill.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

CHAIN, WRITE, CHECK = "backpropagation-chain", "backpropagation-write", "backpropagation-check"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# linear_backward --------------------------------------------------------------

linear_backward = Exercise(
    "linear_backward",
    "Backward through a linear layer",
    parts={"dx": 1, "dweight": 1, "dbias": 1},
    minutes=15,
    difficulty=2,
    outcomes=(WRITE,),
    forbids=FORBIDS,
)


@linear_backward.cases
def _(rng):
    def case(n, d, k):
        return rng.normal(size=(n, k)), rng.normal(size=(n, d)), rng.normal(size=(k, d))

    yield Case(case(1, 3, 2), "one sample")
    yield Case(case(4, 3, 2), "four samples, three inputs, two outputs")
    yield Case(case(3, 3, 3), "all sizes equal: a transpose hides here")
    yield Case(case(1, 1, 1), "one of everything")
    yield Case(case(5, 1, 4), "one input")
    yield Case(case(5, 4, 1), "one output")
    while True:
        yield case(*rng.integers(1, 8, size=3))


@linear_backward.answer
def _(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.sum(axis=0)


@linear_backward.alternative
def by_einsum(dy, x, weight):
    dx = np.einsum("nk,kd->nd", dy, weight)
    return dx, np.einsum("nk,nd->kd", dy, x), np.einsum("nk->k", dy)


@linear_backward.alternative
def one_sample_at_a_time(dy, x, weight):
    dx, dweight, dbias = np.zeros(x.shape), np.zeros(weight.shape), np.zeros(len(weight))
    for n in range(len(x)):
        dx[n] = weight.T @ dy[n]
        dweight += np.outer(dy[n], x[n])
        dbias += dy[n]
    return dx, dweight, dbias


@linear_backward.mistake(
    "Your dbias is too small by a factor. Who has taken the mean over the batch already?",
    loses=("dbias",),
)
def mean_of_the_bias(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.mean(axis=0)


@linear_backward.mistake(
    "All three are too small by the same factor. Which number in the shapes is it?"
)
def mean_of_all(dy, x, weight):
    return dy @ weight / len(dy), dy.T @ x / len(dy), dy.mean(axis=0)


@linear_backward.mistake(
    "The two gradients of the parameters are too small by one factor. The loss's mean is in dy "
    "already.",
    loses=("dweight", "dbias"),
)
def mean_of_the_parameters(dy, x, weight):
    return dy @ weight, dy.T @ x / len(dy), dy.mean(axis=0)


@linear_backward.mistake(
    "A gradient has the shape of what it is the gradient of. Which shape has the weight?",
    loses=("dweight",),
)
def weight_transposed(dy, x, weight):
    return dy @ weight, x.T @ dy, dy.sum(axis=0)


@linear_backward.mistake(
    "Forwards the weight was transposed. In which direction does it meet dy: inputs to outputs, or "
    "back?"
)
def forwards_again(dy, x, weight):
    return dy @ weight.T, dy.T @ x, dy.sum(axis=0)


@linear_backward.mistake(
    "Every sample uses the same bias: how do their contributions come together?", loses=("dbias",)
)
def bias_per_sample(dy, x, weight):
    return dy @ weight, dy.T @ x, dy


@linear_backward.mistake(
    "One number for the whole layer. How many biases has it?", loses=("dbias",)
)
def one_bias(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.sum()


@linear_backward.mistake(
    "You add up over the units of one sample. Which axis do the samples lie on?", loses=("dbias",)
)
def bias_over_the_units(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.sum(axis=1)


@linear_backward.mistake(
    "The right numbers, but dbias has an axis too many: its shape is that of the bias.",
    loses=("dbias",),
)
def bias_as_a_row(dy, x, weight):
    return dy @ weight, dy.T @ x, dy.sum(axis=0, keepdims=True)


@linear_backward.mistake(
    "Everything has the opposite sign. Who subtracts the gradient, you or the training step?"
)
def downhill(dy, x, weight):
    return -(dy @ weight), -(dy.T @ x), -dy.sum(axis=0)


@linear_backward.mistake(
    "dx says how the loss moves when x does. By which factor does x enter y?", loses=("dx",)
)
def x_for_weight(dy, x, weight):
    return dy.sum(axis=1, keepdims=True) * x, dy.T @ x, dy.sum(axis=0)


@linear_backward.mistake(
    "Your dx is the weights alone, the same for every loss. What does `dy` have to say in it?",
    loses=("dx",),
)
def derivative_without_dy(dy, x, weight):
    return np.tile(weight.sum(axis=0), (len(dy), 1)), dy.T @ x, dy.sum(axis=0)


@linear_backward.mistake(
    "You give one row for the whole batch. Each sample has an input of its own.", loses=("dx",)
)
def dx_added_up(dy, x, weight):
    return (dy @ weight).sum(axis=0), dy.T @ x, dy.sum(axis=0)


@linear_backward.mistake(
    "Right, but in another order: dx first, then dweight, then dbias. The statement says so."
)
def another_order(dy, x, weight):
    return dy.T @ x, dy.sum(axis=0), dy @ weight


@linear_backward.mistake(
    "You wrote into an array that was handed to you; whoever called still needs it."
)
def writes_into_x(dy, x, weight):
    dweight = dy.T @ x
    x[:] = dy @ weight
    return x, dweight, dy.sum(axis=0)


@linear_backward.mistake("float64 came in, and float32 goes out: half of the digits are lost.")
def single_precision(dy, x, weight):
    return tuple(a.astype(np.float32) for a in (dy @ weight, dy.T @ x, dy.sum(axis=0)))


# relu_backward ----------------------------------------------------------------

relu_backward = Exercise(
    "relu_backward",
    "Backward through ReLU",
    parts={"dz": 1, "kink": 1},
    minutes=6,
    difficulty=1,
    outcomes=(WRITE,),
    forbids=FORBIDS,
)


@relu_backward.cases
def _(rng):
    smooth, kink = ("dz",), ("kink",)
    dy = np.array([[1.0, 2.0, -3.0], [-4.0, 5.0, 6.0]])
    yield Case((dy, np.array([[2.0, -1.0, 0.5], [-0.25, 3.0, -7.0]])), "both signs", smooth)
    down = np.array([[1.0, 2.0, -3.0], [-4.0, 5.0, -6.0]])
    yield Case((down, np.array([[0.0, 1.0, -1.0], [-0.0, 0.0, 2.0]])), "scores of exactly 0", kink)
    yield Case((np.array([2.0, -3.0]), np.array([-0.5, 0.5])), "one axis", smooth)
    yield Case((np.array([[-2.5]]), np.array([[4.0]])), "one number", smooth)
    yield Case((np.ones((2, 2)), np.zeros((2, 2))), "nothing but zeros", kink)
    tiny = np.array([1e-300, -1e-300, 1e-12, -1e-12])
    yield Case((np.array([1.0, 2.0, -3.0, 4.0]), tiny), "scores as good as 0, but not 0", smooth)
    while True:
        shape = rng.integers(2, 6, size=2)
        yield Case((rng.normal(size=shape), rng.normal(size=shape)), "", smooth)


@relu_backward.observe
def _(candidate, dy, z):
    dz = candidate(dy, z)
    return {"dz": dz, "kink": dz}


@relu_backward.answer
def _(dy, z):
    return np.where(z > 0, dy, 0)


@relu_backward.alternative
def by_a_mask(dy, z):
    return dy * (z > 0)


@relu_backward.alternative
def by_what_came_out(dy, z):
    dz = dy.copy()
    dz[np.maximum(z, 0) == 0] = 0
    return dz


@relu_backward.alternative
def number_by_number(dy, z):
    pairs = zip(dy.ravel(), z.ravel(), strict=True)
    return np.array([d if s > 0 else 0.0 for d, s in pairs]).reshape(z.shape)


@relu_backward.mistake(
    "A silent unit passes gradients on. If you move its score a little, does anything change?"
)
def everything_passes(dy, z):
    return dy.copy()


@relu_backward.mistake(
    "You silence units by the sign of dy. Who decides whether a unit was silent: what comes back, "
    "or what went in?"
)
def by_the_sign_of_dy(dy, z):
    return np.where(dy > 0, dy, 0)


@relu_backward.mistake(
    "Both have to be positive before you let anything pass. Does ReLU know the sign of dy?"
)
def both_positive(dy, z):
    return np.where((z > 0) & (dy > 0), dy, 0)


@relu_backward.mistake(
    "Look at scores of exactly 0. Which slope does the statement choose there?", loses=("kink",)
)
def zero_passes(dy, z):
    return np.where(z >= 0, dy, 0)


@relu_backward.mistake(
    "At exactly 0 you take the mean of the two slopes. The statement chooses another one.",
    loses=("kink",),
)
def half_at_the_kink(dy, z):
    return dy * np.where(z == 0, 0.5, z > 0)


@relu_backward.mistake("That is ReLU's own slope, 0 or 1. The chain rule multiplies it with what?")
def slope_alone(dy, z):
    return np.where(z > 0, 1.0, 0.0)


@relu_backward.mistake(
    "You multiply with what ReLU hands on. What is its slope where z is 3: 3, or 1?",
)
def times_the_output(dy, z):
    return dy * np.maximum(z, 0)


@relu_backward.mistake("Upside down: which units were silent, and which were not?")
def the_wrong_side(dy, z):
    return np.where(z < 0, dy, 0)


@relu_backward.mistake(
    "That is ReLU of dy times z. The forward isn't wanted again: what is its slope?",
)
def relu_of_the_product(dy, z):
    return np.maximum(dy * z, 0)


@relu_backward.mistake("Silent units leak a hundredth. That is another activation function.")
def leaky(dy, z):
    return np.where(z > 0, dy, 0.01 * dy)


@relu_backward.mistake("`if` asks an array one question. You have a question for each entry.")
def one_question(dy, z):
    return dy if z > 0 else np.zeros_like(dy)


@relu_backward.mistake("You cleared entries of the caller's own dy. Make an array of your own.")
def writes_into_dy(dy, z):
    dy[z <= 0] = 0
    return dy


@relu_backward.mistake("Each entry keeps its place: dz has the shape of z. What did you add up?")
def added_up(dy, z):
    return np.where(z > 0, dy, 0).sum(axis=0)


@relu_backward.mistake(
    "The sign of z isn't the slope: a silent unit hands back nothing, not the opposite."
)
def times_the_sign(dy, z):
    return dy * np.sign(z)


@relu_backward.mistake("That is the forward again. Where does dy come in?")
def forward_again(dy, z):
    return np.maximum(z, 0)


# softmax_cross_entropy_backward -----------------------------------------------

softmax_cross_entropy_backward = Exercise(
    "softmax_cross_entropy_backward",
    "Where backward begins",
    parts={"ordinary": 2, "large": 1},
    minutes=12,
    difficulty=2,
    outcomes=(WRITE,),
    forbids=FORBIDS,
)


@softmax_cross_entropy_backward.cases
def _(rng):
    ordinary, large = ("ordinary",), ("large",)
    z = np.array([[2.0, 1.0, 0.0], [0.5, -1.0, 3.0]])
    yield Case((z, np.array([0, 1])), "two samples, three classes", ordinary)
    yield Case((z[:1], np.array([2])), "one sample", ordinary)
    yield Case((rng.normal(size=(3, 3)), np.array([1, 1, 1])), "one class for all", ordinary)
    yield Case((rng.normal(size=(4, 2)), np.array([0, 1, 1, 0])), "two classes", ordinary)
    wild = np.array([[1000.0, 0.0, -1000.0], [0.0, 1000.0, 999.0], [-5e3, -5e3, -5e3]])
    yield Case((wild, np.array([0, 2, 1])), "logits of 1,000 and of -5,000", large)
    yield Case((np.zeros((2, 4)), np.array([3, 0])), "logits of 0", ordinary)
    yield Case((np.zeros((3, 1)), np.array([0, 0, 0])), "a single class", ordinary)
    while True:
        n, k = (int(v) for v in rng.integers(2, 7, size=2))
        yield Case((rng.normal(size=(n, k)) * 2, rng.integers(0, k, size=n)), "", ordinary)


@softmax_cross_entropy_backward.observe
def _(candidate, logits, labels):
    dlogits = candidate(logits, labels)
    return {"ordinary": dlogits, "large": dlogits}


@softmax_cross_entropy_backward.answer
def _(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    dlogits = e / e.sum(axis=1, keepdims=True)
    dlogits[np.arange(len(labels)), labels] -= 1
    return dlogits / len(labels)


@softmax_cross_entropy_backward.alternative
def one_hot_rows(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
    return (p - np.eye(logits.shape[1])[labels]) / logits.shape[0]


@softmax_cross_entropy_backward.alternative
def through_the_jacobian(logits, labels):
    out = np.zeros(logits.shape)
    for n, (z, y) in enumerate(zip(logits, labels, strict=True)):
        p = np.exp(z - z.max())
        p /= p.sum()
        # the column of softmax's Jacobian for class y, divided by -p[y] without dividing
        out[n] = p - (np.arange(len(z)) == y)
    return out / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Too large by one factor: the loss is a mean. Over how many of what?"
)
def of_the_sum(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p - np.eye(logits.shape[1])[labels]


@softmax_cross_entropy_backward.mistake(
    "Too small: you divide by all entries. How many losses does the mean go over?"
)
def mean_over_entries(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) / logits.size


@softmax_cross_entropy_backward.mistake(
    "The sign: should a larger logit of the right class make the loss larger?"
)
def truth_minus_prediction(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (np.eye(logits.shape[1])[labels] - p) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Your gradient doesn't depend on which class is right. Where do the labels come in?"
)
def labels_unused(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Only the right class has a gradient. Do the other logits stand in its probability too?"
)
def right_class_only(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    one_hot = np.eye(logits.shape[1])[labels]
    return one_hot * (p - 1) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "`p[:, labels]` picks whole columns: each sample loses the classes of all the others. Which "
    "entry belongs to which row?"
)
def whole_columns(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[:, labels] -= 1
    return p / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Try a logit of 1,000: what is its exponential?", loses=("large",)
)
def without_a_shift(logits, labels):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "One shift for the whole batch: a row far below the largest logit loses all its digits.",
    loses=("large",),
)
def one_shift_for_all(logits, labels):
    with np.errstate(all="ignore"):
        e = np.exp(logits - logits.max())
        p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Your probabilities add up to 1 over the batch. Whose should: a class's, or a sample's?"
)
def softmax_over_the_batch(logits, labels):
    e = np.exp(logits - logits.max(axis=0))
    p = e / e.sum(axis=0)
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "That is the gradient for the probabilities. One step of the chain, through softmax, is left."
)
def for_the_probabilities(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return -np.eye(logits.shape[1])[labels] / p / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Prediction minus truth, times p (1 - p): that is squared error through a sigmoid. With "
    "cross-entropy that factor cancels."
)
def slope_left_in(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) * p * (1 - p) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "You subtract the truth from the logits. What has to become of logits first?"
)
def logits_as_probabilities(logits, labels):
    return (logits - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "A sigmoid for each class: these probabilities don't add up to 1."
)
def sigmoids(logits, labels):
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(-logits))
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake("Your classes count from 1, and these labels count from 0.")
def labels_from_one(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels - 1]) / len(labels)


@softmax_cross_entropy_backward.mistake("`-=` has shifted the caller's logits.")
def shifts_the_callers_logits(logits, labels):
    logits -= logits.max(axis=1, keepdims=True) + 1
    e = np.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake("Twice too large. Which loss has a 2 in its gradient?")
def factor_of_squared_error(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return 2 * (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "Clipped logits are other logits: after clipping, 1,000 and 999 are the same. What may be "
    "subtracted from all logits of a row without any change?",
    loses=("large",),
)
def clipped_logits(logits, labels):
    e = np.exp(np.clip(logits, -50, 50))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]) / len(labels)


@softmax_cross_entropy_backward.mistake(
    "One row for the whole batch. Each sample has logits of its own, and so a gradient."
)
def added_over_the_batch(logits, labels):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[1])[labels]).mean(axis=0)


# gradient_check ---------------------------------------------------------------

gradient_check = Exercise(
    "gradient_check",
    "The gradient check",
    parts={"numerical": 2, "error": 2},
    minutes=15,
    difficulty=2,
    outcomes=(CHECK,),
    forbids=FORBIDS,
    tolerance=1e-8,  # the order of additions shows in a difference of nearly equal numbers
)


@gradient_check.cases
def _(rng):
    x = np.array([1.0, -2.0, 0.5])
    yield Case(("cubes", x, 3 * x**2, 0.5), "a right gradient, and a step so long that it shows")
    yield Case(("cubes", x, np.array([3.0, 12.0, 0.0]), 0.1), "one entry is wrong")
    grid = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]])
    yield Case(("rows", grid, 2 * grid[::-1], 0.25), "two axes, a right gradient")
    yield Case(("constant", x, np.zeros(3), 0.1), "zero everywhere, and rightly so")
    yield Case(("squares", x, np.zeros(3), 0.1), "claimed to be zero everywhere")
    yield Case(("constant", x, np.array([0.0, -2.0, 0.5]), 0.1), "zero in truth")
    yield Case(("squares", x, -2 * x, 0.1), "downhill instead of uphill")
    drift = np.array([0.1, 0.7, -1.3])
    yield Case(("squares", drift, 2 * drift + [0.0, -0.5, 0.0], 0.3), "one entry too small")
    yield Case(("cubes", np.array([[2.0]]), np.array([[12.5]]), 0.2), "one number")
    yield Case(("billionths", x, np.array([4e-9, -4e-9, 1e-9]), 0.1), "slopes of billionths")
    while True:
        x = rng.normal(size=rng.integers(2, 5, size=rng.integers(1, 4)))
        name = str(rng.choice(["cubes", "squares", "rows"]))
        right = {"cubes": 3 * x**2, "squares": 2 * x, "rows": np.roll(x, -1, 0) + np.roll(x, 1, 0)}
        claimed = right[name] + rng.normal(size=x.shape) * (rng.random() < 0.5)
        yield name, x, claimed, float(rng.choice([0.3, 0.1, 0.05]))


@gradient_check.observe
def _(candidate, function, x, claimed, h):
    functions = {
        "cubes": lambda x: float(np.sum(x**3)),
        "squares": lambda x: float(np.sum(x**2)),
        "rows": lambda x: float(np.sum(x * np.roll(x, 1, 0))),
        "constant": lambda x: 7.0,
        "billionths": lambda x: 1e-9 * float(np.sum(x**2)),
    }
    numerical, error = candidate(functions[function], x, claimed, h)
    return {"numerical": numerical, "error": error}


@gradient_check.answer
def _(f, x, claimed, h):
    x = x.copy()
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + h
        up = f(x)
        x[i] = old - h
        down = f(x)
        x[i] = old
        numerical[i] = (up - down) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.alternative
def one_direction_at_a_time(f, x, claimed, h):
    slopes = []
    for k in range(x.size):
        e = np.zeros(x.size)
        e[k] = h
        e = e.reshape(x.shape)
        slopes.append((f(x + e) - f(x - e)) / h / 2)
    numerical = np.array(slopes).reshape(x.shape)
    size = np.max(np.abs([numerical, claimed]))
    return numerical, 0.0 if size == 0 else float(np.max(np.abs(claimed - numerical)) / size)


@gradient_check.alternative
def in_place_and_put_back(f, x, claimed, h):
    numerical = np.empty_like(x)
    flat, out = x.reshape(-1), numerical.reshape(-1)
    for k in range(flat.size):
        kept = flat[k]
        flat[k] = kept - h
        down = f(x)
        flat[k] = kept + h
        out[k] = (f(x) - down) / (2 * h)
        flat[k] = kept
    size = max(abs(v) for v in [*numerical.ravel(), *claimed.ravel()])
    gap = max(abs(v) for v in (numerical - claimed).ravel())
    return numerical, (gap / size if size else 0.0)


@gradient_check.mistake(
    "You step to one side only: its error falls with h, the other's with h squared. Where is the "
    "second step?"
)
def one_sided(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up = x.copy()
        up[i] += h
        numerical[i] = (f(up) - f(x)) / h
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake("You step down only. Where is the step up?")
def backward_difference(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        down = x.copy()
        down[i] -= h
        numerical[i] = (f(x) - f(down)) / h
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake("Twice too steep. How far apart are the two places?")
def divided_by_one_step(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / h
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "Your two places are h apart, half a step to each side. The statement goes a whole h up and a "
    "whole h down."
)
def half_steps(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h / 2
        down[i] -= h / 2
        numerical[i] = (f(up) - f(down)) / h
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake("You chose a step of your own. Which one were you given?")
def a_step_of_its_own(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        numerical[i] = (f(up) - f(down)) / 2e-6
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "You move all entries at once, so you only learn the sum of their slopes. One at a time."
)
def all_at_once(f, x, claimed, h):
    numerical = np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "An entry that you have moved stays moved. What does the next one's slope depend on?"
)
def never_put_back(f, x, claimed, h):
    x = x.copy()
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        numerical[i] = (up - f(x)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "Your x doesn't come back as it was: adding and subtracting h rounds, and a little is left. "
    "Keep the old value, and put that back."
)
def put_back_by_adding(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        down = f(x)
        x[i] += h
        numerical[i] = (up - down) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "The slopes are right, in a row. A gradient has the shape of its array.", loses=("numerical",)
)
def flattened(f, x, claimed, h):
    slopes = []
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        slopes.append((f(up) - f(down)) / (2 * h))
    numerical = np.array(slopes)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    gap = np.abs(numerical - claimed.ravel()).max()
    return numerical, gap / size if size > 0 else 0.0


@gradient_check.mistake(
    "The largest difference as it is: on gradients of a millionth, every error would look small. "
    "Relative to what?",
    loses=("error",),
)
def absolute_error(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    return numerical, np.abs(numerical - claimed).max()


@gradient_check.mistake(
    "You divide entry by entry, and an entry that is 0 then counts its rounding as a whole error. "
    "Here one size serves the whole array.",
    loses=("error",),
)
def entry_by_entry(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = np.maximum(np.abs(numerical), np.abs(claimed))
    return numerical, np.max(np.abs(numerical - claimed) / np.where(size > 0, size, 1))


@gradient_check.mistake(
    "That is a ratio of lengths, another good measure. Here it is the largest difference, over the "
    "largest entry.",
    loses=("error",),
)
def ratio_of_lengths(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = np.sqrt((numerical**2).sum()) + np.sqrt((claimed**2).sum())
    gap = np.sqrt(((numerical - claimed) ** 2).sum())
    return numerical, gap / size if size > 0 else 0.0


@gradient_check.mistake(
    "A mean lets one wrong entry hide among a thousand right ones. Which difference counts here?",
    loses=("error",),
)
def mean_error(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).mean() / size if size > 0 else 0.0


@gradient_check.mistake(
    "Relative to the claim alone: one that says 0 everywhere would divide by 0. Which of the two "
    "is the size?",
    loses=("error",),
)
def relative_to_the_claim(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    with np.errstate(all="ignore"):
        return numerical, np.abs(numerical - claimed).max() / np.abs(claimed).max()


@gradient_check.mistake(
    "Relative to the differences alone: where those are 0 everywhere you divide by 0. Which of the "
    "two is the size?",
    loses=("error",),
)
def relative_to_the_differences(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    with np.errstate(all="ignore"):
        return numerical, np.abs(numerical - claimed).max() / np.abs(numerical).max()


@gradient_check.mistake(
    "You divide by the sum of the two sizes, which halves most errors. Here the larger of the two "
    "is the size.",
    loses=("error",),
)
def sum_of_sizes(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = np.abs(numerical).max() + np.abs(claimed).max()
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "Two gradients that are 0 everywhere agree. What does yours say of them?", loses=("error",)
)
def nothing_by_nothing(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = np.maximum(np.abs(numerical).max(), np.abs(claimed).max())
    with np.errstate(all="ignore"):
        return numerical, np.abs(numerical - claimed).max() / size


@gradient_check.mistake(
    "A claim that is too large counts with you, one that is too small doesn't. What is missing "
    "before you take the largest?",
    loses=("error",),
)
def sign_left_in(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, (claimed - numerical).max() / size if size > 0 else 0.0


@gradient_check.mistake(
    "A small number added to the size swallows gradients that are smaller still: a fault among "
    "billionths passes. Ask whether the size is 0 instead.",
    loses=("error",),
)
def padded_size(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max()) + 1e-8
    return numerical, np.abs(numerical - claimed).max() / size


@gradient_check.mistake(
    "You give an error for each entry. Which one number says whether all of them are right?",
    loses=("error",),
)
def error_of_each_entry(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed) / size if size > 0 else np.zeros(x.shape)


@gradient_check.mistake(
    "Two gradients with the same largest entry may differ everywhere else. Subtract first, then "
    "look for the largest.",
    loses=("error",),
)
def difference_of_the_largest(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    gap = abs(np.abs(numerical).max() - np.abs(claimed).max())
    return numerical, gap / size if size > 0 else 0.0


@gradient_check.mistake(
    "Your size is the largest entry with its sign. How large is an array of -3 and -5?",
    loses=("error",),
)
def size_with_its_sign(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(numerical.max(), claimed.max())
    return numerical, np.abs(numerical - claimed).max() / size if size != 0 else 0.0


@gradient_check.mistake(
    "On an array with two axes you move a whole row at once. How many entries does x have?"
)
def rows_at_once(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return numerical, np.abs(numerical - claimed).max() / size if size > 0 else 0.0


@gradient_check.mistake("Numerical first, then the error: you return them the other way round.")
def the_other_way_round(f, x, claimed, h):
    numerical = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        numerical[i] = (f(up) - f(down)) / (2 * h)
    size = max(np.abs(numerical).max(), np.abs(claimed).max())
    return np.abs(numerical - claimed).max() / size if size > 0 else 0.0, numerical


# mended_backward --------------------------------------------------------------

mended_backward = Exercise(
    "mended_backward",
    "Find the fault",
    parts={"dx": 2, "dscale": 1, "dshift": 1, "dgain": 1},
    minutes=12,
    difficulty=2,
    outcomes=(CHECK, CHAIN),
    kind="mend",
    forbids=FORBIDS,
)


@mended_backward.cases
def _(rng):
    def case(n, d):
        dy, x = rng.normal(size=(n, d)), rng.normal(size=(n, d))
        return dy, x, *(rng.uniform(0.5, 2, size=(3, d)) * rng.choice([-1, 1], size=(3, d)))

    yield Case(case(4, 3), "four samples, three features")
    yield Case(case(1, 3), "one sample")
    yield Case(case(5, 1), "one feature")
    yield Case(case(3, 3), "as many samples as features")
    dy, x, scale, shift, _ = case(4, 2)
    yield Case((dy, x, scale, shift, np.zeros(2)), "a gain of 0: only the straight path is left")
    while True:
        yield case(*rng.integers(2, 7, size=2))


@mended_backward.answer
def _(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    dgain = (dy * t).sum(axis=0)
    du = dy * gain * (1 - t**2)
    dscale = (du * x).sum(axis=0)
    dshift = du.sum(axis=0)
    dx = dy + du * scale
    return dx, dscale, dshift, dgain


@mended_backward.alternative
def slope_first(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    slope = gain / np.cosh(scale * x + shift) ** 2
    dx = dy * (1 + slope * scale)
    return dx, np.sum(dy * slope * x, 0), np.sum(dy * slope, 0), np.einsum("nd,nd->d", dy, t)


@mended_backward.alternative
def path_by_path(dy, x, scale, shift, gain):
    dx = np.zeros_like(dy)
    dx += dy  # straight on
    t = np.tanh(scale * x + shift)
    dt = dy * gain
    du = dt - dt * t * t
    dx += du * scale  # and through tanh
    return dx, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "Three of your four pass the check. On how many ways does x reach y, and how many of them do "
    "you walk back?",
    loses=("dx",),
)
def as_it_was(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "Now you walk the straight way only. What became of the way through tanh?", loses=("dx",)
)
def straight_path_only(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return dy.copy(), (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "You add x, as the forward does. What comes back along that way?", loses=("dx",)
)
def x_itself_added(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return x + du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "The straight way has slope 1. The chain rule multiplies it with what?", loses=("dx",)
)
def slope_one_without_dy(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return 1 + du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "Along a way slopes are multiplied. What happens to ways that meet?", loses=("dx",)
)
def paths_multiplied(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return dy * du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "Half of one way and half of the other. If x moves by 1, along how many ways does y feel it in "
    "full?",
    loses=("dx",),
)
def paths_averaged(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return (dy + du * scale) / 2, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "Both ways are there, but on one of them a factor is missing. What multiplies x before tanh?",
    loses=("dx",),
)
def scale_lost(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return dy + du, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "tanh's slope was right as it stood: it is written with what tanh hands on, not its score.",
    loses=("dx", "dscale", "dshift"),
)
def slope_of_the_score(dy, x, scale, shift, gain):
    u = scale * x + shift
    du = dy * gain * (1 - u**2)
    return dy + du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * np.tanh(u)).sum(axis=0)


@mended_backward.mistake(
    "The sums over the samples were right: dy holds the mean already.",
    loses=("dscale", "dshift", "dgain"),
)
def sums_made_means(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return dy + du * scale, (du * x).mean(axis=0), du.mean(axis=0), (dy * t).mean(axis=0)


@mended_backward.mistake(
    "The straight way doesn't pass the gain, so the gain hears nothing of it.", loses=("dgain",)
)
def gain_of_both_paths(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    return dy + du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * (x + t)).sum(axis=0)


@mended_backward.mistake(
    "On the way back through tanh you left out a factor that she had.",
    loses=("dx", "dscale", "dshift"),
)
def gain_lost(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * (1 - t**2)
    return dy + du * scale, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake("`+=` on `dy` changes the array of whoever called you.")
def adds_into_dy(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    dgain = (dy * t).sum(axis=0)
    dy += du * scale
    return dy, (du * x).sum(axis=0), du.sum(axis=0), dgain


@mended_backward.mistake(
    "Both ways are there, but on one of them you pass tanh without its slope.", loses=("dx",)
)
def tanh_without_its_slope(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    dx = dy + dy * gain * scale
    return dx, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "On the straight way you multiply dy with x. What is the slope of x with respect to x?",
    loses=("dx",),
)
def x_as_a_slope(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    dx = dy * x + du * scale
    return dx, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


@mended_backward.mistake(
    "The gain stands on the other way. Does the straight one pass it?", loses=("dx",)
)
def gain_on_the_straight_path(dy, x, scale, shift, gain):
    t = np.tanh(scale * x + shift)
    du = dy * gain * (1 - t**2)
    dx = dy * gain + du * scale
    return dx, (du * x).sum(axis=0), du.sum(axis=0), (dy * t).sum(axis=0)


# train_mlp --------------------------------------------------------------------

train_mlp = Exercise(
    "train_mlp",
    "Train a network",
    parts={"hidden": 2, "output": 1, "losses": 1},
    minutes=20,
    difficulty=3,
    outcomes=(WRITE, CHAIN),
    forbids=FORBIDS,
)


@train_mlp.cases
def _(rng):
    def case(n, d, h, k, lr, steps):
        params = {
            "0.weight": rng.normal(size=(h, d)) / d**0.5,
            "0.bias": rng.normal(size=h) / 2,
            "2.weight": rng.normal(size=(k, h)) / h**0.5,
            "2.bias": rng.normal(size=k) / 2,
        }
        return rng.normal(size=(n, d)), rng.integers(0, k, size=n), params, lr, steps

    yield Case(case(5, 3, 6, 2, 0.3, 1), "one step")
    yield Case(case(6, 2, 5, 3, 0.2, 4), "four steps")
    yield Case(case(1, 3, 4, 3, 0.1, 3), "one sample")
    yield Case(case(4, 3, 3, 3, 0.2, 3), "all sizes equal: a transpose hides here")
    x, labels, params, lr, steps = case(4, 2, 5, 3, 0.3, 2)
    x[0], params["0.bias"] = 0, np.zeros(5)
    yield Case((x, labels, params, lr, steps), "scores of exactly 0")
    yield Case(case(4, 2, 3, 2, 0.2, 0), "no step at all")
    while True:
        n, d, h, k = (int(v) for v in rng.integers(2, 7, size=4))
        yield case(n, d, h + 2, k, float(rng.uniform(0.05, 0.2)), int(rng.integers(2, 5)))


@train_mlp.observe
def _(candidate, x, labels, params, lr, steps):
    trained, losses = candidate(x, labels, params, lr, steps)
    return {
        "hidden": {name: trained[name] for name in ("0.weight", "0.bias")},
        "output": {name: trained[name] for name in ("2.weight", "2.bias")},
        "losses": losses,
    }


@train_mlp.answer
def _(x, labels, params, lr, steps):
    params = dict(params)
    one_hot = np.eye(len(params["2.bias"]))[labels]
    losses = []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        logits = h @ params["2.weight"].T + params["2.bias"]
        logits = logits - logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses.append(-np.mean((one_hot * log_p).sum(axis=1)))
        dlogits = (np.exp(log_p) - one_hot) / len(x)
        dz = (dlogits @ params["2.weight"]) * (z > 0)
        grads = {
            "0.weight": dz.T @ x,
            "0.bias": dz.sum(axis=0),
            "2.weight": dlogits.T @ h,
            "2.bias": dlogits.sum(axis=0),
        }
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.alternative
def sample_by_sample(x, labels, params, lr, steps):
    trained = {name: array.copy() for name, array in params.items()}
    losses = np.zeros(steps)
    for step in range(steps):
        w1, b1, w2, b2 = (trained[n] for n in ("0.weight", "0.bias", "2.weight", "2.bias"))
        grads = {name: np.zeros_like(array) for name, array in trained.items()}
        for row, label in zip(x, labels, strict=True):
            z = w1 @ row + b1
            h = np.where(z > 0, z, 0.0)
            logits = w2 @ h + b2
            p = np.exp(logits - logits.max())
            p /= p.sum()
            losses[step] -= np.log(p[label]) / len(x)
            p[label] -= 1
            dz = np.where(z > 0, w2.T @ p, 0.0)
            grads["2.weight"] += np.outer(p, h) / len(x)
            grads["2.bias"] += p / len(x)
            grads["0.weight"] += np.outer(dz, row) / len(x)
            grads["0.bias"] += dz / len(x)
        for name in trained:
            trained[name] -= lr * grads[name]
    return trained, losses


@train_mlp.alternative
def bias_as_a_weight(x, labels, params, lr, steps):
    first = np.c_[params["0.weight"], params["0.bias"]]
    second = np.c_[params["2.weight"], params["2.bias"]]
    rows, picked = np.c_[x, np.ones(len(x))], np.arange(len(x))
    losses: list[float] = []
    while len(losses) < steps:
        h = np.c_[np.maximum(rows @ first.T, 0), np.ones(len(x))]
        p = h @ second.T
        p = np.exp(p - p.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[picked, labels]).mean())
        p[picked, labels] -= 1
        back = (p @ second)[:, :-1] * (h[:, :-1] > 0)
        second = second - lr / len(x) * np.einsum("nk,nh->kh", p, h)
        first = first - lr / len(x) * np.einsum("nh,nd->hd", back, rows)
    trained = {
        "0.weight": first[:, :-1],
        "0.bias": first[:, -1],
        "2.weight": second[:, :-1],
        "2.bias": second[:, -1],
    }
    return trained, np.array(losses)


@train_mlp.mistake(
    "The first loss should be that of the weights you were given. When do you write it down?",
    loses=("losses",),
)
def loss_after_the_step(x, labels, params, lr, steps):
    def forward(params):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return z, h, p, -np.log(p[np.arange(len(x)), labels]).mean()

    params, losses = dict(params), list[float]()
    for _ in range(steps):
        z, h, p, _ = forward(params)
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
        losses.append(forward(params)[3])
    return params, np.array(losses)


@train_mlp.mistake(
    "One loss too many: the statement asks for one before each step, and none after the last.",
    loses=("losses",),
)
def a_last_loss_too(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for step in range(steps + 1):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        if step == steps:
            break
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake("A list, and the statement asks for an array.", loses=("losses",))
def losses_as_a_list(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, losses


@train_mlp.mistake(
    "The mean is missing, in the losses and in the gradient alike: you add up over the batch."
)
def no_mean_anywhere(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).sum())
        dy = p - np.eye(p.shape[1])[labels]
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake("Your losses are sums over the batch, not means.", loses=("losses",))
def losses_summed(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).sum())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake("Your loss rises. Which way does a gradient point?")
def uphill(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] + lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake("Your steps are too long by a factor: the loss is a mean over the samples.")
def gradient_of_the_sum(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = p - np.eye(p.shape[1])[labels]
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake(
    "You send the gradient back through an output layer that has stepped already. Whose weights "
    "made the loss?"
)
def through_the_new_weights(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        params["2.weight"] = params["2.weight"] - lr * dy.T @ h
        params["2.bias"] = params["2.bias"] - lr * dy.sum(axis=0)
        dz = (dy @ params["2.weight"]) * (z > 0)
        params["0.weight"] = params["0.weight"] - lr * dz.T @ x
        params["0.bias"] = params["0.bias"] - lr * dz.sum(axis=0)
    return params, np.array(losses)


@train_mlp.mistake(
    "Between output and hidden layer stands ReLU. Does your gradient come through it as if it "
    "weren't there?"
)
def relu_forgotten(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        h = np.maximum(x @ params["0.weight"].T + params["0.bias"], 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = dy @ params["2.weight"]
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake("Look at a hidden score of exactly 0. What does ReLU pass back there?")
def zero_scores_pass(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z >= 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake(
    "Your hidden layer comes back as it went in. Only the output layer learns anything."
)
def hidden_layer_at_rest(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        h = np.maximum(x @ params["0.weight"].T + params["0.bias"], 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        params["2.weight"] = params["2.weight"] - lr * dy.T @ h
        params["2.bias"] = params["2.bias"] - lr * dy.sum(axis=0)
    return params, np.array(losses)


@train_mlp.mistake("Two of your four arrays never change. Which two?")
def biases_at_rest(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        params["0.weight"] = params["0.weight"] - lr * dz.T @ x
        params["2.weight"] = params["2.weight"] - lr * dy.T @ h
    return params, np.array(losses)


@train_mlp.mistake(
    "The first step is right, the later ones are too long. What is left in your gradients from the "
    "step before?"
)
def gradients_add_up(x, labels, params, lr, steps):
    params, losses = dict(params), []
    total = {name: np.zeros(array.shape) for name, array in params.items()}
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        for name in params:
            total[name] += grads[name]
            params[name] = params[name] - lr * total[name]
    return params, np.array(losses)


@train_mlp.mistake(
    "You step after each sample. Here one step sees the whole batch, and all of it sees the same "
    "weights."
)
def a_step_a_sample(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        total = 0.0
        for n in range(len(x)):
            z = params["0.weight"] @ x[n] + params["0.bias"]
            h = np.maximum(z, 0)
            e = params["2.weight"] @ h + params["2.bias"]
            e = np.exp(e - e.max())
            dy = e / e.sum()
            total -= np.log(dy[labels[n]])
            dy[labels[n]] -= 1
            dz = (dy @ params["2.weight"]) * (z > 0)
            grads = {"0.weight": np.outer(dz, x[n]), "0.bias": dz}
            grads |= {"2.weight": np.outer(dy, h), "2.bias": dy}
            params = {name: params[name] - lr * grads[name] for name in params}
        losses.append(total / len(x))
    return params, np.array(losses)


@train_mlp.mistake(
    "`-=` changes the arrays that you were given, so nobody can train from the same start again. "
    "Copy them first."
)
def trains_the_callers_arrays(x, labels, params, lr, steps):
    losses = []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        for name in params:
            params[name] -= lr * grads[name]
    return params, np.array(losses)


@train_mlp.mistake(
    "You silence hidden units by the sign of what comes back. Who decides: dh, or the scores?"
)
def silenced_by_what_comes_back(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = np.maximum(dy @ params["2.weight"], 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake(
    "Your biases move too little by one factor. Does the mean over the batch come in twice?"
)
def mean_of_the_biases(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.mean(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.mean(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake(
    "The gradient of the output weight takes what went *into* that layer. Were those the scores, "
    "or what ReLU made of them?"
)
def scores_for_hidden(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ z, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake(
    "Those are misses squared. The loss of a classifier is minus the logarithm of what?",
    loses=("losses",),
)
def squared_error_recorded(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        losses[-1] = np.mean((p - np.eye(p.shape[1])[labels]) ** 2)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)


@train_mlp.mistake("One loss, the last. There should be one before each step.", loses=("losses",))
def last_loss_alone(x, labels, params, lr, steps):
    params, losses = dict(params), []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        e = h @ params["2.weight"].T + params["2.bias"]
        e = np.exp(e - e.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(x)), labels]).mean())
        dy = (p - np.eye(p.shape[1])[labels]) / len(x)
        dz = (dy @ params["2.weight"]) * (z > 0)
        grads = {"0.weight": dz.T @ x, "0.bias": dz.sum(axis=0)}
        grads |= {"2.weight": dy.T @ h, "2.bias": dy.sum(axis=0)}
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, losses[-1] if losses else 0.0


# tied_backward ----------------------------------------------------------------

tied_backward = Exercise(
    "tied_backward",
    "One weight, used twice",
    parts={"dx": 1, "dweight": 3},
    minutes=15,
    difficulty=3,
    outcomes=(CHAIN,),
    kind="derive",
    forbids=FORBIDS,
)


@tied_backward.cases
def _(rng):
    def case(n, d, k):
        return rng.normal(size=(n, d)), rng.normal(size=(n, d)), rng.normal(size=(k, d)) / d**0.5

    yield Case(case(4, 3, 2), "four samples, three inputs, two hidden units")
    yield Case(case(1, 3, 2), "one sample")
    yield Case(case(3, 3, 3), "all sizes equal: a transpose hides here")
    yield Case(case(1, 1, 1), "one of everything")
    yield Case(case(4, 2, 5), "more hidden units than inputs")
    dr, x, _ = case(3, 2, 4)
    yield Case((dr, x, np.zeros((4, 2))), "weights of zero")
    while True:
        yield case(*rng.integers(1, 7, size=3))


@tied_backward.answer
def _(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, dz.T @ x + h.T @ dr


@tied_backward.alternative
def two_weights_then_added(dr, x, weight):
    encoder, decoder = weight, weight
    z = np.einsum("kd,nd->nk", encoder, x)
    dz = np.einsum("kd,nd->nk", decoder, dr) / np.cosh(z) ** 2
    dencoder = np.einsum("nk,nd->kd", dz, x)
    ddecoder = np.einsum("nk,nd->kd", np.tanh(z), dr)
    return np.einsum("nk,kd->nd", dz, encoder), dencoder + ddecoder


@tied_backward.alternative
def row_by_row(dr, x, weight):
    dx, dweight = np.empty(x.shape), np.zeros(weight.shape)
    for n in range(len(x)):
        h = np.tanh(weight @ x[n])
        dweight += np.outer(h, dr[n])
        dz = (weight @ dr[n]) * (1 - h * h)
        dweight += np.outer(dz, x[n])
        dx[n] = weight.T @ dz
    return dx, dweight


@tied_backward.mistake(
    "You follow the weight where it reads x. It is used a second time: where?", loses=("dweight",)
)
def encoder_only(dr, x, weight):
    dz = (dr @ weight.T) * (1 - np.tanh(x @ weight.T) ** 2)
    return dz @ weight, dz.T @ x


@tied_backward.mistake(
    "You follow the weight where it writes r. It is used before that, too: where?",
    loses=("dweight",),
)
def decoder_only(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, h.T @ dr


@tied_backward.mistake(
    "Both uses are there, each by half. If the weight moves by 1, by how much does each use move?",
    loses=("dweight",),
)
def mean_of_both(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, (dz.T @ x + h.T @ dr) / 2


@tied_backward.mistake(
    "Two arrays for one weight. What does one weight with two uses have?", loses=("dweight",)
)
def one_for_each_use(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, np.array([dz.T @ x, h.T @ dr])


@tied_backward.mistake(
    "One use minus the other: the two directions of the layer are no two signs.",
    loses=("dweight",),
)
def one_minus_the_other(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, dz.T @ x - h.T @ dr


@tied_backward.mistake(
    "Where the weight writes r, what does it multiply: the score, or what tanh makes of it?",
    loses=("dweight",),
)
def score_for_hidden(dr, x, weight):
    z = x @ weight.T
    dz = (dr @ weight.T) * (1 - np.tanh(z) ** 2)
    return dz @ weight, dz.T @ x + z.T @ dr


@tied_backward.mistake("Your gradient comes through tanh as if it weren't there.")
def tanh_forgotten(dr, x, weight):
    h, dz = np.tanh(x @ weight.T), dr @ weight.T
    return dz @ weight, dz.T @ x + h.T @ dr


@tied_backward.mistake("tanh's slope is written with what tanh hands on. What do you square?")
def slope_in_the_score(dr, x, weight):
    z = x @ weight.T
    dz = (dr @ weight.T) * (1 - z**2)
    return dz @ weight, dz.T @ x + np.tanh(z).T @ dr


@tied_backward.mistake(
    "That is the slope of a sigmoid. Which one does tanh have, in terms of what it hands on?"
)
def slope_of_a_sigmoid(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * h * (1 - h)
    return dz @ weight, dz.T @ x + h.T @ dr


@tied_backward.mistake(
    "The second use has its axes swapped. Which shape has the weight, (hidden, inputs) or the "
    "other way round?"
)
def second_use_transposed(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, dz.T @ x + dr.T @ h


@tied_backward.mistake(
    "You subtract dr, as if the loss compared r with x. That is the loss's own affair: `dr` is "
    "given.",
    loses=("dx",),
)
def x_also_a_target(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight - dr, dz.T @ x + h.T @ dr


@tied_backward.mistake("You stop at the score. One more step back leads to x.", loses=("dx",))
def dz_for_dx(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz, dz.T @ x + h.T @ dr


@tied_backward.mistake("Too small by one factor. The loss's mean is in dr already.")
def divided_by_the_batch(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight / len(x), (dz.T @ x + h.T @ dr) / len(x)


@tied_backward.mistake(
    "r doesn't read x but through h. Where does your second share of dx come from?", loses=("dx",)
)
def straight_path_invented(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight + dr, dz.T @ x + h.T @ dr


@tied_backward.mistake(
    "Along a way slopes are multiplied. What happens where two ways meet?", loses=("dweight",)
)
def uses_multiplied(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, (dz.T @ x) * (h.T @ dr)


@tied_backward.mistake(
    "You count one use twice. The two uses give different gradients.", loses=("dweight",)
)
def one_use_counted_twice(dr, x, weight):
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, 2 * dz.T @ x


# difference_forecast ----------------------------------------------------------

difference_forecast = Exercise(
    "difference_forecast",
    "Predict: what differences say",
    parts={"kink": 1, "beside": 1, "runs": 1, "one_sided": 1},
    minutes=8,
    difficulty=2,
    outcomes=(CHECK,),
    kind="predict",
    of="value",
)


@difference_forecast.answer
def _():
    return {"kink": 0.5, "beside": 0.2, "runs": 486, "one_sided": 10}


@difference_forecast.alternative
def letting_the_machine_say():
    def central(f, at, h):
        return (f(at + h) - f(at - h)) / (2 * h)

    def relu(z):
        return max(z, 0.0)

    entries = sum(k * d + k for d, k in [(20, 10), (10, 3)])
    gaps = [(np.exp(h) - 1) / h - 1 for h in (1e-2, 1e-3)]
    factor = round(gaps[0] / gaps[1])
    found = [central(relu, 0.0, 0.1), central(relu, -0.06, 0.1), 2 * entries, factor]
    return dict(zip(["kink", "beside", "runs", "one_sided"], found, strict=True))


@difference_forecast.alternative
def as_fractions():
    return {"runs": 2 * 243.0, "one_sided": 10.0, "kink": 1 / 2, "beside": 0.04 / 0.2}


@difference_forecast.mistake(
    "0 is what `backward` answers at the kink, by convention. What are the two values, and how far "
    "apart do they lie?",
    loses=("kink",),
)
def the_convention():
    return {"kink": 0, "beside": 0.2, "runs": 486, "one_sided": 10}


@difference_forecast.mistake(
    "That is the slope on the right. Where do the two values come from?", loses=("kink",)
)
def the_slope_on_the_right():
    return {"kink": 1, "beside": 0.2, "runs": 486, "one_sided": 10}


@difference_forecast.mistake(
    "At -0.06 itself the slope is 0, and so says `backward`. But do both values lie on that side?",
    loses=("beside",),
)
def on_one_side():
    return {"kink": 0.5, "beside": 0, "runs": 486, "one_sided": 10}


@difference_forecast.mistake(
    "Beside the kink the step reaches over it by less than at it. How high is ReLU at the upper "
    "end?",
    loses=("beside",),
)
def as_at_the_kink():
    return {"kink": 0.5, "beside": 0.5, "runs": 486, "one_sided": 10}


@difference_forecast.mistake(
    "The upper value is right. You divide by h, and the two places lie further apart.",
    loses=("beside",),
)
def divided_by_h():
    return {"kink": 0.5, "beside": 0.4, "runs": 486, "one_sided": 10}


@difference_forecast.mistake("How many values does one central difference need?", loses=("runs",))
def one_run_each():
    return {"kink": 0.5, "beside": 0.2, "runs": 243, "one_sided": 10}


@difference_forecast.mistake("Weights aren't all that learns in this network.", loses=("runs",))
def biases_not_counted():
    return {"kink": 0.5, "beside": 0.2, "runs": 460, "one_sided": 10}


@difference_forecast.mistake(
    "Sharing one run at the place itself is clever, and what one-sided differences do. Which "
    "differences does the question ask for?",
    loses=("runs",),
)
def one_sided_runs():
    return {"kink": 0.5, "beside": 0.2, "runs": 244, "one_sided": 10}


@difference_forecast.mistake(
    "By 100 falls the error of central differences, where the terms with h cancel. Do they, on one "
    "side?",
    loses=("one_sided",),
)
def as_central():
    return {"kink": 0.5, "beside": 0.2, "runs": 486, "one_sided": 100}


@difference_forecast.mistake(
    "You give the factor by which the step shrinks. By what is the error divided: a number larger "
    "than 1?",
    loses=("one_sided",),
)
def the_inverse():
    return {"kink": 0.5, "beside": 0.2, "runs": 486, "one_sided": 0.1}


# it_trains --------------------------------------------------------------------

it_trains = Question(
    "it_trains",
    "It trains, so it's right?",
    points=4,
    minutes=10,
    outcomes=(CHECK, CHAIN),
    rubric="""\
- 1 point: why a falling loss is no proof: a wrong gradient may still point downhill, or part of the
  network learns rightly and makes up for the rest.
- 1 point: a way in which the answer would show at all: worse than the same network with right
  gradients, no better than a simpler baseline.
- 1 point: a check that would find it, done rightly: differences for each array of parameters, in
  float64, with a relative error and a step that is neither too long nor too short; or another
  independent implementation.
- 1 point: one limit of that check: kinks, a step that swallows the digits, arrays of zeros, a layer
  whose `dx` wasn't checked, or a forward that is itself wrong, to which backward fits perfectly.
- No point for "more data", "more epochs" or a test accuracy alone.""",
    exemplars={
        "full": """\
A wrong gradient need only point roughly downhill for the loss to fall, and the output layer can
learn well on hidden features that are hardly trained. So 91 % says little; a linear classifier may
get as far, and right gradients further. I would compare each array's gradient with central
differences in float64, step about 1e-5, and look at the relative error: below 1e-7 is right, 1e-2
is a fault. The check too can mislead: a score within the step of ReLU's kink gives a difference
where nothing is wrong, and it proves only that backward fits forward, not that forward is what I
wanted.""",
        "partial": """\
The loss can fall though the gradient is wrong, as long as it points downhill. I would compare it
with numerical differences.""",
        "typical": """\
If the gradient were wrong the loss couldn't fall, so it must be right. To be sure I would train it
longer and look at the test accuracy.""",
    },
)
