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
# # Training on GPUs: exercises
#
# You say what a computation waits for, count the operations of a transformer, accumulate the
# gradient of a batch that doesn't fit, scale a loss for float16, save a run and resume it bit for
# bit, and average gradients around a ring. None of it needs a GPU. Read the chapter first, or keep
# it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** A multiplication and the addition after it are two operations
# (FLOPs). A loss is a mean over the targets that count; a target of -100 is padding and doesn't.
# Clipping is torch's, by one norm over all gradients. Ranks are counted from 0. Numbers are
# float64 unless the text says otherwise. Leave what you are handed as it is, unless the text says
# otherwise. `dlcourse.training`, `dlcourse.models` and `dlcourse.scratch` aren't to be used here.

# %% [markdown] role="statement" grade_id="roofline_forecast"
# ## Predict: what does it wait for?
#
# A chip calculates at most 300 TFLOP/s ($3 \cdot 10^{14}$ operations a second) and moves at most
# 2 TB/s ($2 \cdot 10^{12}$ bytes a second) between itself and its memory, both at the same time. A
# computation reads each input once from memory and writes each result once. Numbers have 16 bits.
#
# Work out on paper, then set `roofline_forecast` to a dict of your eight answers.
#
# - `ridge`: from how many FLOPs a byte on can the chip be fully busy calculating? A number.
# - `add`: two vectors of 100 million numbers are added. What limits it? `"memory"` or `"compute"`.
# - `product`: two matrices of 4,096 by 4,096 are multiplied. `"memory"` or `"compute"`?
# - `vector`: a matrix of 4,096 by 4,096 is multiplied by one vector. `"memory"` or `"compute"`?
# - `add_time`: how many *microseconds* does the sum of `add` take at the least? A number.
# - `vector_gain`: the next chip has twice the FLOP/s and the same memory. By which factor does the
#   least time of `vector` shrink? A number; 1 means not at all.
# - `half_gain`: the sum of `add` was in 32 bits before. By which factor did its least time shrink
#   when its numbers were halved to 16 bits?
# - `batch`: a matrix of 4,096 by 4,096 is multiplied by `batch` vectors at once; they are read,
#   too, and as many results are written. Of 1, 2, 4, 8, ... vectors, which is the smallest number
#   for which memory isn't the limit?
#
# For example, a dot product of two vectors of $n$ numbers needs $2n$ operations ($n$
# multiplications and as many additions, nearly) and reads $4n$ bytes: 0.5 FLOPs a byte. The cell
# after the check shows the way to the answers.
#
# <details><summary>Hint: what limits a computation?</summary>
#
# The longer of two times: operations over FLOP/s, and bytes over bytes a second.
#
# </details>
#
# <details><summary>Hint: how many operations has a product of matrices?</summary>
#
# For each entry of the result a dot product.
#
# </details>

# %% role="solution" grade_id="roofline_forecast"
### BEGIN SOLUTION
roofline_forecast = {
    "ridge": 150,
    "add": "memory",
    "product": "compute",
    "vector": "memory",
    "add_time": 300,
    "vector_gain": 1,
    "half_gain": 2,
    "batch": 256,
}
### END SOLUTION

# %% role="check" grade_id="roofline_forecast"
check("roofline_forecast", roofline_forecast)


# %%
def times(flops, numbers, peak=300e12, bandwidth=2e12, size=2):
    """Microseconds of calculating and of moving."""
    return flops / peak * 1e6, numbers * size / bandwidth * 1e6


n = 4096
work = {"add": (1e8, 3e8), "vector": (2 * n**2, n**2 + 2 * n), "product": (2 * n**3, 3 * n**2)}
work |= {f"batch {b}": (2 * b * n**2, n**2 + 2 * b * n) for b in (64, 128, 256)}
for name, counts in work.items():
    calculating, moving = times(*counts)
    print(f"{name:9}: calculating {calculating:8.2f} µs, moving {moving:8.2f} µs")

# %% [markdown] role="statement" grade_id="model_flops"
# ## How many operations is a step?
#
# What a training will take is known before it starts: operations over speed. So count them, for
# a transformer. (What its parts are for is the matter of a later unit. Here only their products
# matter.) `batch` sequences of `tokens` tokens come in, each token as a vector of `hidden` entries
# that was looked up in a table. In each of `layers` layers, in this order:
#
# - each token's vector is multiplied by matrices that give its *queries*, `heads` vectors of
#   `size = hidden / heads` entries, and its *keys* and its *values*, `kv_heads` vectors of `size`
#   entries each (`kv_heads` divides `heads`: several query heads then share a key and a value);
# - for every sequence and each of the `heads` query heads: a matrix of scores, `tokens` by
#   `tokens`, each the dot product of a query and a key; a softmax; and that matrix times the
#   values;
# - the heads, joined to `hidden` entries again, times a matrix of `hidden` by `hidden`;
# - a perceptron: times a matrix from `hidden` to `4 * hidden` entries, an activation, and times one
#   back to `hidden`.
#
# At the end one matrix gives each token `vocab` logits.
#
# Derive and write `model_flops(batch, tokens, hidden, layers, heads, kv_heads, vocab)`, which
# returns two numbers: the operations of a forward pass, and of one training step (forward *and*
# backward, nothing computed twice). Count only products of matrices; softmax, activations, norms,
# biases, the table and the optimiser's update are left out, as is customary. A multiplication and
# its addition are *two*, so a product of (m, n) by (n, p) has $2mnp$. All scores are counted, also
# those that a causal mask hides. Backwards, the input of every product gets a gradient, also that
# of the first layer.
#
# For example, `model_flops(1, 2, 4, 1, 2, 1, 3)` is `(816, 2448)`.
#
# <details><summary>Hint: how do I begin?</summary>
#
# Write the shapes of each product below one another, one line a product, for one layer.
#
# </details>
#
# <details><summary>Hint: and backwards?</summary>
#
# You wrote `linear_backward`: which products were in it, and how large?
#
# </details>


# %% role="solution" grade_id="model_flops"
def model_flops(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    """Operations of a forward pass and of a training step of a transformer."""
    ### BEGIN SOLUTION
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward
    ### END SOLUTION


# %% role="check" grade_id="model_flops"
check("model_flops", model_flops)

# %% [markdown]
# A network of the size of GPT-2's smallest: 12 layers of width 768, contexts of 1,024 tokens,
# 50,257 tokens in the vocabulary. What does a step of 512 sequences cost, and which share of it is
# attention's, which has no weights?

# %%
forward, training = model_flops(512, 1024, 768, 12, 12, 12, 50257)
weights = 12 * 12 * 768**2 + 768 * 50257
rule = 6 * weights * 512 * 1024
print(f"{training:.3g} operations a step; {1 - rule / training:.0%} of them attention's")
print(f"at 100 TFLOP/s that is {training / 100e12:.1f} s")

# %% [markdown] role="statement" grade_id="accumulate_gradients"
# ## The gradient of a batch that doesn't fit
#
# A batch is too large for the memory. So it comes in pieces, *micro-batches*, one after the other,
# and their gradients add up, as torch's do by themselves. What they add up to should be the
# gradient of the whole batch's loss.
#
# Write `accumulate_gradients(net, micro_batches)`. `micro_batches` is a list of pairs `(x, y)`.
# `net` maps `x`, of shape `(sequences, length, features)`, to logits of shape
# `(sequences, length, classes)`; `y`, of shape `(sequences, length)`, holds the classes, int64,
# and -100 where there is padding. The batch's loss is the *mean cross-entropy over all targets of
# all micro-batches that aren't padding*. Micro-batches differ in sequences and in length; some hold
# nothing but padding, but not all of them.
#
# Afterwards each parameter's `.grad` is the gradient of the batch's loss, whatever was in it
# before, and the function returns that loss as a Python number. Take no step: the weights stay as
# they are. The parts of the check are `loss`, `gradients`, `untouched` (all else of the network)
# and `memory`: at no time is more kept for the way back than the largest micro-batch needs. So a
# forward pass is followed by its backward pass, before the next one.
#
# For example, with logits that are all equal and 4 classes, the loss is $\log 4 \approx 1.3863$,
# whatever the micro-batches.
#
# <details><summary>Hint: the loss is right if there is no padding</summary>
#
# How much should a micro-batch count for? Not for 1, and not for its sequences.
#
# </details>
#
# <details><summary>Hint: NaN</summary>
#
# A mean over nothing is 0 / 0. A sum over nothing isn't.
#
# </details>


# %% role="solution" grade_id="accumulate_gradients"
def accumulate_gradients(net, micro_batches):
    """Leave the gradient of the mean loss of all micro-batches in ``net``; return that loss."""
    ### BEGIN SOLUTION
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total += loss.item()
    return total / count
    ### END SOLUTION


# %% role="check" grade_id="accumulate_gradients"
check("accumulate_gradients", accumulate_gradients)

# %% [markdown]
# The same 12 sequences, cut in three ways. Their loss and the length of their gradient shouldn't
# depend on it.

# %%
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4)).double()
x, y = torch.randn(12, 6, 3, dtype=torch.float64), torch.randint(4, (12, 6))
y[torch.arange(6) >= torch.randint(1, 7, (12, 1))] = -100
for size in (12, 5, 1):
    loss = accumulate_gradients(net, list(zip(x.split(size), y.split(size))))
    length = torch.cat([p.grad.flatten() for p in net.parameters()]).norm()
    print(f"micro-batches of {size:2}: loss {loss:.12f}, length of the gradient {length:.12f}")

# %% [markdown] role="statement" grade_id="loss_scaling"
# ## A scale for float16
#
# Gradients in float16 vanish below $6 \cdot 10^{-8}$ and overflow above 65,504. So the loss is
# multiplied by a *scale* before the backward pass, which multiplies every gradient, and the scale
# finds its size by itself. This exercise is NumPy's.
#
# Write the class `loss_scaling(scale, growth_interval)`, with an attribute `scale`, a power of 2,
# and a method `step(weights, gradients, lr, max_norm)`. `weights` is a list of float64 arrays.
# (A GPU would keep float32; in float64 numbers can be compared.) `gradients` is a list of float16
# arrays of the same shapes: the gradients of all weights times `scale`, as it stood before this
# call. The method returns two things: a list of the new weights, and True if there was a step.
#
# - If any entry of any gradient is infinite or NaN, there is no step: all weights come back as they
#   are, with False, and `scale` is halved. It may fall below 1.
# - Else the gradients become float64 and are divided by the scale; *then* they are clipped: with
#   $\lVert g \rVert$ the norm over all entries of all arrays, all are multiplied by
#   $\min(1, c / (\lVert g \rVert + 10^{-6}))$, where $c$ is `max_norm`. Each weight goes by `-lr`
#   times its gradient.
# - After `growth_interval` steps in a row without overflow `scale` is doubled, at the end of the
#   last of them, and the count begins anew. It begins anew after an overflow, too.
#
# For example, with `scale` 8, `growth_interval` 1, weight `[1.0]`, gradient `[2.0]` in float16,
# `lr` 0.1 and `max_norm` 10, the new weight is `[0.975]`, and `scale` becomes 16.
#
# <details><summary>Hint: why float64 before dividing?</summary>
#
# Try `np.float16(1e-4) / np.float16(2**15)`.
#
# </details>
#
# <details><summary>Hint: in which order?</summary>
#
# Which of the things that you do in a step need the scale of before, and when does it change?
#
# </details>


# %% role="solution" grade_id="loss_scaling"
class loss_scaling:
    """A scale for float16 gradients that shrinks on overflow and grows when all goes well."""

    ### BEGIN SOLUTION
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true)], True

    ### END SOLUTION


# %% role="check" grade_id="loss_scaling"
check("loss_scaling", loss_scaling)

# %% [markdown]
# A squared error whose gradients are tiny: with the scale fixed at 1 nothing moves, with yours it
# does, though it starts far too high.

# %%
goal = np.array([3e-4, -2e-4])
for name, start, interval in (("scale 1, fixed", 1.0, 10**9), ("yours", 2.0**60, 20)):
    scaler, weights, skipped = loss_scaling(start, interval), [np.zeros(2)], 0
    for _ in range(200):
        with np.errstate(over="ignore"):
            gradient = ((weights[0] - goal) * 1e-5 * scaler.scale).astype(np.float16)
        weights, stepped = scaler.step(weights, [gradient], lr=5000.0, max_norm=1.0)
        skipped += not stepped
    print(f"{name}: weights {weights[0]}, {skipped} steps skipped, scale now {scaler.scale:g}")

# %% [markdown] role="statement" grade_id="save_and_resume"
# ## Save and resume
#
# A run of a week will be cut off. Whoever resumes it should get the weights that it would have got,
# to the last bit. Everything that decides about the next step has to be in the file.
#
# A run is an object with these attributes:
#
# - `run.net`, a module with batch norm and dropout; `run.optimizer`, with momentum; and
#   `run.scheduler`, which sets the rate after every step;
# - `run.epoch`, epochs that are complete, and `run.place`, batches of the next one that are done;
# - `run.order`, an int64 tensor: the order in which this epoch takes the samples;
# - `run.generator`, a `torch.Generator` from which the order of every new epoch is drawn. Dropout
#   draws from torch's global generator.
#
# Write the class `save_and_resume` with two static methods. `save(run, path)` writes one file, of
# tensors, numbers, strings, lists and dicts only, so that `torch.load(path, weights_only=True)`
# reads it, and leaves the run as it is. `resume(run, path)` is handed a run that the same program
# has just started anew, with other seeds, and takes it to where the saved one was. The objects in
# the run stay the same ones (the program holds them, too): change their states.
#
# The parts of the check, right after `resume`: `model`, `optimizer`, `scheduler`, `random` (what
# both generators draw next) and `place` (epoch, place, order). Then both runs go on, and
# `continues` says whether they end with the same weights. `file` is that it can be read without
# running code. In between, the file is moved to another place.
#
# <details><summary>Hint: how do I get at a generator's state?</summary>
#
# `generator.get_state()` and `generator.set_state(state)`; for the global one
# `torch.get_rng_state()` and `torch.set_rng_state(state)`. States are tensors.
#
# </details>
#
# <details><summary>Hint: everything is right except `continues`</summary>
#
# Then one of the other parts isn't right either. If all of them are, look at what else differs
# between the two runs, such as something that `save` leaves behind.
#
# </details>


# %% role="solution" grade_id="save_and_resume"
class save_and_resume:
    """All of a run in a file, and back."""

    ### BEGIN SOLUTION
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
            "generator": run.generator.get_state(),
            "global": torch.get_rng_state(),
            "place": [run.epoch, run.place],
            "order": run.order,
        }
        torch.save(state, path)

    @staticmethod
    def resume(run, path):
        state = torch.load(path, weights_only=True)
        run.net.load_state_dict(state["net"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.scheduler.load_state_dict(state["scheduler"])
        run.generator.set_state(state["generator"])
        torch.set_rng_state(state["global"])
        run.epoch, run.place = state["place"]
        run.order = state["order"]

    ### END SOLUTION


# %% role="check" grade_id="save_and_resume"
check("save_and_resume", save_and_resume)

# %% [markdown] role="statement" grade_id="all_reduce_mean"
# ## A mean around a ring
#
# Several machines (*ranks*) have each calculated a gradient, on different samples. Each needs the
# mean of all of them. Sent to one rank and handed out again, all traffic would go through that one.
# Around a *ring* nobody sends more than the others: each array is cut into as many chunks as there
# are ranks, and in every step each rank sends one chunk to the next rank, the last to the first.
#
# - *First round*, ranks - 1 steps: what arrives is added to one's own chunk. In its first step
#   every rank sends a different chunk. At the end each rank has one chunk that is summed over all
#   ranks.
# - *Second round*, ranks - 1 steps: finished chunks are passed on, and take the place of one's own.
#
# Write `all_reduce_mean(gradients, send)`, in NumPy. `gradients` is a list, one array for each
# rank, all one-dimensional and of the same length, which needn't be a multiple of the number of
# ranks and may be smaller. The ranks are simulated: your function plays all of them, one after the
# other. But what a rank knows of the others has to have gone over the wire:
# `send(source, target, values)` takes a one-dimensional array from rank `source` to rank `target`
# and returns it as it arrives there; what is sent is counted.
#
# Return a list with the mean for each rank, each computed from what that rank has. The parts of the
# check: `means`; `total`, the numbers sent by all ranks together, which is $2 (R - 1) n$ for $R$
# ranks and $n$ numbers; `busiest`, that no rank sends more than $2 (R - 1) \lceil n / R \rceil$;
# `neighbours`, how many ranks onwards messages go, which is `[1]`.
#
# For example, for two ranks with `[1, 2]` and `[3, 6]` both get `[2, 4]`, and four numbers are
# sent.
#
# <details><summary>Hint: which chunk in which step?</summary>
#
# Draw three ranks and three chunks. If rank $r$ begins with chunk $r$, what does it receive, and
# which chunk should it pass on next?
#
# </details>
#
# <details><summary>Hint: the second round</summary>
#
# Which chunk has a rank just finished? It begins with that one.
#
# </details>


# %% role="solution" grade_id="all_reduce_mean"
def all_reduce_mean(gradients, send):
    """The mean of ``gradients`` for each rank, by sending chunks around a ring."""
    ### BEGIN SOLUTION
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]  # chunks[rank][k]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]
    ### END SOLUTION


# %% role="check" grade_id="all_reduce_mean"
check("all_reduce_mean", all_reduce_mean)

# %% [markdown]
# What does one rank send, as the ranks become more?

# %%
rng, sent = np.random.default_rng(0), {}


def send(source, target, values):
    sent[source] = sent.get(source, 0) + len(values)
    return values.copy()


for ranks in (2, 4, 8, 64):
    sent.clear()
    all_reduce_mean([rng.normal(size=6400) for _ in range(ranks)], send)
    print(f"{ranks:2} ranks: one sends {max(sent.values()) / 6400:.2f} times the array")

# %% [markdown] role="question" grade_id="out_of_memory"
# ## Out of memory
#
# A language model of half a billion parameters is trained with Adam on a GPU of 16 GB, in float32,
# with a batch of 64 sequences. It ends in the first step: out of memory. "The weights are only
# 2 GB," says a colleague, "so there must be a leak." Answer in five to seven sentences: count what
# takes memory whatever the batch, say what the rest is for, and name three things that you could
# do, in the order in which you'd try them; for each say what it costs, and whether the run is still
# the same run. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="out_of_memory"
