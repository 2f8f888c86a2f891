"""Where this version's wheel lives: what sheets and the notebooks of chapters ask pip for."""

import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


class Homeless(ValueError):
    """Nothing says where the course lives; the message says where to say it."""


def requirement(root: str | Path = ".", imports: Sequence[str] = ()) -> str:
    """What pip is asked for: this version's wheel, from where ``[project.urls]`` says it lives.

    With the extra that brings torch where ``imports`` have it. ``pyproject.toml`` is read where
    there is one: an editable install's metadata grows stale. Raises :class:`Homeless` without a
    Homepage.
    """
    pyproject = Path(root, "pyproject.toml")
    if pyproject.exists():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        version, home = project["version"], project.get("urls", {}).get("Homepage")
    else:
        about = metadata.metadata("dlcourse")
        urls = dict(line.split(", ", 1) for line in about.get_all("Project-URL") or [])
        version, home = about["Version"], urls.get("Homepage")
    if not home:
        raise Homeless("pyproject.toml must say under [project.urls] what the Homepage is.")
    wheel = f"{home.rstrip('/')}/wheels/dlcourse-{version}-py3-none-any.whl"
    extras = "data,torch" if "torch" in imports else "data"
    return f"dlcourse[{extras}] @ {wheel}"
