"""A graded notebook as the page that its student gets back: no script, no network, light and dark.

What a student wrote or displayed goes through :mod:`clean`; everything else is escaped here.
"""

from html import escape
from importlib import resources as files
from string import Template
from typing import Any

from nbformat import NotebookNode

from dlcourse.grading.clean import spans
from dlcourse.grading.displayed import displayed
from dlcourse.grading.errors import needs
from dlcourse.grading.markup import code, hint, table
from dlcourse.grading.prose import prose

with needs("grading"):
    from nbconvert.filters import Highlight2HTML

AGAIN = (
    "On which input it went wrong stays hidden here. The sheet's own check finds most faults on "
    "inputs that it shows."
)


def page(notebook: NotebookNode, resources: dict[str, Any], outputs: bool = True) -> str:
    """The page as HTML; without what cells displayed where ``outputs`` is false."""
    frame = files.files("dlcourse.grading").joinpath("feedback.html").read_text("utf-8")
    about = resources["nbgrader"]
    return Template(frame).substitute(
        slug=escape(about["notebook"]),
        total=_total(about, notebook.cells),
        contents=_contents(notebook.cells),
        body="\n".join(cell_html(cell, outputs) for cell in notebook.cells),
    )


def _total(about: dict[str, Any], cells: list[NotebookNode]) -> str:
    out = f"<strong>{about['score']:g} of {about['max_score']:g} points</strong>"
    if waiting := sum(bool(_graded(cell).get("waits")) for cell in cells):
        out += f", {waiting} written answer{'s' * (waiting > 1)} still to be marked"
    if about.get("late_penalty"):
        out += f", {about['late_penalty']:g} taken off for lateness"
    return out + "."


def _contents(cells: list[NotebookNode]) -> str:
    graded = [about for cell in cells if (about := _graded(cell)).get("grade")]
    links = [f'<a href="#{escape(anchor(about))}">{escape(name(about))}</a>' for about in graded]
    rows = [[link, _points(about)] for link, about in zip(links, graded, strict=True)]
    return table(["Exercise", "Points"], rows)


def cell_html(cell: NotebookNode, outputs: bool) -> str:
    """One cell, by what it is."""
    about = _graded(cell)
    if cell.cell_type == "code" and about.get("grade") and about.get("locked"):
        return _verdict(cell, about)
    if cell.cell_type == "code":
        shown = displayed(cell.outputs) if outputs else ""
        return _answer(_source(cell) + shown, about)
    if cell.cell_type == "markdown":
        return _answer(
            f'<div class="wide">{prose(cell.source, cell.get("attachments"))}</div>', about
        )
    return f"<pre>{escape(cell.source)}</pre>"


def _answer(body: str, about: dict[str, Any]) -> str:
    """A cell's own HTML; where it is an answer, in a frame with its points and the comment."""
    if not (about.get("solution") or about.get("grade") or about.get("task")):
        return body
    head = "<span>Your answer</span>"
    mark = ""
    if about.get("grade") or about.get("task"):
        head = f"<span>Your answer: {code(name(about))}</span><span>{_points(about)}</span>"
        mark = f' id="{escape(anchor(about))}"'
    comment = about.get("comment") or ""
    said = f'<div class="comment"><b>Comment</b>{prose(comment)}</div>' if comment else ""
    return f'<section class="answer"{mark}><div class="head">{head}</div>{body}{said}</section>'


def _verdict(cell: NotebookNode, about: dict[str, Any]) -> str:
    """Points, parts, hints; where a learner's code was not judged, why."""
    said = cell.metadata.get("dlcourse", {}).get("said", {})
    right = about.get("points") and about.get("score") == about.get("points")
    parts = "".join(
        f'<li><span class="{"yes" if ok else "no"}">{"✓" if ok else "✗"}</span> '
        f'{escape(part)}<span class="soft">{"" if ok else ": not right yet"}</span></li>'
        for part, ok in said.get("parts", {}).items()
    )
    body = f'<ul class="parts">{parts}</ul>' if parts else ""
    body += "".join(f"<p><b>Hint:</b> {hint(text)}</p>" for text in said.get("hints", []))
    if why := said.get("why"):
        body += f"<p>{escape(why)}</p>"
    if parts and not right:
        body += f'<p class="soft">{AGAIN}</p>'
    head = f"<span>{code(name(about))}</span><span>{_points(about)}</span>"
    source = "" if parts else _source(cell)
    return (
        f'<section class="verdict {"right" if right else "wrong"}" id="{escape(anchor(about))}">'
        f'<div class="head">{head}</div>{source}{body}</section>'
    )


def _source(cell: NotebookNode) -> str:
    if not cell.source.strip():
        return ""
    return spans(Highlight2HTML()(cell.source))


def _graded(cell: NotebookNode) -> dict[str, Any]:
    return cell.metadata.get("nbgrader", {})


def name(about: dict[str, Any]) -> str:
    return str(about.get("grade_id", "")).removesuffix("_check")


def anchor(about: dict[str, Any]) -> str:
    return f"points-{about.get('grade_id', '')}"


def _points(about: dict[str, Any]) -> str:
    of = f"{about.get('points') or 0:g}"
    if about.get("waits"):
        return f"to be marked, of {of}"
    return f"{about.get('score') or 0:g} of {of}"
