"""Parquet as others than Spark write it, whole and damaged."""

import pyarrow as pa
import pyarrow.parquet as pq


def written(path, columns=None, **named):
    """Writes one file of these columns, its folder made; returns its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**(columns or {}), **named}), path)
    return path.parent


def cut(path):
    """The file without its end, as a copy that was broken off leaves it."""
    path.write_bytes(path.read_bytes()[:-9])


def with_broken_page(path):
    """The file with a good footer and rubbish for values."""
    content = bytearray(path.read_bytes())
    content[40 : len(content) // 2] = b"\xff" * (len(content) // 2 - 40)
    path.write_bytes(bytes(content))


def not_utf8(*values):
    """Texts whose bytes are these, as no check keeps them from being written."""
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values, pa.binary()).buffers())
