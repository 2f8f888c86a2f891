"""The pages that students get back: their notebook with points, comments and the checks' hints.

They run no script and fetch nothing: they can be read without a network, and opened without fear.
"""

import re
from pathlib import Path

from dlcourse.grading.course import overwrite, session, writable
from dlcourse.grading.errors import CourseError, needs
from dlcourse.grading.harmless import POLICY
from dlcourse.grading.log import captured, reason
from dlcourse.grading.scores import is_released

with needs("grading"):
    from nbgrader.apps.api import NbGraderAPI  # it chooses the HTML exporter and its template
    from nbgrader.coursedir import CourseDirectory


def feedback(slug: str, home: str | Path = ".") -> list[Path]:
    """Write ``<home>/feedback/<student>/<slug>/<slug>.html`` for all who were graded."""
    home = Path(home).resolve()
    is_released(slug, home)
    if not any(home.glob(f"autograded/*/{slug}")):
        raise CourseError(f"Nobody's '{slug}' is graded yet. Run: dlcourse grade {slug}")
    writable(home / "feedback")
    with session(home) as config, captured() as log:
        api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
        outcome = api.generate_feedback(slug)
    if not outcome["success"]:
        raise CourseError(f"Some feedback could not be written: {reason(log)}")
    pages = sorted(home.glob(f"feedback/*/{slug}/{slug}.html"))
    for path in pages:
        overwrite(path, still(path.read_text("utf-8")))
    return pages


def still(page: str) -> str:
    """nbgrader's page without its own script, which would load MathJax, and with a policy."""
    head, end, body = page.partition("</head>")
    head = re.sub(r"<script.*?</script>", "", head, flags=re.DOTALL)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return head.replace("<head>", f"<head>\n{policy}", 1) + end + body
