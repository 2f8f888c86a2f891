"""Stock nbgrader from the course's root, in an empty environment."""

import shutil
import subprocess
import sys

import pytest

from dlcourse.checks.core import registry
from dlcourse.grading.convert import convert
from dlcourse.grading.release import regenerate
from dlcourse.grading.scores import read, verdicts

from .conftest import REPOSITORY


@pytest.fixture(scope="module")
def root(course, graded, tmp_path_factory):
    """Graded by ``python -m nbgrader`` alone: one solution."""
    root = tmp_path_factory.mktemp("stock")
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    convert("neurons", course, root / "build" / "source")
    (root / ".dlcourse-seed").write_bytes(bytes(range(32)))
    nbgrader(root, "generate_assignment", "neurons", "--force")
    student = "01-solution"
    shutil.copytree(graded.home / "submitted" / student, root / "submitted" / student)
    nbgrader(root, "autograde", "neurons")
    return root


def nbgrader(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=root,
        env={"HOME": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_generate_assignment_gives_the_committed_bytes(root, course, tmp_path):
    stock = root / "exercises" / "neurons" / "neurons.ipynb"
    assert stock.read_bytes() == regenerate("neurons", tmp_path, course).read_bytes()


def test_autograde_gives_the_grades_that_we_give(root):
    (row,) = read("neurons", root)
    unit = registry.unit("neurons")
    assert row.automatic == sum(exercise.points for exercise in unit.exercises.values())


def test_its_kernels_draw_the_hidden_cases_from_the_secret(root):
    assert "public" not in {v["seed"] for v in verdicts("neurons", root, "01-solution").values()}


def test_generate_feedback_writes_a_page(root):
    nbgrader(root, "generate_feedback", "neurons")
    assert (root / "feedback" / "01-solution" / "neurons" / "neurons.html").stat().st_size > 10_000
