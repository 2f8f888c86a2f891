"""Checkpoints: written whole or not at all, read without running code, checked before use.

A file holds tensors, numbers, strings and containers of them. It is first written beside its place
and brought to disk, then renamed, so that a run that is killed at any moment leaves the one before.
"""

import os
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from dlcourse.training.errors import CheckpointError, require_int
from dlcourse.training.randomness import check_random_state

COUNTS = ("step", "eta", "mu", "mu_product")  # of torch's optimizers: one number a parameter


def write(state: dict, path: str | os.PathLike) -> None:
    """Replace the file ``path`` by ``state``, at once.

    NumPy's numbers become Python's. Raises CheckpointError for what couldn't be read again: objects
    of any other class, and OSError where the disk is full or the folder closed.
    """
    path, partial = Path(path), Path(f"{os.fspath(path)}.partial")
    plain = _plain(state, "state")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("wb") as file:
            torch.save(plain, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)  # or it would keep the disk full
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise  # torch's writer of files, which calls a full disk an "unexpected pos"
        free = shutil.disk_usage(path.parent).free / 2**20
        raise OSError(
            f"{path} couldn't be written ({' '.join(str(error).split())[:120]}), with {free:.0f} "
            "MiB free there: make room, or take another folder; the checkpoints before it are whole"
        ) from error
    if os.name == "posix":  # the folder's entry too; Windows can't open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike) -> dict:
    """What ``write`` has written, on the CPU. Raises CheckpointError for any other file.

    Nothing in the file is run: torch's unpickler for weights alone takes no other classes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():  # torch itself compares no checksum
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except Exception as error:  # torch raises a dozen kinds, from EOFError to UnpicklingError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} is no checkpoint, or a damaged one ({reason[:120]}): delete it and go on from "
            "the one before"
        ) from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a checkpoint")
    return state


class Checkpoints:
    """The checkpoints of one run in ``folder``: the last ``keep`` by step, and the best."""

    def __init__(self, folder: str | os.PathLike, *, keep: int = 3):
        require_int("keep", keep)
        self.folder, self.keep = Path(folder), keep
        self.best = self.folder / "best.pt"  # weights alone, of the best epoch

    def save(self, state: dict, step: int) -> Path:
        """Write ``state`` as that of ``step``, remove what is older than the last ``keep``."""
        path = self.folder / f"step-{step:09d}.pt"
        write(state, path)
        for old in [*self.all()[: -self.keep], *self.folder.glob("step-*.partial")]:
            old.unlink(missing_ok=True)
        return path

    def all(self) -> list[Path]:
        """The checkpoints, oldest first."""
        files = self.folder.glob("step-*.pt")
        ours = (path for path in files if path.stem.removeprefix("step-").isdecimal())
        return sorted(ours, key=self.step)  # not a copy that somebody made by hand

    def latest(self) -> Path | None:
        """The newest checkpoint; None if there is none."""
        return max(self.all(), key=self.step, default=None)

    @staticmethod
    def step(path: Path) -> int:
        """The step after which ``path`` was written."""
        return int(path.stem.removeprefix("step-"))


def check(theirs: dict, ours: dict, optimizer: Optimizer) -> None:
    """Raise CheckpointError unless a run in state ``ours`` can go on from ``theirs``.

    It compares what can differ between runs: model, optimizer, scheduler, scaler, average, ranks.
    """
    try:
        _compare(theirs, ours)
        _check_moments(theirs["optimizer"]["state"], optimizer)
    except CheckpointError:
        raise
    except Exception as error:  # a part isn't even of the right type
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(f"no checkpoint of a trainer ({reason[:120]})") from None


def _compare(theirs: dict, ours: dict) -> None:
    if theirs.keys() != ours.keys():
        raise CheckpointError(f"no checkpoint of a trainer: {_odd(theirs, ours)!r} is there once")
    if theirs["kinds"] != ours["kinds"]:
        raise CheckpointError(
            f"the checkpoint is of {theirs['kinds']}, and this run of {ours['kinds']}"
        )
    for name in ("model", "average"):
        _check_tensors(name, theirs[name], ours[name])
    _check_optimizer(theirs["optimizer"], ours["optimizer"])
    names = [[name for group in each["groups"] for name in group] for each in (theirs, ours)]
    for found, wanted in zip(*names, strict=True):
        if found != wanted:  # its state is by place, not by name
            raise CheckpointError(
                f"the optimizer's parameters are in another order: {found} in the checkpoint, "
                f"where {wanted} is here"
            )
    for name in ("scheduler", "scaler", "progress"):
        if theirs[name].keys() != ours[name].keys():
            key = _odd(theirs[name], ours[name])
            raise CheckpointError(f"the checkpoint's {name} is another: {key!r} is there once")
    for name, value in theirs["progress"].items():
        _check_progress(name, value, ours["progress"][name])
    if len(theirs["random"]) != len(ours["random"]):
        raise CheckpointError(
            f"the checkpoint is of {len(theirs['random'])} ranks, and this run has "
            f"{len(ours['random'])}: start as many"
        )
    for state in theirs["random"]:
        check_random_state(state)


def _check_tensors(name: str, theirs: dict, ours: dict) -> None:
    found, wanted = ({k: _shape(v) for k, v in each.items()} for each in (theirs, ours))
    if found != wanted:
        key = _first(found, wanted)
        raise CheckpointError(
            f"checkpoint of another model: {name} has {key} {found.get(key, 'missing')}, and this "
            f"one {wanted.get(key, 'missing')}"
        )


def _check_optimizer(theirs: dict, ours: dict) -> None:
    groups = [
        [(len(g["params"]), sorted(g)) for g in each["param_groups"]] for each in (theirs, ours)
    ]
    if groups[0] != groups[1]:
        sizes = [[size for size, _ in each] for each in groups]
        raise CheckpointError(
            f"the optimizer's groups differ: parameters a group are {sizes[0]} in the checkpoint "
            f"and {sizes[1]} here, settings {_settings(theirs)} and {_settings(ours)}"
        )
    count = sum(size for size, _ in groups[0])
    if not set(theirs["state"]) <= set(range(count)):
        raise CheckpointError("the optimizer's state is of parameters that don't exist")


def _check_moments(state: dict, optimizer: Optimizer) -> None:
    """Of torch's optimizers all but two keep tensors that are like their parameter, or counts."""
    ours = type(optimizer).__module__.startswith("torch.optim.")
    if not ours or isinstance(optimizer, torch.optim.Adafactor | torch.optim.LBFGS):
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, values in state.items():
        for name, value in values.items():
            shape = () if name in COUNTS else parameters[i].shape
            if not isinstance(value, Tensor):
                right = value is None or (name in COUNTS and isinstance(value, int | float))
            else:
                right = value.shape == shape and (value.is_floating_point() or value.is_complex())
            if not right:
                raise CheckpointError(
                    f"the optimizer's {name} of parameter {i} is {_shape(value)}, not "
                    f"{tuple(shape)} floating point"
                )


def _check_progress(name: str, value: Any, ours: Any) -> None:
    kinds = (int, float) if isinstance(ours, float) else type(ours)
    right = isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(ours, int):
        right = right and value >= 0
    if isinstance(ours, list):
        kind = dict if name == "history" else float
        right = right and all(isinstance(each, kind) for each in value)
    if not right:
        raise CheckpointError(f"the checkpoint's progress is damaged: {name} is {str(value)[:60]}")


def _settings(state: dict) -> list[str]:
    return sorted({key for group in state["param_groups"] for key in group} - {"params"})


def _shape(value: Any) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else str(type(value))


def _odd(a: dict, b: dict) -> Any:
    """A key of one of two dicts that have different keys."""
    return next(key for key in [*a, *b] if key not in a or key not in b)


def _first(a: dict, b: dict) -> Any:
    """The first key that isn't in both, or whose values differ."""
    return next(key for key in [*a, *b] if key not in a or key not in b or a[key] != b[key])


def _plain(value: Any, where: str) -> Any:
    """``value`` with plain numbers and containers, so that it can be read without running code."""
    if isinstance(value, Tensor) or value is None:
        return value
    if isinstance(value, dict):
        plain = {key: _plain(each, f"{where}[{key!r}]") for key, each in value.items()}
        return type(value)(plain) if type(value) is OrderedDict else plain
    if isinstance(value, list | tuple):
        return type(value)([_plain(each, where) for each in value])
    if isinstance(value, np.generic):  # learning rates are often NumPy's
        return value.item()
    if type(value) in (bool, int, float, str, bytes):
        return value
    raise CheckpointError(
        f"{where} is a {type(value).__name__}, which a checkpoint can't hold: it is read without "
        "running code"
    )
