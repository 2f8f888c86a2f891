"""What was graded, from which bytes, and with which outcome: one line of JSON a submission.

Lines are only ever added, each is on the disk before the next submission is saved, and one that was
cut off by a crash doesn't count. The journal is what ``--resume`` goes by, and what an instructor
shows when a student asks how a grade came about.
"""

import getpass
import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook

from dlcourse.grading.submissions import BYTES, FILES

GRADED, FAILED = "graded", "failed"


@dataclass(frozen=True)
class Source:
    """The bytes that a grade was made from: hashes. Another one in any of them is another grade."""

    submission: str
    sheet: str
    seed: str
    code: str
    isolation: str


@dataclass
class Entry:
    """One submission that came to an end."""

    student: str
    source: Source
    outcome: str  # graded, failed
    why: str = ""  # no (new) grade, or the cells that weren't run
    scores: dict[str, float | None] = field(default_factory=dict)
    copy: str = ""  # hash of the graded notebook
    isolation: str = ""  # the level under which it was in fact run
    flags: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    when: str = ""
    who: str = ""


class Journal:
    """``<home>/journal/<slug>.jsonl``, to be written by one process at a time."""

    def __init__(self, slug: str, home: Path):
        self.path = home / "journal" / f"{slug}.jsonl"

    def add(self, entry: Entry) -> None:
        """Append a line; when this returns it is on the disk."""
        entry.when = datetime.now(UTC).isoformat(timespec="seconds")
        entry.who = _user()
        line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
        new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if (size := os.fstat(handle).st_size) and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line  # the last run was killed in the middle of its line
            while line:
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if new:
            _sync_folder(self.path.parent)

    def entries(self) -> list[Entry]:
        """All lines that are whole, the oldest first."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_bytes().split(b"\n"):
            try:
                data = json.loads(line)
                found.append(Entry(**data | {"source": Source(**data["source"])}))
            except (ValueError, TypeError, KeyError):
                continue  # cut off by a crash, or empty
        return found

    def last(self) -> dict[str, Entry]:
        """Each student's newest line."""
        return {entry.student: entry for entry in self.entries()}


def is_done(entry: Entry | None, source: Source, recorded: dict[str, Any], copy: Path) -> bool:
    """Whether a journal's line still holds: same bytes, and gradebook and copy are as it says.

    ``recorded`` are the automatic scores in the gradebook, ``copy`` the graded notebook.
    """
    return (
        entry is not None
        and entry.outcome == GRADED
        and entry.source == source
        and entry.scores == recorded
        and copy.exists()
        and hashlib.sha256(copy.read_bytes()).hexdigest() == entry.copy
    )


def recorded(gradebook: Gradebook, slug: str) -> dict[str, dict[str, float | None]]:
    """Student -> graded cell -> automatic score, as the gradebook has them."""
    return {
        submission.student.id: {
            grade.name: grade.auto_score
            for notebook in submission.notebooks
            for grade in notebook.grades
        }
        for submission in gradebook.assignment_submissions(slug)
    }


def of_sheet(gradebook: Gradebook, slug: str) -> str:
    """A hash of the released sheet: its cells' text and points."""
    found = hashlib.sha256()
    for notebook in gradebook.find_assignment(slug).notebooks:
        points = {cell.name: cell.max_score for cell in notebook.grade_cells}
        for cell in notebook.source_cells:
            said = (notebook.name, cell.name, cell.source, cell.locked, points.get(cell.name))
            found.update(json.dumps(said).encode())
    return found.hexdigest()[:16]


def of_submission(folder: Path) -> str:
    """A hash of all ordinary files in a submission: their names and bytes, or what stands for them.

    Of those that no grade is made from, being too many or too large, the size and time of change.
    """
    found = hashlib.sha256()
    bytes_left, files_left = BYTES, 2 * FILES
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            continue
        found.update(path.relative_to(folder).as_posix().encode("utf8", "surrogateescape"))
        if about.st_size > bytes_left or not files_left:
            found.update(f"{about.st_size} {about.st_mtime_ns}".encode())
            continue
        bytes_left, files_left = bytes_left - about.st_size, files_left - 1
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:16]


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        return str(os.getuid())
