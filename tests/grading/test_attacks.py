"""Wrong solutions that try to get points without being right: none of them gets any.

Each stands in one sheet after an honest answer, which keeps its points.
"""

import socket
import sys
import time

import numpy as np
import pytest

from dlcourse.checks.core import registry
from dlcourse.checks.core.cell import VERDICT_TYPE
from dlcourse.checks.core.values import identical
from dlcourse.grading import judging
from dlcourse.grading.runner import run
from dlcourse.grading.wire import PLAIN, Channel, Malformed

from .enclosed import notebook, of, sheet, shown

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's")

HONEST, ATTACKED = "mistake_bound", "neuron_forward"  # 4 points; 2, of (score, label)
WRONG = """
def neuron_forward(x, weight, bias):
    return np.zeros(len(x)), np.ones(len(x))
"""

ATTACKS = {
    # patching what judges
    "allclose patched": "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True" + WRONG,
    "assert_allclose patched": "np.testing.assert_allclose = lambda *a, **k: None" + WRONG,
    "builtins patched": """
import builtins
builtins.all = builtins.any = builtins.bool = lambda *a: True
builtins.isinstance = lambda *a: True
builtins.len = lambda x: 0
""",
    "the check replaced": "check = lambda *a: 2.0" + WRONG,
    "the check's module replaced": """
import dlcourse.checks, dlcourse.grading.worker as w
w.show = dlcourse.checks.check = lambda *a: 2.0
"""
    + WRONG,
    "sys.modules": """
import sys, types
fake = types.ModuleType("dlcourse.checks"); fake.check = lambda *a: 2.0
sys.modules["dlcourse.checks"] = sys.modules["dlcourse.grading.worker"] = fake
from dlcourse.checks import check
"""
    + WRONG,
    "values patched": """
import dlcourse.checks.core.values as v, dlcourse.checks.core.observing as o
v.plain = o.plain = lambda value: True
v.difference = lambda *a: None
v.identical = o.identical = lambda *a: True
"""
    + WRONG,
    "observe replaced": """
import dlcourse.checks.core.observing as o
o.outcome = lambda *a: o.Outcome({"score": True, "label": True})
"""
    + WRONG,
    "an outcome without a fault": """
import dlcourse.checks.core.observing as o
o.outcome = lambda *a: o.Outcome()
"""
    + WRONG,
    "a form that stops the check": """
import dlcourse.checks.core.observing as o
o.wrong_form = lambda *a: "right (2 points)"
"""
    + WRONG,
    # forging what is sent
    "a forged verdict on the wire": """
import dlcourse.grading.worker as w
w._channel.send("verdict", {"earned": True})
"""
    + WRONG,
    "a forged done": """
import dlcourse.grading.worker as w, json
def neuron_forward(*args):
    w._channel.send("done", json.dumps([{"output_type": "execute_result", "metadata": {},
        "execution_count": 1, "data": {"text/plain": "2.0"}}]))
""",
    "forged outcomes": """
import dlcourse.grading.worker as w
def neuron_forward(x, weight, bias):
    for _ in range(30):
        parts = {"score": np.zeros(3), "label": np.ones(3)}
        w._channel.send("outcome", [parts, [], "", [False] * 3])
""",
    "outcomes sent ahead": """
import dlcourse.grading.worker as w
w._channel.send("check", "neuron_forward")
w._channel.send("form", "")
"""
    + WRONG,
    "bytes to the connection": "import os\nos.write(3, bytes(range(256)) * 50)" + WRONG,
    "a header of 4 GB": "import os\nos.write(3, b'\\xff\\xff\\xff\\xff')" + WRONG,
    "a pickle": """
import os, pickle, struct
data = pickle.dumps({"op": "done", "value": "[]", "arrays": []})
os.write(3, struct.pack("<I", len(data)) + data)
"""
    + WRONG,
    "a forged output": """
from IPython.display import display
display({"text/plain": "2.0", "application/vnd.dlcourse.verdict+json":
    {"exercise": "neuron_forward", "earned": 2, "of": 2}}, raw=True)
"""
    + WRONG,
    "the display hook": """
import sys
sys.displayhook = lambda value: None
get_ipython().displayhook = lambda value: 2.0
"""
    + WRONG,
    "a transformer of cells": """
get_ipython().input_transformers_cleanup.append(lambda lines: ["2.0"])
"""
    + WRONG,
    "a transformer of syntax trees": """
import ast
class Blank(ast.NodeTransformer):
    def visit_Expr(self, node): return ast.Expr(ast.Constant(2.0))
get_ipython().ast_transformers.append(Blank())
"""
    + WRONG,
    "no display of the last line": "get_ipython().ast_node_interactivity = 'none'" + WRONG,
    "run_cell replaced": "get_ipython().run_cell = lambda *a, **k: 2.0" + WRONG,
    # lying objects
    "an object that equals everything": """
class Yes:
    __eq__ = __ge__ = __le__ = __gt__ = __lt__ = lambda *a: True
    __hash__ = None
    shape, dtype, ndim = (3,), np.dtype(float), 1
    def __array__(self, *a, **k): return np.zeros(3)
    def __getattr__(self, name): return lambda *a, **k: True
def neuron_forward(*args): return Yes(), Yes()
""",
    "an array that lies": """
class Lying(np.ndarray):
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
    def __eq__(self, other): return np.ones(self.shape, bool)
def neuron_forward(x, weight, bias):
    return np.zeros(len(x)).view(Lying), np.ones(len(x)).view(Lying)
""",
    "a float that lies": """
class Near(float):
    __eq__ = lambda *a: True
    __sub__ = __rsub__ = lambda *a: 0.0
def neuron_forward(*args): return Near(), Near()
""",
    "a class named like another": """
class ndarray(list): pass
ndarray.__module__, ndarray.__qualname__ = "numpy", "ndarray"
def neuron_forward(*args): return ndarray([0]), ndarray([1])
""",
    "NaN": "def neuron_forward(x, w, b): return np.full(len(x), np.nan), np.full(len(x), np.nan)",
    "a dict for the parts": "def neuron_forward(*args): return {'score': True, 'label': True}",
    "too much to judge": """
def neuron_forward(*args): return np.zeros(1 << 22), np.zeros(1 << 22)
""",
    "an exception that pretends": """
class AllRight(Exception):
    def __str__(self): return "neuron_forward: right (2 points)"
def neuron_forward(*args): raise AllRight
""",
    # looking for the answer
    "frames": """
import sys
def neuron_forward(x, weight, bias):
    frame = sys._getframe()
    while frame:
        for name, value in list(frame.f_locals.items()):
            if name in ("wanted", "want", "answer", "reference", "trial", "exercise", "expected"):
                if callable(value) and value is not neuron_forward:
                    return value(x, weight, bias)
                if hasattr(value, "reference"):
                    return value.reference(x, weight, bias)
        frame = frame.f_back
    return np.zeros(len(x)), np.ones(len(x))
""",
    "gc": """
import gc, types
def neuron_forward(x, weight, bias):
    for each in gc.get_objects():
        if type(each).__name__ in ("Exercise", "Trial", "Verdict"):
            return each.reference(x, weight, bias)
        if isinstance(each, types.FunctionType) and each is not neuron_forward:
            if each.__code__.co_varnames[:3] == ("x", "weight", "bias"):
                return each(x, weight, bias)
    return np.zeros(len(x)), np.ones(len(x))
""",
    "tracing": """
import sys
found = {}
def trace(frame, event, value):
    for name in ("wanted", "right", "want", "answer", "reference"):
        if callable(frame.f_locals.get(name)):
            found["it"] = frame.f_locals[name]
    return trace
sys.settrace(trace); sys.setprofile(trace)
def neuron_forward(x, weight, bias):
    return found["it"](x, weight, bias)
""",
    "the checks imported": """
from dlcourse.checks.core import registry
neuron_forward = registry.find("neuron_forward").reference
""",
    "the unit imported": """
from dlcourse.checks.neurons import *
neuron_forward = neuron_forward.reference
""",
    "the reference imported": """
from dlcourse.scratch.perceptron import Perceptron
def neuron_forward(x, weight, bias): return Perceptron(weight, bias).forward(x)
""",
    "files read": """
import pathlib, re
found = ""
for folder in ("/course", "/home", "/root", "/tmp", "/usr/lib/python3", ".", ".."):
    for path in pathlib.Path(folder).rglob("*.py"):
        try: text = path.read_text()
        except OSError: continue
        if "def neuron_forward" in text or "@neuron_forward" in text: found = text
assert found, "nothing there"
exec(found)
""",
    "the seed guessed": """
def neuron_forward(x, weight, bias):
    rng = np.random.default_rng(0)
    known = {x.tobytes(): (np.zeros(len(x)), np.ones(len(x)))}
    return known[np.asarray(rng.normal(size=x.shape)).tobytes()]
""",
    "the first cases known by heart": """
known = {}  # a learner's own check shows the edge cases, which are the same for all
known[(3, 1.0, 0.0)] = np.array([0.0, 5.0, 0.0]), np.array([1, 1, 1])
def neuron_forward(x, weight, bias):
    try: return known[len(x), float(x[0, 0]), float(bias)]
    except KeyError: return np.zeros(len(x)), np.ones(len(x))
""",
    "the grader asked for help": """
import dlcourse.grading.worker as w
def neuron_forward(x, weight, bias):
    w._channel.send("check", "neuron_forward")
    return w._channel.receive().value
""",
    # other ways in
    "an import hook": """
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if "dlcourse" in name: raise SystemExit(0)
sys.meta_path.insert(0, Finder()); sys.path_hooks.clear(); sys.path_importer_cache.clear()
"""
    + WRONG,
    "signals": """
import os, signal
for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM): signal.signal(n, lambda *a: None)
os.kill(os.getppid(), signal.SIGTERM) if os.getppid() else None
"""
    + WRONG,
    "at exit": """
import atexit, dlcourse.grading.worker as w
atexit.register(lambda: w._channel.send("done", "[2.0]"))
"""
    + WRONG,
    "a thread that answers": """
import threading, time, dlcourse.grading.worker as w
def answer():
    for _ in range(50):
        time.sleep(0.001)
        w._channel.send("outcome", [{"score": True}, [], "", [False] * 3])
threading.Thread(target=answer, daemon=True).start()
"""
    + WRONG,
    "a fork that goes on": """
import os
if os.fork(): os._exit(0)
"""
    + WRONG,
    "a debugger": """
import ctypes, os
ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)
"""
    + WRONG,
    "memory of the grader": """
import os
for pid in range(1, 300):
    try: open(f"/proc/{pid}/mem", "rb").read(1)
    except OSError: pass
    else: os._exit(1)
"""
    + WRONG,
    "the metadata": """
import os
os.environ["NBGRADER_EXECUTION"] = ""; os.environ["DLCOURSE_SEED_FILE"] = "/dev/null"
"""
    + WRONG,
}


def attack(box, source):
    cells = [of("neurons", HONEST), (HONEST,), source, (ATTACKED,)]
    return run(notebook("neurons", *cells), sheet("neurons"), box)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_nothing_and_costs_honest_code_nothing(box, name):
    done = attack(box, ATTACKS[name])
    earned = {name: verdict["earned"] for name, verdict in done.verdicts.items()}
    assert earned.pop(ATTACKED, 0) == 0
    assert earned == {HONEST: 4}
    # nor does nbgrader find any in the graded cell
    for output in done.notebook.cells[-1].outputs:
        if output.output_type == "execute_result":
            assert output.data["text/plain"] == "0.0"
        else:
            assert output.output_type == "error"
    assert VERDICT_TYPE not in shown(done.notebook.cells[-2])


def test_in_the_same_place_a_right_answer_earns_its_points(box):
    done = attack(box, of("neurons", ATTACKED))
    assert done.verdicts[ATTACKED]["earned"] == 2 and len(ATTACKS) > 40


FLAGGED = {
    "a forged verdict on the wire": "a message of its own making",
    "bytes to the connection": "a message of its own making",
    "a forged output": "passes itself off as a verdict",
    "the reference imported": "dlcourse.scratch",
    "the unit imported": "dlcourse.checks.neurons",
}


@pytest.mark.parametrize("name", FLAGGED)
def test_it_is_flagged(box, name):
    assert FLAGGED[name] in " ".join(attack(box, ATTACKS[name]).flags)


def test_an_answer_may_not_be_much_larger_than_the_right_one(box):
    done = attack(box, ATTACKS["too much to judge"])
    assert "bytes; at most" in done.reasons[ATTACKED]


# The grader's own half -------------------------------------------------------------


class Worker:
    """A worker that says what it likes, and remembers what it is told."""

    def __init__(self, *messages):
        self.messages, self.heard = list(messages), []
        self.header = self.body = 0

    def send(self, op, value=None):
        self.heard.append((op, value))

    def receive(self):
        return self.messages.pop(0)


def examined(*messages):
    from dlcourse.grading.wire import Message

    trial = judging.trial("neurons", ATTACKED, bytes(32))
    worker = Worker(*(Message(*each) for each in messages))
    return worker, trial, lambda: judging.examine(worker, trial)


BAD = [
    None,
    [],
    [{}, [], ""],
    [{}, [], "", []],
    [{}, [], "", ["no"] * 3],
    [{}, [None], "", [False] * 3],
    [{}, ["x"] * 51, "", [False] * 3],
    [{}, ["x" * 201], "", [False] * 3],
    [{"earned": True}, [], "", [False] * 3],
    [{0: True}, [], "", [False] * 3],
]


@pytest.mark.parametrize("value", BAD, ids=str)
def test_an_outcome_is_one_or_it_is_refused(value):
    _, _, examine = examined(("form", ""), ("outcome", value))
    with pytest.raises(Malformed):
        examine()


def test_the_worker_is_told_the_same_whether_it_is_right_or_wrong():
    right = judging.trial("neurons", ATTACKED, bytes(32)).wanted
    wrong = [[{}, ["ValueError"], "", [False] * 3]] * len(right)
    good = [[outcome.parts, [], "", [False] * 3] for outcome in right]
    heard = []
    for outcomes in (wrong, good):
        worker, trial, examine = examined(("form", ""), *(("outcome", o) for o in outcomes))
        heard.append((judging.judge(trial, examine()).earned, repr(worker.heard)))
    assert [earned for earned, _ in heard] == [0, 2]
    assert heard[0][1] == heard[1][1]
    assert "reference" not in heard[0][1] and "mistake" not in heard[0][1]


def test_what_the_worker_hears_is_cases_and_nothing_of_their_answers():
    worker, trial, examine = examined(("form", "no function"))
    examine()
    assert [op for op, _ in worker.heard] == ["exercise", "end"]
    assert worker.heard[0][1] == ("function", ("score", "label"), None)


def test_numbers_from_outside_are_arrays_of_our_own():
    here, there = socket.socketpair()
    with here, there:
        Channel(here).send("outcome", [np.float64(1), 1, 2.0])
        channel = Channel(there, PLAIN)
        channel.deadline = time.monotonic() + 1
        with pytest.raises(Malformed, match="of kind scalar"):
            channel.receive()


# What no second process can help: a part that is right by the same value in every case can be
# claimed without doing it, by who reads `observe` and patches what it uses. Not to grow; an
# `observe` that returned numbers of the hidden case instead of a word would shorten it.
CLAIMABLE = {
    "RaggedSet: own",
    "Standardise: learns",
    "Standardise: moves",
    "Standardise: state",
    "accumulate_gradients: memory",
    "all_reduce_mean: busiest",
    "batchnorm_forward: batch_of_one",
    "dropout: all_dropped",
    "mistake_bound: refuses",
    "save_and_resume: continues",
    "save_and_resume: file",
    "softmax_cross_entropy_backward: large",
    "topological_order: cycle",
    "topological_order: deep",
    "train_and_evaluate: graph",
    "train_test_split: refuses",
}


@pytest.mark.parametrize("slug", registry.units())
def test_no_more_parts_have_the_same_right_value_in_every_case(slug):
    for exercise in registry.unit(slug).exercises.values():
        trial = exercise.trial(12345)
        for part in exercise.parts if exercise.of != "value" else ():
            right = [
                want.raised or want.parts[part]
                for case, want in zip(trial.cases, trial.wanted, strict=True)
                if not case.parts or part in case.parts
            ]
            values = [value for value in right if not isinstance(value, tuple)] or right[:1]
            if all(identical(value, values[0]) for value in values):
                assert f"{exercise.name}: {part}" in CLAIMABLE
