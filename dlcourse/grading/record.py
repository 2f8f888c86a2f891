"""How a class's grades came about: what the journal and the graded copies have on record.

A graded copy is believed only where the journal has its hash. Any other was made or changed by
other means, stock nbgrader for one, and what it says about itself may be a student's own words.
"""

import hashlib
import json
import statistics
from pathlib import Path
from typing import Any

from dlcourse.grading.journal import GRADED, Entry, Journal
from dlcourse.grading.scores import graded_notebook
from dlcourse.grading.submissions import failure_note, read_notes, submitted

UNKNOWN = "not on record"
SAFE = "bubblewrap"  # the one level under which no verdict can be forged
PHASES = ("start", "cells", "checks", "total", "worker")


def record(slug: str, home: Path, graded: list[str]) -> dict[str, Any]:
    """Who isn't graded, what a person should look at, and under what the others were graded."""
    entries = standing(slug, home, graded)
    known = {student: entry for student, entry in entries.items() if entry}
    everybody = sorted({*graded, *submitted(slug, home)})
    return {
        "not_graded": not_graded(slug, home),
        "stopped": {s: e.why for s, e in known.items() if e.why and e.outcome == GRADED},
        "flags": {s: e.flags for s, e in known.items() if e.flags},
        "repaired": {s: notes for s in everybody if (notes := read_notes(slug, home, s))},
        "same_process": same_process(slug, home, list(known)),
        "isolation": _grouped({s: e.isolation if e else UNKNOWN for s, e in entries.items()}),
        "seeds": sorted({e.source.seed for e in known.values()}),
        "sheets": sorted({e.source.sheet for e in known.values()}),
        "code": sorted({e.source.code for e in known.values()}),
        "graded_by": sorted({e.who for e in known.values()}),
        "first": min((e.when for e in known.values()), default=""),
        "last": max((e.when for e in known.values()), default=""),
        "seconds": seconds(known),
    }


def standing(slug: str, home: Path, students: list[str]) -> dict[str, Entry | None]:
    """Student -> the journal's line about the copy that is there; None where it has none."""
    lines = {(entry.student, entry.copy): entry for entry in Journal(slug, home).entries()}
    out = {}
    for student in students:
        data = graded_notebook(slug, home, student).read_bytes()
        out[student] = lines.get((student, hashlib.sha256(data).hexdigest()))
    return out


def not_graded(slug: str, home: Path) -> dict[str, str]:
    """Student -> why there is no grade of the newest submission."""
    reasons = {}
    for student in submitted(slug, home):
        note = failure_note(slug, home, student)
        if note.exists():
            reasons[student] = note.read_text(encoding="utf-8").strip()
        elif not (home / "autograded" / student / slug).exists():
            reasons[student] = "not graded yet"
    return reasons


def same_process(slug: str, home: Path, students: list[str]) -> dict[str, list[str]]:
    """Graded cell -> the students for whom it was judged in the process that ran their code."""
    found: dict[str, list[str]] = {}
    for student in students:
        cells = json.loads(graded_notebook(slug, home, student).read_text("utf-8"))["cells"]
        for cell in cells:
            if cell["metadata"].get("dlcourse", {}).get("isolation") == "same-process":
                name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
                found.setdefault(name, []).append(student)
    return found


def seconds(entries: dict[str, Entry]) -> dict[str, dict[str, Any]]:
    """Phase -> median and worst over the class, and whose the worst is."""
    out = {}
    for phase in PHASES:
        took = {s: e.seconds[phase] for s, e in entries.items() if phase in e.seconds}
        if took:
            worst = max(took, key=lambda student: took[student])
            out[phase] = {
                "median": round(statistics.median(took.values()), 3),
                "worst": round(took[worst], 3),
                "whose": worst,
            }
    return out


def warnings(data: dict[str, Any]) -> list[str]:
    """What an instructor must know before trusting these grades, a sentence each."""
    said = []
    count = sum(len(students) for students in data["isolation"].values())
    for level, students in data["isolation"].items():
        some = f"{len(students)} of {count}"
        if level == UNKNOWN:
            said.append(
                f"How {some} were graded isn't on record: not by dlcourse grade, or their graded "
                "copies were changed since. Grade them again before you rely on their points."
            )
        elif level == "same-process":
            said.append(
                f"{some} were graded without isolation: their code ran with the grader's rights, "
                "beside the judge. Such a verdict can be forged."
            )
        elif level != SAFE:
            said.append(f"{some} were graded under '{level}', not in the sandbox.")
    for key, what in (("seeds", "secrets"), ("code", "versions"), ("sheets", "sheets")):
        if len(data[key]) > 1:
            said.append(
                f"The class was graded with {len(data[key])} {what}, so not everybody met the same "
                "checks. What would change says dlcourse regrade; dlcourse grade grades all alike."
            )
    return said


def _grouped(of: dict[str, str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for student, group in sorted(of.items()):
        out.setdefault(group, []).append(student)
    return dict(sorted(out.items()))
