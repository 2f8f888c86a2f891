"""The exercises of ``attention``: weights and masks, the way back, heads, positions, and sizes.

Conventions: batch first, (N, L, E); a mask is Boolean, True where a query may attend; a query that
may attend to nothing gets 0; scores are divided by the root of the width that they are a product
over; the rows of ``in_proj_weight`` are those of queries, keys and values, heads one after the
other, as in ``torch.nn.MultiheadAttention``; a rotation turns neighbours, entries 2i and 2i + 1.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

WEIGH, PARTS, JUDGE = "attention-weigh", "attention-parts", "attention-judge"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch", "dlcourse.models")


# attention --------------------------------------------------------------------

attention = Exercise(
    "attention",
    "A weighted mean that looks before it weighs",
    parts={"all": 2, "masked": 2, "nothing": 1, "large": 1},
    minutes=20,
    difficulty=2,
    outcomes=(WEIGH,),
    forbids=FORBIDS,
)


@attention.cases
def _(rng):
    def case(n, length, keys, size, wide, part, note="", sign=1):
        query, key = rng.normal(size=(n, length, size)), rng.normal(size=(n, keys, size))
        value = rng.normal(size=(n, keys, wide))
        mask = np.ones((n, length, keys), bool)
        if part == "masked":
            mask = rng.random(mask.shape) < 0.5
            mask[..., 0], mask[0, 0, 1:] = True, False
            mask[0, -1, 1] = True
        elif part == "nothing":
            mask = rng.random(mask.shape) < 0.5
            mask[:, 0], mask[:, -1, 0] = False, True
        elif part == "large":  # the largest score of all is one that nobody may see
            query, key = np.ones_like(query), sign * rng.uniform(5000, 5010, size=key.shape)
            query[:, 1:] *= -1  # so one query's scores lie far below another's
            key[:, -1] = 25000.0
            mask[..., -1] = False
        return Case((query, key, value, mask), note, (part,))

    yield case(1, 2, 3, 2, 2, "all", "two queries, three keys, nothing masked")
    yield case(2, 3, 3, 4, 4, "all", "as many queries as keys")
    yield case(2, 1, 4, 3, 5, "all", "values wider than keys")
    yield case(2, 3, 4, 2, 3, "masked", "every query may attend to the first key at least")
    yield case(1, 3, 3, 3, 2, "masked", "the first query may attend to one key only")
    yield case(2, 3, 4, 2, 3, "nothing", "the first query may attend to nothing")
    yield case(1, 2, 4, 3, 2, "large", "products in the thousands; a masked one is the largest")
    yield case(1, 2, 3, 2, 2, "large", "the scores that count are far below 0", -1)
    while True:
        n, length, keys, size, wide = (int(v) for v in rng.integers(1, 5, size=5))
        part = str(rng.choice(["all", "masked", "nothing", "large"]))
        extra = part != "all"
        sign = int(rng.choice([-1, 1]))
        yield case(n, length + extra, keys + 2 * extra, size, wide, part, "", sign)


@attention.observe
def _(candidate, query, key, value, mask):
    return dict.fromkeys(("all", "masked", "nothing", "large"), candidate(query, key, value, mask))


@attention.answer
def _(query, key, value, mask):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=2, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    weights = np.exp(scores - top)
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.alternative
def query_by_query(query, key, value, mask):
    y = np.zeros((*query.shape[:2], value.shape[2]))
    for n in range(len(query)):
        for i in range(query.shape[1]):
            seen = mask[n, i]
            if seen.any():
                z = key[n, seen] @ query[n, i] / query.shape[2] ** 0.5
                e = np.exp(z - z.max())
                y[n, i] = e @ value[n, seen] / e.sum()
    return y


@attention.alternative
def by_logarithms(query, key, value, mask):
    z = np.einsum("nle,nse->nls", query / np.sqrt(query.shape[-1]), key)
    z = np.where(mask, z, -np.inf)
    total = np.logaddexp.reduce(z, axis=-1, keepdims=True)
    shares = np.exp(z - np.where(np.isinf(total), 0, total))
    return np.einsum("nls,nsv->nlv", shares, value)


@attention.mistake(
    "Your weights are sharper than they should be. A score is a sum of E products, and its "
    "variance is E: by what is it divided?"
)
def no_scale(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2), -np.inf)
    top = scores.max(axis=2, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "Your weights are flatter than they should be: you divide by the variance of a score. By what "
    "does one divide to bring a variance to 1?"
)
def divided_by_width(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / query.shape[2], -np.inf)
    top = scores.max(axis=2, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "You divide by the root of the number of keys. Over how many numbers does a score add up?"
)
def scaled_by_keys(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / np.sqrt(key.shape[1]), -np.inf)
    top = scores.max(axis=2, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "In yours the weights of each *key* add up to 1. Who shares out attention, and among whom?"
)
def softmax_over_queries(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]), -np.inf)
    top = scores.max(axis=1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "Your queries attend where they may not, and nowhere else. That is the convention of "
    "`torch.nn.MultiheadAttention`. What does True say in this statement?"
)
def mask_turned(query, key, value, mask):
    scores = np.where(~mask, query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]), -np.inf)
    top = scores.max(axis=2, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0.0))
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "The mask makes no difference to your answer. What may a query not see?",
    loses=("masked", "nothing", "large"),
)
def mask_ignored(query, key, value, mask):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True) @ value


@attention.mistake(
    "You set the masked scores to 0, and they still get weight: what is $e^0$?",
    loses=("masked", "nothing", "large"),
)
def score_of_zero(query, key, value, mask):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]) * mask
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True) @ value


@attention.mistake(
    "Masked keys get no weight, but what is left no longer adds up to 1. Which comes first, the "
    "mask or the division?",
    loses=("masked", "nothing", "large"),
)
def masked_behind_the_softmax(query, key, value, mask):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True) * mask @ value


@attention.mistake(
    "A query that may attend to nothing gets the mean of all values from you: equal scores, "
    "however small, have equal weights. What does the statement give it?",
    loses=("nothing",),
)
def large_negative_score(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]), -1e9)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return weights / weights.sum(axis=2, keepdims=True) @ value


@attention.mistake(
    "A query that may attend to nothing becomes NaN. What is $-\\infty - (-\\infty)$?",
    loses=("nothing",),
)
def nan_for_nothing(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]), -np.inf)
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        return weights / weights.sum(axis=2, keepdims=True) @ value


@attention.mistake(
    "With large scores, above 0 or below, the exponentials leave what a float can hold. What may "
    "be subtracted from all scores of a query without a change of its weights?",
    loses=("large",),
)
def no_maximum(query, key, value, mask):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    with np.errstate(over="ignore", invalid="ignore"):
        weights = np.where(mask, np.exp(scores), 0.0)
        total = weights.sum(axis=2, keepdims=True)
        return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "You subtract the largest score of all keys, the masked ones too. What is left of the others "
    "where a masked one is larger by a thousand?",
    loses=("large",),
)
def maximum_of_the_masked(query, key, value, mask):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    weights = np.where(mask, np.exp(scores - scores.max(axis=2, keepdims=True)), 0.0)
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


@attention.mistake(
    "A masked key wins where the others' scores lie far below 0. You put a number in its place "
    "that isn't small enough: which one is smaller than every score?",
    loses=("large",),
)
def not_negative_enough(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]), -100.0)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ value * mask.any(axis=2)[..., None]


@attention.mistake(
    "You subtract one number from the scores of all queries. Whose largest score must become 0?",
    loses=("large",),
)
def one_maximum_for_all(query, key, value, mask):
    scores = np.where(mask, query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2]), -np.inf)
    top = scores.max()
    weights = np.exp(scores - (top if np.isfinite(top) else 0.0))
    total = weights.sum(axis=2, keepdims=True)
    return weights / np.where(total > 0, total, 1.0) @ value


# attention_backward -----------------------------------------------------------

attention_backward = Exercise(
    "attention_backward",
    "Derive: back through attention",
    parts={"dquery": 2, "dkey": 2, "dvalue": 1, "nothing": 1},
    minutes=30,
    difficulty=3,
    outcomes=(WEIGH,),
    kind="derive",
    forbids=FORBIDS,
)


@attention_backward.cases
def _(rng):
    def case(n, length, keys, size, wide, note="", empty=False, other=False):
        query, key = rng.normal(size=(n, length, size)), rng.normal(size=(n, keys, size))
        scores = query @ key.swapaxes(1, 2) / np.sqrt(size)
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        if other:
            weights = rng.random(weights.shape)
            weights[..., 0] = 0.0
            weights /= weights.sum(axis=2, keepdims=True)
        if empty:
            weights[:, 0] = 0.0
        value, dy = rng.normal(size=(n, keys, wide)), rng.normal(size=(n, length, wide))
        parts = ("nothing",) if empty else ("dquery", "dkey", "dvalue")
        return Case((dy, query, key, value, weights), note, parts)

    yield case(1, 2, 3, 2, 2, "two queries, three keys")
    yield case(2, 3, 3, 4, 4, "as many queries as keys, and all of one width")
    yield case(2, 4, 2, 3, 5, "values wider than keys")
    yield case(2, 3, 3, 4, 2, "weights that others chose, one of each query 0", False, True)
    yield case(2, 3, 4, 3, 2, "the first query may attend to nothing", True)
    while True:
        n, length, keys, size, wide = (int(v) for v in rng.integers(2, 5, size=5))
        yield case(n, length, keys, size, wide, "", rng.random() < 0.3, rng.random() < 0.3)


@attention_backward.observe
def _(candidate, dy, query, key, value, weights):
    found = list(candidate(dy, query, key, value, weights))
    if len(found) != 3:
        raise ValueError(f"three gradients are asked for, not {len(found)}")
    names = ("dquery", "dkey", "dvalue")
    return dict(zip(names, found, strict=True)) | {"nothing": found}


@attention_backward.answer
def _(dy, query, key, value, weights):
    dweights = dy @ value.swapaxes(1, 2)
    dscores = weights * (dweights - (dweights * weights).sum(axis=2, keepdims=True))
    dscores = dscores / np.sqrt(query.shape[2])
    return dscores @ key, dscores.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.alternative
def through_the_output(dy, query, key, value, weights):
    y = weights @ value
    along = np.einsum("nlv,nsv->nls", dy, value) - np.einsum("nlv,nlv->nl", dy, y)[..., None]
    d = along * weights * query.shape[-1] ** -0.5
    return (
        np.einsum("nls,nse->nle", d, key),
        np.einsum("nls,nle->nse", d, query),
        np.einsum("nls,nlv->nsv", weights, dy),
    )


@attention_backward.alternative
def with_whole_jacobians(dy, query, key, value, weights):
    dq, dk, dv = np.zeros(query.shape), np.zeros(key.shape), np.zeros(value.shape)
    for n in range(len(dy)):
        for i in range(dy.shape[1]):
            a = weights[n, i]
            d = (np.diag(a) - np.outer(a, a)) @ (value[n] @ dy[n, i]) / np.sqrt(query.shape[2])
            dq[n, i] += d @ key[n]
            dk[n] += np.outer(d, query[n, i])
            dv[n] += np.outer(a, dy[n, i])
    return dq, dk, dv


@attention_backward.mistake(
    "You treat the weights of a query as if each went its own way. When one of them grows, what do "
    "the others do?",
    loses=("dquery", "dkey", "nothing"),
)
def others_stand_still(dy, query, key, value, weights):
    d = weights * (dy @ value.swapaxes(1, 2)) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "$a (1 - a)$ is how a weight moves with its *own* score. It also moves with all others of its "
    "row.",
    loses=("dquery", "dkey", "nothing"),
)
def slope_of_a_sigmoid(dy, query, key, value, weights):
    d = weights * (1 - weights) * (dy @ value.swapaxes(1, 2)) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "There is no softmax in your way back. What stands between the scores and the weights?",
    loses=("dquery", "dkey", "nothing"),
)
def no_softmax(dy, query, key, value, weights):
    d = dy @ value.swapaxes(1, 2) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "Your sum runs over the queries. Which numbers did the softmax divide by one total?",
    loses=("dquery", "dkey", "nothing"),
)
def summed_over_queries(dy, query, key, value, weights):
    da = dy @ value.swapaxes(1, 2)
    d = weights * (da - (da * weights).sum(axis=1, keepdims=True)) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "Your sum of a row leaves out the weights: that is the plain sum of what comes back. Write "
    "down how one weight moves with another's score.",
    loses=("dquery", "dkey", "nothing"),
)
def plain_sum(dy, query, key, value, weights):
    da = dy @ value.swapaxes(1, 2)
    d = weights * (da - da.sum(axis=2, keepdims=True)) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "Forwards the products were divided by something. A factor stays where it was on the way back.",
    loses=("dquery", "dkey", "nothing"),
)
def scale_forgotten(dy, query, key, value, weights):
    da = dy @ value.swapaxes(1, 2)
    d = weights * (da - (da * weights).sum(axis=2, keepdims=True))
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "You divide by E. The root was taken forwards; is a factor squared on the way back?",
    loses=("dquery", "dkey", "nothing"),
)
def scale_twice(dy, query, key, value, weights):
    da = dy @ value.swapaxes(1, 2)
    d = weights * (da - (da * weights).sum(axis=2, keepdims=True)) / query.shape[2]
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "The right gradients in another order. Which one does the statement ask for first?",
    loses=("dquery", "dvalue", "nothing"),
)
def value_first(dy, query, key, value, weights):
    da = dy @ value.swapaxes(1, 2)
    d = weights * (da - (da * weights).sum(axis=2, keepdims=True)) / np.sqrt(query.shape[2])
    return weights.swapaxes(1, 2) @ dy, d.swapaxes(1, 2) @ query, d @ key


@attention_backward.mistake(
    "You calculate the weights anew, from query and key. Which ones were you handed, and who says "
    "that nothing was masked?",
)
def weights_calculated_again(dy, query, key, value, weights):
    scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[2])
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    da = dy @ value.swapaxes(1, 2)
    d = weights * (da - (da * weights).sum(axis=2, keepdims=True)) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy


@attention_backward.mistake(
    "You divide by the number of examples once more. Where is their mean already?"
)
def mean_taken_again(dy, query, key, value, weights):
    da = dy @ value.swapaxes(1, 2) / (len(dy) + 1)
    d = weights * (da - (da * weights).sum(axis=2, keepdims=True)) / np.sqrt(query.shape[2])
    return d @ key, d.swapaxes(1, 2) @ query, weights.swapaxes(1, 2) @ dy / (len(dy) + 1)


# causal_mask ------------------------------------------------------------------

causal_mask = Exercise(
    "causal_mask",
    "Find the fault: the future can't change the past",
    parts={"future": 1, "padding": 1, "continued": 2},
    minutes=12,
    difficulty=2,
    outcomes=(WEIGH,),
    kind="mend",
    forbids=FORBIDS,
)


@causal_mask.cases
def _(rng):
    def case(lengths, total, new, part, note="", front=False):
        lengths = np.array(lengths)[:, None]
        keep = np.arange(total) >= total - lengths if front else np.arange(total) < lengths
        return Case((keep, new), note, (part,))

    yield case([4], 4, 4, "future", "four tokens, all of them ask")
    yield case([3, 3], 3, 3, "future", "two sequences without padding")
    yield case([2, 5, 4], 5, 5, "padding", "padding behind two of the three")
    yield case([2, 4], 4, 4, "padding", "padding in front of one", True)
    yield case([5], 5, 1, "continued", "one new token behind four")
    yield case([6, 6], 6, 2, "continued", "two new tokens behind four")
    yield case([3, 6, 5], 6, 3, "continued", "three new tokens, and padding in front", True)
    yield case([3, 5], 5, 2, "continued", "two new places, and padding behind one")
    while True:
        total = int(rng.integers(2, 8))
        lengths = rng.integers(1, total + 1, size=int(rng.integers(1, 4)))
        part = str(rng.choice(["future", "padding", "continued"]))
        if part == "future":
            lengths[:] = total
        new = int(rng.integers(1, total + 1)) if part == "continued" else total
        yield case(lengths, total, new, part, "", rng.random() < 0.5)


@causal_mask.observe
def _(candidate, keep, new):
    return dict.fromkeys(("future", "padding", "continued"), candidate(keep, new))


@causal_mask.answer
def _(keep, new):
    total = keep.shape[1]
    causal = np.arange(total) <= np.arange(total - new, total)[:, None]
    return causal & keep[:, None]


@causal_mask.alternative
def by_a_triangle(keep, new):
    total = keep.shape[1]
    return np.tri(new, total, total - new, dtype=bool)[None] & keep[:, None, :]


@causal_mask.alternative
def pair_by_pair(keep, new):
    n, total = keep.shape
    mask = np.zeros((n, new, total), dtype=bool)
    for b in range(n):
        for i in range(new):
            for j in range(total - new + i + 1):
                mask[b, i, j] = keep[b, j]
    return mask


@causal_mask.mistake(
    "With all tokens asking it is right. With few new ones behind old ones it isn't: your first "
    "query sees the first token only, as torch's `is_causal` has it. At which place of the "
    "sequence does the first of the new tokens stand?",
    loses=("continued",),
)
def counted_from_the_front(keep, new):
    return np.tri(new, keep.shape[1], dtype=bool) & keep[:, None]


@causal_mask.mistake(
    "Queries see tokens that are still to come, wherever there is something. Must one of the two "
    "rules allow a place, or both?"
)
def either_rule(keep, new):
    total = keep.shape[1]
    return np.tri(new, total, total - new, dtype=bool) | keep[:, None]


@causal_mask.mistake(
    "Padding is still seen. Which of the two things that you were handed have you not used?",
    loses=("padding", "continued"),
)
def padding_seen(keep, new):
    total = keep.shape[1]
    return np.repeat(np.tri(new, total, total - new, dtype=bool)[None], len(keep), axis=0)


@causal_mask.mistake(
    "In yours nobody sees itself. May the token that asks be one of those it reads?"
)
def not_itself(keep, new):
    total = keep.shape[1]
    return np.tri(new, total, total - new - 1, dtype=bool) & keep[:, None]


@causal_mask.mistake(
    "True and False are the other way round: that is how `torch.nn.Transformer` has it. What does "
    "True say here?"
)
def forbidden_is_true(keep, new):
    total = keep.shape[1]
    return ~(np.tri(new, total, total - new, dtype=bool) & keep[:, None])


@causal_mask.mistake("Your queries see the future and not the past. Which axis are the keys?")
def upper_triangle(keep, new):
    total = keep.shape[1]
    back = np.arange(total) >= np.arange(total - new, total)[:, None]
    return back & keep[:, None]


@causal_mask.mistake(
    "You have cut off the rows of padding, too: a query that is padding asks like any other here. "
    "Nobody reads its answer.",
    loses=("padding", "continued"),
)
def padding_asks_nothing(keep, new):
    total = keep.shape[1]
    causal = np.tri(new, total, total - new, dtype=bool)
    return causal & keep[:, None] & keep[:, total - new :, None]


@causal_mask.mistake(
    "You count the places of the queries back from each sequence's last token. A place of padding "
    "asks, too: where do the last places of the batch stand?",
    loses=("padding", "continued"),
)
def counted_from_the_last_token(keep, new):
    total = keep.shape[1]
    last = total - 1 - keep[:, ::-1].argmax(axis=1)
    place = last[:, None, None] - np.arange(new)[::-1, None]
    return (np.arange(total) <= place) & keep[:, None]


@causal_mask.mistake("All see all in yours. What may the first token not know about the last?")
def no_causality(keep, new):
    return np.repeat(keep[:, None], new, axis=1)


@causal_mask.mistake(
    "All sequences of your batch are masked by the padding of the first. Which axis of `keep` has "
    "gone?",
    loses=("padding", "continued"),
)
def padding_of_the_first(keep, new):
    total = keep.shape[1]
    mask = np.tri(new, total, total - new, dtype=bool) & keep[0]
    return np.repeat(mask[None], len(keep), axis=0)


@causal_mask.mistake(
    "It is wrong where few ask or where paddings differ: that is the colleague's. At "
    "which place does the first query stand, and whose padding is `keep[0]`?",
    loses=("padding", "continued"),
)
def as_it_was(keep, new):
    mask = np.tri(new, keep.shape[1], dtype=bool) & keep[0]
    return np.repeat(mask[None], len(keep), axis=0)


# multi_head -------------------------------------------------------------------

multi_head = Exercise(
    "multi_head",
    "Several heads, one product",
    parts={"weights": 2, "output": 3},
    minutes=20,
    difficulty=3,
    outcomes=(PARTS,),
    forbids=FORBIDS,
)


@multi_head.cases
def _(rng):
    def case(n, length, heads, width, note=""):
        size = heads * width
        x = rng.normal(size=(n, length, size))
        return Case(
            (x, rng.normal(size=(3 * size, size)) / 2, rng.normal(size=(size, size)), heads), note
        )

    yield case(1, 3, 1, 2, "one head")
    yield case(1, 2, 2, 2, "two heads of width 2")
    yield case(2, 3, 2, 3, "two heads of width 3")
    yield case(2, 4, 3, 2, "three heads of width 2")
    yield case(1, 5, 4, 1, "four heads of width 1")
    while True:
        yield case(*(int(v) for v in rng.integers((1, 2, 1, 1), (4, 6, 5, 4))))


@multi_head.observe
def _(candidate, x, in_proj_weight, out_proj_weight, num_heads):
    found = list(candidate(x, in_proj_weight, out_proj_weight, num_heads))
    if len(found) != 2:
        raise ValueError(f"output and weights are asked for, not {len(found)} things")
    return {"output": found[0], "weights": found[1]}


@multi_head.answer
def _(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.alternative
def head_by_head(x, in_proj_weight, out_proj_weight, num_heads):
    size = x.shape[2]
    width, y, seen = size // num_heads, 0.0, []
    for h in range(num_heads):
        rows = np.arange(h * width, (h + 1) * width)
        q, k, v = (x @ in_proj_weight[rows + part * size].T for part in range(3))
        e = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(width))
        a = e / e.sum(axis=2, keepdims=True)
        y = y + a @ v @ out_proj_weight[:, rows].T
        seen.append(a)
    return y, np.stack(seen, axis=1)


@multi_head.alternative
def by_einsum(x, in_proj_weight, out_proj_weight, num_heads):
    size = x.shape[2]
    w = in_proj_weight.reshape(3, num_heads, size // num_heads, size)
    q, k, v = np.einsum("phdc,nlc->pnhld", w, x)
    z = np.einsum("nhld,nhsd->nhls", q, k) * (size // num_heads) ** -0.5
    a = np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))
    o = out_proj_weight.reshape(size, num_heads, -1)
    return np.einsum("nhls,nhsd,chd->nlc", a, v, o), a


@multi_head.mistake(
    "Each score is a product over the entries of one head. How many are those?",
)
def scaled_by_all(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "By what are the scores of a head divided?",
)
def not_scaled(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(1.0)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "Your head 0 has every `num_heads`-th entry. By the statement a head's entries are neighbours.",
)
def heads_interleaved(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, -1, num_heads).transpose(0, 3, 1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).transpose(0, 2, 3, 1).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "You reshape to `(N, heads, L, width)` straight away: that hands whole tokens to heads, "
    "and not entries of each token. Which axis is cut in two, and which ones change places "
    "afterwards?",
)
def tokens_cut_up(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, num_heads, length, -1) for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "The weights are right. Behind them the axes stand as head, token, entry. Which order "
    "must they have before two of them become one?",
    loses=("output",),
)
def heads_not_brought_back(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "Queries and keys have changed places: who asks stands in the rows of the weights.",
)
def keys_first(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in (lambda p: (p[1], p[0], p[2]))(np.split(x @ in_proj_weight.T, 3, axis=2))
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "You cut the rows of `in_proj_weight` into heads first, and then each head into three. "
    "Some models store it so; the statement has all queries first.",
)
def head_by_head_rows(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.moveaxis((x @ in_proj_weight.T).reshape(n, length, num_heads, 3, -1), 3, 0)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights


@multi_head.mistake(
    "The heads stand side by side, and nothing mixes them. What is `out_proj_weight` for?",
    loses=("output",),
)
def no_last_product(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size), weights


@multi_head.mistake(
    "`out_proj_weight` is square, so it fits either way round. Which of its axes are the "
    "entries that come out?",
    loses=("output",),
)
def last_weight_turned(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight, weights


@multi_head.mistake(
    "You give back the mean of the heads, as torch does unless told otherwise. What does "
    "the statement ask for?",
    loses=("weights",),
)
def weights_averaged(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights = weights / weights.sum(axis=3, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights.mean(
        axis=1
    )


@multi_head.mistake(
    "In yours the weights of each key add up to 1. Over which axis does a query share out "
    "its attention?",
)
def heads_share_queries(x, in_proj_weight, out_proj_weight, num_heads):
    n, length, size = x.shape
    q, k, v = (
        part.reshape(n, length, num_heads, -1).swapaxes(1, 2)
        for part in np.split(x @ in_proj_weight.T, 3, axis=2)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(size / num_heads)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = weights / weights.sum(axis=2, keepdims=True)
    return (weights @ v).swapaxes(1, 2).reshape(n, length, size) @ out_proj_weight.T, weights


# rope -------------------------------------------------------------------------

rope = Exercise(
    "rope",
    "Positions that turn",
    parts={"from_zero": 2, "elsewhere": 2},
    minutes=15,
    difficulty=2,
    outcomes=(PARTS,),
    forbids=FORBIDS,
)


@rope.cases
def _(rng):
    def case(n, positions, size, part, note=""):
        positions = np.array(positions)
        return Case((rng.normal(size=(n, len(positions), size)), positions), note, (part,))

    yield case(1, [0, 1, 2], 2, "from_zero", "one pair of entries")
    yield case(2, [0, 1, 2, 3], 4, "from_zero", "two pairs")
    yield case(1, [0, 1, 2], 8, "from_zero", "four pairs")
    yield case(1, [7], 4, "elsewhere", "one token at place 7")
    yield case(2, [5, 6, 7], 6, "elsewhere", "three tokens that begin at place 5")
    yield case(1, [3, 0, 40], 4, "elsewhere", "places in no order")
    while True:
        n, length, pairs = (int(v) for v in rng.integers((1, 2, 1), (3, 6, 5)))
        if rng.random() < 0.4:
            yield case(n, np.arange(length), 2 * pairs, "from_zero")
        else:
            yield case(n, rng.integers(1, 60, size=length), 2 * pairs, "elsewhere")


@rope.observe
def _(candidate, x, positions):
    return dict.fromkeys(("from_zero", "elsewhere"), candidate(x, positions))


@rope.answer
def _(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.alternative
def by_complex_numbers(x, positions):
    size = x.shape[2]
    pairs = x.reshape(*x.shape[:2], size // 2, 2)
    z = pairs[..., 0] + 1j * pairs[..., 1]
    z = z * np.exp(1j * np.outer(positions, 10_000.0 ** (-2 * np.arange(size // 2) / size)))
    return np.stack([z.real, z.imag], axis=-1).reshape(x.shape)


@rope.alternative
def with_matrices(x, positions):
    y = np.zeros(x.shape)
    for t, place in enumerate(positions):
        turn = np.zeros((x.shape[2], x.shape[2]))
        for i in range(0, x.shape[2], 2):
            a = place / 10_000 ** (i / x.shape[2])
            turn[i : i + 2, i : i + 2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
        y[:, t] = x[:, t] @ turn.T
    return y


@rope.mistake(
    "With one pair it is right. You turn entry i with entry i + D/2, as many language "
    "models store it. Which entries are a pair in the statement?",
)
def halves_as_pairs(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., : size // 2], x[..., size // 2 :]
    y = np.empty(x.shape)
    y[..., : size // 2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., size // 2 :] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "You turn the other way round. What does a turn by +90° make of (1, 0)?",
)
def turned_backwards(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) + odd * np.sin(angle)
    y[..., 1::2] = odd * np.cos(angle) - even * np.sin(angle)
    return y


@rope.mistake(
    "The first pair is right, the others turn too fast. By the statement the exponent of "
    "pair i is -2i / D.",
)
def exponents_too_small(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(size // 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "Your later pairs turn faster than the first. Which sign has the exponent?",
)
def later_pairs_faster(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "All your pairs turn at one speed. On what does the angle depend besides the place?",
)
def one_speed(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * np.ones(size // 2)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "You number the tokens yourself, from 0. What does `positions` say?",
    loses=("elsewhere",),
)
def places_ignored(x, positions):
    size = x.shape[2]
    angle = np.arange(x.shape[1])[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "The first token of all is turned in yours, too. What is the angle at place 0?",
)
def counted_from_one(x, positions):
    size = x.shape[2]
    angle = (positions + 1)[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "You count from the first token that you were handed. It needn't stand at place 0.",
    loses=("elsewhere",),
)
def places_moved_to_zero(x, positions):
    size = x.shape[2]
    angle = (positions - positions[0])[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return y


@rope.mistake(
    "You add sines and cosines to the entries: that is the older way, of Vaswani and "
    "others. Here pairs are turned, and keep their length.",
)
def waves_added(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even + np.sin(angle)
    y[..., 1::2] = odd + np.cos(angle)
    return y


@rope.mistake(
    "The second entry of a pair is turned with the *new* first one. Which one does the "
    "equation have?",
)
def entries_overwritten(x, positions):
    size = x.shape[2]
    angle = positions[:, None] * 10_000.0 ** (-np.arange(0, size, 2) / size)
    even, odd = x[..., 0::2], x[..., 1::2]
    y = np.empty(x.shape)
    y[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    y[..., 1::2] = y[..., 0::2] * np.sin(angle) + odd * np.cos(angle)
    return y


# attention_forecast -----------------------------------------------------------

attention_forecast = Exercise(
    "attention_forecast",
    "Predict: what attention costs",
    parts=dict.fromkeys(
        (
            "attention",
            "more_heads",
            "layer",
            "weights",
            "twice_as_long",
            "causal",
            "cache",
            "grouped",
        ),
        1,
    ),
    minutes=12,
    difficulty=2,
    outcomes=(PARTS,),
    kind="predict",
    of="value",
)


@attention_forecast.answer
def _():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.alternative
def by_formula():
    c, f, length, heads, groups = 64, 128, 100, 4, 2
    one = 4 * (c * c + c)
    return {
        "attention": one,
        "more_heads": one,
        "layer": one + (c + 1) * f + (f + 1) * c + 2 * 2 * c,
        "weights": heads * length**2,
        "twice_as_long": heads * (2 * length) ** 2,
        "causal": length * (length + 1) // 2,
        "cache": 2 * length * c,
        "grouped": 2 * length * c // heads * groups,
    }


@attention_forecast.alternative
def by_counting_arrays():
    sizes = {"in": (192, 64), "in bias": (192,), "out": (64, 64), "out bias": (64,)}
    one = sum(np.zeros(s).size for s in sizes.values())
    rest = [(128, 64), (128,), (64, 128), (64,), (64,), (64,), (64,), (64,)]
    return {
        "attention": one,
        "more_heads": one,
        "layer": one + sum(np.zeros(s).size for s in rest),
        "weights": np.zeros((4, 100, 100)).size,
        "twice_as_long": np.zeros((4, 200, 200)).size,
        "causal": int(np.tri(100).sum()),
        "cache": np.zeros((2, 100, 64)).size,
        "grouped": np.zeros((2, 100, 2, 16)).size,
    }


@attention_forecast.mistake(
    "`attention`: weights alone. Each of the four maps learns something else, too.",
    loses=("attention",),
)
def no_biases():
    return {
        "attention": 16_384,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`attention`: queries, keys and values are three maps. What stands behind the heads?",
    loses=("attention",),
)
def no_last_map():
    return {
        "attention": 12_480,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`more_heads`: a head takes its share of the entries. What happens to that share when "
    "there are more heads?",
    loses=("more_heads",),
)
def heads_have_maps_of_their_own():
    return {
        "attention": 16_640,
        "more_heads": 33_280,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`layer`: two norms are missing. What does a layer norm learn for each entry?",
    loses=("layer",),
)
def no_norms():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_216,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`layer`: there is a norm before attention, and another one before the perceptron.",
    loses=("layer",),
)
def one_norm():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_344,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`layer`: the perceptron is two linear layers. Has each a bias?",
    loses=("layer",),
)
def perceptron_without_biases():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_280,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`weights`: that is one head's.",
    loses=("weights",),
)
def one_map():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 10_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`weights`: that is one number for each entry of each token. Attention has one for each "
    "pair of tokens.",
    loses=("weights",),
)
def weights_as_entries():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 6_400,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`twice_as_long`: twice the queries. And each of them has how many keys?",
    loses=("twice_as_long",),
)
def only_twice():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 80_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`causal`: you leave out that each token sees itself.",
    loses=("causal",),
)
def itself_left_out():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 4_950,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`causal`: half of all pairs. On which side of the half is the diagonal?",
    loses=("causal",),
)
def half_of_the_square():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_000,
        "cache": 12_800,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`cache`: keys alone. What is weighed by the weights?",
    loses=("cache",),
)
def keys_only():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 6_400,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`cache`: who will ever ask for an old query again?",
    loses=("cache",),
)
def queries_kept():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 19_200,
        "grouped": 6_400,
    }


@attention_forecast.mistake(
    "`grouped`: how many different keys has a token, when two heads share one?",
    loses=("grouped",),
)
def all_heads_kept():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 12_800,
    }


@attention_forecast.mistake(
    "`grouped`: that is one group for all heads. There are two.",
    loses=("grouped",),
)
def one_group():
    return {
        "attention": 16_640,
        "more_heads": 16_640,
        "layer": 33_472,
        "weights": 40_000,
        "twice_as_long": 160_000,
        "causal": 5_050,
        "cache": 12_800,
        "grouped": 3_200,
    }


# written ----------------------------------------------------------------------

what_the_map_shows = Question(
    "what_the_map_shows",
    "What the map shows",
    points=5,
    minutes=12,
    outcomes=(JUDGE,),
    rubric="""\
- 1 point: a weight says how much of a *value* goes into a mean, at one head of one layer. Values
  have gone through layers that mix tokens, so a place isn't only the word that stands there; and
  what comes later can undo it.
- 1 point: one map of many was chosen, of one example: heads, layers and letters that show nothing
  were left out. Asks for all of them, or a number over many examples.
- 1 point: a test that intervenes: hide or replace the words with much weight, and see whether the
  answer changes more than with others.
- 1 point: with a comparison: random words, as many, or words of small weight; a rule that needs no
  map, such as the place; or an untrained network's map; on data that wasn't used to find the head.
- 1 point: says what would be fair to claim and what to do: the map is an observation, no reason for
  a decision; don't put it before people who decide as an explanation until the test was done.
- No point for "attention is not explanation" without saying why.""",
    exemplars={
        "full": """\
The bright words are those whose values got much weight in one head of one layer. By then these
values hold bits of all other words, and the layers behind can use or ignore what comes, so the map
doesn't say on which words the decision rests. It is also one head of many for one letter: I would
want to see the others, and a number over some hundred letters instead of a picture. To test it I
would take letters that weren't used to choose the head, replace the five words with the most weight
and see how far the score moves, and do the same with five words drawn at random and with the five
of least weight. Only if the first moves the score clearly more may one say that the network uses
these words. Until then I would leave the map out of the letters to applicants: it is something we
saw, and not a reason.""",
        "partial": """\
It is only one example and one head, there could be others that look quite different. One should
delete the words that are highlighted and see if the decision changes.""",
        "typical": """\
The map shows that the model looks at the right words, which is good because it makes the model
transparent. They should perhaps use a larger model so that the attention becomes even more precise,
and show the map in colour.""",
    },
)
