"""What selections took of groups of items: classes, regions, any column."""

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.evaluation.clusters import each_of
from equipoise.schemas import Col


def group_sizes(
    items: DataFrame, selected: DataFrame, *, groups: Mapping[str, Column], selections: Sequence[str]
) -> DataFrame:
    """Count what each selection took of every group. Used more than once, it is best persisted.

    Args:
        items: the pool: item_id BIGINT, unique, and what ``groups`` reads.
        selected: rows of any number of selections: selection STRING, item_id BIGINT, copies INT.
        groups: name of a grouping -> the group of an item; items for which it is null are left out of that grouping.
        selections: their names, also of those without rows.

    Returns:
        selection, name (of the grouping), group STRING, n_pool, n_selected (items), n_curated (copies counted) BIGINT:
        a row for every group and each of ``selections``.
    """
    named = F.array(
        *(
            F.struct(F.lit(name).alias(Col.name), group.cast("string").alias(Col.group))
            for name, group in groups.items()
        )
    )
    grouped = items.select(Col.item_id, named.alias(Col.key))
    keys = [Col.name, Col.group]
    pool = _in_groups(grouped).groupBy(*keys).agg(F.count("*").alias(Col.n_pool))
    taken = _in_groups(grouped.join(selected.select(Col.selection, Col.item_id, Col.copies), Col.item_id, "inner"))
    counted = taken.groupBy(Col.selection, *keys).agg(
        F.count("*").alias(Col.n_selected), F.sum(Col.copies).alias(Col.n_curated)
    )
    every = pool.withColumn(Col.selection, each_of(selections))
    none = F.lit(0).cast("bigint")
    return every.join(counted, [Col.selection, *keys], "left").select(
        Col.selection,
        *keys,
        Col.n_pool,
        F.coalesce(F.col(Col.n_selected), none).alias(Col.n_selected),
        F.coalesce(F.col(Col.n_curated), none).alias(Col.n_curated),
    )


def _in_groups(items: DataFrame) -> DataFrame:
    """A row an item and grouping, in place of the array ``key``."""
    others = [name for name in items.columns if name != Col.key]
    return items.select(*others, F.inline(Col.key)).where(F.col(Col.group).isNotNull())
