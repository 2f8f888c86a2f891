"""Trainings of a recorded run on several processes at once; each uses one processor."""

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


@contextmanager
def side_by_side(workers: int) -> Iterator[Callable]:
    """A ``map`` over trainings, on so many processes; with 0 here, one after the other."""
    if not workers:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def processor_seconds() -> float:
    """What this process has taken, and those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
