import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from dlcourse.explorer import Explorer


def line(slope, bend):
    x = np.arange(5.0)
    y = slope * x if bend == "straight" else slope * x**2
    return {"line": (x, y), "end": (x[-1:], y[-1:])}, f"slope {slope:g}, {bend} </script>"


def explorer(draw=line, **changed):
    settings = {
        "controls": {"slope": [0.5, 1, 2], "bend": ["straight", "curved"]},
        "start": (1, "straight"),
        "alt": "A line < rising",
        "xlim": (0, 4),
        "ylim": (0, 8),
        "xlabel": "x",
        "ylabel": "y",
        "dots": ["end"],
    } | changed
    return Explorer(draw, settings.pop("controls"), **settings)


def data(figure):
    found = re.search(r'<script type="application/json">(.*?)</script>', figure._repr_html_())
    return json.loads(found[1])


def points(path):
    """The places of a path: after M, and from there by the strokes after l."""
    found = []
    for command, *pair in re.findall(r"([Ml])([\d.-]+) ([\d.-]+)", path):
        step = np.array(pair, float)
        found.append(step if command == "M" else found[-1] + step)
    return np.array(found)


def test_a_figure_stands_still_at_its_start_without_a_script():
    page = explorer()._repr_html_()
    svg = ElementTree.fromstring(page[page.index("<svg") : page.rindex("</svg>") + 6])
    assert svg.get("aria-label") == "A line < rising"
    drawn = [path.get("d") for path in svg.iter("path") if path.get("data-line") == ""]
    at = points(drawn[0])
    assert len(at) == 5
    assert np.ptp(np.diff(at[:, 1])) < 0.25  # straight, to a tenth of a pixel
    assert points(drawn[1]) == pytest.approx(at[-1:])
    assert '<form class="explorer-controls" hidden>' in page
    assert "slope 1, straight" in page


def test_every_setting_has_its_lines_and_its_sentence():
    figure = explorer()
    shown = data(figure)
    assert shown["sizes"] == [3, 2]
    assert len(shown["shown"]) == len(shown["says"]) == 6
    assert shown["says"][3] == "slope 1, curved </script>"  # it didn't end the script
    curved = points(shown["paths"][shown["shown"][3][0]])
    height = curved[0, 1] - curved[:, 1]
    assert height / height[1] == pytest.approx(np.arange(5) ** 2, abs=0.1)


def test_values_stand_where_the_axes_say():
    figure = explorer(ylog=True, ylim=(1e-3, 1e3))
    assert figure.y.place([1e-3, 1.0, 1e3]) == pytest.approx([256, 143, 30])
    assert figure.x.place([0, 4]) == pytest.approx([62, 468])
    assert [figure.y.name(t) for t in (0.01, 100)] == ["0.01", "100"]
    assert figure.x.name(-2.0) == "−2" and figure.x.name(-1e-17) == "0"


def test_a_line_ends_where_it_is_not_finite():
    def broken(*_):
        return {"line": ([0, 1, 2, 3, 4], [1, 2, np.nan, np.inf, 3])}, "it ends"

    path = data(explorer(broken, dots=()))["paths"][0]
    assert path.count("M") == 2 and path.count("l") == 2  # infinity is clipped, NaN isn't drawn
    logarithm = data(explorer(broken, dots=(), ylog=True, ylim=(0.1, 10)))["paths"][0]
    assert logarithm.count("M") == 2


def test_strokes_add_up_to_where_the_values_are():
    y = np.random.default_rng(0).random(500)
    figure = explorer(lambda *_: ({"line": (np.linspace(0, 4, 500), y)}, "noise"), dots=())
    at = points(data(figure)["paths"][0])
    places = np.stack([figure.x.place(np.linspace(0, 4, 500)), figure.y.place(y)], axis=1)
    assert np.abs(at - places).max() < 0.05 + 1e-6  # tenths of a unit, after 500 strokes too


def test_labels_of_the_page_are_escaped():
    page = explorer(
        controls={"a<b": [1], "c": ["x&y"]}, start=(1, "x&y"), draw=lambda *_: ({}, "<")
    )
    html = page._repr_html_()
    assert "a&lt;b" in html and "x&amp;y" in html
    HTMLParser().feed(html)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alt": " "}, "alt text"),
        ({"start": (1,)}, "1 values to start from, and 2 controls"),
        ({"start": (3, "straight")}, "slope starts from 3"),
        ({"xlim": (1, 1)}, "limits must be finite and rise"),
        ({"ylim": (0, np.inf)}, "limits must be finite and rise"),
        ({"ylog": True}, "above 0"),
        ({"draw": lambda s, b: ({f"{s}": ([0], [0])}, "")}, "not"),
        ({"draw": lambda s, b: ({"line": ([0, 1], [0])}, "")}, "2 and 1"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        explorer(**changed)._repr_html_()
