"""The exercises of ``diffusion``: noise on, the loss, one step back, a flow, guidance.

Conventions: steps count from 0, as indices of ``betas`` (T,); step 0 adds the first noise and is
the last one undone; alpha-bar of step t is the product of 1 - beta over the steps 0 to t. The noise
on top of a DDPM step has the posterior's variance or beta, as asked, and there is none at step 0.
The loss is the mean over all entries, as ``mse_loss``. A flow's time goes from 0, noise, to 1,
data. Guidance w is Ho and Salimans's: 0 is none, and it weighs 1 + w against -w.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

FORWARD, BACK, JUDGE = "diffusion-forward", "diffusion-back", "diffusion-judge"
FORBIDS = ("torch", "sklearn", "scipy", "diffusers", "dlcourse.scratch", "dlcourse.models")


# q_sample ---------------------------------------------------------------------

q_sample = Exercise(
    "q_sample",
    "All the noise at once",
    parts={"signal": 1, "noise": 1, "steps": 1, "images": 1},
    minutes=12,
    difficulty=1,
    outcomes=(FORWARD,),
    forbids=FORBIDS,
)


@q_sample.cases
def _(rng):
    def case(shape, t, total, part, note=""):
        x0, noise = rng.normal(size=(2, *shape))
        if part == "signal":
            noise = np.zeros(shape)
        if part == "noise":
            x0 = np.zeros(shape)
        betas = rng.uniform(0.05, 0.5, size=total)
        return Case((x0, np.array(t), noise, betas), note, (part,))

    yield case((1, 3), [2], 4, "signal", "one example of 3 numbers, and its noise happens to be 0")
    yield case((3, 2), [3, 3, 3], 5, "signal", "three examples at the same step, their noise is 0")
    yield case((1, 3), [2], 4, "noise", "nothing but noise")
    yield case((2, 3), [1, 1], 3, "noise", "nothing but noise, two examples")
    yield case((2, 3), [0, 3], 4, "steps", "the first step and the last one")
    yield case((3, 3), [4, 0, 2], 6, "steps", "as many examples as numbers in each")
    yield case((2, 4, 3), [1, 3], 5, "images", "two images of 4 by 3 pixels")
    yield case((3, 3, 3), [2, 0, 4], 5, "images", "three images of 3 by 3 pixels")
    yield case((2, 2, 2, 2), [3, 1], 4, "images", "two images of two channels")
    while True:
        total, n = (int(v) for v in rng.integers(3, 12, size=2))
        part = str(rng.choice(["signal", "noise", "steps", "images"]))
        sides = rng.integers(2, 5, size=int(rng.integers(2, 4)) if part == "images" else 1)
        t = rng.integers(0, total, size=n)
        if part in ("signal", "noise"):
            t = np.full(n, rng.integers(1, total))
        yield case((n, *(int(s) for s in sides)), t, total, part)


@q_sample.observe
def _(candidate, x0, t, noise, betas):
    return dict.fromkeys(("signal", "noise", "steps", "images"), candidate(x0, t, noise, betas))


@q_sample.answer
def _(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.alternative
def one_by_one(x0, t, noise, betas):
    out = np.empty(x0.shape)
    for i in range(len(x0)):
        bar = 1.0
        for s in range(t[i] + 1):
            bar *= 1 - betas[s]
        out[i] = bar**0.5 * x0[i] + (1 - bar) ** 0.5 * noise[i]
    return out


@q_sample.alternative
def by_logarithms(x0, t, noise, betas):
    logs = np.cumsum(np.log1p(-betas))[t]
    signal, spread = np.exp(logs / 2), np.sqrt(-np.expm1(logs))
    return np.einsum("n,n...->n...", signal, x0) + np.einsum("n,n...->n...", spread, noise)


@q_sample.alternative
def by_variances(x0, t, noise, betas):
    kept, variance, history = 1.0, 0.0, []
    for beta in betas:
        kept, variance = kept * np.sqrt(1 - beta), (1 - beta) * variance + beta
        history.append((kept, np.sqrt(variance)))
    chosen = np.array(history)[t]
    turned = chosen[:, 0] * x0.T + chosen[:, 1] * noise.T
    return np.ascontiguousarray(turned.T)


@q_sample.mistake(
    "That is one step from the data, with the beta of step t. How many steps have there been "
    "before it, and what has each of them left?",
)
def alpha_for_alpha_bar(x0, t, noise, betas):
    alpha = (1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(alpha) * x0 + np.sqrt(1 - alpha) * noise


@q_sample.mistake(
    "Your data are kept right, and the noise is that of step t alone. What became of the noise of "
    "the steps before it?",
    loses=("noise", "steps", "images"),
)
def noise_of_one_step(x0, t, noise, betas):
    shape = (-1, *[1] * (x0.ndim - 1))
    bar, beta = np.cumprod(1 - betas)[t].reshape(shape), betas[t].reshape(shape)
    return np.sqrt(bar) * x0 + np.sqrt(beta) * noise


@q_sample.mistake(
    "Your noise has the factor 1 - alpha-bar. That is its variance; by what is a number multiplied "
    "to have it?",
    loses=("noise", "steps", "images"),
)
def noise_without_root(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + (1 - bar) * noise


@q_sample.mistake(
    "Your data have the factor alpha-bar. What stands around it in the equation?",
    loses=("signal", "steps", "images"),
)
def signal_without_root(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return bar * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake("Both of your factors are squares of what they should be. What is missing?")
def no_roots(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return bar * x0 + (1 - bar) * noise


@q_sample.mistake(
    "You count steps from 1: in yours nothing has happened yet after step 0. In the statement, "
    "`betas[0]` has been at work by then.",
)
def counted_from_one(x0, t, noise, betas):
    bar = np.append(1.0, np.cumprod(1 - betas))[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake(
    "Your data and your noise have each other's factor. Which one should be left when nearly all "
    "steps are done?",
)
def swapped(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(1 - bar) * x0 + np.sqrt(bar) * noise


@q_sample.mistake(
    "You multiply the betas themselves. What does a step multiply the data by?",
)
def product_of_betas(x0, t, noise, betas):
    bar = np.cumprod(betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake(
    "You add up the betas. Each step takes its share of what is left, and not of what there was at "
    "first: what do you do with shares of shares?",
)
def sum_of_betas(x0, t, noise, betas):
    bar = np.maximum(1 - np.cumsum(betas), 0)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake(
    "All your examples are at the step of the first one. `t` has a step for each.",
    loses=("steps", "images"),
)
def first_step_for_all(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t[0]]
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake(
    "Your factors `(N,)` go along the last axis of the data. They are one for each example: "
    "which shape lays them along the first?",
    loses=("signal", "noise", "steps", "images"),
)
def along_the_last_axis(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t]
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake(
    "Right for rows of numbers. An image has two axes or three behind the first: how many 1s does "
    "the shape of your factors need then?",
    loses=("images",),
)
def one_axis_only(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[t][:, None]
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


@q_sample.mistake(
    "Your step 0 is the noisiest. That is time as a flow has it; here the last step is.",
)
def from_the_other_end(x0, t, noise, betas):
    bar = np.cumprod(1 - betas)[len(betas) - 1 - t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise


# ddpm_loss --------------------------------------------------------------------

ddpm_loss = Exercise(
    "ddpm_loss",
    "Find the faults: a loss that falls, and pictures that don't come",
    parts={"loss": 2, "asked": 2, "labels": 1, "kept": 1},
    minutes=20,
    difficulty=2,
    outcomes=(FORWARD,),
    kind="mend",
    forbids=FORBIDS,
)


@ddpm_loss.cases
def _(rng):
    def case(n, d, drop, note=""):
        x0, noise = rng.normal(size=(2, n, d))
        bars = np.cumprod(1 - rng.uniform(0.05, 0.4, size=6))
        weights = rng.normal(size=(d, d)), rng.normal(size=(6, d))
        labels, t = rng.integers(0, 4, size=n), rng.integers(0, 6, size=n)
        return Case((*weights, x0, labels, t, noise, np.array(drop, bool), bars), note)

    yield case(1, 2, [False], "one example that keeps its label")
    yield case(1, 3, [True], "one example that loses its label")
    yield case(3, 2, [False, True, False], "the second of three loses its label")
    yield case(3, 3, [True, False, True], "as many examples as pixels")
    yield case(2, 4, [False, False], "both keep their labels")
    while True:
        n, d = (int(v) for v in rng.integers(2, 6, size=2))
        yield case(n, d, rng.random(n) < 0.4)


@ddpm_loss.observe
def _(candidate, weight, table, x0, labels, t, noise, drop, bars):
    import numpy

    asked = []

    def model(x_t, t, labels):
        asked.append((numpy.array(x_t), numpy.array(t), numpy.array(labels)))
        turned = numpy.reshape(t, (-1, 1)) / 10
        return numpy.tanh(x_t @ weight + turned + table[labels])

    mine = labels.copy()
    loss = candidate(model, x0, mine, t, noise, drop, bars, 4)
    found = {"loss": loss, "kept": mine}
    if len(asked) != 1:
        raise ValueError(f"the model is called once, not {len(asked)} times")
    return found | {"asked": [asked[0][0], asked[0][1]], "labels": asked[0][2]}


@ddpm_loss.answer
def _(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, null, labels)) - noise) ** 2)


@ddpm_loss.alternative
def with_a_copy(model, x0, labels, t, noise, drop, bars, null):
    seen = labels.copy()
    seen[drop] = null
    signal, spread = bars[t] ** 0.5, (1 - bars[t]) ** 0.5
    x_t = (signal * x0.T + spread * noise.T).T
    gap = noise - model(x_t, t, seen)
    return float((gap * gap).sum() / gap.size)


@ddpm_loss.alternative
def row_by_row(model, x0, labels, t, noise, drop, bars, null):
    rows, seen = [], []
    for i in range(len(x0)):
        bar = bars[t[i]]
        rows.append(bar**0.5 * x0[i] + (1 - bar) ** 0.5 * noise[i])
        seen.append(null if drop[i] else labels[i])
    guess = model(np.array(rows), t, np.array(seen))
    return np.mean([np.mean((guess[i] - noise[i]) ** 2) for i in range(len(x0))])


@ddpm_loss.mistake(
    "One fault is left: what is 1 - alpha-bar of the noise, its size or its variance?",
    loses=("loss", "asked"),
)
def root_still_missing(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + (1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, null, labels)) - noise) ** 2)


@ddpm_loss.mistake(
    "One fault is left. Look at the caller's `labels` after your function has been called a few "
    "times: which of them are still there?",
    loses=("kept",),
)
def labels_still_overwritten(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    labels[drop] = null
    return np.mean((model(x_t, t, labels) - noise) ** 2)


@ddpm_loss.mistake(
    "Nobody loses a label in yours. Then the network never learns what to say without one, and "
    "guidance has nothing to push away from.",
    loses=("loss", "labels"),
)
def nobody_drops(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, labels) - noise) ** 2)


@ddpm_loss.mistake(
    "Those that should lose their labels keep them, and the others lose them. When is `drop` True?",
    loses=("loss", "labels"),
)
def drop_turned(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, labels, null)) - noise) ** 2)


@ddpm_loss.mistake(
    "An example without a label is a 0 in yours, and 0 is a digit. Which number stands for none?",
    loses=("loss", "labels"),
)
def nought_for_null(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, 0, labels)) - noise) ** 2)


@ddpm_loss.mistake(
    "-1 stands for none in other programs. Which number does here?", loses=("loss", "labels")
)
def minus_one_for_null(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, -1, labels)) - noise) ** 2)


@ddpm_loss.mistake(
    "You compare with the data. That is a network that predicts the data, another convention; what "
    "does this one guess?",
    loses=("loss",),
)
def target_is_the_data(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, null, labels)) - x0) ** 2)


@ddpm_loss.mistake(
    "You compare with the noise as it stands in `x_t`, times its factor. The network is to guess "
    "the noise as it was drawn.",
    loses=("loss",),
)
def target_is_scaled(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    guess = model(x_t, t, np.where(drop, null, labels))
    return np.mean((guess - np.sqrt(1 - bar) * noise) ** 2)


@ddpm_loss.mistake(
    "You add up over the pixels and take the mean over the examples. Over what is the mean here?",
    loses=("loss",),
)
def sum_over_pixels(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    gap = model(x_t, t, np.where(drop, null, labels)) - noise
    return np.mean(np.sum(gap**2, axis=1))


@ddpm_loss.mistake("Your loss is a sum. What does `mse_loss` do?", loses=("loss",))
def sum_of_all(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.sum((model(x_t, t, np.where(drop, null, labels)) - noise) ** 2)


@ddpm_loss.mistake("Your loss is half of what it should be.", loses=("loss",))
def half(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, null, labels)) - noise) ** 2) / 2


@ddpm_loss.mistake(
    "Your loss is a mean of absolute values. Whose minimum is the median; whose is the mean?",
    loses=("loss",),
)
def absolute_values(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean(np.abs(model(x_t, t, np.where(drop, null, labels)) - noise))


@ddpm_loss.mistake(
    "You tell the network steps from 1. It will be asked with steps from 0 when it samples.",
    loses=("loss", "asked"),
)
def network_counts_from_one(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t + 1, np.where(drop, null, labels)) - noise) ** 2)


@ddpm_loss.mistake(
    "You hand the network data without noise. What is it to find there?",
    loses=("loss", "asked"),
)
def clean_input(model, x0, labels, t, noise, drop, bars, null):
    return np.mean((model(x0, t, np.where(drop, null, labels)) - noise) ** 2)


@ddpm_loss.mistake(
    "Two roots are missing now. Both factors are roots, the data's and the noise's.",
    loses=("loss", "asked"),
)
def both_roots_missing(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = bar * x0 + (1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, null, labels)) - noise) ** 2)


@ddpm_loss.mistake(
    "You return a loss for each example. What is asked for is one number.", loses=("loss",)
)
def one_for_each(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    gap = model(x_t, t, np.where(drop, null, labels)) - noise
    return np.mean(gap**2, axis=1)


@ddpm_loss.mistake(
    "You leave those without a label out of the loss. They are to be learnt from as well: without "
    "their label.",
    loses=("loss",),
)
def dropped_left_out(model, x0, labels, t, noise, drop, bars, null):
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    gap = (model(x_t, t, np.where(drop, null, labels)) - noise) * ~drop[:, None]
    return np.sum(gap**2) / max(np.sum(~drop) * x0.shape[1], 1)


# ddpm_step --------------------------------------------------------------------

ddpm_step = Exercise(
    "ddpm_step",
    "Derive: one step back",
    parts={"mean": 2, "posterior": 1, "beta": 1, "last": 1},
    minutes=30,
    difficulty=3,
    outcomes=(BACK,),
    kind="derive",
    forbids=FORBIDS,
)


@ddpm_step.cases
def _(rng):
    def case(n, d, t, total, part, note=""):
        x, hat, noise = rng.normal(size=(3, n, d)) * 2
        betas = rng.uniform(0.05, 0.5, size=total)
        variance = part if part in ("posterior", "beta") else str(rng.choice(["posterior", "beta"]))
        if part == "mean":
            noise = np.zeros((n, d))
        if "NaN" in note:
            noise = np.full((n, d), np.nan)
        if "with beta" in note:
            variance = "beta"
        return Case((x, t, hat, noise, betas, variance), note, (part,))

    yield case(1, 2, 2, 3, "mean", "the noisiest step, and the noise happens to be 0")
    yield case(2, 3, 1, 4, "mean", "step 1, and the noise happens to be 0")
    yield case(2, 2, 2, 4, "posterior", "a step in the middle")
    yield case(1, 2, 1, 2, "posterior", "step 1")
    yield case(1, 2, 3, 4, "posterior", "the noisiest step")
    yield case(2, 2, 2, 4, "beta", "a step in the middle")
    yield case(1, 3, 1, 3, "beta", "step 1")
    yield case(2, 2, 4, 5, "beta", "the noisiest step")
    yield case(1, 2, 0, 3, "last", "step 0, with beta")
    yield case(2, 3, 0, 4, "last", "step 0, and the noise is NaN")
    yield case(1, 2, 0, 1, "last", "a schedule of one step, with beta")
    while True:
        n, d, total = int(rng.integers(1, 4)), int(rng.integers(1, 5)), int(rng.integers(4, 9))
        part = str(rng.choice(["mean", "posterior", "beta", "last"]))
        t = 0 if part == "last" else int(rng.integers(1, total))
        yield case(n, d, t, total, part)


@ddpm_step.observe
def _(candidate, x_t, t, noise_hat, noise, betas, variance):
    found = candidate(x_t, t, noise_hat, noise, betas, variance)
    return dict.fromkeys(("mean", "posterior", "beta", "last"), found)


@ddpm_step.answer
def _(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.alternative
def by_way_of_the_data(x_t, t, noise_hat, noise, betas, variance):
    bars = np.concatenate([[1.0], np.cumprod(1 - betas)])
    before, bar = bars[t], bars[t + 1]
    x0 = (x_t - np.sqrt(1 - bar) * noise_hat) / np.sqrt(bar)
    if t == 0:
        return x0
    mean = np.sqrt(before) * betas[t] * x0 + np.sqrt(1 - betas[t]) * (1 - before) * x_t
    spread = {"beta": betas[t], "posterior": betas[t] * (1 - before) / (1 - bar)}[variance]
    return mean / (1 - bar) + np.sqrt(spread) * noise


@ddpm_step.alternative
def by_precisions(x_t, t, noise_hat, noise, betas, variance):
    alpha, bar = 1 - betas[t], np.prod(1 - betas[: t + 1])
    x0 = x_t / np.sqrt(bar) - np.sqrt(1 / bar - 1) * noise_hat
    if t < 1:
        return x0
    before = np.prod(1 - betas[:t])
    prior, likelihood = 1 / (1 - before), alpha / betas[t]
    mean = prior * np.sqrt(before) * x0 + likelihood * x_t / np.sqrt(alpha)
    mean = mean / (prior + likelihood)
    deviation = (prior + likelihood) ** -0.5 if variance == "posterior" else betas[t] ** 0.5
    return mean + deviation * noise


@ddpm_step.mistake(
    "Where `posterior` is asked for you take beta, and where beta is asked for the posterior's "
    "variance. Which of them is the smaller one?",
    loses=("posterior", "beta"),
)
def variances_swapped(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "beta":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "Your variance is beta whatever is asked for. Knowing the data as well as `x_t`, is one less "
    "sure of what stood before than the step itself made it, or more?",
    loses=("posterior",),
)
def always_beta(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    return mean if t == 0 else mean + np.sqrt(betas[t]) * noise


@ddpm_step.mistake(
    "Your variance is the posterior's whatever is asked for. DDPM has two; `variance` says which.",
    loses=("beta",),
)
def always_posterior(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    return mean + np.sqrt(betas[t] * (1 - bars[t - 1]) / (1 - bars[t])) * noise


@ddpm_step.mistake(
    "You multiply the noise by a variance. By what is it multiplied to have that variance?",
    loses=("posterior", "beta"),
)
def variance_for_deviation(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + spread * noise


@ddpm_step.mistake(
    "In your posterior's variance the two alpha-bars have changed places. Is it larger than beta?",
    loses=("posterior",),
)
def fraction_turned(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t]) / (1 - bars[t - 1])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "There is noise on your finished picture. Which step is the last one, by the statement?",
    loses=("last",),
)
def noise_at_the_end(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - (bars[t - 1] if t > 0 else 1.0)) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "Your last step is step 1, as where steps are counted from 1. Here it is step 0.",
    loses=("posterior", "beta", "last"),
)
def no_noise_at_step_one(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 1:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - (bars[t - 1] if t > 0 else 1.0)) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "You leave the noise out at steps 0 and 1. Where does the statement leave it out?",
    loses=("posterior", "beta"),
)
def no_noise_up_to_step_one(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t <= 1:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "You leave the noise out at the first step of sampling, the one with the largest index. There "
    "is a picture only at the other end.",
    loses=("posterior", "beta", "last"),
)
def no_noise_at_the_noisiest(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == len(betas) - 1:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - (bars[t - 1] if t > 0 else 1.0)) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "That is your guess at the data themselves: all steps at once. You are to go back by one.",
    loses=("mean", "posterior", "beta"),
)
def all_the_way(x_t, t, noise_hat, noise, betas, variance):
    bar = np.prod(1 - betas[: t + 1])
    return (x_t - np.sqrt(1 - bar) * noise_hat) / np.sqrt(bar)


@ddpm_step.mistake(
    "You take out all the noise that is in `x_t`, and then shrink by one step. How much of it did "
    "this step put in?",
    loses=("mean", "posterior", "beta"),
)
def all_the_noise(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "In front of your mean stands one over the root of alpha-bar. By how many steps does it go "
    "back?",
    loses=("mean", "posterior", "beta"),
)
def alpha_bar_in_front(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(bars[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "The noise in your mean is divided by 1 - alpha-bar. Solve `q_sample` for the data once more: "
    "by what is the noise multiplied there?",
)
def root_missing(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / (1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "You take out the root of beta times the guess, as if all the noise in `x_t` came from this "
    "step. What is the size of all the noise in `x_t`, and which share of it is this step's?",
    loses=("mean", "posterior", "beta"),
)
def a_step_undone(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - np.sqrt(betas[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "Right but for the last step: `bars[t - 1]` at step 0 is the last entry of the array. What was "
    "there before step 0, and what is its alpha-bar?",
    loses=("last",),
)
def index_wraps_around(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    before, bar = bars[t - 1], bars[t]
    x0 = (x_t - np.sqrt(1 - bar) * noise_hat) / np.sqrt(bar)
    mean = np.sqrt(before) * betas[t] * x0 + np.sqrt(1 - betas[t]) * (1 - before) * x_t
    mean = mean / (1 - bar)
    if t == 0:
        return mean if len(betas) > 1 else x0 + np.sqrt(betas[t]) * noise
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - before) / (1 - bar)
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "That is a step of DDIM: the same guess at data and noise, mixed anew. Which of the two "
    "samplers draws noise on the way?",
    loses=("mean", "posterior", "beta"),
)
def ddim_for_ddpm(x_t, t, noise_hat, noise, betas, variance):
    bars = np.append(np.cumprod(1 - betas), 1.0)  # the last entry stands before step 0
    x0 = (x_t - np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(bars[t])
    return np.sqrt(bars[t - 1]) * x0 + np.sqrt(1 - bars[t - 1]) * noise_hat


@ddpm_step.mistake(
    "You cut the guessed data off at -1 and 1. Many programs do; does the statement?",
)
def data_clipped(x_t, t, noise_hat, noise, betas, variance):
    bars = np.append(np.cumprod(1 - betas), 1.0)
    before, bar = bars[t - 1], bars[t]
    x0 = np.clip((x_t - np.sqrt(1 - bar) * noise_hat) / np.sqrt(bar), -1, 1)
    mean = np.sqrt(before) * betas[t] * x0 + np.sqrt(1 - betas[t]) * (1 - before) * x_t
    mean = mean / (1 - bar)
    if t == 0:
        return x0
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - before) / (1 - bar)
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "You count steps from 1: in yours `betas[t - 1]` belongs to step t. Which beta is that of "
    "step t in the statement?",
)
def steps_from_one(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = x_t - betas[t - 1] / np.sqrt(1 - bars[t - 1]) * noise_hat
    mean = mean / np.sqrt(1 - betas[t - 1])
    if t == 1:
        return mean
    spread = betas[t - 1]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 2]) / (1 - bars[t - 1])
    return mean + np.sqrt(spread) * noise


@ddpm_step.mistake(
    "At step 0 you multiply the noise by 0. What is `0 * np.nan`, and what leaves it out instead?",
    loses=("last",),
)
def masked_by_product(x_t, t, noise_hat, noise, betas, variance):
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - (bars[t - 1] if t > 0 else 1.0)) / (1 - bars[t])
    return mean + (t > 0) * np.sqrt(spread) * noise


# flow_matching_target ---------------------------------------------------------

flow_matching_target = Exercise(
    "flow_matching_target",
    "Derive: a flow that goes round",
    parts={"point": 1, "velocity": 2, "images": 1},
    minutes=15,
    difficulty=2,
    outcomes=(FORWARD, BACK),
    kind="derive",
    forbids=FORBIDS,
)


@flow_matching_target.cases
def _(rng):
    def case(shape, u, note="", parts=("point", "velocity")):
        data, noise = rng.normal(size=(2, *shape))
        return Case((data, noise, np.array(u, float)), note, parts)

    yield case((1, 3), [0.5], "half of the way")
    yield case((1, 2), [0.0], "where it begins")
    yield case((1, 2), [1.0], "where it ends")
    yield case((3, 2), [0.1, 0.6, 0.9], "three examples, each at a time of its own")
    yield case((3, 3), [0.3, 0.8, 0.2], "as many examples as numbers in each")
    yield case((2, 3, 4), [0.25, 0.7], "two images of 3 by 4 pixels", ("images",))
    yield case((2, 2, 2), [0.9, 0.4], "two images of 2 by 2 pixels", ("images",))
    while True:
        n = int(rng.integers(1, 5))
        sides = tuple(int(s) for s in rng.integers(2, 5, size=int(rng.integers(1, 4))))
        parts = ("images",) if len(sides) > 1 else ("point", "velocity")
        yield case((n, *sides), rng.random(n), "", parts)


@flow_matching_target.observe
def _(candidate, data, noise, u):
    found = list(candidate(data, noise, u))
    if len(found) != 2:
        raise ValueError(f"a point and a velocity are asked for, not {len(found)} results")
    return {"point": found[0], "velocity": found[1], "images": found}


@flow_matching_target.answer
def _(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi / 2 * (np.cos(angle) * data - np.sin(angle) * noise)


@flow_matching_target.alternative
def one_at_a_time(data, noise, u):
    points, velocities = np.empty(data.shape), np.empty(data.shape)
    for i, angle in enumerate(u * np.pi / 2):
        points[i] = np.cos(angle) * noise[i] + np.sin(angle) * data[i]
        velocities[i] = (np.cos(angle) * data[i] - np.sin(angle) * noise[i]) * np.pi / 2
    return points, velocities


@flow_matching_target.alternative
def in_the_complex_plane(data, noise, u):
    turn = np.exp(0.5j * np.pi * u).reshape(u.shape + (1,) * (data.ndim - 1))
    both = (noise - 1j * data) * turn  # its real part is the point
    return both.real.copy(), (0.5j * np.pi * both).real.copy()


@flow_matching_target.mistake(
    "Your velocity is too small, everywhere by the same factor. The angle isn't `u`: by the chain "
    "rule, how fast does it grow?",
    loses=("velocity", "images"),
)
def chain_rule_forgotten(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.cos(angle) * data - np.sin(angle) * noise


@flow_matching_target.mistake(
    "Your sign of the noise is wrong. Does a cosine grow from 0 to a right angle?",
    loses=("velocity", "images"),
)
def sign_of_the_cosine(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi / 2 * (np.cos(angle) * data + np.sin(angle) * noise)


@flow_matching_target.mistake(
    "Your velocity is that of the straight line, the same at every `u`. On a circle?",
    loses=("velocity", "images"),
)
def velocity_of_the_line(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    return np.sin(angle) * data + np.cos(angle) * noise, data - noise


@flow_matching_target.mistake("That is the straight line of the chapter. This one goes round.")
def the_straight_line(data, noise, u):
    u = u.reshape(-1, *[1] * (data.ndim - 1))
    return (1 - u) * noise + u * data, data - noise


@flow_matching_target.mistake(
    "Your flow goes from data to noise, as diffusion counts its steps. Where is it at `u = 0`, by "
    "the statement?",
)
def the_other_way(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.cos(angle) * data + np.sin(angle) * noise
    return point, np.pi / 2 * (np.cos(angle) * noise - np.sin(angle) * data)


@flow_matching_target.mistake(
    "Your point is right, your velocity points back to where it comes from.",
    loses=("velocity", "images"),
)
def velocity_backwards(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi / 2 * (np.sin(angle) * noise - np.cos(angle) * data)


@flow_matching_target.mistake(
    "Your path goes on beyond the data: at `u = 1` it has turned by two right angles. How far is "
    "a quarter of a circle?",
)
def half_a_circle(data, noise, u):
    angle = (np.pi * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi * (np.cos(angle) * data - np.sin(angle) * noise)


@flow_matching_target.mistake(
    "Right for rows of numbers. How many 1s does the shape of `u` need for images?",
    loses=("images",),
)
def rows_only(data, noise, u):
    angle = (np.pi / 2 * u)[:, None]
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi / 2 * (np.cos(angle) * data - np.sin(angle) * noise)


@flow_matching_target.mistake(
    "Your times `(N,)` go along the last axis. They are one for each example.",
    loses=("point", "velocity", "images"),
)
def times_along_the_last_axis(data, noise, u):
    angle = np.pi / 2 * u
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi / 2 * (np.cos(angle) * data - np.sin(angle) * noise)


@flow_matching_target.mistake(
    "The right two, in the other order. Which one comes first by the statement?",
)
def velocity_first(data, noise, u):
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return np.pi / 2 * (np.cos(angle) * data - np.sin(angle) * noise), point


# guided_noise -----------------------------------------------------------------

guided_noise = Exercise(
    "guided_noise",
    "A push towards the label",
    parts={"guided": 2, "none": 1, "much": 1},
    minutes=10,
    difficulty=1,
    outcomes=(BACK,),
    forbids=FORBIDS,
)


@guided_noise.cases
def _(rng):
    def case(n, d, w, part, note="", null=4):
        weights = rng.normal(size=(d, d)), rng.normal(size=(7, d))  # more rows than labels
        x_t, t = rng.normal(size=(n, d)), rng.integers(0, 9, size=n)
        return Case((*weights, x_t, t, rng.integers(0, 4, size=n), w, null), note, (part,))

    yield case(1, 2, 1.0, "guided", "one example, w = 1")
    yield case(3, 2, 0.5, "guided", "three examples, w = 0.5, and 5 stands for none", 5)
    yield case(2, 3, 0.0, "none", "w = 0")
    yield case(1, 1, 0.0, "none", "one example of one number, w = 0")
    yield case(2, 2, 7.5, "much", "w = 7.5, and 5 stands for none", 5)
    while True:
        n, d = (int(v) for v in rng.integers(1, 5, size=2))
        part = str(rng.choice(["guided", "none", "much"]))
        low, high = {"guided": (0.1, 3.0), "none": (0.0, 0.0), "much": (4.0, 20.0)}[part]
        yield case(n, d, float(rng.uniform(low, high)), part, null=int(rng.integers(4, 6)))


@guided_noise.observe
def _(candidate, weight, table, x_t, t, labels, w, null):
    import numpy

    def model(x_t, t, labels):
        turned = numpy.reshape(t, (-1, 1)) / 10
        return numpy.tanh(x_t @ weight + turned + table[labels])

    return dict.fromkeys(("guided", "none", "much"), candidate(model, x_t, t, labels, w, null))


@guided_noise.answer
def _(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, null))
    return (1 + w) * model(x_t, t, labels) - w * without


@guided_noise.alternative
def in_one_call(model, x_t, t, labels, w, null):
    both = model(
        np.concatenate([x_t, x_t]),
        np.concatenate([t, t]),
        np.concatenate([labels, np.full(len(labels), null)]),
    )
    with_label, without = both[: len(x_t)], both[len(x_t) :]
    return without + (1 + w) * (with_label - without)


@guided_noise.alternative
def as_a_push(model, x_t, t, labels, w, null):
    with_label = model(x_t, t, labels)
    push = with_label - model(x_t, t, np.array([null] * len(labels)))
    return with_label + w * push


@guided_noise.mistake(
    "Your w is a scale, at which 1 is no guidance and 0 is no label; so do many libraries. In the "
    "statement, what is left at w = 0?",
)
def scale_for_w(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, null))
    return without + w * (model(x_t, t, labels) - without)


@guided_noise.mistake(
    "With and without have changed places in yours: it pushes away from the label.",
)
def pushed_away(model, x_t, t, labels, w, null):
    with_label = model(x_t, t, labels)
    return (1 + w) * model(x_t, t, np.full_like(labels, null)) - w * with_label


@guided_noise.mistake(
    "Your two weights don't add up to 1. If both guesses were equal, what should come out?",
    loses=("guided", "much"),
)
def weights_add_up_to_more(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, null))
    return (1 + w) * model(x_t, t, labels) + w * without


@guided_noise.mistake(
    "Your weights are 1 and -w. If both guesses were equal, what should come out?",
    loses=("guided", "much"),
)
def one_and_minus_w(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, null))
    return model(x_t, t, labels) - w * without


@guided_noise.mistake(
    "Yours goes from the guess with a label towards the one without. Which way is the push?",
    loses=("guided", "much"),
)
def pulled_back(model, x_t, t, labels, w, null):
    with_label = model(x_t, t, labels)
    return with_label - w * (with_label - model(x_t, t, np.full_like(labels, null)))


@guided_noise.mistake(
    "You ask for digit 0 where you mean no label. Which number stands for none?",
    loses=("guided", "much"),
)
def nought_for_none(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.zeros_like(labels))
    return (1 + w) * model(x_t, t, labels) - w * without


@guided_noise.mistake(
    "-1 stands for none in other programs. Which number does here?", loses=("guided", "much")
)
def minus_one_for_none(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, -1))
    return (1 + w) * model(x_t, t, labels) - w * without


@guided_noise.mistake(
    "Yours takes 4 for the label that stands for none, wherever `null` is another number.",
    loses=("guided", "much"),
)
def four_for_none(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, 4))
    return (1 + w) * model(x_t, t, labels) - w * without


@guided_noise.mistake(
    "That is a mean of the two guesses, between them. The push goes beyond the one with a label.",
    loses=("guided", "much"),
)
def a_mean_of_both(model, x_t, t, labels, w, null):
    without = model(x_t, t, np.full_like(labels, null))
    return (model(x_t, t, labels) + w * without) / (1 + w)


@guided_noise.mistake(
    "`w` makes no difference in yours.",
    loses=("guided", "much"),
)
def no_guidance(model, x_t, t, labels, w, null):
    return model(x_t, t, labels)


@guided_noise.mistake(
    "Yours can't push by more than a weight of 1. The statement has no upper limit.",
    loses=("much",),
)
def w_cut_off(model, x_t, t, labels, w, null):
    w = min(w, 3.0)
    without = model(x_t, t, np.full_like(labels, null))
    return (1 + w) * model(x_t, t, labels) - w * without


# sampling_forecast ------------------------------------------------------------

sampling_forecast = Exercise(
    "sampling_forecast",
    "Predict: what sampling costs and gives",
    parts=dict.fromkeys(
        ("half", "variance", "blind", "draws", "ddpm", "ddim", "euler", "copies"), 1
    ),
    minutes=15,
    difficulty=2,
    outcomes=(BACK, JUDGE),
    kind="predict",
    of="value",
)


@sampling_forecast.answer
def _():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.alternative
def by_formula():
    steps = int(np.ceil(np.log(0.5) / np.log(0.98)))
    return {
        "half": steps - 1,
        "variance": 0.25 * 4 + 0.75,
        "blind": np.mean(np.array([1.0, -1.0]) ** 2),
        "draws": 1 + 199,
        "ddpm": 200,
        "ddim": 2 * 20,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.alternative
def by_walking():
    bar, t = 1.0, -1
    while bar >= 0.5:
        bar, t = bar * (1 - 0.02), t + 1
    draws = 1 + sum(step > 0 for step in range(200))
    return {
        "half": t,
        "variance": np.float64(1.75),
        "blind": 1,
        "draws": draws,
        "ddpm": len(range(200)),
        "ddim": sum(2 for _ in range(20)),
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`half`: after that many steps, yes. Which index has the last of them?", loses=("half",)
)
def half_from_one():
    return {
        "half": 35,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`half`: after that step it is still a little more than half. Count the factors once more.",
    loses=("half",),
)
def half_too_early():
    return {
        "half": 33,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`half`: there the *root* of alpha-bar falls below a half. What is asked for?", loses=("half",)
)
def half_of_the_root():
    return {
        "half": 68,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`half`: you take 0.02 off each time. A step takes its share of what is left.", loses=("half",)
)
def half_by_sums():
    return {
        "half": 25,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`variance`: the pixel is multiplied by the root of alpha-bar. By what is its variance?",
    loses=("variance",),
)
def variance_by_the_root():
    return {
        "half": 34,
        "variance": 2.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`variance`: so much is left of the data's, and so much would there be in all if theirs were "
    "1. What comes in besides, and whose is it here?",
    loses=("variance",),
)
def variance_is_one():
    return {
        "half": 34,
        "variance": 1.0,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`variance`: the noise's share is right. What has become of the data's own?",
    loses=("variance",),
)
def variance_of_the_data():
    return {
        "half": 34,
        "variance": 4.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`variance`: only data of variance 1 keep theirs. What does the factor do to a variance of 4?",
    loses=("variance",),
)
def variance_kept():
    return {
        "half": 34,
        "variance": 4.0,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`blind`: it says 0 and the noise is around 0, but squares don't cancel.", loses=("blind",)
)
def blind_is_nought():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 0.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`blind`: that is the sum over an image. The loss is a mean over pixels, too.",
    loses=("blind",),
)
def blind_sum():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 144.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`draws`: you begin with noise and draw some at each step. At each?", loses=("draws",)
)
def draws_at_the_end():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 201,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake("`draws`: from what does sampling start?", loses=("draws",))
def draws_without_the_start():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 199,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`ddpm`: the network makes a guess at step 0, too, though nothing is drawn there.",
    loses=("ddpm",),
)
def ddpm_without_the_last():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 199,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`ddpm`: you let every image ask by itself. What is handed to the network in one call?",
    loses=("ddpm",),
)
def ddpm_one_by_one():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 12_800,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`ddim`: which two guesses does guidance need at each step?", loses=("ddim",)
)
def ddim_unguided():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 20,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`ddim`: that is all 200 steps with guidance. How many does DDIM visit here?", loses=("ddim",)
)
def ddim_all_steps():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 400,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`ddpm`: you count two guesses at each step. Does this batch have guidance?",
    loses=("ddpm",),
)
def ddpm_guided():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 400,
        "ddim": 40,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`ddim`: you let every image ask by itself. What is handed to the network in one call?",
    loses=("ddim",),
)
def ddim_one_by_one():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 2560,
        "euler": 1,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`euler`: there is only one picture. Along one straight line, does the velocity ever change?",
    loses=("euler",),
)
def euler_there_and_corrected():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 2,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`euler`: with one picture in the world, in which direction and how fast does each point of "
    "noise go, from beginning to end? What does a step of Euler lose on a straight line?",
    loses=("euler",),
)
def euler_needs_many():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 200,
        "copies": 0.0,
    }


@sampling_forecast.mistake(
    "`copies`: that is the distance of test images. How far is a copy from what it copies?",
    loses=("copies",),
)
def copies_as_far_as_test():
    return {
        "half": 34,
        "variance": 1.75,
        "blind": 1.0,
        "draws": 200,
        "ddpm": 200,
        "ddim": 40,
        "euler": 1,
        "copies": 1.9,
    }


# written ----------------------------------------------------------------------

faces_for_sale = Question(
    "faces_for_sale",
    "Faces that belong to nobody",
    points=5,
    minutes=12,
    outcomes=(JUDGE,),
    rubric="""\
- 1 point: the first number sees one thing only: that a classifier finds a face (of the asked-for
  kind). One good face, repeated, or copies of the training photographs would get as much; and the
  score of real photographs, kept aside, isn't given beside it.
- 1 point: the second number compares means and spreads of features. It can see missing diversity
  (partly), but photographs of the training set would get the best score of all: it can't see
  copying.
- 1 point: so neither number supports "belong to nobody". Asks for the distance from each generated
  image to its nearest training image, with real photographs that weren't trained on as the
  yardstick, and for the smallest distances, not the mean alone.
- 1 point: says what the distance misses (a copy that is shifted, mirrored, cropped or recoloured
  is far away in pixels; a person can be recognised without any pixel alike), and names something
  better: distance in the features of a network that tells persons apart; looking at the nearest
  pairs; images that occur several times in the training set, asked for by their own labels.
- 1 point: a decision with its condition or consequence: not to sell as harmless before that; or
  whose consent or licence covers the training photographs; or who is missing among the faces.
- No point for "AI images are always fake" or "use more data" without saying of what.""",
    exemplars={
        "full": """\
Neither number says what the sentence claims. That a detector finds a face in 99 % of the images
says they look like faces to this detector. A single face printed a thousand times would get it, and
so would the photographs it was trained on; I'd want the rate for real photographs next to it. A
distance between feature statistics does notice if half of the variety is missing. But the training
photographs themselves would have the best distance there is, so a generator that copies passes. For
"belong to nobody" I need to know how near each image is to its nearest training photograph, with
photographs of persons who weren't in the training set as a yardstick, and I'd look at the hundred
nearest pairs and not at the mean. In pixels, though, a mirrored or cropped copy is far away, so I'd
measure with a face recogniser's features and try the persons who occur most often in the training
set first. Until then I would not sell them as nobody's faces, and I'd ask whether those 40,000
people agreed to this use.""",
        "partial": """\
The scores only show that the images are realistic and similar to the real ones, not that they are
new. The model might have memorised training images, so they should search for the nearest
neighbours in the training data.""",
        "typical": """\
99 % is very good and the distance of 4 is as small as for real images, so the model has learned the
distribution and generalises. As every image starts from random noise, no two are the same, and they
can't belong to a real person.""",
    },
)
