"""Where the numbers of a run go: the console, a CSV file, TensorBoard. Rank 0 alone writes.

A logger is told where the run starts, then gets rows: dicts of plain numbers with a ``step``.
"""

import csv
import os
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console as RichConsole


class Logger(Protocol):
    """What a trainer asks of a logger."""

    def start(self, rows: int, step: int) -> None:
        """The run goes on after its first ``rows`` rows, at ``step``: what came later is undone."""

    def log(self, row: dict) -> None:
        """Take the next row."""


class Console:
    """One line a row: loss and rate, samples per second, memory, time left."""

    def __init__(self, console: RichConsole | None = None):
        self.console = console or RichConsole()

    def start(self, rows: int, step: int) -> None:
        if step:
            self.console.print(f"going on after step {step:,}", highlight=False)

    def log(self, row: dict) -> None:
        said = [f"epoch [bold]{row['epoch']}[/]"] if "epoch" in row else []
        said.append(f"step {row['step']:,}")
        known = {"epoch", "step", "lr", "samples_per_second", "peak_memory", "seconds_left"}
        said += [f"{k.replace('_', ' ')} [bold]{row[k]:.4g}[/]" for k in row if k not in known]
        if "lr" in row:
            said.append(f"lr {row['lr']:.3g}")
        if "samples_per_second" in row:
            said.append(f"{row['samples_per_second']:,.0f} samples/s")
        if row.get("peak_memory"):
            said.append(f"{row['peak_memory'] / 2**30:.2f} GiB")
        if "seconds_left" in row:
            minutes, seconds = divmod(round(row["seconds_left"]), 60)
            said.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
        self.console.print("  ".join(said), highlight=False, soft_wrap=True)


class CSV:
    """Rows in the file ``path``, a column for every name; each on disk when ``log`` returns.

    A resumed run goes on after the rows that its checkpoint knew of, so none is there twice. A run
    that starts anew keeps the old file beside it, with ``.old`` at its name's end.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._columns: list[str] = []

    def start(self, rows: int, step: int) -> None:
        if rows == 0 and self.path.exists():
            os.replace(self.path, f"{self.path}.old")
        kept = self._read()[:rows] if self.path.exists() else []
        self._columns = [*kept[0]] if kept else []
        if kept:
            self._write(kept)

    def log(self, row: dict) -> None:
        if new := [name for name in row if name not in self._columns]:
            old = self._read() if self._columns else []
            self._columns += new
            self._write(old)
        with self.path.open("a", newline="", encoding="utf8") as file:
            csv.DictWriter(file, self._columns).writerow(row)
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> list[dict]:
        """The rows; a last one that a kill cut off, before its line's end, isn't one."""
        text = self.path.read_text("utf8")
        return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))

    def _write(self, rows: list[dict]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(f"{self.path}.partial")
        with partial.open("w", newline="", encoding="utf8") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, self.path)


class TensorBoard:
    """Rows as scalars in ``folder``. Raises ImportError, with the command, without tensorboard."""

    def __init__(self, folder: str | os.PathLike):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ImportError(
                'TensorBoard is missing: pip install "dlcourse[tensorboard]"', name="tensorboard"
            ) from None
        self._make: Any = SummaryWriter
        self.folder = os.fspath(folder)

    def start(self, rows: int, step: int) -> None:
        self._writer = self._make(self.folder, purge_step=step + 1 if step else None)

    def log(self, row: dict) -> None:
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()
