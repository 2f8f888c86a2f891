"""The command line: what it prints, its exit codes, and that bad input ends in one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse import __version__
from dlcourse.checks.core import registry

ROOT = Path(__file__).parents[1]


def dlcourse(*words, cwd=ROOT, env=None):
    """Run a command as a user does, in an otherwise empty environment."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONUTF8": "1", **(env or {})}
    if os.name == "nt":
        clean = {**os.environ, **clean, "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "dlcourse.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True)


def test_checks_lists_every_exercise_with_its_counts():
    done = dlcourse("checks", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert [*rows[0]] == [
        "slug", "name", "points", "minutes", "difficulty", "parts", "mistakes", "alternatives",
    ]  # fmt: skip
    assert [r["name"] for r in rows] == [
        name for slug in registry.units() for name in registry.unit(slug).exercises
    ]


def test_verify_exits_with_0_where_all_is_well():
    done = dlcourse("verify", "neurons", "--seeds", "1", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert [*rows[0]] == [
        "slug", "name", "mistakes", "mistakes_rejected", "mistakes_recognised", "alternatives",
        "alternatives_accepted", "stub_points",
    ]  # fmt: skip
    for row in rows:
        assert row["mistakes"] == row["mistakes_rejected"] == row["mistakes_recognised"]
        assert row["alternatives"] == row["alternatives_accepted"] and row["stub_points"] == 0


def test_verify_exits_with_1_where_a_check_is_fooled(monkeypatch):
    from typer.testing import CliRunner

    from dlcourse.cli import app

    exercise = registry.find("neuron_forward")
    monkeypatch.setitem(exercise.alternatives, "wrong", exercise.mistakes["no_bias"].fn)
    done = CliRunner().invoke(app, ["verify", "neurons", "--seeds", "1"])
    assert done.exit_code == 1
    assert "neurons/neuron_forward: seed 0: wrong loses" in done.output


def test_version_and_help():
    assert dlcourse("--version").stdout == f"dlcourse {__version__}\n"
    assert "sample-class" in dlcourse("--help").stdout


def one_sentence(done, *words):
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("command", ["checks", "verify", "release", "sample-class", "grade"])
def test_an_unknown_unit_is_one_sentence_with_a_guess(command, tmp_path):
    one_sentence(dlcourse(command, "neuron", cwd=ROOT if command == "release" else tmp_path))


def test_an_unknown_unit_gets_a_guess():
    one_sentence(dlcourse("verify", "neuron"), "No unit is called 'neuron'. Did you mean 'neurons'")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is Linux's")
def test_a_folder_in_which_nobody_can_write_is_one_sentence():
    pytest.importorskip("jupyterlab")
    one_sentence(dlcourse("lab", "/proc/mine", "--no-browser"), "/proc/mine")
    pytest.importorskip("nbgrader")
    one_sentence(dlcourse("release", "neurons", "--root", "/proc"), "/proc")


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "mine").write_text("a file")
    one_sentence(dlcourse("lab", "mine", "--no-browser", cwd=tmp_path), "exists", "mine")


def test_a_missing_extra_is_one_sentence(tmp_path):
    (tmp_path / "nbgrader.py").write_text("raise ImportError(name='nbgrader')")
    done = dlcourse("grade", "neurons", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    one_sentence(done, "dlcourse[grading]")
