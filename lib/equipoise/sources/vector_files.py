"""Vectors in ``.npy`` files: headers are read here, rows by the executors, a slice at a time."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import EmbeddingsSource, Place
from equipoise.pipeline.items import MISSING_ID, RAW
from equipoise.pipeline.reasons import DAMAGED_FILE
from equipoise.schemas import EMBEDDINGS, REJECTS, Col
from equipoise.sources.files import raw
from equipoise.sources.ids import whole_number
from equipoise.sources.npy_parts import Part, open_parts

_SLICES_PER_TASK = 8
_ROWS = t.StructType([RAW[Col.key], EMBEDDINGS.schema[Col.embedding], RAW[Col.uri], RAW[Col.detail]])
_VECTOR = pa.list_(pa.field("element", pa.float32(), nullable=False))


def npy_vectors(spark: SparkSession, source: EmbeddingsSource, place: Place) -> DataFrame:
    """Raw items with ``embedding``, one a row of the files; without ``ids`` the row number (from 0) is the id.

    Whole-number ids are taken as they are, other strings are hashed.

    Raises:
        InputError: a file is missing, broken, of another shape or type, or there is not one id a vector.
    """
    parts, damaged = open_parts(source, place)
    slice_rows = tuple(part.vectors.slice_rows for part in parts)
    ends = tuple(accumulate(-(-part.count // rows) for part, rows in zip(parts, slice_rows, strict=True)))
    read = partial(_slices, parts=parts, slice_rows=slice_rows, ends=ends)
    numbers = spark.range(0, ends[-1], 1, max(1, -(-ends[-1] // _SLICES_PER_TASK)))
    rows = numbers.mapInArrow(read, _ROWS)  # type: ignore[arg-type]
    key = F.col(Col.key)
    own = {name: F.col(name) for name in _ROWS.names}
    items = raw(rows, {**own, Col.given_id: whole_number(key), Col.reason: F.when(key.isNull(), MISSING_ID)})
    return items.unionByName(_rejects(spark, damaged)) if damaged else items


def _rejects(spark: SparkSession, damaged: Mapping[str, str]) -> DataFrame:
    """Raw items, one a file that cannot be read."""
    columns = {name: F.col(name) for name in (Col.uri, Col.detail)}
    nothing = F.lit(None).cast(EMBEDDINGS.schema[Col.embedding].dataType)
    files = spark.createDataFrame([*damaged.items()], t.StructType([REJECTS.schema[name] for name in columns]))
    return raw(files, {**columns, Col.key: columns[Col.uri], Col.reason: F.lit(DAMAGED_FILE), Col.embedding: nothing})


def _slices(
    batches: Iterable[pa.RecordBatch], *, parts: tuple[Part, ...], slice_rows: tuple[int, ...], ends: tuple[int, ...]
) -> Iterator[pa.RecordBatch]:
    """Slices by their numbers; ``ends``: of every part, the number after its last."""
    for batch in batches:
        for number in batch.column(0).to_pylist():
            place = bisect_right(ends, number)
            start = (number - (ends[place - 1] if place else 0)) * slice_rows[place]
            yield _rows(parts[place], start, min(start + slice_rows[place], parts[place].count))


def _rows(part: Part, start: int, stop: int) -> pa.RecordBatch:
    names = np.arange(part.first + start, part.first + stop) if part.ids is None else part.ids.rows(start, stop)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and so a reject
        rows = np.ascontiguousarray(part.vectors.rows(start, stop), dtype=np.float32)
    ends = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(rows.reshape(-1)), type=_VECTOR)
    keys = _keys(names)
    return pa.RecordBatch.from_arrays([keys, lists, *_places(part, start, keys)], names=_ROWS.names)


def _keys(names: NDArray[Any]) -> pa.Array:
    return pa.array([None if name is None else str(name) or None for name in names.tolist()], pa.string())


def _places(part: Part, start: int, keys: pa.Array) -> tuple[pa.Array, pa.Array]:
    """File and row, of those without an id alone."""
    if part.ids is None or not keys.null_count:
        return pa.nulls(len(keys), pa.string()), pa.nulls(len(keys), pa.string())
    told = [
        None if key.is_valid else f"row {row:,} has no id: {part.ids.place(row)}" for row, key in enumerate(keys, start)
    ]
    return pa.array([detail and part.vectors.uri for detail in told], pa.string()), pa.array(told, pa.string())
