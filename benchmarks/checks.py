"""What a check costs beside the answer it checks: ratios, measured in one run.

``ask``: a check of a right answer against calling that answer on the same cases, deep copies and
comparisons included. ``explain``: a check of a wrong answer, which tries every known mistake,
against the check of a right one. Medians of many runs; smaller is better.
"""

import contextlib
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
from _readme import renew

from dlcourse.checks.core import registry
from dlcourse.checks.core.exercise import Exercise

RUNS = 30


def seconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def answer(exercise: Exercise, right: Callable, args: tuple) -> None:
    """One case, as the check has it done: some exercises aren't merely called."""
    with contextlib.suppress(Exception):  # where the right answer is to refuse
        exercise.look(right, *args) if exercise.look else right(*args)


def row(exercise: Exercise) -> str:
    right = exercise.from_source()
    wrong = exercise.from_source(next(iter(exercise.mistakes)))
    cases = [c.args for c in exercise.draw(0) if "refuses" not in c.parts]
    bare = seconds(lambda: [answer(exercise, right, args) for args in cases])
    check = seconds(lambda: exercise.score(right))
    explain = seconds(lambda: exercise.score(wrong))
    ratios = f"{check / bare:.1f} | {explain / check:.1f}"
    return f"| `{exercise.name}` | {1000 * check:.1f} | {ratios} |"


def main() -> None:
    exercises = [e for slug in registry.units() for e in registry.unit(slug).exercises.values()]
    rows = [row(exercise) for exercise in exercises if exercise.of == "function"]
    table = "\n".join(["| exercise | a check, ms | ask | explain |", "|---|---:|---:|---:|", *rows])
    print(table)
    where = f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}"
    renew("checks.py", f"On {where}, one thread.\n\n{(__doc__ or '').strip()}\n\n{table}")


if __name__ == "__main__":
    main()
