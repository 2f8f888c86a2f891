import re

import pytest

from dlcourse.grading.errors import CourseError
from dlcourse.grading.feedback import feedback
from dlcourse.grading.release import release
from dlcourse.grading.tally import tally


@pytest.fixture(scope="module")
def pages(graded):
    return {path.parts[-3]: path.read_text() for path in feedback("neurons", graded.home)}


def test_everybody_who_was_graded_gets_a_page(graded, pages):
    assert set(pages) == {row.student for row in graded.result.rows}


def test_the_page_shows_the_points_and_the_hint(graded, pages):
    row = next(row for row in graded.result.rows if row.student.endswith("mistake-1"))
    assert re.search(rf"Score: {row.automatic:.1f} / {row.total_max:.1f}", pages[row.student])
    hints = {m["mistake"]: m["hint"] for m in tally("neurons", graded.home)["mistakes"]}
    assert any(hint.split("`")[0] in pages[row.student] for hint in hints.values())


def test_a_page_runs_no_script_and_fetches_nothing(pages):
    for page in pages.values():
        assert "<script" not in page and "default-src 'none'" in page
        assert not re.search(r'(src|rel="stylesheet" href)="?http', page)


def test_the_verdict_keeps_its_form(pages):
    page = next(page for student, page in pages.items() if student.endswith("mistake-1"))
    assert re.search(r'<div class="dl-check" style="border-left:4px solid[^"]*">', page)
    assert "<b>Hint:</b>" in page


def test_without_grades_there_is_no_feedback(course, tmp_path):
    release("neurons", course, tmp_path)
    with pytest.raises(CourseError, match="dlcourse grade neurons"):
        feedback("neurons", tmp_path)
