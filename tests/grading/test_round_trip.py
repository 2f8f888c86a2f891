"""Three hundred students of each system: in, graded, out, and equal at both ends.

Grades are put into the gradebook through nbgrader's own interface; nothing is run.
"""

import csv
import random
import zipfile

import pytest
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from dlcourse import cli
from dlcourse.grading.course import database

from .test_names import canvas_name, canvas_reads, moodle_name, moodle_reads

# SQLAlchemy 2's, about how nbgrader adds a submission: it does no harm
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted")
N = 300
FIRST = ["Ada", "Grace", "Søren", "Zoë", "Jean-Luc", "María José", "D'Arcy", "Nguyễn", "李", "A."]
LAST = ["Lovelace", "O'Neil", "van der Berg", "Müller-Lüdenscheidt", "Łukasz", "Hopper", "Kim"]


def people(seed):
    rng = random.Random(seed)
    found = []
    for n in range(N):
        first = f"{rng.choice(FIRST)} {'ABCDEFGHIJ'[n % 10]}{'abcdefghij'[n // 10 % 10]}"
        last = f"{rng.choice(LAST)}{'xyz'[n // 100]}"
        found.append({"first": first, "last": last, "login": f"s{n:03}", "user": 7000 + n})
    rng.shuffle(found)
    return found


def run(home, *args, code=0):
    result = CliRunner().invoke(cli.app, [*map(str, args), "--root", str(home)])
    assert result.exit_code == code, result.output
    return result.output


def handed_in(students):
    """Nine of ten hand in, a tenth of them late and a tenth of them twice."""
    rng = random.Random(1)
    for n, one in enumerate(students):
        if n % 10:
            yield one, n % 10 == 1, n % 10 == 2, rng.randrange(10**6)


def grade(home, students):
    """Login -> points, None where an answer still waits for a person."""
    rng, points = random.Random(2), {}
    with Gradebook(database(home)) as gradebook:
        for login in students:
            submission = gradebook.add_submission("tiny", login)
            for mark in submission.notebooks[0].grades:
                mark.auto_score = rng.randint(0, 3) if mark.cell_type == "code" else None
                waits = mark.cell_type != "code" and rng.random() < 0.2
                mark.needs_manual_grade = waits
                if mark.cell_type != "code" and not waits:
                    mark.manual_score = rng.randint(0, 8) / 2
            marks = submission.notebooks[0].grades
            done = not any(mark.needs_manual_grade for mark in marks)
            scores = [(mark.auto_score or 0) + (mark.manual_score or 0) for mark in marks]
            points[login] = sum(scores) if done else None
            for folder in ("autograded", "feedback"):
                place = home / folder / login / "tiny"
                place.mkdir(parents=True)
                (place / "tiny.ipynb").write_text('{"cells": []}')
                (place / "tiny.html").write_text(f"for {login}")
        gradebook.db.commit()
    return points


def collected(home):
    return {p.parents[1].name: p.read_text() for p in home.glob("submitted/*/tiny/tiny.ipynb")}


def unpacked(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return float(text) if text else None


def take_in(home, tmp_path, table, files):
    roster, packed = tmp_path / "export.csv", tmp_path / "submissions.zip"
    with roster.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(table)
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert f"{N} new" in run(home, "roster", roster)
    run(home, "roster", roster, "--write")
    run(home, "collect", "tiny", packed)
    assert collected(home) == {}  # nothing before it is told so
    run(home, "collect", "tiny", packed, "--write")
    assert "0 of them new" in run(home, "collect", "tiny", packed, "--write")


def test_canvas(home, tmp_path):
    students = people(3)
    table = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Tiny (4711)"]]
    table.append(["    Points Possible", "", "", "", "", "7"])
    table += [[f"{s['last']}, {s['first']}", s["user"], "", s["login"], "A", ""] for s in students]
    files, right, sent = {}, {}, {}
    for one, late, twice, upload in handed_in(students):
        for again in range(1 + twice):
            file = "tiny-1.ipynb" if again else "tiny.ipynb"
            sortable = f"{one['last']}, {one['first']}"
            name = canvas_name(sortable, late, one["user"], upload + again, file)
            files[name] = right[one["login"]] = f"{one['login']} {again}"
            sent[one["user"], upload + again] = one["login"]
    take_in(home, tmp_path, table, files)
    assert collected(home) == right
    points = grade(home, right)

    run(home, "export", "tiny", "--canvas", "--column", "Tiny (4711)")
    back = rows(home / "build" / "reports" / "tiny-canvas.csv")
    assert list(back[0])[1] == "ID" and list(back[0])[4:] == ["Section", "Tiny (4711)"]
    assert back[0]["Student"].strip() == "Points Possible" and back[0]["Tiny (4711)"] == "7"
    login = {str(one["user"]): one["login"] for one in students}
    assert {login[r["ID"]]: number(r["Tiny (4711)"]) for r in back[1:]} == {
        one["login"]: points.get(one["login"]) for one in students
    }
    names = {f"{s['last']}, {s['first']}" for s in students}
    assert {r["Student"] for r in back[1:]} == names

    run(home, "return", "tiny")
    pages = unpacked(home / "build" / "return" / "tiny-canvas.zip")
    assert len(pages) == len(right)
    for name, text in pages.items():
        user, upload = canvas_reads(name)
        assert text == f"for {sent[user, upload]}"


def test_moodle(home, tmp_path):
    students = people(4)
    table = [["First name", "Last name", "ID number", "Email address", "Assignment: Tiny (Real)"]]
    table += [[s["first"], s["last"], "", f"{s['login']}@x.org", "-"] for s in students]
    files, right = {}, {}
    for one, _, twice, _ in handed_in(students):
        folder = moodle_name(f"{one['first']} {one['last']}", one["user"])
        for again in range(1 + twice):
            file = "tiny (1).ipynb" if again else "tiny.ipynb"
            files[f"{folder}/{file}"] = right[f"{one['login']}@x.org"] = f"{one['login']} {again}"
    take_in(home, tmp_path, table, files)
    assert collected(home) == right
    points = grade(home, right)
    expected = {f"{s['login']}@x.org": points.get(f"{s['login']}@x.org") for s in students}

    run(home, "export", "tiny", "--moodle", "--column", "Assignment: Tiny (Real)")
    back = rows(home / "build" / "reports" / "tiny-moodle.csv")
    column = "Assignment: Tiny (Real)"
    assert {r["Email address"]: number(r[column]) for r in back} == expected

    worksheet = tmp_path / "worksheet.csv"
    header = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade"]
    header += ["Grade can be changed", "Last modified (submission)", "Last modified (grade)"]
    with worksheet.open("w", newline="", encoding="utf-8-sig") as file:
        sheet = csv.writer(file)
        sheet.writerow(header)
        for s in students:
            who = [f"Participant {s['user']}", f"{s['first']} {s['last']}", f"{s['login']}@x.org"]
            sheet.writerow([*who, "Submitted", "", "7.00", "Yes", "-", "-"])
    before = rows(worksheet)
    run(home, "export", "tiny", "--moodle", "--worksheet", worksheet)
    filled = rows(home / "build" / "reports" / "tiny-moodle.csv")
    assert {r["Email address"]: number(r["Grade"]) for r in filled} == expected
    for row in filled:
        row["Grade"] = ""
    assert [list(r.values()) for r in filled] == [list(r.values()) for r in before]

    run(home, "return", "tiny")
    pages = unpacked(home / "build" / "return" / "tiny-moodle.zip")
    assert len(pages) == len(right)
    login = {one["user"]: one["login"] for one in students}
    for name, text in pages.items():
        participant, *plugin = moodle_reads(name)
        assert text == f"for {login[participant]}@x.org"
        assert plugin == ["assignsubmission", "file"] and name.endswith("/tiny.html")
