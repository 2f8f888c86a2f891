"""The rows of the table "Broken and hostile submissions", each cell of a row a student."""

import copy
import json
import os

import nbformat
from nbformat.v4 import new_code_cell

from .hostile import MARK, RIGHT, SLUG, Case, first, last, nothing, sets, wrong

NONE = (0, 0, 0)
STUBBORN = "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass"
MEMORY = "import numpy as np\nkept = np.ones(400 << 17)"
MEMORY_OF_MANY = """\
import os, time
for _ in range(5):
    if os.fork() == 0:
        x = np.ones(100 << 17)
        time.sleep(30)
time.sleep(1)
"""
FORKS = "import os, time\nwhile True:\n    if not os.fork(): time.sleep(30)"
FULL_DISK = """\
for folder in ("/tmp", "/dev/shm", "."):
    for k in range(200):
        with open(f"{folder}/{k}", "wb") as file: file.write(bytes(1 << 20))
"""
SHELL = "from IPython import get_ipython\nshell = get_ipython()\n"
BLANK = """
import ast
class Blank(ast.NodeTransformer):
    def visit_Expr(self, node): return ast.Pass()
    visit_Assert = visit_Expr
shell.ast_transformers.append(Blank())
"""
YES = """
class Yes:
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = lambda *a: True
    __hash__ = None
    def __array__(self, *a, **k): return np.zeros(3)
    def __getattr__(self, name): return lambda *a, **k: self
"""
LYING = """
class Lying(np.ndarray):
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
    def __eq__(self, other): return np.ones(self.shape, bool)
"""


def answers(value, before=""):
    """Answers that all return this value."""
    code = {name: f"{before}\ndef {name}(x): return {value}" for name in RIGHT}
    return sets(**code)


def shows(value):
    return {n: f"def {n}(x):\n    get_ipython().displayhook({value})\n    return x" for n in RIGHT}


def looks(code):
    """Code that prints what it finds; the hidden tests' mark mustn't be in it."""
    return first(f"found = []\n{code}\nprint('looked', '{MARK[::-1]}'[::-1] in repr(found))")


HOOK = f"""
def hook(*args): found.append([getattr(a, 'raw_cell', a) for a in args])
{SHELL}
for event in ("pre_run_cell", "post_run_cell", "pre_execute"): shell.events.register(event, hook)
"""
READ = """
import pathlib
for folder in ("/tmp", ".", "/course", "/home", "/root", "{home}", "{home}/.."):
    for path in list(pathlib.Path(folder).glob("*")) + list(pathlib.Path(folder).rglob("{what}")):
        try: found.append(path.read_bytes().decode("utf8", "replace"))
        except OSError: pass
"""
WRITES = """
import pathlib, sqlite3, subprocess
for path in ("{home}/gradebook.db", "../gradebook.db", "../../gradebook.db"):
    try:
        with sqlite3.connect(path) as base: base.execute("update grade set auto_score = 99")
    except Exception: pass
for path in ("{home}/submitted/honest/sturdy/sturdy.ipynb", "{home}/autograded/honest",
             "{home}/outside.txt", "{home}/journal/sturdy.jsonl"):
    try: pathlib.Path(path).write_text("mine")
    except OSError: pass
subprocess.call("rm -rf {home}; echo mine > {home}/outside.txt", shell=True)
"""
NET = """
import os, socket
said = []
for address in (("1.1.1.1", 53), ("127.0.0.1", 80), ("localhost", 8888)):
    try: socket.create_connection(address, 0.5); said.append(address)
    except OSError: pass
print("reached", said, "environment", "DLCOURSE_HOSTILE" in os.environ)
"""


def without(*ids):
    def change(notebook, cells):
        notebook.cells = [each for each in notebook.cells if each.id not in ids]

    return change


def moved(notebook, cells):
    notebook.cells.remove(cells["thrice_check"])
    notebook.cells.insert(0, cells["thrice_check"])


def markdown(notebook, cells):
    for name in ("twice_check", "square_check"):
        each = cells[name]
        each.cell_type = "markdown"
        del each["outputs"], each["execution_count"]


def points(notebook, cells):
    for each in cells.values():
        if each.metadata.get("nbgrader", {}).get("grade"):
            each.metadata.nbgrader.points = 1000


def stripped(notebook, cells):
    for each in notebook.cells:
        each.metadata = {}


def twice_there(*ids, same_id=False):
    def change(notebook, cells):
        for name in ids:
            twin = copy.deepcopy(cells[name])
            twin.id = name if same_id else f"{name}-2"
            notebook.cells.append(twin)

    return change


def version(major, minor):
    def change(notebook, cells):
        notebook.nbformat, notebook.nbformat_minor = major, minor

    return change


def kernel(notebook, cells):
    notebook.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}


def html(notebook, cells):
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    cells["why"].source = f"Because. {script}"
    show = f"from IPython.display import HTML, Javascript, display\ndisplay(HTML({script!r}))\n"
    notebook.cells.insert(1, new_code_cell(show + "display(Javascript('alert(1)'))"))


def old(notebook, cells):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(nbformat.convert(notebook, 3))


def surrogate(notebook, cells):
    cells["why"].source = "Because \ud800."


def encoded(codec):
    def change(notebook, cells):
        return json.dumps(notebook).encode(codec)

    return change


def linked(folder):
    (folder.parent / "elsewhere.ipynb").write_text("{}")
    (folder / f"{SLUG}.ipynb").symlink_to("/etc/passwd")


def giant(folder):
    with (folder / f"{SLUG}.ipynb").open("wb") as file:
        os.truncate(file.fileno(), 100 << 20)


DEEP = b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
TABLE = {
    "honest": Case(nothing),
    # loops, ends and bombs: what was earned before is kept
    "loop": Case(sets(twice="while True: pass\n{right}"), (0, 2, 2), "longer than the 2 seconds"),
    "loop-in-answer": Case(
        sets(thrice="def thrice(x):\n    while True: pass"),
        (3, 0, 2),
        "longer than the 2 seconds",
    ),
    "ignores-sigint": Case(sets(thrice=STUBBORN), (3, 0, 0), "could not be interrupted"),
    "exit-middle": Case(sets(thrice="import os\nos._exit(0)"), (3, 0, 0), "ended its own process"),
    "exit-end": Case(last("import os\nos._exit(0)"), words="ended its own process"),
    "memory-bomb": Case(sets(thrice=MEMORY), (3, 0, 2), "MemoryError"),
    "memory-of-many": Case(first(MEMORY_OF_MANY), words="memory it has"),
    "fork-bomb": Case(sets(thrice=FORKS), (3, 0, 2), "BlockingIOError"),
    "disk-full": Case(sets(thrice=FULL_DISK), (3, 0, 2), "No space left"),
    # forged
    "ast-transformer": Case(wrong(SHELL + BLANK), NONE, "get_ipython().ast_transformers"),
    "input-transformer": Case(
        wrong(SHELL + "shell.input_transformers_cleanup.append(lambda lines: ['3.0'])"),
        NONE,
        "get_ipython().input_transformers_cleanup",
    ),
    "allclose": Case(wrong("np.allclose = lambda *a, **k: True"), NONE, "numpy.allclose"),
    "assert-allclose": Case(
        wrong("np.testing.assert_allclose = lambda *a, **k: None"), NONE, "testing.assert_allclose"
    ),
    "builtins": Case(
        wrong("import builtins\nbuiltins.all = builtins.isinstance = lambda *a: True"),
        NONE,
        "builtins.all",
    ),
    "equals-everything": Case(answers("Yes()", YES), NONE, "say themselves what they equal: Yes"),
    "array-that-lies": Case(
        answers("np.zeros(3).view(Lying)", LYING), NONE, "say themselves what they equal: Lying"
    ),
    "forged-float": Case(sets(**shows("3.0")), NONE, "displayed a value"),
    # out of reach
    "gradebook": Case(first(WRITES)),
    "others-submission": Case(wrong(WRITES), NONE),
    "reads-database": Case(looks(READ.replace("{what}", "*.db")), words="looked False"),
    "reads-source": Case(looks(READ.replace("{what}", "*.py")), words="looked False"),
    "reads-notebook": Case(looks(READ.replace("{what}", "*.ipynb")), words="looked False"),
    "reads-in": Case(last(f"print('looked', '{MARK[::-1]}'[::-1] in repr((In[:-1], _ih[:-1])))")),
    "reads-hooks": Case(looks(HOOK), words="looked False"),
    "reads-frames": Case(
        looks("import sys\nf = sys._getframe()\nwhile f: found.append(f.f_locals); f = f.f_back"),
        words="looked False",
    ),
    "reads-gc": Case(
        looks("import gc\ngc.unfreeze()\nfound = [o for o in gc.get_objects() if type(o) is dict]"),
        words="looked ",
    ),
    "network": Case(first(NET), words="reached [] environment False"),
    # noise
    "warns": Case(
        sets(
            twice="import sys, warnings, os\ndef twice(x):\n    warnings.warn('hm')\n"
            "    print('e', file=sys.stderr); os.write(2, b'e')\n    return x + x"
        )
    ),
    "30-mb": Case(first("for _ in range(30): print('x' * 10**6)"), words="outputs cut"),
    "ansi": Case(first(r"print('\x1b[31m\x1b]0;title\x07 \x00')")),
    "binary": Case(first("import os\n_ = os.write(1, bytes(range(256)) * 100)")),
    # the sheet's own cells
    "test-deleted": Case(without("twice_check", "square_check"), words="'twice_check' had been d"),
    "test-edited": Case(
        sets(twice_check="3.0", square_check="2.0", setup="check = print"), words="'twice_check' h"
    ),
    "test-moved": Case(moved, words="'thrice_check' had been moved"),
    "test-markdown": Case(markdown, words="'square_check' had become markdown"),
    "points-changed": Case(points, words="points had been changed"),
    "stripped": Case(stripped),
    "solution-twice": Case(twice_there("twice"), words="'twice' was there 2 times"),
    "test-twice": Case(twice_there("twice_check", "square_check"), words="2 times: one is kept"),
    "ids-twice": Case(
        twice_there("twice", "why", same_id=True), words="had an id that another one has"
    ),
    "kernel": Case(kernel, words="it asked for the kernel 'ir'"),
    "minor-0": Case(version(4, 0)),
    "minor-99": Case(version(4, 99)),
    "html": Case(html),
    "outlives": Case(
        first(
            "import subprocess\nsubprocess.Popen(['sh', '-c', 'echo outlives-us; "
            "while :; do :; done'], start_new_session=True)"
        )
    ),
    "shell": Case(
        first("!cat /etc/passwd; ls /; touch {home}/outside.txt; echo shell $HOME"),
        words="shell /tmp",
    ),
    # files that are none
    "not-json": Case(data=b"{ this is not", points=None, words="can't be read as JSON"),
    "empty": Case(data=b"", points=None, words="is empty"),
    "null": Case(data=b"null", points=None, words="not a notebook"),
    "deep": Case(data=DEEP, points=None, words="is not a notebook"),
    "nbformat-3": Case(old, words="old notebook (nbformat 3): converted"),
    "nbformat-9": Case(version(9, 0), words="it says that its format is 9"),
    "utf-16": Case(encoded("utf-16"), words="saved as UTF-16"),
    "bom": Case(encoded("utf-8-sig")),
    "surrogate": Case(surrogate, words="lone surrogates"),
    "link": Case(beside=linked, points=None, words="is a link"),
    "browser-copy": Case(nothing, name=f"{SLUG} (1).ipynb", words="the file is called"),
    "100-mb": Case(beside=giant, points=None, words="105 MB, more than the 67 MB"),
    "zip-bomb": Case(data=b"PK\x03\x04" + bytes(10_000), points=None, words="can't be read as"),
    "reference": Case(
        sets(
            twice="from dlcourse.scratch.perceptron import *\nfrom dlcourse.checks.neurons import *"
        ),
        (0, 2, 2),
        "imports dlcourse.scratch",
    ),
}
