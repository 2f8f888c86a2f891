"""What grading a class takes: stock ``nbgrader autograde`` and ``dlcourse grade -j 2``, in one run.

A class of 40, or as many as the command line says, for a NumPy sheet and for a torch sheet, made of
known answers. Both grade the same notebooks into a gradebook of their own, and the scores must be
equal. Stock runs in a process of its own, as an instructor starts it; ours judges in the sandbox
where this machine has one. ``CPU`` is that of all processes together, ``wall`` what one waits.

Where ours spends its time, in seconds a submission: ``start``, ``cells`` and ``checks`` in the
workers, ``writer`` everything that the one process does which cleans, scores and saves.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded, which looks once

import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from _readme import processor, renew

from dlcourse.grading.isolation import probe
from dlcourse.grading.journal import Journal
from dlcourse.grading.sample import sample_class
from dlcourse.grading.scores import read

ROOT = Path(__file__).parents[1]
SHEETS = {"NumPy": "neurons", "torch": "pytorch"}
WORKERS = 2


@dataclass
class Cost:
    """Seconds a submission, and what everybody earned."""

    cpu: float
    wall: float
    scores: dict[str, float]


def measured(command: list[str], home: Path, n: int) -> Cost:
    """Run it to its end; the processor's time is that of its children too."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=home, capture_output=True, text=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu / n, wall / n, {row.student: row.automatic for row in read(SLUG[home], home)})


SLUG: dict[Path, str] = {}


def compare(slug: str, n: int, folder: Path) -> tuple[Cost, Cost, dict[str, float]]:
    """One class, graded by both."""
    (root := folder / slug).mkdir()
    shutil.copytree(ROOT / "solutions", root / "solutions")
    shutil.copy(ROOT / "pyproject.toml", root)
    home = sample_class(slug, n, root)
    other = Path(shutil.copytree(home, folder / f"{slug}-stock"))
    SLUG.update({home: slug, other: slug})
    stock = measured(["-m", "nbgrader", "autograde", slug], other, n)
    isolation = "auto" if probe().bubblewrap else "none"
    command = ["-m", "dlcourse.cli", "grade", slug, "-j", str(WORKERS), "--isolation", isolation]
    ours = measured(command, home, n)
    if ours.scores != stock.scores:
        sys.exit(f"{slug}: other scores than stock's: {ours.scores} and {stock.scores}")
    entries = Journal(slug, home).entries()
    phases = {name: 0.0 for name in ("start", "cells", "checks")}
    for name in phases:
        phases[name] = statistics.fmean(entry.seconds.get(name, 0.0) for entry in entries)
    worker = statistics.fmean(entry.seconds["worker"] for entry in entries)
    return stock, ours, phases | {"writer": max(0.0, ours.wall - worker / WORKERS)}


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    head = "| sheet | grader | CPU, s | wall, s | ratio of wall | start | cells | checks | writer |"
    lines = [head, "|---|---|" + "---:|" * 7]
    with tempfile.TemporaryDirectory() as folder:
        for name, slug in SHEETS.items():
            stock, ours, phases = compare(slug, n, Path(folder))
            lines.append(f"| {name} | nbgrader | {stock.cpu:.2f} | {stock.wall:.2f} | 1 | | | | |")
            spent = " | ".join(f"{seconds:.2f}" for seconds in phases.values())
            lines.append(
                f"| {name} | dlcourse | {ours.cpu:.2f} | {ours.wall:.2f} | "
                f"{stock.wall / ours.wall:.1f} | {spent} |"
            )
    table = "\n".join(lines)
    print(table)
    level = "in the sandbox" if probe().bubblewrap else "on stock kernels, without a sandbox"
    where = f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}"
    about = f"On {where}; {n} notebooks a sheet, ours {level}."
    renew("grading.py", f"{about}\n\n{(__doc__ or '').strip()}\n\n{table}")


if __name__ == "__main__":
    main()
