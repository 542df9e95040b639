"""What a task does with the blocks of its partition; runs in Spark's Python workers."""

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark import TaskContext
from pyspark.sql import SparkSession

from equipoise.kernels.backends import BackendChoice, Kernel, choose, cuda_devices, device_of_task
from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import Block, unpack
from equipoise.kernels.statistics import ROWS_PER_BLOCK, PartialStats
from equipoise.kernels.threads import limit_worker_threads
from equipoise.kernels.vectors import Ids, farthest_members
from equipoise.pipeline.blocks import concatenated
from equipoise.pipeline.sharing import SharedArray, share
from equipoise.schemas import Col

_READY: dict[tuple[SharedArray, Kernel], Any] = {}
BYTES_AT_ONCE = 16 * 2**20
"""Vectors that a worker assigns and sums up together."""
FARTHEST = np.dtype([(Col.cluster_id, np.int64), (Col.distance_sq, np.float32), (Col.item_id, np.int64)])


@dataclass(frozen=True)
class Assigner:
    """Centroids on every worker, and with what a task assigns to them: its own GPU, or the CPU.

    ``is_local``: all tasks run on this machine, and take turns at its GPUs; elsewhere Spark gives them out.
    """

    centroids: SharedArray
    backend: BackendChoice = "auto"
    is_local: bool = False

    def stats(self, packed: Iterable[bytes]) -> PartialStats:
        """Sums, counts and costs of the clusters that a partition touches."""
        kernel, ready = self._ready()
        return kernel.stats((block.vectors for block in unpacked(packed)), ready)

    def labelled(self, packed: Iterable[bytes]) -> Iterator[tuple[Block, Ids, Floats]]:
        """The blocks of a partition, each with labels and squared distances (n,)."""
        kernel, ready = self._ready()
        for block in unpacked(packed):
            yield block, *kernel.nearest(block.vectors, ready)

    def nearest(self, vectors: NDArray[np.floating]) -> tuple[Ids, Floats]:
        """Labels and squared distances (n,) of one block's vectors."""
        kernel, ready = self._ready()
        return kernel.nearest(vectors, ready)

    @property
    def kernel(self) -> Kernel:
        """What this task computes with."""
        context = TaskContext.get()
        given = {name: resource.addresses for name, resource in context.resources().items()} if context else {}
        partition = context.partitionId() if context else 0
        return choose(self.backend, device_of_task(given, partition, cuda_devices() if self.is_local else 0))

    def _ready(self) -> tuple[Kernel, Any]:
        kernel = self.kernel
        return kernel, _prepared(self.centroids, kernel)


def assigner(spark: SparkSession, centroids: Floats, backend: BackendChoice) -> Assigner:
    """Shares centroids (k, d) with all workers."""
    context = spark.sparkContext
    return Assigner(share(context, centroids), backend, is_local=(context.master or "").split("[")[0] == "local")


def _prepared(centroids: SharedArray, kernel: Kernel) -> Any:
    """Shared centroids as the kernel wants them, once in a worker, not once in a task."""
    key = (centroids, kernel)
    if key not in _READY:
        _READY.clear()  # before, not after: two sets of many centroids may not fit
        _READY[key] = kernel.prepare(centroids.value)
    return _READY[key]


def unpacked(packed: Iterable[bytes]) -> Iterator[Block]:
    """The vectors of a partition, as many at once as make good work, in a process that is set up for numerics."""
    settle()
    waiting: list[Block] = []
    n_rows = n_bytes = 0
    for block in map(unpack, packed):
        waiting.append(block)
        n_rows, n_bytes = n_rows + len(block.item_ids), n_bytes + block.vectors.nbytes
        if n_rows >= ROWS_PER_BLOCK or n_bytes >= BYTES_AT_ONCE:
            yield concatenated(waiting)
            waiting, n_rows, n_bytes = [], 0, 0
    if waiting:
        yield concatenated(waiting)


def settle() -> None:
    """Makes the process of a task ready for numerics: the threads that the task has, no needless garbage collection."""
    context = TaskContext.get()
    limit_worker_threads(context.cpus() if context else 1)
    _freeze()


@cache
def _freeze() -> None:
    """Spark collects a worker's garbage after every task: modules and code are taken out of its way, once."""
    gc.collect()
    gc.freeze()


def rows_drawn(blocks: Iterable[Block], *, limit: int, seed: int) -> Iterator[Block]:
    """The vectors of the items whose draw is at most ``limit``."""
    for block in blocks:
        chosen = draws(seed, Purpose.SAMPLE, block.item_ids) <= limit
        if chosen.any():
            yield Block(block.item_ids[chosen], block.vectors[chosen])


def rows_of(blocks: Iterable[Block], wanted: Ids) -> Iterator[Block]:
    """The vectors of the items ``wanted``, which ascend."""
    for block in blocks:
        chosen = np.isin(block.item_ids, wanted)
        if chosen.any():
            yield Block(block.item_ids[chosen], block.vectors[chosen])


def farthest(assigned: Iterable[tuple[Block, Ids, Floats]], clusters: Ids) -> NDArray[np.void]:
    """Of every one of ``clusters`` that has members here the farthest: cluster, squared distance and id."""
    best = np.empty(0, FARTHEST)
    for block, labels, distances_sq in assigned:
        rows = np.empty(len(labels), FARTHEST)
        rows[Col.cluster_id], rows[Col.distance_sq], rows[Col.item_id] = labels, distances_sq, block.item_ids
        best = farthest_rows(np.concatenate([best, rows]), clusters)
    return best


def farthest_rows(rows: NDArray[np.void], clusters: Ids) -> NDArray[np.void]:
    """The farthest row of every one of ``clusters`` that has any, in their order; ties go to the lowest id."""
    rows = rows[np.argsort(rows[Col.item_id], kind="stable")]
    present = clusters[np.isin(clusters, rows[Col.cluster_id])]
    return rows[farthest_members(rows[Col.cluster_id], rows[Col.distance_sq], present)]
