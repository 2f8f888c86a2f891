"""A tiny unit for the quick tests, and two graded classes for those of the whole cycle."""

import copy
import functools
import json
import shutil
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    # nbgrader 0.9 and the Jupyter packages under it call each other's deprecated names
    warnings.simplefilter("ignore")
    import jupyter_client.kernelspec  # noqa: F401, imported here so that it warns here
    import jupytext  # noqa: F401
    import nbformat
    import nbgrader.apps.api

from dlcourse.checks.core import registry
from dlcourse.checks.core.exercise import Exercise, Question, Unit

# Asking alembic takes 3 s for each new gradebook; here it is asked once.
nbgrader.api.get_alembic_version = functools.cache(nbgrader.api.get_alembic_version)

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(Path(__file__).parent))  # `small` must be found by worker processes too
FOREIGN = [  # warnings that nbgrader's own calls raise while it works; ours stay errors
    "ignore::DeprecationWarning:nbgrader",
    "ignore::DeprecationWarning:nbconvert",
    "ignore::DeprecationWarning:jupyter_client",
    "ignore::DeprecationWarning:traitlets",
]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for warning in FOREIGN:
                item.add_marker(pytest.mark.filterwarnings(warning))


# A tiny unit -------------------------------------------------------------------

TINY = """\
# %% [markdown]
# # Tiny
#
# Two things to do.

# %% [markdown] role="statement" grade_id="twice"
# ## Twice as much
#
# Write `twice(x)`, which is $2x$.
#
# <details><summary>Hint</summary>
# *Add* it to itself.
# </details>

# %% role="solution" grade_id="twice"
def twice(x):
    ### BEGIN SOLUTION
    return x + x
    ### END SOLUTION


# %% role="check" grade_id="twice"
check("twice", twice)

# %% role="given" grade_id="broken"
def broken(x):
    return x * x

# %%
broken(3)

# %% [markdown] role="question" grade_id="reason"
# ## Say why
#
# Why is it twice as much?

# %% [markdown] role="answer" grade_id="reason"
# ### BEGIN SOLUTION
# Because it is added to itself.
# ### END SOLUTION
"""


def make_tiny() -> Unit:
    twice = Exercise(
        "twice",
        "Twice as much",
        {"value": 2, "copy": 1},
        minutes=5,
        difficulty=2,
        outcomes=("tiny-double",),
        forbids=("torch",),
        slug="tiny",
    )
    twice.answer(lambda x: x + x)
    exemplars = {"full": "It is added.", "partial": "It grows.", "typical": "It is squared."}
    reason = Question("reason", "Why", 4, 3, "2 points for the sum.", exemplars, ("tiny-double",))
    return Unit("tiny", {"twice": twice}, {"reason": reason})


@pytest.fixture
def tiny():
    return make_tiny()


@pytest.fixture
def tiny_course(tmp_path, monkeypatch, tiny):
    """A course's folder with the sheet ``tiny`` and nothing else."""
    monkeypatch.setattr(registry, "unit", {"tiny": tiny}.__getitem__)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "tiny.py").write_text(TINY)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_released(tmp_path_factory):
    """A class's folder in which the sheet ``tiny`` was released, to be copied."""
    from dlcourse.grading.release import release

    root = tmp_path_factory.mktemp("tiny-released")
    (root / "solutions").mkdir()
    (root / "solutions" / "tiny.py").write_text(TINY)
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "unit", {"tiny": make_tiny()}.__getitem__)
        release("tiny", root)
    return root


@pytest.fixture
def home(tiny_released, tmp_path):
    """A class of its own that has got the sheet ``tiny``, and no students yet."""
    return shutil.copytree(tiny_released, tmp_path / "home")


# Graded classes ----------------------------------------------------------------

OWN_FILES = (
    "gradebook.db",
    "submitted/ada/neurons/neurons.ipynb",
    "autograded/ada/neurons/neurons.ipynb",
    "feedback/ada/neurons/neurons.html",
)


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course's folder with the real sheet ``neurons``, and an instructor's own files in it."""
    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    shutil.copy(REPOSITORY / "solutions" / "neurons.py", root / "solutions")
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    for mine in OWN_FILES:
        path = root / mine
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the instructor's {mine}")
    return root


@pytest.fixture(scope="session")
def graded(course):
    """The sample class of 20, made, graded, reported, and compared with what it must be."""
    from dlcourse.grading.sample import sample

    return sample("neurons", 20, course)


@dataclass
class Slips:
    """A class of right solutions, each with one thing wrong, graded."""

    home: Path
    result: Any
    full: int  # the automatic points of the solution
    first: Exercise  # the exercise that was meddled with

    @property
    def points(self):
        return {row.student: row.automatic for row in self.result.rows}


@pytest.fixture(scope="session")
def slips(course, tmp_path_factory):
    from dlcourse.grading import course as settings
    from dlcourse.grading.grade import grade
    from dlcourse.grading.release import release
    from dlcourse.grading.sample import Plan, fill

    from . import slips as broken

    home = tmp_path_factory.mktemp("slips")
    sheet = nbformat.read(release("neurons", course, home), 4)
    unit = registry.unit("neurons")
    solved = fill(sheet, Plan("", dict.fromkeys(unit.exercises, "reference"), "full"), unit)
    first = next(iter(unit.exercises.values()))
    for student, change in broken.NOTEBOOKS.items():
        notebook = copy.deepcopy(solved)
        change(notebook, {cell.id: cell for cell in notebook.cells}, first.name)
        path = home / "submitted" / student / "neurons" / "neurons.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    for student, data in broken.NO_NOTEBOOKS.items():
        path = home / "submitted" / student / "neurons" / "neurons.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    (home / "submitted" / "wrong-name" / "neurons").mkdir(parents=True)
    (home / "submitted" / "wrong-name" / "neurons" / "neurons (1).ipynb").write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "CELL_SECONDS", 3)  # for the endless loop
        result = grade("neurons", home, isolation="none")
    full = sum(exercise.points for exercise in unit.exercises.values())
    return Slips(home, result, full, first)


# Sandboxes ---------------------------------------------------------------------


def _sandbox(slugs):
    """One for all these units: without what any of them forbids."""
    from dlcourse.grading.runner import Sheet
    from dlcourse.grading.sandbox import Sandbox

    from .enclosed import LIMITS

    exercises = [e for slug in slugs for e in registry.unit(slug).exercises.values()]
    forbids = {name for exercise in exercises for name in exercise.forbids}
    extras = {"data", *(name for slug in slugs for name in registry.unit(slug).imports)} - {"nn"}
    imports = {name for slug in slugs for name in Sheet.of(slug, REPOSITORY).imports}
    return Sandbox(forbids, extras, imports, LIMITS)


@pytest.fixture(scope="session")
def box():
    """A sandbox for sheets of NumPy."""
    slugs = [slug for slug in registry.units() if "torch" not in registry.unit(slug).imports]
    with _sandbox(slugs) as box:
        yield box


@pytest.fixture(scope="session")
def torch_box():
    with _sandbox(["pytorch", "gpu-training"]) as box:
        yield box


# A cluster ------------------------------------------------------------------


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """The address of a scheduler with two workers, each a process with a folder of its own."""
    distributed = pytest.importorskip("distributed", reason='pip install -e ".[dask]"')
    folder = tmp_path_factory.mktemp("cluster")
    path = folder / "scheduler.json"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = ":".join([*sys.path, str(Path(__file__).parent)])
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env}
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    dask = [sys.executable, "-m"]
    started = [
        subprocess.Popen(
            [*dask, "distributed.cli.dask_scheduler", *options, "--port", "0"]
            + ["--scheduler-file", str(path)],
            cwd=folder,
            **quiet,
        )
    ]
    while not path.exists():
        time.sleep(0.05)
        assert started[0].poll() is None
    for k in range(2):
        (own := folder / f"worker{k}").mkdir()
        options = ["--nworkers", "1", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        started.append(
            subprocess.Popen(
                [*dask, "distributed.cli.dask_worker", *options]
                + ["--scheduler-file", str(path), "--local-directory", str(own)],
                cwd=own,
                **quiet,
            )
        )

    address = json.loads(path.read_text())["address"]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address
    for process in reversed(started):  # the scheduler last: a worker that leaves asks for it
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # seen: distributed waits for its own tasks for ever
            process.kill()
            process.wait(20)
