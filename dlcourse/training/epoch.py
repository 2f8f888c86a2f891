"""What begins an epoch: the loader is led to the place where the run is, or refused."""

from typing import Any

from dlcourse.training.distributed import Ranks
from dlcourse.training.progress import Progress


def begin(loader: Any, progress: Progress, ranks: Ranks, *, within: bool) -> None:
    """Lead ``loader`` to the epoch and the batch that ``progress`` says, and note its order there.

    A loader of any kind can begin an epoch. One that goes on within an epoch, or is to be saved
    ``within`` one, needs ``start(epoch, batch)`` and ``order``, as Loader and OnDevice have them.
    Every rank calls it. Raises ValueError for a loader that can't, for one of another order than
    the epoch was begun with, and for ranks that have different numbers of batches.
    """
    p, order = progress, str(getattr(loader, "order", ""))
    if not hasattr(loader, "start") and p.batch:
        raise ValueError(
            f"the run stopped {p.batch} batches into epoch {p.epoch + 1}, and this loader can't "
            "start there: load a checkpoint, or make the trainer anew; Loader and OnDevice of "
            "dlcourse.training.data can go on within an epoch"
        )
    if not hasattr(loader, "start") and within:
        raise ValueError(
            "saving within an epoch needs a loader that can start there: Loader or OnDevice of "
            "dlcourse.training.data"
        )
    if p.batch and order != p.order:
        raise ValueError(
            f"the run is {p.batch} batches into an epoch of {p.order}; this loader has {order}"
        )
    if hasattr(loader, "start"):
        loader.start(p.epoch, p.batch)
        p.order = order
    lengths = ranks.all_gather(len(loader) if hasattr(loader, "__len__") else 0)
    if len(set(lengths)) > 1:
        raise ValueError(
            f"ranks have different numbers of batches, {lengths}, and would wait for each other: "
            "take Loader or OnDevice of dlcourse.training.data, shuffled"
        )
