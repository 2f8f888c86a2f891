"""What was handed in: whose it is, what lies beside it, and what is noted about it."""

import os
import shutil
import stat
from pathlib import Path

from dlcourse.grading.course import did_you_mean
from dlcourse.grading.errors import CourseError, needs

with needs("grading"):
    from nbgrader.utils import parse_utc

FILES, BYTES = 500, 256 << 20  # beside a notebook: more is neither hashed nor copied
TIME = "timestamp.txt"


def chosen(slug: str, home: Path, student: str | None) -> list[str]:
    """All who submitted, or the one who is named."""
    students = submitted(slug, home)
    if student is None:
        return students
    if student not in students:
        raise CourseError(
            f"'{student}' has submitted nothing for '{slug}' in {home / 'submitted'}."
            + did_you_mean(student, students)
        )
    return [student]


def submitted(slug: str, home: Path) -> list[str]:
    """The students with a folder ``submitted/<student>/<slug>``; CourseError if there are none."""
    students = sorted(p.parent.name for p in (home / "submitted").glob(f"*/{slug}") if p.is_dir())
    if not students:
        raise CourseError(
            f"Nobody has submitted '{slug}'. Put the notebooks where they belong: "
            f"{home / 'submitted' / 'STUDENT' / slug / f'{slug}.ipynb'}"
        )
    return students


def failure_note(slug: str, home: Path, student: str) -> Path:
    """Where the reason is kept why a submission could not be graded."""
    return home / "autograded" / student / f"{slug}.failed.txt"


def notes_file(slug: str, home: Path, student: str) -> Path:
    """Where it is kept what was repaired before a submission was graded."""
    return home / "autograded" / student / f"{slug}.notes.txt"


def read_notes(slug: str, home: Path, student: str) -> list[str]:
    """What was repaired in this student's submission, a sentence each."""
    path = notes_file(slug, home, student)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def keep(path: Path, lines: list[str]) -> None:
    """Write the lines for the report; no file where there is none."""
    if lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def sayable(text: str) -> str:
    """One line that any file and terminal can hold, whatever a learner calls a file or class."""
    other = "\N{REPLACEMENT CHARACTER}"
    return "".join(c if c.isprintable() else " " if c.isspace() else other for c in text)


def beside(folder: Path) -> tuple[list[Path], list[str]]:
    """The ordinary files of a submission that are no notebooks, as far as they are taken.

    No link is followed and no pipe opened. And what is left out, in words.
    """
    files: list[Path] = []
    left: list[Path] = []
    notes: list[str] = []
    room = BYTES
    for where, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(where, name) for name in sorted(names) if not name.endswith(".ipynb")):
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                continue
            if path == folder / TIME and not _is_time(path):
                notes.append(f"{TIME} holds no time: the submission counts as handed in on time.")
                continue
            if len(files) < FILES and about.st_size <= room:
                files.append(path)
                room -= about.st_size
            else:
                left.append(path)
    if left:
        more = f" and {len(left) - 1} more files" if left[1:] else ""
        most = f"{FILES} files and {BYTES / 1e6:.0f} MB beside a notebook are kept"
        notes.append(f"'{left[0].name}'{more} left out: no more than {most}.")
    return files, notes


def _is_time(path: Path) -> bool:
    """Whether nbgrader can read what it takes for the moment of handing in."""
    try:
        parse_utc(path.read_bytes()[:100].decode().strip())
    except Exception:  # whatever the parser makes of it
        return False
    return path.lstat().st_size <= 100


def stage(folder: Path, to: Path) -> None:
    """Copy what ``beside`` takes."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for path in beside(folder)[0]:
        copy = to / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
