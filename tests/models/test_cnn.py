import pytest
import torch
from torch import nn

from dlcourse.models.cnn import CNN, CNNConfig


def oracle_of(model, channels=(32, 64), in_channels=1, classes=10):
    """The same network as one nn.Sequential, with the model's weights, in their order."""
    layers = []
    for a, b in [(in_channels, channels[0]), channels]:
        layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    oracle = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[1] * 49, classes))
    values = list(model.state_dict().values())
    oracle.load_state_dict(dict(zip(oracle.state_dict(), values, strict=True)))
    return oracle.to(values[0].dtype)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("config", [{}, {"in_channels": 3, "channels": (4, 6), "num_classes": 5}])
def test_equals_torchs_sequential_of_the_same_weights(config, training):
    torch.manual_seed(0)
    model = CNN(CNNConfig(**config)).double()
    oracle = oracle_of(
        model,
        *(
            config.get(k, d)
            for k, d in zip(
                ("channels", "in_channels", "num_classes"), ((32, 64), 1, 10), strict=True
            )
        ),
    )
    model.train(training), oracle.train(training)
    x = torch.randn(4, config.get("in_channels", 1), 28, 28, dtype=torch.float64)
    torch.testing.assert_close(model(x), oracle(x), rtol=0, atol=0)


def test_dropout_is_on_while_training_only():
    torch.manual_seed(0)
    model = CNN(CNNConfig(channels=(2, 3), dropout=0.5))
    x = torch.randn(2, 1, 28, 28)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_number_of_parameters():
    expected = 9 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64 + 64 * 49 * 10 + 10
    assert sum(p.numel() for p in CNN().parameters()) == expected


def test_one_batch_overfits():
    torch.manual_seed(0)
    model = CNN(CNNConfig(channels=(4, 8), num_classes=4))
    x, y = torch.randn(8, 1, 28, 28), torch.arange(8) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert torch.equal(model(x).argmax(1), y)


@pytest.mark.parametrize("shape", [(2, 28, 28), (2, 3, 28, 28), (2, 1, 27, 28), (784,)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"images are \(B, 1, 28, 28\)"):
        CNN()(torch.randn(shape))


@pytest.mark.parametrize(
    "options", [{"channels": (1, 2, 3)}, {"in_channels": 0}, {"num_classes": 0}, {"dropout": 1.0}]
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(ValueError):
        CNNConfig(**options)
