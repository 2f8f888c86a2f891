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
# # PyTorch: exercises
#
# Now torch does what you wrote by hand in part I. You predict what its tensors do, write a data
# set, a module, a function with a backward of your own and a training epoch, and find a fault that
# torch lets pass. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** torch's own. The batch stands first. A loss is a mean over the
# samples. Where numbers are compared, tensors are float64, and so is what you give back. A tensor
# is not an array: where a tensor is asked for, an array is wrong. Leave what you are handed as it
# is, unless the text says otherwise. `dlcourse.scratch` isn't to be used here.

# %% [markdown] role="statement" grade_id="tensor_forecast"
# ## Predict: eight lines of torch
#
# Work out on paper what each line gives. Then set `tensor_forecast` to a dict of your eight
# answers.
#
# - `shape`: the shape of `torch.zeros(2, 1, 3) + torch.zeros(4, 1)`, a list of integers.
# - `loss`: with `p = torch.tensor([[1.0], [3.0]])` and `t = torch.tensor([1.0, 3.0])`, the number
#   `((p - t) ** 2).mean()`.
# - `picked`: with `a = torch.arange(12).reshape(3, 4)`, what `a[[0, 2], [1, 3]]` holds, a list.
# - `view`: after `base = torch.zeros(4)`, `front = base[1:3]`, `chosen = base[[1, 2]]`, then
#   `front += 1` and `chosen += 5`: the number `base.sum()`.
# - `stride`: `torch.zeros(2, 3, 4).transpose(1, 2).stride()`, a list of integers.
# - `divided`: the type of `torch.tensor([1, 2]) / 2`, such as `"int32"`: a string, without `torch.`
# - `promoted`: the type of `torch.ones(3) * torch.tensor(2.0, dtype=torch.float64)`, a string too.
# - `gradient`: with `w = torch.tensor(3.0, requires_grad=True)`, and `(w * w).backward()` run
#   twice: the number `w.grad`.
#
# For example, `torch.zeros(5) + torch.zeros(2, 1)` has the shape `[2, 5]`, and its strides are
# `[5, 1]`: five numbers on for the next row, one for the next column. The cell after the check
# shows what happens.
#
# <details><summary>Hint: how are strides read?</summary>
#
# A tensor is a row of numbers in memory, and a stride says how many of them to go on for one step
# along an axis. `torch.zeros(2, 3, 4)` begins with `(12, 4, 1)`.
#
# </details>
#
# <details><summary>Hint: what is a tensor without axes?</summary>
#
# `torch.tensor(2.0)` has the shape `()`. When types are combined, torch asks first whether there is
# a tensor *with* axes.
#
# </details>

# %% role="solution" grade_id="tensor_forecast"
### BEGIN SOLUTION
tensor_forecast = {
    "shape": [2, 4, 3],
    "loss": 2.0,
    "picked": [1, 11],
    "view": 2.0,
    "stride": [12, 1, 4],
    "divided": "float32",
    "promoted": "float32",
    "gradient": 12.0,
}
### END SOLUTION

# %% role="check" grade_id="tensor_forecast"
check("tensor_forecast", tensor_forecast)

# %%
p, t = torch.tensor([[1.0], [3.0]]), torch.tensor([1.0, 3.0])
a, base = torch.arange(12).reshape(3, 4), torch.zeros(4)
front, chosen = base[1:3], base[[1, 2]]
front += 1
chosen += 5
w = torch.tensor(3.0, requires_grad=True)
for _ in range(2):
    (w * w).backward()
print("shape   ", list((torch.zeros(2, 1, 3) + torch.zeros(4, 1)).shape))
print("loss    ", ((p - t) ** 2).mean().item(), "from a difference of shape", list((p - t).shape))
print("picked  ", a[[0, 2], [1, 3]].tolist())
print("view    ", base.sum().item())
print("stride  ", torch.zeros(2, 3, 4).transpose(1, 2).stride())
print("divided ", (torch.tensor([1, 2]) / 2).dtype)
print("promoted", (torch.ones(3) * torch.tensor(2.0, dtype=torch.float64)).dtype)
print("gradient", w.grad.item())

# %% [markdown] role="statement" grade_id="RaggedSet"
# ## A data set of sequences
#
# Words, sentences and recordings aren't all equally long, but a batch is one tensor. So short ones
# are *padded*, and a *mask* says what is real.
#
# Write the class `RaggedSet(sequences, labels)`. `sequences` is a list of one-dimensional int64
# arrays (NumPy's) of different lengths, of which one may be empty; `labels` is an int64 array with
# one label for each. Any integer may stand in a sequence, 0 too.
#
# - `len(data)` is the number of sequences.
# - `data[i]` is a pair: the sequence as an int64 tensor, as long as it is, and its label as a
#   number (not a tensor). The tensor is the caller's own: writing into it must not change the data
#   set.
# - `RaggedSet.collate(samples)`, a static method, makes a batch of a list of such pairs and returns
#   three tensors: `padded`, int64 of shape `(samples, longest)`, where `longest` is the length of
#   the longest sequence *of this batch*, with zeros behind each sequence; `mask`, Boolean of the
#   same shape, True where there is an entry and False where there is padding; and `labels`, int64
#   of shape `(samples,)`.
#
# For example, the samples `(tensor([3, 0, 2]), 1)` and `(tensor([1]), 0)` become
# `padded = [[3, 0, 2], [1, 0, 0]]`, `mask = [[True, True, True], [True, False, False]]` and
# `labels = [1, 0]`. The parts of the check are `length`, `items`, `own` (the caller's own memory),
# `padded`, `mask` and `labels`.
#
# <details><summary>Hint: is there something in torch that pads?</summary>
#
# `nn.utils.rnn.pad_sequence`. Read what its arguments default to.
#
# </details>
#
# <details><summary>Hint: how do I make the mask without a loop?</summary>
#
# Compare positions, `torch.arange(longest)`, with lengths. One of the two needs a new axis.
#
# </details>


# %% role="solution" grade_id="RaggedSet"
class RaggedSet(torch.utils.data.Dataset):
    """Sequences of different lengths, each with a label."""

    ### BEGIN SOLUTION
    def __init__(self, sequences, labels):
        self.sequences, self.labels = sequences, labels

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.tensor(self.sequences[i]), int(self.labels[i])

    @staticmethod
    def collate(samples):
        sequences, labels = zip(*samples)
        padded = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        lengths = torch.tensor([len(s) for s in sequences])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        return padded, mask, torch.tensor(labels)

    ### END SOLUTION


# %% role="check" grade_id="RaggedSet"
check("RaggedSet", RaggedSet)

# %% [markdown]
# Put it to use. A loader asks the data set for items and the collate function for batches. Five
# words, as numbers of their letters (a is 0), and whether they end in a vowel:

# %%
words = ["tensor", "view", "stride", "a", "module"]
sequences = [np.array([ord(c) - ord("a") for c in word], dtype=np.int64) for word in words]
vowel = np.array([int(word[-1] in "aeiou") for word in words])
data = RaggedSet(sequences, vowel)
for padded, mask, labels in torch.utils.data.DataLoader(data, 3, collate_fn=RaggedSet.collate):
    print(padded.shape, "real:", mask.sum(dim=1).tolist(), "labels:", labels.tolist())

# %% [markdown] role="statement" grade_id="Standardise"
# ## A module with buffers
#
# A network that was trained on standardised inputs needs the same means and deviations for ever
# after. If they live in another file, somebody will forget that file. So put them into the network:
# not as parameters, because nobody learns them by gradient, but as *buffers*.
#
# Write the class `Standardise(features)`, an `nn.Module`, with
#
# - a parameter `gain` of shape `(features,)`, all ones at first, which *is* learnt;
# - buffers `mean`, all zeros at first, and `std`, all ones at first, both of shape `(features,)`;
# - `fit(x)`, for `x` of shape `(samples, features)`: sets `mean` and `std` to those of each feature
#   in `x`. The standard deviation divides by the number of samples, $N$. Where it is exactly 0,
#   `std` becomes 1. There is no eps. A second `fit` forgets the first.
# - `forward(x)`: $g \odot (x - \text{mean}) \, / \, \text{std}$.
#
# The parts of the check: `forward`: its numbers before and after `fit`, and the buffers' own;
# `state`: what `state_dict()` names, and that a fresh module which loads it does the same;
# `moves`: that all of it goes along when the module is sent to another type or another device;
# `learns`: that `gain` is the only parameter, and that gradients reach it and the layers before.
#
# For example, fitted to `x = [[1], [3]]` the mean is `[2]`, the deviation `[1]`, and `[[5]]`
# becomes `[[3]]`.
#
# <details><summary>Hint: what makes a tensor a buffer?</summary>
#
# `self.register_buffer(name, tensor)`, after `super().__init__()`. From then on `self.name` is it.
#
# </details>
#
# <details><summary>Hint: the numbers are nearly right</summary>
#
# `x.std(0)` in torch isn't `x.std(0)` in NumPy. Look at its argument `correction`.
#
# </details>


# %% role="solution" grade_id="Standardise"
class Standardise(nn.Module):
    """Each feature less its mean, over its deviation, times a gain that is learnt."""

    ### BEGIN SOLUTION
    def __init__(self, features):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))

    @torch.no_grad()
    def fit(self, x):
        std = x.std(0, correction=0)
        self.mean.copy_(x.mean(0))
        self.std.copy_(torch.where(std == 0, 1.0, std))

    def forward(self, x):
        return self.gain * (x - self.mean) / self.std

    ### END SOLUTION


# %% role="check" grade_id="Standardise"
check("Standardise", Standardise)

# %% [markdown] role="statement" grade_id="LearntSwish"
# ## A function with a backward of your own
#
# torch differentiates whatever you put together from its operations. Now and then you know better:
# a formula that needs less memory, or that is stable. Then you hand it both directions, as a
# `torch.autograd.Function`. The function is
#
# $$y = x \, \sigma(\beta x), \qquad \sigma(z) = \frac{1}{1 + e^{-z}},$$
#
# with `x` of shape `(samples, features)`, or with more axes in front, `beta` of shape
# `(features,)`, and everything entry by entry.
#
# Write the class `LearntSwish` with two static methods: `forward(ctx, x, beta)`, which returns `y`,
# and `backward(ctx, dy)`, which returns the gradients with respect to `x` and to `beta`, in this
# order. Derive them on paper first. What backward needs, forward keeps with
# `ctx.save_for_backward(...)`, and backward finds in `ctx.saved_tensors`. Inputs and `dy` may be
# views whose numbers don't lie one behind the other; $\beta x$ may be as large as 5,000. `beta`
# serves all samples, whatever axes they lie on. Add up over them, or hand back the larger tensor:
# torch does here what your `unbroadcast` did.
#
# For example, `x = [[2.0]]`, `beta = [0.0]` and `dy = [[1.0]]` give `y = [[1.0]]`, `dx = [[0.5]]`
# and `dbeta = [1.0]`.
#
# <details><summary>Hint: what is the slope of the sigmoid?</summary>
#
# $\sigma'(z) = \sigma(z)(1 - \sigma(z))$. There is an $x$ in front of the sigmoid and one inside.
#
# </details>
#
# <details><summary>Hint: how do I see that it's right?</summary>
#
# The cell after the check does what you wrote in *Backpropagation*: differences, in float64.
#
# </details>


# %% role="solution" grade_id="LearntSwish"
class LearntSwish(torch.autograd.Function):
    """x times the sigmoid of beta x, with its gradients written by hand."""

    ### BEGIN SOLUTION
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, dy):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = x * s * (1 - s)
        dbeta = (dy * x * slope).sum(dim=tuple(range(x.ndim - 1)))
        return dy * (s + beta * slope), dbeta

    ### END SOLUTION


# %% role="check" grade_id="LearntSwish"
check("LearntSwish", LearntSwish)

# %% [markdown]
# torch has the gradient check that you wrote in part I. It wants float64, and refuses to be fooled
# by less. Try it with float32, too: it warns, and then it fails, with nothing wrong.

# %%
x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
beta = torch.ones(3, dtype=torch.float64, requires_grad=True)
print("right:", torch.autograd.gradcheck(LearntSwish.apply, (x, beta)))

# %% [markdown] role="statement" grade_id="train_and_evaluate"
# ## An epoch that leaves no traces
#
# A training loop changes the network's weights. That is its task. Whatever else it changes, the
# next piece of code will stumble over.
#
# Write `train_and_evaluate(net, optimizer, batches, held_out)`. `net` is a module from inputs to
# logits, and `optimizer` holds its parameters. `batches` and `held_out` are lists of pairs
# `(x, y)`, with `y` the classes, int64. Take one step for each pair in `batches`, in their order,
# along the gradient of the mean cross-entropy of this batch alone. *Then* evaluate on `held_out`.
# Return two Python numbers:
#
# - the mean training loss over all samples, each as its batch came by, before its step;
# - the mean loss over all held-out samples, after the last step.
#
# Train in training mode and evaluate in evaluation mode. The parts of the check, beside `losses`
# and `weights` (parameters and buffers afterwards):
#
# - `modes`: the network is left in the mode in which it came, training or evaluation. (All its
#   modules come in the same one.)
# - `graph`: nothing is recorded for gradients while the held-out samples go through.
# - `outside`: torch's generator, the switch for gradients and the parameters' `requires_grad` are
#   afterwards as they were, and each training batch has gone through the network once.
#
# The network may come with gradients left in it.
#
# For example, with three logits that are all equal, a batch of 2 whose steps change nothing (`lr`
# 0) and one held-out sample, both numbers are $\log 3 \approx 1.0986$.
#
# <details><summary>Hint: my mean is nearly right</summary>
#
# Do all batches have equally many samples?
#
# </details>
#
# <details><summary>Hint: how do I know in which mode it came?</summary>
#
# `net.training` says it, and `net.train(mode)` sets it. Ask before you change it.
#
# </details>


# %% role="solution" grade_id="train_and_evaluate"
def train_and_evaluate(net, optimizer, batches, held_out):
    """One epoch of steps on ``batches``: mean loss on them, and on ``held_out`` afterwards."""
    ### BEGIN SOLUTION
    mode = net.training
    net.train()
    total = count = 0
    for x, y in batches:
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + loss.item() * len(x), count + len(x)
    net.eval()
    kept_total = kept_count = 0
    with torch.no_grad():
        for x, y in held_out:
            kept_total += nn.functional.cross_entropy(net(x), y).item() * len(x)
            kept_count += len(x)
    net.train(mode)
    return total / count, kept_total / kept_count
    ### END SOLUTION


# %% role="check" grade_id="train_and_evaluate"
check("train_and_evaluate", train_and_evaluate)

# %% [markdown]
# Three species of penguins, with what you have written: standardised by your module, trained by
# your loop.

# %%
from dlcourse.data.penguins import load_penguins
from dlcourse.data.splits import split

birds, species, provenance = load_penguins()
parts = split(species, (200, 142), seed=0)
(x, y), (x_kept, y_kept) = [
    (torch.tensor(birds[rows], dtype=torch.float32), torch.tensor(species[rows])) for rows in parts
]
torch.manual_seed(0)
first = Standardise(4)
first.fit(x)
net = nn.Sequential(first, nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.2)
for epoch in range(20):
    order = torch.randperm(len(x))
    batches = [(x[rows], y[rows]) for rows in order.split(32)]
    losses = train_and_evaluate(net, optimizer, batches, [(x_kept, y_kept)])
    if epoch in (0, 4, 19):
        print(f"epoch {epoch + 1:2}: training {losses[0]:.3f}, held out {losses[1]:.3f}")

# %% [markdown] role="statement" grade_id="mended_regressor"
# ## Find the fault
#
# A colleague predicts the mass of penguins. Her network has one output, her loss falls and levels
# off, and there is no error. But it predicts nearly the same mass for every bird, the mean. The
# cell below is hers; run it.
#
# Write the mended function as `mended_regressor(net, x, y, lr, steps)`. `net` maps `x`, of shape
# `(samples, features)`, to one number for each sample; `y` has the shape `(samples,)`. The network
# is trained in place, and the mean squared error before each step comes back as a list of Python
# numbers. What is right in hers stays as it is.
#
# For example, with one sample, a network that gives 3 and the answer 1, the first loss is 4. (With
# one sample hers is right, too.)
#
# <details><summary>Hint: where do I look?</summary>
#
# At shapes. Print that of `net(x)`, of `y` and of their difference, for ten birds.
#
# </details>


# %% role="given" grade_id="colleagues_regressor"
def colleagues_regressor(net, x, y, lr, steps):
    """Mean squared error before each of ``steps`` full-batch steps. Something is wrong."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


measures = torch.tensor(birds[parts[0]], dtype=torch.float32)
measures = (measures - measures.mean(0)) / measures.std(0)
size, mass = measures[:, :3], measures[:, 3]  # bill, bill, flipper; and mass
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
losses = colleagues_regressor(net, size, mass, lr=0.1, steps=100)
print(f"loss: {losses[0]:.2f} before the first step, {losses[-1]:.2f} before the last")
print(f"masses differ by {mass.std():.2f}, predictions by {net(size).std().item():.2f}")


# %% role="solution" grade_id="mended_regressor"
def mended_regressor(net, x, y, lr, steps):
    """Mean squared error before each of ``steps`` full-batch steps."""
    ### BEGIN SOLUTION
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = ((net(x).squeeze(1) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION


# %% role="check" grade_id="mended_regressor"
check("mended_regressor", mended_regressor)

# %%
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
losses = mended_regressor(net, size, mass, lr=0.1, steps=100)
print(f"loss: {losses[0]:.2f} before the first step, {losses[-1]:.2f} before the last")
print(f"masses differ by {mass.std():.2f}, predictions by {net(size).std().item():.2f}")

# %% [markdown] role="question" grade_id="same_network"
# ## The same network, other numbers
#
# A colleague has ported her NumPy network to torch, layer by layer, and somebody else takes the
# port over. "After a hundred steps the losses differ in the second digit," he says, "but torch and
# NumPy never agree to the last digit, so that's rounding." Answer him in four to six sentences: how
# you would find out where they part, in which order you would look and at what, which differences
# show at once and which only later, and how you would tell a fault from rounding. A person reads
# and marks your answer.

# %% [markdown] role="answer" grade_id="same_network"
