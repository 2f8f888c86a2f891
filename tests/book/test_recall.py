"""Recall questions: what is accepted, what it becomes, and where a fault is reported."""

import re

import pytest
from bs4 import BeautifulSoup
from located import Malformed
from outcomes import front_matter
from recall import parse, place

GOOD = """\
question: What does $w^\\top x$ compute?
choices:
  - text: a weighted *sum*
    right: true
    why: It adds $w_i x_i$.
  - text: a distance
    why: >-
      A distance isn't
      linear.
"""


def test_a_question_is_read_and_right_is_false_unless_said():
    data = parse(GOOD)
    assert [choice["right"] for choice in data["choices"]] == [True, False]
    assert data["choices"][1]["why"] == "A distance isn't linear."


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "question: What",
            "questions: What",
            0,
            "unknown key 'questions'; known are choices, question",
        ),
        ("question: What does $w^\\top x$ compute?\n", "", 0, "'question' is missing"),
        ("    why: It adds $w_i x_i$.\n", "", 2, "'why' is missing"),
        ("It adds $w_i x_i$.", "''", 4, "choices.0.why must be text"),
        ("a distance", "1.5", 5, "choices.1.text must be text, not 1.5"),
        ("a distance", "a weighted *sum*", 5, "stands twice"),
        ("right: true", "right: yes please", 3, "right must be true or false, not 'yes please'"),
        ("right: true", "right: false", 2, "no choice is right"),
        ("right: true", "rigth: true", 3, "unknown key 'rigth'"),
        ("It adds", "It adds: so", 4, "isn't YAML"),
    ],
)
def test_a_fault_is_named_with_its_line(old, new, line, message):
    assert old in GOOD
    with pytest.raises(Malformed, match=re.escape(message)) as caught:
        parse(GOOD.replace(old, new, 1))
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["", "just words", "question: q\nchoices: [1, 2]", "- a\n- b"])
def test_data_of_another_shape_is_malformed(text):
    with pytest.raises(Malformed):
        parse(text)


def test_one_choice_is_no_choice():
    with pytest.raises(Malformed, match="two or more"):
        parse("question: q\nchoices:\n  - {text: a, right: true, why: b}")


OUTCOMES = """\
dlcourse:
  minutes: 12
  outcomes:
    one-does: do $x^2$
    two-does: do *more*
    three-does: do it again
  needs: [some `numpy`]
---
"""


@pytest.fixture(scope="module")
def pages(book):
    """A good chapter and a worse one, built together: the book, and what the build printed."""
    question = "```{recall} an-id\n" + GOOD + "```\n"
    cell = "```{code-cell} ipython3\nprint(1)\n```\n"
    figure = """\
```{code-cell} ipython3
---
mystnb:
  image:
    alt: A line at {level}, worth {words}, in {0, 1}.
---
import matplotlib.pyplot as plt
import numpy as np
from dlcourse.numbers import glue
glue(level=np.float64(0.5), words="50 ± 2 %")
plt.figure(figsize=(1, 1))
plt.plot([0.5, 0.5]);
```
Glued: {glue:text}`level`.
"""
    formulas = "\n$$\na &= b \\\\\nc &= d\n$$\n\n$$\ne = m\n$$ (eq-mass)\n\nSee {eq}`eq-mass`.\n"
    good = f"# Good\n\n```{{outcomes}}\n```\n\n{figure}\n{question}{formulas}"
    book.chapters(good=good, worse="")
    header = (book.folder / "chapters/good.md").read_text("utf-8")
    book.write(
        "chapters/good.md", header.replace("---\n", OUTCOMES, 2).replace(OUTCOMES, "---\n", 1)
    )
    bad = f"# Bad\n\n```{{outcomes}}\n```\n\n{question}\n"  # no `dlcourse`; an id that is taken
    bad += "```{recall} second\nquestion: q\nchoices:\n  - text: a\n```\n\n"
    bad += "$\\frac{1}$\n\n![](../_static/logo.svg)\n\n" + cell
    bad += figure.replace("{level}", "{levle}").replace("Glued", "Again")
    book.write("chapters/worse.md", (book.folder / "chapters/worse.md").read_text("utf-8") + bad)
    done = book.build()
    assert done.returncode != 0
    return book, done.stdout


def line_of(book, text: str, nth: int = 0) -> int:
    lines = (book.folder / "chapters/worse.md").read_text("utf-8").splitlines()
    return [i for i, line in enumerate(lines, 1) if text in line][nth]


@pytest.fixture(scope="module")
def good(pages):
    return BeautifulSoup(pages[0].page("chapters/good"), "html.parser")


def test_each_choice_is_a_closed_fold_that_says_right_or_wrong(good):
    folds = good.select("#recall-an-id details")
    assert [fold.get("open") for fold in folds] == [None, None]
    said = [fold.select_one(".recall-why").get_text(strip=True)[:6] for fold in folds]
    assert sorted(said) == ["Right.", "Wrong."]
    assert folds[said.index("Right.")].summary.em.get_text() == "sum"


def test_choices_are_mixed_the_same_way_in_every_build():
    orders = {
        tuple(sorted("abc", key=lambda text: place(f"question-{k}", text))) for k in range(60)
    }
    assert len(orders) == 6  # all orders there are
    assert sorted("abc", key=lambda text: place("a", text)) == ["a", "b", "c"]


def test_maths_is_rendered_when_the_book_is_built(good):
    assert good.select("#recall-an-id .katex")
    assert len(good.select("div.math .katex-display")) == 2
    assert good.select_one("#equation-eq-mass .eqno").get_text().startswith("(1)")
    assert "\\frac" not in good.select_one("article").get_text().replace("\\frac{", "")


def test_a_page_loads_the_stylesheet_of_formulas_only_if_it_has_some(pages, good):
    assert good.select('link[href*="katex.min.css"]')
    assert "katex.min.css" not in pages[0].page("index")
    css = pages[0].folder / "_build/html/_static/katex"
    fonts = re.findall(r"url\(([^)]+)\)", (css / "katex.min.css").read_text())
    assert fonts and all((css / font).is_file() for font in fonts)


def test_outcomes_needs_and_minutes_stand_in_the_box(good):
    box = good.select_one(".outcomes")
    assert [item["id"] for item in box.ul.find_all("li")] == [
        "outcome-one-does",
        "outcome-two-does",
        "outcome-three-does",
    ]
    assert "About 12 minutes" in box.get_text()
    assert box.code.get_text() == "numpy"


def test_numbers_are_filled_into_alt_text_and_prose(good):
    alts = [image["alt"] for image in good.select("article img")]
    assert alts == ["A line at 0.5, worth 50 ± 2 %, in {0, 1}."]
    assert "Glued: 0.5." in good.select_one("article").get_text()


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ("recall 'an-id': the id is taken: chapters/good.md:", ("{recall} an-id", 0)),
        ("recall 'second': choices must be a list of two or more", ("- text: a", 2)),
        ("outcomes: the front matter has no 'dlcourse'", ("jupytext:", 0)),
        ("formula: KaTeX parse error", ("frac", 0)),
        ("alt text: nothing was glued as 'levle'", None),
        ("logo.svg has no alt text", None),
    ],
)
def test_a_fault_in_a_page_is_reported_with_file_and_line(pages, message, where):
    book, output = pages
    found = [line for line in output.splitlines() if message in line]
    assert len(found) == 1, output
    expected = "chapters/worse.md:" + (f"{line_of(book, *where)}:" if where else "")
    assert expected in found[0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  minutes: 12\n", "", "'minutes' is missing"),
        ("minutes: 12", "minutes: soon", "whole number from 1 to 60, not 'soon'"),
        ("    three-does: do it again\n", "", "outcomes must be three"),
        ("do it again", "[]", "outcomes.three-does must be text"),
        ("[some `numpy`]", "numpy", "needs must be a list"),
        ("[some `numpy`]", "[1]", "needs.0 must be text, not 1"),
        ("dlcourse:", "dlcours:", "the front matter has no 'dlcourse'"),
    ],
)
def test_front_matter_that_is_wrong_is_named(old, new, message):
    text = "---\n" + OUTCOMES
    assert front_matter(text)["minutes"] == 12
    assert old in text
    with pytest.raises(Malformed, match=re.escape(message)):
        front_matter(text.replace(old, new, 1))


def test_a_page_without_front_matter_is_named():
    with pytest.raises(Malformed, match="no front matter"):
        front_matter("# A title\n")
