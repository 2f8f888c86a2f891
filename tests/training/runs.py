"""What the tests of training share: small data, a small trainer, and a run that can be killed."""

import math
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.utils.data import Dataset, TensorDataset

from dlcourse.training import checkpoint, distributed
from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.data import Loader
from dlcourse.training.fit import accuracy, fit
from dlcourse.training.metrics import CSV
from dlcourse.training.randomness import seed_everything
from dlcourse.training.trainer import Trainer

DTYPES = [None, torch.bfloat16, torch.float16]


def make_data(n, dtype=torch.float32):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, 8, generator=g, dtype=dtype)
    return TensorDataset(x, (x[:, 0] > 0).long())


def make_model(dropout=0.0, dtype=torch.float32, *, norm=False):
    between = nn.BatchNorm1d(16) if norm else nn.ReLU()
    layers = nn.Linear(8, 16), between, nn.Dropout(dropout), nn.Linear(16, 2)
    return nn.Sequential(*layers).to(dtype)


def make_trainer(
    seed=0,
    *,
    dropout=0.0,
    norm=False,
    lr=0.05,
    dtype=torch.float32,
    sgd=False,
    device="cpu",
    **options,
):
    torch.manual_seed(seed)
    model = make_model(dropout, dtype, norm=norm).to(device)
    optimizer = (torch.optim.SGD if sgd else torch.optim.AdamW)(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=50)
    loss_fn = options.pop("loss_fn", nn.functional.cross_entropy)
    return Trainer(model, optimizer, loss_fn, scheduler=scheduler, **options)


def parameters(trainer):
    return [p.detach().clone() for p in trainer.model.parameters()]


def assert_equal(a, b):
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0)


def assert_same(a, b, where="state"):
    """Two states of trainers are equal, bit for bit."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, f"{where}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    else:
        assert a == b or (a != a and b != b), f"{where}: {a} and {b}"


def nan_at(trainer, step):
    """From its ``step``-th call on, the loss is NaN."""
    real, calls = trainer.loss_fn, 0

    def loss_fn(out, y):
        nonlocal calls
        calls += 1
        return real(out, y) * (math.nan if calls >= step else 1)

    trainer.loss_fn = loss_fn


class Rows:
    """A logger that keeps what it is given."""

    def __init__(self):
        self.started, self.rows = [], []

    def start(self, rows, step):
        self.started.append((rows, step))

    def log(self, row):
        self.rows.append(row)


class Noisy(Dataset):
    """Samples that draw from all three generators, as augmentation does."""

    def __init__(self, n):
        self.tensors = make_data(n).tensors

    def __len__(self):
        return len(self.tensors[0])

    def __getitem__(self, index):
        x, y = (t[index] for t in self.tensors)
        noise = torch.rand(()) + float(np.random.rand()) + random.random()
        return x + 0.1 * noise, y


# A run that is killed and resumed -----------------------------------------------------------

SAMPLES, SAVE_EVERY = 203, 2


def run(
    folder,
    *,
    epochs=3,
    amp_dtype=None,
    ema_decay=0.9,
    num_workers=0,
    kill=None,
    world_size=1,
    rank=0,
    port=0,
):
    """Train in ``folder``, resuming what is there; write the final state to ``final-RANK.pt``.

    ``kill`` says where SIGKILL comes: ("write", k) halfway through the k-th checkpoint, ("replace",
    k) just before it gets its name, ("update", k) within the k-th step, ("evaluate", k) between the
    k-th epoch and its evaluation, ("seconds", s) after s.
    """
    _arm(kill)
    with joined(rank, world_size, port) as ranks:
        seed_everything(ranks.rank)
        trainer = make_trainer(
            ranks.rank,
            dropout=0.5,
            norm=True,
            accumulation_steps=2,
            max_grad_norm=1.0,
            ema_decay=ema_decay,
            amp_dtype=amp_dtype,
            checkpoints=Checkpoints(folder),
            save_every=SAVE_EVERY,
            loggers=[CSV(folder / "metrics.csv")],
            log_every=3,
        )
        trainer.resume()
        loader = Loader(Noisy(SAMPLES), 8, num_workers=num_workers)
        validation = Loader(make_data(50), 8, shuffle=False)
        fit(trainer, loader, epochs, validation=validation, scores={"accuracy": accuracy})
        checkpoint.write(trainer.state(), folder / f"final-{ranks.rank}.pt")


@contextmanager
def joined(rank, world_size, port):
    """The session of a process, started as torchrun would start it if there are several."""
    os.setpgid(0, 0)  # so that its workers can be ended with it
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # this script has no name to import
    if world_size > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with distributed.session() as ranks:
        yield ranks


# What is trained the same on one rank and on several ----------------------------------------

NORMALIZED = {"plain": None, "averaged": 0.5}
SIZES = [64, 70, 51]  # whole windows; a ragged tail; a tail with one sample more on rank 0


def padded(n):
    x, y = make_data(n, torch.float64).tensors
    y[::3] = -100
    y[:9] = -100
    return TensorDataset(x, y)


def shared(folder, *, world_size=1, rank=0, port=0):
    """Everything whose result doesn't depend on the number of ranks, written to ``RANK.pt``."""
    with joined(rank, world_size, port) as ranks:
        results = {}
        for n in SIZES:
            for name, data in [("plain", make_data(n, torch.float64)), ("padded", padded(n))]:
                trainer = make_trainer(
                    ranks.rank if name == "padded" else 0,  # rank 0's weights count
                    dtype=torch.float64,
                    accumulation_steps=2,
                    max_grad_norm=0.5,
                    ema_decay=0.5,
                    count=lambda y: (y != -100).sum(),
                )
                loader = Loader(data, 8 // world_size)
                losses = [trainer.train_epoch(loader) for _ in range(3)]
                scores = {"accuracy": lambda out, y: accuracy(out[y != -100], y[y != -100])}
                validation = Loader(data, 4, shuffle=False)
                results[f"{name} {n}"] = {
                    "weights": dict(trainer.model.state_dict()),
                    "losses": losses,
                    "norm": trainer.gradient_norm(),
                    "evaluation": trainer.evaluate(validation, scores),
                    "steps": trainer.progress.step,
                }
        checkpoint.write(results, folder / f"{ranks.rank}.pt")


def normalized(folder, *, world_size, rank, port):
    """What evaluate says of models with batch norm, untrained and trained, and what is saved."""
    with joined(rank, world_size, port) as ranks:
        validation = Loader(make_data(50), 4, shuffle=False)
        for name, ema_decay in NORMALIZED.items():
            trainer = make_trainer(ranks.rank, norm=True, ema_decay=ema_decay)
            found = [trainer.evaluate(validation)["loss"]]
            trainer.save(folder / f"{name}-0.pt")
            trainer.train_epoch(Loader(make_data(64), 8))
            found.append(trainer.evaluate(validation)["loss"])
            trainer.save(folder / f"{name}-1.pt")
            checkpoint.write({"losses": found}, folder / f"{name}-found-{ranks.rank}.pt")


def uneven(folder, *, world_size, rank, port):
    """Loaders of different lengths, an odd folder, and the sums and gathers of a session."""
    with joined(rank, world_size, port) as ranks:
        assert ranks.is_main == (rank == 0) and ranks.world_size == world_size
        assert ranks.all_reduce(torch.tensor(rank + 1.0)) == 3
        assert ranks.all_gather({"rank": rank}) == [{"rank": 0}, {"rank": 1}]
        ranks.barrier()
        trainer, calls = make_trainer(), []
        trainer._parallel.register_comm_hook(
            None, lambda state, bucket: (calls.append(bucket), allreduce_hook(None, bucket))[1]
        )
        trainer.update([make_data(8).tensors] * 4)
        assert len(calls) == 1  # gradients cross the wire once a step, not once a micro-batch
        said = []
        for loader in ([make_data(8).tensors] * (1 + rank), Loader(make_data(9), 4, shuffle=False)):
            try:
                make_trainer().train_epoch(loader)
            except ValueError as error:
                said.append(str(error))
        own = Checkpoints(folder / str(rank))
        if rank == 0:
            own.save({}, 5)
        try:
            make_trainer(checkpoints=own).resume()
        except ValueError as error:
            said.append(str(error))
        (folder / f"said-{rank}").write_text("\n".join(said))


def failing(folder, *, world_size, rank, port):
    """Rank 1 meets an error in its 4th step; what each says goes to a file."""
    sys.stderr = (folder / f"stderr-{rank}").open("w")
    with joined(rank, world_size, port) as ranks:
        trainer = make_trainer(checkpoints=Checkpoints(folder), save_every=1)
        real, calls = trainer.loss_fn, 0

        def loss_fn(out, y):
            nonlocal calls
            calls += 1
            if ranks.rank == 1 and calls == 4:
                raise ValueError("a bad sample")
            return real(out, y)

        trainer.loss_fn = loss_fn
        trainer.train_epoch(Loader(make_data(80), 4))


def _arm(kill):
    what, when = kill or (None, 0)
    if what == "seconds":
        timer = threading.Timer(when, lambda: os.kill(os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
        return
    module, name = {
        "write": (torch, "save"),
        "replace": (os, "replace"),
        "update": (Trainer, "update"),
        "evaluate": (Trainer, "evaluate"),
        None: (time, "sleep"),
    }[what]
    real, calls = getattr(module, name), 0

    def counted(*args, **options):
        nonlocal calls
        calls += what is not None
        if calls == when and what == "write":
            real(*args, **options)
            args[1].truncate(args[1].tell() // 2)
        if calls == when and what is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **options)

    setattr(module, name, counted)


if "job" in globals():  # started by the fixture of that name
    name, options = globals()["job"]
    globals()[name](**options)
