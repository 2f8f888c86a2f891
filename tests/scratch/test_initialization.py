import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch import initialization as init
from dlcourse.scratch.layers import ReLU

DRAWS = {
    "xavier_uniform": torch.nn.init.xavier_uniform_,
    "xavier_normal": torch.nn.init.xavier_normal_,
    "kaiming_uniform": torch.nn.init.kaiming_uniform_,
    "kaiming_normal": torch.nn.init.kaiming_normal_,
}
SETTINGS = [
    ("xavier_uniform", {}),
    ("xavier_uniform", {"gain": 5 / 3}),
    ("xavier_normal", {}),
    ("xavier_normal", {"gain": 0.5}),
    ("kaiming_uniform", {}),
    ("kaiming_uniform", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_uniform", {"a": 5**0.5}),  # what torch.nn.Linear starts with
    ("kaiming_normal", {}),
    ("kaiming_normal", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("kaiming_normal", {"a": 0.2, "nonlinearity": "leaky_relu"}),
]
each_draw = pytest.mark.parametrize("name", DRAWS)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def asked_of_torch(name, shape, options, monkeypatch):
    """The law, and its bound or deviation, that torch draws from."""
    asked = {}

    def uniform(tensor, low, high, generator=None):
        asked["uniform"] = high

    def normal(tensor, mean, std, generator=None):
        asked["normal"] = std

    monkeypatch.setattr(torch.Tensor, "uniform_", lambda t, a, b, generator=None: uniform(t, a, b))
    monkeypatch.setattr(torch.Tensor, "normal_", lambda t, m, s, generator=None: normal(t, m, s))
    monkeypatch.setattr(torch.nn.init, "_no_grad_uniform_", uniform, raising=False)
    monkeypatch.setattr(torch.nn.init, "_no_grad_normal_", normal, raising=False)
    DRAWS[name](torch.empty(shape), **options)
    return asked


class Asked:
    """A generator that writes down what it is asked for."""

    def uniform(self, low, high, shape):
        assert low == -high
        self.was = {"uniform": high}
        return np.zeros(shape)

    def normal(self, mean, std, shape):
        assert mean == 0
        self.was = {"normal": std}
        return np.zeros(shape)


@pytest.mark.parametrize("shape", [(5, 3), (1, 7), (4, 4), (6, 3, 5), (2, 3, 5, 4)])
@pytest.mark.parametrize("name, options", SETTINGS)
def test_the_law_is_torchs(name, options, shape, monkeypatch):
    ours = Asked()
    getattr(init, name)(shape, **options, rng=ours)
    theirs = asked_of_torch(name, shape, options, monkeypatch)
    assert ours.was.keys() == theirs.keys()
    assert [*ours.was.values()] == pytest.approx([*theirs.values()], rel=1e-14)


@pytest.mark.parametrize("name", [*init.GAINS, "leaky_relu"])
def test_gains_are_torchs(name):
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)
    oracle = torch.nn.init.calculate_gain("leaky_relu", 0.3)
    assert init.calculate_gain("leaky_relu", 0.3) == pytest.approx(oracle, rel=1e-15)


@each_draw
def test_drawn_weights_have_their_deviation(name, rng):
    weight = getattr(init, name)((300, 200), rng=rng)
    expected = math.sqrt(2 / 500) if name.startswith("xavier") else math.sqrt(2 / 200)
    assert abs(weight.std() / expected - 1) < 6 / math.sqrt(2 * weight.size)
    assert abs(weight.mean()) < 6 * expected / math.sqrt(weight.size)
    is_uniform = np.abs(weight).max() <= math.sqrt(3) * expected
    assert is_uniform == name.endswith("uniform")


@given(width=st.integers(30, 60), seed=st.integers(0, 10**6))
def test_he_keeps_the_size_of_a_relu_signal_on_average(width, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, width))
    ratios = []
    for _ in range(30):
        h = ReLU().forward(x)
        z = h @ init.kaiming_normal((width, width), rng=rng).T
        ratios.append((z**2).mean() / (x**2).mean())
    assert abs(np.mean(ratios) - 1) < 0.25


@each_draw
def test_the_generator_decides_and_the_type_is_as_asked(name):
    draw = getattr(init, name)
    one, same, other = (draw((4, 3), rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all() and one.dtype == np.float64
    assert draw((4, 3), rng=np.random.default_rng(1), dtype=np.float32).dtype == np.float32


@each_draw
@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (3, 2, 0), (-1, 2)])
def test_shapes_without_two_fans_are_refused(name, shape, rng):
    with pytest.raises(ValueError) as error:
        getattr(init, name)(shape, rng=rng)
    assert str(shape) in str(error.value)


def test_what_torch_does_not_know_is_refused_by_name(rng):
    with pytest.raises(ValueError, match="'swish'.*relu"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="nan"):
        init.calculate_gain("leaky_relu", float("nan"))
    with pytest.raises(ValueError, match="'fan_avg'"):
        init.kaiming_normal((3, 2), mode="fan_avg", rng=rng)  # type: ignore[arg-type]
    for gain in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=str(gain)):
            init.xavier_normal((3, 2), gain, rng=rng)


@pytest.mark.parametrize(
    "first", [init.xavier_uniform, init.xavier_normal, init.kaiming_uniform, init.kaiming_normal]
)
def test_weights_of_whole_numbers_would_all_be_0_and_are_refused(first):
    with pytest.raises(ValueError, match="parameters are floats, not int64"):
        first((3, 4), rng=np.random.default_rng(0), dtype=np.int64)
