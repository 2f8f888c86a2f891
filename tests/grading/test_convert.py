import json
import re

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from dlcourse.checks.core import registry
from dlcourse.grading.convert import build, convert, open_folds, setup
from dlcourse.grading.errors import CourseError
from dlcourse.wheel import Homeless, requirement

from .conftest import TINY

WHEEL = "dlcourse[data] @ https://example.org/wheels/dlcourse-1.0-py3-none-any.whl"


@pytest.fixture
def notebook(tiny):
    return build(TINY, "solutions/tiny.py", tiny, WHEEL)


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


def test_the_notebook_is_valid_for_jupyter_and_for_nbgrader(notebook):
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)


def test_cells_come_in_the_order_of_the_source_after_what_is_generated(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert ids[1:6] == ["overview", "setup", "twice_statement", "twice", "twice_check"]
    assert ids[6] == "broken" and ids[8:] == ["reason_question", "reason"]


def flags(**those):
    return {"grade": False, "locked": False, "solution": False, "task": False} | those


@pytest.mark.parametrize(
    "name, want",
    [
        ("setup", flags(locked=True)),
        ("twice", flags(solution=True)),
        ("twice_check", flags(grade=True, locked=True, points=3)),
        ("broken", flags(locked=True)),
        ("reason_question", flags(locked=True)),
        ("reason", flags(grade=True, solution=True, points=4)),
    ],
)
def test_nbgrader_is_told_what_each_cell_is(notebook, name, want):
    assert by_id(notebook)[name].metadata.nbgrader == want | {"grade_id": name, "schema_version": 3}


def test_other_cells_are_the_learners_own(notebook):
    told = {cell.id for cell in notebook.cells if "nbgrader" in cell.metadata}
    assert told == {"setup", "twice", "twice_check", "broken", "reason_question", "reason"}


def test_the_set_up_cell_installs_this_version_where_the_course_is_missing(notebook):
    text = by_id(notebook)["setup"].source
    assert f'%pip install -q "{WHEEL}"' in text
    assert text.endswith("import numpy as np\nfrom dlcourse.checks import check")


def test_the_line_under_a_heading_comes_from_the_description(notebook):
    text = by_id(notebook)["twice_statement"].source
    assert text.startswith(
        "## Twice as much\n\n*write · 5 minutes · 3 points (value 2, copy 1) · "
        "difficulty ★★☆ · without torch · practises: double*\n\nWrite `twice(x)`"
    )


def test_the_overview_lists_every_exercise_and_question_and_adds_them_up(notebook):
    rows = by_id(notebook)["overview"].source.splitlines()[2:]
    assert rows == [
        "| Twice as much | write | 5 | 3 | ★★☆ |",
        "| Say why | explain | 3 | 4 |  |",
        "| **Together** | | **8** | **7** | |",
    ]


def test_the_mark_scheme_holds_rubric_and_exemplars(notebook):
    text = by_id(notebook)["reason_question"].source
    begin, end = "<!-- BEGIN MARK SCHEME -->\n", "\n<!-- END MARK SCHEME -->"
    scheme = text[text.index(begin) : text.index(end)]
    for words in ("2 points for the sum.", "It is added.", "It grows.", "It is squared."):
        assert words in scheme


def test_an_empty_answer_cell_gets_the_full_exemplar(tiny):
    source = TINY[: TINY.index("# ### BEGIN SOLUTION\n# Because")]
    cells = by_id(build(source, "solutions/tiny.py", tiny, WHEEL))
    assert cells["reason"].source == "### BEGIN SOLUTION\nIt is added.\n### END SOLUTION"


def test_markdown_in_a_fold_has_the_blank_lines_that_commonmark_wants():
    assert open_folds("<details><summary>H</summary>\n*a*\n</details>\nb") == (
        "<details><summary>H</summary>\n\n*a*\n\n</details>\nb"
    )
    already = "<details><summary>H</summary>\n\n*a*\n\n</details>"
    assert open_folds(already) == already


def test_cell_ids_stay_when_another_cell_changes(tiny, notebook):
    changed = build(TINY.replace("Two things", "Both"), "solutions/tiny.py", tiny, WHEEL)
    assert [c.id for c in changed.cells[1:]] == [c.id for c in notebook.cells[1:]]


# Files -------------------------------------------------------------------------


def test_converting_again_writes_the_same_bytes_and_leaves_the_file_alone(tiny_course):
    path = convert("tiny", tiny_course)
    assert path == tiny_course / "build/source/tiny/tiny.ipynb"
    first, time = path.read_bytes(), path.stat().st_mtime_ns
    assert convert("tiny", tiny_course) == path
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (first, time)
    path.unlink()
    assert convert("tiny", tiny_course).read_bytes() == first
    assert json.loads(first)["nbformat_minor"] == 5


def test_an_unknown_sheet_is_refused_with_the_closest_name(tiny_course):
    with pytest.raises(CourseError, match="no sheet called 'tinny'. Did you mean 'tiny'"):
        convert("tinny", tiny_course)


def test_outside_a_course_the_message_says_where_it_looked(tmp_path):
    with pytest.raises(CourseError, match="no sheets in .*solutions"):
        convert("tiny", tmp_path)


def test_a_sheet_without_checks_is_refused(tiny_course, monkeypatch):
    (tiny_course / "solutions" / "other.py").write_text(TINY)

    def unit(slug):
        raise ValueError("No unit is called 'other'.")

    monkeypatch.setattr("dlcourse.checks.core.registry.unit", unit)
    with pytest.raises(CourseError, match="'other' has no checks"):
        convert("other", tiny_course)


def test_the_wheel_is_the_one_that_pyproject_names(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "3.2"\nurls = { Homepage = "https://a.org/b/" }\n'
    )
    want = "dlcourse[data] @ https://a.org/b/wheels/dlcourse-3.2-py3-none-any.whl"
    assert requirement(tmp_path) == want


def test_without_pyproject_the_installed_package_says_where_it_lives(tmp_path):
    assert re.fullmatch(
        r"dlcourse\[data\] @ https://\S+/wheels/dlcourse-[\d.]+-py3-none-any.whl",
        requirement(tmp_path),
    )


def test_a_sheet_about_torch_installs_and_imports_it_and_others_stay_as_they_are(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "3.2"\nurls = { Homepage = "https://a.org/b/" }\n'
    )
    wanted = requirement(tmp_path, ("torch", "nn"))
    assert wanted.startswith("dlcourse[data,torch] @ https://a.org")
    with_torch, plain = setup(wanted, ("torch", "nn")), setup("dlcourse")
    assert "import dlcourse, torch\n" in with_torch
    assert "import numpy as np\nimport torch\nfrom torch import nn\nfrom dlcourse" in with_torch
    assert "torch" not in plain and "import numpy as np\nfrom dlcourse.checks" in plain


def test_whether_a_sheet_is_about_torch_is_what_its_checks_import():
    assert registry.unit("pytorch").imports == ("torch", "nn")
    assert registry.unit("neurons").imports == ()


def test_a_project_without_homepage_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "3.2"\n')
    with pytest.raises(Homeless, match="Homepage"):
        requirement(tmp_path)


def test_a_sheet_of_a_project_without_homepage_is_refused(tiny_course):
    (tiny_course / "pyproject.toml").write_text('[project]\nversion = "3.2"\n')
    with pytest.raises(CourseError, match="Homepage"):
        convert("tiny", tiny_course)
