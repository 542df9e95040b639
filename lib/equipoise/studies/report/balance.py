"""Balance before and after, read from the tables of a run: the pool, its selections, and random sets of their sizes."""

from collections.abc import Iterator, Mapping, Sequence
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
from equipoise.report.content import Balance, ClassSizes, Largest, Shrank, Spread
from equipoise.report.thumbnails import snippet
from equipoise.runs.tables import RunTables
from equipoise.schemas import CURATED, POOL_NAME, Col
from equipoise.stages.evaluate.measuring import random_selections, stacked

MOST_COMPARED = 4
MOST_CLASSES = 40
MOST_LARGEST = 50
NO_SELECTION = ""
LARGEST_PART = 20  # one in so many clusters counts as large, so that "the largest" of few clusters are not all


@dataclass(frozen=True)
class Compared:
    """A set of ``n`` that is set against the pool: ``kind`` is selection (``n`` counts copies) or random.

    ``tint`` is the number of the selection.
    """

    name: str
    kind: str
    tint: int
    n: int


def compared_sets(n_copies: Mapping[str, int], n_pool: int) -> list[Compared]:
    """The first selections, each followed by a random set of its size, or of the whole pool; one for all of a size."""
    sets: dict[str, Compared] = {}
    for tint, (name, n) in enumerate(list(n_copies.items())[:MOST_COMPARED]):
        sets[name] = Compared(name, "selection", tint, n)
        drawn = min(n, n_pool)
        if drawn:
            sets.setdefault(_random_name(drawn), Compared(_random_name(drawn), "random", tint, drawn))
    return list(sets.values())


@contextmanager
def sizes_of(
    run: RunTables, clusters: DataFrame, assignments: DataFrame, *, compared: Sequence[Compared], seed: int
) -> Iterator[tuple[DataFrame, DataFrame]]:
    """The sets' rows (selection, item_id, cluster_id, copies), and the sizes of all clusters in them; kept on disk."""
    selections = [one.name for one in compared if one.kind == "selection"]
    curated = run.rows(CURATED).filter(F.col(Col.selection).isin(selections))
    random = random_selections(assignments, {one.n: [one.name] for one in compared if one.kind == "random"}, seed)
    levels = count_levels(clusters)
    with (
        persisted(stacked([curated, *random])) as sets,
        persisted(cluster_sizes(clusters, sets, levels=levels, selections=_names(compared))) as sizes,
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
    run: RunTables, sets: DataFrame, *, compared: Sequence[Compared]
) -> tuple[list[Balance], list[ClassSizes], int]:
    """The balance over classes, the largest of them, and how many there are; nothing where no item has a label.

    Whether any has is found in the pool alone, up to the first; only where one has are they counted.
    """
    if run.items().filter(F.col(Col.label).isNotNull()).isEmpty():
        return [], [], 0
    labelled = run.clustered_items().filter(F.col(Col.label).isNotNull()).select(Col.item_id, Col.label)
    classes = group_sizes(labelled, sets, groups={CLASS: F.col(Col.label)}, selections=_names(compared))
    with persisted(classes) as sizes:
        histograms = size_histograms(sizes, by=Col.name).toPandas()  # distinct sizes only
        first = largest(sizes, MOST_CLASSES, by=Col.name, tie=Col.group).toPandas()  # so many a set
    if histograms.empty:  # the items with labels are not in clusters
        return [], [], 0
    balance = Balance(CLASS, _spreads(histograms, compared))
    n_classes = int(balance.spreads[0].weights.sum())
    return [balance], _classes(first), n_classes


def largest_shares(shrunk: pd.DataFrame, histograms: pd.DataFrame, sets: Sequence[Compared]) -> list[Largest]:
    """What the largest clusters hold, and those of them whose share shrank, by level.

    Args:
        shrunk: what :func:`equipoise.evaluation.clusters.shrunk` returned.
        histograms: how many clusters there are.
        sets: in the order of the page.
    """
    found = []
    for level, rows in shrunk.groupby(Col.level):
        pool = histograms[(histograms[Col.level] == level) & (histograms[Col.selection] == POOL_NAME)]
        n = int(min(MOST_LARGEST, -(-pool[Col.n_groups].sum() // LARGEST_PART)))
        few = dict(list(rows[rows[Col.rank] <= n].groupby(Col.selection)))
        held = float(next(iter(few.values()))[Col.share_pool].sum())  # the pool's picture is the same in every set
        shares = {one.name: float(few[one.name][Col.share_curated].sum()) for one in sets if one.n}
        selections = [one.name for one in sets if one.kind == "selection" and one.n]
        shrank = {name: _shrank(few[name]) for name in selections}
        found.append(Largest(cast(int, level), n, {POOL_NAME: held, **shares}, shrank))
    return found


def _shrank(few: pd.DataFrame) -> Shrank:
    smaller = few[few[Col.ratio] < 1]
    return Shrank(len(smaller), float(smaller[Col.share_pool].sum()), float(smaller[Col.share_curated].sum()))


def _names(sets: Sequence[Compared]) -> list[str]:
    """Those that clusters are counted for: without one the pool would not be counted either."""
    return [one.name for one in sets] or [NO_SELECTION]


def _spreads(histograms: pd.DataFrame, sets: Sequence[Compared]) -> list[Spread]:
    spreads = []
    for one in [Compared(POOL_NAME, "pool", 0, 0), *sets]:
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
        classes.append(ClassSizes(snippet(str(label)), {POOL_NAME: int(rows[Col.n_pool].iloc[0]), **curated}))
    return classes


def _random_name(n: int) -> str:
    return f"{n:,} at random"
