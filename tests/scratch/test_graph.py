import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, mutually_broadcastable_shapes

from dlcourse.scratch.graph import unbroadcast


@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), st.data())
def test_unbroadcast_is_the_transpose_of_broadcasting(shapes, data):
    """The defining property: <dy, stretch(x)> = <unbroadcast(dy), x> for all x and dy."""
    whole = shapes.result_shape
    small = st.integers(-9, 9).map(float)
    for shape in shapes.input_shapes:
        x = data.draw(arrays(np.float64, shape, elements=small))
        dy = data.draw(arrays(np.float64, whole, elements=small))
        back = unbroadcast(dy, shape)
        assert back.shape == shape
        assert np.sum(dy * np.broadcast_to(x, whole)) == np.sum(back * x)


def test_what_was_not_stretched_comes_back_as_it_is():
    dy = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(unbroadcast(dy, (2, 3)), dy)


@pytest.mark.parametrize("shape", [(3,), (2, 1, 3), (4, 3), (2, 2), (0,)])
def test_a_shape_that_could_not_have_been_stretched_is_a_value_error(shape):
    if shape == (3,):
        assert unbroadcast(np.ones((2, 3)), shape).shape == shape
        return
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        unbroadcast(np.ones((2, 3)), shape)
