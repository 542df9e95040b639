"""Files of JSON, read by tasks: ranges of lines, compressed files as streams, arrays as a whole."""

import sys
from collections.abc import Iterator
from io import BufferedReader
from json import JSONDecodeError
from typing import NamedTuple

from equipoise.pipeline.reasons import DAMAGED_FILE, EMPTY_FILE
from equipoise.pipeline.streams import READ_BYTES, is_compressed, opened, read_through
from equipoise.sources.json_values import MALFORMED, Value, only_value, spans_lines, values
from equipoise.sources.parquet_files import damage

MOST_ARRAY_BYTES = 1 << 30
MOST_LINE_BYTES = 256 << 20
_HEAD_BYTES, _BEYOND_BYTES = 64 << 10, 4 << 10
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_MOST_SAMPLED_BYTES = 16 << 20


class Document(NamedTuple):
    """What a file holds: an object and its ``place``, or the ``reason`` why there is none, of a line or of the file."""

    place: str
    value: Value
    reason: str | None = None
    detail: str | None = None


def documents(uri: str, start: int, stop: int, n_bytes: int, *, is_sample: bool = False) -> Iterator[Document]:
    """What lies in the lines that begin in a range of a file; of a compressed one, the only range is all of it.

    Blank lines are nothing. A file that is an array, or a value over several lines, belongs to its first range, whole
    or not at all. A file that cannot be read is one document, of the reason ``damaged_file``: of a compressed one no
    line comes before all are known to be there; so with ``empty_file``, where there is nothing in it.

    Args:
        uri: the file.
        start: first byte.
        stop: after the last byte.
        n_bytes: of the file.
        is_sample: whether the first lines alone are wanted: what comes after them is not looked at.
    """
    found = None
    try:
        if is_compressed(uri) and not is_sample:
            read_through(uri)
        for found in _documents(uri, start, stop, with_whole=not is_sample or n_bytes <= _MOST_SAMPLED_BYTES):
            yield found
    except (OSError, ValueError) as error:
        what = f"line {error.lineno:,}: {error.msg}" if isinstance(error, JSONDecodeError) else damage(uri, error)
        yield _of_file(DAMAGED_FILE, what)
        return
    if found is None and start == 0 and (stop >= n_bytes or is_compressed(uri)):
        yield _of_file(EMPTY_FILE, "there is no JSON object in it")


def _documents(uri: str, start: int, stop: int, *, with_whole: bool) -> Iterator[Document]:
    with opened(uri) as file:
        if spans_lines(_head(uri, file).decode(errors="ignore")):
            yield from _whole(file) if start == 0 and with_whole else ()
            return
        lines = _lines(file) if is_compressed(uri) else _lines(file, start, stop)
        for at, line in lines:
            # As within lines no end of one can stand, a lone carriage return is one, too.
            for part in line.split(b"\r") if b"\r" in line else (line,):
                if part.removeprefix(_BOM).strip(_BLANK):
                    yield _of_line(at, part)


def _head(uri: str, file: BufferedReader) -> bytes:
    """The first line that is not blank, however long, and some of what follows it; the file stays where it is."""
    head = file.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    beyond = head.removeprefix(_BOM).lstrip(_BLANK).partition(b"\n")[2]
    if len(head) < _HEAD_BYTES or len(beyond) >= _BEYOND_BYTES:
        return head
    with opened(uri) as again:
        line = b""
        while not line.removeprefix(_BOM).strip(_BLANK) and (more := again.readline(MOST_LINE_BYTES + 1)):
            line = more
        return line + again.read(_HEAD_BYTES)


def _of_line(at: int, line: bytes) -> Document:
    place = f"line at byte {at:,}"
    if len(line) > MOST_LINE_BYTES:
        value = Value("", None, f"longer than {MOST_LINE_BYTES:,} bytes")
    else:
        try:
            value = only_value(line.decode())
        except UnicodeDecodeError as error:
            problem = f"no UTF-8 text: {error.reason} at its byte {error.start}"
            value = Value(line.decode(errors="replace"), None, problem)
    return _of_value(place, value)


def _whole(file: BufferedReader) -> Iterator[Document]:
    content = file.read(MOST_ARRAY_BYTES + 1)
    if len(content) > MOST_ARRAY_BYTES:
        raise ValueError(
            f"it is one JSON value, no JSON lines, of more than {MOST_ARRAY_BYTES:,} bytes: write one object a line, "
            "for example by jq -c '.[]'"
        )
    text = content.decode()
    for _ in values(text):  # all of it, before the first of it is taken
        pass
    for number, value in enumerate(values(text)):
        yield _of_value(f"element {number:,}", value)


def _of_value(place: str, value: Value) -> Document:
    return Document(place, value, value.problem and MALFORMED, value.problem and f"{place}: {value.problem}")


def _of_file(reason: str, detail: str) -> Document:
    return Document("file", Value("", None, reason), reason, detail)


def _lines(file: BufferedReader, start: int = 0, stop: int = sys.maxsize) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in a range, with the byte where they do; of too long a line its beginning."""
    at = start
    if start:
        file.seek(start - 1)
        at += _skipped(file) - 1
    while at < stop and (line := file.readline(MOST_LINE_BYTES + 1)):
        yield at, line
        at += len(line)
        if len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
            at += _skipped(file)


def _skipped(file: BufferedReader) -> int:
    """Goes to the next line; returns the bytes up to there."""
    n_bytes = 0
    while part := file.readline(READ_BYTES):
        n_bytes += len(part)
        if part.endswith(b"\n"):
            break
    return n_bytes
