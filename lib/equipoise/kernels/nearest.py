"""The assignment kernel: the nearest centroid of every vector, never storing an n x k matrix.

One matrix product a chunk of rows and tile of centroids, with the bias folded in as one more dimension, then a
running arg-max: ``argmin |x - c|^2 = argmax (x . (c - m) - (|c|^2 - |m|^2) / 2)`` for any m. With m the mean of the
centroids the product stays small beside the differences that decide, also for data far from the origin.
Ties go to the lowest index. Equal centroids may differ in the last bit of their scores, since BLAS computes the columns
at the edge of its blocks by other instructions: so the lowest index of an equal centroid is looked up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ROWS_PER_CHUNK = 512
CENTROIDS_PER_TILE = 4096
_HASHED_AT_ONCE = 4096


@dataclass(frozen=True)
class PreparedCentroids:
    """Centroids as the kernel wants them: ``centroids`` (k, d) and ``tiles``, (d + 1, up to a tile's width) each.

    ``first`` (k,) int64 is the lowest index of an equal centroid; None where no two are equal.
    """

    centroids: Floats
    tiles: tuple[Floats, ...]
    first: NDArray[np.int64] | None

    @property
    def k(self) -> int:
        """Number of centroids."""
        return len(self.centroids)

    @property
    def dim(self) -> int:
        """Their length."""
        return int(self.centroids.shape[1])


def prepare(centroids: Floats) -> PreparedCentroids:
    """Shifts the centroids by their mean and folds the bias in, a tile at a time.

    Args:
        centroids: (k, d) float32.
    """
    mean = centroids.mean(axis=0, dtype=np.float64)
    width = -(-len(centroids) // -(-len(centroids) // CENTROIDS_PER_TILE))
    starts = range(0, len(centroids), width)
    tiles = tuple(_tile(centroids[start : start + width], mean) for start in starts)
    exact = np.ascontiguousarray(centroids, dtype=np.float32)
    first = first_of_equals(exact)
    return PreparedCentroids(exact, tiles, None if (first == np.arange(len(exact))).all() else first)


def first_of_equals(centroids: Floats) -> NDArray[np.int64]:
    """The lowest index of a row equal to each, (k,) int64: rows (k, d) of the same hash are compared."""
    weights = np.random.default_rng(0).integers(2**64, size=centroids.shape[1], dtype=np.uint64)
    hashes = np.empty(len(centroids), dtype=np.uint64)
    for start in range(0, len(centroids), _HASHED_AT_ONCE):
        rows = centroids[start : start + _HASHED_AT_ONCE] + np.float32(0)  # -0 equals 0
        hashes[start : start + len(rows)] = (rows.view(np.uint32) * weights).sum(axis=1, dtype=np.uint64)
    _, index, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    first: NDArray[np.int64] = index[inverse].astype(np.int64, copy=False)
    for start in range(0, len(first), _HASHED_AT_ONCE):
        own = np.arange(start, min(start + _HASHED_AT_ONCE, len(first)))
        others = own[first[own] != own]
        differ = (centroids[others] != centroids[first[others]]).any(axis=1)
        first[others[differ]] = others[differ]
    return first


def _tile(centroids: Floats, mean: NDArray[np.float64]) -> Floats:
    shifted = centroids - mean
    bias = -0.5 * ((centroids + mean) * shifted).sum(axis=1)
    return np.vstack([shifted.T, bias]).astype(np.float32)


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
    rooms = {width: np.empty((len(chunk), width), dtype=np.float32) for width in {t.shape[1] for t in prepared.tiles}}
    for start in range(0, n, ROWS_PER_CHUNK):
        rows = slice(start, min(start + ROWS_PER_CHUNK, n))
        used = chunk[: rows.stop - start]
        used[:, :d] = vectors[rows]
        best = _best_centroids(used, prepared.tiles, rooms)
        best = best if prepared.first is None else prepared.first[best]
        difference = used[:, :d] - prepared.centroids[best]
        labels[rows] = best
        np.einsum("ij,ij->i", difference, difference, out=distances_sq[rows])
    return labels, distances_sq


def _best_centroids(chunk: Floats, tiles: tuple[Floats, ...], rooms: dict[int, Floats]) -> NDArray[np.int64]:
    """``rooms`` hold the scores of a tile, by its width."""
    best = _scores(chunk, tiles[0], rooms).argmax(axis=1)
    if len(tiles) == 1:
        return best
    rows, start = np.arange(len(chunk)), tiles[0].shape[1]
    highest = rooms[start][rows, best]
    for tile in tiles[1:]:
        scores = _scores(chunk, tile, rooms)
        candidate = scores.argmax(axis=1)
        value = scores[rows, candidate]
        better = value > highest
        best[better] = candidate[better] + start
        highest[better] = value[better]
        start += tile.shape[1]
    return best


def _scores(chunk: Floats, tile: Floats, rooms: dict[int, Floats]) -> Floats:
    return np.matmul(chunk, tile, out=rooms[tile.shape[1]][: len(chunk)])
