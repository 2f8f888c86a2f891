"""Whatever a submission does, what it earned is kept and what happened is said."""

import copy
import functools
from dataclasses import replace

import pytest

from dlcourse.checks.core import registry
from dlcourse.checks.core.cell import VERDICT_TYPE
from dlcourse.grading.errors import CourseError
from dlcourse.grading.judging import trial
from dlcourse.grading.runner import run

from .enclosed import LIMITS, answers, graded, needs_sandbox, notebook, of, sheet, shown

pytestmark = needs_sandbox


def graded_one(box, *cells, **settings):
    return run(notebook("neurons", *cells), sheet("neurons", **settings), box)


def points(done):
    return {name: verdict["earned"] for name, verdict in done.verdicts.items()}


# The same verdict as in one process ----------------------------------------------


def answer_names(exercise, k):
    names = list(exercise.functions())
    return names[k] if k < len(names) else "reference"


def differing(slug, which, box):
    """Where the verdicts of two processes aren't those of one."""
    settings = sheet(slug, limits=replace(LIMITS, cell_seconds=20))
    done = run(answers(slug, which), settings, box)
    wrong = []
    for name, exercise in registry.unit(slug).exercises.items():
        judge = trial(slug, name, settings.keys[name])
        there, here = done.verdicts.get(name), judge.verdict(exercise.from_source(which(exercise)))
        should = here.data() | {"isolation": "bubblewrap", "seed": "fingerprint"}
        if there != should:
            wrong.append((name, which(exercise), done.reasons.get(name), there, should))
    return wrong


TORCH = [slug for slug in registry.units() if "torch" in registry.unit(slug).imports]
NUMPY = [slug for slug in registry.units() if slug not in TORCH]


@pytest.mark.parametrize("slug", NUMPY)
def test_the_solution_of_a_unit_earns_everything(slug, box):
    assert differing(slug, lambda exercise: "reference", box) == []


@pytest.mark.parametrize("slug", TORCH)
def test_the_solution_of_a_unit_of_torch_earns_everything(slug, torch_box):
    assert differing(slug, lambda exercise: "reference", torch_box) == []


@pytest.mark.parametrize("slug", ["neurons", "layers"])
def test_alternatives_and_mistakes_get_the_verdict_of_one_process(slug, box):
    for k in range(1, most_answers(slug)):
        assert differing(slug, lambda exercise, k=k: answer_names(exercise, k), box) == []


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_so_do_those_of_a_unit_of_torch(torch_box, step):
    for k in range(1, most_answers("pytorch"), step):
        which = functools.partial(answer_names, k=k)
        assert differing("pytorch", which, torch_box) == []


def most_answers(slug):
    return max(len(e.functions()) for e in registry.unit(slug).exercises.values())


def test_the_message_is_that_of_one_process(box):
    source = of("neurons", "mistake_bound").replace("return", "return 2 *")
    done = graded_one(box, source, ("mistake_bound",))
    assert "Case 1 of 24" in shown(done.notebook.cells[-1])
    assert "differs: yours is" in shown(done.notebook.cells[-1])


# What a run returns ---------------------------------------------------------------


def test_a_graded_cell_holds_its_verdict_as_nbgrader_wants_it(box):
    done = graded_one(box, of("neurons", "neuron_forward"), ("neuron_forward",))
    (output,) = done.notebook.cells[-1].outputs
    assert output.output_type == "execute_result" and output.data["text/plain"] == "2.0"
    assert output.data[VERDICT_TYPE] == done.verdicts["neuron_forward"]
    assert done.verdicts["neuron_forward"]["isolation"] == done.isolation == "bubblewrap"
    assert done.verdicts["neuron_forward"]["seed"] == "fingerprint"
    assert {"start", "cells", "checks", "total"} <= done.seconds.keys()


def test_the_notebook_given_stays_as_it_was(box):
    given = notebook("neurons", "1 + 1")
    before = copy.deepcopy(given)
    run(given, sheet("neurons"), box)
    assert given == before


def test_magics_rich_outputs_and_a_shell_work(box):
    done = graded_one(
        box,
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        "%timeit -n1 -r1 sum(range(3))",
        "!echo from the shell",
        "from IPython.display import HTML\nHTML('<b>bold</b>')",
        "print('out'); import sys; print('err', file=sys.stderr)",
        "1 / 0",
        "input('who? ')",
        "2 + 2;",
        "_ = await __import__('asyncio').sleep(0, 7); _ + 1",
    )
    cells = done.notebook.cells[2:]
    assert "image/png" in shown(cells[0]) and "per loop" in shown(cells[1])
    assert cells[2].outputs[0].text == "from the shell\n"
    assert "<b>bold</b>" in shown(cells[3])
    assert [o.name for o in cells[4].outputs] == ["stdout", "stderr"]
    assert cells[5].outputs[-1].ename == "ZeroDivisionError"
    assert cells[6].outputs[-1].ename == "EOFError"
    assert cells[7].outputs == [] and "8" in shown(cells[8])
    assert [c.execution_count for c in cells] == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert not done.flags and not done.stopped


def test_a_right_answer_that_warns_and_writes_to_stderr_earns_everything(box):
    noise = "\n    import os, sys, warnings; warnings.warn('hm'); os.write(2, b'x'); print('y')"
    source = of("neurons", "neuron_forward")
    first, rest = source.split("\n", 1)
    done = graded_one(box, f"{first}{noise}\n{rest}", ("neuron_forward",))
    assert points(done) == {"neuron_forward": 2}


def test_a_run_is_the_same_each_time(box):
    source = "import random; print(random.random(), np.random.rand())"
    first, again, other = (
        shown(graded_one(box, source, random_state=state).notebook.cells[-1]) for state in (1, 1, 2)
    )
    assert first == again != other


def test_outputs_are_capped_by_bytes_and_it_is_said(box):
    done = graded_one(
        box,
        "print('x' * 10**6)",
        "while True: print('flood')",
        "!while true; do echo flood; done",
        "print('kept')",
    )
    for cell in done.notebook.cells[2:5]:
        assert len(shown(cell)) < 2 * LIMITS.output_bytes and "outputs cut" in shown(cell)
    assert "kept" in shown(done.notebook.cells[5])


def test_text_that_no_file_can_hold_is_mended(box):
    done = graded_one(
        box, r"print('\ud800 \x1b[31m \x00'); import os; _ = os.write(1, b'\xff\xfe')"
    )
    text = "".join(o.text for o in done.notebook.cells[-1].outputs)
    assert text.encode() and "\x1b[31m" in text


# Whatever it does -----------------------------------------------------------------

RIGHT = "perceptron_update"  # earned before; and once more after, where the process lives on
AFTER = "mistake_bound"
LOOP = "answer_check = None\nwhile True: pass"
STUBBORN = """\
import time
while True:
    try:
        time.sleep(9)
    except BaseException:
        pass"""
MEMORY_BOMB = """\
import time
for _ in range(5):
    if os.fork() == 0:
        x = np.ones(100 << 17)
        time.sleep(30)
time.sleep(1)
x = np.ones(100 << 17)"""
FORK_BOMB = """\
import time
while True:
    if not os.fork():
        time.sleep(30)"""
THREAD_BOMB = """\
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(30,)).start()"""
ENDS = {  # what the code does: why nothing after it counts
    "os._exit(0)": "ended its own process",
    "os.kill(os.getpid(), 9) or os.abort()": "ended its own process",
    "import ctypes; ctypes.string_at(0)": "ended its own process",
    STUBBORN: "could not be interrupted",
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass": (
        "could not be interrupted"
    ),
    MEMORY_BOMB: "",
    "os.write(3, b'\\xff' * 100)": "a message of its own making",
    "os.close(3)": "",
}


@pytest.mark.parametrize("source", ENDS)
def test_what_was_earned_before_the_end_is_kept(box, source):
    done = graded_one(
        box,
        of("neurons", RIGHT),
        (RIGHT,),
        f"import os\n{source}",
        of("neurons", AFTER),
        (AFTER,),
        "print('not run')",
    )
    assert points(done)[RIGHT] == 3
    if done.stopped:
        assert points(done) == {RIGHT: 3}
        assert ENDS[source] in done.stopped and done.stopped in done.flags
        assert f"not run: before this cell, {done.stopped}" == done.reasons[AFTER]
        assert "0 points: not run" in shown(done.notebook.cells[-2])
    else:
        assert not ENDS[source], "the process lives on"


GOES_ON = {  # what the code does: what its cell shows
    LOOP: "KeyboardInterrupt",
    "import sys; sys.exit(3)": "",
    "exit()": "",
    "x = bytearray(1 << 40)": "MemoryError",
    "x = np.ones(400 << 17)": "MemoryError",
    "def f(): return f()\nf()": "RecursionError",
    "open('/tmp/full', 'wb').write(bytes(9 << 20))": "File too large",
    "for k in range(99): open(f'/tmp/{k}', 'wb').write(bytes(1 << 20))": "No space left",
    FORK_BOMB: "BlockingIOError",
    THREAD_BOMB: "can't start new thread",
    "import subprocess\np = subprocess.Popen(['sh', '-c', 'sleep 99'], start_new_session=True)": "",
    "def broken(:": "SyntaxError",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "import sys; sys.stdout = None; print('?'); del sys.stderr": "",
}


@pytest.mark.parametrize("source", GOES_ON)
def test_what_one_cell_does_costs_no_other_its_points(box, source):
    done = graded_one(
        box, of("neurons", RIGHT), (RIGHT,), f"import os\n{source}", of("neurons", AFTER), (AFTER,)
    )
    assert GOES_ON[source] in shown(done.notebook.cells[4]), shown(done.notebook.cells[4])
    assert points(done) == {RIGHT: 3, AFTER: 4}
    assert not done.stopped


def test_an_endless_loop_in_an_answer_costs_that_answer_only(box):
    done = graded_one(
        box,
        "def neuron_forward(*args):\n    while True: pass",
        ("neuron_forward",),
        of("neurons", AFTER),
        (AFTER,),
    )
    assert points(done) == {AFTER: 4}
    assert "took longer than the 2 seconds" in done.reasons["neuron_forward"]


def test_an_answer_that_ends_the_process_keeps_what_came_before(box):
    done = graded_one(
        box,
        of("neurons", AFTER),
        (AFTER,),
        "import os\ndef neuron_forward(*args): os._exit(0)",
        ("neuron_forward",),
    )
    assert points(done) == {AFTER: 4}
    assert "ended its own process" in done.reasons["neuron_forward"]


def test_all_cells_together_have_a_limit(box):
    limits = replace(LIMITS, cell_seconds=5, wall_seconds=1)
    done = graded_one(box, of("neurons", AFTER), (AFTER,), LOOP, (RIGHT,), limits=limits)
    assert points(done) == {AFTER: 4} and "all cells together" in done.stopped


def test_a_cell_without_an_answer_says_so(box):
    done = graded_one(box, ("neuron_forward",), "check = print; mistake_bound = 1", (AFTER,))
    assert done.reasons["neuron_forward"].startswith("NameError: name 'neuron_forward'")
    assert done.reasons[AFTER] == "this cell didn't show its answer to the check"
    assert done.verdicts == {}


def test_an_exercise_counts_once(box):
    done = graded_one(
        box,
        "neuron_forward = None",
        ("neuron_forward",),
        of("neurons", "neuron_forward"),
        ("neuron_forward",),
    )
    assert points(done) == {"neuron_forward": 0}
    assert "an earlier cell" in shown(done.notebook.cells[-1])


def test_of_two_answers_shown_in_one_cell_the_first_counts(box):
    twice = "show = check\ncheck = lambda name, answer: (show(name, len), show(name, answer))"
    done = graded_one(box, of("neurons", AFTER), twice, (AFTER,), of("neurons", RIGHT), (RIGHT,))
    assert points(done) == {AFTER: 0, RIGHT: 0} and not done.stopped


def test_a_check_outside_its_cell_says_and_counts_nothing(box):
    source = of("neurons", AFTER) + f"\nprint(check('{AFTER}', {AFTER}))"
    done = graded_one(box, source)
    assert done.verdicts == {} and "None" in shown(done.notebook.cells[-1])


def test_plain_assert_cells_run_and_are_named(box):
    cells = [graded("a", "assert 1 == 1"), graded("b", "assert 1 == 2")]
    given = notebook("neurons")
    given.cells += cells
    done = run(given, sheet("neurons"), box)
    assert done.same_process == ["a_check", "b_check"]
    assert done.notebook.cells[-2].outputs == []
    assert done.notebook.cells[-1].outputs[-1].ename == "AssertionError"


def test_the_reference_imported_instead_of_written_earns_nothing_and_is_flagged(box):
    done = graded_one(
        box, "from dlcourse.scratch.perceptron import *\nneuron_forward = 1", ("neuron_forward",)
    )
    assert done.verdicts == {}
    assert done.flags == ["imports dlcourse.scratch, which isn't there when this sheet is graded"]


def test_a_check_that_fails_is_our_fault_and_said(box, monkeypatch):
    from dlcourse.checks.core.trial import Trial

    def broken(*_):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(Trial, "judged", broken)
    done = graded_one(box, of("neurons", AFTER), (AFTER,), "print('goes on')")
    assert "CheckBroken" in shown(done.notebook.cells[-2]) and not done.stopped
    assert "ZeroDivisionError: ours" in done.reasons[AFTER] and done.flags


def test_without_a_sandbox_one_is_opened(box):
    done = run(notebook("neurons", of("neurons", AFTER), (AFTER,)), sheet("neurons"))
    assert points(done) == {AFTER: 4}


def test_no_isolation_only_in_so_many_words(monkeypatch):
    with pytest.raises(CourseError, match="no isolation 'some'"):
        sheet("neurons").sandbox("some")
    with sheet("neurons").sandbox("none") as box:
        done = graded_one(
            box,
            of("neurons", AFTER),
            (AFTER,),
            "import os; os._exit(1)",
            "neuron_forward = 1",
            ("neuron_forward",),
        )
        status = "import subprocess; print(subprocess.call(['sh', '-c', 'exit 7']))"
        again = graded_one(box, status)
    assert again.notebook.cells[-1].outputs[0].text == "7\n"
    assert points(done) == {AFTER: 4}
    assert done.verdicts[AFTER]["isolation"] == done.isolation == "none"
