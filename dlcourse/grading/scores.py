"""What a class has earned: the gradebook's numbers, and the verdicts in the graded notebooks."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.grading.course import database, did_you_mean
from dlcourse.grading.errors import CourseError
from dlcourse.grading.gradebooks import exists, opened
from dlcourse.grading.strict import VERDICT


@dataclass
class Row:
    """One student's grades of a sheet, by exercise and question."""

    student: str
    exercises: dict[str, float] = field(default_factory=dict)  # name -> points
    questions: dict[str, float | None] = field(default_factory=dict)  # None: to be graded
    maxima: dict[str, float] = field(default_factory=dict)  # name -> points it can earn

    @property
    def automatic(self) -> float:
        return sum(self.exercises.values())

    @property
    def automatic_max(self) -> float:
        return sum(self.maxima[name] for name in self.exercises)

    @property
    def written(self) -> float:
        return sum(points or 0 for points in self.questions.values())

    @property
    def written_max(self) -> float:
        return sum(self.maxima[name] for name in self.questions)

    @property
    def to_be_graded(self) -> int:
        """How many written answers still wait for a person."""
        return sum(points is None for points in self.questions.values())

    @property
    def total(self) -> float:
        return self.automatic + self.written

    @property
    def total_max(self) -> float:
        return self.automatic_max + self.written_max


def is_released(slug: str, home: Path) -> None:
    """CourseError unless the class in ``home`` has this sheet in its gradebook."""
    known: list[str] = []
    if exists(url := database(home)):
        with opened(url) as gradebook:
            known = [assignment.name for assignment in gradebook.assignments]
    if slug not in known:
        sheets = sorted({*known, *(p.stem for p in home.glob("solutions/*.py"))})
        hint = "" if slug in sheets or not sheets else did_you_mean(slug, sheets)
        raise CourseError(
            f"'{slug}' has not been released here, so the gradebook doesn't know it.{hint} "
            "Release a sheet with: dlcourse release SLUG"
        )


def read(slug: str, home: str | Path = ".") -> list[Row]:
    """A row for each student whose submission was graded, in alphabetical order."""
    home = Path(home).resolve()
    is_released(slug, home)
    rows = []
    with opened(database(home)) as gradebook:
        for submission in gradebook.assignment_submissions(slug):
            if not graded_notebook(slug, home, submission.student.id).exists():
                continue  # registered, but its first grading failed
            row = Row(submission.student.id)
            for grade in (g for notebook in submission.notebooks for g in notebook.grades):
                name = grade.name.removesuffix("_check")
                row.maxima[name] = grade.max_score
                if grade.cell_type == "code":
                    row.exercises[name] = grade.score
                else:
                    row.questions[name] = None if grade.needs_manual_grade else grade.score
            rows.append(row)
    return sorted(rows, key=lambda row: row.student)


def graded_notebook(slug: str, home: Path, student: str) -> Path:
    return home / "autograded" / student / slug / f"{slug}.ipynb"


def verdicts(slug: str, home: Path, student: str) -> dict[str, dict[str, Any]]:
    """Exercise name -> what its check said, as ``Verdict.data()``, from the graded notebook."""
    found = {}
    for output in _graded_outputs(slug, home, student):
        verdict = output.get("data", {}).get(VERDICT)
        if verdict is not None:
            found[verdict["exercise"]] = verdict
    return found


def verdict_errors(slug: str, home: Path, student: str) -> str | None:
    """Our own fault, if there is one: a check that crashed instead of judging."""
    for output in _graded_outputs(slug, home, student):
        if output.get("ename") == "CheckBroken":
            return f"graded, but a check of ours crashed and gave 0 points: {output['evalue']}"
    return None


def _graded_outputs(slug: str, home: Path, student: str) -> list[dict[str, Any]]:
    path = graded_notebook(slug, home, student)
    if not path.exists():
        return []
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    graded = [c for c in cells if c["metadata"].get("nbgrader", {}).get("grade")]
    return [output for cell in graded for output in cell.get("outputs", [])]
