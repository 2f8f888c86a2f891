"""A class whose right grades are known, because it is made of the unit's own answers.

A notebook each for: the solution, an untouched sheet, the k-th alternative of every exercise, the
k-th mistake of every exercise, some exercises only; then mixtures of all of these. Answers are
pasted into the released sheet as source, so that they stand on the sheet's own imports, like a
student's. The class lives in ``<root>/build/sample/<slug>/`` with a gradebook and a seed of its own
that is no secret: the class is a test, and what it finds once it finds again.
"""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from dlcourse.checks.core import registry
from dlcourse.grading.course import SEED_FILE, find_sheet, overwrite, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.export import export
from dlcourse.grading.feedback import feedback
from dlcourse.grading.grade import grade
from dlcourse.grading.isolation import NONE, offered
from dlcourse.grading.release import release
from dlcourse.grading.report import report
from dlcourse.grading.scores import read, verdicts
from dlcourse.grading.writer import Result

with needs("grading"):
    import nbformat

EXEMPLARS = ("full", "partial", "typical")
CONFIG = '''"""Stock nbgrader and formgrader on the sample class."""

from pathlib import Path

from dlcourse.grading.course import configure

configure(get_config(), root=Path(__file__).parent)  # noqa: F821, traitlets defines get_config
'''


@dataclass(frozen=True)
class Plan:
    """What one notebook holds: for each exercise the name of an answer, None where untouched."""

    student: str
    answers: dict[str, str | None]
    written: str | None  # which exemplar answers the questions


@dataclass
class Sample:
    """A sample class, graded, and where it is not what its making implies."""

    home: Path
    report: Path
    result: Result
    differences: list[str]

    @property
    def ok(self) -> bool:
        return self.result.ok and not self.differences


def sample(
    slug: str,
    n: int = 20,
    root: str | Path = ".",
    console: Console | None = None,
    isolation: str | None = None,
) -> Sample:
    """Make the class, grade it end to end, and compare each grade with the one it must get.

    Its code is the course's own: where no sandbox can be had, it is graded without.
    """
    home = sample_class(slug, n, root)
    isolation = isolation or ("auto" if offered() else NONE)
    result = grade(slug, home, console=console, isolation=isolation)
    page = report(slug, home)
    export(slug, home)
    feedback(slug, home)
    return Sample(home, page, result, verify_sample(slug, home))


def sample_class(slug: str, n: int = 20, root: str | Path = ".") -> Path:
    """Write ``n`` submissions and ``expected.json``; return the class's home. Nothing is graded."""
    if n < 1:
        raise CourseError(f"A class has at least one notebook, not {n}.")
    find_sheet(slug, root)  # before anything is removed
    home = Path(root, "build", "sample", slug).resolve()
    shutil.rmtree(home, ignore_errors=True)
    writable(home)
    (home / SEED_FILE).write_bytes(sha256(f"sample class {slug}".encode()).digest())
    sheet = nbformat.read(release(slug, root, home), as_version=4)
    overwrite(home / "nbgrader_config.py", CONFIG)
    unit, expected = registry.unit(slug), {}
    for plan in islice(plans(unit), n):
        path = home / "submitted" / plan.student / slug / f"{slug}.ipynb"
        overwrite(path, nbformat.writes(fill(sheet, plan, unit)) + "\n")
        expected[plan.student] = expect(plan, unit)
    overwrite(home / "expected.json", json.dumps(expected, indent=1) + "\n")
    return home


def plans(unit: Any) -> Iterator[Plan]:
    """Notebooks without end: first one of each kind, then mixtures, the same on every run."""
    exercises = unit.exercises.values()
    made = 0

    def plan(kind: str, answers: dict[str, str | None], written: str | None) -> Plan:
        nonlocal made
        made += 1
        return Plan(f"{made:02}-{kind}", answers, written)

    def packed(names: dict[str, list[str]], k: int) -> dict[str, str | None]:
        """The k-th of each exercise; the right answer where there are fewer."""
        return {e: of[k] if k < len(of) else "reference" for e, of in names.items()}

    alternatives = {e.name: list(e.alternatives) for e in exercises}
    mistakes = {e.name: list(e.mistakes) for e in exercises}
    names = list(unit.exercises)
    yield plan("solution", dict.fromkeys(names, "reference"), "full")
    yield plan("untouched", dict.fromkeys(names), None)
    for k in range(max(map(len, alternatives.values()), default=0)):
        yield plan(f"alternative-{k + 1}", packed(alternatives, k), EXEMPLARS[k % 3])
    for k in range(max(map(len, mistakes.values()), default=0)):
        yield plan(f"mistake-{k + 1}", packed(mistakes, k), EXEMPLARS[k % 3])
    for parity in (0, 1):
        some = {e: "reference" if i % 2 == parity else None for i, e in enumerate(names)}
        yield plan(f"partial-{parity + 1}", some, None)
    rng = random.Random(0)
    while True:
        strength = rng.random()  # a class has stronger and weaker students
        mixed: dict[str, str | None] = {}
        for e in exercises:
            right, wrong = ["reference", *e.alternatives], [*e.mistakes, None]
            mixed[e.name] = rng.choice(right if rng.random() < strength else wrong)
        yield plan("mixed", mixed, rng.choice((*EXEMPLARS, None)))


def fill(sheet: nbformat.NotebookNode, plan: Plan, unit: Any) -> nbformat.NotebookNode:
    """A copy of the learner's sheet with the plan's answers in it."""
    notebook = nbformat.from_dict(json.loads(json.dumps(sheet)))
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if which := plan.answers.get(name):
            cell.source = unit.exercises[name].source(which).rstrip()
        elif name in unit.questions and plan.written:
            cell.source = unit.questions[name].exemplars[plan.written]
    return notebook


def expect(plan: Plan, unit: Any) -> dict[str, Any]:
    """The grade that a plan implies, part by part, from the exercises' descriptions alone."""
    exercises = {}
    for name, which in plan.answers.items():
        exercise = unit.exercises[name]
        mistake = exercise.mistakes.get(which)
        lost = exercise.parts if which is None else (mistake.loses if mistake else ())
        parts = {part: part not in lost for part in exercise.parts}
        exercises[name] = {
            "answer": which,
            "parts": parts,
            "points": sum(exercise.parts[part] for part, right in parts.items() if right),
            "mistakes": [which] if mistake else [],
        }
    return {
        "exercises": exercises,
        "automatic": sum(e["points"] for e in exercises.values()),
        "written": plan.written,
        "to_be_graded": len(unit.questions) if plan.written else 0,
    }


def verify_sample(slug: str, home: str | Path) -> list[str]:
    """Where the graded class differs from ``expected.json``; an empty list is right."""
    home = Path(home).resolve()
    expected = json.loads((home / "expected.json").read_text(encoding="utf-8"))
    rows = {row.student: row for row in read(slug, home)}
    differences = [f"{student}: not expected" for student in rows.keys() - expected.keys()]
    for student, right in expected.items():
        if student not in rows:
            differences.append(f"{student}: has no grade")
            continue
        row, said = rows[student], verdicts(slug, home, student)
        for key in ("automatic", "to_be_graded"):
            if (got := getattr(row, key)) != right[key]:
                differences.append(f"{student}: {key} is {got:g}, must be {right[key]:g}")
        for name, want in right["exercises"].items():
            # a cell that ends in an error, as an untouched one does, has no verdict: nothing earned
            verdict = said.get(name, {"parts": dict.fromkeys(want["parts"], False)})
            for what, value in (
                ("points", row.exercises.get(name)),
                ("parts", verdict["parts"]),
                ("mistakes", verdict.get("mistakes", []) if want["answer"] else []),
            ):
                if value != want[what]:
                    differences.append(
                        f"{student}: {what} of {name} ({want['answer']}) are {value}, "
                        f"must be {want[what]}"
                    )
    return differences
