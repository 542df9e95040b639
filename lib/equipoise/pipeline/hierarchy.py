"""Hierarchical k-means in one call: level 1 clusters items, every further level the centroids of the one below.

Vo et al. 2024, section 3.3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pyspark.sql import DataFrame

from equipoise.errors import InputError
from equipoise.kernels.backends import BackendChoice, driver_kernel
from equipoise.kernels.levels import KMeans, Level, LevelState, Metric
from equipoise.kernels.placement import DriverLimit
from equipoise.kernels.seeding import Seeding
from equipoise.kernels.vectors import ArrayVectors, Assignments, Vectors, unit_length
from equipoise.pipeline.blocks import assignments_frame
from equipoise.pipeline.checkpoint import AnyAssignments, AnyLevel, DistributedLevel, InMemory
from equipoise.pipeline.fitting import Fitting, fit_levels
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.top_down import fit_top_down

Tree = Literal["bottom_up", "top_down"]
FITS = {"bottom_up": fit_levels, "top_down": fit_top_down}
"""What builds a tree, by how it grows."""


@dataclass(frozen=True)
class Hierarchy:
    """A clustering: ``levels`` from the finest up, and the level-1 cluster of every item.

    ``assignments`` is a DataFrame (item_id, cluster_id, distance_sq) where a DataFrame was clustered, else arrays.
    """

    levels: tuple[AnyLevel, ...]
    assignments: AnyAssignments

    def __repr__(self) -> str:
        sizes = [
            "distributed" if isinstance(level, DistributedLevel) else f"{len(level.cluster_ids):,}"
            for level in self.levels
        ]
        return f"Hierarchy(clusters by level, the finest first: {', '.join(sizes)})"

    def unpersist(self) -> None:
        """Gives back what Spark's cache holds of it; it is not to be used after that."""
        for held in (self.assignments, *(level.rows for level in self.levels if isinstance(level, DistributedLevel))):
            if isinstance(held, DataFrame):
                held.unpersist()


def fit_hierarchy(
    vectors: ArrayLike | DataFrame,
    levels: Sequence[int | Level],
    *,
    metric: Metric = "euclidean",
    tree: Tree = "bottom_up",
    seed: int = 0,
    seeding: Seeding = "kmeans++",
    iterations: int = 50,
    tolerance: float = 1e-4,
    driver_limit: DriverLimit | None = None,
    backend: BackendChoice = "auto",
    on_step: Callable[[int, LevelState], None] = lambda number, state: None,
) -> Hierarchy:
    """Clusters vectors into a hierarchy; the arguments are those of :func:`equipoise.fit_hierarchy`, which judges them.

    Raises:
        InputError: fewer vectors than clusters, all equal, NaN, zero vectors with cosine, different lengths.
    """
    kmeans = KMeans(metric, seeding, iterations, tolerance)
    checkpoint = InMemory()
    spark = vectors.sparkSession if isinstance(vectors, DataFrame) else None
    limit = driver_limit or DriverLimit()
    fitted = FITS[tree](
        lambda: open_vectors(vectors, spherical=kmeans.spherical, backend=backend),
        [level if isinstance(level, Level) else Level(level) for level in levels],
        fitting=Fitting(kmeans, seed, spark, limit, checkpoint, on_step=on_step, backend=backend),
    )
    assignments = checkpoint.assignments
    if isinstance(vectors, DataFrame) and isinstance(assignments, Assignments):
        assignments = assignments_frame(vectors.sparkSession, assignments)
    assert assignments is not None, "level 1 was fitted here"
    return Hierarchy(fitted, assignments)


def open_vectors(
    vectors: ArrayLike | DataFrame,
    *,
    spherical: bool,
    partitions: int | None = None,
    half: bool = False,
    backend: BackendChoice = "auto",
) -> Vectors:
    """Arrays or embeddings (item_id, embedding) as what the k-means loop takes.

    Raises:
        InputError: no vectors, different lengths, NaN, or a zero vector where ``spherical``.
    """
    if isinstance(vectors, DataFrame):
        return SparkVectors.from_embeddings(
            vectors, partitions=partitions, spherical=spherical, half=half, backend=backend
        )
    kernel = driver_kernel(backend)
    plain = ArrayVectors(vectors, kernel=kernel)
    if not spherical:
        return plain
    zero = np.flatnonzero(~plain.vectors.any(axis=1))
    if len(zero):
        raise InputError(f"the vector of item {zero[0]} is zero and has no direction; cosine needs it left out")
    return ArrayVectors(unit_length(plain.vectors), kernel=kernel)
