"""Groups of duplicates, as a few numbers and the largest of them."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col

IS_NEAR = "is_near"


def duplicate_totals(duplicates: DataFrame) -> DataFrame:
    """Count groups and items: one row.

    Args:
        duplicates: rows of the table ``duplicates`` of one run; every stage has components of its own.

    Returns:
        n_items (kept ones included), n_groups BIGINT.
    """
    groups = F.countDistinct(Col.stage, Col.component_id)
    return duplicates.agg(F.count("*").alias(Col.n_items), groups.alias(Col.n_groups))


def largest_duplicates(duplicates: DataFrame, near: DataFrame, *, groups: int, items: int) -> DataFrame:
    """Take the largest groups, and the first items of each.

    The kept one is first, then the least similar. Of a group that went whole, those come first that are themselves like
    an item of an evaluation set, the most similar before.

    Args:
        duplicates: as :func:`duplicate_totals` takes it.
        near: the stored pairs with evaluation sets: src (an item of the pool), dst (one of a set) BIGINT, each once.
        groups: how many, at most.
        items: of each, at most.

    Returns:
        stage STRING, component_id, item_id BIGINT, is_kept BOOLEAN, kept_id BIGINT, similarity DOUBLE, method STRING,
        is_near BOOLEAN (there is such a pair of the item and its kept_id), n_items BIGINT (of the whole group),
        rank INT.
    """
    group = [Col.stage, Col.component_id]
    sizes = duplicates.groupBy(*group).agg(F.count("*").alias(Col.n_items))
    largest = F.broadcast(sizes.orderBy(F.desc(Col.n_items), *group).limit(groups))
    to_sets = near.select(
        F.col(Col.src).alias(Col.item_id), F.col(Col.dst).alias(Col.kept_id), F.lit(True).alias(IS_NEAR)
    )
    members = duplicates.join(largest, group, "inner").join(to_sets, [Col.item_id, Col.kept_id], "left")
    is_near, similarity = F.coalesce(IS_NEAR, F.lit(False)), F.col(Col.similarity).cast("double")
    # nulls come first of those that are not near
    order = F.struct(~F.col(Col.is_kept), ~is_near, F.when(is_near, -similarity).otherwise(similarity))
    ranked = members.withColumn(Col.rank, F.row_number().over(ranked_by(order, Col.item_id, *group)))
    return ranked.where(F.col(Col.rank) <= items).select(
        *group,
        Col.item_id,
        Col.is_kept,
        Col.kept_id,
        similarity.alias(Col.similarity),
        Col.method,
        is_near.alias(IS_NEAR),
        Col.n_items,
        Col.rank,
    )
