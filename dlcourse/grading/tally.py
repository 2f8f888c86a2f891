"""A class in numbers: what the report shows, and its JSON twin says."""

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from dlcourse.grading.scores import Row, read, verdicts
from dlcourse.grading.submissions import failure_note, submitted


def tally(slug: str, home: Path) -> dict[str, Any]:
    """Everything about a graded class, as plain JSON data.

    ``difficulty`` of an exercise is the mean share of its points that the class earned (1: nobody
    lost any); ``discrimination`` the correlation of an exercise's points with those of all the
    other exercises (None where one of them doesn't vary): below 0.2 it says little about who
    learned what.
    """
    rows = read(slug, home)
    said = {row.student: verdicts(slug, home, row.student) for row in rows}
    all_verdicts = [verdict for found in said.values() for verdict in found.values()]
    return {
        "slug": slug,
        "students": [
            {
                "student": row.student,
                "exercises": row.exercises,
                "questions": row.questions,
                "automatic": row.automatic,
                "written": row.written,
                "to_be_graded": row.to_be_graded,
                "total": row.total,
            }
            for row in rows
        ],
        "automatic_max": max((row.automatic_max for row in rows), default=0),
        "written_max": max((row.written_max for row in rows), default=0),
        "exercises": [describe(name, rows, said) for name in _names(rows)],
        "mistakes": _mistakes(all_verdicts),
        "not_graded": _not_graded(slug, home),
        "seeds": sorted({verdict["seed"] for verdict in all_verdicts}),
        "isolation": sorted({verdict["isolation"] for verdict in all_verdicts}),
    }


def _names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.exercises))


def describe(name: str, rows: list[Row], said: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One exercise; ``said`` holds each student's verdicts by exercise."""
    of = max(row.maxima[name] for row in rows)
    points = [row.exercises[name] for row in rows]
    rest = [row.automatic - row.exercises[name] for row in rows]
    found = [said[row.student][name]["parts"] for row in rows if name in said[row.student]]
    parts = dict.fromkeys(part for parts in found for part in parts)
    return {
        "name": name,
        "of": of,
        "mean": statistics.fmean(points),
        "difficulty": statistics.fmean(points) / of,
        "discrimination": correlation(points, rest),
        # who has no verdict got none of the parts right
        "parts": {part: sum(p.get(part, False) for p in found) / len(rows) for part in parts},
    }


def correlation(x: list[float], y: list[float]) -> float | None:
    """Pearson's r; None where one of both doesn't vary."""
    try:
        return statistics.correlation(x, y)
    except statistics.StatisticsError:
        return None


def _mistakes(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The known mistakes that the class made, the most frequent first."""
    counts = Counter(
        (verdict["exercise"], name, hint)
        for verdict in verdicts
        for name, hint in zip(verdict["mistakes"], verdict["hints"], strict=True)
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"exercise": exercise, "mistake": name, "hint": hint, "count": count}
        for (exercise, name, hint), count in ranked
    ]


def _not_graded(slug: str, home: Path) -> dict[str, str]:
    """Student -> why there is no grade of the newest submission."""
    reasons = {}
    for student in submitted(slug, home):
        note = failure_note(slug, home, student)
        if note.exists():
            reasons[student] = note.read_text(encoding="utf-8").strip()
        elif not (home / "autograded" / student / slug).exists():
            reasons[student] = "not graded yet"
    return reasons
