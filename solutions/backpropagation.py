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
# # Backpropagation: exercises
#
# You write the backward passes of a network with your own hands, check them against differences
# that know nothing of your algebra, and train with them. Everything is NumPy, a few lines each.
# Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** A batch has its samples in rows. A layer is `x @ weight.T + bias`
# with `weight` of shape `(outputs, inputs)`. `dy` is the gradient of the loss with respect to `y`,
# in the shape of `y`, and a gradient points uphill. The loss is a *mean* over the samples; that
# mean is in the first `dy` already, so a layer's backward only adds up. Give back new arrays, and
# leave those that you are handed as they are.

# %% [markdown] role="statement" grade_id="linear_backward"
# ## Backward through a linear layer
#
# Forwards, a layer computes $y_{nk} = \sum_d w_{kd}\, x_{nd} + b_k$ for each sample $n$ and each
# unit $k$. Backwards it is handed $dy$, the gradient of the loss with respect to each $y_{nk}$, and
# owes three more: `dx`, for the layer before it, and `dweight` and `dbias`, for its own parameters.
#
# Write `linear_backward(dy, x, weight)` with `dy` of shape `(samples, outputs)`, `x` of shape
# `(samples, inputs)` and `weight` of shape `(outputs, inputs)`. Return `dx`, `dweight` and `dbias`,
# in this order, each in the shape of what it is the gradient of. `dbias` has shape `(outputs,)`.
#
# For example, `dy = [[1, -1], [0, 2]]`, `x = [[3], [5]]` and `weight = [[2], [4]]` give
# `dx = [[-2], [8]]`, `dweight = [[3], [7]]` and `dbias = [1, 1]`.
#
# <details><summary>Hint: where do I begin?</summary>
#
# With one number. Which $y_{nk}$ change if you move a single $w_{kd}$? By how much each? Add up
# what they do to the loss. Then ask the same of one $x_{nd}$ and of one $b_k$.
#
# </details>
#
# <details><summary>Hint: how do I turn a sum into a matrix product?</summary>
#
# A product of matrices adds up over the axis that meets in the middle. Write down the shapes you
# have and the shape you need: often there is one order that fits. Where all sizes are equal they
# don't help; then go by the sum.
#
# </details>

# %% role="solution" grade_id="linear_backward"
def linear_backward(dy, x, weight):
    """dx, dweight and dbias of the layer ``x @ weight.T + bias``, for the gradient ``dy``."""
    ### BEGIN SOLUTION
    return dy @ weight, dy.T @ x, dy.sum(axis=0)
    ### END SOLUTION


# %% role="check" grade_id="linear_backward"
check("linear_backward", linear_backward)

# %% [markdown] role="statement" grade_id="relu_backward"
# ## Backward through ReLU
#
# ReLU hands on $\max(z, 0)$, entry by entry. Write `relu_backward(dy, z)` for arrays of the same
# shape: the gradient `dz` of the loss with respect to the scores `z`.
#
# At $z = 0$ exactly, ReLU has a kink and no derivative. Choose the slope 0 there, as PyTorch does.
#
# For example, `dy = [5, 6, 7]` and `z = [2, -3, 0]` give `dz = [5, 0, 0]`.
#
# <details><summary>Hint: what does a silent unit tell the layer before it?</summary>
#
# Move a score from -3 to -2.9. What changes in the loss?
#
# </details>


# %% role="solution" grade_id="relu_backward"
def relu_backward(dy, z):
    """The gradient with respect to the scores ``z``, for the gradient ``dy`` of ReLU's output."""
    ### BEGIN SOLUTION
    return np.where(z > 0, dy, 0)
    ### END SOLUTION


# %% role="check" grade_id="relu_backward"
check("relu_backward", relu_backward)

# %% [markdown] role="statement" grade_id="softmax_cross_entropy_backward"
# ## Where backward begins
#
# The way back starts at the loss. For a classifier that is the cross-entropy of softmax, as a mean
# over the $N$ samples:
#
# $$L = -\frac{1}{N} \sum_n \log p_{n y_n}, \qquad p_{nk} = \frac{e^{z_{nk}}}{\sum_j e^{z_{nj}}}.$$
#
# Write `softmax_cross_entropy_backward(logits, labels)` with `logits` of shape
# `(samples, classes)` and `labels` of shape `(samples,)`, integers from 0. Return the gradient of
# $L$ with respect to the logits, in their shape. It must be right for logits of 1,000 too.
#
# For example, `logits = [[0, 0], [0, 0]]` and `labels = [0, 1]` give
# `[[-0.25, 0.25], [0.25, -0.25]]`.
#
# <details><summary>Hint: what becomes of the derivative?</summary>
#
# The unit on losses derived it for one sample. Now there are $N$, and a mean.
#
# </details>
#
# <details><summary>Hint: how do I reach one entry in each row?</summary>
#
# With two arrays of integers, one for the row and one for the column: `p[rows, columns]`.
#
# </details>


# %% role="solution" grade_id="softmax_cross_entropy_backward"
def softmax_cross_entropy_backward(logits, labels):
    """Gradient of the mean cross-entropy of softmax with respect to ``logits``."""
    ### BEGIN SOLUTION
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    dlogits = e / e.sum(axis=1, keepdims=True)
    dlogits[np.arange(len(labels)), labels] -= 1
    return dlogits / len(labels)
    ### END SOLUTION


# %% role="check" grade_id="softmax_cross_entropy_backward"
check("softmax_cross_entropy_backward", softmax_cross_entropy_backward)

# %% [markdown] role="statement" grade_id="gradient_check"
# ## The gradient check
#
# A gradient that you have derived is a claim. Whoever can run the forward can test it: move one
# entry $x_i$ by a step $h$ up and by $h$ down, leave the others alone, and compare the claim with
#
# $$g_i = \frac{f(x + h e_i) - f(x - h e_i)}{2 h}.$$
#
# Write `gradient_check(f, x, claimed, h)`. `f` takes an array of the shape of `x` and returns a
# number; `x` is an array of floats with any number of axes; `claimed` has its shape. Return
#
# - `numerical`: the array $g$, in the shape of `x`;
# - `error`: the largest difference between `numerical` and `claimed`, divided by the largest entry
#   of either (both without their signs). Where all entries of both are 0, the error is 0.
#
# `x` must be as before when you are done, to the last digit.
#
# For example, with $f(x) = x_0^2 + 3 x_1$, `x = [1, 4]`, `claimed = [2, 2]` and `h = 0.5`, you
# return `numerical = [2, 3]` and `error = 1/3`.
#
# <details><summary>Hint: how do I go through an array with any number of axes?</summary>
#
# `for i in np.ndindex(x.shape)` gives each index as a tuple, and `x[i]` is that entry.
#
# </details>
#
# <details><summary>Hint: the check says that I changed x</summary>
#
# `0.1 + 0.3 - 0.6 + 0.3` isn't `0.1` on a computer. Work on a copy, or keep the old value.
#
# </details>


# %% role="solution" grade_id="gradient_check"
def gradient_check(f, x, claimed, h):
    """Central differences of ``f`` at ``x``, and the relative error of ``claimed``."""
    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %% role="check" grade_id="gradient_check"
check("gradient_check", gradient_check)

# %% [markdown]
# Put it to use: is your first exercise right? $\sum dy \cdot y$ is a number whose gradient with
# respect to $y$ is $dy$, so it serves as a loss.

# %%
rng = np.random.default_rng(0)
x, weight, bias = rng.normal(size=(4, 3)), rng.normal(size=(2, 3)), rng.normal(size=2)
dy = rng.normal(size=(4, 2))
dx, dweight, dbias = linear_backward(dy, x, weight)
for name, claimed, array, loss in [
    ("dx", dx, x, lambda moved: np.sum(dy * (moved @ weight.T + bias))),
    ("dweight", dweight, weight, lambda moved: np.sum(dy * (x @ moved.T + bias))),
    ("dbias", dbias, bias, lambda moved: np.sum(dy * (x @ weight.T + moved))),
]:
    print(f"{name:8} relative error {gradient_check(loss, array, claimed, h=1e-5)[1]:.0e}")

# %% [markdown] role="statement" grade_id="mended_backward"
# ## Find the fault
#
# A colleague has built a layer of her own. Each feature goes through a tanh with its own scale,
# shift and gain, and is added to what it was:
#
# $$y = x + g \odot \tanh(s \odot x + c).$$
#
# Her gradients of scale, shift and gain pass the check, and her network trains. But it trains worse
# when she puts a second such layer below the first. The cell below is hers, with your check; run
# it.
#
# Write the mended function as `mended_backward(dy, x, scale, shift, gain)`, for `dy` and `x` of
# shape `(samples, features)` and the others of shape `(features,)`. Return `dx`, `dscale`, `dshift`
# and `dgain`, in this order. What is right in hers stays as it is.
#
# For example, `dy = [[1]]`, `x = [[0]]`, `scale = [1]`, `shift = [0]` and `gain = [1]` give
# `dx = [[2]]`, `dscale = [0]`, `dshift = [1]` and `dgain = [0]`.
#
# <details><summary>Hint: how do I find a fault in a backward?</summary>
#
# Draw the graph of the layer: each operation a box, each number an arrow. Then walk every arrow
# back. Which of them has she left out, or walked wrongly?
#
# </details>


# %% role="given" grade_id="colleagues_backward"
def colleagues_backward(dy, x, scale, shift, gain):
    """dx, dscale, dshift and dgain of x + gain * tanh(scale * x + shift). Something is wrong."""
    t = np.tanh(scale * x + shift)
    dgain = (dy * t).sum(axis=0)
    du = dy * gain * (1 - t**2)
    dscale = (du * x).sum(axis=0)
    dshift = du.sum(axis=0)
    dx = du * scale
    return dx, dscale, dshift, dgain


values = {"x": rng.normal(size=(4, 3)), "scale": rng.normal(size=3)}
values |= {"shift": rng.normal(size=3), "gain": rng.normal(size=3)}
dy = rng.normal(size=(4, 3))
for name, claimed in zip(values, colleagues_backward(dy, **values)):

    def loss(moved, name=name):
        v = values | {name: moved}
        return np.sum(dy * (v["x"] + v["gain"] * np.tanh(v["scale"] * v["x"] + v["shift"])))

    error = gradient_check(loss, values[name], claimed, h=1e-5)[1]
    print(f"d{name:6} relative error {error:.0e}")


# %% role="solution" grade_id="mended_backward"
def mended_backward(dy, x, scale, shift, gain):
    """dx, dscale, dshift and dgain of x + gain * tanh(scale * x + shift), for ``dy``."""
    ### BEGIN SOLUTION
    t = np.tanh(scale * x + shift)
    dgain = (dy * t).sum(axis=0)
    du = dy * gain * (1 - t**2)
    dscale = (du * x).sum(axis=0)
    dshift = du.sum(axis=0)
    dx = dy + du * scale  # x reaches y on two ways
    return dx, dscale, dshift, dgain
    ### END SOLUTION


# %% role="check" grade_id="mended_backward"
check("mended_backward", mended_backward)

# %% [markdown] role="statement" grade_id="train_mlp"
# ## Train a network
#
# Now put the pieces together: a hidden layer with ReLU, an output layer, softmax and the mean
# cross-entropy, trained by plain gradient descent on the whole batch,
# $\theta \leftarrow \theta - \eta\, \nabla_\theta L$.
#
# Write `train_mlp(x, labels, params, lr, steps)`. `x` has shape `(samples, inputs)`, `labels` are
# integers from 0, and `params` is a dict of four arrays, named as in the chapter: `"0.weight"`,
# `"0.bias"`, `"2.weight"` and `"2.bias"`. (Number 1 is the ReLU, which has none.) Take `steps`
# steps with learning rate `lr`; in each, all four arrays move at once, along gradients that were
# taken before any of them moved. Return
#
# - a dict of the trained arrays, under the same names; `params` itself stays as it was;
# - `losses`: an array of shape `(steps,)`, the mean loss *before* each step.
#
# For example, with one sample `x = [[1]]` of class 0, all four arrays zero (one hidden unit, two
# classes), `lr = 1` and `steps = 1`, the loss is $\log 2 \approx 0.693$. Only `"2.bias"` moves, to
# `[0.5, -0.5]`: the hidden unit is silent.
#
# <details><summary>Hint: may I use what I have written above?</summary>
#
# Yes: you have the three backward passes that this needs. Two of them you use once, one twice.
#
# </details>
#
# <details><summary>Hint: the first step is right, the later ones aren't</summary>
#
# What do you take over from one step to the next? It should be the parameters, and nothing else.
#
# </details>


# %% role="solution" grade_id="train_mlp"
def train_mlp(x, labels, params, lr, steps):
    """Parameters after ``steps`` full-batch steps from ``params``, and the loss before each."""
    ### BEGIN SOLUTION
    params = dict(params)
    losses = []
    for _ in range(steps):
        z = x @ params["0.weight"].T + params["0.bias"]
        h = np.maximum(z, 0)
        logits = h @ params["2.weight"].T + params["2.bias"]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        losses.append(-log_p[np.arange(len(x)), labels].mean())

        grads = {}
        dlogits = softmax_cross_entropy_backward(logits, labels)
        dh, grads["2.weight"], grads["2.bias"] = linear_backward(dlogits, h, params["2.weight"])
        dz = relu_backward(dh, z)
        _, grads["0.weight"], grads["0.bias"] = linear_backward(dz, x, params["0.weight"])
        params = {name: params[name] - lr * grads[name] for name in params}
    return params, np.array(losses)
    ### END SOLUTION


# %% role="check" grade_id="train_mlp"
check("train_mlp", train_mlp)

# %% [markdown]
# On real birds: three species of penguins from four measurements. A network of yours, trained with
# gradients of yours.

# %%
from dlcourse.data.penguins import load_penguins
from dlcourse.data.splits import split, standardise

birds, species, provenance = load_penguins()
training, kept = split(species, (200, 142), seed=0)
x_train, x_kept = standardise(birds[training], birds[kept])
rng = np.random.default_rng(0)
start = {"0.weight": rng.normal(size=(8, 4)) / 2, "0.bias": np.zeros(8)}
start |= {"2.weight": rng.normal(size=(3, 8)) / 3, "2.bias": np.zeros(3)}
trained, losses = train_mlp(x_train, species[training], start, lr=0.5, steps=200)
for name, p in {"before": start, "after": trained}.items():
    hidden = np.maximum(x_kept @ p["0.weight"].T + p["0.bias"], 0)
    answers = (hidden @ p["2.weight"].T + p["2.bias"]).argmax(axis=1)
    print(f"{name:6} training: {np.mean(answers == species[kept]):.1%} of birds it hasn't seen")
print(f"loss: {losses[0]:.3f} before the first step, {losses[-1]:.3f} before the last")

# %% [markdown] role="statement" grade_id="tied_backward"
# ## One weight, used twice
#
# An *autoencoder* squeezes its input through few hidden units and builds it up again. A tied one
# does both with the same weights, once transposed and once not:
#
# $$h = \tanh(x\, W^\top), \qquad r = h\, W.$$
#
# There are no biases. Derive on paper the gradients with respect to $x$ and to $W$; then write them
# as `tied_backward(dr, x, weight)`, for `dr` and `x` of shape `(samples, inputs)` and `weight` of
# shape `(hidden, inputs)`. `dr` is the gradient of the loss with respect to $r$. Return `dx` and
# `dweight`. What the loss compares $r$ with doesn't matter here: take `dr` as given.
#
# For example, `dr = [[1]]`, `x = [[2]]` and `weight = [[0.5]]` give $h = \tanh 1 \approx 0.762$,
# `dx` $\approx$ `[[0.105]]` and `dweight` $\approx$ `[[1.182]]`.
#
# <details><summary>Hint: how do I treat a weight that is used twice?</summary>
#
# Pretend that there are two weights that happen to be equal, and find the gradient of each. Then
# move the one weight by a little, and both of them move. What does that do to the loss?
#
# </details>


# %% role="solution" grade_id="tied_backward"
def tied_backward(dr, x, weight):
    """dx and dweight of the tied autoencoder tanh(x @ weight.T) @ weight, for ``dr``."""
    ### BEGIN SOLUTION
    h = np.tanh(x @ weight.T)
    dz = (dr @ weight.T) * (1 - h**2)
    return dz @ weight, dz.T @ x + h.T @ dr
    ### END SOLUTION


# %% role="check" grade_id="tied_backward"
check("tied_backward", tied_backward)

# %% [markdown] role="statement" grade_id="difference_forecast"
# ## Predict: what differences say
#
# Work out four numbers before you run anything. All differences are central but for the last.
#
# - `kink`: the central difference of ReLU at $z = 0$ with the step $h = 0.1$.
# - `beside`: the same at $z = -0.06$, again with $h = 0.1$.
# - `runs`: a network has 20 inputs, a layer of 10 hidden units and an output layer of 3, all with
#   biases. How many forward passes does it take to get the gradients of all its parameters by
#   central differences?
# - `one_sided`: somebody uses $\big(f(x + h) - f(x)\big) / h$ instead, for a smooth $f$ with
#   $f''(x) \ne 0$ and a step still so long that rounding doesn't matter. She makes $h$ ten times
#   smaller. By about which number is her error *divided*?
#
# Set `difference_forecast` to a dict of these four numbers, `{"kink": ..., "beside": ...,
# "runs": ..., "one_sided": ...}`. For example, the central difference of $z^2$ at $z = 3$ with
# $h = 1$ is $(16 - 4)/2 = 6$. The cell after the check shows what happens.
#
# <details><summary>Hint: how do I find the last one on paper?</summary>
#
# Write $f(x + h) = f(x) + h f'(x) + \tfrac{1}{2} h^2 f''(x) + \dots$ and put it in. What is left
# beside $f'(x)$?
#
# </details>

# %% role="solution" grade_id="difference_forecast"
### BEGIN SOLUTION
difference_forecast = {"kink": 0.5, "beside": 0.2, "runs": 486, "one_sided": 10}
### END SOLUTION

# %% role="check" grade_id="difference_forecast"
check("difference_forecast", difference_forecast)


# %%
def relu_sum(z):
    return np.maximum(z, 0).sum()


for z in (0.0, -0.06):
    numerical, _ = gradient_check(relu_sum, np.array([z]), np.zeros(1), h=0.1)
    backward = relu_backward(np.ones(1), np.array([z]))
    print(f"ReLU at {z}: difference {numerical[0]:.2f}, backward {backward[0]:.0f}")
entries = sum(outputs * inputs + outputs for inputs, outputs in ((20, 10), (10, 3)))
print(f"{entries} parameters, {2 * entries} forward passes")
for h in (1e-1, 1e-2, 1e-3):
    print(f"exp at 0, one-sided, h = {h}: off by {(np.exp(h) - 1) / h - 1:.1e}")

# %% [markdown] role="question" grade_id="it_trains"
# ## It trains, so it's right?
#
# A colleague shows you a network with a backward pass of his own. The loss falls, and 91 % of the
# test digits come out right. "If the gradient were wrong," he says, "it couldn't learn." Answer him
# in four to six sentences: why it could, how it would show, how you would check it, and what your
# check can't see. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="it_trains"
