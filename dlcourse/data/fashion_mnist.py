"""Photographs of clothes in MNIST's format, harder than digits. By download, or from Debian."""

from pathlib import Path

import numpy as np

from dlcourse.data.download import Remote, read_idx
from dlcourse.data.provenance import Provenance, verify

CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
# Where Debian's and Ubuntu's package dataset-fashion-mnist puts the same files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")

HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FILES = (
    Remote(
        HOME,
        "train-images-idx3-ubyte.gz",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    ),
    Remote(
        HOME,
        "train-labels-idx1-ubyte.gz",
        "25c81989df183df01b3e8a0aad5dffbe",
        "9018921c3c673c538a1fc5bad174d6f9",
    ),
    Remote(
        HOME,
        "t10k-images-idx3-ubyte.gz",
        "bef4ecab320f06d8554ea6380940ec79",
        "8181f5470baa50b63fa0f6fddb340f0a",
    ),
    Remote(
        HOME,
        "t10k-labels-idx1-ubyte.gz",
        "bb300cfdad3c16e7a12a480ee83cd310",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)
PROVENANCE = Provenance(
    name="Fashion-MNIST",
    source="github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    citation="Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747",
    items=70_000,
    real=True,
    sha256="0839028de1bd0c3a638ebcc1fbb7190b7697cc979052f01e6eafccd46e9325d3",
)


def full_fashion_mnist() -> tuple[
    tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], Provenance
]:
    """(images, labels) to train, (images, labels) to test, and where they come from.

    Images (60000, 28, 28) and (10000, 28, 28) uint8, labels int64, indices into ``CLASSES``. Taken
    from Debian's package where that is installed; else the first call downloads 30 MB into a cache,
    checked against the MD5s of its publication. Raises DataError, naming file and folder, where
    that fails.
    """
    train_images, train_labels, test_images, test_labels = (
        read_idx(file.fetch("fashion-mnist", beside=DEBIAN)) for file in FILES
    )
    provenance = verify(PROVENANCE, train_images, train_labels, test_images, test_labels)
    return (train_images, train_labels), (test_images, test_labels), provenance
