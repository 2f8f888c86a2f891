"""The exercises of ``fairness``: how far groups lie apart, by which measure, and what can't be had.

Conventions: label and decision 1 are what the person hopes for; results with one entry a group
stand in sorted order; a gap is the largest rate less the smallest; a group without anybody to
count has no rate, and is left out of a gap.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

MEASURE, LIMITS, DECIDE = "fairness-measure", "fairness-limits", "fairness-decide"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# demographic_parity_gap -------------------------------------------------------

demographic_parity_gap = Exercise(
    "demographic_parity_gap",
    "Demographic parity: difference and ratio",
    parts={"gap": 2, "ratio": 2, "nobody": 1},
    minutes=10,
    difficulty=1,
    outcomes=(MEASURE,),
    forbids=FORBIDS,
)


@demographic_parity_gap.cases
def _(rng):
    usual, nobody = ("gap", "ratio"), ("nobody",)
    d = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 1])
    g = np.array([7, 7, 7, 7, 3, 3, 3, 5, 5, 5])
    yield Case((d, g), "three groups, one of four people", usual)
    d, g = np.array([0, 1, 0, 0, 1, 1]), np.array(["north"] * 4 + ["south"] * 2)
    yield Case((d, g), "groups with names, in one of which everybody is approved", usual)
    yield Case((np.array([1, 0, 1, 0, 0, 0, 1]), np.array([4] * 3 + [9] * 4)), "two groups", usual)
    yield Case((np.zeros(5, int), np.array([3, 3, 8, 8, 8])), "nobody is approved", nobody)
    yield Case((np.array([0, 0, 1, 0]), np.array([6, 6, 2, 2])), "nobody in one group", usual)
    d, g = np.array([1, 1, 0, 0, 0, 0]), np.array([2, 2, 2, 5, 5, 5])
    yield Case((d, g), "nobody in the second group", nobody)
    many = np.array([1] * 9 + [0] + [1] * 6 + [0] * 4 + [1] * 2 + [0] * 8)
    yield Case((many, np.repeat([20, 30, 40], 10)), "the middle group in the middle", usual)
    yield Case((np.array([1, 1, 1]), np.array([2, 5, 5])), "everybody is approved", ("gap",))
    while True:
        n, groups = int(rng.integers(12, 40)), int(rng.integers(2, 5))
        names = rng.choice(np.arange(2, 30), size=groups, replace=False)
        g = np.r_[names, rng.choice(names, size=n)]
        yield Case((rng.integers(0, 2, size=len(g)), g), "", usual)


@demographic_parity_gap.observe
def _(candidate, decisions, group):
    gap, ratio = candidate(decisions, group)
    return {"gap": gap, "ratio": ratio, "nobody": [gap, ratio]}


@demographic_parity_gap.answer
def _(decisions, group):
    rates = [decisions[group == g].mean() for g in np.unique(group)]
    ratio = min(rates) / max(rates) if max(rates) > 0 else 1.0
    return max(rates) - min(rates), ratio


@demographic_parity_gap.alternative
def by_counting(decisions, group):
    names, place = np.unique(group, return_inverse=True)
    rates = np.bincount(place, weights=decisions) / np.bincount(place)
    if not decisions.any():
        return 0.0, 1.0
    return float(np.ptp(rates)), float(rates.min() / rates.max())


@demographic_parity_gap.alternative
def person_by_person(decisions, group):
    approved, people = dict.fromkeys(group.tolist(), 0), dict.fromkeys(group.tolist(), 0)
    for d, g in zip(decisions.tolist(), group.tolist()):  # noqa: B905 - a learner's loop
        people[g] += 1
        approved[g] += d
    rates = sorted(approved[g] / people[g] for g in people)
    return rates[-1] - rates[0], 1.0 if rates[-1] == 0 else rates[0] / rates[-1]


@demographic_parity_gap.mistake(
    "A gap has no sign here. Which rate is taken from which, by the statement?", loses=("gap",)
)
def the_first_less_the_last(decisions, group):
    rates = [decisions[group == g].mean() for g in np.unique(group)]
    return rates[0] - rates[-1], min(rates) / max(rates) if max(rates) > 0 else 1.0


@demographic_parity_gap.mistake(
    "You compare two of the groups. Where there are three, which two does the statement mean?",
    loses=("gap", "ratio"),
)
def the_first_and_the_last(decisions, group):
    names = np.unique(group)
    rates = [decisions[group == g].mean() for g in (names[0], names[-1])]
    return abs(rates[0] - rates[1]), min(rates) / max(rates) if max(rates) > 0 else 1.0


@demographic_parity_gap.mistake(
    "A large group has more people approved than a small one, even if both are treated alike. By "
    "what do you divide?",
    loses=("gap", "ratio", "nobody"),
)
def share_of_all_people(decisions, group):
    rates = [np.sum(decisions[group == g]) / len(group) for g in np.unique(group)]
    return max(rates) - min(rates), min(rates) / max(rates) if max(rates) > 0 else 1.0


@demographic_parity_gap.mistake(
    "That is the make-up of those who were approved: which share of them belongs to a group. You "
    "are asked for the share of a group that was approved.",
    loses=("gap", "ratio", "nobody"),
)
def make_up_of_the_approved(decisions, group):
    if not decisions.any():
        return 0.0, 1.0
    rates = [np.sum(decisions[group == g]) / decisions.sum() for g in np.unique(group)]
    return max(rates) - min(rates), min(rates) / max(rates)


@demographic_parity_gap.mistake(
    "You measure from the rate of all people together. Between which two rates is the gap?",
    loses=("gap", "nobody"),
)
def from_the_overall_rate(decisions, group):
    rates = np.array([decisions[group == g].mean() for g in np.unique(group)])
    ratio = min(rates) / max(rates) if max(rates) > 0 else 1.0
    return np.abs(rates - decisions.mean()).max() + 0.0, ratio


@demographic_parity_gap.mistake(
    "A standard deviation is another measure of how far rates lie apart. The statement takes the "
    "two at the ends.",
    loses=("gap", "nobody"),
)
def deviation_of_the_rates(decisions, group):
    rates = [decisions[group == g].mean() for g in np.unique(group)]
    return np.std(rates), min(rates) / max(rates) if max(rates) > 0 else 1.0


@demographic_parity_gap.mistake(
    "Your ratio is 1 or more. Which of the two rates does the statement put on top?",
    loses=("ratio", "nobody"),
)
def upside_down(decisions, group):
    rates = [decisions[group == g].mean() for g in np.unique(group)]
    if max(rates) == 0:
        return 0.0, 1.0
    return max(rates) - min(rates), max(rates) / min(rates) if min(rates) > 0 else np.inf


@demographic_parity_gap.mistake(
    "Your ratio is one of refusals. The gap is the same for both, the ratio isn't: which does the "
    "statement name?",
    loses=("ratio", "nobody"),
)
def ratio_of_refusals(decisions, group):
    rates = [1 - decisions[group == g].mean() for g in np.unique(group)]
    return max(rates) - min(rates), min(rates) / max(rates) if max(rates) > 0 else 1.0


@demographic_parity_gap.mistake(
    "Where nobody is approved you divide 0 by 0. What does the statement say of that?",
    loses=("nobody",),
)
def nothing_by_nothing(decisions, group):
    rates = np.array([decisions[group == g].mean() for g in np.unique(group)])
    with np.errstate(all="ignore"):
        return rates.max() - rates.min(), rates.min() / rates.max()


@demographic_parity_gap.mistake(
    "Where nobody is approved you say 0, as if one group had been passed over. What does the "
    "statement say?",
    loses=("nobody",),
)
def a_ratio_of_nothing_is_nought(decisions, group):
    rates = [decisions[group == g].mean() for g in np.unique(group)]
    return max(rates) - min(rates), min(rates) / max(rates) if max(rates) > 0 else 0.0


@demographic_parity_gap.mistake(
    "You look for groups called 0 and 1. What are they called in this case?"
)
def groups_called_nought_and_one(decisions, group):
    with np.errstate(all="ignore"):
        rates = np.array([np.sum(decisions[group == g]) / np.sum(group == g) for g in (0, 1)])
        return rates.max() - rates.min(), rates.min() / rates.max()


@demographic_parity_gap.mistake(
    "Your ratio is to the rate of the largest group. To which one does the statement compare?",
    loses=("ratio",),
)
def against_the_largest_group(decisions, group):
    names, people = np.unique(group, return_counts=True)
    rates = [decisions[group == g].mean() for g in names]
    largest = rates[int(np.argmax(people))]
    return max(rates) - min(rates), min(rates) / largest if largest > 0 else 1.0


# equalized_odds_gap -----------------------------------------------------------

equalized_odds_gap = Exercise(
    "equalized_odds_gap",
    "Equalized odds, with groups that have nobody to count",
    parts={"true_positive": 2, "false_positive": 2, "worst": 1, "empty": 2},
    minutes=18,
    difficulty=2,
    outcomes=(MEASURE,),
    forbids=FORBIDS,
)


@equalized_odds_gap.cases
def _(rng):
    usual, empty = ("true_positive", "false_positive", "worst"), ("empty",)

    def case(*groups, note, parts=usual):
        """Each group: its name, and of its label-1 and its label-0 people how many get which."""
        rows = []
        for name, (yes1, no1), (yes0, no0) in groups:
            for count, label, decision in (
                (yes1, 1, 1),
                (no1, 1, 0),
                (yes0, 0, 1),
                (no0, 0, 0),
            ):
                rows += [(label, decision, name)] * count
        rows = [rows[i] for i in rng.permutation(len(rows))]
        y, d, g = (np.array(column) for column in zip(*rows, strict=True))
        return Case((y, d, g), note, parts)

    yield case((2, (3, 1), (1, 4)), (6, (1, 3), (2, 1)), note="two groups")
    yield case((4, (3, 1), (1, 1)), (5, (1, 4), (3, 2)), (9, (2, 2), (0, 5)), note="three groups")
    yield case((11, (9, 1), (1, 9)), (12, (2, 3), (1, 7)), note="the gap is among label 1")
    yield case((3, (2, 2), (1, 3)), (7, (0, 0), (2, 1)), note="nobody of label 1", parts=empty)
    yield case(
        (3, (3, 1), (1, 3)),
        (5, (0, 0), (4, 1)),
        (8, (1, 1), (1, 1)),
        note="nobody of label 1 in one of three groups",
        parts=empty,
    )
    yield case(
        (3, (3, 1), (0, 0)),
        (5, (1, 2), (3, 1)),
        (8, (2, 5), (1, 1)),
        note="nobody of label 0 in one of three groups",
        parts=empty,
    )
    yield case((2, (2, 1), (0, 0)), (4, (0, 0), (1, 2)), note="no label in both", parts=empty)
    yield case((6, (1, 3), (0, 0)), (7, (2, 1), (1, 1)), note="nobody of label 0", parts=empty)
    while True:
        names = rng.choice(np.arange(2, 20), size=rng.integers(2, 5), replace=False)
        groups = [
            (int(name), tuple(rng.integers(1, 6, size=2)), tuple(rng.integers(1, 6, size=2)))
            for name in names
        ]
        yield case(*groups, note="")


@equalized_odds_gap.observe
def _(candidate, labels, decisions, group):
    true_positive, false_positive, worst = candidate(labels, decisions, group)
    return {
        "true_positive": true_positive,
        "false_positive": false_positive,
        "worst": worst,
        "empty": [true_positive, false_positive, worst],
    }


@equalized_odds_gap.answer
def _(labels, decisions, group):
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


@equalized_odds_gap.alternative
def by_bincount(labels, decisions, group):
    place = np.unique(group, return_inverse=True)[1]
    gaps = []
    for label in (1, 0):
        people = np.bincount(place, weights=labels == label)
        taken = np.bincount(place, weights=(labels == label) & (decisions == 1))
        rates = taken[people > 0] / people[people > 0]
        gaps.append(float(np.ptp(rates)) if rates.size >= 2 else float("nan"))
    return (*gaps, float(np.fmax(gaps[0], gaps[1])))


@equalized_odds_gap.alternative
def pair_by_pair(labels, decisions, group):
    def rates(label):
        own = [decisions[(group == g) & (labels == label)] for g in set(group.tolist())]
        return [sum(d.tolist()) / len(d) for d in own if len(d)]

    def gap(found):
        pairs = [abs(a - b) for i, a in enumerate(found) for b in found[i + 1 :]]
        return max(pairs, default=float("nan"))

    one, nought = gap(rates(1)), gap(rates(0))
    if one != one:
        return one, nought, nought
    return one, nought, one if nought != nought else max(one, nought)


@equalized_odds_gap.mistake(
    "You have the two the wrong way round. Of whom is a true positive rate a share?",
    loses=("true_positive", "false_positive", "empty"),
)
def labels_swapped(labels, decisions, group):
    gaps = []
    for label in (0, 1):
        cells = [decisions[(group == g) & (labels == label)] for g in np.unique(group)]
        rates = [c.mean() for c in cells if len(c)]
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    return gaps[0], gaps[1], np.fmax(gaps[0], gaps[1])


@equalized_odds_gap.mistake(
    "You ask which share of those who got a decision had the label. That is predictive parity. "
    "Here the label comes first, and the decision is what is counted."
)
def the_other_way_round(labels, decisions, group):
    gaps = []
    for decision in (1, 0):
        cells = [labels[(group == g) & (decisions == decision)] for g in np.unique(group)]
        rates = [c.mean() for c in cells if len(c)]
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    return gaps[0], gaps[1], np.fmax(gaps[0], gaps[1])


@equalized_odds_gap.mistake(
    "You divide by all people of a group. Of whom is a true positive rate a share?"
)
def share_of_the_group(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        rates = [
            np.mean((decisions == 1)[group == g] & (labels == label)[group == g])
            for g in np.unique(group)
        ]
        gaps.append(max(rates) - min(rates))
    return gaps[0], gaps[1], max(gaps)


@equalized_odds_gap.mistake(
    "Your second gap is one of people of label 1 who got no 1: a false *negative* rate. Who can be "
    "a false positive?",
    loses=("false_positive", "worst", "empty"),
)
def false_negatives(labels, decisions, group):
    cells = [decisions[(group == g) & (labels == 1)] for g in np.unique(group)]
    rates = [c.mean() for c in cells if len(c)]
    gap = max(rates) - min(rates) if len(rates) > 1 else np.nan
    return gap, gap, gap


@equalized_odds_gap.mistake(
    "That is the mean of the two gaps, which some call the average odds difference. Which of the "
    "two does the statement take?",
    loses=("worst", "empty"),
)
def the_mean_of_both(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        cells = [decisions[(group == g) & (labels == label)] for g in np.unique(group)]
        rates = [c.mean() for c in cells if len(c)]
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    known = [gap for gap in gaps if gap == gap]
    return gaps[0], gaps[1], sum(known) / len(known) if known else np.nan


@equalized_odds_gap.mistake(
    "You add the two gaps up. Which one does the statement take?", loses=("worst", "empty")
)
def the_sum_of_both(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        cells = [decisions[(group == g) & (labels == label)] for g in np.unique(group)]
        rates = [c.mean() for c in cells if len(c)]
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    return gaps[0], gaps[1], np.nansum(gaps)


@equalized_odds_gap.mistake(
    "A group that has nobody of a label gets a rate of 0 in yours, as if all of them had been "
    "refused. Who are they?",
    loses=("empty",),
)
def nobody_counts_as_nought(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        cells = [decisions[(group == g) & (labels == label)] for g in np.unique(group)]
        rates = [c.mean() if len(c) else 0.0 for c in cells]
        gaps.append(max(rates) - min(rates))
    return gaps[0], gaps[1], max(gaps)


@equalized_odds_gap.mistake(
    "One group without anybody of a label turns the gap of all others into NaN. Who is left out, "
    "by the statement?",
    loses=("empty",),
)
def nan_spreads(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        with np.errstate(all="ignore"):
            rates = np.array(
                [
                    np.sum(decisions[(group == g) & (labels == label)])
                    / np.float64(np.sum((group == g) & (labels == label)))
                    for g in np.unique(group)
                ]
            )
        gaps.append(rates.max() - rates.min())
    return gaps[0], gaps[1], np.fmax(gaps[0], gaps[1])


@equalized_odds_gap.mistake(
    "With one group left you say that the gap is 0: nothing was compared, and it looks like a good "
    "result. What does the statement say?",
    loses=("empty",),
)
def nothing_compared_is_no_gap(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        cells = [decisions[(group == g) & (labels == label)] for g in np.unique(group)]
        rates = [c.mean() for c in cells if len(c)]
        gaps.append(max(rates) - min(rates))
    return gaps[0], gaps[1], max(gaps)


@equalized_odds_gap.mistake(
    "Where one of the gaps is NaN, your worst is NaN, or isn't by chance of their order. Which of "
    "them is known?",
    loses=("empty",),
)
def worst_is_nan(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        cells = [decisions[(group == g) & (labels == label)] for g in np.unique(group)]
        rates = [c.mean() for c in cells if len(c)]
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    return gaps[0], gaps[1], np.max(gaps)


@equalized_odds_gap.mistake(
    "A group that lacks people of one label is missing from both of your gaps. From which one does "
    "the statement leave it out?",
    loses=("empty",),
)
def out_of_both_gaps(labels, decisions, group):
    whole = [
        g
        for g in np.unique(group)
        if all(np.any((group == g) & (labels == label)) for label in (0, 1))
    ]
    gaps = []
    for label in (1, 0):
        rates = [decisions[(group == g) & (labels == label)].mean() for g in whole]
        gaps.append(max(rates) - min(rates) if len(rates) > 1 else np.nan)
    return gaps[0], gaps[1], np.fmax(gaps[0], gaps[1])


@equalized_odds_gap.mistake(
    "You give up where a group has nobody of a label. The statement says what the answer is then.",
    loses=("empty",),
)
def gives_up(labels, decisions, group):
    gaps = []
    for label in (1, 0):
        rates = []
        for g in np.unique(group):
            own = decisions[(group == g) & (labels == label)].tolist()
            rates.append(sum(own) / len(own))
        gaps.append(max(rates) - min(rates))
    return gaps[0], gaps[1], max(gaps)


# calibration_by_group ---------------------------------------------------------

calibration_by_group = Exercise(
    "calibration_by_group",
    "Calibration, group by group",
    parts={"counts": 1, "mean_score": 2, "rate": 2, "error": 2},
    minutes=18,
    difficulty=2,
    outcomes=(MEASURE, LIMITS),
    forbids=FORBIDS,
)


@calibration_by_group.cases
def _(rng):
    def case(scores, labels, group, bins, note):
        arrays = np.array(scores, dtype=float), np.array(labels), np.array(group)
        return Case((*arrays, bins), note)

    yield case(
        [0.125, 0.25, 0.375, 0.75, 0.875, 0.625, 0.75, 0.5],
        [0, 1, 0, 1, 0, 1, 1, 0],
        [4, 4, 4, 4, 2, 2, 2, 2],
        4,
        "scores on the edges of bins",
    )
    yield case(
        [1.0, 0.0, 0.5, 1.0, 0.25], [1, 0, 1, 0, 0], [3, 3, 3, 9, 9], 2, "scores of 0 and of 1"
    )
    yield case([0.1, 0.2, 0.9, 0.3], [0, 1, 1, 1], [5, 5, 5, 8], 3, "bins without anybody")
    yield case([0.3, 0.6, 0.9, 0.2, 0.4], [1, 1, 0, 1, 1], [7, 7, 7, 6, 6], 1, "one bin")
    yield case(
        [0.15, 0.35, 0.55, 0.95, 0.65, 0.05, 0.85],
        [1, 0, 1, 0, 1, 1, 1],
        ["u", "v", "u", "w", "w", "v", "u"],
        5,
        "three groups with names",
    )
    while True:
        n, groups, bins = (int(v) for v in (rng.integers(8, 40), *rng.integers(2, 6, size=2)))
        names = rng.choice(np.arange(2, 30), size=groups, replace=False)
        g = np.r_[names, rng.choice(names, size=n)]
        yield Case((rng.random(len(g)) ** 0.7, rng.integers(0, 2, size=len(g)), g, bins))


@calibration_by_group.answer
def _(scores, labels, group, bins):
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


@calibration_by_group.alternative
def by_histograms(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.clip(np.floor(scores * bins), 0, bins - 1).astype(int)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    gaps = np.where(n > 0, n * np.abs(mean - share), 0.0)
    return n, mean, share, gaps.sum(axis=1) / n.sum(axis=1)


@calibration_by_group.alternative
def by_edges(scores, labels, group, bins):
    inner = np.arange(1, bins) / bins
    where = np.searchsorted(inner, scores, side="right")
    out = []
    for g in sorted(set(group.tolist())):
        cells = [
            (scores[(group == g) & (where == b)], labels[(group == g) & (where == b)])
            for b in range(bins)
        ]
        counts = [len(s) for s, _ in cells]
        means = [s.mean() if len(s) else np.nan for s, _ in cells]
        rates = [y.mean() if len(y) else np.nan for _, y in cells]
        off = [abs(s.sum() - y.sum()) for s, y in cells]
        out.append((counts, means, rates, sum(off) / sum(counts)))
    found = [np.array(column) for column in zip(*out, strict=True)]
    return found[0], found[1], found[2], found[3]


@calibration_by_group.mistake(
    "Where does a score of exactly 1 go in yours? By the statement the last bin takes it."
)
def a_score_of_one_falls_out(scores, labels, group, bins):
    names = np.unique(group)
    shape = len(names), bins
    counts = np.zeros(shape, int)
    mean_score, rate, error = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(len(names))
    place = (scores * bins).astype(int)
    for i, g in enumerate(names):
        for b in range(bins):
            own = (group == g) & (place == b)
            counts[i, b] = own.sum()
            if own.any():
                mean_score[i, b], rate[i, b] = scores[own].mean(), labels[own].mean()
                gap = abs(mean_score[i, b] - rate[i, b])
                error[i] += gap * own.sum() / np.sum(group == g)
    return counts, mean_score, rate, error


@calibration_by_group.mistake(
    "A score on an edge goes to the bin below in yours. To which one does the statement give it?"
)
def edges_to_the_bin_below(scores, labels, group, bins):
    names = np.unique(group)
    shape = len(names), bins
    counts = np.zeros(shape, int)
    mean_score, rate, error = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(len(names))
    place = np.maximum(np.ceil(scores * bins).astype(int) - 1, 0)
    for i, g in enumerate(names):
        for b in range(bins):
            own = (group == g) & (place == b)
            counts[i, b] = own.sum()
            if own.any():
                mean_score[i, b], rate[i, b] = scores[own].mean(), labels[own].mean()
                gap = abs(mean_score[i, b] - rate[i, b])
                error[i] += gap * own.sum() / np.sum(group == g)
    return counts, mean_score, rate, error


@calibration_by_group.mistake(
    "Your bins hold equally many people. The statement's are equally wide."
)
def bins_of_equally_many(scores, labels, group, bins):
    names = np.unique(group)
    shape = len(names), bins
    counts = np.zeros(shape, int)
    mean_score, rate, error = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(len(names))
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    place = order * bins // len(scores)
    if bins == 1:
        place = np.zeros(len(scores), int)
    for i, g in enumerate(names):
        for b in range(bins):
            own = (group == g) & (place == b)
            counts[i, b] = own.sum()
            if own.any():
                mean_score[i, b], rate[i, b] = scores[own].mean(), labels[own].mean()
                gap = abs(mean_score[i, b] - rate[i, b])
                error[i] += gap * own.sum() / np.sum(group == g)
    return counts, mean_score, rate, error


@calibration_by_group.mistake(
    "Where nobody is, you put 0. A rate of 0 would say that all of them were refused.",
    loses=("mean_score", "rate"),
)
def nought_where_nobody_is(scores, labels, group, bins):
    names = np.unique(group)
    shape = len(names), bins
    counts = np.zeros(shape, int)
    mean_score, rate, error = np.zeros(shape), np.zeros(shape), np.zeros(len(names))
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


@calibration_by_group.mistake(
    "You take the middle of the bin for the people's mean score. Where in the bin are they?",
    loses=("mean_score", "error"),
)
def middles_of_the_bins(scores, labels, group, bins):
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
                mean_score[i, b], rate[i, b] = (b + 0.5) / bins, labels[own].mean()
                gap = abs(mean_score[i, b] - rate[i, b])
                error[i] += gap * own.sum() / np.sum(group == g)
    return counts, mean_score, rate, error


@calibration_by_group.mistake(
    "Every bin counts the same in your error, however few people are in it.", loses=("error",)
)
def every_bin_the_same(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    return n, mean, share, np.nanmean(np.abs(mean - share), axis=1)


@calibration_by_group.mistake(
    "You weigh the bins by shares of all people, so a small group always has a small error.",
    loses=("error",),
)
def shares_of_all_people(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    gaps = np.where(n > 0, n * np.abs(mean - share), 0.0)
    return n, mean, share, gaps.sum(axis=1) / n.sum()


@calibration_by_group.mistake(
    "In your error a bin that is too high makes up for one that is too low.", loses=("error",)
)
def errors_cancel(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    gaps = np.where(n > 0, n * (mean - share), 0.0)
    return n, mean, share, np.abs(gaps.sum(axis=1)) / n.sum(axis=1)


@calibration_by_group.mistake(
    "That is the error of the worst bin. The statement's is a mean over people.", loses=("error",)
)
def the_worst_bin(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    return n, mean, share, np.nanmax(np.abs(mean - share), axis=1)


@calibration_by_group.mistake(
    "A bin without anybody makes the error of the whole group NaN. How many people does it stand "
    "for?",
    loses=("error",),
)
def nan_in_the_error(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
        n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
        gaps = n * np.abs(mean - share)
    return n, mean, share, gaps.sum(axis=1) / n.sum(axis=1)


@calibration_by_group.mistake(
    "Right, but as floats: people are counted in whole numbers.", loses=("counts",)
)
def counts_as_floats(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size).astype(float)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    gaps = np.where(n > 0, n * np.abs(mean - share), 0.0)
    return n, mean, share, gaps.sum(axis=1) / n.sum(axis=1)


@calibration_by_group.mistake(
    "You square the distances. The statement takes their size.", loses=("error",)
)
def squared_distances(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=labels, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    gaps = np.where(n > 0, n * (mean - share) ** 2, 0.0)
    return n, mean, share, gaps.sum(axis=1) / n.sum(axis=1)


@calibration_by_group.mistake(
    "Your rate says how many scores are 0.5 or more. It should say what became of these people.",
    loses=("rate", "error"),
)
def decisions_for_labels(scores, labels, group, bins):
    names, row = np.unique(group, return_inverse=True)
    cell = row * bins + np.minimum((scores * bins).astype(int), bins - 1)
    size = len(names) * bins
    counts = np.bincount(cell, minlength=size)
    with np.errstate(all="ignore"):
        mean_score = np.bincount(cell, weights=scores, minlength=size) / counts
        rate = np.bincount(cell, weights=scores >= 0.5, minlength=size) / counts
    n, mean, share = (np.reshape(v, (len(names), bins)) for v in (counts, mean_score, rate))
    gaps = np.where(n > 0, n * np.abs(mean - share), 0.0)
    return n, mean, share, gaps.sum(axis=1) / n.sum(axis=1)


# reweigh ----------------------------------------------------------------------

reweigh = Exercise(
    "reweigh",
    "Reweighing",
    parts={"weights": 2, "rates": 2, "missing": 1},
    minutes=15,
    difficulty=2,
    outcomes=(DECIDE,),
    forbids=FORBIDS,
)


@reweigh.cases
def _(rng):
    usual, missing = ("weights", "rates"), ("missing",)
    y, g = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0]), np.array([3] * 4 + [8] * 5)
    yield Case((y, g), "two groups", usual)
    y, g = np.array([1, 0, 0, 1, 1, 0, 1, 1, 0, 0]), np.array(list("ababcabcac"))
    yield Case((y, g), "three groups with names", usual)
    yield Case((np.array([1, 1, 1, 0, 0]), np.array([2, 2, 4, 4, 4])), "a pair is missing", missing)
    y, g = np.array([1, 0, 1, 0, 0, 0, 1, 1]), np.array([5, 5, 5, 6, 6, 6, 7, 7])
    yield Case((y, g), "two pairs are missing", missing)
    y, g = np.array([1] * 9 + [0] * 3 + [1] + [0] * 2), np.array([40] * 12 + [30] * 3)
    yield Case((y, g), "a large group and a small one", usual)
    while True:
        names = rng.choice(np.arange(2, 30), size=rng.integers(2, 5), replace=False)
        n = int(rng.integers(6, 30))
        g = np.r_[names, names, rng.choice(names, size=n)]
        chance = 0.2 + 0.6 * (g == names[0])
        y = (rng.random(len(g)) < chance).astype(int)
        y[: 2 * len(names)] = np.repeat([0, 1], len(names))
        order = rng.permutation(len(g))
        yield Case((y[order], g[order]), "", usual)


@reweigh.observe
def _(candidate, labels, group):
    weights, rates = candidate(labels, group)
    return {"weights": weights, "rates": rates, "missing": [weights, rates]}


@reweigh.answer
def _(labels, group):
    weights = np.empty(len(labels))
    for g in np.unique(group):
        for label in (0, 1):
            pair = (group == g) & (labels == label)
            if pair.any():
                weights[pair] = np.mean(group == g) * np.mean(labels == label) / pair.mean()
    rates = [weights[group == g] @ labels[group == g] / weights[group == g].sum()
             for g in np.unique(group)]  # fmt: skip
    return weights, np.array(rates)


@reweigh.alternative
def by_tables(labels, group):
    row = np.unique(group, return_inverse=True)[1]
    table = np.zeros((row.max() + 1, 2))
    np.add.at(table, (row, labels), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(labels)
    weights = expected[row, labels] / table[row, labels]
    after = np.where(table > 0, expected, 0.0)
    return weights, after[:, 1] / after.sum(axis=1)


@reweigh.alternative
def person_by_person_(labels, group):
    n, weights = len(labels), []
    for y, g in zip(labels.tolist(), group.tolist()):  # noqa: B905 - a learner's loop
        same_group = np.count_nonzero(group == g)
        same_label = np.count_nonzero(labels == y)
        weights.append(same_group * same_label / n / np.sum((group == g) & (labels == y)))
    weight = np.array(weights)
    groups = sorted(set(group.tolist()))
    return weight, np.array([np.average(labels[group == g], weights=weight[group == g])
                              for g in groups])  # fmt: skip


@reweigh.mistake(
    "Pairs of group and label that are rarer than they should be get less weight in yours. Which "
    "way up is the fraction?"
)
def the_wrong_way_up(labels, group):
    weights = np.array(
        [
            np.mean((group == g) & (labels == y)) / (np.mean(group == g) * np.mean(labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights, np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "All pairs of group and label weigh the same in yours, so half of every group is approved. "
    "Which share of all people has the label 1?"
)
def all_pairs_the_same(labels, group):
    pairs = len({(str(g), int(y)) for g, y in zip(group, labels)})  # noqa: B905
    weights = np.array(
        [
            1 / pairs / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights, np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "Your weights make up for the groups' sizes, and the shares of label 1 stay as far apart as "
    "they were."
)
def by_the_groups_size(labels, group):
    names = np.unique(group)
    weights = np.array([1 / (len(names) * np.mean(group == g)) for g in group])
    return weights, np.array([labels[group == g].mean() for g in names])


@reweigh.mistake(
    "Your weights are counts that should be shares: they grow with the number of people. The rates "
    "don't notice, a training with weight decay would.",
    loses=("weights", "missing"),
)
def counts_for_shares(labels, group):
    weights = np.array(
        [
            np.sum(group == g) * np.sum(labels == y) / np.sum((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights, np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "In yours every group weighs the same, large or small. The statement leaves a group its share.",
    loses=("weights", "missing"),
)
def without_the_groups_share(labels, group):
    weights = np.array(
        [
            np.mean(labels == y) / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights, np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "You scale the weights to a sum of 1. The statement's are as they come out of the formula.",
    loses=("weights", "missing"),
)
def scaled_to_one(labels, group):
    weights = np.array(
        [
            np.mean(group == g) * np.mean(labels == y) / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights / weights.sum(), np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "Where a pair is missing, you scale the weights up for it. The statement's stay as they are.",
    loses=("missing",),
)
def scaled_to_a_mean_of_one(labels, group):
    weights = np.array(
        [
            np.mean(group == g) * np.mean(labels == y) / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights / weights.mean(), np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "Those are the shares as they were. What do the weights make of them?",
    loses=("rates", "missing"),
)
def rates_without_weights(labels, group):
    weights = np.array(
        [
            np.mean(group == g) * np.mean(labels == y) / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    return weights, np.array([labels[group == g].mean() for g in np.unique(group)])


@reweigh.mistake(
    "You take it for granted that every group ends up at the overall share. Can a group do so in "
    "which nobody has a label of 1?",
    loses=("missing",),
)
def rates_taken_for_granted(labels, group):
    weights = np.array(
        [
            np.mean(group == g) * np.mean(labels == y) / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    return weights, np.full(len(np.unique(group)), labels.mean())


@reweigh.mistake("People of label 0 keep a weight of 1 in yours. By the formula they get one, too.")
def label_one_only(labels, group):
    weights = np.array(
        [
            np.mean(group == g) * np.mean(labels == 1) / np.mean((group == g) & (labels == 1))
            if y == 1
            else 1.0
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights, np.array(
        [weights[group == g] @ labels[group == g] / weights[group == g].sum() for g in names]
    )


@reweigh.mistake(
    "You divide by the number of people. Where a pair is missing, do their weights add up to it?",
    loses=("missing",),
)
def by_people_for_weights(labels, group):
    weights = np.array(
        [
            np.mean(group == g) * np.mean(labels == y) / np.mean((group == g) & (labels == y))
            for y, g in zip(labels, group)  # noqa: B905 - a learner's loop
        ]
    )
    names = np.unique(group)
    return weights, np.array(
        [weights[group == g] @ labels[group == g] / np.sum(group == g) for g in names]
    )


# forced_false_positives -------------------------------------------------------

forced_false_positives = Exercise(
    "forced_false_positives",
    "On paper: three rates that don't get on",
    parts={"rate": 3, "gap": 1, "impossible": 1},
    minutes=18,
    difficulty=3,
    outcomes=(LIMITS,),
    kind="derive",
    forbids=FORBIDS,
)


@forced_false_positives.cases
def _(rng):
    usual, impossible = ("rate", "gap"), ("impossible",)
    yield Case((np.array([0.5, 0.25]), 0.75, 0.6), "two groups", usual)
    yield Case((np.array([0.3, 0.3, 0.3]), 0.8, 0.7), "equal prevalences", usual)
    yield Case((np.array([0.2, 0.6]), 1.0, 0.9), "every positive decision is right", usual)
    yield Case((np.array([0.7, 0.1, 0.4]), 0.9, 0.8), "three groups", usual)
    yield Case((np.array([0.4, 0.2]), 0.6, 0.0), "nobody gets a positive decision", ("gap",))
    yield Case((np.array([0.9, 0.5, 0.2]), 0.5, 0.8), "one group can't", impossible)
    yield Case((np.array([0.9, 0.2]), 0.6, 0.9), "one of two groups can't", impossible)
    yield Case((np.array([0.9, 0.95]), 0.3, 0.9), "no group can", impossible)
    while True:
        p = rng.uniform(0.05, 0.6, size=rng.integers(2, 5))
        yield Case((p, float(rng.uniform(0.65, 0.97)), float(rng.uniform(0.3, 1.0))), "", usual)


@forced_false_positives.observe
def _(candidate, prevalence, ppv, tpr):
    rate, gap = candidate(prevalence, ppv, tpr)
    return {"rate": rate, "gap": gap, "impossible": [rate, gap]}


@forced_false_positives.answer
def _(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.alternative
def by_counting_people(prevalence, ppv, tpr):
    rates = []
    for p in prevalence.tolist():
        right = p * tpr  # of one person
        wrong = right / ppv - right
        rates.append(wrong / (1 - p) if wrong <= 1 - p else float("nan"))
    known = [r for r in rates if r == r]
    return np.array(rates), max(known) - min(known) if len(known) > 1 else float("nan")


@forced_false_positives.alternative
def in_odds(prevalence, ppv, tpr):
    odds = 1 / (1 / prevalence - 1)
    rate = tpr * odds * (1 / ppv - 1)
    rate[rate > 1] = np.nan
    if np.sum(rate >= 0) < 2:
        return rate, np.nan
    return rate, np.nanmax(rate) - np.nanmin(rate)


@forced_false_positives.mistake(
    "In yours a group with few positives has more false ones. Count the people of 100 in each row "
    "of the table for a prevalence of 0.2 and of 0.5."
)
def odds_upside_down(prevalence, ppv, tpr):
    rate = (1 - prevalence) / prevalence * (1 - ppv) / ppv * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.mistake(
    "You have used the prevalence where its odds belong: by how many people do you divide at the "
    "end?"
)
def prevalence_for_odds(prevalence, ppv, tpr):
    rate = prevalence * (1 - ppv) / ppv * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.mistake(
    "You multiply by the share of wrong positive decisions, 1 less PPV. It is a share of all "
    "positive decisions: how many wrong ones come on each right one?"
)
def share_of_wrong_decisions(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.mistake(
    "With a larger PPV you get more false positives. Which are the wrong ones: PPV, or the rest?"
)
def ppv_upside_down(prevalence, ppv, tpr):
    with np.errstate(all="ignore"):
        rate = prevalence / (1 - prevalence) * np.float64(ppv) / (1 - ppv) * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.mistake(
    "You use the share of positives that is missed. Which of them can be among the positive "
    "decisions?"
)
def misses_for_hits(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * (1 - tpr)
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.mistake(
    "Your rate doesn't depend on TPR. If the rule finds half as many, and PPV stays, what happens "
    "to the false ones?"
)
def tpr_forgotten(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv + 0 * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) > 1 else np.nan


@forced_false_positives.mistake(
    "A rate above 1: more false positives than there are negatives. What does the statement say of "
    "such a group?",
    loses=("impossible",),
)
def more_than_all(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr
    return rate, rate.max() - rate.min()


@forced_false_positives.mistake(
    "You cut the rate off at 1. With a rate of 1 the PPV would be another: is there any rule with "
    "the numbers asked for?",
    loses=("impossible",),
)
def cut_off_at_one(prevalence, ppv, tpr):
    rate = np.minimum(prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr, 1.0)
    return rate, rate.max() - rate.min()


@forced_false_positives.mistake(
    "One group that can't be has made the gap of the others NaN. Who is left out of it?",
    loses=("impossible",),
)
def gap_of_all(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    return rate, rate.max() - rate.min()


@forced_false_positives.mistake(
    "A gap between fewer than two groups is 0 in yours. What was compared?", loses=("impossible",)
)
def gap_of_one(prevalence, ppv, tpr):
    rate = prevalence / (1 - prevalence) * (1 - ppv) / ppv * tpr
    rate = np.where(rate <= 1, rate, np.nan)
    left = rate[~np.isnan(rate)]
    return rate, left.max() - left.min() if len(left) else 0.0


# blind_forecast ---------------------------------------------------------------

blind_forecast = Exercise(
    "blind_forecast",
    "Predict: a learner that isn't told the group",
    parts={"past_gap": 1, "score_gap": 1, "decision_gap": 1, "flattered": 1, "no_proxy_gap": 1},
    minutes=12,
    difficulty=2,
    outcomes=(LIMITS, DECIDE),
    kind="predict",
    of="value",
)


@blind_forecast.answer
def _():
    return {
        "past_gap": 38,
        "score_gap": 25.2,
        "decision_gap": 60,
        "flattered": 6.4,
        "no_proxy_gap": 0,
    }


@blind_forecast.alternative
def by_people():
    people = {("A", 1): 800, ("A", 0): 200, ("B", 1): 200, ("B", 0): 800}
    approved = {("A", 1): 720, ("A", 0): 120, ("B", 1): 140, ("B", 0): 320}
    score = {z: (approved["A", z] + approved["B", z]) / 10 for z in (0, 1)}
    past = {g: (approved[g, 0] + approved[g, 1]) / 10 for g in "AB"}
    mean = {g: sum(people[g, z] * score[z] for z in (0, 1)) / 1000 for g in "AB"}
    said = {g: sum(people[g, z] * (score[z] >= 50) for z in (0, 1)) / 10 for g in "AB"}
    return {
        "past_gap": past["A"] - past["B"],
        "score_gap": round(mean["A"] - mean["B"], 9),
        "decision_gap": said["A"] - said["B"],
        "flattered": round(mean["B"] - past["B"], 9),
        "no_proxy_gap": 0.0,
    }


@blind_forecast.alternative
def by_matrices():
    shares = np.array([[0.2, 0.8], [0.8, 0.2]])
    past = np.array([[0.6, 0.9], [0.4, 0.7]])
    score = (shares * past).sum(axis=0)
    rates, means = (shares * past).sum(axis=1), shares @ score
    decided = shares @ (score >= 0.5)
    return {
        "past_gap": float(100 * (rates[0] - rates[1])),
        "score_gap": float(100 * (means[0] - means[1])),
        "decision_gap": float(100 * (decided[0] - decided[1])),
        "flattered": float(100 * (means[1] - rates[1])),
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "You count on it that a learner which isn't told the group treats both alike. It is told z. "
    "What do the groups have to do with z?",
    loses=("score_gap", "decision_gap", "flattered"),
)
def blind_is_fair():
    return {
        "past_gap": 38,
        "score_gap": 0,
        "decision_gap": 0,
        "flattered": 19,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "You let the learner copy the past group by group. It can't tell the groups apart: which "
    "people get the same score?",
    loses=("score_gap", "flattered"),
)
def copies_the_past():
    return {
        "past_gap": 38,
        "score_gap": 38,
        "decision_gap": 60,
        "flattered": 0,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "That is a gap of scores. Who is approved, if everybody with a score of at least 50 is?",
    loses=("decision_gap",),
)
def no_threshold():
    return {
        "past_gap": 38,
        "score_gap": 25.2,
        "decision_gap": 25.2,
        "flattered": 6.4,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "You expect the decisions to be as far apart as those of the past. Which z gets a score of at "
    "least 50?",
    loses=("decision_gap",),
)
def decisions_as_in_the_past():
    return {
        "past_gap": 38,
        "score_gap": 25.2,
        "decision_gap": 38,
        "flattered": 6.4,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "The lenders' own 20 points for people with the same z. Groups differ in z as well.",
    loses=("past_gap",),
)
def the_lenders_own_part():
    return {
        "past_gap": 20,
        "score_gap": 25.2,
        "decision_gap": 60,
        "flattered": 6.4,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "The lenders' 20 points are still in the labels. But whom does the learner give which score, "
    "if z is the same in both groups?",
    loses=("no_proxy_gap",),
)
def the_past_shows_through():
    return {
        "past_gap": 38,
        "score_gap": 25.2,
        "decision_gap": 60,
        "flattered": 6.4,
        "no_proxy_gap": 20,
    }


@blind_forecast.mistake(
    "Right in size. Which of the two numbers, B's mean score or B's past, is the larger, and which "
    "way round is the difference asked for?",
    loses=("flattered",),
)
def the_other_sign():
    return {
        "past_gap": 38,
        "score_gap": 25.2,
        "decision_gap": 60,
        "flattered": -6.4,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "Over all people together the scores are right on average. Are they so in B?",
    loses=("flattered",),
)
def right_on_average():
    return {
        "past_gap": 38,
        "score_gap": 25.2,
        "decision_gap": 60,
        "flattered": 0,
        "no_proxy_gap": 0,
    }


@blind_forecast.mistake(
    "Those are shares from 0 to 1. The statement asks for points of a hundred.",
    loses=("past_gap", "score_gap", "decision_gap", "flattered"),
)
def shares_not_points():
    return {
        "past_gap": 0.38,
        "score_gap": 0.252,
        "decision_gap": 0.6,
        "flattered": 0.064,
        "no_proxy_gap": 0,
    }


# written ----------------------------------------------------------------------

second_lender = Question(
    "second_lender",
    "Before the committee",
    points=6,
    minutes=20,
    outcomes=(DECIDE,),
    rubric="""\
- 1 point: the label. The model has learnt what this lender decided, not who paid back; of people
  who were refused nobody knows whether they would have. So "as accurate as our officers" measures
  agreement with the past, whatever was in it.
- 1 point: leaving the group out doesn't make the model blind to it, where other inputs (the
  district, for one) go along with it; and says how to see it (predict the group from the inputs, or
  measure the gap).
- 1 point: the ratio of 0.81 settles nothing: with 60 applicants the interval is wide and reaches
  well below 0.8; the rule is a rule of thumb for selection in employment, and passing it is no
  proof.
- 1 point: not all definitions can hold at once where the groups' shares differ. Names two that
  conflict and says which one fits this decision and why: an argument is asked for, not a certain
  choice.
- 1 point: costs with people in them: says who is refused or approved under the proposal that wasn't
  before, or who bears a loan that can't be paid; or that thresholds for each group treat people by
  their group, which the law may forbid.
- 1 point: who decides and what follows: persons who answer for it with those concerned heard, the
  choice written down (data sheet, model card), reasons given to those refused, measuring again
  after the start, and when to stop.
- No point for "remove the bias from the data" or "collect more data" without saying which.""",
    exemplars={
        "full": """\
The 92 % say how often the model does what our officers did. The labels are their decisions;
whether a refused applicant would have paid back isn't in the file, and if officers treated people
unequally then a model that agrees with them does so too. Leaving out the group doesn't help where
the district and the employer's branch carry it: I would train a model to predict the group from
the inputs, and if it can, the model isn't blind. The ratio of 0.81 comes from 60 applicants in the
smaller group; a bootstrap interval would reach far to both sides of 0.8, and the four-fifths rule
is a rule of thumb from employment law anyway. As the groups differ in how many were approved,
equal approval rates, equal error rates and calibrated scores can't all be had. I would look at
error rates among people who paid back, because a person who can pay should have the same chance in
either group; for that we need repayment, at least of those who got a loan, and a small number
approved on trial. Equal approval by a threshold for each group would refuse some of the larger
group with scores above the old line and give others loans that they may not be able to pay; it
also decides by group, so our lawyers must be asked first. The choice isn't mine: the committee
should decide it, hear people from the districts, and write it into the model card with the gaps
and their intervals. Those refused get reasons and a person to turn to; we measure every quarter
and stop if the gap in errors grows.""",
        "partial": """\
The model could still discriminate through the district, which is a proxy. The training data come
from past decisions, which may have been biased. We should check equalized odds as well as
demographic parity, although both can't hold if the base rates differ. The sample is small.""",
        "typical": """\
The model doesn't use the group, so it can't discriminate, and the ratio of 0.81 is above 0.8, so it
passes the test. Its accuracy is as good as the officers'. If there is any bias left it is in the
data, and with more data it will go away. It can be deployed.""",
    },
)
