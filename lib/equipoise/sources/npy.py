"""Arrays in ``.npy`` files: headers and slices. Needs no Spark."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.pipeline.locating import locate, missing
from equipoise.pipeline.npy_headers import read_header

SLICE_BYTES = 8 << 20


@dataclass(frozen=True)
class Npy:
    """Where the rows of a C-ordered ``.npy`` file lie."""

    uri: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    @property
    def slice_rows(self) -> int:
        """Rows that are read at once."""
        return max(1, SLICE_BYTES // self.row_bytes)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """The rows from ``start`` to ``stop``; nothing else is read."""
        filesystem, path = locate(self.uri)
        with filesystem.open_input_file(path) as file:
            file.seek(self.offset + start * self.row_bytes)
            content = file.read((stop - start) * self.row_bytes)
        return np.frombuffer(content, self.dtype).reshape(stop - start, *self.shape[1:])


def open_vectors(path: str, place: Place, *, may_be_empty: bool = False) -> Npy:
    """The header of a file of vectors (n, d); n may be 0 where ``may_be_empty``.

    Raises:
        InputError: the file is missing, broken, or of another shape or type.
    """
    key = place.key("path")
    found = open_npy(path, key)
    if len(found.shape) != 2 or 0 in (found.shape[1:] if may_be_empty else found.shape):
        raise InputError(f"{key} {path} has the shape {found.shape}; it must be (n, d), one vector a row")
    if found.dtype.kind != "f" or found.dtype.itemsize > 8:
        raise InputError(f"{key} {path} holds {found.dtype}; it must hold float16, float32 or float64")
    return found


def rows_told(path: str) -> int | None:
    """The rows of which the header tells, whatever becomes of them; None where there is no header."""
    try:
        return _with_size(path)[0].shape[0]
    except (OSError, ValueError, IndexError):
        return None


def open_npy(path: str, key: str) -> Npy:
    """The header of a file of any array.

    Raises:
        InputError: the file is missing, broken, cut off, or in Fortran order.
    """
    try:
        found, size, is_fortran = _with_size(path)
    except FileNotFoundError as error:
        raise InputError(missing(path, key)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{key} {path} is no .npy file: {error}") from error
    shape = found.shape
    if is_fortran and len(shape) > 1:
        raise InputError(f"{key} {path} is in Fortran order; save numpy.ascontiguousarray(vectors)")
    wanted = found.offset + shape[0] * found.row_bytes if shape else found.offset
    if size < wanted:
        raise InputError(f"{key} {path} is cut off: {size} bytes, {wanted} for its shape {shape}; copy it again")
    return found


def _with_size(path: str) -> tuple[Npy, int, bool]:
    """The array, the bytes of its file, and whether it is in Fortran order."""
    filesystem, place = locate(path)
    with filesystem.open_input_file(place) as file:
        header = read_header(file)
        return Npy(path, header.shape, header.dtype, header.offset), file.size(), header.is_fortran
