"""One submitted file in, a clean notebook out, or the reason why not in plain words.

Nothing that a file holds makes this raise, and the file itself is never changed: what was repaired
is in the notebook that comes out, and said in the notes.
"""

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.grading.errors import needs
from dlcourse.grading.identify import SheetCell
from dlcourse.grading.names import copy_number
from dlcourse.grading.restore import restore

with needs("grading"):
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

MAX_BYTES = 64 << 20  # a larger file is refused; outputs are dropped anyway, so none needs it
MAX_CELLS = 5000  # each takes its time to be checked, also where it is empty
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
BOMS = [  # the longer ones first: UTF-32's begins like UTF-16's
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
]
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # nbformat's own rule for a cell's id
NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


@dataclass
class Intake:
    """What became of a submission: ``notebook`` or ``reason``, and what was repaired."""

    notebook: Any = None
    reason: str | None = None
    notes: list[str] = field(default_factory=list)


class Refused(Exception):
    """Why a file can't be graded, for the person who reads it."""


def take(
    folder: Path, slug: str, sheet: list[SheetCell] | None = None, max_bytes: int | None = None
) -> Intake:
    """The notebook of ``slug`` in a submission's folder, mended after the ``sheet`` if given."""
    out = Intake()
    try:
        path = find(folder, slug, out.notes)
        data = contents(path, MAX_BYTES if max_bytes is None else max_bytes)
        out.notebook = clean(parse(data, path.name, out.notes), path.name, out.notes)
        if sheet:
            notes, known = restore(out.notebook, sheet)
            if not known:
                raise Refused(
                    f"none of the cells of {path.name} is from this sheet. Is it another notebook?"
                )
            out.notes += notes
        out.notebook.cells = list(unique_ids(out.notebook.cells, []))
        nbformat.validate(out.notebook)
    except Refused as refused:
        out.notebook, out.reason = None, str(refused)
    except Exception as error:  # whatever a file holds, the class goes on
        out.notebook = None
        out.reason = f"{slug}.ipynb can't be made a notebook ({type(error).__name__})."
    return out


def find(folder: Path, slug: str, notes: list[str]) -> Path:
    """``<slug>.ipynb``, else its newest copy as browsers name them: ``<slug> (1).ipynb``."""
    path = folder / f"{slug}.ipynb"
    if not path.exists() and not path.is_symlink():
        others = sorted(p.name for p in folder.glob("*.ipynb"))
        copies = [(n, name) for name in others if (n := copy_number(name, slug)) is not None]
        if not copies:
            found = f" Found: {', '.join(others)}." if others else ""
            raise Refused(f"there is no file {path.name} in the submission.{found}")
        path = folder / max(copies)[1]
        notes.append(f"the file is called '{path.name}'.")
    return path


def contents(path: Path, max_bytes: int) -> bytes:
    """The file's bytes; a link, a pipe or a giant isn't even opened."""
    about = path.lstat()
    if stat.S_ISLNK(about.st_mode):
        raise Refused(f"{path.name} is a link to another file; only the file itself counts.")
    if not stat.S_ISREG(about.st_mode):
        raise Refused(f"{path.name} is no ordinary file.")
    if about.st_size > max_bytes:
        raise Refused(
            f"{path.name} has {about.st_size / 1e6:.0f} MB, more than the {max_bytes / 1e6:.0f} MB "
            "allowed. Clear its outputs and hand it in again, or allow more with --max-mb."
        )
    return path.read_bytes()


def parse(data: bytes, name: str, notes: list[str]) -> dict:
    """The file as JSON, whatever it was encoded in; lone surrogates are replaced."""
    if not data.strip():
        raise Refused(f"{name} is empty.")
    try:
        found = json.loads(text := decode(data, notes))
    except (ValueError, RecursionError):
        raise Refused(f"{name} is not a notebook: it can't be read as JSON.") from None
    if not text.strip("\x00 \t\r\n"):
        raise Refused(f"{name} is empty.")
    if not isinstance(found, dict):
        raise Refused(f"{name} is JSON, but not a notebook: it has no list of cells.")
    try:
        again = json.dumps(found, ensure_ascii=False)
    except RecursionError:
        raise Refused(f"{name} is not a notebook: it is nested too deeply.") from None
    try:
        again.encode()
    except UnicodeEncodeError:
        again = again.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        notes.append("it held characters that don't exist (lone surrogates): replaced.")
        found = json.loads(again)
    return found


def decode(data: bytes, notes: list[str]) -> str:
    encoding = next((codec for bom, codec in BOMS if data.startswith(bom)), None)
    if encoding is None and b"\x00" in data[:2]:  # JSON starts with two ASCII characters
        encoding = "utf-16-be" if data[:1] == b"\x00" else "utf-16-le"
    if encoding not in (None, "utf-8-sig"):
        notes.append(f"it was saved as {encoding[:6].upper()}: read as such.")
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding is not None:
            raise
        notes.append("it isn't UTF-8: read as Windows-1252, so some letters may be wrong.")
        return data.decode("cp1252", "replace")


def clean(found: dict, name: str, notes: list[str]) -> nbformat.NotebookNode:
    """A valid notebook of version 4.5 with the cells' text and nbgrader's metadata, no more."""
    major = found.get("nbformat")
    if major in (1, 2, 3) and not isinstance(found.get("cells"), list):
        notes.append(f"it was an old notebook (nbformat {major}): converted.")
        try:
            found = nbformat.reads(json.dumps(found), as_version=4)
            for cell in found["cells"]:
                cell.pop("id", None)  # random ones
        except Exception:
            raise Refused(
                f"{name} is a notebook of an old format ({major}) that can't be converted. "
                "Open it in Jupyter, save it, and hand it in again."
            ) from None
    elif major != 4 and isinstance(found.get("cells"), list):
        notes.append(f"it says that its format is {major!r}: read as 4.")
    cells = found.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise Refused(f"{name} is JSON, but not a notebook: it has no list of cells.")
    if len(cells) > MAX_CELLS:
        raise Refused(f"{name} has {len(cells)} cells, more than the {MAX_CELLS} allowed.")
    kernel = _dict(_dict(found.get("metadata")).get("kernelspec")).get("name", "python3")
    if kernel != "python3":
        notes.append(f"it asked for the kernel {str(kernel)[:40]!r}: python3 is used.")
    return new_notebook(
        cells=list(unique_ids([_cell(cell) for cell in cells], notes)),
        metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}},
    )


def _cell(cell: dict) -> nbformat.NotebookNode:
    """A cell without outputs, tags and what else there was: a tag can keep it from being run."""
    kind = cell.get("cell_type")
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    new = NEW.get(kind if isinstance(kind, str) else "raw", new_raw_cell)
    told = _dict(cell.get("metadata")).get("nbgrader")
    out = new(source if isinstance(source, str) else "")
    out.id = str(cell.get("id", ""))
    if isinstance(told, dict):
        out.metadata["nbgrader"] = told
    return out


def unique_ids(
    cells: list[nbformat.NotebookNode], notes: list[str]
) -> Iterator[nbformat.NotebookNode]:
    """Ids as nbformat wants them; new ones are made from place and text, so always the same."""
    seen: set[str] = set()
    twice = 0
    for place, cell in enumerate(cells):
        if cell.id in seen:
            twice += 1
        if cell.id in seen or not ID.fullmatch(cell.id):
            cell.id = hashlib.sha256(f"{place}\n{cell.source}".encode()).hexdigest()[:12]
        seen.add(cell.id)
        yield cell
    if twice:
        notes.append(f"{twice} cells had an id that another one has: they got new ones.")


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}
