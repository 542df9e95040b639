"""Texts: ``.txt`` files, one document each, JSON lines, and WET files of web pages; all of them also compressed."""

from collections import Counter
from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Place, TextsSource
from equipoise.errors import InputError
from equipoise.pipeline.streams import COMPRESSED, UNPACKED
from equipoise.schemas import Col
from equipoise.sources.files import files, no_files, not_looked_at
from equipoise.sources.json_lines import LINES, json_items
from equipoise.sources.reader import Reader
from equipoise.sources.web_texts import WEB, web_items

PLAIN = ("txt", *(f"txt.{ending}" for ending in COMPRESSED))
_ALL = tuple(sorted((*PLAIN, *LINES, *WEB), key=lambda ending: ending.count(".")))


def text_items(spark: SparkSession, source: TextsSource, place: Place) -> DataFrame:
    """Raw items: one a ``.txt`` file (by reference as yet), a line of JSON or a web page (with their contents).

    Raises:
        InputError: the path is missing, or lacks a field that the config names.
    """
    listed = files(spark, source.path, _ALL, place=place)
    is_usable = F.col(Col.reason).isNull()
    unusable, usable = listed.where(~is_usable), listed.where(is_usable)
    documents, lines, web = (usable.where(_ends_in(endings)) for endings in (PLAIN, LINES, WEB))
    found = [json_items(source, lines, place), web_items(source, web, place)]
    contents = [items for items in found if items is not None]
    if contents and not source.inline:
        raise InputError(
            f"{place.key('inline')} is false, but {source.path} has JSON lines or web pages, which cannot be read by "
            "reference; drop the key, or write one .txt file a document"
        )
    items = _unpacked(documents).unionByName(unusable)
    for more in contents:
        items = more.unionByName(items, allowMissingColumns=True)
    return items


def _unpacked(documents: DataFrame) -> DataFrame:
    """Compressed ones by what is in them, the size of which nobody knows."""
    is_packed = _ends_in(COMPRESSED)
    changed = {
        Col.uri: F.when(is_packed, F.concat(F.lit(f"{UNPACKED}:"), Col.uri)).otherwise(F.col(Col.uri)),
        Col.n_bytes: F.when(~is_packed, F.col(Col.n_bytes)),
    }
    return documents.select(*(changed.get(name, F.col(name)).alias(name) for name in documents.columns))


def _ends_in(endings: Iterable[str]) -> Column:
    written = "|".join(ending.replace(".", r"\.") for ending in endings)
    return F.lower(Col.uri).rlike(rf"\.({written})$")


def _passed(spark: SparkSession, source: TextsSource, place: Place) -> Counter[str]:
    return not_looked_at(spark, source.path, _ALL, place=place)


def _nothing(source: TextsSource, place: Place) -> str:
    return no_files(source.path, _ALL, place)


TEXTS = Reader(text_items, _passed, _nothing)
