"""What was handed in: whose it is, whether it can be read, and why it has no grade."""

import json
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


def unreadable(path: Path) -> str | None:
    """What keeps a file from being a notebook, in plain words; None if it is one."""
    if not path.exists():
        others = sorted(p.name for p in path.parent.glob("*.ipynb"))
        found = f" Found: {', '.join(others)}." if others else ""
        return f"there is no file {path.name} in the submission.{found}"
    if not (data := path.read_bytes()).strip():
        return f"{path.name} is empty."
    try:
        notebook = json.loads(data.decode("utf-8"))  # nbformat reads no other encoding
    except (UnicodeDecodeError, ValueError, RecursionError):
        return f"{path.name} is not a notebook: it can't be read as JSON."
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return f"{path.name} is JSON, but not a notebook: it has no list of cells."
    return None
