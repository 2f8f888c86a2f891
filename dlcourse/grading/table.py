"""Tables that other systems write and read: CSV, whatever its encoding and its separator."""

import csv
import io
import os
from pathlib import Path

from dlcourse.grading.errors import CourseError

MAX_BYTES = 64 << 20


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows; CourseError where the file is no table."""
    if not path.is_file():
        raise CourseError(f"There is no file {path}.")
    if os.path.getsize(path) > MAX_BYTES:
        raise CourseError(f"{path.name} is too large for a table of students.")
    data = path.read_bytes()
    if data[:2] == b"PK":
        raise CourseError(f"{path.name} is a spreadsheet. Save or export it as CSV.")
    text = _decode(data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise CourseError(f"{path.name} can't be read as CSV: {error}.") from error
    rows = [[cell.strip("\x00") for cell in row] for row in rows if any(c.strip() for c in row)]
    if not rows:
        raise CourseError(f"{path.name} is empty.")
    return rows[0], rows[1:]


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # Excel's "Unicode text"
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def table_text(rows: list[list[str]]) -> str:
    """The rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def harmless(text: str) -> str:
    """A text that a spreadsheet won't run as a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
