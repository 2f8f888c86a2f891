import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcourse.scratch import logistic
from dlcourse.scratch.gradcheck import numerical_gradient

UNITS = [(), (1,), (3,)]  # one unit; K of them side by side
BATCHES = [1, 2, 7]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def problem(rng, n, units, d=4):
    """x (n, d), labels (n, *units), weight (*units, d), bias (*units)."""
    x, weight = rng.normal(size=(n, d)), rng.normal(size=(*units, d))
    labels = rng.integers(0, 2, size=(n, *units)).astype(float)
    return x, labels, weight, np.asarray(rng.normal(size=units))


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("n", BATCHES)
def test_gradient_matches_central_differences(n, units, rng):
    x, labels, weight, bias = problem(rng, n, units)

    def f():
        return logistic.loss(logistic.logits(x, weight, bias), labels)

    dweight, dbias = logistic.gradient(x, labels, weight, bias)
    assert dweight.shape == weight.shape and np.shape(dbias) == bias.shape
    np.testing.assert_allclose(dweight, numerical_gradient(f, weight), atol=1e-8)
    np.testing.assert_allclose(dbias, numerical_gradient(f, bias), atol=1e-8)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("n", BATCHES)
def test_loss_and_gradient_match_torch(n, units, rng):
    x, labels, weight, bias = problem(rng, n, units)
    w, b = (torch.from_numpy(a.copy()).requires_grad_() for a in (weight, bias))
    z = torch.from_numpy(x) @ w.T + b if units else torch.from_numpy(x) @ w + b
    expected = (
        torch.nn.functional.binary_cross_entropy_with_logits(
            z, torch.from_numpy(labels), reduction="sum"
        )
        / n
    )
    expected.backward()
    found = logistic.loss(logistic.logits(x, weight, bias), labels)
    dweight, dbias = logistic.gradient(x, labels, weight, bias)
    scale = w.grad.abs().max().item()
    assert abs(found - expected.item()) <= 1e-12 * expected.item()
    np.testing.assert_allclose(dweight, w.grad.numpy(), rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(dbias, b.grad.numpy(), rtol=0, atol=1e-12)


@given(arrays(np.float64, 5, elements=st.floats(-1e5, 1e5)))
def test_sigmoid_is_symmetric_and_within_its_range(z):
    p = logistic.sigmoid(z)
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p + logistic.sigmoid(-z), 1, atol=1e-15)


def test_sigmoid_of_any_size_warns_of_nothing_and_keeps_its_small_end():
    z = np.array([-1e6, -700.0, 0.0, 700.0, 1e6])
    np.testing.assert_allclose(
        logistic.sigmoid(z), [0, 9.859676543759770e-305, 0.5, 1, 1], rtol=1e-12
    )


def test_loss_at_large_logits_is_the_logit_and_not_infinite():
    z, wrong, right = np.array([1000.0, -1000.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])
    assert logistic.loss(z, wrong) == 1000
    assert logistic.loss(z, right) == 0


def test_loss_of_an_undecided_unit_is_log_two():
    assert abs(logistic.loss(np.zeros(3), np.array([0, 1, 1])) - np.log(2)) < 1e-15


def test_units_side_by_side_learn_as_each_would_alone(rng):
    x, labels, _, _ = problem(rng, 20, (3,))
    together, bias, _ = logistic.fit(x, labels, lr=0.5, steps=20)
    for k in range(3):
        alone, own_bias, _ = logistic.fit(x, labels[:, k], lr=0.5, steps=20)
        np.testing.assert_allclose(together[k], alone, atol=1e-12)
        assert abs(bias[k] - own_bias) < 1e-12


def test_fit_follows_torchs_sgd_with_its_weight_decay(rng):
    x, labels, _, _ = problem(rng, 15, ())
    layer = torch.nn.Linear(4, 1, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    groups = [{"params": [layer.weight], "weight_decay": 0.1}, {"params": [layer.bias]}]
    optimiser = torch.optim.SGD(groups, lr=0.3)
    for _ in range(10):
        optimiser.zero_grad()
        z = layer(torch.from_numpy(x))[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(z, torch.from_numpy(labels)).backward()
        optimiser.step()
    weight, bias, _ = logistic.fit(x, labels, lr=0.3, steps=10, weight_decay=0.1)
    np.testing.assert_allclose(weight, layer.weight.detach().numpy()[0], atol=1e-12)
    assert abs(bias - layer.bias.item()) < 1e-12


def test_the_loss_falls_at_every_small_step_and_starts_at_log_two(rng):
    x, labels, _, _ = problem(rng, 30, ())
    losses = logistic.fit(x, labels, lr=0.1, steps=50)[2]
    assert len(losses) == 50 and abs(losses[0] - np.log(2)) < 1e-15
    assert (np.diff(losses) < 0).all()


def test_views_give_what_their_copies_give(rng):
    x, labels, weight, bias = problem(rng, 6, (3,))
    view = np.asfortranarray(x)[::2]
    found = logistic.gradient(view, labels[::2], weight, bias)
    expected = logistic.gradient(view.copy(order="C"), labels[::2].copy(), weight, bias)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-15)


def test_logits_of_no_samples_are_no_logits():
    assert logistic.logits(np.empty((0, 2)), np.ones(2), 0.0).shape == (0,)
    assert logistic.logits(np.empty((0, 2)), np.ones((3, 2)), np.ones(3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "message"),
    [
        (np.ones((3, 2)), np.ones(3), 0.0, r"\(3, 2\) and \(3,\)"),
        (np.ones(2), np.ones(2), 0.0, r"\(2,\) and \(2,\)"),
        (np.ones((3, 2)), np.ones(2), np.ones(3), r"bias must be \(\).*\(3,\)"),
        (np.ones((3, 2)), np.ones((3, 2)), 0.0, r"bias must be \(3,\).*\(\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(x, weight, bias, message):
    with pytest.raises(ValueError, match=message):
        logistic.logits(x, weight, bias)


@pytest.mark.parametrize(
    ("z", "labels", "message"),
    [
        (np.zeros(3), np.zeros((3, 1)), r"\(3,\) and \(3, 1\)"),  # would broadcast to (3, 3)
        (np.zeros(0), np.zeros(0), "no samples"),
        (np.zeros(2), np.array([-1, 1]), "0 and 1"),
        (np.zeros(2), np.array([0.0, np.nan]), "0 and 1"),
    ],
)
def test_labels_that_would_give_a_wrong_loss_are_refused(z, labels, message):
    with pytest.raises(ValueError, match=message):
        logistic.loss(z, labels)


def test_the_gradient_refuses_what_the_loss_refuses():
    with pytest.raises(ValueError, match="0 and 1"):
        logistic.gradient(np.ones((2, 1)), np.array([-1, 1]), np.ones(1), 0.0)
    with pytest.raises(ValueError, match=r"\(2,\) and \(2, 1\)"):
        logistic.gradient(np.ones((2, 1)), np.ones((2, 1)), np.ones(1), 0.0)
