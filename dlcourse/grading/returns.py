"""The feedback pages back to where the submissions came from.

Canvas ("Upload submissions") and Moodle ("Upload multiple feedback files in a zip", which needs the
feedback type "Feedback files") take a zip whose files are called as in the zip that they gave, the
name up to the student's own file name, then the page's. No page of their guides says more;
``names.py`` cites the source that reads these names. Canvas shows the page under the name of the
student's own file, because it looks the name up by the number in it.
"""

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.grading.attempts import current, submitted_file
from dlcourse.grading.course import session, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.log import captured, reason
from dlcourse.grading.scores import is_released

with needs("grading"):
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange.default import ExchangeReleaseFeedback


@dataclass
class Returned:
    """What was packed: for each system a zip, whose page it holds, and who is left out and why."""

    zips: dict[str, Path] = field(default_factory=dict)
    pages: dict[str, dict[str, str]] = field(default_factory=dict)  # system -> student -> name
    left_out: dict[str, str] = field(default_factory=dict)


def give_back(slug: str, home: str | Path = ".", out: str | Path | None = None) -> Returned:
    """Pack ``<home>/build/return/<slug>-canvas.zip`` or ``-moodle.zip``, or both."""
    folder = Path(out) if out else Path(home, "build", "return")
    home = Path(home).resolve()
    is_released(slug, home)
    made = Returned()
    packed: dict[str, dict[str, Path]] = {}
    for page in _pages(slug, home):
        student = page.parent.parent.name
        attempt = current(home, slug, student)
        if attempt is None or attempt.kind not in ("canvas", "moodle"):
            where = "by hand" if attempt is None else f"from {attempt.kind}"
            made.left_out[student] = f"came {where}, not from Canvas or Moodle."
        elif page.stat().st_mtime < submitted_file(home, slug, student).stat().st_mtime:
            made.left_out[student] = (
                "has handed in again since the feedback was written. Grade it, then run: "
                f"dlcourse feedback {slug}"
            )
        else:
            stem = attempt.file.rpartition(".")[0] if attempt.kind == "canvas" else slug
            name = f"{attempt.answer}{stem}.html"
            packed.setdefault(attempt.kind, {})[name] = page
            made.pages.setdefault(attempt.kind, {})[student] = name
    for kind, files in packed.items():
        made.zips[kind] = _zip(writable(folder) / f"{slug}-{kind}.zip", files)
    return made


def to_exchange(slug: str, home: str | Path, exchange: str | Path, course: str) -> int:
    """Release the pages through nbgrader's exchange; how many there are."""
    home = Path(home).resolve()
    is_released(slug, home)
    pages = _pages(slug, home)
    lacking = [p.parent.parent.name for p in pages if not (p.parent / "timestamp.txt").exists()]
    if lacking:
        raise CourseError(
            f"Not from the exchange, so not to be returned there: {', '.join(lacking[:5])}. "
            "Return them with: dlcourse return SLUG"
        )
    with session(home) as config, captured() as log:
        config.CourseDirectory.course_id = course
        config.Exchange.root = str(Path(exchange).resolve())
        directory = CourseDirectory(config=config, assignment_id=slug, student_id="*")
        try:
            ExchangeReleaseFeedback(coursedir=directory, config=config).start()
        except Exception as error:  # nbgrader logged what happened
            raise CourseError(f"The exchange refused it: {reason(log)}") from error
    return len(pages)


def _pages(slug: str, home: Path) -> list[Path]:
    pages = sorted(home.glob(f"feedback/*/{slug}/{slug}.html"))
    if not pages:
        raise CourseError(f"There are no feedback pages yet. Write them: dlcourse feedback {slug}")
    return pages


def _zip(path: Path, files: dict[str, Path]) -> Path:
    draft = path.with_name(path.name + ".new")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, page in sorted(files.items()):
            archive.writestr(name, page.read_bytes())
    os.replace(draft, path)
    return path
