"""The training loop: mini-batches in a new order each epoch, and a record of what happened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dlcourse.scratch.given import array
from dlcourse.scratch.layers import Layer, Sequential
from dlcourse.scratch.optim import Optimizer, clip_grad_norm

Data = tuple[np.ndarray, np.ndarray]  # x (N, ...) and target (N, ...)


class Loss(Protocol):
    """What :mod:`dlcourse.scratch.losses` offers: a mean over the samples, and its gradient."""

    def forward(self, prediction: np.ndarray, target: np.ndarray) -> float: ...

    def backward(self) -> np.ndarray: ...


@dataclass
class History:
    """What :func:`fit` hands back: a number an epoch in the first two, a number a step below."""

    train: list[float] = field(default_factory=list)  # mean loss of the samples as they came by
    validation: list[float] = field(default_factory=list)  # after the epoch; empty without data
    batch: list[float] = field(default_factory=list)  # loss of each batch, before its step
    lr: list[float] = field(default_factory=list)  # that the step was taken with
    norm: list[float] = field(default_factory=list)  # of all gradients; empty without max_norm


def evaluate(net: Layer, loss: Loss, data: Data) -> float:
    """Loss of ``net`` on all of ``data``, in evaluation mode; the mode is then as before."""
    x, target = data
    training = net.training
    net.eval()
    try:
        return loss.forward(net.forward(x), target)
    finally:
        net.train(training)


def fit(
    net: Sequential,
    loss: Loss,
    optimizer: Optimizer,
    train: Data,
    validation: Data | None = None,
    *,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    schedule: Callable[[int], float] | None = None,
    max_norm: float | None = None,
) -> History:
    """Train ``net`` for ``epochs`` passes over ``train``, each in an order drawn from ``rng``.

    The last batch of an epoch may be smaller. ``schedule`` maps the step, counted from 0 over all
    epochs, to the learning rate of that step; ``max_norm`` clips the gradients before it. An
    epoch's training loss is the mean over its samples, each as its batch came by, so it lags behind
    the validation loss, which is taken when the epoch is over, in evaluation mode. Steps are taken
    in training mode, in which the network is left.
    """
    x, target = train
    if not len(array("x", x)) or len(x) != len(array("target", target)):
        raise ValueError(f"x and target need equally many samples: {len(x)} and {len(target)}")
    if not all(isinstance(n, int | np.integer) and n > 0 for n in (epochs, batch_size)):
        raise ValueError(f"epochs and batch_size are whole numbers from 1: {epochs}, {batch_size}")
    for held, own in ((optimizer.params, net.params), (optimizer.grads, net.grads)):
        if any(held.get(name) is not its for name, its in own.items()):
            raise ValueError("the optimizer holds other arrays than the network, which can't learn")
    history = History()
    net.train()
    for _ in range(epochs):
        order, total = rng.permutation(len(x)), 0.0
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            net.zero_grad()
            history.batch.append(loss.forward(net.forward(x[rows]), target[rows]))
            net.backward(loss.backward())
            if max_norm is not None:
                history.norm.append(clip_grad_norm(net.grads, max_norm))
            if schedule is not None:
                optimizer.lr = schedule(len(history.lr))
            history.lr.append(optimizer.lr)
            optimizer.step()
            total += history.batch[-1] * len(rows)
        history.train.append(total / len(x))
        if validation is not None:
            history.validation.append(evaluate(net, loss, validation))
    return history
