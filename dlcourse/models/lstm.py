"""Recurrent layers with gates, their loops in plain view: a reader and an encoder-decoder.

Sources: Hochreiter and Schmidhuber, *Long Short-Term Memory* (1997), section 4, and Gers,
Schmidhuber and Cummins, *Learning to Forget* (2000), section 3, for the LSTM; Cho and others,
*Learning Phrase Representations using RNN Encoder-Decoder* (2014), section 2.3, for the GRU;
Schuster and Paliwal, *Bidirectional Recurrent Neural Networks* (1997), section II; Sutskever,
Vinyals and Le, *Sequence to Sequence Learning with Neural Networks* (2014), section 2.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcourse.models.mingru import MinGRU
from dlcourse.models.rnn import RNN

# Dimensions: B batch, T steps, D input_size, H hidden_size, V vocab_size


class Gated(nn.Module):
    """Parameters and checks of a layer; names, shapes, first values are those of ``torch.nn``."""

    blocks: int  # of rows in each weight

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ValueError(f"sizes are at least 1, not {input_size} and {hidden_size}")
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = self.blocks * hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(rows))
        self.bias_hh_l0 = nn.Parameter(torch.empty(rows))
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def _checked(self, x: Tensor, state: Tensor | None) -> Tensor:
        if x.ndim != 3 or not x.shape[1] or x.shape[2] != self.input_size:
            raise ValueError(f"x is (B, T, {self.input_size}) with T > 0, not {tuple(x.shape)}")
        if state is None:
            return x.new_zeros(len(x), self.hidden_size)
        if state.shape != (len(x), self.hidden_size):
            raise ValueError(f"the state is {(len(x), self.hidden_size)}, not {tuple(state.shape)}")
        return state


class LSTM(Gated):
    r"""Long short-term memory: a cell c that is added to, behind gates from 0 to 1.

    .. math::

        i, f, o = \sigma(a_i), \sigma(a_f), \sigma(a_o), \quad g = \tanh(a_g), \quad
        c_t = f \odot c_{t-1} + i \odot g, \quad h_t = o \odot \tanh(c_t),

    with :math:`a = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}` in four blocks i, f, g, o.
    ``forward(x, state)`` takes x (B, T, D) and the first (h, c), each (B, H), zeros if there is
    none, and returns all h (B, T, H) and the last (h, c): that behind the last step of each
    sequence, where ``lengths`` (B,) says how many it has. Both biases of f begin with
    ``forget_bias / 2`` added: 0 is torch's start, more lets a cell begin by remembering. Raises
    ValueError for sizes below 1, for other shapes, and for no steps.
    """

    blocks = 4

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 0.0):
        super().__init__(input_size, hidden_size)
        with torch.no_grad():
            for bias in (self.bias_ih_l0, self.bias_hh_l0):
                bias[hidden_size : 2 * hidden_size] += forget_bias / 2

    def step(self, a: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The next h and c, (B, H), for what input and state contribute, (B, 4H)."""
        i, f, g, o = a.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def forward(
        self,
        x: Tensor,
        state: tuple[Tensor, Tensor] | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = (self._checked(x, each) for each in (state or (None, None)))
        from_input = x @ self.weight_ih_l0.T + (self.bias_ih_l0 + self.bias_hh_l0)  # (B, T, 4H)
        weight, states = self.weight_hh_l0.T, []
        for t, now in enumerate(from_input.unbind(1)):
            new = self.step(torch.addmm(now, h, weight), c)
            if lengths is not None:  # a sequence that has ended keeps the state that it had
                going = (t < lengths)[:, None]
                new = torch.where(going, new[0], h), torch.where(going, new[1], c)
            h, c = new
            states.append(h)
        return torch.stack(states, 1), (h, c)  # (B, T, H), (B, H) twice


class GRU(Gated):
    r"""Gated recurrent unit: the new state is a weighted mean of the old one and a candidate.

    .. math::

        r, z = \sigma(a_r + u_r), \sigma(a_z + u_z), \quad n = \tanh(a_n + r \odot u_n), \quad
        h_t = (1 - z) \odot n + z \odot h_{t-1},

    with :math:`a = W_{ih} x_t + b_{ih}` and :math:`u = W_{hh} h_{t-1} + b_{hh}` in three blocks r,
    z, n. ``forward(x, state)`` takes x (B, T, D) and the first state (B, H), zeros if there is
    none, and returns all states (B, T, H) and the last one. Raises ValueError as :class:`LSTM`.
    """

    blocks = 3

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = self._checked(x, state)
        from_input = x @ self.weight_ih_l0.T + self.bias_ih_l0  # (B, T, 3H)
        weight, states, size = self.weight_hh_l0.T, [], self.hidden_size
        for now in from_input.unbind(1):
            of_state = torch.addmm(self.bias_hh_l0, h, weight)
            r, z = torch.sigmoid(now[:, : 2 * size] + of_state[:, : 2 * size]).chunk(2, dim=1)
            n = torch.tanh(now[:, 2 * size :] + r * of_state[:, 2 * size :])
            h = n + z * (h - n)
            states.append(h)
        return torch.stack(states, 1), h  # (B, T, H), (B, H)


LAYERS = {"rnn": RNN, "lstm": LSTM, "gru": GRU, "mingru": MinGRU}


def turned(x: Tensor, lengths: Tensor) -> Tensor:
    """Each sequence of x (B, T, …) backwards; the padding behind it stays where it is."""
    step = torch.arange(x.shape[1], device=x.device)
    step = torch.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)  # (B, T)
    return x[torch.arange(len(x), device=x.device)[:, None], step]


@dataclass(frozen=True)
class ReaderConfig:
    """What a reader is built from. Raises ValueError where sizes contradict each other."""

    input_size: int  # numbers a step
    classes: int
    hidden_size: int = 32  # numbers that stand for all that was read, in each direction
    layer: str = "lstm"  # of LAYERS
    bidirectional: bool = False  # a second layer reads from the end
    forget_bias: float = 0.0  # of an LSTM alone

    def __post_init__(self):
        for name in ("input_size", "classes", "hidden_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if self.layer not in LAYERS:
            raise ValueError(f"layer is one of {', '.join(LAYERS)}, not {self.layer!r}")
        if self.forget_bias and self.layer != "lstm":
            raise ValueError(f"forget_bias is {self.forget_bias}, and {self.layer} forgets by none")

    def build(self) -> nn.Module:
        """One layer in one direction."""
        more = (self.forget_bias,) if self.layer == "lstm" else ()
        return LAYERS[self.layer](self.input_size, self.hidden_size, *more)


class Reader(nn.Module):
    """Maps sequences (B, T, D) with lengths (B,) to logits (B, classes): sequence to one.

    The state behind each sequence's own last step goes into a linear layer, and with two directions
    that of a second layer that has read backwards, up to the first step. So padding, which may hold
    any finite number, has no say. Raises ValueError for other shapes, and for lengths outside 1 to
    T.
    """

    def __init__(self, config: ReaderConfig):
        super().__init__()
        self.config = config
        self.forwards = config.build()
        self.backwards = config.build() if config.bidirectional else None
        self.head = nn.Linear(config.hidden_size * (1 + config.bidirectional), config.classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if lengths.shape != (len(x),) or ((lengths < 1) | (lengths > x.shape[1])).any():
            raise ValueError(f"lengths are {len(x)} numbers from 1 to {x.shape[1]}, not {lengths}")
        rows, last = torch.arange(len(x), device=x.device), lengths - 1
        read = self.forwards(x)[0][rows, last]  # (B, H)
        if self.backwards is not None:
            back = self.backwards(turned(x, lengths))[0][rows, last]
            read = torch.cat([read, back], 1)  # (B, 2H)
        return self.head(read)


@dataclass(frozen=True)
class TranslatorConfig:
    """What an encoder-decoder is built from. Raises ValueError for sizes below 1."""

    source_size: int  # different tokens that go in; 0 stands for padding
    target_size: int  # different tokens that come out; 0 for padding, 1 for begin and end
    embedding_size: int = 32  # numbers that stand for a token
    hidden_size: int = 128  # of encoder and decoder; h and c are all that passes between them

    def __post_init__(self):
        for name in ("source_size", "target_size", "embedding_size", "hidden_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")


class Translator(nn.Module):
    """An LSTM reads a sequence; its last state is the first one of a second LSTM, which writes.

    ``forward(source, target)`` takes tokens (B, S), padding 0 behind them, and the true output
    (B, T) that begins with 1, and returns logits (B, T, V) of the token that comes after each of
    its steps: teacher forcing. ``write`` goes on by itself. Raises ValueError for an empty source.
    Source: Sutskever, Vinyals and Le (2014), section 2; here with one layer.
    """

    def __init__(self, config: TranslatorConfig):
        super().__init__()
        self.config = config
        size = config.embedding_size
        self.read_embedding = nn.Embedding(config.source_size, size, padding_idx=0)
        self.write_embedding = nn.Embedding(config.target_size, size, padding_idx=0)
        self.encoder = LSTM(size, config.hidden_size, forget_bias=1.0)
        self.decoder = LSTM(size, config.hidden_size, forget_bias=1.0)
        self.head = nn.Linear(config.hidden_size, config.target_size)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """h and c, each (B, H), behind the last token of each source."""
        lengths = (source != 0).sum(1)
        if not source.numel() or (lengths == 0).any():
            raise ValueError(f"each source needs a token: {tuple(source.shape)}, {lengths}")
        return self.encoder(self.read_embedding(source), lengths=lengths)[1]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        states, _ = self.decoder(self.write_embedding(target), self.encode(source))  # (B, T, H)
        return self.head(states)  # (B, T, V)

    @torch.no_grad()
    def write(self, source: Tensor, longest: int) -> Tensor:
        """The likeliest next token at every step, (B, longest); 0 behind the mark that ends it."""
        state = self.encode(source)
        last = torch.ones(len(source), 1, dtype=torch.int64, device=source.device)
        going, out = torch.ones_like(last, dtype=torch.bool), []
        for _ in range(longest):
            states, state = self.decoder(self.write_embedding(last), state)
            last = self.head(states)[:, :, 1:].argmax(2) + 1  # never padding
            out.append(torch.where(going, last, 0))
            going = going & (last != 1)
        return torch.cat(out, 1)
