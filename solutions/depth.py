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
# # What makes deep networks trainable: exercises
#
# You write what keeps a signal alive through fifty layers: first weights of the right size, batch
# and layer normalisation with their gradients, and a block with a way round it. Everything is
# NumPy, a few lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** A batch `x` has shape `(samples, features)`, a layer's weight
# `(outputs, inputs)`, and its scores are `x @ weight.T + bias`. A variance divides by the number of
# values, unless a statement says otherwise. A gradient has the shape of what it belongs to, points
# uphill, and adds up over the batch: the 1/N of a mean is in `dy` already. Give back new arrays,
# and leave those that you are handed as they are.

# %% [markdown] role="statement" grade_id="he_init"
# ## Weights for fifty layers
#
# Write `he_init(fan_in, fan_out, rng)`: first weights for a layer of `fan_out` units that read
# `fan_in` numbers each and are followed by ReLU. Draw them from a *normal* law with mean 0 and
# *variance* 2 / `fan_in`. Return a float64 array of shape `(fan_out, fan_in)`.
#
# All that is random comes from `rng`, a `numpy.random.Generator`: the same seed gives the same
# weights, and a second call with the same `rng` gives others. The check doesn't compare single
# weights. It draws many and measures their mean, their spread and their law, so widely that a right
# answer fails less than once in a thousand million checks.
#
# For example, `he_init(800, 25, np.random.default_rng(0))` has shape `(25, 800)` and a deviation of
# about 0.05, because $\sqrt{2/800} = 0.05$.
#
# <details><summary>Hint: which of NumPy's functions?</summary>
#
# `rng.normal(mean, deviation, size=...)`. Its second argument is a deviation, not a variance.
#
# </details>


# %% role="solution" grade_id="he_init"
def he_init(fan_in, fan_out, rng):
    """Normal weights (fan_out, fan_in) of variance 2 / fan_in, drawn from ``rng``."""
    ### BEGIN SOLUTION
    return rng.normal(0, np.sqrt(2 / fan_in), size=(fan_out, fan_in))
    ### END SOLUTION


# %% role="check" grade_id="he_init"
check("he_init", he_init)

# %% [markdown] role="statement" grade_id="signal_forecast"
# ## Predict: what is left after fifty layers
#
# Fifty layers of 100 units, no biases, normal weights of mean 0. Each input is a row of 100 numbers
# of mean 0 and deviation 1. Six networks; before you run anything, say of the *signal* behind the
# fiftieth layer, measured as the root of its mean square, whether it `"dies"` (below 0.001),
# `"stays"`, or `"explodes"` (above 1000):
#
# | | weights' variance | each layer |
# |:--|:--|:--|
# | `abs_lecun` | 1 / 100 | $h \leftarrow \lvert Wh \rvert$, entry by entry |
# | `plain_he` | 2 / 100 | $h \leftarrow Wh$ |
# | `leaky_half` | 1 / 100 | $h \leftarrow Wh$, entries below 0 halved |
# | `tanh_large` | 1 | $h \leftarrow \tanh(Wh)$ |
# | `tanh_small` | 1 / 400 | $h \leftarrow \tanh(Wh)$ |
# | `residual_tenth` | 2 / 100 | $h \leftarrow h + 0.1 \max(Wh, 0)$ |
#
# Set `signal_forecast` to a dict from these six names to your answers. A point each; the cell after
# the check runs all six. For example, a network $h \leftarrow Wh$ with a variance of 1 / 100 would
# be `"stays"`.
#
# <details><summary>Hint: how can I know without running it?</summary>
#
# By what factor does the mean square change in *one* layer? Then take the fiftieth power.
#
# </details>

# %% role="solution" grade_id="signal_forecast"
### BEGIN SOLUTION
signal_forecast = {
    "abs_lecun": "stays",  # the size keeps all of the mean square
    "plain_he": "explodes",  # it doubles, and nothing halves it
    "leaky_half": "dies",  # a factor of 5/8 in each layer
    "tanh_large": "stays",  # at nearly 1: saturated
    "tanh_small": "dies",
    "residual_tenth": "stays",  # about 1.01 in each block
}
### END SOLUTION

# %% role="check" grade_id="signal_forecast"
check("signal_forecast", signal_forecast)


# %%
steps = {
    "abs_lecun": (1 / 100, lambda h, z: np.abs(z)),
    "plain_he": (2 / 100, lambda h, z: z),
    "leaky_half": (1 / 100, lambda h, z: np.where(z > 0, z, z / 2)),
    "tanh_large": (1, lambda h, z: np.tanh(z)),
    "tanh_small": (1 / 400, lambda h, z: np.tanh(z)),
    "residual_tenth": (2 / 100, lambda h, z: h + 0.1 * np.maximum(z, 0)),
}
for name, (variance, step) in steps.items():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(50, 100))
    for _ in range(50):
        h = step(h, h @ rng.normal(0, np.sqrt(variance), size=(100, 100)).T)
    print(f"{name:14} {np.sqrt(np.mean(h**2)):.2g}")

# %% [markdown] role="statement" grade_id="batchnorm_forward"
# ## Batch normalisation, forward
#
# In training, each feature is brought to mean 0 and variance 1 over the batch, then rescaled:
#
# $$y = \gamma\, \hat x + \beta, \qquad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}},$$
#
# with the batch's mean $\mu$ and variance $\sigma^2$, the sum of squares divided by $N$. The same
# step moves the running statistics towards the batch's:
#
# $$r \leftarrow (1 - \text{momentum})\, r + \text{momentum} \cdot s.$$
#
# What `running_var` takes for $s$ is the *unbiased* variance, divided by $N - 1$. In evaluation,
# $\mu$ and $\sigma^2$ are the running statistics, and they don't change. All of it is as in torch.
#
# Write `batchnorm_forward(x, weight, bias, running_mean, running_var, training, momentum, eps)` for
# `x` of shape `(samples, features)`; the other arrays hold one number a feature, `weight` is
# $\gamma$ and `bias` $\beta$. Return `y`, the new `running_mean` and the new `running_var`. In
# training, a batch of one sample has no variance: raise a `ValueError`. In evaluation it is fine.
#
# For example, `x = [[1], [3]]` with `weight = [2]`, `bias = [1]`, `running_mean = [0]`,
# `running_var = [1]`, `momentum = 0.1` and `eps = 0` gives in training `y = [[-1], [3]]`,
# `running_mean = [0.2]` and `running_var = [1.1]`; in evaluation `y = [[3], [7]]`.
#
# <details><summary>Hint: two variances?</summary>
#
# `x.var(axis=0)` divides by N, `x.var(axis=0, ddof=1)` by N - 1. The first describes this batch;
# the second estimates the variance of all the data, and that is what evaluation needs.
#
# </details>
#
# <details><summary>Hint: the check says that I changed its arguments</summary>
#
# `running_mean += ...` writes into the caller's array. `running_mean + ...` makes a new one.
#
# </details>


# %% role="solution" grade_id="batchnorm_forward"
def batchnorm_forward(x, weight, bias, running_mean, running_var, training, momentum, eps):
    """``y`` (samples, features) and the new running mean and variance (features,)."""
    ### BEGIN SOLUTION
    mean, var = running_mean, running_var
    if training:
        n = len(x)
        if n < 2:
            raise ValueError("a single sample has no variance")
        mean, var = x.mean(axis=0), x.var(axis=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * var * n / (n - 1)
    y = weight * (x - mean) / np.sqrt(var + eps) + bias
    return y, running_mean, running_var
    ### END SOLUTION


# %% role="check" grade_id="batchnorm_forward"
check("batchnorm_forward", batchnorm_forward)

# %% [markdown] role="statement" grade_id="batchnorm_backward"
# ## Batch normalisation, backward
#
# Now the way back, in training. `dy` is the gradient of the loss with respect to `y`. Write
# `batchnorm_backward(dy, x, weight, eps)` and return `dx`, of the shape of `x`, and `dweight` and
# `dbias`, of shape `(features,)`.
#
# $\mu$ and $\sigma^2$ depend on every $x$ of the batch, so each $x_n$ reaches each $y_m$ in three
# ways: directly if $n = m$, through the mean, and through the variance. Derive it for a single
# feature; the others go alongside. $\sigma^2$ divides by $N$, and eps stands under the root.
#
# For example, with `x = [[0], [0], [3]]`, `weight = [1]` and `eps = 0`, the gradient `dy = [[1],
# [0], [0]]` gives `dx = [[0.3536], [-0.3536], [0]]`, `dweight = [-0.7071]` and `dbias = [1]`, to
# four digits.
#
# <details><summary>Hint: where do I begin?</summary>
#
# With $g = \gamma\, dy$, the gradient at $\hat x$. Then $\hat x = c / s$ with $c = x - \mu$ and
# $s = \sqrt{\operatorname{mean}(c^2) + \epsilon}$: first the quotient, then the mean.
#
# </details>
#
# <details><summary>Hint: two tests that need no solution</summary>
#
# If all x of a feature grow by the same amount, y doesn't change: so `dx` must add up to 0 over the
# batch. And central differences, as ever: move one x by 1e-6 up and down.
#
# </details>


# %% role="solution" grade_id="batchnorm_backward"
def batchnorm_backward(dy, x, weight, eps):
    """``dx`` (samples, features), ``dweight`` and ``dbias`` (features,) in training."""
    ### BEGIN SOLUTION
    inverse = 1 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inverse
    g = dy * weight
    dx = inverse * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)
    ### END SOLUTION


# %% role="check" grade_id="batchnorm_backward"
check("batchnorm_backward", batchnorm_backward)

# %% [markdown] role="statement" grade_id="layernorm_backward"
# ## Layer normalisation, backward
#
# Layer normalisation does the same to each sample by itself: mean and variance are over the *last*
# axis, the features, and `weight` and `bias` still have one number a feature. In front of that axis
# there may be any number of others: `(samples, features)`, or `(sentences, words, features)`.
#
# Write `layernorm_backward(dy, x, weight, eps)`. Return `dx`, of the shape of `x`, and `dweight`
# and `dbias`, of shape `(features,)`. The forward pass is
#
# $$y = \gamma\, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta.$$
#
# For example, with `x = [[0, 0, 3]]`, `weight = [1, 2, 1]` and `eps = 0`, the gradient `dy = [[1,
# 0, 0]]` gives `dx = [[0.3536, -0.3536, 0]]`, `dweight = [-0.7071, 0, 0]` and `dbias = [1, 0, 0]`,
# to four digits.
#
# <details><summary>Hint: is it more than the last exercise with another axis?</summary>
#
# In one place. The weight was the same number for all that was averaged over. Is it here?
#
# </details>


# %% role="solution" grade_id="layernorm_backward"
def layernorm_backward(dy, x, weight, eps):
    """``dx`` of the shape of ``x`` (..., features), ``dweight`` and ``dbias`` (features,)."""
    ### BEGIN SOLUTION
    inverse = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=-1, keepdims=True)) * inverse
    g = dy * weight
    along = (g * x_hat).mean(axis=-1, keepdims=True)
    dx = inverse * (g - g.mean(axis=-1, keepdims=True) - x_hat * along)
    others = tuple(range(x.ndim - 1))
    return dx, (dy * x_hat).sum(axis=others), dy.sum(axis=others)
    ### END SOLUTION


# %% role="check" grade_id="layernorm_backward"
check("layernorm_backward", layernorm_backward)

# %% [markdown] role="statement" grade_id="residual_block"
# ## A block with a way round it
#
# A residual block adds its input to what its layers make of it:
#
# $$y = x + W_2\, \max(W_1 x + b_1, 0) + b_2.$$
#
# Nothing stands behind the sum: no activation, no normalisation. Write `residual_block(x, dy,
# weight1, bias1, weight2, bias2)`, for a batch `x` of shape `(samples, features)`. Return `y`;
# `dx`, the gradient with respect to `x`; and `dweight1`, that with respect to `weight1`, for the
# given `dy`. Where a hidden score is exactly 0, its gradient is 0.
#
# For example, `x = [[1]]`, `dy = [[1]]`, `weight1 = [[2], [-1]]`, `bias1 = [0, 0]`, `weight2 =
# [[3, 5]]`, `bias2 = [1]` give `y = [[8]]`, `dx = [[7]]` and `dweight1 = [[3], [0]]`.
#
# <details><summary>Hint: where does the gradient go at the plus sign?</summary>
#
# Both ways, whole. And where $x$ parted into two ways, what comes back along each is added.
#
# </details>


# %% role="solution" grade_id="residual_block"
def residual_block(x, dy, weight1, bias1, weight2, bias2):
    """``y`` and ``dx`` (samples, features) and ``dweight1`` (hidden, features)."""
    ### BEGIN SOLUTION
    z = x @ weight1.T + bias1
    y = x + np.maximum(z, 0) @ weight2.T + bias2
    dz = (dy @ weight2) * (z > 0)
    return y, dy + dz @ weight1, dz.T @ x
    ### END SOLUTION


# %% role="check" grade_id="residual_block"
check("residual_block", residual_block)

# %% [markdown]
# The gradient through a hundred such blocks whose layers do nothing yet, and through a hundred
# plain linear ones whose weights are about half as large as they should be:

# %%
rng = np.random.default_rng(0)
nothing = np.zeros((8, 8)), np.zeros(8), np.zeros((8, 8)), np.zeros(8)
dy = plain = rng.normal(size=(1, 8))
for _ in range(100):
    y, dy, dweight1 = residual_block(rng.normal(size=(1, 8)), dy, *nothing)
    plain = plain @ rng.normal(0, 0.2, size=(8, 8))
print(f"with a way round: {np.abs(dy).max():.2g}   without: {np.abs(plain).max():.2g}")

# %% [markdown] role="statement" grade_id="residual_scale"
# ## On paper: how much may each block add?
#
# A network is a row of blocks $x \leftarrow x + s\, f(x)$, with one number $s > 0$ for all of them.
# Its layers start so that $f(x)$ has the variance of $x$, and is uncorrelated with $x$: that is
# what random weights do. Without care the signal explodes. Derive by what factor one block
# multiplies the variance, and from it the $s$ with which the variance after all the blocks is
# exactly `growth` times that of the input.
#
# Write `residual_scale(blocks, growth)`, for a whole number of blocks of at least 1 and a `growth`
# of at least 1. Return $s$.
#
# For example, one block that doubles the variance has $s = 1$.
#
# <details><summary>Hint: the variance of a sum?</summary>
#
# For uncorrelated signals, variances add. And $s\,f(x)$ has $s^2$ times the variance of $f(x)$.
#
# </details>


# %% role="solution" grade_id="residual_scale"
def residual_scale(blocks, growth):
    """The factor of each block with which ``blocks`` of them multiply the variance by growth."""
    ### BEGIN SOLUTION
    return np.sqrt(growth ** (1 / blocks) - 1)
    ### END SOLUTION


# %% role="check" grade_id="residual_scale"
check("residual_scale", residual_scale)

# %% [markdown]
# Does it hold for real random layers? Fifty blocks, meant to double the variance:

# %%
rng = np.random.default_rng(0)
scale = residual_scale(50, 2.0)
h = rng.normal(size=(200, 200))
before = np.mean(h**2)
for _ in range(50):
    h = h + scale * np.maximum(h @ he_init(200, 200, rng).T, 0) @ he_init(200, 200, rng).T / 2**0.5
print(f"s = {scale:.3f}: the mean square grew by {np.mean(h**2) / before:.2f}")

# %% [markdown] role="question" grade_id="stranger_in_the_batch"
# ## The answer that depends on the neighbours
#
# A laboratory trains a network with batch normalisation to read blood samples: batches of 64,
# shuffled over three hospitals. It works. Put to use, three things are noticed. The same sample
# gets different answers on different days. A single sample, sent on its own, ends in an error. Both
# go away after a small repair, but a fourth hospital, whose machine reads all values somewhat
# higher, still gets bad answers. What is the cause of each, and what is the repair? Would layer
# normalisation have been better? Which tests would have shown the faults before delivery? Six to
# eight sentences. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="stranger_in_the_batch"
