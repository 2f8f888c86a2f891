"""Surnames of the United States, as they are written without accents: short words to spell."""

from importlib.resources import files

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

PROVENANCE = Provenance(
    name="surnames",
    source="the package names, dist.all.last: U.S. Census Bureau, names from the 1990 census",
    licence="public domain (U.S. government); the package that holds it is MIT",
    citation="U.S. Census Bureau (1995), Frequently Occurring Names in the U.S.: 1990",
    items=88799,
    real=True,
    sha256="31798ca933107a958e5e38451caf5cb33cea7f0f824b3970bc898178aa4c542d",
)


def load_surnames() -> tuple[np.ndarray, Provenance]:
    """Surnames (88799,), strings of the letters a to z, and where they come from.

    Each comes once, the frequent ones first: split at random. Raises ImportError with the command
    that installs what is missing, and DataError if the source gives other names than it used to.
    """
    try:
        lines = (files("names") / "dist.all.last").read_text("ascii").splitlines()
    except ModuleNotFoundError:
        raise missing("names") from None
    surnames = np.array([line.split()[0].lower() for line in lines])
    return surnames, verify(PROVENANCE, surnames)
