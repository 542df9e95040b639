"""Coarse clusters split on the executors: each one's members go to one task, which runs a k-means of its own on them.

A coarse cluster too large for a task is fitted on a sample of its members; all of them are then assigned in a stream.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import RDD, StorageLevel
from pyspark.serializers import NoOpSerializer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, draw_up_to, draws
from equipoise.kernels.levels import KMeans
from equipoise.kernels.nearest import Floats, nearest, prepare
from equipoise.kernels.packing import Block, pack, unpack
from equipoise.kernels.placement import MOST_DRIVER_BYTES, SPLIT_BYTES, split_members
from equipoise.kernels.splitting import fit_part, seed_of_part, tasks_of
from equipoise.kernels.statistics import ROWS_PER_BLOCK
from equipoise.kernels.vectors import ArrayVectors, Assignments, Ids
from equipoise.pipeline.blocks import (
    ASSIGNED,
    BLOCK_SCHEMA,
    as_stream,
    assignments_batch,
    concatenated,
    from_streams,
    rows_per_block,
)
from equipoise.pipeline.sharing import share
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.workers import Assigner, assigner, settle
from equipoise.schemas import Col

TASKS_PER_CORE = 4

Piece = tuple[int, tuple[Ids, bytes]]
_CENTROID = pa.list_(pa.field("element", pa.float32(), nullable=False))
ROWS = t.StructType([*ASSIGNED.fields, t.StructField(Col.centroid, t.ArrayType(t.FloatType(), False))])
"""Two kinds of rows: an item with its cluster, and, without an item, a cluster with its centroid."""


@dataclass(frozen=True)
class Routing:
    """Which task each coarse cluster goes to, and up to which draw its members go there: all (k0,) int64."""

    tasks: Ids
    limits: Ids
    is_sampled: NDArray[np.bool_]

    @property
    def n_tasks(self) -> int:
        """Tasks that have anything to do."""
        return int(self.tasks.max()) + 1


@dataclass(frozen=True)
class Inside:
    """How the k-means inside every coarse cluster is run."""

    splits: int
    kmeans: KMeans
    seed: int


@dataclass(frozen=True)
class Split:
    """Split clusters: ``centroids`` (cluster_id, centroid), ``assignments`` (item_id, cluster_id, distance_sq).

    A context manager: leaving it gives back the storage of both.
    """

    centroids: DataFrame
    assignments: DataFrame
    stored: "RDD[bytes]"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """What was shared stays as long as a frame needs it that may have to be computed again."""
        self.stored.unpersist()


def routing(sizes: Ids, *, most: int, n_tasks: int) -> Routing:
    """Fills tasks by size; of a cluster above ``most`` members about that many are drawn, and never more are kept.

    Args:
        sizes: (k0,) members of every coarse cluster.
        most: members that a task may hold.
        n_tasks: tasks to fill at least.
    """
    is_sampled = sizes > most
    drawn = max(1.0, most - 6 * most**0.5)  # six standard deviations: never more than `most` in practice
    shares = np.where(is_sampled, drawn / np.maximum(sizes, 1), 1.0)
    limits = np.array([draw_up_to(share) for share in shares], dtype=np.int64)
    return Routing(tasks_of(np.minimum(sizes, most), most=most, n_tasks=n_tasks), limits, is_sampled)


def split(vectors: SparkVectors, coarse: Floats, inside: Inside, *, most_bytes: int = SPLIT_BYTES) -> Split:
    """Splits every coarse cluster, on the executors; runs jobs.

    Args:
        vectors: what was clustered.
        coarse: (k0, d) centroids.
        inside: what to do in every cluster.
        most_bytes: of vectors that one task may fit at once.
    """
    most = split_members(inside.splits, vectors.dim, most_bytes=most_bytes)
    sizes = vectors.assign(coarse).counts
    _refuse_many_samples(sizes, most, splits=inside.splits, dim=vectors.dim)
    routes = routing(sizes, most=most, n_tasks=TASKS_PER_CORE * vectors.spark.sparkContext.defaultParallelism)
    near = assigner(vectors.spark, coarse, vectors.backend)
    vectors.lend(near.centroids)
    pieces = vectors.pieces(lambda parts: _routed(near.labelled(parts), routes, inside.seed))
    routed = pieces.partitionBy(routes.n_tasks, int)
    fitted = routed.mapPartitions(lambda found: _fitted(found, routes, inside, most=most, near=near))
    stored = fitted._reserialize(NoOpSerializer()).persist(StorageLevel.MEMORY_AND_DISK_DESER)
    stored.count()
    rows = vectors.spark.createDataFrame(stored.map(lambda stream: (stream,)), BLOCK_SCHEMA).mapInArrow(
        from_streams, ROWS
    )
    centroids = rows.where(F.col(Col.item_id).isNull()).select(Col.cluster_id, Col.centroid)
    labelled = rows.where(F.col(Col.item_id).isNotNull()).select(*ASSIGNED.names)
    if routes.is_sampled.any():
        streamed = _of_sampled(vectors, near, centroids, routes, splits=inside.splits)
        labelled = labelled.unionByName(streamed)
    return Split(centroids, labelled, stored)


def _refuse_many_samples(sizes: Ids, most: int, *, splits: int, dim: int) -> None:
    """The centroids of the clusters that are fitted on samples pass through the driver."""
    n_sampled = int((sizes > most).sum())
    needed = 4 * n_sampled * splits * dim
    if needed > MOST_DRIVER_BYTES:
        raise InputError(
            f"{n_sampled:,} of the coarse clusters are above cluster.split_bytes ({most:,} vectors of {dim} numbers): "
            f"their centroids take {needed:,} bytes on the driver, which takes {MOST_DRIVER_BYTES:,}: set "
            f"cluster.split_bytes to {int(sizes.max()) * (4 * dim + 8):,}, or lower splits, for more coarse clusters"
        )


def _routed(assigned: Iterable[tuple[Block, Ids, Floats]], routes: Routing, seed: int) -> Iterator[Piece]:
    """The members that are to be fitted, as one piece a block and task."""
    for block, labels, _ in assigned:
        chosen = np.flatnonzero(draws(seed, Purpose.SAMPLE, block.item_ids) <= routes.limits[labels])
        tasks = routes.tasks[labels[chosen]]
        order = np.argsort(tasks, kind="stable")
        present, starts = np.unique(tasks[order], return_index=True)
        for task, rows in zip(present.tolist(), np.split(chosen[order], starts[1:]), strict=True):
            yield task, (labels[rows], pack(Block(block.item_ids[rows], block.vectors[rows])))


def _fitted(pieces: Iterable[Piece], routes: Routing, inside: Inside, *, most: int, near: Assigner) -> Iterator[bytes]:
    """The clusters of one task, one after the other, as rows of :data:`ROWS` in Arrow streams."""
    settle()
    received = [piece for _, piece in pieces]
    if not received:
        return
    labels = np.concatenate([labels for labels, _ in received])
    block = concatenated([unpack(packed) for _, packed in received])
    del received
    order = np.lexsort((block.item_ids, labels))
    present, starts = np.unique(labels[order], return_index=True)
    for coarse, rows in zip(present.tolist(), np.split(order, starts[1:]), strict=True):
        is_sampled = bool(routes.is_sampled[coarse])
        kept = rows[np.sort(_smallest(block.item_ids[rows], most, inside.seed))] if is_sampled else rows
        members = ArrayVectors(block.vectors[kept], block.item_ids[kept], kernel=near.kernel)
        seed = seed_of_part(inside.seed, coarse)
        centroids = fit_part(members, inside.splits, kmeans=inside.kmeans, seed=seed)
        first = coarse * inside.splits
        yield from _centroid_rows(first, centroids)
        if not is_sampled:
            item_ids, own, distances_sq = members.assignments(centroids)
            yield from _item_rows(Assignments(item_ids, first + own, distances_sq))


def _smallest(item_ids: Ids, most: int, seed: int) -> Ids:
    return np.argsort(draws(seed, Purpose.SAMPLE, item_ids), kind="stable")[:most]


def _centroid_rows(first: int, centroids: Floats) -> Iterator[bytes]:
    step = rows_per_block(centroids.shape[1])
    for start in range(0, len(centroids), step):
        some = centroids[start : start + step]
        ends = np.arange(0, some.size + 1, some.shape[1], dtype=np.int32)
        lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(some.reshape(-1)), type=_CENTROID)
        ids = pa.array(first + start + np.arange(len(some)))
        columns = [pa.nulls(len(some), pa.int64()), ids, pa.nulls(len(some), pa.float32()), lists]
        yield as_stream(pa.RecordBatch.from_arrays(columns, ROWS.names))


def _item_rows(labelled: Assignments) -> Iterator[bytes]:
    for start in range(0, len(labelled.labels), ROWS_PER_BLOCK):
        some = [pa.array(column[start : start + ROWS_PER_BLOCK]) for column in labelled]
        yield as_stream(pa.RecordBatch.from_arrays([*some, pa.nulls(len(some[0]), _CENTROID)], ROWS.names))


def _of_sampled(
    vectors: SparkVectors, near: Assigner, centroids: DataFrame, routes: Routing, *, splits: int
) -> DataFrame:
    """All members of the clusters that were fitted on a sample; the driver sees the centroids of these alone."""
    sampled = np.flatnonzero(routes.is_sampled)
    of_sampled = F.floor(F.col(Col.cluster_id) / splits).isin(sampled.tolist())
    rows = centroids.where(of_sampled).orderBy(Col.cluster_id).toPandas()
    context = vectors.spark.sparkContext
    ids, fine = (share(context, np.stack(rows[name].to_list())) for name in (Col.cluster_id, Col.centroid))
    for array in (ids, fine):
        vectors.lend(array)

    def assigned(parts: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
        ready = {}
        for block, labels, _ in near.labelled(parts):
            for coarse in np.unique(labels[routes.is_sampled[labels]]).tolist():
                begin, end = np.searchsorted(ids.value, [coarse * splits, (coarse + 1) * splits])
                if coarse not in ready:
                    ready[coarse] = prepare(fine.value[begin:end].astype(np.float32))
                chosen = labels == coarse
                own, distances_sq = nearest(block.vectors[chosen], ready[coarse])
                yield assignments_batch(Assignments(block.item_ids[chosen], ids.value[begin:end][own], distances_sq))

    return vectors.batches(assigned, ASSIGNED)
