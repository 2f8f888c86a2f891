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
# # Generalisation: exercises
#
# You write dropout, weight decay and early stopping, read from a learning curve what more data
# would bring, and mend a pipeline whose results are too good. Everything is NumPy, a few lines
# each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** A batch `x` has shape `(samples, features)`. Arrays of numbers are
# float64, and so are the arrays that you give back. Epochs count from 0. Give back new arrays, and
# leave those that you are handed as they are.

# %% [markdown] role="statement" grade_id="dropout"
# ## Dropout, forward and backward
#
# Write `dropout(x, dy, keep, p, training)`. `x` is what comes in, `dy` the gradient of the loss at
# the layer's output; both have the same shape. `keep` is a boolean array of that shape, `True`
# where an entry *stays*. `p` is the probability with which an entry *goes*, from 0 to 1.
#
# In training, what goes becomes 0 and what stays is divided by $1 - p$ (*inverted* dropout). The
# factor comes from `p`, not from how many happen to stay. In evaluation nothing is dropped and
# nothing is scaled, whatever the mask says. With `p = 1` all entries go, and the mask says so: `y`
# and `dx` are 0, without NaN.
#
# Return `y` and `dx`, the gradient with respect to `x`.
#
# For example, `x = [[1, 2]]`, `dy = [[3, 4]]`, `keep = [[True, False]]` and `p = 0.75` give in
# training `y = [[4, 0]]` and `dx = [[12, 0]]`, in evaluation `y = [[1, 2]]` and `dx = [[3, 4]]`.
#
# <details><summary>Hint: how do I find dx?</summary>
#
# For one mask, y is x times a number, entry by entry. What is the derivative of that?
#
# </details>


# %% role="solution" grade_id="dropout"
def dropout(x, dy, keep, p, training):
    """``y`` and ``dx``, both of the shape of ``x``."""
    ### BEGIN SOLUTION
    if not training:
        return x.copy(), dy.copy()
    if p == 1:
        return np.zeros_like(x), np.zeros_like(dy)
    factor = keep / (1 - p)
    return x * factor, dy * factor
    ### END SOLUTION


# %% role="check" grade_id="dropout"
check("dropout", dropout)

# %% [markdown] role="statement" grade_id="weight_decay_gradient"
# ## Weight decay: the penalty and its gradient
#
# To the loss a penalty is added,
#
# $$\frac{\lambda}{2} \sum_{\text{weights } w} w^2 ,$$
#
# over all entries of all weights of the network. Biases aren't in it. Mind the half, and that it is
# a sum, not a mean.
#
# Write `weight_decay_gradient(params, grads, lam)`. `params` and `grads` are dicts with equal keys,
# such as `"0.weight"` and `"0.bias"`: each name ends in `weight` (also where a weight has only one
# axis, as in a norm) or in `bias`. `grads` has the gradients of the loss without the penalty, `lam`
# is $\lambda \ge 0$. Return the penalty, a number, and a new dict with the gradients of loss and
# penalty together, of all parameters.
#
# For example, with `params = {"0.weight": [[3, 4]], "0.bias": [5]}`, `grads = {"0.weight": [[1,
# 0]], "0.bias": [2]}` (arrays, all of them) and `lam = 0.2` the penalty is 2.5 and the gradients
# are `{"0.weight": [[1.6, 0.8]], "0.bias": [2]}`.
#
# <details><summary>Hint: which parameters are weights?</summary>
#
# `name.endswith("weight")` says it.
#
# </details>


# %% role="solution" grade_id="weight_decay_gradient"
def weight_decay_gradient(params, grads, lam):
    """The penalty, and a dict with the gradients of loss plus penalty."""
    ### BEGIN SOLUTION
    penalty, new = 0.0, {}
    for name, param in params.items():
        decayed = name.endswith("weight")
        penalty += 0.5 * lam * np.sum(param**2) if decayed else 0.0
        new[name] = grads[name] + lam * param if decayed else grads[name].copy()
    return penalty, new
    ### END SOLUTION


# %% role="check" grade_id="weight_decay_gradient"
check("weight_decay_gradient", weight_decay_gradient)

# %% [markdown] role="statement" grade_id="early_stopping"
# ## Early stopping
#
# After every epoch the validation loss is measured. Training ends once `patience` epochs in a row
# have passed without an improvement, and the weights of the best epoch are kept. An improvement is
# a loss *strictly* smaller than all before, so of equal losses the first is kept. The first number
# is an improvement; NaN never is one, and an epoch with NaN counts like any other without
# improvement.
#
# Write `early_stopping(losses, patience)`. `losses` is the array of validation losses that the
# training would have if nobody stopped it, numbers or NaN; `patience` is at least 1. Return `kept`,
# the epoch whose weights are kept, and `stopped`, the last epoch that runs, both counted from 0. If
# training never stops by itself, it runs to the last epoch. If no epoch was an improvement, `kept`
# is `None`.
#
# For example, `losses = [0.8, 0.4, 0.6, 0.5, 0.1]` and `patience = 2` give `kept = 1` and
# `stopped = 3`.
#
# <details><summary>Hint: what do I have to remember from epoch to epoch?</summary>
#
# Three things: the smallest loss so far, its epoch, and how many epochs have passed since.
#
# </details>


# %% role="solution" grade_id="early_stopping"
def early_stopping(losses, patience):
    """The epoch that is kept (or None), and the last epoch that runs."""
    ### BEGIN SOLUTION
    kept, best, waited = None, np.inf, 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            kept, best, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            return kept, epoch
    return kept, len(losses) - 1
    ### END SOLUTION


# %% role="check" grade_id="early_stopping"
check("early_stopping", early_stopping)

# %% [markdown] role="statement" grade_id="learning_curve"
# ## What would more data bring?
#
# A network was trained on samples of several sizes, with several seeds each. `errors` has shape
# `(seeds, sizes)`: the validation error of each run, between 0 and 1 and never 0. `sizes` are the
# numbers of training examples, `target` a number that you can't pay for yet.
#
# Write `learning_curve(sizes, errors, target)`. There are at least two seeds and two sizes. Return
#
# - `mean`, the mean error at each size;
# - `spread`, its standard deviation over the seeds, dividing by their number *less 1*;
# - `forecast`, the error at `target` by a power law $a N^{b}$: a straight line by ordinary least
#   squares through the points $(\log N, \log \text{mean})$, each size counting the same.
#
# For example, `sizes = [100, 400]`, `errors = [[0.3, 0.1], [0.5, 0.3]]` and `target = 1600` give
# `mean = [0.4, 0.2]`, `spread = [0.1414, 0.1414]` to four digits, and `forecast = 0.1`: four times
# as many examples halve the error, and they do so again.
#
# <details><summary>Hint: a line by least squares?</summary>
#
# `np.polyfit(u, v, 1)` gives its slope and its offset. Mind what comes out: a logarithm.
#
# </details>


# %% role="solution" grade_id="learning_curve"
def learning_curve(sizes, errors, target):
    """Mean and spread (sizes,), and the error that a power law forecasts at ``target``."""
    ### BEGIN SOLUTION
    mean, spread = errors.mean(axis=0), errors.std(axis=0, ddof=1)
    slope, offset = np.polyfit(np.log(sizes), np.log(mean), 1)
    return mean, spread, np.exp(offset + slope * np.log(target))
    ### END SOLUTION


# %% role="check" grade_id="learning_curve"
check("learning_curve", learning_curve)

# %% [markdown] role="statement" grade_id="mended_pipeline"
# ## Find the leaks
#
# This function prepares data for a training. It runs, and results with it look splendid. There are
# three leaks in it: ways in which the training part learns of the validation part.
#
# ```python
# def mended_pipeline(x, labels, order, validation, mirror):
#     x = (x - x.mean(axis=0)) / x.std(axis=0)
#     x, labels = x[order], labels[order]
#     if mirror:
#         x = np.concatenate([x, x[:, ::-1]])
#         labels = np.concatenate([labels, labels])
#     return x[validation:], labels[validation:], x[:validation], labels[:validation]
# ```
#
# `x` has shape `(samples, features)`, `labels` a whole number for each. `order` is a permutation of
# the samples; `validation` says how many of them, from its beginning, are held back. With `mirror`,
# each row is added a second time with its features from back to front: a mirror image. It returns
# training rows, their labels, validation rows, their labels.
#
# Mend it so that
#
# 1. of rows that are equal in every feature only the first *in the shuffled order* is used at all
#    (equal rows have equal labels). `validation` counts the rows that are left;
# 2. mean and deviation (dividing by N) are those of the training rows; where you take them, before
#    or after mirroring, is up to you, the check takes both. No feature is constant among the
#    training rows;
# 3. mirror images are made of training rows only, and stand behind them in the same order.
#
# Each leak that you close earns its points by itself. In part 2 the check never mirrors.
#
# For example, for `x = [[1], [3], [1], [7]]`, `labels = [0, 1, 0, 1]`, `order = [2, 3, 0, 1]`,
# `validation = 1` and no mirroring, row 0 goes, for it equals row 2. Rows 3 and 1 are left to train
# on, with mean 5 and deviation 2. So the training rows are `[[1], [-1]]` with labels `[1, 1]`, and
# the validation row is `[[-2]]` with label `[0]`.
#
# <details><summary>Hint: first of equal rows, in order?</summary>
#
# `np.unique(x[order], axis=0, return_index=True)` says where each different row comes first, but it
# lists them by size. Sort those places.
#
# </details>


# %% role="solution" grade_id="mended_pipeline"
def mended_pipeline(x, labels, order, validation, mirror):
    """Training rows, their labels, validation rows, their labels."""
    ### BEGIN SOLUTION
    first = np.unique(x[order], axis=0, return_index=True)[1]
    order = order[np.sort(first)]
    held, train = order[:validation], order[validation:]
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
    x_train, y_train = x[train], labels[train]
    if mirror:
        x_train = np.concatenate([x_train, x_train[:, ::-1]])
        y_train = np.concatenate([y_train, y_train])
    return (x_train - mean) / deviation, y_train, (x[held] - mean) / deviation, labels[held]
    ### END SOLUTION


# %% role="check" grade_id="mended_pipeline"
check("mended_pipeline", mended_pipeline)

# %% [markdown] role="statement" grade_id="noise_forecast"
# ## Predict: who asks, and by which labels?
#
# Ten classes, equally frequent, so far apart that the nearest examples of any example are always of
# its own class. There are very many training examples, no two alike. Of their labels 30 % are
# wrong, drawn at random and independently: each wrong one is one of the nine other classes, all
# equally likely. Two learners:
#
# - *one*: an example gets the label of its single nearest training example. That is a perfect
#   memory;
# - *vote*: the label that most of its 101 nearest training examples have.
#
# What accuracy do you expect, in percent and to whole numbers?
#
# | key | learner | asked about | judged by |
# |:--|:--|:--|:--|
# | `one_train` | one | its training examples | the labels that it was given |
# | `one_train_truth` | one | its training examples | the true classes |
# | `one_fresh` | one | fresh examples | the true classes |
# | `one_fresh_noisy` | one | fresh examples | labels made wrong in the same way |
# | `vote_fresh` | vote | fresh examples | the true classes |
# | `vote_fresh_noisy` | vote | fresh examples | labels made wrong in the same way |
#
# Set `noise_forecast` to a dict from these keys to numbers from 0 to 100. A point each; the cell
# after the check tries it. For example, a learner that guesses at random would have 10 everywhere.
#
# <details><summary>Hint: two noisy labels?</summary>
#
# When do they agree? If both are right; and sometimes if both are wrong.
#
# </details>

# %% role="solution" grade_id="noise_forecast"
### BEGIN SOLUTION
noise_forecast = {
    "one_train": 100,
    "one_train_truth": 70,
    "one_fresh": 70,
    "one_fresh_noisy": 50,  # 0.7 * 0.7 + 0.3 * 0.3 / 9
    "vote_fresh": 100,
    "vote_fresh_noisy": 70,
}
### END SOLUTION

# %% role="check" grade_id="noise_forecast"
check("noise_forecast", noise_forecast)

# %%
# Classes are stretches of a line here, with gaps; neighbours are then places in a sorted list.
rng = np.random.default_rng(0)


def noisy(labels):
    wrong = rng.random(len(labels)) < 0.3
    return np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels)


def truth(x):
    return (x // 2).astype(int)


def draw(n):
    return 2 * rng.integers(0, 10, n) + rng.random(n)


x, fresh = np.sort(draw(20_000)), draw(20_000)
given, asked = noisy(truth(x)), noisy(truth(fresh))
place = np.clip(np.searchsorted(x, fresh), 1, len(x) - 1)
nearest = np.where(fresh - x[place - 1] < x[place] - fresh, place - 1, place)
one = given[nearest]
start = np.searchsorted(x, 2 * truth(fresh))  # where the class begins, and where it ends
end = np.searchsorted(x, 2 * truth(fresh) + 1)
window = np.clip(nearest - 50, start, end - 101)[:, None] + np.arange(101)
votes = np.array([np.bincount(row, minlength=10).argmax() for row in given[window]])
print("one_train       ", round(100 * np.mean(given[np.searchsorted(x, x)] == given), 1))
print("one_train_truth ", round(100 * np.mean(given == truth(x)), 1))
print("one_fresh       ", round(100 * np.mean(one == truth(fresh)), 1))
print("one_fresh_noisy ", round(100 * np.mean(one == asked), 1))
print("vote_fresh      ", round(100 * np.mean(votes == truth(fresh)), 1))
print("vote_fresh_noisy", round(100 * np.mean(votes == asked), 1))

# %% [markdown] role="statement" grade_id="expected_dropout_loss"
# ## On paper: what dropout asks for on average
#
# A linear unit without a bias predicts from inputs of which some are dropped:
#
# $$\hat y_n = \sum_j w_j\, x_{nj}\, \frac{m_{nj}}{1 - p}, \qquad
# L = \frac{1}{2N} \sum_n (\hat y_n - t_n)^2 .$$
#
# Each $m_{nj}$ is 0 with probability $p$ and else 1, independently of all others. So $L$ is random.
# Derive its expected value over all masks: a square of mean numbers, and a penalty that you will
# find familiar.
#
# Write `expected_dropout_loss(x, target, weight, p)` for `x` of shape `(samples, features)`,
# `target` of shape `(samples,)`, `weight` of shape `(features,)` and $0 \le p < 1$. Return the
# expected value of $L$, exactly, without drawing anything.
#
# For example, `x = [[1]]`, `target = [1]`, `weight = [1]` and `p = 0.5`: the prediction is 2 or 0,
# each with probability 0.5, and the loss is 0.5 either way. So the answer is 0.5.
#
# <details><summary>Hint: the mean of a square?</summary>
#
# It is the square of the mean plus the variance, and variances of independent numbers add. What is
# the variance of $m / (1 - p)$?
#
# </details>
#
# <details><summary>Hint: how do I test it?</summary>
#
# With two features there are four masks. Write them down with their probabilities.
#
# </details>


# %% role="solution" grade_id="expected_dropout_loss"
def expected_dropout_loss(x, target, weight, p):
    """The mean over all masks of half the mean squared error."""
    ### BEGIN SOLUTION
    error = x @ weight - target
    return 0.5 * np.mean(error**2 + p / (1 - p) * (x**2 @ weight**2))
    ### END SOLUTION


# %% role="check" grade_id="expected_dropout_loss"
check("expected_dropout_loss", expected_dropout_loss)

# %% [markdown] role="question" grade_id="too_good_to_be_true"
# ## Ninety-nine per cent
#
# A team trains a network to find a disease on microscope images: 400 patients, about ten images of
# each. They add three rotated copies of every image, shuffle all of them, take 80 % for training
# and 20 % for validation, train for 200 epochs and report the best validation accuracy that any
# epoch had, 99 %. In another hospital it is 71 %. Their plan: stronger dropout and weight decay,
# and more images of the same patients. What is wrong with the 99 %, how would you measure instead,
# which experiment would show that you are right, and what will their plan do? Six to eight
# sentences. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="too_good_to_be_true"
