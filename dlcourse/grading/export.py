"""The class as a CSV table, one row a student."""

import csv
import io
from pathlib import Path

from dlcourse.grading.course import overwrite
from dlcourse.grading.scores import read


def export(slug: str, home: str | Path = ".", out: str | Path | None = None) -> Path:
    """Write student, points by exercise, automatic, written, to be graded, total and maximum.

    A written answer that waits for a person is an empty field, never a 0. The file goes to
    ``<home>/build/reports/<slug>.csv`` unless ``out`` says otherwise.
    """
    rows = read(slug, home)
    names = list(dict.fromkeys(n for row in rows for n in [*row.exercises, *row.questions]))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["student", *names, "automatic", "written", "to be graded", "total", "max"])
    for row in rows:
        points = {**row.exercises, **row.questions}
        writer.writerow(
            [_text(row.student)]
            + [_number(points.get(name)) for name in names]
            + [_number(row.automatic), _number(row.written), row.to_be_graded]
            + [_number(row.total), _number(row.total_max)]
        )
    path = Path(out) if out else Path(home, "build", "reports", f"{slug}.csv")
    overwrite(path, table.getvalue())
    return path


def _number(points: float | None) -> str:
    return "" if points is None else f"{points:g}"


def _text(name: str) -> str:
    """A name that a spreadsheet won't run as a formula."""
    return "'" + name if name[:1] in "=+-@\t\r" else name
