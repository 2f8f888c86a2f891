"""What a class gained, on the one inventory that there is."""

import pytest

from dlcourse.checks.core import registry
from dlcourse.grading import inventory as module
from dlcourse.grading.errors import CourseError
from dlcourse.grading.inventory import compared, gain, in_words, inventory
from dlcourse.grading.scores import Row

SLUG = "foundations-inventory"


def row(student, *right):
    names = [f"q{k}" for k in range(len(right))]
    return Row(student, dict(zip(names, right, strict=True)), {}, dict.fromkeys(names, 1))


def test_the_gain_is_what_was_gained_of_what_could_be():
    assert gain(0.4, 0.7) == pytest.approx(0.5)
    assert gain(0.5, 0.25) == pytest.approx(-0.5)
    assert gain(1, 1) is None


@pytest.mark.parametrize(
    "g, word", [(0.7, "high"), (0.69, "medium"), (0.3, "medium"), (0.2, "low")]
)
def test_gains_are_called_what_hake_calls_them(g, word):
    assert in_words(g) == word


def test_a_class_is_compared_by_its_mean_shares_and_by_question():
    both = [(row("ada", 1, 0), row("ada", 1, 1)), (row("bob", 0, 0), row("bob", 0, 1))]
    found = compared(both)
    assert (found["before"], found["after"], found["gain"]) == (0.25, 0.75, pytest.approx(2 / 3))
    assert found["questions"]["q0"] == {"before": 0.5, "after": 0.5, "gain": 0}
    assert found["questions"]["q1"] == {"before": 0, "after": 1, "gain": 1}


@pytest.fixture
def earlier(monkeypatch):
    """A class that took it earlier: ada believed what she doesn't any more, eve left."""
    verdicts = {
        ("before", "ada"): ["only_forward"],
        ("before", "eve"): ["only_forward"],
        ("after", "bob"): ["only_backward"],
    }

    def said(slug, home, student):
        made = verdicts.get((home, student), [])
        return {"q0": {"exercise": "q0", "mistakes": made, "hints": made}}

    monkeypatch.setattr(module, "read", lambda slug, home: [row("ada", 0), row("eve", 0)])
    monkeypatch.setattr(module, "verdicts", said)


def test_only_who_took_it_both_times_is_compared(earlier):
    found = inventory(SLUG, "after", [row("ada", 1), row("bob", 0)], "before")
    assert found["students"] == 1 and (found["before"], found["after"]) == (0, 1)
    assert found["beliefs"] == {"only_forward": {"before": 1, "after": 0}}


def test_two_classes_without_a_common_student_are_refused(earlier):
    with pytest.raises(CourseError, match="Nobody of this class"):
        inventory(SLUG, "after", [row("bob", 0)], "before")


def test_without_an_earlier_class_it_says_what_it_needs():
    assert f"dlcourse report {SLUG} --before" in inventory(SLUG, "x", [row("a", 1)], None)["needs"]


def test_another_sheet_has_no_before_and_after():
    assert inventory("neurons", "x", [row("a", 1)], None) is None
    with pytest.raises(CourseError, match="no concept inventory"):
        inventory("neurons", "x", [row("a", 1)], "y")


def test_the_inventory_is_recognised_and_no_other_unit_is():
    assert [slug for slug in registry.units() if module.is_inventory(slug)] == [SLUG]
    assert not module.is_inventory("a-sheet-of-ones-own")
