"""Rows that tasks make, cut into batches."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from equipoise.schemas import Col

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


def dated_rows(
    rows: Sequence[Mapping[str, Any]], modified_at: pa.Scalar, *, kinds: Mapping[str, pa.DataType], names: Sequence[str]
) -> pa.RecordBatch:
    """Rows of one file as a batch of the columns ``names``: those of ``kinds``, and the time of the file."""
    arrays: dict[str, Any] = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()}
    arrays[Col.modified_at] = pa.repeat(modified_at, len(rows))
    return pa.RecordBatch.from_arrays([arrays[name] for name in names], names=list(names))
