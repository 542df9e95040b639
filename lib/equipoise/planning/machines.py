"""The machines that a plan counts on: their sizes come from the user, their rates from measurements.

All constants of the cost model are here, each with where it comes from. "Measured" is on one shared machine of 2
virtual cores, with numpy's OpenBLAS; what is assumed says so. The plan adds seconds up, it does not overlap them.
"""

import math
import os
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import numpy as np

from equipoise.kernels.nearest import CENTROIDS_PER_TILE, nearest, prepare
from equipoise.kernels.threads import ordered_map

GIB = 2**30

GFLOPS_PER_CORE = 40.0
"""float32 product and arg-max of kernels/nearest.py: half of what was measured (61 to 95 idle, 39 to 48 beside other
work), since a core that is rented is mostly one of two threads of a real one."""
TFLOPS_PER_GPU = 10.0
"""Assumed: half of the 19.5 TFLOP/s of float32 that an A100's data sheet gives."""
SEEDING_GFLOPS = 13.0
"""Greedy k-means++ on a core (a dozen candidates at a time: few flops a byte); measured 11 to 15."""
CANDIDATE_BYTES = 24
"""A number of a candidate: itself, its sum and its mean, which is merged."""
MERGING_SECONDS = 6e-5
"""Of each candidate for a centroid, on one core."""
PREPARED_NUMBERS_PER_SECOND = 3e8
"""Centroids made ready for the product, by every worker once an iteration; measured 2.7 to 4.9 times 1e8."""
PYTHON_BYTES_PER_SECOND = 1e9
"""Blocks from the JVM into a worker, with their float64 sums, a core; assumed, the sums alone measured 0.7 to 2.8."""
DRIVER_BYTES_PER_SECOND = 5e8
"""Through the driver, which is one process: pickled, sent or collected, added up; assumed."""
ITERATION_SECONDS = 0.05
"""A Spark job, from the call to its first task; assumed."""
TASK_SECONDS = 0.015
"""Start and end of a task in a worker that is up; assumed."""
DISPATCH_SECONDS = 0.001
"""What the driver's scheduler takes for one task, one after the other; assumed."""
COMMIT_SECONDS = 0.5
"""One Delta commit; DESIGN section 4."""

HEAP_SHARE = 0.5
"""The JVM's part of an executor's memory (conf/spark/cluster.conf); the rest is Python's."""
STORAGE_SHARE = 0.6
"""What Spark gives to cached blocks at most: ``spark.memory.fraction`` of the heap."""
WORKER_BYTES = 300 * 2**20
"""A Python worker with its libraries, a block and the scores of a tile; assumed."""
COPIES_IN_WORKER = 2
"""The centroids and what is prepared from them."""
SHARD_COPIES = 3
"""What a task adds up: as it arrived, unpickled, and the sums."""
COPIES_ON_GPU = 4
"""The centroids, what is prepared from them, and their sums in float64: in units of k * d * 4."""
SPLIT_COPIES = 3
"""What a task splits: as it arrived, as arrays, and what k-means makes of it; assumed."""
GPU_WORKER_BYTES = 2**30
"""Of a GPU's memory, for every task that uses it: CUDA's context, a block and the scores of a tile; assumed."""
GPU_MEMORY_BYTES = 40.0 * GIB
"""Of an A100, the smaller kind."""
COPIES_ON_DRIVER = 4
"""Sums (k, d) in float64, arriving and added up, old and new centroids, their broadcast: in units of k * d * 8."""
BROADCAST_HOPS = 2
"""A torrent broadcast leaves the driver about once and every executor about once."""


@dataclass(frozen=True)
class Machine:
    """``executors`` alike, and a driver.

    ``memory_bytes`` is one executor's, JVM and Python; ``heap_bytes`` the JVM's part of it. ``gpus`` are an executor's,
    ``gpu_memory_bytes`` one GPU's. The network's rate is one executor's, infinite where all is one machine.
    ``max_result_bytes`` is ``spark.driver.maxResultSize``.
    """

    executors: int
    cores: int
    memory_bytes: float
    heap_bytes: float
    driver_memory_bytes: float
    gpus: int = 0
    gflops_per_core: float = GFLOPS_PER_CORE
    tflops_per_gpu: float = TFLOPS_PER_GPU
    network_bytes_per_second: float = 1.25e9
    disk_bytes_per_second: float = 5e8
    max_result_bytes: float = 8 * GIB
    gpu_memory_bytes: float = GPU_MEMORY_BYTES

    @property
    def total_cores(self) -> int:
        """Cores of all executors: so many tasks run at once."""
        return self.executors * self.cores

    @property
    def flops_per_second(self) -> float:
        """Of all executors' GPUs or, where they have none, cores."""
        if self.gpus:
            return self.executors * self.gpus * self.tflops_per_gpu * 1e12
        return self.total_cores * self.gflops_per_core * 1e9

    @property
    def storage_bytes(self) -> float:
        """Memory of all executors for cached vectors; what is beyond goes to their disks."""
        return self.executors * self.heap_bytes * STORAGE_SHARE

    @property
    def python_bytes(self) -> float:
        """Memory of one executor for its Python workers."""
        return self.memory_bytes - self.heap_bytes

    @property
    def is_local(self) -> bool:
        """Whether driver and executor are one machine."""
        return math.isinf(self.network_bytes_per_second)

    def imbalance(self, tasks: int) -> float:
        """How much longer ``tasks`` equal tasks take than if they could be cut to fill all cores (or GPUs) evenly."""
        places = self.executors * self.gpus or self.total_cores
        return math.ceil(tasks / places) * places / tasks


def calibrated(machine: Machine, *, dim: int, k: int) -> Machine:
    """The same with this computer's own rate in place of the constant; takes about a second.

    All cores assign random vectors to at most one tile of centroids at the same time, as the tasks of a local run do.
    """
    generator = np.random.default_rng(0)
    k = min(k, CENTROIDS_PER_TILE)
    rows = max(512, min(8192, int(1e10 / (2 * k * dim))))
    block = generator.random((rows, dim), dtype=np.float32)
    prepared = prepare(generator.random((k, dim), dtype=np.float32))
    n_cores = os.cpu_count() or 1

    def seconds() -> float:
        began = perf_counter()
        list(ordered_map(lambda part: nearest(part, prepared), [block] * n_cores))
        return perf_counter() - began

    seconds()  # the first call loads and allocates
    flops = 2 * rows * k * dim
    return replace(machine, gflops_per_core=flops / median(seconds() for _ in range(5)) / 1e9)
