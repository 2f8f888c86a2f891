"""What an answer uses that its sheet does without.

Where a class is graded such modules aren't there, so that an answer which leans on them earns
nothing. A learner is told while the answer can still be changed. Nobody is caught by this who wants
to hide it: the sandbox needs no list of names.
"""

import dis
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any


def used(answer: Any, forbids: Iterable[str]) -> list[str]:
    """The modules among ``forbids`` that the code of a function or a class refers to.

    By being out of one, by an import inside, or by a global name for such a module or for something
    out of it; also in functions and classes of the same notebook that it calls.
    """
    found = set(_modules(answer, set()))
    return sorted(f for f in set(forbids) if any(m == f or m.startswith(f + ".") for m in found))


def _modules(thing: Any, seen: set[int]) -> Iterator[str]:
    """The names of all modules that ``thing``'s code refers to."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, FunctionType):
        yield thing.__module__ or ""
    if isinstance(thing, type):
        for base in thing.__mro__:
            yield base.__module__
        for member in vars(thing).values():
            yield from _modules(getattr(member, "fget", None) or member, seen)
    elif isinstance(thing, staticmethod | classmethod | MethodType):
        yield from _modules(thing.__func__, seen)
    elif isinstance(thing, FunctionType):
        for code in _codes(thing.__code__):
            for step in dis.get_instructions(code):
                if step.opname == "IMPORT_NAME":
                    yield step.argval
                elif step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    yield from _refers(thing.__globals__.get(step.argval), thing, seen)


def _refers(value: Any, user: FunctionType, seen: set[int]) -> Iterator[str]:
    """The module that a global is or comes from; what is the learner's own is looked into."""
    if isinstance(value, ModuleType):
        yield value.__name__
    elif isinstance(value, FunctionType | type) and value.__module__ == user.__module__:
        yield from _modules(value, seen)
    elif isinstance(module := getattr(value, "__module__", None), str):
        yield module


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
