"""Where submissions are executed: in this process, in local workers, or on a Dask cluster.

All call the same function. A backend holds at most ``slots`` submissions and never touches the
gradebook; the one who asks it does, one submission after the other.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from dlcourse.checks.core import registry
from dlcourse.grading import jobs
from dlcourse.grading.errors import CourseError
from dlcourse.grading.isolation import NONE
from dlcourse.grading.jobs import Job
from dlcourse.grading.runner import Execution, Sheet
from dlcourse.grading.sandbox import Door, Sandbox

Execute = Callable[[Job], Execution]
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
CONTEXT: Any = multiprocessing.get_context(METHOD)
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
TRIES = 2  # a worker that dies may have been another's victim: once more, then it is a failure


@dataclass
class Finished:
    """A submission that came back: executed, or why it wasn't."""

    job: Job
    execution: Execution | None = None
    why: str = ""
    seconds: float = 0.0  # on the worker, waiting excluded


class Backend(Protocol):
    """``submit`` while there is ``room``, and ``wait`` for what comes back, in any order."""

    slots: int

    def warm(self, sheet: Sheet, isolation: str) -> None: ...  # jobs of this sheet will come

    def submit(self, job: Job) -> None: ...

    def wait(self, seconds: float | None = None) -> list[Finished]: ...

    def running(self) -> list[str]: ...  # students

    def close(self) -> None: ...  # at once: what still runs is given up


def carried_out(job: Job, execute: Execute) -> Finished:
    """Run a job; an exception is our fault, and the class goes on."""
    start = time.perf_counter()
    out = Finished(job)
    try:
        out.execution = execute(job)
    except CourseError:
        raise  # the same for everybody: no sandbox here, another version
    except Exception as error:
        out.why = f"the grader itself failed ({type(error).__name__}: {error}). Please report it."
    out.seconds = time.perf_counter() - start
    return out


class InProcess:
    """No worker: one submission after the other, here."""

    slots = 1

    def __init__(self, execute: Execute = jobs.execute):
        self.execute, self.waiting = execute, list[Job]()

    def warm(self, sheet: Sheet, isolation: str) -> None:
        """Nothing runs beside this process that could be made ready."""

    def submit(self, job: Job) -> None:
        self.waiting.append(job)

    def wait(self, seconds: float | None = None) -> list[Finished]:
        if seconds == 0 or not self.waiting:
            return []
        return [carried_out(self.waiting.pop(0), self.execute)]

    def running(self) -> list[str]:
        return [job.student for job in self.waiting]

    def close(self) -> None:
        self.waiting.clear()


def ready(
    slug: str, home: Path, isolation: str, workers: int | None = None, dask: str | None = None
) -> Backend:
    """The backend that a command line asks for, at work already while nbgrader is being loaded."""
    backend = choose(workers, dask)
    backend.warm(jobs.settings(slug, home.resolve()), isolation)
    return backend


def choose(workers: int | None = None, dask: str | None = None) -> Backend:
    """The backend that a command line asks for; as many workers as there are processors."""
    if dask is not None:
        if workers is not None:
            raise CourseError("Say -j or --dask, not both: a cluster has workers of its own.")
        from dlcourse.grading.cluster import Cluster

        return Cluster(dask)
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return Local(workers)


@dataclass
class Worker:
    """A process that executes what comes through its pipe, and ends when the pipe does."""

    process: Any
    pipe: Connection
    job: Job | None = None
    since: float = 0.0
    tries: int = 0


@dataclass
class Local:
    """Processes on this machine, forked from one that has loaded what they all need.

    That one starts nothing of its own and has one thread; this process is never forked.
    """

    slots: int
    execute: Execute = jobs.execute
    workers: list[Worker] = field(default_factory=list)
    sheet: Sheet | None = None  # that it is warm for
    sandbox: Sandbox | None = None

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise CourseError(f"Grading needs at least one worker, not {self.slots}.")

    def warm(self, sheet: Sheet, isolation: str) -> None:
        """Start the sandbox that workers share, and what they are forked from; wait for neither."""
        if self.sheet:
            return
        self.sheet = sheet
        if self.execute is jobs.execute and isolation != NONE:
            self.sandbox = sheet.sandbox(isolation)
        if METHOD == "forkserver":
            from multiprocessing import forkserver  # Windows has none

            about = registry.index().get(sheet.slug)
            unit = [registry.module_name(sheet.slug)] if about else []
            slow = ["torch._dynamo"] if about and "torch" in about.imports else []  # optimizers do
            CONTEXT.set_forkserver_preload([jobs.__name__, *unit, *slow])
            with patch.dict(os.environ, ONE_THREAD):
                forkserver.ensure_running()

    def submit(self, job: Job, tries: int = 1) -> None:
        self.warm(job.sheet, job.isolation)
        if not self.workers:
            self.workers = [self._start() for _ in range(self.slots)]
        if self.sandbox:
            self.sandbox.ready()
        worker = next((w for w in self.workers if w.job is None), None)
        if worker is None:
            self.workers.append(worker := self._start())  # in the place of one that died
        worker.job, worker.since, worker.tries = job, time.monotonic(), tries
        try:
            worker.pipe.send(job)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is dead, which `wait` sees

    def wait(self, seconds: float | None = None) -> list[Finished]:
        busy = {worker.pipe: worker for worker in self.workers if worker.job}
        if not busy:
            return []
        ends = [worker.since + worker.job.patience for worker in busy.values() if worker.job]
        left = max(0.0, min(ends) - time.monotonic())
        came = wait(list(busy), left if seconds is None else min(seconds, left))
        found = [self._take(busy[pipe]) for pipe in came]  # type: ignore[index]
        for worker in busy.values():
            if worker.job and time.monotonic() > worker.since + worker.job.patience:
                found.append(Finished(worker.job, why="its limits of time did not end it."))
                self._end(worker)
        return [each for each in found if each]

    def _take(self, worker: Worker) -> Finished | None:
        """What a worker sent; where it died instead, its job is tried once more."""
        job = worker.job
        assert job is not None
        try:
            out = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            self._end(worker)
            if worker.tries < TRIES:
                self.submit(job, worker.tries + 1)
                return None
            code = worker.process.exitcode
            how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
            return Finished(job, why=f"the process that graded it died twice ({how}).")
        worker.job = None
        if isinstance(out, CourseError):
            raise out
        return out

    def running(self) -> list[str]:
        return [worker.job.student for worker in self.workers if worker.job]

    def close(self) -> None:
        for worker in list(self.workers):
            self._end(worker, gently=worker.job is None)
        if self.sandbox:
            self.sandbox.close()
        self.sheet = self.sandbox = None

    def _start(self) -> Worker:
        ours, theirs = CONTEXT.Pipe()
        environment = dict(os.environ)  # of now; that of the process they fork from may be older
        lent = (self.sheet, self.sandbox.door) if self.sheet and self.sandbox else None
        process = CONTEXT.Process(
            target=work, args=(theirs, self.execute, environment, lent), daemon=True
        )
        process.start()
        theirs.close()
        return Worker(process, ours)

    def _end(self, worker: Worker, gently: bool = False) -> None:
        worker.pipe.close()  # an idle one then ends by itself, and closes its door
        if not gently:
            worker.process.terminate()
        worker.process.join(5)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.job = None
        self.workers.remove(worker)


def work(
    pipe: Connection,
    execute: Execute,
    environment: dict[str, str],
    lent: tuple[Sheet, Door] | None = None,
) -> None:
    """A worker's life. Ctrl-C is for the grader, which tells its workers to end."""
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it cleans up behind itself
    threading.Thread(target=_end_with_grader, daemon=True).start()
    if lent:
        jobs.lend(*lent)
    try:
        _serve(pipe, execute)
    finally:
        jobs.close()  # a forked process ends without its `atexit`


def _serve(pipe: Connection, execute: Execute) -> None:
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(carried_out(job, execute))
        except CourseError as error:
            pipe.send(error)
        except BrokenPipeError:
            return


def _end_with_grader() -> None:
    """Also where that is killed in the middle of a job."""
    grader = multiprocessing.parent_process()
    assert grader is not None
    grader.join()
    os.kill(os.getpid(), signal.SIGTERM)
