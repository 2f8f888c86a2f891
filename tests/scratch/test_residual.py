import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.layers import GELU, Linear, ReLU, Sequential, Tanh
from dlcourse.scratch.norm import BatchNorm1d, LayerNorm
from dlcourse.scratch.residual import Residual


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Within 1e-12 of the array's largest entry."""
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


def network(rng):
    inner = Residual(LayerNorm(4), Linear(4, 6, rng=rng), GELU(), Linear(6, 4, rng=rng))
    outer = Residual(BatchNorm1d(4), Tanh(), inner)
    return Sequential(Linear(3, 4, rng=rng), outer, Linear(4, 2, rng=rng))


class TorchResidual(torch.nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def oracle_of(net):
    nn = torch.nn
    inner = TorchResidual(nn.LayerNorm(4), nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 4))
    outer = TorchResidual(nn.BatchNorm1d(4), nn.Tanh(), inner)
    oracle = nn.Sequential(nn.Linear(3, 4), outer, nn.Linear(4, 2)).double()
    state = {name: torch.from_numpy(p.copy()) for name, p in net.params.items()}
    oracle.load_state_dict(state, strict=False)
    return oracle


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n", [3, 7])
def test_nested_blocks_match_torch_by_name_and_number(n, training, rng):
    net = network(rng)
    oracle = oracle_of(net)
    net.train(training)
    oracle.train(training)
    x, dy = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    x_torch = torch.from_numpy(x).requires_grad_()
    y_torch = oracle(x_torch)
    y_torch.backward(torch.from_numpy(dy))
    close(net.forward(x), y_torch.detach().numpy())
    close(net.backward(dy), x_torch.grad.numpy())
    named = dict(oracle.named_parameters())
    assert [*net.params] == [*net.grads] == [*named]
    assert "1.2.1.weight" in named
    for name, param in named.items():
        close(net.grads[name], param.grad.numpy(), name)


@pytest.mark.parametrize("n", [2, 5])
def test_backward_through_nested_blocks_matches_central_differences(n, rng):
    net = network(rng)
    x, dy = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    net.forward(x)
    dx = net.backward(dy)
    np.testing.assert_allclose(dx, numerical_gradient(lambda: net.forward(x), x, dy), atol=1e-8)
    for name, param in net.params.items():
        expected = numerical_gradient(lambda: net.forward(x), param, dy)
        np.testing.assert_allclose(net.grads[name], expected, atol=1e-8, err_msg=name)


@given(shape=st.sampled_from([(3,), (0, 3), (1, 3), (2, 5, 3)]), seed=st.integers(0, 10**6))
def test_a_block_whose_layers_give_nothing_is_the_identity_both_ways(shape, seed):
    rng = np.random.default_rng(seed)
    block = Residual(Linear(3, 3, rng=rng), ReLU(), Linear(3, 3, rng=rng))
    for name in ("2.weight", "2.bias"):
        block.params[name][...] = 0
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    np.testing.assert_array_equal(block.forward(x), x)
    np.testing.assert_array_equal(block.backward(dy), dy)


def test_a_block_is_its_layers_and_the_input(rng):
    layers = Linear(3, 3, rng=rng), Tanh()
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    block, plain = Residual(*layers), Sequential(*layers)
    np.testing.assert_array_equal(block.forward(x), x + plain.forward(x))
    np.testing.assert_array_equal(block.backward(dy), dy + plain.backward(dy))


def test_train_and_eval_reach_the_layers_inside(rng):
    net = network(rng)
    batch = net.layers[1].layers[0]
    net.eval()
    assert not batch.training
    net.train()
    assert batch.training


def test_a_block_leaves_its_input_alone(rng):
    block = Residual(Linear(3, 3, rng=rng))
    x = rng.normal(size=(4, 3))
    before = x.copy()
    y = block.forward(x)
    block.backward(y)
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(x, y)


def test_layers_that_change_the_shape_are_refused_by_both_shapes(rng):
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(4, 1\)"):  # would broadcast
        Residual(Linear(3, 1, rng=rng)).forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(4, 2\)"):
        Residual(Linear(3, 2, rng=rng)).forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match="at least one"):
        Residual()
    block = Residual(Linear(3, 3, rng=rng))
    with pytest.raises(ValueError, match="forward before"):
        block.backward(np.ones((4, 3)))
    block.forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"\(3,\) and \(4, 3\)"):
        block.backward(np.ones(3))


def test_a_block_refuses_a_backward_that_belongs_to_no_forward(rng):
    block = Residual(Sequential())
    with pytest.raises(ValueError, match="backward needs a forward"):
        block.backward(np.ones((2, 3)))
    block.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"\(3,\) and \(2, 3\)"):
        block.backward(np.ones(3))
