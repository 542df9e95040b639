"""The events of a run as the facts that a report begins with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import yaml
from pydantic import TypeAdapter
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Source
from equipoise.errors import RunError
from equipoise.report.content import RunFacts, StageFacts
from equipoise.runs.run import DONE, FAMILIES, REPLACED, RUNNING
from equipoise.schemas import METRICS, POOL, RUNS, TABLES, Col, Table
from equipoise.tables import Workspace

MOST_NAMED = 10
SELECT = "select:"


@dataclass(frozen=True)
class RunTables:
    """The tables of a workspace, as far as one run goes, and its events: none where methods were compared."""

    spark: SparkSession
    workspace: Workspace
    run_id: str
    events: Sequence[Row]

    def rows(self, table: Table) -> DataFrame:
        """The rows of this run, none where there is no such table: a report creates nothing."""
        if not self.workspace.exists(table):
            return self.spark.createDataFrame([], table.schema)
        return self.workspace.read(table).filter(F.col(Col.run_id) == self.run_id)

    def items(self) -> DataFrame:
        """The rows of the pool that come from the source of this run, those that came after it included."""
        name = TypeAdapter[Any](Source).validate_python(self.settings("ingest")).source_name
        return self.workspace.read(POOL).filter(F.col(Col.source) == name)

    def settings(self, stage: str) -> dict[str, Any]:
        """What the newest event of a stage says of its config; empty where there is none."""
        events = [event for event in self.events if event[Col.stage] == stage]
        return json.loads(events[-1][Col.config]) if events else {}

    def is_done(self, stage: str) -> bool:
        """Whether its newest event says so."""
        statuses = [event[Col.status] for event in self.events if event[Col.stage] == stage]
        return statuses[-1:] == [DONE]

    @property
    def seed(self) -> int:
        """Of the draws: that of the newest event."""
        return int(self.events[-1][Col.seed])

    @property
    def selections(self) -> list[str]:
        """The finished selections, oldest first."""
        names = dict.fromkeys(event[Col.stage] for event in self.events)
        return [name.removeprefix(SELECT) for name in names if name.startswith(SELECT) and self.is_done(name)]


def open_run(spark: SparkSession, workspace: str, run_id: str) -> RunTables:
    """Reads the events of a run.

    Raises:
        RunError: the workspace has no such run, and no metrics of a comparison of that name.
    """
    tables = Workspace(spark, workspace)
    if not tables.exists(RUNS):
        raise RunError(f"workspace {workspace!r} holds no runs: check the path (a folder or catalog.schema)")
    runs = tables.read(RUNS)
    events = runs.filter(F.col(Col.run_id) == run_id).orderBy(Col.at).collect()  # two for each attempt at a stage
    run = RunTables(spark, tables, run_id, events)
    if not events and run.rows(METRICS).isEmpty():
        newest = runs.groupBy(Col.run_id).agg(F.max(Col.at).alias(Col.at)).orderBy(F.desc(Col.at)).limit(MOST_NAMED)
        known = ", ".join(repr(row[Col.run_id]) for row in newest.collect())
        raise RunError(f"workspace {workspace!r} has no run {run_id!r}; the newest are {known}")
    return run


def run_facts(run: RunTables) -> RunFacts:
    """Where the run came from, and how its stages went."""
    names = sorted(dict.fromkeys(event[Col.stage] for event in run.events), key=_rank)
    facts = [_stage_facts(name, [event for event in run.events if event[Col.stage] == name]) for name in names]
    versions: dict[str, int] = {}
    for event in run.events:
        read = event[Col.input_versions] or {}  # of a benchmark also the state of its files
        versions |= {name: version for name, version in read.items() if name in TABLES}
    source = run.settings("ingest")
    newest = run.events[-1] if run.events else None
    return RunFacts(
        run_id=run.run_id,
        workspace=run.workspace.location,
        source=f"{source.get('kind')}, {source.get('path')}" if source else None,
        seed=run.seed if newest else None,
        code_version=str(newest[Col.code_version]) if newest else None,
        began=run.events[0][Col.at].astimezone(UTC) if newest else None,  # Spark gives local times
        config=_config(run, names),
        versions=versions,
        stages=[stage for stage in facts if stage.status != REPLACED],
    )


def rule_of(settings: dict[str, Any]) -> str:
    """How a selection was made, in words."""
    size = f"{settings['target']:,} items" if settings.get("target") else f"{settings.get('per_cluster')} a cluster"
    parts = [size, f"{settings.get('method')} sharing", f"{settings.get('within')} inside clusters"]
    if settings.get("max_copies", 1) > 1:
        parts.append(f"at most {settings['max_copies']} copies")
    if settings.get("where"):
        parts.append(f"where {settings['where']}")
    return ", ".join(parts)


def _rank(stage: str) -> int:
    family = stage.partition(":")[0]
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def _stage_facts(name: str, events: Sequence[Row]) -> StageFacts:
    newest = events[-1]
    begun = [event[Col.at] for event in events if event[Col.status] == RUNNING]
    is_done = newest[Col.status] == DONE
    if not is_done:
        return StageFacts(name, newest[Col.status], None, len(begun))
    return StageFacts(
        name,
        DONE,
        (newest[Col.at] - begun[-1]).total_seconds() if begun else None,
        len(begun),
        n_in=newest[Col.n_in],
        n_out=newest[Col.n_out],
        n_rejected=newest[Col.n_rejected],
        drops=newest[Col.drops] or {},
    )


def _config(run: RunTables, stages: Sequence[str]) -> str:
    """The settings that the stages ran with, in the form of a config."""
    config: dict[str, Any] = {}
    for name in stages:
        if name.startswith(SELECT):
            config.setdefault("select", []).append(run.settings(name))
        else:
            config["source" if name == "ingest" else name] = run.settings(name)
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)
