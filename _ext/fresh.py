"""Execute a chapter again when something that it runs has changed, and for no other reason.

The execution cache knows a notebook's code cells and kernelspec only, and Sphinx reads a page
again only when its text changed. So neither sees a change in the package behind a chapter. Here the
digest of what a chapter depends on becomes its kernelspec's display name while it is read: each
state has a cache entry of its own, none is removed, and going back to an earlier state is a hit.

A chapter depends on the modules of our package that its cells import (transitively), its recorded
run, constraints.txt and the Python version. Not seen: imports by a computed name, other data files.

Sphinx would execute one chapter after the other. Those that the cache lacks are executed before it
reads them, as many side by side as the machine has cores; then it finds them in the cache. One that
fails is executed again when Sphinx reads it, and that is where the failure is told.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.cache.main import JupyterCacheBase
from myst_nb.core.execute import ExecutionError, create_client
from myst_nb.core.read import create_nb_reader
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from dlcourse import closure

DISPLAY_NAME = re.compile(r'("?display_name"?\s*:\s*)("[^"\n]*"|\'[^\'\n]*\'|[^\n,}]*)')
WRITING = RLock()
MAGIC = re.compile(r"(?m)^(\s*)[%!?].*$")  # IPython's lines, which Python's parser refuses


def key(env: Any, docname: str) -> str | None:
    """A digest of all that decides what the chapter's cells print; None: nothing is executed."""
    path = Path(env.doc2path(docname))
    if path.suffix != ".md":  # a sheet, which isn't executed here
        return None
    text = path.read_text("utf-8")
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    if reader is None:  # Markdown without cells
        return None
    names: set[str] = set()
    for cell in reader.read(text).cells:
        if cell.cell_type == "code":
            names |= closure.imported(MAGIC.sub(r"\1pass", cell.source), "")
    root = Path(env.srcdir)
    extra = root / "constraints.txt", root / "chapters" / "results" / f"{path.stem}.json"
    code = closure.digest(names, [file for file in extra if file.is_file()])
    return f"{code}-py{sys.version_info.major}.{sys.version_info.minor}"


def check_root(app: Sphinx) -> None:
    if closure.ROOT != Path(app.srcdir).resolve():
        raise ExtensionError(
            f"the book lies in {app.srcdir}, but its dlcourse is imported from {closure.ROOT}: "
            "install this clone's (pip install -e .), or chapters run other code than they show"
        )


def outdated(app: Sphinx, env: Any, added: set, changed: set, removed: set) -> list:
    """The pages whose key changed since they were last read."""
    old = getattr(env, "fresh_keys", {})
    env.fresh_keys = {name: key(env, name) for name in env.found_docs}
    return [
        name for name, new in env.fresh_keys.items() if name not in added and new != old.get(name)
    ]


def stamp(app: Any, docname: str, source: list[str]) -> None:
    if found := app.env.fresh_keys.get(docname):
        source[0], n = DISPLAY_NAME.subn(rf'\g<1>"{found}"', source[0], count=1)
        if not n:
            raise ExtensionError(f"{docname}: the front matter's kernelspec has no display_name")


class Teller:
    """What the execution of one chapter says, less its failure: that is told later, by Sphinx."""

    def __init__(self, docname: str) -> None:
        self.docname = docname

    def info(self, message: str, **_: Any) -> None:
        logging.getLogger(__name__).info(f"{self.docname}: {message}")

    def warning(self, message: str, **_: Any) -> None:
        pass


def execute(app: Sphinx, env: Any, docnames: Iterable[str]) -> None:
    """Execute the chapters among the pages to be read, side by side, into the cache."""

    def alone(docname: str) -> None:
        path = env.doc2path(docname)
        source = [Path(path).read_text("utf-8")]
        stamp(app, docname, source)
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, source[0])
        assert reader is not None  # key would have been None
        notebook, config, teller = reader.read(source[0]), env.mystnb_config, Teller(docname)
        with (
            suppress(ExecutionError),
            create_client(notebook, str(path), config, teller, reader.read_fmt),
        ):
            pass  # entering executes what the cache lacks

    get_cache(env.mystnb_config.execution_cache_path).db  # noqa: B018, made before two would make it
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(alone, [name for name in docnames if env.fresh_keys.get(name)]))


def one_at_a_time(write: Callable) -> Callable:
    """``write``, which waits until no other thread is in it."""

    @wraps(write)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with WRITING:
            return write(*args, **kwargs)

    return alone


def setup(app: Sphinx) -> dict[str, Any]:
    # after each write jupyter-cache deletes what is too old, and takes for that what another thread
    # has noted since it looked, and not written yet
    write = JupyterCacheBase.cache_notebook_bundle
    JupyterCacheBase.cache_notebook_bundle = one_at_a_time(write)
    app.connect("builder-inited", check_root)
    app.connect("env-get-outdated", outdated)
    app.connect("source-read", stamp)
    app.connect("env-before-read-docs", execute)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True}
