import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from dlcourse import plots


@pytest.fixture
def ax():
    with matplotlib.rc_context():
        plots.use_style()
        figure, ax = plt.subplots()
        yield ax
        plt.close("all")


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """Contrast ratio of WCAG 2.1."""
    light = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) + 0.05 for c in (a, b))
    return light[1] / light[0]


def test_text_and_marks_stand_out_from_the_card():
    assert contrast(plots.INK, plots.CARD) >= 7
    for colour in plots.COLOURS:
        assert contrast(colour, plots.CARD) >= 3, colour


def test_the_first_three_colours_differ_for_the_colour_blind():
    # Viénot, Brettel and Mollon (1999): what is seen without red, or without green, cones
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    for seen in (protan, deutan):
        colours = [seen @ linear(c) for c in plots.COLOURS[:3]]
        for k, a in enumerate(colours):
            for b in colours[:k]:
                assert np.abs(np.cbrt(np.clip(a, 0, 1)) - np.cbrt(np.clip(b, 0, 1))).max() > 0.1


def test_every_colour_has_a_marker_and_a_line_of_its_own():
    assert len(set(plots.MARKERS)) == len(plots.COLOURS) == len(set(plots.LINES))


def test_the_same_figure_is_the_same_svg(ax):
    ax.plot([1, 2])
    files = []
    for _ in range(2):
        file = io.StringIO()
        ax.figure.savefig(file, format="svg", metadata={"Date": None})
        files.append(file.getvalue())
    assert files[0] == files[1] and plots.CARD in files[0]


def test_classes_are_drawn_with_their_own_marker_and_named(ax):
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    plots.scatter_classes(ax, points, np.array([0, 2, 0]), ["a", "b", "c"])
    drawn = {line.get_label(): line for line in ax.lines}
    assert set(drawn) == {"a", "c"}
    np.testing.assert_array_equal(drawn["a"].get_xydata(), points[[0, 2]])
    assert drawn["c"].get_marker() == plots.MARKERS[2]
    assert drawn["c"].get_linestyle() == "None"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "c"]


@pytest.mark.parametrize(
    ("points", "labels"), [(np.ones((2, 3)), np.zeros(2)), (np.ones((2, 2)), np.zeros(3))]
)
def test_points_and_labels_that_do_not_fit_are_refused(ax, points, labels):
    with pytest.raises(ValueError, match="don't fit"):
        plots.scatter_classes(ax, points, labels, ["a"])


def test_more_classes_than_an_eye_tells_apart_are_refused(ax):
    with pytest.raises(ValueError, match="6 classes"):
        plots.scatter_classes(ax, np.ones((1, 2)), np.zeros(1), list("abcdef"))


@pytest.mark.parametrize("weight", [(1.0, 2.0), (0.0, -3.0), (2.0, 0.0)])
def test_the_boundary_is_where_the_score_is_zero_and_leaves_the_limits(ax, weight):
    ax.set(xlim=(-1, 2), ylim=(0, 5))
    plots.boundary(ax, weight, 0.5)
    (line,) = ax.lines
    for point in (line.get_xy1(), line.get_xy2()):
        assert abs(np.dot(weight, point) + 0.5) < 1e-12
    assert ax.get_xlim() == (-1, 2) and ax.get_ylim() == (0, 5)


@pytest.mark.parametrize("weight", [(0.0, 0.0), (1.0, 2.0, 3.0)])
def test_weights_without_a_line_are_refused(ax, weight):
    with pytest.raises(ValueError, match="two weights"):
        plots.boundary(ax, weight, 1.0)


def test_images_stand_in_a_grid_and_signed_ones_share_a_scale(ax):
    pictures = np.stack([np.full((2, 2), v) for v in (-1.0, 0.0, 3.0)])
    figure = plots.images(pictures, ["a", "b", "c"], columns=2, signed=True)
    assert len(figure.axes) == 4
    shown = [a.images[0] for a in figure.axes[:3]]
    assert {image.get_clim() for image in shown} == {(-3, 3)}
    assert not figure.axes[3].axison and figure.axes[1].get_title() == "b"


def test_no_images_are_refused(ax):
    with pytest.raises(ValueError, match=r"\(0, 2, 2\)"):
        plots.images(np.empty((0, 2, 2)))


def test_a_table_is_markdown():
    table = plots.Table(["a", "b"], [[1, "x"], [2.5, "y"]])
    assert repr(table) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2.5 | y |"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="1 entries under a head of 2"):
        plots.Table(["a", "b"], [[1, 2], [3]])
