"""The ``{syllabus}`` directive: tables of the whole course, made of what is there.

    ```{syllabus} map
    ```

``map`` is a table for each part: units, what they build on, minutes, exercises; ``outcomes`` says
for each outcome which exercises assess it; ``tracks`` are ways through the course, week by week.
Parts and order come from ``pages/course.yml``, titles, minutes to read and outcomes from the
chapters, exercises and their minutes from ``dlcourse/checks/``. So nothing can drift.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from outcomes import front_matter
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SOURCE = "pages/course.yml"
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass
class Unit:
    """A unit of the course. Only its title and place are known until it is written."""

    slug: str
    title: str
    after: list[str]
    is_here: bool = False
    read: int = 0  # minutes
    work: int = 0  # minutes
    exercises: int = 0  # questions to be answered in words included
    outcomes: dict[str, str] = field(default_factory=dict)
    assessed: dict[str, list[str]] = field(default_factory=dict)  # outcome -> exercises

    @property
    def link(self) -> str:
        """As Markdown, from wherever the page is."""
        return f"[{self.title}](/chapters/{self.slug}.md)" if self.is_here else self.title


@dataclass
class Course:
    parts: list[tuple[str, list[Unit]]]
    tracks: list[dict[str, Any]]

    @property
    def units(self) -> dict[str, Unit]:
        return {unit.slug: unit for _, units in self.parts for unit in units}


def course(root: Path) -> Course:
    """The course whose repository is ``root``; ValueError where ``pages/course.yml`` is wrong."""
    data = yaml.safe_load((root / SOURCE).read_text("utf-8"))
    parts = [
        (part["title"], [read(root, slug, **about) for slug, about in part["units"].items()])
        for part in data["parts"]
    ]
    found = Course(parts, data["tracks"])
    seen: set[str] = set()
    for unit in found.units.values():
        if late := set(unit.after) - seen:
            raise ValueError(f"{SOURCE}: {unit.slug} builds on {sorted(late)}, which isn't earlier")
        seen.add(unit.slug)
    for track in found.tracks:
        passed: set[str] = set()
        for slug in (slug for week in track["weeks"] for slug in week):
            if slug not in seen:
                raise ValueError(f"{SOURCE}: {track['title']}: there is no unit {slug}")
            if missing := set(found.units[slug].after) - passed:
                raise ValueError(
                    f"{SOURCE}: {track['title']}: {slug} needs {sorted(missing)} first"
                )
            passed.add(slug)
    return found


def read(root: Path, slug: str, after: list[str], title: str = "") -> Unit:
    from dlcourse.checks.core import registry

    path = root / "chapters" / f"{slug}.md"
    if path.exists() == bool(title):
        state = "is written and has" if title else "isn't written and lacks"
        raise ValueError(f"{SOURCE}: {slug} {state} a title here")
    if title:
        return Unit(slug, title, after)
    text = path.read_text("utf-8")
    heading = HEADING.search(text[text.index("\n---\n") :])
    assert heading, f"{path} has no heading"
    about, unit = front_matter(text), registry.unit(slug)
    tasks = [*unit.exercises.values(), *unit.questions.values()]
    assessed = {name: [t.name for t in tasks if name in t.outcomes] for name in about["outcomes"]}
    work = sum(task.minutes for task in tasks)
    return Unit(
        slug,
        heading[1],
        after,
        True,
        about["minutes"],
        work,
        len(tasks),
        about["outcomes"],
        assessed,
    )


# Tables, in Markdown -----------------------------------------------------------------------------


def the_map(course: Course) -> str:
    units = course.units
    here = [unit for unit in units.values() if unit.is_here]
    hours = sum(unit.read + unit.work for unit in here) / 60
    exercises = sum(unit.exercises for unit in here)
    lines = [
        f"{len(here)} of {len(units)} units are here, each a chapter and a sheet: {exercises} "
        f"exercises, about {hours:.0f} hours in all. The others are being written in the same "
        "form. Minutes are to read and to do the sheet."
    ]
    for title, of_part in course.parts:
        done = sum(unit.is_here for unit in of_part)
        lines += ["", f"::::{{dropdown}} {title}: {done} of {len(of_part)}"]
        lines += [":open:"] if done else []
        lines += ["", "| Unit | Minutes | Exercises | Builds on |", "|---|---:|---:|---|"]
        for unit in of_part:
            on = ", ".join(units[slug].title for slug in unit.after) or "–"
            minutes, sheet = "planned", ""
            if unit.is_here:
                minutes = f"{unit.read} + {unit.work}"
                sheet = f"[{unit.exercises}](/exercises/{unit.slug}/{unit.slug}.ipynb)"
            lines.append(f"| {unit.link} | {minutes} | {sheet} | {on} |")
        lines += ["", "::::"]
    return "\n".join(lines)


def the_outcomes(course: Course) -> str:
    lines = []
    for unit in course.units.values():
        if unit.is_here:
            lines += ["", f"::::{{dropdown}} {unit.title}", ""]
            lines += ["| You will be able to | Assessed by |", "|---|---|"]
            for name, sentence in unit.outcomes.items():
                by = ", ".join(f"`{task}`" for task in unit.assessed[name])
                lines.append(f"| {sentence} | {by} |")
            lines += ["", "::::"]
    return "\n".join(lines)


def the_tracks(course: Course) -> str:
    units, lines = course.units, []
    for track in course.tracks:
        lines += ["", f"**{track['title']}.** {track['says']}", ""]
        lines += ["| Week | Units | Hours |", "|---:|---|---:|"]
        for number, week in enumerate(track["weeks"], 1):
            names = " · ".join(units[slug].link for slug in week)
            lines.append(f"| {number} | {names} | {hours(units[slug] for slug in week)} |")
    lines += ["", "**The whole course.** All units in their order, at your own pace. Hours: "]
    lines[-1] += f"{hours(units.values())}."
    return "\n".join(lines)


def hours(units: Any) -> str:
    """Of what is written, to read and to work, and whether something is still to come."""
    listed = list(units)
    minutes = sum(unit.read + unit.work for unit in listed)
    more = "" if all(unit.is_here for unit in listed) else ", more to come"
    return f"{minutes / 60:.1f}{more}" if minutes else "to come"


TABLES = {"map": the_map, "outcomes": the_outcomes, "tracks": the_tracks}


class Syllabus(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        if self.arguments[0] not in TABLES:
            raise self.error(f"syllabus: say one of {', '.join(TABLES)}")
        root = Path(self.env.srcdir)
        for pattern in (SOURCE, "chapters/*.md", "dlcourse/checks/*.py"):
            for path in root.glob(pattern):
                self.env.note_dependency(str(path))
        try:
            text = TABLES[self.arguments[0]](course(root))
        except ValueError as error:
            raise self.error(f"syllabus: {error}") from error
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("syllabus", Syllabus)
    return {"version": "1", "parallel_read_safe": True}
