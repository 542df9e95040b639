"""The part of a cluster tree that is shown to people: the largest children of a few clusters."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col


def largest_children(sizes: DataFrame, parents: Sequence[int], *, level: int, n: int) -> DataFrame:
    """Take the ``n`` largest clusters of the pool below each of a few clusters, as every selection has them.

    Args:
        sizes: what :func:`equipoise.evaluation.clusters.cluster_sizes` returned.
        parents: ids of clusters of the level above; a few thousand at most.
        level: of the children.
        n: children a parent.

    Returns:
        selection STRING, parent_id, cluster_id BIGINT, rank INT (1: the largest; ties by cluster_id),
        n_children BIGINT (how many the parent has in all), n_pool, n_curated BIGINT: at most n rows a parent and
        selection.
    """
    below = sizes.where((F.col(Col.level) == level) & F.col(Col.parent_id).isin(list(parents)))
    siblings = (Col.selection, Col.parent_id)
    rank = F.row_number().over(ranked_by(F.desc(Col.n_pool), Col.cluster_id, *siblings))
    every = Window.partitionBy(*siblings).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return below.select(
        Col.selection,
        Col.parent_id,
        Col.cluster_id,
        rank.alias(Col.rank),
        F.count("*").over(every).alias(Col.n_children),
        Col.n_pool,
        Col.n_curated,
    ).where(F.col(Col.rank) <= n)
