import json
import re
import shutil

import pytest

from dlcourse.grading.errors import CourseError
from dlcourse.grading.release import release
from dlcourse.grading.report import histogram, page, report
from dlcourse.grading.tally import tally


def test_the_page_needs_nothing_else(graded):
    text = graded.report.read_text()
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", text)
    assert "$" not in text and text.count("<svg") == 1


def test_the_page_names_every_student_exercise_and_the_most_frequent_mistake(graded):
    text, data = graded.report.read_text(), tally("neurons", graded.home)
    for student in data["students"]:
        assert f">{student['student']}</div></td>" in text
    for exercise in data["exercises"]:
        assert f"<code>{exercise['name']}</code>" in text
    assert data["mistakes"][0]["mistake"] in text
    assert data["seeds"][0] in text and data["isolation"][0] in text


def test_the_twin_in_json_says_the_same(graded):
    twin = graded.report.with_suffix(".json")
    assert json.loads(twin.read_text()) == tally("neurons", graded.home)


def test_reporting_again_changes_no_bytes(graded):
    before = graded.report.read_bytes()
    assert report("neurons", graded.home) == graded.report
    assert graded.report.read_bytes() == before


def test_the_page_goes_where_it_is_asked_to(slips, tmp_path):
    path = report("neurons", slips.home, tmp_path / "class.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["class.html", "class.json"]
    text = path.read_text()
    for student in slips.result.failed:
        assert f"<li><b>{student}</b>" in text


def test_a_class_without_walls_is_marked_as_such(graded, slips):
    assert "Graded without a sandbox" in page(tally("neurons", slips.home))
    walls = tally("neurons", graded.home) | {"isolation": ["bubblewrap"]}
    assert "Graded without a sandbox" not in page(walls)


def test_what_to_look_at_is_said_by_student(slips):
    text = page(tally("neurons", slips.home))
    assert text.index("What to look at") < text.index("not all was run: its kernel died")
    assert "s at most" in text


def test_names_and_reasons_are_escaped(graded):
    data = tally("neurons", graded.home)
    data["students"][0]["student"] = "<script>1</script>"
    data["not_graded"] = {"<b>eve</b>": "<img src=x>"}
    text = page(data)
    assert not re.search(r"<script|<b>eve|<img", text)


def counts(svg):
    return [int(n) for n in re.findall(r"<title>.*?: (\d+)</title>", svg)]


@pytest.mark.parametrize(
    "scores, of, want",
    [
        ([0, 0, 3], 3, [2, 0, 1]),  # full marks share the last bar
        ([27, 24, 23.5, 0], 27, [1, 0, 0, 0, 0, 0, 0, 1, 2]),
        ([0], 1, [1]),
        ([100, 9, 10], 100, [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_each_score_is_in_one_bar(scores, of, want):
    assert counts(histogram(scores, of)) == want


def test_the_plot_is_described_in_words():
    assert 'aria-label="Students by automatic points, 0: 2, 2–3: 1"' in histogram([0, 0, 2], 3)


def test_an_ungraded_class_is_refused(slips, tmp_path, course):
    release("neurons", course, tmp_path)
    shutil.copytree(slips.home / "submitted" / "empty", tmp_path / "submitted" / "empty")
    with pytest.raises(CourseError, match="dlcourse grade neurons"):
        report("neurons", tmp_path)
