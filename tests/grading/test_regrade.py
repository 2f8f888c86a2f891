"""Grading anew: the difference first, and nothing written without a yes."""

import io

import pytest
import small
from rich.console import Console

from dlcourse.grading.backends import InProcess
from dlcourse.grading.grade import grade
from dlcourse.grading.journal import Journal
from dlcourse.grading.regrade import Change, Unsteady, determinism, regrade, table


@pytest.fixture(scope="module")
def ungraded(tmp_path_factory):
    home = small.make(tmp_path_factory.mktemp("small"), 4)
    (home / ".dlcourse-seed").write_bytes(bytes(32))
    return home


@pytest.fixture
def home(ungraded, tmp_path):
    home = small.duplicate(ungraded, tmp_path / "class")
    grade("small", home, backend=InProcess(small.stand_in))
    return home


def generous(job):
    """Another judgement than before: every answer to ``add`` is right."""
    done = small.stand_in(job)
    for cell in done.notebook.cells:
        if cell.id == "add_check":
            cell.outputs[0].data = small.verdict("add", 3, "x")
    return done


CHANGES = [Change("s00", "add_check", 0.0, 3.0), Change("s02", "add_check", 0.0, 3.0)]


def test_the_difference_is_shown_and_nothing_written_without_a_yes(home):
    before, lines = small.contents(home), len(Journal("small", home).entries())
    asked = []
    found = regrade("small", home, backend=InProcess(generous), agreed=asked.append)
    assert asked == [found] and found.changes == CHANGES and not found.written
    assert small.contents(home) == before and len(Journal("small", home).entries()) == lines
    with Console(record=True, width=80, file=io.StringIO()) as console:
        console.print(table(found))
    assert [line.count("add_check") for line in console.export_text().splitlines()].count(1) == 2


def test_after_a_yes_exactly_the_difference_is_written(home):
    before, _ = small.contents(home)
    assert regrade("small", home, backend=InProcess(generous), agreed=lambda d: True).written
    after, copies = small.contents(home)
    for change in CHANGES:
        grades = before[change.student]["grades"]
        grades[0] = (change.cell, change.after, *grades[0][2:])
    assert after == before
    assert regrade("small", home, backend=InProcess(generous), agreed=lambda d: True).changes == []


def test_who_cannot_be_graded_anew_keeps_the_grade(home):
    before = small.contents(home)
    (home / "submitted" / "s03" / "small" / "small.ipynb").write_text("{ broken")

    def crashes(job):
        return generous(job) if job.student != "s00" else 1 / 0

    found = regrade("small", home, backend=InProcess(crashes), agreed=lambda d: True)
    assert set(found.failed) == {"s00", "s03"} and found.changes == CHANGES[1:]
    rows, _ = small.contents(home)
    assert rows["s00"] == before[0]["s00"] and rows["s03"] == before[0]["s03"]


def test_verdicts_that_depend_on_the_secret_are_found_and_nothing_is_written(home):
    before = small.contents(home)

    def unsteady(job):
        done = small.stand_in(job)
        if job.student == "s01":
            done.verdicts["add"]["parts"]["value"] = job.sheet.random_state == 1
        assert job.sheet.fingerprint != "public" and job.seed is None
        return done

    found = determinism("small", home, backend=InProcess(unsteady))
    assert found == [Unsteady("s01", "add", "value", (True, False))]
    assert determinism("small", home, backend=InProcess(small.stand_in)) == []
    assert small.contents(home) == before


def test_stock_kernels_are_given_the_other_secrets_too(home):
    seeds = []

    def noting(job):
        seeds.append(job.seed)
        return small.stand_in(job)

    pair = (bytes(range(32)), bytes(32))
    determinism("small", home, "s00", isolation="none", backend=InProcess(noting), seeds=pair)
    assert seeds == [*pair]
