"""A class of small submissions, and an execution that takes no kernel: for tests of the machinery.

``stand_in`` runs the code cells of a notebook in this process and sets what a kernel would have
set. It is as pure as the real one, and a hundred times faster.
"""

import copy
import json
import os
import shutil
import signal
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dlcourse.checks.core.cell import VERDICT_TYPE
from dlcourse.grading.course import session
from dlcourse.grading.errors import CourseError
from dlcourse.grading.runner import Execution

SLUG = "small"
POINTS = {"add": 3, "double": 2}
RIGHT = {"add": "def add(x): return x + 1", "double": "def double(x): return 2 * x"}
HOLDS = {"add": lambda f: f(1) == 2, "double": lambda f: f(3) == 6}


def solution(name):
    return f"### BEGIN SOLUTION\n{RIGHT[name]}\n### END SOLUTION"


def sheet():
    """The source notebook: two exercises, and a question for a person to mark."""
    cells = [cell("setup", "from dlcourse.checks import check", locked=True)]
    for name, points in POINTS.items():
        cells.append(cell(name, solution(name), solution=True))
        check = f'check("{name}", {name})'
        cells.append(cell(f"{name}_check", check, grade=True, locked=True, points=points))
    words = new_markdown_cell("### BEGIN SOLUTION\nBecause.\n### END SOLUTION", id="why")
    words.metadata.nbgrader = told("why", grade=True, solution=True, points=4)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=[*cells, words], metadata={"kernelspec": kernel})


def cell(name, source, **flags):
    out = new_code_cell(source, id=name)
    out.metadata.nbgrader = told(name, **flags)
    return out


def told(name, **flags):
    no = dict.fromkeys(("grade", "solution", "locked", "task"), False)
    return no | {"grade_id": name, "schema_version": 3} | flags


def release(home):
    """Register the sheet with nbgrader itself; the released notebook."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory

    source = home / "build" / "source" / SLUG / f"{SLUG}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(sheet(), source)
    with session(home) as config:
        directory = CourseDirectory(config=config, assignment_id=SLUG)
        GenerateAssignment(coursedir=directory, config=config).start()
    return nbformat.read(home / "exercises" / SLUG / f"{SLUG}.ipynb", 4)


def make(home, n=30):
    """A class of ``n``, each with a mixture of right, wrong and missing answers."""
    given = release(home)
    for k in range(n):
        notebook = copy.deepcopy(given)
        for each in notebook.cells:
            if each.id in POINTS and (k >> list(POINTS).index(each.id)) & 1:
                each.source = RIGHT[each.id]
            elif each.id in POINTS and k % 3:
                each.source = f"def {each.id}(x): return x"
            elif each.id == "why" and k % 4 == 0:
                each.source = f"Because of {k}."
        submit(home, f"s{k:02}", notebook)
    return home


def submit(home, student, notebook):
    path = home / "submitted" / student / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    (path.parent / "timestamp.txt").write_text("2026-01-15 12:00:00 UTC")
    return path


def stand_in(job):
    """Execute a job here: the answers are run, the checks judged by ``HOLDS``."""
    notebook = nbformat.reads(job.notebook, 4)
    time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))
    done = Execution(notebook, isolation="stand-in")
    scope = {}
    for number, each in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        each.execution_count = number
        name = each.id.removesuffix("_check")
        if each.id == name:
            try:
                exec(each.source, scope)
            except Exception as error:
                each.outputs = [new_output("error", ename=type(error).__name__, evalue="")]
                each.outputs[0].traceback = []
            continue
        right = name in scope and HOLDS[name](scope[name])
        data = verdict(name, POINTS[name] * right, job.sheet.fingerprint)
        done.verdicts[name] = data[VERDICT_TYPE]
        each.outputs = [new_output("execute_result", data=data, execution_count=number)]
    return done


def verdict(name, earned, seed):
    said = {
        "exercise": name,
        "slug": SLUG,
        "earned": earned,
        "of": POINTS[name],
        "parts": {"value": bool(earned)},
        "mistakes": [],
        "hints": [],
        "seed": seed,
        "isolation": "stand-in",
    }
    return {"text/plain": str(float(earned)), VERDICT_TYPE: said}


def contents(home, url=None):
    """All that a gradebook says about the class, but for ids and moments; and the graded copies."""
    from nbgrader.api import Gradebook

    from dlcourse.grading.course import database

    rows = {}
    with Gradebook(url or database(home)) as gradebook:
        for submission in gradebook.assignment_submissions(SLUG):
            (notebook,) = submission.notebooks
            rows[submission.student.id] = {
                "when": str(submission.timestamp),
                "late": notebook.late_submission_penalty,
                "grades": sorted(
                    (g.name, g.auto_score, g.manual_score, g.needs_manual_grade, g.max_score)
                    for g in notebook.grades
                ),
                "comments": sorted((c.name, c.auto_comment) for c in notebook.comments),
            }
    copies = {
        path.relative_to(home).as_posix(): json.loads(path.read_text())
        if path.suffix == ".ipynb"
        else path.read_text()
        for path in sorted((home / "autograded").rglob("*"))
        if path.is_file()
    }
    return rows, copies


def duplicate(home, to):
    """A class as it was before it was graded."""
    shutil.copytree(home, to)
    return to


def by_name(job):
    """An execution that goes as the student is called."""
    if job.student == "raises":
        raise ZeroDivisionError("ours")
    if job.student == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.student.startswith("once:") and not (seen := Path(job.student[5:])).exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if job.student == "no-sandbox":
        raise CourseError("There is no sandbox here.")
    if job.student == "sleeps":
        time.sleep(60)
    done = stand_in(job)
    if job.student.startswith("says-who"):
        time.sleep(0.5)
        done.stopped = str(os.getpid())
    return done


def where(job):
    """An execution that says where it was done, and what it sees of the class."""
    done = stand_in(job)
    time.sleep(0.2)
    here = Path.cwd()
    seen = [p.name for p in here.rglob("*") if p.name in ("gradebook.db", "submitted")]
    done.stopped = f"{os.getpid()}, {here.name}, {' '.join(seen) or 'nothing'}"
    return done
