"""What is saved of a hierarchy while it grows, and the interface to where it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.kernels.levels import LevelState
from equipoise.kernels.nearest import Floats
from equipoise.kernels.placement import fits_driver
from equipoise.kernels.vectors import Assignments, Ids
from equipoise.pipeline.blocks import arrays_frame
from equipoise.schemas import CENTROIDS, Col

ROWS = (Col.cluster_id, Col.parent_id, Col.centroid, Col.n_children, Col.n_items, Col.mean_distance_sq)


@dataclass(frozen=True)
class FittedLevel:
    """The clusters of a level that have members: ids (k,), centroids (k, d) float32, sizes and mean costs (k,).

    ``parents`` (k,) are the clusters of the next level; None at the top, and until that level is built.
    """

    cluster_ids: Ids
    centroids: Floats
    n_children: Ids
    n_items: Ids
    mean_distance_sq: NDArray[np.float64]
    parents: Ids | None = None

    def columns(self, number: int) -> dict[str, Any]:
        """The clusters of this level, ``number``, as columns of the table ``centroids``."""
        n_clusters = len(self.cluster_ids)
        return {
            Col.level: np.full(n_clusters, number, dtype=np.int32),
            Col.cluster_id: self.cluster_ids,
            Col.parent_id: pa.nulls(n_clusters, pa.int64()) if self.parents is None else self.parents,
            Col.centroid: self.centroids,
            Col.n_children: self.n_children,
            Col.n_items: self.n_items,
            Col.mean_distance_sq: self.mean_distance_sq,
        }

    def total_items(self) -> int:
        """Items below all clusters."""
        return int(self.n_items.sum())

    def frame(self, spark: SparkSession, number: int) -> DataFrame:
        """The clusters of this level, ``number``, as rows of the table ``centroids``, without a run."""
        columns = self.columns(number)
        return arrays_frame(spark, columns, t.StructType([CENTROIDS.schema[name] for name in columns]))


@dataclass(frozen=True)
class DistributedLevel:
    """The clusters of a level too large for the driver: ``rows`` (:data:`ROWS`) that stay where they are."""

    rows: DataFrame

    def total_items(self) -> int:
        """Items below all clusters; runs a job."""
        return int(self.rows.agg(F.sum(Col.n_items)).collect()[0][0])  # one row

    def frame(self, spark: SparkSession, number: int) -> DataFrame:
        """The clusters of this level, ``number``, as rows of the table ``centroids``, without a run."""
        return self.rows.select(F.lit(number).cast("int").alias(Col.level), *ROWS)


AnyLevel = FittedLevel | DistributedLevel
AnyAssignments = Assignments | DataFrame
"""Items, or by their id clusters, with the cluster of each: on the driver, or where Spark has them."""


def collected(rows: DataFrame) -> FittedLevel:
    """Rows (:data:`ROWS`) of a level that fits, on the driver in the order of their ids."""
    found = rows.toPandas().sort_values(Col.cluster_id)
    parents = found[Col.parent_id]
    return FittedLevel(
        cluster_ids=found[Col.cluster_id].to_numpy(),
        centroids=np.stack(found[Col.centroid].to_list()).astype(np.float32),
        n_children=found[Col.n_children].to_numpy(),
        n_items=found[Col.n_items].to_numpy(),
        mean_distance_sq=found[Col.mean_distance_sq].to_numpy(),
        parents=None if parents.isna().all() else parents.to_numpy(np.int64),
    )


def level_of(rows: DataFrame) -> AnyLevel:
    """A level from its rows (:data:`ROWS`): on the driver if it fits, else where the rows are; runs jobs."""
    first = rows.select(F.size(Col.centroid)).first()
    assert first is not None, "a level has clusters"
    return collected(rows) if fits_driver(rows.count(), first[0]) else DistributedLevel(rows)


class Checkpoint(Protocol):
    """Where a hierarchy is saved while it grows, so that a run that was broken off goes on.

    ``is_durable``: what it gives back is read from where it was saved, and needs nothing of what it was made from.
    """

    is_durable: ClassVar[bool]

    def load_level(self, number: int) -> AnyLevel | None:
        """A level that is finished, if it is."""

    def save_level(self, number: int, levels: Sequence[AnyLevel]) -> list[AnyLevel]:
        """Keeps ``levels``, the last of them level ``number``: the one just finished and, below it, its children.

        Returns them as they can be used from now on, whatever they were made from.
        """

    def load_state(self, number: int) -> LevelState | None:
        """How far an unfinished level is, if it was begun."""

    def save_state(self, number: int, state: LevelState) -> None:
        """Keeps how far a level is; what was kept before may go."""

    def save_assignments(self, labelled: AnyAssignments) -> AnyAssignments:
        """Keeps the level-1 clusters of all items; returns them as they can be read cheaply from now on."""


class InMemory:
    """The checkpoint that keeps what is in use, in Spark's cache."""

    is_durable: ClassVar[bool] = False

    def __init__(self) -> None:
        """Empty."""
        self.assignments: AnyAssignments | None = None
        self._held: dict[int, DataFrame] = {}

    def load_level(self, number: int) -> AnyLevel | None:
        """Nothing was kept."""
        return None

    def save_level(self, number: int, levels: Sequence[AnyLevel]) -> list[AnyLevel]:
        """Holds what is not on the driver in Spark's cache, since what it is made from is given back."""
        first = number - len(levels) + 1
        return [self._as_held(one, level) for one, level in enumerate(levels, start=first)]

    def _as_held(self, number: int, level: AnyLevel) -> AnyLevel:
        if not isinstance(level, DistributedLevel):
            return level
        before, self._held[number] = self._held.get(number), level.rows.persist()
        held = level_of(self._held[number])
        for frame in (before, self._held.pop(number) if isinstance(held, FittedLevel) else None):
            if frame is not None:
                frame.unpersist()
        return held

    def load_state(self, number: int) -> LevelState | None:
        """Nothing was kept."""
        return None

    def save_state(self, number: int, state: LevelState) -> None:
        """Nothing to keep."""

    def save_assignments(self, labelled: AnyAssignments) -> AnyAssignments:
        """Holds them; a DataFrame is cached, since what it is made from is given back."""
        self.assignments = labelled.persist() if isinstance(labelled, DataFrame) else labelled
        return self.assignments
