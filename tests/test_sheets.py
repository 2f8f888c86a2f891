import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dlcourse import sheets
from dlcourse.checks.core import registry


def test_every_unit_has_its_sheet():
    assert [s.stem for s in sheets.sheets()] == sorted(registry.units())


def test_a_learners_own_work_is_kept(tmp_path):
    new, kept = sheets.hand_out(tmp_path / "mine")
    assert new and not kept
    new[0].write_text("my answers")
    new, kept = sheets.hand_out(tmp_path / "mine")
    assert not new and kept[0].read_text() == "my answers"


def test_without_jupyterlab_the_command_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[lab\]"'):
        sheets.open_lab(tmp_path / "mine", browser=False, console=Console())
    assert not (tmp_path / "mine").exists()


def test_the_wheel_holds_the_sheets_and_what_checks_need(tmp_path):
    import zipfile

    pytest.importorskip("setuptools")
    root = Path(__file__).parents[1]
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([sys.executable, *build, str(root)], check=True, stderr=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        index = json.loads(archive.read("dlcourse/checks/index.json"))
    assert index == registry.make_index()
    assert {f"dlcourse/exercises/{slug}.ipynb" for slug in registry.units()} <= names
    assert not [name for name in names if name.startswith(("tests", "solutions", "build"))]
