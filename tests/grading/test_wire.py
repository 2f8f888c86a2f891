"""What the grader and a sandbox say to each other arrives as it was, or not at all."""

import json
import socket
import struct
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlcourse.checks.core import registry
from dlcourse.checks.core.values import Refused, Tensor, fresh, identical, plain
from dlcourse.grading import wire
from dlcourse.grading.wire import ARGUMENTS, PLAIN, Channel, Malformed

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.unicode_string_dtypes(),
    hnp.byte_string_dtypes(),
)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
keys = st.one_of(st.text(), st.integers(-5, 5))
tensor_arrays = hnp.arrays(st.sampled_from(["f4", "f8"]), hnp.array_shapes(min_side=0, max_side=3))
leaves = st.none() | st.booleans() | st.text() | arrays | st.builds(Refused, st.text(max_size=9))
plain_values = st.recursive(
    leaves | st.builds(Tensor, tensor_arrays, st.booleans()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def across(value, vocabulary=ARGUMENTS):
    """``value`` as it comes out at the other end."""
    here, there = socket.socketpair()
    with here, there:
        sender = threading.Thread(target=Channel(here).send, args=("value", value))
        sender.start()
        channel = Channel(there, vocabulary)
        channel.deadline = time.monotonic() + 10
        try:
            return channel.receive().value
        finally:
            there.close()
            sender.join()


def refused(head, body=b"", limit=wire.BODY):
    """Send a header by hand, as someone would who wants to do harm; the reason it is refused."""
    data = head if isinstance(head, bytes) else json.dumps(head).encode()
    here, there = socket.socketpair()
    with here, there:
        here.sendall(struct.pack("<I", len(data)) + data + body)
        channel = Channel(there, PLAIN)
        channel.deadline, channel.body = time.monotonic() + 2, limit
        with pytest.raises(Malformed) as error:
            channel.receive()
    return str(error.value)


def message(tree=None, *about):
    return {"op": "result", "value": tree, "arrays": list(about)}


@given(plain_values)
def test_plain_values_come_out_as_they_went_in(value):
    assert identical(across(value, PLAIN), value)


@given(arrays)
def test_what_plain_makes_travels(value):
    known = plain([value, {"a": value}])
    assert identical(across(known, PLAIN), known)


def same(a, b):
    """Whether two arguments are equal in type, value, and place of their entries in memory."""
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return type(a) is type(b) and [*a] == [*b] and all(same(a[k], b[k]) for k in a)
    if isinstance(a, torch.Tensor):
        return identical(plain(a), plain(b)) and a.stride() == b.stride()
    if isinstance(a, np.ndarray):
        return identical(a, b) and a.flags.f_contiguous == b.flags.f_contiguous
    return type(a) is type(b) and (a == b or a != a)


ARGUMENTS_OF_CASES = [
    3,
    2**70,
    -0.0,
    float("inf"),
    1 + 2j,
    np.float32(0.1),
    (1, [2.0, "three"], {"four": None, 5: True}),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0),
    torch.arange(6.0).reshape(2, 3).T,
    torch.arange(6.0)[::2],
    torch.ones(2, dtype=torch.float64, requires_grad=True),
]


@pytest.mark.parametrize("value", ARGUMENTS_OF_CASES, ids=str)
def test_a_cases_arguments_stay_what_they_are(value):
    assert same(across(value), value)


def test_what_arrives_can_be_changed():
    array = across(np.zeros(3))
    array += 1
    assert array.sum() == 3


@pytest.mark.parametrize("slug", registry.units())
def test_every_case_of_every_unit_travels(slug):
    for exercise in registry.unit(slug).exercises.values():
        for case in exercise.draw(1):
            assert same(across(case.args), fresh(case.args))  # as an answer gets them


def test_an_object_is_not_sent():
    with pytest.raises(TypeError, match="not <class 'object'>"):
        wire.pack([object()], [])
    with pytest.raises(TypeError, match="keys are strings or integers"):
        wire.pack({1.5: 0}, [])


BAD = {
    "no JSON": b"{",
    "no header": b"[]",
    "not UTF-8": b"\xff",
    "deep JSON": b"[" * 100_000,
    "a number of many digits": b'{"op": "x", "value": ' + b"9" * 5000 + b', "arrays": []}',
    "no operation": {"value": None, "arrays": []},
    "an operation of another type": {"op": ["x"], "value": None, "arrays": []},
    "arrays of another type": {"op": "x", "value": None, "arrays": {}},
    "too many arrays": message(None, *[["<f8", [0], [0]]] * 10_001),
    "a bare number": message(3),
    "an argument's tag": message({"number": [3]}),
    "a tensor to be made": message({"torch": [0, True]}, ["<f8", [0], [0]]),
    "an unknown tag": message({"pickle": ["cos"]}),
    "two tags": message({"array": [0], "dict": []}),
    "no array there": message({"array": [0]}),
    "a negative place": message({"array": [-1]}, ["|b1", [0], [0]]),
    "a place that is a bool": message({"array": [True]}, ["|b1", [0], [0]]),
    "objects": message(None, ["|O", [1], [0]]),
    "records": message(None, ["|V8", [1], [0]]),
    "dates": message(None, ["<M8[s]", [1], [0]]),
    "a dtype with a comma": message(None, ["<f8,<f8", [1], [0]]),
    "huge text": message(None, ["<U99999999999", [1], [0]]),
    "a negative shape": message(None, ["<f8", [-1], [0]]),
    "a shape of floats": message(None, ["<f8", [1.0], [0]]),
    "a huge shape": message(None, ["<f8", [1 << 30], [0]]),
    "a huge product": message(None, ["<f8", [1 << 20] * 6, [0, 1, 2, 3, 4, 5]]),
    "an axis twice": message(None, ["<f8", [1, 1], [0, 0]]),
    "too deep": message(eval("[" * 80 + "]" * 80)),
    "a key twice": message({"dict": [["a", None], ["a", None]]}),
    "a key that is a list": message({"dict": [[["a"], None]]}),
    "a lone key": message({"dict": [["a"]]}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_message_that_keeps_to_no_rule_is_refused(name):
    assert refused(BAD[name])


def test_text_and_truth_are_checked_before_numpy_sees_them():
    assert refused(message({"array": [0]}, ["<U1", [1], [0]]), b"\xff\xff\xff\xff")
    assert refused(message({"array": [0]}, ["|b1", [1], [0]]), b"\x02")


def test_a_size_is_refused_before_a_byte_of_it_is_read():
    here, there = socket.socketpair()
    with here, there:
        here.sendall(struct.pack("<I", 0xFFFFFFFF))  # and nothing after it
        with pytest.raises(Malformed, match="header of 4294967295 bytes"):
            Channel(there).receive()
    over = message(None, ["<f8", [126], [0]])
    assert refused(over, limit=1000) == "arrays of 1008 bytes; at most 1000 are taken"


def test_one_deadline_holds_for_a_whole_trickle():
    here, there = socket.socketpair()
    channel = Channel(there)
    channel.deadline = time.monotonic() + 0.3
    stop = threading.Event()

    def trickle():
        here.sendall(struct.pack("<I", 1000))
        while not stop.wait(0.05):
            here.sendall(b" ")

    sender = threading.Thread(target=trickle)
    sender.start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        channel.receive()
    assert time.monotonic() - started < 1
    stop.set()
    sender.join()
    here.close()
    there.close()


def test_a_reader_that_reads_nothing_does_not_hold_the_sender():
    here, there = socket.socketpair()
    with here, there:
        channel = Channel(here)
        channel.deadline = time.monotonic() + 0.2
        with pytest.raises(TimeoutError):
            channel.send("value", np.zeros(1 << 22))


def test_an_end_in_the_middle_is_an_end():
    here, there = socket.socketpair()
    here.sendall(b"\x05\x00")
    here.close()
    with there, pytest.raises(EOFError):
        Channel(there).receive()
