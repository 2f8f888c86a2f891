import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcourse.scratch.gradcheck import check_layer, numerical_gradient, relative_error
from dlcourse.scratch.layers import GELU, LeakyReLU, Linear, ReLU, Sigmoid, Tanh


def test_gradient_of_a_cubic_is_exact_to_its_third_order():
    w = np.array([[0.5, -2.0], [1.5, 3.0]])
    dy = np.array([[1.0, 2.0], [-1.0, 0.5]])
    found = numerical_gradient(lambda: w**3, wrt=w, dy=dy)
    np.testing.assert_allclose(found, dy * 3 * w**2, atol=1e-7)


def test_a_scalar_function_needs_no_dy_and_a_scalar_array_is_differentiable():
    b = np.array(2.0)
    np.testing.assert_allclose(numerical_gradient(lambda: 5 * float(b) ** 2, b), 20, atol=1e-7)


def test_the_array_is_restored_even_if_the_function_raises():
    w = np.array([1.0, 2.0])

    def fails_later():
        if w[1] != 2.0:
            raise ZeroDivisionError
        return w.sum()

    with pytest.raises(ZeroDivisionError):
        numerical_gradient(fails_later, w)
    np.testing.assert_array_equal(w, [1.0, 2.0])


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_types_that_would_round_the_difference_away_are_refused(dtype):
    w = np.ones(2, dtype=dtype)
    with pytest.raises(ValueError, match=np.dtype(dtype).name):
        numerical_gradient(lambda: w.sum(), w)


def test_an_empty_array_has_an_empty_gradient():
    w = np.empty((0, 3))
    assert numerical_gradient(lambda: w.sum(), w).shape == (0, 3)


def test_the_denominator_is_the_step_as_it_was_taken():
    w = np.array([3e5])
    assert abs((w[0] + 1e-6) - w[0] - 1e-6) > 1e-12  # rounding makes the step another one
    assert numerical_gradient(lambda: w - 3e5, w, np.ones(1)) == 1


@pytest.mark.parametrize("eps", [0.0, -1e-6, np.nan, np.inf])
def test_a_step_that_is_none_is_refused(eps):
    with pytest.raises(ValueError, match=str(eps)):
        numerical_gradient(lambda: 1.0, np.ones(2), eps=eps)


def test_a_step_that_an_entry_swallows_is_refused_by_both_numbers():
    with pytest.raises(ValueError, match=r"1e-06 .* 1000000000000"):
        numerical_gradient(lambda: 1.0, np.array([1e12]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_entries_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        numerical_gradient(lambda: 1.0, np.array([1.0, bad]))


def test_a_dy_that_would_broadcast_is_refused_by_both_shapes():
    w = np.ones((4, 3))
    with pytest.raises(ValueError, match=r"\(3,\), \(4, 3\)"):
        numerical_gradient(lambda: w**2, w, np.ones(3))
    np.testing.assert_array_equal(w, 1)


def test_a_kink_gets_the_mean_of_its_slopes():
    z = np.array([0.0])
    np.testing.assert_allclose(numerical_gradient(lambda: ReLU().forward(z), z, np.ones(1)), 0.5)


# relative_error ---------------------------------------------------------------------


def test_the_relative_error_is_of_the_largest_entry():
    assert relative_error(np.array([1.0, 4.0]), np.array([2.0, 4.0])) == 0.25
    assert relative_error(np.array([-1.0]), np.array([1.0])) == 2
    assert relative_error(np.zeros(3), np.zeros(3)) == 0
    assert relative_error(np.array([1e308, 0]), np.array([-1e308, 0])) == 2  # no overflow
    assert relative_error(np.array(0.0), np.array(3.0)) == 1
    assert relative_error(np.array([0], np.uint8), np.array([1], np.uint8)) == 1  # no wrapping


@given(
    a=arrays(np.float64, 4, elements=st.floats(-1e6, 1e6)),
    b=arrays(np.float64, 4, elements=st.floats(-1e6, 1e6)),
)
def test_the_relative_error_is_symmetric_and_without_unit(a, b):
    error = relative_error(a, b)
    assert 0 <= error <= 2 and relative_error(b, a) == error and relative_error(a, a) == 0
    assert relative_error(a * 2**10, b * 2**10) == error


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"\(3,\) and \(1, 3\)"):
        relative_error(np.ones(3), np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        relative_error(np.ones((0, 3)), np.ones((0, 3)))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="found"):
            relative_error(np.array([bad]), np.ones(1))
        with pytest.raises(ValueError, match="expected"):
            relative_error(np.ones(1), np.array([bad]))
    with pytest.raises(ValueError, match="found"):
        relative_error(np.array(["1"]), np.ones(1))


# check_layer --------------------------------------------------------------------------


def away_from_kinks(rng, shape):
    return rng.choice([-1, 1], size=shape) * rng.uniform(0.1, 2, size=shape)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_every_backward_of_the_package_passes(rng):
    for layer in (Sigmoid(), Tanh(), ReLU(), LeakyReLU(), GELU()):
        errors = check_layer(layer, away_from_kinks(rng, (4, 3)), rng.normal(size=(4, 3)))
        assert [*errors] == ["dx"] and max(errors.values()) < 1e-7, type(layer).__name__
    linear = Linear(3, 2, rng=rng)
    errors = check_layer(linear, rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))
    assert [*errors] == ["dx", "weight", "bias"] and max(errors.values()) < 1e-7


@pytest.mark.parametrize("part", ["dx", "weight", "bias"])
def test_a_fault_in_one_part_is_found_in_that_part(part, rng):
    class Faulty(Linear):
        def backward(self, dy):
            dx = super().backward(dy)
            ({"dx": dx} | self.grads)[part].flat[0] *= 1.01
            return dx

    errors = check_layer(Faulty(3, 2, rng=rng), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))
    assert [name for name, error in errors.items() if error > 1e-4] == [part]


def test_gradients_that_were_there_stay_and_so_do_input_and_parameters(rng):
    layer = Linear(3, 2, rng=rng)
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    layer.grads["weight"] += 5
    weight, seen = layer.params["weight"].copy(), x.copy()
    assert max(check_layer(layer, x, dy).values()) < 1e-7
    assert (layer.grads["weight"] == 5).all() and not layer.grads["bias"].any()
    np.testing.assert_array_equal(layer.params["weight"], weight)
    np.testing.assert_array_equal(x, seen)
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(4, 2\)"):
        check_layer(layer, x, np.ones((4, 3)))
    assert (layer.grads["weight"] == 5).all()


def test_single_precision_is_refused(rng):
    layer = Linear(3, 2, rng=rng, dtype=np.float32)
    x, dy = np.ones((4, 3), dtype=np.float32), np.ones((4, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="float32"):
        check_layer(layer, x, dy)


def test_a_function_that_is_not_finite_has_no_gradient():
    x = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match="f isn't finite near entry"):
        numerical_gradient(lambda: np.nan, x)
    with pytest.raises(ValueError, match="wrt must be an array"):
        numerical_gradient(lambda: 1.0, [1.0, 2.0])
    np.testing.assert_array_equal(x, [1.0, 2.0])
