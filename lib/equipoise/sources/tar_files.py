"""The members of a tar file, found by going from header to header; what lies between is not read. Needs no Spark."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Any, NamedTuple

from pyarrow import fs

from equipoise.pipeline.locating import locate
from equipoise.pipeline.reasons import EMPTY_FILE
from equipoise.pipeline.tar_members import BYTES, ENCODING
from equipoise.sources.listing import (
    DOT_FILES,
    DOT_FOLDERS,
    SPECIAL,
    UNREADABLE_FILE,
    UNREADABLE_NAME,
    legible,
)

FOLDERS, LINKS = "folders in shards", "links in shards"
_BLOCK = tarfile.BLOCKSIZE
_AHEAD_HERE, _AHEAD_ELSEWHERE = 16 << 10, 4 << 20
"""Bytes that one request brings: headers that lie so near share one, and what is larger is skipped."""
_MOST_HEADER_BYTES = 1 << 20  # the names and records before a member; a broken header may ask for all memory
_MAGICS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz"}


class DamagedTarError(ValueError):
    """What is wrong with a tar file, and where."""


class Entry(NamedTuple):
    """A file in a tar file. With ``passed`` it is none of interest, as what; with a ``reason`` it cannot be used."""

    name: str
    offset: int
    n_bytes: int
    passed: str | None = None
    reason: str | None = None
    detail: str | None = None


class TarReader:
    """An open tar file. Its members are told once each, in their order, and none of them is held.

    Archives that were joined end to end are read to the last. GNU's and PAX's long names are known.
    """

    def __init__(self, file: BufferedReader, n_bytes: int) -> None:
        self._file, self._n_bytes = file, n_bytes

    def entries(self) -> Iterator[Entry]:
        """All entries; between two of them contents may be read.

        Raises:
            DamagedTarError: it is cut off, or no tar file; after the members that come before.
        """
        walk, at, has_end = self._walk(), 0, False
        while at < self._n_bytes:
            if not self.content(at, _BLOCK).strip(b"\0"):
                at, has_end = at + _BLOCK, True
                continue
            info, at, has_end = self._next(walk, at), walk.offset, False
            if info.isreg() and not info.issparse() and info.offset_data + info.size > self._n_bytes:
                raise DamagedTarError(f"it is cut off inside {legible(info.name)}, at byte {self._n_bytes:,}")
            yield _entry(info)
        if not has_end:
            raise DamagedTarError(f"it is cut off at byte {self._n_bytes:,}: the mark of its end is missing")

    def content(self, offset: int, n_bytes: int) -> bytes:
        """The bytes from ``offset`` on."""
        self._file.seek(offset)
        return self._file.read(n_bytes)

    def _next(self, walk: tarfile.TarFile, at: int) -> tarfile.TarInfo:
        self._file.seek(at)
        try:
            info = tarfile.TarInfo.fromtarfile(walk)
            if walk.offset <= at or info.size < 0:
                raise tarfile.ReadError("a size below zero")
        except (tarfile.TarError, ValueError, RecursionError) as error:
            raise DamagedTarError(f"it is damaged or cut off at byte {at:,}: {error}") from error
        return info

    def _walk(self) -> tarfile.TarFile:
        head = self.content(0, 6)
        packed = next((name for magic, name in _MAGICS.items() if head.startswith(magic)), None)
        if packed is not None:
            raise DamagedTarError(f"it is compressed ({packed}): no member of it can be read by itself; unpack it")
        self._file.seek(0)
        headers: Any = _Headers(self._file)
        try:
            return tarfile.TarFile(fileobj=headers, mode="r", encoding=ENCODING, errors=BYTES)
        except (tarfile.TarError, ValueError, RecursionError) as error:
            raise DamagedTarError(f"it is no tar file: {error}") from error


class _Headers:
    """What ``tarfile`` sees of a file: headers alone, none of which may be as large as it says."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, n_bytes: int) -> bytes:
        if not 0 <= n_bytes <= _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {n_bytes:,} bytes")
        return self._file.read(n_bytes)


@contextmanager
def opened_tar(uri: str) -> Iterator[TarReader]:
    """A tar file of any file system.

    Raises:
        OSError, ValueError: it is gone, not allowed, or its file system does not answer.
    """
    filesystem, path = locate(uri)
    ahead = _AHEAD_HERE if isinstance(filesystem, fs.LocalFileSystem) else _AHEAD_ELSEWHERE
    with filesystem.open_input_file(path) as file, BufferedReader(file, ahead) as reader:
        yield TarReader(reader, file.size())


def _entry(info: tarfile.TarInfo) -> Entry:
    name = legible(info.name)
    entry = Entry(name, info.offset_data, info.size, _passed(info))
    if name != info.name:
        return entry._replace(reason=UNREADABLE_NAME, detail="its name, or its folder's, is no UTF-8: rename it")
    if info.issparse():
        return entry._replace(reason=UNREADABLE_FILE, detail="it is stored with holes (sparse): write it as it is")
    return entry if info.size else entry._replace(reason=EMPTY_FILE, detail="the file has no bytes")


def _passed(info: tarfile.TarInfo) -> str | None:
    if info.isdir():
        return FOLDERS
    if info.issym() or info.islnk():
        return LINKS
    *folders, name = info.name.split("/")
    if any(folder.startswith(".") and folder not in (".", "..") for folder in folders):
        return DOT_FOLDERS
    if name.startswith("."):
        return DOT_FILES
    return None if info.isreg() else SPECIAL
