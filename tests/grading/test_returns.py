import os
import zipfile

import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import notebook_hash

from dlcourse.grading import collect, returns
from dlcourse.grading.course import database
from dlcourse.grading.errors import CourseError


@pytest.fixture
def class_(home):
    with Gradebook(database(home)) as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="L", lms_user_id="101")
        gradebook.add_student("grace", first_name="Grace", last_name="H")
        gradebook.add_student("zoe")
    return home


def hand_in(home, files):
    path = home.parent / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    collect.write(collect.plan("tiny", path, home))


def answer(home, *students, when=None):
    for student in students:
        page = home / "feedback" / student / "tiny" / "tiny.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"to {student}")
        if when:
            os.utime(page, (when, when))


def names(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_pages_are_called_as_each_system_wants_them(class_):
    hand_in(class_, {"lada_LATE_101_501_tiny-1.ipynb": "a"})
    hand_in(class_, {"Grace H_8_assignsubmission_file_/tiny.ipynb": "g"})
    answer(class_, "ada", "grace")
    made = returns.give_back("tiny", class_)
    assert made.left_out == {}
    assert names(made.zips["canvas"]) == {"lada_LATE_101_501_tiny-1.html": "to ada"}
    assert names(made.zips["moodle"]) == {"Grace H_8_assignsubmission_file_/tiny.html": "to grace"}
    assert returns.give_back("tiny", class_).zips == made.zips  # and again


def test_flat_moodle_names_go_back_flat(class_):
    hand_in(class_, {"Grace H_8_assignsubmission_file_tiny.ipynb": "g"})
    answer(class_, "grace")
    made = returns.give_back("tiny", class_)
    assert list(names(made.zips["moodle"])) == ["Grace H_8_assignsubmission_file_tiny.html"]


def test_who_came_otherwise_or_handed_in_again_is_left_out_and_said(class_):
    hand_in(class_, {"lada_101_501_tiny.ipynb": "a"})
    answer(class_, "ada", "zoe", when=1.5e9)
    made = returns.give_back("tiny", class_)
    assert "handed in again" in made.left_out["ada"] and "by hand" in made.left_out["zoe"]
    assert made.zips == {}


def test_without_pages_it_is_said_how_to_write_them(class_):
    with pytest.raises(CourseError, match="dlcourse feedback tiny"):
        returns.give_back("tiny", class_)


@pytest.mark.filterwarnings("ignore:.*timestamp.txt:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file.*timestamp.txt:ResourceWarning")  # nbgrader's
def test_the_exchange_gets_the_pages_under_the_names_that_nbgrader_looks_for(class_, tmp_path):
    exchange = tmp_path / "exchange"
    inbound = exchange / "course" / "inbound" / "ada+tiny+2026-01-03 03:04:05.6 UTC+R"
    inbound.mkdir(parents=True)
    (exchange / "course" / "feedback").mkdir()
    for name in ("tiny.ipynb", "timestamp.txt", "submission_secret.txt"):
        (inbound / name).write_text(name)
    collect.write(collect.plan("tiny", exchange / "course" / "inbound", class_))
    answer(class_, "ada", "zoe")
    for name in ("timestamp.txt", "submission_secret.txt"):  # as nbgrader itself carries them on
        beside = class_ / "submitted" / "ada" / "tiny" / name
        (class_ / "feedback" / "ada" / "tiny" / name).write_text(beside.read_text())
    with pytest.raises(CourseError, match="Not from the exchange.*: zoe"):
        returns.to_exchange("tiny", class_, exchange, "course")
    (class_ / "feedback" / "zoe" / "tiny" / "tiny.html").unlink()
    assert returns.to_exchange("tiny", class_, exchange, "course") == 1
    key = notebook_hash(secret="submission_secret.txt", notebook_id="tiny")
    assert (exchange / "course" / "feedback" / f"{key}.html").read_text() == "to ada"
