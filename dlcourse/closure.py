"""Which files of this package does a piece of code depend on? Asked of the source, running nothing.

Two things need to know: a recorded run, which is stale once code that it used has changed, and the
book, which executes a chapter again for the same reason and for no other.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = __package__.partition(".")[0]


def _file_of(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    files = base / "__init__.py", base.with_name(f"{base.name}.py")
    return next((path for path in files if path.is_file()), None)


@cache
def _everything() -> frozenset[str]:
    files = (ROOT / PACKAGE).rglob("*.py")
    dotted = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)
    return frozenset(name.removesuffix(".__init__") for name in dotted)


@cache
def _parsed(code: str, package: str) -> frozenset[str]:
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return _everything()
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            # `from a import b`: b may be a module or a name in one; closure() drops what is no file
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imported(code: str, package: str) -> set[str]:
    """Dotted names that ``code`` imports, wherever the statement stands; not all need be modules.

    ``package`` is the package the code lives in, against which relative imports are resolved (""
    for a notebook). Code that doesn't parse counts as importing all of this package: once too
    often rather than once too seldom.
    """
    return set(_parsed(code, package))


def closure(names: Iterable[str]) -> list[Path]:
    """Files of this package that the modules ``names`` need, transitively and sorted.

    A module needs itself, its parent packages, and what it imports anywhere, in functions too.
    Names outside this package, or of no file, are passed over. Imports by a computed name aren't
    seen.
    """
    if isinstance(names, str):
        raise ValueError(f"names: several dotted names are wanted, such as [{names!r}]")
    seen: dict[str, Path | None] = {}
    todo = set(names)
    while todo:
        name = todo.pop()
        if name in seen or name.partition(".")[0] != PACKAGE:
            continue
        path, parent = _file_of(name), name.rpartition(".")[0]
        seen[name] = path
        if parent:
            todo.add(parent)
        if path:
            inside = name if path.name == "__init__.py" else parent
            todo |= imported(path.read_text("utf-8"), inside)
    return sorted({path for path in seen.values() if path})


def without_words(code: str) -> str:
    """``code`` without what is only said: docstrings and comments, with the lines they stand on.

    Code that doesn't parse stays as it is.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    lines = code.encode().splitlines(keepends=True)  # ast counts columns in bytes
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is None:
            continue
        said = node.body[0]
        first, last = said.lineno - 1, (said.end_lineno or said.lineno) - 1
        rest = lines[last][said.end_col_offset :]
        lines[first] = lines[first][: said.col_offset] + b"..." + rest
        lines[first + 1 : last + 1] = [b""] * (last - first)
    kept = b"".join(lines).decode().splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO("".join(kept)).readline):
        if token.type == tokenize.COMMENT:
            before = kept[token.start[0] - 1][: token.start[1]].rstrip()
            kept[token.start[0] - 1] = before and before + "\n"
    return "".join(kept)


def digest(names: Iterable[str], extra: Iterable[Path] = ()) -> str:
    """A fingerprint (16 hex digits) of the code in ``closure(names)`` and of the files ``extra``.

    Paths count relative to the repository; line ends don't count, so that every clone agrees, nor
    does what is only said in the code. Raises ValueError if a file of ``extra`` is missing.
    """
    state = hashlib.sha256()
    for path in [*closure(names), *sorted(Path(e).resolve() for e in extra)]:
        if not path.is_file():
            raise ValueError(f"{path} is to be part of a digest but isn't there")
        label = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        text = path.read_text("utf-8")
        if path.suffix == ".py":
            text = without_words(text)
        state.update(f"{label}\0{text}\0".encode())
    return state.hexdigest()[:16]
