"""Two graders on one course: the second is told who the first is."""

import subprocess
import sys

import pytest

from dlcourse.grading.errors import CourseError
from dlcourse.grading.lock import holder, locked

CODE = """
import sys
from pathlib import Path
from dlcourse.grading.lock import locked
with locked(Path(sys.argv[1]), "sqlite://"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_the_second_grader_is_told_who_the_first_is_and_since_when(other, tmp_path):
    with pytest.raises(CourseError) as said, locked(tmp_path, "sqlite://"):
        pass
    assert f"{holder()[:-5]}" in str(said.value) and f"process {other.pid}" in str(said.value)


def test_a_lock_dies_with_its_process(other, tmp_path):
    other.kill()
    other.wait()
    with locked(tmp_path, "sqlite://"), pytest.raises(CourseError, match="graded already"):
        with locked(tmp_path, "sqlite://"):
            pass
    with locked(tmp_path, "sqlite://"):
        pass
