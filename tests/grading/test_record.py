"""What is on record about a class's grades, and what isn't believed."""

import json

import pytest
import small
from nbformat.v4 import new_output

from dlcourse.grading.backends import InProcess
from dlcourse.grading.grade import grade
from dlcourse.grading.journal import Journal
from dlcourse.grading.record import UNKNOWN, record, warnings
from dlcourse.grading.scores import graded_notebook

STUDENTS = ["s00", "s01", "s02", "s03"]


def told(job):
    """An execution in which each student is another case."""
    done = small.stand_in(job)
    number = int(job.student[1:])
    done.isolation = "bubblewrap"
    done.seconds = {"start": 0.1, "cells": float(number), "checks": 0.2, "total": number + 0.3}
    if number == 1:
        done.flags = ["imports torch, <b>which</b> isn't there"]
    if number == 2:
        done.stopped = "the code ended its own process"
    if number == 3:
        done.same_process = ["double_check"]
    return done


@pytest.fixture(scope="module")
def ungraded(tmp_path_factory):
    home = small.make(tmp_path_factory.mktemp("small"), 4)
    (home / "submitted" / "late" / small.SLUG).mkdir(parents=True)
    path = home / "submitted" / "s00" / small.SLUG / f"{small.SLUG}.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] != "add_check"]
    path.write_text(json.dumps(notebook))
    return home


@pytest.fixture
def home(ungraded, tmp_path):
    home = small.duplicate(ungraded, tmp_path / "class")
    grade(small.SLUG, home, backend=InProcess(told))
    return home


def found(home):
    return record(small.SLUG, home, STUDENTS)


def test_each_case_is_listed_with_its_student(home):
    data = found(home)
    assert data["flags"] == {"s01": ["imports torch, <b>which</b> isn't there"]}
    assert data["stopped"] == {"s02": "the code ended its own process"}
    assert data["same_process"] == {"double_check": ["s03"]}
    assert data["not_graded"] == {"late": "there is no file small.ipynb in the submission."}
    assert list(data["repaired"]) == ["s00"] and "add_check" in data["repaired"]["s00"][0]
    assert data["isolation"] == {"bubblewrap": STUDENTS}
    assert warnings(data) == []


def test_times_are_the_median_the_worst_and_whose_it_is(home):
    seconds = found(home)["seconds"]
    assert seconds["cells"] == {"median": 1.5, "worst": 3.0, "whose": "s03"}
    assert set(seconds) == {"worker", "start", "cells", "checks", "total"}


def test_a_graded_copy_that_was_changed_is_not_believed(home):
    path = graded_notebook(small.SLUG, home, "s01")
    notebook = json.loads(path.read_text())
    notebook["metadata"]["dlcourse"]["flags"] = []
    path.write_text(json.dumps(notebook))
    data = found(home)
    assert data["isolation"] == {"bubblewrap": ["s00", "s02", "s03"], UNKNOWN: ["s01"]}
    assert "1 of 4" in warnings(data)[0] and "isn't on record" in warnings(data)[0]


def test_a_later_failure_does_not_hide_how_the_standing_grade_came_about(home):
    (home / "submitted" / "s02" / small.SLUG / f"{small.SLUG}.ipynb").write_text("null")
    grade(small.SLUG, home, "s02", backend=InProcess(told))
    data = found(home)
    assert data["stopped"] == {"s02": "the code ended its own process"}
    assert "s02" in data["not_graded"] and data["isolation"] == {"bubblewrap": STUDENTS}


def test_a_check_of_ours_that_crashed_is_no_stop_of_the_learners(home):
    def crashes(job):
        done = told(job)
        (cell,) = (c for c in done.notebook.cells if c.id == "add_check")
        cell.outputs = [new_output("error", ename="CheckBroken", evalue="ours", traceback=[])]
        return done

    grade(small.SLUG, home, "s03", backend=InProcess(crashes))
    data = found(home)
    assert "s03" not in data["stopped"] and "ours" in data["not_graded"]["s03"]


def test_two_versions_of_the_course_are_warned_of(home, monkeypatch):
    from dlcourse.grading import jobs

    monkeypatch.setattr(jobs, "digest", lambda: "another")
    grade(small.SLUG, home, "s03", backend=InProcess(told))
    data = found(home)
    assert len(data["code"]) == 2 and "2 versions" in warnings(data)[0]


@pytest.mark.parametrize(
    "level, said", [("same-process", "can be forged"), ("stand-in", "not in the sandbox")]
)
def test_any_other_isolation_is_warned_of_in_plain_words(home, level, said):
    data = found(home) | {"isolation": {"bubblewrap": ["a"], level: ["b"]}}
    assert len(warnings(data)) == 1 and said in warnings(data)[0] and "1 of 2" in warnings(data)[0]


def test_the_newest_line_of_the_standing_copy_counts(home):
    grade(small.SLUG, home, "s00", backend=InProcess(told))
    lines = [e for e in Journal(small.SLUG, home).entries() if e.student == "s00"]
    assert len(lines) == 2
    assert found(home)["last"] == max(e.when for e in Journal(small.SLUG, home).entries())
