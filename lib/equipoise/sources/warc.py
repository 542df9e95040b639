"""Texts of web pages as CommonCrawl publishes them: WET files, records of WARC. Needs no Spark."""

from collections.abc import Iterator
from io import BufferedReader
from typing import NamedTuple

from equipoise.pipeline.streams import opened

FIELDS = {"url": "warc-target-uri", "date": "warc-date", "language": "warc-identified-content-language"}
"""What a record says of its page, by the names that a config has for it."""
MOST_TEXT_BYTES = 256 << 20
_VERSION = b"WARC/"
_CONVERSION = "conversion"
_MOST_LINE_BYTES = 1 << 20


class Page(NamedTuple):
    """The text of a page, and what is said of it by the names of :data:`FIELDS`."""

    content: bytes
    fields: dict[str, str]


def pages(uri: str) -> Iterator[Page]:
    """The records of converted pages, in their order; others (of the crawl itself) are left out.

    Raises:
        OSError, ValueError: the file cannot be read, or is no WARC.
    """
    with opened(uri) as file:
        while (line := file.readline(_MOST_LINE_BYTES)) != b"":
            if not line.strip():
                continue
            if not line.startswith(_VERSION):
                raise ValueError(f"it is no WARC: {line[:40]!r} in the place of a record")
            headers = dict(_headers(file))
            content = _content(file, headers)
            if headers.get("warc-type", "").lower() == _CONVERSION:
                found = {name: headers.get(header) for name, header in FIELDS.items()}
                yield Page(content, {name: value for name, value in found.items() if value})


def _headers(file: BufferedReader) -> Iterator[tuple[str, str]]:
    while (line := file.readline(_MOST_LINE_BYTES)).strip():
        name, _, value = line.decode(errors="replace").partition(":")
        yield name.strip().lower(), value.strip()


def _content(file: BufferedReader, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MOST_TEXT_BYTES:
        raise ValueError(f"a record of {length or 'unknown'} bytes; texts may have {MOST_TEXT_BYTES:,}")
    content = file.read(int(length))
    if len(content) != int(length):
        raise ValueError("it is cut off inside a record")
    return content
