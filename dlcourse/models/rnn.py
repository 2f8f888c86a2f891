"""Recurrent networks: one layer with its loop in plain view, a forecaster, a speller of names.

Sources: Elman, *Finding Structure in Time* (1990), for the layer; Goodfellow, Bengio and Courville,
*Deep Learning* (2016), section 10.2, for its equation and for outputs at every step.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class SpellerConfig:
    """What a speller is built from. Raises ValueError where sizes contradict each other."""

    vocab_size: int  # different tokens, padding among them
    embedding_size: int = 16  # numbers that stand for a token
    hidden_size: int = 64  # numbers that stand for all that was read
    padding_idx: int = 0  # the token that stands for nothing: its row is 0 and doesn't learn

    def __post_init__(self):
        for name in ("vocab_size", "embedding_size", "hidden_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if not 0 <= self.padding_idx < self.vocab_size:
            raise ValueError(
                f"padding_idx is one of {self.vocab_size} tokens, from 0: not {self.padding_idx}"
            )


# Dimensions: B batch, T steps, D input_size, E embedding_size, H hidden_size, V vocab_size


class RNN(nn.Module):
    r"""A plain recurrent layer, :math:`h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})`.

    ``forward(x, state)`` takes x (B, T, D) and the first state (B, H), zeros if there is none, and
    returns all states (B, T, H) and the last one (B, H). Names, shapes and first values of the
    parameters are those of ``torch.nn.RNN`` with one layer. Raises ValueError for sizes below 1,
    for other shapes, and for no steps.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ValueError(f"sizes are at least 1, not {input_size} and {hidden_size}")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.empty(hidden_size))
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if x.ndim != 3 or not x.shape[1] or x.shape[2] != self.input_size:
            raise ValueError(f"x is (B, T, {self.input_size}) with T > 0, not {tuple(x.shape)}")
        if state is None:
            state = x.new_zeros(len(x), self.hidden_size)
        elif state.shape != (len(x), self.hidden_size):
            raise ValueError(f"the state is {(len(x), self.hidden_size)}, not {tuple(state.shape)}")
        from_input = x @ self.weight_ih_l0.T + (self.bias_ih_l0 + self.bias_hh_l0)  # (B, T, H)
        weight, states = self.weight_hh_l0.T, []
        for now in from_input.unbind(1):
            state = torch.tanh(torch.addmm(now, state, weight))
            states.append(state)
        return torch.stack(states, 1), state  # (B, T, H), (B, H)


class Forecaster(nn.Module):
    """Maps a series (B, T) to a forecast of what comes after each of its steps, (B, T).

    ``forward(x, state)`` returns the forecasts and the last state (B, H). Raises ValueError as
    :class:`RNN` does.
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.rnn = RNN(1, hidden_size)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        states, state = self.rnn(x.unsqueeze(-1), state)  # (B, T, H)
        return self.head(states).squeeze(-1), state


class Speller(nn.Module):
    """Maps tokens (B, T) to logits (B, T, V) of the token that comes after each of them.

    ``forward(tokens, state)`` returns the logits and the last state (B, H), with which it goes on.
    Raises ValueError as :class:`RNN` does.
    """

    def __init__(self, config: SpellerConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(
            config.vocab_size, config.embedding_size, padding_idx=config.padding_idx
        )
        self.rnn = RNN(config.embedding_size, config.hidden_size)
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        states, state = self.rnn(self.embedding(tokens), state)  # (B, T, H)
        return self.head(states), state  # (B, T, V)
