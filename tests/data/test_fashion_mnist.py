import pytest

from dlcourse.data import fashion_mnist
from dlcourse.data.fashion_mnist import full_fashion_mnist
from dlcourse.data.provenance import DataError


def check(data):
    (images, labels), (test_images, test_labels), provenance = data
    assert images.shape == (60_000, 28, 28) and test_images.shape == (10_000, 28, 28)
    assert fashion_mnist.CLASSES[labels[0]] == "ankle boot" and test_labels.max() == 9
    assert provenance.licence == "MIT"


@pytest.mark.skipif(
    not fashion_mnist.DEBIAN.is_dir(), reason="apt install dataset-fashion-mnist brings the data"
)
def test_debians_copy_is_used_where_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    check(full_fashion_mnist())
    assert not list(tmp_path.iterdir())


@pytest.mark.network
def test_by_download(monkeypatch, tmp_path):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "none")
    check(full_fashion_mnist())


def test_offline_it_names_file_and_folder(monkeypatch, tmp_path):
    pooch = pytest.importorskip("pooch")

    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "none")
    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(DataError, match="train-images-idx3-ubyte.gz can't be had"):
        full_fashion_mnist()
