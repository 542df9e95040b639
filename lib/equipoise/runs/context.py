"""What a stage gets and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Config
from equipoise.kernels.levels import LevelState
from equipoise.schemas import POOL, Col, Table
from equipoise.tables import Workspace


class Progress(Protocol):
    """Who tells the user how far the work is."""

    def message(self, text: str) -> None:
        """One line that stays."""

    def count(self, stage: str, done: int, total: int) -> None:
        """So many items of a stage are done."""

    def iteration(self, number: int, n_levels: int, state: LevelState) -> None:
        """One k-means iteration of level ``number`` is done."""


@dataclass(frozen=True)
class StageContext:
    """One run's surroundings; ``versions`` pins the tables that the stage reads, by name."""

    spark: SparkSession
    config: Config
    workspace: Workspace
    run_id: str
    progress: Progress
    versions: Mapping[str, int] = field(default_factory=dict)

    def read(self, table: Table) -> DataFrame:
        """The table at the version that the run has pinned."""
        return self.workspace.read(table, self.versions.get(table.name))

    def rows_of_run(self, table: Table) -> DataFrame:
        """The pinned rows of this run."""
        return self.read(table).filter(F.col(Col.run_id) == self.run_id)

    def items(self) -> DataFrame:
        """The pinned rows of the pool that come from the config's source."""
        return self.read(POOL).filter(F.col(Col.source) == self.config.pool_source.source_name)


@dataclass(frozen=True)
class Account:
    """Where the rows of a stage went: ``n_in = n_out + n_rejected + sum(drops)``.

    ``n_partitions`` are those that the bits of its result depend on, beside data and seed.
    """

    n_in: int
    n_out: int
    n_rejected: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    n_partitions: int | None = None

    @property
    def n_dropped(self) -> int:
        """Rows that were left out for a reason other than being unusable."""
        return sum(self.drops.values())
