"""What a user of the grading commands can mend, said in one or two plain sentences."""

from collections.abc import Iterator
from contextlib import contextmanager


class CourseError(Exception):
    """Something is missing or wrong, and its message says what to do. Shown without traceback."""


class SheetError(CourseError):
    """A sheet's source breaks a rule of its format: the message starts with ``file:line``."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn the ImportError of a missing optional package into the command that installs it."""
    try:
        yield
    except ImportError as error:
        raise CourseError(
            f"This command needs the package '{error.name}', which is not installed. "
            f"Install it with: python -m pip install 'dlcourse[{extra}]'"
        ) from error
