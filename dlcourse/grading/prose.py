"""Markdown that others wrote, as HTML without anything that acts, and with its formulas shown."""

import re
import secrets
from html import escape
from typing import Any

from dlcourse.grading.clean import clean, formula
from dlcourse.grading.errors import needs

with needs("grading"):
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath


class Renderer(IPythonRenderer):
    """nbconvert's own; a formula becomes a mark, so that cleaning can't hurt it or be fooled by it.

    The mark holds a number that nobody can guess. So none can be forged, and ``clean`` removes
    those that stand in an attribute.
    """

    def __init__(self, attachments: dict[str, Any] | None = None):
        super().__init__(escape=False, exclude_anchor_links=True, attachments=attachments)
        self.nonce = secrets.token_hex(16)
        self.formulas: list[str] = []

    def _mark(self, tex: str, display: bool = False) -> str:
        self.formulas.append(formula(tex, display))
        return f"{self.nonce}-{len(self.formulas) - 1};"

    def inline_math(self, body: str) -> str:
        return self._mark(body)

    def block_math(self, body: str) -> str:
        return self._mark(body, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        return self._mark(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre>{escape(code)}</pre>"  # it would need a script

    def html(self, source: str) -> str:
        cleaned = clean(MarkdownWithMath(renderer=self).render(source), self.nonce)
        return re.sub(rf"{self.nonce}-(\d+);", lambda m: self.formulas[int(m[1])], cleaned)


def prose(source: str, attachments: dict[str, Any] | None = None) -> str:
    """Markdown as harmless HTML; as it was typed where it can't be read as Markdown."""
    try:
        return Renderer(attachments).html(source)
    except Exception:  # nested a thousand times, an attachment that isn't there
        return f"<pre>{escape(source)}</pre>"
