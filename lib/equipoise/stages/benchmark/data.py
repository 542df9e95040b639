"""The vectors of benchmarks: from tables or ``.npz`` files to arrays on the driver, which a limit bounds."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.errors import InputError
from equipoise.pipeline.locating import locate, missing
from equipoise.pipeline.reduction import most_result_bytes
from equipoise.schemas import Col
from equipoise.sources.files import existing
from equipoise.sources.table import user_table
from equipoise.sources.user_table import Request, UserTable, carefully
from equipoise.stages.benchmark.check import NPZ, PLACE, check_lists
from equipoise.stages.benchmark.rows import MOST_SHOWN, SHOWS, Rows

_COMPONENT_BYTES = 4


@dataclass(frozen=True)
class Wanted:
    """Columns of a benchmark, by the config's key: the ``vector``, ``texts`` (one a row), ``lists`` of texts.

    Texts under ``optional`` keys may be null; vectors and all others may not. Of those that a failure shows the
    beginning is read. A list under a key of ``or_text`` may be a text, which is a list of one.
    """

    vector: str | None
    texts: Mapping[str, str]
    optional: Collection[str] = ()
    lists: Mapping[str, str] = field(default_factory=dict)
    or_text: Collection[str] = ()

    @property
    def columns(self) -> dict[str, str]:
        """All of them, by key."""
        return {**({"vector": self.vector} if self.vector else {}), **self.texts, **self.lists}

    @property
    def held(self) -> dict[str, str]:
        """Texts and lists under names of our own, by key: the user's may differ in case alone."""
        return {key: f"c{number}" for number, key in enumerate((*self.texts, *self.lists))}


def read_rows(spark: SparkSession, path: str, wanted: Wanted, *, most_bytes: float) -> Rows:
    """Read a Parquet or Delta table, or an ``.npz`` file with an array a column, in an order of their own content.

    Rows of a table are sorted by a hash of all but the vector (of equal ones, of all), so that the same rows always
    come in the same order, and rows of two models as far as texts tell them apart; those of a file keep their own.

    Args:
        spark: reads tables.
        path: a folder, catalog.schema.table, or a file.
        wanted: what to read.
        most_bytes: of float32 vectors, or of texts where there are none; a table also stays below
            spark.driver.maxResultSize.

    Raises:
        InputError: no such table or column, no rows, values missing, vectors of several lengths, or too many.
    """
    if path.endswith(NPZ):
        return _from_file(path, wanted, most_bytes=most_bytes)
    return carefully(partial(_from_table, spark, path, wanted, most_bytes))


def _from_table(spark: SparkSession, path: str, wanted: Wanted, most_bytes: float, is_careful: bool) -> Rows:
    table = user_table(spark, Request(path, wanted.columns, PLACE, is_careful=is_careful))
    _check_types(table, wanted)
    chosen = table.rows.select(
        *([table.vector(wanted.vector).alias(Col.embedding)] if wanted.vector else []),
        *(_text(table, wanted, key).alias(wanted.held[key]) for key in wanted.texts),
        *(_list(table, name).cast("array<string>").alias(wanted.held[key]) for key, name in wanted.lists.items()),
    )
    _check(chosen, path, wanted, most_bytes=_limit(spark, most_bytes))
    found = _in_order(chosen)
    lists = {key: [_texts(() if one is None else one) for one in found[wanted.held[key]]] for key in wanted.lists}
    texts = {key: _texts(found[wanted.held[key]]) for key in wanted.texts}
    if not wanted.vector:
        return Rows(np.empty((len(found), 0), np.float32), texts, lists)
    return Rows(np.stack(found[Col.embedding].to_list()).astype(np.float32, copy=False), texts, lists)


def _from_file(path: str, wanted: Wanted, *, most_bytes: float) -> Rows:
    check_lists(path, wanted.lists)
    arrays = _arrays(path, wanted, most_bytes=most_bytes)
    vectors = arrays.pop("vector")
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not vectors.size:
        raise InputError(f"vector: {path} holds {vectors.dtype} of shape {vectors.shape}; it must hold (n, d) floats")
    for key, array in arrays.items():
        if array.shape != (len(vectors),):
            raise InputError(f"{key}: {path} has shape {array.shape} there for {len(vectors)} vectors: give one a row")
    texts = {key: array.astype(str).astype(object) for key, array in arrays.items()}
    return Rows(vectors.astype(np.float32, copy=False), texts)


def _arrays(path: str, wanted: Wanted, *, most_bytes: float) -> dict[str, NDArray[Any]]:
    try:
        filesystem, place = locate(path)
        with filesystem.open_input_file(place) as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise ValueError("it is one array without a name")
            existing(arrays.files, path, wanted.columns, place=PLACE)
            sizes = {entry.filename: entry.file_size for entry in arrays.zip.infolist()}
            n_bytes = sizes[f"{wanted.vector}.npy"]
            if n_bytes > most_bytes:
                raise InputError(_too_large(path, f"{n_bytes:,} bytes", most_bytes))
            return {key: arrays[column] for key, column in wanted.columns.items()}
    except FileNotFoundError as error:
        raise InputError(missing(path, PLACE.key("path"))) from error
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(
            f"{path} cannot be read as {NPZ}, an array of plain values for each column: {error}"
        ) from error


def _text(table: UserTable, wanted: Wanted, key: str) -> Column:
    text = table.text(wanted.texts[key])
    return F.substring(text, 1, MOST_SHOWN) if key == SHOWS else text


def _list(table: UserTable, name: str) -> Column:
    """A column of lists; of texts, each a list of one."""
    column = table.column(name)
    return column if isinstance(table.kind(name), t.ArrayType) else F.when(column.isNotNull(), F.array(column))


def _in_order(chosen: DataFrame) -> pd.DataFrame:
    """On the driver: a sort of Spark's would shuffle the vectors."""
    texts = [F.col(name) for name in chosen.columns if name != Col.embedding]
    hashes = {Col.draw: F.xxhash64(*texts), Col.content_hash: F.xxhash64(*map(F.col, chosen.columns))}
    found = chosen.select("*", *(one.alias(name) for name, one in hashes.items()))
    return found.toPandas().sort_values([*hashes])  # bounded by the check before


def _check_types(table: UserTable, wanted: Wanted) -> None:
    path = table.request.path
    for key, name in wanted.lists.items():
        kind = table.kind(name)
        is_text = key in wanted.or_text and isinstance(kind, t.StringType)
        if not isinstance(kind, t.ArrayType) and not is_text:
            known = "an array or string" if key in wanted.or_text else "an array"
            raise InputError(f"{key}: the column {name!r} of {path} is {kind.simpleString()}; it must be {known}")
    if SHOWS in wanted.texts:
        kind = table.kind(wanted.texts[SHOWS])
        if not isinstance(kind, t.StringType):
            raise InputError(
                f"{SHOWS}: the column {wanted.texts[SHOWS]!r} of {path} is {kind.simpleString()}; it must be string: "
                "the path or uri of a picture, or a text"
            )


def _check(chosen: DataFrame, path: str, wanted: Wanted, *, most_bytes: float) -> None:
    needed = {Col.embedding: Col.embedding} if wanted.vector else {}
    needed |= {key: wanted.held[key] for key in wanted.texts if key not in wanted.optional}
    length = F.array_size(Col.embedding) if wanted.vector else F.lit(0)
    counts = [F.count(name) for name in needed.values()]
    found = chosen.agg(F.count("*"), F.min(length), F.max(length), _text_bytes(wanted), *counts).collect()[0]
    n, shortest, longest, text_bytes, *present = found  # one row
    if not n:
        raise InputError(
            f"{path} has no rows: write the {'vectors' if wanted.vector else 'answers'} of the benchmark there"
        )
    for key, count in zip(needed, present, strict=True):
        if count < n:
            raise InputError(f"{path} has no {key} in {n - count:,} of {n:,} rows: leave those out")
    if wanted.vector and (shortest != longest or not longest):
        raise InputError(f"{path} has vectors of {shortest} to {longest} numbers: one model makes them of one length")
    n_bytes = n * longest * _COMPONENT_BYTES + text_bytes
    if n_bytes > most_bytes:
        what = f"{n:,} vectors of {longest:,} numbers" if wanted.vector else f"{n:,} rows of texts"
        raise InputError(_too_large(path, f"{what}, {n_bytes:,} bytes", most_bytes))


def _text_bytes(wanted: Wanted) -> Column:
    """Of texts that may be long: what a failure shows and, where there are no vectors, all."""
    texts = [SHOWS] if wanted.vector and SHOWS in wanted.texts else [] if wanted.vector else [*wanted.texts]
    sizes = [F.octet_length(wanted.held[key]) for key in texts]
    sizes += [] if wanted.vector else [F.octet_length(F.array_join(wanted.held[key], "")) for key in wanted.lists]
    total = F.lit(0)
    for size in sizes:
        total += F.coalesce(F.sum(size), F.lit(0))
    return total


def _limit(spark: SparkSession, most_bytes: float) -> float:
    return min(most_bytes, most_result_bytes(spark) or most_bytes)


def _too_large(path: str, what: str, most_bytes: float) -> str:
    return (
        f"{path} holds {what}, the driver takes {most_bytes:,.0f}: raise benchmark.driver_bytes (of a table also "
        "spark.driver.maxResultSize; a linear probe takes about ten times as much memory), or take a sample of its rows"
    )


def _texts(found: Iterable[Any]) -> NDArray[Any]:
    return np.array([text if isinstance(text, str) else None for text in found], dtype=object)
