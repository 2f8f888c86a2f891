import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.models.mingru import MinGRU, scan


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 3), st.integers(0, 100))
def test_a_scan_is_the_loop(n, steps, size, seed):
    rng = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(n, steps, size, generator=rng, dtype=torch.float64) for _ in range(2))
    h = torch.randn(n, size, generator=rng, dtype=torch.float64)
    states, found = [], scan(a, b, h)
    for t in range(steps):
        h = a[:, t] * h + b[:, t]
        states.append(h)
    scale = max(1.0, float(torch.stack(states).abs().max()))
    torch.testing.assert_close(found / scale, torch.stack(states, 1) / scale, rtol=0, atol=1e-12)


def test_a_mingru_weighs_its_state_and_what_is_new():
    torch.manual_seed(0)
    layer, x = MinGRU(2, 3).double(), torch.randn(2, 5, 2, dtype=torch.float64)
    h = torch.randn(2, 3, dtype=torch.float64)
    states, last = layer(x, h)
    for t in range(5):
        z, n = layer.linear(x[:, t]).chunk(2, 1)
        h = h + torch.sigmoid(z) * (n - h)
        close(states[:, t], h)
    close(last, h)
