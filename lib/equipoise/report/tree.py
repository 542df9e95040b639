"""The rows of a few clusters, put together as the tree that is browsed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from equipoise.report.content import Cluster
from equipoise.report.items import Item
from equipoise.schemas import POOL_NAME, Col

MOST_ABOVE = 8  # examples of a cluster above level 1
Examples = Mapping[str, Sequence[Item]]


def cluster_tree(
    rows: Mapping[int, pd.DataFrame],
    examples: Mapping[int, Examples],
    *,
    totals: Mapping[str, int],
    selections: Sequence[str],
) -> list[Cluster]:
    """Link the clusters of all levels.

    Args:
        rows: by level, 1 to the top: selection, cluster_id, parent_id, rank, n_children (of the parent), n_pool,
            n_curated; one row a cluster and selection. At the top parent_id and n_children are not read.
        examples: by level-1 cluster_id and kind.
        totals: items of the pool (under "pool") and of every selection.
        selections: which of those are shown, in order.

    Returns:
        The clusters of the top level by rank. Above level 1 examples are the first of each level-1 cluster below.
    """
    below: dict[int, list[Cluster]] = {}
    n_below: dict[int, int] = {}
    for level in sorted(rows):
        clusters: dict[int, list[Cluster]] = defaultdict(list)
        counts: dict[int, int] = {}
        ordered = rows[level].sort_values([Col.rank, Col.cluster_id], kind="stable")
        for _, sets in ordered.groupby(Col.cluster_id, sort=False):
            first = sets.iloc[0]
            node = _node(level, int(first[Col.cluster_id]), sets, totals=totals, selections=selections)
            children = below.get(node.cluster_id, [])
            shown = examples.get(node.cluster_id, {}) if level == 1 else _gathered(children)
            has_parent = level < max(rows)
            parent = int(first[Col.parent_id]) if has_parent else 0
            counts[parent] = int(first[Col.n_children]) if has_parent else 0
            n_children = n_below.get(node.cluster_id, 0)
            clusters[parent].append(replace(node, children=children, n_children=n_children, examples=shown))
        below, n_below = clusters, counts
    return [_cut(cluster) for cluster in below.get(0, [])]


def _node(
    level: int, cluster_id: int, sets: pd.DataFrame, *, totals: Mapping[str, int], selections: Sequence[str]
) -> Cluster:
    n_pool = int(sets[Col.n_pool].iloc[0])
    counts = dict(zip(sets[Col.selection], sets[Col.n_curated], strict=True))
    n_curated = {name: int(counts.get(name, 0)) for name in selections}
    share = n_pool / max(totals[POOL_NAME], 1)
    ratios = {name: n / totals[name] / share if share and totals.get(name) else None for name, n in n_curated.items()}
    return Cluster(level, cluster_id, n_pool, share, n_curated, ratios, 0, (), {})


def _gathered(children: Sequence[Cluster]) -> Examples:
    """The first example of every level-1 cluster below, by kind; those of the children where they are of level 1."""
    gathered: dict[str, list[Item]] = defaultdict(list)
    for child in children:
        for kind, items in child.examples.items():
            gathered[kind] += items[:1] if child.level == 1 else items
    return gathered


def _cut(cluster: Cluster) -> Cluster:
    """Clusters above level 1 show so many examples; those on top have gathered from all below."""
    if cluster.level == 1:
        return cluster
    shown = {kind: items[:MOST_ABOVE] for kind, items in cluster.examples.items()}
    return replace(cluster, examples=shown, children=[_cut(child) for child in cluster.children])
