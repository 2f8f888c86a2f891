import os

import pytest

from dlcourse.recipes.side_by_side import processor_seconds, side_by_side


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_their_order_from_here_or_from_other_processes(workers):
    with side_by_side(workers) as each:
        found = list(each(eval, [f"{n}, __import__('os').getpid()" for n in range(4)]))
    assert [n for n, _ in found] == [0, 1, 2, 3]
    assert ({pid for _, pid in found} == {os.getpid()}) == (workers == 0)


def test_time_of_processes_that_ended_is_counted():
    before = processor_seconds()
    with side_by_side(1) as each:
        assert list(each(eval, ["sum(i * i for i in range(10**6))"]))
    assert processor_seconds() - before > 0.02
