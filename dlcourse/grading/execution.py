"""What a run is given, and what it returns: plain values, so that both can be sent anywhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from dlcourse.checks.core import registry, secret
from dlcourse.checks.core.exercise import Exercise
from dlcourse.grading.enclosure import distributions, imported
from dlcourse.grading.limits import Limits
from dlcourse.grading.sandbox import Sandbox


def exercises(slug: str) -> Mapping[str, Exercise]:
    """The exercises of a unit; none for a sheet of the instructor's own, with plain asserts."""
    try:
        return registry.unit(slug).exercises
    except registry.UnknownExercise:
        return {}


@dataclass(frozen=True)
class Sheet:
    """What a run needs to know about a sheet; plain values, so that it can be sent anywhere."""

    slug: str
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # exercise -> its secret
    fingerprint: str = "public"  # of the class's secret
    imports: tuple[str, ...] = ()  # modules that the sheet's own cells import
    limits: Limits = Limits()
    random_state: int = 0  # of the learner's own random numbers

    @classmethod
    def of(cls, slug: str, root: str | Path = ".", **settings: Any) -> "Sheet":
        """The sheet of a unit, with the secret that this environment names."""
        names = exercises(slug)
        keys = {name: key for name in names if (key := secret.key(slug, name)) is not None}
        path = Path(root, "solutions", f"{slug}.py")
        imports = sorted(imported(path.read_text("utf8"))) if path.exists() else ()
        return cls(slug, keys, secret.fingerprint(), tuple(imports), **settings)

    def sandbox(self, isolation: str = "auto") -> Sandbox:
        """A new sandbox for this sheet: without what any of its exercises forbids.

        An instructor's own sheet forbids nothing, and finds the packages that its cells import.
        """
        if (about := registry.index().get(self.slug)) is None:
            extras, packages = self._extras(self.imports), distributions(self.imports)
            return Sandbox((), extras, self.imports, self.limits, isolation, packages)
        extras = self._extras(about.imports)
        return Sandbox(about.forbids, extras, self.imports, self.limits, isolation)

    @staticmethod
    def _extras(imports: Iterable[str]) -> tuple[str, ...]:
        return ("data", "torch") if "torch" in imports else ("data",)


@dataclass
class Execution:
    """What became of a submission."""

    notebook: NotebookNode  # a graded check cell holds its verdict, or the error that says why not
    verdicts: dict[str, dict[str, Any]] = field(default_factory=dict)  # ``Verdict.data()``
    reasons: dict[str, str] = field(default_factory=dict)  # exercise -> why it has no verdict
    same_process: list[str] = field(default_factory=list)  # graded cells without a check
    flags: list[str] = field(default_factory=list)  # what a person should look at
    stopped: str = ""  # why the last cells weren't run; "" if they were
    seconds: dict[str, float] = field(default_factory=dict)  # start, cells, checks, total
    isolation: str = "bubblewrap"
