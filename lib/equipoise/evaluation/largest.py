"""The largest groups of a pool, classes for one, as several sets have them."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from equipoise.schemas import Col


def largest_groups(sizes: DataFrame, n: int) -> DataFrame:
    """Take the ``n`` groups of each kind that are the largest in the pool, of every set.

    Args:
        sizes: what :func:`equipoise.evaluation.groups.group_sizes` returned.
        n: groups.

    Returns:
        selection, name, group STRING, rank INT (1: the largest; ties by group), n_pool, n_curated BIGINT.
    """
    keys = [Col.selection, Col.name]
    largest = Window.partitionBy(*keys).orderBy(F.desc(Col.n_pool), Col.group)
    rank = F.row_number().over(largest.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    ranked = sizes.select(*keys, Col.group, rank.alias(Col.rank), Col.n_pool, Col.n_curated)
    return ranked.where(F.col(Col.rank) <= n)
