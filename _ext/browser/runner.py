"""Runs a sheet's cells in the reader's page, under Pyodide: one namespace, as a notebook has.

It comes to the worker as text (``worker.js``), and is tested outside of it like any module.
"""

import ast
import contextlib
import io
import json
import linecache
import re
import traceback
from collections.abc import Iterator
from typing import Any

from dlcourse.checks import CheckFailed

MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
OWN_LINE = re.compile(r"\(your line (\d+)")
LONGEST = 20_000  # characters of output: more is of no use on a page


class Output(io.StringIO):
    """What cells print, up to a length; the rest is dropped, and that it was is told."""

    dropped = False

    def write(self, text: str) -> int:
        room = max(0, LONGEST - self.tell())
        super().write(text[:room])
        self.dropped |= len(text) > room
        return len(text)

    def text(self) -> str:
        return self.getvalue() + ("\n… and more, which is not shown.\n" if self.dropped else "")


class Sheet:
    """The cells of one sheet, run in any order on one namespace."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def given(self, source: str) -> str:
        """Run a cell that the sheet gives; what went wrong, or "".

        A magic such as ``%pip`` does nothing: what it would install is there.
        """
        try:
            with _into(Output()):
                self._cell("given", MAGIC.sub(r"\1pass", source))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def run(self, name: str, source: str, check: str = "") -> str:
        """Run a learner's cell, then its check; the outcome as JSON.

        ``kind`` is "ran", "right", "wrong" (with the verdict as ``html``) or "error"; ``text`` what
        the cell printed and what went wrong, ``said`` what the check printed; ``line`` the
        learner's own line, 0 where none is known.
        """
        output, said, raised, html, line = Output(), Output(), "", "", 0
        try:
            with _into(output):
                self._cell(name, source)
            kind = "ran"
            if check:
                with _into(said):
                    self._cell("check", check)
                kind = "right"
        except CheckFailed as failed:
            kind, html = "wrong", failed.verdict.html()
            if found := OWN_LINE.search(str(failed)):
                line = int(found[1])
        except (Exception, SystemExit) as error:
            kind, line = "error", _line(error, name)
            where = f" in line {line}" if line else ""
            shown = error.msg if isinstance(error, SyntaxError) else error
            raised = f"{type(error).__name__}{where}: {shown}"
        about = {"kind": kind, "text": output.text() + raised, "said": said.getvalue()}
        return json.dumps(about | {"html": html, "line": line})

    def _cell(self, name: str, source: str) -> None:
        """Run a cell; its last expression is printed, as a notebook would show it."""
        filename = f"<{name}>"
        # so that a traceback can quote the line
        linecache.cache[filename] = len(source), None, source.splitlines(True), filename
        tree = ast.parse(source, filename)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
            exec(compile(tree, filename, "exec"), self.names)
            value = eval(compile(ast.Expression(last.value), filename, "eval"), self.names)
            if value is not None:
                print(repr(value))
        else:
            exec(compile(tree, filename, "exec"), self.names)


@contextlib.contextmanager
def _into(output: Output) -> Iterator[None]:
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        yield


def _line(error: BaseException, name: str) -> int:
    """The line of the cell ``name`` that the error came through last."""
    if isinstance(error, SyntaxError) and error.filename == f"<{name}>":
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == f"<{name}>"]
    return lines[-1] if lines else 0
