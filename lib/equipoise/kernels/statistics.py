"""What workers send back from an assignment: sums, counts and costs of the clusters, never vectors or labels."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from equipoise.kernels.nearest import PreparedCentroids, nearest


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


def block_stats(vectors: NDArray[np.floating], prepared: PreparedCentroids) -> PartialStats:
    """Assigns a block of vectors (n, d) and sums it up by cluster, in float64."""
    labels, distances_sq = nearest(vectors, prepared)
    touched, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    n = len(labels)
    members = sparse.csr_matrix((np.ones(n), position, np.arange(n + 1)), shape=(n, len(touched))).T
    sums: NDArray[np.float64] = np.asarray(members @ vectors.astype(np.float64))
    costs = np.bincount(position, weights=distances_sq).astype(np.float64, copy=False)
    return PartialStats(touched, sums, counts, costs)


def add_up(partials: Iterable[PartialStats], *, k: int, dim: int) -> ClusterStats:
    """Adds partial statistics in the order given: the same order gives the same bits."""
    sums, counts, costs = np.zeros((k, dim)), np.zeros(k, dtype=np.int64), np.zeros(k)
    for partial in partials:
        sums[partial.touched] += partial.sums
        counts[partial.touched] += partial.counts
        costs[partial.touched] += partial.costs
    return ClusterStats(sums, counts, costs)
