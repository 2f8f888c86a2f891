import pytest
from torch.utils.data import DataLoader

from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.data import Loader
from dlcourse.training.errors import Diverged
from tests.training.runs import make_data, make_trainer, nan_at


def test_what_cannot_resume_within_an_epoch_is_refused(tmp_path):
    options = dict(checkpoints=Checkpoints(tmp_path), save_every=2)
    with pytest.raises(ValueError, match="a loader that can start there"):
        make_trainer(**options).train_epoch(DataLoader(make_data(40), batch_size=8))
    trainer = make_trainer(**options)
    nan_at(trainer, 5)
    with pytest.raises(Diverged):
        trainer.train_epoch(Loader(make_data(40), 8))
    for loader in (Loader(make_data(40), 16), Loader(make_data(40), 8, seed=1)):
        trainer = make_trainer(**options)
        trainer.resume()
        with pytest.raises(ValueError, match="4 batches into an epoch of 40 samples in batches"):
            trainer.train_epoch(loader)


def test_a_run_that_was_interrupted_says_where_it_is():
    def cut():
        yield make_data(8).tensors
        raise KeyboardInterrupt

    trainer = make_trainer()
    with pytest.raises(KeyboardInterrupt):
        trainer.train_epoch(cut())
    with pytest.raises(ValueError, match="1 batches into epoch 1"):
        trainer.train_epoch(DataLoader(make_data(16), 8))
