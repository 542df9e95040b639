"""Many weighted candidates -> k centroids: the two whose union costs least are merged, again and again."""

import heapq
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.backends import Ids
from equipoise.kernels.nearest import Floats
from equipoise.kernels.threads import ordered_map

NEIGHBOURS = 8
"""Only so many near ones of a candidate are thought of as partners."""
MOST_NEIGHBOUR_FLOPS = 1e12
"""Up to so much neighbours are found where the points are, in seconds; above it by all executors."""
GROUP = 16

Neighbours = Callable[[Floats, int], Ids]


def rows_at_once(n: int) -> int:
    """Of ``n`` points those whose distances to all others are in memory at once: 128 MiB, for every core."""
    return max(16, min(1024, 2**25 // n))


def nearest_others(points: Floats, m: int, rows: slice | None = None) -> Ids:
    """The ``m`` nearest others of every point, in any order: (n, m) int64.

    Args:
        points: (n, d) float32.
        m: at least 1, below n.
        rows: whose; of all, where not given.

    Returns:
        Positions, by products in float32 of points that are shifted by their mean: of nearly equal distances any.
    """
    n, width = len(points), -(-len(points) // GROUP)
    centred = np.zeros((GROUP * width, points.shape[1]), np.float32)
    centred[:n] = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    squares = np.einsum("ij,ij->i", centred, centred)
    squares[n:] = np.inf
    doubled = np.ascontiguousarray(-2 * centred.T)
    (start, stop, _), step = (rows or slice(None)).indices(n), rows_at_once(n)

    def found(begin: int) -> Ids:
        some = np.arange(begin, min(begin + step, stop))
        distances_sq = centred[some] @ doubled
        distances_sq += squares  # the row's own square decides nothing
        distances_sq[np.arange(len(some)), some] = np.inf
        return _smallest(distances_sq, m)

    return np.concatenate(list(ordered_map(found, range(start, stop, step))))


def _smallest(values: Floats, m: int) -> Ids:
    """The columns of the ``m`` smallest values of every row: they lie in the ``m`` groups whose smallest are smallest.

    A group are the columns with one remainder: to take its minimum costs a tenth of partitioning its values.
    """
    n_rows, width = len(values), values.shape[1] // GROUP
    lowest = values.reshape(n_rows, GROUP, width).min(axis=1)
    groups = np.argpartition(lowest, m - 1, axis=1)[:, :m] if m < width else np.tile(np.arange(width), (n_rows, 1))
    columns = (groups[:, :, None] + width * np.arange(GROUP)).reshape(n_rows, -1)
    best = np.argpartition(np.take_along_axis(values, columns, axis=1), m - 1, axis=1)[:, :m]
    return np.take_along_axis(columns, best, axis=1)


def merged(points: Floats, weights: NDArray[np.float64], k: int, *, neighbours: Neighbours = nearest_others) -> Floats:
    """Merges weighted points until ``k`` are left, always the pair that adds least to the k-means objective.

    Args:
        points: (n, d) float32, the means of what they stand for.
        weights: (n,) how many that are, positive.
        k: at least 1.
        neighbours: finds the near others of points, as :func:`nearest_others` does; elsewhere, say.

    Returns:
        (min(k, n), d) float32, the weighted means.

    Source: Ward 1963: joining a and b costs ``w_a w_b / (w_a + w_b) |a - b|^2``.
    """
    means, held = points.astype(np.float64), weights.astype(np.float64)
    while len(means) > k:
        m = min(NEIGHBOURS, len(means) - 1)
        alive = _Merging(means, held, neighbours(means.astype(np.float32), m)).down_to(k)
        means, held = means[alive], held[alive]
    return means.astype(np.float32)


class _Merging:
    """One course of merging along the edges between neighbours: it ends where nothing is joined to anything else."""

    def __init__(self, means: NDArray[np.float64], weights: NDArray[np.float64], neighbours: Ids) -> None:
        self.means, self.weights = means, weights
        self.joined: list[set[int]] = [set(row) for row in neighbours.tolist()]
        for place, near in enumerate(neighbours.tolist()):
            for other in near:
                self.joined[other].add(place)
        self.turn = [0] * len(means)
        """How often each was merged into; -1 where it is gone."""
        self.pairs: list[tuple[float, int, int, int, int]] = []
        for place in range(len(means)):
            self._offer(place)

    def down_to(self, k: int) -> NDArray[np.bool_]:
        """Merges until ``k`` are left or no pair is; says which are left."""
        n_left = len(self.turn)
        while n_left > k and self.pairs:
            _, one, other, turn, turn_of_other = heapq.heappop(self.pairs)
            if self.turn[one] != turn:
                continue
            if self.turn[other] != turn_of_other:
                self._offer(one)  # its partner is another by now
                continue
            self._merge(one, other)
            n_left -= 1
        return np.array(self.turn) >= 0

    def _offer(self, place: int) -> None:
        """Puts the best partner of one into the heap; of equal ones the first."""
        if not self.joined[place]:
            return
        near = np.array(sorted(self.joined[place]))
        differences = self.means[near] - self.means[place]
        factors = self.weights[near] * self.weights[place] / (self.weights[near] + self.weights[place])
        costs = factors * np.einsum("ij,ij->i", differences, differences)
        best = int(costs.argmin())
        other = int(near[best])
        heapq.heappush(self.pairs, (float(costs[best]), place, other, self.turn[place], self.turn[other]))

    def _merge(self, one: int, other: int) -> None:
        total = self.weights[one] + self.weights[other]
        self.means[one] = (self.weights[one] * self.means[one] + self.weights[other] * self.means[other]) / total
        self.weights[one] = total
        for near in self.joined[other] - {one}:
            self.joined[near].discard(other)
            self.joined[near].add(one)
            self.joined[one].add(near)
        self.joined[one] -= {one, other}
        self.joined[other] = set()
        self.turn[one], self.turn[other] = self.turn[one] + 1, -1
        self._offer(one)
