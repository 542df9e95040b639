"""The assignment kernel: the nearest centroid of every vector, never storing an n x k matrix.

One matrix product a chunk of rows and tile of centroids, with the bias folded in as one more dimension, then a
running arg-max: ``argmin |x - c|^2 = argmax (x . (c - m) - (|c|^2 - |m|^2) / 2)`` for any m. With m the mean of the
centroids the product stays small beside the differences that decide, also for data far from the origin.
Ties go to the lowest index.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ROWS_PER_CHUNK = 512
CENTROIDS_PER_TILE = 2048


@dataclass(frozen=True)
class PreparedCentroids:
    """Centroids as the kernel wants them: ``centroids`` (k, d) and ``augmented`` (d + 1, k), float32."""

    centroids: Floats
    augmented: Floats

    @property
    def k(self) -> int:
        """Number of centroids."""
        return len(self.centroids)

    @property
    def dim(self) -> int:
        """Their length."""
        return int(self.centroids.shape[1])


def prepare(centroids: Floats) -> PreparedCentroids:
    """Shifts the centroids by their mean and folds the bias in.

    Args:
        centroids: (k, d) float32.
    """
    exact = centroids.astype(np.float64)
    mean = exact.mean(axis=0)
    shifted = exact - mean
    bias = -0.5 * ((exact + mean) * shifted).sum(axis=1)
    augmented = np.vstack([shifted.T, bias]).astype(np.float32)
    return PreparedCentroids(np.ascontiguousarray(centroids, dtype=np.float32), augmented)


def nearest(vectors: NDArray[np.floating], prepared: PreparedCentroids) -> tuple[NDArray[np.int64], Floats]:
    """The nearest centroid and the squared Euclidean distance to it.

    Args:
        vectors: (n, d) float32 or float16.
        prepared: what :func:`prepare` made of (k, d) centroids.

    Returns:
        Labels (n,) int64, the lowest index among equals, and squared distances (n,) float32, computed from the
        differences and so exact also where vectors and centroids nearly coincide.
    """
    n, d = vectors.shape
    labels = np.empty(n, dtype=np.int64)
    distances_sq = np.empty(n, dtype=np.float32)
    chunk = np.ones((min(n, ROWS_PER_CHUNK), d + 1), dtype=np.float32)
    scores = np.empty((len(chunk), min(prepared.k, CENTROIDS_PER_TILE)), dtype=np.float32)
    for start in range(0, n, ROWS_PER_CHUNK):
        rows = slice(start, min(start + ROWS_PER_CHUNK, n))
        used = chunk[: rows.stop - start]
        used[:, :d] = vectors[rows]
        best = _best_centroids(used, prepared.augmented, scores[: len(used)])
        difference = used[:, :d] - prepared.centroids[best]
        labels[rows] = best
        np.einsum("ij,ij->i", difference, difference, out=distances_sq[rows])
    return labels, distances_sq


def _best_centroids(chunk: Floats, augmented: Floats, scores: Floats) -> NDArray[np.int64]:
    k = augmented.shape[1]
    tile = scores.shape[1]
    best = np.matmul(chunk, augmented[:, :tile], out=scores).argmax(axis=1)
    if k == tile:
        return best
    rows = np.arange(len(chunk))
    highest = scores[rows, best].copy()
    for start in range(tile, k, tile):
        part = scores[:, : min(tile, k - start)]
        candidate = np.matmul(chunk, augmented[:, start : start + tile], out=part).argmax(axis=1)
        value = part[rows, candidate]
        better = value > highest
        best[better] = candidate[better] + start
        highest[better] = value[better]
    return best
