"""The source of an ``observe``, so that it can run where the rest of its description isn't.

At grading, a learner's code runs in a process that must know neither answers nor cases. The one
piece that runs beside it there is ``observe``; it is sent as text, and so it has to be
self-contained: a plain function that uses ``np``, builtins, and what it imports itself.
"""

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType

GIVEN = {"np"}  # the globals that it finds there


class NotSelfContained(TypeError):
    """An ``observe`` that can't be sent, and why."""


@cache
def source_of(fn: Callable) -> tuple[str, str]:
    """The name of ``fn``, and its source without decorators, annotations and comments."""
    if not isinstance(fn, FunctionType) or fn.__name__ == "<lambda>":
        raise NotSelfContained("observe has to be a plain `def`")
    where = f"{fn.__code__.co_filename}:{fn.__code__.co_firstlineno}"
    if free := sorted({*_globals(fn.__code__)} - GIVEN - set(dir(builtins))):
        raise NotSelfContained(
            f"{where}: observe uses {', '.join(free)} from outside. Import or define it inside, or "
            "pass it in the case: observe runs where the rest of this file isn't"
        )
    if fn.__code__.co_freevars:
        outer = ", ".join(fn.__code__.co_freevars)
        raise NotSelfContained(f"{where}: observe uses {outer} of the function around it")
    if fn.__defaults__ or fn.__kwdefaults__:
        raise NotSelfContained(f"{where}: observe has defaults; each case passes all arguments")
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(fn))).body
    assert isinstance(node, ast.FunctionDef)
    _bare(node)
    if ours := sorted(name for name in _imported(node) if name.partition(".")[0] == "dlcourse"):
        raise NotSelfContained(f"{where}: observe imports {', '.join(ours)}, which isn't there")
    source = ast.unparse(node)
    if _shape(rebuilt(fn.__name__, source).__code__) != _shape(fn.__code__):
        raise NotSelfContained(f"{where}: the file has changed since it was imported")
    return fn.__name__, source


def rebuilt(name: str, source: str, filename: str = "<observe>") -> FunctionType:
    """The function made from its source, on ``np`` and builtins."""
    import numpy as np

    made = {"np": np, "__name__": "observe"}
    exec(compile(source, filename, "exec", dont_inherit=True), made)
    function = made[name]
    assert isinstance(function, FunctionType)
    return function


def _bare(node: ast.FunctionDef) -> None:
    node.decorator_list, node.returns = [], None
    arguments = node.args
    extra = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]:
        argument.annotation = None


def _imported(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            yield inner.module or "."


def _globals(code: CodeType) -> Iterator[str]:
    """Global names that the code reads, those of inner functions and classes too."""
    steps = list(dis.get_instructions(code))
    own = {s.argval for s in steps if s.opname == "STORE_NAME"}  # a class body's own names
    for step in steps:
        if step.opname == "LOAD_GLOBAL" or step.opname == "LOAD_NAME" and step.argval not in own:
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals(inner)


def _shape(code: CodeType) -> tuple:
    """What two compilations of the same text share, wherever the text stands."""
    consts = [_shape(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.co_names, code.co_varnames, repr(consts)
