"""HTML that others wrote, made harmless by an allow-list: nh3, which parses it as a browser does.

No script, handler, style, form, frame or embedded object is on the list, and nothing that a page
would fetch: an image must be in the page itself, as PNG, JPEG, GIF or WebP.
"""

import re
from html import escape

from dlcourse.grading.errors import needs

with needs("grading"):
    import nh3

TAGS = set(
    """a abbr b blockquote br caption code col colgroup dd del details dfn div dl dt em figcaption
    figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub
    summary sup table tbody td tfoot th thead tr u ul var wbr""".split()
)
DROPPED = {"script", "style", "title", "iframe", "noscript", "template", "textarea", "select"}
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    "details": {"open"},
    "*": {"class", "style"},
}
CLASSES = re.compile(r"[a-z]{1,2}[0-9]?|highlight( hl-ipython3)?|ansi-[a-z-]+")  # coloured code
STYLES = re.compile(  # a verdict's own, as checks display it
    r"border-left:4px solid #[0-9a-f]{6};padding:\.3em \.8em"
    r"|margin:\.4em 0 0(;padding-left:1\.2em)?"
)
KEPT = {"class": CLASSES, "style": STYLES}
LINK = re.compile(r"\s*(https?://|mailto:)", re.IGNORECASE)
IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z")

MATH_TAGS = set(
    """math maligngroup malignmark menclose merror mfenced mfrac mi mmultiscripts mn mo mover
    mpadded mphantom mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder
    munderover""".split()
)
MATH_ATTRIBUTES = set(
    """accent columnalign columnlines columnspacing depth display displaystyle fence form height
    largeop linethickness lspace mathvariant maxsize minsize movablelimits notation rowlines
    rowspacing rspace scriptlevel separator stretchy symmetric voffset width""".split()
)


def clean(html: str, nonce: str = "") -> str:
    """The harmless part of ``html``; no attribute that holds the ``nonce`` stays."""

    def attribute(tag: str, name: str, value: str) -> str | None:
        if nonce and nonce in value:
            return None
        if tag == "a" and name == "href":
            return value if LINK.match(value) else None
        if tag == "img" and name == "src":
            return value if IMAGE.match(value) else None
        if name in KEPT:
            return value if KEPT[name].fullmatch(value) else None
        return value

    return nh3.clean(
        html,
        tags=TAGS,
        clean_content_tags=DROPPED,
        attributes=ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
    )


def spans(html: str) -> str:
    """Code or a terminal's text as our own tools colour it: only text and classes."""
    return nh3.clean(html, tags={"div", "pre", "span"}, attributes={"*": {"class"}})


def formula(tex: str, display: bool = False) -> str:
    """TeX as MathML, which browsers show by themselves; as it was typed where that isn't known."""
    try:
        from latex2mathml.converter import convert

        mathml = convert(tex, display="block" if display else "inline")
    except Exception:  # whatever somebody typed between two dollars; or it isn't installed
        return f'<code class="tex">{escape(tex)}</code>'
    return nh3.clean(
        mathml,
        tags=MATH_TAGS,
        clean_content_tags=DROPPED,
        attributes={"*": MATH_ATTRIBUTES},
    )
