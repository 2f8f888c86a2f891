"""Packaging is in pyproject.toml; only this is left: the learner's sheets travel in the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithSheets(build_py):
    """Copies exercises/<slug>/<slug>.ipynb to dlcourse/exercises/, where ``dlcourse lab`` looks."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # then the repository's own folder is used
            return
        for sheet in sorted(Path("exercises").glob("*/*.ipynb")):
            target = Path(self.build_lib, "dlcourse", "exercises", sheet.name)
            self.mkpath(str(target.parent))
            self.copy_file(str(sheet), str(target))


setup(cmdclass={"build_py": WithSheets})
