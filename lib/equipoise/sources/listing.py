"""What lies in a folder: every entry of it, whatever its name. Needs no Spark.

A name is a name: nothing in it is a pattern. Local names are bytes, read as UTF-8 whatever the locale says.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple

from pyarrow import fs

from equipoise.pipeline.locating import locate
from equipoise.pipeline.reasons import EMPTY_FILE
from equipoise.pipeline.stored_arrays import ZARR, ZARR_MARKS

UNREADABLE_FILE = "unreadable_file"
UNREADABLE_FOLDER = "unreadable_folder"
UNREADABLE_NAME = "unreadable_name"

DANGLING = "dangling links"
DOT_FILES, DOT_FOLDERS = "dot files", "dot folders"
LINKED_TWICE = "links to folders that are listed without them"
OF_SPARK = "folders of Spark's own"
SPECIAL = "pipes, sockets and devices"
WITHOUT_ENDING = "files without an ending"
DELTA_LOG = "_delta_log"
_SPARKS_OWN = (DELTA_LOG, "_spark_metadata", "_temporary")
_LONGEST_ENDING = 12
_BYTES = "surrogateescape"  # bytes that are no UTF-8, within a text


class Found(NamedTuple):
    """A file; ``modified_ms`` since 1970. With a ``reason`` it, or a folder, cannot be used."""

    uri: str
    modified_ms: int | None = None
    n_bytes: int | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Folder:
    """A folder to list: ``path`` is the uri's in its file system, where bytes that are no UTF-8 are surrogates.

    ``roots``: the real local paths of the source and of the links on the way. ``is_flat``: its files alone.
    """

    uri: str
    path: str
    roots: tuple[str, ...] = ()
    is_flat: bool = False


class Passed(NamedTuple):
    """An entry that is not looked at: ``kind`` is its ending, or what it is."""

    kind: str


Entry = Found | Folder | Passed


def top(uri: str, suffixes: tuple[str, ...]) -> Entry:
    """What a uri names: a folder, or a file whose name ends in one of the suffixes or in none.

    Raises:
        FileNotFoundError: nothing is there.
        OSError, ValueError: the file system does not answer, or is unknown.
    """
    filesystem, path = locate(uri)
    if isinstance(filesystem, fs.LocalFileSystem):
        status = os.stat(_in_bytes(path))
        if S_ISDIR(status.st_mode):
            return _array_store(uri, suffixes, path) or Folder(uri, path, (_real(path),))
        return _regular(uri, path, suffixes, status=status)
    info = filesystem.get_file_info(path.rstrip("/"))
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(path)
    if info.type == fs.FileType.Directory:
        return _array_store(uri, suffixes, info.path) or Folder(uri, info.path)
    return _of_store(uri, info, suffixes)


def entries(folder: Folder, suffixes: tuple[str, ...]) -> Iterator[Entry]:
    """The entries of a folder, in any order. A local one that may not be read is a file that cannot be used.

    Raises:
        OSError: a store does not answer.
    """
    filesystem, _ = locate(folder.uri)
    if isinstance(filesystem, fs.LocalFileSystem):
        yield from _of_local(folder, suffixes)
        return
    for info in filesystem.get_file_info(fs.FileSelector(folder.path, allow_not_found=True)):
        uri = below(folder.uri, info.base_name)
        if info.type == fs.FileType.Directory:
            yield _folder_kind(info.base_name) or _array_store(uri, suffixes) or Folder(uri, info.path)
        else:
            yield _of_store(uri, info, suffixes)


def _of_store(uri: str, info: fs.FileInfo, suffixes: tuple[str, ...]) -> Entry:
    if info.type != fs.FileType.File:
        return Passed(SPECIAL)
    modified_ms = None if info.mtime_ns is None else info.mtime_ns // 1_000_000
    return _passed(info.base_name, suffixes) or _with_bytes(Found(uri, modified_ms, info.size))


def _of_local(folder: Folder, suffixes: tuple[str, ...]) -> Iterator[Entry]:
    try:
        with os.scandir(_in_bytes(folder.path)) as found:
            for entry in found:
                yield _local(entry, folder, suffixes)
    except FileNotFoundError:
        return  # it was removed since its name was read
    except OSError as error:
        yield Found(legible(folder.uri), None, None, UNREADABLE_FOLDER, _told(error))


def _local(entry: os.DirEntry[bytes], folder: Folder, suffixes: tuple[str, ...]) -> Entry:
    name = entry.name.decode(errors=_BYTES)
    uri, path = below(folder.uri, name), below(folder.path, name)
    try:
        if not S_ISDIR(entry.stat().st_mode):
            return _regular(uri, path, suffixes, status=entry.stat())
        if not entry.is_symlink():
            return _folder_kind(name) or _array_store(uri, suffixes) or Folder(uri, path, folder.roots)
        target = _real(path)
        is_listed = any(_is_listed(target, root) for root in folder.roots)
        return Passed(LINKED_TWICE) if is_listed else Folder(uri, path, (*folder.roots, target))
    except OSError as error:
        if entry.is_symlink() or isinstance(error, FileNotFoundError):  # to nothing, or to itself
            return Passed(DANGLING)
        return Found(legible(uri), None, None, UNREADABLE_FILE, _told(error))


def _regular(uri: str, path: str, suffixes: tuple[str, ...], *, status: os.stat_result) -> Entry:
    name = path.rpartition("/")[2]
    if not S_ISREG(status.st_mode):
        return Passed(SPECIAL)
    if (passed := _passed(name, suffixes)) is not None:
        return passed
    found = _with_bytes(Found(legible(uri), status.st_mtime_ns // 1_000_000, status.st_size))
    if found.uri == uri:
        return found
    return found._replace(reason=UNREADABLE_NAME, detail="its name, or its folder's, is no UTF-8: rename it")


def _with_bytes(found: Found) -> Found:
    return found if found.n_bytes else found._replace(reason=EMPTY_FILE, detail="the file has no bytes")


def _is_listed(target: str, root: str) -> bool:
    """Whether a linked folder is met on the way from ``root``, or has it inside; not where a dot folder hides it."""
    if target == root or _is_below(root, target):
        return True
    parts = PurePosixPath(target).relative_to(root).parts if _is_below(target, root) else ()
    return bool(parts) and not any(_folder_kind(part) for part in parts)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/")


def _folder_kind(name: str) -> Passed | None:
    if name.startswith("."):
        return Passed(DOT_FOLDERS)
    return Passed(OF_SPARK) if name in _SPARKS_OWN else None


def _array_store(uri: str, suffixes: tuple[str, ...], path: str | None = None) -> Found | None:
    """A folder of zarr's, which is one item where such are asked for; None where it is none.

    ``path``: of the source itself, which may be called anything.
    """
    if ZARR not in suffixes:
        return None
    is_one = uri.rstrip("/").lower().endswith(ZARR)
    if not is_one and path is not None:
        filesystem, _ = locate(uri)
        is_one = any(info.is_file for info in filesystem.get_file_info([below(path, mark) for mark in ZARR_MARKS]))
    return Found(uri) if is_one else None


def _passed(name: str, suffixes: tuple[str, ...]) -> Passed | None:
    """What a file is passed over as; None where it is to be taken."""
    is_taken = name.lower().endswith(suffixes) and not name.startswith(".")
    return None if is_taken else Passed(file_kind(name))


def file_kind(name: str) -> str:
    """What a file that is passed over is told of as: its ending, where that is one."""
    if name.startswith("."):
        return DOT_FILES
    ending = PurePosixPath(name.lower()).suffix
    return ending if 1 < len(ending) <= _LONGEST_ENDING and ending.isprintable() else WITHOUT_ENDING


def below(folder: str, name: str) -> str:
    """The path of a name in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def _real(path: str) -> str:
    return os.path.realpath(_in_bytes(path)).decode(errors=_BYTES)


def _in_bytes(path: str) -> bytes:
    return path.encode(errors=_BYTES)


def legible(text: str) -> str:
    """The text with ``\\xe9`` in the place of a byte that is no UTF-8."""
    return _in_bytes(text).decode(errors="backslashreplace")


def _told(error: OSError) -> str:
    return f"{type(error).__name__}: {error.strerror}"
