"""The exercises of ``convolutions``: one window everywhere, forwards, backwards and on paper.

Conventions: images are (N, C, H, W), weights (F, C, kh, kw), as in ``torch.nn``; the kernel isn't
flipped; stride, padding and dilation are one number for both directions; padding is with zeros on
all four sides; dilation 1 means next to each other; sizes are rounded down; columns are those of
``torch.nn.functional.unfold``; of equal entries the first, row by row, is the largest.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

COMPUTE, COUNT, SHIFT = "convolutions-compute", "convolutions-count", "convolutions-shift"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# conv2d -----------------------------------------------------------------------

conv2d = Exercise(
    "conv2d",
    "A convolution of images",
    parts={"plain": 2, "stride": 1, "padding": 1, "dilation": 1, "together": 1},
    minutes=20,
    difficulty=2,
    outcomes=(COMPUTE,),
    forbids=FORBIDS,
)


@conv2d.cases
def _(rng):
    def case(shape, weight, note, part, stride=1, padding=0, dilation=1):
        x, w = rng.normal(size=shape), rng.normal(size=(weight[0], shape[1], *weight[1:]))
        return Case((x, w, rng.normal(size=weight[0]), stride, padding, dilation), note, (part,))

    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    first = (x, np.array([[[[1.0, -1.0]]]]), np.array([0.5]), 1, 0, 1)
    yield Case(first, "one image, one channel, a window of 1 by 2", ("plain",))
    yield case((2, 3, 4, 5), (2, 2, 3), "three channels in, two out", "plain")
    yield case((1, 2, 5, 8), (3, 2, 3), "stride 2, a side that isn't used up", "stride", 2)
    yield case((2, 2, 3, 4), (3, 2, 3), "padding 2", "padding", 1, 2)
    yield case((1, 2, 6, 7), (3, 2, 3), "dilation 2", "dilation", 1, 0, 2)
    yield case((2, 3, 7, 9), (2, 2, 3), "all three, and a rest", "together", 2, 1, 3)
    yield case((1, 2, 3, 3), (3, 3, 3), "the window is the image", "plain")
    yield case((2, 3, 7, 4), (1, 1, 2), "stride 3, larger than the window", "stride", 3)
    while True:
        n, channels, f, kh, kw = (int(v) for v in rng.integers(1, 4, size=5))
        part = str(rng.choice(["plain", "stride", "padding", "dilation", "together"]))
        both = part == "together"
        s = int(rng.integers(2, 4)) if both or part == "stride" else 1
        p = int(rng.integers(1, 3)) if both or part == "padding" else 0
        d = int(rng.integers(2, 4)) if both or part == "dilation" else 1
        side = rng.integers(1, 5, size=2) + [d * (kh - 1), d * (kw - 1)]
        yield case((n, channels, *side.tolist()), (f, kh, kw), "", part, s, p, d)


@conv2d.observe
def _(candidate, x, weight, bias, stride, padding, dilation):
    y = candidate(x, weight, bias, stride, padding, dilation)
    return dict.fromkeys(("plain", "stride", "padding", "dilation", "together"), y)


@conv2d.answer
def _(x, weight, bias, stride, padding, dilation):
    p, d, (kh, kw) = padding, dilation, weight.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    rows = (x.shape[2] - d * (kh - 1) - 1) // stride + 1
    columns = (x.shape[3] - d * (kw - 1) - 1) // stride + 1
    y = np.zeros((len(x), len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            seen = x[:, :, top : top + d * (kh - 1) + 1 : d, left : left + d * (kw - 1) + 1 : d]
            y[:, :, i, j] = np.tensordot(seen, weight, axes=([1, 2, 3], [1, 2, 3])) + bias
    return y


@conv2d.alternative
def entry_by_entry_of_the_window(x, weight, bias, stride, padding, dilation):
    n, _, height, width = x.shape
    f, _, kh, kw = weight.shape
    rows = (height + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    columns = (width + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    padded = np.zeros((n, x.shape[1], height + 2 * padding, width + 2 * padding))
    padded[:, :, padding : padding + height, padding : padding + width] = x
    y = np.zeros((n, f, rows, columns)) + bias[:, None, None]
    for a in range(kh):
        for b in range(kw):
            part = padded[:, :, a * dilation :, b * dilation :][:, :, ::stride, ::stride]
            y += np.einsum("fc,ncij->nfij", weight[:, :, a, b], part[:, :, :rows, :columns])
    return y


@conv2d.alternative
def number_by_number(x, weight, bias, stride, padding, dilation):
    (n, c, height, width), (f, _, kh, kw) = x.shape, weight.shape
    rows = (height + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    columns = (width + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n, f, rows, columns))
    for m, g, i, j in np.ndindex(y.shape):
        total = bias[g]
        for k, a, b in np.ndindex(c, kh, kw):
            row, column = i * stride + a * dilation - padding, j * stride + b * dilation - padding
            if 0 <= row < height and 0 <= column < width:
                total += weight[g, k, a, b] * x[m, k, row, column]
        y[m, g, i, j] = total
    return y


@conv2d.alternative
def windows_without_a_copy(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "You turn the kernel round, as mathematics does. By the statement, which entry of the window "
    "meets which weight?"
)
def kernel_flipped(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight[:, :, ::-1, ::-1]) + bias[:, None, None]


@conv2d.mistake(
    "Columns of your window go by the kernel's rows. Which of its last two axes is the height?"
)
def height_and_width_swapped(x, weight, bias, stride, padding, dilation):
    weight = weight.transpose(0, 1, 3, 2)
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "One channel in is fine, more aren't: each output looks at all input channels. What becomes of "
    "what they contribute?"
)
def mean_over_the_channels(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    y = np.einsum("ncijab,fcab->nfij", seen, weight) / x.shape[1]
    return y + bias[:, None, None]


@conv2d.mistake("You look at the first input channel only. How many has x?")
def first_channel_only(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :1, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight[:, :1]) + bias[:, None, None]


@conv2d.mistake("All entries of a channel are off by the same number. What does each filter add?")
def bias_forgotten(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight)


@conv2d.mistake(
    "Your bias comes in once for each input channel. How often does a filter have it at one place?"
)
def bias_for_each_channel(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + x.shape[1] * bias[:, None, None]


@conv2d.mistake("You take a mean under the window. What does a weighted sum divide by?")
def mean_of_the_window(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    y = np.einsum("ncijab,fcab->nfij", seen, weight) / weight[0].size
    return y + bias[:, None, None]


@conv2d.mistake(
    "Your window stands everywhere, whatever `stride` says.", loses=("stride", "together")
)
def stride_ignored(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, :, :, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "The size is right, but your window moves on by one pixel at a time. Where does it stand for "
    "the second entry of y?",
    loses=("stride", "together"),
)
def stride_in_the_size_only(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    rows, columns = -(-seen.shape[2] // stride), -(-seen.shape[3] // stride)
    seen = seen[:, :, :rows, :columns, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "Your last window hangs over the edge. What does the statement do with a rest that is too "
    "small?",
    loses=("stride", "together"),
)
def sizes_rounded_up(x, weight, bias, stride, padding, dilation):
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    rest = [-(s + 2 * padding - r) % stride for s, r in zip(x.shape[2:], reach, strict=True)]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding + rest[0]), (padding, padding + rest[1])))
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "Your window's entries lie `stride` apart, and its places `dilation`. Which is which?",
    loses=("stride", "dilation", "together"),
)
def stride_and_dilation_swapped(x, weight, bias, stride, padding, dilation):
    stride, dilation = dilation, stride
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "You thin the image out by `stride` first, and then the window stands on what is left. Does a "
    "window by the formula see neighbours there, or pixels that lie apart?",
    loses=("stride", "together"),
)
def image_thinned_out(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))[:, :, ::stride, ::stride]
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    lack = [(0, max(0, r - s)) for r, s in zip(reach, x.shape[2:], strict=True)]
    x = np.pad(x, ((0, 0), (0, 0), *lack))
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, :, :, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake("Where is the border in yours?", loses=("padding", "together"))
def padding_ignored(x, weight, bias, stride, padding, dilation):
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "Your border has `padding` pixels on two sides of the image. How many sides has it?",
    loses=("padding", "together"),
)
def padding_behind_only(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (0, padding), (0, padding)))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "You share `padding` between the two ends of a side. The statement gives it to each.",
    loses=("padding", "together"),
)
def padding_shared(x, weight, bias, stride, padding, dilation):
    ends = (padding // 2, padding - padding // 2)
    x = np.pad(x, ((0, 0), (0, 0), ends, ends))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "Beyond the edge you repeat the last pixel. What stands there by the statement?",
    loses=("padding", "together"),
)
def padding_with_the_edge(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), mode="edge")
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "Beyond the edge you come in again on the other side. What stands there by the statement?",
    loses=("padding", "together"),
)
def padding_wraps_around(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), mode="wrap")
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "The channels have got a border too. Which axes are the image's sides?",
    loses=("padding", "together"),
)
def padding_on_every_axis(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, padding)
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "You add as much border as keeps the size, and don't ask `padding`. What if it is 0?"
)
def always_the_same_size(x, weight, bias, stride, padding, dilation):
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    sides = [((r - 1) // 2, r // 2) for r in reach]
    x = np.pad(x, ((0, 0), (0, 0), *sides))
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "The entries of your window lie side by side, whatever `dilation` says.",
    loses=("dilation", "together"),
)
def dilation_ignored(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake(
    "You leave `dilation` pixels out between two entries of the window. Which dilation means that "
    "none is left out, by the statement?"
)
def dilation_counts_the_gaps(x, weight, bias, stride, padding, dilation):
    step = dilation + 1
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [step * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::step, ::step]
    return np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]


@conv2d.mistake("Right numbers, but your channels are the last axis. Where do images have them?")
def channels_last(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ncijab,fcab->nijf", seen, weight) + bias


@conv2d.mistake("float64 came in, and float32 goes out: half of the digits are lost.")
def single_precision(x, weight, bias, stride, padding, dilation):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    reach = [dilation * (k - 1) + 1 for k in weight.shape[2:]]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::dilation, ::dilation]
    y = np.einsum("ncijab,fcab->nfij", seen, weight) + bias[:, None, None]
    return y.astype(np.float32)


# im2col -----------------------------------------------------------------------

im2col = Exercise(
    "im2col",
    "A column for each place",
    parts={"columns": 2, "stride": 1, "padding": 1},
    minutes=12,
    difficulty=2,
    outcomes=(COMPUTE,),
    forbids=FORBIDS,
)


@im2col.cases
def _(rng):
    def case(shape, kernel, note, part, stride=1, padding=0):
        return Case((rng.normal(size=shape), kernel, stride, padding), note, (part,))

    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    yield Case((x, (1, 2), 1, 0), "one image, one channel, a window of 1 by 2", ("columns",))
    yield case((2, 3, 4, 5), (2, 3), "two images of three channels", "columns")
    yield case((2, 2, 5, 8), (2, 3), "stride 2, a side that isn't used up", "stride", 2)
    yield case((2, 2, 3, 4), (2, 3), "padding 2", "padding", 1, 2)
    yield case((1, 2, 3, 4), (3, 4), "the window is the image", "columns")
    yield case((2, 2, 2, 3), (1, 1), "a window of one pixel", "columns")
    yield case((2, 3, 8, 6), (3, 2), "stride 3", "stride", 3)
    yield case(
        (2, 2, 2, 2), (3, 2), "a window taller than the image without its border", "padding", 1, 1
    )
    while True:
        n, channels, kh, kw = (int(v) for v in rng.integers(1, 4, size=4))
        part = str(rng.choice(["columns", "stride", "padding"]))
        s = int(rng.integers(2, 4)) if part == "stride" else 1
        p = int(rng.integers(1, 3)) if part == "padding" else 0
        side = (rng.integers(1, 5, size=2) + [kh, kw]).tolist()
        yield case((n, channels, *side), (kh, kw), "", part, s, p)


@im2col.observe
def _(candidate, x, kernel_size, stride, padding):
    return dict.fromkeys(
        ("columns", "stride", "padding"), candidate(x, kernel_size, stride, padding)
    )


@im2col.answer
def _(x, kernel_size, stride, padding):
    (n, c), (kh, kw), p = x.shape[:2], kernel_size, padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    rows, columns = (x.shape[2] - kh) // stride + 1, (x.shape[3] - kw) // stride + 1
    out = np.zeros((n, c * kh * kw, rows * columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            seen = x[:, :, top : top + kh, left : left + kw]
            out[:, :, i * columns + j] = seen.reshape(n, c * kh * kw)
    return out


@im2col.alternative
def entry_by_entry_of_the_kernel(x, kernel_size, stride, padding):
    (n, c), (kh, kw), p = x.shape[:2], kernel_size, padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    rows, columns = (x.shape[2] - kh) // stride + 1, (x.shape[3] - kw) // stride + 1
    out = np.zeros((n, c, kh, kw, rows, columns))
    for a in range(kh):
        for b in range(kw):
            there = x[:, :, a::stride, b::stride]
            out[:, :, a, b] = there[:, :, :rows, :columns]
    return out.reshape(n, c * kh * kw, rows * columns)


@im2col.alternative
def a_view_reshaped(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "The numbers of a column are the right ones in another order: yours run through the channels "
    "fastest. In which order does a filter of `weight` lie in memory?"
)
def channels_fastest(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 4, 5, 1, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "You read your window down its columns first. Which of the kernel's axes moves fastest?"
)
def window_read_downwards(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 5, 4, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "Your window walks down first, then to the right. Which place comes second by the statement?"
)
def places_downwards(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 3, 2)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("You give a row to each place. Which axis do the places have by the statement?")
def a_row_for_each_place(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 2, 3, 1, 4, 5)
    return seen.reshape(len(x), -1, x.shape[1] * kernel_size[0] * kernel_size[1])


@im2col.mistake(
    "One matrix for all images. The statement keeps the examples apart, on an axis of their own."
)
def images_side_by_side(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(1, 4, 5, 0, 2, 3)
    return seen.reshape(x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "Right shape, but the entries are stirred: `reshape` reads an array in the order in which its "
    "axes stand. Did they stand right?"
)
def reshaped_without_transposing(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride]
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("Your windows are upside down. Who asked for a flipped kernel?")
def windows_flipped(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride, ::-1, ::-1].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("Your window lies on its side. Which of `kernel_size` is its height?")
def window_on_its_side(x, kernel_size, stride, padding):
    kernel_size = kernel_size[::-1]
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    if kernel_size[0] > x.shape[2] or kernel_size[1] > x.shape[3]:
        raise ValueError
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("A column of yours holds one channel alone. What does a filter need of a place?")
def a_column_for_each_channel(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1], kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "You have a column for every pixel. What does `stride` leave out?", loses=("stride",)
)
def stride_ignored_here(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen.transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "Your windows stand side by side, and don't overlap. Where does it say that they mustn't?",
)
def stride_of_the_kernel(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, :: kernel_size[0], :: kernel_size[1]].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "Your last window hangs over the edge, over zeros. What becomes of a rest that is too small?",
    loses=("stride",),
)
def rest_kept(x, kernel_size, stride, padding):
    ends = [
        (padding, padding - (s + 2 * padding - k) % -stride)
        for s, k in zip(x.shape[2:], kernel_size, strict=True)
    ]
    x = np.pad(x, ((0, 0), (0, 0), *ends))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("Where is your border?", loses=("padding",))
def no_border(x, kernel_size, stride, padding):
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake(
    "Your border is below and to the right alone. How many sides has an image?", loses=("padding",)
)
def border_behind_only(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (0, padding), (0, padding)))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("Your border repeats the edge. The statement's holds what?", loses=("padding",))
def border_of_the_edge(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2), mode="edge")
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


@im2col.mistake("float64 came in, and float32 goes out: half of the digits are lost.")
def half_of_the_digits(x, kernel_size, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2)).astype(np.float32)
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(2, 3))
    seen = seen[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    return seen.reshape(len(x), x.shape[1] * kernel_size[0] * kernel_size[1], -1)


# conv2d_backward --------------------------------------------------------------

conv2d_backward = Exercise(
    "conv2d_backward",
    "Backward through a convolution",
    parts={"dx": 2, "dweight": 2, "dbias": 1},
    minutes=25,
    difficulty=3,
    outcomes=(COMPUTE,),
    forbids=FORBIDS,
)


@conv2d_backward.cases
def _(rng):
    def case(shape, weight, note="", stride=1, padding=0):
        x, w = rng.normal(size=shape), rng.normal(size=(weight[0], shape[1], *weight[1:]))
        sides = zip(shape[2:], weight[1:], strict=True)
        places = [(s + 2 * padding - k) // stride + 1 for s, k in sides]
        dy = rng.normal(size=(shape[0], weight[0], *places))
        return Case((dy, x, w, stride, padding), note)

    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    dy = np.array([[[[1.0, 0.0], [0.0, -2.0]]]])
    yield Case((dy, x, np.array([[[[3.0, -1.0]]]]), 1, 0), "one channel, a window of 1 by 2")
    yield case((2, 3, 4, 5), (2, 2, 3), "two images, three channels in, two out")
    yield case((2, 2, 6, 8), (3, 3, 3), "stride 2: the last row and column are never seen", 2)
    yield case((2, 2, 3, 4), (3, 2, 3), "padding 2", 1, 2)
    yield case((1, 2, 3, 4), (2, 3, 4), "the window is the image")
    yield case((2, 2, 5, 6), (3, 3, 2), "stride 2 and padding 1", 2, 1)
    yield case((2, 2, 7, 8), (2, 2, 2), "stride 3: gaps between the windows", 3)
    while True:
        n, channels, f, kh, kw = (int(v) for v in rng.integers(1, 4, size=5))
        side = (rng.integers(1, 5, size=2) + [kh, kw]).tolist()
        stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, 3))
        yield case((n, channels, *side), (f, kh, kw), "", stride, padding)


@conv2d_backward.answer
def _(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            top, left = i * stride, j * stride
            there = (slice(None), slice(None), slice(top, top + kh), slice(left, left + kw))
            dweight += np.tensordot(dy[:, :, i, j], padded[there], axes=(0, 0))
            dpadded[there] += np.tensordot(dy[:, :, i, j], weight, axes=(1, 0))
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.alternative
def weight_by_weight(dy, x, weight, stride, padding):
    p, (rows, columns) = padding, dy.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for a in range(weight.shape[2]):
        for b in range(weight.shape[3]):
            down = slice(a, a + stride * (rows - 1) + 1, stride)
            across = slice(b, b + stride * (columns - 1) + 1, stride)
            seen = padded[:, :, down, across]
            dweight[:, :, a, b] = np.einsum("nfij,ncij->fc", dy, seen)
            dpadded[:, :, down, across] += np.einsum("nfij,fc->ncij", dy, weight[:, :, a, b])
    dx = dpadded[:, :, p:, p:][:, :, : x.shape[2], : x.shape[3]]
    return dx, dweight, np.einsum("nfij->f", dy)


@conv2d_backward.alternative
def as_convolutions(dy, x, weight, stride, padding):
    p, (kh, kw), (height, width) = padding, weight.shape[2:], x.shape[2:]
    view = np.lib.stride_tricks.sliding_window_view
    spread = np.zeros((*dy.shape[:2], height + 2 * p - kh + 1, width + 2 * p - kw + 1))
    spread[:, :, ::stride, ::stride][:, :, : dy.shape[2], : dy.shape[3]] = dy
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dweight = np.einsum("ncabij,nfij->fcab", view(padded, spread.shape[2:], axis=(2, 3)), spread)
    full = np.pad(spread, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    seen = view(full, (kh, kw), axis=(2, 3))
    dpadded = np.einsum("nfijab,fcab->ncij", seen, weight[:, :, ::-1, ::-1])
    return dpadded[:, :, p : p + height, p : p + width], dweight, spread.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Where windows overlap, the last one wins in your dx. One pixel has a say at several places: "
    "what becomes of what they send back?",
    loses=("dx",),
)
def overwritten(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] = np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Where windows overlap, you take the mean of what they send to a pixel. Move that pixel a "
    "little: does each of them feel half of the move, or all of it?",
    loses=("dx",),
)
def mean_where_windows_overlap(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight, often = np.zeros(padded.shape), np.zeros(weight.shape), np.zeros(padded.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
        often[there] += 1
    dx = (dpadded / np.maximum(often, 1))[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Your dx uses the kernel upside down. Which weight joined this pixel to that place of y? It is "
    "the same one on the way back.",
    loses=("dx",),
)
def kernel_upside_down(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight[:, :, ::-1, ::-1])
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Your dx has the border still on it. A gradient has the shape of what it is the gradient of.",
    loses=("dx",),
)
def border_left_on(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    return dpadded, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "`dx[:, :, p:-p, p:-p]` is fine until p is 0. What is `a[0:-0]`?",
    loses=("dx",),
)
def cut_with_minus_zero(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    return dpadded[:, :, p:-p, p:-p], dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Your dx ends where the last window ends. What does a pixel that no window saw get, and where "
    "is its place?",
    loses=("dx",),
)
def rest_cut_off(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    height, width = (stride * (s - 1) + k for s, k in zip(dy.shape[2:], (kh, kw), strict=True))
    dpadded, dweight = np.zeros((*x.shape[:2], height, width)), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    return dpadded[:, :, p : height - p, p : width - p], dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "On the way back your window moves on by one pixel at a time. How far did it move forwards?",
    loses=("dx", "dweight"),
)
def stride_forgotten(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i, i + kh), slice(j, j + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "You have forgotten the border: your windows on the way back stand elsewhere than forwards."
)
def no_padding_at_all(dy, x, weight, stride, padding):
    kh, kw = weight.shape[2:]
    rows = (x.shape[2] - kh) // stride + 1
    columns = (x.shape[3] - kw) // stride + 1
    dy = dy[:, :, :rows, :columns]
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], x[there])
        dx[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Your dweight and dbias are too small by one factor. The loss's mean is in dy already.",
    loses=("dweight", "dbias"),
)
def mean_over_the_batch(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight / len(x), dy.sum(axis=(0, 2, 3)) / len(x)


@conv2d_backward.mistake(
    "You take the mean over the places. Each place uses the same weights: how do their shares come "
    "together?",
    loses=("dweight", "dbias"),
)
def mean_over_the_places(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight / dy[0, 0].size, dy.sum(axis=0).mean(axis=(1, 2))


@conv2d_backward.mistake(
    "Your dweight knows one place only, the last. How many places share these weights?",
    loses=("dweight",),
)
def last_place_only(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight = np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Your dweight is upside down. Which pixel of the window met the first weight?",
    loses=("dweight",),
)
def dweight_upside_down(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight[:, :, ::-1, ::-1], dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Your dweight has its first two axes in the other order: a gradient has the shape of what it "
    "is the gradient of.",
    loses=("dweight",),
)
def dweight_channels_swapped(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight.transpose(1, 0, 2, 3), dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "A bias for each place. Does a filter have one there, or one for all places?", loses=("dbias",)
)
def bias_for_each_place(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=0)


@conv2d_backward.mistake(
    "A bias for each image. Which axes does a bias not have, so that they are added up?",
    loses=("dbias",),
)
def bias_for_each_image(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(2, 3))


@conv2d_backward.mistake(
    "One number for the whole layer. How many filters has it?", loses=("dbias",)
)
def one_bias_for_all(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum()


@conv2d_backward.mistake(
    "Everything has the opposite sign. Who subtracts the gradient, you or the training step?"
)
def downhill(dy, x, weight, stride, padding):
    dy, p, (kh, kw) = -dy, padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


@conv2d_backward.mistake(
    "Right, but in another order: dx first, then dweight, then dbias. The statement says so."
)
def another_order(dy, x, weight, stride, padding):
    p, (kh, kw) = padding, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dpadded, dweight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + kh), slice(j * stride, j * stride + kw))
        dweight += np.einsum("nf,ncab->fcab", dy[:, :, i, j], padded[there])
        dpadded[there] += np.einsum("nf,fcab->ncab", dy[:, :, i, j], weight)
    dx = dpadded[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return dweight, dy.sum(axis=(0, 2, 3)), dx


# max_pool2d_backward ----------------------------------------------------------

max_pool2d_backward = Exercise(
    "max_pool2d_backward",
    "Find the fault: backward through max pooling",
    parts={"apart": 1, "ties": 2, "overlap": 2},
    minutes=15,
    difficulty=2,
    outcomes=(COMPUTE,),
    kind="mend",
    forbids=FORBIDS,
)


@max_pool2d_backward.cases
def _(rng):
    def case(x, k, stride, part, note=""):
        places = [(s - k) // stride + 1 for s in x.shape[2:]]
        return Case((rng.normal(size=(*x.shape[:2], *places)), x, k, stride), note, (part,))

    def distinct(*shape):
        return rng.permutation(int(np.prod(shape))).reshape(shape) - np.prod(shape) / 2 + 0.25

    x = np.array([[[[1.0, 5.0, -2.0, -1.0], [3.0, 2.0, -4.0, -3.0]]]])
    dy = np.array([[[[10.0, 20.0]]]])
    yield Case((dy, x, 2, 2), "two windows side by side, no two entries equal", ("apart",))
    yield case(np.zeros((1, 1, 2, 4)), 2, 2, "ties", "all equal, as behind a ReLU that is silent")
    first = np.array([[[[0.0, 1.0, 5.0], [2.0, 3.0, 4.0], [-1.0, -2.0, -3.0]]]])
    yield case(first, 2, 1, "overlap", "windows of 2 by 2 that overlap")
    yield case(distinct(2, 3, 5, 7), 2, 2, "apart", "a last row and column that no window sees")
    corner = np.array([[[[0.0, 7.0, 1.0, 1.0], [7.0, 0.0, 0.0, 1.0]]]])
    yield case(corner, 2, 2, "ties", "the largest stands twice, once in each row")
    yield case(distinct(2, 2, 5, 6), 3, 2, "overlap", "windows of 3 by 3, stride 2")
    yield case(distinct(2, 2, 7, 7) - 100.0, 2, 3, "apart", "stride 3: gaps, and all negative")
    negative = -rng.integers(1, 3, size=(2, 2, 6, 6)).astype(float)
    yield case(negative, 3, 3, "ties", "ties below 0")
    while True:
        k, n, channels = (int(v) for v in rng.integers(2, 4, size=3))
        shape = (n, channels, *(rng.integers(k, 7, size=2).tolist()))
        part = str(rng.choice(["apart", "ties", "overlap"]))
        if part == "ties":
            x = np.maximum(rng.integers(-2, 3, size=shape), 0).astype(float)
            yield case(x, k, k, part)
        else:
            yield case(distinct(*shape), k, k if part == "apart" else k - 1, part)


@max_pool2d_backward.observe
def _(candidate, dy, x, kernel_size, stride):
    return dict.fromkeys(("apart", "ties", "overlap"), candidate(dy, x, kernel_size, stride))


@max_pool2d_backward.answer
def _(dy, x, kernel_size, stride):
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + kernel_size, left : left + kernel_size]
        a, b = divmod(int(window.argmax()), kernel_size)
        dx[n, c, top + a, left + b] += dy[n, c, i, j]
    return dx


@max_pool2d_backward.alternative
def all_windows_at_once(dy, x, kernel_size, stride):
    k = kernel_size
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    largest = windows.reshape(*dy.shape, k * k).argmax(axis=-1)
    n, c, i, j = np.indices(dy.shape)
    dx = np.zeros(x.shape)
    np.add.at(dx, (n, c, i * stride + largest // k, j * stride + largest % k), dy)
    return dx


@max_pool2d_backward.alternative
def who_comes_first(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    rows, columns = dy.shape[2:]
    views = [
        (..., slice(a, a + stride * (rows - 1) + 1, stride), slice(b, None, stride))
        for a in range(k)
        for b in range(k)
    ]
    y = np.max([x[v][..., :columns] for v in views], axis=0)
    free = np.ones(dy.shape, bool)
    for v in views:
        hit = free & (x[v][..., :columns] == y)
        dx[v][..., :columns] += np.where(hit, dy, 0)
        free &= ~hit
    return dx


@max_pool2d_backward.mistake(
    "You found that windows may overlap. Now look at a window in which two entries are equal and "
    "largest: how much gradient goes in, how much comes out?",
    loses=("ties",),
)
def to_all_of_equals(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        window = x[there]
        largest = window == window.max(axis=(2, 3), keepdims=True)
        dx[there] += largest * dy[:, :, i, j, None, None]
    return dx


@max_pool2d_backward.mistake(
    "You share the gradient between equals. The statement gives it to one of them.", loses=("ties",)
)
def shared_between_equals(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        window = x[there]
        largest = window == window.max(axis=(2, 3), keepdims=True)
        share = largest / largest.sum(axis=(2, 3), keepdims=True)
        dx[there] += share * dy[:, :, i, j, None, None]
    return dx


@max_pool2d_backward.mistake(
    "Of equals you take the last. Which one does the statement name?", loses=("ties",)
)
def the_last_of_equals(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + k, left : left + k]
        a, b = divmod(k * k - 1 - int(window[::-1, ::-1].argmax()), k)
        dx[n, c, top + a, left + b] += dy[n, c, i, j]
    return dx


@max_pool2d_backward.mistake(
    "Of equals you take the first on the way down. Which way does the statement read a window?",
    loses=("ties",),
)
def the_first_downwards(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + k, left : left + k]
        b, a = divmod(int(window.T.argmax()), k)
        dx[n, c, top + a, left + b] += dy[n, c, i, j]
    return dx


@max_pool2d_backward.mistake(
    "A window whose largest entry is 0 sends nothing back in yours. Is 0 no largest entry?",
    loses=("ties",),
)
def nothing_for_zeros(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + k, left : left + k]
        a, b = divmod(int(window.argmax()), k)
        if window[a, b] != 0:
            dx[n, c, top + a, left + b] += dy[n, c, i, j]
    return dx


@max_pool2d_backward.mistake(
    "Let two windows have the same largest entry: what should it get? (`dx[places] += dy`, with "
    "arrays of places, adds once to a place that stands there twice.)",
    loses=("overlap",),
)
def the_last_window_wins(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + k, left : left + k]
        a, b = divmod(int(window.argmax()), k)
        dx[n, c, top + a, left + b] = dy[n, c, i, j]
    return dx


@max_pool2d_backward.mistake(
    "Your whole windows are overwritten by the next one, zeros included. What should happen where "
    "two windows meet?",
    loses=("overlap",),
)
def windows_overwritten(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        window = x[there].reshape(*x.shape[:2], k * k)
        largest = np.arange(k * k) == window.argmax(axis=2)[:, :, None]
        dx[there] = (largest * dy[:, :, i, j, None]).reshape(*x.shape[:2], k, k)
    return dx


@max_pool2d_backward.mistake(
    "Nothing is mended yet. Two faults: try a window of equal entries, and windows that overlap.",
    loses=("ties", "overlap"),
)
def as_it_was(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        window = x[there]
        largest = window == window.max(axis=(2, 3), keepdims=True)
        dx[there] = largest * dy[:, :, i, j, None, None]
    return dx


@max_pool2d_backward.mistake(
    "You compare with the largest entry of all channels and images. Whose largest entry was it?"
)
def largest_of_all(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        window = x[there]
        place = np.zeros(window.shape)
        place.flat[window.argmax()] = 1
        dx[there] += place * dy[:, :, i, j, None, None]
    return dx


@max_pool2d_backward.mistake(
    "Every entry of the window gets its share. That is another kind of pooling: which entries "
    "reached y?"
)
def as_a_mean(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for i, j in np.ndindex(dy.shape[2:]):
        there = (..., slice(i * stride, i * stride + k), slice(j * stride, j * stride + k))
        dx[there] += dy[:, :, i, j, None, None] / k**2
    return dx


@max_pool2d_backward.mistake(
    "Your windows on the way back stand side by side. How far do they move by `stride`?",
    loses=("apart", "overlap"),
)
def stride_of_the_window(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * k, j * k
        window = x[n, c, top : top + k, left : left + k]
        if window.size:
            a, b = divmod(int(window.argmax()), window.shape[1])
            dx[n, c, top + a, left + b] += dy[n, c, i, j]
    return dx


@max_pool2d_backward.mistake(
    "You multiply by the largest entry. By how much does y grow if that entry grows by 1?"
)
def times_the_largest(dy, x, kernel_size, stride):
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + k, left : left + k]
        a, b = divmod(int(window.argmax()), k)
        dx[n, c, top + a, left + b] += dy[n, c, i, j] * window[a, b]
    return dx


# receptive_field --------------------------------------------------------------

receptive_field = Exercise(
    "receptive_field",
    "Derive: what one unit sees",
    parts={"size": 2, "step": 1, "first": 1},
    minutes=15,
    difficulty=2,
    outcomes=(COUNT,),
    kind="derive",
    forbids=FORBIDS,
)


@receptive_field.cases
def _(rng):
    yield Case(([(3, 1, 1, 1)],), "one layer")
    yield Case(([],), "no layer at all: a pixel sees itself")
    yield Case(([(3, 1, 0, 1), (3, 1, 0, 1), (3, 1, 0, 1)],), "three alike")
    yield Case(([(5, 1, 2, 1), (2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1)],), "with pooling")
    yield Case(([(3, 1, 1, 1), (3, 1, 2, 2), (3, 1, 4, 4)],), "dilations of 1, 2 and 4")
    yield Case(([(7, 3, 2, 1), (3, 2, 1, 2), (4, 3, 5, 3), (2, 1, 1, 1)],), "all at once")
    yield Case(([(1, 2, 0, 1), (2, 1, 1, 1)],), "a window of one pixel, stride 2")
    while True:
        layers = []
        for _ in range(rng.integers(2, 6)):
            k, s, p, d = (
                int(rng.integers(low, high)) for low, high in ((2, 8), (1, 4), (0, 4), (1, 4))
            )
            layers.append((k, s, p, d))
        yield Case((layers,))


@receptive_field.answer
def _(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.alternative
def from_the_top(layers):
    low, high, step = 0, 0, 1
    for kernel_size, stride, padding, dilation in reversed(layers):
        low = low * stride - padding
        high = high * stride - padding + dilation * (kernel_size - 1)
        step = step * stride
    return high - low + 1, step, low


@receptive_field.alternative
def by_marking_what_is_seen(layers):
    def seen(unit):
        units = {unit}
        for k, s, p, d in layers[::-1]:
            units = {u * s - p + d * a for u in units for a in range(k)}
        return min(units), max(units)

    (low, high), (second, _) = seen(0), seen(1)
    return high - low + 1, second - low, low


@receptive_field.mistake(
    "You multiply by a layer's own stride before you use its window. Two entries of its window lie "
    "how far apart, in pixels of the image: does its own stride matter to that?",
    loses=("size", "first"),
)
def own_stride_first(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        step *= stride
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
    return size, step, first


@receptive_field.mistake(
    "Your size doesn't depend on the strides. Neighbours behind a stride of 2 are how many pixels "
    "of the image apart?",
    loses=("size",),
)
def size_without_strides(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1)
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You add whole windows. Two of 3 pixels, one behind the other: by how much does the second one "
    "widen what is seen?",
    loses=("size",),
)
def windows_added(layers):
    size, step, first = 0, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += (dilation * (kernel_size - 1) + 1) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You multiply the windows. Draw two of 3 pixels, one behind the other, and count.",
    loses=("size",),
)
def windows_multiplied(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size *= dilation * (kernel_size - 1) + 1
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake("Your size doesn't depend on the dilation.", loses=("size",))
def size_without_dilation(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, _ in layers:
        size += (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "A window of k entries with dilation d doesn't cover d times k pixels: count the gaps between "
    "its first entry and its last.",
    loses=("size",),
)
def dilation_times_the_window(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += (dilation * kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You take dilation as the number of pixels left out. By the statement, which dilation leaves "
    "none out?",
    loses=("size",),
)
def dilation_as_gaps(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += (dilation + 1) * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You take away the border from what is seen. The statement counts pixels of the border, too.",
    loses=("size",),
)
def border_not_counted(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += (dilation * (kernel_size - 1) - padding) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You go through the list from its end as if it were its beginning. Which layer comes first by "
    "the statement?",
    loses=("size", "first"),
)
def list_turned_round(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers[::-1]:
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "From the top down you multiply a size by a stride. Between five neighbours lie four steps: "
    "which of the two numbers does a stride stretch?",
    loses=("size",),
)
def sizes_stretched(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in reversed(layers):
        size = size * stride + dilation * (kernel_size - 1)
        first = first * stride - padding
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You add strides. Every second one of every second one: every how many?", loses=("step",)
)
def strides_added(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, sum(layer[1] for layer in layers) or 1, first


@receptive_field.mistake(
    "That is the last layer's own stride. How far apart are its inputs, in pixels?", loses=("step",)
)
def last_stride(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, layers[-1][1] if layers else 1, first


@receptive_field.mistake(
    "Dilation spreads a window's entries, not its places. Does the next place move with it?",
    loses=("step",),
)
def dilation_in_the_step(layers):
    size, step, first, wrong = 1, 1, 0, 1
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
        wrong *= stride * dilation
    return size, wrong, first


@receptive_field.mistake(
    "With a border of 2 the first window begins two pixels before the image. On which side of 0 is "
    "that?",
    loses=("first",),
)
def first_after_the_edge(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first += padding * step
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "You add up the borders as they are. One pixel of border, behind a stride of 2, is how many "
    "pixels of the image?",
    loses=("first",),
)
def borders_without_strides(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first -= padding
        step *= stride
    return size, step, first


@receptive_field.mistake(
    "That is the middle of what unit 0 sees. Where does it begin?", loses=("first",)
)
def middle_for_first(layers):
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        first -= padding * step
        step *= stride
    return size, step, first + (size - 1) / 2


@receptive_field.mistake(
    "Your first pixel is 0, whatever the border. Where does the first window begin with one?",
    loses=("first",),
)
def first_is_nought(layers):
    size, step = 1, 1
    for kernel_size, stride, _, dilation in layers:
        size += dilation * (kernel_size - 1) * step
        step *= stride
    return size, step, 0


# sizes_forecast ---------------------------------------------------------------

sizes_forecast = Exercise(
    "sizes_forecast",
    "Predict: sizes, parameters, work",
    parts={
        "side": 1,
        "parameters": 1,
        "wide": 1,
        "dense": 1,
        "multiplications": 1,
        "columns": 1,
        "period": 1,
    },
    minutes=12,
    difficulty=2,
    outcomes=(COUNT, SHIFT),
    kind="predict",
    of="value",
)


@sizes_forecast.answer
def _():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.alternative
def by_formula():
    side = (32 + 2 * 1 - 5) // 2 + 1
    entries, units = 3 * 5 * 5, 16 * side**2
    return {
        "side": side,
        "parameters": 16 * entries + 16,
        "wide": 16 * entries + 16,
        "dense": 3 * 32**2 * units + units,
        "multiplications": units * entries,
        "columns": entries * side**2,
        "period": 2 * 3,
    }


@sizes_forecast.alternative
def by_counting():
    side = len([top for top in range(-1, 33) if (top + 1) % 2 == 0 and top + 4 <= 32])
    a_filter = sum(1 for _ in np.ndindex(3, 5, 5))
    moves = [move for move in range(1, 9) if move % 2 == 0 and (move // 2) % 3 == 0]
    return {
        "side": side,
        "parameters": sum(a_filter + 1 for _ in range(16)),
        "wide": sum(a_filter + 1 for _ in range(16)),
        "dense": sum(3 * 32 * 32 + 1 for _ in range(16 * side * side)),
        "multiplications": sum(a_filter for _ in range(16 * side * side)),
        "columns": sum(a_filter for _ in range(side * side)),
        "period": moves[0],
    }


@sizes_forecast.mistake(
    "The last window hangs over the border in yours. Round down, by the statement; three of your "
    "other numbers follow.",
    loses=("side", "dense", "multiplications", "columns"),
)
def rounded_up():
    return {
        "side": 16,
        "parameters": 1216,
        "wide": 1216,
        "dense": 12_587_008,
        "multiplications": 307_200,
        "columns": 19_200,
        "period": 6,
    }


@sizes_forecast.mistake(
    "You have left out the border; three of your other numbers follow from that.",
    loses=("side", "dense", "multiplications", "columns"),
)
def without_the_border():
    return {
        "side": 14,
        "parameters": 1216,
        "wide": 1216,
        "dense": 9_636_928,
        "multiplications": 235_200,
        "columns": 14_700,
        "period": 6,
    }


@sizes_forecast.mistake(
    "Weights alone. What else does a filter learn?", loses=("parameters", "wide")
)
def without_biases():
    return {
        "side": 15,
        "parameters": 1200,
        "wide": 1200,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "Your filters look at one channel. How many channels has a colour image?",
    loses=("parameters", "wide"),
)
def one_channel():
    return {
        "side": 15,
        "parameters": 416,
        "wide": 416,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "A larger image has more places. Which of the parameters belong to a place?", loses=("wide",)
)
def four_times_as_many():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 4864,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "Both sides of the image are twice as long, but do the filters grow with it?", loses=("wide",)
)
def twice_as_many():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 2432,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "That linear layer has 16 outputs. How many numbers does the convolution hand on?",
    loses=("dense",),
)
def sixteen_outputs():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 49_168,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "Your linear layer has no biases. How many outputs has it, and what has each of them?",
    loses=("dense",),
)
def dense_without_biases():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_059_200,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "You let the window stand on every pixel. On how many places does it stand?",
    loses=("multiplications",),
)
def at_every_pixel():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 1_228_800,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "That is the work of one filter. How many are there?", loses=("multiplications",)
)
def of_one_filter():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 16_875,
        "columns": 16_875,
        "period": 6,
    }


@sizes_forecast.mistake(
    "You write the columns out once for each filter. Do the filters need columns of their own?",
    loses=("columns",),
)
def columns_for_each_filter():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 270_000,
        "period": 6,
    }


@sizes_forecast.mistake(
    "Columns don't save any copies: one pixel stands in several windows. How long is a column, and "
    "how many are there?",
    loses=("columns",),
)
def as_many_as_pixels():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 3072,
        "period": 6,
    }


@sizes_forecast.mistake(
    "You have thought of the convolution alone. Behind the pooling, too, how many pixels of the "
    "image lie between neighbours?",
    loses=("period",),
)
def the_convolutions_stride():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 2,
    }


@sizes_forecast.mistake(
    "The pooling goes on by places of the convolution's map. How many pixels of the image is one "
    "of them from the next?",
    loses=("period",),
)
def the_poolings_stride():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 3,
    }


@sizes_forecast.mistake(
    "You add the strides. A step of the pooling is so many places of the map, and each of them so "
    "many pixels from the next: how many pixels?",
    loses=("period",),
)
def strides_added_up():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 5,
    }


@sizes_forecast.mistake(
    "That holds where the window stands on every pixel. Move the image by one pixel: does what the "
    "window sees at its places come back anywhere?",
    loses=("period",),
)
def every_shift():
    return {
        "side": 15,
        "parameters": 1216,
        "wide": 1216,
        "dense": 11_062_800,
        "multiplications": 270_000,
        "columns": 16_875,
        "period": 1,
    }


# life_rule --------------------------------------------------------------------

life_rule = Exercise(
    "life_rule",
    "Design a kernel: the Game of Life",
    parts={"births": 2, "survivals": 2},
    minutes=12,
    difficulty=2,
    outcomes=(COMPUTE, SHIFT),
    kind="design",
    of="value",
)


@life_rule.cases
def _(rng):
    blinker = np.zeros((3, 5), int)
    blinker[1, 1:4] = 1
    yield Case((blinker,), "three in a row")
    yield Case((np.ones((3, 4), int),), "everybody lives")
    for alive in range(9):  # a cell with so many neighbours, dead and alive
        ring = (np.arange(8) < alive).astype(int)
        board = np.zeros((3, 7), int)
        for centre, middle in ((1, 0), (5, 1)):
            board[:, centre - 1 : centre + 2] = np.insert(ring, 4, middle).reshape(3, 3)
        yield Case((board,), f"cells with {alive} neighbours")
    while True:
        shape = rng.integers(4, 8, size=2)
        yield Case(((rng.random(shape) < rng.uniform(0.2, 0.6)).astype(int),))


@life_rule.observe
def _(candidate, board):
    rule = candidate()
    kernel = np.array(rule["kernel"], dtype=float)
    low, high = float(rule["low"]), float(rule["high"])
    if kernel.shape != (3, 3):
        raise ValueError(f"a kernel of 3 by 3, not {kernel.shape}")
    height, width = board.shape
    border = np.pad(board, 1).astype(float)
    z = np.zeros(board.shape)
    for a in range(3):
        for b in range(3):
            z += kernel[a, b] * border[a : a + height, b : b + width]
    after = ((low < z) & (z < high)).astype(int)
    return {"births": after * (1 - board), "survivals": after * board}


@life_rule.answer
def _():
    return {"kernel": np.array([[2, 2, 2], [2, 1, 2], [2, 2, 2]]), "low": 4.5, "high": 7.5}


@life_rule.alternative
def half_a_cell():
    kernel = np.ones((3, 3))
    kernel[1, 1] = 0.5
    return {"kernel": kernel, "low": 2.4, "high": 3.6}


@life_rule.alternative
def from_above():
    return {"kernel": [[-10] * 3, [-10, -4, -10], [-10] * 3], "low": -35.0, "high": -23.0}


@life_rule.mistake(
    "A living cell with three neighbours dies in yours. Does it count itself as one of them?",
    loses=("survivals",),
)
def everybody_counts():
    return {"kernel": np.ones((3, 3)), "low": 2.5, "high": 3.5}


@life_rule.mistake(
    "A dead cell with four neighbours is born in yours. What is its score, and who else has one "
    "between your limits?",
    loses=("births",),
)
def everybody_counts_up_to_four():
    return {"kernel": np.ones((3, 3)), "low": 2.5, "high": 4.5}


@life_rule.mistake(
    "A living cell with two neighbours dies in yours, as a dead one stays dead. What in your score "
    "tells the two apart?",
    loses=("survivals",),
)
def the_rule_of_the_dead():
    kernel = np.ones((3, 3))
    kernel[1, 1] = 0
    return {"kernel": kernel, "low": 2.5, "high": 3.5}


@life_rule.mistake(
    "A dead cell with two neighbours is born in yours, as a living one lives on. What in your "
    "score, or your limits, tells the two apart?",
    loses=("births",),
)
def the_rule_of_the_living():
    kernel = np.ones((3, 3))
    kernel[1, 1] = 0
    return {"kernel": kernel, "low": 1.5, "high": 3.5}


@life_rule.mistake("Your kernel sees four neighbours. How many does a cell have, by the statement?")
def no_diagonals():
    return {"kernel": np.array([[0, 2, 0], [2, 1, 2], [0, 2, 0]]), "low": 4.5, "high": 7.5}


@life_rule.mistake(
    "No living cell lives on in yours. Write down the scores of those with two and with three "
    "neighbours: do they lie strictly between your limits?",
    loses=("survivals",),
)
def limits_on_the_scores():
    return {"kernel": np.array([[2, 2, 2], [2, 1, 2], [2, 2, 2]]), "low": 5, "high": 7}


# written ----------------------------------------------------------------------

moved_camera = Question(
    "moved_camera",
    "The camera that was moved",
    points=5,
    minutes=12,
    outcomes=(SHIFT,),
    rubric="""\
- 1 point: says what a convolution does to a shift: the feature maps move along with the image
  (equivariance); that is not the same as an answer that stays (invariance).
- 1 point: names where the place comes back in: the linear layer behind the flattening has weights
  of its own for every place, and has seen parts in the middle only.
- 1 point: names at least one more limit: stride and pooling keep only shifts by multiples of their
  product exactly; or zeros come in at the border; or parts are cut off.
- 1 point: a remedy for this case with what it costs: training images moved as the camera may move
  (longer training, and moves must be guessed); or a mean over all places before the last layer
  (place is lost where it matters); or cropping to the part first (something must find it).
- 1 point: a test before it goes live: images kept aside, moved by known amounts, or taken with the
  camera in new places; accuracy against the shift, beside a baseline.
- No point for "use a larger network" or "collect more data" without saying of what.""",
    exemplars={
        "full": """\
He mixes up two things. If the image moves, the feature maps of a convolution move with it: the
scratch is still found, only elsewhere. But behind the last convolution the maps are flattened, and
the linear layer has a weight for every place; the weights for places on the left have never seen a
part, so they say nothing sensible. Besides, with two poolings of stride 2 only shifts by multiples
of 4 pixels come out as exact shifts, and at the border zeros come in. I would train on images moved
by as much as the camera can be moved; training takes longer, and somebody has to say how much that
is. Or take the mean over all places before the last layer, if it doesn't matter where on the part
the scratch is. Before it goes live again: take held-out images, move them by 0 to 20 pixels, draw
accuracy against the shift, with the old network beside the new one.""",
        "partial": """\
Convolutions only shift their output, they are not invariant. The fully connected layer at the end
learned where the parts usually are. One should augment the training data with shifted images.""",
        "typical": """\
A CNN is shift invariant because of weight sharing and pooling, so it can't be the shift. The light
must have changed when the camera was moved. The network should be trained again with more images
from the new camera.""",
    },
)
