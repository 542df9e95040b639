"""Blocks of vectors as bytes: what is cached, moved and broadcast instead of rows."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("<qqq")


class Block(NamedTuple):
    """``item_ids`` (n,) int64 and ``vectors`` (n, d) float32 or float16."""

    item_ids: NDArray[np.int64]
    vectors: NDArray[np.floating]


def pack(block: Block) -> bytes:
    """Bytes of a block: sizes, ids, vectors."""
    n, dim = block.vectors.shape
    header = _HEADER.pack(n, dim, block.vectors.dtype.itemsize)
    return b"".join((header, block.item_ids.tobytes(), np.ascontiguousarray(block.vectors).tobytes()))


def unpack(packed: bytes) -> Block:
    """The block that :func:`pack` made bytes of; the arrays are views of the bytes and read-only."""
    n, dim, itemsize = _HEADER.unpack_from(packed)
    item_ids = np.frombuffer(packed, dtype=np.int64, count=n, offset=_HEADER.size)
    kind = np.dtype(f"f{itemsize}")
    vectors = np.frombuffer(packed, dtype=kind, count=n * dim, offset=_HEADER.size + item_ids.nbytes)
    return Block(item_ids, vectors.reshape(n, dim))


def rows_by(keys: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Every key (n,) that there is, ascending, with its rows in their order."""
    order = np.argsort(keys, kind="stable")
    present, starts = np.unique(keys[order], return_index=True)
    yield from zip(present.tolist(), np.split(order, starts[1:]), strict=True)
