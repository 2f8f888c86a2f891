"""The exercises of ``lstm``: a step of an LSTM, the way back through it, a GRU, states that count.

Conventions: batch first, as torch with ``batch_first=True``; the blocks of an LSTM's weights are
in the order i, f, g, o, those of a GRU's r, z, n, as in ``torch.nn``; both have two biases; a GRU
keeps the share z of its old state, and r stands before what the old state contributes, its bias
counted in; no peepholes. The size of a Jacobian is its largest singular value.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

GATES, BACK, CHOOSE = "lstm-gates", "lstm-back", "lstm-choose"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch", "dlcourse.models")


# lstm_cell --------------------------------------------------------------------

lstm_cell = Exercise(
    "lstm_cell",
    "One step of an LSTM",
    parts={"h": 2, "c": 2, "extreme": 1},
    minutes=15,
    difficulty=1,
    outcomes=(GATES,),
    forbids=FORBIDS,
)


@lstm_cell.cases
def _(rng):
    def case(n, d, size, note="", huge=None):
        x, h = rng.normal(size=(n, d)), rng.uniform(-0.9, 0.9, (n, size))
        c = 1.5 * rng.normal(size=(n, size))
        shapes = ((4 * size, d), (4 * size, size), (4 * size,), (4 * size,))
        weights = [rng.normal(size=shape) for shape in shapes]
        if huge == "c":
            c *= 1e4
        elif huge is not None:
            weights[huge] *= 1e9
        return Case((x, h, c, *weights), note, ("h", "c") if huge is None else ("extreme",))

    yield case(1, 1, 1, "one sequence, one feature, one unit")
    yield case(3, 2, 4, "three sequences, 2 features, 4 units")
    yield case(2, 3, 3, "as many features as units")
    yield case(2, 8, 2, "four times as many features as units")
    yield case(0, 2, 3, "no sequence at all")
    yield case(4, 3, 5, "weights of x so large that every gate is shut or open", 0)
    yield case(3, 2, 4, "weights of h as large", 1)
    yield case(3, 2, 4, "a bias as large", 2)
    yield case(2, 3, 2, "the other bias as large", 3)
    yield case(3, 2, 4, "a cell that has counted to thousands", "c")
    while True:
        n, d, size = (int(v) for v in rng.integers(1, 5, size=3))
        yield case(n, d, size, huge=[None, None, None, int(rng.integers(4))][rng.integers(4)])


@lstm_cell.observe
def _(candidate, x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    found = list(candidate(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh))
    if len(found) != 2:
        raise ValueError(f"two new states are asked for, h and c, not {len(found)}")
    return {"h": found[0], "c": found[1], "extreme": found}


@lstm_cell.answer
def _(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.alternative
def one_exponential(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    def sigmoid(a):
        e = np.exp(-np.abs(a))
        return np.where(a >= 0, 1, e) / (1 + e)

    size = h.shape[1]
    a = np.hstack([x, h]) @ np.hstack([weight_ih, weight_hh]).T + (bias_ih + bias_hh)
    gates = {name: a[:, k * size : (k + 1) * size] for k, name in enumerate("ifgo")}
    new = sigmoid(gates["i"]) * np.tanh(gates["g"]) + sigmoid(gates["f"]) * c
    return sigmoid(gates["o"]) * np.tanh(new), new


@lstm_cell.alternative
def unit_by_unit(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    with np.errstate(over="ignore"):
        h_new, c_new = np.zeros(h.shape), np.zeros(c.shape)
        size = h.shape[1]
        for n in range(len(x)):
            for j in range(size):
                rows = [j + k * size for k in range(4)]
                a = [
                    weight_ih[r] @ x[n] + weight_hh[r] @ h[n] + bias_ih[r] + bias_hh[r]
                    for r in rows
                ]
                i, f, o = (1 / (1 + np.exp(-a[k])) for k in (0, 1, 3))
                c_new[n, j] = f * c[n, j] + i * np.tanh(a[2])
                h_new[n, j] = o * np.tanh(c_new[n, j])
    return h_new, c_new


@lstm_cell.mistake(
    "Your blocks are in another order: i, f, o, g stands in some papers. Which one is the third "
    "here?"
)
def order_i_f_o_g(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, o, g = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your blocks are in another order: i, g, f, o is TensorFlow 1's. Which one is the second here?"
)
def order_i_g_f_o(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, g, f, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "What you keep of the old cell is what you should let in, and the other way round. Which block "
    "comes first, i or f?"
)
def order_f_i_g_o(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    f, i, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your c is right. Between the cell and what is handed on there is something that keeps large "
    "cells in bounds: what?",
    loses=("h", "extreme"),
)
def cell_handed_on_as_it_is(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * c_new, c_new


@lstm_cell.mistake(
    "Your c is right. Which cell does the output gate let out: the one before the step, or the one "
    "after it?",
    loses=("h", "extreme"),
)
def old_cell_handed_on(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    return o * np.tanh(c), f * c + i * np.tanh(g)


@lstm_cell.mistake(
    "In yours the candidate lies between 0 and 1, so the cell can't be pushed down. Which of the "
    "four is no gate?"
)
def candidate_by_a_sigmoid(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in np.split(a, 4, axis=1))
    c_new = f * c + i * g
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your gates can be negative. Between which numbers does a gate lie, and which function gives "
    "those?"
)
def gates_by_tanh(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = (np.tanh(gate) for gate in np.split(a, 4, axis=1))
    c_new = f * c + i * g
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "In yours what isn't kept is filled up: 1 - f stands where i should. That saves a gate and is "
    "in use. How many gates has this one?"
)
def input_gate_tied_to_the_forget_gate(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    _, f, g, o = np.split(a, 4, axis=1)
    f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (f, o))
    c_new = f * c + (1 - f) * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your cell forgets nothing. That is the LSTM of 1997, before it had a forget gate. What stands "
    "before c in the equation?"
)
def no_forget_gate(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, _, g, o = np.split(a, 4, axis=1)
    i, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, o))
    c_new = c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "You add 1 to the forget gate's sum. As a first value of its bias that is a good idea; where "
    "would it then stand, in the equation or in the bias that you are handed?",
)
def forget_bias_built_in(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f + 1, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "One bias makes no difference to your answer. How many has the equation?",
)
def one_bias(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your gates never look at h. By what does a gate know what the network has just handed on?",
)
def gates_deaf_to_the_state(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Both are right, in the wrong order. Which of the two does the statement name first?"
)
def cell_first(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return c_new, o * np.tanh(c_new)


@lstm_cell.mistake(
    "Right until a gate is wide open: then you divide infinity by infinity. Can you write the "
    "sigmoid so that only a *negative* number is ever raised, or by tanh?",
    loses=("extreme",),
)
def sigmoid_that_overflows(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    with np.errstate(over="ignore", invalid="ignore"):
        a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, o = (np.exp(gate) / (1 + np.exp(gate)) for gate in (i, f, o))
        c_new = f * c + i * np.tanh(g)
        return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Right until a cell has grown large: your tanh divides infinity by infinity there. NumPy's own "
    "doesn't.",
    loses=("extreme",),
)
def tanh_that_overflows(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    with np.errstate(over="ignore", invalid="ignore"):
        a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
        c_new = f * c + i * np.tanh(g)
        return o * (np.exp(c_new) - np.exp(-c_new)) / (np.exp(c_new) + np.exp(-c_new)), c_new


@lstm_cell.mistake(
    "Right until a cell has grown large: you keep it within bounds. Nothing does that in an LSTM, "
    "which is why it can count.",
    loses=("extreme",),
)
def cell_within_bounds(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = np.clip(f * c + i * np.tanh(g), -10, 10)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "You take the rows of the weights in turns, unit by unit: i, f, g, o, i, f, … They lie in "
    "blocks. How many rows has the block of i?"
)
def rows_in_turns(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = (a[:, k::4] for k in range(4))
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your gates also read the cell. Those are peepholes, in use as well. What does the equation "
    "let a gate read?",
)
def peepholes(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f = (0.5 + 0.5 * np.tanh((gate + c) / 2) for gate in (i, f))
    c_new = f * c + i * np.tanh(g)
    return (0.5 + 0.5 * np.tanh((o + c_new) / 2)) * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your sigmoid is made of straight lines, cut off at 0 and 1. Some libraries have that, and "
    "call it hard. Which one is asked for?",
)
def hard_sigmoid(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


@lstm_cell.mistake(
    "Your c is right, and all of it is always handed on. What decides how much is told?",
    loses=("h", "extreme"),
)
def no_output_gate(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, _ = np.split(a, 4, axis=1)
    i, f = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f))
    c_new = f * c + i * np.tanh(g)
    return np.tanh(c_new), c_new


# lstm_backward_step -----------------------------------------------------------

lstm_backward_step = Exercise(
    "lstm_backward_step",
    "Derive: one step back through an LSTM",
    parts={"da": 4, "dc_before": 2, "dh_before": 1},
    minutes=30,
    difficulty=3,
    outcomes=(BACK,),
    kind="derive",
    forbids=FORBIDS,
)


@lstm_backward_step.cases
def _(rng):
    def case(n, size, note="", only=None):
        dh, dc = rng.normal(size=(n, size)), rng.normal(size=(n, size))
        if only == "c":
            dh = np.zeros((n, size))
        if only == "h":
            dc = np.zeros((n, size))
        i, f, o = (rng.uniform(0.05, 0.95, (n, size)) for _ in range(3))
        g = rng.uniform(-0.9, 0.9, (n, size))
        c_before = 1.5 * rng.normal(size=(n, size))
        if only == "open":
            f, i = np.ones((n, size)), np.zeros((n, size))
        return Case((dh, dc, i, f, g, o, c_before, rng.normal(size=(4 * size, size))), note)

    yield case(1, 1, "one sequence, one unit")
    yield case(3, 2, "three sequences, two units")
    yield case(2, 4, "as many units as gates")
    yield case(2, 3, "nothing comes back to the new h", "c")
    yield case(2, 3, "nothing comes back to the new c by itself", "h")
    yield case(2, 2, "nothing let in, nothing forgotten", "open")
    while True:
        n, size = (int(v) for v in rng.integers(1, 5, size=2))
        yield case(n, size)


@lstm_backward_step.observe
def _(candidate, dh, dc, i, f, g, o, c_before, weight_hh):
    found = list(candidate(dh, dc, i, f, g, o, c_before, weight_hh))
    if len(found) != 3:
        raise ValueError(f"three gradients are asked for, not {len(found)}")
    return dict(zip(("da", "dh_before", "dc_before"), found, strict=True))


@lstm_backward_step.answer
def _(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    da = np.hstack(
        [
            dc * g * i * (1 - i),
            dc * c_before * f * (1 - f),
            dc * i * (1 - g**2),
            dh * t * o * (1 - o),
        ]
    )
    return da, da @ weight_hh, dc * f


@lstm_backward_step.alternative
def block_by_block(dh, dc, i, f, g, o, c_before, weight_hh):
    n, size = dh.shape
    tanh_c = np.tanh(i * g + f * c_before)
    of_cell = dc + o * dh - dh * o * tanh_c * tanh_c
    slopes = {0: i - i * i, 1: f - f * f, 2: (1 - g) * (1 + g), 3: o - o * o}
    comes = {0: of_cell * g, 1: of_cell * c_before, 2: of_cell * i, 3: dh * tanh_c}
    da, dh_before = np.empty((n, 4 * size)), np.zeros((n, size))
    for k in range(4):
        block = slice(k * size, (k + 1) * size)
        da[:, block] = slopes[k] * comes[k]
        dh_before += da[:, block] @ weight_hh[block]
    return da, dh_before, f * of_cell


@lstm_backward_step.alternative
def unit_at_a_time(dh, dc, i, f, g, o, c_before, weight_hh):
    n, size = dh.shape
    da, dc_before = np.zeros((n, 4, size)), np.zeros((n, size))
    for row in range(n):
        for j in range(size):
            one = tuple(z[row, j] for z in (dh, dc, i, f, g, o, c_before))
            dh_, dc_, i_, f_, g_, o_, c_ = one
            t = np.tanh(f_ * c_ + i_ * g_)
            whole = dc_ + dh_ * o_ * (1 - t * t)
            da[row, :, j] = [
                whole * g_ * i_ * (1 - i_),
                whole * c_ * f_ * (1 - f_),
                whole * i_ * (1 - g_ * g_),
                dh_ * t * o_ * (1 - o_),
            ]
            dc_before[row, j] = whole * f_
    da = da.reshape(n, 4 * size)
    return da, np.einsum("nk,kj->nj", da, weight_hh), dc_before


@lstm_backward_step.mistake(
    "You leave out what comes back to the new cell by itself, from the step behind. In how many "
    "places was the new c used?"
)
def later_steps_unheard(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "In yours nothing comes from the new h to the new c. What did h read, beside its gate?"
)
def output_does_not_reach_the_cell(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "On the way from h to the cell you forget a slope: h reads the cell through something bent."
)
def tanh_of_the_cell_forgotten(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "On the way from h to the cell you forget that h let only a share of it out: which gate stood "
    "between the two?"
)
def output_gate_forgotten(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "Your gradients are those of the gates themselves. `da` is that of the sums before the sigmoid "
    "and the tanh: what is the slope of a sigmoid that gave 0.8?",
    loses=("da", "dh_before"),
)
def slopes_of_the_gates_forgotten(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    da = np.hstack([dc * g, dc * c_before, dc * i, dh * t])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "The candidate is no gate: it went through another function. What is the slope of that one?",
    loses=("da", "dh_before"),
)
def candidate_with_a_sigmoids_slope(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * g * (1 - g)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "Of the forget gate: it was multiplied by a cell. The one before the step, or the one after?",
    loses=("da", "dh_before"),
)
def forget_gate_meets_the_new_cell(dh, dc, i, f, g, o, c_before, weight_hh):
    c = f * c_before + i * g
    t = np.tanh(c)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "Of the output gate: by what was it multiplied when h was made, the cell or its tanh?",
    loses=("da", "dh_before"),
)
def output_gate_meets_the_bare_cell(dh, dc, i, f, g, o, c_before, weight_hh):
    c = f * c_before + i * g
    dc = dc + dh * o * (1 - np.tanh(c) ** 2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * c * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "Input gate and candidate were multiplied with each other. Whose gradient has the other in it?",
    loses=("da", "dh_before"),
)
def each_gets_itself(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * i * i * (1 - i), dc * c_before * f * (1 - f), dc * g * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "`dc_before` comes back as if nothing had been forgotten. How much of the old cell went on?",
    loses=("dc_before",),
)
def cell_kept_whole(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc


@lstm_backward_step.mistake(
    "`dc_before` hears only what came to the new cell by itself. What else came to it, by "
    "way of h?",
    loses=("dc_before",),
)
def old_cell_hears_half(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    whole = dc + dh * o * (1 - t**2)
    parts = [whole * g * i * (1 - i), whole * c_before * f * (1 - f), whole * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "Your `dh_before` passes by the gates: how did the old h come into the step?",
    loses=("dh_before",),
)
def old_state_by_the_output_gate(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    return da, dh * o, dc * f


@lstm_backward_step.mistake(
    "Your `dh_before` is that of one gate alone. Into how many of the four sums did the old h go?",
    loses=("dh_before",),
)
def old_state_by_the_candidate_alone(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)])
    size = dh.shape[1]
    block = slice(2 * size, 3 * size)
    return da, da[:, block] @ weight_hh[block], dc * f


@lstm_backward_step.mistake(
    "Your blocks come in the order i, f, o, g. In which order do the rows of `weight_hh` lie?",
    loses=("da", "dh_before"),
)
def blocks_i_f_o_g(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f)]
    da = np.hstack([*parts, dh * t * o * (1 - o), dc * i * (1 - g**2)])
    return da, da @ weight_hh, dc * f


@lstm_backward_step.mistake(
    "You divide by the number of sequences. Where is the mean over the batch already?",
)
def mean_over_the_batch(dh, dc, i, f, g, o, c_before, weight_hh):
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    parts = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*parts, dh * t * o * (1 - o)]) / len(dh)
    return da, da @ weight_hh, dc * f / len(dh)


# gru_cell ---------------------------------------------------------------------

gru_cell = Exercise(
    "gru_cell",
    "Find the faults: a GRU that doesn't fit its weights",
    parts={"update": 2, "reset": 2, "whole": 1},
    minutes=18,
    difficulty=2,
    outcomes=(GATES,),
    kind="mend",
    forbids=FORBIDS,
)


@gru_cell.cases
def _(rng):
    def case(n, d, size, part, note=""):
        x, h = rng.normal(size=(n, d)), rng.uniform(-0.9, 0.9, size=(n, size))
        w_x, w_h = rng.normal(size=(3 * size, d)), rng.normal(size=(3 * size, size))
        b_x, b_h = rng.normal(size=3 * size), rng.normal(size=3 * size)
        if part == "update":  # the reset gate doesn't matter: the candidate hears no state
            w_h[2 * size :], b_h[2 * size :] = 0, 0
        if part == "reset":  # half of the old state is kept, whichever way round
            for each in (w_x, w_h, b_x, b_h):
                each[size : 2 * size] = 0
        return Case((x, h, w_x, w_h, b_x, b_h), note, (part,))

    yield case(1, 1, 1, "update", "one unit, whose candidate doesn't hear the state")
    yield case(3, 2, 4, "update", "four units, whose candidates don't hear the state")
    yield case(1, 1, 1, "reset", "one unit that keeps half of its state")
    yield case(2, 3, 4, "reset", "four units that keep half of their states")
    yield case(3, 3, 3, "reset", "as many features as units")
    yield case(1, 2, 1, "whole", "one unit")
    yield case(3, 2, 3, "whole", "three sequences, 2 features, 3 units")
    yield case(2, 4, 4, "whole", "as many features as units")
    while True:
        n, d, size = (int(v) for v in rng.integers(1, 5, size=3))
        yield case(n, d, size, str(rng.choice(["update", "reset", "whole"])))


@gru_cell.observe
def _(candidate, x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    new = candidate(x, h, weight_ih, weight_hh, bias_ih, bias_hh)
    return dict.fromkeys(("update", "reset", "whole"), new)


@gru_cell.answer
def _(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(a_n + r * u_n) + z * h


@gru_cell.alternative
def as_a_step_towards_the_candidate(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    size = h.shape[1]
    of_input, of_state = weight_ih @ x.T + bias_ih[:, None], weight_hh @ h.T + bias_hh[:, None]
    gates = 0.5 + 0.5 * np.tanh((of_input + of_state)[: 2 * size] / 2)
    n = np.tanh(of_input[2 * size :] + gates[:size] * of_state[2 * size :])
    return h + ((1 - gates[size:]) * (n - h.T)).T


@gru_cell.alternative
def sequence_by_sequence(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    w, v = weight_ih.reshape(3, h.shape[1], -1), weight_hh.reshape(3, h.shape[1], -1)
    b, d = bias_ih.reshape(3, -1), bias_hh.reshape(3, -1)
    rows = []
    for now, old in zip(x, h, strict=True):
        r = 1 / (1 + np.exp(-(w[0] @ now + b[0] + v[0] @ old + d[0])))
        z = 1 / (1 + np.exp(-(w[1] @ now + b[1] + v[1] @ old + d[1])))
        n = np.tanh(w[2] @ now + b[2] + r * (v[2] @ old) + r * d[2])
        rows.append(n - z * n + z * old)
    return np.array(rows)


@gru_cell.mistake("That is the colleague's: both faults are in it still.")
def as_it_was(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    size = h.shape[1]
    w_n, b_n, c_n = weight_hh[2 * size :], bias_hh[2 * size :], bias_ih[2 * size :]
    gates = x @ weight_ih[: 2 * size].T + h @ weight_hh[: 2 * size].T
    gates = 1 / (1 + np.exp(-(gates + bias_ih[: 2 * size] + bias_hh[: 2 * size])))
    r, z = gates[:, :size], gates[:, size:]
    n = np.tanh(x @ weight_ih[2 * size :].T + c_n + (r * h) @ w_n.T + b_n)
    return z * n + (1 - z) * h


@gru_cell.mistake(
    "The candidate is right now. But z is still the share of the new in yours. Cho and "
    "others write "
    "it as it stands in the statement: what share of the *old* state does z give?",
    loses=("update", "whole"),
)
def update_gate_turned(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return z * np.tanh(a_n + r * u_n) + (1 - z) * h


@gru_cell.mistake(
    "z is right now. But r still stands inside of the product with the weights, as in the paper of "
    "2014. What does r multiply in the statement's equation?",
    loses=("reset", "whole"),
)
def reset_before_the_weights(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    size = h.shape[1]
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, _) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    n = np.tanh(a_n + (r * h) @ weight_hh[2 * size :].T + bias_hh[2 * size :])
    return (1 - z) * n + z * h


@gru_cell.mistake(
    "Nearly: r multiplies the product, but not the bias that belongs to it. What is all in u?",
    loses=("reset", "whole"),
)
def bias_outside_of_the_reset(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    size = h.shape[1]
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T
    b_r, b_z, b_n = (bias_hh[k * size : (k + 1) * size] for k in range(3))
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r - b_r)), 1 / (1 + np.exp(-a_z - u_z - b_z))
    return (1 - z) * np.tanh(a_n + r * u_n + b_n) + z * h


@gru_cell.mistake(
    "In yours r makes the input smaller, too. Which of the two sums under the tanh does it "
    "multiply?",
    loses=("update", "reset", "whole"),
)
def reset_of_everything(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(r * (a_n + u_n)) + z * h


@gru_cell.mistake(
    "You take z from the first block and r from the second. In which order do they lie here?"
)
def blocks_turned(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_z, a_r, a_n), (u_z, u_r, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(a_n + r * u_n) + z * h


@gru_cell.mistake(
    "In yours the reset gate does nothing any more. Where does r stand in the equation?",
    loses=("reset", "whole"),
)
def no_reset(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    _, a_z, a_n = np.split(a, 3, axis=1)
    _, u_z, u_n = np.split(u, 3, axis=1)
    z = 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(a_n + u_n) + z * h


@gru_cell.mistake(
    "In yours the reset gate also clears the state that is kept. Which of its two uses does "
    "r touch?",
    loses=("update", "reset", "whole"),
)
def kept_state_reset(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(a_n + r * u_n) + z * r * h


@gru_cell.mistake(
    "Your new state lies between 0 and 1 wherever it is new. What bends the candidate?",
    loses=("update", "reset", "whole"),
)
def candidate_by_a_sigmoid_too(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) / (1 + np.exp(-(a_n + r * u_n))) + z * h


@gru_cell.mistake(
    "In yours new and old are added in full. Their shares add up to 1: what stands before the new?",
    loses=("update", "reset", "whole"),
)
def old_state_added(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return np.tanh(a_n + r * u_n) + z * h


@gru_cell.mistake(
    "The bias of the old state makes no difference to your answer. What is all in u?",
    loses=("update", "reset", "whole"),
)
def one_bias_in_the_gru(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(a_n + r * u_n) + z * h


# last_valid_state -------------------------------------------------------------

last_valid_state = Exercise(
    "last_valid_state",
    "What both directions have read in the end",
    parts={"forwards": 2, "backwards": 2, "empty": 1},
    minutes=15,
    difficulty=2,
    outcomes=(GATES, CHOOSE),
    forbids=FORBIDS,
)


@last_valid_state.cases
def _(rng):
    def case(lengths, steps, size, note="", junk=None):
        lengths = np.array(lengths)
        states = rng.uniform(-0.9, 0.9, size=(len(lengths), steps, 2 * size))
        if junk is not None:
            states[np.arange(steps) >= lengths[:, None]] = junk
        parts = ("forwards", "backwards") if lengths.all() else ("empty",)
        return Case((states, lengths), note, parts)

    yield case([3], 3, 2, "one sequence without padding")
    yield case([4, 2, 1], 4, 2, "three lengths")
    yield case([2, 5], 6, 1, "a column of padding, and one unit a direction")
    yield case([1, 3], 3, 3, "padding of NaN", np.nan)
    yield case([2, 2], 4, 2, "padding that is infinite", np.inf)
    yield case([0, 3], 3, 2, "a sequence without a single step")
    yield case([2, 0, 4], 5, 2, "another one, and padding of NaN", np.nan)
    while True:
        n, steps, size = (int(v) for v in rng.integers(1, 6, size=3))
        lengths = rng.integers(0 if rng.random() < 0.3 else 1, steps + 1, size=n)
        yield case(lengths, steps, size, "", np.nan if rng.random() < 0.3 else None)


@last_valid_state.observe
def _(candidate, states, lengths):
    import numpy as np

    found = candidate(states, lengths)
    if not isinstance(found, np.ndarray) or found.ndim != 2:
        raise ValueError("an array (N, 2H) is asked for")
    size = states.shape[2] // 2
    return {"forwards": found[:, :size], "backwards": found[:, size:], "empty": found}


@last_valid_state.answer
def _(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.maximum(lengths, 1) - 1, :size]
    read = np.concatenate([ends, states[:, 0, size:]], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)


@last_valid_state.alternative
def by_a_loop(states, lengths):
    size = states.shape[2] // 2
    read = np.zeros((len(states), 2 * size))
    for row, sequence, length in zip(read, states, lengths, strict=True):
        if length:
            row[:size], row[size:] = sequence[length - 1, :size], sequence[0, size:]
    return read


@last_valid_state.alternative
def chosen_by_a_mask(states, lengths):
    size, steps = states.shape[2] // 2, np.arange(states.shape[1])
    last, first = steps == lengths[:, None] - 1, (steps == 0) & (lengths[:, None] > 0)
    chosen = [
        np.where(mask[:, :, None], half, 0.0).sum(axis=1)
        for mask, half in ((last, states[..., :size]), (first, states[..., size:]))
    ]
    return np.hstack(chosen)


@last_valid_state.mistake(
    "You take the last column for all: for a short sequence that is padding. Where does each one "
    "end, and where has each direction read everything?"
)
def last_column(states, lengths):
    return states[:, -1].copy()


@last_valid_state.mistake(
    "Forwards you are right. But the other direction reads from the end: at which step has *it* "
    "read everything?",
    loses=("backwards", "empty"),
)
def both_at_the_end(states, lengths):
    read = states[np.arange(len(states)), np.maximum(lengths, 1) - 1]
    return np.where(lengths[:, None] > 0, read, 0.0)


@last_valid_state.mistake(
    "Backwards you are right. But the other direction reads from the beginning: at which step has "
    "*it* read everything?",
    loses=("forwards", "empty"),
)
def both_at_the_beginning(states, lengths):
    return np.where(lengths[:, None] > 0, states[:, 0], 0.0)


@last_valid_state.mistake(
    "Your two directions stand in each other's places: the forward one at its first step, the "
    "backward one at its last."
)
def directions_confused(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.maximum(lengths, 1) - 1, size:]
    read = np.concatenate([states[:, 0, :size], ends], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)


@last_valid_state.mistake(
    "The right numbers, the backward half first. Which half does the statement put first?"
)
def halves_turned(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.maximum(lengths, 1) - 1, :size]
    read = np.concatenate([states[:, 0, size:], ends], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)


@last_valid_state.mistake(
    "You read one step behind the end. Steps are counted from 0: which one is the last of 3?",
    loses=("forwards", "empty"),
)
def one_behind_the_end(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.minimum(lengths, states.shape[1] - 1), :size]
    read = np.concatenate([ends, states[:, 0, size:]], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)


@last_valid_state.mistake(
    "Right, but for a sequence of no steps: there `lengths - 1` is -1, and what does NumPy take "
    "that for?",
    loses=("empty",),
)
def nothing_read_from_the_end(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    return np.concatenate([states[rows, lengths - 1, :size], states[:, 0, size:]], axis=1)


@last_valid_state.mistake(
    "Your forward half of a sequence of no steps is right; what has the backward half read?",
    loses=("empty",),
)
def nothing_read_backwards(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.maximum(lengths, 1) - 1, :size]
    ends = np.where(lengths[:, None] > 0, ends, 0.0)
    return np.concatenate([ends, states[:, 0, size:]], axis=1)


@last_valid_state.mistake(
    "You leave out the sequence of no steps: the rows behind it then belong to somebody else.",
    loses=("empty",),
)
def empty_rows_dropped(states, lengths):
    states, lengths = states[lengths > 0], lengths[lengths > 0]
    rows, size = np.arange(len(states)), states.shape[2] // 2
    return np.concatenate([states[rows, lengths - 1, :size], states[:, 0, size:]], axis=1)


@last_valid_state.mistake(
    "You take a mean over the steps. That is in use, too, and called mean pooling. The statement "
    "asks for one state of each direction: which?"
)
def mean_over_the_steps(states, lengths):
    mask = np.arange(states.shape[1]) < lengths[:, None]
    total = np.where(mask[:, :, None], states, 0.0).sum(axis=1)
    return total / np.maximum(lengths, 1)[:, None]


@last_valid_state.mistake(
    "You take the largest over the steps: max pooling. Which step of each direction is asked for?"
)
def largest_over_the_steps(states, lengths):
    mask = np.arange(states.shape[1]) < lengths[:, None]
    largest = np.where(mask[:, :, None], states, -2.0).max(axis=1)
    return np.where(lengths[:, None] > 0, largest, 0.0)


@last_valid_state.mistake(
    "NaN of the padding comes through. What is `0 * np.nan`, and what chooses instead of "
    "multiplying?"
)
def chosen_by_a_product(states, lengths):
    size, steps = states.shape[2] // 2, np.arange(states.shape[1])
    last, first = steps == lengths[:, None] - 1, (steps == 0) & (lengths[:, None] > 0)
    with np.errstate(invalid="ignore"):
        return np.hstack(
            [
                (states[..., :size] * last[:, :, None]).sum(axis=1),
                (states[..., size:] * first[:, :, None]).sum(axis=1),
            ]
        )


@last_valid_state.mistake(
    "You take every second number for one direction. How do the two lie, in turns or in halves?"
)
def directions_in_turns(states, lengths):
    rows = np.arange(len(states))
    ends = states[rows, np.maximum(lengths, 1) - 1, ::2]
    read = np.concatenate([ends, states[:, 0, 1::2]], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)


@last_valid_state.mistake(
    "Forwards you are right. Your other direction is read in the last column. Where does it begin, "
    "and where has it read everything?",
    loses=("backwards", "empty"),
)
def backwards_in_the_last_column(states, lengths):
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.maximum(lengths, 1) - 1, :size]
    read = np.concatenate([ends, states[:, -1, size:]], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)


# gradient_norm_through_time ---------------------------------------------------

gradient_norm_through_time = Exercise(
    "gradient_norm_through_time",
    "How much of the first state arrives",
    parts={"one_step": 2, "norms": 3, "edges": 1},
    minutes=20,
    difficulty=3,
    outcomes=(BACK, CHOOSE),
    forbids=FORBIDS,
)


@gradient_norm_through_time.cases
def _(rng):
    def case(steps, size, part, note="", scale=1.0):
        h = rng.uniform(-0.9, 0.9, size=(steps + 1, size))
        return Case((h, scale * rng.normal(size=(size, size))), note, (part,))

    yield case(1, 3, "one_step", "one step of three units")
    yield case(1, 2, "one_step", "one step of two units")
    yield case(4, 3, "norms", "four steps of three units")
    yield case(6, 2, "norms", "six steps of two units")
    yield case(12, 3, "norms", "weights that let it vanish", 0.3)
    yield case(12, 3, "norms", "weights that let it explode", 3.0)
    yield case(0, 3, "edges", "no step at all")
    yield case(5, 1, "edges", "five steps of one unit")
    yield case(3, 1, "edges", "three steps of one unit")
    while True:
        part = str(rng.choice(["one_step", "norms"]))
        steps = 1 if part == "one_step" else int(rng.integers(2, 9))
        yield case(steps, int(rng.integers(2, 5)), part)


@gradient_norm_through_time.observe
def _(candidate, h, weight_hh):
    return dict.fromkeys(("one_step", "norms", "edges"), candidate(h, weight_hh))


@gradient_norm_through_time.answer
def _(h, weight_hh):
    steps, size = len(h) - 1, h.shape[1]
    norms, jacobian = np.ones(steps + 1), np.eye(size)
    for s in reversed(range(steps)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.alternative
def by_singular_values(h, weight_hh):
    steps = [np.diag(1 - later**2) @ weight_hh for later in h[1:]]
    norms = []
    for s in range(len(h)):
        product = np.eye(h.shape[1])
        for each in steps[s:]:
            product = each @ product
        norms.append(np.linalg.svd(product, compute_uv=False)[0])
    return np.array(norms)


@gradient_norm_through_time.alternative
def by_gradients_of_all_units(h, weight_hh):
    back = np.eye(h.shape[1])  # each row a loss that is one unit of the last state
    norms = [1.0]
    for later in h[:0:-1]:
        back = (back * (1 - later**2)) @ weight_hh
        norms.append(float(np.sqrt(np.linalg.eigvalsh(back @ back.T)[-1])))
    return np.array(norms[::-1])


@gradient_norm_through_time.mistake(
    "For one step you are right. For more you multiply the steps in the wrong order: what acts "
    "first on a change of the first state, and on which side of a product does it stand?",
    loses=("norms",),
)
def wrong_order(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = ((1 - h[s + 1] ** 2)[:, None] * weight_hh) @ jacobian
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "For one step you are right. For more you multiply the sizes of the steps: that is a "
    "bound from "
    "above. Can a change be large behind the first step, and then point where the second is small?",
    loses=("norms",),
)
def product_of_sizes(h, weight_hh):
    norms = np.ones(len(h))
    for s in reversed(range(len(h) - 1)):
        step = (1 - h[s + 1] ** 2)[:, None] * weight_hh
        norms[s] = norms[s + 1] * np.linalg.norm(step, 2)
    return norms


@gradient_norm_through_time.mistake(
    "That is the Frobenius norm, the root of all entries squared: `np.linalg.norm` without a "
    "second "
    "argument. What does it make of no step at all, and what should it be?"
)
def frobenius(h, weight_hh):
    norms, jacobian = np.empty(len(h)), np.eye(h.shape[1])
    norms[-1] = np.linalg.norm(jacobian)
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian)
    return norms


@gradient_norm_through_time.mistake(
    "You take the largest eigenvalue. A matrix can make a vector far longer than any of them says: "
    "which number is the most by which a vector grows?",
    loses=("one_step", "norms"),
)
def largest_eigenvalue(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.abs(np.linalg.eigvals(jacobian)).max()
    return norms


@gradient_norm_through_time.mistake(
    "You take the smallest singular value: the least by which a vector grows. Which one is asked "
    "for?",
    loses=("one_step", "norms"),
)
def smallest_singular_value(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian, -2)
    return norms


@gradient_norm_through_time.mistake(
    "You take the slope of the tanh at the state before the step. Which state did that tanh "
    "hand on?",
)
def slope_one_step_early(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s] ** 2)[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "You leave the tanh out: yours doesn't depend on the states. By what does it shrink a change?",
)
def tanh_forgotten(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ weight_hh
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "Your slopes stand at the columns of the weights, the units that a change comes from. At which "
    "units does the tanh act, those it comes from or those it goes to?",
    loses=("one_step", "norms"),
)
def slopes_at_the_columns(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ (weight_hh * (1 - h[s + 1] ** 2))
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "Your weights are turned: rows of `weight_hh` are the units that a change goes to.",
    loses=("one_step", "norms"),
)
def weights_turned(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh.T)
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "The slope of a sigmoid is y (1 - y). Which function made these states?",
)
def slope_of_a_sigmoid(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((h[s + 1] * (1 - h[s + 1]))[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "The right numbers, the other way round: yours begins with the last state. Which state is "
    "number 0?",
)
def counted_back(h, weight_hh):
    norms, jacobian = [1.0], np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms.append(float(np.linalg.norm(jacobian, 2)))
    return np.array(norms)


@gradient_norm_through_time.mistake(
    "Yours says how each state depends on the first one. Asked is how the *last* one depends on "
    "each.",
)
def from_the_first(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in range(len(h) - 1):
        jacobian = ((1 - h[s + 1] ** 2)[:, None] * weight_hh) @ jacobian
        norms[s + 1] = np.linalg.norm(jacobian, 2)
    return norms


@gradient_norm_through_time.mistake(
    "The last state is missing. How much of a change of the last state arrives at the last state?"
)
def last_state_missing(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms[:-1]


@gradient_norm_through_time.mistake(
    "You take the largest entry. A vector that points between the axes may grow by more than any "
    "entry says. Which norm of a matrix is the most by which a vector grows?",
    loses=("one_step", "norms"),
)
def largest_entry(h, weight_hh):
    norms, jacobian = np.ones(len(h)), np.eye(h.shape[1])
    for s in reversed(range(len(h) - 1)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.abs(jacobian).max()
    return norms


# gates_forecast ---------------------------------------------------------------

gates_forecast = Exercise(
    "gates_forecast",
    "Predict: what gates cost and keep",
    parts=dict.fromkeys(("lstm", "gru", "both", "head", "faded", "half", "counted", "rounds"), 1),
    minutes=12,
    difficulty=2,
    outcomes=(GATES, CHOOSE),
    kind="predict",
    of="value",
)


@gates_forecast.answer
def _():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.alternative
def by_formula():
    d, size, classes = 12, 20, 9
    block = size * (d + size + 2)
    keep = 1 / (1 + np.exp(-3.0))
    return {
        "lstm": 4 * block,
        "gru": 3 * block,
        "both": 8 * block,
        "head": classes * (2 * size + 1),
        "faded": int(np.ceil(np.log(0.01) / np.log(0.5))),
        "half": int(np.ceil(np.log(0.5) / np.log(keep))),
        "counted": sum([1, 0, 1, 1, 1, 0, 1, 1]),
        "rounds": int(np.ceil(np.log2(300))),
    }


@gates_forecast.alternative
def by_counting_them():
    weights = [np.zeros((20, 12)), np.zeros((20, 20)), np.zeros(20), np.zeros(20)]
    one = sum(w.size for w in weights)
    cell, faded = 1.0, 0
    while cell >= 0.01:
        cell, faded = 0.5 * cell, faded + 1
    cell, half = 1.0, 0
    while cell >= 0.5:
        cell, half = cell / (1 + np.exp(-3)), half + 1
    reach, rounds = 1, 0
    while reach < 300:
        reach, rounds = 2 * reach, rounds + 1
    c = 0
    for heard in (1, 0, 1, 1, 1, 0, 1, 1):
        c = c + heard
    return {
        "lstm": 4 * one,
        "gru": 3 * one,
        "both": 2 * 4 * one,
        "head": np.zeros((9, 40)).size + 9,
        "faded": faded,
        "half": half,
        "counted": c,
        "rounds": rounds,
    }


@gates_forecast.mistake(
    "`lstm`: that is one block. How many blocks of rows have an LSTM's weights?",
    loses=("lstm",),
)
def a_single_block():
    return {
        "lstm": 680,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`lstm`: you count one bias for each row. How many does torch keep?",
    loses=("lstm",),
)
def lstm_with_one_bias():
    return {
        "lstm": 2640,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`lstm`: weights alone. What else does it learn?",
    loses=("lstm",),
)
def lstm_without_biases():
    return {
        "lstm": 2560,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`lstm`: three gates, and what else has weights of its own?",
    loses=("lstm",),
)
def candidate_not_counted():
    return {
        "lstm": 2040,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`gru`: you count one bias for each row. How many does torch keep?",
    loses=("gru",),
)
def gru_with_one_bias():
    return {
        "lstm": 2720,
        "gru": 1980,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`gru`: weights alone. What else does it learn?",
    loses=("gru",),
)
def gru_without_biases():
    return {
        "lstm": 2720,
        "gru": 1920,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`gru`: two gates, and what else has weights of its own?",
    loses=("gru",),
)
def gru_of_two_blocks():
    return {
        "lstm": 2720,
        "gru": 1360,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`gru`: that is the LSTM's number. Which gate does a GRU do without?",
    loses=("gru",),
)
def gru_as_large():
    return {
        "lstm": 2720,
        "gru": 2720,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`both`: that is one direction. Do the two share their weights?",
    loses=("both",),
)
def directions_share():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 2720,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`both`: you let the second direction read the states of the first. That is a second "
    "layer. What does the other direction read?",
    loses=("both",),
)
def second_reads_the_first():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 7040,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`head`: how many numbers come from both directions together?",
    loses=("head",),
)
def one_direction_read():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 189,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`head`: weights alone. What else does a linear layer learn?",
    loses=("head",),
)
def head_without_biases():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 360,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`faded`: after that many steps a little more than a hundredth is left still.",
    loses=("faded",),
)
def faded_one_early():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 6,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`faded`: each step multiplies by the gate. What is a sigmoid of 0?",
    loses=("faded",),
)
def faded_by_division():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 100,
        "half": 15,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`half`: after that many steps a little more than half is left still.",
    loses=("half",),
)
def half_one_early():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 14,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`half`: 3 is what stands under the sigmoid. What is the gate?",
    loses=("half",),
)
def gate_taken_for_its_sum():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 1,
        "counted": 6,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`counted`: you keep the cell below 1. Which of c and h goes through a tanh at the end?",
    loses=("counted",),
)
def cell_bounded():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 1,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`counted`: you count all steps. What is the candidate where the input is 0?",
    loses=("counted",),
)
def zeros_counted_too():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 8,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`counted`: you begin anew after a 0. What does a forget gate of 1 do there?",
    loses=("counted",),
)
def last_heard_only():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 2,
        "rounds": 9,
    }


@gates_forecast.mistake(
    "`rounds`: you go on by one step a round. By how much does the reach grow with each?",
    loses=("rounds",),
)
def a_round_a_step():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 299,
    }


@gates_forecast.mistake(
    "`rounds`: after that many rounds the last place knows 256 steps. How many are there?",
    loses=("rounds",),
)
def a_round_short():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 8,
    }


@gates_forecast.mistake(
    "`rounds`: after one fewer each place knows all there is already.",
    loses=("rounds",),
)
def a_round_too_many():
    return {
        "lstm": 2720,
        "gru": 2040,
        "both": 5440,
        "head": 369,
        "faded": 7,
        "half": 15,
        "counted": 6,
        "rounds": 10,
    }


# written ----------------------------------------------------------------------

an_alarm_that_remembers = Question(
    "an_alarm_that_remembers",
    "An alarm that remembers everything",
    points=5,
    minutes=12,
    outcomes=(CHOOSE,),
    rubric="""\
- 1 point: a bidirectional network reads what comes after the moment it speaks of. At the bedside
  that isn't there yet: tested on whole stays it looked ahead, and live it can't run. One direction.
- 1 point: the state at the last column belongs to padding, for all but the longest stay; how much
  padding there is may even give the outcome away. It has to be the state behind each stay's own
  last step (packing, a mask, or choosing by length).
- 1 point: "is an LSTM, so it remembers three days" is a claim to measure. A forget gate a little
  below 1 fades over 4,320 steps, and pieces of 60 steps never taught it to keep anything longer.
  Names a measurement: gradient or output against how far back a change lies, or swapping the early
  part of stays and seeing whether anything changes.
- 1 point: the split: windows of one patient on both sides. Split by patient (better: by hospital or
  by time).
- 1 point: 94 % of the cases says nothing of false alarms: an alarm that always sounds has 100 %.
  Asks for alarms per patient and day, or precision, at that rate; or asks for a baseline on the
  same patients (the last values, means and trends in a logistic regression or a tree; today's alarm
  score), with several seeds and an interval, because the difference can be luck.
- No point for "LSTMs are outdated, use a transformer" or "more data" without saying what for.""",
    exemplars={
        "full": """\
A bidirectional LSTM reads each stay from its end as well. When the alarm has to sound the end
hasn't happened yet, so the 94 % were reached by looking ahead, and at the bedside only the forward
half exists: train and test that. Then the state: the stays were padded to the longest, and the
state at the last column has walked over hours of zeros for all others; take the state behind each
stay's own last step. That it is an LSTM doesn't show that it remembers three days. They trained in
pieces of 60 minutes, and a forget gate of 0.99 keeps less than one part in a billion over a day and
a half: I would exchange the first day of stays for those of others and look whether the forecasts
change at all, and draw the gradient against minutes back. Windows drawn at random put minutes of
the same patient on both sides, so I would split by patient. And 94 % of the cases is half a number:
how often does it sound for nothing? Beside it I would show, on the same patients, a logistic
regression on last value, mean and slope of each sign, with five seeds of the network and an
interval from drawing patients, before I believe that the network adds anything.""",
        "partial": """\
The network is bidirectional, so it sees the future, which isn't possible in real time. Also they
should split by patient and not by windows.""",
        "typical": """\
LSTMs are good for long sequences because of the forget gate, so remembering three days is
plausible. 94 % is high. Maybe they should add more layers or use a transformer, and collect more
data to avoid overfitting.""",
    },
)
