"""A class of broken and hostile submissions, graded in one run in the sandbox.

Each student gets the grade that is right, the reason is said, and nothing else is touched.
"""

import json
import os
import re
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from dlcourse.grading.grade import grade
from dlcourse.grading.journal import FAILED, Journal
from dlcourse.grading.scores import graded_notebook
from dlcourse.grading.submissions import failure_note, read_notes

from . import hostile
from .enclosed import needs_sandbox
from .hostile import MARK, SLUG
from .hostile_more import MORE
from .hostile_table import TABLE

pytestmark = needs_sandbox
CLASS = {**TABLE, **MORE}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    home = tmp_path_factory.mktemp("hostile")
    solved = hostile.release(home)
    for student, case in CLASS.items():
        hostile.hand_in(home, student, case, solved)
    before = everything(home / "submitted")
    started = time.monotonic()
    with hostile.unit(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCOURSE_HOSTILE", "secret")
        patch.setenv("HOSTILE_HOME", str(home))
        result = grade(SLUG, home)
    seconds = time.monotonic() - started
    return SimpleNamespace(
        home=home,
        result=result,
        rows={row.student: row for row in result.rows},
        journal=Journal(SLUG, home).last(),
        before=before,
        after=everything(home / "submitted"),
        seconds=seconds,
    )


def everything(folder):
    """Each file's kind, time and, where it is a small one, bytes."""
    found = {}
    for where, _, files in os.walk(os.fsencode(folder)):
        for name in files:
            path = os.path.join(where, name)
            about = os.lstat(path)
            small = stat.S_ISREG(about.st_mode) and about.st_size < 1 << 20
            found[path] = (
                about.st_mode,
                about.st_mtime_ns,
                small and Path(os.fsdecode(path)).read_bytes(),
            )
    return found


def said(graded, student):
    """All that an instructor is told of a submission."""
    entry = graded.journal[student]
    text = [entry.why, *entry.flags, *read_notes(SLUG, graded.home, student)]
    path = graded_notebook(SLUG, graded.home, student)
    if path.exists():
        text.append(re.sub(r"\\.", " ", json.dumps([c.get("outputs") for c in read(path).cells])))
    note = failure_note(SLUG, graded.home, student)
    return "\n".join([*text, note.read_text() if note.exists() else ""])


def read(path):
    return nbformat.read(path, 4)


@pytest.mark.parametrize("student", CLASS)
def test_each_gets_the_grade_that_is_right_and_the_reason(graded, student):
    case, entry = CLASS[student], graded.journal[student]
    if case.points is None:
        assert entry.outcome == FAILED and student not in graded.rows and entry.why
        assert graded.result.failed[student] == entry.why
        assert not entry.why.endswith("report it.") and "Traceback" not in entry.why
    else:
        assert student not in graded.result.failed, entry.why
        row = graded.rows[student]
        assert tuple(row.exercises[n] for n in hostile.RIGHT) == case.points, said(graded, student)
        assert row.questions == {"why": None} or row.questions == {"why": 0}
        assert row.automatic_max == 7 and set(row.exercises) == set(hostile.RIGHT)
    assert case.words in said(graded, student)


def test_what_was_handed_in_is_as_it_was(graded):
    assert graded.before == graded.after


def test_nothing_else_is_touched(graded):
    made = {"build", "exercises", "submitted", "autograded", "journal", "gradebook.db"}
    made |= {".dlcourse-seed", ".dlcourse-lock"}
    assert {path.name for path in graded.home.iterdir()} <= made
    assert not list((graded.home / "build" / "intake").glob("*"))
    assert not list((graded.home / "autograded").glob(".new/*"))


def test_graded_copies_stay_small_and_hold_what_the_sheet_holds(graded):
    for student in graded.rows:
        folder = graded_notebook(SLUG, graded.home, student).parent
        size = sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file())
        assert size < 8 << 20, (student, size)
        assert not [p for p in folder.rglob("*") if p.is_symlink()]


def test_no_process_is_left(graded):
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert b"outlives-us" not in path.read_bytes() or int(path.parts[2]) == os.getpid()
        except OSError:
            continue


def test_hidden_tests_reach_no_output_but_of_the_cell_itself(graded):
    for student in graded.rows:
        for each in read(graded_notebook(SLUG, graded.home, student)).cells:
            if student != "reads-gc":
                assert MARK not in json.dumps(each.get("outputs", [])), student


def test_who_had_no_part_in_it_is_not_flagged(graded):
    assert graded.journal["honest"].flags == ["same-process: square_check"]
    assert graded.result.notes.get("honest") is None
    assert set(graded.journal) == set(CLASS)


def test_the_class_is_graded_again_with_the_same_result(graded):
    with hostile.unit():
        again = grade(SLUG, graded.home, resume=True)
    assert {r.student: r.exercises for r in again.rows} == {
        s: r.exercises for s, r in graded.rows.items()
    }
    assert set(again.skipped) == set(graded.rows)
