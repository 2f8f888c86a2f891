import os

import pytest
from rich.console import Console

from dlcourse.grading import roster
from dlcourse.grading.errors import CourseError
from dlcourse.grading.students import Student, students

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Neurons (4711),Current Score
,,,,,Manual Posting,
    Points Possible,,,,,10.00,(read only)
"Lovelace, Ada",101,S1,ada,CS-1,,
"Hopper, Grace",102,S2,grace,CS-1,9,90
"Student, Test",999,,bbbc6740f0b946af,CS-1,,
"""
MOODLE = """\
First name,Last name,ID number,Institution,Department,Email address,Assignment: Neurons (Real)
Ada,Lovelace,2001,,,ada@x.org,-
Grace,Hopper,2002,,,grace@x.org,9.00
"""
ADA = Student("ada", "Ada", "Lovelace", "", "101")
GRACE = Student("grace", "Grace", "Hopper", "", "102")


@pytest.fixture
def put(home, tmp_path):
    """Plans a roster from text, and writes it unless told otherwise."""

    def put(text, write=True, encoding="utf-8", **options):
        path = tmp_path / "export.csv"
        path.write_bytes(text.encode(encoding))
        plan = roster.plan(path, home, **options)
        if write:
            roster.write(plan, home)
        return plan

    return put


def test_canvas_export_without_its_rows_that_are_no_students(home, put):
    plan = put(CANVAS)
    assert (plan.kind, plan.id_column) == ("Canvas", "SIS Login ID")
    assert students(home) == [GRACE, ADA]  # the gradebook's order: by last name


def test_moodle_export(home, put):
    plan = put(MOODLE)
    assert (plan.kind, plan.id_column) == ("Moodle", "ID number")
    assert Student("2001", "Ada", "Lovelace", "ada@x.org") in students(home)


def test_moodle_worksheet_and_an_id_number_that_not_everybody_has(put):
    text = "Identifier,Full name,ID number,Email address,Status,Grade\n"
    text += (
        "Participant 7,Ada Lovelace,2001,ada@x.org,,\nParticipant 8,Grace B. Hopper,,g@x.org,,\n"
    )
    plan = put(text)
    assert plan.id_column == "Email address"
    assert plan.new[1] == Student("g@x.org", "Grace B.", "Hopper", "g@x.org")


@pytest.mark.parametrize(
    "text",
    [
        "id,name,email\nada,Ada Lovelace,ada@x.org\n",
        "ID;Name;E-Mail\nada;Lovelace, Ada;ada@x.org\n",
        "email\tlast_name\tfirst_name\tid\nada@x.org\tLovelace\tAda\tada\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_csv_with_columns_of_these_names(put, text, encoding):
    plan = put(text, encoding=encoding)
    assert plan.new == [Student("ada", "Ada", "Lovelace", "ada@x.org")]


def test_first_and_last_names_in_columns_of_their_own(put):
    text = "LastName,FirstName,ID,SIS Login ID,Section\nLovelace,Ada,101,ada,1\n"
    assert put(text).new == [ADA]


def test_nothing_changes_before_it_is_written(home, put):
    before = (home / "gradebook.db").read_bytes()
    assert len(put(CANVAS, write=False).new) == 2
    assert (home / "gradebook.db").read_bytes() == before


def test_who_is_there_is_kept_and_what_changed_is_said(home, put):
    put(CANVAS)
    put("id,name\nalan,Alan Turing\n")
    plan = put(CANVAS.replace("Hopper, Grace", "Murray Hopper, Grace"))
    assert [one.id for one in plan.kept] == ["alan"] and plan.same == [ADA]
    assert [(a.last, b.last) for a, b in plan.changed] == [("Hopper", "Murray Hopper")]
    assert {one.id for one in students(home)} == {"ada", "grace", "alan"}
    console = Console(record=True, width=100, file=open(os.devnull, "w"))
    with console.file:
        console.print(plan.table())
    assert "Grace Murray Hopper (was Grace Hopper)" in console.export_text()


def test_a_column_that_is_missing_empties_nothing(home, put):
    put(CANVAS)
    put("id,email\nada,ada@x.org\n")
    assert Student("ada", "Ada", "Lovelace", "ada@x.org", "101") in students(home)


def test_twice_the_same_roster_changes_nothing(put):
    put(CANVAS)
    plan = put(CANVAS)
    assert not plan.new and not plan.changed and len(plan.same) == 2


@pytest.mark.parametrize(
    "text, words",
    [
        ("id,name\nada,Ada A\nada,Ada B\n", "2 students have the id 'ada': Ada A, Ada B"),
        ("id,name\nada,Ada A\nADA,Ada B\n", "2 students have the id 'ada'"),
        ("id,name\n../x,Eve\n", "Eve has the id '../x', which can't be the name of a folder"),
        ("id,name\na/b,Eve\n", "can't be the name of a folder"),
        ("id,name\n.hidden,Eve\n", "can't be the name of a folder"),
        ("id,name\nada[1],Eve\n", "can't be the name of a folder"),
        ("id,name\n,Eve\n", "Eve has no id in 'id'"),
        ("id,email\nada,x@x.org\neve,X@x.org\n", "2 students have the email address 'x@x.org'"),
        (CANVAS.replace("102", "101"), "2 students have the Canvas ID '101'"),
    ],
)
def test_an_ambiguous_id_is_refused_and_nothing_is_written(home, put, text, words):
    plan = put(text, write=False)
    assert any(words in why for why in plan.refused)
    with pytest.raises(CourseError, match="Nothing was written"):
        roster.write(plan, home)
    assert students(home) == []


@pytest.mark.parametrize(
    "text, words",
    [
        (CANVAS.replace(",ada,", ",alovelace,"), "is in the gradebook as 'ada' already"),
        (CANVAS.replace(",ada,", ",ADA,"), "differ in capital letters only"),
        (
            CANVAS.replace(",101,", ",105,"),
            "'ada' is user 101 in the gradebook and 105 in",
        ),
    ],
)
def test_one_person_never_gets_two_ids_nor_two_people_one(home, put, text, words):
    put(CANVAS)
    assert any(words in why for why in put(text, write=False).refused)
    assert set(students(home)) == {ADA, GRACE}


def test_the_column_of_ids_can_be_named(put):
    assert [one.id for one in put(CANVAS, id_column="sis user id").new] == ["S1", "S2"]
    with pytest.raises(CourseError, match="has no column 'x'. It has: Student, ID"):
        put(CANVAS, id_column="x")


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"PK\x03\x04...", "is a spreadsheet"),
        (b"Vorname,Nachname\nAda,L\n", "no column with the students' ids.*Vorname, Nachname.*--id"),
        (b"id,name\n", "has no students"),
    ],
)
def test_what_is_no_roster_is_said_with_what_to_do(home, tmp_path, data, words):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(CourseError, match=words):
        roster.plan(path, home)
    with pytest.raises(CourseError, match="There is no file"):
        roster.plan(tmp_path / "nowhere.csv", home)
