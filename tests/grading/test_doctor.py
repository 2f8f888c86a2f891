import os
import sys

import pytest
from rich.console import Console

from dlcourse.grading import doctor as module
from dlcourse.grading import isolation
from dlcourse.grading.doctor import Row, doctor, table, well
from dlcourse.grading.isolation import Offer


@pytest.fixture(autouse=True)
def with_a_sandbox(monkeypatch):
    """What this machine offers is asked once; not by tests that change PATH."""
    monkeypatch.setattr(isolation, "probe", lambda: Offer(True, True))


def row(rows, start):
    (found,) = [r for r in rows if r.name.startswith(start)]
    return found


def test_a_machine_that_grades_is_well(tmp_path):
    rows = doctor(tmp_path)
    assert well(rows) and list(tmp_path.iterdir()) == []
    assert all(r.ok or r.mend for r in rows)


def test_python_too_old_is_said_with_where_to_get_a_newer_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    found = row(doctor(tmp_path), "Python")
    assert not found.ok and found.found == "3.10.4" and "python.org" in found.mend


def test_a_missing_extra_is_said_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(module.EXTRAS, "grading", ("nbgrader", "no-such-package"))
    found = row(doctor(tmp_path), "extra 'grading'")
    assert not found.ok and found.found == "no no-such-package"
    assert found.mend == "python -m pip install 'dlcourse[grading]'"
    assert not well(doctor(tmp_path))


def test_what_only_some_tasks_need_does_not_make_it_unwell(tmp_path, monkeypatch):
    monkeypatch.setitem(module.EXTRAS, "torch", ("no-such-package",))
    monkeypatch.setenv("PATH", "")
    rows = doctor(tmp_path)
    assert not row(rows, "extra 'torch'").ok and not row(rows, "Chromium").ok and well(rows)
    assert "apt-get install chromium" in row(rows, "Chromium").mend


def test_alembic_is_looked_for_where_grading_finds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert row(doctor(tmp_path), "program 'alembic'").ok
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert not row(doctor(tmp_path), "program 'alembic'").ok


def test_a_kernel_that_is_not_registered_is_said(tmp_path, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert "ipykernel install" in row(doctor(tmp_path), "kernel").mend


def test_a_machine_without_a_sandbox_is_told_what_to_do(tmp_path, monkeypatch):
    refused = Offer(False, False, "bubblewrap isn't installed. Install it with: sudo apt-get")
    monkeypatch.setattr(isolation, "probe", lambda: refused)
    found = row(doctor(tmp_path), "sandbox")
    assert not found.ok and "sudo apt-get" in found.mend and "--isolation none" in found.mend
    assert not well(doctor(tmp_path))


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    found = row(doctor(tmp_path / "file"), "a folder")
    assert not found.ok and "chown" in found.mend


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_seed_that_others_can_read_is_said_with_chmod(tmp_path):
    seed = tmp_path / ".dlcourse-seed"
    seed.write_bytes(bytes(32))
    seed.chmod(0o644)
    assert row(doctor(tmp_path), "the secret").mend == f"chmod 600 {seed}"
    seed.chmod(0o600)
    assert row(doctor(tmp_path), "the secret").ok


def test_the_table_shows_what_is_wrong_and_the_command_as_it_must_be_typed():
    console = Console(record=True, width=200, file=open(os.devnull, "w"))
    command = "python -m pip install 'dlcourse[grading]'"
    with console.file:
        console.print(table([Row("a", True, "1"), Row("b", False, "no x", command)]))
    text = console.export_text()
    assert "ok" in text and "missing" in text and command in text
