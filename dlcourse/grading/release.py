"""The learner's sheet: solutions, outputs and mark schemes removed, checks locked, registered."""

import tempfile
from pathlib import Path
from typing import Any

from dlcourse.checks.core import secret
from dlcourse.grading.convert import convert
from dlcourse.grading.course import SEED_FILE, overwrite, session, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.log import captured, reason

with needs("grading"):
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells

    STEPS = GenerateAssignment.class_traits()["preprocessors"].default()


def release(slug: str, root: str | Path = ".", home: str | Path | None = None) -> Path:
    """Make ``<home>/exercises/<slug>/<slug>.ipynb``, register it, and return its path.

    Registering means that the gradebook knows the graded cells and keeps the locked ones' text.
    The first release makes the secret seed of the hidden cases. Releasing again changes no bytes;
    it is refused where submissions exist and cells were added or removed.
    """
    home = writable(root if home is None else home)
    source = convert(slug, root, home / "build" / "source")
    ours = {source.name, ".ipynb_checkpoints"}
    if strangers := sorted(p.name for p in source.parent.iterdir() if p.name not in ours):
        raise CourseError(
            f"{source.parent} holds more than the converter put there: {', '.join(strangers)}. "
            "Everything there would go to the learners, so move it away first."
        )
    secret.create(home / SEED_FILE)
    with session(home) as config:
        if (file := config.CourseDirectory.db_url.removeprefix("sqlite:///")) and "://" not in file:
            Path(file).touch(mode=0o600)  # grades are nobody else's business; an old one is left
        made = _generate(slug, config, home / "build")
    sheet = home / "exercises" / slug / f"{slug}.ipynb"
    overwrite(sheet, made)
    return sheet


def regenerate(slug: str, out: str | Path, root: str | Path = ".") -> Path:
    """The same bytes as ``release`` in ``<out>/<slug>/<slug>.ipynb``, without any gradebook."""
    out = writable(out)
    with tempfile.TemporaryDirectory() as scratch, session(scratch) as config:
        convert(slug, root, Path(scratch, "build", "source"))
        config.GenerateAssignment.no_database = True
        config.GenerateAssignment.preprocessors = [step for step in STEPS if step is not SaveCells]
        made = _generate(slug, config, Path(scratch))
    sheet = out / slug / f"{slug}.ipynb"
    overwrite(sheet, made)
    return sheet


def _generate(slug: str, config: Any, build: Path) -> str:
    """The text that nbgrader generates. It goes to a folder of its own first, because nbgrader
    removes the old sheet before it starts, and doesn't bring it back when it fails."""
    with tempfile.TemporaryDirectory(dir=writable(build)) as folder:
        config.CourseDirectory.release_directory = folder
        directory = CourseDirectory(config=config, assignment_id=slug)
        generator = GenerateAssignment(coursedir=directory, config=config)
        generator.force = True
        with captured() as log:
            try:
                generator.start()
            except Exception as error:
                raise CourseError(f"nbgrader couldn't generate '{slug}': {reason(log)}") from error
        return Path(folder, slug, f"{slug}.ipynb").read_text(encoding="utf-8")
