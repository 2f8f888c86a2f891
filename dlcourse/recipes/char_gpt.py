"""A GPT on characters: ``python -m dlcourse.recipes.char_gpt``, or by torchrun.

It reads the help texts of Python itself (``pydoc_data.topics``, part of the standard library), or
``--text FILE``, and holds out the last tenth. Each epoch, and at the end with the weights that were
best there, it reports the loss on that part in nats a character (natural logarithms) and in bits
(nats / ln 2): what a character would cost if the model compressed the text. Then it writes a few
lines. The epoch is chosen on the same part, so its loss is a little flattering.

A run that is killed goes on with ``--resume``, bit for bit on the CPU; on a GPU as far as its
kernels are deterministic. Expected on a GPU, not measured yet: about 1.5 nats in under a minute.
"""

import dlcourse.training  # noqa: F401  # before torch: it says what to install where that is missing

# isort: split
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn import functional as F

from dlcourse.data.provenance import DataError
from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.recipes import running
from dlcourse.recipes.running import Precision, Run
from dlcourse.training.data import Order
from dlcourse.training.fit import fit, load_best
from dlcourse.training.randomness import derived_seed
from dlcourse.training.step import Batch

CONTEXT = 64  # characters
LINES = 5  # to sample


def read(path: Path | None) -> str:
    """The text to learn: the file ``path``, or Python's help texts, sorted by their keys.

    Raises DataError for a file that can't be read, is empty, or isn't UTF-8.
    """
    if path is None:
        from pydoc_data.topics import topics

        return "\n".join(topics[key] for key in sorted(topics))
    try:
        text = path.read_text("utf8")
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} isn't text in UTF-8 (byte {error.start} can't be decoded): save it as UTF-8"
        ) from None
    if not text:
        raise DataError(f"{path} is empty: give a file with text in it")
    return text


def held_out(text: str, context: int) -> tuple[str, str]:
    """The text, and its last tenth. Raises DataError if a part is shorter than two contexts."""
    end = len(text) - len(text) // 10
    if len(text) - end < 2 * context:
        raise DataError(
            f"the text has {len(text)} characters: with a context of {context} it needs at least "
            f"{20 * context}, so that its last tenth holds two"
        )
    return text[:end], text[end:]


class Windows:
    """Batches (x, y) of windows of ``tokens`` (N,), both (B, context); y is x one place on.

    Windows lie end to end and don't overlap, but for what y looks ahead. A shuffled epoch begins at
    a place of its own, which depends on seed and epoch, so that every window is cut many ways.
    Every pass is the same unless ``start(epoch)`` is called before it, as the trainer does.
    """

    def __init__(
        self,
        tokens: Tensor,
        context: int,
        batch_size: int,
        device: torch.device,
        *,
        seed: int = 0,
        shuffle: bool = True,
    ):
        self.tokens, self.context = tokens.to(device), context
        spare = context if shuffle else 1  # tokens that no window begins with
        size = (len(tokens) - spare) // context
        self.order = Order(size, batch_size, seed=seed, shuffle=shuffle)

    def start(self, epoch: int, batch: int = 0) -> None:
        """Let the next iteration be that of ``epoch``, without its first ``batch`` batches."""
        self.order.start(epoch, batch)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Batch]:
        order, first = self.order, self.order.batch
        order.batch = 0
        # 0 is the order of windows itself
        place = derived_seed(order.seed, order.epoch, 0) % self.context if order.shuffle else 0
        windows = self.tokens[place:].unfold(0, self.context + 1, self.context)  # a view
        batches = order.indices(first)
        if not batches:
            return
        joined = torch.cat(list(batches)).to(self.tokens.device)  # one copy, not one a batch
        for indices in joined.split([len(b) for b in batches]):
            batch = windows[indices]  # (B, context + 1)
            yield batch[:, :-1], batch[:, 1:]


def nats(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of ``logits`` (B, T, V) for the characters ``y`` (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def bits(logits: Tensor, y: Tensor) -> Tensor:
    """The same in bits a character."""
    return nats(logits, y) / math.log(2)


def train(run: Run, text: str, config: GPTConfig | None = None) -> dict[str, float]:
    """Train on the text but its last tenth, report that, and write a few lines."""
    options, device = run.options, run.ranks.device
    vocabulary = sorted(set(text))
    number = {character: i for i, character in enumerate(vocabulary)}
    config = config or GPTConfig(len(vocabulary), CONTEXT)
    first, last = (
        torch.tensor([number[c] for c in part]) for part in held_out(text, config.context)
    )
    run.say(
        f"{len(first):,} characters to train on, {len(last):,} held out, {len(vocabulary)} kinds"
    )
    loader = Windows(first, config.context, run.batch_size, device, seed=options.seed)
    checking = Windows(last, config.context, 64, device, shuffle=False)
    model = GPT(config).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.lr, betas=(0.9, 0.99), weight_decay=0.1
    )
    steps = options.epochs * len(loader)
    trainer = run.trainer(model, optimizer, nats, steps, count=Tensor.numel, max_grad_norm=1.0)
    fit(trainer, loader, options.epochs, validation=checking, scores={"bits": bits})
    load_best(trainer)
    found = trainer.evaluate(checking, {"bits": bits})
    for line in sample(model, vocabulary, options.seed, 20 if options.smoke else 600).splitlines():
        run.say(f"  | {line}")
    return {
        "best_epoch": trainer.progress.best_epoch,
        "nats_per_character": found["loss"],
        "bits_per_character": found["bits"],
    }


@torch.no_grad()
def sample(model: GPT, vocabulary: list[str], seed: int, length: int) -> str:
    """A few lines that ``model`` writes after a line's end, of ``length`` characters at most."""
    device = model.positions.device
    newline = vocabulary.index("\n") if "\n" in vocabulary else 0
    model.eval()
    tokens = torch.tensor([[newline]], device=device)
    generator = torch.Generator(device).manual_seed(seed)
    written = model.generate(tokens, length, temperature=0.8, generator=generator)[0, 1:].tolist()
    lines = "".join(vocabulary[i] for i in written).strip("\n").splitlines()
    return "\n".join(lines[:LINES])


app = running.app()


@app.command()
def main(
    text: Annotated[
        Path | None, typer.Option(help="a file in UTF-8", show_default="Python's help texts")
    ] = None,
    out: running.OutOption = Path("runs/char_gpt"),
    resume: running.ResumeOption = False,
    smoke: running.SmokeOption = False,
    epochs: running.EpochsOption = 5,
    batch_size: running.BatchOption = 32,
    lr: running.RateOption = 0.003,
    precision: running.PrecisionOption = Precision.fp32,
    seed: running.SeedOption = 0,
) -> None:
    """Train a small GPT on the characters of a text, and let it write a few lines."""
    try:
        content = read(text)
    except DataError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if smoke:
        content = content[:30_000]
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]

    def recipe(run: Run) -> dict[str, float]:
        return train(run, content)

    running.start(
        recipe,
        running.Options(digest, out, resume, smoke, epochs, batch_size, lr, precision, seed),
    )


if __name__ == "__main__":
    app()
