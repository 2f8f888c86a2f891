"""A question of an inventory: letters, misconceptions, and a check that gives nothing away."""

from collections import Counter

import pytest

from dlcourse.checks import CheckFailed, check
from dlcourse.checks.core import registry
from dlcourse.checks.core.choice import Choice, Option

OPTIONS = (Option("one", "no", "as_one"), Option("two", "yes"), Option("three", "no!", "as_three"))


def question(*options):
    return Choice("two_of_four", "Two", "neurons-limits", "Which?", *options)


TWO = question(*OPTIONS, Option("four", "no, no", "as_four"))


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(registry, "find", lambda name: TWO)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


@pytest.mark.parametrize("letter", ["B", "b", " B "])
def test_the_right_letter_earns_the_point(letter):
    assert TWO.score(letter).right


@pytest.mark.parametrize(("letter", "belief"), [("A", "as_one"), ("c", "as_three")])
def test_a_wrong_letter_says_which_misconception_it_is(letter, belief):
    verdict = TWO.score(letter)
    assert (verdict.earned, verdict.mistakes) == (0, [belief])


@pytest.mark.parametrize("letter", ["B", "A"])
def test_a_learners_check_says_the_same_of_right_and_wrong(letter, capsys):
    assert check("two_of_four", letter) is None
    noted = "two_of_four: noted. It is judged when the sheet is graded.\n"
    assert capsys.readouterr().out == noted


@pytest.mark.parametrize("letter", ["E", "", "AB", None, 2, ["B"]])
def test_what_is_no_letter_is_refused(letter):
    with pytest.raises(CheckFailed):
        check("two_of_four", letter)


def test_grading_judges(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert repr(check("two_of_four", "B")) == "1.0"
    assert repr(check("two_of_four", "D")) == "0.0"


@pytest.mark.parametrize("fourth", [Option("four", "yes"), None])
def test_one_option_of_four_is_right(fourth):
    with pytest.raises(ValueError):
        question(*OPTIONS, *([fourth] if fourth else []))
    with pytest.raises(ValueError, match="one option is right"):
        question(*[Option(o.text, o.why, o.belief or "x") for o in TWO.options.values()])


def test_an_inventory_asks_about_each_unit_and_no_letter_is_a_good_guess():
    choices = list(registry.unit("foundations-inventory").exercises.values())
    assert len(choices) == 25 and all(isinstance(c, Choice) for c in choices)
    asked = Counter(choice.unit for choice in choices)
    part_one = [s for s in registry.units() if not s.endswith("-inventory")]
    assert set(asked) <= set(part_one) and min(asked.values()) >= 2
    letters = Counter(choice.right for choice in choices)
    assert set(letters) == set("ABCD") and max(letters.values()) <= 8
    longest = [max(c.options.values(), key=lambda o: len(o.text)) for c in choices]
    assert sum(not option.belief for option in longest) <= 10, "the longest is often the right one"


def test_a_misconception_stands_once():
    choices = registry.unit("foundations-inventory").exercises.values()
    beliefs = Counter(o.belief for choice in choices for o in choice.options.values() if o.belief)
    assert max(beliefs.values()) == 1 and len(beliefs) == 75
