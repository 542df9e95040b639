"""Groups of duplicates, as a few numbers and the largest of them."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col


def duplicate_totals(duplicates: DataFrame) -> DataFrame:
    """Count groups and items: one row.

    Args:
        duplicates: rows of the table ``duplicates`` of one run; every stage has components of its own.

    Returns:
        n_items, n_groups, n_rejected (removed) BIGINT.
    """
    removed = F.count(F.when(~F.col(Col.is_kept), 1))
    return duplicates.agg(
        F.count("*").alias(Col.n_items),
        F.countDistinct(Col.stage, Col.component_id).alias(Col.n_groups),
        removed.alias(Col.n_rejected),
    )


def similarity_counts(duplicates: DataFrame, bins: int) -> DataFrame:
    """Count removed items by similarity in ``bins`` equal steps from -1 to 1: rows of those that have items.

    Returns:
        bucket INT (0 to bins - 1), n_items BIGINT.
    """
    bucket = F.least(F.floor((F.col(Col.similarity) + 1) / 2 * bins), F.lit(bins - 1)).cast("int")
    removed = duplicates.where(~F.col(Col.is_kept) & F.col(Col.similarity).isNotNull())
    return removed.groupBy(bucket.alias(Col.bucket)).agg(F.count("*").alias(Col.n_items))


def largest_duplicates(duplicates: DataFrame, *, groups: int, items: int) -> DataFrame:
    """Take the largest groups, and the first items of each: the kept one, then the least similar.

    Args:
        duplicates: as :func:`duplicate_totals` takes it.
        groups: how many, at most.
        items: of each, at most.

    Returns:
        stage STRING, component_id, item_id BIGINT, is_kept BOOLEAN, similarity DOUBLE, n_items BIGINT (of the whole
        group), rank INT.
    """
    group = [Col.stage, Col.component_id]
    sizes = duplicates.groupBy(*group).agg(F.count("*").alias(Col.n_items))
    largest = F.broadcast(sizes.orderBy(F.desc(Col.n_items), *group).limit(groups))
    order = F.struct(~F.col(Col.is_kept), F.col(Col.similarity))  # the kept one is first, then nulls, then the least
    rank = F.row_number().over(ranked_by(order, Col.item_id, *group))
    ranked = duplicates.join(largest, group, "inner").withColumn(Col.rank, rank)
    return ranked.where(F.col(Col.rank) <= items).select(
        *group,
        Col.item_id,
        Col.is_kept,
        F.col(Col.similarity).cast("double").alias(Col.similarity),
        Col.n_items,
        Col.rank,
    )
