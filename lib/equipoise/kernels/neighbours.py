"""The most similar vectors by cosine, never storing an n x m matrix. Ties go to the lowest index.

A score and its index make one 64-bit key, so that no two keys are equal and any partial sort gives the same answer.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.kernels.nearest import Floats
from equipoise.kernels.threads import ordered_map
from equipoise.kernels.vectors import Ids, unit_length

QUERIES_PER_CHUNK = 256
VECTORS_PER_TILE = 8192
SPARE = 8
"""Candidates beside the k: products in float32 may order nearly equal ones, and equal ones, in another way."""

_INDEX_BITS = 32
_LAST_INDEX = 2**_INDEX_BITS - 1


class Neighbours(NamedTuple):
    """Of every query the k most similar vectors, best first: ``indices`` (n, k) int64, ``cosines`` (n, k) float64."""

    indices: Ids
    cosines: NDArray[np.float64]


def nearest_by_cosine(queries: NDArray[np.floating], gallery: NDArray[np.floating], k: int) -> Neighbours:
    """Find the ``k`` vectors of a gallery most similar to each query, on all cores.

    The candidates come from float32 products, their order from float64 ones.

    Args:
        queries: (n, d) of any length; zero vectors have cosine 0 with all.
        gallery: (m, d).
        k: at least 1, at most m.

    Raises:
        InputError: shapes that do not fit, values that are not finite, or k out of its range.
    """
    checked_pair(queries, gallery)
    if not 1 <= k <= len(gallery):
        raise InputError(f"k is {k} for {len(gallery)} vectors: it must be between 1 and their number")
    asked, known = unit_length(queries), unit_length(gallery)
    chunks = [asked[start : start + QUERIES_PER_CHUNK] for start in range(0, len(asked), QUERIES_PER_CHUNK)]
    parts = list(ordered_map(partial(_nearest, gallery=known, k=k), chunks))
    return Neighbours(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def checked_pair(queries: NDArray[np.floating], gallery: NDArray[np.floating]) -> None:
    """Check queries (n, d) against a gallery (m, d).

    Raises:
        InputError: other shapes, no rows, too many rows for a 32-bit index, or values that are not finite.
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1] or not queries.size:
        raise InputError(f"queries have shape {queries.shape}, the gallery {gallery.shape}: give (n, d) and (m, d)")
    if not 0 < len(gallery) <= _LAST_INDEX:
        raise InputError(f"the gallery has {len(gallery)} vectors: give between 1 and {_LAST_INDEX:,}")
    for name, vectors in (("queries", queries), ("the gallery", gallery)):
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if bad.size:
            raise InputError(f"{name}: {bad.size} vectors are not finite, the first is row {bad[0]}; leave them out")


def ranking_keys(scores: Floats, first: int = 0) -> Ids:
    """Return int64 keys (n, m) that order scores (n, m), equal ones by their column: the lowest column is the largest.

    Args:
        scores: float32, not NaN.
        first: index of the first column.
    """
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)  # adding 0 makes -0 equal to 0
    ordered = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    columns = np.arange(first, first + scores.shape[1], dtype=np.int64)
    return (ordered << _INDEX_BITS) | (_LAST_INDEX - columns)


def indices_of(keys: Ids) -> Ids:
    """Return the column that each key of :func:`ranking_keys` stands for."""
    return _LAST_INDEX - (keys & _LAST_INDEX)


def _nearest(queries: Floats, *, gallery: Floats, k: int) -> Neighbours:
    n_kept = min(k + SPARE, len(gallery))
    best = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(gallery), VECTORS_PER_TILE):
        keys = ranking_keys(queries @ gallery[start : start + VECTORS_PER_TILE].T, start)
        best = _largest(np.hstack([best, keys]), n_kept)
    candidates = indices_of(best)
    # The sum of a row's products: the same bits for equal vectors, wherever they stand.
    cosines = (queries[:, None, :].astype(np.float64) * gallery[candidates]).sum(axis=2)
    order = np.lexsort((candidates, -cosines), axis=1)[:, :k]
    return Neighbours(np.take_along_axis(candidates, order, axis=1), np.take_along_axis(cosines, order, axis=1))


def _largest(keys: Ids, n: int) -> Ids:
    return keys if keys.shape[1] <= n else np.partition(keys, keys.shape[1] - n, axis=1)[:, -n:]
