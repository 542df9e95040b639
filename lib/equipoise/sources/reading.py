"""A source of the config -> raw items, by its kind."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from pyspark.sql import DataFrame, SparkSession

from equipoise.config import EmbeddingsSource, ImagesSource, Place, Source, TableSource, TextsSource
from equipoise.errors import InputError
from equipoise.sources.files import files, not_looked_at, uri_of
from equipoise.sources.npy_parts import is_of_npy, no_parts
from equipoise.sources.passing import passed_beside_parts, passed_in_table
from equipoise.sources.surveying import shown
from equipoise.sources.table import is_catalog_table, table_items, table_vectors
from equipoise.sources.texts import LINES, PLAIN, text_items
from equipoise.sources.user_table import carefully
from equipoise.sources.vector_files import npy_vectors

T = TypeVar("T")


def raw_items(spark: SparkSession, source: Source, place: Place, *, is_careful: bool = False) -> DataFrame:
    """The raw items of a source, not yet read where they are files; ready-made vectors bring ``embedding``.

    ``is_careful``: every value of a table's files is looked at first, see :func:`read_carefully`.

    Raises:
        InputError: the path is missing, of another format, or lacks a column.
    """
    if isinstance(source, ImagesSource):
        labelled = source.label == "parent_folder"
        return files(spark, source.path, source.extensions, place=place, labelled=labelled)
    if isinstance(source, TextsSource):
        return text_items(spark, source, place)
    if isinstance(source, TableSource):
        return table_items(spark, source, place, is_careful=is_careful)
    if is_of_npy(source):
        return npy_vectors(spark, source, place)
    if source.ids is not None:
        raise InputError(no_parts(source, place))
    return table_vectors(spark, source, place, is_careful=is_careful)


def read_carefully(source: Source, read: Callable[[bool], T]) -> T:
    """What ``read`` makes of :func:`raw_items`, which it is to ask with the ``is_careful`` that it is called with.

    It is called a second time where files of a table cannot be read.
    """
    is_table = isinstance(source, TableSource) or (isinstance(source, EmbeddingsSource) and not is_of_npy(source))
    return carefully(read) if is_table else read(False)


def passed_over(spark: SparkSession, source: Source, place: Place) -> Mapping[str, int]:
    """Files below the path of a source that are none of its kind, by ending or by what they are; of Delta none.

    Raises:
        InputError: the path is missing.
    """
    if extensions := _extensions(source):
        return not_looked_at(spark, source.path, extensions, place=place)
    if isinstance(source, EmbeddingsSource) and is_of_npy(source):
        return passed_beside_parts(source, place)
    return {} if is_catalog_table(spark, source.path) else passed_in_table(uri_of(spark, source.path))


def nothing_found(source: Source, place: Place, passed: Mapping[str, int] | None = None) -> str:
    """The message for a source without any items; ``passed`` is what :func:`passed_over` found."""
    seen = f"; not looked at: {shown(passed)}" if passed else ""
    if extensions := _extensions(source):
        return (
            f"{place.key('path')} {source.path} holds no file with one of the extensions {', '.join(extensions)}; "
            f"point it at their folder (sub-folders are searched; names that begin with . are left out){seen}"
        )
    return f"{place.key('path')} {source.path} has no rows: point it at a table or file that has{seen}"


def _extensions(source: Source) -> tuple[str, ...]:
    if isinstance(source, ImagesSource):
        return source.extensions
    return (*PLAIN, *LINES) if isinstance(source, TextsSource) else ()
