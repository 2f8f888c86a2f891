"""Finding exercises: a generated index says which unit holds a name, so that one unit is imported.

``python -m dlcourse.checks.core.registry`` writes the index anew.
"""

import difflib
import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from dlcourse.checks.core.exercise import SHEET_IMPORTS, Exercise, Question, Unit

FOLDER = Path(__file__).resolve().parents[1]
INDEX = FOLDER / "index.json"


class UnknownExercise(ValueError):
    """No exercise, or no unit, has this name."""


class About(NamedTuple):
    """What is known of a unit without importing it."""

    names: list[str]  # of exercises and questions
    imports: list[str]  # packages beside NumPy that its sheet needs
    forbids: list[str]  # modules that any of its exercises forbids


@cache
def index() -> dict[str, About]:
    """All units, from the generated file."""
    return {slug: About(**about) for slug, about in json.loads(INDEX.read_text("utf8")).items()}


def units() -> list[str]:
    """The slugs that have checks."""
    return list(index())


@cache
def unit(slug: str) -> Unit:
    """The exercises and questions of a unit; imports no other."""
    if slug not in index():
        raise UnknownExercise(_unknown("unit", slug, units()))
    return load(slug)


def find(name: str) -> Exercise:
    """The exercise called ``name``, whatever its unit."""
    for slug, about in index().items():
        if name in about.names and name in unit(slug).exercises:
            return unit(slug).exercises[name]
    names = [
        n for about in index().values() for n in about.names
    ]  # a unit may need what isn't there
    raise UnknownExercise(_unknown("exercise", name, names))


def module_name(slug: str) -> str:
    """The module of a unit's checks."""
    return f"dlcourse.checks.{slug.replace('-', '_')}"


def load(slug: str) -> Unit:
    """A unit from its module, without the index."""
    module = import_module(module_name(slug))
    found = list(vars(module).values())
    exercises = {e.name: e for e in found if isinstance(e, Exercise)}
    for exercise in exercises.values():
        exercise.slug = slug
    questions = {q.name: q for q in found if isinstance(q, Question)}
    imports = tuple(name for name in SHEET_IMPORTS if name in vars(module))
    return Unit(slug, exercises, questions, imports)


def make_index() -> dict[str, dict[str, Any]]:
    """The index as the modules have it now; names that stand twice are a ``ValueError``."""
    made: dict[str, dict[str, Any]] = {}
    owner: dict[str, str] = {}
    for path in sorted(FOLDER.glob("[a-z]*.py")):
        slug = path.stem.replace("_", "-")
        content = load(slug)
        names = [*content.exercises, *content.questions]
        forbids = {name for each in content.exercises.values() for name in each.forbids}
        made[slug] = About(names, [*content.imports], sorted(forbids))._asdict()
        for name in names:
            if name in owner:
                raise ValueError(f"{name} stands in {owner[name]} and in {slug}: rename one")
            owner[name] = slug
    return made


def _unknown(what: str, name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    guess = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
    return f"No {what} is called {name!r}. {guess}"


if __name__ == "__main__":
    INDEX.write_text(json.dumps(make_index(), indent=1) + "\n", "utf8")
