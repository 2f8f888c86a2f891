"""What nbgrader logs, kept off the screen, and the one sentence in it that matters."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

# What nbgrader's traceback ends in, and what that means to the person who reads it.
PLAINLY = {
    "DeadKernelError": "its kernel died: the code ended the process or used up the memory.",
    "UnresponsiveKernelError": "a cell ran on and could not be interrupted.",
    "Cannot add or remove cells": "cells were added or removed, but submissions of the old sheet "
    "are in the gradebook already. Give the new sheet another name, or start a new gradebook.",
    "OperationalError": "the gradebook can't be opened. Is the disk full, or another program "
    "writing to it?",
}


@contextmanager
def captured() -> Iterator[list[str]]:
    """The messages that nbgrader logs inside the block, as a list."""
    from traitlets.log import get_logger

    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(get_logger().name)
    before, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield messages
    finally:
        log.removeHandler(handler)
        log.propagate = before


def reason(messages: list[str]) -> str:
    """Why it went wrong: our words for what we know, else the last exception's own."""
    text = "\n".join(messages)
    for sign, sentence in PLAINLY.items():
        if sign in text:
            return sentence
    traceback = [message for message in messages if "Traceback" in message][-1:]
    errors = re.findall(r"^[A-Za-z_][\w.]*: .*$", "".join(traceback), re.MULTILINE)
    return [*messages, *errors][-1] if messages else "it gave no reason."
