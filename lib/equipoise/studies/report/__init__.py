"""The report of a run: its tables -> one HTML file."""

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.evaluation.clusters import shrunk, size_histograms
from equipoise.pipeline.frames import grouped_jobs
from equipoise.report.content import Report
from equipoise.report.page import render
from equipoise.runs.tables import RunTables, opened
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, ITERATIONS, POOL_NAME, Col
from equipoise.studies.report.balance import (
    MOST_COMPARED,
    class_balance,
    compared_sets,
    largest_shares,
    level_balances,
    sizes_of,
)
from equipoise.studies.report.duplicates import read_duplicates
from equipoise.studies.report.failures import read_failures
from equipoise.studies.report.lists import read_rejects, read_selections
from equipoise.studies.report.metrics import read_metrics, read_voted_classes
from equipoise.studies.report.run import run_facts
from equipoise.studies.report.tree import MOST_TOP, read_tree, shown_rows
from equipoise.tables.folder import Folder, beside

CLUSTER = "cluster"


def write_report(spark: SparkSession, *, workspace: str, run_id: str, out: str | None = None) -> str:
    """Writes ``OUT/RUN_ID.html`` from the tables of a run, finished or not; reads aggregates and a few items.

    Args:
        spark: with Delta.
        workspace: a folder or catalog.schema.
        run_id: one of its runs, or of its comparisons.
        out: a folder, made where it is not there: a local one, or with a scheme one of any file system that Spark can
            write to; None for ``reports`` beside the tables.

    Returns:
        Where the file is.

    Raises:
        RunError: there is no such run.
        InputError: the file cannot be written.
        TableError: a table cannot be read.
    """
    with opened(spark, workspace, run_id) as run:
        return report_of(run, out=out)


def report_of(run: RunTables, *, out: str | None = None) -> str:
    """The same of a run that is open."""
    folder = Folder(run.spark, out) if out else beside(run.workspace, "reports")
    folder.make()  # before all the reading
    with grouped_jobs(run.spark, f"{run.run_id}/report"):
        page = render(read_report(run))
    return folder.write(f"{run.run_id}.html", page.encode())


def read_report(run: RunTables) -> Report:
    """Everything that the page shows."""
    curated = run.rows(CURATED)
    selections = read_selections(run, curated)
    chosen = [selection.name for selection in selections[:MOST_COMPARED]]
    first = curated.filter(F.col(Col.selection) == chosen[0]) if chosen else curated.limit(0)
    n_copies = {selection.name: selection.n_copies for selection in selections}
    iterations = run.rows(ITERATIONS).toPandas()  # levels x rounds x iterations: all bounded by the config
    parts = _clustered(run, first=first, n_copies=n_copies) if run.record.is_done(CLUSTER) else {}
    return Report(
        run=run_facts(run),
        iterations=iterations if len(iterations) else None,
        selections=selections,
        compared=chosen,
        rejects=read_rejects(run),
        duplicates=read_duplicates(run, curated=first),
        metrics=read_metrics(run),
        voted=read_voted_classes(run, chosen),
        failures=read_failures(run),
        **parts,
    )


def _clustered(run: RunTables, *, first: DataFrame, n_copies: dict[str, int]) -> dict[str, Any]:
    """What there is to say of a run that has clusters: balance by level and class, and the tree."""
    clusters, assignments = run.rows(CENTROIDS), run.rows(ASSIGNMENTS)
    leaves = clusters.filter(F.col(Col.level) == 1)
    n_pool = int(leaves.agg(F.coalesce(F.sum(Col.n_items), F.lit(0))).collect()[0][0])  # one row
    compared = compared_sets(n_copies, n_pool)
    with sizes_of(run, clusters, assignments, compared=compared, seed=run.seed) as (sets, sizes):
        histograms = size_histograms(sizes).toPandas()  # distinct sizes only
        largest = shrunk(sizes, MOST_TOP).toPandas()  # so many a level and set
        by_class, classes, n_classes = class_balance(run, sets, compared=compared)
        levels = int(histograms[Col.level].max())
        top = largest[largest[Col.level] == levels]
        rows = shown_rows(sizes, top, levels=levels, selection=compared[0].name if compared else None)
    totals = {POOL_NAME: n_pool} | {one.name: one.n for one in compared if one.kind == "selection"}
    return {
        "balances": [*level_balances(histograms, compared), *by_class],
        "largest": largest_shares(largest, histograms, compared),
        "classes": classes,
        "n_classes": n_classes,
        "tree": read_tree(run, assignments, rows, histograms=histograms, curated=first, totals=totals),
    }
