import os
import stat
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from dlcourse.grading.course import database
from dlcourse.grading.errors import CourseError
from dlcourse.grading.release import regenerate, release

from .conftest import TINY


def sources(path):
    return {c.id: c.source for c in nbformat.read(path, 4).cells}


def test_nothing_of_solution_or_mark_scheme_reaches_the_learner(tiny_course):
    path = release("tiny", tiny_course)
    assert path == tiny_course / "exercises/tiny/tiny.ipynb"
    text = path.read_text()
    for secret in ("x + x", "added to itself", "SOLUTION", "MARK SCHEME", "2 points for", "grows"):
        assert secret not in text
    assert [p.name for p in path.parent.iterdir()] == ["tiny.ipynb"]


def test_the_learner_gets_stubs_in_the_places_of_the_answers(tiny_course):
    cells = sources(release("tiny", tiny_course))
    assert cells["twice"] == "def twice(x):\n    # your code here\n    raise NotImplementedError()"
    assert cells["reason"] == "*Your answer here.*"
    assert cells["twice_check"] == 'check("twice", twice)'
    assert cells["reason_question"].endswith("Why is it twice as much?")


def test_releasing_again_changes_no_bytes_and_no_seed(tiny_course):
    path, seed = release("tiny", tiny_course), tiny_course / ".dlcourse-seed"
    sheet, secret = path.read_bytes(), seed.read_bytes()
    release("tiny", tiny_course)
    assert (path.read_bytes(), seed.read_bytes()) == (sheet, secret)
    assert len(secret) == 32 and stat.S_IMODE(seed.stat().st_mode) == 0o600


def test_regenerating_gives_the_same_bytes_without_a_gradebook(tiny_course, tmp_path_factory):
    out = tmp_path_factory.mktemp("elsewhere")
    made = regenerate("tiny", out, tiny_course)
    assert made == out / "tiny" / "tiny.ipynb"
    assert not (tiny_course / "gradebook.db").exists() and not (tiny_course / "build").exists()
    assert made.read_bytes() == release("tiny", tiny_course).read_bytes()


def test_the_gradebook_knows_the_graded_cells_and_their_points(tiny_course):
    release("tiny", tiny_course)
    with Gradebook(database(tiny_course)) as gradebook:
        cells = gradebook.find_notebook("tiny", "tiny").grade_cells
        assert {c.name: c.max_score for c in cells} == {"twice_check": 3, "reason": 4}


def test_a_home_elsewhere_leaves_the_course_untouched(tiny_course, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    before = sorted(tiny_course.rglob("*"))
    assert release("tiny", tiny_course, home) == home / "exercises/tiny/tiny.ipynb"
    assert sorted(tiny_course.rglob("*")) == before
    assert (home / "gradebook.db").exists() and (home / ".dlcourse-seed").exists()


def test_files_beside_the_source_are_not_handed_out(tiny_course):
    release("tiny", tiny_course)
    (tiny_course / "build/source/tiny/solutions.txt").write_text("x + x")
    with pytest.raises(CourseError, match="solutions.txt"):
        release("tiny", tiny_course)
    assert not (tiny_course / "exercises/tiny/solutions.txt").exists()


@pytest.mark.filterwarnings("ignore:Object of type <Submitted")  # SQLAlchemy's, about nbgrader
def test_a_sheet_with_submissions_keeps_its_cells_and_the_old_sheet_stays(tiny_course):
    path = release("tiny", tiny_course)
    before = path.read_bytes()
    with Gradebook(database(tiny_course)) as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission("tiny", "ada")
    changed = TINY.replace('role="given" grade_id="broken"', 'role="given" grade_id="other"')
    (tiny_course / "solutions" / "tiny.py").write_text(changed)
    with pytest.raises(CourseError, match="cells were added or removed"):
        release("tiny", tiny_course)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_a_clear_sentence(tiny_course, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="Can't write in the folder"):
        release("tiny", tiny_course, tmp_path / "file" / "home")
    with pytest.raises(CourseError, match="Can't write in the folder"):
        regenerate("tiny", tmp_path / "file", tiny_course)


def test_the_working_directory_and_environment_stay(tiny_course):
    before = Path.cwd(), dict(os.environ)
    release("tiny", tiny_course)
    assert (Path.cwd(), dict(os.environ)) == before


def test_a_new_gradebook_and_the_secret_are_the_instructors_alone(tiny_released):
    for name in ("gradebook.db", ".dlcourse-seed"):
        assert (tiny_released / name).stat().st_mode & 0o077 == 0, name
