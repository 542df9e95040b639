"""The levels of a hierarchy, one after the other: each on Spark or, where it fits, on the driver."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.levels import KMeans, Level, LevelState, fit_level
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import ArrayVectors, Ids, Labelled, Vectors
from equipoise.pipeline.blocks import labelled_arrays
from equipoise.pipeline.checkpoint import Checkpoint, FittedLevel, InMemory
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.schemas import Col


@dataclass(frozen=True)
class DriverLimit:
    """A level whose input stays under ``bytes`` and whose k-means stays under ``flops`` runs on the driver."""

    bytes: float = 1e9
    flops: float = 1e13

    def holds(self, vectors: Vectors, level: Level, *, iterations: int) -> bool:
        """Whether a level fits: float32 bytes, and two operations a number, centroid, vector and iteration."""
        size = vectors.count * (4 * vectors.dim + 8)  # the vectors and their ids
        resampled = level.rounds * min(level.k * level.points_per_cluster(vectors.count), vectors.count)
        flops = 2 * vectors.dim * level.k * iterations * (vectors.count + resampled)
        return size <= self.bytes and flops <= self.flops


@dataclass(frozen=True)
class Fitting:
    """How levels are fitted, and who is told.

    ``spark`` is where upper levels above the limit go (None keeps them on the driver); the state of a level on Spark is
    saved every ``checkpoint_every`` iterations; ``on_step`` is told level number and state after every iteration.
    """

    kmeans: KMeans
    seed: int
    spark: SparkSession | None = None
    driver_limit: DriverLimit = DriverLimit()
    checkpoint: Checkpoint = field(default_factory=InMemory)
    checkpoint_every: int = 5
    on_step: Callable[[int, LevelState], None] = lambda number, state: None


def fit_levels(
    first_input: Callable[[], AbstractContextManager[Vectors]], levels: Sequence[Level], *, fitting: Fitting
) -> tuple[FittedLevel, ...]:
    """Builds the levels that the checkpoint does not have, from the finest up.

    Args:
        first_input: opens the vectors of the items; only called where level 1 is still to be built.
        levels: what to build.
        fitting: how.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
    """
    fitted: list[FittedLevel] = []
    for number, level in enumerate(levels, start=1):
        finished = fitting.checkpoint.load_level(number)
        if finished is not None:
            fitted.append(finished)
            continue
        with first_input() if number == 1 else _centroids_as_input(fitted[-1], fitting.spark) as whole:
            vectors = _placed(whole, level, fitting)
            centroids = _centroids(vectors, level, number=number, fitting=fitting)
            labelled = vectors.labelled(centroids)
            stored = fitting.checkpoint.save_assignments(labelled) if number == 1 else labelled
            fitted = _with_level(fitted, centroids, stored)
        fitting.checkpoint.save_level(number, fitted[-2:])
    return tuple(fitted)


def _centroids(vectors: Vectors, level: Level, *, number: int, fitting: Fitting) -> Floats:
    """Fits one level, from where an earlier run left it."""

    def after_step(state: LevelState) -> None:
        fitting.on_step(number, state)
        is_on_spark = not isinstance(vectors, ArrayVectors)
        is_due = state.step.is_last or state.step.iteration % fitting.checkpoint_every == 0
        if is_on_spark and is_due:
            fitting.checkpoint.save_state(number, state)

    return fit_level(
        vectors,
        level,
        kmeans=fitting.kmeans,
        seed=derived_seed(fitting.seed, Purpose.SEEDING, number),
        state=fitting.checkpoint.load_state(number),
        on_step=after_step,
    )


def _placed(whole: Vectors, level: Level, fitting: Fitting) -> Vectors:
    """The vectors where the level is to run: on the driver if it fits."""
    fits = fitting.driver_limit.holds(whole, level, iterations=fitting.kmeans.iterations)
    return whole.to_arrays() if isinstance(whole, SparkVectors) and fits else whole


def _centroids_as_input(below: FittedLevel, spark: SparkSession | None) -> Vectors:
    if spark is None:
        return ArrayVectors(below.centroids, below.cluster_ids)
    return SparkVectors.from_arrays(spark, below.centroids, below.cluster_ids)


def _with_level(fitted: list[FittedLevel], centroids: Floats, labelled: Labelled | DataFrame) -> list[FittedLevel]:
    """The levels with one more on top, whose members now know their parents."""
    if fitted:
        members = labelled_arrays(labelled) if isinstance(labelled, DataFrame) else labelled
        below = replace(fitted[-1], parents=members.labels)
        return [*fitted[:-1], below, _summed_up(members, centroids, n_items=below.n_items)]
    if isinstance(labelled, DataFrame):
        rows = cluster_sizes(labelled).toPandas().sort_values(Col.cluster_id)
        ids, counts, means = (rows[name].to_numpy() for name in (Col.cluster_id, Col.n_items, Col.mean_distance_sq))
        return [FittedLevel(ids, centroids[ids], counts, counts, means)]
    return [_summed_up(labelled, centroids, n_items=np.ones(len(labelled.labels), dtype=np.int64))]


def cluster_sizes(labelled: DataFrame) -> DataFrame:
    """One row a cluster: (cluster_id, n_items, mean_distance_sq)."""
    return labelled.groupBy(Col.cluster_id).agg(
        F.count("*").alias(Col.n_items), F.avg(Col.distance_sq).alias(Col.mean_distance_sq)
    )


def _summed_up(members: Labelled, centroids: Floats, *, n_items: Ids) -> FittedLevel:
    """A level from its members, each of which stands for ``n_items``."""
    ids, position, counts = np.unique(members.labels, return_inverse=True, return_counts=True)
    items = np.zeros(len(ids), dtype=np.int64)
    np.add.at(items, position, n_items)
    means = np.bincount(position, weights=members.distances_sq) / counts
    return FittedLevel(ids, centroids[ids], counts, items, means)
