"""Texts: ``.txt`` files, one document each, and JSON lines."""

from collections import Counter

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Place, TextsSource
from equipoise.errors import InputError
from equipoise.schemas import Col
from equipoise.sources.files import files, no_files, not_looked_at
from equipoise.sources.json_lines import LINES, json_items
from equipoise.sources.reader import Reader

PLAIN = ("txt",)


def text_items(spark: SparkSession, source: TextsSource, place: Place) -> DataFrame:
    """Raw items: one a ``.txt`` file (by reference as yet) and one a line of JSON (with its content).

    Raises:
        InputError: the path is missing, or its JSON lacks a field that the config names.
    """
    documents, listed = (files(spark, source.path, endings, place=place) for endings in (PLAIN, LINES))
    lines = json_items(source, listed, place)
    if lines is None:
        return documents.unionByName(listed)
    if not source.inline:
        raise InputError(
            f"{place.key('inline')} is false, but {source.path} has JSON lines, which cannot be read by reference; "
            "drop the key, or write one .txt file a document"
        )
    unusable = listed.where(F.col(Col.reason).isNotNull())
    return lines.unionByName(documents.unionByName(unusable), allowMissingColumns=True)


def _passed(spark: SparkSession, source: TextsSource, place: Place) -> Counter[str]:
    return not_looked_at(spark, source.path, (*PLAIN, *LINES), place=place)


def _nothing(source: TextsSource, place: Place) -> str:
    return no_files(source.path, (*PLAIN, *LINES), place)


TEXTS = Reader(text_items, _passed, _nothing)
