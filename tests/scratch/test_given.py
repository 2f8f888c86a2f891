"""What functions are given: each is handed back as it is, or refused with what is wrong."""

import numpy as np
import pytest

from dlcourse.scratch import given
from dlcourse.scratch.layers import GELU, Linear, ReLU, Sigmoid, Tanh


def test_what_is_right_comes_back_itself():
    x = np.ones((2, 3), dtype=np.float32)
    assert given.array("x", x) is x and given.floats(x) is x and given.fits(x, (2, 3)) is x
    assert given.seen(x) is x and given.at_least_zero("lr", 0) == 0
    assert given.array("x", x[0, 0], scalars=True) == 1


@pytest.mark.parametrize("x", [[1.0], 1.0, None, np.float64(1)])
def test_what_is_no_array_is_named(x):
    with pytest.raises(ValueError, match=f"w must be an array, not a {type(x).__name__}"):
        given.array("w", x)


@pytest.mark.parametrize("value", [-1e-9, np.inf, np.nan])
def test_a_number_below_zero_or_not_finite_is_named(value):
    with pytest.raises(ValueError, match=f"eps must be a finite number of at least 0, not {value}"):
        given.at_least_zero("eps", value)


@pytest.mark.parametrize("layer", [ReLU(), Tanh(), GELU(), Sigmoid(), "linear"])
@pytest.mark.parametrize(
    ("dy", "message"), [([[1.0, 2.0]], "a list"), (1.0, "a float"), (np.ones((1, 2), int), "int")]
)
def test_a_gradient_that_is_no_array_of_floats_is_refused_by_every_layer(layer, dy, message):
    layer = Linear(2, 2, rng=np.random.default_rng(0)) if layer == "linear" else layer
    layer.forward(np.ones((1, 2)))
    with pytest.raises(ValueError, match=message):
        layer.backward(dy)
