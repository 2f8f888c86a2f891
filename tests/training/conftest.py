"""Processes that have imported torch already: a fork of one server takes milliseconds."""

import multiprocessing
import os
import runpy
import signal
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server():
    """The context of a fork server that knows torch and the package."""
    context = multiprocessing.get_context("forkserver")
    slow = ["torch", "torch._dynamo", "torch.distributed"]  # the second: with any optimizer
    context.set_forkserver_preload([*slow, "dlcourse.training.fit", "dlcourse.training.data"])
    return context


@pytest.fixture
def start(server):
    """``start(name, **options)`` calls that function of runs.py in a process, which it returns.

    No process outlives the test. By path, since another package is called ``tests``, too.
    """
    started = []

    def begin(name, **options):
        job = (str(Path(__file__).with_name("runs.py")), {"job": (name, options)})
        process = server.Process(target=runpy.run_path, args=job)
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.is_alive():
            process.kill()
        process.join()
        try:
            os.killpg(process.pid, signal.SIGKILL)  # its workers, where it leads a group
        except (ProcessLookupError, PermissionError):
            pass
        process.close()
