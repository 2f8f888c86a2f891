import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.scratch.diffusion import (
    Schedule,
    ddim_step,
    ddpm_step,
    flow_target,
    guided,
    linear_betas,
    posterior,
    predicted_data,
    q_sample,
)

SHORT = Schedule(np.array([0.1, 0.2, 0.5]))


def close(ours, wanted, atol=1e-12):
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=atol)


def fine(steps):
    """A schedule whose end is all but pure noise, whatever the number of steps."""
    return Schedule(linear_betas(steps, 0.1 / steps, 20 / steps))


def perfect(x, t, schedule, mean, deviation):
    """The mean of the noise given ``x``, where the data are normal: by regression, exactly."""
    bar = schedule.alpha_bars[t]
    return np.sqrt(1 - bar) * (x - np.sqrt(bar) * mean) / (bar * deviation**2 + 1 - bar)


def law_of(step, start=(0.0, 1.0)):
    """Mean and variance of ``step(x, noise)`` for normal x: it is affine in both."""
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    at = [float(step(x, e)[0]) for x, e in points[:, :, None]]
    slope, push = at[1] - at[0], at[2] - at[0]
    return at[0] + slope * start[0], slope**2 * start[1] + push**2


def test_a_schedule_by_hand_and_its_end():
    close(SHORT.alphas, [0.9, 0.8, 0.5])
    close(SHORT.alpha_bars, [0.9, 0.72, 0.36])
    close(SHORT.before, [1.0, 0.9, 0.72])
    assert len(SHORT) == 3 and not SHORT.betas.flags.writeable
    close(linear_betas(3, 0.1, 0.3), [0.1, 0.2, 0.3])
    assert Schedule(linear_betas(1000)).alpha_bars[-1] < 5e-5  # nothing is left of the data


def test_a_schedule_keeps_a_copy():
    betas = np.array([0.1, 0.2])
    schedule = Schedule(betas)
    betas[0] = 0.9
    assert schedule.betas[0] == 0.1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.001, 0.9), min_size=1, max_size=12), st.floats(-3, 3), st.floats(0, 4))
def test_step_by_step_and_all_at_once_give_the_same_law(betas, mean, variance):
    schedule = Schedule(np.array(betas))
    now = mean, variance
    for t in range(len(schedule)):
        now = np.sqrt(1 - betas[t]) * now[0], (1 - betas[t]) * now[1] + betas[t]
        at_once = law_of(lambda x, e, t=t: q_sample(x, t, e, schedule), (mean, variance))
        close(at_once, now, 1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2), st.floats(-2, 2), st.floats(-2, 2))
def test_the_posterior_is_that_of_bayes(t, x0, x_t):
    # log q(x_{t-1} | x0) + log q(x_t | x_{t-1}) is a parabola: its curvature and its top
    beta, before = SHORT.betas[t], SHORT.before[t]
    mean, variance = posterior(np.array([x0]), np.array([x_t]), t, SHORT)
    if t == 0:
        close(mean, x0)
        assert variance == 0
        return
    curve = 1 / (1 - before) + (1 - beta) / beta
    top = (np.sqrt(before) * x0 / (1 - before) + np.sqrt(1 - beta) * x_t / beta) / curve
    close(mean, top)
    close(variance, 1 / curve)


@pytest.mark.parametrize("t", [0, 1, 2])
def test_the_posterior_drawn_from_noisy_data_has_the_law_of_the_step_before(t):
    # x_t from the data, then x_{t-1} from both, must be distributed as x_{t-1} from the data
    x0, bar = np.array([1.7]), SHORT.alpha_bars[t]
    mean, spread = (
        law_of(lambda x, e: posterior(x0, x, t, SHORT)[0], (np.sqrt(bar) * 1.7, 1 - bar)),
        posterior(x0, x0, t, SHORT)[1],
    )
    close(mean[0], np.sqrt(SHORT.before[t]) * 1.7)
    close(mean[1] + spread, 1 - SHORT.before[t])


def test_guess_and_data_are_two_names_of_the_same():
    rng = np.random.default_rng(0)
    x0, noise = rng.normal(size=(2, 3, 4, 4))
    t = np.array([0, 2, 1])
    close(predicted_data(q_sample(x0, t, noise, SHORT), t, noise, SHORT), x0)


def test_each_example_may_have_its_own_step():
    rng = np.random.default_rng(1)
    x0, noise = rng.normal(size=(2, 3, 2, 3))
    t = np.array([2, 0, 1])
    together = q_sample(x0, t, noise, SHORT)
    for i in range(3):
        close(together[i : i + 1], q_sample(x0[i : i + 1], int(t[i]), noise[i : i + 1], SHORT), 0)
    assert q_sample(x0[:0], t[:0], noise[:0], SHORT).shape == (0, 2, 3)


def test_a_ddpm_step_in_the_noises_own_terms_is_algorithm_2():
    rng = np.random.default_rng(2)
    x, hat, noise = rng.normal(size=(3, 5, 2))
    for t in (1, 2):
        beta, bar = SHORT.betas[t], SHORT.alpha_bars[t]
        mean = (x - beta / np.sqrt(1 - bar) * hat) / np.sqrt(1 - beta)
        close(ddpm_step(x, t, hat, noise, SHORT, "beta"), mean + np.sqrt(beta) * noise)
        small = beta * (1 - SHORT.before[t]) / (1 - bar)
        close(ddpm_step(x, t, hat, noise, SHORT), mean + np.sqrt(small) * noise)


@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_the_last_step_has_no_noise(variance):
    x, hat, noise = np.random.default_rng(3).normal(size=(3, 4, 2))
    once = ddpm_step(x, 0, hat, noise, SHORT, variance)
    close(once, ddpm_step(x, 0, hat, 9 * noise, SHORT, variance), 0)
    close(once, predicted_data(x, 0, hat, SHORT))


def sampled(schedule, mean, deviation, variance):
    """The law of DDPM samples with a perfect guess, step by step in closed form."""
    law = 0.0, 1.0
    for t in reversed(range(len(schedule))):
        law = law_of(
            lambda x, e, t=t: ddpm_step(
                x, t, perfect(x, t, schedule, mean, deviation), e, schedule, variance
            ),
            law,
        )
    return law


@pytest.mark.parametrize("variance", ["posterior", "beta"])
def test_with_a_perfect_guess_ddpm_samples_the_law_of_the_data(variance):
    gaps = []
    for steps in (250, 1000, 4000):
        mean, spread = sampled(fine(steps), 1.5, 0.4, variance)
        close(mean, 1.5, 1e-3)
        gaps.append(abs(spread - 0.16))
    assert gaps[2] < 0.3 * gaps[1] < 0.1 * gaps[0] and gaps[2] < 1e-3


def test_each_variance_is_exact_for_one_law_with_few_steps():
    # section 3.2 of Ho et al.: beta for data of unit variance, the posterior's for a single point
    coarse = fine(25)
    for t in reversed(range(1, 25)):
        one = law_of(
            lambda x, e, t=t: ddpm_step(x, t, perfect(x, t, coarse, 0, 1), e, coarse, "beta")
        )
        close(one, (0, 1))
    close(sampled(coarse, 0.7, 0.0, "posterior"), (0.7, 0.0))


def test_with_a_perfect_guess_ddim_carries_noise_to_the_law_of_the_data():
    gaps = []
    for steps in (100, 400, 1600):
        schedule = fine(steps)

        def journey(x, _, schedule=schedule):
            for t in reversed(range(len(schedule))):
                x = ddim_step(x, t, t - 1, perfect(x, t, schedule, -2.0, 0.5), schedule)
            return x

        mean, spread = law_of(journey)
        close(mean, -2.0, 0.02)
        gaps.append(abs(np.sqrt(spread) - 0.5))
    assert gaps[2] < 0.3 * gaps[1] < 0.1 * gaps[0] and gaps[2] < 2e-3


def test_ddim_with_the_true_noise_stays_on_its_way_whatever_is_left_out():
    rng = np.random.default_rng(4)
    x0, noise = rng.normal(size=(2, 3, 5))
    schedule = fine(50)
    x = q_sample(x0, 49, noise, schedule)
    for t, to in ((49, 20), (20, 19), (19, 3)):
        x = ddim_step(x, t, to, noise, schedule)
        close(x, q_sample(x0, to, noise, schedule))
    close(ddim_step(x, 3, -1, noise, schedule), x0)


def test_a_flow_goes_from_noise_to_data_and_its_velocity_is_its_derivative():
    rng = np.random.default_rng(5)
    data, noise = rng.normal(size=(2, 4, 3))
    close(flow_target(data, noise, 0.0)[0], noise)
    close(flow_target(data, noise, 1.0)[0], data)
    u = rng.uniform(0.1, 0.9, size=4)
    up, down = (flow_target(data, noise, u + h)[0] for h in (1e-5, -1e-5))
    point, velocity = flow_target(data, noise, u)
    close((up - down) / 2e-5, velocity, 1e-8)
    close(point + (1 - u[:, None]) * velocity, data)


def test_guidance_of_nought_is_none_and_it_is_linear():
    a, b = np.random.default_rng(6).normal(size=(2, 3, 2))
    close(guided(a, b, 0.0), a, 0)
    close(guided(a, b, 2.0), b + 3 * (a - b))
    close(guided(a, a, 5.0), a)


def test_guidance_multiplies_the_odds_of_the_label():
    # data N(m_y, 1) for two labels, no noise's noise: the guided guess is that of p(x|y) p(y|x)^w,
    # up to its constant, so its score is the sum of theirs
    x, bar, w = np.linspace(-3, 3, 7)[:, None], 0.5, 1.5

    def score(x, means):
        weights = np.exp([-((x - np.sqrt(bar) * m) ** 2) / 2 for m in means])
        pulls = np.array([np.sqrt(bar) * m - x for m in means])
        return (weights * pulls).sum(0) / weights.sum(0)

    one, both = score(x, [2.0]), score(x, [2.0, -2.0])
    eps = [-np.sqrt(1 - bar) * s for s in (one, both)]
    found = -guided(*eps, w) / np.sqrt(1 - bar)
    close(found, one + w * (one - both))  # one - both is the gradient of log p(y | x)


BAD_STEPS = [3, -1, True, 1.0, np.array([0, 1]), np.array([0.0, 1.0, 2.0]), np.array([0, 1, 3])]


@pytest.mark.parametrize("t", BAD_STEPS, ids=str)
def test_steps_that_do_not_exist_are_refused(t):
    x = np.zeros((3, 2))
    with pytest.raises(ValueError, match="step|t is one"):
        q_sample(x, t, x, SHORT)
    with pytest.raises(ValueError, match="step|t is one"):
        predicted_data(x, t, x, SHORT)


@pytest.mark.parametrize("t", [3, -1, True, 1.0, np.array([0, 1, 2])], ids=str)
def test_a_sampling_step_is_one_whole_number(t):
    x = np.zeros((3, 2))
    for call in (
        lambda: posterior(x, x, t, SHORT),
        lambda: ddpm_step(x, t, x, x, SHORT),
        lambda: ddim_step(x, t, -1, x, SHORT),
    ):
        with pytest.raises(ValueError, match="a step is a whole number from 0 to 2"):
            call()


@pytest.mark.parametrize("to", [1, 2, -2, 0.5, 0.0, float("nan"), "0", True])
def test_ddim_goes_back_only(to):
    x = np.zeros((3, 2))
    with pytest.raises(ValueError, match="from step 1"):
        ddim_step(x, 1, to, x, SHORT)


def test_shapes_and_types_that_do_not_fit_are_refused():
    x, other = np.zeros((3, 2)), np.zeros((2, 3))
    for call in (
        lambda a, b: q_sample(a, 0, b, SHORT),
        lambda a, b: predicted_data(a, 0, b, SHORT),
        lambda a, b: posterior(a, b, 0, SHORT),
        lambda a, b: ddpm_step(a, 0, b, a, SHORT),
        lambda a, b: ddpm_step(a, 1, a, b, SHORT),
        lambda a, b: ddim_step(a, 1, 0, b, SHORT),
        lambda a, b: flow_target(a, b, 0.5),
        lambda a, b: guided(a, b, 1.0),
    ):
        with pytest.raises(ValueError, match=r"\(3, 2\) and \(2, 3\)"):
            call(x, other)
        with pytest.raises(ValueError, match="floats"):
            call(x.astype(int), x.astype(int))
        with pytest.raises(ValueError, match="not with a list"):
            call(x.tolist(), x)
        with pytest.raises(ValueError, match="batch"):
            call(np.array(1.0), np.array(1.0))


@pytest.mark.parametrize("betas", [[], [0.0, 0.1], [0.1, 1.0], [0.1, np.nan], [[0.1]], [1]])
def test_impossible_schedules_are_refused(betas):
    with pytest.raises(ValueError, match="betas|floats"):
        Schedule(np.array(betas))


def test_a_schedule_that_leaves_nothing_of_the_data_is_refused():
    with pytest.raises(ValueError, match="after 400 such steps no data are left"):
        Schedule(np.full(400, 0.9))


@pytest.mark.parametrize("options", [(0,), (2.5,), (True,), (5, 0.0), (5, 0.1, 1.0)])
def test_impossible_lines_are_refused(options):
    with pytest.raises(ValueError, match="steps are|betas lie"):
        linear_betas(*options)


@pytest.mark.parametrize("u", [-0.1, 1.1, np.nan, np.zeros(2), np.zeros((3, 1))])
def test_times_outside_are_refused(u):
    with pytest.raises(ValueError, match="times lie|u is one number"):
        flow_target(np.zeros((3, 2)), np.zeros((3, 2)), u)


@pytest.mark.parametrize("w", [-0.5, np.nan, np.inf])
def test_guidance_is_finite_and_not_negative(w):
    with pytest.raises(ValueError, match="w must be"):
        guided(np.zeros((1, 2)), np.zeros((1, 2)), w)


def test_an_unknown_variance_is_refused():
    with pytest.raises(ValueError, match="posterior, beta, not 'large'"):
        ddpm_step(np.zeros((1, 2)), 1, np.zeros((1, 2)), np.zeros((1, 2)), SHORT, "large")


def test_single_precision_stays_single():
    x = np.ones((2, 3), np.float32)
    found = [
        q_sample(x, np.array([0, 2]), x, SHORT),
        q_sample(x, 1, x, SHORT),
        predicted_data(x, np.array([0, 2]), x, SHORT),
        posterior(x, x, 1, SHORT)[0],
        ddpm_step(x, 2, x, x, SHORT),
        ddim_step(x, 2, 0, x, SHORT),
        *flow_target(x, x, np.array([0.1, 0.3])),
        guided(x, x, 1.5),
    ]
    assert {each.dtype for each in found} == {np.dtype("float32")}
