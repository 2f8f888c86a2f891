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
# # A study of your own: exercises
#
# First an interval, a number of splits, and six results to be judged. Then the thing itself: your
# question, your data, a baseline, a model, an evaluation that could have come out otherwise, and a
# report that somebody can believe, doubt and repeat.
#
# **How it works.** The first three exercises are checked as on every sheet. Of your study the check
# looks at the form: whether all that a study needs is there, and whether your interval follows from
# your scores. A person reads your plan and your report, and marks them by the points that stand
# with the questions. A study that ends with "no", or with "I can't tell", earns as much as any.
#
# **Conventions of this sheet.** A difference is the second's score minus the first's, the model's
# minus the baseline's. A standard deviation divides by one less than the number of splits. Scores
# are one number a split, of the same splits for both.
#
# **When it is graded** the whole notebook is run again, on one processor without a network: keep
# each cell below 60 seconds and all of them below ten minutes. NumPy, PyTorch, scikit-learn and the
# course's data are there. Put in as many cells of your own as you like.

# %% [markdown] role="statement" grade_id="corrected_interval"
# ## An interval that knows of the splits
#
# Two methods were scored on the test parts of the same $k$ random splits of one data set. With
# $d_j$ the second's score minus the first's on split $j$, $\bar d$ their mean and $s$ their
# standard deviation, the corrected interval is
#
# $$\bar d \;\pm\; t\, s\, \sqrt{\frac{1}{k} + \frac{\text{test size}}{\text{train size}}}.$$
#
# Write `corrected_interval(first, second, train_size, test_size, t)` with scores of shape `(k,)`.
# Return three numbers: the mean, the low end and the high end.
#
# For example, `first = [0, 0, 0]`, `second = [1, 2, 3]`, 30 to train on, 20 to test on and `t = 2`
# give 2, 0 and 4: the deviation is 1, and so is the root of 1/3 + 2/3.
#
# <details><summary>Hint: which deviation?</summary>
#
# Of the differences, and with the `ddof` that the conventions name. What both methods found easy or
# hard about a split is gone then.
#
# </details>


# %% role="solution" grade_id="corrected_interval"
def corrected_interval(first, second, train_size, test_size, t):
    """Mean, low and high of ``second - first`` over splits that share their items."""
    ### BEGIN SOLUTION
    differences = second - first
    mean = differences.mean()
    spread = differences.std(ddof=1) * np.sqrt(1 / len(differences) + test_size / train_size)
    return mean, mean - t * spread, mean + t * spread
    ### END SOLUTION


# %% role="check" grade_id="corrected_interval"
check("corrected_interval", corrected_interval)

# %% [markdown] role="statement" grade_id="splits_needed"
# ## How many splits are enough?
#
# Splits cost computing time, so you want to know beforehand. Say that the differences will have a
# standard deviation of `sd`, and take a fixed `z` in place of $t$. From the interval above, derive
# on paper the smallest number of splits with which the half width, $z\, s\, \sqrt{1/k + r}$ with
# $r$ the test size over the train size, is at most `half_width`.
#
# Write `splits_needed(sd, half_width, train_size, test_size, z)`. Return two numbers: `splits`, a
# whole number, or 0 where no number of splits is enough; and `floor`, the half width that is left
# with ever more splits.
#
# For example, `sd = 1`, `half_width = 2`, 400 to train on, 300 to test on and `z = 2` need 4
# splits, and the floor is 1.732, $\sqrt 3$.
#
# <details><summary>Hint: where do I begin?</summary>
#
# Write "half width at most ..." as an inequality, square it, and leave $1/k$ alone on one side.
# What does it mean if the other side is not positive?
#
# </details>


# %% role="solution" grade_id="splits_needed"
def splits_needed(sd, half_width, train_size, test_size, z):
    """The smallest number of splits for a half width, or 0; and the width that stays."""
    ### BEGIN SOLUTION
    ratio = test_size / train_size
    left = (half_width / (z * sd)) ** 2 - ratio  # what 1 / k may be at most
    return (int(np.ceil(1 / left)) if left > 0 else 0), z * sd * np.sqrt(ratio)
    ### END SOLUTION


# %% role="check" grade_id="splits_needed"
check("splits_needed", splits_needed)

# %% [markdown] role="statement" grade_id="what_it_shows"
# ## What does it show?
#
# Seven results: the network's accuracy minus the baseline's in points, with the corrected interval
# at 95 % over ten splits. Both saw the same splits, and had the same number of tries at their
# settings, judged on validation parts, unless it says otherwise.
#
# - **a** +1.2 [0.3, 2.1].
# - **b** +0.4 [-0.2, 1.0].
# - **c** +2.0 [1.2, 2.8]. Thirty networks were tried; this is the one with the highest accuracy on
#   the test parts.
# - **d** +0.0 [-6.1, 6.1]. The report says: "as good as the baseline".
# - **e** +1.6 [0.9, 2.3]. The network had forty tries at its settings, the baseline ran with its
#   defaults.
# - **f** A study compared twenty networks with the baseline, as planned and each fairly, and
#   reports all of them: nineteen intervals hold 0, the twentieth is +0.5 [0.1, 0.9]. Is that one
#   better?
# - **g** +0.1 [-0.1, 0.3]. Before the run the authors had written down that half a point would
#   matter to them.
#
# Set `what_it_shows` to a dict with the keys `a` to `g`. The words are `"better"`,
# `"equal"` where every difference that could matter is ruled out, `"can't tell"`, and `"unfair"`
# where the comparison itself is, so that its interval is of no use. A word may be needed more than
# once, or not at all.
#
# <details><summary>Hint: when is a comparison unfair?</summary>
#
# When one side could do something that the other couldn't: look at the test part, or try more
# often.
#
# </details>

# %% role="solution" grade_id="what_it_shows"
### BEGIN SOLUTION
what_it_shows = {
    "a": "better",
    "b": "can't tell",
    "c": "unfair",
    "d": "can't tell",
    "e": "unfair",
    "f": "can't tell",
    "g": "equal",
}
### END SOLUTION

# %% role="check" grade_id="what_it_shows"
check("what_it_shows", what_it_shows)

# %% [markdown] role="question" grade_id="study_plan"
# ## Your plan, before the first run
#
# Choose data: a loader of `dlcourse.data`, or some of your own that you may use. Then write, in ten
# sentences or so, and before you train anything: the question, and what "no" would look like; where
# the data are from and whose they are; the baseline, and how much effort it gets; the split, the
# settings that you will try, how many splits; which difference would matter, and what you will say
# if the interval holds 0. A person reads and marks it: 1 point for the question, 1 for the data, 2
# for the baseline, 1 for what is fixed beforehand, 1 for the difference that matters.

# %% [markdown] role="answer" grade_id="study_plan"

# %% [markdown] role="statement" grade_id="study"
# ## Your study, in numbers
#
# Now run it, in as many cells as you like above the next one. Then set `study` to a dict:
#
# - `question`: one sentence, with its question mark; `data`: which, of whom, how many, in one;
# - `train_size` and `test_size`: how many items a split has of each;
# - `baseline` and `model`: their scores, one for each of 5, 10, 15 or 20 splits;
# - `interval`: low and high of your corrected interval, model minus baseline, with $t$ = 2.7764 for
#   5 splits, 2.2622 for 10, 2.1448 for 15 and 2.0930 for 20;
# - `parameters` of the model, and `seconds` to train it once;
# - `limits`: a list of at least three sentences on what doesn't follow.
#
# Use numbers of this notebook's own run, not typed ones. The check sees whether all of it is there
# and fits together. Whether it is a good study, a person sees.
#
# <details><summary>Hint: what is a score?</summary>
#
# Whatever fits your question: accuracy, a mean error, bits per character. It need not be such that
# more is better; say in the report which way it goes.
#
# </details>
#
# <details><summary>Hint: where do the settings get chosen?</summary>
#
# On a validation part, taken from each split's training items. Count it with what you train on.
#
# </details>

# %% role="solution" grade_id="study"
### BEGIN SOLUTION
from time import perf_counter

from dlcourse.data.ames import load_ames

area, price, neighbourhood, sale, _ = load_ames()
usual = sale == "Normal"
target = np.log(price[usual])
names = np.unique(neighbourhood)
inputs = np.column_stack([np.log(area[usual]), neighbourhood[usual][:, None] == names])
train_size, test_size = 1800, usual.sum() - 1800


def line(x, y):
    """Ridge regression, with a penalty of 1, which no run has tried to better."""
    centre, level = x.mean(axis=0), y.mean()
    weight = np.linalg.solve(
        (x - centre).T @ (x - centre) + np.eye(x.shape[1]), (x - centre).T @ (y - level)
    )
    return lambda new: level + (new - centre) @ weight


def network(x, y, seed):
    """One hidden layer of 32 units, 15 epochs of Adam at its usual rate."""
    torch.manual_seed(seed)
    centre, level = x.mean(axis=0), y.mean()
    net = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], 32), torch.nn.ReLU(), torch.nn.Linear(32, 1)
    )
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    x, y = (
        torch.tensor(x - centre, dtype=torch.float32),
        torch.tensor(y - level, dtype=torch.float32),
    )
    for _ in range(15):
        for batch in torch.randperm(len(x)).split(64):
            adam.zero_grad()
            torch.nn.functional.mse_loss(net(x[batch])[:, 0], y[batch]).backward()
            adam.step()

    def predict(new):
        with torch.no_grad():
            return level + net(torch.tensor(new - centre, dtype=torch.float32))[:, 0].numpy()

    return predict


errors = []
for seed in range(5):
    order = np.random.default_rng(seed).permutation(len(target))
    train, test = order[:train_size], order[train_size:]
    start = perf_counter()
    learned = network(inputs[train], target[train], seed)
    seconds = perf_counter() - start
    both = line(inputs[train], target[train]), learned
    errors.append([np.abs(predict(inputs[test]) - target[test]).mean() for predict in both])
of_line, of_network = np.array(errors).T
mean, low, high = corrected_interval(of_line, of_network, train_size, test_size, t=2.7764)
print(f"errors {of_line.mean():.3f} and {of_network.mean():.3f}: {low:.4f} to {high:.4f} apart")

study = {
    "question": "Does a network predict house prices with a smaller error than a line does?",
    "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
    "train_size": train_size,
    "test_size": test_size,
    "baseline": of_line,
    "model": of_network,
    "interval": [low, high],
    "parameters": 32 * inputs.shape[1] + 32 + 32 + 1,
    "seconds": seconds,
    "limits": [
        "One town and five years: nothing follows for other towns or for today.",
        "Area and neighbourhood only; the condition of a house isn't among them.",
        "Settings were the usual ones for both: nothing is said about the best of each.",
    ],
}
### END SOLUTION

# %% role="check" grade_id="study"
check("study", study)

# %% [markdown] role="question" grade_id="study_report"
# ## Your report
#
# One page, for somebody who has to decide something by it and has five minutes. A person marks it:
#
# - 2 points: the answer in the first two sentences, with its interval in a unit that a reader
#   understands, and "can't be told apart" where it is so;
# - 2 points: a table or figure of baseline and model with their spread;
# - 2 points: what you tried and left out, and where you departed from your plan;
# - 2 points: a failure that you looked at, with a guess that could be tested, named as a guess;
# - 1 point: what it costs, and whether it is worth it;
# - 2 points: what doesn't follow, and who could be harmed by somebody who thinks it does;
# - 1 point: how to repeat it.

# %% [markdown] role="answer" grade_id="study_report"
