"""For nbgrader's own pages, which show Markdown and outputs as they come, scripts included.

Formgrader shows them on the instructor's Jupyter server, where a script has the instructor's
rights. ``dlcourse feedback`` needs none of this: its page cleans whatever it shows.

Outputs are replaced before the page is made, for nbconvert's templates put what an output says of
its picture's width into the page as it is; Markdown and all other HTML are filtered in the page.
"""

from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from dlcourse.grading.clean import clean
from dlcourse.grading.displayed import one
from dlcourse.grading.errors import needs
from dlcourse.grading.prose import prose

with needs("grading"):
    from jinja2 import pass_context
    from nbgrader.preprocessors import NbGraderPreprocessor


class Cleaned(str):
    """HTML in which nothing acts. MathJax, which makes links of a formula that asks for one, is
    kept out of it."""

    def __new__(cls, html: str) -> "Cleaned":
        return super().__new__(cls, f'<div class="tex2jax_ignore">{html}</div>')


class Harmless(NbGraderPreprocessor):
    """What cells displayed, as HTML of our making and nothing else."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        nb.metadata.pop("widgets", None)
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [
                    new_output("display_data", data={"text/html": Cleaned(shown)})
                    for output in cell.outputs
                    if (shown := one(output))
                ]
        return nb, resources


def clean_html(html: Any) -> str:
    """nbconvert's filter: without what could run, be sent or be fetched."""
    return html if isinstance(html, Cleaned) else Cleaned(clean(str(html)))


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """nbconvert's filter: without the same, and formulas as MathML; attached pictures are shown."""
    return Cleaned(prose(source, context.get("cell", {}).get("attachments")))
