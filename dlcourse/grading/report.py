"""What a class can do and where it went wrong: as a page, as JSON, as a table of items."""

import json
from pathlib import Path
from typing import Any

from dlcourse.grading.course import overwrite
from dlcourse.grading.errors import CourseError
from dlcourse.grading.page import page
from dlcourse.grading.table import harmless, table_text
from dlcourse.grading.tally import tally

COLUMNS = ["kind", "exercise", "name", "students", "share", "of", "discrimination", "hint", "who"]


def report(
    slug: str,
    home: str | Path = ".",
    out: str | Path | None = None,
    form: str = "html",
    before: str | Path | None = None,
) -> Path:
    """Write the report; return its path. ``form`` is html (with its JSON twin), json or csv.

    It goes to ``<home>/build/reports/<slug>.html`` unless ``out`` says otherwise. The page has no
    scripts and no other files: it can be mailed. ``before`` is the folder of a class that took the
    same inventory earlier.
    """
    home = Path(home).resolve()
    data = tally(slug, home, None if before is None else Path(before).resolve())
    if not data["students"]:
        raise CourseError(f"Nobody's '{slug}' is graded yet. Run: dlcourse grade {slug}")
    name = f"{slug}-items.csv" if form == "csv" else f"{slug}.{form}"  # the export has SLUG.csv
    path = Path(out) if out else home / "build" / "reports" / name
    twin = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    if form == "html":
        overwrite(path.with_suffix(".json"), twin)
        overwrite(path, page(data))
    else:
        overwrite(path, table_text(table(data)) if form == "csv" else twin)
    return path


def table(data: dict[str, Any]) -> list[list[str]]:
    """A line for each exercise, written question, lost part and mistake, to be sorted as one likes.

    ``share`` is of the points earned, or of the students who lost the part or made the mistake.
    """
    count = len(data["students"])
    lines: list[dict[str, Any]] = []
    for kind, items in (("exercise", data["exercises"]), ("written", data["questions"])):
        for item in items:
            line = {"kind": kind, "exercise": item["name"], "share": item["difficulty"]}
            line |= {"students": item.get("marked", count), "of": item["of"]}
            lines.append(line | {"discrimination": item["discrimination"]})
    for part in data["parts_lost"]:
        line = {"kind": "part lost", "exercise": part["exercise"], "name": part["part"]}
        lines.append(line | {"students": part["students"], "share": part["lost"]})
    for made in data["mistakes"]:
        line = {"kind": "mistake", "exercise": made["exercise"], "name": made["mistake"]}
        line |= {"students": made["count"], "share": made["count"] / count, "hint": made["hint"]}
        lines.append(line | {"who": " ".join(made["students"])})
    return [COLUMNS, *([_cell(line.get(column)) for column in COLUMNS] for line in lines)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else harmless(str(value))
