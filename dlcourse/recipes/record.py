"""Recorded runs: what a chapter's headline is made of, and whether its code is still the same."""

import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dlcourse.closure import digest

RESULTS = Path("chapters", "results")


def module_of(slug: str) -> str:
    """The module that makes the recorded run of a unit."""
    return "dlcourse.recipes." + slug.replace("-", "_")


def machine() -> str:
    """What the run ran on, in general: a name would tell nobody anything."""
    return f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores"


def write(
    slug: str,
    result: dict[str, Any],
    *,
    seeds: Iterable[int],
    seconds: float,
    packages: Iterable[str],
    root: Path | None = None,
) -> Path:
    """Write ``result`` of a unit's run to ``chapters/results/<slug>.json``, whole or not at all.

    Added to it: seeds, seconds, machine, versions of Python and ``packages``, and the digest of the
    code that ran. Raises ValueError if ``root`` (the current folder) isn't the course's repository.
    """
    folder = (root or Path.cwd()) / RESULTS
    if not folder.parent.is_dir():
        raise ValueError(
            f"{folder.parent} doesn't exist: run this from the root of the course's repository"
        )
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    about = {
        "slug": slug,
        "digest": digest([module_of(slug)]),
        "machine": machine(),
        "seconds": round(seconds, 1),
        "seeds": list(seeds),
        "versions": versions,
    }
    folder.mkdir(exist_ok=True)
    path, half = folder / f"{slug}.json", folder / f".{slug}.json.part"
    half.write_text(json.dumps(about | result, indent=1, allow_nan=False) + "\n", "utf-8")
    half.replace(path)
    return path


def stale(path: Path) -> str | None:
    """A sentence saying that, and how, the recorded run ``path`` must be renewed; None if not."""
    module = module_of(path.stem)
    if json.loads(path.read_text("utf-8"))["digest"] == digest([module]):
        return None
    return f"{path.name} was made by other code than there is now: python -m {module}"
