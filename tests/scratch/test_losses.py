import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dlcourse.scratch.gradcheck import numerical_gradient
from dlcourse.scratch.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    MSELoss,
    log_softmax,
    softmax,
)

ENTRYWISE = [
    (MSELoss(), torch.nn.MSELoss()),
    (HuberLoss(), torch.nn.HuberLoss()),
    (HuberLoss(delta=0.3), torch.nn.HuberLoss(delta=0.3)),
    (BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss()),
]
SHAPES = [(1,), (5,), (1, 3), (4, 3), (2, 3, 2), ()]
LOGITS = arrays(np.float64, array_shapes(max_dims=3), elements=st.floats(-1e4, 1e4))

each_entrywise = pytest.mark.parametrize(
    ("loss", "oracle"), ENTRYWISE, ids=["squared", "huber", "huber 0.3", "binary"]
)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def problem(rng, shape):
    """A prediction and a target that suits every loss that goes entry by entry: from 0 to 1."""
    return np.asarray(rng.normal(scale=2, size=shape)), np.asarray(rng.uniform(size=shape))


def near(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


# three proofs: differences, torch, a property ---------------------------------------


@each_shape
@each_entrywise
def test_gradient_matches_central_differences(loss, oracle, shape, rng):
    prediction, target = problem(rng, shape)
    expected = numerical_gradient(lambda: loss.forward(prediction, target), prediction)
    loss.forward(prediction, target)
    np.testing.assert_allclose(loss.backward(), expected, atol=1e-8)


@each_shape
@each_entrywise
def test_loss_and_gradient_match_torch(loss, oracle, shape, rng):
    prediction, target = problem(rng, shape)
    tensor = torch.from_numpy(prediction.copy()).requires_grad_()
    value = oracle(tensor, torch.from_numpy(target))
    value.backward()
    near(loss.forward(prediction, target), value.item())
    near(loss.backward(), tensor.grad.numpy())


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 3), (7, 10)])
def test_cross_entropy_matches_central_differences_and_torch(shape, rng):
    logits, target = rng.normal(scale=3, size=shape), rng.integers(shape[1], size=shape[0])
    loss = CrossEntropyLoss()
    expected = numerical_gradient(lambda: loss.forward(logits, target), logits)
    tensor = torch.from_numpy(logits.copy()).requires_grad_()
    value = torch.nn.CrossEntropyLoss()(tensor, torch.from_numpy(target))
    value.backward()
    assert abs(loss.forward(logits, target) - value.item()) <= 1e-12 * max(1, value.item())
    np.testing.assert_allclose(loss.backward(), expected, atol=1e-8)
    np.testing.assert_allclose(loss.backward(), tensor.grad.numpy(), rtol=0, atol=1e-13)


@each_shape
def test_log_softmax_and_softmax_match_torch(shape, rng):
    if not shape:
        return
    logits = rng.normal(scale=300, size=shape)
    tensor = torch.from_numpy(logits)
    near(log_softmax(logits), torch.log_softmax(tensor, -1).numpy())
    near(softmax(logits), torch.softmax(tensor, -1).numpy())


@given(LOGITS, st.floats(-1e4, 1e4))
def test_a_number_added_to_all_logits_of_a_row_changes_nothing(logits, shift):
    np.testing.assert_allclose(log_softmax(logits + shift), log_softmax(logits), atol=1e-7)


@given(LOGITS)
def test_softmax_is_a_distribution_and_its_logarithm_is_never_positive(logits):
    p, log_p = softmax(logits), log_softmax(logits)
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(p, np.exp(log_p), atol=1e-12)
    assert (log_p <= 0).all() and np.isfinite(log_p).all()


@given(LOGITS)
def test_the_gradient_of_cross_entropy_adds_up_to_0_in_each_row(logits):
    logits = logits.reshape(-1, logits.shape[-1])
    loss = CrossEntropyLoss()
    loss.forward(logits, np.zeros(len(logits), dtype=int))
    np.testing.assert_allclose(loss.backward().sum(axis=1), 0, atol=1e-12)


@given(LOGITS)
def test_binary_cross_entropy_is_cross_entropy_of_two_classes(z):
    z = z.ravel()
    labels = np.arange(len(z)) % 2
    two = CrossEntropyLoss().forward(np.stack([np.zeros_like(z), z], axis=1), labels)
    np.testing.assert_allclose(BCEWithLogitsLoss().forward(z, labels), two, atol=1e-9)


@given(arrays(np.float64, 6, elements=st.floats(-1e6, 1e6)), st.floats(1e-3, 1e3))
def test_huber_pulls_no_harder_than_delta_and_lies_below_half_the_square(error, delta):
    loss, zero = HuberLoss(delta), np.zeros(6)
    assert loss.forward(error, zero) <= 0.5 * np.mean(error**2) * (1 + 1e-12) + 1e-12
    assert (np.abs(loss.backward()) <= delta / 6).all()


@given(arrays(np.float64, (3, 2), elements=st.floats(-1e3, 1e3)), st.floats(-1e3, 1e3))
def test_moving_prediction_and_target_together_leaves_a_regression_loss(prediction, shift):
    target = prediction[::-1].copy()
    for loss in (MSELoss(), HuberLoss(2.0)):
        moved = loss.forward(prediction + shift, target + shift)
        np.testing.assert_allclose(moved, loss.forward(prediction, target), rtol=1e-6, atol=1e-6)


# what each is for -------------------------------------------------------------------


def test_the_constant_that_squared_error_likes_best_is_the_mean(rng):
    y = rng.exponential(size=50)
    loss = MSELoss()
    loss.forward(np.full(50, y.mean()), y)
    assert abs(loss.backward().sum()) < 1e-15


def test_the_constant_that_a_narrow_huber_likes_best_is_near_the_median(rng):
    y = rng.exponential(size=51)
    losses = [HuberLoss(1e-6).forward(np.full(51, c), y) for c in np.sort(y)]
    assert np.argmin(losses) == 25


def test_a_wide_huber_is_half_the_squared_error(rng):
    prediction, target = problem(rng, (4, 3))
    wide = HuberLoss(1e3).forward(prediction, target)
    near(wide, MSELoss().forward(prediction, target) / 2)


def test_no_idea_costs_the_logarithm_of_the_number_of_classes():
    assert abs(CrossEntropyLoss().forward(np.zeros((3, 10)), np.arange(3)) - np.log(10)) < 1e-15
    assert abs(BCEWithLogitsLoss().forward(np.zeros(3), np.array([0, 1, 1])) - np.log(2)) < 1e-15


# numbers of any size ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_of_1000_cost_1000_or_nothing(dtype):
    logits = np.array([[1000, 0], [1000, 0]], dtype=dtype)
    loss = CrossEntropyLoss()
    assert loss.forward(logits, np.array([0, 1])) == 500
    np.testing.assert_array_equal(loss.backward(), np.array([[0, 0], [0.5, -0.5]]))
    binary = BCEWithLogitsLoss()
    assert binary.forward(np.array([1000, -1000], dtype=dtype), np.array([0, 1])) == 1000
    np.testing.assert_array_equal(binary.backward(), np.array([0.5, -0.5]))


@pytest.mark.parametrize("loss", [MSELoss(), HuberLoss(), BCEWithLogitsLoss()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_has_the_type_of_the_prediction(loss, dtype, rng):
    prediction, target = problem(rng, (4,))
    value = loss.forward(prediction.astype(dtype), target)
    assert type(value) is float and loss.backward().dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_and_cross_entropy_keep_the_type(dtype):
    logits = np.zeros((2, 3), dtype=dtype)
    assert softmax(logits).dtype == log_softmax(logits).dtype == dtype
    loss = CrossEntropyLoss()
    assert type(loss.forward(logits, np.array([0, 2]))) is float
    assert loss.backward().dtype == dtype


def test_views_give_what_their_copies_give(rng):
    prediction, target = problem(rng, (6, 4))
    for loss, _ in ENTRYWISE:
        found = loss.forward(prediction.T[::2], target.T[::2]), loss.backward()
        expected = loss.forward(prediction.T[::2].copy(), target.T[::2].copy()), loss.backward()
        assert found[0] == pytest.approx(expected[0], rel=1e-14)
        np.testing.assert_allclose(found[1], expected[1], atol=1e-15)


def test_a_target_changed_after_forward_does_not_change_the_gradient(rng):
    logits, target = rng.normal(size=(3, 4)), np.array([0, 1, 2])
    loss = CrossEntropyLoss()
    loss.forward(logits, target)
    before = loss.backward()
    target[:] = 3
    np.testing.assert_array_equal(loss.backward(), before)


# bad input --------------------------------------------------------------------------

ONE = np.ones(3)


@pytest.mark.parametrize("loss", [MSELoss(), HuberLoss(), BCEWithLogitsLoss()])
@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (np.ones((3, 1)), ONE, r"\(3, 1\) and \(3,\)"),  # would broadcast to (3, 3)
        (ONE, np.ones(1), r"\(3,\) and \(1,\)"),
        (np.ones((0, 2)), np.ones((0, 2)), r"no entries.*\(0, 2\)"),
        (np.array([1, 2, 3]), ONE, "prediction must be floats, not int64"),
        (ONE, np.array(["a", "b", "c"]), "target must be numbers"),
        (np.array([0, np.nan, 0]), ONE, "prediction has entries that are NaN"),
        (np.array([0, np.inf, 0]), ONE, "prediction has entries"),
        (ONE, np.array([0, np.nan, 0]), "target has entries"),
    ],
)
def test_entries_that_would_give_a_wrong_loss_are_refused(loss, prediction, target, message):
    with pytest.raises(ValueError, match=message):
        loss.forward(prediction, target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.zeros(3, dtype=int), r"\(2, 4\) and \(3,\)"),
        (np.zeros((2, 4), dtype=int), r"\(2, 4\) and \(2, 4\)"),  # one-hot rows
        (np.zeros((2, 1), dtype=int), r"\(2, 4\) and \(2, 1\)"),
        (np.array([0, 4]), "0 to 3.*not 0 to 4"),
        (np.array([-1, 0]), "0 to 3.*not -1 to 0"),
        (np.array([0.0, 1.0]), "integers, not float64"),
        (np.array([True, False]), "integers, not bool"),
    ],
)
def test_class_numbers_that_are_none_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        CrossEntropyLoss().forward(np.zeros((2, 4)), target)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros((0, 3)), r"no entries.*\(0, 3\)"),
        (np.zeros((0, 0)), r"no entries.*\(0, 0\)"),
        (np.array([[np.nan, 0.0]])[:0], r"no entries"),
    ],
)
def test_cross_entropy_of_nothing_is_refused(logits, message):
    with pytest.raises(ValueError, match=message):
        CrossEntropyLoss().forward(logits, np.zeros(len(logits), dtype=int))


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros((2, 0)), r"K > 0 classes, not \(2, 0\)"),
        (np.array(1.0), r"not \(\)"),
        (np.array([1, 2]), "floats, not int64"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array([0.0, np.inf]), "infinite"),
    ],
)
def test_logits_without_a_softmax_are_refused(function, logits, message):
    with pytest.raises(ValueError, match=message):
        function(logits)


def test_softmax_of_no_rows_is_no_rows():
    assert softmax(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("targets", [np.array([-1.0, 1.0]), np.array([0.0, 2.0])])
def test_targets_that_are_no_probabilities_are_refused(targets):
    with pytest.raises(ValueError, match="between 0 and 1"):
        BCEWithLogitsLoss().forward(np.zeros(2), targets)


@pytest.mark.parametrize("delta", [0, -1.0, np.nan, np.inf])
def test_a_delta_that_is_no_width_is_refused(delta):
    with pytest.raises(ValueError, match="delta is"):
        HuberLoss(delta)


@pytest.mark.parametrize("loss", [MSELoss, HuberLoss, BCEWithLogitsLoss, CrossEntropyLoss])
def test_backward_needs_a_forward_before_it(loss):
    with pytest.raises(ValueError, match="backward needs a forward before it"):
        loss().backward()


@pytest.mark.parametrize("loss", [MSELoss, HuberLoss])
def test_an_error_of_300_fits_float16_and_its_square_does_not(loss):
    prediction, target = np.array([300.0], np.float16), np.zeros(1, np.float16)
    assert loss().forward(prediction, target) == loss().forward(prediction.astype(float), target)


@pytest.mark.parametrize("loss", [MSELoss, HuberLoss, BCEWithLogitsLoss, CrossEntropyLoss])
def test_a_list_is_no_array(loss):
    with pytest.raises(ValueError, match="prediction must be an array, not a list"):
        loss().forward([[1.0]], np.array([0]))
    with pytest.raises(ValueError, match="target must be an array, not a list"):
        loss().forward(np.array([[1.0]]), [0])
    with pytest.raises(ValueError, match="must be an array, not a list"):
        softmax([1.0])
