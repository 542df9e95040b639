"""Files as streams of bytes, unpacked where their names say that they are compressed. Needs no Spark."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

import pyarrow as pa

from equipoise.pipeline.locating import locate

COMPRESSED = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
READ_BYTES = 1 << 20
"""That are read at once."""
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


def _codec(uri: str) -> str | None:
    match = _ENDING.search(uri)
    return COMPRESSED[match[1].lower()] if match else None
