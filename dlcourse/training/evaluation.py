"""How good a model is on data: means over all that counts, of all batches and ranks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcourse.training.step import Batch, Stepper, check_batches

Scores = Mapping[str, Callable[[Tensor, Tensor], Any]]  # (output, y) to a number: a mean


@torch.no_grad()
def means(stepper: Stepper, loader: Iterable[Batch], scores: Scores) -> dict[str, float]:
    """The mean of each of ``scores`` over ``loader``, over all ranks.

    A score is weighed by what ``stepper.count`` counts in its batch. The model is the moving
    average of weights where there is one, with the buffers of rank 0, as a checkpoint has them.
    Modes of layers are left as they were. Raises ValueError where there is nothing to count, and
    for a score of several numbers.
    """
    model = stepper.average.module if stepper.average else stepper.model
    dtype, device = stepper.wide, stepper.device
    sums = torch.zeros(len(scores) + 1, dtype=dtype, device=device)
    modes = [(module, module.training) for module in model.modules()]
    stepper.ranks.broadcast(model.buffers())  # batch norm's statistics are each rank's own
    model.eval()
    try:
        for batch in loader:
            check_batches([batch])
            n = stepper.counted(batch[1])
            x, y = stepper.placed(*batch)
            with stepper.autocast():
                output = model(x)
                found = {
                    name: torch.as_tensor(score(output, y), dtype=dtype, device=device)
                    for name, score in scores.items()
                }
            for name, value in found.items():
                if value.ndim:
                    raise ValueError(
                        f"{name} is of shape {tuple(value.shape)}, not one number: take its mean"
                    )
            values = torch.stack([*found.values()])
            n = torch.zeros_like(values) + n
            sums += torch.cat([torch.where(n > 0, values * n, 0), n[:1]])
    finally:
        for module, mode in modes:
            module.training = mode
    *totals, count = stepper.ranks.all_reduce(sums).tolist()
    if not count:
        raise ValueError("there is nothing to evaluate: no batch, or nothing in it that counts")
    return {name: total / count for name, total in zip(scores, totals, strict=True)}
