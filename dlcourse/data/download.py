"""Files fetched once: cached, checked against their published checksum, moved into place whole."""

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcourse.data.provenance import DataError, missing


class _Bar:
    """A progress bar in the form that pooch asks for, drawn by rich."""

    def __init__(self, name: str):
        from rich.progress import Progress

        self.total = 0  # set by pooch, in bytes
        self._progress = Progress(transient=True)
        self._task = self._progress.add_task(name)
        self._progress.start()

    def update(self, count: int) -> None:
        self._progress.update(self._task, advance=count, total=self.total)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.stop()


def cache_folder() -> Path:
    """Where downloads are kept: ``$DLCOURSE_DATA``, or the system's cache for this user."""
    if folder := os.environ.get("DLCOURSE_DATA"):
        return Path(folder)
    try:
        import pooch
    except ImportError:
        raise missing("pooch") from None
    return Path(pooch.os_cache("dlcourse"))


@dataclass(frozen=True)
class Remote:
    """One gzipped file of a published data set."""

    address: str  # the folder it is downloaded from, ending in a slash
    name: str
    md5: str  # of the gzip file as published
    md5_inside: str | None = None  # of what it holds: packages compress it again

    def fetch(self, folder: str, beside: Path | None = None) -> Path:
        """Path of the file in the cache's ``folder``; downloads it unless it is there and right.

        A right copy in ``beside`` is used instead. A file of the wrong content is never returned,
        nor half a one. Raises DataError, saying what to do, if it can't be had.
        """
        if beside and self.md5_inside and _md5_inside(beside / self.name) == self.md5_inside:
            return beside / self.name
        target = cache_folder() / folder
        try:
            import pooch
        except ImportError:
            raise missing("pooch") from None
        quiet = pooch.get_logger().level
        pooch.get_logger().setLevel("ERROR")  # the bar says it
        there = (target / self.name).is_file()
        bar = None if there else _Bar(self.name)
        try:
            return Path(
                pooch.retrieve(
                    self.address + self.name,
                    known_hash=f"md5:{self.md5}",
                    fname=self.name,
                    path=target,
                    progressbar=bar or False,
                )
            )
        except (OSError, ValueError) as error:
            # OSError: no network, no disk; requests' errors are OSErrors too. ValueError: checksum.
            reason = str(error).splitlines()[0][:200]
            raise DataError(
                f"{self.name} can't be had from {self.address} ({reason}). Download it elsewhere "
                f"and put it into {target}; its MD5 must be {self.md5}."
            ) from None
        finally:
            pooch.get_logger().setLevel(quiet)
            if bar:
                bar.close()


def _md5_inside(path: Path) -> str | None:
    """MD5 of what the gzip file ``path`` holds; None if it isn't there or isn't one."""
    try:
        with gzip.open(path) as file:
            return hashlib.file_digest(file, "md5").hexdigest()  # type: ignore[arg-type]
    except (OSError, EOFError):
        return None


def read_idx(path: Path) -> np.ndarray:
    """The array in a gzipped IDX file of bytes: uint8, or int64 where it is one-dimensional.

    Format: two zero bytes, the type (8 for bytes), the number of axes, then each axis' length as a
    big-endian 32-bit number, then the entries (LeCun's MNIST page). Raises DataError for any other.
    """
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} isn't an IDX file of bytes: delete it and run again")
    shape = np.frombuffer(content, ">u4", content[3], offset=4)
    entries = np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
    if len(entries) != shape.prod():
        raise DataError(f"{path} holds {len(entries)} bytes for shape {tuple(shape.tolist())}")
    array = entries.reshape(shape)
    return array.astype(np.int64) if array.ndim == 1 else array.copy()  # a copy can be written to
