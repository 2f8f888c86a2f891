"""What a learner's cell displayed, as HTML that does nothing and fetches nothing."""

import base64
import re
from html import escape
from typing import Any

from dlcourse.grading.clean import clean, spans
from dlcourse.grading.errors import needs
from dlcourse.grading.prose import prose

with needs("grading"):
    from nbconvert.filters import ansi2html

MOST = 20_000  # characters of one output
IMAGES = ("image/png", "image/jpeg")
SVG = "image/svg+xml"


def displayed(outputs: list[Any]) -> str:
    """All outputs of a cell, one after the other."""
    return "".join(map(one, outputs))


def one(output: Any) -> str:
    """One output; "" where it holds nothing that can be shown."""
    kind = output.get("output_type")
    if kind == "stream":
        return terminal(output.get("text", ""))
    if kind == "error":
        lines = [str(line) for line in output.get("traceback", [])]
        return terminal("\n".join(lines) or f"{output.get('ename')}: {output.get('evalue')}")
    return richest(output.get("data", {}))


def richest(data: dict[str, Any]) -> str:
    """The best form of a display that needs no script; of the others nothing is kept."""
    for kind in IMAGES:
        if (encoded := packed(data.get(kind))) is not None:
            return f'<img alt="a figure of this cell" src="data:{kind};base64,{encoded}">'
    if isinstance(drawn := joined(data.get(SVG)), str):
        # an image in <img> runs nothing and fetches nothing, whatever is written in it
        encoded = base64.b64encode(drawn.encode("utf-8", "replace")).decode()
        return f'<img alt="a figure of this cell" src="data:{SVG};base64,{encoded}">'
    for kind, show in (("text/html", clean), ("text/markdown", prose), ("text/plain", terminal)):
        if isinstance(text := joined(data.get(kind)), str):
            return show(text[:MOST]) if kind == "text/plain" else f"<div>{show(text)}</div>"
    return ""


def terminal(text: Any) -> str:
    """Text as a terminal shows it, colours included."""
    said = str(joined(text))
    if len(said) > MOST:
        said = said[:MOST] + f"\n… and {len(said) - MOST} characters more."
    return f"<pre>{spans(ansi2html(said))}</pre>" if said.strip() else ""


def joined(value: Any) -> Any:
    """Text that a file may hold in lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def packed(value: Any) -> str | None:
    """Base64 as it may stand in an attribute; None where it is none."""
    text = re.sub(r"\s", "", joined(value)) if isinstance(joined(value), str) else ""
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return escape(text) or None
