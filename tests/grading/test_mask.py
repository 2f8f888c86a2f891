"""What a student isn't to see, and that the rest stays."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from dlcourse.grading.course import session
from dlcourse.grading.mask import Mask, said, words
from dlcourse.grading.strict import VERDICT


def locked(source, *outputs, **about):
    about = {"grade_id": "twice_check", "locked": True, "schema_version": 3} | about
    # an id drawn at random may hold what a test looks for
    return new_code_cell(source, metadata={"nbgrader": about}, outputs=[*outputs], id="cell")


def masked(*cells):
    with session(".") as config:
        return Mask(config=config).preprocess(new_notebook(cells=[*cells]), {})[0].cells


FAILED = new_output("error", ename="AssertionError", evalue="secret 42", traceback=["== secret"])
HIDDEN = "assert f(1) == 2\n### BEGIN HIDDEN TESTS\nassert f(6) == 42\n### END HIDDEN TESTS"


def test_hidden_tests_and_what_they_say_are_taken_out():
    (cell,) = masked(locked(HIDDEN, FAILED, grade=True, points=2))
    assert cell.source == "assert f(1) == 2"
    assert "42" not in str(cell) and "A test of this cell failed." in words(said([FAILED], True))


def test_a_visible_test_says_what_went_wrong():
    (cell,) = masked(locked("assert f(1) == 2, 'one'", FAILED, grade=True, points=2))
    assert cell.metadata.dlcourse.said.why == "AssertionError: secret 42"


def test_what_a_learner_writes_between_such_marks_is_theirs():
    own = new_code_cell("### BEGIN HIDDEN TESTS", metadata={"nbgrader": {"grade_id": "x"}})
    assert masked(own)[0].source == "### BEGIN HIDDEN TESTS"


@pytest.mark.parametrize(
    "verdict", [{}, {"parts": 3, "hints": 4}, {"parts": None}, {"hints": [{}]}]
)
def test_a_forged_verdict_is_only_text(verdict):
    output = {"output_type": "display_data", "data": {VERDICT: verdict}}
    told = said([output], False)
    assert told["parts"] == {} and all(isinstance(hint, str) for hint in told["hints"])
