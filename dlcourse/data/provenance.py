"""Where a data set comes from, and whether what was loaded is what it says."""

import hashlib
from dataclasses import dataclass

import numpy as np


class DataError(RuntimeError):
    """A data set can't be had as it should be; the message says what to do about it."""


@dataclass(frozen=True)
class Provenance:
    """Where a data set comes from. ``str()`` of it is what a chapter prints under its data."""

    name: str
    source: str  # what the arrays were read from: a package, or an address
    licence: str
    citation: str
    items: int
    real: bool  # False: made by a program, however often it is quoted as real
    sha256: str  # of the decoded arrays, see fingerprint()

    def __str__(self) -> str:
        kind = "real" if self.real else "synthetic"
        return (
            f"{self.name}: {self.items:,} items, {kind}. Source: {self.source}. "
            f"Licence: {self.licence}. Cite: {self.citation} (SHA-256 {self.sha256[:12]}…)"
        )

    def _repr_markdown_(self) -> str:
        return str(self)


def fingerprint(*arrays: np.ndarray) -> str:
    """SHA-256 over dtype, shape and values of ``arrays``, the same on every platform.

    Raises ValueError for arrays of objects, whose bytes are addresses.
    """
    state = hashlib.sha256()
    for array in arrays:
        if array.dtype.hasobject:
            raise ValueError("an array of objects has no fingerprint: convert it first")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        state.update(f"{little.dtype.str} {little.shape}\n".encode())
        state.update(little.tobytes())
    return state.hexdigest()


def verify(provenance: Provenance, *arrays: np.ndarray) -> Provenance:
    """Return ``provenance`` if ``arrays`` are what it was written for; else raise DataError."""
    found = fingerprint(*arrays)
    if found != provenance.sha256:
        raise DataError(
            f"{provenance.name}: {provenance.source} now gives other data than this course was "
            f"written with (SHA-256 {found[:12]}…, not {provenance.sha256[:12]}…). The numbers in "
            "the text would not be its numbers. Install the versions in constraints.txt, or report "
            "it as an issue."
        )
    return provenance


def missing(package: str) -> ImportError:
    """The error for a data package that isn't installed: one sentence, with the command."""
    return ImportError(
        f'this data set is read through {package}, which is missing: pip install "dlcourse[data]"'
    )
