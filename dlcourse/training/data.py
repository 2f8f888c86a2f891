"""Batches in an order that depends on seed and epoch alone, from any place on, for any rank.

``Loader`` reads a data set with worker processes ahead of the GPU; ``OnDevice`` keeps all of it in
the GPU's memory. Both give the same batches in the same order.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

from dlcourse.training.distributed import current
from dlcourse.training.errors import require_int
from dlcourse.training.randomness import derived_seed, kept


class Order:
    """Which samples each batch of an epoch has, for this rank.

    The samples 0 to ``size`` - 1 are permuted by ``seed`` and the epoch's number, cut into pieces
    of ``batch_size`` times the number of ranks, and each piece is dealt out, so that no sample
    comes twice. The last piece may be smaller; ranks then differ by one sample at most. A last
    piece of fewer samples than ranks is left out of a shuffled epoch (it is others the next time),
    and goes to the first ranks in an epoch in order. Raises ValueError for sizes without a batch.
    """

    def __init__(self, size: int, batch_size: int, *, seed: int = 0, shuffle: bool = True):
        ranks = current()
        self.rank, self.world_size = ranks.rank, ranks.world_size
        require_int("batch_size", batch_size)
        if size < (self.world_size if shuffle else 1):
            raise ValueError(f"{size} samples can't be shared by {self.world_size} ranks: no batch")
        self.size, self.batch_size, self.seed, self.shuffle = size, batch_size, seed, shuffle
        self.epoch = self.batch = 0

    def start(self, epoch: int, batch: int = 0) -> None:
        """Let the next iteration be that of ``epoch``, without its first ``batch`` batches."""
        self.epoch, self.batch = epoch, batch

    def __len__(self) -> int:
        whole, rest = divmod(self.size, self.batch_size * self.world_size)
        return whole + (rest >= self.world_size if self.shuffle else rest > self.rank)

    def __iter__(self) -> Iterator[list[int]]:
        # a generator, which starts when it is first read: torch asks for iterators that it drops
        first, self.batch = self.batch, 0  # the place is for one iteration only
        for indices in self.indices(first):
            yield self._share(indices)

    def __str__(self) -> str:
        return (
            f"{self.size} samples in batches of {self.batch_size} on {self.world_size} ranks, "
            f"{f'seed {self.seed}' if self.shuffle else 'in order'}"
        )

    def indices(self, first: int = 0) -> Sequence[Tensor]:
        """The epoch's batches from ``first`` on, each a tensor of indices (batch_size,), int64."""
        if self.shuffle:
            generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch))
            order = torch.randperm(self.size, generator=generator)
        else:
            order = torch.arange(self.size)
        pieces = order.split(self.batch_size * self.world_size)
        return [piece[self.rank :: self.world_size] for piece in pieces[first : len(self)]]

    def _share(self, indices: Tensor) -> list:
        return indices.tolist()


class Loader(DataLoader):
    """Batches of ``dataset``, read by ``num_workers`` processes, into pinned memory for a GPU.

    A sample that draws random numbers (from torch, NumPy or Python, on the CPU) draws the same ones
    in a given epoch whichever worker reads it, and however often the run was cut off: its seed
    comes from ``seed``, the epoch and its index; that of ``collate_fn`` from the first of its
    samples. Nothing is drawn from the run's own generators. Every pass has the same order and the
    same numbers unless ``start(epoch)`` is called before it, as the trainer does. Raises ValueError
    for a data set without length or without samples.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        num_workers: int = 0,
        prefetch_factor: int = 2,  # batches that each worker reads ahead
        collate_fn: Callable[[list], Any] = default_collate,
    ):
        if not hasattr(dataset, "__len__"):
            raise ValueError("the data set has no length: batches are drawn by index, give it one")
        order = _SeededOrder(len(dataset), batch_size, seed=seed, shuffle=shuffle)
        super().__init__(
            _Seeded(dataset),
            batch_sampler=order,
            collate_fn=_SeededCollate(collate_fn),
            num_workers=num_workers,
            prefetch_factor=prefetch_factor if num_workers else None,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else each iteration draws from the run's own
        )
        self.order: Order = order

    def start(self, epoch: int, batch: int = 0) -> None:
        """Let the next iteration be that of ``epoch``, without its first ``batch`` batches."""
        self.order.start(epoch, batch)


class OnDevice:
    """Batches of tensors that are on ``device`` as a whole, cut out there by index.

    For data that fit: nothing is copied from the CPU while training but the order, once an epoch.
    ``tensors`` have the same number of rows. Every pass has the same order unless ``start(epoch)``
    is called before it, as the trainer does. Raises ValueError for anything but tensors, and for
    other numbers of rows.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        device: torch.device | str,
        seed: int = 0,
        shuffle: bool = True,
    ):
        kinds = [type(t).__name__ for t in tensors if not isinstance(t, Tensor)]
        if kinds or not tensors:
            raise ValueError(
                f"OnDevice takes tensors, not {', '.join(kinds) or 'nothing'}: give it x and y, "
                "made by torch.as_tensor"
            )
        if len({len(t) for t in tensors}) != 1:
            raise ValueError(f"tensors differ in their rows: {[len(t) for t in tensors]}")
        self.tensors = [t.to(device) for t in tensors]
        self.order = Order(len(tensors[0]), batch_size, seed=seed, shuffle=shuffle)

    def start(self, epoch: int, batch: int = 0) -> None:
        """Let the next iteration be that of ``epoch``, without its first ``batch`` batches."""
        self.order.start(epoch, batch)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:  # a batch of each tensor, mostly two
        first, self.order.batch = self.order.batch, 0
        batches = self.order.indices(first)
        if not batches:
            return
        joined = torch.cat(list(batches)).to(self.tensors[0].device)  # one copy, not one a batch
        for indices in joined.split([len(b) for b in batches]):
            yield tuple(t[indices] for t in self.tensors)


_Key = tuple[int, int, int]  # seed, epoch, index


class _SeededOrder(Order):
    """Gives each index with seed and epoch, of which workers know nothing."""

    def _share(self, indices: Tensor) -> list:
        return [(self.seed, self.epoch, i) for i in indices.tolist()]


class _Seeded(Dataset):
    """``dataset``, seeded anew for each sample."""

    def __init__(self, dataset: Any):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, keys: list[_Key]) -> tuple[_Key, list]:
        """The samples, and the key of the first for what collates them."""
        if type(self.dataset) is TensorDataset:  # draws nothing; a subclass may
            return keys[0], [self.dataset[index] for *_, index in keys]
        with kept():
            return keys[0], [self._sample(key) for key in keys]

    def _sample(self, key: _Key) -> Any:
        _seed(*key)
        return self.dataset[key[-1]]


class _SeededCollate:
    """``collate_fn``, seeded anew for each batch."""

    def __init__(self, collate_fn: Callable[[list], Any]):
        self.collate_fn = collate_fn

    def __call__(self, batch: Any) -> Any:
        key, samples = batch  # as _Seeded gives them
        if self.collate_fn is default_collate:  # draws nothing
            return self.collate_fn(samples)
        with kept():
            _seed(*key, 1)  # not the numbers that its first sample drew
            return self.collate_fn(samples)


def _seed(*numbers: int) -> None:
    seed = derived_seed(*numbers)
    torch.default_generator.manual_seed(seed)  # the CPU's alone: a worker has no GPU
    np.random.seed(seed % 2**32)
    random.seed(seed)
