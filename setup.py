"""Packaging is in pyproject.toml; this is left: sheets and recorded runs travel in the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithCourse(build_py):
    """Copies exercises/<slug>/<slug>.ipynb to dlcourse/exercises/, where ``dlcourse lab`` looks,
    and chapters/results/*.json to dlcourse/results/, where ``dlcourse.numbers.recorded`` does."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # then the repository's own folder is used
            return
        for folder, files in (
            ("exercises", Path("exercises").glob("*/*.ipynb")),
            ("results", Path("chapters", "results").glob("*.json")),
        ):
            target = Path(self.build_lib, "dlcourse", folder)
            self.mkpath(str(target))
            for file in sorted(files):
                self.copy_file(str(file), str(target / file.name))


setup(cmdclass={"build_py": WithCourse})
