"""Every broken file ends in a notebook or in a reason; the file itself stays as it was."""

import copy
import json
import os

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.grading.course import database
from dlcourse.grading.intake import take
from dlcourse.grading.restore import sheet_cells


@pytest.fixture(scope="module")
def tiny_sheet(tiny_released):
    """The released tiny sheet, solved, and what the gradebook knows of its cells."""
    notebook = nbformat.read(tiny_released / "exercises" / "tiny" / "tiny.ipynb", 4)
    by_id(notebook)["twice"].source = "def twice(x):\n    return 2 * x"
    by_id(notebook)["reason"].source = "Because."
    return notebook, sheet_cells(database(tiny_released), "tiny", "tiny")


def by_id(notebook):
    return {cell.id: cell for cell in notebook.cells}


def told(notebook):
    return [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]


@pytest.fixture
def hand_in(tiny_sheet, tmp_path):
    """Hands in bytes, or the solved sheet after a change; returns what intake made of it."""
    notebook, sheet = tiny_sheet

    def hand_in(change, name="tiny.ipynb", in_order=True, **options):
        if callable(change):
            changed = copy.deepcopy(notebook)
            change = json.dumps(change(changed) or changed)
        data = change.encode() if isinstance(change, str) else change
        path = tmp_path / name
        path.write_bytes(data)
        out = take(tmp_path, "tiny", sheet, **options)
        assert path.read_bytes() == data  # the student's own file is never changed
        assert (out.notebook is None) == (out.reason is not None)
        if out.notebook is not None:
            nbformat.validate(out.notebook)
            names = [cell.name for cell in sheet]
            assert told(out.notebook) == names or not in_order
            assert sorted(told(out.notebook)) == sorted(names)
            kept = {c.metadata.nbgrader.grade_id: c for c in out.notebook.cells if c.metadata}
            for cell in sheet:
                assert kept[cell.name].metadata.nbgrader == cell.told
                assert kept[cell.name].cell_type == cell.cell_type
                assert not cell.locked or kept[cell.name].source == cell.source
        return out

    return hand_in


def sources(out):
    return {c.metadata.nbgrader.grade_id: c.source for c in out.notebook.cells if c.metadata}


def solved(out):
    return "return 2 * x" in sources(out)["twice"] and sources(out)["reason"] == "Because."


def unchanged(notebook):
    pass


def test_a_sound_notebook_needs_no_repair(hand_in):
    out = hand_in(unchanged)
    assert solved(out) and out.notes == []


# What can't be mended ------------------------------------------------------------


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        ("\ufeff ".encode(), "can't be read as JSON"),
        (b"\x00" * 9, "can't be read as JSON"),
        (b"{ broken", "can't be read as JSON"),
        (b"[" * 100_000, "can't be read as JSON"),
        (b'{"cells": ' + b"[" * 900 + b"]" * 900 + b"}", "no list of cells"),
        (b"null", "no list of cells"),
        (b"[1, 2]", "no list of cells"),
        (b'"text"', "no list of cells"),
        (b"{}", "no list of cells"),
        (b'{"cells": null}', "no list of cells"),
        (b'{"cells": [1]}', "no list of cells"),
        (b'{"nbformat": 9, "worksheets": []}', "no list of cells"),
        (b'{"nbformat": 3, "worksheets": 7}', "can't be converted"),
        (b'{"nbformat": 4, "cells": []}', "none of the cells"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "can't be read as JSON"),
        (b"\xff\xfe{", "tiny.ipynb is not a notebook"),
    ],
)
def test_what_is_no_notebook_is_refused_in_plain_words(hand_in, data, words):
    assert words in hand_in(data).reason


def test_another_sheet_is_recognised_as_such(hand_in):
    def other(notebook):
        notebook.cells = [nbformat.v4.new_code_cell("print(1)")]

    assert "Is it another notebook?" in hand_in(other).reason


def test_a_file_too_large_is_refused_and_the_limit_can_be_changed(hand_in):
    big = lambda notebook: notebook.metadata.update(padding="x" * 200_000)  # noqa: E731
    out = hand_in(big, max_bytes=100_000)
    assert "allow more with --max-mb" in out.reason
    assert solved(hand_in(big))


def test_a_giant_is_refused_unopened(tiny_sheet, tmp_path):
    with (tmp_path / "tiny.ipynb").open("wb") as file:
        file.truncate(100 << 30)  # sparse: it takes no room
    assert "107374 MB" in take(tmp_path, "tiny", tiny_sheet[1]).reason


def test_a_link_or_a_pipe_is_never_opened(tiny_sheet, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(tiny_sheet[0]))
    path = tmp_path / "tiny.ipynb"
    path.symlink_to(secret)
    assert "is a link" in take(tmp_path, "tiny").reason
    path.unlink()
    path.symlink_to("nowhere")
    assert "is a link" in take(tmp_path, "tiny").reason
    path.unlink()
    os.mkfifo(path)
    assert "no ordinary file" in take(tmp_path, "tiny").reason
    path.unlink()
    path.mkdir()
    assert "no ordinary file" in take(tmp_path, "tiny").reason


def test_a_missing_file_is_said_with_what_is_there(tmp_path):
    (tmp_path / "other.ipynb").write_text("{}")
    assert "Found: other.ipynb" in take(tmp_path, "tiny").reason
    assert "no file tiny.ipynb" in take(tmp_path / "nowhere", "tiny").reason


# What is repaired ----------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_other_encodings_are_read(hand_in, encoding):
    def umlaut(notebook):
        by_id(notebook)["twice"].source += "  # größer"

    text = json.dumps(umlaut_of(hand_in, umlaut), ensure_ascii=False)
    text = text.replace("★", "*").replace("☆", "-")  # not in every code page
    out = hand_in(text.encode(encoding))
    assert solved(out) and "größer" in sources(out)["twice"]
    assert bool(out.notes) == (encoding != "utf-8-sig")


def umlaut_of(hand_in, change):
    made = {}
    hand_in(lambda notebook: (change(notebook), made.update(notebook))[0])
    return made


def test_a_lone_surrogate_is_replaced_and_a_pair_stays(hand_in):
    def surrogate(notebook):
        by_id(notebook)["twice"].source += "\n# \ud83d and \U0001f600"

    out = hand_in(surrogate)
    assert "\N{REPLACEMENT CHARACTER} and \U0001f600" in sources(out)["twice"]
    assert "lone surrogates" in out.notes[0]


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5, 7])
def test_every_minor_version_is_read(hand_in, minor):
    def older(notebook):
        notebook.nbformat_minor = minor
        if minor < 5:
            for cell in notebook.cells:
                del cell["id"]

    out = hand_in(older)
    assert solved(out) and out.notes == []


def test_version_3_is_converted(hand_in):
    def old(notebook):
        notebook.nbformat_minor = 4
        for cell in notebook.cells:
            del cell["id"]
        return nbformat.convert(notebook, 3)

    out = hand_in(old)
    assert solved(out) and "old notebook (nbformat 3)" in out.notes[0]


@pytest.mark.parametrize("version", [9, "4", None, 3.5, [1]])
def test_an_unknown_version_that_looks_like_4_is_read_as_4(hand_in, version):
    out = hand_in(lambda notebook: notebook.update(nbformat=version))
    assert solved(out) and "read as 4" in out.notes[0]


@pytest.mark.parametrize("name", ["ir", "conda-env-torch", "", None, 7])
def test_a_wrong_kernel_is_put_right(hand_in, name):
    out = hand_in(lambda notebook: notebook.metadata.kernelspec.update(name=name))
    assert out.notebook.metadata.kernelspec.name == "python3" and "kernel" in out.notes[0]


def test_metadata_of_the_wrong_type_do_no_harm(hand_in):
    def odd(notebook):
        notebook.metadata = [1]
        for cell, junk in zip(notebook.cells, [None, 7, "x", [], {}, {"tags": 3}] * 3):  # noqa: B905
            if "nbgrader" not in cell.metadata:
                cell.metadata = junk
        notebook.cells.append({"cell_type": ["list"], "source": [1, "two"], "id": {}})
        notebook.cells.append({})

    assert solved(hand_in(odd))


def test_pictures_that_are_attached_to_an_answer_stay_and_nothing_else_does(hand_in):
    def attach(notebook):
        answer = next(c for c in notebook.cells if c.source == "Because.")
        answer["attachments"] = {
            "page.jpg": {"image/jpeg": "QUJD\n"},
            "page.svg": {"image/svg+xml": "<svg onload='alert(1)'/>"},
            "page.html": {"text/html": "PHA+"},
            "odd.png": {"image/png": "'><script>"},
            "list.png": ["QUJD"],
        }

    out = hand_in(attach)
    attached = [c.attachments for c in out.notebook.cells if "attachments" in c]
    assert attached == [{"page.jpg": {"image/jpeg": "QUJD\n"}}]


def test_tags_that_keep_a_check_from_running_are_dropped(hand_in):
    def skip(notebook):
        by_id(notebook)["twice_check"].metadata.tags = ["skip-execution"]

    assert "tags" not in str(hand_in(skip).notebook)


def test_ids_that_are_twice_or_none_are_made_anew_and_always_the_same(hand_in):
    def clash(notebook):
        for cell in notebook.cells[-3:]:
            cell.id = "setup"
        notebook.cells[0].id = "not an id!"

    first, second = hand_in(clash), hand_in(clash)
    assert solved(first) and "3 cells had an id that another one has" in first.notes[0]
    assert [c.id for c in first.notebook.cells] == [c.id for c in second.notebook.cells]


# Cells of the sheet --------------------------------------------------------------


def test_a_deleted_check_is_put_back_after_its_solution(hand_in):
    def delete(notebook):
        notebook.cells = [c for c in notebook.cells if c.id not in ("twice_check", "setup")]

    out = hand_in(delete)
    assert solved(out) and "'twice_check' had been deleted: put back." in out.notes


def test_an_edited_check_says_again_what_the_sheet_says(hand_in):
    def edit(notebook):
        by_id(notebook)["twice_check"].source = "3.0"

    assert "'twice_check' had been edited: the sheet's text again." in hand_in(edit).notes


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_a_check_or_a_solution_made_text_is_code_again(hand_in, kind):
    def make_text(notebook):
        for name in ("twice_check", "twice"):
            cell = by_id(notebook)[name]
            cell.cell_type = kind
            del cell["outputs"], cell["execution_count"]

    out = hand_in(make_text)
    assert solved(out) and f"'twice' had become {kind}: code again." in out.notes


def test_changed_points_are_the_sheets_again(hand_in):
    def generous(notebook):
        by_id(notebook)["twice_check"].metadata.nbgrader.update(points=99, locked=False)

    out = hand_in(generous)
    assert out.notes == ["'twice_check': points and locked had been changed: as in the sheet."]


@pytest.mark.parametrize("place", [0, 1, 99])
def test_a_moved_check_follows_its_solution_again(hand_in, place):
    def move(notebook):
        check = by_id(notebook)["twice_check"]
        notebook.cells.remove(check)
        notebook.cells.insert(place, check)

    out = hand_in(move)
    assert "'twice_check' had been moved: it follows 'twice' again." in out.notes


def test_a_solution_that_was_moved_stays_and_its_check_follows(hand_in):
    def move(notebook):
        solution = by_id(notebook)["twice"]
        notebook.cells.remove(solution)
        notebook.cells.append(solution)

    order = told(hand_in(move, in_order=False).notebook)
    assert order[-2:] == ["twice", "twice_check"]


def test_a_copied_check_goes_and_a_copied_solution_stays_as_an_ordinary_cell(hand_in):
    def copied(notebook):
        for name in ("twice", "twice_check", "reason"):
            twin = copy.deepcopy(by_id(notebook)[name])
            twin.id += "-2"
            if name == "twice":
                twin.source = "def twice(x):\n    return x  # tried first"
            notebook.cells.append(twin)

    out = hand_in(copied)
    assert solved(out)
    assert "'twice' was there 2 times: one is kept." in out.notes
    assert sum("tried first" in c.source for c in out.notebook.cells) == 1
    assert sum(c.source.startswith("check(") for c in out.notebook.cells) == 1


def test_the_written_one_of_two_copies_is_kept(hand_in, tiny_sheet):
    def twin(notebook):
        cell = copy.deepcopy(by_id(notebook)["reason"])
        cell.id, cell.source = "other", "*Your answer here.*"
        notebook.cells.append(cell)

    assert solved(hand_in(twin))


def test_without_any_metadata_cells_are_known_by_their_ids(hand_in):
    def strip(notebook):
        for cell in notebook.cells:
            cell.metadata = {}

    assert solved(hand_in(strip))


def test_without_metadata_and_ids_cells_are_known_by_what_stands_in_them(hand_in):
    def strip(notebook):
        for n, cell in enumerate(notebook.cells):
            cell.metadata, cell.id = {}, f"c{n}"

    out = hand_in(strip)
    assert solved(out) and "known by what stands in them" in out.notes[0]


def test_a_cell_of_another_sheet_brings_no_points(hand_in):
    def smuggle(notebook):
        cell = copy.deepcopy(by_id(notebook)["twice_check"])
        cell.id = cell.metadata.nbgrader.grade_id = "bonus_check"
        cell.metadata.nbgrader.points = 1000
        notebook.cells.append(cell)

    out = hand_in(smuggle)
    assert "not of this sheet, so not graded: bonus_check." in out.notes


@pytest.mark.parametrize("junk", [None, 7, "x", [], {"grade_id": ["twice"]}, {"grade_id": 3}, {}])
def test_nbgraders_metadata_of_the_wrong_type_do_no_harm(hand_in, junk):
    def odd(notebook):
        by_id(notebook)["twice"].metadata.nbgrader = junk
        notebook.cells[0].metadata.nbgrader = junk

    assert solved(hand_in(odd))


def test_a_browsers_copy_is_taken_where_there_is_no_other(hand_in, tmp_path):
    out = hand_in(unchanged, name="tiny (1).ipynb")
    assert solved(out) and out.notes == ["the file is called 'tiny (1).ipynb'."]
    out = hand_in(lambda nb: nb.cells.clear(), name="tiny (2).ipynb")
    assert "tiny (2).ipynb" in out.reason  # the newest one counts


# Anything at all -----------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "heading"]) | JSON,
        "source": st.text() | st.lists(st.text()) | JSON,
        "metadata": JSON | st.fixed_dictionaries({"nbgrader": JSON}),
        "id": st.text() | JSON,
        "outputs": JSON,
    },
)
NOTEBOOK = st.fixed_dictionaries(
    {"cells": st.lists(CELL, max_size=5)},
    optional={"nbformat": st.integers(1, 9) | JSON, "metadata": JSON, "worksheets": JSON},
)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | NOTEBOOK.map(lambda nb: json.dumps(nb).encode()))
def test_whatever_is_handed_in_nothing_is_raised(tiny_sheet, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    (folder / "tiny.ipynb").write_bytes(data)
    out = take(folder, "tiny", tiny_sheet[1])
    assert (out.notebook is None) != (out.reason is None)
    assert "can't be made a notebook" not in (out.reason or "")  # each fault has its own words
    if out.notebook is not None:
        nbformat.validate(out.notebook)
