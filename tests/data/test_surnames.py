import string
import sys

import numpy as np
import pytest

from dlcourse.data import surnames as module
from dlcourse.data.provenance import DataError
from dlcourse.data.surnames import load_surnames


def test_88799_names_of_plain_letters_each_once():
    pytest.importorskip("names")
    surnames, provenance = load_surnames()
    assert len(surnames) == len(set(surnames)) == provenance.items == 88799 and provenance.real
    assert set("".join(surnames)) == set(string.ascii_lowercase)
    assert [*surnames[:3]] == ["smith", "johnson", "williams"]


def test_a_changed_source_is_refused(monkeypatch, tmp_path):
    (tmp_path / "dist.all.last").write_text("SMITH 1.0 1.0 1\nJONES 0.9 1.9 2\n")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    with pytest.raises(DataError, match="surnames"):
        load_surnames()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "names", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"'):
        load_surnames()


def test_names_are_an_array_of_strings():
    pytest.importorskip("names")
    assert load_surnames()[0].dtype.kind == "U" and np.ndim(load_surnames()[0]) == 1
