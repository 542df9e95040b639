"""Vectors in ``.npy`` files: the header is read here, the rows by the executors, a slice at a time."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import EmbeddingsSource, Place
from equipoise.pipeline.items import RAW
from equipoise.schemas import EMBEDDINGS, Col
from equipoise.sources.files import raw
from equipoise.sources.ids import whole_number
from equipoise.sources.npy import Lines, Npy, open_ids, open_vectors

_SLICES_PER_TASK = 8
_ROWS = t.StructType([RAW[Col.key], EMBEDDINGS.schema[Col.embedding]])
_VECTOR = pa.list_(pa.field("element", pa.float32(), nullable=False))


def npy_vectors(spark: SparkSession, source: EmbeddingsSource, place: Place) -> DataFrame:
    """Raw items with ``embedding``, one a row of the file; without ``ids`` the row number (from 0) is the id.

    Whole-number ids are taken as they are, other strings are hashed.

    Raises:
        InputError: a file is missing, broken, of another shape or type, or there is not one id a vector.
    """
    vectors = open_vectors(source.path, place)
    slice_rows = vectors.slice_rows
    ids = None if source.ids is None else open_ids(source.ids, vectors, place)
    n_slices = -(-vectors.shape[0] // slice_rows)
    read = partial(_slices, vectors=vectors, ids=ids, slice_rows=slice_rows)
    numbers = spark.range(0, n_slices, 1, -(-n_slices // _SLICES_PER_TASK))
    rows = numbers.mapInArrow(read, _ROWS)  # type: ignore[arg-type]
    key = F.col(Col.key)
    return raw(rows, {Col.key: key, Col.given_id: whole_number(key), Col.embedding: F.col(Col.embedding)})


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
