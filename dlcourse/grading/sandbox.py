"""A sandbox for one sheet: a warm process inside bubblewrap, which forks a worker a submission.

Inside is nothing but what ``enclosure`` allows, all of it read-only, and no network.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcourse.grading import enclosure
from dlcourse.grading.errors import CourseError
from dlcourse.grading.isolation import level, probe
from dlcourse.grading.limits import Group, Limits
from dlcourse.grading.wire import PLAIN, Channel

START_SECONDS = 120  # importing torch takes its time on a busy machine
NOBODY = 65534
CLEAN = {
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "USER": "learner",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_NUM_THREADS": "1",  # and a process with more threads can't be forked
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Submission:
    """One worker: a connection to it, and a handle to end it by, with all that it started."""

    def __init__(self, channel: Channel, handle: int, group: Group | None):
        self.channel, self.handle, self.group = channel, handle, group
        self._killed_before = group.out_of_memory() if group else 0
        if group:
            group.add(_pid(handle))

    def interrupt(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGINT)

    def ran_out_of_memory(self) -> bool:
        return self.group is not None and self.group.out_of_memory() > self._killed_before

    def close(self) -> None:
        """Kill it: as process 1 of its namespace it takes all others along."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        if self.group:
            self.group.kill()
        os.close(self.handle)
        self.channel.sock.close()


class Door:
    """A way into a warm process: one submission at a time; many, one after the other.

    It may be sent to another process as that is started. All doors of a sandbox can be in use at
    once.
    """

    def __init__(self, control: socket.socket, limits: Limits, isolation: str, log: Path):
        self.control, self.limits, self.isolation, self.log = control, limits, isolation, log
        self._group: Group | None = None

    @property
    def group(self) -> Group | None:
        """What holds this door's submissions to their limits; made where it is used."""
        if self._group is None and probe().groups:
            self._group = Group(self.limits)
        return self._group

    def submission(self, random_state: int = 0) -> Submission:
        """Fork a worker. Close it before you ask for the next one."""
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [str(random_state).encode()], [theirs.fileno()])
        mine.settimeout(30)
        _, handles, _, _ = socket.recv_fds(mine, 3, 1)
        if not handles:
            mine.close()
            raise CourseError("The sandbox could not start a worker: " + last_words(self.log))
        submission = Submission(Channel(mine, PLAIN), handles[0], self.group)
        submission.channel.send("begin")
        return submission

    def close(self) -> None:
        self.control.close()
        if self._group:
            self._group.close()


def last_words(log: Path) -> str:
    said = log.read_text("utf8", "replace").strip().splitlines()
    return said[-1] if said else "it gave no reason"


class Sandbox:
    """The warm process of one sheet, and a door to it.

    Open it in the thread that outlives it: bubblewrap dies with the thread that started it. It is
    being started as you get it; ``ready()`` waits until it is there.
    """

    def __init__(
        self,
        forbids: Iterable[str] = (),
        extras: Iterable[str] = ("data",),
        sheet_imports: Iterable[str] = (),
        limits: Limits | None = None,
        isolation: str = "auto",
        packages: Iterable[str] = (),
    ):
        self.isolation = level(isolation)
        self.limits = limits or Limits()
        self.forbids, self.extras = sorted(set(forbids)), sorted(set(extras))
        self.packages = sorted(packages)  # distributions, beside those that the course needs
        self.behind_data = enclosure.behind_data(sheet_imports)
        self.folder = Path(tempfile.mkdtemp(prefix="dlcourse-"))
        self.process: subprocess.Popen | None = None
        self.is_ready = False
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door = Door(control, self.limits, self.isolation, self.folder / "log")
        try:
            enclosure.course(self.folder, self.forbids, sheet_imports)
            self._start(theirs)
        except BaseException:
            self.close()
            raise

    def _start(self, theirs: socket.socket) -> None:
        descriptor = theirs.fileno()
        bound = enclosure.packages(self.extras, self.forbids, self.packages)
        isolated = self.isolation == "bubblewrap"
        paths = ["/course", "/site"] if isolated else [str(self.folder), *_sites(bound)]
        code = (
            f"import sys; sys.path[:0] = {paths!r}; sys.argv = ['zygote', *sys.argv[1:]]; "
            "import runpy; runpy.run_module('dlcourse.grading.zygote', run_name='__main__')"
        )
        python = [str(enclosure.executable()), "-I", "-B", "-S", "-c", code]
        command = [*(self._walls(bound) if isolated else []), *python]
        command += [str(descriptor), json.dumps(self._settings(isolated))]
        with open(self.door.log, "wb") as file:
            self.process = subprocess.Popen(
                command,
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                env={} if isolated else CLEAN,
                cwd="/",
                start_new_session=True,
            )
        theirs.close()  # so that its end is an end here too

    def ready(self) -> None:
        """Wait until submissions can be had; CourseError with its last words where it ended."""
        if self.is_ready:
            return
        assert self.process is not None
        self.door.control.settimeout(START_SECONDS)
        try:
            said = self.door.control.recv(16)
        except TimeoutError:
            said = b""
        self.door.control.settimeout(None)
        if said != b"ready":
            self.process.kill()
            self.process.wait()
            raise CourseError(f"The sandbox did not start: {last_words(self.door.log)}")
        self.is_ready = True

    def _settings(self, isolated: bool) -> dict[str, Any]:
        torch = ["torch", "torch._dynamo"] if "torch" in self.extras else []
        return {
            "isolated": isolated,
            "preload": ["numpy", "matplotlib.pyplot", "dlcourse.checks", *torch],
            "preload_if_there": self.behind_data,
            "forbids": [name for name in self.forbids if name != "dlcourse"],
            "limits": asdict(self.limits),
        }

    def _walls(self, bound: dict[str, Path]) -> list[str]:
        """The command line of bubblewrap."""
        command = ["bwrap", "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session"]
        command += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"]
        command += ["--clearenv"]
        for name, value in CLEAN.items():
            command += ["--setenv", name, value]
        for path in enclosure.interpreter():
            command += ["--ro-bind", str(path), str(path)]
        shell = Path("/bin/sh").resolve()  # for `!` and subprocesses; the programs are not there
        command += ["--ro-bind", str(shell), "/usr/bin/sh"]
        for name in ("lib", "lib64", "bin"):
            command += ["--symlink", f"usr/{name}", f"/{name}"]
        library = enclosure.standard_library()
        for folder in ("site-packages", "dist-packages"):
            if (library / folder).is_dir():
                hidden = str(library / folder)
                command += ["--tmpfs", hidden, "--remount-ro", hidden]
        for path in enclosure.masked(self.forbids):
            command += ["--ro-bind", "/dev/null", str(path)]
        for name, path in bound.items():
            command += ["--ro-bind", str(path), f"/site/{name}"]
        command += ["--ro-bind", str(self.folder / "dlcourse"), "/course/dlcourse"]
        for about in self.folder.glob("*.dist-info"):
            command += ["--ro-bind", str(about), f"/course/{about.name}"]
        command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        return [*command, "--remount-ro", "/dev", "--remount-ro", "/"]

    def submission(self, random_state: int = 0) -> Submission:
        """Fork a worker. Close it before you ask for the next one."""
        self.ready()
        return self.door.submission(random_state)

    def close(self) -> None:
        self.door.close()
        if self.process is not None:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _sites(bound: dict[str, Path]) -> Iterator[str]:
    yield from dict.fromkeys(str(path.parent) for path in bound.values())


def _pid(handle: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{handle}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    raise ProcessLookupError(handle)
