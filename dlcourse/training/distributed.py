"""One process or many: the same program, started by python or by torchrun.

torchrun starts a process for each GPU and tells each its rank through the environment. Inside
``session()`` the rest of the package finds out by itself: the trainer averages gradients, loaders
give each rank its share, and only rank 0 writes.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from dlcourse.training.devices import best_device


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run."""

    rank: int = 0
    world_size: int = 1  # processes of the run
    device: torch.device = torch.device("cpu")  # this process' own

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, the one that writes files and prints."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until every rank is here."""
        if self.world_size > 1:
            dist.barrier()

    def all_reduce(self, values: Tensor) -> Tensor:
        """Replace ``values`` by their sum over all ranks, and return them."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replace ``tensors`` by those of rank 0."""
        if self.world_size > 1:
            for tensor in tensors:
                whole = tensor.contiguous()
                dist.broadcast(whole, 0)
                tensor.copy_(whole)

    def all_gather(self, value: Any) -> list:
        """Every rank's ``value``, by rank."""
        if self.world_size == 1:
            return [value]
        values: list = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values


def current(device: torch.device | None = None) -> Ranks:
    """The ranks of the session this is called in; outside of one a single rank.

    Raises ValueError outside of one where torchrun has started several.
    """
    device = device or torch.device("cpu")
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size(), device)
    if "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError(
            f"torchrun started {os.environ['WORLD_SIZE']} processes: make trainers and loaders "
            "inside `with session():`, or each would train on its own"
        )
    return Ranks(device=device)


def _local_rank() -> int:
    """The number of this process on its machine, as torchrun or SLURM says it."""
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        if name in os.environ:
            return int(os.environ[name])
    if int(os.environ["WORLD_SIZE"]) > 1:
        raise ValueError(
            "RANK is set and LOCAL_RANK isn't, so nothing says which GPU is this process' own: "
            "start with torchrun, or set LOCAL_RANK to its number on this machine"
        )
    return 0


@contextmanager
def session(timeout: timedelta = timedelta(minutes=10)) -> Iterator[Ranks]:
    """Join the processes that torchrun has started; alone, if it hasn't.

    NCCL connects GPUs, gloo CPUs. A rank that waits for another longer than ``timeout`` gives up.
    A rank that fails says so in one line on stderr and ends with an error, whereupon torchrun ends
    the others: what remains is the last checkpoint, which is whole. Raises ValueError for more
    ranks on a machine than it has GPUs, or where nothing says which GPU is this process' own.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Ranks(device=best_device())
        return
    device = best_device()
    if device.type == "cuda":
        local, gpus = _local_rank(), torch.cuda.device_count()
        if local >= gpus:
            raise ValueError(f"local rank {local} needs a GPU of its own, and there are {gpus}")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    elif device.type == "mps":
        device = torch.device("cpu")  # neither NCCL nor gloo knows Apple's GPU
    if device.type == "cuda":
        dist.init_process_group("nccl", timeout=timeout, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=timeout)
    ranks = current(device)
    try:
        yield ranks
    except BaseException as error:
        # no farewell to the others: they may be gone, and waiting for them would hide the error
        reason = " ".join(f"{type(error).__name__}: {error}".splitlines()[:1])
        print(
            f"rank {ranks.rank} of {ranks.world_size} ended: {reason}", file=sys.stderr, flush=True
        )
        raise
    else:
        dist.destroy_process_group()
