"""Notebooks for the tests of sandbox and runner, and what became of them."""

import hashlib
import json

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dlcourse.checks.core import registry
from dlcourse.grading.limits import Limits
from dlcourse.grading.runner import Sheet, run

KEY = hashlib.sha256(b"a class's secret").digest()
LIMITS = Limits(
    cell_seconds=2,
    wall_seconds=30,
    cpu_seconds=20,
    memory=256 << 20,
    processes=24,
    file_bytes=8 << 20,
    output_bytes=50_000,
)


def sheet(slug, **settings):
    names = registry.unit(slug).exercises
    keys = {name: KEY[k % 7 :] + KEY[: k % 7] for k, name in enumerate(names)}
    return Sheet(slug, keys, "fingerprint", **{"limits": LIMITS, **settings})


def setup(slug):
    imports = "import torch\nfrom torch import nn\n" if registry.unit(slug).imports else ""
    return f"import numpy as np\n{imports}from dlcourse.checks import check"


def graded(name, source=None, points=1):
    about = {"grade": True, "solution": False, "locked": True, "points": points}
    about |= {"grade_id": f"{name}_check", "schema_version": 3, "task": False}
    return new_code_cell(source or f'check("{name}", {name})', metadata={"nbgrader": about})


def notebook(slug, *cells):
    """Cells by their text; ``("name",)`` is the graded cell of an exercise."""
    made = [graded(*c) if isinstance(c, tuple) else new_code_cell(c) for c in cells]
    return new_notebook(cells=[new_markdown_cell("A sheet"), new_code_cell(setup(slug)), *made])


def answers(slug, which):
    """The cells of a sheet with an answer each: ``which(exercise)`` names it."""
    cells = []
    for exercise in registry.unit(slug).exercises.values():
        cells += [exercise.source(which(exercise)), (exercise.name,)]
    return notebook(slug, *cells)


def of(slug, name):
    return registry.unit(slug).exercises[name].source()


def shown(cell):
    """All that a cell shows, as text."""
    return json.dumps(cell.outputs)


def printed(box, source, slug="neurons", **settings):
    """What a cell prints inside."""
    done = run(notebook(slug, source), sheet(slug, **settings), box)
    outputs = done.notebook.cells[-1].outputs
    assert not done.stopped, done.stopped
    assert all(o.output_type == "stream" for o in outputs), outputs
    return "".join(o.text for o in outputs)
