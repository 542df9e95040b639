"""Blocks of unit vectors by the cone that they lie in, and which pairs of blocks may hold similar vectors.

An angle is a metric: two vectors of cones with an angle A between their axes, of half-angles r and s, are at least
A - r - s apart. Blocks that this proves apart are never held against each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.bounds import margin
from equipoise.kernels.nearest import Floats
from equipoise.kernels.pairs import NORM_MARGIN
from equipoise.kernels.vectors import Ids, unit_length

ANGLE_MARGIN = 1e-6
"""Radians: over what an angle from float64 cosines may be off."""
BLOCKS_AT_ONCE = 512


class Region(NamedTuple):
    """A cone: ``centre`` (d,) float32 of unit length, ``radius`` in radians, not below the angle to any vector."""

    centre: Floats
    radius: float


class Regions(NamedTuple):
    """Blocks: ``clusters`` (b,) int64 that they are parts of, ``sizes`` (b,), ``centres`` (b, d), ``radii`` (b,)."""

    clusters: Ids
    sizes: Ids
    centres: Floats
    radii: NDArray[np.float64]


class BlockPairs(NamedTuple):
    """Blocks to hold against each other: ``lefts`` and ``rights`` (m,) int32."""

    lefts: NDArray[np.int32]
    rights: NDArray[np.int32]


def region_of(vectors: Floats) -> Region:
    """The cone around the mean of vectors (n, d) of unit length."""
    exact = vectors.astype(np.float64)
    centre = unit_length(exact.sum(axis=0, keepdims=True))[0]
    if not centre.any():  # opposite vectors
        centre = vectors[0]
    return Region(centre, float(_angles(exact, centre[None]).max()))


def is_narrow(region: Region, threshold: float) -> bool:
    """Whether what is similar to something in the region lies within a right angle of its centre: much does not."""
    return _widest(threshold) + region.radius + ANGLE_MARGIN < np.pi / 2


def near_rows(vectors: Floats, region: Region, threshold: float) -> Ids | None:
    """Rows (n, d) of unit length that may be similar to something in the region; None: all may."""
    if not is_narrow(region, threshold):
        return None
    within = _widest(threshold) + region.radius + ANGLE_MARGIN
    least = np.cos(within) - margin(vectors.shape[1], vectors.shape[1]) - NORM_MARGIN
    found = np.flatnonzero(vectors @ region.centre >= least)
    return None if len(found) == len(vectors) else found


def near_blocks(
    left: Regions, right: Regions | None, threshold: float, *, allowed: NDArray[np.bool_] | None = None
) -> BlockPairs:
    """Pairs of blocks that are not proven apart: of ``left`` and ``right``, or, without that, i <= j of ``left``.

    Args:
        left, right: blocks.
        threshold: pairs of vectors with a cosine above it are sought.
        allowed: (clusters of left, clusters of right): which may be held against each other; None: all.
    """
    others, widest = left if right is None else right, _widest(threshold)
    found: list[tuple[Ids, Ids]] = []
    for start in range(0, len(left.sizes), BLOCKS_AT_ONCE):
        rows = slice(start, start + BLOCKS_AT_ONCE)
        apart = _angles(left.centres[rows].astype(np.float64), others.centres)
        apart -= left.radii[rows, None] + others.radii
        is_near = apart < widest + ANGLE_MARGIN
        if allowed is not None:
            is_near &= allowed[left.clusters[rows]][:, others.clusters]
        i, j = np.nonzero(is_near)
        is_wanted = i + start <= j if right is None else np.ones(len(i), dtype=bool)
        found.append((i[is_wanted] + start, j[is_wanted]))
    return BlockPairs(*(np.concatenate(column).astype(np.int32) for column in zip(*found, strict=True)))


def neighbouring(left: Floats, right: Floats | None, probes: int) -> NDArray[np.bool_]:
    """Which clusters are among the ``probes`` nearest by their centres, from either side: (k, l).

    Args:
        left: centres (k, d) float32 of unit length; zeros where there is nothing.
        right: others (l, d); None: ``left`` itself, and every cluster is beside itself.
        probes: how many, at most.
    """
    others = left if right is None else right
    products = left @ others.T
    products[:, ~others.any(axis=1)] = -np.inf  # clusters without blocks
    products[~left.any(axis=1)] = -np.inf
    if right is None:
        np.fill_diagonal(products, np.inf)
    n_beside = probes + (right is None)
    return _among_highest(products, n_beside) | _among_highest(products.T, n_beside).T


def same_cluster(clusters: Ids) -> BlockPairs:
    """Pairs i <= j of blocks of the same cluster: ``clusters`` (b,) ascend."""
    ends = np.searchsorted(clusters, clusters, side="right")
    counts = ends - np.arange(len(clusters))
    lefts = np.repeat(np.arange(len(clusters)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    return BlockPairs(lefts.astype(np.int32), (lefts + np.arange(len(lefts)) - first).astype(np.int32))


def centres_of_clusters(regions: Regions) -> Floats:
    """The mean centre of every cluster's blocks (k, d), of unit length; zeros where a cluster has none."""
    sums = np.zeros((int(regions.clusters.max(initial=-1)) + 1, regions.centres.shape[1]))
    np.add.at(sums, regions.clusters, regions.centres * regions.sizes[:, None].astype(np.float64))
    return unit_length(sums)


def parts_of(sizes: Ids, most: int) -> Ids:
    """Into how many blocks clusters of these sizes are split at random, so that none is above ``most``: 0 if empty."""
    drawn = max(1, int(((most + 9) ** 0.5 - 3) ** 2))  # so many and six standard deviations more are `most`
    return np.where(sizes > most, -(-sizes // drawn), np.minimum(sizes, 1))


def _among_highest(products: Floats, n: int) -> NDArray[np.bool_]:
    """Of every row the n highest, by index among equals, but for what is minus infinity."""
    is_high = np.zeros(products.shape, dtype=bool)
    for row, is_one in zip(products, is_high, strict=True):
        is_one[np.argsort(-row, kind="stable")[:n]] = True
    return is_high & (products > -np.inf)


def _angles(vectors: NDArray[np.float64], centres: Floats) -> NDArray[np.float64]:
    norms = np.linalg.norm(centres.astype(np.float64), axis=1)
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = (vectors @ centres.T.astype(np.float64)) / np.outer(np.maximum(lengths, 1e-30), np.maximum(norms, 1e-30))
    angles: NDArray[np.float64] = np.arccos(np.clip(cosines, -1, 1))
    return angles


def _widest(threshold: float) -> float:
    """The angle at which two vectors may be to have a float32 similarity above the threshold."""
    return float(np.arccos(np.clip(threshold - NORM_MARGIN, -1, 1)))
