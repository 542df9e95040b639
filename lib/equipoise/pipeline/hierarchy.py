"""Hierarchical k-means: level 1 clusters items, every further level the centroids of the one below.

Vo et al. 2024, sections 3.2 and 3.3. Levels are built one after the other, on Spark or, where they fit, on the driver.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.levels import KMeans, Level, LevelState, Metric, fit_level
from equipoise.kernels.nearest import Floats
from equipoise.kernels.seeding import Seeding
from equipoise.kernels.vectors import ArrayVectors, Ids, Labelled, Vectors, unit_length
from equipoise.pipeline.blocks import labelled_arrays, labelled_frame
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.schemas import Col


@dataclass(frozen=True)
class FittedLevel:
    """The clusters of a level that have members: ids (k,), centroids (k, d) float32, sizes and mean costs (k,).

    ``parents`` (k,) are the clusters of the next level; None at the top, and until that level is built.
    """

    cluster_ids: Ids
    centroids: Floats
    n_children: Ids
    n_items: Ids
    mean_distance_sq: np.ndarray
    parents: Ids | None = None


@dataclass(frozen=True)
class Hierarchy:
    """A clustering: ``levels`` from the finest up, and the level-1 cluster of every item.

    ``assignments`` is a DataFrame (item_id, cluster_id, distance_sq) where a DataFrame was clustered, else arrays.
    """

    levels: tuple[FittedLevel, ...]
    assignments: Labelled | DataFrame


class Checkpoint(Protocol):
    """Where a hierarchy is saved while it grows, so that a run that was broken off goes on."""

    def load_level(self, number: int) -> FittedLevel | None:
        """A level that is finished, if it is."""

    def save_level(self, number: int, levels: Sequence[FittedLevel]) -> None:
        """Keeps ``levels``, the last of them level ``number``: the one just finished and, below it, its children."""

    def load_state(self, number: int) -> LevelState | None:
        """How far an unfinished level is, if it was begun."""

    def save_state(self, number: int, state: LevelState) -> None:
        """Keeps how far a level is; what was kept before may go."""

    def save_assignments(self, labelled: Any) -> Any:
        """Keeps the level-1 clusters of all items; returns them as they can be read cheaply from now on."""


@dataclass(frozen=True)
class DriverLimit:
    """A level whose input stays under ``bytes`` and whose k-means stays under ``flops`` runs on the driver."""

    bytes: float = 1e9
    flops: float = 1e13

    def holds(self, vectors: Vectors, level: Level, *, iterations: int) -> bool:
        """Whether a level fits: float32 bytes, and two operations a number, centroid, vector and iteration."""
        size = 4 * vectors.count * vectors.dim
        resampled = level.rounds * min(level.k * level.points_per_cluster(vectors.count), vectors.count)
        flops = 2 * vectors.dim * level.k * iterations * (vectors.count + resampled)
        return size <= self.bytes and flops <= self.flops


class InMemory:
    """The checkpoint that keeps nothing but the assignments."""

    assignments: Any = None

    def load_level(self, number: int) -> FittedLevel | None:
        """Nothing was kept."""
        return None

    def save_level(self, number: int, levels: Sequence[FittedLevel]) -> None:
        """Nothing to keep: the caller has the levels."""

    def load_state(self, number: int) -> LevelState | None:
        """Nothing was kept."""
        return None

    def save_state(self, number: int, state: LevelState) -> None:
        """Nothing to keep."""

    def save_assignments(self, labelled: Any) -> Any:
        """Holds them; a DataFrame is cached, since what it is made from is given back."""
        self.assignments = labelled.persist() if isinstance(labelled, DataFrame) else labelled
        return self.assignments


def fit_levels(
    first_input: Callable[[], AbstractContextManager[Vectors]],
    levels: Sequence[Level],
    *,
    kmeans: KMeans,
    seed: int,
    spark: SparkSession | None = None,
    driver_limit: DriverLimit | None = None,
    checkpoint: Checkpoint | None = None,
    checkpoint_every: int = 5,
    on_step: Callable[[int, LevelState], None] = lambda number, state: None,
) -> tuple[FittedLevel, ...]:
    """Builds the levels that the checkpoint does not have.

    Args:
        first_input: opens the vectors of the items; only called where level 1 is still to be built.
        levels: from the finest up.
        kmeans: how every k-means is run.
        seed: of the whole hierarchy.
        spark: where upper levels above the limit go; None keeps them on the driver.
        driver_limit: up to which size a level runs on the driver.
        checkpoint: where levels and the state of unfinished ones on Spark are saved.
        checkpoint_every: iterations between two saved states.
        on_step: told level number and state after every iteration.

    Raises:
        InputError: fewer vectors than clusters, or all of them equal.
    """
    kept, limit = checkpoint or InMemory(), driver_limit or DriverLimit()
    fitted: list[FittedLevel] = []
    for number, level in enumerate(levels, start=1):
        finished = kept.load_level(number)
        if finished is None:
            opened = first_input() if number == 1 else _centroids_as_input(fitted[-1], spark)
            with opened as whole, _placed(whole, level, limit=limit, iterations=kmeans.iterations) as vectors:

                def after_step(state: LevelState, number: int = number, vectors: Vectors = vectors) -> None:
                    on_step(number, state)
                    if not isinstance(vectors, ArrayVectors) and state.step.iteration % checkpoint_every == 0:
                        kept.save_state(number, state)

                centroids = fit_level(
                    vectors,
                    level,
                    kmeans=kmeans,
                    seed=derived_seed(seed, Purpose.SEEDING, number),
                    state=kept.load_state(number),
                    on_step=after_step,
                )
                labelled = vectors.labelled(centroids)
                stored = kept.save_assignments(labelled) if number == 1 else labelled
                fitted = _with_level(fitted, centroids, stored)
            kept.save_level(number, fitted[-2:])
        else:
            fitted.append(finished)
    return tuple(fitted)


def fit_hierarchy(
    vectors: ArrayLike | DataFrame,
    levels: Sequence[int | Level],
    *,
    metric: Metric = "euclidean",
    seed: int = 0,
    seeding: Seeding = "kmeans++",
    iterations: int = 50,
    tolerance: float = 1e-4,
    driver_limit: DriverLimit | None = None,
    on_step: Callable[[int, LevelState], None] = lambda number, state: None,
) -> Hierarchy:
    """Clusters vectors into a hierarchy: the whole method in one call, for notebooks.

    Args:
        vectors: (n, d) array, or DataFrame with item_id BIGINT and embedding ARRAY<FLOAT>.
        levels: number of clusters from the finest up, or :class:`Level` where one is resampled.
        metric: squared Euclidean, or "cosine" (everything at unit length).
        seed: the same seed gives the same clustering, whatever the cores.
        seeding: greedy k-means++ or random.
        iterations: of every k-means, at most.
        tolerance: relative change of the objective at which a k-means stops.
        driver_limit: up to which size a level of a DataFrame runs on the driver.
        on_step: told level number and state after every iteration.

    Raises:
        ConfigError: k does not fall from level to level.
        InputError: fewer vectors than clusters, all equal, NaN, zero vectors with cosine, different lengths.
    """
    kmeans = KMeans(metric, seeding, iterations, tolerance)
    checkpoint = InMemory()
    fitted = fit_levels(
        lambda: open_vectors(vectors, spherical=kmeans.spherical),
        _as_levels(levels),
        kmeans=kmeans,
        seed=seed,
        spark=vectors.sparkSession if isinstance(vectors, DataFrame) else None,
        driver_limit=driver_limit,
        checkpoint=checkpoint,
        on_step=on_step,
    )
    assignments = checkpoint.assignments
    if isinstance(vectors, DataFrame) and isinstance(assignments, Labelled):
        assignments = labelled_frame(vectors.sparkSession, assignments)
    return Hierarchy(fitted, assignments)


def open_vectors(vectors: ArrayLike | DataFrame, *, spherical: bool, partitions: int | None = None) -> Vectors:
    """Arrays or embeddings (item_id, embedding) as what the k-means loop takes.

    Raises:
        InputError: no vectors, different lengths, NaN, or a zero vector where ``spherical``.
    """
    if isinstance(vectors, DataFrame):
        return SparkVectors.from_embeddings(vectors, partitions=partitions, spherical=spherical)
    plain = ArrayVectors(vectors)
    if not spherical:
        return plain
    zero = np.flatnonzero(~plain.vectors.any(axis=1))
    if len(zero):
        raise InputError(f"the vector of item {zero[0]} is zero and has no direction; cosine needs it left out")
    return ArrayVectors(unit_length(plain.vectors))


def _as_levels(levels: Sequence[int | Level]) -> list[Level]:
    listed = [level if isinstance(level, Level) else Level(level) for level in levels]
    for below, level in zip(listed, listed[1:], strict=False):
        if level.k >= below.k:
            raise ConfigError(f"levels: k = {level.k} follows k = {below.k}; k must fall from level to level")
    return listed


def _placed(whole: Vectors, level: Level, *, limit: DriverLimit, iterations: int) -> Vectors:
    """The vectors where the level is to run: on the driver if it fits."""
    if isinstance(whole, SparkVectors) and limit.holds(whole, level, iterations=iterations):
        return whole.to_arrays()
    return whole


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
