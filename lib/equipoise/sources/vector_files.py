"""Vectors in ``.npy`` files: the header is read here, the rows by the executors, a slice at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import EmbeddingsSource
from equipoise.errors import InputError
from equipoise.pipeline.content import locate
from equipoise.pipeline.items import RAW
from equipoise.schemas import EMBEDDINGS, Col
from equipoise.sources.files import missing, raw
from equipoise.sources.texts import whole_number

_SLICE_BYTES = 8 << 20
_SLICES_PER_TASK = 8
_READ_BYTES = 1 << 20
_ROWS = t.StructType([RAW[Col.key], EMBEDDINGS.schema[Col.embedding]])
_VECTOR = pa.list_(pa.field("element", pa.float32(), nullable=False))


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


def npy_vectors(spark: SparkSession, source: EmbeddingsSource) -> DataFrame:
    """Raw items with ``embedding``, one a row of the file; without ``ids`` the row number (from 0) is the id.

    Whole-number ids are taken as they are, other strings are hashed.

    Raises:
        InputError: a file is missing, broken, of another shape or type, or there is not one id a vector.
    """
    vectors = _vectors(source.path)
    slice_rows = max(1, _SLICE_BYTES // vectors.row_bytes)
    ids = None if source.ids is None else _ids(source.ids, slice_rows, vectors.shape[0])
    n_slices = -(-vectors.shape[0] // slice_rows)
    read = partial(_slices, vectors=vectors, ids=ids, slice_rows=slice_rows)
    numbers = spark.range(0, n_slices, 1, -(-n_slices // _SLICES_PER_TASK))
    rows = numbers.mapInArrow(read, _ROWS)  # type: ignore[arg-type]
    key = F.col(Col.key)
    return raw(rows, {Col.key: key, Col.given_id: whole_number(key), Col.embedding: F.col(Col.embedding)})


def npy_shape(path: str) -> tuple[int, int]:
    """Number and length of the vectors in a file, from its header alone.

    Raises:
        InputError: the file is missing, broken, or of another shape or type.
    """
    n, dim = _vectors(path).shape
    return n, dim


def _slices(
    batches: Iterable[pa.RecordBatch], *, vectors: Npy, ids: Npy | Lines | None, slice_rows: int
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            start, stop = number * slice_rows, min((number + 1) * slice_rows, vectors.shape[0])
            names = np.arange(start, stop) if ids is None else ids.rows(start, stop)
            with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and so a reject
                rows = np.ascontiguousarray(vectors.rows(start, stop), dtype=np.float32)
            ends = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
            lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(rows.reshape(-1)), type=_VECTOR)
            yield pa.RecordBatch.from_arrays([_names(names), lists], names=_ROWS.names)


def _names(names: NDArray[Any]) -> pa.Array:
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8")
    return pa.array([str(name) or None for name in names.tolist()], pa.string())


def _vectors(path: str) -> Npy:
    found = _header(path, "path")
    if len(found.shape) != 2 or 0 in found.shape:
        raise InputError(f"source.path {path} has the shape {found.shape}; it must be (n, d), one vector a row")
    if found.dtype.kind != "f" or found.dtype.itemsize > 8:
        raise InputError(f"source.path {path} holds {found.dtype}; it must hold float16, float32 or float64")
    return found


def _ids(path: str, slice_rows: int, n_vectors: int) -> Npy | Lines:
    ids: Npy | Lines
    if path.endswith(".npy"):
        ids = _header(path, "ids")
        if len(ids.shape) != 1 or ids.dtype.kind not in "iUS":
            raise InputError(
                f"source.ids {path} holds {ids.dtype} of shape {ids.shape}; it must hold n integers or texts"
            )
        count = ids.shape[0]
    else:
        ids = _lines(path, slice_rows)
        count = ids.count
    if count != n_vectors:
        raise InputError(f"source.ids {path} has {count} ids for {n_vectors} vectors; it must have one a row, in order")
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
        raise InputError(missing(path).replace("source.path", f"source.{key}", 1)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"source.{key} {path} is no .npy file: {error}") from error
    if is_fortran and len(shape) > 1:
        raise InputError(f"source.{key} {path} is in Fortran order; save numpy.ascontiguousarray(vectors)")
    wanted = found.offset + shape[0] * found.row_bytes if shape else found.offset
    if size < wanted:
        raise InputError(f"source.{key} {path} is cut off: {size} bytes, {wanted} for its shape {shape}; copy it again")
    return found


def _lines(path: str, slice_rows: int) -> Lines:
    starts, count, position = [0], 0, 0
    try:
        filesystem, place = locate(path)
        with BufferedReader(filesystem.open_input_stream(place), _READ_BYTES) as file:
            for line in file:
                count, position = count + 1, position + len(line)
                if count % slice_rows == 0:
                    starts.append(position)
    except FileNotFoundError as error:
        raise InputError(missing(path).replace("source.path", "source.ids", 1)) from error
    return Lines(path, count, slice_rows, (*starts, position))
