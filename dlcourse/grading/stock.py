"""A submission in a stock Jupyter kernel: no isolation, for machines that offer none.

The kernel is an ordinary process with the instructor's rights, and a check in it judges beside the
learner's code: what it says can be forged. It is used where it is asked for in so many words.
"""

import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.checks.core import secret
from dlcourse.grading.course import SEED_FILE, configure
from dlcourse.grading.errors import needs
from dlcourse.grading.runner import Execution, Sheet
from dlcourse.grading.strict import VERDICT, Strict, checked

with needs("grading"):
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbgrader.preprocessors import Execute
    from nbgrader.utils import is_grade
    from traitlets.config import Config

ISOLATION = "same-process"
NOT_RUN = "0 points: this cell was never run, because {}"
ONE_AT_A_TIME = threading.Lock()  # a kernel takes its environment from the process, all threads'


class Kernel(Execute):
    """nbgrader's own, and it knows which cells came to an end."""

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple:
        out = super().preprocess_cell(cell, resources, index)
        self.__dict__.setdefault("ended", set()).add(index)
        return out


def run(notebook: NotebookNode, sheet: Sheet, seed: bytes | None = None) -> Execution:
    """Execute ``notebook`` in place. ``seed`` is the class's secret, which a stock kernel reads.

    Nothing that the notebook's code does raises here. Where it ends its kernel, cells that came to
    an end before keep what they earned, and the others get an error that says why.
    """
    out = Execution(notebook, isolation=ISOLATION)
    start = time.perf_counter()
    with ONE_AT_A_TIME, scratch(seed) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbclient's, about the names that nbconvert calls
        kernel = Kernel(config=settings(folder, sheet))
        try:
            kernel.preprocess(notebook, {"metadata": {"path": folder}})
        except DeadKernelError:
            out.stopped = "its kernel died: the code ended the process or used up the memory."
        except CellTimeoutError:
            out.stopped = "a cell ran on and could not be interrupted."
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if out.stopped and index not in kernel.__dict__.get("ended", ()):
            say = NOT_RUN.format(out.stopped)
            cell.outputs = [new_output("error", ename="NotRun", evalue=say, traceback=[say])]
        Strict().preprocess_cell(cell, {}, index)
        _sort(cell, out)
    out.seconds = {"total": time.perf_counter() - start}
    return out


def _sort(cell: NotebookNode, out: Execution) -> None:
    """Note what a graded cell came to."""
    if not is_grade(cell):
        return
    name = checked(cell.source)
    if name is None:
        out.same_process.append(cell.metadata.nbgrader.grade_id)
        return
    for output in cell.outputs:
        if verdict := output.get("data", {}).get(VERDICT):
            out.verdicts[name] = verdict
        elif output.output_type == "error":
            out.reasons[name] = output.evalue or output.ename


def settings(folder: str, sheet: Sheet) -> Any:
    """nbgrader's configuration for this kernel alone."""
    with restored():
        config = configure(Config(), folder)
    config.Execute.timeout = max(1, round(sheet.limits.cell_seconds))
    return config


@contextmanager
def scratch(seed: bytes | None) -> Iterator[str]:
    """An empty folder to run in, and the environment that nbgrader's kernels expect."""
    with tempfile.TemporaryDirectory() as folder, restored():
        os.environ.pop(secret.VARIABLE, None)  # another class's secret is none of ours
        if seed is not None:
            path = Path(folder, SEED_FILE)
            path.write_bytes(seed)
            os.environ[secret.VARIABLE] = str(path)
        os.environ |= {"NBGRADER_EXECUTION": "autograde", "OMP_NUM_THREADS": "1"}
        yield folder


@contextmanager
def restored() -> Iterator[None]:
    """Afterwards the environment is as it was."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
