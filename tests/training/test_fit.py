import pytest
import torch

from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.data import Loader
from dlcourse.training.fit import accuracy, best_weights, fit, load_best
from tests.training.runs import assert_same, make_data, make_trainer

LOSSES = [3.0, 1.0, 2.0, 4.0, 0.5, 0.4]


@pytest.fixture(params=[True, False], ids=["checkpoints", "memory"])
def options(request, tmp_path):
    return {"checkpoints": Checkpoints(tmp_path)} if request.param else {}


def scripted(trainer, monkeypatch, losses=LOSSES):
    """The validation loss of each epoch is given; what is trained is real."""
    weights = []

    def evaluate(loader, scores=None):
        weights.append({k: v.clone() for k, v in trainer.model.state_dict().items()})
        return {"loss": losses[trainer.progress.epoch - 1]}

    monkeypatch.setattr(trainer, "evaluate", evaluate)
    return weights


def test_it_stops_when_patience_is_over_and_keeps_the_best(options, monkeypatch):
    trainer = make_trainer(**options)
    weights = scripted(trainer, monkeypatch)
    rows = fit(trainer, Loader(make_data(40), 8), 6, validation=[], patience=2)
    assert [row["validation_loss"] for row in rows] == LOSSES[:4]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["step"] for row in rows] == [5, 10, 15, 20]
    assert_same(dict(best_weights(trainer)), weights[1])
    trainer.model.load_state_dict(best_weights(trainer))


def test_without_patience_every_epoch_is_trained(options, monkeypatch):
    trainer = make_trainer(**options)
    weights = scripted(trainer, monkeypatch)
    assert len(fit(trainer, Loader(make_data(40), 8), 6, validation=[])) == 6
    assert_same(dict(best_weights(trainer)), weights[5])


def test_the_best_weights_are_the_averaged_ones(options, monkeypatch):
    trainer = make_trainer(ema_decay=0.9, **options)
    scripted(trainer, monkeypatch)
    fit(trainer, Loader(make_data(40), 8), 5, validation=[])
    assert_same(dict(best_weights(trainer)), dict(trainer.average.module.state_dict()))


def test_a_stopped_run_stays_stopped_when_it_is_resumed(tmp_path, monkeypatch):
    for _ in range(2):
        trainer = make_trainer(checkpoints=Checkpoints(tmp_path))
        trainer.resume()
        scripted(trainer, monkeypatch)
        rows = fit(trainer, Loader(make_data(40), 8), 6, validation=[], patience=2)
        assert len(rows) == 4 and trainer.progress.step == 20


def test_a_nan_validation_loss_is_never_the_best(monkeypatch):
    trainer = make_trainer()
    scripted(trainer, monkeypatch, [float("nan"), 2.0, float("nan")])
    fit(trainer, Loader(make_data(40), 8), 3, validation=[])
    assert trainer.progress.best_epoch == 2


def test_it_trains_validates_and_knows_how_long_it_will_take():
    trainer = make_trainer(accumulation_steps=2)
    data = make_data(100)
    validation = Loader(data, 32, shuffle=False)
    scores = {"accuracy": accuracy}
    rows = fit(trainer, Loader(data, 8), 8, validation=validation, scores=scores)
    assert trainer.total_steps == trainer.progress.step == 8 * 7
    assert rows[-1]["validation_accuracy"] > 0.9 and rows[-1]["train_loss"] < 0.3


def test_without_validation_there_is_no_best_and_no_patience():
    trainer = make_trainer()
    assert list(fit(trainer, Loader(make_data(40), 8), 1)[0]) == ["epoch", "train_loss", "step"]
    with pytest.raises(ValueError, match="no epoch has been validated"):
        best_weights(trainer)
    with pytest.raises(ValueError, match="needs validation data"):
        fit(trainer, Loader(make_data(40), 8), 3, patience=2)


def test_accuracy_is_the_share_of_right_answers():
    logits = torch.tensor([[[1.0, 2.0], [3.0, 1.0]], [[0.0, 5.0], [4.0, 9.0]]])
    assert accuracy(logits, torch.tensor([[1, 0], [0, 1]])).item() == 0.75


def test_the_best_weights_are_those_that_are_evaluated_after():
    trainer, data = make_trainer(ema_decay=0.9, lr=0.3), [make_data(64).tensors]
    fit(trainer, [make_data(8).tensors] * 4, 5, validation=data)
    best = trainer.progress.best_loss
    trainer.train_epoch([make_data(8).tensors] * 30)
    assert trainer.evaluate(data)["loss"] != pytest.approx(best, rel=1e-6)
    load_best(trainer)
    assert trainer.evaluate(data)["loss"] == pytest.approx(best, rel=1e-6)
    assert_same(dict(trainer.model.state_dict()), dict(best_weights(trainer)))


def test_why_there_is_no_best_epoch_is_said(monkeypatch, tmp_path):
    trainer = make_trainer()
    scripted(trainer, monkeypatch, [float("nan")] * 3)
    fit(trainer, Loader(make_data(40), 8), 3, validation=[])
    with pytest.raises(ValueError, match="the validation loss was finite in none of 3"):
        best_weights(trainer)
    trainer = make_trainer()
    scripted(trainer, monkeypatch)
    fit(trainer, Loader(make_data(40), 8), 3, validation=[])
    trainer.save(tmp_path / "c.pt")
    other = make_trainer()
    other.load(tmp_path / "c.pt")
    with pytest.raises(ValueError, match="kept in memory alone"):
        best_weights(other)


@pytest.mark.parametrize(
    "epochs, patience, said", [(2.5, None, "epochs .* not 2.5"), (2, 0, "patience .* not 0")]
)
def test_counts_of_epochs_that_are_none_are_refused(epochs, patience, said):
    with pytest.raises(ValueError, match=said):
        fit(make_trainer(), [], epochs, validation=[], patience=patience)
