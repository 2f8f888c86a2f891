import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcourse.scratch.optim import SGD, Adam, AdamW, RMSProp, clip_grad_norm

SHAPES = {"0.weight": (4, 3), "0.bias": (4,), "scale": (), "none": (0, 2)}
SETTINGS = {
    "gradient descent": (SGD, torch.optim.SGD, {"lr": 0.1}),
    "with decay": (SGD, torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.3}),
    "momentum": (SGD, torch.optim.SGD, {"lr": 0.02, "momentum": 0.9}),
    "momentum and decay": (
        SGD,
        torch.optim.SGD,
        {"lr": 0.02, "momentum": 0.8, "weight_decay": 0.1},
    ),
    "nesterov": (
        SGD,
        torch.optim.SGD,
        {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    "rmsprop": (RMSProp, torch.optim.RMSprop, {}),
    "rmsprop, all set": (
        RMSProp,
        torch.optim.RMSprop,
        {"lr": 0.003, "alpha": 0.9, "eps": 0.1, "weight_decay": 0.2},
    ),
    "adam": (Adam, torch.optim.Adam, {}),
    "adam, all set": (
        Adam,
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.2},
    ),
    "adamw": (AdamW, torch.optim.AdamW, {}),
    "adamw, all set": (
        AdamW,
        torch.optim.AdamW,
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.2},
    ),
    "without betas": (Adam, torch.optim.Adam, {"betas": (0.0, 0.0)}),
}
KINDS = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def two_of(shapes, rng, dtype=np.float64):
    params = {k: np.asarray(rng.normal(size=s), dtype=dtype) for k, s in shapes.items()}
    return params, {k: np.zeros_like(p) for k, p in params.items()}


def one(values, grads, **settings):
    """A dict with one array, a dict with its gradient, and both arrays."""
    w, g = np.array(values, dtype=float), np.array(grads, dtype=float)
    return {"w": w}, {"w": g}, w, g


@pytest.mark.parametrize("name", SETTINGS)
def test_two_hundred_steps_are_torchs(name, rng):
    ours, oracle, settings = SETTINGS[name]
    params, grads = two_of(SHAPES, rng)
    tensors = {k: torch.nn.Parameter(torch.from_numpy(p.copy())) for k, p in params.items()}
    optimizer, expected = ours(params, grads, **settings), oracle(tensors.values(), **settings)
    for t in range(200):
        size = 10.0 ** rng.uniform(-3, 2)
        for k, p in params.items():
            grads[k][...] = size * rng.normal(size=p.shape) * (t % 7 > 0)  # exact zeros too
            tensors[k].grad = torch.from_numpy(grads[k].copy())
        if t == 100:  # as a schedule would
            optimizer.lr = expected.param_groups[0]["lr"] = 0.7 * optimizer.lr
        optimizer.step()
        expected.step()
        for k, tensor in tensors.items():
            wanted = tensor.detach().numpy()
            largest = max(np.abs(wanted).max(initial=0), 1e-3)
            np.testing.assert_allclose(params[k], wanted, rtol=0, atol=1e-12 * largest, err_msg=k)


@each_kind
def test_parameters_change_in_place_and_gradients_stay(kind, rng):
    params, grads = two_of(SHAPES, rng)
    for g in grads.values():
        g[...] = 1.0
    held = {k: (p, p.copy()) for k, p in params.items()}
    kind(params, grads, lr=0.1).step()
    for k, (same, before) in held.items():
        assert params[k] is same
        assert not before.size or (params[k] != before).all()
        assert (grads[k] == 1).all()


@each_kind
def test_single_precision_stays_single(kind, rng):
    params, grads = two_of(SHAPES, rng, np.float32)
    optimizer = kind(params, grads, lr=0.1)
    for _ in range(3):
        for g in grads.values():
            g[...] = 0.5
        optimizer.step()
    assert {p.dtype for p in params.values()} == {np.dtype(np.float32)}


@each_kind
def test_without_a_gradient_and_without_decay_nothing_moves(kind):
    params, grads, w, _ = one([1.0, -2.0], [0.0, 0.0])
    optimizer = kind(params, grads, lr=0.1, weight_decay=0.0)
    for _ in range(3):
        optimizer.step()
    np.testing.assert_array_equal(w, [1.0, -2.0])


@each_kind
def test_nan_shows_and_spoils_its_own_entry_only(kind):
    params, grads, w, _ = one([1.0, 1.0], [np.nan, 1.0])
    kind(params, grads, lr=0.1).step()
    assert np.isnan(w[0]) and np.isfinite(w[1])


@each_kind
def test_each_walks_down_a_bowl(kind):
    params, grads, w, g = one([3.0, -2.0], [0.0, 0.0])
    optimizer = kind(params, grads, lr=0.05, weight_decay=0.0)
    for _ in range(500):
        g[...] = w * [1.0, 4.0]
        optimizer.step()
    assert np.abs(w).max() < 0.06


@given(arrays(np.float64, 4, elements=st.floats(0.01, 1e3)), st.floats(1e-3, 1e3))
def test_adaptive_steps_do_not_depend_on_the_scale_of_the_gradient(gradient, scale):
    """With eps = 0 a gradient k times as large makes the same step."""
    for kind in (RMSProp, Adam):
        moved = []
        for k in (1.0, scale):
            params, grads, w, g = one(np.zeros(4), gradient * k)
            optimizer = kind(params, grads, lr=0.1, eps=0.0)
            for t in range(3):
                g[...] = gradient * k * (t + 1)
                optimizer.step()
            moved.append(w)
        np.testing.assert_allclose(*moved, rtol=1e-9)


def test_the_first_step_of_adam_is_the_learning_rate():
    params, grads, w, _ = one([0.0, 0.0, 0.0], [1e-3, -5.0, 1e4])
    Adam(params, grads, lr=0.01).step()
    np.testing.assert_allclose(w, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_momentum_reaches_lr_over_one_minus_momentum():
    params, grads, w, _ = one([0.0], [1.0])
    optimizer = SGD(params, grads, lr=0.1, momentum=0.9)
    for _ in range(300):
        before = w.copy()
        optimizer.step()
    np.testing.assert_allclose(before - w, [0.1 / (1 - 0.9)], rtol=1e-9)


def test_decoupled_decay_shrinks_all_alike_and_l2_in_adam_does_not():
    """Two weights of one size, one with a large gradient that averages to zero."""
    shrunk = {}
    for kind in (Adam, AdamW):
        params, grads, w, g = one([1.0, 1.0], [0.0, 0.0])
        optimizer = kind(params, grads, lr=0.001, weight_decay=0.1)
        for t in range(2000):
            g[...] = [(-1) ** t * 1.0, (-1) ** t * 100.0]
            optimizer.step()
        shrunk[kind] = w
    np.testing.assert_allclose(shrunk[AdamW], 0.9999**2000, rtol=0.01)
    assert shrunk[Adam][0] < 0.9 and shrunk[Adam][1] > 0.99


# refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (SGD, {"lr": -0.1}, "lr .*-0.1"),
        (Adam, {"lr": float("nan")}, "lr .*nan"),
        (RMSProp, {"lr": float("inf")}, "lr .*inf"),
        (SGD, {"lr": 0.1, "momentum": 1.0}, "momentum .*1.0"),
        (SGD, {"lr": 0.1, "momentum": -0.1}, "momentum .*-0.1"),
        (SGD, {"lr": 0.1, "nesterov": True}, "momentum is 0"),
        (SGD, {"lr": 0.1, "weight_decay": -1.0}, "weight_decay .*-1.0"),
        (RMSProp, {"alpha": 1.0}, "alpha .*1.0"),
        (RMSProp, {"eps": -1e-8}, "eps .*-1e-08"),
        (Adam, {"betas": (1.0, 0.9)}, r"betas\[0\] .*1.0"),
        (AdamW, {"betas": (0.9, float("nan"))}, r"betas\[1\] .*nan"),
        (AdamW, {"weight_decay": float("nan")}, "weight_decay .*nan"),
    ],
)
def test_settings_that_make_no_optimiser_are_named(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind({"w": np.zeros(2)}, {"w": np.zeros(2)}, **settings)


@each_kind
def test_arrays_that_do_not_belong_together_are_refused(kind):
    with pytest.raises(ValueError, match="no parameters"):
        kind({}, {}, lr=0.1)
    with pytest.raises(ValueError, match="'w'.*'v'"):
        kind({"w": np.zeros(2)}, {"v": np.zeros(2)}, lr=0.1)
    with pytest.raises(ValueError, match="w .*int64"):
        kind({"w": np.zeros(2, dtype=np.int64)}, {"w": np.zeros(2)}, lr=0.1)
    params, grads, w, _ = one([1.0, 1.0], [1.0, 1.0])
    optimizer = kind(params, grads, lr=0.1)
    grads["w"] = np.ones(())  # would broadcast
    with pytest.raises(ValueError, match=r"\(2,\) and \(\)"):
        optimizer.step()
    grads["w"], optimizer.lr = np.ones(2), -1.0
    with pytest.raises(ValueError, match="lr .*-1.0"):
        optimizer.step()
    np.testing.assert_array_equal(w, [1.0, 1.0])


# clipping -----------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0.01, 1.0, 5.0, 100.0, float("inf")])
def test_clipping_is_torchs(max_norm, rng):
    _, grads = two_of(SHAPES, rng)
    for g in grads.values():
        g[...] = rng.normal(size=g.shape)
    tensors = [
        torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in grads.values()
    ]
    for tensor, g in zip(tensors, grads.values(), strict=True):
        tensor.grad = torch.from_numpy(g.copy())
    expected = torch.nn.utils.clip_grad_norm_(tensors, max_norm).item()
    held = dict(grads)
    assert abs(clip_grad_norm(grads, max_norm) - expected) <= 1e-12 * expected
    for (k, g), tensor in zip(grads.items(), tensors, strict=True):
        assert g is held[k]
        np.testing.assert_allclose(g, tensor.grad.numpy(), rtol=0, atol=1e-12, err_msg=k)


entries = st.floats(-1e3, 1e3).filter(lambda v: v == 0 or abs(v) > 1e-100)  # their squares vanish


@given(arrays(np.float64, 5, elements=entries), st.floats(0.1, 10))
def test_clipping_keeps_the_direction_and_the_bound(values, max_norm):
    grads = {"a": values[:2].copy(), "b": values[2:].copy()}
    norm = clip_grad_norm(grads, max_norm)
    clipped = np.concatenate([*grads.values()])
    np.testing.assert_allclose(norm, np.linalg.norm(values), rtol=1e-12)
    assert np.linalg.norm(clipped) <= max_norm
    np.testing.assert_allclose(clipped * np.linalg.norm(values), values * np.linalg.norm(clipped))
    if norm < max_norm - 1e-5:
        np.testing.assert_array_equal(clipped, values)


def test_zero_gradients_stay_zero_and_huge_ones_do_not_overflow():
    zero = {"a": np.zeros(3), "b": np.zeros((0, 2))}
    assert clip_grad_norm(zero, 1.0) == 0.0 and not zero["a"].any()
    huge = {"a": np.array([3e200]), "b": np.array([-4e200])}
    np.testing.assert_allclose(clip_grad_norm(huge, 1.0), 5e200)
    np.testing.assert_allclose([huge["a"][0], huge["b"][0]], [0.6, -0.8])
    small = {"a": np.array([3e30, 4e30], dtype=np.float32)}  # its squares overflow float32
    np.testing.assert_allclose(clip_grad_norm(small, 1.0), 5e30, rtol=1e-6)
    np.testing.assert_allclose(small["a"], [0.6, 0.8], rtol=1e-6)
    assert small["a"].dtype == np.float32


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_a_bound_that_leaves_no_gradient_is_refused(max_norm):
    with pytest.raises(ValueError, match=str(max_norm)):
        clip_grad_norm({"a": np.ones(2)}, max_norm)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_gradients_that_no_factor_mends_are_refused_and_left(bad):
    grads = {"a": np.array([5.0]), "b": np.array([bad])}
    with pytest.raises(ValueError, match="NaN or infinite"):
        clip_grad_norm(grads, 1.0)
    assert grads["a"][0] == 5.0
    with pytest.raises(ValueError, match="int64"):
        clip_grad_norm({"a": np.ones(2, dtype=np.int64)}, 1.0)
    with pytest.raises(ValueError, match="no gradients"):
        clip_grad_norm({}, 1.0)


def test_momentum_may_be_set_later(rng):
    params, grads = {"w": np.ones(2)}, {"w": np.ones(2)}
    optimizer = SGD(params, grads, lr=0.1)
    optimizer.step()
    optimizer.momentum = 0.5
    optimizer.step()
    optimizer.step()
    np.testing.assert_allclose(params["w"], 1 - 0.1 * (1 + 1 + 1.5))


def test_what_is_no_array_or_not_there_any_more_is_refused():
    with pytest.raises(ValueError, match="w must be an array, not a list"):
        SGD({"w": [1.0]}, {"w": [1.0]}, lr=0.1)
    params, grads = {"w": np.ones(2)}, {"w": np.ones(2)}
    optimizer = SGD(params, grads, lr=0.1)
    grads["w"] = [1.0, 1.0]
    with pytest.raises(ValueError, match="the gradient of w must be an array, not a list"):
        optimizer.step()
    del grads["w"]
    with pytest.raises(ValueError, match="w has lost its gradient"):
        optimizer.step()
    with pytest.raises(ValueError, match="the gradient of w must be an array, not a list"):
        clip_grad_norm({"w": [1.0]}, 1.0)
    with pytest.raises(ValueError, match="betas are two numbers"):
        Adam({"w": np.ones(2)}, {"w": np.ones(2)}, betas=(0.9, 0.99, 0.5))


def test_gradients_whose_length_overflows_are_refused_and_stay():
    grads = {"w": np.full(4, 1.7e308)}
    with pytest.raises(ValueError, match="too long to be measured"):
        clip_grad_norm(grads, 1.0)
    assert (grads["w"] == 1.7e308).all()
