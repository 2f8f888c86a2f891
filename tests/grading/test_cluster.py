"""A Dask cluster of processes that share no folder with the class."""

from contextlib import closing

import pytest
import small

from dlcourse.grading import jobs
from dlcourse.grading.backends import choose
from dlcourse.grading.errors import CourseError

distributed = pytest.importorskip("distributed", reason='pip install -e ".[dask]"')
Cluster = pytest.importorskip("dlcourse.grading.cluster").Cluster


def test_the_class_is_graded_on_two_workers_and_nothing_of_it_is_there(cluster, tmp_path):
    from dlcourse.grading.grade import grade

    home = small.make(tmp_path / "class", 6)
    result = grade("small", home, backend=Cluster(cluster, small.where))
    assert result.ok and len(result.rows) == 6
    places = {tuple(said.split(", ")) for said in result.stopped.values()}
    assert len({pid for pid, _, _ in places}) == 2
    assert {folder.startswith("worker") for _, folder, _ in places} == {True}
    assert {seen for _, _, seen in places} == {"nothing"}


def test_a_job_that_crashes_costs_itself_alone(cluster):
    from .test_backends import results

    with closing(Cluster(cluster, small.by_name)) as backend:
        found = results(backend, ["ada", "raises", "bob"])
        assert found["ada"].execution and found["bob"].execution and backend.slots == 4
        assert "failed (ZeroDivisionError: ours)" in found["raises"].why
        with pytest.raises(CourseError, match="no sandbox"):
            results(backend, ["no-sandbox"])


def test_workers_of_another_version_are_refused(cluster, monkeypatch):
    monkeypatch.setattr(jobs, "digest", lambda: "other")
    with pytest.raises(CourseError, match="Other versions of the course"):
        Cluster(cluster)


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("dlcourse.grading.cluster.CONNECT_SECONDS", 0.5)
    with pytest.raises(CourseError, match="No Dask scheduler answers at tcp://127.0.0.1:1"):
        choose(dask="tcp://127.0.0.1:1")
