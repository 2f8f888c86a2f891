"""Chapters run in a kernel that knows nothing of who builds: no personal profile, one thread.

A profile's start-up files could change what a chapter prints. Small networks are thirty times
slower with two threads than with one. ipykernel's warning that it listens without encryption says
nothing about a chapter.
"""

import os
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

CONFIG = 'c.IPKernelApp.log_level = "ERROR"\n'


def prepare(app: Sphinx) -> None:
    folder = Path(app.outdir).parent / "ipython"
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(CONFIG)
    os.environ["IPYTHONDIR"] = str(folder)
    os.environ["OMP_NUM_THREADS"] = "1"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", prepare)
    return {"version": "1", "parallel_read_safe": True}
