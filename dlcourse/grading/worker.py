"""The process that runs one submission's cells, and shows its answers to the grader.

It is told sources and cases, and never a verdict. Whatever the learner's code does to it, all that
the grader believes are plain values, in answer to the cases that it sent.
"""

import json
import random
import warnings
from typing import Any

import numpy as np

from dlcourse.checks.core import observing
from dlcourse.checks.core.shipping import rebuilt
from dlcourse.grading.outputs import Shell, execute
from dlcourse.grading.wire import Channel

_channel: Channel | None = None  # to the grader


def serve(channel: Channel, shell: Shell, random_state: int, asserts: Any = None) -> None:
    """Run the cells that the grader sends, one after the other, until it sends no more.

    Where a sheet has cells of plain asserts, which ``asserts`` runs, all other cells are watched.
    """
    global _channel
    _channel = channel
    random.seed(random_state)
    np.random.seed(random_state)
    while (message := channel.receive()).op in ("cell", "watched", "asserts"):
        if message.op == "asserts":
            said = asserts.run(*message.value)
        elif message.op == "watched":
            source, names = message.value
            said = execute(shell, source)
            asserts.watch(names)
        else:
            said = execute(shell, message.value)
        channel.send("done", json.dumps(said, default=str))


def show(name: str, answer: Any) -> None:
    """Let the grader try an answer: it sends cases until it has seen enough."""
    assert _channel is not None
    _channel.send("check", name)
    message = _channel.receive()
    if message.op != "exercise":  # not this cell's, or a second time
        return
    of, parts, source = message.value
    form = observing.wrong_form(name, of, answer)
    _channel.send("form", form)
    look = rebuilt(source[0], source[1], f"{observing.PACKAGE}/observe.py") if source else None
    while (message := _channel.receive()).op == "case":
        args = message.value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = observing.outcome(look, of, parts, answer, args)
        changed = [i in seen.changed for i in range(len(args))]
        _channel.send("outcome", [seen.parts, list(seen.raised), seen.message, changed])
