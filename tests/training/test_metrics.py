import csv
import io
import sys

import pytest
from rich.console import Console as RichConsole

from dlcourse.training.metrics import CSV, Console, TensorBoard


def table(path):
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def filled(path, count=4):
    log = CSV(path)
    log.start(0, 0)
    for i in range(1, count + 1):
        log.log({"step": 10 * i, "loss": 1 / 3 / i})
    return log


def test_rows_are_on_disk_at_once_with_every_digit(tmp_path):
    filled(tmp_path / "new" / "m.csv", 2)
    rows = table(tmp_path / "new" / "m.csv")
    assert rows == [{"step": "10", "loss": str(1 / 3)}, {"step": "20", "loss": str(1 / 6)}]


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 9])
def test_a_resumed_run_has_no_row_twice(tmp_path, rows):
    path = tmp_path / "m.csv"
    filled(path)
    log = CSV(path)
    log.start(rows, 10 * rows)
    for i in range(rows + 1, 6):
        log.log({"step": 10 * i, "loss": 0.5})
    kept = min(rows, 4)
    steps = [10 * i for i in range(1, kept + 1)] + [10 * i for i in range(rows + 1, 6)]
    assert [int(row["step"]) for row in table(path)] == steps
    assert (tmp_path / "m.csv.old").exists() == (rows == 0)


def test_a_row_that_a_kill_cut_off_is_dropped(tmp_path):
    path = tmp_path / "m.csv"
    filled(path)
    path.write_text(path.read_text()[:-9])
    log = CSV(path)
    log.start(4, 40)
    log.log({"step": 50, "loss": 0.5})
    assert [row["step"] for row in table(path)] == ["10", "20", "30", "50"]


def test_new_names_become_new_columns(tmp_path):
    path = tmp_path / "m.csv"
    log = filled(path, 2)
    log.log({"step": 20, "accuracy": 0.9})
    log.log({"step": 30, "loss": 0.1})
    assert [row["accuracy"] for row in table(path)] == ["", "", "0.9", ""]
    again = CSV(path)
    again.start(4, 30)
    again.log({"accuracy": 0.95, "step": 40})
    assert table(path)[-1] == {"step": "40", "loss": "", "accuracy": "0.95"}


def test_the_console_says_speed_memory_and_time_left():
    out = io.StringIO()
    console = Console(RichConsole(file=out, width=60))
    console.start(0, 0)
    row = {"epoch": 2, "step": 1200, "loss": 0.12345, "grad_norm": 1.5, "lr": 3e-4}
    row |= {"samples_per_second": 12345.6, "peak_memory": 3 * 2**30, "seconds_left": 3725.2}
    console.log(row)
    console.log({"epoch": 2, "step": 1200, "validation_loss": 0.5, "validation_accuracy": 0.875})
    console.start(3, 1200)
    assert out.getvalue().splitlines() == [
        "epoch 2  step 1,200  loss 0.1235  grad norm 1.5  lr 0.0003  12,346 samples/s  3.00 GiB  "
        "1:02:05 left",
        "epoch 2  step 1,200  validation loss 0.5  validation accuracy 0.875",
        "going on after step 1,200",
    ]


def test_without_tensorboard_the_command_that_installs_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[tensorboard\]"'):
        TensorBoard(tmp_path)


def test_tensorboard_gets_scalars_and_undoes_what_came_after_a_resume(tmp_path, monkeypatch):
    """With a stand-in for its writer: what is asked of it."""
    calls = []

    class Writer:
        def __init__(self, folder, purge_step):
            calls.append((folder, purge_step))

        def add_scalar(self, *args):
            calls.append(args)

        def flush(self):
            calls.append("flush")

    log = TensorBoard.__new__(TensorBoard)
    log._make, log.folder = Writer, str(tmp_path)
    log.start(0, 0)
    log.log({"step": 3, "loss": 0.5})
    log.start(1, 3)
    assert calls == [(str(tmp_path), None), ("loss", 0.5, 3), "flush", (str(tmp_path), 4)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard", reason='pip install "dlcourse[tensorboard]"')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoard(tmp_path)
    log.start(0, 0)
    for step in (1, 2, 3):
        log.log({"step": step, "loss": 1 / step})
    log = TensorBoard(tmp_path)
    log.start(2, 2)
    log.log({"step": 3, "loss": 9.0})
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("loss")
    assert [(e.step, round(e.value, 3)) for e in events] == [(1, 1.0), (2, 0.5), (3, 9.0)]
