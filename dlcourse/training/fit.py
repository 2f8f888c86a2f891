"""The usual loop over epochs: train, validate, keep the best, stop when it gets no better."""

from collections.abc import Iterable, Sized
from typing import Any

import torch
from torch import Tensor

from dlcourse.training import checkpoint
from dlcourse.training.errors import require_int
from dlcourse.training.evaluation import Scores
from dlcourse.training.step import Batch
from dlcourse.training.trainer import Trainer


def fit(
    trainer: Trainer,
    loader: Iterable[Batch],
    epochs: int,
    *,
    validation: Iterable[Batch] | None = None,
    scores: Scores | None = None,
    patience: int | None = None,
) -> list[dict]:
    """Train until ``epochs`` are complete, those before a resume included; return a row an epoch.

    After each epoch the loss and ``scores`` on ``validation`` are logged, the best weights kept,
    and a checkpoint is written. With ``patience`` it stops after that many epochs without a lower
    validation loss. The model is left as the last epoch made it: the best weights come from
    :func:`best_weights` or :func:`load_best`. Raises ValueError for patience without validation.

    Source: Prechelt, *Early Stopping: But When?* (1998), section 2, for patience.
    """
    require_int("epochs", epochs, 0)
    if patience is not None:
        require_int("patience", patience)
        if validation is None:
            raise ValueError("patience needs validation data")
    p = trainer.progress
    if isinstance(loader, Sized):
        trainer.total_steps = epochs * -(-len(loader) // trainer.accumulation_steps)
    while p.epoch < epochs and not (patience and p.epoch - p.best_epoch >= patience):
        row: dict[str, Any] = {"epoch": p.epoch + 1, "train_loss": trainer.train_epoch(loader)}
        row["step"] = p.step
        if validation is not None:
            found = trainer.evaluate(validation, scores)
            row |= {f"validation_{name}": value for name, value in found.items()}
            if found["loss"] < p.best_loss:
                p.best_loss, p.best_epoch = found["loss"], p.epoch
                _keep(trainer)
        p.history.append(row)
        trainer.log(row)
        if trainer.checkpoints:
            trainer.save()
    return p.history


def best_weights(trainer: Trainer) -> dict[str, Tensor]:
    """State of the model (its moving average where there is one) after the best epoch, on the CPU.

    To go on with them, call :func:`load_best`. Raises ValueError if there is no best epoch.
    """
    p = trainer.progress
    if trainer.checkpoints and p.best_epoch:
        return checkpoint.read(trainer.checkpoints.best)
    if trainer.best is not None:
        return trainer.best
    if p.best_epoch:
        raise ValueError("the best weights were kept in memory alone: give the trainer checkpoints")
    if validated := [row["epoch"] for row in p.history if "validation_loss" in row]:
        raise ValueError(
            f"no epoch is the best: the validation loss was finite in none of {len(validated)}"
        )
    raise ValueError("no epoch has been validated yet: give fit validation data")


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of ``y`` (...) that is the largest of ``logits`` (..., classes): a score for fit."""
    return (logits.argmax(-1) == y).to(torch.float32).mean()


def _keep(trainer: Trainer) -> None:
    model = trainer.average.module if trainer.average else trainer.model
    if not trainer.ranks.is_main and trainer.checkpoints:
        return
    weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    if trainer.checkpoints:
        checkpoint.write(weights, trainer.checkpoints.best)
    else:
        trainer.best = weights


def load_best(trainer: Trainer) -> None:
    """Put the best weights into the model, and into its average, which ``evaluate`` takes.

    Raises ValueError if there is no best epoch.
    """
    weights = best_weights(trainer)
    trainer.model.load_state_dict(weights)
    if trainer.average:
        trainer.average.module.load_state_dict(weights)
