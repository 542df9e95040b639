"""A selection from a tree of any size, with as few jobs as it needs."""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.rules import Rule
from equipoise.pipeline.sampling import available, count_levels, select, taken
from equipoise.pipeline.small_trees import (
    GROUPS,
    MOST_CLUSTERS,
    available_copies,
    shared_quotas,
    small_tree,
    without_levels_above,
)
from equipoise.schemas import Col


@dataclass(frozen=True)
class Sample:
    """The ``rows`` of a selection, and the copies that its rule could take at most."""

    rows: DataFrame
    n_available: int


def sample(clusters: DataFrame, assignments: DataFrame, rule: Rule, *, seed: int, most: int = MOST_CLUSTERS) -> Sample:
    """Select items as :func:`select` does, from a tree of any size, with as few jobs as it needs.

    A tree of up to ``most`` clusters is shared on the driver, after one look at it; the items are the same.

    Args:
        clusters, assignments: as for :func:`select`.
        rule: what to select.
        seed: of all draws.
        most: clusters of all levels.
    """
    tree = small_tree(clusters, where=rule.where, most=most)
    if tree is None:
        levels = count_levels(clusters)
        allowed = available(clusters, levels=levels, max_copies=rule.max_copies, where=rule.where).collect()[0]
        rows = select(clusters, assignments, levels=levels, seed=seed, **vars(rule), checkpoint=cut_plan)
        return Sample(rows, int(allowed[Col.copies]))
    sizes = tree.sizes(tree.levels)
    lowest = rule.lowest(tree.levels)
    groups = shared_quotas(
        without_levels_above(sizes, lowest) if rule.method == "flat" else sizes,
        lowest,
        seed=seed,
        target=rule.target,
        per_cluster=rule.per_cluster,
        max_copies=rule.max_copies,
    )
    frame = assignments.sparkSession.createDataFrame(groups, GROUPS)
    members = assignments.join(F.broadcast(frame), Col.cluster_id, "inner")
    rows = taken(members, within=rule.within, seed=seed)
    return Sample(rows, available_copies(sizes, rule.max_copies))


def cut_plan(rows: DataFrame) -> DataFrame:
    """Computes rows once: a plan of many levels doubles with each."""
    return rows.localCheckpoint()
