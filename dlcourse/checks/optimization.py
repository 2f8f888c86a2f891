"""The exercises of ``optimization``: update rules, schedules, clipping, and what curves tell.

Conventions: torch's. Momentum is ``v = momentum * v + g``, then ``w -= lr * v``; AdamW decays by
``lr * weight_decay``, its eps stands outside the root and after the correction, and t counts from
1. Schedules count steps from 0. A gradient's norm is that of all arrays together.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

RULES, RATE, DIAGNOSE = "optimization-rules", "optimization-rate", "optimization-diagnose"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# sgd_momentum -----------------------------------------------------------------

sgd_momentum = Exercise(
    "sgd_momentum",
    "One step with momentum",
    parts={"weight": 2, "velocity": 1},
    minutes=8,
    difficulty=1,
    outcomes=(RULES,),
    forbids=FORBIDS,
)


@sgd_momentum.cases
def _(rng):
    w, v, g = (rng.normal(size=3) for _ in range(3))
    yield Case((w, np.zeros(3), g, 0.1, 0.9), "the first step: no velocity yet")
    yield Case((w, v, g, 0.3, 0.0), "no momentum")
    yield Case((w, v, np.zeros(3), 0.1, 0.9), "no gradient: it coasts")
    yield Case((w, v, -v, 0.1, 0.5), "a gradient against the velocity")
    yield Case((w, v, g, 2.0, 0.7), "a learning rate above 1")
    yield Case(tuple(rng.normal(size=(2, 3)) for _ in range(3)) + (0.05, 0.8), "a matrix")
    while True:
        n = rng.integers(1, 6)
        arrays = tuple(rng.normal(size=n) for _ in range(3))
        yield (*arrays, float(rng.uniform(0.01, 0.5)), float(rng.uniform(0.2, 0.95)))


@sgd_momentum.answer
def _(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity


@sgd_momentum.alternative
def copies_first(weight, velocity, grad, lr, momentum):
    new_weight, new_velocity = weight.copy(), velocity.copy()
    new_velocity *= momentum
    new_velocity += grad
    new_weight -= lr * new_velocity
    return new_weight, new_velocity


@sgd_momentum.alternative
def two_shares(weight, velocity, grad, lr, momentum):
    moved = weight - lr * grad - lr * momentum * velocity
    return moved, grad + velocity * momentum


@sgd_momentum.mistake(
    "Your velocity holds the learning rate already: that is the convention of Sutskever and "
    "others, v = momentum v + lr g. In torch's, which the statement gives, where does lr stand?"
)
def rate_inside_the_velocity(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + lr * grad
    return weight - velocity, velocity


@sgd_momentum.mistake(
    "Your velocity points downhill and holds the learning rate: v = momentum v - lr g, then w + v, "
    "as Sutskever and others write it. The statement's velocity is a sum of gradients."
)
def downhill_velocity(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity - lr * grad
    return weight + velocity, velocity


@sgd_momentum.mistake(
    "Your velocity points downhill. The statement's is a sum of gradients, and who subtracts?"
)
def downhill_without_the_rate(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity - grad
    return weight + lr * velocity, velocity


@sgd_momentum.mistake(
    "That is a moving average, whose gradient counts 1 - momentum (torch calls it dampening). "
    "How much does the newest gradient count in the statement?"
)
def moving_average(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + (1 - momentum) * grad
    return weight - lr * velocity, velocity


@sgd_momentum.mistake(
    "That is Nesterov's step, which looks ahead by one more momentum. The plain one is asked for.",
    loses=("weight",),
)
def nesterov(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight - lr * (grad + momentum * velocity), velocity


@sgd_momentum.mistake(
    "Your weights move by the velocity that came in. Which one does the formula use, the old or "
    "the new?",
    loses=("weight",),
)
def old_velocity(weight, velocity, grad, lr, momentum):
    return weight - lr * velocity, momentum * velocity + grad


@sgd_momentum.mistake("It climbs. In which direction does a gradient point?", loses=("weight",))
def uphill(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight + lr * velocity, velocity


@sgd_momentum.mistake("Nothing of the old velocity is left. What is momentum multiplied with?")
def no_memory(weight, velocity, grad, lr, momentum):
    return weight - lr * grad, grad


@sgd_momentum.mistake(
    "The velocity is kept, but the weights don't feel it: they move by the gradient alone.",
    loses=("weight",),
)
def step_by_the_gradient(weight, velocity, grad, lr, momentum):
    return weight - lr * grad, momentum * velocity + grad


@sgd_momentum.mistake("Momentum shrinks the old velocity only. What do your brackets enclose?")
def gradient_shrunk_too(weight, velocity, grad, lr, momentum):
    velocity = momentum * (velocity + grad)
    return weight - lr * velocity, velocity


@sgd_momentum.mistake(
    "Nothing slows your velocity down. What happens to it when the gradient is 0?"
)
def no_friction(weight, velocity, grad, lr, momentum):
    velocity = velocity + grad
    return weight - lr * velocity, velocity


@sgd_momentum.mistake(
    "Momentum acts once, when the velocity is renewed, and again when you step.", loses=("weight",)
)
def momentum_twice(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight - lr * momentum * velocity, velocity


@sgd_momentum.mistake(
    "You hand back the step. The velocity is asked for: what is the difference between the two?",
    loses=("velocity",),
)
def step_handed_back(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight - lr * velocity, lr * velocity


@sgd_momentum.mistake(
    "The velocity handed back is the one that came in: the next step starts without this gradient.",
    loses=("velocity",),
)
def velocity_not_renewed(weight, velocity, grad, lr, momentum):
    return weight - lr * (momentum * velocity + grad), velocity


@sgd_momentum.mistake("Both are there, in the other order.")
def other_order(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return velocity, weight - lr * velocity


@sgd_momentum.mistake("`*=` and `-=` write into the arrays of whoever called. Return new ones.")
def written_in_place(weight, velocity, grad, lr, momentum):
    velocity *= momentum
    velocity += grad
    weight -= lr * velocity
    return weight, velocity


@sgd_momentum.mistake(
    "You shrink the step by 1 - momentum: a moving average after all. Is there such a factor in "
    "the statement?",
    loses=("weight",),
)
def step_scaled_down(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight - lr * (1 - momentum) * velocity, velocity


@sgd_momentum.mistake(
    "The gradient is in the velocity already, and you add it once more when you step.",
    loses=("weight",),
)
def gradient_twice(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + grad
    return weight - lr * (velocity + grad), velocity


@sgd_momentum.mistake(
    "You keep 1 - momentum of the old velocity. With a momentum of 0.9, how much should be left?"
)
def kept_the_rest(weight, velocity, grad, lr, momentum):
    velocity = (1 - momentum) * velocity + grad
    return weight - lr * velocity, velocity


@sgd_momentum.mistake(
    "That is a moving average with its shares exchanged. Which share has the old velocity in the "
    "statement, and which the gradient?"
)
def average_with_shares_exchanged(weight, velocity, grad, lr, momentum):
    velocity = (1 - momentum) * velocity + momentum * grad
    return weight - lr * velocity, velocity


@sgd_momentum.mistake(
    "The learning rate acts twice: in the velocity, and again when you step. In torch's convention "
    "it stands in one place."
)
def rate_twice(weight, velocity, grad, lr, momentum):
    velocity = momentum * velocity + lr * grad
    return weight - lr * velocity, velocity


# adamw_step -------------------------------------------------------------------

adamw_step = Exercise(
    "adamw_step",
    "One step of AdamW",
    parts={"weight": 3, "mean": 1, "square": 1},
    minutes=15,
    difficulty=2,
    outcomes=(RULES,),
    forbids=FORBIDS,
)


@adamw_step.cases
def _(rng):
    w, g, m = (rng.normal(size=3) for _ in range(3))
    s, zero = rng.uniform(0.5, 2, size=3), np.zeros(3)
    usual = (0.9, 0.999, 1e-8)
    yield Case((w, g, zero, zero.copy(), 1, 0.1, *usual, 0.1), "the first step")
    yield Case((w, zero, zero.copy(), zero.copy(), 1, 0.1, *usual, 0.5), "no gradient: decay alone")
    yield Case((w, 1000 * g, zero, zero.copy(), 1, 0.5, *usual, 0.4), "a very large gradient")
    yield Case((w, g / 100, m / 100, s / 10_000, 3, 0.1, 0.8, 0.9, 0.1, 0.0), "a large eps")
    yield Case((w, g, m, s, 5, 0.2, 0.8, 0.95, 0.01, 0.3), "in the middle of a run")
    yield Case((w, g, m, s, 100_000, 0.2, 0.5, 0.9, 1e-8, 0.2), "a late step")
    yield Case((w, g, m, s, 2, 0.0, *usual, 0.1), "a learning rate of 0")
    square = rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    yield Case((*square, rng.uniform(0.5, 2, size=(2, 2)), 2, 0.1, *usual, 0.1), "a matrix")
    while True:
        n = rng.integers(1, 6)
        w, g, m = (rng.normal(size=n) for _ in range(3))
        betas = float(rng.uniform(0.5, 0.8)), float(rng.uniform(0.9, 0.99))
        t, s = int(rng.integers(1, 20)), rng.uniform(0.1, 2, size=n)
        yield (
            w,
            g,
            m,
            s,
            t,
            float(rng.uniform(0.1, 0.5)),
            *betas,
            0.01,
            float(rng.uniform(0.1, 0.5)),
        )


@adamw_step.answer
def _(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat = mean / (1 - beta1**t)
    square_hat = square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.alternative
def one_sum(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    m = mean + (1 - beta1) * (grad - mean)
    s = square + (1 - beta2) * (grad * grad - square)
    direction = m / (1 - beta1**t) / ((s / (1 - beta2**t)) ** 0.5 + eps)
    return weight - lr * (direction + weight_decay * weight), m, s


@adamw_step.alternative
def corrected_rate(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    m, s = (1 - beta1) * grad + beta1 * mean, (1 - beta2) * np.square(grad) + beta2 * square
    root = np.sqrt(1 - beta2**t)
    step = lr * root / (1 - beta1**t) * m / (np.sqrt(s) + eps * root)
    return (1 - lr * weight_decay) * weight - step, m, s


@adamw_step.alternative
def entry_by_entry(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    new = [np.empty_like(weight) for _ in range(3)]
    for i in np.ndindex(weight.shape):
        m = beta1 * mean[i] + (1 - beta1) * grad[i]
        s = beta2 * square[i] + (1 - beta2) * grad[i] ** 2
        new[1][i], new[2][i] = m, s
        step = m / (1 - beta1**t) / (np.sqrt(s / (1 - beta2**t)) + eps)
        new[0][i] = weight[i] * (1 - lr * weight_decay) - lr * step
    return new[0], new[1], new[2]


@adamw_step.mistake(
    "The decay went into the gradient: that is Adam with L2, and it is divided like everything "
    "else. With no gradient at all, by how much does a weight shrink in AdamW?"
)
def decay_in_the_gradient(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    grad = grad + weight_decay * weight
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "The averages are free of the decay, but it is still divided by the root. What does "
    "'decoupled' mean for a weight with large gradients?",
    loses=("weight",),
)
def decay_divided(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    step = (mean_hat + weight_decay * weight) / (np.sqrt(square_hat) + eps)
    return weight - lr * step, mean, square


@adamw_step.mistake("That is Adam. Where is the W, the weight decay?", loses=("weight",))
def no_decay(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "Your decay ignores the learning rate, as in the paper's Algorithm 2, where a schedule scales "
    "it. In torch's convention, how does it shrink when lr is 0?",
    loses=("weight",),
)
def decay_without_the_rate(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    step = lr * mean_hat / (np.sqrt(square_hat) + eps)
    return weight - weight_decay * weight - step, mean, square


@adamw_step.mistake(
    "Your decay shrinks the weight that Adam has moved already. Which weight does the statement "
    "decay?",
    loses=("weight",),
)
def decay_afterwards(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * mean_hat / (np.sqrt(square_hat) + eps)
    return weight - lr * weight_decay * weight, mean, square


@adamw_step.mistake("With no gradient your weights grow. What is decay to do?", loses=("weight",))
def decay_that_grows(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight + lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "Your decay is twice too strong: a 2 from the derivative of a square, where none is asked for.",
    loses=("weight",),
)
def decay_doubled(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - 2 * lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "Both averages start at 0, so early ones are too small. What does the statement divide them "
    "by?",
    loses=("weight",),
)
def no_correction(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean / (np.sqrt(square) + eps), mean, square


@adamw_step.mistake(
    "One of the two averages is corrected, the mean. Doesn't the other start at 0 as well?",
    loses=("weight",),
)
def square_not_corrected(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean / (1 - beta1**t) / (np.sqrt(square) + eps), mean, square


@adamw_step.mistake(
    "One of the two averages is corrected, the square. Doesn't the other start at 0 as well?",
    loses=("weight",),
)
def mean_not_corrected(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square


@adamw_step.mistake(
    "You count the steps from 0 and add 1. The first step has t = 1 already.", loses=("weight",)
)
def one_step_ahead(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1 ** (t + 1)), square / (1 - beta2 ** (t + 1))
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "The correction is the same at every step in yours. Where does t come in, and what becomes of "
    "the correction when t is large?",
    loses=("weight",),
)
def correction_without_t(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1), square / (1 - beta2)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "The corrected averages are for this step only. Handed on, they would be corrected again.",
    loses=("mean", "square"),
)
def corrected_handed_on(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = (beta1 * mean + (1 - beta1) * grad) / (1 - beta1**t)
    square = (beta2 * square + (1 - beta2) * grad**2) / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean / (np.sqrt(square) + eps), mean, square


@adamw_step.mistake(
    "Your eps stands under the root. In the statement it stands outside, and that matters where "
    "gradients are small.",
    loses=("weight",),
)
def eps_under_the_root(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / np.sqrt(square_hat + eps), mean, square


@adamw_step.mistake(
    "Your eps is added before the correction: Kingma and Ba's short form, which Keras uses. The "
    "statement adds it to the corrected root.",
    loses=("weight",),
)
def eps_before_the_correction(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    weight = weight - lr * weight_decay * weight
    return weight - rate * mean / (np.sqrt(square) + eps), mean, square


@adamw_step.mistake(
    "No eps: with a gradient of 0 you divide 0 by 0. What comes out?", loses=("weight",)
)
def no_eps(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    with np.errstate(all="ignore"):
        return weight - lr * mean_hat / np.sqrt(square_hat), mean, square


@adamw_step.mistake(
    "You divide by the mean square. Which unit has it, if the gradient is in metres?",
    loses=("weight",),
)
def no_root(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (square_hat + eps), mean, square


@adamw_step.mistake(
    "That is RMSProp: the step takes this gradient itself. AdamW takes its average.",
    loses=("weight",),
)
def step_by_the_last_gradient(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    weight = weight - lr * weight_decay * weight
    return weight - lr * grad / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square


@adamw_step.mistake(
    "The square is of the gradient, not of its average: what is the average of +1 and -1, and of "
    "their squares?",
    loses=("weight", "square"),
)
def square_of_the_mean(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * mean**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake("Each beta has its own average. Which remembers longer?")
def betas_exchanged(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta2 * mean + (1 - beta2) * grad
    square = beta1 * square + (1 - beta1) * grad**2
    mean_hat, square_hat = mean / (1 - beta2**t), square / (1 - beta1**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake("beta is the share of the old average. In yours it is the share of the new.")
def shares_exchanged(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = (1 - beta1) * mean + beta1 * grad
    square = (1 - beta2) * square + beta2 * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "Your averages are sums: the new gradient counts in full, as in momentum. Here it counts "
    "1 - beta."
)
def sums_instead(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + grad
    square = beta2 * square + grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "The step takes the averages that came in. At the first step these are 0.", loses=("weight",)
)
def old_averages(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    moved = weight - lr * weight_decay * weight
    moved = moved - lr * mean_hat / (np.sqrt(square_hat) + eps)
    return moved, beta1 * mean + (1 - beta1) * grad, beta2 * square + (1 - beta2) * grad**2


@adamw_step.mistake("It climbs. In which direction does a gradient point?", loses=("weight",))
def climbs(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight + lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake("`*=` writes into the arrays of whoever called. Return new ones.")
def averages_in_place(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean *= beta1
    mean += (1 - beta1) * grad
    square *= beta2
    square += (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "You take t - 1: at the first step the correction divides by 0. From which number does t "
    "count?",
    loses=("weight",),
)
def one_step_behind(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    with np.errstate(all="ignore"):
        mean_hat = mean / (1 - np.float64(beta1) ** (t - 1))
        square_hat = square / (1 - np.float64(beta2) ** (t - 1))
        weight = weight - lr * weight_decay * weight
        return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "beta to the power of t, not times t.",
    loses=("weight",),
)
def times_instead_of_power(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    with np.errstate(all="ignore"):
        mean_hat, square_hat = mean / (1 - beta1 * t), square / (1 - beta2 * t)
        weight = weight - lr * weight_decay * weight
        return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "You multiply by the correction. The averages are too small at first: should they get smaller "
    "still?",
    loses=("weight",),
)
def correction_multiplied(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean * (1 - beta1**t), square * (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "The decay went into the average of the gradients. Which of the two averages should know of "
    "the weights?",
    loses=("weight", "mean"),
)
def decay_in_the_mean(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * (grad + weight_decay * weight)
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "It decays twice: in the gradient, as L2, and beside it. Once is enough, and where?"
)
def decay_in_both_places(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    grad = grad + weight_decay * weight
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "The decay went into the gradient, and nothing is corrected: that is neither Adam nor AdamW. "
    "Go through the four formulas one by one."
)
def decay_in_the_gradient_uncorrected(
    weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay
):
    grad = grad + weight_decay * weight
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    return weight - lr * mean / (np.sqrt(square) + eps), mean, square


@adamw_step.mistake(
    "You average the size of the gradient. Its square is asked for; the root comes later.",
    loses=("weight", "square"),
)
def size_for_square(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * np.abs(grad)
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square


@adamw_step.mistake(
    "Both averages are there, in the other order.",
    loses=("mean", "square"),
)
def averages_in_other_order(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), square, mean


@adamw_step.mistake(
    "That looks ahead by one more beta, as Nesterov does: it has a name of its own, NAdam.",
    loses=("weight",),
)
def nesterov_adam(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat, square_hat = mean / (1 - beta1**t), square / (1 - beta2**t)
    ahead = beta1 * mean_hat + (1 - beta1) * grad / (1 - beta1**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * ahead / (np.sqrt(square_hat) + eps), mean, square


# warmup_cosine ----------------------------------------------------------------

warmup_cosine = Exercise(
    "warmup_cosine",
    "A schedule",
    parts={"rise": 1, "fall": 2},
    minutes=12,
    difficulty=2,
    outcomes=(RATE,),
    forbids=FORBIDS,
)


@warmup_cosine.cases
def _(rng):
    rise, fall = ("rise",), ("fall",)
    yield Case((0, 0.8, 4, 12, 0.0), "the very first step", rise)
    yield Case((3, 0.8, 4, 12, 0.2), "the last step of the warm-up", rise)
    yield Case((4, 0.8, 4, 12, 0.2), "the first step of the cosine", fall)
    yield Case((8, 0.8, 4, 12, 0.0), "halfway down", fall)
    yield Case((10, 0.8, 4, 12, 0.5), "a final rate that isn't 0", fall)
    yield Case((11, 0.8, 4, 12, 0.2), "the last step", fall)
    yield Case((17, 0.8, 4, 12, 0.2), "more steps than planned", fall)
    yield Case((0, 0.8, 0, 10, 0.0), "no warm-up, first step", fall)
    while True:
        warmup, rest = int(rng.integers(3, 20)), int(rng.integers(6, 60))
        lr = float(rng.uniform(0.1, 2))
        final = float(rng.uniform(0.05, 0.5)) * lr
        yield Case((int(rng.integers(warmup)), lr, warmup, warmup + rest, final), "", rise)
        step = warmup + int(rng.integers(1, rest))
        yield Case((step, lr, warmup, warmup + rest, final), "", fall)


@warmup_cosine.observe
def _(candidate, step, lr, warmup, total, final):
    rate = candidate(step, lr, warmup, total, final)
    return {"rise": rate, "fall": rate}


@warmup_cosine.answer
def _(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.alternative
def as_a_mixture(step, lr, warmup, total, final):
    if step >= total:
        return final
    if step >= warmup:
        share = np.cos(np.pi / 2 * (step - warmup) / (total - warmup)) ** 2
        return share * lr + (1 - share) * final
    return (step + 1) * (lr / warmup)


@warmup_cosine.alternative
def from_a_list(step, lr, warmup, total, final):
    rates = [lr * (t + 1) / warmup for t in range(warmup)]
    angles = np.linspace(0, np.pi, total - warmup + 1)
    rates += list((lr + final) / 2 + (lr - final) / 2 * np.cos(angles))
    return rates[min(step, total)]


@warmup_cosine.mistake(
    "Your first update has rate 0: it changes nothing. The statement's rise starts one stair up "
    "(Hugging Face's starts at 0).",
    loses=("rise",),
)
def starts_at_zero(step, lr, warmup, total, final):
    if step < warmup:
        return lr * step / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your warm-up ends just below lr: you divide by warmup + 1, as nanoGPT does. Which step should "
    "be the first at the full rate?",
    loses=("rise",),
)
def one_stair_more(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / (warmup + 1)
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your rise starts at `final`. That is where the fall ends; the rise starts from nothing.",
    loses=("rise",),
)
def rises_from_final(step, lr, warmup, total, final):
    if step < warmup:
        return final + (lr - final) * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "You keep one rate through the whole warm-up. Goyal and others tried that too, and went over "
    "to a gradual rise.",
    loses=("rise",),
)
def constant_warmup(step, lr, warmup, total, final):
    if step < warmup:
        return lr / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "There is no warm-up in yours: at step 0 it runs at the full rate.", loses=("rise",)
)
def full_rate_at_once(step, lr, warmup, total, final):
    if step < warmup:
        return lr
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your cosine has been running during the warm-up: at its first step it should stand at lr.",
    loses=("fall",),
)
def cosine_from_step_zero(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, step / total)
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "The cosine starts after the warm-up, but you spread it over all steps: how many are left for "
    "it?",
    loses=("fall",),
)
def cosine_over_all_steps(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / total)
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your fall reaches `final` at the last step. The statement's gets there one step later.",
    loses=("fall",),
)
def final_at_the_last_step(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup - 1))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your fall is one step ahead: where does the cosine stand when step equals warmup?",
    loses=("fall",),
)
def fall_one_ahead(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup + 1) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "After `total` steps your rate climbs again: a cosine is periodic. What should happen there?",
    loses=("fall",),
)
def climbs_again(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = (step - warmup) / (total - warmup)
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "After `total` steps your rate is 0. The statement says where it stays.", loses=("fall",)
)
def zero_at_the_end(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    if step >= total:
        return 0.0
    progress = (step - warmup) / (total - warmup)
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "At its start your cosine stands at nearly twice lr: 1 + cos goes from 2 to 0.",
    loses=("fall",),
)
def no_half(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "You add `final` on top, so the cosine starts above lr. From where to where should it go?",
    loses=("fall",),
)
def final_on_top(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * lr * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "You cut the cosine off at `final`; the statement's ends there, without a corner.",
    loses=("fall",),
)
def cut_off_at_final(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return max(final, 0.5 * lr * (1 + np.cos(np.pi * progress)))


@warmup_cosine.mistake("Your fall ends at 0, whatever `final` is.", loses=("fall",))
def final_forgotten(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return 0.5 * lr * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake("That is a straight line down. Where is the cosine?", loses=("fall",))
def straight_down(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return lr + (final - lr) * progress


@warmup_cosine.mistake(
    "A quarter of a cosine falls slowly at first and fast at the end. The statement's slows down "
    "at both.",
    loses=("fall",),
)
def quarter_cosine(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + (lr - final) * np.cos(np.pi / 2 * progress)


@warmup_cosine.mistake("NumPy's cosine takes radians: half a turn is π.", loses=("fall",))
def degrees(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(180 * progress))


@warmup_cosine.mistake("You hand back a factor. The learning rate itself is asked for.")
def factor_only(step, lr, warmup, total, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final / lr + 0.5 * (1 - final / lr) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your first step has rate 0, since you count the stairs from 0 to warmup - 1. How high is the "
    "first stair?",
    loses=("rise",),
)
def stairs_from_zero(step, lr, warmup, total, final):
    if step < warmup:
        return lr * step / (warmup - 1) if warmup > 1 else lr
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your rise is bent like the fall. The statement's goes up in equal stairs.",
    loses=("rise",),
)
def bent_rise(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (1 - np.cos(np.pi * (step + 1) / warmup)) / 2
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "At step `warmup` yours is above lr: the rise has one stair too many. Which is the first step "
    "of the cosine?",
    loses=("fall",),
)
def one_step_too_long(step, lr, warmup, total, final):
    if step <= warmup and warmup > 0:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your cosine goes up, from `final` to lr. Which sign turns it round?",
    loses=("fall",),
)
def rises_again(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 - np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "Your cosine starts above lr. By how much must it fall in all: the sum of the two rates, or "
    "their difference?",
    loses=("fall",),
)
def sum_of_the_rates(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr + final) * (1 + np.cos(np.pi * progress))


@warmup_cosine.mistake(
    "A whole turn goes down and up again. Half of one is asked for.",
    loses=("fall",),
)
def whole_turn(step, lr, warmup, total, final):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(2 * np.pi * progress))


# clip_grad_norm ---------------------------------------------------------------

clip_grad_norm = Exercise(
    "clip_grad_norm",
    "Clip by the global norm",
    parts={"clipped": 2, "norm": 1},
    minutes=10,
    difficulty=2,
    outcomes=(RATE,),
    forbids=FORBIDS,
    rounding=1e-8,  # so that eps, a part in a million, is told from its absence
)


@clip_grad_norm.cases
def _(rng):
    yield Case(([np.array([3.0, 0.0]), np.array([[4.0]])], 1.0), "too long: 5, and 1 is allowed")
    yield Case(([np.array([0.3, 0.0]), np.array([[-0.4]])], 1.0), "short enough")
    yield Case(([np.zeros(2), np.zeros((2, 1))], 1.0), "all zero")
    yield Case(([np.zeros(3), np.array([30.0, -40.0])], 2.0), "one array of zeros")
    yield Case(([np.array([0.9, 0.0]), np.array([0.0, 0.9])], 1.0), "each short, together long")
    yield Case(([rng.normal(size=(3, 3)) + 2], 0.5), "one square matrix")
    yield Case(([np.array(-5.0), np.array([12.0])], 6.5), "an array without an axis")
    yield Case(([rng.normal(size=4) * 1e-3, rng.normal(size=2) * 1e-3], 1e-4), "all of it small")
    while True:
        shapes = [tuple(rng.integers(1, 4, size=rng.integers(1, 3))) for _ in range(3)]
        grads = [rng.normal(size=s) for s in shapes]
        norm = float(np.sqrt(sum(np.sum(g**2) for g in grads)))
        yield grads, norm * float(rng.choice([0.3, 0.7, 1.5]))


@clip_grad_norm.answer
def _(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.alternative
def one_long_vector(grads, max_norm):
    norm = np.linalg.norm(np.concatenate([np.ravel(g) for g in grads]))
    if max_norm < norm + 1e-6:
        return [max_norm * g / (norm + 1e-6) for g in grads], norm
    return [g.copy() for g in grads], norm


@clip_grad_norm.alternative
def norm_of_norms(grads, max_norm):
    norm = np.linalg.norm([np.linalg.norm(g) for g in grads])
    shrink = np.minimum(1, max_norm / (norm + 1e-6))
    return list(map(lambda g: g * shrink, grads)), float(norm)


@clip_grad_norm.mistake(
    "Each array is clipped by its own norm, so their sizes no longer compare: the direction of the "
    "step changes. How long are they together?",
    loses=("clipped",),
)
def each_by_its_own(grads, max_norm):
    clipped = []
    for g in grads:
        clipped.append(g * min(1.0, max_norm / (np.sqrt(np.sum(g**2)) + 1e-6)))
    return clipped, np.sqrt(sum(np.sum(g**2) for g in grads))


@clip_grad_norm.mistake(
    "That is clipping by value: each entry by itself. The direction isn't kept.",
    loses=("clipped",),
)
def by_value(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [np.clip(g, -max_norm, max_norm) for g in grads], norm


@clip_grad_norm.mistake(
    "Short gradients come out longer. Is a gradient ever to be stretched?", loses=("clipped",)
)
def always_scaled(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g * (max_norm / (norm + 1e-6)) for g in grads], norm


@clip_grad_norm.mistake(
    "Nearly: you differ by one part in a million or so. What stands below the line, beside the "
    "norm?",
    loses=("clipped",),
)
def without_eps(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = max_norm / norm if norm > max_norm else 1.0
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake(
    "Without gradients you divide 0 by 0. What is there to be said for the 1e-6?",
    loses=("clipped",),
)
def zero_by_zero(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    with np.errstate(all="ignore"):
        return [g / norm * min(norm, max_norm) for g in grads], norm


@clip_grad_norm.mistake("That is the square of the norm. How long is the vector (3, 4)?")
def no_square_root(grads, max_norm):
    norm = sum(np.sum(g**2) for g in grads)
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake(
    "You add up the norms of the arrays. Is the way round two sides of a triangle as long as the "
    "third?"
)
def sum_of_norms(grads, max_norm):
    norm = sum(np.sqrt(np.sum(g**2)) for g in grads)
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake("You take a mean of the squares. The norm takes their sum.")
def root_mean_square(grads, max_norm):
    norm = np.sqrt(np.mean(np.concatenate([np.ravel(g) for g in grads]) ** 2))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake("You add up absolute values, the 1-norm. The Euclidean one is asked for.")
def one_norm(grads, max_norm):
    norm = sum(np.sum(np.abs(g)) for g in grads)
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake("You look at the largest entry only: that is the infinity norm.")
def largest_entry(grads, max_norm):
    norm = max(np.abs(g).max() for g in grads)
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake("You take the longest array for all of them. How long are they together?")
def longest_array(grads, max_norm):
    norm = max(np.sqrt(np.sum(g**2)) for g in grads)
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake("You measure the first array only. How long are they together?")
def first_array(grads, max_norm):
    norm = np.sqrt(np.sum(grads[0] ** 2))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake(
    "Every gradient comes out with length 1. What is `max_norm` for?", loses=("clipped",)
)
def length_one(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g / (norm + 1e-6) if norm > max_norm else g * 1.0 for g in grads], norm


@clip_grad_norm.mistake(
    "A gradient that is too long becomes 0 in yours: that step is skipped, not shortened.",
    loses=("clipped",),
)
def skipped(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g * float(norm <= max_norm) for g in grads], norm


@clip_grad_norm.mistake(
    "You hand back the norm after clipping. Before it, it tells how often clipping acts.",
    loses=("norm",),
)
def norm_afterwards(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm * factor


@clip_grad_norm.mistake("You hand back the factor. The norm is asked for.", loses=("norm",))
def factor_handed_back(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], factor


@clip_grad_norm.mistake(
    "The 1e-6 belongs below the line only: of the norm itself it is no part.", loses=("norm",)
)
def norm_with_eps(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads)) + 1e-6
    return [g * min(1.0, max_norm / norm) for g in grads], norm


@clip_grad_norm.mistake("Nothing is ever clipped in yours.", loses=("clipped",))
def measured_only(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g * 1.0 for g in grads], norm


@clip_grad_norm.mistake(
    "You write into the gradients of whoever called. Torch's does so, and says so with an "
    "underscore; here new arrays are asked for."
)
def clipped_in_place(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    for i in range(len(grads)):
        grads[i] = grads[i] * min(1.0, max_norm / (norm + 1e-6))
    return grads, norm


@clip_grad_norm.mistake(
    "Your eps isn't the statement's: how large is it there?", loses=("clipped",)
)
def smaller_eps(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = min(1.0, max_norm / (norm + 1e-8))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake(
    "The 1e-6 stands under your root. It belongs below the line, beside the finished norm."
)
def eps_under_the_norm(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads) + 1e-6)
    return [g * min(1.0, max_norm / norm) for g in grads], norm


@clip_grad_norm.mistake(
    "You take the mean of the squares within each array. The norm takes the sum of all of them."
)
def mean_within_arrays(grads, max_norm):
    norm = np.sqrt(sum(np.mean(g**2) for g in grads))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm


@clip_grad_norm.mistake(
    "A norm for each array, and each array clipped by its own. How long are they together?"
)
def list_of_norms(grads, max_norm):
    norms = [np.sqrt(np.sum(g**2)) for g in grads]
    return [g * min(1.0, max_norm / (n + 1e-6)) for g, n in zip(grads, norms)], norms  # noqa: B905


@clip_grad_norm.mistake(
    "One long vector comes back. Each gradient should have the shape that its parameter has.",
    loses=("clipped",),
)
def one_long_vector_back(grads, max_norm):
    flat = np.concatenate([np.ravel(g) for g in grads])
    norm = np.sqrt(np.sum(flat**2))
    return flat * min(1.0, max_norm / (norm + 1e-6)), norm


# mended_descent ---------------------------------------------------------------

mended_descent = Exercise(
    "mended_descent",
    "Find the fault",
    parts={"weight": 2, "losses": 1},
    minutes=12,
    difficulty=2,
    outcomes=(DIAGNOSE, RULES),
    kind="mend",
    forbids=FORBIDS,
)


@mended_descent.cases
def _(rng):
    x, w = rng.normal(size=(7, 2)), rng.normal(size=2)
    y = x @ rng.normal(size=2) + 1
    thirds = [np.array([0, 3, 5]), np.array([1, 6, 2]), np.array([4])]
    yield Case((x, y, w, 0.1, thirds), "the last batch is smaller")
    yield Case((x, y, w, 0.1, thirds[:1]), "a single step")
    yield Case((x, y, w, 0.1, thirds + thirds[::-1]), "two epochs")
    yield Case((x, y, w, 0.05, [np.arange(7)] * 4), "all samples in every batch")
    yield Case((x[:, :1], y, w[:1], 0.1, [np.array([i]) for i in range(5)]), "one sample a batch")
    while True:
        n, d = int(rng.integers(5, 12)), int(rng.integers(1, 5))
        x, w = rng.normal(size=(n, d)), rng.normal(size=d)
        order, size = rng.permutation(n), int(rng.integers(2, 4))
        batches = [order[i : i + size] for i in range(0, n, size)]
        yield x, rng.normal(size=n), w, float(rng.uniform(0.03, 0.1)), batches


@mended_descent.answer
def _(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = 2 * x[rows].T @ error / len(rows)
        weight = weight - lr * gradient
    return weight, np.array(losses)


@mended_descent.alternative
def set_to_zero_each_time(x, y, weight, lr, batches):
    weight, gradient, losses = weight.copy(), np.zeros_like(weight), []
    for rows in batches:
        gradient[:] = 0
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient += 2 * x[rows].T @ error / len(rows)
        weight -= lr * gradient
    return weight, np.array(losses)


@mended_descent.alternative
def sample_after_sample(x, y, weight, lr, batches):
    losses = np.zeros(len(batches))
    for k, rows in enumerate(batches):
        gradient = 0 * weight
        for i in rows:
            error = sum(x[i] * weight) - y[i]
            losses[k] += error**2 / len(rows)
            gradient = gradient + 2 / len(rows) * error * x[i]
        weight = weight - lr * gradient
    return weight, losses


@mended_descent.mistake(
    "That is still hers. Print her gradient before each step, on a batch without error: what "
    "should it be, and what is it?"
)
def still_hers(x, y, weight, lr, batches):
    gradient, losses = np.zeros_like(weight), []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = gradient + 2 * x[rows].T @ error / len(rows)
        weight = weight - lr * gradient
    return weight, np.array(losses)


@mended_descent.mistake(
    "You average over all the batches so far. That calms it, but old gradients were taken at "
    "weights that are gone. Which one does a step need?"
)
def average_so_far(x, y, weight, lr, batches):
    gradient, losses = np.zeros_like(weight), []
    for k, rows in enumerate(batches, start=1):
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = gradient + 2 * x[rows].T @ error / len(rows)
        weight = weight - lr * gradient / k
    return weight, np.array(losses)


@mended_descent.mistake(
    "A momentum of 0.9 forgets slowly what should be forgotten at once: the fault is weaker, not "
    "gone."
)
def weaker_fault(x, y, weight, lr, batches):
    gradient, losses = np.zeros_like(weight), []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = 0.9 * gradient + 2 * x[rows].T @ error / len(rows)
        weight = weight - lr * gradient
    return weight, np.array(losses)


@mended_descent.mistake(
    "The gradient is set to zero just before the step, so nothing moves. When should it be?"
)
def zero_before_the_step(x, y, weight, lr, batches):
    gradient, losses = np.zeros_like(weight), []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = gradient + 2 * x[rows].T @ error / len(rows)
        gradient = np.zeros_like(weight)
        weight = weight - lr * gradient
    return weight, np.array(losses)


@mended_descent.mistake(
    "You step once, after all the batches. Hers steps after each; that isn't the fault."
)
def one_step_at_the_end(x, y, weight, lr, batches):
    gradient, losses = np.zeros_like(weight), []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = gradient + 2 * x[rows].T @ error / len(rows)
    return weight - lr * gradient / len(batches), np.array(losses)


@mended_descent.mistake(
    "Each batch now starts afresh, and is divided by the number of all samples. Her mean over the "
    "batch was right."
)
def mean_over_all(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x[rows].T @ error / len(x)
    return weight, np.array(losses)


@mended_descent.mistake(
    "Each batch now starts afresh, and its gradient is a sum. Of what is her loss the gradient: a "
    "sum, or a mean?"
)
def sum_over_the_batch(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x[rows].T @ error
    return weight, np.array(losses)


@mended_descent.mistake(
    "Each batch now starts afresh, and the 2 is gone. Differentiate the mean of the squares."
)
def two_forgotten(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight = weight - lr * x[rows].T @ error / len(rows)
    return weight, np.array(losses)


@mended_descent.mistake(
    "The weights are right; your losses are those after each step, hers those before it.",
    loses=("losses",),
)
def losses_afterwards(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        weight = weight - lr * 2 * x[rows].T @ error / len(rows)
        losses.append(np.mean((x[rows] @ weight - y[rows]) ** 2))
    return weight, np.array(losses)


@mended_descent.mistake(
    "You take every gradient at the first weights. Those of the step before are needed."
)
def all_at_the_start(x, y, weight, lr, batches):
    new, losses = weight, []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        new = new - lr * 2 * x[rows].T @ error / len(rows)
    return new, np.array(losses)


@mended_descent.mistake("`-=` writes into the weights of whoever called. Copy them first.")
def weights_in_place(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight -= lr * 2 * x[rows].T @ error / len(rows)
    return weight, np.array(losses)


@mended_descent.mistake(
    "Right, but a list: the statement asks for an array of losses.", loses=("losses",)
)
def losses_as_a_list(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x[rows].T @ error / len(rows)
    return weight, losses


@mended_descent.mistake("One loss comes back. There is one for each batch.", loses=("losses",))
def mean_of_the_losses(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x[rows].T @ error / len(rows)
    return weight, np.mean(losses)


@mended_descent.mistake(
    "Your losses are of all the samples. Hers are of the batch, which costs nothing extra.",
    loses=("losses",),
)
def losses_of_all_samples(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean((x @ weight - y) ** 2))
        weight = weight - lr * 2 * x[rows].T @ error / len(rows)
    return weight, np.array(losses)


@mended_descent.mistake(
    "Each batch now starts afresh, and its gradient is divided by the number of batches as well. "
    "What is her loss a mean over?"
)
def divided_by_the_batches(x, y, weight, lr, batches):
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x[rows].T @ error / len(rows) / len(batches)
    return weight, np.array(losses)


# best_rate --------------------------------------------------------------------

best_rate = Exercise(
    "best_rate",
    "The best rate, on paper",
    parts={"limit": 1, "best": 2, "factor": 1},
    minutes=15,
    difficulty=3,
    outcomes=(RATE,),
    kind="derive",
    forbids=FORBIDS,
)


@best_rate.cases
def _(rng):
    yield Case((np.diag([1.0, 25.0]),), "a valley along the axes")
    yield Case((np.array([[13.0, 12.0], [12.0, 13.0]]),), "a valley at an angle")
    yield Case((np.diag([4.0, 25.0, 1.0]),), "three directions")
    yield Case((np.array([[4.0]]),), "one direction")
    yield Case((0.5 * np.eye(3),), "the same in all directions")
    while True:
        d = int(rng.integers(2, 5))
        turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
        hessian = turn * rng.uniform(0.5, 20, size=d) @ turn.T
        yield ((hessian + hessian.T) / 2,)


@best_rate.answer
def _(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), (most - least) / (most + least)


@best_rate.alternative
def by_singular_values(hessian):
    size = np.linalg.svd(hessian)[1]
    condition = size.max() / size.min()
    best = 2 / (size.max() + size.min())
    return 2 / size.max(), best, (condition - 1) / (condition + 1)


@best_rate.alternative
def factor_from_the_rate(hessian):
    values, _ = np.linalg.eigh(hessian)
    best = 2.0 / (values.min() + values.max())
    return 2.0 / max(values), best, np.abs(1 - best * values).max()


@best_rate.mistake(
    "You read the curvatures off the diagonal. That is right for a valley along the axes; in which "
    "directions does this one lie?"
)
def off_the_diagonal(hessian):
    curvature = np.diag(hessian)
    least, most = curvature.min(), curvature.max()
    return 2 / most, 2 / (least + most), (most - least) / (most + least)


@best_rate.mistake(
    "At your limit the steepest direction is solved in one step. How far beyond that may you go "
    "before it grows?",
    loses=("limit",),
)
def one_over_the_largest(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 1 / most, 2 / (least + most), (most - least) / (most + least)


@best_rate.mistake(
    "Your limit keeps the flattest direction from growing. Which one grows first?",
    loses=("limit",),
)
def limit_of_the_flattest(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / least, 2 / (least + most), (most - least) / (most + least)


@best_rate.mistake(
    "1 over the largest curvature solves the steepest direction at once and lets the flattest "
    "wait. Which of the two is slowest then, and could it be faster?",
    loses=("best", "factor"),
)
def steepest_first(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 1 / most, 1 - least / most


@best_rate.mistake(
    "At the limit itself one direction swings for ever. A little less is better, but how much?",
    loses=("best", "factor"),
)
def as_large_as_allowed(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    most = curvature[-1]
    return 2 / most, 2 / most, 1.0


@best_rate.mistake(
    "You divide by the mean of all curvatures. Only two of them matter: which?",
    loses=("best", "factor"),
)
def mean_of_all(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    best = 1 / np.mean(curvature)
    return 2 / curvature[-1], best, np.abs(1 - best * curvature).max()


@best_rate.mistake(
    "Half of the best: 1 over the sum. What do the factors of the two extreme directions look like "
    "there, and are they of one size?",
    loses=("best",),
)
def one_over_the_sum(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 1 / (least + most), (most - least) / (most + least)


@best_rate.mistake(
    "That is the rate with the best momentum, where the condition number stands under a root. Here "
    "there is none.",
    loses=("factor",),
)
def factor_of_momentum(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    roots = np.sqrt(most), np.sqrt(least)
    factor = (roots[0] - roots[1]) / (roots[0] + roots[1])
    return 2 / most, 2 / (least + most), factor


@best_rate.mistake(
    "That is the factor of the loss, a square. The distance is asked for.", loses=("factor",)
)
def factor_of_the_loss(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), ((most - least) / (most + least)) ** 2


@best_rate.mistake(
    "That is the condition number. What is left of a distance after one step?", loses=("factor",)
)
def condition_number(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), most / least


@best_rate.mistake(
    "Your factor is negative: the sign says that a direction swings. How large is it?",
    loses=("factor",),
)
def factor_with_its_sign(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), (least - most) / (most + least)


@best_rate.mistake("That is what a step takes away. What is left is asked for.", loses=("factor",))
def share_taken_away(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), 1 - (most - least) / (most + least)


@best_rate.mistake(
    "You take the first and the last of the eigenvalues. `eigvals` hands them out in no order: "
    "which function sorts them?"
)
def eigenvalues_unsorted(hessian):
    curvature = np.linalg.eigvals(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), abs(most - least) / (most + least)


@best_rate.mistake(
    "You took the geometric mean of the two curvatures. Where do the two lines of the hint cross?",
    loses=("best",),
)
def geometric_mean(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 1 / np.sqrt(least * most), (most - least) / (most + least)


@best_rate.mistake(
    "That is the factor at 1 over the largest curvature. At the best rate it is smaller.",
    loses=("factor",),
)
def factor_at_another_rate(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), 1 - least / most


@best_rate.mistake(
    "You divide by the sum of all curvatures, the trace: safe, and smaller than need be.",
    loses=("limit",),
)
def limit_by_the_trace(hessian):
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / np.trace(hessian), 2 / (least + most), (most - least) / (most + least)


# diagnose_curve ---------------------------------------------------------------

diagnose_curve = Exercise(
    "diagnose_curve",
    "Six runs: what is wrong?",
    parts={"A": 1, "B": 1, "C": 1, "D": 1, "E": 1, "F": 1},
    minutes=12,
    difficulty=2,
    outcomes=(DIAGNOSE,),
    kind="predict",
    of="value",
)


@diagnose_curve.answer
def _():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.alternative
def in_another_order():
    return dict(
        F="fine",
        E="rate too large",
        D="rate too small",
        C="overfits",
        B="labels shuffled",
        A="lowered too early",
    )


@diagnose_curve.alternative
def zipped():
    words = "lowered too early,labels shuffled,overfits,rate too small,rate too large,fine"
    return dict(zip("ABCDEF", words.split(","), strict=True))


@diagnose_curve.mistake(
    "A came down to 0.4 within two twelfths, sooner than F. Was its rate too small then?",
    loses=("A",),
)
def a_too_small():
    return {
        "A": "rate too small",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "A lies still from the second twelfth on, and F gets much lower. Has A nothing left to learn?",
    loses=("A",),
)
def a_fine():
    return {
        "A": "fine",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "B's validation loss rises from the very start and is never below log 10. Did that network "
    "ever know anything about new images?",
    loses=("B",),
)
def b_overfits():
    return {
        "A": "lowered too early",
        "B": "overfits",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "Both of B's losses would fall side by side if it were merely slow. Look at validation.",
    loses=("B",),
)
def b_too_small():
    return {
        "A": "lowered too early",
        "B": "rate too small",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "C's training loss is nearly 0. Read its validation loss from left to right.", loses=("C",)
)
def c_fine():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "fine",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "C's training loss falls without a single jump. What would too large a rate look like?",
    loses=("C",),
)
def c_too_large():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "rate too large",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "D has no kink: it falls by the same little bit in each twelfth, from the first on.",
    loses=("D",),
)
def d_lowered():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "lowered too early",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "With shuffled labels there is nothing to learn about new images. D's validation loss does "
    "fall.",
    loses=("D",),
)
def d_shuffled():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "labels shuffled",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "E's validation loss rises, and its training loss too. What does overfitting do to the "
    "training loss?",
    loses=("E",),
)
def e_overfits():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "overfits",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "F's two losses part, but both still fall. When do you speak of overfitting?", loses=("F",)
)
def f_overfits():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "overfits",
    }


@diagnose_curve.mistake(
    "F has made most of its way by the fourth twelfth. Compare it with D: which one is slow?",
    loses=("F",),
)
def f_too_small():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "rate too small",
    }


@diagnose_curve.mistake(
    "A's training loss lies as still as its validation loss. Does an overfitted network stop "
    "learning its training images?",
    loses=("A",),
)
def a_overfits():
    return {
        "A": "overfits",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "B's curves are smooth. Too large a rate throws the training loss about.", loses=("B",)
)
def b_too_large():
    return {
        "A": "lowered too early",
        "B": "rate too large",
        "C": "overfits",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "E knew a good deal of validation after its first twelfth, and lost it again. Can labels that "
    "don't belong to their images teach that?",
    loses=("E",),
)
def e_shuffled():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "overfits",
        "D": "rate too small",
        "E": "labels shuffled",
        "F": "fine",
    }


@diagnose_curve.mistake(
    "C did well on validation for a moment. With shuffled labels it couldn't have.", loses=("C",)
)
def c_shuffled():
    return {
        "A": "lowered too early",
        "B": "labels shuffled",
        "C": "labels shuffled",
        "D": "rate too small",
        "E": "rate too large",
        "F": "fine",
    }


# fair_comparison --------------------------------------------------------------

fair_comparison = Question(
    "fair_comparison",
    "Is the new optimiser better?",
    points=5,
    minutes=12,
    outcomes=(DIAGNOSE, RATE),
    rubric="""\
- 2 points, one for each flaw that is named and explained: Adam ran at its default rate while the
  other's was tuned, so tuning is compared, not optimisers; one seed says nothing about the spread;
  the best of twenty test results is chosen on the test set and so too good; a difference of 0.3
  points is well within what 1,000 test images allow.
- 2 points for a design that would decide it: the same grid (or the same number of trials) for both,
  with the grid's edge looked at; chosen on validation; several seeds, shared by both; the test set
  used once; the same budget in steps or in time. One point if two of these are missing.
- 1 point for saying what may be concluded: in words that fit the interval, for this network and
  these data.
- No point for "Adam is always better" or for more decimals.""",
    exemplars={
        "full": """\
The new optimiser got twenty learning rates and Adam one, its default, so the comparison may only
show that tuning helps. And the twenty were judged on the test set: the best of twenty is lucky by
construction. I'd give both the same grid, check that neither's best rate lies at its edge, choose
on validation, then run five new seeds each, with the same first weights and batches for both, and
look at the test set once. If the interval of the paired difference contains 0, I'd say the two
can't be told apart, on this network and these digits.""",
        "partial": """\
Adam was not tuned, so it's unfair. They should use the same learning rates for both and more than
one seed.""",
        "typical": """\
92.6 % is more than 92.3 %, so the new optimiser is better, though only a little. It should also be
tried with more epochs.""",
    },
)
