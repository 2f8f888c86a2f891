"""A recurrent layer that is linear in its state, so that all steps can be done at once.

Sources: Feng and others, *Were RNNs All We Needed?* (2024), section 3.1, for the layer; Martin and
Cundy, *Parallelizing Linear Recurrent Neural Nets Over Sequence Length* (2018), section 2, for the
scan; Hillis and Steele, *Data Parallel Algorithms* (1986), for the doubling.
"""

import torch
from torch import Tensor, nn

# Dimensions: B batch, T steps, D input_size, H hidden_size


class MinGRU(nn.Module):
    r"""A GRU whose gate and candidate read the input alone, so that no step waits for another.

    :math:`z_t = \sigma(W_z x_t + b_z)`, :math:`n_t = W_n x_t + b_n` and
    :math:`h_t = (1 - z_t) \odot h_{t-1} + z_t \odot n_t`, which is linear in the state: all steps
    at once, by :func:`scan`. (Here z is the share of what is new.) ``forward(x, state)`` takes x
    (B, T, D) and the first state (B, H), zeros if there is none, and returns all states (B, T, H)
    and the last one. Raises ValueError for sizes below 1, for other shapes, and for no steps.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        if min(input_size, hidden_size) < 1:
            raise ValueError(f"sizes are at least 1, not {input_size} and {hidden_size}")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if x.ndim != 3 or not x.shape[1] or x.shape[2] != self.input_size:
            raise ValueError(f"x is (B, T, {self.input_size}) with T > 0, not {tuple(x.shape)}")
        if state is None:
            state = x.new_zeros(len(x), self.hidden_size)
        elif state.shape != (len(x), self.hidden_size):
            raise ValueError(f"the state is {(len(x), self.hidden_size)}, not {tuple(state.shape)}")
        z, n = self.linear(x).chunk(2, dim=2)  # (B, T, H) twice
        z = torch.sigmoid(z)
        states = scan(1 - z, z * n, state)
        return states, states[:, -1]


def scan(a: Tensor, b: Tensor, first: Tensor) -> Tensor:
    r"""All of :math:`h_t = a_t \odot h_{t-1} + b_t` for a and b (B, T, H) and h_0 (B, H).

    By doubling: two neighbouring steps are one step, :math:`(a, b) \to (a' a, a' b + b')`, so that
    after k rounds each place knows the :math:`2^k` steps before it. About :math:`\log_2 T` rounds.
    Source: Hillis and Steele, *Data Parallel Algorithms* (1986).
    """
    reach = 1
    while reach < a.shape[1]:
        before, behind = slice(None, -reach), slice(reach, None)
        b = torch.cat([b[:, :reach], a[:, behind] * b[:, before] + b[:, behind]], 1)
        a = torch.cat([a[:, :reach], a[:, behind] * a[:, before]], 1)
        reach *= 2
    return a * first[:, None] + b
