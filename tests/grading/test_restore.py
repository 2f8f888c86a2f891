import nbformat
import pytest

from dlcourse.grading.scores import graded_notebook


@pytest.mark.parametrize("student", ["deleted-check", "deleted-pair", "deleted-locked"])
def test_deleted_cells_come_back_and_cost_nothing(slips, student):
    """nbgrader's own ``add_missing_cells`` dies of two of these."""
    assert slips.points[student] == slips.full


def test_a_deleted_answer_is_not_made_up(slips):
    assert slips.points["deleted-solution"] == slips.full - slips.first.points


@pytest.mark.parametrize("student", ["deleted-check", "deleted-locked", "no-metadata"])
def test_they_stand_in_the_order_of_the_sheet(slips, student):
    def told(path):
        cells = nbformat.read(path, 4).cells
        return [c.metadata.nbgrader.grade_id for c in cells if "nbgrader" in c.metadata]

    sheet = slips.home / "exercises" / "neurons" / "neurons.ipynb"
    assert told(graded_notebook("neurons", slips.home, student)) == told(sheet)
