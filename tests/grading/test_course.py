import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.converters import Autograde
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from dlcourse.grading import course
from dlcourse.grading.errors import CourseError
from dlcourse.grading.restore import Restore
from dlcourse.grading.strict import Strict


@pytest.fixture
def clean(monkeypatch):
    """``configure`` changes the environment, as a configuration file must; undone afterwards."""
    before = dict(os.environ)
    monkeypatch.delenv("DLCOURSE_SEED_FILE", raising=False)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_all_that_belongs_to_a_class_lies_in_its_home(tmp_path, clean):
    c = course.configure(Config(), tmp_path)
    assert c.CourseDirectory.root == str(tmp_path)
    assert c.CourseDirectory.db_url == f"sqlite:///{tmp_path}/gradebook.db"


def steps(c, name):
    return [import_item(step) for step in c.Autograde[name]]


def test_strict_stands_right_after_execute_and_restore_before_overwriting(tmp_path, clean):
    c = course.configure(Config(), tmp_path)
    graders = [step.__name__ for step in steps(c, "autograde_preprocessors")]
    cleaners = [step.__name__ for step in steps(c, "sanitize_preprocessors")]
    assert graders.index("Strict") == graders.index("Execute") + 1
    assert cleaners.index("Restore") == cleaners.index("OverwriteCells") - 1


@pytest.mark.parametrize("name", ["sanitize_preprocessors", "autograde_preprocessors"])
def test_none_of_nbgraders_own_steps_is_lost(tmp_path, clean, name):
    stock = Autograde.class_traits()[name].default()
    found = steps(course.configure(Config(), tmp_path), name)
    assert [step for step in found if step not in (Restore, Strict)] == stock


def test_the_settings_are_plain_data(tmp_path, clean):
    assert json.loads(json.dumps(course.configure(Config(), tmp_path)))


def test_a_secret_seed_in_the_home_is_put_into_the_environment(tmp_path, clean):
    course.configure(Config(), tmp_path)
    assert "DLCOURSE_SEED_FILE" not in os.environ
    (tmp_path / ".dlcourse-seed").write_bytes(bytes(32))
    course.configure(Config(), tmp_path)
    assert os.environ["DLCOURSE_SEED_FILE"] == str(tmp_path / ".dlcourse-seed")


def test_the_environment_comes_back_even_after_a_failure(tmp_path, clean):
    os.environ["DLCOURSE_SEED_FILE"] = "another class's"
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), course.session(tmp_path):
        assert "DLCOURSE_SEED_FILE" not in os.environ
        os.environ["NBGRADER_EXECUTION"] = "autograde"  # what nbgrader leaves behind
        1 / 0  # noqa: B018, the failure
    assert dict(os.environ) == before


def test_alembic_is_found_from_an_empty_environment(tmp_path):
    """nbgrader starts it by bare name as it makes a gradebook."""
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from dlcourse.grading.course import session, database\n"
        "from nbgrader.api import Gradebook\n"
        "with session(sys.argv[1]): Gradebook(database(sys.argv[1])).close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], env={}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gradebook.db").stat().st_size > 0


def test_the_scripts_folder_goes_to_the_front_of_path_once(tmp_path, monkeypatch):
    scripts = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert course.environment(tmp_path)["PATH"] == f"{scripts}{os.pathsep}/usr/bin"
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}/usr/bin")
    assert course.environment(tmp_path)["PATH"] == f"{scripts}{os.pathsep}/usr/bin"


def test_a_folder_that_cannot_be_written_is_a_clear_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="Can't write in the folder .*file"):
        course.writable(tmp_path / "file")


def test_overwrite_leaves_an_equal_file_alone_and_no_draft(tmp_path):
    path = tmp_path / "a" / "b.txt"
    course.overwrite(path, "one")
    time = path.stat().st_mtime_ns
    course.overwrite(path, "one")
    assert path.stat().st_mtime_ns == time
    course.overwrite(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]
