"""A tree that is split from the top: the vocabulary tree of Nister and Stewenius 2006, to hold hierarchies against.

Its top is a k-means of all items; every cluster is then split into as many by a k-means of its own members, down to
level 1, and an item belongs where it comes by the nearest centroid at each step. So every level follows the density of
the items, which levels that cluster the centroids below them flatten (Vo et al. 2024, section 3.2).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.kernels.branching import branching_of
from equipoise.kernels.levels import Level
from equipoise.kernels.nearest import Floats
from equipoise.kernels.splitting import split_arrays, squared_distances
from equipoise.kernels.vectors import ArrayVectors, Assignments, Vectors
from equipoise.pipeline.assembly import with_level
from equipoise.pipeline.checkpoint import AnyAssignments, AnyLevel, FittedLevel
from equipoise.pipeline.fitting import Fitting, check_results, fit_centroids, placed, seed_of_level
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.splits import Inside, Split, split
from equipoise.schemas import Col


def fit_top_down(
    first_input: Callable[[], AbstractContextManager[Vectors]], levels: Sequence[Level], *, fitting: Fitting
) -> tuple[AnyLevel, ...]:
    """Builds a tree from the top down; what is made of it is as of :func:`equipoise.pipeline.fitting.fit_levels`.

    A tree that was broken off is made again, from the last state of its top.

    Args:
        first_input: opens the vectors of the items; only called where a level is still to be built.
        levels: from the finest up, none of them resampled or with splits of its own.
        fitting: how; its seed is that of the top level.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
        ConfigError: k of a level is no multiple of that above it, a level is resampled or has splits, or
            `spark.driver.maxResultSize` is too small for the sums of the top.
    """
    branching = _checked_branching(levels)
    finished = [fitting.checkpoint.load_level(number) for number in range(1, len(levels) + 1)]
    if all(level is not None for level in finished):
        return tuple(level for level in finished if level is not None)
    whole_tree = Level(levels[0].k, splits=levels[0].k // levels[-1].k)
    with ExitStack() as stack:
        whole = stack.enter_context(first_input())
        check_results(whole, [whole_tree], fitting)
        vectors = placed(whole, whole_tree, fitting)
        coarse = fit_centroids(vectors, levels[-1], number=len(levels), fitting=fitting)
        centroids, labelled = stack.enter_context(_grown(vectors, coarse, branching, fitting))
        fitted = _saved(centroids, labelled, branching, fitting)
        if fitting.checkpoint.is_durable and isinstance(whole, SparkVectors):
            whole.take_back()
    return tuple(fitted)


def _checked_branching(levels: Sequence[Level]) -> tuple[int, ...]:
    for number, level in enumerate(levels, start=1):
        if level.rounds or level.splits > 1:
            raise ConfigError(
                f"level {number} of a tree that is split from the top has {level.rounds} rounds of resampling and "
                f"splits: {level.splits}: drop both, every level splits the one above it"
            )
    return branching_of([level.k for level in levels])


OfLevel = Callable[[int], "Floats | DataFrame"]
"""The centroids of a level by its number: (k, d), or rows (cluster_id, centroid, distance_sq) where they are."""


@contextmanager
def _grown(
    vectors: Vectors, coarse: Floats, branching: tuple[int, ...], fitting: Fitting
) -> Iterator[tuple[OfLevel, AnyAssignments]]:
    """The centroids of every level and the finest cluster of every item, as long as the context lasts."""
    n_levels = len(branching) + 1
    if not branching:
        yield lambda number: coarse, vectors.assignments(coarse)
        return
    each = " x ".join(str(branches) for branches in branching)
    fitting.say(f"level {n_levels}: splitting {len(coarse):,} clusters into {each} each")
    seed = seed_of_level(fitting, n_levels)
    if isinstance(vectors, ArrayVectors):
        levels, labelled = split_arrays(vectors, coarse, branching, kmeans=fitting.kmeans, seed=seed)
        yield lambda number: coarse if number == n_levels else levels[number - 1], labelled
        return
    assert isinstance(vectors, SparkVectors), "vectors are on the driver or on Spark"
    inside = Inside(branching, fitting.kmeans, seed)
    with split(vectors, coarse, inside, most_bytes=fitting.split_bytes) as found:
        yield lambda number: coarse if number == n_levels else _rows_of(found, number), found.assignments


def _rows_of(found: Split, number: int) -> DataFrame:
    here = found.clusters.where(F.col(Col.level) == number)
    return here.select(Col.cluster_id, Col.centroid, Col.distance_sq)


def _saved(
    centroids: OfLevel, labelled: AnyAssignments, branching: tuple[int, ...], fitting: Fitting
) -> Sequence[AnyLevel]:
    """The levels, put together and kept from the finest up, as a tree that is built in that order."""
    stored = fitting.checkpoint.save_assignments(labelled)
    labelled = stored if isinstance(stored, DataFrame) else labelled
    fitted: list[AnyLevel] = []
    for number in range(1, len(branching) + 2):
        here = centroids(number)
        if fitted:
            branches = branching[-(number - 1)]
            here, labelled = _above(fitted[-1], centroids(number - 1), here, branches=branches)
        plain = here.select(Col.cluster_id, Col.centroid) if isinstance(here, DataFrame) else here
        fitted = with_level(fitted, plain, labelled)
        fitted[-2:] = fitting.checkpoint.save_level(number, fitted[-2:])
    return fitted


def _above(
    below: AnyLevel, of_below: Floats | DataFrame, centroids: Floats | DataFrame, *, branches: int
) -> tuple[Floats | DataFrame, AnyAssignments]:
    """The centroids of a level, and to which of its clusters those below belong, of whose each has ``branches``."""
    if isinstance(below, FittedLevel):
        dense = _dense(centroids, below) if isinstance(centroids, DataFrame) else centroids
        parents = below.cluster_ids // branches
        return dense, Assignments(below.cluster_ids, parents, squared_distances(below.centroids, dense[parents]))
    assert isinstance(of_below, DataFrame), "what is not on the driver was split where it is"
    parent = F.floor(F.col(Col.cluster_id) / branches).cast("bigint")
    there = below.rows.select(Col.cluster_id).join(of_below, Col.cluster_id, "inner")
    return centroids, there.select(
        F.col(Col.cluster_id).alias(Col.item_id), parent.alias(Col.cluster_id), Col.distance_sq
    )


def _dense(centroids: DataFrame, below: FittedLevel) -> Floats:
    """Rows (cluster_id, centroid) of a level smaller than one that fits the driver, as (k, d)."""
    found = centroids.toPandas()
    ids = found[Col.cluster_id].to_numpy()
    dense = np.zeros((ids.max() + 1, below.centroids.shape[1]), dtype=np.float32)
    dense[ids] = np.stack(found[Col.centroid].to_list())
    return dense
