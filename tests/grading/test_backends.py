"""Workers: the same results wherever a notebook is executed, and none that stops the class."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import small
from enclosed import needs_sandbox
from nbformat.v4 import new_code_cell, new_notebook

from dlcourse.grading import jobs
from dlcourse.grading.backends import InProcess, Local, choose
from dlcourse.grading.drive import drive
from dlcourse.grading.errors import CourseError
from dlcourse.grading.grade import grade
from dlcourse.grading.isolation import known
from dlcourse.grading.jobs import Job
from dlcourse.grading.runner import Limits, Sheet

ROOT = Path(__file__).parents[2]


def job(student="ada", **limits):
    notebook = small.nbformat.writes(small.sheet())
    return Job(student, notebook, Sheet("small", limits=Limits(**limits)))


@pytest.fixture(scope="module")
def two():
    """Two workers for all the tests here: each takes a second to start."""
    with closing(Local(2, small.by_name)) as backend:
        yield backend


def results(backend, names):
    found = {}
    drive(names, job, backend, lambda back: found.setdefault(back.job.student, back))
    return found


def test_workers_send_back_what_the_same_call_gives_here(two):
    names = [f"ada{k}" for k in range(7)]
    here, there = results(InProcess(small.by_name), names), results(two, names)
    assert here.keys() == there.keys() == set(names)
    for name in names:
        a, b = here[name].execution, there[name].execution
        assert (a.notebook, a.verdicts, a.isolation) == (b.notebook, b.verdicts, b.isolation)


def test_both_work_at_the_same_time(two):
    found = results(two, ["says-who", "says-who-2"])
    assert len({back.execution.stopped for back in found.values()}) == 2  # process numbers


def test_a_worker_that_crashes_costs_its_own_submission_only(two):
    found = results(two, ["ada", "raises", "dies", "bob"])
    assert found["ada"].execution and found["bob"].execution
    assert "failed (ZeroDivisionError: ours)" in found["raises"].why
    assert found["dies"].why == "the process that graded it died twice (SIGKILL)."


def test_who_was_another_ones_victim_is_tried_again(two, tmp_path):
    name = f"once:{tmp_path / 'seen'}"
    assert results(two, [name])[name].execution


def test_what_is_no_submissions_fault_ends_the_run(two):
    with pytest.raises(CourseError, match="no sandbox"):
        results(two, ["no-sandbox"])
    assert results(two, ["ada"])["ada"].execution


def test_a_worker_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(Job, "patience", 0.3)
    with closing(Local(1, small.by_name)) as backend:
        backend.submit(job("sleeps"))
        backend.workers[0].since = time.monotonic() + 4  # it takes its time to start
        (back,) = [*backend.wait(), *backend.wait()]
        assert "limits of time" in back.why and backend.running() == []


def test_no_worker_outlives_its_grader(tmp_path):
    code = f"""
import sys, time
sys.path.append({str(Path(small.__file__).parent)!r})
import small
from dlcourse.grading.backends import Local
from dlcourse.grading.jobs import Job
from dlcourse.grading.runner import Sheet
if __name__ == "__main__":
    backend = Local(1, small.by_name)
    backend.submit(Job("ada", small.nbformat.writes(small.sheet()), Sheet("small")))
    backend.wait()
    backend.submit(Job("sleeps", "", Sheet("small")))
    print(backend.workers[0].process.pid, flush=True)
    time.sleep(60)
"""
    (tmp_path / "grader.py").write_text(code)
    command = [sys.executable, str(tmp_path / "grader.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        worker = int(process.stdout.readline())
        process.kill()
    assert ended([worker]) == []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ended(pids):
    """Which of them still live after a while."""
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


def test_as_many_workers_as_processors_and_at_least_one():
    assert choose(3).slots == 3 and choose().slots == len(os.sched_getaffinity(0))
    with pytest.raises(CourseError, match="at least one worker, not 0"):
        choose(0)
    with pytest.raises(CourseError, match="not both"):
        choose(2, "tcp://localhost:1")


def test_no_more_is_in_memory_than_twice_the_workers(two):
    made, back = [], []
    names = [f"ada{k}" for k in range(12)]

    def prepare(name):
        made.append(name)
        assert len(made) - len(back) <= 2 * two.slots + 1
        return job(name) if name != "ada5" else None

    watched = []
    drive(names, prepare, two, back.append, lambda done, running: watched.append((done, running)))
    assert made == names and len(back) == 11
    assert watched[-1] == (12, []) and max(len(running) for _, running in watched) == 2


def test_a_worker_of_another_version_is_refused():
    other = Job("ada", job().notebook, Sheet("small"), code="other")
    with pytest.raises(CourseError, match="another version"):
        jobs.execute(other)


def test_an_isolation_that_does_not_exist_is_refused():
    with pytest.raises(
        CourseError, match="no isolation 'docker'. There are: auto, bubblewrap, none"
    ):
        known("docker")


def test_secrets_are_not_shown_where_a_job_is_printed(tmp_path):
    sheet = Sheet("small", {"add": b"secret-key"}, "abc")
    said = repr(Job("ada", "text", sheet, seed=b"secret-seed"))
    assert "secret" not in said and "abc" in said


def test_a_class_graded_by_workers_equals_one_graded_here(tmp_path):
    home = small.make(tmp_path / "class", 6)
    other = small.duplicate(home, tmp_path / "other")
    assert grade("small", home, backend=InProcess(small.stand_in)).ok
    assert grade("small", other, backend=Local(2, small.stand_in)).ok
    assert small.contents(home) == small.contents(other)


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_worker_has_the_environment_of_now(seconds, monkeypatch):
    monkeypatch.setenv("STAND_IN_SECONDS", str(seconds))
    with closing(Local(1, small.stand_in)) as backend:
        backend.submit(job())
        assert (backend.wait()[0].seconds >= 0.5) == (seconds == 0.5)


def cell(source):
    return small.nbformat.writes(new_notebook(cells=[new_code_cell(source)]))


@needs_sandbox
def test_workers_share_a_sandbox_that_is_there_before_the_first_job_and_gone_behind_the_last():
    sheet = Sheet.of("neurons", ROOT)
    with closing(Local(2)) as backend:
        backend.warm(sheet, "auto")
        sandbox = backend.sandbox
        sandbox.ready()
        backend.warm(sheet, "auto")  # a second time changes nothing
        assert backend.sandbox is sandbox
        for name in ("ada", "bob"):  # at the same time
            backend.submit(Job(name, cell("import time; time.sleep(1); print(3 * 4)"), sheet))
        back = [*backend.wait(), *backend.wait()]
        for each in back:
            assert each.execution.isolation == "bubblewrap"
            assert each.execution.notebook.cells[0].outputs[0].text == "12\n"
        workers = [worker.process.pid for worker in backend.workers]
        assert [started_by(pid) for pid in workers] == [[], []]
        pids = [*workers, sandbox.process.pid, *map(int, started_by(sandbox.process.pid))]
        assert len(pids) == 4 and all(map(alive, pids))
    assert ended(pids) == []


@needs_sandbox
def test_a_worker_that_is_killed_takes_nobody_elses_submission_along():
    sheet = Sheet.of("neurons", ROOT)
    with closing(Local(2)) as backend:
        backend.submit(Job("ada", cell("import time; time.sleep(3); print(3 * 4)"), sheet))
        backend.submit(Job("bob", cell("import time; time.sleep(1); print(3 * 4)"), sheet))
        time.sleep(0.5)
        os.kill(backend.workers[1].process.pid, signal.SIGKILL)
        back = {}
        while len(back) < 2:
            back |= {each.job.student: each.execution for each in backend.wait()}
        for done in back.values():  # bob's was tried once more
            assert done.stopped == "" and done.notebook.cells[0].outputs[0].text == "12\n"


def started_by(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.parametrize(("isolation", "opened"), [("none", []), ("auto", ["auto"])])
def test_without_isolation_no_sandbox_is_opened(isolation, opened, monkeypatch):
    asked, backend = [], Local(1)
    monkeypatch.setattr(Sheet, "sandbox", lambda sheet, isolation: asked.append(isolation))
    backend.warm(Sheet("small"), isolation)
    assert asked == opened


def test_the_grader_never_loads_what_only_its_workers_need(tmp_path):
    """torch, for a sheet about torch: two seconds, while its workers do the same."""
    code = (
        "import sys; from pathlib import Path; from dlcourse.grading import jobs, grade\n"
        "from dlcourse.grading.backends import Local\n"
        f"assert jobs.settings('pytorch', Path({str(tmp_path)!r})).slug == 'pytorch'\n"
        "assert not {'torch', 'dlcourse.checks.pytorch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
