import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from dlcourse.training.trainer import Trainer
from tests.training.runs import (
    DTYPES,
    assert_equal,
    assert_same,
    make_data,
    make_model,
    make_trainer,
    parameters,
)

PADDED = {"count": lambda y: (y != -100).sum()}


def close(a, b):
    for p, q in zip(parameters(a), parameters(b), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("n", [64, 76, 70, 65])  # last window: full; 8 + 4; 6; 1 sample
def test_accumulation_equals_one_large_batch(n, clip):
    data = make_data(n, torch.float64)
    options = dict(dtype=torch.float64, sgd=True, max_grad_norm=clip)
    large, small = make_trainer(**options), make_trainer(**options, accumulation_steps=4)
    for _ in range(3):
        loss_large = large.train_epoch(DataLoader(data, batch_size=32))
        loss_small = small.train_epoch(DataLoader(data, batch_size=8))
        assert loss_small == pytest.approx(loss_large, rel=1e-12)
    assert small.progress.step == large.progress.step == 3 * -(-n // 32)
    close(large, small)


@pytest.mark.parametrize("padded", [[*range(7), 20], [*range(8)], [*range(16, 32)], [*range(32)]])
def test_padding_is_left_out_of_accumulation(padded):
    """Micro-batches of different numbers of counted targets, some of none, add up all the same."""
    x, y = make_data(32, torch.float64).tensors
    y[padded] = -100  # ignored by cross_entropy
    options = dict(dtype=torch.float64, sgd=True, **PADDED)
    large, small = make_trainer(**options), make_trainer(**options, accumulation_steps=4)
    loss = large.train_epoch([(x, y)])
    assert small.train_epoch(list(zip(x.split(8), y.split(8), strict=True))) == pytest.approx(loss)
    close(large, small)
    assert all(p.isfinite().all() for p in parameters(small))


def masked_mean(out, y):
    """Divides by 0 where nothing counts: 0 times infinity, on the way back, is NaN."""
    counts = (y != -100).to(out.dtype)
    return (out[:, 0].square() * counts).sum() / counts.sum()


@pytest.mark.parametrize("loss_fn", [nn.functional.cross_entropy, masked_mean])
def test_a_count_that_stays_on_the_device_gives_the_same(monkeypatch, loss_fn):
    """On a GPU nobody asks whether a micro-batch is empty; here the path is forced."""
    x, y = make_data(32, torch.float64).tensors
    y[:13] = -100
    options = dict(dtype=torch.float64, sgd=True, accumulation_steps=4, loss_fn=loss_fn, **PADDED)
    asked, unasked = make_trainer(**options), make_trainer(**options)
    monkeypatch.setattr(unasked, "counted", lambda y: unasked.count(y))
    batches = list(zip(x.split(8), y.split(8), strict=True))
    assert asked.train_epoch(batches) == pytest.approx(unasked.train_epoch(batches), rel=1e-12)
    close(asked, unasked)


def test_the_loss_is_weighed_as_it_says_for_sequences():
    """Tokens count, not rows: a mean over (B, T) targets."""
    torch.manual_seed(0)
    x = torch.randn(6, 5, 8, dtype=torch.float64)
    y = (x[..., 0] > 0).long()
    y[:2, 1:] = -100
    options = dict(dtype=torch.float64, sgd=True, **PADDED)
    options["loss_fn"] = lambda out, y: nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())
    large, small = make_trainer(**options), make_trainer(**options, accumulation_steps=3)
    large.train_epoch([(x, y)])
    small.train_epoch(list(zip(x.split(2), y.split(2), strict=True)))
    close(large, small)


@pytest.mark.parametrize("asked", [True, False])
def test_counts_below_one_weigh_as_they_should(monkeypatch, asked):
    """Such as sums of the weights of classes, over which cross_entropy takes its mean."""
    weight = torch.tensor([0.001, 0.003])
    options = dict(
        loss_fn=lambda out, y: nn.functional.cross_entropy(out, y, weight=weight),
        count=lambda y: weight[y].sum(),
        sgd=True,
    )
    x, y = make_data(32).tensors
    large, small = make_trainer(**options), make_trainer(**options)
    if not asked:
        monkeypatch.setattr(small, "counted", small.count)
    large.update([(x, y)])
    small.update(list(zip(x.split(8), y.split(8), strict=True)))
    assert small.gradient_norm().item() == pytest.approx(large.gradient_norm().item(), rel=1e-5)


@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
def test_loss_goes_down(amp_dtype):
    trainer = make_trainer(amp_dtype=amp_dtype)
    loader = DataLoader(make_data(256), batch_size=16)
    first = trainer.train_epoch(loader)
    for _ in range(3):
        last = trainer.train_epoch(loader)
    assert last < 0.5 * first


def test_schedule_advances_once_per_optimizer_step():
    trainer = make_trainer(lr=0.1, accumulation_steps=2)
    trainer.train_epoch(DataLoader(make_data(80), batch_size=8))
    assert trainer.progress.step == 5
    assert trainer.scheduler.get_last_lr() == pytest.approx([0.1 * (1 - 0.9 * 5 / 50)])


def test_a_float16_overflow_skips_the_update_the_schedule_and_the_average():
    trainer = make_trainer(amp_dtype=torch.float16, ema_decay=0.5)
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 2.0**100})
    before, lr = parameters(trainer), trainer.scheduler.get_last_lr()
    trainer.train_epoch([make_data(8).tensors])
    assert_equal(before, parameters(trainer))
    assert trainer.progress.step == 0 and trainer.scheduler.get_last_lr() == lr
    assert trainer.scaler.get_scale() < 2.0**100 and trainer.average.n_averaged == 0


@pytest.mark.parametrize("amp_dtype", [None, torch.float16], ids=str)
def test_gradients_are_clipped_after_unscaling(amp_dtype):
    trainer = make_trainer(sgd=True, lr=1.0, max_grad_norm=1e-3, amp_dtype=amp_dtype)
    before = parameters(trainer)
    trainer.train_epoch([make_data(8).tensors])
    pairs = zip(before, parameters(trainer), strict=True)
    moved = torch.cat([(p - q).flatten() for p, q in pairs]).norm()  # at rate 1, the gradient
    assert moved.item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("clip", [None, 1e-3])
@pytest.mark.parametrize("amp_dtype", [None, torch.float16], ids=str)
def test_the_gradient_norm_is_that_of_the_true_gradient_before_clipping(amp_dtype, clip):
    trainer = make_trainer(sgd=True, lr=0.0, max_grad_norm=clip, amp_dtype=amp_dtype)
    x, y = make_data(8).tensors
    trainer.update([(x, y)])
    model = make_model()
    model.load_state_dict(trainer.model.state_dict())
    nn.functional.cross_entropy(model(x), y).backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    assert trainer.gradient_norm().item() == pytest.approx(expected.item(), rel=1e-2)


def test_autocast_is_on_only_when_asked():
    seen = []
    for amp_dtype in DTYPES:
        trainer = make_trainer(amp_dtype=amp_dtype)
        trainer.model.register_forward_hook(lambda m, i, out: seen.append(out.dtype))
        trainer.train_epoch([make_data(8).tensors])
        trainer.evaluate([make_data(8).tensors])
    assert seen == [d or torch.float32 for d in DTYPES for _ in range(2)]


def test_the_average_is_exponential_and_follows_every_step():
    trainer = make_trainer(ema_decay=0.75)
    mean = None
    for batch in DataLoader(make_data(40), batch_size=8):
        trainer.update([batch])
        now = parameters(trainer)
        mean = (
            now if mean is None else [0.75 * a + 0.25 * b for a, b in zip(mean, now, strict=True)]
        )
    for p, q in zip(trainer.average.module.parameters(), mean, strict=True):
        torch.testing.assert_close(p, q)


def test_the_average_is_what_torchs_own_update_makes():
    """Buffers are copied as they are; torch's update would wait for a GPU every step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    trainer = Trainer(model, optimizer, nn.functional.cross_entropy, ema_decay=0.75)
    oracle = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    for batch in DataLoader(make_data(40), batch_size=8):
        trainer.update([batch])
        oracle.update_parameters(model)
        assert_same(dict(oracle.state_dict()), dict(trainer.average.state_dict()))


def test_a_compiled_model_trains_to_the_same_weights_and_keeps_its_names(monkeypatch):
    calls, real = [], torch.compile

    def eager(*args, **options):
        calls.append(args)
        return real(*args, **options, backend="eager")  # the default needs a C++ compiler

    monkeypatch.setattr(torch, "compile", eager)
    plain, compiled = make_trainer(), make_trainer(compile=True)
    assert len(calls) == 1
    for trainer in (plain, compiled):
        trainer.train_epoch(DataLoader(make_data(40), batch_size=8))
    assert list(compiled.model.state_dict()) == list(plain.model.state_dict())
    assert_equal(parameters(plain), parameters(compiled))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("amp_dtype", DTYPES, ids=str)
def test_no_step_waits_for_the_gpu(amp_dtype):
    torch.manual_seed(0)
    model = make_model().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    options = dict(amp_dtype=amp_dtype, max_grad_norm=1.0, ema_decay=0.9, accumulation_steps=2)
    trainer = Trainer(model, optimizer, nn.functional.cross_entropy, **options)
    batches = [tuple(t.cuda() for t in make_data(8).tensors)] * 2
    trainer.update(batches)  # the first one allocates
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            trainer.update(batches)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "options, said",
    [
        ({"amp_dtype": torch.float64}, "amp_dtype is bfloat16, float16 or None"),
        ({"max_grad_norm": 0}, "max_grad_norm is above 0"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"accumulation_steps": 0}, "accumulation_steps is an integer of at least 1, not 0"),
        ({"accumulation_steps": 2.5}, "accumulation_steps is an integer of at least 1, not 2.5"),
        ({"log_every": 0}, "log_every is an integer of at least 1, not 0"),
        ({"save_every": 1.5}, "save_every is an integer of at least 1, not 1.5"),
        ({"save_every": 5}, "needs checkpoints"),
    ],
)
def test_settings_out_of_range_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        make_trainer(**options)


def test_an_optimizer_or_a_schedule_of_something_else_is_refused():
    model, loss = make_model(), nn.functional.cross_entropy
    ours, others = (torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    for another in (make_model(), nn.Flatten()):
        with pytest.raises(ValueError, match="none of the optimizer's parameters is the model's"):
            Trainer(another, ours, loss)
    schedule = torch.optim.lr_scheduler.ExponentialLR(others, 0.5)
    with pytest.raises(ValueError, match="of another optimizer"):
        Trainer(model, ours, loss, scheduler=schedule)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(ours)
    with pytest.raises(ValueError, match="once an epoch"):
        Trainer(model, ours, loss, scheduler=schedule)
