"""The ids beside arrays of vectors: ``.npy``, text with one a line, or Parquet. Needs no Spark."""

from codecs import BOM_UTF8 as _BOM
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from equipoise.config import Place
from equipoise.errors import InputError, nearest
from equipoise.pipeline.locating import locate, missing
from equipoise.sources.npy import Npy, open_npy
from equipoise.sources.parquet_files import NO_PARQUET, damage, opened

_READ_BYTES = 1 << 20


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

    def place(self, row: int) -> str:
        """Where the id of a row stands."""
        return f"line {row + 1:,} of {self.uri}"


@dataclass(frozen=True)
class NpyIds:
    """Ids in an array (n,) of whole numbers or texts."""

    array: Npy

    @property
    def count(self) -> int:
        """How many there are."""
        return self.array.shape[0]

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """The ids of some rows.

        Raises:
            ValueError: one is no text in UTF-8.
        """
        found = self.array.rows(start, stop)
        if found.dtype.kind == "S":
            return np.char.decode(found, "utf-8")
        if found.dtype.kind == "U":
            "".join(found.tolist()).encode()  # halves of characters, and what is beyond them, are no text
        return found

    def place(self, row: int) -> str:
        """Where the id of a row stands."""
        return f"row {row:,} of {self.array.uri}"


@dataclass(frozen=True)
class ParquetIds:
    """A column of a Parquet file."""

    uri: str
    column: str
    count: int

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """The ids of some rows as texts, None where there is none; only the groups that hold them are read."""
        with opened(self.uri) as file:
            first, found = 0, []
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                if first < stop and first + n_rows > start:
                    ids = file.read_row_group(group, columns=[self.column]).column(0).cast(pa.string())
                    found.append(ids.slice(max(0, start - first), stop - max(start, first)))
                first += n_rows
        return np.asarray([one for part in found for one in part.to_pylist()], dtype=object)

    def place(self, row: int) -> str:
        """Where the id of a row stands."""
        return f"row {row:,} of {self.uri}"


Ids = Lines | NpyIds | ParquetIds


def open_ids(path: str, vectors: Npy, place: Place, *, column: str | None = None) -> Ids:
    """The ids beside a file of vectors: another ``.npy``, Parquet, or a text file with one a line.

    Args:
        path: of the file.
        vectors: whose ids they are.
        place: of the source in the config.
        column: of Parquet; ``id`` where it is not named.

    Raises:
        InputError: the file is missing, broken, holds what is no id, or there is not one a vector.
    """
    key = place.key("ids")
    ids: Ids
    if path.lower().endswith(".npy"):
        ids = _npy_ids(path, vectors.slice_rows, key)
    elif path.lower().endswith(".parquet"):
        ids = _parquet_ids(path, column, place)
    else:
        ids = _lines(path, vectors.slice_rows, key)
    if ids.count != vectors.shape[0]:
        raise InputError(
            f"{key} {path} has {ids.count} ids for {vectors.shape[0]} vectors; it must have one a row, in order"
        )
    return ids


def _npy_ids(path: str, slice_rows: int, key: str) -> NpyIds:
    array = open_npy(path, key)
    if len(array.shape) != 1 or array.dtype.kind not in "iuUS":
        raise InputError(f"{key} {path} holds {array.dtype} of shape {array.shape}; it must hold n integers or texts")
    ids = NpyIds(array)
    if array.dtype.kind in "US":
        for start in range(0, ids.count, slice_rows):
            stop = min(start + slice_rows, ids.count)
            try:  # the executors will: what is no text is told here
                ids.rows(start, stop)
            except ValueError as error:
                raise InputError(f"{key} {path}: a row from {start} to {stop - 1} is no UTF-8 text: {error}") from error
    return ids


def _parquet_ids(path: str, column: str | None, place: Place) -> ParquetIds:
    key, name = place.key("ids"), column or "id"
    try:
        with opened(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except FileNotFoundError as error:
        raise InputError(missing(path, key)) from error
    except (OSError, ValueError) as error:
        what = damage(path, error)
        raise InputError(f"{key} {path} is no Parquet file{'' if what == NO_PARQUET else f': {what}'}") from error
    if name not in schema.names:
        raise InputError(f"{place.key('id')}: {path} has no column {name!r}; {nearest(name, schema.names)}")
    kind = schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"{place.key('id')}: the column {name!r} of {path} is {kind}; it must hold integers or texts")
    return ParquetIds(path, name, count)


def _lines(path: str, slice_rows: int, key: str) -> Lines:
    starts, count, position = [0], 0, 0
    try:
        filesystem, place = locate(path)
        with BufferedReader(filesystem.open_input_stream(place), _READ_BYTES) as file:
            if file.peek(len(_BOM)).startswith(_BOM):
                starts = [position := len(file.read(len(_BOM)))]
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
