import os
import stat
import zipfile

import pytest

from dlcourse.grading.archive import listing
from dlcourse.grading.errors import CourseError

LIMIT = 1 << 20


def info(name, mode=0, **told):
    out = zipfile.ZipInfo(name)
    out.external_attr = mode << 16
    for key, value in told.items():
        setattr(out, key, value)
    return out


def packed(tmp_path, *files):
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def test_files_are_listed_and_read_where_they_are(tmp_path):
    path = packed(tmp_path, ("a/x.ipynb", b"one"), ("b.ipynb", b"two"), ("a/", b""))
    found = listing(path, LIMIT)
    assert {e.path: e.read() for e in found.entries} == {"a/x.ipynb": b"one", "b.ipynb": b"two"}
    assert os.listdir(tmp_path) == ["class.zip"]  # nothing is unpacked


@pytest.mark.parametrize(
    "name",
    ["/etc/x.ipynb", "../x.ipynb", "a/../../x.ipynb", "C:/x.ipynb", "..\\x.ipynb", "\\\\host\\x"],
)
def test_a_path_that_leads_out_is_refused(tmp_path, name):
    raw = info("placeholder")
    raw.filename = raw.orig_filename = name
    found = listing(packed(tmp_path, (raw, b"x")), LIMIT)
    assert found.entries == [] and "leads out of the zip" in "".join(found.refused.values())


@pytest.mark.parametrize("name", ["a\nb.ipynb", "a\x1b[2Jb.ipynb", "x" * 300 + ".ipynb"])
def test_a_name_that_harms_a_terminal_or_a_disk_is_refused_and_shown_harmlessly(tmp_path, name):
    found = listing(packed(tmp_path, (name, b"x")), LIMIT)
    assert found.entries == [] and all(shown.isprintable() for shown in found.refused)


def test_links_encrypted_and_large_files_and_bombs_are_refused(tmp_path):
    path = packed(
        tmp_path,
        (info("link.ipynb", stat.S_IFLNK | 0o777), b"/etc/passwd"),
        ("large.ipynb", os.urandom(LIMIT + 1)),
        ("bomb.ipynb", b"0" * LIMIT),
        ("good.ipynb", b"{}"),
    )
    found = listing(path, LIMIT)
    assert [e.path for e in found.entries] == ["good.ipynb"]
    assert found.refused["link.ipynb"] == "it is a link."
    assert "--max-mb" in found.refused["large.ipynb"]
    assert "zip bomb" in found.refused["bomb.ipynb"]


def test_an_encrypted_file_is_refused(tmp_path):
    path = packed(tmp_path, ("a.ipynb", b"x"))
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    path.write_bytes(data)
    assert listing(path, LIMIT).refused == {"a.ipynb": "it is encrypted."}


def test_a_size_that_lies_or_a_broken_file_is_an_error_when_read_not_a_crash(tmp_path):
    path = packed(tmp_path, ("a.ipynb", b"x" * 5000))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24  # the size that the directory gives
    data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    (entry,) = listing(path, LIMIT).entries
    with pytest.raises(OSError, match="damaged in the zip"):
        entry.read()


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + b"\x00" * 100])
def test_what_is_no_zip_is_said_so(tmp_path, data):
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(CourseError, match="neither a folder nor a zip|damaged"):
        listing(path, LIMIT)
    with pytest.raises(CourseError, match="no file or folder"):
        listing(tmp_path / "nowhere", LIMIT)


def test_a_cut_off_zip_is_said_so(tmp_path):
    path = packed(tmp_path, *((f"{n}.ipynb", os.urandom(100)) for n in range(9)))
    path.write_bytes(path.read_bytes()[40:])  # its end is there, its beginning isn't
    first, *rest = listing(path, LIMIT).entries
    with pytest.raises(OSError, match="damaged in the zip"):
        first.read()
    assert all(len(entry.read()) == 100 for entry in rest)


def test_two_files_of_one_name_are_both_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = packed(tmp_path, ("a.ipynb", b"1"), ("a.ipynb", b"2"), ("A.ipynb", b"3"))
    found = listing(path, LIMIT)
    assert found.entries == [] and set(found.refused) == {"a.ipynb", "A.ipynb"}


def test_names_without_the_flag_of_utf_8_are_read_as_such(tmp_path):
    path = packed(tmp_path, ("J_rg.ipynb".replace("_", "XX"), b"x"))
    data = path.read_bytes().replace(b"JXXrg", "Jörg".encode())
    path.write_bytes(data)
    assert [e.path for e in listing(path, LIMIT).entries] == ["Jörg.ipynb"]


def test_what_systems_leave_in_zips_is_passed_over(tmp_path):
    noise = ["__MACOSX/._a.ipynb", ".DS_Store", "a/.ipynb_checkpoints/a-checkpoint.ipynb", "._b"]
    assert listing(packed(tmp_path, *((n, b"x") for n in noise)), LIMIT).refused == {}


def test_a_folder_is_read_without_following_links(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "x.ipynb").write_text("secret")
    top = tmp_path / "class"
    (top / "ada").mkdir(parents=True)
    (top / "ada" / "ex.ipynb").write_text("mine")
    (top / "bob").symlink_to(secret)
    (top / "ada" / "link.ipynb").symlink_to(secret / "x.ipynb")
    os.mkfifo(top / "pipe.ipynb")
    (top / "large.ipynb").write_bytes(bytes(LIMIT + 1))
    (top / os.fsdecode(b"\xff.ipynb")).write_text("x")
    found = listing(top, LIMIT)
    assert [e.path for e in found.entries] == ["ada/ex.ipynb"]
    assert sorted(found.refused.values())[:3] == [
        "it has 1 MB, more than the 1 MB allowed (--max-mb).",
        "it is a link.",
        "it is a link.",
    ]
    assert len(found.refused) == 5  # pipe and odd name too
