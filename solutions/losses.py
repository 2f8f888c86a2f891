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
# # Losses: exercises
#
# You write the losses that nearly every network is trained with, and their gradients, so that they
# stay right however large the numbers get. Everything is NumPy, a few lines each. Read the chapter
# first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** Logits have shape `(samples, classes)`. Class labels are integers
# from 0. A loss is one number, a mean, in nats (natural logarithm). A gradient is the gradient of
# that mean, has the shape of what it belongs to, and points uphill. Give back new arrays of the
# type that came in, and leave those that you are handed as they are.

# %% [markdown] role="statement" grade_id="log_softmax"
# ## Softmax, and its logarithm
#
# Softmax turns a row of logits $z$ into probabilities. A loss needs their logarithms:
#
# $$\log p_k = \log \frac{e^{z_k}}{\sum_j e^{z_j}}.$$
#
# Write `log_softmax(logits)` for `logits` of shape `(samples, classes)`, each row a sample of its
# own. Return an array of the same shape and type. It must be right for logits of thousands, where
# exponentials overflow, and for probabilities such as $e^{-800}$, which round to 0 though their
# logarithm is an ordinary number. Part of the points is for ordinary logits, the larger part for
# large ones.
#
# For example, `[[0, 0, 0], [1000, 0, -1000]]` gives `[[-1.0986, -1.0986, -1.0986], [0, -1000,
# -2000]]`, to four digits: $\log \frac{1}{3}$ three times, then what no naive formula can say.
#
# <details><summary>Hint: what may I do to a row without changing its softmax?</summary>
#
# Add the same number to all its logits: numerator and denominator get the same factor. Which
# number makes the largest exponent 0?
#
# </details>
#
# <details><summary>Hint: large logits are fine, and tiny probabilities still give -inf</summary>
#
# Take the logarithm of the fraction apart before you calculate anything. Which of the two
# logarithms is gone then?
#
# </details>

# %% role="solution" grade_id="log_softmax"
def log_softmax(logits):
    """Logarithms of the softmax of each row of ``logits`` (samples, classes), same shape."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    ### END SOLUTION


# %% role="check" grade_id="log_softmax"
check("log_softmax", log_softmax)

# %% [markdown] role="statement" grade_id="overflow_forecast"
# ## Predict: what the machine makes of large numbers
#
# Before you run anything: what does NumPy get for each of these? Answer `"finite"` (any ordinary
# number, 0 among them), `"inf"`, `"-inf"` or `"nan"`.
#
# - `difference`: `np.exp(z) - np.exp(z)` for `z = np.float64(1000)`;
# - `exp32`: `np.exp(np.float32(100))`;
# - `first` and `second`: the two entries of `np.exp(z) / np.exp(z).sum()` for `z =
# np.array([1000.0, 0.0])`, a naive softmax;
# - `log`: the second entry of `np.log(p)`, where `p = np.exp(z - 1000) / np.exp(z - 1000).sum()`,
# a stable softmax of the same `z`.
#
# For example, `np.exp(np.float64(1000))` would be `"inf"`, and `np.exp(np.float64(-1000))`, which
# rounds to 0, `"finite"`. Set `overflow_forecast` to a dict of
# these five, `{"difference": ..., "exp32": ..., "first": ..., "second": ..., "log": ...}`. The cell
# after the check shows what happens.
#
# <details><summary>Hint: how large can a float get?</summary>
#
# `np.finfo(np.float64).max` and `np.finfo(np.float32).max` say it. $e^x$ has about $x / 2.3$
# digits.
#
# </details>
#
# <details><summary>Hint: when is something nan, and when inf?</summary>
#
# A number divided by infinity has a value, infinity divided by infinity has none. How much is left
# of infinity if you take infinity away?
#
# </details>

# %% role="solution" grade_id="overflow_forecast"
### BEGIN SOLUTION
overflow_forecast = {
    "difference": "nan",
    "exp32": "inf",
    "first": "nan",
    "second": "finite",
    "log": "-inf",
}
### END SOLUTION

# %% role="check" grade_id="overflow_forecast"
check("overflow_forecast", overflow_forecast)

# %%
z = np.array([1000.0, 0.0])
with np.errstate(all="ignore"):  # no warnings: we came to see this
    print("difference", np.exp(z[0]) - np.exp(z[0]), "  exp32", np.exp(np.float32(100)))
    print("naive softmax          ", np.exp(z) / np.exp(z).sum())
    p = np.exp(z - 1000) / np.exp(z - 1000).sum()
    print("stable softmax         ", p)
    print("its logarithm          ", np.log(p))
print("your log_softmax       ", log_softmax(z[None])[0])

# %% [markdown] role="statement" grade_id="cross_entropy"
# ## Cross-entropy and its gradient
#
# For logits $z$ of $N$ samples in $K$ classes, $p_n$ the softmax of row $n$, and labels $y_n$ from
# 0 to $K - 1$, the loss is the mean of minus the logarithm of what was promised to the right
# class:
#
# $$L = -\frac{1}{N} \sum_n \log p_{n, y_n}.$$
#
# Write `cross_entropy(logits, labels)`, with `logits` of shape `(samples, classes)` and `labels`,
# integers, of shape `(samples,)`. Return the loss, a number, and `dlogits`, its gradient with
# respect to the logits, of their shape. Derive it on paper first, for the right class and for
# another one; the logarithm makes it short. Both must be right at logits of $\pm 1000$.
#
# For example, `logits = [[0, 0]]` and `labels = [1]` give a loss of $\log 2 \approx 0.693$ and
# `dlogits = [[0.5, -0.5]]`.
#
# <details><summary>Hint: how do I pick one entry of each row?</summary>
#
# With two lists of numbers, `array[rows, columns]`: row 0 with the first label, row 1 with the
# second, and so on.
#
# </details>
#
# <details><summary>Hint: how can I see that a gradient is wrong?</summary>
#
# Adding a number to all logits of a row changes nothing. So what must the gradient's entries in
# each row add up to?
#
# </details>


# %% role="solution" grade_id="cross_entropy"
def cross_entropy(logits, labels):
    """Mean cross-entropy of ``logits`` (samples, classes) for ``labels``; its gradient."""
    ### BEGIN SOLUTION
    n = np.arange(len(logits))
    log_p = log_softmax(logits)
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels].mean(), dlogits / len(logits)
    ### END SOLUTION


# %% role="check" grade_id="cross_entropy"
check("cross_entropy", cross_entropy)

# %% [markdown]
# Now train with it: ten classes of handwritten digits, 784 pixels, one layer. Before you run it:
# what is the first loss, when all weights are 0?

# %%
from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split

pictures, digit, provenance = load_mnist5k()
pixels = pictures.reshape(-1, 784) / 255
train, validation = split(digit, (3000, 1000), seed=0)

weight, bias = np.zeros((10, 784)), np.zeros(10)
for step in range(101):
    loss, dlogits = cross_entropy(pixels[train] @ weight.T + bias, digit[train])
    if step in (0, 1, 10, 100):
        answers = (pixels[validation] @ weight.T + bias).argmax(axis=1)
        right = np.mean(answers == digit[validation])
        print(f"step {step:3}: loss {loss:.3f}, right on validation {right:.1%}")
    weight, bias = weight - 0.5 * dlogits.T @ pixels[train], bias - 0.5 * dlogits.sum(axis=0)

# %% [markdown] role="statement" grade_id="bce_with_logits"
# ## Many yes-or-no questions, the rare ones weighted
#
# A photograph can show a beach *and* a dog. Then each label is a yes-or-no question of its own,
# with a sigmoid of its own, $p_{nk} = 1 / (1 + e^{-z_{nk}})$. Where few answers are yes, a missed
# yes is made to cost more, by a weight $w_k$ for question $k$:
#
# $$L = -\frac{1}{N K} \sum_{n, k} \big( w_k\, y_{nk} \log p_{nk} + (1 - y_{nk}) \log (1 - p_{nk})
# \big).$$
#
# Write `bce_with_logits(logits, targets, pos_weight)`, with `logits` and `targets` of shape
# `(samples, questions)` and `pos_weight` of shape `(questions,)`, as `torch.nn.BCEWithLogitsLoss`
# has it: the mean is over all entries, and targets are numbers from 0 to 1, not only those two.
# Return the loss and `dlogits`, its gradient. Both must be right at logits of $\pm 1000$. The
# logistic unit of the sheet on neurons did this for one question without a weight; the weight
# changes the gradient, so differentiate anew.
#
# For example, `logits = [[0, 0]]`, `targets = [[1, 0]]`, `pos_weight = [3, 3]` give a loss of $(3
# \log 2 + \log 2) / 2 \approx 1.386$ and `dlogits = [[-0.75, 0.25]]`.
#
# <details><summary>Hint: what is the derivative of log p, and of log (1 - p)?</summary>
#
# With respect to the logit: $1 - p$, and $-p$. Now put the weights in.
#
# </details>
#
# <details><summary>Hint: how do I get log p without p?</summary>
#
# $-\log p = \log(1 + e^{-z}) = \log(e^0 + e^{-z})$, and NumPy has `np.logaddexp`. The other one is
# a sign away.
#
# </details>


# %% role="solution" grade_id="bce_with_logits"
def bce_with_logits(logits, targets, pos_weight):
    """Mean binary cross-entropy with the yeses weighted, and its gradient for ``logits``."""
    ### BEGIN SOLUTION
    yes = np.logaddexp(0, -logits)  # -log p
    no = np.logaddexp(0, logits)  # -log (1 - p)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    dlogits = (1 - targets) * np.exp(-yes) - pos_weight * targets * np.exp(-no)
    return loss, dlogits / logits.size
    ### END SOLUTION


# %% role="check" grade_id="bce_with_logits"
check("bce_with_logits", bce_with_logits)

# %% [markdown] role="statement" grade_id="huber"
# ## A loss that an outlier can't rule
#
# Huber's loss is squared near the target and a straight line far from it. For an error
# $r = \text{prediction} - \text{target}$:
#
# $$\ell(r) = \begin{cases} \frac{1}{2} r^2 & |r| \le \delta \\
# \delta \left(|r| - \frac{1}{2} \delta\right) & \text{else.} \end{cases}$$
#
# Write `huber(prediction, target, delta)` for two arrays of the same shape, whichever it is.
# Return the mean of $\ell$ over all entries, and `dprediction`, its gradient with respect to the
# prediction, in its shape. This is `torch.nn.HuberLoss`; the loss called *smooth L1* is this
# divided by $\delta$.
#
# For example, `prediction = [3, 0.5]`, `target = [0, 0]` and `delta = 1` cost 2.5 and 0.125: a
# loss of 1.3125, with `dprediction = [0.5, 0.25]`.
#
# <details><summary>Hint: how do I check the second half without a computer?</summary>
#
# At $|r| = \delta$ the two halves must agree, in value and in slope.
#
# </details>
#
# <details><summary>Hint: is there one formula for the gradient?</summary>
#
# It is $r$, but never more than $\delta$ and never less than $-\delta$.
#
# </details>


# %% role="solution" grade_id="huber"
def huber(prediction, target, delta):
    """Mean Huber loss of ``prediction`` against ``target``, and its gradient."""
    ### BEGIN SOLUTION
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.clip(error, -delta, delta) / error.size
    ### END SOLUTION


# %% role="check" grade_id="huber"
check("huber", huber)

# %% [markdown]
# One number for all prices of a neighbourhood in Ames, Iowa, moved downhill until it rests. Before
# you run it: near which average that you know from school does it end for a large `delta`, and near
# which for a small one?

# %%
from dlcourse.data.ames import load_ames

area, price, neighbourhood, sale, provenance = load_ames()
prices = price[neighbourhood == "Edwards"] / 1000
print(f"mean {prices.mean():.1f}, median {np.median(prices):.1f} thousand dollars")
for delta in (200.0, 50.0, 10.0, 1.0):
    guess = np.array(100.0)
    for _ in range(4000):
        loss, slope = huber(np.full(len(prices), guess), prices, delta)
        guess = guess - max(1, 20 / delta) * slope.sum()
    print(f"delta {delta:5}: rests at {guess:.1f}")

# %% [markdown] role="statement" grade_id="gaussian_nll_gradient"
# ## On paper: a network that says how sure it is
#
# Squared error assumes that all errors come from a Gaussian of one width. Let the network say the
# width too: for each sample a mean $m$ and the logarithm of a variance, $s = \log \sigma^2$,
# natural logarithm. Up to a constant, minus the log-likelihood of the targets $y$ is
#
# $$L = \frac{1}{N} \sum_n \frac{1}{2} \left( s_n + (y_n - m_n)^2\, e^{-s_n} \right).$$
#
# Derive on paper $\partial L / \partial m_n$ and $\partial L / \partial s_n$. Then type them:
# write `gaussian_nll_gradient(mean, log_variance, target)` for arrays of shape `(samples,)`, which
# returns `dmean` and `dlog_variance`, both of that shape.
#
# For example, `mean = [1]`, `log_variance = [0]` and `target = [3]` give `dmean = [-2]` and
# `dlog_variance = [-1.5]`: the mean should rise, and so should the variance.
#
# <details><summary>Hint: how do I check a derivation?</summary>
#
# If the error is exactly one standard deviation, $(y - m)^2 = \sigma^2$, the variance is as it
# should be. What must the second gradient be there? And by numbers: move one entry by 1e-6, up and
# down.
#
# </details>
#
# <details><summary>Hint: why the logarithm of the variance?</summary>
#
# A network's output can be any number. A variance can't be negative, its logarithm can.
#
# </details>


# %% role="solution" grade_id="gaussian_nll_gradient"
def gaussian_nll_gradient(mean, log_variance, target):
    """Gradients of a Gaussian's mean negative log-likelihood for its means and log-variances."""
    ### BEGIN SOLUTION
    error, precision = mean - target, np.exp(-log_variance)
    dmean = error * precision
    dlog_variance = 0.5 * (1 - error**2 * precision)
    return dmean / len(mean), dlog_variance / len(mean)
    ### END SOLUTION


# %% role="check" grade_id="gaussian_nll_gradient"
check("gaussian_nll_gradient", gaussian_nll_gradient)

# %% [markdown] role="statement" grade_id="mended_regression"
# ## Find the fault
#
# A colleague predicts the body mass of penguins from the length of their flippers. Her function
# runs without a warning, and its loss falls and comes to rest. But her line is flat: it gives
# every bird the same mass. The cell below is hers; run it and look at what it answers. There is
# one fault.
#
# Find it, and write the mended function as `mended_regression(x, y, lr, steps)`: same arguments,
# same results: `weight` of shape `(inputs, 1)`, `bias` a number, and `losses`, an array of the
# mean squared error before each step. `x` has shape `(samples, inputs)`, `y` has shape
# `(samples,)`.
#
# For example, `x = [[1], [2]]`, `y = [1, 2]`, `lr = 0.1` and one step give `weight = [[0.5]]`,
# `bias = 0.3` and `losses = [2.5]`; hers returns a weight of 0.45.
#
# <details><summary>Hint: how do I find a fault in code that runs?</summary>
#
# Print the shape of everything in the loop, once. Which of them isn't what its name says?
#
# </details>


# %% role="given" grade_id="colleagues_regression"
def colleagues_regression(x, y, lr, steps):
    """Weight, bias and losses of a line fitted to ``x``, ``y``. Something is wrong."""
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        prediction = x @ weight + bias
        error = prediction - y
        losses.append(np.mean(error**2))
        dprediction = 2 * error / error.size
        weight = weight - lr * (x.T @ dprediction).sum(axis=1, keepdims=True)
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


from dlcourse.data.penguins import load_penguins
from dlcourse.data.splits import standardise

birds, species, provenance = load_penguins()
(flipper,) = standardise(birds[:, 2:3])
mass = birds[:, 3] / 1000  # in kilograms
weight, bias, losses = colleagues_regression(flipper, mass, lr=0.1, steps=100)
answers = (flipper @ weight + bias)[:, 0]
print(f"masses from {mass.min():.2f} to {mass.max():.2f} kg")
print(f"hers   from {answers.min():.2f} to {answers.max():.2f} kg, loss {losses[-1]:.3f}")


# %% role="solution" grade_id="mended_regression"
def mended_regression(x, y, lr, steps):
    """Weight (inputs, 1), bias and losses (steps,) of a line fitted to ``x``, ``y``."""
    ### BEGIN SOLUTION
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        prediction = x @ weight + bias
        error = prediction - y[:, None]  # both (samples, 1): else every bird meets every mass
        losses.append(np.mean(error**2))
        dprediction = 2 * error / error.size
        weight = weight - lr * (x.T @ dprediction).sum(axis=1, keepdims=True)
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)
    ### END SOLUTION


# %% role="check" grade_id="mended_regression"
check("mended_regression", mended_regression)

# %%
weight, bias, losses = mended_regression(flipper, mass, lr=0.1, steps=100)
answers = (flipper @ weight + bias)[:, 0]
print(f"yours  from {answers.min():.2f} to {answers.max():.2f} kg, loss {losses[-1]:.3f}")

# %% [markdown] role="question" grade_id="which_loss"
# ## Which loss for the parcels
#
# A parcel service wants to predict how many days a parcel takes. Most take one to four days; a
# few get lost and turn up after 60. One manager adds the forecasts of all parcels up, to plan the
# total of days in store. Another prints the forecast on the receipt, and wants half of the parcels
# to arrive sooner than that. Which loss would you train with for each of them, and why? Say what a
# lost parcel does to each loss, what the choice assumes, why the two losses' sizes can't be
# compared with each other, and how you would test your choice. Six to eight sentences. A person
# reads and marks your answer.

# %% [markdown] role="answer" grade_id="which_loss"
