import math
import statistics

import numpy as np
import pytest

from dlcourse.grading import items
from dlcourse.grading.scores import Row


def test_discrimination_is_the_correlation_corrected_for_the_item_itself():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 5, (40, 6)).astype(float)
    item, total = points[:, 2], points.sum(axis=1)
    r, s_i, s_t = np.corrcoef(item, total)[0, 1], item.std(), total.std()
    wanted = (r * s_t - s_i) / math.sqrt(s_t**2 + s_i**2 - 2 * r * s_t * s_i)
    assert items.discrimination([*item], [*(total - item)]) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    "points, rest",
    [([1.0] * 20, [*range(20)]), ([*range(20)], [3.0] * 20), ([*range(9)], [*range(9)]), ([], [])],
)
def test_without_spread_or_with_few_students_there_is_no_discrimination(points, rest):
    assert items.discrimination(points, rest) is None


def test_ten_students_suffice():
    assert items.discrimination([*range(10)], [*range(10)]) == pytest.approx(1)


def test_chance_reaches_what_its_simulation_reaches():
    rng = np.random.default_rng(1)
    n = 24
    rs = [statistics.correlation(*rng.normal(size=(2, n)).tolist()) for _ in range(4000)]
    reached = np.mean(np.abs(rs) > items.by_chance(n))
    assert 0.035 < reached < 0.065
    assert items.by_chance(9) is None


def rows(*points, name="a", of=2):
    return [Row(f"s{k}", {name: p, "rest": k}, {}, {name: of, "rest": 9}) for k, p in points]


def test_who_has_no_verdict_got_no_part_right():
    said = {"s0": {"a": {"parts": {"x": True, "y": True}}}, "s1": {}}
    found = items.exercise("a", rows((0, 2), (1, 0)), said)
    assert found["parts"] == {"x": 0.5, "y": 0.5}
    assert (found["mean"], found["difficulty"], found["discrimination"]) == (1, 0.5, None)


def test_a_written_question_counts_those_that_a_person_has_marked():
    marks = [(k, None if k % 3 == 0 else k) for k in range(18)]
    had = [Row(f"s{k}", {"a": k}, {"q": m}, {"a": 20, "q": 20}) for k, m in marks]
    found = items.question("q", had)
    assert (found["marked"], found["waiting"]) == (12, 6)
    assert found["mean"] == pytest.approx(statistics.fmean(m for _, m in marks if m is not None))
    assert found["discrimination"] == pytest.approx(1)


def test_a_question_that_nobody_has_marked_has_no_mean():
    found = items.question("q", [Row("s", {"a": 1}, {"q": None}, {"a": 1, "q": 4})])
    assert found["mean"] is found["difficulty"] is found["discrimination"] is None


def test_the_part_that_most_lost_comes_first_and_one_that_nobody_lost_not_at_all():
    exercises = [{"name": "a", "parts": {"x": 0.75, "y": 1.0}}, {"name": "b", "parts": {"z": 0.25}}]
    assert items.parts_lost(exercises, 8) == [
        {"exercise": "b", "part": "z", "lost": 0.75, "students": 6},
        {"exercise": "a", "part": "x", "lost": 0.25, "students": 2},
    ]


def test_mistakes_name_who_made_them_the_most_frequent_first():
    def made(*names):
        return {"e": {"exercise": "e", "mistakes": names, "hints": [f"{n}?" for n in names]}}

    said = {"eve": made("sign"), "ada": made("sign", "axis"), "bob": made()}
    assert items.mistakes(said) == [
        {"exercise": "e", "mistake": "sign", "hint": "sign?", "count": 2}
        | {"students": ["ada", "eve"]},
        {"exercise": "e", "mistake": "axis", "hint": "axis?", "count": 1, "students": ["ada"]},
    ]


@pytest.mark.parametrize(
    "scores, of, want",
    [
        ([0, 0, 3], 3, [2, 0, 1]),  # full marks share the last bar
        ([27, 24, 23.5, 0], 27, [1, 0, 0, 0, 0, 0, 0, 1, 2]),
        ([0], 1, [1]),
        ([0], 0, [1]),
        ([100, 9, 10], 100, [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
        ([2.5, 2.4], 2.5, [0, 0, 2]),
    ],
)
def test_each_score_is_in_one_bar(scores, of, want):
    assert [bar["count"] for bar in items.bars(scores, of)] == want
