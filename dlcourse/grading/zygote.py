"""Inside a sandbox: a warm process with one thread, which forks one worker for each submission.

NumPy, IPython and what a sheet needs are imported once. A worker gets namespaces of its own, no
capability, no descriptor but its end of the connection, and dies with all that it started.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

from dlcourse.grading.outputs import Shell, make_shell
from dlcourse.grading.wire import Channel
from dlcourse.grading.worker import serve

C = ctypes.CDLL(None, use_errno=True)
# linux/sched.h, sys/mount.h, linux/prctl.h
NEW = {"user": 1 << 28, "mount": 1 << 17, "pid": 1 << 29, "net": 1 << 30, "ipc": 1 << 27}
NEW["uts"] = 1 << 26
NOSUID, NODEV, NOEXEC, READ_ONLY, REMOUNT = 2, 4, 8, 1, 32
CAPBSET_DROP, NO_NEW_PRIVS, CAP_AMBIENT, CLEAR_ALL, SET_DUMPABLE = 24, 38, 47, 4, 4
CONNECTION = 3  # the only descriptor of a worker, beside 0, 1 and 2


def must(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def namespaces() -> None:
    """New ones of every kind, as the same user; the next fork is process 1 of them."""
    uid, gid = os.getuid(), os.getgid()
    must(C.unshare(sum(NEW.values())), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),  # first, or nothing can be written to a tmpfs
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def own_folders(file_bytes: int) -> None:
    """What can be written is this worker's alone: nobody finds what another one left."""
    with open("/proc/cpuinfo") as file:
        processor = file.read()
    room = f"size={file_bytes},nr_inodes=20000,mode=0700".encode()
    for place in (b"/tmp", b"/dev/shm"):
        must(C.mount(b"tmpfs", place, b"tmpfs", NOSUID | NODEV, room), "a folder of its own")
    must(C.mount(b"tmpfs", b"/dev/pts", b"tmpfs", NOSUID | NOEXEC, b"size=4k"), "no terminals")
    must(C.mount(b"tmpfs", b"/proc", b"tmpfs", NOSUID | NODEV | NOEXEC, b"size=1m"), "no /proc")
    with open("/proc/cpuinfo", "w") as file:  # else torch complains
        file.write(processor)
    for place in (b"/dev/pts", b"/proc"):
        flags = REMOUNT | READ_ONLY | NOSUID | NODEV | NOEXEC
        must(C.mount(None, place, None, flags, None), "read-only")


def without_capabilities() -> None:
    """For good: while they are there, /proc can be uncovered again."""
    for capability in range(64):
        C.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    C.prctl(CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)
    version3, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    must(C.capset(ctypes.byref(version3), ctypes.byref(none)), "capset")
    must(C.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def bounded(limits: dict[str, Any]) -> None:
    with open("/proc/self/statm") as file:  # what the warm process mapped isn't the learner's
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, mapped + limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def only_connection(descriptor: int) -> Channel:
    if descriptor != CONNECTION:
        os.dup2(descriptor, CONNECTION)
    null = os.open("/dev/null", os.O_RDWR)
    for k in (0, 1, 2):  # they were the grader's own
        os.dup2(null, k)
    os.closerange(CONNECTION + 1, 1 << 16)
    os.set_inheritable(CONNECTION, False)
    return Channel(socket.socket(fileno=CONNECTION))


def clean_environment() -> None:
    kept = {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS") or k == "MPLBACKEND"}
    home = {"HOME": "/tmp", "USER": "learner", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    os.environ.clear()
    os.environ.update(kept | home)
    os.chdir("/tmp")


def guarded(shell: Shell) -> Any:
    """What runs cells of plain asserts; not to be had by its name from a learner's code."""
    from dlcourse.grading import asserts, guard

    made = asserts.Asserts(shell, guard.Guard(shell))
    for name in guard.OWN:
        del sys.modules[name], vars(sys.modules["dlcourse.grading"])[name.rpartition(".")[2]]
    return made


def worker(
    descriptor: int, shell: Shell, asserts: Any, settings: dict[str, Any], random_state: int
) -> NoReturn:
    """The fork: goes into its own namespaces, hands the grader a handle to kill it by, serves."""
    if settings["isolated"]:
        namespaces()
        pid = os.fork()
        if pid:
            hand_over(descriptor, pid)
            os._exit(0)
        bounded(settings["limits"])
        own_folders(settings["limits"]["file_bytes"])
        channel = only_connection(descriptor)
        without_capabilities()
    else:
        os.setsid()
        hand_over(descriptor, os.getpid())
        bounded(settings["limits"])
        channel = only_connection(descriptor)
    clean_environment()
    shell.outputs.to_file()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if channel.receive().op == "begin":  # by now the grader has put us into a group
        serve(channel, shell, random_state, asserts)
    os._exit(0)


def hand_over(descriptor: int, pid: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        socket.send_fds(connection, [b"pid"], [os.pidfd_open(pid)])


def bury() -> None:
    """Take leave of the workers that have ended; ignoring SIGCHLD, forks would inherit."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(descriptor: int, settings: dict[str, Any]) -> None:
    control = socket.socket(fileno=descriptor)
    shell = make_shell(settings["limits"]["output_bytes"])
    for name in settings["preload"]:
        __import__(name)
    for name in settings["preload_if_there"]:
        with suppress(ImportError):  # what a sheet forbids isn't there
            __import__(name)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    if found := sorted(set(sys.modules) & set(settings["forbids"])):
        raise RuntimeError(f"{', '.join(found)} is forbidden, and was loaded all the same")
    if (tasks := len(os.listdir("/proc/self/task"))) != 1:
        raise RuntimeError(f"{tasks} threads: a fork could hang")
    asserts = guarded(shell)
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            return
        if os.fork() == 0:
            try:
                control.close()
                worker(descriptors[0], shell, asserts, settings, int(message))
            except BaseException as error:
                os.write(2, f"worker: {error!r}\n".encode())
            finally:
                os._exit(1)
        os.close(descriptors[0])
        if settings["isolated"]:
            os.wait()  # the outer half leaves at once
        else:
            bury()


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
