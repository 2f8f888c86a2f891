"""What a check says: points, the first case that went wrong, and the hint of a known mistake."""

import html
from dataclasses import dataclass, field
from typing import Any

from dlcourse.checks.core import secret
from dlcourse.checks.core.exercise import Exercise, Mistake


@dataclass(frozen=True)
class Failure:
    """What went wrong with some parts, on which case."""

    text: str
    case: str = ""
    note: str = ""
    arguments: str = ""

    def lines(self) -> list[str]:
        where = ", ".join(filter(None, (self.case, self.note)))
        said = f"{where}: {self.text}" if where else self.text
        return [said] + ([f"with {self.arguments}"] if self.arguments else [])


@dataclass
class Verdict:
    """The judgement on one answer. ``parts`` says which are right."""

    exercise: Exercise
    parts: dict[str, bool]
    failures: list[Failure] = field(default_factory=list)
    known: list[Mistake] = field(default_factory=list)
    cases: int = 1
    isolation: str = "same-process"  # what stood between the judge and the learner's code
    seed: str = ""  # fingerprint of the secret; of the one in this environment, unless said

    @property
    def earned(self) -> int:
        return sum(self.exercise.parts[p] for p, right in self.parts.items() if right)

    @property
    def of(self) -> int:
        return self.exercise.points

    @property
    def right(self) -> bool:
        return all(self.parts.values())

    @property
    def hints(self) -> list[str]:
        return [m.hint for m in self.known]

    @property
    def mistakes(self) -> list[str]:
        return [m.name for m in self.known]

    @property
    def headline(self) -> str:
        """The verdict in one line of plain text."""
        name = self.exercise.name
        if self.right:
            return f"{name}: right ({_points(self.of)})"
        if not self.earned:
            return f"{name}: not right yet (0 of {_points(self.of)})"
        lost = ", ".join(p for p, right in self.parts.items() if not right)
        return f"{name}: {self.earned} of {_points(self.of)}; still wrong: {lost}"

    def text(self) -> str:
        """The headline, then which case, shapes, the largest difference and where, the hints."""
        lines = [self.headline]
        for failure in self.failures:
            first, *rest = failure.lines()
            lines += [f"  {first}", *(f"    {line}" for line in rest)]
        return "\n".join(lines + [f"  Hint: {hint}" for hint in self.hints])

    def html(self) -> str:
        """The same for a notebook: readable in light and dark, nothing unescaped."""
        mark, colour = ("✓", "#1a7f4b") if self.right else ("✗", "#b3261e")
        rows = "".join(
            "<li>" + "<br>".join(map(_escaped, failure.lines())) + "</li>"
            for failure in self.failures
        )
        hints = "".join(
            f"<p style='margin:.4em 0 0'><b>Hint:</b> {_escaped(h)}</p>" for h in self.hints
        )
        return (
            f"<div class='dl-check' style='border-left:4px solid {colour};padding:.3em .8em'>"
            f"<b><span aria-hidden='true'>{mark}</span> {_escaped(self.headline)}</b>"
            + (f"<ul style='margin:.4em 0 0;padding-left:1.2em'>{rows}</ul>" if rows else "")
            + f"{hints}</div>"
        )

    def data(self) -> dict[str, Any]:
        """The verdict as plain JSON, for the class report."""
        return {
            "exercise": self.exercise.name,
            "slug": self.exercise.slug,
            "earned": self.earned,
            "of": self.of,
            "parts": self.parts,
            "mistakes": self.mistakes,
            "hints": self.hints,
            "seed": self.seed or secret.fingerprint(),
            "isolation": self.isolation,
        }


def _points(n: int) -> str:
    return f"{n} point{'' if n == 1 else 's'}"


def _escaped(text: str) -> str:
    """HTML of a sentence; `code` in backticks becomes code."""
    pieces = html.escape(text).split("`")
    if len(pieces) % 2 == 0:
        return "`".join(pieces)
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
