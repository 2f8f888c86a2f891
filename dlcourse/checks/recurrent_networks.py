"""The exercises of ``recurrent-networks``: one step, the way back through time, padding, splits.

Conventions: batch first, (N, T, D), as torch with ``batch_first=True``; weights are
(hidden_size, input_size) and (hidden_size, hidden_size), two biases, tanh, as in
``torch.nn.RNNCell``; a mask is True where there is something; a masked mean is over the places of
the whole batch; truncation cuts a sequence into pieces of k steps, counted from its beginning, and
passes on states but no gradients; a rolling window keeps its length and moves on by its test part.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

STEP, BACK, HONEST = (
    "recurrent-networks-step",
    "recurrent-networks-back",
    "recurrent-networks-honest",
)
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch", "dlcourse.models")


# rnn_cell ---------------------------------------------------------------------

rnn_cell = Exercise(
    "rnn_cell",
    "One step, for those that are still going",
    parts={"step": 2, "ended": 1, "padding": 1},
    minutes=12,
    difficulty=1,
    outcomes=(STEP,),
    forbids=FORBIDS,
)


@rnn_cell.cases
def _(rng):
    def case(n, d, size, running, note="", part="ended", junk=None):
        x, h = rng.normal(size=(n, d)), rng.uniform(-0.9, 0.9, size=(n, size))
        running = np.array(running)
        if junk is not None:
            x[~running] = junk
        weights = rng.normal(size=(size, d)), rng.normal(size=(size, size))
        biases = rng.normal(size=size), rng.normal(size=size)
        return Case((x, h, *weights, *biases, running), note, (part,))

    yield case(1, 2, 3, [True], "one sequence, 2 features, 3 hidden units", "step")
    yield case(3, 4, 2, [True] * 3, "three sequences, all still going", "step")
    yield case(2, 3, 3, [True] * 2, "as many features as hidden units", "step")
    yield case(3, 2, 4, [True, False, True], "the second of three has ended")
    yield case(2, 3, 2, [False, False], "both have ended")
    yield case(3, 2, 2, [False, True, False], "padding of NaN", "padding", np.nan)
    yield case(2, 1, 3, [True, False], "padding that is infinite", "padding", np.inf)
    seen = case(2, 2, 2, [True, False], "a NaN in the sequence that is still going", "padding")
    seen.args[0][0, 1] = np.nan
    yield seen
    large = case(2, 1, 3, [True] * 2, "the sum under the tanh is in the thousands", "step")
    x, weight_ih = large.args[0], large.args[2]
    x[:] = [[2000.0], [-3000.0]]
    weight_ih[:] = np.sign(weight_ih) * rng.uniform(1, 2, size=weight_ih.shape)
    yield large
    while True:
        n, d, size = (int(v) for v in rng.integers(1, 5, size=3))
        part = str(rng.choice(["step", "ended", "padding"]))
        running = np.ones(n, bool) if part == "step" else rng.random(n) < 0.5
        yield case(n, d, size, running, "", part, np.nan if part == "padding" else None)


@rnn_cell.observe
def _(candidate, x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = candidate(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running)
    return dict.fromkeys(("step", "ended", "padding"), new)


@rnn_cell.answer
def _(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)
    return np.where(running[:, None], new, h)


@rnn_cell.alternative
def only_those_that_run(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = h.copy()
    both = np.hstack([x[running], h[running]])
    weight = np.hstack([weight_ih, weight_hh])
    new[running] = np.tanh(both @ weight.T + (bias_ih + bias_hh))
    return new


@rnn_cell.alternative
def one_by_one(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    rows = []
    for i in range(len(x)):
        if running[i]:
            rows.append(np.tanh(weight_ih @ x[i] + weight_hh @ h[i] + bias_ih + bias_hh))
        else:
            rows.append(h[i])
    return np.array(rows)


@rnn_cell.alternative
def by_a_sigmoid(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    z = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    with np.errstate(over="ignore"):  # 1 / infinity is 0, which is right
        new = 2 / (1 + np.exp(-2 * z)) - 1
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "`weight_hh` is square, so it fits both ways round, and you use it the wrong way. Which of its "
    "axes belongs to the new state?"
)
def recurrent_weight_turned(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh + bias_hh)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "Your shapes fit only where there are as many features as hidden units. Which axis of "
    "`weight_ih` are the features?"
)
def weights_turned(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih + bias_ih + h @ weight_hh + bias_hh)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "One of the two biases makes no difference to your answer. How many biases does the equation "
    "have?"
)
def one_bias(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake("Your states lie between 0 and 1. Between which numbers does tanh lie?")
def sigmoid_for_tanh(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    with np.errstate(over="ignore"):
        new = 1 / (1 + np.exp(-(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)))
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "None of your states is negative. That is `nonlinearity='relu'`, torch's other choice. Which "
    "one is in the equation?"
)
def relu_for_tanh(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.maximum(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 0)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "Some of your states are above 1 or below -1. Which function of the equation is missing?"
)
def no_activation(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    return np.where(running[:, None], new, h)


@rnn_cell.mistake("You add the old state after the tanh. In the equation, what is inside the tanh?")
def state_outside(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih) + h @ weight_hh.T + bias_hh
    return np.where(running[:, None], new, h)


@rnn_cell.mistake("Your step doesn't depend on `h`. How can the network remember anything then?")
def no_memory(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + bias_hh)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "In yours a sequence that has ended goes on and reads padding. What does `running` say about "
    "it?",
    loses=("ended", "padding"),
)
def everybody_runs(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    return np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)


@rnn_cell.mistake(
    "In yours the state of a sequence that has ended becomes 0. Its last state is needed later: "
    "what does the statement say about it?",
    loses=("ended", "padding"),
)
def ended_is_zero(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)
    return np.where(running[:, None], new, 0.0)


@rnn_cell.mistake(
    "In yours the sequences that are still going keep their state, and those that have ended get "
    "a new one. When is `running` True?"
)
def mask_turned(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)
    return np.where(running[:, None], h, new)


@rnn_cell.mistake(
    "NaN of the padding gets into your states. What is `0 * np.nan`, and which function chooses "
    "instead of multiplying?",
    loses=("padding",),
)
def masked_by_product(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)
    m = running[:, None].astype(float)
    return m * new + (1 - m) * h


@rnn_cell.mistake(
    "You replace every NaN of `x` by a number, also in a sequence that is still going. Then nobody "
    "sees that something is wrong there. How can you leave only the padding out?",
    loses=("padding",),
)
def every_nan_replaced(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    x = np.where(np.isnan(x), 0.0, x)
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "Your formula for the tanh is right, but `np.exp(1000)` is too large for a float. Which NumPy "
    "function calculates a tanh for every number?",
    loses=("step",),
)
def tanh_by_exponentials(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    z = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    with np.errstate(over="ignore", invalid="ignore"):
        new = (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "Your tanh is right for negative sums and small ones, but `np.exp(2000)` is too large for a "
    "float. Which NumPy function calculates a tanh for every number?",
    loses=("step",),
)
def tanh_by_one_exponential(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    z = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    with np.errstate(over="ignore", invalid="ignore"):
        new = (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1)
    return np.where(running[:, None], new, h)


@rnn_cell.mistake(
    "Your answer has fewer rows than the batch. Where is the state of those that have ended?",
    loses=("ended", "padding"),
)
def ended_are_dropped(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    x, h = x[running], h[running]
    return np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)


@rnn_cell.mistake(
    "A sequence that has ended doesn't quite keep its state: it goes through the tanh once more. "
    "Do you choose before the tanh, or after it?",
    loses=("ended", "padding"),
)
def kept_state_bent(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    z = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    return np.tanh(np.where(running[:, None], z, h))


# bptt -------------------------------------------------------------------------

bptt = Exercise(
    "bptt",
    "Back through time, all of it or in pieces",
    parts={"dx": 2, "dweight_ih": 1, "dweight_hh": 2, "dbias": 1, "dh0": 1, "truncated": 2},
    minutes=30,
    difficulty=3,
    outcomes=(BACK,),
    kind="derive",
    forbids=FORBIDS,
)


@bptt.cases
def _(rng):
    def case(n, steps, d, size, k, note="", scale=1):
        x, bias = rng.normal(size=(n, steps, d)), rng.normal(size=size) / 4
        w_x, w_h = rng.normal(size=(size, d)) / 2, rng.normal(size=(size, size)) / 2
        h = np.empty((n, steps + 1, size))
        h[:, 0] = rng.uniform(-0.8, 0.8, size=(n, size))
        for t in range(steps):
            h[:, t + 1] = np.tanh(x[:, t] @ w_x.T + h[:, t] @ w_h.T + bias)
        dh = scale * rng.normal(size=(n, steps, size))
        parts = ("truncated",) if k < steps else ("dx", "dweight_ih", "dweight_hh", "dbias", "dh0")
        return Case((dh, h, x, w_x, w_h, k), note, parts)

    yield case(1, 1, 1, 1, 1, "one step of one unit")
    yield case(2, 3, 2, 3, 3, "three steps in one piece")
    yield case(2, 4, 3, 2, 9, "a piece longer than the sequence")
    yield case(2, 4, 2, 3, 2, "two pieces of two steps")
    yield case(2, 7, 2, 2, 3, "pieces of three steps, and a rest of one")
    yield case(2, 8, 3, 2, 3, "pieces of three steps, and a rest of two")
    yield case(2, 3, 1, 2, 1, "no gradient crosses any step")
    yield case(3, 5, 2, 2, 4, "the rest is one step")
    yield case(2, 12, 2, 3, 12, "twelve steps in one piece, gradients of a hundred and more", 100)
    while True:
        n, d, size = (int(v) for v in rng.integers(1, 4, size=3))
        steps = int(rng.integers(1, 8))
        yield case(n, steps, d, size, int(rng.integers(1, steps + 2)))


@bptt.observe
def _(candidate, dh, h, x, weight_ih, weight_hh, k):
    found = list(candidate(dh, h, x, weight_ih, weight_hh, k))
    if len(found) != 5:
        raise ValueError(f"five gradients are asked for, not {len(found)}")
    names = ("dx", "dweight_ih", "dweight_hh", "dbias", "dh0")
    return dict(zip(names, found, strict=True)) | {"truncated": found}


@bptt.answer
def _(dh, h, x, weight_ih, weight_hh, k):
    dx, dweight_ih, dweight_hh = (
        np.zeros(x.shape),
        np.zeros_like(weight_ih),
        np.zeros_like(weight_hh),
    )
    dbias, later = np.zeros(len(weight_hh)), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:  # the last step of a piece: no gradient comes back
            later = np.zeros(later.shape)
        da = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        dx[:, t] = da @ weight_ih
        dweight_ih += da.T @ x[:, t]
        dweight_hh += da.T @ h[:, t]
        dbias += da.sum(axis=0)
        later = da @ weight_hh
    return dx, dweight_ih, dweight_hh, dbias, later


@bptt.alternative
def piece_by_piece(dh, h, x, weight_ih, weight_hh, k):
    n, steps, _ = x.shape
    da = np.zeros(dh.shape)
    dh0 = None
    for start in range(0, steps, k):
        flowing = np.zeros((n, len(weight_hh)))
        for t in range(min(start + k, steps) - 1, start - 1, -1):
            da[:, t] = (dh[:, t] + flowing) * (1 - h[:, t + 1] ** 2)
            flowing = da[:, t] @ weight_hh
        if dh0 is None:
            dh0 = flowing
    return (
        da @ weight_ih,
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
        da.sum(axis=(0, 1)),
        dh0,
    )


@bptt.alternative
def every_loss_by_itself(dh, h, x, weight_ih, weight_hh, k):
    steps = x.shape[1]
    da, dh0 = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for source in range(steps):
        g = dh[:, source]
        for t in range(source, source // k * k - 1, -1):
            g = g * (1 - h[:, t + 1] ** 2)
            da[:, t] += g
            g = g @ weight_hh
        if source < k:
            dh0 += g
    rows = da.reshape(-1, da.shape[2])
    dweight_ih = rows.T @ x.reshape(-1, x.shape[2])
    dweight_hh = rows.T @ h[:, :-1].reshape(-1, h.shape[2])
    return da @ weight_ih, dweight_ih, dweight_hh, rows.sum(axis=0), dh0


@bptt.mistake(
    "Right with one piece. With several, your gradient goes back over the seams: what is passed "
    "from one piece to the next, and what isn't?",
    loses=("truncated",),
)
def truncation_ignored(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "In yours each loss goes back over k steps of its own. That is a truncation, too, and in use. "
    "But here the sequence is cut into pieces: over how many steps does the loss at the first step "
    "of a piece go back?",
    loses=("truncated",),
)
def k_steps_for_each_loss(dh, h, x, weight_ih, weight_hh, k):
    da, dh0 = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for source in range(x.shape[1]):
        g = dh[:, source]
        for t in range(source, max(source - k, -1), -1):
            g = g * (1 - h[:, t + 1] ** 2)
            da[:, t] += g
            g = g @ weight_hh
        if source < k:
            dh0 += g
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), dh0


@bptt.mistake(
    "Your pieces are counted from the end, so that the short one comes first. Where does the "
    "statement begin to count?",
    loses=("truncated",),
)
def counted_from_the_end(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    steps = x.shape[1]
    for t in reversed(range(steps)):
        if (steps - 1 - t) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "Your first seam is one step early: the first piece has k - 1 steps in yours. Steps are "
    "counted from 0: which number has the last step of the first piece?",
    loses=("truncated",),
)
def seam_one_early(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 2) % k == 0 and t + 2 <= x.shape[1] and k < x.shape[1]:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "Your seam is one step late: the first piece has k + 1 steps in yours. Steps are counted "
    "from 0: which number has the first step of the second piece?",
    loses=("truncated",),
)
def seam_one_late(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if t % k == 0 and t > 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "At a seam you calculate as if the old state had been 0. No gradient goes back to it. But by "
    "which number was `weight_hh` multiplied there on the way forwards?",
    loses=("truncated",),
)
def state_forgotten_at_a_seam(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    before = h[:, :-1].copy()
    before[:, k::k] = 0
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = np.einsum("nti,ntj->ij", da, x), np.einsum("nti,ntj->ij", da, before)
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "In yours the steps of the last piece add nothing if it is shorter than k. Does the "
    "statement leave them out?"
)
def rest_left_out(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1] // k * k)):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "You go back through the weights, but not through the tanh. What is its slope, as a formula "
    "of its own output?"
)
def no_slope(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = dh[:, t] + later
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "Your slope of the tanh is calculated from the state *before* the step. Which entry of `h` "
    "is the output of step t?"
)
def slope_of_the_state_before(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "On the way back you use `weight_hh` the wrong way round. It is square, so there is no "
    "error. Forwards it was `h @ weight_hh.T`. And backwards?"
)
def recurrent_weight_turned_back(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh.T
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "A state acts twice: on the loss at its own step, and on the next state. You count only the "
    "first of the two.",
    loses=("dx", "dweight_ih", "dweight_hh", "dbias", "dh0", "truncated"),
)
def each_step_alone(dh, h, x, weight_ih, weight_hh, k):
    da = dh * (1 - h[:, 1:] ** 2)
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), da[:, 0] @ weight_hh


@bptt.mistake(
    "In yours only the last state has a loss. `dh` has an entry for every step: where do the "
    "others come in?"
)
def loss_at_the_end_only(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), dh[:, -1]
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0 and t + 1 < x.shape[1]:
            later = np.zeros(later.shape)
        da[:, t] = later * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "Your `dweight_hh` multiplies by the state *after* the step. By which state was `weight_hh` "
    "multiplied in that step?",
    loses=("dweight_hh", "truncated"),
)
def state_after_the_step(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = np.einsum("nti,ntj->ij", da, x), np.einsum("nti,ntj->ij", da, h[:, 1:])
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), later


@bptt.mistake(
    "Your gradients of the weights and the bias are those of the first step only. The same "
    "weights are used at every step: where are the gradients of the other steps?",
    loses=("dweight_ih", "dweight_hh", "dbias", "truncated"),
)
def weights_overwritten(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = da[:, 0].T @ x[:, 0], da[:, 0].T @ h[:, 0]
    return da @ weight_ih, dweight_ih, dweight_hh, da[:, 0].sum(axis=0), later


@bptt.mistake(
    "You divide by the number of sequences. Where is the mean over the batch already?",
    loses=("dweight_ih", "dweight_hh", "dbias", "truncated"),
)
def mean_over_the_batch(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    n = len(x)
    dweight_ih = np.einsum("nti,ntj->ij", da, x) / n
    dweight_hh = np.einsum("nti,ntj->ij", da, h[:, :-1]) / n
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)) / n, later


@bptt.mistake(
    "You divide by the number of steps. A weight is used in full at each of them: do you add up, "
    "or take a mean?",
    loses=("dweight_ih", "dweight_hh", "dbias", "truncated"),
)
def mean_over_the_steps(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    n = x.shape[1]
    dweight_ih = np.einsum("nti,ntj->ij", da, x) / n
    dweight_hh = np.einsum("nti,ntj->ij", da, h[:, :-1]) / n
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)) / n, later


@bptt.mistake(
    "Your `dh0` stops inside the first step, before `weight_hh`. What lies between the first "
    "state and the sum under the tanh?",
    loses=("dh0", "truncated"),
)
def first_state_too_early(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih, dweight_hh = (
        np.einsum("nti,ntj->ij", da, x),
        np.einsum("nti,ntj->ij", da, h[:, :-1]),
    )
    return da @ weight_ih, dweight_ih, dweight_hh, da.sum(axis=(0, 1)), da[:, 0]


@bptt.mistake(
    "Your `dbias` adds up the gradients of both biases. The statement asks for the gradient of "
    "one of them.",
    loses=("dbias", "truncated"),
)
def both_biases_together(dh, h, x, weight_ih, weight_hh, k):
    da, later = np.zeros(dh.shape), np.zeros(h[:, 0].shape)
    for t in reversed(range(x.shape[1])):
        if (t + 1) % k == 0:
            later = np.zeros(later.shape)
        da[:, t] = (dh[:, t] + later) * (1 - h[:, t + 1] ** 2)
        later = da[:, t] @ weight_hh
    dweight_ih = np.einsum("nti,ntj->ij", da, x)
    dweight_hh = np.einsum("nti,ntj->ij", da, h[:, :-1])
    return da @ weight_ih, dweight_ih, dweight_hh, 2 * da.sum(axis=(0, 1)), later


# embedding_backward -----------------------------------------------------------

embedding_backward = Exercise(
    "embedding_backward",
    "Find the fault: backward through an embedding",
    parts={"once": 1, "repeated": 2, "padding": 1},
    minutes=12,
    difficulty=2,
    outcomes=(BACK,),
    kind="mend",
    forbids=FORBIDS,
)


@embedding_backward.cases
def _(rng):
    def case(tokens, size, rows, padding_idx, part, note=""):
        tokens = np.array(tokens)
        return Case(
            (rng.normal(size=(*tokens.shape, size)), tokens, rows, padding_idx), note, (part,)
        )

    yield case([[3, 1, 4], [5, 2, 6]], 2, 8, 0, "once", "every token once; two never occur")
    yield case([[0, 1]], 3, 4, 2, "once", "token 0 is a token like others here")
    yield case([[2, 2, 2]], 2, 4, 0, "repeated", "one token three times")
    yield case([[1, 0, 1], [3, 1, 0]], 3, 5, 4, "repeated", "within a sequence and across them")
    yield case([[1, 2, 0, 2], [3, 0, 0, 0]], 2, 5, 0, "padding", "padding is token 0")
    yield case([[1, 3, 4], [2, 4, 4]], 2, 5, 4, "padding", "padding is the last token")
    yield case([[2, 0, 2], [0, 2, 1]], 2, 4, 2, "padding", "padding in the middle; 0 is a letter")
    while True:
        shape = rng.integers(1, 5, size=2)
        rows, size = int(rng.integers(3, 9)), int(rng.integers(1, 4))
        padding_idx = int(rng.integers(rows))
        part = str(rng.choice(["once", "repeated", "padding"]))
        others = np.delete(np.arange(rows), padding_idx)
        if part == "once":
            count = int(rng.integers(1, rows))
            yield case(rng.permutation(others)[None, :count], size, rows, padding_idx, part)
        elif part == "repeated":
            yield case(rng.choice(others, size=shape + 1), size, rows, padding_idx, part)
        else:
            yield case(rng.integers(rows, size=shape), size, rows, padding_idx, part)


@embedding_backward.observe
def _(candidate, dy, tokens, num_embeddings, padding_idx):
    dweight = candidate(dy, tokens, num_embeddings, padding_idx)
    return dict.fromkeys(("once", "repeated", "padding"), dweight)


@embedding_backward.answer
def _(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)
    dweight[padding_idx] = 0
    return dweight


@embedding_backward.alternative
def by_a_loop(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    for place in np.ndindex(tokens.shape):
        if tokens[place] != padding_idx:
            dweight[tokens[place]] += dy[place]
    return dweight


@embedding_backward.alternative
def as_a_product(dy, tokens, num_embeddings, padding_idx):
    one_hot = np.eye(num_embeddings)
    one_hot[padding_idx] = 0
    return one_hot[tokens.ravel()].T @ dy.reshape(-1, dy.shape[-1])


@embedding_backward.alternative
def by_counting(dy, tokens, num_embeddings, padding_idx):
    columns = [
        np.bincount(tokens.ravel(), dy[..., e].ravel(), minlength=num_embeddings)
        for e in range(dy.shape[-1])
    ]
    dweight = np.stack(columns, axis=1)
    dweight[padding_idx] = 0
    return dweight


@embedding_backward.mistake(
    "The padding is right now. But of a token that occurs twice, one gradient is lost: try "
    "`a = np.zeros(3); a[[1, 1]] += 1`. What does `a` hold?",
    loses=("repeated", "padding"),
)
def repeats_lost(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    dweight[tokens] += dy
    dweight[padding_idx] = 0
    return dweight


@embedding_backward.mistake("That is the colleague's function: both faults are still in it.")
def as_it_was(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    dweight[tokens] += dy
    dweight[0] = 0
    return dweight


@embedding_backward.mistake(
    "Tokens that repeat add up now. But you treat token 0 as the padding. Which argument says "
    "which token is the padding?"
)
def padding_is_always_0(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)
    dweight[0] = 0
    return dweight


@embedding_backward.mistake(
    "In yours the row of the padding gets a gradient. What does the statement say about that row?",
    loses=("padding",),
)
def padding_learns(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)
    return dweight


@embedding_backward.mistake(
    "You divide by how often a token occurs. Its row is used in full at each place: do you add "
    "up, or take a mean? (torch has that, too: `scale_grad_by_freq=True`.)",
    loses=("repeated", "padding"),
)
def mean_over_the_places(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)
    dweight /= np.maximum(np.bincount(tokens.ravel(), minlength=num_embeddings), 1)[:, None]
    dweight[padding_idx] = 0
    return dweight


@embedding_backward.mistake(
    "Your table has too few rows: they depend on the largest token of the batch. Which argument "
    "says how many rows the embedding has?"
)
def as_many_rows_as_seen(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((tokens.max(), dy.shape[-1]))
    inside = tokens < len(dweight)
    np.add.at(dweight, tokens[inside], dy[inside])
    if padding_idx < len(dweight):
        dweight[padding_idx] = 0
    return dweight


@embedding_backward.mistake(
    "You remove the row of the padding. A gradient has the shape of what it is the gradient of."
)
def padding_cut_out(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)
    return np.delete(dweight, padding_idx, axis=0)


@embedding_backward.mistake("Your table is transposed. Does each token have a row, or a column?")
def on_its_side(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)
    dweight[padding_idx] = 0
    return dweight.T


@embedding_backward.mistake(
    "You divide by the number of sequences. Where is the mean over the batch already?"
)
def mean_over_sequences(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy / len(tokens))
    dweight[padding_idx] = 0
    return dweight


@embedding_backward.mistake(
    "Different sequences add up now, but a token that occurs twice in *one* sequence still loses "
    "a gradient. What does `a[[1, 1]] += 1` do?",
    loses=("repeated", "padding"),
)
def repeats_lost_within_a_sequence(dy, tokens, num_embeddings, padding_idx):
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    for row, gradient in zip(tokens, dy, strict=True):
        dweight[row] += gradient
    dweight[padding_idx] = 0
    return dweight


# masked_mean_loss -------------------------------------------------------------

masked_mean_loss = Exercise(
    "masked_mean_loss",
    "A loss that padding can't touch",
    parts={"loss": 2, "dlosses": 2, "edges": 2},
    minutes=15,
    difficulty=2,
    outcomes=(STEP, HONEST),
    forbids=FORBIDS,
)


@masked_mean_loss.cases
def _(rng):
    def case(lengths, steps, note="", junk=None):
        mask = np.arange(steps) < np.array(lengths)[:, None]
        losses = rng.exponential(size=mask.shape) + 0.1
        if junk is not None:
            losses[~mask] = junk
        parts = ("loss", "dlosses") if junk is None else ("edges",)
        return Case((losses, mask), note, parts)

    yield case([3, 3], 3, "no padding at all")
    yield case([4, 1], 4, "one sequence of four steps, one of one")
    yield case([1, 3, 2], 5, "three lengths, and a column of padding")
    yield case([2], 3, "one sequence")
    yield case([2, 4], 4, "padding of NaN", np.nan)
    yield case([3, 1], 3, "padding that is infinite", np.inf)
    yield case([0, 3], 3, "a sequence without a single step", np.nan)
    yield case([0, 0], 2, "nothing but padding", 5.0)
    losses, mask = np.array([[1.0, np.nan, 2.0], [3.0, 4.0, 5.0]]), np.ones((2, 3), bool)
    mask[1, 1:] = False
    yield Case((losses, mask), "NaN at a place that counts: the loss is NaN", ("edges",))
    losses = np.array([[1.0, np.inf, 2.0], [3.0, np.inf, 5.0]])
    mask = np.array([[True, True, False], [True, True, True]])
    yield Case((losses, mask), "infinity at a place that counts: the loss is infinite", ("edges",))
    losses = np.array([[0.0, -2.0, 30.0], [4.0, 0.0, 9.0]])
    mask = np.array([[True, True, True], [True, True, False]])
    yield Case((losses, mask), "losses of 0, below 0 and of 30 count as well", ("loss", "dlosses"))
    scattered = np.array([[True, False, True, False], [False, True, True, True]])
    yield Case((rng.exponential(size=(2, 4)), scattered), "gaps", ("loss", "dlosses"))
    while True:
        n, steps = (int(v) for v in rng.integers(1, 6, size=2))
        lengths = rng.integers(1, steps + 1, size=n)
        yield case(lengths, steps, "", None if rng.random() < 0.6 else np.nan)


@masked_mean_loss.observe
def _(candidate, losses, mask):
    loss, dlosses = candidate(losses, mask)
    return {"loss": loss, "dlosses": dlosses, "edges": [loss, dlosses]}


@masked_mean_loss.answer
def _(losses, mask):
    count = max(mask.sum(), 1)
    return float(losses[mask].sum() / count), mask / count


@masked_mean_loss.alternative
def chosen_with_where(losses, mask):
    if not mask.any():
        return 0.0, np.zeros(losses.shape)
    count = np.count_nonzero(mask)
    return np.where(mask, losses, 0.0).sum() / count, np.where(mask, 1 / count, 0.0)


@masked_mean_loss.alternative
def place_by_place(losses, mask):
    total, count = 0.0, 0
    for place in np.ndindex(losses.shape):
        if mask[place]:
            total, count = total + losses[place], count + 1
    dlosses = np.zeros(losses.shape)
    if count:
        dlosses[mask] = 1 / count
        total /= count
    return total, dlosses


@masked_mean_loss.mistake(
    "You divide by the number of all places, padding too. If a column of padding is added to a "
    "batch, does your loss stay the same?"
)
def padding_counted(losses, mask):
    return float(losses[mask].sum() / mask.size), mask / mask.size


@masked_mean_loss.mistake("You don't use the mask. Which of the losses can be anything?")
def no_mask(losses, mask):
    return float(losses.mean()), np.full(losses.shape, 1 / losses.size)


@masked_mean_loss.mistake(
    "You take the mean of each sequence, and then the mean of those. That is in use, too; but "
    "then a step of a short sequence counts more. Over which places is the mean here?"
)
def mean_of_means(losses, mask):
    counts = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    means = np.where(mask, losses, 0.0).sum(axis=1) / counts[:, 0]
    return float(means.mean()), mask / counts / len(mask)


@masked_mean_loss.mistake(
    "You divide by the number of sequences, so long sequences count more. How many places count?"
)
def divided_by_sequences(losses, mask):
    return float(losses[mask].sum() / len(mask)), mask / len(mask)


@masked_mean_loss.mistake("A sum, and the statement asks for a mean. Over how many places?")
def summed(losses, mask):
    return float(losses[mask].sum()), mask.astype(float)


@masked_mean_loss.mistake("You keep the padding and leave out the rest. When is `mask` True?")
def mask_the_other_way(losses, mask):
    count = max((~mask).sum(), 1)
    return float(losses[~mask].sum() / count), ~mask / count


@masked_mean_loss.mistake(
    "Your loss is right. For the gradient: by how much does the mean grow if one loss grows by 1?",
    loses=("dlosses", "edges"),
)
def gradient_is_the_mask(losses, mask):
    count = max(mask.sum(), 1)
    return float(losses[mask].sum() / count), mask.astype(float)


@masked_mean_loss.mistake(
    "Your gradient isn't 0 where there is padding. If a loss of the padding changes, does the "
    "mean change?",
    loses=("dlosses", "edges"),
)
def gradient_for_padding(losses, mask):
    count = max(mask.sum(), 1)
    return float(losses[mask].sum() / count), np.full(losses.shape, 1 / count)


@masked_mean_loss.mistake(
    "Your gradient divides by the number of all places, padding too. Your loss doesn't.",
    loses=("dlosses", "edges"),
)
def gradient_over_all_places(losses, mask):
    count = max(mask.sum(), 1)
    return float(losses[mask].sum() / count), mask / mask.size


@masked_mean_loss.mistake(
    "Your gradient contains the losses. The mean of numbers is a straight line in each of them: "
    "what is its slope?",
    loses=("dlosses", "edges"),
)
def gradient_times_loss(losses, mask):
    count = max(mask.sum(), 1)
    return float(losses[mask].sum() / count), np.where(mask, losses, 0.0) / count


@masked_mean_loss.mistake(
    "NaN of the padding gets into your loss. What is `np.nan * 0`, and how can you choose "
    "instead of multiplying?",
    loses=("edges",),
)
def masked_by_a_product(losses, mask):
    count = max(mask.sum(), 1)
    with np.errstate(invalid="ignore"):
        return float((losses * mask).sum() / count), mask / count


@masked_mean_loss.mistake(
    "You count every NaN as 0, also where the mask is True. Then nobody sees that a loss that "
    "counts went wrong. How can you leave only the padding out?",
    loses=("edges",),
)
def every_nan_cleared(losses, mask):
    count = max(mask.sum(), 1)
    return float(np.nansum(losses[mask]) / count), mask / count


@masked_mean_loss.mistake(
    "You replace every NaN and every infinity by 0, also where the mask is True. Then nobody sees "
    "that a loss that counts went wrong. How can you leave only the padding out?",
    loses=("edges",),
)
def nan_and_infinity_cleared(losses, mask):
    count = max(mask.sum(), 1)
    clean = np.nan_to_num(losses, nan=0.0, posinf=0.0, neginf=0.0)
    return float((clean * mask).sum() / count), mask / count


@masked_mean_loss.mistake(
    "You take the mean of the losses that aren't NaN, as `np.nanmean` does. A NaN where the mask "
    "is True has to be seen. How can you leave only the padding out?",
    loses=("edges",),
)
def mean_of_those_not_nan(losses, mask):
    known = losses[mask & ~np.isnan(losses)]
    return float(known.mean()) if known.size else 0.0, mask / max(mask.sum(), 1)


@masked_mean_loss.mistake(
    "You leave out every loss that isn't finite, also where the mask is True. Then nobody sees "
    "that a loss that counts went wrong. Which losses does the statement leave out?",
    loses=("edges",),
)
def only_finite_losses(losses, mask):
    counts = mask & np.isfinite(losses)
    count = max(counts.sum(), 1)
    return float(losses[counts].sum() / count), counts / count


@masked_mean_loss.mistake(
    "You leave out losses that are exactly 0. A loss can be 0 where something was predicted: does "
    "it count? What says where padding is?",
    loses=("loss", "dlosses"),
)
def losses_of_0_left_out(losses, mask):
    counts = mask & (losses != 0)
    count = max(counts.sum(), 1)
    return float(losses[counts].sum() / count), counts / count


@masked_mean_loss.mistake(
    "You count only losses above 0. A loss that counts can be 0, negative or NaN. What says where "
    "padding is?"
)
def only_losses_above_0(losses, mask):
    counts = mask & (losses > 0)
    count = max(counts.sum(), 1)
    return float(losses[counts].sum() / count), counts / count


@masked_mean_loss.mistake(
    "If everything is padding, you divide by 0. What does the statement ask for there?",
    loses=("edges",),
)
def nothing_over_nothing(losses, mask):
    with np.errstate(all="ignore"):
        return float(losses[mask].sum() / mask.sum()), mask / mask.sum()


# rolling_split ----------------------------------------------------------------

rolling_split = Exercise(
    "rolling_split",
    "Split a series without looking ahead",
    parts={"train": 2, "test": 2, "folds": 1},
    minutes=15,
    difficulty=2,
    outcomes=(HONEST,),
    forbids=FORBIDS,
)


@rolling_split.cases
def _(rng):
    yield Case((10, 4, 2, 0), "ten days, four to train, two to test, no gap")
    yield Case((10, 4, 2, 1), "the same with a gap of one, and a rest")
    yield Case((6, 4, 2, 0), "just enough for one fold")
    yield Case((5, 4, 2, 0), "not enough for one")
    yield Case((13, 3, 2, 2), "a gap of two")
    yield Case((12, 5, 1, 3), "one day to test, a gap of three")
    yield Case((12, 2, 3, 0), "more to test than to train, and a rest")
    yield Case((13, 2, 3, 1), "one day is left at the end")
    yield Case((40, 5, 3, 1), "eleven folds")
    while True:
        train, test = (int(v) for v in rng.integers(1, 6, size=2))
        gap = int(rng.integers(0, 4))
        n = train + gap + test * int(rng.integers(1, 5)) + int(rng.integers(0, test))
        yield Case((n, train, test, gap))


@rolling_split.observe
def _(candidate, n, train_size, test_size, gap):
    import numpy as np

    def whole(part):
        days = np.array(part)
        if days.size and (days.dtype.kind not in "iuf" or np.any(days != np.round(days))):
            raise ValueError("days are whole numbers")
        return days.astype(int)

    pairs = [tuple(pair) for pair in candidate(n, train_size, test_size, gap)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("each fold is a pair: the days to train on, and those to test on")
    train, test = ([whole(pair[i]) for pair in pairs] for i in range(2))
    return {"train": train, "test": test, "folds": len(pairs)}


@rolling_split.answer
def _(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.alternative
def by_number(n, train_size, test_size, gap):
    count = max(0, (n - train_size - gap) // test_size)
    days = list(range(n))
    folds = []
    for i in range(count):
        first = i * test_size
        end = first + train_size
        folds.append((days[first:end], days[end + gap : end + gap + test_size]))
    return folds


@rolling_split.alternative
def by_windows_of_a_range(n, train_size, test_size, gap):
    length = train_size + gap + test_size
    starts = range(0, n - length + 1, test_size)
    return [[range(s, s + train_size), range(s + length - test_size, s + length)] for s in starts]


@rolling_split.mistake(
    "Your training part grows from fold to fold. That is an expanding window, which is in use, "
    "too. How long is the training part here?",
    loses=("train",),
)
def expanding(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(0, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "Your test days come right after the training days. What is `gap` for, and how many days are "
    "between them?"
)
def gap_ignored(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + test_size <= n:
        test = start + train_size
        folds.append((np.arange(start, test), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "You take the gap out of the training part, which becomes too short. How many days does a "
    "fold need in all?"
)
def gap_from_the_training_part(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + test_size <= n:
        test = start + train_size
        end = max(start, test - gap)
        folds.append((np.arange(start, end), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "You move on by one day, and so you test most days several times. By how many days does the "
    "statement move on?"
)
def one_day_at_a_time(n, train_size, test_size, gap):
    starts = range(n - train_size - gap - test_size + 1)
    return [
        (
            np.arange(s, s + train_size),
            np.arange(s + train_size + gap, s + train_size + gap + test_size),
        )
        for s in starts
    ]


@rolling_split.mistake(
    "Your folds share no days: the next one begins where the one before ended. May a later fold "
    "train on days that an earlier fold has tested?"
)
def nothing_shared(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start = test + test_size
    return folds


@rolling_split.mistake(
    "You move on by the length of the training part. Which days are then never tested, or twice?"
)
def on_by_the_training_part(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += train_size
    return folds


@rolling_split.mistake(
    "Your last test part is shorter than the others. What does the statement do with a fold that "
    "doesn't fit?"
)
def rest_tested(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap < n:
        test = start + train_size + gap
        end = min(test + test_size, n)
        folds.append((np.arange(start, start + train_size), np.arange(test, end)))
        start += test_size
    return folds


@rolling_split.mistake("You leave out a fold that ends on the last day of the series. Does it fit?")
def last_fold_missing(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size < n:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "You count your folds from the end, so that days are left over at the beginning. On which "
    "day does the first fold begin?",
    loses=("train", "test"),
)
def laid_from_the_end(n, train_size, test_size, gap):
    folds, end = [], n
    while end - test_size - gap - train_size >= 0:
        start = end - test_size - gap - train_size
        folds.append((np.arange(start, start + train_size), np.arange(end - test_size, end)))
        end -= test_size
    return folds[::-1]


@rolling_split.mistake(
    "There is one day more between training and test than `gap` says. `range` and `arange` stop "
    "*before* their end."
)
def one_day_lost(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + 1 + test_size <= n:
        test = start + train_size + gap + 1
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "Your pairs are the wrong way round, with the test days first. Which part of a pair does the "
    "statement put first?",
    loses=("train", "test"),
)
def trained_on_the_future(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(test, test + test_size), np.arange(start, start + train_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "All your days are one too high. Which number has the first day of the series?",
    loses=("train", "test"),
)
def counted_from_one(n, train_size, test_size, gap):
    folds, start = [], 1
    while start + train_size + gap + test_size <= n + 1:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds


@rolling_split.mistake(
    "The right folds, but the latest one first. Which one does the statement put first?",
    loses=("train", "test"),
)
def latest_first(n, train_size, test_size, gap):
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds[::-1]


# names_forecast ---------------------------------------------------------------

names_forecast = Exercise(
    "names_forecast",
    "Predict: a network that reads names",
    parts=dict.fromkeys(
        (
            "embedding",
            "recurrent",
            "output",
            "longer",
            "steps",
            "predictions",
            "padding",
            "forgotten",
        ),
        1,
    ),
    minutes=12,
    difficulty=2,
    outcomes=(STEP,),
    kind="predict",
    of="value",
)


@names_forecast.observe
def _(candidate):
    said = candidate()
    names = (
        "embedding",
        "recurrent",
        "output",
        "longer",
        "steps",
        "predictions",
        "padding",
        "forgotten",
    )
    if type(said) is not dict:
        raise TypeError(f"a dict of {', '.join(names)} is asked for")
    found = {name: said[name] for name in names if name in said}
    for name, given in found.items():
        if isinstance(given, np.generic):  # single precision, too: it holds these numbers exactly
            found[name] = given.item()
    return found


@names_forecast.answer
def _():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.alternative
def by_formula():
    letters, e, size, tokens = [2, 5, 10], 10, 32, 28
    counts = [tokens * e, size * (e + size + 2), tokens * size + tokens]
    steps = max(letters) + 1
    predictions = sum(n + 1 for n in letters)
    return {
        "embedding": counts[0],
        "recurrent": counts[1],
        "output": counts[2],
        "longer": sum(counts),
        "steps": steps,
        "predictions": predictions,
        "padding": 3 * steps - predictions,
        "forgotten": int(np.ceil(np.log(0.001) / np.log(0.5))),
    }


@names_forecast.alternative
def by_counting_them():
    names = ["ng", "smith", "washington"]
    inputs, targets = ["|" + name for name in names], [name + "|" for name in names]
    steps = max(map(len, inputs))
    slope, after = 1.0, 0
    while slope >= 0.001:
        slope, after = slope * 0.5, after + 1
    weights = [np.zeros((28, 10)), np.zeros((32, 10)), np.zeros((32, 32)), np.zeros((28, 32))]
    biases = [np.zeros(32), np.zeros(32), np.zeros(28)]
    return {
        "embedding": weights[0].size,
        "recurrent": weights[1].size + weights[2].size + biases[0].size + biases[1].size,
        "output": weights[3].size + biases[2].size,
        "longer": sum(w.size for w in weights + biases),
        "steps": steps,
        "predictions": sum(map(len, targets)),
        "padding": sum(steps - len(target) for target in targets),
        "forgotten": after,
    }


@names_forecast.mistake(
    "`embedding`: you have left a token or two without a row. How many rows has the table, "
    "and does padding have one?",
    loses=("embedding",),
)
def a_token_without_a_row():
    return {
        "embedding": 260,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`embedding`: that is a table of 28 by 28. How many numbers stand for one token?",
    loses=("embedding",),
)
def one_hot_rows():
    return {
        "embedding": 784,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`recurrent`: you count one bias for each unit. How many does torch have?",
    loses=("recurrent",),
)
def a_single_bias():
    return {
        "embedding": 280,
        "recurrent": 1376,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`recurrent`: you count only the weights. What else does a unit learn?",
    loses=("recurrent",),
)
def no_recurrent_bias():
    return {
        "embedding": 280,
        "recurrent": 1344,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`recurrent`: that is a linear layer from 10 to 32. Which weights multiply the old state?",
    loses=("recurrent",),
)
def no_way_from_state_to_state():
    return {
        "embedding": 280,
        "recurrent": 352,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`recurrent`: you count the weights again for each step. How many sets of weights are there?",
    loses=("recurrent",),
)
def weights_at_every_step():
    return {
        "embedding": 280,
        "recurrent": 15_488,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`output`: you count only the weights. What else does a linear layer learn?",
    loses=("output",),
)
def no_output_bias():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 896,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`longer`: a name of twice the length takes twice the steps. Does a step have parameters of "
    "its own?",
    loses=("longer",),
)
def twice_as_many():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 5224,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`steps`: you let the network read the mark after the name. What would it have to predict "
    "then? Check your other numbers, too.",
    loses=("steps",),
)
def both_marks_read():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 12,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`steps`: you count letters. From what does the network predict the first one?",
    loses=("steps",),
)
def letters_only_read():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 10,
        "predictions": 20,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`predictions`: you count letters. How does a reader know that `ng` isn't the beginning "
    "of `nguyen`?",
    loses=("predictions",),
)
def letters_only_predicted():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 17,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`predictions`: you let the network predict the mark before the name, too. What has it read "
    "by then?",
    loses=("predictions",),
)
def both_marks_predicted():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 23,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`predictions`: those are all places of the batch. Which of them are padding?",
    loses=("predictions",),
)
def all_places():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 33,
        "padding": 13,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`padding`: that is the padding of the shortest name. Does another name have padding, too?",
    loses=("padding",),
)
def padding_of_the_shortest():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 8,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`padding`: a place where the mark has to be predicted isn't padding: it counts in the loss.",
    loses=("padding",),
)
def places_without_letters():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 16,
        "forgotten": 10,
    }


@names_forecast.mistake(
    "`forgotten`: after that many steps it is still a little more than a thousandth.",
    loses=("forgotten",),
)
def one_step_short():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 9,
    }


@names_forecast.mistake(
    "`forgotten`: you divide by the number of steps. But each step multiplies. By which number?",
    loses=("forgotten",),
)
def a_thousand_steps():
    return {
        "embedding": 280,
        "recurrent": 1408,
        "output": 924,
        "longer": 2612,
        "steps": 11,
        "predictions": 20,
        "padding": 13,
        "forgotten": 1000,
    }


# written ----------------------------------------------------------------------

too_good_forecast = Question(
    "too_good_forecast",
    "A forecast that is too good",
    points=5,
    minutes=12,
    outcomes=(HONEST,),
    rubric="""\
- 1 point: the split looks ahead: windows overlap, so with a random split the hours of the test
  stand among the inputs, or are the target, of training windows. It must be split by time, with
  whole windows on one side.
- 1 point: the scaling looks ahead, too: smallest and largest value (or mean and deviation) were
  taken from all hours, those of the test too. They must come from the training part only.
- 1 point: says that without a baseline the number says nothing, and names at least a seasonal naive
  forecast, for the same hours of the test: as at this hour a week before, or on the last day that
  is known. (As a day before isn't enough by itself: for hours 25 to 48 that day isn't known yet.)
- 1 point: asks what the network knew when it made the forecast: in the test it got the true last
  hours (one step ahead), at work it would have to go on from its own forecasts for 48 hours; the
  test must do the same.
- 1 point: a test that would settle it: several times at which forecasts begin, one after the other,
  each with training on what lay before (rolling); the error for each of the 48 hours, beside the
  baseline, with its spread.
- No point for "overfitting" or "more data" without saying of what.""",
    exemplars={
        "full": """\
I don't believe the 97 % yet: neighbouring windows share all but one hour, so with a random split
nearly every hour of the test was also an input or a target in training, and the network has seen
it. Split by time instead, with the last year for the test and no window across the border. The
scaling looks ahead, too: the smallest and the largest value must come from the training part only.
Then 97 % means nothing without a baseline: electricity has a daily and a weekly rhythm, so "as at
this hour a week ago" probably explains much of the variance already, and it has to be measured on
the same hours. In the test the network always got the true hours before the one that it predicted,
but the control room needs 48 hours ahead, where the network must go on from its own forecasts and
its errors add up. I would take twelve starting times, a month apart, train each time on what lay
before, and forecast 48 hours from there without new data. Then I would draw the error for each hour
ahead beside that of the seasonal forecast, with the spread over the twelve starting times.""",
        "partial": """\
You can't split a time series at random, the test must be later than the training. I would also
compare it with a simple forecast like the value from last week.""",
        "typical": """\
97 % is very good, but it might be overfitting. They should use dropout and a larger data set, and
try an LSTM because it has a longer memory. Cross-validation with ten random folds would show if it
is real.""",
    },
)
