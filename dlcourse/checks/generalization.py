"""The exercises of ``generalization``: what fits too well, and what to do about it.

Conventions: dropout's p is the share that goes, and training divides by 1 - p; weight decay adds
half of lambda times the sum of squares of the weights, not of the biases; a loss improves only if
it is strictly smaller; epochs count from 0; a deviation over seeds divides by their number less 1.
"""

import itertools

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

DIAGNOSE, REGULARISE, LEAK = (
    "generalization-diagnose",
    "generalization-regularise",
    "generalization-leak",
)
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# dropout ----------------------------------------------------------------------

dropout = Exercise(
    "dropout",
    "Dropout, forward and backward",
    parts={"y": 2, "dx": 1, "evaluation": 1, "all_dropped": 1},
    minutes=12,
    difficulty=1,
    outcomes=(REGULARISE,),
    forbids=FORBIDS,
)


@dropout.cases
def _(rng):
    def arrays(n, d, p):
        return rng.normal(size=(n, d)), rng.normal(size=(n, d)), rng.random((n, d)) >= p

    train, evaluation, everything = ("y", "dx"), ("evaluation",), ("all_dropped",)
    x, dy = np.array([[1.0, 2.0, -3.0, 4.0]]), np.array([[1.0, -2.0, 3.0, 5.0]])
    keep = np.array([[True, False, True, False]])
    yield Case((x, dy, keep, 0.2, True), "one sample, a fifth is dropped on average", train)
    yield Case((x, dy, keep, 0.2, False), "evaluation, though a mask is given", evaluation)
    gone = np.zeros((2, 3), dtype=bool)
    yield Case((*arrays(2, 3, 0)[:2], gone, 1.0, True), "p is 1: everything is dropped", everything)
    yield Case((*arrays(3, 2, 0.0), 0.0, True), "p is 0: everything stays", train)
    yield Case((*arrays(2, 2, 0.5)[:2], ~gone[:, :2], 0.5, True), "nobody happens to go", train)
    yield Case((*arrays(2, 3, 0)[:2], gone, 0.75, True), "everybody happens to go", train)
    yield Case((*arrays(2, 3, 0)[:2], gone, 1.0, False), "evaluation with a p of 1", evaluation)
    yield Case((*arrays(4, 3, 0.9), 0.9, True), "p is 0.9", train)
    zeros, stay = np.array([[0.0, 2.0], [0.0, 0.0]]), np.array([[True, True], [True, False]])
    yield Case((zeros, arrays(2, 2, 0)[1], stay, 0.5, True), "some x are 0 and stay", train)
    while True:
        n, d = (int(v) for v in rng.integers(1, 6, size=2))
        p = float(rng.choice([0.1, 0.3, 0.6, 0.8]))
        if rng.random() < 0.7:
            yield Case((*arrays(n, d, p), p, True), "", train)
        else:
            yield Case((*arrays(n, d, p), p, False), "", evaluation)


@dropout.observe
def _(candidate, x, dy, keep, p, training):
    y, dx = candidate(x, dy, keep, p, training)
    return {"y": y, "dx": dx, "evaluation": [y, dx], "all_dropped": [y, dx]}


@dropout.answer
def _(x, dy, keep, p, training):
    if not training:
        return x.copy(), dy.copy()
    if p == 1:
        return np.zeros_like(x), np.zeros_like(dy)
    factor = keep / (1 - p)
    return x * factor, dy * factor


@dropout.alternative
def by_choosing(x, dy, keep, p, training):
    if not training:
        return x, dy
    stays = max(1 - p, 1e-300)
    return np.where(keep, x / stays, 0.0), np.where(keep, dy / stays, 0.0)


@dropout.alternative
def entry_by_entry(x, dy, keep, p, training):
    y, dx = np.zeros(x.shape), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        if not training:
            y[i], dx[i] = x[i], dy[i]
        elif keep[i]:
            y[i], dx[i] = x[i] / (1 - p), dy[i] / (1 - p)
    return y, dx


@dropout.mistake(
    "What stays has its old size, so the layer behind gets less in training than in evaluation. "
    "By which factor?",
    loses=("y", "dx"),
)
def not_scaled(x, dy, keep, p, training):
    return (x * keep, dy * keep) if training else (x, dy)


@dropout.mistake(
    "Original dropout: you shrink in evaluation. The statement puts the whole scaling into "
    "training.",
    loses=("y", "dx", "evaluation"),
)
def scaled_in_evaluation(x, dy, keep, p, training):
    return (x * keep, dy * keep) if training else (x * (1 - p), dy * (1 - p))


@dropout.mistake(
    "You divide by p, the share that goes. Which share is left to make up for it?",
    loses=("y", "dx", "all_dropped"),
)
def divided_by_p(x, dy, keep, p, training):
    if not training:
        return x, dy
    if p == 1:
        raise ValueError
    with np.errstate(all="ignore"):
        return x * keep / p, dy * keep / p


@dropout.mistake(
    "You make what stays smaller, not larger. Its mean over many masks should be x.",
    loses=("y", "dx"),
)
def multiplied_by_the_rest(x, dy, keep, p, training):
    return (x * keep * (1 - p), dy * keep * (1 - p)) if training else (x, dy)


@dropout.mistake(
    "Upside down: `keep` is True where an entry stays. Which ones do you clear?",
    loses=("y", "dx", "all_dropped"),
)
def drops_the_kept(x, dy, keep, p, training):
    if not training:
        return x, dy
    with np.errstate(all="ignore"):
        factor = ~keep / (1 - np.float64(p))
        return x * factor, dy * factor


@dropout.mistake(
    "Nobody is dropped in evaluation, whatever the mask says. Who asks `training`?",
    loses=("evaluation",),
)
def drops_in_evaluation(x, dy, keep, p, training):
    factor = keep / (1 - p) if p < 1 else np.zeros(x.shape)
    return x * factor, dy * factor


@dropout.mistake(
    "dy comes back through all units. Did those that were silenced have a say in the loss?",
    loses=("dx", "all_dropped"),
)
def no_mask_backward(x, dy, keep, p, training):
    if not training:
        return x, dy
    if p == 1:
        return np.zeros_like(x), dy
    return x * keep / (1 - p), dy


@dropout.mistake(
    "The mask is in your dx, and the factor isn't. By how much does y grow if a kept x grows by 1?",
    loses=("dx",),
)
def no_scale_backward(x, dy, keep, p, training):
    if not training:
        return x, dy
    if p == 1:
        return np.zeros_like(x), np.zeros_like(dy)
    return x * keep / (1 - p), dy * keep


@dropout.mistake(
    "Your dx is unmasked but scaled. A unit that was silenced: does its x move the loss?",
    loses=("dx", "all_dropped"),
)
def scale_without_mask_backward(x, dy, keep, p, training):
    if not training:
        return x, dy
    if p == 1:
        return np.zeros_like(x), dy
    return x * keep / (1 - p), dy / (1 - p)


@dropout.mistake(
    "You read the mask off y. An x of 0 that stays gives a y of 0 too: which argument knows who "
    "stays?",
    loses=("dx",),
)
def mask_read_off_y(x, dy, keep, p, training):
    if not training:
        return x, dy
    if p == 1:
        return np.zeros_like(x), np.zeros_like(dy)
    y = x * keep / (1 - p)
    return y, dy * (y != 0) / (1 - p)


@dropout.mistake(
    "With p = 1 you divide 0 by 0. What is left of a layer of which everything goes?",
    loses=("all_dropped",),
)
def nothing_by_nothing(x, dy, keep, p, training):
    if not training:
        return x, dy
    with np.errstate(all="ignore"):
        factor = keep / np.float64(1 - p)
        return x * factor, dy * factor


@dropout.mistake(
    "You rescale by the share that happens to stay in this mask. The statement's factor depends "
    "on p alone.",
    loses=("y", "dx"),
)
def by_the_masks_own_share(x, dy, keep, p, training):
    if not training:
        return x, dy
    share = keep.mean() or 1.0
    return x * keep / share, dy * keep / share


@dropout.mistake(
    "You cleared entries of the caller's own x. Make an array of your own.",
    loses=("y", "dx", "all_dropped"),
)
def writes_into_x(x, dy, keep, p, training):
    factor = np.ones(x.shape) if not training else keep / max(1 - p, 1e-300)
    x *= factor
    dy *= factor
    return x, dy


@dropout.mistake("float64 came in, and float32 goes out: half of the digits are lost.")
def single_precision(x, dy, keep, p, training):
    factor = np.ones(x.shape) if not training else keep / max(1 - p, 1e-300)
    return (x * factor).astype(np.float32), (dy * factor).astype(np.float32)


# weight_decay_gradient --------------------------------------------------------

weight_decay_gradient = Exercise(
    "weight_decay_gradient",
    "Weight decay: the penalty and its gradient",
    parts={"penalty": 1, "weights": 2, "biases": 1},
    minutes=10,
    difficulty=1,
    outcomes=(REGULARISE,),
    forbids=FORBIDS,
)


@weight_decay_gradient.cases
def _(rng):
    def network(*sizes):
        params = {}
        for i, (d, k) in enumerate(itertools.pairwise(sizes)):
            params[f"{i}.weight"] = rng.normal(size=(k, d)) + 0.2
            params[f"{i}.bias"] = rng.normal(size=k) + 0.2
        return params, {name: rng.normal(size=p.shape) for name, p in params.items()}

    small = {"0.weight": np.array([[1.0, -2.0]]), "0.bias": np.array([3.0])}
    grads = {"0.weight": np.array([[0.5, 0.5]]), "0.bias": np.array([-1.0])}
    yield Case((small, grads, 0.1), "two weights and a bias")
    yield Case((*network(3, 4, 2), 0.5), "two layers")
    flat = {name: np.zeros_like(g) for name, g in grads.items()}
    yield Case((small, flat, 0.1), "a loss without a gradient")
    yield Case((*network(3, 2), 0.0), "no decay: lambda is 0", ("weights", "biases"))
    yield Case((*network(1, 3), 3.0), "lambda is 3")
    norm = {"0.weight": rng.normal(size=3) + 1, "0.bias": rng.normal(size=3)}
    yield Case((norm, {n: g + 1 for n, g in norm.items()}, 0.2), "a weight with one axis")
    yield Case((*network(2, 5, 1), 1e-3), "a small lambda")
    while True:
        sizes = [int(v) for v in rng.integers(1, 6, size=rng.integers(2, 5))]
        yield Case((*network(*sizes), float(rng.choice([0.01, 0.3, 2.0]))))


@weight_decay_gradient.observe
def _(candidate, params, grads, lam):
    penalty, new = candidate(params, grads, lam)
    return {
        "penalty": penalty,
        "weights": [new[name] for name in params if name.endswith("weight")],
        "biases": [new[name] for name in params if name.endswith("bias")],
    }


@weight_decay_gradient.answer
def _(params, grads, lam):
    penalty, new = 0.0, {}
    for name, param in params.items():
        decayed = name.endswith("weight")
        penalty += 0.5 * lam * np.sum(param**2) if decayed else 0.0
        new[name] = grads[name] + lam * param if decayed else grads[name].copy()
    return penalty, new


@weight_decay_gradient.alternative
def weights_first(params, grads, lam):
    weights = [name for name in params if not name.endswith("bias")]
    new = {**grads, **{name: grads[name] + lam * params[name] for name in weights}}
    return lam / 2 * sum(np.vdot(params[n], params[n]) for n in weights), new


@weight_decay_gradient.alternative
def number_by_number(params, grads, lam):
    total, new = 0.0, {}
    for name in params:
        new[name] = np.array(grads[name])
        if "weight" in name:
            for i in np.ndindex(params[name].shape):
                total += params[name][i] ** 2
                new[name][i] += lam * params[name][i]
    return float(total * lam / 2), new


@weight_decay_gradient.mistake(
    "The gradient is twice what it should be: that is the penalty without its half. Which "
    "convention does the statement state?",
    loses=("penalty", "weights"),
)
def without_the_half(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: grads[n] + (2 * lam * params[n] if n in w else 0) for n in params}
    return lam * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "Your penalty lacks the half that the statement gives it, though your gradient has it.",
    loses=("penalty",),
)
def penalty_without_the_half(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: grads[n] + (lam * params[n] if n in w else 0) for n in params}
    return lam * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "A weight with one axis isn't decayed in yours. What decides, by the statement: the shape or "
    "the name?",
    loses=("penalty", "weights"),
)
def matrices_only(params, grads, lam):
    w = [n for n in params if params[n].ndim > 1]
    new = {n: grads[n] + (lam * params[n] if n in w else 0) for n in params}
    return lam / 2 * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "A square's derivative has a 2, and the penalty has a half. Together?", loses=("weights",)
)
def gradient_with_a_two(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: grads[n] + (2 * lam * params[n] if n in w else 0) for n in params}
    return lam / 2 * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "You decay the biases as well. The statement names who is spared.",
    loses=("penalty", "biases"),
)
def biases_too(params, grads, lam):
    new = {n: grads[n] + lam * params[n] for n in params}
    return lam / 2 * sum((p**2).sum() for p in params.values()), new


@weight_decay_gradient.mistake(
    "Your penalty counts the biases, though your gradients spare them. A penalty and its gradient "
    "speak of the same numbers.",
    loses=("penalty",),
)
def biases_in_the_penalty(params, grads, lam):
    new = {n: grads[n] + (lam * params[n] if n.endswith("weight") else 0) for n in params}
    return lam / 2 * sum((p**2).sum() for p in params.values()), new


@weight_decay_gradient.mistake(
    "The biases' gradients have changed, though they don't stand in your penalty.",
    loses=("biases",),
)
def biases_in_the_gradient(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: grads[n] + lam * params[n] for n in params}
    return lam / 2 * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "Your weights would grow: a training step subtracts the gradient. Which sign makes them "
    "shrink?",
    loses=("weights",),
)
def growing(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: grads[n] - (lam * params[n] if n in w else 0) for n in params}
    return lam / 2 * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "That is the penalty's own gradient. The loss has one too: what is the gradient of the sum?",
    loses=("weights", "biases"),
)
def penalty_alone(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: lam * params[n] if n in w else np.zeros_like(params[n]) for n in params}
    return lam / 2 * sum((params[n] ** 2).sum() for n in w), new


@weight_decay_gradient.mistake(
    "You pull every weight by the same amount, whatever its size. That is the gradient of the sum "
    "of sizes, L1.",
    loses=("penalty", "weights"),
)
def lasso(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    new = {n: grads[n] + (lam * np.sign(params[n]) if n in w else 0) for n in params}
    return lam * sum(np.abs(params[n]).sum() for n in w), new


@weight_decay_gradient.mistake(
    "You take the mean of the squares: a large layer is then decayed less. The statement has a "
    "sum.",
    loses=("penalty", "weights"),
)
def mean_of_squares(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    size = sum(params[n].size for n in w) + 1e-9
    new = {n: grads[n] + (lam / size * params[n] if n in w else 0) for n in params}
    return lam / 2 * sum((params[n] ** 2).sum() for n in w) / size, new


@weight_decay_gradient.mistake(
    "You penalise the length of all weights, not its square, and its gradient is shorter or longer "
    "than lambda times the weights.",
    loses=("penalty", "weights"),
)
def length_not_squared(params, grads, lam):
    w = [n for n in params if n.endswith("weight")]
    length = np.sqrt(sum((params[n] ** 2).sum() for n in w))
    new = {n: grads[n] + (lam * params[n] / length if n in w else 0) for n in params}
    return lam * length, new


@weight_decay_gradient.mistake(
    "You wrote into the gradients that you were handed. Make arrays of your own."
)
def writes_into_grads(params, grads, lam):
    total = 0.0
    for n, p in params.items():
        if n.endswith("weight"):
            total += (p**2).sum()
            grads[n] += lam * p + 1e-300
    return lam / 2 * total, grads


# early_stopping ---------------------------------------------------------------

early_stopping = Exercise(
    "early_stopping",
    "Early stopping",
    parts={"kept": 2, "stopped": 2, "nan": 1},
    minutes=15,
    difficulty=2,
    outcomes=(REGULARISE, DIAGNOSE),
    forbids=FORBIDS,
)


@early_stopping.cases
def _(rng):
    usual, nan = ("kept", "stopped"), ("nan",)

    def case(*losses, patience, note="", parts=usual):
        return Case((np.array(losses, dtype=np.float64), patience), note, parts)

    yield case(0.9, 0.5, 0.6, 0.7, 0.8, 0.1, patience=2, note="a better epoch comes too late")
    yield case(0.9, 0.95, 0.5, 0.6, 0.4, 0.7, 0.8, 0.2, patience=2, note="the wait begins anew")
    yield case(0.5, 0.5, 0.5, 0.4, patience=3, note="ties")
    yield case(0.6, 0.4, 0.4, 0.5, 0.3, 0.9, patience=2, note="a tie for the smallest")
    yield case(0.3, 0.9, 0.1, patience=1, note="a patience of 1, the first epoch is the best")
    yield case(0.9, 0.8, 0.7, patience=2, note="it never stops: the losses run out")
    yield case(0.5, patience=3, note="one epoch")
    yield case(0.9, 0.5, 0.8, 0.7, 0.6, 0.4, patience=3, note="falling, but not below the best")
    yield case(np.nan, 0.9, 0.8, 0.9, 0.9, patience=2, note="NaN at first", parts=nan)
    yield case(0.9, np.nan, 0.5, np.nan, np.nan, 0.1, patience=2, note="NaN on the way", parts=nan)
    yield case(0.9, 0.5, np.nan, 0.7, patience=3, note="NaN towards the end", parts=nan)
    yield case(np.nan, np.nan, np.nan, 0.5, patience=3, note="nothing but NaN", parts=nan)
    while True:
        n, patience = int(rng.integers(4, 15)), int(rng.integers(1, 5))
        if rng.random() < 0.25:
            losses = rng.permutation(n) / 4 + 0.25  # no ties: they aren't what this part asks
            losses[rng.integers(0, n)] = np.nan
            yield Case((losses, patience), "", nan)
        else:
            losses = np.abs(np.linspace(-1, 1, n)) + rng.integers(0, 4, size=n) / 4 + 0.25
            yield Case((losses, patience), "", usual)


@early_stopping.observe
def _(candidate, losses, patience):
    kept, stopped = candidate(losses, patience)
    return {"kept": kept, "stopped": stopped, "nan": [kept, stopped]}


@early_stopping.answer
def _(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            return kept, epoch
    return kept, len(losses) - 1


@early_stopping.alternative
def by_looking_back(losses, patience):
    filled = np.where(np.isnan(losses), np.inf, losses)
    for epoch in range(len(filled)):
        seen = filled[: epoch + 1]
        first = int(np.argmin(seen))
        since = epoch - first if np.isfinite(seen[first]) else epoch + 1
        if since >= patience:
            break
    return (first if np.isfinite(filled[first]) else None), epoch


@early_stopping.alternative
def by_the_last_improvement(losses, patience):
    kept, last = None, -1
    for epoch in range(len(losses)):
        if not np.isnan(losses[epoch]) and (kept is None or losses[epoch] < losses[kept]):
            kept = last = epoch
        if epoch - last == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You keep the epoch at which training ends. Which weights had the smallest loss?",
    loses=("kept", "nan"),
)
def keeps_the_last(losses, patience):
    best, waited = np.inf, 0
    for epoch, loss in enumerate(losses):
        last = epoch
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return last, last


@early_stopping.mistake(
    "You stop one epoch too late: after `patience` epochs without an improvement there is no "
    "further one.",
    loses=("stopped", "nan", "kept"),
)
def one_too_many(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited > patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You stop one epoch too early. How many epochs without an improvement are allowed to pass?",
)
def one_too_few(losses, patience):
    kept, best, waited = None, np.inf, 1
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best, waited = epoch, loss, 1
        else:
            waited += 1
        if waited >= patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "An equal loss starts your wait anew. Is it an improvement, by the statement?",
    loses=("kept", "stopped"),
)
def ties_improve(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss <= best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You never set the wait back to 0. Is it `patience` epochs in all, or in a row?",
    loses=("kept", "stopped", "nan"),
)
def never_reset(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best = epoch, loss
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You compare with the epoch before. A loss may fall for a while and still be above the best.",
    loses=("kept", "stopped", "nan"),
)
def against_the_epoch_before(losses, patience):
    kept, before, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < before:
            kept, waited = epoch, 0
        else:
            waited += 1
        before = loss
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You look at epochs that a stopped training never reaches. What was known when it ended?",
    loses=("kept", "nan"),
)
def best_of_all(losses, patience):
    best, waited = np.inf, 0
    for epoch, loss in enumerate(losses):
        last = epoch
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return int(np.nanargmin(losses)) if np.isfinite(losses).any() else None, last


@early_stopping.mistake(
    "You look for the smallest of all losses first, and count the patience from there. Would a "
    "training that stops have got so far?",
    loses=("kept", "stopped", "nan"),
)
def smallest_first(losses, patience):
    if np.isnan(losses).all():
        return None, min(patience, len(losses)) - 1
    kept = int(np.nanargmin(losses))
    return kept, min(kept + patience, len(losses) - 1)


@early_stopping.mistake(
    "You count from 1. The first epoch is number 0.", loses=("kept", "stopped", "nan")
)
def counts_from_one(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You hand back how many epochs have run. The statement asks for the number of the last one.",
    loses=("stopped", "nan"),
)
def how_many_ran(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch + 1


@early_stopping.mistake(
    "A NaN becomes your best loss, and nothing is ever smaller than NaN. Which way does a "
    "comparison with NaN come out?",
    loses=("nan",),
)
def nan_sticks(losses, patience):
    kept, best, waited = 0, losses[0], 0
    for epoch, loss in enumerate(losses[1:], 1):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            return kept, epoch
    return kept, len(losses) - 1


@early_stopping.mistake(
    "An epoch with NaN counts as an improvement: `not loss >= best` is true of NaN.",
    loses=("nan",),
)
def nan_improves(losses, patience):
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if not loss >= best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "An epoch with NaN doesn't make you wait. Does it bring an improvement?", loses=("nan",)
)
def nan_skipped(losses, patience):
    kept, best, waited, epoch = None, np.inf, 0, 0
    for epoch, loss in enumerate(losses):
        if np.isnan(loss):
            continue
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You end at the first NaN. The statement lets it count as an epoch without an improvement.",
    loses=("nan",),
)
def nan_ends(losses, patience):
    kept, best, waited, epoch = None, np.inf, 0, 0
    for epoch, loss in enumerate(losses):
        if np.isnan(loss):
            return kept, epoch
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You say 0 where no epoch was ever an improvement. What is kept then?", loses=("nan",)
)
def first_where_none(losses, patience):
    kept, best, waited = 0, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


@early_stopping.mistake(
    "You keep the epoch with the largest number. These are losses: which of them are good?",
    loses=("kept", "stopped", "nan"),
)
def as_if_accuracies(losses, patience):
    kept, best, waited = None, -np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss > best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            break
    return kept, epoch


# learning_curve ---------------------------------------------------------------

learning_curve = Exercise(
    "learning_curve",
    "What would more data bring?",
    parts={"mean": 1, "spread": 1, "forecast": 2},
    minutes=15,
    difficulty=2,
    outcomes=(DIAGNOSE,),
    forbids=FORBIDS,
)


@learning_curve.cases
def _(rng):
    errors = np.array([[0.2, 0.1], [0.4, 0.3], [0.3, 0.2]])
    yield Case((np.array([100, 400]), errors, 1600), "three seeds, two sizes")
    exact = 2.0 * np.array([100.0, 200.0, 800.0]) ** -0.5
    yield Case(
        (np.array([100, 200, 800]), np.stack([exact * 0.9, exact * 1.1]), 3200),
        "the means lie on a power law",
    )
    yield Case((np.array([100, 400]), errors, 400), "a forecast where there are measurements")
    flat = np.array([[0.25, 0.25, 0.25], [0.35, 0.35, 0.35]])
    yield Case((np.array([50, 100, 800]), flat, 10_000), "a curve that doesn't fall")
    rising = np.array([[0.1, 0.2, 0.1], [0.3, 0.2, 0.4]])
    yield Case((np.array([1000, 30, 200]), rising, 60), "sizes in no order, a forecast between")
    while True:
        sizes = np.sort(rng.choice(np.array([30, 60, 100, 250, 500, 1000, 4000]), 4, replace=False))
        law = rng.uniform(1, 2) * sizes ** -rng.uniform(0.2, 0.5)
        noise = np.exp(0.2 * rng.normal(size=(int(rng.integers(2, 6)), 4)))
        yield Case((sizes, law * noise, int(rng.choice([2000, 8000, 20_000]))))


@learning_curve.observe
def _(candidate, sizes, errors, target):
    mean, spread, forecast = candidate(sizes, errors, target)
    return {"mean": mean, "spread": spread, "forecast": forecast}


@learning_curve.answer
def _(sizes, errors, target):
    mean, spread = errors.mean(axis=0), errors.std(axis=0, ddof=1)
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, spread, np.exp(offset + slope * np.log(target))


@learning_curve.alternative
def by_centred_sums(sizes, errors, target):
    mean = errors.sum(axis=0) / len(errors)
    spread = np.sqrt(((errors - mean) ** 2).sum(axis=0) / (len(errors) - 1))
    u, v = np.log10(sizes), np.log10(mean)
    slope = np.sum((u - u.mean()) * (v - v.mean())) / np.sum((u - u.mean()) ** 2)
    return mean, spread, float(10 ** (v.mean() + slope * (np.log10(target) - u.mean())))


@learning_curve.alternative
def by_least_squares(sizes, errors, target):
    table = np.column_stack([np.ones(len(sizes)), np.log(sizes)])
    mean = np.array([np.mean(column) for column in errors.T])
    a, b = np.linalg.lstsq(table, np.log(mean), rcond=None)[0]
    return mean, np.array([np.std(c, ddof=1) for c in errors.T]), np.exp(a) * target**b


@learning_curve.mistake(
    "You average over the sizes. Which axis do the seeds lie on?",
)
def over_the_sizes(sizes, errors, target):
    mean, spread = errors.mean(axis=1), errors.std(axis=1, ddof=1)
    slope, offset = np.polyfit(np.log(sizes[: len(mean)]), np.log(mean[: len(sizes)]), 1)
    return mean, spread, np.exp(offset + slope * np.log(target))


@learning_curve.mistake(
    "Your spread divides by the number of seeds. Which divisor does the statement name?",
    loses=("spread",),
)
def divides_by_n(sizes, errors, target):
    mean, spread = errors.mean(axis=0), errors.std(axis=0)
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, spread, np.exp(offset + slope * np.log(target))


@learning_curve.mistake(
    "That is the standard error, the spread of the mean. The statement asks for the deviation of "
    "the runs.",
    loses=("spread",),
)
def standard_error(sizes, errors, target):
    mean = errors.mean(axis=0)
    spread = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, spread, np.exp(offset + slope * np.log(target))


@learning_curve.mistake(
    "That is a variance. A spread has the unit of what it belongs to.", loses=("spread",)
)
def variance(sizes, errors, target):
    mean, spread = errors.mean(axis=0), errors.var(axis=0, ddof=1)
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, spread, np.exp(offset + slope * np.log(target))


@learning_curve.mistake(
    "Half the distance from the smallest to the largest: two seeds decide it. Which deviation "
    "uses them all?",
    loses=("spread",),
)
def half_the_range(sizes, errors, target):
    mean, spread = errors.mean(axis=0), np.ptp(errors, axis=0) / 2 + 1e-12
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, spread * 1.0000001, np.exp(offset + slope * np.log(target))


@learning_curve.mistake(
    "A straight line through error against size: far to the right it forecasts errors below 0. "
    "On which axes is a power law straight?",
    loses=("forecast",),
)
def straight_line(sizes, errors, target):
    slope, offset = np.polyfit(sizes, errors.mean(axis=0), 1)
    return errors.mean(axis=0), errors.std(axis=0, ddof=1), offset + slope * target


@learning_curve.mistake(
    "Only the sizes are logarithms in your line. What about the errors?", loses=("forecast",)
)
def half_logarithmic(sizes, errors, target):
    slope, offset = np.polyfit(np.log(sizes), errors.mean(axis=0), 1)
    return errors.mean(axis=0), errors.std(axis=0, ddof=1), offset + slope * np.log(target)


@learning_curve.mistake(
    "Only the errors are logarithms in your line: an exponential. What about the sizes?",
    loses=("forecast",),
)
def exponential(sizes, errors, target):
    slope, offset = np.polyfit(sizes, np.log(errors.mean(axis=0)), 1)
    return errors.mean(axis=0), errors.std(axis=0, ddof=1), np.exp(offset + slope * target)


@learning_curve.mistake(
    "Your forecast is a logarithm. How does an error come back from it?", loses=("forecast",)
)
def left_as_a_logarithm(sizes, errors, target):
    mean = errors.mean(axis=0)
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, errors.std(axis=0, ddof=1), offset + slope * np.log(target)


@learning_curve.mistake(
    "You put the line through the logarithms of all runs. The statement takes the means first.",
    loses=("forecast",),
)
def mean_of_logarithms(sizes, errors, target):
    slope, offset = np.polyfit(np.log(sizes), np.log(errors).mean(axis=0), 1)
    forecast = np.exp(offset + slope * np.log(target))
    return errors.mean(axis=0), errors.std(axis=0, ddof=1), forecast


@learning_curve.mistake(
    "You carry on from the first and the last size alone. The line is by least squares, through "
    "all.",
    loses=("forecast",),
)
def through_two_points(sizes, errors, target):
    mean = errors.mean(axis=0)
    slope = np.log(mean[-1] / mean[0]) / np.log(sizes[-1] / sizes[0])
    forecast = mean[-1] * (target / sizes[-1]) ** slope
    return mean, errors.std(axis=0, ddof=1), forecast


@learning_curve.mistake(
    "You assume that errors fall with the root of the size. Let the data say how fast.",
    loses=("forecast",),
)
def root_of_the_size(sizes, errors, target):
    mean = errors.mean(axis=0)
    return mean, errors.std(axis=0, ddof=1), mean[-1] * np.sqrt(sizes[-1] / target)


# mended_pipeline --------------------------------------------------------------

mended_pipeline = Exercise(
    "mended_pipeline",
    "Find the leaks",
    parts={"duplicates": 2, "scale": 2, "augmentation": 2},
    minutes=20,
    difficulty=3,
    outcomes=(LEAK,),
    kind="mend",
    forbids=FORBIDS,
)


@mended_pipeline.cases
def _(rng):
    # Each part has cases in which the two other leaks do nothing. Rows of ±1 that come with their
    # opposites have mean 0 and deviation 1, whichever pairs are taken, mirrored or not.
    def pairs(count, width):
        seen: set = set()
        rows: list = []
        while len(rows) < 2 * count:
            row = rng.choice([-1.0, 1.0], size=width)
            key, mirrored = tuple(row), tuple(row[::-1])
            if key in seen or mirrored in (key, tuple(-row)):
                continue
            seen |= {key, mirrored, tuple(-row), tuple(-row[::-1])}
            rows += [row, -row]
        return np.array(rows)

    def scale(n, width, validation):
        x = rng.normal(size=(n, width)) * rng.uniform(0.5, 3, size=width) + 2
        return x, rng.integers(0, 5, size=n), rng.permutation(n), validation, False

    def duplicates(validation):
        x = pairs(4, 5)
        order = rng.permutation(4)[:, None] * 2 + np.array([0, 1])  # a row and its opposite
        labels = rng.integers(0, 5, size=8)
        # again two pairs: one copies a pair of the validation part, one of the training part
        chosen = np.concatenate([order[0], order[-1]])
        x, labels = np.concatenate([x, x[chosen]]), np.concatenate([labels, labels[chosen]])
        return x, labels, np.concatenate([order.ravel(), [8, 9, 10, 11]]), validation, False

    def early():
        # All rows together are balanced, and so is what is left to train on. What would be trained
        # on if copies were taken out after the split isn't.
        x, labels = pairs(4, 5), rng.integers(0, 5, size=8)
        a, b, c, d = rng.permutation(4) * 2
        x = np.concatenate([x, x[[a, a + 1]]])  # rows 8 and 9 are copies of a pair
        labels = np.concatenate([labels, labels[[a, a + 1]]])
        order = np.array([8, b, b + 1, a, a + 1, 9, c, c + 1, d, d + 1])
        return x, labels, order, 4, False

    def augmentation(validation):
        x = pairs(4, 5)
        order = (rng.permutation(4)[:, None] * 2 + np.array([0, 1])).ravel()
        return x, rng.integers(0, 5, size=8), order, validation, True

    yield Case(scale(5, 2, 2), "no row twice, nothing is mirrored", ("scale",))
    yield Case(duplicates(2), "rows that come twice", ("duplicates",))
    yield Case(augmentation(2), "mirrored", ("augmentation",))
    yield Case(early(), "a copy stands before the row that it copies", ("duplicates",))
    yield Case(scale(4, 3, 1), "a validation part of one row", ("scale",))
    yield Case(duplicates(4), "rows that come twice, in both parts", ("duplicates",))
    yield Case(augmentation(4), "as many to train as to validate", ("augmentation",))
    while True:
        yield Case(scale(int(rng.integers(4, 9)), int(rng.integers(1, 4)), 2), "", ("scale",))
        yield Case(duplicates(int(rng.choice([2, 4]))), "", ("duplicates",))
        yield Case(early(), "", ("duplicates",))
        yield Case(augmentation(int(rng.choice([2, 4, 6]))), "", ("augmentation",))


@mended_pipeline.observe
def _(candidate, x, labels, order, validation, mirror):
    parts = list(candidate(x, labels, order, validation, mirror))
    return {"duplicates": parts, "scale": parts, "augmentation": parts}


@mended_pipeline.answer
def _(x, labels, order, validation, mirror):
    seen: set = set()
    rows: list = []
    for i in order:
        if x[i].tobytes() not in seen:
            seen.add(x[i].tobytes())
            rows.append(i)
    held, train = np.array(rows[:validation]), np.array(rows[validation:])
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
    x_train, y_train = (x[train] - mean) / deviation, labels[train]
    if mirror:
        mirrored = (x[train][:, ::-1] - mean) / deviation
        x_train = np.concatenate([x_train, mirrored])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, (x[held] - mean) / deviation, labels[held]


@mended_pipeline.alternative
def by_unique_rows(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    if mirror:
        x_train = np.vstack([x_train, x_train[:, ::-1]])
        y_train = np.tile(y_train, 2)
    return (x_train - mean) / deviation, y_train, (x[held] - mean) / deviation, labels[held]


@mended_pipeline.alternative
def row_by_row(x, labels, order, validation, mirror):
    kept: list = []
    for i in order:
        if not any(np.array_equal(x[i], x[j]) for j in kept):
            kept.append(i)
    train = kept[validation:]
    centre = sum(x[i] for i in train) / len(train)
    width = np.sqrt(sum((x[i] - centre) ** 2 for i in train) / len(train))
    x_train = [(x[i] - centre) / width for i in train]
    y_train = [labels[i] for i in train]
    if mirror:
        x_train += [(x[i][::-1] - centre) / width for i in train]
        y_train += y_train
    x_held = [(x[i] - centre) / width for i in kept[:validation]]
    held = np.array([labels[i] for i in kept[:validation]])
    return np.array(x_train), np.array(y_train), np.array(x_held), held


@mended_pipeline.mistake(
    "All three faults are still there. For each line ask: what does the training part learn here "
    "about the validation part?"
)
def as_handed_out(x, labels, order, validation, mirror):
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x, labels = x[order], labels[order]
    if mirror:
        x = np.concatenate([x, x[:, ::-1]])
        labels = np.concatenate([labels, labels])
    return x[validation:], labels[validation:], x[:validation], labels[:validation]


@mended_pipeline.mistake(
    "Mean and deviation still come from all rows. Which rows may you know when you train?",
    loses=("scale",),
)
def scaled_by_all(x, labels, order, validation, mirror):
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x[held], labels[held]


@mended_pipeline.mistake(
    "You scale each part by its own numbers. In use a single row comes: which mean and which "
    "deviation would it get?",
    loses=("scale",),
)
def each_by_itself(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train, x_held = x[train], labels[train], x[held]
    x_train = (x_train - x_train.mean(axis=0)) / x_train.std(axis=0)
    deviation = x_held.std(axis=0)
    x_held = (x_held - x_held.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "The training part is scaled, the validation part isn't. Do the two speak of the same numbers?",
    loses=("scale",),
)
def validation_not_scaled(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    x_train = (x_train - x_train.mean(axis=0)) / x_train.std(axis=0)
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x[held], labels[held]


@mended_pipeline.mistake(
    "You divide by a deviation with N - 1. The function that you were given divided by N."
)
def unbiased_deviation(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    mean = x_train.mean(axis=0)
    deviation = x_train.std(axis=0, ddof=1)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "A row that stands in both parts has been seen before it is asked. Where do copies have to go, "
    "and when?",
    loses=("duplicates",),
)
def copies_stay(x, labels, order, validation, mirror):
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "You remove copies within each part. One that stands in the *other* part is still there.",
    loses=("duplicates",),
)
def copies_within_each_part(x, labels, order, validation, mirror):
    def once(rows):
        return rows[np.sort(np.unique(x[rows], axis=0, return_index=True)[1])]

    held, train = once(order[:validation]), once(order[validation:])
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "`np.unique` sorts the rows, and the shuffled order is gone. Which row did it find first?",
    loses=("duplicates", "scale", "augmentation"),
)
def sorted_by_unique(x, labels, order, validation, mirror):
    x, first = np.unique(x, axis=0, return_index=True)
    labels = labels[first]
    x_train, y_train = x[validation:], labels[validation:]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    deviation = np.where(deviation == 0, 1, deviation)
    x_train, x_held = (x_train - mean) / deviation, (x[:validation] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[:validation]


@mended_pipeline.mistake(
    "The mirror images of the validation rows are still trained on. Mirror what, and when?",
    loses=("augmentation",),
)
def mirrored_before_the_split(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    x, labels = x[order], labels[order]
    mean, deviation = x[validation:].mean(axis=0), x[validation:].std(axis=0)
    x = (x - mean) / deviation
    if mirror:
        x = np.concatenate([x, x[:, ::-1]])
        labels = np.concatenate([labels, labels])
    return x[validation:], labels[validation:], x[:validation], labels[:validation]


@mended_pipeline.mistake(
    "You mirror the validation part too. Training examples are made up; what should validation "
    "look like?",
    loses=("augmentation",),
)
def validation_mirrored_too(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train, x_held, y_held = x[train], labels[train], x[held], labels[held]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x_held - mean) / deviation
    if mirror:
        x_train, x_held = (np.concatenate([part, part[:, ::-1]]) for part in (x_train, x_held))
        y_train, y_held = (np.concatenate([part, part]) for part in (y_train, y_held))
    return x_train, y_train, x_held, y_held


@mended_pipeline.mistake(
    "Nothing is mirrored any more. The leak is closed, and the augmentation gone with it.",
    loses=("augmentation",),
)
def never_mirrored(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
    return (x[train] - mean) / deviation, labels[train], (x[held] - mean) / deviation, labels[held]


@mended_pipeline.mistake(
    "You mirror from top to bottom: the order of the rows, not of the numbers in a row.",
    loses=("augmentation",),
)
def mirrored_the_other_way(x, labels, order, validation, mirror):
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "You take out of the training part what stands in validation. Rows that come twice within one "
    "part are still there twice.",
    loses=("duplicates",),
)
def copies_between_the_parts_only(x, labels, order, validation, mirror):
    held, train = order[:validation], order[validation:]
    train = train[[not (x[held] == x[i]).all(axis=1).any() for i in train]]
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "You split before the copies are gone, so the validation part comes out too small. Which of "
    "the two steps is first?",
    loses=("duplicates",),
)
def copies_taken_out_of_validation(x, labels, order, validation, mirror):
    train = order[validation:]
    train = train[np.sort(np.unique(x[train], axis=0, return_index=True)[1])]
    fresh = [i for i in order[:validation] if not (x[train] == x[i]).all(axis=1).any()]
    held = np.array(fresh, dtype=np.int64)
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "Of two copies you keep the one with the smaller number. Which of them comes first in `order`?",
    loses=("duplicates",),
)
def smaller_number_kept(x, labels, order, validation, mirror):
    _, first = np.unique(x, axis=0, return_index=True)
    order = order[np.isin(order, first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = x[train], labels[train]
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_held = (x_train - mean) / deviation, (x[held] - mean) / deviation
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, x_held, labels[held]


@mended_pipeline.mistake(
    "Mean and deviation are taken before the copies are gone, so copies of validation rows are in "
    "them. Which rows are trained on?",
    loses=("duplicates",),
)
def scaled_with_the_copies(x, labels, order, validation, mirror):
    rows = x[order[validation:]]
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    _, first = np.unique(x[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    x_train, y_train = (x[train] - mean) / deviation, labels[train]
    if mirror:
        mirrored = (x[train][:, ::-1] - mean) / deviation
        x_train = np.concatenate([x_train, mirrored])
        y_train = np.concatenate([y_train, y_train])
    return x_train, y_train, (x[held] - mean) / deviation, labels[held]


# noise_forecast ---------------------------------------------------------------

noise_forecast = Exercise(
    "noise_forecast",
    "Predict: who asks, and by which labels?",
    parts={
        "one_train": 1,
        "one_train_truth": 1,
        "one_fresh": 1,
        "one_fresh_noisy": 1,
        "vote_fresh": 1,
        "vote_fresh_noisy": 1,
    },
    minutes=12,
    difficulty=2,
    outcomes=(DIAGNOSE,),
    kind="predict",
    of="value",
)


@noise_forecast.observe
def _(candidate):
    return dict(candidate())


@noise_forecast.answer
def _():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 50,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.alternative
def as_floats():
    return {
        "one_train": 100.0,
        "one_train_truth": 70.0,
        "one_fresh": 70.0,
        "one_fresh_noisy": 100 * 0.5,
        "vote_fresh": 100.0,
        "vote_fresh_noisy": 70.0,
    }


@noise_forecast.alternative
def calculated():
    q = 0.3
    agree = (1 - q) ** 2 + q * q / 9
    one = round(100 * (1 - q))
    return {
        "one_train": 100,
        "one_train_truth": one,
        "one_fresh": one,
        "one_fresh_noisy": round(100 * agree),
        "vote_fresh": 100,
        "vote_fresh_noisy": one,
    }


@noise_forecast.mistake(
    "You count only the cases in which both labels are right. Can two wrong labels agree?",
    loses=("one_fresh_noisy",),
)
def wrong_never_agrees():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 49,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "Two wrong labels don't always agree: there are nine of them to choose from.",
    loses=("one_fresh_noisy",),
)
def two_classes_only():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 58,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "The fresh label is noisy too, independently of the neighbour's. You count one of the two.",
    loses=("one_fresh_noisy",),
)
def one_noise_only():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 70,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "A training example is its own nearest neighbour. Whose label does it get, right or wrong?",
    loses=("one_train",),
)
def training_labels_can_be_missed():
    return {
        "one_train": 70,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 50,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "It repeats what it was told. How much of that was the truth?", loses=("one_train_truth",)
)
def memory_is_truth():
    return {
        "one_train": 100,
        "one_train_truth": 100,
        "one_fresh": 70,
        "one_fresh_noisy": 50,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "Nobody votes with one neighbour: its label is the answer. How often is it wrong?",
    loses=("one_fresh",),
)
def one_neighbour_is_right():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 100,
        "one_fresh_noisy": 50,
        "vote_fresh": 100,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "101 labels, 70 % of them right, the others spread over nine classes. Which class has most?",
    loses=("vote_fresh",),
)
def noise_survives_the_vote():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 50,
        "vote_fresh": 70,
        "vote_fresh_noisy": 70,
    }


@noise_forecast.mistake(
    "The vote is right, and it is asked by labels that aren't always. What is the most that "
    "anybody can get?",
    loses=("vote_fresh_noisy",),
)
def judge_without_fault():
    return {
        "one_train": 100,
        "one_train_truth": 70,
        "one_fresh": 70,
        "one_fresh_noisy": 50,
        "vote_fresh": 100,
        "vote_fresh_noisy": 100,
    }


@noise_forecast.mistake("Those are shares. The statement asks for percent, from 0 to 100.")
def shares():
    return {
        "one_train": 1.0,
        "one_train_truth": 0.7,
        "one_fresh": 0.7,
        "one_fresh_noisy": 0.5,
        "vote_fresh": 1.0,
        "vote_fresh_noisy": 0.7,
    }


# expected_dropout_loss --------------------------------------------------------

expected_dropout_loss = Exercise(
    "expected_dropout_loss",
    "On paper: what dropout asks for on average",
    parts={"loss": 3},
    minutes=20,
    difficulty=3,
    outcomes=(REGULARISE,),
    kind="derive",
    forbids=FORBIDS,
)


@expected_dropout_loss.cases
def _(rng):
    yield Case((np.array([[1.0]]), np.array([0.0]), np.array([2.0]), 0.2), "one input")
    yield Case((np.array([[1.0, 3.0]]), np.array([1.0]), np.array([2.0, -1.0]), 0.25), "two inputs")

    def case(n, d, p):
        return rng.normal(size=(n, d)) + 0.3, rng.normal(size=n), rng.normal(size=d), p

    yield Case(case(4, 3, 0.0), "p is 0: no dropout")
    yield Case(case(5, 3, 0.3), "five samples")
    x, _, weight, p = case(3, 4, 0.6)
    yield Case((x, x @ weight, weight, p), "the fit is perfect without dropout")
    yield Case((np.eye(3), np.zeros(3), np.ones(3), 0.9), "p is 0.9")
    while True:
        n, d = (int(v) for v in rng.integers(1, 6, size=2))
        yield case(n, d, float(rng.choice([0.1, 0.3, 0.5, 0.7])))


@expected_dropout_loss.observe
def _(candidate, x, target, weight, p):
    return {"loss": candidate(x, target, weight, p)}


@expected_dropout_loss.answer
def _(x, target, weight, p):
    error = x @ weight - target
    return 0.5 * np.mean(error**2 + p / (1 - p) * (x**2 @ weight**2))


@expected_dropout_loss.alternative
def over_all_masks(x, target, weight, p):
    total, d = 0.0, len(weight)
    for mask in np.ndindex(*[2] * d):
        m = np.array(mask)
        chance = np.prod(np.where(m == 1, 1 - p, p))
        total += chance * np.mean((x * m / (1 - p) @ weight - target) ** 2) / 2
    return float(total)


@expected_dropout_loss.alternative
def square_of_the_mean_and_variance(x, target, weight, p):
    terms = x * weight
    second = sum((row**2).sum() / (1 - p) + row.sum() ** 2 - (row**2).sum() for row in terms)
    cross = np.sum(-2 * target * terms.sum(axis=1) + target**2)
    return (second + cross) / (2 * len(x))


@expected_dropout_loss.mistake(
    "That is the loss of the mean prediction. The prediction varies with the mask: what does the "
    "square make of its variance?"
)
def of_the_mean_prediction(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2)


@expected_dropout_loss.mistake(
    "The variance of a mask of 0 and 1 is p (1 - p). And of one that is divided by 1 - p?"
)
def mask_not_divided(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2 + p * (1 - p) * (x**2 @ weight**2))


@expected_dropout_loss.mistake(
    "You have p itself where the mask's variance belongs. Work it out: what is the mean of its "
    "square?"
)
def p_for_the_variance(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2 + p * (x**2 @ weight**2))


@expected_dropout_loss.mistake(
    "You add the mean of the mask's square. Its variance is less than that by the square of its "
    "mean."
)
def mean_square_for_the_variance(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2 + (x**2 @ weight**2) / (1 - p))


@expected_dropout_loss.mistake(
    "You take p for the share that stays, as the original paper does. Here it is the share that "
    "goes."
)
def p_stays(x, target, weight, p):
    with np.errstate(all="ignore"):
        odds = np.float64(1 - p) / p
    return 0.5 * np.mean((x @ weight - target) ** 2 + odds * (x**2 @ weight**2))


@expected_dropout_loss.mistake(
    "Nothing is divided by 1 - p in yours: the original dropout, whose mean prediction is too "
    "small."
)
def not_inverted(x, target, weight, p):
    error = (1 - p) * (x @ weight) - target
    return 0.5 * np.mean(error**2 + p * (1 - p) * (x**2 @ weight**2))


@expected_dropout_loss.mistake(
    "You square the sum over the inputs. Each input has a mask of its own: which variances add?"
)
def one_mask_for_all_inputs(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2 + p / (1 - p) * (x @ weight) ** 2)


@expected_dropout_loss.mistake("The half of the loss stands before both terms, not only the first.")
def half_once(x, target, weight, p):
    return np.mean(0.5 * (x @ weight - target) ** 2 + p / (1 - p) * (x**2 @ weight**2))


@expected_dropout_loss.mistake("Twice too large: the statement's loss has a half.")
def no_half(x, target, weight, p):
    return np.mean((x @ weight - target) ** 2 + p / (1 - p) * (x**2 @ weight**2))


@expected_dropout_loss.mistake(
    "Your second term doesn't see the inputs. By what is a weight multiplied before it comes or "
    "goes?"
)
def plain_weight_decay(x, target, weight, p):
    return 0.5 * (np.mean((x @ weight - target) ** 2) + p / (1 - p) * (weight**2).sum())


@expected_dropout_loss.mistake(
    "You add over the samples. The statement's loss is a mean over them."
)
def sum_over_samples(x, target, weight, p):
    return 0.5 * np.sum((x @ weight - target) ** 2 + p / (1 - p) * (x**2 @ weight**2))


@expected_dropout_loss.mistake(
    "Your second term is added up over the samples while the first is a mean. Both belong to it."
)
def penalty_not_averaged(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2) + 0.5 * p / (1 - p) * np.sum(x**2 @ weight**2)


@expected_dropout_loss.mistake("The deviation of the mask stands where its variance belongs.")
def deviation_for_the_variance(x, target, weight, p):
    return 0.5 * np.mean((x @ weight - target) ** 2 + np.sqrt(p / (1 - p)) * (x**2 @ weight**2))


# too_good_to_be_true ----------------------------------------------------------

too_good_to_be_true = Question(
    "too_good_to_be_true",
    "Ninety-nine per cent",
    points=5,
    minutes=12,
    outcomes=(LEAK, DIAGNOSE),
    rubric="""\
- 1 point: several images of one patient stand in both parts, so the network may know the patient,
  not the disease; the split has to be by patient.
- 1 point: copies rotated before the split put near-duplicates of validation images into the
  training part; augmentation comes after it, for the training part only.
- 1 point: the epoch, or the setting, was chosen among many by the very number that is reported;
  that takes a third part, touched once. (Standardising by all images, if named and explained, also
  earns this point.)
- 1 point: an experiment that would tell: the same training after a split by patient; images of a
  hospital that wasn't there; labels shuffled by patient, which must bring it down to guessing.
- 1 point: what weight decay and dropout can and can't do: they act on what is learnt, and a leak
  makes the measurement wrong, whatever is learnt. More images of the same patients don't help
  either.
""",
    exemplars={
        "full": (
            "99 % is measured on images that the network has nearly seen. Each patient has several "
            "images and they were shuffled over both parts, so it can recognise the patient; and "
            "the rotated copies were made before the split, so many validation images have a twin "
            "in training. The best of 200 epochs was picked by validation accuracy and that same "
            "number is reported, which is too good as well. I would split by patient first, rotate "
            "only training images, choose on the validation part and report once on a test part of "
            "other patients. As a test of my suspicion I would give each patient a random label: "
            "an honest pipeline must then come down to guessing; theirs will still score high. "
            "Dropout and weight decay change what the network learns, they can't mend a wrong "
            "measurement, and more images of the same patients repeat the fault."
        ),
        "partial": (
            "The network overfits: it has seen rotated copies of validation images in training. "
            "The rotation should come after splitting. I would try it again that way and also use "
            "stronger dropout so that the accuracy at the other hospital goes up."
        ),
        "typical": (
            "The accuracy in the clinic is lower because the network is overfitted. One should add "
            "dropout and weight decay, stop earlier and collect more images."
        ),
    },
)
