"""One submission's execution as a message: what is sent to a worker, and what it does with it.

:func:`execute` is the same pure function in this process, in a local worker and on a cluster. It
sees a clean notebook and what the sheet needs, never the gradebook or a folder of the class.
"""

import atexit
import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from dlcourse.checks.core import registry, secret
from dlcourse.grading.course import SEED_FILE, session
from dlcourse.grading.enclosure import imported
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.isolation import NONE
from dlcourse.grading.runner import Execution, Limits, Sheet, run
from dlcourse.grading.sandbox import Door

with needs("grading"):
    import nbformat


@dataclass(frozen=True)
class Job:
    """A submission to be executed. ``notebook`` is the clean one, as JSON."""

    student: str
    notebook: str = field(repr=False)
    sheet: Sheet
    isolation: str = "auto"
    seed: bytes | None = field(default=None, repr=False)  # for stock kernels only
    code: str = ""  # ``digest()`` of who sends it

    @property
    def patience(self) -> float:
        """Seconds after which a worker that hasn't answered is given up: its own limits failed."""
        limits = self.sheet.limits
        if self.isolation == NONE:
            return 120 + limits.cell_seconds * (2 + self.notebook.count('"cell_type"'))
        return 120 + 2 * limits.wall_seconds


def settings(slug: str, home: Path, seed: bytes | None = None, random_state: int = 0) -> Sheet:
    """What runs of this class's sheet need: the secret of each exercise, and the limits.

    ``seed`` stands in for the class's own secret, to try the checks on other cases.
    """
    seed = seed or class_seed(home)
    about = registry.index().get(slug)  # None for a sheet of the instructor's own
    keys = {name: secret.key(slug, name, seed) for name in about.names} if about and seed else {}
    with session(home) as config:
        limits = Limits(cell_seconds=config.Execute.timeout)
    return Sheet(
        slug,
        {name: key for name, key in keys.items() if key},
        secret.fingerprint(seed) if seed else "public",
        imports(slug, home),
        limits,
        random_state,
    )


def imports(slug: str, home: Path) -> tuple[str, ...]:
    """The modules that the released sheet's own cells import; it may be graded without the file."""
    path = home / "exercises" / slug / f"{slug}.ipynb"
    if not path.exists():
        return ()
    cells = nbformat.read(path, as_version=4).cells
    return tuple(sorted({m for c in cells if c.cell_type == "code" for m in imported(c.source)}))


def class_seed(home: Path) -> bytes | None:
    """The class's secret; None before its first release."""
    path = home / SEED_FILE
    return path.read_bytes() if path.exists() else None


def execute(job: Job) -> Execution:
    """Run a job here. Raises where the grader is at fault, never for what the learner did."""
    if job.code and job.code != digest():
        raise CourseError(
            "a worker has another version of the course than the grader: install the same there."
        )
    notebook = nbformat.reads(job.notebook, as_version=4)
    if job.isolation == NONE:
        from dlcourse.grading import stock

        return stock.run(notebook, job.sheet, job.seed)
    return sandboxed(notebook, job.sheet)


def lend(sheet: Sheet, door: Door) -> None:
    """Submissions of this sheet go through this door, as long as it holds."""
    _idle(sheet).append(door)


def _idle(sheet: Sheet) -> list[Any]:
    """Sandboxes of this sheet that wait here for a submission."""
    return IDLE.setdefault(repr(replace(sheet, keys={}, random_state=0)), [])  # it holds no secret


def sandboxed(notebook: Any, sheet: Sheet) -> Execution:
    """One run in a sandbox of this sheet that is kept open from submission to submission."""
    idle = _idle(sheet)
    sandbox = idle.pop() if idle else sheet.sandbox()  # one a thread, on a cluster's workers
    try:
        out = run(notebook, sheet, sandbox)
    except BaseException:
        sandbox.close()
        raise
    idle.append(sandbox)
    return out


IDLE: dict[Any, list[Any]] = {}


@atexit.register
def close() -> None:
    """Close the sandboxes that this process keeps."""
    for idle in IDLE.values():
        while idle:
            idle.pop().close()


@cache
def digest() -> str:
    """A hash of the course's code: what judged, for the journal."""
    root = Path(__file__).parents[1]
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def under(job: Job, sheet: Sheet, seed: bytes | None) -> Job:
    """The same submission under another secret."""
    return replace(job, sheet=sheet, seed=seed if job.isolation == NONE else None)
