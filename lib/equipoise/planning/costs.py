"""What a hierarchical k-means will take: flops, bytes, memory and seconds of every level, by arithmetic alone.

It mirrors the engine: where a level runs, how often it looks at every vector, what is broadcast and what comes back.
Nothing is read or started. Every k-means is counted with all its iterations: a plan is an upper bound of the tolerance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from equipoise.kernels.levels import Level
from equipoise.kernels.placement import (
    BYTES_PER_PIECE,
    BYTES_PER_SHARD,
    SPLIT_BYTES,
    DriverLimit,
    fits_driver,
    partitions_for,
    split_members,
)
from equipoise.kernels.seeding import Seeding, passes, sample_size, seeded_bytes
from equipoise.planning import machines as m
from equipoise.planning.machines import Machine
from equipoise.planning.passes import Assignment, Seconds, pass_seconds, shuffle_seconds
from equipoise.planning.seeding import seeding_bytes, seeding_seconds

Where = Literal["driver", "spark", "spark, split"]


@dataclass(frozen=True)
class PlannedKMeans:
    """What all levels share; the names are those of the config's section ``cluster``."""

    iterations: int = 50
    seeding: Seeding = "kmeans++"
    half: bool = False
    partitions: int | None = None
    checkpoint_every: int = 5
    driver_limit: DriverLimit = field(default_factory=DriverLimit)
    split_bytes: float = SPLIT_BYTES

    def bytes_of(self, dim: int) -> int:
        """Of one stored vector with its id."""
        return dim * (2 if self.half else 4) + 8


@dataclass(frozen=True)
class LevelInput:
    """What a level clusters: ``n`` vectors of ``dim`` numbers, kept in tables or held by the driver."""

    number: int
    n: int
    dim: int
    is_on_driver: bool = False


@dataclass(frozen=True)
class LevelCost:
    """One level of a plan.

    ``flops`` and ``seconds`` are of the whole level, ``broadcast_bytes`` and ``reduction_bytes`` of one iteration over
    all of its input, the memories those of one executor's Python workers, of the driver and of a GPU; ``result_bytes``
    is what the driver gets at the end of an iteration: `spark.driver.maxResultSize` bounds it.
    """

    entry: LevelInput
    level: Level
    where: Where
    n_partitions: int
    flops: float
    broadcast_bytes: float
    reduction_bytes: float
    reduction: Literal["none", "direct", "reduce-scatter"]
    storage_bytes: float
    executor_memory_bytes: float
    driver_memory_bytes: float
    seconds: Seconds
    gpu_memory_bytes: float = 0.0
    result_bytes: float = 0.0

    @property
    def number(self) -> int:
        """Of the level, from 1."""
        return self.entry.number

    @property
    def dominant(self) -> str:
        """The part that takes most of the time."""
        return self.seconds.dominant


def level_costs(
    n: int, dim: int, levels: Sequence[Level], *, kmeans: PlannedKMeans, machine: Machine
) -> tuple[LevelCost, ...]:
    """The cost of every level, from the finest up: level 1 clusters ``n`` vectors, level t the centroids below it."""
    costs: list[LevelCost] = []
    entry = LevelInput(1, n, dim)
    for number, level in enumerate(levels, start=1):
        costs.append(level_cost(entry, level, kmeans=kmeans, machine=machine))
        entry = LevelInput(number + 1, level.k, dim, is_on_driver=fits_driver(level.k, dim))
    return tuple(costs)


def level_cost(entry: LevelInput, level: Level, *, kmeans: PlannedKMeans, machine: Machine) -> LevelCost:
    """The cost of one level on ``entry``."""
    if kmeans.driver_limit.holds(entry.n, entry.dim, level, iterations=kmeans.iterations):
        return _on_driver(entry, level, kmeans=kmeans, machine=machine)
    return _on_spark(entry, level, kmeans=kmeans, machine=machine)


def _on_driver(entry: LevelInput, level: Level, *, kmeans: PlannedKMeans, machine: Machine) -> LevelCost:
    n, dim, k = entry.n, entry.dim, level.k
    flops = 2 * dim * level.k0 * _n_assigned(entry, level, kmeans) + _split_flops(entry, level, kmeans)
    held_bytes = n * (4 * dim + 8)
    seconds = Seconds(
        loading=(2 if entry.is_on_driver else 1) * held_bytes / m.DRIVER_BYTES_PER_SECOND,
        assignment=flops / (machine.cores * machine.gflops_per_core * 1e9),
        seeding=seeding_seconds(n, level, dim=dim, seeding=kmeans.seeding, machine=machine),
        tasks=m.ITERATION_SECONDS,
    )
    return LevelCost(
        entry, level, where="driver", n_partitions=0, flops=flops, broadcast_bytes=0,
        reduction_bytes=0, reduction="none", storage_bytes=0, executor_memory_bytes=0,
        driver_memory_bytes=2 * held_bytes + m.COPIES_ON_DRIVER * 8 * k * dim, seconds=seconds,
        result_bytes=0 if entry.is_on_driver else held_bytes,
    )  # fmt: skip


def _on_spark(entry: LevelInput, level: Level, *, kmeans: PlannedKMeans, machine: Machine) -> LevelCost:
    n, dim, k0 = entry.n, entry.dim, level.k0
    given = kmeans.partitions if entry.number == 1 else None
    n_partitions = given or partitions_for(n, dim)
    stored_bytes = kmeans.bytes_of(dim) if entry.number == 1 else 4 * dim + 8  # upper levels are kept in float32
    whole = Assignment(n, k0, dim, n_partitions, stored_bytes)
    stored_vectors = n + level.resampled(n)
    partial_bytes = 2 * 8 * dim * whole.n_touched
    reduction = whole.reduction(machine)
    joined_bytes = whole.broadcast_bytes if whole.broadcast_bytes > BYTES_PER_PIECE else 0
    shard_bytes = m.SHARD_COPIES * min(BYTES_PER_SHARD, whole.reduction_bytes) if reduction == "reduce-scatter" else 0
    held_bytes = m.WORKER_BYTES + m.COPIES_IN_WORKER * whole.broadcast_bytes
    worker_bytes = held_bytes + joined_bytes + max(partial_bytes, shard_bytes)  # the last two one after the other
    worker_bytes = max(worker_bytes, _split_task_bytes(level, dim, kmeans))
    driver_bytes = max(m.COPIES_ON_DRIVER * 8 * k0 * dim, seeding_bytes(n, k0, dim, seeding=kmeans.seeding))
    return LevelCost(
        entry, level,
        where="spark, split" if level.splits > 1 else "spark",
        n_partitions=n_partitions,
        flops=2 * dim * k0 * _n_assigned(entry, level, kmeans) + _split_flops(entry, level, kmeans),
        broadcast_bytes=whole.broadcast_bytes,
        reduction_bytes=whole.reduction_bytes,
        reduction=reduction,
        storage_bytes=stored_vectors * whole.bytes_per_vector,
        executor_memory_bytes=machine.cores * worker_bytes + whole.broadcast_bytes,
        driver_memory_bytes=driver_bytes + (4 * n * dim if entry.is_on_driver else 0),
        seconds=_spark_seconds(whole, entry, level, kmeans=kmeans, machine=machine),
        gpu_memory_bytes=_tasks_a_gpu(machine)
        * (m.GPU_WORKER_BYTES + m.COPIES_ON_GPU * whole.broadcast_bytes + 8 * dim * whole.n_touched),
        result_bytes=seeded_bytes(n, k0, dim, seeding=kmeans.seeding),
    )  # fmt: skip


def _tasks_a_gpu(machine: Machine) -> int:
    """Tasks that share a GPU: an executor runs one a core."""
    return math.ceil(machine.cores / machine.gpus) if machine.gpus else 0


def _split_task_bytes(level: Level, dim: int, kmeans: PlannedKMeans) -> float:
    if level.splits == 1:
        return 0.0
    members = split_members(level.splits, dim, most_bytes=kmeans.split_bytes)
    return float(m.WORKER_BYTES + m.SPLIT_COPIES * members * (4 * dim + 8))


def _n_assigned(entry: LevelInput, level: Level, kmeans: PlannedKMeans) -> int:
    """Vectors assigned, over all passes: iterations, the labels at the end, before every round all of them twice."""
    n_members = level.resampled(entry.n)
    whole_passes = kmeans.iterations + passes(entry.n, kmeans.seeding) + 1 + 2 * level.rounds
    member_passes = level.rounds * (kmeans.iterations + passes(n_members, kmeans.seeding))
    return int(entry.n * whole_passes + n_members * member_passes)


def _split_flops(entry: LevelInput, level: Level, kmeans: PlannedKMeans) -> float:
    """Of the k-means inside all coarse clusters."""
    return 2.0 * entry.n * level.splits * entry.dim * (kmeans.iterations + 1) if level.splits > 1 else 0.0


def _spark_seconds(
    whole: Assignment, entry: LevelInput, level: Level, *, kmeans: PlannedKMeans, machine: Machine
) -> Seconds:
    """Of one level: loading, seeding, all passes, checkpoints, and the second step of a split."""
    rounds, n = level.rounds, whole.n
    members = Assignment(level.resampled(n), whole.k, whole.dim, whole.n_partitions, whole.bytes_per_vector)
    cached = (n + members.n) * whole.bytes_per_vector
    seconds = _loading(entry, machine)
    of_whole, of_members = passes(n, kmeans.seeding), passes(members.n, kmeans.seeding)
    seconds += pass_seconds(whole, machine, cached_bytes=cached).times(kmeans.iterations + of_whole + 1 + 2 * rounds)
    if rounds:
        member_passes = rounds * (kmeans.iterations + of_members)
        seconds += pass_seconds(members, machine, cached_bytes=cached).times(member_passes)
    saved = math.ceil(kmeans.iterations / kmeans.checkpoint_every) * (1 + rounds)
    saving = m.COMMIT_SECONDS + whole.broadcast_bytes / m.DRIVER_BYTES_PER_SECOND
    sampling = 2 * (1 + rounds) * cached / (machine.total_cores * m.PYTHON_BYTES_PER_SECOND)
    seconds += Seconds(
        seeding=seeding_seconds(n, level, dim=whole.dim, seeding=kmeans.seeding, machine=machine) + sampling,
        checkpoints=saved * saving,
    )
    return seconds + _splitting(whole, level, kmeans=kmeans, machine=machine) if level.splits > 1 else seconds


def _loading(entry: LevelInput, machine: Machine) -> Seconds:
    """The input read and spread by its ids, or sent out by the driver that holds it."""
    if entry.is_on_driver:
        return Seconds(loading=4 * entry.n * entry.dim / m.DRIVER_BYTES_PER_SECOND)
    n_bytes = 4 * entry.n * entry.dim
    reading = n_bytes / machine.executors / machine.network_bytes_per_second
    return Seconds(loading=reading + shuffle_seconds(n_bytes, machine))


def _splitting(whole: Assignment, level: Level, *, kmeans: PlannedKMeans, machine: Machine) -> Seconds:
    """The second step: the vectors of every coarse cluster come together once, each is clustered where it lies."""
    n_bytes, splits = whole.n * whole.bytes_per_vector, level.splits
    centroid_bytes = 4 * level.k * whole.dim
    products = _split_flops(LevelInput(1, whole.n, whole.dim), level, kmeans)
    imbalance = machine.imbalance(whole.n_partitions)
    seeded = min(whole.n, level.k0 * sample_size(whole.n // level.k0, splits, "kmeans++"))
    candidates = 2.0 * seeded * whole.dim * splits * (2 + int(math.log(splits)))
    return Seconds(
        shuffle=shuffle_seconds(n_bytes + centroid_bytes, machine),
        assignment=products / (machine.total_cores * machine.gflops_per_core * 1e9) * imbalance,
        seeding=candidates / (machine.total_cores * m.SEEDING_GFLOPS * 1e9) if kmeans.seeding != "random" else 0.0,
        tasks=m.ITERATION_SECONDS + whole.n_partitions * m.DISPATCH_SECONDS,
    )
