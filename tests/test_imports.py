"""Imports point one way, and the layers that run in a browser need nothing but NumPy."""

import ast
import subprocess
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "dlcourse").rglob("*.py"))

# what a layer may use of ours beside itself; what isn't listed may use everything
ALLOWED = {
    "dlcourse.scratch": (),
    "dlcourse.models": (),
    "dlcourse.training": (),
    "dlcourse.data": (),
    "dlcourse.checks": ("dlcourse.scratch", "dlcourse.models"),
    "dlcourse.recipes": (
        "dlcourse.scratch",
        "dlcourse.models",
        "dlcourse.training",
        "dlcourse.data",
        "dlcourse.checks",
        "dlcourse.plots",
        "dlcourse.closure",
        "dlcourse.numbers",
    ),
    "dlcourse.grading": ("dlcourse.checks", "dlcourse.wheel"),
}
OUTSIDE = {"dlcourse.scratch": {"numpy"}, "dlcourse.checks": {"numpy", "IPython"}}

# the checks of units that are about torch
TORCH_UNITS = {f"dlcourse.checks.{unit}" for unit in ("pytorch", "gpu_training", "capstone")}


def module(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    name = module(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(layer + ".")


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_point_one_way(path):
    layer = next((each for each in ALLOWED if within(module(path), each)), None)
    if layer is None:
        return
    ours = {name for name in imports(path) if within(name, "dlcourse")}
    allowed = (layer, "dlcourse.__version__", *ALLOWED[layer])
    assert not {name for name in ours if not any(within(name, each) for each in allowed)}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_what_runs_in_a_browser_needs_numpy_only(path):
    layer = next((each for each in OUTSIDE if within(module(path), each)), None)
    if layer is None:
        return
    theirs = {name.partition(".")[0] for name in imports(path)} - {"dlcourse"}
    if module(path) in TORCH_UNITS:
        theirs -= {"torch"}
    assert theirs - set(sys.stdlib_module_names) <= OUTSIDE[layer]


@pytest.mark.parametrize("name", ["dlcourse", "dlcourse.checks", "dlcourse.scratch"])
def test_importing_a_layer_brings_neither_torch_nor_matplotlib(name):
    code = f"import sys, {name}; assert not {{'torch', 'matplotlib', 'pandas'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["dlcourse.models", "dlcourse.training"])
def test_without_torch_the_command_that_installs_it_is_said(name):
    code = f"import sys; sys.modules['torch'] = None; import {name}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert said.endswith(f'{name} needs torch, which is missing: pip install "dlcourse[torch]"\n')
    assert said.count("Error:") == 1


def test_grading_starts_without_compiling_grammars():
    code = "import sys, dlcourse.grading.pipeline; assert not {'lark'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
