"""The exercises of ``gpu-training``: what limits a step, and what a long run must not lose.

Conventions: a multiplication and the addition after it are two operations; a byte is moved once for
each number that is read or written. A loss is a mean over the targets that count; torch's label for
padding is -100. A scale is halved on overflow and doubled after some clean steps, as in torch's
GradScaler; clipping is torch's, by one norm over all gradients. Ranks are counted from 0 and send
to the next one, the last to the first.
"""

# Answers stand here as learners write them, without types.
# mypy: disable-error-code="assignment, attr-defined, operator, union-attr"

import numpy as np
import torch
from torch import nn

from dlcourse.checks.core.exercise import Case, Exercise, Question

LIMITS, NUMBERS, RUNS = "gpu-training-limits", "gpu-training-numbers", "gpu-training-runs"
FORBIDS = ("sklearn", "dlcourse.scratch", "dlcourse.models", "dlcourse.training")


# roofline_forecast ------------------------------------------------------------------

roofline_forecast = Exercise(
    "roofline_forecast",
    "Predict: what does it wait for?",
    parts=dict.fromkeys(
        (
            "ridge",
            "add",
            "product",
            "vector",
            "add_time",
            "vector_gain",
            "half_gain",
            "batch",
        ),
        1,
    ),
    minutes=15,
    difficulty=2,
    outcomes=(LIMITS,),
    kind="predict",
    of="value",
    forbids=FORBIDS,
)


@roofline_forecast.observe
def _(candidate):
    said = dict(candidate())
    for name in ("ridge", "add_time", "vector_gain", "half_gain", "batch"):
        if type(said.get(name)) in (int, float) or isinstance(said.get(name), np.number):
            said[name] = float(said[name])
    return said


@roofline_forecast.answer
def _():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.alternative
def calculated():
    peak, bandwidth, size, n = 300e12, 2e12, 2, 4096

    def intensity(batch):
        return 2 * batch * n**2 / (size * (2 * batch * n + n**2))

    ridge = peak / bandwidth
    batch = 1
    while intensity(batch) < ridge:
        batch *= 2
    return {
        "ridge": ridge,
        "add": "memory" if 1 / (3 * size) < ridge else "compute",
        "product": "memory" if intensity(n) < ridge else "compute",
        "vector": "memory" if intensity(1) < ridge else "compute",
        "add_time": 3 * 1e8 * size / bandwidth * 1e6,
        "vector_gain": max(intensity(1) / ridge, 1) / max(intensity(1) / (2 * ridge), 1),
        "half_gain": 4 / 2,
        "batch": batch,
    }


@roofline_forecast.alternative
def as_fractions():
    return {
        "batch": 256.0,
        "half_gain": 2.0,
        "vector_gain": 1.0,
        "add_time": 6e8 / 2e12 / 1e-6,
        "vector": "memory",
        "product": "compute",
        "add": "memory",
        "ridge": 300 / 2,
    }


@roofline_forecast.mistake(
    "`batch`: that is where the limits meet. Which of 1, 2, 4, 8, … comes next?",
    loses=("batch",),
)
def where_the_limits_meet():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 162,
    }


@roofline_forecast.mistake(
    "`add_time`: seconds, you say. Microseconds were asked for.",
    loses=("add_time",),
)
def in_seconds():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 3e-4,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`half_gain`: that is what remains. By which factor did it *shrink*?",
    loses=("half_gain",),
)
def half_of_what_it_was():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 0.5,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`ridge`: so many operations fit in the time of one *number*. Bandwidth counts something "
    "smaller.",
    loses=("ridge",),
)
def in_numbers_not_bytes():
    return {
        "ridge": 300,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`ridge`: how many bytes, you say, for one operation. Which way round is operations per byte?",
    loses=("ridge",),
)
def upside_down():
    return {
        "ridge": 0.006666666666666667,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`ridge`: that looks at one of the two columns of the data sheet. Where do two limits meet?",
    loses=("ridge",),
)
def peak_alone():
    return {
        "ridge": 300000000000000.0,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`add`: one addition for each entry. How many bytes come and go for it?",
    loses=("add",),
)
def adding_is_arithmetic():
    return {
        "ridge": 150,
        "add": "compute",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`product`: large it is. But how often is each of its numbers used, once it has been fetched?",
    loses=("product",),
)
def large_so_slow_memory():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "memory",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`vector`: it is a matrix product, too. How often is each entry of the matrix used?",
    loses=("vector",),
)
def a_product_is_a_product():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "compute",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`add_time`: the sum has to go somewhere.",
    loses=("add_time",),
)
def read_but_not_written():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 200,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`add_time`: that is the time of one of the three vectors.",
    loses=("add_time",),
)
def only_written():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 100,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`add_time`: a number of 16 bits has how many bytes?",
    loses=("add_time",),
)
def four_bytes_each():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 600,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`add_time`: that is how long the arithmetic takes. Is it what this waits for?",
    loses=("add_time",),
)
def time_by_the_peak():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 0.3333333333333333,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`vector_gain`: the second chip calculates twice as fast. Was that what the first one "
    "waited for?",
    loses=("vector_gain",),
)
def twice_the_chip():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 2,
        "half_gain": 2,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`half_gain`: fewer bytes for as many numbers. What did it wait for?",
    loses=("half_gain",),
)
def halved_pays_nothing():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 1,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`half_gain`: half the bytes, half the time: a factor of what?",
    loses=("half_gain",),
)
def square_of_the_bytes():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 4,
        "batch": 256,
    }


@roofline_forecast.mistake(
    "`batch`: at this size the *matrix* would just do. The inputs have to be read, and the "
    "outputs written.",
    loses=("batch",),
)
def batch_is_the_ridge():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 128,
    }


@roofline_forecast.mistake(
    "`batch`: at this size its arithmetic intensity is about 1.",
    loses=("batch",),
)
def one_is_enough():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 1,
    }


@roofline_forecast.mistake(
    "`batch`: it is enough, but half of it is, too.",
    loses=("batch",),
)
def a_step_too_far():
    return {
        "ridge": 150,
        "add": "memory",
        "product": "compute",
        "vector": "memory",
        "add_time": 300,
        "vector_gain": 1,
        "half_gain": 2,
        "batch": 512,
    }


# model_flops ----------------------------------------------------------------------------

model_flops = Exercise(
    "model_flops",
    "How many operations is a step?",
    parts={"forward": 2, "training": 1},
    minutes=20,
    difficulty=3,
    outcomes=(LIMITS,),
    kind="derive",
    forbids=FORBIDS,
)


@model_flops.cases
def _(rng):
    yield Case((1, 2, 4, 1, 2, 1, 3), "the smallest one to count by hand")
    yield Case((1, 1, 8, 1, 1, 1, 5), "one token, one head")
    yield Case((3, 16, 12, 2, 3, 3, 50), "as many heads for keys and values as for queries")
    yield Case((2, 8, 16, 3, 8, 2, 11), "four heads share a key and a value")
    yield Case((2, 512, 8, 2, 4, 1, 7), "long sequences, short vectors")
    while True:
        kv, shared, size = (int(rng.integers(1, 5)) for _ in range(3))
        heads = kv * shared
        batch, tokens, layers, vocab = (int(k) for k in rng.integers(1, 60, size=4))
        yield batch, tokens, heads * size, layers, heads, kv, vocab


@model_flops.observe
def _(candidate, batch, tokens, hidden, layers, heads, kv_heads, vocab):
    out = candidate(batch, tokens, hidden, layers, heads, kv_heads, vocab)
    forward, training = out
    whole = {int, float}
    return {
        "forward": float(forward) if type(forward) in whole else forward,
        "training": float(training) if type(training) in whole else training,
    }


@model_flops.answer
def _(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.alternative
def product_by_product(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    def product(rows, inner, columns):
        return 2 * rows * inner * columns

    size, rows = hidden // heads, batch * tokens
    total = product(rows, hidden, vocab)
    for _ in range(layers):
        total += product(rows, hidden, heads * size)
        total += 2 * product(rows, hidden, kv_heads * size)
        total += batch * heads * product(tokens, size, tokens)
        total += batch * heads * product(tokens, tokens, size)
        total += product(rows, hidden, hidden)
        total += product(rows, hidden, 4 * hidden) + product(rows, 4 * hidden, hidden)
    return total, 3 * total


@model_flops.alternative
def a_token_at_a_time(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    layer = 20 * hidden**2 + 4 * hidden**2 * kv_heads / heads + 4 * tokens * hidden
    token = layers * layer + 2 * hidden * vocab
    return batch * tokens * token, batch * tokens * token * 3


@model_flops.mistake(
    "You count a multiplication and its addition as one, as data sheets of CPUs sometimes do. Here "
    "they are two."
)
def one_for_both(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    forward = products + layers * batch * 2 * tokens * tokens * hidden
    return forward, 3 * forward


@model_flops.mistake(
    "Backwards alone, each product is followed by two: one for the gradient of its input, and one "
    "for which? Then there is the forward pass.",
    loses=("training",),
)
def backward_as_dear_as_forward(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    forward = 2 * (products + layers * batch * 2 * tokens * tokens * hidden)
    return forward, 2 * forward


@model_flops.mistake(
    "Four times the forward pass is what a step costs that computes it a second time, to save "
    "memory. The model's own operations are those without repeating.",
    loses=("training",),
)
def recomputed(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    forward = 2 * (products + layers * batch * 2 * tokens * tokens * hidden)
    return forward, 4 * forward


@model_flops.mistake(
    "The last product is missing, the one that gives a logit for each entry of the vocabulary."
)
def without_the_head(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake(
    "The products of tokens with tokens have no weights, but they are products. (Six operations "
    "a weight and token is a rule that leaves them out.)"
)
def without_attention(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    forward = 2 * products
    return forward, 3 * forward


@model_flops.mistake(
    "Half of the attention: if it is the scores, what are they used for once they are a "
    "softmax? If it is the half that the mask hides: here all are counted, as they are "
    "computed."
)
def scores_alone(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake(
    "You count a product for the embedding. Nobody multiplies there: a row is looked up."
)
def embedding_multiplied(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + 2 * hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake(
    "You count as many heads for keys and values as for queries. How many are there?"
)
def keys_for_every_head(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake(
    "Fewer heads have keys of their own, but each *query* head still meets the keys of all tokens."
)
def scores_by_kv_heads(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * kv
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake("That is one sequence. How many are in the batch?")
def one_sequence(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = tokens * (layers * weights + hidden * vocab)
    attention = layers * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake(
    "Each head has vectors as long as hidden / heads. Together they are as long as hidden, not "
    "heads times that."
)
def every_head_whole(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden * heads
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake("After the heads are joined, one more product mixes them.")
def attention_output_forgotten(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + 8 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake("The perceptron in each layer goes to 4 times the size. And back?")
def one_layer_of_the_mlp(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 4 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


@model_flops.mistake("The hidden layer of the perceptron is 4 times as wide as the vectors.")
def mlp_without_widening(batch, tokens, hidden, layers, heads, kv_heads, vocab):
    kv = hidden * kv_heads // heads
    weights = hidden * (hidden + 2 * kv + hidden + 2 * hidden)
    products = batch * tokens * (layers * weights + hidden * vocab)
    attention = layers * batch * 2 * tokens * tokens * hidden
    forward = 2 * (products + attention)
    return forward, 3 * forward


# accumulate_gradients ---------------------------------------------------------------------

accumulate_gradients = Exercise(
    "accumulate_gradients",
    "The gradient of a batch that doesn't fit",
    parts={"loss": 1, "gradients": 3, "memory": 1, "untouched": 1},
    n=6,
    minutes=20,
    difficulty=2,
    outcomes=(NUMBERS,),
    forbids=FORBIDS,
)


@accumulate_gradients.cases
def _(rng):
    def made(*counts):
        """Micro-batches: for each the lengths of its sequences, padded to the longest."""
        micro_batches = []
        for lengths in counts:
            shape = len(lengths), max(1, *lengths)
            x, y = rng.normal(size=(*shape, 3)), rng.integers(0, 4, size=shape)
            y[np.arange(shape[1]) >= np.array(lengths)[:, None]] = -100
            micro_batches.append((torch.tensor(x), torch.tensor(y)))
        sizes = {"0.weight": (5, 3), "0.bias": (5,), "2.weight": (4, 5), "2.bias": (4,)}
        return {k: torch.tensor(rng.normal(size=s)) for k, s in sizes.items()}, micro_batches

    yield Case(made((3, 1), (2, 2), (4,)), "a smaller last micro-batch, and padding")
    yield Case(made((2, 5, 1)), "one micro-batch")
    yield Case(made((3, 2), (0, 0), (1,)), "a micro-batch of padding alone")
    yield Case(made((0,), (4, 1), (2, 2, 6)), "padding alone at the start")
    yield Case(made((1,), (1,), (7, 7, 7)), "targets are shared out unevenly")
    while True:
        sizes = rng.integers(1, 4, size=int(rng.integers(2, 5)))
        counts = [tuple(int(n) for n in rng.integers(0, 6, size=k)) for k in sizes]
        yield made((int(rng.integers(1, 6)),), *counts)


@accumulate_gradients.observe
def _(candidate, state, micro_batches):
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    net.load_state_dict(state)
    for p in net.parameters():
        p.grad = torch.full_like(p, 0.25)  # left by the step before
    largest = max(x.numel() for x, _ in micro_batches)
    padded = [x for x, y in micro_batches if not (y != -100).any()]
    passes: list[dict[str, int]] = []  # what each forward pass reads, and how much it keeps
    sizes, most = [0], [0]

    class Kept:
        """A tensor kept for the way back, until its graph is let go."""

        def __init__(self, tensor):
            self.tensor, self.of = tensor, passes[-1] if passes else {"kept": 0}
            self.of["kept"] += 1

        def __del__(self):
            self.of["kept"] -= 1

    def forward_begins(module, inputs):
        x = inputs[0]
        alone = any(torch.equal(x.flatten(), p.flatten()) for p in padded)
        passes.append({"size": 0 if alone else x.numel(), "kept": 0})

    def forward_done(module, inputs, logits):
        if logits.requires_grad:  # of padding alone nobody needs the way back
            sizes.append(passes[-1]["size"])
            most.append(sum(each["size"] for each in passes if each["kept"]))

    hooks = net.register_forward_pre_hook(forward_begins), net.register_forward_hook(forward_done)
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        loss = candidate(net, micro_batches)
    for hook in hooks:
        hook.remove()
    memory = "one micro-batch at a time" if max(most) else "nothing is kept"
    if max(sizes) > largest:
        memory = "more at once than the largest micro-batch"
    elif max(most) > largest:
        memory = "several wait for their backward pass"
    weights = {name: value.detach().clone() for name, value in net.named_parameters()}
    return {
        "loss": loss,
        "gradients": {name: p.grad for name, p in net.named_parameters()},
        "memory": memory,
        "untouched": [weights, [p.requires_grad for p in net.parameters()], net.training],
    }


@accumulate_gradients.answer
def _(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total += loss.item()
    return total / count


@accumulate_gradients.alternative
def means_weighted(net, micro_batches):
    counts = [(y >= 0).sum().item() for _, y in micro_batches]
    for p in net.parameters():
        p.grad = None
    whole = 0.0
    for (x, y), n in zip(micro_batches, counts, strict=True):
        if n == 0:
            continue
        logits = net(x)
        share = nn.functional.cross_entropy(logits.transpose(1, 2), y) * n / sum(counts)
        share.backward()
        whole += share.item()
    return whole


@accumulate_gradients.alternative
def divided_at_the_end(net, micro_batches):
    net.zero_grad(set_to_none=False)
    total, count = 0.0, 0
    for x, y in micro_batches:
        real = y != -100
        logs = nn.functional.log_softmax(net(x)[real], dim=-1)
        loss = -logs.gather(1, y[real][:, None]).sum()
        loss.backward()
        total, count = total + float(loss.detach()), count + int(real.sum())
    for p in net.parameters():
        p.grad /= count
    return total / count


@accumulate_gradients.alternative
def sequence_by_sequence(net, micro_batches):
    rows = [(x[i : i + 1], y[i : i + 1]) for x, y in micro_batches for i in range(len(x))]
    count = sum((y != -100).sum().item() for _, y in rows)
    net.zero_grad()
    total = 0.0
    for x, y in rows:
        loss = nn.functional.cross_entropy(net(x)[0], y[0], reduction="sum") / count
        loss.backward()
        total += loss.item()
    return total


@accumulate_gradients.mistake(
    "A micro-batch with few targets counts as much as one with many. (One with none makes NaN.)",
    loses=("loss", "gradients"),
)
def mean_of_means(net, micro_batches):
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten()) / len(micro_batches)
        loss.backward()
        total += loss.item()
    return total


@accumulate_gradients.mistake(
    "You leave out what is padding alone, and give all others the same weight. Do they hold "
    "equally many targets?",
    loses=("loss", "gradients"),
)
def mean_of_means_that_are(net, micro_batches):
    real = [(x, y) for x, y in micro_batches if (y != -100).any()]
    net.zero_grad()
    total = 0.0
    for x, y in real:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten()) / len(real)
        loss.backward()
        total += loss.item()
    return total


@accumulate_gradients.mistake(
    "The gradient is right. But where nothing counts, torch's mean is 0 / 0, and NaN times 0 stays "
    "NaN.",
    loses=("loss",),
)
def nan_times_nothing(net, micro_batches):
    count = sum((y != -100).sum().item() for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        share = (y != -100).sum().item() / count
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten()) * share
        loss.backward()
        total += loss.item()
    return total


@accumulate_gradients.mistake(
    "You weigh by sequences. The mean is over targets, and short sequences have fewer.",
    loses=("loss", "gradients"),
)
def weighed_by_sequences(net, micro_batches):
    count = sum(len(y) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(
            net(x).flatten(0, 1), y.flatten(), reduction="sum"
        ) / max(int((y != -100).sum()), 1)
        loss = loss * len(y) / count
        loss.backward()
        total += loss.item()
    return total


@accumulate_gradients.mistake(
    "You divide by all places, padding too. What isn't in the sum shouldn't be in the count.",
    loses=("loss", "gradients"),
)
def padding_counted(net, micro_batches):
    count = sum(y.numel() for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total += loss.item()
    return total / count


@accumulate_gradients.mistake(
    "You add the micro-batches' means up. With four times as many micro-batches the gradient would "
    "be about four times as long.",
    loses=("loss", "gradients"),
)
def means_added_up(net, micro_batches):
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        if (y != -100).any():
            loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
            loss.backward()
            total += loss.item()
    return total


@accumulate_gradients.mistake(
    "The loss is a mean; your gradient is that of the sum, so it grows with the batch.",
    loses=("gradients",),
)
def gradient_of_the_sum(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        loss.backward()
        total += loss.item()
    return total / count


@accumulate_gradients.mistake(
    "The gradients of the step before are still in there. Which of the additions here is wanted?",
    loses=("gradients",),
)
def old_gradients_left(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total += loss.item()
    return total / count


@accumulate_gradients.mistake(
    "You clear the gradients before every micro-batch. What is left of the earlier ones?",
    loses=("gradients",),
)
def cleared_every_time(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    total = 0.0
    for x, y in micro_batches:
        net.zero_grad()
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total += loss.item()
    return total / count


@accumulate_gradients.mistake(
    "The graph of each micro-batch is kept until the last of them has gone through. When could it "
    "go?",
    loses=("memory",),
)
def all_graphs_at_once(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        total = total + nn.functional.cross_entropy(
            net(x).flatten(0, 1), y.flatten(), reduction="sum"
        )
    (total / count).backward()
    return total.item() / count


@accumulate_gradients.mistake(
    "You hand back a tensor, and its graph with it. A number was asked for.", loses=("loss",)
)
def loss_as_a_tensor(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total = total + loss
    return total / count


@accumulate_gradients.mistake(
    "The gradient is right. The number that you return is a mean of means.", loses=("loss",)
)
def losses_averaged(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    means = []
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        if (y != -100).any():
            means.append(loss.item() / int((y != -100).sum()))
    return sum(means) / len(means)


@accumulate_gradients.mistake(
    "You put all of it together again, and it didn't fit. One micro-batch at a time.",
    loses=("memory",),
)
def put_together(net, micro_batches):
    pad, longest = nn.functional.pad, max(x.shape[1] for x, _ in micro_batches)
    x = torch.cat([pad(x, (0, 0, 0, longest - x.shape[1])) for x, _ in micro_batches])
    y = torch.cat([pad(y, (0, longest - y.shape[1]), value=-100) for _, y in micro_batches])
    net.zero_grad()
    loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
    loss.backward()
    return loss.item()


@accumulate_gradients.mistake(
    "The weights have moved. The step is somebody else's task, who may want to clip first.",
    loses=("untouched",),
)
def takes_a_step(net, micro_batches):
    count = sum(int((y != -100).sum()) for _, y in micro_batches)
    net.zero_grad()
    total = 0.0
    for x, y in micro_batches:
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss / count).backward()
        total += loss.item()
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    return total / count


# loss_scaling -----------------------------------------------------------------------------

loss_scaling = Exercise(
    "loss_scaling",
    "A scale for float16",
    parts={"weights": 3, "scales": 2, "stepped": 1},
    minutes=25,
    difficulty=3,
    outcomes=(NUMBERS,),
    of="class",
    forbids=FORBIDS,
)


@loss_scaling.cases
def _(rng):
    def made(powers, scale, growth_interval):
        """Gradients of few digits, times powers of 2: float16 rounds none, whatever the scale."""
        weights = [rng.normal(size=(3, 2)), rng.normal(size=4)]
        steps = [[rng.integers(-15, 16, w.shape) * 2.0**p for w in weights] for p in powers]
        for step, p in zip(steps, powers, strict=True):
            step[1][0], alone = 15 * 2.0**p, rng.integers(3)
            if p == LOUD and alone < 2:  # the overflow is in one array alone
                step[alone] *= 2.0 ** (USUAL - LOUD)
        lr = float(rng.uniform(0.1, 0.3))
        return weights, steps, float(scale), growth_interval, lr, 0.5

    LOUD, USUAL, SMALL = 40, -4, -7
    yield Case(made([USUAL] * 5, 8, 2), "grows after two clean steps")
    yield Case(made([USUAL, LOUD, *[USUAL] * 4], 32, 2), "an overflow between clean steps")
    yield Case(made([-2] * 4, 65536, 9), "overflows until the scale is small enough")
    yield Case(made([-28] * 3, 16384, 5), "gradients that are tiny without the scale")
    yield Case(made([-3, SMALL, -3, -9], 256, 9), "some longer than the limit, some shorter")
    weights, steps, *rest = made([USUAL] * 5, 64, 3)
    steps[1][1][2] = np.nan
    yield Case((weights, steps, *rest), "a NaN in one entry")
    weights, steps, *rest = made([SMALL] * 5, 64, 3)
    steps[1][1][0] = -1e9
    yield Case((weights, steps, *rest), "one entry overflows downwards")
    weights, steps, *rest = made([SMALL] * 4, 64, 3)
    steps[2][0][1, 1] = 1e9
    yield Case((weights, steps, *rest), "one entry of the first array overflows")
    weights, steps, *rest = made([9] * 3, 8, 9)
    steps[1][1][:] = 15 * 2.0**9
    yield Case((weights, steps, *rest), "entries that are finite, and their sum in float16 isn't")
    yield Case(made([LOUD, LOUD, SMALL, SMALL], 2, 3), "a scale that falls below 1")
    while True:
        powers = rng.choice([SMALL, USUAL, LOUD], size=7, p=[0.4, 0.4, 0.2]).tolist()
        scale = 2.0 ** int(rng.integers(3, 6))
        yield made([USUAL, LOUD, *powers], scale, int(rng.integers(1, 4)))


@loss_scaling.observe
def _(candidate, weights, steps, scale, growth_interval, lr, max_norm):
    scaler = candidate(scale, growth_interval)
    scales, stepped, trail = [scaler.scale], [], []
    for gradients in steps:
        with np.errstate(over="ignore", invalid="ignore"):
            half = [(g * scaler.scale).astype(np.float16) for g in gradients]
        before = [w.copy() for w in weights]
        given = [g.copy() for g in half]
        with np.errstate(all="ignore"):
            weights, done = scaler.step(weights, half, lr, max_norm)
        for was, now in zip(given, half, strict=True):
            if not np.array_equal(was, now, equal_nan=True):
                raise RuntimeError("step changed the gradients it was handed")
        for was, now in zip(before, weights, strict=True):
            if np.shape(was) != np.shape(now):
                raise RuntimeError(f"a weight of shape {was.shape} came back as {np.shape(now)}")
        trail.append(np.concatenate([np.ravel(w) for w in weights]))
        scales.append(scaler.scale)
        stepped.append(done)
        weights = [np.array(w, dtype=float) for w in weights]
    return {"weights": np.array(trail), "scales": [float(s) for s in scales], "stepped": stepped}


@loss_scaling.answer
class Scaler:
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
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.alternative
class NormTellsOverflow:
    def __init__(self, scale, growth_interval):
        self.scale, self.interval, self.steps = float(scale), growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        flat = np.concatenate([np.asarray(g, dtype=float).ravel() for g in gradients]) / self.scale
        norm = np.linalg.norm(flat)
        if not np.isfinite(norm):
            self.scale *= 0.5
            self.steps = 0
            return [w.copy() for w in weights], False
        if norm + 1e-6 > max_norm:
            flat = flat * (max_norm / (norm + 1e-6))
        moved, start = [], 0
        for w in weights:
            moved.append(w - lr * flat[start : start + w.size].reshape(w.shape))
            start += w.size
        self.steps += 1
        if self.steps % self.interval == 0:
            self.scale *= 2.0
        return moved, True


@loss_scaling.alternative
class CountsDown:
    def __init__(self, scale, growth_interval):
        self.exponent, self.interval = np.log2(scale), growth_interval
        self.left = growth_interval

    @property
    def scale(self):
        return float(2.0**self.exponent)

    def step(self, weights, gradients, lr, max_norm):
        for g in gradients:
            if np.isnan(g).any() or np.isinf(g).any():
                self.exponent -= 1
                self.left = self.interval
                return weights, False
        squares, moved = 0.0, []
        for g in gradients:
            squares += np.sum((g.astype(float) / self.scale) ** 2)
        factor = lr * min(max_norm / (squares**0.5 + 1e-6), 1) / self.scale
        for w, g in zip(weights, gradients, strict=True):
            moved.append(w - factor * g.astype(float))
        self.left -= 1
        if self.left == 0:
            self.exponent, self.left = self.exponent + 1, self.interval
        return moved, True


@loss_scaling.mistake(
    "A limit is for the gradient, and what you measure is the gradient times the scale. Which "
    "comes first?",
    loses=("weights",),
)
class ClipsFirst:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g.astype(float) ** 2).sum() for g in gradients))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You leave out a step whose gradients are all finite. In which type do you add them up, and "
    "how large may the sum be there?",
    loses=("weights", "scales", "stepped"),
)
class FiniteSumInFloat16:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g.sum()) for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "Your steps grow with the scale. What was multiplied has to be divided again.",
    loses=("weights",),
)
class NeverUnscaled:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "Divided in float16, a small gradient is lost again, and no later conversion brings it "
    "back. Which type is wide enough?",
    loses=("weights",),
)
class UnscaledInHalf:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g / np.float16(self.scale) for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "Some of the gradients are longer than `max_norm`.",
    loses=("weights",),
)
class NotClipped:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        share = 1.0
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You shorten each array by itself, so they change their proportions. There is one norm "
    "over all of them.",
    loses=("weights",),
)
class ClipsEachArray:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        true = [g * min(1.0, max_norm / (np.sqrt((g**2).sum()) + 1e-6)) for g in true]
        share = 1.0
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You limit each entry, so the gradient turns. Clipping by norm keeps its direction.",
    loses=("weights",),
)
class ClipsEntries:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        true = [np.clip(g, -max_norm, max_norm) for g in true]
        share = 1.0
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You also stretch short gradients to `max_norm`. Clipping shortens.",
    loses=("weights",),
)
class LengthensToo:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = max_norm / (norm + 1e-6)
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "These gradients were made with the scale of before. By which one do you divide?",
    loses=("weights",),
)
class DividesByTheNextScale:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "After an overflow there is no gradient to follow: infinity and NaN go into the weights "
    "and stay there.",
    loses=(
        "weights",
        "stepped",
    ),
)
class StepsOnOverflow:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            true = [g.astype(np.float64) / (2 * self.scale) for g in gradients]
            return [w - lr * g for w, g in zip(weights, true, strict=True)], True
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You step with what didn't overflow and 0 for the rest: a direction that isn't the "
    "gradient's. Such a step is left out.",
    loses=(
        "weights",
        "stepped",
    ),
)
class ZeroesWhatOverflowed:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            scale, self.scale, self.clean = self.scale, self.scale / 2, 0
            true = [np.where(np.isfinite(g), g.astype(float), 0) / scale for g in gradients]
            norm = np.sqrt(sum((g**2).sum() for g in true))
            share = min(1.0, max_norm / (norm + 1e-6))
            return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "After an overflow you skip, and try the same scale again.",
)
class NeverLowered:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.clean = 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "The steps before an overflow still count for you. The statement says: in a row.",
    loses=("scales",),
)
class CountsAcross:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale = self.scale / 2
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "A skipped step counts for you like a clean one.",
    loses=("scales",),
)
class CountsSkipped:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, self.clean + 1
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "Your scale stops at 1. It may be smaller: then it protects from overflow alone.",
    loses=("scales",),
)
class NeverBelowOne:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = max(self.scale / 2, 1.0), 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "The scale only goes down. After one unlucky batch it would be small for the rest of the run.",
    loses=("scales",),
)
class NeverGrows:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "Your scale grows one step later than the statement says.",
    loses=("scales",),
)
class OneStepLate:
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
        if self.clean == self.growth_interval + 1:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "From then on your scale doubles at every clean step. What becomes of the count?",
    loses=("scales",),
)
class GrowsAndGrows:
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
        if self.clean >= self.growth_interval:
            self.scale = self.scale * 2
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You look for NaN. What does float16 make of a number beyond its range?",
)
class NanAlone:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(~np.isnan(g).any() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You look for infinity. NaN isn't one, and goes into the weights just as well.",
)
class InfinityAlone:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(~np.isinf(g).any() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "There are two infinities.",
)
class UpwardsAlone:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all((~np.isnan(g) & (g < np.inf)).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "One array can overflow and another not. You look at one of them.",
)
class FirstArrayAlone:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not np.isfinite(gradients[0]).all():
            self.scale, self.clean = self.scale / 2, 0
            return weights, False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "You leave out the array that overflowed and move the others. The whole step is to be "
    "left out.",
    loses=("weights",),
)
class LeavesOutTheArray:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            scale, self.scale, self.clean = self.scale, self.scale / 2, 0
            good = [np.isfinite(g).all() for g in gradients]
            true = [
                g.astype(float) / scale if ok else 0.0
                for g, ok in zip(gradients, good, strict=True)
            ]
            norm = np.sqrt(sum(np.sum(g**2) for g in true))
            share = min(1.0, max_norm / (norm + 1e-6))
            return [w - lr * share * g for w, g in zip(weights, true, strict=True)], False
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], True


@loss_scaling.mistake(
    "True for a step, False for one that was left out: yours says the opposite.",
    loses=("stepped",),
)
class SaysSkipped:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, True
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], False


@loss_scaling.mistake(
    "The second value says whether there was a step.",
    loses=("stepped",),
)
class SaysNothing:
    def __init__(self, scale, growth_interval):
        self.scale, self.growth_interval, self.clean = scale, growth_interval, 0

    def step(self, weights, gradients, lr, max_norm):
        if not all(np.isfinite(g).all() for g in gradients):
            self.scale, self.clean = self.scale / 2, 0
            return weights, None
        true = [g.astype(np.float64) / self.scale for g in gradients]
        norm = np.sqrt(sum((g**2).sum() for g in true))
        share = min(1.0, max_norm / (norm + 1e-6))
        self.clean += 1
        if self.clean == self.growth_interval:
            self.scale, self.clean = self.scale * 2, 0
        return [w - lr * share * g for w, g in zip(weights, true, strict=True)], None


# save_and_resume ----------------------------------------------------------------------------

save_and_resume = Exercise(
    "save_and_resume",
    "Save and resume",
    parts={
        "model": 1,
        "optimizer": 1,
        "scheduler": 1,
        "random": 1,
        "place": 1,
        "continues": 2,
        "file": 1,
    },
    minutes=20,
    difficulty=2,
    outcomes=(RUNS,),
    of="class",
    n=5,
    forbids=FORBIDS,
)


@save_and_resume.cases
def _(rng):
    def made(optimizer, steps):
        x, y = torch.tensor(rng.normal(size=(10, 3))), torch.tensor(rng.integers(0, 2, size=10))
        first, second = (int(seed) for seed in rng.integers(1, 2**31, size=2))
        return x, y, optimizer, steps, first, second

    yield Case(made("momentum", 6), "in the middle of the second epoch")
    yield Case(made("adam", 3), "in the middle of the first epoch")
    yield Case(made("momentum", 4), "at the end of an epoch")
    yield Case(made("adam", 5), "after the first batch of an epoch")
    while True:
        yield made(["momentum", "adam"][int(rng.integers(2))], int(rng.integers(2, 8)))


@save_and_resume.observe
def _(candidate, x, y, optimizer, steps, first, second):
    import os
    import tempfile
    import types

    import torch
    from torch import nn

    def started(seed):
        torch.manual_seed(seed)
        run = types.SimpleNamespace(epoch=0, place=0, order=None)
        run.net = nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.3), nn.Linear(4, 2)
        ).double()
        kind = {"momentum": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
        more = {"momentum": {"momentum": 0.9}, "adam": {}}[optimizer]
        run.optimizer = kind(run.net.parameters(), lr=0.05, **more)
        run.scheduler = torch.optim.lr_scheduler.LambdaLR(
            run.optimizer, lambda step: 1 / (1 + 0.2 * step)
        )
        run.generator = torch.Generator().manual_seed(seed)
        run.order = torch.randperm(len(x), generator=run.generator)
        return run

    def go_on(run, steps):
        for _ in range(steps):
            rows = run.order[3 * run.place : 3 * run.place + 3]  # 3, 3, 3, and a last one
            if len(rows) == 1:
                rows = torch.cat([rows, rows])  # batch norm needs two
            loss = nn.functional.cross_entropy(run.net(x[rows]), y[rows])
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            run.scheduler.step()
            run.place += 1
            if run.place == 4:
                run.epoch, run.place = run.epoch + 1, 0
                run.order = torch.randperm(len(x), generator=run.generator)

    def weights(run):
        return {name: value.clone() for name, value in run.net.state_dict().items()}

    def drawn(run):
        copy = torch.Generator()
        copy.set_state(run.generator.get_state())
        with torch.random.fork_rng(devices=[]):
            return [torch.rand(3), torch.randperm(9, generator=copy)]

    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        run = started(first)
        go_on(run, steps)
        there, elsewhere = os.path.join(folder, "run.pt"), os.path.join(folder, "moved.pt")
        before = weights(run), drawn(run)
        candidate.save(run, there)
        if not all(
            torch.equal(a, b)
            for a, b in zip(
                [*before[0].values(), *before[1]],
                [*weights(run).values(), *drawn(run)],
                strict=True,
            )
        ):
            raise RuntimeError("save changed the run that it saves: its weights, or what it draws")
        if not run.net.training:
            raise RuntimeError("save left the network in evaluation mode, and the run goes on")
        go_on(run, 5)  # the run doesn't stop for a checkpoint
        candidate.save(run, os.path.join(folder, "later.pt"))  # nor is it the last one
        os.rename(there, elsewhere)
        try:
            held = torch.load(elsewhere, weights_only=True)
            plain = isinstance(held, dict | list | tuple)
        except Exception:
            plain = False
        new = started(second)
        parts_of = new.net, new.optimizer, new.scheduler, new.generator
        candidate.resume(new, elsewhere)
        if parts_of != (new.net, new.optimizer, new.scheduler, new.generator):
            raise RuntimeError("resume put other objects into the run; the program holds the old")
        state = new.optimizer.state_dict()
        moments = [
            torch.as_tensor(each[name]).double().clone()
            for _, each in sorted(state["state"].items())
            for name in sorted(each)
        ]
        parts = {
            "model": weights(new),
            "optimizer": [*moments, float(state["param_groups"][0]["lr"])],
            "scheduler": new.scheduler.last_epoch,
            "random": drawn(new),
            "place": [new.epoch, new.place, new.order.clone()],
            "file": plain,
        }
        go_on(new, 5)
        theirs, ours = weights(run), weights(new)
        same = all(torch.equal(theirs[name], ours[name]) for name in theirs)
        return {**parts, "continues": "bit for bit" if same else "as another run"}


@save_and_resume.answer
class SaveAndResume:
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


@save_and_resume.alternative
class PartByPart:
    def save(run, path):
        parts = {
            name: getattr(run, name).state_dict() for name in ("net", "optimizer", "scheduler")
        }
        plain = {name: getattr(run, name) for name in ("epoch", "place", "order")}
        generators = [torch.random.get_rng_state(), run.generator.get_state()]
        torch.save({**plain, "generators": generators, "parts": parts}, str(path))

    def resume(run, path):
        state = torch.load(path)
        torch.random.set_rng_state(state["generators"][0])
        run.generator.set_state(state["generators"][1])
        for name in ("epoch", "place", "order"):
            setattr(run, name, state[name])
        for name, part in state["parts"].items():
            getattr(run, name).load_state_dict(part)


@save_and_resume.alternative
class BesideThenRenamed:
    @classmethod
    def save(cls, run, path):
        import os

        state = {"numbers": (run.epoch, run.place), "order": run.order.clone()}
        state["random"] = {"torch": torch.get_rng_state(), "own": run.generator.get_state()}
        with open(f"{path}.partial", "wb") as file:
            torch.save(state | {"learnt": cls.learnt(run)}, file)
        os.replace(f"{path}.partial", path)

    @staticmethod
    def learnt(run):
        return [part.state_dict() for part in (run.net, run.optimizer, run.scheduler)]

    @classmethod
    def resume(cls, run, path):
        with open(path, "rb") as file:
            state = torch.load(file, weights_only=True)
        for part, learnt in zip(
            (run.net, run.optimizer, run.scheduler), state["learnt"], strict=True
        ):
            part.load_state_dict(learnt)
        run.order, (run.epoch, run.place) = state["order"], state["numbers"]
        run.generator.set_state(state["random"]["own"])
        torch.set_rng_state(state["random"]["torch"])


@save_and_resume.mistake(
    "A network is more than its weights while it trains. After a resume, what do momentum, "
    "rate, order and dropout start from?",
    loses=(
        "optimizer",
        "scheduler",
        "random",
        "place",
        "continues",
    ),
)
class WeightsAlone:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
        }
        torch.save(state, path)

    @staticmethod
    def resume(run, path):
        state = torch.load(path, weights_only=True)
        run.net.load_state_dict(state["net"])


@save_and_resume.mistake(
    "The optimizer remembers gradients of earlier steps, and its rate. After your resume it "
    "has forgotten both.",
    loses=(
        "optimizer",
        "continues",
    ),
)
class WithoutTheOptimizer:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
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
        run.scheduler.load_state_dict(state["scheduler"])
        run.generator.set_state(state["generator"])
        torch.set_rng_state(state["global"])
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "The rate is right at first, since the optimizer keeps it. But who knows how many steps "
    "the schedule has behind it?",
    loses=(
        "scheduler",
        "continues",
    ),
)
class WithoutTheScheduler:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
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
        run.generator.set_state(state["generator"])
        torch.set_rng_state(state["global"])
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "This epoch goes on rightly. The next one draws its order from a generator that starts "
    "elsewhere.",
    loses=(
        "random",
        "continues",
    ),
)
class WithoutTheOrdersGenerator:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
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
        torch.set_rng_state(state["global"])
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "Dropout draws from torch's own generator, which stands elsewhere after your resume.",
    loses=(
        "random",
        "continues",
    ),
)
class WithoutTheGlobalGenerator:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
            "generator": run.generator.get_state(),
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
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "Order and dropout are drawn anew after your resume. From which states?",
    loses=(
        "random",
        "continues",
    ),
)
class WithoutGenerators:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
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
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "A seed takes both generators to their beginning. Where were they when the run was cut off?",
    loses=(
        "random",
        "continues",
    ),
)
class SeedsAgain:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
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
        torch.manual_seed(0)
        run.generator.manual_seed(0)
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "Not all that a module needs is learnt. What does batch norm collect?",
    loses=(
        "model",
        "continues",
    ),
)
class ParametersAlone:
    @staticmethod
    def save(run, path):
        state = {
            "net": dict(run.net.named_parameters()),
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
        run.net.load_state_dict(state["net"], strict=False)
        run.optimizer.load_state_dict(state["optimizer"])
        run.scheduler.load_state_dict(state["scheduler"])
        run.generator.set_state(state["generator"])
        torch.set_rng_state(state["global"])
        run.epoch, run.place = state["place"]
        run.order = state["order"]


@save_and_resume.mistake(
    "After your resume the run takes the batches of this epoch again that it had already taken.",
    loses=(
        "place",
        "continues",
    ),
)
class EpochFromItsStart:
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
        run.epoch, run.place = state["place"][0], 0
        run.order = state["order"]


@save_and_resume.mistake(
    "In which epoch, and after how many batches of it, does the new run think that it is?",
    loses=(
        "place",
        "continues",
    ),
)
class WithoutThePlace:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
            "generator": run.generator.get_state(),
            "global": torch.get_rng_state(),
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
        run.order = state["order"]


@save_and_resume.mistake(
    "The place is right, but in another order. Which samples did this epoch have already?",
    loses=(
        "place",
        "continues",
    ),
)
class WithoutTheOrder:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
            "generator": run.generator.get_state(),
            "global": torch.get_rng_state(),
            "place": [run.epoch, run.place],
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


@save_and_resume.mistake(
    "You draw a new order where the old one wasn't used up, and the generator moves on.",
    loses=(
        "random",
        "place",
        "continues",
    ),
)
class OrderDrawnAgain:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
            "generator": run.generator.get_state(),
            "global": torch.get_rng_state(),
            "place": [run.epoch, run.place],
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
        run.order = torch.randperm(len(run.order), generator=run.generator)
        run.epoch, run.place = state["place"]


@save_and_resume.mistake(
    "It resumes rightly, and yet whoever reads your file has to allow it to run code. Which "
    "of the things in it is neither tensor nor number, string, list or dict?",
    loses=("file",),
)
class OrderAsAnArray:
    @staticmethod
    def save(run, path):
        state = {
            "net": run.net.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "scheduler": run.scheduler.state_dict(),
            "generator": run.generator.get_state(),
            "global": torch.get_rng_state(),
            "place": [run.epoch, run.place],
            "order": run.order.numpy(),
        }
        torch.save(state, path)

    @staticmethod
    def resume(run, path):
        state = torch.load(path, weights_only=False)
        run.net.load_state_dict(state["net"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.scheduler.load_state_dict(state["scheduler"])
        run.generator.set_state(state["generator"])
        torch.set_rng_state(state["global"])
        run.epoch, run.place = state["place"]
        run.order = torch.from_numpy(state["order"])


# all_reduce_mean ----------------------------------------------------------------------------

all_reduce_mean = Exercise(
    "all_reduce_mean",
    "A mean around a ring",
    parts={"means": 2, "total": 2, "busiest": 1, "neighbours": 1},
    minutes=25,
    difficulty=3,
    outcomes=(RUNS,),
    forbids=FORBIDS,
)


@all_reduce_mean.cases
def _(rng):
    def made(ranks, size):
        return ([rng.normal(size=size) for _ in range(ranks)],)

    yield Case(made(2, 4), "two ranks")
    yield Case(made(3, 6), "three ranks, chunks of two")
    yield Case(made(1, 5), "one rank: nothing to send")
    yield Case(made(4, 6), "chunks of different lengths")
    yield Case(made(5, 3), "fewer numbers than ranks")
    yield Case(made(4, 12), "four ranks, chunks of three")
    while True:
        yield made(int(rng.integers(2, 8)), int(rng.integers(1, 40)))


@all_reduce_mean.observe
def _(candidate, gradients):
    ranks, size = len(gradients), len(gradients[0])
    sent, pairs = [0] * ranks, set()
    arrivals, spoilt = [0] * ranks, [None, 0]  # spoilt: a rank, and which of its messages

    def send(source, target, values):
        if not (0 <= source < ranks and 0 <= target < ranks):
            raise ValueError(f"there is no way from rank {source} to rank {target}")
        arrived = np.array(values, dtype=float)
        if arrived.ndim != 1:
            raise ValueError(f"a message is one-dimensional, not of shape {arrived.shape}")
        sent[source] += arrived.size
        if ranks > 1:
            pairs.add((int(source), int(target)))
        arrivals[target] += arrived.size > 0
        if [target, arrivals[target]] == spoilt and arrived.size:
            arrived = arrived + 1
        return arrived

    means = [np.array(mean) for mean in candidate(gradients, send)]
    total, last = list(sent), list(arrivals)
    for rank in range(ranks):  # each mean has to come out of what has arrived there
        arrivals[:], spoilt[:] = [0] * ranks, [rank, last[rank]]
        if last[rank] and np.array_equal(candidate(gradients, send)[rank], means[rank]):
            raise RuntimeError(
                f"the mean of rank {rank} stays the same when a message to it arrives changed: it "
                "isn't computed from what `send` returns there"
            )
    sent[:] = total
    return {
        "means": means,
        "total": sum(sent),
        "busiest": max(sent) <= 2 * (ranks - 1) * -(-size // ranks),
        "neighbours": sorted({(target - source) % ranks for source, target in pairs}),
    }


@all_reduce_mean.answer
def _(gradients, send):
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


@all_reduce_mean.alternative
def chunk_by_chunk(gradients, send):
    ranks, size = len(gradients), len(gradients[0])
    means = [g.copy() for g in gradients]
    edges = [size * k // ranks for k in range(ranks + 1)]
    for k in range(ranks):
        part = slice(edges[k], edges[k + 1])
        running = gradients[k][part] / ranks
        for hop in range(1, ranks):
            source, target = (k + hop - 1) % ranks, (k + hop) % ranks
            running = send(source, target, running) + gradients[target][part] / ranks
        owner = (k + ranks - 1) % ranks
        means[owner][part] = running
        for hop in range(ranks - 1):
            source, target = (owner + hop) % ranks, (owner + hop + 1) % ranks
            running = send(source, target, running)
            means[target][part] = running
    return means


@all_reduce_mean.alternative
def all_messages_of_a_step_at_once(gradients, send):
    ranks, size = len(gradients), len(gradients[0])
    per = -(-size // ranks)
    width = [slice(min(k * per, size), min((k + 1) * per, size)) for k in range(ranks)]
    held = np.stack(gradients)
    for step in range(2 * (ranks - 1)):
        gathering = step >= ranks - 1
        messages = []
        for rank in range(ranks):
            part = width[(rank - step) % ranks]
            messages.append((part, send(rank, (rank + 1) % ranks, held[rank, part])))
        for rank, (part, values) in enumerate(messages):
            target = (rank + 1) % ranks
            held[target, part] = values if gathering else held[target, part] + values
    return list(held / ranks)


@all_reduce_mean.alternative
def the_rest_to_the_last(gradients, send):
    ranks, size = len(gradients), len(gradients[0])
    per = size // ranks
    edges = [per * k for k in range(ranks)] + [size]
    held = [g.copy() for g in gradients]
    for step in range(2 * (ranks - 1)):
        messages = []
        for rank in range(ranks):
            k = (rank - step) % ranks
            part = slice(edges[k], edges[k + 1])
            messages.append((part, send(rank, (rank + 1) % ranks, held[rank][part])))
        for rank, (part, values) in enumerate(messages):
            mine = held[(rank + 1) % ranks]
            mine[part] = values if step >= ranks - 1 else mine[part] + values
    return [mine / ranks for mine in held]


@all_reduce_mean.mistake(
    "Every rank has the sum. By what is it divided?",
    loses=("means",),
)
def a_sum(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) for mine in chunks]


@all_reduce_mean.mistake(
    "You divide again at every hop, so the first ranks count for less.",
    loses=("means",),
)
def divided_at_every_hop(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = (chunks[target][k] + send(rank, target, chunks[rank][k])) / 2
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) for mine in chunks]


@all_reduce_mean.mistake(
    "On the second round what arrives is finished. You add it to what is there.",
    loses=("means",),
)
def added_while_gathering(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


@all_reduce_mean.mistake(
    "After one round each chunk is finished on one rank. How do the others get it?",
    loses=(
        "means",
        "total",
    ),
)
def no_second_round(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


@all_reduce_mean.mistake(
    "On the second round each rank begins with a chunk that isn't finished. Which one has it "
    "seen the sum of all ranks in?",
    loses=("means",),
)
def starts_with_a_wrong_chunk(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


@all_reduce_mean.mistake(
    "A chunk has to reach all ranks but the one that it starts from. How many hops is that?",
    loses=(
        "means",
        "total",
        "busiest",
    ),
)
def one_step_too_many(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


@all_reduce_mean.mistake(
    "Some chunks arrive with one rank missing.",
    loses=(
        "means",
        "total",
    ),
)
def one_step_too_few(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 2):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


@all_reduce_mean.mistake(
    "Your ring turns the other way: a rank sends to the next one, the last to the first.",
    loses=("neighbours",),
)
def the_other_way_round(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g.copy(), ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + step) % ranks, (rank - 1) % ranks
            chunks[target][k] = chunks[target][k] + send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - 1 + step) % ranks, (rank - 1) % ranks
            chunks[target][k] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


@all_reduce_mean.mistake(
    "Each rank sends all it has to all others, so with twice the ranks each sends about twice "
    "as much. What if nobody ever sends more than a chunk at a time?",
    loses=(
        "total",
        "busiest",
        "neighbours",
    ),
)
def everybody_to_everybody(gradients, send):
    ranks = len(gradients)
    totals = [g.copy() for g in gradients]
    for source in range(ranks):
        for target in range(ranks):
            if source != target:
                totals[target] = totals[target] + send(source, target, gradients[source])
    return [total / ranks for total in totals]


@all_reduce_mean.mistake(
    "Rank 0 gathers and hands out. All in all no more is sent, but all that is handed out "
    "comes from one rank.",
    loses=(
        "busiest",
        "neighbours",
    ),
)
def through_rank_0(gradients, send):
    ranks = len(gradients)
    total = gradients[0].copy()
    for rank in range(1, ranks):
        total = total + send(rank, 0, gradients[rank])
    mean = total / ranks
    return [mean] + [send(0, rank, mean) for rank in range(1, ranks)]


@all_reduce_mean.mistake(
    "Whole arrays go round, so each rank sends all its numbers ranks - 1 times. What if the "
    "array is cut, and all ranks work on different pieces?",
    loses=(
        "total",
        "busiest",
    ),
)
def whole_arrays_around_the_ring(gradients, send):
    ranks = len(gradients)
    totals, passing = [g.copy() for g in gradients], [g.copy() for g in gradients]
    for _ in range(ranks - 1):
        passing = [send(r - 1 if r else ranks - 1, r, passing[r - 1]) for r in range(ranks)]
        totals = [t + p for t, p in zip(totals, passing, strict=True)]
    return [t / ranks for t in totals]


@all_reduce_mean.mistake(
    "You cut chunks of equal lengths, and what is left over at the end is never sent.",
    loses=(
        "means",
        "total",
    ),
)
def the_rest_left_out(gradients, send):
    ranks = len(gradients)
    per = len(gradients[0]) // ranks
    held = [g.copy() for g in gradients]
    for step in range(2 * (ranks - 1)):
        messages = []
        for rank in range(ranks):
            k = (rank - step) % ranks
            part = slice(k * per, (k + 1) * per)
            messages.append((part, send(rank, (rank + 1) % ranks, held[rank][part])))
        for rank, (part, values) in enumerate(messages):
            mine = held[(rank + 1) % ranks]
            mine[part] = values if step >= ranks - 1 else mine[part] + values
    return [mine / ranks for mine in held]


@all_reduce_mean.mistake(
    "Nothing has been sent. In a real run the ranks are machines; the array of another one is "
    "only to be had by `send`.",
    loses=(
        "total",
        "neighbours",
    ),
)
def nothing_sent(gradients, send):
    mean = np.mean(gradients, axis=0)
    return [mean.copy() for _ in gradients]


@all_reduce_mean.mistake(
    "You write into the arrays that you were handed. A rank's own gradient should stay as it is.",
    loses=(
        "means",
        "total",
        "busiest",
        "neighbours",
    ),
)
def on_its_own_arrays(gradients, send):
    ranks = len(gradients)
    chunks = [np.array_split(g, ranks) for g in gradients]
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank - step) % ranks, (rank + 1) % ranks
            chunks[target][k] += send(rank, target, chunks[rank][k])
    for step in range(ranks - 1):
        for rank in range(ranks):
            k, target = (rank + 1 - step) % ranks, (rank + 1) % ranks
            chunks[target][k][:] = send(rank, target, chunks[rank][k])
    return [np.concatenate(mine) / ranks for mine in chunks]


out_of_memory = Question(
    "out_of_memory",
    "Out of memory",
    points=4,
    minutes=12,
    outcomes=(LIMITS, NUMBERS),
    rubric="""\
- 1 point: counts what doesn't depend on the batch: weights, gradients and Adam's two moments, 16
  bytes a parameter in float32, here 8 GB of the 16 GB.
- 1 point: what is left is for activations, which grow with the batch (and with length and depth):
  so the batch that fits is about limited by them, not by the weights.
- 1 point: two or more measures that leave the gradient as it is, each with its price, such as
  smaller micro-batches with accumulation (same step, more of them, same time or a little more),
  activation checkpointing (about a forward pass more), sharding over GPUs (traffic).
- 1 point: names what does change the run: lower precision for activations, a smaller batch without
  accumulation (noise; another learning rate), a smaller model, or says that "half of everything"
  isn't what mixed precision does (weights and moments stay in float32).
- No point for "buy a larger GPU" or "empty the cache" without a count.""",
    exemplars={
        "full": """\
Weights, gradients and Adam's two moments take 4 numbers of 4 bytes for each parameter: 0.5 billion
times 16 bytes is 8 GB, whatever the batch. The other 8 GB are for activations, and these grow with
the batch. So I'd halve the micro-batch until it fits and accumulate over more of them, each
weighed by its targets: the gradient is that of 64 sequences as before, at about the same time. If
not even one sequence fits, activation checkpointing recomputes instead of keeping, for about one
more forward pass. bfloat16 halves most activations but not the 8 GB, because weights and moments
stay in float32, and it changes rounding. Simply training with a batch of 16 would fit, too, but
that's another run, with noisier gradients and a rate that has to be chosen again.""",
        "partial": """\
The batch is too large for the memory. I'd use gradient accumulation with a micro-batch of 16 and
4 steps, which gives the same gradient, and mixed precision, which halves the memory.""",
        "typical": """\
The model has 2 GB of weights and the GPU has 16 GB, so it should fit. There must be a memory leak;
I would call empty_cache after every step or use a bigger GPU.""",
    },
)
