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
# # Automatic differentiation: exercises
#
# You write the pieces of an engine that differentiates by itself: the way back of broadcasting and
# of matrix products, an order to walk in, the walk, and the same in the other direction. Everything
# is NumPy, a few lines each. Read the chapter first, or keep it open beside you.
#
# **How it works.** Replace each `raise NotImplementedError()` with your code, run the cell, then
# run the check below it. A check that is not content says which part is wrong, on which input, and
# often why. Run it as often as you like. Your work is graded later with the same checks on other
# inputs.
#
# **Conventions of this sheet.** `dy` is the gradient of the loss with respect to `y`, in the shape
# of `y`. A gradient has the shape of what it is the gradient of, and points uphill. All arrays are
# float64, and so is what you give back. Leave what you are handed as it is. The course's own engine
# isn't to be used here, nor are other libraries that differentiate or sort graphs (`graphlib`).

# %% [markdown] role="statement" grade_id="unbroadcast"
# ## The way back of broadcasting
#
# NumPy stretches a small array to meet a large one: axes of length 1 are repeated, and where axes
# are missing, new ones are put *in front*. So one entry is used several times, and where ways
# meet, add.
#
# Write `unbroadcast(dy, shape)`. `dy` is the gradient with respect to the stretched array, and
# `shape`, a tuple, is the shape before stretching. Return the gradient with respect to the array as
# it was, of that shape. (You may rely on it that `shape` broadcasts to `dy.shape`. An axis of
# length 1 may also have stayed as it was.)
#
# For example, `dy = [[1, 2, 3], [4, 5, 6]]` gives `[5, 7, 9]` for the shape `(3,)`, `[[6], [15]]`
# for `(2, 1)`, and `21` for `()`. A number may be a NumPy number or an array without axes.
#
# <details><summary>Hint: where do I begin?</summary>
#
# With the axes that are new. How many are there, and where do they stand? When they are gone, both
# shapes have equally many axes, and you can compare them one by one.
#
# </details>


# %% role="solution" grade_id="unbroadcast"
def unbroadcast(dy, shape):
    """Gradient of an array of ``shape`` that was stretched to the shape of ``dy``."""
    ### BEGIN SOLUTION
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy
    ### END SOLUTION


# %% role="check" grade_id="unbroadcast"
check("unbroadcast", unbroadcast)

# %% [markdown] role="statement" grade_id="matmul_vjp"
# ## Backward through any matrix product
#
# `a @ b` multiplies matrices, and by NumPy's rules more than that:
#
# - with more than two axes, the *last two* are the matrices and the axes before them are a stack;
#   stacks broadcast;
# - a vector on the left is taken for a row, one on the right for a column, and the axis that it got
#   for this is dropped from the result.
#
# Write `matmul_vjp(dy, a, b)`, which returns `da` and `db`, in this order, for `y = a @ b`. `dy`
# has the shape of `y`; where both are vectors it is a number. Both `a` and `b` have at least one
# axis. (The name is short for vector-Jacobian product, which is what every `backward` computes.)
#
# For example, `a = [[1, 2]]`, `b = [[3], [4]]` and `dy = [[2]]` give `da = [[6, 8]]` and
# `db = [[2], [4]]`. The vectors `a = [1, 2]` and `b = [3, 4]` with `dy = 2` give `da = [6, 8]` and
# `db = [2, 4]`.
#
# <details><summary>Hint: how do I handle a vector?</summary>
#
# Do what `@` does. Give the vector its axis, give `dy` the axis that was dropped, treat everything
# as matrices, and take the axis away at the end.
#
# </details>
#
# <details><summary>Hint: and the stacks?</summary>
#
# One matrix may have served a whole stack. You have just written what is needed.
#
# </details>


# %% role="solution" grade_id="matmul_vjp"
def matmul_vjp(dy, a, b):
    """da and db of ``a @ b``, by NumPy's rules, for ``dy``."""
    ### BEGIN SOLUTION
    dy = np.asarray(dy)
    rows, columns = a, b
    if b.ndim == 1:
        columns, dy = b[:, None], dy[..., None]
    if a.ndim == 1:
        rows, dy = a[None, :], dy[..., None, :]
    da = unbroadcast(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = unbroadcast(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape)
    ### END SOLUTION


# %% role="check" grade_id="matmul_vjp"
check("matmul_vjp", matmul_vjp)

# %% [markdown] role="statement" grade_id="topological_order"
# ## An order to walk in
#
# A graph is a dict: to each name belongs a list of the names that it was made from. For example
# `{"loss": ["h", "x"], "h": ["x"], "x": []}`.
#
# Write `topological_order(graph)`. Return a list of all names, each once and each *after* all that
# it was made from: here `["x", "h", "loss"]`. Where several orders are right, any of them will do.
# A name may be made from the same name twice (`x + x`), and there may be more than one end.
#
# - If the graph has a cycle no such order exists: raise a `ValueError`, or an error of your own
#   that is derived from it.
# - A chain of 4,000 operations must not hit Python's limit on calls within calls. (Raising the
#   limit doesn't count: behind it stands the memory that calls take, which has an end too.)
#
# <details><summary>Hint: without recursion?</summary>
#
# There are two good ways. Either keep the names on the way in a list of your own: its last entry is
# where you stand. Or start from the names that wait for nothing, and cross them out where others
# wait for them.
#
# </details>
#
# <details><summary>Hint: how do I notice a cycle?</summary>
#
# On the first way: a name is new, on the way, or done. Which of the three is it when you come round
# to it in a circle? On the second: who is never ready?
#
# </details>


# %% role="solution" grade_id="topological_order"
def topological_order(graph):
    """All names of ``graph``, each after those that it was made from; ValueError for a cycle."""
    ### BEGIN SOLUTION
    waits = {name: len(set(inputs)) for name, inputs in graph.items()}
    users = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:  # it grows while it is walked
        for user in users[name]:
            waits[user] -= 1
            if waits[user] == 0:
                order.append(user)
    if len(order) < len(graph):
        raise ValueError(f"a cycle: {sorted(set(graph) - set(order))} wait for each other")
    return order
    ### END SOLUTION


# %% role="check" grade_id="topological_order"
check("topological_order", topological_order)

# %% [markdown] role="statement" grade_id="backward_pass"
# ## The walk back
#
# Now the walk itself. A *tape* is a list of operations in the order in which they were computed,
# each a tuple `(name, operation, inputs)`: the name of the result, what was done, and the list of
# the names of what went in. There are four operations:
#
# | operation | inputs | result |
# |---|---|---|
# | `"add"` | two, of one shape | their sum, entry by entry |
# | `"mul"` | two, of one shape | their product, entry by entry |
# | `"tanh"` | one | tanh of each entry |
# | `"sum"` | one | the sum of all its entries, a number |
#
# `values` is a dict of what came out: the value of every name, leaves too, each an array or a
# number. The last operation's result is the loss, a number.
#
# Write `backward_pass(tape, values)`. Return a dict with the gradient of the loss with respect to
# *every* name in `values`, in the shape of its value: 1 for the loss itself, and zeros for a name
# from which no way leads to the loss.
#
# For example, the tape `[("q", "mul", ["x", "x"]), ("loss", "sum", ["q"])]` with
# `values = {"x": [1, 2], "q": [1, 4], "loss": 5}` gives `{"x": [2, 4], "q": [1, 1], "loss": 1}`.
#
# <details><summary>Hint: I am right for chains and wrong where a value is used twice</summary>
#
# What happens to the first share when the second one comes? And if you write `+=`: is the array
# that you add into in use anywhere else?
#
# </details>


# %% role="solution" grade_id="backward_pass"
def backward_pass(tape, values):
    """Gradient of the tape's last result with respect to every name in ``values``."""
    ### BEGIN SOLUTION
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:  # add and sum hand on what they get
            shares = [dy] * len(inputs)
        for m, share in zip(inputs, shares):
            grads[m] = grads[m] + share  # a new array: += would write into one that others hold
    return grads
    ### END SOLUTION


# %% role="check" grade_id="backward_pass"
check("backward_pass", backward_pass)

# %% [markdown] role="statement" grade_id="mended_gradients"
# ## Find the fault
#
# A colleague has the slopes of his graph already. `arrows` is a dict: to each name belongs a list
# of pairs, the name of an input and the slope of the result with respect to it. `last` is the name
# of the loss. His networks train, until he puts a shortcut into one, as in $y = x + f(x)$: below it
# the gradients are wrong. The cell below is his, with a graph on which it fails.
#
# Write the mended function as `mended_gradients(arrows, last)`. Return a dict with the gradient of
# `last` with respect to every name of `arrows`: 1 for `last` itself, 0 for a name from which no way
# leads there. The dict isn't in any particular order, `last` needn't be the only end, and there is
# no cycle. An input may stand in a list twice.
#
# For example, `{"x": [], "y": [("x", 2.0)], "loss": [("x", 5.0), ("y", 3.0)]}` with
# `last = "loss"` gives `{"x": 11, "y": 3, "loss": 1}`: the ways are $5$ and $3 \cdot 2$.
#
# <details><summary>Hint: how do I find it?</summary>
#
# Take the graph in the cell and write down, step by step, which name is walked and which gradient
# it hands on. Compare each with what it should have been at the end.
#
# </details>


# %% role="given" grade_id="colleagues_gradients"
def colleagues_gradients(arrows, last):
    """Gradient of ``last`` with respect to every name. Something is wrong."""
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    waiting, seen = [last], {last}
    while waiting:
        name = waiting.pop(0)
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
            if m not in seen:
                seen.add(m)
                waiting.append(m)
    return grads


shortcut = {"loss": [("x", 5.0), ("y", 3.0)], "y": [("x", 2.0)], "x": [("w", 1.0)], "w": []}
print(colleagues_gradients(shortcut, "loss"), "where x and w should both have 11")


# %% role="solution" grade_id="mended_gradients"
def mended_gradients(arrows, last):
    """Gradient of ``last`` with respect to every name of ``arrows``."""
    ### BEGIN SOLUTION
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    order = topological_order({name: [m for m, _ in inputs] for name, inputs in arrows.items()})
    for name in reversed(order):  # each after all that use it: its gradient is complete
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
    return grads
    ### END SOLUTION


# %% role="check" grade_id="mended_gradients"
check("mended_gradients", mended_gradients)

# %% [markdown] role="statement" grade_id="engine_forecast"
# ## Predict: what the engine does
#
# Work out five numbers before you run anything.
#
# - `ways`: $z_0 = x$ and $z_{k+1} = z_k + z_k + z_k$, six times. On how many ways does $x$ reach
#   $z_6$?
# - `calls`: somebody differentiates this by recursion and without a memory: the function is called
#   for $z_6$, and calls itself for each use of an input, down to $x$. Count $z_k + z_k + z_k$ as
#   one operation with three inputs. How many calls are made in all, the first one included?
# - `detached`: $x = 3$ and `y = x * x.detach()`. Which gradient does `y.backward()` give to $x$?
# - `bias`: a bias of shape `(10,)` is added to logits of shape `(50, 10)`, and the loss is the
#   plain mean of all entries of the result. What is each entry of the bias's gradient?
# - `twice`: $x = 3$ and `y = x * x + x`. `y.backward()` is called twice, with nothing in between.
#   What is `x.grad`?
#
# Set `engine_forecast` to a dict of these five numbers, `{"ways": ..., "calls": ...,
# "detached": ..., "bias": ..., "twice": ...}`. For example, with $z_{k+1} = z_k + z_k$, twice,
# there would be 4 ways and 7 calls. The cell after the check shows what happens.
#
# <details><summary>Hint: how do I count calls?</summary>
#
# Level by level: one for $z_6$, then one for each use of $z_5$, and so on. The last level is $x$.
#
# </details>

# %% role="solution" grade_id="engine_forecast"
### BEGIN SOLUTION
engine_forecast = {"ways": 729, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 14}
### END SOLUTION

# %% role="check" grade_id="engine_forecast"
check("engine_forecast", engine_forecast)

# %%
from dlcourse.scratch.autograd import Tensor, record


def calls(tensor):
    return 1 + sum(calls(parent) for parent in tensor.parents)


def gradient_of(f, at):
    x = Tensor(at, requires_grad=True)
    y = f(x)
    y.backward()
    return x.grad


def tripled(x):
    for _ in range(6):  # one operation with three inputs; x + x + x would record two
        x = record("triple", 3 * x.data, (x, x, x), lambda dy: (dy, dy, dy))
    return x


end = tripled(Tensor(1.0, requires_grad=True))
print("ways", gradient_of(tripled, 1.0), "calls", calls(end))
print("detached", gradient_of(lambda x: x * x.detach(), 3.0))
print("bias", gradient_of(lambda b: (np.zeros((50, 10)) + b).mean(), np.zeros(10))[0])
x = Tensor(3.0, requires_grad=True)
y = x * x + x
y.backward()
y.backward()
print("twice", x.grad)

# %% [markdown] role="statement" grade_id="tangent_pass"
# ## The other direction
#
# The chain rule can be walked from the other end. Let some leaves move: `moves` says for each of
# them by how much, per unit of time say, in the shape of its value. Every name of the tape then
# moves too. Its speed is called its *tangent*, and one pass along the tape finds all of them. This
# is *forward mode*.
#
# Derive on paper how each of the four operations moves if its inputs do. Then write
# `tangent_pass(tape, values, moves)`, with tape and values as in "The walk back". `moves` is a dict
# that names only the leaves that move; the others stand still. Return a dict with the tangent of
# *every* name in `values`, leaves too, in the shape of its value.
#
# For example, with `[("q", "mul", ["x", "x"]), ("loss", "sum", ["q"])]`,
# `values = {"x": [1, 2], "q": [1, 4], "loss": 5}` and `moves = {"x": [1, 0.5]}` the tangents are
# `{"x": [1, 0.5], "q": [2, 2], "loss": 4}`.
#
# <details><summary>Hint: how does a product move?</summary>
#
# Put $(a + \epsilon\, \dot a)(b + \epsilon\, \dot b)$ and keep what has one $\epsilon$.
#
# </details>


# %% role="solution" grade_id="tangent_pass"
def tangent_pass(tape, values, moves):
    """How fast each name moves if the leaves in ``moves`` do."""
    ### BEGIN SOLUTION
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * v[1] + v[0] * d[1]
        elif operation == "tanh":
            tangents[name] = d[0] * (1 - values[name] ** 2)
        else:
            tangents[name] = d[0].sum()
    return tangents
    ### END SOLUTION


# %% role="check" grade_id="tangent_pass"
check("tangent_pass", tangent_pass)

# %% [markdown]
# The two directions must agree: how fast the loss moves, pushed forwards, is the sum of gradient
# times movement over the leaves, walked back.

# %%
rng = np.random.default_rng(0)
x, w = rng.normal(size=3), rng.normal(size=3)
tape = [("h", "mul", ["x", "w"]), ("t", "tanh", ["h"]), ("r", "add", ["t", "x"])]
tape += [("loss", "sum", ["r"])]
values = {"x": x, "w": w, "h": x * w, "t": np.tanh(x * w)}
values |= {"r": values["t"] + x}
values |= {"loss": float(values["r"].sum())}
moves = {"x": rng.normal(size=3), "w": rng.normal(size=3)}
grads = backward_pass(tape, values)
print("forwards ", tangent_pass(tape, values, moves)["loss"])
print("backwards", sum(np.sum(grads[name] * move) for name, move in moves.items()))

# %% [markdown] role="question" grade_id="wrong_in_place"
# ## The same code, one line shorter
#
# A colleague writes her own engine, and one of its users saves memory. Where the code said
# `y = tanh(x)` and then `z = 0.5 * y`, it now says `y = tanh(x)` and then `y *= 0.5`, which writes
# into the array that `tanh` has just returned and recorded. (Her engine records `*=` as a product,
# factor and all; it only saves making a new array.) "The forward pass gives the same numbers, and
# the loss falls," the user says. Answer in four to six sentences: what goes wrong on
# the way back and why, why it may stay unnoticed, how an engine could notice or prevent it, and
# which check would have shown it. A person reads and marks your answer.

# %% [markdown] role="answer" grade_id="wrong_in_place"
