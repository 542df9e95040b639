"""Tasks that hold blocks against each other: one cell each, a group of blocks by a group of blocks."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark import RDD
from pyspark.sql import DataFrame, SparkSession

from equipoise.kernels.bounds import Basis, Projected, project
from equipoise.kernels.cells import Cells
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import unpack
from equipoise.kernels.pairs import pairs_above
from equipoise.kernels.regions import Region, near_rows, region_of
from equipoise.kernels.vectors import Ids
from equipoise.pipeline.blocks import BLOCK_SCHEMA, as_stream, concatenated, from_streams
from equipoise.pipeline.compared_blocks import numbered
from equipoise.pipeline.sharing import SharedArray, share
from equipoise.pipeline.workers import settle
from equipoise.schemas import Col
from equipoise.schemas.spark_types import struct_of

PAIRS = struct_of({Col.src: "bigint", Col.dst: "bigint", Col.similarity: "float"})
PAIRS_PER_BATCH = 1 << 15
"""Rows of a batch: well under a MiB, whatever is found."""


@dataclass(frozen=True)
class Comparison:
    """``cells`` of blocks to hold against each other, the ``basis`` of the bound, and the ``threshold``.

    ``is_ordered``: src is the item of a pair's first block; else that with the lower id.
    """

    cells: Cells
    basis: Basis
    threshold: float
    is_ordered: bool


class _Compared(NamedTuple):
    """A block in a task."""

    item_ids: Ids
    projected: Projected
    region: Region


class _Found(NamedTuple):
    """Pairs of items: (m,) each."""

    src: Ids
    dst: Ids
    similarities: Floats


@contextmanager
def compared(spark: SparkSession, stored: "RDD[bytes]", comparison: Comparison) -> Iterator[DataFrame]:
    """The pairs (src, dst BIGINT, similarity FLOAT) of all cells, computed when they are used, as long as this lasts.

    Args:
        spark: the session.
        stored: the blocks' pieces, each with the number of its block.
        comparison: what to do with them.
    """
    cells, context = comparison.cells, spark.sparkContext
    names = ("lefts", "rights", "starts", "targets", "routes", "directions")
    arrays = (*cells.pairs, cells.starts, cells.targets, cells.routes, comparison.basis.directions)
    shared = {name: share(context, array) for name, array in zip(names, arrays, strict=True)}
    widths, threshold, is_ordered = comparison.basis.widths, comparison.threshold, comparison.is_ordered

    def sent(parts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        routes, targets = shared["routes"].value, shared["targets"].value
        for part in parts:
            number, _ = numbered(part)
            yield from ((cell, part) for cell in targets[routes[number] : routes[number + 1]].tolist())

    def found(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[bytes]]:
        settle()
        received = list(pieces)
        if not received:
            return
        cell, parts = received[0][0], [part for _, part in received]
        del received
        blocks = _blocks(parts, Basis(shared["directions"].value, widths))
        for batch in _batches(_pairs_of(blocks, _cell(shared, cell), threshold), is_ordered=is_ordered):
            yield (as_stream(batch),)

    try:
        tasks = stored.mapPartitions(sent).partitionBy(max(1, cells.count), int)
        yield spark.createDataFrame(tasks.mapPartitions(found), BLOCK_SCHEMA).mapInArrow(from_streams, PAIRS)
    finally:
        for array in shared.values():
            array.destroy()


def _cell(shared: dict[str, SharedArray], cell: int) -> list[tuple[int, int]]:
    """The pairs of blocks of a cell."""
    begin, end = shared["starts"].value[cell : cell + 2]
    return list(zip(*(shared[name].value[begin:end].tolist() for name in ("lefts", "rights")), strict=True))


def _blocks(parts: list[bytes], basis: Basis) -> dict[int, _Compared]:
    """The blocks by number; ``parts`` are used up, so that a task holds them once."""
    pieces: dict[int, list[bytes]] = {}
    while parts:
        number, packed = numbered(parts.pop())
        pieces.setdefault(number, []).append(packed)
    blocks = {}
    while pieces:
        number, some = pieces.popitem()
        block = concatenated([unpack(packed) for packed in some])
        order = np.argsort(block.item_ids, kind="stable")
        vectors = block.vectors[order]
        blocks[number] = _Compared(block.item_ids[order], project(vectors, basis), region_of(vectors))
    return blocks


def _pairs_of(blocks: dict[int, _Compared], numbers: Iterable[tuple[int, int]], threshold: float) -> Iterator[_Found]:
    for first, second in numbers:
        left, right = blocks[first], blocks[second]
        if first == second:
            for rows, columns, similarities in pairs_above(left.projected, None, threshold):
                yield _Found(left.item_ids[rows], left.item_ids[columns], similarities)
            continue
        some, others = _near(left, right.region, threshold), _near(right, left.region, threshold)
        for rows, columns, similarities in pairs_above(some.projected, others.projected, threshold):
            yield _Found(some.item_ids[rows], others.item_ids[columns], similarities)


def _near(block: _Compared, region: Region, threshold: float) -> _Compared:
    """The items of a block that may be similar to something in a region."""
    rows = near_rows(block.projected.vectors, region, threshold)
    if rows is None:
        return block
    return _Compared(block.item_ids[rows], block.projected.take(rows), block.region)


def _batches(found: Iterable[_Found], *, is_ordered: bool) -> Iterator[pa.RecordBatch]:
    waiting: list[_Found] = []
    for some in found:
        waiting.append(some)
        if sum(len(one.src) for one in waiting) >= PAIRS_PER_BATCH:
            yield _batch(waiting, is_ordered=is_ordered)
            waiting = []
    if waiting:
        yield _batch(waiting, is_ordered=is_ordered)


def _batch(found: list[_Found], *, is_ordered: bool) -> pa.RecordBatch:
    src, dst, similarities = (np.concatenate(column) for column in zip(*found, strict=True))
    if not is_ordered:
        src, dst = np.minimum(src, dst), np.maximum(src, dst)
    return pa.RecordBatch.from_arrays([pa.array(src), pa.array(dst), pa.array(similarities)], PAIRS.names)
