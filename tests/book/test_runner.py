"""What a learner's cells do in the page, seen without a browser (_ext/browser/runner.py)."""

import json

import pytest
import runner

SETUP = """\
try:
    import dlcourse
except ImportError:
    %pip install dlcourse

import numpy as np
from dlcourse.checks import check
"""
RIGHT = """\
def neuron_forward(x, weight, bias):
    score = x @ weight + bias
    return score, np.where(score >= 0, 1, -1)
"""
CHECK = 'check("neuron_forward", neuron_forward)'


@pytest.fixture
def sheet():
    made = runner.Sheet()
    assert made.given(SETUP) == ""
    return made


def run(sheet, source, check=""):
    return json.loads(sheet.run("neuron_forward", source, check))


def test_a_cell_prints_and_shows_its_last_value(sheet):
    outcome = run(sheet, "print('one')\nnp.arange(3)")
    assert (outcome["kind"], outcome["text"]) == ("ran", "one\narray([0, 1, 2])\n")


def test_cells_share_their_names(sheet):
    run(sheet, "a = 2")
    assert run(sheet, "a + 1")["text"] == "3\n"


def test_a_right_answer_is_right(sheet):
    outcome = run(sheet, RIGHT, CHECK)
    assert (outcome["kind"], outcome["said"]) == ("right", "neuron_forward: right (2 points)\n")


def test_a_wrong_answer_gets_the_verdict_of_the_notebook(sheet):
    outcome = run(sheet, RIGHT.replace("+ bias", "- bias"), CHECK)
    assert outcome["kind"] == "wrong"
    assert "still wrong" in outcome["html"] or "not right yet" in outcome["html"]
    assert "<b>Hint:</b>" in outcome["html"]


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("x = 1\ny = (", 2, "SyntaxError in line 2"),
        ("def f():\n    return 1 / 0\n\nf()", 2, "ZeroDivisionError in line 2: division by zero"),
        ("a = 1\nraise SystemExit(3)", 2, "SystemExit in line 2: 3"),
        ("np.linalg.inv(np.zeros((2, 2)))", 1, "LinAlgError in line 1: Singular matrix"),
    ],
)
def test_an_error_is_told_at_the_learners_own_line(sheet, source, line, said):
    outcome = run(sheet, source)
    assert (outcome["kind"], outcome["line"]) == ("error", line)
    assert said in outcome["text"]


def test_an_error_under_the_check_is_told_at_the_learners_own_line(sheet):
    outcome = run(sheet, "def neuron_forward(x, weight, bias):\n    return nothing\n", CHECK)
    assert (outcome["kind"], outcome["line"]) == ("wrong", 2)


def test_an_error_in_another_cell_is_not_told_at_a_line_of_this_one(sheet):
    sheet.given("\n\n\ndef helper():\n    raise ValueError('no')")
    assert run(sheet, "helper()")["line"] == 1


def test_a_cell_that_cannot_be_given_says_why(sheet):
    assert sheet.given("import nothing_of_the_kind").startswith("ModuleNotFoundError: No module")


@pytest.mark.parametrize("word", ["abcd", "abc", "ab" * 50_000])
def test_what_a_cell_prints_without_end_is_cut_and_its_end_is_told(sheet, word):
    outcome = run(sheet, f"for _ in range(50_000):\n    print({word!r})\n{RIGHT}1 / 0")
    assert len(outcome["text"]) < runner.LONGEST + 100
    assert "which is not shown.\nZeroDivisionError in line" in outcome["text"]
