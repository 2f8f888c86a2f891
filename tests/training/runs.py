"""What the tests of training share: small data, a small trainer, and a run that can be killed."""

import multiprocessing
import os
import random
import signal
import threading
import time

import numpy as np
import torch
from torch import nn
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


def make_model(dropout=0.0, dtype=torch.float32):
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2)).to(
        dtype
    )


def make_trainer(seed=0, *, dropout=0.0, lr=0.05, dtype=torch.float32, sgd=False, **options):
    torch.manual_seed(seed)
    model = make_model(dropout, dtype)
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

EPOCHS, SAMPLES, SAVE_EVERY = 3, 203, 2


def run(folder, *, amp_dtype=None, workers=0, kill=None, world=1, rank=0, port=0):
    """Train in ``folder``, resuming what is there; write the final state to ``final-RANK.pt``.

    ``kill`` says where SIGKILL comes: ("write", k) halfway through the k-th checkpoint, ("replace",
    k) just before it gets its name, ("update", k) within the k-th step, ("seconds", s) after s.
    """
    os.setpgid(0, 0)  # so that its workers can be ended with it
    if world > 1:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # this script has no name to import
    _arm(kill)
    with distributed.session() as ranks:
        seed_everything(ranks.rank)
        trainer = make_trainer(
            ranks.rank,
            dropout=0.5,
            accumulation_steps=2,
            max_grad_norm=1.0,
            ema_decay=0.9,
            amp_dtype=amp_dtype,
            checkpoints=Checkpoints(folder),
            save_every=SAVE_EVERY,
            loggers=[CSV(folder / "metrics.csv")],
            log_every=3,
        )
        trainer.resume()
        loader = Loader(Noisy(SAMPLES), 8, workers=workers)
        validation = Loader(make_data(50), 8, shuffle=False)
        fit(trainer, loader, EPOCHS, validation=validation, scores={"accuracy": accuracy})
        checkpoint.write(trainer.state(), folder / f"final-{ranks.rank}.pt")


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
