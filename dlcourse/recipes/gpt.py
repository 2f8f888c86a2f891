"""Recorded run of the unit on GPT: what a character of Python's manual costs, by several models.

    python -m dlcourse.recipes.gpt

Everything is in bits per character, so that models with different tokens can be compared. Counting
comes first, n-grams mixed in two ways, the order chosen on the validation part. Then networks of
about the same number of parameters in their layers, trained on as many characters each: an LSTM and
a GPT that read characters, and a GPT that reads byte pairs. A learning rate is chosen for each on
the validation part with the seed ``TUNING``, in trainings half as long; then come other seeds, and
only then the test part. Whole topics of the manual are held out, and drawn anew for the intervals.
GPTs of four sizes show how the loss falls with size; the LSTM and the GPT are trained once more,
twice as long, and the one with byte pairs for as many steps as the other. It takes more than an
hour of processor time; trainings run side by side, one on each processor.
"""

import bz2
import lzma
import os
import time
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.texts import drawn, load_manual
from dlcourse.data.texts import parts as split
from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.recipes.record import write
from dlcourse.recipes.side_by_side import processor_seconds, side_by_side
from dlcourse.scratch.bpe import Tokenizer, train_bpe
from dlcourse.scratch.ngram import NGram, Smoothing

CONTEXT, BATCH = 128, 8  # tokens of a window, windows of a step
LAYERS, HEADS, WIDTH = 3, 4, 96
SIZES = (12, 24, 48, 96)  # widths: four times as many parameters in the layers each
LSTM_WIDTH, LSTM_STATE = 64, 256  # as many parameters as the GPT's
MERGES = 512
EPOCHS, TUNING_EPOCHS = 8, 4  # as many characters as the training part has, each
LONGER = 16  # for two of them, to see whether they were at their end
KINDS = ("LSTM", "GPT", "GPT, byte pairs")
RATES = {
    "LSTM": (0.01, 0.03, 0.1),
    "GPT": (0.001, 0.003, 0.01),
    "GPT, byte pairs": (0.001, 0.003, 0.01),
}
SMALL_RATES = (0.003, 0.01, 0.03, 0.1)  # of the GPTs of other widths
ORDERS = range(1, 11)
COUNTED: dict[str, Smoothing] = {
    "": "witten-bell",
    ", Kneser-Ney": "kneser-ney",
}  # what is added to an n-gram's name
TUNING, SEEDS = 100, range(3)
REREAD = 1000  # characters after which one that goes on counting has counted anew


# text -------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """One way to cut the manual's parts into tokens."""

    vocab_size: int
    tokens: dict[str, np.ndarray]  # of each part
    lengths: dict[str, np.ndarray]  # bytes that each token stands for
    characters: dict[str, int]  # of each part


@cache
def texts() -> dict[str, str]:
    """The three parts of the manual without its repeats."""
    return split(load_manual()[0])


@cache
def alphabet() -> str:
    """The characters of the manual, in their order: 0 is the first."""
    return "".join(sorted(set("".join(load_manual()[0].values()))))


@cache
def tokenizer() -> Tokenizer:
    """Byte pairs, learned from the training part alone."""
    return Tokenizer(train_bpe(texts()["train"], MERGES))


def characters(text: str) -> np.ndarray:
    """The characters of ``text`` as numbers (N,). Raises ValueError for one that isn't there."""
    return np.array([alphabet().index(c) for c in text], np.int64)


@cache
def prepared(kind: str = "GPT") -> Text:
    """The parts as a kind of model reads them."""
    if kind == "GPT, byte pairs":
        encode, words = tokenizer().encode, tokenizer().tokens
    else:
        encode, words = characters, [c.encode() for c in alphabet()]
    sizes = np.array([len(word) for word in words])
    tokens = {part: encode(text) for part, text in texts().items()}
    return Text(
        len(words),
        tokens,
        lengths={part: sizes[each] for part, each in tokens.items()},
        characters={part: len(text) for part, text in texts().items()},
    )


# networks ---------------------------------------------------------------------


class Recurrent(nn.Module):
    """An LSTM over tokens (B, T), to logits (B, T, V) of what follows."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, LSTM_WIDTH)
        self.lstm = nn.LSTM(LSTM_WIDTH, LSTM_STATE, batch_first=True)
        self.head = nn.Linear(LSTM_STATE, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0])


def network(kind: str, seed: int, width: int = WIDTH) -> nn.Module:
    """One of ``KINDS``; first weights from ``seed``, torch's generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        size = prepared(kind).vocab_size
        if kind == "LSTM":
            return Recurrent(size)
        net = GPT(GPTConfig(size, CONTEXT, LAYERS, HEADS, width))
        with torch.no_grad():  # GPT-2's first values are for a width of 768: here larger ones
            for parameter in net.parameters():
                if parameter.ndim > 1:
                    parameter.mul_((768 / width) ** 0.5)
        return net


def windows(tokens: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """One pass: rows (CONTEXT + 1,) end to end from a place drawn at random, in a random order."""
    start = int(rng.integers(min(CONTEXT, max(len(tokens) - CONTEXT, 1))))
    count = (len(tokens) - 1 - start) // CONTEXT
    rows = [tokens[start + i * CONTEXT :][: CONTEXT + 1] for i in range(count)]
    return [rows[i] for i in rng.permutation(count)]


def fit(
    kind: str, lr: float, seed: int, *, width: int = WIDTH, epochs: int = EPOCHS
) -> tuple[nn.Module, list[float]]:
    """AdamW on the cross-entropy of the next token; the network, and each step's bits a token.

    The rate rises for a twentieth of the steps and then falls to 0 in a line. An epoch is one pass
    over the training part, of which a window of characters sees less than one of byte pairs.
    """
    net, rng = network(kind, seed, width), np.random.default_rng(1000 + seed)
    tokens = prepared(kind).tokens["train"]
    batches = [
        rows[i : i + BATCH]
        for rows in (windows(tokens, rng) for _ in range(epochs))
        for i in range(0, len(rows) - BATCH + 1, BATCH)
    ]
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.1)
    steps = len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (steps / 20 + 1), 1 - step / steps)
    )
    losses = []
    for rows in batches:
        batch = torch.from_numpy(np.stack(rows))
        logits = net(batch[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item() / np.log(2))
    return net.eval(), losses


@torch.no_grad()
def bits(net: nn.Module, tokens: np.ndarray, vocab_size: int) -> np.ndarray:
    """What each of ``tokens`` (N,) costs, in bits (N,), the first one as if all were alike.

    Windows overlap by half, and of each the second half counts: so each token is guessed from at
    least CONTEXT / 2 before it, where there are so many.
    """
    half = CONTEXT // 2
    out = np.full(len(tokens), np.log2(vocab_size))
    starts = range(0, max(len(tokens) - 1 - half, 1), half)
    for group in np.array_split(np.array(starts), -(-len(starts) // 64)):
        rows = [tokens[s : s + CONTEXT + 1] for s in group]
        full = max(map(len, rows))
        padded = np.stack([np.pad(row, (0, full - len(row))) for row in rows])
        batch = torch.from_numpy(padded)
        losses = nn.functional.cross_entropy(
            net(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten(), reduction="none"
        ).view(len(rows), -1)
        for start, row, loss in zip(group, rows, losses.double().numpy(), strict=True):
            skip = half if start else 0  # guessed already, from more
            out[start + 1 + skip : start + len(row)] = loss[skip : len(row) - 1] / np.log(2)
    return out


# judging ----------------------------------------------------------------------


@cache
def topics() -> list[str]:
    """The topics of the test part, in its order."""
    manual = load_manual()[0]
    return [manual[name] for name in drawn(manual)["test"]]


def by_topic(cost: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Bits (K,) of each topic of the test part: a token's belong to the one that it begins in."""
    ends = np.cumsum([len(topic.encode()) for topic in topics()])
    begins = np.cumsum(lengths) - lengths
    return np.bincount(np.searchsorted(ends, begins, "right"), cost, len(ends))


def bootstrap(
    first: np.ndarray, second: np.ndarray, sizes: np.ndarray, draws: int = 4000
) -> dict[str, float | bool]:
    """How many bits per character the second costs more than the first, with a 95 % interval.

    Both are (seeds, K), bits of K topics of ``sizes`` (K,) characters. Each draw takes topics with
    replacement, the same for both, and seeds with replacement, for each its own.
    """
    rng, found = np.random.default_rng(0), []
    for _ in range(draws):
        chosen = rng.integers(len(sizes), size=len(sizes))
        means = [
            each[rng.integers(len(each), size=len(each))][:, chosen].sum() / len(each)
            for each in (first, second)
        ]
        found.append((means[1] - means[0]) / sizes[chosen].sum())
    low, high = np.quantile(found, (0.025, 0.975))
    mean = (second.sum() / len(second) - first.sum() / len(first)) / sizes.sum()
    apart = bool(low > 0 or high < 0)
    return {"mean": float(mean), "low": float(low), "high": float(high), "told_apart": apart}


def power_law(sizes: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """Exponent a and factor c of the best ``c * sizes ** -a``, by least squares of logarithms."""
    slope, height = np.polyfit(np.log(sizes), np.log(losses), 1)
    return -float(slope), float(np.exp(height))


def with_floor(sizes: np.ndarray, losses: np.ndarray) -> tuple[float, float, float] | None:
    """Floor E, exponent a and factor c of the ``E + c * sizes ** -a`` through three points.

    None where there is none: where a power without a floor falls too slowly already.
    """
    (one, two), wide = np.diff(np.log(sizes)), losses[-1]

    def bend(floor: float) -> float:
        above = np.log(losses - floor)
        return float((above[0] - above[1]) / one - (above[1] - above[2]) / two)

    if bend(0.0) <= 0:
        return None
    low, high = 0.0, float(wide)
    for _ in range(100):
        middle = (low + high) / 2
        if middle < wide and bend(middle) > 0:
            low = middle
        else:
            high = middle
    return low, *power_law(sizes, losses - low)


# counting ---------------------------------------------------------------------


def counts(suffix: str) -> list[dict]:
    """N-grams of all orders, mixed in one of the two ways: what they cost, and on which topic."""
    text, rows = prepared(), []
    for order in ORDERS:
        model = NGram(order, text.vocab_size, COUNTED[suffix]).fit(text.tokens["train"])
        cost = model.bits(text.tokens["test"])
        rows.append(
            {
                "order": order,
                "validation": float(model.bits(text.tokens["validation"]).mean()),
                "test": float(cost.mean()),
                "cost": by_topic(cost, text.lengths["test"])[None],
            }
        )
    return rows


def counting_on(order: int, smoothing: Smoothing) -> float:
    """Bits per character of the test part for an n-gram that counts what it has read of it."""
    text, total = prepared(), 0.0
    train, test = text.tokens["train"], text.tokens["test"]
    for start in range(0, len(test), REREAD):
        model = NGram(order, text.vocab_size, smoothing).fit(np.append(train, test[:start]))
        total += model.bits(test[: start + REREAD])[start:].sum()
    return float(total / len(test))


def compressed(compress) -> float:
    """Bits per character that the test part adds to the compressed training part."""
    train, test = texts()["train"].encode(), texts()["test"].encode()
    return 8 * (len(compress(train + test)) - len(compress(train))) / len(texts()["test"])


def learning_on(order: int, suffix: str) -> list[dict]:
    """What goes on learning while it reads the test part, which networks here do not."""
    return [
        {
            "name": f"{order}-gram{suffix}, counting on",
            "bits": counting_on(order, COUNTED[suffix]),
        },
        {"name": "bzip2", "bits": compressed(bz2.compress)},
        {
            "name": "LZMA",
            "bits": compressed(lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
        },
    ]


# the run ----------------------------------------------------------------------


class Training(NamedTuple):
    """What is trained, and how."""

    kind: str
    lr: float
    seed: int
    width: int
    epochs: int
    judged: bool  # on the test part, too


class Trained(NamedTuple):
    """What it costs in bits, and what it took."""

    validation: float  # bits per character of that part
    cost: np.ndarray  # (K,) bits of the test part's topics; nothing where it isn't judged on them
    seconds: float  # of a processor, training alone
    parameters: int
    in_layers: int  # parameters that aren't of embeddings or the head


def trained(job: Training) -> Trained:
    """Train, and judge."""
    torch.set_num_threads(1)
    text, begin = prepared(job.kind), time.process_time()
    net, _ = fit(job.kind, job.lr, job.seed, width=job.width, epochs=job.epochs)
    seconds = time.process_time() - begin
    cost = bits(net, text.tokens["validation"], text.vocab_size)
    validation = float(cost.sum() / text.characters["validation"])
    costs = np.zeros(0)
    if job.judged:
        cost = bits(net, text.tokens["test"], text.vocab_size)
        costs = by_topic(cost, text.lengths["test"])
    sizes = {name: p.numel() for name, p in net.named_parameters()}
    own = sum(n for name, n in sizes.items() if "embedding" not in name and "head" not in name)
    print(job, round(seconds), round(validation, 4), flush=True)
    return Trained(validation, costs, seconds, sum(sizes.values()), own)


def chosen(each, networks: list[tuple[str, int]]) -> dict[tuple[str, int], list[dict]]:
    """What each rate of each network costs on the validation part, after short trainings."""
    jobs = [
        Training(kind, lr, TUNING, width, TUNING_EPOCHS, False)
        for kind, width in networks
        for lr in (RATES[kind] if width == WIDTH else SMALL_RATES)
    ]
    tried: dict[tuple[str, int], list[dict]] = {network: [] for network in networks}
    for job, done in zip(jobs, each(trained, jobs), strict=True):
        tried[job.kind, job.width].append({"lr": job.lr, "validation": done.validation})
    return tried


def _row(name: str, cost: np.ndarray, **more) -> dict:
    each = cost.sum(1) / prepared().characters["test"]
    sd = float(each.std(ddof=1)) if len(each) > 1 else 0.0
    return {"name": name, "bits": float(each.mean()), "bits_sd": sd, "each": each.tolist()} | more


def run(seeds: range = SEEDS, workers: int = 0) -> dict:
    """Rows of the models, the differences that the chapter speaks of, and sizes."""
    text = prepared()
    size, lengths = text.vocab_size, text.lengths["test"]
    ngrams = {suffix: counts(suffix) for suffix in COUNTED}
    best = {
        suffix: min(rows, key=lambda row: row["validation"])["order"]
        for suffix, rows in ngrams.items()
    }
    plain, suffix = COUNTED
    simple, counting = (f"{best[each]}-gram{each}" for each in COUNTED)
    costs = {simple: ngrams[plain][best[plain] - 1]["cost"]}
    rows = [_row("uniform", by_topic(np.full(len(lengths), np.log2(size)), lengths)[None])]
    rows += [
        _row(f"{n}-gram", ngrams[plain][n - 1]["cost"], order=n)
        for n in sorted({1, 3, best[plain]})
    ]
    costs[counting] = ngrams[suffix][best[suffix] - 1]["cost"]
    rows.append(_row(counting, costs[counting], order=best[suffix]))

    pairs_size = len(prepared(KINDS[2]).tokens["train"])
    as_many_steps = round(EPOCHS * len(text.tokens["train"]) / pairs_size)
    networks = [(kind, WIDTH) for kind in KINDS] + [("GPT", w) for w in SIZES if w != WIDTH]
    wanted = {kind if w == WIDTH else f"width {w}": (kind, w, EPOCHS) for kind, w in networks}
    wanted |= {f"{kind}, {LONGER} passes": (kind, WIDTH, LONGER) for kind in KINDS[:2]}
    wanted[f"{KINDS[2]}, as many steps"] = (KINDS[2], WIDTH, as_many_steps)
    with side_by_side(workers) as each:
        tried = chosen(each, networks)
        rates = {net: min(t, key=lambda e: e["validation"])["lr"] for net, t in tried.items()}
        jobs = [
            Training(kind, rates[kind, width], seed, width, epochs, True)
            for kind, width, epochs in wanted.values()
            for seed in seeds
        ]
        results = list(each(trained, jobs))
    made = {}
    for i, (name, (kind, width, epochs)) in enumerate(wanted.items()):
        group = results[i * len(seeds) : (i + 1) * len(seeds)]
        costs[name] = np.stack([done.cost for done in group])
        made[name] = _row(
            name,
            costs[name],
            lr=rates[kind, width],
            width=width,
            epochs=epochs,
            parameters=group[0].parameters,
            in_layers=group[0].in_layers,
            seconds=float(np.mean([done.seconds for done in group])),
            validation=[done.validation for done in group],
            tried=tried[kind, width],
        )
    sizes = np.array([len(topic) for topic in topics()])
    longer = [f"{kind}, {LONGER} passes" for kind in KINDS[:2]]
    pairs = [
        {"first": first, "second": second} | bootstrap(costs[first], costs[second], sizes)
        for first, second in (
            (simple, counting),
            *((counting, kind) for kind in KINDS),
            ("LSTM", "GPT"),
            ("GPT", "GPT, byte pairs"),
            *zip(KINDS, longer, strict=False),
            tuple(longer),
            *((counting, name) for name in longer),
            ("GPT", f"{KINDS[2]}, as many steps"),
        )
    ]
    of_sizes = ["GPT" if width == WIDTH else f"width {width}" for width in SIZES]
    return {
        "characters": text.characters,
        "topics": sizes.tolist(),
        "alphabet": size,
        "epochs": EPOCHS,
        "tuning_epochs": TUNING_EPOCHS,
        "longer_epochs": LONGER,
        "merges": MERGES,
        "tokens": {part: len(t) for part, t in prepared(KINDS[2]).tokens.items()},
        "rows": [*rows, *(made[kind] for kind in KINDS)],
        "learning_on": learning_on(best[suffix], suffix),
        "longer": [made[name] for name in wanted if made[name]["epochs"] > EPOCHS],
        "ngrams": {
            smoothing: [{k: v for k, v in row.items() if k != "cost"} for row in ngrams[added]]
            for added, smoothing in COUNTED.items()
        },
        "best_orders": {COUNTED[added]: order for added, order in best.items()},
        "pairs": pairs,
        "scaling": _scaling([(made[name], costs[name]) for name in of_sizes], sizes),
    }


def _scaling(networks: list[tuple[dict, np.ndarray]], sizes: np.ndarray, draws: int = 2000) -> dict:
    """A power law through GPTs of several sizes, and what all but the largest say about it.

    The intervals are over seeds and topics, which have ``sizes`` (K,) characters.
    """
    counts = np.array([row["in_layers"] for row, _ in networks], float)
    means = np.array([row["bits"] for row, _ in networks])

    def predicted(losses: np.ndarray) -> float:
        exponent, factor = power_law(counts[:-1], losses[:-1])
        return factor * counts[-1] ** -exponent

    rng, exponents, off = np.random.default_rng(0), [], []
    for _ in range(draws):
        topics_drawn = rng.integers(len(sizes), size=len(sizes))
        per = sizes[topics_drawn].sum()
        losses = np.array(
            [
                cost[rng.integers(len(cost), size=len(cost))][:, topics_drawn].sum()
                / (len(cost) * per)
                for _, cost in networks
            ]
        )
        exponents.append(power_law(counts, losses)[0])
        off.append(predicted(losses) / losses[-1])
    low, high = np.quantile(exponents, (0.025, 0.975))
    off_low, off_high = np.quantile(off, (0.025, 0.975)) - 1
    floor = with_floor(counts[:3], means[:3])
    return {
        "sizes": [row for row, _ in networks],
        "exponent": power_law(counts, means)[0],
        "low": float(low),
        "high": float(high),
        "predicted": float(predicted(means)),
        "found": float(means[-1]),
        "off_low": float(off_low),  # how much too high what is predicted is, as a share
        "off_high": float(off_high),
        "floor": floor and floor[0],
        "predicted_with_floor": floor and float(floor[0] + floor[2] * counts[-1] ** -floor[1]),
    }


if __name__ == "__main__":
    result = run(workers=os.cpu_count() or 1)
    path = write(
        "gpt", result, seeds=SEEDS, seconds=processor_seconds(), packages=("numpy", "torch")
    )
    print(f"wrote {path}")
