"""What can go wrong in a run, said in a sentence that tells what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import torch

FULL = ("out of memory", "can't allocate memory", "ALLOC_FAILED")  # CUDA and MPS, CPU, cuBLAS


class TrainingError(RuntimeError):
    """A run can't go on as it is; the message says why and what to do."""


class Diverged(TrainingError):
    """A loss or a gradient is NaN or infinite."""


class RankLost(TrainingError):
    """Another process of the same run has ended, so this one can't go on either."""


class CheckpointError(ValueError):
    """A checkpoint can't be used; nothing has been changed."""


class OutOfMemory(TrainingError, torch.OutOfMemoryError):
    """The device's memory is full."""


def require_int(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless the setting ``value`` is an integer, and at least ``least``."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is an integer of at least {least}, not {value!r}")


@contextmanager
def explaining(where: Callable[[], tuple[str, int | None, object]]) -> Iterator[None]:
    """Errors of torch that are of a known kind leave as sentences; others as they are.

    ``where`` gives the place in words, the samples of a micro-batch where that is a training step,
    and the last good checkpoint or None.
    """
    try:
        yield
    except TrainingError:  # a sentence already
        raise
    except RuntimeError as error:
        place, batch_size, checkpoint = where()
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError) or any(words in text for words in FULL):
            raise OutOfMemory(
                f"out of memory in {place}{_smaller(batch_size)}, or set "
                "amp_dtype=torch.bfloat16, or make the model smaller. " + _kept(checkpoint)
            ) from error
        if isinstance(error, torch.distributed.DistError) or "gloo" in text or "NCCL" in text:
            # such as: [/…/gloo/…/pair.cc:553] Connection closed by peer [127.0.0.1]:21380. This is
            first = text.partition("\n")[0]
            reason = first.partition(".cc:")[2].partition("] ")[2].partition(". ")[0]
            lost = "another rank of this run has ended" if reason else "the ranks lost each other"
            reason = reason or " ".join(text.split())[:400]  # NCCL says at its end what to mend
            raise RankLost(
                f"{lost}, in {place} ({reason}): where a rank has ended, its own message says "
                "why. Start the same command again. " + _kept(checkpoint)
            ) from error
        raise


def diverged(
    step: int, loss: float, lr: float, grad_norm: float, last: tuple[int, float], checkpoint: object
) -> Diverged:
    """The error of a run whose ``loss`` at ``step`` isn't finite, or whose gradient isn't.

    ``grad_norm`` is that of the step at which it was noticed, ``last`` the last step whose norm was
    looked at and finite, with that norm.
    """
    return Diverged(
        f"step {step}: the loss is {loss:.4g}, the learning rate {lr:.4g}, the gradient norm "
        f"{grad_norm:.4g} ({last[1]:.4g} at step {last[0]}). Start anew with a lower learning "
        "rate, or go on from before it with max_grad_norm (a checkpoint brings its own learning "
        "rate back); where it happens at once, look for bad data. " + _kept(checkpoint)
    )


def _smaller(batch_size: int | None) -> str:
    if batch_size is None:
        return ". Lower the loader's batch_size (the result stays the same)"
    return (
        f", with {batch_size} samples a micro-batch. Lower batch_size and raise "
        "accumulation_steps by the same factor (the gradient stays the same)"
    )


def _kept(checkpoint: object) -> str:
    return f"Last good checkpoint: {checkpoint}." if checkpoint else "There is no checkpoint yet."
