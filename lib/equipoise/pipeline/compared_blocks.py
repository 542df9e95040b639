"""Items in blocks of bounded size, made along clusters: what is held against each other, or skipped as a whole."""

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import RDD, StorageLevel
from pyspark.serializers import NoOpSerializer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import Block, pack, rows_by, unpack
from equipoise.kernels.placement import partitions_for
from equipoise.kernels.regions import Regions, parts_of, region_of
from equipoise.kernels.vectors import Ids, unit_length
from equipoise.pipeline.blocks import concatenated, packed_rows, rows_per_block
from equipoise.pipeline.crossing import BLOCK, BLOCK_SCHEMA, bytes_of
from equipoise.pipeline.sharing import share
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.workers import settle
from equipoise.schemas import Col

_NUMBER = struct.Struct("<q")
Piece = tuple[int, tuple[Ids, bytes]]


@dataclass(frozen=True)
class Placing:
    """Where items go: cluster c is the ``parts[c]`` blocks from ``firsts[c]``, and items are spread over them by draws.

    ``sizes`` (b,) are the items that a block is to have, ``tasks`` (b,) where blocks are made; ``firsts`` and ``parts``
    are (k,), all int64. Blocks are numbered from ``offset``.
    """

    firsts: Ids
    parts: Ids
    sizes: Ids
    tasks: Ids
    seed: int
    offset: int

    def blocks(self, labels: Ids, item_ids: Ids) -> Ids:
        """The block of every item (n,), not counting the offset."""
        drawn = draws(self.seed, Purpose.BLOCK, item_ids).view(np.uint64) % self.parts[labels].view(np.uint64)
        return self.firsts[labels] + drawn.view(np.int64)

    @property
    def clusters(self) -> Ids:
        """The cluster that each block is a part of."""
        return np.repeat(np.arange(len(self.parts)), self.parts)


def placing(sizes: Ids, *, most: int, dim: int, task_bytes: int, seed: int, offset: int = 0) -> Placing:
    """Clusters of these sizes (k,) in blocks of at most ``most`` items, made by tasks that get up to ``task_bytes``."""
    parts = parts_of(sizes, most)
    each = np.repeat(-(-sizes // np.maximum(parts, 1)), parts)
    n_tasks = partitions_for(int(sizes.sum()), dim, most_bytes=task_bytes)
    tasks = (np.cumsum(each) - each) * n_tasks // max(1, int(each.sum()))
    return Placing(np.cumsum(parts) - parts, parts, each, tasks, seed, offset)


@dataclass(frozen=True)
class ComparedBlocks:
    """Blocks on the executors, as long as the context lasts that made them: packed, each with its number before it.

    ``sizes`` (b,) are the items that a block is to have, ``clusters`` (b,) those that they are parts of. Blocks are
    numbered from ``offset``.
    """

    stored: "RDD[bytes]"
    sizes: Ids
    clusters: Ids
    offset: int = 0

    def regions(self) -> Regions:
        """Where every block lies; runs a job, which makes the blocks. The driver gets a vector a block."""
        offset, sizes = self.offset, np.zeros_like(self.sizes)
        found = self.stored.mapPartitions(_regions).collect()  # a mean and a number a block
        dim = len(found[0][2])
        centres, radii = np.zeros((len(sizes), dim), dtype=np.float32), np.zeros(len(sizes))
        for number, size, centre, radius in found:
            sizes[number - offset], centres[number - offset], radii[number - offset] = size, centre, radius
        return Regions(self.clusters, sizes, centres, radii)


def packed_blocks(vectors: SparkVectors, n_blocks: int, *, offset: int = 0) -> ComparedBlocks:
    """About equal blocks of vectors that no cone would prove apart, as they are packed: none moves, no job is run."""
    most = rows_per_block(vectors.dim)
    in_partition = -(-vectors.count // vectors.n_partitions // most) + 1  # ids are spread by hash: about so many
    n_packed = in_partition * vectors.n_partitions

    def numbered_ones(place: int, parts: Iterable[bytes]) -> Iterator[bytes]:
        for number, packed in enumerate(parts):
            at = place * in_partition + min(number, in_partition - 1)
            yield _with_number(packed, offset + at * n_blocks // n_packed)

    sizes = np.full(n_blocks, -(-vectors.count // n_blocks))
    return ComparedBlocks(vectors.pieces(numbered_ones), sizes, np.zeros(n_blocks, np.int64), offset)


@contextmanager
def fitted_blocks(
    vectors: SparkVectors, coarse: Floats, *, most: int, task_bytes: int, seed: int, offset: int = 0
) -> Iterator[ComparedBlocks]:
    """Blocks along coarse clusters around centroids (k, d); runs a job."""
    near = vectors.assigner(coarse)

    def labelled(_: int, parts: Iterable[bytes]) -> Iterator[bytes]:
        settle()
        for packed in parts:
            block = unpack(packed)
            yield near.nearest(block.vectors)[0].astype(np.int32).tobytes()

    beside = vectors.pieces(labelled)._reserialize(NoOpSerializer()).persist(StorageLevel.MEMORY_AND_DISK_DESER)
    try:
        sizes = np.sum(beside.mapPartitions(lambda parts: [_counts(parts, len(coarse))]).collect(), axis=0)
        where = placing(sizes, most=most, dim=vectors.dim, task_bytes=task_bytes, seed=seed, offset=offset)
        pieces = vectors.zipped(beside).mapPartitions(
            lambda pairs: _routed(((unpack(one), np.frombuffer(other, np.int32)) for one, other in pairs), where)
        )
        with _made(pieces, where) as blocks:
            yield blocks
    finally:
        beside.unpersist()
        near.centroids.destroy()


@contextmanager
def clustered_blocks(
    embeddings: DataFrame, clusters: DataFrame, *, dim: int, most: int, task_bytes: int, seed: int
) -> Iterator[ComparedBlocks]:
    """Blocks along given clusters; runs a job. The driver gets the size of every cluster.

    Args:
        embeddings: item_id BIGINT, embedding ARRAY<FLOAT> of ``dim`` numbers.
        clusters: item_id, cluster_id BIGINT; an item without one is in no block.
        most: items of a block.
        task_bytes: of vectors that a task gets.
        seed: of the draws that split large clusters.
    """
    own = clusters.select(Col.item_id, Col.cluster_id).where(F.col(Col.cluster_id).isNotNull())
    members = embeddings.select(Col.item_id, Col.embedding).join(own, Col.item_id, "inner")
    counted = members.groupBy(Col.cluster_id).agg(F.count("*").alias(Col.n_items)).toPandas()  # a row a cluster
    counted = counted.sort_values(Col.cluster_id)
    sizes = counted[Col.n_items].to_numpy(np.int64)
    where = placing(sizes, most=most, dim=dim, task_bytes=task_bytes, seed=seed)
    known = share(embeddings.sparkSession.sparkContext, counted[Col.cluster_id].to_numpy(np.int64))

    def labelled(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            vectors = batch.column(1).flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
            block = Block(batch.column(0).to_numpy(), unit_length(vectors))
            labels = np.searchsorted(known.value, batch.column(2).to_numpy()).astype(np.int32)
            yield pa.RecordBatch.from_arrays([pa.array([_labelled(block, labels)], pa.binary())], [BLOCK])

    packed = members.select(Col.item_id, Col.embedding, Col.cluster_id).mapInArrow(labelled, BLOCK_SCHEMA)
    pieces = bytes_of(packed).mapPartitions(lambda parts: _routed(map(_unlabelled, parts), where))
    try:
        with _made(pieces, where) as blocks:
            yield blocks
    finally:
        known.destroy()


def number_of(packed: bytes) -> int:
    """The number of the block that a stored piece belongs to."""
    return int(_NUMBER.unpack_from(packed)[0])


def numbered(packed: bytes) -> tuple[int, bytes]:
    """The number of the block that a stored piece belongs to, and the piece."""
    return number_of(packed), packed[_NUMBER.size :]


def _with_number(packed: bytes, number: int) -> bytes:
    return _NUMBER.pack(number) + packed


def _labelled(block: Block, labels: NDArray[np.int32]) -> bytes:
    return _NUMBER.pack(len(labels)) + labels.tobytes() + pack(block)


def _unlabelled(packed: bytes) -> tuple[Block, Ids]:
    count, start = _NUMBER.unpack_from(packed)[0], _NUMBER.size
    return unpack(packed[start + 4 * count :]), np.frombuffer(packed, np.int32, count=count, offset=start)


def _counts(labels: Iterable[bytes], k: int) -> Ids:
    counts = np.zeros(k, dtype=np.int64)
    for some in labels:
        counts += np.bincount(np.frombuffer(some, np.int32), minlength=k)
    return counts


def _routed(labelled: Iterable[tuple[Block, Ids]], where: Placing) -> Iterator[Piece]:
    """Items on their way to the task that makes their block."""
    for block, labels in labelled:
        numbers = where.blocks(labels, block.item_ids)
        for task, rows in rows_by(where.tasks[numbers]):
            yield task, (numbers[rows], pack(Block(block.item_ids[rows], block.vectors[rows])))


@contextmanager
def _made(pieces: "RDD[Piece]", where: Placing) -> Iterator[ComparedBlocks]:
    routed = pieces.partitionBy(int(where.tasks.max(initial=0)) + 1, int)
    made = routed.mapPartitions(lambda found: _sorted_blocks(found, where.offset))
    stored = made._reserialize(NoOpSerializer()).persist(StorageLevel.MEMORY_AND_DISK_DESER)
    try:
        yield ComparedBlocks(stored, where.sizes, where.clusters, where.offset)
    finally:
        stored.unpersist()


def _sorted_blocks(pieces: Iterable[Piece], offset: int) -> Iterator[bytes]:
    received = [piece for _, piece in pieces]
    if not received:
        return
    numbers = np.concatenate([some for some, _ in received])
    block = concatenated([unpack(packed) for _, packed in received])
    del received
    order = np.argsort(block.item_ids, kind="stable")
    for number, places in rows_by(numbers[order]):
        rows = order[places]
        step = rows_per_block(block.vectors.shape[1])
        for packed in packed_rows(block.item_ids[rows], block.vectors[rows], rows=step):
            yield _with_number(packed, number + offset)


def _regions(stored: Iterable[bytes]) -> Iterator[tuple[int, int, Floats, float]]:
    settle()
    for number, pieces in groupby(map(numbered, stored), key=itemgetter(0)):
        vectors = concatenated([unpack(packed) for _, packed in pieces]).vectors
        yield number, len(vectors), *region_of(vectors)
