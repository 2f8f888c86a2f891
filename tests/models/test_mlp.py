import pytest
import torch
from torch import nn

from dlcourse.models.mlp import MLP, MLPConfig


@pytest.mark.parametrize("hidden", [(), (5,), (7, 3)])
def test_equals_torchs_sequential_of_the_same_weights(hidden):
    torch.manual_seed(0)
    model = MLP(MLPConfig(6, hidden, 4)).double()
    sizes = [6, *hidden, 4]
    oracle = nn.Sequential()
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        if i:
            oracle.extend([nn.ReLU(), nn.Identity()])
        oracle.append(nn.Linear(a, b))
    oracle.double().load_state_dict(
        {name.removeprefix("layers."): p for name, p in model.state_dict().items()}
    )
    x = torch.randn(9, 6, dtype=torch.float64)
    torch.testing.assert_close(model(x), oracle(x), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(3, 1, 4, 4), (1, 16), (0, 16)])
def test_images_are_flattened(shape):
    model = MLP(MLPConfig(16, (8,), 3))
    x = torch.randn(shape)
    torch.testing.assert_close(model(x), model(x.reshape(shape[0], 16)), rtol=0, atol=0)
    assert model(x).shape == (shape[0], 3)


def test_dropout_is_on_while_training_only():
    torch.manual_seed(0)
    model = MLP(MLPConfig(16, (64,), 3, dropout=0.5))
    x = torch.randn(2, 16)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_number_of_parameters():
    model = MLP(MLPConfig(784, (128,), 10))
    assert sum(p.numel() for p in model.parameters()) == 784 * 128 + 128 + 128 * 10 + 10


@pytest.mark.parametrize("options", [(0, (5,), 2), (4, (5, 0), 2), (4, (), 0), (4, (), 2, 1.0)])
def test_impossible_sizes_are_refused(options):
    with pytest.raises(ValueError, match="at least"):
        MLPConfig(*options)


def test_input_of_another_size_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="takes 16 features, and x has 15"):
        MLP(MLPConfig(16, (8,), 3))(torch.randn(2, 15))
