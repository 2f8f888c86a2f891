"""Who matched what; nothing lost, nothing overwritten, and a killed run goes on."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from dlcourse.grading import attempts, collect
from dlcourse.grading.course import database
from dlcourse.grading.errors import CourseError

PEOPLE = [
    ("ada", "Ada", "Lovelace", "ada@x.org", "101"),
    ("grace", "Grace", "Hopper", "grace@x.org", "102"),
    ("twin1", "Sam", "O'Neil", "sam1@x.org", "103"),
    ("twin2", "Sam", "O'Neil", "sam2@x.org", "104"),
]


@pytest.fixture
def class_(home):
    with Gradebook(database(home)) as gradebook:
        for id_, first, last, email, lms in PEOPLE:
            gradebook.add_student(
                id_, first_name=first, last_name=last, email=email, lms_user_id=lms
            )
    return home


@pytest.fixture
def take(class_, tmp_path):
    """Collects a zip of these files; returns the plan."""

    def take(files, write=True, when=2020, **options):
        path = tmp_path / "class.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, (when, 1, 1, 0, 0, 0)), data)
        plan = collect.plan("tiny", path, class_, **options)
        if write:
            collect.write(plan)
        return plan

    return take


def submitted(home):
    return {
        path.parents[1].name: path.read_text() for path in home.glob("submitted/*/tiny/tiny.ipynb")
    }


def kept(home, student):
    found = attempts.attempts(home, "tiny", student)
    where = attempts.folder(home, "tiny", student)
    return [(where / str(a.n) / attempts.safe_file(a.file)).read_text() for a in found]


def snapshot(home):
    return {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}


def test_a_canvas_zip(class_, take):
    plan = take(
        {
            "lovelaceada_101_501_tiny.ipynb": "a",
            "hoppergrace_LATE_102_502_tiny-1.ipynb": "g",
            "hoppergrace_LATE_102_503_notes.txt": "no notebook",
        }
    )
    assert submitted(class_) == {"ada": "a", "grace": "g"}
    assert [(h.student, h.name.late) for h in plan.handed] == [("ada", False), ("grace", True)]
    assert plan.missing == ["twin1", "twin2"] and plan.refused == {}
    assert "2 files of 2 students, 2 of them new; 0 refused; 2 of the roster" in plan.summary()


def test_a_moodle_zip_of_either_version(class_, take):
    take(
        {
            "Ada Lovelace_7_assignsubmission_file/tiny.ipynb": "a",
            "Grace Hopper_8_assignsubmission_file_/sub/tiny (1).ipynb": "g",
            "Grace Hopper_8_assignsubmission_onlinetext/onlinetext.html": "text",
        }
    )
    assert submitted(class_) == {"ada": "a", "grace": "g"}
    assert attempts.current(class_, "tiny", "ada").participant == "7"


def test_two_students_of_one_name_are_told_apart_by_the_worksheet_only(class_, take, tmp_path):
    files = {
        "Sam ONeil_7_assignsubmission_file/tiny.ipynb": "one",
        "Sam ONeil_8_assignsubmission_file/tiny.ipynb": "two",
    }
    plan = take(files)
    assert len(plan.refused) == 2 and submitted(class_) == {}
    assert all("--worksheet" in why and "twin1, twin2" in why for why in plan.refused.values())
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "Identifier,Full name,Email address,Grade\n"
        "Participant 8,Sam O'Neil,sam1@x.org,\nParticipant 7,Sam O'Neil,sam2@x.org,\n"
    )
    take(files, worksheet=sheet)
    assert submitted(class_) == {"twin1": "two", "twin2": "one"}


def test_a_folder_and_the_exchange(class_, tmp_path):
    for path, text in {
        "class/ada/tiny/tiny.ipynb": "a",
        "inbound/grace+tiny+2026-01-02 03:04:05.6 UTC+R/tiny.ipynb": "old",
        "inbound/grace+tiny+2026-01-03 03:04:05.6 UTC+R/tiny.ipynb": "new",
        "inbound/grace+tiny+2026-01-03 03:04:05.6 UTC+R/timestamp.txt": "2026-01-03 03:04:05.6 UTC",
        "inbound/grace+tiny+2026-01-03 03:04:05.6 UTC+R/submission_secret.txt": "s3",
        "inbound/ada+other+2026-01-03 03:04:05.6 UTC+R/tiny.ipynb": "other",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    collect.write(collect.plan("tiny", tmp_path / "class", class_))
    plan = collect.plan("tiny", tmp_path / "inbound", class_)
    collect.write(plan)
    assert submitted(class_) == {"ada": "a", "grace": "new"}
    assert kept(class_, "grace") == ["old", "new"]
    assert (class_ / "submitted/grace/tiny/submission_secret.txt").read_text() == "s3"
    assert (class_ / "submitted/grace/tiny/timestamp.txt").exists()
    assert list(plan.refused.values()) == ["it was handed in for 'other'."]


def test_without_a_roster_the_folders_names_are_the_students(home, tmp_path):
    for student in ("zoe", "bad[name"):
        (tmp_path / "class" / student).mkdir(parents=True)
        (tmp_path / "class" / student / "tiny.ipynb").write_text(student)
    plan = collect.plan("tiny", tmp_path / "class", home)
    collect.write(plan)
    assert submitted(home) == {"zoe": "zoe"} and list(plan.refused) == ["bad[name/tiny.ipynb"]


def test_nothing_changes_in_a_dry_run(class_, take):
    before = snapshot(class_)
    take({"lovelaceada_101_501_tiny.ipynb": "a"}, write=False)
    assert snapshot(class_) == before


# Attempts ------------------------------------------------------------------------


def test_the_upload_with_the_greater_number_counts_and_both_are_kept(class_, take):
    files = {"a_101_502_tiny-1.ipynb": "second", "a_101_501_tiny.ipynb": "first"}
    take(files)
    assert submitted(class_) == {"ada": "second"} and kept(class_, "ada") == ["first", "second"]
    before = snapshot(class_)
    plan = take(files, when=2024)  # the same again, downloaded later
    assert plan.new == [] and snapshot(class_) == before


def test_a_new_attempt_goes_beside_the_old_one_and_an_old_zip_changes_nothing(class_, take):
    take({"a_101_501_tiny.ipynb": "first"}, when=2020)
    take({"a_101_777_tiny.ipynb": "second"}, when=2021)
    take({"a_101_501_tiny.ipynb": "first"}, when=2022)
    assert submitted(class_) == {"ada": "second"} and kept(class_, "ada") == ["first", "second"]


def test_an_old_upload_that_comes_late_is_kept_and_does_not_count(class_, take):
    take({"a_101_777_tiny.ipynb": "second"}, when=2020)
    take({"a_101_501_tiny.ipynb": "first"}, when=2022)
    assert submitted(class_) == {"ada": "second"} and kept(class_, "ada") == ["second", "first"]


def test_an_older_text_handed_in_again_is_a_new_attempt(class_, take):
    for when, (number, text) in enumerate([(1, "A"), (2, "B"), (3, "A")], 2020):
        take({f"a_101_{number}_tiny.ipynb": text}, when=when)
        take({"Grace Hopper_8_assignsubmission_file/tiny.ipynb": text}, when=when)
    assert submitted(class_) == {"ada": "A", "grace": "A"}
    assert kept(class_, "ada") == kept(class_, "grace") == ["A", "B", "A"]


def test_a_browsers_copy_counts_before_the_file_itself(class_, take):
    folder = "Ada Lovelace_7_assignsubmission_file/"
    take(
        {
            folder + "tiny (2).ipynb": "two",
            folder + "tiny.ipynb": "0",
            folder + "tiny (1).ipynb": "1",
        }
    )
    assert submitted(class_) == {"ada": "two"} and kept(class_, "ada") == ["0", "1", "two"]


def test_a_file_put_there_by_hand_is_kept_when_a_newer_one_comes(class_, take):
    path = class_ / "submitted" / "ada" / "tiny" / "tiny.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("by hand")
    os.utime(path, (1.5e9, 1.5e9))
    plan = take({"a_101_501_tiny.ipynb": "new"})
    assert plan.by_hand == {"ada"}
    assert submitted(class_) == {"ada": "new"} and kept(class_, "ada") == ["by hand", "new"]


def test_what_was_mended_by_hand_stays_until_something_new_comes(class_, take):
    take({"a_101_501_tiny.ipynb": "new"})
    path = class_ / "submitted" / "ada" / "tiny" / "tiny.ipynb"
    path.write_text("mended")
    plan = take({"a_101_501_tiny.ipynb": "new"}, when=2021)
    assert plan.by_hand == {"ada"} and submitted(class_) == {"ada": "mended"}


# What is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name, words",
    [
        ("x_555_501_tiny.ipynb", "Canvas's user 555 is not in the roster"),
        ("No Body_7_assignsubmission_file/tiny.ipynb", "'No Body' is not in the roster"),
        ("lovelaceada_101_501_homework.ipynb", "collect with --any-name"),
        ("lovelaceada_101_501_all.zip", "a zip in the zip"),
        ("anon_x1_501_tiny.ipynb", "reveal the names"),
        ("../lovelaceada_101_501_tiny.ipynb", "leads out of the zip"),
        ("tiny.ipynb", "names no student"),
    ],
)
def test_what_has_no_place_is_refused_with_the_reason_and_the_rest_is_collected(
    class_, take, name, words
):
    plan = take({name: "x", "hoppergrace_102_502_tiny.ipynb": "g"})
    assert [words in why for why in plan.refused.values()] == [True]
    assert submitted(class_) == {"grace": "g"}


def test_any_name_takes_the_only_notebook(class_, take):
    take(
        {"l_101_501_homework.ipynb": "a", "h_102_502_a.ipynb": "1", "h_102_503_b.ipynb": "2"},
        any_name=True,
    )
    assert submitted(class_) == {"ada": "a"}


def test_files_that_collide_are_all_refused(class_, take):
    plan = take(
        {
            "Ada Lovelace_7_assignsubmission_file/tiny.ipynb": "1",
            "Ada Lovelace_9_assignsubmission_file/tiny.ipynb": "2",
            "Grace Hopper_8_assignsubmission_file/a/tiny.ipynb": "3",
            "Grace Hopper_8_assignsubmission_file/b/tiny.ipynb": "4",
        }
    )
    assert submitted(class_) == {} and len(plan.refused) == 4
    assert {why.partition("'")[0] for why in plan.refused.values()} == {
        "several people",
        "",
    }


def test_a_link_in_the_place_of_a_submission_is_not_followed(class_, take):
    path = class_ / "submitted" / "ada" / "tiny" / "tiny.ipynb"
    path.parent.mkdir(parents=True)
    other = class_ / "precious"
    other.write_text("precious")
    path.symlink_to(other)
    plan = take({"a_101_501_tiny.ipynb": "new"})
    assert "is no ordinary file. Move it away" in next(iter(plan.refused.values()))
    assert other.read_text() == "precious"


def test_a_zip_without_notebooks_and_a_sheet_that_is_not_released_are_said(class_, take):
    with pytest.raises(CourseError, match="no notebooks"):
        take({"readme.txt": "x"})
    with pytest.raises(CourseError, match="has not been released"):
        collect.plan("neurons", class_, class_)


# Killed --------------------------------------------------------------------------


class Killed(BaseException):
    """As SIGKILL between two steps on the disk."""


def killed_at(step, monkeypatch):
    count, whole = 0, Path.write_bytes

    def counted(function):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == step:
                if function is whole:  # half of a file is what a kill can leave
                    function(args[0], args[1][: len(args[1]) // 2])
                raise Killed
            return function(*args, **kwargs)

        return call

    for where, name in [(os, "replace"), (os, "mkdir"), (os, "rename")]:
        monkeypatch.setattr(where, name, counted(getattr(where, name)))
    monkeypatch.setattr(Path, "write_bytes", counted(Path.write_bytes))
    return lambda: count


def test_a_run_killed_at_any_step_is_finished_by_the_next_one(class_, take, tmp_path):
    files = {"a_101_501_tiny.ipynb": "1", "a_101_502_tiny.ipynb": "2", "g_102_503_tiny.ipynb": "3"}
    by_hand = class_ / "submitted" / "ada" / "tiny" / "tiny.ipynb"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_text("by hand")
    os.utime(by_hand, (1.5e9, 1.5e9))
    start = shutil.copytree(class_, tmp_path / "start", copy_function=shutil.copy2)
    step, steps = 0, 99
    while step < steps:
        step += 1
        shutil.rmtree(class_)
        shutil.copytree(start, class_, copy_function=shutil.copy2)
        plan = take(files, write=False)
        with pytest.MonkeyPatch.context() as patch:
            done = killed_at(step, patch)
            try:
                collect.write(plan)
                steps = done()
            except Killed:
                pass
        for student, text in submitted(class_).items():  # whole files only, at any moment
            assert text in {"ada": ("by hand", "1", "2"), "grace": ("3",)}[student]
        take(files)
        assert submitted(class_) == {"ada": "2", "grace": "3"}, step
        assert kept(class_, "ada") == ["by hand", "1", "2"] and kept(class_, "grace") == ["3"]
        assert not [p for p in class_.glob("collected/*/*/.*")], step
    assert step > 15


def test_what_is_kept_says_where_it_came_from(class_, take):
    take({"hoppergrace_LATE_102_502_tiny-1.ipynb": "g"})
    told = json.loads((class_ / "collected/tiny/grace/1/about.json").read_text())
    assert told["source"] == "class.zip: hoppergrace_LATE_102_502_tiny-1.ipynb"
    assert (told["late"], told["order"], told["file"]) == (True, 502, "tiny-1.ipynb")
