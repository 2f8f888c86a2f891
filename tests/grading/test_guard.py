"""Plain asserts under the guard: wrong answers earn nothing or are flagged, right ones everything.

Each attack stands in an ordinary cell of the learner's, or is the answer itself.
"""

import json

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import determine_grade

from dlcourse.grading import plain
from dlcourse.grading.runner import Sheet, run

from .enclosed import LIMITS, needs_sandbox, shown

pytestmark = needs_sandbox
OWN = Sheet("a-sheet-of-ones-own", imports=("numpy",), limits=LIMITS)
POINTS = 3
RIGHT, WRONG = "def twice(x): return x + x", "def twice(x): return x"
GIVEN = """\
import numpy as np
from numpy.testing import assert_allclose
def close(a, b):
    return bool(np.allclose(a, b)) and all(np.ravel(a) == np.ravel(b))
"""
TESTS = """\
assert twice(2) == 4, "two"
assert_allclose(twice(np.ones(2)), [2, 2])
### BEGIN HIDDEN TESTS
assert np.allclose(twice(1.5), 3)
assert close(twice(np.ones(3)), 2 * np.ones(3))
assert all(twice(k) == k + k for k in range(3)) and isinstance(twice("a"), str)
np.testing.assert_array_equal(twice(np.ones(2)), 2 * np.ones(2))
### END HIDDEN TESTS
"""
PARTS = "right = sum(twice(k) == 2 * k for k in range(3))\nright / 2  # a third is right for x = 0"


@pytest.fixture(scope="module")
def own():
    with OWN.sandbox() as box:
        yield box


def told(name, **flags):
    no = dict.fromkeys(("grade", "solution", "locked", "task"), False)
    return {"nbgrader": no | {"grade_id": name, "schema_version": 3} | flags}


def sheet(answer, before="", tests=TESTS):
    return new_notebook(
        cells=[
            new_code_cell(GIVEN, metadata=told("given", locked=True)),
            new_code_cell(before),
            new_code_cell(answer, metadata=told("twice", solution=True)),
            new_code_cell(tests, metadata=told("tests", grade=True, locked=True, points=POINTS)),
        ]
    )


def judged(box, *cells, **more):
    """Points as nbgrader gives them, and what became of the run."""
    done = run(sheet(*cells, **more), OWN, box)
    return determine_grade(done.notebook.cells[3])[0], done


# What is right ---------------------------------------------------------------------

HARMLESS = {
    "nothing": "",
    "a builtin's name for a variable": "sum, max, list = 0, 1, []",
    "its own print": "import builtins; builtins.print = lambda *a: None; print = None",
    "warnings are errors": "import warnings; warnings.simplefilter('error')",
    "overflow raises": "np.seterr(all='raise'); np.set_printoptions(precision=1)",
    "a low recursion limit": "import sys; sys.setrecursionlimit(120)",
    "figures": "import matplotlib.pyplot as plt\nfor _ in range(3): plt.figure(); plt.plot([1])",
    "magics": "%matplotlib inline\n%precision 2\n%load_ext autoreload",
    "the future": "from __future__ import annotations",
    "another folder": "import os; os.chdir('/dev/shm')",
    "no streams": "import sys; sys.stdout = None; sys.stderr = None",
    "libraries": "import numpy.ma, numpy.polynomial, unittest.mock",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_right_answer_earns_everything_and_is_not_suspected(own, name):
    points, done = judged(own, RIGHT, HARMLESS[name])
    assert points == POINTS, shown(done.notebook.cells[3])
    assert done.flags == ["same-process: tests"] and done.same_process == ["tests"]
    assert not [o for o in done.notebook.cells[1].outputs if o.output_type == "error"]


def test_warnings_and_stderr_cost_nothing(own):
    loud = (
        "def twice(x):\n    import sys, warnings, os\n    warnings.warn('hm'); os.write(2, b'x')\n"
    )
    loud += "    print('e', file=sys.stderr)\n    return 2 * x if not isinstance(x, str) else x + x"
    points, done = judged(own, loud)
    assert points == POINTS and "UserWarning" in shown(done.notebook.cells[3])


def test_a_wrong_answer_earns_nothing_and_sees_no_hidden_test(own):
    points, done = judged(own, "def twice(x): return 2 * x if type(x) in (int, list) else x")
    assert points == 0 and done.notebook.cells[3].outputs[-1].ename == "AssertionError"
    points, done = judged(own, "def twice(x): return 4 if x is 2 else 2 * np.ones(2)")
    assert points == 0 and "allclose" not in shown(done.notebook.cells[3])
    assert "# a hidden test" in shown(done.notebook.cells[3])


# Partial credit --------------------------------------------------------------------


@pytest.mark.parametrize("answer, points", [(RIGHT, 1.5), (WRONG, 0.5)])
def test_a_number_in_the_end_is_partial_credit(own, answer, points):
    assert judged(own, answer, tests=PARTS)[0] == points
    assert judged(own, answer, tests="np.float64(0.25)")[0] == 0.25


@pytest.mark.parametrize("end", ["None", "'2.0'", "1.0;", "True", "twice", "assert True"])
def test_another_end_is_none(own, end):
    points, done = judged(own, RIGHT, tests=f"assert twice(1) == 2\n{end}")
    assert points == POINTS and len(done.flags) == 1


@pytest.mark.parametrize("end", ["99", "-1", "float('nan')", "float('inf')"])
def test_a_number_out_of_range_is_said_and_stops_nobody(own, end):
    points, done = judged(own, RIGHT, tests=end)
    assert points == 0 and "isn't from 0 to 3" in done.flags[0]


SHOWS = "\n    get_ipython().displayhook({})\n    return x"
FORGED = {
    "IPython's hook": "def twice(x):" + SHOWS.format("3.0"),
    "Python's hook": "import sys\ndef twice(x):\n    sys.displayhook(3.0)\n    return x",
    "through its class": "def twice(x):\n    type(get_ipython().displayhook).__call__"
    "(get_ipython().displayhook, 3.0)\n    return x",
}


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("tests", [PARTS, "twice(3);", "twice(3) and None"])
def test_a_float_displayed_earns_nothing_and_is_flagged(own, name, tests):
    points, done = judged(own, FORGED[name], tests=tests)
    assert points == 0 and "the code displayed a value, which only the tests may" in done.flags


class_of = "class Float(float):\n    def __repr__(self): return '3.0'\n"


def test_a_number_of_a_class_of_ones_own_is_no_partial_credit(own):
    points, _ = judged(own, class_of + "def twice(x): return Float(0)", tests="twice(1) + 0")
    assert points == 0


# What is wrong ---------------------------------------------------------------------

BLANK = """
import ast
class Blank(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
    def visit_Expr(self, node): return ast.Pass()
"""
RETURNS = "lambda *a, **k: True"
PATCHES = {  # the code before the answer: what is named
    # transformers and hooks
    "get_ipython().ast_transformers": BLANK + "get_ipython().ast_transformers.append(Blank())",
    "get_ipython().input_transformers_cleanup": (
        "get_ipython().input_transformers_cleanup.append(lambda lines: ['3.0'])"
    ),
    "get_ipython().input_transformers_post": (
        "get_ipython().input_transformers_post.append(lambda lines: [])"
    ),
    "get_ipython().input_transformer_manager.line_transforms": (
        "get_ipython().input_transformer_manager.line_transforms.insert(0, lambda lines: [])"
    ),
    "get_ipython().events: pre_run_cell": (
        "get_ipython().events.register('pre_run_cell', lambda *a: None)"
    ),
    "get_ipython().events: post_run_cell": (
        "get_ipython().events.register('post_run_cell', lambda *a: None)"
    ),
    "get_ipython().custom_exceptions": (
        "get_ipython().set_custom_exc((AssertionError,), lambda *a, **k: None)"
    ),
    "get_ipython().run_cell": f"get_ipython().run_cell = {RETURNS}",
    "get_ipython().ast_node_interactivity": "get_ipython().ast_node_interactivity = 'none'",
    "get_ipython().compile.flags": "get_ipython().compile.flags |= 0x400",
    "dlcourse.grading.outputs.Shell.showtraceback": (
        "type(get_ipython()).showtraceback = lambda *a, **k: None"
    ),
    "sys.settrace": "import sys\nsys.settrace(lambda *a: None)",
    "sys.setprofile": "import sys\nsys.setprofile(lambda *a: None)",
    "sys.meta_path": "import sys\nclass F: pass\nsys.meta_path.insert(0, F())",
    # patched
    "numpy.allclose": f"np.allclose = {RETURNS}",
    "numpy.testing.assert_allclose": f"np.testing.assert_allclose = {RETURNS}",
    "numpy.testing._private.utils.assert_array_equal": (
        f"np.testing.assert_array_equal.__code__ = ({RETURNS}).__code__"
    ),
    "numpy.testing._private.utils.assert_array_compare": (
        f"import numpy.testing._private.utils as u\nu.assert_array_compare = {RETURNS}"
    ),
    "builtins.all": f"import builtins\nbuiltins.all = {RETURNS}",
    "builtins.isinstance": f"import builtins\nbuiltins.isinstance = {RETURNS}",
    "builtins.AssertionError": (
        "import builtins\nclass Quiet(Exception): pass\nbuiltins.AssertionError = Quiet"
    ),
    "math.isclose": f"import math\nmath.isclose = {RETURNS}",
    "sys.modules['numpy.testing']": (
        "import sys, types\nsys.modules['numpy.testing'] = types.ModuleType('numpy.testing')"
    ),
    "__builtins__": "__builtins__ = {'all': lambda *a: True}",
    "dlcourse.grading.worker.execute": (
        "import dlcourse.grading.worker as w\nw.execute = lambda *a: []"
    ),
    "dlcourse.grading.wire.Channel.receive": (
        "import dlcourse.grading.wire as w\n_r = w.Channel.receive\n"
        "w.Channel.receive = lambda self: _r(self)"
    ),
    # names
    "np, which the sheet defines": (
        "class Fake:\n    testing = property(lambda s: s)\n    ones = staticmethod(lambda n: n)\n"
        "    def __getattr__(s, n): return lambda *a: True\nnp = Fake()"
    ),
    "close, which the sheet defines": f"close = {RETURNS}",
    "assert_allclose, which the sheet defines": f"assert_allclose = {RETURNS}",
    "all, which Python defines": f"all = {RETURNS}",
}


@pytest.mark.parametrize("named", PATCHES)
def test_what_was_changed_is_put_back_and_named(own, named):
    points, done = judged(own, WRONG, PATCHES[named])
    assert points == 0
    assert any(named in flag for flag in done.flags), done.flags
    # and an honest answer isn't harmed by it
    points, done = judged(own, RIGHT, PATCHES[named])
    assert points == POINTS, shown(done.notebook.cells[3])


LIES = "\n    __eq__ = __ne__ = __le__ = __ge__ = __lt__ = __gt__ = lambda *a: True\n"
LYING = {
    "equals everything": f"class Yes:{LIES}    __hash__ = None\ndef twice(x): return Yes()",
    "an array that lies": """
class Lying(np.ndarray):
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
    def __eq__(self, other): return np.ones(self.shape, bool)
def twice(x): return np.zeros(np.shape(x)).view(Lying)
""",
    "a float that lies": f"class Near(float):{LIES}def twice(x): return Near(0)",
    "a string that lies": f"class Text(str):{LIES}def twice(x): return Text(x)",
    "in a list": f"class Yes:{LIES}    __hash__ = None\ndef twice(x): return [Yes()]",
    "under another's name": (
        f"class Yes:{LIES}    __hash__ = None\n"
        "Yes.__module__, Yes.__qualname__ = 'numpy', 'ndarray'\ndef twice(x): return Yes()"
    ),
    "behind a metaclass": (
        "class Meta(type):\n    __mro__ = property(lambda c: (object,))\n"
        f"class Yes(metaclass=Meta):{LIES}    __hash__ = None\ndef twice(x): return Yes()"
    ),
}


@pytest.mark.parametrize("name", LYING)
def test_an_object_that_says_itself_what_it_equals_earns_nothing_or_is_flagged(own, name):
    points, done = judged(own, LYING[name])
    assert points == 0 or any("say themselves what they equal" in flag for flag in done.flags)
    points, done = judged(own, LYING[name], tests="assert twice(2) == 4")
    assert any("say themselves what they equal" in flag for flag in done.flags), points


WHILE = {
    "patched by the answer": f"def twice(x):\n    np.allclose = {RETURNS}\n    return x",
    "its code": f"def twice(x):\n    np.allclose.__wrapped__.__code__ = ({RETURNS}).__code__\n"
    "    return x",
    "builtins": f"def twice(x):\n    import builtins; builtins.all = {RETURNS}\n    return x",
    "tracing": "def twice(x):\n    import sys; sys.settrace(lambda *a: None)\n    return x",
}


@pytest.mark.parametrize("name", WHILE)
def test_what_is_changed_while_the_tests_run_costs_the_points(own, name):
    points, done = judged(own, WHILE[name], tests="x = np.allclose(twice(1), 2)\nassert all([x])")
    assert points == 0 and "while the tests ran" in " ".join(done.flags) + shown(
        done.notebook.cells[3]
    )


def test_what_is_changed_and_mended_between_two_statements_is_seen(own):
    answer = f"""
import numpy.testing as t
right, wrong = t.assert_allclose.__code__, ({RETURNS}).__code__
def twice(x):
    t.assert_allclose.__code__ = wrong if x == 1 else right
    return x
"""
    tests = "x = twice(1)\nassert_allclose(x, 2)\ntwice(0)"
    points, done = judged(own, answer, tests=tests)
    assert points == 0 and "while the tests ran" in shown(done.notebook.cells[3])


def test_an_answer_may_warn_though_warnings_were_made_errors(own):
    loud = "import warnings\nwarnings.simplefilter('error')\n"
    loud += "def twice(x):\n    warnings.warn('hm')\n    return x + x"
    assert judged(own, loud)[0] == POINTS


def test_threads_beside_the_tests_are_flagged(own):
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    points, done = judged(own, RIGHT, code)
    assert points == POINTS and "threads of the code's own ran beside the tests" in done.flags


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "import os; os._exit(0)", "while 1: pass"])
def test_an_answer_that_ends_the_tests_before_their_time_earns_nothing(own, code):
    points, done = judged(own, f"def twice(x):\n    {code}")
    assert points == 0 and shown(done.notebook.cells[3])


def test_an_answer_that_survives_being_interrupted_earns_nothing(own):
    code = "def twice(x):\n    try:\n        while True: pass\n    except BaseException: return 4"
    points, done = judged(own, code, tests="assert twice(2) == 4")
    assert points == 0 and "took longer than the 2 seconds" in shown(done.notebook.cells[3])


# What the sheet asks for ------------------------------------------------------------


def test_a_function_that_is_asked_for_may_be_called_like_one_of_pythons_and_is_what_is_tested(own):
    tests = "assert sum([1, 2]) == -3"
    assert judged(own, "def sum(x): return -3", tests=tests)[0] == POINTS
    assert judged(own, "sum = lambda x: -3", tests=tests)[0] == 0


def test_a_given_function_may_be_mended_where_the_sheet_asks_for_it(own):
    mended = "def close(a, b): return 'mended'"
    points, done = judged(own, mended, tests="assert close(1, 2) == 'mended'")
    assert points == POINTS and "close, which the sheet defines" in " ".join(done.flags)


def test_names_of_the_tests_own_are_theirs(own):
    tests = "def all(x): return 'mine'\nassert all([0]) == 'mine'\nfor max in [1]: assert max == 1"
    assert judged(own, RIGHT, "all = max = 7", tests=tests)[0] == POINTS


def test_tests_may_hold_whatever_python_has(own):
    tests = """
%precision 3
import asyncio
class Point:
    __match_args__ = ("x",)
    def __init__(self, x): self.x = x
    def again(self): return super().__init__()
match Point(twice(1)):
    case Point(x=2) as p: p.x += 1
    case _: raise AssertionError
await asyncio.sleep(0)
values = {k: v for k, v in zip("ab", map(twice, range(2)), strict=True)}
with np.errstate(all="ignore"): f"{values['b']:.1f}"
try: twice()
except TypeError as error: assert error.args
else: raise AssertionError
assert (y := twice(3)) == 6 and p.x == 3, y
del values["a"], y
"""
    points, done = judged(own, RIGHT, tests=tests)
    assert points == POINTS, shown(done.notebook.cells[3])


def test_a_check_of_an_exercise_that_the_sheet_has_not_is_our_fault_and_said(own):
    points, done = judged(own, RIGHT, tests="check('neuron_forward', twice)")
    assert points == 0 and "CheckBroken" in shown(done.notebook.cells[3])


# From outside ------------------------------------------------------------------------

SOUND = {"ended": True, "value": None, "before": [], "during": [], "strangers": [], "threads": 0}
SOUND |= {"outputs": []}
BROKEN = ["", "[]", "{}", "null", 7, None, *({**SOUND, k: None} for k in ("before", "threads"))]


@pytest.mark.parametrize("said", BROKEN, ids=repr)
def test_what_can_not_be_read_earns_nothing(said):
    _, flags, why = plain.outcome(json.dumps(said) if isinstance(said, dict) else said, POINTS)
    assert flags and why


def test_what_says_neither_that_it_ended_nor_why_not_earns_nothing():
    assert plain.outcome(json.dumps(SOUND), POINTS) == ([], [], "")
    _, flags, why = plain.outcome(json.dumps(SOUND | {"ended": 1}), POINTS)
    assert why == "the tests did not come to their end" and flags == [why]


def test_of_a_thousand_names_some_are_said():
    flags = plain.outcome(json.dumps(SOUND | {"before": ["x" * 999] * 999}), POINTS)[1]
    assert len(flags[0]) < 1000 and "and 991 more" in flags[0]
