"""What grading needs of this machine, what is missing, and the command that mends it."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.table import Table

from dlcourse.grading.course import SEED_FILE, environment
from dlcourse.grading.errors import CourseError
from dlcourse.grading.isolation import level

OLDEST = (3, 11)
EXTRAS = {  # extra: packages that show it is there
    "lab": ("jupyterlab", "ipykernel"),
    "grading": ("nbgrader", "jupytext", "setuptools"),
    "data": ("mlxtend", "pooch"),
    "book": ("jupyter-book",),
    "torch": ("torch",),
}


@dataclass(frozen=True)
class Row:
    """One thing that was looked at. ``mend`` is a command or a sentence; empty where all is well.

    What is not ``needed`` is for some tasks only: without it the machine still counts as well.
    """

    name: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


def doctor(root: str | Path = ".") -> list[Row]:
    """Look at everything; nothing is changed but a file written and removed again."""
    root = Path(root).resolve()
    return [
        _python(),
        *_extras(),
        _kernel(),
        _alembic(root),
        _sandbox(),
        _folder(root),
        _seed(root),
        _chromium(),
    ]


def table(rows: list[Row]) -> Table:
    """The rows for the terminal."""
    shown = Table(box=None)
    for column in ("", "what", "found", "how to mend it"):
        shown.add_column(column, overflow="fold")
    for row in rows:
        mark = "[green]ok[/green]" if row.ok else "[red]missing[/red]"
        if not row.ok and not row.needed:
            mark = "[yellow]missing[/yellow]"
        shown.add_row(mark, row.name, row.found, row.mend.replace("[", r"\["))
    return shown


def well(rows: list[Row]) -> bool:
    """Whether all that grading needs is there."""
    return all(row.ok or not row.needed for row in rows)


def _python() -> Row:
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, OLDEST))
    ok = sys.version_info[:2] >= OLDEST
    mend = "" if ok else f"install Python {wanted} or newer from https://www.python.org/downloads/"
    return Row(f"Python {wanted} or newer", ok, found, mend)


def _extras() -> Iterator[Row]:
    for extra, packages in EXTRAS.items():
        found, missing = [], []
        for package in packages:
            try:
                found.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                missing.append(package)
        mend = f"python -m pip install 'dlcourse[{extra}]'" if missing else ""
        said = ", ".join(found) if not missing else f"no {', '.join(missing)}"
        yield Row(f"extra '{extra}'", not missing, said, mend, needed=extra in ("grading", "data"))


def _kernel() -> Row:
    name = "kernel 'python3'"
    mend = "python -m ipykernel install --sys-prefix"
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Row(name, False, "no jupyter_client", "python -m pip install 'dlcourse[grading]'")
    try:
        return Row(name, True, KernelSpecManager().get_kernel_spec("python3").resource_dir)
    except NoSuchKernel:
        return Row(name, False, "not registered", mend)


def _alembic(root: Path) -> Row:
    """nbgrader starts this program by its bare name when it makes a gradebook."""
    found = shutil.which("alembic", path=environment(root)["PATH"])
    mend = "" if found else "python -m pip install 'dlcourse[grading]'"
    return Row("program 'alembic'", bool(found), found or "not found", mend)


def _sandbox() -> Row:
    """Without one, grading is refused unless somebody asks for none."""
    name = "sandbox for learners' code"
    try:
        return Row(name, True, level())
    except CourseError as error:
        return Row(name, False, "none", str(error))


def _folder(root: Path) -> Row:
    try:
        with tempfile.TemporaryFile(dir=root):
            return Row("a folder to write in", True, str(root))
    except OSError as error:
        mend = "go to a folder of your own, or make this one yours with chown"
        return Row("a folder to write in", False, f"{root}: {error.strerror}", mend)


def _seed(root: Path) -> Row:
    name, path = "the secret seed", root / SEED_FILE
    if not path.exists():
        return Row(name, True, "none yet: the first `dlcourse release` makes it")
    loose = os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077
    if loose:
        return Row(name, False, "others on this machine can read it", f"chmod 600 {path}")
    return Row(name, True, str(path))


def _chromium() -> Row:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    mend = "" if found else "sudo apt-get install chromium"
    return Row("Chromium, for browser tests", bool(found), found or "not found", mend, needed=False)
