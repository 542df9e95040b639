"""Files and folders: found and listed, not read."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Place
from equipoise.errors import InputError, nearest
from equipoise.pipeline.items import RAW
from equipoise.pipeline.locating import missing
from equipoise.schemas import Col

# Columns of Spark's source "binaryFile".
_FILE = ("path", "modificationTime", "length")
_MISSING = "PATH_NOT_FOUND"
_EXCEPTION_CLASS = re.compile(r"^(?:[\w$]+\.)+[\w$]+: ")


def files(
    spark: SparkSession, path: str, extensions: Sequence[str], *, place: Place, labelled: bool = False
) -> DataFrame:
    """One raw item a file of these extensions (in any case): its uri is its key, and the same for ever.

    Raises:
        InputError: the path is missing.
    """
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", True)
    reader = reader.option("pathGlobFilter", _suffix_glob(extensions))
    listed = loaded(path, "files", lambda: reader.load(path), place=place).select(*_FILE)
    where, modified_at, length = (F.col(name) for name in _FILE)
    # One spelling of a store, whichever client of Hadoop's it is read through.
    uri = F.regexp_replace(where, "^s3[an]://", "s3://")
    label = F.element_at(F.split(uri, "/"), -2) if labelled else None
    columns = {
        Col.key: uri,
        Col.uri: uri,
        Col.modified_at: modified_at,
        Col.n_bytes: length,
        Col.label: label,
    }
    return raw(listed, columns)


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
        raise InputError(f"{place.key('path')} {path} cannot be read as {what}: {first_line(error)}") from error
    except Py4JJavaError as error:
        raise InputError(
            f"{place.key('path')} {path} cannot be read as {what}: {first_line(error.java_exception)}"
        ) from error


def first_line(error: object) -> str:
    """The first line of what Spark says, without the class of the exception: the rest is its plan or its stack."""
    return _EXCEPTION_CLASS.sub("", str(error).strip().partition("\n")[0])


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


def _suffix_glob(extensions: Sequence[str]) -> str:
    either_case = ("".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in e) for e in extensions)
    return f"*.{{{','.join(either_case)}}}"


def attribute_keys(names: Iterable[str]) -> dict[str, str]:
    """Key of the config -> column, for messages."""
    return {f"attributes.{name}": name for name in names}


def attribute_map(names: Iterable[str]) -> Column | None:
    """The columns of these names as text, by name; None for none."""
    pairs = [part for name in names for part in (F.lit(name), F.col(f"`{name}`").cast("string"))]
    return F.create_map(*pairs) if pairs else None
