"""What lies behind a uri: read by the Python workers, many files at once, never through the driver."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import types as t

from equipoise.encoders.base import Kind, UnreadableItem, unreadable
from equipoise.encoders.images import image_size, quiet_pillow
from equipoise.pipeline.locating import locate
from equipoise.pipeline.pieces import in_pieces, whole
from equipoise.pipeline.reasons import CONTENT_TOO_LARGE, MISSING_CONTENT
from equipoise.pipeline.streams import UNPACKED, read_unpacked
from equipoise.pipeline.tar_members import SCHEME as MEMBER
from equipoise.pipeline.tar_members import read_member
from equipoise.pipeline.together import together
from equipoise.pipeline.windows import SCHEME as WINDOW
from equipoise.pipeline.windows import read_window
from equipoise.schemas import POOL, Col

# Reading waits for the store, not for the processor.
READERS = 16
# Rows whose contents are in memory at a time, and the bytes of those that are kept: Arrow's limit is 2 GiB.
_ROWS_AT_ONCE = 256
_BYTES_AT_ONCE = 256 << 20
_LARGEST_KEPT = 1 << 30


BEHIND: Mapping[str, Callable[[str], bytes]] = {
    MEMBER: read_member,
    WINDOW: read_window,
    UNPACKED: read_unpacked,
}
"""What reads the contents behind a uri that is no plain file's, by its scheme."""


def read_bytes(uri: str) -> bytes:
    """The whole file, or what the uri names of one.

    Raises:
        UnreadableItem: ``unreadable_file``: it is gone, not allowed, of an unknown scheme, or larger than the memory;
            or what its scheme's reader has against the item.
    """
    with unreadable("unreadable_file"):
        if (read := BEHIND.get(uri.partition(":")[0])) is not None:
            return read(uri)
        filesystem, path = locate(uri)
        with filesystem.open_input_file(path) as file:
            return file.read()


def content_of(uri: str | None, content: bytes | None) -> bytes:
    """The content of an item: what it brings, else what lies behind its uri.

    Raises:
        UnreadableItem: ``missing_content``: it has neither; ``unreadable_file``: the file cannot be read.
    """
    if content is not None:
        return content
    if uri is None:
        raise UnreadableItem(MISSING_CONTENT, "the row has neither content nor uri")
    return read_bytes(uri)


def with_content(items: DataFrame, kind: Kind | None, *, keep: bool) -> DataFrame:
    """Adds ``content_hash`` (SHA-256, hex), ``width`` and ``height`` (pixels); fills ``bytes``.

    Items without ``content`` are read from their ``uri``; what cannot be read gets a ``reason``.

    Args:
        items: with ``uri`` or ``content``, ``bytes``, ``reason``, ``detail``; the partitions are the tasks.
        kind: with ``"images"`` what has no image's header gets the reason ``unreadable_image``; with None
            (unknown) width and height are given for images and null for all else.
        keep: content that was read stays in ``content``; else only what was there before.
    """
    added = (POOL.schema[name] for name in (Col.content_hash, Col.width, Col.height))
    schema = t.StructType([*items.schema, *added])
    fill = partial(_with_content, names=schema.names, kind=kind, keep=keep)
    return in_pieces(items).mapInArrow(fill, schema)  # type: ignore[arg-type]


class _Facts(NamedTuple):
    content: bytes | None
    n_bytes: int | None
    content_hash: str | None = None
    width: int | None = None
    height: int | None = None
    reason: str | None = None
    detail: str | None = None


def slices(batches: Iterable[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    """The batches, cut into pieces of at most ``n_rows``."""
    for batch in batches:
        for start in range(0, batch.num_rows, n_rows):
            yield batch.slice(start, n_rows)


def _within_bytes(sizes: Sequence[int]) -> Iterator[slice]:
    """Places that together are within the limit, or one of them."""
    for some in together(enumerate(sizes), lambda one: one[1], n_items=_ROWS_AT_ONCE, n_bytes=_BYTES_AT_ONCE):
        yield slice(some[0][0], some[-1][0] + 1)


def _bounded(
    rows: pa.RecordBatch, contents: list[bytes | None], *, keep: bool
) -> Iterator[tuple[pa.RecordBatch, list[bytes | None]]]:
    """Rows and contents, cut so that what is kept is within the limit, or of one row; ``bytes`` says what will come."""
    coming = rows.column(Col.n_bytes).to_pylist()
    sizes = [
        len(content) if content is not None else (n_bytes or 0) if keep else 0
        for content, n_bytes in zip(contents, coming, strict=True)
    ]
    for some in _within_bytes(sizes):
        yield _sliced(rows, some), contents[some]


def _with_content(
    batches: Iterable[pa.RecordBatch], *, names: list[str], kind: Kind | None, keep: bool
) -> Iterator[pa.RecordBatch]:
    find = partial(_facts, kind=kind, keep=keep)
    with quiet_pillow(), ThreadPoolExecutor(READERS) as readers:
        for rows, contents in whole(batches, n_rows=_ROWS_AT_ONCE, n_bytes=_BYTES_AT_ONCE):
            for part, own in _bounded(rows, contents, keep=keep):
                facts = list(readers.map(find, part.column(Col.uri).to_pylist(), own))
                # What was packed is larger than its file said.
                for few in _within_bytes([len(one.content or b"") for one in facts]):
                    filled = _filled(_sliced(part, few), facts[few])
                    yield pa.RecordBatch.from_pydict({name: filled[name] for name in names})


def _sliced(rows: pa.RecordBatch, places: slice) -> pa.RecordBatch:
    return rows.slice(places.start, places.stop - places.start)


def _filled(rows: pa.RecordBatch, facts: list[_Facts]) -> dict[str, pa.Array]:
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    new = zip(*facts, strict=True)
    names = (Col.content, Col.n_bytes, Col.content_hash, Col.width, Col.height, Col.reason, Col.detail)
    kinds = (pa.binary(), pa.int64(), pa.string(), pa.int32(), pa.int32(), pa.string(), pa.string())
    for name, kind, values in zip(names, kinds, new, strict=True):
        columns[name] = pa.array(values, kind)
    return columns


def _facts(uri: str | None, content: bytes | None, *, kind: Kind | None, keep: bool) -> _Facts:
    try:
        read = content_of(uri, content)
        width, height = _size(read, kind)
        if keep and len(read) > _LARGEST_KEPT:
            raise UnreadableItem(
                CONTENT_TOO_LARGE, f"{len(read):,} bytes; contents of up to {_LARGEST_KEPT:,} are kept inline"
            )
    except UnreadableItem as item:
        return _Facts(content, None, reason=item.reason, detail=item.detail)
    kept = read if keep else content
    return _Facts(kept, len(read), hashlib.sha256(read).hexdigest(), width, height)


def _size(content: bytes, kind: Kind | None) -> tuple[int | None, int | None]:
    if kind == "texts":
        return None, None
    try:
        return image_size(content)
    except UnreadableItem:
        if kind == "images":
            raise
        return None, None
