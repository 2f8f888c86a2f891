"""A class in numbers: what the report shows, and its JSON twin says."""

from pathlib import Path
from typing import Any

from dlcourse.grading.inventory import inventory
from dlcourse.grading.items import by_chance, distribution, exercise, mistakes, parts_lost, question
from dlcourse.grading.record import record, warnings
from dlcourse.grading.scores import Row, read, verdicts


def tally(slug: str, home: Path, before: Path | None = None) -> dict[str, Any]:
    """Everything about a graded class, as plain JSON data.

    ``difficulty`` of an exercise is the mean share of its points that the class earned (1: nobody
    lost any), ``discrimination`` is what :func:`dlcourse.grading.items.discrimination` says.
    ``before`` is the home in which this class took the same inventory earlier.
    """
    rows = read(slug, home)
    said = {row.student: verdicts(slug, home, row.student) for row in rows}
    exercises = [exercise(name, rows, said) for name in _names(row.exercises for row in rows)]
    how = record(slug, home, [row.student for row in rows])
    return {
        "slug": slug,
        "students": [_student(row) for row in rows],
        "automatic_max": max((row.automatic_max for row in rows), default=0),
        "written_max": max((row.written_max for row in rows), default=0),
        "automatic": distribution(
            [row.automatic for row in rows], max((row.automatic_max for row in rows), default=0)
        ),
        "written": distribution(
            [row.written for row in rows if row.questions and not row.to_be_graded],
            max((row.written_max for row in rows), default=0),
        ),
        "exercises": exercises,
        "questions": [question(name, rows) for name in _names(row.questions for row in rows)],
        "by_chance": by_chance(len(rows)),
        "parts_lost": parts_lost(exercises, len(rows)),
        "mistakes": mistakes(said),
        "inventory": inventory(slug, home, rows, before),
        **how,
        "warnings": warnings(how),
    }


def _names(of: Any) -> list[str]:
    return list(dict.fromkeys(name for named in of for name in named))


def _student(row: Row) -> dict[str, Any]:
    return {
        "student": row.student,
        "exercises": row.exercises,
        "questions": row.questions,
        "automatic": row.automatic,
        "written": row.written,
        "to_be_graded": row.to_be_graded,
        "total": row.total,
    }
