"""Where a level runs and how its sums reach the driver: rules of sizes alone, for the engine and for a plan of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a config needs the defaults alone, and scipy takes a second
    from equipoise.kernels.levels import Level

BYTES_PER_SHARD = 512 * 2**20
"""What one task gets to add up, from all partitions."""
BYTES_PER_PIECE = 512 * 2**20
"""Larger arrays are broadcast in pieces, of which a task makes one: a copy more."""
BYTES_PER_PARTITION = 128 * 2**20
"""Larger ones would balance worse, smaller ones send more sums: a task has sums for all clusters that it touches."""
LEAST_BYTES = 16 * 2**20
MOST_STRAIGHT_BYTES = 2**30
"""What one task may send straight to the driver; one value of Spark must stay under 2 GiB."""
SHARE_OF_RESULTS = 0.25
"""Of `spark.driver.maxResultSize`: what all tasks together may send straight to the driver."""
SPLIT_BYTES = 256 * 2**20
"""Vectors that a task splits at once; it takes about three times as much memory."""
LEAST_MEMBERS = 64
"""The sample of a coarse cluster that is above that has so many members for every centroid, whatever the limit."""
MOST_DRIVER_BYTES = 2**30
"""Centroids of a level above that stay in tables."""


@dataclass(frozen=True)
class DriverLimit:
    """A level whose input stays under ``bytes`` and whose k-means stays under ``flops`` runs on the driver."""

    bytes: float = 1e9
    flops: float = 1e13

    def holds(self, count: int, dim: int, level: "Level", *, iterations: int) -> bool:
        """Whether a level fits: float32 bytes, and two operations a number, centroid, vector and iteration."""
        size = count * (4 * dim + 8)  # the vectors and their ids
        resampled = level.rounds * level.resampled(count)
        seen = level.k0 + (level.splits if level.splits > 1 else 0)
        flops = 2 * dim * seen * iterations * (count + resampled)
        return size <= self.bytes and flops <= self.flops


def partitions_for(n: int, dim: int, *, most_bytes: int = BYTES_PER_PARTITION) -> int:
    """Number of partitions for so many float32 vectors and their ids, from their bytes alone: never from the cores.

    A power of two, so that machines of 2, 4, 8 or 16 cores stay evenly busy until the end.
    """
    n_bytes = n * (4 * dim + 8)
    wanted = max(-(-n_bytes // most_bytes), min(4, -(-n_bytes // LEAST_BYTES)), 1)
    return 1 << (wanted - 1).bit_length()


def split_members(splits: int, dim: int, *, most_bytes: float) -> int:
    """Vectors that a task may hold when it splits coarse clusters into ``splits`` each."""
    return int(max(least_split_bytes(splits, dim), most_bytes)) // (4 * dim + 8)


def least_split_bytes(splits: int, dim: int) -> int:
    """What a task takes all the same where ``split_bytes`` is below it: the plan and the run say so."""
    return LEAST_MEMBERS * splits * (4 * dim + 8)


def fits_driver(n_clusters: int, dim: int) -> bool:
    """Whether the float32 centroids of a level are held by the driver."""
    return 4 * n_clusters * dim <= MOST_DRIVER_BYTES


def stats_bytes(k: int, dim: int) -> int:
    """Bytes of the sums, counts and costs of k clusters."""
    return 8 * k * (dim + 2)


def goes_straight(n_partitions: int, k: int, dim: int, *, most_result_bytes: float) -> bool:
    """Whether all partitions may send the driver their statistics: they stay under a quarter of what it takes.

    A ``most_result_bytes`` of 0 is no limit, as in Spark.
    """
    each = stats_bytes(k, dim)
    is_small = not most_result_bytes or n_partitions * each <= SHARE_OF_RESULTS * most_result_bytes
    return each <= MOST_STRAIGHT_BYTES and is_small


def shards_for(n_partitions: int, count: int, *, k: int, dim: int) -> int:
    """Tasks among which the clusters are cut: a partition touches no more of them than it has vectors."""
    touched = min(k, -(-count // n_partitions))
    return min(k, -(-n_partitions * stats_bytes(touched, dim) // BYTES_PER_SHARD))
