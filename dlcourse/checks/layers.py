"""The exercises of ``layers``: the forward pass, its activations, and what hidden units can build.

Conventions: a batch ``x`` has shape (samples, inputs); a layer's weight is (outputs, inputs), its
bias (outputs,), and its scores are ``x @ weight.T + bias``, as in ``torch.nn.Linear``. The scores
of hidden layers go through an activation, those of the last layer don't. GELU is exact, not the
approximation by tanh. Answers that need ``math`` import it themselves, as a learner's cell does.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

FORWARD, ACTIVATE, APPROXIMATE = "layers-forward", "layers-activate", "layers-approximate"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# mlp_forward ------------------------------------------------------------------

mlp_forward = Exercise(
    "mlp_forward",
    "The forward pass",
    parts={"logits": 2, "hidden": 1},
    minutes=12,
    difficulty=1,
    outcomes=(FORWARD,),
    forbids=FORBIDS,
)


def _network(rng, *sizes):
    """A list of (weight, bias), scores of about 1 on inputs of about 1."""
    pairs = zip(sizes, sizes[1:], strict=False)
    return [(rng.normal(size=(k, d)) / d**0.5 * 1.5, rng.normal(size=k)) for d, k in pairs]


@mlp_forward.cases
def _(rng):
    yield Case((rng.normal(size=(4, 3)), _network(rng, 3, 5, 2)), "one hidden layer")
    yield Case((rng.normal(size=(3, 2)), _network(rng, 2, 4)), "no hidden layer")
    yield Case((rng.normal(size=(1, 3)), _network(rng, 3, 4, 3)), "a batch of one")
    yield Case((rng.normal(size=(3, 3)), _network(rng, 3, 3, 3, 3)), "all sizes equal")
    yield Case((rng.normal(size=(5, 1)), _network(rng, 1, 4, 1)), "one input, one output")
    yield Case((rng.normal(size=(4, 2)), _network(rng, 2, 3, 6, 4, 2)), "three hidden layers")
    yield Case((rng.normal(size=(3, 2)), _network(rng, 2, 4, 1, 2)), "a hidden layer of one unit")
    whole = [(np.array([[1.0, -2.0], [3.0, 1.0], [-1.0, 0.0]]), np.array([1.0, -4.0, 2.0]))]
    whole += [(np.array([[1.0, 2.0, -1.0]]), np.array([0.0]))]
    yield Case((np.array([[1.0, 2.0], [0.0, 3.0]]), whole), "round numbers everywhere")
    yield Case((20 * rng.normal(size=(3, 3)), _network(rng, 3, 4, 2)), "large scores")
    while True:
        n, depth = rng.integers(2, 8), rng.integers(1, 4)
        sizes = rng.integers(2, 8, size=depth + 2)
        yield rng.normal(size=(n, sizes[0])), _network(rng, *sizes)


@mlp_forward.answer
def _(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.alternative
def half_of_score_and_size(x, layers):
    hidden, out = [], x.astype(float)
    for i, (weight, bias) in enumerate(layers):
        out = np.einsum("nd,kd->nk", out, weight) + bias
        if i < len(layers) - 1:
            out = (np.abs(out) + out) / 2
            hidden.append(out)
    return out, hidden


@mlp_forward.mistake(
    "Your units go up to 6 and no further. Is there a score at which ReLU stops growing?"
)
def clipped_at_six(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.clip(x @ weight.T + bias, 0, 6)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.alternative
def sample_by_sample(x, layers):
    hidden: list[np.ndarray] = []
    for i, (weight, bias) in enumerate(layers):
        z = np.array([[w @ row + b for w, b in zip(weight, bias, strict=True)] for row in x])
        if i == len(layers) - 1:
            return z, hidden
        x = np.where(z > 0, z, np.zeros_like(z))
        hidden.append(x)


@mlp_forward.alternative
def bias_as_a_column(x, layers):
    h, kept = x.T, [x]
    for weight, bias in layers:
        z = weight @ h + bias[:, None]
        h = z * (z > 0)
        kept.append(h.T)
    return z.T, kept[1:-1]


@mlp_forward.mistake(
    "No logit of yours is ever negative. Does the last layer get the activation too?",
    loses=("logits",),
)
def relu_at_the_end_too(x, layers):
    hidden = []
    for weight, bias in layers:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    return x, hidden[:-1]


@mlp_forward.mistake("Your network is one linear map, however many layers it has. What is missing?")
def no_activation(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = x @ weight.T + bias
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake("First the whole score, then the activation. When do you add the bias?")
def relu_before_the_bias(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T, 0) + bias
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake(
    "Your weights are stored as (inputs, outputs), here they are (outputs, inputs). Where the two "
    "sizes agree nothing warns you: which of the two axes meets the inputs?"
)
def weight_the_other_way_round(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight + bias, hidden


@mlp_forward.mistake("What does your network answer to an input of zeros? Who should decide that?")
def no_bias(x, layers):
    hidden = []
    for weight, _ in layers[:-1]:
        x = np.maximum(x @ weight.T, 0)
        hidden.append(x)
    return x @ layers[-1][0].T, hidden


@mlp_forward.mistake(
    "You keep the scores before the activation. What does a hidden layer hand on?",
    loses=("hidden",),
)
def scores_as_hidden(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        z = x @ weight.T + bias
        hidden.append(z)
        x = np.maximum(z, 0)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake(
    "Your first entry is the input, which is given and not hidden.", loses=("hidden",)
)
def input_counted_as_hidden(x, layers):
    hidden = [x]
    for weight, bias in layers[:-1]:
        hidden.append(np.maximum(hidden[-1] @ weight.T + bias, 0))
    weight, bias = layers[-1]
    return hidden[-1] @ weight.T + bias, hidden


@mlp_forward.mistake(
    "Your last entry is the output. Hidden are the layers before it.", loses=("hidden",)
)
def output_counted_as_hidden(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    logits = x @ weight.T + bias
    return logits, [*hidden, logits]


@mlp_forward.mistake(
    "You hand back one array. The statement wants a list with one array for each hidden layer.",
    loses=("hidden",),
)
def last_hidden_layer_only(x, layers):
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
    weight, bias = layers[-1]
    return x @ weight.T + bias, x


@mlp_forward.mistake(
    "Your outputs lie between 0 and 1. Logits are the scores before any such function.",
    loses=("logits",),
)
def softmax_at_the_end(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True), hidden


@mlp_forward.mistake(
    "Your outputs lie between 0 and 1, each by itself: a sigmoid. Logits are what stands before "
    "it.",
    loses=("logits",),
)
def sigmoid_at_the_end(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return 1 / (1 + np.exp(-(x @ weight.T + bias))), hidden


@mlp_forward.mistake("That is a network of sigmoids. Which activation does the statement name?")
def sigmoid_for_relu(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = 1 / (1 + np.exp(-(x @ weight.T + bias)))
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake("That is a network of tanh units. Which activation does the statement name?")
def tanh_for_relu(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.tanh(x @ weight.T + bias)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake(
    "Negative inputs never reach your first layer. Where does the activation stand, before a layer "
    "or after it?"
)
def relu_on_the_input(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x, 0) @ weight.T + bias
        hidden.append(np.maximum(x, 0))
    weight, bias = layers[-1]
    return np.maximum(x, 0) @ weight.T + bias, hidden


@mlp_forward.mistake(
    "Your bias goes to samples, not to units: it runs only where there are as many of both. Which "
    "axis of the scores holds the units?"
)
def bias_along_the_samples(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias[:, None], 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias[:, None], hidden


@mlp_forward.mistake("Your code knows one hidden layer. How many may the list hold, and how few?")
def exactly_one_hidden_layer(x, layers):
    (first, one), (last, other) = layers
    h = np.maximum(x @ first.T + one, 0)
    return h @ last.T + other, [h]


@mlp_forward.mistake("float64 came in, float32 goes out: half of the digits are lost on the way.")
def single_precision(x, layers):
    hidden = []
    x = x.astype(np.float32)
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T.astype(np.float32) + bias.astype(np.float32), 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T.astype(np.float32) + bias.astype(np.float32), hidden


@mlp_forward.mistake(
    "All the right arrays, the last hidden layer first. In which order does a batch meet them?",
    loses=("hidden",),
)
def last_layer_first(x, layers):
    hidden: list[np.ndarray] = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.insert(0, x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake(
    "Your hidden units answer to a score of -3 as they do to 3. What does ReLU make of it?"
)
def absolute_value(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.abs(x @ weight.T + bias)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight.T + bias, hidden


@mlp_forward.mistake("A batch of one is still a batch: what happened to its axis?")
def squeezed(x, layers):
    hidden = []
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    weight, bias = layers[-1]
    return np.squeeze(x @ weight.T + bias), [np.squeeze(h) for h in hidden]


@mlp_forward.mistake(
    "`pop` takes the last layer out of the caller's list, who has one layer less now."
)
def takes_the_list_apart(x, layers):
    last, end = layers.pop()
    hidden = []
    for weight, bias in layers:
        x = np.maximum(x @ weight.T + bias, 0)
        hidden.append(x)
    return x @ last.T + end, hidden


@mlp_forward.mistake(
    "`x *= x > 0` silences negative inputs before the first layer, and in the caller's own array."
)
def silences_the_input(x, layers):
    hidden = []
    for weight, bias in layers:
        x *= x > 0
        hidden.append(x)
        x = x @ weight.T + bias
    return x, hidden[1:]


# leaky_relu_and_gelu ----------------------------------------------------------

leaky_relu_and_gelu = Exercise(
    "leaky_relu_and_gelu",
    "Two more activations",
    parts={"leaky": 1, "gelu": 2},
    minutes=12,
    difficulty=2,
    outcomes=(ACTIVATE,),
    forbids=FORBIDS,
)


@leaky_relu_and_gelu.cases
def _(rng):
    yield Case((np.array([-2.0, -0.5, 0.0, 0.5, 2.0]), 0.1), "around 0")
    yield Case((np.array([-3.0, -1.0, 1.0, 3.0]), 1.5), "a slope above 1")
    yield Case((np.array([-3.0, -1.0, 1.0, 3.0]), 0.0), "a slope of 0")
    yield Case((np.array([-1.0, 1.0, 0.7]), -0.5), "a negative slope")
    yield Case((np.array([-2, -1, 0, 3]), 0.25), "whole numbers")
    yield Case((rng.normal(size=(3, 4)), 0.2), "a batch of a layer's scores")
    yield Case((rng.normal(size=(2, 3, 2)), 0.3), "three axes")
    yield Case((np.array([-800.0, -40.0, 40.0, 800.0]), 0.01), "very large scores")
    yield Case((np.array([[-1.2]]), 0.05), "a single score")
    while True:
        shape = rng.integers(1, 6, size=rng.integers(1, 3))
        yield 2 * rng.normal(size=shape), float(rng.uniform(0, 1.5))


@leaky_relu_and_gelu.answer
def _(z, slope):
    import math

    leaky = np.where(z > 0, z, slope * z)
    erf = np.vectorize(math.erf)
    return leaky, z * (1 + erf(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.alternative
def by_two_relus(z, slope):
    import math

    leaky = np.maximum(z, 0) + slope * np.minimum(z, 0)
    phi = [math.erfc(-v / math.sqrt(2)) / 2 for v in z.ravel().tolist()]
    return leaky, z * np.array(phi).reshape(z.shape)


@leaky_relu_and_gelu.alternative
def entry_by_entry(z, slope):
    import math

    leaky, gelu = np.empty(z.shape), np.empty(z.shape)
    for i in np.ndindex(z.shape):
        leaky[i] = z[i] if z[i] >= 0 else slope * z[i]
        gelu[i] = 0.5 * z[i] * (1 + math.erf(z[i] / 2**0.5))
    return leaky, gelu


@leaky_relu_and_gelu.mistake(
    "The larger of the two lines is the right one only while the slope stays below 1. What decides "
    "which line holds?",
    loses=("leaky",),
)
def larger_of_two_lines(z, slope):
    import math

    return np.maximum(z, slope * z), z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake(
    "Yours is silent left of 0: a plain ReLU. What should leak through?", loses=("leaky",)
)
def plain_relu(z, slope):
    import math

    return np.maximum(z, 0.0), z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake(
    "Which side keeps its slope of 1, and which one leaks?", loses=("leaky",)
)
def leaks_on_the_right(z, slope):
    import math

    leaky = np.where(z > 0, slope * z, z)
    return leaky, z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake(
    "Left of 0 your function gives the slope itself. It should be a line with that slope.",
    loses=("leaky",),
)
def slope_as_a_value(z, slope):
    import math

    leaky = np.where(z > 0, z, slope)
    return leaky, z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake(
    "Your line rises towards the left. A score that falls should give an output that falls.",
    loses=("leaky",),
)
def mirrored(z, slope):
    import math

    leaky = np.where(z > 0, z, slope * np.abs(z))
    return leaky, z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake("0.01 is the usual slope; here it is an argument.", loses=("leaky",))
def usual_slope(z, slope):
    import math

    leaky = np.where(z > 0, z, 0.01 * z)
    return leaky, z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake(
    "That is ELU: it bends towards a floor left of 0. The leaky unit stays a straight line.",
    loses=("leaky",),
)
def elu(z, slope):
    import math

    leaky = np.where(z > 0, z, slope * np.expm1(np.minimum(z, 0)))
    return leaky, z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2


@leaky_relu_and_gelu.mistake(
    "Right to three digits: that is the approximation by tanh. The statement asks for the exact "
    "form.",
    loses=("gelu",),
)
def approximation_by_tanh(z, slope):
    inner = np.sqrt(2 / np.pi) * (z + 0.044715 * z**3.0)
    return np.where(z > 0, z, slope * z), z * (1 + np.tanh(inner)) / 2


@leaky_relu_and_gelu.mistake(
    "Near, but it is the approximation by a sigmoid of 1.702 z. The statement asks for the exact "
    "form.",
    loses=("gelu",),
)
def approximation_by_a_sigmoid(z, slope):
    gelu = z * (1 + np.tanh(1.702 * z / 2)) / 2
    return np.where(z > 0, z, slope * z), gelu


@leaky_relu_and_gelu.mistake(
    "That is SiLU, z times its sigmoid. GELU weighs z by the normal distribution instead.",
    loses=("gelu",),
)
def silu(z, slope):
    return np.where(z > 0, z, slope * z), z * (1 + np.tanh(z / 2)) / 2


@leaky_relu_and_gelu.mistake(
    "The distribution function is 0.841 at 1. What is yours there, and what does erf want its "
    "argument divided by?",
    loses=("gelu",),
)
def root_of_two_forgotten(z, slope):
    import math

    return np.where(z > 0, z, slope * z), z * (1 + np.vectorize(math.erf)(z)) / 2


@leaky_relu_and_gelu.mistake(
    "You divide by 2 before erf, as one divides a square. The formula has another number there.",
    loses=("gelu",),
)
def halved_for_root(z, slope):
    import math

    return np.where(z > 0, z, slope * z), z * (1 + np.vectorize(math.erf)(z / 2)) / 2


@leaky_relu_and_gelu.mistake(
    "Your GELU is 0 wherever the score is negative. Work out -1 times its share, by hand.",
    loses=("gelu",),
)
def silent_on_the_left(z, slope):
    import math

    gelu = np.maximum(z, 0) * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2
    return np.where(z > 0, z, slope * z), gelu


@leaky_relu_and_gelu.mistake(
    "For a large score GELU is the score itself; yours is 1. What should it multiply?",
    loses=("gelu",),
)
def distribution_only(z, slope):
    import math

    gelu = (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2
    return np.where(z > 0, z, slope * z), gelu


@leaky_relu_and_gelu.mistake(
    "You multiply z by the error function, which runs from -1 to 1. The distribution function runs "
    "from 0 to 1.",
    loses=("gelu",),
)
def error_function_for_distribution(z, slope):
    import math

    gelu = z * np.vectorize(math.erf)(z / np.sqrt(2))
    return np.where(z > 0, z, slope * z), gelu


@leaky_relu_and_gelu.mistake(
    "For a large score GELU is the score itself; yours is twice that. How far does 1 + erf reach?",
    loses=("gelu",),
)
def half_forgotten(z, slope):
    import math

    gelu = z * (1 + np.vectorize(math.erf)(z / np.sqrt(2)))
    return np.where(z > 0, z, slope * z), gelu


@leaky_relu_and_gelu.mistake(
    "That multiplies z by the bell itself, its density. GELU takes the area under it, up to z.",
    loses=("gelu",),
)
def density_for_distribution(z, slope):
    gelu = z * np.exp(-z * z / 2.0) / np.sqrt(2 * np.pi)
    return np.where(z > 0, z, slope * z), gelu


@leaky_relu_and_gelu.mistake(
    "Where z holds whole numbers your outputs lose their fractions. What dtype has the array that "
    "you fill?"
)
def cut_to_integers(z, slope):
    import math

    leaky, gelu = np.zeros_like(z), np.zeros_like(z)
    for i in np.ndindex(z.shape):
        leaky[i] = z[i] if z[i] > 0 else slope * z[i]
        gelu[i] = z[i] * (1 + math.erf(z[i] / 2**0.5)) / 2
    return leaky, gelu


@leaky_relu_and_gelu.mistake("An activation keeps the shape of what it is given.")
def flattened(z, slope):
    import math

    flat = z.ravel()
    leaky = np.array([v if v > 0 else slope * v for v in flat.tolist()], dtype=float)
    return leaky, np.array([v * (1 + math.erf(v / 2**0.5)) / 2 for v in flat.tolist()])


@leaky_relu_and_gelu.mistake(
    "Your answer takes one score. Here a whole array comes in: what does `if` make of that?"
)
def one_number_only(z, slope):
    import math

    leaky = z if z > 0 else slope * z
    return leaky, z * (1 + math.erf(z / 2**0.5)) / 2


@leaky_relu_and_gelu.mistake("`z[z < 0] *= slope` writes into the scores that you were given.")
def leaks_in_place(z, slope):
    import math

    gelu = z * (1 + np.vectorize(math.erf)(z / np.sqrt(2))) / 2
    z[z < 0] = slope * z[z < 0]
    return z, gelu


# count_parameters -------------------------------------------------------------

count_parameters = Exercise(
    "count_parameters",
    "How large is a network",
    parts={"parameters": 2, "products": 1},
    minutes=8,
    difficulty=1,
    outcomes=(FORWARD,),
    kind="derive",
    forbids=FORBIDS,
)


@count_parameters.cases
def _(rng):
    yield Case(([784, 128, 10], 1), "MNIST")
    yield Case(([784, 10], 32), "no hidden layer")
    yield Case(([3, 4, 4, 2], 5), "two layers of the same size")
    yield Case(([1, 1], 1), "one weight")
    yield Case(([2, 3, 5, 7, 11], 2), "four layers")
    yield Case(([3, 4, 2], 0), "an empty batch")
    yield Case(([4096, 65536, 4096], 3), "as large as a block of a language model")
    while True:
        sizes = rng.integers(1, 300, size=rng.integers(2, 6)).tolist()
        yield sizes, int(rng.integers(1, 65))


@count_parameters.answer
def _(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[1:]), samples * weights


@count_parameters.alternative
def layer_by_layer(sizes, samples):
    parameters, products = 0, 0
    for i in range(1, len(sizes)):
        parameters += (sizes[i - 1] + 1) * sizes[i]
        products += samples * sizes[i - 1] * sizes[i]
    return parameters, products


@count_parameters.alternative
def with_numpy(sizes, samples):
    s = np.array(sizes, dtype=np.int64)
    return (s[:-1] * s[1:] + s[1:]).sum(), samples * (s[:-1] @ s[1:])


@count_parameters.mistake(
    "These are the weights. What else does every unit learn?", loses=("parameters",)
)
def weights_only(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights, samples * weights


@count_parameters.mistake(
    "You have given the inputs biases. Which of the sizes are units that compute something?",
    loses=("parameters",),
)
def bias_for_inputs_too(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes), samples * weights


@count_parameters.mistake(
    "You count one bias for each layer. Could all its units do with the same one?",
    loses=("parameters",),
)
def one_bias_a_layer(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + len(sizes) - 1, samples * weights


@count_parameters.mistake(
    "You count a bias for each input of a layer. Who adds a bias, an input or a unit?",
    loses=("parameters",),
)
def bias_for_each_input(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[:-1]), samples * weights


@count_parameters.mistake("The last layer's units have biases too.", loses=("parameters",))
def no_bias_at_the_output(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[1:-1]), samples * weights


@count_parameters.mistake(
    "Your network grows with the batch. Does a second image bring weights of its own?",
    loses=("parameters",),
)
def parameters_for_each_sample(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return samples * (weights + sum(sizes[1:])), samples * weights


@count_parameters.mistake(
    "That is the work for one sample. How often is each weight used in a batch?",
    loses=("products",),
)
def products_of_one_sample(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[1:]), weights


@count_parameters.mistake("A bias is added. Is that a multiplication?", loses=("products",))
def biases_as_products(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[1:]), samples * (weights + sum(sizes[1:]))


@count_parameters.mistake(
    "You count additions along with the multiplications: two operations a weight.",
    loses=("products",),
)
def flops_for_products(sizes, samples):
    weights = sum(d * k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[1:]), 2 * samples * weights


@count_parameters.mistake(
    "Every unit meets every unit of the layer before it. With d units before and k after, how many "
    "lines can you draw?"
)
def sums_for_products(sizes, samples):
    weights = sum(d + k for d, k in zip(sizes, sizes[1:], strict=False))
    return weights + sum(sizes[1:]), samples * weights


@count_parameters.mistake(
    "You multiplied all sizes together. A layer sees only the one before it; what then happens to "
    "the layers' counts?"
)
def product_of_all_sizes(sizes, samples):
    product = int(np.prod(sizes))
    return product + sum(sizes[1:]), samples * product


@count_parameters.mistake("Your loop ends a layer too soon. How many layers has [784, 10]?")
def last_layer_forgotten(sizes, samples):
    weights = sum(sizes[i] * sizes[i + 1] for i in range(len(sizes) - 2))
    return weights + sum(sizes[1:-1]), samples * weights


# without_activation -----------------------------------------------------------

without_activation = Exercise(
    "without_activation",
    "Predict: take the activation out",
    parts={"parameters": 1, "rank": 1, "kinks": 1},
    minutes=10,
    difficulty=2,
    outcomes=(ACTIVATE,),
    kind="predict",
    of="value",
)


@without_activation.answer
def _():
    return {"parameters": 7850, "rank": 5, "kinks": 6}


@without_activation.alternative
def from_numpy():
    return {"parameters": np.int64(784 * 10 + 10), "rank": np.int64(5), "kinks": np.int64(6)}


@without_activation.alternative
def as_floats():
    return dict(kinks=6.0, rank=5.0, parameters=7850.0)


@without_activation.mistake(
    "That is what the two layers have together. How large is the matrix that you get by "
    "multiplying their matrices?",
    loses=("parameters",),
)
def of_both_layers():
    return {"parameters": 784 * 5 + 5 + 5 * 10 + 10, "rank": 5, "kinks": 6}


@without_activation.mistake(
    "Those are the weights of the one layer. What becomes of the two biases?",
    loses=("parameters",),
)
def without_the_bias():
    return {"parameters": 7840, "rank": 5, "kinks": 6}


@without_activation.mistake(
    "Both biases become one: W₂b₁ + b₂ has a single entry for each output.", loses=("parameters",)
)
def both_biases_kept():
    return {"parameters": 7840 + 5 + 10, "rank": 5, "kinks": 6}


@without_activation.mistake(
    "Ten outputs, but all that reaches them has passed through the hidden layer. How wide is it?",
    loses=("rank",),
)
def rank_of_the_outputs():
    return {"parameters": 7850, "rank": 10, "kinks": 6}


@without_activation.mistake(
    "The rank of a 10 by 784 matrix can't exceed 10. What holds this one down further?",
    loses=("rank",),
)
def rank_of_the_inputs():
    return {"parameters": 7850, "rank": 784, "kinks": 6}


@without_activation.mistake(
    "Six units, six pieces? Count the kinks of a single ReLU first, then add a second one.",
    loses=("kinks",),
)
def one_kink_too_few():
    return {"parameters": 7850, "rank": 5, "kinks": 5}


@without_activation.mistake(
    "That is the number of straight pieces. How many kinks lie between them?", loses=("kinks",)
)
def pieces_for_kinks():
    return {"parameters": 7850, "rank": 5, "kinks": 7}


@without_activation.mistake(
    "A ReLU has one kink, where its score is 0. How often is a straight line 0?", loses=("kinks",)
)
def two_kinks_a_unit():
    return {"parameters": 7850, "rank": 5, "kinks": 12}


@without_activation.mistake(
    "The activation is back in for this one. What does a ReLU do at a score of 0?",
    loses=("kinks",),
)
def no_kink_at_all():
    return {"parameters": 7850, "rank": 5, "kinks": 0}


# mended_probabilities ---------------------------------------------------------

mended_probabilities = Exercise(
    "mended_probabilities",
    "Find the fault",
    parts={"probabilities": 3},
    minutes=10,
    difficulty=2,
    outcomes=(ACTIVATE, FORWARD),
    kind="mend",
    forbids=FORBIDS,
)


@mended_probabilities.cases
def _(rng):
    weight, bias = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]]), np.array([0.0, 0.5, 1.0])
    x = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])
    yield Case((x, weight, bias), "as many samples as classes")
    yield Case((x[:1], weight, bias), "a batch of one")
    yield Case((rng.normal(size=(5, 2)), weight, bias), "more samples than classes")
    yield Case((1000 * x, weight, bias), "logits of thousands")
    yield Case((rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)), "4 by 4")
    offset = np.array([[0.0], [800.0], [-800.0]])
    yield Case((offset, np.ones((3, 1)), bias), "one sample's logits far above another's")
    yield Case((x, weight[:1], bias[:1]), "one class only")
    while True:
        n, d, k = rng.integers(2, 7, size=3)
        yield 2 * rng.normal(size=(n, d)), rng.normal(size=(k, d)), rng.normal(size=k)


@mended_probabilities.answer
def _(x, weight, bias):
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.alternative
def with_a_new_axis(x, weight, bias):
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=1)[:, None])
    return e / e.sum(axis=1)[:, None]


@mended_probabilities.alternative
def row_by_row(x, weight, bias):
    rows = []
    for row in x:
        z = weight @ row + bias
        e = np.exp(z - max(z))
        rows.append(e / sum(e))
    return np.array(rows)


@mended_probabilities.alternative
def transposed_and_back(x, weight, bias):
    z = weight @ x.T + bias[:, None]
    e = np.exp(z - z.max(axis=0))
    return (e / e.sum(axis=0)).T


@mended_probabilities.mistake(
    "With a batch of five it doesn't run at all; with as many samples as classes it does. What "
    "shape has `z.max(axis=1)`, and along which axis does NumPy then lay it?"
)
def as_it_was(x, weight, bias):
    z = x @ weight.T + bias
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=1))
        return e / e.sum(axis=1)


@mended_probabilities.mistake(
    "The maximum is mended. Does the sum two lines below have the same fault?"
)
def maximum_mended_only(x, weight, bias):
    z = x @ weight.T + bias
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1)


@mended_probabilities.mistake(
    "The sum is mended. Does the maximum in the line above have the same fault?"
)
def sum_mended_only(x, weight, bias):
    z = x @ weight.T + bias
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=1))
        return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.mistake(
    "Now it runs, but your columns add up to 1. Which axis holds the classes of one sample?"
)
def over_the_batch(x, weight, bias):
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


@mended_probabilities.mistake(
    "Now the whole batch adds up to 1. One image's probabilities shouldn't depend on the others."
)
def over_everything(x, weight, bias):
    z = x @ weight.T + bias
    e = np.exp(z - z.max())
    return e / e.sum()


@mended_probabilities.mistake(
    "The sums are right, but the largest logit of the whole batch is taken off every sample. What "
    "is left of a sample whose logits are all far below?"
)
def one_maximum_for_all(x, weight, bias):
    z = x @ weight.T + bias
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max())
        return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.mistake(
    "Without the maximum a logit of 1000 overflows. It wasn't the fault; its shape was."
)
def maximum_taken_out(x, weight, bias):
    z = x @ weight.T + bias
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.mistake(
    "Each unit now answers for itself, and a row needn't add up to 1. Softmax is of a layer."
)
def a_sigmoid_each(x, weight, bias):
    return (1 + np.tanh((x @ weight.T + bias) / 2)) / 2


@mended_probabilities.mistake(
    "Your rows add up to 1, but without the exponential. What would a negative logit become?"
)
def shares_without_exponential(x, weight, bias):
    z = x @ weight.T + bias
    e = z - z.min(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.mistake(
    "The numbers are right and lie on their side: one sample a row, please."
)
def on_its_side(x, weight, bias):
    z = x @ weight.T + bias
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).T


@mended_probabilities.mistake(
    "You subtract the smallest logit. Which of them is it that makes the exponential overflow?"
)
def minimum_taken_off(x, weight, bias):
    z = x @ weight.T + bias
    with np.errstate(all="ignore"):
        e = np.exp(z - z.min(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.mistake("The shapes are mended, and the bias got lost on the way.")
def bias_lost(x, weight, bias):
    z = x @ weight.T
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@mended_probabilities.mistake("That is the class with the highest probability. All are asked for.")
def answer_for_probabilities(x, weight, bias):
    return (x @ weight.T + bias).argmax(axis=1)


@mended_probabilities.mistake("Those are logarithms: none of them is positive.")
def log_probabilities(x, weight, bias):
    z = x @ weight.T + bias
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


# build_a_bump -----------------------------------------------------------------

build_a_bump = Exercise(
    "build_a_bump",
    "Build a bump",
    parts={"network": 4},
    minutes=20,
    difficulty=3,
    outcomes=(APPROXIMATE, FORWARD),
    kind="design",
    forbids=FORBIDS,
)


@build_a_bump.cases
def _(rng):
    yield Case((1.0, 4.0, 2.0, 0.5), "a bump")
    yield Case((-3.0, -1.0, 0.5, 0.25), "a low bump, left of 0")
    yield Case((-1.0, 1.0, 3.0, 1.0), "a tent: it comes down where it has come up")
    yield Case((2.0, 5.0, -4.0, 1.0), "a dent")
    yield Case((-2.0, 6.0, 0.25, 2.0), "slow ramps around 0")
    yield Case((0.0, 0.01, 100.0, 0.001), "narrow, high and steep")
    while True:
        left, width = float(rng.uniform(-5, 5)), float(rng.uniform(0.5, 6))
        height = float(rng.choice([-1, 1]) * rng.uniform(0.3, 5))
        yield left, left + width, height, float(width * rng.uniform(0.05, 0.5))


@build_a_bump.observe
def _(candidate, left, right, height, ramp):
    import numpy as np

    layers = candidate(left, right, height, ramp)
    return {"network": [[np.asarray(array) for array in layer] for layer in layers]}


@build_a_bump.judge
def _(case, parts):
    left, right, height, ramp = case
    net = parts["network"]
    if not isinstance(net, list) or len(net) != 2 or any(len(layer) != 2 for layer in net):
        return "the network should be a list of two pairs, each of a weight and a bias."
    arrays = [array for layer in net for array in layer]
    if any(
        not isinstance(a, np.ndarray) or a.dtype.kind not in "iuf" or not np.isfinite(a).all()
        for a in arrays
    ):
        return "all weights and biases should be finite numbers."
    units = arrays[1].size
    shapes = {
        "hidden weight": ("(units, 1)", (units, 1)),
        "hidden bias": ("(units,)", (units,)),
        "output weight": ("(1, units)", (1, units)),
        "output bias": ("(1,)", (1,)),
    }
    for array, (name, (said, shape)) in zip(arrays, shapes.items(), strict=True):
        if array.shape != shape:
            return f"the {name} should have shape {said}."
    if not 1 <= units <= 8:
        return "the network should have one to eight hidden units."
    up, down = left + ramp, right - ramp
    regions = {
        "far on the left": left - ramp * np.array([1e3, 7.0]),
        "just left of it": left - ramp * np.array([1.0, 0.5]),
        "where it begins": np.array([left]),
        "on the way up": left + ramp * np.array([0.25, 0.5, 0.75]),
        "on top": up + (down - up) * np.array([0.0, 0.3, 0.5, 1.0]),
        "on the way down": right - ramp * np.array([0.25, 0.5, 0.75]),
        "where it ends": np.array([right]),
        "just right of it": right + ramp * np.array([0.5, 1.0]),
        "far on the right": right + ramp * np.array([7.0, 1e3]),
    }
    found = []
    for name, x in regions.items():
        want = np.interp(x, [left, up, max(up, down), right], [0.0, 1.0, 1.0, 0.0])
        z = x[:, None] @ arrays[0].T + arrays[1]
        gap = (np.maximum(z, 0) @ arrays[2].T + arrays[3])[:, 0] / height - want
        # far from 0, large numbers cancel: room for their rounding
        room = 1e-9 + 1e-12 * (np.abs(z) @ np.abs(arrays[2]).T)[:, 0] / abs(height)
        if (gap > room).any() or (gap < -room).any():
            mixed = (gap > room).any() and (gap < -room).any()
            how = "too much" if (gap > room).any() else "too little"
            how = "now too much, now too little" if mixed else how
            found.append(f"{name} {how}")
    return f"of the bump there is {', '.join(found)}." if found else None


@build_a_bump.answer
def _(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.alternative
def seen_from_the_right(left, right, height, ramp):
    corners = np.array([right, right - ramp, left + ramp, left])
    return [
        (-np.ones((4, 1)), corners),
        (height / ramp * np.array([[1.0, -1.0, -1.0, 1.0]]), np.zeros(1)),
    ]


@build_a_bump.alternative
def steep_hidden_units(left, right, height, ramp):
    hidden_weight = np.full((4, 1), 1 / ramp)
    hidden_bias = np.array([-left, -left - ramp, ramp - right, -right]) / ramp
    return [(hidden_weight, hidden_bias), (height * np.array([[1, -1, -1, 1.0]]), np.zeros(1))]


@build_a_bump.alternative
def taken_off_the_top(left, right, height, ramp):
    hidden_weight = np.array([[-1.0], [-1.0], [1.0], [1.0]]) / ramp
    hidden_bias = np.array([left + ramp, left, ramp - right, -right]) / ramp
    return [(hidden_weight, hidden_bias), (height * np.array([[-1, 1, -1, 1]]), np.array([height]))]


@build_a_bump.mistake("It goes up and doesn't come down. Which units should bring it down?")
def a_step_only(left, right, height, ramp):
    slope = height / ramp
    return [
        (np.ones((2, 1)), np.array([-left, -left - ramp])),
        (np.array([[slope, -slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake(
    "It comes down and never stops. A fourth kink has to end the slope of the third."
)
def never_stops_falling(left, right, height, ramp):
    slope = height / ramp
    return [
        (np.ones((3, 1)), -np.array([left, left + ramp, right - ramp])),
        (np.array([[slope, -slope, -slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake("It goes up and never stops. One unit is one kink: how many do you need?")
def one_unit(left, right, height, ramp):
    return [
        (np.ones((1, 1)), np.array([-left])),
        (np.array([[height / ramp]]), np.zeros(1)),
    ]


@build_a_bump.mistake(
    "How much has the output risen after one ramp? The weight is a slope, not a height."
)
def height_for_slope(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    return [
        (np.ones((4, 1)), -corners),
        (height * np.array([[1.0, -1.0, -1.0, 1.0]]), np.zeros(1)),
    ]


@build_a_bump.mistake("Your bump is always 1 high. What should multiply it, at the very end?")
def height_forgotten(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[1.0, -1.0, -1.0, 1.0]]) / ramp, np.zeros(1)),
    ]


@build_a_bump.mistake(
    "Where does a unit with weight 1 and bias c begin to rise? Your corners are mirrored at 0."
)
def sign_of_the_bias(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = height / ramp
    return [
        (np.ones((4, 1)), corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake(
    "Your ramps lie outside: at `left` and `right` the output should be 0, not yet at its height."
)
def ramps_outside(left, right, height, ramp):
    corners = np.array([left - ramp, left, right, right + ramp])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake(
    "Your ramps lie half outside: `left` and `right` are where they end, not their middles."
)
def ramps_centred(left, right, height, ramp):
    corners = np.array([left, left, right, right]) + ramp / 2 * np.array([-1, 1, -1, 1])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake(
    "The way up is right. It comes down too late: at `right` it should have arrived."
)
def falls_too_late(left, right, height, ramp):
    corners = np.array([left, left + ramp, right, right + ramp])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake(
    "These weights would make a bump of threshold units. A ReLU that has begun to rise goes on."
)
def meant_for_thresholds(left, right, height, ramp):
    return [
        (np.ones((2, 1)), np.array([-left, -right])),
        (np.array([[height, -height]]), np.zeros(1)),
    ]


@build_a_bump.mistake("Right for bumps. What should happen where the height is negative?")
def never_a_dent(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = abs(height) / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake("A dent where a bump should be, and a bump for a dent: which sign is turned?")
def upside_down(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[-slope, slope, slope, -slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake("The bias of the output lifts the whole line, far outside the bump too.")
def height_as_the_output_bias(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = height / ramp
    return [
        (np.ones((4, 1)), -corners),
        (np.array([[slope, -slope, -slope, slope]]), np.array([height])),
    ]


@build_a_bump.mistake(
    "It peaks in the middle and is flat nowhere. Four corners, not three: where does the top "
    "begin, and where does it end?"
)
def always_a_tent(left, right, height, ramp):
    corners = np.array([left, (left + right) / 2, right])
    slope = 2 * height / (right - left)
    return [
        (np.ones((3, 1)), -corners),
        (np.array([[slope, -2 * slope, slope]]), np.zeros(1)),
    ]


@build_a_bump.mistake("Look at the shapes of your four arrays, and at the table in the statement.")
def flat_weights(left, right, height, ramp):
    corners = np.array([left, left + ramp, right - ramp, right])
    slope = height / ramp
    return [(np.ones(4), -corners), (np.array([slope, -slope, -slope, slope]), np.zeros(1))]


# universal_promise ------------------------------------------------------------

universal_promise = Question(
    "universal_promise",
    "What was promised",
    points=4,
    minutes=10,
    outcomes=(APPROXIMATE, ACTIVATE),
    rubric="""\
- 1 point: what the theorem does say: for a continuous function on a bounded region, and any
  accuracy, some network with one hidden layer and enough units (of an activation that isn't a
  polynomial) is that close to it.
- 2 points, one for each gap between that and the brochure, explained: it doesn't say how many units
  it takes; it doesn't say how to find the weights, or that training finds them; it says nothing of
  inputs that weren't in the data, or outside the region; sales needn't be a function of the inputs
  at hand, let alone a continuous one.
- 1 point: a test that would decide the matter: forecasts on data kept aside (later than the
  training data), against a simple baseline.
- No point for "networks are black boxes", nor for the word "overfitting" without what it means
  here.""",
    exemplars={
        "full": """\
The theorem says that for any continuous function on a bounded region there is a network with one
hidden layer, of enough units, that comes as near as you like. It does not say how many units that
takes, and it gives no way to find their weights from examples: "there is" is not "we have found".
Nor does it say anything of days that aren't in the data, and tomorrow's sales may not be a function
of today's numbers at all. Ask them for their error on the last year, which the network must not
have seen, next to that of the rule "as last week".""",
        "partial": """\
It is true that a network can approximate every continuous function. But the theorem doesn't tell
you how many neurons you need, so it may take very many. I would be careful.""",
        "typical": """\
The theorem is proved, so the network can learn everything if it has enough layers and data. It only
depends on the computing power.""",
    },
)
