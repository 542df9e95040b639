"""WET files -> raw items, read by the tasks as streams, a file at a time."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.config import Place, TextsSource
from equipoise.pipeline.reasons import DAMAGED_FILE, EMPTY_FILE
from equipoise.pipeline.streams import COMPRESSED
from equipoise.schemas import Col
from equipoise.sources.batches import cut, dated_rows
from equipoise.sources.files import attribute_keys, existing, raw
from equipoise.sources.json_lines import ARROW, ITEMS
from equipoise.sources.parquet_files import damage
from equipoise.sources.warc import FIELDS, Page, pages

WEB = tuple(f"wet{more}" for more in ("", *(f".{ending}" for ending in COMPRESSED)))
_MOST_TASKS = 20_000


def web_items(source: TextsSource, listed: DataFrame, place: Place) -> DataFrame | None:
    """Raw items, one a page; None without files. Key: its address. A file that cannot be read is one row.

    Args:
        source: names the fields: ``url``, ``date`` and ``language`` are known.
        listed: raw items, one a file, without those that have a reason.
        place: of the source in the config.

    Raises:
        InputError: a field that the config names is none of them.
    """
    n_files = listed.count()
    if not n_files:
        return None
    named = {"id": source.id, "label": source.label, "block.url": source.url_field, **attribute_keys(source.attributes)}
    existing(FIELDS, source.path, named, place=place)
    files = listed.select(Col.uri, Col.modified_at).repartition(min(n_files, _MOST_TASKS))
    rows = files.mapInArrow(partial(_items, source=source), ITEMS)  # type: ignore[arg-type]
    return raw(rows, {name: F.col(name) for name in ITEMS.names})


def _items(batches: Iterable[pa.RecordBatch], *, source: TextsSource) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for uri, modified_at in zip(batch.column(Col.uri).to_pylist(), batch.column(Col.modified_at), strict=True):
            for some in cut(web_rows(uri, source), _size):
                yield dated_rows(some, modified_at, kinds=ARROW, names=ITEMS.names)


def web_rows(uri: str, source: TextsSource) -> Iterator[dict[str, Any]]:
    """The raw items of a file; none of a page comes before all of the file is known to be there."""
    try:
        n_pages = sum(1 for _ in pages(uri))
        for number, page in enumerate(pages(uri)):
            yield _row(uri, number, page, source)
    except (OSError, ValueError) as error:
        yield {Col.key: uri, Col.uri: uri, Col.reason: DAMAGED_FILE, Col.detail: damage(uri, error)}
        return
    if not n_pages:
        yield {Col.key: uri, Col.uri: uri, Col.reason: EMPTY_FILE, Col.detail: "there is no page in it"}


def _row(uri: str, number: int, page: Page, source: TextsSource) -> dict[str, Any]:
    of = page.fields.get
    return {
        Col.key: of(source.id or "url") or f"{uri}#{number}",
        Col.uri: uri,
        Col.n_bytes: len(page.content),
        Col.content: page.content,
        Col.label: None if source.label is None else of(source.label),
        Col.attributes: [(name, of(name)) for name in dict.fromkeys(source.attributes)] or None,
        Col.url: None if source.url_field is None else of(source.url_field),
    }


def _size(row: dict[str, Any]) -> int:
    return row.get(Col.n_bytes) or 0
