"""The learning-rate range test: what a short run at rising rates says about which rate to take."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.training.errors import require_int
from dlcourse.training.randomness import random_state, set_random_state
from dlcourse.training.step import Batch, Stepper, check_batches


@dataclass(frozen=True)
class RangeTest:
    """Losses by learning rate."""

    lrs: list[float]
    losses: list[float]  # smoothed; of each step, before its update

    @property
    def suggestion(self) -> float:
        """The rate at which the loss falls fastest per factor of rate, before it is at its lowest.

        A place to start from, not an optimum. Raises ValueError if the loss never fell.
        """
        lowest = min(range(len(self.losses)), key=self.losses.__getitem__)
        falls = [self.losses[i + 1] - self.losses[i - 1] for i in range(1, lowest)]
        if not falls or min(falls) >= 0:
            raise ValueError(
                "the loss never fell: look at data and loss first, or test lower rates"
            )
        return self.lrs[1 + min(range(len(falls)), key=falls.__getitem__)]


def lr_range_test(
    stepper: Stepper,
    batches: Iterable[Batch],
    *,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
) -> RangeTest:
    r"""Train ``steps`` steps on ``batches``, over and over, at rates that grow by a fixed factor.

    Step i of n has the rate :math:`\eta_0 (\eta_1 / \eta_0)^{i / (n - 1)}`, from ``min_lr``
    :math:`\eta_0` to ``max_lr`` :math:`\eta_1`. Losses are averaged with the weight ``smoothing``
    on the past. It stops early where the loss isn't finite, or has risen from its lowest by more
    than three times what that is, or had fallen. Afterwards model, optimizer, schedule, scaler,
    averages and random states are what they were, bit for bit. Raises ValueError for no batch and
    for settings out of range.

    Sources: Smith, *Cyclical Learning Rates for Training Neural Networks* (WACV 2017), section 3.3,
    whose rates grow by addition; the factor and the smoothing are customary.
    """
    require_int("steps", steps, 3)
    if not 0 < min_lr < max_lr < math.inf:
        raise ValueError(f"rates go from above 0 upwards, not from {min_lr} to {max_lr}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing is at least 0 and below 1, not {smoothing}")
    undo = _Undo(stepper)
    lrs: list[float] = []
    losses: list[float] = []
    average = 0.0
    source: Iterator[Batch] = iter(())
    schedule, stepper.scheduler = stepper.scheduler, None  # the rates are ours
    stepper.model.train()
    try:
        for i in range(steps):
            if (batch := next(source, None)) is None:
                source = iter(batches)
                if (batch := next(source, None)) is None:
                    raise ValueError("there is no batch to test with")
            rate = min_lr * (max_lr / min_lr) ** (i / (steps - 1))
            for group in stepper.optimizer.param_groups:
                group["lr"] = rate
            check_batches([batch])
            part, _ = stepper.update([batch])
            loss = (stepper.ranks.all_reduce(part.clone()) / stepper.ranks.world_size).item()
            average = smoothing * average + (1 - smoothing) * loss
            smooth = average / (1 - smoothing ** (i + 1))  # or it would start near 0
            if not math.isfinite(loss) or (losses and smooth > _limit(losses)):
                break
            lrs.append(rate)
            losses.append(smooth)
    finally:
        stepper.scheduler = schedule
        undo()
    return RangeTest(lrs, losses)


def _limit(losses: list[float]) -> float:
    lowest = min(losses)
    return lowest + 3 * max(abs(lowest), losses[0] - lowest)  # losses may be negative, or cross 0


class _Undo:
    """What ``stepper`` changes as it trains, to be put back."""

    def __init__(self, stepper: Stepper):
        self.stepper = stepper
        self.random = random_state(stepper.device)
        self.modes = [(module, module.training) for module in stepper.model.modules()]
        self.gradients = [None if p.grad is None else p.grad.clone() for p in self._parameters()]
        self.tensors = [(t, t.detach().clone()) for t in self._tensors()]
        parts = (stepper.optimizer, stepper.scheduler, stepper.scaler)
        self.parts = [(part, _copied(part.state_dict())) for part in parts if part is not None]

    def _parameters(self) -> list[Tensor]:
        return list(self.stepper.model.parameters())

    def _tensors(self) -> list[Tensor]:
        """Parameters and buffers, those that aren't in state_dict too."""
        modules = [self.stepper.model, *([self.stepper.average] if self.stepper.average else [])]
        return [t for module in modules for t in (*module.parameters(), *module.buffers())]

    def __call__(self) -> None:
        with torch.no_grad():
            for tensor, value in self.tensors:
                tensor.copy_(value)
        for parameter, gradient in zip(self._parameters(), self.gradients, strict=True):
            parameter.grad = gradient
        for part, state in self.parts:
            part.load_state_dict(state)
        for module, mode in self.modes:
            module.training = mode
        set_random_state(self.random, self.stepper.device)


def _copied(value):
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
