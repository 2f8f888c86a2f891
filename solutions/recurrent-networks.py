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
# # Recurrent networks: exercises
#
# You write one step of a recurrent network and the way back through all of them, mend an embedding,
# keep padding out of a loss, and split a series without looking ahead. Everything is NumPy, a
# few lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet**, PyTorch's with the batch first. Sequences are `(N, T, D)`:
# examples, steps, features. `weight_ih` is `(H, D)` and `weight_hh` `(H, H)`, H hidden units. Steps
# and tokens are counted from 0. A mask is True where there is something, False where there is
# padding; tokens are whole numbers. All other arrays hold `float64`, and so do the arrays that you
# return: an array, not a list of lists. Don't change the arrays that you are given. Loops are
# welcome.

# %% [markdown] role="statement" grade_id="rnn_cell"
# ## One step, for those that are still going
#
# $$h' = \tanh(W_{ih}\, x + b_{ih} + W_{hh}\, h + b_{hh})$$
#
# In a batch some sequences end before others. Write
# `rnn_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running)` for one step: `x` is `(N, D)`,
# `h` `(N, H)`, both biases `(H,)`, and `running` `(N,)` says which sequences are still going.
# Return the new states `(N, H)`:
#
# - of a sequence that is still going, $h'$. The sum under the tanh can be 1,000 and more, or -1,000
#   and less; $h'$ is 1 or -1 then.
# - of a sequence that has ended, the state that it had. What `x` holds for it is padding and can be
#   anything, NaN and infinity too.
#
# A NaN in a sequence that is still going isn't hidden: its new state is NaN.
#
# For example, two sequences of one feature with one hidden unit, `x = [[1], [7]]`,
# `h = [[0.5], [0.25]]`, both weights 1, `bias_ih = [0]`, `bias_hh = [-1]` and
# `running = [True, False]` give `[[0.4621], [0.25]]`, rounded: the first is $\tanh(0.5)$.
#
# <details><summary>Hint: how do I treat some rows differently from others?</summary>
#
# `np.where(condition, a, b)` chooses entry by entry. Which shape must the condition have, so that
# it chooses whole rows?
#
# </details>

# %% role="solution" grade_id="rnn_cell"
def rnn_cell(x, h, weight_ih, weight_hh, bias_ih, bias_hh, running):
    """The new states (N, H); a sequence that isn't running keeps the one it had."""
    ### BEGIN SOLUTION
    new = np.tanh(x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh)
    return np.where(running[:, None], new, h)
    ### END SOLUTION


# %% role="check" grade_id="rnn_cell"
check("rnn_cell", rnn_cell)

# %% [markdown]
# One unit reads a single 1, and then only 0. How long does it remember the 1, with different
# weights from state to state?

# %%
for weight in (0.5, 0.9, 1.2, -0.9):
    h, heard = np.zeros((1, 1)), []
    for t in range(12):
        x = np.array([[1.0 if t == 0 else 0.0]])
        w, none, goes_on = np.array([[weight]]), np.zeros(1), np.array([True])
        h = rnn_cell(x, h, np.ones((1, 1)), w, none, none, goes_on)
        heard.append(f"{h[0, 0]:5.2f}")
    print(f"{weight:4}: ", *heard)

# %% [markdown] role="statement" grade_id="bptt"
# ## Derive: back through time, all of it or in pieces
#
# Forwards, the step of the last exercise was done T times, no sequence ended, and all states
# were kept: `h` is `(N, T + 1, H)`, `h[:, 0]` is the first state, and `h[:, t + 1]` is what step
# `t` made of `x[:, t]` and `h[:, t]`. The outputs of the network read every state; `dh` `(N, T, H)`
# is the gradient of the loss with respect to `h[:, 1:]` *through these outputs only*. A state also
# acts on all later states. That part isn't in `dh`: you calculate it.
#
# With **truncation** the sequence is cut into pieces of `k` steps: 0 to k - 1, k to 2k - 1, and so
# on; the last piece can be shorter. The border between two pieces is a seam. The *state* is passed
# on over a seam, as a plain number. No *gradient* goes back over it. With `k` of at least T there
# is no seam.
#
# Write `bptt(dh, h, x, weight_ih, weight_hh, k)`. Return `dx`, `dweight_ih`, `dweight_hh`, `dbias`
# and `dh0`, in this order, each in the shape of what it is the gradient of: `dbias` `(H,)` is the
# gradient of one of the two biases (it is the same for both), `dh0` `(N, H)` that of the first
# state, with which the first piece begins. The mean over the examples is in `dh` already: you only
# add up.
#
# For example, one unit, one sequence, two steps, `h = [[[0.5], [0.6], [0]]]`, `x = [[[1], [2]]]`,
# `weight_ih = [[1]]`, `weight_hh = [[0.5]]`, `dh = [[[1], [2]]]` and `k = 2` give
# `dx = [[[1.28], [2]]]`, `dweight_ih = [[5.28]]`, `dweight_hh = [[1.84]]`, `dbias = [3.28]` and
# `dh0 = [[0.64]]`. (The states are chosen for easy numbers. They don't belong to these weights, and
# needn't: you don't calculate them again.) With `k = 1`: `[[[0.64], [2]]]`, `[[4.64]]`, `[[1.52]]`,
# `[2.64]` and `[[0.32]]`.
#
# <details><summary>Hint: where do I begin?</summary>
#
# At the last step, with the sum under its tanh; call the gradient of that sum `da`. The sum was
# made of an input, a state and the biases: which gradient does each of them get from `da`? Then go
# one step back. From which two places does a gradient come to *its* state?
#
# </details>
#
# <details><summary>Hint: what does a seam change?</summary>
#
# Only one thing: what comes back from the later steps. What was calculated forwards stays as it is:
# `weight_hh` was multiplied by the last state of the piece before, and its gradient needs that
# state.
#
# </details>


# %% role="solution" grade_id="bptt"
def bptt(dh, h, x, weight_ih, weight_hh, k):
    """dx, dweight_ih, dweight_hh, dbias and dh0; gradients are cut every k steps."""
    ### BEGIN SOLUTION
    dx, dbias, later = np.zeros(x.shape), np.zeros(len(weight_hh)), np.zeros(h[:, 0].shape)
    dweight_ih, dweight_hh = np.zeros(weight_ih.shape), np.zeros(weight_hh.shape)
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
    ### END SOLUTION


# %% role="check" grade_id="bptt"
check("bptt", bptt)

# %% [markdown]
# A check by differences, with your own two functions. How much of the gradient does a truncation
# keep?

# %%
rng = np.random.default_rng(0)
x, h0 = rng.normal(size=(1, 12, 2)), np.zeros((1, 3))
w_x, w_h, none = rng.normal(size=(3, 2)), rng.normal(size=(3, 3)) / 2, np.zeros(3)
weigh = rng.normal(size=(1, 12, 3))


def states(w_h):
    h = [h0]
    for t in range(12):
        h.append(rnn_cell(x[:, t], h[-1], w_x, w_h, none, none, np.array([True])))
    return np.stack(h, axis=1)


step = np.zeros((3, 3))
step[1, 2] = 1e-6
up, down = (np.sum(weigh * states(w_h + sign * step)[:, 1:]) for sign in (1, -1))
for k in (12, 6, 3, 1):
    found = bptt(weigh, states(w_h), x, w_x, w_h, k)[2][1, 2]
    print(f"k = {k:2}: {found:9.6f}, by differences {(up - down) / 2e-6:9.6f}")

# %% [markdown] role="statement" grade_id="embedding_backward"
# ## Find the fault: backward through an embedding
#
# An embedding is a table with a row of numbers for each token; forwards, `y = weight[tokens]`. One
# token stands for padding: `padding_idx`. Its row isn't trained, so its gradient is 0. The cell
# below is a colleague's. On the batch below it is right. On real names it isn't: it has *two*
# faults.
#
# Write the mended function as `embedding_backward(dy, tokens, num_embeddings, padding_idx)`.
# `tokens` is `(N, T)`, `dy` `(N, T, E)`, and `num_embeddings` says how many tokens there are,
# whether they occur or not. Return `dweight`, `(num_embeddings, E)`. The mean over the examples is
# in `dy` already.
#
# For example, `tokens = [[2, 2, 0]]`, `dy = [[[1, 10], [2, 20], [3, 30]]]`, four tokens and
# `padding_idx = 1` give `[[3, 30], [0, 0], [3, 30], [0, 0]]`.
#
# <details><summary>Hint: how do I find the faults?</summary>
#
# Try the example above, entry by entry. Then ask for each row of the table: which places of the
# batch have read it?
#
# </details>


# %% role="given" grade_id="colleagues_embedding"
def colleagues_embedding(dy, tokens, num_embeddings, padding_idx):
    """dweight of an embedding. Something is wrong, twice."""
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    dweight[tokens] += dy
    dweight[0] = 0  # padding doesn't learn
    return dweight


fine = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
print(colleagues_embedding(fine, np.array([[3, 1, 0]]), 4, 0))


# %% role="solution" grade_id="embedding_backward"
def embedding_backward(dy, tokens, num_embeddings, padding_idx):
    """dweight (num_embeddings, E) for tokens (N, T) and the gradient dy (N, T, E)."""
    ### BEGIN SOLUTION
    dweight = np.zeros((num_embeddings, dy.shape[-1]))
    np.add.at(dweight, tokens, dy)  # unlike +=, it adds as often as a token is there
    dweight[padding_idx] = 0
    return dweight
    ### END SOLUTION


# %% role="check" grade_id="embedding_backward"
check("embedding_backward", embedding_backward)

# %% [markdown]
# The same as a product: an embedding is a linear layer whose inputs are 0 except for a single 1.
# For each row of the table, how far are the two gradients apart? The first number isn't 0. Why?

# %%
tokens, dy = np.array([[3, 1, 0, 0], [2, 3, 3, 1]]), rng.normal(size=(2, 4, 3))
one_hot = np.eye(5)[tokens].reshape(-1, 5)
as_linear = one_hot.T @ dy.reshape(-1, 3)
print(np.abs(as_linear - embedding_backward(dy, tokens, 5, 0)).max(axis=1).round(12))

# %% [markdown] role="statement" grade_id="masked_mean_loss"
# ## A loss that padding can't touch
#
# A batch of sequences of different lengths is filled up with padding; the losses there mean
# nothing. Write `masked_mean_loss(losses, mask)`, both `(N, T)`. Return `loss` and `dlosses`: a
# number and an array of the shape of `losses`.
#
# - `loss` is the mean over *all places of the batch* at which `mask` is True. Each of them counts
#   the same, however long its sequence is.
# - `dlosses` is the gradient of `loss` with respect to `losses`.
# - What `losses` holds where `mask` is False can be anything, NaN and infinity too, and changes
#   nothing.
# - A NaN or an infinity where `mask` is True isn't hidden: `loss` is NaN or infinite then.
#   `dlosses` stays finite: the gradient of a mean doesn't depend on the numbers in it.
# - If `mask` is False everywhere, `loss` is 0, and `dlosses` is 0 everywhere.
#
# For example, `losses = [[1, 2], [6, 50]]` and `mask = [[True, True], [True, False]]` give `3` and
# `[[1/3, 1/3], [1/3, 0]]`.
#
# <details><summary>Hint: how do I leave places out?</summary>
#
# `losses[mask]` is a row of those that count. What would `losses * mask` make of NaN?
#
# </details>


# %% role="solution" grade_id="masked_mean_loss"
def masked_mean_loss(losses, mask):
    """The mean of losses (N, T) where mask is True, and its gradient (N, T)."""
    ### BEGIN SOLUTION
    count = max(mask.sum(), 1)
    return float(losses[mask].sum() / count), mask / count
    ### END SOLUTION


# %% role="check" grade_id="masked_mean_loss"
check("masked_mean_loss", masked_mean_loss)

# %% [markdown]
# Three ways to take a mean, on a name of two letters and a name of six. In which of them does a
# letter of the long name count less than a letter of the short one?

# %%
losses = np.array([[1.0, 1.0, 0.0, 0.0, 0.0, 0.0], [3.0, 3.0, 3.0, 3.0, 3.0, 3.0]])
mask = np.arange(6) < np.array([[2], [6]])
print("over all places, padding too:", losses.mean())
print("over the places that count:  ", masked_mean_loss(losses, mask)[0])
each = [masked_mean_loss(losses[i : i + 1], mask[i : i + 1])[0] for i in range(2)]
print("of each name, then of names: ", np.mean(each))

# %% [markdown] role="statement" grade_id="rolling_split"
# ## Split a series without looking ahead
#
# One test at one time is one sample. Several are better, each after training on what lay before it.
# Write `rolling_split(n, train_size, test_size, gap)` for a series of `n` days, numbered from 0.
# Return a list of folds, the earliest first. Each is a pair `(train, test)` of the numbers of its
# days, in order, as arrays of whole numbers:
#
# - the training part has `train_size` neighbouring days; that of the first fold begins at day 0;
# - after it `gap` days are left out, because the last days aren't known yet when a forecast has to
#   be made;
# - after those come `test_size` days to test on;
# - the next fold is the same, moved on by `test_size` days;
# - a fold that doesn't fit entirely into the `n` days is left out. If none fits, the list is empty.
#
# For example, 9 days, 4 to train, 2 to test and a gap of 1 give two folds: days 0 to 3 and 5 to 6,
# then days 2 to 5 and 7 to 8. All four numbers are whole; the sizes are at least 1, the gap at
# least 0.
#
# <details><summary>Hint: where do I begin?</summary>
#
# How many days does a fold need, from its first training day to its last test day? Then write a
# loop over the days on which a fold begins.
#
# </details>


# %% role="solution" grade_id="rolling_split"
def rolling_split(n, train_size, test_size, gap):
    """A list of folds (train, test): windows that move on by test_size days."""
    ### BEGIN SOLUTION
    folds, start = [], 0
    while start + train_size + gap + test_size <= n:
        test = start + train_size + gap
        folds.append((np.arange(start, start + train_size), np.arange(test, test + test_size)))
        start += test_size
    return folds
    ### END SOLUTION


# %% role="check" grade_id="rolling_split"
check("rolling_split", rolling_split)

# %%
for train, test in rolling_split(24, 10, 4, 1):
    line = ["."] * 24
    for day in train:
        line[day] = "o"
    for day in test:
        line[day] = "T"
    print("".join(line))

# %% [markdown] role="statement" grade_id="names_forecast"
# ## Predict: a network that reads names
#
# A network predicts each next letter of a name. It has 28 tokens: 26 letters, one mark that stands
# both before and after a name, and padding. An embedding has 10 numbers for each token, padding
# too; a recurrent layer as `torch.nn.RNN` has 32 hidden units and both biases; a linear layer with
# biases gives 28 logits. It reads the mark and then letters, and at each step predicts what comes
# next, up to the mark at the end. A batch holds `ng`, `smith` and `washington`. Calculate on paper:
#
# - `embedding`, `recurrent`, `output`: how many parameters has each of the three?
# - `longer`: how many would the network have in all, if names were twice as long?
# - `steps`: how many steps does the recurrent layer take for this batch?
# - `predictions`: how many predictions count in the loss of the batch?
# - `padding`: at how many places of the batch is there nothing to predict?
# - `forgotten`: a single unit has no tanh and no input, $h' = 0.5\, h$. Its first state is changed.
#   After how many steps is less than a thousandth of that change left? The smallest such number.
#
# Set `names_forecast` to a dict with these eight names and a whole number for each. For example, a
# batch of `ng` alone would take 3 steps and has 3 predictions: `n`, `g`, mark.

# %% role="solution" grade_id="names_forecast"
### BEGIN SOLUTION
names_forecast = {
    "embedding": 280,
    "recurrent": 1408,
    "output": 924,
    "longer": 2612,
    "steps": 11,
    "predictions": 20,
    "padding": 13,
    "forgotten": 10,
}
### END SOLUTION

# %% role="check" grade_id="names_forecast"
check("names_forecast", names_forecast)

# %% [markdown] role="question" grade_id="too_good_forecast"
# ## A forecast that is too good
#
# A control room wants to know a town's use of electricity for each of the next 48 hours. A supplier
# shows a recurrent network. "We cut three years of hourly data into windows: a week, and the hour
# after it as the target, with a new window for every hour. We scaled all values to lie between 0
# and 1 and drew 20 % of the windows at random for the test. There the network explains 97 % of the
# variance." Answer in five to seven sentences: what in this lets the network look ahead, what is
# missing before 97 % says anything, what is different at work from what was tested, and by which
# test you would settle it. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="too_good_forecast"
