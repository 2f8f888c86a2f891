"""Questions with one right choice, for a concept inventory: each wrong one is a misconception's.

A concept inventory is taken before a part and after it. So the learner's check only notes a choice;
it is judged when it is graded, and on the inventory's page at the end.
"""

from dataclasses import dataclass

from dlcourse.checks.core.exercise import Exercise, Mistake

LETTERS = "ABCD"


@dataclass(frozen=True)
class Option:
    """One choice. ``belief`` names the misconception that leads to it; the right one has none."""

    text: str
    why: str
    belief: str = ""


class Choice(Exercise):
    """A question of an inventory: a text in Markdown, and options in the order they're shown in.

    ``serves`` is the outcome that it asks about. The answer is a letter, in capitals or not.
    """

    def __init__(self, name: str, title: str, serves: str, text: str, *options: Option):
        super().__init__(
            name, title, {"choice": 1}, 1, 1, (serves,), kind="choose", of="value", silent=True
        )
        self.text = text
        self.options = dict(zip(LETTERS, options, strict=True))
        right = [letter for letter, option in self.options.items() if not option.belief]
        if len(right) != 1:
            raise ValueError(f"{name}: one option is right and has no belief, not {len(right)}")
        self.right = right[0]
        letters = {"reference": self.right}
        letters |= {"lower_case": self.right.lower(), "with_a_blank": f" {self.right}"}
        letters |= {o.belief: letter for letter, o in self.options.items() if o.belief}
        self._typed = letters
        answers = {which: (lambda letter=letter: letter) for which, letter in letters.items()}
        self.reference = answers["reference"]
        self.alternatives = {which: answers[which] for which in ("lower_case", "with_a_blank")}
        for option in options:
            if belief := option.belief:
                self.mistakes[belief] = Mistake(belief, answers[belief], option.why, ("choice",))
        self.look = _letter

    @property
    def unit(self) -> str:
        """The slug of the unit that it asks about."""
        return self.outcomes[0].rpartition("-")[0]

    def statement(self) -> str:
        """The question and its options, as a sheet shows them."""
        options = [f"- **{letter}.** {option.text}" for letter, option in self.options.items()]
        return "\n".join(
            [self.text, "", *options, "", f'Answer: `{self.name} = "A"`, or your letter.']
        )

    def source(self, which: str = "reference") -> str:
        return f"{self.name} = {self._typed[which]!r}\n"


def _letter(candidate):
    letter = candidate()
    return {"choice": letter.strip().upper() if type(letter) is str else letter}
