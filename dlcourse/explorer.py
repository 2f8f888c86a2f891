"""Figures whose settings the reader moves: drawn here, once for each setting, shown by the page.

All numbers come from Python. The page's script only swaps one drawn line for another, so a figure
needs no server, and without a script it stands still at the setting it starts from.
"""

import html
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from dlcourse.plots import COLOURS, FAINT

# In units of the drawing, which is scaled to the page: small enough to be read on a telephone.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 300, 62, 12, 30, 44
DASHES = ("none", "7 4", "2 4", "9 3 2 3", "1 3")

Xy = tuple[Sequence[float], Sequence[float]]


class Axis:
    """Maps values between ``limits`` to places between ``ends``, linearly or by their logarithm."""

    def __init__(self, limits: tuple[float, float], ends: tuple[float, float], log: bool):
        low, high = limits
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"limits must be finite and rise: {limits}")
        if log and low <= 0:
            raise ValueError(f"a logarithmic axis needs limits above 0: {limits}")
        self.limits, self.ends, self.log = limits, ends, log

    def place(self, values: Sequence[float]) -> np.ndarray:
        """Places of ``values``; NaN for what has none, and far outside for what is far outside."""
        with np.errstate(divide="ignore", invalid="ignore"):
            v = np.log(np.asarray(values, float)) if self.log else np.asarray(values, float)
        low, high = np.log(self.limits) if self.log else self.limits
        share = np.clip((v - low) / (high - low), -2, 3)
        return self.ends[0] + share * (self.ends[1] - self.ends[0])

    def ticks(self) -> list[float]:
        locator = LogLocator(numticks=7) if self.log else MaxNLocator(6, steps=[1, 2, 5, 10])
        low, high = self.limits
        return [t for t in locator.tick_values(low, high) if low <= t <= high]

    def name(self, tick: float) -> str:
        if not self.log:
            return f"{0.0 if abs(tick) < 1e-12 else tick:g}".replace("-", "−")
        power = f"{round(math.log10(tick))}".replace("-", "−")
        raised = f'10<tspan dy="-5" font-size="9.5">{power}</tspan>'
        return raised if abs(math.log10(tick)) > 3 else f"{tick:g}"


def tenths(n: int) -> str:
    """``n / 10`` as SVG reads it with the fewest characters: ``-3`` is ``-.3``."""
    return f"{n / 10:g}".replace("0.", ".", 1) if abs(n) < 10 else f"{n / 10:g}"


class Explorer:
    """A figure with ``controls``, shown in a page, or standing still in a notebook.

    ``draw(*settings)`` gives the lines of one setting, label to ``(x, y)``, and a sentence that
    says what is seen there, for all readers and above all for who can't see the figure. Each of
    the ``controls`` is a name with the values it takes: numbers become a slider, strings a menu.
    The figure starts from ``start``. Lines of ``dots`` are drawn as dots; ``background`` lines stay
    as they are. A line ends where its values aren't finite. Raises ValueError for a figure without
    alt text, a start that isn't among the values, and lines whose labels change.
    """

    def __init__(
        self,
        draw: Callable[..., tuple[Mapping[str, Xy], str]],
        controls: Mapping[str, Sequence[float] | Sequence[str]],
        *,
        start: Sequence[float | str],
        alt: str,
        xlim: tuple[float, float],
        ylim: tuple[float, float],
        xlabel: str,
        ylabel: str,
        xlog: bool = False,
        ylog: bool = False,
        dots: Sequence[str] = (),
        background: Sequence[Xy] = (),
    ):
        if not alt.strip():
            raise ValueError("a figure needs alt text: what is seen at the start")
        if len(start) != len(controls):
            raise ValueError(f"{len(start)} values to start from, and {len(controls)} controls")
        for value, (name, values) in zip(start, controls.items(), strict=True):
            if value not in values:
                raise ValueError(f"{name} starts from {value!r}, which isn't one of {list(values)}")
        self.controls, self.start, self.alt = dict(controls), tuple(start), alt
        self.x = Axis(xlim, (LEFT, WIDTH - RIGHT), xlog)
        self.y = Axis(ylim, (HEIGHT - BOTTOM, TOP), ylog)
        self.xlabel, self.ylabel, self.dots = xlabel, ylabel, set(dots)
        self.background = [self._path(*line, dots=False) for line in background]
        self.frames = {s: draw(*s) for s in itertools.product(*controls.values())}
        self.labels = list(self.frames[self.start][0])
        for settings, (lines, _) in self.frames.items():
            if list(lines) != self.labels:
                raise ValueError(f"at {settings} the lines are {list(lines)}, not {self.labels}")

    def _path(self, x: Sequence[float], y: Sequence[float], *, dots: bool) -> str:
        """One line as an SVG path: a stroke between neighbours, or a stroke of no length each.

        Strokes are the differences of places in tenths: a third to a half of what places take
        once compressed, and nothing adds up, because places are rounded before.
        """
        if len(x) != len(y):
            raise ValueError(f"a line needs as many x as y: {len(x)} and {len(y)}")
        steps, last = [], None
        for px, py in zip(self.x.place(x), self.y.place(y), strict=True):
            if not (math.isfinite(px) and math.isfinite(py)):
                last = None
                continue
            at = round(10 * px), round(10 * py)
            if dots or last is None:
                steps.append(f"M{tenths(at[0])} {tenths(at[1])}{'h0' * dots}")
            else:
                steps.append(f"l{tenths(at[0] - last[0])} {tenths(at[1] - last[1])}")
            last = at
        return "".join(steps)

    def _data(self) -> dict[str, object]:
        """Paths, each once; for every setting which of them it shows, and what it says."""
        paths: dict[str, int] = {}
        shown, says = [], []
        for lines, sentence in self.frames.values():
            row = [self._path(x, y, dots=label in self.dots) for label, (x, y) in lines.items()]
            shown.append([paths.setdefault(path, len(paths)) for path in row])
            says.append(sentence)
        sizes = [len(values) for values in self.controls.values()]
        return {"sizes": sizes, "paths": list(paths), "shown": shown, "says": says}

    def _axes(self) -> str:
        bottom, right, middle = HEIGHT - BOTTOM, WIDTH - RIGHT, (TOP + HEIGHT - BOTTOM) / 2
        grid, texts = [], []
        for tick, at in zip(self.x.ticks(), self.x.place(self.x.ticks()), strict=True):
            grid.append(f"M{at:.1f} {TOP}V{bottom}")
            texts.append((f'x="{at:.1f}" y="{bottom + 16}"', self.x.name(tick)))
        for tick, at in zip(self.y.ticks(), self.y.place(self.y.ticks()), strict=True):
            grid.append(f"M{LEFT} {at:.1f}H{right}")
            texts.append((f'x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end"', self.y.name(tick)))
        texts.append((f'x="{(LEFT + right) / 2}" y="{HEIGHT - 8}"', html.escape(self.xlabel)))
        turned = f'transform="translate(14 {middle}) rotate(-90)"'
        texts.append((turned, html.escape(self.ylabel)))
        return (
            f'<path class="explorer-grid" stroke="{FAINT}" stroke-width="0.7" d="{"".join(grid)}"/>'
            '<g fill="currentColor" text-anchor="middle">'
            + "".join(f"<text {where}>{text}</text>" for where, text in texts)
            + "</g>"
        )

    def _style(self, k: int) -> str:
        if self.labels[k] in self.dots:
            return f'class="explorer-{k}" stroke="{COLOURS[k]}" stroke-width="6"'
        dashes = f'stroke-dasharray="{DASHES[k]}"'
        return f'class="explorer-{k}" stroke="{COLOURS[k]}" stroke-width="2" {dashes}'

    def _legend(self) -> str:
        parts, x = [], LEFT
        for k, label in enumerate(self.labels):
            mark = f"M{x + 11} 13h0" if label in self.dots else f"M{x} 13h22"
            parts.append(f'<path d="{mark}" {self._style(k)}/>')
            parts.append(
                f'<text x="{x + 28}" y="17" fill="currentColor">{html.escape(label)}</text>'
            )
            x += 28 + 7 * len(label) + 18
        return "".join(parts)

    def _control(self, k: int, name: str, values: Sequence[float] | Sequence[str]) -> str:
        at = list(values).index(self.start[k])
        texts = [v if isinstance(v, str) else f"{v:g}" for v in values]
        head = f"<label><span>{html.escape(name)}</span>"
        if isinstance(values[0], str):
            options = "".join(
                f"<option{' selected' * (i == at)}>{html.escape(text)}</option>"
                for i, text in enumerate(texts)
            )
            return f"{head}<select>{options}</select></label>"
        return (
            f'{head}<input type="range" min="0" max="{len(values) - 1}" step="1" value="{at}" '
            f'data-texts="{html.escape(json.dumps(texts))}" aria-valuetext="{texts[at]}">'
            f"<output>{texts[at]}</output></label>"
        )

    def _repr_html_(self) -> str:
        lines, sentence = self.frames[self.start]
        drawn = "".join(
            f'<path data-line="" d="{self._path(x, y, dots=label in self.dots)}" {self._style(k)}/>'
            for k, (label, (x, y)) in enumerate(lines.items())
        )
        behind = f'<path class="explorer-behind" stroke="{FAINT}" d="{"".join(self.background)}"/>'
        controls = "".join(
            self._control(k, *control) for k, control in enumerate(self.controls.items())
        )
        inner = f'x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}"'
        return (
            '<figure class="explorer">'
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(self.alt)}" '
            'fill="none" stroke-linecap="round" stroke-linejoin="round" font-size="12.5">'
            f"{self._axes()}{self._legend()}"
            f'<svg {inner} height="{HEIGHT - TOP - BOTTOM}" '
            f'viewBox="{LEFT} {TOP} {WIDTH - LEFT - RIGHT} {HEIGHT - TOP - BOTTOM}">'
            f"{behind}{drawn}</svg></svg>"
            f'<form class="explorer-controls" hidden>{controls}</form>'
            f'<figcaption aria-live="polite">{html.escape(sentence)}</figcaption>'
            # "</" would end the script; in JSON a slash may be written with a backslash
            f'<script type="application/json">'
            f"{json.dumps(self._data()).replace('</', '<' + chr(92) + '/')}</script>"
            "</figure>"
        )

    def __repr__(self) -> str:
        return f"Explorer: {self.alt}"
