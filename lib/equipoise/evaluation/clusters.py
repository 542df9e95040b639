"""What a selection did to the clusters of every level: sizes before and after, and which shrank the most."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import POOL_NAME, Col

_PARTS = 64  # the largest clusters are sought in so many parts first: no task sorts all of a level
_PART = "part"


def cluster_sizes(clusters: DataFrame, curated: DataFrame, *, levels: int, selections: Sequence[str]) -> DataFrame:
    """Count what each selection took of every cluster. Used more than once, it is best persisted.

    Args:
        clusters: the tree of one run: level INT, cluster_id BIGINT, parent_id BIGINT (at level + 1), n_items BIGINT.
        curated: rows of any number of its selections: selection STRING, cluster_id BIGINT (level 1), copies INT.
        levels: height of the tree.
        selections: their names, also of those without rows.

    Returns:
        selection STRING, level INT, cluster_id, parent_id, n_pool (items), n_curated (copies counted) BIGINT: a row for
        every cluster and each of ``selections``.
    """
    taken = curated.groupBy(Col.selection, Col.cluster_id).agg(F.sum(Col.copies).alias(Col.n_curated))
    counted = (
        taken.join(ancestors(clusters, levels=levels), Col.cluster_id, "inner")
        .select(Col.selection, F.posexplode(Col.path).alias(Col.level, Col.cluster_id), Col.n_curated)
        .groupBy(Col.selection, (F.col(Col.level) + 1).alias(Col.level), Col.cluster_id)
        .agg(F.sum(Col.n_curated).alias(Col.n_curated))
    )
    every = clusters.where(F.col(Col.level) <= levels).withColumn(Col.selection, each_of(selections))
    return every.join(counted, [Col.selection, Col.level, Col.cluster_id], "left").select(
        Col.selection,
        Col.level,
        Col.cluster_id,
        Col.parent_id,
        F.col(Col.n_items).alias(Col.n_pool),
        F.coalesce(F.col(Col.n_curated), F.lit(0)).cast("bigint").alias(Col.n_curated),
    )


def each_of(selections: Sequence[str]) -> Column:
    """Return a column that makes a row for each of the names."""
    return F.explode(F.array(*(F.lit(name) for name in selections)))


def size_histograms(sizes: DataFrame, *, by: str = Col.level) -> DataFrame:
    """Count how many clusters have each size: few rows, at most the root of twice the items for a selection and level.

    Args:
        sizes: what :func:`cluster_sizes` returned, or, with ``by`` name,
            :func:`equipoise.evaluation.groups.group_sizes`.
        by: what tells one set of clusters or groups from another.

    Returns:
        selection STRING ("pool" for the sizes in the pool), ``by``, n_items, n_groups BIGINT.
    """
    curated = _histogram(sizes, by, F.col(Col.n_curated))
    # Every selection has a row for every cluster: their pictures of the pool are all the same.
    pool = _histogram(sizes, by, F.col(Col.n_pool)).groupBy(by, Col.n_items)
    pool_rows = pool.agg(F.max(Col.n_groups).alias(Col.n_groups)).withColumn(Col.selection, F.lit(POOL_NAME))
    return curated.unionByName(pool_rows).select(Col.selection, by, Col.n_items, Col.n_groups)


def shrunk(sizes: DataFrame, n: int) -> DataFrame:
    """Set the ``n`` largest clusters of the pool, of every level, against what each selection kept of them.

    Args:
        sizes: what :func:`cluster_sizes` returned.
        n: clusters a level.

    Returns:
        selection STRING, level INT, rank INT (1: the largest in the pool; ties by cluster_id), shrink_rank INT (1: of
        these the one whose share shrank the most; ties by rank), cluster_id, parent_id, n_pool, n_curated BIGINT,
        share_pool, share_curated (of the level's items), ratio (the second share over the first: below 1 it shrank;
        null where nothing was selected) DOUBLE.

    Source: Vo et al. 2024, the analysis of the 50 largest clusters of the web images.
    """
    keys = [Col.selection, Col.level]
    total = sizes.groupBy(*keys).agg(
        F.sum(Col.n_pool).alias(Col.share_pool), F.sum(Col.n_curated).alias(Col.share_curated)
    )
    first = largest(sizes, n, by=Col.level, tie=Col.cluster_id)
    pool, curated = (
        F.try_divide(F.col(count), F.col(share))
        for count, share in ((Col.n_pool, Col.share_pool), (Col.n_curated, Col.share_curated))
    )
    shrink_rank = F.row_number().over(ranked_by(F.asc_nulls_last(Col.ratio), Col.rank, *keys))
    shares = first.join(F.broadcast(total), keys, "inner").withColumn(Col.ratio, F.try_divide(curated, pool))
    return shares.select(
        *keys,
        Col.rank,
        shrink_rank.alias(Col.shrink_rank),
        Col.cluster_id,
        Col.parent_id,
        Col.n_pool,
        Col.n_curated,
        pool.alias(Col.share_pool),
        curated.alias(Col.share_curated),
        Col.ratio,
    )


def largest(sizes: DataFrame, n: int, *, by: str, tie: str) -> DataFrame:
    """Keep the ``n`` clusters or groups of each selection that have the most items of the pool, and rank them.

    Args:
        sizes: selection, ``by``, ``tie`` and n_pool, and any other columns.
        n: rows to keep of a selection and value of ``by``.
        by: what tells one set of clusters or groups from another.
        tie: decides among equals, the lowest first.

    Returns:
        The columns of ``sizes``, and rank INT, from 1.
    """
    part = F.pmod(F.xxhash64(tie), F.lit(_PARTS)).alias(_PART)
    few = _first(sizes.select("*", part), n, tie, [Col.selection, by, _PART])
    return _first(few, n, tie, [Col.selection, by]).select(*sizes.columns, Col.rank)


def ancestors(clusters: DataFrame, *, levels: int) -> DataFrame:
    """Return the way up from every level-1 cluster.

    Args:
        clusters: level INT, cluster_id, parent_id BIGINT of one run.
        levels: height of the tree.

    Returns:
        cluster_id BIGINT (level 1), path ARRAY<BIGINT>: itself, then the cluster of level 2 that it lies in, and so on.
    """

    def linked(level: int) -> DataFrame:
        here = clusters.where(F.col(Col.level) == level)
        return here.select(F.col(Col.cluster_id).alias(_above(level)), F.col(Col.parent_id).alias(_above(level + 1)))

    every = range(1, levels + 1)
    joined = reduce(lambda below, level: below.join(linked(level), _above(level), "inner"), every[1:], linked(1))
    path = F.array(*(_above(level) for level in every))
    return joined.select(F.col(_above(1)).alias(Col.cluster_id), path.alias(Col.path))


def _above(level: int) -> str:
    return f"above_{level}"


def _histogram(sizes: DataFrame, by: str, n_items: Column) -> DataFrame:
    counted = sizes.groupBy(Col.selection, by, n_items.alias(Col.n_items))
    return counted.agg(F.count("*").alias(Col.n_groups))


def _first(sizes: DataFrame, n: int, tie: str, keys: Sequence[str]) -> DataFrame:
    rank = F.row_number().over(ranked_by(F.desc(Col.n_pool), tie, *keys))
    return sizes.withColumn(Col.rank, rank).where(F.col(Col.rank) <= n)
