"""Folders of pictures: listed here, read by the ingestion."""

from collections import Counter

from pyspark.sql import DataFrame, SparkSession

from equipoise.config import ImagesSource, Place
from equipoise.sources.files import files, no_files, not_looked_at
from equipoise.sources.reader import Reader


def _items(spark: SparkSession, source: ImagesSource, place: Place) -> DataFrame:
    return files(spark, source.path, source.extensions, place=place, labelled=source.label is not None)


def _passed(spark: SparkSession, source: ImagesSource, place: Place) -> Counter[str]:
    return not_looked_at(spark, source.path, source.extensions, place=place)


def _nothing(source: ImagesSource, place: Place) -> str:
    return no_files(source.path, source.extensions, place)


IMAGES = Reader(_items, _passed, _nothing)
