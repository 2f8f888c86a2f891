"""Runs that are killed and resumed end as the undisturbed run does, bit for bit."""

import csv
import math
import signal

import numpy as np
import pytest
import torch

from dlcourse.training import checkpoint
from tests.conftest import free_port
from tests.training.runs import DTYPES, SAMPLES, SAVE_EVERY, assert_same, make_data, make_trainer

PLAIN = {"epochs": 3, "amp_dtype": None, "num_workers": 0, "world_size": 1}


def finish(start, folder, kill=None, *, world_size, **options):
    """Run in ``folder`` until the end or the kill; returns whether it came to the end."""
    port = free_port() if world_size > 1 else 0
    ranks = [
        start(
            "run", folder=folder, kill=kill if rank == world_size - 1 else None,
            world_size=world_size, rank=rank, port=port, **options,
        )
        for rank in range(world_size)
    ]  # fmt: skip
    for process in reversed(ranks):  # the last is the one that is killed
        process.join(60 if not kill or process is ranks[-1] else 5)
        if kill and process.is_alive():  # waits for the killed one to connect: torchrun ends it
            process.kill()
            process.join()
    codes = [process.exitcode for process in ranks]
    assert codes[-1] in (0, -signal.SIGKILL), codes
    assert kill or not any(codes), codes
    return not any(codes)


def finals(folder, world_size):
    """Final states; without the other ranks' statistics of batch norm, which no step reads."""
    states = [checkpoint.read(folder / f"final-{rank}.pt") for rank in range(world_size)]
    for state in states[1:]:
        state["model"] = {k: v for k, v in state["model"].items() if "running" not in k}
    return states


def rows(folder):
    """The logged rows without what is measured by a clock or by the system."""
    with (folder / "metrics.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    measured = {"samples_per_second", "seconds_left", "peak_memory"}
    return [{k: v for k, v in row.items() if k not in measured} for row in table]


def compare(start, tmp_path, kills, **options):
    """Kill a run at each of ``kills``, resume it to its end, compare with one left alone."""
    options = PLAIN | options
    left_alone, killed = tmp_path / "left-alone", tmp_path / "killed"
    left_alone.mkdir(), killed.mkdir()
    assert finish(start, left_alone, **options)
    interrupted = sum(not finish(start, killed, kill, **options) for kill in kills)
    assert finish(start, killed, **options)
    assert_same(finals(left_alone, options["world_size"]), finals(killed, options["world_size"]))
    assert rows(left_alone) == rows(killed)
    batches = math.ceil(SAMPLES / (8 * options["world_size"]))
    steps = options["epochs"] * math.ceil(batches / 2)  # of 2 micro-batches
    skipped = steps - finals(killed, 1)[0]["progress"]["step"]
    assert skipped == 0 or (0 < skipped < 3 and options["amp_dtype"] is torch.float16)
    return interrupted


THREE = [("update", 5), ("write", 3), ("replace", 9)]


@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
def test_three_kills_leave_no_trace(start, tmp_path, amp_dtype):
    assert compare(start, tmp_path, THREE, amp_dtype=amp_dtype) == 3


def test_three_kills_leave_no_trace_with_workers(start, tmp_path):
    assert compare(start, tmp_path, THREE, num_workers=2) == 3


def test_three_kills_of_a_rank_leave_no_trace(start, tmp_path):
    kills = [("update", 4), ("update", 7), ("update", 11)]
    assert compare(start, tmp_path, kills, world_size=2) == 3


@pytest.mark.parametrize("world_size, ema_decay", [(1, 0.9), (2, 0.9), (2, None)])
def test_a_kill_between_an_epochs_last_step_and_its_evaluation_leaves_no_trace(
    start, tmp_path, world_size, ema_decay
):
    """With batch norm each rank has statistics of its own then, and the checkpoint rank 0's."""
    steps = 2 * math.ceil(math.ceil(SAMPLES / (8 * world_size)) / 2)  # of two epochs
    assert steps % SAVE_EVERY == 0  # so the last of them is saved
    options = dict(world_size=world_size, ema_decay=ema_decay)
    assert compare(start, tmp_path, [("evaluate", 2)], **options) == 1


@pytest.mark.slow
@pytest.mark.parametrize("world_size, num_workers", [(1, 0), (1, 2), (2, 0)])
@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
def test_twenty_kills_leave_no_trace(start, tmp_path, amp_dtype, num_workers, world_size):
    rng = np.random.default_rng(0)
    kinds = ["update", "seconds", "write", "replace"] if world_size == 1 else ["update", "seconds"]
    kills = [
        (kind, rng.uniform(0.02, 0.25) if kind == "seconds" else int(rng.integers(1, 12)))
        for kind in rng.choice(kinds, 20)
    ]
    options = dict(amp_dtype=amp_dtype, num_workers=num_workers, world_size=world_size, epochs=60)
    assert compare(start, tmp_path, kills, **options) == 20


def test_float16_overflowed_in_the_run_above(tmp_path):
    """Or resuming the scaler wouldn't have been seen."""
    trainer = make_trainer(amp_dtype=torch.float16)
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 2.0**60})
    trainer.train_epoch([make_data(8).tensors])
    trainer.save(tmp_path / "c.pt")
    other = make_trainer(amp_dtype=torch.float16)
    other.load(tmp_path / "c.pt")
    assert other.scaler.get_scale() == trainer.scaler.get_scale() < 2.0**60
