"""Equal contents, whatever file they came in: pictures by their pixels, texts by their words."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import types as t

from equipoise.encoders.arrays import is_array, layers_of
from equipoise.encoders.base import UnreadableItem
from equipoise.encoders.images import decode_image, quiet_pillow
from equipoise.pipeline.content import READERS, content_of
from equipoise.pipeline.pieces import BYTES_OF_BATCH, in_pieces, whole
from equipoise.schemas import POOL, Col

_ROWS_AT_ONCE = 64
_HASHED = t.StructType([POOL.schema[Col.item_id], POOL.schema[Col.content_hash]])
_BLANK = re.compile(r"\s+")


def with_decoded_hash(items: DataFrame) -> DataFrame:
    """Read the contents of items once more, and hash what is in them: item_id, content_hash (SHA-256, hex).

    Args:
        items: item_id, uri, content, width (null: a text). What has neither content nor uri, and what can be read or
            decoded no more, has no hash and is equal to nothing.

    Returns:
        Pictures by size and pixels, as they are seen (see :func:`equipoise.encoders.images.decode_image`), those that
        are arrays by their numbers, unrounded; texts in Unicode's form NFKC, without case, with single blanks.
    """
    columns = items.select(Col.item_id, Col.uri, Col.content, Col.width)
    return in_pieces(columns).mapInArrow(_hashed, _HASHED)  # type: ignore[arg-type]


def picture_hash(content: bytes) -> str:
    """The hash of a picture's size and pixels; of an array, of any number of channels, that of its shape and numbers.

    Raises:
        UnreadableItem: it is none.
    """
    if is_array(content):
        layers = layers_of(content) + np.float32(0)  # there are two zeros
        return hashlib.sha256(f"{layers.shape}:".encode() + layers.tobytes()).hexdigest()
    picture = decode_image(content, "RGB")
    digest = hashlib.sha256(f"{picture.width}x{picture.height}:".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


def text_hash(content: bytes) -> str:
    """The hash of a text's words.

    Raises:
        UnreadableItem: it is no UTF-8.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableItem("unreadable_text", str(error)) from error
    plain = _BLANK.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return hashlib.sha256(plain.encode()).hexdigest()


def _hashed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with quiet_pillow(), ThreadPoolExecutor(READERS) as readers:
        for rows, contents in whole(batches, n_rows=_ROWS_AT_ONCE, n_bytes=BYTES_OF_BATCH):
            uris, widths = (rows.column(name).to_pylist() for name in (Col.uri, Col.width))
            hashes = pa.array(readers.map(_hash, uris, contents, widths), pa.string())
            yield pa.RecordBatch.from_arrays([rows.column(Col.item_id), hashes], _HASHED.names)


def _hash(uri: str | None, content: bytes | None, width: int | None) -> str | None:
    if uri is None and content is None:
        return None
    try:
        read = content_of(uri, content)
        return text_hash(read) if width is None else picture_hash(read)
    except UnreadableItem:
        return None
