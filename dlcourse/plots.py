"""The figures that several chapters share, in one style.

Every figure stands on a light card of its own, because an SVG in an ``<img>`` can't follow a page
from light to dark: dark ink on a light card reads the same on both. Classes differ in marker as
well as in colour, so that no figure needs its colours to be understood.
"""

import sys
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CARD, INK, FAINT = "#fbfaf7", "#1f2328", "#b9b6ad"
# Okabe and Ito's colours, darkened where they are too pale to be seen on the card.
COLOURS = ("#0072b2", "#c8501e", "#00805c", "#8a4a87", "#7a6a00")
MARKERS = ("o", "^", "s", "D", "v")
LINES = ("-", "--", "-.", ":", (0, (3, 1, 1, 1, 1, 1)))


def use_style() -> None:
    """Set the course's style for all figures to come, and SVG for those that a notebook shows."""
    mpl.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": INK,
            "axes.facecolor": CARD,
            "axes.grid": True,
            "axes.labelcolor": INK,
            "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.facecolor": CARD,
            "figure.figsize": (7, 3.6),
            "font.size": 10.5,
            "grid.color": FAINT,
            "grid.linewidth": 0.5,
            "image.cmap": "gray_r",
            "legend.edgecolor": FAINT,
            "legend.facecolor": CARD,
            "lines.linewidth": 1.8,
            "savefig.facecolor": CARD,
            "svg.hashsalt": "dlcourse",  # the same figure is the same file
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():  # in a notebook
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


def scatter_classes(
    ax: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str], *, alpha: float = 0.7
) -> None:
    """Points (N, 2) of each class in its own colour and marker, named in a legend.

    ``labels`` (N,) are indices into ``names``; a class without points isn't named, but keeps its
    colour. Raises ValueError for points outside the plane, and for more classes than markers.
    """
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(f"points (N, 2) and labels (N,) don't fit: {points.shape}, {labels.shape}")
    if len(names) > len(MARKERS):
        raise ValueError(f"{len(names)} classes, but only {len(MARKERS)} can be told apart by eye")
    for k, name in enumerate(names):
        own = points[labels == k]
        if len(own):
            (marks,) = ax.plot(own[:, 0], own[:, 1], MARKERS[k], color=COLOURS[k], label=name)
            marks.set(alpha=alpha, markersize=5, markeredgewidth=0)
    ax.legend()


def boundary(ax: Axes, weight: np.ndarray, bias: float, **style) -> None:
    """The line where ``weight`` (2,) dot x + ``bias`` is 0, across the axes as they are now.

    The limits of the axes don't change. Raises ValueError for other shapes and for zero weights,
    which have no line.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.shape != (2,) or not weight.any():
        raise ValueError(f"a line needs two weights, not both 0: {weight}")
    limits = ax.get_xlim(), ax.get_ylim()
    nearest = -bias * weight / (weight @ weight)  # the point of the line that is nearest to 0
    direction = np.array([-weight[1], weight[0]])
    ax.axline(nearest, nearest + direction, **{"color": INK, "linestyle": "-"} | style)
    ax.set(xlim=limits[0], ylim=limits[1])


def images(
    pictures: np.ndarray, titles: Sequence[str] = (), *, columns: int = 10, signed: bool = False
) -> Figure:
    """A grid of ``pictures`` (N, height, width), grey, or red to blue around 0 if ``signed``.

    Signed pictures share one scale, so that they can be compared. Raises ValueError for no pictures
    and for other shapes.
    """
    from matplotlib import pyplot as plt

    if pictures.ndim != 3 or not len(pictures):
        raise ValueError(f"pictures must be (N, height, width) with N > 0, not {pictures.shape}")
    rows = -(-len(pictures) // columns)
    size = (7, (0.75 + 0.25 * bool(len(titles))) * rows)
    figure, axes = plt.subplots(rows, min(columns, len(pictures)), figsize=size, squeeze=False)
    reach = np.abs(pictures).max() or 1.0
    scale = {"cmap": "RdBu", "vmin": -reach, "vmax": reach} if signed else {}
    for ax in axes.flat:
        ax.axis("off")
    for k, (ax, picture) in enumerate(zip(axes.flat, pictures, strict=False)):
        ax.imshow(picture, **scale)
        if len(titles):
            ax.set_title(titles[k], fontsize="small")
    return figure


class Table:
    """Rows under a head, shown as a Markdown table: what a figure shows, for who can't see it."""

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[object]]):
        if wrong := [row for row in rows if len(row) != len(head)]:
            raise ValueError(f"a row of {len(wrong[0])} entries under a head of {len(head)}")
        self.head, self.rows = head, rows

    def _repr_markdown_(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join("| " + " | ".join(str(entry) for entry in line) + " |" for line in lines)

    def __repr__(self) -> str:
        return self._repr_markdown_()
