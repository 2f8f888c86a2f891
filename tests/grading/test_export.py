import csv

import pytest

from dlcourse.grading.errors import CourseError
from dlcourse.grading.export import export
from dlcourse.grading.scores import Row
from dlcourse.grading.students import Student


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


# For Canvas and Moodle, from rows that are made up --------------------------------

ROWS = [
    Row("ada", {"a": 2}, {"why": 1.5}, {"a": 2, "why": 4}),
    Row("grace", {"a": 1}, {"why": None}, {"a": 2, "why": 4}),
    Row("zero", {"a": 0}, {"why": 0}, {"a": 2, "why": 4}),
]
PEOPLE = [
    Student("ada", "Ada", "Lovelace", "ada@x.org", "101"),
    Student("grace", "Grace", "Hopper", "grace@x.org", "102"),
    Student("zero", "=cmd()", "Zero", "zero@x.org", "103"),
    Student("absent", "Al", "Absent", "absent@x.org", "104"),
    Student("guest", "Gus", "Guest"),
]


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr("dlcourse.grading.export.read", lambda slug, home: ROWS)
    monkeypatch.setattr("dlcourse.grading.export.students", lambda home: PEOPLE)


def test_ours_says_in_parts_what_is_graded_and_leaves_the_rest_empty(made_up, tmp_path):
    rows = {row["student"]: row for row in table(export("x", tmp_path))}
    parts = ("automatic", "written", "to be graded", "total")
    said = {student: tuple(row[part] for part in parts) for student, row in rows.items()}
    assert said["ada"] == ("2", "1.5", "0", "3.5")
    assert said["grace"] == ("1", "", "1", "1")
    assert said["zero"] == ("0", "0", "0", "0")
    assert said["absent"] == said["guest"] == ("", "", "", "")


def test_canvas_gets_its_columns_and_no_grade_before_all_is_graded(made_up, tmp_path):
    path = export("x", tmp_path, form="canvas", column="X (4711)")
    assert path.read_text().splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,X (4711)",
        "    Points Possible,,,,,6",
        '"Lovelace, Ada",101,,,,3.5',
        '"Hopper, Grace",102,,,,',
        '"Zero, =cmd()",103,,,,0',
        '"Absent, Al",104,,,,',
    ]


def test_moodle_gets_addresses_and_no_grade_before_all_is_graded(made_up, tmp_path):
    path = export("x", tmp_path, form="moodle")
    assert path.read_text().splitlines() == [
        "First name,Last name,Email address,x",
        "Ada,Lovelace,ada@x.org,3.5",
        "Grace,Hopper,grace@x.org,",
        "'=cmd(),Zero,zero@x.org,0",
        "Al,Absent,absent@x.org,",
    ]


def test_moodles_worksheet_is_filled_in_and_otherwise_left_alone(made_up, tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "Identifier,Full name,Email address,Grade,Feedback comments\n"
        'Participant 9,Grace,grace@x.org,2.00,"so, so"\nParticipant 7,Ada,ADA@x.org,,=1\n'
        "Participant 8,Somebody,else@x.org,,\n"
    )
    path = export("x", tmp_path, form="moodle", worksheet=sheet)
    assert path.read_text().splitlines()[1:] == [
        'Participant 9,Grace,grace@x.org,2.00,"so, so"',
        "Participant 7,Ada,ADA@x.org,3.5,=1",
        "Participant 8,Somebody,else@x.org,,",
    ]
    sheet.write_text("Name,Grade\nAda,\n")
    with pytest.raises(CourseError, match="no grading worksheet of Moodle"):
        export("x", tmp_path, form="moodle", worksheet=sheet)


@pytest.mark.parametrize("form, words", [("canvas", "Canvas ID"), ("moodle", "e-mail address")])
def test_without_a_roster_it_is_said_how_to_get_one(made_up, monkeypatch, tmp_path, form, words):
    monkeypatch.setattr("dlcourse.grading.export.students", lambda home: [Student("ada")])
    with pytest.raises(CourseError, match=f"{words}.*dlcourse roster FILE"):
        export("x", tmp_path, form=form)
