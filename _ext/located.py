"""YAML whose every value knows its line, so that a fault in data is reported where it stands."""

from typing import Any

import yaml

Path = tuple[str | int, ...]


class Malformed(ValueError):
    """Data that isn't as it must be; ``line`` counts from 0 within the text read."""

    def __init__(self, message: str, line: int = 0):
        super().__init__(message)
        self.line = line


class Located:
    """A YAML text: its ``value``, and the ``line(path)`` where the value at a path begins."""

    def __init__(self, text: str):
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.value: Any = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line if error.problem_mark else 0
            raise Malformed(
                f"isn't YAML: {error.problem} (quote a text with ': ' in it)", line
            ) from None
        self._lines: dict[Path, int] = {}
        self._walk(node, ())

    def _walk(self, node: yaml.Node | None, path: Path) -> None:
        if node is None:
            return
        self._lines[path] = node.start_mark.line
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._walk(value, (*path, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, index))

    def line(self, path: Path = ()) -> int:
        """The line of the value at ``path``, or of the nearest one above it that exists."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)

    def fail(self, message: str, *path: str | int) -> Malformed:
        """An error about the value at ``path``, to be raised."""
        return Malformed(message, self.line(path))

    def keys(self, *path: str | int, required: set[str], allowed: set[str] = frozenset()) -> dict:  # type: ignore[assignment]
        """The mapping at ``path``, which has all ``required`` keys and none beyond ``allowed``."""
        value = self.value
        for step in path:
            value = value[step]
        what = ".".join(map(str, path)) or "the data"
        if not isinstance(value, dict):
            raise self.fail(f"{what} must be a mapping, not {type(value).__name__}", *path)
        if unknown := sorted(set(map(str, value)) - required - allowed):
            known = ", ".join(sorted(required | allowed))
            raise self.fail(
                f"{what}: unknown key {unknown[0]!r}; known are {known}", *path, unknown[0]
            )
        if missing := sorted(required - set(value)):
            raise self.fail(f"{what}: {missing[0]!r} is missing", *path)
        return value

    def text(self, *path: str | int) -> str:
        """The text at ``path``: not empty, and no number, list or mapping."""
        value = self.value
        for step in path:
            value = value[step]
        what = ".".join(map(str, path))
        if not isinstance(value, str) or not value.strip():
            raise self.fail(
                f"{what} must be text, not {value!r} (quote it if YAML reads it as something else)",
                *path,
            )
        return value
