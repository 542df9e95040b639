"""What a job prints when it is done: how balanced the selections are, a picture, and the next command to type."""

import shlex

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.config import Config, ImagesSource
from equipoise.evaluation.balance import class_counts, measures
from equipoise.kernels.draws import Purpose
from equipoise.pipeline.content import with_content
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.quotas import draw_of
from equipoise.pipeline.sampling import random_items
from equipoise.report.contact_sheet import contact_sheet
from equipoise.runs.run import FAMILIES
from equipoise.schemas import CURATED, METRICS, POOL, Col
from equipoise.stages.plan import stages_of
from equipoise.studies.benchmark_report import print_benchmarks
from equipoise.studies.metrics_report import print_metrics
from equipoise.studies.report.folder import beside
from equipoise.studies.report.metrics import is_single
from equipoise.tables import Workspace

MOST_CLASSES = 30
PICTURED = 100
_COUNTS = [Col.n_pool, Col.n_curated, Col.n_baseline]


def summarise(config: Config, *, spark: SparkSession, run_id: str, job: str, path: str, console: Console) -> None:
    """Prints the end of a job; after a selection, what it did to the classes where items have labels.

    ``path`` is the config's: the next command names it.
    """
    workspace = Workspace(spark, config.workspace)
    if job in ("curate", "select"):
        pool = workspace.read(POOL).filter(F.col(Col.source) == config.pool_source.source_name)
        for selection in config.select:
            curated = workspace.read(CURATED).filter(
                (F.col(Col.run_id) == run_id) & (F.col(Col.selection) == selection.name)
            )
            print_classes(pool, curated, seed=config.seed, title=f"selection {selection.name}", console=console)
            if isinstance(config.pool_source, ImagesSource) and job == "curate":
                pictures = beside(spark, config.workspace, "pictures")
                picture = pictures.write(f"{run_id}-{selection.name}.png", _picture(pool, curated, seed=config.seed))
                console.print(f"picture, pool beside selection: {picture}", markup=False, soft_wrap=True)
    if config.evaluate and config.select and job in ("curate", "evaluate"):
        _print_metrics(workspace, run_id, console)
    if job == "benchmark":
        print_benchmarks(workspace, run_id, console)
    console.print(f"run {run_id}; tables: {config.workspace}", markup=False, soft_wrap=True)
    console.print(f"next: {_next_command(config, run_id, job, path)}", markup=False, soft_wrap=True)


def print_classes(pool: DataFrame, curated: DataFrame, *, seed: int, title: str, console: Console) -> None:
    """Prints how many items of each class a selection has, beside the pool and as many random items.

    ``pool`` has item_id and label, ``curated`` item_id and copies; nothing is printed where no item has a label.
    """
    if pool.filter(F.col(Col.label).isNotNull()).limit(1).count() == 0:
        return
    n_curated = int(curated.agg(F.coalesce(F.sum(Col.copies), F.lit(0))).collect()[0][0])  # one row
    random = random_items(pool.select(Col.item_id), n_curated, seed)
    with persisted(class_counts(pool, curated, random)) as counts:
        alike = counts.groupBy(*_COUNTS).agg(F.count("*").alias(Col.n_groups)).toPandas()  # distinct sizes only
        half = MOST_CLASSES // 2
        largest, smallest = [F.desc(Col.n_pool), F.asc(Col.label)], [F.asc(Col.n_pool), F.desc(Col.label)]
        is_long = alike[Col.n_groups].sum() > MOST_CLASSES
        first = counts.orderBy(*largest).limit(half if is_long else MOST_CLASSES).toPandas()
        last = counts.orderBy(*smallest).limit(half).toPandas()[::-1] if is_long else first.head(0)
    console.print(_classes_table(alike, first, last, title=title))


def _print_metrics(workspace: Workspace, run_id: str, console: Console) -> None:
    """Those of whole levels and groupings: a few for each selection, those of single classes are left in the table."""
    rows = workspace.read(METRICS).filter((F.col(Col.run_id) == run_id) & ~is_single())
    print_metrics(rows.orderBy(Col.selection).toPandas(), title="balance", console=console)


def _classes_table(alike: pd.DataFrame, first: pd.DataFrame, last: pd.DataFrame, *, title: str) -> Table:
    """Classes, the largest and the smallest where they are many, and how balanced they are.

    ``alike`` has, for each combination of sizes, in ``n_groups`` how many classes have it.
    """
    table = Table("class", title=title, title_justify="left")
    for heading in ("pool", "curated", "random"):
        table.add_column(heading, justify="right")
    _add_classes(table, first)
    if len(last):
        table.add_row(f"... {alike[Col.n_groups].sum() - len(first) - len(last):,} more", "", "", "")
        _add_classes(table, last)
    table.add_section()
    weights = alike[Col.n_groups]
    table.add_row("items", *(f"{(alike[name] * weights).sum():,}" for name in _COUNTS))
    measured = [measures(alike[name], weights) if alike[name].any() else {} for name in _COUNTS]
    for heading, name in (("normalised entropy", "normalised_entropy"), ("largest / smallest", "imbalance")):
        table.add_row(heading, *(f"{values[name]:.3f}" if values else "" for values in measured))
    return table


def _add_classes(table: Table, classes: pd.DataFrame) -> None:
    for row in classes.to_dict("records"):
        table.add_row(Text(str(row[Col.label])), *(f"{row[name]:,}" for name in _COUNTS))


def _picture(pool: DataFrame, curated: DataFrame, *, seed: int) -> bytes:
    chosen = pool.join(curated.select(Col.item_id), on=Col.item_id, how="left_semi")
    groups = {
        f"pool: {PICTURED} of {pool.count():,}": _pictured(pool, seed),
        f"curated: {PICTURED} of {chosen.count():,}": _pictured(chosen, seed),
    }
    return contact_sheet(groups)


def _pictured(items: DataFrame, seed: int) -> list[bytes]:
    """The contents of a hundred random items, in random order."""
    draw = draw_of(seed, Purpose.PICTURE, F.col(Col.item_id))
    few = items.orderBy(draw).limit(PICTURED).drop(Col.content_hash, Col.width, Col.height)
    blank = F.lit(None).cast("string")
    read = with_content(few.withColumn(Col.reason, blank).withColumn(Col.detail, blank), "images", keep=True)
    rows = read.select(Col.item_id, Col.content).orderBy(draw).collect()  # a hundred
    return [bytes(row[Col.content]) for row in rows if row[Col.content] is not None]


def _next_command(config: Config, run_id: str, job: str, path: str) -> str:
    place = shlex.quote(config.workspace)
    later = FAMILIES[FAMILIES.index(job) + 1 :] if job in FAMILIES else ()
    following = next((stage.family for stage in stages_of(config) if stage.family in later), None)
    if following:
        return f"equipoise {following} --config {shlex.quote(path)} --run-id {run_id}"
    if job == "evaluate":
        measured = f"select selection, name, value from metrics where run_id = '{run_id}' and `group` = 'level_1'"
        return f"equipoise sql {shlex.quote(measured)} --workspace {place}"
    if job == "benchmark":
        return f"equipoise sql \"select * from failures where run_id = '{run_id}'\" --workspace {place}"
    query = (
        "select selection, count(*) as n_items, count(distinct cluster_id) as n_clusters from curated "
        f"where run_id = '{run_id}' group by selection"
        if config.select
        else f"select stage, status, n_in, n_out from runs where run_id = '{run_id}' order by at"
    )
    return f'equipoise sql "{query}" --workspace {place}'
