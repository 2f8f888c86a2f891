import json
import sys

import numpy as np
import pytest

from dlcourse import numbers


@pytest.fixture
def glued(monkeypatch):
    seen = {}
    myst_nb = pytest.importorskip("myst_nb")

    def glue(name, value, display=True):
        assert display is False
        seen[name] = value

    monkeypatch.setattr(myst_nb, "glue", glue)
    return seen


def test_numpy_scalars_become_python_ones(glued):
    numbers.glue(a=np.float64(0.89), b=np.int32(3), c=np.array(2.5), d=np.str_("x"), e=np.bool_(1))
    assert glued == {"a": 0.89, "b": 3, "c": 2.5, "d": "x", "e": True}
    assert [type(v) for v in glued.values()] == [float, int, float, str, bool]


def test_strings_and_python_numbers_stay_as_they_are(glued):
    numbers.glue(a="89.0 ± 0.3", b=1, c=0.5)
    assert glued == {"a": "89.0 ± 0.3", "b": 1, "c": 0.5}


@pytest.mark.parametrize("value", [np.zeros(2), [1.0], None])
def test_what_has_no_one_way_to_be_written_is_refused(glued, value):
    with pytest.raises(ValueError, match="bad"):
        numbers.glue(bad=value)


def test_a_recorded_run_is_found_from_the_root_and_from_below(tmp_path, monkeypatch):
    results = tmp_path / "chapters" / "results"
    results.mkdir(parents=True)
    (results / "a-unit.json").write_text(json.dumps({"rows": [1]}))
    for folder in (tmp_path, results.parent):
        monkeypatch.chdir(folder)
        assert numbers.recorded("a-unit") == {"rows": [1]}


@pytest.mark.parametrize("inside", ["site/package/results", "site/chapters/results"])
def test_a_recorded_run_that_is_nowhere_above_comes_with_the_package(tmp_path, monkeypatch, inside):
    monkeypatch.setattr(numbers, "PACKAGE", tmp_path / "site" / "package")
    (tmp_path / inside).mkdir(parents=True)
    (tmp_path / inside / "a-unit.json").write_text(json.dumps({"rows": [2]}))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert numbers.recorded("a-unit") == {"rows": [2]}


def test_outside_of_the_book_nothing_is_glued(monkeypatch):
    monkeypatch.setitem(sys.modules, "myst_nb", None)  # as if it weren't installed
    numbers.glue(a=1.0)


def test_a_missing_recorded_run_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"python -m dlcourse\.recipes\.a_unit"):
        numbers.recorded("a-unit")


def test_timing_is_that_of_the_fastest_call_but_the_first(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(numbers, "perf_counter", lambda: next(clock))
    calls = iter("abcd")
    assert numbers.timing(lambda: next(calls), 3) == (2000.0, "d")
