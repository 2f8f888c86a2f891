"""What one submission may use, and the control group that holds it to that."""

import os
import signal
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds; of one submission unless it says otherwise."""

    cell_seconds: float = 60  # wall time of one cell; it is interrupted, then stopped
    wall_seconds: float = 600  # of all cells together
    cpu_seconds: int = 300  # of each process
    memory: int = 2 << 30  # of each process; of all together a little more
    processes: int = 64  # threads count too
    file_bytes: int = 64 << 20  # of a file, and of all files of a folder that can be written
    output_bytes: int = 1 << 20  # of one cell's outputs


class Group:
    """A control group: counts processes and memory of a submission with all that it starts.

    Of either kind: one folder for both controllers (version 2), or one for each (version 1).
    """

    def __init__(self, limits: Limits):
        self.folders = _folders()
        for folder in set(self.folders.values()):
            _sweep(folder.parent)
        try:
            for controller, folder in self.folders.items():
                folder.mkdir(exist_ok=True)
                self._limit(controller, folder, limits)
        except OSError:
            self.close()
            raise

    def _limit(self, controller: str, folder: Path, limits: Limits) -> None:
        if controller == "pids":
            (folder / "pids.max").write_text(str(limits.processes))
            return
        # more than a process may have, so that one meets a MemoryError before it is killed
        most = limits.memory + limits.memory // 4 + (64 << 20)
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (folder / name).exists():
                (folder / name).write_text(str(most))
        for name in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
            with suppress(OSError):  # where there is swap to count
                if (folder / name).exists():
                    (folder / name).write_text("0" if "max" in name else str(most))

    def add(self, pid: int) -> None:
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(pid))

    def out_of_memory(self) -> int:
        """How many processes were killed because memory ran out, since the group was made."""
        folder = self.folders.get("memory")
        for name in ("memory.events", "memory.oom_control"):
            if folder is not None and (folder / name).exists():
                said = dict(line.split() for line in (folder / name).read_text().splitlines())
                return int(said.get("oom_kill", 0))
        return 0

    def kill(self) -> None:
        """End whatever is left; what is born meanwhile too."""
        folder = next(iter(self.folders.values()))
        until = time.monotonic() + 5
        while time.monotonic() < until:
            left = [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
            if not left:
                return
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)

    def close(self) -> None:
        until = time.monotonic() + 2
        for folder in set(self.folders.values()):
            while folder.exists() and time.monotonic() < until:
                try:
                    folder.rmdir()
                except OSError:  # its last process is still being buried
                    time.sleep(0.01)


def _folders() -> dict[str, Path]:
    """Where a group of ours would live, by controller; OSError where we may make none."""
    name = f"dlcourse-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path.lstrip("/")
    first = {c: GROUPS / c / own[c] for c in ("pids", "memory") if c in own}
    if all(c in first and first[c].is_dir() for c in ("pids", "memory")):
        return {c: folder / name for c, folder in first.items()}
    base = GROUPS / own.get("", "")
    if not {"pids", "memory"} <= {*(base / "cgroup.controllers").read_text().split()}:
        raise OSError("no controllers of processes and memory")
    (base / "cgroup.subtree_control").write_text("+pids +memory")  # refused where we live in it
    return {"pids": base / name, "memory": base / name}


def _sweep(parent: Path) -> None:
    """Remove what graders left who were killed."""
    for folder in parent.glob("dlcourse-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with suppress(OSError):  # not empty yet, or gone already
                folder.rmdir()
