r"""Schedules: the learning rate as a pure function of the step.

Steps count from zero: step 0 is the first update. Nothing is remembered from call to call, so a run
that was interrupted goes on where it was. ``lr`` is the highest rate, :math:`\eta`.
"""

import math

from dlcourse.scratch.given import at_least_zero


def warmup_cosine(step: int, *, lr: float, warmup: int, total: int, final: float = 0.0) -> float:
    r"""Up in a straight line for ``warmup`` steps, then down along half a cosine to ``final``.

    :math:`\eta (t + 1) / W` for step :math:`t < W`, so the first update already moves; then
    :math:`\eta_f + \frac{1}{2} (\eta - \eta_f) (1 + \cos \pi \frac{t - W}{T - W})`, which is
    :math:`\eta` at :math:`t = W` and reaches :math:`\eta_f` at :math:`t = T`, after the last of
    ``total`` :math:`= T` updates. From there on it stays. ``warmup`` may be 0.

    Sources: Goyal et al., *Accurate, Large Minibatch SGD* (2017), section 2.2, for the warm-up;
    Loshchilov and Hutter, *SGDR* (ICLR 2017), equation 5, for the cosine.
    """
    _check_step(step)
    at_least_zero("lr", lr)
    if not 0 <= warmup < total or warmup != int(warmup):
        raise ValueError(
            f"warmup must be a whole number from 0 and below total: {warmup} and {total}"
        )
    if not 0 <= final <= lr:
        raise ValueError(f"final must lie between 0 and lr: {final} and {lr}")
    if step < warmup:
        return lr * ((step + 1) / warmup)
    progress = min(1.0, (step - warmup) / (total - warmup))
    return final + (lr - final) * (1 + math.cos(math.pi * progress)) / 2


def step_decay(step: int, *, lr: float, every: int, factor: float = 0.1) -> float:
    r"""Constant for ``every`` steps, then times ``factor``, again and again.

    :math:`\eta f^{\lfloor t / E \rfloor}`, as torch's ``StepLR``.
    """
    _check_step(step)
    at_least_zero("lr", lr)
    if not 1 <= every < math.inf or every != int(every):
        raise ValueError(f"every must be a whole number of steps from 1, not {every}")
    if not 0 < factor <= 1:
        raise ValueError(f"factor must lie above 0 and up to 1, not {factor}")
    return lr * factor ** (step // every)


def _check_step(step: int) -> None:
    if not 0 <= step < math.inf or step != int(step):
        raise ValueError(f"steps are whole numbers from 0, not {step}")
