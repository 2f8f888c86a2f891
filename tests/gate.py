"""Everything that gates, step after step: what `make test`, `make test-all` and `make check` run.

All steps run even if one fails, so that one look shows everything; the table at the end says which,
and how long each took.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dlcourse.checks.core import registry

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
SIDE_BY_SIDE = ["-n", "auto", "--maxprocesses", "4", "--dist", "worksteal"]
DLCOURSE = [sys.executable, "-m", "dlcourse.cli"]
BOOK = ["jupyter-book", "build", ".", "-W", "-n", "--keep-going"]
SITE_TESTS = [  # they read the built pages
    f"tests/book/test_{name}.py" for name in ("site", "findable", "light", "notebooks")
]
LAST_LINES = 8  # of a command that fails among others, said again below the table


Commands = list[list[str]] | set[tuple[str, ...]]  # one after the other, or side by side


def steps(slow: bool) -> dict[str, Commands]:
    """Each step's name and its commands; a step in which they have an order ends at a failure."""
    marks = "not browser and not network and not gpu" + ("" if slow else " and not slow")
    slugs = registry.units()
    return {
        "lint": [["ruff", "check"], ["ruff", "format", "--check"]],
        "types": [["mypy"]],
        "unit tests": [
            [*PYTEST, *SIDE_BY_SIDE, "tests", "-m", marks, *(f"--ignore={t}" for t in SITE_TESTS)]
        ],
        "check matrix": [[*DLCOURSE, "verify", "--seeds", "100" if slow else "10"]],
        "sheets regenerated": [
            [*DLCOURSE, "sheets", "--out", "build/regenerated"],
            ["diff", "-r", "build/regenerated", "exercises"],
        ],
        "sheets executed": [[*PYTEST, "--nbmake", "build/source"]],
        "grading cycle": {(*DLCOURSE, "sample-class", s, "-n", class_size(s)) for s in slugs},
        "wheel": [["make", "wheel"]],
        "book": [["rm", "-rf", "_build/html", "_build/.doctrees"], BOOK],
        "site": [[*PYTEST, *SITE_TESTS, "-m", "not browser"]],
        "browser": [[*PYTEST, "tests", "-m", "browser", "-rs"]],
    }


def class_size(slug: str) -> str:
    """Students enough to carry every mistake and every alternative, and some besides."""
    exercises = registry.unit(slug).exercises.values()
    mistakes = max(len(e.mistakes) for e in exercises)
    alternatives = max(len(e.alternatives) for e in exercises)
    return str(max(20, 4 + mistakes + alternatives))


def steps_of_unit(slug: str) -> dict[str, Commands]:
    """The inner loop of one unit: its files, its matrix, its sheet, its chapter."""
    module = slug.replace("-", "_")
    files = [f"solutions/{slug}.py", f"dlcourse/checks/{module}.py"]
    return {
        "lint": [["ruff", "check", *files], ["ruff", "format", "--check", *files]],
        "check matrix": [
            [sys.executable, "-m", "dlcourse.checks.core.registry"],
            [*DLCOURSE, "verify", slug],
        ],
        "sheet": [
            [*DLCOURSE, "sheets", slug],
            [*PYTEST, "--nbmake", f"build/source/{slug}"],
        ],
        "chapter": [[*PYTEST, "tests/book/test_chapters.py"], BOOK],
    }


def run(commands: Commands) -> list[str]:
    """The commands that fail, and how. Those side by side print when they end."""
    if isinstance(commands, list):
        for command in commands:
            if code := subprocess.run(command).returncode:
                return [f"exit {code}: {readable(command)}"]
        return []

    def alone(command: tuple[str, ...]) -> str | None:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout, end="", flush=True)
        if not done.returncode:
            return None
        last = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-LAST_LINES:])
        return f"exit {done.returncode}: {readable(command)}, which ended with\n{last}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [failure for failure in pool.map(alone, sorted(commands)) if failure]


def readable(command: Iterable[str]) -> str:
    return " ".join(command).replace(sys.executable, "python")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", action="store_true", help="with what takes minutes")
    parser.add_argument("--slug", help="one unit only")
    options = parser.parse_args()
    os.chdir(Path(__file__).parents[1])
    if options.slug is not None and options.slug not in registry.units():
        known = ", ".join(registry.units())
        print(f"No unit is called {options.slug!r}. Say for example: make check SLUG={known}")
        return 1
    todo = steps_of_unit(options.slug) if options.slug else steps(options.slow)
    if not shutil.which("chromium"):
        print("Chromium is missing; browser tests are skipped. Install: apt-get install chromium")
    rows = []
    for name, commands in todo.items():
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        rows.append((name, run(commands), time.monotonic() - start))
    print(f"\n{'step':<20} {'minutes':>8}")
    for name, failures, seconds in [*rows, ("together", [], sum(r[2] for r in rows))]:
        print(f"{name:<20} {seconds / 60:8.1f}{'  FAILED' if failures else ''}")
    failed = sum(bool(failures) for _, failures, _ in rows)
    print(f"\nsteps: {len(rows) - failed} passed, {failed} failed")
    for name, failures, _ in rows:
        for failure in failures:
            print(f"{name}, {failure}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
