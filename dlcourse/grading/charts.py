"""The report's plots, as SVG and HTML that need no script: their numbers are said in words too."""

from html import escape
from typing import Any

WIDTH, HEIGHT, BASE, LEFT = 400, 110, 136, 14


def histogram(data: dict[str, Any], what: str) -> str:
    """The distribution of points; ``data`` is ``items.distribution``, ``what`` names the points."""
    if not data["students"]:
        return ""
    of, bars = data["of"], data["bars"]
    top, step = max(bar["count"] for bar in bars), WIDTH / len(bars)
    drawn = []
    for k, bar in enumerate(bars):
        h, x = HEIGHT * bar["count"] / top, LEFT + k * step
        drawn.append(
            f"<g><title>{_span(bar, of)}: {bar['count']}</title>"
            f'<rect x="{x + 2:g}" y="{BASE - h:.1f}" width="{step - 4:g}" height="{h:.1f}" rx="2"/>'
            + (
                f'<text x="{x + step / 2:g}" y="{BASE - h - 5:.1f}">{bar["count"]}</text>'
                if h
                else ""
            )
            + f'<text class="edge" x="{x:g}" y="{BASE + 17}">{bar["from"]:g}</text></g>'
        )
    end = LEFT + WIDTH
    at = LEFT + _place(data["median"], bars) * step
    said = ", ".join(f"{_span(bar, of)}: {bar['count']}" for bar in bars if bar["count"])
    label = f"{data['students']} students by {what} points. {said}. Median {data['median']:g}."
    return (
        f'<svg viewBox="0 0 {end + LEFT} 178" role="img" aria-label="{escape(label)}">'
        f'<line class="median" x1="{at:.1f}" y1="8" x2="{at:.1f}" y2="{BASE}"/>{"".join(drawn)}'
        f'<line x1="{LEFT - 4}" y1="{BASE}" x2="{end + 4}" y2="{BASE}"/>'
        f'<text class="edge" x="{end}" y="{BASE + 17}">{of:g}</text>'
        f'<text class="edge" x="{(LEFT + end) / 2:g}" y="172">{escape(what)} points</text></svg>'
    )


def _span(bar: dict[str, float], of: float) -> str:
    """The points of a bar in words; only the last one takes its upper edge in."""
    low, high = bar["from"], bar["to"]
    if high == of:
        return f"{low:g} to {high:g} points"
    return f"{low:g} points" if high == low + 1 else f"{low:g} to below {high:g} points"


def _place(score: float, bars: list[dict[str, float]]) -> float:
    """Where a score is on the axis, in bars from the left."""
    for k, bar in enumerate(bars):
        if score <= bar["to"]:
            return k + (score - bar["from"]) / (bar["to"] - bar["from"])
    return len(bars)


def share(value: float | None, kind: str = "") -> str:
    """A share as a bar with its number on it."""
    if value is None:
        return "–"
    kinds = f"bar {kind}".strip()
    return f'<span class="{kinds}" style="--share:{value:.3f}">{value:.0%}</span>'


def strip(r: float | None) -> str:
    """A correlation: its number, and a dot on the way from -1 to 1."""
    if r is None:
        return "–"
    at = (r + 1) / 2
    weak = " weak" if r < 0.2 else ""
    number = f"{r:.2f}".replace("-", "−")
    return (
        f'<span class="r">{number}<span class="strip{weak}" style="--at:{at:.3f}" '
        'aria-hidden="true"></span></span>'
    )
