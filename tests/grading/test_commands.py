"""What a user sees: the plan, what to do next, and the exit code."""

import zipfile

import pytest
from typer.testing import CliRunner

from dlcourse import cli

CLASS = "id,name,lms_user_id\nada,Ada Lovelace,101\ngrace,Grace Hopper,102\n"


@pytest.fixture
def run(home, monkeypatch):
    monkeypatch.chdir(home)

    def run(*args):
        result = CliRunner().invoke(cli.app, [*map(str, args)])
        return result.exit_code, " ".join(result.output.split())

    return run


@pytest.fixture
def roster(home):
    path = home / "class.csv"
    path.write_text(CLASS)
    return path


def pack(home, **files):
    path = home / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.ipynb", text)
    return path


def test_a_dry_run_says_so_and_how_to_do_it(run, roster, home):
    code, text = run("roster", roster)
    assert code == 0 and "2 new, 0 changed" in text and "again with --write" in text
    code, text = run("roster", roster, "--write")
    assert code == 0 and "Written to the gradebook." in text
    path = pack(home, lada_101_5_tiny="x")
    code, text = run("collect", "tiny", path)
    assert code == 0 and "again with --write" in text and "1 of the roster" in text
    assert not (home / "submitted").exists() and not (home / "collected").exists()
    code, text = run("collect", "tiny", path, "--write")
    assert code == 0 and "Collected." in text


def test_a_refusal_exits_with_1_and_the_rest_is_done(run, roster, home):
    run("roster", roster, "--write")
    code, text = run("collect", "tiny", pack(home, l_101_5_tiny="x", m_77_6_tiny="y"), "--write")
    assert code == 1 and "Collected." in text and "Canvas's user 77" in text
    assert (home / "submitted" / "ada" / "tiny" / "tiny.ipynb").exists()
    roster.write_text(CLASS + "ada,Adam\n")
    code, text = run("roster", roster, "--write")
    assert code == 1 and "settle first what is refused" in text


def test_the_largest_size_can_be_changed(run, roster, home):
    run("roster", roster, "--write")
    path = pack(home, l_101_5_tiny="x" * 3000)
    code, text = run("collect", "tiny", path, "--max-mb", 0.001)
    assert code == 1 and "--max-mb" in text
    assert run("collect", "tiny", path, "--max-mb", 1)[0] == 0


def test_a_name_that_looks_like_markup_is_shown_as_it_is(run, roster, home):
    run("roster", roster, "--write")
    code, text = run("collect", "tiny", pack(home, **{"[bold]x_101_5_[red]": "x"}))
    assert code == 1 and "[bold]x_101_5_[red]" in text.replace(" ", "")


def test_two_forms_at_once_are_refused(run, home):
    result = CliRunner().invoke(cli.app, ["export", "tiny", "--csv", "--canvas"])
    assert "Choose one" in str(result.exception)
