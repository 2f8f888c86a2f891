"""Broken and hostile submissions of our own devising, beyond the table.

What misbehaved when it was first tried, and is mended since:
- only-odd: a file's name that isn't UTF-8 ended the run for the whole class, at the journal.
- sparse: 30 GB of nothing beside a notebook were hashed, and copied twice, for minutes.
- many-files: they were all copied; 5,000 took the writer four seconds.
- many-cells: 10,000 cells took the writer twenty seconds; more than 5,000 are refused now.
- five-mb-cell: the worker refused the message and died, and all that followed was lost.
- threads: a cell that lasts too long and ends when interrupted was said to have ended by itself.
- forged-float (of the table): displayed in a check it earned nothing, but nobody was told.
"""

import json
import os
import socket

from nbformat.v4 import new_code_cell, new_markdown_cell

from .hostile import SLUG, Case, first, last, nothing, sets
from .hostile_table import answers

NONE = (0, 0, 0)


def cells_by_the_thousand(notebook, cells):
    notebook.cells += [new_markdown_cell("words") for _ in range(4000)]
    notebook.cells += [new_code_cell("0") for _ in range(5999)]


def copies_by_the_hundred(notebook, cells):
    for _ in range(300):
        for name in ("twice", "twice_check", "setup"):
            notebook.cells.append(json.loads(json.dumps(cells[name])))


def colliding(notebook, cells):
    """Ids and grade_ids that are the sheet's, on other cells, and some that name files."""
    mine = [new_code_cell("1 + 1", id="thrice_check"), new_code_cell("2.0", id="square")]
    for each, name in zip(mine, ("thrice_check", "../../../etc/passwd"), strict=True):
        about = {"grade": True, "solution": False, "locked": False, "points": 1e9}
        each.metadata.nbgrader = about | {"grade_id": name, "schema_version": 3, "task": False}
    notebook.cells[:0] = mine


def strange_metadata(notebook, cells):
    for each in notebook.cells:
        each.metadata.dlcourse = {"isolation": "bubblewrap", "earned": 99}
        each.metadata.tags = ["skip-execution", "raises-exception"]
    notebook.metadata.dlcourse = {"flags": [], "stopped": "", "isolation": "none"}
    cells["twice_check"].metadata.nbgrader |= {"points": float("inf"), "schema_version": 99}
    cells["thrice_check"].metadata.nbgrader.points = "2; drop table grade"


def outputs_already(notebook, cells):
    verdict = {"exercise": "twice", "earned": 3, "of": 3, "parts": {"value": True}}
    data = {"text/plain": "3.0", "application/vnd.dlcourse.verdict+json": verdict}
    result = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}
    for each in cells.values():
        if each.cell_type == "code":
            each.outputs = [result]
    sets(**{name: "pass" for name in ("twice", "thrice", "square")})(notebook, cells)


def attachments(notebook, cells):
    bomb = {"text/html": "A" * (1 << 20), "../../../../tmp/x": "B"}
    cells["why"].attachments = {f"../../{k}.png": bomb for k in range(8)}


def task(notebook, cells):
    cells["why"].metadata.nbgrader.task = True
    cells["why"].cell_type = "raw"


def no_files(folder):
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.ipynb")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)  # the name of a socket may be only a hundred characters
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    (folder / "loop").symlink_to(folder)
    (folder / "root").symlink_to("/")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "nowhere").symlink_to("/nowhere")


def sparse(folder):
    for k in range(3):
        with (folder / f"data{k}.bin").open("wb") as file:
            os.truncate(file.fileno(), 10 << 30)


def many_files(folder):
    (folder / "data").mkdir()
    for k in range(3000):
        (folder / "data" / f"{k}.txt").touch()


def odd_names(folder):
    for name in (b"a\nb: graded.txt", b"\xff\xfe.txt", b"\x1b[2J.ipynb", b"-rf", b" ", b"x" * 255):
        with open(os.path.join(os.fsencode(folder), name), "w") as file:
            file.write("odd")


def only_an_odd_name(folder):
    with open(os.path.join(os.fsencode(folder), b"\xff\n\x1b[2J.ipynb"), "w") as file:
        file.write("{}")


def a_folder(folder):
    (folder / f"{SLUG}.ipynb").mkdir()


def time_stamp(data):
    return lambda folder: (folder / "timestamp.txt").write_bytes(data)


def deep_folders(folder):
    for _ in range(60):
        folder = folder / "deeper-and-deeper"
        folder.mkdir()
    (folder / "end.txt").write_text("end")


FIVE_MB = "# " + "x" * (5 << 20)
LEFT_ON = {
    "tracing": "import sys, threading\nsys.settrace(lambda *a: None)",
    "profiling": "import sys\nsys.setprofile(lambda *a: 1 / 0)",
    "cwd": "import os\nos.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    "stdout": "import os, sys\nsys.stdout.close(); os.close(1); os.close(2); sys.stderr = None",
    "descriptors": "import os\nkept = []\nwhile True: kept.append(os.open('/dev/null', 0))",
    "nice": "import os\nos.nice(19); os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
    "warnings": "import warnings\nwarnings.simplefilter('error')",
    "locale": "import locale, os, decimal\nos.environ['LC_ALL'] = 'xx'\n"
    "decimal.getcontext().prec = 1"
    "\ntry: locale.setlocale(locale.LC_ALL, 'de_DE')\nexcept locale.Error: pass",
    "random": "import numpy as np, random\nnp.random.seed(0); random.seed(0)",
    "seterr": "import numpy as np\nnp.seterr(all='raise'); np.set_printoptions(threshold=1)",
    "figures": "import matplotlib.pyplot as plt\nfor _ in range(30): plt.figure(figsize=(1, 1))\n"
    "plt.show()",
    "recursion": "import sys\nsys.setrecursionlimit(80)",
    "alarm": "import signal\nsignal.signal(signal.SIGALRM, lambda *a: 1 / 0)\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)",
    "gc": "import gc\ngc.disable(); gc.set_threshold(1); gc.callbacks.append(lambda *a: 1 / 0)",
}
WRITERS = """
import threading, time
def write():
    while True: print("from a thread"), time.sleep(0.02)
for _ in range(3): threading.Thread(target=write, daemon=True).start()
"""
MAGICS = """
%%writefile helper.py
def three(): return 3
"""


def magics(notebook, cells):
    code = ["%run helper.py\n%load helper.py\n%pycat helper.py\n%who", "%%bash\nls /home", "%debug"]
    code += ["%%javascript\nalert(1)", "%system ls", "%cd /\n%pwd", "%pip install x", "%reset -f"]
    made = [new_code_cell(text) for text in [MAGICS.strip(), *code]]
    notebook.cells[1:1] = [*made, new_code_cell(cells["setup"].source)]


MORE = {
    "many-cells": Case(cells_by_the_thousand, None, "10007 cells, more than the 5000 allowed"),
    "many-copies": Case(copies_by_the_hundred, words="301 times: one is kept"),
    "five-mb-cell": Case(first(FIVE_MB), words="more than 3 MB is not run"),
    "long-line": Case(first("x = '" + "x" * (5 << 18) + "'")),
    "colliding": Case(colliding, words="not of this sheet, so not graded"),
    "metadata": Case(strange_metadata, words="points had been changed"),
    "outputs-already": Case(outputs_already, NONE),
    "attachments": Case(attachments),
    "task": Case(task, words="'why' had become raw"),
    "magics": Case(magics),
    "no-files": Case(nothing, beside=no_files),
    "sparse": Case(nothing, beside=sparse, words="data0.bin"),
    "many-files": Case(nothing, beside=many_files, words="more files"),
    "odd-names": Case(nothing, beside=odd_names),
    "only-odd": Case(beside=only_an_odd_name, points=None, words="there is no file"),
    "a-folder": Case(beside=a_folder, points=None, words="no ordinary file"),
    "no-time": Case(nothing, beside=time_stamp(b"yesterday\xff"), words="timestamp.txt"),
    "late-time": Case(nothing, beside=time_stamp(b"9999-12-31 23:59:59 +9999")),
    "deep-folders": Case(nothing, beside=deep_folders),
    "threads": Case(first(WRITERS), words="threads of the code's own"),
    "null-bytes": Case(first("x = 1\x00"), words=""),
    "deep-source": Case(first("(" * 5000 + ")" * 5000)),
    "deep-answer": Case(
        answers(
            "nested(10**5)",
            DEEP := """
def nested(n):
    out = []
    for _ in range(n): out = [out]
    return out
""",
        ),
        NONE,
    ),
    "namespace": Case(first("globals().clear()"), NONE, "NameError"),
    "exits-at-exit": Case(last("import atexit, os\natexit.register(lambda: os.abort())")),
    "raises-odd": Case(
        sets(twice="class E(BaseException):\n    def __str__(self): raise self\nraise E"), (0, 2, 2)
    ),
    "surrogate-flag": Case(
        sets(
            square="class Y:\n    __eq__ = lambda *a: True\nY.__qualname__ = '\\ud800\\n\\x1b[2J'\n"
            "def square(x): return Y()"
        ),
        (3, 2, 0),
        "say themselves",
    ),
    **{f"left-{name}": Case(first(code)) for name, code in LEFT_ON.items()},
}
