"""Stock nbgrader, and formgrader in JupyterLab, work from this folder."""

from pathlib import Path

from dlcourse.grading.course import configure

configure(get_config(), root=Path(__file__).parent)  # noqa: F821, traitlets defines get_config
