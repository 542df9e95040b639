"""Arrays in files, of which single regions are read: ``.npy``, the members of ``.npz``, zarr. Needs no Spark."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from shutil import copyfileobj, disk_usage
from tempfile import NamedTemporaryFile, gettempdir
from typing import Any, Protocol
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray
from pyarrow import fs

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline.locating import locate
from equipoise.pipeline.npy_headers import Header, read_header
from equipoise.pipeline.reasons import CONTENT_TOO_LARGE

Region = tuple[slice, ...]
"""A slice an axis, each with its start and stop, within the shape."""
NPY, NPZ, ZARR = ".npy", ".npz", ".zarr"
ZARR_MARKS = ("zarr.json", ".zarray", ".zgroup")
"""What lies in the folder of an array or group of zarr's, of version 3 and 2."""
SPAN_BYTES, GAP_BYTES = 8 << 20, 64 << 10
"""What is read at once, and what is read over: to ask once more would take longer."""
_MOST_WASTE = 64
_LOCAL_HEADER = 30


class StoredArray(Protocol):
    """An array that stays in its file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes, in their order."""

    @property
    def dtype(self) -> Any:
        """The type of its numbers."""

    def read(self, region: Region) -> NDArray[Any]:
        """A region of it, one axis a slice."""


@dataclass(frozen=True)
class NpyArray:
    """The numbers of a ``.npy`` inside a file, which begin at ``header.offset``."""

    uri: str
    header: Header

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes, in their order."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its numbers."""
        return self.header.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """A region, by ranges of the file: at most 8 MiB at a time, and little that is not asked for."""
        filesystem, path = locate(self.uri)
        with filesystem.open_input_file(path) as file:
            if self.header.is_fortran:
                return self._ranges(file, region[::-1], self.shape[::-1]).T
            return self._ranges(file, region, self.shape)

    def _ranges(self, file: Any, region: Region, shape: tuple[int, ...]) -> NDArray[Any]:
        """The numbers of a region of an array in C order, read together or, where that is much, in two halves."""
        sizes = [part.stop - part.start for part in region]
        strides = [self.dtype.itemsize * int(np.prod(shape[axis + 1 :], dtype=object)) for axis in range(len(shape))]
        begin = sum(part.start * stride for part, stride in zip(region, strides, strict=True))
        span = self.dtype.itemsize + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        wanted = self.dtype.itemsize * int(np.prod(sizes, dtype=object))
        if not wanted:
            return np.empty(sizes, self.dtype)
        axis = next((axis for axis, size in enumerate(sizes) if size > 1), 0)
        gap = sizes[axis] * strides[axis] - span  # between what is wanted of one and of the next
        if span == wanted or (span <= SPAN_BYTES and (gap <= GAP_BYTES or span <= _MOST_WASTE * wanted)):
            file.seek(self.header.offset + begin)
            return np.ndarray(sizes, self.dtype, _whole(file.read(span), span), strides=strides)
        middle = region[axis].start + sizes[axis] // 2
        halves = (slice(region[axis].start, middle), slice(middle, region[axis].stop))
        parts = [self._ranges(file, (*region[:axis], half, *region[axis + 1 :]), shape) for half in halves]
        return np.concatenate(parts, axis=axis)


@dataclass(frozen=True)
class ZarrArray:
    """An array of zarr's: chunks that a region touches are read."""

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes, in their order."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The type of its numbers."""
        return self.array.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """A region."""
        return np.asarray(self.array[region])


class PackedError(Exception):
    """A member of a ``.npz`` is compressed: it has no place of its own in the file. See :func:`unpacked`."""


def array_names(uri: str) -> list[str]:
    """The arrays in a file, in its order: one without a name of a ``.npy``, the members of a ``.npz``, those of zarr.

    Raises:
        Exception: the file is damaged, or gone.
    """
    if _ending(uri) == NPZ:
        with _zipped(uri) as archive:
            names = [info.filename for info in archive.infolist()]
        return [name.removesuffix(NPY) for name in names if name.endswith(NPY)]
    if _ending(uri) == NPY:
        return [""]
    node = _zarr(uri, "")
    return [""] if hasattr(node, "shape") else [path for path, one in node.members(None) if hasattr(one, "shape")]


def open_array(uri: str, name: str) -> StoredArray:
    """An array of :func:`array_names`; numbers are not read yet.

    Raises:
        PackedError: it has to be unpacked before.
        Exception: the file is damaged, cut off, or gone.
    """
    if _ending(uri) == NPZ:
        with _zipped(uri) as archive:
            member = archive.getinfo(f"{name}{NPY}")
        if member.compress_type != ZIP_STORED:
            raise PackedError(uri)
        return _npy(uri, _begin(uri, member))
    if _ending(uri) == NPY:
        return _npy(uri, 0)
    return ZarrArray(_zarr(uri, name))


@contextmanager
def unpacked(uri: str, name: str) -> Iterator[StoredArray]:
    """A compressed member of a ``.npz``, unpacked into a temporary file that is gone afterwards.

    Raises:
        UnreadableItem: ``content_too_large``: there is no room for it.
        Exception: it is damaged.
    """
    with _zipped(uri) as archive, NamedTemporaryFile(suffix=NPY) as file:
        member = archive.getinfo(f"{name}{NPY}")
        free = disk_usage(gettempdir()).free
        if member.file_size > free:
            raise UnreadableItem(
                CONTENT_TOO_LARGE,
                f"unpacked {name} has {member.file_size:,} bytes, and the worker's temporary folder {free:,} free: "
                "write it by numpy.savez, whose members are read in their place",
            )
        with archive.open(member) as packed:
            copyfileobj(packed, file, SPAN_BYTES)
        file.flush()
        yield _npy(f"file:{file.name}", 0)


def _npy(uri: str, begin: int) -> NpyArray:
    filesystem, path = locate(uri)
    with filesystem.open_input_file(path) as file:
        file.seek(begin)
        header = read_header(file)
        if file.size() < header.end and not header.dtype.hasobject:
            raise ValueError(f"it is cut off: {file.size()} bytes, {header.end} for its shape {header.shape}")
    return NpyArray(uri, header)


@contextmanager
def _zipped(uri: str) -> Iterator[ZipFile]:
    filesystem, path = locate(uri)
    with filesystem.open_input_file(path) as file, ZipFile(file) as archive:
        yield archive


def _begin(uri: str, member: ZipInfo) -> int:
    """Where the content of a member begins: after its own header, whose name and extra field may be of any length."""
    filesystem, path = locate(uri)
    with filesystem.open_input_file(path) as file:
        file.seek(member.header_offset)
        header = _whole(file.read(_LOCAL_HEADER), _LOCAL_HEADER)
    lengths = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    return member.header_offset + _LOCAL_HEADER + sum(lengths)


def _zarr(uri: str, name: str) -> Any:
    import zarr

    filesystem, path = locate(uri)
    if isinstance(filesystem, fs.LocalFileSystem):
        return zarr.open(path, mode="r", path=name)
    from fsspec.implementations.arrow import ArrowFSWrapper
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

    # Its own looks for what only Hadoop's file system has.
    wrapper = type("ArrowFS", (ArrowFSWrapper,), {"fsid": "arrow"})
    wrapped = AsyncFileSystemWrapper(wrapper(filesystem), asynchronous=True)
    return zarr.open(zarr.storage.FsspecStore(wrapped, read_only=True, path=path), mode="r", path=name)


def _whole(content: bytes, size: int) -> bytes:
    if len(content) < size:
        raise ValueError(f"it is cut off: {len(content)} of {size} bytes are there")
    return content


def _ending(uri: str) -> str:
    return PurePosixPath(uri.rstrip("/")).suffix.lower()
