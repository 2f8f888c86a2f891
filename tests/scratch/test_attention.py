import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.attention import (
    ScaledDotProductAttention,
    attention_weights,
    scaled_dot_product_attention,
)
from dlcourse.scratch.gradcheck import check_layer, numerical_gradient
from dlcourse.scratch.heads import MultiHeadAttention
from dlcourse.scratch.layers import Linear, Sequential
from dlcourse.scratch.norm import LayerNorm
from dlcourse.scratch.residual import Residual

SHAPES = [  # leading axes, L, S, E, Ev
    ((2,), 3, 4, 2, 3),
    ((), 1, 1, 1, 1),
    ((2, 3), 4, 3, 5, 2),
    ((0,), 2, 3, 4, 4),
    ((3,), 5, 5, 3, 3),
    ((1,), 4, 0, 2, 3),
    ((1,), 0, 2, 2, 3),
]
HEADS = [(2, 3, 5, 4, 2), (1, 1, 1, 1, 1), (3, 4, 2, 6, 3), (0, 3, 2, 4, 1), (2, 3, 3, 3, 3)]
MASKS = [None, "causal", "random", "padding", "both", "nothing"]
each_shape = pytest.mark.parametrize("lead, length, keys, size, value_size", SHAPES)
each_head = pytest.mark.parametrize("n, length, keys, size, heads", HEADS)  # N, L, S, E, heads
each_mask = pytest.mark.parametrize("mask", MASKS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(found, expected, name=""):
    """Within 1e-12 of the array's largest entry."""
    assert found.shape == expected.shape, name
    size = max(np.abs(expected).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size, err_msg=name)


def masked(mask, shape, rng):
    """attn_mask, is_causal, and both as one full mask; ``shape`` is (…, L, S)."""
    causal = mask in ("causal", "both")
    allowed = None
    if mask in ("random", "both"):
        allowed = rng.random(shape) < 0.6
    elif mask == "padding":
        allowed = rng.random((*shape[:-2], 1, shape[-1])) < 0.6
    elif mask == "nothing":
        allowed = np.zeros(shape[-2:], bool)
    full = np.ones(shape, bool) if allowed is None else np.broadcast_to(allowed, shape)
    return allowed, causal, full & np.tri(*shape[-2:], dtype=bool) if causal else full


def given_arrays(lead, length, keys, size, value_size, rng):
    of = (length, size), (keys, size), (keys, value_size), (length, value_size)
    return [rng.normal(size=(*lead, *shape)) for shape in of]  # query, key, value, dy


def multi_head(size, heads, rng, **options):
    layer = MultiHeadAttention(size, heads, rng=rng, **options)
    for name, param in layer.params.items():
        if "bias" in name:
            param[...] = rng.normal(size=param.shape)  # they start at 0, which hides them
    return layer


def torchs(layer, bias=True):
    oracle = torch.nn.MultiheadAttention(
        layer.embed_dim, layer.num_heads, bias=bias, batch_first=True, dtype=torch.float64
    )
    oracle.load_state_dict({name: torch.from_numpy(p.copy()) for name, p in layer.params.items()})
    return oracle


# central differences ---------------------------------------------------------------------


@each_mask
@each_shape
def test_attention_backward_matches_central_differences(
    mask, lead, length, keys, size, value_size, rng
):
    *inputs, dy = given_arrays(lead, length, keys, size, value_size, rng)
    attn_mask, causal, _ = masked(mask, (*lead, length, keys), rng)
    layer = ScaledDotProductAttention(causal)
    layer.forward(*inputs, attn_mask)
    for array, grad in zip(inputs, layer.backward(dy), strict=True):
        assert grad.shape == array.shape
        expected = numerical_gradient(lambda: layer.forward(*inputs, attn_mask), array, dy)
        np.testing.assert_allclose(grad, expected, atol=1e-8)
    assert layer.params == layer.grads == {}


@pytest.mark.parametrize("mask", [None, "both"])
@pytest.mark.parametrize("bias", [True, False])
@each_head
def test_multi_head_backward_matches_central_differences(
    mask, bias, n, length, keys, size, heads, rng
):
    attn_mask, causal, _ = masked(mask, (n, heads, length, keys), rng)
    layer = multi_head(size, heads, rng, bias=bias, is_causal=causal)
    query, dy = rng.normal(size=(2, n, length, size))
    key, value = rng.normal(size=(2, n, keys, size))
    inputs = query, key, value

    def forward():
        return layer.forward(*inputs, attn_mask)

    forward()
    for array, grad in zip(inputs, layer.backward(dy), strict=True):
        assert grad.shape == array.shape
        np.testing.assert_allclose(grad, numerical_gradient(forward, array, dy), atol=1e-8)
    for name, param in layer.params.items():
        expected = numerical_gradient(forward, param, dy)
        np.testing.assert_allclose(layer.grads[name], expected, atol=1e-8, err_msg=name)


# torch as oracle -------------------------------------------------------------------------


@each_mask
@each_shape
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_matches_torch(mask, lead, length, keys, size, value_size, scale, rng):
    *inputs, dy = given_arrays(lead, length, keys, size, value_size, rng)
    attn_mask, causal, full = masked(mask, (*lead, length, keys), rng)
    tensors = [torch.from_numpy(each).requires_grad_() for each in inputs]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *tensors, attn_mask=torch.from_numpy(full.copy()), scale=scale
    )
    expected.backward(torch.from_numpy(dy))
    layer = ScaledDotProductAttention(causal, scale)
    close(layer.forward(*inputs, attn_mask), expected.detach().numpy(), "y")
    for found, tensor in zip(layer.backward(dy), tensors, strict=True):
        close(found, tensor.grad.numpy())
    close(layer.weights, attention_weights(*inputs[:2], full, scale=scale))
    found = scaled_dot_product_attention(*inputs, attn_mask, causal, scale)
    close(found, expected.detach().numpy())


def test_causal_masks_start_at_the_first_key_as_torchs_do(rng):
    for length, keys in ((3, 5), (5, 3), (4, 4)):
        *inputs, _ = given_arrays((2,), length, keys, 3, 3, rng)
        tensors = [torch.from_numpy(each) for each in inputs]
        attend = torch.nn.functional.scaled_dot_product_attention
        expected = attend(*tensors, is_causal=True).numpy()
        close(scaled_dot_product_attention(*inputs, is_causal=True), expected)


def everything(oracle, inputs, dy, allowed):
    """y and the weights of torch's multi-head attention, and the gradients of its inputs."""
    tensors = [torch.from_numpy(each).requires_grad_() for each in inputs]
    forbidden = torch.from_numpy(~allowed).flatten(0, 1)  # torch's is the other way round
    arguments = tensors if len(tensors) == 3 else tensors * 3
    y, weights = oracle(*arguments, attn_mask=forbidden, average_attn_weights=False)
    y.backward(torch.from_numpy(dy))
    return y.detach().numpy(), weights.detach().numpy(), [each.grad.numpy() for each in tensors]


@pytest.mark.parametrize("mask", [None, "causal", "random", "both"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("of_itself", [True, False])
@each_head
def test_multi_head_attention_matches_torch(
    mask, bias, of_itself, n, length, keys, size, heads, rng
):
    keys = length if of_itself else keys
    attn_mask, causal, full = masked(mask, (n, heads, length, keys), rng)
    if attn_mask is not None:
        attn_mask[..., 0] = True  # where nothing is allowed torch's gives NaN
        full = attn_mask & np.tri(length, keys, dtype=bool) if causal else attn_mask
    layer = multi_head(size, heads, rng, bias=bias, is_causal=causal)
    oracle = torchs(layer, bias)
    query, dy = rng.normal(size=(2, n, length, size))
    inputs = [query] if of_itself else [query, *rng.normal(size=(2, n, keys, size))]
    y, weights, d_inputs = everything(oracle, inputs, dy, full)
    close(layer.forward(*inputs, attn_mask=attn_mask), y, "y")
    close(layer.weights, weights, "weights")
    found = [layer.backward(dy)] if of_itself else layer.backward(dy)
    for ours, theirs in zip(found, d_inputs, strict=True):
        close(ours, theirs, "dx")
    named = dict(oracle.named_parameters())
    assert [*layer.params] == [*layer.grads] == [*named]
    for name, param in named.items():
        close(layer.grads[name], param.grad.numpy(), name)


def test_first_values_follow_torchs_laws(rng):
    layer, oracle = MultiHeadAttention(64, 4, rng=rng), torch.nn.MultiheadAttention(64, 4)
    for name, param in oracle.named_parameters():
        ours, theirs = layer.params[name], param.detach().numpy()
        assert ours.shape == theirs.shape
        if "bias" in name:
            assert not ours.any() and not theirs.any()
        else:
            np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.1, err_msg=name)
            np.testing.assert_allclose(np.abs(ours).max(), np.abs(theirs).max(), rtol=0.05)
    again = MultiHeadAttention(64, 4, rng=np.random.default_rng(0))
    for name, param in layer.params.items():
        np.testing.assert_array_equal(param, again.params[name])


# properties ------------------------------------------------------------------------------

SIZES = {
    "length": st.integers(1, 5),
    "keys": st.integers(1, 5),
    "size": st.integers(1, 4),
    "seed": st.integers(0, 1000),
}


@settings(max_examples=50)
@given(**SIZES)
def test_rows_are_distributions_over_what_is_allowed(length, keys, size, seed):
    rng = np.random.default_rng(seed)
    query, key, *_ = given_arrays((2,), length, keys, size, 1, rng)
    allowed = rng.random((2, length, keys)) < 0.5
    weights = attention_weights(30 * query, 30 * key, allowed)
    assert (weights >= 0).all() and not weights[~allowed].any()
    np.testing.assert_allclose(weights.sum(axis=-1), allowed.any(axis=-1), atol=1e-12)


@settings(max_examples=50)
@given(**SIZES, pads=st.integers(1, 4))
def test_keys_that_are_masked_might_as_well_not_be_there(length, keys, size, seed, pads):
    rng = np.random.default_rng(seed)
    query, key, value, dy = given_arrays((2,), length, keys, 2 * size, 2 * size, rng)
    longer = [
        np.concatenate([each, 1e3 * rng.normal(size=(2, pads, 2 * size))], axis=1)
        for each in (key, value)
    ]
    real = np.arange(keys + pads) < keys
    layer = multi_head(2 * size, 2, rng)
    close(layer.forward(query, *longer, real), layer.forward(query, key, value))
    d_query, d_key, d_value = layer.backward(dy)
    layer.zero_grad()
    layer.forward(query, *longer, real)
    of_longer = layer.backward(dy)
    close(of_longer[0], d_query)
    for long, short in zip(of_longer[1:], (d_key, d_value), strict=True):
        close(long[:, :keys], short)
        assert not long[:, keys:].any()


@settings(max_examples=50)
@given(length=st.integers(2, 6), at=st.integers(1, 5), seed=st.integers(0, 1000))
def test_the_future_cannot_change_the_past(length, at, seed):
    rng, at = np.random.default_rng(seed), min(at, length - 1)
    layer = multi_head(4, 2, rng, is_causal=True)
    x = rng.normal(size=(2, length, 4))
    other = x.copy()
    other[:, at:] = rng.normal(size=(2, length - at, 4))
    future = layer.forward(other)
    past = layer.forward(x)
    close(past[:, :at], future[:, :at])
    assert (past[:, at:] != future[:, at:]).all()
    dy = rng.normal(size=x.shape)
    dy[:, at:] = 0  # a loss of the past alone
    assert not layer.backward(dy)[:, at:].any()


@settings(max_examples=50)
@given(**SIZES)
def test_the_order_of_keys_does_not_matter_and_that_of_queries_is_the_outputs(
    length, keys, size, seed
):
    rng = np.random.default_rng(seed)
    query, key, value, _ = given_arrays((2,), length, keys, 2 * size, 2 * size, rng)
    layer = multi_head(2 * size, 2, rng)
    y, order, turn = (
        layer.forward(query, key, value),
        rng.permutation(keys),
        rng.permutation(length),
    )
    close(layer.forward(query, key[:, order], value[:, order]), y)
    close(layer.forward(query[:, turn], key, value), y[:, turn])


def test_a_query_that_may_attend_to_nothing_gets_zero_and_sends_nothing_back(rng):
    *inputs, dy = given_arrays((2,), 3, 4, 2, 2, rng)
    allowed = np.ones((3, 4), bool)
    allowed[1] = False
    layer = ScaledDotProductAttention()
    y = layer.forward(*inputs, allowed)
    assert not y[:, 1].any() and y[:, [0, 2]].all() and not layer.weights[:, 1].any()
    d_query, *rest = layer.backward(dy)
    assert not d_query[:, 1].any()
    dy[:, 1] = 1e6
    for grad, other in zip(rest, layer.backward(dy)[1:], strict=True):
        np.testing.assert_array_equal(grad, other)
    heads = multi_head(4, 2, rng)
    x = rng.normal(size=(2, 3, 4))
    y = heads.forward(x, attn_mask=np.zeros((3, 3), bool))
    np.testing.assert_array_equal(y, np.tile(heads.params["out_proj.bias"], (2, 3, 1)))


def test_equal_keys_share_alike_and_one_key_takes_all(rng):
    query, value = rng.normal(size=(2, 3, 4, 5))
    alike = np.ones((3, 4, 5))
    y = scaled_dot_product_attention(query, alike, value)
    close(y, np.broadcast_to(value.mean(axis=1, keepdims=True), y.shape))
    y = scaled_dot_product_attention(query, alike[:, :1], value[:, :1])
    close(y, np.broadcast_to(value[:, :1], y.shape))


def test_large_scores_do_not_overflow():
    query, value = np.array([[1e4], [-1e4]]), np.array([[1.0], [2.0]])
    key = np.array([[1.0], [-1.0]])
    for dtype in (np.float32, np.float64):
        arrays = [each.astype(dtype) for each in (query, key, value)]
        np.testing.assert_array_equal(scaled_dot_product_attention(*arrays), [[1], [2]])
        worst = np.array([[False, True], [True, False]])  # all that is allowed scores -1e4
        np.testing.assert_array_equal(scaled_dot_product_attention(*arrays, worst), [[2], [1]])


def test_self_attention_is_attention_with_three_times_the_same(rng):
    layer, same = (multi_head(6, 3, np.random.default_rng(4)) for _ in range(2))
    x, dy = rng.normal(size=(2, 2, 5, 6))
    close(layer.forward(x), same.forward(x, x, x))
    close(layer.backward(dy), sum(same.backward(dy)))
    for name, grad in layer.grads.items():
        close(grad, same.grads[name], name)


def test_self_attention_stands_in_a_network_like_any_layer(rng):
    net = Sequential(
        Residual(LayerNorm(4), multi_head(4, 2, rng, is_causal=True)), Linear(4, 3, rng=rng)
    )
    x, dy = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 3))
    assert "0.1.in_proj_weight" in net.params
    errors = check_layer(net, x, dy)
    # a bias of the keys moves all scores of a query alike: its gradient is 0 but for rounding
    bias = errors.pop("0.1.in_proj_bias")
    assert max(errors.values()) < 1e-6 and bias < 1e-4


def test_the_bias_of_the_keys_changes_nothing(rng):
    layer, x = multi_head(4, 2, rng), rng.normal(size=(2, 3, 4))
    y = layer.forward(x)
    layer.backward(rng.normal(size=y.shape))
    np.testing.assert_allclose(layer.grads["in_proj_bias"][4:8], 0, atol=1e-14)
    layer.params["in_proj_bias"][4:8] += 5
    np.testing.assert_allclose(layer.forward(x), y, atol=1e-12)


def test_gradients_add_up_inputs_stay_and_views_are_as_copies(rng):
    layer = multi_head(4, 2, rng)
    view = np.asfortranarray(rng.normal(size=(4, 6, 8)))[::2, ::-2, ::2]
    dy = np.asfortranarray(rng.normal(size=(2, 3, 4)))
    before, dy_before = view.copy(), dy.copy()
    y = layer.forward(view)
    dx = layer.backward(dy)
    once = {name: grad.copy() for name, grad in layer.grads.items()}
    np.testing.assert_array_equal(layer.backward(dy), dx)
    for name, grad in layer.grads.items():
        np.testing.assert_array_equal(grad, 2 * once[name])
    np.testing.assert_array_equal(view, before)
    np.testing.assert_array_equal(dy, dy_before)
    close(layer.forward(before.copy(order="C")), y)
    close(layer.backward(dy.copy(order="C")), dx)
    *inputs, dy = given_arrays((2,), 3, 4, 2, 2, rng)
    plain = ScaledDotProductAttention()
    y = plain.forward(*(np.asfortranarray(each) for each in inputs))
    found = plain.backward(np.asfortranarray(dy))
    close(plain.forward(*inputs), y)
    for one, other in zip(plain.backward(dy), found, strict=True):
        close(one, other)


def test_float32_stays_float32(rng):
    layer = MultiHeadAttention(4, 2, rng=rng, dtype=np.float32)
    y = layer.forward(rng.normal(size=(2, 3, 4)).astype(np.float32), attn_mask=np.tri(3) > 0)
    found = {y.dtype, layer.backward(y).dtype, layer.weights.dtype}
    assert found | {g.dtype for g in layer.grads.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("which", [0, 1, 2])
def test_nan_in_is_nan_out(which, rng):
    *inputs, _ = given_arrays((2,), 3, 4, 2, 2, rng)
    inputs[which][1, 2, 0] = np.nan
    y = scaled_dot_product_attention(*inputs)
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1, 2]).all() if which == 0 else np.isnan(y[1]).any(axis=-1).all()
    x = rng.normal(size=(2, 3, 4))
    x[1, 1, 1] = np.nan
    y = multi_head(4, 2, rng, is_causal=True).forward(x)
    assert np.isnan(y[1, 1:]).all() and np.isfinite(y[0]).all()


# refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, key, value, named",
    [
        ((2, 3, 4), (2, 5, 3), (2, 5, 4), ["(2, 3, 4)", "(2, 5, 3)"]),
        ((2, 3, 4), (1, 5, 4), (1, 5, 4), ["(2, 3, 4)", "(1, 5, 4)"]),
        ((2, 3, 4), (2, 5, 4), (2, 6, 4), ["(2, 5, 4)", "(2, 6, 4)"]),
        ((3, 4), (2, 5, 4), (2, 5, 4), ["(3, 4)", "(2, 5, 4)"]),
        ((4,), (4,), (4,), ["(4,)"]),
        ((2, 3, 0), (2, 5, 0), (2, 5, 4), ["(2, 3, 0)"]),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_both(query, key, value, named):
    with pytest.raises(ValueError) as error:
        scaled_dot_product_attention(np.ones(query), np.ones(key), np.ones(value))
    assert all(shape in str(error.value) for shape in named)


@pytest.mark.parametrize(
    "shapes, named",
    [
        ([(2, 3, 5)], ["query", "(2, 3, 5)", "(12, 4)"]),
        ([(3, 4)], ["query", "(3, 4)", "(12, 4)"]),
        ([(2, 3, 4), (2, 5, 3), (2, 5, 4)], ["key", "(2, 5, 3)", "(12, 4)"]),
        ([(2, 3, 4), (2, 5, 4), (2, 5, 5)], ["value", "(2, 5, 5)", "(12, 4)"]),
        ([(2, 3, 4), (1, 5, 4), (1, 5, 4)], ["(2, 3, 4)", "(1, 5, 4)"]),
        ([(2, 3, 4), (2, 5, 4), (2, 6, 4)], ["(2, 5, 4)", "(2, 6, 4)"]),
        ([(2, 3, 4), (2, 5, 4)], ["key and value come together"]),
    ],
)
def test_multi_head_attention_refuses_shapes_that_do_not_fit(shapes, named, rng):
    with pytest.raises(ValueError) as error:
        multi_head(4, 2, rng).forward(*map(np.ones, shapes))
    assert all(each in str(error.value) for each in named)


@pytest.mark.parametrize("mask", [np.ones((3, 4)), np.ones((3, 4), int), [[True]]])
def test_masks_that_are_not_boolean_are_refused(mask, rng):
    *inputs, _ = given_arrays((2,), 3, 4, 2, 2, rng)
    kind = "list" if isinstance(mask, list) else mask.dtype.name
    with pytest.raises(ValueError, match=f"Boolean, .* not {kind}"):
        scaled_dot_product_attention(*inputs, mask)


@pytest.mark.parametrize("shape", [(4, 3), (3, 3), (3, 2, 3, 4), (2, 2, 3, 4), (3, 3, 4)])
def test_masks_of_another_shape_are_refused_by_both(shape, rng):
    *inputs, _ = given_arrays((2,), 3, 4, 2, 2, rng)
    with pytest.raises(ValueError) as error:
        scaled_dot_product_attention(*inputs, np.ones(shape, bool))
    assert str(shape) in str(error.value) and "(2, 3, 4)" in str(error.value)


def test_a_mask_of_three_axes_is_refused_for_its_first_could_be_batch_or_heads(rng):
    x = rng.normal(size=(2, 3, 4))
    with pytest.raises(ValueError, match=r"\(N, num_heads, L, S\).*not \(2, 3, 3\)"):
        multi_head(4, 2, rng).forward(x, attn_mask=np.ones((2, 3, 3), bool))


def test_bytes_lists_gradients_that_do_not_fit_and_no_forward_are_refused(rng):
    layer, plain, x = multi_head(4, 2, rng), ScaledDotProductAttention(), np.ones((2, 3, 4))
    for made, arguments in ((layer, 1), (plain, 3)):
        with pytest.raises(ValueError, match="forward before"):
            made.backward(x)
        with pytest.raises(ValueError, match="uint8"):
            made.forward(*[x.astype(np.uint8)] * arguments)
        with pytest.raises(ValueError, match="not with a list"):
            made.forward(*[x.tolist()] * arguments)
        made.forward(*[rng.normal(size=x.shape)] * arguments)
        for wrong in ((2, 3), (2, 3, 1), (1, 3, 4)):
            with pytest.raises(ValueError, match=r"\(2, 3, 4\)") as error:
                made.backward(np.ones(wrong))
            assert str(wrong) in str(error.value)
        assert not any(grad.any() for grad in made.grads.values()), "refused, and added"
    with pytest.raises(ValueError, match="no weights before a forward"):
        _ = multi_head(4, 2, rng).weights


def test_settings_that_make_no_layer_are_refused(rng):
    for size, heads in ((4, 3), (0, 1), (4, 0), (4, -2)):
        with pytest.raises(ValueError, match=f"{size} .* {heads} heads"):
            MultiHeadAttention(size, heads, rng=rng)
    with pytest.raises(ValueError, match="parameters are floats, not int64"):
        MultiHeadAttention(4, 2, rng=rng, dtype=np.int64)
    with pytest.raises(ValueError, match="nan"):
        attention_weights(np.ones((2, 3)), np.ones((2, 3)), scale=float("nan"))
