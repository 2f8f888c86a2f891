"""A sheet of the instructor's own, released with nbgrader from a source notebook, graded by us."""

import copy
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from dlcourse.grading.course import session
from dlcourse.grading.journal import Journal
from dlcourse.grading.scores import graded_notebook, read

from .enclosed import needs_sandbox
from .small import cell

pytestmark = needs_sandbox
SLUG = "own"
RIGHT = "def double(frame):\n    return 2 * frame"
CELLS = [
    new_code_cell("import numpy as np\nfrom markupsafe import escape", id="imports"),
    cell("close", "def close(a, b):\n    return bool(np.allclose(a, b))", locked=True),
    cell("double", f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION", solution=True),
    cell(
        "test_double",
        "assert close(double(2), 4), 'twice two is four'\n### BEGIN HIDDEN TESTS\n"
        "assert double(len(escape(chr(60)))) == 8\n### END HIDDEN TESTS",
        grade=True,
        locked=True,
        points=3,
    ),
    cell(
        "count",
        "### BEGIN SOLUTION\ndef count(x): return len(x)\n### END SOLUTION",
        solution=True,
    ),
    cell(
        "test_count",
        "right = [count(x) == len(x) for x in ('', [1], 'ab', (1, 2, 3))]\nsum(right) / 2",
        grade=True,
        locked=True,
        points=2,
    ),
]
HONEST = {"double": RIGHT, "count": "def count(x): return len(x)"}
LOUD = "import sys, warnings\nwarnings.warn('careful')\nprint('hm', file=sys.stderr)\n"
CLASS = {  # answers, and the points of both tests
    "ada": (HONEST, (3, 2)),
    "bob": (HONEST | {"double": "def double(frame): return frame + 2"}, (0, 2)),  # hidden test
    "cid": (HONEST | {"count": "def count(x): return 1"}, (3, 0.5)),
    "dan": ({}, (0, 0)),
    "eve": (
        HONEST | {"double": "import builtins\nnp.allclose = lambda *a: True\n" + RIGHT},
        (3, 2),
    ),
    "fay": (HONEST | {"count": "def count(x): get_ipython().displayhook(2.0)"}, (3, 0)),
    "gus": (HONEST | {"count": "import os\nos._exit(0)"}, (3, 0)),
    "hal": (HONEST | {"double": LOUD + RIGHT}, (3, 2)),
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The class, released by nbgrader and graded by ``dlcourse grade``."""
    home = tmp_path_factory.mktemp("own")
    released = release(home)
    for student, (answers, _) in CLASS.items():
        notebook = copy.deepcopy(released)
        for each in notebook.cells:
            each.source = answers.get(each.id, each.source)
            if student == "eve" and each.id == "test_count":
                each.source = "2.0"
        path = home / "submitted" / student / SLUG / f"{SLUG}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    command = [sys.executable, "-m", "dlcourse.cli", "grade", SLUG, "-j", "1"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row.student: row for row in read(SLUG, home)}
    return SimpleNamespace(home=home, released=released, rows=rows, said=done.stdout)


def release(home):
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source = home / "build" / "source" / SLUG / f"{SLUG}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=CELLS, metadata={"kernelspec": kernel}), source)
    with session(home) as config:
        directory = CourseDirectory(config=config, assignment_id=SLUG)
        GenerateAssignment(coursedir=directory, config=config).start()
    return nbformat.read(home / "exercises" / SLUG / f"{SLUG}.ipynb", 4)


@pytest.mark.parametrize("student", CLASS)
def test_each_gets_the_points_that_nbgraders_rules_give(own, student):
    row = own.rows[student]
    assert (row.exercises["test_double"], row.exercises["test_count"]) == CLASS[student][1]


def test_hidden_tests_are_not_in_the_sheet_and_are_what_graded(own):
    assert "chr(60)" not in json.dumps(own.released)
    graded = nbformat.read(graded_notebook(SLUG, own.home, "bob"), 4)
    tests = next(c for c in graded.cells if c.id == "test_double")
    assert "chr(60)" in tests.source and tests.outputs[-1].ename == "AssertionError"


def test_grades_and_flags_say_that_the_tests_ran_beside_the_learners_code(own):
    graded = nbformat.read(graded_notebook(SLUG, own.home, "ada"), 4)
    tests = [c for c in graded.cells if c.id.startswith("test")]
    assert [c.metadata.dlcourse.isolation for c in tests] == ["same-process"] * 2
    assert graded.metadata.dlcourse.isolation == "bubblewrap"
    flags = {student: entry.flags for student, entry in Journal(SLUG, own.home).last().items()}
    assert (
        flags["ada"] == graded.metadata.dlcourse.flags == ["same-process: test_double, test_count"]
    )
    assert "changed what tests rely on: numpy.allclose" in flags["eve"]
    assert "the code displayed a value, which only the tests may" in flags["fay"]


def test_what_was_earned_before_a_crash_is_kept_and_the_reason_said(own):
    assert "ended its own process" in Journal(SLUG, own.home).last()["gus"].why
    assert "not all was run" in own.said


def test_packages_that_the_sheet_imports_are_there_and_no_others(own):
    from dlcourse.grading.enclosure import distributions
    from dlcourse.grading.jobs import imports

    assert imports(SLUG, own.home) == ("markupsafe", "markupsafe.escape", "numpy")
    assert distributions(["markupsafe.escape", "json", "dlcourse.data"]) == ["MarkupSafe"]
    assert distributions(["no_such_module"]) == []
