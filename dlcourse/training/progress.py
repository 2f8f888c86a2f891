"""Where a run is: the part of its state that is neither weights nor random numbers."""

import math
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Where a run is; saved with it."""

    epoch: int = 0  # epochs that are complete
    step: int = 0  # optimizer steps
    batch: int = 0  # batches of the next epoch that are done
    order: str = ""  # what those were taken from
    loss_sum: float = 0.0  # over that epoch's steps
    loss_steps: int = 0
    recent: list[float] = field(default_factory=list)  # losses since the last row
    rows: int = 0  # that were logged
    best_loss: float = math.inf  # on validation
    best_epoch: int = 0
    history: list[dict] = field(default_factory=list)  # a row an epoch
