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
# # Neurons: exercises
#
# You build one artificial neuron, train it in the two classic ways, and find out what it can't do.
# Everything is NumPy, a few lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** A batch `x` has shape `(samples, inputs)`: one sample a row. The
# perceptron's labels are -1 and +1; the logistic unit's are 0 and 1. A score of exactly 0 fires.
# Bias is *added*. Give back new arrays, and leave those that you are handed as they are.

# %% [markdown] role="statement" grade_id="neuron_forward"
# ## What a neuron computes
#
# A neuron weighs its inputs, adds them up, adds its bias, and fires if the result is not negative.
# For a batch $x$:
#
# $$\text{score}_n = \sum_d x_{nd}\, w_d + b, \qquad
# \text{label}_n = \begin{cases} +1 & \text{score}_n \ge 0\\ -1 & \text{else.}\end{cases}$$
#
# Write `neuron_forward(x, weight, bias)` with `x` of shape `(samples, inputs)`, `weight` of shape
# `(inputs,)` and `bias` a number. Return `score`, of shape `(samples,)`, and `label`, integers of
# the same shape.
#
# For example, `x = [[1, 2], [3, 1]]`, `weight = [2, -1]` and `bias = -1` give `score = [-1, 4]`
# and `label = [-1, 1]`.
#
# <details><summary>Hint: can I do without a loop over the samples?</summary>
#
# What does NumPy add up when it multiplies a matrix with a vector?
#
# </details>
#
# <details><summary>Hint: how do I choose between two numbers for a whole array?</summary>
#
# Look at what `np.where` does with three arguments.
#
# </details>

# %% role="solution" grade_id="neuron_forward"
def neuron_forward(x, weight, bias):
    """Score and label, both of shape (samples,), of a neuron for the batch ``x``."""
    ### BEGIN SOLUTION
    score = x @ weight + bias
    label = np.where(score >= 0, 1, -1)
    return score, label
    ### END SOLUTION


# %% role="check" grade_id="neuron_forward"
check("neuron_forward", neuron_forward)

# %% [markdown] role="statement" grade_id="perceptron_update"
# ## One step of the perceptron
#
# Rosenblatt's rule looks at one sample and asks a single question: is the answer wrong? If $y
# \cdot \text{score} \le 0$, it adds $y x$ to the weights and $y$ to the bias. If the answer is
# right, it does nothing.
#
# Write `perceptron_update(weight, bias, x, y)` for one sample `x` of shape `(inputs,)` with its
# label `y`, -1 or +1. Return the new weights and the new bias. Note the $\le$: a score of exactly
# 0 is a reason to learn.
#
# For example, from `weight = [0, 0]` and `bias = 0`, the sample `x = [2, -1]` with `y = -1` leads
# to `weight = [-2, 1]` and `bias = -1`.
#
# <details><summary>Hint: why is y times the score negative when the answer is wrong?</summary>
#
# Because then the two have opposite signs: the neuron fires where it should be silent, or the
# other way round.
#
# </details>
#
# <details><summary>Hint: the check says that I changed its argument</summary>
#
# `weight += ...` writes into the array that the caller holds. `weight + ...` makes a new one.
#
# </details>


# %% role="solution" grade_id="perceptron_update"
def perceptron_update(weight, bias, x, y):
    """Weights (inputs,) and bias after the perceptron has seen ``x`` with its label ``y``."""
    ### BEGIN SOLUTION
    if y * (weight @ x + bias) <= 0:
        return weight + y * x, bias + y
    return weight, bias
    ### END SOLUTION


# %% role="check" grade_id="perceptron_update"
check("perceptron_update", perceptron_update)

# %% [markdown] role="statement" grade_id="perceptron_fit"
# ## Train until nothing is wrong
#
# Go through the samples in their order, one update after the other: that is an epoch. Start from
# weights and bias zero, and stop after the first epoch in which nothing was wrong, or after
# `max_epochs`.
#
# Write `perceptron_fit(x, y, max_epochs)` for `x` of shape `(samples, inputs)` and labels `y` of
# -1 and +1. Return the weights, the bias, and `errors`: an array of integers, the number of
# updates made in each epoch that was run, that last clean one included.
#
# For example, the samples `[[1], [-1]]` with labels `[1, -1]` need one update: `weight = [1]`,
# `bias = 1` after the first sample. The second, with score 0, is wrong too, and gives `weight =
# [2]`, `bias = 0`. The second epoch finds nothing, so `errors = [2, 0]`.
#
# <details><summary>Hint: which weights does the second sample see?</summary>
#
# Those that the first sample has left behind. That is why this can't be one matrix product.
#
# </details>
#
# <details><summary>Hint: my errors are one short</summary>
#
# Write down the number of errors before you ask whether to stop.
#
# </details>


# %% role="solution" grade_id="perceptron_fit"
def perceptron_fit(x, y, max_epochs):
    """Weights (inputs,), bias and updates per epoch of a perceptron trained on ``x``, ``y``."""
    ### BEGIN SOLUTION
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y):
            if label * (weight @ row + bias) <= 0:
                weight = weight + label * row
                bias = bias + label
                wrong += 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, bias, np.array(errors)
    ### END SOLUTION


# %% role="check" grade_id="perceptron_fit"
check("perceptron_fit", perceptron_fit)

# %% [markdown]
# Now on real birds: Adelie against Chinstrap penguins, from four measurements, and from two of
# them. Before you run it: which of the two will settle?

# %%
from dlcourse.data.penguins import load_penguins
from dlcourse.data.splits import standardise

birds, species, provenance = load_penguins()
adelie_or_chinstrap = species < 2
(four,) = standardise(birds[adelie_or_chinstrap])
chinstrap = np.where(species[adelie_or_chinstrap] == 1, 1, -1)
shuffled = np.random.default_rng(0).permutation(len(chinstrap))
four, chinstrap = four[shuffled], chinstrap[shuffled]

for name, inputs in {"four measurements": four, "bill length and depth": four[:, :2]}.items():
    weight, bias, errors = perceptron_fit(inputs, chinstrap, max_epochs=200)
    print(f"{name}: {len(errors)} epochs, {errors.sum()} updates, {errors[-1]} in the last epoch")

# %% [markdown] role="statement" grade_id="mended_fit"
# ## Find the fault
#
# A colleague trains the same perceptron, and it runs without a warning. On the penguins it finds
# *Chinstraps* nearly everywhere. The cell below is hers; run it and look at what it answers.
# There is one fault, and it isn't a typing error.
#
# Find it, and write the mended function as `mended_fit(x, labels, epochs)`: same arguments, same
# labels (0 and 1, as her data come), same number of epochs, and the same rule: a score of exactly 0
# is corrected too. Return weights and bias as they should have been.
#
# <details><summary>Hint: how do I find a fault in a loop?</summary>
#
# By hand, with two samples: one with label 1, one with label 0. Write down the weights after each.
#
# </details>


# %% role="given" grade_id="colleagues_fit"
def colleagues_fit(x, labels, epochs):
    """Weights and bias of a perceptron trained on ``x`` with labels 0 and 1. Something is wrong."""
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, labels):
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


is_chinstrap = (chinstrap == 1).astype(int)
weight, bias = colleagues_fit(four, is_chinstrap, epochs=14)
says_chinstrap = four @ weight + bias >= 0
print(f"{is_chinstrap.sum()} of {len(four)} birds are Chinstraps; she finds {says_chinstrap.sum()}")


# %% role="solution" grade_id="mended_fit"
def mended_fit(x, labels, epochs):
    """Weights (inputs,) and bias of a perceptron trained on ``x`` with ``labels`` of 0 and 1."""
    ### BEGIN SOLUTION
    y = 2 * labels - 1  # the rule below is for -1 and +1
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, y):
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias
    ### END SOLUTION


# %% role="check" grade_id="mended_fit"
check("mended_fit", mended_fit)

# %% [markdown] role="statement" grade_id="mistake_bound"
# ## How many mistakes, at most
#
# Novikoff's theorem bounds the number of updates before you train. Call $\tilde x_n = (x_n, 1)$ a
# sample with a 1 for the bias, and $\tilde w = (w, b)$ some weights that separate the samples.
# With
#
# $$R = \max_n \lVert \tilde x_n \rVert, \qquad
# \gamma = \min_n \frac{y_n\, \tilde w \cdot \tilde x_n}{\lVert \tilde w \rVert},$$
#
# the perceptron makes at most $(R / \gamma)^2$ updates, in whatever order the samples come. First
# derive on paper what $\lVert \tilde x_n \rVert^2$ and $\tilde w \cdot \tilde x_n$ are in terms of
# $x_n$, $w$ and $b$. Then write `mistake_bound(x, y, weight, bias)`, which returns $(R/\gamma)^2$
# as a number, and raises a `ValueError` where the weights don't separate the samples: where
# $\gamma \le 0$ there is no bound.
#
# For example, the samples `[[1], [-1]]` with labels `[1, -1]`, `weight = [1]` and `bias = 0` have
# $R^2 = 2$ and $\gamma = 1$: at most 2 updates, which is what `perceptron_fit` needed.
#
# <details><summary>Hint: what should stay the same when I double all the weights?</summary>
#
# The line they describe, so also the margin, so also the bound.
#
# </details>


# %% role="solution" grade_id="mistake_bound"
def mistake_bound(x, y, weight, bias):
    """Novikoff's bound on the perceptron's updates; ValueError if the weights don't separate."""
    ### BEGIN SOLUTION
    lowest = np.min(y * (x @ weight + bias))
    if lowest <= 0:
        raise ValueError("these weights don't separate the samples")
    margin = lowest / np.sqrt(weight @ weight + bias**2)
    radius = np.sqrt(np.max(np.sum(x**2, axis=1)) + 1)
    return (radius / margin) ** 2
    ### END SOLUTION


# %% role="check" grade_id="mistake_bound"
check("mistake_bound", mistake_bound)

# %% [markdown]
# How tight is it? Compare the bound with the updates that the penguins needed. A bound holds for
# the worst order of the worst samples with that margin, and these weights needn't be the best
# ones.

# %%
weight, bias, errors = perceptron_fit(four, chinstrap, max_epochs=200)
bound = mistake_bound(four, chinstrap, weight, bias)
print(f"{errors.sum()} updates made; at most {bound:,.0f} by the bound of the weights found")

# %% [markdown] role="statement" grade_id="logistic_gradient"
# ## The logistic unit and its gradient
#
# Replace the threshold by the sigmoid, and the unit answers with a probability $p = 1/(1 +
# e^{-s})$ of its score $s$. Its loss is the mean cross-entropy over $N$ samples with labels $y_n$
# of 0 and 1:
#
# $$L = -\frac{1}{N} \sum_n \big( y_n \log p_n + (1 - y_n) \log (1 - p_n) \big).$$
#
# Write `logistic_gradient(x, y, weight, bias)`. Return the loss, and its gradients `dweight`, of
# shape `(inputs,)`, and `dbias`, a number. Derive them on paper first: with $\partial p / \partial
# s = p (1 - p)$ almost everything cancels. The loss must be right for scores of $\pm 1000$ too,
# where $p$ rounds to 0 or 1.
#
# For example, `x = [[1, 2]]`, `y = [1]` and weights and bias of zero give a loss of $\log 2
# \approx 0.693$, `dweight = [-0.5, -1]` and `dbias = -0.5`.
#
# <details><summary>Hint: the loss is nan or inf for large scores</summary>
#
# Put $p$ into $-\log p$ and simplify: you get $\log(1 + e^{-s})$. NumPy has a function for
# $\log(e^a + e^b)$ that never overflows: `np.logaddexp`.
#
# </details>
#
# <details><summary>Hint: how do I know whether my gradient is right?</summary>
#
# Move one weight by 1e-6 up and down, and divide the difference of the losses by 2e-6.
#
# </details>


# %% role="solution" grade_id="logistic_gradient"
def logistic_gradient(x, y, weight, bias):
    """Mean cross-entropy of a logistic unit on ``x``, ``y``; its gradients for weights and bias."""
    ### BEGIN SOLUTION
    score = x @ weight + bias
    loss = np.mean(np.logaddexp(0, score) - y * score)
    error = np.exp(-np.logaddexp(0, -score)) - y  # p - y, without overflow
    return loss, x.T @ error / len(x), np.mean(error)
    ### END SOLUTION


# %% role="check" grade_id="logistic_gradient"
check("logistic_gradient", logistic_gradient)

# %% [markdown]
# Downhill on the two measurements that no line separates. Where the perceptron kept stumbling,
# this one slows down and comes to rest.

# %%
two = four[:, :2]
weight, bias = np.zeros(2), 0.0
for step in range(1001):
    loss, dweight, dbias = logistic_gradient(two, is_chinstrap, weight, bias)
    if step in (0, 10, 100, 1000):
        right = np.mean((two @ weight + bias >= 0) == is_chinstrap)
        steepest = np.abs(dweight).max()
        print(f"step {step:6,}: loss {loss:.3f}, right {right:.1%}, steepest slope {steepest:.4f}")
    weight, bias = weight - 8 * dweight, bias - 8 * dbias

# %% [markdown] role="statement" grade_id="xor_forecast"
# ## Predict: a perceptron on XOR
#
# The four corners (0, 0), (0, 1), (1, 0), (1, 1) have the XOR labels -1, +1, +1, -1. Decide before
# you run anything:
#
# - `best`: the largest number of corners that one neuron can get right, over all weights and
# biases;
# - `settles`: whether `perceptron_fit` ever has an epoch without an error, `True` or `False`;
# - `bounded`: whether the weights stay below some fixed size, however long it trains, `True` or
# `False`.
#
# Set `xor_forecast` to a dict of these three, `{"best": ..., "settles": ..., "bounded": ...}`. The
# cell after the check shows what happens.
#
# <details><summary>Hint: how can I find out the first without a computer?</summary>
#
# Draw the corners and lay a pencil across. How many can you get right, and what stands in the way
# of one more?
#
# </details>
#
# <details><summary>Hint: how can I know about 1,000 epochs?</summary>
#
# Follow the four updates of the first epoch by hand. Where do you stand at its end?
#
# </details>

# %% role="solution" grade_id="xor_forecast"
### BEGIN SOLUTION
xor_forecast = {"best": 3, "settles": False, "bounded": True}
### END SOLUTION

# %% role="check" grade_id="xor_forecast"
check("xor_forecast", xor_forecast)

# %%
corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
xor = np.array([-1, 1, 1, -1])
weight, bias, largest = np.zeros(2), 0.0, 0.0
for epoch in range(1000):
    for corner, label in zip(corners, xor):
        weight, bias = perceptron_update(weight, bias, corner, label)
        largest = max(largest, np.abs(weight).max(), abs(bias))
        if epoch == 0:
            print(f"{corner} has label {label:+d}: now weights {weight}, bias {bias:+.0f}")
print(f"1,000 epochs: no weight, and no bias, was ever larger than {largest:.0f}")

weight, bias, errors = perceptron_fit(corners, xor, max_epochs=1000)
print(f"fewest errors in an epoch: {errors.min()}")
score, label = neuron_forward(corners, np.array([1.0, 1.0]), -0.5)
print(f"a neuron for OR: {np.sum(label == xor)} corners of XOR right")

# %% [markdown] role="statement" grade_id="xor_network"
# ## Three neurons that compute XOR
#
# What one neuron can't, two and one can. Inputs are 0 or 1; each neuron sends 1 if its score is at
# least 0, and 0 otherwise. Two hidden neurons look at the inputs, and the output neuron looks at
# the two hidden ones:
#
# $$h = [\, W x + c \ge 0 \,], \qquad \text{output} = [\, v \cdot h + b \ge 0 \,].$$
#
# Choose the numbers by thinking, not by training. Set `xor_network` to a dict with `hidden_weight`
# $W$, two rows of two; `hidden_bias` $c$, two numbers; `weight` $v$, two numbers; and `bias` $b$,
# one number. The output must fire for (0, 1) and (1, 0), and be silent for (0, 0) and (1, 1).
# There are many right answers.
#
# <details><summary>Hint: where do I begin?</summary>
#
# Say XOR in words, with "or", "and" and "not". Each of those is one neuron.
#
# </details>
#
# <details><summary>Hint: how do I make a neuron that computes AND?</summary>
#
# Weights 1 and 1. Which bias makes the score reach 0 only when both inputs are 1? Leave a little
# room: 0.5, say.
#
# </details>

# %% role="solution" grade_id="xor_network"
### BEGIN SOLUTION
xor_network = {
    "hidden_weight": np.array([[1.0, 1.0], [-1.0, -1.0]]),  # OR and NAND
    "hidden_bias": np.array([-0.5, 1.5]),
    "weight": np.array([1.0, 1.0]),  # AND of the two
    "bias": -1.5,
}
### END SOLUTION

# %% role="check" grade_id="xor_network"
check("xor_network", xor_network)

# %% [markdown] role="question" grade_id="neuron_and_brain"
# ## Where the likeness ends
#
# A newspaper writes: "The computer's artificial brain cells work just like ours." Write to the
# editor, in four to six sentences. Say one thing that a unit like yours and a nerve cell do share,
# two differences that matter, and what follows for the sentence in the newspaper. A person reads
# and marks your answer.

# %% [markdown] role="answer" grade_id="neuron_and_brain"
