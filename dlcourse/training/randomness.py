"""Every source of random numbers that a run draws from: set, saved and restored together."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch

from dlcourse.training.errors import CheckpointError


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators, torch's on every device.

    Under several ranks give ``seed + rank``, or all would drop the same units; parameters are those
    of rank 0 in any case. Equal seeds give equal numbers on the same device and version of torch;
    whether equal numbers give equal results is a matter of kernels:
    ``torch.use_deterministic_algorithms(True)``. Raises ValueError below 0 and from :math:`2^{32}`.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"a seed is at least 0 and below 2**32, not {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # the CPU and every accelerator


def derived_seed(*numbers: int) -> int:
    """A seed (63 bits) that depends on all ``numbers`` and on their order, and on nothing else."""
    words = np.random.SeedSequence(numbers).generate_state(2, np.uint32).tolist()
    return (words[0] << 31) ^ words[1]


def random_state(device: torch.device) -> dict:
    """All states of this process, as tensors and plain numbers; those of ``device`` included."""
    name, keys, place, has_gauss, gauss = cast(tuple, np.random.get_state(legacy=True))
    state = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), place, has_gauss, float(gauss)),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def check_random_state(state: dict) -> None:
    """Raise CheckpointError if ``set_random_state`` would fail on ``state``."""
    try:
        random.Random().setstate(state["python"])
        np.random.RandomState().set_state(_numpy(state))
        torch.Generator().set_state(state["torch"])
        for kind in {"cuda", "mps"} & {*state}:  # without such a device only their form can be seen
            _check_form(kind, state[kind])
    except Exception as error:  # each library has errors of its own for it
        raise CheckpointError(f"the checkpoint's random states can't be used: {error}") from None


def set_random_state(state: dict, device: torch.device) -> None:
    """Restore what ``random_state`` returned; a state of another kind of device is left out."""
    random.setstate(state["python"])
    np.random.set_state(_numpy(state))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def kept() -> Iterator[None]:
    """Whatever is drawn on the CPU inside leaves no trace outside."""
    cpu = torch.device("cpu")
    state = random_state(cpu)
    try:
        yield
    finally:
        set_random_state(state, cpu)


def _check_form(kind: str, state: torch.Tensor) -> None:
    if state.dtype != torch.uint8 or state.ndim != 1:
        raise ValueError(f"that of {kind} is {state.dtype} of shape {tuple(state.shape)}")
    if kind == "cuda" and (len(state) != 16 or state[8:].view(torch.int64).item() % 4):
        raise ValueError("that of cuda isn't a seed and a multiple of 4, of 8 bytes each")


def _numpy(state: dict) -> tuple:
    name, keys, *rest = state["numpy"]
    return name, keys.numpy().astype(np.uint32), *rest
