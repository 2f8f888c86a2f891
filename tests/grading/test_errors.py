import pytest

from dlcourse.grading.errors import CourseError, needs


def test_a_missing_package_becomes_the_command_that_installs_it():
    with pytest.raises(CourseError, match=r"'no_such_package'.*pip install 'dlcourse\[grading\]'"):
        with needs("grading"):
            import no_such_package  # noqa: F401


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError), needs("grading"):
        1 / 0  # noqa: B018
