import math
import time

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from dlcourse.training import distributed
from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.data import Loader, OnDevice
from dlcourse.training.errors import Diverged, RankLost
from dlcourse.training.metrics import CSV, Console
from tests.training.runs import (
    DTYPES,
    Rows,
    assert_equal,
    assert_same,
    make_data,
    make_trainer,
    nan_at,
    parameters,
)


@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
@pytest.mark.parametrize("own_loader", [True, False])
def test_a_run_saved_between_epochs_resumes_bit_for_bit(tmp_path, amp_dtype, own_loader):
    def loader():
        data = make_data(100)
        return Loader(data, 8) if own_loader else DataLoader(data, batch_size=8, shuffle=True)

    options = dict(dropout=0.5, accumulation_steps=3, max_grad_norm=1.0, amp_dtype=amp_dtype)
    straight, source = make_trainer(**options), loader()
    for epoch in range(4):
        straight.train_epoch(source)
        if epoch == 1:
            straight.save(tmp_path / "checkpoint.pt")
    resumed, source = make_trainer(seed=99, **options), loader()
    resumed.load(tmp_path / "checkpoint.pt")
    assert resumed.progress.epoch == 2
    while resumed.progress.epoch < 4:
        resumed.train_epoch(source)
    assert_same(straight.state(), resumed.state())


@pytest.mark.parametrize("on_device", [True, False])
def test_a_run_saved_within_an_epoch_resumes_bit_for_bit(tmp_path, on_device):
    data = make_data(100)

    def loader():
        if on_device:
            return OnDevice(*data.tensors, batch_size=8, device="cpu")
        return Loader(data, 8)

    options = dict(dropout=0.5, accumulation_steps=2, ema_decay=0.9)
    straight = make_trainer(**options)
    losses = [straight.train_epoch(loader()) for _ in range(2)]
    saving = make_trainer(**options, checkpoints=Checkpoints(tmp_path, keep=99), save_every=1)
    assert [saving.train_epoch(loader()) for _ in range(2)] == losses
    assert [p.name for p in saving.checkpoints.all()] == [f"step-{i:09}.pt" for i in range(1, 15)]
    for path in saving.checkpoints.all():
        resumed = make_trainer(seed=99, **options)
        resumed.load(path)
        while resumed.progress.epoch < 2:
            last = resumed.train_epoch(loader())
        assert last == losses[-1]  # the mean is of the whole epoch
        assert_same(straight.state(), resumed.state())
        for name in ("model", "optimizer", "scheduler", "average"):  # whatever state() leaves out
            a, b = (getattr(t, name).state_dict() for t in (straight, resumed))
            assert_same(dict(a), dict(b), name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
def test_a_run_on_a_gpu_resumes_bit_for_bit_and_goes_on_on_a_cpu(tmp_path, amp_dtype):
    options = dict(dropout=0.5, accumulation_steps=2, ema_decay=0.9, amp_dtype=amp_dtype)
    straight = make_trainer(**options, device="cuda")
    for epoch in range(3):
        straight.train_epoch(Loader(make_data(100), 8))
        if epoch == 0:
            straight.save(tmp_path / "c.pt")
    resumed = make_trainer(seed=99, **options, device="cuda")
    resumed.load(tmp_path / "c.pt")
    while resumed.progress.epoch < 3:
        resumed.train_epoch(Loader(make_data(100), 8))
    assert_same(straight.state(), resumed.state())
    on_cpu = make_trainer(**options)
    on_cpu.load(tmp_path / "c.pt")
    on_cpu.train_epoch(Loader(make_data(100), 8))


def test_resume_takes_the_newest_and_says_whether_there_is_one(tmp_path):
    trainer = make_trainer(checkpoints=Checkpoints(tmp_path))
    assert not trainer.resume()
    for _ in range(2):
        trainer.train_epoch([make_data(8).tensors])
        trainer.save()
    other = make_trainer(seed=5, checkpoints=Checkpoints(tmp_path))
    assert other.resume() and other.progress.step == 2
    assert_equal(parameters(other), parameters(trainer))


def test_model_is_in_train_mode():
    trainer = make_trainer(dropout=0.5)
    trainer.model.eval()
    trainer.train_epoch([make_data(8).tensors])
    assert trainer.model.training


def test_an_empty_loader_is_named():
    with pytest.raises(ValueError, match="yielded no batch"):
        make_trainer().train_epoch([])
    with pytest.raises(ValueError, match="nothing to evaluate"):
        make_trainer().evaluate([])
    with pytest.raises(ValueError, match="0 samples can't be shared"):
        Loader(make_data(0), 8)


# rows ---------------------------------------------------------------------------------------


def test_rows_hold_the_mean_of_the_losses_since_the_last_row():
    rows, losses = Rows(), []
    trainer = make_trainer(loggers=[rows], log_every=2)
    real = trainer.loss_fn

    def recorded(out, y):
        losses.append(real(out, y))
        return losses[-1]

    trainer.loss_fn = recorded
    trainer.total_steps = 10
    for _ in range(2):
        trainer.train_epoch(DataLoader(make_data(40), batch_size=8))  # 5 steps
    assert rows.started == [(0, 0)] and trainer.progress.rows == 5
    assert [row["step"] for row in rows.rows] == [2, 4, 6, 8, 10]
    assert [row["epoch"] for row in rows.rows] == [1, 1, 2, 2, 2]
    for i, row in enumerate(rows.rows):
        mean = (losses[2 * i] + losses[2 * i + 1]).item() / 2
        assert row["loss"] == pytest.approx(mean)
        assert row["samples_per_second"] > 0 and row["seconds_left"] >= 0
        assert row["grad_norm"] > 0 and row["peak_memory"] > 0
    left = [row["seconds_left"] * row["samples_per_second"] for row in rows.rows]
    assert left == pytest.approx([8 * 8, 6 * 8, 4 * 8, 2 * 8, 0])  # in samples, 8 a step
    assert rows.rows[0]["lr"] == pytest.approx(0.05 * (1 - 0.9 * 2 / 50))


def test_speed_is_of_what_the_device_has_done_not_of_what_is_queued(monkeypatch):
    """On a GPU steps are only queued: time passes where the losses are read."""
    now, rows = [0.0], Rows()
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    trainer = make_trainer(loggers=[rows], log_every=5)
    real = trainer._look

    def waiting():
        now[0] += 2.0 if trainer._pending else 0.0
        real()

    trainer._look = waiting
    trainer.train_epoch([make_data(8).tensors] * 10)
    assert [row["samples_per_second"] for row in rows.rows] == [20.0, 20.0]  # 40 in 2 s


def test_a_row_before_the_first_epoch_erases_nothing(tmp_path):
    def make():
        loggers = [CSV(tmp_path / "m.csv"), Console()]
        return make_trainer(loggers=loggers, log_every=1, checkpoints=Checkpoints(tmp_path))

    first, resumed = make(), make()
    first.train_epoch([make_data(8).tensors] * 3)
    first.save()
    resumed.resume()
    resumed.log({"step": 3, "note": 1.0})
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 5  # names, 3 steps, the note


# what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
@pytest.mark.parametrize("log_every", [1, 3, 50])
def test_a_nan_loss_stops_the_run_and_names_its_step(tmp_path, log_every, amp_dtype):
    trainer = make_trainer(
        amp_dtype=amp_dtype, lr=0.1, checkpoints=Checkpoints(tmp_path), log_every=log_every
    )
    data = DataLoader(make_data(40), batch_size=8)
    trainer.train_epoch(data)
    trainer.save()
    nan_at(trainer, 3)
    with pytest.raises(Diverged) as error:
        trainer.train_epoch(data)
    said = str(error.value)
    assert said.startswith("step 8: the loss is nan, the learning rate 0.0874,")
    assert "(a checkpoint brings its own learning rate back)" in said
    assert "gradient norm nan" in said and str(tmp_path / "step-000000005.pt") in said
    with pytest.raises(Diverged):
        trainer.save()  # not over the good one
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000005.pt"]
    trainer.resume()
    assert all(p.isfinite().all() for p in parameters(trainer))


class Broken(torch.autograd.Function):
    """Changes nothing on the way forward; on the way back all is NaN."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * math.nan


def broken(out, y):
    return nn.functional.cross_entropy(Broken.apply(out), y)


def test_a_nan_gradient_of_a_finite_loss_stops_the_run():
    with pytest.raises(Diverged, match=r"step 1: the loss is 0\.\d+, .* gradient norm nan .*no ch"):
        make_trainer(loss_fn=broken).train_epoch([make_data(8).tensors])


def test_a_gradient_that_float16_can_never_hold_stops_the_run():
    """It looks like an overflow, which the scaler skips, but no scale is small enough."""
    trainer = make_trainer(loss_fn=broken, amp_dtype=torch.float16)
    with pytest.raises(Diverged, match="the learning rate 0.05"):
        trainer.train_epoch([make_data(8).tensors] * 60)


def test_losses_are_read_at_rows_only(monkeypatch):
    """What waits for a GPU happens once a row, not once a step."""
    trainer = make_trainer(log_every=5, max_grad_norm=1.0, sgd=True)  # Adam counts in items
    trainer.scheduler, calls = None, []
    real = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda t: calls.append(t) or real(t))
    for name in ("item", "__bool__", "__float__"):
        forbid = lambda t, name=name: pytest.fail(f"{name} waits for the device")  # noqa: E731
        monkeypatch.setattr(torch.Tensor, name, forbid)
    trainer.train_epoch([make_data(8).tensors] * 20)
    assert len(calls) == 4


X, Y = make_data(8).tensors


@pytest.mark.parametrize("batch", [{"x": X, "y": Y}, (X, Y, Y), X, X[:2], ({"a": X}, Y), (X, 1)])
def test_a_batch_that_is_no_pair_of_tensors_is_a_sentence(batch):
    for use in (make_trainer().train_epoch, make_trainer().evaluate):
        with pytest.raises(ValueError, match="a batch is a pair of tensors"):
            use([batch])


def test_out_of_memory_says_what_to_lower(tmp_path):
    trainer = make_trainer(checkpoints=Checkpoints(tmp_path))
    trainer.train_epoch([make_data(8).tensors])
    trainer.save()

    def greedy(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    trainer.loss_fn = greedy
    with pytest.raises(torch.OutOfMemoryError) as error:
        trainer.train_epoch([make_data(64).tensors])
    said = str(error.value)
    assert "step 2, with 64 samples" in said and "Lower batch_size and raise accumulation" in said
    assert "step-000000001.pt" in said and isinstance(error.value.__cause__, RuntimeError)


def test_errors_of_evaluation_and_of_saving_are_explained(tmp_path, monkeypatch):
    trainer = make_trainer(checkpoints=Checkpoints(tmp_path))
    trainer.train_epoch([make_data(8).tensors])
    trainer.save()

    def greedy(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    said = "the evaluation after step 1. Lower the loader's batch_size .*step-000000001.pt"
    with pytest.raises(torch.OutOfMemoryError, match=said):
        trainer.evaluate([make_data(8).tensors], {"greedy": greedy})

    def lost(*_):
        raise RuntimeError("[/pytorch/gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:2. T")

    monkeypatch.setattr(distributed.Ranks, "all_gather", lost)
    said = r"has ended, in the checkpoint of step 1 \(Connection closed by peer"
    with pytest.raises(RankLost, match=said):
        trainer.save()


def test_other_errors_stay_as_they_are():
    trainer = make_trainer()
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes"):
        trainer.train_epoch([(torch.randn(4, 9), torch.zeros(4, dtype=torch.long))])


def test_a_fresh_run_in_the_folder_of_another_is_refused(tmp_path):
    trainer = make_trainer(checkpoints=Checkpoints(tmp_path))
    trainer.train_epoch([make_data(8).tensors])
    trainer.save()
    with pytest.raises(ValueError, match="is ahead of this run: resume it, move it away"):
        make_trainer(checkpoints=Checkpoints(tmp_path)).train_epoch([make_data(8).tensors])


def test_saving_and_resuming_need_a_place():
    with pytest.raises(ValueError, match="where to"):
        make_trainer().save()
    with pytest.raises(ValueError, match="needs checkpoints"):
        make_trainer().resume()
