"""What tasks do with Parquet files by pyarrow: look at them, and read them. Needs no Spark but where it runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from equipoise.sources.arrow_types import Kind, kind_of, taken
from equipoise.sources.parquet_files import TableFile, batches, damage, kinds, opened

FILE, ROW = "file: of the row", "row: in the file"
"""Beside the wanted columns, where they are known: where a row is from, and its number from 0."""
LOOK = pa.schema([("number", pa.int64()), ("damage", pa.string()), ("kinds", pa.binary()), ("groups", pa.int64())])


@dataclass(frozen=True)
class Unit:
    """A file, or some of its row groups."""

    file: TableFile
    groups: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Wanted:
    """A column of the user's, under the name that it has in Spark's rows, and its type there."""

    name: str
    held: str
    type: pa.DataType


def looks(
    numbers: Iterable[pa.RecordBatch], *, uris: Sequence[str], columns: Sequence[str] | None, is_deep: bool
) -> Iterator[pa.RecordBatch]:
    """One row a file: what is wrong with it, else the kinds of the columns; ``is_deep``: every value is decoded."""
    for batch in numbers:
        rows = [_look(number, uris[number], columns, is_deep=is_deep) for number in batch.column(0).to_pylist()]
        yield pa.RecordBatch.from_pylist(rows, LOOK)


def _look(number: int, uri: str, columns: Sequence[str] | None, *, is_deep: bool) -> dict[str, object]:
    try:
        with opened(uri) as file:
            found = kinds(file, columns)
            for _ in batches(file, columns and list(found)) if is_deep else ():
                pass
            fields = pa.schema([kind.field(name) for name, kind in found.items()]).serialize().to_pybytes()
            return dict(zip(LOOK.names, (number, None, fields, file.metadata.num_row_groups), strict=True))
    except Exception as error:  # of any kind: it is the file's, and the others are to be looked at
        return dict(zip(LOOK.names, (number, damage(uri, error), None, None), strict=True))


def kinds_seen(fields: bytes) -> dict[str, Kind]:
    """The kinds of a look, by the column's name."""
    return {field.name: kind_of(field) for field in pa.ipc.read_schema(pa.BufferReader(fields))}


def rows(
    numbers: Iterable[pa.RecordBatch], *, units: Sequence[Unit], wanted: Sequence[Wanted], identity: str | None
) -> Iterator[pa.RecordBatch]:
    """The wanted columns of the units of these numbers; with ``identity``, those without an id have file and row.

    Where a column is of files (see :data:`FILE_FIELDS` of ``arrow_types``) all rows have both.

    Raises:
        OSError, pa.ArrowException: a file is damaged, or has another type.
    """
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            yield from _rows(units[number], wanted, identity)


def _rows(unit: Unit, wanted: Sequence[Wanted], identity: str | None) -> Iterator[pa.RecordBatch]:
    has_files = any(pa.types.is_struct(column.type) for column in wanted)
    with opened(unit.file.uri) as file:
        found = kinds(file, [column.name for column in wanted if column.name not in unit.file.parts])
        first = sum(file.metadata.row_group(group).num_rows for group in range(min(unit.groups or (0,))))
        for batch in batches(file, list(found), unit.groups):
            arrays = {column.held: _values(batch, column, found, unit.file) for column in wanted}
            ids = next((arrays[column.held] for column in wanted if column.name == identity), None)
            is_told = (
                pa.repeat(pa.scalar(True), batch.num_rows) if has_files else None if ids is None else _missing(ids)
            )
            origin = () if is_told is None else _origin(is_told, unit.file.uri, first)
            names = [*arrays, *(FILE, ROW)[: len(origin)]]
            yield pa.RecordBatch.from_arrays([*arrays.values(), *origin], names=names)
            first += batch.num_rows


def _missing(ids: pa.Array) -> pa.Array:
    """Which rows have no id."""
    is_missing = pc.is_null(ids)
    if pa.types.is_string(ids.type) or pa.types.is_binary(ids.type):
        is_missing = pc.or_(is_missing, pc.fill_null(pc.equal(pc.binary_length(ids), 0), False))
    return is_missing


def _origin(is_told: pa.Array, uri: str, first: int) -> tuple[pa.Array, pa.Array]:
    """File and row, of those rows alone of which they are told."""
    rows = pa.array(range(first, first + len(is_told)), pa.int64())
    return tuple(pc.if_else(is_told, value, pa.scalar(None, value.type)) for value in (pa.scalar(uri), rows))


def _values(batch: pa.RecordBatch, column: Wanted, found: dict[str, Kind], file: TableFile) -> pa.Array:
    """Of the folder's name, of the file, or null where it has no such column."""
    if column.name in file.parts:
        return pa.repeat(pa.scalar(file.parts[column.name], pa.string()), batch.num_rows)
    if column.name not in found:
        return pa.nulls(batch.num_rows, column.type)
    array = batch.column(batch.schema.names.index(column.name))
    return taken(array, found[column.name], column.type)
