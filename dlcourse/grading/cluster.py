"""Submissions executed on a Dask cluster, for classes that one machine is too small for.

Workers need the same version of the course, which is looked at first, and nothing of the class: no
folder, no gradebook. A job carries the sheet's hidden cases, so the cluster must be the
instructor's own. Dask can't stop what runs, so limits of time are those of the runner.
"""

from typing import Any

from dlcourse.grading import jobs
from dlcourse.grading.backends import Execute, Finished, carried_out
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.jobs import Job
from dlcourse.grading.runner import Sheet

with needs("dask"):
    from distributed import Client, wait

CONNECT_SECONDS = 20


def other_version(digest: str) -> str | None:
    """On a worker: what it has in place of the grader's version; None where they are equal."""
    return None if jobs.digest() == digest else jobs.digest()


class Cluster:
    """The scheduler at ``address``; twice as many submissions are under way as it has threads."""

    def __init__(self, address: str, execute: Execute = jobs.execute):
        self.execute, self.futures = execute, dict[Any, Job]()
        try:
            self.client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CourseError(f"No Dask scheduler answers at {address}: {error}") from error
        try:
            self._look()
        except BaseException:
            self.client.close()
            raise

    def _look(self) -> None:
        threads = self.client.nthreads()
        if not threads:
            raise CourseError("The Dask scheduler has no workers. Start some: dask worker ADDRESS")
        self.slots = 2 * sum(threads.values())
        try:
            found = self.client.run(other_version, jobs.digest())
        except Exception as error:  # the worker's own: mostly that it can't import the course
            raise CourseError(
                f"A Dask worker can't grade: {type(error).__name__}: {error}. It needs "
                "'dlcourse[grading,dask]' in the grader's version."
            ) from error
        if wrong := [worker for worker, version in found.items() if version]:
            raise CourseError(
                f"Other versions of the course than here are on: {', '.join(wrong)}. "
                "Install the same one there."
            )

    def warm(self, sheet: Sheet, isolation: str) -> None:
        """Its workers are there already; their sandboxes are opened when they are needed."""

    def submit(self, job: Job) -> None:
        future = self.client.submit(carried_out, job, self.execute, pure=False)
        self.futures[future] = job

    def wait(self, seconds: float | None = None) -> list[Finished]:
        if not self.futures:
            return []
        try:
            with self.client.as_current():
                done = wait(list(self.futures), seconds, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return []
        return [self._take(future) for future in done]

    def _take(self, future: Any) -> Finished:
        job = self.futures.pop(future)
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, CourseError):
            raise error
        return Finished(job, why=f"the cluster lost it ({type(error).__name__}: {error}).")

    def running(self) -> list[str]:
        return [job.student for job in self.futures.values()]

    def close(self) -> None:
        self.client.cancel(list(self.futures), force=True)
        self.futures.clear()
        self.client.close()
