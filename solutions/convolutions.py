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
# # Convolutions: exercises
#
# You write what a convolutional network is made of, forwards and backwards, count what it costs and
# what it sees, and make a kernel do something that nobody taught it. Everything is NumPy, a few
# lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet**, all of them PyTorch's. Images are `(N, C, H, W)`: examples,
# channels, height, width. A weight is `(F, C, kh, kw)`: filters, channels, height and width of the
# window. The kernel is *not* flipped. `stride` says how far the window moves, `padding` how many
# zeros stand on *each* of the four sides, `dilation` how far apart the entries of the window are
# (1: next to each other). Each of these is one whole number for both directions. Where the last
# window would hang over the edge, it is left out: sizes are rounded down. All arrays hold floats.
# Give back new arrays, and leave those that you are handed as they are. Loops are welcome.

# %% [markdown] role="statement" grade_id="conv2d"
# ## A convolution of images
#
# The window of filter $f$ stands at place $(i, j)$ and adds up what it sees, weighted:
#
# $$y_{nfij} = b_f + \sum_c \sum_a \sum_b w_{fcab}\; x_{n,\,c,\;s i + d a - p,\;s j + d b - p}$$
#
# with stride $s$, dilation $d$, padding $p$, and 0 for what lies outside of the image.
#
# Write `conv2d(x, weight, bias, stride, padding, dilation)`. `bias` has shape `(F,)`. Return `y` of
# shape `(N, F, H', W')`, where
# $H' = \lfloor (H + 2p - d\,(kh - 1) - 1) / s \rfloor + 1$, and $W'$ likewise.
#
# For example, the image `[[1, 2, 3], [4, 5, 6]]` of one channel, the filter `[[1, 10]]`, the bias
# `0.5`, stride 1, no padding and dilation 1 give `[[21.5, 32.5], [54.5, 65.5]]`. With stride 2 only
# `[[21.5]]` is left, with dilation 2 `[[31.5], [64.5]]`.
#
# <details><summary>Hint: where do I begin?</summary>
#
# With the border, and with $H'$ and $W'$. Then two loops, over the places. What the window sees at
# one place is a slice of the image: where does it begin, where does it end, and what is its step?
#
# </details>
#
# <details><summary>Hint: how do I add up over channels and window at once?</summary>
#
# `np.tensordot(a, b, axes=([1, 2, 3], [1, 2, 3]))` multiplies two arrays and adds up over these
# axes of both. Or write it as an `np.einsum`.
#
# </details>

# %% role="solution" grade_id="conv2d"
def conv2d(x, weight, bias, stride, padding, dilation):
    """y (N, F, H', W') for images x (N, C, H, W) and filters weight (F, C, kh, kw)."""
    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %% role="check" grade_id="conv2d"
check("conv2d", conv2d)

# %% [markdown]
# Two filters of two weights look at a drawn ring. One asks for ink with none to its right, the
# other for ink with none to its left.

# %%
down, across = np.mgrid[-6:7, -6:7]
ring = (np.abs(np.hypot(down, across) - 4) < 1).astype(float)[None, None]
edges = np.array([[[[1.0, -1.0]]], [[[-1.0, 1.0]]]])
found = conv2d(ring, edges, np.zeros(2), 1, 0, 1)[0]
for name, y in zip(("ink, then none", "none, then ink"), found):
    print(name)
    print("\n".join("".join(" #"[int(v > 0.5)] for v in row) for row in y))

# %% [markdown] role="statement" grade_id="im2col"
# ## A column for each place
#
# Two loops over places are slow. Write down what the window sees at each place as a column, and the
# convolution becomes one product of matrices.
#
# Write `im2col(x, kernel_size, stride, padding)`. `kernel_size` is a pair `(kh, kw)`; there is no
# dilation here. Return an array of shape `(N, C * kh * kw, H' * W')`, as
# `torch.nn.functional.unfold` does: for each image a matrix with one column for each place.
#
# - A column holds the window's entries in the order in which a filter's weights lie in memory: the
#   first channel first, in it the first row first, in it from left to right.
# - The columns go through the places row by row, from left to right.
#
# For example, the image `[[1, 2, 3], [4, 5, 6]]` of one channel with a window of 1 by 2, stride 1
# and no padding gives `[[1, 2, 4, 5], [2, 3, 5, 6]]`: four places, four columns.
#
# <details><summary>Hint: may I use a loop?</summary>
#
# Yes: over the places, each of which fills one column. Or over the entries of the window, each of
# which fills one *row* of all columns at once, and there are fewer of them.
#
# </details>


# %% role="solution" grade_id="im2col"
def im2col(x, kernel_size, stride, padding):
    """What a window sees at each place of images x (N, C, H, W): (N, C * kh * kw, H' * W')."""
    ### BEGIN SOLUTION
    (n, c), (kh, kw), p = x.shape[:2], kernel_size, padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    rows, columns = (x.shape[2] - kh) // stride + 1, (x.shape[3] - kw) // stride + 1
    out = np.zeros((n, c, kh, kw, rows, columns))
    for a in range(kh):
        for b in range(kw):
            out[:, :, a, b] = x[:, :, a::stride, b::stride][:, :, :rows, :columns]
    return out.reshape(n, c * kh * kw, rows * columns)
    ### END SOLUTION


# %% role="check" grade_id="im2col"
check("im2col", im2col)

# %% [markdown]
# Both of yours, on the same numbers: do they agree, and what does each cost?

# %%
from time import perf_counter

rng = np.random.default_rng(0)
x, weight, bias = rng.normal(size=(16, 4, 28, 28)), rng.normal(size=(8, 4, 3, 3)), np.zeros(8)
start = perf_counter()
by_places = conv2d(x, weight, bias, 1, 1, 1)
middle = perf_counter()
by_columns = (weight.reshape(8, -1) @ im2col(x, (3, 3), 1, 1)).reshape(16, 8, 28, 28)
end = perf_counter()
print(f"the largest difference is {np.abs(by_places - by_columns).max():.0e}")
print(f"{1000 * (middle - start):.0f} ms by places, {1000 * (end - middle):.0f} ms by columns")

# %% [markdown] role="statement" grade_id="conv2d_backward"
# ## Backward through a convolution
#
# Write `conv2d_backward(dy, x, weight, stride, padding)` for the convolution of the first exercise
# with dilation 1. `dy` is the gradient of the loss with respect to `y`, in the shape of `y`. Return
# `dx`, `dweight` and `dbias`, in this order, each in the shape of what it is the gradient of. The
# mean over the examples is in `dy` already: you only add up.
#
# For example, the image `[[1, 2, 3]]` and the filter `[[1, 10]]`, of one channel each, stride 1, no
# padding, and `dy = [[1, 2]]` give `dx = [[1, 12, 20]]`, `dweight = [[5, 8]]` and `dbias = [3]`.
#
# <details><summary>Hint: where do I begin?</summary>
#
# At one place $(i, j)$. There the convolution is a linear layer on what the window sees, and you
# have walked back through one of those. Then: which parts of `dx`, and which parts of `dweight`, do
# two places have in common? What happens to what both of them send?
#
# </details>
#
# <details><summary>Hint: what about the border?</summary>
#
# Gather the gradient of the image *with* its border, where every window fits. Whose gradient is the
# border's part of it, and does anybody ask for that?
#
# </details>


# %% role="solution" grade_id="conv2d_backward"
def conv2d_backward(dy, x, weight, stride, padding):
    """dx, dweight and dbias of the convolution of x with weight, for the gradient dy."""
    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %% role="check" grade_id="conv2d_backward"
check("conv2d_backward", conv2d_backward)

# %% [markdown]
# Another proof, which needs no differences. Forwards and backwards are the same table of weights
# read in two directions, so $\sum dy \cdot y = \sum dx \cdot x$ where there is no bias, for any
# `dy` and `x`.

# %%
x, weight = rng.normal(size=(2, 3, 7, 8)), rng.normal(size=(4, 3, 3, 2))
y = conv2d(x, weight, np.zeros(4), 2, 1, 1)
dy = rng.normal(size=y.shape)
dx, dweight, _ = conv2d_backward(dy, x, weight, 2, 1)
print(f"{np.sum(dy * y):.10f} forwards, {np.sum(dx * x):.10f} back to x")
print(f"{np.sum(dweight * weight):.10f} back to the weights: why are these equal, too?")

# %% [markdown] role="statement" grade_id="max_pool2d_backward"
# ## Find the fault: backward through max pooling
#
# Max pooling hands on the largest entry of each window, channel by channel. Backwards, all of the
# gradient goes to that entry. The cell below is a colleague's. On her test image it is right. On
# real feature maps, behind a ReLU and with windows that overlap, it isn't: it has *two* faults.
#
# Write the mended function as `max_pool2d_backward(dy, x, kernel_size, stride)`. The window is
# `kernel_size` by `kernel_size`, without padding and dilation; `dy` has the shape of what the
# pooling handed on. Return `dx`, in the shape of `x`. Where several entries of a window are equal
# and largest, the *first* of them gets everything: row by row, in each from left to right.
#
# For example, `x = [[3, 3], [1, 2]]` of one channel, a window of 2 and `dy = [[5]]` give
# `dx = [[5, 0], [0, 0]]`.
#
# <details><summary>Hint: how do I find the faults?</summary>
#
# Add up: what goes in at the top should come out at the bottom, `dy.sum() == dx.sum()`. Try an
# image of zeros. Then windows of 2 with a stride of 1, on an image with one very large entry.
#
# </details>


# %% role="given" grade_id="colleagues_pooling"
def colleagues_pooling(dy, x, kernel_size, stride):
    """dx of max pooling. Something is wrong, twice."""
    dx, k = np.zeros(x.shape), kernel_size
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            top, left = i * stride, j * stride
            window = x[:, :, top : top + k, left : left + k]
            largest = window == window.max(axis=(2, 3), keepdims=True)
            dx[:, :, top : top + k, left : left + k] = largest * dy[:, :, i, j, None, None]
    return dx


fine = np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0]]]])
print(colleagues_pooling(np.array([[[[10.0, 20.0]]]]), fine, 2, 2))


# %% role="solution" grade_id="max_pool2d_backward"
def max_pool2d_backward(dy, x, kernel_size, stride):
    """dx of max pooling of x (N, C, H, W), for the gradient dy of what it handed on."""
    ### BEGIN SOLUTION
    dx, k = np.zeros(x.shape), kernel_size
    for n, c, i, j in np.ndindex(dy.shape):
        top, left = i * stride, j * stride
        window = x[n, c, top : top + k, left : left + k]
        a, b = divmod(int(window.argmax()), k)  # argmax takes the first of equals
        dx[n, c, top + a, left + b] += dy[n, c, i, j]  # windows may share an entry
    return dx
    ### END SOLUTION


# %% role="check" grade_id="max_pool2d_backward"
check("max_pool2d_backward", max_pool2d_backward)

# %% [markdown] role="statement" grade_id="receptive_field"
# ## Derive: what one unit sees
#
# Stack layers, and each unit of the last one depends on a square of the image, its *receptive
# field*. Along one side, unit $i$ sees the pixels from $\text{first} + i \cdot \text{step}$ to
# $\text{first} + i \cdot \text{step} + \text{size} - 1$, counted from 0 at the image's first pixel;
# pixels of the border count, and have negative numbers at the front. Derive how each layer changes
# these three numbers.
#
# Write `receptive_field(layers)`, where `layers` is a list of
# `(kernel_size, stride, padding, dilation)`, four whole numbers each, from the image up. Pooling is
# such a layer, too; what has no window changes nothing and isn't in the list. Return `size`,
# `step` and `first`, three whole numbers, in this order.
#
# For example, a convolution `(3, 1, 1, 1)` with a pooling `(2, 2, 0, 1)` behind it gives
# `size = 4`, `step = 2` and `first = -1`: unit 0 of the pooling reads units 0 and 1 of the
# convolution, which see pixels -1 to 1 and 0 to 2. With an empty list a pixel sees itself:
# `1, 1, 0`.
#
# <details><summary>Hint: where do I begin?</summary>
#
# Draw a line of pixels, above it a line of units with a window of 3 and a stride of 2, above that
# one more. Two neighbours in the middle line are how many pixels apart? And the first and the last
# entry of a window that stands on the middle line?
#
# </details>
#
# <details><summary>Hint: from below or from above?</summary>
#
# Both work. From below, keep the distance in pixels of two neighbours of the layer you have come
# to. From above, keep the range of units that you need, and ask the layer below for its range.
#
# </details>


# %% role="solution" grade_id="receptive_field"
def receptive_field(layers):
    """size, step and first of the receptive fields behind layers, listed from the image up."""
    ### BEGIN SOLUTION
    size, step, first = 1, 1, 0
    for kernel_size, stride, padding, dilation in layers:
        size += dilation * (kernel_size - 1) * step  # its window's neighbours are step pixels apart
        first -= padding * step
        step *= stride
    return size, step, first
    ### END SOLUTION


# %% role="check" grade_id="receptive_field"
check("receptive_field", receptive_field)

# %% [markdown] role="statement" grade_id="sizes_forecast"
# ## Predict: sizes, parameters, work
#
# A colour image, 3 channels of 32 by 32 pixels, goes into a convolution with 16 filters of 5 by 5,
# stride 2, padding 1, dilation 1 and a bias. Behind it stands a max pooling of 3 by 3 with
# stride 3. Work out on paper:
#
# - `side`: how many units high is a feature map of the convolution?
# - `parameters`: how many numbers does the convolution learn?
# - `wide`: how many would it learn for images of 64 by 64?
# - `dense`: how many would a *linear* layer with biases learn that takes the same 3,072 numbers and
#   hands on as many as the convolution does?
# - `multiplications`: how many products of a weight and an input does the convolution form for one
#   image, zeros of the border counted?
# - `columns`: how many numbers does `im2col` write down for one image?
# - `period`: far from the border, what is the smallest number of pixels, above 0, by which one can
#   move the image so that what the *pooling* hands on is exactly what it was, moved?
#
# Set `sizes_forecast` to a dict of these seven whole numbers. For example, a convolution with one
# filter of 2 by 2, without padding, on a grey image of 4 by 4 has a side of 3 and 5 parameters, and
# forms 36 products.
#
# <details><summary>Hint: how do I begin with the last one?</summary>
#
# Move the image by one pixel: the window stands on every second one, so it now sees what it has
# never seen before. By how much must you move, so that each window sees what a neighbour saw? And
# the same again for the pooling.
#
# </details>

# %% role="solution" grade_id="sizes_forecast"
### BEGIN SOLUTION
sizes_forecast = {
    "side": 15,
    "parameters": 1216,
    "wide": 1216,
    "dense": 11_062_800,
    "multiplications": 270_000,
    "columns": 16_875,
    "period": 6,
}
### END SOLUTION

# %% role="check" grade_id="sizes_forecast"
check("sizes_forecast", sizes_forecast)

# %% [markdown]
# Count it, with what you have written: a patch in a dark image, moved to the right pixel by pixel.

# %%
weight = rng.normal(size=(16, 3, 5, 5))
patch = rng.normal(size=(1, 3, 8, 8))


def pooled(moved):
    image = np.zeros((1, 3, 32, 32))
    image[:, :, 8:16, 8 + moved : 16 + moved] = patch
    y = conv2d(image, weight, np.zeros(16), 2, 1, 1)
    return y.reshape(1, 16, 5, 3, 5, 3).max(axis=(3, 5))


print("columns:", im2col(np.zeros((1, 3, 32, 32)), (5, 5), 2, 1).shape)
for moved in range(1, 13):
    places = range(3)  # by how many places the map may have moved
    same = [np.allclose(np.roll(pooled(0), k, axis=3), pooled(moved)) for k in places]
    print(moved, "pixels:", f"the same map, {same.index(True)} on" if any(same) else "another map")

# %% [markdown] role="statement" grade_id="life_rule"
# ## Design a kernel: the Game of Life
#
# Conway's Game of Life is played on a grid of cells, each alive (1) or dead (0). All cells change
# at once, by how many of their *eight* neighbours are alive; beyond the edge everybody is dead:
#
# - a dead cell with exactly three living neighbours is born;
# - a living cell with two or three living neighbours lives on;
# - every other cell is dead in the next round.
#
# It is one rule everywhere: a convolution. Find *one* kernel of 3 by 3 and two limits, so that a
# cell is alive in the next round exactly where $\text{low} < z < \text{high}$, strictly, for the
# convolution $z$ of the board with your kernel (stride 1, padding 1, no bias).
#
# Set `life_rule` to a dict `{"kernel": ..., "low": ..., "high": ...}`: three rows of three numbers,
# as lists or as an array, and two numbers. There is more than one answer. For example, nine ones as
# the kernel give a lone living cell the score 1, and so each of its neighbours.
#
# <details><summary>Hint: what must the score tell apart?</summary>
#
# Write a table: rows dead and alive, columns 0 to 8 neighbours, and a cross where there is life in
# the next round. Three crosses must get scores that lie together, and nobody else's between them.
#
# </details>

# %% role="solution" grade_id="life_rule"
### BEGIN SOLUTION
life_rule = {"kernel": [[2, 2, 2], [2, 1, 2], [2, 2, 2]], "low": 4.5, "high": 7.5}
### END SOLUTION

# %% role="check" grade_id="life_rule"
check("life_rule", life_rule)

# %% [markdown]
# Your convolution, and your rule, over and over. A kernel knows nothing of places, so what lives on
# the left would live on the right.

# %%
board = np.zeros((1, 1, 8, 16))
board[0, 0, 1:4, 1:4] = [[0, 1, 0], [0, 0, 1], [1, 1, 1]]
kernel = np.array(life_rule["kernel"], float)[None, None]
for step in range(9):
    if step % 4 == 0:
        print("\n".join("".join(".#"[int(cell)] for cell in row) for row in board[0, 0]), "\n")
    z = conv2d(board, kernel, np.zeros(1), 1, 1, 1)
    board = ((life_rule["low"] < z) & (z < life_rule["high"])).astype(float)

# %% [markdown] role="question" grade_id="moved_camera"
# ## The camera that was moved
#
# A factory photographs parts on a belt, each part in the middle of the picture. A network of two
# convolutions, each with a pooling of stride 2 behind it, a flattening and one linear layer finds
# scratches, and is right on 98 % of held-out pictures. On Monday somebody moves the camera, and
# all parts now lie 20 pixels further to the left. It finds hardly any scratches. "That can't be the
# shift," says the engineer, "convolutions don't care where a thing is." Answer him in five to seven
# sentences: what a convolution does to a shift and what it doesn't, where in *this* network the
# place comes back in, what you would change and what that costs, and how you would test it before
# it goes live again. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="moved_camera"
