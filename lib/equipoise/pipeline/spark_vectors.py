"""Vectors on Spark: a persisted RDD of packed blocks. What comes back to the driver is statistics, never rows."""

import gc
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark import RDD, Broadcast, StorageLevel, TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from equipoise.kernels.draws import Purpose, draw_up_to, draws
from equipoise.kernels.nearest import Floats, PreparedCentroids, nearest, prepare
from equipoise.kernels.packing import Block, pack, unpack
from equipoise.kernels.statistics import ClusterStats, PartialStats, add_up, block_stats
from equipoise.kernels.threads import limit_worker_threads
from equipoise.kernels.vectors import ArrayVectors, Ids, Vectors, farthest_members, smallest_draws
from equipoise.pipeline.blocks import (
    BLOCK_SCHEMA,
    LABELLED_SCHEMA,
    blocks,
    concatenated,
    count_and_dim,
    packed_arrays,
    partitions_for,
)
from equipoise.schemas import Col

Result = TypeVar("Result")
FARTHEST = np.dtype([(Col.cluster_id, np.int64), (Col.distance_sq, np.float32), (Col.item_id, np.int64)])


class SparkVectors:
    """Vectors as a persisted RDD of packed blocks; a context manager that gives the storage back."""

    def __init__(
        self,
        spark: SparkSession,
        packed: "RDD[bytes]",
        *,
        count: int,
        dim: int,
        owned: Iterable[Broadcast[Any]] = (),
    ) -> None:
        """Takes over ``packed``, blocks of ``count`` vectors in all, and the broadcasts that it is made with."""
        self.spark, self.count, self.dim, self._owned = spark, count, dim, tuple(owned)
        self._packed = packed.persist(StorageLevel.MEMORY_AND_DISK)

    @classmethod
    def from_embeddings(
        cls,
        embeddings: DataFrame,
        *,
        partitions: int | None = None,
        spherical: bool = False,
        half: bool = False,
    ) -> Self:
        """Packs (item_id BIGINT, embedding ARRAY<FLOAT>); ``partitions`` by default from the bytes.

        Raises:
            InputError: there are no vectors, they differ in length, or one is zero where ``spherical``.
        """
        count, dim = count_and_dim(embeddings, spherical=spherical)
        n_partitions = partitions or partitions_for(count, dim)
        packed = blocks(embeddings, partitions=n_partitions, dim=dim, spherical=spherical, half=half)
        return cls(embeddings.sparkSession, packed.rdd.map(lambda row: bytes(row[0])), count=count, dim=dim)

    @classmethod
    def from_arrays(cls, spark: SparkSession, vectors: Floats, item_ids: Ids) -> Self:
        """Spreads arrays (n, d) and (n,) over the executors."""
        count, dim = vectors.shape
        packed = spark.sparkContext.parallelize(packed_arrays(item_ids, vectors), partitions_for(count, dim))
        return cls(spark, packed, count=count, dim=dim)

    @property
    def n_partitions(self) -> int:
        """Number of partitions: with the data and the seed it fixes the bits of the result."""
        return self._packed.getNumPartitions()

    def to_arrays(self) -> ArrayVectors:
        """The same vectors on the driver, in the order of their ids."""
        block = concatenated([unpack(packed) for packed in self._packed.collect()])
        return ArrayVectors(block.vectors, block.item_ids)

    def sample(self, n: int, *, seed: int) -> Floats:
        """``n`` vectors, uniform, without replacement, in the order of their ids."""
        share, item_ids = (n + 6 * n**0.5 + 16) / self.count, np.empty(0, np.int64)
        while len(item_ids) < min(n, self.count):  # hardly ever more than once
            item_ids, share = self._ids_drawn(draw_up_to(share), seed=seed), 2 * share
        return self._take(item_ids[smallest_draws(item_ids, n, seed=seed)]).vectors

    def assign(self, centroids: Floats) -> ClusterStats:
        """Sums, counts and costs of the clusters around ``centroids`` (k, d)."""
        k, dim = centroids.shape
        partials = self._run_near(centroids, lambda parts, prepared: [_partition_stats(parts, prepared)])
        return add_up(partials, k=k, dim=dim)

    def farthest(self, centroids: Floats, clusters: Ids) -> Floats:
        """The member of each of ``clusters`` that lies farthest from its centroid."""
        found = self._run_near(centroids, lambda parts, prepared: [_farthest(parts, prepared, clusters)])
        farthest = _farthest_rows(np.concatenate(found), clusters)
        members = self._take(farthest[Col.item_id])
        return members.vectors[np.searchsorted(members.item_ids, farthest[Col.item_id])]

    def closest(self, centroids: Floats, r: int) -> Vectors:
        """The ``r`` members of every cluster that lie closest to its centroid; they stay where they are."""
        near = self._broadcast(centroids)
        bounds = _last_members(self._labelled(near), r).toPandas()
        limits_by_cluster = np.zeros(len(centroids), dtype=[(Col.distance_sq, np.float32), (Col.item_id, np.int64)])
        for name in limits_by_cluster.dtype.names or ():
            limits_by_cluster[name][bounds[Col.cluster_id]] = bounds[name]
        bound = self._broadcast(limits_by_cluster)

        def kept(parts: Iterable[bytes]) -> Iterable[bytes]:
            prepared, limits = prepare(near.value), bound.value
            for block in _unpacked(parts):
                labels, distances_sq = nearest(block.vectors, prepared)
                limit = limits[labels]
                tied = (distances_sq == limit[Col.distance_sq]) & (block.item_ids <= limit[Col.item_id])
                inside = (distances_sq < limit[Col.distance_sq]) | tied
                yield pack(Block(block.item_ids[inside], block.vectors[inside]))

        members = self._packed.mapPartitions(kept)
        n_members = int(bounds[Col.n_items].sum())
        return SparkVectors(self.spark, members, count=n_members, dim=self.dim, owned=(near, bound))

    def labelled(self, centroids: Floats) -> DataFrame:
        """Item id, label and squared distance of every vector, computed when the DataFrame is used."""
        return self._labelled(self._broadcast(centroids))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._packed.unpersist()
        for broadcast in self._owned:
            broadcast.destroy()

    def _labelled(self, near: Broadcast[Any]) -> DataFrame:
        def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            prepared = prepare(near.value)
            for block in _unpacked(packed.as_py() for batch in batches for packed in batch.column(0)):
                columns = [block.item_ids, *nearest(block.vectors, prepared)]
                yield pa.RecordBatch.from_arrays([pa.array(column) for column in columns], LABELLED_SCHEMA.names)

        return self.spark.createDataFrame(self._packed.map(lambda packed: (packed,)), BLOCK_SCHEMA).mapInArrow(
            rows, LABELLED_SCHEMA
        )

    def _ids_drawn(self, limit: int, *, seed: int) -> Ids:
        """Ids whose draw is at most ``limit``."""
        return np.concatenate(self._run(lambda parts: [_drawn(parts, limit, seed=seed)]))

    def _take(self, item_ids: Ids) -> Block:
        """The vectors of these items, float32, in the order of the ids."""
        wanted = np.sort(item_ids)
        found = concatenated(self._run(lambda parts: _rows_of(parts, wanted)))
        order = np.argsort(found.item_ids)
        return Block(found.item_ids[order], found.vectors[order].astype(np.float32))

    def _broadcast(self, value: Any) -> Broadcast[Any]:
        return self.spark.sparkContext.broadcast(value)

    def _run(self, function: Callable[[Iterator[Block]], Iterable[Result]]) -> list[Result]:
        """Results of all partitions, in their order."""
        return self._packed.mapPartitions(lambda parts: function(_unpacked(parts))).collect()

    def _run_near(
        self, centroids: Floats, function: Callable[[Iterator[Block], PreparedCentroids], Iterable[Result]]
    ) -> list[Result]:
        """The same with centroids at hand; their broadcast ends with the action."""
        near = self._broadcast(centroids)
        try:
            return self._run(lambda parts: function(parts, prepare(near.value)))
        finally:
            near.destroy()


def _unpacked(parts: Iterable[bytes]) -> Iterator[Block]:
    """The blocks of a partition, in a process that is set up for numerics."""
    _settle_worker()
    context = TaskContext.get()
    limit_worker_threads(context.cpus() if context else 1)
    return map(unpack, parts)


@cache
def _settle_worker() -> None:
    """Spark collects a worker's garbage after every task: modules and code are taken out of its way, once."""
    gc.collect()
    gc.freeze()


def _partition_stats(parts: Iterable[Block], prepared: PreparedCentroids) -> PartialStats:
    stats = add_up((block_stats(block.vectors, prepared) for block in parts), k=prepared.k, dim=prepared.dim)
    touched = np.flatnonzero(stats.counts)
    return PartialStats(touched, stats.sums[touched], stats.counts[touched], stats.costs[touched])


def _drawn(parts: Iterable[Block], limit: int, *, seed: int) -> Ids:
    ids = [block.item_ids for block in parts]
    every = np.concatenate(ids) if ids else np.empty(0, np.int64)
    return every[draws(seed, Purpose.SAMPLE, every) <= limit]


def _rows_of(parts: Iterable[Block], wanted: Ids) -> Iterator[Block]:
    for block in parts:
        chosen = np.isin(block.item_ids, wanted)
        if chosen.any():
            yield Block(block.item_ids[chosen], block.vectors[chosen])


def _farthest(parts: Iterable[Block], prepared: PreparedCentroids, clusters: Ids) -> NDArray[np.void]:
    """Of every one of ``clusters`` that has members here the farthest: cluster, squared distance and id."""
    best = np.empty(0, FARTHEST)
    for block in parts:
        labels, distances_sq = nearest(block.vectors, prepared)
        rows = np.empty(len(labels), FARTHEST)
        rows[Col.cluster_id], rows[Col.distance_sq], rows[Col.item_id] = labels, distances_sq, block.item_ids
        best = _farthest_rows(np.concatenate([best, rows]), clusters)
    return best


def _farthest_rows(rows: NDArray[np.void], clusters: Ids) -> NDArray[np.void]:
    """The farthest row of every one of ``clusters`` that has any, in their order; ties go to the lowest id."""
    rows = rows[np.argsort(rows[Col.item_id], kind="stable")]
    present = clusters[np.isin(clusters, rows[Col.cluster_id])]
    return rows[farthest_members(rows[Col.cluster_id], rows[Col.distance_sq], present)]


def _last_members(labelled: DataFrame, r: int) -> DataFrame:
    """The farthest of the ``r`` closest members of every cluster, and how many they are: one row a cluster."""
    by_distance = (
        Window.partitionBy(Col.cluster_id)
        .orderBy(Col.distance_sq, Col.item_id)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    members = labelled.withColumn("rank", F.row_number().over(by_distance)).filter(F.col("rank") <= r)
    last = F.max(F.struct(Col.distance_sq, Col.item_id)).alias("last")
    return (
        members.groupBy(Col.cluster_id)
        .agg(last, F.count("*").alias(Col.n_items))
        .select(Col.cluster_id, f"last.{Col.distance_sq}", f"last.{Col.item_id}", Col.n_items)
    )
