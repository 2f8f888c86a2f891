"""A run: epochs of steps, watched, logged, saved within and between epochs, resumed bit for bit.

Nothing waits for the GPU at every step: losses stay on the device until a row is logged or a
checkpoint written. (torch's GradScaler does wait, for float16, unless the optimizer is fused.)
"""

import math
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse.training import checkpoint, epoch, errors, evaluation
from dlcourse.training.devices import peak_memory
from dlcourse.training.evaluation import Scores
from dlcourse.training.metrics import Logger
from dlcourse.training.progress import Progress
from dlcourse.training.randomness import random_state, set_random_state
from dlcourse.training.step import Batch, Stepper, check_batches


@dataclass(eq=False)
class Trainer(Stepper):
    """Trains ``model`` epoch by epoch; the loop is yours, or :func:`dlcourse.training.fit.fit`'s.

    A step is as :class:`~dlcourse.training.step.Stepper` says. Started by torchrun, make it inside
    :func:`dlcourse.training.distributed.session`; every rank calls the same methods. A run saved
    at any step resumes bit for bit, on the same kind of device with deterministic kernels. On more
    than two ranks torch may add up in another order in the first step after a resume.

    A plain ``DataLoader`` isn't split over ranks: each would go through all of it. Loader and
    OnDevice of :mod:`dlcourse.training.data` are. The optimizer is watched from the start: another
    one isn't to be assigned later, but needs another trainer.
    """

    _: KW_ONLY
    accumulation_steps: int = 1  # micro-batches per optimizer step
    checkpoints: checkpoint.Checkpoints | None = None
    save_every: int | None = None  # steps between checkpoints within an epoch
    loggers: Sequence[Logger] = ()
    log_every: int = 50  # steps a row

    def __post_init__(self):
        super().__post_init__()
        errors.require_int("accumulation_steps", self.accumulation_steps)
        errors.require_int("log_every", self.log_every)
        if self.save_every is not None:
            errors.require_int("save_every", self.save_every)
            if not self.checkpoints:
                raise ValueError("save_every needs checkpoints=Checkpoints(folder)")
        self.progress = Progress()
        self.total_steps: int | None = None  # of the whole run, for the time left
        self.best: dict[str, Tensor] | None = None  # weights, where there are no checkpoints
        self._last_saved: Path | None = None
        self._forget()

    def _forget(self) -> None:
        self._pending: list[tuple[int, Tensor, float]] = []  # step, loss, rate: not looked at yet
        self._last_norm = (0, math.nan)  # the last that was looked at, with its step
        self._started = False  # whether the loggers know where the run is

    def train_epoch(self, loader: Iterable[Batch]) -> float:
        """Go through ``loader`` once, or through what is left of the epoch after a resume.

        Returns the mean loss of the epoch's steps, over all ranks. Raises ValueError for a loader
        without batches, Diverged where loss or gradient isn't finite, RankLost, OutOfMemoryError.
        """
        p, size = self.progress, 0
        self._begin_epoch(loader)
        self.model.train()
        batches, started, seen, done = iter(loader), time.perf_counter(), 0, 0
        where = lambda: (f"step {p.step + 1}", size, self._last_checkpoint())  # noqa: E731
        with errors.explaining(where):
            while window := list(islice(batches, self.accumulation_steps)):
                check_batches(window)
                size = len(window[0][1])
                rate = float(self.optimizer.param_groups[0]["lr"])
                loss, updated = self.update(window)
                self._pending.append((p.step + 1, loss, rate))
                p.step, done = p.step + updated, done + updated
                p.batch += len(window)
                seen += sum(len(y) for _, y in window)
                if updated and p.step % self.log_every == 0:
                    self._look()  # waits, so that the clock reads what is done, not what is queued
                    self._log_steps(seen / done, (time.perf_counter() - started) / done)
                    started, seen, done = time.perf_counter(), 0, 0
                if updated and self.save_every and p.step % self.save_every == 0:
                    self.save()
            self._look()
        if not p.loss_steps:
            raise ValueError("the loader yielded no batch")
        mean = p.loss_sum / p.loss_steps
        p.epoch, p.batch, p.order, p.loss_sum, p.loss_steps = p.epoch + 1, 0, "", 0.0, 0
        return mean

    def evaluate(self, loader: Iterable[Batch], scores: Scores | None = None) -> dict[str, float]:
        """Mean loss over ``loader``, and the mean of each of ``scores``, over all ranks.

        A score maps (output, y) to a mean over what ``count`` counts, as the loss does. The moving
        average of weights is used where there is one. Modes of layers are left as they were. Raises
        ValueError where there is nothing to count, RankLost, OutOfMemoryError.
        """
        with self._explaining("the evaluation after"):
            return evaluation.means(self, loader, {"loss": self.loss_fn, **(scores or {})})

    def log(self, row: dict) -> None:
        """Hand ``row``, of plain numbers and with a ``step``, to the loggers of rank 0."""
        self._start_loggers()
        self.progress.rows += 1
        for logger in self.loggers if self.ranks.is_main else ():
            logger.log(row)

    def save(self, path: str | os.PathLike | None = None) -> None:
        """Write a checkpoint to ``path``, or among ``checkpoints``.

        Raises Diverged instead, if the run has diverged.
        """
        if path is None and not self.checkpoints:
            raise ValueError("where to? Give save a path, or the trainer checkpoints=")
        with self._explaining("the checkpoint of"):
            self._look()
            state = self.state()
        if not self.ranks.is_main:
            return
        if path is not None:
            checkpoint.write(state, path)
            self._last_saved = Path(path)
        elif self.checkpoints:
            self._last_saved = self.checkpoints.save(state, self.progress.step)

    def load(self, path: str | os.PathLike) -> None:
        """Go on from the checkpoint ``path``, whichever device wrote it.

        The settings of optimizer and schedule, the learning rate among them, are the checkpoint's:
        whatever yours were made with, they are replaced. Change them afterwards.
        Raises CheckpointError, and changes nothing, if it isn't one of such a run.
        """
        state = checkpoint.read(path)
        checkpoint.check(state, self.state(), self.optimizer)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.progress = Progress(**state["progress"])
        set_random_state(state["random"][self.ranks.rank], self.device)
        self._last_saved = Path(path)
        self._forget()

    def resume(self) -> bool:
        """Go on from the newest of ``checkpoints``. Returns whether there is one."""
        if not self.checkpoints:
            raise ValueError("resume needs checkpoints=Checkpoints(folder)")
        path = self.checkpoints.latest()
        if len({str(each) for each in self.ranks.all_gather(path and path.name)}) > 1:
            raise ValueError(f"ranks see different files: all need the folder {path} is in")
        if path:
            self.load(path)
        return path is not None

    def state(self) -> dict:
        """All that a checkpoint holds; the random states of every rank, so every rank must call."""
        state: dict[str, Any] = {"scheduler": {}, "average": {}}
        state |= {name: part.state_dict() for name, part in self._parts().items()}
        kinds = {name: type(part).__name__ for name, part in self._parts().items()}
        del kinds["model"]  # compared by its tensors
        names = {id(p): name for name, p in self.model.named_parameters()}
        groups = [[names.get(id(p), "?") for p in g["params"]] for g in self.optimizer.param_groups]
        random = self.ranks.all_gather(random_state(self.device))
        state |= {"kinds": kinds, "groups": groups}
        return state | {"progress": asdict(self.progress), "random": random}

    def _parts(self) -> dict[str, Any]:
        """Everything with a state of its own. ``load`` restores in this order."""
        names = ("model", "optimizer", "scheduler", "scaler", "average")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _begin_epoch(self, loader: Any) -> None:
        """Lead ``loader`` to the epoch and the place where the run is."""
        p = self.progress
        newest = self._last_checkpoint() if self.checkpoints and self.ranks.is_main else None
        if newest and self.checkpoints and self.checkpoints.step(newest) > p.step:
            raise ValueError(
                f"{newest} is ahead of this run: resume it, move it away, or give another folder"
            )
        epoch.begin(loader, p, self.ranks, within=bool(self.save_every))
        self._start_loggers()

    def _start_loggers(self) -> None:
        for logger in self.loggers if self.ranks.is_main and not self._started else ():
            logger.start(self.progress.rows, self.progress.step)
        self._started = True

    def _look(self) -> None:
        """Read the losses since the last look, waiting once; stop a run that has diverged."""
        if not self._pending:
            return
        steps, tensors, rates = zip(*self._pending, strict=True)
        losses = self.ranks.all_reduce(torch.stack(tensors).to(self.wide)) / self.ranks.world_size
        norm = self.gradient_norm().to(self.wide)
        *values, length = torch.cat([losses, norm[None]]).tolist()
        finite = [math.isfinite(value) for value in values]
        if not (math.isfinite(length) or self.scaler.is_enabled()):  # float16 may overflow
            finite[-1] = False
        if self.scaler.is_enabled() and self.scaler.get_scale() < 2.0**-14:
            finite[-1] = False  # a gradient that overflows even so is beyond 1e9, or NaN
        if not all(finite):
            i = finite.index(False)
            raise errors.diverged(
                steps[i], values[i], rates[i], length, self._last_norm, self._last_checkpoint()
            )
        self._pending, self._last_norm = [], (self.progress.step, length)
        p = self.progress
        p.loss_sum, p.loss_steps = p.loss_sum + sum(values), p.loss_steps + len(values)
        p.recent += values

    def _log_steps(self, seen: float, seconds: float) -> None:
        """Log a row; a step had ``seen`` samples on this rank, of late, and took ``seconds``."""
        p = self.progress
        row: dict[str, Any] = {"epoch": p.epoch + 1, "step": p.step}
        row |= {"loss": sum(p.recent) / len(p.recent), "grad_norm": self._last_norm[1]}
        row |= {"lr": float(self.optimizer.param_groups[0]["lr"])}
        row |= {"samples_per_second": seen * self.ranks.world_size / seconds}
        row |= {"peak_memory": peak_memory(self.device)}
        if self.total_steps:
            row["seconds_left"] = (self.total_steps - p.step) * seconds
        p.recent = []
        self.log(row)

    def _explaining(self, what: str) -> AbstractContextManager:
        """Errors in ``what`` the last step has left behind, as sentences."""
        where = lambda: (f"{what} step {self.progress.step}", None, self._last_checkpoint())  # noqa: E731
        return errors.explaining(where)

    def _last_checkpoint(self) -> Path | None:
        newest = self.checkpoints.latest() if self.checkpoints else None
        return newest or self._last_saved
