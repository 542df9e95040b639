"""What workers send back from an assignment: sums, counts and costs of the clusters, never vectors or labels."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from equipoise.kernels.nearest import PreparedCentroids, nearest

ROWS_PER_BLOCK = 8192
"""Vectors that are summed up together, in this order: the same bits on any machine size."""


@dataclass(frozen=True)
class ClusterStats:
    """Sums (k, d) float64, counts (k,) int64 and costs (k,) float64 (sums of squared distances) of all clusters."""

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    costs: NDArray[np.float64]

    @property
    def objective(self) -> float:
        """The sum of squared distances of all vectors to their centroids."""
        return float(self.costs.sum())


@dataclass(frozen=True)
class PartialStats:
    """The same for the ``touched`` (m,) clusters alone, of one block or partition of vectors."""

    touched: NDArray[np.int64]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    costs: NDArray[np.float64]

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """All four, in the order in which they are given."""
        return self.touched, self.sums, self.counts, self.costs


def block_stats(vectors: NDArray[np.floating], prepared: PreparedCentroids) -> PartialStats:
    """Assigns a block of vectors (n, d) and sums it up by cluster, in float64."""
    return labelled_stats(vectors, *nearest(vectors, prepared))


def labelled_stats(
    vectors: NDArray[np.floating], labels: NDArray[np.int64], distances_sq: NDArray[np.float32]
) -> PartialStats:
    """Sums up a block of vectors (n, d) by the clusters (n,) that they belong to, in float64."""
    touched, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    n = len(labels)
    members = sparse.csr_matrix((np.ones(n), position, np.arange(n + 1)), shape=(n, len(touched))).T
    sums: NDArray[np.float64] = np.asarray(members @ vectors.astype(np.float64))
    costs = np.bincount(position, weights=distances_sq).astype(np.float64, copy=False)
    return PartialStats(touched, sums, counts, costs)


def combined(partials: Iterable[PartialStats], *, dim: int) -> PartialStats:
    """One of several, added in the order given; no larger than the clusters that they touch, however many there are."""
    total = PartialStats(np.empty(0, np.int64), np.empty((0, dim)), np.empty(0, np.int64), np.empty(0))
    for partial in partials:
        total = _spread(total, np.union1d(total.touched, partial.touched))
        position = np.searchsorted(total.touched, partial.touched)
        total.sums[position] += partial.sums
        total.counts[position] += partial.counts
        total.costs[position] += partial.costs
    return total


def add_up(partials: Iterable[PartialStats], *, k: int, dim: int) -> ClusterStats:
    """Adds partial statistics in the order given: the same order gives the same bits."""
    sums, counts, costs = np.zeros((k, dim)), np.zeros(k, dtype=np.int64), np.zeros(k)
    for partial in partials:
        sums[partial.touched] += partial.sums
        counts[partial.touched] += partial.counts
        costs[partial.touched] += partial.costs
    return ClusterStats(sums, counts, costs)


def _spread(partial: PartialStats, touched: NDArray[np.int64]) -> PartialStats:
    """The same statistics with room for all of ``touched``."""
    if len(touched) == len(partial.touched):
        return partial
    position = np.searchsorted(touched, partial.touched)
    columns = partial.columns[1:]
    wider = [np.zeros((len(touched), *column.shape[1:]), column.dtype) for column in columns]
    for room, column in zip(wider, columns, strict=True):
        room[position] = column
    return PartialStats(touched, *wider)
