"""A test's statements, changed so that values it meets are seen and names are what is meant."""

import ast
import asyncio
import inspect
import types
from collections.abc import Iterator
from typing import Any

SEEN, MEANT = "__seen__", "__meant__"  # in the tests' namespace while they run
FILE = "<tests>"


class Seeing(ast.NodeTransformer):
    """Leads the values of names, attributes and calls through ``seen``."""

    def __init__(self, meant: dict[str, Any]):
        self.meant = meant

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit(node.func.value)
        elif not isinstance(node.func, ast.Name) or node.func.id in self.meant:
            node.func = self.visit(node.func)
        node.args = [self.visit(each) for each in node.args]
        node.keywords = [self.visit(each) for each in node.keywords]
        return self._led(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not isinstance(node.ctx, ast.Load):
            return node
        if node.id in self.meant:
            where = ast.Name(MEANT, ast.Load())
            return ast.copy_location(ast.Subscript(where, ast.Constant(node.id), node.ctx), node)
        return self._led(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        node.value = self.visit(node.value)
        return self._led(node) if isinstance(node.ctx, ast.Load) else node

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        node.body = [self.visit(each) for each in node.body]
        return node  # a pattern takes names, not calls

    def _led(self, node: ast.expr) -> ast.expr:
        return ast.copy_location(ast.Call(ast.Name(SEEN, ast.Load()), [node], []), node)


def run(statement: ast.stmt, space: dict[str, Any]) -> Any:
    """Run it; its value, if it is an expression."""
    tree: Any = ast.Module([statement], [])
    if isinstance(statement, ast.Expr):
        tree = ast.Expression(statement.value)
    ast.fix_missing_locations(tree)
    mode = "eval" if isinstance(statement, ast.Expr) else "exec"
    code = compile(tree, FILE, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True, 0)
    value = eval(code, space)
    return asyncio.run(value) if code.co_flags & inspect.CO_COROUTINE else value


def bound(node: ast.AST) -> Iterator[str]:
    """The names that a test itself gives a meaning."""
    match node:
        case ast.Name(name, ast.Store()):
            yield name
        case ast.FunctionDef(name) | ast.ClassDef(name) | ast.arg(name):
            yield name
        case ast.ExceptHandler(_, str(name)):
            yield name
        case ast.alias(name, new):
            yield new or name.partition(".")[0]


def used(function: Any) -> tuple[str, ...]:
    return function.__code__.co_names if isinstance(function, types.FunctionType) else ()
