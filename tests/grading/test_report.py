import csv
import json
import re
import shutil
from collections import Counter

import pytest

from dlcourse.grading.charts import histogram
from dlcourse.grading.errors import CourseError
from dlcourse.grading.items import distribution
from dlcourse.grading.page import page as as_page
from dlcourse.grading.release import release
from dlcourse.grading.report import report
from dlcourse.grading.tally import tally


def test_the_page_needs_nothing_else(graded):
    text = graded.report.read_text()
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", text)
    assert "$" not in text and "default-src 'none'" in text


def test_the_page_names_every_student_exercise_and_the_most_frequent_mistake(graded):
    text, data = graded.report.read_text(), tally("neurons", graded.home)
    for student in data["students"]:
        assert f">{student['student']}</div></td>" in text
    for exercise in data["exercises"]:
        assert f"<code>{exercise['name']}</code>" in text
    assert data["mistakes"][0]["mistake"].replace("_", " ") in text


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


def test_names_and_reasons_are_escaped(graded):
    data = tally("neurons", graded.home)
    data["students"][0]["student"] = "<script>1</script>"
    data["not_graded"] = {"<b>eve</b>": "<img src=x>"}
    text = as_page(data)
    assert not re.search(r"<script|<b>eve|<img", text)


def test_no_text_of_a_class_is_ever_html(graded):
    data = harm(tally("neurons", graded.home))
    data["inventory"] = harm(COMPARED)
    text = as_page(data)
    assert text.count("EVIL") > 40
    assert "<b>EVIL" not in text and "&lt;b&gt;EVIL" in text


COMPARED = {
    "students": 2,
    "before": 0.25,
    "after": 0.75,
    "gain": 2 / 3,
    "questions": {"q": {"before": 0.25, "after": 0.75, "gain": 2 / 3}},
    "beliefs": {"only_forward": {"before": 1, "after": 0}},
}


def harm(value, key=""):
    """The same data with markup in every text and every name that isn't the report's own."""
    if isinstance(value, str):
        return f"<b>EVIL</b> {value}"
    if isinstance(value, list):
        return [harm(each) for each in value]
    if isinstance(value, dict):
        own = key in ("", "seconds") or "from" in value or "before" in value
        return {(k if own or k in OWN else harm(k)): harm(v, k) for k, v in value.items()}
    return value


OWN = set("name of mean difficulty discrimination parts marked waiting exercise part lost".split())
OWN |= set("students mistake hint count student automatic written to_be_graded total".split())
OWN |= set("median bars worst whose".split())


def test_everything_that_the_page_names_is_on_it(graded):
    data = tally("neurons", graded.home)
    data |= {
        "flags": {"ada": ["imports torch"]},
        "stopped": {"bob": "ended itself"},
        "repaired": {"eve": ["a cell was put back"]},
        "same_process": {"own_check": ["ada"]},
        "warnings": ["How 1 of 20 were graded isn't on record."],
        "inventory": COMPARED,
    }
    text = as_page(data)
    wanted = ["imports torch", "ended itself", "a cell was put back", "own_check", "1 of 20 were"]
    wanted += [data["code"][0], data["seeds"][0], data["sheets"][0], "Normalised gain".lower()]
    wanted += ["0.67 (medium)", "Hake", "only forward", "bubblewrap", "±0.44"]
    for each in wanted:
        assert each in text, each


def test_the_plot_is_described_in_words():
    plot = histogram(distribution([0, 0, 2], 3), "automatic")
    assert (
        'aria-label="3 students by automatic points. 0 points: 2, 2 to 3 points: 1. Median 0."'
        in plot
    )
    assert len(re.findall(r"<rect", plot)) == 3


def test_every_plot_has_a_text_and_every_table_heads(graded):
    text = graded.report.read_text()
    assert text.count("<svg") == text.count('role="img" aria-label="') == 2
    assert text.count("<table") == text.count("<thead><tr><th")


def test_the_table_of_items_has_a_line_for_each(graded, tmp_path):
    data = tally("neurons", graded.home)
    path = report("neurons", graded.home, tmp_path / "items.csv", form="csv")
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    kinds = Counter(line["kind"] for line in lines)
    assert kinds["exercise"] == len(data["exercises"]) and kinds["written"] == 1
    assert kinds["part lost"] == len(data["parts_lost"])
    assert kinds["mistake"] == len(data["mistakes"])
    first = lines[0]
    assert float(first["share"]) == pytest.approx(data["exercises"][0]["difficulty"], abs=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == ["items.csv"]


def test_json_alone_is_the_twin(graded, tmp_path):
    path = report("neurons", graded.home, tmp_path / "class.json", form="json")
    assert json.loads(path.read_text()) == tally("neurons", graded.home)
    assert [p.name for p in tmp_path.iterdir()] == ["class.json"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_phone_and_asks_for_nothing(graded, page, width):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(graded.report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert asked == [graded.report.as_uri()]


def test_an_ungraded_class_is_refused(slips, tmp_path, course):
    release("neurons", course, tmp_path)
    shutil.copytree(slips.home / "submitted" / "empty", tmp_path / "submitted" / "empty")
    with pytest.raises(CourseError, match="dlcourse grade neurons"):
        report("neurons", tmp_path)
