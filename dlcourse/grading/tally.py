"""A class in numbers: what the report shows, and its JSON twin says."""

import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from dlcourse.grading.journal import GRADED, Entry, Journal
from dlcourse.grading.scores import Row, read, verdicts
from dlcourse.grading.submissions import failure_note, read_notes, submitted


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
    runs = {s: entry for s, entry in Journal(slug, home).last().items() if s in said}
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
        "mistakes": _mistakes(said),
        "not_graded": _not_graded(slug, home),
        "remarks": _remarks(slug, home, runs),
        "seconds": _seconds(runs),
        "seeds": sorted({verdict["seed"] for verdict in all_verdicts}),
        "isolation": sorted(
            {verdict["isolation"] for verdict in all_verdicts}
            | {run.isolation for run in runs.values() if run.isolation}
        ),
        "code": sorted({run.source.code for run in runs.values()}),
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


def _mistakes(said: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The known mistakes that the class made, the most frequent first, and who made them."""
    made: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for student, verdicts_of in said.items():
        for verdict in verdicts_of.values():
            for name, hint in zip(verdict["mistakes"], verdict["hints"], strict=True):
                made[verdict["exercise"], name, hint].append(student)
    ranked = sorted(made.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {
            "exercise": exercise,
            "mistake": name,
            "hint": hint,
            "count": len(students),
            "students": students,
        }
        for (exercise, name, hint), students in ranked
    ]


def _remarks(slug: str, home: Path, runs: dict[str, Entry]) -> dict[str, list[str]]:
    """Student -> what a person should know of the grading: not all run, flagged, repaired."""
    found = {}
    for student, run in runs.items():
        stopped = [f"not all was run: {run.why}"] if run.outcome == GRADED and run.why else []
        flags = [flag for flag in run.flags if flag != run.why]
        if lines := [*stopped, *flags, *read_notes(slug, home, student)]:
            found[student] = lines
    return found


def _seconds(runs: dict[str, Entry]) -> dict[str, dict[str, float]]:
    """What submissions took: median and most, for each step that was timed."""
    steps: dict[str, list[float]] = defaultdict(list)
    for run in runs.values():
        for step, seconds in run.seconds.items():
            steps[step].append(seconds)
    return {
        step: {"median": statistics.median(times), "most": max(times)}
        for step, times in steps.items()
    }


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
