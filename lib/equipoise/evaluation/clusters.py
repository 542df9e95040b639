"""What a selection did to the clusters of every level: sizes before and after, and which shrank the most."""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from equipoise.schemas import POOL_NAME, Col

_PARTS = 64  # the largest clusters are sought in so many parts first: no task sorts all of a level
_PART, _PATH = "part", "path"


def cluster_sizes(clusters: DataFrame, curated: DataFrame, *, levels: int) -> DataFrame:
    """Count what each selection took of every cluster. Used more than once, it is best persisted.

    Args:
        clusters: the tree of one run: level INT, cluster_id BIGINT, parent_id BIGINT (at level + 1), n_items BIGINT.
        curated: rows of any number of its selections: selection STRING, cluster_id BIGINT (level 1), copies INT.
        levels: height of the tree.

    Returns:
        selection STRING, level INT, cluster_id, parent_id, n_pool (items), n_curated (copies counted) BIGINT: a row for
        every cluster and each selection that has rows.
    """
    taken = curated.groupBy(Col.selection, Col.cluster_id).agg(F.sum(Col.copies).alias(Col.n_curated))
    counted = (
        taken.join(_paths(clusters, levels), Col.cluster_id, "inner")
        .select(Col.selection, F.posexplode(_PATH).alias(Col.level, Col.cluster_id), Col.n_curated)
        .groupBy(Col.selection, (F.col(Col.level) + 1).alias(Col.level), Col.cluster_id)
        .agg(F.sum(Col.n_curated).alias(Col.n_curated))
    )
    names = curated.select(Col.selection).distinct()
    every = clusters.where(F.col(Col.level) <= levels).crossJoin(F.broadcast(names))
    return every.join(counted, [Col.selection, Col.level, Col.cluster_id], "left").select(
        Col.selection,
        Col.level,
        Col.cluster_id,
        Col.parent_id,
        F.col(Col.n_items).alias(Col.n_pool),
        F.coalesce(F.col(Col.n_curated), F.lit(0)).cast("bigint").alias(Col.n_curated),
    )


def size_histograms(sizes: DataFrame) -> DataFrame:
    """Count how many clusters have each size: few rows, at most the root of twice the items for a selection and level.

    Args:
        sizes: what :func:`cluster_sizes` returned.

    Returns:
        selection STRING ("pool" for the clusters' sizes in the pool), level INT, n_items, n_groups BIGINT.
    """
    keys = [Col.selection, Col.level, Col.n_items]
    curated = _histogram(sizes, F.col(Col.n_curated))
    # Every selection has a row for every cluster: their pictures of the pool are all the same.
    pool = _histogram(sizes, F.col(Col.n_pool)).groupBy(Col.level, Col.n_items)
    pool_rows = pool.agg(F.max(Col.n_groups).alias(Col.n_groups)).withColumn(Col.selection, F.lit(POOL_NAME))
    return curated.unionByName(pool_rows).select(*keys, Col.n_groups)


def shrunk(sizes: DataFrame, n: int) -> DataFrame:
    """Set the ``n`` largest clusters of the pool, of every level, against what each selection kept of them.

    Args:
        sizes: what :func:`cluster_sizes` returned.
        n: clusters a level.

    Returns:
        selection STRING, level INT, rank INT (1: the largest in the pool; ties by cluster_id), cluster_id, parent_id,
        n_pool, n_curated BIGINT, share_pool, share_curated (of the level's items), ratio (the second share over the
        first: below 1 it shrank) DOUBLE.
    """
    keys = [Col.selection, Col.level]
    total = sizes.groupBy(*keys).agg(
        F.sum(Col.n_pool).alias(Col.share_pool), F.sum(Col.n_curated).alias(Col.share_curated)
    )
    part = F.pmod(F.xxhash64(Col.cluster_id), F.lit(_PARTS)).alias(_PART)
    largest = _first(_first(sizes.select("*", part), n, *keys, _PART), n, *keys)
    pool, curated = (
        F.try_divide(F.col(count), F.col(share))
        for count, share in ((Col.n_pool, Col.share_pool), (Col.n_curated, Col.share_curated))
    )
    return largest.join(F.broadcast(total), keys, "inner").select(
        *keys,
        Col.rank,
        Col.cluster_id,
        Col.parent_id,
        Col.n_pool,
        Col.n_curated,
        pool.alias(Col.share_pool),
        curated.alias(Col.share_curated),
        F.try_divide(curated, pool).alias(Col.ratio),
    )


def _paths(clusters: DataFrame, levels: int) -> DataFrame:
    """(cluster_id, path): every level-1 cluster, and the clusters that it lies in, from itself up."""

    def linked(level: int) -> DataFrame:
        here = clusters.where(F.col(Col.level) == level)
        return here.select(F.col(Col.cluster_id).alias(_above(level)), F.col(Col.parent_id).alias(_above(level + 1)))

    every = range(1, levels + 1)
    joined = reduce(lambda below, level: below.join(linked(level), _above(level), "inner"), every[1:], linked(1))
    path = F.array(*(_above(level) for level in every))
    return joined.select(F.col(_above(1)).alias(Col.cluster_id), path.alias(_PATH))


def _above(level: int) -> str:
    return f"above_{level}"


def _histogram(sizes: DataFrame, n_items: Column) -> DataFrame:
    counted = sizes.groupBy(Col.selection, Col.level, n_items.alias(Col.n_items))
    return counted.agg(F.count("*").alias(Col.n_groups))


def _first(clusters: DataFrame, n: int, *keys: str) -> DataFrame:
    """The ``n`` largest of the pool inside ``keys``, with their rank."""
    order = Window.partitionBy(*keys).orderBy(F.desc(Col.n_pool), Col.cluster_id)
    rank = F.row_number().over(order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return clusters.withColumn(Col.rank, rank).where(F.col(Col.rank) <= n)
