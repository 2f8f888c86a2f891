"""IPython without a kernel: runs a cell and keeps what it shows, as a notebook's outputs.

Magics, rich outputs and figures work as in a notebook. There is no history file and no thread, so
that a process that has made a shell can be forked.
"""

import base64
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

LINES, LINE = 60, 2000  # of a traceback, at most; and characters in one of them


class Outputs:
    """The outputs of one cell, up to ``limit`` bytes; what comes after is dropped, and it is said.

    What goes past Python, to descriptors 1 and 2, lands in a file in memory and is added in the
    end.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.file = -1
        self.cells: list[dict[str, Any]] = []
        self.left = limit
        self.dropped = 0

    def to_file(self) -> None:
        """Lead descriptors 1 and 2 into the file."""
        self.file = os.memfd_create("outputs")
        for descriptor in (1, 2):
            os.dup2(self.file, descriptor)

    def begin(self) -> None:
        self.cells, self.left, self.dropped = [], self.limit, 0
        if self.file >= 0:
            os.ftruncate(self.file, 0)
            os.lseek(self.file, 0, os.SEEK_SET)

    def write(self, name: str, text: str) -> None:
        size = len(text.encode("utf-8", "replace"))
        if size > self.left:
            self.dropped += size - self.left
            text = text.encode("utf-8", "replace")[: self.left].decode("utf-8", "ignore")
            size = self.left
        self.left -= size
        if not text:
            return
        if self.cells and self.cells[-1].get("name") == name:
            self.cells[-1]["text"] += text
        else:
            self.cells.append({"output_type": "stream", "name": name, "text": text})

    def add(self, output: dict[str, Any]) -> None:
        """An output that isn't text printed: all of it or, where it is too large, nothing."""
        size = len(json.dumps(output, default=str))
        if size > self.left and output["output_type"] != "error":
            self.dropped += size
            return
        self.left -= min(size, self.left)
        self.cells.append(output)

    def end(self) -> list[dict[str, Any]]:
        if self.file >= 0:
            size = os.fstat(self.file).st_size
            data = os.pread(self.file, min(size, self.left + 1), 0)
            self.write("stdout", data.decode("utf-8", "replace"))
            self.dropped += max(size - len(data), 0)
        if self.dropped:
            said = f"\n[outputs cut: {self.dropped} bytes more than the {self.limit} allowed]\n"
            self.cells.append({"output_type": "stream", "name": "stderr", "text": said})
        return self.cells


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr``."""

    def __init__(self, name: str, outputs: Outputs):
        self.name, self.outputs = name, outputs

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.outputs.write(self.name, text)
        return len(text)

    def fileno(self) -> int:
        return {"stdout": 1, "stderr": 2}[self.name]


def bundle(data: dict[str, Any]) -> dict[str, Any]:
    """A MIME bundle as JSON takes it: bytes in base64."""
    return {
        mime: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for mime, value in data.items()
    }


class Hook(DisplayHook):
    """The value of a cell's last line."""

    outputs: Outputs

    def start_displayhook(self) -> None: ...

    def write_output_prompt(self) -> None: ...

    def finish_displayhook(self) -> None: ...

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.outputs.add(
            {
                "output_type": "execute_result",
                "execution_count": self.prompt_count,
                "data": bundle(format_dict),
                "metadata": md_dict or {},
            }
        )


class Publisher(DisplayPublisher):
    """What is displayed, figures too."""

    outputs: Outputs

    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        self.outputs.add(
            {"output_type": "display_data", "data": bundle(data), "metadata": metadata or {}}
        )

    def clear_output(self, wait: bool = False) -> None:
        self.outputs.cells.clear()


class Shell(InteractiveShell):
    outputs: Outputs

    def init_sys_modules(self) -> None:
        self.user_module.__name__ = "__main__"
        sys.modules["__main__"] = self.user_module

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        deep = isinstance(sys.exc_info()[1], RecursionError)  # seconds, to show them in context
        self.InteractiveTB.set_mode("Plain" if deep else "Context")
        super().showtraceback(*args, **kwargs)

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        lines = [str(line)[:LINE] for line in stb]
        if len(lines) > LINES:
            lines = [*lines[: LINES // 2], "...", *lines[-LINES // 2 :]]
        self.outputs.add(
            {
                "output_type": "error",
                "ename": str(getattr(etype, "__name__", etype)),
                "evalue": _words(evalue),
                "traceback": lines,
            }
        )

    def enable_gui(self, gui: Any = None) -> None: ...

    def system(self, cmd: str) -> None:
        self.system_raw(cmd)


def _words(error: Any) -> str:
    try:
        return str(error)[:10_000]
    except Exception:
        return "(an error that can't say what it is)"


def make_shell(limit: int) -> Shell:
    config = Config()
    config.HistoryManager.enabled = False  # a file, and a thread that writes it
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.xmode = "Context"
    shell = Shell.instance(config=config, displayhook_class=Hook, display_pub_class=Publisher)
    outputs = Outputs(limit)
    for part in (shell, shell.displayhook, shell.display_pub):
        setattr(part, "outputs", outputs)  # noqa: B010, they are declared as their base classes
    return shell


@contextmanager
def captured(shell: Shell) -> Iterator[Outputs]:
    """What is printed inside is kept; ``end`` what it gives back to have it."""
    shell.outputs.begin()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream("stdout", shell.outputs), Stream("stderr", shell.outputs)
    try:
        yield shell.outputs
    finally:
        sys.stdout, sys.stderr = before


def execute(shell: Shell, source: str) -> list:
    """Run one cell; the outputs it made."""
    with captured(shell) as outputs:
        shell.run_cell(source, store_history=True)
    return outputs.end()
