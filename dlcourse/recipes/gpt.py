"""Recorded run of the unit on GPT: what a character of Python's manual costs, by several models.

    python -m dlcourse.recipes.gpt

Everything is in bits per character, so that models with different tokens can be compared. Counting
comes first, n-grams of orders 1 to 8, the order chosen on the validation part. Then networks of
about the same number of parameters in their layers, trained on as many characters each: an LSTM and
a GPT that read characters, and a GPT that reads byte pairs. A learning rate is chosen on the
validation part with the seed ``TUNING``, in trainings half as long; then come other seeds, and
only then the test part. Whole topics of the manual are held out. GPTs of four sizes show how the
loss falls with size. It takes about forty minutes of processor time; trainings run side by side,
one on each processor.
"""

import os
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.texts import load_manual
from dlcourse.data.texts import parts as split
from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.recipes.record import write
from dlcourse.scratch.bpe import Tokenizer, train_bpe
from dlcourse.scratch.ngram import NGram

CONTEXT, BATCH = 128, 8  # tokens of a window, windows of a step
LAYERS, HEADS, WIDTH = 3, 4, 96
SIZES = (12, 24, 48, 96)  # widths: four times as many parameters in the layers each
LSTM_WIDTH, LSTM_STATE = 64, 256  # as many parameters as the GPT's
MERGES = 512
EPOCHS, TUNING_EPOCHS = 8, 4  # as many characters as the training part has, each
KINDS = ("LSTM", "GPT", "GPT, byte pairs")
RATES = {
    "LSTM": (0.01, 0.03, 0.1),
    "GPT": (0.001, 0.003, 0.01),
    "GPT, byte pairs": (0.001, 0.003, 0.01),
}
ORDERS = range(1, 9)
TUNING, SEEDS = 100, range(3)
BLOCK = 500  # bytes: text is drawn anew in blocks, because neighbours are alike


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
    """One pass: rows (CONTEXT + 1,) end to end from a place drawn by lot, in an order by lot."""
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


def blocks(cost: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Bits (K,) of each run of BLOCK bytes: a token's belong to the run that it begins in."""
    begins = np.cumsum(lengths) - lengths
    return np.bincount(begins // BLOCK, cost)


def bootstrap(first: np.ndarray, second: np.ndarray, per: int, draws: int = 4000) -> dict:
    """How many bits per character the second costs more than the first, with a 95 % interval.

    Both are (seeds, K), bits of the same blocks, of ``per`` characters in all. Each draw takes
    blocks with replacement, the same for both, and seeds with replacement, for each its own.
    """
    rng, found = np.random.default_rng(0), []
    for _ in range(draws):
        chosen = rng.integers(first.shape[1], size=first.shape[1])
        means = [
            each[rng.integers(len(each), size=len(each))][:, chosen].sum() / len(each)
            for each in (first, second)
        ]
        found.append((means[1] - means[0]) / per)
    low, high = np.quantile(found, (0.025, 0.975))
    mean = (second.sum() / len(second) - first.sum() / len(first)) / per
    apart = bool(low > 0 or high < 0)
    return {"mean": float(mean), "low": float(low), "high": float(high), "told_apart": apart}


def power_law(sizes: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """Exponent a and factor c of the best ``c * sizes ** -a``, by least squares of logarithms."""
    slope, height = np.polyfit(np.log(sizes), np.log(losses), 1)
    return -float(slope), float(np.exp(height))


# the run ----------------------------------------------------------------------


class Training(NamedTuple):
    """What is trained, and on which part it is judged."""

    kind: str
    lr: float
    seed: int
    width: int
    epochs: int
    part: str


class Trained(NamedTuple):
    """What it costs on that part, in bits of each block (K,), and what it took."""

    cost: np.ndarray
    seconds: float  # of a processor, training alone
    parameters: int
    in_layers: int  # parameters that aren't of embeddings or the head


def trained(job: Training) -> Trained:
    """Train, and judge."""
    torch.set_num_threads(1)
    text, begin = prepared(job.kind), time.process_time()
    net, _ = fit(job.kind, job.lr, job.seed, width=job.width, epochs=job.epochs)
    seconds = time.process_time() - begin
    cost = bits(net, text.tokens[job.part], text.vocab_size)
    sizes = {name: p.numel() for name, p in net.named_parameters()}
    own = sum(n for name, n in sizes.items() if "embedding" not in name and "head" not in name)
    found = Trained(blocks(cost, text.lengths[job.part]), seconds, sum(sizes.values()), own)
    print(job, round(seconds), round(cost.sum() / text.characters[job.part], 4), flush=True)
    return found


@contextmanager
def side_by_side(workers: int) -> Iterator:
    """A ``map`` over trainings, on so many processes; with 0 here, one after the other."""
    if not workers:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _row(name: str, cost: np.ndarray, **more) -> dict:
    each = cost.sum(1) / prepared().characters["test"]
    sd = float(each.std(ddof=1)) if len(each) > 1 else 0.0
    return {"name": name, "bits": float(each.mean()), "bits_sd": sd, "each": each.tolist()} | more


def run(seeds: range = SEEDS, workers: int = 0) -> dict:
    """Rows of the models, the differences that the chapter speaks of, and sizes."""
    text = prepared()
    size, lengths, per = text.vocab_size, text.lengths["test"], text.characters["test"]
    ngrams: list[dict] = []
    found = {}
    for order in ORDERS:
        model = NGram(order, size).fit(text.tokens["train"])
        valid = float(model.bits(text.tokens["validation"]).mean())
        cost = model.bits(text.tokens["test"])
        found[order] = blocks(cost, lengths)[None]
        ngrams.append({"order": order, "validation": valid, "test": float(cost.mean())})
    best = min(ngrams, key=lambda each: each["validation"])["order"]
    rows = [_row("uniform", blocks(np.full(len(lengths), np.log2(size)), lengths)[None])]
    rows += [_row(f"{n}-gram", found[n], order=n) for n in sorted({1, 3, best})]
    with side_by_side(workers) as each:
        tuning = [
            Training(kind, lr, TUNING, WIDTH, TUNING_EPOCHS, "validation")
            for kind in KINDS
            for lr in RATES[kind]
        ]
        tried: dict[str, list[dict]] = {kind: [] for kind in KINDS}
        for job, done in zip(tuning, each(trained, tuning), strict=True):
            cost = done.cost.sum() / prepared(job.kind).characters["validation"]
            tried[job.kind].append({"lr": job.lr, "validation": float(cost)})
        rates = {kind: min(t, key=lambda e: e["validation"])["lr"] for kind, t in tried.items()}
        # a rate isn't chosen anew for each size: the wider, the smaller, by the root
        wanted = [(kind, rates[kind], WIDTH) for kind in KINDS]
        wanted += [("GPT", rates["GPT"] * (WIDTH / w) ** 0.5, w) for w in SIZES if w != WIDTH]
        jobs = [Training(kind, lr, s, w, EPOCHS, "test") for kind, lr, w in wanted for s in seeds]
        results = list(each(trained, jobs))
    groups = [results[i : i + len(seeds)] for i in range(0, len(results), len(seeds))]
    rows_of, costs = {}, {f"{best}-gram": found[best]}
    for (kind, lr, width), group in zip(wanted, groups, strict=True):
        made = np.stack([done.cost for done in group])
        about = {
            "lr": lr,
            "parameters": group[0].parameters,
            "in_layers": group[0].in_layers,
            "seconds": float(np.mean([done.seconds for done in group])),
        }
        row = _row(kind if width == WIDTH else f"width {width}", made, **about)
        rows_of[kind, width] = row | {"width": width}, made
        if width == WIDTH:
            rows.append(row | {"tried": tried[kind]})
            costs[kind] = made
    pairs = [
        {"first": first, "second": second} | bootstrap(costs[first], costs[second], per)
        for first, second in (
            (f"{best}-gram", "LSTM"),
            (f"{best}-gram", "GPT"),
            ("LSTM", "GPT"),
            ("GPT", "GPT, byte pairs"),
        )
    ]
    return {
        "characters": text.characters,
        "alphabet": size,
        "epochs": EPOCHS,
        "tuning_epochs": TUNING_EPOCHS,
        "merges": MERGES,
        "tokens": {part: len(t) for part, t in prepared(KINDS[2]).tokens.items()},
        "rows": rows,
        "ngrams": ngrams,
        "best_order": best,
        "pairs": pairs,
        "scaling": _scaling([rows_of["GPT", width] for width in SIZES]),
    }


def _scaling(sizes: list[tuple[dict, np.ndarray]], draws: int = 2000) -> dict:
    """A power law through GPTs of several sizes, and what all but the largest say about it.

    The intervals are over seeds and blocks.
    """
    counts = np.array([row["in_layers"] for row, _ in sizes], float)
    means = np.array([row["bits"] for row, _ in sizes])

    def foretold(losses: np.ndarray) -> float:
        exponent, factor = power_law(counts[:-1], losses[:-1])
        return factor * counts[-1] ** -exponent

    rng, drawn, off = np.random.default_rng(0), [], []
    for _ in range(draws):
        total = sizes[0][1].shape[1]
        chosen = rng.integers(total, size=total)
        losses = np.array(
            [c[rng.integers(len(c), size=len(c))][:, chosen].mean() for _, c in sizes]
        )
        drawn.append(power_law(counts, losses)[0])
        off.append(foretold(losses) / losses[-1])
    low, high = np.quantile(drawn, (0.025, 0.975))
    off_low, off_high = np.quantile(off, (0.025, 0.975)) - 1
    return {
        "sizes": [row for row, _ in sizes],
        "exponent": power_law(counts, means)[0],
        "low": float(low),
        "high": float(high),
        "predicted": float(foretold(means)),
        "found": float(means[-1]),
        "off_low": float(off_low),  # how much too high what is foretold is, as a share
        "off_high": float(off_high),
    }


if __name__ == "__main__":
    result = run(workers=os.cpu_count() or 1)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    path = write(
        "gpt",
        result,
        seeds=SEEDS,
        seconds=sum(each.ru_utime + each.ru_stime for each in used),
        packages=("numpy", "torch"),
    )
    print(f"wrote {path}")
