"""Item analysis: how hard each exercise was for a class, and what it says about who knows more."""

import math
import statistics
from typing import Any

from dlcourse.grading.scores import Row

FEW = 10  # students; of fewer a correlation says nothing: chance alone takes it beyond 0.6

Said = dict[str, dict[str, dict[str, Any]]]  # student -> exercise -> ``Verdict.data()``


def exercise(name: str, rows: list[Row], said: Said) -> dict[str, Any]:
    """One exercise; ``said`` holds each student's verdicts by exercise."""
    had = [row for row in rows if name in row.exercises]
    found = [said[row.student][name]["parts"] for row in had if name in said[row.student]]
    parts = dict.fromkeys(part for parts in found for part in parts)
    points = [row.exercises[name] for row in had]
    rest = [row.automatic - row.exercises[name] for row in had]
    return {
        "name": name,
        **_item(points, rest, max(row.maxima[name] for row in had)),
        # who has no verdict got none of the parts right
        "parts": {part: sum(p.get(part, False) for p in found) / len(had) for part in parts},
    }


def question(name: str, rows: list[Row]) -> dict[str, Any]:
    """A written question, of those whose answer a person has marked.

    Its discrimination is against the automatic points: these nobody has marked with it in mind.
    """
    had = [row for row in rows if name in row.questions]
    marked = [(row, points) for row in had if (points := row.questions[name]) is not None]
    rest = [row.automatic for row, _ in marked]
    item = _item([points for _, points in marked], rest, max(row.maxima[name] for row in had))
    return {"name": name, **item, "marked": len(marked), "waiting": len(had) - len(marked)}


def _item(points: list[float], rest: list[float], of: float) -> dict[str, Any]:
    mean = statistics.fmean(points) if points else None
    return {
        "of": of,
        "mean": mean,
        "difficulty": None if mean is None or not of else mean / of,
        "discrimination": discrimination(points, rest),
    }


def discrimination(points: list[float], rest: list[float]) -> float | None:
    """The corrected item-total correlation: Pearson's r of an item with the total without it.

    With r the correlation of item i and total t, and s their standard deviations, it equals
    (r s_t - s_i) / sqrt(s_t^2 + s_i^2 - 2 r s_t s_i): Nunnally and Bernstein, Psychometric Theory,
    3rd edition, McGraw-Hill 1994, chapter 8. Without the correction an item is correlated with
    itself. None of fewer than ``FEW`` students, and where one of both doesn't vary.
    """
    if len(points) < FEW:
        return None
    try:
        return statistics.correlation(points, rest)
    except statistics.StatisticsError:
        return None


def by_chance(n: int) -> float | None:
    """How far from 0 chance takes 19 of 20 correlations that are none, by Fisher's z."""
    return None if n < FEW else math.tanh(1.96 / math.sqrt(n - 3))


def parts_lost(exercises: list[dict[str, Any]], students: int) -> list[dict[str, Any]]:
    """The parts that somebody lost, the most frequently lost first."""
    lost = [
        {"exercise": e["name"], "part": part, "lost": 1 - share}
        | {"students": round((1 - share) * students)}
        for e in exercises
        for part, share in e["parts"].items()
        if share < 1
    ]
    return sorted(lost, key=lambda each: -each["lost"])


def mistakes(said: Said) -> list[dict[str, Any]]:
    """The known mistakes that the class made and who made them, the most frequent first."""
    made: dict[tuple[str, str, str], list[str]] = {}
    for student, verdicts in said.items():
        for verdict in verdicts.values():
            for name, hint in zip(verdict["mistakes"], verdict["hints"], strict=True):
                made.setdefault((verdict["exercise"], name, hint), []).append(student)
    ranked = sorted(made.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {"exercise": exercise, "mistake": name, "hint": hint}
        | {"count": len(students), "students": sorted(students)}
        for (exercise, name, hint), students in ranked
    ]


def bars(scores: list[float], of: float) -> list[dict[str, float]]:
    """The distribution of points in at most ten bars of whole width; full marks are in the last."""
    width = max(1, math.ceil(of / 10))
    edges = [*range(0, math.ceil(of) or 1, width), of or 1]
    counts = [0] * (len(edges) - 1)
    for score in scores:
        counts[min(max(0, int(score // width)), len(counts) - 1)] += 1
    return [
        {"from": low, "to": high, "count": count}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def distribution(scores: list[float], of: float) -> dict[str, Any]:
    """What the plot shows of these scores."""
    return {
        "of": of,
        "students": len(scores),
        "mean": statistics.fmean(scores) if scores else None,
        "median": statistics.median(scores) if scores else None,
        "bars": bars(scores, of),
    }
