"""What the driver works out: which blocks are held against each other, and in which tasks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from equipoise.kernels.cells import Cells, cells_of, grouped, groups_wanted, products_of
from equipoise.kernels.levels import KMeans
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import rows_by
from equipoise.kernels.regions import (
    BlockPairs,
    Regions,
    centres_of_clusters,
    near_blocks,
    neighbouring,
    region_of,
    same_cluster,
)
from equipoise.kernels.splitting import fit_part
from equipoise.kernels.vectors import ArrayVectors, Ids
from equipoise.pipeline.compared_blocks import ComparedBlocks
from equipoise.pipeline.search import Search

COARSE = KMeans("cosine", iterations=8)
"""It is for skipping alone: what it finds changes how long a search takes, not what an exact one finds."""
LEAST_SKIPPED = 0.15
"""Of all pairs: to look at fewer costs less than to sort all vectors into blocks."""


def cells_among(blocks: Sequence[ComparedBlocks], counts: Sequence[int], search: Search, spark: SparkSession) -> Cells:
    """The cells of one set of blocks, held against itself, or of two, but for what cones prove apart; runs a job.

    Args:
        blocks: of one set, or of two.
        counts: items of each.
        search: what is sought.
        spark: the session.
    """
    n_first, sizes = len(blocks[0].sizes), np.concatenate([one.sizes for one in blocks])
    regions = [one.regions() for one in blocks]
    left, right = regions[0], regions[1] if len(regions) > 1 else None
    allowed = None if search.is_exact(counts[0], counts[-1]) else _allowed(left, right, search.probes)
    near = near_blocks(left, right, search.threshold, allowed=allowed)
    pairs = near if right is None else BlockPairs(near.lefts, near.rights + np.int32(n_first))
    _say_skipped(pairs, sizes, counts, search)
    return _cells(pairs, regions, search, spark)


def cells_of_all(blocks: Sequence[ComparedBlocks], search: Search) -> Cells:
    """The cells of all pairs of blocks, of one set or of two: one each."""
    n_first, sizes = len(blocks[0].sizes), np.concatenate([one.sizes for one in blocks])
    search.say("all pairs of items: none lie so far apart that they could be skipped")
    lefts, rights = np.triu_indices(n_first) if len(blocks) == 1 else np.indices((n_first, len(blocks[1].sizes)))
    offset = 0 if len(blocks) == 1 else n_first
    pairs = BlockPairs(lefts.ravel().astype(np.int32), rights.ravel().astype(np.int32) + np.int32(offset))
    return cells_of(pairs, sizes, np.arange(len(sizes)))


def groups_of_all(counts: Sequence[int], search: Search, spark: SparkSession, *, dim: int) -> list[int]:
    """How many blocks each set is to have, where all pairs of items are to be looked at."""
    return [_groups(_n_pairs(counts), n, search, spark, dim=dim) for n in counts]


def can_skip(sample: Floats, coarse: Floats, threshold: float) -> bool:
    """Whether blocks along coarse clusters (k, d) are worth their making: cones prove enough of them apart.

    Seen on the clusters of a sample (n, d), whose cones are narrower than those of all: it may say yes in vain.
    """
    members = [sample[rows] for _, rows in rows_by(ArrayVectors(sample).assignments(coarse).labels)]
    found, sizes = [region_of(some) for some in members], np.array([len(some) for some in members])
    centres, radii = np.stack([one.centre for one in found]), np.array([one.radius for one in found])
    near = near_blocks(Regions(np.arange(len(found)), sizes, centres, radii), None, threshold)
    return bool(products_of(near, sizes).sum() < (1 - LEAST_SKIPPED) * _n_pairs([len(sample)]))


def cells_inside(blocks: ComparedBlocks, search: Search, spark: SparkSession, *, dim: int) -> Cells:
    """The cells of blocks of the same cluster alone."""
    pairs, sizes = same_cluster(blocks.clusters), blocks.sizes
    n_products = int(products_of(pairs, sizes).sum())
    n_groups = _groups(n_products, int(sizes.sum()), search, spark, dim=dim)
    return cells_of(pairs, sizes, grouped(sizes, np.arange(len(sizes)), n_groups))


def coarse_centroids(sample: Floats, k: int, *, seed: int) -> Floats:
    """Centroids (at most k, d) of unit length, fitted on a sample."""
    return np.ascontiguousarray(sample[:1]) if k == 1 else fit_part(ArrayVectors(sample), k, kmeans=COARSE, seed=seed)


def _allowed(left: Regions, right: Regions | None, probes: int) -> NDArray[np.bool_]:
    centres = centres_of_clusters(left)
    return neighbouring(centres, None if right is None else centres_of_clusters(right), probes)


def _cells(pairs: BlockPairs, regions: Sequence[Regions], search: Search, spark: SparkSession) -> Cells:
    """Blocks that lie near each other share a group, so that few cells have any pairs; two sets share none."""
    sizes = np.concatenate([one.sizes for one in regions])
    n_products = int(products_of(pairs, sizes).sum())
    groups: list[Ids] = []
    for one in regions:
        n_groups = _groups(n_products, int(one.sizes.sum()), search, spark, dim=one.centres.shape[1])
        first = int(groups[-1].max()) + 1 if groups else 0
        groups.append(first + grouped(one.sizes, _by_proximity(one, n_groups, seed=search.seed), n_groups))
    return cells_of(pairs, sizes, np.concatenate(groups))


def _groups(n_products: int, n_items: int, search: Search, spark: SparkSession, *, dim: int) -> int:
    n_cores = spark.sparkContext.defaultParallelism
    return groups_wanted(n_products, n_items, most_rows=search.group_items(dim), n_cores=n_cores)


def _by_proximity(regions: Regions, n_groups: int, *, seed: int) -> Ids:
    """An order of the blocks (b,) in which near ones are near."""
    blocks = np.arange(len(regions.sizes))
    if n_groups == 1 or len(blocks) <= n_groups:
        return blocks
    centres = ArrayVectors(regions.centres)
    around = fit_part(centres, n_groups, kmeans=COARSE, seed=seed)
    return np.lexsort((blocks, centres.assignments(around).labels))


def _n_pairs(counts: Sequence[int]) -> int:
    """Of items of one set of so many, or of two."""
    return counts[0] * (counts[0] - 1) // 2 if len(counts) == 1 else counts[0] * counts[1]


def _say_skipped(pairs: BlockPairs, sizes: Ids, counts: Sequence[int], search: Search) -> None:
    left = int(products_of(pairs, sizes).sum()) / max(1, _n_pairs(counts))
    how = "all that may hold neighbours" if search.is_exact(counts[0], counts[-1]) else f"{search.probes} probes"
    search.say(f"{len(pairs.lefts):,} pairs of blocks, {left:.1%} of all pairs of items: {how}")
