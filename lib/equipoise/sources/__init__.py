"""The user's data -> raw items (:data:`equipoise.pipeline.items.RAW`), one module a kind of source."""

from pyspark.sql import DataFrame, SparkSession

from equipoise.config import EmbeddingsSource, ImagesSource, Source, TableSource, TextsSource
from equipoise.encoders.base import Kind
from equipoise.errors import ConfigError
from equipoise.sources.files import image_files
from equipoise.sources.table import table_items, table_vectors
from equipoise.sources.texts import text_items
from equipoise.sources.vector_files import npy_vectors

__all__ = ["content_kind", "keeps_content", "raw_items"]


def raw_items(spark: SparkSession, source: Source) -> DataFrame:
    """The raw items of a source, not yet read where they are files; ready-made vectors bring ``embedding``.

    Raises:
        InputError: the path is missing, holds nothing of the kind, is of another format, or lacks a column.
    """
    if isinstance(source, ImagesSource):
        return image_files(spark, source.path, source.extensions, labelled=source.label == "parent_folder")
    if isinstance(source, TextsSource):
        return text_items(spark, source)
    if isinstance(source, TableSource):
        return table_items(spark, source)
    return npy_vectors(spark, source) if source.is_npy else table_vectors(spark, source)


def content_kind(source: Source) -> Kind | None:
    """What the contents of a source are; None where only the encoder can tell.

    Raises:
        ConfigError: the source has vectors in place of contents.
    """
    if isinstance(source, EmbeddingsSource):
        raise ConfigError(f"source {source.source_name!r} brings its vectors; it has no contents to read")
    return None if isinstance(source, TableSource) else source.kind


def keeps_content(source: Source) -> bool:
    """Whether the contents of files are copied into the pool."""
    return isinstance(source, ImagesSource | TextsSource) and source.inline
