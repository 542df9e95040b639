"""What is saved of a hierarchy while it grows, and the interface to where it is saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from equipoise.kernels.levels import LevelState
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import Ids
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
