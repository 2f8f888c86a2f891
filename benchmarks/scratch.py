"""How fast the NumPy layers are beside torch on the CPU: ratios, measured in one run.

Forward and backward of one batch in float32, one thread each; 1.0 would be torch's own time, and
the target is 3 at most. NumPy and torch take turns, so that what else the machine does meets both,
and a ratio is that of the medians. Both hold the same numbers; outputs and gradients are compared
first.

Where NumPy's time goes: ``products`` is the share that the same matrix products take by themselves,
``beside`` that of the largest other piece by itself. For the convolution that is to write what the
window sees as columns, forward and backward, and to add the columns of dX up; for the LSTM gates
and states, both ways; for attention the softmax, both ways. What is left is copying, allocating and
Python; pieces run by themselves find their numbers in the cache more often, or less.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded, which looks once

import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from _readme import processor, renew

from dlcourse.scratch.conv import Conv2d, Conv2dLoop
from dlcourse.scratch.gated import LSTM
from dlcourse.scratch.heads import MultiHeadAttention
from dlcourse.scratch.layers import Layer, Linear

RUNS = 41


@dataclass
class Case:
    name: str
    layer: Layer
    oracle: torch.nn.Module
    x: tuple[int, ...]
    products: list[tuple[int, tuple[int, ...], tuple[int, ...]]]  # how often, shapes of the two
    beside: Callable[[], None] | None = None


def columns_there_and_back(layer: Conv2d, images: tuple[int, ...]) -> Callable[[], None]:
    padded = layer.window.pad(np.ones(images, np.float32))
    d_columns = np.ones((1, 16, 3, 3, 32, 32), np.float32)

    def call() -> None:
        for _ in range(2):
            for _ in layer._columns(padded):
                pass
        dx = np.zeros_like(padded)
        for n in range(len(dx)):
            for i, j, there in layer.window.offsets((32, 32)):
                dx[n : n + 1][there] += d_columns[:, :, i, j]

    return call


def gates_there_and_back(layer: LSTM, rng: np.random.Generator) -> Callable[[], None]:
    ax, ah = rng.normal(size=(2, 32, 512)).astype(np.float32)
    state, d_state = rng.normal(size=(2, 2, 32, 128)).astype(np.float32)

    def call() -> None:
        kept = [layer._step.forward(ax, ah, tuple(state))[1] for _ in range(64)]
        for each in kept:
            layer._step.backward(tuple(d_state), each)

    return call


def softmax_there_and_back(rng: np.random.Generator) -> Callable[[], None]:
    scores, d_scores = rng.normal(size=(2, 8, 8, 128, 128)).astype(np.float32)
    row = rng.normal(size=(8, 8, 128, 1)).astype(np.float32)

    def call() -> None:
        weights = scores - scores.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        d = d_scores - row
        d *= weights

    return call


def cases(rng: np.random.Generator) -> list[Case]:
    f32 = {"rng": rng, "dtype": np.float32}
    conv = {"in_channels": 16, "out_channels": 32, "kernel_size": 3, "padding": 1}
    image, images = torch.nn.Conv2d(**conv), (8, 16, 32, 32)
    columns = [
        (8, (32, 144), (144, 1024)),  # y
        (8, (32, 1024), (1024, 144)),  # dW
        (8, (144, 32), (32, 1024)),  # dX
    ]
    fast, lstm = Conv2d(**conv, **f32), LSTM(128, 128, **f32)
    return [
        Case(
            "Linear, 1024 rows, 512 to 512",
            Linear(512, 512, **f32),
            torch.nn.Linear(512, 512),
            (1024, 512),
            [(2, (1024, 512), (512, 512)), (1, (512, 1024), (1024, 512))],
        ),
        Case(
            "Conv2d, 8×16×32×32, 32 of 3×3",
            fast,
            image,
            images,
            columns,
            columns_there_and_back(fast, images),
        ),
        Case("Conv2dLoop, the same", Conv2dLoop(**conv, **f32), image, images, columns),
        Case(
            "LSTM, batch 32, 64 steps, width 128",
            lstm,
            torch.nn.LSTM(128, 128, batch_first=True),
            (32, 64, 128),
            [
                (1, (2048, 128), (128, 512)),  # what the inputs contribute
                (64, (32, 128), (128, 512)),  # what the state contributes, step by step
                (64, (32, 512), (512, 128)),  # back to the state
                (1, (2048, 512), (512, 128)),  # back to the inputs
                (2, (512, 2048), (2048, 128)),  # dW
            ],
            gates_there_and_back(lstm, rng),
        ),
        Case(
            "attention, batch 8, length 128, width 256, 8 heads",
            MultiHeadAttention(256, 8, **f32),
            torch.nn.MultiheadAttention(256, 8, batch_first=True),
            (8, 128, 256),
            [
                (2, (1024, 256), (256, 768)),
                (1, (768, 1024), (1024, 256)),
                (2, (1024, 256), (256, 256)),
                (1, (256, 1024), (1024, 256)),
                (2, (64, 128, 32), (64, 32, 128)),  # Q Kᵀ, dY Vᵀ
                (4, (64, 128, 128), (64, 128, 32)),  # A V, Aᵀ dY, dS K, dSᵀ Q
            ],
            softmax_there_and_back(rng),
        ),
    ]


def first(y):
    return y[0] if isinstance(y, tuple) else y


def ours(case: Case, x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """y, dx, and the seconds of the forward."""
    case.layer.zero_grad()
    start = time.perf_counter()
    y = first(case.layer.forward(x))
    middle = time.perf_counter()
    return y, first(case.layer.backward(dy)), middle - start


def theirs(
    case: Case, x: torch.Tensor, dy: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, float]:
    case.oracle.zero_grad()
    x.grad = None
    start = time.perf_counter()
    attention = isinstance(case.oracle, torch.nn.MultiheadAttention)
    y = first(case.oracle(x, x, x, need_weights=False) if attention else case.oracle(x))
    middle = time.perf_counter()
    y.backward(dy)
    return y.detach(), x.grad, middle - start


def row(case: Case, rng: np.random.Generator) -> str:
    with torch.no_grad():
        for name, param in case.oracle.named_parameters():
            param.copy_(torch.from_numpy(case.layer.params[name]))
    x = rng.normal(size=case.x).astype(np.float32)
    shape = first(case.layer.forward(x)).shape
    dy = rng.normal(size=shape).astype(np.float32)
    x_torch, dy_torch = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dy)
    here, there = ours(case, x, dy), theirs(case, x_torch, dy_torch)
    grads = {name: param.grad for name, param in case.oracle.named_parameters()}
    same(
        case,
        [*here[:2], *case.layer.grads.values()],
        [*there[:2], *(grads[name] for name in case.layer.grads)],
    )
    pairs = [
        (times, *(rng.normal(size=shape).astype(np.float32) for shape in shapes))
        for times, *shapes in case.products
    ]
    out = [np.empty((a @ b).shape, np.float32) for _, a, b in pairs]

    def multiply() -> None:
        for (times, a, b), y in zip(pairs, out, strict=True):
            for _ in range(times):
                np.matmul(a, b, out=y)

    calls = [lambda: ours(case, x, dy), lambda: theirs(case, x_torch, dy_torch), multiply]
    calls += [case.beside] if case.beside else []
    runs = RUNS if not isinstance(case.layer, Conv2dLoop) else 5
    (mine, mine_forward), (torchs, torchs_forward), (products, _), *rest = in_turn(calls, runs)
    beside = f"{rest[0][0] / mine:.0%}" if rest else "–"
    ratios = [
        mine / torchs,
        mine_forward / torchs_forward,
        (mine - mine_forward) / (torchs - torchs_forward),
    ]
    return (
        f"| {case.name} | {1000 * mine:.1f} | {1000 * torchs:.1f} | "
        f"{' | '.join(f'{ratio:.1f}' for ratio in ratios)} | {products / mine:.0%} | {beside} |"
    )


def in_turn(calls: list[Callable], runs: int) -> list[tuple[float, float]]:
    """For each call the medians of its seconds, and of the forward's, its answer's third part."""
    whole: list[list[float]] = [[] for _ in calls]
    forward: list[list[float]] = [[] for _ in calls]
    for _ in range(runs):
        for call, times, parts in zip(calls, whole, forward, strict=True):
            start = time.perf_counter()
            answer = call()
            times.append(time.perf_counter() - start)
            parts.append(answer[2] if answer else 0.0)
    return [
        (statistics.median(times), statistics.median(parts))
        for times, parts in zip(whole, forward, strict=True)
    ]


def same(case: Case, found: Iterable[np.ndarray], expected: Iterable[torch.Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        size = b.abs().max().item()
        error = np.abs(a - b.numpy()).max() / size
        if error > 1e-4:
            raise SystemExit(f"{case.name}: NumPy and torch differ by {error:.1e} of the largest")


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows = [row(case, rng) for case in cases(rng)]
    head = "| layer | NumPy, ms | torch, ms | ratio | forward | backward | products | beside |"
    table = "\n".join([head, "|---" + "|---:" * 7 + "|", *rows])
    print(table)
    where = (
        f"{processor()}, {os.cpu_count()} cores, of which it uses one; {platform.system()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}"
    )
    renew("scratch.py", f"On {where}.\n\n{(__doc__ or '').strip()}\n\n{table}")


if __name__ == "__main__":
    main()
