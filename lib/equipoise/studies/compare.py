"""Methods beside each other: one budget, one pool, one table. Every different clustering is a run, made once."""

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Config
from equipoise.errors import RunError
from equipoise.pipeline.frames import persisted
from equipoise.runs.account import Progress
from equipoise.runs.tables import RunTables, opened
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, METRICS, POOL_NAME, RUNS, Col, Slice
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.evaluate import EVALUATE
from equipoise.stages.evaluate.measuring import Measured, items_of, metrics_of, random_selections, stacked
from equipoise.stages.evaluate.section import Evaluate
from equipoise.stages.evaluate.work import RANDOM
from equipoise.stages.ingest import INGEST
from equipoise.stages.running import Planned, perform
from equipoise.studies.variants import VariantRun, compared, planned_runs, variants_of
from equipoise.tables import Workspace

STAGE = "compare"
_METHOD = "method"


def compare(config: Config, *, spark: SparkSession, progress: Progress, run_id: str) -> pd.DataFrame:
    """Makes what is missing of the runs, measures all methods in the config's own clusters and writes ``metrics``.

    Balance over clusters is measured in the same tree for all, that of the config's own levels; over classes where
    items have labels or ``evaluate.labelled`` is given. ``random`` are as many random items as the budget.

    Args:
        config: with the section compare; ``evaluate`` says what is measured beside the balance.
        spark: with Delta.
        progress: who is told.
        run_id: under which the metrics are written, in the place of an earlier comparison's: of no run.

    Returns:
        selection (the method, ``random`` or ``pool``), name, group, value, in the order of the config.

    Raises:
        RunError: ``run_id`` is that of a run, or the source changed since the first of the runs was made.
        ConfigError, InputError, TableError: see the stages.
    """
    runs = planned_runs(config)
    workspace = Workspace(spark, config.workspace)
    _refuse_run(workspace, run_id)
    _perform(runs, spark=spark, progress=progress)
    names = [RANDOM, *(variant.name for variant in variants_of(config))]
    with opened(spark, config.workspace, runs[0][0].run_id) as run:
        metrics = _measured(run, config, [run for run, _ in runs], names)
    rows = spark.createDataFrame(metrics)
    workspace.replace(Slice(METRICS, {Col.stage: STAGE}).of_run(run_id), rows)
    order = [POOL_NAME, *names]
    return metrics.sort_values(Col.selection, key=lambda names: names.map(order.index), kind="stable")


def _measured(run: RunTables, config: Config, runs: Sequence[VariantRun], names: Sequence[str]) -> pd.DataFrame:
    assignments = run.rows(ASSIGNMENTS)
    selected = stacked(
        [
            *random_selections(assignments, {compared(config).target: [RANDOM]}, config.seed),
            _selected(run.workspace.read(CURATED), runs).join(
                assignments.select(Col.item_id, Col.cluster_id), Col.item_id, "inner"
            ),
        ]
    )
    tree = run.workspace.read(Slice(CENTROIDS).of_run(run.run_id))
    section = CLUSTER.of(config)
    with persisted(selected) as rows:
        is_spherical = section is not None and section.metric == "cosine"
        measured = Measured(items_of(run.items(), assignments), tree, rows, names, is_spherical)
        return metrics_of(run.spark, measured, EVALUATE.of(config) or Evaluate())


def _refuse_run(workspace: Workspace, run_id: str) -> None:
    """Raises RunError where the id has events: a comparison has none, and what a run measured is not to be lost."""
    if not workspace.read(RUNS).where(F.col(Col.run_id) == run_id).isEmpty():
        raise RunError(
            f"--run-id {run_id!r} is a run of this workspace, whose metrics the comparison would replace: "
            "pass an id that no run has, or none"
        )


def _perform(runs: Sequence[tuple[VariantRun, Planned]], *, spark: SparkSession, progress: Progress) -> None:
    """Makes what is missing. A run that is there keeps to the pool that it had, and all must have the same."""
    first = None
    for run, plan in runs:
        progress.message(f"run {run.run_id}: {', '.join(run.methods) or 'the clusters that all are measured in'}")
        outcomes = perform(plan, spark=spark, progress=progress, run_id=run.run_id)
        n_items = sum(one.account.n_in for one in outcomes if plan.graph[one.stage].family == INGEST.family)
        first = n_items if first is None else first
        if n_items != first:
            raise RunError(
                f"the pool's sources have {n_items:,} items and had {first:,} when run {runs[0][0].run_id!r} was made: "
                f"methods are compared on one pool; give the config another name than {run.config.name!r}, and all are "
                "made anew"
            )


def _selected(curated: DataFrame, runs: Sequence[VariantRun]) -> DataFrame:
    """Rows of all methods: selection (the method), item_id, copies. Each is looked for in its own run."""
    mine = [(run.run_id, name, method) for run in runs for method, name in run.selections.items()]
    keys = curated.sparkSession.createDataFrame(mine, [Col.run_id, Col.selection, _METHOD])
    chosen = curated.join(F.broadcast(keys), [Col.run_id, Col.selection], "inner")
    return chosen.select(F.col(_METHOD).alias(Col.selection), Col.item_id, Col.copies)
