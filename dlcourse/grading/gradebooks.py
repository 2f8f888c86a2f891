"""Opening a gradebook: what to say where it can't be opened, and doing it a thousand times."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlcourse.grading.errors import CourseError, needs

with needs("grading"):
    from nbgrader import api
    from nbgrader.api import Gradebook
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

BUSY_SECONDS = 60.0  # how long another program may keep an SQLite gradebook locked


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


@contextmanager
def one_engine() -> Iterator[None]:
    """Within the block all gradebooks of one URL that this thread opens share an engine.

    nbgrader opens the gradebook ten times a submission with an engine of its own each, and each
    compiles the same statements again: two thirds of what saving a grade costs.
    """
    make, engines, ours = api.create_engine, dict[str, Any](), threading.get_ident()

    def once(url: str, **options: Any) -> Any:
        if threading.get_ident() != ours:  # nbgrader closes engines, which would close ours
            return make(url, **options)
        if url not in engines:
            if url.startswith("sqlite"):
                options["connect_args"] = {"timeout": BUSY_SECONDS}
            engines[url] = make(url, **options)
        return engines[url]

    api.create_engine = once
    try:
        yield
    finally:
        api.create_engine = make
        for engine in engines.values():
            engine.dispose()
