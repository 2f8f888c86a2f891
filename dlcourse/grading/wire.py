"""Messages between the grader and a sandbox: a JSON header, then the arrays' raw bytes.

Nothing is ever unpickled, every size is checked before a byte of it is read, and every tag, dtype
and shape comes from a list. Two vocabularies: a case's arguments travel as what they are (tuples,
Python numbers, torch tensors); what comes back is only what ``checks.core.values.plain`` makes.
"""

import json
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse.checks.core.values import Refused, Tensor

HEADER = 4 << 20  # bytes of JSON
BODY = 64 << 20  # bytes of all arrays of a message
ARRAYS = 10_000
DEPTH = 60  # of lists in lists
NUMBERS = {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "f16"}
NUMBERS |= {"c8", "c16", "c32"}
PLAIN = frozenset({"array", "dict", "tensor", "refused"})
ARGUMENTS = PLAIN | {"tuple", "scalar", "complex", "torch", "number"}


class Malformed(Exception):
    """A message that keeps to no rule: whoever sent it isn't our code any more."""


@dataclass
class Message:
    op: str
    value: Any = None


class Channel:
    """One end of a connection. ``deadline`` holds for everything until it is set anew."""

    def __init__(self, sock: socket.socket, vocabulary: frozenset[str] = ARGUMENTS):
        self.sock = sock
        self.vocabulary = vocabulary
        self.deadline: float | None = None  # of time.monotonic()
        self.header, self.body = HEADER, BODY  # the largest message that is taken

    def send(self, op: str, value: Any = None) -> None:
        arrays: list[np.ndarray] = []
        tree = pack(value, arrays)
        about = [(a.dtype.str, a.shape, _order(a)) for a in arrays]
        head = json.dumps({"op": op, "value": tree, "arrays": about}).encode()
        ordered = [a.transpose(order) for a, (_, _, order) in zip(arrays, about, strict=True)]
        whole = [struct.pack("<I", len(head)), head, *(array.tobytes() for array in ordered)]
        self._wait()
        self.sock.sendall(b"".join(whole))

    def receive(self) -> Message:
        """The next message; Malformed, EOFError or TimeoutError where there is none to have."""
        (size,) = struct.unpack("<I", self._exactly(4))
        if size > self.header:
            raise Malformed(f"a header of {size} bytes; at most {self.header} are taken")
        try:
            head = json.loads(self._exactly(size))
            op, tree, about = head["op"], head["value"], head["arrays"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Malformed(f"a header that isn't one ({type(error).__name__})") from None
        if type(op) is not str or type(about) is not list or len(about) > ARRAYS:
            raise Malformed("a header that isn't one")
        sizes = [_size(each) for each in about]
        if sum(sizes) > self.body:
            raise Malformed(f"arrays of {sum(sizes)} bytes; at most {self.body} are taken")
        arrays = [_array(self._exactly(n), *each) for n, each in zip(sizes, about, strict=True)]
        return Message(op, unpack(tree, arrays, self.vocabulary))

    def _wait(self) -> None:
        """Of one deadline for all, not for each call: a byte a second would never end."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)
        else:
            self.sock.settimeout(None)

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest.nbytes:
            self._wait()
            if not (got := self.sock.recv_into(rest)):
                raise EOFError
            rest = rest[got:]
        return data


# Arrays -------------------------------------------------------------------------


def _order(array: np.ndarray) -> list[int]:
    """The axes from the slowest to the fastest: how an array lies in memory travels with it."""
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def _size(about: Any) -> int:
    """The bytes of an array, from what the header says about it; in Python's own integers."""
    if type(about) is not list or [type(each) for each in about] != [str, list, list]:
        raise Malformed("an array that isn't one")
    dtype, shape, order = about
    kind, width = dtype[1:2], dtype[1:]
    text = kind in ("U", "S") and width[1:].isascii() and width[1:].isdigit() and len(width) < 9
    if dtype[:1] not in ("<", ">", "|") or not (text or width in NUMBERS):
        raise Malformed(f"an array of dtype {dtype:.20}")
    if len(shape) > 32 or any(type(n) is not int or not 0 <= n < 1 << 40 for n in shape):
        raise Malformed("an array of no shape")
    if any(type(axis) is not int for axis in order) or sorted(order) != [*range(len(shape))]:
        raise Malformed("an array in no order")
    size = int(width[1:]) * (4 if kind == "U" else 1)
    for n in shape:
        size *= n
    return size


def _array(data: bytearray, dtype: str, shape: list[int], order: list[int]) -> np.ndarray:
    kind = np.dtype(dtype)
    stored = [shape[axis] for axis in order]
    if kind.itemsize == 0:
        return np.empty(shape, kind)
    if kind.kind == "U" and data:
        points = np.frombuffer(data, kind.str[0] + "u4")
        if points.max() > sys.maxunicode:
            raise Malformed("text that isn't any")
    if kind.kind == "b" and data and max(data) > 1:
        raise Malformed("a truth that is neither")
    return np.frombuffer(data, kind).reshape(stored).transpose(np.argsort(order))


# Trees --------------------------------------------------------------------------


def pack(value: Any, arrays: list[np.ndarray]) -> Any:
    """``value`` as JSON, with its arrays put into ``arrays``."""

    def tagged(tag: str, *rest: Any) -> dict[str, Any]:
        return {tag: list(rest)}

    def stored(array: np.ndarray) -> int:
        arrays.append(array)
        return len(arrays) - 1

    kind = type(value)
    if value is None or kind in (bool, str):
        return value
    if kind in (int, float):
        return tagged("number", value)
    if kind is complex:
        return tagged("complex", value.real, value.imag)
    if kind is list:
        return [pack(v, arrays) for v in value]
    if kind is tuple:
        return tagged("tuple", *(pack(v, arrays) for v in value))
    if kind is dict:
        if odd := [k for k in value if type(k) not in (str, int)]:
            raise TypeError(f"a dict's keys are strings or integers, not {odd[0]!r:.40}")
        return tagged("dict", *([k, pack(v, arrays)] for k, v in value.items()))
    if kind is Refused:
        return tagged("refused", str(value.what))
    if kind is Tensor:
        return tagged("tensor", stored(value.array), bool(value.requires_grad))
    if kind is np.ndarray:
        return tagged("array", stored(value))
    if isinstance(value, np.generic) and kind.__module__ == "numpy":
        return tagged("scalar", stored(np.asarray(value)))
    torch = sys.modules.get("torch")
    if torch is not None and kind is torch.Tensor:
        array = value.detach().numpy()
        return tagged("torch", stored(array), value.requires_grad, list(value.stride()))
    raise TypeError(f"a case holds arrays, numbers, strings, lists and dicts of them, not {kind}")


def unpack(tree: Any, arrays: list[np.ndarray], known: frozenset[str], depth: int = 0) -> Any:
    """The value of a tree of :func:`pack`; Malformed where it has a tag that isn't ``known``."""
    if depth > DEPTH:
        raise Malformed("a value too deep")
    if tree is None or type(tree) in (bool, str):
        return tree
    if type(tree) is list:
        return [unpack(each, arrays, known, depth + 1) for each in tree]
    if type(tree) is not dict or len(tree) != 1:
        raise Malformed("a value that isn't one")
    ((tag, rest),) = tree.items()
    if tag not in known or type(rest) is not list:
        raise Malformed(f"a value of kind {tag:.20}")
    if tag == "dict":
        return _dict(rest, arrays, known, depth)
    if tag == "tuple":
        return tuple(unpack(each, arrays, known, depth + 1) for each in rest)
    match tag, rest:
        case ("number", [int() | float() as number]) if type(number) is not bool:
            return number
        case ("complex", [float() as real, float() as imaginary]):
            return complex(real, imaginary)
        case ("refused", [str() as what]):
            return Refused(what[:1000])
        case ("array", [place]):
            return np.array(_stored(place, arrays))
        case ("scalar", [place]):
            return _stored(place, arrays)[()]
        case ("tensor", [place, bool() as requires_grad]):
            return Tensor(_stored(place, arrays), requires_grad)
        case ("torch", [place, bool() as requires_grad, list() as strides]):
            return _torch(_stored(place, arrays), requires_grad, strides)
    raise Malformed(f"a {tag} that isn't one")


def _stored(place: Any, arrays: list[np.ndarray]) -> np.ndarray:
    if type(place) is not int or not 0 <= place < len(arrays):
        raise Malformed("an array that isn't there")
    return arrays[place]


def _dict(rest: list, arrays: list[np.ndarray], known: frozenset[str], depth: int) -> dict:
    made: dict[str | int, Any] = {}
    for each in rest:
        if type(each) is not list or len(each) != 2 or type(each[0]) not in (str, int):
            raise Malformed("a dict that isn't one")
        if each[0] in made:
            raise Malformed("a dict with a key twice")
        made[each[0]] = unpack(each[1], arrays, known, depth + 1)
    return made


def _torch(array: np.ndarray, requires_grad: bool, strides: list[int]) -> Any:
    """Also of every second column: `view` refuses what `reshape` takes, and a case may ask that."""
    import torch

    values = torch.from_numpy(np.array(array))
    made = torch.empty_strided(tuple(array.shape), tuple(strides), dtype=values.dtype)
    return made.copy_(values).requires_grad_(requires_grad)
