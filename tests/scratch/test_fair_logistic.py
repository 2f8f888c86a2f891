import numpy as np
import pytest
import torch

from dlcourse.scratch import logistic
from dlcourse.scratch.fair_logistic import fit, mean_difference, objective
from dlcourse.scratch.fairness import reweigh
from dlcourse.scratch.gradcheck import numerical_gradient


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, size=120)
    x = rng.normal(size=(120, 3)) + group[:, None] * [1.0, -0.5, 0.0]
    labels = (x @ [1.0, -1.0, 0.5] + rng.normal(size=120) > 0).astype(int)
    return x, labels, group


def test_at_the_minimum_the_objective_is_flat(problem):
    x, labels, group = problem
    weights, way = reweigh(labels, group), mean_difference(x, group)
    weight, bias = fit(x, labels, weights, decay=0.01, direction=way, strength=0.3)
    theta = np.array([*weight, bias])
    slope = numerical_gradient(
        lambda: objective(theta[:3], theta[3], x, labels, weights, 0.01, way, 0.3), theta
    )
    np.testing.assert_allclose(slope, 0, atol=1e-8)


def test_the_objective_is_torchs(problem):
    x, labels, group = problem
    weights, way = reweigh(labels, group), mean_difference(x, group)
    w, b = np.array([0.3, -0.2, 1.0]), 0.4
    z = torch.from_numpy(x @ w + b)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        z, torch.from_numpy(labels.astype(float)), weight=torch.from_numpy(weights), reduction="sum"
    )
    wanted = losses.item() / weights.sum() + 0.05 * (w @ w) + 0.35 * (w @ way) ** 2
    assert abs(objective(w, b, x, labels, weights, 0.1, way, 0.7) - wanted) < 1e-12


def test_without_weights_and_penalty_it_is_where_gradient_descent_arrives(problem):
    x, labels, _ = problem
    weight, bias = fit(x, labels, decay=0.1)
    slow, slow_bias, _ = logistic.fit(x, labels, lr=0.5, steps=3000, weight_decay=0.1)
    np.testing.assert_allclose([*weight, bias], [*slow, slow_bias], atol=1e-8)


def test_a_weight_of_two_is_a_sample_that_comes_twice(problem):
    x, labels, _ = problem
    weights = np.where(np.arange(len(x)) < 30, 2.0, 1.0)
    once = fit(x, labels, weights, decay=0.1)
    twice = fit(np.r_[x, x[:30]], np.r_[labels, labels[:30]], decay=0.1)
    np.testing.assert_allclose([*once[0], once[1]], [*twice[0], twice[1]], atol=1e-10)


def test_a_strong_penalty_makes_the_groups_mean_scores_equal(problem):
    x, labels, group = problem
    way = mean_difference(x, group)
    gaps = []
    for strength in (0.0, 0.1, 10.0, 1e6):
        weight, bias = fit(x, labels, decay=0.01, direction=way, strength=strength)
        z = x @ weight + bias
        gaps.append(abs(z[group == 1].mean() - z[group == 0].mean()))
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] and gaps[3] < 1e-5


def test_data_that_can_be_separated_end_at_finite_weights():
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    weight, bias = fit(10 * x, np.array([0, 0, 1, 1]), decay=1e-4)
    assert np.isfinite(weight).all() and abs(bias) < 1e-6 and weight[0] > 0


X, Y = np.ones((3, 2)), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("args", "more", "message"),
    [
        ((X[:0], Y[:0]), {}, r"\(0, 2\)"),
        ((X[0], Y), {}, r"\(2,\)"),
        ((X.astype(int), Y), {}, "int64"),
        ((X.tolist(), Y), {}, "list"),
        ((X * np.nan, Y), {}, "NaN"),
        ((X, Y[:2]), {}, r"\(3, 2\) and \(2,\)"),
        ((X, np.ones(3)), {}, "all labels are the same"),
        ((X, Y - 1), {}, "0 or 1"),
        ((X, Y, np.ones(2)), {}, r"\(3,\).*\(2,\)"),
        ((X, Y, np.array([1.0, 0.0, 1.0])), {}, "positive"),
        ((X, Y, np.array([1.0, np.inf, 1.0])), {}, "finite"),
        ((X, Y), {"decay": 0.0}, "above 0"),
        ((X, Y), {"decay": -1.0}, "at least 0"),
        ((X, Y), {"strength": np.nan}, "finite"),
        ((X, Y), {"direction": np.ones(3)}, r"\(2,\).*\(3,\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(args, more, message):
    with pytest.raises(ValueError, match=message):
        fit(*args, **{"decay": 0.1} | more)


def test_a_difference_needs_two_groups():
    with pytest.raises(ValueError, match="here are 3"):
        mean_difference(X, np.array([1, 2, 3]))
    np.testing.assert_array_equal(
        mean_difference(np.array([[1.0], [2.0], [4.0]]), np.array(["a", "a", "b"])), [2.5]
    )
