import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from dlcourse.training.data import Loader
from dlcourse.training.fit import accuracy
from tests.training.runs import assert_same, make_data, make_trainer


def test_evaluation_is_the_mean_over_all_targets_whatever_the_batches():
    x, y = make_data(50, torch.float64).tensors
    y[:9] = -100
    trainer = make_trainer(dtype=torch.float64, dropout=0.5, count=lambda y: (y != -100).sum())
    batches = list(zip(x.split(8), y.split(8), strict=True))  # the first has nothing to count
    found = trainer.evaluate(batches, {"first": lambda out, y: out[y != -100, 0].mean()})
    with torch.no_grad():
        logits = trainer.model.eval()(x)
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(logits, y).item())
    assert found["first"] == pytest.approx(logits[9:, 0].mean().item())


def test_evaluation_leaves_no_trace():
    trainer = make_trainer(dropout=0.5)
    trainer.model[2].eval()
    before, modes = trainer.state(), [m.training for m in trainer.model.modules()]
    trainer.evaluate(Loader(make_data(50), 8, shuffle=False))
    assert_same(before, trainer.state())
    assert [m.training for m in trainer.model.modules()] == modes
    assert all(p.grad is None for p in trainer.model.parameters())


def test_evaluation_uses_the_averaged_weights():
    trainer = make_trainer(ema_decay=0.9)
    data = make_data(64)
    for _ in range(3):
        trainer.train_epoch(DataLoader(data, batch_size=8))
    with torch.no_grad():
        expected = accuracy(trainer.average.module(data.tensors[0]), data.tensors[1])
        loss = nn.functional.cross_entropy(trainer.average.module(data.tensors[0]), data.tensors[1])
    found = trainer.evaluate([data.tensors], {"accuracy": accuracy})
    assert found == {"loss": pytest.approx(loss.item()), "accuracy": pytest.approx(expected.item())}


def test_modes_of_layers_come_back_after_a_failed_evaluation():
    trainer = make_trainer()
    with pytest.raises(RuntimeError, match="shapes"):
        trainer.evaluate([(torch.zeros(2, 5), torch.zeros(2).long())])
    assert trainer.model.training


def test_a_score_may_be_a_plain_number():
    x, y = make_data(12).tensors
    batches = [(x[:8], y[:8]), (x[8:], y[8:])]
    found = make_trainer().evaluate(batches, {"rows": lambda out, y: 0.1 * len(y)})
    assert found["rows"] == pytest.approx((8 * 0.8 + 4 * 0.4) / 12, rel=1e-12)


def test_a_loss_or_a_score_of_several_numbers_is_a_sentence():
    def each(out, y):
        return nn.functional.cross_entropy(out, y, reduction="none")

    batches, trainer = [make_data(8).tensors], make_trainer(loss_fn=each)
    with pytest.raises(ValueError, match=r"loss is of shape \(8,\), not one number"):
        trainer.evaluate(batches)
    with pytest.raises(ValueError, match=r"loss is of shape \(8,\), not one number"):
        trainer.train_epoch(batches)
    with pytest.raises(ValueError, match=r"each is of shape \(8,\), not one number"):
        make_trainer().evaluate(batches, {"each": each})
