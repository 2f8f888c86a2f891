"""One submission: a notebook in, an executed notebook and its verdicts out.

:func:`run` touches no gradebook, no folder of the class and no other submission, so it may be
called in any process on any machine that has the course.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Bytes and seconds."""

    cell_seconds: float = 60  # wall time of one cell; it is interrupted, then stopped
    wall_seconds: float = 600  # of all cells together
    cpu_seconds: int = 300
    memory: int = 2 << 30
    processes: int = 64  # threads count too
    file_bytes: int = 64 << 20  # of one file, and of all in memory-backed folders together
    output_bytes: int = 1 << 20  # of one cell's outputs


@dataclass(frozen=True)
class Sheet:
    """What a run needs to know about a sheet; plain values, so that it can be sent anywhere."""

    slug: str
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # exercise -> its secret
    fingerprint: str = "public"  # of the class's secret
    limits: Limits = Limits()
    random_state: int = 0  # of the learner's own random numbers


@dataclass
class Execution:
    """What became of a submission."""

    notebook: NotebookNode  # a graded check cell holds its verdict, or the error that says why not
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)  # ``Verdict.data()``
    reasons: dict[str, str] = field(default_factory=dict)  # exercise -> why it has no verdict
    same_process: list[str] = field(default_factory=list)  # graded cells without a check
    flags: list[str] = field(default_factory=list)  # what a person should look at
    stopped: str = ""  # why the last cells weren't run; "" if they were
    seconds: dict[str, float] = field(default_factory=dict)  # start, cells, checks, total
    isolation: str = "bubblewrap"


def run(notebook: NotebookNode, sheet: Sheet, sandbox: Any = None) -> Execution:
    """Execute ``notebook`` in ``sandbox`` and judge its graded ``check(...)`` cells from outside.

    ``notebook`` is clean: sanitised, with the sheet's own cells put back; it isn't changed.
    ``sandbox`` is an open ``Sandbox`` for this sheet, to be used for many submissions one after the
    other; without one a sandbox is opened for this call. Nothing that the notebook's code does
    raises here: what it earned before stays, and ``stopped`` or ``reasons`` say what happened.
    Raises ``CourseError`` where no sandbox can be opened.
    """
    raise NotImplementedError
