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
# # Fairness: exercises
#
# You measure how far a rule's decisions lie apart between groups, by three definitions; derive why
# they can't all hold; weigh a training set anew; predict what a learner does that isn't told the
# group; and argue a case. Everything is NumPy, a few lines each. Read the chapter first, or keep it
# open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** `labels`, `decisions` and `group` have one entry for each person.
# Labels and decisions are whole numbers, 1 for what the person hopes for, else 0. `group` holds
# whole numbers or strings of any kind, two groups or more; where an answer has one entry for each
# group, the groups stand in sorted order, as `np.unique` gives them. A *gap* is the largest rate
# less the smallest, so it is never negative. Leave the arrays that you are handed as they are.

# %% [markdown] role="statement" grade_id="demographic_parity_gap"
# ## Demographic parity: difference and ratio
#
# Write `demographic_parity_gap(decisions, group)`. The rate of a group is the share of its people
# who got decision 1. Return two numbers: the gap between the groups' rates, and the ratio of the
# smallest rate to the largest. If nobody at all got decision 1, the ratio is 1.
#
# For example, `decisions = [1, 1, 1, 0, 1, 0, 0, 0]` and `group = [2, 2, 2, 2, 5, 5, 5, 5]` give
# rates of 0.75 and 0.25, so a gap of 0.5 and a ratio of 0.3333 to four digits.
#
# <details><summary>Hint: how do I get at one group?</summary>
#
# `decisions[group == g]` are the decisions of the people of group `g`.
#
# </details>


# %% role="solution" grade_id="demographic_parity_gap"
def demographic_parity_gap(decisions, group):
    """The gap between the groups' rates, and the smallest rate divided by the largest."""
    ### BEGIN SOLUTION
    rates = [decisions[group == g].mean() for g in np.unique(group)]
    ratio = min(rates) / max(rates) if max(rates) > 0 else 1.0
    return max(rates) - min(rates), ratio
    ### END SOLUTION


# %% role="check" grade_id="demographic_parity_gap"
check("demographic_parity_gap", demographic_parity_gap)

# %% [markdown] role="statement" grade_id="equalized_odds_gap"
# ## Equalized odds, with groups that have nobody to count
#
# Write `equalized_odds_gap(labels, decisions, group)`. The true positive rate of a group is the
# share of its people *of label 1* who got decision 1; the false positive rate, the share of its
# people *of label 0* who got decision 1. Return three numbers: the gap between the groups' true
# positive rates, the gap between their false positive rates, and the larger of the two.
#
# A group without anybody of label 1 has no true positive rate, and is left out of that gap; so it
# is with label 0 and the other gap. A gap needs two rates: with fewer it is NaN. The third number
# is the larger of the gaps that are numbers, and NaN only if both are NaN.
#
# For example, `labels = [1, 1, 0, 1, 0, 0]`, `decisions = [1, 0, 1, 1, 0, 1]` and
# `group = [3, 3, 3, 7, 7, 7]` give true positive rates of 0.5 and 1, false positive rates of 1 and
# 0.5, so gaps of 0.5 and 0.5, and the larger is 0.5. Without the fourth person group 7 has nobody
# of label 1, and the answer is NaN, 0.5 and 0.5.
#
# <details><summary>Hint: who is counted?</summary>
#
# `(group == g) & (labels == 1)`; if it has no `True`, there is no rate.
#
# </details>


# %% role="solution" grade_id="equalized_odds_gap"
def equalized_odds_gap(labels, decisions, group):
    """The gaps among people of label 1 and of label 0, and the larger of them."""
    ### BEGIN SOLUTION
    gaps = []
    for label in (1, 0):
        rates = []
        for g in np.unique(group):
            own = (group == g) & (labels == label)
            if own.any():
                rates.append(decisions[own].mean())
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    known = [gap for gap in gaps if not np.isnan(gap)]
    return gaps[0], gaps[1], max(known) if known else np.nan
    ### END SOLUTION


# %% role="check" grade_id="equalized_odds_gap"
check("equalized_odds_gap", equalized_odds_gap)

# %% [markdown] role="statement" grade_id="calibration_by_group"
# ## Calibration, group by group
#
# Write `calibration_by_group(scores, labels, group, bins)`. `scores` are floats from 0 to 1. Divide
# that range into `bins` parts of equal width, counted from 0: a score s belongs to bin
# $\lfloor s \cdot \text{bins} \rfloor$, so a score on an edge to the bin above it, and a score of
# exactly 1 to the last bin. Return four arrays:
#
# - `counts`, of shape `(groups, bins)`, whole numbers: how many people of each group are in each
#   bin;
# - `mean_score`, of the same shape: their mean score, NaN where nobody is;
# - `rate`, of the same shape: the share of them with label 1, NaN where nobody is;
# - `error`, of shape `(groups,)`: for each group the mean of $|\text{mean score} - \text{rate}|$
#   over its bins, each bin counting by the share of *the group's* people in it. Bins without
#   anybody count nothing.
#
# For example, one group with `scores = [0.25, 0.5, 1.0]`, `labels = [1, 0, 1]` and two bins gives
# `counts = [[1, 2]]`, `mean_score = [[0.25, 0.75]]`, `rate = [[1, 0.5]]` and
# `error = [(0.75 + 2 * 0.25) / 3]`, which is 0.4167 to four digits.
#
# <details><summary>Hint: the score of exactly 1?</summary>
#
# Its product with `bins` is `bins`, one more than the last bin's number. `np.minimum` brings it
# back.
#
# </details>


# %% role="solution" grade_id="calibration_by_group"
def calibration_by_group(scores, labels, group, bins):
    """Counts, mean scores and rates (groups, bins), and the error of each group."""
    ### BEGIN SOLUTION
    names = np.unique(group)
    shape = len(names), bins
    counts = np.zeros(shape, int)
    mean_score, rate, error = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(len(names))
    place = np.minimum((scores * bins).astype(int), bins - 1)
    for i, g in enumerate(names):
        for b in range(bins):
            own = (group == g) & (place == b)
            counts[i, b] = own.sum()
            if own.any():
                mean_score[i, b], rate[i, b] = scores[own].mean(), labels[own].mean()
                gap = abs(mean_score[i, b] - rate[i, b])
                error[i] += gap * own.sum() / np.sum(group == g)
    return counts, mean_score, rate, error
    ### END SOLUTION


# %% role="check" grade_id="calibration_by_group"
check("calibration_by_group", calibration_by_group)

# %% [markdown] role="statement" grade_id="forced_false_positives"
# ## On paper: three rates that don't get on
#
# Two groups differ in prevalence p, the share of their people with label 1. Somebody wants a rule
# that has, in every group, the same true positive rate (TPR: of the people of label 1, the share
# that got decision 1) and the same positive predictive value (PPV: of the people who got decision
# 1, the share with label 1). What false positive rate (FPR: of the people of label 0, the share
# that got decision 1) must each group then have? Derive it: it depends on p, PPV and TPR, and on
# nothing else.
#
# Write `forced_false_positives(prevalence, ppv, tpr)` for an array `prevalence` of shape
# `(groups,)`, each strictly between 0 and 1, and two numbers, $0 < \text{PPV} \le 1$ and
# $0 \le \text{TPR} \le 1$. Return
#
# - an array of shape `(groups,)` with the FPR of each group, and NaN for a group of which it would
#   have to exceed 1: there no such rule exists;
# - the gap between the groups that have one, and NaN if fewer than two have.
#
# For example, `prevalence = [0.5, 0.2]`, `ppv = 0.8` and `tpr = 0.6` give `[0.15, 0.0375]` and a
# gap of 0.1125.
#
# When is the gap 0? If the prevalences are equal; or if every positive decision is right. Else one
# of the three has to give.
#
# <details><summary>Hint: where do I begin?</summary>
#
# Take 100 people of one group. How many of them are true positives? By PPV, how many false ones
# come with them? And of how many people are those a share?
#
# </details>


# %% role="solution" grade_id="forced_false_positives"
def forced_false_positives(prevalence, ppv, tpr):
    """The false positive rate of each group (NaN where there is none), and their gap."""
    ### BEGIN SOLUTION
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan
    ### END SOLUTION


# %% role="check" grade_id="forced_false_positives"
check("forced_false_positives", forced_false_positives)

# %% [markdown] role="statement" grade_id="reweigh"
# ## Reweighing
#
# Label 1 is more frequent in one group than in another. Reweighing gives each person a weight such
# that, weighed, label and group have nothing to do with each other:
#
# $$w = \frac{P(g)\, P(y)}{P(g, y)}$$
#
# for a person of group g and label y. $P(g)$ and $P(y)$ are the shares of all people who are of
# that group, or have that label, and $P(g, y)$ of those who are both.
#
# Write `reweigh(labels, group)`. Return the weights, one for each person, as they come out of the
# formula, and for each group the weighted share of label 1: the sum of the weights of its people
# with label 1 by the sum of the weights of all its people. A pair of group and label that doesn't
# occur needs no weight; then that group's weighted share isn't that of the others, and you return
# what it is.
#
# For example, `labels = [1, 1, 0, 0]` and `group = [2, 2, 2, 6]` give the weights
# `[0.75, 0.75, 1.5, 0.5]`, and the shares `[0.5, 0]`: in group 6 nobody has the label 1, and no
# weight helps.
#
# <details><summary>Hint: P(g, y)?</summary>
#
# `np.mean((group == g) & (labels == y))`.
#
# </details>


# %% role="solution" grade_id="reweigh"
def reweigh(labels, group):
    """Weights (people,), and the weighted share of label 1 in each group (groups,)."""
    ### BEGIN SOLUTION
    weights, rates = np.empty(len(labels)), []
    for g in np.unique(group):
        for label in (0, 1):
            pair = (group == g) & (labels == label)
            if pair.any():
                weights[pair] = np.mean(group == g) * np.mean(labels == label) / pair.mean()
        own = group == g
        rates.append(weights[own] @ labels[own] / weights[own].sum())
    return weights, np.array(rates)
    ### END SOLUTION


# %% role="check" grade_id="reweigh"
check("reweigh", reweigh)

# %% [markdown] role="statement" grade_id="blind_forecast"
# ## Predict: a learner that isn't told the group
#
# An invented world with two groups, A and B, of 1,000 applicants each, and one input z, which is 0
# or 1. In A 800 people have z = 1, in B 200. In the past lenders approved
#
# | | z = 1 | z = 0 |
# |:--|--:|--:|
# | A | 90 % | 60 % |
# | B | 70 % | 40 % |
#
# A learner gets z and the past decisions, but not the group. Its score for a person is the share
# that was approved among all 2,000 people with the same z. Everybody with a score of at least 50 %
# is approved.
#
# What do you expect, in points of a hundred?
#
# | key | |
# |:--|:--|
# | `past_gap` | share approved in the past, A's less B's |
# | `score_gap` | mean score, A's less B's |
# | `decision_gap` | share that the learner's rule approves, A's less B's |
# | `flattered` | B's mean score less the share of B approved in the past |
# | `no_proxy_gap` | mean score, A's less B's, if 500 people of A and 500 of B had z = 1 |
#
# Set `blind_forecast` to a dict from these keys to numbers; negative ones are allowed. A point
# each; the cell after the check tries it. For example, if A's share were 55 % and B's 52.5 %, a gap
# would be 2.5.
#
# <details><summary>Hint: what is the score of z = 1?</summary>
#
# 800 people of A and 200 of B have it. How many of these 1,000 were approved?
#
# </details>

# %% role="solution" grade_id="blind_forecast"
### BEGIN SOLUTION
blind_forecast = {
    "past_gap": 38,  # 84 - 46
    "score_gap": 25.2,  # scores of 86 and 44
    "decision_gap": 60,  # all with z = 1, nobody else
    "flattered": 6.4,  # 52.4 - 46
    "no_proxy_gap": 0,
}
### END SOLUTION

# %% role="check" grade_id="blind_forecast"
check("blind_forecast", blind_forecast)

# %%
# Both worlds, person by person.
past = {("A", 1): 0.9, ("A", 0): 0.6, ("B", 1): 0.7, ("B", 0): 0.4}
for with_z in ({"A": 800, "B": 200}, {"A": 500, "B": 500}):
    people = [
        (g, z, i < past[g, z] * n)
        for g in "AB"
        for z, n in ((1, with_z[g]), (0, 1000 - with_z[g]))
        for i in range(n)
    ]
    group, z, approved = (np.array(column) for column in zip(*people))
    score = np.where(z == 1, approved[z == 1].mean(), approved[z == 0].mean())
    for name, values in (("past", approved), ("score", score), ("rule", score >= 0.5)):
        a, b = (100 * values[group == g].mean() for g in "AB")
        print(f"{with_z}  {name:5}  A {a:5.1f}  B {b:5.1f}  A less B {a - b:5.1f}")

# %% [markdown] role="question" grade_id="second_lender"
# ## Before the committee
#
# A savings bank wants to let a network decide on small loans. It was trained on ten years of its
# officers' decisions; inputs are income, debts, district, branch of the employer. On held-out
# applications it decides as the officers did in 92 % of the cases. In a pilot with 400 applicants,
# 60 of them from a minority, it approved 58 % of the minority and 72 % of the others. Its maker
# writes: "The model doesn't know the group. Its ratio of 0.81 is above four fifths, so it is fair.
# Should anybody still object, we can make approval rates, error rates and scores equal for both
# groups." You advise the committee that must decide. What do you tell them about each of these
# sentences, what would you measure, which definition would you choose here, who would pay for it,
# and what must be settled before the start? Ten to fifteen sentences. A person reads and marks your
# answer.

# %% [markdown] role="answer" grade_id="second_lender"
