"""What a worker says that a cell showed, made into a notebook's outputs: nothing of it is believed.

Text that no file can hold, numbers that JSON doesn't know, outputs of no kind, and verdicts, which
only the grader gives, are taken out.
"""

import json
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.checks.core.cell import VERDICT_TYPE, Points
from dlcourse.checks.core.verdict import Verdict

FORGED = "a cell showed something that passes itself off as a verdict"
BROKEN = "outputs came that no notebook makes"


def outputs(said: Any) -> tuple[list[NotebookNode], list[str]]:
    """The outputs of a cell, and what about them should be looked at."""
    try:
        listed = json.loads(said, parse_constant=str)
        if type(listed) is not list:
            raise TypeError
        flags: list[str] = []
        return [_output(_clean(each), flags) for each in listed], flags
    except (ValueError, TypeError, KeyError, RecursionError):
        return [], [BROKEN]


def _output(said: dict[str, Any], flags: list[str]) -> NotebookNode:
    kind = said["output_type"]
    if kind == "stream":
        name = "stderr" if said["name"] == "stderr" else "stdout"
        return new_output("stream", name=name, text=_text(said["text"]))
    if kind == "error":
        lines = [_text(line) for line in list(said["traceback"])]
        return new_output(
            "error", ename=_text(said["ename"]), evalue=_text(said["evalue"]), traceback=lines
        )
    if kind not in ("display_data", "execute_result"):
        raise ValueError(kind)
    data = {_text(mime): value for mime, value in dict(said["data"]).items()}
    if data.pop(VERDICT_TYPE, None) is not None:
        flags.append(FORGED)
    for mime, value in data.items():
        data[mime] = value if mime.endswith("json") else _text(value)
    return new_output("display_data", data=data) if kind == "display_data" else _result(data)


def _result(data: dict[str, Any]) -> NotebookNode:
    return new_output("execute_result", data=data, execution_count=None)


def _text(value: Any) -> str:
    if type(value) is list:
        value = "".join(value)
    if type(value) is not str:
        raise TypeError("text")
    return value


def _clean(value: Any) -> Any:
    """Without lone surrogates, which UTF-8 can't write."""
    if type(value) is str:
        return value.encode("utf-8", "replace").decode()
    if type(value) is list:
        return [_clean(each) for each in value]
    if type(value) is dict:
        return {_clean(k): _clean(v) for k, v in value.items()}
    return value


def verdict(given: Verdict) -> NotebookNode:
    """A verdict as ``check`` itself shows it under nbgrader: its value is the points."""
    return _result(_clean(Points(given)._repr_mimebundle_()))


def error(name: str, why: str) -> NotebookNode:
    """An error is 0 points; this one says why."""
    why = _clean(why)
    return new_output("error", ename=name, evalue=why, traceback=[f"{name}: {why}"])
