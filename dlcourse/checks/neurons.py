"""The exercises of ``neurons``: one unit, trained by hand, and the network that one unit can't be.

Conventions: a batch ``x`` has shape (samples, inputs); the perceptron's labels are -1 and +1, the
logistic unit's 0 and 1; a score of exactly 0 fires; the perceptron updates when ``y * score <= 0``.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

COMPUTE, TRAIN, LIMITS = "neurons-compute", "neurons-train", "neurons-limits"
FORBIDS = ("torch", "sklearn", "dlcourse.scratch")


# neuron_forward ---------------------------------------------------------------

neuron_forward = Exercise(
    "neuron_forward",
    "What a neuron computes",
    parts={"score": 1, "label": 1},
    minutes=8,
    difficulty=1,
    outcomes=(COMPUTE,),
    forbids=FORBIDS,
)


@neuron_forward.cases
def _(rng):
    x = np.array([[1.0, 2.0], [2.0, -1.0], [-1.0, -2.0]])
    yield Case((x, np.array([2.0, -1.0]), 0.0), "a score of exactly 0")
    yield Case((x, np.array([2.0, -1.0]), -1.0), "the bias decides")
    yield Case((x[:1], np.array([1.0, 1.0]), -3.0), "one sample, and a score of exactly 0")
    yield Case((np.array([[1, 2], [3, 1]]), np.array([0.5, -0.3]), -0.25), "whole-numbered inputs")
    yield Case((rng.normal(size=(3, 3)), rng.normal(size=3), 0.5), "as many samples as inputs")
    yield Case((rng.normal(size=(4, 1)), rng.normal(size=1), -0.5), "one input")
    while True:
        n, d = rng.integers(2, 9, size=2)
        yield rng.normal(size=(n, d)), rng.normal(size=d), float(rng.normal())


@neuron_forward.answer
def _(x, weight, bias):
    score = x @ weight + bias
    label = np.where(score >= 0, 1, -1)
    return score, label


@neuron_forward.alternative
def one_sample_at_a_time(x, weight, bias):
    score = np.empty(len(x))
    label = np.empty(len(x), dtype=int)
    for i, row in enumerate(x):
        score[i] = sum(w * v for w, v in zip(weight, row)) + bias  # noqa: B905 - a learner's loop
        label[i] = 1 if score[i] >= 0 else -1
    return score, label


@neuron_forward.alternative
def bias_as_a_weight(x, weight, bias):
    score = np.einsum("nd,d->n", np.c_[np.ones(len(x)), x], np.r_[bias, weight])
    return score, 2 * (score >= 0) - 1


@neuron_forward.mistake("The bias is one number for the neuron. How often do you add it?")
def bias_at_every_input(x, weight, bias):
    score = (x * weight + bias).sum(axis=1)
    return score, np.where(score >= 0, 1, -1)


@neuron_forward.mistake("What does your neuron answer to an input of zeros? What should it answer?")
def no_bias(x, weight, bias):
    score = x @ weight
    return score, np.where(score >= 0, 1, -1)


@neuron_forward.mistake(
    "You treat the bias as a threshold to be reached. Here it is added: which sign has it then?"
)
def bias_as_threshold(x, weight, bias):
    score = x @ weight - bias
    return score, np.where(score >= 0, 1, -1)


@neuron_forward.mistake(
    "Look at a score of exactly 0. Does the statement count it as firing?", loses=("label",)
)
def zero_is_silent(x, weight, bias):
    score = x @ weight + bias
    return score, np.where(score > 0, 1, -1)


@neuron_forward.mistake(
    "`np.sign` knows three answers, and gives floats. How many labels are there?", loses=("label",)
)
def sign_of_the_score(x, weight, bias):
    score = x @ weight + bias
    return score, np.sign(score)


@neuron_forward.mistake("Here a silent neuron's label is -1, not 0.", loses=("label",))
def zeros_and_ones(x, weight, bias):
    score = x @ weight + bias
    return score, (score >= 0).astype(int)


@neuron_forward.mistake(
    "True and False are not labels yet: which two integers stand for them?", loses=("label",)
)
def booleans(x, weight, bias):
    score = x @ weight + bias
    return score, score >= 0


@neuron_forward.mistake(
    "That is a probability. The score is what stands before any squashing.", loses=("score",)
)
def squashed(x, weight, bias):
    score = x @ weight + bias
    return 1 / (1 + np.exp(-score)), np.where(score >= 0, 1, -1)


@neuron_forward.mistake("One score for each sample: an array with one axis, not a column.")
def column(x, weight, bias):
    score = x @ weight[:, None] + bias
    return score, np.where(score >= 0, 1, -1)


@neuron_forward.mistake("Samples are the rows of x. Over which axis does the neuron add up?")
def samples_in_columns(x, weight, bias):
    score = x.T @ weight + bias
    return score, np.where(score >= 0, 1, -1)


@neuron_forward.mistake(
    "Right, but as floats: the statement asks for integer labels.", loses=("label",)
)
def labels_as_floats(x, weight, bias):
    score = x @ weight + bias
    return score, np.where(score >= 0, 1.0, -1.0)


@neuron_forward.mistake("Lists, and the statement asks for arrays.")
def lists(x, weight, bias):
    score = (x @ weight + bias).tolist()
    return score, [1 if s >= 0 else -1 for s in score]


@neuron_forward.mistake(
    "Where x holds whole numbers your scores lose their fraction. What dtype has the array that "
    "you fill?"
)
def scores_cut_to_integers(x, weight, bias):
    score = np.zeros_like(x[:, 0])
    for i in range(len(x)):
        score[i] = x[i] @ weight + bias
    return score, np.where(score >= 0, 1, -1)


@neuron_forward.mistake("`*=` writes into the array that you were given, which isn't yours.")
def in_place(x, weight, bias):
    x *= weight
    score = x.sum(axis=1) + bias
    return score, np.where(score >= 0, 1, -1)


# perceptron_update ------------------------------------------------------------

perceptron_update = Exercise(
    "perceptron_update",
    "One step of the perceptron",
    parts={"weight": 2, "bias": 1},
    minutes=10,
    difficulty=1,
    outcomes=(TRAIN,),
    forbids=FORBIDS,
)


@perceptron_update.cases
def _(rng):
    yield Case((np.zeros(3), 0.0, np.array([1.0, -2.0, 0.5]), -1), "a score of exactly 0, y = -1")
    yield Case((np.zeros(2), 0.0, np.array([0.5, 3.0]), 1), "a score of exactly 0, y = +1")
    yield Case((np.array([2.0, 1.0]), 1.0, np.array([1.0, 1.0]), 1), "already right")
    yield Case((np.array([2.0, 1.0]), 1.0, np.array([-1.0, -2.0]), -1), "already right, y = -1")
    yield Case((np.array([2.0, 1.0]), 1.0, np.array([1.0, 1.0]), -1), "wrong, y = -1")
    yield Case((np.array([2.0, 1.0]), -5.0, np.array([1.0, 1.5]), 1), "wrong, y = +1")
    yield Case((np.array([2.0, 1.0]), -5.0, np.array([1.0, 1.0]), -1), "right, thanks to the bias")
    yield Case((np.array([0.5, 1.5]), 0.5, np.array([2, -3]), 1), "whole-numbered inputs")
    while True:
        d = rng.integers(1, 7)
        w, b, x = rng.normal(size=d), float(rng.normal()), rng.normal(size=d)
        yield w, b, x, int(rng.choice([-1, 1]))


@perceptron_update.answer
def _(weight, bias, x, y):
    if y * (weight @ x + bias) <= 0:
        return weight + y * x, bias + y
    return weight, bias


@perceptron_update.alternative
def by_a_factor(weight, bias, x, y):
    step = y * float(y * (np.sum(weight * x) + bias) <= 0)
    return weight + step * x, bias + step


@perceptron_update.alternative
def by_the_predicted_label(weight, bias, x, y):
    score = float(np.dot(weight, x)) + bias
    wrong = score >= 0 if y == -1 else score <= 0
    new_weight, new_bias = weight.copy(), bias
    if wrong:
        new_weight += y * x
        new_bias += y
    return new_weight, new_bias


@perceptron_update.mistake(
    "With all weights zero every score is 0. Does your neuron ever start to learn?"
)
def zero_counts_as_right(weight, bias, x, y):
    if y * (weight @ x + bias) < 0:
        return weight + y * x, bias + y
    return weight, bias


@perceptron_update.mistake(
    "At a score of 0 your neuron answers +1 and stops there. The rule doesn't ask for the answer: "
    "it corrects wherever y times the score isn't positive."
)
def only_wrong_answers(weight, bias, x, y):
    predicted = 1 if weight @ x + bias >= 0 else -1
    if predicted != y:
        return weight + y * x, bias + y
    return weight, bias


@perceptron_update.mistake("The label multiplies the whole score. Where do your brackets end?")
def label_times_half_the_score(weight, bias, x, y):
    if y * (weight @ x) + bias <= 0:
        return weight + y * x, bias + y
    return weight, bias


@perceptron_update.mistake(
    "It changes where it was right already. When does the perceptron leave its weights alone?"
)
def always(weight, bias, x, y):
    return weight + y * x, bias + y


@perceptron_update.mistake("The step goes the wrong way: it makes a wrong score more wrong.")
def away(weight, bias, x, y):
    if y * (weight @ x + bias) <= 0:
        return weight - y * x, bias - y
    return weight, bias


@perceptron_update.mistake("The bias learns too. What is its input?", loses=("bias",))
def bias_forgotten(weight, bias, x, y):
    if y * (weight @ x + bias) <= 0:
        return weight + y * x, bias
    return weight, bias


@perceptron_update.mistake("The bias moves up even where the answer should be -1.", loses=("bias",))
def bias_always_up(weight, bias, x, y):
    if y * (weight @ x + bias) <= 0:
        return weight + y * x, bias + 1.0
    return weight, bias


@perceptron_update.mistake("The step is right for y = +1. What should it be for y = -1?")
def label_forgotten(weight, bias, x, y):
    if y * (weight @ x + bias) <= 0:
        return weight + x, bias + 1.0
    return weight, bias


@perceptron_update.mistake(
    "Your step is twice too long. By how much does y differ from the answer with labels -1 and +1?"
)
def difference_of_labels(weight, bias, x, y):
    error = y - (1 if weight @ x + bias >= 0 else -1)
    return weight + error * x, bias + error


@perceptron_update.mistake(
    "Your step grows with the score: that is the delta rule of Widrow and Hoff. The perceptron "
    "only asks whether the answer is wrong."
)
def delta_rule(weight, bias, x, y):
    error = y - (weight @ x + bias)
    return weight + error * x, bias + error


@perceptron_update.mistake("The test looks at the weights only. What moves the line off zero?")
def bias_not_in_the_test(weight, bias, x, y):
    if y * (weight @ x) <= 0:
        return weight + y * x, bias + y
    return weight, bias


@perceptron_update.mistake("`+=` on an array changes the caller's weights. Return new ones.")
def in_place_step(weight, bias, x, y):
    if y * (weight @ x + bias) <= 0:
        weight += y * x
        bias += y
    return weight, bias


# perceptron_fit ---------------------------------------------------------------

perceptron_fit = Exercise(
    "perceptron_fit",
    "Train until nothing is wrong",
    parts={"weight": 1, "bias": 1, "errors": 2},
    minutes=15,
    difficulty=2,
    outcomes=(TRAIN,),
    forbids=FORBIDS,
)


@perceptron_fit.cases
def _(rng):
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    yield Case((corners, np.array([-1, -1, -1, 1]), 20), "AND, which settles")
    yield Case((corners, np.array([-1, 1, 1, -1]), 3), "XOR, which never settles")
    yield Case((corners, np.array([-1, 1, 1, 1]), 20), "OR, which settles")
    yield Case((corners[:3], np.array([1, -1, -1]), 1), "one epoch only")
    x = np.array([[-1.0, -2.0], [-2.0, -1.0], [-1.0, 1.0], [-2.0, 0.0], [2.0, 1.0]])
    y = np.array([-1, -1, -1, 1, 1])
    yield Case((x, y, 4), "stopped where an earlier epoch was better")
    while True:
        n, d = rng.integers(4, 12), rng.integers(2, 5)
        x, teacher = rng.normal(size=(n, d)), rng.normal(size=d)
        yield x, np.where(x @ teacher + 0.3 >= 0, 1, -1), int(rng.integers(2, 30))


@perceptron_fit.answer
def _(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _epoch in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight = weight + label * row
                bias = bias + label
                wrong += 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, bias, np.array(errors)


@perceptron_fit.alternative
def bias_as_first_weight(x, y, max_epochs):
    rows = np.c_[np.ones(len(x)), x]
    w = np.zeros(rows.shape[1])
    errors = np.zeros(max_epochs, dtype=int)
    for epoch in range(max_epochs):
        for i in range(len(rows)):
            if y[i] * (rows[i] @ w) <= 0:
                w += y[i] * rows[i]
                errors[epoch] += 1
        if not errors[epoch]:
            return w[1:], w[0], errors[: epoch + 1]
    return w[1:], w[0], errors


@perceptron_fit.alternative
def while_something_is_wrong(x, y, max_epochs):
    w, b = np.zeros(x.shape[1]), 0
    errors: list[int] = []
    while len(errors) < max_epochs and (not errors or errors[-1] > 0):
        before = 0
        for i in range(len(x)):
            wrong = y[i] * (np.dot(x[i], w) + b) <= 0
            w = w + wrong * y[i] * x[i]
            b = b + int(wrong) * int(y[i])
            before += int(wrong)
        errors.append(before)
    return w, float(b), np.asarray(errors)


@perceptron_fit.mistake(
    "An epoch without an error is the last one: nothing can change after it.", loses=("errors",)
)
def never_stops_early(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
    return weight, bias, np.array(errors)


@perceptron_fit.mistake(
    "The epoch without an error belongs into the record too: it is the proof.", loses=("errors",)
)
def last_epoch_not_recorded(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        if wrong == 0:
            break
        errors.append(wrong)
    return weight, bias, np.array(errors, dtype=int)


@perceptron_fit.mistake(
    "`errors` never falls. Where should the counter start again?", loses=("errors",)
)
def counts_on_and_on(x, y, max_epochs):
    weight, bias, errors, wrong = np.zeros(x.shape[1]), 0.0, list[int](), 0
    for _ in range(max_epochs):
        before = wrong
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
        if wrong == before:
            break
    return weight, bias, np.array(errors)


@perceptron_fit.mistake(
    "You count what is wrong after the epoch. `errors` counts the updates made during it.",
    loses=("errors",),
)
def counts_afterwards(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        updates = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, updates = weight + label * row, bias + label, updates + 1
        errors.append(int(np.sum(y * (x @ weight + bias) <= 0)))
        if updates == 0:
            break
    return weight, bias, np.array(errors)


@perceptron_fit.mistake("A list, and the statement asks for an array.", loses=("errors",))
def errors_as_a_list(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, bias, errors


@perceptron_fit.mistake(
    "You decide which samples are wrong with the weights of the epoch's start. Each sample should "
    "see what the one before it has taught."
)
def whole_batch_at_once(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = y * (x @ weight + bias) <= 0
        weight, bias = weight + (y * wrong) @ x, bias + float(np.sum(y * wrong))
        errors.append(int(wrong.sum()))
        if not wrong.any():
            break
    return weight, bias, np.array(errors)


@perceptron_fit.mistake(
    "From weights of zero every score is 0, and your test finds nothing wrong with that."
)
def zero_score_is_fine(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) < 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, bias, np.array(errors)


@perceptron_fit.mistake(
    "You return the best weights that you met. That is a good idea of its own, called the pocket "
    "algorithm; here the last ones are asked for.",
    loses=("weight", "bias"),
)
def best_of_all_epochs(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    best, kept = len(x) + 1, (weight, bias)
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
        left = np.sum(np.where(x @ weight + bias >= 0, 1, -1) != y)
        if left < best:
            best, kept = left, (weight, bias)
        if wrong == 0:
            break
    return *kept, np.array(errors)


@perceptron_fit.mistake(
    "At a score of 0 your neuron answers +1 and you leave it there. The rule corrects wherever y "
    "times the score isn't positive."
)
def corrects_wrong_answers_only(x, y, max_epochs):
    weight, bias, errors = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if (1 if weight @ row + bias >= 0 else -1) != label:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, bias, np.array(errors)


@perceptron_fit.mistake("Each epoch forgets what the one before it learned. Where do you begin?")
def starts_again_each_epoch(x, y, max_epochs):
    errors = []
    for _ in range(max_epochs):
        weight, bias, wrong = np.zeros(x.shape[1]), 0.0, 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight, bias, wrong = weight + label * row, bias + label, wrong + 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, bias, np.array(errors)


@perceptron_fit.mistake("Two of three: is there something beside the weights to learn?")
def without_bias(x, y, max_epochs):
    weight, errors = np.zeros(x.shape[1]), []
    for _ in range(max_epochs):
        wrong = 0
        for row, label in zip(x, y, strict=True):
            if label * (weight @ row) <= 0:
                weight, wrong = weight + label * row, wrong + 1
        errors.append(wrong)
        if wrong == 0:
            break
    return weight, 0.0, np.array(errors)


# mended_fit -------------------------------------------------------------------

mended_fit = Exercise(
    "mended_fit",
    "Find the fault",
    parts={"weight": 2, "bias": 1},
    minutes=10,
    difficulty=2,
    outcomes=(TRAIN,),
    kind="mend",
    forbids=FORBIDS,
)


@mended_fit.cases
def _(rng):
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    yield Case((corners, np.array([0, 0, 0, 1]), 10), "AND")
    yield Case((corners, np.array([1, 1, 1, 0]), 10), "NAND")
    yield Case((corners[:2], np.array([0, 0]), 2), "no sample with label 1")
    while True:
        n, d = rng.integers(4, 12), rng.integers(2, 5)
        x, teacher = rng.normal(size=(n, d)), rng.normal(size=d)
        yield x, (x @ teacher >= 0.3).astype(int), int(rng.integers(2, 8))


@mended_fit.answer
def _(x, labels, epochs):
    y = 2 * labels - 1  # the rule below is for -1 and +1
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, y, strict=True):
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


@mended_fit.alternative
def where(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, np.where(labels == 1, 1.0, -1.0), strict=True):
            if target * (np.dot(weight, row) + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


@mended_fit.alternative
def label_by_label(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, label in zip(x, labels, strict=True):
            score = weight @ row + bias
            if label == 1 and score <= 0:
                weight, bias = weight + row, bias + 1
            if label == 0 and score >= 0:
                weight, bias = weight - row, bias - 1
    return weight, bias


@mended_fit.mistake(
    "Follow one sample whose label is 0 through the loop: what is added to the weights, and when?"
)
def as_it_was(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, labels, strict=True):
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


@mended_fit.mistake("Now the labels are -1 and +1. Which of them stands for the class that fires?")
def upside_down(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, 1 - 2 * labels, strict=True):
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


@mended_fit.mistake(
    "The test was not the fault: with `<` the neuron never leaves zero. What does the rule want "
    "labels to be?"
)
def another_comparison(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, labels, strict=True):
            if target * (weight @ row + bias) < 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


@mended_fit.mistake("The weights are mended. Does the bias see the same labels?")
def bias_of_the_old_labels(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, label in zip(x, labels, strict=True):
            target = 2 * label - 1
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + label
    return weight, bias


@mended_fit.mistake("The step is mended. Does the test above it see the same labels?")
def test_of_the_old_labels(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, label in zip(x, labels, strict=True):
            if label * (weight @ row + bias) <= 0:
                weight = weight + (2 * label - 1) * row
                bias = bias + (2 * label - 1)
    return weight, bias


@mended_fit.mistake(
    "That is a perceptron, but not hers: your test asks whether the answer is wrong, hers also "
    "corrects a score of exactly 0. Mend the fault and keep the rule."
)
def another_rule_for_zero(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, label in zip(x, labels, strict=True):
            error = label - int(weight @ row + bias >= 0)
            weight = weight + error * row
            bias = bias + error
    return weight, bias


@mended_fit.mistake("You relabelled the caller's own array. Make a new one.")
def relabels_in_place(x, labels, epochs):
    labels[labels == 0] = -1
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, target in zip(x, labels, strict=True):
            if target * (weight @ row + bias) <= 0:
                weight = weight + target * row
                bias = bias + target
    return weight, bias


@mended_fit.mistake("Only samples with label 1 teach your neuron. What should the others do?")
def ones_only(x, labels, epochs):
    weight, bias = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for row, label in zip(x, labels, strict=True):
            if label == 1 and weight @ row + bias <= 0:
                weight, bias = weight + row, bias + 1
            elif label == 0 and weight @ row + bias > 0:
                weight, bias = weight, bias - 1
    return weight, bias


# mistake_bound ----------------------------------------------------------------

mistake_bound = Exercise(
    "mistake_bound",
    "How many mistakes, at most",
    parts={"bound": 3, "refuses": 1},
    minutes=12,
    difficulty=3,
    outcomes=(TRAIN, LIMITS),
    kind="derive",
    forbids=FORBIDS,
)


@mistake_bound.cases
def _(rng):
    x = np.array([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.0]])
    y = np.array([1, 1, -1])
    yield Case((x, y, np.array([1.0, 1.0]), 0.0), "a bias of 0", ("bound",))
    yield Case((x, y, np.array([3.0, 3.0]), 1.5), "a long weight vector", ("bound",))
    yield Case((x, -y, np.array([1.0, 1.0]), 0.0), "every sample on the wrong side", ("refuses",))
    yield Case((x, y, np.array([0.0, 1.0]), 0.0), "a sample on the line itself", ("refuses",))
    yield Case((x, y, np.array([1.0, 1.0]), 5.0), "one sample on the wrong side", ("refuses",))
    yield Case((x, y, np.zeros(2), 0.0), "weights of zero", ("refuses",))
    near = np.array([[1.0, 1e-5], [1.0, -1e-5]])
    yield Case((near, y[1:], np.array([0.0, 1.0]), 0.0), "a very thin margin", ("bound",))
    while True:
        n, d = rng.integers(3, 9), rng.integers(1, 5)
        x, weight, bias = rng.normal(size=(n, d)), rng.normal(size=d), float(rng.normal())
        yield Case((x, np.where(x @ weight + bias >= 0, 1, -1), weight, bias), "", ("bound",))


@mistake_bound.observe
def _(candidate, x, y, weight, bias):
    return {"bound": candidate(x, y, weight, bias)}


@mistake_bound.answer
def _(x, y, weight, bias):
    lowest = np.min(y * (x @ weight + bias))
    if lowest <= 0:
        raise ValueError("these weights don't separate the samples")
    margin = lowest / np.sqrt(weight @ weight + bias**2)
    radius = np.sqrt(np.max(np.sum(x**2, axis=1)) + 1)
    return (radius / margin) ** 2


@mistake_bound.alternative
def rows_with_a_one(x, y, weight, bias):
    rows, w = np.c_[x, np.ones(len(x))], np.r_[weight, bias]
    with np.errstate(invalid="ignore"):
        gamma = (y * (rows @ (w / np.linalg.norm(w)))).min()
    if not gamma > 0:
        raise ValueError
    return float(np.linalg.norm(rows, axis=1).max() ** 2 / gamma**2)


@mistake_bound.alternative
def sample_by_sample(x, y, weight, bias):
    radius2, margin = 0.0, np.inf
    for row, label in zip(x, y, strict=True):
        radius2 = max(radius2, float(row @ row) + 1.0)
        margin = min(margin, float(label * (weight @ row + bias)))
    if margin <= 0:
        raise ValueError(f"a margin of {margin}")
    return radius2 * (float(weight @ weight) + bias**2) / margin**2


@mistake_bound.mistake(
    "Double all weights: the line stays where it is, your bound doesn't. Which length is missing?",
    loses=("bound",),
)
def margin_not_normalised(x, y, weight, bias):
    margin = np.min(y * (x @ weight + bias))
    if margin <= 0:
        raise ValueError
    return (np.max(np.sum(x**2, axis=1)) + 1) / margin**2


@mistake_bound.mistake(
    "The bias is a weight whose input is always 1. Where does that 1 belong?", loses=("bound",)
)
def input_of_the_bias_forgotten(x, y, weight, bias):
    lowest = np.min(y * (x @ weight + bias))
    if lowest <= 0:
        raise ValueError
    margin = lowest / np.sqrt(weight @ weight + bias**2)
    return np.max(np.sum(x**2, axis=1)) / margin**2


@mistake_bound.mistake(
    "You divide by the length of the weights alone; the proof's vector holds the bias too.",
    loses=("bound",),
)
def bias_not_in_the_length(x, y, weight, bias):
    lowest = np.min(y * (x @ weight + bias))
    if lowest <= 0:
        raise ValueError
    return (np.max(np.sum(x**2, axis=1)) + 1) * (weight @ weight) / lowest**2


@mistake_bound.mistake(
    "That is the bound of a unit without a bias: both lengths leave it out. Here the bias is a "
    "weight like the others, and its input is 1.",
    loses=("bound",),
)
def as_without_a_bias(x, y, weight, bias):
    lowest = np.min(y * (x @ weight + bias))
    if lowest <= 0:
        raise ValueError
    return np.max(np.sum(x**2, axis=1)) * (weight @ weight) / lowest**2


@mistake_bound.mistake("R over gamma is the root of the bound.", loses=("bound",))
def not_squared(x, y, weight, bias):
    lowest = np.min(y * (x @ weight + bias))
    if lowest <= 0:
        raise ValueError
    margin = lowest / np.sqrt(weight @ weight + bias**2)
    return np.sqrt(np.max(np.sum(x**2, axis=1)) + 1) / margin


@mistake_bound.mistake(
    "The bound must hold for the sample that is nearest to the line, not for the average one.",
    loses=("bound",),
)
def mean_margin(x, y, weight, bias):
    scores = y * (x @ weight + bias)
    if scores.min() <= 0:
        raise ValueError
    margin = scores.mean() / np.sqrt(weight @ weight + bias**2)
    return (np.max(np.sum(x**2, axis=1)) + 1) / margin**2


@mistake_bound.mistake(
    "It refuses, but by another error than the statement names.", loses=("refuses",)
)
def assertion(x, y, weight, bias):
    lowest = np.min(y * (x @ weight + bias))
    assert lowest > 0
    margin = lowest / np.sqrt(weight @ weight + bias**2)
    return (np.max(np.sum(x**2, axis=1)) + 1) / margin**2


@mistake_bound.mistake(
    "What does your function say of weights that don't separate? A bound there would be a lie.",
    loses=("refuses",),
)
def never_refuses(x, y, weight, bias):
    with np.errstate(all="ignore"):
        margin = np.min(y * (x @ weight + bias)) / np.sqrt(weight @ weight + bias**2)
        return (np.max(np.sum(x**2, axis=1)) + 1) / margin**2


@mistake_bound.mistake(
    "A sample exactly on the line has no margin at all. What would the bound be?",
    loses=("refuses",),
)
def the_line_itself_is_fine(x, y, weight, bias):
    with np.errstate(all="ignore"):
        margin = np.min(y * (x @ weight + bias)) / np.sqrt(weight @ weight + bias**2)
        if margin < 0:
            raise ValueError
        return (np.max(np.sum(x**2, axis=1)) + 1) / margin**2


# logistic_gradient ------------------------------------------------------------

logistic_gradient = Exercise(
    "logistic_gradient",
    "The logistic unit and its gradient",
    parts={"loss": 2, "dweight": 2, "dbias": 1},
    minutes=15,
    difficulty=2,
    outcomes=(TRAIN,),
    forbids=FORBIDS,
)


@logistic_gradient.cases
def _(rng):
    big = np.array([[1000.0, 0.0], [-1000.0, 0.0], [0.0, 2.0]])
    yield Case((big, np.array([0, 1, 1]), np.array([1.0, 0.5]), 0.0), "sure, and wrong")
    yield Case((big, np.array([1, 0, 0]), np.array([1.0, 0.5]), 0.0), "sure, and right")
    yield Case((rng.normal(size=(1, 3)), np.array([1]), rng.normal(size=3), 0.3), "one sample")
    yield Case((rng.normal(size=(3, 3)), np.array([1, 0, 1]), rng.normal(size=3), 0.0), "square")
    while True:
        n, d = rng.integers(2, 9), rng.integers(1, 5)
        y = rng.integers(0, 2, size=n)
        yield rng.normal(size=(n, d)), y, rng.normal(size=d), float(rng.normal())


@logistic_gradient.answer
def _(x, y, weight, bias):
    score = x @ weight + bias
    loss = np.mean(np.logaddexp(0, score) - y * score)
    error = np.exp(-np.logaddexp(0, -score)) - y
    return loss, x.T @ error / len(x), np.mean(error)


@logistic_gradient.alternative
def by_cases_of_the_sign(x, y, weight, bias):
    score = x @ weight + bias
    small = np.exp(-np.abs(score))
    loss = np.maximum(score, 0) - y * score + np.log1p(small)
    p = np.where(score >= 0, 1 / (1 + small), small / (1 + small))
    return loss.mean(), ((p - y)[:, None] * x).mean(axis=0), (p - y).mean()


@logistic_gradient.alternative
def sample_after_sample(x, y, weight, bias):
    loss, dweight, dbias = 0.0, np.zeros_like(weight), 0.0
    for row, label in zip(x, y, strict=True):
        score = float(weight @ row + bias)
        loss += np.logaddexp(0.0, -score if label else score) / len(x)
        error = 0.5 * (1 + np.tanh(score / 2)) - label
        dweight = dweight + error * row / len(x)
        dbias += error / len(x)
    return float(loss), dweight, float(dbias)


@logistic_gradient.mistake(
    "At a score of 1000 the probability rounds to 1, and the logarithm of what is left is lost. "
    "Can you write the loss with the score, and no logarithm of a probability?",
    loses=("loss",),
)
def logarithm_of_the_probability(x, y, weight, bias):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-(x @ weight + bias)))
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return loss, x.T @ (p - y) / len(x), np.mean(p - y)


@logistic_gradient.mistake(
    "Where the unit is sure and wrong, your loss is infinite; it should be about 1000. Can you "
    "write it with the score, and no logarithm of a probability?",
    loses=("loss",),
)
def logarithm_chosen_by_the_label(x, y, weight, bias):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-(x @ weight + bias)))
        loss = -np.mean(np.where(y == 1, np.log(p), np.log(1 - p)))
    return loss, x.T @ (p - y) / len(x), np.mean(p - y)


@logistic_gradient.mistake(
    "You cut the scores off before the loss is taken: that, too, hides how wrong a sure answer is.",
    loses=("loss",),
)
def clipped_scores(x, y, weight, bias):
    score = np.clip(x @ weight + bias, -500, 500)
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / len(x), np.mean(error)


@logistic_gradient.mistake("The gradients are means, and the loss is a sum.", loses=("loss",))
def loss_summed(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.sum(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / len(x), np.mean(error)


@logistic_gradient.mistake(
    "Your loss is a mean over the samples. Is your gradient the gradient of that?",
    loses=("dweight", "dbias"),
)
def gradients_summed(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error, np.sum(error)


@logistic_gradient.mistake(
    "Right to a few digits only. Differences of the loss are there to check a gradient; the "
    "formula gives all digits.",
    loses=("dweight", "dbias"),
)
def by_differences(x, y, weight, bias):
    def loss_at(w, b):
        score = x @ w + b
        return np.mean(np.logaddexp(0, score) - y * score)

    steps = 1e-6 * np.eye(len(weight))
    dweight = [loss_at(weight + s, bias) - loss_at(weight - s, bias) for s in steps]
    dbias = loss_at(weight, bias + 1e-6) - loss_at(weight, bias - 1e-6)
    return loss_at(weight, bias), np.array(dweight) / 2e-6, dbias / 2e-6


@logistic_gradient.mistake(
    "dweight is to be subtracted from the weights: so which shape has it?", loses=("dweight",)
)
def gradient_as_a_column(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error[:, None] / len(x), np.mean(error)


@logistic_gradient.mistake(
    "Clipping hides how wrong a sure answer is: a score of 1000 on the wrong side costs 1000.",
    loses=("loss",),
)
def clipped(x, y, weight, bias):
    with np.errstate(over="ignore"):
        p = 1 / (1 + np.exp(-(x @ weight + bias)))
    q = np.clip(p, 1e-12, 1 - 1e-12)
    loss = -np.mean(y * np.log(q) + (1 - y) * np.log(1 - q))
    return loss, x.T @ (p - y) / len(x), np.mean(p - y)


@logistic_gradient.mistake(
    "Everything is too large by one factor. Is the loss a sum over the samples, or a mean?"
)
def summed(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.sum(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error, np.sum(error)


@logistic_gradient.mistake(
    "The gradient points uphill; yours points down. Who does the subtracting?",
    loses=("dweight", "dbias"),
)
def downhill(x, y, weight, bias):
    score = x @ weight + bias
    error = y - np.exp(-np.logaddexp(0, -score))
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / len(x), np.mean(error)


@logistic_gradient.mistake(
    "The factor p(1 - p) belongs to the squared error. What cancels it for the cross-entropy?",
    loses=("dweight", "dbias"),
)
def slope_of_the_sigmoid_kept(x, y, weight, bias):
    score = x @ weight + bias
    p = np.exp(-np.logaddexp(0, -score))
    error = (p - y) * p * (1 - p)
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / len(x), np.mean(error)


@logistic_gradient.mistake(
    "You compare the label with the score. What does the unit answer with?",
    loses=("dweight", "dbias"),
)
def score_for_probability(x, y, weight, bias):
    score = x @ weight + bias
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ (score - y) / len(x), np.mean(score - y)


@logistic_gradient.mistake("dweight is a mean over the samples. Is dbias?", loses=("dbias",))
def bias_summed(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / len(x), np.sum(error)


@logistic_gradient.mistake(
    "There is one bias, so its gradient is one number. Yours has one for each sample.",
    loses=("dbias",),
)
def bias_of_each_sample(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / len(x), error


@logistic_gradient.mistake(
    "You divide by the number of inputs. Over what is the mean taken?", loses=("dweight",)
)
def divided_by_inputs(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(np.logaddexp(0, score) - y * score)
    return loss, x.T @ error / x.shape[1], np.mean(error)


@logistic_gradient.mistake(
    "Half of the loss is missing: what does a sample with label 0 cost?", loses=("loss",)
)
def loss_of_the_ones_only(x, y, weight, bias):
    score = x @ weight + bias
    error = np.exp(-np.logaddexp(0, -score)) - y
    loss = np.mean(y * np.logaddexp(0, -score))
    return loss, x.T @ error / len(x), np.mean(error)


# xor_forecast -----------------------------------------------------------------

xor_forecast = Exercise(
    "xor_forecast",
    "Predict: a perceptron on XOR",
    parts={"best": 1, "settles": 1, "bounded": 1},
    minutes=8,
    difficulty=2,
    outcomes=(LIMITS,),
    kind="predict",
    of="value",
)


@xor_forecast.answer
def _():
    return {"best": 3, "settles": False, "bounded": True}


@xor_forecast.alternative
def from_numpy():
    return {"best": np.int64(3), "settles": np.bool_(False), "bounded": np.bool_(True)}


@xor_forecast.alternative
def as_a_float():
    return dict(bounded=True, settles=False, best=3.0)


@xor_forecast.mistake(
    "Put three corners on the right side of a line; it can be done. Try it with a pencil.",
    loses=("best",),
)
def two_at_best():
    return {"best": 2, "settles": False, "bounded": True}


@xor_forecast.mistake(
    "All four would mean a line with (0, 0) and (1, 1) on one side and the others on the other.",
    loses=("best",),
)
def four_at_best():
    return {"best": 4, "settles": False, "bounded": True}


@xor_forecast.mistake(
    "An epoch without an error would be a line that separates the four corners.",
    loses=("settles",),
)
def it_settles():
    return {"best": 3, "settles": True, "bounded": True}


@xor_forecast.mistake(
    "Every update is made by a wrong sample and pulls against the others. Run 1,000 epochs: what "
    "do the weights do?",
    loses=("bounded",),
)
def it_grows():
    return {"best": 3, "settles": False, "bounded": False}


# xor_network ------------------------------------------------------------------

xor_network = Exercise(
    "xor_network",
    "Three neurons that compute XOR",
    parts={"network": 3},
    minutes=12,
    difficulty=2,
    outcomes=(LIMITS, COMPUTE),
    kind="design",
    of="value",
)


@xor_network.observe
def _(candidate):
    import numpy as np

    net = candidate()
    return {"network": {name: np.asarray(value) for name, value in net.items()}}


@xor_network.judge
def _(case, parts):
    net = parts["network"]
    shapes = {"hidden_weight": (2, 2), "hidden_bias": (2,), "weight": (2,), "bias": ()}
    if not isinstance(net, dict) or set(net) != set(shapes):
        return f"the network needs exactly these entries: {', '.join(shapes)}."
    if wrong := [name for name in shapes if np.shape(net[name]) != shapes[name]]:
        return " ".join(f"`{n}` needs shape {shapes[n]}, not {np.shape(net[n])}." for n in wrong)
    if odd := [
        n for n in shapes if net[n].dtype.kind not in "iuf" or not np.isfinite(net[n]).all()
    ]:
        return f"`{odd[0]}` should hold finite numbers only."
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    hidden = corners @ net["hidden_weight"].T + net["hidden_bias"] >= 0
    fires = hidden @ net["weight"] + net["bias"] >= 0
    right = corners[:, 0] != corners[:, 1]
    where = ", ".join(f"({a:.0f}, {b:.0f})" for a, b in corners[fires != right])
    return f"the answer is wrong at {where}." if where else None


@xor_network.answer
def _():
    return {
        "hidden_weight": np.array([[1.0, 1.0], [-1.0, -1.0]]),  # OR and NAND
        "hidden_bias": np.array([-0.5, 1.5]),
        "weight": np.array([1.0, 1.0]),  # AND of the two
        "bias": -1.5,
    }


@xor_network.alternative
def either_but_not_the_other():
    return {
        "hidden_weight": [[1, -1], [-1, 1]],
        "hidden_bias": [-1, -1],
        "weight": [1, 1],
        "bias": -1,
    }


@xor_network.alternative
def or_without_and():
    return {
        "hidden_weight": np.ones((2, 2)),
        "hidden_bias": np.array([-0.5, -1.5]),
        "weight": np.array([1.0, -2.0]),
        "bias": -0.5,
    }


@xor_network.mistake(
    "Your network computes OR. Which corner should a second hidden neuron catch, to switch it off?"
)
def only_or():
    return {
        "hidden_weight": np.ones((2, 2)),
        "hidden_bias": np.array([-0.5, -0.5]),
        "weight": np.array([1.0, 1.0]),
        "bias": -0.5,
    }


@xor_network.mistake("Your network computes AND. XOR is silent exactly where AND fires.")
def only_and():
    return {
        "hidden_weight": np.ones((2, 2)),
        "hidden_bias": np.array([-1.5, -1.5]),
        "weight": np.array([1.0, 1.0]),
        "bias": -0.5,
    }


@xor_network.mistake("It fires at (0, 0) too. Which hidden neuron asks for at least one input?")
def only_nand():
    return {
        "hidden_weight": -np.ones((2, 2)),
        "hidden_bias": np.array([1.5, 1.5]),
        "weight": np.array([1.0, 1.0]),
        "bias": -0.5,
    }


@xor_network.mistake(
    "It fires only at (0, 0). Weights like these are often given for ReLU units; ours fire at a "
    "score of 0 or more, and then send exactly 1."
)
def meant_for_relu():
    return {
        "hidden_weight": np.ones((2, 2)),
        "hidden_bias": np.array([0.0, -1.0]),
        "weight": np.array([1.0, -2.0]),
        "bias": 0.0,
    }


@xor_network.mistake("Wrong at every corner: you built the opposite. Turn the last neuron round.")
def the_opposite():
    return {
        "hidden_weight": np.array([[1.0, 1.0], [-1.0, -1.0]]),
        "hidden_bias": np.array([-0.5, 1.5]),
        "weight": np.array([-1.0, -1.0]),
        "bias": 1.5,
    }


@xor_network.mistake("It never fires. How large does the last score get, at most?")
def never_fires():
    return {
        "hidden_weight": np.array([[1.0, 1.0], [-1.0, -1.0]]),
        "hidden_bias": np.array([-0.5, 1.5]),
        "weight": np.array([1.0, 1.0]),
        "bias": -2.5,
    }


@xor_network.mistake(
    "It always fires. Work out the last score at (0, 0): what should it be, and which bias is it?"
)
def always_fires():
    return {
        "hidden_weight": np.array([[1.0, 1.0], [-1.0, -1.0]]),
        "hidden_bias": np.array([0.0, 2.0]),
        "weight": np.array([1.0, 1.0]),
        "bias": -1.0,
    }


@xor_network.mistake(
    "Two inputs into two hidden neurons are four weights: one row of two for each hidden neuron."
)
def one_weight_for_each_hidden_neuron():
    return {
        "hidden_weight": np.array([1.0, -1.0]),
        "hidden_bias": np.array([-0.5, 1.5]),
        "weight": np.array([1.0, 1.0]),
        "bias": -1.5,
    }


# neuron_and_brain -------------------------------------------------------------

neuron_and_brain = Question(
    "neuron_and_brain",
    "Where the likeness ends",
    points=4,
    minutes=10,
    outcomes=(COMPUTE, LIMITS),
    rubric="""\
- 1 point: one thing that unit and nerve cell share (weighted inputs added up, a threshold, plastic
  connections), said of both.
- 2 points, one for each difference that is real and explained: a cell sends spikes in time, not one
  number; a single cell's dendrites can compute what a threshold unit can't; a synapse is changed by
  local signals, the perceptron's rule needs the right answer from outside; a cell either excites or
  inhibits, a weight may have any sign and change it.
- 1 point: a consequence drawn for the newspaper's sentence, in one's own words.
- No point for size alone ("the brain has more neurons"), nor for what isn't about one unit.""",
    exemplars={
        "full": """\
Both add up weighted inputs and answer only when the sum is large enough. But a nerve cell sends
spikes over time, where our unit sends one number and has no clock; and the dendrites of one cell
can already compute functions like XOR, which one threshold unit can't. So "an artificial brain
cell" promises too much: one real cell is closer to a small network, and a network of units is a
calculation inspired by cells, not a model of them.""",
        "partial": """\
Both sum up inputs and fire above a threshold. A real cell sends spikes in time and not a number.
The newspaper exaggerates.""",
        "typical": """\
They are the same, only that the brain has 86 billion neurons and a computer has fewer, so computers
will soon reach it.""",
    },
)
