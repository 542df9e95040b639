"""Sharing budgets down a tree that fits the driver: the arrays' twin of :mod:`equipoise.pipeline.quotas`.

A small tree's run is all overhead: one look at the clusters, instead of a few queries a level.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.quotas import grouped_quotas
from equipoise.schemas import Col

MOST_CLUSTERS = 100_000
"""Rows of a tree, all levels together, that the driver takes; above it budgets are shared in SQL."""
GROUPS = t.StructType(
    [t.StructField(name, t.LongType()) for name in (Col.cluster_id, Col.group_id, Col.n_items, Col.quota)]
)
_KEPT = "kept"
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class SmallTree:
    """The clusters of one run: level, cluster_id, parent_id, n_items, and whether a predicate keeps them."""

    clusters: pd.DataFrame

    @property
    def levels(self) -> int:
        """Its height; 0 where there is none."""
        return int(self.clusters[Col.level].max()) if len(self.clusters) else 0

    def sizes(self, levels: int) -> list[pd.DataFrame]:
        """Items rolled up, without what is not kept: cluster_id, parent_id, n_items by level, lowest first."""
        kept = self.clusters[self.clusters[_KEPT] & (self.clusters[Col.level] <= levels)]
        by_level = {level: rows for level, rows in kept.groupby(Col.level)}
        nobody = kept.head(0)
        rolled = [by_level.get(1, nobody)[[Col.cluster_id, Col.parent_id, Col.n_items]]]
        for level in range(2, levels + 1):
            below = rolled[-1].groupby(Col.parent_id)[Col.n_items].sum().rename_axis(Col.cluster_id).reset_index()
            above = by_level.get(level, nobody)[[Col.cluster_id, Col.parent_id]]
            rolled.append(above.merge(below, on=Col.cluster_id))
        return [rows.sort_values(Col.cluster_id, ignore_index=True) for rows in rolled]


def small_tree(clusters: DataFrame, *, where: str | None, most: int = MOST_CLUSTERS) -> SmallTree | None:
    """The tree on the driver, by one query; None where it has more than ``most`` clusters."""
    kept = F.lit(True) if where is None else F.coalesce(F.expr(where).cast("boolean"), F.lit(False))
    columns = [Col.level, Col.cluster_id, Col.parent_id, Col.n_items]
    rows = clusters.select(*columns, kept.alias(_KEPT)).limit(most + 1).collect()  # the limit bounds it
    if len(rows) > most:
        return None
    found = pd.DataFrame(rows, columns=[*columns, _KEPT])
    found[Col.parent_id] = pd.to_numeric(found[Col.parent_id]).fillna(-1)  # all null where there is one level
    return SmallTree(found.astype({name: np.int64 for name in columns} | {_KEPT: bool}))


def without_levels_above(sizes: list[pd.DataFrame], lowest: int) -> list[pd.DataFrame]:
    """The sizes up to level ``lowest``, of which those clusters stay that nothing above excludes."""
    if lowest == len(sizes):
        return sizes
    top = sizes[lowest - 1]
    reached = top[top[Col.cluster_id].isin(_reached(sizes, lowest)[Col.cluster_id])]
    return [*sizes[: lowest - 1], reached.reset_index(drop=True)]


def available_copies(sizes: list[pd.DataFrame], max_copies: int) -> int:
    """What a selection can take at most."""
    return int(sizes[-1][Col.n_items].sum()) * max_copies


def shared_quotas(
    sizes: list[pd.DataFrame],
    lowest: int,
    *,
    seed: int,
    target: int | None,
    per_cluster: int | None,
    max_copies: int,
) -> pd.DataFrame:
    """The level-1 clusters with a quota: cluster_id, group_id, n_items, quota, as :data:`GROUPS`.

    Args:
        sizes: of :meth:`SmallTree.sizes`.
        lowest: the level that the sharing ends at, whose ids become group_id.
        seed, target, per_cluster, max_copies: as in :func:`equipoise.pipeline.sampling.select`.
    """
    if target is None:
        shared = _reached(sizes, lowest)
        quota = np.minimum(shared[Col.n_items].to_numpy() * max_copies, per_cluster or 0)
        shared = shared.assign(**{Col.quota: quota})
    else:
        shared = _shared_down(sizes, lowest, target=target, max_copies=max_copies, seed=seed)
    groups = shared.assign(**{Col.group_id: shared[Col.cluster_id]})
    for level in range(lowest - 1, 0, -1):
        above = groups.drop(columns=Col.cluster_id).assign(**{Col.parent_id: groups[Col.cluster_id]})
        groups = sizes[level - 1][[Col.cluster_id, Col.parent_id]].merge(above, on=Col.parent_id)
    return groups[GROUPS.names].astype(np.int64)


def _shared_down(sizes: list[pd.DataFrame], lowest: int, *, target: int, max_copies: int, seed: int) -> pd.DataFrame:
    parents, budgets = np.array([-1]), np.array([min(target, available_copies(sizes, max_copies))])
    shared = sizes[-1].assign(**{Col.parent_id: -1})
    for level in range(len(sizes), lowest - 1, -1):
        nodes = shared if level == len(sizes) else sizes[level - 1]
        place = np.searchsorted(parents, nodes[Col.parent_id])
        inside = (place < len(parents)) & (parents[np.minimum(place, len(parents) - 1)] == nodes[Col.parent_id])
        nodes, place = nodes[inside], place[inside]
        children = nodes[Col.cluster_id].to_numpy()
        quota = grouped_quotas(
            nodes[Col.n_items].to_numpy() * max_copies,
            place,
            budgets,
            draws=draws(seed, Purpose.REMAINDER, level, children),
        )
        shared = nodes.assign(**{Col.quota: quota})[quota > 0][[Col.cluster_id, Col.n_items, Col.quota]]
        parents, budgets = shared[Col.cluster_id].to_numpy(), shared[Col.quota].to_numpy()
        if not len(shared):
            break
    return shared


def _reached(sizes: list[pd.DataFrame], lowest: int) -> pd.DataFrame:
    """What level ``lowest`` has with items and with nothing excluded above: cluster_id, n_items."""
    reached = sizes[-1]
    for level in range(len(sizes) - 1, lowest - 1, -1):
        below = sizes[level - 1]
        reached = below[below[Col.parent_id].isin(reached[Col.cluster_id])]
    return reached[reached[Col.n_items] > 0][[Col.cluster_id, Col.n_items]]
