"""Tar shards -> raw items, a task some shards: each is gone through from header to header, never held."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import Place, WebDatasetSource
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col
from equipoise.sources.batches import dated_rows
from equipoise.sources.files import (
    MOST_NAMES,
    attribute_keys,
    existing_fields,
    files,
    no_files,
    not_looked_at,
    raw,
)
from equipoise.sources.reader import Reader
from equipoise.sources.tar_files import opened_tar
from equipoise.sources.tar_samples import PARENT, samples, shard_rows

SHARDS = ("tar",)
_SHARDS_PER_TASK = 2
_MOST_TASKS = 20_000
_SAMPLED = 20
_ROWS_AT_ONCE = 4096
_PASSED = t.MapType(t.StringType(), t.LongType())
_ITEMS = t.StructType(
    [
        *(field for field in RAW if field.name not in (Col.given_id, Col.content)),
        t.StructField(Col.url, t.StringType()),
        t.StructField(Col.passed, _PASSED),
    ]
)
_NAMES = t.StructType([t.StructField(Col.name, t.StringType())])
_ARROW = {
    Col.key: pa.string(),
    Col.uri: pa.string(),
    Col.n_bytes: pa.int64(),
    Col.label: pa.string(),
    Col.attributes: pa.map_(pa.string(), pa.string()),
    Col.reason: pa.string(),
    Col.detail: pa.string(),
    Col.url: pa.string(),
    Col.passed: pa.map_(pa.string(), pa.int64()),
}


def shard_items(spark: SparkSession, source: WebDatasetSource, place: Place) -> DataFrame:
    """Raw items, one a picture, with ``passed`` beside: what of a shard is none, by kind, in one row of each.

    Key: the shard's uri and the member's name. Time: the shard's, so that what is in a changed one is compared.

    Raises:
        InputError: the path is missing, or no sample has a field that the config names.
    """
    listed = files(spark, source.path, SHARDS, place=place)
    present = listed.where(F.col(Col.reason).isNull()).select(Col.uri, Col.modified_at)
    n_shards, first = present.agg(F.count(F.lit(1)), F.min(Col.uri)).collect()[0]  # one row
    unusable = listed.where(F.col(Col.reason).isNotNull())
    if not n_shards:
        return unusable
    dealt = present.repartition(min(_MOST_TASKS, -(-n_shards // _SHARDS_PER_TASK)))
    _check_fields(dealt, source, first, place)
    rows = dealt.mapInArrow(partial(_items, source=source), _ITEMS)  # type: ignore[arg-type]
    items = raw(rows, {name: F.col(name) for name in _ITEMS.names})
    return items.unionByName(unusable, allowMissingColumns=True)


def _items(batches: Iterable[pa.RecordBatch], *, source: WebDatasetSource) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for uri, modified_at in zip(batch.column(Col.uri).to_pylist(), batch.column(Col.modified_at), strict=True):
            rows = shard_rows(uri, source)
            while some := list(islice(rows, _ROWS_AT_ONCE)):
                yield dated_rows(some, modified_at, kinds=_ARROW, names=_ITEMS.names)


def _check_fields(shards: DataFrame, source: WebDatasetSource, first: str, place: Place) -> None:
    """Looks into all shards only where the first samples of one lack a field."""
    label = None if source.label == PARENT else source.label
    named = {"label": label, "block.url": source.url_field, **attribute_keys(source.attributes)}
    wanted = {name for name in named.values() if name is not None}
    if not wanted or wanted <= _names_in(first, source, n_samples=_SAMPLED):
        return
    names = shards.mapInArrow(partial(_names, source=source, wanted=wanted), _NAMES).distinct()  # type: ignore[arg-type]
    existing_fields(names, source.path, named, place=place)


def _names(
    batches: Iterable[pa.RecordBatch], *, source: WebDatasetSource, wanted: set[str]
) -> Iterator[pa.RecordBatch]:
    """The names of fields, those that are wanted and some others, once a shard."""
    for uri in (uri for batch in batches for uri in batch.column(Col.uri).to_pylist()):
        names = sorted(_names_in(uri, source, wanted=wanted))
        yield pa.RecordBatch.from_arrays([pa.array(names, pa.string())], names=_NAMES.names)


def _names_in(
    uri: str, source: WebDatasetSource, *, n_samples: int | None = None, wanted: Iterable[str] = ()
) -> set[str]:
    """The fields of samples of a shard, as far as it can be read; beyond some only those that are wanted."""
    seen: set[str] = set()
    try:
        with opened_tar(uri) as reader:
            for sample in islice(samples(reader, source, Counter()), n_samples):
                seen |= sample.names if len(seen) < MOST_NAMES else sample.names & {*wanted}
    except (OSError, ValueError):  # told where its items are read
        return seen
    return {name.encode(errors="replace").decode() for name in seen}


def _passed(spark: SparkSession, source: WebDatasetSource, place: Place) -> Counter[str]:
    return not_looked_at(spark, source.path, SHARDS, place=place)


def _nothing(source: WebDatasetSource, place: Place) -> str:
    return (
        f"{no_files(source.path, SHARDS, place)}; compressed shards (.tar.gz) have no places to read from: unpack them"
    )


WEBDATASET = Reader(shard_items, _passed, _nothing)
