"""The exercises of ``losses``: four losses that stay right at any size, and their gradients.

Conventions: losses are means, in nats; logits come in rows, ``(samples, classes)``; class labels
are integers from 0; a gradient is that of the mean, and points uphill.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

CHOOSE, GRADIENT, STABLE = "losses-choose", "losses-gradient", "losses-stable"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# log_softmax --------------------------------------------------------------------

log_softmax = Exercise(
    "log_softmax",
    "Softmax, and its logarithm",
    parts={"ordinary": 1, "large": 2},
    minutes=10,
    difficulty=1,
    outcomes=(STABLE,),
    forbids=FORBIDS,
)


@log_softmax.cases
def _(rng):
    ordinary, large = ("ordinary",), ("large",)
    yield Case((np.array([[0.0, 5.0, -5.0], [1.0, 1.0, 1.0]]),), "", ordinary)
    yield Case((np.array([[1000.0, 0.0]]),), "a logit of 1000", large)
    yield Case((np.array([[0.0, -800.0], [3.0, 2.0]]),), "a probability of e^-800", large)
    rows = np.array([[-1000.0, -999.0, -1001.0], [1000.0, 999.0, 0.0]])
    yield Case((rows,), "rows of very different size", large)
    single = np.array([[1000.0, 0.0], [0.0, 200.0]], dtype=np.float32)
    yield Case((single,), "float32", large)
    yield Case((rng.normal(size=(3, 3)),), "as many samples as classes", ordinary)
    yield Case((rng.normal(size=(3, 1)),), "one class", ordinary)
    while True:
        n, k = rng.integers(2, 7, size=2)
        yield Case((rng.normal(scale=2, size=(n, k)),), "", ordinary)
        yield Case((rng.normal(scale=2000, size=(n, k)),), "large logits", large)


@log_softmax.observe
def _(candidate, logits):
    found = candidate(logits)
    return {"ordinary": found, "large": found}


@log_softmax.answer
def _(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.alternative
def by_logaddexp(logits):
    return logits - np.logaddexp.reduce(logits, axis=1)[:, None]


@log_softmax.alternative
def row_after_row(logits):
    out = np.empty_like(logits)
    for n, row in enumerate(logits):
        top = max(row)
        total = sum(np.exp(z - top) for z in row)
        for k, z in enumerate(row):
            out[n, k] = z - top - np.log(total)
    return out


@log_softmax.alternative
def differences_of_all_pairs(logits):
    with np.errstate(over="ignore"):  # a sum that overflows loses to the row's largest logit
        gaps = logits[:, None, :] - logits[:, :, None]  # (N, K, K): z_j - z_k
    top = gaps.max(axis=2)
    return -(top + np.log(np.exp(gaps - top[:, :, None]).sum(axis=2)))


@log_softmax.mistake(
    "Try a logit of 1000. What is the largest number whose exponential fits into a float?",
    loses=("large",),
)
def naive(logits):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        return np.log(e / e.sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "The logarithm came apart into a difference, which is half of the way. But the exponential of "
    "1000 still stands in your sum: what may you subtract from a row without changing its softmax?",
    loses=("large",),
)
def sum_not_shifted(logits):
    with np.errstate(all="ignore"):
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "Nothing overflows any more. But a probability of e^-800 rounds to 0, and then its logarithm "
    "is lost. Can you write log p without ever forming p?",
    loses=("large",),
)
def logarithm_of_a_stable_softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        return np.log(e / e.sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "You subtract one number from all rows. Which row does it suit, and what becomes of a row "
    "whose logits all lie 1000 below it?",
    loses=("large",),
)
def largest_of_all_rows(logits):
    shifted = logits - logits.max()
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "You subtract the smallest logit. Which of the exponents are then positive, and how large?",
    loses=("large",),
)
def smallest_subtracted(logits):
    shifted = logits - logits.min(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "You subtract the mean. Is what remains of a logit of 1000 small enough for an exponential?",
    loses=("large",),
)
def mean_subtracted(logits):
    shifted = logits - logits.mean(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "A clipped probability can't be smaller than your limit. How small is e^-800?",
    loses=("large",),
)
def clipped_probability(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.log(np.clip(e / e.sum(axis=1, keepdims=True), 1e-12, 1))


@log_softmax.mistake(
    "The small number that you add keeps the logarithm finite, and makes it wrong: by how much, "
    "for a probability of e^-10? And of e^-800?"
)
def epsilon_added(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.log(e / e.sum(axis=1, keepdims=True) + 1e-12)


@log_softmax.mistake(
    "You cut logits off before you begin. Can a logit of 1000 then still be told from one of 999?",
    loses=("large",),
)
def clipped_logits(logits):
    z = np.clip(logits, -500, 500)
    with np.errstate(all="ignore"):
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "You cut logits off at 30: nothing overflows, and a logit of 1000 becomes one of 30. What was "
    "the shift for?",
    loses=("large",),
)
def logits_clipped_at_thirty(logits):
    z = np.clip(logits, -30, 30)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "The shift is in the sum, but not in front of it: they must be the same, or it doesn't cancel."
)
def shifted_in_the_sum_only(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake("Samples are rows. Which axis holds the classes of one sample?")
def over_the_samples(logits):
    shifted = logits - logits.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


@log_softmax.mistake(
    "All your probabilities together sum to 1. Each row should be a distribution of its own."
)
def over_everything(logits):
    shifted = logits - logits.max()
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum())


@log_softmax.mistake(
    "Your maxima have lost an axis. Against which axis of logits does NumPy line them up?"
)
def axis_dropped(logits):
    shifted = logits - logits.max(axis=1)
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=1))


@log_softmax.mistake("These are probabilities. Their logarithms are asked for.")
def softmax_itself(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@log_softmax.mistake("Probabilities are at most 1. Which sign have their logarithms?")
def minus_the_logarithm(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1, keepdims=True)) - shifted


@log_softmax.mistake("You count in bits. The statement's logarithm is the natural one.")
def in_bits(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted / np.log(2) - np.log2(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake("float32 came in, and float64 goes out.", loses=("large",))
def always_double(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake("`-=` writes into the logits of whoever called you.")
def in_place(logits):
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "You subtract the largest size, which needn't be the largest logit: in a row of 0 and -800, "
    "which exponents are left?",
    loses=("large",),
)
def largest_size_subtracted(logits):
    shifted = logits - np.abs(logits).max(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "You subtract the largest logit of the first row from all rows. Each needs its own.",
    loses=("large",),
)
def largest_of_the_first_row(logits):
    shifted = logits - logits[0].max()
    with np.errstate(all="ignore"):
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@log_softmax.mistake(
    "Putting the smallest float in place of 0 is a clip too: its logarithm is -708. Which "
    "logarithm has e^-1000?",
    loses=("large",),
)
def smallest_float_for_zero(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.log(np.maximum(e / e.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))


@log_softmax.mistake(
    "`nan_to_num` puts a number where there was none. It isn't the number that was lost.",
    loses=("large",),
)
def patched_afterwards(logits):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        return np.nan_to_num(np.log(e / e.sum(axis=1, keepdims=True)))


@log_softmax.mistake("You count in powers of ten. The statement's logarithm is the natural one.")
def in_powers_of_ten(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted / np.log(10) - np.log10(np.exp(shifted).sum(axis=1, keepdims=True))


# cross_entropy --------------------------------------------------------------------

cross_entropy = Exercise(
    "cross_entropy",
    "Cross-entropy and its gradient",
    parts={"loss": 2, "dlogits": 2},
    minutes=15,
    difficulty=2,
    outcomes=(GRADIENT, STABLE),
    forbids=FORBIDS,
)


@cross_entropy.cases
def _(rng):
    large = np.array([[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]])
    yield Case((large, np.array([1, 2])), "sure and wrong, by 1000")
    yield Case((large[:, ::-1].copy(), np.array([2, 0])), "sure and right")
    yield Case((np.zeros((4, 3)), np.array([0, 0, 2, 0])), "no idea at all")
    yield Case((rng.normal(size=(1, 4)), np.array([3])), "one sample")
    yield Case((rng.normal(size=(3, 3)), np.array([2, 0, 1])), "as many samples as classes")
    yield Case((rng.normal(size=(5, 2)), np.array([1, 1, 0, 1, 1])), "two classes")
    while True:
        n, k = (int(v) for v in rng.integers(2, 8, size=2))
        yield rng.normal(scale=3, size=(n, k)), rng.integers(0, k, size=n)


@cross_entropy.answer
def _(logits, labels):
    n = np.arange(len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels].mean(), dlogits / len(logits)


@cross_entropy.alternative
def one_hot_rows(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return -np.sum(target * log_p) / len(logits), (np.exp(log_p) - target) / len(logits)


@cross_entropy.alternative
def sample_after_sample(logits, labels):
    loss, dlogits = 0.0, np.zeros_like(logits)
    for i, (row, label) in enumerate(zip(logits, labels, strict=True)):
        top = row.max()
        total = np.exp(row - top).sum()
        loss += (top + np.log(total) - row[label]) / len(logits)
        for k in range(len(row)):
            dlogits[i, k] = (np.exp(row[k] - top) / total - (k == label)) / len(logits)
    return float(loss), dlogits


@cross_entropy.mistake(
    "At a logit of 1000 the loss comes out as inf or nan, and the gradient as nan. Your own "
    "log_softmax doesn't: begin with it."
)
def naive_softmax(logits, labels):
    n = np.arange(len(logits))
    with np.errstate(all="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = -np.log(p[n, labels]).mean()
    p[n, labels] -= 1
    return loss, p / len(logits)


@cross_entropy.mistake(
    "A sure and wrong answer should cost about 1000, and yours costs infinity: p has rounded to 0 "
    "before its logarithm is taken.",
    loses=("loss",),
)
def logarithm_of_rounded_p(logits, labels):
    n = np.arange(len(logits))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        loss = -np.log(p[n, labels]).mean()
    p[n, labels] -= 1
    return loss, p / len(logits)


@cross_entropy.mistake(
    "Clipping hides how wrong a sure answer is: by 1000, and your loss stops far below.",
    loses=("loss",),
)
def clipped_p(logits, labels):
    n = np.arange(len(logits))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(np.clip(p[n, labels], 1e-12, 1)).mean()
    p[n, labels] -= 1
    return loss, p / len(logits)


@cross_entropy.mistake(
    "You clip p, and the gradient knows: beyond the limit the loss is flat, and a sample that is "
    "wrong for sure teaches nothing. It should pull hardest of all."
)
def clipped_p_and_its_gradient(logits, labels):
    n = np.arange(len(logits))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    own = p[n, labels]
    loss = -np.log(np.clip(own, 1e-12, 1)).mean()
    p[n, labels] -= 1
    return loss, np.where((own >= 1e-12)[:, None], p, 0.0) / len(logits)


@cross_entropy.mistake(
    "Both are too large by one factor. Is the loss a sum over the samples, or their mean?"
)
def sums(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels].sum(), dlogits


@cross_entropy.mistake(
    "Your loss is a mean. Is your gradient the gradient of that mean?", loses=("dlogits",)
)
def gradient_of_the_sum(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels].mean(), dlogits


@cross_entropy.mistake("The gradient is that of a mean, and the loss is a sum.", loses=("loss",))
def sum_of_the_losses(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels].sum(), dlogits / len(logits)


@cross_entropy.mistake(
    "You divide by the number of all logits. How many samples are there?", loses=("loss",)
)
def mean_over_classes_too(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -np.mean(target * log_p), (np.exp(log_p) - target) / len(logits)


@cross_entropy.mistake(
    "Both are too small by one factor: you average over the classes too. Over what is the mean?"
)
def means_over_classes_too(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -np.mean(target * log_p), (np.exp(log_p) - target) / logits.size


@cross_entropy.mistake(
    "The gradient points uphill; yours points down. Who does the subtracting?", loses=("dlogits",)
)
def downhill(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    loss = -np.sum(target * log_p) / len(logits)
    return loss, (target - np.exp(log_p)) / len(logits)


@cross_entropy.mistake(
    "Each row of the gradient should sum to 0: what one class gains the others lose. What is "
    "missing at the right class?",
    loses=("dlogits",),
)
def right_class_forgotten(logits, labels):
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    loss = -log_p[np.arange(len(logits)), labels].mean()
    return loss, np.exp(log_p) / len(logits)


@cross_entropy.mistake(
    "Only the right class has a gradient in yours. Do the other logits not move the loss?",
    loses=("dlogits",),
)
def right_class_only(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    loss = -np.sum(target * log_p) / len(logits)
    return loss, target * (np.exp(log_p) - 1) / len(logits)


@cross_entropy.mistake(
    "`[:, labels]` picks whole columns: every row loses something at every label. How do you pick "
    "one entry from each row?",
    loses=("dlogits",),
)
def whole_columns(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[:, labels] -= 1
    return -log_p[n, labels].mean(), dlogits / len(logits)


@cross_entropy.mistake(
    "`[:, labels]` pairs every sample with every label, in the loss too. How do you pick one entry "
    "from each row?"
)
def all_pairs(logits, labels):
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[:, labels] -= 1
    return -log_p[:, labels].mean(), dlogits / len(logits)


@cross_entropy.mistake(
    "The factor p(1 - p) is the slope of each probability by itself. Put it in, and the factor "
    "1/p of the logarithm: what is left?",
    loses=("dlogits",),
)
def slope_of_softmax_kept(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    p = np.exp(log_p)
    loss = -np.sum(target * log_p) / len(logits)
    return loss, (p - target) * p * (1 - p) / len(logits)


@cross_entropy.mistake(
    "You also charge for the classes that are wrong, each as a yes-or-no question. The classes "
    "here exclude each other: only the right one's probability counts.",
    loses=("loss",),
)
def binary_for_each_class(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    p = np.exp(log_p)
    with np.errstate(all="ignore"):
        rest = np.where(target == 1, 0.0, np.log1p(-p))
    loss = -np.sum(target * log_p + rest) / len(logits)
    return loss, (p - target) / len(logits)


@cross_entropy.mistake(
    "You take the softmax of probabilities. What comes in are logits, and one softmax is enough."
)
def softmax_twice(logits, labels):
    n = np.arange(len(logits))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    log_q = p - np.log(np.exp(p).sum(axis=1, keepdims=True))
    dlogits = np.exp(log_q)
    dlogits[n, labels] -= 1
    return -log_q[n, labels].mean(), dlogits / len(logits)


@cross_entropy.mistake("You count in bits. The statement's logarithm is the natural one.")
def bits(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels].mean() / np.log(2), dlogits / len(logits) / np.log(2)


@cross_entropy.mistake(
    "A loss should fall as the right class gets likelier. Yours rises.", loses=("loss",)
)
def likelihood(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return log_p[n, labels].mean(), dlogits / len(logits)


@cross_entropy.mistake(
    "You return a loss for each sample. Training follows one number.", loses=("loss",)
)
def loss_of_each_sample(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels] -= 1
    return -log_p[n, labels], dlogits / len(logits)


@cross_entropy.mistake(
    "`dlogits[labels]` picks whole rows, by the number of a class. How do you pick one entry from "
    "each row?"
)
def whole_rows(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[labels] -= 1
    return -log_p[n, labels].mean(), dlogits / len(logits)


@cross_entropy.mistake(
    "The 1 at the right class is divided by the number of samples, and the probabilities aren't.",
    loses=("dlogits",),
)
def half_of_it_divided(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -np.sum(target * log_p) / len(logits), np.exp(log_p) - target / len(logits)


@cross_entropy.mistake(
    "You average the gradient over the samples. Each sample has logits of its own, so each row is "
    "needed.",
    loses=("dlogits",),
)
def gradient_averaged(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -np.sum(target * log_p) / len(logits), (np.exp(log_p) - target).mean(axis=0)


@cross_entropy.mistake(
    "The gradient is divided by the number of classes. Over what is the mean taken?",
    loses=("dlogits",),
)
def divided_by_classes(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    loss = -np.sum(target * log_p) / len(logits)
    return loss, (np.exp(log_p) - target) / logits.shape[1]


@cross_entropy.mistake(
    "The small number that you add to p hides how wrong a sure answer is, as clipping does.",
    loses=("loss",),
)
def small_number_added(logits, labels):
    n = np.arange(len(logits))
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    loss = -np.log(p[n, labels] + 1e-9).mean()
    p[n, labels] -= 1
    return loss, p / len(logits)


@cross_entropy.mistake(
    "You charge for the likeliest class, whatever the label says. Which one was right?",
    loses=("loss",),
)
def likeliest_class(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -log_p.max(axis=1).mean(), (np.exp(log_p) - target) / len(logits)


@cross_entropy.mistake("Your labels begin at 1. In this sheet the first class is 0.")
def labels_from_one(logits, labels):
    n = np.arange(len(logits))
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    dlogits = np.exp(log_p)
    dlogits[n, labels - 1] -= 1
    return -log_p[n, labels - 1].mean(), dlogits / len(logits)


@cross_entropy.mistake(
    "Your gradient holds logarithms of probabilities, where probabilities should stand.",
    loses=("dlogits",),
)
def logarithm_for_probability(logits, labels):
    target = np.eye(logits.shape[1])[labels]
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    return -np.sum(target * log_p) / len(logits), (log_p - target) / len(logits)


# bce_with_logits ------------------------------------------------------------------

bce_with_logits = Exercise(
    "bce_with_logits",
    "Many yes-or-no questions, the rare ones weighted",
    parts={"loss": 2, "dlogits": 2},
    minutes=18,
    difficulty=3,
    outcomes=(GRADIENT, STABLE),
    forbids=FORBIDS,
)


@bce_with_logits.cases
def _(rng):
    z = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]])
    weight = np.array([3.0, 0.5])
    yield Case((z, np.array([[0.0, 1.0], [1.0, 0.0]]), weight), "sure and wrong, by 1000")
    yield Case((z, np.array([[1.0, 0.0], [0.0, 1.0]]), weight), "sure and right")
    yield Case((z / 1000, np.array([[1.0, 1.0], [0.0, 1.0]]), weight), "")
    soft = np.array([[0.2, 0.9, 0.0], [0.5, 1.0, 0.7]])
    yield Case((rng.normal(size=(2, 3)), soft, np.array([2.0, 1.0, 4.0])), "targets in between")
    yield Case((rng.normal(size=(3, 2)), np.ones((3, 2)), np.ones(2)), "weights of 1")
    yield Case((np.array([[0.3]]), np.array([[1.0]]), np.array([5.0])), "one sample, one question")
    while True:
        n, k = (int(v) for v in rng.integers(2, 7, size=2))
        targets = rng.integers(0, 2, size=(n, k)).astype(float)
        yield rng.normal(scale=3, size=(n, k)), targets, rng.uniform(0.2, 5, size=k)


@bce_with_logits.answer
def _(logits, targets, pos_weight):
    yes = np.logaddexp(0, -logits)  # -log p
    no = np.logaddexp(0, logits)  # -log (1 - p)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    p = np.exp(-yes)
    dlogits = (1 - targets) * p - pos_weight * targets * np.exp(-no)
    return loss, dlogits / logits.size


@bce_with_logits.alternative
def from_the_size_of_the_logit(logits, targets, pos_weight):
    small = np.exp(-np.abs(logits))
    w = 1 + (pos_weight - 1) * targets
    entries = (1 - targets) * logits + w * (np.log1p(small) + np.maximum(-logits, 0))
    p = np.where(logits >= 0, 1, small) / (1 + small)
    return entries.mean(), (1 - targets - w * (1 - p)) / targets.size


@bce_with_logits.alternative
def entry_after_entry(logits, targets, pos_weight):
    loss, dlogits = 0.0, np.zeros_like(logits)
    for i, k in np.ndindex(logits.shape):
        z, y, w = logits[i, k], targets[i, k], pos_weight[k]
        p = 0.5 * (1 + np.tanh(z / 2))
        loss += w * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
        dlogits[i, k] = p * (1 - y + w * y) - w * y
    return loss / logits.size, dlogits / logits.size


@bce_with_logits.mistake(
    "At a logit of 1000 your loss takes the logarithm of 0, or of 1 + e^1000. NumPy has a function "
    "for log(e^a + e^b) that never forms either.",
    loses=("loss",),
)
def logarithms_of_p(logits, targets, pos_weight):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-logits))
        loss = -np.mean(pos_weight * targets * np.log(p) + (1 - targets) * np.log(1 - p))
    dlogits = (1 - targets) * p - pos_weight * targets * (1 - p)
    return loss, dlogits / logits.size


@bce_with_logits.mistake(
    "e^z / (1 + e^z) is infinity over infinity at z = 1000, for loss and gradient alike. Which "
    "exponential is safe there?"
)
def sigmoid_overflows(logits, targets, pos_weight):
    with np.errstate(all="ignore"):
        p = np.exp(logits) / (1 + np.exp(logits))
        loss = -np.mean(pos_weight * targets * np.log(p) + (1 - targets) * np.log(1 - p))
    dlogits = (1 - targets) * p - pos_weight * targets * (1 - p)
    return loss, dlogits / logits.size


@bce_with_logits.mistake(
    "Clipped, or with a small number added, a probability can't be very wrong: a logit of 1000 on "
    "the wrong side should cost 1000, times its weight.",
    loses=("loss",),
)
def clipped_probabilities(logits, targets, pos_weight):
    p = 0.5 * (1 + np.tanh(logits / 2))
    q = np.clip(p, 1e-12, 1 - 1e-12)
    loss = -np.mean(pos_weight * targets * np.log(q) + (1 - targets) * np.log(1 - q))
    dlogits = (1 - targets) * p - pos_weight * targets * (1 - p)
    return loss, dlogits / logits.size


@bce_with_logits.mistake("You leave `pos_weight` out. What does a missed yes cost?")
def unweighted(logits, targets, pos_weight):
    loss = np.mean(np.logaddexp(0, logits) - targets * logits)
    return loss, (0.5 * (1 + np.tanh(logits / 2)) - targets) / logits.size


@bce_with_logits.mistake(
    "You weight the whole question, its no as well as its yes. Which half carries the weight?"
)
def whole_question_weighted(logits, targets, pos_weight):
    loss = np.mean(pos_weight * (np.logaddexp(0, logits) - targets * logits))
    return loss, pos_weight * (0.5 * (1 + np.tanh(logits / 2)) - targets) / logits.size


@bce_with_logits.mistake("The weight stands at the noes. Which answer is rare?")
def noes_weighted(logits, targets, pos_weight):
    p = 0.5 * (1 + np.tanh(logits / 2))
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(targets * yes + pos_weight * (1 - targets) * no)
    return loss, (pos_weight * (1 - targets) * p - targets * (1 - p)) / logits.size


@bce_with_logits.mistake(
    "The loss is weighted and its gradient isn't. Differentiate the two halves one by one.",
    loses=("dlogits",),
)
def gradient_unweighted(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    return loss, (np.exp(-yes) - targets) / logits.size


@bce_with_logits.mistake(
    "p - y is the gradient without weights, and a weight at y alone doesn't mend it: what is the "
    "gradient where the answer is yes and p is 1 already?",
    loses=("dlogits",),
)
def weight_at_the_target_only(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    return loss, (np.exp(-yes) - pos_weight * targets) / logits.size


@bce_with_logits.mistake(
    "The loss is right. The gradient's weight belongs to the yes half only.", loses=("dlogits",)
)
def gradient_weighted_as_a_whole(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    return loss, pos_weight * (np.exp(-yes) - targets) / logits.size


@bce_with_logits.mistake(
    "Both are too large by the number of questions. The mean is over all entries, as in torch, "
    "not over samples alone."
)
def mean_over_samples_only(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.sum(pos_weight * targets * yes + (1 - targets) * no) / len(logits)
    dlogits = (1 - targets) * np.exp(-yes) - pos_weight * targets * np.exp(-no)
    return loss, dlogits / len(logits)


@bce_with_logits.mistake(
    "Your loss is a mean over all entries. By what must its gradient be divided?",
    loses=("dlogits",),
)
def gradient_of_a_sum(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    return loss, (1 - targets) * np.exp(-yes) - pos_weight * targets * np.exp(-no)


@bce_with_logits.mistake(
    "Your loss is a mean over all entries, and your gradient is divided by the samples alone.",
    loses=("dlogits",),
)
def gradient_by_samples(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    dlogits = (1 - targets) * np.exp(-yes) - pos_weight * targets * np.exp(-no)
    return loss, dlogits / len(logits)


@bce_with_logits.mistake("A sum over all entries. The statement asks for their mean.")
def summed(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.sum(pos_weight * targets * yes + (1 - targets) * no)
    return loss, (1 - targets) * np.exp(-yes) - pos_weight * targets * np.exp(-no)


@bce_with_logits.mistake(
    "You divide by the sum of the weights, so that a weight of 5 for all would change nothing. "
    "The statement divides by the number of entries."
)
def weighted_mean(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    total = np.sum(pos_weight * targets + 1 - targets)
    loss = np.sum(pos_weight * targets * yes + (1 - targets) * no) / total
    return loss, ((1 - targets) * np.exp(-yes) - pos_weight * targets * np.exp(-no)) / total


@bce_with_logits.mistake(
    "Look at a target of 0.2: it is neither 0 nor 1, and your code takes it for one of them."
)
def targets_rounded(logits, targets, pos_weight):
    hard = (targets >= 0.5).astype(float)
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * hard * yes + (1 - hard) * no)
    dlogits = (1 - hard) * np.exp(-yes) - pos_weight * hard * np.exp(-no)
    return loss, dlogits / logits.size


@bce_with_logits.mistake(
    "You let only a target of exactly 1 count as yes. What should a target of 0.9 do?"
)
def only_a_full_yes(logits, targets, pos_weight):
    hard = (targets == 1).astype(float)
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * hard * yes + (1 - hard) * no)
    dlogits = (1 - hard) * np.exp(-yes) - pos_weight * hard * np.exp(-no)
    return loss, dlogits / logits.size


@bce_with_logits.mistake(
    "The gradient points uphill; yours points down. Who does the subtracting?", loses=("dlogits",)
)
def points_downhill(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    dlogits = pos_weight * targets * np.exp(-no) - (1 - targets) * np.exp(-yes)
    return loss, dlogits / logits.size


@bce_with_logits.mistake(
    "A softmax makes the questions of a row compete. Here each is answered for itself."
)
def softmax_over_the_questions(logits, targets, pos_weight):
    log_p = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    loss = -np.mean(pos_weight * targets * log_p)
    return loss, (np.exp(log_p) - pos_weight * targets) / logits.size


@bce_with_logits.mistake(
    "You cut the logits off first, and with them how wrong a sure answer is.", loses=("loss",)
)
def logits_cut_off(logits, targets, pos_weight):
    z = np.clip(logits, -50, 50)
    loss = np.mean(pos_weight * targets * np.logaddexp(0, -z) + (1 - targets) * np.logaddexp(0, z))
    p = 1 / (1 + np.exp(-z))
    return loss, ((1 - targets) * p - pos_weight * targets * (1 - p)) / logits.size


@bce_with_logits.mistake(
    "For a target that is fully yes it is right. For 0.7 your gradient weights the no half too.",
    loses=("dlogits",),
)
def weighted_where_any_yes(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    weight = np.where(targets > 0, pos_weight, 1.0)
    return loss, weight * (np.exp(-yes) - targets) / logits.size


@bce_with_logits.mistake(
    "You weight the question by its target, and then charge yes and no alike. For targets of 0 and "
    "1 that is the same. Look at a target in between: which half carries the weight?"
)
def weight_outside(logits, targets, pos_weight):
    weight = pos_weight * targets + 1 - targets
    loss = np.mean(weight * (np.logaddexp(0, logits) - targets * logits))
    p = np.exp(-np.logaddexp(0, -logits))
    return loss, weight * (p - targets) / logits.size


@bce_with_logits.mistake(
    "A yes that isn't sure enough should push its logit up. Which sign has its gradient?",
    loses=("dlogits",),
)
def yes_half_uphill(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    dlogits = (1 - targets) * np.exp(-yes) + pos_weight * targets * np.exp(-no)
    return loss, dlogits / logits.size


@bce_with_logits.mistake(
    "The yes half pulls with full strength even where p is 1 already: a factor is missing there.",
    loses=("dlogits",),
)
def yes_half_never_rests(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    return loss, ((1 - targets) * np.exp(-yes) - pos_weight * targets) / logits.size


@bce_with_logits.mistake(
    "Your gradient weights a whole sample by its labels. Which entries of a row does a weight "
    "belong to?",
    loses=("dlogits",),
)
def weighted_by_row(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    loss = np.mean(pos_weight * targets * yes + (1 - targets) * no)
    weight = (pos_weight * targets + 1 - targets).mean(axis=1, keepdims=True)
    return loss, weight * (np.exp(-yes) - targets) / logits.size


@bce_with_logits.mistake(
    "You average the yeses over the yeses and the noes over the noes. The mean is over all entries."
)
def averaged_by_answer(logits, targets, pos_weight):
    yes, no = np.logaddexp(0, -logits), np.logaddexp(0, logits)
    of_yes, of_no = max(targets.sum(), 1.0), max((1 - targets).sum(), 1.0)
    loss = np.sum(pos_weight * targets * yes) / of_yes + np.sum((1 - targets) * no) / of_no
    dlogits = (1 - targets) * np.exp(-yes) / of_no - pos_weight * targets * np.exp(-no) / of_yes
    return loss, dlogits


# huber ----------------------------------------------------------------------------

huber = Exercise(
    "huber",
    "A loss that an outlier can't rule",
    parts={"loss": 2, "dprediction": 2},
    minutes=12,
    difficulty=2,
    outcomes=(CHOOSE, GRADIENT),
    forbids=FORBIDS,
)


@huber.cases
def _(rng):
    far = np.array([3.0, -3.0, 0.1, 0.0])
    yield Case((far, np.zeros(4), 1.0), "delta of 1")
    yield Case((far, np.zeros(4), 0.5), "delta of 0.5")
    yield Case((np.array([2.0, -2.0, 1.0]), np.zeros(3), 2.0), "errors of exactly delta")
    yield Case((np.zeros(2), np.array([1e6, -0.5]), 2.0), "an error of a million")
    yield Case((np.array([5.0]), np.array([1.0]), 3.0), "one prediction")
    yield Case((rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), 0.7), "more than one axis")
    yield Case((np.array([1.5, 4.5]), np.array([1, 1]), 2.0), "whole-numbered targets")
    while True:
        shape = tuple(int(v) for v in rng.integers(2, 5, size=rng.integers(1, 3)))
        delta = float(rng.uniform(0.3, 3))
        yield 3 * rng.normal(size=shape), rng.normal(size=shape), delta


@huber.answer
def _(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.clip(error, -delta, delta) / error.size


@huber.alternative
def near_and_far(prediction, target, delta):
    error = prediction - target
    near = np.minimum(np.abs(error), delta)
    loss = np.mean(near**2 / 2 + delta * (np.abs(error) - near))
    return loss, np.sign(error) * near / error.size


@huber.alternative
def one_by_one(prediction, target, delta):
    loss, gradient = 0.0, np.zeros_like(prediction)
    for i in np.ndindex(prediction.shape):
        r = prediction[i] - target[i]
        if r > delta:
            loss, gradient[i] = loss + delta * r - delta**2 / 2, delta
        elif r < -delta:
            loss, gradient[i] = loss - delta * r - delta**2 / 2, -delta
        else:
            loss, gradient[i] = loss + r * r / 2, r
    return loss / prediction.size, gradient / prediction.size


@huber.mistake(
    "You divide by delta: that is smooth L1, whose slope far away is always 1. At delta = 1 the "
    "two agree. What slope does the statement ask for?"
)
def smooth_l1(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2 / delta, size - 0.5 * delta)
    return entries.mean(), np.clip(error / delta, -1, 1) / error.size


@huber.mistake(
    "Your loss jumps where the two halves should meet. What is each of them worth at an error of "
    "exactly delta?",
    loses=("loss",),
)
def offset_forgotten(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * size)
    return entries.mean(), np.clip(error, -delta, delta) / error.size


@huber.mistake(
    "At delta the halves meet, but not with the same slope: what is the slope of r squared there?"
)
def half_forgotten(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, error**2, delta * (size - 0.5 * delta))
    slope = np.where(size <= delta, 2 * error, delta * np.sign(error))
    return entries.mean(), slope / error.size


@huber.mistake("Everything is twice too large: the square carries a factor of one half.")
def twice(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, error**2, delta * (2 * size - delta))
    return entries.mean(), 2 * np.clip(error, -delta, delta) / error.size


@huber.mistake(
    "A large negative error is treated as a near one. What decides which half applies, the error "
    "or its size?"
)
def sign_decides(prediction, target, delta):
    error = prediction - target
    entries = np.where(error <= delta, 0.5 * error**2, delta * (np.abs(error) - 0.5 * delta))
    return entries.mean(), np.where(error <= delta, error, delta) / error.size


@huber.mistake(
    "Far away your gradient is always positive. Which way should a prediction that is much too "
    "small move?",
    loses=("dprediction",),
)
def sign_forgotten(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.where(size <= delta, error, delta) / error.size


@huber.mistake(
    "Your far errors have no gradient: they are left out, not limited. What is the slope of a "
    "straight line?",
    loses=("dprediction",),
)
def far_errors_ignored(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.where(size <= delta, error, 0.0) / error.size


@huber.mistake(
    "Far away your loss is flat: an error of a million costs no more than one of delta.",
    loses=("loss",),
)
def flat_far_away(prediction, target, delta):
    near = np.clip(prediction - target, -delta, delta)
    return np.mean(0.5 * near**2), near / near.size


@huber.mistake(
    "The loss is Huber's and the gradient is that of the square. How hard does an error of a "
    "million pull?",
    loses=("dprediction",),
)
def gradient_of_the_square(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), error / error.size


@huber.mistake(
    "Far away the slope is delta, and yours is 1.",
    loses=("dprediction",),
)
def slope_of_one(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.where(size <= delta, error, np.sign(error)) / error.size


@huber.mistake(
    "Your loss is a mean. Is your gradient the gradient of that mean?", loses=("dprediction",)
)
def gradient_summed(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.clip(error, -delta, delta)


@huber.mistake("Both are too large by one factor. Is the loss a sum or a mean?")
def all_summed(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.sum(), np.clip(error, -delta, delta)


@huber.mistake(
    "With more than one axis you divide by the rows alone. The mean is over all entries."
)
def divided_by_rows(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.sum() / len(error), np.clip(error, -delta, delta) / len(error)


@huber.mistake(
    "With more than one axis your gradient is divided by the rows alone, and the loss by all "
    "entries.",
    loses=("dprediction",),
)
def gradient_divided_by_rows(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.clip(error, -delta, delta) / len(error)


@huber.mistake(
    "The gradient is with respect to the prediction. Which of the two do you subtract from which?",
    loses=("dprediction",),
)
def towards_the_target(prediction, target, delta):
    error = target - prediction
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.clip(error, -delta, delta) / error.size


@huber.mistake("You keep delta at 1, whatever is asked for.")
def delta_of_one(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= 1, 0.5 * error**2, size - 0.5)
    return entries.mean(), np.clip(error, -1, 1) / error.size


@huber.mistake(
    "Your far half is too low or too high at delta, unless delta is 1: what must be subtracted so "
    "that the halves meet?",
    loses=("loss",),
)
def half_a_delta(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * size - 0.5 * delta)
    return entries.mean(), np.clip(error, -delta, delta) / error.size


@huber.mistake(
    "That is pseudo-Huber, smooth everywhere: a good loss, and another one. Here a square turns "
    "into a line at one point."
)
def pseudo_huber(prediction, target, delta):
    ratio = (prediction - target) / delta
    root = np.sqrt(1 + ratio**2)
    return np.mean(delta**2 * (root - 1)), delta * ratio / root / ratio.size


@huber.mistake(
    "Far away your slope is 1, in loss and gradient alike, and near the target it is the error. At "
    "an error of delta the two should agree."
)
def absolute_error_far_away(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, size - 0.5)
    return entries.mean(), np.where(size <= delta, error, np.sign(error)) / error.size


@huber.mistake(
    "Your gradient still grows with the error far away. What is the slope of a straight line?",
    loses=("dprediction",),
)
def error_times_delta(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.where(size <= delta, error, delta * error) / error.size


@huber.mistake(
    "You divide by the number of near errors. The far ones cost something too: the mean is over "
    "all."
)
def divided_by_the_near(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    near = max(int((size <= delta).sum()), 1)
    return entries.sum() / near, np.clip(error, -delta, delta) / near


@huber.mistake(
    "You average the errors first, and an error of 3 and one of -3 cancel. What is averaged, "
    "errors or losses?"
)
def of_the_mean_error(prediction, target, delta):
    error = np.mean(prediction - target)
    size = abs(error)
    loss = 0.5 * error**2 if size <= delta else delta * (size - 0.5 * delta)
    return loss, np.full_like(prediction, np.clip(error, -delta, delta) / prediction.size)


@huber.mistake(
    "Near the target your gradient is half of what it should be: the one half in front of the "
    "square has gone already.",
    loses=("dprediction",),
)
def half_kept_in_the_slope(prediction, target, delta):
    error = prediction - target
    size = np.abs(error)
    entries = np.where(size <= delta, 0.5 * error**2, delta * (size - 0.5 * delta))
    return entries.mean(), np.where(size <= delta, error / 2, delta * np.sign(error)) / error.size


# gaussian_nll_gradient --------------------------------------------------------------

gaussian_nll_gradient = Exercise(
    "gaussian_nll_gradient",
    "On paper: a network that says how sure it is",
    parts={"dmean": 2, "dlog_variance": 2},
    minutes=15,
    difficulty=2,
    outcomes=(GRADIENT, CHOOSE),
    kind="derive",
    forbids=FORBIDS,
)


@gaussian_nll_gradient.cases
def _(rng):
    yield Case((np.array([2.0]), np.array([0.0]), np.array([5.0])), "one prediction, variance 1")
    s = np.log(np.array([4.0, 0.25, 9.0]))
    mean, target = np.array([1.0, 0.0, 5.0]), np.array([4.0, 0.2, 5.0])
    yield Case((mean, s, target), "variances 4, 1/4 and 9")
    sure = np.array([-20.0, 20.0])
    yield Case((np.array([1.0, 1.0]), sure, np.array([1.001, 3.0])), "very sure and very unsure")
    yield Case((np.array([0.0, 3.0]), s[:2], np.array([2.0, 3.5])), "errors of one deviation")
    while True:
        n = int(rng.integers(2, 8))
        yield rng.normal(size=n), rng.normal(size=n), 2 * rng.normal(size=n)


@gaussian_nll_gradient.answer
def _(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dmean = error * precision
    dlog_variance = 0.5 * (1 - error**2 * precision)
    return dmean / len(mean), dlog_variance / len(mean)


@gaussian_nll_gradient.alternative
def in_standard_deviations(mean, log_variance, target):
    sigma = np.exp(log_variance / 2)
    t = (target - mean) / sigma
    return -t / sigma / t.size, (1 - t) * (1 + t) / (2 * t.size)


@gaussian_nll_gradient.alternative
def one_prediction_at_a_time(mean, log_variance, target):
    dmean, dlog_variance = np.empty(len(mean)), np.empty(len(mean))
    for i, (m, s, y) in enumerate(zip(mean, log_variance, target, strict=True)):
        variance = np.exp(s)
        dmean[i] = -(y - m) / variance / len(mean)
        dlog_variance[i] = (variance - (y - m) ** 2) / (2 * variance) / len(mean)
    return dmean, dlog_variance


@gaussian_nll_gradient.mistake("Both are too large by one factor. Over what is the loss averaged?")
def of_the_sum(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error * precision, 0.5 * (1 - error**2 * precision)


@gaussian_nll_gradient.mistake(
    "Both are twice too large. Which factor stands in front of the loss?"
)
def without_the_half(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return 2 * error * precision / len(mean), (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "The one half cancels in the first, because a square is differentiated. Does it cancel in the "
    "second?",
    loses=("dlog_variance",),
)
def half_cancelled_twice(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error * precision / len(mean), (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "A mean that is too small: should the loss rise or fall as it grows? Yours rises.",
    loses=("dmean",),
)
def wrong_way(mean, log_variance, target):
    error, precision = target - mean, np.exp(-log_variance)
    return error * precision / len(mean), 0.5 * (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "By your gradient a larger variance is always better. Which term keeps it from growing "
    "forever, and what is its derivative?",
    loses=("dlog_variance",),
)
def price_of_doubt_forgotten(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error * precision / len(mean), -0.5 * error**2 * precision / len(mean)


@gaussian_nll_gradient.mistake(
    "The derivative of e^-s is not e^-s: a sign is missing, and with it the balance. Where the "
    "error is exactly one standard deviation the gradient should be 0.",
    loses=("dlog_variance",),
)
def chain_rule_sign(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error * precision / len(mean), 0.5 * (1 + error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "Where the errors are larger than the deviation, the variance should grow. Yours shrinks.",
    loses=("dlog_variance",),
)
def variance_downhill(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error * precision / len(mean), 0.5 * (error**2 * precision - 1) / len(mean)


@gaussian_nll_gradient.mistake(
    "That is the gradient with respect to the variance. With respect to its logarithm one more "
    "factor of the chain rule is due.",
    loses=("dlog_variance",),
)
def of_the_variance(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dvariance = 0.5 * precision * (1 - error**2 * precision)
    return error * precision / len(mean), dvariance / len(mean)


@gaussian_nll_gradient.mistake(
    "You read `log_variance` as the logarithm of the standard deviation. Try a value of log 4: "
    "what is the variance?"
)
def logarithm_of_the_deviation(mean, log_variance, target):
    error, precision = mean - target, np.exp(-2 * log_variance)
    return error * precision / len(mean), (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "You divide by the logarithm of the variance. At a variance of 1 that is 0."
)
def logarithm_as_variance(mean, log_variance, target):
    error = mean - target
    with np.errstate(all="ignore"):
        dmean = error / log_variance
        dlog_variance = 0.5 * (1 / log_variance - error**2 / log_variance**2)
    return dmean / len(mean), dlog_variance / len(mean)


@gaussian_nll_gradient.mistake(
    "The surer the prediction, the weaker it pulls in yours. Should it not be the other way round?"
)
def multiplied_by_the_variance(mean, log_variance, target):
    error, variance = mean - target, np.exp(log_variance)
    return error * variance / len(mean), 0.5 * (1 - error**2 * variance) / len(mean)


@gaussian_nll_gradient.mistake(
    "That is the gradient of the squared error. Here a sure prediction pays more for its error.",
    loses=("dmean",),
)
def of_the_squared_error(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error / len(mean), 0.5 * (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "You return one number each. Every sample has a mean and a variance of its own."
)
def added_up(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return np.mean(error * precision), np.mean(0.5 * (1 - error**2 * precision))


@gaussian_nll_gradient.mistake(
    "The first is the gradient of the mean over the samples, the second that of the sum.",
    loses=("dlog_variance",),
)
def second_of_the_sum(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    return error * precision / len(mean), 0.5 * (1 - error**2 * precision)


@gaussian_nll_gradient.mistake(
    "You divide the error by the standard deviation. What stands under the square in the loss?",
    loses=("dmean",),
)
def divided_by_the_deviation(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dmean = error * np.exp(-log_variance / 2)
    return dmean / len(mean), 0.5 * (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "Half of the first gradient is missing: what does differentiating a square bring down?",
    loses=("dmean",),
)
def two_of_the_square_lost(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dmean = 0.5 * error * precision
    return dmean / len(mean), 0.5 * (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "The first is twice too large. Which factor stands in front of the square?", loses=("dmean",)
)
def half_of_the_square_lost(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dmean = 2 * error * precision
    return dmean / len(mean), 0.5 * (1 - error**2 * precision) / len(mean)


@gaussian_nll_gradient.mistake(
    "The derivative of s with respect to s is not s.", loses=("dlog_variance",)
)
def logarithm_not_differentiated(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dlog_variance = 0.5 * (log_variance - error**2 * precision)
    return error * precision / len(mean), dlog_variance / len(mean)


@gaussian_nll_gradient.mistake(
    "In the second the error stands as it is. What stands in the loss?", loses=("dlog_variance",)
)
def error_not_squared(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dlog_variance = 0.5 * (1 - np.abs(error) * precision)
    return error * precision / len(mean), dlog_variance / len(mean)


@gaussian_nll_gradient.mistake(
    "In the second the error stands with its sign, not squared: does too high cost other than too "
    "low?",
    loses=("dlog_variance",),
)
def signed_error_not_squared(mean, log_variance, target):
    error, precision = mean - target, np.exp(-log_variance)
    dlog_variance = 0.5 * (1 - error * precision)
    return error * precision / len(mean), dlog_variance / len(mean)


# mended_regression ----------------------------------------------------------------

mended_regression = Exercise(
    "mended_regression",
    "Find the fault",
    parts={"weight": 1, "bias": 1, "losses": 1},
    minutes=10,
    difficulty=2,
    outcomes=(GRADIENT,),
    kind="mend",
    forbids=FORBIDS,
)


@mended_regression.cases
def _(rng):
    x = np.array([[1.0], [2.0], [3.0]])
    yield Case((x, np.array([2.0, 4.0, 6.0]), 0.05, 3), "a line through 0")
    yield Case((x[:1], np.array([2.0]), 0.1, 2), "one sample")
    yield Case((x, np.array([1.0, 0.0, 5.0]), 0.05, 1), "one step")
    yield Case((np.eye(3) + 1, np.array([1.0, -1.0, 2.0]), 0.1, 4), "as many samples as inputs")
    while True:
        n, d = (int(v) for v in rng.integers(2, 8, size=2))
        x = rng.normal(size=(n, d)) + 1
        yield x, rng.normal(size=n) + 2, 0.02, int(rng.integers(1, 8))


@mended_regression.answer
def _(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        prediction = x @ weight + bias
        error = prediction - y[:, None]  # both (N, 1)
        losses.append(np.mean(error**2))
        dprediction = 2 * error / error.size
        weight = weight - lr * (x.T @ dprediction).sum(axis=1, keepdims=True)
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


@mended_regression.alternative
def prediction_without_a_column(x, y, lr, steps):
    weight, bias, losses = np.zeros(x.shape[1]), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y
        losses.append(error @ error / len(y))
        weight = weight - lr * 2 * x.T @ error / len(y)
        bias = bias - lr * 2 * error.mean()
    return weight[:, None], bias, np.array(losses)


@mended_regression.alternative
def reshaped_at_the_door(x, y, lr, steps):
    y = y.reshape(-1, 1)
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, np.empty(steps)
    for step in range(steps):
        error = x @ weight + bias - y
        losses[step] = (error**2).mean()
        slope = 2 * error / len(error)
        weight = weight - lr * x.T @ slope
        bias = bias - lr * float(slope.sum())
    return weight, bias, losses


@mended_regression.mistake("Print the shape of `error`. How many errors do N birds make?")
def as_it_was(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        prediction = x @ weight + bias
        error = prediction - y
        losses.append(np.mean(error**2))
        dprediction = 2 * error / error.size
        weight = weight - lr * (x.T @ dprediction).sum(axis=1, keepdims=True)
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Averaging the errors of all pairs gives the right shape and the wrong numbers: each "
    "prediction has one target of its own."
)
def averaged_over_pairs(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = (x @ weight + bias - y).mean(axis=1, keepdims=True)
        losses.append(np.mean(error**2))
        dprediction = 2 * error / error.size
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "The gradient is mended. Which shapes meet where the loss is written down?", loses=("losses",)
)
def losses_of_all_pairs(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        prediction = x @ weight + bias
        losses.append(np.mean((prediction - y) ** 2))
        dprediction = 2 * (prediction - y[:, None]) / len(y)
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Right direction, shorter steps: you divide by the number of pairs, and there are only N "
    "errors now."
)
def divided_by_pairs(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        dprediction = 2 * error / len(y) ** 2
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "The shape is mended, and the gradient of the square has lost its factor."
)
def factor_lost(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        weight = weight - lr * x.T @ error / len(y)
        bias = bias - lr * error.mean()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Her weight is a column, of shape (inputs, 1), and whoever calls her counts on it.",
    loses=("weight",),
)
def flat_weight(x, y, lr, steps):
    weight, bias, losses = np.zeros(x.shape[1]), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x.T @ error / len(y)
        bias = bias - lr * 2 * error.mean()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Her bias is a number. Over which axes do you sum its gradient?", loses=("bias",)
)
def bias_as_an_array(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), np.zeros(1), []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        dprediction = 2 * error / len(y)
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum(axis=0)
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "The first loss should be that of weights zero: before the step, as she writes it down.",
    loses=("losses",),
)
def losses_after_the_step(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        dprediction = 2 * error / len(y)
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum()
        losses.append(np.mean((x @ weight + bias - y[:, None]) ** 2))
    return weight, bias, np.array(losses)


@mended_regression.mistake("A list, and she returns an array.", loses=("losses",))
def losses_as_a_list(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        dprediction = 2 * error / len(y)
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum()
    return weight, bias, losses


@mended_regression.mistake(
    "Her losses are means of the squares, and yours are sums.", loses=("losses",)
)
def losses_summed(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.sum(error**2))
        dprediction = 2 * error / len(y)
        weight = weight - lr * x.T @ dprediction
        bias = bias - lr * dprediction.sum()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Your bias steps with an error that the new weight has changed already. Both step at once, "
    "from the same error."
)
def one_after_the_other(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x.T @ error / len(y)
        bias = bias - lr * 2 * (x @ weight + bias - y[:, None]).mean()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Your steps are too long by a factor: the loss is a mean over the samples."
)
def gradient_of_the_sum_of_squares(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * x.T @ error
        bias = bias - lr * 2 * error.sum()
    return weight, bias, np.array(losses)


@mended_regression.mistake(
    "Your shapes fit now because the inputs of a sample are added up. Each input has a weight of "
    "its own: with one input that doesn't show."
)
def inputs_added_up(x, y, lr, steps):
    weight, bias, losses = np.zeros((x.shape[1], 1)), 0.0, []
    for _ in range(steps):
        error = x @ weight + bias - y[:, None]
        losses.append(np.mean(error**2))
        weight = weight - lr * 2 * (x.sum(axis=1) @ error) / len(y)
        bias = bias - lr * 2 * error.mean()
    return weight, bias, np.array(losses)


# overflow_forecast ----------------------------------------------------------------

overflow_forecast = Exercise(
    "overflow_forecast",
    "Predict: what the machine makes of large numbers",
    parts={"difference": 1, "exp32": 1, "first": 1, "second": 1, "log": 1},
    minutes=8,
    difficulty=2,
    outcomes=(STABLE,),
    kind="predict",
    of="value",
)


@overflow_forecast.answer
def _():
    return {"difference": "nan", "exp32": "inf", "first": "nan", "second": "finite", "log": "-inf"}


@overflow_forecast.alternative
def letting_the_machine_say():
    with np.errstate(all="ignore"):
        e = np.exp(np.array([1000.0, 0.0]))
        shifted = np.exp(np.array([0.0, -1000.0]))
        found = {
            "difference": np.exp(np.float64(1000)) - np.exp(np.float64(1000)),
            "exp32": np.exp(np.float32(100)),
            "first": (e / e.sum())[0],
            "second": (e / e.sum())[1],
            "log": np.log(shifted / shifted.sum())[1],
        }
    return {k: "finite" if np.isfinite(v) else str(float(v)) for k, v in found.items()}


@overflow_forecast.alternative
def in_another_order():
    return dict(log="-inf", second="finite", first="nan", exp32="inf", difference="nan")


@overflow_forecast.mistake(
    "A number minus itself is 0. But is infinity a number? NumPy doesn't know that both came from "
    "the same place.",
    loses=("difference",),
)
def difference_is_zero():
    return {
        "difference": "finite",
        "exp32": "inf",
        "first": "nan",
        "second": "finite",
        "log": "-inf",
    }


@overflow_forecast.mistake(
    "Both exponentials overflow. Infinity minus infinity could be anything: what does NumPy call "
    "that?",
    loses=("difference",),
)
def difference_is_infinite():
    return {"difference": "inf", "exp32": "inf", "first": "nan", "second": "finite", "log": "-inf"}


@overflow_forecast.mistake(
    "The largest float32 is about 3.4e38, and e^100 is about 2.7e43.", loses=("exp32",)
)
def single_is_large_enough():
    return {
        "difference": "nan",
        "exp32": "finite",
        "first": "nan",
        "second": "finite",
        "log": "-inf",
    }


@overflow_forecast.mistake(
    "It should be 1, and that is what mathematics says. The machine divides infinity by infinity.",
    loses=("first",),
)
def first_is_one():
    return {
        "difference": "nan",
        "exp32": "inf",
        "first": "finite",
        "second": "finite",
        "log": "-inf",
    }


@overflow_forecast.mistake(
    "The numerator is infinite. So is what you divide by: what do the two make?",
    loses=("first",),
)
def first_is_infinite():
    return {"difference": "nan", "exp32": "inf", "first": "inf", "second": "finite", "log": "-inf"}


@overflow_forecast.mistake(
    "Only the entry with the large logit has infinity above the line. What is 1 divided by "
    "infinity?",
    loses=("second",),
)
def second_is_nan():
    return {"difference": "nan", "exp32": "inf", "first": "nan", "second": "nan", "log": "-inf"}


@overflow_forecast.mistake(
    "-1000 is the right answer, and a log_softmax gives it. Here the probability is formed first: "
    "what does e^-1000 round to, and what is the logarithm of that?",
    loses=("log",),
)
def log_is_saved_by_the_shift():
    return {
        "difference": "nan",
        "exp32": "inf",
        "first": "nan",
        "second": "finite",
        "log": "finite",
    }


@overflow_forecast.mistake(
    "The shift leaves no infinity to divide by, so no nan arises. What is the logarithm of 0 to "
    "NumPy?",
    loses=("log",),
)
def log_is_nan():
    return {"difference": "nan", "exp32": "inf", "first": "nan", "second": "finite", "log": "nan"}


@overflow_forecast.mistake(
    "The logarithm of 0 is infinite, on which side?",
    loses=("log",),
)
def log_is_plus_infinity():
    return {"difference": "nan", "exp32": "inf", "first": "nan", "second": "finite", "log": "inf"}


# which_loss -----------------------------------------------------------------------

which_loss = Question(
    "which_loss",
    "Which loss for the parcels",
    points=5,
    minutes=12,
    outcomes=(CHOOSE,),
    rubric="""\
- 1 point: squared error for the first manager, because it leads to the mean, and means add up to
  the total (or: because it assumes Gaussian errors of one width).
- 1 point: absolute error for the second, because it leads to the median, below which half of the
  parcels lie (or: because it assumes Laplace errors). Huber with a small delta is as good, if its
  role between the two is said.
- 1 point: what a lost parcel of 60 days does to each: it pulls the mean as hard as it is far away,
  the median only by its side.
- 1 point: a choice of loss is a statement about the errors or the costs, not about which number
  comes out smaller: losses of two kinds can't be compared with each other.
- 1 point: one way to test the assumption or the choice on data kept aside, such as a look at the
  errors' distribution, or each manager's own cost measured.""",
    exemplars={
        "full": """\
The first manager adds forecasts up, and means add up: squared error, whose best constant answer is
the mean. The second wants the value that half of the parcels beat, the median, so absolute error,
or Huber's with a small delta. A parcel that took 60 days pulls squared error sixty times as hard as
one that was a day late, and absolute error just as hard as any other; that is right for the first,
whose total really holds those days, and wrong for the second. So neither loss is better: each says
which errors I expect and what they cost. A smaller number for one says nothing against the other. I
would look at the errors on parcels kept aside: with a long right tail the two forecasts differ, and
I'd score each by its manager's own cost.""",
        "partial": """\
Squared error gives the mean and absolute error the median, so the first manager needs the first and
the second manager the second. The lost parcels move the mean a lot and the median hardly.""",
        "typical": """\
Huber is the best loss because it is robust against outliers. I would train with all of them and
take the one whose loss is smallest.""",
    },
)
