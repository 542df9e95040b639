"""The part of a cluster tree that is shown to people: clusters that shrank, the largest children of a few."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col

_MEAN, _RATE = "mean", "rate"


def most_shrunk(sizes: DataFrame, *, level: int, selection: str, n: int) -> DataFrame:
    """Take the clusters of a level whose share a selection made smallest, as every selection has them.

    Those that count have at least the mean size of the level's clusters in the pool, and a smaller share in the
    selection than there: the smallest clusters of all lose theirs by chance.

    Args:
        sizes: what :func:`equipoise.evaluation.clusters.cluster_sizes` returned.
        level: of the clusters.
        selection: the one that made them smaller.
        n: how many, at most; of equal ratios the larger first, then by cluster_id.

    Returns:
        The columns of ``sizes``: at most n rows a selection.
    """
    here = sizes.where(F.col(Col.level) == level)
    mine = here.where(F.col(Col.selection) == selection)
    whole = mine.agg(F.avg(Col.n_pool).alias(_MEAN), F.try_divide(F.sum(Col.n_curated), F.sum(Col.n_pool)).alias(_RATE))
    rate = F.try_divide(F.col(Col.n_curated), F.col(Col.n_pool))  # over that of the level it is the ratio of shares
    few = (
        mine.crossJoin(F.broadcast(whole))
        .where((F.col(Col.n_pool) >= F.col(_MEAN)) & (rate < F.col(_RATE)))
        .orderBy(rate, F.desc(Col.n_pool), Col.cluster_id)
        .limit(n)
    )
    return here.join(F.broadcast(few.select(Col.cluster_id)), Col.cluster_id, "left_semi").select(*sizes.columns)


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
