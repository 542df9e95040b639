"""Arrays -> raw items, one a window: files are listed as others are, their windows by the tasks, from headers."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import ArraysSource, Place
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col
from equipoise.sources.array_rows import Row, rows_of
from equipoise.sources.batches import cut
from equipoise.sources.files import files, no_files, not_looked_at, raw
from equipoise.sources.reader import Reader

_ARROW = {
    Col.key: pa.string(),
    Col.uri: pa.string(),
    Col.modified_at: pa.timestamp("us", "UTC"),
    Col.n_bytes: pa.int64(),
    Col.content: pa.binary(),
    Col.label: pa.string(),
    Col.reason: pa.string(),
    Col.detail: pa.string(),
}
_ITEMS = t.StructType([RAW[name] for name in _ARROW])


def _items(spark: SparkSession, source: ArraysSource, place: Place) -> DataFrame:
    listed = files(spark, source.path, source.endings, place=place, labelled=source.label is not None)
    windows = listed.select(*_ARROW).mapInArrow(partial(_windows, source=source), _ITEMS)  # type: ignore[arg-type]
    return raw(windows, {name: F.col(name) for name in _ARROW})


def _windows(batches: Iterable[pa.RecordBatch], *, source: ArraysSource) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for file in batch.to_pylist():
            for together in cut(_of_file(file, source), lambda row: len(row.content or b"")):
                yield _batch(together, file)


def _of_file(file: dict[str, Any], source: ArraysSource) -> Iterator[Row]:
    if file[Col.reason] is not None:
        return iter([Row(file[Col.key], file[Col.uri], reason=file[Col.reason], detail=file[Col.detail])])
    return rows_of(file[Col.uri], source)


def _batch(rows: list[Row], file: dict[str, Any]) -> pa.RecordBatch:
    values = {
        Col.key: [row.key for row in rows],
        Col.uri: [row.uri for row in rows],
        Col.modified_at: [row.modified_at or file[Col.modified_at] for row in rows],
        Col.n_bytes: [row.n_bytes for row in rows],
        Col.content: [row.content for row in rows],
        Col.label: [file[Col.label]] * len(rows),
        Col.reason: [row.reason for row in rows],
        Col.detail: [row.detail for row in rows],
    }
    columns = [pa.array(values[name], kind) for name, kind in _ARROW.items()]
    return pa.RecordBatch.from_arrays(columns, names=list(_ARROW))


def _passed(spark: SparkSession, source: ArraysSource, place: Place) -> Counter[str]:
    return not_looked_at(spark, source.path, source.endings, place=place)


def _nothing(source: ArraysSource, place: Place) -> str:
    return no_files(source.path, source.endings, place)


ARRAYS = Reader(_items, _passed, _nothing)
