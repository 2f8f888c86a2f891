r"""A multilayer perceptron: affine maps with a kink between them.

:math:`h_0 = x`, :math:`h_i = \mathrm{dropout}(\mathrm{relu}(W_i h_{i-1} + b_i))`, and the logits
are :math:`W_L h_{L-1} + b_L`.

Source: Goodfellow, Bengio and Courville, *Deep Learning* (2016), chapter 6.
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class MLPConfig:
    """What an MLP is built from. Raises ValueError for sizes below 1 and dropout outside [0, 1)."""

    in_features: int  # entries of one input, all its axes flattened
    hidden_sizes: tuple[int, ...]  # units of each hidden layer; () leaves a linear model
    num_classes: int
    dropout: float = 0.0  # share of hidden activations set to 0 while training

    def __post_init__(self):
        if min(self.in_features, *self.hidden_sizes, self.num_classes) < 1:
            raise ValueError(
                f"sizes are at least 1, not {self.in_features}, {self.hidden_sizes}, "
                f"{self.num_classes}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is at least 0 and below 1, not {self.dropout}")


class MLP(nn.Module):
    """Maps ``x`` (B, ...), flattened to (B, in_features), to logits (B, num_classes).

    First values are those of ``torch.nn.Linear``. Raises ValueError if ``x`` doesn't flatten to
    in_features.
    """

    def __init__(self, config: MLPConfig):
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        width = config.in_features
        for hidden in config.hidden_sizes:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(config.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, config.num_classes))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)  # (B, in_features)
        if x.shape[1] != self.config.in_features:
            raise ValueError(
                f"the model takes {self.config.in_features} features, and x has {x.shape[1]}"
            )
        return self.layers(x)  # (B, num_classes)
