"""What students wrote and displayed, as HTML that does nothing.

No script, form or frame is left, and nothing that a browser would fetch: pictures are in the page
itself. nbgrader's pages use it, both those for students and formgrader's, which an instructor reads
while logged in.
"""

from typing import Any

from dlcourse.grading.errors import needs

with needs("grading"):
    import nh3
    from jinja2 import pass_context
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

TAGS = nh3.ALLOWED_TAGS | {"tfoot"}
GONE = {"script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript"}
ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
ATTRIBUTES["*"] = {"class", "id", "style", "title", "aria-hidden", "aria-label"}
ATTRIBUTES["details"] = {"open"}
STYLES = {"border-left", "margin", "padding", "padding-left", "text-align", "font-weight"}
PICTURES = tuple(f"data:image/{kind};base64," for kind in ("png", "jpeg", "gif", "webp"))
POLICY = (  # should anything get through, the browser refuses it
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def html(text: Any) -> str:
    """``text`` without what could run, be sent or be fetched."""
    return nh3.clean(
        text.decode() if isinstance(text, bytes) else str(text),
        tags=TAGS,
        clean_content_tags=GONE,
        attributes=ATTRIBUTES,
        attribute_filter=_kept,
        filter_style_properties=STYLES,
        url_schemes={"http", "https", "mailto", "data"},
    )


def _kept(tag: str, name: str, value: str) -> str | None:
    """A picture's data, and a link that is one; no other address."""
    if name == "src":
        return value if value.startswith(PICTURES) else None
    if name in ("href", "cite"):
        return value if value.startswith(("http://", "https://", "mailto:", "#")) else None
    return value


@pass_context
def markdown(context: Any, source: str) -> str:
    """nbconvert's filter of this name, made harmless; pictures attached to the cell are shown."""
    attached = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attached, exclude_anchor_links=True)
    return html(MarkdownWithMath(renderer=renderer).render(source))
