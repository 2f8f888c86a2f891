"""What the Trainer costs beside a bare loop, Lightning Fabric and Accelerate: ratios of one run.

All take the same steps on the same batches from the same first weights, in float32 on one thread of
the CPU; the weights after them are compared first, and are equal bit for bit. The bare loop is six
lines. The Trainer does more in its steps: it sums the losses, looks every 50 steps whether loss and
gradient are finite, measures the gradient, and keeps the place for a checkpoint.

Times are the processor's, so that what else the machine does is in them through shared caches only.
A round is some steps of each loop in turn, and each loop is first in turn. ``step`` is the best of
the rounds; ``beside bare`` the median of the ratios within a round, and the interval in which that
median lies with 95 % certainty (order statistics). Targets: 1.02 at most on the CNN, and less a
step than the others on the MLP.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded, which looks once

import copy
import math
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
from _readme import processor, renew
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.models.cnn import CNN
from dlcourse.models.mlp import MLP, MLPConfig
from dlcourse.training.trainer import Trainer

Batches = list[tuple[Tensor, Tensor]]
Go = Callable[[Batches], object]  # trains on the batches, from where it is


def bare(model: nn.Module, optimizer: torch.optim.Optimizer) -> Go:
    def go(batches: Batches) -> None:
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()

    return go


def trainer(model: nn.Module, optimizer: torch.optim.Optimizer) -> Go:
    return Trainer(model, optimizer, F.cross_entropy).train_epoch


def prepared(one, wrapped: nn.Module, stepping) -> Go:
    """The loop of Fabric and of Accelerate, who ``one`` is, on what they made of both."""

    def go(batches: Batches) -> None:
        wrapped.train()
        for x, y in batches:
            stepping.zero_grad()
            loss = F.cross_entropy(wrapped(x), y)
            one.backward(loss)
            stepping.step()

    return go


def fabric(model: nn.Module, optimizer: torch.optim.Optimizer) -> Go:
    from lightning_fabric import Fabric

    one = Fabric(accelerator="cpu", devices=1)
    one.launch()
    return prepared(one, *one.setup(model, optimizer))


def accelerate(model: nn.Module, optimizer: torch.optim.Optimizer) -> Go:
    from accelerate import Accelerator

    one = Accelerator(cpu=True)
    return prepared(one, *one.prepare(model, optimizer))


LOOPS = {"bare loop": bare, "Trainer": trainer, "Fabric": fabric, "Accelerate": accelerate}
PACKAGES = {"Fabric": "lightning-fabric", "Accelerate": "accelerate"}


@dataclass
class Case:
    name: str
    model: nn.Module
    shape: tuple[int, ...]  # of a batch
    steps: int  # a round
    rounds: int


def cases() -> list[Case]:
    torch.manual_seed(0)
    mlp = MLP(MLPConfig(16, (32,), 10))
    return [
        Case("MLP 16-32-10, batches of 4", mlp, (4, 16), 100, 80),
        Case("CNN of 32 and 64 maps, batches of 16", CNN(), (16, 1, 28, 28), 10, 60),
    ]


def installed() -> list[str]:
    """The loops that can be run here; the others are named."""
    there = []
    for name in LOOPS:
        try:
            if package := PACKAGES.get(name):
                version(package)
        except PackageNotFoundError:
            print(f'{name} is not measured: {package} is missing, pip install "dlcourse[bench]"')
        else:
            there.append(name)
    return there


def prepare(case: Case, names: list[str]) -> tuple[dict[str, Go], Batches]:
    """Every loop on a copy of the model, after a round; raises SystemExit if weights differ."""
    batches = [
        (torch.randn(case.shape), torch.randint(10, case.shape[:1])) for _ in range(case.steps)
    ]
    ready, weights = {}, {}
    for name in names:
        model = copy.deepcopy(case.model)
        ready[name] = LOOPS[name](model, torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
        ready[name](batches)
        weights[name] = [p.detach().clone() for p in model.parameters()]
        if not all(map(torch.equal, weights[name], weights["bare loop"])):
            raise SystemExit(f"{case.name}: the {name} gives other weights than the bare loop")
    return ready, batches


def measure(ready: dict[str, Go], batches: Batches, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round of each loop; the loops take turns at being first."""
    names, times = list(ready), {name: [] for name in ready}
    for i in range(rounds):
        first = i % len(names)
        for name in names[first:] + names[:first]:
            start = time.process_time()
            ready[name](batches)
            times[name].append(time.process_time() - start)
    return times


def rows(case: Case, names: list[str]) -> list[str]:
    ready, batches = prepare(case, names)
    times = measure(ready, batches, case.rounds)
    lines = []
    for name in names:
        step = 1e6 * min(times[name]) / case.steps
        pairs = zip(times[name], times["bare loop"], strict=True)
        low, middle, high = median([a / b for a, b in pairs])
        beside = f"{middle:.3f} | {low:.3f} to {high:.3f}" if name != "bare loop" else "1 | "
        lines.append(f"| {case.name} | {name} | {step:,.0f} | {beside} |")
    return lines


def median(values: list[float]) -> tuple[float, float, float]:
    """The median, between the ends of its interval of 95 %: a coin is tossed for each value."""
    reach = 0.98 * math.sqrt(len(values))  # 1.96 deviations of a binomial with p = 1/2
    middle, ordered = (len(values) - 1) / 2, sorted(values)
    low, high = max(0, math.floor(middle - reach)), math.ceil(middle + reach)
    return ordered[low], statistics.median(values), ordered[min(high, len(values) - 1)]


def main() -> None:
    torch.set_num_threads(1)
    names = installed()
    lines = [line for case in cases() for line in rows(case, names)]
    head = "| model | loop | step, µs | beside bare | 95 % |"
    table = "\n".join([head, "|---|---|---:|---:|---:|", *lines])
    print(table)
    missing = [name for name in LOOPS if name not in names]
    where = (
        f"{processor()}, {os.cpu_count()} cores, of which it uses one; {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
        + "".join(f", {PACKAGES[name]} {version(PACKAGES[name])}" for name in names[2:])
        + (f"; not installed: {', '.join(missing)}" if missing else "")
    )
    renew("training.py", f"On {where}.\n\n{(__doc__ or '').strip()}\n\n{table}")


if __name__ == "__main__":
    main()
