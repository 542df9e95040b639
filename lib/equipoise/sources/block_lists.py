"""Lists of blocked domains and pages: files of the user's, read once and sent to every worker."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedReader
from itertools import islice
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from pyarrow import ArrowException
from pyspark.sql import SparkSession

from equipoise.config import Block, Place
from equipoise.errors import InputError
from equipoise.pipeline.addresses import domains_in, pages_in
from equipoise.pipeline.blocking import Lists, hashed
from equipoise.pipeline.locating import missing
from equipoise.pipeline.sharing import share
from equipoise.pipeline.streams import READ_BYTES, opened
from equipoise.tables.commits import short

_LINES_AT_ONCE = 100_000
_NONE: NDArray[np.uint64] = np.empty(0, np.uint64)
_SHOWN = 100


def block_lists(spark: SparkSession, block: Block, place: Place) -> Lists:
    """The lists of a source's section ``block``, 8 bytes an entry, on every worker.

    Raises:
        InputError: a file is missing, cannot be read, or has a line that is no entry.
    """
    domains = _hashes(block.domains, domains_in, place.key("block.domains"))
    urls = _hashes(block.urls, pages_in, place.key("block.urls"))
    return Lists(*(share(spark.sparkContext, hashes) for hashes in (domains, urls)))


def list_states(block: Block) -> dict[str, int | None]:
    """A number of what is in each list, by its path; None where it cannot be read."""
    return {path: _state(path) for path in block.lists.values()}


def entries(path: str, entry_of: Callable[[str], list[str]], key: str) -> Iterator[list[str]]:
    """The entries of a list, some at a time: a line each, without blank ones and what follows ``#``.

    Raises:
        InputError: the file is missing, cannot be read, or has a line that is none.
    """
    try:
        with opened(path) as file:
            numbers = enumerate(_lines(file), 1)
            while some := list(islice(numbers, _LINES_AT_ONCE)):
                yield [entry for number, line in some if line for entry in _parsed(line, number, entry_of)]
    except FileNotFoundError as error:
        raise InputError(missing(path, key)) from error
    except _LineError as error:
        raise InputError(f"{key} {path}: {error}") from error
    except (OSError, ValueError, ArrowException) as error:
        raise InputError(f"{key} {path} cannot be read as a list: {short(error)}") from error


class _LineError(Exception):
    """A line that is no entry."""


def _parsed(line: str, number: int, entry_of: Callable[[str], list[str]]) -> list[str]:
    try:
        return entry_of(line)
    except ValueError as error:
        raise _LineError(f"line {number:,}, {line[:_SHOWN]!r}, {error}") from error


def _lines(file: BufferedReader) -> Iterator[str]:
    for line in file:
        text = line.decode(errors="replace").removeprefix("\ufeff").strip()
        before, mark, _ = text.partition(" #")
        yield "" if text.startswith("#") else before.strip() if mark else text


def _hashes(path: str | None, entry_of: Callable[[str], list[str]], key: str) -> NDArray[np.uint64]:
    if path is None:
        return _NONE
    return np.unique(np.concatenate([_NONE, *map(hashed, entries(path, entry_of, key))]))


def _state(path: str) -> int | None:
    found = 0
    try:
        with opened(path) as file:
            for part in iter(partial(file.read, READ_BYTES), b""):
                found = crc32(part, found)
    except (OSError, ValueError, ArrowException):
        return None
    return found
