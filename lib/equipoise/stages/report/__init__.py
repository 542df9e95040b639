"""The report of a run: its tables -> one HTML file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.evaluation.clusters import shrunk, size_histograms
from equipoise.report.content import Report
from equipoise.report.page import render
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, ITERATIONS, POOL_NAME, Col
from equipoise.stages.report.balance import (
    MOST_COMPARED,
    class_balance,
    compared_sets,
    largest_shares,
    level_balances,
    sizes_of,
)
from equipoise.stages.report.lists import read_duplicates, read_metrics, read_rejects, read_selections
from equipoise.stages.report.run import RunTables, open_run, run_facts
from equipoise.stages.report.tree import MOST_TOP, read_tree, shown_rows

CLUSTER = "cluster"


def write_report(spark: SparkSession, *, workspace: str, run_id: str, out: str | None = None) -> Path:
    """Writes ``OUT/RUN_ID.html`` from the tables of a run, finished or not; reads aggregates and a few items.

    Args:
        spark: with Delta.
        workspace: a folder or catalog.schema.
        run_id: one of its runs.
        out: a local folder, made where it is not there; None for ``reports`` beside the tables.

    Returns:
        Where the file is.

    Raises:
        RunError: there is no such run.
        InputError: the file cannot be written.
        TableError: a table cannot be read.
    """
    run = open_run(spark, workspace, run_id)
    folder = Path(out) if out else beside(workspace, "reports")
    path = folder / f"{run_id}.html"
    with _explained(path):
        folder.mkdir(parents=True, exist_ok=True)  # before all the reading
    html = render(read_report(run))
    with _explained(path):
        path.write_text(html, encoding="utf-8")
    return path


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"report {path} cannot be written ({error.strerror}): name another folder with --out"
        ) from error


def beside(workspace: str, name: str) -> Path:
    """The folder of that name beside the tables where those are in a local folder, else in the working directory."""
    place = Path(workspace)
    return (place if place.is_dir() else Path()) / name


def read_report(run: RunTables) -> Report:
    """Everything that the page shows."""
    curated = run.rows(CURATED)
    selections = read_selections(run, curated)
    metrics, names, n_metrics = read_metrics(run)
    chosen = [selection.name for selection in selections[:MOST_COMPARED]]
    first = curated.filter(F.col(Col.selection) == chosen[0]) if chosen else curated.limit(0)
    n_copies = {selection.name: selection.n_copies for selection in selections}
    iterations = run.rows(ITERATIONS).toPandas()  # levels x rounds x iterations: all bounded by the config
    parts = _clustered(run, first=first, n_copies=n_copies) if run.is_done(CLUSTER) else {}
    return Report(
        run=run_facts(run),
        iterations=iterations if len(iterations) else None,
        selections=selections,
        compared=chosen,
        rejects=read_rejects(run),
        duplicates=read_duplicates(run, curated=first),
        metrics=metrics,
        names=names,
        n_metrics=n_metrics,
        **parts,
    )


def _clustered(run: RunTables, *, first: DataFrame, n_copies: dict[str, int]) -> dict[str, Any]:
    """What there is to say of a run that has clusters: balance by level and class, and the tree."""
    clusters, assignments = run.rows(CENTROIDS).drop(Col.centroid), run.rows(ASSIGNMENTS)
    compared = compared_sets(n_copies)
    seed = int(run.events[-1][Col.seed])
    with sizes_of(run, clusters, assignments, n_copies=n_copies, seed=seed) as (sets, sizes):
        histograms = size_histograms(sizes).toPandas()  # distinct sizes only
        largest = shrunk(sizes, MOST_TOP).toPandas()  # so many a level and set
        by_class, classes, n_classes = class_balance(run, assignments, sets, compared=compared)
        levels = int(histograms[Col.level].max())
        rows = shown_rows(sizes, largest[largest[Col.level] == levels], levels=levels)
    pool = histograms[(histograms[Col.selection] == POOL_NAME) & (histograms[Col.level] == 1)]
    totals = {POOL_NAME: int((pool[Col.n_items] * pool[Col.n_groups]).sum())}
    totals |= {name: n for name, n in list(n_copies.items())[:MOST_COMPARED]}
    return {
        "balances": [*level_balances(histograms, compared), *by_class],
        "largest": largest_shares(largest, histograms, compared),
        "classes": classes,
        "n_classes": n_classes,
        "tree": read_tree(run, assignments, rows, histograms=histograms, curated=first, totals=totals),
    }
