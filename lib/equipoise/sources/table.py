"""Delta and Parquet: folders, or tables of the catalog."""

import re
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import EmbeddingsSource, Place, TableSource
from equipoise.errors import InputError
from equipoise.schemas import Col
from equipoise.sources.files import attribute_keys, attribute_map, existing, loaded, raw, silent

MISSING_CONTENT = "missing_content"
_NAME = re.compile(r"^\w[\w\-]*(\.\w[\w\-]*){1,2}$")
_WHOLE = (t.ByteType, t.ShortType, t.IntegerType, t.LongType)
_NUMBERS = (t.FloatType, t.DoubleType)


def user_table(spark: SparkSession, path: str, place: Place) -> DataFrame:
    """The rows of a Delta or Parquet folder, or of a table ``catalog.schema.table``.

    Raises:
        InputError: it does not exist, or is neither Delta nor Parquet.
    """
    if is_catalog_table(spark, path):
        return spark.table(path)
    if DeltaTable.isDeltaTable(spark, path):
        return loaded(path, "a Delta table", lambda: spark.read.format("delta").load(path), place=place)
    what = "a table: it is neither Delta nor Parquet, write it as one of them"
    with silent(spark):
        return loaded(path, what, lambda: spark.read.parquet(path), place=place)


def is_catalog_table(spark: SparkSession, path: str) -> bool:
    """Whether the path is no folder but the name of a table that the catalog has."""
    return bool(_NAME.match(path)) and not Path(path).exists() and spark.catalog.tableExists(path)


def newest_commit(spark: SparkSession, name: str) -> str:
    """Version and time of the newest commit to a Delta table of the catalog.

    Raises:
        PySparkException: it is not Delta.
    """
    version, at = DeltaTable.forName(spark, name).history(1).select("version", "timestamp").collect()[0]
    return f"{version}, {at}"


def table_items(spark: SparkSession, source: TableSource, place: Place) -> DataFrame:
    """Raw items, one a row. Key: the id, else the uri, else the SHA-256 of the content.

    An id of a whole-number type is the item's id itself.

    Raises:
        InputError: the table or a column that the config names is not there, or a column has another type.
    """
    rows = user_table(spark, source.path, place)
    named = {key: getattr(source, key) for key in ("id", "uri", "content", "label")}
    existing(rows.columns, source.path, {**named, **attribute_keys(source.attributes)}, place=place)
    content, uri = (_column(named[key]) for key in ("content", "uri"))
    if content is not None:
        _check_type(rows, source.path, (place.key("content"), str(source.content), (t.StringType, t.BinaryType)))
    present = [column for column in (content, uri) if column is not None]
    absent = F.coalesce(*(column.cast("binary") for column in present)).isNull()
    keyless = uri if uri is not None else F.sha2(present[0].cast("binary"), 256)
    columns = {
        **_identity(rows, source, keyless, place=place),
        Col.uri: uri,
        Col.n_bytes: None if content is None else F.length(content.cast("binary")),
        Col.content: content,
        Col.label: _column(source.label),
        Col.attributes: attribute_map(source.attributes),
        Col.reason: F.when(absent, MISSING_CONTENT),
        Col.detail: F.when(absent, "the row has neither content nor uri"),
    }
    return raw(rows, columns)


def table_vectors(spark: SparkSession, source: EmbeddingsSource, place: Place) -> DataFrame:
    """Raw items with ``embedding`` ARRAY<FLOAT>, one a row.

    Raises:
        InputError: as for :func:`table_items`; no id is named, or the vectors are no arrays of numbers.
    """
    rows = user_table(spark, source.path, place)
    named = {key: getattr(source, key) for key in ("id", "vector", "uri", "label")}
    existing(rows.columns, source.path, {**named, **attribute_keys(source.attributes)}, place=place)
    if source.id is None:
        raise InputError(
            f"{place.key('id')} is missing: rows of {source.path} have no lasting order to number them by; "
            f"name the column with their ids, one of {', '.join(rows.columns)}"
        )
    kind = rows.schema[source.vector].dataType
    if not (isinstance(kind, t.ArrayType) and isinstance(kind.elementType, _NUMBERS)):
        raise InputError(
            f"{place.key('vector')}: the column {source.vector!r} of {source.path} is {kind.simpleString()}; "
            "it must be array<float> or array<double>"
        )
    columns = {
        **_identity(rows, source, place=place),
        Col.uri: _column(source.uri),
        Col.label: _column(source.label),
        Col.attributes: attribute_map(source.attributes),
        Col.embedding: F.col(f"`{source.vector}`").cast("array<float>"),
    }
    return raw(rows, columns)


def _identity(
    rows: DataFrame, source: TableSource | EmbeddingsSource, keyless: Column | None = None, *, place: Place
) -> dict[str, Column | None]:
    name = source.id
    if name is None:
        return {Col.key: keyless}
    _check_type(rows, source.path, (place.key("id"), name, (*_WHOLE, t.StringType)))
    given = F.col(f"`{name}`")
    whole = isinstance(rows.schema[name].dataType, _WHOLE)
    return {Col.key: given.cast("string"), Col.given_id: given if whole else None}


def _check_type(rows: DataFrame, path: str, wanted: tuple[str, str, tuple[type[t.DataType], ...]]) -> None:
    key, name, kinds = wanted
    kind = rows.schema[name].dataType
    if not isinstance(kind, kinds):
        known = ", ".join(dict.fromkeys(wanted_kind.typeName() for wanted_kind in kinds))
        raise InputError(f"{key}: the column {name!r} of {path} is {kind.simpleString()}; it must be one of {known}")


def _column(name: str | None) -> Column | None:
    return None if name is None else F.col(f"`{name}`")
