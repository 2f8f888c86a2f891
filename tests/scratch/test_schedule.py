import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.scratch.schedule import step_decay, warmup_cosine


def torchs(make, steps):
    """The learning rates of a torch schedule, one a step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("every", "factor"), [(1, 0.5), (7, 0.1), (30, 0.9), (5, 1.0)])
def test_step_decay_is_torchs(every, factor):
    expected = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, every, factor), 40)
    found = [step_decay(t, lr=0.3, every=every, factor=factor) for t in range(40)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.05])
@pytest.mark.parametrize("warmup", [0, 1, 2, 10])
def test_warmup_and_cosine_are_torchs_one_after_the_other(warmup, final):
    total = 40
    found = [
        warmup_cosine(t, lr=0.3, warmup=warmup, total=total, final=final) for t in range(total)
    ]

    def make(o):
        return torch.optim.lr_scheduler.CosineAnnealingLR(o, total - warmup, eta_min=final)

    np.testing.assert_allclose(found[warmup:], torchs(make, total - warmup), rtol=1e-12)
    if warmup > 1:

        def rise(o):
            return torch.optim.lr_scheduler.LinearLR(o, 1 / warmup, total_iters=warmup - 1)

        np.testing.assert_allclose(found[:warmup], torchs(rise, warmup), rtol=1e-12)


@given(st.integers(0, 50), st.integers(1, 100), st.floats(1e-4, 10), st.floats(0, 1))
def test_it_rises_then_falls_between_its_ends(warmup, rest, lr, share):
    total, final = warmup + rest, share * lr
    rates = np.array(
        [warmup_cosine(t, lr=lr, warmup=warmup, total=total, final=final) for t in range(total + 3)]
    )
    assert (np.diff(rates[: warmup + 1]) >= -1e-15).all() and (
        np.diff(rates[warmup:]) <= 1e-15
    ).all()
    assert rates[0] > 0 and rates.max() <= lr * (1 + 1e-15)
    np.testing.assert_allclose(rates[warmup], lr, rtol=1e-12)
    np.testing.assert_allclose(rates[total:], final, atol=1e-12)
    if rest % 2 == 0:
        np.testing.assert_allclose(rates[warmup + rest // 2], (lr + final) / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": -1}, "-1"),
        ({"step": 1.5}, "1.5"),
        ({"lr": -0.1}, "-0.1"),
        ({"lr": float("nan")}, "nan"),
        ({"warmup": 10}, "10 and 10"),
        ({"warmup": -1}, "-1 and 10"),
        ({"final": 2.0}, "2.0 and 1.0"),
        ({"final": -0.5}, "-0.5"),
    ],
)
def test_bad_settings_of_warmup_cosine_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        warmup_cosine(**{"step": 0, "lr": 1.0, "warmup": 2, "total": 10} | settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": -1}, "-1"),
        ({"lr": float("inf")}, "inf"),
        ({"every": 0}, "not 0"),
        ({"factor": 0.0}, "0.0"),
        ({"factor": 1.5}, "1.5"),
        ({"factor": float("nan")}, "nan"),
    ],
)
def test_bad_settings_of_step_decay_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        step_decay(**{"step": 0, "lr": 1.0, "every": 2} | settings)


@pytest.mark.parametrize("every", [0, 1.5, float("nan"), float("inf")])
def test_stairs_are_whole_numbers_of_steps(every):
    with pytest.raises(ValueError, match="every must be a whole number"):
        step_decay(3, lr=1.0, every=every)


@pytest.mark.parametrize("step", [-1, 0.5, float("nan"), float("inf")])
def test_steps_are_whole_numbers(step):
    with pytest.raises(ValueError, match="steps are whole numbers"):
        warmup_cosine(step, lr=1.0, warmup=2, total=5)


def test_half_a_step_of_warm_up_is_refused():
    with pytest.raises(ValueError, match="warmup must be a whole number"):
        warmup_cosine(0, lr=1.0, warmup=0.5, total=5)
