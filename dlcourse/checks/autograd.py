"""The exercises of ``autograd``: the pieces of an engine for reverse-mode differentiation.

Conventions: ``dy`` is the gradient of the loss with respect to ``y``, in the shape of ``y``; a
gradient has the shape of what it is the gradient of. A graph is a dict from each name to the names
that it was made from; a tape is a list of ``(name, operation, inputs)`` in the order of computing.
"""

import numpy as np

from dlcourse.checks.core.exercise import Case, Exercise, Question

WALK, BROADCAST, TRUST = "autograd-walk", "autograd-broadcast", "autograd-trust"
FORBIDS = ("torch", "sklearn", "scipy", "dlcourse.scratch")


# unbroadcast --------------------------------------------------------------------

unbroadcast = Exercise(
    "unbroadcast",
    "The way back of broadcasting",
    parts={"leading": 1, "stretched": 1, "together": 1},
    minutes=10,
    difficulty=2,
    outcomes=(BROADCAST,),
    forbids=FORBIDS,
)


@unbroadcast.cases
def _(rng):
    leading, stretched, together = ("leading",), ("stretched",), ("together",)
    yield Case((rng.normal(size=(4, 3)), (3,)), "a row, used four times", leading)
    yield Case((rng.normal(size=(4, 3)), (4, 1)), "a column, used three times", stretched)
    yield Case((rng.normal(size=(2, 4, 3)), (4, 1)), "a new axis and a stretched one", together)
    yield Case((rng.normal(size=(3, 3)), (3,)), "all sizes equal", leading)
    yield Case((rng.normal(size=(2, 4, 3)), ()), "a number", leading)
    yield Case((rng.normal(size=(4, 3)), (4, 3)), "nothing was stretched", stretched)
    yield Case((rng.normal(size=(3, 3)), (1, 3)), "all sizes equal, one axis stretched", stretched)
    yield Case((rng.normal(size=(3, 1, 2, 4)), (2, 1)), "two new axes, and one stretched", together)
    yield Case((rng.normal(size=(1, 3)), (1, 3)), "a length of 1 that stayed 1", stretched)
    yield Case((rng.normal(size=(3, 3, 3)), (3, 1)), "all sizes equal, new and stretched", together)
    while True:
        *whole, last = rng.integers(2, 5, size=4).tolist()
        kind = rng.choice(3)
        dy = rng.normal(size=(*whole, last))
        if kind == 0:
            yield Case((dy, (whole[-1], last)), "", leading)
        elif kind == 1:
            yield Case((dy, (whole[0], 1, whole[2], 1)), "", stretched)
        else:
            yield Case((dy, (1, whole[2], 1)), "", together)


@unbroadcast.observe
def _(candidate, dy, shape):
    dx = candidate(dy, shape)
    return {"leading": dx, "stretched": dx, "together": dx}


@unbroadcast.answer
def _(dy, shape):
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy


@unbroadcast.alternative
def all_axes_at_once(dy, shape):
    full = (1,) * (dy.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i, (n, s) in enumerate(zip(dy.shape, full, strict=True)) if n != s)
    return dy.sum(axis=axes, keepdims=True).reshape(shape)


@unbroadcast.alternative
def entry_by_entry(dy, shape):
    dx = np.zeros(shape)
    new = dy.ndim - len(shape)
    for place in np.ndindex(dy.shape):
        dx[tuple(0 if s == 1 else i for i, s in zip(place[new:], shape, strict=True))] += dy[place]
    return dx


@unbroadcast.alternative
def by_numbered_entries(dy, shape):
    size = int(np.prod(shape))
    whose = np.broadcast_to(np.arange(size).reshape(shape), dy.shape)
    return np.bincount(whose.ravel(), dy.ravel(), minlength=size).reshape(shape)


@unbroadcast.mistake(
    "An axis that had length 1 was stretched too, and you hand it back stretched.",
    loses=("stretched", "together"),
)
def new_axes_only(dy, shape):
    return dy.sum(axis=tuple(range(dy.ndim - len(shape))))


@unbroadcast.mistake(
    "Broadcasting may also put new axes in front, and yours are still there.",
    loses=("leading", "together"),
)
def stretched_axes_only(dy, shape):
    new = dy.ndim - len(shape)
    axes = tuple(new + i for i, length in enumerate(shape) if length == 1)
    return dy.sum(axis=axes, keepdims=True)


@unbroadcast.mistake(
    "The numbers are right, but an axis of length 1 is still an axis: look at the shape.",
    loses=("stretched", "together"),
)
def axes_of_length_1_lost(dy, shape):
    new = dy.ndim - len(shape)
    axes = tuple(new + i for i, length in enumerate(shape) if length == 1)
    return dy.sum(axis=tuple(range(new)) + axes)


@unbroadcast.mistake(
    "Too small by the number of copies. If one entry is used four times, and each use moves the "
    "loss, by how much does it move in all?"
)
def mean_of_the_copies(dy, shape):
    while dy.ndim > len(shape):
        dy = dy.mean(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.mean(axis=axis, keepdims=True)
    return dy


@unbroadcast.mistake("You take what comes back from one of the uses. What about the others?")
def first_copy_only(dy, shape):
    while dy.ndim > len(shape):
        dy = dy[0]
    for axis, length in enumerate(shape):
        if length == 1:
            dy = np.take(dy, [0], axis=axis)
    return dy


@unbroadcast.mistake(
    "You add up at the end of the shape. On which side does broadcasting put new axes?",
    loses=("leading", "together"),
)
def new_axes_behind(dy, shape):
    while dy.ndim > len(shape):
        dy = dy.sum(axis=-1)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy


@unbroadcast.mistake(
    "`reshape` keeps the number of entries. Were there more of them after the stretching?"
)
def reshaped(dy, shape):
    return dy.reshape(shape)


@unbroadcast.mistake("One sum over everything. Does each entry feel all of dy, or its own copies?")
def one_sum_for_all(dy, shape):
    return np.full(shape, dy.sum())


@unbroadcast.mistake(
    "With new axes in front the stretched ones have moved. Which number have they now?",
    loses=("together",),
)
def axes_not_shifted(dy, shape):
    new = dy.ndim - len(shape)
    if new == 0 or 1 not in shape:
        axes = tuple(range(new)) + tuple(i for i, length in enumerate(shape) if length == 1)
        return dy.sum(axis=axes, keepdims=True).reshape(shape)
    both = set(range(new)) | {i for i, length in enumerate(shape) if length == 1}
    return dy.sum(axis=tuple(both), keepdims=True).reshape(shape)


@unbroadcast.mistake(
    "You add into `dy` itself; whoever called still needs it.", loses=("leading", "together")
)
def adds_into_dy(dy, shape):
    while dy.ndim > len(shape):
        for other in dy[1:]:
            dy[0] += other
        dy = dy[0]
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy


@unbroadcast.mistake("float64 came in, and float32 goes out: half of the digits are lost.")
def single_precision(dy, shape):
    dy = dy.astype(np.float32)
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            dy = dy.sum(axis=axis, keepdims=True)
    return dy


# topological_order ----------------------------------------------------------------

topological_order = Exercise(
    "topological_order",
    "An order to walk in",
    parts={"order": 2, "cycle": 1, "deep": 1},
    minutes=18,
    difficulty=3,
    outcomes=(WALK,),
    forbids=(*FORBIDS, "graphlib"),
)


@topological_order.cases
def _(rng):
    order, cycle, deep = ("order",), ("cycle",), ("deep",)
    diamond = {"loss": ["p", "q"], "p": ["h"], "q": ["h"], "h": []}
    yield Case((diamond, 0), "h is used twice", order)
    yield Case(({"x": [], "y": ["x", "x"], "loss": ["y"]}, 0), "x + x: the same input twice", order)
    shortcut = {"loss": ["r"], "r": ["x", "t"], "t": ["u"], "u": ["x"], "x": []}
    yield Case((shortcut, 0), "x reaches r on a short way and on a long one", order)
    yield Case(({"c": ["a"], "a": ["b"], "b": ["c"]}, 0), "a circle of three", cycle)
    yield Case(({"x": [], "a": ["x", "a"], "loss": ["a"]}, 0), "a is made from itself", cycle)
    yield Case(({"h0": []}, 4000), "a chain of 4,000 operations: h1 made from h0, and so on", deep)
    yield Case(({"x": [], "p": ["x"], "q": ["x"]}, 0), "two ends", order)
    yield Case(({"x": []}, 0), "one name", order)
    knot = {"loss": ["d"], "d": ["y", "c"], "y": ["x"], "c": ["d"], "x": []}
    yield Case((knot, 0), "a circle behind things that are in order", cycle)
    while True:
        names = [f"n{i}" for i in rng.permutation(7)]
        made = {n: [m for m in names[:i] if rng.random() < 0.45] for i, n in enumerate(names)}
        shuffled = rng.permutation(names).tolist()
        yield Case(({n: made[n] for n in shuffled}, 0), "", order)


@topological_order.observe
def _(candidate, graph, links):
    import sys

    if links:  # put on here: a case as long as this is slow to copy
        graph = {f"h{i}": [f"h{i - 1}"] for i in range(links, 0, -1)} | graph
    limit, depth = sys.getrecursionlimit(), 1
    frame = sys._getframe().f_back
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + 1000)  # Python's own, whatever was set before
    try:
        order, raised = candidate(graph), "nothing"
    except ValueError:
        order, raised = [], "ValueError"
    finally:
        higher = sys.getrecursionlimit() > depth + 1000
        sys.setrecursionlimit(limit)
    raised = "limit" if higher and links else raised
    return {"order": order, "deep": order, "cycle": raised}


@topological_order.answer
def _(graph):
    order = []
    state: dict = {}  # 1 on the way, 2 done
    for start in graph:
        way = [] if start in state else [(start, iter(graph[start]))]
        state.setdefault(start, 1)
        while way:
            name, inputs = way[-1]
            for m in inputs:
                if state.get(m) == 1:
                    raise ValueError(f"a cycle through {m}")
                if m not in state:
                    state[m] = 1
                    way.append((m, iter(graph[m])))
                    break
            else:
                state[name] = 2
                order.append(name)
                way.pop()
    return order


@topological_order.alternative
def whatever_is_ready(graph):
    waits = {name: len(set(inputs)) for name, inputs in graph.items()}
    users: dict = {name: [] for name in graph}
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
        raise ValueError("a cycle")
    return order


@topological_order.judge
def _(case, parts):
    graph, links = case
    if links:
        graph = {f"h{i}": [f"h{i - 1}"] for i in range(links, 0, -1)} | graph
    try:
        whatever_is_ready(graph)
    except ValueError:
        raised = parts["cycle"] == "ValueError"
        return None if raised else "the graph has a cycle, and no ValueError was raised."
    if parts["cycle"] == "ValueError":
        return "a ValueError was raised, and the graph has no cycle."
    if parts["cycle"] == "limit":
        return "the limit on calls within calls was raised, and it is still recursion."
    order = [n if isinstance(n, str) else None for n in parts["order"]]
    place = {name: i for i, name in enumerate(order)}
    if len(place) < len(order):
        return "a name stands in the order twice."
    if graph.keys() - place.keys():
        return "a name of the graph is missing."
    if place.keys() - graph.keys():
        return "something in the order is no name of the graph."
    if any(place[n] < place[m] for n, inputs in graph.items() for m in inputs):
        return "a name stands before one that it was made from."
    return None


@topological_order.alternative
def from_the_ends(graph):
    class CycleError(ValueError):
        pass

    uses = dict.fromkeys(graph, 0)
    for inputs in graph.values():
        for m in inputs:
            uses[m] += 1
    ends, backwards = [n for n in graph if uses[n] == 0], []
    while ends:
        name = ends.pop()
        backwards.append(name)
        for m in graph[name]:
            uses[m] -= 1
            if uses[m] == 0:
                ends.append(m)
    if len(backwards) != len(graph):
        raise CycleError(sorted(graph.keys() - set(backwards)))
    return backwards[::-1]


@topological_order.mistake(
    "You raised Python's limit. The memory behind it has an end too, and a longer loop reaches it. "
    "What could keep the names on the way in place of calls?",
    loses=("deep",),
)
def raises_the_limit(graph):
    import sys

    sys.setrecursionlimit(20_000)
    order: list = []
    state: dict = {}

    def visit(name):
        if state.get(name) == 1:
            raise ValueError("a cycle")
        if name not in state:
            state[name] = 1
            for m in graph[name]:
                visit(m)
            state[name] = 2
            order.append(name)

    for name in graph:
        visit(name)
    return order


@topological_order.mistake(
    "That is the order of the walk back. The statement asks for the other direction: inputs first.",
    loses=("order", "deep"),
)
def users_first(graph):
    waits = {name: len(set(inputs)) for name, inputs in graph.items()}
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:
        for user in users[name]:
            waits[user] -= 1
            if waits[user] == 0:
                order.append(user)
    if len(order) < len(graph):
        raise ValueError("a cycle")
    return order[::-1]


@topological_order.mistake(
    "You take the names as they come in the dict. Who has promised that they come in order?",
)
def as_they_come(graph):
    return list(graph)


@topological_order.mistake(
    "Something that is used twice comes twice. How do you remember where you have been?",
    loses=("order", "cycle"),
)
def without_a_memory(graph):
    order = []
    if len(graph) > 100:
        return list(graph)[::-1]
    ends = [n for n in graph if not any(n in inputs for inputs in graph.values())]

    def visit(name):
        for m in graph[name]:
            visit(m)
        order.append(name)

    for name in ends:
        visit(name)
    return order


@topological_order.mistake(
    "Right, but one call inside the other, as deep as the graph. Where can the names on the way "
    "wait, if not in Python's own calls?",
    loses=("deep",),
)
def by_recursion(graph):
    order = []
    state: dict = {}

    def visit(name):
        if state.get(name) == 1:
            raise ValueError("a cycle")
        if name not in state:
            state[name] = 1
            for m in graph[name]:
                visit(m)
            state[name] = 2
            order.append(name)

    for name in graph:
        visit(name)
    return order


@topological_order.mistake(
    "Without cycles it is right. In a circle, who is ever ready? Compare the number of names that "
    "you have placed with the number that there are.",
    loses=("cycle",),
)
def silent_about_cycles(graph):
    waits = {name: len(set(inputs)) for name, inputs in graph.items()}
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:
        for user in users[name]:
            waits[user] -= 1
            if waits[user] == 0:
                order.append(user)
    return order


@topological_order.mistake(
    "You place a name as soon as one of its inputs is there. What about the input at the end of a "
    "longer way?",
    loses=("order", "cycle"),
)
def by_the_shortest_way(graph):
    order = [name for name, inputs in graph.items() if not inputs]
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in inputs:
            users[m].append(name)
    placed = set(order)
    for name in order:
        for user in users[name]:
            if user not in placed:
                placed.add(user)
                order.append(user)
    return order


@topological_order.mistake(
    "`x + x` waits for two inputs and only one ever comes. How do you count, and how do you count "
    "down?",
    loses=("order",),
)
def waits_for_the_same_twice(graph):
    waits = {name: len(inputs) for name, inputs in graph.items()}
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:
        for user in users[name]:
            waits[user] -= 1
            if waits[user] == 0:
                order.append(user)
    if len(order) < len(graph):
        raise ValueError("a cycle")
    return order


@topological_order.mistake(
    "You call it a cycle when a name is met again. Is it still on the way, or was it done before?",
    loses=("order",),
)
def met_again_is_a_cycle(graph):
    order, seen = [], set()
    for start in graph:
        way = [] if start in seen else [(start, iter(graph[start]))]
        seen.add(start)
        while way:
            name, inputs = way[-1]
            for m in inputs:
                if m in seen:
                    raise ValueError("a cycle")
                seen.add(m)
                way.append((m, iter(graph[m])))
                break
            else:
                order.append(name)
                way.pop()
    return order


@topological_order.mistake(
    "A cycle is noticed, but the error is of another kind. Which one does the statement name?",
    loses=("cycle",),
)
def another_error(graph):
    waits = {name: len(set(inputs)) for name, inputs in graph.items()}
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:
        for user in users[name]:
            waits[user] -= 1
            if waits[user] == 0:
                order.append(user)
    if len(order) < len(graph):
        raise RuntimeError("a cycle")
    return order


@topological_order.mistake(
    "You start from the first name alone. Does everything in the graph lie below it?",
    loses=("order", "cycle"),
)
def from_the_first_name(graph):
    order = []
    state: dict = {}
    start = next(iter(graph))
    way = [(start, iter(graph[start]))]
    state[start] = 1
    while way:
        name, inputs = way[-1]
        for m in inputs:
            if state.get(m) == 1:
                raise ValueError("a cycle")
            if m not in state:
                state[m] = 1
                way.append((m, iter(graph[m])))
                break
        else:
            state[name] = 2
            order.append(name)
            way.pop()
    return order


@topological_order.mistake(
    "Names that were made from nothing belong into the order as well.", loses=("order", "deep")
)
def leaves_left_out(graph):
    waits = {name: len(set(inputs)) for name, inputs in graph.items()}
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:
        for user in users[name]:
            waits[user] -= 1
            if waits[user] == 0:
                order.append(user)
    if len(order) < len(graph):
        raise ValueError("a cycle")
    return [name for name in order if graph[name]]


@topological_order.mistake(
    "You cross out inputs in the graph itself; whoever called still needs it.",
    loses=("order", "cycle"),
)
def empties_the_graph(graph):
    order = []
    ready = [name for name, inputs in graph.items() if not inputs]
    users: dict = {name: [] for name in graph}
    for name, inputs in graph.items():
        for m in set(inputs):
            users[m].append(name)
    while ready:
        name = ready.pop()
        order.append(name)
        for user in users[name]:
            while name in graph[user]:
                graph[user].remove(name)
            if not graph[user]:
                ready.append(user)
    if len(order) < len(graph):
        raise ValueError("a cycle")
    return order


@topological_order.mistake(
    "You turn round the order in which names are met first. A name that is met early on a short "
    "way: when may it be placed, on arriving or on leaving?"
)
def first_met_turned_round(graph):
    waiting, met = list(graph), []
    while waiting:
        name = waiting.pop()
        if name not in met:
            met.append(name)
            waiting += graph[name]
    return met[::-1]


# tapes: for backward_pass and tangent_pass ----------------------------------------


def _run(tape, leaves):
    """The values of all names of a tape."""
    rules: dict = {"add": np.add, "mul": np.multiply, "tanh": np.tanh, "sum": np.sum}
    values = dict(leaves)
    for name, operation, inputs in tape:
        values[name] = rules[operation](*(values[m] for m in inputs))
    return {name: v if np.ndim(v) else float(v) for name, v in values.items()}


def _leaves(rng, names, shape):
    return {name: rng.normal(size=shape) for name in names}


CHAIN = [("h", "mul", ["x", "w"]), ("z", "add", ["h", "b"]), ("t", "tanh", ["z"])]
CHAIN += [("loss", "sum", ["t"])]
SUMMED_TWICE = [("p", "mul", ["x", "w"]), ("s", "sum", ["p"]), ("q", "tanh", ["v"])]
SUMMED_TWICE += [("r", "sum", ["q"]), ("loss", "mul", ["s", "r"])]
SHARED = [("h", "mul", ["x", "w"]), ("s", "add", ["x", "c"]), ("t", "tanh", ["s"])]
SHARED += [("y", "mul", ["t", "h"]), ("r", "add", ["y", "x"]), ("loss", "sum", ["r"])]
SQUARE = [("q", "mul", ["x", "x"]), ("t", "tanh", ["q"]), ("loss", "sum", ["t"])]
SQUARED_LOSS = [("t", "tanh", ["x"]), ("u", "mul", ["t", "w"]), ("s", "sum", ["u"])]
SQUARED_LOSS += [("loss", "mul", ["s", "s"])]
DOUBLED = [("d", "add", ["x", "x"]), ("q", "mul", ["d", "w"]), ("t", "tanh", ["q"])]
DOUBLED += [("loss", "sum", ["t"])]
UNUSED = [("q", "mul", ["y", "c"]), ("n", "tanh", ["q"])]
UNUSED += [("t", "tanh", ["w"]), ("p", "mul", ["t", "x"]), ("loss", "sum", ["p"])]


def _random_tape(rng):
    names = ["x", "w", "c"]
    tape, used = [], set()
    for k in range(int(rng.integers(3, 7))):
        operation = str(rng.choice(["add", "mul", "tanh"]))
        count = 1 if operation == "tanh" else 2
        inputs = [str(n) for n in rng.choice(names, size=count)]
        used.update(inputs)
        tape.append((f"h{k}", operation, inputs))
        names.append(f"h{k}")
    for k, name in enumerate([n for n in names if n not in used][:-1]):
        tape.append((f"j{k}", "add", [names[-1], name]))
        names.append(f"j{k}")
    return [*tape, ("loss", "sum", [names[-1]])]


# backward_pass ----------------------------------------------------------------------

backward_pass = Exercise(
    "backward_pass",
    "The walk back",
    parts={"chain": 2, "shared": 2, "unused": 1},
    minutes=20,
    difficulty=3,
    outcomes=(WALK,),
    forbids=FORBIDS,
)


@backward_pass.cases
def _(rng):
    chain, shared, unused = ("chain",), ("shared",), ("unused",)

    def case(tape, names, shape=(3,)):
        return tape, _run(tape, _leaves(rng, names, shape))

    yield Case(case(CHAIN, "xwb"), "every value is used once", chain)
    yield Case(case(SQUARE, "x"), "x times x", shared)
    yield Case(case(UNUSED, "xwyc"), "no way leads from q, n, y and c to the loss", unused)
    yield Case(case(SHARED, "xwc", (2, 3)), "x is used three times", shared)
    yield Case(case(SUMMED_TWICE, "xwv"), "the loss is a product of two sums", chain)
    yield Case(case(SQUARED_LOSS, "xw"), "a sum, times itself", shared)
    yield Case(case(DOUBLED, "xw", (2, 2)), "x plus x", shared)
    yield Case(case(CHAIN, "xwb", (1, 1)), "one number in two axes", chain)
    yield Case(case([("loss", "sum", ["x"])], "xc", (2,)), "a single operation", unused)
    while True:
        tape = _random_tape(rng)
        yield Case(case(tape, "xwc"), "", shared)


@backward_pass.observe
def _(candidate, tape, values):
    grads = candidate(tape, values)
    return {"chain": grads, "shared": grads, "unused": grads}


@backward_pass.answer
def _(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.alternative
def share_by_share(tape, values):
    grads = {name: np.zeros(np.shape(v)) for name, v in values.items()}
    grads[tape[-1][0]] += 1
    for name, operation, inputs in tape[::-1]:
        for i, m in enumerate(inputs):
            slope = np.ones(np.shape(values[m]))
            if operation == "mul":
                slope = values[inputs[1 - i]]
            if operation == "tanh":
                slope = 1 / np.cosh(values[m]) ** 2
            grads[m] = grads[m] + grads[name] * slope
    return grads


@backward_pass.alternative
def asking_the_users(tape, values):
    found: dict = {tape[-1][0]: 1.0}

    def gradient(asked):
        if asked not in found:
            total = np.zeros(np.shape(values[asked]))
            for name, operation, inputs in tape:
                for i, m in enumerate(inputs):
                    if m == asked:
                        slope = 1.0
                        if operation == "mul":
                            slope = values[inputs[1 - i]]
                        elif operation == "tanh":
                            slope = 1 - np.tanh(values[m]) ** 2
                        total = total + gradient(name) * slope
            found[asked] = total
        return found[asked]

    return {name: gradient(name) for name in values}


@backward_pass.mistake(
    "Where a value is used once you are right. Where two ways meet, what became of the share "
    "that came first?",
    loses=("shared",),
)
def overwritten(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = share + np.zeros_like(grads[m])
    return grads


@backward_pass.mistake(
    "You walk the tape from its beginning. At that end, what do you know of the loss?",
)
def walked_forwards(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in tape:
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "The slope of a product with respect to one factor: is it that factor, or the other?",
)
def own_factor(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[0]], dy * values[inputs[1]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "tanh's slope is one less a square. The square of what went in, or of what came out?",
)
def slope_from_the_score(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[inputs[0]] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "That is tanh's own slope. The chain rule multiplies it with what?",
)
def slope_alone(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [1 - values[name] ** 2]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "You divide by the number of entries. How much does a sum grow if one entry grows by 1?",
)
def sum_as_a_mean(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy / np.size(values[inputs[0]])]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "A sum hands the same number back to each entry. Which shape has the gradient of what was "
    "summed?",
)
def sum_not_spread(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share if np.any(grads[m]) else share
    return grads


@backward_pass.mistake(
    "The walk starts from the loss: by how much does the loss grow if the loss grows by 1?",
)
def seeded_with_the_loss(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = values[tape[-1][0]]
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "Along a way slopes are multiplied. What happens to ways that meet?",
    loses=("shared",),
)
def shares_multiplied(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] * share if np.any(grads[m]) else grads[m] + share
    return grads


@backward_pass.mistake(
    "Two shares make a whole one here, not the mean of them.",
    loses=("shared",),
)
def mean_of_the_shares(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = (grads[m] + share) / 2 if np.any(grads[m]) else grads[m] + share
    return grads


@backward_pass.mistake(
    "x times x has two inputs, and they happen to be the same. How many shares come back?",
    loses=("shared",),
)
def same_input_once(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in dict(zip(inputs, shares, strict=True)).items():
            grads[m] = grads[m] + share
    return grads


@backward_pass.mistake(
    "Names from which no way leads to the loss are missing. What is their gradient?",
    loses=("unused",),
)
def unreached_left_out(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return {name: g for name, g in grads.items() if np.any(g)}


@backward_pass.mistake(
    "The gradient of an array that moves nothing: which shape has it?",
    loses=("unused",),
)
def unreached_are_numbers(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return {name: g if np.any(g) else 0.0 for name, g in grads.items()}


@backward_pass.mistake(
    "Right to some digits, but not to all. Has something become float32 on the way, or does it "
    "come from differences?",
)
def half_of_the_digits(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return {name: np.float32(g) for name, g in grads.items()}


@backward_pass.mistake(
    "The loss itself is missing from what you return, or hasn't the gradient that the walk "
    "starts from.",
)
def without_the_loss(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return {name: g for name, g in grads.items() if name != tape[-1][0]}


@backward_pass.mistake("Gradients of the leaves alone. The statement asks for every name's.")
def leaves_only(tape, values):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return {name: g for name, g in grads.items() if name not in [n for n, _, _ in tape]}


@backward_pass.mistake(
    "`+=` on an array changes it wherever it is in use. Whose array did `add` hand to both of "
    "its inputs?",
    loses=("shared",),
)
def one_array_for_two(tape, values):
    grads = {tape[-1][0]: 1.0}
    for name, operation, inputs in reversed(tape):
        if name not in grads:
            continue
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy + np.zeros_like(values[inputs[0]])]
        for m, share in zip(inputs, shares, strict=True):
            if m in grads:
                grads[m] += share
            else:
                grads[m] = share
    return {name: grads.get(name, np.zeros_like(v)) for name, v in values.items()}


# tangent_pass -----------------------------------------------------------------------

tangent_pass = Exercise(
    "tangent_pass",
    "The other direction",
    parts={"one": 2, "all": 2},
    minutes=20,
    difficulty=3,
    outcomes=(WALK,),
    kind="derive",
    forbids=FORBIDS,
)


@tangent_pass.cases
def _(rng):
    one, every = ("one",), ("all",)

    def case(tape, names, moving, shape=(3,)):
        return tape, _run(tape, _leaves(rng, names, shape)), _leaves(rng, moving, shape)

    yield Case(case(CHAIN, "xwb", "w"), "w alone moves", one)
    yield Case(case(CHAIN, "xwb", "xwb"), "all leaves move", every)
    yield Case(case(SQUARE, "x", "x"), "x times x", every)
    yield Case(case(UNUSED, "xwyc", "c"), "what moves doesn't reach the loss", one)
    yield Case(case(SHARED, "xwc", "x", (2, 3)), "x moves, and is used three times", one)
    yield Case(case(SUMMED_TWICE, "xwv", "xwv"), "the loss is a product of two sums", every)
    yield Case(case(SQUARED_LOSS, "xw", "xw", (2, 2)), "a sum, times itself", every)
    yield Case(case(SHARED, "xwc", "wc", (1, 1)), "one number in two axes; x stands still", one)
    while True:
        moving = "xwc" if rng.random() < 0.5 else str(rng.choice(["x", "w", "c"]))
        yield Case(case(_random_tape(rng), "xwc", moving), "", every if moving == "xwc" else one)


@tangent_pass.observe
def _(candidate, tape, values, moves):
    tangents = candidate(tape, values, moves)
    return {"one": tangents, "all": tangents}


@tangent_pass.answer
def _(tape, values, moves):
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


@tangent_pass.alternative
def by_an_imaginary_step(tape, values, moves):
    tiny = 1e-100
    rules: dict = {"add": np.add, "mul": np.multiply, "tanh": np.tanh, "sum": np.sum}
    moved = {name: v + 1j * tiny * moves.get(name, 0) for name, v in values.items()}
    for name, operation, inputs in tape:
        moved[name] = rules[operation](*(moved[m] for m in inputs))
    return {name: np.imag(v) / tiny for name, v in moved.items()}


@tangent_pass.alternative
def pairs_that_calculate(tape, values, moves):
    made = {name for name, _, _ in tape}
    pair = {}
    for name, v in values.items():
        if name not in made:
            pair[name] = v, moves[name] if name in moves else 0 * v
    for name, operation, inputs in tape:
        (a, da), (b, db) = pair[inputs[0]], pair[inputs[-1]]
        if operation == "add":
            pair[name] = a + b, da + db
        if operation == "mul":
            pair[name] = a * b, a * db + b * da
        if operation == "tanh":
            pair[name] = np.tanh(a), da / np.cosh(a) ** 2
        if operation == "sum":
            pair[name] = np.sum(a), np.sum(da)
    return {name: d for name, (_, d) in pair.items()}


@tangent_pass.mistake(
    "Both factors move. If one of them stood still, would the product stand still too?",
)
def product_of_the_movements(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        d = [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * d[1]
        elif operation == "tanh":
            tangents[name] = d[0] * (1 - values[name] ** 2)
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "You let the first factor of a product move. What about the second?",
)
def first_factor_only(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * v[1]
        elif operation == "tanh":
            tangents[name] = d[0] * (1 - values[name] ** 2)
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "In a product each movement is multiplied with a value. With its own, or with the other one?",
)
def each_with_its_own(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * v[0] + d[1] * v[1]
        elif operation == "tanh":
            tangents[name] = d[0] * (1 - values[name] ** 2)
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "tanh's slope is one less a square. The square of what went in, or of what came out?",
)
def slope_of_the_score(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * v[1] + v[0] * d[1]
        elif operation == "tanh":
            tangents[name] = d[0] * (1 - v[0] ** 2)
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "That is tanh's slope. By how much does its input move?",
)
def slope_without_movement(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * v[1] + v[0] * d[1]
        elif operation == "tanh":
            tangents[name] = 1 - values[name] ** 2
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "tanh isn't a straight line: a movement comes through it times the slope, not through tanh.",
)
def tanh_of_the_movement(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = d[0] + d[1]
        elif operation == "mul":
            tangents[name] = d[0] * v[1] + v[0] * d[1]
        elif operation == "tanh":
            tangents[name] = np.tanh(d[0])
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "You take the mean of the entries' movements. What does a sum do?",
)
def mean_of_the_movements(tape, values, moves):
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
            tangents[name] = d[0].mean()
    return tangents


@tangent_pass.mistake(
    "A sum is one number, so its movement is one number too.",
)
def sum_not_summed(tape, values, moves):
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
            tangents[name] = d[0]
    return tangents


@tangent_pass.mistake(
    "A leaf that isn't named in `moves` stands still. By how much does it move in yours?",
    loses=("one",),
)
def still_leaves_move(tape, values, moves):
    tangents = {name: moves.get(name, np.ones_like(v)) for name, v in values.items()}
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


@tangent_pass.mistake(
    "Some leaves aren't named in `moves`, and yours stumbles over them. How far do they move?",
    loses=("one",),
)
def still_leaves_missing(tape, values, moves):
    tangents = dict(moves)
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


@tangent_pass.mistake(
    "You take half of each movement in a sum of two. If both move by 1, by how much does it?",
)
def sum_of_inputs_halved(tape, values, moves):
    tangents = {name: moves.get(name, np.zeros_like(v)) for name, v in values.items()}
    for name, operation, inputs in tape:
        v, d = [values[m] for m in inputs], [tangents[m] for m in inputs]
        if operation == "add":
            tangents[name] = (d[0] + d[1]) / 2
        elif operation == "mul":
            tangents[name] = d[0] * v[1] + v[0] * d[1]
        elif operation == "tanh":
            tangents[name] = d[0] * (1 - values[name] ** 2)
        else:
            tangents[name] = d[0].sum()
    return tangents


@tangent_pass.mistake(
    "Right to some digits, but not to all. Has something become float32 on the way, or does it "
    "come from differences?",
)
def digits_lost(tape, values, moves):
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
    return {name: np.float32(t) for name, t in tangents.items()}


@tangent_pass.mistake(
    "Tangents of the results alone. The statement asks for every name's, leaves too."
)
def results_only(tape, values, moves):
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
    return {name: tangents[name] for name, _, _ in tape}


@tangent_pass.mistake(
    "You give the movement of the loss alone. The statement asks for every name's.",
)
def last_movement_only(tape, values, moves):
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
    return tangents[tape[-1][0]]


@tangent_pass.mistake(
    "That is the walk back, which gives gradients. Here something is pushed forwards: how far "
    "does each name move?",
)
def gradients_instead(tape, values, moves):
    grads = {name: np.zeros_like(v) for name, v in values.items()}
    grads[tape[-1][0]] = 1.0
    for name, operation, inputs in reversed(tape):
        dy = grads[name]
        if operation == "add":
            shares = [dy, dy]
        elif operation == "mul":
            shares = [dy * values[inputs[1]], dy * values[inputs[0]]]
        elif operation == "tanh":
            shares = [dy * (1 - values[name] ** 2)]
        else:
            shares = [dy]
        for m, share in zip(inputs, shares, strict=True):
            grads[m] = grads[m] + share
    return grads


# matmul_vjp -------------------------------------------------------------------------

matmul_vjp = Exercise(
    "matmul_vjp",
    "Backward through any matrix product",
    parts={"matrices": 1, "stacks": 2, "vectors": 1, "both": 1},
    minutes=20,
    difficulty=3,
    outcomes=(BROADCAST,),
    forbids=FORBIDS,
)


@matmul_vjp.cases
def _(rng):
    def case(a, b):
        a, b = rng.normal(size=a), rng.normal(size=b)
        y = a @ b
        return (rng.normal(size=y.shape) if y.ndim else float(rng.normal())), a, b

    matrices, stacks, vectors, both = ("matrices",), ("stacks",), ("vectors",), ("both",)
    yield Case(case((2, 3), (3, 4)), "two matrices", matrices)
    yield Case(case((5, 2, 3), (3, 4)), "five matrices, and one for all of them", stacks)
    yield Case(case((3,), (3,)), "two vectors", vectors)
    yield Case(case((3,), (5, 3, 4)), "one vector, and five matrices", both)
    yield Case(case((3,), (3, 4)), "a vector and a matrix", vectors)
    yield Case(case((2, 3), (3,)), "a matrix and a vector", vectors)
    yield Case(case((5, 1, 2, 3), (2, 3, 4)), "stacks of 5 by 1 and of 2", stacks)
    yield Case(case((3, 3), (3, 3)), "all sizes equal", matrices)
    yield Case(case((2, 2, 3), (2, 3, 4)), "two stacks of two", stacks)
    yield Case(case((2, 5, 2, 3), (3,)), "stacks and a vector", both)
    yield Case(case((1, 3), (3, 1)), "a row and a column", matrices)
    yield Case(case((1,), (1, 1)), "one of everything, a vector and a matrix", vectors)
    while True:
        n, k, m, s, t = rng.integers(2, 5, size=5).tolist()
        kind = int(rng.choice(4))
        if kind == 0:
            yield Case(case((n, k), (k, m)), "", matrices)
        elif kind == 1:
            yield Case(case((s, 1, n, k), (1, t, k, m)), "", stacks)
        elif kind == 2:
            yield Case(case((k,), (k, m)), "", vectors)
        else:
            yield Case(case((s, t, n, k), (k,)), "", both)


@matmul_vjp.observe
def _(candidate, dy, a, b):
    da, db = candidate(dy, a, b)
    return {part: {"da": da, "db": db} for part in ("matrices", "stacks", "vectors", "both")}


@matmul_vjp.answer
def _(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape)


@matmul_vjp.alternative
def matrix_by_matrix(dy, a, b):
    rows, columns = np.atleast_2d(a), b.reshape(-1, 1) if b.ndim == 1 else b
    da, db = np.zeros(rows.shape), np.zeros(columns.shape)
    stack = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    dy = np.reshape(dy, (*stack, rows.shape[-2], columns.shape[-1]))
    for place in np.ndindex(stack):
        i = tuple(
            0 if n == 1 else p
            for n, p in zip(rows.shape[:-2], place[len(place) - rows.ndim + 2 :], strict=True)
        )
        j = tuple(
            0 if n == 1 else p
            for n, p in zip(columns.shape[:-2], place[len(place) - columns.ndim + 2 :], strict=True)
        )
        da[i] += dy[place] @ columns[j].T
        db[j] += rows[i].T @ dy[place]
    return da.reshape(a.shape), db.reshape(b.shape)


@matmul_vjp.alternative
def number_of_each_entry(dy, a, b):
    """Copies of both along all stacked axes, whose gradients are added up by entry."""
    rows = a.reshape(1, -1) if a.ndim == 1 else a
    columns = b.reshape(-1, 1) if b.ndim == 1 else b
    stack = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    dy = np.reshape(dy, (*stack, rows.shape[-2], columns.shape[-1]))
    found = []
    for own, share in (
        (rows, np.einsum("...nm,...km->...nk", dy, columns)),
        (columns, np.einsum("...nk,...nm->...km", rows, dy)),
    ):
        numbers = np.arange(own.size).reshape(own.shape)
        whose = np.broadcast_to(numbers, (*stack, *own.shape[-2:])).ravel()
        whole = np.broadcast_to(share, (*stack, *own.shape[-2:])).ravel()
        found.append(np.bincount(whose, whole, minlength=own.size))
    return found[0].reshape(a.shape), found[1].reshape(b.shape)


@matmul_vjp.mistake(
    "One matrix serves the whole stack, and its gradient is too small. Do its uses add up, or "
    "is it their mean?",
    loses=("stacks", "both"),
)
def mean_over_the_stack(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.mean(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.mean(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape)


@matmul_vjp.mistake(
    "You take what comes back from one matrix of the stack. What about the others?",
    loses=("stacks", "both"),
)
def first_of_the_stack(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d[0]
        for axis, length in enumerate(shape):
            if length == 1:
                d = np.take(d, [0], axis=axis)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape)


@matmul_vjp.mistake(
    "The right gradients, in the other order: the statement asks for da first.",
)
def the_other_way_round(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return db.reshape(b.shape), da.reshape(a.shape)


@matmul_vjp.mistake(
    "Everything has the opposite sign. Who subtracts the gradient, you or the training step?"
)
def downhill(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return -da.reshape(a.shape), -db.reshape(b.shape)


@matmul_vjp.mistake(
    "That is what the product does to a loss that weighs all entries alike. Where does dy come in?",
)
def dy_forgotten(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(np.ones_like(dy) @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ np.ones_like(dy), columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape)


@matmul_vjp.mistake(
    "An axis of length 1 that was handed to you is missing in what you give back. Which call "
    "drops all of them?",
    loses=("matrices", "stacks", "vectors"),
)
def squeezed(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da.reshape(a.shape).squeeze(), db.reshape(b.shape).squeeze()


@matmul_vjp.mistake(
    "A gradient has the shape of what it is the gradient of: which shape has b, and which your db?",
    loses=("matrices", "stacks", "vectors", "both"),
)
def second_transposed(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da.reshape(a.shape), db.reshape(b.shape).swapaxes(-1, -min(2, b.ndim))


@matmul_vjp.mistake(
    "A vector has one axis, and so has its gradient. You give back the row or column that you "
    "made of it.",
    loses=("vectors", "both"),
)
def lengths_kept_for_vectors(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da, db


@matmul_vjp.mistake(
    "Right to some digits, but not to all. Has something become float32 on the way, or does it "
    "come from differences?",
)
def single_precision_here(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return np.float32(da).reshape(a.shape), np.float32(db).reshape(b.shape)


@matmul_vjp.mistake(
    "Where the shapes of a stack differ your gradients have the shape of the product's stack. "
    "Who was used several times?",
    loses=("stacks", "both"),
)
def stacks_not_added_up(dy, a, b):
    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da, db = dy @ columns.swapaxes(-1, -2), rows.swapaxes(-1, -2) @ dy
    return da[..., 0, :] if a.ndim == 1 else da, db[..., 0] if b.ndim == 1 else db


@matmul_vjp.mistake(
    "New axes are added up, but a stack of length 1 was used several times as well.",
    loses=("stacks",),
)
def stretched_stacks_forgotten(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        return d

    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    dy = np.asarray(dy)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    da = fit(dy @ columns.swapaxes(-1, -2), rows.shape)
    db = fit(rows.swapaxes(-1, -2) @ dy, columns.shape)
    return da[0] if a.ndim == 1 else da, db[:, 0] if b.ndim == 1 else db


@matmul_vjp.mistake(
    "`.T` turns round all axes, those of the stack too. Which two should change places?",
    loses=("stacks", "both"),
)
def all_axes_turned_round(dy, a, b):
    if a.ndim == 1 and b.ndim == 1:
        return dy * b, dy * a
    if a.ndim == 1:
        return dy @ b.T, a[:, None] @ dy[None, :]
    if b.ndim == 1:
        return dy[:, None] @ b[None, :], a.T @ dy
    return dy @ b.T, a.T @ dy


@matmul_vjp.mistake(
    "With matrices it is right. A vector has no second-last axis: which one does `@` give it, "
    "and on which side?",
    loses=("vectors", "both"),
)
def vectors_not_thought_of(dy, a, b):
    def fit(d, shape):
        while d.ndim > len(shape):
            d = d.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                d = d.sum(axis=axis, keepdims=True)
        return d

    da, db = dy @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dy
    return fit(da, a.shape), fit(db, b.shape)


@matmul_vjp.mistake(
    "The factors stand as in the forward pass. Write down the shape of each: which one has to "
    "be transposed, and who stands left?",
)
def forward_again(dy, a, b):
    return dy @ b, a @ dy


@matmul_vjp.mistake(
    "Only two axes on each side are right. What do stacks and vectors need besides?",
    loses=("stacks", "vectors", "both"),
)
def two_matrices_only(dy, a, b):
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError("two matrices, please")
    return dy @ b.T, a.T @ dy


# mended_gradients ---------------------------------------------------------------------

mended_gradients = Exercise(
    "mended_gradients",
    "Find the fault",
    parts={"chain": 1, "shortcut": 3, "unreached": 1},
    minutes=15,
    difficulty=2,
    outcomes=(TRUST, WALK),
    kind="mend",
    forbids=FORBIDS,
)


@mended_gradients.cases
def _(rng):
    chain, shortcut, unreached = ("chain",), ("shortcut",), ("unreached",)

    def case(arrows, last="loss"):
        slopes = iter(rng.uniform(0.5, 2, size=40) * rng.choice([-1, 1], size=40))
        pairs = {n: [(m, float(next(slopes))) for m in inputs] for n, inputs in arrows.items()}
        return pairs, last

    yield Case(case({"loss": ["y"], "h": ["x"], "y": ["h"], "x": []}), "a chain", chain)
    around = {"loss": ["x", "t"], "t": ["x"], "x": ["u"], "u": []}
    yield Case(case(around), "x reaches the loss directly and through t", shortcut)
    unused = {"loss": ["y"], "v": ["u"], "x": [], "y": ["x"], "u": []}
    yield Case(case(unused), "no way leads from u and v to the loss", unreached)
    elsewhere = {"v": ["h"], "loss": ["h"], "h": ["x"], "x": []}
    yield Case(case(elsewhere), "v is made from h too, and doesn't reach the loss", unreached)
    longer = {"loss": ["r"], "r": ["x", "c"], "c": ["b"], "b": ["a"], "a": ["x"], "x": ["w"]}
    yield Case(case(longer | {"w": []}), "a short way and one of four arrows", shortcut)
    diamond = {"h": ["w"], "q": ["h"], "loss": ["p", "q"], "p": ["h"], "w": []}
    yield Case(case(diamond), "two ways of the same length", shortcut)
    yield Case(case({"w": [], "loss": ["h", "h"], "h": ["w"]}), "the same input twice", shortcut)
    yield Case(case({"x": [], "a": ["x"]}, "a"), "one arrow", chain)
    yield Case(
        case({"b": ["a"], "d": ["b", "a"], "a": []}, "b"), "d comes after the end", unreached
    )
    mixed = {"w": [], "t": ["h"], "loss": ["h", "s"], "s": ["t", "h"], "h": ["w"]}
    yield Case(case(mixed), "three ways", shortcut)
    while True:
        names = [*(f"n{i}" for i in range(6)), "loss"]
        arrows: dict = {"n0": []}
        for i, name in enumerate(names[1:], 1):
            more = [m for m in names[: i - 1] if rng.random() < 0.4]
            arrows[name] = [*more, names[i - 1]]  # the next one is always used: all are reached
        order = rng.permutation(names).tolist()
        yield Case(case({n: arrows[n] for n in order}), "", shortcut)


@mended_gradients.observe
def _(candidate, arrows, last):
    grads = candidate(arrows, last)
    return {"chain": grads, "shortcut": grads, "unreached": grads}


@mended_gradients.answer
def _(arrows, last):
    order, way, seen = [], [(last, iter(arrows[last]))], {last}
    while way:
        for m, _ in way[-1][1]:
            if m not in seen:
                seen.add(m)
                way.append((m, iter(arrows[m])))
                break
        else:
            order.append(way.pop()[0])
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    for name in reversed(order):
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
    return grads


@mended_gradients.alternative
def way_by_way(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)

    def walk(name, share):
        grads[name] += share
        for m, slope in arrows[name]:
            walk(m, share * slope)

    walk(last, 1.0)
    return grads


@mended_gradients.alternative
def one_system_of_equations(arrows, last):
    names = list(arrows)
    slopes = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        for m, slope in arrows[name]:
            slopes[names.index(m), i] += slope
    start = np.array([float(name == last) for name in names])
    solved = np.linalg.solve(np.eye(len(names)) - slopes, start)
    return dict(zip(names, solved.tolist(), strict=True))


@mended_gradients.alternative
def until_nothing_moves(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    for _ in arrows:
        fresh = dict.fromkeys(arrows, 0.0)
        fresh[last] = 1.0
        for name, inputs in arrows.items():
            for m, slope in inputs:
                fresh[m] += grads[name] * slope
        grads = fresh
    return grads


@mended_gradients.mistake(
    "A chain is right. Where a short way and a long one meet, who has handed on its gradient "
    "before it was complete?",
    loses=("shortcut",),
)
def as_it_was(arrows, last):
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


@mended_gradients.mistake(
    "Now a name is walked each time it is met, and each time hands on all that it has, the old "
    "shares too.",
    loses=("shortcut",),
)
def hands_on_again(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    waiting = [last]
    while waiting:
        name = waiting.pop(0)
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
            waiting.append(m)
    return grads


@mended_gradients.mistake(
    "A stack for the queue changes the order, but not what is wrong with it. When is a gradient "
    "complete?",
    loses=("shortcut",),
)
def depth_first(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    waiting, seen = [last], {last}
    while waiting:
        name = waiting.pop()
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
            if m not in seen:
                seen.add(m)
                waiting.append(m)
    return grads


@mended_gradients.mistake(
    "The dict's own order, walked from its end. Who has promised that it is an order?",
)
def the_dicts_order(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    for name in reversed(list(arrows)):
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
    return grads


@mended_gradients.mistake(
    "The order is right now. But a share that comes later replaces the one before.",
    loses=("shortcut",),
)
def overwrites(arrows, last):
    order, way, seen = [], [(last, iter(arrows[last]))], {last}
    while way:
        for m, _ in way[-1][1]:
            if m not in seen:
                seen.add(m)
                way.append((m, iter(arrows[m])))
                break
        else:
            order.append(way.pop()[0])
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    for name in reversed(order):
        for m, slope in arrows[name]:
            grads[m] = grads[name] * slope
    return grads


@mended_gradients.mistake(
    "You add slopes along a way. What does a chain of slopes do to a small movement?"
)
def slopes_added(arrows, last):
    order, way, seen = [], [(last, iter(arrows[last]))], {last}
    while way:
        for m, _ in way[-1][1]:
            if m not in seen:
                seen.add(m)
                way.append((m, iter(arrows[m])))
                break
        else:
            order.append(way.pop()[0])
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    for name in reversed(order):
        for m, slope in arrows[name]:
            grads[m] += grads[name] + slope
    return grads


@mended_gradients.mistake(
    "One way leads from each name to the loss in yours, the first that was found. What about the "
    "others?",
    loses=("shortcut",),
)
def one_way_only(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    waiting, seen = [last], {last}
    while waiting:
        name = waiting.pop(0)
        for m, slope in arrows[name]:
            if m not in seen:
                grads[m] = grads[name] * slope
                seen.add(m)
                waiting.append(m)
    return grads


@mended_gradients.mistake(
    "A name waits here for all its users, also for those that the loss doesn't reach. They never "
    "hand in anything. Whom may it wait for?",
    loses=("unreached",),
)
def waits_for_everybody(arrows, last):
    waits = dict.fromkeys(arrows, 0)
    for inputs in arrows.values():
        for m, _ in inputs:
            waits[m] += 1
    grads = dict.fromkeys(arrows, 0.0)
    grads[last] = 1.0
    ready = [last]
    for name in ready:
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
            waits[m] -= 1
            if waits[m] == 0:
                ready.append(m)
    return grads


@mended_gradients.mistake(
    "Names from which no way leads to the end are missing. By how much does it move with them?",
    loses=("unreached",),
)
def unreached_missing(arrows, last):
    order, way, seen = [], [(last, iter(arrows[last]))], {last}
    while way:
        for m, _ in way[-1][1]:
            if m not in seen:
                seen.add(m)
                way.append((m, iter(arrows[m])))
                break
        else:
            order.append(way.pop()[0])
    grads = dict.fromkeys(order, 0.0)
    grads[last] = 1.0
    for name in reversed(order):
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
    return grads


@mended_gradients.mistake(
    "Some name beyond the end has a gradient in yours, or hands one on. The walk starts from "
    "`last`, with 1, and from nowhere else.",
    loses=("unreached",),
)
def every_end_is_an_end(arrows, last):
    order, seen = [], set()
    for start in arrows:
        way = [] if start in seen else [(start, iter(arrows[start]))]
        seen.add(start)
        while way:
            for m, _ in way[-1][1]:
                if m not in seen:
                    seen.add(m)
                    way.append((m, iter(arrows[m])))
                    break
            else:
                order.append(way.pop()[0])
    used = {m for inputs in arrows.values() for m, _ in inputs}
    grads = {name: float(name not in used or name == last) for name in arrows}
    for name in reversed(order):
        for m, slope in arrows[name]:
            grads[m] += grads[name] * slope
    return grads


@mended_gradients.mistake(
    "Everything is right but one name, at which the walk starts. By how much does it grow if it "
    "grows by 1?"
)
def end_without_a_gradient(arrows, last):
    grads = dict.fromkeys(arrows, 0.0)

    def walk(name, share):
        grads[name] += share
        for m, slope in arrows[name]:
            walk(m, share * slope)

    walk(last, 1.0)
    grads[last] = 0.0
    return grads


# engine_forecast ------------------------------------------------------------------------

engine_forecast = Exercise(
    "engine_forecast",
    "Predict: what the engine does",
    parts={"ways": 1, "calls": 1, "detached": 1, "bias": 1, "twice": 1},
    minutes=10,
    difficulty=2,
    outcomes=(WALK, BROADCAST, TRUST),
    kind="predict",
    of="value",
)


@engine_forecast.answer
def _():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.alternative
def letting_the_machine_say():
    def calls(depth):
        return 1 + (3 * calls(depth - 1) if depth else 0)

    slopes = np.ones((50, 10)) / 500
    found = [3**6, calls(6), 3.0, slopes.sum(axis=0)[0], 2 * (2 * 3 + 1)]
    return dict(zip(["ways", "calls", "detached", "bias", "twice"], found, strict=True))


@engine_forecast.alternative
def as_sums():
    ways = 1
    for _ in range(6):
        ways = ways + ways + ways
    named = {"twice": 7.0 + 7.0, "bias": 50 / 500, "detached": 3.0}
    return named | {"ways": ways, "calls": sum(3**k for k in range(7))}


@engine_forecast.mistake(
    "Each tripling multiplies the number of ways. You have added them up.",
    loses=("ways",),
)
def one_way_per_use():
    return {"ways": 18, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "How often is z used in z + z + z?",
    loses=("ways",),
)
def two_to_the_sixth():
    return {"ways": 64, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "How many times is z tripled, and with how many ways does it start?",
    loses=("ways",),
)
def one_more_tripling():
    return {"ways": 2187, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "That is how often the walk stands at x. It also stands everywhere above.",
    loses=("calls",),
)
def leaves_alone():
    return {"ways": 729, "calls": 729, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "So it is if z + z is a result of its own. Here all three are one operation.",
    loses=("calls",),
)
def two_additions_each():
    return {"ways": 729, "calls": 1457, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "So often would it be called if it remembered where it had been.",
    loses=("calls",),
)
def once_each():
    return {"ways": 729, "calls": 7, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "The calls at x itself are calls as well.",
    loses=("calls",),
)
def without_the_last_level():
    return {"ways": 729, "calls": 364, "detached": 3, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "One of the two factors is a constant here. Which of the two ways is left?",
    loses=("detached",),
)
def as_if_not_detached():
    return {"ways": 729, "calls": 1093, "detached": 6, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "One of the two factors is detached. The other one isn't.",
    loses=("detached",),
)
def nothing_comes_back():
    return {"ways": 729, "calls": 1093, "detached": 0, "bias": 0.1, "twice": 14}


@engine_forecast.mistake(
    "That comes back from one entry of the loss. How many samples use this bias?",
    loses=("bias",),
)
def one_entry():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 0.002, "twice": 14}


@engine_forecast.mistake(
    "So it would be for a sum. By how many entries is it divided?",
    loses=("bias",),
)
def sum_of_the_loss():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 50, "twice": 14}


@engine_forecast.mistake(
    "The mean goes over all entries, not over the samples alone.",
    loses=("bias",),
)
def mean_over_the_samples():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 1, "twice": 14}


@engine_forecast.mistake(
    "Nobody has called `zero_grad` in between.",
    loses=("twice",),
)
def cleared_in_between():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 7}


@engine_forecast.mistake(
    "Two gradients that meet in one place: multiplied, or added?",
    loses=("twice",),
)
def square_of_both():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 49}


@engine_forecast.mistake(
    "x * x isn't all that there is: on how many ways does x reach y?",
    loses=("twice",),
)
def one_use_of_x():
    return {"ways": 729, "calls": 1093, "detached": 3, "bias": 0.1, "twice": 12}


# wrong_in_place --------------------------------------------------------------------------

wrong_in_place = Question(
    "wrong_in_place",
    "The same code, one line shorter",
    points=4,
    minutes=10,
    outcomes=(TRUST,),
    rubric="""\
- 1 point: why the gradient becomes wrong: the rule of the way back needs the values that went in or
  came out, and reads them when they have been changed.
- 1 point: why it may stay unnoticed: shapes and types are right, the forward pass is right, and the
  loss may still fall; whether it matters depends on what the rule has kept.
- 1 point: a way in which an engine notices or prevents it: a version counter that is compared on
  the way back, arrays that can't be written to, or copies (each with what it costs or misses).
- 1 point: a check that would have shown it: differences in float64, or a run with and without the
  change, compared number for number.
- No point for "never use in-place operations" without a reason.""",
    exemplars={
        "full": """\
tanh's rule multiplies with 1 - y², and y is the very array that she scales, so by the time of the
way back it reads other numbers. Nothing has the wrong shape, the forward result is what she wanted,
and a loss can fall with a wrong gradient, so the curve doesn't tell. torch counts how often an
array was changed and raises an error if the count isn't what it was when it was kept; our engine
makes arrays read-only, which catches it at the moment of writing but costs a copy for what comes
from outside. Central differences in float64 against the gradient of one batch would have shown it,
or the longer version beside the shorter one.""",
        "partial": """\
The backward pass needs the old values and they have been overwritten. One should compare with
numerical gradients.""",
        "typical": """\
In-place operations save memory and give the same numbers, so the gradient is the same too. If
something were wrong the shapes wouldn't fit.""",
    },
)
