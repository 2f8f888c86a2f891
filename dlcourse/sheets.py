"""A learner's own copies of the exercise sheets, opened in JupyterLab."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

PACKAGE = Path(__file__).parent


class NoLab(ImportError):
    """JupyterLab isn't installed."""


def sheets() -> list[Path]:
    """The sheets that come with the package, or with the repository it is installed from."""
    inside = sorted((PACKAGE / "exercises").glob("*.ipynb"))
    return inside or sorted((PACKAGE.parent / "exercises").glob("*/*.ipynb"))


def hand_out(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy the sheets that ``folder`` lacks; those that are there stay as they are: (new, kept)."""
    new, kept = [], []
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in sheets():
        target = folder / sheet.name
        if target.exists():
            kept.append(target)
            continue
        # a copy that breaks off must not pass for a sheet that the learner has
        part = target.with_suffix(".part")
        shutil.copyfile(sheet, part)
        part.replace(target)
        new.append(target)
    return new, kept


def open_lab(folder: Path, *, browser: bool, console: Console) -> None:
    """Hand out the sheets and start JupyterLab on them; ends with JupyterLab's own exit code."""
    if find_spec("jupyterlab") is None:
        raise NoLab('JupyterLab is missing. Install it with: pip install "dlcourse[lab]"')
    new, kept = hand_out(folder)
    console.print(f"{len(new)} new sheets and {len(kept)} of yours in {folder.resolve()}")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"]
    sys.exit(subprocess.run(command + ([] if browser else ["--no-browser"])).returncode)
