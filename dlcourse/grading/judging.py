"""The trusted half of a graded check: right answers and verdicts, where no learner's code runs.

The worker is sent cases, and sends back what the answer made of them. It is told nothing of how
that was judged, and gets all cases whatever it answers.
"""

import ast
from functools import lru_cache
from typing import Any

import numpy as np

from dlcourse.checks.core import registry
from dlcourse.checks.core.observing import Outcome
from dlcourse.checks.core.shipping import source_of
from dlcourse.checks.core.trial import Trial
from dlcourse.checks.core.values import Tensor
from dlcourse.checks.core.verdict import Verdict
from dlcourse.grading.wire import Channel, Malformed, Message

ROOM = 4 << 20  # bytes an answer may be larger than the right one
TEXT = 2000  # characters of an exception's message


class Interrupted(Exception):
    """The cell ended in the middle of its check; ``message`` is its last one."""

    def __init__(self, message: Message):
        super().__init__()
        self.message = message


def checked(source: str) -> str | None:
    """The name in ``check("name", ...)`` if that is all the cell does, comments aside."""
    try:
        (statement,) = ast.parse(source).body
    except (SyntaxError, ValueError):  # also: no statement, or more than one
        return None
    match statement:
        case ast.Expr(ast.Call(ast.Name("check"), [ast.Constant(str(name)), *_])):
            return name
    return None


@lru_cache(maxsize=256)
def trial(slug: str, name: str, key: bytes | None) -> Trial:
    """The hidden cases of an exercise; drawn, and answered rightly, once for a whole class."""
    exercise = registry.unit(slug).exercises[name]
    made = exercise.trial(0 if key is None else int.from_bytes(key))
    assert made.wanted is not None  # computed now, and not in the time that a cell has
    return made


def examine(channel: Channel, trial: Trial) -> list[Outcome] | str:
    """What the answer that the worker is about to show does with each case.

    Or why it can't be tried at all. Raises what :meth:`Channel.receive` raises, and Interrupted.
    """
    exercise = trial.exercise
    source = None if exercise.look is None else source_of(exercise.look)
    channel.send("exercise", (exercise.of, tuple(exercise.parts), source))
    before = channel.header, channel.body
    channel.header = channel.body = ROOM + 8 * _size([outcome.parts for outcome in trial.wanted])
    try:
        form = _next(channel, "form").value
        if type(form) is not str:
            raise Malformed("a form that isn't one")
        outcomes = []
        if not form:
            for case in trial.cases:
                channel.send("case", case.args)
                outcomes.append(_outcome(_next(channel, "outcome").value, len(case.args), trial))
    finally:
        channel.header, channel.body = before
    channel.send("end")
    return form[:TEXT] or outcomes


def judge(trial: Trial, seen: list[Outcome] | str) -> Verdict:
    """The verdict. Its exceptions are the check's fault, or come of an answer made for that."""
    return trial.no_answer(seen) if isinstance(seen, str) else trial.judged(seen)


def _next(channel: Channel, op: str) -> Message:
    message = channel.receive()
    if message.op == "done":
        raise Interrupted(message)
    if message.op != op:
        raise Malformed(f"{message.op!r:.40} where {op!r} was due")
    return message


def _outcome(value: Any, arguments: int, trial: Trial) -> Outcome:
    """An outcome out of what a worker claims it is."""
    if type(value) is not list or [type(each) for each in value] != [dict, list, str, list]:
        raise Malformed("an outcome that isn't one")
    parts, raised, message, changed = value
    if not set(parts) <= set(trial.exercise.parts):
        raise Malformed("an outcome with parts that nobody asked for")
    if len(raised) > 50 or any(type(name) is not str or len(name) > 200 for name in raised):
        raise Malformed("an exception that isn't one")
    if len(changed) != arguments or any(type(each) is not bool for each in changed):
        raise Malformed("an outcome that isn't one")
    places = tuple(i for i, each in enumerate(changed) if each)
    return Outcome(parts, tuple(raised), message[:TEXT], places)


def _size(value: Any) -> int:
    """About how many bytes a plain value takes on its way."""
    if isinstance(value, np.ndarray):
        return value.nbytes + 100
    if isinstance(value, Tensor):
        return value.array.nbytes + 100
    if isinstance(value, dict):
        return sum(map(_size, [*value, *value.values()]))
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(str(value)) + 20
