import csv

from dlcourse.grading.export import export
from dlcourse.grading.scores import Row


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_one_row_a_student_with_points_by_exercise(graded, tmp_path):
    path = export("neurons", graded.home, tmp_path / "class.csv")
    rows = table(path)
    assert [row["student"] for row in rows] == [row.student for row in graded.result.rows]
    for text, row in zip(rows, graded.result.rows, strict=True):
        assert {name: float(text[name]) for name in row.exercises} == row.exercises
        assert float(text["automatic"]) == row.automatic
        assert float(text["total"]) == row.total and float(text["max"]) == row.total_max


def test_an_answer_that_waits_is_empty_and_an_untouched_one_is_zero(graded, tmp_path):
    rows = {r["student"]: r for r in table(export("neurons", graded.home, tmp_path / "a.csv"))}
    (question,) = graded.result.rows[0].questions
    assert (rows["01-solution"][question], rows["01-solution"]["to be graded"]) == ("", "1")
    assert (rows["02-untouched"][question], rows["02-untouched"]["to be graded"]) == ("0", "0")


def test_a_name_never_becomes_a_formula(monkeypatch, tmp_path):
    rows = [Row("=cmd()", {"a": 0.5}, {}, {"a": 1}), Row("ada", {"a": 1}, {}, {"a": 1})]
    monkeypatch.setattr("dlcourse.grading.export.read", lambda slug, home: rows)
    first, second = table(export("x", tmp_path))
    assert (first["student"], first["a"], second["student"]) == ("'=cmd()", "0.5", "ada")
    assert (tmp_path / "build" / "reports" / "x.csv").exists()
