"""Arrays in ``.npy`` files, and the ids beside them: headers and slices. Needs no Spark."""

from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.pipeline.locating import locate, missing

SLICE_BYTES = 8 << 20
_READ_BYTES = 1 << 20


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


@dataclass(frozen=True)
class Lines:
    """A text file with one id a line; ``starts``: the byte at which each slice begins."""

    uri: str
    count: int
    slice_rows: int
    starts: tuple[int, ...]

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """The ids of a slice; ``start`` must be the first row of one."""
        filesystem, path = locate(self.uri)
        with filesystem.open_input_file(path) as file:
            file.seek(self.starts[start // self.slice_rows])
            lines = file.read(self.starts[start // self.slice_rows + 1] - file.tell()).decode().split("\n")
        return np.asarray([line.strip() for line in lines[: stop - start]], dtype=object)


def open_vectors(path: str, place: Place) -> Npy:
    """The header of a file of vectors (n, d).

    Raises:
        InputError: the file is missing, broken, or of another shape or type.
    """
    key = place.key("path")
    found = _header(path, key)
    if len(found.shape) != 2 or 0 in found.shape:
        raise InputError(f"{key} {path} has the shape {found.shape}; it must be (n, d), one vector a row")
    if found.dtype.kind != "f" or found.dtype.itemsize > 8:
        raise InputError(f"{key} {path} holds {found.dtype}; it must hold float16, float32 or float64")
    return found


def open_ids(path: str, vectors: Npy, place: Place) -> Npy | Lines:
    """The ids beside a file of vectors: another ``.npy``, or a text file with one a line.

    Raises:
        InputError: the file is missing, broken, or there is not one id a vector.
    """
    key = place.key("ids")
    ids: Npy | Lines
    if path.endswith(".npy"):
        ids = _header(path, key)
        if len(ids.shape) != 1 or ids.dtype.kind not in "iUS":
            raise InputError(f"{key} {path} holds {ids.dtype} of shape {ids.shape}; it must hold n integers or texts")
        count = ids.shape[0]
    else:
        ids = _lines(path, vectors.slice_rows, key)
        count = ids.count
    if count != vectors.shape[0]:
        raise InputError(
            f"{key} {path} has {count} ids for {vectors.shape[0]} vectors; it must have one a row, in order"
        )
    return ids


def _header(path: str, key: str) -> Npy:
    try:
        filesystem, place = locate(path)
        with filesystem.open_input_file(place) as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, is_fortran, dtype = read(file)
            found, size = Npy(path, shape, dtype, file.tell()), file.size()
    except FileNotFoundError as error:
        raise InputError(missing(path, key)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{key} {path} is no .npy file: {error}") from error
    if is_fortran and len(shape) > 1:
        raise InputError(f"{key} {path} is in Fortran order; save numpy.ascontiguousarray(vectors)")
    wanted = found.offset + shape[0] * found.row_bytes if shape else found.offset
    if size < wanted:
        raise InputError(f"{key} {path} is cut off: {size} bytes, {wanted} for its shape {shape}; copy it again")
    return found


def _lines(path: str, slice_rows: int, key: str) -> Lines:
    starts, count, position = [0], 0, 0
    try:
        filesystem, place = locate(path)
        with BufferedReader(filesystem.open_input_stream(place), _READ_BYTES) as file:
            for line in file:
                count, position = count + 1, position + len(line)
                line.decode()  # the executors will: what is no text is told here, by its number
                if count % slice_rows == 0:
                    starts.append(position)
    except FileNotFoundError as error:
        raise InputError(missing(path, key)) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{key} {path}: line {count} is no UTF-8 text: {error.reason}; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{key} {path} cannot be read as ids, one a line: {error}") from error
    return Lines(path, count, slice_rows, (*starts, position))
