"""Balance before and after, read from the tables of a run: the pool, its selections, and random sets of their sizes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.evaluation.balance import measures
from equipoise.evaluation.clusters import cluster_sizes, largest, size_histograms
from equipoise.evaluation.groups import group_sizes
from equipoise.evaluation.metrics import CLASS
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.sampling import count_levels
from equipoise.report.content import Balance, ClassSizes, Largest, Spread
from equipoise.schemas import CURATED, POOL_NAME, Col
from equipoise.stages.measuring import random_selections, stacked
from equipoise.stages.report.run import RunTables

MOST_COMPARED = 4
MOST_CLASSES = 40
MOST_LARGEST = 50
NO_SELECTION = ""
LARGEST_PART = 20  # one in so many clusters counts as large, so that "the largest" of few clusters are not all


@dataclass(frozen=True)
class Compared:
    """A set that is set against the pool: ``kind`` is selection or random, ``tint`` the number of the selection."""

    name: str
    kind: str
    tint: int


def compared_sets(n_copies: dict[str, int]) -> list[Compared]:
    """The first selections, each followed by a random set of its size; one for all of a size."""
    sets: dict[str, Compared] = {}
    for tint, (name, n) in enumerate(list(n_copies.items())[:MOST_COMPARED]):
        sets[name] = Compared(name, "selection", tint)
        sets.setdefault(_random_name(n), Compared(_random_name(n), "random", tint))
    return list(sets.values())


@contextmanager
def sizes_of(
    run: RunTables, clusters: DataFrame, assignments: DataFrame, *, n_copies: dict[str, int], seed: int
) -> Iterator[tuple[DataFrame, DataFrame]]:
    """The sets' rows (selection, item_id, cluster_id, copies), and the sizes of all clusters in them; kept on disk."""
    chosen = list(n_copies)[:MOST_COMPARED]
    curated = run.rows(CURATED).filter(F.col(Col.selection).isin(chosen)) if chosen else _nothing(run)
    random = random_selections(assignments, {n_copies[name]: [_random_name(n_copies[name])] for name in chosen}, seed)
    names = [one.name for one in compared_sets(n_copies)] or [NO_SELECTION]
    with (
        persisted(stacked([curated, *random])) as sets,
        persisted(cluster_sizes(clusters, sets, levels=count_levels(clusters), selections=names)) as sizes,
    ):
        yield sets, sizes


def level_balances(histograms: pd.DataFrame, sets: Sequence[Compared]) -> list[Balance]:
    """One balance a level of the tree, the finest first.

    Args:
        histograms: what :func:`equipoise.evaluation.clusters.size_histograms` returned, of clusters.
        sets: in the order of the page.
    """
    levels = sorted(histograms[Col.level].unique())
    return [Balance(f"level_{level}", _spreads(histograms[histograms[Col.level] == level], sets)) for level in levels]


def class_balance(
    run: RunTables, assignments: DataFrame, sets: DataFrame, *, compared: Sequence[Compared]
) -> tuple[list[Balance], list[ClassSizes], int]:
    """The balance over classes, the largest of them, and how many there are; nothing where no item has a label."""
    pool = run.items().filter(F.col(Col.label).isNotNull()).select(Col.item_id, Col.label)
    labelled = pool.join(assignments.select(Col.item_id), Col.item_id, "left_semi")
    if not labelled.limit(1).count():
        return [], [], 0
    names = [one.name for one in compared] or [NO_SELECTION]
    with persisted(group_sizes(labelled, sets, groups={CLASS: F.col(Col.label)}, selections=names)) as sizes:
        histograms = size_histograms(sizes, by=Col.name).toPandas()  # distinct sizes only
        first = largest(sizes, MOST_CLASSES, by=Col.name, tie=Col.group).toPandas()  # so many a set
    balance = Balance(CLASS, _spreads(histograms, compared))
    n_classes = int(balance.spreads[0].weights.sum())
    return [balance], _classes(first), n_classes


def largest_shares(shrunk: pd.DataFrame, histograms: pd.DataFrame, sets: Sequence[Compared]) -> list[Largest]:
    """What the largest clusters hold, by level.

    Args:
        shrunk: what :func:`equipoise.evaluation.clusters.shrunk` returned.
        histograms: how many clusters there are.
        sets: in the order of the page.
    """
    found = []
    for level, rows in shrunk.groupby(Col.level):
        pool = histograms[(histograms[Col.level] == level) & (histograms[Col.selection] == POOL_NAME)]
        n = int(min(MOST_LARGEST, -(-pool[Col.n_groups].sum() // LARGEST_PART)))
        few = rows[rows[Col.rank] <= n].groupby(Col.selection)
        curated = few[Col.share_curated].sum()
        shares = {one.name: float(curated[one.name]) for one in sets if one.name in curated.index}
        found.append(Largest(cast(int, level), n, {POOL_NAME: float(few[Col.share_pool].sum().iloc[0]), **shares}))
    return found


def _nothing(run: RunTables) -> DataFrame:
    """A selection without a name that has no items: pool and clusters are counted where nothing was selected."""
    schema = f"{Col.selection} string, {Col.item_id} long, {Col.cluster_id} long, {Col.copies} int"
    return run.spark.createDataFrame([(NO_SELECTION, None, None, 0)], schema)


def _spreads(histograms: pd.DataFrame, sets: Sequence[Compared]) -> list[Spread]:
    spreads = []
    for one in [Compared(POOL_NAME, "pool", 0), *sets]:
        rows = histograms[histograms[Col.selection] == one.name]
        sizes = rows[Col.n_items].to_numpy(np.float64)
        weights = rows[Col.n_groups].to_numpy(np.float64)
        measured = measures(sizes, weights) if sizes @ weights > 0 else {}
        spreads.append(Spread(one.name, one.kind, one.tint, sizes, weights, measured))
    return spreads


def _classes(first: pd.DataFrame) -> list[ClassSizes]:
    classes = []
    for label, rows in first.sort_values(Col.rank).groupby(Col.group, sort=False):
        curated = dict(zip(rows[Col.selection], rows[Col.n_curated].astype(int), strict=True))
        classes.append(ClassSizes(str(label), {POOL_NAME: int(rows[Col.n_pool].iloc[0]), **curated}))
    return classes


def _random_name(n: int) -> str:
    return f"{n:,} at random"
