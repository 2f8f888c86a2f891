"""From a submission to a grade, with nothing lost on the way."""

import contextlib
import sqlite3
import threading
import time

import nbformat
import pytest
import small
from nbgrader.api import Gradebook

from dlcourse.grading import once, pipeline, writer
from dlcourse.grading.backends import InProcess
from dlcourse.grading.course import database
from dlcourse.grading.grade import grade
from dlcourse.grading.journal import Journal
from dlcourse.grading.scores import graded_notebook, read


@pytest.fixture(scope="module")
def ungraded(tmp_path_factory):
    return small.make(tmp_path_factory.mktemp("small"), 4)


@pytest.fixture
def home(ungraded, tmp_path):
    return small.duplicate(ungraded, tmp_path / "class")


def run(home, **options):
    return grade(small.SLUG, home, backend=InProcess(small.stand_in), **options)


def test_each_gets_the_points_of_what_is_right(home):
    rows = {row.student: row for row in run(home).rows}
    assert [rows[f"s0{k}"].automatic for k in range(4)] == [0, 3, 2, 5]
    assert [rows[f"s0{k}"].to_be_graded for k in range(4)] == [1, 0, 0, 0]


def test_the_scores_are_those_that_nbgrader_gives_to_the_graded_copy(home):
    run(home)
    for student, found in ((f"s0{k}", small.contents(home)[0][f"s0{k}"]) for k in range(4)):
        notebook = nbformat.read(graded_notebook(small.SLUG, home, student), 4)
        assert pipeline.scores(notebook) == {name: auto for name, auto, *_ in found["grades"]}


def test_grading_again_changes_nothing_but_the_journal(home):
    run(home)
    first = small.contents(home)
    run(home)
    assert small.contents(home) == first
    assert len(Journal(small.SLUG, home).entries()) == 8


def test_points_by_hand_stay_and_wait_to_be_looked_at_again(home):
    run(home)
    with Gradebook(database(home)) as gradebook:
        mark = gradebook.find_grade("why", small.SLUG, small.SLUG, "s00")
        mark.manual_score, mark.needs_manual_grade = 3, False
        gradebook.db.commit()
    run(home)
    (name, auto, manual, waits, most) = small.contents(home)[0]["s00"]["grades"][-1]
    assert (name, auto, manual, waits, most) == ("why", None, 3, True, 4)


FAULTS = {
    "the disk is full": (pipeline.nbformat, "writes"),
    "the gradebook can't be written": (pipeline.SaveAtOnce, "_add_comment"),
    "a rename fails": (pipeline, "swap"),
    "a preprocessor is broken": (pipeline.Pipeline, "_steps"),
}


@pytest.mark.parametrize("place", FAULTS.values(), ids=FAULTS)
def test_where_something_fails_the_earlier_grade_and_copy_stay_and_the_class_goes_on(
    home, place, monkeypatch
):
    run(home)
    before = small.contents(home)
    hand_in_nothing(home, "s03")
    right, wrong = getattr(*place), OSError(28, "No space left on device")

    def fails(*arguments, **options):
        late = place[1] != "_add_comment" or arguments[1].id == "why"  # the last cell
        if "s03" in str(WHO) and late:
            raise wrong
        return right(*arguments, **options)

    WHO: list[str] = []
    for step in ("prepare", "finished"):
        method = getattr(writer.Run, step)

        def noting(self, what, method=method):
            WHO[:] = [what if isinstance(what, str) else what.job.student]
            return method(self, what)

        monkeypatch.setattr(writer.Run, step, noting)
    monkeypatch.setattr(*place, fails)
    result = run(home)
    assert [*result.failed] == ["s03"] and "No space left" in result.failed["s03"]
    rows, copies = small.contents(home)
    assert {k: v for k, v in copies.items() if not k.endswith("failed.txt")} == before[1]
    if place[1] != "swap":  # there the grades were written already: the next run has the copy
        assert rows == before[0]
    monkeypatch.undo()
    assert run(home, resume=True).skipped == ["s00", "s01", "s02"]
    assert {r.student: r.automatic for r in read(small.SLUG, home)}["s03"] == 0


def test_a_copy_that_a_killed_run_had_moved_aside_comes_back(home):
    run(home)
    before = small.contents(home)
    copy = graded_notebook(small.SLUG, home, "s03").parent
    copy.rename(pipeline.before(copy))
    (home / "submitted" / "s03" / "small" / "small.ipynb").write_text("{ broken")
    assert not run(home, student="s03").ok
    (home / "autograded" / "s03" / "small.failed.txt").unlink()
    assert small.contents(home) == before


def test_a_runner_that_crashes_costs_nobody_a_grade(home):
    def crashes(job):
        if job.student == "s01":
            raise ZeroDivisionError("in our code")
        return small.stand_in(job)

    result = grade(small.SLUG, home, backend=InProcess(crashes))
    assert [row.student for row in result.rows] == ["s00", "s02", "s03"]
    assert "the grader itself failed (ZeroDivisionError: in our code)" in result.failed["s01"]


def test_a_gradebook_that_another_program_holds_is_waited_for(home, monkeypatch):
    run(home)
    before = small.contents(home)
    with held(home) as release:
        threading.Timer(1, release).start()
        assert run(home, student="s01").ok
    assert small.contents(home) == before


def test_a_gradebook_that_is_never_free_is_said_so_and_nothing_is_lost(home, monkeypatch):
    run(home)
    before = small.contents(home)
    hand_in_nothing(home, "s03")
    monkeypatch.setattr(once, "BUSY_SECONDS", 0.1)

    def taken(job):
        stack.enter_context(held(home, "begin immediate"))
        return small.stand_in(job)

    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        result = grade(small.SLUG, home, "s03", backend=InProcess(taken))
    assert time.monotonic() - start < 4.5  # SQLite by itself waits 5 s
    assert "another program writing to it" in result.failed["s03"]
    (home / "autograded" / "s03" / "small.failed.txt").unlink()
    assert small.contents(home) == before


def hand_in_nothing(home, student):
    """Another submission, worth 0."""
    path = home / "submitted" / student / "small" / "small.ipynb"
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if cell.id in small.POINTS:
            cell.source = ""
    nbformat.write(notebook, path)


@contextlib.contextmanager
def held(home, how="begin exclusive"):
    """Another program, in the middle of writing."""
    other = sqlite3.connect(home / "gradebook.db", check_same_thread=False, isolation_level=None)
    other.execute(how)
    done = threading.Event()

    def release():
        if not done.is_set():
            other.execute("commit")
        done.set()

    try:
        yield release
    finally:
        release()
        other.close()
