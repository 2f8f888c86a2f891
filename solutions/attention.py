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
# # Attention: exercises
#
# You write attention with its masks and derive the way back, mend a mask, cut attention into heads,
# and let positions turn. Everything is NumPy, a few lines each. Read the chapter first, or keep it
# open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet**, PyTorch's with the batch first. Queries are `(N, L, E)`, keys
# `(N, S, E)` and values `(N, S, Ev)`: examples, tokens, entries. A mask is Boolean, True where a
# query may attend to a key. Places are counted from 0. All other arrays hold floats. Give back new
# arrays, and leave those that you are handed as they are.

# %% [markdown] role="statement" grade_id="attention"
# ## A weighted mean that looks before it weighs
#
# $$y_i = \sum_j a_{ij}\, v_j, \qquad
# a_{ij} = \frac{e^{s_{ij}}}{\sum_{k \text{ allowed}} e^{s_{ik}}}, \qquad
# s_{ij} = \frac{q_i^\top k_j}{\sqrt E}$$
#
# Write `attention(query, key, value, mask)`; `mask` is `(N, L, S)`. Return the outputs,
# `(N, L, Ev)`.
#
# - A key that a query may not attend to has weight 0, and the others' weights add up to 1.
# - A query that may attend to *nothing* gets 0 in every entry.
# - Scores can be large: in the thousands, those of masked keys, too. All numbers are finite.
#
# For example, `query = [[[2]]]`, `key = [[[0], [1], [9]]]`, `value = [[[1], [5], [100]]]` and
# `mask = [[[True, True, False]]]` give `[[[4.5232]]]`, rounded: the scores that count are 0 and 2,
# the weights 0.1192 and 0.8808.
#
# <details><summary>Hint: what is to be done about large scores?</summary>
#
# Subtract one number from all scores of a query, and its weights stay what they are. Which number
# makes the largest exponential 1? Of which scores?
#
# </details>
#
# <details><summary>Hint: what about a query that sees nothing?</summary>
#
# Its row of exponentials is all 0 if you mask well, and so is its sum. What may you divide 0 by?
#
# </details>


# %% role="solution" grade_id="attention"
def attention(query, key, value, mask):
    """Outputs (N, L, Ev); a query that may attend to nothing gets 0."""
    ### BEGIN SOLUTION
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=2, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value
    ### END SOLUTION


# %% role="check" grade_id="attention"
check("attention", attention)

# %% [markdown]
# A look-up that is soft: keys stand at 0 to 4, and a query asks for what lies at 3. The larger the
# query, the harder the choice.

# %%
key = np.stack([np.arange(5.0), -(np.arange(5.0) ** 2) / 2], axis=1)[None]
value = np.array([10.0, 20, 30, 40, 50])[None, :, None]
for sharp in (0.1, 1.0, 10.0):
    query = sharp * np.array([[[3.0, 1.0]]])
    print(sharp, attention(query, key, value, np.ones((1, 1, 5), bool)).item())

# %% [markdown] role="statement" grade_id="attention_backward"
# ## Derive: back through attention
#
# Forwards, the last exercise has been done, and its weights $a_{ij}$ were kept: `weights`,
# `(N, L, S)`, 0 where a query may not attend. `dy`, `(N, L, Ev)`, is the gradient of the loss with
# respect to the outputs. Write `attention_backward(dy, query, key, value, weights)`. Return
# `dquery`, `dkey` and `dvalue`, in this order, each in the shape of what it is the gradient of. The
# mask is in the weights already. The mean over the examples is in `dy` already: you only add up. A
# query whose weights are all 0 sends nothing back.
#
# For example, `dy = [[[1]]]`, `query = [[[2]]]`, `key = [[[0], [1]]]`, `value = [[[1], [5]]]` and
# `weights = [[[0.25, 0.75]]]` give `dquery = [[[0.75]]]`, `dkey = [[[-1.5], [1.5]]]` and
# `dvalue = [[[0.25], [0.75]]]`. (The weights needn't belong to the scores: nobody calculates them
# again.)
#
# <details><summary>Hint: where do I begin?</summary>
#
# With two products of matrices: what comes back to the values, and what comes back to the weights.
# For each, write down one entry as a sum, and look which index is summed over.
#
# </details>
#
# <details><summary>Hint: how do I get through the softmax?</summary>
#
# Take one query with two keys. When the first score grows, its weight grows. What does the other
# weight do, given that they add up to 1?
#
# </details>


# %% role="solution" grade_id="attention_backward"
def attention_backward(dy, query, key, value, weights):
    """dquery, dkey and dvalue for dy (N, L, Ev) and the weights (N, L, S)."""
    ### BEGIN SOLUTION
    dweights = dy @ value.swapaxes(1, 2)
    dscores = weights * (dweights - (dweights * weights).sum(axis=2, keepdims=True))
    dscores = dscores / np.sqrt(query.shape[2])
    return dscores @ key, dscores.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy
    ### END SOLUTION


# %% role="check" grade_id="attention_backward"
check("attention_backward", attention_backward)

# %% [markdown]
# Proof by differences, with your own two functions.

# %%
rng = np.random.default_rng(0)
query, key, value = (rng.normal(size=(1, length, 3)) for length in (2, 4, 4))
weigh, everything = rng.normal(size=(1, 2, 3)), np.ones((1, 2, 4), bool)
weights = np.exp(query @ key.swapaxes(1, 2) / np.sqrt(3))
weights = weights / weights.sum(axis=2, keepdims=True)
step = np.zeros((1, 4, 3))
step[0, 2, 1] = 1e-6
up, down = (np.sum(weigh * attention(query, key + s * step, value, everything)) for s in (1, -1))
found = attention_backward(weigh, query, key, value, weights)[1][0, 2, 1]
print(f"{found:.8f}, by differences {(up - down) / 2e-6:.8f}")

# %% [markdown] role="statement" grade_id="causal_mask"
# ## Find the fault: the future can't change the past
#
# Of a batch with `S` places, the last `new` places ask; the places before them were dealt with
# earlier, and are there as keys only. So a query has all of the past to look at, and a place of its
# own *behind* it. `keep`, `(N, S)`, is True where a token stands and False where there is padding,
# in front or behind. A query may attend to a place if that place isn't later than its own, *and*
# holds a token. That goes for every query, one that stands on padding, too: nobody reads what it
# gets.
#
# The cell below is a colleague's. On its example it is right. It has *two* faults. Write the mended
# function as `causal_mask(keep, new)`. Return the mask, Boolean, `(N, new, S)`, True where a query
# may attend; `new` is at least 1 and at most S.
#
# For example, `keep = [[False, True, True, True]]` and `new = 2` give
# `[[[False, True, True, False], [False, True, True, True]]]`.
#
# <details><summary>Hint: how do I find the faults?</summary>
#
# Try the example above, row by row. At which place does the first of the two queries stand? Then a
# batch with padding, in which all places ask.
#
# </details>


# %% role="given" grade_id="colleagues_mask"
def colleagues_mask(keep, new):
    """Who may attend to whom. Something is wrong, twice."""
    not_later = np.tri(new, keep.shape[1], dtype=bool)
    first = keep[0]  # where the tokens are
    return np.repeat((not_later & first)[None], len(keep), axis=0)


print(colleagues_mask(np.ones((1, 3), bool), 3).astype(int))


# %% role="solution" grade_id="causal_mask"
def causal_mask(keep, new):
    """True where one of the last ``new`` places may attend, (N, new, S)."""
    ### BEGIN SOLUTION
    total = keep.shape[1]
    not_later = np.arange(total) <= np.arange(total - new, total)[:, None]
    return not_later & keep[:, None]
    ### END SOLUTION


# %% role="check" grade_id="causal_mask"
check("causal_mask", causal_mask)

# %% [markdown]
# With your mask and your attention: change the last token, and see which outputs move.

# %%
x = rng.normal(size=(1, 5, 4))
other = x.copy()
other[0, 4] = rng.normal(size=4)
mask = causal_mask(np.ones((1, 5), bool), 5)
moved = np.abs(attention(x, x, x, mask) - attention(other, other, other, mask)).max(axis=2)
print("with the mask:   ", moved[0].round(3))
mask = np.ones((1, 5, 5), bool)
moved = np.abs(attention(x, x, x, mask) - attention(other, other, other, mask)).max(axis=2)
print("without the mask:", moved[0].round(3))

# %% [markdown] role="statement" grade_id="multi_head"
# ## Several heads, one product
#
# Self-attention with `num_heads` heads, without biases and masks. Write
# `multi_head(x, in_proj_weight, out_proj_weight, num_heads)` for `x` of shape `(N, L, C)`.
#
# - `in_proj_weight`, `(3C, C)`, holds the maps of queries, keys and values below each other, in
#   this order: the first C rows make the queries, $q = W_q\,x$.
# - Of the C entries of a query, the first C / num_heads belong to head 0, the next to head 1, and
#   so on. The same for keys and values.
# - Each head is attention by itself; its scores are divided by the root of *its* width.
# - The outputs of the heads stand side by side in the same order, and `out_proj_weight`, `(C, C)`,
#   mixes them: $W_o\,[y_0; y_1; \dots]$.
#
# Return two arrays: the output, `(N, L, C)`, and the weights of all heads, `(N, num_heads, L, L)`,
# a row for each query.
#
# For example, one token `x = [[[1, 2]]]`, two heads, `in_proj_weight` three unit matrices below
# each other and `out_proj_weight = [[1, 1], [0, 1]]` give `[[[3, 2]]]` and `[[[[1]], [[1]]]]`.
#
# <details><summary>Hint: how do I do all heads at once?</summary>
#
# `@` works on the last two axes and repeats over all others. Which four axes would you like, and in
# which order, so that the last two are tokens and the entries of a head?
#
# </details>


# %% role="solution" grade_id="multi_head"
def multi_head(x, in_proj_weight, out_proj_weight, num_heads):
    """The output (N, L, C) and the weights (N, num_heads, L, L)."""
    ### BEGIN SOLUTION
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights
    ### END SOLUTION


# %% role="check" grade_id="multi_head"
check("multi_head", multi_head)

# %% [markdown]
# Attention doesn't know who stands where: shuffle the tokens, and the outputs are shuffled alike.

# %%
x, order = rng.normal(size=(1, 6, 4)), rng.permutation(6)
w_in, w_out = rng.normal(size=(12, 4)), rng.normal(size=(4, 4))
straight, shuffled = (multi_head(tokens, w_in, w_out, 2)[0] for tokens in (x, x[:, order]))
print(np.abs(straight[:, order] - shuffled).max())

# %% [markdown] role="statement" grade_id="rope"
# ## Positions that turn
#
# A *rotary* embedding turns the entries of queries and keys, two by two, by an angle that grows
# with the place of the token. At place $p$ pair $i$ becomes
#
# $$\begin{pmatrix} y_{2i} \\ y_{2i+1} \end{pmatrix} =
# \begin{pmatrix} \cos\theta & -\sin\theta \\ \sin\theta & \cos\theta \end{pmatrix}
# \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix}, \qquad
# \theta = p \cdot 10000^{-2i/D}, \qquad i = 0, \dots, D/2 - 1 .$$
#
# Write `rope(x, positions)` for `x` of shape `(N, L, D)`, D even. `positions`, `(L,)`, holds the
# places, whole numbers from 0 on; they needn't begin at 0 or come in order. Return an array of the
# shape of `x`.
#
# For example, `x = [[[1, 0, 1, 0]]]` at `positions = [1]` gives `[[[0.5403, 0.8415, 1.0, 0.01]]]`,
# rounded: the second pair turns by 1/100.
#
# <details><summary>Hint: how do I get at the pairs?</summary>
#
# `x[..., 0::2]` are the first entries of all pairs. All angles are one array of the shape
# `(L, D / 2)`.
#
# </details>


# %% role="solution" grade_id="rope"
def rope(x, positions):
    """x (N, L, D) with each pair of entries turned by its place."""
    ### BEGIN SOLUTION
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y
    ### END SOLUTION


# %% role="check" grade_id="rope"
check("rope", rope)

# %% [markdown]
# What is it good for? The score of a query at place p and a key at place s:

# %%
q, k = rng.normal(size=(1, 1, 8)), rng.normal(size=(1, 1, 8))
for p, s in ((2, 0), (12, 10), (102, 100), (12, 9)):
    score = np.sum(rope(q, np.array([p])) * rope(k, np.array([s])))
    print(f"places {p:3} and {s:3}: {score:.6f}")

# %% [markdown] role="statement" grade_id="attention_forecast"
# ## Predict: what attention costs
#
# A layer of an encoder is 64 entries wide and has 4 heads; queries, keys, values and the last
# projection are linear maps from 64 to 64, each with biases. A perceptron with 128 hidden units and
# biases follows, and there are two layer norms, which learn a scale and a shift for each entry. A
# sequence has 100 tokens. Work out on paper:
#
# - `attention`: how many parameters has the attention of the layer?
# - `more_heads`: how many with 8 heads, the width of the layer unchanged?
# - `layer`: how many has the whole layer, with 4 heads?
# - `weights`: how many attention weights are there for the sequence, in all heads of this layer?
# - `twice_as_long`: and how many for 200 tokens?
# - `causal`: under a causal mask, how many pairs of query and key are allowed in one head, for 100
#   tokens?
# - `cache`: a decoder keeps the keys and values of all tokens for later. How many numbers are these
#   for one layer, for 100 tokens?
# - `grouped`: and how many, if the 4 heads of queries share 2 heads of keys and values, each as
#   wide as before?
#
# Set `attention_forecast` to a dict of these eight whole numbers. For example, one token in one
# head has one weight: 1.

# %% role="solution" grade_id="attention_forecast"
### BEGIN SOLUTION
attention_forecast = {
    "attention": 16_640,
    "more_heads": 16_640,
    "layer": 33_472,
    "weights": 40_000,
    "twice_as_long": 160_000,
    "causal": 5050,
    "cache": 12_800,
    "grouped": 6400,
}
### END SOLUTION

# %% role="check" grade_id="attention_forecast"
check("attention_forecast", attention_forecast)

# %% [markdown] role="question" grade_id="what_the_map_shows"
# ## What the map shows
#
# A bank lets a transformer sort letters from applicants. To the board it shows a picture: one
# letter, its words coloured by the attention weights of head 3 in layer 5, which is bright on
# "unemployed", "twice" and "rent". "So we see what the decision rests on", says the slide, "and we
# will send each applicant such a picture as a reason." Answer in five to seven sentences: what do
# these weights say and what don't they, what is wrong with the choice of this picture, by which
# test on which comparison you would find out whether the network uses these words, and what may be
# claimed until then. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="what_the_map_shows"
