"""Names are made here as Canvas and Moodle make them, and read back as they read them."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dlcourse.grading.names import copy_number, read_name, same_person

PERSON = st.text(
    st.characters(codec="utf-8", exclude_characters="/\x00", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=30,
)
NUMBER = st.integers(1, 10**15)
FILE = st.from_regex(r"[\w][\w .()+-]{0,20}\.ipynb", fullmatch=True)


def canvas_name(sortable, late, user, number, file):
    """As lib/content_zipper.rb makes it."""
    name = re.sub(r"_(\d+)_", r"\1", sortable).lower()
    start = "_".join([name, *(["LATE"] if late else []), str(user)])
    start = re.sub(r"\W", "", start)
    return f"{start}_{number}_" + re.sub(r'[\x00/\\:*?"<>|]+', "_", file)


def canvas_reads(name):
    """As infer_comment_context_from_filename finds user and file."""
    parts = [part for part in name.split("_") if part != "LATE"]
    return [int(part) for part in parts if re.fullmatch(r"[0-9]+", part)][:2]


def moodle_name(full_name, participant):
    """As mod/assign/classes/downloader.php makes the folder of Moodle 4.1."""
    name = re.sub(r"[\x00-\x1f\x7f-\x9f&<>\"`|':\\/]", "", full_name.replace("_", " "))
    return f"{name}_{participant}_assignsubmission_file"


def moodle_reads(path):
    """As mod/assign/feedback/file/importziplib.php finds the participant."""
    for part in path.split("/"):
        info = part.split("_", 4)
        if len(info) >= 4 and info[1].isdigit():
            return int(info[1]), info[2], info[3]


@given(PERSON, st.booleans(), NUMBER, NUMBER, FILE)
def test_canvas_names_are_read_and_answered_as_canvas_does(person, late, user, number, file):
    path = canvas_name(person, late, user, number, file)
    assume(canvas_reads(path) == [user, number])  # a name with digits of its own misleads it too
    name = read_name(path, set(), "ex")
    assume(not isinstance(name, str) or path.startswith("anon_"))
    if isinstance(name, str):
        return
    assert (name.kind, name.key, name.order) == ("canvas", str(user), number)
    assert canvas_reads(name.answer + "ex.html") == [user, number]


@given(
    st.text("abcdefghijklmnopqrstuvwxyzäöüßéчаé", min_size=1), st.booleans(), NUMBER, NUMBER, FILE
)
def test_of_ordinary_canvas_names_late_and_file_are_known(person, late, user, number, file):
    name = read_name(canvas_name(person, late, user, number, file), set(), "ex")
    assert (name.late, name.file, name.key) == (late, file, str(user))


@given(PERSON, st.integers(1, 10**9), st.booleans(), st.booleans(), FILE)
def test_moodle_names_are_read_and_answered_as_moodle_does(person, number, old, flat, file):
    folder = moodle_name(person, number)
    assume(folder[0] not in "_.~" and folder.partition("_")[0].strip())
    path = f"{folder}_{file}" if flat else f"{folder}{'_' if old else ''}/{file}"
    name = read_name(path, set(), "ex")
    assert (name.kind, name.participant, name.file) == ("moodle", str(number), file)
    assert same_person(name.key) == same_person(person)
    assert moodle_reads(name.answer + "ex.html") == (number, "assignsubmission", "file")


@given(st.text())
@example("")
@example(".")
def test_no_name_at_all_raises(path):
    read_name(path, {"ada"}, "ex")
    copy_number(path, "ex")


def test_the_exchanges_folders_are_read():
    path = "ada+b@x.org+ex+2026-02-28 10:11:12.345678 UTC+XYZ/ex.ipynb"
    name = read_name(path, set(), "ex")
    assert (name.kind, name.key, name.time) == (
        "exchange",
        "ada+b@x.org",
        "2026-02-28 10:11:12.345678 UTC",
    )
    assert "handed in for 'ex'" in read_name(path, set(), "other")


@pytest.mark.parametrize(
    "path, known, key",
    [
        ("ada/ex.ipynb", {"ada"}, "ada"),
        ("class/Ada/ex/ex.ipynb", {"ada"}, "ada"),
        ("ada/ex/ex.ipynb", set(), "ada"),
    ],
)
def test_folders_called_like_students_are_theirs(path, known, key):
    assert read_name(path, known, "ex").key == key


@pytest.mark.parametrize(
    "path, words",
    [
        ("anon_aB3x9_77_ex.ipynb", "grades anonymously"),
        ("Ada L_12_assignsubmission_onlinetext/onlinetext.html", "Moodle's own page"),
        ("zoe/ex.ipynb", "names no student"),
        ("ex.ipynb", "names no student"),
    ],
)
def test_a_name_that_says_nobody_is_refused_with_the_reason(path, words):
    assert words in read_name(path, {"ada"}, "ex")


@pytest.mark.parametrize(
    "file, number",
    [
        ("gpu-training.ipynb", ()),
        ("GPU_Training.IPYNB", ()),
        ("gpu-training (1).ipynb", (1,)),
        ("gpu-training(12).ipynb", (12,)),
        ("gpu-training-1.ipynb", (1,)),
        ("gpu-training (2)-1.ipynb", (2, 1)),
        ("gpu-training-Copy1.ipynb", (1,)),
        ("gpu-training copy.ipynb", (1,)),
        ("gpu-training copy 3.ipynb", (3,)),
        ("gpu-training - Copy.ipynb", (1,)),
        ("Copy of gpu-training.ipynb", ()),
        ("gpu-training2.ipynb", None),
        ("gpu-training.ipynb.txt", None),
        ("my gpu-training.ipynb", None),
        ("gpu-training", None),
        (".ipynb", None),
    ],
)
def test_copies_are_known_as_browsers_and_systems_name_them(file, number):
    assert copy_number(file, "gpu-training") == number
