import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcourse.recipes import char_gpt, mnist_cnn, running
from dlcourse.training import checkpoint
from dlcourse.training.checkpoint import Checkpoints
from tests.recipes import killed
from tests.training.runs import assert_same

RECIPES = {"mnist_cnn": mnist_cnn, "char_gpt": char_gpt}


def said(result):
    """All that a command printed, without the frame and its line breaks."""
    return " ".join((result.output + result.stderr).replace("│", " ").split())


@pytest.fixture
def tiny(monkeypatch):
    """Both recipes on little data."""
    for module, name in (
        (running, "SAVE_EVERY"),
        (mnist_cnn, "parts"),
        (char_gpt, "read"),
        (char_gpt, "train"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back afterwards
    killed.tiny()


def run(module, *options):
    return CliRunner().invoke(module.app, [str(option) for option in options])


def rows(path):
    """The log, without what a clock or the system says."""
    with path.open(encoding="utf8") as file:
        clock = {"samples_per_second", "peak_memory", "seconds_left"}
        return [{k: v for k, v in row.items() if k not in clock} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The folder in which ``killed.py`` has run."""
    root, folder = Path(__file__).parents[2], tmp_path_factory.mktemp("runs")
    env = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, cwd=root)
    ends = [line for line in done.stdout.splitlines() if line.startswith("ended")]
    assert ends == ["ended with 0", "ended with -9", "ended with 0"] * len(RECIPES), done.stderr
    assert done.stdout.count("going on after step 3") == len(RECIPES)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_was_killed_resumes_bit_for_bit(name, ended):
    whole, cut = ended / name / "whole", ended / name / "cut"
    states = [checkpoint.read(Checkpoints(folder).latest()) for folder in (whole, cut)]
    assert_same(*states)
    assert_same(*(checkpoint.read(folder / "best.pt") for folder in (whole, cut)))
    assert (whole / "result.json").read_text() == (cut / "result.json").read_text()
    assert rows(whole / "metrics.csv") == rows(cut / "metrics.csv")
    assert [row["epoch"] for row in rows(cut / "metrics.csv")] == ["1", "2"]


@pytest.mark.parametrize("name", RECIPES)
def test_help_names_every_shared_option(name):
    text = said(run(RECIPES[name], "--help"))
    for option in ("out", "resume", "smoke", "epochs", "batch-size", "lr", "precision", "seed"):
        assert f"--{option}" in text


@pytest.mark.parametrize("name", RECIPES)
def test_smoke_trains_saves_resumes_and_keeps_nothing(name, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "smoke"
    monkeypatch.setattr("tempfile.mkdtemp", lambda: folder.mkdir() or str(folder))
    result = run(RECIPES[name], "--smoke", "--batch-size", 4, "--precision", "fp16")
    assert result.exit_code == 0, result.output
    assert result.output.count("epoch 1 ") == 1 and result.output.count("epoch 2 ") == 1
    assert "going on after step" in result.output
    assert not list(tmp_path.iterdir())


def test_a_folder_with_a_run_is_refused_and_so_are_other_options(tiny, tmp_path):
    options = ["--out", tmp_path / "run", "--epochs", 1, "--batch-size", 50]
    first = run(mnist_cnn, *options, "--resume")
    assert first.exit_code == 0 and "yet: starting anew" in said(first)
    again = run(mnist_cnn, *options)
    assert again.exit_code == 2 and "--resume it, or give another --out" in said(again)
    other = run(mnist_cnn, *options, "--resume", "--lr", 0.1)
    assert other.exit_code == 2 and "has lr 0.003, not 0.1" in said(other)
    more = run(mnist_cnn, *options, "--resume", "--epochs", 2)
    assert more.exit_code == 0 and "epoch 2" in more.output
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert {"best_epoch", "validation_accuracy", "test_accuracy", "test_loss"} <= result.keys()


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["--lr", 0], "--lr is above 0, not 0.0"),
        (["--lr", "nan"], "--lr is above 0, not nan"),
        (["--batch-size", 0], "greater than or equal to 1"),
        (["--epochs", 0], "greater than or equal to 1"),
        (["--precision", "fp8"], "'fp8' is not one of"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, sentence, tiny, tmp_path):
    result = run(mnist_cnn, "--out", tmp_path, *options)
    assert result.exit_code == 2 and sentence in said(result)


def test_what_goes_wrong_in_a_run_ends_in_a_sentence(tiny, tmp_path):
    result = run(mnist_cnn, "--out", tmp_path / "a", "--lr", 1e30, "--batch-size", 10)
    assert result.exit_code == 1 and "Error: step " in said(result)
    (tmp_path / "file").write_text("")
    result = run(mnist_cnn, "--out", tmp_path / "file" / "run")
    assert result.exit_code == 1 and "Not a directory" in said(result)


def test_the_learning_rate_rises_and_falls():
    shares = [running._share_of_lr(step, 100) for step in range(101)]
    assert shares[0] == 0.1 and shares[9] == 1 and max(shares) == 1
    assert shares[10:] == sorted(shares[10:], reverse=True) and shares[100] == 0
    assert running._share_of_lr(0, 1) == 1 and running._share_of_lr(500, 100) == 0


@pytest.mark.parametrize("name", RECIPES)
def test_without_torch_a_recipe_says_what_to_install(name):
    code = f"import sys; sys.modules['torch'] = None; import dlcourse.recipes.{name}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert told.endswith('needs torch, which is missing: pip install "dlcourse[torch]"\n')
    assert told.count("Error:") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_two_ranks_run_a_recipe_under_torchrun(name):
    pytest.importorskip("mlxtend")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", f"dlcourse.recipes.{name}", "--smoke"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("going on after step") == 1  # rank 0 alone speaks
    assert done.stdout.count("best epoch: ") == 2
