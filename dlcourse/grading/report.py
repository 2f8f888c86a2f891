"""What a class can do and where it went wrong, on one page that needs nothing else."""

import json
import math
import statistics
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from dlcourse.grading.course import overwrite
from dlcourse.grading.errors import CourseError
from dlcourse.grading.tally import tally


def report(slug: str, home: str | Path = ".", out: str | Path | None = None) -> Path:
    """Write the page, and the same as JSON beside it; return the page's path.

    It goes to ``<home>/build/reports/<slug>.html`` unless ``out`` says otherwise. No scripts, no
    other files: it can be mailed.
    """
    home = Path(home).resolve()
    data = tally(slug, home)
    if not data["students"]:
        raise CourseError(f"Nobody's '{slug}' is graded yet. Run: dlcourse grade {slug}")
    path = Path(out) if out else home / "build" / "reports" / f"{slug}.html"
    overwrite(path, page(data))
    overwrite(path.with_suffix(".json"), json.dumps(data, indent=1) + "\n")
    return path


def page(data: dict[str, Any]) -> str:
    """The page as HTML."""
    frame = resources.files("dlcourse.grading").joinpath("report.html").read_text("utf-8")
    scores = [student["automatic"] for student in data["students"]]
    pending = sum(student["to_be_graded"] for student in data["students"])
    return Template(frame).substitute(
        slug=escape(data["slug"]),
        facts=_facts(
            {
                "students graded": str(len(scores)),
                "mean, automatic": f"{statistics.fmean(scores):.1f} of {data['automatic_max']:g}",
                "median": f"{statistics.median(scores):g}",
                "answers to be graded": str(pending),
                "not graded": str(len(data["not_graded"])),
            }
        ),
        failed=_failed(data["not_graded"]) + _open(data["isolation"]),
        remarks=_remarks(data["remarks"]),
        seconds=_seconds(data["seconds"]),
        code=escape(", ".join(data["code"]) or "none"),
        histogram=histogram(scores, data["automatic_max"]),
        exercises=_table(
            ["Exercise", "Mean", "Share of points", "Discrimination", "Right, by part"],
            [_exercise(exercise) for exercise in data["exercises"]],
            cards=True,
        ),
        mistakes=_mistakes(data["mistakes"]),
        students=_table(
            ["Student", "Automatic", "Written", "To be graded", "Total"],
            [_student(student) for student in data["students"]],
        ),
        seeds=escape(", ".join(data["seeds"]) or "none"),
        isolation=escape(", ".join(data["isolation"]) or "none"),
    )


def histogram(scores: list[float], of: float) -> str:
    """The distribution of scores as SVG: at most ten bars, full marks in the last."""
    width = max(1, math.ceil(of / 10))
    bins = max(1, math.ceil(of / width))
    counts = [0] * bins
    for score in scores:
        counts[min(int(score // width), bins - 1)] += 1
    top = max(counts)

    def span(k: int) -> str:
        """The points of a bar: 3–5, or one number."""
        last = of if k == bins - 1 else (k + 1) * width - 1
        return f"{k * width}–{last:g}" if last > k * width else f"{k * width}"

    step, height, base = 32, 110, 132
    bars = []
    for k, count in enumerate(counts):
        h, x = height * count / top, 8 + k * step
        bars.append(
            f'<g><title>{span(k)} points: {count}</title><rect x="{x}" y="{base - h:.1f}" '
            f'width="{step - 4}" height="{h:.1f}" rx="2"/>'
            + (f'<text x="{x + 14}" y="{base - h - 5:.1f}">{count}</text>' if count else "")
            + f'<text x="{x + 14}" y="{base + 16}">{span(k)}</text></g>'
        )
    said = ", ".join(f"{span(k)}: {count}" for k, count in enumerate(counts) if count)
    return (
        f'<svg viewBox="0 0 {16 + bins * step} 168" role="img" '
        f'aria-label="Students by automatic points, {said}">{"".join(bars)}'
        f'<line x1="6" y1="{base}" x2="{10 + bins * step}" y2="{base}"/>'
        f'<text x="{8 + bins * step / 2:g}" y="164">automatic points, of {of:g}</text></svg>'
    )


def _facts(facts: dict[str, str]) -> str:
    return "".join(f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())


def _failed(reasons: dict[str, str]) -> str:
    if not reasons:
        return ""
    rows = "".join(f"<li><b>{escape(s)}</b>: {escape(why)}</li>" for s, why in reasons.items())
    return f'<section class="failed"><h2>Not graded</h2><ul>{rows}</ul></section>'


def _open(isolation: list[str]) -> str:
    """A warning where not all was graded behind walls."""
    if isolation == ["bubblewrap"] or not isolation:
        return ""
    return (
        '<section class="failed"><h2>Graded without a sandbox</h2><p>At least one cell was judged '
        "in the same process as the learner's code, which can forge what it says and reach what "
        "you can reach. Look at surprising grades yourself.</p></section>"
    )


def _remarks(remarks: dict[str, list[str]]) -> str:
    if not remarks:
        return "<p>Nothing was stopped, flagged or repaired.</p>"
    rows = [[escape(s), "<br>".join(map(escape, lines))] for s, lines in remarks.items()]
    return _table(["Student", "What to know"], rows, cards=True)


def _seconds(seconds: dict[str, dict[str, float]]) -> str:
    """Seconds a submission took, from start to end."""
    if "total" not in seconds:
        return ""
    told = seconds["total"]
    return f"A submission took {told['median']:.1f} s (median), {told['most']:.1f} s at most."


def _exercise(exercise: dict[str, Any]) -> list[str]:
    r = exercise["discrimination"]
    parts = ", ".join(f"{escape(p)} {share:.0%}" for p, share in exercise["parts"].items())
    share = exercise["difficulty"]
    return [
        _code(exercise["name"]),
        f"{exercise['mean']:.1f} of {exercise['of']:g}",
        f'<span class="bar" style="--share:{share:.3f}">{share:.0%}</span>',
        "–" if r is None else f"{r:.2f}",
        parts or "–",
    ]


def _mistakes(mistakes: list[dict[str, Any]], first: int = 10) -> str:
    """The most frequent mistakes; the others in a fold."""
    if not mistakes:
        return "<p>No known mistake was made.</p>"
    head = ["Students", "Exercise", "Mistake", "Hint"]
    rows = [
        [str(m["count"]), _code(m["exercise"]), escape(m["mistake"]), _hint(m["hint"])]
        for m in mistakes
    ]
    shown = _table(head, rows[:first], cards=True)
    if more := rows[first:]:
        fold = _table(head, more, cards=True)
        shown += f"<details><summary>{len(more)} more, less frequent</summary>{fold}</details>"
    return shown


def _student(student: dict[str, Any]) -> list[str]:
    pending = student["to_be_graded"]
    return [
        escape(student["student"]),
        f"{student['automatic']:g}",
        "–" if pending and not student["written"] else f"{student['written']:g}",
        f"<b>{pending}</b>" if pending else "",
        f"{student['total']:g}",
    ]


def _code(name: str) -> str:
    return f"<code>{escape(name)}</code>"


def _hint(text: str) -> str:
    """A hint as HTML: what stands between backticks is code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def _table(head: list[str], rows: list[list[str]], cards: bool = False) -> str:
    """A table. With ``cards`` each row becomes a card on a phone, and cells name their column."""
    body = "".join(
        "<tr>"
        + "".join(f'<td data-of="{h}"><div>{c}</div></td>' for h, c in zip(head, row, strict=True))
        + "</tr>"
        for row in rows
    )
    heads = "".join(f'<th scope="col">{h}</th>' for h in head)
    kind = ' class="cards"' if cards else ""
    return f"<table{kind}><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
