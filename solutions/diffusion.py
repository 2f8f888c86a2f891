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
# # Diffusion: exercises
#
# You put noise on, mend a loss, derive one step back and a flow that goes round, push towards a
# label, and predict what sampling costs. Everything is NumPy, a few lines each. Read the chapter
# first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** Steps count *from 0*, as indices of the array `betas` `(T,)`: step
# 0 puts the first noise on, and is the last one to be undone. $\alpha_t = 1 - \beta_t$, and
# $\bar\alpha_t$ is the product of $\alpha_0, \dots, \alpha_t$. Before step 0 there are the data,
# with $\bar\alpha = 1$. (Papers count from 1 and call the data $x_0$; here `x0` is only a name.)
# All pictures and noises hold floats, the first axis is the batch. Give back new arrays, and leave
# those that you are handed as they are. Loops are welcome.

# %% [markdown] role="statement" grade_id="q_sample"
# ## All the noise at once
#
# $$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1 - \bar\alpha_t}\;\epsilon$$
#
# Write `q_sample(x0, t, noise, betas)`: what the data have become after step `t`. `x0` is
# `(N, D)`, or `(N, H, W)`, or has any other axes behind the first; `noise`, the $\epsilon$, has the
# same shape. `t` `(N,)` says for each example which step it is at, from 0 to T - 1.
#
# For example, `x0 = [[1, 2], [1, 2]]`, `t = [0, 1]`, `noise = [[1, 0], [0, 1]]` and
# `betas = [0.36, 0.75]` give `[[1.4, 1.6], [0.4, 1.7165]]`, rounded. The alpha-bars are 0.64 and
# 0.16.
#
# <details><summary>Hint: how do I multiply each picture by a number of its own?</summary>
#
# Factors of shape `(N,)` would go along the last axis. Give them as many axes as the data have:
# `(N, 1)` for rows, `(N, 1, 1)` for images. `reshape` takes a -1 for what it may work out itself.
#
# </details>

# %% role="solution" grade_id="q_sample"
def q_sample(x0, t, noise, betas):
    """The data (N, ...) as they are after step t (N,)."""
    ### BEGIN SOLUTION
    bar = np.cumprod(1 - betas)[t].reshape(-1, *[1] * (x0.ndim - 1))
    return np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    ### END SOLUTION


# %% role="check" grade_id="q_sample"
check("q_sample", q_sample)

# %% [markdown]
# One picture, a cross, on its way. From which step on wouldn't you recognise it?

# %%
cross = -np.ones((7, 7))
cross[3], cross[:, 3] = 1, 1
steps, betas = np.array([0, 10, 25, 50, 99]), np.linspace(0.001, 0.1, 100)
fog = np.random.default_rng(0).normal(size=(5, 7, 7))
for row in zip(*q_sample(np.array([cross] * 5), steps, fog, betas)):
    inks = [[int(np.clip(3 + 2 * v, 0, 5)) for v in line] for line in row]
    print("   ".join("".join(" .:oO@"[ink] for ink in line) for line in inks))

# %% [markdown] role="statement" grade_id="ddpm_loss"
# ## Find the faults: a loss that falls, and pictures that don't come
#
# A colleague trains a network that is told labels, with the function below. The loss falls nicely.
# But the samples are fog; and after some epochs, asked for a 7, the network makes any digit. There
# are two faults.
#
# Write the mended function as `ddpm_loss(model, x0, labels, t, noise, drop, bars, null)`. `x0` and
# `noise` are `(N, D)`; `labels` and `t`, whole numbers, `(N,)`; `bars` `(T,)` are the alpha-bars.
# `drop` `(N,)` is True for examples that are shown *without* their label this time: in its place
# the network is handed `null`. `model(x_t, t, labels)` returns a guess at the noise, `(N, D)`; call
# it once, with all examples. Return the squared error, as a mean over all entries.
#
# For example, if `model` always says 0, `noise = [[1, 2], [0, 1]]` gives a loss of 1.5, whatever
# the rest.
#
# <details><summary>Hint: how do I find the faults?</summary>
#
# Each symptom has its own. Fog: compare what the network is shown with `q_sample`. Labels that
# fade: print `labels` before and after a call.
#
# </details>


# %% role="given" grade_id="colleagues_loss"
def colleagues_loss(model, x0, labels, t, noise, drop, bars, null):
    """The loss of a batch. Something is wrong, twice."""
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + (1 - bar) * noise
    labels[drop] = null  # learn to do without, too
    return np.mean((model(x_t, t, labels) - noise) ** 2)


def says_nothing(x_t, t, labels):
    return np.zeros(x_t.shape)


whatever, none = np.zeros((2, 2)), np.zeros(2, bool)
fine = np.array([[1.0, 2.0], [0.0, 1.0]])
steps, bars = np.array([0, 1]), np.array([0.9, 0.5])
print(colleagues_loss(says_nothing, whatever, np.array([7, 3]), steps, fine, none, bars, 10))


# %% role="solution" grade_id="ddpm_loss"
def ddpm_loss(model, x0, labels, t, noise, drop, bars, null):
    """The mean squared error of the network's guess at the noise."""
    ### BEGIN SOLUTION
    bar = bars[t][:, None]
    x_t = np.sqrt(bar) * x0 + np.sqrt(1 - bar) * noise
    return np.mean((model(x_t, t, np.where(drop, null, labels)) - noise) ** 2)
    ### END SOLUTION


# %% role="check" grade_id="ddpm_loss"
check("ddpm_loss", ddpm_loss)

# %% [markdown] role="statement" grade_id="ddpm_step"
# ## Derive: one step back
#
# The chapter gives the law of what stood before step t, if both the data and $x_t$ are known: a
# normal one, whose mean is
#
# $$\frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1 - \bar\alpha_t}\,x_0 +
# \frac{\sqrt{\alpha_t}\,(1 - \bar\alpha_{t-1})}{1 - \bar\alpha_t}\,x_t .$$
#
# The data aren't known. But a guess $\hat\epsilon$ at the noise in $x_t$ is also a guess at the
# data: solve the equation of `q_sample`. Put it in, and simplify on paper until only $x_t$,
# $\hat\epsilon$, $\beta_t$, $\alpha_t$ and $\bar\alpha_t$ are left.
#
# Write `ddpm_step(x_t, t, noise_hat, noise, betas, variance)`. `t` is one whole number for the
# whole batch. Return that mean plus `noise` times a deviation $\sigma_t$, where `variance` says
# what $\sigma_t^2$ is:
#
# - `"beta"`: $\beta_t$;
# - `"posterior"`: $\tilde\beta_t = \beta_t\,(1 - \bar\alpha_{t-1}) / (1 - \bar\alpha_t)$.
#
# **At step 0, the last one, no noise is added,** whatever `variance` says and whatever `noise`
# holds, NaN too. Nothing is cut off at -1 and 1.
#
# For example, `betas = [0.36, 0.75]`, `t = 1`, `x_t = [[1]]`, `noise_hat = [[0.5]]` and
# `noise = [[1]]` give `[[2.0477]]` with `"beta"` and `[[1.7486]]` with `"posterior"`; the mean is
# 1.1817. With `t = 0` and the rest as it was: `[[0.875]]`. (All rounded.)
#
# <details><summary>Hint: what becomes of the factor in front of the old picture?</summary>
#
# $\bar\alpha_t = \alpha_t\,\bar\alpha_{t-1}$. Write both terms with $1/\sqrt{\alpha_t}$ in front,
# and what is left in the bracket with $x_t$ is 1.
#
# </details>
#
# <details><summary>Hint: what is there before step 0?</summary>
#
# The data, with $\bar\alpha = 1$. Beware of `bars[-1]`: NumPy doesn't complain about it.
#
# </details>


# %% role="solution" grade_id="ddpm_step"
def ddpm_step(x_t, t, noise_hat, noise, betas, variance):
    """What stood before step t (N, D), by a guess at the noise in x_t."""
    ### BEGIN SOLUTION
    bars = np.cumprod(1 - betas)
    mean = (x_t - betas[t] / np.sqrt(1 - bars[t]) * noise_hat) / np.sqrt(1 - betas[t])
    if t == 0:
        return mean
    spread = betas[t]
    if variance == "posterior":
        spread = spread * (1 - bars[t - 1]) / (1 - bars[t])
    return mean + np.sqrt(spread) * noise
    ### END SOLUTION


# %% role="check" grade_id="ddpm_step"
check("ddpm_step", ddpm_step)

# %% [markdown]
# Proof without a network. If the data are normal with mean 3 and deviation 0.5, the best guess at
# the noise is known exactly, by regression. Do 5,000 samples of noise come out as those data? With
# fewer steps, which of the two variances is nearer?

# %%
rng = np.random.default_rng(0)
for total in (1000, 50):
    betas = np.linspace(0.1, 20, total) / total
    bars = np.cumprod(1 - betas)
    for variance in ("posterior", "beta"):
        x = rng.normal(size=(5000, 1))
        for t in reversed(range(total)):
            best = np.sqrt(1 - bars[t]) * (x - np.sqrt(bars[t]) * 3) / (1 - 0.75 * bars[t])
            x = ddpm_step(x, t, best, rng.normal(size=x.shape), betas, variance)
        print(f"{total:4} steps, {variance:9}: mean {x.mean():.2f}, deviation {x.std():.3f}")

# %% [markdown] role="statement" grade_id="flow_matching_target"
# ## Derive: a flow that goes round
#
# The chapter's flow goes from noise to data in a straight line. Half of the way there, both have
# the factor one half, and if they have variance 1 each, their mix has a variance of only one half.
# A quarter of a circle doesn't have this dent:
#
# $$x_u = \sin(\tfrac{\pi}{2} u)\;\text{data} + \cos(\tfrac{\pi}{2} u)\;\text{noise} .$$
#
# The time $u$ goes from 0, **noise**, to 1, **data**. What the network is to learn is the velocity,
# $dx_u / du$. Work it out. Then write `flow_matching_target(data, noise, u)`: `data` and `noise`
# are `(N, D)`, or have any axes behind the first, `u` is `(N,)`, a time for each example. Return
# the point $x_u$ and the velocity there, in this order, both in the shape of `data`.
#
# For example, at `u = [0]` the point is the noise itself and the velocity
# $\tfrac{\pi}{2}\,\text{data}$, about 1.571 times the data.
#
# <details><summary>Hint: how do I test a velocity?</summary>
#
# By differences: the points at `u + h` and `u - h`, over `2 * h`.
#
# </details>


# %% role="solution" grade_id="flow_matching_target"
def flow_matching_target(data, noise, u):
    """The point at time u (N,) on a quarter of a circle from noise to data, and its velocity."""
    ### BEGIN SOLUTION
    angle = (np.pi / 2 * u).reshape(-1, *[1] * (data.ndim - 1))
    point = np.sin(angle) * data + np.cos(angle) * noise
    return point, np.pi / 2 * (np.cos(angle) * data - np.sin(angle) * noise)
    ### END SOLUTION


# %% role="check" grade_id="flow_matching_target"
check("flow_matching_target", flow_matching_target)

# %% [markdown] role="statement" grade_id="guided_noise"
# ## A push towards the label
#
# A network that has now and then been trained without labels can guess the noise in two ways: as
# that of a noisy 7, and as that of any noisy digit. Guidance goes on from the second to the first,
# and beyond it:
#
# $$\hat\epsilon_w = (1 + w)\;\hat\epsilon(x_t, t, y) - w\;\hat\epsilon(x_t, t, \varnothing) .$$
#
# Write `guided_noise(model, x_t, t, labels, w, null)`. `model(x_t, t, labels)` takes a batch
# `(N, D)`, steps `(N,)` and labels `(N,)` and returns a guess `(N, D)`; `null` is the label that
# stands for none. `w` is a number of at least 0. Call the model twice, or once with both halves, as
# you like.
#
# For example, where the model says 0.5 with the label and 0.2 without, `w = 1` gives 0.8.
#
# <details><summary>Hint: another program says 3 where I say 2</summary>
#
# There are two conventions. In this one, what does `w = 0` mean? And in the other one, 0 and 1?
#
# </details>


# %% role="solution" grade_id="guided_noise"
def guided_noise(model, x_t, t, labels, w, null):
    """The guess at the noise, pushed away from what it is without a label."""
    ### BEGIN SOLUTION
    without = model(x_t, t, np.full_like(labels, null))
    return (1 + w) * model(x_t, t, labels) - w * without
    ### END SOLUTION


# %% role="check" grade_id="guided_noise"
check("guided_noise", guided_noise)

# %% [markdown] role="statement" grade_id="sampling_forecast"
# ## Predict: what sampling costs and gives
#
# A schedule has 200 steps, all with $\beta = 0.02$. Images have 12 by 12 pixels. Work out on paper:
#
# - `half`: the index (from 0) of the first step after which $\bar\alpha$ is below a half;
# - `variance`: a pixel has variance 4 in the data. What is its variance in $x_t$ where
#   $\bar\alpha_t = 0.25$?
# - `blind`: the expected loss, as a mean over pixels, of a network that always guesses 0;
# - `draws`: how many times you draw noise of the shape of the batch when you sample a batch by
#   DDPM, the start included, and none drawn that isn't used;
# - `ddpm`: how many times the network is called for that, without guidance, for a batch of 64;
# - `ddim`: how many times for a batch of 64 by DDIM at 20 of the 200 steps, with guidance, where
#   the two guesses are two calls;
# - `euler`: let there be a single picture in the world, and a network that has learnt the flow
#   along straight lines to it perfectly. How many steps of Euler's method carry noise to that
#   picture exactly? The smallest such number;
# - `copies`: a generator hands out training images, drawn at random. What is the mean distance of
#   its images to the nearest training image, if that of test images is 1.9?
#
# Set `sampling_forecast` to a dict of these eight numbers. For example, for a schedule whose betas
# are all 0.5 `half` would be 1: after step 0 it is exactly a half, which isn't below.

# %% role="solution" grade_id="sampling_forecast"
### BEGIN SOLUTION
sampling_forecast = {
    "half": 34,
    "variance": 1.75,
    "blind": 1.0,
    "draws": 200,
    "ddpm": 200,
    "ddim": 40,
    "euler": 1,
    "copies": 0.0,
}
### END SOLUTION

# %% role="check" grade_id="sampling_forecast"
check("sampling_forecast", sampling_forecast)

# %% [markdown] role="question" grade_id="faces_for_sale"
# ## Faces that belong to nobody
#
# A company sells generated portraits for advertisements and for testing other people's software.
# "Our diffusion model was trained on 40,000 photographs. A face detector finds a face in 99 % of
# its images. The Fréchet distance between its images and the training photographs, in the features
# of a network that recognises objects, is 4, which is very low. So the portraits are as good as
# photographs, and belong to nobody: no consent is needed." Answer in five to seven sentences: what
# does each of the two numbers see, and what can't it see; which measurement with which yardstick
# is missing before anybody may say "nobody"; what would even that one miss; and what would you
# decide until then? A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="faces_for_sale"
