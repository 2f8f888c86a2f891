"""nbgrader's own pages, formgrader's above all: nothing of a student's acts in them."""

from collections import Counter

import hostile_html as hostile
import nbformat
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.server_extensions.formgrader import handlers
from test_clean import harm

from dlcourse.grading.course import session
from dlcourse.grading.harmless import clean_html

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
ANSWER = {"grade_id": "why", "grade": True, "solution": True, "points": 4, "locked": False}


def formgraders(home, *cells):
    """The page on which an instructor reads these cells."""
    about = dict.fromkeys(("base_url", "assignment_id", "notebook_id", "submission_id"), "x")
    about |= dict.fromkeys(("index", "total"), 0) | {"mathjax_url": "", "first_name": ""}
    with session(home) as config:
        config.HTMLExporter.template_name = "formgrade"
        config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
        exporter = HTMLExporter(config=config)
        notebook = nbformat.from_dict({**new_notebook(), "cells": [*cells]})  # unchecked
        return exporter.from_notebook_node(notebook, resources=about)[0]


def submission(essays, code, outputs):
    answers = [
        new_markdown_cell(text, attachments=hostile.ATTACHMENTS, metadata={"nbgrader": ANSWER})
        for text in essays
    ]
    shown = new_code_cell("show()")
    shown.outputs = [nbformat.from_dict(output) for output in outputs]
    return [*answers, *map(new_code_cell, code), shown]


def test_formgrader_shows_all_of_it_and_none_of_it_acts(home):
    everything = submission(
        hostile.MARKDOWN.values(), hostile.HTML.values(), hostile.OUTPUTS.values()
    )
    nothing = submission(["x"] * len(hostile.MARKDOWN), ["x"] * len(hostile.HTML), [])
    evil, plain = formgraders(home, *everything), formgraders(home, *nothing)
    assert evil.count("pwned") > 20  # as text
    assert Counter(map(str, harm(evil))) == Counter(map(str, harm(plain)))  # formgrader's own


def test_text_from_a_notebook_is_kept_from_mathjax():
    assert clean_html("$x$") == '<div class="tex2jax_ignore">$x$</div>'
    assert clean_html("</div></div>$x$").endswith("$x$</div>")


def test_latex_that_a_cell_displays_is_not_shown_as_a_formula(home):
    output = new_output("display_data", data={"text/latex": "$y$", "text/plain": "y as text"})
    text = formgraders(home, new_code_cell("show()", outputs=[output]))
    assert "y as text" in text and "$y$" not in text.partition("<body")[2]


def test_a_cleaned_text_stays_as_it_is_the_second_time(home):
    output = new_output("display_data", data={"text/markdown": "Because $x^2$."})
    assert "<msup>" in formgraders(home, new_code_cell("show()", outputs=[output]))


def test_formulas_verdicts_and_colours_stay(home):
    verdict = (
        '<div style="border-left:4px solid #1a7f4b;padding:.3em .8em">'
        '<ul style="margin:.4em 0 0;padding-left:1.2em"><li>right</li></ul></div>'
    )
    output = new_output("display_data", data={"text/html": verdict})
    text = formgraders(
        home, new_markdown_cell("As $x^2$."), new_code_cell("import this", outputs=[output])
    )
    assert "<msup>" in text and verdict in text and '<span class="kn">import</span>' in text


def test_a_drawing_is_an_image(home):
    output = new_output("display_data", data={"image/svg+xml": hostile.SVG})
    text = formgraders(home, new_code_cell("show()", outputs=[output]))
    assert 'src="data:image/svg+xml;base64,' in text and "<svg" not in text


def test_a_picture_in_an_answer_is_shown(home):
    answer = new_markdown_cell("![on paper](attachment:page.png)")
    answer["attachments"] = {"page.png": {"image/png": PNG}}
    nbformat.validate(new_notebook(cells=[answer]))
    assert f'src="data:image/png;base64,{PNG}"' in formgraders(home, answer)
