import json

import pytest
import torch
from torch import nn

from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.training.randomness import random_state
from dlcourse.training.throughput import model_flops, profiled, utilization
from tests.training.runs import assert_same, make_data, make_trainer


def test_flops_of_a_linear_layer():
    """2 B I O forward and for each weight gradient; the first layer's dx isn't needed."""
    model = nn.Sequential(nn.Linear(5, 7, bias=False), nn.ReLU(), nn.Linear(7, 3, bias=False))
    first, second = 2 * 4 * 5 * 7, 2 * 4 * 7 * 3
    assert model_flops(model, torch.randn(4, 5)) == 2 * first + 3 * second


def test_flops_of_a_gpt_are_six_a_parameter_and_token_and_those_of_attention():
    torch.manual_seed(0)
    batch, length, width, layers, vocab = 2, 16, 32, 2, 20
    config = GPTConfig(vocab, length, num_layers=layers, num_heads=2, hidden_size=width)
    tokens = torch.randint(0, vocab, (batch, length))
    weights = layers * 12 * width**2 + vocab * width
    attention = 4 * batch * length**2 * width  # two products of every token with every other
    expected = 6 * weights * batch * length + layers * 3 * attention
    assert model_flops(GPT(config), tokens) == expected


def test_counting_leaves_no_trace():
    trainer = make_trainer(dropout=0.5)
    before, random = trainer.state(), random_state(torch.device("cpu"))
    model_flops(trainer.model, make_data(8).tensors[0])
    assert_same(before, trainer.state())
    assert_same(random, random_state(torch.device("cpu")))
    assert all(p.grad is None for p in trainer.model.parameters())


def test_utilization_is_a_share_of_the_peak(monkeypatch):
    assert utilization(3e12, 2.0, dtype=torch.float32, peak=6e12) == 0.25
    with pytest.raises(ValueError, match="seconds must be positive"):
        utilization(1.0, 0.0, dtype=torch.float32, peak=1.0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="give it as peak="):
        utilization(1.0, 1.0, dtype=torch.float32)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA A100-SXM4-40GB")
    assert utilization(156e12, 1.0, dtype=torch.bfloat16) == 0.5


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["flops", "seconds", "peak"])
def test_numbers_without_a_utilization_are_refused_and_named(name, bad):
    good = {"flops": 1.0, "seconds": 1.0, "peak": 1.0}
    with pytest.raises(ValueError, match=f"^{name} must be .* not {bad}"):
        utilization(**good | {name: bad}, dtype=torch.float32)
    assert utilization(**good | {"flops": 0.0}, dtype=torch.float32) == 0


def test_a_window_of_steps_is_recorded(tmp_path):
    trainer, path = make_trainer(), tmp_path / "new" / "trace.json"
    with profiled(trainer.optimizer, path, skip=2, steps=3):
        trainer.train_epoch([make_data(8).tensors] * 9)
    names = [event.get("name", "") for event in json.loads(path.read_text())["traceEvents"]]
    assert sum(name.startswith("Optimizer.step") for name in names) == 3
    assert any("addmm" in name for name in names)
    with pytest.raises(ValueError, match="fewer than 5"):
        with profiled(trainer.optimizer, path):
            trainer.train_epoch([make_data(8).tensors] * 3)
    with pytest.raises(ValueError, match="at least 1"):
        with profiled(trainer.optimizer, path, steps=0):
            pass
