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
# # Layers: exercises
#
# You write the forward pass of a network of any depth, two of its activations, and count what it
# holds. You find out what is left of it without activations, mend a broken output layer, and build
# a bump, of which any curve can be put together. Everything is NumPy, a few lines each. Nothing is
# trained yet: the weights are given, or you choose them by thinking.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** A batch `x` has shape `(samples, inputs)`: one sample a row. A
# layer's `weight` has shape `(outputs, inputs)`, its `bias` `(outputs,)`, and its scores are `x @
# weight.T + bias`, as in PyTorch. Give back new arrays, and leave those that you are handed as
# they are.

# %% [markdown] role="statement" grade_id="mlp_forward"
# ## The forward pass
#
# A network is a list of layers. Each takes what the one before it hands on, and computes scores $z
# = W h + b$. The scores of a hidden layer go through ReLU, $\max(z, 0)$; those of the last layer
# are the logits, and stay as they are.
#
# Write `mlp_forward(x, layers)`, where `layers` is a list of pairs `(weight, bias)`, one or more.
# Return `logits`, of shape `(samples, outputs)`, and `hidden`: a list with what each hidden layer
# hands on, after its ReLU, in order. A single layer has no hidden ones, so its list is empty.
#
# For example, the batch `x = [[1, 2]]`, a first layer with `weight = [[1, -1], [1, 1]]`, `bias =
# [0, -1]`, and a second with `weight = [[3, 2]]`, `bias = [-5]`: the first layer's scores are `[-1,
# 2]`, it hands on `[0, 2]`, and the logit is $3 \cdot 0 + 2 \cdot 2 - 5 = -1$. So `logits =
# [[-1]]` and `hidden = [[[0, 2]]]`.
#
# <details><summary>Hint: how do I treat the last layer differently?</summary>
#
# `layers[:-1]` holds all but the last, also when there is only one.
#
# </details>
#
# <details><summary>Hint: matmul says that my shapes don't fit</summary>
#
# Write them side by side: `(samples, inputs)` and `(outputs, inputs)`. Which one has to be turned,
# so that the inputs meet?
#
# </details>


# %% role="solution" grade_id="mlp_forward"
def mlp_forward(x, layers):
    """Logits (samples, outputs) and a list of what each hidden layer hands on."""
    ### BEGIN SOLUTION
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden
    ### END SOLUTION


# %% role="check" grade_id="mlp_forward"
check("mlp_forward", mlp_forward)

# %% [markdown] role="statement" grade_id="leaky_relu_and_gelu"
# ## Two more activations
#
# A ReLU is silent left of 0. The *leaky* ReLU keeps a small slope $a$ there, and *GELU* weighs each
# score by the probability that a normal random number lies below it:
#
# $$\text{leaky}(z) = \begin{cases} z & z > 0 \\ a z & \text{else,}\end{cases} \qquad
# \text{GELU}(z) = z\, \Phi(z), \qquad
# \Phi(z) = \tfrac{1}{2} \big( 1 + \operatorname{erf} (z / \sqrt 2) \big).$$
#
# Write `leaky_relu_and_gelu(z, slope)` for an array `z` of any shape and any number `slope`.
# Return `leaky` and `gelu`, floats, both of the shape of `z`. Use the exact form of GELU above,
# PyTorch's default, and not one of its approximations.
#
# For example, `z = [-1, 0, 2]` with `slope = 0.1` gives `leaky = [-0.1, 0, 2]` and `gelu =
# [-0.1587, 0, 1.9545]`, rounded to four digits.
#
# <details><summary>Hint: where do I find erf?</summary>
#
# In Python's own `math` module: `import math`, then `math.erf`. It takes one number. `np.vectorize`
# makes a function of one number into one of arrays; a loop will do as well.
#
# </details>
#
# <details><summary>Hint: can I write the leaky one as a maximum?</summary>
#
# Try a slope of 1.5, with a pencil, left and right of 0.
#
# </details>


# %% role="solution" grade_id="leaky_relu_and_gelu"
def leaky_relu_and_gelu(z, slope):
    """The leaky ReLU with ``slope`` left of 0, and the exact GELU, of each entry of ``z``."""
    ### BEGIN SOLUTION
    import math

    leaky = np.where(z > 0, z, slope * z)
    erf = np.vectorize(math.erf)
    return leaky, z * (1 + erf(z / np.sqrt(2))) / 2
    ### END SOLUTION


# %% role="check" grade_id="leaky_relu_and_gelu"
check("leaky_relu_and_gelu", leaky_relu_and_gelu)

# %% [markdown] role="statement" grade_id="count_parameters"
# ## How large is a network
#
# A network is described by its sizes: `[784, 128, 10]` has 784 inputs, one hidden layer of 128
# units, and 10 outputs. Every unit has a weight for each unit of the layer before it, and one bias.
#
# Derive on paper, for sizes $n_0, n_1, \dots, n_L$ and a batch of $N$ samples: how many parameters
# does the network have, weights and biases together? And how many multiplications does one forward
# pass of the batch take? Count each weight times a number as one, and neither additions nor
# activations. Then write `count_parameters(sizes, samples)`, which returns `parameters` and
# `products`, two integers. `sizes` is a list of two or more.
#
# For example, `sizes = [3, 2, 1]` has 6 + 2 weights and 2 + 1 biases, 11 parameters; with `samples
# = 5` a forward pass takes 40 products.
#
# <details><summary>Hint: how do I walk over neighbouring sizes?</summary>
#
# `zip(sizes, sizes[1:])` gives each size with the next one.
#
# </details>


# %% role="solution" grade_id="count_parameters"
def count_parameters(sizes, samples):
    """Parameters of a network, and products of a forward pass with a batch of ``samples``."""
    ### BEGIN SOLUTION
    weights = sum(d * k for d, k in zip(sizes, sizes[1:]))
    return weights + sum(sizes[1:]), samples * weights
    ### END SOLUTION


# %% role="check" grade_id="count_parameters"
check("count_parameters", count_parameters)

# %% [markdown]
# How large is that? Both numbers are yours.

# %%
examples = {
    "digits, no hidden layer": [784, 10],
    "digits, 128 hidden units": [784, 128, 10],
    "digits, two hidden layers": [784, 300, 100, 10],
    "two layers of a large language model": [4096, 16384, 4096],
}
for name, sizes in examples.items():
    parameters, products = count_parameters(sizes, 1)
    print(f"{parameters:12,} parameters, {products:12,} products a sample: {name}")

# %% [markdown] role="statement" grade_id="without_activation"
# ## Predict: take the activation out
#
# Decide before you run anything. Somebody builds a network with sizes `[784, 5, 10]`, and forgets
# the activation: $z = W_2 (W_1 x + b_1) + b_2$. A network with no hidden layer computes exactly the
# same function.
#
# - `parameters`: how many weights and biases does that network without a hidden layer have, all
#   entries counted?
# - `rank`: what is the highest rank that its weight matrix, 10 by 784, can have? (The rank is the
#   smallest number of rows of which all the others are weighted sums.)
#
# Now a network with a ReLU: sizes `[1, 6, 1]`, one number in, one out, six hidden units. Drawn as a
# curve it is made of straight pieces.
#
# - `kinks`: at how many places, at most, can its slope change?
#
# Set `without_activation` to a dict of these three, `{"parameters": ..., "rank": ..., "kinks":
# ...}`. For example, had the sizes been `[3, 1, 2]`, the network without a hidden layer would have
# 2 times 3 weights and 2 biases: 8 parameters, and its matrix a rank of at most 1. The cell after
# the check shows what happens.
#
# <details><summary>Hint: what is the weight matrix of the one layer?</summary>
#
# Multiply out: $W_2 (W_1 x + b_1) + b_2$. What stands before $x$, and what doesn't depend on it?
#
# </details>
#
# <details><summary>Hint: where is the kink of one hidden unit?</summary>
#
# Where its score is 0. The output adds up six such curves.
#
# </details>

# %% role="solution" grade_id="without_activation"
### BEGIN SOLUTION
without_activation = {"parameters": 7850, "rank": 5, "kinks": 6}
### END SOLUTION

# %% role="check" grade_id="without_activation"
check("without_activation", without_activation)

# %%
rng = np.random.default_rng(0)
first, b1 = rng.normal(size=(5, 784)), rng.normal(size=5)
second, b2 = rng.normal(size=(10, 5)), rng.normal(size=10)
x = rng.normal(size=(100, 784))
merged, bias = second @ first, second @ b1 + b2
same = np.allclose((x @ first.T + b1) @ second.T + b2, x @ merged.T + bias)
print(f"two layers and one give the same: {same}; {merged.size + bias.size:,} entries")
print(f"rank of the one matrix: {np.linalg.matrix_rank(merged)}")

line = np.linspace(-10, 10, 20_001)[:, None]
curve = mlp_forward(
    line,
    [
        (rng.choice([-1.0, 1.0], size=(6, 1)), rng.uniform(-9, 9, size=6)),
        (rng.normal(size=(1, 6)), np.zeros(1)),
    ],
)[0][:, 0]
bends = np.abs(np.diff(curve, 2)) > 1e-6  # a kink between two points bends at one or two of them
print(f"kinks of six hidden units: {np.sum(bends[1:] & ~bends[:-1]) + bends[0]}")

# %% [markdown] role="statement" grade_id="mended_probabilities"
# ## Find the fault
#
# Softmax turns the ten logits of one image into ten probabilities: $p_k = e^{z_k} / \sum_j
# e^{z_j}$. So that $e^z$ can't overflow, the largest logit *of that image* is subtracted first,
# which leaves the shares as they are.
#
# A colleague wrote this output layer and tried it on ten digits. It ran. Run the cell below, and
# look at what the probabilities of each image add up to. There is one fault in her thinking, and
# she has made it twice.
#
# Write the mended function as `mended_probabilities(x, weight, bias)`: same arguments, and for
# every batch, of one image too, an array `(samples, classes)` whose rows add up to 1. Logits of
# thousands must work.
#
# For example, `x = [[0], [1]]`, `weight = [[0], [0], [1]]`, `bias = [0, 0, 0]` have the logits
# `[[0, 0, 0], [0, 0, 1]]`, so the first row is a third each, and the second `[0.212, 0.212,
# 0.576]`.
#
# <details><summary>Hint: how do I find a fault in array code that runs?</summary>
#
# Print the shape of every intermediate result, for a batch of 4 and 3 classes. Then remember
# NumPy's rule: shapes are compared from the right.
#
# </details>


# %% role="given" grade_id="colleagues_probabilities"
def colleagues_probabilities(x, weight, bias):
    """Probabilities (samples, classes) of an output layer. Something is wrong."""
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=1))
    return e / e.sum(axis=1)


from dlcourse.data.mnist import load_mnist5k

digits = load_mnist5k()[0].reshape(5000, 784) / 255
weight = np.random.default_rng(0).normal(size=(10, 784)) / 10
ten = colleagues_probabilities(digits[:10], weight, np.zeros(10))
print("shape", ten.shape, "- ten images, ten classes, as it should be")
print("each image's probabilities add up to", ten.sum(axis=1).round(2))


# %% role="solution" grade_id="mended_probabilities"
def mended_probabilities(x, weight, bias):
    """Probabilities (samples, classes), by a softmax over the classes of each sample."""
    ### BEGIN SOLUTION
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% role="check" grade_id="mended_probabilities"
check("mended_probabilities", mended_probabilities)

# %% [markdown] role="statement" grade_id="build_a_bump"
# ## Build a bump
#
# Choose the weights of a network with one input, one hidden layer of ReLU units, and one output, so
# that it draws a bump: 0 up to `left`, then a straight way up that takes a distance of `ramp`, then
# flat at `height`, then straight down again, to be at 0 from `right` on. By thinking, not by
# training. Bumps of any place and size, added up, come near to any curve: this is universal
# approximation by hand.
#
# $$f(x) = \begin{cases} 0 & x \le \text{left or } x \ge \text{right}\\
# \text{height} & \text{left} + \text{ramp} \le x \le \text{right} - \text{ramp}\\
# \text{a straight line} & \text{in between.} \end{cases}$$
#
# Write `build_a_bump(left, right, height, ramp)`. It returns a list of two pairs, ready for your
# `mlp_forward`, with one to eight hidden units:
#
# | layer | weight | bias |
# |---|---|---|
# | hidden | `(units, 1)` | `(units,)` |
# | output | `(1, units)` | `(1,)` |
#
# The ramp is positive, and at most half of the width. The height may be negative: then the bump is
# a dent. There are many right answers.
#
# For example, the bump with `left = 1`, `right = 4`, `height = 2`, `ramp = 0.5` is 0 at $x = 1$, 1
# at $x = 1.25$, 2 from $x = 1.5$ to $x = 3.5$, and 0 again from $x = 4$ on.
#
# <details><summary>Hint: what does one hidden unit draw?</summary>
#
# With weight 1 and bias $-c$: 0 up to $c$, then a line of slope 1, which never ends.
#
# </details>
#
# <details><summary>Hint: how do I end a slope?</summary>
#
# By adding another one, which begins where the first should end. How steep, and in which
# direction?
#
# </details>


# %% role="solution" grade_id="build_a_bump"
def build_a_bump(left, right, height, ramp):
    """Two layers, [(weight, bias), (weight, bias)], whose ReLU network draws the bump."""
    ### BEGIN SOLUTION
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]
    ### END SOLUTION


# %% role="check" grade_id="build_a_bump"
check("build_a_bump", build_a_bump)

# %% [markdown]
# Put bumps together, and they draw: here the ink along one row of a handwritten digit, one bump for
# each pixel. How many hidden units is that?

# %%
row = digits[0].reshape(28, 28)[14]  # the ink in the middle of a digit
at = np.arange(28.0)[:, None]
drawn = sum(mlp_forward(at, build_a_bump(i - 0.5, i + 0.5, row[i], 0.25))[0] for i in range(28))
print("ink    ", row[6:22].round(2))
print("network", drawn[6:22, 0].round(2))

# %% [markdown] role="question" grade_id="universal_promise"
# ## What was promised
#
# A brochure reads: "Mathematicians have proved that our neural network can learn any function. So
# it will forecast your sales, whatever your data." Write to the person who is about to sign, in
# four to six sentences. Say what has been proved, name two gaps between that and the brochure,
# and propose a test that would decide the matter. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="universal_promise"
