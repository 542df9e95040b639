"""The classes of a pool in several sets at once. Labels judge a selection; nothing that selects may read them."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from equipoise.schemas import Col

CLASS_LEVEL = 0  # classes stand beside the clusters of levels 1, 2, ... where both are counted


def class_sizes(labelled: DataFrame, sets: DataFrame) -> DataFrame:
    """Count the items of every class in the pool and in several sets.

    Args:
        labelled: the pool: item_id BIGINT, label STRING, without nulls.
        sets: rows of any number of selections: selection STRING, item_id BIGINT, copies INT.

    Returns:
        selection STRING, level INT (0, so that :func:`equipoise.evaluation.clusters.size_histograms` takes it), label
        STRING, n_pool (items), n_curated (copies counted) BIGINT: a row for every class and each set that has rows.
    """
    pool = labelled.groupBy(Col.label).agg(F.count("*").alias(Col.n_pool))
    taken = sets.join(labelled, Col.item_id, "inner").groupBy(Col.selection, Col.label)
    counted = taken.agg(F.sum(Col.copies).alias(Col.n_curated))
    names = sets.select(Col.selection).distinct()
    every = pool.crossJoin(F.broadcast(names)).join(counted, [Col.selection, Col.label], "left")
    return every.select(
        Col.selection,
        F.lit(CLASS_LEVEL).alias(Col.level),
        Col.label,
        Col.n_pool,
        F.coalesce(F.col(Col.n_curated), F.lit(0)).cast("bigint").alias(Col.n_curated),
    )


def largest_classes(sizes: DataFrame, n: int) -> DataFrame:
    """Take the ``n`` classes that are the largest in the pool, of every set.

    Args:
        sizes: what :func:`class_sizes` returned.
        n: classes.

    Returns:
        selection STRING, label STRING, rank INT (1: the largest; ties by label), n_pool, n_curated BIGINT.
    """
    largest = Window.partitionBy(Col.selection).orderBy(F.desc(Col.n_pool), Col.label)
    rank = F.row_number().over(largest.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    ranked = sizes.select(Col.selection, Col.label, rank.alias(Col.rank), Col.n_pool, Col.n_curated)
    return ranked.where(F.col(Col.rank) <= n)
