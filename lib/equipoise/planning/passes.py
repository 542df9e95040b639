"""One pass over vectors on Spark, as a plan sees it: what moves, what is computed, how long each part takes."""

import math
from dataclasses import dataclass, fields
from typing import Literal, Self

from equipoise.kernels.placement import goes_straight, stats_bytes
from equipoise.planning import machines as m
from equipoise.planning.machines import Machine


@dataclass(frozen=True)
class Seconds:
    """Where the time goes."""

    loading: float = 0.0
    seeding: float = 0.0
    assignment: float = 0.0
    movement: float = 0.0
    spilling: float = 0.0
    broadcast: float = 0.0
    reduction: float = 0.0
    shuffle: float = 0.0
    checkpoints: float = 0.0
    tasks: float = 0.0

    def __add__(self, other: Self) -> "Seconds":
        return Seconds(*(mine + theirs for mine, theirs in zip(self.parts.values(), other.parts.values(), strict=True)))

    def times(self, count: float) -> "Seconds":
        """Of so many of the same."""
        return Seconds(*(part * count for part in self.parts.values()))

    @property
    def parts(self) -> dict[str, float]:
        """Seconds by name."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @property
    def total(self) -> float:
        """All parts, one after the other."""
        return sum(self.parts.values())

    @property
    def dominant(self) -> str:
        """The name of the largest part."""
        return max(self.parts, key=self.parts.__getitem__)


@dataclass(frozen=True)
class Assignment:
    """``n`` vectors of ``dim`` numbers in ``n_partitions`` partitions, assigned to ``k`` centroids and summed up."""

    n: int
    k: int
    dim: int
    n_partitions: int
    bytes_per_vector: int

    @property
    def flops(self) -> float:
        """A multiplication and an addition a number of every vector and centroid."""
        return 2.0 * self.n * self.k * self.dim

    @property
    def broadcast_bytes(self) -> float:
        """The centroids in float32."""
        return 4.0 * self.k * self.dim

    @property
    def n_touched(self) -> int:
        """Clusters that one task can have sums for: no more than it has vectors."""
        return min(self.k, math.ceil(self.n / self.n_partitions))

    @property
    def reduction_bytes(self) -> float:
        """The float64 sums, counts and costs of all tasks."""
        return float(self.n_partitions * stats_bytes(self.n_touched, self.dim))

    def reduction(self, machine: Machine) -> Literal["direct", "reduce-scatter"]:
        """Straight to the driver while the sums of all clusters from all tasks would be few."""
        most = machine.max_result_bytes
        is_direct = goes_straight(self.n_partitions, self.k, self.dim, most_result_bytes=most)
        return "direct" if is_direct else "reduce-scatter"


def pass_seconds(work: Assignment, machine: Machine, *, cached_bytes: float | None = None) -> Seconds:
    """One Lloyd iteration of ``SparkVectors``.

    Args:
        work: what is assigned to what.
        machine: where.
        cached_bytes: all that is cached meanwhile, which decides how much lies on disk; by default these vectors alone.
    """
    stored = work.n * work.bytes_per_vector
    cached = cached_bytes if cached_bytes is not None else stored
    spilled = stored * max(0.0, 1 - machine.storage_bytes / cached) if cached else 0.0
    waves = math.ceil(work.n_partitions / machine.total_cores)
    imbalance = machine.imbalance(work.n_partitions)
    return Seconds(
        assignment=work.flops / machine.flops_per_second * imbalance,
        movement=stored / (machine.total_cores * m.PYTHON_BYTES_PER_SECOND),
        spilling=spilled / (machine.executors * machine.disk_bytes_per_second),
        broadcast=_broadcast_seconds(work, machine),
        reduction=_reduction_seconds(work, machine),
        tasks=m.ITERATION_SECONDS + waves * m.TASK_SECONDS + work.n_partitions * m.DISPATCH_SECONDS,
    )


def shuffle_seconds(n_bytes: float, machine: Machine) -> float:
    """Bytes out of Python, to disk, over the network, from disk and into Python again."""
    in_python = 2 * n_bytes / (machine.total_cores * m.PYTHON_BYTES_PER_SECOND)
    on_wire = n_bytes / machine.executors / machine.network_bytes_per_second
    return in_python + on_wire + 2 * n_bytes / machine.executors / machine.disk_bytes_per_second


def _broadcast_seconds(work: Assignment, machine: Machine) -> float:
    """Pickled by the driver, sent, then read and prepared by every worker once."""
    sent = work.broadcast_bytes / m.DRIVER_BYTES_PER_SECOND
    travelled = m.BROADCAST_HOPS * work.broadcast_bytes / machine.network_bytes_per_second
    read = work.broadcast_bytes / m.PYTHON_BYTES_PER_SECOND
    return sent + travelled + read + work.k * work.dim / m.PREPARED_NUMBERS_PER_SECOND


def _reduction_seconds(work: Assignment, machine: Machine) -> float:
    if work.reduction(machine) == "direct":
        return work.reduction_bytes / m.DRIVER_BYTES_PER_SECOND
    added_up = stats_bytes(work.k, work.dim) / m.DRIVER_BYTES_PER_SECOND
    return shuffle_seconds(work.reduction_bytes, machine) + added_up
