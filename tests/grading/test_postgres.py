"""A gradebook on a real PostgreSQL, which the tests start for themselves."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import small

from dlcourse.grading import gradebooks
from dlcourse.grading.backends import InProcess, Local
from dlcourse.grading.course import CHOSEN, database
from dlcourse.grading.errors import CourseError
from dlcourse.grading.grade import grade
from dlcourse.grading.lock import locked
from dlcourse.grading.scores import read

psycopg = pytest.importorskip("psycopg", reason='pip install -e ".[postgres]"')
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))  # Debian's place


@pytest.fixture(scope="session")
def server():
    """``server(name)`` makes a database and returns its URL."""
    program = shutil.which("postgres") or next(map(str, reversed(SERVERS)), None)
    if program is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres"))
    who = {}
    if os.getuid() == 0:  # it refuses to run as root
        name = next((u for u in ("postgres", "nobody") if _known(u)), None)
        who = {"user": name, "extra_groups": []}
        shutil.chown(folder, name)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder, **who}
    make = Path(program).resolve().with_name("initdb")
    data = folder / "data"
    subprocess.run(
        [make, "-D", data, "-U", "grader", "-A", "trust", "--no-sync"], check=True, **quiet
    )
    # by a socket in its own folder: no port that could be taken
    options = ["-k", str(folder), "-h", "", "-c", "fsync=off"]
    process = subprocess.Popen([program, "-D", data, *options], **quiet)
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(host=str(folder), user="grader", dbname="postgres").close()
            break
        except psycopg.OperationalError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)

    def new(name):
        with psycopg.connect(
            host=str(folder), user="grader", dbname="postgres", autocommit=True
        ) as c:
            c.execute(f'create database "{name}"')
        return f"postgresql://grader:unused@/{name}?host={folder}"

    yield new
    process.send_signal(signal.SIGINT)  # at once; else it waits for those who are connected
    process.communicate(timeout=30)
    shutil.rmtree(folder)


def _known(user):
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


@pytest.fixture
def chosen():
    """``chosen(url)``: what --db does."""
    tokens = []
    yield lambda url: tokens.append(CHOSEN.set(url))
    for token in reversed(tokens):
        CHOSEN.reset(token)


def test_the_class_is_graded_into_postgresql_and_no_file_is_made(server, chosen, tmp_path):
    chosen(server("small"))
    home = small.make(tmp_path / "class", 4)
    assert grade("small", home, backend=InProcess(small.stand_in)).ok
    first = small.contents(home)
    assert len(first[0]) == 4 and not (home / "gradebook.db").exists()
    assert len(grade("small", home, resume=True).skipped) == 4
    assert [row.automatic for row in read("small", home)] == [0, 3, 2, 5]


def test_the_courses_own_configuration_names_the_database(server, tmp_path):
    url = server("configured")
    (tmp_path / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.db_url = {url!r}\n"
    )
    assert database(tmp_path) == url.replace("postgresql:", "postgresql+psycopg:")
    small.make(tmp_path, 2)
    assert grade("small", tmp_path, backend=InProcess(small.stand_in)).ok
    assert not (tmp_path / "gradebook.db").exists()


def test_two_graders_with_folders_of_their_own_are_told_of_each_other(server, tmp_path):
    url = server("two").replace("postgresql:", "postgresql+psycopg:")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with locked(tmp_path / "one", url):
        with pytest.raises(CourseError, match=r"graded already: .* on .*, since "):
            with locked(tmp_path / "two", url):
                pass
    with locked(tmp_path / "two", url):
        pass


def test_one_who_reads_and_marks_beside_a_grader_loses_nothing(server, chosen, tmp_path):
    """As formgrader does: points by hand, while the class is being graded again."""
    chosen(server("beside"))
    home = small.make(tmp_path / "class", 6)
    grade("small", home, backend=InProcess(small.stand_in))
    before, wrong, stop = small.contents(home)[0], [], threading.Event()

    def mark():
        for k in range(1000):
            if stop.is_set():
                return
            try:
                with gradebooks.Gradebook(database(home)) as gradebook:
                    mark = gradebook.find_grade("why", "small", "small", f"s0{k % 6}")
                    mark.manual_score = 1 + k % 3
                    gradebook.db.commit()
                    gradebook.submission_dicts("small")
            except Exception as error:
                wrong.append(error)

    token = CHOSEN.get()
    thread = threading.Thread(target=lambda: (CHOSEN.set(token), mark()))
    thread.start()
    try:
        assert grade("small", home, backend=InProcess(small.stand_in)).ok
    finally:
        stop.set()
        thread.join()
    after = small.contents(home)[0]
    assert not wrong and after.keys() == before.keys()
    for student, rows in after.items():
        automatic = [(name, auto) for name, auto, *_ in rows["grades"]]
        assert automatic == [(name, auto) for name, auto, *_ in before[student]["grades"]]
    assert any(rows["grades"][-1][2] for rows in after.values())


def test_the_same_class_gets_the_same_grades_everywhere(server, chosen, tmp_path, request):
    """Here, on four workers, on Dask, and into PostgreSQL."""
    home = small.make(tmp_path / "one", 8)
    four, dask = (small.duplicate(home, tmp_path / name) for name in ("four", "dask"))
    grade("small", home, backend=InProcess(small.stand_in))
    with closing(Local(4, small.stand_in)) as workers:
        grade("small", four, backend=workers)
    pytest.importorskip("distributed")
    from dlcourse.grading.cluster import Cluster

    address = request.getfixturevalue("cluster")
    grade("small", dask, backend=Cluster(address, small.stand_in))
    here = small.contents(home)
    assert small.contents(four) == here and small.contents(dask) == here
    chosen(server("everywhere"))
    other = small.make(tmp_path / "postgres", 8)
    grade("small", other, backend=InProcess(small.stand_in))
    assert small.contents(other) == here


@pytest.mark.parametrize(
    "url, words",
    [
        ("postgresql://ada:secret@127.0.0.1:1/x", r"Can't open the gradebook .*ada:\*\*\*@127"),
        ("nonsense", "is no database that is known here"),
        ("martian://ada:secret@x/y", "is no database that is known here"),
    ],
)
def test_a_database_that_cannot_be_opened_is_said_without_its_password(
    chosen, tmp_path, url, words
):
    chosen(url)
    with pytest.raises(CourseError, match=words) as said:
        grade("small", tmp_path)
    assert "secret" not in str(said.value)
