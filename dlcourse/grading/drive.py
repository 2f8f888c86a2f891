"""The loop between the one who writes and those who execute, and what one sees of it."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dlcourse.grading.backends import Backend, Finished
from dlcourse.grading.jobs import Job

Watch = Callable[[int, list[str]], None]  # how many came to an end, and who is under way


def drive(
    students: list[str],
    prepare: Callable[[str], Job | None],
    backend: Backend,
    finished: Callable[[Finished], None],
    watch: Watch = lambda done, running: None,
) -> None:
    """Take all students through ``prepare``, the backend and ``finished``.

    Workers come first: while they are busy the next notebooks are made ready, and what came back is
    saved after they have something to do again. No more than twice the workers' number is in
    memory, however large the class is.
    """
    waiting, ready, done = deque(students), deque[Job](), 0
    with stoppable() as ask:
        while True:
            ask()
            while (ready or waiting) and len(backend.running()) < backend.slots:
                job = ready.popleft() if ready else prepare(waiting.popleft())
                if job is None:
                    done += 1
                else:
                    backend.submit(job)
                watch(done, backend.running())
            if not backend.running():
                return
            ahead = waiting and len(ready) < backend.slots
            for back in backend.wait(0 if ahead else 1.0):
                if ready:
                    backend.submit(ready.popleft())
                finished(back)
                done += 1
                ahead = False
            if ahead:
                job = prepare(waiting.popleft())
                if job is None:
                    done += 1
                else:
                    ready.append(job)
            watch(done, backend.running())


@contextmanager
def watched(total: int, console: Console | None) -> Iterator[Watch]:
    """A bar with the time that is left, and who is being graded."""
    columns = (
        TextColumn("Grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[who]}"),
    )
    quiet = console or Console(quiet=True)
    with Progress(*columns, console=quiet, disable=console is None) as progress:
        task = progress.add_task("grade", total=total, who="")

        def watch(done: int, running: list[str]) -> None:
            more = f" and {len(running) - 3} more" if len(running) > 3 else ""
            progress.update(task, completed=done, who=", ".join(running[:3]) + more)

        yield watch


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Ctrl-C and a request to end (SIGTERM) interrupt the block; call what it yields at each turn.

    The interruption may come while Python runs a destructor or a weak reference's callback, where
    it only prints exceptions: so it is remembered, and raised again at the next turn.
    """
    came: list[int] = []

    def ask() -> None:
        if came:
            raise KeyboardInterrupt

    def interrupt(number: int, frame: object) -> None:
        came.append(number)
        ask()

    with _handled(interrupt):
        yield ask


@contextmanager
def undisturbed() -> Iterator[None]:
    """Both wait until the block has come to its end: what is written is written whole."""
    came: list[int] = []
    with _handled(lambda number, frame: came.append(number)):
        yield
    if came:
        raise KeyboardInterrupt


@contextmanager
def _handled(handler: Callable[[int, object], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
