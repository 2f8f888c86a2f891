import numpy as np
import pytest

from dlcourse.scratch.gradcheck import numerical_gradient


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
