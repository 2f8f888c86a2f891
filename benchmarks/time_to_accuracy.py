"""How soon MNIST-5k is read with 97 % and 98 % accuracy, beside the PyTorch examples' network.

A split has 4,000 images to train and 1,000 to validate; there are five, or as many as the command
line says. ``examples`` is the network and schedule of the MNIST program among PyTorch's examples,
written afresh from its description: convolutions 3 by 3 of 32 and 64 maps, max pooling, dropout
.25, 128 units, dropout .5; Adadelta, rate 1.0, times .7 each epoch, batches of 64, 14 epochs.
``ours`` is ``dlcourse.models.cnn`` through ``dlcourse.training``: a pooling after each convolution,
batch normalisation, each image shifted by up to 1 pixel, AdamW, a rate that rises to 0.01 and falls
over 4 epochs, batches of 32; chosen on three other splits.

Seconds are the processor's, on one thread, of training alone: both are validated every 1,000
images, outside of the clock. Medians over the splits; a run that never got there counts as endless.
The target is at most half the seconds.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded, which looks once

import statistics
import sys
import time
from collections.abc import Callable

import torch
from _readme import machine, renew
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.splits import split
from dlcourse.models.cnn import CNN, CNNConfig
from dlcourse.training.data import OnDevice
from dlcourse.training.trainer import Trainer

TARGETS, LOOK = (0.97, 0.98), 1000  # accuracies; images between two looks
Part = tuple[Tensor, Tensor]
Step = Callable[[Tensor, Tensor], object]


def examples(size: int) -> tuple[nn.Module, Step, int, int]:
    """Model, step, batch size, epochs."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)
    steps, done = -(-size // 64), 0

    def step(x: Tensor, y: Tensor) -> None:
        nonlocal done
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        done += 1
        if done % steps == 0:
            schedule.step()

    return model, step, 64, 14


def ours(size: int) -> tuple[nn.Module, Step, int, int]:
    """Model, step, batch size, epochs."""
    batch_size, epochs = 32, 4
    model = CNN(CNNConfig(dropout=0.25))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0.05)
    steps = epochs * -(-size // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps + 1)
    trainer = Trainer(model, optimizer, F.cross_entropy, scheduler=schedule)
    return model, lambda x, y: trainer.update([(shifted(x), y)]), batch_size, epochs


def shifted(x: Tensor, most: int = 1) -> Tensor:
    """The images of a batch, each moved by up to ``most`` pixels each way."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (most, most, most, most), value=x.min().item())
    views = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2m + 1, 2m + 1, H, W)
    down, right = torch.randint(2 * most + 1, (2, len(x)))
    return views[torch.arange(len(x)), :, down, right]


CONTENDERS = {"examples": examples, "ours": ours}


def until(contender: str, train: Part, validation: Part, seed: int) -> list[tuple[float, float]]:
    """Seconds and images to each of TARGETS; infinite where it wasn't reached."""
    torch.manual_seed(seed)
    model, step, batch_size, epochs = CONTENDERS[contender](len(train[1]))
    loader = OnDevice(*train, batch_size=batch_size, device="cpu", seed=seed)
    found, seconds, images, looked = [], 0.0, 0, 0
    for epoch in range(epochs):
        loader.start(epoch)
        model.train()
        start = time.process_time()
        for x, y in loader:
            step(x, y)
            images += len(y)
            if images - looked < LOOK:
                continue
            seconds, looked = seconds + time.process_time() - start, images
            accuracy = validated(model, validation)
            while len(found) < len(TARGETS) and accuracy >= TARGETS[len(found)]:
                found.append((seconds, float(images)))
            if len(found) == len(TARGETS):
                return found
            start = time.process_time()
        seconds += time.process_time() - start
    return found + [(float("inf"), float("inf"))] * (len(TARGETS) - len(found))


@torch.no_grad()
def validated(model: nn.Module, part: Part) -> float:
    """Accuracy on ``part``; the model is left in training mode."""
    model.eval()
    x, y = part
    predicted = torch.cat([model(some).argmax(1) for some in x.split(250)])
    model.train()
    return (predicted == y).to(torch.float64).mean().item()


def sets(seed: int, sizes: tuple[int, int] = (4000, 1000)) -> list[Part]:
    images, labels, _ = load_mnist5k()
    parts = split(labels, sizes, seed=seed)
    mean, deviation = images[parts[0]].mean() / 255, images[parts[0]].std() / 255
    x = (torch.from_numpy(images).unsqueeze(1).float() / 255 - float(mean)) / float(deviation)
    return [(x[part], torch.from_numpy(labels)[part]) for part in map(torch.from_numpy, parts)]


def table(found: dict[str, list[list[tuple[float, float]]]]) -> str:
    """A row a target: medians of both, how often each got there, and the ratio of the seconds."""
    lines = [
        "| accuracy | examples, s | images | splits | ours, s | images | splits | ratio |",
        "|---" + "|---:" * 7 + "|",
    ]
    for i, target in enumerate(TARGETS):
        cells, medians = [], []
        for contender in CONTENDERS:
            seconds, images = zip(*(run[i] for run in found[contender]), strict=True)
            medians.append(statistics.median(seconds))
            there = sum(s < float("inf") for s in seconds)
            middle = statistics.median(images)
            cells += [f"{medians[-1]:.1f}", f"{middle:,.0f}", f"{there} of {len(seconds)}"]
        ratio = f"{medians[1] / medians[0]:.2f}" if medians[0] < float("inf") else "–"
        lines.append(f"| {target:.0%} | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines).replace("inf", "∞")


def main(splits: int = 5) -> None:
    torch.set_num_threads(1)
    found: dict[str, list] = {contender: [] for contender in CONTENDERS}
    where = machine(torch.__version__)
    for seed in range(splits):
        train, validation = sets(seed)
        for contender, runs in found.items():
            runs.append(until(contender, train, validation, seed))
            print(f"split {seed + 1}, {contender}: {runs[-1]}", flush=True)
        said = table(found)  # after each split: it takes minutes
        renew("time_to_accuracy.py", f"On {where}.\n\n{(__doc__ or '').strip()}\n\n{said}")
    print(said)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
