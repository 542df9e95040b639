"""What a task does with the blocks of its partition; runs in Spark's Python workers."""

import gc
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pyspark import TaskContext

from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.nearest import PreparedCentroids, nearest
from equipoise.kernels.packing import Block, unpack
from equipoise.kernels.statistics import PartialStats, block_stats, combined
from equipoise.kernels.threads import limit_worker_threads
from equipoise.kernels.vectors import Ids, farthest_members
from equipoise.schemas import Col

FARTHEST = np.dtype([(Col.cluster_id, np.int64), (Col.distance_sq, np.float32), (Col.item_id, np.int64)])


def unpacked(packed: Iterable[bytes]) -> Iterator[Block]:
    """The blocks of a partition, in a process that is set up for numerics."""
    _settle()
    context = TaskContext.get()
    limit_worker_threads(context.cpus() if context else 1)
    return map(unpack, packed)


@cache
def _settle() -> None:
    """Spark collects a worker's garbage after every task: modules and code are taken out of its way, once."""
    gc.collect()
    gc.freeze()


def partition_stats(blocks: Iterable[Block], centroids: PreparedCentroids) -> PartialStats:
    """Sums, counts and costs of the clusters that a partition touches."""
    return combined((block_stats(block.vectors, centroids) for block in blocks), dim=centroids.dim)


def drawn_ids(blocks: Iterable[Block], limit: int, *, seed: int) -> Ids:
    """Ids whose draw is at most ``limit``."""
    ids = [block.item_ids for block in blocks]
    every = np.concatenate(ids) if ids else np.empty(0, np.int64)
    return every[draws(seed, Purpose.SAMPLE, every) <= limit]


def rows_of(blocks: Iterable[Block], wanted: Ids) -> Iterator[Block]:
    """The vectors of the items ``wanted``, which ascend."""
    for block in blocks:
        chosen = np.isin(block.item_ids, wanted)
        if chosen.any():
            yield Block(block.item_ids[chosen], block.vectors[chosen])


def farthest(blocks: Iterable[Block], centroids: PreparedCentroids, clusters: Ids) -> NDArray[np.void]:
    """Of every one of ``clusters`` that has members here the farthest: cluster, squared distance and id."""
    best = np.empty(0, FARTHEST)
    for block in blocks:
        labels, distances_sq = nearest(block.vectors, centroids)
        rows = np.empty(len(labels), FARTHEST)
        rows[Col.cluster_id], rows[Col.distance_sq], rows[Col.item_id] = labels, distances_sq, block.item_ids
        best = farthest_rows(np.concatenate([best, rows]), clusters)
    return best


def farthest_rows(rows: NDArray[np.void], clusters: Ids) -> NDArray[np.void]:
    """The farthest row of every one of ``clusters`` that has any, in their order; ties go to the lowest id."""
    rows = rows[np.argsort(rows[Col.item_id], kind="stable")]
    present = clusters[np.isin(clusters, rows[Col.cluster_id])]
    return rows[farthest_members(rows[Col.cluster_id], rows[Col.distance_sq], present)]
