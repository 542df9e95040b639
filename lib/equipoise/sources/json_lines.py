"""JSON lines -> raw items, read by the tasks in ranges of files."""

from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import Place, TextsSource
from equipoise.pipeline.items import MISSING_ID, RAW
from equipoise.pipeline.reasons import MISSING_CONTENT
from equipoise.pipeline.streams import COMPRESSED
from equipoise.schemas import Col
from equipoise.sources.batches import cut, dated_rows
from equipoise.sources.files import MOST_NAMES, attribute_keys, existing_fields, raw
from equipoise.sources.ids import whole_number
from equipoise.sources.json_files import Document, documents

LINES = tuple(
    f"{kind}{more}" for more in ("", *(f".{end}" for end in COMPRESSED)) for kind in ("jsonl", "json", "ndjson")
)
RANGE_BYTES = 32 << 20
# Opening a file takes as long as reading some of it.
_FILE_BYTES = 64 << 10
_MOST_TASKS = 20_000
_SAMPLED = 20
_SHOWN = 200
ITEMS = t.StructType([*(field for field in RAW if field.name != Col.given_id), t.StructField(Col.url, t.StringType())])
_NAMES = t.StructType([t.StructField(Col.name, t.StringType())])
ARROW = {
    Col.key: pa.string(),
    Col.uri: pa.string(),
    Col.n_bytes: pa.int64(),
    Col.content: pa.binary(),
    Col.label: pa.string(),
    Col.attributes: pa.map_(pa.string(), pa.string()),
    Col.reason: pa.string(),
    Col.detail: pa.string(),
    Col.url: pa.string(),
}


class _Range(NamedTuple):
    uri: str
    n_bytes: int
    start: int
    size: int

    def documents(self, *, is_sample: bool = False) -> Iterator[Document]:
        return documents(self.uri, self.start, self.start + self.size, self.n_bytes, is_sample=is_sample)


def json_items(source: TextsSource, listed: DataFrame, place: Place) -> DataFrame | None:
    """Raw items, one a line. Key: the id if the source has one, else the SHA-256 of the text; None without files.

    A whole number as id is the item's id itself. A line that is no JSON object gets the reason ``malformed_json``,
    one without text ``missing_content``, without the id that is named ``missing_id``, a file that cannot be read
    ``damaged_file``, one without any ``empty_file``.

    Args:
        source: names the fields.
        listed: raw items, one a file; those with a reason are left out.
        place: of the source in the config.

    Raises:
        InputError: a field that the config names is in no line.
    """
    present = listed.where(F.col(Col.reason).isNull()).select(Col.uri, Col.modified_at, Col.n_bytes)
    cost = F.sum(F.greatest(F.col(Col.n_bytes), F.lit(_FILE_BYTES)))
    total, first = present.agg(cost, F.min(F.struct(Col.uri, Col.n_bytes))).collect()[0]  # one row
    if total is None:
        return None
    n_tasks = min(_MOST_TASKS, -(-total // RANGE_BYTES))
    ranges = _ranges(present, n_tasks)
    _check_fields(ranges, source, _Range(first[Col.uri], first[Col.n_bytes], 0, RANGE_BYTES), place)
    rows = ranges.mapInArrow(partial(_items, source=source, size=RANGE_BYTES), ITEMS)  # type: ignore[arg-type]
    key = F.col(Col.key)
    given = {Col.given_id: whole_number(key)} if source.id else {}
    return raw(rows, {**{name: F.col(name) for name in ITEMS.names}, **given})


def _ranges(present: DataFrame, n_tasks: int) -> DataFrame:
    """(uri, modified_at, bytes, value): one row a range of a file, ``value`` its first byte."""
    n_bytes = F.col(Col.n_bytes)
    whole = F.lower(Col.uri).rlike(rf"\.({'|'.join(COMPRESSED)})$")
    step = F.when(whole, n_bytes + 1).otherwise(F.lit(RANGE_BYTES))
    starts: Column = F.sequence(F.lit(0).cast("bigint"), F.greatest(n_bytes - 1, F.lit(0)), step)
    ranges = present.select(Col.uri, Col.modified_at, Col.n_bytes, F.explode(starts).alias(Col.value))
    return ranges.coalesce(1) if n_tasks == 1 else ranges.repartition(n_tasks)


def _items(batches: Iterable[pa.RecordBatch], *, source: TextsSource, size: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for number, one in enumerate(_ranges_of(batch, size)):
            for together in cut(one.documents(), lambda document: len(document.value.written)):
                yield _rows(together, one.uri, batch.column(Col.modified_at)[number], source)


def _ranges_of(batch: pa.RecordBatch, size: int) -> Iterator[_Range]:
    columns = (batch.column(name).to_pylist() for name in (Col.uri, Col.n_bytes, Col.value))
    return (_Range(uri, n_bytes, start, size) for uri, n_bytes, start in zip(*columns, strict=True))


def _rows(found: list[Document], uri: str, modified_at: pa.Scalar, source: TextsSource) -> pa.RecordBatch:
    return dated_rows([_row(one, uri, source) for one in found], modified_at, kinds=ARROW, names=ITEMS.names)


def _row(one: Document, uri: str, source: TextsSource) -> dict[str, Any]:
    text, given, label = (None if name is None else _text(one, name) for name in (source.text, source.id, source.label))
    content = None if text is None else text.encode()
    reason, detail = one.reason, one.detail
    if reason is None and content is None:
        reason, detail = MISSING_CONTENT, f"{one.place} has no {source.text}"
    if reason is None and source.id and not given:
        reason, detail = MISSING_ID, f"{one.place} has no {source.id}"
    written = one.value.written
    identity = content if content is not None else written.encode(errors="replace")
    keyless = sha256(identity).hexdigest() if written else uri  # of a whole file
    return {
        Col.key: given or None if source.id and written else keyless,
        Col.uri: uri,
        Col.n_bytes: None if content is None else len(content),
        Col.content: content,
        Col.label: label,
        Col.attributes: _attributes(one, source),
        Col.url: None if source.url_field is None else _text(one, source.url_field),
        Col.reason: reason,
        Col.detail: detail if not written or reason is None else f"{detail}: {written[:_SHOWN]}",
    }


def _attributes(one: Document, source: TextsSource) -> list[tuple[str, str | None]] | None:
    return [(name, _text(one, name)) for name in dict.fromkeys(source.attributes)] or None


def _text(one: Document, name: str) -> str | None:
    """The field as text; halves of a character, which UTF-8 cannot hold, become question marks."""
    found = one.value.text(name)
    return None if found is None else found.encode(errors="replace").decode()


def _check_fields(ranges: DataFrame, source: TextsSource, first: _Range, place: Place) -> None:
    """Looks into all lines only where the first of them lack a field."""
    own = {"text": source.text, "id": source.id, "label": source.label, "block.url": source.url_field}
    named = {**own, **attribute_keys(source.attributes)}
    wanted = {name for name in named.values() if name is not None}
    sample = islice(first.documents(is_sample=True), _SAMPLED)
    seen = {name for one in sample for name in one.value.fields or ()}
    if wanted <= seen:
        return
    names = ranges.mapInArrow(partial(_names, wanted=wanted, size=RANGE_BYTES), _NAMES).distinct()  # type: ignore[arg-type]
    existing_fields(names, source.path, named, place=place)


def _names(batches: Iterable[pa.RecordBatch], *, wanted: set[str], size: int) -> Iterator[pa.RecordBatch]:
    """The names of fields, those that are wanted and some others, once a range."""
    for batch in batches:
        for one in _ranges_of(batch, size):
            seen: set[str] = set()
            for document in one.documents():
                fields = document.value.fields or {}
                seen |= wanted & fields.keys()
                seen |= fields.keys() if len(seen) < MOST_NAMES else set()
            names = [name.encode(errors="replace").decode() for name in seen]
            yield pa.RecordBatch.from_arrays([pa.array(names, pa.string())], names=_NAMES.names)
