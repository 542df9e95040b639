"""A finished run of any size, its tables written directly: what takes hours to make is there in seconds."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.pipeline.sampling import select
from equipoise.schemas import (
    ASSIGNMENTS,
    CENTROIDS,
    CURATED,
    ITERATIONS,
    METRICS,
    POOL,
    REJECTS,
    RUNS,
    Col,
    Slice,
)
from equipoise.tables import Workspace

SOURCE = {"kind": "texts", "path": "in/pool", "name": "pool"}
LONG = "long" * 300
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def write_run(spark: SparkSession, location: str, *, n_items: int, ks: list[int], content: Column) -> str:
    """Writes a run over ``n_items`` items with a tree of ``ks`` clusters, lowest first; sizes follow a power law.

    ``content`` is BINARY made of the column id. The selections are ``even``, a tenth of the pool, and ``typical``.
    """
    workspace, run_id = Workspace(spark, location), "made"
    share = F.pmod(F.xxhash64("id"), F.lit(1 << 30)) / (1 << 30)
    items = spark.range(n_items).withColumns(
        {
            Col.item_id: F.col("id"),
            Col.source: F.lit("pool"),
            Col.key: F.col("id").cast("string"),
            Col.content: content,
            Col.label: F.concat(F.lit("class "), F.floor(20 * share).cast("string"), F.lit(f" {LONG}")),
            Col.uri: F.concat(F.lit(f"file:/{LONG}"), F.col("id").cast("string")),
            Col.run_id: F.lit(run_id),
            Col.cluster_id: F.floor(F.lit(ks[0]) * F.pow(share, 2)).cast("bigint"),
            Col.distance_sq: F.pmod(F.xxhash64("id", F.lit(1)), F.lit(1000)).cast("float"),
        }
    )
    workspace.append(Slice(POOL), items)
    workspace.append(Slice(ASSIGNMENTS), items)
    assignments = workspace.read(ASSIGNMENTS)
    workspace.append(Slice(CENTROIDS, {Col.run_id: run_id}), spark.createDataFrame(_tree(assignments, ks)))
    clusters = workspace.read(CENTROIDS)
    for name, rule in _rules(n_items).items():
        rows = select(
            clusters, assignments, levels=len(ks), seed=0, checkpoint=lambda rows: rows.localCheckpoint(), **rule
        )
        workspace.append(Slice(CURATED, {Col.run_id: run_id, Col.selection: name}), rows)
    _write_events(spark, workspace, run_id, n_items)
    return run_id


def _rules(n_items: int) -> dict[str, dict]:
    return {"even": {"target": n_items // 10}, "typical": {"per_cluster": 1, "within": "closest"}}


def _tree(assignments: DataFrame, ks: list[int]) -> pd.DataFrame:
    counted = assignments.groupBy(Col.cluster_id).count().toPandas().set_index(Col.cluster_id)["count"]
    sizes = counted.reindex(range(ks[0]), fill_value=0)
    levels, n_children = [], sizes
    for level, above in enumerate([*ks[1:], 1], 1):
        parent = sizes.index % above
        rows = {Col.level: level, Col.cluster_id: sizes.index, Col.parent_id: parent, Col.n_items: sizes.to_numpy()}
        levels.append(pd.DataFrame({**rows, Col.n_children: n_children.to_numpy(), Col.mean_distance_sq: 1.0}))
        n_children = sizes.groupby(parent).count()
        sizes = sizes.groupby(parent).sum()
    return pd.concat(levels)


def _write_events(spark: SparkSession, workspace: Workspace, run_id: str, n_items: int) -> None:
    settings = {"ingest": {"name": "pool", "source": SOURCE}, "cluster": {"levels": [{"k": 1}], "seed": 0}}
    settings |= {f"select:{name}": {"name": name, **rule, "seed": 0} for name, rule in _rules(n_items).items()}
    made = {"ingest": {"pool/source=pool": 0}, "cluster": {"centroids": None, "assignments": None}}
    events, at = [], BEGAN
    for stage, config in settings.items():
        for status in ("running", "done"):
            at += timedelta(seconds=10)
            event = {Col.run_id: run_id, Col.stage: stage, Col.status: status, Col.config: json.dumps(config)}
            counts = {Col.n_in: n_items, Col.n_out: n_items, Col.n_rejected: 0, Col.drops: {}}
            pins = {Col.seed: 0, Col.code_version: "0.1.0", Col.at: at, Col.made: made.get(stage, {})}
            pins[Col.stands_on] = ["ingest"] if stage == "cluster" else []
            events.append({**event, **pins, **(counts if status == "done" else {})})
    rows = [tuple(event.get(name) for name in RUNS.columns) for event in events]
    workspace.append(Slice(RUNS), spark.createDataFrame(rows, RUNS.schema))
    steps = [(run_id, 1, 0, step, 100.0 / step, 0, 0.5) for step in range(1, 6)]
    workspace.append(Slice(ITERATIONS), spark.createDataFrame(steps, ITERATIONS.schema))
    rejects = [(run_id, -1, "ingest", "k", "file:/gone.txt", "unreadable_file", "gone")]
    workspace.append(Slice(REJECTS), spark.createDataFrame(rejects, REJECTS.schema))
    metrics = [(run_id, "evaluate", name, "gini", "level_1", 0.5) for name in ("pool", "even")]
    workspace.append(Slice(METRICS), spark.createDataFrame(metrics, METRICS.schema))
