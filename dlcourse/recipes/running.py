"""What the recipes that train a network share: options, folder, logs, resuming, the smoke run.

A recipe is a function of a :class:`Run` that trains and returns its result, and a command that
calls :func:`start`. It runs alone or under torchrun, which changes nothing in it.
"""

import dlcourse.training  # noqa: F401  # before torch: it says what to install where that is missing

# isort: split
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console as RichConsole
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from dlcourse.data.provenance import DataError
from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.distributed import Ranks, session
from dlcourse.training.errors import CheckpointError, TrainingError
from dlcourse.training.metrics import CSV, Console
from dlcourse.training.randomness import seed_everything
from dlcourse.training.step import Loss
from dlcourse.training.trainer import Trainer


class Precision(StrEnum):
    """What the forward pass computes in; weights stay float32."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


AMP = {Precision.fp32: None, Precision.bf16: torch.bfloat16, Precision.fp16: torch.float16}
MENDABLE = (DataError, TrainingError, CheckpointError, torch.OutOfMemoryError, ImportError, OSError)
SAVE_EVERY = 200  # steps
WARMUP = 0.1  # share of the steps in which the learning rate rises

OutOption = Annotated[Path, typer.Option("--out", help="folder of checkpoints, log and result")]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="go on from the newest checkpoint, if there is one")
]
SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="try every part on little data, in seconds; keeps nothing")
]
EpochsOption = Annotated[int, typer.Option("--epochs", min=1, help="passes over the data")]
BatchOption = Annotated[
    int, typer.Option("--batch-size", min=1, help="samples a step, of all ranks together")
]
RateOption = Annotated[float, typer.Option("--lr", help="the highest learning rate")]
PrecisionOption = Annotated[Precision, typer.Option("--precision", help="of the forward pass")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="of weights, order and dropout; a rank adds its number")
]


def app() -> typer.Typer:
    """An application for the one command of a recipe."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


@dataclass(frozen=True)
class Options:
    """What the command line says; raises typer.BadParameter for a rate that isn't above 0."""

    data: str  # which data, in a few words
    out: Path
    resume: bool
    smoke: bool
    epochs: int
    batch_size: int
    lr: float
    precision: Precision
    seed: int

    def __post_init__(self):
        if not 0 < self.lr < math.inf:
            raise typer.BadParameter(f"--lr is above 0, not {self.lr}")

    def decisive(self) -> dict[str, Any]:
        """The options that a resumed run must share with the one before."""
        free = {"out", "resume", "epochs"}
        return {name: value for name, value in asdict(self).items() if name not in free}


@dataclass(frozen=True)
class Run:
    """A recipe at work, on one rank."""

    options: Options
    ranks: Ranks
    console: RichConsole

    @property
    def batch_size(self) -> int:
        """Samples of this rank in a step."""
        return self.options.batch_size // self.ranks.world_size

    def say(self, text: str) -> None:
        """Print a line, on rank 0."""
        if self.ranks.is_main:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def trainer(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, loss_fn: Loss, steps: int, **more
    ) -> Trainer:
        """A trainer of this run's folder, logs and precision, resumed if the options say so.

        The learning rate rises over the first tenth of ``steps`` and falls to 0 along a cosine.
        """
        trainer = Trainer(
            model,
            optimizer,
            loss_fn,
            scheduler=LambdaLR(optimizer, lambda step: _share_of_lr(step, steps)),
            amp_dtype=AMP[self.options.precision],
            checkpoints=Checkpoints(self.options.out),
            save_every=SAVE_EVERY,
            loggers=[Console(self.console), CSV(self.options.out / "metrics.csv")],
            **more,
        )
        if self.options.resume and not trainer.resume():
            self.say(f"no checkpoint in {self.options.out} yet: starting anew")
        return trainer


Recipe = Callable[[Run], dict[str, float]]


def start(recipe: Recipe, options: Options) -> None:
    """Run ``recipe`` on this rank; its result goes to the console and to ``result.json``.

    What can be mended ends in a sentence and exit code 1.
    """
    console = RichConsole()
    try:
        with session() as ranks:
            if not options.smoke:
                _once(recipe, Run(options, ranks, console))
                return
            with _shared_folder(ranks) as folder:
                short = replace(options, out=folder, resume=False, epochs=1)
                _once(recipe, Run(short, ranks, console))
                _once(recipe, Run(replace(short, resume=True, epochs=2), ranks, console))
    except MENDABLE as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None


def _once(recipe: Recipe, run: Run) -> None:
    options, ranks = run.options, run.ranks
    if options.batch_size % ranks.world_size:
        raise typer.BadParameter(
            f"a batch of {options.batch_size} can't be shared evenly by {ranks.world_size} ranks"
        )
    _claim(options, ranks)
    seed_everything(options.seed + ranks.rank)
    result = recipe(run)
    for name, value in result.items():
        run.say(f"{name.replace('_', ' ')}: {value:.4g}")
    if ranks.is_main:
        _write(options.out / "result.json", result)


def _claim(options: Options, ranks: Ranks) -> None:
    """Make the run's folder, or refuse one that holds another run."""
    path = options.out / "options.json"
    ours = options.decisive()
    if not options.resume and Checkpoints(options.out).all():
        raise typer.BadParameter(f"{options.out} holds a run: --resume it, or give another --out")
    if options.resume and path.exists():
        theirs = json.loads(path.read_text("utf8"))
        for name in ours:
            if theirs.get(name) != ours[name]:
                raise typer.BadParameter(
                    f"the run in {options.out} has {name} {theirs.get(name)}, not {ours[name]}: "
                    "resume it with the options that it was started with"
                )
    ranks.barrier()  # every rank has looked
    if ranks.is_main:
        options.out.mkdir(parents=True, exist_ok=True)
        _write(path, ours)


def _write(path: Path, values: dict) -> None:
    partial = Path(f"{path}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n", "utf8")
    os.replace(partial, path)


@contextmanager
def _shared_folder(ranks: Ranks) -> Iterator[Path]:
    """A folder that all ranks of this machine use and that is gone afterwards."""
    folder = Path(ranks.all_gather(tempfile.mkdtemp() if ranks.is_main else None)[0])
    try:
        yield folder
        ranks.barrier()
    finally:
        if ranks.is_main:
            shutil.rmtree(folder)


def _share_of_lr(step: int, steps: int) -> float:
    """The learning rate of ``step`` (from 0), as a share of the highest."""
    rise = max(1, round(WARMUP * steps))
    if step < rise:
        return (step + 1) / rise
    done = min(1.0, (step - rise) / max(1, steps - rise))
    return 0.5 * (1 + math.cos(math.pi * done))
