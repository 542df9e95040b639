"""Folders of Parquet: read by Spark, and where it cannot, by pyarrow in the tasks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t
from pyspark.sql.pandas.types import from_arrow_type

from equipoise.errors import InputError
from equipoise.sources.arrow_types import Kind
from equipoise.sources.columns import column, is_file
from equipoise.sources.files import existing, loaded, silent, uri_of
from equipoise.sources.parquet_columns import odd_ones, wanted_columns
from equipoise.sources.parquet_files import NO_PARQUET, TableFile, names_of, table_files
from equipoise.sources.parquet_tasks import FILE, ROW, Unit, Wanted, kinds_seen, looks, rows
from equipoise.sources.user_table import DamagedFile, Request, UserTable, refusal

_WHAT = "a table: it is neither Delta nor Parquet, write it as one of them"
_INFERENCE = "spark.sql.sources.partitionColumnTypeInference.enabled"
_METADATA = "_metadata"
_LOOK = "number bigint, damage string, kinds binary, groups bigint"
_MARKS = re.compile(r"([\\*?\[\]{}])")
_FILES_PER_TASK = 16
_TASK_BYTES = 64 << 20
_MOST_TASKS = 20_000


class Look(NamedTuple):
    """A file that can be read: the kinds of the columns that were asked for, and its row groups."""

    file: TableFile
    kinds: Mapping[str, Kind]
    n_groups: int


def literal(path: str) -> str:
    """The path as Spark's readers take it for itself: none of its characters is a mark of a pattern."""
    return _MARKS.sub(r"\\\1", path)


def parquet_table(spark: SparkSession, request: Request) -> UserTable:
    """The wanted columns of a folder or file; the values of folders ``key=value`` are texts, as they are.

    Spark reads them. pyarrow does where Spark refuses a type (of any column), names that differ in case alone, or what
    lies beside the data; where a file is empty; and after a careful look.

    Raises:
        InputError: it does not exist, is no Parquet, lacks a column, or has damaged files that are not to be skipped.
    """
    files = table_files(uri_of(spark, request.path))
    by_spark = files is None or (_is_plain(files) and not request.is_careful)
    found = _by_spark(spark, request, files) if by_spark else None
    if found is None:
        return _by_arrow(spark, request, files or [])
    existing(found.columns, request.path, request.wanted, place=request.place)
    chosen = with_origin(found, request, with_row=True)
    return UserTable(request, found.columns, chosen, {name: name for name in request.names})


def with_origin(found: DataFrame, request: Request, *, with_row: bool) -> DataFrame:
    """The wanted columns, and the file (and row) of each row: for ids and paths of files, where Spark has them."""
    chosen = [column(name) for name in request.names]
    has_files = any(is_file(field.dataType) for field in found.schema if field.name in request.names)
    if (request.wanted.get("id") is None and not has_files) or any(name.lower() == _METADATA for name in found.columns):
        return found.select(*chosen)
    plus_kept = F.regexp_replace(F.col(f"{_METADATA}.file_path"), r"\+", "%2B")
    file = F.regexp_replace(F.url_decode(plus_kept), "^file:/+", "file:/")
    row = [F.col(f"{_METADATA}.row_index").alias(ROW)] if with_row else []
    try:
        return found.select(*chosen, file.alias(FILE), *row)
    except AnalysisException:  # a view, say
        return found.select(*chosen)


def look_at(
    spark: SparkSession, files: Sequence[TableFile], names: Sequence[str] | None, *, is_deep: bool
) -> tuple[list[Look], list[DamagedFile]]:
    """Those that can be read, and those that cannot: a row a file comes to the driver, which has listed them."""
    look = partial(looks, uris=[file.uri for file in files], columns=names, is_deep=is_deep)
    n_tasks = min(len(files), max(spark.sparkContext.defaultParallelism, -(-len(files) // _FILES_PER_TASK)))
    numbers = spark.range(0, len(files), 1, max(1, n_tasks))
    found = numbers.mapInArrow(look, _LOOK).collect()  # type: ignore[arg-type]  # bounded by the files that were listed
    read, damaged = [], []
    for number, damage, kinds, n_groups in sorted(found):
        if damage is None:
            read.append(Look(files[number], kinds_seen(bytes(kinds)), n_groups))
        else:
            damaged.append(DamagedFile(files[number].uri, damage))
    return read, damaged


@contextmanager
def _folders_as_text(spark: SparkSession) -> Iterator[None]:
    """The values of folders stay what they are: ``007`` is no 7, ``1d`` no 1.0."""
    before = spark.conf.get(_INFERENCE, None)
    spark.conf.set(_INFERENCE, "false")
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(_INFERENCE)
        else:
            spark.conf.set(_INFERENCE, before)


def _is_plain(files: Sequence[TableFile]) -> bool:
    """Whether Spark's reader looks at all of them: it passes over empty ones, and over folders beside ``key=value``."""
    has_folders = any(file.is_nested for file in files) and any(file.parts for file in files)
    return not has_folders and all(file.n_bytes != 0 for file in files)


def _by_spark(spark: SparkSession, request: Request, files: Sequence[TableFile] | None) -> DataFrame | None:
    """What Spark makes of it; None where it refuses files that are there."""
    reader = spark.read.option("recursiveFileLookup", any(file.is_nested for file in files or ()))
    load = partial(reader.parquet, literal(request.path))
    try:
        with silent(spark), _folders_as_text(spark):
            return loaded(request.path, _WHAT, load, place=request.place)
    except InputError:
        if files:
            return None
        raise


def _by_arrow(spark: SparkSession, request: Request, files: Sequence[TableFile]) -> UserTable:
    read, damaged = look_at(spark, files, request.names, is_deep=request.is_careful)
    odd = odd_ones([look.kinds for look in read])
    damaged += [DamagedFile(read[place].file.uri, detail) for place, detail in odd.items()]
    read = [look for place, look in enumerate(read) if place not in odd]
    _check_files(request, read, damaged)
    names = _names(request, read)
    keys = {name: request.key_of(name) for name in request.names}
    folders = {name for look in read for name in look.file.parts}
    columns = wanted_columns(keys, request.path, [look.kinds for look in read], folders)
    held = {column.name: column.held for column in columns}
    return UserTable(request, names, _rows(spark, read, columns, name=request.wanted.get("id")), held, damaged)


def _check_files(request: Request, read: Sequence[Look], damaged: Sequence[DamagedFile]) -> None:
    """Refuses damaged files, and a folder of which nothing is left."""
    if not read and all(file.detail == NO_PARQUET for file in damaged):
        first = f": {damaged[0].uri}, for one, is no Parquet" if damaged else ": it has no files"
        raise InputError(f"{request.place.key('path')} {request.path} cannot be read as {_WHAT}{first}")
    if damaged and (request.damaged != "skip" or not read):
        more = f", or have them rejected by {request.place.key('damaged')}: skip" if request.damaged and read else ""
        raise refusal(request, damaged, len(read) + len(damaged), way_out=f"write them anew or take them away{more}")


def _names(request: Request, read: Sequence[Look]) -> list[str]:
    """All columns, by the first file and by what the others have of the wanted ones."""
    own = names_of(read[0].file)
    every = [*own, *dict.fromkeys(name for look in read for name in (*look.kinds, *look.file.parts) if name not in own)]
    existing(every, request.path, request.wanted, place=request.place)
    for name in request.names:
        if every.count(name) > 1:
            raise InputError(
                f"{request.key_of(name)}: {request.path} has {every.count(name)} columns called {name!r}: "
                "write it with a name for each"
            )
    return every


def _rows(spark: SparkSession, read: Sequence[Look], columns: Sequence[Wanted], *, name: str | None) -> DataFrame:
    """The rows, a row group at a time; ``name``: of the column of ids, to tell where those without one are from."""
    units = [Unit(look.file, (group,)) for look in read for group in range(look.n_groups)]
    n_bytes = sum(look.file.n_bytes or 0 for look in read)
    n_tasks = min(len(units), _MOST_TASKS, max(spark.sparkContext.defaultParallelism, -(-n_bytes // _TASK_BYTES)))
    fields = [t.StructField(column.held, from_arrow_type(column.type)) for column in columns]
    has_origin = name is not None or any(is_file(field.dataType) for field in fields)
    fields += [t.StructField(FILE, t.StringType()), t.StructField(ROW, t.LongType())] if has_origin else []
    numbers = spark.range(0, len(units), 1, max(1, n_tasks))
    read_units = partial(rows, units=units, wanted=columns, identity=name)
    return numbers.mapInArrow(read_units, t.StructType(fields))  # type: ignore[arg-type]
