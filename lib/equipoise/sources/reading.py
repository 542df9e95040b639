"""A source of the config -> raw items, by its kind: a kind is a module, and a line of ``READERS``."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Place, Source
from equipoise.schemas import Col
from equipoise.sources.arrays import ARRAYS
from equipoise.sources.embeddings import EMBEDDINGS
from equipoise.sources.images import IMAGES
from equipoise.sources.reader import Reader
from equipoise.sources.surveying import few_kinds, shown
from equipoise.sources.table import TABLE
from equipoise.sources.texts import TEXTS
from equipoise.sources.user_table import carefully
from equipoise.sources.webdataset import WEBDATASET

T = TypeVar("T")
_MOST_KINDS = 1_000

READERS: Mapping[str, Reader[Any]] = {
    "images": IMAGES,
    "webdataset": WEBDATASET,
    "texts": TEXTS,
    "table": TABLE,
    "embeddings": EMBEDDINGS,
    "arrays": ARRAYS,
}


def raw_items(spark: SparkSession, source: Source, place: Place, *, is_careful: bool = False) -> DataFrame:
    """The raw items of a source, not yet read where they are files; ready-made vectors bring ``embedding``.

    ``is_careful``: every value of a table's files is looked at first, see :func:`read_carefully`.

    Raises:
        InputError: the path is missing, of another format, or lacks a column.
    """
    reader = READERS[source.kind]
    read = reader.careful_items if is_careful and reader.careful_items else reader.items
    return read(spark, source, place)


def read_carefully(source: Source, read: Callable[[bool], T]) -> T:
    """What ``read`` makes of :func:`raw_items`, which it is to ask with the ``is_careful`` that it is called with.

    It is called a second time where files of a table cannot be read.
    """
    return carefully(read) if READERS[source.kind].careful_items else read(False)


def passed_over(spark: SparkSession, source: Source, place: Place) -> Counter[str]:
    """Files below the path of a source that are none of its kind, by ending or by what they are; of Delta none.

    Raises:
        InputError: the path is missing.
    """
    return Counter(READERS[source.kind].passed(spark, source, place))


def passed_inside(items: DataFrame) -> Counter[str]:
    """What lies inside the files of a source and is no item: a job, but only of kinds of sources that tell it."""
    if Col.passed not in items.columns:
        return Counter()
    kinds = items.select(F.explode(Col.passed).alias(Col.name, Col.n_items))
    counted = kinds.groupBy(Col.name).agg(F.sum(Col.n_items).alias(Col.n_items))
    most = counted.orderBy(F.desc(Col.n_items), Col.name).take(_MOST_KINDS)
    return few_kinds({kind: int(count) for kind, count in most})


def nothing_found(source: Source, place: Place, passed: Mapping[str, int] | None = None) -> str:
    """The message for a source without any items; ``passed`` is what :func:`passed_over` found."""
    seen = f"; not looked at: {shown(passed)}" if passed else ""
    return f"{READERS[source.kind].nothing(source, place)}{seen}"
