"""Texts: ``.txt`` files, one document each, and JSON lines."""

import json
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import Place, TextsSource
from equipoise.errors import InputError
from equipoise.schemas import Col
from equipoise.sources.files import attribute_keys, attribute_map, existing, files, raw

PLAIN = ("txt",)
LINES = ("jsonl", "json", "ndjson", "jsonl.gz", "json.gz", "ndjson.gz")
MALFORMED = "malformed_json"
MISSING_TEXT = "missing_content"
_BROKEN = "_broken"
_SAMPLED_LINES = 20
_SHOWN = 200


def text_items(spark: SparkSession, source: TextsSource, place: Place) -> DataFrame:
    """Raw items: one a ``.txt`` file (by reference as yet) and one a line of JSON (with its content).

    Raises:
        InputError: the path is missing, holds neither, or its JSON lacks a field that the config names.
    """
    documents = files(spark, source.path, PLAIN, place=place)
    if files(spark, source.path, LINES, place=place).isEmpty():
        return documents
    if not source.inline:
        raise InputError(
            f"{place.key('inline')} is false, but {source.path} has JSON lines, which cannot be read by reference; "
            "drop the key, or write one .txt file a document"
        )
    return json_items(spark, source, place).unionByName(documents)


def json_items(spark: SparkSession, source: TextsSource, place: Place) -> DataFrame:
    """Raw items, one a line. Key: the id if the source has one, else the SHA-256 of the text.

    A whole number as id is the item's id itself. A line that is no JSON gets the reason ``malformed_json``,
    one without text ``missing_content``.
    """
    _check_fields(spark, source, place)
    named = (source.text, source.id, source.label, *source.attributes)
    names = dict.fromkeys(name for name in named if name)
    schema = t.StructType([t.StructField(name, t.StringType()) for name in (*names, _BROKEN)])
    reader = _lines(spark).schema(schema).option("columnNameOfCorruptRecord", _BROKEN)
    lines = reader.json(source.path)
    text, broken = F.col(f"`{source.text}`"), F.col(_BROKEN)
    content = text.cast("binary")
    reason = F.when(broken.isNotNull(), MALFORMED).when(text.isNull(), MISSING_TEXT)
    columns = {
        **_identity(source, F.coalesce(content, broken.cast("binary"))),
        Col.uri: F.col("_metadata.file_path"),
        Col.modified_at: F.col("_metadata.file_modification_time"),
        Col.n_bytes: F.length(content),
        Col.content: content,
        Col.label: F.col(f"`{source.label}`") if source.label else None,
        Col.attributes: attribute_map(source.attributes),
        Col.reason: reason,
        Col.detail: F.when(reason.isNotNull(), F.coalesce(F.substring(broken, 1, _SHOWN), F.lit(source.text))),
    }
    return raw(lines, columns)


def _identity(source: TextsSource, content: Column) -> dict[str, Column]:
    if source.id is None:
        return {Col.key: F.sha2(content, 256)}
    given = F.col(f"`{source.id}`")
    return {Col.key: given, Col.given_id: whole_number(given)}


def whole_number(text: Column) -> Column:
    """The BIGINT that a string spells in its plain form, else null: ``7``, neither ``07`` nor ``7.0``."""
    plain = F.when(text.rlike(r"^(0|-?[1-9][0-9]{0,17})$"), text)
    return plain.cast("bigint")


def _lines(spark: SparkSession) -> Any:
    glob = f"*.{{{','.join(LINES)}}}"
    return spark.read.option("recursiveFileLookup", True).option("pathGlobFilter", glob)


def _check_fields(spark: SparkSession, source: TextsSource, place: Place) -> None:
    fields: dict[str, None] = {}
    for line in _lines(spark).text(source.path).head(_SAMPLED_LINES):
        try:
            document = json.loads(line[0])
        except ValueError:
            continue
        if isinstance(document, dict):
            fields.update(dict.fromkeys(document))
    if fields:
        named = {"text": source.text, "id": source.id, "label": source.label}
        existing(fields, source.path, {**named, **attribute_keys(source.attributes)}, place=place)
