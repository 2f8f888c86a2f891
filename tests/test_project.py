"""What stands in several places of the project agrees, and what must not stand in it doesn't."""

import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = ("README.md", "CONTRIBUTING.md", "pages/instructor.md", "pages/grading-trust.md")


def text(name):
    return (ROOT / name).read_text("utf8")


def test_the_version_is_the_same_everywhere():
    wheel = f"{PROJECT['urls']['Homepage']}wheels/dlcourse-{PROJECT['version']}-py3-none-any.whl"
    assert wheel in text("README.md")
    assert f"version: {PROJECT['version']}\n" in text("CITATION.cff")
    assert f"## {PROJECT['version']}" in text("CHANGELOG.md")
    for sheet in (ROOT / "exercises").glob("*/*.ipynb"):
        assert wheel in sheet.read_text("utf8")


def test_constraints_name_one_exact_version_each_without_a_local_part():
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    names = [re.fullmatch(r"([\w.-]+)==[\w.!]+", line)[1].lower() for line in lines]
    assert len(names) == len(set(names))
    assert {"torch", "setuptools", "nbgrader", "jupyter-book"} <= set(names)


def test_the_environment_has_the_versions_in_constraints():
    """What is tested is what `make course` installs."""
    wrong = []
    for line in text("constraints.txt").splitlines()[1:]:
        name, wanted = line.split("==")
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue  # for another platform or Python
        if found != wanted:
            wrong.append(f"{name}: {found}, not {wanted}")
    assert not wrong


def test_constraints_install_on_the_oldest_python_that_we_promise():
    """A Linux distribution's 3.11 may be 3.11.2 for years."""
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    refused = []
    for line in text("constraints.txt").splitlines()[1:]:
        name = line.split("==")[0]
        try:
            wants = metadata(name).get("Requires-Python", "")
        except PackageNotFoundError:
            continue
        if oldest not in SpecifierSet(wants):
            refused.append(f"{line} wants Python {wants}")
    assert not refused


def test_every_make_target_that_is_written_about_exists():
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z-]+)", text(page))) <= targets
        assert set(re.findall(r"^ +make ([a-z-]+)", text(page), re.MULTILINE)) <= targets


def test_every_command_that_is_written_about_exists():
    import typer.main

    from dlcourse.cli import app

    commands = set(typer.main.get_command(app).commands)
    for page in PAGES:
        named = re.findall(r"(?:`|^ +)dlcourse ([a-z-]+)", text(page), re.MULTILINE)
        assert named and set(named) <= commands


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_workflows_are_yaml_with_the_fewest_rights(path):
    workflow = yaml.safe_load(path.read_text("utf8"))
    assert workflow["permissions"]["contents"] == "read"
    assert all(job["runs-on"] for job in workflow["jobs"].values())


def test_no_file_names_a_path_of_somebodys_machine():
    found = subprocess.run(
        [
            "git",
            "grep",
            "-nIE",
            r"/(home|Users|root|work)/[a-z]",
            "--",
            ".",
            ":!tests/test_project.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if found.returncode > 1:
        pytest.skip("needs a git checkout")
    assert found.stdout == ""
