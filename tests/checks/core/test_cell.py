"""``check`` as a sheet calls it: in plain Python, and in a real IPython shell."""

import os
import subprocess
import sys
import warnings

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dlcourse.checks import CheckFailed, check
from dlcourse.checks.core import cell, registry
from tests.checks.core.examples import linear_backward

RIGHT = linear_backward.reference
WRONG = linear_backward.mistakes["mean_of_bias"].fn


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(registry, "find", lambda name: linear_backward)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@pytest.fixture
def grading(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_right_is_said_and_nothing_returned(capsys):
    assert check("linear_backward", RIGHT) is None
    assert capsys.readouterr().out == "linear_backward: right (3 points)\n"


def test_wrong_raises_with_the_verdict_in_the_first_line():
    with pytest.raises(CheckFailed) as failed:
        check("linear_backward", WRONG)
    first, *rest = str(failed.value).splitlines()
    assert first == "linear_backward: 2 of 3 points; still wrong: dbias"
    assert any("`dbias` has the right shape (2,)" in line for line in rest)
    assert rest[-1].strip() == "Hint: Has the loss taken its mean already?"


def test_a_notebook_shows_the_message_and_no_traceback(shell, capsys):
    shell.push({"check": check, "answer": WRONG})
    shell.run_cell('check("linear_backward", answer)')
    out = capsys.readouterr().out
    assert out.startswith("linear_backward: 2 of 3 points")
    assert "Traceback" not in out and "score" not in out


def test_nbgraders_validation_raises_like_a_learners_notebook(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(CheckFailed):
        check("linear_backward", WRONG)


@pytest.mark.parametrize("answer, points", [(RIGHT, 3.0), (WRONG, 2.0), (None, 0.0)])
def test_grading_ends_in_the_points(grading, answer, points):
    value = check("linear_backward", answer)
    assert float(repr(value)) == points
    bundle = value._repr_mimebundle_()
    assert bundle["text/plain"] == repr(points)
    assert bundle[cell.VERDICT_TYPE]["earned"] == points
    assert "text/html" in bundle


def test_the_points_survive_the_shells_own_formatting(grading, shell):
    shell.push({"check": check, "answer": WRONG})
    shell.run_line_magic("precision", "0")
    value = shell.run_cell('check("linear_backward", answer)').result
    data, _ = shell.display_formatter.format(value)
    assert data["text/plain"] == "2.0"


def test_nothing_that_an_answer_prints_or_warns_gets_out(grading, capfd):
    def noisy(*case):
        print("out")
        print("err", file=sys.stderr)
        os.write(2, b"deep")
        os.system("echo deeper >&2")
        warnings.warn("careful", stacklevel=1)
        return RIGHT(*case)

    assert float(repr(check("linear_backward", noisy))) == 3.0
    assert capfd.readouterr() == ("", "")


def test_output_comes_back_after_a_check(capfd):
    check("linear_backward", RIGHT)
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_a_check_that_crashes_says_that_it_is_our_fault(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("in the check")

    monkeypatch.setattr(type(linear_backward), "score", broken)
    with pytest.raises(cell.CheckBroken, match="our fault and not yours"):
        check("linear_backward", RIGHT)


def test_html_of_a_learner_is_shown_as_text():
    def shouts(*case):
        raise ValueError("<script>alert(1)</script> `x")

    html = linear_backward.score(shouts).html()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_checks_of_a_numpy_unit_need_no_torch_and_no_other_extra():
    code = (
        "import sys\n"
        "from dlcourse.checks.core.registry import unit\n"
        "unit('neurons')\n"
        "import dlcourse.checks\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'pandas', 'IPython'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
