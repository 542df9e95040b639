"""Texts: ``.txt`` files, one document each, and JSON lines."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Place, TextsSource
from equipoise.errors import InputError
from equipoise.schemas import Col
from equipoise.sources.files import files
from equipoise.sources.json_lines import LINES as LINES
from equipoise.sources.json_lines import json_items

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
    return lines.unionByName(documents).unionByName(unusable)
