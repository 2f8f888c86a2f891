import logging

import pytest

from dlcourse.grading.log import captured, reason


def test_captured_keeps_what_is_logged_off_the_screen(capfd):
    with captured() as messages:
        logging.getLogger("traitlets").error("hello %s", "there")
    assert messages == ["hello there"]
    assert capfd.readouterr() == ("", "")


def test_captured_hears_nothing_afterwards():
    with captured() as messages:
        pass
    log = logging.getLogger("traitlets")
    log.error("late")
    assert messages == [] and log.propagate


@pytest.mark.parametrize(
    "messages, said",
    [
        (
            ["x", "Traceback\n  File\nnbclient.exceptions.DeadKernelError: Kernel died"],
            "its kernel",
        ),
        (
            ["Traceback\n  File\nKeyError: 'points'", "see the above traceback"],
            "KeyError: 'points'",
        ),
        (["Traceback\n  File\na.b.FirstError: one\nlast: two\nmore"], "last: two"),
        (["Traceback\n  File\nnbformat.warnings.Duplicate: ids", "see above"], "nbformat.warn"),
        (["no traceback at all"], "no traceback at all"),
        ([], "it gave no reason."),
    ],
)
def test_reason_is_the_sentence_that_matters(messages, said):
    assert reason(messages).startswith(said)
