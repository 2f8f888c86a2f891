"""The exercises of ``capstone``: an interval over splits, what results show, and a study's form.

Conventions: a difference is the second's score minus the first's, the model's minus the baseline's;
the deviation divides by one less than the number of splits; the ratio in the root is test over
train; scores are one number a split, of the same splits for both.
"""

import numpy as np
import torch  # noqa: F401, so that the sheet's first cell imports it for the learner

from dlcourse.checks.core.exercise import Case, Exercise, Question

ASK, TELL, REPORT = "capstone-ask", "capstone-tell", "capstone-report"
FORBIDS = ("dlcourse.recipes.resampled",)


# corrected_interval -----------------------------------------------------------

corrected_interval = Exercise(
    "corrected_interval",
    "An interval that knows of the splits",
    parts={"mean": 1, "low": 1, "high": 1},
    minutes=15,
    difficulty=2,
    outcomes=(TELL,),
    forbids=FORBIDS,
)


@corrected_interval.cases
def _(rng):
    first, second = np.array([0.8, 0.7, 0.9]), np.array([0.9, 0.9, 0.9])
    yield Case((first, second, 90, 30, 4.303), "three splits")
    yield Case((np.array([0.5, 0.75]), np.array([0.75, 0.5]), 40, 40, 12.706), "only two splits")
    yield Case((np.array([2.0, 3.0, 1.0, 2.5]), np.array([1.0, 2.5, 0.5, 1.0]), 20, 60, 3.182), "")
    while True:
        k = int(rng.integers(4, 21))
        first = rng.normal(size=k)
        train, test = (int(size) for size in rng.integers(20, 400, size=2))
        yield first, first + rng.normal(0.3, 0.5, size=k), train, test + 400 * (test == train), 2.5


@corrected_interval.answer
def _(first, second, train_size, test_size, t):
    differences = second - first
    mean = differences.mean()
    spread = differences.std(ddof=1) * np.sqrt(1 / len(differences) + test_size / train_size)
    return mean, mean - t * spread, mean + t * spread


@corrected_interval.alternative
def by_sums(first, second, train_size, test_size, t):
    k, total = len(first), 0.0
    mean = (sum(second) - sum(first)) / k
    for a, b in zip(first, second, strict=True):
        total += (b - a - mean) ** 2
    half = t * (total / (k - 1) * (1 / k + test_size / train_size)) ** 0.5
    return mean, mean - half, mean + half


@corrected_interval.alternative
def by_variances(first, second, train_size, test_size, t):
    k = len(first)
    together = np.cov(first, second)  # divides by k - 1
    variance = together[0, 0] + together[1, 1] - 2 * together[0, 1]
    half = t * np.sqrt(variance / k + variance * test_size / train_size)
    mean = np.mean(second) - np.mean(first)
    return mean, mean - half, mean + half


ENDS = ("low", "high")


@corrected_interval.mistake(
    "That is the interval of measurements which have nothing to do with each other. Your splits "
    "share their items: which term of the root says so?",
    loses=ENDS,
)
def as_if_independent(first, second, train_size, test_size, t):
    differences = second - first
    mean, half = differences.mean(), t * differences.std(ddof=1) / np.sqrt(len(differences))
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "Both methods met the same split. What they share, an easy test part say, should cancel: take "
    "the deviation of what is left.",
    loses=ENDS,
)
def unpaired(first, second, train_size, test_size, t):
    mean = second.mean() - first.mean()
    variance = first.var(ddof=1) + second.var(ddof=1)
    half = t * np.sqrt(variance * (1 / len(first) + test_size / train_size))
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "Your deviation divides by the number of splits. The mean was taken from the same numbers: "
    "how many are free to vary?",
    loses=ENDS,
)
def population_deviation(first, second, train_size, test_size, t):
    differences = second - first
    mean = differences.mean()
    half = t * differences.std() * np.sqrt(1 / len(differences) + test_size / train_size)
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "A positive difference should mean that the second scored more. Which one do you take away?"
)
def the_other_way_round(first, second, train_size, test_size, t):
    differences = first - second
    mean = differences.mean()
    half = t * differences.std(ddof=1) * np.sqrt(1 / len(differences) + test_size / train_size)
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "Let the test part shrink to almost nothing: should the correction grow? Look at your ratio.",
    loses=ENDS,
)
def train_over_test(first, second, train_size, test_size, t):
    differences = second - first
    mean = differences.mean()
    half = t * differences.std(ddof=1) * np.sqrt(1 / len(differences) + train_size / test_size)
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "You divide by all items. The ratio is to the items that a method was trained on.",
    loses=ENDS,
)
def share_of_all(first, second, train_size, test_size, t):
    differences = second - first
    mean, share = differences.mean(), test_size / (test_size + train_size)
    half = t * differences.std(ddof=1) * np.sqrt(1 / len(differences) + share)
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "Variances are added, deviations aren't: one root over the sum, not a sum of roots.",
    loses=ENDS,
)
def sum_of_roots(first, second, train_size, test_size, t):
    differences = second - first
    mean = differences.mean()
    spread = np.sqrt(1 / len(differences)) + np.sqrt(test_size / train_size)
    half = t * differences.std(ddof=1) * spread
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "Your half width is in squared units. A variance isn't a distance yet.", loses=ENDS
)
def variance_for_deviation(first, second, train_size, test_size, t):
    differences = second - first
    mean = differences.mean()
    half = t * differences.var(ddof=1) * np.sqrt(1 / len(differences) + test_size / train_size)
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "You take 1.96 whatever the number of splits. Few differences say little of their own spread, "
    "and `t` reckons with that.",
    loses=ENDS,
)
def always_the_normal(first, second, train_size, test_size, t):
    differences = second - first
    mean = differences.mean()
    half = 1.96 * differences.std(ddof=1) * np.sqrt(1 / len(differences) + test_size / train_size)
    return mean, mean - half, mean + half


@corrected_interval.mistake(
    "You handed back the half width, or its distance from 0. The ends stand on both sides of the "
    "mean.",
    loses=ENDS,
)
def around_zero(first, second, train_size, test_size, t):
    differences = second - first
    half = t * differences.std(ddof=1) * np.sqrt(1 / len(differences) + test_size / train_size)
    return differences.mean(), -half, half


# splits_needed ----------------------------------------------------------------

splits_needed = Exercise(
    "splits_needed",
    "How many splits are enough?",
    parts={"splits": 2, "floor": 1},
    minutes=15,
    difficulty=3,
    outcomes=(TELL,),
    kind="derive",
    forbids=FORBIDS,
)


@splits_needed.cases
def _(rng):
    yield Case((1.0, 2.0, 400, 300, 2.0), "four splits are enough exactly")
    yield Case((1.0, 0.5, 400, 100, 2.0), "less than the floor: no number is enough")
    yield Case((1.0, 1.0, 400, 100, 2.0), "the floor itself: no number gets there", ("splits",))
    yield Case((1.0, 3.0, 400, 100, 2.0), "one split is enough", ("splits",))
    while True:
        sd, z = rng.uniform(0.5, 3), rng.uniform(1.5, 2.6)
        train = int(rng.integers(200, 900))
        test = int(train * rng.uniform(0.1, 0.8))
        k, ratio = int(rng.integers(3, 30)), test / train
        here, before = (z * sd * np.sqrt(1 / n + ratio) for n in (k, k - 1))
        yield sd, here + rng.uniform(0.2, 0.8) * (before - here), train, test, z


@splits_needed.answer
def _(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = (half_width / (z * sd)) ** 2 - ratio  # what 1 / k may be at most
    return (int(np.ceil(1 / left)) if left > 0 else 0), z * sd * np.sqrt(ratio)


@splits_needed.alternative
def by_trying(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    floor = z * sd * ratio**0.5
    if half_width <= floor:
        return 0, floor
    k = 1
    while z * sd * (1 / k + ratio) ** 0.5 > half_width:
        k += 1
    return k, floor


@splits_needed.alternative
def by_variances_of_both(sd, half_width, train_size, test_size, z):
    import math

    floor = z * sd * math.sqrt(test_size / train_size)
    room = half_width**2 * train_size - (z * sd) ** 2 * test_size
    return (math.ceil((z * sd) ** 2 * train_size / room) if room > 0 else 0), floor


@splits_needed.mistake(
    "You rounded down. With that many the interval is still a little too wide.", loses=("splits",)
)
def rounded_down(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = (half_width / (z * sd)) ** 2 - ratio
    return (int(1 / left * 0.999999) if left > 0 else 0), z * sd * np.sqrt(ratio)


@splits_needed.mistake(
    "You always add one. Is that right where the width is reached exactly?", loses=("splits",)
)
def one_too_many(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = (half_width / (z * sd)) ** 2 - ratio
    return (int(1 / left) + 1 if left > 0 else 0), z * sd * np.sqrt(ratio)


@splits_needed.mistake(
    "That is for splits which share nothing. What stays under the root when there are infinitely "
    "many of yours?"
)
def no_floor(sd, half_width, train_size, test_size, z):
    return int(np.ceil((z * sd / half_width) ** 2)), 0.0


@splits_needed.mistake(
    "Put your number of splits back into the width: it doesn't come out. What undoes a root?",
    loses=("splits",),
)
def not_squared(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = half_width / (z * sd) - np.sqrt(ratio)
    return (int(np.ceil(1 / left)) if left > 0 else 0), z * sd * np.sqrt(ratio)


@splits_needed.mistake(
    "A number of splits can't be negative. What does it mean when nothing is left for 1 / k?",
    loses=("splits",),
)
def negative(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = (half_width / (z * sd)) ** 2 - ratio
    return int(np.ceil(1 / left)) if left else 0, z * sd * np.sqrt(ratio)


@splits_needed.mistake(
    "The half width has three factors. Which one of them is missing, in both of your numbers?"
)
def without_z(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = (half_width / sd) ** 2 - ratio
    return (int(np.ceil(1 / left)) if left > 0 else 0), sd * np.sqrt(ratio)


@splits_needed.mistake(
    "Your ratio stands on its head: a small test part shares few items with the other splits."
)
def ratio_turned(sd, half_width, train_size, test_size, z):
    ratio = train_size / test_size
    left = (half_width / (z * sd)) ** 2 - ratio
    return (int(np.ceil(1 / left)) if left > 0 else 0), z * sd * np.sqrt(ratio)


@splits_needed.mistake(
    "Your floor is a variance. In which unit is the half width?", loses=("floor",)
)
def floor_squared(sd, half_width, train_size, test_size, z):
    ratio = test_size / train_size
    left = (half_width / (z * sd)) ** 2 - ratio
    return (int(np.ceil(1 / left)) if left > 0 else 0), (z * sd) ** 2 * ratio


# what_it_shows ----------------------------------------------------------------

what_it_shows = Exercise(
    "what_it_shows",
    "What does it show?",
    parts=dict.fromkeys("abcdefg", 1),
    minutes=12,
    difficulty=2,
    outcomes=(ASK, TELL),
    kind="choose",
    of="value",
)


@what_it_shows.answer
def _():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "unfair",
        "d": "can't tell",
        "e": "unfair",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.alternative
def as_a_dict_call():
    words = ["better", "can't tell", "unfair", "can't tell", "unfair", "can't tell", "equal"]
    return dict(zip("abcdefg", words, strict=True))


@what_it_shows.alternative
def by_word():
    out = dict.fromkeys("bdf", "can't tell") | dict.fromkeys("ce", "unfair")
    out |= {"a": "better", "g": "equal"}
    return out


@what_it_shows.mistake(
    "You went by the number in the middle. What do the ends of (b) allow? And of twenty intervals "
    "at 95 %, how many leave 0 out where there is no difference at all?",
    loses=("b", "f", "g"),
)
def by_the_middle():
    return {
        "a": "better",
        "b": "better",
        "c": "unfair",
        "d": "can't tell",
        "e": "unfair",
        "f": "better",
        "g": "better",
    }


@what_it_shows.mistake(
    "An interval is right for what was measured. Ask of (c) and (e) whether both sides had the "
    "same chances, and who had seen the test parts before.",
    loses=("c", "e"),
)
def believes_every_interval():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "better",
        "d": "can't tell",
        "e": "better",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "Not to have seen a difference isn't to have seen that there is none. How large a difference "
    "would (d) have missed?",
    loses=("b", "d"),
)
def not_seen_is_equal():
    return {
        "a": "better",
        "b": "equal",
        "c": "unfair",
        "d": "equal",
        "e": "unfair",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "Caution is cheap: at some point a result says something. Where is 0 in the interval of (a)? "
    "Which differences does that of (g) still allow? And in (c) and (e) the trouble isn't chance.",
    loses=("a", "c", "e", "g"),
)
def never_sure():
    return dict.fromkeys("abcdefg", "can't tell")


@what_it_shows.mistake(
    "How large a difference would the interval of (d) still allow, either way?",
    loses=("d",),
)
def equal_for_d():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "unfair",
        "d": "equal",
        "e": "unfair",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "The interval of (b) holds 0, and a difference of a point too. Which of them is ruled out?",
    loses=("b",),
)
def equal_for_b():
    return {
        "a": "better",
        "b": "equal",
        "c": "unfair",
        "d": "can't tell",
        "e": "unfair",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "The middle of (b) lies above 0. What do its ends allow?",
    loses=("b",),
)
def better_for_b():
    return {
        "a": "better",
        "b": "better",
        "c": "unfair",
        "d": "can't tell",
        "e": "unfair",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "Who chose the network of (c), and by which data?",
    loses=("c",),
)
def better_for_c():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "better",
        "d": "can't tell",
        "e": "unfair",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "Which side of (e) was allowed to try more often?",
    loses=("e",),
)
def better_for_e():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "unfair",
        "d": "can't tell",
        "e": "better",
        "f": "can't tell",
        "g": "equal",
    }


@what_it_shows.mistake(
    "Of twenty intervals at 95 %, how many leave 0 out where there is no difference at all?",
    loses=("f",),
)
def better_for_f():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "unfair",
        "d": "can't tell",
        "e": "unfair",
        "f": "better",
        "g": "equal",
    }


@what_it_shows.mistake(
    "Which differences does the interval of (g) still allow? Would one of them have mattered?",
    loses=("g",),
)
def cant_tell_for_g():
    return {
        "a": "better",
        "b": "can't tell",
        "c": "unfair",
        "d": "can't tell",
        "e": "unfair",
        "f": "can't tell",
        "g": "can't tell",
    }


# study ------------------------------------------------------------------------

T95 = {5: 2.7764, 10: 2.2622, 15: 2.1448, 20: 2.0930}  # 97.5 % of t, one degree less than splits

study = Exercise(
    "study",
    "Your study, in numbers",
    parts={"question": 1, "baseline": 2, "model": 2, "interval": 2, "cost": 1, "limits": 2},
    minutes=240,
    difficulty=3,
    outcomes=(ASK, REPORT),
    kind="design",
    of="value",
    forbids=FORBIDS,
)


@study.observe
def _(candidate):
    found = candidate()
    if type(found) is not dict:
        raise TypeError("`study` should be a dict")
    asked = {
        "question": ("question", "data"),
        "baseline": ("baseline",),
        "model": ("model",),
        "interval": ("interval", "train_size", "test_size"),
        "cost": ("parameters", "seconds"),
        "limits": ("limits",),
    }
    return {part: {name: found.get(name) for name in names} for part, names in asked.items()}


@study.judge
def _(case, parts):
    def numbers(value):
        """A flat array of finite numbers, or None."""
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return None
        return array if array.ndim == 1 and np.isfinite(array).all() else None

    def number(value):
        array = numbers([value])
        return None if array is None else float(array[0])

    def sentence(value, length):
        return isinstance(value, str) and len(value.strip()) >= length

    said = {}
    asked = parts["question"]
    if not sentence(asked["question"], 15) or "?" not in asked["question"]:
        said["question"] = "`question` should be a whole question, with its question mark."
    elif not sentence(asked["data"], 30):
        said["question"] = "`data` should say which data, of whom, and how many, in a sentence."

    scores = {name: numbers(parts[name][name]) for name in ("baseline", "model")}
    for name, value in scores.items():
        if value is None:
            said[name] = f"`{name}` should be a list of finite numbers: one score a split."
        elif len(value) < 5:
            said[name] = f"`{name}` has scores of fewer than 5 splits."
        elif len(value) not in T95:
            said[name] = f"`{name}` should have a score for each of 5, 10, 15 or 20 splits."
        elif name == "model" and np.ptp(value) == 0:
            said[name] = f"`{name}` has the same score in every split: was it run once, and copied?"
    if not {"baseline", "model"} & said.keys() and len(scores["baseline"]) != len(scores["model"]):
        said["model"] = "`model` needs a score for each of the baseline's splits: they are pairs."

    given = numbers(parts["interval"]["interval"])
    sizes = [number(parts["interval"][name]) for name in ("train_size", "test_size")]
    if {"baseline", "model"} & said.keys():
        said["interval"] = "`interval` can't be judged before both have their scores."
    elif given is None or len(given) != 2:
        said["interval"] = "`interval` should be two numbers, low and high."
    elif any(size is None or size < 1 or size != int(size) for size in sizes):
        said["interval"] = "`train_size` and `test_size` should be whole numbers of items."
    else:
        differences = scores["model"] - scores["baseline"]
        k, mean = len(differences), differences.mean()
        spread = T95[k] * differences.std(ddof=1)
        half = spread * np.sqrt(1 / k + sizes[1] / sizes[0])

        def is_interval(middle, width):
            ends = np.array([middle - width, middle + width])
            return np.abs(given - ends).max() <= 1e-3 * half + 1e-12

        if is_interval(-mean, half) and not is_interval(mean, half):
            said["interval"] = "`interval` is that of the baseline minus the model."
        elif is_interval(mean, spread / np.sqrt(k)):
            said["interval"] = "`interval` takes the splits for independent, which they aren't."
        elif not is_interval(mean, half):
            said["interval"] = "`interval` doesn't follow from the scores and sizes given here."

    cost = [number(parts["cost"][name]) for name in ("parameters", "seconds")]
    if any(value is None or value <= 0 for value in cost):
        said["cost"] = "`parameters` and `seconds` of the model should be numbers above 0."

    limits = parts["limits"]["limits"]
    if not isinstance(limits, list):
        said["limits"] = "`limits` should be a list, with a sentence for each."
    elif len({str(limit).strip() for limit in limits}) < 3:
        said["limits"] = "`limits` should be a list of at least three different sentences."
    elif not all(sentence(limit, 20) for limit in limits):
        said["limits"] = "`limits` should be whole sentences, each of 20 characters or more."
    return said


@study.answer
def _():
    baseline = np.array([0.1303, 0.1288, 0.1311, 0.1269, 0.1326])
    model = np.array([0.1271, 0.1262, 0.1255, 0.1275, 0.1284])
    differences = model - baseline
    spread = differences.std(ddof=1) * np.sqrt(1 / 5 + 613 / 1800)
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": baseline,
        "model": model,
        "interval": differences.mean() + 2.7764 * spread * np.array([-1, 1]),
        "parameters": 961,
        "seconds": 4.2,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.alternative
def ten_splits_in_lists():
    baseline = [0.90, 0.88, 0.91, 0.89, 0.93, 0.90, 0.87, 0.92, 0.90, 0.89]
    model = [0.92, 0.91, 0.90, 0.92, 0.94, 0.91, 0.91, 0.92, 0.93, 0.90]
    gaps = [b - a for a, b in zip(baseline, model, strict=True)]
    mean = sum(gaps) / 10
    variance = sum((gap - mean) ** 2 for gap in gaps) / 9
    half = 2.2622 * (variance * (1 / 10 + 1000 / 4000)) ** 0.5
    return {
        "title": "what else stands in the dict is nobody's business",
        "question": "Does a small CNN read digits better than one on features made by hand?",
        "data": "5,000 of MNIST's digits, by writers who don't occur twice (LeCun et al., 1998).",
        "train_size": 4000,
        "test_size": 1000,
        "baseline": baseline,
        "model": model,
        "interval": (mean - half, mean + half),
        "parameters": 9098,
        "seconds": 40,
        "limits": (
            "Digits that fill a box and stand in its middle: not what a camera sees.",
            "The features by hand are mine, made in an afternoon; others may be better.",
            "With ten splits a difference of less than half a point couldn't have been seen.",
        ),
    }


@study.alternative
def nothing_between_them():
    return {
        "question": "Does dropout help on clothes?",
        "data": "Fashion-MNIST, 70,000 photographs of a shop's articles (Xiao et al., 2017).",
        "train_size": 60_000,
        "test_size": 10_000,
        "baseline": [0.1] * 5,
        "model": [0.1, 0.1, 0.2, 0.1, 0.1],
        "interval": [0.02 - 2.7764 * 0.002**0.5 * (1 / 5 + 1 / 6) ** 0.5, 0.0952],
        "parameters": 1000,
        "seconds": 3,
        "limits": [
            "Shoes and coats of one shop.",
            "Five splits of one heap.",
            "Only one rate was tried, for both.",
        ],
    }


@study.alternative
def where_nothing_was_shown():
    baseline = np.array([0.61, 0.64, 0.60, 0.66, 0.62])
    model = np.array([0.62, 0.61, 0.63, 0.65, 0.62])
    gaps = model - baseline
    half = 2.776 * np.sqrt(gaps.var(ddof=1) * (1 / 5 + 100 / 200))
    return {
        "question": "Do two hidden layers tell penguins apart better than logistic regression?",
        "data": "Palmer penguins: 300 adults of three species on three islands, measured once.",
        "train_size": 200,
        "test_size": 100,
        "baseline": baseline.tolist(),
        "model": model.tolist(),
        "interval": [float(gaps.mean() - half), float(gaps.mean() + half)],
        "parameters": 83,
        "seconds": 1.5,
        "limits": [
            "I couldn't tell the two apart; with 100 birds a gap of two points would hide.",
            "Only three islands: where a bird was seen may say more than its beak.",
            "The settings were tried on one validation part, and three of each kind only.",
        ],
    }


@study.mistake(
    "Would the answer be the same tomorrow? A single score can't say. What changes from one run "
    "to the next, and how often do you have to look?",
    loses=("baseline", "model", "interval"),
)
def one_run():
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": [0.1303],
        "model": [0.1271],
        "interval": [-0.0032, -0.0032],
        "parameters": 961,
        "seconds": 4.2,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.mistake(
    "The scores of the model are all the same. Is it trained anew on each split, and scored on "
    "that split's own test part?",
    loses=("model", "interval"),
)
def copied():
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": [0.1303, 0.1288, 0.1311, 0.1269, 0.1326],
        "model": [0.1271] * 5,
        "interval": [-0.0056, -0.0001],
        "parameters": 961,
        "seconds": 4.2,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.mistake(
    "Your interval is the usual one, for measurements that share nothing. You have written the "
    "right one on this sheet.",
    loses=("interval",),
)
def the_usual_interval():
    baseline = np.array([0.1303, 0.1288, 0.1311, 0.1269, 0.1326])
    model = np.array([0.1271, 0.1262, 0.1255, 0.1275, 0.1284])
    differences = model - baseline
    spread = differences.std(ddof=1) * np.sqrt(1 / 5)
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": baseline,
        "model": model,
        "interval": differences.mean() + 2.7764 * spread * np.array([-1, 1]),
        "parameters": 961,
        "seconds": 4.2,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.mistake(
    "Which of the two do you take away? The interval is of the model's score minus the baseline's.",
    loses=("interval",),
)
def turned_round():
    baseline = np.array([0.1303, 0.1288, 0.1311, 0.1269, 0.1326])
    model = np.array([0.1271, 0.1262, 0.1255, 0.1275, 0.1284])
    differences = baseline - model
    spread = differences.std(ddof=1) * np.sqrt(1 / 5 + 613 / 1800)
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": baseline,
        "model": model,
        "interval": differences.mean() + 2.7764 * spread * np.array([-1, 1]),
        "parameters": 961,
        "seconds": 4.2,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.mistake(
    "That is a topic, or a wish. What would somebody have to see to answer no?",
    loses=("question",),
)
def a_topic():
    baseline = np.array([0.1303, 0.1288, 0.1311, 0.1269, 0.1326])
    model = np.array([0.1271, 0.1262, 0.1255, 0.1275, 0.1284])
    differences = model - baseline
    spread = differences.std(ddof=1) * np.sqrt(1 / 5 + 613 / 1800)
    return {
        "question": "Predicting house prices with deep learning",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": baseline,
        "model": model,
        "interval": differences.mean() + 2.7764 * spread * np.array([-1, 1]),
        "parameters": 961,
        "seconds": 4.2,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.mistake(
    "Somebody has to decide whether it is worth it. What does it take to train the model once?",
    loses=("cost",),
)
def free_of_charge():
    baseline = np.array([0.1303, 0.1288, 0.1311, 0.1269, 0.1326])
    model = np.array([0.1271, 0.1262, 0.1255, 0.1275, 0.1284])
    differences = model - baseline
    spread = differences.std(ddof=1) * np.sqrt(1 / 5 + 613 / 1800)
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": baseline,
        "model": model,
        "interval": differences.mean() + 2.7764 * spread * np.array([-1, 1]),
        "parameters": 961,
        "limits": [
            "One town and five years: nothing follows for other towns or for today.",
            "Two measurements of a house; its condition isn't among them.",
            "Five splits of the same houses, so differences below a point are lost in the spread.",
        ],
    }


@study.mistake(
    "What, in particular, can't be concluded from your numbers? Think of who isn't in the data, of "
    "what wasn't measured, and of how small a difference you'd have missed.",
    loses=("limits",),
)
def no_limits():
    baseline = np.array([0.1303, 0.1288, 0.1311, 0.1269, 0.1326])
    model = np.array([0.1271, 0.1262, 0.1255, 0.1275, 0.1284])
    differences = model - baseline
    spread = differences.std(ddof=1) * np.sqrt(1 / 5 + 613 / 1800)
    return {
        "question": "Does a network predict house prices with a smaller error than a line does?",
        "data": "2,413 houses sold normally in Ames, Iowa, from 2006 to 2010 (De Cock, 2011).",
        "train_size": 1800,
        "test_size": 613,
        "baseline": baseline,
        "model": model,
        "interval": differences.mean() + 2.7764 * spread * np.array([-1, 1]),
        "parameters": 961,
        "seconds": 4.2,
        "limits": ["More data would help."],
    }


# in words ---------------------------------------------------------------------

study_plan = Question(
    "study_plan",
    "Your plan, before the first run",
    points=6,
    minutes=40,
    outcomes=(ASK,),
    rubric="""\
- 1 point: a question that can come out "no", about one thing that changes, in a score that fits it.
- 1 point: where the data are from, whose they are, how many, what is missing in them, and why they
  may be used.
- 2 points: a baseline that somebody would really use, with the same inputs, and with as much effort
  at its settings as the model; 1 point for a baseline that is only there to be beaten.
- 1 point: split, settings to be tried and the number of splits fixed beforehand; what belongs
  together (a person, a day, a copy) stays on one side.
- 1 point: what difference would matter, and what will be said if the interval holds 0.
- No point for what could only be written after the run. A plan may turn out wrong.""",
    exemplars={
        "full": """\
Question: on houses in Ames, is the mean absolute error of log prices smaller for a network of one
hidden layer of 32 units than for a straight line, both from log area and neighbourhood? Data:
dlcourse.data.ames, 2,930 sales from 2006 to 2010 (De Cock 2011), records of houses, no names; I
keep the 2,413 normal sales, since forced sales and transfers within families are priced by
something else, and say so. Not in them: condition, year built. Baseline: median regression on the
same inputs, four strengths of its penalty; network: four learning rates; each chosen on a
validation part within the split. Ten random splits, 1,400 / 400 / 613. Houses are sold once in
these years as far as I can see; I check for rows that are equal. A point of error is about 1,600
dollars on a usual house: less than half a point wouldn't be worth a network. If the interval holds
0, I will say that I can't tell, and how small a difference I could have seen.""",
        "partial": """\
I compare a neural network with linear regression on the Ames data. The score is the mean absolute
error. I use 80 % for training and 20 % for testing, and repeat it with five seeds. If the
network has the smaller error it is better.""",
        "typical": """\
I want to show that deep learning predicts house prices well. I will train a deep network with many
layers and tune it until the error is as small as possible, and compare with linear regression with
default settings.""",
    },
)

study_report = Question(
    "study_report",
    "Your report",
    points=12,
    minutes=90,
    outcomes=(REPORT,),
    rubric="""\
- 2 points: the answer stands in the first two sentences, with its interval in a unit that a reader
  understands; "can't be told apart" where it is so. A "no" earns as much as a "yes".
- 2 points: a table or figure with baseline, model, their spread and number of splits; axes with
  units; nothing in the text that isn't in a run of this notebook.
- 2 points: what was tried and left out is named, and every departure from the plan, with a reason.
- 2 points: at least one failure looked at: which items the model gets wrong, and a guess why, which
  is marked as a guess and could be tested; 1 point for a list without a guess.
- 1 point: what it costs, and whether the difference is worth it.
- 2 points: what doesn't follow: other people, places, times, a cause; who could be harmed by using
  it, and what they could do about it.
- 1 point: somebody else could repeat it: sources, seeds, versions, runs from top to bottom.
- No points for length, for the size of the network, or for the size of the difference.""",
    exemplars={
        "full": """\
From area and neighbourhood, a small network's error on Ames house prices was below a straight
line's by 0.3 points of price (95 % interval 0.1 to 0.6, ten splits): about 540 dollars on a usual
house. Whether it is the half point I asked for can't be said; I wouldn't use it yet: it took four
times as long, and needs care at its learning rate. Table:
line 13.1 %, network 12.8 %, boosting 13.8 %, spread over splits 0.3 each. Against a line on area
alone, which I had planned first, the network would have been ahead by six points; nearly all of
that is the neighbourhood, not the network. Departures: the plan had no boosting; I added it
afterwards, so take its row as a hint. I left out 517 sales that weren't normal. Looking at the ten
worst houses, eight went for far less than the prediction; I guess that they were in poor condition,
which isn't among the inputs; with that column the guess could be tested. It doesn't follow that
networks are better at prices: one town, five years with a crash in them, two inputs. A bank that
lends by such a prediction would mark down whole neighbourhoods, whoever lives there; people should
be able to see and contest it. Seeds 0 to 9, versions at the end, runs in half a minute.""",
        "partial": """\
The network has a mean error of 12.8 % and linear regression 13.1 %, so the network is better by 0.3
points. Both were trained on ten splits. The network takes longer. With more data and features, the
results would improve. The data are only from Ames.""",
        "typical": """\
The deep network reached an excellent error of only 11.9 % on seed 7, beating the baseline clearly.
This shows that deep learning is superior for house prices. In future work a transformer could be
used.""",
    },
)
