"""Recorded run of the unit on gates: who speaks, a sum over a long way, and what each gate is for.

    python -m dlcourse.recipes.lstm

Three experiments. *Speakers*: which of nine men says a vowel, by recurrent readers with and without
gates, beside a random forest and two linear models that see each utterance's means and deviations
alone. *Adding*: two marked numbers among 40 have to be added at the end. *Latch*: a stream in which
a value has to be stored, kept, replaced and told on demand, by LSTMs of which one gate stands open
for good. A learning rate is chosen on the speakers by three folds of the training part, elsewhere
by tuning seeds with data of their own; then come other seeds, and only then the test part. It takes
about twenty minutes of processor time, shared by as many processes as there are processors.
"""

import os
from functools import cache
from itertools import combinations, repeat

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.japanese_vowels import TRAIN, load_japanese_vowels
from dlcourse.models.lstm import LSTM, Reader, ReaderConfig
from dlcourse.models.mingru import MinGRU
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.record import write
from dlcourse.recipes.side_by_side import processor_seconds, side_by_side

SPEAKERS, HIDDEN, EPOCHS, BATCH, FOLDS = 9, 32, 40, 30, 3
RATES = (0.01, 0.03, 0.1, 0.3)
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # of the logistic regression: 1 / penalty
SHRINKAGES = (0.1, 0.2, 0.3, 0.4, 0.5)  # of the linear discriminant
TREES = 500
READERS: dict[str, dict] = {
    "RNN": {"layer": "rnn"},
    "LSTM": {"layer": "lstm"},
    "LSTM, forget bias 1": {"layer": "lstm", "forget_bias": 1.0},
    "LSTM, both directions": {"layer": "lstm", "bidirectional": True},
    "LSTM, steps shuffled": {"layer": "lstm"},
    "GRU": {"layer": "gru"},
    "MinGRU": {"layer": "mingru"},
}
WAY, ADDINGS, ADDING_BATCH = 40, 600, 32  # steps, updates, sequences an update
KEEPING = "RNN, a start that keeps"  # ReLU, and the identity for its weight_hh
ADDING_RATES = (0.003, *RATES)
ADDERS = ("RNN", KEEPING, "LSTM", "LSTM, forget bias 1", "GRU", "MinGRU")
LATCH, LATCH_HIDDEN, LATCHES = 20, 8, 600
GATES = ("none", "i", "f", "o")
TUNING = (100, 101)


# speakers ---------------------------------------------------------------------


@cache
def utterances() -> tuple[Tensor, Tensor, Tensor]:
    """Steps (640, 29, 12), scaled by the training part, zeros behind; lengths, speakers."""
    x, lengths, speakers, _ = load_japanese_vowels()
    there = np.arange(x.shape[1]) < lengths[:, None]
    steps = x[:TRAIN][there[:TRAIN]]
    x = np.where(there[:, :, None], (x - steps.mean(0)) / steps.std(0), 0.0)
    return torch.tensor(x, dtype=torch.float32), torch.from_numpy(lengths), torch.tensor(speakers)


@cache
def shuffled() -> Tensor:
    """The same steps, those of each utterance in a random order."""
    x, lengths, _ = utterances()
    x, rng = x.clone(), np.random.default_rng(0)
    for row, length in zip(x, lengths.tolist(), strict=True):
        row[:length] = row[torch.from_numpy(rng.permutation(length))]
    return x


def seen_by(name: str) -> Tensor:
    """The steps that a reader of this name gets."""
    return shuffled() if "shuffled" in name else utterances()[0]


def summary() -> np.ndarray:
    """Mean and deviation of each channel over an utterance (640, 24): no order, no length."""
    x, lengths, _ = utterances()
    rows = [row[:n].numpy() for row, n in zip(x, lengths.tolist(), strict=True)]
    return np.array([np.r_[row.mean(0), row.std(0)] for row in rows], np.float64)


def folds() -> list[tuple[np.ndarray, np.ndarray]]:
    """Three pairs (train, validation) of the training part; every third utterance of a speaker."""
    rows = np.arange(TRAIN)
    return [(rows[rows % FOLDS != k], rows[rows % FOLDS == k]) for k in range(FOLDS)]


def _falling(optimizer, steps: int):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)


def fit_reader(name: str, lr: float, seed: int, rows: np.ndarray) -> Reader:
    """Adam on cross-entropy, with a rate that falls to 0, on the utterances ``rows``."""
    x, (_, lengths, speakers) = seen_by(name), utterances()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Reader(ReaderConfig(x.shape[2], SPEAKERS, HIDDEN, **READERS[name]))
    rng, optimizer = np.random.default_rng(1000 + seed), torch.optim.Adam(net.parameters(), lr=lr)
    schedule = _falling(optimizer, EPOCHS * -(-len(rows) // BATCH))
    for _ in range(EPOCHS):
        for batch in torch.from_numpy(rng.permutation(rows)).split(BATCH):
            longest = int(lengths[batch].max())
            logits = net(x[batch, :longest], lengths[batch])
            loss = nn.functional.cross_entropy(logits, speakers[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def right(name: str, net: Reader, rows: np.ndarray) -> np.ndarray:
    """Whether the speaker was recognised, for each of ``rows``."""
    _, lengths, speakers = utterances()
    chosen = torch.from_numpy(rows)
    guess = net(seen_by(name)[chosen], lengths[chosen]).argmax(1)
    return (guess == speakers[chosen]).numpy()


def forest(seed: int, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether a random forest on the summaries is right."""
    from sklearn.ensemble import RandomForestClassifier

    features, speakers = summary(), utterances()[2].numpy()
    model = RandomForestClassifier(TREES, random_state=seed).fit(features[train], speakers[train])
    return model.predict(features[rows]) == speakers[rows]


def linear(strength: float, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether a logistic regression on the summaries, scaled by ``train``, is right."""
    from sklearn.linear_model import LogisticRegression

    features, speakers = summary(), utterances()[2].numpy()
    features = (features - features[train].mean(0)) / features[train].std(0)
    model = LogisticRegression(C=strength, max_iter=5000).fit(features[train], speakers[train])
    return model.predict(features[rows]) == speakers[rows]


def discriminant(shrinkage: float, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether a linear discriminant on the summaries is right, with a shrunken covariance."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    features, speakers = summary(), utterances()[2].numpy()
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    return model.fit(features[train], speakers[train]).predict(features[rows]) == speakers[rows]


# adding -----------------------------------------------------------------------


def additions(rng: np.random.Generator, n: int, steps: int = WAY) -> tuple[Tensor, Tensor]:
    """Numbers and marks (n, steps, 2), one mark in each half; the sum of the marked two (n,)."""
    x = np.zeros((n, steps, 2))
    x[:, :, 0] = rng.uniform(size=(n, steps))
    rows = np.arange(n)
    for low, high in ((0, steps // 2), (steps // 2, steps)):
        x[rows, rng.integers(low, high, size=n), 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class Adder(nn.Module):
    """The last state to one number. Torch's own layers, which are ours to twelve digits, faster.

    The start that keeps is that of Le, Jaitly and Hinton, *A Simple Way to Initialize Recurrent
    Networks of Rectified Linear Units* (arXiv 1504.00941, 2015), with larger weights for the input.
    """

    def __init__(self, kind: str):
        super().__init__()
        self.layer: nn.Module
        if kind == "MinGRU":
            self.layer = MinGRU(2, HIDDEN)
        elif kind == KEEPING:
            self.layer = nn.RNN(2, HIDDEN, batch_first=True, nonlinearity="relu")
            nn.init.normal_(self.layer.get_parameter("weight_ih_l0"), std=0.3)
            nn.init.eye_(self.layer.get_parameter("weight_hh_l0"))
            nn.init.zeros_(self.layer.get_parameter("bias_ih_l0"))
            nn.init.zeros_(self.layer.get_parameter("bias_hh_l0"))
        else:
            own = {"RNN": nn.RNN, "GRU": nn.GRU}.get(kind, nn.LSTM)
            self.layer = own(2, HIDDEN, batch_first=True)
        if kind == "LSTM, forget bias 1":
            with torch.no_grad():
                self.layer.bias_ih_l0[HIDDEN : 2 * HIDDEN] += 1  # type: ignore[index, operator]
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])[:, 0]


def fit_adder(kind: str, lr: float, seed: int) -> list[float]:
    """Mean squared errors on 500 other sequences, ten times along the way."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Adder(kind)
    rng = np.random.default_rng(1000 + seed)
    test = additions(np.random.default_rng(2000 + seed), 500)
    optimizer, curve = torch.optim.Adam(net.parameters(), lr=lr), []
    schedule = _falling(optimizer, ADDINGS)
    for step in range(1, ADDINGS + 1):
        x, y = additions(rng, ADDING_BATCH)
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % (ADDINGS // 10) == 0:
            with torch.no_grad():
                curve.append(float(nn.functional.mse_loss(net(test[0]), test[1])))
    return curve


# latch ------------------------------------------------------------------------


def latches(rng: np.random.Generator, n: int, steps: int = LATCH) -> tuple[Tensor, Tensor]:
    """Value, "store" and "tell" (n, steps, 3); what to say (n, steps): the value stored last, or 0.

    A value comes at every step; it counts where "store" is 1, one step in five and at the first.
    Where "tell" is 1, half of the steps, the value stored last is the answer, elsewhere 0.
    """
    value = rng.uniform(-1, 1, size=(n, steps))
    store, tell = rng.random((n, steps)) < 0.2, rng.random((n, steps)) < 0.5
    store[:, 0] = True
    last = np.maximum.accumulate(np.where(store, np.arange(steps), 0), axis=1)
    held = np.take_along_axis(value, last, axis=1)
    x = np.stack([value, store, tell], axis=2)
    answer = np.where(tell, held, 0.0)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(answer, dtype=torch.float32)


class OpenGate(LSTM):
    """An LSTM of which one gate, i, f or o, is 1 for good; "none" is the whole LSTM."""

    def __init__(self, input_size: int, hidden_size: int, gate: str):
        super().__init__(input_size, hidden_size)
        self.gate = gate

    def step(self, a: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = a.chunk(4, dim=1)
        i, f, o = (
            torch.ones_like(c) if self.gate == name else torch.sigmoid(each)
            for name, each in (("i", i), ("f", f), ("o", o))
        )
        c = f * c + i * torch.tanh(g)
        return o * torch.tanh(c), c


class Latch(nn.Module):
    """Every state to one number."""

    def __init__(self, gate: str):
        super().__init__()
        self.layer, self.head = OpenGate(3, LATCH_HIDDEN, gate), nn.Linear(LATCH_HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0])[:, :, 0]


def fit_latch(gate: str, lr: float, seed: int) -> float:
    """Mean squared error on 500 other sequences."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Latch(gate)
    rng = np.random.default_rng(1000 + seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = _falling(optimizer, LATCHES)
    for _ in range(LATCHES):
        x, y = latches(rng, 32)
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    x, y = latches(np.random.default_rng(2000 + seed), 500)
    with torch.no_grad():
        return float(nn.functional.mse_loss(net(x), y))


# the run ----------------------------------------------------------------------


def _best(settings, score) -> tuple[float, list[dict]]:
    """The setting with the largest score, and all of them."""
    tried = [{"setting": each, "score": float(score(each))} for each in settings]
    return max(tried, key=lambda each: each["score"])["setting"], tried


def _row(name: str, values: list[float], **more) -> dict:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"name": name, "each": values, "mean": float(np.mean(values)), "sd": sd} | more


def _baselines(seeds: range) -> list[tuple[dict, np.ndarray]]:
    """Rows, and whether each is right on the test part (seeds, utterances)."""
    train, test = np.arange(TRAIN), np.arange(TRAIN, len(utterances()[1]))
    right_of = np.stack([forest(seed, train, test) for seed in seeds])
    found = [(_row("random forest", right_of.mean(1).tolist()), right_of)]
    for name, judge, settings in (
        ("logistic regression", linear, STRENGTHS),
        ("linear discriminant", discriminant, SHRINKAGES),
    ):
        best, tried = _best(
            settings, lambda c, judge=judge: np.mean([judge(c, *fold).mean() for fold in folds()])
        )
        right_of = judge(best, train, test)[None]
        row = _row(name, right_of.mean(1).tolist(), setting=best, tried=tried)
        found.append((row, right_of))
    return found


def _reader(name: str, seeds: range) -> tuple[dict, np.ndarray]:
    """The same of a network, its rate chosen by the folds."""
    torch.set_num_threads(1)
    train, test = np.arange(TRAIN), np.arange(TRAIN, len(utterances()[1]))
    lr, tried = _best(
        RATES,
        lambda lr: np.mean(
            [
                right(name, fit_reader(name, lr, 100 + k, fold[0]), fold[1]).mean()
                for k, fold in enumerate(folds())
            ]
        ),
    )
    nets = [fit_reader(name, lr, seed, train) for seed in seeds]
    right_of = np.stack([right(name, net, test) for net in nets])
    size = sum(p.numel() for p in nets[0].parameters())
    more = {"setting": lr, "tried": tried, "parameters": size}
    return _row(name, right_of.mean(1).tolist(), **more), right_of


def _adding(kind: str, seeds: range) -> dict:
    """The row of one network that adds. A training that ends in NaN counts as an error of 1e6."""
    torch.set_num_threads(1)

    def tuned(lr: float) -> float:
        ends = [fit_adder(kind, lr, seed)[-1] for seed in TUNING]
        return -float(np.mean(np.nan_to_num(ends, nan=1e6, posinf=1e6)))

    lr, tried = _best(ADDING_RATES, tuned)
    curves = [fit_adder(kind, lr, seed) for seed in seeds]
    return _row(kind, [curve[-1] for curve in curves], setting=lr, tried=tried, curves=curves)


def _latch(gate: str, seeds: range) -> dict:
    """The row of an LSTM with that gate open."""
    torch.set_num_threads(1)
    lr, tried = _best(RATES, lambda lr: -np.mean([fit_latch(gate, lr, seed) for seed in TUNING]))
    errors = [fit_latch(gate, lr, seed) for seed in seeds]
    return _row(gate, errors, setting=lr, tried=tried)


def run(seeds: range = range(5), workers: int = 0) -> dict:
    """Rows of the three experiments, and how far all pairs of readers differ."""
    with side_by_side(workers) as each:
        readers = each(_reader, READERS, repeat(seeds))
        adding = each(_adding, ADDERS, repeat(seeds))
        latch = each(_latch, GATES, repeat(seeds))
        known = [*_baselines(seeds), *readers]
        rows = {"rows": [row for row, _ in known], "adding": [*adding], "latch": [*latch]}
    pairs = []
    for (first, one), (second, other) in combinations(known, 2):
        found = paired_bootstrap(one, other, rng=np.random.default_rng(0))
        apart = found._asdict() | {"told_apart": found.told_apart}
        pairs.append({"first": first["name"], "second": second["name"]} | apart)
    return rows | {"pairs": pairs}


if __name__ == "__main__":
    seeds = range(5)
    result = run(seeds, workers=os.cpu_count() or 1)
    path = write(
        "lstm",
        result,
        seeds=seeds,
        seconds=processor_seconds(),
        packages=("numpy", "torch", "scikit-learn", "sktime"),
    )
    print(f"wrote {path}")
