"""Tasks that hold blocks against each other: one cell each, a group of blocks by a group of blocks."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark import RDD
from pyspark.sql import DataFrame, SparkSession

from equipoise.kernels.bounds import Basis, Projected, project
from equipoise.kernels.cells import Cells, runs_of
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import unpack
from equipoise.kernels.pairs import pairs_above
from equipoise.kernels.regions import BlockPairs, Region, is_narrow, near_rows, region_of
from equipoise.kernels.vectors import Ids
from equipoise.pipeline.blocks import concatenated
from equipoise.pipeline.compared_blocks import number_of, numbered
from equipoise.pipeline.crossing import as_stream, rows_frame
from equipoise.pipeline.sharing import share
from equipoise.pipeline.workers import settle
from equipoise.schemas import Col
from equipoise.schemas.spark_types import struct_of

PAIRS = struct_of({Col.src: "bigint", Col.dst: "bigint", Col.similarity: "float"})
PAIRS_PER_BATCH = 1 << 15
"""Rows of a batch: well under a MiB, whatever is found."""
JOINED_ITEMS = 2048
"""Of blocks that are held against others together."""


@dataclass(frozen=True)
class Comparison:
    """``cells`` of blocks to hold against each other, the ``basis`` of the bound, and the ``threshold``.

    ``is_ordered``: src is the item of a pair's first block; else that with the lower id. ``has_cones``: blocks lie
    close together, so that their cones may rule items of others out.
    """

    cells: Cells
    basis: Basis
    threshold: float
    is_ordered: bool
    has_cones: bool = True


class _Held(NamedTuple):
    """What a task holds: the items of its blocks, group by group, block b from ``starts[b]`` to ``starts[b + 1]``.

    ``regions``: their cones that rule items out; None where one does not.
    """

    item_ids: Ids
    projected: Projected
    starts: Ids
    regions: list[Region | None]


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
    arrays = {**vars(cells), **cells.pairs._asdict(), "directions": comparison.basis.directions}
    shared = {name: share(context, array) for name, array in arrays.items() if isinstance(array, np.ndarray)}
    widths, threshold, is_ordered = comparison.basis.widths, comparison.threshold, comparison.is_ordered
    narrow_below = threshold if comparison.has_cones else None

    def sent(parts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        routes, targets = shared["routes"].value, shared["targets"].value
        for part in parts:
            number = number_of(part)
            yield from ((cell, part) for cell in targets[routes[number] : routes[number + 1]].tolist())

    def found(pieces: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        settle()
        received = list(pieces)
        if not received:
            return
        cell, parts = received[0][0], [part for _, part in received]
        del received
        numbers = np.array([number_of(part) for part in parts])
        order = np.unique(numbers)
        order = order[np.argsort(shared["groups"].value[order], kind="stable")]
        held = _held(parts, numbers, order, basis=Basis(shared["directions"].value, widths), threshold=narrow_below)
        begin, end = shared["starts"].value[cell : cell + 2]
        pairs = BlockPairs(*(shared[name].value[begin:end] for name in BlockPairs._fields))
        for batch in _batches(_pairs_of(held, _beside(pairs, order), threshold), is_ordered=is_ordered):
            yield as_stream(batch)

    try:
        tasks = stored.mapPartitions(sent).partitionBy(max(1, cells.count), int)
        yield rows_frame(spark, tasks.mapPartitions(found), PAIRS)
    finally:
        for array in shared.values():
            array.destroy()


def _held(parts: list[bytes], numbers: Ids, order: Ids, *, basis: Basis, threshold: float | None) -> _Held:
    """The blocks in this order; ``parts`` are used up, so that a task holds them once. No threshold: no cones."""
    places = np.argsort(order)[np.searchsorted(np.sort(order), numbers)]
    by_place = np.argsort(places, kind="stable")
    pieces = [unpack(numbered(parts[piece])[1]) for piece in by_place.tolist()]
    parts.clear()
    sizes = np.bincount(places[by_place], weights=[len(piece.item_ids) for piece in pieces]).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    block = concatenated(pieces)
    del pieces
    vectors = np.ascontiguousarray(block.vectors, dtype=np.float32)
    bounds = itertools.pairwise(starts.tolist())
    regions = [None if threshold is None else _cone(vectors[begin:end], threshold) for begin, end in bounds]
    return _Held(block.item_ids, project(vectors, basis), starts, regions)


def _cone(vectors: Floats, threshold: float) -> Region | None:
    region = region_of(vectors)
    return region if is_narrow(region, threshold) else None


def _beside(pairs: BlockPairs, order: Ids) -> dict[int, Ids]:
    """Of every block that is there, by its place in ``order``, those that it is held against, ascending."""
    place_of = {number: place for place, number in enumerate(order.tolist())}
    found: dict[int, set[int]] = {}
    for left, right in zip(pairs.lefts.tolist(), pairs.rights.tolist(), strict=True):
        if left in place_of and right in place_of:
            first, second = sorted((place_of[left], place_of[right]))
            found.setdefault(first, set()).add(second)
    return {first: np.array(sorted(others)) for first, others in sorted(found.items())}


def _pairs_of(held: _Held, beside: dict[int, Ids], threshold: float) -> Iterator[_Found]:
    for blocks in _joined(held, beside):
        others = beside[blocks.start]
        if others[0] == blocks.start:
            own, places = _near(held, blocks, None, threshold)
            for i, j, similarities in pairs_above(own, None, threshold):
                yield _Found(held.item_ids[places[i]], held.item_ids[places[j]], similarities)
        others = others[others >= blocks.stop]
        for run in runs_of(others) if len(others) else ():
            yield from _pairs_of_run(held, blocks, run, threshold)


def _joined(held: _Held, beside: dict[int, Ids]) -> Iterator[slice]:
    """Blocks in a row that are held against each other, or none of them is, and against the same others.

    One product of matrices costs less than several; where cones rule items out blocks stay apart.
    """
    blocks = sorted(beside)
    while blocks:
        first = blocks.pop(0)
        stop = first + 1
        while blocks and blocks[0] == stop and _is_alike(held, beside, (first, stop)):
            stop = blocks.pop(0) + 1
        yield slice(first, stop)


def _is_alike(held: _Held, beside: dict[int, Ids], blocks: tuple[int, int]) -> bool:
    """Whether what is held against the first of two blocks, from the second on, is what is held against that."""
    first, other = blocks
    if held.starts[other + 1] - held.starts[first] > JOINED_ITEMS:
        return False
    is_inside = beside[first][0] == first
    if not is_inside and beside[first][0] <= other:
        return False
    is_same = np.array_equal(beside[other], beside[first][beside[first] >= other])
    is_inside_too = (beside[other][0] == other) == is_inside
    return bool(is_same and is_inside_too) and all(held.regions[one] is None for one in blocks)


def _pairs_of_run(held: _Held, blocks: slice, run: slice, threshold: float) -> Iterator[_Found]:
    """Of some blocks and others that stand in a row, but for the items that a block's cone proves apart."""
    left, rows = _near(held, blocks, _only(held, run), threshold)
    right, columns = _near(held, run, _only(held, blocks), threshold)
    for i, j, similarities in pairs_above(left, right, threshold):
        yield _Found(held.item_ids[rows[i]], held.item_ids[columns[j]], similarities)


def _only(held: _Held, blocks: slice) -> Region | None:
    return held.regions[blocks.start] if blocks.stop == blocks.start + 1 else None


def _near(held: _Held, blocks: slice, region: Region | None, threshold: float) -> tuple[Projected, Ids]:
    """Items of blocks that may be similar to something in a region, and where they stand."""
    places = np.arange(held.starts[blocks.start], held.starts[blocks.stop])
    block = held.projected.take(slice(held.starts[blocks.start], held.starts[blocks.stop]))
    rows = None if region is None else near_rows(block.vectors, region, threshold)
    return (block, places) if rows is None else (block.take(rows), places[rows])


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
