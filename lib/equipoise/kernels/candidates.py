"""Candidates for centroids: which of them is the nearest to every vector, and the next ones, drawn by the distance."""

from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.backends import Ids
from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.merging import nearest_others
from equipoise.kernels.nearest import Floats
from equipoise.kernels.statistics import ROWS_PER_BLOCK, ClusterStats, add_up, labelled_stats
from equipoise.kernels.threads import ordered_map

if TYPE_CHECKING:
    from equipoise.kernels.vectors import ArrayVectors

FAR_KEY = np.dtype([("key", np.float64), ("id", np.int64)])


class Candidates(Protocol):
    """Candidates for centroids, and how near every vector is to the nearest: each is looked at once, when it is added.

    A context manager: leaving it frees what is held.
    """

    def add(self, centroids: Floats) -> None:
        """Looks which vectors are nearer to these (k, d) than to those before."""

    def sample_far(self, n: int, *, seed: int) -> Floats:
        """Up to ``n`` vectors (n, d) by their squared distance to the nearest candidate, without replacement.

        In the order of their ids; those that equal a candidate are never drawn.
        """

    def stats(self) -> ClusterStats:
        """Sums, counts and costs of the clusters around all candidates, in the order in which they were added."""

    def neighbours(self, points: Floats, m: int) -> Ids:
        """The ``m`` nearest others of every point: see :func:`equipoise.kernels.merging.nearest_others`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class ArrayCandidates:
    """:class:`Candidates` of vectors in memory."""

    def __init__(self, vectors: "ArrayVectors") -> None:
        """Of all ``vectors``."""
        self._vectors, self._k = vectors, 0
        self._labels = np.zeros(vectors.count, np.int64)
        self._distances_sq = np.full(vectors.count, np.inf, np.float32)

    def add(self, centroids: Floats) -> None:
        """Looks which vectors are nearer to these than to those before."""
        _, labels, distances_sq = self._vectors.assignments(centroids)
        nearer(self._labels, self._distances_sq, labels=labels + self._k, distances_sq=distances_sq)
        self._k += len(centroids)

    def sample_far(self, n: int, *, seed: int) -> Floats:
        """Up to ``n`` vectors by their squared distance to the nearest candidate."""
        keys = far_keys(self._vectors.item_ids, self._distances_sq, seed=seed)
        return self._vectors.vectors[np.sort(first_keys(keys, n))]

    def stats(self) -> ClusterStats:
        """Sums, counts and costs of the clusters around all candidates."""
        starts = range(0, self._vectors.count, ROWS_PER_BLOCK)
        parts = [slice(start, start + ROWS_PER_BLOCK) for start in starts]
        partials = ordered_map(
            lambda part: labelled_stats(self._vectors.vectors[part], self._labels[part], self._distances_sq[part]),
            parts,
        )
        return add_up(partials, k=self._k, dim=self._vectors.dim)

    def neighbours(self, points: Floats, m: int) -> Ids:
        """The ``m`` nearest others of every point."""
        return nearest_others(points, m)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing is held."""


def nearer(before: Ids, before_sq: Floats, *, labels: Ids, distances_sq: Floats) -> None:
    """Puts labels and squared distances in the place of those before, where they are nearer; ties stay."""
    closer = distances_sq < before_sq
    before[closer], before_sq[closer] = labels[closer], distances_sq[closer]


def far_keys(item_ids: Ids, distances_sq: Floats, *, seed: int) -> NDArray[np.void]:
    """Who comes first when vectors are drawn by squared distance: (n,) records of key and item id, infinite at 0.

    Source: the exponential race: the smallest of ``-ln(u) / weight`` are a draw by weight without replacement
    (Efraimidis and Spirakis 2006).
    """
    uniform = (draws(seed, Purpose.SEEDING, item_ids).view(np.uint64) + 0.5) / 2.0**64
    keys = np.empty(len(item_ids), dtype=FAR_KEY)
    with np.errstate(divide="ignore"):
        keys["key"], keys["id"] = -np.log(uniform) / distances_sq, item_ids
    return keys


def first_keys(keys: NDArray[np.void], n: int) -> Ids:
    """Positions of the ``n`` smallest keys that are finite, ties to the lowest id."""
    order = np.lexsort((keys["id"], keys["key"]))[:n]
    return order[np.isfinite(keys["key"][order])]
