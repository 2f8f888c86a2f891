# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # LSTM and GRU: exercises
#
# You write one step of an LSTM and derive the way back through it, mend a GRU that doesn't fit its
# weights, read off what both directions know in the end, and measure how much of a state survives.
# Everything is NumPy, a few lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet**, PyTorch's with the batch first. N sequences, T steps, D features,
# H hidden units. Weights of several gates lie in blocks of H rows, one under the other: `weight_ih`
# of an LSTM is `(4H, D)`, `weight_hh` `(4H, H)`, each of two biases `(4H,)`, in the order i, f, g,
# o; of a GRU it is 3H, in the order r, z, n. $\sigma(a) = 1 / (1 + e^{-a})$; $\odot$ multiplies
# entry by entry. Arrays hold floats, lengths whole numbers. Give back new arrays, and leave those
# that you are handed as they are. Loops are welcome.

# %% [markdown] role="statement" grade_id="lstm_cell"
# ## One step of an LSTM
#
# With $a = W_{ih}\, x + b_{ih} + W_{hh}\, h + b_{hh}$, in four blocks,
#
# $$i = \sigma(a_i), \quad f = \sigma(a_f), \quad g = \tanh(a_g), \quad o = \sigma(a_o),$$
#
# $$c' = f \odot c + i \odot g, \qquad h' = o \odot \tanh(c').$$
#
# Write `lstm_cell(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh)` for one step: `x` is `(N, D)`,
# `h` and `c` are `(N, H)`. Return the new `h` and the new `c`, in this order. The sums can be very
# large: a gate is then 0 or 1, and nothing becomes NaN.
#
# For example, one unit, `x = [[1]]`, `h = [[0]]`, `c = [[2]]`, `weight_ih` of zeros, `weight_hh` of
# zeros, `bias_hh` of zeros and `bias_ih = [0, 0, 20, 0]`: three gates are a half and the candidate
# is 1, so the new `c` is `[[1.5]]`, and the new `h` is `[[0.4526]]`, rounded.
#
# <details><summary>Hint: how do I get the four blocks?</summary>
#
# `np.split(a, 4, axis=1)`, or slices of H columns.
#
# </details>
#
# <details><summary>Hint: how does a sigmoid get NaN?</summary>
#
# As $e^a / (1 + e^a)$, for a large $a$. In which of its forms is the exponential never divided by
# itself? Or: $\sigma(a) = \frac{1}{2} + \frac{1}{2} \tanh(a / 2)$.
#
# </details>

# %% role="solution" grade_id="lstm_cell"
def lstm_cell(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """The new h and the new c, (N, H) each."""
    ### BEGIN SOLUTION
    a = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new
    ### END SOLUTION


# %% role="check" grade_id="lstm_cell"
check("lstm_cell", lstm_cell)

# %% [markdown]
# One unit that is handed its gates by its biases. Which of the four lines remembers the 2 it begins
# with, which forgets it, which adds to it, and which keeps it to itself?

# %%
for i, f, g, o in ((-20, 20, 0, 20), (-20, -20, 0, 20), (20, 20, 0.5, 20), (-20, 20, 0, -20)):
    h, c, told = np.zeros((1, 1)), np.full((1, 1), 2.0), []
    for _ in range(6):
        bias = np.array([i, f, g, o], float)
        h, c = lstm_cell(np.zeros((1, 1)), h, c, np.zeros((4, 1)), np.zeros((4, 1)), bias, 0 * bias)
        told.append(f"{h[0, 0]:5.2f}")
    print(f"i {i:3}, f {f:3}, o {o:3}: ", *told)

# %% [markdown] role="statement" grade_id="lstm_backward_step"
# ## Derive: one step back through an LSTM
#
# Forwards, one step of the last exercise has been done. What it had in hand was kept: the gates
# `i`, `f`, `o` and the candidate `g` (after the sigmoid and the tanh), and the cell before the
# step, `c_before`, each `(N, H)`. Now the gradients of the loss come back: `dh` with respect to
# the new h, and `dc` with respect to the new c, as far as it comes *from the next step*. That the
# new c also made the new h isn't in it: that is your work.
#
# Write `lstm_backward_step(dh, dc, i, f, g, o, c_before, weight_hh)`. Return, in this order:
#
# - `da` `(N, 4H)`, with respect to the four sums, in the order i, f, g, o,
# - `dh_before` `(N, H)`, with respect to the h before the step,
# - `dc_before` `(N, H)`, with respect to the c before the step.
#
# The mean over the sequences is in the gradients already.
#
# For example, one unit, all gates 0.5, `g = [[1]]`, `c_before = [[-1]]`, so that the new cell is 0;
# `dh = [[2]]`, `dc = [[1]]`, `weight_hh = [[1], [1], [1], [1]]`. The whole gradient of the new cell
# is 2, and `da` is `[[0.5, -0.5, 0, 0]]`, `dh_before` `[[0]]`, `dc_before` `[[1]]`.
#
# <details><summary>Hint: where do I begin?</summary>
#
# With the new cell. Two things read it. Add up what both send back, before you go on to its parts.
#
# </details>
#
# <details><summary>Hint: how do I get through a gate?</summary>
#
# First to the gate: what was it multiplied by? Then through the sigmoid: its slope can be had from
# what it handed on. The candidate isn't a sigmoid.
#
# </details>


# %% role="solution" grade_id="lstm_backward_step"
def lstm_backward_step(dh, dc, i, f, g, o, c_before, weight_hh):
    """da (N, 4H), dh_before (N, H) and dc_before (N, H)."""
    ### BEGIN SOLUTION
    t = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - t**2)
    da = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2)]
    da = np.hstack([*da, dh * t * o * (1 - o)])
    return da, da @ weight_hh, dc * f
    ### END SOLUTION


# %% role="check" grade_id="lstm_backward_step"
check("lstm_backward_step", lstm_backward_step)

# %% [markdown]
# Proof by differences, with your own two functions: move the cell before the step a little.

# %%
rng = np.random.default_rng(0)
x, h, c = rng.normal(size=(1, 2)), rng.normal(size=(1, 3)), rng.normal(size=(1, 3))
w_x, w_h, none = rng.normal(size=(12, 2)), rng.normal(size=(12, 3)), np.zeros(12)
weigh_h, weigh_c = rng.normal(size=(1, 3)), rng.normal(size=(1, 3))


def scored(c):
    new_h, new_c = lstm_cell(x, h, c, w_x, w_h, none, none)
    return np.sum(weigh_h * new_h + weigh_c * new_c)


i, f, g, o = np.split(x @ w_x.T + h @ w_h.T, 4, axis=1)
i, f, o, g = *(1 / (1 + np.exp(-gate)) for gate in (i, f, o)), np.tanh(g)
found = lstm_backward_step(weigh_h, weigh_c, i, f, g, o, c, w_h)[2][0]
for j in range(3):
    step = np.eye(3)[j] * 1e-6
    by_differences = (scored(c + step) - scored(c - step)) / 2e-6
    print(f"unit {j}: {found[j]:9.6f}, by differences {by_differences:9.6f}")

# %% [markdown] role="statement" grade_id="gru_cell"
# ## Find the faults: a GRU that doesn't fit its weights
#
# A colleague has a GRU's weights from PyTorch, and a function written from another paper. It runs,
# all states lie between -1 and 1, and yet they aren't PyTorch's. PyTorch's equations, with
# $a = W_{ih}\, x + b_{ih}$ and $u = W_{hh}\, h + b_{hh}$, in three blocks each:
#
# $$r = \sigma(a_r + u_r), \quad z = \sigma(a_z + u_z), \quad n = \tanh(a_n + r \odot u_n), \quad
# h' = (1 - z) \odot n + z \odot h.$$
#
# Find the *two* faults, and write the mended function as
# `gru_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh)`, with `x` `(N, D)` and `h` `(N, H)`; it
# returns the new states `(N, H)`.
#
# For example, one unit, `x = [[0]]`, `h = [[0.5]]`, `weight_ih` of zeros, `weight_hh = [[0], [0],
# [2]]`, `bias_ih` of zeros, and `bias_hh = [0, 0, 1]`: both gates are a half, $u_n = 2$, and the
# new state is `[[0.6308]]`, rounded: the mean of $\tanh(1)$ and 0.5.
#
# <details><summary>Hint: how do I find the faults?</summary>
#
# Try the example above in the colleague's function, and print `n`. Then one in which z isn't a
# half.
#
# </details>


# %% role="given" grade_id="colleagues_gru"
def colleagues_gru(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    """The new states (N, H). Something is wrong, twice."""
    size = h.shape[1]
    a = x @ weight_ih.T + bias_ih
    u = h @ weight_hh[: 2 * size].T + bias_hh[: 2 * size]
    r = 1 / (1 + np.exp(-a[:, :size] - u[:, :size]))
    z = 1 / (1 + np.exp(-a[:, size : 2 * size] - u[:, size:]))
    of_state = (r * h) @ weight_hh[2 * size :].T + bias_hh[2 * size :]
    n = np.tanh(a[:, 2 * size :] + of_state)
    return z * n + (1 - z) * h


w_h, b_h = np.array([[0.0], [0.0], [2.0]]), np.array([0.0, 0.0, 1.0])
print(colleagues_gru(np.zeros((1, 1)), np.array([[0.5]]), np.zeros((3, 1)), w_h, 0 * b_h, b_h))


# %% role="solution" grade_id="gru_cell"
def gru_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    """The new states (N, H)."""
    ### BEGIN SOLUTION
    a, u = x @ weight_ih.T + bias_ih, h @ weight_hh.T + bias_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    return (1 - z) * np.tanh(a_n + r * u_n) + z * h
    ### END SOLUTION


# %% role="check" grade_id="gru_cell"
check("gru_cell", gru_cell)

# %% [markdown] role="statement" grade_id="last_valid_state"
# ## What both directions have read in the end
#
# A batch has been read in both directions: `states` is `(N, T, 2H)`. The first H numbers of a step
# belong to the direction that reads from the beginning, the last H to the one that reads backwards:
# it begins at each sequence's own last step, and its state *stands at the step that it has just
# read*. That is how PyTorch gives the states of packed sequences. `lengths` `(N,)` says how many
# steps each sequence has; after them is padding, which can be anything, NaN too.
#
# Write `last_valid_state(states, lengths)`. Return `(N, 2H)`: of each direction the state at which
# it has read the whole sequence, the forward one first. For a sequence of no steps, all zeros.
#
# For example, one unit a direction, `states = [[[1, 2], [3, 4], [5, 6]]]` and `lengths = [2]` give
# `[[3, 2]]`.
#
# <details><summary>Hint: how do I take another step of each sequence?</summary>
#
# `states[np.arange(N), steps]` takes step `steps[0]` of the first, `steps[1]` of the second, …
#
# </details>


# %% role="solution" grade_id="last_valid_state"
def last_valid_state(states, lengths):
    """What each direction has read in the end, (N, 2H), for states (N, T, 2H)."""
    ### BEGIN SOLUTION
    rows, size = np.arange(len(states)), states.shape[2] // 2
    ends = states[rows, np.maximum(lengths, 1) - 1, :size]
    read = np.concatenate([ends, states[:, 0, size:]], axis=1)
    return np.where(lengths[:, None] > 0, read, 0.0)
    ### END SOLUTION


# %% role="check" grade_id="last_valid_state"
check("last_valid_state", last_valid_state)

# %% [markdown] role="statement" grade_id="gradient_norm_through_time"
# ## How much of the first state arrives
#
# A plain recurrent network, $h_{t} = \tanh(\dots + W_{hh}\, h_{t-1})$, has read one sequence, and
# `h` `(T + 1, H)` holds its states: `h[0]` the first one, `h[t]` the one after step t. By how much
# does the last state move, at most, if the state `h[s]` is moved a little? That is the largest
# singular value of the matrix $\partial h_T / \partial h_s$ (its *spectral norm*,
# `np.linalg.norm(matrix, 2)`).
#
# Write `gradient_norm_through_time(h, weight_hh)`. Return an array `(T + 1,)` whose entry s is this
# norm. For s = T it is 1.
#
# For example, one unit, `h = [[0], [0.6], [0]]` and `weight_hh = [[0.5]]` give `[0.16, 0.5, 1]`.
#
# <details><summary>Hint: and one step?</summary>
#
# Move $h_{s}$ by a little $\delta$. Under the tanh that becomes $W_{hh}\, \delta$. What does each
# unit's tanh make of it, at the place where it stands?
#
# </details>
#
# <details><summary>Hint: and several?</summary>
#
# A product of matrices, each made at its own step. Which one touches $\delta$ first? And what do
# you know already when you go from s + 1 to s?
#
# </details>


# %% role="solution" grade_id="gradient_norm_through_time"
def gradient_norm_through_time(h, weight_hh):
    """For each s the spectral norm of the last state's derivative by state s, (T + 1,)."""
    ### BEGIN SOLUTION
    steps, size = len(h) - 1, h.shape[1]
    norms, jacobian = np.ones(steps + 1), np.eye(size)
    for s in reversed(range(steps)):
        jacobian = jacobian @ ((1 - h[s + 1] ** 2)[:, None] * weight_hh)
        norms[s] = np.linalg.norm(jacobian, 2)
    return norms
    ### END SOLUTION


# %% role="check" grade_id="gradient_norm_through_time"
check("gradient_norm_through_time", gradient_norm_through_time)

# %% [markdown]
# Random networks of 16 units on random inputs. The largest factor is that of the weights; 1 divides
# by their spectral radius. Can one size of the weights be right for 10 steps and for 40?

# %%
rng = np.random.default_rng(0)
w = rng.normal(size=(16, 16))
w /= np.abs(np.linalg.eigvals(w)).max()
heard = 0.3 * rng.normal(size=(40, 16))
for factor in (0.5, 0.9, 1.1, 1.5, 2.5):
    states = [np.zeros(16)]
    for x in heard:
        states.append(np.tanh(x + factor * w @ states[-1]))
    norms = gradient_norm_through_time(np.array(states), factor * w)
    print(f"{factor}: after 10 steps {norms[-11]:.1e}, after 40 steps {norms[-41]:.1e}")

# %% [markdown] role="statement" grade_id="gates_forecast"
# ## Predict: what gates cost and keep
#
# A layer as `torch.nn.LSTM` or `torch.nn.GRU`, with both biases, takes 12 numbers a step and has 20
# hidden units. Work out on paper:
#
# - `lstm`, `gru`: how many parameters has each of the two layers?
# - `both`: how many has an LSTM that reads in both directions?
# - `head`: a linear layer with biases reads the last states of both directions of that LSTM and
#   gives 9 logits. How many parameters has *it*?
# - `faded`: the sum under a forget gate is always 0, and nothing new is let in. After how many
#   steps is less than a hundredth of the cell left? The smallest such number.
# - `half`: the same with a sum of 3. After how many steps is less than half of the cell left?
# - `counted`: input gate and forget gate are 1 for good, and the candidate is the input itself. The
#   cell begins at 0 and hears 1, 0, 1, 1, 1, 0, 1, 1. What is c in the end?
# - `rounds`: a gated *linear* recurrence over 300 steps is done by doubling, as in the chapter:
#   after the first round each place knows two steps. After how many rounds does the last place
#   know all of them?
#
# Set `gates_forecast` to a dict of these eight whole numbers. For example, with 1 number a step and
# 1 hidden unit `lstm` would be 16.

# %% role="solution" grade_id="gates_forecast"
### BEGIN SOLUTION
gates_forecast = {
    "lstm": 2720,
    "gru": 2040,
    "both": 5440,
    "head": 369,
    "faded": 7,
    "half": 15,
    "counted": 6,
    "rounds": 9,
}
### END SOLUTION

# %% role="check" grade_id="gates_forecast"
check("gates_forecast", gates_forecast)

# %% [markdown] role="question" grade_id="an_alarm_that_remembers"
# ## An alarm that remembers everything
#
# A ward wants to know which patients will need intensive care within six hours. A supplier shows a
# network. "Heart rate, pressure and oxygen of each stay, a step a minute, up to 72 hours, padded
# with zeros to the longest stay; a bidirectional LSTM, trained in pieces of 60 minutes; the state
# at the last column goes into the output. Since it is an LSTM it remembers all three days. On
# windows that we drew at random for the test it recognises 94 % of the cases." Answer in five to
# eight sentences: what can't run at the bedside, what the output really reads, how you would find
# out what it remembers, what is wrong with the test, and what is missing beside 94 %. A person
# reads and marks your answer.

# %% [markdown] role="answer" grade_id="an_alarm_that_remembers"
