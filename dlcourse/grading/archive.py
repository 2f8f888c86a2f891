"""What a zip or a folder holds, file by file, and what in it is refused. Nothing is unpacked.

A file is read only when it is asked for, and never more of it than its limit. Paths are compared
and shown, but nothing is written where they say.
"""

import stat
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.grading.errors import CourseError

MAX_FILES = 50_000
MAX_RATIO = 1_000  # deflate's own bound is 1,032, which only repetition reaches
MAX_PATH = 400
NOISE = ("__MACOSX", ".DS_Store", ".ipynb_checkpoints", "Thumbs.db")


@dataclass(frozen=True)
class Entry:
    """A file: its path inside, in NFC, with ``/``; size; time in seconds, 0 where unknown."""

    path: str
    size: int
    time: float
    read: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass
class Listing:
    entries: list[Entry] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # path -> why


def listing(path: Path, max_bytes: int) -> Listing:
    """The files in a zip or a folder. CourseError where ``path`` is neither, or far too much."""
    if path.is_dir():
        return _folder(path, max_bytes)
    if not path.exists():
        raise CourseError(f"There is no file or folder {path}.")
    if not zipfile.is_zipfile(path):
        raise CourseError(
            f"{path.name} is neither a folder nor a zip. Give the zip as it was downloaded, or the "
            "folder that you unpacked it to."
        )
    return _zip(path, max_bytes)


def _folder(path: Path, max_bytes: int) -> Listing:
    out = Listing()
    waiting = [path]
    while waiting:
        for item in sorted(waiting.pop().iterdir()):
            inside = unicodedata.normalize("NFC", item.relative_to(path).as_posix())
            about = item.lstat()
            if item.name in NOISE or item.name.startswith("._"):
                continue
            if not _encodable(inside):
                out.refused[_shown(inside)] = "its name is in an unknown encoding. Rename it."
            elif stat.S_ISLNK(about.st_mode):
                out.refused[inside] = "it is a link."
            elif stat.S_ISDIR(about.st_mode):
                waiting.append(item)
            elif not stat.S_ISREG(about.st_mode):
                out.refused[inside] = "it is no ordinary file."
            elif about.st_size > max_bytes:
                out.refused[inside] = too_large(about.st_size, max_bytes)
            else:
                out.entries.append(Entry(inside, about.st_size, about.st_mtime, item.read_bytes))
            if len(out.entries) > MAX_FILES:
                raise CourseError(
                    f"{path} holds more than {MAX_FILES:,} files. Name a smaller one."
                )
    return out


def _zip(path: Path, max_bytes: int) -> Listing:
    out = Listing()
    try:
        archive = zipfile.ZipFile(path)  # stays open for the entries that read from it
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise CourseError(f"{path.name} is a damaged zip ({error}). Download it again.") from error
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise CourseError(f"{path.name} holds {len(infos):,} files, more than {MAX_FILES:,}.")
    seen: set[str] = set()
    for info in infos:
        name = _name(info)
        parts = name.split("/")
        if info.is_dir() or any(p in NOISE or p.startswith("._") for p in parts):
            continue
        if why := _unsafe(name) or _bomb(info, max_bytes):
            out.refused[_shown(name)] = why
        elif name.casefold() in seen:
            out.refused[name] = "the zip has two files of this name."
            out.entries = [e for e in out.entries if e.path.casefold() != name.casefold()]
        else:
            seen.add(name.casefold())
            out.entries.append(Entry(name, info.file_size, _time(info), _reader(archive, info)))
    return out


def _name(info: zipfile.ZipInfo) -> str:
    """The file's name; many programs write UTF-8 without the flag that says so."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass  # it really is in the old code page
    return unicodedata.normalize("NFC", name)


def _unsafe(name: str) -> str | None:
    parts = name.replace("\\", "/").split("/")
    if not _encodable(name) or any(ord(c) < 32 or ord(c) == 127 for c in name):
        return "its name holds characters that no file's name should have."
    if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in parts:
        return "its path leads out of the zip."
    if "\\" in name:
        return "its path holds a backslash."
    if len(name) > MAX_PATH or any(len(part.encode()) > 255 for part in parts):
        return "its name is too long."
    return None


def _bomb(info: zipfile.ZipInfo, max_bytes: int) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link."
    if info.flag_bits & 1:
        return "it is encrypted."
    if info.file_size > max_bytes:
        return too_large(info.file_size, max_bytes)
    if info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return "it is packed a thousandfold, as a zip bomb is."
    return None


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with archive.open(info) as file:
                data = file.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as e:
            raise OSError(f"it is damaged in the zip ({e}).") from e
        if len(data) != info.file_size:
            raise OSError("it is damaged in the zip (another size than it says).")
        return data

    return read


def too_large(size: int, max_bytes: int) -> str:
    return f"it has {size / 1e6:.0f} MB, more than the {max_bytes / 1e6:.0f} MB allowed (--max-mb)."


def _time(info: zipfile.ZipInfo) -> float:
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(name: str) -> str:
    """A name that can be printed, whatever it holds."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else "?" for c in text)[:120]
