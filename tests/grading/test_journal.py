"""A run that is stopped or killed goes on, and ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import small

from dlcourse.grading import drive, pipeline
from dlcourse.grading.backends import InProcess
from dlcourse.grading.grade import Interrupted, grade
from dlcourse.grading.journal import FAILED, GRADED, Entry, Journal, Source, of_submission

SOURCE = Source("a", "b", "c", "d", "none")
NURSERY = """
import json, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.path += {path!r}
import small
import nbgrader.api
from dlcourse.grading.backends import InProcess
from dlcourse.grading.grade import Interrupted, grade
nbgrader.api.get_alembic_version = lambda: "never asked"
for line in sys.stdin:
    home, resume = json.loads(line)
    if not (pid := os.fork()):
        try:
            grade("small", home, resume=resume, backend=InProcess(small.stand_in))
        except Interrupted as error:
            open(home + "/said", "w").write(str(error))
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()  # until then its number isn't given to another process
    print(os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def ungraded(tmp_path_factory):
    return small.make(tmp_path_factory.mktemp("small"), 30)


@pytest.fixture(scope="module")
def undisturbed(ungraded, tmp_path_factory):
    """What a run without any trouble ends in, and its seconds."""
    home = small.duplicate(ungraded, tmp_path_factory.mktemp("undisturbed") / "class")
    start = time.monotonic()
    grade("small", home, backend=InProcess(small.stand_in))
    return small.contents(home), time.monotonic() - start


@pytest.fixture(scope="module")
def nursery():
    """A process that has imported everything, and forks a grader when it is asked to."""
    code = NURSERY.format(path=[str(Path(small.__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


class Grader:
    """A grader of its own, to be killed."""

    def __init__(self, nursery, home, resume):
        self.nursery = nursery
        nursery.stdin.write(json.dumps([str(home), resume]) + "\n")
        nursery.stdin.flush()
        self.pid = int(nursery.stdout.readline())

    def end(self, number=signal.SIGKILL):
        """Send it a signal; by which one it ended, 0 if it had come to its end before."""
        assert self.pid > 1
        os.kill(self.pid, number)
        self.nursery.stdin.write("\n")
        self.nursery.stdin.flush()
        return os.waitstatus_to_exitcode(int(self.nursery.stdout.readline()))


def killed_and_resumed(nursery, ungraded, undisturbed, tmp_path, moment):
    home = small.duplicate(ungraded, tmp_path / "class")
    grader = Grader(nursery, home, resume=False)
    time.sleep(moment * undisturbed[1])
    was_killed = grader.end() == -signal.SIGKILL
    done = {e.student for e in Journal("small", home).entries() if e.outcome == GRADED}
    result = grade("small", home, resume=True, backend=InProcess(small.stand_in))
    assert result.ok and set(result.skipped) == done and small.contents(home) == undisturbed[0]
    return was_killed


@pytest.mark.parametrize("moment", [random.Random(k).uniform(0.02, 1) for k in range(5)])
def test_a_grader_killed_at_a_random_moment_resumes_to_the_same_gradebook(
    nursery, ungraded, undisturbed, tmp_path, moment
):
    killed_and_resumed(nursery, ungraded, undisturbed, tmp_path, moment)


@pytest.mark.slow
def test_fifty_graders_killed_at_random_moments_resume_to_the_same_gradebook(
    nursery, ungraded, undisturbed, tmp_path
):
    rng, hit = random.Random(), 0
    for k in range(50):
        moment, folder = rng.uniform(0, 1), tmp_path / str(k)
        hit += killed_and_resumed(nursery, ungraded, undisturbed, folder, moment)
    assert hit >= 25  # the others were done already


def test_killed_over_and_over_it_still_comes_to_its_end(nursery, ungraded, undisturbed, tmp_path):
    """Each run gets a little further; what was done is never done again."""
    home = small.duplicate(ungraded, tmp_path / "class")
    rng, counts = random.Random(0), [0]
    for _ in range(3):
        grader = Grader(nursery, home, resume=True)
        time.sleep(rng.uniform(0.1, 0.5) * undisturbed[1])
        grader.end()
        counts.append(len(Journal("small", home).last()))
    result = grade("small", home, resume=True, backend=InProcess(small.stand_in))
    assert counts == sorted(counts) and len(result.skipped) == counts[-1]
    assert small.contents(home) == undisturbed[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_state_that_can_be_resumed_and_says_so(nursery, ungraded, tmp_path, number):
    home = small.duplicate(ungraded, tmp_path / "class")
    grader = Grader(nursery, home, resume=False)
    while len(Journal("small", home).entries()) < 4:
        time.sleep(0.02)
    assert grader.end(number) == 0
    said = (home / "said").read_text()
    done = len(Journal("small", home).entries())
    assert f"Stopped. {done} of 30 are done" in said and "dlcourse grade small --resume" in said
    assert not list((home / "autograded" / ".new").glob("*/small"))
    assert len(small.contents(home)[0]) == done


@pytest.fixture
def as_in_a_terminal():
    """A shell's background jobs ignore Ctrl-C, and so do their tests' children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_waits_for_what_is_being_written(
    ungraded, tmp_path, monkeypatch, as_in_a_terminal, number
):
    home = small.duplicate(ungraded, tmp_path / "class")
    swap = pipeline.swap

    def interrupted(made, copy):
        if copy.parent.name == "s02":
            os.kill(os.getpid(), number)
        swap(made, copy)

    monkeypatch.setattr(pipeline, "swap", interrupted)
    with pytest.raises(Interrupted, match="3 of 30"):
        grade("small", home, backend=InProcess(small.stand_in))
    assert [*Journal("small", home).last()] == ["s00", "s01", "s02"] == [*small.contents(home)[0]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_request_to_end_that_python_swallows_is_heard_at_the_next_student(
    ungraded, tmp_path, as_in_a_terminal
):
    class Referent:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)  # where the handler runs: what it raises is only printed

    def execute(job):
        if job.student == "s02":
            Referent()
        return small.stand_in(job)

    home = small.duplicate(ungraded, tmp_path / "class")
    with pytest.raises(Interrupted, match="3 of 30"):
        grade("small", home, backend=InProcess(execute))


def test_an_ignored_ctrl_c_stays_ignored():
    """``dlcourse grade … &`` in a script goes on when somebody presses Ctrl-C there."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with drive.stoppable() as ask:
            os.kill(os.getpid(), signal.SIGINT)
            ask()
    finally:
        signal.signal(signal.SIGINT, before)


# What counts as done --------------------------------------------------------------------------


@pytest.fixture
def graded(ungraded, tmp_path):
    home = small.duplicate(ungraded, tmp_path / "class")
    for student in sorted((home / "submitted").iterdir())[3:]:
        student.rename(tmp_path / student.name)
    grade("small", home, backend=InProcess(small.stand_in))
    return home


def resumed(home):
    return grade("small", home, resume=True, backend=InProcess(small.stand_in)).skipped


def test_nothing_is_done_twice(graded):
    assert resumed(graded) == ["s00", "s01", "s02"]


def test_a_changed_submission_is_graded_again(graded):
    path = graded / "submitted" / "s01" / "small" / "small.ipynb"
    path.write_text(path.read_text() + "\n")
    assert resumed(graded) == ["s00", "s02"]


def test_a_grade_that_the_gradebook_lost_is_made_again(graded):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        gradebook.remove_submission("small", "s02")
    assert resumed(graded) == ["s00", "s01"]


def test_a_changed_score_or_copy_is_made_again(graded):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        gradebook.find_grade("add_check", "small", "small", "s00").auto_score = 1
        gradebook.db.commit()
    copy = graded / "autograded" / "s01" / "small" / "small.ipynb"
    copy.chmod(0o644)
    copy.write_text("{}")
    before = small.contents(graded)
    assert resumed(graded) == ["s02"]
    assert resumed(graded) == ["s00", "s01", "s02"] and small.contents(graded) != before


def test_another_secret_makes_every_grade_again(graded):
    (graded / ".dlcourse-seed").write_bytes(bytes(32))
    assert resumed(graded) == []


def test_a_line_that_was_cut_off_does_not_count_and_the_next_one_is_whole(tmp_path):
    journal = Journal("small", tmp_path)
    journal.add(Entry("ada", SOURCE, GRADED, scores={"x": 1.0}))
    whole = journal.path.read_bytes()
    for cut in range(1, len(whole)):
        journal.path.write_bytes(whole + whole[:cut])
        journal.add(Entry("bob", replace(SOURCE, seed="other"), FAILED, "no reason"))
        ada, *_, bob = journal.entries()
        assert (ada.student, bob.student, bob.source.seed) == ("ada", "bob", "other")
        assert journal.path.read_bytes().startswith(whole)  # only ever added to
    assert journal.last()["ada"].scores == {"x": 1.0}
    assert json.loads(whole)["who"] and json.loads(whole)["when"]


def test_what_was_handed_in_is_known_by_all_its_bytes(tmp_path):
    (tmp_path / "a").write_text("1")
    seen = [of_submission(tmp_path)]
    for name, text in (("a", "2"), ("b", "2"), ("c/d", "2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        seen.append(of_submission(tmp_path))
    (tmp_path / "a").rename(tmp_path / "e")
    seen.append(of_submission(tmp_path))
    (tmp_path / "link").symlink_to("/etc")
    assert of_submission(tmp_path) == seen[-1] and len(set(seen)) == len(seen)
