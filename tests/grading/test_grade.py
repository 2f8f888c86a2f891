import os
import shutil

import nbformat
import pytest
from nbgrader.api import Gradebook
from rich.console import Console

from dlcourse.grading.course import database
from dlcourse.grading.errors import CourseError
from dlcourse.grading.grade import grade, summary
from dlcourse.grading.journal import Journal
from dlcourse.grading.pipeline import before
from dlcourse.grading.scores import graded_notebook, read
from dlcourse.grading.submissions import read_notes
from dlcourse.grading.writer import Result

from . import slips as broken

MENDED = ("edited-check", "no-metadata", "duplicated", "moved-check")
RIGHT = ("solution", "warns", "precision", *MENDED)
FIRST_LOST = ("raises", "loop", "forged", "displayhook")
EVERYTHING_LOST = ("redefined", "no-display", "dies")  # these reach all the checks that follow


@pytest.mark.parametrize("student", RIGHT)
def test_a_right_answer_keeps_its_points(slips, student):
    assert slips.points[student] == slips.full


@pytest.mark.parametrize("student", FIRST_LOST)
def test_what_is_wrong_with_one_exercise_costs_that_one(slips, student):
    lost = slips.full if student == "forged" else slips.first.points
    assert slips.points[student] == slips.full - lost


@pytest.mark.parametrize("student", EVERYTHING_LOST)
def test_a_check_that_is_meddled_with_earns_nothing(slips, student):
    assert slips.points[student] == 0


def test_one_broken_submission_never_stops_the_class(slips):
    graded = {row.student for row in slips.result.rows}
    assert graded == set(broken.NOTEBOOKS)
    assert set(slips.result.failed) == {"wrong-name", *broken.NO_NOTEBOOKS}
    assert not slips.result.ok


@pytest.mark.parametrize(
    "student, words",
    [
        ("not-json", "can't be read as JSON"),
        ("utf-16", "no list of cells"),
        ("empty", "is empty"),
        ("a-list", "no list of cells"),
        ("no-cells", "no list of cells"),
        ("old-format", "none of the cells of neurons.ipynb is from this sheet"),
        ("wrong-name", "neurons (1).ipynb is JSON, but not a notebook"),
    ],
)
def test_the_reason_is_said_in_plain_words(slips, student, words):
    why = slips.result.failed[student]
    assert words in why and "Traceback" not in why


def test_failures_are_in_the_summary_and_kept_for_the_report(slips):
    console = Console(record=True, width=120, file=open(os.devnull, "w"))
    with console.file:
        console.print(summary(slips.result))
    text = console.export_text()
    assert "not-json" in text and "not graded: neurons.ipynb is not a notebook" in text
    note = slips.home / "autograded" / "not-json" / "neurons.failed.txt"
    assert note.read_text().strip() == slips.result.failed["not-json"]


@pytest.mark.parametrize("student", MENDED[0:1] + MENDED[2:])
def test_what_was_repaired_is_noted_and_the_submission_itself_left_alone(slips, student):
    first = slips.first.name
    words = {"edited-check": "edited", "duplicated": "2 times", "moved-check": "moved"}[student]
    assert any(words in note and first in note for note in slips.result.notes[student])
    assert read_notes("neurons", slips.home, student) == slips.result.notes[student]
    folder = slips.home / "submitted" / student / "neurons"
    assert [p.name for p in folder.iterdir()] == ["neurons.ipynb"]
    check = {"edited-check": '"3.0"', "duplicated": f"{first}_check-2", "moved-check": "_check"}
    assert check[student] in (folder / "neurons.ipynb").read_text()
    assert not list((slips.home / "build" / "intake").glob("*"))


def test_a_sound_submission_has_no_notes(slips):
    assert "solution" not in slips.result.notes


def test_the_environment_is_as_before(slips):
    """nbgrader itself leaves NBGRADER_EXECUTION behind when a kernel dies."""
    assert "NBGRADER_EXECUTION" not in os.environ and "DLCOURSE_SEED_FILE" not in os.environ


def test_cells_that_were_never_run_earn_nothing_and_the_reason_is_said(slips):
    assert "its kernel died" in slips.result.stopped["dies"]
    notebook = nbformat.read(graded_notebook("neurons", slips.home, "dies"), 4)
    assert "its kernel died" in notebook.metadata.dlcourse.stopped
    errors = [o.evalue for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("never run, because its kernel died" in said for said in errors)


def test_each_grade_says_under_which_isolation_it_was_given(slips):
    notebook = nbformat.read(graded_notebook("neurons", slips.home, "solution"), 4)
    checks = [c for c in notebook.cells if c.id.endswith("_check")]
    assert checks and all(c.metadata.dlcourse.isolation == "same-process" for c in checks)
    assert Journal("neurons", slips.home).last()["solution"].isolation == "same-process"


def test_a_broken_resubmission_keeps_the_earlier_grade_and_copy(slips):
    path = slips.home / "submitted" / "solution" / "neurons" / "neurons.ipynb"
    copy = graded_notebook("neurons", slips.home, "solution")
    submitted, graded = path.read_bytes(), copy.read_bytes()
    try:
        path.write_bytes(b"{ broken")
        result = grade("neurons", slips.home, "solution", isolation="none")
        assert list(result.failed) == ["solution"]
        assert {r.student: r.automatic for r in result.rows}["solution"] == slips.full
        assert copy.read_bytes() == graded
        assert [p.name for p in copy.parents[1].iterdir() if p.is_dir()] == ["neurons"]
    finally:
        path.write_bytes(submitted)
    # and the note of the failure goes
    assert grade("neurons", slips.home, "solution", isolation="none").ok
    assert not (copy.parents[1] / "neurons.failed.txt").exists()


def test_a_copy_left_by_a_killed_run_comes_back(slips):
    copy = graded_notebook("neurons", slips.home, "warns").parent
    kept = before(copy)
    copy.rename(kept)
    submission = slips.home / "submitted" / "warns" / "neurons" / "neurons.ipynb"
    text = submission.read_text()
    try:
        submission.write_text("{ broken")
        assert not grade("neurons", slips.home, "warns", isolation="none").ok
    finally:
        submission.write_text(text)
    assert copy.exists() and not kept.exists()
    assert grade("neurons", slips.home, "warns", isolation="none").ok


def test_a_written_answer_marked_by_hand_changes_the_total(slips):
    def row():
        return next(r for r in read("neurons", slips.home) if r.student == "precision")

    before = row()
    (question,) = before.questions
    assert (before.to_be_graded, before.written, before.total) == (1, 0, slips.full)
    with Gradebook(database(slips.home)) as gradebook:
        mark = gradebook.find_grade(question, "neurons", "neurons", "precision")
        mark.manual_score, mark.needs_manual_grade = 3, False
        gradebook.db.commit()
    after = row()
    assert (after.to_be_graded, after.written, after.total) == (0, 3, slips.full + 3)


def test_an_unknown_student_is_named_with_the_closest(slips):
    with pytest.raises(CourseError, match="'lop' has submitted nothing.*Did you mean 'loop'"):
        grade("neurons", slips.home, "lop", isolation="none")


def test_a_class_without_submissions_is_told_where_they_go(slips, tmp_path):
    shutil.copy(slips.home / "gradebook.db", tmp_path)
    with pytest.raises(CourseError, match="submitted/STUDENT/neurons/neurons.ipynb"):
        grade("neurons", tmp_path)


def test_a_sheet_that_was_never_released_is_told_how(tmp_path):
    with pytest.raises(CourseError, match="dlcourse release"):
        grade("neurons", tmp_path)


def test_progress_is_shown_where_a_console_is_given(slips):
    console = Console(record=True, width=120, file=open(os.devnull, "w"))
    with console.file:
        grade("neurons", slips.home, "empty", console, isolation="none")
    assert "empty: neurons.ipynb is empty." in console.export_text()


def test_a_result_is_well_when_nobody_failed():
    assert Result("x").ok and not Result("x", failed={"ada": "why"}).ok
