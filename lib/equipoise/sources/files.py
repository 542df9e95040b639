"""Files and folders: found and listed, not read."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from py4j.protocol import Py4JJavaError
from pyarrow import ArrowException
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import Place
from equipoise.errors import InputError, nearest
from equipoise.pipeline.items import RAW
from equipoise.pipeline.locating import is_local_alone, missing
from equipoise.schemas import POOL, Col
from equipoise.sources.columns import column
from equipoise.sources.listing import Folder
from equipoise.sources.surveying import Survey, dealt, few_kinds, files_listed, kinds_listed, survey
from equipoise.tables.commits import short

_FILE = t.StructType(
    [
        t.StructField(Col.uri, t.StringType()),
        t.StructField(Col.modified_at, t.LongType()),
        POOL.schema[Col.n_bytes],
        t.StructField(Col.reason, t.StringType()),
        t.StructField(Col.detail, t.StringType()),
    ]
)
_KINDS = t.StructType([t.StructField(Col.reason, t.StringType()), t.StructField(Col.n_items, t.LongType())])
_MOST_TASKS = 2048
MOST_NAMES = 1_000
"""Of fields that contents are looked through for, beside those that are wanted."""
_STORES = ("s3", "gs", "abfs", "abfss")
_SPELLED = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+):(//[^/]*)?(.*)$", re.DOTALL)
_MISSING = "PATH_NOT_FOUND"


def files(
    spark: SparkSession, path: str, extensions: Sequence[str], *, place: Place, labelled: bool = False
) -> DataFrame:
    """One raw item a file of these extensions (in any case): its uri is its key, and the same for ever.

    A path is a path: nothing in it is a pattern. The driver lists it while it is small, then tasks do. A file without
    bytes or whose name is no UTF-8, and a folder that may not be read, have a ``reason``.

    Raises:
        InputError: the path is missing, or its file system does not answer.
    """
    surveyed = _surveyed(spark, path, extensions, place=place)
    listed = spark.createDataFrame(surveyed.found, _FILE, verifySchema=False)  # MOST_FILES, about
    if surveyed.left:
        find = partial(files_listed, suffixes=_suffixes(extensions))
        listed = listed.unionByName(_by_tasks(spark, surveyed.left, find, _FILE))
    uri = F.col(Col.uri)
    columns = {
        Col.key: uri,
        Col.uri: uri,
        Col.modified_at: F.timestamp_millis(F.col(Col.modified_at)),
        Col.n_bytes: F.col(Col.n_bytes),
        Col.label: F.element_at(F.split(uri, "/"), -2) if labelled else None,
        Col.reason: F.col(Col.reason),
        Col.detail: F.col(Col.detail),
    }
    return raw(listed, columns)


def not_looked_at(spark: SparkSession, path: str, extensions: Sequence[str], *, place: Place) -> Counter[str]:
    """What :func:`files` passes over, by ending or by what it is: a job only where tasks list the path.

    Raises:
        InputError: as for :func:`files`.
    """
    surveyed = _surveyed(spark, path, extensions, place=place)
    passed = surveyed.passed
    if surveyed.left:
        find = partial(kinds_listed, suffixes=_suffixes(extensions))
        for kind, count in _by_tasks(spark, surveyed.left, find, _KINDS).collect():  # MOST_KINDS a task
            passed[kind] += count
    return few_kinds(passed)


def no_files(path: str, extensions: Sequence[str], place: Place) -> str:
    """How to go on where a folder has no file of these extensions."""
    return (
        f"{place.key('path')} {path} holds no file with one of the extensions {', '.join(extensions)}; "
        "point it at their folder (sub-folders are searched; names that begin with . are left out)"
    )


def uri_of(spark: SparkSession, path: str) -> str:
    """The one spelling of a path, as Hadoop has it: absolute, with its scheme, nothing encoded; ``s3`` for ``s3a``.

    Raises:
        Py4JJavaError: only Hadoop knows what it names, and does not.
    """
    match = _SPELLED.match(path)
    scheme, authority, rest = (match[1].lower(), match[2] or "", match[3]) if match else ("", "", path)
    scheme = {"s3a": "s3", "s3n": "s3"}.get(scheme, scheme)
    if scheme == "file" or (not scheme and is_local_alone()):
        absolute = os.path.abspath(f"/{authority}{rest}" if match else rest)
        return f"file:/{absolute.lstrip('/')}"
    if scheme in _STORES:
        return f"{scheme}:{authority}{os.path.normpath('/' + rest.lstrip('/'))}"
    jvm: Any = spark.sparkContext._jvm
    found = jvm.org.apache.hadoop.fs.Path(path)
    filesystem = found.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())  # type: ignore[attr-defined]
    return str(filesystem.makeQualified(found).toString())


def loaded(path: str, what: str, load: Callable[[], DataFrame], *, place: Place) -> DataFrame:
    """What ``load`` returns.

    Raises:
        InputError: the path does not exist, or holds something else than ``what``.
    """
    try:
        return load()
    except PySparkException as error:
        if _MISSING in str(error):
            raise InputError(missing(path, place.key("path"))) from error
        raise InputError(f"{place.key('path')} {path} cannot be read as {what}: {short(error)}") from error
    except Py4JJavaError as error:
        raise InputError(
            f"{place.key('path')} {path} cannot be read as {what}: {short(error.java_exception)}"
        ) from error


@contextmanager
def silent(spark: SparkSession) -> Iterator[None]:
    """Nothing goes to Spark's log: for what may fail in tasks, where the error says all that the log would."""
    jvm: Any = spark.sparkContext._jvm
    level = jvm.org.apache.logging.log4j.LogManager.getRootLogger().getLevel().toString()
    spark.sparkContext.setLogLevel("OFF")
    try:
        yield
    finally:
        spark.sparkContext.setLogLevel(level)


def raw(rows: DataFrame, columns: Mapping[str, Column | None]) -> DataFrame:
    """Raw items: ``columns`` by name, null for what a source does not have; names beside RAW's come after."""
    known = [(columns.get(f.name), f) for f in RAW]
    more = [column.alias(name) for name, column in columns.items() if name not in RAW.names and column is not None]
    return rows.select(
        *((F.lit(None) if column is None else column).cast(f.dataType).alias(f.name) for column, f in known),
        *more,
    )


def existing(columns: Iterable[str], path: str, wanted: Mapping[str, str | None], *, place: Place) -> None:
    """Checks that the columns (or fields) which the config names are there.

    Args:
        columns: those that are there.
        path: for the message.
        wanted: key of the config -> column that it names, or None.

    Raises:
        InputError: naming the key, the column and the nearest one.
    """
    columns = list(columns)
    for key, name in wanted.items():
        if name is not None and name not in columns:
            raise InputError(f"{place.key(key)}: {path} has no column {name!r}; {nearest(name, columns)}")


def existing_fields(names: DataFrame, path: str, wanted: Mapping[str, str | None], *, place: Place) -> None:
    """The same for fields that tasks found in contents (``name``, each once); where there are none nothing is said."""
    is_wanted = F.col(Col.name).isin(sorted({name for name in wanted.values() if name is not None}))
    found = [row[0] for row in names.orderBy(is_wanted.desc(), Col.name).take(MOST_NAMES)]
    if found:
        existing(found, path, wanted, place=place)


def attribute_keys(names: Iterable[str]) -> dict[str, str]:
    """Key of the config -> column, for messages."""
    return {f"attributes.{name}": name for name in names}


def attribute_map(names: Iterable[str], text: Callable[[str], Column] | None = None) -> Column | None:
    """The columns of these names as text, by name; None for none. ``text``: how a name becomes one."""
    of = text or (lambda name: column(name).cast("string"))
    pairs = [part for name in dict.fromkeys(names) for part in (F.lit(name), of(name))]
    return F.create_map(*pairs) if pairs else None


def _surveyed(spark: SparkSession, path: str, extensions: Sequence[str], *, place: Place) -> Survey:
    what = f"{place.key('path')} {path} cannot be read as files"
    try:
        return survey(uri_of(spark, path), _suffixes(extensions))
    except FileNotFoundError as error:
        raise InputError(missing(path, place.key("path"))) from error
    except Py4JJavaError as error:
        raise InputError(f"{what}: {short(error.java_exception)}") from error
    except (OSError, ValueError, ArrowException, PySparkException) as error:
        raise InputError(f"{what}: {short(error)}") from error


def _suffixes(extensions: Sequence[str]) -> tuple[str, ...]:
    return tuple(f".{extension.lower()}" if extension else "" for extension in extensions)


def _by_tasks(spark: SparkSession, folders: Sequence[Folder], listed: Callable[..., Any], schema: t.StructType) -> Any:
    """What ``listed`` makes of the folders, dealt to tasks."""
    hands = dealt(folders, min(len(folders), _MOST_TASKS))
    numbers = spark.range(0, len(hands), 1, len(hands))
    return numbers.mapInArrow(partial(listed, hands=hands), schema)  # type: ignore[arg-type]
