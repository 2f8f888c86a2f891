import gzip
import hashlib
import http.server
import struct
import threading
from functools import partial

import numpy as np
import pytest

from dlcourse.data.download import Remote, cache_folder, read_idx
from dlcourse.data.provenance import DataError

pytest.importorskip("pooch")

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(array):
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


def md5(content):
    return hashlib.md5(content).hexdigest()


CONTENT = gzip.compress(idx(ARRAY), mtime=0)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves ``published/x.gz``; yields its address."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "x.gz").write_bytes(CONTENT)
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "cache"))
    handler = partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()
        thread.join()


def test_a_file_is_downloaded_once_and_then_found(server, tmp_path):
    path = Remote(server, "x.gz", md5(CONTENT)).fetch("toy")
    assert path == tmp_path / "cache" / "toy" / "x.gz"
    np.testing.assert_array_equal(read_idx(path), ARRAY)
    gone = Remote("http://127.0.0.1:9/", "x.gz", md5(CONTENT))
    assert gone.fetch("toy") == path


def test_a_file_of_another_content_is_refused_and_not_kept(server, tmp_path):
    with pytest.raises(DataError, match="x.gz can't be had"):
        Remote(server, "x.gz", md5(b"other")).fetch("toy")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_broken_file_in_the_cache_is_replaced(server, tmp_path):
    remote = Remote(server, "x.gz", md5(CONTENT))
    broken = tmp_path / "cache" / "toy" / "x.gz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(CONTENT[:10])
    assert remote.fetch("toy").read_bytes() == CONTENT


def test_a_file_put_there_by_hand_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "x.gz").write_bytes(CONTENT)
    Remote("http://127.0.0.1:9/", "x.gz", md5(CONTENT)).fetch("toy")


def test_no_network_is_one_sentence_with_file_folder_and_checksum(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    with pytest.raises(DataError) as error:
        Remote("http://127.0.0.1:9/", "x.gz", "abc").fetch("toy")
    for part in ("x.gz", str(tmp_path / "toy"), "abc", "http://127.0.0.1:9/"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_copy_beside_is_used_if_it_holds_the_same_though_packed_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "cache"))
    packed = gzip.compress(idx(ARRAY), compresslevel=1, mtime=5)
    assert packed != CONTENT
    (tmp_path / "x.gz").write_bytes(packed)
    remote = Remote("http://127.0.0.1:9/", "x.gz", md5(CONTENT), md5(idx(ARRAY)))
    assert remote.fetch("toy", beside=tmp_path) == tmp_path / "x.gz"


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"another", mtime=0), CONTENT[:20]],
    ids=["no gzip", "another", "cut off"],
)
def test_a_wrong_copy_beside_is_passed_over(content, server, tmp_path):
    (tmp_path / "x.gz").write_bytes(content)
    remote = Remote(server, "x.gz", md5(CONTENT), md5(idx(ARRAY)))
    assert remote.fetch("toy", beside=tmp_path) != tmp_path / "x.gz"


def test_the_cache_is_the_systems_unless_told(monkeypatch):
    monkeypatch.delenv("DLCOURSE_DATA", raising=False)
    assert cache_folder().name == "dlcourse"


def write(tmp_path, content):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content))
    return path


def test_labels_are_read_as_integers_and_images_as_bytes_one_can_write_to(tmp_path):
    labels = read_idx(write(tmp_path, idx(np.array([3, 255], dtype=np.uint8))))
    assert labels.dtype == np.int64 and labels.tolist() == [3, 255]
    images = read_idx(write(tmp_path, idx(ARRAY)))
    assert images.dtype == np.uint8 and images.flags.writeable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "isn't an IDX"),
        (b"\0\0\x0d\x01\0\0\0\0", "isn't an IDX"),  # floats
        (b"\0\0\x08\x02\0\0\0\1", "isn't an IDX"),  # the second length is missing
        (idx(ARRAY)[:-1], "holds 23 bytes"),
    ],
)
def test_another_format_or_half_a_file_is_refused(content, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_idx(write(tmp_path, content))
