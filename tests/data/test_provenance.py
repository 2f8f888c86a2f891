from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from dlcourse.data.provenance import DataError, Provenance, fingerprint, missing, verify

ARRAYS = np.arange(6.0).reshape(2, 3), np.array([1, 2])
PROVENANCE = Provenance("Toy", "a box", "CC0", "Nobody (2020)", 2, False, fingerprint(*ARRAYS))


def test_it_reads_as_one_line_that_says_where_and_whether_real():
    assert str(PROVENANCE) == (
        "Toy: 2 items, synthetic. Source: a box. Licence: CC0. Cite: Nobody (2020) "
        f"(SHA-256 {PROVENANCE.sha256[:12]}…)"
    )
    assert ", real." in str(replace(PROVENANCE, real=True))


def test_it_can_not_be_changed():
    with pytest.raises(FrozenInstanceError):
        PROVENANCE.real = True


def test_the_right_arrays_are_verified():
    assert verify(PROVENANCE, *(a.copy() for a in ARRAYS)) is PROVENANCE


@pytest.mark.parametrize(
    "arrays",
    [
        (ARRAYS[0] + 1e-15, ARRAYS[1]),
        (ARRAYS[0].reshape(3, 2), ARRAYS[1]),
        (ARRAYS[0].astype(np.float32), ARRAYS[1]),
        ARRAYS[::-1],
        ARRAYS[:1],
    ],
)
def test_a_source_that_changed_is_an_error_in_words(arrays):
    with pytest.raises(DataError, match="Toy: a box now gives other data.*constraints.txt"):
        verify(PROVENANCE, *arrays)


def test_the_fingerprint_is_of_values_not_of_memory():
    a = np.arange(12.0).reshape(3, 4)
    same = np.asfortranarray(a), a.astype(">f8"), np.repeat(a, 2, axis=0)[::2]
    assert {fingerprint(b) for b in same} == {fingerprint(a)}


def test_arrays_of_objects_have_no_fingerprint():
    with pytest.raises(ValueError, match="objects"):
        fingerprint(np.array(["a", None], dtype=object))


def test_a_missing_extra_is_a_sentence_with_its_command():
    assert 'pip install "dlcourse[data]"' in str(missing("mlxtend"))
