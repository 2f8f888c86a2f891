"""The exercises of ``depth``: first values, normalisation forward and backward, a way round layers.

Conventions: a batch ``x`` is (samples, features); a layer's weight is (outputs, inputs), its scores
``x @ weight.T + bias``. Normalising divides by ``sqrt(variance + eps)``, with the biased variance
(divided by the number of values); running statistics move by ``momentum`` towards the batch's, as
in torch, and take its unbiased variance.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

INITIALISE, NORMALISE, RESIDUAL = "depth-initialise", "depth-normalise", "depth-residual"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# he_init ------------------------------------------------------------------------

he_init = Exercise(
    "he_init",
    "Weights for fifty layers",
    parts={"weight": 3, "random": 1},
    minutes=10,
    difficulty=1,
    outcomes=(INITIALISE,),
    forbids=FORBIDS,
    n=8,
)

# Six standard errors give one test a false alarm of 2e-9. A check makes up to 48 of them, and the
# square of a normal number has a longer tail than the normal law: with seven it stays below 1e-9.
SIGMAS = 7


@he_init.cases
def _(rng):
    # ratios of powers of two: each known mistake is off by a factor in the middle of a step
    sizes = [(400, 50), (50, 400), (150, 150), (800, 25), (25, 800)]
    while True:
        for fan_in, fan_out in sizes:
            note = f"from {fan_in} inputs to {fan_out} units"
            yield Case((fan_in, fan_out, int(rng.integers(1, 2**31))), note)


@he_init.observe
def _(candidate, fan_in, fan_out, seed):
    rng = np.random.default_rng(seed)
    first, second = candidate(fan_in, fan_out, rng), candidate(fan_in, fan_out, rng)
    again = candidate(fan_in, fan_out, np.random.default_rng(seed))
    return {"weight": first, "random": [first, second, again]}


@he_init.judge
def _(case, parts):
    fan_in, fan_out, _ = case
    weight, (first, second, again) = parts["weight"], parts["random"]
    wrong = {}
    if not np.array_equal(first, again):
        wrong["random"] = "two generators of the same seed gave different weights."
    elif np.array_equal(first, second):
        wrong["random"] = "two calls with the same generator gave the same weights."
    if fault := _fault_of_he(weight, fan_in, fan_out):
        wrong["weight"] = fault
    return wrong


def _fault_of_he(weight, fan_in, fan_out):
    """What is wrong with weights that should be normal with variance 2 / fan_in, or nothing."""
    if weight.shape != (fan_out, fan_in):
        return "`weight` should have shape (fan_out, fan_in)."
    if weight.dtype != np.float64:
        return f"`weight` should be float64, not {weight.dtype}."
    if not np.isfinite(weight).all():
        return "some weights are NaN or infinite."
    if (weight == weight[0]).all():
        return "all units have the same weights."
    if len(np.unique(weight, axis=0)) < fan_out:
        return "some units have the same weights."
    if (weight == weight[:, :1]).all():
        return "all weights of a unit are the same number."
    std, n = np.sqrt(2 / fan_in), weight.size
    if abs(weight.mean()) > SIGMAS * max(std, weight.std()) / np.sqrt(n):
        return "the weights should have mean 0."
    if abs(weight.var() / std**2 - 1) > SIGMAS * np.sqrt(2 / n):
        steps = round(4 * np.log2(max(weight.std(), 1e-9) / std))  # four double it
        side = "wide" if weight.std() > std else "narrow"
        if not steps:
            return f"the weights are a little too {side}."
        if steps < -10:
            return "the weights are far too narrow."
        return f"the weights are too {side}, their deviation by a factor of {2 ** (steps / 4):.2g}."
    beyond = np.mean(np.abs(weight) > np.sqrt(3) * std)  # 0.0833 of a normal law, none of a uniform
    if abs(beyond - 0.08326) > SIGMAS * np.sqrt(0.08326 * 0.91674 / n):
        return "the weights aren't normally distributed."
    kurtosis = np.mean(weight**4) / np.mean(weight**2) ** 2  # 3 of a normal law
    if abs(kurtosis - 3) > SIGMAS * np.sqrt(24 / n) + 0.2:  # and room for its own skew
        return f"weights far from 0 are too {'frequent' if kurtosis > 3 else 'rare'}."
    if len(np.unique(np.abs(weight))) < 0.99 * n:
        return "some weights are copies of others."
    return None


@he_init.answer
def _(fan_in, fan_out, rng):
    return rng.normal(0, np.sqrt(2 / fan_in), size=(fan_out, fan_in))


@he_init.alternative
def scaled_afterwards(fan_in, fan_out, rng):
    return rng.standard_normal((fan_out, fan_in)) * (2 / fan_in) ** 0.5


@he_init.alternative
def unit_after_unit(fan_in, fan_out, rng):
    weight = np.empty((fan_out, fan_in))
    for row in weight:
        row[:] = rng.normal(size=fan_in) / np.sqrt(fan_in / 2)
    return weight


@he_init.alternative
def transposed_at_the_end(fan_in, fan_out, rng):
    return rng.normal(scale=np.sqrt(2.0 / fan_in), size=(fan_in, fan_out)).T


@he_init.mistake(
    "Your normal law has its tails cut off, as TensorFlow's he_normal has. The statement asks for "
    "the whole of it.",
    loses=("weight",),
)
def tails_cut_off(fan_in, fan_out, rng):
    weight = rng.normal(size=(fan_out, fan_in))
    while (outside := np.abs(weight) > 2).any():
        weight[outside] = rng.normal(size=outside.sum())
    return weight / 0.8796 * np.sqrt(2 / fan_in)  # the deviation that is left


@he_init.mistake(
    "Some of your weights are others of your weights again. How many numbers does a matrix of this "
    "shape need from `rng`?",
    loses=("weight",),
)
def every_column_twice(fan_in, fan_out, rng):
    half = rng.normal(0, np.sqrt(2 / fan_in), size=(fan_out, (fan_in + 1) // 2))
    return np.repeat(half, 2, axis=1)[:, :fan_in]


@he_init.mistake(
    "NumPy's normal law takes a deviation, and 2 / fan_in is a variance. How does one become the "
    "other?",
    loses=("weight",),
)
def variance_as_deviation(fan_in, fan_out, rng):
    return rng.normal(0, 2 / fan_in, size=(fan_out, fan_in))


@he_init.mistake(
    "You divide by the number of units that read. A unit's score is a sum: over how many terms?",
    loses=("weight",),
)
def fan_out(fan_in, fan_out, rng):
    return rng.normal(0, np.sqrt(2 / fan_out), size=(fan_out, fan_in))


@he_init.mistake(
    "That is 1 / fan_in, LeCun's choice, which suits a unit that passes on all it gets. What does "
    "ReLU do to half of the scores?",
    loses=("weight",),
)
def no_factor_for_relu(fan_in, fan_out, rng):
    return rng.normal(0, np.sqrt(1 / fan_in), size=(fan_out, fan_in))


@he_init.mistake(
    "That is 2 / (fan_in + fan_out), Glorot's, also called Xavier: a compromise between the way "
    "forward and the way back, for activations that are straight near 0. He's looks at one fan.",
    loses=("weight",),
)
def glorot(fan_in, fan_out, rng):
    return rng.normal(0, np.sqrt(2 / (fan_in + fan_out)), size=(fan_out, fan_in))


@he_init.mistake(
    "The variance is right, but the law isn't. If you drew evenly between two bounds, that is the "
    "uniform form, kaiming_uniform; the statement asks for the normal one.",
    loses=("weight",),
)
def uniform_of_the_right_width(fan_in, fan_out, rng):
    bound = np.sqrt(6 / fan_in)
    return rng.uniform(-bound, bound, size=(fan_out, fan_in))


@he_init.mistake(
    "You took the deviation for the bound of a uniform law. What is the deviation of numbers drawn "
    "evenly from -b to b? And which law does the statement name?",
    loses=("weight",),
)
def deviation_as_bound(fan_in, fan_out, rng):
    bound = np.sqrt(2 / fan_in)
    return rng.uniform(-bound, bound, size=(fan_out, fan_in))


@he_init.mistake(
    "Uniform between ±1 / √fan_in is what torch.nn.Linear starts with. Its variance is a sixth of "
    "what is asked for: work it out.",
    loses=("weight",),
)
def as_torchs_linear(fan_in, fan_out, rng):
    bound = 1 / np.sqrt(fan_in)
    return rng.uniform(-bound, bound, size=(fan_out, fan_in))


@he_init.mistake(
    "Both numbers of the fraction stand under the root. Yours is a deviation of 2 / √fan_in.",
    loses=("weight",),
)
def root_of_one_half(fan_in, fan_out, rng):
    return rng.normal(0, 2 / np.sqrt(fan_in), size=(fan_out, fan_in))


@he_init.mistake(
    "A fixed deviation can't suit 25 inputs and 800 alike. On what should it depend?",
    loses=("weight",),
)
def always_a_hundredth(fan_in, fan_out, rng):
    return rng.normal(0, 0.01, size=(fan_out, fan_in))


@he_init.mistake(
    "The weights have deviation 1: nothing is scaled yet. What would a sum of 400 such terms be?",
    loses=("weight",),
)
def not_scaled(fan_in, fan_out, rng):
    return rng.standard_normal((fan_out, fan_in))


@he_init.mistake(
    "A unit's weights are a row. Which of the two sizes is the number of rows?", loses=("weight",)
)
def inputs_as_rows(fan_in, fan_out, rng):
    return rng.normal(0, np.sqrt(2 / fan_in), size=(fan_in, fan_out))


@he_init.mistake(
    "One row was drawn and given to every unit. What do units with equal weights learn?",
    loses=("weight",),
)
def one_row_for_all(fan_in, fan_out, rng):
    return np.tile(rng.normal(0, np.sqrt(2 / fan_in), size=fan_in), (fan_out, 1))


@he_init.mistake(
    "Some of your units are twins. Equal units get equal gradients: what do they learn?",
    loses=("weight",),
)
def every_row_twice(fan_in, fan_out, rng):
    half = rng.normal(0, np.sqrt(2 / fan_in), size=((fan_out + 1) // 2, fan_in))
    return np.repeat(half, 2, axis=0)[:fan_out]


@he_init.mistake("You draw in float64, and hand on float32.", loses=("weight",))
def single_precision(fan_in, fan_out, rng):
    return rng.normal(0, np.sqrt(2 / fan_in), size=(fan_out, fan_in)).astype(np.float32)


@he_init.mistake(
    "All of your weights are positive, or most. With which mean do the scores come out?",
    loses=("weight",),
)
def from_zero_to_one(fan_in, fan_out, rng):
    return rng.random((fan_out, fan_in)) * np.sqrt(2 / fan_in)


@he_init.mistake(
    "You draw from NumPy's global generator. Whoever hands you `rng` wants to be able to repeat "
    "the run.",
    loses=("random",),
)
def global_generator(fan_in, fan_out, rng):
    return np.random.standard_normal((fan_out, fan_in)) * np.sqrt(2 / fan_in)


@he_init.mistake(
    "Every call begins anew, with a generator of your own or with a copy: then all layers of a "
    "network get the same numbers. The one that you are handed moves on as you draw.",
    loses=("random",),
)
def generator_of_its_own(fan_in, fan_out, rng):
    return np.random.default_rng(0).normal(0, np.sqrt(2 / fan_in), size=(fan_out, fan_in))


# batchnorm_forward --------------------------------------------------------------

batchnorm_forward = Exercise(
    "batchnorm_forward",
    "Batch normalisation, forward",
    parts={"y": 2, "running_mean": 1, "running_var": 1, "evaluation": 1, "batch_of_one": 1},
    minutes=20,
    difficulty=2,
    outcomes=(NORMALISE,),
    forbids=FORBIDS,
)


def _batch(rng, n, d, training, momentum=0.1, eps=1e-5):
    """Arguments of batchnorm_forward, far from mean 0 and variance 1 everywhere."""
    x = rng.normal(rng.normal(scale=3, size=d), rng.uniform(0.5, 3, size=d), size=(n, d))
    weight, bias = rng.normal(size=d) + 2, rng.normal(size=d)
    mean, var = rng.normal(size=d), rng.uniform(0.5, 2, size=d)
    return x, weight, bias, mean, var, training, momentum, eps


@batchnorm_forward.cases
def _(rng):
    train, use = ("y", "running_mean", "running_var"), ("evaluation",)
    yield Case(_batch(rng, 5, 3, True), "training", train)
    yield Case(_batch(rng, 3, 3, True, 0.3, 0.1), "as many samples as features", train)
    yield Case(_batch(rng, 2, 4, True, 0.9, 0.01), "two samples", train)
    yield Case(_batch(rng, 4, 1, True, 0.25, 1.0), "one feature", train)
    flat = _batch(rng, 4, 3, True, 0.4, 0.1)  # eps is all that is left
    flat[0][:, 1] = 0.5
    yield Case(flat, "a feature that is the same in the whole batch", train)
    yield Case(_batch(rng, 5, 3, False, 0.2, 0.1), "evaluation", use)
    still = _batch(rng, 3, 2, False, 0.1, 1e-6)
    still[4][0] = 1e-6
    yield Case(still, "evaluation, of a feature that hardly varied", use)
    yield Case(_batch(rng, 2, 4, False, 0.5, 1.0), "evaluation of two samples", use)
    yield Case(_batch(rng, 1, 3, True), "training on one sample", ("batch_of_one",))
    yield Case(_batch(rng, 1, 3, False, 0.1, 0.1), "evaluation of one sample", ("batch_of_one",))
    while True:
        n, d = (int(v) for v in rng.integers(2, 7, size=2))
        momentum, eps = rng.uniform(0.05, 0.95), 10 ** rng.uniform(-3, 0)
        training = bool(rng.random() < 0.6)
        yield Case(_batch(rng, n, d, training, momentum, eps), "", train if training else use)


@batchnorm_forward.observe
def _(candidate, x, weight, bias, running_mean, running_var, training, momentum, eps):
    out = candidate(x, weight, bias, running_mean, running_var, training, momentum, eps)
    if not isinstance(out, (tuple, list)) or len(out) != 3:
        raise TypeError("it should return three values: y, running_mean, running_var")
    y, mean, var = out
    return {
        "y": y,
        "running_mean": mean,
        "running_var": var,
        "evaluation": [y, mean, var],
        "batch_of_one": list(np.shape(y)),
    }


@batchnorm_forward.answer
def _(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    n = len(x)
    if n < 2:
        raise ValueError("a single sample has no variance")
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    return y, running_mean, running_var


@batchnorm_forward.alternative
def squares_by_hand(x, weight, bias, running_mean, running_var, training, momentum, eps):
    mean, var = running_mean, running_var
    if training:
        if len(x) == 1:
            raise ValueError("one sample")
        mean = x.sum(axis=0) / len(x)
        squares = ((x - mean) ** 2).sum(axis=0)
        var = squares / len(x)
        running_mean = running_mean + momentum * (mean - running_mean)
        running_var = running_var + momentum * (squares / (len(x) - 1) - running_var)
    scale = weight / (var + eps) ** 0.5
    return scale * x + (bias - scale * mean), running_mean, running_var


@batchnorm_forward.alternative
def feature_after_feature(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and x.shape[0] < 2:
        raise ValueError(f"{x.shape[0]} sample")
    y, means, variances = np.empty_like(x), running_mean.copy(), running_var.copy()
    for j in range(x.shape[1]):
        mean, var = means[j], variances[j]
        if training:
            mean, var = np.mean(x[:, j]), np.var(x[:, j])
            means[j] = means[j] * (1 - momentum) + mean * momentum
            variances[j] = variances[j] * (1 - momentum) + np.var(x[:, j], ddof=1) * momentum
        y[:, j] = (x[:, j] - mean) / np.sqrt(var + eps) * weight[j] + bias[j]
    return y, means, variances


@batchnorm_forward.mistake(
    "You divide by N - 1 where the batch is normalised. Two variances occur in the statement: "
    "which is for what?",
    loses=("y",),
)
def unbiased_for_normalising(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * mean
    return y, running_mean, (1 - momentum) * running_var + momentum * var


@batchnorm_forward.mistake(
    "Your running variance takes the batch's variance divided by N. That is too small on average: "
    "what does torch divide by here?",
    loses=("running_var",),
)
def biased_for_running(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * mean
    return y, running_mean, (1 - momentum) * running_var + momentum * var


@batchnorm_forward.mistake(
    "The two variances are the wrong way round: one of them describes this batch, the other "
    "estimates that of all data.",
    loses=("y", "running_var"),
)
def variances_swapped(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean = x.mean(axis=0)
    y = weight * (x - mean) / np.sqrt(x.var(axis=0, ddof=1) + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * mean
    return y, running_mean, (1 - momentum) * running_var + momentum * x.var(axis=0)


@batchnorm_forward.mistake(
    "Here momentum is the share of the new batch, as in torch. In Keras, and in optimisers, it is "
    "the share of the old.",
    loses=("running_mean", "running_var"),
)
def momentum_of_keras(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = momentum * running_mean + (1 - momentum) * mean
    return y, running_mean, momentum * running_var + (1 - momentum) * x.var(axis=0, ddof=1)


@batchnorm_forward.mistake(
    "`momentum` is an argument. Yours seems always to be 0.1.",
    loses=("running_mean", "running_var"),
)
def always_a_tenth(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    return (
        y,
        0.9 * running_mean + 0.1 * mean,
        0.9 * running_var + 0.1 * x.var(axis=0, ddof=1),
    )


@batchnorm_forward.mistake(
    "The running statistics leave nothing of what they were. How much of the old should stay?",
    loses=("running_mean", "running_var"),
)
def last_batch_kept(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    return y, mean, x.var(axis=0, ddof=1)


@batchnorm_forward.mistake(
    "In training your running statistics come back as they went in. When else should they learn?",
    loses=("running_mean", "running_var"),
)
def never_updated(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias, running_mean, running_var


@batchnorm_forward.mistake(
    "You keep a running deviation. The square root comes when it is used.",
    loses=("running_var",),
)
def running_deviation(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * mean
    return y, running_mean, (1 - momentum) * running_var + momentum * x.std(axis=0, ddof=1)


@batchnorm_forward.mistake(
    "In training each batch is normalised by its own statistics; yours is by the running ones. "
    "What are they for?",
    loses=("y",),
)
def running_in_training(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training:
        if len(x) < 2:
            raise ValueError
        running_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=0)
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "In evaluation you still use the batch's own mean and variance. Should the answer for one "
    "patient depend on who else is in the batch?",
    loses=("evaluation",),
)
def batch_in_evaluation(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "Evaluation must leave no trace, and yours moves the running statistics.",
    loses=("evaluation",),
)
def learns_in_evaluation(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=0)
    unbiased = x.var(axis=0) * len(x) / max(len(x) - 1, 1)
    return y, running_mean, (1 - momentum) * running_var + momentum * unbiased


@batchnorm_forward.mistake(
    "Your eps stands beside the root. The statement has it under the root, as torch does.",
    loses=("y", "evaluation"),
)
def eps_outside(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / (np.sqrt(var) + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "Where is eps? What would a feature do that is the same in the whole batch?",
    loses=("y", "evaluation"),
)
def no_eps(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    with np.errstate(all="ignore"):
        y = weight * (x - mean) / np.sqrt(var) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "`eps` is an argument. Yours seems always to be 1e-5.",
    loses=("y", "evaluation"),
)
def eps_of_its_own(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + 1e-5) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "You divide by the variance. In which unit is x - mean, and in which is its square?",
    loses=("y", "evaluation"),
)
def divided_by_variance(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / (var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "The network should be able to undo the normalisation: where are weight and bias?",
    loses=("y", "evaluation"),
)
def not_rescaled(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = (x - mean) / np.sqrt(var + eps)
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "One mean for all features together. Each feature should have its own.",
    loses=("y", "running_mean", "running_var"),
)
def over_everything(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    y = weight * (x - x.mean()) / np.sqrt(x.var() + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * x.mean()
    return y, running_mean, (1 - momentum) * running_var + momentum * x.var(ddof=1)


@batchnorm_forward.mistake(
    "You normalise each sample over its features: that is layer normalisation. Over what does a "
    "batch norm take its mean?",
    loses=("y",),
)
def over_the_features(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if not training:
        y = weight * (x - running_mean) / np.sqrt(running_var + eps) + bias
        return y, running_mean, running_var
    if len(x) < 2:
        raise ValueError
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=0)
    return y, running_mean, (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)


@batchnorm_forward.mistake(
    "`+=` and `*=` write into the arrays of whoever called you. Return new ones.",
    loses=("y", "running_mean", "running_var"),
)
def in_place(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean *= 1 - momentum
        running_mean += momentum * mean
        running_var *= 1 - momentum
        running_var += momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "A batch of one has a variance of 0 divided by 0, and yours passes it on. What does the "
    "statement want instead?",
    loses=("batch_of_one",),
)
def one_sample_goes_through(x, weight, bias, running_mean, running_var, training, momentum, eps):
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        unbiased = var * len(x) / max(len(x) - 1, 1)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * unbiased
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "One sample ends in a division by zero. Raise a ValueError before it comes to that.",
    loses=("batch_of_one",),
)
def one_sample_divides_by_zero(x, weight, bias, running_mean, running_var, training, momentum, eps):
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * (len(x) / (len(x) - 1))
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "You refuse a single sample in evaluation too. There its own statistics aren't needed.",
    loses=("batch_of_one",),
)
def one_sample_never(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(axis=0, ddof=1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "Which of the two multiplies, and which is added?",
    loses=("y", "evaluation"),
)
def weight_and_bias_swapped(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = bias * (x - mean) / np.sqrt(var + eps) + weight
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * len(x) / (len(x) - 1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "Your variance is the mean of the squares of x. Of the squares of what should it be?",
    loses=("y", "running_var"),
)
def mean_square_for_variance(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), (x**2).mean(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * len(x) / (len(x) - 1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "eps keeps the root from 0. It is no part of the variance that is remembered.",
    loses=("running_var",),
)
def eps_in_the_running_variance(
    x, weight, bias, running_mean, running_var, training, momentum, eps
):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * (var + eps) * len(x) / (len(x) - 1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "What the new batch adds, the old statistics must give up: else they grow for ever.",
    loses=("running_mean", "running_var"),
)
def old_not_shrunk(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = running_mean + momentum * mean
        running_var = running_var + momentum * var * len(x) / (len(x) - 1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "Of N and N - 1, which belongs above the line? Is the unbiased variance larger or smaller?",
    loses=("running_var",),
)
def unbiased_upside_down(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise ValueError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * (len(x) - 1) / len(x)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "You refuse a batch of one, but not with a ValueError.",
    loses=("batch_of_one",),
)
def another_exception(x, weight, bias, running_mean, running_var, training, momentum, eps):
    if training and len(x) < 2:
        raise RuntimeError
    mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (running_mean, running_var)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    if training:
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * len(x) / (len(x) - 1)
    return y, running_mean, running_var


@batchnorm_forward.mistake(
    "`training` makes no difference to yours. What should be otherwise in evaluation?",
    loses=("evaluation", "batch_of_one"),
)
def training_ignored(x, weight, bias, running_mean, running_var, training, momentum, eps):
    n = len(x)
    if n < 2:
        raise ValueError
    mean, var = x.mean(axis=0), x.var(axis=0)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    running_mean = (1 - momentum) * running_mean + momentum * mean
    return y, running_mean, (1 - momentum) * running_var + momentum * var * n / (n - 1)


# batchnorm_backward -------------------------------------------------------------

batchnorm_backward = Exercise(
    "batchnorm_backward",
    "Batch normalisation, backward",
    parts={"dx": 3, "dweight": 1, "dbias": 1},
    minutes=20,
    difficulty=3,
    outcomes=(NORMALISE,),
    forbids=FORBIDS,
)


@batchnorm_backward.cases
def _(rng):
    def of(n, d, eps):
        x = rng.normal(rng.normal(size=d), rng.uniform(0.5, 3, size=d), size=(n, d))
        return rng.normal(size=(n, d)) + 0.5, x, rng.normal(size=d) + 2, eps

    yield Case(of(5, 3, 1e-5), "")
    yield Case(of(4, 4, 0.1), "as many samples as features")
    yield Case(of(2, 3, 0.5), "two samples")
    yield Case(of(6, 1, 0.1), "one feature")
    flat = of(4, 3, 0.1)
    flat[1][:, 1] = 0.5
    yield Case(flat, "a feature that is the same in the whole batch")
    while True:
        n, d = (int(v) for v in rng.integers(3, 8, size=2))
        yield of(n, d, 10 ** rng.uniform(-3, 0))


@batchnorm_backward.answer
def _(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.alternative
def step_by_step(dy, x, weight, eps):
    n = len(x)
    centred = x - x.mean(axis=0)
    std = np.sqrt((centred**2).mean(axis=0) + eps)
    dx_hat = dy * weight
    dstd = -(dx_hat * centred).sum(axis=0) / std**2
    dvar = dstd / (2 * std)
    dcentred = dx_hat / std + dvar * 2 * centred / n
    dx = dcentred - dcentred.sum(axis=0) / n
    return dx, (dy * centred / std).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.alternative
def by_the_jacobian(dy, x, weight, eps):
    n, d = x.shape
    dx, dweight = np.empty_like(x), np.empty(d)
    for j in range(d):
        std = np.sqrt(np.var(x[:, j]) + eps)
        x_hat = (x[:, j] - np.mean(x[:, j])) / std
        jacobian = (np.eye(n) - 1 / n - np.outer(x_hat, x_hat) / n) / std
        dx[:, j] = weight[j] * (jacobian @ dy[:, j])
        dweight[j] = dy[:, j] @ x_hat
    return dx, dweight, np.einsum("nd->d", dy)


@batchnorm_backward.mistake(
    "Mean and variance are treated as constants. But if you move one x, they move too, and with "
    "them every other sample's result.",
    loses=("dx",),
)
def statistics_as_constants(dy, x, weight, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    return dy * weight / std, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Your dx knows that the mean moves, but not that the variance does.", loses=("dx",)
)
def variance_as_constant(dy, x, weight, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    g = dy * weight
    return (g - g.mean(axis=0)) / std, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Your dx knows that the variance moves, but not that the mean does. Its sum over the batch "
    "should be 0: if all x grow alike, what happens to y?",
    loses=("dx",),
)
def mean_as_constant(dy, x, weight, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    g = dy * weight
    dx = (g - x_hat * (g * x_hat).mean(axis=0)) / std
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "There are sums in your dx where the statement's mean has a 1/N. Which derivative brings it?",
    loses=("dx",),
)
def sums_for_means(dy, x, weight, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    g = dy * weight
    dx = (g - g.sum(axis=0) - x_hat * (g * x_hat).sum(axis=0)) / std
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "On its way back dy passes the weight first. Where is it in your dx?", loses=("dx",)
)
def without_the_weight(dy, x, weight, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    dx = (dy - dy.mean(axis=0) - x_hat * (dy * x_hat).mean(axis=0)) / std
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "The last step is missing: what was divided by the deviation on the way forward is divided by "
    "it again on the way back.",
    loses=("dx",),
)
def not_divided(dy, x, weight, eps):
    x_hat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
    g = dy * weight
    dx = g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "The part of the variance is added in your dx. If an x far from the mean grows, do the others' "
    "results grow or shrink?",
    loses=("dx",),
)
def variance_with_the_wrong_sign(dy, x, weight, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    g = dy * weight
    dx = (g - g.mean(axis=0) + x_hat * (g * x_hat).mean(axis=0)) / std
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "The weight is multiplied with what came out of normalising. You took x as it came in.",
    loses=("dweight",),
)
def dweight_with_x(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Means, where weight and bias act on every sample. Whose business is the 1/N: this layer's, or "
    "the loss's?",
    loses=("dweight", "dbias"),
)
def means_for_the_parameters(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).mean(axis=0), dy.mean(axis=0)


@batchnorm_backward.mistake(
    "A gradient has the shape of its parameter: one number a feature, and yours has one a sample "
    "too.",
    loses=("dweight", "dbias"),
)
def parameters_not_summed(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, dy * x_hat, dy


@batchnorm_backward.mistake(
    "The forward pass normalises by the variance divided by N; you divide by N - 1.",
    loses=("dx", "dweight"),
)
def unbiased_variance(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0, ddof=1) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Where is eps? It is under the root on the way forward, so it is on the way back.",
    loses=("dx", "dweight"),
)
def backward_without_eps(dy, x, weight, eps):
    with np.errstate(all="ignore"):
        inverse = 1 / x.std(axis=0)
        x_hat = (x - x.mean(axis=0)) * inverse
        g = dy * weight
        dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Your eps stands beside the root. On the way forward it was under it.",
    loses=("dx", "dweight"),
)
def eps_beside_the_root(dy, x, weight, eps):
    inverse = 1 / (x.std(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Your means run over the features of a sample: layer normalisation. In which direction did "
    "this forward pass average?",
    loses=("dx", "dweight"),
)
def backward_over_the_features(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=1, keepdims=True)
    dx = inverse * (g - g.mean(axis=1, keepdims=True) - x_hat * along)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "A gradient points uphill. The minus is for whoever takes the step.",
)
def downhill(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return -dx, -(dy * x_hat).sum(axis=0), -dy.sum(axis=0)


@batchnorm_backward.mistake(
    "Your dx is divided by the variance. By what was x - mean divided on its way forward?",
    loses=("dx",),
)
def divided_by_the_variance(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse**2 * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "The part of the variance is the same for every sample in yours. Does an x at the mean move"
    " the variance as much as one far out?",
    loses=("dx",),
)
def same_share_for_all(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "One x in your dx should be a normalised one.",
    loses=("dx",),
)
def x_for_x_hat(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@batchnorm_backward.mistake(
    "The weight itself stands in the gradients of weight and bias. In y = weight * x_hat + "
    "bias, what is the derivative with respect to each?",
    loses=("dweight", "dbias"),
)
def weight_in_its_own_gradient(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (g * x_hat).sum(axis=0), g.sum(axis=0)


@batchnorm_backward.mistake(
    "A factor of 2 is left over in the part of the variance: the square brings it, and the root"
    " takes it away.",
    loses=("dx",),
)
def a_two_left_over(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - 2 * x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


# layernorm_backward -------------------------------------------------------------

layernorm_backward = Exercise(
    "layernorm_backward",
    "Layer normalisation, backward",
    parts={"dx": 2, "dweight": 1, "dbias": 1},
    minutes=12,
    difficulty=2,
    outcomes=(NORMALISE,),
    forbids=FORBIDS,
)


@layernorm_backward.cases
def _(rng):
    def of(*shape, eps):
        x = rng.normal(size=shape) * rng.uniform(0.5, 3, size=(*shape[:-1], 1))
        x = x + rng.normal(size=(*shape[:-1], 1)) + rng.normal(size=shape[-1])
        return rng.normal(size=shape) + 0.5, x, rng.normal(size=shape[-1]) + 2, eps

    yield Case(of(5, 3, eps=1e-5), "")
    yield Case(of(4, 4, eps=0.1), "as many samples as features")
    yield Case(of(1, 5, eps=0.1), "a batch of one")
    yield Case(of(2, 3, 4, eps=0.1), "sentences: two, of three words, of four features")
    yield Case(of(3, 3, 3, eps=0.5), "three axes, all of one size")
    while True:
        lead = rng.integers(2, 5, size=rng.integers(1, 4))
        yield of(*(int(v) for v in lead), int(rng.integers(3, 7)), eps=10 ** rng.uniform(-3, 0))


@layernorm_backward.answer
def _(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.alternative
def flattened_rows(dy, x, weight, eps):
    d = x.shape[-1]
    rows, dy_rows = x.reshape(-1, d), dy.reshape(-1, d)
    dx, dweight, dbias = np.empty_like(rows), np.zeros(d), np.zeros(d)
    for i, (row, dy_row) in enumerate(zip(rows, dy_rows, strict=True)):
        std = np.sqrt(np.var(row) + eps)
        x_hat = (row - np.mean(row)) / std
        g = dy_row * weight
        dx[i] = (g - np.mean(g) - x_hat * np.mean(g * x_hat)) / std
        dweight += dy_row * x_hat
        dbias += dy_row
    return dx.reshape(x.shape), dweight, dbias


@layernorm_backward.alternative
def einsums(dy, x, weight, eps):
    d = x.shape[-1]
    centred = x - x.sum(axis=-1, keepdims=True) / d
    var = np.einsum("...d,...d->...", centred, centred)[..., None] / d + eps
    g = np.einsum("...d,d->...d", dy, weight)
    pull = np.einsum("...d,...d->...", g, centred)[..., None] / d
    dcentred = g / var**0.5 - centred * pull / var**1.5
    dx = dcentred - dcentred.sum(axis=-1, keepdims=True) / d
    x_hat = centred / var**0.5
    dweight = np.einsum("nd,nd->d", dy.reshape(-1, d), x_hat.reshape(-1, d))
    return dx, dweight, np.einsum("nd->d", dy.reshape(-1, d))


@layernorm_backward.mistake(
    "You average over the samples: that is batch normalisation. Which numbers does one sample see "
    "here?",
    loses=("dx", "dweight"),
)
def over_the_batch(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "Mean and variance are treated as constants. If one feature of a sample moves, what do the "
    "sample's other results do?",
    loses=("dx",),
)
def constants(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    lead = tuple(range(x.ndim - 1))
    return dy * weight * inverse, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "That is the dx of the chapter's RMSNorm. What does this layer do that RMSNorm leaves out?",
    loses=("dx",),
)
def as_rms_norm(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    dx = inverse * (g - x_hat * (g * x_hat).mean(axis=-1, keepdims=True))
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "Your dx knows that the mean moves, but not that the variance does.", loses=("dx",)
)
def only_the_mean_moves(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=-1, keepdims=True))
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "The weight differs from feature to feature, and your means run over features: so it makes a "
    "difference whether you multiply before them or after. Which came last on the way forward?",
    loses=("dx",),
)
def weight_at_the_end(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    along = (dy * x_hat).mean(axis=-1, keepdims=True)
    dx = weight * inverse * (dy - dy.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "On its way back dy passes the weight first. Where is it in your dx?", loses=("dx",)
)
def no_weight(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    along = (dy * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (dy - dy.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "With a third axis your dweight and dbias have one too many. They have the shape of weight, "
    "however many words there are.",
    loses=("dweight", "dbias"),
)
def summed_over_the_first_axis(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@layernorm_backward.mistake(
    "Means, where weight and bias act on every sample: the 1/N is the loss's business.",
    loses=("dweight", "dbias"),
)
def means_for_parameters(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    rows = -1, x.shape[-1]
    return dx, (dy * x_hat).reshape(rows).mean(axis=0), dy.reshape(rows).mean(axis=0)


@layernorm_backward.mistake(
    "The weight is multiplied with what came out of normalising. You took x as it came in.",
    loses=("dweight",),
)
def dweight_of_x(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "The forward pass divides the squares by their number; you divide by one less.",
    loses=("dx", "dweight"),
)
def unbiased(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True, ddof=1) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "Where is eps? It is under the root on the way forward, so it is on the way back.",
    loses=("dx", "dweight"),
)
def eps_forgotten(dy, x, weight, eps):
    inverse = 1 / x.std(axis=-1, keepdims=True)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "You average over everything but the first axis. With words in sentences, which numbers belong "
    "together?",
    loses=("dx", "dweight"),
)
def over_all_but_the_first_axis(dy, x, weight, eps):
    axes = tuple(range(1, x.ndim))
    inverse = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=axes, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=axes, keepdims=True)
    dx = inverse * (g - g.mean(axis=axes, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "There are sums in your dx where the mean over the features brings a 1/D.",
    loses=("dx",),
)
def sums_over_the_features(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).sum(axis=-1, keepdims=True)
    dx = inverse * (g - g.sum(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "The last step is missing: what was divided by the deviation forward is divided by it again"
    " on the way back.",
    loses=("dx",),
)
def deviation_forgotten(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = g - g.mean(axis=-1, keepdims=True) - x_hat * along
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


@layernorm_backward.mistake(
    "You sum over the features. weight and bias have one number a feature: over what must their"
    " gradients be summed?",
    loses=("dweight", "dbias"),
)
def summed_over_the_features(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    return dx, (dy * x_hat).sum(axis=-1), dy.sum(axis=-1)


@layernorm_backward.mistake(
    "The weight itself stands in the gradients of weight and bias. What is the derivative of y "
    "with respect to each?",
    loses=("dweight", "dbias"),
)
def weight_in_both_gradients(dy, x, weight, eps):
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (g * x_hat).sum(axis=lead), g.sum(axis=lead)


@layernorm_backward.mistake(
    "Your eps stands beside the root. On the way forward it was under it.",
    loses=("dx", "dweight"),
)
def eps_next_to_the_root(dy, x, weight, eps):
    inverse = 1 / (x.std(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    lead = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=lead), dy.sum(axis=lead)


# residual_block -----------------------------------------------------------------

residual_block = Exercise(
    "residual_block",
    "A block with a way round it",
    parts={"y": 1, "dx": 2, "dweight1": 2},
    minutes=15,
    difficulty=2,
    outcomes=(RESIDUAL,),
    forbids=FORBIDS,
)


@residual_block.cases
def _(rng):
    def of(n, d, hidden):
        weight1 = rng.normal(size=(hidden, d)) / d**0.5
        weight2 = rng.normal(size=(d, hidden)) / hidden**0.5
        x, dy = rng.normal(size=(n, d)), rng.normal(size=(n, d))
        return x, dy, weight1, rng.normal(size=hidden), weight2, rng.normal(size=d)

    yield Case(of(4, 3, 5), "")
    yield Case(of(3, 3, 3), "all sizes equal")
    yield Case(of(1, 2, 4), "a batch of one")
    zeros = np.zeros((3, 2)), np.zeros(3), np.zeros((2, 3)), np.zeros(2)
    yield Case((rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), *zeros), "all weights 0")
    x, dy = np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([[1.0, -1.0], [2.0, 0.5]])
    weight1, weight2 = np.array([[2.0, -1.0], [1.0, 1.0]]), np.array([[1.0, 2.0], [-1.0, 3.0]])
    yield Case(
        (x, dy, weight1, np.array([0.0, -1.0]), weight2, np.zeros(2)),
        "a hidden score of exactly 0",
    )
    while True:
        yield of(*(int(v) for v in rng.integers(2, 7, size=3)))


@residual_block.answer
def _(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    y = x + np.maximum(z, 0) @ weight2.T + bias2
    dz = (dy @ weight2) * (z > 0)
    return y, dy + dz @ weight1, dz.T @ x


@residual_block.alternative
def einsum(x, dy, weight1, bias1, weight2, bias2):
    z = np.einsum("nd,hd->nh", x, weight1) + bias1
    h = np.where(z > 0, z, 0.0)
    change = np.einsum("nh,dh->nd", h, weight2) + bias2
    dz = np.where(z > 0, np.einsum("nd,dh->nh", dy, weight2), 0.0)
    return x + change, dy + np.einsum("nh,hd->nd", dz, weight1), np.einsum("nh,nd->hd", dz, x)


@residual_block.alternative
def sample_after_sample(x, dy, weight1, bias1, weight2, bias2):
    y, dx, dweight1 = np.empty_like(x), np.empty_like(x), np.zeros_like(weight1)
    for n, (row, dy_row) in enumerate(zip(x, dy, strict=True)):
        z = weight1 @ row + bias1
        y[n] = row + weight2 @ np.maximum(z, 0) + bias2
        dz = (weight2.T @ dy_row) * (z > 0)
        dx[n] = dy_row + weight1.T @ dz
        dweight1 += np.outer(dz, row)
    return y, dx, dweight1


@residual_block.mistake(
    "x goes two ways on its way forward, through the layers and round them. By how many does the "
    "gradient come back?",
    loses=("dx",),
)
def only_through(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, dz @ weight1, dz.T @ x


@residual_block.mistake(
    "Your dx comes back round the layers only. The layers depend on x too.", loses=("dx",)
)
def only_round(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, dy.copy(), dz.T @ x


@residual_block.mistake(
    "Two ways that part and meet again: where they meet, forward, they are added. What happens to "
    "gradients where ways part?",
    loses=("dx",),
)
def ways_multiplied(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, dy * (dz @ weight1), dz.T @ x


@residual_block.mistake(
    "What arrives round the layers is dy as it is. Yours adds a 1: that is a derivative, not a "
    "gradient. Which factor has it lost?",
    loses=("dx",),
)
def one_for_dy(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, 1 + dz @ weight1, dz.T @ x


@residual_block.mistake("The input isn't in your y. What goes round the layers?", loses=("y",))
def without_the_input(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return np.maximum(z, 0) @ weight2.T + bias2, dy + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "You have a ReLU after the addition, as the first residual networks of 2015 did. Then the way "
    "round isn't free: it loses all that is negative. Here nothing stands behind the sum.",
)
def relu_after_the_sum(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    total = x + np.maximum(z, 0) @ weight2.T + bias2
    dtotal = dy * (total > 0)
    dz = (dtotal @ weight2) * (z > 0)
    return np.maximum(total, 0), dtotal + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "The ReLU stands before the first layer in yours, as in pre-activation blocks. In the "
    "statement it stands between the two.",
)
def relu_first(x, dy, weight1, bias1, weight2, bias2):
    h = np.maximum(x, 0)
    z = h @ weight1.T + bias1
    dz = dy @ weight2
    return x + z @ weight2.T + bias2, dy + (dz @ weight1) * (x > 0), dz.T @ h


@residual_block.mistake("Nothing bends between your two layers: where is the ReLU?")
def no_relu(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = dy @ weight2
    return x + z @ weight2.T + bias2, dy + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "On its way back the gradient meets the ReLU too. Which hidden units let it through?",
    loses=("dx", "dweight1"),
)
def relu_forward_only(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = dy @ weight2
    return x + np.maximum(z, 0) @ weight2.T + bias2, dy + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "At a hidden score of exactly 0 you let the gradient through. By the statement's convention, "
    "torch's, it is 0 there.",
    loses=("dx", "dweight1"),
)
def open_at_zero(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z >= 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, dy + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "Your dweight1 is a mean over the batch. The 1/N is the loss's, and is in dy already.",
    loses=("dweight1",),
)
def mean_over_the_batch(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, dy + dz @ weight1, dz.T @ x / len(x)


@residual_block.mistake(
    "A gradient has the shape of its parameter. Yours is turned over.", loses=("dweight1",)
)
def dweight1_transposed(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T + bias2, dy + dz @ weight1, x.T @ dz


@residual_block.mistake(
    "Your dweight1 meets the hidden outputs. What does the first layer multiply its weights with?",
    loses=("dweight1",),
)
def hidden_for_the_input(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    h = np.maximum(z, 0)
    dz = (dy @ weight2) * (z > 0)
    dweight1 = dz.T @ h
    return x + h @ weight2.T + bias2, dy + dz @ weight1, dweight1


@residual_block.mistake("The second layer has a bias too.", loses=("y",))
def second_bias_forgotten(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    return x + np.maximum(z, 0) @ weight2.T, dy + dz @ weight1, dz.T @ x


@residual_block.mistake("`+=` writes into the input of whoever called you.")
def adds_in_place(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    dz = (dy @ weight2) * (z > 0)
    dx, dweight1 = dy + dz @ weight1, dz.T @ x
    x += np.maximum(z, 0) @ weight2.T + bias2 + 1e-9  # changed even where all weights are 0
    return x, dx, dweight1


@residual_block.mistake(
    "ReLU's slope is 0 or 1. You multiply the gradient with its value.",
    loses=("dx", "dweight1"),
)
def hidden_values_for_the_slope(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    y = x + np.maximum(z, 0) @ weight2.T + bias2
    dz = (dy @ weight2) * np.maximum(z, 0)
    return y, dy + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "What comes back along the free way is a gradient. Yours is the input itself.",
    loses=("dx",),
)
def x_for_dy(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    y = x + np.maximum(z, 0) @ weight2.T + bias2
    dz = (dy @ weight2) * (z > 0)
    return y, x + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "Your dx counts the free way twice.",
    loses=("dx",),
)
def dy_twice(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T + bias1
    y = x + np.maximum(z, 0) @ weight2.T + bias2
    dz = (dy @ weight2) * (z > 0)
    return y, 2 * dy + dz @ weight1, dz.T @ x


@residual_block.mistake(
    "The hidden scores have a bias as well.",
    loses=("y", "dx", "dweight1"),
)
def first_bias_forgotten(x, dy, weight1, bias1, weight2, bias2):
    z = x @ weight1.T
    y = x + np.maximum(z, 0) @ weight2.T + bias2
    dz = (dy @ weight2) * (z > 0)
    return y, dy + dz @ weight1, dz.T @ x


# signal_forecast ----------------------------------------------------------------

signal_forecast = Exercise(
    "signal_forecast",
    "Predict: what is left after fifty layers",
    parts={
        "abs_lecun": 1,
        "plain_he": 1,
        "leaky_half": 1,
        "tanh_large": 1,
        "tanh_small": 1,
        "residual_tenth": 1,
    },
    minutes=10,
    difficulty=2,
    outcomes=(INITIALISE, RESIDUAL),
    kind="predict",
    of="value",
)


@signal_forecast.answer
def _():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "stays",
        "tanh_small": "dies",
        "residual_tenth": "stays",
    }


@signal_forecast.alternative
def by_the_factor_of_a_layer():
    def after(factor):  # of the mean square, in one layer
        size = factor**25
        return "dies" if size < 1e-3 else "explodes" if size > 1e3 else "stays"

    return {
        "abs_lecun": after(1.0),
        "plain_he": after(2.0),
        "leaky_half": after((1 + 0.5**2) / 2),
        "tanh_large": after(1.0),
        "tanh_small": after(0.25),
        "residual_tenth": after(1 + 0.1**2),
    }


@signal_forecast.alternative
def by_running_it():
    rng, width = np.random.default_rng(0), 100
    start = rng.normal(size=(50, width))

    def run(variance, step):
        h = start
        for _ in range(50):
            h = step(h, h @ rng.normal(0, variance**0.5, size=(width, width)).T)
        size = np.sqrt(np.mean(h**2))
        return "dies" if size < 1e-3 else "explodes" if size > 1e3 else "stays"

    return {
        "abs_lecun": run(1 / width, lambda h, z: np.abs(z)),
        "plain_he": run(2 / width, lambda h, z: z),
        "leaky_half": run(1 / width, lambda h, z: np.where(z > 0, z, z / 2)),
        "tanh_large": run(1, lambda h, z: np.tanh(z)),
        "tanh_small": run(1 / 400, lambda h, z: np.tanh(z)),
        "residual_tenth": run(2 / width, lambda h, z: h + 0.1 * np.maximum(z, 0)),
    }


@signal_forecast.mistake(
    "ReLU throws half of the mean square away. How much of it does the size without its sign throw "
    "away?",
    loses=("abs_lecun",),
)
def half_for_every_activation():
    return {
        "abs_lecun": "dies",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "stays",
        "tanh_small": "dies",
        "residual_tenth": "stays",
    }


@signal_forecast.mistake(
    "The 2 in He's variance makes up for what ReLU loses. What is lost here?",
    loses=("plain_he",),
)
def he_suits_everything():
    return {
        "abs_lecun": "stays",
        "plain_he": "stays",
        "leaky_half": "dies",
        "tanh_large": "stays",
        "tanh_small": "dies",
        "residual_tenth": "stays",
    }


@signal_forecast.mistake(
    "A slope of a half left of 0 keeps a quarter of the mean square there. With a variance of "
    "1 / fan_in, what is the factor of one layer, and its fiftieth power?",
    loses=("leaky_half",),
)
def leak_saves():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "stays",
        "tanh_large": "stays",
        "tanh_small": "dies",
        "residual_tenth": "stays",
    }


@signal_forecast.mistake(
    "How large can a tanh get, whatever its score? (What happens to the gradient there is another "
    "matter.)",
    loses=("tanh_large",),
)
def tanh_explodes():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "explodes",
        "tanh_small": "dies",
        "residual_tenth": "stays",
    }


@signal_forecast.mistake(
    "Gradients die where tanh is flat. But the question is about the signal: is it near 0 there?",
    loses=("tanh_large",),
)
def tanh_dies():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "dies",
        "tanh_small": "dies",
        "residual_tenth": "stays",
    }


@signal_forecast.mistake(
    "A tanh never makes a number larger. Scores are half as large as what came in: what follows, "
    "fifty times?",
    loses=("tanh_small",),
)
def tanh_holds():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "stays",
        "tanh_small": "stays",
        "residual_tenth": "stays",
    }


@signal_forecast.mistake(
    "Each block adds something, but how much? A tenth of a signal is a hundredth of its mean "
    "square. What is 1.01 to the power of fifty?",
    loses=("residual_tenth",),
)
def ways_round_explode():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "stays",
        "tanh_small": "dies",
        "residual_tenth": "explodes",
    }


@signal_forecast.mistake(
    "What goes round a block isn't multiplied by anything. Can it shrink?",
    loses=("residual_tenth",),
)
def ways_round_die():
    return {
        "abs_lecun": "stays",
        "plain_he": "explodes",
        "leaky_half": "dies",
        "tanh_large": "stays",
        "tanh_small": "dies",
        "residual_tenth": "dies",
    }


# residual_scale -----------------------------------------------------------------

residual_scale = Exercise(
    "residual_scale",
    "On paper: how much may each block add?",
    parts={"scale": 3},
    minutes=15,
    difficulty=3,
    outcomes=(RESIDUAL, INITIALISE),
    kind="derive",
    forbids=FORBIDS,
)


@residual_scale.cases
def _(rng):
    yield Case((1, 2.0), "a single block")
    yield Case((2, 4.0), "two blocks, four times the variance")
    yield Case((50, 1.0), "no growth at all")
    yield Case((50, 2.0), "")
    yield Case((1000, 10.0), "a thousand blocks")
    while True:
        yield int(rng.integers(2, 200)), float(rng.uniform(1.1, 20))


@residual_scale.answer
def _(blocks, growth):
    return np.sqrt(growth ** (1 / blocks) - 1)


@residual_scale.alternative
def by_logarithms(blocks, growth):
    return np.sqrt(np.expm1(np.log(growth) / blocks))


@residual_scale.alternative
def by_halving(blocks, growth):
    low, high = 0.0, growth
    for _ in range(200):
        middle = (low + high) / 2
        if blocks * np.log1p(middle) < np.log(growth):
            low = middle
        else:
            high = middle
    return low**0.5


@residual_scale.mistake(
    "Yours adds the same amount fifty times. But a block is given what the one before it made, and "
    "that has grown already. How does the variance after two blocks read?"
)
def as_if_blocks_added(blocks, growth):
    return np.sqrt((growth - 1) / blocks)


@residual_scale.mistake(
    "You found s². It stands for a variance; by what are the block's outputs multiplied?"
)
def squared_scale(blocks, growth):
    return growth ** (1 / blocks) - 1


@residual_scale.mistake(
    "1 / √blocks holds the growth below e, for any depth. Here the growth is given, and has to be "
    "met."
)
def one_over_root(blocks, growth):
    return 1 / np.sqrt(blocks)


@residual_scale.mistake(
    "You let deviations add up: (1 + s) for a block. What is the variance of a sum of two signals "
    "that have nothing to do with each other?"
)
def deviations_add(blocks, growth):
    return growth ** (1 / (2 * blocks)) - 1


@residual_scale.mistake(
    "You took `growth` for the growth of the deviation. The statement means the variance."
)
def growth_of_the_deviation(blocks, growth):
    return np.sqrt(growth ** (2 / blocks) - 1)


@residual_scale.mistake(
    "You forgot what goes round the block: with (s²) alone to the power of the number of blocks "
    "there is no way round."
)
def without_the_way_round(blocks, growth):
    return np.sqrt(growth ** (1 / blocks))


@residual_scale.mistake(
    "The one goes on the other side of the root: first the root of the number of blocks, then "
    "subtract."
)
def one_subtracted_first(blocks, growth):
    return np.sqrt((growth - 1) ** (1 / blocks))


@residual_scale.mistake(
    "That is what it comes near to for very many blocks. The statement wants it exactly: try a "
    "single block."
)
def for_many_blocks_only(blocks, growth):
    return np.sqrt(np.log(growth) / blocks)


@residual_scale.mistake(
    "You share the growth out by division. Fifty blocks one after the other: do their factors "
    "add or multiply?"
)
def growth_shared_out(blocks, growth):
    return np.sqrt(growth / blocks)


@residual_scale.mistake(
    "There is one block more in yours than in the statement. Try a single block that doubles "
    "the variance."
)
def one_block_too_many(blocks, growth):
    return np.sqrt(growth ** (1 / (blocks + 1)) - 1)


@residual_scale.mistake(
    "You found the factor by which a block multiplies the variance. How much of that factor "
    "comes from the way round?"
)
def factor_of_a_block(blocks, growth):
    return growth ** (1 / blocks)


# stranger_in_the_batch ----------------------------------------------------------

stranger_in_the_batch = Question(
    "stranger_in_the_batch",
    "The answer that depends on the neighbours",
    points=5,
    minutes=12,
    outcomes=(NORMALISE,),
    rubric="""\
- 1 point: the first fault named: the network was left in training mode, so each sample is
  normalised by the mean and variance of whoever shares its batch; other neighbours, another answer.
- 1 point: why a single sample fails: it has no variance (or: would be normalised to the bias
  alone), and what evaluation mode does instead: the running statistics, the same for all.
- 1 point: the second fault named: the running statistics describe the training hospitals; a machine
  that reads higher shifts every score, and evaluation mode has nothing to correct that with.
- 1 point: layer normalisation weighed, both ways: no sample sees another, so training and use are
  the same and batches of one work; but it doesn't know either what is normal for a machine, and it
  mixes features of different kinds within one sample.
- 1 point: a test that would have shown each fault before delivery: the same sample alone and in two
  batches must give one answer; and a hospital kept aside whole, not samples shuffled over all.
- No point for "use a larger batch" alone, nor for "batch norm is bad" without a reason.""",
    exemplars={
        "full": """\
The changing answers come from training mode: nobody called eval(), so each blood sample is scaled
by the mean and variance of the samples beside it, and with other neighbours it gets another score.
A sample on its own has no variance, so it fails. In evaluation mode the running means and variances
from training are used, one answer a sample, batches of one included. The second fault stays: those
statistics are of the first three hospitals, and if the fourth one's machine reads everything
higher, all its scores are shifted. Layer normalisation would cure the first for good, because no
sample sees another, but a machine that reads higher is news to it as well, and it would average
over blood values of different kinds. Tests: run one sample alone and in two batches, and the
answers must agree; and keep one hospital out of training entirely.""",
        "partial": """\
They forgot to switch to evaluation mode, so batch norm uses the statistics of the current batch.
With one sample that doesn't work. With eval() it uses the running averages. For the fourth hospital
one should train again with more data.""",
        "typical": """\
The batch size in use is too small, so the statistics are noisy. They should use the same batch size
as in training, then the results will be the same.""",
    },
)
