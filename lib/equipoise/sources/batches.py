"""Rows that tasks make, cut into batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_BATCH_ROWS, _BATCH_BYTES = 4096, 8 << 20


def cut(rows: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """As many rows as go into a batch: up to a number of them, and a number of bytes, or one that is larger."""
    together: list[T] = []
    n_bytes = 0
    for one in rows:
        together.append(one)
        n_bytes += size(one)
        if len(together) == _BATCH_ROWS or n_bytes > _BATCH_BYTES:
            yield together
            together, n_bytes = [], 0
    if together:
        yield together
