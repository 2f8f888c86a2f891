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
# # Introduction: exercises
#
# Your first sheet. You think in shapes, turn a loop into arrays, hold data back, count who is taken
# for whom, and find out why a colleague's results are too good. Everything is NumPy, a few lines
# each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** Samples come first: a batch `x` of images, flattened, has shape
# `(samples, pixels)`. Classes are integers from 0. Of equals the first wins. Give back new arrays,
# and leave those that you are handed as they are. Nothing but NumPy is needed.

# %% [markdown] role="statement" grade_id="shapes_forecast"
# ## Predict: shapes
#
# Before arrays can replace loops, one habit: say the shape of every result before you run it. Take
#
# - `images`, 600 handwritten digits of 28 by 28 pixels: shape `(600, 28, 28)`;
# - `labels`, which digit each of them is: shape `(600,)`; every digit comes equally often;
# - `weight`, of shape `(10, 784)`.
#
# Which shapes have
#
# | key | expression |
# |:--|:--|
# | `flat` | `images.reshape(600, -1)` |
# | `average` | `images.mean(axis=0)` |
# | `threes` | `images[labels == 3]` |
# | `ink` | `images.sum(axis=(1, 2))` |
# | `scores` | `images.reshape(600, -1) @ weight.T` |
#
# Set `shapes_forecast` to a dict from these keys to tuples, a point each. The cell after the check
# shows it. For example, `labels[:5]` would have the shape `(5,)`, written with the comma.
#
# <details><summary>Hint: what does an axis do?</summary>
#
# `sum(axis=k)` adds up along axis k, and that axis is gone. The others stay, in their order.
#
# </details>
#
# <details><summary>Hint: what does labels == 3 give?</summary>
#
# 600 times True or False. As an index it keeps the images where it says True.
#
# </details>

# %% role="solution" grade_id="shapes_forecast"
### BEGIN SOLUTION
shapes_forecast = {
    "flat": (600, 784),
    "average": (28, 28),
    "threes": (60, 28, 28),  # a tenth of them
    "ink": (600,),
    "scores": (600, 10),
}
### END SOLUTION

# %% role="check" grade_id="shapes_forecast"
check("shapes_forecast", shapes_forecast)

# %%
from dlcourse.data.mnist import load_mnist5k

every_image, every_label, provenance = load_mnist5k()
some = np.concatenate([np.flatnonzero(every_label == digit)[:60] for digit in range(10)])
images, labels = every_image[some], every_label[some]
for expression in (
    "images.reshape(600, -1)",
    "images.mean(axis=0)",
    "images[labels == 3]",
    "images.sum(axis=(1, 2))",
    "images.reshape(600, -1) @ np.zeros((10, 784)).T",
):
    print(f"{expression:48} {eval(expression).shape}")

# %% [markdown] role="statement" grade_id="vectorise"
# ## From a loop to arrays
#
# The simplest classifier that learns: remember the average image of every class, and give a new
# image the class whose average is nearest. Written as loops:
#
# ```python
# for i in range(len(x)):
#     for k in range(len(means)):
#         for j in range(x.shape[1]):
#             distance[i, k] += (x[i, j] - means[k, j]) ** 2
# ```
#
# Write `vectorise(x, means)`, without a loop over images or pixels. `x` has shape
# `(samples, pixels)`, floats or bytes (`uint8`, as images are stored); `means`, float64, has shape
# `(classes, pixels)`. Return
#
# - `distance`, float64, of shape `(samples, classes)`: the sum of *squared* differences, no root;
# - `nearest`, integers of shape `(samples,)`: the class with the smallest distance, and of equals
#   the first.
#
# For example, `x = [[3, 4], [0, 0]]` and `means = [[0, 0], [6, 8]]` give `distance = [[25, 25],
# [0, 100]]` and `nearest = [0, 0]`.
#
# The check looks at what comes out. The cell below it looks at the time.
#
# <details><summary>Hint: which shape should the differences have?</summary>
#
# One number for each image, class and pixel: three axes. `x[:, None, :]` has shape
# `(samples, 1, pixels)`. With which shape of `means` does it broadcast to three?
#
# </details>
#
# <details><summary>Hint: bytes</summary>
#
# `np.uint8(200) * 2` isn't 400. Before bytes meet each other in arithmetic, make floats of them.
#
# </details>


# %% role="solution" grade_id="vectorise"
def vectorise(x, means):
    """``distance`` (samples, classes), squared, and ``nearest`` (samples,), the class."""
    ### BEGIN SOLUTION
    difference = x[:, None, :] - means[None, :, :]  # (samples, classes, pixels)
    distance = (difference**2).sum(axis=2)
    return distance, distance.argmin(axis=1)
    ### END SOLUTION


# %% role="check" grade_id="vectorise"
check("vectorise", vectorise)

# %% [markdown]
# On real digits: 500 images, the averages of the others, and the time beside that of loops, for
# which 5 images are enough.

# %%
import time

flat = every_image.reshape(5000, -1)
means = np.array([flat[500:][every_label[500:] == k].mean(axis=0) for k in range(10)])

start = time.perf_counter()
distance, nearest = vectorise(flat[:500], means)
arrays = (time.perf_counter() - start) / 500

start = time.perf_counter()
for image in flat[:5]:
    for mean in means:
        sum((float(image[j]) - mean[j]) ** 2 for j in range(784))
loops = (time.perf_counter() - start) / 5
print(f"right: {np.mean(nearest == every_label[:500]):.1%}")
print(f"an image takes {1e6 * arrays:.0f} µs with arrays, {1e6 * loops:.0f} µs with loops")

# %% [markdown] role="statement" grade_id="train_test_split"
# ## Hold some back
#
# How good a classifier is, only images say that it has never seen. So data are cut in two before
# anything else happens. Write `train_test_split(x, labels, order, test)`:
#
# - `order` names the samples one after the other in the order they should have, as
#   `rng.permutation(n)` draws it: `order[0]` is the sample that comes first;
# - the first `test` of them are the test part, the others the training part, both in that order;
# - return `x_train, y_train, x_test, y_test`, four arrays, in this order.
#
# No sample may be in both parts, and none may be lost. So raise a `ValueError` where `order`
# doesn't name every sample from 0 to `len(x) - 1` exactly once, and where `labels` and `x` differ
# in length. `test` is from 1 to one less than there are samples. Nothing is stratified: the order
# decides alone.
#
# For example, `x = [[5], [6], [7]]`, `labels = [0, 1, 1]`, `order = [2, 0, 1]` and `test = 1` give
# `x_train = [[5], [6]]`, `y_train = [0, 1]`, `x_test = [[7]]`, `y_test = [1]`.
#
# <details><summary>Hint: how do I take several rows at once?</summary>
#
# An array of integers is an index: `x[order[:3]]` are three rows.
#
# </details>
#
# <details><summary>Hint: how do I know that an order names each sample once?</summary>
#
# What is left of it when it is sorted?
#
# </details>


# %% role="solution" grade_id="train_test_split"
def train_test_split(x, labels, order, test):
    """``x_train, y_train, x_test, y_test``; ValueError if a sample would be lost or come twice."""
    ### BEGIN SOLUTION
    if len(labels) != len(x) or not np.array_equal(np.sort(order), np.arange(len(x))):
        raise ValueError("order must name every sample once, and every sample needs its label")
    held, train = order[:test], order[test:]
    return x[train], labels[train], x[held], labels[held]
    ### END SOLUTION


# %% role="check" grade_id="train_test_split"
check("train_test_split", train_test_split)

# %% [markdown] role="statement" grade_id="confusion_and_accuracy"
# ## Who is taken for whom
#
# One number says how often a classifier is right; a table says how it errs. Write
# `confusion_and_accuracy(labels, predicted, classes)`, where `labels` and `predicted` are integers
# of shape `(samples,)`, at least one, from 0 to `classes - 1`. Return
#
# - `confusion`, integers of shape `(classes, classes)`: entry `[t, p]` counts the samples of true
#   class `t` that were taken for `p`. *Rows are the true classes*, columns the predictions. A class
#   that never comes has a row and a column of zeros;
# - `accuracy`, the share of all samples that are right, from 0 to 1.
#
# For example, `labels = [0, 0, 1]`, `predicted = [0, 1, 1]` and `classes = 3` give `confusion =
# [[1, 1, 0], [0, 1, 0], [0, 0, 0]]` and `accuracy = 2/3`.
#
# <details><summary>Hint: my entries are never above 1</summary>
#
# `confusion[labels, predicted] += 1` takes all the old entries, adds 1, and writes them back. A
# place that comes twice is written twice with the same number. `np.add.at` adds one after the
# other; a loop does, too.
#
# </details>


# %% role="solution" grade_id="confusion_and_accuracy"
def confusion_and_accuracy(labels, predicted, classes):
    """``confusion`` (classes, classes), rows are true, and ``accuracy``, a number from 0 to 1."""
    ### BEGIN SOLUTION
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion, np.mean(labels == predicted)
    ### END SOLUTION


# %% role="check" grade_id="confusion_and_accuracy"
check("confusion_and_accuracy", confusion_and_accuracy)

# %% [markdown]
# Your three functions together: average images of the training part, judged on the test part. Which
# digit is taken for which most often? Have a guess before you run it.

# %%
order = np.random.default_rng(0).permutation(5000)
x_train, y_train, x_test, y_test = train_test_split(flat, every_label, order, 1000)
means = np.array([x_train[y_train == k].mean(axis=0) for k in range(10)])
confusion, accuracy = confusion_and_accuracy(y_test, vectorise(x_test, means)[1], 10)
print(f"accuracy {accuracy:.1%}")
print(confusion)
errors = confusion - np.diag(np.diag(confusion))
true, said = np.unravel_index(errors.argmax(), errors.shape)
print(f"most often: a {true} taken for a {said}, {errors.max()} times")

# %% [markdown] role="statement" grade_id="mended_selection"
# ## Find the leak
#
# A colleague has few images and many pixels, so she keeps only the `k` pixels that differ most
# between her two classes. Then she gives each image the class whose average is nearest. Her results
# are splendid. They are splendid even where there is nothing to learn: the cell below shuffles the
# labels, so that they say nothing about the images, and she still gets far more than half right.
#
# There is one fault in it. Find it, and write the mended function as `mended_selection(x, labels,
# train, k)`, with the same arguments:
#
# - `x`, float64, of shape `(samples, pixels)`, `labels` of 0 and 1, `train` an array of True (to
#   train with) and False (to test with), with both classes on either side;
# - return `chosen`, the numbers of the pixels that should have been kept, ascending, and
#   `accuracy`, the share of the *test* rows that are right.
#
# Of pixels that differ equally the one with the smaller number is kept; at equal distance the class
# is 0, as in her code.
#
# For example, `x = [[0, 5], [4, 5], [0, 0], [3, 9]]`, `labels = [0, 1, 0, 1]`, `train = [True,
# True, False, False]` and `k = 1` should give `chosen = [0]` and `accuracy = 1.0`.
#
# <details><summary>Hint: where do I look?</summary>
#
# Imagine that the test images come in tomorrow. Which line can she not run today?
#
# </details>


# %% role="given" grade_id="colleagues_selection"
def colleagues_selection(x, labels, train, k):
    """Pixels kept (k,) and accuracy on the rows that weren't trained with. Something is wrong."""
    gap = np.abs(x[labels == 1].mean(axis=0) - x[labels == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    x, x_train, y_train = x[:, chosen], x[train][:, chosen], labels[train]
    means = np.array([x_train[y_train == c].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, :] - means) ** 2).sum(axis=2)
    right = distance.argmin(axis=1) == labels
    return chosen, right[~train].mean()


threes_and_eights = np.flatnonzero((every_label == 3) | (every_label == 8))[:60]
few = flat[threes_and_eights] / 255
rng = np.random.default_rng(0)
nonsense = [rng.permutation(np.arange(60) % 2) for _ in range(200)]  # labels that mean nothing
half = np.arange(60) < 30
hers = [colleagues_selection(few, coin, half, k=20)[1] for coin in nonsense]
print(f"right by chance: 50 %. Hers, on average: {np.mean(hers):.0%}")


# %% role="solution" grade_id="mended_selection"
def mended_selection(x, labels, train, k):
    """Pixels kept (k,), ascending, and accuracy on the rows that weren't trained with."""
    ### BEGIN SOLUTION
    x_train, y_train = x[train], labels[train]  # cut first
    gap = np.abs(x_train[y_train == 1].mean(axis=0) - x_train[y_train == 0].mean(axis=0))
    chosen = np.sort(np.argsort(-gap, kind="stable")[:k])
    x, x_train = x[:, chosen], x_train[:, chosen]
    means = np.array([x_train[y_train == c].mean(axis=0) for c in (0, 1)])
    distance = ((x[:, None, :] - means) ** 2).sum(axis=2)
    right = distance.argmin(axis=1) == labels
    return chosen, right[~train].mean()
    ### END SOLUTION


# %% role="check" grade_id="mended_selection"
check("mended_selection", mended_selection)

# %%
mine = [mended_selection(few, coin, half, k=20)[1] for coin in nonsense]
print(f"labels without meaning: hers {np.mean(hers):.0%}, mended {np.mean(mine):.0%}")
eights = (every_label[threes_and_eights] == 8).astype(int)
print(f"threes and eights in earnest, mended: {mended_selection(few, eights, half, k=20)[1]:.0%}")

# %% [markdown] role="question" grade_id="which_method"
# ## Which would you try first?
#
# Two people ask you for help. A small bank has 800 customers in a table of 12 columns (age, income,
# …) and wants to know who will pay back a loan; whoever is refused may ask why. A botanic garden
# has 60,000 photographs of leaves, each with the name of its tree, and wants an app that names
# trees.
#
# For each, say in two or three sentences what you would try first and why, how you would find out
# whether it is any good, and one thing that would change your mind. A person reads and marks your
# answer.

# %% [markdown] role="answer" grade_id="which_method"
