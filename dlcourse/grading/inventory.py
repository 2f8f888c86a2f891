"""A concept inventory, taken before a part and after it: what a class gained.

The normalised gain of a class is <g> = (after - before) / (1 - before), the shares of right answers
averaged over those who took it both times: R. R. Hake, Interactive-engagement versus traditional
methods: a six-thousand-student survey of mechanics test data for introductory physics courses,
American Journal of Physics 66 (1998), 64-74, section II. There a gain is called high from 0.7,
medium from 0.3, low below.
"""

import statistics
from pathlib import Path
from typing import Any

from dlcourse.checks.core import registry
from dlcourse.checks.core.choice import Choice
from dlcourse.grading.errors import CourseError
from dlcourse.grading.items import mistakes
from dlcourse.grading.scores import Row, read, verdicts

NEEDS = (
    "To show what a class gained, the same sheet must have been submitted before the part too, "
    "and graded in another folder, by the same students' ids. Name that folder: "
    "dlcourse report {} --before FOLDER"
)


def is_inventory(slug: str) -> bool:
    """Whether all of a sheet's exercises are choices without a verdict for the learner."""
    try:
        exercises = registry.unit(slug).exercises.values()
    except ValueError:  # an instructor's own sheet
        return False
    return bool(exercises) and all(isinstance(each, Choice) for each in exercises)


def inventory(slug: str, home: Path, rows: list[Row], before: Path | None) -> dict[str, Any] | None:
    """Before and after, of those who took it both times; None for any other sheet."""
    if not is_inventory(slug):
        if before is not None:
            raise CourseError(f"'{slug}' is no concept inventory: there is no before and after.")
        return None
    if before is None:
        return {"needs": NEEDS.format(slug)}
    earlier = {row.student: row for row in read(slug, before)}
    both = [(earlier[row.student], row) for row in rows if row.student in earlier]
    if not both:
        raise CourseError(f"Nobody of this class has a graded '{slug}' in {before}.")
    students = [row.student for _, row in both]
    old, new = beliefs(slug, before, students), beliefs(slug, home, students)
    return compared(both) | {
        "beliefs": {
            belief: {"before": old.get(belief, 0), "after": new.get(belief, 0)}
            for belief in sorted({*old, *new}, key=lambda b: (-old.get(b, 0), b))
        }
    }


def compared(both: list[tuple[Row, Row]]) -> dict[str, Any]:
    """The class's shares of right answers, and each question's."""
    old, new = (_share([pair[k] for pair in both]) for k in (0, 1))
    names = [name for name in both[0][1].exercises if name in both[0][0].exercises]
    questions = {}
    for name in names:
        one, two = (
            statistics.fmean(pair[k].exercises[name] / pair[k].maxima[name] for pair in both)
            for k in (0, 1)
        )
        questions[name] = {"before": one, "after": two, "gain": gain(one, two)}
    return {
        "students": len(both),
        "before": old,
        "after": new,
        "gain": gain(old, new),
        "questions": questions,
    }


def gain(before: float, after: float) -> float | None:
    """Hake's normalised gain of two shares; None where there was nothing to be gained."""
    return None if before >= 1 else (after - before) / (1 - before)


def in_words(gain: float | None) -> str:
    """What Hake calls such a gain."""
    if gain is None:
        return "nothing to be gained"
    return "high" if gain >= 0.7 else "medium" if gain >= 0.3 else "low"


def beliefs(slug: str, home: Path, students: list[str]) -> dict[str, int]:
    """Misconception -> how many of these students chose by it."""
    said = {student: verdicts(slug, home, student) for student in students}
    return {each["mistake"]: each["count"] for each in mistakes(said)}


def _share(rows: list[Row]) -> float:
    return statistics.fmean(row.automatic / row.automatic_max for row in rows)
