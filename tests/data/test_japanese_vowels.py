import sys
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from dlcourse.data import japanese_vowels
from dlcourse.data.japanese_vowels import load_japanese_vowels
from dlcourse.data.provenance import DataError

FOUND = pytest.mark.skipif(
    not any(japanese_vowels.find_spec(p) for p in japanese_vowels.PACKAGES),
    reason="neither sktime nor aeon is installed",
)


def elsewhere(monkeypatch, place):
    """As if the package lay in ``place``, or nowhere."""
    spec = ModuleSpec("sktime", None, is_package=True)
    spec.submodule_search_locations = [str(place)]
    monkeypatch.setattr(
        japanese_vowels, "find_spec", lambda name: spec if place and name == "sktime" else None
    )


@FOUND
def test_640_utterances_of_nine_speakers_30_each_to_train():
    x, lengths, speakers, provenance = load_japanese_vowels()
    assert x.shape == (640, 29, 12) and x.dtype == np.float64 and provenance.real
    assert (lengths.min(), lengths.max()) == (7, 29)
    assert np.bincount(speakers[:270]).tolist() == [30] * 9
    assert np.bincount(speakers[270:]).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]


@FOUND
def test_numbers_stand_at_their_steps_and_zeros_behind_them():
    x, lengths, _, _ = load_japanese_vowels()
    assert lengths[0] == 20 and x[0, 0, 0] == 1.860936 and x[0, 1, 0] == 1.891651
    assert x[0, 0, 1] == -0.207383
    for row, length in zip(x, lengths, strict=True):
        assert row[:length].any(axis=1).all() and not row[length:].any()


@FOUND
def test_the_package_is_read_and_not_imported():
    before = {"sktime", "aeon"} & set(sys.modules)
    load_japanese_vowels()
    assert {"sktime", "aeon"} & set(sys.modules) == before


@FOUND
def test_a_changed_source_is_refused(monkeypatch, tmp_path):
    original = japanese_vowels._folder()
    folder = tmp_path / "datasets" / "data" / "JapaneseVowels"
    folder.mkdir(parents=True)
    elsewhere(monkeypatch, tmp_path)
    with pytest.raises(DataError, match="JapaneseVowels_TRAIN.ts isn't in"):
        load_japanese_vowels()
    for path in original.glob("JapaneseVowels_T*.ts"):
        (folder / path.name).write_text(path.read_text("utf-8").replace("1.860936", "1.860937"))
    with pytest.raises(DataError, match="Japanese Vowels"):
        load_japanese_vowels()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    elsewhere(monkeypatch, None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"'):
        load_japanese_vowels()
