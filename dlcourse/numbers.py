"""The numbers of a chapter: ``glue`` of a live run, ``recorded`` of a recorded one, ``timing``."""

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

PACKAGE = Path(__file__).parent


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays of one entry as Python's own; everything else as it is."""
    return value.item() if getattr(value, "shape", None) == () else value


def glue(**values: Any) -> None:
    """Give each value to the text, as ``{glue:text}`` under its keyword, displaying nothing.

    NumPy scalars become Python's: otherwise the page reads ``np.float64(0.89)``, or nothing at all
    where a format is given. Strings stay as they are. Raises ValueError for an array, of which the
    page would show a repr. In a chapter's notebook, outside of the book, it does nothing: there the
    text has its numbers.
    """
    try:
        from myst_nb import glue as myst_glue  # importing it costs a second
    except ImportError:
        return
    for name, value in values.items():
        plain = _plain(value)
        if not isinstance(plain, str | int | float):
            raise ValueError(
                f"glue({name}=…) takes a number or a string, not {type(value).__name__}: "
                "say in the chapter how it is to be written"
            )
        myst_glue(name, plain, display=False)


def recorded(slug: str) -> dict[str, Any]:
    """The recorded run of a unit: ``chapters/results/<slug>.json``.

    Looked for from the current directory upwards, so that it is found from the repository's root
    and from a chapter's folder alike; then in the package, whose wheel has those of its version,
    and in the repository that it is installed from.
    Raises ValueError naming the command that makes it.
    """
    here = Path.cwd()
    folders = [each / "chapters" / "results" for each in (here, *here.parents, PACKAGE.parent)]
    for folder in (*folders, PACKAGE / "results"):  # setup.py puts them there
        path = folder / f"{slug}.json"
        if path.is_file():
            return json.loads(path.read_text("utf-8"))
    module = slug.replace("-", "_")
    raise ValueError(
        f"chapters/results/{slug}.json is neither in {here} nor above it; "
        f"`python -m dlcourse.recipes.{module}`, run from the repository's root, makes it"
    )


def timing(call: Callable[[], Any], times: int = 5) -> tuple[float, Any]:
    """Milliseconds of the fastest of ``times`` calls, and what the last gave; one more goes first.

    The first call is slower, for what it fills; of the others the fastest had least beside it.
    """
    call()
    seconds = []
    for _ in range(times):
        begin = perf_counter()
        out = call()
        seconds.append(perf_counter() - begin)
    return 1000 * min(seconds), out
