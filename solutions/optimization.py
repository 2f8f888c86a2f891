# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Optimisation: exercises
#
# You write the steps that nearly every network is trained with, momentum and AdamW, a schedule and
# a clip around them, and you learn to read what a loss curve says. Everything is NumPy, a few lines
# each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** They are torch's. Weights, gradients and what an optimiser keeps
# have one shape, and all operations go entry by entry. Gradients point uphill. Give back new
# arrays, and leave those that you are handed as they are. Whether something counts from 0 or from
# 1 is said where it matters.

# %% [markdown] role="statement" grade_id="sgd_momentum"
# ## One step with momentum
#
# The velocity $v$ is a sum of gradients $g$ in which older ones count less and less. The weights
# $w$ move against it, by the learning rate $\eta$:
#
# $$v \leftarrow \mu v + g, \qquad w \leftarrow w - \eta v.$$
#
# The second formula uses the new $v$. Write `sgd_momentum(weight, velocity, grad, lr, momentum)`,
# with three arrays of one shape and two numbers. Return the new weights and the new velocity.
# Papers and libraries differ in where they put $\eta$; this is torch's place for it.
#
# For example, `weight = [1, 2]`, `velocity = [0.5, 0]`, `grad = [1, -1]`, `lr = 0.1` and
# `momentum = 0.8` give `velocity = [1.4, -1]` and `weight = [0.86, 2.1]`.
#
# <details><summary>Hint: does it matter where the learning rate stands?</summary>
#
# As long as it never changes, only for the size of the velocity. When a schedule changes it, think
# of what is stored: gradients, or steps that an older rate has made.
#
# </details>
#
# <details><summary>Hint: the check says that I changed its argument</summary>
#
# `velocity *= ...` writes into the array that the caller holds. `momentum * velocity` makes a new
# one.
#
# </details>


# %% role="solution" grade_id="sgd_momentum"
def sgd_momentum(weight, velocity, grad, lr, momentum):
    """Weights and velocity after one step, both in the shape of ``weight``."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return weight - lr * velocity, velocity
    ### END SOLUTION


# %% role="check" grade_id="sgd_momentum"
check("sgd_momentum", sgd_momentum)

# %% [markdown]
# Let it run down a valley that is 100 times as steep across as along. Before you run it: which of
# the four gets lowest?

# %%
curvature = np.array([1.0, 100.0])
for momentum in (0.0, 0.5, 0.8, 0.99):
    place, velocity = np.array([10.0, 1.0]), np.zeros(2)
    for _ in range(100):
        place, velocity = sgd_momentum(place, velocity, curvature * place, 0.015, momentum)
    height = np.sum(curvature * place**2) / 2
    print(f"momentum {momentum:4}: after 100 steps at height {height:.2e}")

# %% [markdown] role="statement" grade_id="adamw_step"
# ## One step of AdamW
#
# AdamW keeps two averages that forget: one of the gradients, $m$, and one of their squares, $s$.
# Both start at 0, which makes them too small at first; at step $t$, counted from 1, the correction
# is known:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
# s \leftarrow \beta_2 s + (1 - \beta_2)\, g^2, \qquad
# \hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat s = \frac{s}{1 - \beta_2^t}.$$
#
# The weights shrink by a small share of themselves, which has nothing to do with the gradient, and
# then take their step:
#
# $$w \leftarrow w - \eta \lambda w, \qquad
# w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat s} + \epsilon}.$$
#
# Write `adamw_step(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay)`, where
# `mean` and `square` are $m$ and $s$ as the step before left them, and `weight_decay` is
# $\lambda$. Return the new `weight`, `mean` and `square`: the averages themselves, without the
# correction. Mind where $\epsilon$ stands.
#
# For example, `weight = [1]`, `grad = [2]`, averages of 0, `t = 1`, `lr = 0.1`, `beta1 = 0.9`,
# `beta2 = 0.999`, `eps = 1e-8` and `weight_decay = 0.5` give `weight = [0.85]`, of which the decay
# took 0.05 and the step 0.1, `mean = [0.2]` and `square = [0.004]`.
#
# <details><summary>Hint: how can I see whether my decay is decoupled?</summary>
#
# Give it a gradient of 0 and averages of 0. All that moves the weights then is the decay: by what
# factor do they shrink, and is it the same for every weight?
#
# </details>
#
# <details><summary>Hint: what should the first step be?</summary>
#
# Put t = 1 and averages of 0 into the formulas. What is left of the size of the gradient?
#
# </details>


# %% role="solution" grade_id="adamw_step"
def adamw_step(weight, grad, mean, square, t, lr, beta1, beta2, eps, weight_decay):
    """Weights and both averages after step ``t``, counted from 1; all in one shape."""
    ### BEGIN SOLUTION
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad**2
    mean_hat = mean / (1 - beta1**t)
    square_hat = square / (1 - beta2**t)
    weight = weight - lr * weight_decay * weight
    return weight - lr * mean_hat / (np.sqrt(square_hat) + eps), mean, square
    ### END SOLUTION


# %% role="check" grade_id="adamw_step"
check("adamw_step", adamw_step)

# %% [markdown]
# Two weights, both 1. The gradients of the first change sign with size 0.01, those of the second
# with size 100. How much does each shrink in 1,000 steps?

# %%
weight, mean, square = np.ones(2), np.zeros(2), np.zeros(2)
for t in range(1, 1001):
    grad = (-1) ** t * np.array([0.01, 100.0])
    weight, mean, square = adamw_step(weight, grad, mean, square, t, 0.001, 0.9, 0.999, 1e-8, 0.1)
print(f"weights {weight.round(3)}; decay alone would leave {(1 - 0.001 * 0.1) ** 1000:.3f}")

# %% [markdown] role="statement" grade_id="warmup_cosine"
# ## A schedule
#
# Steps count from 0. During the first $W$ steps, the warm-up, the rate rises in equal stairs, and
# the first update gets one stair already; then it falls along half a cosine from $\eta$ to the
# final rate $\eta_f$:
#
# $$\eta_t = \eta\, \frac{t + 1}{W} \quad (t < W), \qquad
# \eta_t = \eta_f + \frac{1}{2} (\eta - \eta_f) \left(1 + \cos \pi\, \frac{t - W}{T - W}\right)
# \quad (W \le t < T).$$
#
# From step $T$ on it stays at $\eta_f$. Write `warmup_cosine(step, lr, warmup, total, final)` with
# $t$, $\eta$, $W$, $T$ and $\eta_f$ in this order. Return the rate, a number. `warmup` may be 0.
#
# For example, with `lr = 1`, `warmup = 4`, `total = 8` and `final = 0`, steps 0, 3, 4, 6 and 8 have
# the rates 0.25, 1, 1, 0.5 and 0.
#
# <details><summary>Hint: what happens when warmup is 0?</summary>
#
# No step is smaller than 0. Is your division by `warmup` out of the way then?
#
# </details>
#
# <details><summary>Hint: why does the rate rise again after the end?</summary>
#
# A cosine has a period. How far may the argument go?
#
# </details>


# %% role="solution" grade_id="warmup_cosine"
def warmup_cosine(step, lr, warmup, total, final):
    """Learning rate of update ``step``, counted from 0."""
    ### BEGIN SOLUTION
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1, (step - warmup) / (total - warmup))
    return final + 0.5 * (lr - final) * (1 + np.cos(np.pi * progress))
    ### END SOLUTION


# %% role="check" grade_id="warmup_cosine"
check("warmup_cosine", warmup_cosine)

# %%
for step in range(0, 26, 2):
    rate = warmup_cosine(step, lr=1.0, warmup=5, total=24, final=0.1)
    print(f"step {step:2} {'#' * round(40 * rate)} {rate:.2f}")

# %% [markdown] role="statement" grade_id="clip_grad_norm"
# ## Clip by the global norm
#
# A network has many arrays of gradients. Seen as one long vector $g$ they have one length, the root
# of the sum of all squares in all arrays. If that is too long, all arrays shrink by one factor:
#
# $$\lVert g \rVert = \sqrt{\textstyle\sum_i g_i^2}, \qquad
# g \leftarrow \min\left(1, \frac{c}{\lVert g \rVert + 10^{-6}}\right) g.$$
#
# Write `clip_grad_norm(grads, max_norm)` for a list of arrays and the bound $c$. Return the list of
# clipped arrays, in the same order and shapes, and $\lVert g \rVert$ as it was before. Gradients
# that are short enough keep their values, and so do gradients that are all 0.
#
# For example, `grads = [[3], [4]]` with `max_norm = 1` have the norm 5 and become `[0.6]` and
# `[0.8]`, but for the last digits.
#
# <details><summary>Hint: why one factor, and not one for each array?</summary>
#
# A gradient says in which direction to go. What happens to a direction if you shorten only one of
# its coordinates?
#
# </details>


# %% role="solution" grade_id="clip_grad_norm"
def clip_grad_norm(grads, max_norm):
    """Clipped copies of the arrays ``grads``, and the norm of all of them before clipping."""
    ### BEGIN SOLUTION
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    factor = min(1.0, max_norm / (norm + 1e-6))
    return [g * factor for g in grads], norm
    ### END SOLUTION


# %% role="check" grade_id="clip_grad_norm"
check("clip_grad_norm", clip_grad_norm)

# %% [markdown] role="statement" grade_id="mended_descent"
# ## Find the fault
#
# A colleague fits a line to penguins, flipper length to mass, by mini-batches. Her loss is the mean
# squared error of each batch. Her code runs without a warning, and its loss swings up and down and
# doesn't settle. A smaller learning rate only makes the swings slower. The cell below is hers; run
# it. There is one fault.
#
# Find it, and write the mended function as `mended_descent(x, y, weight, lr, batches)`: the same
# arguments, `batches` being a list of arrays of row numbers. Return the weights after the last
# batch, and an array with the loss of each batch, taken before its step.
#
# <details><summary>Hint: where do I look?</summary>
#
# Print the gradient of the second step. Then calculate it by hand, from the second batch alone.
#
# </details>
#
# <details><summary>Hint: what did other loops do?</summary>
#
# The loop of the unit on backpropagation has a line before each forward pass. What is it for?
#
# </details>


# %% role="given" grade_id="colleagues_descent"
def colleagues_descent(x, y, weight, lr, batches):
    """Weights (inputs,) and the loss of each batch. Something is wrong."""
    gradient = np.zeros_like(weight)
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = gradient + 2 * x[rows].T @ error / len(rows)
        weight = weight - lr * gradient
    return weight, np.array(losses)


from dlcourse.data.penguins import load_penguins
from dlcourse.data.splits import standardise

birds, species, provenance = load_penguins()
(standard,) = standardise(birds)
flipper = np.c_[standard[:, 2], np.ones(len(birds))]  # a 1 for the bias
mass = birds[:, 3] / 1000  # in kilograms
order = np.random.default_rng(0).permutation(len(birds))
batches = [order[start : start + 32] for start in range(0, len(birds), 32)] * 3
weight, losses = colleagues_descent(flipper, mass, np.zeros(2), 0.05, batches)
print("hers: ", losses[::3].round(1))


# %% role="solution" grade_id="mended_descent"
def mended_descent(x, y, weight, lr, batches):
    """Weights (inputs,) after a step for each of ``batches``, and the loss before each step."""
    ### BEGIN SOLUTION
    losses = []
    for rows in batches:
        error = x[rows] @ weight - y[rows]
        losses.append(np.mean(error**2))
        gradient = 2 * x[rows].T @ error / len(rows)  # of this batch alone
        weight = weight - lr * gradient
    return weight, np.array(losses)
    ### END SOLUTION


# %% role="check" grade_id="mended_descent"
check("mended_descent", mended_descent)

# %%
weight, losses = mended_descent(flipper, mass, np.zeros(2), 0.05, batches)
print("yours:", losses[::3].round(1))

# %% [markdown] role="statement" grade_id="best_rate"
# ## The best rate, on paper
#
# Near its lowest point $w^*$ a loss is nearly a valley, $\frac{1}{2} (w - w^*)^\top H (w - w^*)$
# with a symmetric matrix $H$ whose eigenvalues $h_i > 0$ are the curvatures. Gradient descent
# without momentum takes the step $w \leftarrow w - \eta H (w - w^*)$. Split $w - w^*$ along the
# eigenvectors: what does one step multiply each share with? Derive from that, on paper,
#
# - `limit`: the rate from which on gradient descent no longer gets to $w^*$, from nearly any start;
# - `best`: the rate for which the slowest direction is as fast as possible;
# - `factor`: what one step multiplies the share of that slowest direction with, at the best rate: a
# number from 0 to 1, without its sign.
#
# Write `best_rate(hessian)`, which returns the three numbers for a matrix $H$, which needn't be
# diagonal. `np.linalg.eigvalsh` gives the eigenvalues of a symmetric matrix.
#
# For example, `hessian = [[1, 0], [0, 3]]` has `limit = 2/3`, `best = 0.5` and `factor = 0.5`.
#
# <details><summary>Hint: where is the best rate?</summary>
#
# Draw, over the rate, the size of the factor of the steepest direction, and of the flattest. The
# slower of the two is the higher line. Where is that lowest?
#
# </details>


# %% role="solution" grade_id="best_rate"
def best_rate(hessian):
    """Limit of the learning rate, the best one, and the slowest factor there, for a valley."""
    ### BEGIN SOLUTION
    curvature = np.linalg.eigvalsh(hessian)
    least, most = curvature[0], curvature[-1]
    return 2 / most, 2 / (least + most), (most - least) / (most + least)
    ### END SOLUTION


# %% role="check" grade_id="best_rate"
check("best_rate", best_rate)

# %% [markdown]
# See whether it is so, on a valley that lies at an angle:

# %%
hessian = np.array([[13.0, 12.0], [12.0, 13.0]])
limit, best, factor = best_rate(hessian)
rates = {"best": best, "just below the limit": 0.99 * limit, "just above it": 1.01 * limit}
for name, rate in rates.items():
    place = np.array([1.0, 0.3])
    for _ in range(100):
        place = place - rate * hessian @ place
    print(f"{name} ({rate:.4f}): after 100 steps {np.linalg.norm(place):.2e} away")
print(f"derived for the best rate: about {factor**100:.2e}, times where it started")

# %% [markdown] role="statement" grade_id="diagnose_curve"
# ## Six runs: what is wrong?
#
# The same network, six runs of gradient descent with mini-batches of 32 images: five with a fault
# and one without. The cell below draws the loss on the training and on the validation images, at
# the start and after each twelfth of the run. All six take equally many steps. (These are real
# runs on handwritten digits; an answer without any knowledge costs $\log 10 \approx 2.3$.)
#
# Set `diagnose_curve` to a dict from the run's letter to one of these, each used once:
#
# - `"fine"`: nothing is wrong; it could go on a little longer;
# - `"rate too small"`: the learning rate is far too small all the time;
# - `"rate too large"`: the learning rate is too large all the time;
# - `"lowered too early"`: the schedule lowered the learning rate long before it was time;
# - `"labels shuffled"`: the training labels don't belong to their images;
# - `"overfits"`: too few training images for so many steps.
#
# For example, `{"A": "fine", "B": "overfits", ...}`, with all six letters.
#
# <details><summary>Hint: where do I begin?</summary>
#
# With the start: who falls, how fast, and does validation come along? Then with the end: who still
# moves?
#
# </details>

# %% role="given" grade_id="curves"
import matplotlib.pyplot as plt

losses = """
A training   2.306 0.740 0.401 0.401 0.401 0.401 0.401 0.401 0.400 0.400 0.400 0.400 0.400
A validation 2.306 0.760 0.466 0.466 0.465 0.465 0.465 0.465 0.465 0.465 0.465 0.464 0.464
B training   2.309 2.284 2.267 2.248 2.228 2.203 2.175 2.145 2.111 2.074 2.036 1.990 1.943
B validation 2.306 2.312 2.324 2.342 2.346 2.365 2.381 2.391 2.436 2.444 2.469 2.520 2.526
C training   2.297 0.066 0.019 0.010 0.007 0.005 0.004 0.003 0.003 0.002 0.002 0.002 0.002
C validation 2.306 0.545 0.550 0.566 0.580 0.591 0.600 0.609 0.616 0.622 0.628 0.633 0.638
D training   2.306 2.300 2.294 2.288 2.282 2.276 2.270 2.264 2.259 2.253 2.247 2.241 2.235
D validation 2.306 2.300 2.294 2.288 2.282 2.276 2.271 2.265 2.259 2.253 2.247 2.241 2.236
E training   2.306 0.405 0.305 0.168 0.071 0.206 0.050 0.042 0.180 0.113 0.182 0.914 0.527
E validation 2.306 0.598 0.576 0.585 0.431 0.868 0.598 0.631 1.077 0.980 1.322 2.761 2.444
F training   2.306 1.442 0.742 0.502 0.401 0.341 0.303 0.272 0.249 0.229 0.213 0.198 0.185
F validation 2.306 1.441 0.761 0.546 0.464 0.420 0.395 0.373 0.358 0.348 0.337 0.329 0.324
"""
curves = {name: {} for name in "ABCDEF"}
for line in losses.split("\n")[1:-1]:
    name, part, *numbers = line.split()
    curves[name][part] = np.array(numbers, dtype=float)

figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharex=True, layout="constrained")
for ax, (name, run) in zip(axes.flat, curves.items()):
    ax.plot(run["training"], "o-", markersize=3, label="training")
    ax.plot(run["validation"], "s--", markersize=3, label="validation")
    ax.set(title=name, ylim=(0, None))
axes[0, 0].legend()
axes[1, 1].set_xlabel("twelfths of the run")
axes[0, 0].set_ylabel("loss")

# %% role="solution" grade_id="diagnose_curve"
### BEGIN SOLUTION
diagnose_curve = {
    "A": "lowered too early",
    "B": "labels shuffled",
    "C": "overfits",
    "D": "rate too small",
    "E": "rate too large",
    "F": "fine",
}
### END SOLUTION

# %% role="check" grade_id="diagnose_curve"
check("diagnose_curve", diagnose_curve)

# %% [markdown] role="question" grade_id="fair_comparison"
# ## Is the new optimiser better?
#
# A colleague writes: "I compared my optimiser with Adam on handwritten digits. For mine I tried
# twenty learning rates, the best one got 92.6 % of the 1,000 test images right. Adam, with its
# usual 0.001, got 92.3 %. So mine is better." Write back, in five to eight sentences. Name two
# things in this comparison that make its conclusion doubtful, and say why. Describe an experiment
# that would decide it, and what you would be allowed to say after it. A person reads and marks your
# answer.

# %% [markdown] role="answer" grade_id="fair_comparison"
