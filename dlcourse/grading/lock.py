"""One grader at a time on a course: a lock that says who holds it, and dies with its process.

Two kinds together, because a class's folder may be on one machine and its gradebook on another: the
system's own lock on a file in the folder, and on PostgreSQL an advisory lock of the database. Both
end when the process does, however it ends; nothing stale is left to remove by hand.
"""

import contextlib
import fcntl
import getpass
import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dlcourse.grading.errors import CourseError, needs

with needs("grading"):
    from sqlalchemy import create_engine, text

LOCK_FILE = ".dlcourse-lock"
KEY = zlib.crc32(b"dlcourse grading")  # of the advisory lock: one a database, as nbgrader's course
HOLDER = text(
    "select application_name from pg_stat_activity join pg_locks using (pid) "
    "where locktype = 'advisory' and objid = :key and granted and datname = current_database()"
)


@contextmanager
def locked(home: Path, url: str) -> Iterator[None]:
    """Hold the course inside the block; CourseError with the holder's name where another does."""
    me = holder()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_folder(home, me))
        if url.startswith("postgresql"):
            stack.enter_context(_database(url, me))
        yield


def holder() -> str:
    """This process, as another one's message calls it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user} on {socket.gethostname()}, since {datetime.now():%d %b %H:%M}"


@contextmanager
def _folder(home: Path, me: str) -> Iterator[None]:
    path = home / LOCK_FILE
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise taken(file.read().strip()) from None
        file.truncate(0)
        file.write(f"{me} (process {os.getpid()})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def _database(url: str, me: str) -> Iterator[None]:
    engine = create_engine(url, connect_args={"application_name": me[:63]})
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            take = text("select pg_try_advisory_lock(:key)")
            if not connection.execute(take, {"key": KEY}).scalar():
                raise taken(connection.execute(HOLDER, {"key": KEY}).scalar())
            yield
    finally:
        engine.dispose()


def taken(by: str | None) -> CourseError:
    return CourseError(
        f"This course is being graded already: {by or 'somebody'}. Wait for the end of that run, "
        "or stop it with Ctrl-C: what it has done is kept."
    )
