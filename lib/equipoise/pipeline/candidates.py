"""Candidates for centroids on Spark: beside the packed blocks, eight bytes a vector say which is the nearest so far."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

import numpy as np
from pyspark import RDD, StorageLevel
from pyspark.serializers import NoOpSerializer

from equipoise.kernels.backends import Ids
from equipoise.kernels.candidates import FAR_KEY, far_keys, first_keys, nearer
from equipoise.kernels.merging import MOST_NEIGHBOUR_FLOPS, nearest_others, rows_at_once
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import unpack
from equipoise.kernels.statistics import ClusterStats, PartialStats, combined, labelled_stats
from equipoise.pipeline.sharing import SharedArray, share
from equipoise.pipeline.workers import settle
from equipoise.schemas import Col

if TYPE_CHECKING:
    from equipoise.pipeline.spark_vectors import SparkVectors

_STATE = np.dtype([(Col.label, np.int32), (Col.distance_sq, np.float32)])
Pairs = Iterable[tuple[bytes, bytes]]


class SparkCandidates:
    """Implements :class:`equipoise.kernels.vectors.Candidates` beside the blocks of ``SparkVectors``."""

    def __init__(self, vectors: "SparkVectors") -> None:
        """Of all ``vectors``."""
        self._vectors, self._k = vectors, 0
        self._shared: list[SharedArray] = []
        self._states: list[RDD[bytes]] = []
        """The last is in use; a lost one is made again from those before, and from what is shared."""

    def add(self, centroids: Floats) -> None:
        """Looks which vectors are nearer to these than to those before: with the next look at them."""
        near, first = self._vectors.assigner(centroids), self._k
        self._shared.append(near.centroids)

        def looked_at(packed: bytes, before: bytes | None) -> bytes:
            vectors = unpack(packed).vectors
            state = np.empty(len(vectors), _STATE) if before is None else np.frombuffer(before, _STATE).copy()
            if before is None:
                state[Col.distance_sq] = np.inf
            labels, distances_sq = near.nearest(vectors)
            nearer(state[Col.label], state[Col.distance_sq], labels=labels + first, distances_sq=distances_sq)
            return state.tobytes()

        def all_looked_at(pairs: Iterable[tuple[bytes, bytes | None]]) -> Iterator[bytes]:
            settle()
            return (looked_at(*pair) for pair in pairs)

        if self._states:
            stepped = self._zipped().mapPartitions(all_looked_at)
        else:
            stepped = self._vectors.pieces(lambda _, parts: all_looked_at((packed, None) for packed in parts))
        kept = stepped._reserialize(NoOpSerializer()).persist(StorageLevel.MEMORY_AND_DISK_DESER)
        self._states.append(kept)
        self._k += len(centroids)

    def sample_far(self, n: int, *, seed: int) -> Floats:
        """Up to ``n`` vectors by their squared distance to the nearest candidate; a partition sends n keys."""

        def keys_of(pairs: Pairs) -> list[np.ndarray]:
            first = np.empty(0, FAR_KEY)
            for packed, state in pairs:
                own = far_keys(unpack(packed).item_ids, np.frombuffer(state, _STATE)[Col.distance_sq], seed=seed)
                first = _first(np.concatenate([first, own]), n)
            return [first]

        parts = self._zipped().mapPartitions(keys_of)
        keys = parts.treeReduce(lambda some, more: _first(np.concatenate([some, more]), n))
        self._forget_older()
        return self._vectors.take(keys["id"][first_keys(keys, n)])

    def stats(self) -> ClusterStats:
        """Sums, counts and costs of the clusters around all candidates."""
        dim = self._vectors.dim

        def summed_up(pairs: Pairs) -> list[PartialStats]:
            settle()
            return [combined(map(_stats_of, pairs), dim=dim)]

        return self._vectors.added_up(self._zipped().mapPartitions(summed_up), k=self._k)

    def neighbours(self, points: Floats, m: int) -> Ids:
        """The ``m`` nearest others of every point: on the executors where there are many."""
        n, dim = points.shape
        if 2.0 * n * n * dim <= MOST_NEIGHBOUR_FLOPS:
            return nearest_others(points, m)
        context = self._vectors.spark.sparkContext
        shared = share(context, points)
        step = rows_at_once(n)
        starts = list(range(0, n, step))

        def found(some: Iterable[int]) -> list[Ids]:
            settle()
            return [nearest_others(shared.value, m, slice(start, start + step)) for start in some]

        try:
            return np.concatenate(
                context.parallelize(starts, min(len(starts), 4 * context.defaultParallelism))
                .mapPartitions(found)
                .collect()
            )
        finally:
            shared.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Gives back what is held on the executors."""
        for state in self._states:
            state.unpersist()
        for array in self._shared:
            array.destroy()

    def _zipped(self) -> "RDD[tuple[bytes, bytes]]":
        return self._vectors.zipped(self._states[-1])

    def _forget_older(self) -> None:
        for state in self._states[:-1]:
            state.unpersist()


def _first(keys: np.ndarray, n: int) -> np.ndarray:
    return keys[first_keys(keys, n)]


def _stats_of(pair: tuple[bytes, bytes]) -> PartialStats:
    vectors, state = unpack(pair[0]).vectors, np.frombuffer(pair[1], _STATE)
    return labelled_stats(vectors, state[Col.label].astype(np.int64), state[Col.distance_sq])
