"""What stands between a grader and learners' code: what this machine offers, asked once.

Where bubblewrap can't start, grading is refused with the fix in words, unless somebody asks for no
isolation in so many words.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlcourse.grading.errors import CourseError
from dlcourse.grading.limits import Group, Limits

NONE = "none"  # stock kernels, unprotected
LEVELS = ("auto", "bubblewrap", NONE)
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


@dataclass(frozen=True)
class Offer:
    """What this machine can do."""

    bubblewrap: bool
    groups: bool  # control groups that count processes and memory
    why_not: str = ""  # in words, with the fix

    @property
    def processes_counted_by(self) -> str:
        """``group``, ``limit`` (RLIMIT_NPROC), or "" where nothing binds: that is root's case."""
        return "group" if self.groups else "limit" if os.getuid() else ""


@cache
def probe() -> Offer:
    """Ask the machine, once."""
    groups = _has_groups()
    if sys.platform != "linux":
        return Offer(
            False, groups, "Sandboxes are built from Linux's namespaces; this isn't Linux."
        )
    if shutil.which("bwrap") is None:
        install = "Install it with: sudo apt-get install bubblewrap"
        return Offer(False, groups, f"bubblewrap isn't installed. {install}")
    tried = subprocess.run(
        ["bwrap", "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "/bin/sh", "-c", ":"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if tried.returncode == 0:
        return Offer(True, groups)
    return Offer(False, groups, explain(tried.stderr.strip()))


def explain(said: str, apparmor: Path = APPARMOR) -> str:
    """What to do where bubblewrap is there and can't start."""
    if apparmor.exists() and apparmor.read_text().strip() == "1":
        return (
            "bubblewrap can't make namespaces: AppArmor forbids it, as Ubuntu sets it up. Allow it "
            "with: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and keep it by a "
            "line in /etc/sysctl.d/), or give /usr/bin/bwrap a profile with the rule `userns,`."
        )
    return (
        f"bubblewrap can't start ({said}). In a container it needs user namespaces, which a pod or "
        "plain Docker mostly forbids: grade on a machine that allows them."
    )


def _has_groups() -> bool:
    try:
        Group(Limits()).close()
    except OSError:
        return False
    return True


def known(isolation: str) -> str:
    """The level that is asked for; CourseError with those that exist where it is none."""
    if isolation not in LEVELS:
        raise CourseError(f"There is no isolation '{isolation}'. There are: {', '.join(LEVELS)}.")
    return isolation


def offered() -> bool:
    """Whether learners' code can be enclosed on this machine."""
    try:
        return level() != NONE
    except CourseError:
        return False


def level(isolation: str = "auto") -> str:
    """``bubblewrap``, or ``none`` where that is asked for in so many words; else CourseError."""
    if known(isolation) == NONE:
        return NONE
    offer = probe()
    if not offer.bubblewrap:
        raise CourseError(
            f"No sandbox for the learners' code: {offer.why_not} To run it unprotected, as you, "
            "with your files and your network, say so: --isolation none"
        )
    if not offer.processes_counted_by:
        raise CourseError(
            "No sandbox for the learners' code: as root, without control groups that may be "
            "written, nothing bounds its processes. Grade as another user, or where "
            "/sys/fs/cgroup may be written. To run it unprotected, say so: --isolation none"
        )
    return "bubblewrap"
