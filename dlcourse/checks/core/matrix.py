"""The check is itself checked: every mistake, every alternative and the stub, over many seeds."""

from dataclasses import asdict, dataclass, field
from typing import Any

from dlcourse.checks.core.exercise import Exercise

TWICE = 5  # seeds are enough to see that an answer does the same each time


@dataclass
class Row:
    """How the check of one exercise stands the test. ``faults`` says what falls short."""

    slug: str
    name: str
    mistakes: int
    mistakes_rejected: int  # lose exactly the parts they should, on every seed
    mistakes_recognised: int  # get their own hint and no other, on every seed
    alternatives: int
    alternatives_accepted: int
    stub_points: int
    faults: list[str] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """The row without its faults in words, for ``--json``."""
        return {k: v for k, v in asdict(self).items() if k != "faults"}


def verify(exercise: Exercise, seeds: int) -> Row:
    """Judge every answer of the description, made from its source as a learner's, on ``seeds``:

    on seed 0 as a learner's own check does, on the others as the hidden check of a class does.
    From seed ``TWICE`` on what a mistake does isn't tried a second time, to recognise it by.
    """
    answers = {name: exercise.from_source(name) for name in exercise.functions()}
    wrongly_judged: dict[str, str] = {}
    misread: dict[str, str] = {}
    stub_points = 0
    for seed in range(seeds):
        trial = exercise.trial(seed)
        did = {name: trial.outcomes(answer) for name, answer in answers.items()}
        for name in exercise.mistakes if seed >= TWICE else ():
            trial.remember(name, did[name])
        for name, outcomes in did.items():
            verdict = trial.judged(outcomes)
            mistake = exercise.mistakes.get(name)
            lost = {p for p, right in verdict.parts.items() if not right}
            should = set(mistake.loses) if mistake else set()
            if lost != should:
                text = f"{name} loses {sorted(lost) or 'nothing'}, not {sorted(should)}"
                wrongly_judged.setdefault(name, f"seed {seed}: {text}: {verdict.text()}")
            if mistake and verdict.mistakes != [name]:
                text = f"{name} is recognised as {verdict.mistakes or 'nothing'}"
                misread.setdefault(name, f"seed {seed}: {text}")
        stub_points = max(stub_points, trial.verdict(stub(exercise)).earned)
    faults = [*wrongly_judged.values(), *misread.values()]
    if stub_points:
        faults.append(f"the untouched stub earns {stub_points}")
    return Row(
        exercise.slug,
        exercise.name,
        mistakes=len(exercise.mistakes),
        mistakes_rejected=len(exercise.mistakes) - len(wrongly_judged.keys() & exercise.mistakes),
        mistakes_recognised=len(exercise.mistakes) - len(misread),
        alternatives=len(exercise.alternatives),
        alternatives_accepted=len(exercise.alternatives)
        - len(wrongly_judged.keys() & exercise.alternatives),
        stub_points=stub_points,
        faults=faults,
    )


def stub(exercise: Exercise) -> Any:
    """What an untouched sheet holds under the exercise's name."""

    def not_yet(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError()

    if exercise.of == "class":
        return type(exercise.name, (), {"__init__": not_yet})
    return None if exercise.of == "value" else not_yet
