"""A small convolutional network for images of 28 by 28 pixels, such as MNIST's.

Two blocks of convolution, batch normalisation, ReLU and pooling halve the image twice, from 28 to
7; one affine map reads the classes off. LeNet-5's plan with the parts of today.

Sources: LeCun, Bottou, Bengio and Haffner, *Gradient-Based Learning Applied to Document
Recognition* (1998), section II; Ioffe and Szegedy, *Batch Normalization* (ICML 2015), section 3.2,
for its place before the nonlinearity.
"""

from dataclasses import dataclass

from torch import Tensor, nn

SIZE = 28  # pixels a side


@dataclass(frozen=True)
class CNNConfig:
    """What a CNN is built from. Raises ValueError for sizes below 1 and dropout outside [0, 1)."""

    in_channels: int = 1  # 1 for grey, 3 for colour
    channels: tuple[int, int] = (32, 64)  # feature maps of the two blocks
    num_classes: int = 10
    dropout: float = 0.0  # share of the last features set to 0 while training

    def __post_init__(self):
        if len(self.channels) != 2:
            raise ValueError(f"channels are two numbers, one a block, not {self.channels}")
        if min(self.in_channels, *self.channels, self.num_classes) < 1:
            raise ValueError(
                f"sizes are at least 1, not {self.in_channels}, {self.channels}, {self.num_classes}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is at least 0 and below 1, not {self.dropout}")


class CNN(nn.Module):
    """Maps images ``x`` (B, in_channels, 28, 28) to logits (B, num_classes).

    Raises ValueError for images of any other shape.
    """

    # B batch, C channels of the two blocks
    def __init__(self, config: CNNConfig | None = None):
        super().__init__()
        self.config = config = config or CNNConfig()
        first, second = config.channels
        self.block1 = _block(config.in_channels, first)
        self.block2 = _block(first, second)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(second * (SIZE // 4) ** 2, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (self.config.in_channels, SIZE, SIZE):
            raise ValueError(
                f"images are (B, {self.config.in_channels}, {SIZE}, {SIZE}), not {tuple(x.shape)}"
            )
        x = self.block1(x)  # (B, C1, 14, 14)
        x = self.block2(x)  # (B, C2, 7, 7)
        return self.head(self.dropout(x.flatten(1)))  # (B, num_classes)


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),  # the norm has a bias
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
