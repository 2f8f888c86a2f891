"""What the book's tests share: the repository, the built site, and a small book to be built."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# where the book's own Sphinx extensions live, and what runs in the page
sys.path[:0] = [str(ROOT / "_ext"), str(ROOT / "_ext" / "browser")]

HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def site() -> Path:
    """The built site."""
    html = ROOT / "_build" / "html"
    if not (html / "index.html").is_file():
        pytest.skip("the site isn't built: run `make course`, or `jupyter-book build . -W -n`")
    return html


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address(site):
    """The site, served on a free port."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def toc() -> list[str]:
    """The pages of _toc.yml, in order, the front page first."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(node[key] for key in ("root", "file") if key in node)
        for child in node.values() if isinstance(node, dict) else node:
            if isinstance(child, dict | list):
                walk(child)

    walk(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8")))
    return found


class Book:
    """A small book in a folder of its own, with the course's real configuration and extensions."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("_config.yml", "package.json", "package-lock.json", "pyproject.toml"):
            self.write(name, (ROOT / name).read_text("utf-8"))
        for name in ("_ext", "_static"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("__init__.py", "closure.py", "numbers.py", "wheel.py"):
            self.write(f"dlcourse/{name}", (ROOT / "dlcourse" / name).read_text("utf-8"))
        if (ROOT / "build" / "npm" / "lock").is_file():  # fetched before
            (folder / "build").mkdir()
            (folder / "build" / "npm").symlink_to(ROOT / "build" / "npm")
        self.write("constraints.txt", "numpy==2.0\n")
        self.write("references.bib", "")

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def append(self, name: str, text: str) -> None:
        self.write(name, (self.folder / name).read_text("utf-8") + text)

    def chapters(self, **text: str) -> None:
        """Chapters a, b, … of the given text, and the _toc.yml that names them."""
        for name, body in text.items():
            self.write(f"chapters/{name}.md", HEADER + body)
        files = [{"file": f"chapters/{name}"} for name in text]
        self.write(
            "_toc.yml", json.dumps({"format": "jb-book", "root": "index", "chapters": files})
        )
        self.write("index.md", "# The front page\n")

    def build(self, *options: str, own_package: bool = True) -> subprocess.CompletedProcess[str]:
        """``jupyter-book build . -W -n --keep-going``, its output and exit code."""
        env = dict(os.environ, PYTHONPATH=str(self.folder) if own_package else "", NO_COLOR="1")
        # the script, not `python -m`, which would put this folder, with its dlcourse, on the path
        script = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
        command = [str(script), "build", ".", "-W", "-n", "--keep-going"]
        return subprocess.run(
            [*command, *options], cwd=self.folder, env=env, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def page(self, name: str) -> str:
        return (self.folder / "_build" / "html" / f"{name}.html").read_text("utf-8")


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Book:
    return Book(tmp_path_factory.mktemp("book"))
