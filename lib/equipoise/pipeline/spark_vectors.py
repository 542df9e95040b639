"""Vectors on Spark: a persisted RDD of packed blocks. What comes back to the driver is statistics, never rows."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from operator import itemgetter
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa
from pyspark import RDD, StorageLevel
from pyspark.serializers import NoOpSerializer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from equipoise.kernels.backends import BackendChoice, driver_kernel
from equipoise.kernels.draws import draw_up_to
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import Block, unpack
from equipoise.kernels.placement import goes_straight, partitions_for
from equipoise.kernels.statistics import ClusterStats, PartialStats, add_up
from equipoise.kernels.vectors import ArrayVectors, Assignments, Ids, Vectors, smallest_draws
from equipoise.pipeline.blocks import (
    ASSIGNED,
    BYTES_PER_MESSAGE,
    assignments_batch,
    blocks,
    concatenated,
    count_and_dim,
    packed_arrays,
    packed_rows,
    rows_per_block,
)
from equipoise.pipeline.candidates import SparkCandidates
from equipoise.pipeline.crossing import as_stream, bytes_of, rows_frame
from equipoise.pipeline.members import last_members
from equipoise.pipeline.reduction import free_shuffles, most_result_bytes, scattered
from equipoise.pipeline.sharing import SharedArray, share
from equipoise.pipeline.workers import (
    Assigner,
    assigner,
    farthest,
    farthest_rows,
    rows_drawn,
    rows_of,
    unpacked,
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
        backend: BackendChoice = "auto",
        owned: Iterable[SharedArray] = (),
    ) -> None:
        """Takes over ``packed``, blocks of ``count`` vectors, kept as they are, and the arrays of their making."""
        self.spark, self.count, self.dim, self.backend, self._owned = spark, count, dim, backend, tuple(owned)
        self._lent: list[SharedArray] = []
        self._packed = packed._reserialize(NoOpSerializer()).persist(StorageLevel.MEMORY_AND_DISK_DESER)

    @classmethod
    def from_embeddings(
        cls,
        embeddings: DataFrame,
        *,
        partitions: int | None = None,
        spherical: bool = False,
        half: bool = False,
        backend: BackendChoice = "auto",
    ) -> Self:
        """Packs (item_id BIGINT, embedding ARRAY<FLOAT>); ``partitions`` by default from the bytes.

        Raises:
            InputError: no vectors, different lengths, one that is zero where ``spherical`` or too large for ``half``.
        """
        count, dim = count_and_dim(embeddings, spherical=spherical, half=half)
        n_partitions = partitions or partitions_for(count, dim)
        packed = blocks(embeddings, partitions=n_partitions, dim=dim, spherical=spherical, half=half)
        return cls(embeddings.sparkSession, bytes_of(packed), count=count, dim=dim, backend=backend)

    @classmethod
    def from_arrays(
        cls, spark: SparkSession, vectors: Floats, item_ids: Ids, *, backend: BackendChoice = "auto"
    ) -> Self:
        """Spreads arrays (n, d) and (n,) over the executors."""
        count, dim = vectors.shape
        n_partitions = partitions_for(count, dim, most_bytes=BYTES_PER_MESSAGE)
        packed = list(enumerate(packed_arrays(item_ids, vectors, partitions=n_partitions)))
        n_blocks = len(packed)
        # A task of what is parallelised carries its data, also where that is cached: a shuffle takes it out.
        sent = spark.sparkContext.parallelize(packed, n_partitions)
        spread = sent.partitionBy(n_partitions, lambda place: place * n_partitions // n_blocks)
        in_order = spread.mapPartitions(lambda found: (block for _, block in sorted(found, key=itemgetter(0))))
        return cls(spark, in_order, count=count, dim=dim, backend=backend)

    @property
    def n_partitions(self) -> int:
        """With the data and the seed they fix the bits of the result."""
        return self._packed.getNumPartitions()

    def to_arrays(self) -> ArrayVectors:
        """The same vectors on the driver, in the order of the partitions and, inside, of their ids."""
        block = concatenated([unpack(packed) for packed in self._packed.collect()])
        return ArrayVectors(block.vectors, block.item_ids, kernel=driver_kernel(self.backend))

    def sample(self, n: int, *, seed: int) -> Floats:
        """``n`` vectors, uniform, without replacement, in the order of their ids."""
        share = (n + 6 * n**0.5 + 16) / self.count
        limits = (draw_up_to(share * 2**times) for times in count())  # hardly ever more than once
        found = (self._found(partial(rows_drawn, limit=limit, seed=seed)) for limit in limits)
        drawn = next(some for some in found if len(some.item_ids) >= min(n, self.count))
        return drawn.vectors[np.sort(smallest_draws(drawn.item_ids, n, seed=seed))]

    def candidates(self) -> SparkCandidates:
        """Candidates for centroids, none so far."""
        return SparkCandidates(self)

    def assign(self, centroids: Floats) -> ClusterStats:
        """Sums, counts and costs of the clusters around ``centroids`` (k, d)."""
        near = self.assigner(centroids)
        partials = self._packed.mapPartitions(lambda parts: [near.stats(parts)])
        try:
            return self.added_up(partials, k=len(centroids))
        finally:
            near.centroids.destroy()

    def added_up(self, partials: "RDD[PartialStats]", *, k: int) -> ClusterStats:
        """What all partitions found of ``k`` clusters, in their order: straight, or by shards where it is much."""
        if goes_straight(self.n_partitions, k, self.dim, most_result_bytes=most_result_bytes(self.spark)):
            return add_up(partials.collect(), k=k, dim=self.dim)  # bounded by the line before
        found = scattered(partials, count=self.count, k=k, dim=self.dim)
        free_shuffles(self.spark)
        return add_up(found, k=k, dim=self.dim)

    def farthest(self, centroids: Floats, clusters: Ids) -> Floats:
        """The member of each of ``clusters`` that lies farthest from its centroid."""
        near = self.assigner(centroids)
        try:
            found = self._packed.mapPartitions(lambda parts: [farthest(near.labelled(parts), clusters)]).collect()
        finally:
            near.centroids.destroy()
        rows = farthest_rows(np.concatenate(found), clusters)
        members = self._take(rows[Col.item_id])
        return members.vectors[np.searchsorted(members.item_ids, rows[Col.item_id])]

    def closest(self, centroids: Floats, r: int) -> Vectors:
        """The ``r`` members of every cluster that lie closest to its centroid; they stay where they are."""
        near = self.assigner(centroids)
        bounds = last_members(self._assigned(near), r).toPandas()
        limits_by_cluster = np.zeros(len(centroids), dtype=[(Col.distance_sq, np.float32), (Col.item_id, np.int64)])
        for name in limits_by_cluster.dtype.names or ():
            limits_by_cluster[name][bounds[Col.cluster_id]] = bounds[name]
        bound, rows = share(self.spark.sparkContext, limits_by_cluster), rows_per_block(self.dim)

        def kept(parts: Iterable[bytes]) -> Iterable[bytes]:
            limits = bound.value
            for block, labels, distances_sq in near.labelled(parts):
                limit = limits[labels]
                tied = (distances_sq == limit[Col.distance_sq]) & (block.item_ids <= limit[Col.item_id])
                inside = (distances_sq < limit[Col.distance_sq]) | tied
                yield from packed_rows(block.item_ids[inside], block.vectors[inside], rows=rows)

        members = self._packed.mapPartitions(kept)
        owned = (near.centroids, bound)
        n_members = int(bounds[Col.n_items].sum())
        return SparkVectors(self.spark, members, count=n_members, dim=self.dim, backend=self.backend, owned=owned)

    def assignments(self, centroids: Floats) -> DataFrame:
        """Item id, label and squared distance of every vector, computed when it is used, by centroids that are lent."""
        near = self.assigner(centroids)
        self.lend(near.centroids)
        return self._assigned(near)

    def lend(self, array: SharedArray) -> None:
        """Notes an array that a lazy frame over these vectors needs."""
        self._lent.append(array)

    def take_back(self) -> None:
        """Destroys what was lent: no frame that was made of these vectors is to be computed again."""
        while self._lent:
            self._lent.pop().destroy()

    def batches(
        self, of_partition: Callable[[Iterable[bytes]], Iterator[pa.RecordBatch]], schema: StructType
    ) -> DataFrame:
        """What a function makes of the packed blocks of every partition: the vectors cross to Python once."""

        streams = self._packed.mapPartitions(lambda parts: map(as_stream, of_partition(parts)))
        return rows_frame(self.spark, streams, schema)

    def pieces(self, of_partition: Callable[[int, Iterable[bytes]], Iterable[Result]]) -> "RDD[Result]":
        """What a function makes of the number and the packed blocks of every partition, to be moved on."""
        return self._packed.mapPartitionsWithIndex(of_partition)

    def zipped(self, beside: "RDD[bytes]") -> "RDD[tuple[bytes, bytes]]":
        """The packed blocks, each with what :meth:`pieces` made of it alone."""
        return self._packed.zip(beside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._packed.unpersist()
        for array in self._owned:
            array.destroy()

    def _assigned(self, near: Assigner) -> DataFrame:
        def rows(parts: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
            for block, labels, distances_sq in near.labelled(parts):
                yield assignments_batch(Assignments(block.item_ids, labels, distances_sq))

        return self.batches(rows, ASSIGNED)

    def take(self, item_ids: Ids) -> Floats:
        """The vectors of these items (n, d), in the order of the ids."""
        return self._take(item_ids).vectors

    def _take(self, item_ids: Ids) -> Block:
        """Ids and vectors of these items, float32, in the order of the ids."""
        if not len(item_ids):
            return Block(item_ids, np.empty((0, self.dim), np.float32))
        return self._found(partial(rows_of, wanted=np.sort(item_ids)))

    def _found(self, function: Callable[[Iterable[Block]], Iterable[Block]]) -> Block:
        """What a function leaves of the blocks, float32, in the order of the ids; runs a job."""
        empty = Block(np.empty(0, np.int64), np.empty((0, self.dim), np.float32))
        left = self._packed.mapPartitions(lambda parts: function(unpacked(parts))).collect()  # a sample, or a few
        found = concatenated([empty, *left])
        order = np.argsort(found.item_ids)
        return Block(found.item_ids[order], found.vectors[order].astype(np.float32))

    def assigner(self, centroids: Floats) -> Assigner:
        """Shares centroids (k, d) with the workers that assign to them."""
        return assigner(self.spark, centroids, self.backend)
