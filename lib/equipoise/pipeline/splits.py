"""Coarse clusters split on the executors: each one's members go to one task, which runs a k-means of its own on them.

A coarse cluster too large for a task is fitted on a sample of its members; all of them are then assigned in a stream.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from pyspark import RDD, StorageLevel
from pyspark.serializers import NoOpSerializer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.levels import KMeans
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import Block, pack, rows_by, unpack
from equipoise.kernels.placement import MOST_DRIVER_BYTES, SPLIT_BYTES, split_members
from equipoise.kernels.splitting import Parts, fit_parts, seed_of_part, squared_distances
from equipoise.kernels.statistics import ROWS_PER_BLOCK
from equipoise.kernels.vectors import ArrayVectors, Assignments, Ids
from equipoise.pipeline.blocks import (
    ASSIGNED,
    assignments_batch,
    concatenated,
    rows_per_block,
)
from equipoise.pipeline.crossing import as_stream, rows_frame
from equipoise.pipeline.routing import Routing, routing
from equipoise.pipeline.sharing import share
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.workers import Assigner, assigner, settle
from equipoise.schemas import Col

TASKS_PER_CORE = 4

Piece = tuple[int, tuple[Ids, bytes]]
_CENTROID = pa.list_(pa.field("element", pa.float32(), nullable=False))
ROWS = t.StructType(
    [
        *ASSIGNED.fields,
        t.StructField(Col.level, t.IntegerType()),
        t.StructField(Col.centroid, t.ArrayType(t.FloatType(), False)),
    ]
)
"""Two kinds of rows: an item with its finest cluster, and, without an item, a cluster with its level, its centroid and
the squared distance of that from the centroid of the cluster which it is a part of."""


@dataclass(frozen=True)
class Inside:
    """How every coarse cluster is split: into ``branching[0]``, each of these into ``branching[1]``, and so on."""

    branching: tuple[int, ...]
    kmeans: KMeans
    seed: int

    @property
    def room(self) -> tuple[int, ...]:
        """Clusters inside one coarse cluster, by level from the top."""
        return tuple(np.cumprod(self.branching).tolist())


@dataclass(frozen=True)
class Split:
    """Split clusters: ``clusters`` (level, cluster_id, centroid, distance_sq), level 1 the finest, and ``assignments``.

    ``distance_sq`` of a cluster is from what it is a part of; assignments are (item_id, cluster_id, distance_sq). A
    context manager: leaving it gives back the storage of both.
    """

    clusters: DataFrame
    assignments: DataFrame
    stored: "RDD[bytes]"

    def centroids(self, level: int = 1) -> DataFrame:
        """The clusters of a level: cluster_id, centroid."""
        return self.clusters.where(F.col(Col.level) == level).select(Col.cluster_id, Col.centroid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """What was shared stays as long as a frame needs it that may have to be computed again."""
        self.stored.unpersist()


def split(vectors: SparkVectors, coarse: Floats, inside: Inside, *, most_bytes: int = SPLIT_BYTES) -> Split:
    """Splits every coarse cluster, on the executors; runs jobs.

    Args:
        vectors: what was clustered.
        coarse: (k0, d) centroids.
        inside: what to do in every cluster.
        most_bytes: of vectors that one task may fit at once.
    """
    most = split_members(inside.room[-1], vectors.dim, most_bytes=most_bytes)
    sizes = vectors.assign(coarse).counts
    _refuse_many_samples(sizes, most, splits=sum(inside.room), dim=vectors.dim)
    routes = routing(sizes, most=most, n_tasks=TASKS_PER_CORE * vectors.spark.sparkContext.defaultParallelism)
    near = assigner(vectors.spark, coarse, vectors.backend)
    vectors.lend(near.centroids)
    pieces = vectors.pieces(lambda _, parts: _routed(near.labelled(parts), routes, inside.seed))
    routed = pieces.partitionBy(routes.n_tasks, int)
    fitted = routed.mapPartitions(lambda found: _fitted(found, routes, inside, most=most, near=near))
    stored = fitted._reserialize(NoOpSerializer()).persist(StorageLevel.MEMORY_AND_DISK_DESER)
    stored.count()
    rows = rows_frame(vectors.spark, stored, ROWS)
    clusters = rows.where(F.col(Col.item_id).isNull()).select(Col.level, Col.cluster_id, Col.centroid, Col.distance_sq)
    labelled = rows.where(F.col(Col.item_id).isNotNull()).select(*ASSIGNED.names)
    if routes.is_sampled.any():
        labelled = labelled.unionByName(_of_sampled(vectors, near, clusters, routes, inside))
    return Split(clusters, labelled, stored)


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
        for task, places in rows_by(routes.tasks[labels[chosen]]):
            rows = chosen[places]
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
    whole = near.centroids.value
    for coarse, rows in zip(present.tolist(), np.split(order, starts[1:]), strict=True):
        is_sampled = bool(routes.is_sampled[coarse])
        kept = rows[np.sort(_smallest(block.item_ids[rows], most, inside.seed))] if is_sampled else rows
        members = ArrayVectors(block.vectors[kept], block.item_ids[kept], kernel=near.kernel)
        parts = fit_parts(members, inside.branching, kmeans=inside.kmeans, seed=seed_of_part(inside.seed, coarse))
        yield from _cluster_rows(coarse, parts, whole[coarse], inside)
        if not is_sampled:
            item_ids, own, distances_sq = parts.labelled(members)
            yield from _item_rows(Assignments(item_ids, coarse * inside.room[-1] + own, distances_sq))


def _smallest(item_ids: Ids, most: int, seed: int) -> Ids:
    return np.argsort(draws(seed, Purpose.SAMPLE, item_ids), kind="stable")[:most]


def _cluster_rows(coarse: int, parts: Parts, centroid: Floats, inside: Inside) -> Iterator[bytes]:
    """What was made inside a coarse cluster, which has ``centroid`` (d,)."""
    above, of_above = np.array([0]), centroid[None]
    for depth, (ids, centroids) in enumerate(zip(parts.ids, parts.centroids, strict=True)):
        whole = of_above[np.searchsorted(above, ids // parts.branching[depth])]
        distances_sq = squared_distances(centroids, whole)
        own_ids = coarse * inside.room[depth] + ids
        yield from _centroid_rows(own_ids, centroids, distances_sq, level=len(parts.ids) - depth)
        above, of_above = ids, centroids


def _centroid_rows(cluster_ids: Ids, centroids: Floats, distances_sq: Floats, *, level: int) -> Iterator[bytes]:
    step = rows_per_block(centroids.shape[1])
    for start in range(0, len(centroids), step):
        some = centroids[start : start + step]
        ends = np.arange(0, some.size + 1, some.shape[1], dtype=np.int32)
        lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(some.reshape(-1)), type=_CENTROID)
        own = [pa.array(column[start : start + step]) for column in (cluster_ids, distances_sq)]
        levels = pa.array(np.full(len(some), level, dtype=np.int32))
        yield as_stream(pa.RecordBatch.from_arrays([pa.nulls(len(some), pa.int64()), *own, levels, lists], ROWS.names))


def _item_rows(labelled: Assignments) -> Iterator[bytes]:
    for start in range(0, len(labelled.labels), ROWS_PER_BLOCK):
        some = [pa.array(column[start : start + ROWS_PER_BLOCK]) for column in labelled]
        nothing = [pa.nulls(len(some[0]), kind) for kind in (pa.int32(), _CENTROID)]
        yield as_stream(pa.RecordBatch.from_arrays([*some, *nothing], ROWS.names))


def _of_sampled(
    vectors: SparkVectors, near: Assigner, clusters: DataFrame, routes: Routing, inside: Inside
) -> DataFrame:
    """All members of the clusters that were fitted on a sample; the driver sees the centroids of these alone."""
    sampled, context = np.flatnonzero(routes.is_sampled), vectors.spark.sparkContext
    shared = []
    for level, width in enumerate(reversed(inside.room), start=1):
        of_sampled = F.floor(F.col(Col.cluster_id) / width).isin(sampled.tolist()) & (F.col(Col.level) == level)
        rows = clusters.where(of_sampled).orderBy(Col.cluster_id).toPandas()
        shared.append([share(context, np.stack(rows[name].to_list())) for name in (Col.cluster_id, Col.centroid)])
    for array in (array for level in shared for array in level):
        vectors.lend(array)

    def assigned(parts: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
        levels = [(ids.value, centroids.value) for ids, centroids in reversed(shared)]
        ready: dict[int, Parts] = {}
        for block, labels, _ in near.labelled(parts):
            for coarse in np.unique(labels[routes.is_sampled[labels]]).tolist():
                if coarse not in ready:
                    ready[coarse] = _parts_of(coarse, levels, inside)
                chosen = labels == coarse
                members = ArrayVectors(block.vectors[chosen], block.item_ids[chosen], kernel=near.kernel)
                item_ids, own, distances_sq = ready[coarse].labelled(members)
                yield assignments_batch(Assignments(item_ids, coarse * inside.room[-1] + own, distances_sq))

    return vectors.batches(assigned, ASSIGNED)


def _parts_of(coarse: int, levels: Sequence[tuple[Ids, Floats]], inside: Inside) -> Parts:
    """What lies inside a coarse cluster, of ids and centroids by level from the top."""
    ids, centroids = [], []
    for (cluster_ids, of_level), width in zip(levels, inside.room, strict=True):
        begin, end = np.searchsorted(cluster_ids, [coarse * width, (coarse + 1) * width])
        ids.append(cluster_ids[begin:end] - coarse * width)
        centroids.append(of_level[begin:end].astype(np.float32))
    return Parts(inside.branching, tuple(ids), tuple(centroids))
