"""Vectors on Spark: a persisted RDD of packed blocks. What comes back to the driver is statistics, never rows."""

import gc
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from pyspark import RDD, Broadcast, StorageLevel, TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

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
        found = self._run(lambda parts: [_smallest(parts, n=n, seed=seed)])
        block = _smallest((part for part in found if len(part.item_ids)), n=n, seed=seed)
        return block.vectors[np.argsort(block.item_ids)].astype(np.float32)

    def assign(self, centroids: Floats) -> ClusterStats:
        """Sums, counts and costs of the clusters around ``centroids`` (k, d)."""
        k, dim = centroids.shape
        partials = self._run_near(centroids, lambda parts, prepared: [_partition_stats(parts, prepared)])
        return add_up(partials, k=k, dim=dim)

    def farthest(self, centroids: Floats, clusters: Ids) -> Floats:
        """The member of each of ``clusters`` that lies farthest from its centroid."""

        def members(parts: Iterable[Block], prepared: PreparedCentroids) -> Iterator[Any]:
            for block in parts:
                labels, distances_sq = nearest(block.vectors, prepared)
                present = clusters[np.isin(clusters, labels)]
                chosen = farthest_members(labels, distances_sq, present)
                yield block.item_ids[chosen], labels[chosen], distances_sq[chosen], block.vectors[chosen]

        found = self._run_near(centroids, members)
        item_ids, labels, distances_sq, vectors = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(item_ids)  # ties go to the lowest id, as they do for arrays
        first = order[farthest_members(labels[order], distances_sq[order], clusters)]
        return vectors[first].astype(np.float32)

    def closest(self, centroids: Floats, r: int) -> Vectors:
        """The ``r`` members of every cluster that lie closest to its centroid; they stay where they are."""
        bounds = _last_members(self.labelled(centroids), r).toPandas()
        limits_by_cluster = np.zeros(len(centroids), dtype=[(Col.distance_sq, np.float32), (Col.item_id, np.int64)])
        for name in limits_by_cluster.dtype.names or ():
            limits_by_cluster[name][bounds[Col.cluster_id]] = bounds[name]
        near, bound = self._broadcast(centroids), self._broadcast(limits_by_cluster)

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
        near = self._broadcast(centroids)

        def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            prepared = prepare(near.value)
            for block in _unpacked(packed.as_py() for batch in batches for packed in batch.column(0)):
                columns = [block.item_ids, *nearest(block.vectors, prepared)]
                yield pa.RecordBatch.from_arrays([pa.array(column) for column in columns], LABELLED_SCHEMA.names)

        return self.spark.createDataFrame(self._packed.map(lambda packed: (packed,)), BLOCK_SCHEMA).mapInArrow(
            rows, LABELLED_SCHEMA
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._packed.unpersist()
        for broadcast in self._owned:
            broadcast.destroy()

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


def _smallest(parts: Iterable[Block], *, n: int, seed: int) -> Block:
    """The ``n`` vectors of the blocks with the smallest draws."""
    kept = Block(np.empty(0, np.int64), np.empty((0, 0), np.float32))
    for block in parts:
        joined = concatenated([kept, block]) if len(kept.item_ids) else block
        chosen = smallest_draws(joined.item_ids, n, seed=seed)
        kept = Block(joined.item_ids[chosen], joined.vectors[chosen])
    return kept


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
