import pytest
import torch
from torch import nn

from dlcourse.training.data import Loader
from dlcourse.training.lr_finder import RangeTest, lr_range_test
from dlcourse.training.trainer import Trainer
from tests.training.runs import DTYPES, assert_same, make_data, make_trainer


def void(_):
    """A hook that returns something replaces the output."""


def snapshot(trainer):
    clone = torch.utils._pytree.tree_map(
        lambda v: v.clone() if isinstance(v, torch.Tensor) else v, trainer.state()
    )
    modules = [m.training for m in trainer.model.modules()]
    buffers = [b.clone() for b in trainer.model.buffers()]
    gradients = [None if p.grad is None else p.grad.clone() for p in trainer.model.parameters()]
    return [clone, modules, buffers, gradients]


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
def test_it_leaves_no_trace(amp_dtype, trained):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model.register_buffer("calls", torch.zeros(1), persistent=False)
    model.register_forward_hook(lambda m, *_: void(m.calls.add_(1)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    options = dict(scheduler=schedule, amp_dtype=amp_dtype, ema_decay=0.9)
    trainer = Trainer(model, optimizer, nn.functional.cross_entropy, **options)
    if trained:
        trainer.train_epoch([make_data(8).tensors] * 3)
    model[1].eval()
    before = snapshot(trainer)
    lr_range_test(trainer, Loader(make_data(64), 8), steps=20, max_lr=1.0)
    assert_same(before, snapshot(trainer))
    assert trainer.scheduler is schedule


def test_it_leaves_no_trace_of_a_failure():
    trainer = make_trainer()
    before = snapshot(trainer)
    with pytest.raises(ValueError, match="no batch to test with"):
        lr_range_test(trainer, [])
    with pytest.raises(RuntimeError, match="shapes"):
        lr_range_test(trainer, [make_data(8).tensors, (torch.ones(2, 3), torch.ones(2).long())])
    assert_same(before, snapshot(trainer))


def test_rates_grow_by_a_factor_and_losses_are_smoothed():
    seen = []
    trainer = make_trainer(sgd=True)
    trainer.optimizer.register_step_pre_hook(
        lambda o, *_: seen.append([group["lr"] for group in o.param_groups])
    )
    batch = make_data(32).tensors
    found = lr_range_test(trainer, [batch], min_lr=1e-6, max_lr=1e-4, steps=5, smoothing=0.5)
    assert found.lrs == pytest.approx([1e-6, 10**-5.5, 1e-5, 10**-4.5, 1e-4])
    assert [rate for (rate,) in seen] == found.lrs
    plain = lr_range_test(trainer, [batch], min_lr=1e-6, max_lr=1e-4, steps=5, smoothing=0.0)
    average = 0.0
    for i, (smooth, loss) in enumerate(zip(found.losses, plain.losses, strict=True), 1):
        average = 0.5 * average + 0.5 * loss
        assert smooth == pytest.approx(average / (1 - 0.5**i))
    with torch.no_grad():
        first = nn.functional.cross_entropy(trainer.model(batch[0]), batch[1]).item()
    assert plain.losses[0] == pytest.approx(first)


def test_it_stops_where_the_loss_explodes():
    trainer = make_trainer(sgd=True, loss_fn=lambda out, y: (out[:, 0] - y).square().mean())
    found = lr_range_test(trainer, Loader(make_data(64), 8), max_lr=1e4)
    assert 10 < len(found.lrs) < 100 and found.lrs[-1] < 1e3
    for i, loss in enumerate(found.losses[1:], 1):
        lowest = min(found.losses[:i])
        assert loss <= lowest + 3 * max(lowest, found.losses[0] - lowest)


@pytest.mark.parametrize("shift", [0.0, -0.5, -2.0])
def test_losses_below_zero_do_not_stop_it(shift):
    """As of likelihoods; the first was stopped at its second step, lower or not."""
    trainer = make_trainer(sgd=True, loss_fn=lambda out, y: (out[:, 0] - y).square().mean() + shift)
    found = lr_range_test(trainer, Loader(make_data(64), 8), max_lr=1e4)
    assert 30 < len(found.losses) < 100 and min(found.losses) < found.losses[0]


def test_the_suggestion_is_where_the_loss_falls_fastest_before_its_lowest():
    rates = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    assert RangeTest(rates, [5.0, 5.0, 4.5, 3.0, 2.0, 1.9, 9.0]).suggestion == 8.0
    assert RangeTest(rates, [5.0, 4.0, 3.9, 3.8, 6.0, 7.0, 0.5][:6]).suggestion == 2.0
    with pytest.raises(ValueError, match="never fell"):
        _ = RangeTest(rates, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).suggestion


def test_a_run_at_the_suggestion_learns():
    trainer = make_trainer(sgd=True)
    loader = Loader(make_data(256), 16)
    rate = lr_range_test(trainer, loader, min_lr=1e-4).suggestion
    again = make_trainer(sgd=True, lr=rate)
    first = again.train_epoch(loader)
    for _ in range(4):
        last = again.train_epoch(loader)
    assert last < 0.5 * first


@pytest.mark.parametrize(
    "options", [{"min_lr": 0}, {"min_lr": 2, "max_lr": 1}, {"steps": 2}, {"smoothing": 1.0}]
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ValueError):
        lr_range_test(make_trainer(), [make_data(8).tensors], **options)
