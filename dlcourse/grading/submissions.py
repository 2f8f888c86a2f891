"""What was handed in: whose it is, what lies beside it, and what is noted about it."""

import os
import shutil
import stat
from pathlib import Path

from dlcourse.grading.course import did_you_mean
from dlcourse.grading.errors import CourseError


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


def stage(folder: Path, to: Path) -> None:
    """Copy the ordinary files of a submission that are no notebooks; no link is followed."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for where, _, files in os.walk(folder):
        for item in (Path(where, name) for name in files if not name.endswith(".ipynb")):
            if stat.S_ISREG(item.lstat().st_mode):
                copy = to / item.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(item, copy)
