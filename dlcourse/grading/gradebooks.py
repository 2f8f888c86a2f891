"""Opening a gradebook, and what to say where it can't be opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcourse.grading.errors import CourseError, needs

with needs("grading"):
    from nbgrader.api import Gradebook
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError


@contextmanager
def opened(url: str) -> Iterator[Gradebook]:
    """The gradebook; CourseError in plain words where it can't be opened."""
    try:
        with needs("postgres"):
            gradebook = Gradebook(url)
    except (ArgumentError, NoSuchModuleError) as error:
        raise CourseError(
            f"{shown(url)} is no database that is known here. PostgreSQL's look like "
            "postgresql://USER:PASSWORD@HOST/NAME."
        ) from error
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines() or ["no reason given"]
        raise CourseError(f"Can't open the gradebook {shown(url)}: {said[0]}") from error
    with gradebook:
        yield gradebook


def exists(url: str) -> bool:
    """Whether there is something to open: nbgrader would make an SQLite file that isn't there."""
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def shown(url: str) -> str:
    """The URL as a message may show it: without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "what was given"
