"""Nine men who say two vowels, each utterance a short sequence: real speech, already analysed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dlcourse.data.provenance import DataError, Provenance, missing, verify

PROVENANCE = Provenance(
    name="Japanese Vowels",
    source="the files JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts in the package sktime",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    citation="Kudo, Toyama and Shimbo (1999), Multidimensional curve classification using "
    "passing-through regions, Pattern Recognition Letters 20",
    items=640,
    real=True,
    sha256="adafb4d6918414b273c602e6483d0467665fbdef7b20d4d82c3ac80aa04d357b",
)
PACKAGES = ("sktime", "aeon")  # both hold the same two files
TRAIN, LONGEST, CHANNELS = 270, 29, 12


def load_japanese_vowels() -> tuple[np.ndarray, np.ndarray, np.ndarray, Provenance]:
    """Utterances (640, 29, 12) float64, lengths (640,), speakers (640,) from 0, and their source.

    Each step is 12 cepstral coefficients of a linear prediction analysis; an utterance has 7 to 29
    steps, and zeros behind its end. The first 270, 30 of each speaker, are the training part that
    the data came with, the other 370 its test part. Of the package only the two files are read:
    it isn't imported. Raises ImportError with the command that installs what is missing, and
    DataError if the source gives other numbers than it used to.
    """
    folder = _folder()
    sequences, speakers = [], []
    for part in ("TRAIN", "TEST"):
        path = folder / f"JapaneseVowels_{part}.ts"
        if not path.is_file():
            raise DataError(f"{PROVENANCE.name}: {path.name} isn't in {path.parent}")
        for line in path.read_text("utf-8").splitlines():
            if line and line[0] not in "#@":  # twelve channels and the speaker, between colons
                *channels, speaker = line.split(":")
                sequences.append(np.array([channel.split(",") for channel in channels], float).T)
                speakers.append(int(speaker) - 1)
    x = np.zeros((len(sequences), LONGEST, CHANNELS))
    for row, sequence in zip(x, sequences, strict=True):
        row[: len(sequence)] = sequence
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    found = x, lengths, np.array(speakers, np.int64)
    return *found, verify(PROVENANCE, *found)


def _folder() -> Path:
    for package in PACKAGES:
        spec = find_spec(package)  # looks for the package without running it
        for place in (spec.submodule_search_locations or ()) if spec else ():
            return Path(place, "datasets", "data", "JapaneseVowels")
    raise missing(PACKAGES[0])
