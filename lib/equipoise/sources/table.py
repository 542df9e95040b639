"""Delta and Parquet: folders, or tables of the catalog."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import EmbeddingsSource, Place, TableSource
from equipoise.errors import InputError
from equipoise.pipeline.items import MISSING_ID, RAW
from equipoise.pipeline.reasons import DAMAGED_FILE, MISSING_CONTENT
from equipoise.schemas import Col
from equipoise.sources.arrow_types import FILE_FIELDS
from equipoise.sources.columns import BYTES, as_text, is_file
from equipoise.sources.files import attribute_keys, attribute_map, existing, loaded, raw, uri_of
from equipoise.sources.ids import LARGEST, SMALLEST
from equipoise.sources.parquet import look_at, parquet_table, with_origin
from equipoise.sources.parquet_files import stored_files
from equipoise.sources.passing import passed_in_table
from equipoise.sources.reader import Reader, no_rows
from equipoise.sources.user_table import Request, UserTable, refusal

_NAME = re.compile(r"^\w[\w\-]*(\.\w[\w\-]*){1,2}$")
_WHOLE = (t.ByteType, t.ShortType, t.IntegerType, t.LongType)
_DELTA = "a Delta table"


def user_table(spark: SparkSession, request: Request) -> UserTable:
    """Columns of a Delta or Parquet folder, or of a table ``catalog.schema.table``.

    Raises:
        InputError: it does not exist, is neither Delta nor Parquet, lacks a column, or has damaged files.
    """
    path = request.path
    if is_catalog_table(spark, path):
        return _stored(spark, request, spark.table(path))
    if not DeltaTable.isDeltaTable(spark, path):
        return parquet_table(spark, request)
    load = partial(spark.read.format("delta").load, path)
    return _stored(spark, request, loaded(path, _DELTA, load, place=request.place))


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


def table_items(spark: SparkSession, source: TableSource, place: Place, *, is_careful: bool = False) -> DataFrame:
    """Raw items, one a row. Key: the id, else the uri, else the SHA-256 of the content.

    A whole number that fits BIGINT is the item's id itself. Contents may be files as ``datasets`` has them: what has no
    bytes is read from its path, which begins at the folder of the table's file.

    Raises:
        InputError: as for :func:`user_table`, or a column has another type.
    """
    table = user_table(spark, _request(source, ("id", "uri", "content", "label"), place, is_careful=is_careful))
    content, uri, keyless = _contents(table, source)
    present = [given.cast("binary") for given in (content, uri) if given is not None]
    absent = F.coalesce(*present).isNull()
    columns = {
        **_identity(table, source.id, keyless=keyless),
        Col.uri: uri,
        Col.n_bytes: None if content is None else F.length(content.cast("binary")),
        Col.content: content,
        Col.label: _text(table, source.label),
        Col.attributes: attribute_map(source.attributes, table.text),
        Col.reason: F.when(absent, MISSING_CONTENT),
        Col.detail: F.when(absent, "the row has neither content nor uri"),
        Col.url: _text(table, source.url_field),
    }
    return _with_damaged(raw(table.rows, _told(columns, table, source.id)), table)


def table_vectors(
    spark: SparkSession, source: EmbeddingsSource, place: Place, *, is_careful: bool = False
) -> DataFrame:
    """Raw items with ``embedding`` ARRAY<FLOAT>, one a row.

    Raises:
        InputError: as for :func:`table_items`; no id is named, or the vectors are no lists of numbers.
    """
    table = user_table(spark, _request(source, ("id", "vector", "uri", "label"), place, is_careful=is_careful))
    if source.id is None:
        raise InputError(
            f"{place.key('id')} is missing: rows of {source.path} have no lasting order to number them by; "
            f"name the column with their ids, one of {', '.join(table.columns)}"
        )
    columns = {
        **_identity(table, source.id),
        Col.uri: _text(table, source.uri),
        Col.label: _text(table, source.label),
        Col.attributes: attribute_map(source.attributes, table.text),
        Col.embedding: table.vector(source.vector),
    }
    return _with_damaged(raw(table.rows, _told(columns, table, source.id)), table)


def passed_by_tables(spark: SparkSession, source: TableSource | EmbeddingsSource, place: Place) -> Mapping[str, int]:
    """What no reader of tables looks at below a path; nothing of a table of the catalog."""
    return {} if is_catalog_table(spark, source.path) else passed_in_table(uri_of(spark, source.path))


def _request(
    source: TableSource | EmbeddingsSource, keys: tuple[str, ...], place: Place, *, is_careful: bool
) -> Request:
    pages = {"block.url": source.url_field} if source.blocks and source.blocks.url else {}
    wanted = {**{key: getattr(source, key) for key in keys}, **pages, **attribute_keys(source.attributes)}
    return Request(source.path, wanted, place, source.damaged, is_careful)


def _stored(spark: SparkSession, request: Request, found: DataFrame) -> UserTable:
    """Columns of a table that knows its files: none of them can be left out."""
    existing(found.columns, request.path, request.wanted, place=request.place)
    if request.is_careful:
        files = stored_files(found.inputFiles())
        _, damaged = look_at(spark, files, None, is_deep=True)
        if damaged:
            way_out = "the table counts on every file: bring them back, or restore an earlier version of it"
            raise refusal(request, damaged, len(files), way_out=way_out)
    chosen = with_origin(found, request, with_row=False)
    return UserTable(request, found.columns, chosen, {name: name for name in request.names})


def _contents(table: UserTable, source: TableSource) -> tuple[Column | None, Column | None, Column]:
    """Content and uri, None where the source names none, and what makes the key of a row without an id."""
    uri = _text(table, source.uri)
    if source.content is None:
        return None, uri, F.lit(None) if uri is None else uri
    content = table.column(source.content)
    if not is_file(table.kind(source.content)):
        _check_type(table, "content", source.content, BYTES)
        return content, uri, F.sha2(content.cast("binary"), 256) if uri is None else uri
    content, path = (content[name] for name in FILE_FIELDS)
    place = F.when(content.isNull(), _beside(as_text(path, t.StringType()), table.origin()[0]))
    if uri is None:
        return content, place, F.coalesce(place, F.sha2(content, 256))
    return content, F.coalesce(place, uri), uri


def _beside(path: Column, file: Column) -> Column:
    """A path from the folder of a file on, where it begins at no root; null where it is empty."""
    folder = F.regexp_extract(file, "(?s)^(.*/)[^/]*$", 1)
    is_whole = path.rlike(r"^(/|[A-Za-z][A-Za-z0-9+.\-]+:)") | file.isNull()
    return F.when(path != "", F.when(is_whole, path).otherwise(F.concat(folder, path)))


def _identity(table: UserTable, name: str | None, keyless: Column | None = None) -> dict[str, Column | None]:
    if name is None:
        return {Col.key: keyless}
    kind, given = table.kind(name), table.column(name)
    if isinstance(kind, t.DecimalType) and kind.scale == 0:  # uint64, for one
        fits = given.between(F.lit(SMALLEST), F.lit(LARGEST))
        return {Col.key: table.text(name), Col.given_id: F.when(fits, given).cast("bigint")}
    _check_type(table, "id", name, (*_WHOLE, *BYTES))
    text = table.text(name)
    return {Col.key: F.when(text != "", text), Col.given_id: given if isinstance(kind, _WHOLE) else None}


def _told(columns: dict[str, Column | None], table: UserTable, name: str | None) -> dict[str, Column | None]:
    """The same with the reason ``missing_id``, and file and row, of those without the id that is named."""
    if name is None:
        return columns
    given = {key: F.lit(None).cast("string") if one is None else one for key, one in columns.items()}
    file, row = table.origin()
    is_missing = columns[Col.key].isNull()  # type: ignore[union-attr]
    reason, detail, uri = (given.get(key, F.lit(None).cast("string")) for key in (Col.reason, Col.detail, Col.uri))
    told = F.concat(F.concat_ws(" of ", row, file), F.lit(f": it has no {name}"))
    return {
        **columns,
        Col.uri: F.coalesce(uri, F.when(is_missing, file)),
        Col.reason: F.coalesce(reason, F.when(is_missing, MISSING_ID)),
        Col.detail: F.coalesce(detail, F.when(is_missing, told)),
    }


def _text(table: UserTable, name: str | None) -> Column | None:
    return None if name is None else table.text(name)


def _check_type(table: UserTable, key: str, name: str, kinds: tuple[type[t.DataType], ...]) -> None:
    kind, request = table.kind(name), table.request
    if not isinstance(kind, kinds):
        known = ", ".join(dict.fromkeys(wanted.typeName() for wanted in kinds))
        raise InputError(
            f"{request.place.key(key)}: the column {name!r} of {request.path} is {kind.simpleString()}; "
            f"it must be one of {known}"
        )


def _with_damaged(items: DataFrame, table: UserTable) -> DataFrame:
    """Adds one row, with its reason, for every file that is skipped."""
    if not table.damaged:
        return items
    names = (Col.key, Col.uri, Col.reason, Col.detail)
    rows = [(file.uri, file.uri, DAMAGED_FILE, file.detail) for file in table.damaged]
    files = items.sparkSession.createDataFrame(rows, t.StructType([RAW[name] for name in names]))
    return items.unionByName(raw(files, {name: F.col(name) for name in names}), allowMissingColumns=True)


TABLE = Reader(table_items, passed_by_tables, no_rows, careful_items=partial(table_items, is_careful=True))
