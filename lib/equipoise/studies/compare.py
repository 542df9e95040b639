"""Methods beside each other: one budget, one pool, one table. Every different clustering is a run, made once."""

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.config import Config
from equipoise.errors import RunError
from equipoise.evaluation.clusters import each_of
from equipoise.evaluation.labelled import Labelled, class_clusters, labelled_clusters
from equipoise.evaluation.metrics import OWN_CLASS, class_metrics
from equipoise.pipeline.frames import persisted
from equipoise.runs.account import Progress
from equipoise.runs.tables import RunTables, opened
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, EMBEDDINGS, METRICS, POOL_NAME, RUNS, Col, Slice
from equipoise.schemas.table import Value
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.configuration import graph_of
from equipoise.stages.evaluate import EVALUATE
from equipoise.stages.evaluate.labelled_set import read_labelled
from equipoise.stages.evaluate.measuring import Measured, items_of, metrics_of, random_selections, stacked
from equipoise.stages.evaluate.section import Evaluate
from equipoise.stages.evaluate.work import RANDOM
from equipoise.stages.ingest import INGEST
from equipoise.stages.running import Planned, perform
from equipoise.studies.comparisons import STAGE
from equipoise.studies.methods import clustering_of
from equipoise.studies.variants import VariantRun, compared, planned_runs, variants_of
from equipoise.tables import Workspace

_METHOD = "method"


def compare(config: Config, *, spark: SparkSession, progress: Progress, run_id: str) -> pd.DataFrame:
    """Makes what is missing of the runs, measures all methods in the config's own clusters and writes ``metrics``.

    Balance over clusters is measured in the same tree for all, that of the config's own levels; over classes where
    items have labels or ``evaluate.labelled`` is given. With the latter the top level of each method's own tree is
    labelled, too, where its vectors are of the config's encoder: rows of the group ``own_class`` (Vo et al. 2024,
    figure 4). ``random`` are as many random items as the budget.

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
    planned = planned_runs(config)
    workspace = Workspace(spark, config.workspace)
    _refuse_run(workspace, run_id)
    runs = _perform(planned, config, spark=spark, progress=progress)
    made = {method for run in runs for method in run.methods}
    names = [RANDOM, *(variant.name for variant in variants_of(config) if variant.name in made)]
    labelled = (EVALUATE.of(config) or Evaluate()).labelled
    voters = read_labelled(spark, labelled) if labelled else None
    with opened(spark, config.workspace, runs[0].run_id) as run:
        metrics = _measured(run, config, runs, names=names, voters=voters)
    if voters:
        own = own_classes(workspace, runs, voters, progress=progress)
        metrics = pd.concat([metrics, class_metrics(own, group=OWN_CLASS)], ignore_index=True)
    rows = spark.createDataFrame(metrics)
    workspace.replace(Slice(METRICS, {Col.stage: STAGE}).of_run(run_id), rows)
    order = [POOL_NAME, *names]
    return metrics.sort_values(Col.selection, key=lambda names: names.map(order.index), kind="stable")


def own_classes(
    workspace: Workspace, runs: Sequence[VariantRun], voters: Labelled, *, progress: Progress
) -> pd.DataFrame:
    """The classes of the top level of every method's own tree: selection (the method), label, n_clusters, n_items.

    Sizes are those of the pool as the method clusters it. Runs Spark jobs; methods whose vectors are of another encoder
    than those of the first run, and so of the labelled set, are left out.
    """
    own = _encoder_ids(runs[0])
    found = []
    for run in (run for run in runs if run.methods):
        if _encoder_ids(run) != own:
            progress.message(f"{', '.join(run.methods)}: no classes, the labelled set is of another encoder's vectors")
            continue
        section = clustering_of(run.config)
        clusters = workspace.read(Slice(CENTROIDS).of_run(run.run_id))
        top = clusters.where(F.col(Col.level) == len(section.levels))
        counts = [F.col(Col.n_items).alias(name) for name in (Col.n_pool, Col.n_curated)]
        sizes = top.select(each_of(run.methods).alias(Col.selection), Col.cluster_id, *counts)
        with labelled_clusters(top, voters, spherical=section.metric == "cosine") as labels:
            classes = class_clusters(sizes, labels).where(F.col(Col.selection) != POOL_NAME)
            found.append(classes.toPandas())  # a row a method and class of the labelled set
    return pd.concat(found, ignore_index=True)


def _encoder_ids(run: VariantRun) -> set[Value]:
    """Whose vectors a run clusters."""
    needs = graph_of(run.config)[CLUSTER.family].needs
    return {part.where[Col.encoder_id] for part in needs if part.table is EMBEDDINGS}


def _measured(
    run: RunTables, config: Config, runs: Sequence[VariantRun], *, names: Sequence[str], voters: Labelled | None
) -> pd.DataFrame:
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
    is_spherical = clustering_of(config).metric == "cosine"
    with persisted(selected) as rows:
        measured = Measured(items_of(run.items(), assignments), tree, rows, names, is_spherical, voters)
        return metrics_of(measured, EVALUATE.of(config) or Evaluate())


def _refuse_run(workspace: Workspace, run_id: str) -> None:
    """Raises RunError where the id has events: a comparison has none, and what a run measured is not to be lost."""
    if not workspace.read(RUNS).where(F.col(Col.run_id) == run_id).isEmpty():
        raise RunError(
            f"--run-id {run_id!r} is a run of this workspace, whose metrics the comparison would replace: "
            "pass an id that no run has, or none"
        )


def _perform(
    planned: Sequence[tuple[VariantRun, Planned]], config: Config, *, spark: SparkSession, progress: Progress
) -> list[VariantRun]:
    """Makes what is missing, and returns the runs, the config's own first.

    A run that is there keeps to the pool that it had, and all must have the same. A method that nobody asked for by
    name is left out where the pool is too small for its clusters.
    """
    first, n_clustered, made = None, None, []
    for run, plan in planned:
        k = clustering_of(run.config).levels[0].k
        if n_clustered is not None and k > n_clustered and compared(config).variants is None:
            progress.message(f"{', '.join(run.methods)}: left out, k = {k:,} is above the {n_clustered:,} items")
            continue
        progress.message(f"run {run.run_id}: {', '.join(run.methods) or 'the clusters that all are measured in'}")
        outcomes = perform(plan, spark=spark, progress=progress, run_id=run.run_id)
        made.append(run)
        n_items = sum(one.account.n_in for one in outcomes if plan.graph[one.stage].family == INGEST.family)
        n_clustered = n_clustered or sum(one.account.n_out for one in outcomes if one.stage == CLUSTER.family)
        first = n_items if first is None else first
        if n_items != first:
            raise RunError(
                f"the pool's sources have {n_items:,} items and had {first:,} when run {made[0].run_id!r} was made: "
                f"methods are compared on one pool; give the config another name than {run.config.name!r}, and all are "
                "made anew"
            )
    return made


def _selected(curated: DataFrame, runs: Sequence[VariantRun]) -> DataFrame:
    """Rows of all methods: selection (the method), item_id, copies. Each is looked for in its own run."""
    mine = [(run.run_id, name, method) for run in runs for method, name in run.selections.items()]
    keys = curated.sparkSession.createDataFrame(mine, [Col.run_id, Col.selection, _METHOD])
    chosen = curated.join(F.broadcast(keys), [Col.run_id, Col.selection], "inner")
    return chosen.select(F.col(_METHOD).alias(Col.selection), Col.item_id, Col.copies)
