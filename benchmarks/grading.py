"""What grading a class takes: stock ``nbgrader autograde`` and ``dlcourse grade -j 2``, in one run.

A class of 40, or as many as ``-n`` says, for a NumPy sheet and for a torch sheet, made of known
answers. Both grade the same notebooks into a gradebook of their own, and the scores must be
equal. Stock runs in a process of its own, as an instructor starts it; ours judges in the sandbox
where this machine has one. ``CPU`` is what all processors of the machine did in that time: kernels
and sandboxes are in it, and so would be anything else, so let nothing else run. ``wall`` is what
one waits.

Where ours spends its time, in seconds a submission: ``start``, ``cells`` and ``checks`` in the
workers, ``writer`` everything that the one process does which cleans, scores and saves.

``--curve`` grades larger and larger classes of a light sheet instead. ``cells`` is the processor's
time that a notebook's own cells take, with the checks in them, one notebook after the other in a
shell that has loaded everything; ``overhead``, what the grader itself takes, is the rest.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded, which looks once

import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import nbformat
from _readme import processor, renew
from IPython.core.interactiveshell import InteractiveShell

from dlcourse.grading.isolation import probe
from dlcourse.grading.journal import Journal
from dlcourse.grading.sample import sample_class
from dlcourse.grading.scores import read

ROOT = Path(__file__).parents[1]
SHEETS = {"NumPy": "neurons", "torch": "pytorch"}
WORKERS = 2
LIGHT, SIZES = "fairness", (10, 100, 1000)


@dataclass
class Cost:
    """Seconds a submission, and what everybody earned."""

    cpu: float
    wall: float
    scores: dict[str, float]


def busy() -> float:
    """Seconds that the processors have worked since the machine started (proc(5), ``stat``).

    Without what was started with ``nice``: that is no grader, which never is.
    """
    user, _, system, _, _, *interrupts = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:8]
    )
    return (user + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def measured(command: list[str], slug: str, home: Path, n: int) -> Cost:
    """Run it on ``slug`` to its end."""
    before, start = busy(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command, slug], cwd=home, capture_output=True, text=True
    )
    wall, cpu = time.perf_counter() - start, busy() - before
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Cost(cpu / n, wall / n, {row.student: row.automatic for row in read(slug, home)})


def made(slug: str, n: int, folder: Path) -> Path:
    """A class of its own, not graded yet."""
    (root := folder / f"{slug}-{n}").mkdir()
    shutil.copytree(ROOT / "solutions", root / "solutions")
    shutil.copy(ROOT / "pyproject.toml", root)
    return sample_class(slug, n, root)


def ours(slug: str, home: Path, n: int) -> tuple[Cost, dict[str, float]]:
    """``dlcourse grade``, and the mean seconds of each phase."""
    isolation = "auto" if probe().bubblewrap else "none"
    options = ["-j", str(WORKERS), "--isolation", isolation]
    cost = measured(["-m", "dlcourse.cli", "grade", *options], slug, home, n)
    entries = Journal(slug, home).entries()
    phases = {
        name: statistics.fmean(entry.seconds.get(name, 0.0) for entry in entries)
        for name in ("start", "cells", "checks", "worker")
    }
    return cost, phases | {"writer": max(0.0, cost.wall - phases.pop("worker") / WORKERS)}


def cells_alone(slug: str, home: Path) -> float:
    """Processor seconds that the cells of a notebook take by themselves, the mean of a class."""
    os.environ["MPLBACKEND"] = "agg"
    shell, taken = InteractiveShell.instance(), []
    files = sorted(home.glob(f"submitted/*/{slug}/{slug}.ipynb"))
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for file in [files[0], *files]:
            os.chdir(file.parent)
            cells = [c.source for c in nbformat.read(file, 4).cells if c.cell_type == "code"]
            shell.reset()
            before = time.process_time()
            for source in cells:
                shell.run_cell(source)
            taken.append(time.process_time() - before)
    return statistics.fmean(taken[1:])  # the first loads what the others find


def compare(slug: str, n: int, folder: Path) -> list[str]:
    """One class, graded by both: the rows of the table."""
    home = made(slug, n, folder)
    other = Path(shutil.copytree(home, folder / f"{slug}-stock"))
    stock = measured(["-m", "nbgrader", "autograde"], slug, other, n)
    cost, phases = ours(slug, home, n)
    if cost.scores != stock.scores:
        sys.exit(f"{slug}: other scores than stock's: {cost.scores} and {stock.scores}")
    spent = " | ".join(f"{seconds:.2f}" for seconds in phases.values())
    return [
        f"nbgrader | {stock.cpu:.2f} | {stock.wall:.2f} | 1 | | | | |",
        f"dlcourse | {cost.cpu:.2f} | {cost.wall:.2f} | {stock.wall / cost.wall:.1f} | {spent} |",
    ]


def comparison(n: int, folder: Path) -> list[str]:
    head = "| sheet | grader | CPU, s | wall, s | ratio of wall | start | cells | checks | writer |"
    rows = [
        f"| {name} | {row}" for name, slug in SHEETS.items() for row in compare(slug, n, folder)
    ]
    return [head, "|---|---|" + "---:|" * 7, *rows]


def curve(sizes: tuple[int, ...], folder: Path) -> list[str]:
    """What a submission takes, class by class."""
    lines = [f"| class (*{LIGHT}*) | CPU, s | cells | overhead | wall, s |", "|---:" * 5 + "|"]
    for n in sizes:
        home = made(LIGHT, n, folder)
        cost, _ = ours(LIGHT, home, n)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            cells = pool.submit(cells_alone, LIGHT, home).result()
        row = f"{cost.cpu:.2f} | {cells:.2f} | {cost.cpu - cells:.2f} | {cost.wall:.2f}"
        lines.append(f"| {n:,} | {row} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=40, help="students, 40 unless told")
    parser.add_argument("--curve", action="store_true", help="larger and larger classes instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = curve(SIZES, folder) if options.curve else comparison(options.n, folder)
    table = "\n".join(lines)
    print(table)
    level = "in the sandbox" if probe().bubblewrap else "on stock kernels, without a sandbox"
    where = f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}"
    size = "" if options.curve else f"; {options.n} notebooks a sheet"
    about = f"On {where}{size}, ours {level}."
    title = "grading.py --curve" if options.curve else "grading.py"
    words = "" if options.curve else f"{(__doc__ or '').strip()}\n\n"
    renew(title, f"{about}\n\n{words}{table}")


if __name__ == "__main__":
    main()
