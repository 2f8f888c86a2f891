import os
import pickle
import shutil
import signal
import sys
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.training import checkpoint
from dlcourse.training.checkpoint import Checkpoints
from dlcourse.training.errors import CheckpointError
from dlcourse.training.trainer import Trainer
from tests.training.runs import assert_same, make_data, make_model, make_trainer


@pytest.fixture
def saved(tmp_path):
    """A good checkpoint's path."""
    trainer = make_trainer(ema_decay=0.9, amp_dtype=torch.float16)
    trainer.train_epoch([make_data(8).tensors] * 3)
    trainer.save(tmp_path / "good.pt")
    return tmp_path / "good.pt"


def refused(path, said, **options):
    """``path`` is refused with ``said`` by a trainer that stays as it was."""
    trainer = make_trainer(seed=7, **({"ema_decay": 0.9, "amp_dtype": torch.float16} | options))
    trainer.train_epoch([make_data(8).tensors])
    before = checkpoint._plain(trainer.state(), "")
    before = torch.utils._pytree.tree_map(lambda v: v.clone() if hasattr(v, "clone") else v, before)
    with pytest.raises(CheckpointError, match=said) as error:
        trainer.load(path)
    assert "\n" not in str(error.value)
    assert_same(before, checkpoint._plain(trainer.state(), ""))


def changed(path, **parts):
    """A copy of the checkpoint ``path`` with other ``parts``."""
    state = checkpoint.read(path) | parts
    torch.save(state, path.with_name("changed.pt"))
    return path.with_name("changed.pt")


def test_a_good_one_is_taken(saved):
    trainer = make_trainer(seed=7, ema_decay=0.9, amp_dtype=torch.float16)
    trainer.load(saved)
    assert trainer.progress.step == 3


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 0.9999])
def test_a_truncated_one_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    refused(saved, "is no checkpoint, or a damaged one")


def test_a_changed_byte_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        entry = max(archive.infolist(), key=lambda e: e.file_size)
    content = bytearray(saved.read_bytes())
    content[entry.header_offset + 200 + entry.file_size // 2] ^= 1
    saved.write_bytes(content)
    refused(saved, "damaged")


def test_one_that_would_run_code_is_refused_and_runs_none(saved, tmp_path):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was-here"),)

    torch.save({"model": Malicious()}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Malicious()))
    for name in ("a.pt", "b.pt"):
        refused(tmp_path / name, "is no checkpoint, or a damaged one")
    assert not (tmp_path / "was-here").exists()


def test_a_missing_one_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "missing.pt", "there is no checkpoint")
    refused(tmp_path, "is no checkpoint")


def test_what_is_no_state_of_a_trainer_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    refused(tmp_path / "list.pt", "holds a list")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    refused(tmp_path / "weights.pt", "no checkpoint of a trainer")


@pytest.mark.parametrize(
    "model",
    [nn.Linear(8, 2), nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.ReLU(), nn.Linear(16, 3))],
)
def test_one_of_another_model_is_refused(tmp_path, model):
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer)
    other = Trainer(model, optimizer, nn.functional.cross_entropy, scheduler=schedule)
    other.save(tmp_path / "other.pt")
    refused(tmp_path / "other.pt", "of another model", ema_decay=None, amp_dtype=None)


def test_one_of_another_precision_of_weights_is_refused(tmp_path):
    make_trainer(dtype=torch.float64).save(tmp_path / "c.pt")
    said = r"model has 0.weight \(16, 8\) torch.float64, and this one \(16, 8\) torch.float32"
    refused(tmp_path / "c.pt", said, ema_decay=None, amp_dtype=None)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"sgd": True}, "'optimizer': 'AdamW'.*'optimizer': 'SGD'"),
        ({"ema_decay": None}, "and this run of"),
        ({"amp_dtype": None}, "scaler is another"),
    ],
)
def test_one_of_another_kind_of_run_is_refused(saved, options, said):
    refused(saved, said, **options)


def test_one_of_other_optimizer_groups_is_refused(tmp_path):
    def two_groups(model):
        first, second = model[0].parameters(), model[3].parameters()
        return torch.optim.AdamW([{"params": first}, {"params": second, "lr": 1.0}])

    trainer = make_trainer()
    optimizer = two_groups(trainer.model)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer)
    other = Trainer(trainer.model, optimizer, trainer.loss_fn, scheduler=schedule)
    other.train_epoch([make_data(8).tensors])
    other.save(tmp_path / "c.pt")
    refused(
        tmp_path / "c.pt", r"\[2, 2\] in the checkpoint and \[4\]", ema_decay=None, amp_dtype=None
    )


def test_one_of_another_schedule_is_refused(saved):
    state = checkpoint.read(saved)["scheduler"]
    del state["total_iters"]
    refused(changed(saved, scheduler=state), "scheduler is another: 'total_iters' is there once")


def test_one_of_another_number_of_ranks_is_refused(saved):
    state = checkpoint.read(saved)["random"]
    refused(changed(saved, random=state * 2), "is of 2 ranks, and this run has 1: start as many")


@pytest.mark.parametrize("name", ["python", "numpy", "torch"])
def test_one_of_broken_random_states_is_refused(saved, name):
    (state,) = checkpoint.read(saved)["random"]
    broken = {"python": (3, (1, 2), None), "numpy": ("MT19937", torch.zeros(3), 0, 0, 0.0)}
    broken["torch"] = state["torch"][:-5].clone()
    refused(changed(saved, random=[state | {name: broken[name]}]), "random states can't be used")


@pytest.mark.parametrize(
    "cuda",
    [
        torch.zeros(15, dtype=torch.uint8),
        torch.zeros(16),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.ones(16, dtype=torch.uint8),  # its place isn't a multiple of 4
        5,
    ],
    ids=["short", "float", "square", "odd", "number"],
)
def test_one_of_a_broken_random_state_of_a_gpu_is_refused_on_any_device(saved, cuda):
    (state,) = checkpoint.read(saved)["random"]
    refused(changed(saved, random=[state | {"cuda": cuda}]), "random states can't be used")


def test_one_of_a_gpus_random_state_is_taken(saved):
    (state,) = checkpoint.read(saved)["random"]
    cuda = torch.tensor([7] * 8 + [4] + [0] * 7, dtype=torch.uint8)
    trainer = make_trainer(ema_decay=0.9, amp_dtype=torch.float16)
    trainer.load(changed(saved, random=[state | {"cuda": cuda}]))


@pytest.mark.parametrize(
    "broken",
    [{"step": "3"}, {"epoch": -1}, {"batch": 2.5}, {"order": 1}, {"best_loss": None}]
    + [{"recent": ["1"]}, {"history": [1.0]}, {"rows": True}],
    ids=str,
)
def test_one_of_damaged_progress_is_refused(saved, broken):
    state = checkpoint.read(saved)["progress"] | broken
    refused(changed(saved, progress=state), f"progress is damaged: {[*broken][0]} is ")


@pytest.mark.parametrize(
    "name, value",
    [
        ("exp_avg", torch.zeros(16, 7)),
        ("exp_avg", torch.zeros(())),
        ("exp_avg_sq", torch.zeros(16, 8, dtype=torch.int64)),
        ("exp_avg_sq", "much"),
        ("step", torch.zeros(16, 8)),
        ("step", "3"),
    ],
)
def test_one_of_moments_that_do_not_fit_their_parameter_is_refused(saved, name, value):
    state = checkpoint.read(saved)["optimizer"]
    state["state"][0][name] = value
    refused(changed(saved, optimizer=state), f"the optimizer's {name} of parameter 0 is ")


@pytest.mark.parametrize(
    "name",
    ["Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop"]
    + ["Rprop", "SGD"],
)
def test_what_torchs_optimizers_keep_is_taken(tmp_path, name):
    def make():
        model = make_model()
        more = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.01, **more)
        return Trainer(model, optimizer, nn.functional.cross_entropy)

    trainer, other = make(), make()
    trainer.train_epoch([make_data(8).tensors] * 2)
    trainer.save(tmp_path / "c.pt")
    other.load(tmp_path / "c.pt")
    assert_same(trainer.state(), other.state())


def test_one_of_an_optimizer_that_has_more_parameters_is_refused(saved):
    state = checkpoint.read(saved)["optimizer"]
    state["state"][17] = state["state"][0]
    refused(changed(saved, optimizer=state), "parameters that don't exist")


@pytest.mark.parametrize(
    "name", ["model", "optimizer", "scheduler", "random", "progress", "groups"]
)
def test_one_with_a_part_of_another_type_is_refused(saved, name):
    refused(changed(saved, **{name: 5}), "no checkpoint of a trainer")


def test_one_of_parameters_in_another_order_is_refused(tmp_path):
    """Their state is by place: equal shapes would be taken one for the other."""

    def make(step):
        model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
        groups = [{"params": [p]} for p in [*model.parameters()][::step]]
        return Trainer(model, torch.optim.AdamW(groups), nn.functional.cross_entropy)

    make(1).save(tmp_path / "c.pt")
    said = "another order: 0.weight in the checkpoint, where 1.weight is here"
    with pytest.raises(CheckpointError, match=said):
        make(-1).load(tmp_path / "c.pt")


# writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["save", "fsync", "replace"])
def test_a_failed_save_keeps_the_previous_checkpoint(saved, monkeypatch, name):
    good = saved.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(torch if name == "save" else os, name, fail)
    with pytest.raises(OSError, match="disk full"):
        make_trainer().save(saved)
    assert saved.read_bytes() == good


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_a_sentence_and_leaves_no_leftover(tmp_path):
    resource = pytest.importorskip("resource")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, old[1]))
        with pytest.raises(OSError, match="make room"):
            checkpoint.write({"a": torch.zeros(100_000)}, tmp_path / "c.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert not [*tmp_path.iterdir()]


def test_errors_that_have_nothing_to_do_with_files_stay_as_they_are(saved, monkeypatch):
    good = saved.read_bytes()

    def fail(*args):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RuntimeError, match="^CUDA error"):
        make_trainer().save(saved)
    assert saved.read_bytes() == good and [*saved.parent.iterdir()] == [saved]


def test_the_content_is_on_disk_before_the_file_gets_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, real=real, name=name: calls.append(name) or real(*a)
        )
    checkpoint.write({"a": 1}, tmp_path / "c.pt")
    assert calls[:2] == ["fsync", "replace"]


def test_numbers_of_numpy_become_plain_and_other_classes_are_refused(tmp_path):
    path = tmp_path / "c.pt"
    state = {"lr": np.float64(0.1), "on": np.bool_(True), "all": (np.int64(3), [None, "a", b"b"])}
    state |= {"weights": OrderedDict(w=torch.ones(2)), "counts": Counter([1, 1])}
    checkpoint.write(state, path)
    found = checkpoint.read(path)
    assert found["lr"] == 0.1 and type(found["lr"]) is float and found["on"] is True
    assert found["all"] == (3, [None, "a", b"b"]) and found["counts"] == {1: 2}
    good = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"state\['x'\] is a function"):
        checkpoint.write({"x": len if False else lambda: 0}, path)
    assert path.read_bytes() == good


def test_a_learning_rate_from_numpy_survives(tmp_path):
    trainer = make_trainer(lr=np.float64(0.1))
    trainer.train_epoch([make_data(8).tensors])
    trainer.save(tmp_path / "c.pt")
    make_trainer(lr=np.float64(0.1)).load(tmp_path / "c.pt")


def test_a_checkpoint_brings_its_learning_rate_back_which_can_be_changed_after(tmp_path):
    trainer = make_trainer(lr=0.1)
    trainer.save(tmp_path / "c.pt")
    other = make_trainer(lr=0.001)
    other.load(tmp_path / "c.pt")
    assert other.optimizer.param_groups[0]["lr"] == 0.1 and other.scheduler.base_lrs == [0.1]
    other.optimizer.param_groups[0]["lr"] = 0.01
    other.train_epoch([make_data(8).tensors])
    assert other.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * (1 - 0.9 / 50))


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=9),
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 4]),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda i: 1 / (i + 1)),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 9),
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [
                torch.optim.lr_scheduler.LinearLR(o, 0.1),
                torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
            ],
            [2],
        ),
        lambda o: None,
    ],
)
def test_torchs_schedules_resume(tmp_path, schedule):
    def make():
        trainer = make_trainer()
        optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=0.1)
        return Trainer(trainer.model, optimizer, trainer.loss_fn, scheduler=schedule(optimizer))

    straight, resumed, batches = make(), make(), [make_data(8).tensors] * 3
    straight.train_epoch(batches)
    straight.save(tmp_path / "c.pt")
    straight.train_epoch(batches)
    resumed.load(tmp_path / "c.pt")
    resumed.train_epoch(batches)
    assert_same(checkpoint._plain(straight.state(), ""), checkpoint._plain(resumed.state(), ""))


# the folder ---------------------------------------------------------------------------------


def test_the_last_are_kept_and_leftovers_of_a_kill_removed(tmp_path):
    folder = Checkpoints(tmp_path / "new" / "folder", keep=2)
    assert folder.latest() is None and folder.all() == []
    for step in (8, 9, 10, 11, 999_999_999):
        path = folder.save({"step": step}, step)
        assert folder.latest() == path and checkpoint.read(path) == {"step": step}
        path.with_name(f"{path.name}.partial").write_bytes(b"half")
    folder.save({}, 1_000_000_000)
    assert [folder.step(p) for p in folder.all()] == [999_999_999, 1_000_000_000]
    assert len(list(folder.folder.iterdir())) == 2


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    folder = Checkpoints(tmp_path, keep=1)
    for step in (0, 1):
        path = folder.save({}, step)
        shutil.copy(path, tmp_path / f"{path.stem} (copy).pt")
    assert folder.all() == [path] and len([*tmp_path.iterdir()]) == 3


def test_at_least_one_is_kept(tmp_path):
    for keep in (0, 1.5):
        with pytest.raises(ValueError, match=f"keep is an integer of at least 1, not {keep}"):
            Checkpoints(tmp_path, keep=keep)
