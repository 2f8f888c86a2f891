import os
import subprocess
import sys
import textwrap

import pytest
import torch

from dlcourse.training import checkpoint, distributed
from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.data import Loader
from tests.conftest import free_port
from tests.training.runs import NORMALIZED, SIZES, make_data, make_trainer


@pytest.fixture
def launch(start):
    """``launch(name, folder)`` runs that function of runs.py on two ranks; returns exit codes."""

    def run(name, folder):
        port = free_port()
        ranks = [start(name, folder=folder, world_size=2, rank=r, port=port) for r in (0, 1)]
        for process in ranks:
            process.join(60)
        return [process.exitcode for process in ranks]

    return run


def close(a, b, where):
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            close(a[key], b[key], f"{where} {key}")
    else:
        difference = (torch.as_tensor(a) - torch.as_tensor(b)).abs().max()
        assert difference < 1e-9, f"{where}: {a} and {b}"


def test_two_ranks_give_the_weights_of_one_process_on_the_joined_batch(launch, start, tmp_path):
    """In float64, ragged and padded windows included; the norm, losses and scores agree, too."""
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    process = start("shared", folder=tmp_path / "one")
    assert launch("shared", tmp_path / "two") == [0, 0]
    process.join(60)
    one, first, second = (
        checkpoint.read(tmp_path / p) for p in ("one/0.pt", "two/0.pt", "two/1.pt")
    )
    assert len(one) == 2 * len(SIZES)
    close(first, second, "ranks:")
    for name in one:
        close(one[name], first[name], name)


def test_evaluation_with_batch_norm_is_that_of_the_saved_model(launch, tmp_path):
    """Its statistics are each rank's own while it trains; the checkpoint has those of rank 0."""
    assert launch("normalized", tmp_path) == [0, 0]
    for name, ema_decay in NORMALIZED.items():
        first, second = (checkpoint.read(tmp_path / f"{name}-found-{r}.pt") for r in (0, 1))
        assert first == second
        for i, loss in enumerate(first["losses"]):
            alone = make_trainer(norm=True, ema_decay=ema_decay)
            saved = checkpoint.read(tmp_path / f"{name}-{i}.pt")
            alone.model.load_state_dict(saved["model"])
            if ema_decay:
                alone.average.load_state_dict(saved["average"])
            assert alone.evaluate([make_data(50).tensors])["loss"] == pytest.approx(loss, rel=1e-6)


def test_ranks_meet_once_a_step_and_refuse_what_would_make_them_wait_for_ever(launch, tmp_path):
    assert launch("uneven", tmp_path) == [0, 0]
    for rank in (0, 1):
        said = (tmp_path / f"said-{rank}").read_text().splitlines()
        assert [line[:43] for line in said] == [
            "ranks have different numbers of batches, [1",
            "ranks have different numbers of batches, [2",
            "ranks see different files: all need the fol",
        ]


def test_a_rank_that_fails_ends_the_run_and_leaves_a_checkpoint(launch, tmp_path):
    codes = launch("failing", tmp_path)
    assert codes == [1, 1]
    first, second = ((tmp_path / f"stderr-{rank}").read_text() for rank in (0, 1))
    assert "rank 1 of 2 ended: ValueError: a bad sample" in second
    assert "rank 0 of 2 ended: RankLost: another rank of this run has ended, in step 4 (" in first
    assert "Start the same command again. Last good checkpoint:" in first
    assert "step-000000003.pt" in first
    state = checkpoint.read(Checkpoints(tmp_path).latest())
    assert state["progress"]["step"] == 3 and len(state["random"]) == 2


def test_torchrun_ends_the_others_when_a_rank_is_killed_and_goes_on_after(tmp_path):
    """The whole of it once: torchrun, a rank killed by the system, the same command again."""
    script = tmp_path / "program.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal, torch
        from pathlib import Path
        from torch import nn
        from dlcourse.training.checkpoint import Checkpoints
        from dlcourse.training.data import OnDevice
        from dlcourse.training.distributed import session
        from dlcourse.training.trainer import Trainer

        torch.manual_seed(0)
        x = torch.randn(64, 4)
        folder = Path(__file__).parent
        with session() as ranks:
            model = nn.Linear(4, 2).to(ranks.device)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            trainer = Trainer(
                model, optimizer, nn.functional.cross_entropy,
                checkpoints=Checkpoints(folder / "run"), save_every=1,
            )
            resumed = trainer.resume()
            if ranks.rank == 1 and not resumed:
                def kill(*_):
                    if trainer.progress.step == 3:
                        os.kill(os.getpid(), signal.SIGKILL)
                optimizer.register_step_pre_hook(kill)
            loader = OnDevice(x, (x[:, 0] > 0).long(), batch_size=4, device=ranks.device)
            trainer.train_epoch(loader)
            trainer.save()
            print("finished", ranks.rank, resumed, trainer.progress.step, flush=True)
        """)
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(script)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    first = subprocess.run(command, capture_output=True, text=True, env=env, timeout=100)
    assert first.returncode == 1, first.stderr
    assert "SIGKILL" in first.stderr or "exitcode  : -9" in first.stderr
    assert Checkpoints.step(Checkpoints(tmp_path / "run").latest()) == 3
    second = subprocess.run(command, capture_output=True, text=True, env=env, timeout=100)
    assert second.returncode == 0, second.stderr
    assert sorted(second.stdout.splitlines()) == ["finished 0 True 8", "finished 1 True 8"]


def test_without_torchrun_a_session_is_one_rank(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with distributed.session() as ranks:
        assert (ranks.rank, ranks.world_size, ranks.is_main) == (0, 1, True)
        assert ranks.all_gather("x") == ["x"] and ranks.all_reduce(torch.tensor(2.0)) == 2
        ranks.barrier()
        make_trainer()


def test_outside_of_a_session_torchruns_processes_are_refused(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for make in (make_trainer, lambda: Loader(make_data(8), 4)):
        with pytest.raises(ValueError, match="inside `with session"):
            make()


def test_more_ranks_than_gpus_are_refused(monkeypatch):
    for name, value in {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "best_device", lambda: torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="local rank 2 needs a GPU of its own, and there are 2"):
        with distributed.session():
            pass


@pytest.mark.parametrize(
    "environment, said",
    [
        ({"WORLD_SIZE": "4"}, "nothing says which GPU is this process' own"),
        ({"WORLD_SIZE": "4", "SLURM_LOCALID": "3"}, "local rank 3 needs a GPU"),
        ({"WORLD_SIZE": "4", "SLURM_LOCALID": "3", "LOCAL_RANK": "1"}, "local rank 1 needs a GPU"),
        ({"WORLD_SIZE": "1"}, "local rank 0 needs a GPU"),
    ],
)
def test_the_gpu_is_chosen_by_the_launchers_local_rank(monkeypatch, environment, said):
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"RANK": "0"} | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "best_device", lambda: torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=said), distributed.session():
        pass


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_ranks_on_gpus_give_the_weights_of_one_process(launch, start, tmp_path):
    test_two_ranks_give_the_weights_of_one_process_on_the_joined_batch(launch, start, tmp_path)
