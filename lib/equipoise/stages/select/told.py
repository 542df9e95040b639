"""What a selection did, for people: classes where items have labels, and a picture where they are images."""

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.evaluation.balance import class_counts, measures
from equipoise.evaluation.names import IMBALANCE, N_ITEMS, NORMALISED_ENTROPY, in_words
from equipoise.kernels.draws import Purpose
from equipoise.pipeline.content import with_content
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.quotas import draw_of
from equipoise.pipeline.sampling import random_items
from equipoise.report.contact_sheet import contact_sheet
from equipoise.runs.tables import RunTables
from equipoise.schemas import CURATED, Col
from equipoise.tables.folder import beside

MOST_CLASSES = 30
PICTURED = 100
_COUNTS = [Col.n_pool, Col.n_curated, Col.n_baseline]


def print_selections(run: RunTables, console: Console) -> None:
    """Prints what every finished selection of the run did."""
    pool = run.clustered_items()
    has_images = any(run.settings(name)["source"]["kind"] == "images" for name in run.done("ingest"))
    for name in run.done("select"):
        settings = run.settings(name)
        curated = run.rows(CURATED).filter(F.col(Col.selection) == settings["name"])
        print_classes(pool, curated, seed=run.seed, title=f"selection {settings['name']}", console=console)
        if has_images:
            pictures = beside(run.workspace, "pictures")
            picture = pictures.write(f"{run.run_id}-{settings['name']}.png", _picture(pool, curated, seed=run.seed))
            console.print(f"picture, pool beside selection: {picture}", markup=False, soft_wrap=True)


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
    table.add_row(in_words(N_ITEMS), *(f"{(alike[name] * weights).sum():,}" for name in _COUNTS))
    measured = [measures(alike[name], weights) if alike[name].any() else {} for name in _COUNTS]
    for name in (NORMALISED_ENTROPY, IMBALANCE):
        table.add_row(in_words(name), *(f"{values[name]:.3f}" if values else "" for values in measured))
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
