"""More of it, beside the attention that it is made of, in ``test_attention.py``."""

import numpy as np
import pytest
import torch

from dlcourse.scratch.attention import ScaledDotProductAttention
from dlcourse.scratch.gradcheck import check_layer
from dlcourse.scratch.heads import MultiHeadAttention


@pytest.mark.parametrize(("size", "heads"), [(4, 2), (6, 3), (3, 1)])
def test_self_attention_is_torchs_and_its_gradients_are_right(size, heads):
    rng = np.random.default_rng(0)
    layer, x = MultiHeadAttention(size, heads, rng=rng), rng.normal(size=(2, 3, size))
    oracle = torch.nn.MultiheadAttention(size, heads, batch_first=True).double()
    oracle.load_state_dict({name: torch.from_numpy(p) for name, p in layer.params.items()})
    wanted = oracle(*[torch.from_numpy(x)] * 3, need_weights=False)[0].detach().numpy()
    np.testing.assert_allclose(layer.forward(x), wanted, rtol=0, atol=1e-12)
    errors = check_layer(layer, x, rng.normal(size=x.shape))
    assert max(errors.values()) < 1e-6


def test_one_head_with_unit_matrices_is_attention_by_itself():
    rng = np.random.default_rng(0)
    layer, x = MultiHeadAttention(3, 1, rng=rng), rng.normal(size=(2, 4, 3))
    layer.params["in_proj_weight"][:] = np.tile(np.eye(3), (3, 1))
    layer.params["out_proj.weight"][:] = np.eye(3)
    alone = ScaledDotProductAttention().forward(x, x, x)
    np.testing.assert_allclose(layer.forward(x), alone, rtol=0, atol=1e-12)
