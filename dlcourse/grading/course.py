"""Where a course and its class live, and nbgrader's settings for them: the one place.

``root`` holds the course (``solutions/``, ``exercises/``); ``home`` holds a class (its gradebook,
``submitted/``, ``autograded/``, ``feedback/``). For an instructor both are one folder; the sample
class has a home of its own, so that trying things out never touches student data.
"""

import difflib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from dlcourse.grading.errors import CourseError, needs

SEED_FILE = ".dlcourse-seed"
CELL_SECONDS = 60  # a cell that takes longer is interrupted and counts as failed
CHOSEN: ContextVar[str | None] = ContextVar("the database given with --db", default=None)
POSTGRES = ("postgres://", "postgresql://")  # what people write; the driver is ours to name


def configure(c: Any, root: str | Path = ".") -> Any:
    """Fill nbgrader's configuration ``c`` for the class that lives in ``root``, and return it.

    Stock ``nbgrader``, formgrader and our own commands all take their settings from here.
    """
    home = Path(root).resolve()
    os.environ.update(environment(home))

    c.CourseDirectory.root = str(home)
    c.CourseDirectory.db_url = f"sqlite:///{home / 'gradebook.db'}"
    # Generated notebooks only: nbgrader copies every other file beside a source to the learners.
    c.CourseDirectory.source_directory = "build/source"
    c.CourseDirectory.release_directory = "exercises"

    # Mark schemes stand in locked Markdown cells: learners don't get them, graders do.
    c.ClearMarkScheme.enforce_metadata = False
    c.ClearSolutions.code_stub = {"python": "# your code here\nraise NotImplementedError()"}
    c.ClearSolutions.text_stub = "*Your answer here.*"

    c.Execute.timeout = CELL_SECONDS
    c.Execute.shutdown_kernel = "immediate"  # being polite to a kernel with torch takes a second
    c.Execute.extra_arguments = [
        "--HistoryManager.enabled=False",  # it would be the instructor's
        "--IPKernelApp.log_level=ERROR",  # else each kernel warns of its unencrypted sockets
    ]
    # What students wrote runs in nobody's browser, in formgrader neither.
    c.HTMLExporter.preprocessors = ["dlcourse.grading.harmless.Harmless"]
    c.HTMLExporter.sanitize_html = True
    c.HTMLExporter.filters = {
        "clean_html": "dlcourse.grading.harmless.clean_html",
        "markdown2html": "dlcourse.grading.harmless.markdown2html",
    }
    # By name, so that reading these settings loads none of it.
    c.Autograde.sanitize_preprocessors = [
        "nbgrader.preprocessors.ClearOutput",
        "nbgrader.preprocessors.DeduplicateIds",
        "nbgrader.preprocessors.OverwriteKernelspec",
        "dlcourse.grading.restore.Restore",  # ours: puts deleted cells back
        "nbgrader.preprocessors.OverwriteCells",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    c.Autograde.autograde_preprocessors = [
        "nbgrader.preprocessors.Execute",
        "dlcourse.grading.strict.Strict",  # ours: anything but a check's own verdict is 0
        "nbgrader.preprocessors.IgnorePattern",
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        "nbgrader.preprocessors.LimitOutput",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    # By our command the pages are our own; `nbgrader generate_feedback` shows no more than they do.
    c.GenerateFeedback.preprocessors = [
        "dlcourse.grading.mask.Marks",
        "dlcourse.grading.mask.Mask",  # ours: no hidden tests, cases and mark schemes
        "dlcourse.grading.harmless.Harmless",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    return c


def database(home: str | Path) -> str:
    """The URL of the gradebook of the class in ``home``.

    The first that says so counts: ``--db``, the folder's own ``nbgrader_config.py`` (which keeps a
    password out of the list of processes), and else a file of SQLite beside the class.
    """
    home = Path(home).resolve()
    if not CHOSEN.get() and not (home / "nbgrader_config.py").exists():
        return f"sqlite:///{home / 'gradebook.db'}"
    with session(home) as config:
        return config.CourseDirectory.db_url


def settings(home: str | Path) -> Any:
    """nbgrader's configuration for this class: ours, and over it the folder's own file."""
    with needs("grading"):
        from traitlets.config import Config, PyFileConfigLoader
    config = configure(Config(), home)
    path = Path(home, "nbgrader_config.py").resolve()
    if path.exists():
        try:
            config.merge(PyFileConfigLoader(path.name, path=str(path.parent)).load_config())
        except Exception as error:  # whatever somebody wrote there
            raise CourseError(f"{path} can't be read: {type(error).__name__}: {error}") from error
    url = CHOSEN.get() or config.CourseDirectory.db_url
    for scheme in POSTGRES:
        if url.startswith(scheme):
            url = "postgresql+psycopg://" + url.removeprefix(scheme)
    config.CourseDirectory.db_url = url
    if not url.startswith("sqlite") and "course_id" not in config.CourseDirectory:
        # a server insists on the course that a sheet belongs to, and nbgrader makes none without id
        config.CourseDirectory.course_id = "default_course"
    return config


def environment(home: Path) -> dict[str, str]:
    """The variables that nbgrader, and the kernels it starts, must see for this class."""
    scripts = str(Path(sys.executable).parent)  # nbgrader starts `alembic` by its bare name
    path = os.environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != scripts:
        path = scripts + os.pathsep + path
    seed = home / SEED_FILE
    return {
        "PATH": path,
        "OMP_NUM_THREADS": "1",  # on small arrays more threads only wait for each other
        **({"DLCOURSE_SEED_FILE": str(seed)} if seed.exists() else {}),
    }


@contextmanager
def session(home: str | Path) -> Iterator[Any]:
    """nbgrader's configuration for this class; afterwards the environment is as it was.

    Undoing it matters: nbgrader leaves NBGRADER_EXECUTION set after a failure, and every
    ``check`` in this process would then take itself for the grader's.
    """
    before = dict(os.environ)
    os.environ.pop("DLCOURSE_SEED_FILE", None)  # another class's secret is none of ours
    try:
        with warnings.catch_warnings():
            # SQLAlchemy 2's, about how nbgrader adds a submission: it does no harm
            warnings.filterwarnings("ignore", "Object of type <Submitted")
            yield settings(home)
    finally:
        os.environ.clear()
        os.environ.update(before)


def find_sheet(slug: str, root: str | Path = ".") -> Path:
    """``<root>/solutions/<slug>.py``; CourseError with the names that exist where it doesn't."""
    folder = Path(root, "solutions")
    names = sorted(path.stem for path in folder.glob("*.py"))
    if slug in names:
        return folder / f"{slug}.py"
    if not names:
        raise CourseError(
            f"There are no sheets in {folder.resolve()}. Run this from the course's own folder."
        )
    raise CourseError(f"There is no sheet called '{slug}'.{did_you_mean(slug, names)}")


def did_you_mean(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean '{close[0]}'?" if close else f" There are: {', '.join(names)}."


def writable(folder: str | Path) -> Path:
    """The folder, made if need be; CourseError unless a file can really be written there."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise CourseError(
            f"Can't write in the folder {folder.resolve()} ({error.strerror}). "
            "Choose another one, or make it yours with chown or chmod."
        ) from error


def overwrite(path: Path, text: str) -> None:
    """Replace a file's text in one step; an equal file keeps its time of change."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return
    writable(path.parent)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(data)
    draft.replace(path)
