"""A source of the config -> raw items, by its kind."""

from pyspark.sql import DataFrame, SparkSession

from equipoise.config import ImagesSource, Place, Source, TableSource, TextsSource
from equipoise.sources.files import files
from equipoise.sources.table import table_items, table_vectors
from equipoise.sources.texts import LINES, PLAIN, text_items
from equipoise.sources.vector_files import npy_vectors


def raw_items(spark: SparkSession, source: Source, place: Place) -> DataFrame:
    """The raw items of a source, not yet read where they are files; ready-made vectors bring ``embedding``.

    Raises:
        InputError: the path is missing, of another format, or lacks a column.
    """
    if isinstance(source, ImagesSource):
        labelled = source.label == "parent_folder"
        return files(spark, source.path, source.extensions, place=place, labelled=labelled)
    if isinstance(source, TextsSource):
        return text_items(spark, source, place)
    if isinstance(source, TableSource):
        return table_items(spark, source, place)
    return npy_vectors(spark, source, place) if source.is_npy else table_vectors(spark, source, place)


def nothing_found(source: Source, place: Place) -> str:
    """The message for a source without any items."""
    if isinstance(source, ImagesSource | TextsSource):
        extensions = source.extensions if isinstance(source, ImagesSource) else (*PLAIN, *LINES)
        return (
            f"{place.key('path')} {source.path} holds no file with one of the extensions {', '.join(extensions)}; "
            "point it at their folder (sub-folders are searched; names that begin with _ or . are left out)"
        )
    return f"{place.key('path')} {source.path} has no rows: point it at a table or file that has"
