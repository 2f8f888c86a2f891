"""What a change affects is executed again, and nothing else; what fails, fails the build.

Each chapter notes its runs in a file, so that it isn't Sphinx's word that is believed.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import fresh
import pytest
from jupyter_cache import get_cache
from jupyter_cache.cache.main import CacheBundleIn, JupyterCacheBase
from nbformat.v4 import new_code_cell, new_notebook

NOTE = """
```{{code-cell}} ipython3
:tags: [remove-cell]
with open("../runs.txt", "a") as file:
    file.write("{name} ")
```
"""
USES = """
# Chapter A
```{code-cell} ipython3
from dlcourse import outer
print("the answer is", outer.answer())
```
"""
ALONE = """
# Chapter B
```{code-cell} ipython3
print(6 * 7)
```
"""
A, B = USES + NOTE.format(name="a"), ALONE + NOTE.format(name="b")


def sheet(code: str) -> str:
    cells = [
        {"cell_type": "markdown", "id": "t", "metadata": {}, "source": "# A sheet"},
        {"cell_type": "code", "id": "c", "metadata": {}, "source": code}
        | {"outputs": [], "execution_count": None},
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.fixture(scope="module")
def first(book):
    """The book and which notebooks its first build ran.

    The sheet, and notebooks that aren't the book's, note it and fail if they are executed.
    """
    restore(book)
    noted = 'open("../../runs.txt", "a").write("sheet ")\nraise SystemError'
    for name in ("exercises/a/a.ipynb", ".venv/lib/a.ipynb", "build/x/a.ipynb", "tests/x/a.ipynb"):
        book.write(name, sheet(noted))
    done = book.build()
    assert done.returncode == 0, done.stdout
    return book, runs(book)


def restore(book) -> None:
    book.chapters(a=A, b=B)
    toc = json.loads((book.folder / "_toc.yml").read_text("utf-8"))
    toc["chapters"][0]["sections"] = [{"file": "exercises/a/a"}]
    book.write("_toc.yml", json.dumps(toc))
    book.write("dlcourse/inner.py", "def number():\n    return 41\n")
    outer = "from .inner import number\n\n\ndef answer():\n    return number()\n"
    book.write("dlcourse/outer.py", outer)
    book.write("dlcourse/grading/__init__.py", "limit = 1\n")
    book.write("constraints.txt", "numpy==2.0\n")
    (book.folder / "chapters" / "results" / "b.json").unlink(missing_ok=True)


@pytest.fixture
def built(first):
    """The book as it was built first; what a test changes in it is undone."""
    yield first[0]
    restore(first[0])


def runs(book) -> str:
    """Which notebooks ran since this was asked last."""
    path = book.folder / "runs.txt"
    text = path.read_text() if path.is_file() else ""
    path.write_text("")
    return " ".join(sorted(text.split()))


def rebuild(book) -> str:
    runs(book)
    done = book.build()
    assert done.returncode == 0, done.stdout
    return runs(book)


def test_a_build_reads_what_the_toc_names_and_executes_its_chapters(first):
    book, ran = first
    assert ran == "a b"
    assert "the answer is 41" in book.page("chapters/a")
    index = (book.folder / "_build" / "html" / "searchindex.js").read_text("utf-8")
    pages = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["docnames"]
    assert sorted(pages) == ["chapters/a", "chapters/b", "exercises/a/a", "index"]


def test_an_unrelated_module_and_prose_execute_nothing(built):
    built.write("dlcourse/grading/__init__.py", "limit = 2\n")
    built.append("chapters/a.md", "\nProse.\n")
    assert rebuild(built) == ""
    assert "Prose." in built.page("chapters/a")


def test_a_line_behind_a_chapter_executes_it_alone_and_going_back_executes_nothing(built):
    for number, ran in ((42, "a"), (41, "")):
        built.write("dlcourse/inner.py", f"def number():\n    return {number}\n")
        assert rebuild(built) == ran
        assert f"the answer is {number}" in built.page("chapters/a")


def test_a_recorded_run_executes_its_chapter(built):
    built.write("chapters/results/b.json", "{}")
    assert rebuild(built) == "b"


def test_other_versions_execute_every_chapter(built):
    built.write("constraints.txt", "numpy==2.1\n")
    assert rebuild(built) == "a b"


def test_a_failing_cell_fails_the_build_and_the_next_one(built):
    built.append("chapters/a.md", "\n```{code-cell} ipython3\n1 / 0\n```\n")
    for _attempt in range(2):
        done = built.build()
        assert done.returncode != 0
        assert "ZeroDivisionError" in done.stdout


def test_a_warning_on_stderr_fails_the_build(built):
    noisy = '\n```{code-cell} ipython3\nimport warnings\nwarnings.warn("odd")\n```\n'
    built.append("chapters/a.md", noisy)
    done = built.build()
    assert done.returncode != 0
    assert "stderr" in done.stdout


def test_a_book_that_would_run_another_copy_of_the_package_is_refused(built):
    done = built.build(own_package=False)
    assert done.returncode != 0
    assert "pip install -e ." in done.stdout


def test_what_is_cached_side_by_side_is_all_there(tmp_path, monkeypatch):
    monkeypatch.setattr(  # as setup() does
        JupyterCacheBase,
        "cache_notebook_bundle",
        fresh.one_at_a_time(JupyterCacheBase.cache_notebook_bundle),
    )
    assert get_cache(tmp_path).db is not None

    def write(number):
        notebook = new_notebook(cells=[new_code_cell(f"print({number})")])
        bundle = CacheBundleIn(notebook, f"chapters/{number}.md")
        get_cache(tmp_path).cache_notebook_bundle(bundle, check_validity=False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(60)))
    assert len(get_cache(tmp_path).list_cache_records()) == 60


def test_the_book_writes_its_cache_that_way():
    class App:
        def connect(self, *_):
            pass

    before = JupyterCacheBase.cache_notebook_bundle
    try:
        fresh.setup(App())
        assert JupyterCacheBase.cache_notebook_bundle.__wrapped__ is before
    finally:
        JupyterCacheBase.cache_notebook_bundle = before
