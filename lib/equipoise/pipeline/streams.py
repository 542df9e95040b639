"""Files as streams of bytes, unpacked where their names say that they are compressed. Needs no Spark."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

import pyarrow as pa

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline.locating import locate
from equipoise.pipeline.reasons import CONTENT_TOO_LARGE

COMPRESSED = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
UNPACKED = "unpacked"
"""The scheme of a uri whose content is what a compressed file holds: ``unpacked:URI``."""
READ_BYTES = 1 << 20
"""That are read at once."""
MOST_UNPACKED_BYTES = 256 << 20
"""Of a file whose size says nothing of what is in it."""
_ENDING = re.compile(rf"\.({'|'.join(COMPRESSED)})$", re.IGNORECASE)


def is_compressed(uri: str) -> bool:
    """Whether it must be read from its beginning."""
    return _codec(uri) is not None


@contextmanager
def opened(uri: str) -> Iterator[BufferedReader]:
    """The unpacked bytes of a file.

    Raises:
        OSError, ValueError: it is gone, not allowed, or its file system does not answer; so may reading, where it is
            damaged.
    """
    filesystem, path = locate(uri)
    codec = _codec(uri)
    with filesystem.open_input_file(path) as file:
        stream = file if codec is None else pa.CompressedInputStream(file, codec)
        with BufferedReader(stream, READ_BYTES) as reader:
            yield reader


def read_through(uri: str) -> None:
    """Reads all of it, as a look whether that can be done.

    Raises:
        OSError, ValueError: it is damaged.
    """
    with opened(uri) as file:
        while file.read1(READ_BYTES):
            pass


def read_unpacked(uri: str) -> bytes:
    """The unpacked bytes of the file of a uri ``unpacked:URI``.

    Raises:
        UnreadableItem: ``content_too_large``: they are more than can be kept.
        OSError, ValueError: as of :func:`opened`.
    """
    with opened(uri.partition(":")[2]) as file:
        content = file.read(MOST_UNPACKED_BYTES + 1)
    if len(content) > MOST_UNPACKED_BYTES:
        raise UnreadableItem(CONTENT_TOO_LARGE, f"more than {MOST_UNPACKED_BYTES:,} bytes when it is unpacked")
    return content


def _codec(uri: str) -> str | None:
    match = _ENDING.search(uri)
    return COMPRESSED[match[1].lower()] if match else None
