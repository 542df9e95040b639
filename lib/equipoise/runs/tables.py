"""A run as those see it who look at its results: its events, and its tables, each read once."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any, Self

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import RunError
from equipoise.pipeline.frames import for_few_rows
from equipoise.runs.record import Event, Record, event_of
from equipoise.schemas import ASSIGNMENTS, METRICS, POOL, RUNS, Col, Slice, Table, slice_of
from equipoise.tables import Workspace

MOST_NAMED = 10
MOST_KEPT = 10_000_000
"""Items of a run whose tables are kept: a few hundred megabytes, against reading them again for every question."""
MOST_CONTENTS_KEPT = 10_000
"""Items that are kept with their contents."""


@dataclass
class RunTables:
    """The tables of a workspace, as far as one run goes; a context manager that gives back what was kept of them.

    ``history`` are all events, the oldest first: none where methods were compared.
    """

    spark: SparkSession
    workspace: Workspace
    run_id: str
    history: Sequence[Event]
    _kept: dict[str, DataFrame] = field(default_factory=dict)

    @cached_property
    def record(self) -> Record:
        """The newest event of every node."""
        return Record(self.history)

    @cached_property
    def n_items(self) -> int:
        """The most that a node of the run left for others, by its record: how large what is read may be."""
        return max((event.account.goes_on for event in self.history if event.account), default=0)

    def rows(self, table: Table) -> DataFrame:
        """The rows of this run, without vectors; none where there is no such table.

        Those of up to :data:`MOST_KEPT` items are read once, and kept as long as the context lasts.
        """
        rows = self.workspace.read(Slice(table).of_run(self.run_id)).drop(Col.centroid)
        return self._once(table.name, rows, most=MOST_KEPT)

    def items(self) -> DataFrame:
        """The rows of the pool that were clustered from, as they were then; of a run without clusters, all it read."""
        events = self._before(ASSIGNMENTS) or self.record.events
        parts = {path: version for event in events for path, version in event.made.items()}
        pools = [(slice_of(path), version) for path, version in parts.items() if path.startswith(f"{POOL.name}/")]
        frames = [self.workspace.read(part, version) for part, version in pools if part is not None]
        rows = reduce(DataFrame.unionByName, frames) if frames else self.workspace.read(Slice(POOL)).limit(0)
        return self._once(POOL.name, rows, most=MOST_CONTENTS_KEPT)

    def clustered_items(self) -> DataFrame:
        """Of :meth:`items` those in clusters: without what was dropped before them, and sets that are not curated."""
        if self._n_left_by(POOL) == self._n_left_by(ASSIGNMENTS):
            return self.items()
        return self.items().join(self.rows(ASSIGNMENTS).select(Col.item_id), Col.item_id, "left_semi")

    def settings(self, stage: str) -> dict[str, Any]:
        """What the newest event of a node says of its config; empty where there is none."""
        event = self.record.get(stage)
        return json.loads(event.config) if event else {}

    def done(self, family: str) -> list[str]:
        """The finished nodes of a family, in the order in which they began."""
        names = dict.fromkeys(event.stage for event in self.history)
        return [name for name in names if name.partition(":")[0] == family and self.record.is_done(name)]

    def clustered_by(self, family: str) -> list[str]:
        """The nodes of a family that the clustering stood on, directly or not."""
        return [event.stage for event in self._before(ASSIGNMENTS) if event.stage.partition(":")[0] == family]

    @property
    def seed(self) -> int:
        """Of the draws: the newest that an event has."""
        return next((event.seed for event in reversed(self.history) if event.seed is not None), 0)

    def _once(self, name: str, rows: DataFrame, *, most: int) -> DataFrame:
        if self.n_items > most:
            return rows
        if name not in self._kept:
            self._kept[name] = rows.persist(StorageLevel.MEMORY_AND_DISK)
        return self._kept[name]

    def _n_left_by(self, table: Table) -> int:
        """Items that the makers of a table left for others."""
        makers = [event for event in self.record.events if _makes(event, table)]
        return sum(event.account.goes_on for event in makers if event.account)

    def _before(self, table: Table) -> list[Event]:
        """The events that the maker of a table stood on, directly or not."""
        edges = self.record.edges
        makers = [event.stage for event in self.record.events if _makes(event, table)]
        found: set[str] = set()
        while makers:
            name = makers.pop()
            new = set(edges.get(name, ())) - found
            found |= new
            makers += new
        return [event for event in self.record.events if event.stage in found]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for rows in self._kept.values():
            rows.unpersist()
        self._kept.clear()


@contextmanager
def opened(spark: SparkSession, workspace: str, run_id: str) -> Iterator[RunTables]:
    """The tables of a run, as long as the context lasts.

    Raises:
        RunError: the workspace has no such run, and no metrics of a comparison of that name.
    """
    tables = Workspace(spark, workspace)
    if not tables.exists(RUNS):
        raise RunError(f"workspace {workspace!r} holds no runs: check the path (a folder or catalog.schema)")
    rows = tables.read(Slice(RUNS, {Col.run_id: run_id})).collect()  # two for each attempt at a node
    history = sorted((event_of(row.asDict()) for row in rows), key=lambda event: event.at)
    run = RunTables(spark, tables, run_id, history)
    with for_few_rows(spark, run.n_items), run:
        if not history and run.rows(METRICS).isEmpty():
            raise RunError(f"workspace {workspace!r} has no run {run_id!r}; the newest are {_newest(tables)}")
        yield run


def _newest(tables: Workspace) -> str:
    by_time = tables.read(RUNS).groupBy(Col.run_id).agg(F.max(Col.at).alias(Col.at)).orderBy(F.desc(Col.at))
    return ", ".join(repr(row[Col.run_id]) for row in by_time.limit(MOST_NAMED).collect())


def _makes(event: Event, table: Table) -> bool:
    return event.has_begun and any(path.partition("/")[0] == table.name for path in event.made)
