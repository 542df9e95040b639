"""Ready-made vectors: files and folders of ``.npy``, else tables."""

from collections.abc import Mapping
from functools import partial

from pyspark.sql import DataFrame, SparkSession

from equipoise.config import EmbeddingsSource, Place
from equipoise.errors import InputError
from equipoise.sources.npy_parts import is_of_npy, no_parts
from equipoise.sources.passing import passed_beside_parts
from equipoise.sources.reader import Reader, no_rows
from equipoise.sources.table import passed_by_tables, table_vectors
from equipoise.sources.vector_files import npy_vectors


def _items(spark: SparkSession, source: EmbeddingsSource, place: Place, *, is_careful: bool = False) -> DataFrame:
    if is_of_npy(source):
        return npy_vectors(spark, source, place)
    if source.ids is not None:
        raise InputError(no_parts(source, place))
    return table_vectors(spark, source, place, is_careful=is_careful)


def _passed(spark: SparkSession, source: EmbeddingsSource, place: Place) -> Mapping[str, int]:
    return passed_beside_parts(source, place) if is_of_npy(source) else passed_by_tables(spark, source, place)


EMBEDDINGS = Reader(_items, _passed, no_rows, careful_items=partial(_items, is_careful=True))
