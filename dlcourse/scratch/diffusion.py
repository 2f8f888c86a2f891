r"""Diffusion: from data to noise in small steps, and back with a network's guess at the noise.

Steps count from zero, as indices of arrays do: ``t`` is 0 to ``T - 1``, and step 0 is the first,
whose result is the least noisy. What comes before it is the data, :math:`x_{-1}` in these indices.
(Ho et al. count from 1 and call the data :math:`x_0`; here ``x0`` is only the variable's name.) So
:math:`\bar\alpha_t = \prod_{s=0}^{t} (1 - \beta_s)`, and :math:`\bar\alpha_{-1} = 1`.
"""

from dataclasses import dataclass, field

import numpy as np

from dlcourse.scratch.given import at_least_zero, floats

VARIANCES = ("posterior", "beta")


@dataclass(frozen=True)
class Schedule:
    r"""How much noise each of T steps adds: ``betas`` (T,), and what follows from them.

    ``alphas`` :math:`1 - \beta_t`, ``alpha_bars`` :math:`\bar\alpha_t`, ``before``
    :math:`\bar\alpha_{t-1}`. Raises ValueError for betas that aren't floats between 0 and 1, both
    excluded, are none, or leave nothing of the data that a float could hold.

    Source: Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic Models* (2020), section 2.
    """

    betas: np.ndarray
    alphas: np.ndarray = field(init=False)
    alpha_bars: np.ndarray = field(init=False)
    before: np.ndarray = field(init=False)

    def __post_init__(self):
        betas = np.array(floats(self.betas), np.float64)
        if betas.ndim != 1 or not betas.size:
            raise ValueError(f"betas are (T,), of at least one step, not {betas.shape}")
        if not ((betas > 0) & (betas < 1)).all():
            raise ValueError(f"betas lie between 0 and 1: not {betas.min()} to {betas.max()}")
        bars = np.cumprod(1 - betas)
        if not bars[-1] > 0:
            raise ValueError(f"after {len(betas)} such steps no data are left: take smaller betas")
        made = {"betas": betas, "alphas": 1 - betas, "alpha_bars": bars}
        for name, value in (made | {"before": np.append(1.0, bars[:-1])}).items():
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.betas)


def linear_betas(steps: int, first: float = 1e-4, last: float = 0.02) -> np.ndarray:
    r"""``steps`` numbers (T,), evenly spaced from ``first`` to ``last``.

    The defaults are those of Ho et al. for 1,000 steps. With fewer steps each has to add more:
    multiply both by ``1000 / steps``. Raises ValueError for no steps and for betas outside (0, 1).

    Source: Ho, Jain and Abbeel (2020), section 4.
    """
    if isinstance(steps, bool) or steps != int(steps) or steps < 1:
        raise ValueError(f"steps are a whole number from 1, not {steps}")
    if not (0 < first < 1 and 0 < last < 1):
        raise ValueError(f"betas lie between 0 and 1: not {first} and {last}")
    return np.linspace(first, last, int(steps))


def q_sample(
    x0: np.ndarray, t: np.ndarray | int, noise: np.ndarray, schedule: Schedule
) -> np.ndarray:
    r"""What ``x0`` (N, ...) has become after step ``t``, all steps up to it at once.

    :math:`x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon`, with the noise
    :math:`\epsilon` of the shape of ``x0``. ``t`` is one step for all, or (N,), one for each.
    Raises ValueError for other shapes and for steps that don't exist.

    Source: Ho, Jain and Abbeel (2020), equation 4.
    """
    bar = _per_example(schedule.alpha_bars, t, x0, noise)
    return _mix(np.sqrt(bar), x0, np.sqrt(1 - bar), noise)


def predicted_data(
    x_t: np.ndarray, t: np.ndarray | int, noise_hat: np.ndarray, schedule: Schedule
) -> np.ndarray:
    r"""The data that ``x_t`` (N, ...) would come from if its noise were ``noise_hat``.

    :math:`\hat x_0 = (x_t - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon) / \sqrt{\bar\alpha_t}`, which
    is :func:`q_sample` solved for the data. Raises ValueError as that does.

    Source: Ho, Jain and Abbeel (2020), equation 15.
    """
    bar = _per_example(schedule.alpha_bars, t, x_t, noise_hat)
    return _mix(1 / np.sqrt(bar), x_t, -np.sqrt(1 / bar - 1), noise_hat)


def posterior(
    x0: np.ndarray, x_t: np.ndarray, t: int, schedule: Schedule
) -> tuple[np.ndarray, float]:
    r"""Mean and variance of what was there before step ``t``, if data and result are known.

    By Bayes, :math:`q(x_{t-1} \mid x_t, x_0)` is normal with the mean
    :math:`\frac{\sqrt{\bar\alpha_{t-1}}\, \beta_t}{1 - \bar\alpha_t} x_0 +
    \frac{\sqrt{\alpha_t}\, (1 - \bar\alpha_{t-1})}{1 - \bar\alpha_t} x_t` and the variance
    :math:`\tilde\beta_t = \frac{1 - \bar\alpha_{t-1}}{1 - \bar\alpha_t} \beta_t`, which is 0 at
    step 0. Raises ValueError for arrays of different shapes and for a step that doesn't exist.

    Source: Ho, Jain and Abbeel (2020), equations 6 and 7.
    """
    t = _one_step(t, schedule)
    _per_example(schedule.betas, t, x0, x_t)
    beta, bar, before = schedule.betas[t], schedule.alpha_bars[t], schedule.before[t]
    from_data = np.sqrt(before) * beta / (1 - bar)
    from_now = np.sqrt(schedule.alphas[t]) * (1 - before) / (1 - bar)
    return _mix(from_data, x0, from_now, x_t), float((1 - before) / (1 - bar) * beta)


def ddpm_step(
    x_t: np.ndarray,
    t: int,
    noise_hat: np.ndarray,
    noise: np.ndarray,
    schedule: Schedule,
    variance: str = "posterior",
) -> np.ndarray:
    r"""From ``x_t`` (N, ...) to what was there before step ``t``, by a guess at its noise.

    The posterior's mean, with :func:`predicted_data` for the data, and ``noise`` times
    :math:`\sigma_t` on top: :math:`\sigma_t^2` is :math:`\tilde\beta_t` ("posterior") or
    :math:`\beta_t` ("beta"). At step 0, the last one of sampling, there is no noise on top.
    Raises ValueError for other shapes, steps and variances.

    Source: Ho, Jain and Abbeel (2020), algorithm 2 and section 3.2.
    """
    if variance not in VARIANCES:
        raise ValueError(f"the variance is one of {', '.join(VARIANCES)}, not {variance!r}")
    t = _one_step(t, schedule)
    mean, small = posterior(predicted_data(x_t, t, noise_hat, schedule), x_t, t, schedule)
    _per_example(schedule.betas, t, x_t, noise)
    if t == 0:
        return mean
    return _mix(1.0, mean, np.sqrt(small if variance == "posterior" else schedule.betas[t]), noise)


def ddim_step(
    x_t: np.ndarray, t: int, to: int, noise_hat: np.ndarray, schedule: Schedule
) -> np.ndarray:
    r"""From ``x_t`` (N, ...) straight to what was there after step ``to`` < ``t``; -1 is the data.

    :math:`\sqrt{\bar\alpha_{to}}\, \hat x_0 + \sqrt{1 - \bar\alpha_{to}}\, \hat\epsilon`: the data
    and the noise that the guess implies, mixed as they are after ``to``. Nothing is drawn, and
    steps can be left out. Raises ValueError for other shapes and for steps not in that order.

    Source: Song, Meng and Ermon, *Denoising Diffusion Implicit Models* (ICLR 2021), equation 12
    with :math:`\sigma_t = 0`.
    """
    t = _one_step(t, schedule)
    if not isinstance(to, int | np.integer) or isinstance(to, bool) or not -1 <= to < t:
        raise ValueError(f"from step {t} one goes to an earlier one, or to -1: not to {to}")
    bar = schedule.before[to + 1]
    x0_hat = predicted_data(x_t, t, noise_hat, schedule)
    return _mix(np.sqrt(bar), x0_hat, np.sqrt(1 - bar), noise_hat)


def flow_target(
    data: np.ndarray, noise: np.ndarray, u: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    r"""A point on the straight line from noise to data, and the velocity there.

    :math:`x_u = (1 - u)\, \text{noise} + u\, \text{data}` and :math:`\text{data} - \text{noise}`.
    The time ``u``, one number or (N,), goes from 0, noise, to 1, data. Raises ValueError for arrays
    of different shapes and for times outside [0, 1].

    Sources: Liu, Gong and Liu, *Flow Straight and Fast* (ICLR 2023), equation 1; Lipman et al.,
    *Flow Matching for Generative Modeling* (ICLR 2023), section 4.1, with :math:`\sigma_{min} = 0`.
    """
    _same(data, noise)
    u = np.asarray(u, np.float64)
    if u.shape not in ((), data.shape[:1]):
        raise ValueError(f"u is one number or {data.shape[:1]}, not {u.shape}")
    if not ((u >= 0) & (u <= 1)).all():
        raise ValueError(f"times lie between 0 and 1: not {u.min()} to {u.max()}")
    u = u.reshape(u.shape + (1,) * (data.ndim - 1)) if u.ndim else u
    return _mix(1 - u, noise, u, data), data - noise


def guided(with_label: np.ndarray, without: np.ndarray, w: float) -> np.ndarray:
    r"""The guess at the noise, pushed away from what it is without a label.

    :math:`(1 + w)\, \hat\epsilon(x, y) - w\, \hat\epsilon(x, \varnothing)`: 0 is no guidance. (Many
    libraries say :math:`s = 1 + w`, where 1 is none.) Raises ValueError for different shapes and
    for a w below 0.

    Source: Ho and Salimans, *Classifier-Free Diffusion Guidance* (2022), equation 6.
    """
    _same(with_label, without)
    at_least_zero("w", w)
    return _mix(1 + w, with_label, -w, without)


def _mix(a, x: np.ndarray, b, y: np.ndarray) -> np.ndarray:
    """``a x + b y`` in the type of ``x``: schedules are in double precision, data needn't be."""
    return (a * x + b * y).astype(x.dtype, copy=False)


def _same(a: np.ndarray, b: np.ndarray) -> None:
    if floats(a).shape != floats(b).shape:
        raise ValueError(f"the two arrays have different shapes: {a.shape} and {b.shape}")
    if not a.ndim:
        raise ValueError("the first axis is the batch, and these arrays have no axes")


def _one_step(t: int, schedule: Schedule) -> int:
    if not isinstance(t, int | np.integer) or isinstance(t, bool) or not 0 <= t < len(schedule):
        raise ValueError(f"a step is a whole number from 0 to {len(schedule) - 1}, not {t}")
    return int(t)


def _per_example(
    values: np.ndarray, t: np.ndarray | int, x: np.ndarray, other: np.ndarray
) -> np.ndarray | np.floating:
    """``values`` at the steps ``t``, in a shape that fits ``x``: (N, 1, ...), or one number."""
    _same(x, other)
    if isinstance(t, int | np.integer):
        return values[_one_step(int(t) if not isinstance(t, bool) else t, values)]  # type: ignore
    if not isinstance(t, np.ndarray) or t.dtype.kind not in "iu" or t.shape != x.shape[:1]:
        raise ValueError(f"t is one whole number or whole numbers of shape {x.shape[:1]}, not {t}")
    if t.size and not (t.min() >= 0 and t.max() < len(values)):
        raise ValueError(f"steps are 0 to {len(values) - 1}: not {t.min()} to {t.max()}")
    return values[t].reshape(t.shape + (1,) * (x.ndim - 1))
