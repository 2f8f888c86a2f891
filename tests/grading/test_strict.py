import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.utils import determine_grade

from dlcourse.grading.strict import VERDICT, Strict, checked


def verdict(earned=2, of=3, exercise="twice"):
    return {"exercise": exercise, "earned": earned, "of": of, "parts": {}, "mistakes": []}


def value(text="2.0", **data):
    data = {"text/plain": text, VERDICT: verdict()} | data
    return new_output("execute_result", data=data, execution_count=1)


def points(*outputs, source='check("twice", twice)'):
    """What nbgrader gives for a graded cell of 3 points with these outputs, after Strict."""
    cell = new_code_cell(source, outputs=list(outputs))
    cell.metadata.nbgrader = {"grade": True, "solution": False, "grade_id": "x", "points": 3}
    cell, _ = Strict().preprocess_cell(cell, {}, 0)
    return determine_grade(cell)[0]


STDERR = new_output("stream", name="stderr", text="a warning")
ERROR = new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])


def test_a_verdict_counts_as_it_is():
    assert points(value()) == 2
    assert points(value("0.0", **{VERDICT: verdict(0)})) == 0
    assert points(value("3.0", **{VERDICT: verdict(3)})) == 3


def test_a_warning_on_stderr_costs_nothing():
    assert points(STDERR, value()) == 2


def test_a_restored_cell_with_a_comment_before_the_check_counts():
    assert points(value(), source='# put back\n\ncheck("twice", twice)') == 2


WORTHLESS = {
    "no value: check was redefined, or the displayhook is off": [],
    "something printed": [new_output("stream", name="stdout", text="3.0")],
    "nan": [value("nan", **{VERDICT: verdict(float("nan"))})],
    "negative": [value("-1.0", **{VERDICT: verdict(-1)})],
    "above the maximum": [value("4.0", **{VERDICT: verdict(4)})],
    "infinite": [value("inf", **{VERDICT: verdict(float("inf"))})],
    "a sentence": [value("0 of 3")],
    "two values: the displayhook was called": [value("3.0", **{VERDICT: verdict(3)}), value()],
    "a bare number": [new_output("execute_result", data={"text/plain": "3.0"})],
    "a verdict that says another number": [value("3.0")],
    "a verdict on another exercise": [value(**{VERDICT: verdict(exercise="thrice")})],
    "a verdict of another maximum": [value(**{VERDICT: verdict(of=2)})],
    "a verdict that is no object": [value(**{VERDICT: "2 of 3"})],
    "shown, not returned": [new_output("display_data", data=value().data)],
    "an error after a value": [value("3.0", **{VERDICT: verdict(3)}), ERROR],
}


@pytest.mark.parametrize("outputs", WORTHLESS.values(), ids=WORTHLESS)
def test_anything_else_is_worth_nothing(outputs):
    assert points(*outputs) == 0


def test_an_error_keeps_its_own_message():
    cell = new_code_cell('check("twice", twice)', outputs=[ERROR])
    cell.metadata.nbgrader = {"grade": True, "solution": False, "grade_id": "x", "points": 3}
    assert Strict().preprocess_cell(cell, {}, 0)[0].outputs == [ERROR]


def test_cells_that_are_no_checks_are_left_alone():
    assert points(source="assert True") == 3  # a plain assert cell, as stock nbgrader has them
    plain = new_code_cell('check("twice", twice)')
    assert Strict().preprocess_cell(plain, {}, 0)[0].outputs == []
    text = new_markdown_cell("check")
    text.metadata.nbgrader = {"grade": True, "solution": True, "grade_id": "x", "points": 3}
    assert Strict().preprocess_cell(text, {}, 0)[0] == text


@pytest.mark.parametrize(
    "source", ["", "(", "check()", 'x.check("a")', 'check("a"); 1', "check(name, a)", "x = 1"]
)
def test_checked_knows_only_a_single_check_of_a_named_exercise(source):
    assert checked(source) is None
    assert checked('check("a", b)') == "a"
