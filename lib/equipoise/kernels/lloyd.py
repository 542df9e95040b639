"""The only k-means loop (Lloyd 1982), for every place where vectors live."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from equipoise.errors import EqualVectorsError, InputError
from equipoise.kernels.nearest import Floats
from equipoise.kernels.statistics import ClusterStats
from equipoise.kernels.vectors import Vectors, unit_length

MAX_RESEEDED = 1024
"""Empty clusters re-seeded an iteration: bounds what the workers send back; the next iteration takes the rest."""


@dataclass(frozen=True)
class Iteration:
    """One iteration: ``centroids`` (k, d) after it, ``objective`` and ``n_empty`` of those before it."""

    iteration: int
    centroids: Floats
    objective: float
    n_empty: int = 0
    seconds: float = 0.0
    is_last: bool = False


def lloyd(
    vectors: Vectors, start: Iteration, *, iterations: int, tolerance: float = 0.0, spherical: bool = False
) -> Iterator[Iteration]:
    """Yields every iteration until the relative change of the objective is at most ``tolerance``.

    Args:
        vectors: what to cluster; of unit length if ``spherical``.
        start: where to begin: ``Iteration(0, centroids, inf)``, or the last one of a run that was broken off, which
            goes on to the same end, bit for bit.
        iterations: the number of iterations at most.
        tolerance: relative; 0 goes on until the objective no longer falls.
        spherical: bring the centroids to unit length after every iteration (cosine k-means).

    Raises:
        InputError: some vector is not finite, or all are equal although there is more than one centroid.
    """
    step = start
    while not step.is_last:
        began = time.perf_counter()
        stats = vectors.assign(step.centroids)
        _refuse_degenerate_vectors(vectors, stats)
        centroids = _updated(vectors, step.centroids, stats)
        fall = step.objective - stats.objective
        is_settled = np.isfinite(fall) and fall <= tolerance * step.objective
        step = Iteration(
            iteration=step.iteration + 1,
            centroids=unit_length(centroids) if spherical else centroids,
            objective=stats.objective,
            n_empty=int((stats.counts == 0).sum()),
            seconds=time.perf_counter() - began,
            is_last=bool(is_settled) or step.iteration + 1 >= iterations,
        )
        yield step


def _updated(vectors: Vectors, centroids: Floats, stats: ClusterStats) -> Floats:
    """The means of the clusters; an empty one moves to the farthest member of one of the costliest clusters."""
    updated = centroids.copy()
    filled = stats.counts > 0
    sums, counts = stats.sums, stats.counts
    donors = np.argsort(-stats.costs, kind="stable")[: min(int((~filled).sum()), MAX_RESEEDED)]
    donors = donors[(stats.costs[donors] > 0) & (counts[donors] > 1)]
    if len(donors):
        moved = vectors.farthest(centroids, donors)
        updated[np.flatnonzero(~filled)[: len(donors)]] = moved
        sums, counts = sums.copy(), counts.copy()
        sums[donors] -= moved
        counts[donors] -= 1
    updated[filled] = (sums[filled] / counts[filled, None]).astype(np.float32)
    return updated


def _refuse_degenerate_vectors(vectors: Vectors, stats: ClusterStats) -> None:
    if not np.isfinite(stats.objective):
        raise InputError(
            f"the objective is {stats.objective}: some vector is not finite (NaN, infinity, or too large to square in "
            "float32); leave such items out"
        )
    if len(stats.counts) > 1 and stats.objective == 0 and stats.counts.max() == vectors.count > 1:
        raise EqualVectorsError(
            f"all {vectors.count} vectors are equal, k = {len(stats.counts)} clusters cannot be told apart: "
            "check the embeddings, or remove copies first"
        )
