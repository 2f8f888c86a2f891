import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.perceptron import averaged_epoch, epoch, fit, predict

OR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([-1, 1, 1, 1])
XOR = OR[0], np.array([-1, 1, 1, -1])


def separable(seed, n, d, margin):
    """Samples (n, d), labels, and unit weights (bias last) that separate them by ``margin``."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=d + 1)
    u /= np.linalg.norm(u)
    x = rng.normal(size=(50 * n, d))
    score = x @ u[:-1] + u[-1]
    keep = np.flatnonzero(np.abs(score) >= margin)[:n]
    return x[keep], np.where(score[keep] >= 0, 1, -1), u


def test_a_score_of_exactly_zero_fires():
    x = np.array([[1.0, 1.0], [1.0, 1.001], [1.001, 1.0]])
    np.testing.assert_array_equal(predict(x, np.array([1.0, -1.0]), 0.0), [1, -1, 1])


@pytest.mark.parametrize("n", [0, 1, 3])
def test_predict_gives_one_int_a_sample_whatever_the_batch(n):
    y = predict(np.ones((n, 2)), np.ones(2), -5.0)
    assert y.shape == (n,) and y.dtype == np.int64 and (y == -1).all()


def test_a_score_of_zero_is_a_mistake_for_either_label():
    x = np.array([[2.0, 3.0]])
    for label in (1, -1):
        weight, bias, mistakes = epoch(x, np.array([label]), np.zeros(2), 0.0)
        np.testing.assert_array_equal(weight, label * x[0])
        assert (bias, mistakes) == (label, 1)


def test_a_sample_that_is_right_changes_nothing():
    start = np.array([1.0, 0.0])
    weight, bias, mistakes = epoch(np.array([[1.0, 5.0]]), np.array([1]), start, 0.5)
    np.testing.assert_array_equal(weight, start)
    assert (bias, mistakes) == (0.5, 0)


def test_each_mistake_counts_before_the_next_sample_is_seen():
    x, y = np.array([[1.0], [1.0]]), np.array([1, 1])
    assert epoch(x, y, np.zeros(1), 0.0)[2] == 1  # the second is right already


def test_the_order_given_is_the_order_visited():
    x, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1, -1])
    forwards = epoch(x, y, np.zeros(2), 0.0)
    backwards = epoch(x, y, np.zeros(2), 0.0, order=np.array([1, 0]))
    np.testing.assert_array_equal(forwards[0], [1, -1])
    np.testing.assert_array_equal(backwards[0], [1, -1])
    once = epoch(x, y, np.zeros(2), 0.0, order=np.array([1]))
    np.testing.assert_array_equal(once[0], [0, -1])


def test_epoch_leaves_its_arguments_alone_and_takes_views():
    x, y, weight = OR[0], OR[1], np.zeros(2)
    expected = epoch(x, y, weight, 0.0)
    strided = np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2]
    assert not strided.flags.c_contiguous
    found = epoch(strided, np.repeat(y, 2)[::2], weight, 0.0)
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1:] == expected[1:] and not weight.any()


def test_an_epoch_is_gradient_descent_on_the_perceptron_loss_in_torch():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.choice([-1, 1], size=20)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for row, label in zip(torch.from_numpy(x), y, strict=True):
        # max(0, -y z), with torch's free choice of slope at 0 taken away
        score = int(label) * (row @ w + b)
        loss = -score if score <= 0 else 0 * score
        dw, db = torch.autograd.grad(loss, (w, b))
        with torch.no_grad():
            w -= dw
            b -= db
    weight, bias, _ = epoch(x, y, np.zeros(3), 0.0)
    np.testing.assert_allclose(weight, w.detach().numpy(), atol=1e-12)
    assert abs(bias - b.item()) < 1e-12


@pytest.mark.parametrize("order", [None, np.array([7, 2, 2, 11])])
def test_the_average_is_over_the_weights_after_each_sample(order):
    rng = np.random.default_rng(0)
    x, y, start = rng.normal(size=(12, 3)), rng.choice([-1, 1], size=12), rng.normal(size=3)
    weight, bias, weights, biases = start, 0.5, [], []
    for i in range(12) if order is None else order:
        weight, bias, _ = epoch(x, y, weight, bias, np.array([i]))
        weights.append(weight)
        biases.append(bias)
    found = averaged_epoch(x, y, start, 0.5, order)
    np.testing.assert_array_equal(found[0], weight)
    np.testing.assert_allclose(found[2], np.mean(weights, axis=0), atol=1e-12)
    assert found[1] == bias and abs(found[3] - np.mean(biases)) < 1e-12
    assert not np.shares_memory(found[0], start) and not np.shares_memory(found[0], found[2])


def test_no_average_over_no_samples():
    with pytest.raises(ValueError, match="no samples"):
        averaged_epoch(np.ones((0, 2)), np.ones(0), np.zeros(2), 0.0)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 6), st.floats(0.05, 0.5))
def test_mistakes_never_exceed_novikoffs_bound(seed, n, d, margin):
    x, y, u = separable(seed, n, d, margin)
    if not len(x):
        return
    rows = np.c_[x, np.ones(len(x))]
    gamma = (y * (rows @ u)).min()
    bound = (np.linalg.norm(rows, axis=1).max() / gamma) ** 2
    found = fit(x, y, max_epochs=int(bound) + 2, rng=np.random.default_rng(seed))
    assert found.settled and sum(found.mistakes) <= bound
    np.testing.assert_array_equal(predict(x, found.weight, found.bias), y)


def test_fit_stops_at_the_first_epoch_without_a_mistake():
    found = fit(*OR, max_epochs=100)
    assert found.settled and found.mistakes[-1] == 0 and 0 not in found.mistakes[:-1]


def test_fit_never_settles_on_xor():
    found = fit(*XOR, max_epochs=200)
    assert not found.settled and len(found.mistakes) == 200 and min(found.mistakes) > 0


def test_the_same_generator_gives_the_same_fit_and_another_gives_another():
    x, y, _ = separable(3, 40, 3, 0.02)
    one, same, other = (
        fit(x, y, max_epochs=500, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.weight, same.weight)
    assert not np.array_equal(one.weight, other.weight)


X, W, Y = np.ones((3, 2)), np.ones(2), np.array([1, -1, 1])


@pytest.mark.parametrize(
    ("x", "weight", "y", "message"),
    [
        (X, np.ones(3), Y, r"\(3, 2\) and \(3,\)"),
        (X[0], W, Y, r"\(2,\) and \(2,\)"),
        (X, np.ones((2, 1)), Y, r"\(3, 2\) and \(2, 1\)"),
        (X, W, Y[:2], r"\(3, 2\) and \(2,\)"),
        (X, W, Y[:, None], r"\(3, 2\) and \(3, 1\)"),
        (X, W, np.array([0, 1, 1]), "-1 and"),
        (X, W, np.array([1, 1, 1], dtype=np.uint8), "signed"),  # -1 would be 255
        (X, W.astype(int), Y, "floats"),  # += would drop the fractions
        (X * np.nan, W, Y, "NaN"),
        (X, W * np.inf, Y, "finite"),
    ],
)
def test_what_would_give_a_wrong_number_is_refused(x, weight, y, message):
    with pytest.raises(ValueError, match=message):
        epoch(x, y, weight, 0.0)
    with pytest.raises(ValueError, match=message):
        averaged_epoch(x, y, weight, 0.0)


def test_predict_refuses_shapes_that_do_not_fit_and_nan():
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(3,\)"):
        predict(X, np.ones(3), 0.0)
    with pytest.raises(ValueError, match="NaN"):
        predict(X * np.nan, W, 0.0)


def test_fit_refuses_no_samples_and_no_epochs():
    with pytest.raises(ValueError, match="no samples"):
        fit(X[:0], Y[:0], max_epochs=1)
    with pytest.raises(ValueError, match="max_epochs is 0"):
        fit(X, Y, max_epochs=0)
