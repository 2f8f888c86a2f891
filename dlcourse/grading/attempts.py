"""Every file that was ever handed in, as it came: ``<home>/collected/<slug>/<student>/<n>/``.

An attempt is kept before anything else happens and never changes. ``submitted/`` holds a copy of
the newest one, which is what nbgrader grades. Each step is one rename, so that a run that was
killed between two of them leaves whole files only, and the next run goes on.
"""

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from dlcourse.grading.errors import CourseError

EXCHANGE_FILES = ("timestamp.txt", "submission_secret.txt")  # nbgrader needs them to give back


@dataclass(frozen=True)
class Attempt:
    """One file that a student handed in."""

    sha256: str
    file: str  # what the student called it
    kind: str  # canvas, moodle, exchange, folder; "by hand" where it was put into submitted/
    source: str  # the zip or folder that it came from, and where in it
    answer: str = ""  # how the LMS wants the feedback called
    late: bool = False
    order: int = 0  # Canvas's number of the file
    time: float = 0.0  # seconds, as the file says
    participant: str = ""  # Moodle's number, for this assignment
    n: int = 0  # where it is kept


def newest(found: list[Attempt]) -> Attempt:
    """The one to be graded, of attempts in the order in which they came.

    Canvas numbers its files: the greater number is the later upload. Else the later time counts
    that the zip or the folder gives, and of equal times the one that came last.
    """
    best = found[0]
    for other in found[1:]:
        if other.order and best.order:
            best = best if other.order < best.order else other
        else:
            best = best if other.time < best.time else other
    return best


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def folder(home: Path, slug: str, student: str) -> Path:
    return home / "collected" / slug / student


def submitted_file(home: Path, slug: str, student: str) -> Path:
    return home / "submitted" / student / slug / f"{slug}.ipynb"


def attempts(home: Path, slug: str, student: str) -> list[Attempt]:
    """What this student handed in so far, in the order in which it came."""
    found = []
    for about in folder(home, slug, student).glob("[0-9]*/about.json"):
        told = json.loads(about.read_text(encoding="utf-8"))
        found.append(Attempt(**{**told, "n": int(about.parent.name)}))
    return sorted(found, key=lambda attempt: attempt.n)


def keep(
    home: Path, slug: str, student: str, attempt: Attempt, data: bytes, extra: dict[str, bytes]
) -> Attempt:
    """Store an attempt beside the earlier ones: then it is there as a whole, or not at all."""
    place = folder(home, slug, student)
    place.mkdir(parents=True, exist_ok=True)
    n = max((a.n for a in attempts(home, slug, student)), default=0) + 1
    attempt = Attempt(**{**asdict(attempt), "n": n})
    draft = place / f".{n}.new"  # what a killed run left of it is ours
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    (draft / safe_file(attempt.file)).write_bytes(data)
    for name, bytes_ in extra.items():
        (draft / name).write_bytes(bytes_)
    (draft / "about.json").write_text(json.dumps(asdict(attempt), indent=1), encoding="utf-8")
    try:
        draft.rename(place / str(n))
    except OSError as error:
        raise CourseError(
            f"{place / str(n)} is there already: is another collect running? Try again later."
        ) from error
    return attempt


def install(home: Path, slug: str, student: str, attempt: Attempt) -> None:
    """Make ``submitted/`` hold this attempt. What stood there must be kept already."""
    kept = folder(home, slug, student) / str(attempt.n)
    target = submitted_file(home, slug, student)
    target.parent.mkdir(parents=True, exist_ok=True)
    for name in EXCHANGE_FILES:  # before the notebook: while that is old, the next run goes on
        if (kept / name).exists():
            _replace(target.parent / name, (kept / name).read_bytes())
        else:
            (target.parent / name).unlink(missing_ok=True)
    _replace(target, (kept / safe_file(attempt.file)).read_bytes())


def current(home: Path, slug: str, student: str) -> Attempt | None:
    """The attempt that ``submitted/`` holds; None where it holds none, or none of these."""
    path = submitted_file(home, slug, student)
    if not path.is_file() or path.is_symlink():
        return None
    held = digest(path.read_bytes())
    same = [a for a in attempts(home, slug, student) if a.sha256 == held]
    return newest(same) if same else None


def safe_file(name: str) -> str:
    """The student's name for the file, as far as it can be a file's name here."""
    text = re.sub(r"[^\w .()+-]", "_", name).strip(" .") or "file"
    stem, _, ending = text.rpartition(".")
    text = f"{stem[:80]}.{ending[:10]}" if stem else text[:80]
    return f"_{text}" if text in ("about.json", *EXCHANGE_FILES) else text


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    os.replace(draft, path)
